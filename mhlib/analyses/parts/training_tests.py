"""Whether the tests can tell: too easy, answers by guessing, questions that became easier for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_names import measure_name
from mhlib.findings import Check, Count, Refused, message
from mhlib.stats.effects import adjust_pvalues, cluster_robust, guessing_corrected

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

ARMS = ((0.0, "arm_untrained"), (1.0, "arm_trained"))


def ceiling(training: Training, params: Params) -> Drawn | Refused:
    """Share of teachers at the best and at the worst possible score, by measure, occasion and arm."""
    rows = []
    for measure, (low, high) in params.ranges.items():
        worst, best = (high, low) if measure in params.lower_is_better else (low, high)
        for occasion in training.occasions:
            for treated, arm in ARMS:
                mine = training.teachers.loc[training.teachers["treated"] == treated, f"{measure}_{occasion}"].dropna()
                if len(mine):
                    rows.append({"group": measure, "occasion": occasion, "arm_shown": arm, "denominator": len(mine),
                                 "at_best": float((mine == best).mean()), "at_worst": float((mine == worst).mean())})  # fmt: skip
    if not rows:
        return Refused(
            "no_range",
            message("The range of no measure is stated, so that nobody can be said to stand at its end."),
            message("Lowest and highest possible score of each measure, as parameter ranges."),
        )
    return Drawn(table=pd.DataFrame(rows))


def ceiling_checks(found: Drawn | Refused, params: Params) -> list[Check]:
    """Whether the primary measure leaves room to rise; a test at its end shows no gain and loses none."""
    name = message("The test leaves room to rise")
    if isinstance(found, Refused):
        return [Check(name, None, found.why)]
    mine = found.table[found.table["group"] == params.primary_measure]
    if mine.empty:
        return [Check(name, None, message("The range of the primary measure is not stated."))]
    n = int((mine["at_best"] >= params.ceiling_from).sum())
    said = message("{measure}: in {n} of {all} tests (arm and occasion) {share}% or more stand at the best score.", n=n,
                   all=len(mine), measure=measure_name(params.primary_measure), share=f"{100 * params.ceiling_from:g}")  # fmt: skip
    return [Check(name, n == 0, said)]


def without_items() -> Refused:
    """Nothing about single questions from a sum."""
    return Refused(
        "no_items",
        message("The source holds sums and no answers to single questions: neither guessing nor questions that became easier "
                "can be looked at."),
        message("The answer to each question at each occasion, 1 right and 0 wrong, as parameter items."),
    )  # fmt: skip


def guessing(training: Training, params: Params) -> Drawn | Refused:
    """Knowledge beyond what blind guessing would have got right, by arm and occasion."""
    if not training.data.items:
        return without_items()
    if not params.options:
        return Refused(
            "no_options",
            message("It is not stated how many answers each question has, so guessing cannot be taken out."),
            message("Number of answers to choose from, as parameter options."),
        )
    rows, lacking = [], []
    for occasion, items in training.data.items.items():
        for treated, arm in ARMS:
            mine = training.teachers["treated"] == treated
            if not mine.any():
                continue
            by_school = None if training.cluster == "teacher_pid" else training.teachers.loc[mine, training.cluster]
            options = params.options[0] if len(params.options) == 1 else params.options
            found = tried(
                guessing_corrected, items[mine], options=options, cluster=by_school, conf_level=params.conf_level
            )
            if isinstance(found, Refused):
                lacking.append(found.why)
                continue
            rows.append({"occasion": occasion, "arm_shown": arm, "n_used": found.n_used, "right_share": found.uncorrected,
                         "chance_share": found.chance, "estimate": found.mean, "conf_low": found.conf_low,
                         "conf_high": found.conf_high, "at_chance": found.n_at_chance / found.n_used})  # fmt: skip
    if not rows:
        return Refused("no_answers", lacking[0], message("Answers of more teachers."))
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def drift(training: Training, params: Params) -> Drawn | Refused:
    """Change of each question since the start beyond that of all questions, in teachers who were not trained.

    Where nobody was taught, a question that gained more than the others has become known, or is another question.
    """
    items = training.data.items
    if not {training.baseline, training.primary} <= set(items):
        return without_items()
    rows = training.teachers["treated"] == 0
    change = (items[training.primary] - items[training.baseline])[rows]
    complete = change.notna().all(axis=1)
    if complete.sum() < 2 or change.shape[1] < 2:
        return Refused(
            "no_untrained_answers",
            message("Too few untrained teachers answered every question twice: what the questions did by themselves cannot be "
                    "told from what was learned."),
            message("The same questions before and after from teachers who are not trained."),
        )  # fmt: skip
    beyond = change[complete].sub(change[complete].mean(axis=1), axis=0)
    frame = beyond.assign(cluster=training.teachers.loc[beyond.index, training.cluster])
    found = []
    for name in change:
        fit = tried(_mean, frame.rename(columns={name: "beyond"}), params.conf_level)
        if not isinstance(fit, Refused):
            row = fit.to_frame().set_index("term").loc["Intercept"]
            found.append({"item": name.removeprefix("item_"), "estimate": row["estimate"], "conf_low": row["conf_low"],
                          "conf_high": row["conf_high"], "p_value": row["p_value"], "n_used": fit.n_used})  # fmt: skip
    if not found:
        return Refused("no_spread", message("No question changed."), message("Nothing."))
    table = pd.DataFrame(found)
    return Drawn(table=table.assign(p_holm=adjust_pvalues(table["p_value"].to_numpy()).adjusted),
                 lacking=(message("Teachers who left a question out at one of the two tests ({n}) are not in it.",
                                  n=Count(int((~complete).sum()))),) if (~complete).any() else ())  # fmt: skip


def _mean(frame: pd.DataFrame, level: float) -> object:
    return cluster_robust("beyond ~ 1", frame, cluster="cluster", conf_level=level)
