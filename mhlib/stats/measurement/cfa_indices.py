"""How well a factor model fits: chi2, CFI, TLI, RMSEA with its interval, SRMR, information criteria; as lavaan has them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from mhlib.stats.measurement.cfa_likelihood import Point, saturated, shares
from mhlib.stats.measurement.cfa_moments import Moments
from mhlib.stats.measurement.cfa_robust import Robust
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitIndices:
    """Fit of a factor model.

    Attributes
    ----------
    chi2, df, p_value : float, int, float
        n F; for estimator "mlr" the scaled statistic, with the plain one in `chi2_plain`.
    cfi, tli, rmsea, rmsea_low, rmsea_high, close_p : float
        For "mlr" the robust ones (Brosseau-Liard & Savalei); the interval is the 90 % one; `close_p` tests RMSEA <= .05
        (NaN for "mlr").
    srmr : float
        Root mean square of residual correlations, of means too where they are parameters.
    scaling, baseline_scaling : float
        1 for "ml".
    log_likelihood, aic, bic : float
    """

    chi2: float
    df: int
    p_value: float
    baseline_chi2: float
    baseline_df: int
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    close_p: float
    srmr: float
    log_likelihood: float
    aic: float
    bic: float
    n_free: int
    chi2_plain: float
    scaling: float
    baseline_scaling: float
    cfi_plain: float
    tli_plain: float
    rmsea_plain: float

    def to_frame(self) -> pd.DataFrame:
        """One row an index, named as here; `rmsea` carries its 90 % interval and `chi2` its p."""
        rows = [{"term": one.name, "estimate": getattr(self, one.name)} for one in fields(self)]
        for row in rows:
            if row["term"] == "rmsea":
                row |= {"conf_low": self.rmsea_low, "conf_high": self.rmsea_high}
            if row["term"] == "chi2":
                row |= {"p_value": self.p_value}
        return term_frame(rows)


def fit_indices(
    moments: Moments, point: Point, *, n_free: int, df: int, baseline_df: int, has_means: bool, scaled: Robust | None
) -> FitIndices:
    """Every index of a fitted model; `scaled` for estimator "mlr"."""
    n, g = int(moments.n.sum()), len(moments.groups)
    plain = n * max(point.value, 0.0)
    base = n * baseline_value(moments)
    c, base_c = (scaled.scaling, scaled.baseline_scaling) if scaled else (1.0, 1.0)
    chi2 = plain / c if df > 0 else plain
    cfi, tli = increments(plain, df, base, baseline_df, c, base_c)
    plain_cfi, plain_tli = increments(plain, df, base, baseline_df, 1.0, 1.0)
    low, high = rmsea_interval(chi2, df, n, g, c)
    logl = log_likelihood(moments, point)
    return FitIndices(
        chi2=chi2,
        df=df,
        p_value=float(special.chdtrc(df, chi2)) if df > 0 else math.nan,
        baseline_chi2=base / base_c,
        baseline_df=baseline_df,
        cfi=cfi,
        tli=tli,
        rmsea=rmsea(plain, df, n, g, c),
        rmsea_low=low,
        rmsea_high=high,
        close_p=close_p(plain, df, n, g) if scaled is None else math.nan,
        srmr=srmr(moments, point, has_means),
        log_likelihood=logl,
        aic=2 * n_free - 2 * logl,
        bic=math.log(n) * n_free - 2 * logl,
        n_free=n_free,
        chi2_plain=plain,
        scaling=c,
        baseline_scaling=base_c,
        cfi_plain=plain_cfi,
        tli_plain=plain_tli,
        rmsea_plain=rmsea(plain, df, n, g, 1.0),
    )


def baseline_value(moments: Moments) -> float:
    """F of the independence model: log determinant of the variances less that of the covariance."""
    variance = np.diagonal(moments.cov, axis1=1, axis2=2)
    return float(shares(moments) @ np.log(variance).sum(axis=1)) + moments.cov.shape[1] - saturated(moments)


def log_likelihood(moments: Moments, point: Point) -> float:
    """Normal log likelihood at the fitted moments."""
    n, k = moments.n.sum(), moments.cov.shape[1]
    return -float(n) / 2 * (k * math.log(2 * math.pi) + point.value + saturated(moments))


def increments(chi2: float, df: int, base: float, base_df: int, c: float, base_c: float) -> tuple[float, float]:
    """CFI and TLI from the plain statistics and their scalings; 1 where the model leaves nothing to explain."""
    excess, base_excess = chi2 - c * df, base - base_c * base_df
    below = max(excess, base_excess, 0.0)
    cfi = 1 - max(excess, 0.0) / below if below > 0 else 1.0
    if df == 0:
        return cfi, 1.0
    above, under = base_excess * df - excess * base_df, base_excess * df
    return cfi, above / under if under > 0 else 1.0


def rmsea(chi2: float, df: int, n: int, g: int, c: float) -> float:
    """Root mean square error of approximation, of g groups."""
    return math.sqrt(max((chi2 / n) / df - c / n, 0.0) * g) if df > 0 else 0.0


def rmsea_interval(chi2: float, df: int, n: int, g: int, c: float, level: float = 0.90) -> tuple[float, float]:
    """Interval by the noncentrality of chi2 (already scaled), times the root of the scaling."""
    if df == 0:
        return 0.0, 0.0
    bounds = []
    for tail in ((1 + level) / 2, (1 - level) / 2):
        bounds.append(math.sqrt(c * noncentrality(chi2, df, tail) * g / (n * df)))
    return bounds[0], bounds[1]


def noncentrality(chi2: float, df: int, tail: float) -> float:
    """Noncentrality at which the distribution function at `chi2` is `tail`; 0 where none is needed."""
    if special.chdtr(df, chi2) <= tail:
        return 0.0
    high = max(chi2 - df, 1.0)
    while special.chndtr(chi2, df, high) > tail:
        high *= 2
    return float(optimize.brentq(lambda value: special.chndtr(chi2, df, value) - tail, 0.0, high, xtol=1e-10))


def close_p(chi2: float, df: int, n: int, g: int) -> float:
    """Probability of the data or worse if RMSEA <= .05 (Browne & Cudeck 1993)."""
    return upper_tail(chi2, df, n * df * 0.05**2 / g) if df > 0 else math.nan


def upper_tail(chi2: float, df: int, noncentral: float) -> float:
    """Upper tail of the noncentral chi2; scipy.stats keeps small tails that 1 - chndtr would round away."""
    return float(stats.ncx2.sf(chi2, df, noncentral))


def srmr(moments: Moments, point: Point, has_means: bool) -> float:
    """Bentler's SRMR: residuals over sample standard deviations; groups averaged by size."""
    i, j = np.triu_indices(moments.cov.shape[1])
    spread = np.sqrt(np.diagonal(moments.cov, axis1=1, axis2=2))
    rest = ((moments.cov - point.sigma) / (spread[:, :, None] * spread[:, None, :]))[:, i, j]
    if has_means:
        rest = np.concatenate([rest, point.gap / spread], axis=1)
    return float(shares(moments) @ np.sqrt((rest**2).mean(axis=1)))


def residual_correlations(moments: Moments, point: Point) -> np.ndarray:
    """Sample less implied correlations, shape (g, k, k)."""

    def correlation(cov: np.ndarray) -> np.ndarray:
        """Covariances over standard deviations."""
        spread = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        return cov / (spread[:, :, None] * spread[:, None, :])

    return correlation(moments.cov) - correlation(point.sigma)
