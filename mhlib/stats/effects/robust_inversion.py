"""P-values and intervals of resampled statistics whose parts are linear in the effect supposed.

Under the null that the effect is b0, a resampled statistic is (n0 + d n1) / sqrt(a00 + 2 d a01 + d² a11) with
d = estimate - b0, and the observed one is d / sqrt(v). One set of draws therefore gives the p-value of every b0, and the
interval by inverting the test. Reference: MacKinnon (2015) in Essays in Honour of Aman Ullah; Davidson & MacKinnon (2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mhlib.errors import ParamsError

# Draws that tie with the observed statistic but for rounding count as at least as large.
TIE = 1e-9
FARTHEST = 1e4


@dataclass(frozen=True, slots=True)
class Resampled:
    """Parts of B resampled statistics and the variance of the observed one; `plus` is 1 where draws are random assignments."""

    n0: np.ndarray = field(repr=False)
    n1: np.ndarray = field(repr=False)
    a00: np.ndarray = field(repr=False)
    a01: np.ndarray = field(repr=False)
    a11: np.ndarray = field(repr=False)
    observed_variance: float
    plus: int = 0

    def p_value(self, distance: float) -> float:
        """Two-sided p-value of an effect that lies `distance` below the estimate."""
        numerator = (self.n0 + distance * self.n1) ** 2 * self.observed_variance
        variance = self.a00 + 2 * distance * self.a01 + distance**2 * self.a11
        reached = int((numerator >= distance**2 * np.maximum(variance, 0.0) * (1 - TIE)).sum())
        return (reached + self.plus) / (len(self.n0) + self.plus)

    def statistics(self, distance: float) -> np.ndarray:
        """Resampled statistics, signed; 0 where numerator and variance are both 0 but for rounding."""
        variance = np.maximum(self.a00 + 2 * distance * self.a01 + distance**2 * self.a11, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num((self.n0 + distance * self.n1) / np.sqrt(variance), posinf=math.inf, neginf=-math.inf)


def inverted(parts: Resampled, estimate: float, alpha: float, unit: float) -> tuple[float, float]:
    """Bounds at which the p-value falls to alpha, infinite where it never does; `unit` is about a standard error."""
    if not unit > 0:
        return math.nan, math.nan
    return estimate - farthest(parts, unit, alpha), estimate + farthest(parts, -unit, alpha)


def farthest(parts: Resampled, unit: float, alpha: float) -> float:
    """Distance from the estimate at which the p-value falls below alpha, on the side that `unit` points to."""
    inside, outside = 0.0, 1.0
    while parts.p_value(outside * unit) >= alpha:
        inside, outside = outside, 1.5 * outside
        if outside > FARTHEST:
            return math.inf
    # The p-value is a step function: forty halvings leave far less than the width of a step.
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if parts.p_value(middle * unit) >= alpha else (inside, middle)
    return abs(inside * unit)


def demand_draws(n_draws: int, seed: int | None, *, where: str, name: str, least: int = 199) -> None:
    """Refuse a missing seed and too few draws."""
    problems = [] if seed is not None else ["draws need a seed"]
    if n_draws < least:
        problems.append(f"{name} is {n_draws}, at least {least} are needed")
    if problems:
        raise ParamsError.of_many(where, problems)
