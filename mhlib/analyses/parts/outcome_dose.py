"""How much of the programme was delivered: sessions, fidelity, schools, those who took part because of the offer, and the dose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_complier import MOST_UNRECORDED, complier
from mhlib.analyses.parts.outcome_expected import robust_line
from mhlib.analyses.parts.outcome_matched import to_five
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, other_design
from mhlib.errors import DesignError
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import DoseResponseResult, cluster_robust, dose_response, group_effects, multilevel

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Designs in which those called controls are served later, so that their sessions, which carry no date, are no contamination.
SERVED_LATER = ("wait_list", "stepped_wedge")
FEWEST = 10
FEWEST_SCHOOLS = 20
LEAST_DF = 4
QUANTILES = np.round(np.arange(0.05, 0.96, 0.05), 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseSection:
    """What was attended and kept to, the effect on those who took part, and sessions against the outcome."""

    sessions: Drawn | Refused
    attended: Drawn | Refused
    fidelity: Drawn | Refused
    schools: Drawn | Refused
    schools_curve: Drawn | Refused
    uptake: Drawn | Refused
    complier: Drawn | Refused
    slope: Drawn | Refused
    levels: Drawn | Refused
    reading: list[Message]
    checks: list[Check]


def section(trial: Trial, params: Params) -> DoseSection:
    """Delivery by arm, between schools, and against the outcome; only lots make any of it causal."""
    if not len(trial.people):
        return _nothing(other_design())
    if "sessions" not in trial.people or not trial.people["sessions"].notna().any():
        return _nothing(without_sessions())
    people = with_parts(trial, params)
    measures = _measures(people)
    table, curve = _schools(trial, params, measures)
    uptake, effect, said, checks = complier(trial, params, people, served_later=trial.design in SERVED_LATER)
    found = _dosed(trial, params, people)
    return DoseSection(
        sessions=_sessions(people), attended=_attended(trial, params, people), fidelity=_fidelity(trial, params, people),
        schools=table, schools_curve=curve, uptake=uptake, complier=effect, slope=_slope(found), levels=_levels(found),
        reading=[*_delivered(trial, params, people), *said, *_sloped(found)],
        checks=[*_contamination(trial, people), *_recorded(people), *checks, *_dose_checks(found)],
    )  # fmt: skip


def without_sessions() -> Refused:
    """Nothing on the dose where nobody recorded it."""
    return Refused(
        "no_sessions",
        message("The source does not say how many sessions each pupil attended."),
        message("Sessions attended by each pupil, served or not, as column sessions, and the share of the manual kept to, as column "
                "fidelity."),
    )  # fmt: skip


def _nothing(refused: Refused) -> DoseSection:
    names = ("sessions", "attended", "fidelity", "schools", "schools_curve", "uptake", "complier", "slope", "levels")
    return DoseSection(**dict.fromkeys(names, refused), reading=[], checks=[])


def with_parts(trial: Trial, params: Params) -> pd.DataFrame:
    """Pupils of the two arms with ``sessions``, ``fidelity`` as numbers and ``took_part`` (0/1, NaN where nothing is recorded)."""
    people = trial.people[trial.people["treated"].notna()].copy()
    people["sessions"] = people["sessions"].astype("Float64").astype(float)
    if "fidelity" in people:
        people["fidelity"] = people["fidelity"].astype("Float64").astype(float)
    took = (people["sessions"] >= params.attended_from).astype(float)
    return people.assign(took_part=took.where(people["sessions"].notna()))


def _arms(people: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Programme first; arms of which nothing is recorded stay out."""
    for name, arm in (("arm_programme", 1.0), ("arm_control", 0.0)):
        mine = people[(people["treated"] == arm) & people["sessions"].notna()]
        if len(mine) >= FEWEST:
            yield name, mine


def _few() -> Refused:
    return Refused(
        "few_sessions",
        message("Sessions of fewer than {least} pupils are recorded.", least=FEWEST),
        message("Sessions attended by each pupil, served or not, as column sessions."),
    )


def _sessions(people: pd.DataFrame) -> Drawn | Refused:
    """Share of pupils by sessions attended; neighbouring numbers are put together until each holds ten pupils."""
    rows = []
    for name, mine in _arms(people):
        for low, high, n in bands(np.floor(mine["sessions"].to_numpy())):
            share = to_five(n) / to_five(len(mine))
            rows.append({"group": name, "x": (low + high) / 2, "y": share / (high - low + 1), "n_used": n})
    if not rows:
        return _few()
    return Drawn(table=pd.DataFrame(rows), x_axis=message("sessions attended"), y_axis=message("share of pupils at each number"),
                 y_share=True, points=True)  # fmt: skip


def bands(sessions: np.ndarray) -> list[tuple[float, float, int]]:
    """Whole numbers of sessions, thin ones together with their neighbours."""
    found: list[tuple[float, float, int]] = []
    low, held = float(sessions.min()), 0
    for number in np.arange(sessions.min(), sessions.max() + 1):
        held += int((sessions == number).sum())
        if held >= FEWEST:
            found.append((low, float(number), held))
            low, held = float(number) + 1, 0
    if held and found:
        first, _, n = found.pop()
        found.append((first, float(sessions.max()), n + held))
    return found


def _attended(trial: Trial, params: Params, people: pd.DataFrame) -> Drawn | Refused:
    """Share who took part and mean number of sessions, by arm."""
    rows = []
    for name, mine in _arms(people):
        counted = {"numerator": int(mine["took_part"].sum()), "denominator": len(mine)}
        rows.append({"arm_shown": name, "term": "dose_took_part", **_mean(trial, params, mine, "took_part"), **counted})
        rows.append({"arm_shown": name, "term": "dose_mean_sessions", **_mean(trial, params, mine, "sessions")})
    return Drawn(table=pd.DataFrame(rows)) if rows else _few()


def _mean(trial: Trial, params: Params, people: pd.DataFrame, column: str) -> dict[str, object]:
    """Mean with its CR2 interval; none where everybody has the same or the units are too few."""
    row: dict[str, object] = {"estimate": float(people[column].mean()), "conf_low": math.nan, "conf_high": math.nan,
                              "n_used": len(people)}  # fmt: skip
    if people[column].nunique() < 2 or people[trial.cluster].nunique() < 2:
        return row
    fit = cluster_robust(f"{column} ~ 1", people, cluster=trial.cluster, conf_level=params.conf_level)
    if isinstance(fit, Refused):
        return row
    _, low, high, df = robust_line(fit, "Intercept")
    return row | {"conf_low": low, "conf_high": high} if df >= LEAST_DF else row


def _fidelity(trial: Trial, params: Params, people: pd.DataFrame) -> Drawn | Refused:
    """How much of the manual was kept to, over those served."""
    if "fidelity" not in people or people["fidelity"].notna().sum() < FEWEST:
        return Refused(
            "no_fidelity",
            message("The source does not say how far the manual was kept to."),
            message(
                "The share of the manual kept to in each pupil's sessions, rated by an observer, as column fidelity."
            ),
        )
    rows = []
    for name, arm in (("arm_programme", 1.0), ("arm_control", 0.0)):
        mine = people[(people["treated"] == arm) & people["fidelity"].notna()]
        if len(mine) >= FEWEST:
            quarter, middle, three = mine["fidelity"].quantile([0.25, 0.5, 0.75])
            rows.append({"arm_shown": name, "term": "dose_fidelity", **_mean(trial, params, mine, "fidelity"),
                         "dose_quarter": quarter, "dose_middle": middle, "dose_three_quarters": three})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)) if rows else _few()


def _measures(people: pd.DataFrame) -> list[tuple[str, pd.DataFrame, str]]:
    """What is compared between schools, among those served."""
    served = people[people["treated"] == 1]
    found = [
        ("dose_school_took_part", "took_part"),
        ("dose_school_sessions", "sessions"),
        ("dose_school_fidelity", "fidelity"),
    ]
    return [
        (name, served[served[column].notna()], column)
        for name, column in found
        if column in served and served[column].nunique() > 1
    ]


def _schools(trial: Trial, params: Params, measures: list) -> tuple[Drawn | Refused, Drawn | Refused]:
    """Quantiles over unnamed schools, each drawn towards the mean of all; a table of three and a curve of the shares."""
    rows, points = [], []
    for name, served, column in measures:
        found = shrunken(trial, params, served, column)
        if isinstance(found, Refused):
            return found, found
        low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
        rows.append({"term": name, "school_low": low, "school_middle": middle, "school_high": high, "n_units": len(found),
                     "n_used": len(served)})  # fmt: skip
        if column != "sessions":
            points += [
                {"group": name, "x": q, "y": float(np.quantile(found, q)), "n_used": len(served)} for q in QUANTILES
            ]
    if not rows:
        refused = Refused(
            "all_alike", message("Everybody served attended alike, so schools cannot differ."), message("Nothing.")
        )
        return refused, refused
    curve = (
        Drawn(table=pd.DataFrame(points), x_axis=message("share of schools at or below"),
              y_axis=message("share, by school, drawn towards the mean"), x_share=True, y_share=True)
        if points else Refused("all_alike", message("Everybody served attended alike, so schools cannot differ."), message("Nothing."))
    )  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)), curve


def shrunken(trial: Trial, params: Params, served: pd.DataFrame, column: str) -> np.ndarray | Refused:
    """Mean of each school drawn towards the mean of all by its own uncertainty; schools of ten pupils and more."""
    school = "school_pid" if "school_pid" in served else trial.cluster
    n = served[school].value_counts()
    kept = served[served[school].isin(n[n >= FEWEST].index)]
    if kept[school].nunique() < FEWEST_SCHOOLS:
        return Refused(
            "few_schools",
            message("Fewer than {least} schools have ten pupils served: their spread would tell of single schools.",
                    least=FEWEST_SCHOOLS),
            message("More schools."),
        )  # fmt: skip
    try:
        fit = multilevel(f"{column} ~ 1", kept, groups=[school], conf_level=params.conf_level)
        effects = group_effects(fit).table["estimate"].to_numpy(dtype=float)
    except DesignError as error:
        return refused_design(error)
    return float(fit.fixed.set_index("term").loc["Intercept", "estimate"]) + effects


def _dosed(trial: Trial, params: Params, people: pd.DataFrame) -> DoseResponseResult | Refused:
    """Sessions against the outcome among those served, within schools."""
    served = people[(people["treated"] == 1) & people["measured"] & people["sessions"].notna()]
    if not trial.has_baseline:
        return Refused(
            "no_baseline",
            message(
                "Without a baseline, sessions and outcome cannot even be described together: the worse off may attend more."
            ),
            message("The outcome of the same pupils before the programme starts."),
        )
    served = served[served["b"].notna()]
    school = "school_pid" if "school_pid" in served else trial.cluster
    if served[school].nunique() in (0, 1, len(served)):
        return Refused(
            "no_schools",
            message(
                "Sessions are compared within schools only, and the source names no schools with several pupils served."
            ),
            message("The school of each pupil, as column school_pid."),
        )
    try:
        return dose_response(served, outcome="y", dose="sessions", baseline="b", cluster=school, conf_level=params.conf_level,
                             expected="falls" if params.better == "lower" else "rises")  # fmt: skip
    except DesignError as error:
        return refused_design(error)


def _slope(found: DoseResponseResult | Refused) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    row = found.to_frame().iloc[0]
    return Drawn(table=pd.DataFrame([{
        "term": "dose_slope", "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"],
        "n_units": found.n_clusters, "n_used": found.n_used,
    }]))  # fmt: skip


def _levels(found: DoseResponseResult | Refused) -> Drawn | Refused:
    """Difference from the fewest sessions, number by number; numbers that fewer than ten attended stay out."""
    if isinstance(found, Refused):
        return found
    levels = found.levels[found.levels["n"] >= FEWEST]
    if len(levels) < 2:
        return Refused(
            "no_levels_of_dose",
            message("Too many or too thin numbers of sessions to be shown one by one; the slope takes their place."),
            message("Nothing."),
        )
    # The first level is what the others are compared with: it has no interval of its own.
    rows = levels.assign(
        low=levels["conf_low"].fillna(levels["difference"]), high=levels["conf_high"].fillna(levels["difference"])
    )
    table = pd.DataFrame({"group": "dose_levels", "x": rows["dose"], "y": rows["difference"], "low": rows["low"],
                          "high": rows["high"], "n_used": rows["n"]})  # fmt: skip
    return Drawn(table=table.reset_index(drop=True), x_axis=message("sessions attended"),
                 y_axis=message("from the fewest sessions (points)"), points=True)  # fmt: skip


def _delivered(trial: Trial, params: Params, people: pd.DataFrame) -> list[Message]:
    """Share who took part in each arm, and what the record cannot tell."""
    said = []
    for name, mine in _arms(people):
        share = Proportion(float(mine["took_part"].mean()), len(mine))
        if name == "arm_programme":
            said.append(message("Of those with the programme {share} attended {least} or more sessions.", share=share,
                                least=f"{params.attended_from:g}"))  # fmt: skip
            said += _known(people, mine)
        elif trial.design in SERVED_LATER:
            said.append(message("Those who began later are served too. Sessions carry no date, so theirs say nothing about whether "
                                "they were served too early."))  # fmt: skip
        elif not mine["took_part"].any():
            said.append(message("Of those without the programme nobody attended as many."))
        else:
            said.append(message("Of those without the programme {share} attended as many: the arms were less far apart than planned.",
                                share=share))  # fmt: skip
    if trial.controlled and not len(people[(people["treated"] == 0) & people["sessions"].notna()]):
        said.append(message("No sessions are recorded of those without the programme. It is supposed that they attended none; a "
                            "record would have to show it."))  # fmt: skip
    return said


def _known(people: pd.DataFrame, recorded: pd.DataFrame) -> list[Message]:
    """Of whom the share with the programme speaks; nothing where everybody has a record."""
    served = int((people["treated"] == 1).sum())
    if len(recorded) == served:
        return []
    return [message("That is a share of those with a record, and {share} of those with the programme have one: the others may have "
                    "attended none.", share=Proportion(len(recorded) / served, served))]  # fmt: skip


def _contamination(trial: Trial, people: pd.DataFrame) -> list[Check]:
    """Whether anybody without the programme took part; not to be looked at where nothing is recorded or all are served in time."""
    if not trial.controlled:
        return []
    name = message("Nobody without the programme took part")
    others = people[(people["treated"] == 0) & people["took_part"].notna()]
    if others.empty:
        return [Check(name, None, message("No sessions are recorded of those without the programme."))]
    if trial.design in SERVED_LATER:
        return [Check(name, None, message("Those who began later are served too, and sessions carry no date."))]
    n = int(others["took_part"].sum())
    return [Check(name, n == 0, message("{n} pupils without the programme took part.", n=Count(n) if n else 0))]


def _recorded(people: pd.DataFrame) -> list[Check]:
    """Attendance known of nearly everybody with the programme."""
    served = people[people["treated"] == 1]
    if served.empty:
        return []
    lost = float(served["sessions"].isna().mean())
    return [Check(message("Attendance is recorded of those with the programme"), lost <= MOST_UNRECORDED,
                  message("{share} have no record.", share=Proportion(lost, len(served))))]  # fmt: skip


def _dose_checks(found: DoseResponseResult | Refused) -> list[Check]:
    """What the library found, less the plausibility of its regression."""
    return [] if isinstance(found, Refused) else [check for check in found.checks if check not in found.fit.checks]


def _sloped(found: DoseResponseResult | Refused) -> list[Message]:
    """The slope as an exploratory description, always with its warning."""
    if isinstance(found, Refused):
        return []
    row = found.to_frame().iloc[0]
    limits = () if math.isnan(row["conf_low"]) else (float(row["conf_low"]), float(row["conf_high"]))
    return [
        message("Within schools each further session goes with {slope} points of the outcome. This is exploratory and no effect of a "
                "session: pupils, families and timetables decided who came how often, and whoever feels better may stay away.",
                slope=Estimate(float(row["estimate"]), found.n_used, *limits)),
    ]  # fmt: skip
