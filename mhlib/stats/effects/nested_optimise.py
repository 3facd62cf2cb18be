"""Find the best variance ratios twice, by two methods from two starts, and believe only what both find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from mhlib.stats.effects.nested_deviance import Deviance

# A ratio of standard deviations below this is no variance at all (the bound of lme4::isSingular).
ZERO = 1e-4
# Deviance units: no printed digit depends on less.
AGREE = 1e-4
FLAT = 1e-3
LIMITED_MEMORY = ("L-BFGS-B", {"ftol": 1e-13, "gtol": 1e-4, "maxiter": 500})
QUADRATIC = ("SLSQP", {"ftol": 1e-8, "maxiter": 500})


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best point and what speaks for it.

    Attributes
    ----------
    theta : ndarray, shape (k,)
    deviance : float
    gradient : float
        Largest slope left that the bounds do not explain.
    disagreement : float
        Deviance of the second optimiser less that of the first.
    converged : bool
        Finite likelihood, gradient about zero, and both optimisers at the same deviance.
    evaluations : int
    """

    theta: np.ndarray
    deviance: float
    gradient: float
    disagreement: float
    converged: bool
    evaluations: int


Found = tuple[np.ndarray, float]


def starts(deviance: Deviance) -> tuple[np.ndarray, np.ndarray]:
    """Two starts: random effects as large as the residual, and a third of it."""
    one = np.where(deviance.diagonal, 1.0, 0.0)
    return one * 0.6, one * 0.25


def minimum(deviance: Deviance) -> Optimum:
    """L-BFGS-B, then Newton steps; the same by sequential quadratic programming from elsewhere.

    Returns
    -------
    Optimum
    """
    first, second = starts(deviance)
    one = searched(deviance, first, *LIMITED_MEMORY)
    other = searched(deviance, second, *QUADRATIC)
    if other[1] < one[1] - AGREE:
        one = min(searched(deviance, other[0], *LIMITED_MEMORY), one, key=lambda found: found[1])
    elif other[1] > one[1] + AGREE:
        # It may have stopped early; its second try begins where it stopped, never at the first one's answer.
        again = searched(deviance, other[0] * 1.5 + 0.05 * deviance.diagonal, *QUADRATIC)
        other = min(again, other, key=lambda found: found[1])
    one, other = off_the_edge(deviance, one, other)
    theta, value = polished(deviance, *min(one, other, key=lambda found: found[1]))
    slope = free_slope(deviance, theta)
    gap = float(max(one[1], other[1]) - min(value, one[1], other[1]))
    good = bool(np.isfinite(value) and slope < FLAT and gap < AGREE)
    return Optimum(theta, value, slope, gap, good, deviance.evaluations)


def off_the_edge(deviance: Deviance, one: Found, other: Found) -> tuple[Found, Found]:
    """From a zero variance with a covariance beside it, look on both sides of no covariance too.

    Where the slope's origin lies far from the data, intercept and slope hang together by nearly one, and both optimisers
    may have run into the edge at which the two are told apart no more.
    """
    best = min(one, other, key=lambda found: found[1])
    if deviance.diagonal.all() or not (np.abs(best[0][deviance.diagonal]) < ZERO).any():
        return one, other
    tilted = [np.where(deviance.diagonal, 0.6, sign * 0.5) for sign in (-1.0, 1.0)]
    found = min((searched(deviance, start, *LIMITED_MEMORY) for start in tilted), key=lambda one: one[1])
    if found[1] > best[1] - AGREE:
        return one, other
    return found, searched(deviance, found[0] * 1.1, *QUADRATIC)


def scaled(
    deviance: Deviance, start: np.ndarray
) -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], np.ndarray]:
    """The deviance above its value at the start, of parameters that all bend about as much, and their unit.

    Information on a level's factor grows with its number of groups. A deviance of a million would hide its last units from
    a stopping rule.
    """
    unit = 1 / np.sqrt(2.0 * np.array(deviance.groups_of_parameters))
    offset = deviance.profiled(start)[0]

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = deviance.profiled(x * unit)
        return value - offset, gradient * unit

    return function, unit


def searched(deviance: Deviance, start: np.ndarray, method: str, options: dict) -> tuple[np.ndarray, float]:
    """One optimiser within its bounds; it is sent on from a bound that is not the best."""
    bounds = [(0, None) if own else (None, None) for own in deviance.diagonal]
    for _ in range(3):
        function, unit = scaled(deviance, start)
        found = optimize.minimize(function, start / unit, jac=True, method=method, bounds=bounds, options=options)
        theta = np.where(deviance.diagonal, np.maximum(found.x, 0.0), found.x) * unit
        start = freed(deviance, theta)
        if start is None:
            break
    return theta, deviance.profiled(theta)[0]


def freed(deviance: Deviance, theta: np.ndarray) -> np.ndarray | None:
    """Where to go on from a zero that is a saddle: the deviance is even in a standard deviation, so its slope says nothing."""
    at_zero = deviance.diagonal & (np.abs(theta) < ZERO)
    if not at_zero.any():
        return None
    curve = np.diag(deviance.profiled_hessian(np.where(at_zero, 0.0, theta)))
    held = at_zero & (curve < 0)
    return np.where(held, 0.1, theta) if held.any() else None


def polished(deviance: Deviance, theta: np.ndarray, value: float) -> tuple[np.ndarray, float]:
    """Newton steps with the exact Hessian over what is not zero; a step that does not help is not taken."""
    at_zero = deviance.diagonal & (np.abs(theta) < ZERO)
    snapped = np.where(at_zero, 0.0, theta)
    at_snap = deviance.profiled(snapped)[0]
    if at_zero.any() and at_snap <= value + 1e-6:
        theta, value = snapped, at_snap
    free = ~at_zero
    for _ in range(4):
        gradient = deviance.profiled(theta)[1]
        if not free.any() or np.abs(gradient[free]).max() < 1e-7:
            break
        hessian = deviance.profiled_hessian(theta)[np.ix_(free, free)]
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            break
        step = theta.copy()
        step[free] -= np.linalg.solve(hessian, gradient[free])
        there = deviance.profiled(step)[0]
        if not there <= value + 1e-9 * max(1.0, abs(value)) or (step[deviance.diagonal] < 0).any():
            break
        theta, value = step, there
    return theta, float(value)


def free_slope(deviance: Deviance, theta: np.ndarray) -> float:
    """Largest element of the gradient, each where its parameter may still move."""
    gradient = deviance.profiled(theta)[1]
    held = deviance.diagonal & (theta <= 0) & (gradient > 0)
    scaled = np.abs(gradient) * np.maximum(np.abs(theta), 0.1) / max(1.0, deviance.df**0.5)
    return float(np.where(held, 0.0, scaled).max())
