"""Three fits of one series: Newey-West, REML with first-order autocorrelation and Kenward-Roger errors, quasi-Poisson."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from mhlib.errors import DesignError

# Autocorrelation is looked for between these; at the ends the series says it has no level of its own.
LEAST_RHO, MOST_RHO = -0.95, 0.98
# Logarithms of expected counts beyond this belong to a step that went astray.
FARTHEST = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class SeriesFit:
    """Coefficients of one method with their covariance.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        For tests and intervals; small-sample adjusted where the method has one.
    name : str
    rho : float
        Autocorrelation of neighbouring weeks; NaN where not modelled.
    scale : float
        Residual variance, or the dispersion.
    residuals : ndarray, shape (n,)
        Innovations under AR(1); else outcome less fit, of unit variance for rates (Pearson).
    df_plain : float
        n - p.
    gradient, spread : ndarray or None
        Derivatives of the covariance by (variance, rho), shape (2, p, p), and their covariance: for Satterthwaite's df.
    """

    beta: np.ndarray
    covariance: np.ndarray
    name: str
    rho: float
    scale: float
    residuals: np.ndarray
    df_plain: float
    plain: np.ndarray
    gradient: np.ndarray | None = None
    spread: np.ndarray | None = None

    def df(self, contrast: np.ndarray) -> float:
        """Degrees of freedom of a linear combination: Satterthwaite's under AR(1), n - p otherwise, never more than that."""
        if self.gradient is None:
            return self.df_plain
        variance = contrast @ self.plain @ contrast
        slope = np.einsum("p,kpq,q->k", contrast, self.gradient, contrast)
        return float(min(2 * variance**2 / (slope @ self.spread @ slope), self.df_plain))


def newey_west_lag(n: int) -> int:
    """Lags of Newey and West (1994): the whole part of 4 (n / 100)^(2/9)."""
    return math.floor(4 * (n / 100) ** (2 / 9))


def newey_west(x: np.ndarray, y: np.ndarray, weights: np.ndarray, lag: int) -> SeriesFit:
    """Least squares with Newey-West errors, Bartlett weights, factor n / (n - p); weeks count as neighbours in turn."""
    import statsmodels.api as sm

    fit = sm.WLS(y, x, weights=weights).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True})
    covariance = np.asarray(fit.cov_params())
    return SeriesFit(np.asarray(fit.params), covariance, f"least squares, Newey-West {lag} lags", math.nan,
                     float(fit.scale), np.asarray(fit.wresid), float(len(y) - x.shape[1]), covariance)  # fmt: skip


def plain_least_squares(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> SeriesFit:
    """Least squares that takes weeks as independent: shown for comparison only."""
    import statsmodels.api as sm

    fit = sm.WLS(y, x, weights=weights).fit()
    covariance = np.asarray(fit.cov_params())
    return SeriesFit(np.asarray(fit.params), covariance, "least squares, weeks as independent", math.nan,
                     float(fit.scale), np.asarray(fit.wresid), float(len(y) - x.shape[1]), covariance)  # fmt: skip


def quasi_poisson(x: np.ndarray, y: np.ndarray, exposure: np.ndarray, lag: int | None) -> SeriesFit:
    """Log-linear rates with offset log(exposure): Pearson dispersion, or Newey-West errors where a lag is given."""
    import statsmodels.api as sm

    model = sm.GLM(y, x, family=sm.families.Poisson(), offset=np.log(exposure))
    fit = model.fit(scale="X2")
    name, covariance = "quasi-Poisson, Pearson dispersion", np.asarray(fit.cov_params())
    if lag is not None:
        robust = model.fit(scale="X2", cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True})
        name, covariance = f"quasi-Poisson, Newey-West {lag} lags", np.asarray(robust.cov_params())
    return SeriesFit(np.asarray(fit.params), covariance, name, math.nan, float(fit.scale),
                     np.asarray(fit.resid_pearson), float(len(y) - x.shape[1]), covariance)  # fmt: skip


def whitened(table: np.ndarray, step: np.ndarray, rho: float) -> np.ndarray:
    """Each row less rho^step times the row before, of unit variance: the first row stays (Prais & Winsten 1954)."""
    power = rho**step
    rest = (table[1:] - power[:, None] * table[:-1]) / np.sqrt(1 - power**2)[:, None]
    return np.concatenate([table[:1], rest])


def reml_deviance(rho: float, table: np.ndarray, step: np.ndarray) -> float:
    """-2 restricted log-likelihood of (x | y) profiled over the variance, less constants."""
    white = whitened(table, step, rho)
    upper = np.linalg.qr(white, mode="r")
    p, n = table.shape[1] - 1, len(table)
    by_design = 2 * np.log(np.abs(np.diag(upper)[:p])).sum()
    return np.log1p(-(rho ** (2 * step))).sum() + by_design + (n - p) * math.log(upper[p, p] ** 2)


def autocorrelated(x: np.ndarray, y: np.ndarray, weights: np.ndarray, place: np.ndarray) -> SeriesFit:
    """REML with correlation rho^distance, Kenward-Roger covariance of first order and Satterthwaite's df.

    Weeks taught but not measured lengthen the distance. Reference: Kenward & Roger (1997) Biometrics 53:983.
    """
    root = np.sqrt(weights)
    table, step = np.column_stack([x, y]) * root[:, None], np.diff(place)
    grid = np.linspace(LEAST_RHO, MOST_RHO, 25)
    values = [reml_deviance(rho, table, step) for rho in grid]
    best = int(np.argmin(values))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        reml_deviance, bounds=ends, args=(table, step), method="bounded", options={"xatol": 1e-10}
    )
    rho = float(found.x)
    white = whitened(table, step, rho)
    p, n = x.shape[1], len(y)
    beta, *_ = np.linalg.lstsq(white[:, :p], white[:, p], rcond=None)
    residuals = white[:, p] - white[:, :p] @ beta
    variance = float(residuals @ residuals / (n - p))
    plain, adjusted, gradient, spread = kenward_roger(table[:, :p], place, rho, variance)
    return SeriesFit(beta, adjusted, "AR(1) by REML, Kenward-Roger errors", rho, variance, residuals, float(n - p),
                     plain, gradient, spread)  # fmt: skip


def autocorrelated_rates(x: np.ndarray, y: np.ndarray, exposure: np.ndarray, place: np.ndarray) -> SeriesFit:
    """Quasi-Poisson with AR(1): :func:`autocorrelated` of the working response, weight the expected count, until it stands.

    Reference: Breslow & Clayton (1993) JASA 88:9 (penalised quasi-likelihood).
    """
    offset = np.log(exposure)
    linear = offset + x @ quasi_poisson(x, y, exposure, None).beta
    for _ in range(50):
        expected = np.exp(np.clip(linear, -FARTHEST, FARTHEST))
        fit = autocorrelated(x, linear - offset + (y - expected) / expected, expected, place)
        moved, linear = np.abs(offset + x @ fit.beta - linear).max(), offset + x @ fit.beta
        if moved < 1e-8:
            return replace(fit, name="quasi-Poisson with AR(1) by REML, Kenward-Roger errors")
    raise DesignError(
        "interrupted_time_series(family)",
        "the rates of these weeks have no stable autocorrelation",
        allowed="several events in most weeks",
        remedy="sum up two weeks in one row, or take family='gaussian' for the rates themselves",
    )


def kenward_roger(
    x: np.ndarray, place: np.ndarray, rho: float, variance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Covariance plain and adjusted, its derivatives by (variance, rho), and the covariance of those two.

    The adjustment is of first order: with the curvature of V it can turn a variance negative where rho is near 1, and
    without it it never makes an error smaller. References: Kackar & Harville (1984) JASA 79:853; Harville & Jeske (1992).
    """
    d = np.abs(place[:, None] - place[None, :]).astype(float)
    r = rho**d
    once = np.where(d > 0, d * rho ** np.maximum(d - 1, 0), 0.0)
    v_1 = (r, variance * once)
    w = np.linalg.inv(variance * r)
    wx = w @ x
    plain = np.linalg.inv(x.T @ wx)
    wv = [w @ v for v in v_1]
    p_i = [-wx.T @ v @ wx for v in v_1]
    inner = np.zeros((2, 2))
    extra = {}
    for i in range(2):
        for j in range(2):
            q = wx.T @ v_1[i] @ w @ v_1[j] @ wx
            both = p_i[i] @ plain @ p_i[j]
            # Expected information of REML.
            inner[i, j] = 0.5 * ((wv[i] * wv[j].T).sum() - 2 * np.trace(plain @ q) + np.trace(plain @ both))
            extra[i, j] = q - both
    spread = np.linalg.inv(inner)
    bias = sum(spread[i, j] * extra[i, j] for i in range(2) for j in range(2))
    gradient = np.stack([-plain @ each @ plain for each in p_i])
    return plain, plain + 2 * plain @ bias @ plain, gradient, spread
