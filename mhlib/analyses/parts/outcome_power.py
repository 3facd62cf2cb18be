"""How small an effect this study could see, how secure its finding is, and what the next term would need."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import t

from mhlib.analyses.parts.outcome_effect import Effect, adjusted
from mhlib.analyses.parts.outcome_flow import FlowSection
from mhlib.analyses.parts.outcome_primary import mixed_model
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, arms_refusal, without_pupils
from mhlib.errors import DesignError
from mhlib.findings import Check, Light, Message, Refused, message
from mhlib.stats.effects import (
    allocation,
    detectable_effect_of_schedule,
    minimum_detectable_effect,
    multilevel,
    stepped_wedge,
    wait_list,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Upper ends for grades 5 … 1, beyond the last 0 (Education Endowment Foundation, classification of security, 2019).
MDES_LADDER = (0.2, 0.3, 0.4, 0.5, 0.6)
LOSS_LADDER = (0.10, 0.20, 0.30, 0.40, 0.50)
DESIGN_CAP = {"above_cutoff": 3, "staggered": 3, "panel": 2, "matched": 2, "time_series": 2, "before_after": 0}
# With fewer degrees of freedom no error is trusted.
FEWEST_DF = 4
# Where nobody knows how small an effect could have been seen, the finding is no securer than this grade.
UNKNOWN_CAP = 2
UNGRADED = message("There is no effect with an interval, so there is no finding whose security could be graded.")
# Shares of variance are kept below one: all of it between schools leaves nothing to compute with.
MOST_ALIKE = 0.99
CITY_SIZES = (10, 20, 40, 60, 80, 129)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerSection:
    """Detectable effects, intraclass correlations, the grade with its reasons, and the page for the next term."""

    detectable: Drawn | Refused
    icc: Drawn | Refused
    grade: int | None
    reasons: list[Light]
    next_term: Drawn | Refused
    drawn: Drawn | Refused


def section(
    trial: Trial, params: Params, flow: FlowSection, checks: list[Check], effect: Effect | Refused
) -> PowerSection:
    """Everything that follows from the spread between schools and classes, or from the error of another design's effect."""
    icc, values = _icc(trial, params)
    unlike = arms_refusal(trial)
    if unlike is not None and not isinstance(effect, Refused):
        detectable, at_analysis = _by_error(effect, params)
    else:
        detectable, at_analysis = (unlike, math.nan) if unlike else _detectable(trial, params, values, effect)
    grade, reasons = security_grade(trial, flow, at_analysis, checks, effect)
    return PowerSection(
        detectable=detectable,
        icc=icc,
        grade=grade,
        reasons=reasons,
        next_term=_next_term(params, values),
        drawn=_drawn(trial, params),
    )


def _icc(trial: Trial, params: Params) -> tuple[Drawn | Refused, dict[str, float] | Refused]:
    """Intraclass correlation of each level with its interval, and the share that the covariates explain."""
    if not len(trial.people):
        return without_pupils(), without_pupils()
    levels = [name for name in trial.levels if name != "pupil_pid"]
    if not levels:
        refused = Refused("no_levels", message("No school or class is named, so nothing can be said of how alike their pupils are."),
                          message("The school and class of each pupil, as parameter levels."))  # fmt: skip
        return refused, refused
    try:
        frame, names = adjusted(trial, params)
        if frame.empty:
            return nobody_twice(), nobody_twice()
        empty = multilevel(
            "y ~ 1" if not trial.controlled else "y ~ treated", frame, groups=levels, conf_level=params.conf_level
        )
        full = mixed_model(trial, frame, names, params)
    except DesignError as error:
        refused = refused_design(error)
        return refused, refused
    total = float(empty.variances["estimate"].sum())
    rows, values = [], {"class_size": len(frame) / frame[levels[-1]].nunique()}
    for at, level in enumerate([*levels, "residual"]):
        part = level if level == "residual" else f"{level}: intercept"
        before = float(empty.variances.set_index("term").at[part, "estimate"])
        after = before if isinstance(full, Refused) else float(full.variances.set_index("term").at[part, "estimate"])
        row = {"term": f"icc_{level.removesuffix('_pid')}", "estimate": before / total, "n_used": empty.n_used}
        row |= _ends(empty, level)
        row["r2"] = max(1 - after / before, 0.0) if before > 0 else math.nan
        values |= {f"icc_{at}": before / total, f"r2_{at}": 0.0 if math.isnan(row["r2"]) else row["r2"]}
        rows.append(row)
    return Drawn(table=pd.DataFrame(rows)), values


def nobody_twice() -> Refused:
    """Other pupils were measured each time, so no baseline is a pupil's own."""
    return Refused(
        "nobody_twice",
        message("No pupil was measured both at the start and at the primary occasion."),
        message("The same pupils at both occasions."),
    )


def _ends(empty: object, level: str) -> dict[str, float]:
    """Interval of a level's share of the variance; the rest has none of its own."""
    rows = empty.icc.set_index("term")
    name = f"icc {level}"
    return {end: float(rows.at[name, end]) for end in ("conf_low", "conf_high")} if name in rows.index else {}


def _detectable(
    trial: Trial, params: Params, values: dict[str, float] | Refused, effect: Effect | Refused
) -> tuple[Drawn | Refused, float]:
    """Smallest effect found with 80 % power: as planned, as allocated, as analysed."""
    rows = []
    pupils = trial.people[trial.people["treated"].notna()]
    share = float(pupils.groupby(trial.cluster)["treated"].first().mean())
    supposed = {"icc_school": params.planned_icc, "r2_pupil": params.planned_r2, "r2_school": params.planned_r2}
    try:
        if params.planned_icc is not None:
            if params.planned_clusters and params.planned_pupils:
                rows.append(
                    _mdes("stage_design", params.planned_clusters, params.planned_pupils, 0.5, supposed, params)
                )
            units, size = pupils[trial.cluster].nunique(), len(pupils) / pupils[trial.cluster].nunique()
            rows.append(_mdes("stage_randomisation", units, size, share, supposed, params))
        rows += _analysed(trial, params, values, effect, share)
    except DesignError as error:
        return refused_design(error), math.nan
    if not rows:
        return Refused("nothing_planned", message("Neither a planned size nor a nesting is stated."),
                       message("planned_clusters, planned_pupils and planned_icc, or levels.")), math.nan  # fmt: skip
    last = rows[-1]["mdes"] if rows[-1]["group"] == "stage_analysis" else math.nan
    return Drawn(table=pd.DataFrame(rows)), last


def _analysed(
    trial: Trial, params: Params, values: dict[str, float] | Refused, effect: Effect | Refused, share: float
) -> list[dict[str, object]]:
    """From the error that the effect has, as that holds every likeness of pupils; by the formula only where it has none."""
    by_error = {} if isinstance(effect, Refused) else _row_by_error(effect, params)
    if isinstance(values, Refused):
        return [by_error] if by_error else []
    left = trial.compared
    size = len(left) / left[trial.cluster].nunique()
    found = _likeness(values, trial.cluster, size, within_schools=params.stratum == "school_pid")
    row = _mdes("stage_analysis", left[trial.cluster].nunique(), size, share, found, params)
    return [row | ({"mdes": by_error["mdes"]} if by_error else {})]


def _likeness(values: dict[str, float], unit: str, pupils: float, *, within_schools: bool = False) -> dict[str, float]:
    """Shares of variance in the formula's names: of units of `pupils` pupils, and of the classes in them."""
    school = min(values["icc_0"], MOST_ALIKE)
    if "icc_2" not in values:
        return {"icc_school": school, "r2_pupil": values["r2_1"], "r2_school": values["r2_0"]}
    one = min(values["icc_1"], MOST_ALIKE - school)
    found = {"r2_pupil": values["r2_2"]}
    if unit != "class_pid":
        return found | {"icc_school": school, "icc_class": one, "classes": max(pupils / values["class_size"], 1.0),
                        "r2_school": values["r2_0"], "r2_class": values["r2_1"]}  # fmt: skip
    # Classes drawn by lot differ as their schools do, unless the lots were drawn within each school.
    if within_schools or school + one == 0:
        return found | {"icc_school": one, "r2_school": values["r2_1"]}
    explained = (school * values["r2_0"] + one * values["r2_1"]) / (school + one)
    return found | {"icc_school": school + one, "r2_school": explained}


def _of_a_school(given: dict[str, float], pupils: float) -> float:
    """One share of variance that gives the mean of a school the error it has with classes in it."""
    school, one, classes = given["icc_school"], given.get("icc_class", 0.0), given.get("classes", 1.0)
    if not one or pupils <= 1:
        return school
    return (school + one / classes - (school + one) / pupils) / (1 - 1 / pupils)


def _by_error(effect: Effect, params: Params) -> tuple[Drawn | Refused, float]:
    """As a table by itself, or why the error of the effect tells nothing."""
    row = _row_by_error(effect, params)
    if not row:
        return Refused("no_deviation", message("No deviation of pupils is known, so the smallest effect has no size in it."),
                       message("Nothing.")), math.nan  # fmt: skip
    return Drawn(table=pd.DataFrame([row])), row["mdes"]


def _row_by_error(effect: Effect, params: Params) -> dict[str, object]:
    """The sum of two quantiles of t, times the error that the effect turned out to have (Bloom 1995); empty without one."""
    # An interval without degrees of freedom is one by the normal distribution.
    df = math.inf if math.isnan(effect.df) and not math.isnan(effect.conf_low) else effect.df
    if not (effect.sd > 0 and df >= FEWEST_DF and effect.std_error > 0):
        return {}
    found = float(t.ppf([1 - params.alpha / 2, 0.80], df).sum() * effect.std_error / effect.sd)
    return {"group": "stage_analysis", "n_units": effect.n_clusters, "mdes": found, "n_used": effect.n_used}


def _mdes(
    stage: str, clusters: float, pupils: float, share: float, given: dict[str, float], params: Params
) -> dict[str, object]:
    found = minimum_detectable_effect(schools=int(clusters), pupils=pupils / given.get("classes", 1.0), treated=share,
                                      alpha=params.alpha, stage=stage.removeprefix("stage_"), **given)  # fmt: skip
    return {"group": stage, "n_units": int(clusters), "pupils_a_unit": pupils, "icc": given["icc_school"], "r2": given["r2_pupil"],
            "mdes": found.mdes, "n_used": int(clusters * pupils)}  # fmt: skip


def security_grade(
    trial: Trial, flow: FlowSection, mdes: float, checks: list[Check], effect: Effect | Refused
) -> tuple[int | None, list[Light]]:
    """Grade 0–5: the lowest of design, detectable effect and losses, less one when a check of the data failed.

    A non-randomised design cannot pass its cap, nor a study whose smallest effect is unknown :data:`UNKNOWN_CAP`. Where
    there is no effect with an interval there is no finding to grade, unless the design alone makes it 0.
    """
    parts = _entries(trial, flow, mdes)
    failed = sum(check.passed is False for check in checks)
    grade = max(min(value for value, *_ in parts if value is not None) - (1 if failed else 0), 0)
    lights = [Light(name, _state(value), message("Not known.") if value is None else message("Grade {grade}.", grade=value), rule,
                    True)
              for value, name, rule in parts]  # fmt: skip
    if math.isnan(mdes):
        grade = min(grade, UNKNOWN_CAP)
        lights[1] = replace(lights[1], finding=message("Not known, so no grade above {grade}.", grade=UNKNOWN_CAP))
    lights.append(Light(message("Checks of the data"), "bad" if failed else "good", message("{n} checks did not hold.", n=failed),
                        message("one grade less when any did not hold"), True))  # fmt: skip
    if not _has_interval(effect):
        lights.append(Light(message("Effect"), "unknown", UNGRADED, message("without an interval no grade"), True))
        grade = 0 if parts[0][0] == 0 else None
    return grade, lights


def _entries(trial: Trial, flow: FlowSection, mdes: float) -> list[tuple[int | None, Message, Message]]:
    """Grade of each part, its name and its rule: design, smallest effect, losses, unequal losses."""
    return [
        (DESIGN_CAP.get(trial.design, 5), message("Design"),
         message("lots 5; cut-off or staggered 3; weights, panel or time series 2; none 0")),
        (_rung(mdes, MDES_LADDER), message("Smallest effect it could see"),
         message("up to .2: 5, .3: 4, .4: 3, .5: 2, .6: 1 SD")),
        (_rung(flow.overall, LOSS_LADDER), message("Losses"), message("up to 10%: 5, 20%: 4, 30%: 3, 40%: 2, 50%: 1")),
        ({"low": 5, "tolerable": 4, "high": 2}.get(flow.level), message("Unequal losses"),
         message("within the cautious boundary 5, the optimistic 4, beyond both 2")),
    ]  # fmt: skip


def _has_interval(effect: Effect | Refused) -> bool:
    return not isinstance(effect, Refused) and not math.isnan(effect.conf_low)


def _rung(value: float, ladder: tuple[float, ...]) -> int | None:
    if math.isnan(value):
        return None
    return next((5 - at for at, end in enumerate(ladder) if value <= end), 0)


def _state(grade: int | None) -> str:
    return "unknown" if grade is None else "good" if grade >= 4 else "watch" if grade >= 2 else "bad"


def _next_term(params: Params, values: dict[str, float] | Refused) -> Drawn | Refused:
    """Detectable effect of a trial, a wait-list and a stepped roll-out on this city's own intraclass correlation."""
    if isinstance(values, Refused):
        return values
    given = _likeness(values, "school_pid", params.next_pupils)
    sizes = sorted({*CITY_SIZES, params.next_schools})
    rows = []
    for schools in sizes:
        plain = _mdes("stage_design", schools, params.next_pupils, 0.5, given, params)["mdes"]
        rolled = {
            name: detectable_effect_of_schedule(schedule, pupils=params.next_pupils, icc=_of_a_school(given, params.next_pupils),
                                                school_autocorrelation=0.8, pupil_autocorrelation=0.6, alpha=params.alpha).mdes
            for name, schedule in (("wait", wait_list(schools)), ("steps", stepped_wedge(schools, steps=4)))
        }  # fmt: skip
        rows.append({"n_units": schools, "pupils_a_unit": params.next_pupils, "mdes_trial": plain, "mdes_wait": rolled["wait"],
                     "mdes_steps": rolled["steps"], "n_used": int(schools * params.next_pupils)})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def allocation_list(trial: Trial, params: Params) -> pd.DataFrame | Refused:
    """Arms for the next term by lot within school levels; for the bureau only."""
    if not len(trial.people) or "school_pid" not in trial.people:
        return without_pupils()
    schools = trial.people.drop_duplicates("school_pid").sort_values("school_pid")
    strata = schools["level"].astype(str) if "level" in schools else None
    found = allocation(schools["school_pid"].astype(str), seed=params.seed, strata=strata, arms=("later", "first"))
    return found.table


def _drawn(trial: Trial, params: Params) -> Drawn | Refused:
    """How many schools of each stratum the seeded lots put into each arm."""
    table = allocation_list(trial, params)
    if isinstance(table, Refused):
        return table
    stratum = table["stratum"].astype(str) if "stratum" in table else pd.Series("all", index=table.index)
    counts = table.groupby([stratum.rename("group"), "arm"]).size().unstack(fill_value=0).reset_index()
    named = counts.assign(group=["level_" + name if len(name) == 1 else "all_schools" for name in counts["group"]])
    return Drawn(
        table=named.rename(columns={"first": "starts_first", "later": "starts_later"})[
            ["group", "starts_first", "starts_later"]
        ]
    )
