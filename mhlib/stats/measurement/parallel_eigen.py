"""Eigenvalues that chance alone gives: of correlations, and of correlations with communalities of one factor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mhlib.stats.measurement.correlation_input import pearson
from mhlib.stats.measurement.efa_extraction import LEAST_UNIQUENESS

# In chance data a loading beyond this is one item standing for the factor (communality .9).
SWALLOWED = 0.9**0.5


def chance_correlations(n: int, k: int, n_iter: int, seed: int) -> np.ndarray:
    """Correlations of `k` independent normal items in `n` people, shape (n_iter, k, k), by Bartlett's decomposition.

    Cross-products of normal rows are Wishart, so k(k + 1)/2 draws stand for n k: time has no people in it.
    """
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.standard_normal((n_iter, k, k)), -1)
    np.einsum("bii->bi", lower)[...] = np.sqrt(rng.chisquare(n - 1 - np.arange(k), size=(n_iter, k)))
    return pearson(lower @ lower.transpose(0, 2, 1))


def permuted_correlations(complete: np.ndarray, correlation: Callable, n_iter: int, seed: int) -> np.ndarray:
    """Correlations of rows whose items are shuffled apart, shape (n_iter, k, k): each item keeps its own distribution."""
    rng = np.random.default_rng(seed)
    columns = np.asfortranarray(complete)
    return np.stack([np.asarray(correlation(rng.permuted(columns, axis=0)), dtype=float) for _ in range(n_iter)])


def component_eigenvalues(correlations: np.ndarray) -> np.ndarray:
    """Eigenvalues, largest first; any leading axes."""
    return np.linalg.eigvalsh(correlations)[..., ::-1]


def factor_eigenvalues(correlations: np.ndarray, communality: str, *, chance: bool = False) -> np.ndarray:
    """Eigenvalues with communalities on the diagonal, largest first, of a stack (b, k, k).

    `communality` is 'one_factor' (of one minres factor, as psych) or 'smc' (squared multiple correlations). A set of
    `chance` data whose one factor runs into a single item has no communalities worth the name (its eigenvalue would be
    near 1, however many the people): it takes its squared multiple correlations instead.
    """
    reduced = correlations.copy()
    if communality == "smc":
        common = multiple_correlations(correlations)
    else:
        common = one_minres_factor(correlations, chance=chance) ** 2
        if (lost := np.isnan(common[:, 0])).any():
            common[lost] = multiple_correlations(correlations[lost])
    np.einsum("bii->bi", reduced)[...] = common
    return np.linalg.eigvalsh(reduced)[:, ::-1]


def multiple_correlations(correlations: np.ndarray) -> np.ndarray:
    """Squared multiple correlation of each item with the others, shape (b, k)."""
    return 1 - 1 / np.diagonal(np.linalg.inv(correlations), axis1=1, axis2=2)


def one_minres_factor(
    correlations: np.ndarray, *, chance: bool = False, tolerance: float = 1e-4, most: int = 200
) -> np.ndarray:
    """Loadings of one minimum-residual factor for each matrix of a stack, shape (b, k).

    Damped Newton steps on the squared residuals off the diagonal, all matrices at once; a loading that would pass its
    bound stays there and the others go on without it. With `chance`, a matrix in which one item takes up the factor is
    given up: its row is NaN.
    """
    bound = np.sqrt(1 - LEAST_UNIQUENESS)
    off = correlations * (1 - np.eye(correlations.shape[-1]))
    values, vectors = np.linalg.eigh(correlations)
    result = np.clip(vectors[..., -1] * np.sqrt(np.maximum(values[..., -1:] - 1, 1e-3)), -bound, bound)
    # Chance correlations shrink with the root of n, and with them the slope and curvature that count as small.
    scale = np.sqrt((off**2).mean(axis=(1, 2)))[:, None] + 1e-12
    damping, loss = 1e-3 * scale, off_diagonal_loss(off, result)
    going = np.arange(len(result))
    for _ in range(most):
        loading, part = result[going], off[going]
        slope = loading * ((loading**2).sum(axis=1, keepdims=True) - loading**2)
        slope -= np.matmul(part, loading[:, :, None])[:, :, 0]
        stuck = (np.abs(loading) >= bound) & (slope * loading < 0)
        slope[stuck] = 0.0
        lost = chance & (np.abs(loading) > SWALLOWED).any(axis=1)
        result[going[lost]] = np.nan
        still = (np.abs(slope) >= tolerance * scale[going] ** 1.5).any(axis=1) & ~lost
        if not still.any():
            break
        going, loading, part = going[still], loading[still], part[still]
        step = newton_direction(part, loading, slope[still], stuck[still], damping[going])
        moved = np.clip(loading - step, -bound, bound)
        after = off_diagonal_loss(part, moved)
        better = after <= loss[going]
        result[going], loss[going] = np.where(better[:, None], moved, loading), np.where(better, after, loss[going])
        damping[going] = np.maximum(damping[going] * np.where(better[:, None], 0.1, 10.0), 1e-6 * scale[going])
    return result


def off_diagonal_loss(off: np.ndarray, loading: np.ndarray) -> np.ndarray:
    """Sum of squared residuals off the diagonal, less a constant, for each matrix."""
    squares = loading**2
    fitted = np.einsum("bi,bij,bj->b", loading, off, loading)
    return squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1) - 2 * fitted


def newton_direction(
    off: np.ndarray, loading: np.ndarray, slope: np.ndarray, stuck: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Step of every matrix's free loadings: curvature made positive by its own eigenvalues, then damped."""
    k = loading.shape[1]
    curvature = 2 * loading[:, :, None] * loading[:, None, :] - off
    np.einsum("bii->bi", curvature)[...] = (loading**2).sum(axis=1, keepdims=True) - loading**2
    curvature *= ~(stuck[:, :, None] | stuck[:, None, :])
    np.einsum("bii->bi", curvature)[...] += stuck
    lowest = np.linalg.eigvalsh(curvature)[:, :1]
    shift = np.maximum(-lowest, 0.0) * 1.01 + damping
    return np.linalg.solve(curvature + shift[:, :, None] * np.eye(k), slope[:, :, None])[:, :, 0]
