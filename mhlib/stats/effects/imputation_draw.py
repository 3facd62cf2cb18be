"""One draw of a column's missing cells from a normal model with an intercept of its own for each school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

DONORS = 5
SWEEPS = 4
# mice adds the same trifle to the diagonal, so that collinear helpers do not stop a run.
RIDGE = 1e-5


@dataclass(slots=True)
class Parameters:
    """Coefficients estimated and drawn, levels of schools, and the two variances."""

    estimate: np.ndarray
    beta: np.ndarray
    level: np.ndarray
    within: float
    between: float


def draw_parameters(
    cross: np.ndarray, sums: np.ndarray, column: int, use: np.ndarray, former: Parameters | None, rng: np.random.Generator,
    *, levels: bool,
) -> Parameters:  # fmt: skip
    """Draw from the posterior of a column's model, given cross-products and sums by school of its observed rows.

    Flat priors on coefficients, 1/sigma^2 on the residual variance, flat on the standard deviation between schools.
    With levels, coefficients are drawn with the schools' levels integrated out, so that a few sweeps mix well.
    """
    xx, xy, yy = cross[np.ix_(use, use)], cross[use, column], cross[column, column]
    n = cross[0, 0]
    if not levels:
        return draw_single(xx, xy, yy, n, len(sums), rng)
    size, sx, sy = sums[:, 0], sums[:, use], sums[:, column]
    start = np.linalg.solve(ridged(xx), xy)
    rest = max(yy - 2 * start @ xy + start @ xx @ start, 1e-12)
    within, between = (former.within, former.between) if former else (0.9 * rest / n, 0.1 * rest / n)
    for _ in range(SWEEPS):
        shrink = between / (within + size * between)
        precision = ridged(xx - (sx * shrink[:, None]).T @ sx)
        factor = linalg.cho_factor(precision, lower=True)
        estimate = linalg.cho_solve(factor, xy - sx.T @ (shrink * sy))
        noise = linalg.solve_triangular(factor[0], rng.standard_normal(len(use)), lower=True, trans="T")
        beta = estimate + np.sqrt(within) * noise
        left = sy - sx @ beta
        level = shrink * left + np.sqrt(shrink * within) * rng.standard_normal(len(size))
        residual = yy - 2 * beta @ xy + beta @ xx @ beta - 2 * level @ left + size @ (level * level)
        within = residual / rng.chisquare(n)
        between = max(level @ level, 1e-12) / rng.chisquare(max((size > 0).sum() - 1, 1))
    return Parameters(estimate, beta, level, within, between)


def draw_single(
    xx: np.ndarray, xy: np.ndarray, yy: float, n: float, n_schools: int, rng: np.random.Generator
) -> Parameters:
    """The same without levels of schools: ordinary Bayesian regression."""
    factor = linalg.cho_factor(ridged(xx), lower=True)
    estimate = linalg.cho_solve(factor, xy)
    residual = max(yy - 2 * estimate @ xy + estimate @ xx @ estimate, 1e-12)
    within = residual / rng.chisquare(max(n - len(xy), 1))
    noise = linalg.solve_triangular(factor[0], rng.standard_normal(len(xy)), lower=True, trans="T")
    return Parameters(estimate, estimate + np.sqrt(within) * noise, np.zeros(n_schools), within, 0.0)


def ridged(xx: np.ndarray) -> np.ndarray:
    """Cross-products with the diagonal raised by a trifle of itself."""
    return xx + np.diag(RIDGE * np.diag(xx))


def draw_normal(design: np.ndarray, school: np.ndarray, found: Parameters, rng: np.random.Generator) -> np.ndarray:
    """Missing values as prediction plus noise."""
    return design @ found.beta + found.level[school] + np.sqrt(found.within) * rng.standard_normal(len(design))


def draw_matched(predicted: np.ndarray, wanted: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Missing values borrowed from one of the five observed pupils whose prediction lies nearest (type-1 matching).

    Parameters
    ----------
    predicted, values : ndarray, shape (n_observed,)
        Predictions by the estimated coefficients, and observed values.
    wanted : ndarray, shape (n_missing,)
        Predictions by the drawn coefficients.
    """
    # Ties of predictions must not always lend the same pupils: a hair of noise orders them by lot.
    jitter = 1e-9 * (np.ptp(predicted) + 1e-9)
    order = np.argsort(predicted + jitter * rng.random(len(predicted)))
    donors = min(DONORS, len(order))
    ranked = np.concatenate([[-np.inf], predicted[order], [np.inf]])
    right = np.searchsorted(ranked[1:-1], wanted) + 1
    left = right - 1
    # The five nearest of sorted values lie side by side: five steps, each to the nearer side.
    for _ in range(donors):
        nearer = wanted - ranked[left] < ranked[right] - wanted
        left = left - nearer
        right = right + ~nearer
    return values[order[left + rng.integers(0, donors, len(wanted))]]
