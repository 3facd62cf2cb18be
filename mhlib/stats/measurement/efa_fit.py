"""How well common factors reproduce a correlation matrix."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

NOT_TESTED = dict.fromkeys(("chi2", "p_value", "rmsea", "rmsea_low", "rmsea_high", "tli"), math.nan)


def efa_fit(
    correlation: np.ndarray, implied: np.ndarray, n: int, n_factors: int, *, normal_theory: bool, conf_level: float
) -> dict[str, float]:
    """Chi-square with Bartlett's correction, df, RMSEA with interval, TLI and SRMR.

    NaN but for `df` and `srmr` where the correlations are not Pearson's, where no degree of freedom is left, or with
    hardly more people than items.

    Notes
    -----
    chi2 = (n - 1 - (2k + 5)/6 - 2q/3) F with F = log|Sigma| - log|R| + tr(R Sigma^-1) - k, also for minimum residuals;
    RMSEA = sqrt(chi2/(df n) - 1/(n - 1)), its interval sqrt(noncentrality/(df (n - 1))); TLI sets chi2/df against that of
    no factor with the same correction: all as in psych.
    References: Bartlett (1951); Tucker & Lewis (1973); Steiger & Lind (1980); Bentler (1995) for SRMR.
    """
    k = len(correlation)
    df = ((k - n_factors) ** 2 - k - n_factors) // 2
    residual = (correlation - implied)[np.tril_indices(k)]
    always = {"df": df, "srmr": float(np.sqrt(np.mean(residual**2)))}
    if not normal_theory or df == 0 or np.linalg.eigvalsh(correlation)[0] < 1e-10:
        return {**NOT_TESTED, **always}
    times = n - 1 - (2 * k + 5) / 6 - 2 * n_factors / 3
    if times <= 0:
        return {**NOT_TESTED, **always}
    chi2 = max(times * discrepancy(correlation, implied), 0.0)
    base, base_df = float(-times * np.linalg.slogdet(correlation)[1]), k * (k - 1) / 2
    low, high = (misfit(chi2, df, tail) for tail in ((1 + conf_level) / 2, (1 - conf_level) / 2))
    return {
        "chi2": chi2,
        "p_value": float(stats.chi2.sf(chi2, df)),
        "rmsea": math.sqrt(max(chi2 / (df * n) - 1 / (n - 1), 0.0)),
        "rmsea_low": math.sqrt(low / (df * (n - 1))),
        "rmsea_high": math.sqrt(high / (df * (n - 1))),
        "tli": (base / base_df - chi2 / df) / (base / base_df - 1),
        **always,
    }


def discrepancy(correlation: np.ndarray, implied: np.ndarray) -> float:
    """Likelihood discrepancy log|Sigma| - log|R| + tr(R Sigma^-1) - k."""
    logs = np.linalg.slogdet(implied)[1] - np.linalg.slogdet(correlation)[1]
    return float(logs + np.trace(np.linalg.solve(implied, correlation)) - len(correlation))


def misfit(chi2: float, df: int, tail: float) -> float:
    """Noncentrality at which a chi-square this small has probability `tail`; 0 when even none makes it as likely."""
    if stats.chi2.cdf(chi2, df) <= tail:
        return 0.0
    highest = chi2 + 20 * math.sqrt(2 * chi2 + 20) + 20
    return float(optimize.brentq(lambda shift: stats.ncx2.cdf(chi2, df, shift) - tail, 1e-9, highest, xtol=1e-10))
