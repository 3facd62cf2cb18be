"""The record of a standardised difference, and how it is put together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats
from scipy.special import ndtr

from mhlib.stats.effects.effect_size_moments import small_sample
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame

# A pooled trial effect beyond this is far more often a mistake (a standard error taken for a deviation) than a finding.
IMPLAUSIBLE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HedgesGResult:
    """Hedges' g, the difference of two means in standard deviations.

    Attributes
    ----------
    g, std_error, conf_low, conf_high : float
        Without the bias of small samples.
    d, d_std_error : float
        With it.
    sd : float
        The deviation divided by, in the scale's unit.
    scale : {'total', 'within'}
        Deviation of pupils within arms, or of pupils within clusters.
    h : float
        Degrees of freedom of that deviation.
    icc, eta : float or None
        Intraclass correlation and the design effect it gives; None for independent pupils.
    implausible : bool
        |g| above 1.5: look for a standard error taken for a deviation before believing it.
    n_clusters : int or None
    """

    g: float
    std_error: float
    conf_low: float
    conf_high: float
    d: float
    d_std_error: float
    sd: float
    scale: str
    h: float
    icc: float | None
    eta: float | None
    implausible: bool
    n_treated: int
    n_control: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `g` and `d` (no interval), with `sd, h, icc, n_treated, n_control, n_used`."""
        bounds = {name: getattr(self, name) for name in ("std_error", "conf_low", "conf_high")}
        rows = [
            {"term": "g", "estimate": self.g, **bounds},
            {"term": "d", "estimate": self.d, "std_error": self.d_std_error},
        ]
        rest = {name: getattr(self, name) for name in ("sd", "h", "n_treated", "n_control", "n_used")}
        return term_frame(rows).assign(**rest, icc=math.nan if self.icc is None else self.icc)


def standardised(
    d: float,
    variance: float,
    *,
    h: float,
    interval_df: float | None,
    rule: str,
    n_treated: float,
    n_control: float,
    conf_level: float,
    **rest: object,
) -> HedgesGResult:
    """Correct d, and give the interval: noncentral t for independent pupils, else Student's t with `interval_df`."""
    j, error = small_sample(h, rule), math.sqrt(variance)
    if interval_df is None:
        low, high = (j * bound for bound in noncentral(d, n_treated, n_control, h, conf_level))
    else:
        low, high = wald(j * d, j * error, conf_level, interval_df)
    return HedgesGResult(
        g=j * d,
        std_error=j * error,
        conf_low=low,
        conf_high=high,
        d=d,
        d_std_error=error,
        h=h,
        implausible=abs(j * d) > IMPLAUSIBLE,
        n_treated=round(n_treated),
        n_control=round(n_control),
        n_used=round(n_treated + n_control),
        conf_level=conf_level,
        **rest,
    )


def noncentral(d: float, n_treated: float, n_control: float, df: float, conf_level: float) -> tuple[float, float]:
    """Bounds of the true d by the noncentral t distribution of the t statistic."""
    unit = math.sqrt(1 / n_treated + 1 / n_control)
    t, tail = d / unit, (1 - conf_level) / 2
    reach = 10 + abs(t)
    # The spread of the observed deviation, by Gauss and Legendre; scipy's own distribution gives NaN for many values here.
    low, high = np.sqrt(stats.chi2.ppf([1e-17, 1 - 1e-16], df) / df)
    node, weight = np.polynomial.legendre.leggauss(200)
    spread = (high - low) / 2 * node + (high + low) / 2
    mass = weight * spread * stats.chi2.pdf(df * spread**2, df)
    mass = mass / mass.sum()

    def bound(probability: float) -> float:
        return optimize.brentq(
            lambda shift: float(mass @ ndtr(t * spread - shift)) - probability, t - reach, t + reach, xtol=1e-12
        )

    return bound(1 - tail) * unit, bound(tail) * unit
