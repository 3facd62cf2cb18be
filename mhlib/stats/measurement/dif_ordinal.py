"""Proportional-odds regression on counts for many items at once: the engine of logistic and ordinal item bias.

logit P(Y > j) = x'b - cut_j, by Newton with the observed information. The log-likelihood is concave in cuts and
slopes together (Pratt 1981), so halved steps always reach its top. With two answers this is logistic regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mhlib.errors import DesignError
from mhlib.stats.measurement.dif_counts import Tables

ROUNDS, SMALL, FAR = 100, 1e-9, 12.0


@dataclass(frozen=True, slots=True)
class Fit:
    """Cuts then slopes (item, parameter), information, log-likelihood, and `at_edge`: a slope that ran away."""

    params: np.ndarray
    information: np.ndarray
    loglik: np.ndarray
    scores: np.ndarray
    at_edge: np.ndarray


@dataclass(frozen=True, slots=True)
class Ladder:
    """The models level; level + group; level + group + level by group, for items with one number of answers."""

    items: np.ndarray
    null_loglik: np.ndarray
    n: np.ndarray
    fits: tuple[Fit, Fit, Fit]
    n_groups: int
    n_cuts: int
    spread: np.ndarray


def ladders(tables: Tables) -> list[Ladder]:
    """Fit the three models for every item, items with equally many answers together."""
    return [ladder(tables, np.flatnonzero(tables.n_answers == k), int(k)) for k in np.unique(tables.n_answers)]


def ladder(tables: Tables, items: np.ndarray, n_answers: int) -> Ladder:
    """The three models for the items given."""
    counts = tables.counts[items, ..., :n_answers].astype(float)
    k, _, n_groups, _ = counts.shape
    level, spread = standard_levels(counts, tables.levels[items])
    dummy = np.eye(n_groups)[:, 1:]
    design = np.concatenate(
        [
            np.broadcast_to(level[:, :, None, None], (*counts.shape[:3], 1)),
            np.broadcast_to(dummy, (*counts.shape[:3], n_groups - 1)),
            level[:, :, None, None] * dummy,
        ],
        axis=3,
    ).reshape(k, -1, 2 * n_groups - 1)
    cells = counts.reshape(k, -1, n_answers)
    marginal = cells.sum(axis=1)
    n = marginal.sum(axis=1)
    share = marginal / n[:, None]
    cuts = -logit(np.cumsum(share[:, ::-1], axis=1)[:, -2::-1])
    fits, start = [], np.concatenate([cuts, np.zeros((k, 1))], axis=1)
    for size in (1, n_groups, 2 * n_groups - 1):
        fits.append(maximise(cells, design[..., :size], pad(start, n_answers - 1 + size)))
        start = fits[-1].params
    null = (marginal * np.log(share)).sum(axis=1)
    return Ladder(items, null, n, tuple(fits), n_groups, n_answers - 1, spread)


def pad(start: np.ndarray, width: int) -> np.ndarray:
    """Start values with zeros for the parameters that a larger model adds."""
    return np.concatenate([start, np.zeros((len(start), width - start.shape[1]))], axis=1)


def standard_levels(counts: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels with mean 0 and standard deviation 1 over everybody, item by item, and that deviation.

    Raises
    ------
    DesignError
        A level that does not vary.
    """
    weight = counts.sum(axis=(2, 3))
    total = weight.sum(axis=1, keepdims=True)
    centred = levels - (weight * levels).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weight * centred**2).sum(axis=1) / total[:, 0])
    if (spread == 0).any():
        raise DesignError("dif(match)", "everybody stands at the same level", remedy="match on a score that varies")
    return centred / spread[:, None], spread


def maximise(cells: np.ndarray, design: np.ndarray, start: np.ndarray) -> Fit:
    """Newton from `start`; steps of items whose likelihood falls are halved."""
    params = start.copy()
    logs, scores, information = evaluate(cells, design, params)
    for _ in range(ROUNDS):
        gradient = np.einsum("bck,bckp->bp", cells, scores)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        gain = (gradient * step).sum(axis=1)
        params = params + halved(cells, design, params, step, logs)
        logs, scores, information = evaluate(cells, design, params)
        # The step just taken leaves an error of about the square of what was gained by it.
        if (gain <= SMALL).all():
            break
    far = (np.abs(params[:, cells.shape[2] - 1 :]) > FAR).any(axis=1)
    return Fit(params, information, logs, scores, far)


def halved(cells: np.ndarray, design: np.ndarray, params: np.ndarray, step: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """The step, cut in two for each item until its likelihood no longer falls."""
    scale = np.ones(len(step))
    for _ in range(30):
        falls = loglik(cells, design, params + scale[:, None] * step) < logs - 1e-9 * np.abs(logs)
        if not falls.any():
            break
        scale = np.where(falls, scale / 2, scale)
    return scale[:, None] * step


def curves(cells: np.ndarray, design: np.ndarray, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(Y <= j) for j = -1 .. K-1 and P(Y = k), (item, cell, ...)."""
    n_cuts = cells.shape[2] - 1
    eta = params[:, None, :n_cuts] - np.einsum("bcp,bp->bc", design, params[:, n_cuts:])[..., None]
    edge = np.zeros((*eta.shape[:2], 1))
    below = np.concatenate([edge, expit(eta), edge + 1], axis=2)
    above = np.concatenate([edge + 1, expit(-eta), edge], axis=2)
    # Differences of the smaller tail keep their digits far from the middle.
    upper = below[..., 1:] > 0.5
    return below, np.where(upper, above[..., :-1] - above[..., 1:], below[..., 1:] - below[..., :-1])


def loglik(cells: np.ndarray, design: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Log-likelihood an item; minus infinity where the cuts have lost their order."""
    _, share = curves(cells, design, params)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(cells > 0, cells * np.log(np.where(share > 0, share, 0)), 0)
    return terms.sum(axis=(1, 2))


def evaluate(cells: np.ndarray, design: np.ndarray, params: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood, the score of one person in each cell and answer, and the observed information."""
    k, n_cells, n_answers = cells.shape
    n_cuts = n_answers - 1
    below, share = curves(cells, design, params)
    share = np.maximum(share, 1e-300)
    slope = below * (1 - below)
    rows = np.zeros((k, n_cells, n_answers + 1, n_cuts + design.shape[2]))
    rows[:, :, np.arange(1, n_answers), np.arange(n_cuts)] = 1
    rows[:, :, :, n_cuts:] = -design[:, :, None, :]
    first = slope[..., None] * rows
    scores = (first[:, :, 1:] - first[:, :, :-1]) / share[..., None]
    per = cells / share
    bend = slope * (1 - 2 * below)
    weight = bend[:, :, 1:-1] * (per[:, :, :-1] - per[:, :, 1:])
    inner = rows[:, :, 1:-1]
    information = gram(scores, cells) - gram(inner, weight)
    terms = np.where(cells > 0, cells * np.log(share), 0)
    return terms.sum(axis=(1, 2)), scores, information


def gram(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of weight times row times row', an item: (item, parameter, parameter)."""
    flat = rows.reshape(len(rows), -1, rows.shape[-1])
    return (flat * weight.reshape(len(rows), -1, 1)).swapaxes(1, 2) @ flat


def robust_covariance(fit: Fit, position: int, counts: np.ndarray) -> np.ndarray:
    """Sandwich over clusters, g / (g - 1), of one item; `counts` is (cluster, stratum, group, answer)."""
    flat = counts.reshape(len(counts), -1)
    sums = flat @ fit.scores[position].reshape(flat.shape[1], -1)
    bread = np.linalg.inv(fit.information[position])
    return len(sums) / (len(sums) - 1) * bread @ (sums.T @ sums) @ bread
