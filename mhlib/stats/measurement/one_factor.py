"""One common factor by maximum likelihood, from a covariance matrix, and McDonald's omega of the sum score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.intervals import wald
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix
from mhlib.stats.terms import term_frame

# Uniquenesses are kept above this share of an item's variance; one that ends there is a Heywood case.
LEAST_UNIQUENESS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OmegaResult:
    """McDonald's omega, 0–1, with the one-factor model it rests on.

    Attributes
    ----------
    loadings, uniquenesses : pandas.Series
        By item, in the items' own unit and its square; the factor has variance 1.
    chi2, df, p_value, cfi, rmsea, srmr : float
        Fit of one factor (chi2 = n F, as in lavaan). NaN with three items, where the model fits by construction.
    heywood : bool
        A uniqueness ended at its lower bound: the model is not credible.
    """

    omega: float
    omega_observed: float
    std_error: float
    conf_low: float
    conf_high: float
    loadings: pd.Series = field(repr=False)
    uniquenesses: pd.Series = field(repr=False)
    chi2: float
    df: int
    p_value: float
    cfi: float
    rmsea: float
    srmr: float
    heywood: bool
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, term `omega`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        return term_frame(
            [{"term": "omega", "estimate": self.omega, **bounds, "n_items": self.n_items, "n_used": self.n_used}]
        )


def omega(items: object, *, conf_level: float = 0.95) -> OmegaResult:
    """McDonald's omega of the sum of items under one congeneric factor.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 3
        Reversed items already turned by the codebook.
    conf_level : float

    Returns
    -------
    OmegaResult
        People who miss any item are left out and counted. Wald interval by the delta method, cut at 0 and 1.

    Raises
    ------
    DataError
        Text or infinite values; items that are sums of others.
    DesignError
        Fewer than three items or complete rows.

    Notes
    -----
    omega = (sum lambda)^2 / ((sum lambda)^2 + sum theta); `omega_observed` divides by the observed variance of the sum
    score instead, which does not flatter a model that fits badly. Omega need not exceed alpha: with correlated
    residuals it may be smaller. References: McDonald (1999); Joreskog (1967).
    Checked against: tests/oracle/bfi_reliability.csv (lavaan::cfa on bfi).
    """
    matrix = item_matrix(items, where="omega")
    return omega_from_covariance(
        covariance(matrix.complete),
        matrix.n_used,
        conf_level=conf_level,
        names=matrix.names,
        n_excluded=matrix.n_excluded,
    )


def omega_from_covariance(
    cov: object,
    n: int,
    *,
    conf_level: float = 0.95,
    names: Sequence[str] | None = None,
    n_excluded: int = 0,
) -> OmegaResult:
    """McDonald's omega from the covariance of the items and the number of people.

    Parameters
    ----------
    cov : array-like, shape (k, k), k >= 3
        Covariance with n - 1.
    n : int
    conf_level : float
    names : sequence of str, optional
        Of the items; default 0 to k - 1.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    OmegaResult
        The same digits as :func:`omega` on the rows.

    Raises
    ------
    DataError
        A matrix that is no covariance, or singular.
    DesignError
        Fewer than three items or people.

    Notes
    -----
    Checked against: tests/oracle/bfi_reliability.csv (lavaan::cfa on bfi).
    """
    where = "omega_from_covariance"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    sample = checked_covariance(cov, n, where=where)
    if len(sample) < 3:
        raise DesignError(where, "fewer than three items", allowed="k >= 3", remedy="use cronbach_alpha for two items")
    spread = np.sqrt(np.diag(sample))
    correlation = sample / np.outer(spread, spread)
    if np.linalg.eigvalsh(correlation)[0] < 1e-10:
        raise DataError(where, "the covariance is singular", remedy="leave out items that are sums or copies of others")
    loading, unique = one_factor(correlation)
    total = (spread @ loading) ** 2
    value = float(total / (total + spread**2 @ unique))
    heywood = bool((unique <= LEAST_UNIQUENESS * 1.001).any())
    std_error = math.nan if heywood else omega_error(loading, unique, spread, n)
    low, high = wald(value, std_error, conf_level)
    index = [str(name) for name in (range(len(sample)) if names is None else names)]
    return OmegaResult(
        omega=value,
        omega_observed=float(total / sample.sum()),
        std_error=std_error,
        conf_low=float(np.maximum(low, 0)),
        conf_high=float(np.minimum(high, 1)),
        loadings=pd.Series(spread * loading, index=index, name="loading"),
        uniquenesses=pd.Series(spread**2 * unique, index=index, name="uniqueness"),
        **fit_of(correlation, np.outer(loading, loading) + np.diag(unique), n),
        heywood=heywood,
        n_items=len(sample),
        n_used=int(n),
        n_excluded=n_excluded,
        method="omega of one congeneric factor, maximum likelihood, delta-method interval",
        conf_level=conf_level,
    )


def one_factor(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum-likelihood loadings and uniquenesses of a correlation matrix, shape (k,) each.

    Joreskog's profile: for given uniquenesses the best loading is an eigenvector, so only log uniquenesses are searched.
    """
    start = np.log(np.clip(1 / np.diag(np.linalg.inv(correlation)), 0.05, 0.95))
    bounds = [(math.log(LEAST_UNIQUENESS), 0.0)] * len(correlation)
    options = {"maxiter": 2000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 30}
    found = optimize.minimize(profile, start, (correlation,), "L-BFGS-B", jac=True, bounds=bounds, options=options)
    unique = np.exp(found.x)
    loading = best_loading(unique, correlation)
    return loading * (1.0 if loading.sum() >= 0 else -1.0), unique


def best_loading(unique: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Loading that fits best for given uniquenesses."""
    root = np.sqrt(unique)
    values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
    return root * vectors[:, -1] * math.sqrt(max(values[-1] - 1, 0.0))


def profile(log_unique: np.ndarray, correlation: np.ndarray) -> tuple[float, np.ndarray]:
    """Discrepancy log|Sigma| + tr(R Sigma^-1) at the best loading, and its gradient in the log uniquenesses."""
    unique = np.exp(log_unique)
    loading = best_loading(unique, correlation)
    implied = np.outer(loading, loading) + np.diag(unique)
    inverse = np.linalg.inv(implied)
    value = float(np.linalg.slogdet(implied)[1] + np.sum(correlation * inverse))
    return value, np.diag(inverse @ (implied - correlation) @ inverse) * unique


def omega_error(loading: np.ndarray, unique: np.ndarray, spread: np.ndarray, n: int) -> float:
    """Standard error of omega by the delta method from the expected information of loadings and uniquenesses."""
    k = len(loading)
    inverse = np.linalg.inv(np.outer(loading, loading) + np.diag(unique))
    # Derivative of Sigma by each parameter, flattened; information = n/2 D' (Sigma^-1 x Sigma^-1) D.
    eye = np.eye(k)
    by_loading = eye[:, :, None] * loading[None, None, :] + eye[:, None, :] * loading[None, :, None]
    derivative = np.concatenate([by_loading, eye[:, :, None] * eye[:, None, :]])
    weighted = inverse @ derivative @ inverse
    information = n / 2 * np.einsum("aij,bij->ab", weighted, derivative)
    total, rest = float(spread @ loading), float(spread**2 @ unique)
    bottom = (total**2 + rest) ** 2
    gradient = np.concatenate([2 * total * rest / bottom * spread, -(total**2) / bottom * spread**2])
    # In standardised metric the items' own spreads are taken as known weights of the sum.
    return float(np.sqrt(gradient @ np.linalg.solve(information, gradient)))


def fit_of(correlation: np.ndarray, implied: np.ndarray, n: int) -> dict[str, float]:
    """Chi-square, CFI, RMSEA and SRMR of a fitted correlation matrix."""
    k = len(correlation)
    discrepancy = (
        np.linalg.slogdet(implied)[1]
        - np.linalg.slogdet(correlation)[1]
        + np.sum(correlation * np.linalg.inv(implied))
        - k
    )
    chi2, df = max(float(n * discrepancy), 0.0), k * (k - 3) // 2
    residual = (correlation - implied)[np.tril_indices(k)]
    srmr = float(np.sqrt(np.mean(residual**2)))
    if df == 0:
        nothing = dict.fromkeys(("chi2", "p_value", "cfi", "rmsea"), math.nan)
        return {**nothing, "df": 0, "srmr": srmr}
    base, base_df = float(-n * np.linalg.slogdet(correlation)[1]), k * (k - 1) // 2
    excess, base_excess = max(chi2 - df, 0.0), max(base - base_df, chi2 - df, 0.0)
    return {
        "chi2": chi2,
        "df": df,
        "p_value": float(stats.chi2.sf(chi2, df)),
        "cfi": 1 - excess / base_excess if base_excess > 0 else 1.0,
        "rmsea": math.sqrt(excess / (df * n)),
        "srmr": srmr,
    }
