"""The question as an estimand, the programme as it was done, and how strongly the design can speak of causes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import FEW_CLUSTERS, Trial
from mhlib.findings import Count, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

WORDS = {
    "school_rct": message("schools drawn by lot"), "class_rct": message("classes drawn by lot"),
    "pupil_rct": message("pupils drawn by lot"), "wait_list": message("who starts first drawn by lot, the others later"),
    "stepped_wedge": message("order of starting drawn by lot"),
    "staggered": message("staggered roll-out, not by lot as far as is known"),
    "above_cutoff": message("service for everyone beyond a cut-off"),
    "matched": message("comparison of unlike groups made alike by weights"),
    "before_after": message("before and after, without a comparison"),
    "panel": message("units over years, exposed at different times"),
}  # fmt: skip
UNIT_WORDS = {
    "pupil_pid": message("pupils"),
    "class_pid": message("classes"),
    "school_pid": message("schools"),
    "unit": message("units"),
}
STRENGTH = {
    "strong": message("strong: lots decided who was served"),
    "at_cutoff": message("strong, but for pupils near the cut-off only"),
    "moderate": message("moderate: it rests on trends that would have been parallel"),
    "weak": message("weak: everything that decides on service and outcome would have to be measured"),
    "weakened": message("weakened: lots were drawn, but too few units or too many losses stand behind them"),
    "none": message("none: a change without a comparison is no effect"),
}  # fmt: skip
BY_DESIGN = {
    "above_cutoff": "at_cutoff",
    "staggered": "moderate",
    "panel": "moderate",
    "matched": "weak",
    "before_after": "none",
}
# Fewer units an arm than this, and lots do not make the arms alike.
FEWEST_UNITS = 4
NOT_RECORDED = message("not recorded")
TIDIER = {
    "name": message("name"), "why": message("why"), "what": message("what was done"), "who": message("who delivered it"),
    "how": message("how"), "where": message("where"), "when": message("when and how much"), "tailoring": message("tailoring"),
    "changes": message("changes"), "fidelity": message("how well it was kept to"), "level": message("level of care"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DesignSection:
    """What was asked, what was done, and how far the answer can be causal."""

    estimand: Drawn
    programme: Drawn | Refused
    plan: Drawn
    strength: str
    label: Message
    domains: list[Light]


def section(trial: Trial, params: Params) -> DesignSection:
    """Tables of the question, the programme and the plan, and the label of causal strength with its reasons."""
    strength = causal_strength(trial, params)
    return DesignSection(
        estimand=_estimand(trial, params), programme=_programme(params), plan=_plan(params), strength=strength,
        label=message("Causal strength: {strength}.", strength=STRENGTH[strength]), domains=_domains(trial, params),
    )  # fmt: skip


def causal_strength(trial: Trial, params: Params) -> str:
    """Key of STRENGTH, from the declared design and the units behind it; losses lower it in the verdict."""
    if not trial.controlled and params.design != "above_cutoff":
        return "none"
    if params.design in BY_DESIGN:
        return BY_DESIGN[params.design]
    units = trial.compared.groupby("treated")[trial.cluster].nunique()
    return "strong" if len(units) == 2 and units.min() >= FEWEST_UNITS else "weakened"


def _rows(rows: list[tuple[Message, object]]) -> Drawn:
    return Drawn(table=pd.DataFrame([{"property": name, "detail_said": said} for name, said in rows]))


def _estimand(trial: Trial, params: Params) -> Drawn:
    """The five parts of an estimand, and those whom no data describe."""
    average = {"pupil": message("over pupils"), "school": message("over units allocated, whatever their size")}[
        params.estimand
    ]
    rows = [
        (message("outcome"), message("{outcome}, {occasion}", outcome=params.outcome, occasion=params.primary or "–")),
        (message("better when"), {"lower": message("lower"), "higher": message("higher")}[params.better]),
        (message("what was allocated"), UNIT_WORDS[params.allocated]),
        (message("how it was decided"), WORDS[params.design]),
        (message("whose average"), average),
        (message("compared with"), message("the arm as allocated, whether or not the programme was taken up (intention to treat)")),
        (message("pupils who changed class or school"), message("stay in the unit in which they were allocated")),
        (message("pupils not measured at the end"),
         message("left out of the primary result; the section on missing data puts them back in")),
        (message("pupils referred to hospital"), message("counted like all others; the source does not mark them")),
    ]  # fmt: skip
    return _rows(rows)


def _programme(params: Params) -> Drawn | Refused:
    if not params.programme:
        return Refused(
            "no_programme",
            message("The parameter file does not describe the programme, so nobody could repeat it."),
            message("What was done, by whom, where, how often, with what training (TIDieR), as parameter programme."),
        )
    rows = [
        (TIDIER.get(name, message("{other}", other=name)), message("{given}", given=text))
        for name, text in params.programme.items()
    ]
    return _rows(rows)


def frozen(params: Params) -> bool:
    """Whether a plan was frozen on a stated day."""
    return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", params.planned_on))


def _plan(params: Params) -> Drawn:
    day = (
        message("{day}", day=params.planned_on)
        if frozen(params)
        else message("no plan was frozen: every result is exploratory")
    )
    registered = message("{where}", where=params.registered) if params.registered else NOT_RECORDED
    deviations = "; ".join(params.deviations)
    rows = [
        (message("plan frozen on"), day),
        (message("registered"), registered),
        (message("primary result"), message("{outcome}, {occasion}; size of the test {alpha}", outcome=params.outcome,
                                            occasion=params.primary or "–", alpha=f"{params.alpha:g}")),
        (message("deviations from the plan"), message("{given}", given=deviations) if deviations else message("none declared")),
    ]  # fmt: skip
    return _rows(rows)


def _domains(trial: Trial, params: Params) -> list[Light]:
    """Domains of ROBINS-I (Sterne et al. 2016) where no lots were drawn, else of RoB 2 for clusters, by declared facts."""
    found = [_allocation(trial, params), _units(trial), _plan_light(params)]
    if not trial.randomised:
        found.append(_confounding(params))
    return found


def _allocation(trial: Trial, params: Params) -> Light:
    name, rule = message("How it was decided who is served"), message("lots, or a cut-off kept to by everybody")
    state = "good" if trial.randomised else {"above_cutoff": "good", "before_after": "bad"}.get(params.design, "watch")
    return Light(name, state, message("{how}.", how=WORDS[params.design]), rule, True)


def _units(trial: Trial) -> Light:
    name = message("Units behind the comparison")
    rule = message("at least {few} units; with fewer, only methods made for few", few=FEW_CLUSTERS)
    units = int((trial.people[trial.cluster] if len(trial.people) else trial.data.panel["unit"]).nunique())
    state = "good" if units >= FEW_CLUSTERS else "watch" if units >= 2 * FEWEST_UNITS else "bad"
    return Light(name, state, message("{n} units were allocated or compared.", n=units), rule, True)


def _plan_light(params: Params) -> Light:
    name, rule = message("Plan"), message("frozen before the outcome was seen, with the primary result named")
    if not frozen(params):
        return Light(name, "bad", message("No plan was frozen."), rule, False)
    state = "watch" if params.deviations else "good"
    return Light(
        name,
        state,
        message("Frozen on {day}; {n} deviations declared.", day=params.planned_on, n=len(params.deviations)),
        rule,
        True,
    )


def _confounding(params: Params) -> Light:
    name, rule = message("Other causes"), message("none could act on one group only")
    said = {
        "above_cutoff": message("Nothing else may begin at the same cut-off."),
        "before_after": message("Time, repeated testing and regression to the mean act on everybody."),
    }.get(params.design, message("Schools that began early may differ in what else happened to them."))  # fmt: skip
    return Light(name, "bad" if params.design == "before_after" else "watch", said, rule, True)


def measured(trial: Trial) -> Count:
    """Pupils behind the primary result."""
    return (
        Count(len(trial.compared)) if len(trial.people) else Count(int(trial.data.panel.get("n", pd.Series([0])).sum()))
    )
