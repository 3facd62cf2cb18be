"""The first paragraph of the outcome report, sentence by sentence, and what it cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts.outcome_design import STRENGTH, frozen, plan_said
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_verdict import SHARED_SCHOOLS, doubt_of_kind, strength_of
from mhlib.analyses.parts.trial import OF_UNITS
from mhlib.findings import Estimate, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import OutcomesResult, Params

SIZES = (
    (0.05, message("hardly anything")),
    (0.15, message("small, as most school programmes for everybody are")),
    (0.35, message("moderate for a school programme")),
)
LARGE = message("large for a school programme, which is a reason to look twice")


def sentences(result: OutcomesResult, params: Params) -> list[Message]:
    """The effect, how sure it is, how far it is causal, harms, and what cannot be said."""
    effect = result.effect
    if isinstance(effect, Refused):
        found = [message("Whether pupils got better because of the programme is not known: {why}", why=effect.why)]
    else:
        found = [_effect(effect, params), _size(effect, params)]
    found.append(message("Causal strength: {strength}.", strength=STRENGTH[strength_of(result)]))
    if not isinstance(effect, Refused):
        found += _cautions(result)
    found += _grade(result)
    if isinstance(effect, Refused):
        found += _to_collect(effect, result, params)
    if not frozen(params):
        found.append(plan_said(params))
    return found


def _effect(effect: Effect, params: Params) -> Message:
    """In points, turned so that more is better, with the p-value only where there is one."""
    value, low, high = effect.better(params.better)
    if low != low:
        return message("The arms differ by {value} points (above 0 is better), but too few units stand behind it for an interval: "
                       "nothing can be concluded.", value=Estimate(value, effect.n_used))  # fmt: skip
    shown = Estimate(abs(value), effect.n_used, *_turned(value, low, high))
    if params.design in OF_UNITS:
        return _of_units(shown, Estimate(value, effect.n_used, low, high), low, high)
    if low > 0:
        return message(
            "Pupils with the programme did better by {value} points than they would have without it.", value=shown
        )
    if high < 0:
        return message(
            "Pupils with the programme did worse by {value} points than they would have without it.", value=shown
        )
    both = Estimate(value, effect.n_used, low, high)
    return message("No effect is shown: the difference is {value} points (above 0 is better), and its interval holds both gain and "
                   "loss.", value=both)  # fmt: skip


def _of_units(shown: Estimate, both: Estimate, low: float, high: float) -> Message:
    """Of schools, districts or states over time."""
    if low > 0:
        return message(
            "Under the programme the outcome was better by {value} than it would have been without it.", value=shown
        )
    if high < 0:
        return message(
            "Under the programme the outcome was worse by {value} than it would have been without it.", value=shown
        )
    return message("No effect is shown: the difference is {value} (above 0 is better), and its interval holds both gain and loss.",
                   value=both)  # fmt: skip


def _turned(value: float, low: float, high: float) -> tuple[float, float]:
    return (low, high) if value >= 0 else (-high, -low)


def _size(effect: Effect, params: Params) -> Message:
    """In standard deviations, with a word for its size by the published spread of school programmes."""
    if effect.g != effect.g or effect.conf_low != effect.conf_low:
        return message("The effect has no standardised size that could be trusted.")
    if effect.g_low * effect.g_high <= 0:
        sign = 1.0 if params.better == "higher" else -1.0
        low, high = sorted((sign * effect.g_low, sign * effect.g_high))
        return message("In standard deviations that is {g}: too uncertain to be called small or large.",
                       g=Estimate(sign * effect.g, effect.n_used, low, high))  # fmt: skip
    low, high = sorted((abs(effect.g_low), abs(effect.g_high)))
    word = next((said for limit, said in SIZES if abs(effect.g) < limit), LARGE)
    shown = Estimate(abs(effect.g), effect.n_used, low, high)
    return message("That is {g} standard deviations: {size}.", g=shown, size=word)


def _to_collect(effect: Refused, result: OutcomesResult, params: Params) -> list[Message]:
    """What is lacking, and a wait-list by lot with numbers, on the likeness of pupils found here."""
    nothing = effect.what_to_collect.template == "Nothing."
    found = [] if nothing else [message("What to collect: {what}", what=effect.what_to_collect)]
    plan = result.power.next_term
    if isinstance(plan, Refused):
        return found
    rows = plan.table.sort_values("n_units")
    here = rows[rows["n_units"] == params.next_schools].iloc[0]
    found.append(message("How next term: measure all pupils of {schools} schools of {pupils} pupils, draw half of the schools by lot "
                         "to start first, and measure all again before the others start. Such a wait-list finds an effect from {mdes} "
                         "standard deviations on with 80% power.", schools=int(here["n_units"]), pupils=f"{params.next_pupils:g}",
                         mdes=f"{here['mdes_wait']:.2f}"))  # fmt: skip
    enough = rows[rows["mdes_wait"] <= params.margin]
    if len(enough) and here["mdes_wait"] > params.margin:
        found.append(message("An effect of {margin} standard deviations needs at most {schools} schools of that size.",
                             margin=f"{params.margin:g}", schools=int(enough["n_units"].iloc[0])))  # fmt: skip
    return found


def _cautions(result: OutcomesResult) -> list[Message]:
    """What speaks against believing the difference: losses, unlike losses, schools that the arms share."""
    losses = {
        "high": message(
            "So many pupils were lost, or so unequally, that the losses alone could make such a difference."
        ),
        "tolerable": message("The losses are within the boundary only if one is optimistic about who was lost."),
    }.get(result.flow.level)
    losses = losses or doubt_of_kind(result)
    found = [losses] if losses else []
    return [*found, SHARED_SCHOOLS] if result.strength == "strong" and result.flow.shared > 0 else found


def _grade(result: OutcomesResult) -> list[Message]:
    grade = getattr(result.power, "grade", None)
    if grade is None or isinstance(grade, Refused):
        return []
    return [message("Security of the finding: {grade} of 5.", grade=int(grade))]
