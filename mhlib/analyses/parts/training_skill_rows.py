"""Judgements of vignettes, each with its arm, its occasion and the cluster behind its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.training import Training, without_table
from mhlib.findings import Count, Message, Refused, message
from mhlib.stats.monitoring import proportion

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# An interval from fewer units would rest on fewer than 4 degrees of freedom.
FEWEST_UNITS = 5
# A curve of fewer teachers is a list of their answers.
FEWEST_DRAWN = 30
ARMS = ((1.0, "arm_trained"), (0.0, "arm_untrained"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Answers that are used, and whom the table holds.

    Attributes
    ----------
    rows : DataFrame, one row an answer
        ``teacher_pid, cluster, treated, occasion, kind, case, referred, sure``; occasions by the names of the parameters.
    occasions : tuple of str
        Those of the study at which somebody judged, in the order of time.
    n_left_out : int
        Teachers of whom no answer is used: another arm, another occasion, or no cluster known.
    """

    rows: pd.DataFrame
    occasions: tuple[str, ...]
    n_left_out: int

    def cell(self, treated: float, occasion: str) -> pd.DataFrame:
        """Answers of one arm at one occasion."""
        return self.rows[(self.rows["treated"] == treated) & (self.rows["occasion"] == occasion)]

    def people(self, occasion: str | None = None) -> int:
        """Teachers who judged, then or ever."""
        rows = self.rows if occasion is None else self.rows[self.rows["occasion"] == occasion]
        return int(rows["teacher_pid"].nunique())

    @property
    def controlled(self) -> bool:
        """Whether both arms judged."""
        return self.rows["treated"].nunique() == 2

    @property
    def left_out(self) -> tuple[Message, ...]:
        """The words for those left out; none where nobody was."""
        if not self.n_left_out:
            return ()
        words = message(
            "Teachers of another arm or occasion, or of no known unit ({n}), are not in it.", n=Count(self.n_left_out)
        )
        return (words,)


def judged(training: Training, params: Params) -> Judged | Refused:
    """The vignettes of the arms compared; refused where the source has none, or none of these arms."""
    table = training.data.table("vignette")
    if table is None:
        return without_table("vignette")
    arms = ({training.control: 0.0} if training.control else {}) | {training.trained_arms[0]: 1.0}
    names = {params.occasions[name]: name for name in training.occasions}
    rows = table.assign(
        treated=table["arm"].map(arms).astype(float), occasion=table["occasion"].map(names), cluster=clusters(training, table)
    )  # fmt: skip
    used = rows.dropna(subset=["treated", "occasion", "cluster"])
    if used.empty:
        return Refused(
            "no_judgements",
            message("Nobody of the arms compared judged a vignette at an occasion of this study."),
            message(
                "Vignettes with a known right answer, judged by teachers of both arms before and after the training."
            ),
        )
    numbers = {name: used[name].astype(float) for name in ("case", "referred", "sure")}
    kept = ["teacher_pid", "cluster", "treated", "occasion", "kind"]
    return Judged(
        rows=used[kept].assign(**numbers).reset_index(drop=True),
        occasions=tuple(name for name in training.occasions if (used["occasion"] == name).any()),
        n_left_out=int(table["teacher_pid"].nunique() - used["teacher_pid"].nunique()),
    )


def clusters(training: Training, table: pd.DataFrame) -> pd.Series:
    """The cluster of each row: the table's own column, else that of the teacher's test."""
    if training.cluster in table:
        return table[training.cluster]
    known = training.teachers.set_index("teacher_pid")[training.cluster]
    return table["teacher_pid"].map(known)


def share_of(values: np.ndarray, cluster: np.ndarray, level: float) -> dict[str, float]:
    """A share with its interval by unit; binomial where every row is its own unit, none where units are too few."""
    units = len(np.unique(cluster))
    one = proportion(values, cluster=cluster if 1 < units < len(values) else None, conf_level=level)
    return bounded({"estimate": one.proportion, "conf_low": one.conf_low, "conf_high": one.conf_high}, units)


def bounded(row: dict[str, float], units: int) -> dict[str, float]:
    """The row, without its limits where too few units stand behind them."""
    return row if units >= FEWEST_UNITS else {**row, "conf_low": math.nan, "conf_high": math.nan}


def too_few_to_draw() -> Refused:
    """No curve of a handful of teachers."""
    return Refused(
        "too_few_to_draw",
        message("Fewer than {least} teachers of each arm judged vignettes after the training: a curve would list their answers.",
                least=FEWEST_DRAWN),
        message("Judgements of more teachers."),
    )  # fmt: skip


def once(said: Sequence[Message]) -> tuple[Message, ...]:
    """Each sentence once, in order."""
    return tuple(one for at, one in enumerate(said) if one not in said[:at])
