"""Training events, who went, their tests before, after and three months later; and whom teachers named before a screen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted, skills
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

OCCASIONS = ("pre", "post", "three_months")
TOPICS = ("crisis_recognition", "case_supervision", "class_meeting", "family_education")
# Mean and SD of each test before any training, and its range.
TESTS = {
    "knowledge": (20, 5, 0, 40),
    "stigma": (24, 5, 0, 50),
    "helping": (25, 6, 0, 50),
    "help_seeking": (18, 4, 0, 36),
}
TRAIT = 0.55
# First wave after the training of the trained schools.
NAMED_BETTER_FROM = 5


def training(seed: int, teacher: pd.DataFrame, school: pd.DataFrame, trained: np.ndarray) -> dict[str, pd.DataFrame]:
    """Tables training_event, training_enrolment, training_score, training_tier, vignette and role_play.

    Parameters
    ----------
    trained : ndarray of bool
        Of each school: in the arm `training`, or on the `wait_list` (whose teachers are tested at the same times).
    """
    rng = rng_of(seed, "training")
    event = _events(rng, max(8, round(400 * len(school) / 129)))
    some = teacher.iloc[np.sort(rng.choice(len(teacher), round(0.86 * len(teacher)), replace=False))]
    at = pd.Index(school["school_pid"]).get_indexer(some["school_pid"])
    tier = skills.tiers(seed, some["teacher_pid"].to_numpy()[trained[at]])
    factor = np.ones(len(some))
    factor[trained[at]] = skills.knowledge_factor(tier["tier"].to_numpy())
    score = _scores(rng, some, at, trained[at], factor)
    tested = score.loc[score["occasion"] == "pre", ["teacher_pid", "school_pid", "arm"]].reset_index(drop=True)
    went = np.repeat(np.flatnonzero(trained[at]), rng.integers(1, 5, int(trained[at].sum())))
    enrolled = pd.DataFrame({
        "event_pid": event["event_pid"].to_numpy()[rng.integers(0, len(event), len(went))],
        "teacher_pid": some["teacher_pid"].to_numpy()[went],
    }).drop_duplicates(ignore_index=True)  # fmt: skip
    actors = tested[tested["arm"] == "training"]
    return {
        "training_event": event, "training_enrolment": enrolled, "training_score": score, "training_tier": tier,
        "vignette": skills.vignettes(seed, tested), "role_play": skills.role_plays(seed, actors),
    }  # fmt: skip


def _events(rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame({
        "event_pid": names("E", n), "topic": rng.choice(TOPICS, n),
        "held_on": pd.Timestamp("2024-09-10") + pd.to_timedelta(rng.integers(0, 280, n), unit="D"),
        "tier": rng.choice(["city", "town", "school", "class"], n, p=[0.1, 0.2, 0.4, 0.3]),
        "hours": rng.choice([4, 8, 16], n).astype("int8"), "cost": rng.gamma(3, 2_000, n).round(-2),
    })  # fmt: skip


def _scores(
    rng: np.random.Generator, some: pd.DataFrame, at: np.ndarray, trained: np.ndarray, factor: np.ndarray
) -> pd.DataFrame:
    """One row a teacher and occasion; all come before, seven in eight later. `factor` dilutes what a tier knows."""
    n, parts = len(some), []
    moment = 1 - TRAIT - planted.KNOWLEDGE_ICC
    lasting = {
        test: rng.normal(0, np.sqrt(planted.KNOWLEDGE_ICC), at.max() + 1)[at] + rng.normal(0, np.sqrt(TRAIT), n)
        for test in TESTS
    }
    for occasion in OCCASIONS:
        part = pd.DataFrame({
            "teacher_pid": some["teacher_pid"].to_numpy(), "school_pid": some["school_pid"].to_numpy(),
            "arm": np.where(trained, "training", "wait_list"), "occasion": occasion,
        })  # fmt: skip
        for test, (mean, sd, low, high) in TESTS.items():
            gain = planted.TRAINING_EFFECTS[test].get(occasion, 0.0)
            diluted = gain * factor if test == "knowledge" else gain
            latent = lasting[test] + rng.normal(0, np.sqrt(moment), n) + diluted * trained
            part[test] = np.clip(np.round(mean + sd * latent), low, high).astype("int8")
        seen = (part["knowledge"] - 20) / 5
        part["confidence"] = np.clip(np.round(3 + 0.5 * seen + rng.normal(0, 0.8, n)), 1, 5).astype("int8")
        part["vignettes_right"] = rng.binomial(10, np.clip(0.5 + 0.08 * seen, 0.05, 0.95)).astype("int8")
        parts.append(part[rng.random(n) < (1.0 if occasion == "pre" else 0.88)])
    return pd.concat(parts, ignore_index=True)


def planted_training() -> pd.DataFrame:
    """What training did to each test, in SD before training and in points; and how well teachers name cases."""
    rows = [(f"{test}, {when}", gain, gain * TESTS[test][1]) for test, gains in planted.TRAINING_EFFECTS.items()
            for when, gain in gains.items()]  # fmt: skip
    rows += [(f"chance of being named: {who}", chance, np.nan) for who, chance in planted.NOMINATION.items()]
    return pd.DataFrame(rows, columns=["parameter", "effect_sd", "effect_points"])


def named(rng: np.random.Generator, wave: int, case: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Rows of the pupils whom a teacher names before the wave.

    Parameters
    ----------
    case, trained : ndarray of bool
        Of each pupil: the truth, and whether his school's teachers were trained.
    """
    chance = planted.NOMINATION
    after = trained & (wave >= NAMED_BETTER_FROM)
    of_case = np.where(after, chance["case_after"], chance["case_before"])
    of_other = np.where(after, chance["other_after"], chance["other_before"])
    return np.flatnonzero(rng.random(len(case)) < np.where(case, of_case, of_other))


def nominations(seed: int, named_pupils: pd.DataFrame, teacher: pd.DataFrame) -> pd.DataFrame:
    """Each named pupil (pupil_pid, school_pid, wave, screened_from) with a teacher of the school, a day and a concern."""
    rng = rng_of(seed, "nomination")
    head = teacher[teacher["role"] != "leader"].drop_duplicates("school_pid").set_index("school_pid")["teacher_pid"]
    n = len(named_pupils)
    return pd.DataFrame({
        "pupil_pid": named_pupils["pupil_pid"].to_numpy(), "school_pid": named_pupils["school_pid"].to_numpy(),
        "teacher_pid": named_pupils["school_pid"].map(head).to_numpy(), "wave": named_pupils["wave"].to_numpy(),
        "named_on": named_pupils["screened_from"].to_numpy() - rng.integers(1, 4, n).astype("timedelta64[D]"),
        "concern": rng.integers(1, 4, n).astype("int8"),
    })  # fmt: skip
