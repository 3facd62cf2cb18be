"""Deviance of a nested mixed model, REML or ML, with beta (and sigma) profiled out; exact gradient and Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mhlib.stats.effects.nested_pass import Sums
from mhlib.stats.effects.nested_recursion import evaluate, factors_of, slots_of

# A step along the imaginary axis has no cancellation, so it may be as small as numbers go.
IMAGINARY = 1e-40


@dataclass(frozen=True, slots=True)
class Point:
    """What one evaluation leaves: generalised least squares at these variance ratios.

    Attributes
    ----------
    inverse : ndarray, shape (p, p)
        Of X'V⁻¹X, V in units of sigma².
    beta : ndarray, shape (p,)
    rss : float
        Generalised residual sum of squares.
    log_det : float
        log|V|, with log|X'V⁻¹X| added under REML.
    d_log_det, d_rss : ndarray, shape (k,)
    d_cross : ndarray, shape (k, p, p)
        Derivatives of X'V⁻¹X.
    """

    inverse: np.ndarray
    beta: np.ndarray
    rss: float
    log_det: float
    d_log_det: np.ndarray
    d_rss: np.ndarray
    d_cross: np.ndarray


class Deviance:
    """-2 log-likelihood as a function of the relative factors `theta`, as in lme4.

    Parameters
    ----------
    sums : Sums
        Of one outcome.
    reml, correlated : bool
    """

    def __init__(self, sums: Sums, *, reml: bool, correlated: bool):
        self.sums, self.reml = sums, reml
        self.slots = slots_of(sums, correlated)
        self.df = sums.n - sums.p if reml else sums.n
        self.evaluations = 0

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Which parameters are standard deviations, and so not negative."""
        return np.array([row == column for each in self.slots for row, column in each])

    @cached_property
    def groups_of_parameters(self) -> np.ndarray:
        """Groups of the level to which each parameter belongs."""
        return np.repeat(self.sums.n_groups, [len(each) for each in self.slots])

    def point(self, theta: np.ndarray, *, derivatives: bool = True) -> Point:
        """Generalised least squares and its derivatives by theta."""
        self.evaluations += 1
        r, p = self.sums.n_random, self.sums.p
        found = evaluate(self.sums, factors_of(theta, self.slots), derivatives=derivatives)
        a = found.a[r:, r:]
        cross, side = a[:p, :p], a[:p, p]
        inverse = np.linalg.inv(cross)
        beta = inverse @ side
        log_det = found.log_det
        if self.reml:
            log_det = log_det + np.linalg.slogdet(cross)[1]
        both = np.append(-beta, 1.0)
        d_a = [each[r:, r:] for each in found.d_a]
        d_cross = np.array([each[:p, :p] for each in d_a]).reshape(len(d_a), p, p)
        d_log_det = np.array(found.d_log_det) + (np.einsum("ij,kji->k", inverse, d_cross) if self.reml else 0.0)
        d_rss = np.array([both @ each @ both for each in d_a])
        return Point(inverse, beta, a[p, p] - side @ beta, log_det, d_log_det, d_rss, d_cross)

    def profiled(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Deviance with beta and sigma at their best, and its gradient."""
        here = self.point(theta)
        if not here.rss > 0:
            return math.inf, np.zeros(len(theta))
        value = here.log_det + self.df * (1 + math.log(2 * math.pi * here.rss / self.df))
        return float(value), here.d_log_det + self.df / here.rss * here.d_rss

    def at(self, theta: np.ndarray, sigma: float) -> tuple[float, np.ndarray]:
        """Deviance with beta at its best, and its gradient by (theta, sigma)."""
        here = self.point(theta)
        value = here.log_det + self.df * math.log(2 * math.pi * sigma**2) + here.rss / sigma**2
        by_sigma = 2 * self.df / sigma - 2 * here.rss / sigma**3
        return float(value), np.append(here.d_log_det + here.d_rss / sigma**2, by_sigma)

    def hessian(self, theta: np.ndarray, sigma: float) -> np.ndarray:
        """Second derivatives by (theta, sigma), beta at its best: exact, by steps along the imaginary axis."""
        k = len(theta)
        found, here = np.empty((k + 1, k + 1)), self.point(theta)
        for j in range(k):
            step = np.asarray(theta, dtype=complex)
            step[j] += 1j * IMAGINARY
            there = self.point(step)
            found[:k, j] = (there.d_log_det + there.d_rss / sigma**2).imag / IMAGINARY
        found[:k, k] = found[k, :k] = -2 * here.d_rss / sigma**3
        found[k, k] = -2 * self.df / sigma**2 + 6 * here.rss / sigma**4
        found[:k, :k] = (found[:k, :k] + found[:k, :k].T) / 2
        return found

    def profiled_hessian(self, theta: np.ndarray) -> np.ndarray:
        """Second derivatives of the deviance with sigma profiled out too."""
        k = len(theta)
        sigma = math.sqrt(self.point(theta, derivatives=False).rss / self.df)
        full = self.hessian(theta, sigma)
        return full[:k, :k] - np.outer(full[:k, k], full[:k, k]) / full[k, k]
