"""The lights of the outcome report, each by a rule that stands beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts.outcome_design import STRENGTH, frozen
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_flow import SHARED_SCHOOLS
from mhlib.analyses.parts.outcome_power import UNGRADED
from mhlib.analyses.parts.trial import OF_UNITS
from mhlib.findings import Estimate, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import OutcomesResult, Params

SEE_BELOW = message("See the section.")
UNLIKE_LOSSES = message("The losses are within the boundary, but the arms lost pupils of different kinds.")
UNKNOWN_LOSSES = message("The losses are within the boundary, but whether the arms lost pupils of one kind cannot be told: there is "
                         "no first score, or too few units.")  # fmt: skip


def strength_of(result: OutcomesResult) -> str:
    """Key of STRENGTH: lots whose arms lost pupils beyond the optimistic boundary are weakened lots."""
    return "weakened" if result.strength == "strong" and result.flow.level == "high" else result.strength


def lights(result: OutcomesResult, params: Params) -> list[Light]:
    """Effect, size, cause, losses, those not measured, harms, grade."""
    return [
        _effect(result, params),
        _size(result, params),
        _cause(result),
        _losses(result),
        _missing(result),
        _harms(result),
        _grade(result),
    ]


def _planned(params: Params) -> bool:
    return frozen(params)


def _effect(result: OutcomesResult, params: Params) -> Light:
    units = params.design in OF_UNITS
    name = message("The outcome got better because of it") if units else message("Pupils got better because of it")
    rule = message("good: the whole interval on the better side of nought; bad: on the worse side")
    if isinstance(result.effect, Refused):
        return Light(name, "unknown", result.effect.why, rule, _planned(params))
    value, low, high = result.effect.better(params.better)
    if low != low:
        return Light(name, "unknown", message("Too few units for an interval."), rule, _planned(params))
    state = "good" if low > 0 else "bad" if high < 0 else "watch"
    shown = Estimate(value, result.effect.n_used, low, high)
    said = (
        message("{value}; above 0 is better.", value=shown)
        if units
        else message("{value} points; above 0 is better.", value=shown)
    )
    return Light(name, state, said, rule, _planned(params))


def _size(result: OutcomesResult, params: Params) -> Light:
    name = message("The effect is large enough to matter")
    rule = message("interval against the smallest effect that would matter, {margin} SD", margin=f"{params.margin:g}")
    effect = result.effect
    if isinstance(effect, Refused):
        return Light(name, "unknown", effect.why, rule, _planned(params))
    if effect.g != effect.g or effect.conf_low != effect.conf_low:
        return Light(name, "unknown", SEE_BELOW, rule, _planned(params))
    value, low, high = _turned(effect, params)
    state = "good" if low >= params.margin else "bad" if high < params.margin else "watch"
    return Light(name, state, message("{g} standard deviations; above 0 is better.", g=Estimate(value, effect.n_used, low, high)),
                 rule,
                 _planned(params))  # fmt: skip


def _turned(effect: Effect, params: Params) -> tuple[float, float, float]:
    if params.better == "higher":
        return effect.g, effect.g_low, effect.g_high
    return -effect.g, -effect.g_high, -effect.g_low


def _cause(result: OutcomesResult) -> Light:
    state = {
        "strong": "good",
        "at_cutoff": "good",
        "moderate": "watch",
        "weak": "watch",
        "weakened": "watch",
        "departed": "watch",
        "no_jump": "bad",
        "none": "bad",
    }[strength_of(result)]
    rule = message("good: lots, or a cut-off kept to; with care: trends or weights, arms that share schools, few units or many "
                   "losses; bad: no comparison")  # fmt: skip
    shared = state == "good" and result.flow.shared > 0
    return Light(
        message("The design can speak of causes"),
        "watch" if shared else state,
        SHARED_SCHOOLS if shared else message("{strength}.", strength=STRENGTH[strength_of(result)]),
        rule,
        True,
    )


def doubt_of_kind(result: OutcomesResult) -> Message | None:
    """Why losses within the boundary may bend the comparison all the same; None where nothing speaks for it or few were lost."""
    if result.flow.level != "low" or result.missing.few_lost:
        return None
    return {False: UNLIKE_LOSSES, None: UNKNOWN_LOSSES}.get(result.missing.alike)


def _losses(result: OutcomesResult) -> Light:
    name, rule = (
        message("Enough pupils were measured"),
        message("losses within the cautious boundary of the What Works Clearinghouse, and of one kind in both arms"),
    )
    if not result.flow.level:
        said = result.flow.loss.why if isinstance(result.flow.loss, Refused) else SEE_BELOW
        return Light(name, "unknown", said, rule, True)
    state = {"low": "good", "tolerable": "watch", "high": "bad"}[result.flow.level]
    doubt = doubt_of_kind(result)
    return Light(name, "watch" if doubt else state, doubt or result.flow.reading[0], rule, True)


def _missing(result: OutcomesResult) -> Light:
    name = message("It stands with those not measured")
    rule = message(
        "complete and imputed effects within half a standard error, and no shift on the map turns the finding"
    )
    if not result.missing.checks:
        said = result.missing.effects.why if isinstance(result.missing.effects, Refused) else SEE_BELOW
        return Light(name, "unknown", said, rule, True)
    held = result.missing.checks[0].passed and result.missing.stands is not False
    return Light(name, "good" if held else "watch", _said(result), rule, True)


def _said(result: OutcomesResult) -> Message:
    """What the light rests on: the two effects, or the map, where only the map speaks against it."""
    turned = result.missing.checks[0].passed and result.missing.stands is False
    return result.missing.reading[-1 if turned else 0]


def _harms(result: OutcomesResult) -> Light:
    name = message("No recorded harm is commoner with it")
    rule = message("bad: a recorded harm is commoner with the programme, beyond chance; good: none can be commoner")
    found = result.harms.state
    return Light(name, found[0], found[1], rule, True)


def _grade(result: OutcomesResult) -> Light:
    name, rule = (
        message("The finding is secure"),
        message("grade 4 or 5 good, 2 or 3 with care, below bad; its rule stands in the section"),
    )
    grade = result.power.grade
    if grade is None:
        return Light(name, "unknown", UNGRADED, rule, True)
    state = "good" if grade >= 4 else "watch" if grade >= 2 else "bad"
    return Light(name, state, message("Grade {grade} of 5.", grade=grade), rule, True)
