"""Logistic recalibration of a risk from cells of equal risk: the fit behind intercept and slope, and its errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from mhlib.errors import DesignError
from mhlib.stats.clustered import cluster_sums

Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True)
class RiskCells:
    """People put together by risk and outcome.

    Attributes
    ----------
    risk : ndarray, shape (levels,)
        Rising distinct risks.
    case, noncase : ndarray, shape (levels,)
        (Weighted) number of each kind at each risk.
    rows : ndarray, shape (levels,)
        People at each risk.
    place : ndarray, shape (n,), or None
        2 * level + case of each person; None when only counts were given.
    weight : ndarray, shape (n,), or None
        None when every person counts once.
    cluster : (codes, number), or None
    """

    risk: np.ndarray
    case: np.ndarray
    noncase: np.ndarray
    rows: np.ndarray
    place: np.ndarray | None = None
    weight: np.ndarray | None = None
    cluster: Cluster | None = None

    @property
    def plain(self) -> bool:
        """Whether people are independent and count once."""
        return self.weight is None and self.cluster is None

    @property
    def total(self) -> np.ndarray:
        """(Weighted) number at each risk."""
        return self.case + self.noncase

    def covariance(self, of_noncase: np.ndarray, of_case: np.ndarray) -> np.ndarray:
        """Covariance of k totals from what a person of each cell adds to them, shape (k, levels) each, mean zero."""
        n = self.rows.sum()
        if self.plain:
            return (of_noncase * self.noncase @ of_noncase.T + of_case * self.case @ of_case.T) * n / (n - 1)
        cells = np.stack([of_noncase, of_case], axis=2).reshape(len(of_case), -1)
        weight = 1.0 if self.weight is None else self.weight
        sums = np.stack([cluster_sums(row[self.place] * weight, self.cluster) for row in cells])
        centred = sums - sums.mean(axis=1, keepdims=True)
        return centred @ centred.T * sums.shape[1] / (sums.shape[1] - 1)


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Coefficients, their covariance, and the log-likelihood."""

    coefficients: np.ndarray
    covariance: np.ndarray
    log_likelihood: float


def recalibrate(cells: RiskCells, logit: np.ndarray, *, slope: bool) -> Recalibration:
    """Fit case ~ intercept + slope * logit risk, or with the slope held at 1 (an offset).

    The covariance is the inverse information for independent people, and the sandwich for weights or clusters.

    Raises
    ------
    DesignError
        A fit that does not settle: the risk separates cases from non-cases.
    """
    design = np.stack([np.ones(len(logit)), logit]) if slope else np.ones((1, len(logit)))
    offset = np.zeros(len(logit)) if slope else logit
    beta = np.array([0.0, 1.0]) if slope else np.zeros(1)
    for _ in range(100):
        mean = expit(offset + beta @ design)
        information = design * (cells.total * mean * (1 - mean)) @ design.T
        score = design @ (cells.case - cells.total * mean)
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            break
        beta = beta + step
        if not np.isfinite(beta).all() or np.abs(beta).max() > 1e3:
            break
        if np.abs(step).max() < 1e-12 * (1 + np.abs(beta).max()):
            return settled(cells, design, offset, beta)
    raise DesignError(
        "calibration",
        "the recalibration does not settle",
        allowed="cases and non-cases that overlap in risk, and more than one distinct risk",
        remedy="collect more cases, or look at the score's two-by-two table",
    )


def settled(cells: RiskCells, design: np.ndarray, offset: np.ndarray, beta: np.ndarray) -> Recalibration:
    """Covariance and log-likelihood at the coefficients found."""
    linear = offset + beta @ design
    mean = expit(linear)
    bread = np.linalg.inv(design * (cells.total * mean * (1 - mean)) @ design.T)
    covariance = bread if cells.plain else cells.covariance(bread @ (design * -mean), bread @ (design * (1 - mean)))
    return Recalibration(beta, covariance, likelihood(cells, linear))


def likelihood(cells: RiskCells, linear: np.ndarray) -> float:
    """Bernoulli log-likelihood at a linear predictor."""
    return float(cells.case @ log_expit(linear) + cells.noncase @ log_expit(-linear))
