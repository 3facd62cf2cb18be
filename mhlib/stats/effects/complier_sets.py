"""The Anderson-Rubin set: every effect that the reduced form does not reject, right however weak the offer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FirstAndReduced:
    """What assignment does to the outcome and to uptake, and the joint covariance of the two by cluster scores.

    Attributes
    ----------
    reduced, first : float
        Effects of the offer on outcome and uptake.
    variance_reduced, covariance, variance_first : float
    df : float
        Satterthwaite's, of the coefficient of assignment; the same for both, and for each sum of them.
    """

    reduced: float
    first: float
    variance_reduced: float
    covariance: float
    variance_first: float
    df: float

    def variance_at(self, effect: float) -> float:
        """Variance of the reduced form less `effect` times the first stage."""
        return self.variance_reduced - 2 * effect * self.covariance + effect**2 * self.variance_first

    @property
    def ratio(self) -> float:
        """Two-stage least squares: the reduced form over the first stage."""
        return self.reduced / self.first

    @property
    def std_error(self) -> float:
        """Standard error of the ratio by the delta method."""
        return math.sqrt(max(self.variance_at(self.ratio), 0.0)) / abs(self.first)

    @property
    def f(self) -> float:
        """Cluster-robust F of the first stage."""
        return self.first**2 / self.variance_first if self.variance_first > 0 else math.inf


def anderson_rubin_set(found: FirstAndReduced, critical: float) -> tuple[tuple[float, float], ...]:
    """Effects b with (reduced - b first)² <= critical² var(reduced - b first): an interval, two rays, or the whole line.

    Reference: Anderson & Rubin (1949) Ann Math Stat 20:46; Fieller (1954).
    """
    a = found.first**2 - critical**2 * found.variance_first
    half = found.reduced * found.first - critical**2 * found.covariance
    c = found.reduced**2 - critical**2 * found.variance_reduced
    inside = half**2 - a * c
    if a > 0:
        root = math.sqrt(max(inside, 0.0))
        return (((half - root) / a, (half + root) / a),)
    if a == 0 or inside <= 0:
        return ((-math.inf, math.inf),)
    low, high = sorted(((half - math.sqrt(inside)) / a, (half + math.sqrt(inside)) / a))
    return ((-math.inf, low), (high, math.inf))


def holds(pieces: tuple[tuple[float, float], ...], effect: float) -> bool:
    """Whether a set of intervals contains an effect."""
    return any(low <= effect <= high for low, high in pieces)


def joint_scores(scores: tuple[np.ndarray, np.ndarray]) -> tuple[float, float, float]:
    """Variances and covariance of two coefficients from what each cluster adds to them, shape (g,) each."""
    one, other = scores
    return float(one @ one), float(one @ other), float(other @ other)
