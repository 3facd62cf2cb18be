"""What each cluster adds to a regression: its cross-products, which is all that cluster-robust inference needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError

# A direction whose share of the largest falls below this is one that the columns do not span.
RANK = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterSums:
    """Cross-products by cluster of a linear model: g clusters, p columns.

    Attributes
    ----------
    names : tuple of str, length p
        Columns of the model, intercept included and called `Intercept`.
    n : ndarray, shape (g,)
        Rows.
    xx, xy : ndarray, shapes (g, p, p) and (g, p)
        X'X and X'y of each cluster.
    yy : ndarray, shape (g,)
        y'y of each cluster, weighted where there are weights.
    wxx, wxy, wwxx : ndarray, optional
        X'WX, X'Wy and X'W²X of each cluster; None without weights.
    basis : ndarray, shape (p, p), optional
        The sums are those of X @ basis; None when they are of X itself.
    clusters : pandas.Index, optional
        Label of each cluster.
    strata : ndarray, shape (g,), optional
        Stratum within which the cluster was allocated.
    n_absorbed : int
        Fixed effects taken out before the sums were made.
    weight_sum : ndarray, shape (g,), optional
        Sum of the weights; None without weights.
    """

    names: tuple[str, ...]
    n: np.ndarray
    xx: np.ndarray = field(repr=False)
    xy: np.ndarray = field(repr=False)
    yy: np.ndarray = field(repr=False)
    wxx: np.ndarray | None = field(default=None, repr=False)
    wxy: np.ndarray | None = field(default=None, repr=False)
    wwxx: np.ndarray | None = field(default=None, repr=False)
    basis: np.ndarray | None = field(default=None, repr=False)
    clusters: pd.Index | None = field(default=None, repr=False)
    strata: np.ndarray | None = field(default=None, repr=False)
    n_absorbed: int = 0
    weight_sum: np.ndarray | None = field(default=None, repr=False)

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return len(self.n)

    @property
    def weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """X'WX and X'Wy by cluster, W being the identity without weights."""
        return (self.xx, self.xy) if self.wxx is None else (self.wxx, self.wxy)

    def labels(self) -> pd.Index:
        """Label of each cluster, its number where none was given."""
        return pd.RangeIndex(self.n_clusters) if self.clusters is None else self.clusters


def sums_of_rows(
    x: np.ndarray,
    y: np.ndarray,
    code: np.ndarray,
    *,
    names: tuple[str, ...],
    weights: np.ndarray | None,
    **rest: object,
) -> ClusterSums:
    """Cross-products by cluster of rows, taken in a basis in which the columns are orthonormal so that no digit is lost.

    Parameters
    ----------
    x, y : ndarray, shapes (n, p) and (n,)
    code : ndarray of int, shape (n,)
        Cluster of each row, 0 to g - 1, none empty.
    names, weights
        As in :class:`ClusterSums`; weights of any scale.
    """
    order = slice(None) if (np.diff(code) >= 0).all() else np.argsort(code, kind="stable")
    weights = None if weights is None else weights * (len(weights) / weights.sum())
    basis = orthonormal(x.T @ (x if weights is None else x * weights[:, None]), names)
    x, y, n = (x @ basis)[order], y[order], np.bincount(code)
    edges = np.r_[0, np.cumsum(n)]
    if weights is None:
        xx, xy = products(x, x, y, edges)
        return ClusterSums(names=names, n=n, xx=xx, xy=xy, yy=np.add.reduceat(y * y, edges[:-1]), basis=basis, **rest)
    w = weights[order]
    wx = x * w[:, None]
    xx, xy = products(x, x, y, edges)
    wxx, wxy = products(wx, x, y, edges)
    return ClusterSums(
        names=names,
        n=n,
        xx=xx,
        xy=xy,
        yy=np.add.reduceat(w * y * y, edges[:-1]),
        wxx=wxx,
        wxy=wxy,
        wwxx=products(wx, wx, y, edges)[0],
        basis=basis,
        weight_sum=np.add.reduceat(w, edges[:-1]),
        **rest,
    )


def products(left: np.ndarray, right: np.ndarray, y: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left'right and left'y between consecutive edges."""
    g, p = len(edges) - 1, left.shape[1]
    squares, crosses = np.empty((g, p, p)), np.empty((g, p))
    for i, (start, stop) in enumerate(pairwise(edges)):
        part = left[start:stop].T
        squares[i], crosses[i] = part @ right[start:stop], part @ y[start:stop]
    return squares, crosses


def orthonormal(gram: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """L with L' gram L = I.

    Raises
    ------
    DesignError
        Columns that are sums of the others, by name.
    """
    scale = np.sqrt(np.diag(gram))
    if empty := [name for name, size in zip(names, scale, strict=True) if size == 0]:
        raise DesignError("cluster_robust(formula)", f"these columns are 0 in every row: {', '.join(empty)}")
    value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
    if value[0] < RANK * value[-1]:
        share = np.abs(vector[:, value < RANK * value[-1]]).max(axis=1)
        entangled = ", ".join(name for name, part in zip(names, share, strict=True) if part > 0.05)
        raise DesignError(
            "cluster_robust(formula)",
            f"columns that can be made from each other: {entangled}",
            allowed="columns of which none is a sum of others",
            remedy="leave one of them out of the formula, or put together groups without pupils",
        )
    return vector / np.sqrt(value) / scale[:, None]


def school_average(sums: ClusterSums) -> ClusterSums:
    """The same sums with every cluster weighing the same, however many rows (or how much weight) it has."""
    size = sums.n.astype(float) if sums.weight_sum is None else sums.weight_sum
    share = size.mean() / size
    wxx, wxy = sums.weighted
    wwxx = sums.xx if sums.wwxx is None else sums.wwxx
    return replace(
        sums,
        yy=sums.yy * share,
        wxx=wxx * share[:, None, None],
        wxy=wxy * share[:, None],
        wwxx=wwxx * (share**2)[:, None, None],
        weight_sum=np.full(sums.n_clusters, size.mean()),
    )


def checked_cluster_sums(sums: ClusterSums, *, where: str) -> ClusterSums:
    """Pass sums on if their shapes fit each other and every X'X is a cross-product.

    Raises
    ------
    DataError
        Shapes that do not fit, numbers that are missing, or an X'X that is not symmetric with a diagonal of at least 0.
    """
    g, p = len(sums.n), len(sums.names)
    shapes = {"xx": (g, p, p), "xy": (g, p), "yy": (g,), "wxx": (g, p, p), "wxy": (g, p), "wwxx": (g, p, p)}
    given = {name: getattr(sums, name) for name in shapes if getattr(sums, name) is not None}
    for name, array in given.items():
        if np.shape(array) != shapes[name] or not np.isfinite(array).all():
            raise DataError(f"{where}({name})", "has another shape or missing numbers", allowed=f"{shapes[name]}")
        if name.endswith("xx") and not (
            np.allclose(array, np.swapaxes(array, 1, 2)) and (np.diagonal(array, axis1=1, axis2=2) >= 0).all()
        ):
            raise DataError(f"{where}({name})", "is no cross-product", allowed="symmetric, diagonal of at least 0")
    if (np.asarray(sums.n) < 1).any():
        raise DataError(f"{where}(n)", "holds clusters without rows", allowed="at least 1 row a cluster")
    if len({name in given for name in ("wxx", "wxy", "wwxx")}) != 1:
        raise DataError(where, "holds some of the weighted sums only", allowed="all of wxx, wxy and wwxx, or none")
    return sums
