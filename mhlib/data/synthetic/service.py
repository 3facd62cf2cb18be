"""The three-level service: heart grids, contacts, cases with dated events, counselling rooms, uploads, referrals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.calendar import TERMS
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

GRID_SIZE = 15
CONTACTS = 8
LAST_DAY = pd.Timestamp(TERMS[-1][1])
LEVELS = np.array(["class", "school", "city", "hospital"])
AGENCIES = ("civil_affairs", "health", "youth_league", "women_federation", "social_work")


def days_on(start, days) -> pd.Series:
    """`start` and so many days later."""
    return start + pd.to_timedelta(days, unit="D")


def grids(seed: int, place: pd.DataFrame, pupil_pid: np.ndarray, teacher: pd.DataFrame, school_pid: np.ndarray):
    """Heart grids of the last school year, their members and that year of contacts (two million a year are not written)."""
    rng = rng_of(seed, "heart_grid")
    now = place[place["year"] == place["year"].max()].sort_values(["school", "class", "pupil"])
    seat = now.groupby("school").cumcount().to_numpy() // GRID_SIZE
    code, member = np.unique(now["school"].to_numpy() * 10_000 + seat, return_inverse=True)
    school = code // 10_000
    mentors = teacher.groupby("school_pid")["teacher_pid"].apply(np.array)
    mentor = [rng.choice(mentors[school_pid[s]]) for s in school]
    grid_pid = names("G", len(code))
    grid = pd.DataFrame({"grid_pid": grid_pid, "school_pid": school_pid[school], "mentor_pid": mentor})
    members = pd.DataFrame({"grid_pid": grid_pid[member], "pupil_pid": pupil_pid[now["pupil"]]})
    return {"heart_grid": grid, "heart_grid_member": members, "contact": _contacts(rng, members)}


def _contacts(rng: np.random.Generator, members: pd.DataFrame) -> pd.DataFrame:
    row = np.repeat(np.arange(len(members)), rng.poisson(CONTACTS, len(members)))
    days = _school_days(4)
    return pd.DataFrame({
        "grid_pid": members["grid_pid"].to_numpy()[row], "pupil_pid": members["pupil_pid"].to_numpy()[row],
        "date": days[rng.integers(0, len(days), len(row))],
        "kind": rng.choice(np.array(["talk", "home", "observation"], object), len(row), p=[0.6, 0.15, 0.25]),
        "concern": rng.choice(4, len(row), p=[0.82, 0.12, 0.05, 0.01]).astype("int8"),
    })  # fmt: skip


def _school_days(first_term: int) -> np.ndarray:
    return np.concatenate([pd.bdate_range(first, last).to_numpy() for first, last in TERMS[first_term:]])


def cases(seed: int, assessment: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A case for everyone assessed as at risk; its events until it is closed, lost, or the records end."""
    rng = rng_of(seed, "case")
    found = assessment[assessment["grade"] > 0].reset_index(drop=True)
    level = LEVELS[found["grade"].to_numpy()]
    opened = days_on(found["assessed_on"], rng.integers(0, 3, len(found)))
    case = pd.DataFrame({
        "case_pid": names("K", len(found)), "pupil_pid": found["pupil_pid"], "school_pid": found["school_pid"],
        "wave": found["wave"], "opened": opened, "level": level,
    })  # fmt: skip
    event = _events(rng, case)
    return {
        "case": case, "event": event, "episode": _episodes(case, event), "platform_upload": _uploads(rng, case),
        "agency_referral": _agencies(rng, case[level == "city"]),
    }  # fmt: skip


def _events(rng: np.random.Generator, case: pd.DataFrame) -> pd.DataFrame:
    """Dated steps. A case is lost once, at a step drawn for it; nothing follows that or the end of the records."""
    n, level = len(case), case["level"].to_numpy()
    high, top = np.isin(level, ["city", "hospital"]), level == "hospital"
    waits = {step: np.ceil(rng.lognormal(np.log(median), 0.6, n)) for step, median in planted.WAITS.items()}
    # The grade is settled before the plan is written.
    day = {
        "assessed": np.minimum(waits["assessed"], waits["plan"]),
        "plan": waits["plan"],
        "referred": waits["referred"],
    }
    day["hospital"] = day["referred"] + waits["hospital"]
    day["feedback"] = day["hospital"] + waits["feedback"]
    day["returned"] = day["feedback"] + waits["returned"]
    day["closed"] = np.where(top, day["returned"], np.where(high, day["referred"], day["plan"])) + waits["closed"]
    applies = {"assessed": True, "plan": True, "referred": high, "hospital": top, "feedback": top, "returned": top,
               "closed": True}  # fmt: skip
    lost_after = np.where(rng.random(n) < planted.LOST, rng.uniform(0, 1, n) * day["closed"], np.inf)
    parts = []
    for step in planted.WAITS:
        date = days_on(case["opened"], day[step])
        there = applies[step] & (day[step] <= lost_after) & (date <= LAST_DAY).to_numpy()
        parts.append(pd.DataFrame({"case_pid": case["case_pid"], "kind": step, "date": date})[there])
    return pd.concat(parts, ignore_index=True)


def _episodes(case: pd.DataFrame, event: pd.DataFrame) -> pd.DataFrame:
    """Stays at a level of the service: stepped up when referred, down on return, ended when closed (else missing)."""
    on = event.pivot(index="case_pid", columns="kind", values="date").reindex(case["case_pid"])
    on = on.reindex(columns=list(planted.WAITS)).reset_index(drop=True)
    referred, returned, closed = on["referred"], on["returned"], on["closed"]
    below = np.where(case["level"] == "hospital", "city", np.where(case["level"] == "city", "school", case["level"]))
    first = pd.DataFrame({"case_pid": case["case_pid"], "level": below, "began_on": case["opened"],
                          "ended_on": referred.fillna(closed)})  # fmt: skip
    first["how"] = np.select([referred.notna(), closed.notna()], ["stepped_up", "closed"], "open")
    second = pd.DataFrame({"case_pid": case["case_pid"], "level": case["level"], "began_on": referred,
                           "ended_on": returned.fillna(closed)})  # fmt: skip
    second["how"] = np.select([returned.notna(), closed.notna()], ["stepped_down", "closed"], "open")
    third = pd.DataFrame({"case_pid": case["case_pid"], "level": "school", "began_on": returned, "ended_on": closed})
    third["how"] = np.where(closed.notna(), "closed", "open")
    return pd.concat([first, second[referred.notna()], third[returned.notna()]], ignore_index=True)


def _uploads(rng: np.random.Generator, case: pd.DataFrame) -> pd.DataFrame:
    """Entries in the provincial platform: nine in ten of the complex and high-risk cases, three days late at the median."""
    due = case[case["level"].isin(["city", "hospital"]) & (rng.random(len(case)) < 0.93)]
    late = rng.lognormal(np.log(3), 0.7, len(due)).astype(int)
    return pd.DataFrame({
        "case_pid": due["case_pid"].to_numpy(), "uploaded_on": days_on(due["opened"], late).to_numpy(),
        "grade_uploaded": np.where(due["level"] == "hospital", 3, 2).astype("int8"),
    })  # fmt: skip


def _agencies(rng: np.random.Generator, case: pd.DataFrame) -> pd.DataFrame:
    some = case[rng.random(len(case)) < 0.08]
    return pd.DataFrame({
        "case_pid": some["case_pid"].to_numpy(), "agency": rng.choice(AGENCIES, len(some)),
        "sent_on": days_on(some["opened"], rng.integers(3, 30, len(some))).to_numpy(),
        "answered": rng.random(len(some)) < 0.6, "volunteer_hours": rng.poisson(3, len(some)).astype("int16"),
    })  # fmt: skip


def rooms(seed: int, school: pd.DataFrame, place: pd.DataFrame, pupil_pid: np.ndarray) -> dict[str, pd.DataFrame]:
    """Hours of the counselling rooms on every school day of the last year, and the sessions held."""
    rng = rng_of(seed, "room")
    days, n = _school_days(4), len(school)
    promised = np.where(school["boarding"], 4.0, 2.0)
    hours = np.clip(rng.normal(promised[:, None], 0.5, (n, len(days))), 0, 8).round(1)
    schedule = pd.DataFrame({
        "school_pid": np.repeat(school["school_pid"].to_numpy(), len(days)), "date": np.tile(days, n),
        "hours_planned": np.repeat(promised, len(days)), "hours_open": hours.ravel(),
    })  # fmt: skip
    now = place[place["year"] == place["year"].max()]
    held = now.iloc[rng.integers(0, len(now), round(0.9 * len(now)))]
    date = days[rng.integers(0, len(days), len(held))]
    kind = rng.choice(["self", "mentor", "screen", "parent"], len(held), p=[0.25, 0.3, 0.4, 0.05])
    waited = rng.poisson(np.where(kind == "self", 1.0, 6.0))
    session = pd.DataFrame({
        "school_pid": school["school_pid"].to_numpy()[held["school"]], "pupil_pid": pupil_pid[held["pupil"]],
        "requested_on": date - waited.astype("timedelta64[D]"), "date": date,
        "minutes": np.clip(rng.normal(30, 10, len(held)), 5, 90).astype("int16"), "kind": kind,
    })  # fmt: skip
    return {"room_schedule": schedule, "session": session}
