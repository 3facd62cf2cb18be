"""Whether teachers name the pupils who need help, and whether training changed that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts import training_behaviour_change as change
from mhlib.analyses.parts import training_behaviour_rates as rates
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_behaviour_dose import MUCH, dose, early_check, independence, under_way
from mhlib.analyses.parts.training_behaviour_rows import Naming, naming, start_refusal, without_interviews
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

PERCENT = 100.0
POINTS = message("difference (percentage points)")
# Screen-negative cases in each arm and period that make the share of all cases dependable.
ENOUGH_MISSED = 10
SENTENCES = {
    "arm_trained": message(
        "In trained schools teachers named {before} of the cases before the training and {after} after it."
    ),
    "arm_untrained": message(
        "In schools not yet trained they named {before} of the cases in the earlier waves and {after} in the later ones."
    ),
}
FIELDS = ("gained", "ppv", "accuracy", "agreement", "flow", "rates", "rates_table", "estimate", "before_after", "event",
          "event_table", "pretrend", "honest", "dose", "waits")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BehaviourSection:
    """Whom teachers name; each part may be a refusal.

    Attributes
    ----------
    gained : Effect or Refused
        Change in the share of cases named, 0–1, trained less not yet trained schools.
    ppv, accuracy : Drawn or Refused
        By arm and period, against interviews, corrected for who was interviewed.
    agreement : Drawn or Refused
        Against the screen: no accuracy.
    """

    gained: Effect | Refused
    ppv: Drawn | Refused
    accuracy: Drawn | Refused
    agreement: Drawn | Refused
    flow: Drawn | Refused
    rates: Drawn | Refused
    rates_table: Drawn | Refused
    estimate: Drawn | Refused
    before_after: Drawn | Refused
    event: Drawn | Refused
    event_table: Drawn | Refused
    pretrend: Drawn | Refused
    honest: Drawn | Refused
    dose: Drawn | Refused
    waits: Drawn | Refused
    reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> BehaviourSection:
    """Naming before and after, in trained and in waiting schools, against independent interviews."""
    has = naming(training, params)
    if isinstance(has, Refused):
        return BehaviourSection(**dict.fromkeys(FIELDS, has), reading=[], checks=[])
    judged = independence(has)
    barred = judged if isinstance(judged, Refused) else None
    by_wave = rates.rates(has, params)
    found = {"flow": rates.flow(has), "rates": by_wave, "rates_table": rates.in_numbers(by_wave),
             "agreement": rates.agreement(has, params), "waits": rates.waits(has, training, params),
             **rates.accuracy(has, params, barred)}  # fmt: skip
    changed, checks = _changes(has, training, params, barred)
    found |= changed
    checks = [*([judged] if isinstance(judged, Check) else []), *_completeness(has), *checks]
    return BehaviourSection(**found, reading=_reading(found, training), checks=checks)


def _changes(
    has: Naming, training: Training, params: Params, barred: Refused | None
) -> tuple[dict[str, object], list[Check]]:
    """Everything that compares before with after."""
    names = ("gained", "estimate", "before_after", "event", "event_table", "pretrend", "honest", "dose")
    if refused := start_refusal(params, has.named["wave"]):
        return dict.fromkeys(names, refused), []
    if has.interviews is None:
        found = dict.fromkeys(names, without_interviews())
        return found | {"estimate": _estimates(has, training, params, barred, {})}, []
    if barred:
        return dict.fromkeys(names, barred) | {"estimate": _estimates(has, training, params, barred, {})}, []
    cases = has.interviews[has.interviews["case"] == 1]
    positive = cases[cases["positive"] == 1]
    found = {"before_after": _before_after(positive, params)}
    if refused := change.comparison_refusal(training, cases):
        return dict.fromkeys(names, refused) | found, []
    fit = change.fitted(cases, params, "named", weights="weight")
    found["gained"] = gained(cases, params, fit)
    early = under_way(has.named, training, params)
    found["estimate"] = _estimates(
        has, training, params, None, {"naming_gain": fit} | _without_early(positive, early, params)
    )
    cells = positive.groupby(["school_pid", "wave", "treated"], observed=True)["named"].agg(["mean", "size"])
    cells = cells.reset_index().rename(columns={"mean": "y", "size": "n"})
    study = change.studied(cells, params, n_used=len(positive), scale=PERCENT)
    figure = change.event(study, message("difference of the shares named (percentage points)"))
    found |= {"event": figure, "event_table": change.event_table(figure), "pretrend": change.pretrend(study),
              "honest": change.honest(study, POINTS), "dose": dose(positive, has.named, training, params)}  # fmt: skip
    return found, [
        early_check(early),
        change.waves_check(cases),
        _missed_check(cases),
        *change.checks_of(fit, study.main, study),
    ]


def gained(cases: pd.DataFrame, params: Params, fit: object = None) -> Effect | Refused:
    """Change in the share of all cases named, trained less not yet trained: interviewed cases stand for all by ``weight``."""
    fit = change.fitted(cases, params, "named", weights="weight") if fit is None else fit
    return change.effect_of(fit, n_used=len(cases))


def _without_early(cases: pd.DataFrame, early: pd.Series | None, params: Params) -> dict[str, object]:
    """The change among screen-positive cases without the waves before in which training had begun; nothing if there are none."""
    waves = [] if early is None else list(early.index[early >= MUCH])
    kept = cases[~cases["wave"].isin(waves)]
    if not waves or kept.loc[~change.lone(kept), "post"].nunique() < 2:
        return {}
    return {"naming_gain_clean": change.fitted(kept, params, "named")}


def _before_after(cases: pd.DataFrame, params: Params) -> Drawn | Refused:
    """Screen-positive cases only: their equal weights give each arm by itself an interval."""
    found = change.within_arms(cases, params, "named", scale=PERCENT)
    if not found:
        return Refused(
            "few_interviews",
            message("Too few cases were interviewed before and after the training."),
            message("Interviews of pupils drawn by score with known chances, before the training and after it."),
        )
    return Drawn(table=pd.DataFrame(found))


def _estimates(
    has: Naming, training: Training, params: Params, barred: Refused | None, fits: dict[str, object]
) -> Drawn | Refused:
    """The change among cases in three ways, among pupils who are no case, and of all nominations."""
    rows, lacking = [], []
    if fits and not barred:
        cases = has.interviews[has.interviews["case"] == 1]
        positive, others = cases[cases["positive"] == 1], has.interviews[has.interviews["case"] == 0]
        alike = change.every_school_alike(positive, params, "named", "naming_gain_school", scale=PERCENT)
        fits = fits | {"naming_gain_positive": change.fitted(positive, params, "named"),
                       "naming_others": change.fitted(others, params, "named", weights="weight")}  # fmt: skip
        for term, fit in fits.items():
            _add(
                rows,
                lacking,
                fit if isinstance(fit, Refused) else change.shown(fit, term, n_used=fit.n_used, scale=PERCENT),
            )
        _add(rows, lacking, alike if isinstance(alike, Refused) else alike | {"n_used": len(positive)})
    if has.enrolled is not None and not change.comparison_refusal(training, has.enrolled):
        cells = has.enrolled.assign(y=has.enrolled["named"] / has.enrolled["n"])
        fit, n = change.fitted(cells, params, "y", weights="n"), int(cells["n"].sum())
        _add(rows, lacking, fit if isinstance(fit, Refused) else change.shown(fit, "naming_rate", n_used=n, scale=1000))
    if not rows:
        return change.comparison_refusal(training, has.named) or barred or without_interviews()
    order = (
        "naming_gain",
        "naming_gain_positive",
        "naming_gain_school",
        "naming_gain_clean",
        "naming_others",
        "naming_rate",
    )
    table = (
        pd.DataFrame(rows).set_index("term").reindex([name for name in order if name in {row["term"] for row in rows}])
    )
    return Drawn(table=table.reset_index(), axis=POINTS, rule=0.0, lacking=tuple(lacking))


def _add(rows: list[dict], lacking: list[Message], row: dict | Refused) -> None:
    if isinstance(row, Refused):
        lacking.append(row.why)
    else:
        rows.append(row)


def _missed_check(cases: pd.DataFrame) -> Check:
    missed = cases[cases["positive"] == 0].groupby(["treated", "post"]).size()
    fewest = int(missed.min()) if len(missed) == 4 else 0
    return Check(
        message("Cases below the cut-off who were interviewed"),
        fewest >= ENOUGH_MISSED,
        message(
            "In the thinnest group {n} cases below the cut-off speak for all the cases that the screen misses; with fewer than "
            "{enough} read the change among screen-positive cases beside it.",
            n=Count(fewest),
            enough=ENOUGH_MISSED,
        ),
    )


def _completeness(has: Naming) -> list[Check]:
    lost = has.n_unplaced + has.n_unweighted
    return [Check(
        message("Records of naming and interviews that could be used"),
        lost == 0,
        message(
            "{unplaced} nominations come from schools whose arm is not known, {unweighted} interviews have no result or no "
            "usable chance; all these were left out. {repeated} nominations repeat a pupil within a wave and count once.",
            unplaced=Count(has.n_unplaced), unweighted=Count(has.n_unweighted), repeated=Count(has.n_repeated),
        ),
    )]  # fmt: skip


def _reading(found: dict[str, object], training: Training) -> list[Message]:
    said = _levels(found["accuracy"])
    gained = found["gained"]
    if isinstance(gained, Effect):
        value = Estimate(
            PERCENT * gained.estimate, gained.n_used, PERCENT * gained.conf_low, PERCENT * gained.conf_high, 1
        )
        if gained.conf_low > 0:
            said.append(message("With the training {value} more of 100 cases were named than without it.", value=value))
        elif gained.conf_high < 0:
            said.append(message("With the training fewer cases were named: {value} of 100.", value=value))
        else:
            said.append(message(
                "Whether training changed the share of cases that are named is not known: the change is {value} of 100 cases.",
                value=value))  # fmt: skip
    others = _row(found["estimate"], "naming_others")
    if others is not None:
        value = Estimate(others["estimate"], int(others["n_used"]), others["conf_low"], others["conf_high"], 2)
        said.append(
            message("Pupils who are no case were named more often too: {value} of 100.", value=value)
            if others["conf_low"] > 0
            else message(
                "Pupils who are no case were not shown to be named more often: the change is {value} of 100.",
                value=value,
            )
        )
    if isinstance(found["agreement"], Drawn):
        said.append(message("Agreement with the screen is no accuracy: both may miss the same pupils."))
    return said + (change.by_lot(training) if isinstance(gained, Effect) else [])


def _levels(table: Drawn | Refused) -> list[Message]:
    """Shares of cases named before and after, in each arm."""
    if isinstance(table, Refused):
        return []
    rows = table.table[table.table["term"] == "sensitivity"].set_index(["arm_shown", "period_shown"])
    share = {key: Proportion(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
             for key, row in rows.to_dict("index").items()}  # fmt: skip
    said = []
    for arm, sentence in SENTENCES.items():
        ends = [share.get((arm, period)) for period in ("naming_before", "naming_after")]
        if all(ends):
            said.append(Message(sentence.template, {"before": ends[0], "after": ends[1]}))
    return said


def _row(table: Drawn | Refused, term: str) -> dict | None:
    if isinstance(table, Refused):
        return None
    rows = table.table[table.table["term"] == term].dropna(subset=["conf_low"])
    return None if rows.empty else rows.iloc[0].to_dict()
