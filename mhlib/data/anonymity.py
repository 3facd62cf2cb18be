"""How far an extract still singles people out: k-anonymity and uniqueness for sets of quasi-identifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mhlib.errors import DataError, DisclosureError

# What others may know of a pupil without any register.
KNOWN = re.compile(
    r"^(school(_pid)?|学校(名称|代码)?|校区|grade|年级|class(_pid)?|班级?|sex|gender|性别|age(_band)?|年龄|level|学段|town|乡镇|镇街|街道"
    r"|hukou|户籍(类型)?|户口(性质)?|ethnic(ity)?|民族|boarding|是否住校|住校|寄宿|left_behind|留守(儿童)?|single_parent|单亲|urban|城乡)$"
)


@dataclass(frozen=True, slots=True)
class QuasiSet:
    """One set of quasi-identifiers.

    Attributes
    ----------
    columns : tuple of str
    n_people : int
        People, or rows where no column says who is who.
    n_groups : int
        Combinations that occur; a missing value is a label like any other.
    smallest_k : int
        People in the smallest group; 0 where there is nobody.
    n_unique : int
        People alone in their group.
    n_below : int
        People in groups smaller than the least cell.
    """

    columns: tuple[str, ...]
    n_people: int
    n_groups: int
    smallest_k: int
    n_unique: int
    n_below: int


@dataclass(frozen=True, slots=True)
class AnonymityResult:
    """Sets of quasi-identifiers with what they tell.

    Attributes
    ----------
    sets : tuple of QuasiSet
    min_cell : int
        No number of fewer people leaves :meth:`to_frame`.
    """

    sets: tuple[QuasiSet, ...]
    min_cell: int

    def to_frame(self) -> pd.DataFrame:
        """For print: one row a set, counts and shares of fewer people than the least cell withheld."""
        rows = [
            {"quasi_identifiers": " × ".join(one.columns), "n_people": self._count(one.n_people), "groups": one.n_groups,
             "smallest_k": self._count(one.smallest_k), "unique": self._share(one.n_unique, one),
             f"below_{self.min_cell}": self._share(one.n_below, one)}
            for one in self.sets
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def require(self, least_k: int, *, where: str) -> None:
        """Refuses an extract in which a group is smaller than `least_k`.

        Raises
        ------
        DisclosureError
            Names the set of columns, no label and no number of people.
        """
        small = [one for one in self.sets if one.smallest_k < least_k]
        if small:
            listed = "; ".join(" × ".join(one.columns) for one in small)
            raise DisclosureError(where, f"groups of fewer than {least_k} people by {listed}",
                                  remedy="drop or coarsen a column, or merge small groups")  # fmt: skip

    def _count(self, n: int) -> str:
        return f"{n:,}" if n >= self.min_cell else f"< {self.min_cell}"

    def _share(self, n: int, one: QuasiSet) -> str:
        if one.smallest_k >= self.min_cell:
            return "none"
        if n < self.min_cell:
            return f"< {self.min_cell} people"
        if 0 < one.n_people - n < self.min_cell:
            return f"all but < {self.min_cell} people"
        share = 100 * n / one.n_people
        return f"{share:.0f} %" if share >= 1 else "< 1 %"


def anonymity(
    frame: pd.DataFrame, quasi: Sequence[Sequence[str]], *, person: str | None = None, min_cell: int = 10
) -> AnonymityResult:
    """k-anonymity and uniqueness of an extract (Samarati and Sweeney 1998).

    Parameters
    ----------
    frame : DataFrame
    quasi : sequence of sequences of str
        Sets of columns that somebody may know of a pupil.
    person : str, optional
        Column that says who is who, where a person has several rows; a person counts once in each group.
    min_cell : int
        Groups of fewer people are small.

    Raises
    ------
    DataError
        If a column is absent or a set is empty.

    Notes
    -----
    The smallest k is the number of people in the smallest combination; a pupil is unique where it is 1.
    """
    wanted = dict.fromkeys([*(column for one in quasi for column in one), *([person] if person else [])])
    absent = [column for column in wanted if column not in frame]
    if absent or not all(quasi):
        problem = f"no column {', '.join(absent)}" if absent else "a set of quasi-identifiers is empty"
        raise DataError("quasi-identifiers", problem, allowed=", ".join(map(str, frame)))
    return AnonymityResult(tuple(_quasi_set(frame, tuple(one), person, min_cell) for one in quasi), min_cell)


def usual_sets(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """All columns that others may know, and all of them but each: shows which one to drop."""
    found = tuple(column for column in columns if KNOWN.match(str(column).strip().lower()))
    if len(found) < 3:
        return [found] if found else []
    return [found, *(tuple(column for column in found if column != left) for left in found)]


def lone_columns(frame: pd.DataFrame, *, besides: Sequence[str] = ()) -> list[str]:
    """Columns in which most rows have a value of their own, such as the second of handing in: each singles out alone."""
    found = []
    for name in frame:
        values = frame[name].dropna() if name not in besides else frame[name][:0]
        if len(values) and (~values.duplicated(keep=False)).mean() > 0.5:
            found.append(str(name))
    return found


def _quasi_set(frame: pd.DataFrame, columns: tuple[str, ...], person: str | None, min_cell: int) -> QuasiSet:
    rows = frame[[*columns, person]].drop_duplicates() if person and person not in columns else frame[list(columns)]
    sizes = rows.groupby(list(columns), dropna=False, observed=True).size()
    return QuasiSet(
        columns, int(sizes.sum()), len(sizes), int(sizes.min()) if len(sizes) else 0, int((sizes == 1).sum()),
        int(sizes[sizes < min_cell].sum()),
    )  # fmt: skip
