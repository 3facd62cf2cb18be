"""How much worse would the lost have to be, before the conclusion tips? Imputed outcomes shifted arm by arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.imputation_chains import ImputationResult
from mhlib.stats.effects.imputation_pool import pool
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TippingPointResult:
    """Effect by shift of the imputed outcomes in each arm.

    Attributes
    ----------
    table : DataFrame
        `delta_treated, delta_control, estimate, std_error, df, conf_low, conf_high, p_value`; shifts in outcome points.
    tipping : float
        Smallest shift of the treated alone (its sign tells which way) at which the interval's relation to 0 changes, by
        straight lines between grid points; NaN when none on the grid does.
    estimate, std_error, conf_low, conf_high : float
        Without any shift.
    """

    table: pd.DataFrame
    tipping: float
    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    m: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Term `effect` for each cell, with extra `delta_treated, delta_control, df`, then `tipping`."""
        cells = [{"term": "effect", **row} for row in self.table.to_dict("records")]
        return term_frame([*cells, {"term": "tipping", "estimate": self.tipping}])


def tipping_point(
    imputed: ImputationResult,
    *,
    outcome: str,
    treated: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    shift_treated: Sequence[float],
    shift_control: Sequence[float] = (0.0,),
    conf_level: float = 0.95,
) -> TippingPointResult:
    """Pooled effect when imputed outcomes of each arm lie higher or lower than missing-at-random says.

    Parameters
    ----------
    imputed : ImputationResult
        From :func:`multiple_imputation`.
    outcome, treated : str
        Columns; `treated` is 0/1 and complete.
    covariates : sequence of str
        Columns of baseline covariates; imputed ones are taken as imputed.
    cluster : str, optional
        Column of the school: errors are then cluster-robust (CR1) with schools - 2 degrees of freedom.
    shift_treated, shift_control : sequence of float
        Points added to imputed outcomes, arm by arm; 0 is added to each when absent.
    conf_level : float

    Returns
    -------
    TippingPointResult

    Raises
    ------
    DataError
        A column lacking, a treatment that is not 0/1 or has gaps.
    DesignError
        Covariates that determine the treatment, fewer than four schools.
    ParamsError
        An outcome in which nothing was imputed.

    Notes
    -----
    Least squares of the outcome on treatment and covariates in each imputation. Estimates and residuals are linear in both
    shifts, so one fit an imputation serves the whole grid.
    References: Little & Rubin (2019) ch. 15; Cro et al. (2020) Stat Med 39:2815.
    Checked against: tests/oracle/change_delta.csv (R, every cell fitted anew).
    """
    where = "tipping_point"
    if lacking := [
        c for c in (outcome, treated, *covariates, cluster) if c is not None and c not in imputed.data.columns
    ]:
        raise DataError(f"{where}(data)", f"lacks the columns {', '.join(map(str, lacking))}")
    if outcome not in imputed.imputed:
        raise ParamsError(
            f"{where}(outcome)", "has no imputed value", remedy="nothing can tip: report the effect as it is"
        )
    arm = inputs.without_missing(
        inputs.binary(imputed.data[treated], where=where, name=treated),
        where=where,
        name=treated,
        remedy="give every row an arm",
    )
    n = len(arm)
    units = (np.arange(n), n) if cluster is None else inputs.codes(imputed.data[cluster], where=where, name=cluster)
    if units[1] < 4:
        raise DesignError(where, f"{units[1]} schools leave no degrees of freedom", allowed="at least four")
    lost = imputed.data[outcome].isna().to_numpy()
    shifted = np.column_stack([lost & (arm == 1), lost & (arm == 0)]).astype(float)
    fits = [
        shift_fit(imputed.completed(k), outcome, arm, covariates, shifted, units, where=where) for k in range(imputed.m)
    ]
    effects, scores = np.stack([fit[0] for fit in fits]), np.stack([fit[1] for fit in fits])
    scale = cr1_factor(units[1], n, 2 + len(covariates))
    df = units[1] - 2 if cluster is not None else n - 2 - len(covariates)
    grid = [(a, b) for a in with_zero(shift_treated) for b in with_zero(shift_control)]
    weights = np.array([(1.0, a, b) for a, b in grid])
    estimates = effects @ weights.T
    variances = scale * ((scores @ weights.T) ** 2).sum(axis=1)
    pooled = pool(estimates, variances, df_complete=df, terms=[str(i) for i in range(len(grid))], conf_level=conf_level)
    table = pooled.table.assign(delta_treated=weights[:, 1], delta_control=weights[:, 2])
    columns = ["delta_treated", "delta_control", "estimate", "std_error", "df", "conf_low", "conf_high", "p_value"]
    table = table[columns].reset_index(drop=True)
    plain = table[(table["delta_treated"] == 0) & (table["delta_control"] == 0)].iloc[0]
    return TippingPointResult(
        table=table,
        tipping=where_it_tips(table[table["delta_control"] == 0]),
        **{name: float(plain[name]) for name in ("estimate", "std_error", "conf_low", "conf_high")},
        m=imputed.m,
        n_clusters=None if cluster is None else units[1],
        n_used=n,
        n_excluded=0,
        method=f"delta-adjusted multiple imputation, {'CR1 by school' if cluster else 'robust (HC1)'} errors",
        conf_level=conf_level,
    )


def with_zero(shifts: Sequence[float]) -> list[float]:
    """Shifts in rising order, 0 among them."""
    return sorted({0.0, *map(float, shifts)})


def cr1_factor(clusters: int, n: int, p: int) -> float:
    """Small-sample factor g/(g-1) (n-1)/(n-p) of cluster-robust variances."""
    return clusters / (clusters - 1) * (n - 1) / (n - p)


def shift_fit(
    table: pd.DataFrame,
    outcome: str,
    arm: np.ndarray,
    covariates: Sequence[str],
    shifted: np.ndarray,
    units: tuple[np.ndarray, int],
    *,
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Treatment coefficient of outcome and of both shift indicators, and each unit's share of it (scores), shape (g, 3)."""
    helpers = [table[name].to_numpy(dtype=float) for name in covariates]
    design = np.column_stack([np.ones(len(arm)), arm, *(h - h.mean() for h in helpers)])
    cross = design.T @ design
    if np.linalg.matrix_rank(cross) < len(cross):
        raise DesignError(where, "covariates and treatment determine each other", remedy="leave a covariate out")
    answers = np.column_stack([table[outcome].to_numpy(dtype=float), shifted])
    bread = np.linalg.inv(cross)
    coefficients = bread @ (design.T @ answers)
    parts = (design @ bread[1])[:, None] * (answers - design @ coefficients)
    scores = [np.bincount(units[0], weights=part, minlength=units[1]) for part in parts.T]
    return coefficients[1], np.column_stack(scores)


def where_it_tips(row: pd.DataFrame) -> float:
    """Shift nearest to 0 at which an interval bound crosses 0, along one line of the grid."""
    row = row.sort_values("delta_treated")
    at, found = row["delta_treated"].to_numpy(), []
    for name in ("conf_low", "conf_high"):
        bound = row[name].to_numpy()
        for i in np.flatnonzero(np.sign(bound[:-1]) * np.sign(bound[1:]) < 0):
            found.append(at[i] - bound[i] * (at[i + 1] - at[i]) / (bound[i + 1] - bound[i]))
    return float(min(found, key=abs)) if found else math.nan
