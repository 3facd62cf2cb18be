"""Which months of workload lie before a training, while it went on, and after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.analyses.parts.training import Training
from mhlib.findings import Refused, message

MONTHS = 12


def period_of(training: Training) -> pd.Series | Refused | None:
    """Of each row of workload: ``before``, ``after`` or ``during``; None where years or days of the training are not known.

    After are the months that follow the last event of the trained and come before the first that the others then went to;
    before are those that end before the first event. Refused where no month lies after.
    """
    workload, events = training.data.table("workload"), training.data.table("training_event")
    if events is None or "year" not in workload or not events["held_on"].notna().any():
        return None
    mine, theirs = _months_held(training, events)
    month = _number(workload["year"], workload["month"])
    ended = mine.max()
    until = theirs[theirs > ended].min() if (theirs > ended).any() else np.inf
    after = (month > ended) & (month < until)
    if not after.any():
        return Refused(
            "no_month_after",
            message("No month of workload lies after the training and before the others were trained."),
            message("Overtime and days absent of the teachers of both arms, after the training."),
        )
    period = np.select([after, month < mine.min()], ["after", "before"], "during")
    return pd.Series(period, index=workload.index)


def _months_held(training: Training, events: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Months of the events of the trained, and of the others; all are of the trained where nobody wrote down who went."""
    month = _number(events["held_on"].dt.year, events["held_on"].dt.month)
    went, none = training.data.table("training_enrolment"), month.iloc[:0]
    if went is None:
        return month.dropna(), none
    arm = training.teachers.set_index("teacher_pid")["treated"]
    attended = went.assign(treated=went["teacher_pid"].map(arm))
    held = attended["event_pid"].map(month.groupby(events["event_pid"]).first())
    mine = held[attended["treated"] == 1].dropna()
    return (month.dropna(), none) if mine.empty else (mine, held[attended["treated"] == 0].dropna())


def _number(year: pd.Series, month: pd.Series) -> pd.Series:
    """Months since the year 0."""
    return MONTHS * year.astype(float) + month.astype(float)
