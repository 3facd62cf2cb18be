"""Asymptotic covariance of thresholds and polychoric correlations (Muthen 1984), from casewise scores as in lavaan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mhlib.stats.measurement.polychoric_fit import LEAST_PROBABILITY, PolychoricFit
from mhlib.stats.measurement.polychoric_tables import ItemTables

BLOCK = 4096
LEAST_INFORMATION = 1e-8


@dataclass(frozen=True, slots=True)
class Influence:
    """What one more person in a category or cell adds to n times a statistic.

    Every influence is a function of one item's category or of one pair's cell, so a person's row is looked up, never
    computed. The index K (last) stands for a missing answer.

    Attributes
    ----------
    thresholds : numpy.ndarray, shape (q1, K + 1)
        Of the thresholds that exist, item by item.
    items : numpy.ndarray, shape (q1,)
        Their items.
    correlations : numpy.ndarray, shape (pairs, K + 1, K + 1)
    """

    thresholds: np.ndarray
    items: np.ndarray
    correlations: np.ndarray


def influence(tables: ItemTables, fit: PolychoricFit) -> Influence:
    """Influence tables; those of the correlations carry the uncertainty of both items' thresholds with them."""
    most = tables.counts.shape[1]
    size = tables.n / tables.counts.sum(axis=1)
    by_item = threshold_influence(tables.counts, fit.thresholds) * size[:, None, None]
    first, second = tables.pairs
    usable = fit.cells > LEAST_PROBABILITY
    score = np.where(usable, fit.slopes / fit.cells, 0.0)
    weighted = tables.tables * score
    information = np.sum(weighted * score, axis=(1, 2))
    # Answers that determine one another say nothing of how sure the correlation is.
    information = np.where(information > LEAST_INFORMATION * tables.n, information, np.nan)
    cross_first = by_threshold(weighted, fit, first, second, usable)
    cross_second = by_threshold(
        np.swapaxes(weighted, 1, 2), fit, second, first, np.swapaxes(usable, 1, 2), np.swapaxes(fit.cells, 1, 2)
    )
    table = np.zeros((len(first), most + 1, most + 1))
    table[:, :most, :most] = score * tables.n
    table -= np.einsum("pt,ptc->pc", cross_first, by_item[first])[:, :, None]
    table -= np.einsum("pt,ptc->pc", cross_second, by_item[second])[:, None, :]
    exists = np.arange(1, most)[None, :] < tables.n_categories[:, None]
    return Influence(by_item[exists], np.nonzero(exists)[0], table / information[:, None, None])


def threshold_influence(counts: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(share below t - [category below t]) / density at t, with the sign that makes it d tau, shape (k, K - 1, K + 1)."""
    k, most = counts.shape
    below = np.cumsum(counts, axis=1)[:, :-1] / counts.sum(axis=1, keepdims=True)
    inner = thresholds[:, 1:most]
    height = np.where(np.isfinite(inner), np.exp(-0.5 * np.where(np.isfinite(inner), inner, 0) ** 2), np.inf)
    height /= np.sqrt(2 * np.pi)
    is_below = np.arange(most)[None, None, :] <= np.arange(most - 1)[None, :, None]
    table = np.zeros((k, most - 1, most + 1))
    table[:, :, :most] = (is_below - below[:, :, None]) / height[:, :, None]
    return table


def by_threshold(
    weighted: np.ndarray,
    fit: PolychoricFit,
    own: np.ndarray,
    other: np.ndarray,
    usable: np.ndarray,
    cells: np.ndarray | None = None,
) -> np.ndarray:
    """Sum over people of the correlation's score times the score of each threshold of one item, shape (pairs, K - 1)."""
    cells = fit.cells if cells is None else cells
    most = cells.shape[1]
    inner = fit.thresholds[own][:, 1:most]
    finite = np.where(np.isfinite(inner), inner, 0.0)
    root = np.sqrt(1 - fit.rho**2)[:, None, None]
    edge = ndtr((fit.thresholds[other][:, None, :] - fit.rho[:, None, None] * finite[:, :, None]) / root)
    height = np.where(np.isfinite(inner), np.exp(-0.5 * finite**2) / np.sqrt(2 * np.pi), 0.0)
    mass = height[:, :, None] * np.diff(edge, axis=2)
    ratio = np.where(usable, weighted / cells, 0.0)
    return np.sum(mass * (ratio[:, :-1] - ratio[:, 1:]), axis=2)


def gamma_diagonal(tables: ItemTables, found: Influence) -> np.ndarray:
    """Diagonal of N acov, thresholds then correlations: needs the tables only."""
    most = tables.counts.shape[1]
    own = np.sum(tables.counts[found.items] * found.thresholds[:, :most] ** 2, axis=1)
    first, second = tables.pairs
    full = np.zeros_like(found.correlations)
    full[:, :most, :most] = tables.tables
    full[:, :most, most] = tables.counts[first] - tables.tables.sum(axis=2)
    full[:, most, :most] = tables.counts[second] - tables.tables.sum(axis=1)
    return np.concatenate([own, np.sum(full * found.correlations**2, axis=(1, 2))]) / tables.n


def gamma_matrix(codes: np.ndarray, found: Influence, cluster: np.ndarray | None = None) -> np.ndarray:
    """N acov of thresholds and correlations, shape (q, q): one pass over the rows, in blocks that stay in the cache.

    With `cluster` (0 to C - 1 by person) the influences are summed within clusters before they are multiplied, and
    C / (C - 1) corrects their number: pupils of one school need not be independent.
    """
    if cluster is not None:
        order = np.argsort(cluster, kind="stable")
        codes, cluster = codes[:, order], cluster[order]
    k, n = codes.shape
    most = found.correlations.shape[1] - 1
    first, second = np.triu_indices(k, 1)
    n_thresholds = len(found.items)
    flat, steps = found.correlations.reshape(len(first), -1), found.thresholds
    total = np.zeros((n_thresholds + len(first),) * 2)
    rows = np.empty((len(total), min(BLOCK, n)))
    sums = None if cluster is None else np.zeros((len(total), int(cluster[-1]) + 1))
    for start in range(0, n, BLOCK):
        code = codes[:, start : start + BLOCK].astype(np.intp)
        code[code < 0] = most
        block = rows[:, : code.shape[1]] if code.shape[1] == rows.shape[1] else np.empty((len(total), code.shape[1]))
        for t, item in enumerate(found.items):
            np.take(steps[t], code[item], out=block[t], mode="clip")
        scaled = code * (most + 1)
        for p, (i, j) in enumerate(zip(first, second, strict=True)):
            np.take(flat[p], scaled[i] + code[j], out=block[n_thresholds + p], mode="clip")
        if sums is None:
            total += block @ block.T
        else:
            own = cluster[start : start + BLOCK]
            first_of = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
            sums[:, own[first_of]] += np.add.reduceat(block, first_of, axis=1)
    if sums is not None:
        total = sums @ sums.T * (sums.shape[1] / (sums.shape[1] - 1))
    return total / n
