"""Estimates of a fitted factor model as a table: raw, with errors and intervals, and completely standardised."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.stats.intervals import critical
from mhlib.stats.measurement.cfa_fitted import Fitted
from mhlib.stats.measurement.cfa_matrices import directions, to_parameters
from mhlib.stats.measurement.cfa_table import Row


def estimate_table(fitted: Fitted, conf_level: float) -> pd.DataFrame:
    """One row a parameter and group.

    Parameters
    ----------
    fitted : Fitted
    conf_level : float

    Returns
    -------
    DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, group, lhs, op, rhs, label, free, std, std_std_error,
        std_low, std_high`. Fixed parameters have error 0 and no p. `std` is completely standardised (factors and items of
        variance 1 in each group; residual covariances become correlations), its error by the delta method.
    """
    table, theta = fitted.table, fitted.found.point.theta
    free = np.array(table.free)
    fixed = np.array([np.nan if row.value is None else row.value for row in table.rows])
    estimate = np.where(free >= 0, theta[np.maximum(free, 0)], fixed)
    errors = np.sqrt(np.maximum(np.diag(fitted.covariance), 0))
    std_error = np.where(free >= 0, errors[np.maximum(free, 0)], 0.0)
    std, std_std_error = standardised(fitted, estimate, free)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.where(std_error > 0, 2 * stats.norm.sf(np.abs(estimate / std_error)), np.nan)
    half = critical(conf_level)
    return pd.DataFrame(
        {
            "term": [row.name for row in table.rows],
            "estimate": estimate,
            "std_error": std_error,
            "conf_low": estimate - half * std_error,
            "conf_high": estimate + half * std_error,
            "p_value": p_value,
            "group": [table.groups[row.group] for row in table.rows],
            "lhs": [row.lhs for row in table.rows],
            "op": [row.op for row in table.rows],
            "rhs": [row.rhs for row in table.rows],
            "label": [row.label if not row.label.startswith(".") else "" for row in table.rows],
            "free": free,
            "std": std,
            "std_std_error": std_std_error,
            "std_low": std - half * std_std_error,
            "std_high": std + half * std_std_error,
        }
    )


def standardised(fitted: Fitted, estimate: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardised value of every row and its standard error.

    A standardised parameter is the raw one times powers of variances; on the log scale its gradient is a sum.
    """
    logs, slopes = log_variances(fitted)
    rows = fitted.table.rows
    group = np.array([row.group for row in rows])
    powers = np.zeros((len(rows), logs.shape[1]))
    for at, row in enumerate(rows):
        for place, power in powers_of(row, fitted):
            powers[at, place] += power
    with np.errstate(invalid="ignore"):
        # A power of 0 times the log of a negative variance would be NaN where the variance plays no part.
        part = np.where(powers != 0, powers * logs[group], 0.0)
        scale = np.exp(part.sum(axis=1))
        std = estimate * scale
        gradient = np.zeros((len(rows), fitted.built.n_free))
        for g in range(len(logs)):
            here = group == g
            gradient[here] = std[here, None] * (powers[here] @ slopes[g])
        moved = np.flatnonzero(free >= 0)
        gradient[moved, free[moved]] += scale[moved]
        variance = ((gradient @ fitted.covariance) * gradient).sum(axis=1)
        # Rounding alone leaves parameters that are constant once standardised (a factor's variance) a tiny error.
        return std, np.where(
            variance > 1e-18, np.sqrt(np.maximum(variance, 0)), np.where(np.isnan(variance), np.nan, 0)
        )


def log_variances(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Log variances of items, factors and residuals, shape (g, 2k + m), and their gradients, shape (g, 2k + m, q)."""
    built, point = fitted.built, fitted.found.point
    way = directions(built, point.at)
    q = built.n_free
    item = to_parameters(2 * way.u * way.v, way.index, q)
    inner = [
        diagonal_places(built.slots[name], getattr(point.at, name).shape[:2], q) for name in ("latent", "residual")
    ]
    values = np.concatenate(
        [np.diagonal(a, axis1=1, axis2=2) for a in (point.sigma, point.at.latent, point.at.residual)], axis=1
    )
    values = np.where(values > 0, values, np.nan)
    slopes = np.concatenate([item, *inner], axis=1)
    return np.log(values), np.where(slopes != 0, slopes / values[:, :, None], 0.0)


def diagonal_places(slots: object, shape: tuple[int, int], q: int) -> np.ndarray:
    """1 where a free parameter is the variance, shape (g, size, q)."""
    found = np.zeros((*shape, q))
    on = np.flatnonzero(slots.row == slots.col)
    group, place = np.nonzero(slots.index[:, on] >= 0)
    found[group, slots.row[on[place]], slots.index[group, on[place]]] = 1.0
    return found


def powers_of(row: Row, fitted: Fitted) -> list[tuple[int, float]]:
    """Which log variances scale a parameter, and with which power."""
    observed, latent = fitted.built.observed, fitted.built.latent
    k, m = len(observed), len(latent)
    if row.op == "=~":
        return [(observed.index(row.rhs), -0.5), (k + latent.index(row.lhs), 0.5)]
    if row.op == "~1":
        return [(k + latent.index(row.lhs) if row.lhs in latent else observed.index(row.lhs), -0.5)]
    if row.lhs in latent:
        return [(k + latent.index(row.lhs), -0.5), (k + latent.index(row.rhs), -0.5)]
    if row.lhs == row.rhs:
        return [(observed.index(row.lhs), -1.0)]
    return [(k + m + observed.index(row.lhs), -0.5), (k + m + observed.index(row.rhs), -0.5)]
