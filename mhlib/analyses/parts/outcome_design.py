"""The question as an estimand, the programme as it was done, and how strongly the design can speak of causes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts import outcome_estimand
from mhlib.analyses.parts.outcome_estimand import MANY_TIMES, WORDS, of_rows
from mhlib.analyses.parts.outcome_flow import SHARED_SCHOOLS, shared_schools
from mhlib.analyses.parts.outcome_names import occasion_name, outcome_name
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import FEW_CLUSTERS, Trial
from mhlib.findings import Count, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

STRENGTH = {
    "strong": message("strong: lots decided who was served"),
    "at_cutoff": message("strong, but for pupils near the cut-off only"),
    "departed": message("weakened: service did not keep to the cut-off, so the effect is that of having reached it"),
    "no_jump": message("none: what begins at the cut-off cannot be told from these data"),
    "moderate": message("moderate: it rests on trends that would have been parallel"),
    "weak": message("weak: everything else that could have made the difference would have to be known"),
    "weakened": message("weakened: lots were drawn, but too few units or too many losses stand behind them"),
    "none": message("none: a change without a comparison is no effect"),
}  # fmt: skip
BY_DESIGN = {
    "above_cutoff": "at_cutoff",
    "staggered": "moderate",
    "panel": "moderate",
    "matched": "weak",
    "time_series": "weak",
    "before_after": "none",
}
# What a plan must name; its checksum is over these and nothing else.
PLANNED = (
    "design", "allocated", "arms", "occasions", "baseline", "primary", "outcome", "better", "estimand", "alpha", "cluster",
    "levels", "stratum", "covariates", "subgroups", "margin", "planned_on",
)  # fmt: skip
SHOWN_DIGITS = 16
# Weeks on either side: fewer give no effect, and intervals were proved from the second number on.
FEWEST_WEEKS, ENOUGH_WEEKS = 8, 20
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
        estimand=outcome_estimand.table(trial, params), programme=_programme(params), plan=_plan(params), strength=strength,
        label=message("Causal strength: {strength}.", strength=STRENGTH[strength]), domains=_domains(trial, params),
    )  # fmt: skip


def causal_strength(trial: Trial, params: Params) -> str:
    """Key of STRENGTH, from the declared design and the units behind it; losses lower it in the verdict."""
    if params.design == "above_cutoff" and departures(trial):
        return "departed"
    if not _compared(trial) and params.design != "above_cutoff":
        return "none"
    if params.design in BY_DESIGN:
        return BY_DESIGN[params.design]
    if params.design == "stepped_wedge":
        return "strong" if trial.people[trial.cluster].nunique() >= 2 * FEWEST_UNITS else "weakened"
    units = trial.compared.groupby("treated")[trial.cluster].nunique()
    return "strong" if len(units) == 2 and units.min() >= FEWEST_UNITS else "weakened"


def settled(found: DesignSection, trial: Trial, effect: object, *, threatened: bool) -> DesignSection:
    """The section once the effect is known: a risk of bias that shows lowers the strength, and no jump at a cut-off is none."""
    unseen = isinstance(effect, Refused) or math.isnan(effect.conf_low)
    strength = "weak" if threatened and found.strength != "none" else found.strength
    strength = "no_jump" if trial.design == "above_cutoff" and unseen else strength
    return replace(found, strength=strength, label=message("Causal strength: {strength}.", strength=STRENGTH[strength]))


def departures(trial: Trial) -> int | None:
    """Pupils served against their score, or not served in spite of it; None where no score is known."""
    people = trial.people
    if "running" not in people or people["running"].notna().sum() == 0:
        return None
    known = people[people["running"].notna() & people["treated"].notna()]
    return int(((known["running"].astype(float) >= 0) != (known["treated"] == 1)).sum())


def _compared(trial: Trial) -> bool:
    """Whether there is a comparison; in a roll-out units that begin at different times, whatever their arms are called."""
    if trial.design in MANY_TIMES and len(trial.people) and "start_term" in trial.people:
        return trial.people["start_term"].nunique(dropna=False) > 1
    return trial.controlled


def _programme(params: Params) -> Drawn | Refused:
    if not params.programme:
        return Refused(
            "no_programme",
            message("The parameter file does not describe the programme, so nobody could repeat it."),
            message("What was done, by whom, where, how often, with what training (TIDieR), as parameter programme."),
        )
    return tidier_table(params.programme)


def tidier_table(programme: dict[str, str]) -> Drawn:
    """The items of TIDieR (Hoffmann et al. 2014) as the parameter file tells them."""
    rows = [
        (TIDIER.get(name, message("{other}", other=name)), message("{given}", given=text))
        for name, text in programme.items()
    ]
    return of_rows(rows)


def plan_checksum(params: Params) -> str:
    """SHA-256 of the plan's keys (:data:`PLANNED`) as canonical JSON; the order of the occasions counts."""
    given = {name: getattr(params, name) for name in PLANNED}
    plan = given | {"occasions": [list(pair) for pair in params.occasions.items()]}
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def plan_state(params: Params) -> str:
    """`none`, `changed` (another plan than the one registered), `dated` (without a checksum) or `sealed`."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", params.planned_on):
        return "none"
    if not params.plan_sha256:
        return "dated"
    return "sealed" if plan_checksum(params).startswith(params.plan_sha256) else "changed"


def frozen(params: Params) -> bool:
    """Whether a plan was frozen on a stated day, and is still the one that was registered."""
    return plan_state(params) in ("dated", "sealed")


def plan_said(params: Params) -> Message:
    """One sentence on the plan, for whoever reads the result."""
    return {
        "none": message("No plan was frozen before the data were seen: read every figure as exploratory."),
        "changed": message("The plan was changed after it was registered, so its checksum is another one: read every figure as "
                           "exploratory."),
        "dated": message("The plan was frozen on {day}, but no checksum shows that it is still the same.", day=params.planned_on),
        "sealed": message("The plan was frozen on {day}, and its checksum is the one registered.", day=params.planned_on),
    }[plan_state(params)]  # fmt: skip


def _plan(params: Params) -> Drawn:
    state = plan_state(params)
    day = {
        "none": message("no plan was frozen: every result is exploratory"),
        "changed": message("{day}, and changed since: every result is exploratory", day=params.planned_on),
    }.get(state, message("{day}", day=params.planned_on))
    registered = message("{where}", where=params.registered) if params.registered else NOT_RECORDED
    deviations = "; ".join(params.deviations)
    rows = [
        (message("plan frozen on"), day),
        (message("registered"), registered),
        (message("checksum of the plan"), _checksum_said(params, state)),
        (message("primary result"), _primary(params)),
        (message("deviations from the plan"), message("{given}", given=deviations) if deviations else message("none declared")),
    ]  # fmt: skip
    return of_rows(rows)


def _primary(params: Params) -> Message:
    values = {"outcome": outcome_name(params), "alpha": f"{params.alpha:g}"}
    if not params.primary:
        return message("{outcome}; size of the test {alpha}", **values)
    return message("{outcome}, {occasion}; size of the test {alpha}", occasion=occasion_name(params.primary), **values)


def _checksum_said(params: Params, state: str) -> Message:
    """First digits of the plan as it stands, beside those registered."""
    now = plan_checksum(params)[:SHOWN_DIGITS]
    if state == "changed":
        return message("{now}; registered was {stated}", now=now, stated=params.plan_sha256[:SHOWN_DIGITS])
    if state == "sealed":
        return message("{now}, as registered", now=now)
    return message("{now}; none was registered", now=now)


def _domains(trial: Trial, params: Params) -> list[Light]:
    """Domains of ROBINS-I (Sterne et al. 2016) where no lots were drawn, else of RoB 2 for clusters, by declared facts."""
    found = [
        _allocation(trial, params),
        _weeks(trial) if trial.design == "time_series" else _units(trial),
        _plan_light(params),
    ]
    if not trial.randomised:
        found.append(_confounding(params))
    shared = shared_schools(trial)
    return found if math.isnan(shared) else [*found, _spill_over(shared)]


def _spill_over(shared: float) -> Light:
    """Pupils of both arms in one school talk to each other, which no outcome shows."""
    name, rule = message("Spill-over between the arms"), message("no school has pupils of both arms")
    said = SHARED_SCHOOLS if shared > 0 else message("No school has pupils of both arms.")
    return Light(name, "watch" if shared > 0 else "good", said, rule, True)


def _allocation(trial: Trial, params: Params) -> Light:
    name, rule = message("How it was decided who is served"), message("lots, or a cut-off kept to by everybody")
    said = message("{how}.", how=WORDS[params.design])
    if params.design == "above_cutoff":
        state, said = _by_score(trial, said)
    else:
        state = "good" if trial.randomised else "bad" if params.design == "before_after" else "watch"
    return Light(name, state, said, rule, True)


def _by_score(trial: Trial, kept: Message) -> tuple[str, Message]:
    """Good only where everybody was served by the score."""
    departed = departures(trial)
    if departed is None:
        return "unknown", message("The score that decided on service is not in the source.")
    if departed == 0:
        return "good", kept
    total = Count(int((trial.people["running"].notna() & trial.people["treated"].notna()).sum()))
    return "watch", message(
        "{n} of {total} pupils screened were served against their score.", n=Count(departed), total=total
    )


def _units(trial: Trial) -> Light:
    name = message("Units behind the comparison")
    rule = message("at least {few} units; with fewer, only methods made for few", few=FEW_CLUSTERS)
    units = int((trial.people[trial.cluster] if len(trial.people) else trial.data.panel["unit"]).nunique())
    state = "good" if units >= FEW_CLUSTERS else "watch" if units >= 2 * FEWEST_UNITS else "bad"
    return Light(name, state, message("{n} units were allocated or compared.", n=units), rule, True)


def _weeks(trial: Trial) -> Light:
    """A series is compared with itself: its weeks count, and not its units."""
    name = message("Weeks before and after the start")
    rule = message(
        "at least {enough} on either side; with fewer than {least}, no effect", enough=ENOUGH_WEEKS, least=FEWEST_WEEKS
    )
    panel = trial.data.panel
    if not len(panel):
        return Light(name, "bad", message("The source holds no weeks."), rule, True)
    exposed = panel[panel["outcome"].notna()].groupby("time")["exposure"].max() > 0
    before, after = int((~exposed).sum()), int(exposed.sum())
    least = min(before, after)
    state = "good" if least >= ENOUGH_WEEKS else "watch" if least >= FEWEST_WEEKS else "bad"
    said = message("{before} weeks were measured before the start, {after} since.", before=before, after=after)
    return Light(name, state, said, rule, True)


def _plan_light(params: Params) -> Light:
    """Sealed is good; dated without a checksum is read with care; changed or none makes everything exploratory."""
    name, rule = (
        message("Plan"),
        message("frozen before the outcome was seen, with the primary result named and a checksum"),
    )
    state = plan_state(params)
    if state in ("none", "changed"):
        said = message("No plan was frozen.") if state == "none" else plan_said(params)
        return Light(name, "bad", said, rule, False)
    held = "good" if state == "sealed" and not params.deviations else "watch"
    values = {"day": params.planned_on, "n": len(params.deviations)}
    said = (
        message("Frozen on {day}; {n} deviations declared.", **values)
        if state == "sealed"
        else message("Dated {day}, but without a checksum; {n} deviations declared.", **values)
    )
    return Light(name, held, said, rule, True)


def _confounding(params: Params) -> Light:
    name, rule = message("Other causes"), message("none could act on one group only")
    said = {
        "above_cutoff": message("Nothing else may begin at the same cut-off."),
        "before_after": message("Time, repeated testing and regression to the mean act on everybody."),
        "matched": message("Whatever was not measured may have decided both on the service and on the outcome."),
        "panel": message("Units that began early may differ in what else happened to them."),
        "time_series": message("Anything else that began in the same week would look the same."),
    }.get(params.design, message("Schools that began early may differ in what else happened to them."))  # fmt: skip
    if params.design == "time_series":
        rule = message("nothing else began in the same week")
    return Light(name, "bad" if params.design == "before_after" else "watch", said, rule, True)


def measured(trial: Trial) -> Count:
    """Pupils behind the primary result."""
    return (
        Count(len(trial.compared)) if len(trial.people) else Count(int(trial.data.panel.get("n", pd.Series([0])).sum()))
    )
