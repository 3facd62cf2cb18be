"""Whether the knowledge test measures, and measures the same before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, item_number, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_skill_rows import once
from mhlib.findings import Check, Count, Refused, message
from mhlib.stats.measurement import cronbach_alpha, dif, omega, ordinal_alpha

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# A score of groups may be read from here on.
ENOUGH = 0.70
# Resampled units need at least so many.
FEWEST_SCHOOLS = 20


def without_items() -> Refused:
    """Neither reliability nor sameness from sums."""
    return Refused(
        "no_items",
        message("The source holds sums of the knowledge test: how reliable it is, and whether it is the same test before and "
                "after, cannot be told from them."),
        message("The answer to each question at each occasion, 1 right and 0 wrong, as parameter items."),
    )  # fmt: skip


def reliability(training: Training, params: Params) -> Drawn | Refused:
    """Alpha, omega, and alpha of the answers behind right and wrong, at each occasion, over both arms."""
    items = training.data.items
    if not items:
        return without_items()
    rows, lacking = [], []
    for occasion, answers in items.items():
        known = training.teachers["treated"].notna() & answers.notna().any(axis=1)
        answers = answers[known]
        varied = answers.loc[:, answers.nunique() > 1]
        if varied.shape[1] < answers.shape[1]:
            lacking.append(message("Questions that all answered alike ({n} at one occasion) are not in it.",
                                   n=answers.shape[1] - varied.shape[1]))  # fmt: skip
        for term, value in (("alpha", _alpha(training, params, varied)), ("omega", tried(omega, varied, conf_level=params.conf_level)),
                            ("ordinal_alpha", tried(ordinal_alpha, varied, conf_level=params.conf_level))):  # fmt: skip
            if isinstance(value, Refused):
                lacking.append(value.why)
                continue
            number = value.omega if term == "omega" else value.alpha
            rows.append({"occasion": occasion, "term": term, "estimate": number, "conf_low": value.conf_low,
                         "conf_high": value.conf_high, "n_used": value.n_used, "n_excluded": value.n_excluded})  # fmt: skip
    said = once(lacking)
    if not rows:
        return Refused(
            "no_reliability", said[0], message("Answers of more teachers to questions that not all get right.")
        )
    return Drawn(table=pd.DataFrame(rows), lacking=said)


def _alpha(training: Training, params: Params, answers: pd.DataFrame) -> object:
    """By resampled units where teachers of a unit may be alike and units are enough, else Feldt's interval."""
    complete = answers.dropna()
    unit = training.teachers.loc[complete.index, training.cluster]
    if training.cluster == "teacher_pid" or unit.nunique() < FEWEST_SCHOOLS:
        return tried(cronbach_alpha, answers, conf_level=params.conf_level)
    return tried(cronbach_alpha, answers, ci="school_bootstrap_t", cluster=training.teachers.loc[answers.index, training.cluster],
                 n_boot=params.n_boot, seed=params.seed, conf_level=params.conf_level)  # fmt: skip


def invariance(training: Training, params: Params) -> Drawn | Refused:
    """Questions that are easier after than before at an equal total: each teacher counts at one of the two, by lot.

    The two tests of a teacher are no independent people; a lot (by the seed) decides which of them is used, so that tests
    and sizes hold at half the number. It is of those trained: what questions do by themselves stands beside learning.
    """
    items = training.data.items
    if not items:
        return without_items()
    if not {training.baseline, training.primary} <= set(items):
        return Refused("no_items_twice", message("Single questions were kept at one occasion only."),
                       message("The answers to the same questions before and after the training."))  # fmt: skip
    mine = (training.teachers["treated"] == 1).to_numpy()
    before, after = (items[name][mine] for name in (training.baseline, training.primary))
    both = before.notna().all(axis=1) & after.notna().all(axis=1)
    first = np.random.default_rng(params.seed).permutation(int(both.sum())) % 2 == 0
    answers = before[both].mask(np.broadcast_to(~first[:, None], before[both].shape), after[both])
    when = np.where(first, "before", "after")
    unit = training.teachers.loc[answers.index, training.cluster]
    grouped = None if training.cluster == "teacher_pid" else unit
    found = _dif(answers, when, grouped)
    if isinstance(found, Refused):
        return found
    table = found.table.assign(item=found.table["term"].map(item_number))
    shown = table[["item", "smd", "smd_low", "smd_high", "p_holm", "effect_class", "flagged"]].rename(
        columns={"smd": "easier_after", "smd_low": "conf_low", "smd_high": "conf_high"}
    )
    lost = int((~both).sum())
    lacking = (
        message("Trained teachers who left a question out at one of the two tests ({n}) are not in it.", n=Count(lost)),
    )
    return Drawn(table=shown.assign(n_used=found.n_used), lacking=lacking if lost else ())


def _dif(answers: pd.DataFrame, when: np.ndarray, unit: pd.Series | None) -> object:
    """Mantel-Haenszel at an equal total; a question that all get right in both tests cannot be looked at."""
    varied = answers.loc[:, answers.nunique() > 1]
    if len(answers) == 0 or varied.shape[1] < 2:
        return Refused("no_varied_questions", message("Too few questions were answered differently by trained teachers."),
                       message("Harder questions, or more teachers."))  # fmt: skip
    return tried(dif, varied, when, reference="before", cluster=unit)


def checks(found: Drawn | Refused, same: Drawn | Refused) -> list[Check]:
    """Reliable enough for groups, and the same test twice."""
    made = []
    if not isinstance(found, Refused):
        alphas = found.table[found.table["term"] == "alpha"]
        low = int((alphas["estimate"] < ENOUGH).sum())
        said = message("At {n} of {all} occasions alpha lies below {least}.", n=low, all=len(alphas), least=ENOUGH)
        made.append(Check(message("The knowledge test is reliable enough for groups"), low == 0, said))
    if not isinstance(same, Refused):
        n = int(same.table["flagged"].sum())
        made.append(Check(message("No question became easier for its own sake"), n == 0,
                          message("{n} of {all} questions are easier or harder after the training than their total says.", n=n,
                                  all=len(same.table))))  # fmt: skip
    return made
