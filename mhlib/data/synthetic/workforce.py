"""Teachers, certificates, posts, leavers and workload; training with its tests; nominations and supervision."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

ROLES, SHARES = ("subject", "head", "psych_pt", "psych_ft", "leader"), (0.72, 0.25, 0.02, 0.008, 0.002)
PUPILS_PER_TEACHER = 8.44
CITY_TEACHERS = 15_400
CERTIFICATE_YEARS = 8


def teachers(seed: int, school: pd.DataFrame, n_pupils: int) -> dict[str, pd.DataFrame]:
    """Everyone employed, their certificates, posts, departures and workload."""
    rng = rng_of(seed, "teacher")
    n = max(len(school) * 4, round(n_pupils / PUPILS_PER_TEACHER))
    weight = school["size_weight"].to_numpy()
    at = np.r_[
        np.repeat(np.arange(len(school)), 2), rng.choice(len(school), n - 2 * len(school), p=weight / weight.sum())
    ]
    hired = pd.Timestamp("2023-06-30") - pd.to_timedelta(rng.integers(0, 30 * 365, n), unit="D")
    new = rng.random(n) < 0.025
    hired = hired.where(~new, pd.Timestamp("2025-08-20"))
    teacher = pd.DataFrame({
        "teacher_pid": names("T", n), "school_pid": school["school_pid"].to_numpy()[at],
        "role": rng.choice(np.array(ROLES, object), n, p=SHARES), "hired_on": hired,
    })  # fmt: skip
    recruits = np.flatnonzero((teacher["role"] == "psych_ft") & ~new)[: max(1, round(13 * n / CITY_TEACHERS))]
    teacher.loc[recruits, "hired_on"] = pd.Timestamp("2023-08-15")
    leaver = teacher.loc[(rng.random(n) < 0.03) & ~new, ["teacher_pid", "school_pid"]].reset_index(drop=True)
    leaver["left_on"] = pd.Timestamp("2024-08-31") + pd.to_timedelta(rng.integers(0, 2, len(leaver)) * 365, unit="D")
    return {
        "teacher": teacher, "leaver": leaver, "certificate": _certificates(rng, teacher[~new]),
        "post": _posts(rng, school), "workload": _workload(rng, teacher),
    }  # fmt: skip


def _certificates(rng: np.random.Generator, teacher: pd.DataFrame) -> pd.DataFrame:
    """A C certificate for nearly all who are not new, and the city's share of B certificates."""
    c = teacher[rng.random(len(teacher)) < 0.985]
    b = teacher.iloc[
        np.sort(rng.choice(len(teacher), max(1, round(len(teacher) * 400 / CITY_TEACHERS)), replace=False))
    ]
    both = pd.concat([c.assign(level="C", hours=24), b.assign(level="B", hours=80)])
    year = 2018 + rng.integers(0, 5, len(both))
    return pd.DataFrame({
        "teacher_pid": both["teacher_pid"].to_numpy(), "level": both["level"].to_numpy(),
        "issued": pd.to_datetime([f"{y}-06-30" for y in range(2018, 2023)])[year - 2018],
        "expires": pd.to_datetime([f"{y + CERTIFICATE_YEARS}-06-30" for y in range(2018, 2023)])[year - 2018],
        "hours": both["hours"].to_numpy().astype("int16"),
    })  # fmt: skip


def _posts(rng: np.random.Generator, school: pd.DataFrame) -> pd.DataFrame:
    """Posts for psychology teachers; none is vacated again, more are filled each year."""
    planned = np.repeat(rng.integers(1, 3, len(school)), 3)
    year = np.tile([2023, 2024, 2025], len(school))
    luck = np.repeat(rng.random((len(school), 2)), 3, axis=0)
    filled = (luck < (0.45 + 0.15 * (year - 2023))[:, None]).astype(int)
    filled[:, 1] *= planned > 1
    return pd.DataFrame({
        "school_pid": np.repeat(school["school_pid"].to_numpy(), 3), "year": year.astype("int16"),
        "posts": planned.astype("int8"), "filled_full_time": filled.sum(axis=1).astype("int8"),
    })  # fmt: skip


def _workload(rng: np.random.Generator, teacher: pd.DataFrame) -> pd.DataFrame:
    some = teacher.sample(frac=0.2, random_state=rng)
    return pd.DataFrame({
        "teacher_pid": some["teacher_pid"].to_numpy(), "month": np.int8(10),
        "overtime_hours": rng.gamma(2, 4, len(some)).round(1), "days_absent": rng.poisson(0.4, len(some)).astype("int8"),
    })  # fmt: skip


def trained_schools(seed: int, school_pid: np.ndarray) -> np.ndarray:
    """Half of the schools, by lot: trained in the second school year, the others wait (ndarray of bool)."""
    return rng_of(seed, "training arm").permutation(len(school_pid)) % 2 == 0


def supervision(seed: int, teacher: pd.DataFrame) -> pd.DataFrame:
    """Case supervision of the psychology teachers in the last school year."""
    rng = rng_of(seed, "supervision")
    some = teacher.loc[teacher["role"].isin(["psych_ft", "psych_pt", "leader"]), "teacher_pid"].to_numpy()
    some = some if len(some) else teacher["teacher_pid"].to_numpy()[:1]
    n = max(10, 3 * len(some))
    return pd.DataFrame({
        "teacher_pid": rng.choice(some, n),
        "date": pd.Timestamp("2025-09-10") + pd.to_timedelta(rng.integers(0, 190, n), unit="D"),
        "hours": rng.choice([1.0, 1.5, 2.0], n),
    })  # fmt: skip
