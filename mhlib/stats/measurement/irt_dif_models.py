"""Two-group graded response models with chosen items free: the fits behind likelihood-ratio tests of DIF."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from mhlib.stats.measurement.irt_answers import Answers, patterns_of
from mhlib.stats.measurement.irt_curves import Layout, layout_of
from mhlib.stats.measurement.irt_likelihood import Block, blocks_of
from mhlib.stats.measurement.irt_problem import (
    STEEP,
    Maximum,
    Problem,
    maximise,
    numeric_information,
    starting_values,
)


@dataclass(slots=True)
class TwoGroups:
    """Blocks of the reference and the focal group, and every fit made so far (a fit is asked for more than once)."""

    layout: Layout
    groups: tuple[list[Block], list[Block]]
    start: np.ndarray
    fits: dict[tuple[frozenset[int], frozenset[int]], Maximum] = field(default_factory=dict)

    def fit(self, free: Iterable[int] = (), shifted: Iterable[int] = ()) -> Maximum:
        """Model in which items `free` differ in all parameters between groups, `shifted` ones in intercepts only."""
        key = (frozenset(free), frozenset(shifted))
        if key not in self.fits:
            nearest = min(self.fits, key=lambda other: distance(key, other), default=None)
            full = self.start if nearest is None else self.full(nearest)
            index = index_between(self.layout, *key)
            problem = Problem(self.layout, self.groups, index)
            x = np.bincount(index, weights=full) / np.bincount(index)
            self.fits[key] = maximise(x, problem)
        return self.fits[key]

    def full(self, key: tuple[frozenset[int], frozenset[int]]) -> np.ndarray:
        """Full parameter vector of a fit."""
        return self.fits[key].x[index_between(self.layout, *key)]

    def latent_errors(self, free: Iterable[int]) -> tuple[float, float]:
        """Standard errors of the focal group's mean and SD of theta; NaN when the information is not definite."""
        top = self.fit(free)
        problem = Problem(self.layout, self.groups, index_between(self.layout, frozenset(free), frozenset()))
        information = numeric_information(top.x, problem)
        if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 0:
            return math.nan, math.nan
        error = np.sqrt(np.diag(np.linalg.inv(information))[-2:])
        return float(error[0]), float(error[1] * top.at.groups[1].sd)


def distance(key: tuple, other: tuple) -> int:
    """How many items two models treat differently."""
    return len(key[0] ^ other[0]) + len(key[1] ^ other[1])


def two_groups(answers: Answers, focal: np.ndarray) -> TwoGroups:
    """Blocks of both groups, starting from the pooled answers."""
    layout, sizes = layout_of(answers.n_categories), answers.n_categories
    some = (answers.codes >= 0).any(axis=1)
    parts = [patterns_of(answers.codes[some & (focal == side)], sizes) for side in (False, True)]
    pooled = patterns_of(answers.codes[some], sizes)
    start = starting_values(pooled.codes, pooled.counts, layout)
    blocks = tuple(blocks_of(part, layout) for part in parts)
    return TwoGroups(layout, blocks, np.concatenate([start, start, [0.0, 0.0]]))


def index_between(layout: Layout, free: frozenset[int], shifted: frozenset[int]) -> np.ndarray:
    """Free parameter behind every entry of the two groups' full vector; theta of the focal group is always free."""
    size, n = layout.n_parameters, layout.n_items
    owner = np.concatenate([np.arange(n), layout.item_of_boundary])
    slope = np.arange(size) < n
    own = np.isin(owner, list(free)) | (np.isin(owner, list(shifted)) & ~slope)
    focal = np.where(own, size - 1 + np.cumsum(own), np.arange(size))
    last = size + int(own.sum())
    return np.concatenate([np.arange(size), focal, [last, last + 1]])


def sound(top: Maximum) -> bool:
    """Whether a fit converged with every slope pinned down."""
    return top.converged and all(np.abs(group.slopes).max() <= STEEP for group in top.at.groups)


def ratio_test(small: Maximum, large: Maximum) -> tuple[float, int, float]:
    """Likelihood-ratio chi-square, degrees of freedom and p-value of nested fits."""
    value = max(2 * (large.at.loglik - small.at.loglik), 0.0)
    df = len(large.x) - len(small.x)
    return value, df, float(stats.chi2.sf(value, df)) if df > 0 else math.nan
