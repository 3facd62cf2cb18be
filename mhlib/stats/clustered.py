"""Means of clustered or weighted rows as ratios of totals, linearised (Taylor): the engine of every cluster-robust share.

A share over a domain (sensitivity: tested positive among cases) is a ratio of two totals, so numbers of people in the
domain may differ from cluster to cluster without bias in its standard error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Share:
    """A linearised ratio: the share, its standard error, the effective rows and the degrees of freedom."""

    value: float
    std_error: float
    n: int
    df: float
    design_effect: float


def cluster_sums(values: np.ndarray, cluster: tuple[np.ndarray, int] | None) -> np.ndarray:
    """Sum per cluster, or the values themselves when every row stands alone."""
    return values if cluster is None else np.bincount(cluster[0], weights=values, minlength=cluster[1])


def variance_of_total(influence: np.ndarray, cluster: tuple[np.ndarray, int] | None) -> float:
    """Variance of a sum of independent clusters with mean zero: g / (g - 1) times the sum of squares about the mean.

    Parameters
    ----------
    influence : ndarray, shape (n,)
        What each row adds to the estimate, in the estimate's unit.
    cluster : (codes, number of clusters), optional

    Returns
    -------
    float
        NaN with fewer than two clusters.
    """
    sums = cluster_sums(influence, cluster)
    if len(sums) < 2:
        return math.nan
    return float(len(sums) / (len(sums) - 1) * ((sums - sums.mean()) ** 2).sum())


def share(
    positive: np.ndarray,
    domain: np.ndarray,
    *,
    weights: np.ndarray,
    cluster: tuple[np.ndarray, int] | None,
) -> Share:
    """Weighted share of `positive` within `domain`, with its linearised standard error.

    Parameters
    ----------
    positive, domain : ndarray of 0/1, shape (n,)
    weights : ndarray, shape (n,)
    cluster : (codes, number of clusters), optional

    Returns
    -------
    Share
        `value` is NaN when the domain is empty. `design_effect` is the variance over p(1 - p)/(n - 1), as in
        R's survey package.

    Notes
    -----
    var = g/(g-1) * sum_g (sum_i w_i d_i (y_i - p))^2 / (sum w d)^2. Reference: Woodruff (1971).
    Checked against: tests/oracle/exam.csv (survey::svymean).
    """
    total = float((weights * domain).sum())
    n = int((domain * (weights > 0)).sum())
    if total == 0:
        return Share(math.nan, math.nan, 0, math.nan, math.nan)
    value = float((weights * domain * positive).sum() / total)
    variance = variance_of_total(weights * domain * (positive - value) / total, cluster)
    simple = value * (1 - value) / (n - 1) if n > 1 else 0.0
    df = math.inf if cluster is None else cluster[1] - 1
    return Share(value, math.sqrt(variance), n, df, variance / simple if simple > 0 else math.nan)
