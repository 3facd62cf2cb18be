"""Item response theory beside a plain EM over rows: what one writes with numpy in an afternoon."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from mhlib.stats.measurement import dif_likelihood_ratio, graded_response

ITEMS, CATEGORIES = 9, 4


def answers(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nine four-category items of `n` pupils of two groups, item 1 harder for the second."""
    rng = np.random.default_rng(9)
    group = rng.integers(0, 2, n)
    slopes, b = rng.uniform(1.2, 2.6, ITEMS), np.sort(rng.normal(0.8, 1, (ITEMS, CATEGORIES - 1)), axis=1)
    theta, draw, result = rng.normal(0.2 * group, 1), rng.random((n, ITEMS)), np.zeros((n, ITEMS), dtype=int)
    for c in range(CATEGORIES - 1):
        shift = np.where(np.arange(ITEMS) == 0, 0.4, 0.0) * group[:, None]
        result += draw < 1 / (1 + np.exp(-slopes * (theta[:, None] - b[:, c] - shift)))
    return result, group


def em_over_rows(rows: np.ndarray, cycles: int) -> float:
    """The log-likelihood after `cycles` of Bock and Aitkin's EM, every pupil a row, 61 points."""
    theta = np.linspace(-6, 6, 61)
    weight = np.exp(-(theta**2) / 2)
    weight /= weight.sum()
    x = [np.r_[1.0, 0.5, np.zeros(CATEGORIES - 2)] for _ in range(ITEMS)]

    def curves(v: np.ndarray) -> np.ndarray:
        # Gaps as exponentials: an optimiser that lets boundaries cross would find a likelihood that is none.
        intercepts = v[1] - np.r_[0.0, np.cumsum(np.exp(v[2:]))]
        above = 1 / (1 + np.exp(-(v[0] * theta + intercepts[:, None])))
        return np.maximum(-np.diff(np.vstack([np.ones(61), above, np.zeros(61)]), axis=0), 1e-12)

    loglik = 0.0
    for _ in range(cycles):
        dense = np.tile(np.log(weight), (len(rows), 1))
        for j in range(ITEMS):
            dense += np.log(curves(x[j]))[rows[:, j]]
        dense = np.exp(dense)
        total = dense.sum(axis=1, keepdims=True)
        loglik = float(np.log(total).sum())
        dense /= total
        for j in range(ITEMS):
            expected = np.array([dense[rows[:, j] == c].sum(axis=0) for c in range(CATEGORIES)])
            x[j] = minimize(lambda v, r=expected: -(r * np.log(curves(v))).sum(), x[j], method="L-BFGS-B").x
    return loglik


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same?); sixty cycles bring the peer within .01 of our log-likelihood, from below."""
    n = 13_000 if quick else 130_000
    rows, group = answers(n)
    return [
        (
            f"graded response model with standard errors, {n:,} pupils, 9 items x 4",
            "numpy EM over rows, 60 cycles, no errors",
            lambda: graded_response(rows),
            lambda: em_over_rows(rows, 60),
            lambda a, b: -1e-6 < a.log_likelihood - b < 0.01,
        ),
        (
            f"likelihood-ratio DIF of 9 items, two groups, {n:,} pupils, purified",
            "numpy EM over rows, one of the 38 fits",
            lambda: dif_likelihood_ratio(rows, group, reference=0, cutoffs=[10]),
            lambda: em_over_rows(rows, 60),
            lambda a, b: a.flagged == ("0",),
        ),
    ]
