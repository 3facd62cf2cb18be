"""An attacker written apart from the library, and random tables for it: used by the tests of protection.

The attacker works on the finest cells of a population only: every published number is a sum of some of them, found by
grouping the rows anew.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from mhlib.report.disclosure import Policy
from mhlib.report.protection_tables import Dimension

PRECISE = Policy("precise", 10, 1, 30)
ROUNDED = Policy("rounded", 10, 5, 30)
# No count in these tables is near it.
NO_END = 1e6

NESTED = (Dimension(("town", "school", "grade"), ("town", "school")), Dimension(("level",)))
CROSSED = (Dimension(("town", "school"), ("town", "school")), Dimension(("grade",)), Dimension(("level",)))
MARGINS = {
    NESTED: [(), ("town",), ("school",), ("school", "grade"), ("level",), ("town", "level"), ("school", "level"),
             ("school", "grade", "level")],
    CROSSED: [(), ("town",), ("school",), ("grade",), ("level",), ("town", "grade"), ("school", "grade"), ("town", "level"),
              ("school", "level"), ("grade", "level"), ("town", "grade", "level"), ("school", "grade", "level")],
}  # fmt: skip
Cells = dict[tuple, tuple[np.ndarray, int]]


@dataclass(frozen=True)
class World:
    """Rows of the finest cells, the dimensions of its tables, the margins of two releases and their policies."""

    rows: pd.DataFrame
    dimensions: tuple[Dimension, ...]
    margins: tuple[tuple[tuple[str, ...], ...], ...]
    policies: tuple[Policy, ...]

    def only(self, release: int) -> list[tuple[str, ...]]:
        """The margins of a release by their finest columns, as the library wants them."""
        inner = {"school"} if self.dimensions == NESTED else set()
        return [tuple(set(margin) - (inner if "grade" in margin else set())) for margin in self.margins[release]]


COUNTS = st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 60))


@st.composite
def worlds(draw, most: int = 2) -> World:
    """Small cities: towns of at most so many schools, grades of each, levels; counts of nobody, of few and of many."""
    schools = [
        f"T{town}S{school}" for town in range(draw(st.integers(1, 2))) for school in range(draw(st.integers(1, 3)))
    ]
    levels = draw(st.integers(2, 3))
    rows = [(school[:2], school, f"G{grade}", f"L{level}")
            for school in schools for grade in range(draw(st.integers(1, 2))) for level in range(levels)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["town", "school", "grade", "level"])
    frame["n"] = draw(st.lists(COUNTS, min_size=len(rows), max_size=len(rows)))
    dimensions = draw(st.sampled_from([NESTED, CROSSED]))
    margin = st.lists(st.sampled_from(MARGINS[dimensions]), min_size=1, max_size=5, unique=True).map(tuple)
    policies = st.sampled_from([PRECISE, ROUNDED])
    return World(frame, dimensions, (draw(margin), draw(margin)), (draw(policies), draw(policies)))


def sums(rows: pd.DataFrame, margins: list[tuple[str, ...]]) -> Cells:
    """For each cell of the margins (its column-label pairs): which rows it adds up, and their count."""
    columns, number, found = {name: rows[name].to_numpy() for name in rows}, rows["n"].to_numpy(), {}
    for margin in margins:
        for labels in dict.fromkeys(zip(*(columns[name] for name in margin), strict=True)) if margin else [()]:
            members = np.ones(len(rows), bool)
            for name, label in zip(margin, labels, strict=True):
                members &= columns[name] == label
            found[tuple(sorted(zip(margin, labels, strict=True)))] = members, int(number[members].sum())
    return found


def shown(n: int, policy: Policy) -> tuple[int, int]:
    """Every count that is shown as `n` is shown, by trying all of them: least and greatest."""
    step = policy.round_to
    printed = step * int(np.floor(n / step + 0.5))
    fits = [m for m in range(policy.min_cell, n + step + 1) if step * int(np.floor(m / step + 0.5)) == printed]
    return min(fits), max(fits)


def printed_of(cells: Cells, keys, hidden: np.ndarray, policy: Policy) -> list[tuple[np.ndarray, int, int]]:
    """Rows added up, least and greatest, of each cell that a release shows."""
    shows = dict(zip(keys, ~hidden, strict=True))
    return [(members, *shown(n, policy)) for key, (members, n) in cells.items() if shows[key]]


def ranges(targets: list[np.ndarray], printed: list[tuple[np.ndarray, int, int]]) -> np.ndarray:
    """Least and greatest sum over each set of rows (or any weights of them) that the printed intervals allow.

    Two programmes for each, all of them in one: shape (targets, 2).
    """
    n, k = len(targets[0]), 2 * len(targets)
    objective = np.concatenate([sign * target.astype(float) for target in targets for sign in (1, -1)])
    limits = ()
    if printed:
        one = np.array([members for members, _, _ in printed], float)
        low, high = np.array([(low, high) for _, low, high in printed], float).T
        limits = LinearConstraint(
            sparse.kron(sparse.eye_array(k), one, format="csc"), np.tile(low, k), np.tile(high, k)
        )
    solved = milp(objective, constraints=limits, bounds=Bounds(0, NO_END))
    assert solved.status == 0, solved.message
    value = (objective * solved.x).reshape(k, n).sum(axis=1).reshape(-1, 2)
    return np.column_stack([np.ceil(value[:, 0] - 1e-6), np.floor(-value[:, 1] + 1e-6)])


def all_whole(n_rows: int, printed: list[tuple[np.ndarray, int, int]], most: int) -> np.ndarray:
    """Every whole table of `n_rows` counts up to `most` that fits, by trying all of them: shape (tables, n_rows)."""
    tables = np.array(list(itertools.product(range(most + 1), repeat=n_rows)))
    for members, low, high in printed:
        total = tables[:, members].sum(axis=1)
        tables = tables[(total >= low) & (total <= high)]
    return tables
