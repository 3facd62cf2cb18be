"""Rotations of factors: varimax, promax and direct oblimin; order and signs by one rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ROTATIONS = ("oblimin", "varimax", "promax", "none")
# Starts of a search that may end in a local minimum; the same ones in every run.
N_STARTS, START_SEED = 8, 20021
# A start counts as having found the best minimum within this relative distance.
SAME_MINIMUM = 1e-6


@dataclass(frozen=True, slots=True)
class Rotated:
    """Pattern, shape (k, q), factor correlations, shape (q, q), and the share of starts that found this minimum."""

    loadings: np.ndarray
    phi: np.ndarray
    agreement: float


def rotate(loadings: np.ndarray, rotation: str) -> Rotated:
    """Rotate unrotated loadings, then put factors in order and sign (see :func:`in_order`)."""
    q = loadings.shape[1]
    if q == 1 or rotation == "none":
        return in_order(loadings, np.eye(q), 1.0)
    if rotation == "varimax":
        return in_order(varimax(loadings), np.eye(q), 1.0)
    return in_order(*(promax(loadings) if rotation == "promax" else oblimin(loadings)))


def in_order(loadings: np.ndarray, phi: np.ndarray, agreement: float) -> Rotated:
    """Factors by the variance they carry, largest first, each turned so that its loadings sum to 0 or more."""
    order = np.argsort(-np.round(np.diag(phi @ loadings.T @ loadings), 10), kind="stable")
    sign = np.where(loadings[:, order].sum(axis=0) < 0, -1.0, 1.0)
    return Rotated(loadings[:, order] * sign, phi[np.ix_(order, order)] * np.outer(sign, sign), agreement)


def varimax(loadings: np.ndarray) -> np.ndarray:
    """Kaiser's (1958) varimax with rows set to length 1 while rotating."""
    length = np.sqrt((loadings**2).sum(axis=1))
    length = np.where(length > 0, length, 1.0)
    rows = loadings / length[:, None]
    turn, before = np.eye(rows.shape[1]), 0.0
    for _ in range(5000):
        turned = rows @ turn
        left, values, right = np.linalg.svd(rows.T @ (turned**3 - turned * (turned**2).mean(axis=0)))
        step = left @ right
        if np.abs(step - turn).max() < 1e-12 or values.sum() <= before * (1 - 1e-6):
            break
        turn, before = step, float(values.sum())
    return loadings @ turn


def promax(loadings: np.ndarray, power: int = 4) -> tuple[np.ndarray, np.ndarray, float]:
    """Hendrickson and White's (1964) promax of the varimax loadings."""
    simple = varimax(loadings)
    turn = np.linalg.lstsq(simple, simple * np.abs(simple) ** (power - 1), rcond=None)[0]
    turn = turn * np.sqrt(np.diag(np.linalg.inv(turn.T @ turn)))
    back = np.linalg.inv(turn)
    return simple @ turn, back @ back.T, 1.0


def oblimin(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Direct oblimin with gamma 0 (quartimin) from several starts; the lowest criterion wins."""
    q = loadings.shape[1]
    rng = np.random.default_rng(START_SEED)
    starts = [np.eye(q), varimax_turn(loadings)]
    starts += [np.linalg.qr(rng.normal(size=(q, q)))[0] for _ in range(N_STARTS - len(starts))]
    found = [gradient_projection(loadings, start, quartimin) for start in starts]
    values = np.array([value for value, _ in found])
    agreement = float(np.mean(values <= values.min() * (1 + SAME_MINIMUM) + 1e-12))
    turn = found[int(np.argmin(values))][1]
    return loadings @ np.linalg.inv(turn).T, turn.T @ turn, agreement


def varimax_turn(loadings: np.ndarray) -> np.ndarray:
    """The orthogonal matrix that takes loadings to their varimax position."""
    left, _, right = np.linalg.svd(loadings.T @ varimax(loadings))
    return left @ right


def quartimin(pattern: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum over pairs of factors of squared loadings multiplied, and its gradient."""
    squares = pattern**2
    others = squares.sum(axis=1, keepdims=True) - squares
    return float((squares * others).sum()) / 4, pattern * others


def gradient_projection(
    loadings: np.ndarray, turn: np.ndarray, criterion: Callable, *, tolerance: float = 1e-8, most: int = 3000
) -> tuple[float, np.ndarray]:
    """Lowest criterion over oblique rotations from one start (Jennrich 2002 Psychometrika 67:7).

    Columns of `turn` keep length 1; the step along the projected gradient is halved until it pays.
    """
    step = 1.0
    value, gradient = oblique_slope(loadings, turn, criterion)
    for _ in range(most):
        projected = gradient - turn * (turn * gradient).sum(axis=0)
        steep = float((projected**2).sum())
        if steep < tolerance**2:
            break
        step *= 2
        for _ in range(12):
            moved = turn - step * projected
            moved = moved / np.sqrt((moved**2).sum(axis=0))
            after, slope = oblique_slope(loadings, moved, criterion)
            if after < value - 0.5 * steep * step:
                break
            step /= 2
        if not after < value:
            break
        turn, value, gradient = moved, after, slope
    return value, turn


def oblique_slope(loadings: np.ndarray, turn: np.ndarray, criterion: Callable) -> tuple[float, np.ndarray]:
    """Criterion of the pattern that `turn` gives, and its gradient in `turn`."""
    inverse = np.linalg.inv(turn)
    pattern = loadings @ inverse.T
    value, slope = criterion(pattern)
    return value, -(pattern.T @ slope @ inverse).T
