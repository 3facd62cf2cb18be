"""Deviance of repeated measures with any covariance of the waves, from sums by pattern of missing waves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

# A step along the imaginary axis has no cancellation, so it may be as small as numbers go.
IMAGINARY = 1e-40


@dataclass(frozen=True, slots=True, eq=False)
class WavePattern:
    """Units that were seen at the same waves.

    Attributes
    ----------
    waves : ndarray of int, shape (m,)
    count : int
        Units.
    products : ndarray, shape (m, m, q, q)
        Sums over units of w_j w_k', w_j being [X y] of wave j.
    """

    waves: np.ndarray
    count: int
    products: np.ndarray = field(repr=False)


def patterns_of(w: np.ndarray, unit: np.ndarray, wave: np.ndarray, n_waves: int) -> list[WavePattern]:
    """Add units up by pattern.

    Parameters
    ----------
    w : ndarray, shape (n, q)
        [X y], one row a unit and wave; no unit twice at a wave.
    unit, wave : ndarray of int, shape (n,)
    """
    order = np.lexsort((wave, unit))
    w, unit, wave = w[order], unit[order], wave[order]
    bits = np.zeros(unit.max() + 1, dtype=np.int64)
    np.add.at(bits, unit, 1 << wave.astype(np.int64))
    found = []
    for pattern in np.unique(bits):
        mine = w[bits[unit] == pattern]
        waves = np.flatnonzero((pattern >> np.arange(n_waves)) & 1)
        each = mine.reshape(-1, len(waves) * w.shape[1])
        products = (each.T @ each).reshape(len(waves), w.shape[1], len(waves), w.shape[1]).transpose(0, 2, 1, 3)
        found.append(WavePattern(waves, len(each), products))
    return found


@dataclass(frozen=True, slots=True)
class WavePoint:
    """Generalised least squares at one covariance."""

    inverse: np.ndarray
    beta: np.ndarray
    deviance: complex
    gradient: np.ndarray


class WaveDeviance:
    """-2 log-likelihood of the entries of L, V = L L', with beta at its best.

    Parameters
    ----------
    patterns : list of WavePattern
    n_waves, p : int
    reml : bool
    """

    def __init__(self, patterns: list[WavePattern], n_waves: int, p: int, *, reml: bool):
        self.patterns, self.n_waves, self.p, self.reml = patterns, n_waves, p, reml
        self.n = sum(each.count * len(each.waves) for each in patterns)

    @cached_property
    def slots(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of L that are parameters."""
        return np.tril_indices(self.n_waves)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Which parameters stand on the diagonal of L."""
        return self.slots[0] == self.slots[1]

    def factor(self, theta: np.ndarray) -> np.ndarray:
        """L."""
        found = np.zeros((self.n_waves, self.n_waves), dtype=np.asarray(theta).dtype)
        found[self.slots] = theta
        return found

    def point(self, theta: np.ndarray) -> WavePoint:
        """Deviance and its gradient by the entries of L; complex parameters pass through."""
        factor, p = self.factor(theta), self.p
        v = factor @ factor.T
        inverses = [np.linalg.inv(v[np.ix_(each.waves, each.waves)]) for each in self.patterns]
        a = sum(np.tensordot(inv, each.products, axes=2) for inv, each in zip(inverses, self.patterns, strict=True))
        log_det = sum(each.count * np.log(np.linalg.det(v[np.ix_(each.waves, each.waves)])) for each in self.patterns)
        cross, side = a[:p, :p], a[:p, p]
        inverse = np.linalg.inv(cross)
        beta = inverse @ side
        value = log_det + a[p, p] - side @ beta + (self.n - self.reml * p) * math.log(2 * math.pi)
        value = value + (np.log(np.linalg.det(cross)) if self.reml else 0.0)
        both, by_v = np.append(-beta, 1.0), np.zeros_like(v)
        for inv, each in zip(inverses, self.patterns, strict=True):
            inner = np.einsum("i,jkil,l->jk", both, each.products, both)
            if self.reml:
                inner = inner + np.einsum("il,jkli->jk", inverse, each.products[:, :, :p, :p])
            by_v[np.ix_(each.waves, each.waves)] += each.count * inv - inv @ inner @ inv
        return WavePoint(inverse, beta, value, ((by_v + by_v.T) @ factor)[self.slots])

    def second(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hessian of the deviance and derivatives of (X'V⁻¹X)⁻¹ by the entries of L."""
        k = len(theta)
        hessian, jacobian = np.empty((k, k)), np.empty((k, self.p, self.p))
        for place in range(k):
            step = theta.astype(complex)
            step[place] += 1j * IMAGINARY
            there = self.point(step)
            hessian[place] = there.gradient.imag / IMAGINARY
            jacobian[place] = there.inverse.imag / IMAGINARY
        return (hessian + hessian.T) / 2, jacobian
