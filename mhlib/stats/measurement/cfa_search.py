"""Start values and the search for the maximum of the likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.cfa_likelihood import (
    Point,
    gradient_and_information,
    look,
    observed_information,
    saturated,
)
from mhlib.stats.measurement.cfa_matrices import Structure
from mhlib.stats.measurement.cfa_moments import Moments
from mhlib.stats.measurement.cfa_table import ParameterTable

MOST_STEPS = 300
# Gradient in the metric of the information (Newton decrement, per person) below which the search has arrived.
ARRIVED = 1e-20
# What rounding leaves of the decrement in badly conditioned models; beyond it nothing is called converged.
TOLERATED = 1e-13
# Smallest eigenvalue of the information (scaled to unit diagonal) of an identified model.
IDENTIFIED = 1e-9


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search.

    Attributes
    ----------
    converged : bool
        The gradient vanished where the expected information is positive definite.
    identified : bool
        False when the information is singular there: several sets of parameters fit equally well.
    information : ndarray, shape (q, q)
        Expected, per person.
    gradient : float
        Largest absolute gradient per person.
    """

    point: Point
    information: np.ndarray
    converged: bool
    identified: bool
    gradient: float
    n_steps: int


def start_values(table: ParameterTable, moments: Moments) -> np.ndarray:
    """Start of every free parameter, shape (n_free,): the user's, else from the covariances, averaged over groups.

    Loadings are instrumental-variable ratios (Hagglund 1982, FABIN2) to the factor's first item, half of each variance
    is residual, intercepts are the means.
    """
    item = {name: i for i, name in enumerate(moments.names)}
    lists = {name: [item[r.rhs] for r in table.rows if r.group == 0 and r.op == "=~" and r.lhs == name]
             for name in table.latent}  # fmt: skip
    marked = {(r.group, r.lhs) for r in table.rows if r.op == "~~" and r.lhs == r.rhs and r.value is None}
    ratios = {(g, name): ratio(cov, lists[name]) for g, cov in enumerate(moments.cov) for name in table.latent}
    total, count = np.zeros(table.n_free), np.zeros(table.n_free)
    for row, free in zip(table.rows, table.free, strict=True):
        if free >= 0:
            cov = moments.cov[row.group]
            value = row.start
            if value is None and row.op == "=~":
                value = ratios[row.group, row.lhs][lists[row.lhs].index(item[row.rhs])]
                if (row.group, row.lhs) not in marked:
                    value *= np.sqrt(cov[lists[row.lhs][0], lists[row.lhs][0]] / 2)
            elif value is None and row.op == "~~" and row.lhs == row.rhs:
                at = lists[row.lhs][0] if row.lhs in lists else item[row.lhs]
                value = cov[at, at] / 2
            elif value is None:
                value = moments.mean[row.group, item[row.lhs]] if row.op == "~1" and row.lhs in item else 0.0
            total[free] += value
            count[free] += 1
    return total / count


def ratio(cov: np.ndarray, items: list[int]) -> np.ndarray:
    """Loading of each item as a multiple of the first item's, kept between 0.2 and 3 standard deviations."""
    sub = cov[np.ix_(items, items)]
    found = np.ones(len(items))
    for j in range(1, len(items)):
        others = [k for k in range(1, len(items)) if k != j]
        below = (sub[0, others] ** 2).sum()
        found[j] = (sub[j, others] @ sub[0, others]) / below if below > 0 else 1.0
    unit = np.sqrt(np.diag(sub) / sub[0, 0])
    sign = np.where(sub[0] < 0, -1.0, 1.0)
    bounded = sign * np.clip(np.abs(found), 0.2 * unit, 3 * unit)
    bounded[0] = 1.0
    return bounded


def maximise(built: Structure, moments: Moments, start: np.ndarray) -> Found:
    """Fisher scoring with damping, then Newton where the observed information is positive definite.

    Parameters
    ----------
    built : Structure
    moments : Moments
    start : ndarray, shape (n_free,)

    Returns
    -------
    Found

    Notes
    -----
    A step solves (I + t diag I) step = gradient; t grows while the likelihood does not, as in Levenberg (1944).
    """
    log_det = saturated(moments)
    point, damping = look(built, moments, start, log_det), 0.0
    gradient, information = gradient_and_information(built, moments, point)
    for n_steps in range(1, MOST_STEPS + 1):
        step, decrement = direction(information, gradient, damping)
        if decrement < ARRIVED:
            break
        if damping == 0 and n_steps > 2 and decrement < 1e-3:
            step = curved_direction(observed_information(built, moments, point), gradient, step)
        nearer = look(built, moments, point.theta + step, log_det)
        if nearer.value <= point.value + 1e-14 * max(1.0, abs(point.value)):
            point, damping = nearer, 0.0 if damping < 1e-4 else damping / 10
            gradient, information = gradient_and_information(built, moments, point)
        elif decrement < TOLERATED or damping > 1e10:
            break
        else:
            damping = max(1e-3, damping * 10)
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    least = float(np.linalg.eigvalsh(information / np.outer(scale, scale))[0]) if np.isfinite(point.value) else 0.0
    fits = bool(np.isfinite(point.value)) and direction(information, gradient, 0.0)[1] < TOLERATED
    return Found(point, information, fits, least > IDENTIFIED, float(np.abs(gradient).max()), n_steps)


def curved_direction(curved: np.ndarray, gradient: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Newton's step where the true curvature is positive definite, else `step`: near the optimum it doubles the digits."""
    try:
        np.linalg.cholesky(curved)
        return np.linalg.solve(curved, gradient)
    except np.linalg.LinAlgError:
        return step


def direction(information: np.ndarray, gradient: np.ndarray, damping: float) -> tuple[np.ndarray, float]:
    """Damped step and the Newton decrement gradient' step; steepest ascent where the information is singular."""
    diagonal = np.maximum(np.diag(information), 1e-12)
    try:
        step = np.linalg.solve(information + damping * np.diag(diagonal), gradient)
        if np.isfinite(step).all() and gradient @ step >= 0:
            return step, float(gradient @ step)
    except np.linalg.LinAlgError:
        pass
    step = np.linalg.solve(information + max(damping, 1e-6) * np.diag(diagonal), gradient)
    return step, float(abs(gradient @ step))
