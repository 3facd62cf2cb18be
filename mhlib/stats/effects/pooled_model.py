"""Random-effects model of many estimates: spread by REML, its interval by the Q profile, and shrunken estimates."""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats


def reml_variance(y: np.ndarray, v: np.ndarray) -> float:
    """Variance between units that maximises the restricted likelihood, 0 or more."""

    def slope(tau2: float) -> float:
        # Derivative of the restricted log-likelihood, times two.
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return float((w**2 * (y - mean) ** 2).sum() - w.sum() + (w**2).sum() / w.sum())

    top = float(np.var(y, ddof=1)) * 2 + float(v.max()) + 1e-12
    grid = np.concatenate([[0.0], np.geomspace(1e-6 * top, 10 * top, 60)])
    slopes = [slope(t) for t in grid]
    falls = [i for i in range(len(grid) - 1) if slopes[i] > 0 >= slopes[i + 1]]
    found = [optimize.brentq(slope, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-14) for i in falls]
    # The likelihood may have more than one peak, and one at 0: the highest counts.
    peaks = [0.0, *found] if slopes[0] <= 0 or not found else found
    return max(peaks, key=lambda t: reml_likelihood(y, v, t))


def reml_likelihood(y: np.ndarray, v: np.ndarray, tau2: float) -> float:
    """Restricted log-likelihood up to a constant."""
    w = 1 / (v + tau2)
    mean = (w * y).sum() / w.sum()
    return float(0.5 * (np.log(w).sum() - np.log(w.sum()) - (w * (y - mean) ** 2).sum()))


def generalised_q(y: np.ndarray, v: np.ndarray, tau2: float) -> float:
    """Weighted sum of squares about the weighted mean; chi-square with k - 1 df at the true spread."""
    w = 1 / (v + tau2)
    return float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())


def q_profile(y: np.ndarray, v: np.ndarray, conf_level: float) -> tuple[float, float]:
    """Interval of the variance between units (Viechtbauer 2007)."""
    df, bounds = len(y) - 1, []
    for tail in ((1 + conf_level) / 2, (1 - conf_level) / 2):
        wanted = float(stats.chi2.ppf(tail, df))
        if generalised_q(y, v, 0.0) <= wanted:
            bounds.append(0.0)
            continue
        top = 1.0
        while generalised_q(y, v, top) > wanted:
            top *= 4
        bounds.append(
            float(optimize.brentq(lambda t, q=wanted: generalised_q(y, v, t) - q, 0, top, xtol=1e-14, rtol=1e-14))
        )
    return bounds[0], bounds[1]


def typical_variance(v: np.ndarray) -> float:
    """Higgins & Thompson's typical sampling variance, for I2 and H2."""
    w = 1 / v
    return float((len(v) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()))


def shrunken(y: np.ndarray, v: np.ndarray, tau2: float, mean: float, mean_se: float) -> tuple[np.ndarray, np.ndarray]:
    """Best linear unbiased predictions of the units' own values and their standard errors."""
    weight = tau2 / (tau2 + v)
    return weight * y + (1 - weight) * mean, np.sqrt(weight * v + (1 - weight) ** 2 * mean_se**2)
