"""A source that also offers what a bureau's export leaves to be reckoned: the total of items, and one arm for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mhlib.data.screening import parts_of
from mhlib.data.sources import Source
from mhlib.errors import DataError

# Name of the column that puts everybody into one arm; no export has it.
EVERYBODY = "(everybody)"


@dataclass(frozen=True, slots=True)
class TotalledSource(Source):
    """A source with further columns.

    Attributes
    ----------
    sums : mapping, name -> columns
        A column that is the sum of others. Whoever left one of these open has no sum.
    answers : mapping, text -> points
        Of the answers summed; empty where these are numbers.
    everybody : str
        Value of the column `EVERYBODY`; empty for no such column.
    """

    sums: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answers: Mapping[str, object] = field(default_factory=dict)
    everybody: str = ""

    def header(self, table: str | None = None) -> list[str]:
        """Names of the columns, the further ones last; a sum whose parts are absent is not offered."""
        there = Source.header(self, table)
        made = [name for name, parts in self.sums.items() if set(parts) <= set(there)]
        return [*there, *made, *([EVERYBODY] if self.everybody else [])]

    def frame(
        self, table: str | None = None, *, columns: Sequence[str] | None = None, where: Mapping[str, object] | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Rows with the further columns among those wanted.

        Raises
        ------
        DataError
            If an answer is neither among `answers` nor a number.
        """
        if columns is None:
            return Source.frame(self, table, where=where)
        made = {name: parts for name, parts in self.sums.items() if name in columns}
        read = [name for name in columns if name not in made and name != EVERYBODY]
        read = list(dict.fromkeys([*read, *(part for parts in made.values() for part in parts)]))
        frame = Source.frame(self, table, columns=read, where=where)
        sums = {name: self._sum(frame[list(parts)]) for name, parts in made.items()}
        constant = {EVERYBODY: self.everybody} if EVERYBODY in columns else {}
        return frame.assign(**sums, **constant)[list(columns)]

    def _sum(self, cells: pd.DataFrame) -> pd.Series:
        words = cells.astype("string").apply(lambda column: column.str.strip())
        known = {str(word): float(points) for word, points in self.answers.items()}
        points = words.apply(
            lambda column: pd.to_numeric(column.map(lambda word: known.get(word, word)), errors="coerce")
        )
        if lost := int((points.isna() & words.notna() & (words != "")).to_numpy().sum()):
            raise DataError(self.spec, f"{lost} answers are no number", remedy="give their points under values: items:")
        return points.sum(axis=1, skipna=False).astype(float)


def totalled(source: Source, *, occasions: Mapping[str, str], columns: Mapping[str, str], answers: Mapping[str, object],
             arm: str) -> Source:  # fmt: skip
    """The source with a sum for every occasion written `item 1 + item 2`, and `arm` for all where `columns` maps it to EVERYBODY."""
    sums = {name: parts_of(name) for name in occasions.values() if len(parts_of(name)) > 1}
    everybody = arm if columns.get("arm") == EVERYBODY else ""
    if not sums and not everybody:
        return source
    return TotalledSource(source.spec, source.kind, source.location, sums=sums, answers=answers, everybody=everybody)
