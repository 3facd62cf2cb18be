"""Find the best variance ratios twice, by two methods from two starts, and believe only what both find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from mhlib.stats.effects.nested_deviance import Deviance

# A ratio of standard deviations below this is no variance at all (the bound of lme4::isSingular).
ZERO = 1e-4
# Deviance units: no printed digit depends on less.
AGREE = 1e-4
FLAT = 1e-3


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
    bounds = [(0, None) if own else (None, None) for own in deviance.diagonal]
    one = lbfgs(deviance, first, bounds)
    other = slsqp(deviance, second, bounds)
    if other[1] < one[1] - AGREE:
        one = min(lbfgs(deviance, other[0], bounds), one, key=lambda found: found[1])
    elif other[1] > one[1] + AGREE:
        # It may have stopped early; a second try begins where it stopped, never at the first one's answer.
        other = min(slsqp(deviance, other[0] * 1.5 + 0.05 * deviance.diagonal, bounds), other, key=lambda found: found[1])
    theta, value = polished(deviance, *min(one, other, key=lambda found: found[1]))
    slope = free_slope(deviance, theta)
    gap = float(max(one[1], other[1]) - min(value, one[1], other[1]))
    good = bool(np.isfinite(value) and slope < FLAT and gap < AGREE)
    return Optimum(theta, value, slope, gap, good, deviance.evaluations)


def lbfgs(deviance: Deviance, start: np.ndarray, bounds: list) -> tuple[np.ndarray, float]:
    """Quasi-Newton with limited memory within bounds; leaves a bound that is not the best."""
    options = {"ftol": 1e-11, "gtol": 1e-5, "maxiter": 500}
    for _ in range(3):
        found = optimize.minimize(deviance.profiled, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        start = freed(deviance, found.x)
        if start is None:
            break
    return found.x, float(found.fun)


def slsqp(deviance: Deviance, start: np.ndarray, bounds: list) -> tuple[np.ndarray, float]:
    """Sequential quadratic programming, on the logarithm-free scale too, but by another road."""
    offset = deviance.profiled(start)[0]

    def shifted(theta: np.ndarray) -> tuple[float, np.ndarray]:
        # A deviance of a million would hide the last units from the method's own stopping rule.
        value, gradient = deviance.profiled(theta)
        return value - offset, gradient

    options = {"ftol": 1e-8, "maxiter": 500}
    for _ in range(3):
        found = optimize.minimize(shifted, start, jac=True, method="SLSQP", bounds=bounds, options=options)
        start = freed(deviance, np.maximum(found.x, np.where(deviance.diagonal, 0.0, -np.inf)))
        if start is None:
            break
    return found.x, float(found.fun) + offset


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
