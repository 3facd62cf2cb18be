"""Observed information of the marginal likelihood by Louis (1982), exact, from the same half patterns."""

from __future__ import annotations

import numpy as np

from mhlib.stats.measurement.irt_curves import Curves, Layout, category_scores, curvature
from mhlib.stats.measurement.irt_likelihood import Block, Expected, halves


def observed_information(
    blocks: list[Block],
    found: Curves,
    expected: Expected,
    theta: np.ndarray,
    weight: np.ndarray,
    layout: Layout,
) -> np.ndarray:
    """Minus the second derivative of the log-likelihood in slopes and intercepts, shape (parameters, parameters).

    I = E(-d2 l_complete) - E(s s') + sum n E(s | x) E(s | x)', s the complete-data score of a pattern.
    """
    scores = category_scores(found, theta, layout)
    ratio = expected.answers / found.probability
    own = np.einsum("pcq,cq,rcq->pr", scores, expected.answers, scores, optimize=True)
    bent = curvature(found, theta, ratio, layout)
    log_probability = np.log(found.probability)
    information = own - bent
    for piece in blocks:
        left, right, _ = halves(piece, log_probability)
        information -= second_moment(piece, left, right, weight, scores)
        by_cell = conditional_scores(piece, left, right, weight, scores)
        information += (by_cell * piece.counts[:, None]).T @ by_cell
    return information


def conditional_scores(
    piece: Block, left: np.ndarray, right: np.ndarray, weight: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """E(score | pattern) of every cell seen, shape (cells, parameters)."""
    weighted = left * weight
    marginal = (weighted @ right.T).ravel()[piece.cell]
    result = np.empty((len(piece.cell), len(scores)))
    for p, score in enumerate(scores):
        side = np.flatnonzero(score[piece.first_categories].any(axis=1))
        if len(side):
            product = (weighted * (piece.first[:, side] @ score[piece.first_categories][side])) @ right.T
        else:
            product = weighted @ (right * (piece.second @ score[piece.second_categories])).T
        result[:, p] = product.ravel()[piece.cell] / marginal
    return result


def second_moment(
    piece: Block, left: np.ndarray, right: np.ndarray, weight: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Sum over people of E(s s' | pattern), from the expected pairs of categories at each point."""
    marginal = ((left * weight) @ right.T).ravel()[piece.cell]
    ratio = np.zeros(len(left) * len(right))
    ratio[piece.cell] = piece.counts / marginal
    ratio = ratio.reshape(len(left), len(right))
    a, b = piece.first_categories, piece.second_categories
    size = b.stop
    result = np.zeros((len(scores), len(scores)))
    of_left, of_right = left * weight * (ratio @ right), right * weight * (ratio.T @ left)
    for q, mass in enumerate(weight):
        pairs = np.zeros((size, size))
        pairs[a, a] = (piece.first * of_left[:, q, None]).T @ piece.first
        if piece.second.shape[1]:
            pairs[b, b] = (piece.second * of_right[:, q, None]).T @ piece.second
            cross = (piece.first * left[:, q, None]).T @ (ratio @ (piece.second * right[:, q, None]))
            pairs[a, b] = mass * cross
            pairs[b, a] = pairs[a, b].T
        here = scores[:, :, q]
        result += here @ pairs @ here.T
    return result
