"""Marginal maximum likelihood of one or several groups: parameters, gradient, optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logit

from mhlib.stats.measurement.irt_curves import (
    Curves,
    Layout,
    category_scores,
    complete_information,
    curves,
    expected_derivative,
    sum_by_item,
)
from mhlib.stats.measurement.irt_likelihood import Block, Expected, expect

POINTS = np.linspace(-6, 6, 61)
MEMORY, RESCALE, TOLERANCE = 30, 5, 1e-9
# A slope beyond this is not told from an infinite one by points 0.2 apart.
STEEP = 10.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Blocks of each group and the free parameter behind every entry of the full vector.

    The full vector is slopes and intercepts of group 0, of group 1, ...; then mean and log SD of theta in group 1,
    2, ... (group 0 has mean 0 and SD 1). Entries with the same number in `index` are equal.
    """

    layout: Layout
    groups: tuple[list[Block], ...]
    index: np.ndarray

    @property
    def n_free(self) -> int:
        """Free parameters."""
        return int(self.index.max()) + 1


@dataclass(frozen=True, slots=True)
class Group:
    """One group at one parameter vector."""

    slopes: np.ndarray
    intercepts: np.ndarray
    mean: float
    sd: float
    weight: np.ndarray
    curves: Curves
    expected: Expected


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The log-likelihood, its gradient in the free parameters, and the groups behind it."""

    loglik: float
    gradient: np.ndarray
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the optimiser stopped; `decrement` is g' H^-1 g, twice the log-likelihood still to be gained."""

    x: np.ndarray
    at: Evaluation
    decrement: float
    n_iterations: int
    converged: bool


def split(full: np.ndarray, problem: Problem) -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Slopes, intercepts, mean and SD of each group."""
    size, n = problem.layout.n_parameters, problem.layout.n_items
    latent = np.concatenate([[0.0, 0.0], full[size * len(problem.groups) :]]).reshape(-1, 2)
    own = full[: size * len(problem.groups)].reshape(-1, size)
    return [(part[:n], part[n:], float(mean), math.exp(log)) for part, (mean, log) in zip(own, latent, strict=True)]


def point_weights(mean: float, sd: float) -> np.ndarray:
    """Normal density at the points, summing to 1."""
    density = np.exp(-0.5 * ((POINTS - mean) / sd) ** 2)
    return density / density.sum()


def ordered(intercepts: np.ndarray, layout: Layout) -> bool:
    """Whether intercepts fall within every item, so that every category has a probability."""
    inner = np.diff(layout.item_of_boundary) == 0
    return bool((np.diff(intercepts)[inner] < 0).all())


def evaluate(x: np.ndarray, problem: Problem) -> Evaluation | None:
    """Log-likelihood and gradient; None outside the parameter space."""
    parts = split(x[problem.index], problem)
    if not np.isfinite(x).all() or not all(ordered(d, problem.layout) and 0.02 < sd < 50 for _, d, _, sd in parts):
        return None
    groups, pull, latent, loglik = [], [], [], 0.0
    for (slopes, intercepts, mean, sd), blocks in zip(parts, problem.groups, strict=True):
        weight, found = point_weights(mean, sd), curves(slopes, intercepts, POINTS, problem.layout)
        expected = expect(blocks, np.log(found.probability), weight)
        loglik += expected.loglik
        pull.append(expected_derivative(found, POINTS, expected.answers / found.probability, problem.layout))
        z = (POINTS - mean) / sd
        surplus = expected.people - expected.people.sum() * weight
        latent.append([float(surplus @ z) / sd, float(surplus @ z**2)])
        groups.append(Group(slopes, intercepts, mean, sd, weight, found, expected))
    full = np.concatenate([*pull, *latent[1:]])
    gradient = np.bincount(problem.index, weights=full, minlength=problem.n_free)
    return Evaluation(loglik, gradient, tuple(groups))


def scaling(at: Evaluation, problem: Problem) -> np.ndarray:
    """Complete-data information in the free parameters: the shape of an EM step (Lange, 1995)."""
    size = problem.layout.n_parameters
    information = np.zeros((len(problem.index), len(problem.index)))
    for g, group in enumerate(at.groups):
        scores = category_scores(group.curves, POINTS, problem.layout)
        people = sum_by_item(group.expected.answers, problem.layout)
        own = slice(g * size, (g + 1) * size)
        information[own, own] = complete_information(scores, group.curves, people, problem.layout)
        if g:
            total, place = group.expected.people.sum(), size * len(at.groups) + 2 * (g - 1)
            information[place, place], information[place + 1, place + 1] = total / group.sd**2, 2 * total
    joined = np.zeros((problem.n_free, problem.n_free))
    np.add.at(joined, (problem.index[:, None], problem.index[None, :]), information)
    return joined


def maximise(x: np.ndarray, problem: Problem, *, max_iterations: int = 500, tolerance: float = TOLERANCE) -> Maximum:
    """Quasi-Newton ascent (L-BFGS) whose first guess of the curvature is the complete-data information.

    The first step is therefore an EM step by Newton; the pairs of the later ones accelerate it (Jamshidian &
    Jennrich, 1997). The log-likelihood never falls.
    """
    at, pairs, decrement = evaluate(x, problem), [], math.inf
    for iteration in range(1, max_iterations + 1):
        if iteration % RESCALE == 1 or not pairs:
            factor = factored(scaling(at, problem))
        step = two_loop(at.gradient, pairs, lambda v, factor=factor: cho_solve(factor, v))
        decrement = float(at.gradient @ step)
        if decrement <= tolerance:
            return Maximum(x, at, decrement, iteration, True)
        found = search(x, step, at, problem)
        if found is None:
            if not pairs:
                break
            pairs = []
            continue
        pairs = [*pairs[-MEMORY + 1 :], (found[0] - x, at.gradient - found[1].gradient)]
        pairs = [pair for pair in pairs if pair[0] @ pair[1] > 1e-14]
        x, at = found
    return Maximum(x, at, decrement, iteration, False)


def factored(shape: np.ndarray) -> tuple[np.ndarray, bool]:
    """Cholesky factor; a parameter about which nothing is known any more gets a small ridge, so that it stays put."""
    for ridge in (1e-12, 1e-8, 1e-4):
        try:
            return cho_factor(shape + ridge * np.diag(np.diag(shape) + shape.diagonal().max()))
        except np.linalg.LinAlgError:
            continue
    return cho_factor(np.diag(np.diag(shape) + 1e-4 * shape.diagonal().max()))


def numeric_information(x: np.ndarray, problem: Problem, step: float = 1e-4) -> np.ndarray:
    """Observed information in the free parameters by central differences of the analytic gradient."""
    information = np.full((len(x), len(x)), math.nan)
    for p in range(len(x)):
        move = np.zeros(len(x))
        move[p] = step
        high, low = evaluate(x + move, problem), evaluate(x - move, problem)
        if high is not None and low is not None:
            information[p] = (low.gradient - high.gradient) / (2 * step)
    return (information + information.T) / 2


def two_loop(gradient: np.ndarray, pairs: list, solve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The L-BFGS direction of ascent."""
    q, kept = gradient.copy(), []
    for s, y in reversed(pairs):
        share = (s @ q) / (s @ y)
        kept.append(share)
        q = q - share * y
    direction = solve(q)
    for (s, y), share in zip(pairs, reversed(kept), strict=True):
        direction = direction + (share - (y @ direction) / (s @ y)) * s
    return direction


def search(x: np.ndarray, step: np.ndarray, at: Evaluation, problem: Problem) -> tuple[np.ndarray, Evaluation] | None:
    """Halve a step until the log-likelihood rises enough (Armijo); None when it does not."""
    slope = float(at.gradient @ step)
    if not np.isfinite(slope) or slope <= 0:
        return None
    size = min(1.0, 4.0 / np.abs(step).max())
    for _ in range(40):
        there = evaluate(x + size * step, problem)
        if there is not None and there.loglik >= at.loglik + 1e-4 * size * slope - 1e-12 * abs(at.loglik):
            return x + size * step, there
        size /= 2
    return None


def starting_values(codes: np.ndarray, counts: np.ndarray, layout: Layout) -> np.ndarray:
    """Slopes from item-rest correlations (their sign kept), intercepts from the shares above each boundary."""
    seen = codes >= 0
    n = np.where(seen, counts[:, None], 0).sum(axis=0)
    mean = np.where(seen, codes * counts[:, None], 0).sum(axis=0) / n
    spread = np.sqrt((np.where(seen, (codes - mean) ** 2, 0) * counts[:, None]).sum(axis=0) / n)
    z = np.where(seen, (codes - mean) / spread, 0)
    correlation = (z * counts[:, None]).T @ z / np.sqrt(np.outer(n, n))
    _, vectors = np.linalg.eigh(correlation)
    sign = np.sign(vectors[:, -1]) * np.sign(vectors[:, -1].sum() or 1.0)
    turned = correlation * np.outer(sign, sign)
    rest = (turned.sum(axis=1) - 1) / (layout.n_items - 1)
    loading = np.clip(np.sqrt(np.clip(rest, 0.04, 0.7)), 0.2, 0.85)
    slopes = 1.7 * np.where(sign == 0, 1, sign) * loading / np.sqrt(1 - loading**2)
    share = np.array(
        [
            float(counts @ (codes[:, j] > b - layout.first_boundary[j])) / n[j]
            for b, j in enumerate(layout.item_of_boundary)
        ]
    )
    spread_by = np.sqrt(1 + (slopes[layout.item_of_boundary] / 1.7) ** 2)
    return np.concatenate([slopes, logit(np.clip(share, 1e-6, 1 - 1e-6)) * spread_by])
