"""What should hold of a trial's data before its effect is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_flow import section as flow_section
from mhlib.analyses.parts.outcome_start import checks as start_checks
from mhlib.analyses.parts.trial import FEW_CLUSTERS, ROLLED_OUT, Trial
from mhlib.findings import Check, Count, message
from mhlib.stats.effects import cluster_check, nesting_check, score_range_check, spread_checks

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Arms whose units are few enough to be mistaken for the arms themselves.
CONFOUNDED = 3


def of_trial(trial: Trial, params: Params) -> list[Check]:
    """Plausibility of scores and spreads, clusters, nesting, losses, balance, and units an arm."""
    if not len(trial.people):
        return []
    people = trial.people[trial.people["treated"].notna()]
    found = [_units_an_arm(trial), _one_arm_a_unit(trial)]
    if params.outcome_low is not None and params.outcome_high is not None:
        scores = people[[f"y_{name}" for name in trial.data.occasions]].to_numpy().ravel()
        found.append(score_range_check(scores, lowest=params.outcome_low, highest=params.outcome_high))
    groups = people.groupby("arm")["y"].agg(["std", "count"]).dropna()
    if params.reference_sd is not None and len(groups):
        found.append(spread_checks(groups["std"], groups["count"], reference_sd=params.reference_sd)[0])
    if trial.cluster != "pupil_pid":
        found += _enough_units(trial, people)
    if {"class_pid", "school_pid"} <= set(people):
        found.append(nesting_check(people["class_pid"], people["school_pid"]))
    return [*found, *flow_section(trial, params).checks, *start_checks(trial, params)]


def _units_an_arm(trial: Trial) -> Check:
    """With two or three units an arm, what is called the programme may be a unit."""
    name = message("Enough units an arm to tell the programme from the units")
    if trial.design in ROLLED_OUT:
        return Check(
            name, None, message("Units are told apart by when they began; the section on the roll-out looks at that.")
        )
    units = trial.people[trial.people["treated"].notna()].groupby("treated")[trial.cluster].nunique()
    if len(units) < 2:
        return Check(name, False, message("Only one arm was measured."))
    least = int(units.min())
    return Check(name, least > CONFOUNDED, message("The smaller arm has {n} units; with {few} or fewer, units and "
                                                   "programme cannot be told apart.", n=least, few=CONFOUNDED))  # fmt: skip


def _enough_units(trial: Trial, people: pd.DataFrame) -> list[Check]:
    """Enough of what stands behind the intervals; only schools are called schools."""
    if trial.cluster == "school_pid":
        found = cluster_check(people["school_pid"], n=len(people))
        return [found] if isinstance(found, Check) else []
    units = int(people[trial.cluster].nunique())
    said = message("{units} units; under {fewest} only small-sample corrections, permutation or wild bootstrap hold.",
                   units=units, fewest=FEW_CLUSTERS)  # fmt: skip
    return [Check(message("Enough units"), units >= FEW_CLUSTERS, said)]


def _one_arm_a_unit(trial: Trial) -> Check:
    """What was allocated as a whole must have one arm."""
    name = message("Every unit has one arm")
    mixed = int((trial.people.groupby(trial.cluster)["arm"].nunique() > 1).sum())
    if trial.design == "above_cutoff":
        return Check(name, None, message("Pupils and not units are served, by their score."))
    return Check(
        name, mixed == 0, message("{n} units have pupils of more than one arm.", n=Count(mixed) if mixed else 0)
    )
