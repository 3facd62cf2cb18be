"""Hits and false alarms of judged vignettes, with the variance of their normal deviates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.errors import DesignError
from mhlib.stats.clustered import variance_of_total

CORRECTIONS = ("loglinear", "none")


@dataclass(frozen=True, slots=True)
class Deviates:
    """Corrected rates, their normal deviates, and the covariance of the two, shape (2, 2)."""

    hit_rate: float
    false_alarm_rate: float
    hit: float
    false_alarm: float
    covariance: np.ndarray


def corrected_rate(events: int, n: int, correction: str) -> float:
    """Share of events: log-linear (events + .5) / (n + 1), or as it is.

    Raises
    ------
    DesignError
        A share of 0 or 1 without correction, whose deviate is infinite.
    """
    rate = (events + 0.5) / (n + 1) if correction == "loglinear" else events / n
    if not 0 < rate < 1:
        raise DesignError(
            "vignette_detection", "a rate of 0 or 1 has no normal deviate", remedy="take correction='loglinear'"
        )
    return rate


def deviates_of(hits: int, cases: int, false_alarms: int, noncases: int, correction: str) -> Deviates:
    """Deviates with independent answers.

    Notes
    -----
    var z(p) = p (1 - p) / (n phi(z)²) at the corrected rate. Reference: Gourevitch & Galanter (1967) Psychometrika 32:25.
    """
    h, f = corrected_rate(hits, cases, correction), corrected_rate(false_alarms, noncases, correction)
    zh, zf = float(stats.norm.ppf(h)), float(stats.norm.ppf(f))
    variances = [p * (1 - p) / (n * stats.norm.pdf(z) ** 2) for p, n, z in ((h, cases, zh), (f, noncases, zf))]
    return Deviates(h, f, zh, zf, np.diag(variances))


def clustered_covariance(
    found: Deviates, referred: np.ndarray, case: np.ndarray, cluster: tuple[np.ndarray, int]
) -> np.ndarray | None:
    """Covariance of the two deviates from what each cluster adds; None where a rate is 0 or 1 and so adds nothing."""
    added = []
    for inside, z in ((case == 1, found.hit), (case == 0, found.false_alarm)):
        share = referred[inside].mean()
        if not 0 < share < 1:
            return None
        added.append(inside * (referred - share) / (inside.sum() * stats.norm.pdf(z)))
    hit, false_alarm, both = (variance_of_total(part, cluster) for part in (added[0], added[1], added[0] + added[1]))
    cross = (both - hit - false_alarm) / 2
    return np.array([[hit, cross], [cross, false_alarm]])


def sensitivity_and_criterion(found: Deviates) -> tuple[float, float, float, float]:
    """Sensitivity d' = z(H) - z(F) and criterion c = -(z(H) + z(F)) / 2, each with its standard error."""
    difference, mean = np.array([1.0, -1.0]), np.array([-0.5, -0.5])
    errors = [math.sqrt(max(float(row @ found.covariance @ row), 0.0)) for row in (difference, mean)]
    return found.hit - found.false_alarm, errors[0], -(found.hit + found.false_alarm) / 2, errors[1]
