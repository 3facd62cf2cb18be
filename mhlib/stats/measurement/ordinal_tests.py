"""Naive and scaled tests of a model of ordered items, the fit indices made of them, and tests of nested models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from mhlib.stats.measurement.ordinal_dwls import DwlsFit, Weighted, traces

SCALINGS = {"scaled_shifted": "scaled and shifted (WLSMV)", "mean_adjusted": "mean-adjusted (WLSM)"}
RMSEA_LEVEL = 0.90


@dataclass(frozen=True, slots=True)
class Chi2:
    """A chi-square statistic; `effective_df` is what RMSEA compares it with."""

    value: float
    df: int
    scale: float = 1.0
    shift: float = 0.0
    effective_df: float = math.nan

    @property
    def p_value(self) -> float:
        """Upper tail; NaN without degrees of freedom."""
        return float(stats.chi2.sf(self.value, self.df)) if self.df > 0 else math.nan


def scaled(value: float, df: int, trace: float, trace_squared: float, scaling: str) -> Chi2:
    """A statistic scaled to the mean (and variance) of its reference.

    scaled_shifted: T sqrt(df / tr2) + df - sqrt(df tr1^2 / tr2) (Asparouhov and Muthen 2010); mean_adjusted:
    T df / tr1 (Satorra and Bentler 1994). `scale` is lavaan's scaling factor, which divides.
    """
    if df <= 0 or not (trace > 0 and trace_squared > 0):
        return Chi2(math.nan, df)
    if scaling == "mean_adjusted":
        return Chi2(value * df / trace, df, trace / df, 0.0, trace)
    factor = math.sqrt(df / trace_squared)
    shift = df - factor * trace
    return Chi2(value * factor + shift, df, 1 / factor, shift, df)


def model_test(fit: DwlsFit, data: Weighted, scaling: str) -> Chi2:
    """Scaled test of the model; NaN without gamma."""
    if data.spread is None or fit.df == 0:
        return Chi2(math.nan, fit.df)
    return scaled(fit.chi2, fit.df, *traces(fit, data), scaling)


def baseline_tests(data: Weighted, n_thresholds: int, scaling: str) -> tuple[Chi2, Chi2]:
    """Naive and scaled test that no two items correlate; its thresholds fit by construction, so no search is needed."""
    gap = (data.root * data.values)[:, n_thresholds:]
    value, df = float(np.sum((data.n - 1)[:, None] * gap * gap)), gap.size
    naive = Chi2(value, df, effective_df=df)
    if data.spread is None:
        return naive, Chi2(math.nan, df)
    squared = sum(float(np.sum(one[n_thresholds:, n_thresholds:] ** 2)) for one in data.spread)
    return naive, scaled(value, df, df, squared, scaling)


def fit_indices(test: Chi2, base: Chi2, rmsea_value: float, n: float, n_groups: int) -> dict[str, float]:
    """Chi-square, CFI, TLI and RMSEA with its 90 per cent interval, as lavaan defines them.

    `rmsea_value` is the statistic that RMSEA reads: the scaled one, or under mean adjustment the naive one with the
    trace as degrees of freedom.
    """
    excess, base_excess = max(test.value - test.df, 0.0), max(base.value - base.df, test.value - test.df, 0.0)
    low, high = rmsea_bounds(rmsea_value, test.effective_df, n, n_groups)
    return {
        "chi2": test.value,
        "df": test.df,
        "p_value": test.p_value,
        "cfi": cfi_of(excess, base_excess),
        "tli": tli_of(test, base),
        "rmsea": rmsea_of(rmsea_value - test.effective_df, test.effective_df, n, n_groups),
        "rmsea_low": low,
        "rmsea_high": high,
        "scale": test.scale,
        "shift": test.shift,
    }


def cfi_of(excess: float, base_excess: float) -> float:
    """1 - excess of the model / excess of the baseline."""
    if math.isnan(excess) or math.isnan(base_excess):
        return math.nan
    return 1 - excess / base_excess if base_excess > 0 else 1.0


def tli_of(test: Chi2, base: Chi2) -> float:
    """1 - (excess per df of the model) / (excess per df of the baseline); 1 without degrees of freedom."""
    if test.df == 0:
        return 1.0
    return 1 - (test.value - test.df) / test.df / ((base.value - base.df) / base.df)


def rmsea_of(excess: float, df: float, n: float, n_groups: int) -> float:
    """sqrt(excess / (df n)) sqrt(groups)."""
    if math.isnan(excess):
        return math.nan
    return math.sqrt(max(excess, 0.0) / (df * n) * n_groups) if df > 0 else 0.0


def rmsea_bounds(value: float, df: float, n: float, n_groups: int) -> tuple[float, float]:
    """90 per cent interval from the noncentral chi-square."""
    if not math.isfinite(value) or not df > 0:
        return math.nan, math.nan
    return tuple(
        rmsea_of(noncentrality(value, df, probability), df, n, n_groups)
        for probability in ((1 + RMSEA_LEVEL) / 2, (1 - RMSEA_LEVEL) / 2)
    )


def noncentrality(value: float, df: float, probability: float) -> float:
    """The noncentrality at which `value` is this quantile, 0 if even 0 is too much."""

    def gap(nc: float) -> float:
        return float(special.chndtr(value, df, nc)) - probability

    if gap(0.0) <= 0:
        return 0.0
    # The quantile lies within a few standard deviations sqrt(2 (df + 2 nc)) of the mean df + nc.
    top = value + 10 * math.sqrt(2 * (df + 2 * value)) + 50
    return float(optimize.brentq(gap, 0.0, top, xtol=1e-10, rtol=1e-13))


def srmr_of(fit: DwlsFit, data: Weighted, k: int) -> float:
    """Root mean square of the residual correlations, diagonal counted, people-weighted over groups."""
    cut = data.values.shape[1] - k * (k - 1) // 2
    gap = (data.values - fit.found.moments)[:, cut:]
    return float(np.sum(data.share * np.sqrt(np.sum(gap * gap, axis=1) / (k * (k + 1) / 2))))


def difference_test(general: DwlsFit, narrow: DwlsFit, data: Weighted, scaling: str) -> Chi2:
    """Scaled test of a narrower model within a more general one (Satorra 2000), as lavTestLRT has it.

    The restrictions A are the complement of what the narrow model's moments can move among the general model's; with P
    the inverse information of the general model, the reference is that of U = W J P A'(A P A')^-1 A P J'W. Both
    Jacobians are taken at their own estimates.
    """
    df = narrow.df - general.df
    value = narrow.chi2 - general.chi2
    if df == 0:
        return Chi2(value, 0)
    if data.spread is None:
        return Chi2(math.nan, df)
    directions = restrictions(general, narrow, data)
    spread = general.bread @ directions.T
    middle = spread @ np.linalg.pinv(directions @ spread) @ spread.T
    inner = middle @ general.meat
    trace, squared = float(np.trace(inner)), float(np.sum(inner * inner.T))
    return scaled(value, df, trace, squared, scaling)


def restrictions(general: DwlsFit, narrow: DwlsFit, data: Weighted) -> np.ndarray:
    """A: orthogonal complement of the projection of the narrow Jacobian on the general one, shape (df, n_free)."""
    size, other = general.model.built.n_free, narrow.model.built.n_free
    square, cross = np.zeros((size, size)), np.zeros((size, other))
    for wide, tight, own, ours in zip(
        plain_jacobian(general, data), plain_jacobian(narrow, data), general.model.active, narrow.model.active,
        strict=True,
    ):  # fmt: skip
        square[np.ix_(own, own)] += wide.T @ wide
        cross[np.ix_(own, ours)] += wide.T @ tight
    left, values, _ = np.linalg.svd(np.linalg.solve(square, cross), full_matrices=True)
    rank = int(np.sum(values > values[0] * 1e-9))
    return left[:, rank:].T


def plain_jacobian(fit: DwlsFit, data: Weighted) -> list[np.ndarray]:
    """Jacobian of each group's moments, weights taken off again."""
    return [
        block / (root * math.sqrt(share))[:, None]
        for block, root, share in zip(fit.blocks, data.root, data.share, strict=True)
    ]
