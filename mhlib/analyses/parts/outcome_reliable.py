"""What the change means for a pupil, what would have happened anyway, and who got worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import ROLLED_OUT, Trial, arms_refusal, without_baseline, without_pupils
from mhlib.errors import DesignError
from mhlib.findings import Message, Proportion, Refused, message
from mhlib.stats.effects import (
    jacobson_truax,
    regression_to_mean,
    reliable_change,
    retest_reliability,
    uncontrolled_positives_refusal,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

FEWEST_SCHOOLS = 10
FEWEST_UNSERVED = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChangeSection:
    """Thresholds, six outcomes by arm, differences, harms."""

    thresholds: Drawn | Refused
    outcomes: Drawn | Refused
    differences: Drawn | Refused
    harms: Drawn | Refused
    harm_state: tuple[str, Message]
    reading: list[Message]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FallSection:
    """The fall of those who scored high, beside the fall to expect without any service."""

    table: Drawn | Refused
    bands: Drawn | Refused
    claim: Refused | None
    reading: list[Message]


UNKNOWN_HARM = ("unknown", message("Who got worse cannot be told from these data."))


def section(trial: Trial, params: Params) -> ChangeSection:
    """Reliable change by Jacobson and Truax with the outcomes of a service's report."""
    refused = _refused(trial, params)
    if refused is not None:
        return _nothing(refused)
    try:
        reliability = reliability_of(trial, params)
        thresholds, least = _thresholds(trial, params, reliability)
        found = _changed(trial, params, least)
    except DesignError as error:
        return _nothing(refused_design(error))
    harms, state = _harms(found, arms_refusal(trial))
    return ChangeSection(
        thresholds=thresholds, outcomes=_outcomes(found), differences=_differences(found, arms_refusal(trial)), harms=harms,
        harm_state=state, reading=_reading(found, arms_refusal(trial)),
    )  # fmt: skip


def _refused(trial: Trial, params: Params) -> Refused | None:
    if not len(trial.people):
        return without_pupils()
    if not trial.has_baseline:
        return without_baseline()
    if params.case_cutoff is None:
        return Refused("no_case_cutoff", message("No score is stated from which a pupil counts as a case."),
                       message("The cut-off of a published source, as parameter case_cutoff."))  # fmt: skip
    return None


def _nothing(refused: Refused) -> ChangeSection:
    return ChangeSection(
        thresholds=refused, outcomes=refused, differences=refused, harms=refused, harm_state=UNKNOWN_HARM, reading=[]
    )


def reliability_of(trial: Trial, params: Params) -> tuple[float, float]:
    """Retest reliability and its error: stated, or from controls over the same interval."""
    if params.reliability is not None:
        return params.reliability, 0.0
    controls = trial.people[(trial.people["treated"] == 0) & trial.people["measured"]]
    if len(controls) < FEWEST_UNSERVED or trial.design in ("above_cutoff", *ROLLED_OUT):
        raise DesignError("reliability", "no unserved pupils over the whole range to take the reliability from",
                          remedy="state it from a published source")  # fmt: skip
    found = retest_reliability(controls["b"], controls["y"], conf_level=params.conf_level)
    return found.reliability, found.std_error


def _thresholds(trial: Trial, params: Params, reliability: tuple[float, float]) -> tuple[Drawn, float]:
    people = trial.compared
    sd = float(people["b"].std(ddof=1))
    found = jacobson_truax(sd=sd, reliability=reliability[0], better=params.better, conf_level=params.conf_level)
    rows = [("retest_used", reliability[0]), ("error_of_score", found.se_measurement), ("error_of_change", found.se_difference),
            ("least_change", found.least_change), ("case_from", params.case_cutoff)]  # fmt: skip
    table = pd.DataFrame([{"term": name, "estimate": value, "n_used": len(people)} for name, value in rows])
    return Drawn(table=table), found.least_change


def _changed(trial: Trial, params: Params, least: float) -> object:
    people = trial.compared
    clustered = trial.cluster != "pupil_pid" and people[trial.cluster].nunique() >= FEWEST_SCHOOLS
    both = people["treated"].nunique() == 2
    return reliable_change(
        people["b"], people["y"], cutoff=params.case_cutoff, least_change=least, better=params.better,
        arm=people["treated"].map({0.0: "arm_control", 1.0: "arm_programme"}) if both else None,
        arms=["arm_control", "arm_programme"] if both else None,
        cluster=people[trial.cluster].astype(str) if clustered else None, n_boot=params.n_boot, seed=params.seed,
        conf_level=params.conf_level,
    )  # fmt: skip


def _outcomes(found: object) -> Drawn:
    """One row an arm and outcome; counts with their own denominators."""
    table = found.table.assign(
        arm_shown=found.table["arm"].astype(str), group="outcome_" + found.table["outcome"].astype(str),
        numerator=found.table["count"],
        proportion=found.table["share"],
    )  # fmt: skip
    return Drawn(table=table[["arm_shown", "group", "numerator", "denominator", "proportion"]])


def _differences(found: object, unlike: Refused | None) -> Drawn | Refused:
    if unlike is not None:
        return unlike
    rows = found.differences.rename(columns={"outcome": "term"})
    rows = rows.assign(term="difference_" + rows["term"].astype(str), estimate=rows["difference"], n_used=found.n_used)
    # A number needed is not defined where the difference may be nought.
    rows["number_needed"] = rows["number_needed"].where(rows["conf_low"] * rows["conf_high"] > 0)
    kept = [name for name in ("term", "estimate", "conf_low", "conf_high", "number_needed", "n_used") if name in rows]
    return Drawn(table=rows[kept])


def _harms(found: object, unlike: Refused | None) -> tuple[Drawn | Refused, tuple[str, Message]]:
    """Reliably worse, by arm and as a difference."""
    worse = found.table[found.table["outcome"] == "worse"]
    rows = worse.assign(arm_shown=worse["arm"].astype(str), numerator=worse["count"], proportion=worse["share"])
    table = Drawn(table=rows[["arm_shown", "numerator", "denominator", "proportion"]])
    if unlike is not None:
        return table, UNKNOWN_HARM
    row = found.differences.set_index("outcome").loc["worse"]
    value = Proportion(float(row["difference"]), found.n_used, float(row["conf_low"]), float(row["conf_high"]))
    said = message("Reliably worse with the programme than without: a difference of {value}.", value=value)
    if math.isnan(float(row["conf_low"])):
        return table, UNKNOWN_HARM
    return table, ("bad" if row["conf_low"] > 0 else "watch" if row["conf_high"] > 0 else "good", said)


def _reading(found: object, unlike: Refused | None) -> list[Message]:
    said = [
        message(
            "Stigma, crises and absence are not recorded in these data; that nobody reported harm does not show that there was none."
        )
    ]
    if unlike is not None:
        said.insert(
            0,
            message(
                "Those served were chosen for a high score: their recovery rates hold what would have happened anyway."
            ),
        )
    return said


def fall(trial: Trial, params: Params) -> FallSection:
    """Observed and expected fall of those at or above the cut-off; mandatory where no control was measured."""
    refused = _refused(trial, params)
    if refused is not None:
        return FallSection(table=refused, bands=refused, claim=None, reading=[])
    people = trial.people[trial.people["treated"].notna() & trial.people["b"].notna() & trial.people["measured"]]
    above = people["b"] >= params.case_cutoff if params.better == "lower" else people["b"] <= params.case_cutoff
    unserved = int((above & (people["treated"] == 0)).sum())
    claim = uncontrolled_positives_refusal(
        screened_by_cutoff=params.screened, n_unserved_retested=unserved, has_control=trial.controlled
    )
    clustered = trial.cluster != "pupil_pid" and people[trial.cluster].nunique() >= FEWEST_SCHOOLS
    try:
        known = None if params.reliability is None else (params.reliability, 0.02)
        found = regression_to_mean(people["b"], people["y"], people["treated"], cutoff=params.case_cutoff, better=params.better,
                                   cluster=people[trial.cluster].astype(str) if clustered else None, reliability=known,
                                   conf_level=params.conf_level)  # fmt: skip
    except DesignError as error:
        refused = refused_design(error)
        return FallSection(table=refused, bands=refused, claim=claim, reading=[])
    if isinstance(found, Refused):
        return FallSection(table=found, bands=found, claim=claim, reading=[])
    rows = found.table.rename(columns={"outcome": "term"}).assign(n_used=found.n_served)
    rows = rows[rows["term"] == "fall"].assign(term="fall_points")
    rows = rows.rename(columns={"observed": "observed_fall", "expected": "expected_fall", "remainder": "estimate"})
    table = Drawn(table=rows[["term", "observed_fall", "expected_fall", "estimate", "conf_low", "conf_high", "n_used"]])
    return FallSection(table=table, bands=_bands(found), claim=claim, reading=[found.reading("fall")])


def _bands(found: object) -> Drawn | Refused:
    if not len(found.bands):
        return Refused(
            "no_bands",
            message("The expectation rests on a formula, so there are no bands of scores."),
            message("Nothing."),
        )
    rows = []
    for band in found.bands.to_dict("records"):
        for name, key, n in (
            ("fall_served", "mean_after_served", band["n_served"]),
            ("fall_unserved", "mean_after_unserved", band["n_unserved"]),
        ):
            if n:
                rows.append({"group": name, "x": (band["low"] + band["high"]) / 2, "y": band[key], "n_used": int(n)})
    return Drawn(
        table=pd.DataFrame(rows),
        x_axis=message("score at the start (points)"),
        y_axis=message("mean score later (points)"),
        points=True,
    )
