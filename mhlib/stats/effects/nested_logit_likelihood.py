"""Likelihood of a random-intercept logit from counts of like rows within each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

IMAGINARY = 1e-40
STEP = 1e-5


@dataclass(frozen=True, slots=True)
class LogitCells:
    """Rows alike in their columns within one group, counted.

    Attributes
    ----------
    x : ndarray, shape (c, p)
    trials, successes : ndarray, shape (c,)
    starts : ndarray, shape (groups,)
        Where each group's cells begin.
    group : ndarray, shape (c,)
    """

    x: np.ndarray
    trials: np.ndarray
    successes: np.ndarray
    starts: np.ndarray
    group: np.ndarray


def cells_of(x: np.ndarray, y: np.ndarray, group: np.ndarray, n_groups: int) -> LogitCells:
    """Count answers by group and distinct row of columns."""
    code = group.astype(np.int64)
    for column in x.T:
        each, found = pd.factorize(column)
        code = pd.factorize(code * len(found) + each)[0]
    first = np.unique(code, return_index=True)[1]
    trials, successes = np.bincount(code).astype(float), np.bincount(code, weights=y)
    order = np.argsort(group[first], kind="stable")
    owner = group[first][order]
    starts = np.searchsorted(owner, np.arange(n_groups))
    return LogitCells(x[first][order], trials[order], successes[order], starts, owner)


def softplus(eta: np.ndarray) -> np.ndarray:
    """log(1 + exp(eta)) without overflow, also along the imaginary axis."""
    positive = eta.real > 0
    return np.where(positive, eta, 0.0) + np.log1p(np.exp(np.where(positive, -eta, eta)))


def share(eta: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-eta)), likewise."""
    small = np.exp(np.where(eta.real > 0, -eta, eta))
    return np.where(eta.real > 0, 1.0, small) / (1 + small)


def deviance(cells: LogitCells, theta: np.ndarray, nodes: int) -> complex:
    """-2 log-likelihood at (beta, sd), each group's effect integrated out about its mode."""
    theta = np.asarray(theta)
    sd, fixed = theta[-1], cells.x @ theta[:-1]
    u = modes(cells, fixed.real, float(sd.real))
    if np.iscomplexobj(theta):
        # One Newton step from the real mode carries its derivative exactly.
        score, curve = score_of(cells, fixed, sd, u)
        u = u + score / curve
    curve = score_of(cells, fixed, sd, u)[1]
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    spread = points[:, None] / np.sqrt(curve)
    heights = np.array([height(cells, fixed, sd, u + each) for each in spread]) + points[:, None] ** 2 / 2
    top = heights.real.max(axis=0)
    summed = (weights[:, None] / weights.sum() * np.exp(heights - top)).sum(axis=0)
    found = -2 * (np.log(summed) + top - np.log(curve) / 2).sum()
    return found if np.iscomplexobj(theta) else float(found)


def height(cells: LogitCells, fixed: np.ndarray, sd: complex, u: np.ndarray) -> np.ndarray:
    """Log of each group's likelihood times the normal density of its effect, but for a constant."""
    eta = fixed + sd * u[cells.group]
    return np.add.reduceat(cells.successes * eta - cells.trials * softplus(eta), cells.starts) - u**2 / 2


def score_of(cells: LogitCells, fixed: np.ndarray, sd: complex, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First derivative of the height by the effect, and the second with its sign turned."""
    p = share(fixed + sd * u[cells.group])
    score = sd * np.add.reduceat(cells.successes - cells.trials * p, cells.starts) - u
    return score, 1 + sd**2 * np.add.reduceat(cells.trials * p * (1 - p), cells.starts)


def modes(cells: LogitCells, fixed: np.ndarray, sd: float) -> np.ndarray:
    """Most likely effect of each group, in units of their standard deviation."""
    u = np.zeros(len(cells.starts))
    for _ in range(100):
        score, curve = score_of(cells, fixed, sd, u)
        # A step of more than 2 standard deviations may overshoot where the curve is flat.
        step = np.clip(score / curve, -2, 2)
        u = u + step
        if np.abs(step).max() < 1e-12:
            break
    return u


def gradient(cells: LogitCells, theta: np.ndarray, nodes: int) -> np.ndarray:
    """Exact first derivatives, by steps along the imaginary axis."""
    found = np.empty(len(theta))
    for j in range(len(theta)):
        step = np.asarray(theta, dtype=complex)
        step[j] += 1j * IMAGINARY
        found[j] = deviance(cells, step, nodes).imag / IMAGINARY
    return found


def hessian(cells: LogitCells, theta: np.ndarray, nodes: int) -> np.ndarray:
    """Second derivatives, by central differences of the exact gradient."""
    rows = []
    for unit in np.eye(len(theta)):
        ahead, behind = (gradient(cells, theta + side * STEP * unit, nodes) for side in (1, -1))
        rows.append((ahead - behind) / (2 * STEP))
    found = np.array(rows)
    return (found + found.T) / 2
