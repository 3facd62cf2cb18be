"""The steps of measurement invariance: which model each is, how far it falls behind the step before, and Chen's rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from mhlib.findings import Refused
from mhlib.stats.measurement.cfa_fitted import Fitted, fit_table
from mhlib.stats.measurement.cfa_moments import Moments
from mhlib.stats.measurement.cfa_robust import Variation
from mhlib.stats.measurement.cfa_table import ParameterTable

EQUAL = {
    "configural": (),
    "metric": ("loadings",),
    "scalar": ("loadings", "intercepts"),
    "strict": ("loadings", "intercepts", "residuals"),
}
# Chen (2007): largest fall of CFI and rise of RMSEA and SRMR, in samples of more than 300 people.
CHEN_CFI, CHEN_RMSEA = -0.010, 0.015
CHEN_SRMR = {"metric": 0.030, "scalar": 0.010, "strict": 0.010}


@dataclass(frozen=True, slots=True)
class Step:
    """One model of the ladder: its equalities, the step it is compared with, and the parameters left free."""

    name: str
    base: str
    against: str | None
    partial: tuple[str, ...] = ()


def plan_steps(last: str, partial: Sequence[str]) -> list[Step]:
    """The full ladder up to `last`, then the partial models from the first step that `partial` changes."""
    names = list(EQUAL)[: list(EQUAL).index(last) + 1]
    steps = [Step(name, name, names[i - 1] if i else None) for i, name in enumerate(names)]
    before = "configural"
    for name in names[1:]:
        if changes(name, partial):
            steps.append(Step(f"partial_{name}", name, before, tuple(partial)))
            before = f"partial_{name}"
        else:
            before = name
    return steps


def changes(step: str, partial: Sequence[str]) -> bool:
    """Whether a step makes a named parameter equal."""
    marks = {"metric": ("=~",), "scalar": ("=~", "~1"), "strict": ("=~", "~1", "~~")}[step]
    return any(mark in name for name in partial for mark in marks)


def fit_steps(
    steps: Sequence[Step],
    build: object,
    moments: Moments,
    *,
    estimator: str,
    variation: Variation | None,
) -> tuple[dict[str, Fitted], Refused | None]:
    """Fit each step from the one before; stops at the first that is refused.

    Parameters
    ----------
    steps : sequence of Step
    build : callable
        Parameter table of a step's equalities and partial parameters.
    moments : Moments
    estimator : {'ml', 'mlr'}
    variation : Variation, optional
    """
    models: dict[str, Fitted] = {}
    for step in steps:
        table = build(EQUAL[step.base], step.partial)
        start = None if step.against is None else start_from(table, models[step.against])
        fitted = fit_table(table, moments, estimator=estimator, variation=variation, start=start)
        if isinstance(fitted, Refused):
            return models, fitted
        models[step.name] = fitted
    return models, None


def start_from(table: ParameterTable, before: Fitted) -> np.ndarray:
    """Start values from the estimates of a less restricted model, averaged where parameters become equal."""
    theta = before.found.point.theta
    known = {
        (row.name, row.group): theta[free] if free >= 0 else row.value
        for row, free in zip(before.table.rows, before.table.free, strict=True)
    }
    total, count = np.zeros(table.n_free), np.zeros(table.n_free)
    for row, free in zip(table.rows, table.free, strict=True):
        if free >= 0:
            total[free] += known[row.name, row.group]
            count[free] += 1
    return total / count


def difference(less: Fitted, more: Fitted) -> tuple[float, int, float]:
    """Chi2 difference, df and p of nested models; scaled (Satorra & Bentler 2001) for "mlr", NaN where that fails."""
    a, b = less.indices, more.indices
    df = b.df - a.df
    chi2 = b.chi2_plain - a.chi2_plain
    if more.estimator == "mlr":
        saturated = a.scaling if a.df > 0 else 0.0
        scale = (b.df * b.scaling - a.df * saturated) / df if df > 0 else math.nan
        chi2 = chi2 / scale if scale > 0 else math.nan
    return chi2, df, float(special.chdtrc(df, chi2)) if df > 0 else math.nan


def ladder_table(steps: Sequence[Step], models: Mapping[str, Fitted]) -> pd.DataFrame:
    """One row a step that was fitted.

    Returns
    -------
    DataFrame
        `step, against, chi2, df, p_value, cfi, tli, rmsea, rmsea_low, rmsea_high, srmr, aic, bic, n_free, diff_chi2,
        diff_df, diff_p, delta_cfi, delta_rmsea, delta_srmr, holds`; `holds` by Chen's rule, None for the first.
    """
    rows = []
    for step in steps:
        if step.name not in models:
            continue
        fit = models[step.name].indices
        own = (
            "chi2",
            "df",
            "p_value",
            "cfi",
            "tli",
            "rmsea",
            "rmsea_low",
            "rmsea_high",
            "srmr",
            "aic",
            "bic",
            "n_free",
        )
        row = {"step": step.name, "against": step.against, **{name: getattr(fit, name) for name in own}}
        rows.append({**row, **compared(step, models)})
    return pd.DataFrame(rows)


def compared(step: Step, models: Mapping[str, Fitted]) -> dict[str, object]:
    """Differences to the step before, and whether Chen's rule accepts them."""
    if step.against is None:
        numbers = ("diff_chi2", "diff_df", "diff_p", "delta_cfi", "delta_rmsea", "delta_srmr")
        return {**dict.fromkeys(numbers, math.nan), "holds": None}
    less, more = models[step.against], models[step.name]
    chi2, df, p = difference(less, more)
    falls = {f"delta_{name}": getattr(more.indices, name) - getattr(less.indices, name)
             for name in ("cfi", "rmsea", "srmr")}  # fmt: skip
    holds = (
        falls["delta_cfi"] >= CHEN_CFI
        and falls["delta_rmsea"] <= CHEN_RMSEA
        and falls["delta_srmr"] <= CHEN_SRMR[step.base]
    )
    return {"diff_chi2": chi2, "diff_df": df, "diff_p": p, **falls, "holds": holds}


def highest(table: pd.DataFrame) -> str:
    """The strictest step reached without a break, by Chen's rule; a partial model serves where the full one fails."""
    rows = {step: (a, b) for step, a, b in zip(table["step"], table["against"], table["holds"], strict=True)}
    held = "configural"
    for name in list(EQUAL)[1:]:
        # A partial step that follows a partial one must be compared with it, the full step with the full one before.
        passed = [step for step in (name, f"partial_{name}") if rows.get(step) == (held, True)]
        if not passed:
            return held
        held = passed[0]
    return held
