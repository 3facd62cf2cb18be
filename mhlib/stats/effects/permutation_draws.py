"""Allocations of clusters to two arms within strata: all of them where they are few, random ones otherwise."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np


def n_allocations(treated: np.ndarray, strata: np.ndarray) -> int:
    """How many allocations keep the number of treated clusters in each stratum."""
    return math.prod(math.comb(int((strata == s).sum()), int(treated[strata == s].sum())) for s in np.unique(strata))


def every_allocation(treated: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """All allocations as rows of 0 and 1, shape (number, g)."""
    rows = np.zeros((1, len(treated)))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        choices = list(combinations(inside, int(treated[inside].sum())))
        block = np.zeros((len(choices), len(treated)))
        for row, chosen in enumerate(choices):
            block[row, list(chosen)] = 1.0
        rows = (rows[:, None, :] + block[None, :, :]).reshape(-1, len(treated))
    return rows


def drawn_allocations(treated: np.ndarray, strata: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
    """Random allocations as rows of 0 and 1, shape (n_draws, g)."""
    rng, rows = np.random.default_rng(seed), np.zeros((n_draws, len(treated)))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        rows[:, inside] = rng.permuted(np.tile(treated[inside], (n_draws, 1)), axis=1)
    return rows
