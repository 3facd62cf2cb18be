"""The distribution of the sum score given theta (Lord & Wingersky, 1984; Hanson, 1994, for ordered categories)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mhlib.errors import DesignError


def whole_values(values: Sequence[np.ndarray], *, where: str) -> list[np.ndarray]:
    """Category values as whole steps above each item's lowest one.

    Raises
    ------
    DesignError
        Values that are no whole numbers: their sum has no short list of levels.
    """
    if any((own != np.round(own)).any() for own in values):
        raise DesignError(where, "items hold values that are no whole numbers", allowed="whole answer codes")
    return [np.round(own - own[0]).astype(int) for own in values]


def sum_score_probabilities(parts: Sequence[np.ndarray], steps: Sequence[np.ndarray]) -> np.ndarray:
    """P(sum of steps = s | theta), shape (levels, Q), from each item's category probabilities, shape (m_j, Q)."""
    result = np.ones((1, parts[0].shape[1]))
    for probability, step in zip(parts, steps, strict=True):
        longer = np.zeros((len(result) + step[-1], result.shape[1]))
        for row, by in zip(probability, step, strict=True):
            longer[by : by + len(result)] += row * result
        result = longer
    return result


def without_each(parts: Sequence[np.ndarray], steps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """P(sum of the other items = s | theta) for each item left out, by products of prefixes and suffixes."""
    none = np.ones((1, parts[0].shape[1]))
    prefix, suffix = [none], [none]
    for probability, step in zip(parts, steps, strict=True):
        prefix.append(convolved(prefix[-1], sum_score_probabilities([probability], [step])))
    for probability, step in zip(reversed(parts), reversed(steps), strict=True):
        suffix.append(convolved(suffix[-1], sum_score_probabilities([probability], [step])))
    return [convolved(prefix[j], suffix[len(parts) - 1 - j]) for j in range(len(parts))]


def convolved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distribution of the sum of two independent scores at each theta."""
    shorter, longer = sorted((first, second), key=len)
    result = np.zeros((len(first) + len(second) - 1, first.shape[1]))
    for by, row in enumerate(shorter):
        result[by : by + len(longer)] += row * longer
    return result


def item_parts(probability: np.ndarray, first_category: np.ndarray) -> list[np.ndarray]:
    """Category probabilities (K, Q) cut item by item."""
    return np.split(probability, first_category[1:-1])
