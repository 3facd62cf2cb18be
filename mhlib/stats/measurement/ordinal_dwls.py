"""Diagonally weighted least squares for ordered items: estimates, robust covariance and the traces of scaled tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mhlib.findings import Refused, message
from mhlib.stats.measurement.cfa_fitted import not_identified
from mhlib.stats.measurement.ordinal_model import Implied, OrdinalModel, derivatives, implied
from mhlib.stats.measurement.ordinal_moments import OrdinalMoments

MOST_STEPS = 500
# Steps smaller than this, relative to the parameter, end the search.
STEP = 1e-9


@dataclass(frozen=True, slots=True)
class Weighted:
    """Moments of all groups in units of their own errors, ready for any number of models.

    Attributes
    ----------
    values, root : numpy.ndarray, shape (g, q)
        Moments, and square roots of the weights (1 / diagonal of gamma).
    share : numpy.ndarray, shape (g,)
        Group's part of all people.
    spread : tuple of numpy.ndarray or None
        Gamma with unit diagonal, of each group: W^1/2 Gamma W^1/2.
    """

    values: np.ndarray
    root: np.ndarray
    share: np.ndarray
    n: np.ndarray
    spread: tuple[np.ndarray, ...] | None


@dataclass(frozen=True, slots=True)
class DwlsFit:
    """A fitted model.

    Attributes
    ----------
    theta : numpy.ndarray, shape (n_free,)
    found : Implied
    blocks : list of numpy.ndarray
        Weighted Jacobian of each group, sqrt(share) W^1/2 J.
    bread : numpy.ndarray, shape (n_free, n_free)
        Inverse of the sum of J'WJ.
    meat : numpy.ndarray or None
        Sum of J'W Gamma W J.
    chi2 : float
    df : int
    """

    model: OrdinalModel
    theta: np.ndarray
    found: Implied
    blocks: list[np.ndarray]
    bread: np.ndarray
    meat: np.ndarray | None
    chi2: float
    df: int


def weighted(moments: Sequence[OrdinalMoments]) -> Weighted:
    """Weigh the moments of every group."""
    n = np.array([one.n for one in moments], dtype=float)
    root = np.stack([1 / np.sqrt(one.weights) for one in moments])
    spread = None
    if all(one.gamma is not None for one in moments):
        spread = tuple(one.gamma * np.outer(weight, weight) for one, weight in zip(moments, root, strict=True))
    return Weighted(np.stack([one.values for one in moments]), root, n / n.sum(), n, spread)


def fit_dwls(model: OrdinalModel, data: Weighted, start: np.ndarray) -> DwlsFit | Refused:
    """Minimise the weighted squared residuals by Levenberg-Marquardt.

    As in lavaan a group counts n - 1 in the criterion and in chi-square, n in the information, and the covariance is
    divided by the number of people less the number of groups.

    Refused with the codes `cfa_not_identified` and `cfa_not_converged`.
    """
    root = np.sqrt((data.n - 1) / data.n.sum())[:, None] * data.root
    theta, damp = start.copy(), 1e-4
    found = implied(model, theta)
    gap = root * (data.values - found.moments)
    value = float(np.sum(gap * gap))
    for _ in range(MOST_STEPS):
        blocks = [weight[:, None] * block for weight, block in zip(root, derivatives(model, found), strict=True)]
        hessian, score = normal_equations(model, blocks, gap)
        scale = np.diag(hessian).copy()
        if (scale <= 1e-14).any():
            return not_identified()
        root_scale = np.sqrt(scale)
        while True:
            # In units of the diagonal, so that thresholds and loadings weigh alike.
            unit = hessian / np.outer(root_scale, root_scale)
            step = np.linalg.solve(unit + np.diag(np.full(len(unit), damp)), score / root_scale) / root_scale
            trial = implied(model, theta + step)
            new_gap = root * (data.values - trial.moments)
            new = float(np.sum(new_gap * new_gap))
            if new <= value * (1 + 1e-13) + 1e-30:
                break
            damp = max(damp, 1e-9) * 8
            if damp > 1e12:
                return no_convergence()
        moved = float(np.max(np.abs(step) / (1 + np.abs(theta))))
        theta, found, gap, value, damp = theta + step, trial, new_gap, new, damp / 8 if damp > 1e-12 else 0.0
        if moved < STEP:
            break
    else:
        return no_convergence()
    return finish(model, data, theta, found, value)


def normal_equations(model: OrdinalModel, blocks: list[np.ndarray], gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum over groups of J'J and J'r, placed among all free parameters."""
    size = model.built.n_free
    hessian, score = np.zeros((size, size)), np.zeros(size)
    for active, block, own in zip(model.active, blocks, gap, strict=True):
        hessian[np.ix_(active, active)] += block.T @ block
        score[active] += block.T @ own
    return hessian, score


def finish(model: OrdinalModel, data: Weighted, theta: np.ndarray, found: Implied, value: float) -> DwlsFit | Refused:
    """Covariance and test of a converged fit."""
    root = np.sqrt(data.share)[:, None] * data.root
    blocks = [weight[:, None] * block for weight, block in zip(root, derivatives(model, found), strict=True)]
    hessian, _ = normal_equations(model, blocks, np.zeros_like(data.values))
    scale = 1 / np.sqrt(np.diag(hessian))
    eigenvalues, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    if eigenvalues[0] < 1e-10:
        return not_identified()
    bread = (vectors / eigenvalues) @ vectors.T * np.outer(scale, scale)
    meat = None
    if data.spread is not None:
        meat = np.zeros_like(bread)
        for active, block, spread in zip(model.active, blocks, data.spread, strict=True):
            meat[np.ix_(active, active)] += block.T @ (spread @ block)
    df = data.values.size - len(theta)
    if df < 0:
        return not_identified()
    return DwlsFit(model, theta, found, blocks, bread, meat, float(data.n.sum()) * value, df)


def traces(fit: DwlsFit, data: Weighted) -> tuple[float, float]:
    """Traces of U Gamma and of its square, U = W - W J (J'WJ)^-1 J'W, without forming either."""
    inner = fit.bread @ fit.meat
    squared = np.zeros_like(fit.bread)
    for active, block, spread in zip(fit.model.active, fit.blocks, data.spread, strict=True):
        half = spread @ block
        squared[np.ix_(active, active)] += half.T @ half
    size = sum(float(np.sum(spread * spread)) for spread in data.spread)
    first = sum(float(np.trace(spread)) for spread in data.spread) - float(np.trace(inner))
    return first, size - 2 * float(np.sum(fit.bread * squared)) + float(np.sum(inner * inner.T))


def robust_covariance(fit: DwlsFit, data: Weighted) -> np.ndarray | None:
    """Sandwich covariance of the free parameters; None without gamma."""
    return None if fit.meat is None else fit.bread @ fit.meat @ fit.bread / (data.n.sum() - len(data.n))


def no_convergence() -> Refused:
    """The refusal of a search without an end."""
    return Refused(
        "cfa_not_converged",
        message(
            "The search for the best parameters did not converge in {steps} steps, so no fit is given.",
            steps=MOST_STEPS,
        ),
        message("Fit a simpler model, give start values, or collect more answers."),
    )
