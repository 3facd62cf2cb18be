"""What a table must look like: one declaration that validates the rows and describes them to a reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.data.tables.coercion import COERCIONS
from mhlib.errors import DataError

ROWS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    kind : {"text", "integer", "number", "flag", "date"}
        What the values are after coercion; identifiers are text, whatever they look like.
    low, high : float, optional
        Ends of the allowed range, in `unit`.
    allowed : tuple, optional
        The only values that may occur.
    required : bool
        Whether the column must be there; `missing` says whether its cells may be empty.
    """

    kind: str
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    allowed: tuple[object, ...] = ()
    required: bool = True
    missing: bool = False

    @property
    def range(self) -> str:
        """The constraint in words, for the data dictionary and for error messages."""
        if self.allowed:
            return ", ".join(map(str, self.allowed))
        if self.low is None and self.high is None:
            return ""
        low = "" if self.low is None else f"{self.low:g}"
        return f"{low}–{'' if self.high is None else f'{self.high:g}'}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table's contract; `subject` says whom a row is about, and `key` makes a row unique."""

    name: str
    description: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    subject: str = "pupil"


@dataclass(frozen=True, slots=True)
class Violation:
    """Cells of one column that break one rule: how many, and the first rows as a person sees them."""

    column: str
    rule: str
    count: int
    rows: tuple[int, ...] = field(default=())

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.column}: {self.rule}"
        shown = ", ".join(map(str, self.rows)) + (" …" if self.count > len(self.rows) else "")
        plural = "row" if self.count == 1 else "rows"
        return f"column {self.column}: {self.count} {plural} {self.rule} (row {shown})"


def validate(frame: pd.DataFrame, table: Table, *, where: str, header_rows: int = 1) -> pd.DataFrame:
    """The rows with every column of the contract in its kind, coerced only where nothing is lost.

    Parameters
    ----------
    frame : DataFrame
        As read; columns that the contract does not know pass untouched.
    header_rows : int
        Rows above the first data row, so that row numbers are those a person sees in the file.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        Every violation at once, with row numbers and counts, never values.
    """
    found: list[Violation] = []
    coerced = frame.copy()
    for name, column in table.columns.items():
        if name not in frame:
            found += [Violation(name, "the column is missing", 1)] if column.required else []
            continue
        coerced[name], lost = COERCIONS[column.kind](frame[name])
        found += _violations(coerced[name], lost, name, column, header_rows)
    keys = [name for name in table.key if name in frame]
    if keys and len(keys) == len(table.key):
        twice = coerced.duplicated(keys, keep=False).to_numpy()
        found += _violation(twice, " and ".join(keys), "occur more than once", header_rows)
    if found:
        raise DataError.of_many(where, [str(violation) for violation in found], remedy="mend the file or map it anew")
    return coerced


def _violations(cells: pd.Series, lost: np.ndarray, name: str, column: Column, header: int) -> list[Violation]:
    found = _violation(lost, name, f"not of kind {column.kind}", header)
    if not column.missing:
        found += _violation(cells.isna().to_numpy() & ~lost, name, "empty", header)
    present = cells.notna().to_numpy()
    if column.allowed:
        outside = present & ~cells.isin(column.allowed).to_numpy()
        found += _violation(outside, name, f"outside {column.range}", header)
    elif column.low is not None or column.high is not None:
        low = -np.inf if column.low is None else column.low
        high = np.inf if column.high is None else column.high
        numbers = pd.to_numeric(cells).to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            outside = present & ((numbers < low) | (numbers > high))
        found += _violation(outside, name, f"outside {column.range}", header)
    return found


def _violation(bad: np.ndarray, column: str, rule: str, header: int) -> list[Violation]:
    at = np.flatnonzero(bad)
    if not at.size:
        return []
    return [Violation(column, rule, int(at.size), tuple(int(row) + header + 1 for row in at[:ROWS_SHOWN]))]
