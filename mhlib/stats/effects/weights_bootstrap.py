"""A weighted difference, its doubly robust companion, and both again in draws of whole schools with new weights in each."""

from __future__ import annotations

import numpy as np

from mhlib.stats.effects.weights_newton import column_products
from mhlib.stats.effects.weights_rows import TreatmentRows
from mhlib.stats.effects.weights_schemes import Scheme, Weighed

# Numbers held at once: rows times draws.
AT_ONCE = 4_000_000


def weighted_difference(y: np.ndarray, treated: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean of the treated less that of the untreated under each column of weights times frequencies, shape (b,)."""
    one, other = treated == 1, treated == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return y[one] @ counted[one] / counted[one].sum(axis=0) - y[other] @ counted[other] / counted[other].sum(axis=0)


def predicted(unit: np.ndarray, y: np.ndarray, frequency: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Outcome of every row by least squares within a group of rows, under each column of frequencies, shape (n, b)."""
    x, f, p = unit[group], frequency[group], unit.shape[1]
    bend = (column_products(x).T @ f).T.reshape(-1, p, p)
    bend += 1e-10 * np.trace(bend, axis1=1, axis2=2)[:, None, None] / p * np.eye(p)
    return unit @ np.linalg.solve(bend, ((x.T @ (f * y[group][:, None])).T)[:, :, None])[:, :, 0].T


def doubly_robust(
    rows: TreatmentRows, y: np.ndarray, seen: np.ndarray, found: Weighed, frequency: np.ndarray
) -> np.ndarray:
    """Augmented weighted difference: mean of predicted effects in the population, and the weighted residuals' difference.

    Right if either the weights or the linear outcome regressions within each group are. Reference: Robins, Rotnitzky & Zhao
    (1994) JASA 89:846; Mao, Li & Greene (2019) Stat Methods Med Res 28:2439.
    """
    one, other = (rows.treated == 1) & seen, (rows.treated == 0) & seen
    treated, untreated = (predicted(rows.unit, y, frequency, group) for group in (one, other))
    population = frequency * found.population
    effect = (population * (treated - untreated)).sum(axis=0) / population.sum(axis=0)
    counted = frequency * found.weights
    for sign, group, mean in ((1, one, treated), (-1, other, untreated)):
        effect += sign * (counted[group] * (y[group][:, None] - mean[group])).sum(axis=0) / counted[group].sum(axis=0)
    return effect


def both_estimates(
    rows: TreatmentRows,
    y: np.ndarray,
    scheme: Scheme,
    frequency: np.ndarray,
    start: np.ndarray | None,
    *,
    augment: bool,
) -> np.ndarray:
    """Weighted and doubly robust estimate under each column of frequencies, shape (b, 2); NaN without weights."""
    seen = ~np.isnan(y)
    found = scheme.weigh(rows, frequency, start)
    plain = weighted_difference(y[seen], rows.treated[seen], (frequency * found.weights)[seen])
    second = doubly_robust(rows, y, seen, found, frequency) if augment else np.full(len(plain), np.nan)
    return np.where(found.converged[:, None], np.column_stack([plain, second]), np.nan)


def drawn_frequencies(rng: np.random.Generator, rows: TreatmentRows, n_draws: int) -> np.ndarray:
    """How often each cluster is drawn, shape (g, n_draws): within groups where whole clusters were treated, else over all."""
    groups = rows.groups
    g = groups.max() + 1
    if not rows.whole_clusters:
        return rng.multinomial(g, np.full(g, 1 / g), size=n_draws).T
    top, times = np.zeros(g, dtype=int), np.zeros((g, n_draws), dtype=int)
    top[groups] = rows.treated.astype(int)
    for arm in (0, 1):
        these = np.flatnonzero(top == arm)
        times[these] = rng.multinomial(len(these), np.full(len(these), 1 / len(these)), size=n_draws).T
    return times


def bootstrap_draws(
    rows: TreatmentRows,
    y: np.ndarray,
    scheme: Scheme,
    *,
    start: np.ndarray,
    n_draws: int,
    seed: int | np.random.Generator,
    augment: bool = True,
) -> np.ndarray:
    """Estimates of draws of whole schools, the weights found anew in each, shape (n_draws, 2); NaN where none exist.

    A draw that leaves out a group, or schools that alone hold a level of a covariate, has no weights.
    """
    times = drawn_frequencies(np.random.default_rng(seed), rows, n_draws)
    n, found = len(rows.treated), np.full((n_draws, 2), np.nan)
    # Both groups, with an outcome.
    per = [np.bincount(rows.groups, weights=(rows.treated == arm) & ~np.isnan(y)) @ times for arm in (0, 1)]
    possible = np.flatnonzero((per[0] > 0) & (per[1] > 0))
    width = max(1, AT_ONCE // n)
    for first in range(0, len(possible), width):
        these = possible[first : first + width]
        frequency = times[rows.groups][:, these].astype(float)
        found[these] = both_estimates(rows, y, scheme, frequency, start, augment=augment)
    return found


def bootstrap_errors(rows: TreatmentRows, draws: np.ndarray) -> np.ndarray:
    """Standard deviation of the draws, lengthened for schools that stand in for their own spread, shape (2,)."""
    groups, g = rows.groups, int(rows.groups.max()) + 1
    spread = np.std(draws, axis=0, ddof=1)
    if not rows.whole_clusters:
        return spread * np.sqrt(g / (g - 1))
    treated = len(np.unique(groups[rows.treated == 1]))
    few = min(treated, g - treated)
    return spread * np.sqrt(few / max(few - 1, 1))
