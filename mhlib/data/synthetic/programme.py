"""Lessons and lectures, the courts' monthly counts, costs, the standards checklist and the register of claims."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic.planted import rng_of

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
GROUPS = ("suspect", "victim", "parent_of_suspect", "parent_of_victim")


def lessons(seed: int, classes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Lessons planned and delivered each fortnight of the last school year, and the lectures."""
    rng = rng_of(seed, "lesson")
    now = classes[classes["year"] == classes["year"].max()]
    weeks = np.tile(np.arange(1, 20, 2), 2)
    term = np.repeat([5, 6], len(weeks) // 2)
    log = pd.DataFrame({
        "class_pid": np.repeat(now["class_pid"].to_numpy(), len(weeks)), "term": np.tile(term, len(now)).astype("int8"),
        "teaching_week": np.tile(weeks, len(now)).astype("int8"), "planned": np.int8(1),
    })  # fmt: skip
    log["delivered"] = (rng.random(len(log)) < 0.82).astype("int8")
    n = max(3, round(83 * len(now) / 3_100))
    lecture = pd.DataFrame({
        "school_pid": rng.choice(now["school_pid"], n),
        "date": pd.Timestamp("2025-09-15") + pd.to_timedelta(rng.integers(0, 280, n), unit="D"),
        "attended": rng.integers(80, 600, n).astype("int16"),
    })  # fmt: skip
    return {"lesson_log": log, "lecture": lecture}


def courts(seed: int) -> pd.DataFrame:
    """Monthly counts of the procuratorate: aggregates of the city, never linked to a pupil."""
    rng = rng_of(seed, "judicial")
    month = np.repeat(pd.period_range("2023-09", periods=36, freq="M").astype(str), len(GROUPS))
    seen = rng.poisson(14, len(month)) + 8
    assessed = rng.binomial(seen, 0.85)
    severe = rng.binomial(assessed, 0.12)
    return pd.DataFrame({
        "month": month, "group": np.tile(GROUPS, 36), "n_persons": seen, "n_assessed": assessed,
        "n_counselled": rng.binomial(assessed, 0.6), "n_severe": severe, "n_severe_referred": rng.binomial(severe, 0.8),
    })  # fmt: skip


def small_tables(seed: int, school: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Costs, the standards checklist, the courts' counts and the claims."""
    rng = rng_of(seed, "small")
    kinds, n = np.array(["screening", "room", "training", "family", "service"]), len(school)
    cost = pd.DataFrame({
        "school_pid": np.repeat(school["school_pid"].to_numpy(), len(kinds)), "kind": np.tile(kinds, n),
        "year": np.int16(2025), "yuan": rng.gamma(4, 3_000, len(kinds) * n).round(-2),
    })  # fmt: skip
    claim = pd.DataFrame(CLAIMS, columns=["claim", "stated", "unit", "denominator"])
    return {"cost": cost, "standard": _standards(rng, school), "claim": claim, "judicial_monthly": courts(seed)}


def _standards(rng: np.random.Generator, school: pd.DataFrame) -> pd.DataFrame:
    """Eight standards, rated by the school; one in seven looked at on the spot, which rates a little lower."""
    n = 8 * len(school)
    rating = rng.integers(1, 5, n)
    on_the_spot = pd.array(np.clip(rating - rng.integers(0, 2, n), 1, 4), dtype="Int8")
    on_the_spot[rng.random(n) >= 0.15] = pd.NA
    return pd.DataFrame({
        "school_pid": np.repeat(school["school_pid"].to_numpy(), 8),
        "standard": np.tile(np.arange(1, 9), len(school)).astype("int8"), "self_rating": rating.astype("int8"),
        "spot_check": on_the_spot,
    })  # fmt: skip
