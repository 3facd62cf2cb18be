"""Standardised loadings and correlations of factors and residuals, with delta-method errors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.stats.intervals import critical
from mhlib.stats.measurement.cfa_matrices import MATRICES, directions, to_parameters
from mhlib.stats.measurement.ordinal_dwls import DwlsFit
from mhlib.stats.measurement.ordinal_model import spread_derivative

COLUMNS = ["group", "lhs", "op", "rhs", "estimate", "std_error", "conf_low", "conf_high"]


def standardised_solution(fit: DwlsFit, covariance: np.ndarray | None, conf_level: float, df: float) -> pd.DataFrame:
    """Loadings in standard deviations of factor and answer; correlations of factors and of residuals that are free.

    Columns `group, lhs, op, rhs, estimate, std_error, conf_low, conf_high`; errors are NaN without gamma.
    """
    rows = []
    for g, name in enumerate(fit.model.built.groups):
        active = fit.model.active[g]
        own = None if covariance is None else covariance[np.ix_(active, active)]
        for lhs, op, rhs, value, gradient in group_terms(fit, g):
            error = np.nan if own is None else float(np.sqrt(max(gradient @ own @ gradient, 0.0)))
            rows.append((name, lhs, op, rhs, value, error))
    frame = pd.DataFrame(rows, columns=COLUMNS[:6])
    half = critical(conf_level, df) * frame["std_error"]
    return frame.assign(conf_low=frame["estimate"] - half, conf_high=frame["estimate"] + half)


def group_terms(fit: DwlsFit, g: int):
    """Term, value and gradient by the group's active parameters."""
    built, at = fit.model.built, fit.found.at
    local, size = fit.model.local[g], len(fit.model.active[g])
    log_spread, unit = log_spread_of(fit, g), np.eye(size + 1)[:, :size]
    psi, spread = at.latent[g], fit.found.spread[g]
    change = {(i, j): unit[place] for i, j, place in cells(built, local, "latent")}

    def latent_change(i: int, j: int) -> np.ndarray:
        return change.get((i, j), change.get((j, i), np.zeros(size)))

    for i, j, place in sorted(cells(built, local, "loading"), key=lambda cell: (cell[1], cell[0])):
        deviation = np.sqrt(psi[j, j])
        value = at.loading[g, i, j] * spread[i] * deviation
        gradient = unit[place] * spread[i] * deviation + value * (log_spread[i] + latent_change(j, j) / (2 * psi[j, j]))
        yield built.latent[j], "=~", built.observed[i], value, gradient
    for i, j in zip(*np.triu_indices(len(psi), 1), strict=True):
        root = np.sqrt(psi[i, i] * psi[j, j])
        value = psi[i, j] / root
        own = latent_change(i, i) / (2 * psi[i, i]) + latent_change(j, j) / (2 * psi[j, j])
        yield built.latent[i], "~~", built.latent[j], value, latent_change(i, j) / root - value * own
    for i, j, place in cells(built, local, "residual"):
        if i != j and place >= 0:
            yield residual_term(fit, g, i, j, unit[place], log_spread)


def cells(built, local: dict[str, np.ndarray], name: str):
    """Row, column and local place of each slot, and of each fixed loading with place -1 (the spare last column)."""
    slot = built.slots[name]
    fixed = set()
    for i, j, place in zip(slot.row, slot.col, local[name], strict=True):
        fixed.add((int(i), int(j)))
        yield int(i), int(j), int(place)
    if name == "loading":
        for i, j in zip(*np.nonzero(built.base.loading.any(axis=0)), strict=True):
            if (int(i), int(j)) not in fixed:
                yield int(i), int(j), -1


def residual_term(fit: DwlsFit, g: int, i: int, j: int, own: np.ndarray, log_spread: np.ndarray):
    """Correlation of two residuals."""
    built, value = fit.model.built, fit.found.at.residual[g, i, j]
    variance = fit.found.residual[g]
    # Under delta the residual variance is what the scale leaves over: 1 / D^2 less the common part.
    if fit.model.theta_form:
        change = np.zeros((len(variance), len(own) + 1))
        for row, col, place in cells(built, fit.model.local[g], "residual"):
            change[row, place] += row == col
        change = change[:, : len(own)]
    else:
        change = -2 * log_spread / fit.found.spread[g][:, None] ** 2 - variance_derivative(fit, g)
    root = np.sqrt(np.abs(variance[i] * variance[j]))
    both = change[i] / (2 * variance[i]) + change[j] / (2 * variance[j])
    return built.observed[i], "~~", built.observed[j], value / root, own / root - value / root * both


def variance_derivative(fit: DwlsFit, g: int) -> np.ndarray:
    """Derivative of the variances of Sigma by the active parameters, shape (k, active)."""
    way = directions(fit.model.built, fit.found.at)
    index = np.concatenate([fit.model.local[g][name] for name in MATRICES[:5]])
    return to_parameters((2 * way.u[g] * way.v[g])[None], index[None], len(fit.model.active[g]))[0]


def log_spread_of(fit: DwlsFit, g: int) -> np.ndarray:
    """Derivative of log D by the active parameters, shape (k, active)."""
    return spread_derivative(fit.model, fit.found, g, variance_derivative(fit, g))
