"""Teachers by occasion and arm, whether the losses could carry the result, and whom each method leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_comparison
from mhlib.analyses.parts.training_effect import analysed
from mhlib.analyses.parts.training_names import occasion_name
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import attrition, largest_difference, participant_flow, people_dropped

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

LOSSES = np.arange(0.0, 0.56, 0.05)
LEVELS = {
    "low": message("low under both assumptions"),
    "tolerable": message("low only under the optimistic assumption"),
    "high": message("high under both assumptions"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowSection:
    """Counts by arm and occasion, losses against the boundary, and people that each method drops."""

    steps: Drawn
    loss: Drawn | Refused
    boundary: Drawn | Refused
    dropped: Drawn
    overall: float
    differential: float
    level: str
    reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> FlowSection:
    """Flow and attrition of the teachers tested."""
    found = _losses(training, params, training.primary)
    none = isinstance(found, Refused)
    later = _losses(training, params, training.follow_up) if training.has_follow_up else None
    return FlowSection(
        steps=_steps(training), loss=_loss(found), boundary=_boundary(found), dropped=dropped(training, params),
        overall=float("nan") if none else found.overall, differential=float("nan") if none else found.differential,
        level="" if none else found.level,
        reading=[*_reading(found, training.primary), *_reading(later, training.follow_up), *_unused(training, params, found),
                 *_dropped_said(training, params), *_other_arms(training)],
        checks=_checks(found),
    )  # fmt: skip


def _people(training: Training) -> pd.DataFrame:
    """Teachers of the two arms, by the words for them."""
    people = training.teachers[training.teachers["treated"].notna()]
    return people.assign(arm_shown=np.where(people["treated"] == 1, "arm_trained", "arm_untrained"))


def _steps(training: Training) -> Drawn:
    """Schools and teachers with a score at each occasion, by arm."""
    people = _people(training).assign(stage_allocated=1)
    stages = {"allocated": "stage_allocated"}
    for name in training.occasions:
        people[f"stage_{name}"] = people[f"{training.measure}_{name}"].notna().astype(int)
        stages[name] = f"stage_{name}"
    levels = ["school_pid"] if "school_pid" in people else []
    frame = participant_flow(people, stages=stages, arm="arm_shown", levels=levels)
    frame = frame.rename(columns={"arm": "arm_shown", "pupils": "n", "stage": "occasion", "school_pid": "n_schools"})
    frame = frame.sort_values("arm_shown", ascending=False, kind="stable")
    return Drawn(table=frame[[name for name in ("arm_shown", "occasion", "n_schools", "n") if name in frame]])


def _losses(training: Training, params: Params, occasion: str) -> object:
    """Losses from the sample behind the effect: who lacks a first test or a covariate is left out of it and so is lost."""
    if not training.controlled:
        return without_comparison()
    people = _people(training)
    return tried(
        attrition, people.index.isin(analysed(training, params, occasion)).astype(int), people["arm_shown"],
        arms=["arm_untrained", "arm_trained"], cluster=people[training.cluster], conf_level=params.conf_level,
    )  # fmt: skip


def _loss(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    names = {"arm": "arm_shown", "lost": "numerator", "n": "denominator", "share": "proportion"}
    return Drawn(table=found.table.rename(columns=names)[["arm_shown", "denominator", "numerator", "proportion"]])


def _boundary(found: object) -> Drawn | Refused:
    """The two boundaries and the study's own point."""
    if isinstance(found, Refused):
        return found
    parts = [pd.DataFrame({"group": f"boundary_{name}", "x": LOSSES, "y": largest_difference(LOSSES, assumption=name)})
             for name in ("cautious", "optimistic")]  # fmt: skip
    parts.append(pd.DataFrame({"group": ["boundary_here"], "x": [found.overall], "y": [found.differential]}))
    table = pd.concat(parts, ignore_index=True).assign(n_used=found.n_used)
    return Drawn(table=table[table["y"].notna()], x_axis=message("share lost over all"),
                 y_axis=message("difference in loss between arms"), x_share=True, y_share=True, points=True)  # fmt: skip


def dropped(training: Training, params: Params) -> Drawn:
    """Teachers that each method uses and leaves out; nobody is left out without being counted."""
    people = training.teachers[training.teachers["treated"].notna()]
    scores = people[[f"{training.measure}_{name}" for name in training.occasions]].notna()
    waves = training.long()
    lost, total = people_dropped(waves, outcome="score", within="time", between="treated", subject="teacher_pid")
    used = {"uses_ancova": len(analysed(training, params, training.primary))}
    if training.has_follow_up:
        used["uses_later"] = len(analysed(training, params, training.follow_up))
    if training.has_baseline:
        used["uses_mixed"] = int(scores.any(axis=1).sum())
    used["uses_anova"] = total - lost
    rows = [{"term": name, "n_used": n, "n_excluded": len(people) - n} for name, n in used.items()]
    return Drawn(table=pd.DataFrame(rows))


def _unused(training: Training, params: Params, found: object) -> list[Message]:
    """Teachers who were tested and whom the analysis cannot use."""
    if isinstance(found, Refused):
        return []
    people = training.teachers[training.teachers["treated"].notna()]
    n = int(people["measured"].sum()) - len(analysed(training, params, training.primary))
    return [message("{n} teachers were tested after the training and lack the first test, or what the analysis adjusts for: it "
                    "leaves them out, so they count as lost.", n=Count(n))] if n else []  # fmt: skip


def _dropped_said(training: Training, params: Params) -> list[Message]:
    table = dropped(training, params).table.set_index("term")
    lost, total = int(table.loc["uses_anova", "n_excluded"]), int(table.loc["uses_anova"].sum())
    if not lost and table.loc["uses_ancova", "n_excluded"]:
        return []
    if not lost:
        return [message("Every teacher was tested at every occasion: no method leaves anybody out.")]
    return [
        message(
            "An analysis of variance of complete teachers would leave out {lost} of {total}; the mixed model uses every "
            "test that was taken.",
            lost=Count(lost),
            total=Count(total),
        )
    ]


def _other_arms(training: Training) -> list[Message]:
    """Teachers of arms that are not compared are not lost, and not silently left out."""
    n = int(training.teachers["treated"].isna().sum())
    return [message("{n} tested teachers belong to other arms, which are not compared here.", n=Count(n))] if n else []


def _reading(found: object, occasion: str) -> list[Message]:
    if found is None or isinstance(found, Refused):
        return []
    return [
        message(
            "Not in the analysis ({occasion}): {overall} of the teachers; the shares of the arms differ by {differential} percentage "
            "points. The danger of bias from losses is {level}.",
            occasion=occasion_name(occasion),
            overall=Proportion(found.overall, found.n_used),
            differential=Estimate(100 * found.differential, found.n_used, digits=1),
            level=LEVELS[found.level],
        )
    ]


def _checks(found: object) -> list[Check]:
    if isinstance(found, Refused):
        return []
    said = message("The danger of bias from losses is {level}.", level=LEVELS[found.level])
    return [Check(message("Losses stay within the boundary"), found.level != "high", said)]
