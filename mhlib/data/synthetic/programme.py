"""Interventions with their arms and outcomes; lessons, parents, surveys, courts, costs, standards and claims."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

OCCASIONS = ("pre", "post", "follow_up")


def interventions(seed: int, place: pd.DataFrame, pupil_pid, school_pid, class_pid) -> dict[str, pd.DataFrame]:
    """Four designs with outcome in SD units of distress; the planted effects stand in the truth folder only."""
    rng = rng_of(seed, "intervention")
    now = place[(place["year"] == place["year"].max()) & (place["grade"] >= 4)]
    groups, scores, dose = [], [], []
    for design, effect in planted.EFFECTS.items():
        schools = np.unique(now["school"])
        chosen = rng.choice(schools, min(len(schools), 24), replace=False)
        some = now[now["school"].isin(chosen)].groupby("class").head(20)
        unit = some["class"] if design == "wait_list" else some["school"]
        made, arm = _arms(rng, design, np.unique(unit), unit.to_numpy())
        made["group_pid"] = (class_pid if design == "wait_list" else school_pid)[made.pop("unit")]
        groups.append(made)
        part, served = _outcomes(rng, design, effect, some, arm, made)
        part["pupil_pid"], part["school_pid"] = pupil_pid[some["pupil"]], school_pid[some["school"]]
        part["class_pid"] = class_pid[some["class"]]
        dose.append(part.loc[served, ["pupil_pid"]].assign(
            design=design, sessions=rng.integers(1, 9, int(served.sum())).astype("int8"),
            fidelity=rng.beta(8, 2, int(served.sum())).round(2)))  # fmt: skip
        scores.append(part.melt(["pupil_pid", "school_pid", "class_pid", "design", "arm", "running"], OCCASIONS,
                                var_name="occasion", value_name="distress"))  # fmt: skip
    outcome = pd.concat(scores, ignore_index=True)
    kept = (outcome["occasion"] == "pre") | (rng.random(len(outcome)) < 0.9)
    return {"intervention": pd.concat(groups, ignore_index=True), "outcome": outcome[kept],
            "dose": pd.concat(dose, ignore_index=True)}  # fmt: skip


def _arms(rng, design: str, units: np.ndarray, unit: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    drawn = rng.permutation(len(units)) % 2
    if design == "above_cutoff":
        drawn = np.ones(len(units), int)
    start = np.where(drawn == 1, 1, 3) if design != "staggered" else 1 + rng.permutation(len(units)) % 3
    made = pd.DataFrame({"design": design, "unit": units, "start_term": (3 + start).astype("int8"),
                         "arm": np.where(drawn == 1, "intervention", "control")})  # fmt: skip
    return made, drawn[np.searchsorted(units, unit)]


def _outcomes(rng, design, effect, some, arm, made) -> tuple[pd.DataFrame, np.ndarray]:
    n = len(some)
    school = rng.normal(0, np.sqrt(planted.ICC_SCHOOL), some["school"].max() + 1)[some["school"]]
    klass = rng.normal(0, np.sqrt(planted.ICC_CLASS), some["class"].max() + 1)[some["class"]]
    trait = rng.normal(0, np.sqrt(0.6), n)

    def occasion(shift):
        return (
            school + klass + trait + rng.normal(0, np.sqrt(1 - 0.6 - planted.ICC_SCHOOL - planted.ICC_CLASS), n) + shift
        )

    pre = occasion(0.0)
    served = (pre >= 1.0) if design == "above_cutoff" else arm == 1
    part = pd.DataFrame({"design": design, "arm": np.where(served, "intervention", "control"), "running": pre - 1.0,
                         "pre": pre, "post": occasion(np.where(served, effect, 0.0)),
                         "follow_up": occasion(np.where(served, effect * 0.7, 0.0))})  # fmt: skip
    return part, served


def lessons(seed: int, classes: pd.DataFrame, household: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Lessons planned and delivered each fortnight, lectures, parent events and who came."""
    rng = rng_of(seed, "lesson")
    now = classes[classes["year"] == classes["year"].max()]
    weeks = np.arange(1, 20, 2)
    log = pd.DataFrame({"class_pid": np.repeat(now["class_pid"].to_numpy(), len(weeks)),
                        "teaching_week": np.tile(weeks, len(now)).astype("int8"), "planned": np.int8(1)})  # fmt: skip
    log["delivered"] = (rng.random(len(log)) < 0.82).astype("int8")
    n_events = max(6, len(now) // 4)
    event = pd.DataFrame({
        "parent_event_pid": names("F", n_events), "mode": rng.choice(["online", "on_site", "home"], n_events),
        "school_pid": rng.choice(now["school_pid"], n_events),
        "date": pd.Timestamp("2025-09-15") + pd.to_timedelta(rng.integers(0, 180, n_events), unit="D"),
    })  # fmt: skip
    came = rng.integers(0, len(household), 3 * len(household))
    attendance = pd.DataFrame({"parent_event_pid": rng.choice(event["parent_event_pid"], len(came)),
                               "household_pid": household["household_pid"].to_numpy()[came]}).drop_duplicates()  # fmt: skip
    n_lectures = max(3, round(83 * len(now) / 3_100))
    lecture = pd.DataFrame({"school_pid": rng.choice(now["school_pid"], n_lectures),
                            "date": pd.Timestamp("2025-09-15") + pd.to_timedelta(rng.integers(0, 280, n_lectures), unit="D"),
                            "attended": rng.integers(80, 600, n_lectures).astype("int16")})  # fmt: skip
    return {"lesson_log": log, "parent_event": event, "parent_attendance": attendance, "lecture": lecture}


def surveys(seed: int, place: pd.DataFrame, pupil_pid: np.ndarray) -> dict[str, pd.DataFrame]:
    """Daily sport, the parent-child relation and changes in the family, of the pupils of the last wave."""
    rng = rng_of(seed, "survey")
    now = place[place["year"] == place["year"].max()]
    n = len(now)
    return {"survey": pd.DataFrame({
        "pupil_pid": pupil_pid[now["pupil"]], "wave": np.int8(planted.WAVES),
        "sport_minutes": np.clip(rng.normal(55, 22, n), 0, 180).astype("int16"),
        "parent_child_relation": rng.choice(np.arange(1, 6), n, p=[0.03, 0.09, 0.25, 0.38, 0.25]).astype("int8"),
        "family_change": rng.random(n) < 0.06,
    })}  # fmt: skip


def courts(seed: int) -> pd.DataFrame:
    """Monthly counts of the procuratorate: aggregates of the city, never linked to a pupil."""
    rng = rng_of(seed, "judicial")
    month = np.repeat(pd.period_range("2023-09", periods=36, freq="M").astype(str), 4)
    group = np.tile(["suspect", "victim", "parent_of_suspect", "parent_of_victim"], 36)
    seen = rng.poisson(14, len(month)) + 8
    assessed = rng.binomial(seen, 0.85)
    severe = rng.binomial(assessed, 0.12)
    return pd.DataFrame({"month": month, "group": group, "n_persons": seen, "n_assessed": assessed,
                         "n_counselled": rng.binomial(assessed, 0.6), "n_severe": severe,
                         "n_severe_referred": rng.binomial(severe, 0.8)})  # fmt: skip


CLAIMS = (
    ("pupils screened this spring", 130_000, "pupils", "enrolled pupils"),
    ("teachers with certificate C", 15_000, "teachers", "teachers employed, less new ones"),
    ("teachers with certificate B", 400, "teachers", "teachers employed"),
    ("lectures a year", 80, "lectures", "school years"),
    ("families served by the guidance station", 130_000, "families", "households with a pupil"),
    ("persons reached by parent courses", 100_000, "person-times", "household members"),
    ("schools with a parent school", 129, "schools", "schools"),
    ("heart grids: pupils for each mentor", 15, "pupils", "mentors"),
    ("hours of the counselling room, boarding schools", 4, "hours a day", "teaching days"),
    ("hours of the counselling room, other schools", 2, "hours a day", "teaching days"),
)


def small_tables(seed: int, school: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Costs, the standards checklist and the register of claims."""
    rng = rng_of(seed, "small")
    kinds = np.array(["screening", "room", "training", "family", "service"])
    n = len(school)
    cost = pd.DataFrame({"school_pid": np.repeat(school["school_pid"].to_numpy(), 5), "kind": np.tile(kinds, n),
                         "year": np.int16(2025), "yuan": rng.gamma(4, 3_000, 5 * n).round(-2)})  # fmt: skip
    standard = pd.DataFrame({"school_pid": np.repeat(school["school_pid"].to_numpy(), 8),
                             "standard": np.tile(np.arange(1, 9), n).astype("int8"),
                             "self_rating": rng.integers(1, 5, 8 * n).astype("int8")})  # fmt: skip
    spot = rng.random(len(standard)) < 0.15
    standard["spot_check"] = pd.array(
        np.where(spot, np.clip(standard["self_rating"] - rng.integers(0, 2, len(standard)), 1, 4), 0), dtype="Int8"
    )
    standard["spot_check"] = standard["spot_check"].mask(~spot)
    claim = pd.DataFrame(CLAIMS, columns=["claim", "stated", "unit", "denominator"])
    return {"cost": cost, "standard": standard, "claim": claim, "judicial_monthly": courts(seed)}
