"""Thresholds, polychoric correlations and their asymptotic covariance for each group, computed once and reused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DesignError
from mhlib.stats.measurement.ordinal_codes import OrdinalCodes
from mhlib.stats.measurement.polychoric_fit import fit_polychoric
from mhlib.stats.measurement.polychoric_gamma import gamma_diagonal, gamma_matrix, influence
from mhlib.stats.measurement.polychoric_tables import ItemTables, item_tables

# lavaan's default: half a person into the empty cell of a 2 x 2 table, nothing into larger tables.
ZERO_ADD = (0.5, 0.0)


@dataclass(frozen=True, slots=True)
class OrdinalMoments:
    """Moments of one group.

    Attributes
    ----------
    values : numpy.ndarray, shape (q,)
        Thresholds item by item, then correlations in the order of ``numpy.triu_indices(k, 1)``.
    weights : numpy.ndarray, shape (q,)
        Diagonal of N times their asymptotic covariance.
    gamma : numpy.ndarray, shape (q, q), or None
        All of it; None when only tables were given.
    n : int
    n_categories : numpy.ndarray, shape (k,)
    tables : ItemTables or None
        What they come from.
    at_bound : numpy.ndarray of bool, shape (pairs,), or None
        Correlations that ran to +-.999.
    """

    values: np.ndarray
    weights: np.ndarray
    gamma: np.ndarray | None
    n: int
    n_categories: np.ndarray
    tables: ItemTables | None = None
    at_bound: np.ndarray | None = None

    @property
    def k(self) -> int:
        """Number of items."""
        return len(self.n_categories)

    @property
    def n_thresholds(self) -> int:
        """Number of thresholds of all items."""
        return len(self.values) - self.k * (self.k - 1) // 2

    @property
    def correlation(self) -> np.ndarray:
        """Polychoric correlations, shape (k, k)."""
        return symmetric(self.values[self.n_thresholds :], self.k)


def symmetric(upper: np.ndarray, k: int) -> np.ndarray:
    """Matrix with unit diagonal from its upper part, row by row."""
    matrix = np.eye(k)
    matrix[np.triu_indices(k, 1)] = upper
    return np.triu(matrix) + np.triu(matrix, 1).T


def moments_from_tables(
    tables: ItemTables,
    *,
    codes: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    zero_add: tuple[float, float] = ZERO_ADD,
) -> OrdinalMoments:
    """Moments from tables; with the rows' codes also the whole of gamma, by cluster when given.

    The weights never know of clusters: estimates are the same with and without.
    """
    fit = fit_polychoric(tables, zero_add)
    found = influence(tables, fit)
    inner = fit.thresholds[:, 1:-1]
    exists = np.arange(1, tables.counts.shape[1])[None, :] < tables.n_categories[:, None]
    values = np.concatenate([inner[exists], fit.rho])
    gamma = None if codes is None else gamma_matrix(codes, found, cluster)
    weights = gamma_diagonal(tables, found) if gamma is None or cluster is not None else np.diag(gamma).copy()
    return OrdinalMoments(values, weights, gamma, tables.n, tables.n_categories, tables, fit.at_bound)


def moments_by_group(
    coded: OrdinalCodes,
    *,
    full: bool = True,
    cluster: np.ndarray | None = None,
    zero_add: tuple[float, float] = ZERO_ADD,
    where: str,
) -> tuple[OrdinalMoments, ...]:
    """Moments of every group, in the order of `coded.groups`.

    Raises
    ------
    DesignError
        Two items that nobody answered both; a cluster with people in several groups.
    """
    found = []
    if cluster is not None:
        demand_nested(cluster, coded.group, where=where)
    for index in range(len(coded.groups)):
        codes = coded.of_group(index)
        tables = item_tables(codes, coded.n_categories)
        demand_common_answers(tables, coded.names, where=where)
        own = None if cluster is None else np.unique(cluster[coded.group == index], return_inverse=True)[1]
        found.append(moments_from_tables(tables, codes=codes if full else None, cluster=own, zero_add=zero_add))
    return tuple(found)


def demand_common_answers(tables: ItemTables, names: tuple[str, ...], *, where: str) -> None:
    """Stop at two items that nobody answered both (pairwise) or of which one is flat there."""
    first, second = tables.pairs
    rows, columns = (tables.tables.sum(axis=axis) > 0 for axis in (2, 1))
    empty = np.flatnonzero((rows.sum(axis=1) < 2) | (columns.sum(axis=1) < 2))
    if len(empty):
        pair = f"{names[first[empty[0]]]} and {names[second[empty[0]]]}"
        raise DesignError(
            where, f"too few people answered both {pair} to correlate them", remedy="leave one of the items out"
        )


def demand_nested(cluster: np.ndarray, group: np.ndarray, *, where: str) -> None:
    """Stop when a cluster has people in several groups: then groups are not independent, as the model takes them."""
    pairs = np.unique(np.stack([cluster, group]), axis=1)[0]
    if n_split := len(pairs) - len(np.unique(pairs)):
        raise DesignError(
            f"{where}(cluster)",
            f"{n_split} clusters have people in more than one group",
            allowed="every cluster within one group",
            remedy="fit the groups apart, or leave `cluster` out and say so",
        )
