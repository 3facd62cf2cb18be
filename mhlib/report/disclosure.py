"""The gate: the last step before anything is shown, and the only door to the page.

Primary suppression and rounding are done here, cell by cell. Which further counts must be hidden, because of all that the
report has shown before and earlier releases showed, is asked of the report's book (:mod:`protection_book`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from mhlib.errors import DisclosureError
from mhlib.report.policy import BUILT_IN, Policy, policy_of
from mhlib.report.rounding import ONE_DECIMAL_FROM, rounded
from mhlib.report.vocabulary import COLUMNS, KNOWN_OF_ALL, TERMS

# As built in; what is in force in a workspace may be stricter and is asked of `policy_of`.
POLICIES = BUILT_IN
# Columns that say how many people stand behind a row; the fewest of them decide.
PEOPLE = ("denominator", "n_used", "n", "n_people", "referrals")


class Counts(Protocol):
    """What the gate asks the report's book."""

    def enter(self, element: str, rows: list[Mapping[str, object]]) -> set[tuple[int, str]]:
        """Row and column of every number of an element that must not be shown for the sake of others."""

    def say(self, n: float) -> bool:
        """Whether a sentence may say this count."""

    def say_share(self, value: float, total: int) -> bool:
        """Whether a sentence may say this share."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets numbers through as the policy allows; a hidden one is None.

    Attributes
    ----------
    policy : Policy
    book : Counts or None
        What the report has shown so far; None outside a report, where every number stands for itself.
    """

    policy: Policy
    book: Counts | None = None

    @classmethod
    def of(cls, audience: str) -> Gate:
        """The gate of an audience, by the numbers in force in this workspace."""
        return cls(policy_of(audience))

    def count(self, n: float | None) -> int | None:
        """A number of people: hidden below the least cell, else rounded. Nobody at all is hidden too."""
        if n is None or math.isnan(n) or n < self.policy.min_cell:
            return None
        return int(rounded(n, self.policy))

    def said_count(self, n: float | None) -> int | None:
        """The same in a sentence, which may give away what a table hides."""
        shown = self.count(n)
        return shown if shown is None or self.book is None or self.book.say(n) else None

    def said_share(self, value: float, denominator: int) -> float | None:
        """A share in a sentence."""
        numerator = value * denominator
        whole = abs(numerator - round(numerator)) < 1e-6
        shown = self.proportion(value, denominator, round(numerator) if whole else None)
        return shown if shown is None or self.book is None or self.book.say_share(value, denominator) else None

    def decimals(self, denominator: float) -> int:
        """Decimals of a percentage over so many people."""
        return 1 if self.policy.audience == "open_data" or denominator >= ONE_DECIMAL_FROM else 0

    def proportion(self, value: float, denominator: float, numerator: float | None = None) -> float | None:
        """A share, from the rounded counts where there are counts; hidden over few people or of a hidden numerator."""
        if value is None or math.isnan(value) or denominator < self.policy.min_denominator:
            return None
        if self.policy.audience == "open_data":
            return value
        plain = numerator is not None and abs(numerator / denominator - value) < 1e-9
        if plain:
            few = self.count(numerator) is None or self.count(denominator - numerator) is None
            if few or self._tells_of_all(numerator, denominator):
                return None
            value = rounded(numerator, self.policy, fine=True) / rounded(denominator, self.policy, fine=True)
        return round(value, 2 + self.decimals(denominator))

    def estimate(self, value: float | None, n_used: float) -> float | None:
        """A number that is not a share: hidden when fewer people than the least cell stand behind it."""
        return None if value is None or math.isnan(value) or n_used < self.policy.min_cell else value

    def frame(self, frame: pd.DataFrame, *, where: str) -> pd.DataFrame:
        """A table with every cell gated by the kind of its column and, for estimates, of its term.

        Raises
        ------
        DisclosureError
            If a column is not in the vocabulary, or nothing says how many people stand behind a row's estimates.
        """
        unknown = [name for name in frame if name not in COLUMNS]
        if unknown:
            raise DisclosureError(where, f"columns {', '.join(map(str, unknown))} are not in the vocabulary",
                                  allowed="columns of report/vocabulary.py", remedy="add them there")  # fmt: skip
        raw = [(row, _people_behind(row, where)) for row in frame.to_dict("records")]
        own = [self._row(row, behind) for row, behind in raw]
        rows = [self._open(row, gated) for (row, _), gated in zip(raw, own, strict=True)]
        hidden = set() if self.book is None else self.book.enter(where, rows)
        shown = [self._less(row, gated, {name for at, name in hidden if at == number})
                 for number, ((row, _), gated) in enumerate(zip(raw, own, strict=True))]  # fmt: skip
        return pd.DataFrame(shown, columns=list(frame), dtype=object)

    def _row(self, row: Mapping[str, object], behind: float) -> dict[str, object]:
        counts = self._without_small_rest(row)
        return {name: self._cell(name, counts[name], row, behind) for name in row}

    def _open(self, row: Mapping[str, object], gated: Mapping[str, object]) -> dict[str, object]:
        """What the book is told of a row: its counts, the small ones too, but no share beside a count that is hidden with it."""
        counts = self._without_small_rest(row)
        shares = [name for name in row if gated[name] is None and kind_of(name, row) == "proportion"]
        return {**counts, **dict.fromkeys(shares)} if _number(row.get("numerator")) is not None else dict(counts)

    def _less(self, row: Mapping[str, object], gated: Mapping[str, object], hidden: set[str]) -> dict[str, object]:
        cells = {**gated, **dict.fromkeys(hidden)}
        return cells | dict.fromkeys(_told_by_limits(row, cells))

    def _without_small_rest(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """Counts whose difference would tell of fewer people than the least cell are hidden together.

        A count of all tells everybody's state: it is hidden, unless it is of what all may be known to have done.
        """
        numerator, denominator = _number(row.get("numerator")), _number(row.get("denominator"))
        if numerator is None or denominator is None:
            return row
        if self._tells_of_all(numerator, denominator):
            return {**row, "numerator": None}
        if not 0 <= denominator - numerator < self.policy.min_cell:
            return row
        if numerator == denominator:
            return row if row.get("term") in KNOWN_OF_ALL else {**row, "numerator": None}
        return {**row, "numerator": None, "denominator": None}

    def _tells_of_all(self, numerator: float, denominator: float) -> bool:
        """Whether a sensitive state is that of so many of a group that everybody's is as good as told."""
        return self.policy.sensitive and denominator > 0 and numerator / denominator >= self.policy.group_share

    def _cell(self, name: str, value: object, row: Mapping[str, object], behind: float) -> object:
        kind = kind_of(name, row)
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
            return None
        if kind in ("text", "named", "said", "plan", "plan_share", "flag"):
            return value
        if kind == "count":
            return self.count(float(value))
        if kind == "money":
            return _three_digits(self.estimate(float(value), behind))
        if kind == "people_share":
            denominator = _number(row.get("denominator")) or _number(row.get("n")) or behind
            return self.proportion(float(value), denominator, float(value) * denominator)
        if kind == "proportion":
            denominator = _number(row.get("denominator")) or behind
            numerator = _number(row.get("numerator")) if name == "estimate" else None
            return self.proportion(float(value), denominator, numerator)
        return self.estimate(float(value), behind * _tail(name, row))


def _tail(name: str, row: Mapping[str, object]) -> float:
    """Share of the people on the smaller side of a quantile; 1 of what is none."""
    term = TERMS.get(str(row.get("term"))) if COLUMNS[name].kind == "by_term" else None
    return term.tail if term is not None else 1.0


def kind_of(column: str, row: Mapping[str, object]) -> str:
    """Kind of a cell: the column's, or for an estimate and its interval the term's."""
    kind = COLUMNS[column].kind
    if kind != "by_term":
        return kind
    term = TERMS.get(str(row.get("term")))
    return term.kind if term is not None else "estimate"


def _told_by_limits(row: Mapping[str, object], cells: Mapping[str, object]) -> list[str]:
    """Limits of a share that is hidden: an interval and its denominator give the count back."""
    hidden = _number(row.get("estimate")) is not None and cells["estimate"] is None
    if not hidden or kind_of("estimate", row) != "proportion":
        return []
    return [name for name in ("conf_low", "conf_high") if name in row]


def _three_digits(value: float | None) -> float | None:
    """A sum of money whose last digits would give back the number of people behind it."""
    return value if not value else float(f"{value:.3g}")


def _number(value: object) -> float | None:
    return None if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else float(value)


def _people_behind(row: Mapping[str, object], where: str) -> float:
    """The fewest people that any of a row's own totals names; estimates without any are refused."""
    found = [_number(row.get(name)) for name in PEOPLE]
    known = [number for number in found if number is not None]
    if known:
        return min(known)
    if any(kind_of(name, row) in ("proportion", "people_share", "money", "estimate", "p_value") for name in row):
        raise DisclosureError(where, "nothing says how many people stand behind the estimates",
                              remedy="give the column n_used or denominator")  # fmt: skip
    return math.inf
