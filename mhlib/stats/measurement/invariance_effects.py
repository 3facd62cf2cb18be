"""What lack of invariance means: factor means of groups, parameters to set free, and the effect in score points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.stats.intervals import critical
from mhlib.stats.measurement.cfa_fitted import Fitted
from mhlib.stats.measurement.cfa_modification import equality_table

# Where on the factor the score difference is read, in standard deviations of the reference group.
LEVELS = (-1.0, 0.0, 1.0)
ASKED = {"metric": "=~", "scalar": "~1", "strict": "~~"}


def latent_means(fitted: Fitted, conf_level: float) -> pd.DataFrame:
    """Factor means of each later group against the reference, whose means are 0.

    Returns
    -------
    DataFrame
        `group, factor, estimate, std_error, conf_low, conf_high, p_value, effect`: in the unit of the factor's first item,
        and in standard deviations of the reference group.
    """
    theta, rows, half = fitted.found.point.theta, [], critical(conf_level)
    errors = np.sqrt(np.maximum(np.diag(fitted.covariance), 0))
    spread = np.sqrt(np.diag(fitted.found.point.at.latent[0]))
    latent = fitted.built.latent
    for row, free in zip(fitted.table.rows, fitted.table.free, strict=True):
        if row.op == "~1" and row.lhs in latent and free >= 0:
            value, error = float(theta[free]), float(errors[free])
            rows.append(
                {
                    "group": fitted.table.groups[row.group],
                    "factor": row.lhs,
                    "estimate": value,
                    "std_error": error,
                    "conf_low": value - half * error,
                    "conf_high": value + half * error,
                    "p_value": float(2 * stats.norm.sf(abs(value) / error)),
                    "effect": value / float(spread[latent.index(row.lhs)]),
                }
            )
    columns = ["group", "factor", "estimate", "std_error", "conf_low", "conf_high", "p_value", "effect"]
    return pd.DataFrame(rows, columns=columns)


def suggestions(models: Mapping[str, Fitted]) -> pd.DataFrame:
    """Score tests of what each step made equal: loadings at metric, intercepts at scalar, residuals at strict.

    Returns
    -------
    DataFrame
        `step, term, score_chi2, df, p_value, group, epc`; within a step the strongest first. `epc` is by how much the
        named group would differ from the others, for intercepts in points of the item.
    """
    found = []
    for step, mark in ASKED.items():
        for name in (step, f"partial_{step}"):
            if name in models:
                table = equality_table(models[name])
                found.append(table[table["term"].str.contains(mark, regex=False)].assign(step=name))
    columns = ["step", "term", "score_chi2", "df", "p_value", "group", "epc"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def score_effect(fitted: Fitted, conf_level: float) -> pd.DataFrame:
    """Expected difference of the total score between a group and the reference at the same level of the factors.

    Parameters
    ----------
    fitted : Fitted
        A partial model: what it leaves free makes the difference, what it holds equal makes none.
    conf_level : float

    Returns
    -------
    DataFrame
        `group, level, estimate, std_error, conf_low, conf_high`: `level` in standard deviations of the reference group on
        every factor, the difference in points of the sum of all items of the model.
    """
    built, at, rows, half = fitted.built, fitted.found.point.at, [], critical(conf_level)
    spread = np.sqrt(np.diag(at.latent[0]))
    for g in range(1, len(built.groups)):
        for level in LEVELS:
            factor = at.mean[0] + level * spread
            sums = [(at.intercept[i] + at.loading[i] @ factor).sum() for i in (0, g)]
            slope = total_slope(fitted, g, factor) - total_slope(fitted, 0, factor)
            value = float(sums[1] - sums[0])
            error = float(np.sqrt(max(slope @ fitted.covariance @ slope, 0)))
            rows.append((built.groups[g], level, value, error, value - half * error, value + half * error))
    return pd.DataFrame(rows, columns=["group", "level", "estimate", "std_error", "conf_low", "conf_high"])


def total_slope(fitted: Fitted, group: int, factor: np.ndarray) -> np.ndarray:
    """Gradient of the expected total score at fixed factor values, shape (q,)."""
    gradient = np.zeros(fitted.built.n_free)
    for name, moved in (("intercept", None), ("loading", factor)):
        slot = fitted.built.slots[name]
        kept = slot.index[group] >= 0
        np.add.at(gradient, slot.index[group, kept], 1.0 if moved is None else moved[slot.col[kept]])
    return gradient
