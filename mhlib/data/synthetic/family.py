"""Parent events, who came, and the activity and family survey.

Families with a better relation come more often, so that a plain comparison overstates what the courses did; the
planted effect of having come is in the truth folder.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

RELATION_BOUNDS = (-1.9, -1.2, -0.3, 0.7)


def families(seed: int, place: pd.DataFrame, pupil: pd.DataFrame, household: pd.DataFrame, school: pd.DataFrame):
    """Tables parent_event, parent_attendance and survey (a row a pupil in the last wave)."""
    rng = rng_of(seed, "family")
    now = place[place["year"] == place["year"].max()]
    row = pd.Index(household["household_pid"]).get_indexer(pupil["household_pid"])
    home = row[now["pupil"].to_numpy()]
    warmth = rng.normal(0, 1, len(household)).astype("float32")
    event = _events(rng, school)
    attendance, came = _attendance(rng, event, home, now["school"].to_numpy(), warmth, household, school)
    return {
        "parent_event": event,
        "parent_attendance": attendance,
        "survey": _survey(rng, now, pupil, home, warmth, came),
    }


def _events(rng: np.random.Generator, school: pd.DataFrame) -> pd.DataFrame:
    """Every school holds some sixteen a year."""
    each = 4 + rng.poisson(12, len(school))
    n = int(each.sum())
    return pd.DataFrame({
        "parent_event_pid": names("F", n), "school_pid": np.repeat(school["school_pid"].to_numpy(), each),
        "mode": rng.choice(["online", "on_site", "home"], n, p=[0.4, 0.5, 0.1]),
        "date": pd.Timestamp("2025-09-15") + pd.to_timedelta(rng.integers(0, 180, n), unit="D"),
        "minutes": rng.choice([45, 60, 90, 120], n).astype("int16"),
    })  # fmt: skip


def _attendance(rng, event, home, at_school, warmth, household, school) -> tuple[pd.DataFrame, np.ndarray]:
    """One row a household and event, through a child of that school; and which households came at all."""
    keen = rng.gamma(0.6, 1 / 0.6, len(household))
    times = rng.poisson(2.8 * (keen * np.exp(0.3 * warmth - 0.045))[home])
    child = np.repeat(np.arange(len(home)), times)
    first = event.groupby("school_pid", sort=False).size().reindex(school["school_pid"]).to_numpy()
    start = np.r_[0, np.cumsum(first)[:-1]]
    at = at_school[child]
    which = start[at] + np.floor(rng.random(len(child)) * first[at]).astype(int)
    seen = np.unique(np.column_stack([which, home[child]]), axis=0)
    table = pd.DataFrame({
        "parent_event_pid": event["parent_event_pid"].to_numpy()[seen[:, 0]],
        "household_pid": household["household_pid"].to_numpy()[seen[:, 1]],
    })  # fmt: skip
    return table, np.bincount(seen[:, 1], minlength=len(household)) > 0


def _survey(rng, now, pupil, home, warmth, came) -> pd.DataFrame:
    n, of = len(now), now["pupil"].to_numpy()
    apart = -0.3 * pupil["single_parent"].to_numpy()[of] - 0.3 * pupil["left_behind"].to_numpy()[of]
    relation = 0.5 * warmth[home] + np.sqrt(0.75) * rng.normal(0, 1, n) + apart + planted.FAMILY_EFFECT * came[home]
    return pd.DataFrame({
        "pupil_pid": pupil["pupil_pid"].to_numpy()[of], "wave": np.int8(planted.WAVES),
        "sport_minutes": np.clip(rng.normal(55, 22, n), 0, 180).astype("int16"),
        "parent_child_relation": (1 + np.searchsorted(RELATION_BOUNDS, relation)).astype("int8"),
        "family_change": rng.random(n) < 0.06,
    })  # fmt: skip
