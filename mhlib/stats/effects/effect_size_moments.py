"""What clusters do to a standard deviation and to a difference of means, in closed form.

With total variance 1 and intraclass correlation rho a clustered arm has pupils' variance 1 - rho and clusters' rho; an arm
without clusters has pupils' variance alone. References: Hedges (2007) JEBS 32:341; Hedges & Citkowicz (2015) Behav Res 47:1295;
What Works Clearinghouse Procedures Handbook 5.0 (2022), appendix E.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from mhlib.errors import DataError


@dataclass(frozen=True, slots=True)
class Arm:
    """Pupils of an arm and the sums of squares and cubes of its clusters' sizes; `clustered` False without clusters."""

    n: float
    squares: float
    cubes: float
    n_clusters: float
    clustered: bool

    @classmethod
    def of_sizes(cls, sizes: np.ndarray) -> Arm:
        """From the size of each cluster."""
        sizes = np.asarray(sizes, dtype=float)
        return cls(sizes.sum(), (sizes**2).sum(), (sizes**3).sum(), len(sizes), True)

    @classmethod
    def of_average(cls, n: float, size: float) -> Arm:
        """From the number of pupils and the average size of a cluster."""
        return cls(n, n * size, n * size**2, n / size, True)

    @classmethod
    def unclustered(cls, n: float) -> Arm:
        """Of pupils who do not share a class, a therapist or a school."""
        return cls(n, n, n, n, False)


@dataclass(frozen=True, slots=True)
class SpreadMoments:
    """Of two arms and an intraclass correlation.

    Attributes
    ----------
    gamma : float
        Expected standard deviation within arms over the true one, at which a d by the observed deviation is too large.
    h : float
        Effective degrees of freedom of that variance.
    eta : float
        Variance of a difference of means over that of independent pupils.
    """

    gamma: float
    h: float
    eta: float


def spread_moments(arms: tuple[Arm, Arm], rho: float) -> SpreadMoments:
    """Moments of the variance pooled within arms, and of the difference of the arms' means."""
    if not 0 <= rho < 1:
        raise DataError("hedges_g(icc)", f"is {rho}", allowed="an intraclass correlation from 0 to below 1")
    n = sum(arm.n for arm in arms)
    own, shared = 1 - rho, [rho if arm.clustered else 0.0 for arm in arms]
    mean, square, eta = own * (n - 2), own**2 * (n - 2), 0.0
    for arm, between in zip(arms, shared, strict=True):
        free = arm.n - arm.squares / arm.n
        mean += between * free
        square += 2 * own * between * free
        square += between**2 * (arm.squares - 2 * arm.cubes / arm.n + (arm.squares / arm.n) ** 2)
        eta += own / arm.n + between * arm.squares / arm.n**2
    return SpreadMoments(math.sqrt(mean / (n - 2)), mean**2 / square, eta * arms[0].n * arms[1].n / n)


def small_sample(df: float, rule: str) -> float:
    """Factor that takes the bias of d away: exact by the gamma function, or the WWC's 1 - 3 / (4 df - 1)."""
    if rule == "wwc":
        return 1 - 3 / (4 * df - 1)
    return math.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / math.sqrt(df / 2)


def smd_variance(
    d: float,
    n_treated: float,
    n_control: float,
    *,
    eta: float,
    df: float,
    r_squared: float = 0.0,
    shrink: float = 1.0,
) -> float:
    """Variance of a standardised difference: (1/nT + 1/nC)(1 - R²) eta + shrink d² / (2 df)."""
    return (1 / n_treated + 1 / n_control) * (1 - r_squared) * eta + shrink * d**2 / (2 * df)
