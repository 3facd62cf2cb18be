"""Case supervision of psychology teachers by term: who had any, and how many hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_table
from mhlib.findings import Count, Message, Refused, message
from mhlib.stats.effects import cluster_robust
from mhlib.stats.monitoring import proportion

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

PSYCHOLOGY = ("psych_ft", "psych_pt")
MOST_TERMS = 6
# Fewer clusters leave fewer than four degrees of freedom.
FEWEST_UNITS = 5
# Whoever came or went within so many days of the first day counts as there, or as gone, the whole term.
SETTLED = pd.Timedelta(days=45)


def term_of(day: pd.Series | pd.DatetimeIndex) -> np.ndarray:
    """Number of a term: twice the school year, one more for the spring (February to July)."""
    month, year = np.asarray(day.dt.month), np.asarray(day.dt.year)
    spring = (month >= 2) & (month <= 7)
    return np.where(spring, 2 * (year - 1) + 1, np.where(month == 1, 2 * (year - 1), 2 * year))


def bounds_of(term: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day of a term, holidays with it."""
    year, spring = divmod(int(term), 2)
    return (pd.Timestamp(year + 1, 2, 1), pd.Timestamp(year + 1, 7, 31)) if spring else (
        pd.Timestamp(year, 8, 1), pd.Timestamp(year + 1, 1, 31))  # fmt: skip


def term_name(term: int, today: pd.Timestamp) -> Message:
    """`autumn 2025`, with a word where the term still runs."""
    year, spring = divmod(int(term), 2)
    name = message("spring {year}", year=str(year + 1)) if spring else message("autumn {year}", year=str(year))
    return message("{term}, so far", term=name) if bounds_of(term)[1] > today else name


def posts(training: Training, term: int) -> pd.DataFrame | Refused:
    """Psychology teachers employed on the first day of the term and not gone by then."""
    teacher = training.data.table("teacher")
    if teacher is None:
        return without_table("teacher")
    first, _ = bounds_of(term)
    found = teacher[teacher["role"].isin(PSYCHOLOGY) & ~(teacher["hired_on"] > first + SETTLED)]
    left = training.data.table("leaver")
    if left is not None:
        day = found["teacher_pid"].map(left.groupby("teacher_pid")["left_on"].min())
        found = found[~(day <= first + SETTLED)]
    return found


def sessions(training: Training, params: Params) -> pd.DataFrame | Refused:
    """Supervision until the day of the report, with its term."""
    found = training.data.table("supervision")
    if found is None:
        return without_table("supervision")
    if training.data.table("teacher") is None:
        return without_table("teacher")
    found = found[found["date"] <= pd.Timestamp(params.as_of)]
    if found.empty:
        return Refused("no_supervision_yet", message("No supervision took place until the day of the report."),
                       message("Day and hours of each supervision."))  # fmt: skip
    return found.assign(school_term=term_of(found["date"]))


def received(training: Training, params: Params) -> dict[int, pd.DataFrame] | Refused:
    """Psychology teachers of each of the last terms with ``y``, hours received in it (0 for none)."""
    found = sessions(training, params)
    if isinstance(found, Refused):
        return found
    terms = range(int(found["school_term"].max()), int(found["school_term"].min()) - 1, -1)
    parts = {}
    for term in sorted(list(terms)[:MOST_TERMS]):
        people = posts(training, term)
        total = found[found["school_term"] == term].groupby("teacher_pid")["hours"].sum()
        if len(people):
            parts[term] = people.assign(y=people["teacher_pid"].map(total).fillna(0.0))
    if not parts:
        return Refused("no_psychology_teachers", message("The source names no psychology teacher."),
                       message("The role of each teacher."))  # fmt: skip
    return parts


def share_of(event: pd.Series, cluster: pd.Series | None, conf_level: float) -> dict[str, object]:
    """A share as a row; without an interval where fewer than five clusters stand behind it."""
    few = cluster is not None and cluster.nunique() < FEWEST_UNITS
    found = proportion(event.astype(int), cluster=None if few else cluster, conf_level=conf_level)
    row = {"numerator": found.numerator, "denominator": found.denominator, "estimate": found.proportion}
    return row | {"conf_low": math.nan if few else found.conf_low, "conf_high": math.nan if few else found.conf_high}


def supervised(training: Training, params: Params) -> tuple[Drawn | Refused, list[Message]]:
    """Share with supervision at least once in the term, and what is not counted."""
    parts = received(training, params)
    if isinstance(parts, Refused):
        return parts, []
    today, rows = pd.Timestamp(params.as_of), []
    for term, people in parts.items():
        share = share_of(people["y"] > 0, people["school_pid"], params.conf_level)
        rows.append({"school_term_said": term_name(term, today), "term": "supervised_once"} | share)
    return Drawn(table=pd.DataFrame(rows)), _others(training, params)


def _others(training: Training, params: Params) -> list[Message]:
    """Sessions of people who are no psychology teachers, and of days still to come."""
    every, teacher = training.data.table("supervision"), training.data.table("teacher")
    mine = set(teacher.loc[teacher["role"].isin(PSYCHOLOGY), "teacher_pid"])
    others = int((~every["teacher_pid"].isin(mine)).sum())
    later = int((every["date"] > pd.Timestamp(params.as_of)).sum())
    found = []
    if others:
        found.append(
            message("Not counted: {n} supervisions of people who are no psychology teachers.", n=Count(others))
        )
    if later:
        found.append(message("Not counted: {n} supervisions after the day of the report.", n=Count(later)))
    return found


def hours(training: Training, params: Params) -> Drawn | Refused:
    """Hours a psychology teacher and term, those without any counted as 0."""
    parts = received(training, params)
    if isinstance(parts, Refused):
        return parts
    today, rows = pd.Timestamp(params.as_of), []
    for term, people in parts.items():
        fit = tried(_mean, people, params.conf_level) if people["y"].nunique() > 1 else None
        known = fit is not None and not isinstance(fit, Refused)
        rows.append({"school_term_said": term_name(term, today), "term": "supervision_hours",
                     "estimate": float(people["y"].mean()), "conf_low": float(fit.conf_low[0]) if known else math.nan,
                     "conf_high": float(fit.conf_high[0]) if known else math.nan, "n_used": len(people)})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _mean(people: pd.DataFrame, level: float) -> object:
    return cluster_robust("y ~ 1", people, cluster="school_pid", conf_level=level)
