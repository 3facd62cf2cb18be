"""One pass over the rows of a nested design: all that its likelihood needs, whatever the number of rows.

Of every lowest group the sums of the columns are kept; groups alike in their random design (as many waves, at the same
times) share one weight, so that they are added up by pattern within the group above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from mhlib.stats.effects.nested_design import Design
from mhlib.stats.effects.nested_groups import Nesting

# Above so many numbers the patterns no longer save anything, and each group stands for itself.
LARGEST = 4_000_000
# So many lowest groups keep their own sums too, for their effects; pupils of a city do not.
KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Patterns:
    """Lowest groups added up by pattern.

    Attributes
    ----------
    count : ndarray, shape (k,)
        Groups of each pattern.
    within : ndarray, shape (k, r, r)
        Z'Z of a group of the pattern.
    outer : ndarray, shape (k, r, r, q, q)
        Sum over groups of the outer products of the rows of Z'W.
    cell_sums : ndarray, shape (c, r, q)
        Sum of Z'W over the groups of one pattern in one parent.
    cell_pattern, cell_parent : ndarray, shape (c,)
        Sorted by parent. Without a level above there is one parent.
    """

    count: np.ndarray
    within: np.ndarray
    outer: np.ndarray
    cell_sums: np.ndarray
    cell_pattern: np.ndarray
    cell_parent: np.ndarray


@dataclass(frozen=True, slots=True)
class Sums:
    """Sufficient statistics of a nested design with columns W = [1, slope …, X, Y].

    Attributes
    ----------
    total : ndarray, shape (q, q)
        W'W.
    lowest : Patterns or ndarray, shape (groups, r, q)
    own : ndarray, shape (groups, r, q), or None
        Z'W of each lowest group, where they are few.
    starts : tuple of ndarray
        For each level but the highest, where the children of each parent begin.
    n_random : int
        Columns of the random design: 1, or 2 with a slope.
    slope_at : int
        Level of the slope from the lowest, 0; -1 without one.
    n_groups : tuple of int
        From the lowest level.
    n, p : int
        Rows and fixed effects.
    """

    total: np.ndarray
    lowest: Patterns | np.ndarray
    own: np.ndarray | None
    starts: tuple[np.ndarray, ...]
    n_random: int
    slope_at: int
    n_groups: tuple[int, ...]
    n: int
    p: int

    @property
    def n_levels(self) -> int:
        """Levels of groups."""
        return len(self.n_groups)

    def of_outcome(self, place: int) -> Sums:
        """The same statistics with one outcome only."""
        keep = np.r_[0 : self.n_random + self.p, self.n_random + self.p + place]
        total = self.total[np.ix_(keep, keep)]
        own = None if self.own is None else np.ascontiguousarray(self.own[..., keep])
        if isinstance(self.lowest, np.ndarray):
            return replace(self, total=total, own=own, lowest=np.ascontiguousarray(self.lowest[..., keep]))
        lowest = replace(
            self.lowest,
            outer=np.ascontiguousarray(self.lowest.outer[..., keep[:, None], keep]),
            cell_sums=np.ascontiguousarray(self.lowest.cell_sums[..., keep]),
        )
        return replace(self, total=total, own=own, lowest=lowest)


def sums_of(design: Design, nesting: Nesting, slope: np.ndarray | None, slope_at: int) -> Sums:
    """Read the rows once.

    Parameters
    ----------
    slope : ndarray, shape (n,), optional
        Column whose effect differs between the groups of level `slope_at`.
    """
    n = len(design.x)
    random = np.ones((n, 1)) if slope is None else np.column_stack([np.ones(n), slope])
    w = np.concatenate([random, design.x, design.y], axis=1)
    r, n_groups = random.shape[1], len(nesting.labels[0])
    rows = np.arange(n + 1)
    sums = [
        # Column i of the membership is row i's group: a product adds up rows in whatever order they come.
        sparse.csc_matrix((random[:, a], nesting.code, rows), shape=(n_groups, n)) @ w
        for a in range(r)
    ]
    each = sums[0][:, None] if r == 1 else np.stack(sums, axis=1)
    return Sums(
        total=w.T @ w,
        lowest=by_pattern(each, nesting),
        own=each if n_groups <= KEPT else None,
        starts=tuple(np.flatnonzero(np.r_[True, np.diff(parent) > 0]) for parent in nesting.parents),
        n_random=r,
        slope_at=slope_at,
        n_groups=tuple(len(label) for label in nesting.labels),
        n=n,
        p=design.x.shape[1],
    )


def by_pattern(sums: np.ndarray, nesting: Nesting) -> Patterns | np.ndarray:
    """Add groups up by pattern where that leaves less than the groups themselves."""
    n_groups, r, q = sums.shape
    code = pattern_codes(sums[:, :, :r])
    n_patterns = int(code.max()) + 1
    if n_patterns * r * r * q * q > min(LARGEST, n_groups * r * q):
        return sums
    parent = nesting.parents[0] if nesting.parents else np.zeros(n_groups, dtype=np.int64)
    key = parent * n_patterns + code
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    cells = key[order[starts]]
    outer = np.empty((n_patterns, r, r, q, q))
    for one in range(n_patterns):
        flat = sums[code == one].reshape(-1, r * q)
        outer[one] = (flat.T @ flat).reshape(r, q, r, q).transpose(0, 2, 1, 3)
    first = np.unique(code, return_index=True)[1]
    return Patterns(
        count=np.bincount(code, minlength=n_patterns),
        within=sums[first][:, :, :r],
        outer=outer,
        cell_sums=np.add.reduceat(sums[order], starts, axis=0),
        cell_pattern=cells % n_patterns,
        cell_parent=cells // n_patterns,
    )


def pattern_codes(within: np.ndarray) -> np.ndarray:
    """One code for the groups whose Z'Z is the same."""
    code = np.zeros(len(within), dtype=np.int64)
    for a in range(within.shape[1]):
        for b in range(a + 1):
            each, found = pd.factorize(within[:, a, b])
            code = pd.factorize(code * len(found) + each)[0]
    return code
