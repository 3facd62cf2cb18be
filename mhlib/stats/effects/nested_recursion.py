"""[X y]'V⁻¹[X y] and log|V| of nested random effects, with exact first derivatives, from sums instead of rows.

V / sigma² = I + sum of Z Psi Z' over the levels. From the lowest level upwards, each group's inverse is that of its
parts less a matrix of the rank of its random effects (Woodbury), so only Z'V⁻¹W of each group travels upwards. Everything is
plain algebra, so complex parameters pass through: a step along the imaginary axis gives second derivatives without
rounding error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.stats.effects.nested_pass import Patterns, Sums


@dataclass(frozen=True, slots=True)
class LevelFactor:
    """Relative Cholesky factor of one level's random effects and its derivatives.

    Attributes
    ----------
    factor : ndarray, shape (r, r)
        Psi = factor @ factor.T, in units of the residual variance.
    slots : tuple of (int, int)
        Which entries are parameters.
    """

    factor: np.ndarray
    slots: tuple[tuple[int, int], ...]

    @property
    def steps(self) -> list[np.ndarray]:
        """Derivative of Psi by each parameter."""
        found = []
        for row, column in self.slots:
            unit = np.zeros_like(self.factor)
            unit[row, column] = 1.0
            found.append(unit @ self.factor.T + self.factor @ unit.T)
        return found


@dataclass(slots=True)
class Carried:
    """What travels from level to level: the cross-products, the log-determinant and each group's Z'V⁻¹W."""

    a: np.ndarray
    log_det: complex
    rows: np.ndarray | None
    d_a: list[np.ndarray]
    d_log_det: list[complex]
    d_rows: list[np.ndarray]


def slots_of(sums: Sums, correlated: bool) -> list[tuple[tuple[int, int], ...]]:
    """Parameters of each level, from the lowest."""
    slope = ((0, 0), (1, 0), (1, 1)) if correlated else ((0, 0), (1, 1))
    return [slope if level == sums.slope_at else ((0, 0),) for level in range(sums.n_levels)]


def factors_of(theta: np.ndarray, slots: list[tuple[tuple[int, int], ...]]) -> list[LevelFactor]:
    """Parameters in order as one factor a level."""
    found, place = [], 0
    for each in slots:
        size = max(row for row, _ in each) + 1
        factor = np.zeros((size, size), dtype=np.asarray(theta).dtype)
        for slot in each:
            factor[slot] = theta[place]
            place += 1
        found.append(LevelFactor(factor, each))
    return found


def times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Matrix product group by group; a plain product where the random effect is one number."""
    return left * right if left.shape[-1] == 1 else left @ right


def crossed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over groups of left' right."""
    q = left.shape[-1]
    return left.reshape(-1, q).T @ right.reshape(-1, q)


def kernel(within: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(Psi⁻¹ + S)⁻¹ and log|I + Psi S| of each group, also where Psi is singular."""
    if len(factor) == 1:
        ratio = factor[0, 0] ** 2
        inner = 1 + ratio * within
        return ratio / inner, np.log(inner[:, 0, 0])
    inner = np.eye(len(factor)) + factor.T @ within @ factor
    return factor @ np.linalg.solve(inner, np.broadcast_to(factor.T, inner.shape)), np.log(np.linalg.det(inner))


def evaluate(sums: Sums, factors: list[LevelFactor], *, derivatives: bool = True, stop: int | None = None) -> Carried:
    """Go up the levels; with `stop`, only below that level, whose groups' rows are then what is wanted."""
    highest = sums.n_levels if stop is None else stop
    dtype = np.result_type(*(each.factor for each in factors))
    carried = Carried(sums.total.astype(dtype), dtype.type(0), None, [], [], [])
    for level in range(highest):
        here = np.arange(sums.n_random if level == sums.slope_at else 1)
        # Rows that a level above still needs: those of a slope that stands higher.
        above = np.arange(sums.n_random if level < sums.slope_at else 1)
        wanted = level + 1 < sums.n_levels
        if level == 0 and isinstance(sums.lowest, Patterns):
            patterned(sums.lowest, factors[0], carried, here, above if wanted else None, derivatives)
        else:
            if level == 0:
                carried.rows = sums.lowest[:, : sums.n_random]
            grouped(factors[level], carried, here, above if wanted else None, derivatives)
        if wanted:
            starts = parent_starts(sums, level)
            carried.rows = np.add.reduceat(carried.rows, starts, axis=0)
            carried.d_rows = [np.add.reduceat(each, starts, axis=0) for each in carried.d_rows]
    return carried


def parent_starts(sums: Sums, level: int) -> np.ndarray:
    """Where the children of each parent begin among what a level hands upwards."""
    if level == 0 and isinstance(sums.lowest, Patterns):
        return np.flatnonzero(np.r_[True, np.diff(sums.lowest.cell_parent) > 0])
    return sums.starts[level]


def patterned(
    found: Patterns,
    level: LevelFactor,
    carried: Carried,
    here: np.ndarray,
    above: np.ndarray | None,
    derivatives: bool,
) -> None:
    """Lowest level, added up by pattern."""
    within = found.within[:, here[:, None], here]
    inverse, log_det = kernel(within, level.factor)
    outer = found.outer[:, here[:, None], here]
    carried.a = carried.a - np.tensordot(inverse, outer, axes=3)
    carried.log_det = carried.log_det + found.count @ log_det
    steps = level.steps if derivatives else []
    left = np.eye(len(here)) - inverse @ within
    moved = [left @ step @ left.transpose(0, 2, 1) for step in steps]
    for step, each in zip(steps, moved, strict=True):
        carried.d_a.append(-np.tensordot(each, outer, axes=3))
        carried.d_log_det.append((step * (found.count[:, None, None] * (within @ left)).sum(axis=0)).sum())
    if above is None:
        return
    own, link = found.cell_sums[:, here], found.within[:, above[:, None], here]

    def part(by: np.ndarray) -> np.ndarray:
        return times((link @ by)[found.cell_pattern], own)

    carried.rows = found.cell_sums[:, above] - part(inverse)
    carried.d_rows = [-part(each) for each in moved]


def grouped(
    level: LevelFactor, carried: Carried, here: np.ndarray, above: np.ndarray | None, derivatives: bool
) -> None:
    """A level whose groups each stand for themselves."""
    rows = carried.rows
    own = rows[:, here]
    within = own[:, :, here]
    inverse, log_det = kernel(within, level.factor)
    weighted = times(inverse, own)
    carried.a = carried.a - crossed(own, weighted)
    carried.log_det = carried.log_det + log_det.sum()
    link = None if above is None else rows[:, above][:, :, here]
    moved = [] if link is None else [moved_rows(each, weighted, inverse, link, here, above) for each in carried.d_rows]
    for place, each in enumerate(carried.d_rows):
        d_own = each[:, here]
        one = crossed(d_own, weighted)
        carried.d_a[place] = carried.d_a[place] - one - one.T + crossed(weighted, times(d_own[:, :, here], weighted))
        carried.d_log_det[place] = carried.d_log_det[place] + (inverse * d_own[:, :, here]).sum()
    if derivatives:
        rest = own - times(within, weighted)
        kept = (within - within @ inverse @ within).sum(axis=0)
        for step in level.steps:
            turned = step * rest if len(step) == 1 else step @ rest
            carried.d_a.append(-crossed(rest, turned))
            carried.d_log_det.append((step * kept).sum())
            if link is not None:
                moved.append(-times(link, turned - times(inverse, times(within, turned))))
    carried.d_rows = moved
    carried.rows = None if link is None else rows[:, above] - times(link, weighted)


def moved_rows(
    d_rows: np.ndarray,
    weighted: np.ndarray,
    inverse: np.ndarray,
    link: np.ndarray,
    here: np.ndarray,
    above: np.ndarray,
) -> np.ndarray:
    """Derivative, by a parameter of a lower level, of what this level hands upwards."""
    d_own, d_link = d_rows[:, here], d_rows[:, above][:, :, here]
    turned = times(inverse, d_own - times(d_own[:, :, here], weighted))
    return d_rows[:, above] - times(d_link, weighted) - times(link, turned)
