"""Robust (MLR) standard errors and scaling: one pass over the rows for their fourth moments, then algebra without rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mhlib.stats.measurement.cfa_likelihood import Point, observed_information
from mhlib.stats.measurement.cfa_matrices import Structure, directions, to_parameters
from mhlib.stats.measurement.cfa_moments import Moments


class Variation(Protocol):
    """How much the sample's means and covariances vary, for people alone or by cluster (see cfa_variation)."""

    @property
    def n_clusters(self) -> int | None:
        """Clusters, None when people are independent."""

    def saturated_trace(self, moments: Moments, has_means: bool) -> float:
        """tr(A1 Gamma) over groups, A1 the information of the saturated model."""

    def spreads(self, moments: Moments) -> np.ndarray:
        """Diagonal of Gamma for means, then variances, shape (g, 2k)."""

    def score_products(self, built: Structure, moments: Moments, point: Point) -> np.ndarray:
        """Mean product of the scores of people (or of clusters' totals), shape (q, q)."""


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
    built: Structure, moments: Moments, point: Point, variation: Variation, df: int, baseline_df: int
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
    meat = variation.score_products(built, moments, point)
    total = variation.saturated_trace(moments, built.has_means)
    base = total - baseline_trace(moments, variation, built.has_means)
    return Robust(
        inverse @ meat @ inverse / moments.n.sum(),
        (total - float((meat * inverse).sum())) / df if df > 0 else math.nan,
        base / baseline_df if baseline_df > 0 else math.nan,
    )


def baseline_trace(moments: Moments, variation: Variation, has_means: bool) -> float:
    """tr(B A^-1) of the independence model, whose information is diagonal: 1/s for a mean, 1/(2 s^2) for a variance."""
    variance = np.diagonal(moments.cov, axis1=1, axis2=2)
    information = np.concatenate([1 / variance, 1 / (2 * variance**2)], axis=1)
    first = 0 if has_means else variance.shape[1]
    return float((information * variation.spreads(moments))[:, first:].sum())


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
