"""CR2 of a mixed model: the adjustment by the covariance itself, in the coordinates of each cluster.

With V the working covariance of a cluster and U = X M^(1/2), clubSandwich's adjustment is A = V^(1/2) (V² - V^(1/2) U U'
V^(1/2))^(-1/2) V^(1/2); taking the root of the whitened residual maker instead gives the same degrees of freedom nearly, and a
standard error that differs in about the fourth digit. Reference: Pustejovsky & Tipton (2018) JBES 36:672, theorem 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mhlib.stats.effects.mixed_blocks import Block
from mhlib.stats.effects.robust_adjust import ZERO, Adjusted, Solved, adjusted_plain
from mhlib.stats.effects.robust_sums import orthonormal

# Eigenvalues below this share of the largest are 0 but for rounding.
ROUNDING = 1e-14


def solved_blocks(blocks: Sequence[Block], n_clusters: int, names: tuple[str, ...]) -> Solved:
    """X'V^-1 X and the scores X'V^-1 e of each cluster, in columns in which the sum of the first is the identity."""
    p = len(names)
    wxx, raw = np.empty((n_clusters, p, p)), np.empty((n_clusters, p))
    for one in blocks:
        white = divided(one, one.x)
        wxx[one.place] = np.swapaxes(one.x, 1, 2) @ white
        raw[one.place] = np.einsum("bdp,bd->bp", white, one.e)
    turn = orthonormal(wxx.sum(axis=0), names)
    return Solved(turn, np.zeros(p), turn.T @ wxx @ turn, raw @ turn)


def divided(one: Block, x: np.ndarray) -> np.ndarray:
    """V^-1 x."""
    at = one.plain.shape[1]
    return np.concatenate([x[:, :at] / one.plain[:, :, None], np.linalg.solve(one.cells, x[:, at:])], axis=1)


def adjusted_blocks(blocks: Sequence[Block], fit: Solved, kind: str, root: str) -> Adjusted:
    """Scores adjusted by the rule of `kind`, without its scalar factor."""
    if kind != "CR2" or root == "whitened":
        return adjusted_plain(fit, kind)
    g, p = fit.raw.shape
    scores, reach, norm = np.empty((g, p)), np.empty((g, p, p)), np.empty((g, p, p))
    for one in blocks:
        x = one.x @ fit.scale
        covariance, half, inverse_half = powers(one)
        pulled = half @ x
        through = half @ inverse_root(covariance @ covariance - pulled @ np.swapaxes(pulled, 1, 2)) @ inverse_half @ x
        back = np.swapaxes(through, 1, 2)
        scores[one.place] = np.einsum("bpd,bd->bp", back, one.e)
        reach[one.place] = np.swapaxes(x, 1, 2) @ through
        norm[one.place] = back @ covariance @ through
    return Adjusted(fit.scale, fit.coefficients, scores, fit.raw, reach, norm, -np.eye(p), fit.wxx)


def powers(one: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V, its root and the root's inverse."""
    value, vector = np.linalg.eigh(one.cells)
    at, (b, d) = one.plain.shape[1], one.e.shape
    found = []
    for exponent in (1.0, 0.5, -0.5):
        whole = np.zeros((b, d, d))
        whole[:, np.arange(at), np.arange(at)] = one.plain**exponent
        whole[:, at:, at:] = (vector * (value**exponent)[:, None, :]) @ np.swapaxes(vector, 1, 2)
        found.append(whole)
    found[0][:, at:, at:] = one.cells
    return found[0], found[1], found[2]


def inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric power -1/2; directions of 0 are passed over."""
    value, vector = np.linalg.eigh(matrix)
    kept = value > np.maximum(ZERO, ROUNDING * value[:, -1:])
    factor = np.where(kept, np.where(kept, value, 1.0) ** -0.5, 0.0)
    return (vector * factor[:, None, :]) @ np.swapaxes(vector, 1, 2)
