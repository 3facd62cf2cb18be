"""The primary effect of a trial, and the models that stand beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_names import in_words
from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Message, Refused
from mhlib.stats.effects import ClusterRobustResult, cluster_robust, hedges_g_from_model, multilevel

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effect:
    """The difference that the plan names, in points and in standard deviations, whatever the design.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high : float
        Points of the outcome, programme minus control.
    df, p_value : float
        NaN where the p-value is refused.
    sd : float
        Deviation that the effect is divided by, in points.
    g, g_low, g_high : float
        NaN where no deviation of pupils is known.
    n_used, n_clusters : int
    method : Message
    p_refused : Refused or None
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    df: float
    p_value: float
    sd: float
    g: float
    g_low: float
    g_high: float
    n_used: int
    n_clusters: int
    method: Message
    p_refused: Refused | None = None

    def better(self, direction: str) -> tuple[float, float, float]:
        """Estimate and interval turned so that more is better."""
        if direction == "higher":
            return self.estimate, self.conf_low, self.conf_high
        return -self.estimate, -self.conf_high, -self.conf_low


def adjusted(trial: Trial, params: Params, people: pd.DataFrame | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Rows compared, with every covariate of the plan as a centred column, so that the intercept is the controls' mean.

    Returns
    -------
    frame, names : DataFrame, list of str
        Baseline ``z_b``, covariates ``z_<name>``, and one column a stratum but one.
    """
    frame = (trial.compared if people is None else people).copy()
    numbers = {"z_b": frame["b"]} if trial.has_baseline else {}
    for name in params.covariates:
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]):
            numbers[f"z_{name}"] = frame[name]
        else:
            numbers |= _dummies(frame[name], f"z_{name}")
    if params.stratum:
        numbers |= _dummies(frame["stratum"], "z_stratum")
    numbers = {name: column.astype(float) for name, column in numbers.items()}
    numbers = {name: column for name, column in numbers.items() if column.std(ddof=0) > 0}
    centred = pd.DataFrame({name: column - column.mean() for name, column in numbers.items()}, index=frame.index)
    return pd.concat([frame, centred], axis=1), list(centred)


def _dummies(column: pd.Series, prefix: str) -> dict[str, pd.Series]:
    levels = sorted(column.dropna().astype(str).unique())[1:]
    return {f"{prefix}_{at}": (column.astype(str) == level).where(column.notna()) for at, level in enumerate(levels)}


def formula(outcome: str, names: list[str], treatment: str = "treated") -> str:
    """`outcome ~ treatment + covariates`."""
    return " + ".join([f"{outcome} ~ {treatment}", *names])


def robust(
    trial: Trial, params: Params, frame: pd.DataFrame, names: list[str], *, outcome: str = "y", **options: object
) -> ClusterRobustResult | Refused:
    """CR2 by the unit that was allocated, in the estimand of the plan unless told otherwise."""
    given = {"estimand": params.estimand, "conf_level": params.conf_level, "arm": "treated"} | options
    if params.stratum and frame.groupby(trial.cluster)["stratum"].nunique().max() == 1:
        given["strata"] = "stratum"
    return cluster_robust(formula(outcome, names), frame, cluster=trial.cluster, **given)


def effect_of(trial: Trial, fit: ClusterRobustResult, frame: pd.DataFrame, method: Message) -> Effect:
    """The treatment's row of a fit, standardised by the pooled deviation of pupils within arms (WWC)."""
    row = fit.to_frame().set_index("term").loc["treated"]
    sd = pooled_sd(frame)
    n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
    size = len(frame) / max(fit.n_clusters, 1)
    standard = hedges_g_from_model(
        row["estimate"], row["std_error"], sd=sd, n_treated=n1, n_control=n0, icc=icc_of(trial, frame), cluster_size=size,
        df=max(float(row["df"]), 1.0), n_clusters=fit.n_clusters, conf_level=fit.conf_level,
    )  # fmt: skip
    refused = fit.refusals.get("treated")
    return Effect(
        estimate=row["estimate"], std_error=row["std_error"], conf_low=row["conf_low"], conf_high=row["conf_high"],
        df=row["df"], p_value=row["p_value"], sd=sd, g=standard.g, g_low=standard.conf_low, g_high=standard.conf_high,
        n_used=fit.n_used, n_clusters=fit.n_clusters, method=method, p_refused=in_words(refused) if refused else None,
    )  # fmt: skip


def pooled_sd(frame: pd.DataFrame, outcome: str = "y") -> float:
    """Deviation of pupils within arms, pooled."""
    groups = frame.groupby("treated")[outcome]
    spread, n = groups.var(ddof=1), groups.count()
    return math.sqrt(float((spread * (n - 1)).sum() / (n - 1).sum()))


def icc_of(trial: Trial, frame: pd.DataFrame) -> float:
    """Unconditional intraclass correlation within the unit allocated, given the arm; 0 where pupils were allocated."""
    if trial.cluster == "pupil_pid":
        return 0.0
    fit = multilevel("y ~ treated", frame, groups=[trial.cluster])
    return float(fit.icc.loc[fit.icc["term"] == "icc " + trial.cluster, "estimate"].iloc[0])
