"""Those not measured: who they are, and what the effect would be if they were put back in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import adjusted, formula, pooled_sd, robust
from mhlib.analyses.parts.sections import Drawn, refused_design, tried
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Message, Refused, message
from mhlib.stats.effects import (
    ClusterRobustResult,
    ImputationResult,
    cluster_robust,
    lee_bounds,
    multiple_imputation,
    pool,
    tipping_point,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Shifts of the imputed outcomes, in standard deviations, one axis an arm.
SHIFTS = (-0.5, -0.25, 0.0, 0.25, 0.5)
FEWEST_LOST = 10
# Size of the test of whether the arms lose unlike pupils; a check may not cry wolf in one trial of twenty.
UNLIKE_ALPHA = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MissingSection:
    """Patterns, imputation, tipping point, bounds.

    `alike` tells whether both arms lose pupils of one kind (None: not known), in every design with two arms; `few_lost`
    whether hardly anybody is; `stands` whether no shift on the map turns the finding, be it an effect or none (None: no map).
    """

    patterns: Drawn | Refused
    predictors: Drawn | Refused
    effects: Drawn | Refused
    tipping: Drawn | Refused
    bounds: Drawn | Refused
    reading: list[Message]
    checks: list[Check]
    alike: bool | None = None
    stands: bool | None = None
    few_lost: bool = False


def section(trial: Trial, params: Params) -> MissingSection:
    """Complete cases beside imputed ones, the map of shifts, and Lee's bounds."""
    refused = arms_refusal(trial)
    if not len(trial.people):
        return _nothing(refused)
    people = trial.people[trial.people["treated"].notna()]
    few = int((~people["analysed"]).sum()) < FEWEST_LOST
    if refused is None and few:
        refused = Refused("nobody_lost",
                          message("Hardly anybody is missing at the primary occasion: there is nothing to impute."),
                          message("Nothing."))  # fmt: skip
    if refused is None:
        try:
            return _whole(trial, params, people)
        except DesignError as error:
            refused = refused_design(error)
    nothing = replace(_nothing(refused), few_lost=few)
    return replace(nothing, **_kinds(trial, params, people)) if trial.controlled and not few else nothing


def _whole(trial: Trial, params: Params, people: pd.DataFrame) -> MissingSection:
    frame, names = adjusted(trial, params)
    complete = robust(trial, params, frame, names, estimand="pupil")
    if isinstance(complete, Refused):
        return _nothing(complete)
    imputed = _imputed(trial, params, people)
    mended = _pooled(trial, params, imputed, people)
    shifts, tipping, stands = _tipping(trial, params, imputed, people)
    effects, said, check = _effects(params, complete, mended)
    kinds = _kinds(trial, params, people)
    return MissingSection(
        patterns=_patterns(trial, people), predictors=kinds["predictors"], effects=effects, tipping=shifts,
        bounds=_bounds(trial, params, people), reading=[*said, *kinds["reading"], *tipping], checks=[check],
        alike=kinds["alike"], stands=stands,
    )  # fmt: skip


def _nothing(refused: Refused) -> MissingSection:
    return MissingSection(
        patterns=refused, predictors=refused, effects=refused, tipping=refused, bounds=refused, reading=[], checks=[]
    )


def _patterns(trial: Trial, people: pd.DataFrame) -> Drawn:
    """Share of each arm with each pattern of occasions there (+) and missing (–)."""
    there = people[[f"y_{name}" for name in trial.data.occasions]].notna()
    pattern = there.apply(lambda row: " ".join("+" if one else "–" for one in row), axis=1)
    counts = pd.crosstab(pattern, people["treated"])
    n = people["treated"].value_counts()
    rows = [{"occasions_there": name, "arm_shown": f"arm_{'programme' if arm else 'control'}", "numerator": int(counts.at[name, arm]),
             "denominator": int(n[arm]), "proportion": counts.at[name, arm] / n[arm]}
            for name in counts.index for arm in counts]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _kinds(trial: Trial, params: Params, people: pd.DataFrame) -> dict[str, object]:
    """Whether the arms lose pupils of one kind, by the first score; by the outcome of those who are lost for want of another value."""
    first = _predictors(trial, params, people, "b")
    found = {"b": _cross(first)}
    if int((people["measured"] & ~people["analysed"]).sum()) >= FEWEST_LOST:
        found["y"] = _cross(_predictors(trial, params, people, "y"))
    known = [score for score, p_value in found.items() if not math.isnan(p_value)]
    said, alike = _kind({score: found[score] for score in known})
    lost = people[~people["analysed"]]
    if alike and 2 * int(lost[known].notna().any(axis=1).sum()) < len(lost):
        said, alike = [], None
    return {"predictors": _predictors_drawn(first), "reading": said, "alike": alike}


def _predictors(trial: Trial, params: Params, people: pd.DataFrame, score: str) -> ClusterRobustResult | Refused:
    """Whether being lost goes with arm and score: a linear model of being lost, exploratory."""
    frame = people.assign(lost=(~people["analysed"]).astype(float))
    terms = ["treated"]
    if frame[score].std(ddof=1) > 0:
        frame["z_b"] = (frame[score] - frame[score].mean()) / frame[score].std(ddof=1)
        frame["z_cross"] = frame["z_b"] * frame["treated"]
        terms += ["z_b", "z_cross"]
    return tried(
        cluster_robust,
        formula("lost", terms[1:], terms[0]),
        frame,
        cluster=trial.cluster,
        conf_level=params.conf_level,
    )


def _predictors_drawn(fit: ClusterRobustResult | Refused) -> Drawn | Refused:
    if isinstance(fit, Refused):
        return fit
    names = {"treated": "lost_arm", "z_b": "lost_baseline", "z_cross": "lost_both"}
    table = fit.to_frame()
    table = table[table["term"].isin(names)].assign(term=lambda frame: frame["term"].map(names), n_used=fit.n_used)
    return Drawn(table=table[["term", "estimate", "conf_low", "conf_high", "p_value", "n_used"]])


def _cross(fit: ClusterRobustResult | Refused) -> float:
    """p-value of the score's part in being lost differing between arms; NaN where it is not known."""
    rows = fit.to_frame().set_index("term") if not isinstance(fit, Refused) else []
    return float(rows.at["z_cross", "p_value"]) if len(rows) and "z_cross" in rows.index else math.nan


def _kind(found: dict[str, float]) -> tuple[list[Message], bool | None]:
    """Equal losses are no equal loss: the worse-off of one arm against anybody of the other bends the comparison."""
    if not found:
        return [], None
    unlike = [score for score, p_value in found.items() if p_value < UNLIKE_ALPHA / len(found)]
    if not unlike:
        return [
            message(
                "Nothing speaks for the arms having lost pupils of different kinds, as far as the first score tells."
            )
        ], True
    said = {
        "b": message("The arms lost pupils of different kinds: being missing goes with the first score in one arm more than in the "
                     "other. Those left are then no longer alike, even where the losses are equal in number."),
        "y": message("The arms lost pupils of different kinds: lacking a first score, a covariate or the stratum goes with the "
                     "outcome in one arm more than in the other. Those left are then no longer alike, even where the losses are "
                     "equal in number."),
    }  # fmt: skip
    return [said[score] for score in unlike], False


def _imputed(trial: Trial, params: Params, people: pd.DataFrame) -> ImputationResult:
    """Every occasion, the arm and what predicts loss; schools as random intercepts where there are five or more."""
    columns = {f"y_{name}": people[f"y_{name}"].astype(float) for name in trial.data.occasions}
    columns["treated"] = people["treated"]
    for name in ("sex", *params.covariates):
        numeric = name in people and pd.api.types.is_numeric_dtype(people[name])
        if numeric and (people[name].notna().all() or name in params.covariates):
            columns[name] = people[name].astype("Float64").astype(float)
    frame = pd.DataFrame(columns)
    frame = frame[[name for name in frame if frame[name].std(ddof=1) > 0]]
    cluster = None
    if trial.cluster != "pupil_pid" and people[trial.cluster].nunique() >= 5:
        cluster = trial.cluster
        frame[cluster] = people[cluster].astype(str).to_numpy()
    return multiple_imputation(
        frame, m=params.n_imputations, seed=params.seed, cluster=cluster, conf_level=params.conf_level
    )


def _pooled(trial: Trial, params: Params, imputed: ImputationResult, people: pd.DataFrame) -> object:
    """The primary model in each completed table, pooled by Rubin with Barnard and Rubin's degrees of freedom."""
    estimates, variances, df, n_used = [], [], [], 0
    mended = [name for name in imputed.data if name != trial.cluster and people[name].isna().any()]
    for at in range(imputed.m):
        whole = people.copy()
        done = imputed.completed(at)
        for name in mended:
            whole[name] = done[name].to_numpy()
        whole["y"] = whole[f"y_{params.primary}"]
        whole["b"] = whole[f"y_{params.baseline}"] if params.baseline else whole["b"]
        frame, names = adjusted(trial, params, whole)
        fit = robust(trial, params, frame, names, estimand="pupil")
        row, n_used = fit.to_frame().set_index("term").loc["treated"], fit.n_used
        estimates.append(row["estimate"])
        variances.append(row["std_error"] ** 2)
        df.append(row["df"])
    return pool(np.array(estimates), np.array(variances), df_complete=float(np.mean(df)), terms=["treated"], n_used=n_used,
                conf_level=params.conf_level)  # fmt: skip


def _effects(params: Params, complete: object, mended: object) -> tuple[Drawn, list[Message], Check]:
    """Complete cases and imputed, and whether the difference is more than half the standard error."""
    first = complete.to_frame().set_index("term").loc["treated"]
    second = mended.table.set_index("term").loc["treated"]
    rows = [{"group": name, "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"], "df": row["df"],
             "p_value": row["p_value"], "n_used": n}
            for name, row, n in (("effect_complete", first, complete.n_used), ("effect_imputed", second, mended.n_used))]  # fmt: skip
    change = float(first["estimate"] - second["estimate"])
    far = abs(change) > 0.5 * float(first["std_error"])
    sign = 1.0 if params.better == "higher" else -1.0
    said = message("Those measured alone give {complete} points, everybody {imputed}; above 0 is better.",
                   complete=Estimate(sign * first["estimate"], complete.n_used),
                   imputed=Estimate(sign * second["estimate"], mended.n_used))  # fmt: skip
    check = Check(message("Those measured alone give the same effect"), not far,
                  message("The two differ by {change} points; more than half a standard error raises an alarm.",
                          change=Estimate(change, complete.n_used)))  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0), [said], check


def _tipping(
    trial: Trial, params: Params, imputed: ImputationResult, people: pd.DataFrame
) -> tuple[Drawn | Refused, list[Message], bool | None]:
    """Effect for every pair of shifts; and whether any shift on the map turns the finding."""
    if people["y"].notna().all():
        return Refused("nothing_shifted",
                       message("Every outcome at the primary occasion is known, so none can be shifted."),
                       message("Nothing.")), [], None  # fmt: skip
    sd = pooled_sd(people[people["analysed"]])
    shifts = [round(shift * sd, 6) for shift in SHIFTS]
    covariates = [f"y_{params.baseline}"] if f"y_{params.baseline}" in imputed.data else []
    cluster = trial.cluster if trial.cluster in imputed.data else None
    found = tipping_point(imputed, outcome=f"y_{params.primary}", treated="treated", covariates=covariates, cluster=cluster,
                          shift_treated=shifts, shift_control=shifts, conf_level=params.conf_level)  # fmt: skip
    table = found.table
    names = {round(value, 6): f"{shift:+.2f}" for shift, value in zip(SHIFTS, shifts, strict=True)}
    rows = pd.DataFrame({
        "row": [f"shift_{names[round(value, 6)]}" for value in table["delta_treated"]],
        "across": [f"shift_{names[round(value, 6)]}" for value in table["delta_control"]],
        "value_shown": table["estimate"], "n_used": found.n_used,
    })  # fmt: skip
    stands, said = _stands(found)
    return Drawn(table=rows, x_axis=message("controls shifted by (SD)"),
                 y_axis=message("programme shifted by (SD)")), [said], stands  # fmt: skip


def _stands(found: object) -> tuple[bool | None, Message]:
    """Whether every shift on the map leaves the finding: an effect on the same side of nought, or nought within the interval."""
    low, high = found.table["conf_low"], found.table["conf_high"]
    if math.isnan(found.conf_low):
        return None, message("Too few units for an interval.")
    if found.conf_low * found.conf_high <= 0:
        if ((low <= 0) & (high >= 0)).all():
            return True, message("The interval holds nought before any shift and at every shift on the map.")
        return False, message("The interval holds nought before any shift, but not everywhere on the map: a shift of the unmeasured "
                              "by half a standard deviation or less, in one arm against the other, is enough to make it an "
                              "effect.")  # fmt: skip
    base = math.copysign(1, found.estimate)
    if ((np.sign(low) == base) & (np.sign(high) == base)).all():
        return True, message(
            "The finding stands for every shift on the map, up to half a standard deviation in either arm."
        )
    return False, message("The finding turns within the map: a shift of the unmeasured by half a standard deviation or less, in one "
                          "arm against the other, is enough.")  # fmt: skip


def _bounds(trial: Trial, params: Params, people: pd.DataFrame) -> Drawn | Refused:
    """Lee's bounds, which suppose only that the programme moves loss in one direction."""
    outcome = people["y"] - people["b"] if trial.has_baseline else people["y"]
    cluster = None if trial.cluster == "pupil_pid" else people[trial.cluster].astype(str)
    try:
        found = lee_bounds(
            outcome,
            people["treated"],
            cluster=cluster,
            n_boot=params.n_boot,
            seed=params.seed,
            conf_level=params.conf_level,
        )
    except DesignError as error:
        return refused_design(error)
    rows = [{"term": "bound_lower", "estimate": found.lower}, {"term": "bound_upper", "estimate": found.upper},
            {"term": "bound_interval", "estimate": math.nan, "conf_low": found.conf_low, "conf_high": found.conf_high}]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows).assign(n_used=found.n_used))
