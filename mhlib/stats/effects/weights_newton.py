"""Many weighted fits at once, each under its own frequencies of rows: the logit, and the dual of entropy balancing.

Rows are shared by all fits, so that each step is two products of matrices and a stack of small systems: a thousand draws of
a bootstrap cost little more than their exponentials. Columns are expected about unit size.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

STEPS = 80
# Steps of a logit, and differences of means left by entropy weights, below which a fit has converged.
CLOSE, BALANCED = 1e-7, 1e-10
# Longest step of a fit in the units of its columns.
LONGEST = 3.0


def column_products(x: np.ndarray) -> np.ndarray:
    """Products of every two columns, shape (n, p²)."""
    return (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)


def logit_fits(
    x: np.ndarray, y: np.ndarray, frequency: np.ndarray, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood of a logit under each column of frequencies.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray of 0/1, shape (n,)
    frequency : ndarray, shape (n, b)
    start : ndarray, shape (p,), optional

    Returns
    -------
    coefficients : ndarray, shape (p, b)
    converged : ndarray of bool, shape (b,)
    """
    products, p, b = column_products(x), x.shape[1], frequency.shape[1]
    beta = np.zeros((p, b)) if start is None else np.repeat(start[:, None], b, axis=1)
    done = np.zeros(b, dtype=bool)
    for _ in range(STEPS):
        open_ = np.flatnonzero(~done)
        f = frequency[:, open_]
        mean = expit(x @ beta[:, open_])
        slope = x.T @ (f * (y[:, None] - mean))
        bend = (products.T @ (f * mean * (1 - mean))).T.reshape(-1, p, p)
        step, sound = steps_of(bend, slope)
        beta[:, open_] += step
        done[open_] = sound & (np.abs(step).max(axis=0) < CLOSE)
        if done.all():
            break
    return beta, done


def entropy_fits(
    z: np.ndarray, target: np.ndarray, frequency: np.ndarray, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of rows nearest to their frequencies whose means are the targets (Hainmueller 2012), for each column.

    Parameters
    ----------
    z : ndarray, shape (n, m)
    target : ndarray, shape (m, b)
    frequency : ndarray, shape (n, b)

    Returns
    -------
    weights : ndarray, shape (n, b)
        Per row (frequency not included), so that frequency times weight sums to 1.
    coefficients : ndarray, shape (m, b)
    converged : ndarray of bool, shape (b,)
    """
    products, m, b = column_products(z), z.shape[1], frequency.shape[1]
    tilt = np.zeros((m, b)) if start is None else np.repeat(start[:, None], b, axis=1)
    done, weights = np.zeros(b, dtype=bool), np.empty_like(frequency)
    for _ in range(STEPS):
        open_ = np.flatnonzero(~done)
        index = z @ tilt[:, open_]
        one = np.exp(index - index.max(axis=0))
        one /= (frequency[:, open_] * one).sum(axis=0)
        weights[:, open_] = one
        share = frequency[:, open_] * one
        mean = z.T @ share
        slope = target[:, open_] - mean
        bend = (products.T @ share).T.reshape(-1, m, m) - np.einsum("ib,jb->bij", mean, mean)
        step, sound = steps_of(bend, slope)
        # Newton's decrement: a damped step far from the optimum, a full one near it.
        decrement = np.sqrt(np.maximum((slope * step).sum(axis=0), 0.0))
        done[open_] = sound & (np.abs(slope).max(axis=0) < BALANCED)
        tilt[:, open_] += np.where(done[open_], 0.0, step / np.where(decrement > 0.5, 1 + decrement, 1.0))
        if done.all():
            break
    return weights, tilt, done


def steps_of(bend: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step of each fit, shape (p, b), shortened where it is too long; and whether its system was sound."""
    p = bend.shape[1]
    level = np.trace(bend, axis1=1, axis2=2) / p
    sound = np.isfinite(level) & (level > 1e-300)
    safe = np.where(sound[:, None, None], bend / np.where(sound, level, 1.0)[:, None, None], np.eye(p))
    step = np.linalg.solve(safe + 1e-13 * np.eye(p), (slope.T / np.where(sound, level, 1.0)[:, None])[:, :, None])[
        :, :, 0
    ].T
    length = np.abs(step).max(axis=0)
    return step * np.minimum(1.0, LONGEST / np.maximum(length, 1e-300)), sound
