"""Whether interviews hung on naming, and naming against the share of class teachers trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts import training_behaviour_change as change
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_behaviour_rows import Naming, without_interviews
from mhlib.findings import Check, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

MENTORS = "head"
# Difference of the shares interviewed beyond which interviews are taken to hang on naming.
MUCH = 0.05
# Share of interviews whose band is that of the cut-off, below which they were drawn by another one.
DRAWN_BY = 0.98
ANOTHER_CUTOFF = message(
    "Pupils were not drawn for interviews by this cut-off, so it cannot be looked at whether naming made a difference."
)


NO_ANSWERS = message(
    "No interviewed pupil has answers to the screen, so it cannot be looked at whether naming made a difference."
)
BY_NAMING = message(
    "Screen-positive pupils whom teachers had named were interviewed in {named} of all, others in {unnamed}: who was "
    "interviewed hung on naming or on what is behind it, so the share of cases named cannot be had from these interviews."
)
BY_NAMING_SOMEWHERE = message(
    "In one arm and period screen-positive pupils whom teachers had named were interviewed in {named} of all, others in "
    "{unnamed}: who was interviewed hung on naming or on what is behind it, so the share of cases named cannot be had from "
    "these interviews."
)
# Screen-positives named, and not named, below which a group is too small to look at.
FEWEST = 30
# Errors beyond which a gap is no chance: the mean one, and any of four, which by chance alone happens once in a hundred cities.
ERRORS, ERRORS_OF_FOUR = 2.0, 3.0


def independence(has: Naming) -> Check | Refused:
    """Whether named and unnamed screen-positives of each arm and period were interviewed alike, as their equal chances say.

    Refused where they were not: the known chances then do not hold, and the share of cases named cannot be had from them.
    """
    name = message("Interviews did not hang on naming")
    if has.interviews is None:
        return without_interviews()
    positives = None if has.screened is None else has.screened[has.screened["positive"] == 1]
    if positives is None or positives.empty:
        return Check(
            name, None, message("Who could have been interviewed is not in the source, so this cannot be looked at.")
        )
    if np.isnan(has.drawn_by_cutoff):
        return Check(name, None, NO_ANSWERS)
    if has.drawn_by_cutoff < DRAWN_BY:
        return Check(name, None, ANOTHER_CUTOFF)
    cells = interviewed(has, positives)
    if cells.empty:
        return Check(name, None, message("Too few screen-positive pupils were named to look at this."))
    values = _shares(cells)
    worst = cells.loc[[cells["beyond"].idxmax()]]
    apart = worst["beyond"].iloc[0] > 0
    if apart or _beyond(cells, ERRORS) > 0:
        values = _shares(worst) if apart else values
        return Refused(
            "interviews_by_naming",
            Message((BY_NAMING_SOMEWHERE if apart else BY_NAMING).template, values),
            message("Interviews drawn by lot within bands of the score, whatever teachers said."),
        )
    detail = message(
        "Of the screen-positive pupils whom teachers had named {named} were interviewed, of the others {unnamed}.",
        **values,
    )
    return Check(name, True, detail)


def interviewed(has: Naming, positives: pd.DataFrame) -> pd.DataFrame:
    """Screen-positives interviewed, named and not, by arm and period; of each arm, over waves with answers and interviews.

    Columns ``seen_1, there_1`` of those named and ``seen_0, there_0`` of the others, ``gap`` and ``error`` of the shares, and
    ``beyond`` (above 0: the gap is more than MUCH and more than its error allows). Groups of fewer than 30 stay out.
    """
    seen = has.interviews[(has.interviews["positive"] == 1) & has.interviews["answered"]]
    positives = positives.merge(has.interviews[["treated", "wave"]].drop_duplicates())
    by = [name for name in ("treated", "post") if positives[name].notna().any()]
    counts = {
        f"{what}_{at}": rows[rows["named"] == at].groupby(by).size()
        for what, rows in (("seen", seen), ("there", positives)) for at in (0, 1)
    }  # fmt: skip
    cells = pd.DataFrame(counts).fillna(0.0)
    cells = cells[cells[["there_0", "there_1"]].min(axis=1) >= FEWEST]
    share = {at: cells[f"seen_{at}"] / cells[f"there_{at}"] for at in (0, 1)}
    spread = sum((share[at] * (1 - share[at]) / cells[f"there_{at}"]).clip(lower=0) for at in (0, 1))
    cells = cells.assign(gap=share[1] - share[0], error=np.sqrt(spread))
    return cells.assign(beyond=[_beyond(cells.loc[[at]], ERRORS_OF_FOUR) for at in cells.index])


def _beyond(cells: pd.DataFrame, errors: float) -> float:
    """How far the mean gap, each group by those named in it, lies beyond what is little or may be chance."""
    weight = cells["there_1"] / cells["there_1"].sum()
    error = float(np.sqrt((weight**2 * cells["error"] ** 2).sum()))
    return abs(float((weight * cells["gap"]).sum())) - max(MUCH, errors * error)


def _shares(cells: pd.DataFrame) -> dict[str, Proportion]:
    """Shares interviewed among the named and the others of these groups."""
    sums = cells.sum()
    return {
        name: Proportion(float(sums[f"seen_{at}"] / sums[f"there_{at}"]), int(sums[f"there_{at}"]))
        for name, at in (("named", 1), ("unnamed", 0))
    }


def under_way(named: pd.DataFrame, training: Training, params: Params) -> pd.Series | None:
    """Share of the class teachers of trained schools already trained, by wave before the start; None where days are unknown."""
    share = trained_share(named, training)
    if isinstance(share, Refused):
        return None
    arms = named.loc[named["treated"] == 1, "school_pid"].unique()
    before = share[(share["wave"] < params.named_from_wave) & share["school_pid"].isin(arms)]
    return None if before.empty else before.groupby("wave")["dose"].mean()


def early_check(share: pd.Series | None) -> Check:
    """Whether the waves called before lie before the training."""
    name = message("Waves before the training lie before it")
    if share is None:
        return Check(
            name,
            None,
            message("On which day class teachers were trained is not in the source, so this cannot be looked at."),
        )
    detail = message(
        "Before the last of these waves {percent} of 100 class teachers of trained schools had been at a training event; what they "
        "did differently by then makes the change look smaller. One row of the table leaves such waves out.",
        percent=round(100 * float(share.iloc[-1])),
    )
    return Check(name, bool(share.max() < MUCH), detail)


def dose(cases: pd.DataFrame, named: pd.DataFrame, training: Training, params: Params) -> Drawn | Refused:
    """Share of screen-positive cases named against the share of the school's class teachers trained by then; exploratory.

    Schools choose how many they send: this is not an effect even with a fixed effect for each school.
    """
    share = trained_share(named, training)
    if isinstance(share, Refused):
        return share
    rows = cases.merge(share, on=["school_pid", "wave"], how="inner")
    found, lacking = [], []
    for term, part in (("naming_dose", rows), ("naming_dose_trained", rows[rows["treated"] == 1])):
        if part.groupby("school_pid")["dose"].nunique().max() < 2 or part["school_pid"].nunique() < 2:
            continue
        fit = change.fitted(part, params, "named", model="y ~ dose + C(wave)", absorb="school_pid")
        # A tenth more of the class teachers, in percentage points.
        row = fit if isinstance(fit, Refused) else change.shown(fit, term, n_used=len(part), scale=10.0, of="dose")
        if isinstance(row, Refused):
            lacking.append(row.why)
        else:
            found.append(row)
    if not found and lacking:
        return Refused(
            "few_degrees_of_freedom",
            lacking[0],
            message("More schools of both arms, and class teachers trained in turn."),
        )
    if not found:
        return Refused(
            "one_dose",
            message("The share of class teachers trained does not differ between waves within any school."),
            message("Who was trained on which day, and the class teachers of every school."),
        )
    return Drawn(table=pd.DataFrame(found), axis=message("percentage points for each tenth more trained"), rule=0.0,
                 lacking=tuple(lacking))  # fmt: skip


def trained_share(named: pd.DataFrame, training: Training) -> pd.DataFrame | Refused:
    """Of each school and wave: share of class teachers who had been at a training event before the wave began."""
    tables = {name: training.data.table(name) for name in ("teacher", "training_enrolment", "training_event")}
    if absent := [name for name, table in tables.items() if table is None]:
        return without_table(absent[0])
    mentors = tables["teacher"]
    if (mentors["role"] == MENTORS).any():
        mentors = mentors[mentors["role"] == MENTORS]
    went = tables["training_enrolment"].merge(tables["training_event"][["event_pid", "held_on"]], on="event_pid")
    first = went.groupby("teacher_pid")["held_on"].min()
    mentors = mentors.assign(first=mentors["teacher_pid"].map(first))
    began = named.groupby("wave")["named_on"].min()
    parts = [
        mentors.assign(dose=(mentors["first"] < day).astype(float)).groupby("school_pid")["dose"].mean().rename("dose")
        .reset_index().assign(wave=int(wave))
        for wave, day in began.items()
    ]  # fmt: skip
    found = pd.concat(parts, ignore_index=True)
    return found.assign(school_pid=found["school_pid"].astype(object))
