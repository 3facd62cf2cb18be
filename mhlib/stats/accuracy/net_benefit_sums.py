"""Net benefit of a rule at many thresholds from one pass: sums over people at and above each threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True)
class People:
    """Who is judged: outcome, mass and cluster of each.

    Attributes
    ----------
    case : ndarray of int, shape (n,)
    mass : ndarray, shape (n,)
        What a person counts; cases and non-cases together sum to 1.
    fixed : bool
        Whether the shares of cases and non-cases are stated (a prevalence) and not estimated.
    cluster : (codes, number), or None
    """

    case: np.ndarray
    mass: np.ndarray
    fixed: bool
    cluster: Cluster | None

    @property
    def n(self) -> int:
        """People."""
        return len(self.case)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the people whom a rule refers, for non-cases and cases (axis -2) and thresholds (axis -1).

    `mass` of what they count, `square` of its square, `by_cluster` of what they count within each cluster.
    """

    mass: np.ndarray
    square: np.ndarray
    by_cluster: np.ndarray | None

    def minus(self, other: Sums) -> Sums:
        """Those referred by this rule and not by the other, less those the other way round."""
        within = None if self.by_cluster is None else self.by_cluster - other.by_cluster
        return Sums(self.mass - other.mass, self.square - other.square, within)


def referred(people: People, level: np.ndarray, thresholds: int) -> Sums:
    """Sums over people whose level (number of thresholds reached) is above each threshold's place."""
    cell = 2 * level + people.case
    size = 2 * (thresholds + 1)

    def above(values: np.ndarray) -> np.ndarray:
        """Cumulate from the highest level down: shape (..., 2, thresholds)."""
        by_level = np.moveaxis(values.reshape(*values.shape[:-1], thresholds + 1, 2), -1, -2)
        return by_level[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]

    mass = np.bincount(cell, weights=people.mass, minlength=size)
    square = np.bincount(cell, weights=people.mass**2, minlength=size)
    if people.cluster is None:
        return Sums(above(mass), above(square), None)
    code, number = people.cluster
    within = np.bincount(code * size + cell, weights=people.mass, minlength=number * size).reshape(number, size)
    return Sums(above(mass), above(square), above(within))


def everyone(people: People, thresholds: int) -> Sums:
    """Sums when everybody is referred at every threshold."""
    return referred(people, np.full(people.n, thresholds), thresholds)


def benefit(sums: Sums, odds: np.ndarray) -> np.ndarray:
    """Net benefit at each threshold."""
    return sums.mass[1] - odds * sums.mass[0]


def benefit_error(
    people: People, sums: Sums, whole: Sums, odds: np.ndarray, *, squares: np.ndarray | None = None
) -> np.ndarray:
    """Standard error of a net benefit, or of a difference of two, at each threshold.

    Parameters
    ----------
    sums : Sums
        Of the rule, or the difference of two rules.
    whole : Sums
        Of everyone.
    squares : ndarray, shape (2, thresholds), optional
        Sums of mass squared over the people on whom two rules differ; default those of `sums` (one rule).
    """
    value = benefit(sums, odds)
    # A person adds sign * (referred) less the mean of the whole; with a stated prevalence, less the rate of the own kind.
    sign = np.stack([-odds, np.ones_like(odds)])
    centre = sign * sums.mass / whole.mass if people.fixed else np.broadcast_to(value, sign.shape)
    if people.cluster is not None:
        within = (sign * sums.by_cluster - centre * whole.by_cluster).sum(axis=1)
        g = len(within)
        return np.sqrt(g / (g - 1) * ((within - within.mean(axis=0)) ** 2).sum(axis=0))
    differ = sums.square if squares is None else squares
    total = (sign**2 * differ - 2 * centre * sign * sums.square + centre**2 * whole.square).sum(axis=0)
    return np.sqrt(np.maximum(total, 0.0) * people.n / (people.n - 1))
