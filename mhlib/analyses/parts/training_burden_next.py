"""What is next, by school level or district: how many wait, are to be tested again, or lack supervision. Nothing is ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_burden_supervision import bounds_of, received, share_of
from mhlib.findings import Count, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

LEVELS = ("P", "J", "S", "V")


def next_by(training: Training, params: Params, column: str) -> Drawn | Refused:
    """Share of teachers concerned by each next step, by a column of the school table, in the order of its names."""
    school = training.data.table("school")
    if school is None:
        return without_table("school")
    if column not in school:
        return Refused(
            "no_district",
            message("The table of schools names no {column}, so next steps cannot be given by it.", column=column),
            message("A column {column} in the table of schools.", column=column),
        )
    place = school.set_index("school_pid")[column]
    rows = []
    for step, frame in _steps(training, params).items():
        at = frame["school_pid"].map(place)
        for name in sorted(at.dropna().unique(), key=lambda one: (LEVELS.index(one) if one in LEVELS else 9, str(one))):
            rows.append(
                {"group": f"level_{name}" if name in LEVELS else str(name), "term": step}
                | share_of(frame.loc[at == name, "due"], frame.loc[at == name, "school_pid"], params.conf_level)
            )
    if not rows:
        return Refused(
            "no_next_step", message("No teacher is known by school."), message("The school of each teacher.")
        )
    table = pd.DataFrame(rows)
    order = {name: at for at, name in enumerate(dict.fromkeys(table["group"]))}
    return Drawn(
        table=table.sort_values("group", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)
    )


def _steps(training: Training, params: Params) -> dict[str, pd.DataFrame]:
    """Teachers by school with ``due``: still to be trained, trained and not tested later, psychology without supervision."""
    found, people = {}, training.teachers
    if "school_pid" in people and training.controlled:
        mine = people[people["treated"].notna()]
        found["next_train"] = mine.assign(due=mine["treated"] == 0)
    if "school_pid" in people and training.has_follow_up:
        mine = people[people["treated"] == 1]
        found["next_test"] = mine.assign(due=mine["f"].isna())
    terms = received(training, params)
    if not isinstance(terms, Refused):
        whole = [term for term in terms if bounds_of(term)[1] <= pd.Timestamp(params.as_of)]
        if whole:
            frame = terms[max(whole)]
            found["next_supervise"] = frame.assign(due=frame["y"] == 0)
    return found


def actions(training: Training, params: Params) -> list[Message]:
    """One sentence a step, over all schools."""
    words = {
        "next_train": message("Next: train the {due} of {all} teachers tested who still wait."),
        "next_test": message("Next: test the {due} of {all} trained teachers who were not tested later."),
        "next_supervise": message(
            "Next: supervision for the {due} of {all} psychology teachers who had none in the last whole term."
        ),
    }
    return [Message(words[name].template, {"due": Count(int(frame["due"].sum())), "all": Count(len(frame))})
            for name, frame in _steps(training, params).items() if frame["due"].any()]  # fmt: skip
