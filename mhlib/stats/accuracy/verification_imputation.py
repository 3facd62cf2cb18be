"""The unverified filled in many times from a logistic model, drawn properly, and put together by Rubin's rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mhlib.stats.accuracy.verification_models import logistic_fit, with_test
from mhlib.stats.accuracy.verification_patterns import Patterns
from mhlib.stats.accuracy.verification_shares import MEASURES, linear_forms
from mhlib.stats.clustered import variance_of_total

ROUNDS = 200
SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Patterns, or patterns within clusters: people alike in everything that the imputation knows."""

    design: np.ndarray
    test: np.ndarray
    n: np.ndarray
    n_seen: np.ndarray
    n_case: np.ndarray
    cluster: np.ndarray | None
    n_clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """One measure over all imputations."""

    value: float
    std_error: float
    within: float
    between: float
    df: float
    fraction_missing: float


def imputed_shares(patterns: Patterns, *, m: int, seed: int) -> dict[str, Pooled]:
    """Measures pooled over `m` completed data sets.

    Draws are proper: coefficients from their normal approximation, then each unverified person's status. With clusters
    the model carries a random intercept by cluster (penalised quasi-likelihood), so that pupils filled in resemble
    each other within a school as much as those verified do.
    """
    units = units_of(patterns)
    rng = np.random.default_rng(seed)
    draw = rates_by_cluster(units, rng) if units.cluster is not None else rates_at_large(units, rng)
    forms = linear_forms(units.test)
    values, within = np.empty((m, len(MEASURES))), np.empty((m, len(MEASURES)))
    unseen = (units.n - units.n_seen).astype(np.int64)
    for place in range(m):
        case = units.n_case + rng.binomial(unseen, draw())
        values[place], within[place] = completed(units, forms, case)
    complete_df = math.inf if units.cluster is None else units.n_clusters - 1
    return {name: rubin(values[:, j], within[:, j], complete_df) for j, name in enumerate(MEASURES)}


def units_of(patterns: Patterns) -> Units:
    """Patterns as they are, or split by cluster."""
    design = with_test(patterns)
    if patterns.groups is None:
        return Units(design, patterns.test, patterns.n_all, patterns.n_seen, patterns.n_case, None, 0)
    code, n_clusters = patterns.groups
    key, unit = np.unique(patterns.pattern * n_clusters + code, return_inverse=True)
    people = np.bincount(unit * 3 + patterns.status, minlength=3 * len(key)).reshape(-1, 3).astype(float)
    pattern = key // n_clusters
    return Units(
        design[pattern], patterns.test[pattern], people.sum(axis=1), people[:, :2].sum(axis=1), people[:, 1],
        key % n_clusters, n_clusters,
    )  # fmt: skip


def rates_at_large(units: Units, rng: np.random.Generator):
    """Give a function that draws the case rate of every unit from the model of the verified."""
    centre, covariance = logistic_fit(units.design, units.n_seen, units.n_case, what="cases")
    root = np.linalg.cholesky(covariance)
    return lambda: expit(units.design @ (centre + root @ rng.standard_normal(len(centre))))


def rates_by_cluster(units: Units, rng: np.random.Generator):
    """Give a function that draws the case rate of every unit, from a model with a random intercept by cluster."""
    centre, effect, variance = random_intercept_fit(units)
    spread, cross, schur = arrow(units, centre, effect, variance)
    root = np.linalg.cholesky(np.linalg.inv(schur))

    def draw() -> np.ndarray:
        shift = root @ rng.standard_normal(len(centre))
        # Given the coefficients the clusters are independent of each other.
        mean = effect - (cross.T @ shift) / spread
        drawn = mean + rng.standard_normal(len(effect)) / np.sqrt(spread)
        return expit(units.design @ (centre + shift) + drawn[units.cluster])

    return draw


def random_intercept_fit(units: Units) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, cluster intercepts and their variance, by penalised quasi-likelihood (Breslow & Clayton 1993)."""
    centre, _ = logistic_fit(units.design, units.n_seen, units.n_case, what="cases")
    effect, variance = np.zeros(units.n_clusters), 0.1
    for _ in range(ROUNDS):
        spread, cross, schur = arrow(units, centre, effect, variance)
        residual = units.n_case - units.n_seen * expit(units.design @ centre + effect[units.cluster])
        pull = np.bincount(units.cluster, residual, minlength=units.n_clusters) - effect / variance
        shift = np.linalg.solve(schur, units.design.T @ residual - cross @ (pull / spread))
        step = (pull - cross.T @ shift) / spread
        centre, effect = centre + shift, effect + step
        uncertain = 1 / spread + np.einsum("ig,ij,jg->g", cross, np.linalg.inv(schur), cross) / spread**2
        previous, variance = variance, max(float((effect**2 + uncertain).mean()), SMALLEST_VARIANCE)
        if abs(variance - previous) < 1e-6 * variance + 1e-9 and np.abs(shift).max() < 1e-8:
            break
    return centre, effect, variance


def arrow(
    units: Units, centre: np.ndarray, effect: np.ndarray, variance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Information of coefficients and cluster intercepts: the diagonal of the latter, the cross part, the remainder."""
    rate = expit(units.design @ centre + effect[units.cluster])
    weight = units.n_seen * rate * (1 - rate)
    spread = np.bincount(units.cluster, weight, minlength=units.n_clusters) + 1 / variance
    cross = np.stack(
        [np.bincount(units.cluster, weight * column, minlength=units.n_clusters) for column in units.design.T]
    )
    return spread, cross, (units.design * weight[:, None]).T @ units.design - (cross / spread) @ cross.T


def completed(units: Units, forms: dict, case: np.ndarray) -> tuple[list[float], list[float]]:
    """Measures and their variances in one completed data set."""
    values, variances = [], []
    for a, b, c, d in forms.values():
        top, bottom = a * units.n + b * case, c * units.n + d * case
        total = bottom.sum()
        value = top.sum() / total if total > 0 else math.nan
        values.append(value)
        if units.cluster is None or not total > 0:
            variances.append(value * (1 - value) / total if total > 0 else math.nan)
        else:
            variances.append(variance_of_total((top - value * bottom) / total, (units.cluster, units.n_clusters)))
    return values, variances


def rubin(values: np.ndarray, within: np.ndarray, complete_df: float) -> Pooled:
    """Rubin's rules (1987), with the degrees of freedom of Barnard and Rubin (1999).

    Parameters
    ----------
    values, within : ndarray, shape (m,)
        Estimate and variance in each completed data set.
    complete_df : float
        Degrees of freedom with nothing missing; may be infinite.
    """
    m = len(values)
    inside, between = float(within.mean()), float(values.var(ddof=1))
    total = inside + (1 + 1 / m) * between
    missing = (1 + 1 / m) * between / total if total > 0 else 0.0
    inverse = missing**2 / (m - 1)
    if math.isfinite(complete_df):
        observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - missing)
        inverse += 1 / observed if observed > 0 else math.inf
    return Pooled(
        value=float(values.mean()), std_error=math.sqrt(total), within=inside, between=between,
        df=1 / inverse if inverse > 0 else math.inf, fraction_missing=missing,
    )  # fmt: skip
