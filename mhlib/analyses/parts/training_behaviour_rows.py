"""Whom teachers named, who was screened and who was interviewed, by school, wave, arm and period."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.training import Training
from mhlib.data.aggregate import counts_by
from mhlib.errors import DataError
from mhlib.findings import Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

ITEMS = tuple(f"phq_9_{at}" for at in range(1, 10))
# The codebook of the screen lets a pupil leave out two of nine answers.
MOST_LEFT_OUT = 2
ARMS = {1.0: "arm_trained", 0.0: "arm_untrained"}
PERIODS = {0.0: "naming_before", 1.0: "naming_after"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Naming:
    """Everything the section on naming works on; tables that the source lacks are None.

    Attributes
    ----------
    named : DataFrame, one row a pupil and wave
        ``treated`` and ``post`` (NaN where no start is stated) beside `pupil_pid`, `school_pid`, `wave`, `named_on` (first day).
    enrolled : DataFrame, one row a school and wave
        ``n`` pupils and ``named`` of them.
    screened : DataFrame, one row a pupil and wave
        As :func:`screens`, with ``named``, ``treated``, ``post``.
    interviews : DataFrame, one row a pupil and wave
        ``named``, ``case``, ``positive`` (1.0 screen-positive, as sampled), ``weight`` (one over the chance of an interview),
        ``answered`` (the pupil is among those screened in this wave).
    drawn_by_cutoff : float
        Share of the interviews that were drawn as screen-positive or -negative as `cutoff` has it; NaN without answers.
    n_repeated, n_unplaced, n_unweighted : int
        Nominations of a pupil already named in the wave; nominations of schools without a known arm; interviews without
        result or usable chance.
    """

    named: pd.DataFrame
    enrolled: pd.DataFrame | None
    screened: pd.DataFrame | None
    interviews: pd.DataFrame | None
    drawn_by_cutoff: float
    n_repeated: int
    n_unplaced: int
    n_unweighted: int


def schools_refusal(training: Training) -> Refused | None:
    """Why pupils cannot be told apart by the training of their school; None where they can."""
    if training.cluster == "teacher_pid" or "school_pid" not in training.teachers:
        return Refused(
            "not_by_school",
            message("Teachers and not schools were trained or left untrained, so pupils have no arm of their own."),
            message("A training that is allocated by school, or which teacher looks after which pupil."),
        )
    return None


def start_refusal(params: Params, waves: pd.Series) -> Refused | None:
    """Why there is no before and after; None where there is."""
    if params.named_from_wave is None:
        return Refused(
            "no_start",
            message("The first screening wave after the training is not stated, so there is no before and after."),
            message("The first wave after the training of the trained schools, as parameter named_from_wave."),
        )
    after = waves >= params.named_from_wave
    if after.all() or not after.any():
        return Refused(
            "one_period",
            message("All waves lie on one side of the training, so nothing can be compared with before."),
            message("The same records from waves before the training and after it."),
        )
    return None


def without_interviews() -> Refused:
    """No share of cases named where nobody knows who is a case."""
    return Refused(
        "no_interviews",
        message(
            "Nobody was interviewed independently of the teachers, so who of the pupils is a case is not known: against the "
            "screen alone there is agreement and no accuracy."
        ),
        message("Interviews of pupils drawn by the screening score with known chances, blind to what teachers said."),
    )


def arm_of_school(training: Training) -> pd.Series:
    """1.0 or 0.0 by school; schools whose teachers are of both arms are not there."""
    by_school = training.teachers.dropna(subset=["treated"]).groupby("school_pid", observed=True)["treated"]
    return by_school.first()[by_school.nunique() == 1].astype(float)


def marked(rows: pd.DataFrame, training: Training, params: Params) -> pd.DataFrame:
    """Rows of schools whose arm is known, with ``treated``, ``post`` and ``effect``."""
    code, schools = pd.factorize(rows["school_pid"])
    schools = pd.Index(np.asarray(schools, dtype=object))
    arm = arm_of_school(training).reindex(schools).to_numpy(dtype=float)
    treated, waves = arm[code], rows["wave"].to_numpy(dtype=int)
    post = np.full(len(rows), np.nan)
    if params.named_from_wave is not None:
        post = (waves >= params.named_from_wave).astype(float)
    rows = rows.assign(
        school_pid=schools.to_numpy()[code], wave=waves, treated=treated, post=post, effect=treated * post
    )
    known = ~np.isnan(treated)
    return rows.reset_index(drop=True) if known.all() else rows[known].reset_index(drop=True)


@lru_cache(maxsize=1)
def screens(training: Training, cutoff: float | None) -> pd.DataFrame | None:
    """One row a pupil screened in a wave: `pupil_pid`, `school_pid`, `wave`, ``score`` (points, prorated), ``positive``.

    A pupil who left out more than two of the nine answers has no score and is no row; ``n_unscored`` in `attrs` counts them.
    Both sections that need the answers share one reading.
    """
    rows = training.data.read("response", columns=["pupil_pid", "school_pid", "wave", *ITEMS])
    if rows is None or rows.empty or not set(ITEMS) <= set(rows):
        return None
    total, there = np.zeros(len(rows)), np.zeros(len(rows), dtype=int)
    for name in ITEMS:
        answer = rows[name].to_numpy(dtype=float, na_value=np.nan)
        given = ~np.isnan(answer)
        total[given] += answer[given]
        there += given
    kept = there >= len(ITEMS) - MOST_LEFT_OUT
    score = total[kept] / there[kept] * len(ITEMS)
    found = rows.loc[kept, ["pupil_pid", "school_pid", "wave"]].assign(
        score=score, positive=np.nan if cutoff is None else (score >= cutoff).astype(float)
    )
    found = found.reset_index(drop=True)
    found.attrs["n_unscored"] = int((~kept).sum())
    return found


def naming(training: Training, params: Params) -> Naming | Refused:
    """All tables, or why there is nothing to look at."""
    given = training.data.table("nomination")
    if given is None:
        return without_nominations()
    if refused := schools_refusal(training):
        return refused
    first = given.sort_values("named_on").drop_duplicates(["pupil_pid", "wave"])
    named = marked(first[["pupil_pid", "school_pid", "wave", "named_on"]], training, params)
    keys = {wave: set(part["pupil_pid"]) for wave, part in first.groupby(first["wave"].astype(int))}
    screened = screens(training, params.cutoff)
    interviews, n_unweighted = _interviews(training)
    places = None if screened is None or interviews is None else _places(interviews, screened)
    drawn_by = np.nan if places is None else _drawn_by(interviews, screened, places)
    if interviews is not None:
        named_too = _is_named(interviews, keys)
        answered = False if places is None else places >= 0
        interviews = interviews.drop(columns="pupil_pid").assign(named=named_too, answered=answered)
        interviews = marked(interviews, training, params)
    if screened is not None:
        named_too = _is_named(screened, keys)
        screened = marked(screened.drop(columns="pupil_pid").assign(named=named_too), training, params)
    return Naming(
        named=named,
        enrolled=_enrolled(training, params, named, screened),
        screened=screened,
        interviews=interviews,
        drawn_by_cutoff=drawn_by,
        n_repeated=len(given) - len(first),
        n_unplaced=len(first) - len(named),
        n_unweighted=n_unweighted,
    )


def without_nominations() -> Refused:
    """Nothing about naming where nobody wrote down whom teachers named."""
    return Refused(
        "no_table",
        message("The source holds no list of the pupils whom teachers named, so what teachers do cannot be looked at."),
        message("Whom teachers named, when and in which wave, before the screening results are known to them."),
    )


def _is_named(rows: pd.DataFrame, keys: dict[int, set]) -> np.ndarray:
    waves, found = rows["wave"].to_numpy(dtype=int), np.zeros(len(rows))
    pupils = rows["pupil_pid"]
    for wave, pids in keys.items():
        here = waves == wave
        found[here] = pupils[here].isin(pids)
    return found


def _places(interviews: pd.DataFrame, screened: pd.DataFrame) -> np.ndarray:
    """Row of `screened` of each interview, by pupil and wave; -1 where the pupil has no answers in that wave."""
    waves, given = screened["wave"].to_numpy(dtype=int), interviews["wave"].to_numpy(dtype=int)
    found = np.full(len(interviews), -1)
    for wave in np.unique(given):
        rows, mine = np.flatnonzero(waves == wave), given == wave
        at = pd.Index(screened["pupil_pid"].iloc[rows]).get_indexer(interviews.loc[mine, "pupil_pid"])
        found[mine] = np.where(at < 0, -1, rows[at]) if len(rows) else -1
    return found


def _drawn_by(interviews: pd.DataFrame, screened: pd.DataFrame, places: np.ndarray) -> float:
    """Share of the interviewed whose score lies on the side of the cut-off for which they were drawn; NaN without answers."""
    there = places >= 0
    if not there.any():
        return float("nan")
    side = screened["positive"].to_numpy()[places[there]]
    return float((side == interviews["positive"].to_numpy()[there]).mean())


def _interviews(training: Training) -> tuple[pd.DataFrame | None, int]:
    wanted = ["pupil_pid", "wave", "school_pid", "sampled", "probability", "case"]
    rows = training.data.read("assessment", columns=wanted)
    if rows is None or rows.empty:
        return None, 0
    if lacking := [name for name in wanted if name not in rows]:
        raise DataError("assessment", f"no column {', '.join(lacking)}", allowed=", ".join(wanted))
    chance = rows["probability"].to_numpy(dtype=float, na_value=np.nan)
    usable = (chance > 0) & (chance <= 1) & rows["case"].notna().to_numpy()
    if not usable.any():
        return None, int((~usable).sum())
    kept = rows[usable].assign(
        weight=1 / chance[usable], probability=chance[usable], case=rows.loc[usable, "case"].astype(float),
        positive=(rows.loc[usable, "sampled"] == "positive").astype(float),
    )  # fmt: skip
    return kept.drop(columns="sampled").reset_index(drop=True), int((~usable).sum())


def _enrolled(
    training: Training, params: Params, named: pd.DataFrame, screened: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Pupils of each school and wave: enrolled, or screened where there is no roll."""
    source, table = training.data.source, training.data.names.get("enrolment", "enrolment")
    rolled = source.kind != "file" and table in source.tables()
    if not rolled and screened is None:
        return None
    cells = counts_by(source if rolled else screened, ["school_pid", "wave"], table=table if rolled else None)
    cells = marked(cells, training, params)
    found = named.groupby(["school_pid", "wave"], observed=True).size().rename("named").reset_index()
    return cells.merge(found, on=["school_pid", "wave"], how="left").fillna({"named": 0.0})
