"""Those not measured: who they are, and what the effect would be if they were put back in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import adjusted, formula, pooled_sd, robust
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Message, Refused, message
from mhlib.stats.effects import ImputationResult, cluster_robust, lee_bounds, multiple_imputation, pool, tipping_point

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

    `alike` tells whether both arms lose pupils of one kind (None: not known), `stands` whether no shift on the map turns the
    finding (None: nought is in the interval already).
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


def section(trial: Trial, params: Params) -> MissingSection:
    """Complete cases beside imputed ones, the map of shifts, and Lee's bounds."""
    if refused := arms_refusal(trial):
        return _nothing(refused)
    people = trial.people[trial.people["treated"].notna()]
    people = people[people["b"].notna()] if trial.has_baseline else people
    if int(people["y"].isna().sum()) < FEWEST_LOST:
        return _nothing(Refused("nobody_lost",
                                message("Hardly anybody is missing at the primary occasion: there is nothing to impute."),
                                message("Nothing.")))  # fmt: skip
    try:
        return _whole(trial, params, people)
    except DesignError as error:
        return _nothing(refused_design(error))


def _whole(trial: Trial, params: Params, people: pd.DataFrame) -> MissingSection:
    frame, names = adjusted(trial, params)
    complete = robust(trial, params, frame, names, estimand="pupil")
    if isinstance(complete, Refused):
        return _nothing(complete)
    imputed = _imputed(trial, params, people)
    mended = _pooled(trial, params, imputed, people)
    shifts, tipping, stands = _tipping(trial, params, imputed, people)
    effects, said, check = _effects(trial, complete, mended)
    predictors = _predictors(trial, params, people)
    kind, alike = _kind(predictors)
    return MissingSection(
        patterns=_patterns(trial, people), predictors=predictors, effects=effects, tipping=shifts,
        bounds=_bounds(trial, params, people), reading=[*said, *kind, *tipping], checks=[check], alike=alike, stands=stands,
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


def _predictors(trial: Trial, params: Params, people: pd.DataFrame) -> Drawn | Refused:
    """Whether being missing goes with arm and baseline: a linear model of being missing, exploratory."""
    frame = people.assign(lost=people["y"].isna().astype(float))
    terms = ["treated"]
    if trial.has_baseline:
        frame["z_b"] = (frame["b"] - frame["b"].mean()) / frame["b"].std(ddof=1)
        frame["z_cross"] = frame["z_b"] * frame["treated"]
        terms += ["z_b", "z_cross"]
    fit = cluster_robust(
        formula("lost", terms[1:], terms[0]), frame, cluster=trial.cluster, conf_level=params.conf_level
    )
    if isinstance(fit, Refused):
        return fit
    names = {"treated": "lost_arm", "z_b": "lost_baseline", "z_cross": "lost_both"}
    table = fit.to_frame()
    table = table[table["term"].isin(names)].assign(term=lambda frame: frame["term"].map(names), n_used=fit.n_used)
    return Drawn(table=table[["term", "estimate", "conf_low", "conf_high", "p_value", "n_used"]])


def _kind(predictors: Drawn | Refused) -> tuple[list[Message], bool | None]:
    """Equal losses are no equal loss: the worse-off of one arm against anybody of the other bends the comparison."""
    rows = [] if isinstance(predictors, Refused) else predictors.table.set_index("term")
    p_value = rows.at["lost_both", "p_value"] if len(rows) and "lost_both" in rows.index else math.nan
    if math.isnan(p_value):
        return [], None
    if p_value >= UNLIKE_ALPHA:
        return [
            message(
                "Nothing speaks for the arms having lost pupils of different kinds, as far as the first score tells."
            )
        ], True
    said = message("The arms lost pupils of different kinds: being missing goes with the first score in one arm more than in the "
                   "other. Those left are then no longer alike, even where the losses are equal in number.")  # fmt: skip
    return [said], False


def _imputed(trial: Trial, params: Params, people: pd.DataFrame) -> ImputationResult:
    """Every occasion, the arm and what predicts loss; schools as random intercepts where there are five or more."""
    columns = {f"y_{name}": people[f"y_{name}"].astype(float) for name in trial.data.occasions}
    columns["treated"] = people["treated"]
    for name in ("sex", *params.covariates):
        if name in people and pd.api.types.is_numeric_dtype(people[name]) and people[name].notna().all():
            columns[name] = people[name].astype(float)
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
    estimates, variances, df = [], [], []
    for at in range(imputed.m):
        whole = people.copy()
        done = imputed.completed(at)
        for name in trial.data.occasions:
            whole[f"y_{name}"] = done[f"y_{name}"].to_numpy()
        whole["y"] = whole[f"y_{params.primary}"]
        frame, names = adjusted(trial, params, whole)
        row = robust(trial, params, frame, names, estimand="pupil").to_frame().set_index("term").loc["treated"]
        estimates.append(row["estimate"])
        variances.append(row["std_error"] ** 2)
        df.append(row["df"])
    return pool(np.array(estimates), np.array(variances), df_complete=float(np.mean(df)), terms=["treated"], n_used=len(people),
                conf_level=params.conf_level)  # fmt: skip


def _effects(trial: Trial, complete: object, mended: object) -> tuple[Drawn, list[Message], Check]:
    """Complete cases and imputed, and whether the difference is more than half the standard error."""
    first = complete.to_frame().set_index("term").loc["treated"]
    second = mended.table.set_index("term").loc["treated"]
    rows = [{"group": name, "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"], "df": row["df"],
             "p_value": row["p_value"], "n_used": n}
            for name, row, n in (("effect_complete", first, complete.n_used), ("effect_imputed", second, mended.n_used))]  # fmt: skip
    change = float(first["estimate"] - second["estimate"])
    far = abs(change) > 0.5 * float(first["std_error"])
    said = message("Those measured alone give {complete} points, everybody {imputed}.",
                   complete=Estimate(first["estimate"], complete.n_used),
                   imputed=Estimate(second["estimate"], mended.n_used))  # fmt: skip
    check = Check(message("Those measured alone give the same effect"), not far,
                  message("The two differ by {change} points; more than half a standard error raises an alarm.",
                          change=Estimate(change, complete.n_used)))  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0), [said], check


def _tipping(
    trial: Trial, params: Params, imputed: ImputationResult, people: pd.DataFrame
) -> tuple[Drawn, list[Message], bool | None]:
    """Effect for every pair of shifts; and whether any shift on the map turns the finding."""
    sd = pooled_sd(people[people["y"].notna()])
    shifts = [round(shift * sd, 6) for shift in SHIFTS]
    covariates = [f"y_{params.baseline}"] if trial.has_baseline else []
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
    base = math.copysign(1, found.estimate) if found.conf_low * found.conf_high > 0 else 0
    held = (np.sign(table["conf_low"]) == base) & (np.sign(table["conf_high"]) == base)
    said = (
        message("The interval holds nought already before any shift.")
        if base == 0
        else message("The finding stands for every shift on the map, up to half a standard deviation in either arm.")
        if held.all()
        else message("The finding turns within the map: a shift of the unmeasured by half a standard deviation or less, in one arm "
                     "against the other, is enough.")
    )  # fmt: skip
    return Drawn(table=rows, x_axis=message("controls shifted by (SD)"),
                 y_axis=message("programme shifted by (SD)")), [said], bool(held.all()) if base else None  # fmt: skip


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
