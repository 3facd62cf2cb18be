"""Placement values: what each score level contributes to the area under the curve (DeLong's structural components)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mhlib.stats.clustered import cluster_sums

Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True)
class Placements:
    """AUC with, per score level, the share of non-cases below a case and of cases above a non-case (ties half)."""

    auc: float
    of_case: np.ndarray
    of_noncase: np.ndarray


def placements(case: np.ndarray, noncase: np.ndarray) -> Placements:
    """Placement values from the counts at rising score levels, where high means ill.

    Parameters
    ----------
    case, noncase : ndarray, shape (levels,)
        Counts or sums of weights.
    """
    below = (np.cumsum(noncase) - noncase / 2) / noncase.sum()
    above = 1 - (np.cumsum(case) - case / 2) / case.sum()
    return Placements(float(case @ below / case.sum()), below, above)


def areas(case: np.ndarray, noncase: np.ndarray) -> np.ndarray:
    """AUC of each of many pairs of counts by rising score, shape (b, levels) each; NaN where a side is empty."""
    below = np.cumsum(noncase, axis=1) - noncase / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (case * below).sum(axis=1) / (case.sum(axis=1) * noncase.sum(axis=1))


def delong_variance(case: np.ndarray, noncase: np.ndarray, found: Placements) -> float:
    """Variance of the AUC, DeLong et al. (1988), from counts; NaN with a single case or non-case."""
    m, n = case.sum(), noncase.sum()
    if m <= 1 or n <= 1:
        return math.nan
    of_case = case @ (found.of_case - found.auc) ** 2 / (m - 1)
    of_noncase = noncase @ (found.of_noncase - found.auc) ** 2 / (n - 1)
    return float(of_case / m + of_noncase / n)


def influences(
    level: np.ndarray, case: np.ndarray, found: Placements, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What each row adds to the AUC as a case and as a non-case: shape (n,) each, zero for the other kind."""
    ill, well = weights * (case == 1), weights * (case == 0)
    of_case = ill * (found.of_case[level] - found.auc) / ill.sum()
    of_noncase = well * (found.of_noncase[level] - found.auc) / well.sum()
    return of_case, of_noncase


def clustered_covariance(
    of_case: np.ndarray,
    of_noncase: np.ndarray,
    case: np.ndarray,
    cluster: Cluster | None,
) -> np.ndarray:
    """Covariance of k AUCs from influences of shape (k, n), Obuchowski (1997); DeLong when every row stands alone.

    The correction g/(g-1) counts the clusters that hold a case, that hold a non-case, and all of them, each for its
    own part of the variance. NaN with fewer than two clusters of a kind.
    """
    ill = np.stack([cluster_sums(row, cluster) for row in of_case])
    well = np.stack([cluster_sums(row, cluster) for row in of_noncase])
    with_case = int((cluster_sums((case == 1).astype(float), cluster) > 0).sum())
    with_noncase = int((cluster_sums((case == 0).astype(float), cluster) > 0).sum())
    if min(with_case, with_noncase) < 2:
        return np.full((len(ill), len(ill)), math.nan)
    own = with_case / (with_case - 1) * ill @ ill.T + with_noncase / (with_noncase - 1) * well @ well.T
    if cluster is None:
        return own
    crossed = cluster[1] / (cluster[1] - 1) * ill @ well.T
    return own + crossed + crossed.T
