"""Confidence intervals that several families of statistics share."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.special import expit, logit

BINOMIAL = {"wilson": "wilson", "exact": "beta", "agresti_coull": "agresti_coull", "jeffreys": "jeffreys"}


def critical(conf_level: float, df: float = math.inf) -> float:
    """Two-sided quantile of the t distribution, normal when `df` is infinite."""
    upper = (1 + conf_level) / 2
    return float(stats.norm.ppf(upper) if math.isinf(df) else stats.t.ppf(upper, df))


def wald(estimate: float, std_error: float, conf_level: float, df: float = math.inf) -> tuple[float, float]:
    """Estimate -/+ quantile times standard error."""
    half = critical(conf_level, df) * std_error
    return estimate - half, estimate + half


def on_logit(p: float, std_error: float, conf_level: float, df: float = math.inf) -> tuple[float, float]:
    """Wald interval on the log-odds scale, taken back to 0–1; NaN when p is 0 or 1, where log odds do not exist."""
    if not 0 < p < 1 or not np.isfinite(std_error):
        return math.nan, math.nan
    low, high = wald(float(logit(p)), std_error / (p * (1 - p)), conf_level, df)
    return float(expit(low)), float(expit(high))


def on_log(ratio: float, std_error: float, conf_level: float) -> tuple[float, float]:
    """Wald interval on the log scale; `std_error` is that of the log. NaN when the ratio is 0 or infinite."""
    if not (0 < ratio < math.inf) or not np.isfinite(std_error):
        return math.nan, math.nan
    low, high = wald(math.log(ratio), std_error, conf_level)
    return math.exp(low), math.exp(high)


def binomial(x: int, n: int, *, ci: str, conf_level: float) -> tuple[float, float]:
    """Interval of a proportion x / n by statsmodels; NaN when n is 0."""
    if n == 0:
        return math.nan, math.nan
    # Imported here because statsmodels costs a second, and most callers of this module never reach a binomial count.
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(x, n, alpha=1 - conf_level, method=BINOMIAL[ci])
    return float(low), float(high)
