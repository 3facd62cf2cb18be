"""The question of a training's evaluation as an estimand, the training as it was given, and how far the answer is causal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhlib.analyses.parts.outcome_design import NOT_RECORDED, tidier_table
from mhlib.analyses.parts.outcome_estimand import of_rows
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import FEW_CLUSTERS, FEW_SITES, Training
from mhlib.analyses.parts.training_names import measure_name, occasion_name
from mhlib.findings import Check, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

WORDS = {
    "wait_list": message("who is trained first drawn by lot, the others later"),
    "school_rct": message("schools drawn by lot"),
    "teacher_rct": message("teachers drawn by lot"),
    "matched": message("comparison with teachers of other schools, not drawn by lot"),
    "before_after": message("before and after, without a comparison"),
}
UNIT_WORDS = {"school_pid": message("schools"), "teacher_pid": message("teachers")}
STRENGTH = {
    "strong": message("strong: lots decided who was trained"),
    "weakened": message("weakened: lots were drawn, but too few units or too many losses stand behind them"),
    "weak": message("weak: everything that decides on training and score would have to be measured"),
    "none": message("none: a change without a comparison is no effect"),
}
AVERAGE = {
    "teacher": message("over teachers"),
    "school": message("over units allocated, whatever their size"),
}
# Fewer units an arm than this, and lots do not make the arms alike.
FEWEST_UNITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DesignSection:
    """What was asked, what was done, how far the answer can be causal, and for whom it holds."""

    estimand: Drawn
    programme: Drawn | Refused
    plan: Drawn
    strength: str
    label: Message
    domains: list[Light]
    reach: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> DesignSection:
    """Tables of the question, the training and the plan, the label of causal strength, and how far the result carries."""
    strength = causal_strength(training)
    return DesignSection(
        estimand=_estimand(params), programme=_programme(params), plan=_plan(params), strength=strength,
        label=message("Causal strength: {strength}.", strength=STRENGTH[strength]),
        domains=_domains(training, params), reach=_reach(training), checks=[_sites_check(training), *_units_checks(training)],
    )  # fmt: skip


def causal_strength(training: Training) -> str:
    """Key of STRENGTH, from the declared design and the units behind it; losses lower it in the verdict."""
    if not training.controlled or training.design == "before_after":
        return "none"
    if training.design == "matched":
        return "weak"
    units = training.compared.groupby("treated")[training.cluster].nunique()
    return "strong" if len(units) == 2 and units.min() >= FEWEST_UNITS else "weakened"


def frozen(params: Params) -> bool:
    """Whether a plan was frozen on a stated day."""
    return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", params.planned_on))


def sites(training: Training) -> int | None:
    """Schools behind the comparison, or blocks where teachers were drawn within them; None where neither is known."""
    people = training.teachers[training.teachers["treated"].notna()]
    known = ("block", "school_pid") if training.cluster == "teacher_pid" else ("school_pid",)
    name = next((one for one in known if one in people and people[one].notna().any()), None)
    return None if name is None else int(people[name].nunique())


def _estimand(params: Params) -> Drawn:
    """The parts of an estimand, and those whom no data describe."""
    rows = [
        (message("outcome"), message("{outcome}, {occasion}", outcome=measure_name(params.primary_measure),
                                     occasion=occasion_name(params.primary))),
        (message("what is kept"), message("the same difference at: {occasion}", occasion=occasion_name(params.follow_up))),
        (message("better when"), message("lower") if params.primary_measure in params.lower_is_better else message("higher")),
        (message("what was allocated"), UNIT_WORDS[params.assignment_unit]),
        (message("how it was decided"), WORDS[params.design]),
        (message("whose average"), AVERAGE[params.estimand]),
        (message("compared with"), _compared_with(params)),
        (message("teachers who changed school"), message("stay in the school in which they were first tested")),
        (message("teachers not tested at an occasion"),
         message("left out of the primary result; the mixed model uses the tests that they took")),
    ]  # fmt: skip
    return of_rows(rows)


def _compared_with(params: Params) -> Message:
    if params.design == "before_after" or len(params.arms) < 2:
        return message("nobody: the same teachers before the training")
    return message("the arm as allocated, whether or not a teacher came to the training (intention to treat)")


def _programme(params: Params) -> Drawn | Refused:
    if not params.programme:
        return Refused(
            "no_programme",
            message("The parameter file does not describe the training, so nobody could repeat it."),
            message("What was taught, by whom, how long, with what material (TIDieR), as parameter programme."),
        )
    return tidier_table(params.programme)


def _plan(params: Params) -> Drawn:
    unplanned = message("no plan was frozen: every result is exploratory")
    day = message("{day}", day=params.planned_on) if frozen(params) else unplanned
    registered = message("{where}", where=params.registered) if params.registered else NOT_RECORDED
    deviations = "; ".join(params.deviations)
    rows = [
        (message("plan frozen on"), day),
        (message("registered"), registered),
        (message("primary result"), message("{outcome}, {occasion}; size of the test {alpha}",
                                            outcome=measure_name(params.primary_measure),
                                            occasion=occasion_name(params.primary), alpha=f"{params.alpha:g}")),
        (message("deviations from the plan"), message("{given}", given=deviations) if deviations else message("none declared")),
    ]  # fmt: skip
    return of_rows(rows)


def _domains(training: Training, params: Params) -> list[Light]:
    """Risk of bias by declared facts: allocation, units, plan, teachers who talk to each other, other causes."""
    found = [_allocation(training, params), _units(training), _plan_light(params)]
    if params.assignment_unit == "teacher_pid" and training.controlled:
        found.append(
            Light(
                message("What the trained tell the others"),
                "watch",
                message("Teachers of one staff room are in both arms: what one learns may reach the other."),
                message("good: whole schools allocated"),
                True,
            )
        )
    if not training.randomised:
        found.append(_confounding(params))
    return found


def _allocation(training: Training, params: Params) -> Light:
    state = "good" if training.randomised else "bad" if params.design == "before_after" else "watch"
    return Light(
        message("How it was decided who is trained"),
        state,
        message("{how}.", how=WORDS[params.design]),
        message("good: lots"),
        True,
    )


def _units(training: Training) -> Light:
    rule = message("at least {few} units; with fewer, only methods made for few", few=FEW_CLUSTERS)
    units = int(training.teachers.loc[training.teachers["treated"].notna(), training.cluster].nunique())
    state = "good" if units >= FEW_CLUSTERS else "watch" if units >= 2 * FEWEST_UNITS else "bad"
    said = message("{n} units were allocated or compared.", n=units)
    return Light(message("Units behind the comparison"), state, said, rule, True)


def _plan_light(params: Params) -> Light:
    name, rule = message("Plan"), message("frozen before the outcome was seen, with the primary result named")
    if not frozen(params):
        return Light(name, "bad", message("No plan was frozen."), rule, False)
    said = message("Frozen on {day}; {n} deviations declared.", day=params.planned_on, n=len(params.deviations))
    return Light(name, "watch" if params.deviations else "good", said, rule, True)


def _confounding(params: Params) -> Light:
    if params.design == "before_after":
        said = message("Time and taking the same test twice act on everybody.")
    else:
        said = message("Schools that were trained first may differ in what else they did.")
    state = "bad" if params.design == "before_after" else "watch"
    return Light(message("Other causes"), state, said, message("none could act on one group only"), True)


def _reach(training: Training) -> list[Message]:
    """For whom the result holds: with few sites for these alone."""
    n = sites(training)
    if n is None or n >= FEW_SITES:
        return []
    return [
        message(
            "All teachers come from {n} sites: the result holds for teachers of these sites, and is not to be carried to "
            "other sites or to a whole city.",
            n=n,
        )
    ]


def _sites_check(training: Training) -> Check:
    name, n = message("Enough sites to speak beyond them"), sites(training)
    if n is None:
        return Check(name, None, message("The source names neither sites nor schools."))
    return Check(
        name, n >= FEW_SITES, message("{n} sites; beyond them a result carries from {few} on.", n=n, few=FEW_SITES)
    )


def _units_checks(training: Training) -> list[Check]:
    """Units an arm, and one arm a unit."""
    people = training.teachers[training.teachers["treated"].notna()]
    name = message("Enough units an arm to tell the training from the units")
    units = people.groupby("treated")[training.cluster].nunique()
    if len(units) < 2:
        return [Check(name, False, message("Only one arm was measured."))]
    least = int(units.min())
    said = message("The smaller arm has {n} units; with fewer than {few}, units and training cannot be told apart.",
                   n=least, few=FEWEST_UNITS)  # fmt: skip
    mixed = int((people.groupby(training.cluster)["arm"].nunique() > 1).sum())
    one_arm = Check(
        message("Every unit has one arm"), mixed == 0, message("{n} units have teachers of more than one arm.", n=mixed)
    )
    return [Check(name, least >= FEWEST_UNITS, said), one_arm]
