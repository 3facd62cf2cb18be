"""Variances of Aalen-Johansen and Kaplan-Meier curves, by closed form or by what each independent unit adds."""

from __future__ import annotations

import math

import numpy as np

from mhlib.stats.monitoring.hazard_table import EventTable, Spells, unit_tables


def greenwood(table: EventTable) -> tuple[np.ndarray, np.ndarray]:
    """Variance of survival, shape (j,), and of each cause's incidence, shape (causes, j), people being independent.

    Notes
    -----
    With F the incidence, S the survival, n at risk, d events, d_k those of the cause,
    var F(t) = sum_{u<=t} (F(t) - F(u))² d / (n (n - d)) + S(u-)² d_k (n - d_k) / n³ - 2 (F(t) - F(u)) S(u-) d_k / n².
    Reference: Dinse & Larson (1986) Biometrika 73:379; with one cause 1 - F has Greenwood's variance.
    """
    n, d, dk = table.at_risk, table.any_event, table.events
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(n > d, d / (n * (n - d)), 0.0)
    f, before = table.incidence, table.before
    a = np.cumsum(hazard)
    b, c = np.cumsum(f * hazard, axis=1), np.cumsum(f * f * hazard, axis=1)
    cross, cross_f = np.cumsum(before * dk / n**2, axis=1), np.cumsum(f * before * dk / n**2, axis=1)
    own = np.cumsum(before**2 * dk * (n - dk) / n**3, axis=1)
    incidence = f * f * a - 2 * f * b + c + own - 2 * (f * cross - cross_f)
    return table.survival**2 * a, np.maximum(incidence, 0.0)


def influence(table: EventTable, at_risk: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each unit adds to survival, shape (units, j), and to each incidence, shape (units, causes, j).

    Parameters
    ----------
    table : EventTable
        Of everybody.
    at_risk : ndarray, shape (units, j)
    events : ndarray, shape (units, causes, j)
    """
    n, d = table.at_risk, table.any_event
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(n > d, (at_risk - events.sum(axis=1)) / (n - d) - at_risk / n, 0.0)
    log_survival = np.cumsum(step, axis=1)
    earlier = np.concatenate([np.zeros((len(step), 1)), log_survival[:, :-1]], axis=1)
    hazard = table.events / n
    moved = (events - hazard * at_risk[:, None, :]) / n
    incidence = np.cumsum(table.before * (earlier[:, None, :] * hazard + moved), axis=2)
    return table.survival * log_survival, incidence


def unit_variances(spells: Spells, table: EventTable, *, clustered: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Variances from squares of what each unit adds, and the number of units; clusters get g / (g - 1)."""
    survival, incidence, units = np.zeros(len(table.time)), np.zeros_like(table.events), 0
    for at_risk, events in unit_tables(spells, table.time):
        of_survival, of_incidence = influence(table, at_risk, events)
        survival += (of_survival**2).sum(axis=0)
        incidence += (of_incidence**2).sum(axis=0)
    units = len(np.unique(spells.unit))
    inflate = (units / (units - 1) if units > 1 else math.nan) if clustered else 1.0
    return survival * inflate, incidence * inflate, units


def on_log_log(share: np.ndarray, std_error: np.ndarray, quantile: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Interval on log(-log share); NaN at shares of 0 and 1, where it does not exist."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (share > 0) & (share < 1) & np.isfinite(std_error)
        p = np.where(inside, share, 0.5)
        half = quantile * np.where(inside, std_error, 0.0) / (p * np.abs(np.log(p)))
        low, high = p ** np.exp(half), p ** np.exp(-half)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def median_time(time: np.ndarray, share: np.ndarray) -> float:
    """First time at which a falling curve reaches a half; the middle of the flat part where it equals a half; NaN never."""
    at = np.flatnonzero(share <= 0.5 + 1e-9)
    if not len(at):
        return math.nan
    first = at[0]
    if abs(share[first] - 0.5) < 1e-9:
        below = np.flatnonzero(share < 0.5 - 1e-9)
        return float((time[first] + time[below[0]]) / 2) if len(below) else float(time[first])
    return float(time[first])
