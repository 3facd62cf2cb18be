"""Given the baseline, or since the baseline: analysis of covariance and change score side by side, and Lord's paradox."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, without_baseline
from mhlib.findings import Check, Message, Refused, message
from mhlib.stats.effects import AncovaResult, ancova

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params
    from mhlib.stats.effects.ancova_lord import LordCheck


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CovarianceSection:
    """Two analyses of the same pupils, how far they lie apart, and which is to be believed."""

    table: Drawn | Refused
    reading: list[Message]
    checks: list[Check]


def section(trial: Trial, params: Params, frame: pd.DataFrame) -> CovarianceSection:
    """The first arm against the control, in the estimand of the plan, on those measured at both times."""
    found = _fitted(trial, params, frame) if trial.has_baseline else without_baseline()
    if isinstance(found, Refused):
        return CovarianceSection(table=found, reading=[], checks=[])
    if isinstance(found.change_score, Refused) or not found.lord:
        return CovarianceSection(table=found.change_score, reading=[], checks=[])
    lord = next(iter(found.lord.values()))
    rows = [_row("by_ancova", found.effects), _row("by_change_score", found.change_score), _gap(lord)]
    return CovarianceSection(
        table=Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0), reading=_reading(lord),
        checks=[Check(message("Analysis of covariance and change score tell the same story"), lord.check.passed, lord.check.detail)],
    )  # fmt: skip


def _fitted(trial: Trial, params: Params, frame: pd.DataFrame) -> AncovaResult | Refused:
    """The library's analysis with the columns of the plan: same rows, same covariates, same strata."""
    covariates = [name for name in params.covariates if frame[name].nunique() > 1]
    layered = bool(params.stratum) and frame["stratum"].nunique() > 1
    nested = layered and frame.groupby(trial.cluster)["stratum"].nunique().max() == 1
    if layered and not nested and "stratum" not in covariates:
        covariates.append("stratum")
    # Plain types: a nullable column is read as text.
    plain = {name: frame[name].astype("Float64").astype(float) for name in covariates if _numeric(frame[name])}
    return tried(
        ancova, frame.assign(**plain), outcome="y", baseline="b", arm="treated", reference=0.0, covariates=covariates,
        cluster=trial.cluster, strata="stratum" if nested else None, school_mean_baseline=False, estimand=params.estimand,
        allocation="randomised" if trial.randomised else "intact", conf_level=params.conf_level,
    )  # fmt: skip


def _numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def _row(name: str, found: object) -> dict[str, object]:
    row = found.to_frame().iloc[0]
    kept = {part: row[part] for part in ("estimate", "conf_low", "conf_high", "df", "p_value")}
    return {"analysis_named": name, **kept, "n_used": found.n_used}


def _gap(lord: LordCheck) -> dict[str, object]:
    known = not math.isnan(lord.conf_low)
    return {"analysis_named": "ancova_less_change", "estimate": lord.gap, "conf_low": lord.conf_low, "conf_high": lord.conf_high,
            "df": lord.df, "p_value": lord.p_value if known else math.nan, "n_used": lord.n_used}  # fmt: skip


def _reading(lord: LordCheck) -> list[Message]:
    """What the library says of the two, and where they differ, why two right sums may tell two stories."""
    if not lord.differ:
        return [lord.check.detail]
    return [lord.check.detail,
            message("This is Lord's paradox: the analysis of covariance asks how pupils who began alike ended, the change score "
                    "how far each arm moved. Where the arms began apart, these are two questions with two answers.")]  # fmt: skip
