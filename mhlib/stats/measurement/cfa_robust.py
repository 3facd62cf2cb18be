"""Robust (MLR) standard errors and scaling: one pass over the rows for their fourth moments, then algebra without rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mhlib.stats.measurement.cfa_likelihood import Point, observed_information, shares
from mhlib.stats.measurement.cfa_matrices import Structure, directions, to_parameters
from mhlib.stats.measurement.cfa_moments import BLOCK, Moments, Rows


@dataclass(frozen=True, slots=True)
class FourthMoments:
    """How the sample's means and covariances vary, K = k + k(k + 1)/2 of them; data only, so any model may reuse it.

    Attributes
    ----------
    gamma : ndarray, shape (g, K, K)
        n times the covariance of (means, vech of the covariance), by cluster when clusters are given.
    sums : ndarray, shape (c, g, K), or None
        Totals of (z, vech z z' - vech S) by cluster and group, z the item minus its group's mean, times the root of
        c / (c - 1).
    counts : ndarray, shape (c, g), or None
        People by cluster and group, times the same.
    """

    gamma: np.ndarray
    sums: np.ndarray | None = None
    counts: np.ndarray | None = None

    @property
    def n_clusters(self) -> int | None:
        """Clusters, None when people are independent."""
        return None if self.sums is None else len(self.sums)


def fourth_moments(rows: Rows, moments: Moments, cluster: tuple[np.ndarray, int] | None = None) -> FourthMoments:
    """One pass over blocks of rows.

    Parameters
    ----------
    rows : Rows
    moments : Moments
        Of these rows.
    cluster : (codes of the complete rows, number of clusters), optional
    """
    g, k = moments.mean.shape
    i, j = np.triu_indices(k)
    size = k + len(i)
    product = np.zeros((g, size, size))
    sums = None if cluster is None else np.zeros((cluster[1], g, size))
    room = np.empty((size, BLOCK))
    for begin in range(0, len(rows.values), BLOCK):
        values, code = rows.values[begin : begin + BLOCK], rows.code[begin : begin + BLOCK]
        for group in range(g):
            mine = slice(None) if g == 1 else np.flatnonzero(code == group)
            z = products(values[mine], moments.mean[group], moments.cov[group][i, j], room)
            if sums is None:
                product[group] += z @ z.T
            else:
                sums[:, group] += cluster_totals(z, cluster[0][begin : begin + BLOCK][mine], cluster[1])
    if sums is None:
        return FourthMoments(product / moments.n[:, None, None])
    # Clusters, not people, are independent: the c - 1 of a variance between them, as lavaan has it.
    sums *= math.sqrt(cluster[1] / (cluster[1] - 1))
    gamma = np.einsum("cgi,cgj->gij", sums, sums, optimize=True) / moments.n[:, None, None]
    counts = np.zeros((cluster[1], g))
    np.add.at(counts, (cluster[0], rows.code), math.sqrt(cluster[1] / (cluster[1] - 1)))
    return FourthMoments(gamma, sums, counts)


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


@dataclass(frozen=True, slots=True)
class Robust:
    """Sandwich covariance of the parameters (for N people) and the scaling factors of chi2.

    Attributes
    ----------
    covariance : ndarray, shape (q, q)
    scaling, baseline_scaling : float
        Yuan & Bentler (2000) in Mplus' form; NaN without degrees of freedom.
    """

    covariance: np.ndarray
    scaling: float
    baseline_scaling: float


def robust(
    built: Structure, moments: Moments, point: Point, fourth: FourthMoments, df: int, baseline_df: int
) -> Robust | None:
    """Sandwich and scaling at the optimum; None when the observed information cannot be inverted.

    Notes
    -----
    Covariance A^-1 B A^-1 / N, A the observed information and B the mean product of each person's (or cluster's) scores
    at the fitted moments. Scaling (tr(A1 Gamma) - tr(B A^-1)) / df, A1 the information of the saturated model.
    """
    curved = observed_information(built, moments, point)
    if np.linalg.eigvalsh(curved)[0] <= 0:
        return None
    inverse = np.linalg.inv(curved)
    meat = score_products(built, moments, point, fourth)
    first = 0 if built.has_means else moments.mean.shape[1]
    total = float((saturated_information(moments) * fourth.gamma)[:, first:, first:].sum())
    return Robust(
        inverse @ meat @ inverse / moments.n.sum(),
        (total - float((meat * inverse).sum())) / df if df > 0 else math.nan,
        (total - baseline_trace(moments, fourth, first)) / baseline_df if baseline_df > 0 else math.nan,
    )


def baseline_trace(moments: Moments, fourth: FourthMoments, first: int) -> float:
    """tr(B A^-1) of the independence model, whose information is diagonal: 1/s for a mean, 1/(2 s^2) for a variance."""
    variance = np.diagonal(moments.cov, axis1=1, axis2=2)
    information = np.concatenate([1 / variance, 1 / (2 * variance**2)], axis=1)
    i, j = np.triu_indices(moments.mean.shape[1])
    kept = np.concatenate([np.ones(moments.mean.shape[1], dtype=bool), i == j])
    spread = np.diagonal(fourth.gamma, axis1=1, axis2=2)[:, kept]
    return float((information * spread)[:, first:].sum())


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


def score_map(built: Structure, moments: Moments, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """A person's score as a linear function of (z, vech z z' - vech S): slopes (g, K, q) and constants (g, q)."""
    way = directions(built, point.at)
    mu, mv = point.inverse @ way.u, point.inverse @ way.v
    i, j = np.triu_indices(mu.shape[1])
    half = np.where(i == j, 0.5, 1.0)[:, None]
    gap = point.gap[:, None, :]
    level = point.inverse @ way.w + mu * (gap @ mv) + mv * (gap @ mu)
    slopes = np.concatenate([level, half * (mu[:, i] * mv[:, j] + mu[:, j] * mv[:, i])], axis=1)
    spread = moments.cov + point.gap[:, :, None] * point.gap[:, None, :] - point.sigma
    constant = (mu * (spread @ mv)).sum(axis=1) + (gap @ (point.inverse @ way.w))[:, 0]
    return (
        to_parameters(slopes, way.index, built.n_free),
        to_parameters(constant, way.index, built.n_free),
    )


def score_products(built: Structure, moments: Moments, point: Point, fourth: FourthMoments) -> np.ndarray:
    """Mean product of the scores of people (or of clusters' totals), shape (q, q)."""
    slopes, constant = score_map(built, moments, point)
    if fourth.sums is not None:
        scores = np.tensordot(fourth.sums, slopes, axes=2) + fourth.counts @ constant
        return scores.T @ scores / moments.n.sum()
    within = np.swapaxes(slopes, 1, 2) @ fourth.gamma @ slopes + constant[:, :, None] * constant[:, None, :]
    return np.tensordot(shares(moments), within, axes=1)
