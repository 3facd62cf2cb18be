"""What a factor model says of its scales: omega, variance extracted, distinctness of factors, bifactor shares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.stats.intervals import critical
from mhlib.stats.measurement.cfa_fitted import Fitted
from mhlib.stats.measurement.cfa_matrices import directions, to_parameters
from mhlib.stats.measurement.cfa_moments import Moments


def factor_items(fitted: Fitted, group: int) -> list[np.ndarray]:
    """Places of the items that load on each factor (a loading fixed at 0 does not count)."""
    return [np.flatnonzero(column) for column in fitted.found.point.at.loading[group].T]


def reliability_table(fitted: Fitted, conf_level: float) -> pd.DataFrame:
    """Composite reliability of each factor's items in each group.

    Returns
    -------
    DataFrame
        `group, factor, n_items, omega, std_error, conf_low, conf_high, omega_observed, ave`. `omega` is the share of the
        implied variance of the sum of the factor's items that is due to the factor, with a delta-method interval;
        `omega_observed` divides by the observed variance; `ave` is the mean share of item variance extracted.

    Notes
    -----
    References: McDonald (1999); Bentler (2009); Fornell & Larcker (1981).
    Checked against: tests/oracle/cfa_reliability.csv (semTools).
    """
    rows, half = [], critical(conf_level)
    point = fitted.found.point
    for g, group in enumerate(fitted.built.groups):
        slopes = covariance_slopes(fitted, g)
        for f, items in enumerate(factor_items(fitted, g)):
            block = np.ix_(items, items)
            loading, variance = point.at.loading[g, items, f], point.at.latent[g, f, f]
            true, total = loading.sum() ** 2 * variance, point.sigma[g][block].sum()
            gradient = (true_slope(fitted, g, f, items) - true / total * slopes(items)) / total
            error = float(np.sqrt(max(gradient @ fitted.covariance @ gradient, 0)))
            omega = true / total
            rows.append(
                {
                    "group": group,
                    "factor": fitted.built.latent[f],
                    "n_items": len(items),
                    "omega": omega,
                    "std_error": error,
                    "conf_low": max(omega - half * error, 0.0),
                    "conf_high": min(omega + half * error, 1.0),
                    "omega_observed": true / fitted.moments.cov[g][block].sum(),
                    "ave": (loading**2).sum() * variance / np.diag(point.sigma[g])[items].sum(),
                }
            )
    return pd.DataFrame(rows)


def covariance_slopes(fitted: Fitted, group: int):
    """A function of items: gradient of the implied variance of their sum, shape (q,)."""
    way = directions(fitted.built, fitted.found.point.at)

    def of(items: np.ndarray) -> np.ndarray:
        """Twice the products of the directions' sums."""
        cells = 2 * way.u[:, items].sum(axis=1) * way.v[:, items].sum(axis=1)
        return to_parameters(cells, way.index, fitted.built.n_free)[group]

    return of


def true_slope(fitted: Fitted, group: int, factor: int, items: np.ndarray) -> np.ndarray:
    """Gradient of (sum of loadings)^2 times the factor's variance, shape (q,)."""
    built, at = fitted.built, fitted.found.point.at
    total, variance = at.loading[group, items, factor].sum(), at.latent[group, factor, factor]
    gradient = np.zeros(built.n_free)
    lam, psi = built.slots["loading"], built.slots["latent"]
    for place in np.flatnonzero((lam.col == factor) & (lam.index[group] >= 0)):
        gradient[lam.index[group, place]] += 2 * total * variance
    for place in np.flatnonzero((psi.row == factor) & (psi.col == factor) & (psi.index[group] >= 0)):
        gradient[psi.index[group, place]] += total**2
    return gradient


def htmt_table(fitted: Fitted) -> pd.DataFrame:
    """Heterotrait-monotrait ratios (HTMT2, geometric means of absolute correlations) of each pair of factors and group.

    Returns
    -------
    DataFrame
        `group, first, second, htmt`. NaN for pairs that share items or a factor with a single item.

    Notes
    -----
    Above .85 (or .90) the factors are hardly distinct. Reference: Roemer, Schuberth & Henseler (2021).
    Checked against: tests/oracle/cfa_reliability.csv (semTools::htmt).
    """
    rows, latent = [], fitted.built.latent
    for g, group in enumerate(fitted.built.groups):
        logs = log_correlations(fitted.moments, g)
        items = factor_items(fitted, g)
        for i in range(len(latent)):
            for j in range(i + 1, len(latent)):
                rows.append({"group": group, "first": latent[i], "second": latent[j],
                             "htmt": htmt(logs, items[i], items[j])})  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "first", "second", "htmt"])


def log_correlations(moments: Moments, group: int) -> np.ndarray:
    """Logs of the items' absolute correlations."""
    spread = np.sqrt(np.diag(moments.cov[group]))
    with np.errstate(divide="ignore"):
        return np.log(np.abs(moments.cov[group] / np.outer(spread, spread)))


def htmt(logs: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Mean log correlation between over the half sum of the means within."""
    if len(first) < 2 or len(second) < 2 or set(first) & set(second):
        return float("nan")
    within = [logs[np.ix_(items, items)][np.triu_indices(len(items), 1)].mean() for items in (first, second)]
    return float(np.exp(logs[np.ix_(first, second)].mean() - sum(within) / 2))


def bifactor_table(fitted: Fitted) -> pd.DataFrame | None:
    """Shares of a general factor that every item measures beside orthogonal specific ones; None for other models.

    Returns
    -------
    DataFrame or None
        `group, general, ecv, omega_total, omega_hierarchical, puc`: explained common variance of the general factor;
        shares of the total score's variance due to all factors and to the general one; share of correlations that the
        general factor alone explains.

    Notes
    -----
    ECV from standardised loadings. Reference: Rodriguez, Reise & Haviland (2016) Psychol Methods 21:137.
    """
    point, built = fitted.found.point, fitted.built
    k, m = len(built.observed), len(built.latent)
    every = [f for f, items in enumerate(factor_items(fitted, 0)) if len(items) == k]
    apart = np.all(point.at.latent[:, ~np.eye(m, dtype=bool)] == 0)
    if m < 2 or len(every) != 1 or not apart:
        return None
    general, rows = every[0], []
    for g, group in enumerate(built.groups):
        loading = point.at.loading[g] * np.sqrt(np.diag(point.at.latent[g]))
        unit = loading**2 / np.diag(point.sigma[g])[:, None]
        total = point.sigma[g].sum()
        specific = [items for f, items in enumerate(factor_items(fitted, g)) if f != general]
        shared = sum(len(items) * (len(items) - 1) / 2 for items in specific)
        rows.append(
            {
                "group": group,
                "general": built.latent[general],
                "ecv": unit[:, general].sum() / unit.sum(),
                "omega_total": (loading.sum(axis=0) ** 2).sum() / total,
                "omega_hierarchical": loading[:, general].sum() ** 2 / total,
                "puc": 1 - shared / (k * (k - 1) / 2),
            }
        )
    return pd.DataFrame(rows)
