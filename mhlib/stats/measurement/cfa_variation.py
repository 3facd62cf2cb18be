"""How the sample's means and covariances vary: by their fourth moments, person by person, or by cluster totals.

Three ways to the same numbers. Fourth moments cost one pass, whatever number of models reuses them, but their table has
(k^2/2)^2 cells; with many items each model passes over the rows instead, and needs no such table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mhlib.stats.measurement.cfa_likelihood import Point, shares
from mhlib.stats.measurement.cfa_matrices import Structure, directions
from mhlib.stats.measurement.cfa_moments import BLOCK, Moments, Rows
from mhlib.stats.measurement.cfa_robust import Variation, score_map

# Moments of 30 items are 495; with more, their products are a larger table than a model needs.
MOST_MOMENTS = 500
# Numbers a block may hold.
ROOM = 2_000_000


def variation_of(rows: Rows, moments: Moments, cluster: tuple[np.ndarray, int] | None = None) -> Variation:
    """The cheapest way to the variation of these rows.

    Parameters
    ----------
    rows : Rows
    moments : Moments
        Of these rows.
    cluster : (codes of the complete rows, number of clusters), optional
    """
    k = moments.mean.shape[1]
    if cluster is not None:
        return cluster_variation(rows, moments, cluster)
    return Casewise(rows) if k + k * (k + 1) // 2 > MOST_MOMENTS else fourth_moments(rows, moments)


@dataclass(frozen=True, slots=True)
class FourthMoments:
    """Fourth moments of K = k + k(k + 1)/2 deviations and products; data only, so any model may reuse them.

    Attributes
    ----------
    gamma : ndarray, shape (g, K, K)
        n times the covariance of (means, vech of the covariance).
    """

    gamma: np.ndarray

    @property
    def n_clusters(self) -> None:
        """People are independent."""
        return None

    def saturated_trace(self, moments: Moments, has_means: bool) -> float:
        """tr(A1 Gamma) over groups."""
        first = 0 if has_means else moments.mean.shape[1]
        return float((saturated_information(moments) * self.gamma)[:, first:, first:].sum())

    def spreads(self, moments: Moments) -> np.ndarray:
        """Diagonal of Gamma for means, then variances, shape (g, 2k)."""
        return np.diagonal(self.gamma, axis1=1, axis2=2)[:, means_and_variances(moments)]

    def score_products(self, built: Structure, moments: Moments, point: Point) -> np.ndarray:
        """Mean product of people's scores, shape (q, q)."""
        slopes, constant = score_map(built, moments, point)
        within = np.swapaxes(slopes, 1, 2) @ self.gamma @ slopes + constant[:, :, None] * constant[:, None, :]
        return np.tensordot(shares(moments), within, axes=1)


def fourth_moments(rows: Rows, moments: Moments) -> FourthMoments:
    """One pass over blocks of rows."""
    product = 0.0
    for group, z, _ in blocks_of_products(rows, moments):
        if np.isscalar(product):
            product = np.zeros((len(moments.n), len(z), len(z)))
        product[group] += z @ z.T
    return FourthMoments(product / moments.n[:, None, None])


@dataclass(frozen=True, slots=True)
class ClusterTotals:
    """Totals of deviations and products by cluster and group: clusters, not people, are independent.

    Attributes
    ----------
    sums : ndarray, shape (c, g, K)
        Of (z, vech z z' - vech S), z the item minus its group's mean, times the root of c / (c - 1).
    counts : ndarray, shape (c, g)
        People, times the same.
    """

    sums: np.ndarray
    counts: np.ndarray

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return len(self.sums)

    def saturated_trace(self, moments: Moments, has_means: bool) -> float:
        """tr(A1 Gamma) over groups: of each cluster m' S^-1 m + tr(S^-1 Z S^-1 Z) / 2, Z its totals as a matrix."""
        k = moments.mean.shape[1]
        i, j = np.triu_indices(k)
        total = 0.0
        for g, inverse in enumerate(np.linalg.inv(moments.cov)):
            square = np.zeros((len(self.sums), k, k))
            square[:, i, j] = square[:, j, i] = self.sums[:, g, k:]
            turned = inverse @ square
            own = (turned * np.swapaxes(turned, 1, 2)).sum() / 2
            if has_means:
                own += ((self.sums[:, g, :k] @ inverse) * self.sums[:, g, :k]).sum()
            total += float(own / moments.n[g])
        return total

    def spreads(self, moments: Moments) -> np.ndarray:
        """Diagonal of Gamma for means, then variances, shape (g, 2k)."""
        return (self.sums[:, :, means_and_variances(moments)] ** 2).sum(axis=0) / moments.n[:, None]

    def score_products(self, built: Structure, moments: Moments, point: Point) -> np.ndarray:
        """Mean product of clusters' total scores, shape (q, q)."""
        slopes, constant = score_map(built, moments, point)
        scores = np.tensordot(self.sums, slopes, axes=2) + self.counts @ constant
        return scores.T @ scores / moments.n.sum()


def cluster_variation(rows: Rows, moments: Moments, cluster: tuple[np.ndarray, int]) -> ClusterTotals:
    """One pass over blocks of rows, the c - 1 of a variance between clusters as lavaan has it."""
    code, n_clusters = cluster
    g, k = moments.mean.shape
    sums, counts = np.zeros((n_clusters, g, k + k * (k + 1) // 2)), np.zeros((n_clusters, g))
    for group, z, at in blocks_of_products(rows, moments):
        sums[:, group] += cluster_totals(z, code[at], n_clusters)
    np.add.at(counts, (code, rows.code), 1.0)
    scale = math.sqrt(n_clusters / (n_clusters - 1))
    return ClusterTotals(scale * sums, scale * counts)


@dataclass(frozen=True, slots=True)
class Casewise:
    """The rows themselves: scores person by person, for more items than a table of fourth moments can hold."""

    rows: Rows

    @property
    def n_clusters(self) -> None:
        """People are independent."""
        return None

    def saturated_trace(self, moments: Moments, has_means: bool) -> float:
        """tr(A1 Gamma) over groups by Mahalanobis distances d^2: the mean of (d^4 - 2 d^2 + k) / 2, and of d^2 for means."""
        k, total = moments.mean.shape[1], np.zeros(len(moments.n))
        inverse = np.linalg.inv(moments.cov)
        for group, values, _ in blocks(self.rows, len(moments.n), k):
            z = values - moments.mean[group]
            distance = ((z @ inverse[group]) * z).sum(axis=1)
            total[group] += (distance**2 / 2 - distance + k / 2 + (distance if has_means else 0)).sum()
        return float((total / moments.n).sum())

    def spreads(self, moments: Moments) -> np.ndarray:
        """Diagonal of Gamma for means, then variances, shape (g, 2k)."""
        g, k = moments.mean.shape
        fourth, variance = np.zeros((g, k)), np.diagonal(moments.cov, axis1=1, axis2=2)
        for group, values, _ in blocks(self.rows, g, k):
            fourth[group] += ((values - moments.mean[group]) ** 4).sum(axis=0)
        return np.concatenate([variance, fourth / moments.n[:, None] - variance**2], axis=1)

    def score_products(self, built: Structure, moments: Moments, point: Point) -> np.ndarray:
        """Mean product of people's scores, shape (q, q)."""
        way = directions(built, point.at)
        mu, mv, mw = (point.inverse @ part for part in (way.u, way.v, way.w))
        level = (way.u * mv).sum(axis=1)
        centre = moments.mean - point.gap
        meat = np.zeros((built.n_free, built.n_free))
        for group, values, _ in blocks(self.rows, len(moments.n), max(mu.shape[2], 1)):
            y = values - centre[group]
            free = way.index[group]
            own = np.unique(free[free >= 0])
            gathers = (free[:, None] == own).astype(float)
            scores = ((y @ mu[group]) * (y @ mv[group]) - level[group] + y @ mw[group]) @ gathers
            meat[np.ix_(own, own)] += scores.T @ scores
        return meat / moments.n.sum()


def blocks(rows: Rows, g: int, width: int):
    """Group, rows and their places, block by block; `width` numbers a row are to be held."""
    step = max(256, min(BLOCK, ROOM // width))
    for begin in range(0, len(rows.values), step):
        values, code = rows.values[begin : begin + step], rows.code[begin : begin + step]
        for group in range(g):
            mine = np.arange(len(code)) if g == 1 else np.flatnonzero(code == group)
            yield group, values if g == 1 else values[mine], begin + mine


def blocks_of_products(rows: Rows, moments: Moments):
    """Group, products (shape (K, rows)) and places of the rows, block by block; each block overwrites the one before."""
    g, k = moments.mean.shape
    i, j = np.triu_indices(k)
    room = np.empty((k + len(i), max(256, min(BLOCK, ROOM // (k + len(i))))))
    for group, values, at in blocks(rows, g, k + len(i)):
        yield group, products(values, moments.mean[group], moments.cov[group][i, j], room), at


def means_and_variances(moments: Moments) -> np.ndarray:
    """Places of the means and the variances among the K moments."""
    k = moments.mean.shape[1]
    i, j = np.triu_indices(k)
    return np.concatenate([np.arange(k), k + np.flatnonzero(i == j)])


def products(values: np.ndarray, mean: np.ndarray, level: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Deviations and their products less the covariance, shape (K, rows): a row a moment, so that memory is read in line."""
    k, n = values.shape[1], len(values)
    z = room[:, :n]
    np.subtract(values.T, mean[:, None], out=z[:k])
    at = k
    for item in range(k):
        np.multiply(z[item], z[item:k], out=z[at : at + k - item])
        at += k - item
    z[k:] -= level[:, None]
    return z


def cluster_totals(z: np.ndarray, code: np.ndarray, n_clusters: int) -> np.ndarray:
    """Totals of the columns by cluster, shape (n_clusters, K)."""
    member = sparse.csr_array((np.ones(len(code)), code, np.arange(len(code) + 1)), shape=(len(code), n_clusters))
    return member.T @ z.T


def saturated_information(moments: Moments) -> np.ndarray:
    """Information of means and covariances of the saturated model per person of a group, shape (g, K, K)."""
    inverse = np.linalg.inv(moments.cov)
    g, k = moments.mean.shape
    i, j = np.triu_indices(k)
    half = np.where(i == j, 0.5, 1.0)
    pairs = inverse[:, i][:, :, i] * inverse[:, j][:, :, j] + inverse[:, i][:, :, j] * inverse[:, j][:, :, i]
    total = np.zeros((g, k + len(i), k + len(i)))
    total[:, :k, :k] = inverse
    total[:, k:, k:] = pairs * half * half[:, None]
    return total
