"""Rows of a nested model cut, cluster by cluster, into the directions in which its covariance acts apart.

In units of the residual variance V = I + sum over levels of theta² ZZ'. Within a lowest group V is 1; between lowest groups of
one size n and one parent it is 1 + theta² n; only the sums of such cells (a parent and a size) are tied to one another. A
cluster of thousands of rows so becomes a few dozen coordinates, and nothing is lost: V, the columns and every power of
V² - UU' (U made of the columns) stay within their span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from mhlib.errors import DesignError
from mhlib.stats.effects.nested_groups import Nesting

# Cells of one cluster: an eigenproblem of this size takes some seconds.
MOST_CELLS = 3_000
# Numbers of a batch of clusters that are worked on at once.
BATCH = 4_000_000
# Directions of the columns with less than this share of their largest square are rounding.
EMPTY = 1e-13


@dataclass(frozen=True, slots=True)
class Block:
    """Clusters alike in shape, b of them, in d coordinates of which the last c are cells.

    Attributes
    ----------
    place : ndarray of int, shape (b,)
        Which clusters.
    x, e : ndarray, shape (b, d, p) and (b, d)
        Columns and residuals.
    plain : ndarray, shape (b, d - c)
        V of the coordinates that stand alone.
    cells : ndarray, shape (b, c, c)
        V of the cells.
    """

    place: np.ndarray
    x: np.ndarray = field(repr=False)
    e: np.ndarray = field(repr=False)
    plain: np.ndarray = field(repr=False)
    cells: np.ndarray = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cells:
    """Lowest groups of one parent and one size taken together.

    Attributes
    ----------
    size, count : ndarray of int, shape (k,)
        Rows of a group, and groups.
    sums : ndarray, shape (k, q)
    cluster : ndarray of int, shape (k,)
    above : tuple of ndarray
        The cell's group at each level above the lowest.
    """

    size: np.ndarray
    count: np.ndarray
    sums: np.ndarray
    cluster: np.ndarray
    above: tuple[np.ndarray, ...]


def blocks_of(w: np.ndarray, nesting: Nesting, cluster: np.ndarray, theta: np.ndarray) -> Iterator[Block]:
    """Cut the rows.

    Parameters
    ----------
    w : ndarray, shape (n, p + 1)
        Columns, then residuals.
    nesting : Nesting
        With the place of each row.
    cluster : ndarray of int, shape (groups,)
        Cluster of each lowest group, from 0.
    theta : ndarray, shape (levels,)
        Standard deviation of each level over the residual one, from the lowest.

    Raises
    ------
    DesignError
        A cluster of more than 3,000 cells.
    """
    n_groups, n_clusters = len(nesting.labels[0]), int(cluster.max()) + 1
    size = nesting.counts[0]
    member = sparse.csc_matrix((np.ones(len(w)), nesting.code, np.arange(len(w) + 1)), shape=(n_groups, len(w)))
    sums = member @ w
    within = products(w - (sums / size[:, None])[nesting.code], cluster[nesting.code], n_clusters)
    cells, cell = cells_of(sums, nesting, cluster)
    demand_few(np.bincount(cells.cluster, minlength=n_clusters))
    contrasts, their_cluster, their_size = between(sums, cells, cell)
    own = np.argsort(their_cluster, kind="stable")
    n_own, n_cells = (np.bincount(code, minlength=n_clusters) for code in (their_cluster, cells.cluster))
    first_own, first_cell = (np.r_[0, np.cumsum(n)[:-1]] for n in (n_own, n_cells))
    shape = n_own * (MOST_CELLS + 1) + n_cells
    for one in np.unique(shape):
        every = np.flatnonzero(shape == one)
        a, c = int(n_own[every[0]]), int(n_cells[every[0]])
        d = (1 + a) * (w.shape[1] - 1) + c
        for place in np.array_split(every, max(1, -(-len(every) * d * (d + w.shape[1]) // BATCH))):
            mine = own[first_own[place][:, None] + np.arange(a)]
            at = first_cell[place][:, None] + np.arange(c)
            yield block(place, within[place], contrasts[mine], their_size[mine], cells, at, theta)


def products(w: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
    """W'W of the rows of each code, shape (n, q, q)."""
    order = np.argsort(code, kind="stable")
    w, ends = w[order], np.cumsum(np.bincount(code, minlength=n))
    found = np.empty((n, w.shape[1], w.shape[1]))
    for i, (start, end) in enumerate(zip(np.r_[0, ends][:n], ends, strict=True)):
        found[i] = w[start:end].T @ w[start:end]
    return found


def cells_of(sums: np.ndarray, nesting: Nesting, cluster: np.ndarray) -> tuple[Cells, np.ndarray]:
    """Cells in the order of their clusters, and the cell of each lowest group."""
    size = nesting.counts[0]
    parent = nesting.parents[0] if nesting.parents else cluster
    key = (cluster.astype(np.int64) * (int(parent.max()) + 1) + parent) * (int(size.max()) + 1) + size
    _, first, cell, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    added = np.zeros((len(first), sums.shape[1]))
    np.add.at(added, cell, sums)
    above, group = [], np.arange(len(size))[first]
    for upper in nesting.parents:
        group = upper[group]
        above.append(group)
    return Cells(size[first], count, added, cluster[first], tuple(above)), cell


def demand_few(n_cells: np.ndarray) -> None:
    """No cluster has more cells than an eigenproblem can take."""
    if n_cells.max() > MOST_CELLS:
        raise DesignError(
            "mixed_cluster_robust(cluster)",
            f"a cluster holds {int(n_cells.max()):,} different groups",
            allowed=f"at most {MOST_CELLS:,} pairs of a group and a number of rows",
            remedy="leave the lowest level out of the model, or use cluster_robust",
        )


def between(sums: np.ndarray, cells: Cells, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W'W between lowest groups of one size, cells taken out: by cluster and size, with their cluster and size."""
    several = np.flatnonzero((cells.count > 1)[cell])
    key = cells.cluster[cell[several]].astype(np.int64) * (int(cells.size.max()) + 1) + cells.size[cell[several]]
    found, code = np.unique(key, return_inverse=True)
    mine = cell[several]
    spread = (sums[several] - (cells.sums / cells.count[:, None])[mine]) / np.sqrt(cells.size[mine])[:, None]
    cluster, size = np.divmod(found, int(cells.size.max()) + 1)
    return products(spread, code, len(found)), cluster, size


def block(
    place: np.ndarray,
    within: np.ndarray,
    contrasts: np.ndarray,
    sizes: np.ndarray,
    cells: Cells,
    at: np.ndarray,
    theta: np.ndarray,
) -> Block:
    """Coordinates of some clusters: within groups, between groups by size, cells."""
    b, p = len(place), within.shape[1] - 1
    each = np.concatenate([within[:, None], contrasts], axis=1)
    x, e = coordinates(each)
    rows = cells.size[at] * cells.count[at]
    normed = cells.sums[at] / np.sqrt(rows)[:, :, None]
    alone = np.concatenate([np.ones((b, 1)), 1 + theta[0] ** 2 * sizes], axis=1)
    tied = np.eye(at.shape[1]) * (1 + theta[0] ** 2 * cells.size[at])[:, None, :]
    for factor, group in zip(theta[1:], cells.above, strict=True):
        same = group[at][:, :, None] == group[at][:, None, :]
        tied = tied + factor**2 * same * np.sqrt(rows[:, :, None] * rows[:, None, :])
    return Block(
        place=place,
        x=np.concatenate([x.reshape(b, -1, p), normed[..., :p]], axis=1),
        e=np.concatenate([e.reshape(b, -1), normed[..., p]], axis=1),
        plain=np.repeat(alone, p, axis=1),
        cells=tied,
    )


def coordinates(cross: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns in an orthonormal basis of their own span, and the residual there, from [X e]'[X e]."""
    p = cross.shape[-1] - 1
    value, vector = np.linalg.eigh(cross[..., :p, :p])
    kept = value > EMPTY * np.maximum(value[..., -1:], 1e-300)
    length = np.sqrt(np.where(kept, value, 0.0))
    back = np.swapaxes(vector, -1, -2)
    residual = np.einsum("...ij,...j->...i", back, cross[..., :p, p]) / np.where(kept, length, np.inf)
    return length[..., :, None] * back, residual
