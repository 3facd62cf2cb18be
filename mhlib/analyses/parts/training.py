"""One training's evaluation: who was allocated, what was measured when, and what the design allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.data.training import TrainingData
from mhlib.errors import DataError
from mhlib.findings import Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

RANDOMISED = ("wait_list", "school_rct", "teacher_rct")
FEW_CLUSTERS = 20
# Lots drawn within fewer sites than this say nothing of other sites.
FEW_SITES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Training:
    """What every section works on.

    Attributes
    ----------
    data : TrainingData
    teachers : DataFrame, one row a teacher
        As loaded, with ``treated`` (1.0 trained, 0.0 comparison, NaN another arm), ``b``, ``y``, ``f`` (primary measure at
        baseline, primary and follow-up occasion, points; NaN where missing or not asked for) and ``measured`` (y is there).
    design, cluster, control : str
        ``cluster`` is the column behind every robust interval; ``teacher_pid`` where teachers were allocated one by one.
    levels : tuple of str
        Nesting of the mixed model above the teacher, the widest first.
    trained_arms : tuple of str
    """

    data: TrainingData
    teachers: pd.DataFrame
    design: str
    cluster: str
    levels: tuple[str, ...]
    control: str
    trained_arms: tuple[str, ...]
    baseline: str
    primary: str
    follow_up: str
    measure: str

    @property
    def provenance(self) -> object:
        """Where the rows came from."""
        return self.data.provenance

    @property
    def randomised(self) -> bool:
        """Whether lots decided who was trained first."""
        return self.design in RANDOMISED

    @property
    def controlled(self) -> bool:
        """Whether anybody without the training was tested."""
        return bool((self.teachers["treated"] == 0).any() and (self.teachers["treated"] == 1).any())

    @property
    def has_baseline(self) -> bool:
        """Whether the primary measure was taken before the training."""
        return bool(self.teachers["b"].notna().any())

    @property
    def has_follow_up(self) -> bool:
        """Whether it was taken again later."""
        return bool(self.teachers["f"].notna().any())

    @property
    def compared(self) -> pd.DataFrame:
        """Teachers of the two arms compared, measured at the primary occasion (and before, where there is a before)."""
        people = self.teachers[self.teachers["treated"].notna() & self.teachers["measured"]]
        return people[people["b"].notna()] if self.has_baseline else people

    @property
    def n_clusters(self) -> int:
        """Clusters among those compared."""
        return int(self.compared[self.cluster].nunique())

    @property
    def sd(self) -> float:
        """Deviation of the primary measure before the training, of both arms, in points.

        At the primary occasion, of the comparison, where there is no before: a training may change the spread, so that the
        later one is no yardstick.
        """
        return self.sd_of(self.measure)

    def sd_of(self, measure: str) -> float:
        """As `sd`, of another measure."""
        people = self.teachers[self.teachers["treated"].notna()]
        if self.baseline:
            return float(people[f"{measure}_{self.baseline}"].std(ddof=1))
        chosen = people[people["treated"] == 0] if self.controlled else people
        return float(chosen[f"{measure}_{self.primary}"].std(ddof=1))

    @property
    def occasions(self) -> tuple[str, ...]:
        """Baseline, primary and follow-up occasion, those of them that are declared."""
        return tuple(name for name in (self.baseline, self.primary, self.follow_up) if name)

    def long(self, measure: str | None = None) -> pd.DataFrame:
        """One row a teacher of the arms compared and occasion: identifiers, ``treated``, ``occasion``, ``time``, ``score``.

        ``time`` is 0, 1, 2 in the order of `occasions`; occasions without a score are rows with NaN.
        """
        people = self.teachers[self.teachers["treated"].notna()]
        kept = [name for name in ("teacher_pid", "school_pid", "block", "tier", "arm", "treated") if name in people]
        parts = [people[kept].assign(occasion=name, time=at, score=people[f"{measure or self.measure}_{name}"])
                 for at, name in enumerate(self.occasions)]  # fmt: skip
        return pd.concat(parts, ignore_index=True)


def training_of(data: TrainingData, params: Params) -> Training:
    """The record that every section works on."""
    teachers = data.teachers.copy()
    control, *trained = params.arms
    if absent := [name for name in params.arms[:2] if not (teachers["arm"] == name).any()]:
        known = ", ".join(sorted(set(teachers["arm"].dropna())))
        raise DataError(params.source, f"nobody in arm {', '.join(absent)}", allowed=known, remedy="mend arms:")
    named = [params.cluster, params.block, *params.levels]
    if absent := sorted({name for name in named if name and name not in teachers}):
        raise DataError(params.source, f"no column {', '.join(absent)}", allowed=", ".join(teachers.columns[:30]))
    arms = {control: 0.0, trained[0]: 1.0} if trained else {control: 1.0}
    teachers["treated"] = teachers["arm"].map(arms).astype(float)
    for short, occasion in (("b", params.baseline), ("y", params.primary), ("f", params.follow_up)):
        teachers[short] = teachers[f"{params.primary_measure}_{occasion}"] if occasion else np.nan
    teachers["measured"] = teachers["y"].notna()
    if params.block and params.block != "block":
        teachers["block"] = teachers[params.block]
    cluster = params.cluster or params.assignment_unit
    # Teachers of one school are alike whether or not anybody said so.
    levels = params.levels or ([cluster] if cluster != "teacher_pid" else [])
    return Training(
        data=data, teachers=teachers, design=params.design, cluster=cluster, levels=tuple(levels),
        control=control if trained else "", trained_arms=tuple(trained or [control]), baseline=params.baseline,
        primary=params.primary, follow_up=params.follow_up, measure=params.primary_measure,
    )  # fmt: skip


def without_table(name: str) -> Refused:
    """A section whose table the source does not hold."""
    return Refused(
        "no_table",
        message("The source holds no table {name}, so this cannot be looked at.", name=name),
        message("The table {name}, as the data dictionary describes it.", name=name),
    )


def without_comparison() -> Refused:
    """No effect where everybody was trained."""
    return Refused(
        "no_comparison",
        message("Every teacher tested was trained: what testing twice and time do cannot be told from the training."),
        message("The same tests at the same occasions from teachers who are not yet trained."),
    )


def without_before() -> Refused:
    """Nothing that starts from a first test."""
    return Refused(
        "no_baseline",
        message("Teachers were not tested before the training."),
        message("The same test of the same teachers before the training starts."),
    )


def without_follow_up() -> Refused:
    """Nothing about what is kept."""
    return Refused(
        "no_follow_up",
        message("Teachers were not tested again later, so nothing can be said about what they keep."),
        message("The same test of the same teachers some months later, with the comparison group still untrained."),
    )
