"""The three-level service: heart grids, contacts, cases with dated events, counselling rooms, supervision, uploads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic.calendar import TERMS
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

GRID_SIZE = 15
# Medians in days and the chance that the step is reached; all assumed, and printed as assumptions.
STEPS = (("assessed", 3.0, 0.97), ("plan", 4.0, 0.95), ("referred", 9.0, 0.45), ("hospital", 14.0, 0.35),
         ("feedback", 25.0, 0.80), ("returned", 20.0, 0.85), ("closed", 30.0, 0.70))  # fmt: skip


def grids(seed: int, place: pd.DataFrame, pupil_pid: np.ndarray, teacher: pd.DataFrame, school_pid: np.ndarray):
    """Heart grids of the last school year, their members and a year of contacts."""
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
    """A year of mentor contacts, four a pupil on average."""
    times = rng.poisson(4, len(members))
    row = np.repeat(np.arange(len(members)), times)
    return pd.DataFrame({
        "grid_pid": members["grid_pid"].to_numpy()[row], "pupil_pid": members["pupil_pid"].to_numpy()[row],
        "date": pd.Timestamp("2025-09-01") + pd.to_timedelta(rng.integers(0, 200, len(row)), unit="D"),
        "kind": rng.choice(["talk", "home", "observation"], len(row), p=[0.6, 0.15, 0.25]),
        "concern": rng.choice(4, len(row), p=[0.82, 0.12, 0.05, 0.01]).astype("int8"),
    })  # fmt: skip


def cases(seed: int, assessment: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A case for everyone assessed as at risk, and its dated events until it is closed or lost."""
    rng = rng_of(seed, "case")
    found = assessment[assessment["grade"] > 0].reset_index(drop=True)
    case_pid = names("K", len(found))
    level = np.array(["class", "school", "city", "hospital"])[np.clip(found["grade"].to_numpy(), 0, 3)]
    opened = found["assessed_on"] + pd.to_timedelta(rng.integers(0, 3, len(found)), unit="D")
    case = pd.DataFrame({
        "case_pid": case_pid, "pupil_pid": found["pupil_pid"], "school_pid": found["school_pid"],
        "wave": found["wave"], "opened": opened, "level": level,
    })  # fmt: skip
    events, day, alive = [], opened, rng.random(len(found)) < 0.85
    for kind, median, chance in STEPS:
        if kind in ("hospital", "feedback"):
            happens = alive & (level == "hospital") & (rng.random(len(found)) < max(chance, 0.8))
        elif kind == "referred":
            happens = alive & np.isin(level, ["city", "hospital"]) & (rng.random(len(found)) < 0.9)
        else:
            happens = alive & (rng.random(len(found)) < chance)
        wait = np.ceil(rng.lognormal(np.log(median), 0.6, len(found)))
        day = day + pd.to_timedelta(np.where(happens, wait, 0), unit="D")
        events.append(pd.DataFrame({"case_pid": case_pid, "kind": kind, "date": day})[happens])
    upload = case[np.isin(level, ["city", "hospital"]) & (rng.random(len(found)) < 0.93)]
    late = rng.lognormal(np.log(3), 0.7, len(upload)).astype(int)
    return {
        "case": case,
        "event": pd.concat(events, ignore_index=True),
        "platform_upload": pd.DataFrame({
            "case_pid": upload["case_pid"].to_numpy(),
            "uploaded_on": upload["opened"].to_numpy() + pd.to_timedelta(late, unit="D"),
        }),
        "agency_referral": _agencies(rng, case[level == "city"]),
    }  # fmt: skip


def _agencies(rng: np.random.Generator, case: pd.DataFrame) -> pd.DataFrame:
    some = case[rng.random(len(case)) < 0.08]
    return pd.DataFrame({
        "case_pid": some["case_pid"].to_numpy(),
        "agency": rng.choice(["civil_affairs", "health", "youth_league", "women_federation", "social_work"], len(some)),
        "sent_on": some["opened"].to_numpy() + pd.to_timedelta(rng.integers(3, 30, len(some)), unit="D"),
        "answered": rng.random(len(some)) < 0.6,
    })  # fmt: skip


def rooms(seed: int, school: pd.DataFrame, place: pd.DataFrame, pupil_pid: np.ndarray) -> dict[str, pd.DataFrame]:
    """Opening hours of the counselling rooms on every teaching day of the last year, and the sessions held."""
    rng = rng_of(seed, "room")
    days = np.concatenate([pd.bdate_range(first, last).to_numpy() for first, last in TERMS[4:]])
    n = len(school)
    promised = np.where(school["boarding"], 4.0, 2.0)
    hours = np.clip(rng.normal(promised[:, None], 0.5, (n, len(days))), 0, 8).round(1)
    schedule = pd.DataFrame({
        "school_pid": np.repeat(school["school_pid"].to_numpy(), len(days)), "date": np.tile(days, n),
        "hours_planned": np.repeat(promised, len(days)), "hours_open": hours.ravel(),
    })  # fmt: skip
    now = place[place["year"] == place["year"].max()]
    held = now.sample(frac=0.35, replace=True, random_state=rng)
    day = rng.integers(0, len(days), len(held))
    session = pd.DataFrame({
        "school_pid": school["school_pid"].to_numpy()[held["school"]], "pupil_pid": pupil_pid[held["pupil"]],
        "date": days[day], "minutes": np.clip(rng.normal(30, 10, len(held)), 5, 90).astype("int16"),
        "kind": rng.choice(["self", "mentor", "screen", "parent"], len(held), p=[0.25, 0.3, 0.4, 0.05]),
    })  # fmt: skip
    return {"room_schedule": schedule, "session": session}
