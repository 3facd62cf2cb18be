"""Errors, degrees of freedom and joint tests of sums over independent cohorts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.stats.effects.did_cohorts import CohortMoments, Contrasts

# A variance that is a smaller share of the whole is rounding.
NEGLIGIBLE = 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """Estimates of m effects with the part each cohort adds to their covariance.

    Attributes
    ----------
    estimates, std_errors, df : ndarray, shape (m,)
        Degrees of freedom by Welch and Satterthwaite; infinite for influence functions.
    parts : ndarray, shape (K, m, m)
        Covariance that each cohort adds; NaN where one school carries it.
    cohort_df : ndarray, shape (K,)
    """

    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    parts: np.ndarray
    cohort_df: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Of the effects, shape (m, m)."""
        return self.parts.sum(axis=0)

    def of(self, rows: np.ndarray) -> Inferred:
        """The same of some effects."""
        return Inferred(self.estimates[rows], self.std_errors[rows], self.df[rows],
                        self.parts[:, rows][:, :, rows], self.cohort_df)  # fmt: skip

    def turned(self, matrix: np.ndarray) -> Inferred:
        """Of linear combinations of the effects, shape (r, m)."""
        parts = np.einsum("am,kmn,bn->kab", matrix, self.parts, matrix)
        variances, df = welch(parts, self.cohort_df)
        return Inferred(matrix @ self.estimates, np.sqrt(variances), df, parts, self.cohort_df)


@dataclass(frozen=True, slots=True)
class Joint:
    """A test that several effects are all nought."""

    statistic: float
    df1: int
    df2: float
    p_value: float


def inferred(moments: CohortMoments, contrasts: Contrasts, errors: str) -> Inferred:
    """Estimates and errors: `cohort` (unbiased within cohorts, Welch df) or `influence` (large samples, drawn cohorts)."""
    c = contrasts.coefficients
    estimates = np.einsum("mkt,kt->m", c, moments.means)
    if errors == "cohort":
        spread = np.where(np.isnan(moments.spread), 0, moments.spread)
        parts = np.einsum("mkt,kts,nks->kmn", c, spread, c, optimize=True)
        # An effect that a single school carries has no error; the others keep theirs.
        alone = (np.abs(c).max(axis=2) > 0) & (moments.n == 1)[None, :]
        parts[alone.T[:, :, None] | alone.T[:, None, :]] = np.nan
        variances, df = welch(parts, moments.df)
        return Inferred(estimates, np.sqrt(variances), df, parts, moments.df)
    parts = np.einsum("mkt,kts,nks->kmn", c, moments.plain, c, optimize=True)
    share = moments.n / moments.n.sum()
    parts = parts + np.einsum("k,mk,nk->kmn", share, contrasts.share_slopes, contrasts.share_slopes) / moments.n.sum()
    variances = np.diagonal(parts.sum(axis=0))
    return Inferred(estimates, np.sqrt(variances), np.full(len(estimates), math.inf), parts,
                    np.full(len(moments.n), math.inf))  # fmt: skip


def welch(parts: np.ndarray, cohort_df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances and Satterthwaite degrees of freedom of effects to which cohorts add independently."""
    each = np.maximum(np.diagonal(parts, axis1=1, axis2=2), 0)
    variances = each.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.where(each > NEGLIGIBLE * variances, each**2 / cohort_df[:, None], 0).sum(axis=0)
        df = np.where(np.isnan(variances), np.nan, variances**2 / lost)
    return variances, df


def joint_zero(found: Inferred) -> Joint:
    """Test that all effects are nought: F by Welch and Hotelling, chi-square for influence functions.

    NaN where the effects outnumber what the schools can tell (covariance singular).
    """
    p = len(found.estimates)
    covariance = found.covariance
    if p == 0 or not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance, hermitian=True) < p:
        return Joint(math.nan, p, math.nan, math.nan)
    square = float(found.estimates @ np.linalg.solve(covariance, found.estimates))
    if np.isinf(found.cohort_df).all():
        return Joint(square, p, math.inf, float(stats.chi2.sf(square, p)))
    nu = joint_df(found)
    df2 = nu - p + 1
    if df2 <= 0:
        return Joint(math.nan, p, df2, math.nan)
    statistic = square * df2 / (nu * p)
    return Joint(statistic, p, df2, float(stats.f.sf(statistic, p, df2)))


def joint_df(found: Inferred) -> float:
    """Degrees of freedom of the covariance of several effects (Krishnamoorthy & Yu 2004)."""
    p, whole = len(found.estimates), found.covariance
    lost = 0.0
    for part, df in zip(found.parts, found.cohort_df, strict=True):
        if np.abs(part).max() > 0:
            a = np.linalg.solve(whole, part)
            lost += (np.trace(a @ a) + np.trace(a) ** 2) / df
    return (p + p**2) / lost
