"""Two-step maximum likelihood: thresholds from the margins, then each correlation from its table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from mhlib.stats.measurement.bivariate_normal import FAR, density, distribution
from mhlib.stats.measurement.polychoric_tables import ItemTables

# A model probability is not taken below this (as in lavaan), and no correlation beyond the bound.
LEAST_PROBABILITY = float(np.sqrt(np.finfo(float).eps))
BOUND = 0.999


@dataclass(frozen=True, slots=True)
class PolychoricFit:
    """Thresholds with their infinite ends, shape (k, K + 1), and correlations, shape (pairs,).

    `cells` are the probabilities of the fitted tables and `slopes` their derivatives by the correlation, both of
    shape (pairs, K, K).
    """

    thresholds: np.ndarray
    rho: np.ndarray
    cells: np.ndarray
    slopes: np.ndarray
    at_bound: np.ndarray


def fit_polychoric(tables: ItemTables, zero_add: tuple[float, float]) -> PolychoricFit:
    """Maximum likelihood, all pairs at once."""
    thresholds = marginal_thresholds(tables.counts)
    first, second = tables.pairs
    freq = with_zeros_treated(tables, zero_add)
    rho = maximise(freq, thresholds[first], thresholds[second])
    cells, slopes = cell_probabilities(thresholds[first], thresholds[second], rho)
    return PolychoricFit(thresholds, rho, cells, slopes, np.abs(rho) >= BOUND - 1e-9)


def marginal_thresholds(counts: np.ndarray) -> np.ndarray:
    """Normal quantiles of the cumulative shares, -inf first and +inf from the last category on."""
    share = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    return np.concatenate([np.full((len(counts), 1), -np.inf), ndtri(share)], axis=1)


def with_zeros_treated(tables: ItemTables, zero_add: tuple[float, float]) -> np.ndarray:
    """Tables in which empty cells were filled: in a 2 x 2 with one empty cell keeping the margins, else only the cell."""
    freq = tables.tables.copy()
    first, second = tables.pairs
    rows, columns = tables.n_categories[first], tables.n_categories[second]
    fourfold = (rows == 2) & (columns == 2)
    empty = freq[:, :2, :2] == 0
    single = fourfold & (empty.sum(axis=(1, 2)) == 1)
    if zero_add[0] > 0 and single.any():
        diagonal = empty[:, 0, 0] | empty[:, 1, 1]
        shift = np.where(single, np.where(diagonal, zero_add[0], -zero_add[0]), 0.0)
        freq[:, :2, :2] += shift[:, None, None] * np.array([[1, -1], [-1, 1]])
    if zero_add[1] > 0:
        inside = (np.arange(freq.shape[1])[:, None] < rows[:, None, None]) & (
            np.arange(freq.shape[2]) < columns[:, None, None]
        )
        freq = np.where((freq == 0) & inside & ~fourfold[:, None, None], zero_add[1], freq)
    return freq


def maximise(freq: np.ndarray, upper: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Correlations by Newton's method kept inside a bracket that the sign of the score narrows."""
    rho = np.clip(product_moment(freq), -0.95, 0.95)
    low, high = np.full(len(rho), -BOUND), np.full(len(rho), BOUND)
    for _ in range(100):
        cells, slopes = cell_probabilities(upper, across, rho)
        bends = cell_bends(upper, across, rho)
        known = np.where(cells > LEAST_PROBABILITY, freq / cells, 0.0)
        score = np.sum(freq * slopes / cells, axis=(1, 2))
        bend = np.sum(known * (slopes * slopes / cells - bends), axis=(1, 2))
        low, high = np.where(score > 0, rho, low), np.where(score < 0, rho, high)
        step = rho + score / np.where(bend > 0, bend, np.inf)
        step = np.where((step > high) | (step < low) | (bend <= 0), (low + high) / 2, step)
        step = np.where(score == 0, rho, step)
        moved, rho = np.abs(step - rho).max(), step
        if moved < 1e-11:
            break
    return rho


def product_moment(freq: np.ndarray) -> np.ndarray:
    """Pearson correlation of the category numbers of each table, 0 where there is none."""
    score = np.arange(freq.shape[1], dtype=float)
    total = freq.sum(axis=(1, 2))
    rows, columns = freq.sum(axis=2), freq.sum(axis=1)
    mean_r, mean_c = rows @ score / total, columns @ score / total
    var = (rows @ score**2 / total - mean_r**2) * (columns @ score**2 / total - mean_c**2)
    covariance = np.einsum("pab,a,b->p", freq, score, score) / total - mean_r * mean_c
    return np.where(var > 0, covariance / np.sqrt(np.where(var > 0, var, 1)), 0.0)


def cell_probabilities(upper: np.ndarray, across: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the cells, not below the floor, and their derivatives by rho, both (pairs, K, K)."""
    size = upper.shape[1]
    corner, slope = np.zeros((len(rho), size, size)), np.zeros((len(rho), size, size))
    corner[:, -1, :], corner[:, :, -1] = ndtr(across), ndtr(upper)
    h, k, r = upper[:, 1:-1, None], across[:, None, 1:-1], rho[:, None, None]
    corner[:, 1:-1, 1:-1] = distribution(h, k, r)
    slope[:, 1:-1, 1:-1] = density(h, k, r)
    cells = np.diff(np.diff(corner, axis=1), axis=2)
    slopes = np.diff(np.diff(slope, axis=1), axis=2)
    return np.maximum(cells, LEAST_PROBABILITY), slopes


def cell_bends(upper: np.ndarray, across: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Second derivatives of the cells by rho, shape (pairs, K, K)."""
    size = upper.shape[1]
    bend = np.zeros((len(rho), size, size))
    h, k, r = (np.clip(one, -FAR, FAR) for one in (upper[:, 1:-1, None], across[:, None, 1:-1], rho[:, None, None]))
    rest = 1 - r * r
    inner = r / rest + (h * k * (1 + r * r) - r * (h * h + k * k)) / rest**2
    bend[:, 1:-1, 1:-1] = density(h, k, r) * inner
    return np.diff(np.diff(bend, axis=1), axis=2)
