"""The marginal likelihood of answer patterns, at a cost that does not grow with the number of people.

The items are cut into two halves. The likelihood of a pattern is the product of those of its halves, so all patterns
at once are one matrix product of (half patterns x points) by (points x half patterns); nine items of four categories
need 1,024 x 256 cells however many people stand behind them. Where too many half patterns exist, the second half is
empty and patterns go through in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.irt_answers import MISSING, Patterns
from mhlib.stats.measurement.irt_curves import Layout

# A dense cell costs about a fortieth of a pattern that goes through alone (61 exponentials against 366 flops).
DENSE_CELLS_PER_PATTERN, DENSE_LIMIT, PIECE = 40, 8_000_000, 16_384


@dataclass(frozen=True, slots=True)
class Block:
    """Half patterns as indicators of categories (`first`, `second`), the cells seen and the people in each."""

    first: np.ndarray
    second: np.ndarray
    first_categories: slice
    second_categories: slice
    cell: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class Expected:
    """The log-likelihood, expected people in each category (K, Q) and at each point (Q,)."""

    loglik: float
    answers: np.ndarray
    people: np.ndarray


def blocks_of(patterns: Patterns, layout: Layout) -> list[Block]:
    """Cut patterns into blocks: one dense block of halves where that is cheaper, else pieces."""
    middle = (layout.n_items + 1) // 2
    left, row = np.unique(patterns.codes[:, :middle], axis=0, return_inverse=True)
    right, column = np.unique(patterns.codes[:, middle:], axis=0, return_inverse=True)
    cells = len(left) * len(right)
    if cells <= min(max(DENSE_CELLS_PER_PATTERN * len(patterns.counts), 65_536), DENSE_LIMIT):
        cell = row.ravel() * len(right) + column.ravel()
        return [block(left, right, middle, cell, patterns.counts, layout)]
    pieces = [slice(start, start + PIECE) for start in range(0, len(patterns.counts), PIECE)]
    nothing = np.empty((1, 0), dtype=int)
    return [
        block(codes, nothing, layout.n_items, np.arange(len(codes)), patterns.counts[piece], layout)
        for piece in pieces
        for codes in [patterns.codes[piece]]
    ]


def block(
    left: np.ndarray, right: np.ndarray, middle: int, cell: np.ndarray, counts: np.ndarray, layout: Layout
) -> Block:
    """A block from the codes of both halves."""
    cut = layout.first_category[middle]
    return Block(
        indicators(left, layout.first_category[: middle + 1]),
        indicators(right, layout.first_category[middle:]) if right.shape[1] else np.zeros((1, 0)),
        slice(0, cut),
        slice(cut, layout.first_category[-1]),
        cell,
        counts,
    )


def indicators(codes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """One row a (half) pattern, one column a category, 1 where chosen; a missing answer leaves its columns 0."""
    result = np.zeros((len(codes), first[-1] - first[0]))
    for j in range(codes.shape[1]):
        seen = codes[:, j] != MISSING
        result[seen, codes[seen, j] + first[j] - first[0]] = 1
    return result


def halves(piece: Block, log_probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likelihoods of both halves at every point, scaled to a maximum of 1, and the log scale of every cell seen."""
    left = piece.first @ log_probability[piece.first_categories]
    right = piece.second @ log_probability[piece.second_categories]
    left_top, right_top = left.max(axis=1), right.max(axis=1)
    scale = (left_top[:, None] + right_top).ravel()[piece.cell]
    return np.exp(left - left_top[:, None]), np.exp(right - right_top[:, None]), scale


def expect(blocks: list[Block], log_probability: np.ndarray, weight: np.ndarray) -> Expected:
    """E-step: the log-likelihood and the expected counts, given log P of every category and the weight of points."""
    answers, people, loglik = np.zeros_like(log_probability), np.zeros(len(weight)), 0.0
    for piece in blocks:
        left, right, scale = halves(piece, log_probability)
        marginal = ((left * weight) @ right.T).ravel()[piece.cell]
        loglik += float(piece.counts @ (np.log(marginal) + scale))
        ratio = np.zeros(len(left) * len(right))
        ratio[piece.cell] = piece.counts / marginal
        ratio = ratio.reshape(len(left), len(right))
        of_left = left * weight * (ratio @ right)
        answers[piece.first_categories] += piece.first.T @ of_left
        people += of_left.sum(axis=0)
        if piece.second.shape[1]:
            answers[piece.second_categories] += piece.second.T @ (right * weight * (ratio.T @ left))
    return Expected(loglik, answers, people)


def posterior(codes: np.ndarray, log_probability: np.ndarray, weight: np.ndarray, layout: Layout) -> np.ndarray:
    """Posterior of theta over the points for each pattern, shape (m, Q)."""
    exponent = indicators(codes, layout.first_category) @ log_probability
    dense = np.exp(exponent - exponent.max(axis=1, keepdims=True)) * weight
    return dense / dense.sum(axis=1, keepdims=True)
