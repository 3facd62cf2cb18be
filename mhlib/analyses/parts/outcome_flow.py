"""Who was allocated, who was measured, and whether the losses could carry the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, without_control, without_pupils
from mhlib.findings import Check, Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import AttritionResult, attrition, largest_difference, participant_flow

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

LOSSES = np.arange(0.0, 0.56, 0.05)
LEVELS = {"low": message("low under both assumptions"), "tolerable": message("low only under the optimistic assumption"),
          "high": message("high under both assumptions")}  # fmt: skip
SHARED_SCHOOLS = message("Lots decided who was served, but both arms go to the same schools: what one gains may reach the other, "
                         "and the outcomes alone cannot tell.")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowSection:
    """Counts by unit, arm and occasion, and the losses against the boundary of the What Works Clearinghouse.

    `shared` is the share of controls whose school also has pupils with the programme; NaN where no lots were drawn, whole
    schools were drawn, or no school is named. A pupil is lost who is not in the comparison, whatever is lacking; `level` is
    the worse of that of pupils and that of whole units (`units_level`, empty where the source does not list them).
    """

    steps: Drawn | Refused
    loss: Drawn | Refused
    boundary: Drawn | Refused
    overall: float
    differential: float
    level: str
    reading: list[Message]
    checks: list[Check]
    shared: float = float("nan")
    units_level: str = ""


def section(trial: Trial, params: Params) -> FlowSection:
    """Flow and attrition of the pupils who were allocated."""
    if not len(trial.people):
        return _nothing(without_pupils())
    people = _staged(trial, params)
    stages = {name: f"stage_{name}" for name in ("allocated", *trial.data.occasions)}
    found = _losses(trial, params, people)
    whole = None if isinstance(found, Refused) else _units_lost(trial, params, people)
    level = "" if isinstance(found, Refused) else _worse(found, whole)
    return FlowSection(
        steps=_steps(trial, people, stages), loss=_loss(found), boundary=_boundary(found),
        overall=float("nan") if isinstance(found, Refused) else found.overall,
        differential=float("nan") if isinstance(found, Refused) else found.differential,
        level=level, reading=_reading(found, whole, people), checks=_checks(trial, params, level), shared=shared_schools(trial),
        units_level="" if whole is None else whole.level,
    )  # fmt: skip


def _losses(trial: Trial, params: Params, people: pd.DataFrame) -> object:
    """Losses by arm against the boundary; refused where there is one arm only."""
    arms = _arms(trial, people)
    if trial.design == "before_after" and len(arms) < 2:
        return without_control()
    return tried(attrition, people["kept"], people["arm"].astype(str), arms=arms, cluster=people[trial.cluster],
                 conf_level=params.conf_level)  # fmt: skip


def _units_lost(trial: Trial, params: Params, people: pd.DataFrame) -> AttritionResult | None:
    """Whole units of which nobody is in the comparison, of all allocated; None where the source does not list them by arm."""
    units = trial.data.allocated
    if params.allocated == "pupil_pid" or params.allocated not in people or not {"unit", "arm"} <= set(units):
        return None
    units = units[["unit", "arm"]].astype(str).drop_duplicates()
    arms = [arm for arm in (trial.control, *trial.treated_arms) if (units["arm"] == arm).any()]
    units = units[units["arm"].isin(arms)]
    left = people.loc[people["kept"] == 1, params.allocated].dropna().astype(str)
    found = tried(
        attrition, units["unit"].isin(left).astype(int), units["arm"], arms=arms, conf_level=params.conf_level
    )
    return None if isinstance(found, Refused) else found


def _worse(found: AttritionResult, whole: AttritionResult | None) -> str:
    return max((one.level for one in (found, whole) if one is not None), key=list(LEVELS).index)


def shared_schools(trial: Trial) -> float:
    """Share of the controls who go to school with pupils of the programme."""
    people = trial.people
    if not trial.randomised or not trial.controlled or "school_pid" not in people or trial.cluster == "school_pid":
        return float("nan")
    arms = people[people["treated"].notna() & people["school_pid"].notna()]
    served = set(arms.loc[arms["treated"] == 1, "school_pid"])
    return float(arms.loc[arms["treated"] == 0, "school_pid"].isin(served).mean())


def _nothing(refused: Refused) -> FlowSection:
    nan = float("nan")
    return FlowSection(
        steps=refused, loss=refused, boundary=refused, overall=nan, differential=nan, level="", reading=[], checks=[]
    )


def _arms(trial: Trial, people: pd.DataFrame) -> list[str]:
    return [arm for arm in (trial.control, *trial.treated_arms) if (people["arm"] == arm).any()]


def _staged(trial: Trial, params: Params) -> pd.DataFrame:
    """Every pupil of the declared arms with 0/1 for each stage reached."""
    arms = [trial.control, *trial.treated_arms]
    people = trial.people[trial.people["arm"].isin(arms)].copy()
    people["stage_allocated"] = 1
    for occasion in trial.data.occasions:
        people[f"stage_{occasion}"] = people[f"y_{occasion}"].notna().astype(int)
    return people.assign(kept=people["analysed"].astype(int), arm=people["arm"].astype(str))


def _steps(trial: Trial, people: pd.DataFrame, stages: dict[str, str]) -> Drawn:
    """Units and pupils at each stage, by arm."""
    levels = [name for name in trial.levels if name in people and name != "pupil_pid"]
    frame = participant_flow(people, stages=stages, arm="arm", levels=levels)
    names = {"school_pid": "n_schools", "class_pid": "n_classes"}
    frame = frame.rename(columns={"pupils": "n", "arm": "arm_shown", "stage": "occasion", **names})
    kept = [name for name in ("arm_shown", "occasion", "n_schools", "n_classes", "n") if name in frame]
    return Drawn(table=frame[kept])


def _loss(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    rows = found.table.rename(
        columns={"arm": "arm_shown", "lost": "numerator", "n": "denominator", "share": "proportion"}
    )
    return Drawn(table=rows[["arm_shown", "denominator", "numerator", "proportion"]])


def _boundary(found: object) -> Drawn | Refused:
    """The two boundaries and the study's own point."""
    if isinstance(found, Refused):
        return found
    parts = [pd.DataFrame({"group": f"boundary_{name}", "x": LOSSES, "y": largest_difference(LOSSES, assumption=name)})
             for name in ("cautious", "optimistic")]  # fmt: skip
    parts.append(pd.DataFrame({"group": ["boundary_here"], "x": [found.overall], "y": [found.differential]}))
    table = pd.concat(parts, ignore_index=True).assign(n_used=found.n_used + found.n_excluded)
    return Drawn(table=table[table["y"].notna()], x_axis=message("share lost over all"),
                 y_axis=message("difference in loss between arms"),
                 x_share=True, y_share=True, points=True)  # fmt: skip


def _reading(found: object, whole: AttritionResult | None, people: pd.DataFrame) -> list[Message]:
    """Losses of pupils, and of whole units where there are any; the worse first."""
    if isinstance(found, Refused):
        return []
    said = _pupils_said(found, left_out=bool((people["measured"] & (people["kept"] == 0)).any()))
    if whole is None or not whole.overall:
        return [said]
    return [_units_said(whole), said] if _worse(found, whole) != found.level else [said, _units_said(whole)]


def _pupils_said(found: AttritionResult, *, left_out: bool) -> Message:
    n = found.n_used + found.n_excluded
    values = {"overall": Proportion(found.overall, n), "differential": Estimate(100 * found.differential, n, digits=1),
              "level": LEVELS.get(found.level, message("unknown"))}  # fmt: skip
    if left_out:
        return message("{overall} of the pupils allocated are not in the comparison, because the outcome at the primary occasion, the "
                       "first score, a covariate or the stratum is missing, and the shares of the arms differ by {differential} "
                       "percentage points; the danger of bias from losses is {level}.", **values)  # fmt: skip
    return message("{overall} of the pupils allocated were not measured at the primary occasion, and the shares of "
                   "the arms differ by {differential} percentage points; the danger of bias from losses is {level}.",
                   **values)  # fmt: skip


def _units_said(whole: AttritionResult) -> Message:
    lost, n = int(whole.table["lost"].sum()), int(whole.table["n"].sum())
    return message("Of {lost} of the {n} units allocated nobody is in the comparison, and the shares of the arms differ by "
                   "{differential} percentage points; the danger of bias from the loss of whole units is {level}.",
                   lost=lost, n=n, differential=f"{100 * whole.differential:.1f}",
                   level=LEVELS.get(whole.level, message("unknown")))  # fmt: skip


def _seen(trial: Trial, params: Params, units: pd.Series | None) -> set[str]:
    """Units measured, in the column that the list of units speaks of: a service by a score is listed by school, not by pupil."""
    columns = dict.fromkeys((params.allocated, trial.cluster, "school_pid", "class_pid", "pupil_pid"))
    values = [set(trial.people[name].dropna().astype(str)) for name in columns if name in trial.people]
    listed = set() if units is None else set(units.astype(str))
    return next((found for found in values if found & listed), values[0])


def _checks(trial: Trial, params: Params, level: str) -> list[Check]:
    units = trial.data.allocated.get("unit")
    seen = _seen(trial, params, units)
    name = message("Every unit allocated was measured")
    if units is None or not len(units):
        listed = Check(name, None, message("The source does not list the units allocated."))
    else:
        lost = len(set(units.astype(str)) - seen)
        listed = Check(name, lost == 0, message("{n} units were allocated and never measured.", n=lost))
    if not level:
        return [listed]
    said = message("The danger of bias from losses is {level}.", level=LEVELS.get(level, message("unknown")))
    return [listed, Check(message("Losses stay within the boundary"), level != "high", said)]
