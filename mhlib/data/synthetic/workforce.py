"""Teachers, certificates, posts and leavers; training with its tests; nominations, supervision, workload."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

ROLES, SHARES = ("subject", "head", "psych_pt", "psych_ft", "leader"), (0.72, 0.25, 0.02, 0.008, 0.002)
PUPILS_PER_TEACHER = 8.44


def teachers(seed: int, school: pd.DataFrame, n_pupils: int) -> dict[str, pd.DataFrame]:
    """Everyone employed, their certificates, posts and departures."""
    rng = rng_of(seed, "teacher")
    n = max(len(school) * 4, round(n_pupils / PUPILS_PER_TEACHER))
    weight = school["size_weight"].to_numpy()
    at = np.r_[
        np.repeat(np.arange(len(school)), 2), rng.choice(len(school), n - 2 * len(school), p=weight / weight.sum())
    ]
    hired = pd.Timestamp("2023-08-15") - pd.to_timedelta(rng.integers(0, 30 * 365, n), unit="D")
    new = rng.random(n) < 0.025
    hired = hired.where(~new, pd.Timestamp("2025-08-20"))
    teacher = pd.DataFrame({
        "teacher_pid": names("T", n), "school_pid": school["school_pid"].to_numpy()[at],
        "role": rng.choice(ROLES, n, p=SHARES), "hired_on": hired,
    })  # fmt: skip
    leaves = rng.random(n) < 0.03
    leaver = teacher.loc[leaves, ["teacher_pid", "school_pid"]].reset_index(drop=True)
    leaver["left_on"] = pd.Timestamp("2024-08-31") + pd.to_timedelta(rng.integers(0, 2, len(leaver)) * 365, unit="D")
    return {
        "teacher": teacher, "leaver": leaver, "certificate": _certificates(rng, teacher[~new]),
        "post": _posts(rng, school), "workload": _workload(rng, teacher),
    }  # fmt: skip


def _certificates(rng: np.random.Generator, teacher: pd.DataFrame) -> pd.DataFrame:
    c = teacher[rng.random(len(teacher)) < 0.985]
    b = teacher.sample(n=max(1, round(len(teacher) * 400 / 15_400)), random_state=rng)
    both = pd.concat([c.assign(level="C", hours=24), b.assign(level="B", hours=80)])
    issued = pd.Timestamp("2018-06-30") + pd.to_timedelta(rng.integers(0, 5, len(both)) * 365, unit="D")
    return pd.DataFrame({
        "teacher_pid": both["teacher_pid"].to_numpy(), "level": both["level"].to_numpy(), "issued": issued,
        "expires": issued + pd.Timedelta(days=6 * 365), "hours": both["hours"].to_numpy().astype("int16"),
    })  # fmt: skip


def _posts(rng: np.random.Generator, school: pd.DataFrame) -> pd.DataFrame:
    year = np.tile([2023, 2024, 2025], len(school))
    pid = np.repeat(school["school_pid"].to_numpy(), 3)
    planned = rng.integers(1, 3, len(pid))
    filled = np.minimum(planned, rng.binomial(planned, 0.45 + 0.1 * (year - 2023)))
    return pd.DataFrame({"school_pid": pid, "year": year.astype("int16"), "posts": planned.astype("int8"),
                         "filled_full_time": filled.astype("int8")})  # fmt: skip


def _workload(rng: np.random.Generator, teacher: pd.DataFrame) -> pd.DataFrame:
    some = teacher.sample(frac=0.2, random_state=rng)
    return pd.DataFrame({
        "teacher_pid": some["teacher_pid"].to_numpy(), "month": np.int8(10),
        "overtime_hours": rng.gamma(2, 4, len(some)).round(1), "days_absent": rng.poisson(0.4, len(some)).astype("int8"),
    })  # fmt: skip


def training(seed: int, teacher: pd.DataFrame, n_schools: int) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Training events with arms and tests before, after and three months later; the planted effects are returned."""
    rng = rng_of(seed, "training")
    n_events = max(8, round(400 * n_schools / 129))
    topic = rng.choice(["crisis_recognition", "case_supervision", "class_meeting", "family_education"], n_events)
    held = pd.Timestamp("2024-09-10") + pd.to_timedelta(rng.integers(0, 500, n_events), unit="D")
    event = pd.DataFrame({
        "event_pid": names("E", n_events), "topic": topic, "held_on": held,
        "tier": rng.choice(["city", "town", "school", "class"], n_events, p=[0.1, 0.2, 0.4, 0.3]),
        "hours": rng.choice([4, 8, 16], n_events).astype("int8"),
        "cost": (rng.gamma(3, 2_000, n_events)).round(-2),
    })  # fmt: skip
    per_school = teacher.groupby("school_pid")["teacher_pid"]
    arm_of = {pid: ("training", "wait_list")[i % 2] for i, pid in enumerate(sorted(per_school.groups))}
    some = teacher.sample(frac=0.86, random_state=rng)
    arm = some["school_pid"].map(arm_of).to_numpy()
    school_effect = dict(zip(sorted(per_school.groups), rng.normal(0, np.sqrt(planted.KNOWLEDGE_ICC), len(per_school)),
                             strict=True))  # fmt: skip
    base = some["school_pid"].map(school_effect).to_numpy()
    ability = rng.normal(0, np.sqrt(0.55), len(some))
    gain = {"pre": 0.0, "post": planted.TRAINING["post"], "three_months": planted.TRAINING["three_months"]}
    rows = []
    for occasion, effect in gain.items():
        latent = base + ability + rng.normal(0, np.sqrt(0.37), len(some)) + np.where(arm == "training", effect, 0)
        rows.append(pd.DataFrame({
            "teacher_pid": some["teacher_pid"].to_numpy(), "school_pid": some["school_pid"].to_numpy(), "arm": arm,
            "occasion": occasion, "knowledge": np.clip(np.round(20 + 5 * latent), 0, 40).astype("int8"),
            "confidence": np.clip(np.round(3 + 0.5 * latent + rng.normal(0, 0.8, len(some))), 1, 5).astype("int8"),
        })[rng.random(len(some)) < (1.0 if occasion == "pre" else 0.88)])  # fmt: skip
    enrolled = pd.DataFrame({"event_pid": rng.choice(event["event_pid"], len(some)),
                             "teacher_pid": some["teacher_pid"].to_numpy()})  # fmt: skip
    tables = {"training_event": event, "training_enrolment": enrolled, "training_score": pd.concat(rows)}
    return tables, {"knowledge_post_sd": gain["post"], "knowledge_three_months_sd": gain["three_months"]}


def nominations(seed: int, assessment: pd.DataFrame, teacher: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Pupils whom teachers named before the screen, and the supervision of their cases."""
    rng = rng_of(seed, "nomination")
    case = assessment["case"].to_numpy(dtype=bool)
    named = assessment[rng.random(len(assessment)) < np.where(case, 0.35, 0.05)]
    by_school = teacher.drop_duplicates("school_pid").set_index("school_pid")["teacher_pid"]
    supervisors = teacher[teacher["role"].isin(["psych_ft", "psych_pt", "leader"])]
    return {
        "nomination": pd.DataFrame({
            "pupil_pid": named["pupil_pid"].to_numpy(), "teacher_pid": named["school_pid"].map(by_school).to_numpy(),
            "wave": named["wave"].to_numpy(), "concern": rng.integers(1, 4, len(named)).astype("int8"),
        }),
        "supervision": pd.DataFrame({
            "teacher_pid": rng.choice(supervisors["teacher_pid"], max(10, 3 * len(supervisors))),
            "date": pd.Timestamp("2025-09-10") + pd.to_timedelta(
                rng.integers(0, 190, max(10, 3 * len(supervisors))), unit="D"),
            "hours": rng.choice([1.0, 1.5, 2.0], max(10, 3 * len(supervisors))),
        }),
    }  # fmt: skip
