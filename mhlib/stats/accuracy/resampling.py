"""Resampled tables of cases and non-cases by score: people within their kind, or whole schools.

A resample never touches rows. People alike in score, kind and weight are drawn together by one multinomial, and a school
is a row of counts that is drawn a number of times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.placements import Cluster, areas

# Cells of resampled tables held at once: 2 million float64 are 16 MB.
CELLS_AT_ONCE = 2_000_000
# Beyond this number of clusters a square of them is larger than their tables.
LARGEST_KERNEL = 2_000


@dataclass(frozen=True, slots=True)
class Kinds:
    """People of one status, put together when alike in level and weight; rising levels."""

    level: np.ndarray
    weight: np.ndarray
    number: np.ndarray


@dataclass(frozen=True, slots=True)
class Stratified:
    """Cases are drawn among cases, non-cases among non-cases: their numbers stay as they are."""

    case: Kinds
    noncase: Kinds
    n_levels: int
    unit = "cases and non-cases apart"

    def tables(self, seed: int, n_boot: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of resampled (cases, non-cases), each of shape (block, levels)."""
        of_case, of_noncase = np.random.default_rng(seed).spawn(2)
        for size in blocks(n_boot, self.n_levels + len(self.case.number) + len(self.noncase.number)):
            yield (
                drawn_people(of_case, self.case, self.n_levels, size),
                drawn_people(of_noncase, self.noncase, self.n_levels, size),
            )


@dataclass(frozen=True, slots=True)
class Schools:
    """Whole schools are drawn; `sums` holds a row a school: non-cases by level, then cases by level."""

    sums: sparse.csr_array
    n_levels: int
    unit = "clusters"

    def times(self, seed: int, n_boot: int) -> Iterator[np.ndarray]:
        """Blocks of how often each school stands in each resample, shape (block, schools)."""
        rng, n = np.random.default_rng(seed), self.sums.shape[0]
        for size in blocks(n_boot, max(n, 2 * self.n_levels)):
            place = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
            yield np.bincount(place.ravel(), minlength=n * size).reshape(size, n).astype(float)

    def tables(self, seed: int, n_boot: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of resampled (cases, non-cases), each of shape (block, levels)."""
        for times in self.times(seed, n_boot):
            both = np.asarray((self.sums.T @ times.T).T)
            yield both[:, self.n_levels :], both[:, : self.n_levels]


def blocks(n_boot: int, cells: int) -> Iterator[int]:
    """Sizes of blocks of resamples that hold a bounded number of cells, adding up to `n_boot`."""
    size = max(1, CELLS_AT_ONCE // max(cells, 1))
    for start in range(0, n_boot, size):
        yield min(size, n_boot - start)


def drawn_people(rng: np.random.Generator, kinds: Kinds, n_levels: int, size: int) -> np.ndarray:
    """As many people as there are, drawn with return, as sums of weight by level: shape (size, levels)."""
    total = int(kinds.number.sum())
    drawn = rng.multinomial(total, kinds.number / total, size=size) * kinds.weight
    starts = np.flatnonzero(np.diff(kinds.level, prepend=-1))
    table = np.zeros((size, n_levels))
    table[:, kinds.level[starts]] = np.add.reduceat(drawn, starts, axis=1)
    return table


def runs(case: np.ndarray, noncase: np.ndarray) -> np.ndarray:
    """Run of each rising level: neighbours that hold only cases, or only non-cases, are one.

    Their order among themselves moves neither curve nor area, in no resample, and a continuous score with few cases
    has ten times fewer runs than scores.
    """
    side = np.sign(case) - np.sign(noncase)
    first = np.ones(len(side), dtype=bool)
    first[1:] = (side[1:] != side[:-1]) | (side[1:] == 0)
    return np.cumsum(first) - 1


def stratified_of(run: np.ndarray, case: np.ndarray, weight: np.ndarray | None, n_levels: int) -> Stratified:
    """Kinds of cases and of non-cases among rows."""
    sides = [case == 1, case == 0]
    if weight is None:
        numbers = [np.bincount(run[side], minlength=n_levels) for side in sides]
        return stratified_of_counts(*numbers)
    kinds = []
    for side in sides:
        frame = pd.DataFrame({"level": run[side], "weight": weight[side]})
        number = frame.groupby(["level", "weight"], sort=True).size()
        level, value = (number.index.get_level_values(name).to_numpy() for name in ("level", "weight"))
        kinds.append(Kinds(level, value, number.to_numpy()))
    return Stratified(*kinds, n_levels)


def stratified_of_counts(case: np.ndarray, noncase: np.ndarray) -> Stratified:
    """Kinds of cases and of non-cases from their numbers by run."""
    kinds = []
    for number in (case, noncase):
        level = np.flatnonzero(number)
        kinds.append(Kinds(level, np.ones(len(level)), number[level].astype(np.int64)))
    return Stratified(*kinds, len(case))


def schools_of(
    run: np.ndarray, case: np.ndarray, weight: np.ndarray | None, cluster: Cluster, n_levels: int
) -> Schools:
    """Sums of each school from rows."""
    column = run + n_levels * (case == 1)
    width = 2 * n_levels
    if cluster[1] * width <= 4 * len(run):
        dense = np.bincount(cluster[0] * width + column, weights=weight, minlength=cluster[1] * width)
        return Schools(sparse.csr_array(dense.reshape(cluster[1], width).astype(float)), n_levels)
    value = np.ones(len(run)) if weight is None else weight
    return Schools(sparse.csr_array((value, (cluster[0], column)), shape=(cluster[1], width)), n_levels)


def cluster_codes(cluster: object, *, where: str) -> Cluster:
    """Code of each row's school, schools in rising order of their label so that the order of rows does not matter.

    Raises
    ------
    DataError
        A row without a school, or labels of kinds that have no common order.
    DesignError
        A single school.
    """
    code, n_groups = inputs.codes(cluster, where=where, name="cluster")
    if n_groups < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    labels = pd.Series(cluster).reset_index(drop=True)
    first = np.zeros(n_groups, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    try:
        rank = labels.iloc[first].rank(method="first").to_numpy().astype(np.int64) - 1
    except TypeError:
        raise DataError(f"{where}(cluster)", "labels of different kinds", allowed="all text or all numbers") from None
    return rank[code], n_groups


def cluster_areas(drawn: Schools, seed: int, n_boot: int) -> np.ndarray:
    """AUC of every resample of schools, shape (n_boot,); NaN where a resample holds no case or no non-case.

    With w the times each school is drawn, AUC = w'Kw / (w'm)(w'n): K[s, t] is what the cases of school s win against
    the non-cases of school t, so a resample costs nothing that grows with people or scores.
    """
    if drawn.sums.shape[0] > LARGEST_KERNEL:
        return np.concatenate([areas(*both) for both in drawn.tables(seed, n_boot)])
    kernel, n_case, n_noncase = pair_kernel(drawn.sums, drawn.n_levels)
    found = []
    for times in drawn.times(seed, n_boot):
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(((times @ kernel) * times).sum(axis=1) / ((times @ n_case) * (times @ n_noncase)))
    return np.concatenate(found)


def pair_kernel(sums: sparse.csr_array, n_levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wins (ties half) of each school's cases against each school's non-cases, with the sums of both by school."""
    n = sums.shape[0]
    by_level, kernel, passed = sums.tocsc(), np.zeros((n, n)), np.zeros((n, 1))
    n_case, step = np.zeros(n), max(1, CELLS_AT_ONCE // n)
    for start in range(0, n_levels, step):
        stop = min(start + step, n_levels)
        noncase = by_level[:, start:stop].toarray()
        case = by_level[:, n_levels + start : n_levels + stop].toarray()
        below = passed + np.cumsum(noncase, axis=1)
        kernel += case @ (below - noncase / 2).T
        passed, n_case = below[:, -1:], n_case + case.sum(axis=1)
    return kernel, n_case, passed[:, 0]


def enough_resamples(n_boot: int, *, where: str) -> None:
    """Stop at fewer resamples than have a spread.

    Raises
    ------
    ParamsError
        Fewer than two, or no whole number.
    """
    if n_boot != int(n_boot) or n_boot < 2:
        raise ParamsError(f"{where}(n_boot)", f"is {n_boot}", allowed="a whole number, 2 or more", remedy="take 2000")


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation and percentile interval of resampled values, and how many resamples had none."""

    std_error: float
    conf_low: float
    conf_high: float
    n_empty: int


def spread(values: np.ndarray, conf_level: float) -> Spread:
    """Standard deviation and percentile interval; NaN with fewer than two defined values."""
    usable = values[np.isfinite(values)]
    if len(usable) < 2:
        return Spread(math.nan, math.nan, math.nan, len(values) - len(usable))
    tail = (1 - conf_level) / 2
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Spread(float(usable.std(ddof=1)), float(low), float(high), len(values) - len(usable))
