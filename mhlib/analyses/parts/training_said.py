"""What the report says of learning (Kirkpatrick's second level): sentences for the answer, lights for the verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.training_design import STRENGTH, frozen
from mhlib.analyses.parts.training_flow import LEVELS
from mhlib.analyses.parts.training_names import measure_name, occasion_name
from mhlib.findings import Estimate, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params, TrainingResult

# Beyond this a difference speaks of the test as much as of the training.
IMPLAUSIBLE = 1.5
BEYOND_SITES = message("Enough sites to speak beyond them")
ROOM = message("The test leaves room to rise")


def strength_of(result: TrainingResult) -> str:
    """Key of STRENGTH: lots whose arms lost teachers beyond the optimistic boundary are weakened lots."""
    return "weakened" if result.design.strength == "strong" and result.flow.level == "high" else result.design.strength


def direction_of(params: Params, measure: str | None = None) -> str:
    """Which direction of a measure (the primary one) is better, as :meth:`Effect.better` asks."""
    return "lower" if (measure or params.primary_measure) in params.lower_is_better else "higher"


def sentences(result: TrainingResult, params: Params) -> list[Message]:
    """Learning, its size, what is kept, how far it is causal, and what speaks against believing it."""
    effect = result.learning.effect
    if isinstance(effect, Refused):
        first = [message("Whether teachers learned because of the training is not known: {why}", why=effect.why)]
    else:
        first = [_learned(effect, params), *_size(effect, params), *_kept(result, params)]
    found = [*first, message("Causal strength: {strength}.", strength=STRENGTH[strength_of(result)])]
    if not isinstance(effect, Refused):
        found += _cautions(result, effect)
    found += result.design.reach
    if not frozen(params):
        found.append(message("No plan was frozen before the data were seen: read every figure as exploratory."))
    return found


def _learned(effect: Effect, params: Params) -> Message:
    value, low, high = effect.better(direction_of(params))
    names = {"measure": measure_name(params.primary_measure), "occasion": occasion_name(params.primary)}
    if math.isnan(low):
        shown = Estimate(value, effect.n_used)
        return message("In {measure} the arms differ by {value} points ({occasion}; above 0 is better), but too few units stand "
                       "behind it for an interval: nothing can be concluded.", value=shown, **names)  # fmt: skip
    if low > 0:
        return message("In {measure} the trained did better by {value} points ({occasion}) than they would have untrained.",
                       value=Estimate(value, effect.n_used, low, high), **names)  # fmt: skip
    if high < 0:
        return message("In {measure} the trained did worse by {value} points ({occasion}) than they would have untrained.",
                       value=Estimate(-value, effect.n_used, -high, -low), **names)  # fmt: skip
    return message("No learning is shown: in {measure} the difference is {value} points ({occasion}; above 0 is better), and its "
                   "interval holds both gain and loss.", value=Estimate(value, effect.n_used, low, high), **names)  # fmt: skip


def turned(effect: Effect, params: Params) -> tuple[float, float, float]:
    """Standardised difference and interval, turned so that more is better."""
    if direction_of(params) == "higher":
        return effect.g, effect.g_low, effect.g_high
    return -effect.g, -effect.g_high, -effect.g_low


def _size(effect: Effect, params: Params) -> list[Message]:
    value, low, high = turned(effect, params)
    if math.isnan(value) or math.isnan(effect.conf_low):
        return []
    return [
        message(
            "In units of the standard deviation before the training that is {g}.",
            g=Estimate(value, effect.n_used, low, high),
        )
    ]


def _kept(result: TrainingResult, params: Params) -> list[Message]:
    kept = result.learning.kept
    if isinstance(kept, Refused):
        return [message("What is kept of it is not known: {why}", why=kept.why)]
    share = Estimate(kept.retention, kept.n_used, kept.conf_low, kept.conf_high)
    when = occasion_name(params.follow_up)
    if kept.conf_low > 1:
        return [
            message("It grew afterwards: {share} times the first difference ({occasion}).", share=share, occasion=when)
        ]
    if kept.conf_high < 1:
        return [message("A part of it is lost again: {share} of it is still there ({occasion}; 1 would be all).",
                        share=share, occasion=when)]  # fmt: skip
    return [
        message(
            "No loss is shown: {share} of it is still there ({occasion}; 1 would be all).", share=share, occasion=when
        )
    ]


def _cautions(result: TrainingResult, effect: Effect) -> list[Message]:
    said = []
    if result.flow.level == "high":
        said.append(message("So many teachers were not tested that the difference may come from who stayed away."))
    if abs(effect.g) > IMPLAUSIBLE:
        said.append(message("A difference of this size tells of a test close to what was taught; it says nothing of other "
                            "tests, nor of work with pupils."))  # fmt: skip
    if _held(result, ROOM) is False:
        said.append(message("Many teachers stand at the best score: what was learned beyond it, or lost, is not seen."))
    return said


def _held(result: TrainingResult, name: Message) -> bool | None:
    checks = [*result.design.checks, *result.learning.checks]
    return next((check.passed for check in checks if check.name.template == name.template), None)


def lights(result: TrainingResult, params: Params) -> list[Light]:
    """Learned, enough, kept, by cause, with whom lost, by what test, and for whom."""
    return [
        _light_learned(result, params),
        _light_size(result, params),
        _light_kept(result, params),
        _light_cause(result),
        _light_losses(result),
        _light_tests(result),
        _light_sites(result),
    ]


def _light_learned(result: TrainingResult, params: Params) -> Light:
    name, effect = message("Teachers learned because of it"), result.learning.effect
    rule = message("good: the whole interval on the better side of nought; bad: on the worse side")
    if isinstance(effect, Refused):
        return Light(name, "unknown", effect.why, rule, frozen(params))
    value, low, high = effect.better(direction_of(params))
    if math.isnan(low):
        return Light(name, "unknown", message("Too few units for an interval."), rule, frozen(params))
    state = "good" if low > 0 else "bad" if high < 0 else "watch"
    shown = Estimate(value, effect.n_used, low, high)
    return Light(name, state, message("{value} points; above 0 is better.", value=shown), rule, frozen(params))


def _light_size(result: TrainingResult, params: Params) -> Light:
    name, effect = message("They learned enough to matter"), result.learning.effect
    rule = message("interval against the smallest gain that would matter, {margin} SD", margin=f"{params.margin:g}")
    if isinstance(effect, Refused) or math.isnan(effect.conf_low) or math.isnan(effect.g):
        return Light(name, "unknown", message("See the section."), rule, frozen(params))
    value, low, high = turned(effect, params)
    state = "good" if low >= params.margin else "bad" if high < params.margin else "watch"
    shown = Estimate(value, effect.n_used, low, high)
    return Light(name, state, message("{g} standard deviations; above 0 is better.", g=shown), rule, frozen(params))


def _light_kept(result: TrainingResult, params: Params) -> Light:
    name, kept = message("They kept it"), result.learning.kept
    rule = message("interval of the share kept against {share}%", share=f"{100 * params.kept_from:g}")
    if isinstance(kept, Refused):
        return Light(name, "unknown", kept.why, rule, frozen(params))
    state = "good" if kept.conf_low >= params.kept_from else "bad" if kept.conf_high < params.kept_from else "watch"
    shown = Estimate(kept.retention, kept.n_used, kept.conf_low, kept.conf_high)
    said = message(
        "{share} of the first difference ({occasion}).", share=shown, occasion=occasion_name(params.follow_up)
    )
    return Light(name, state, said, rule, frozen(params))


def _light_cause(result: TrainingResult) -> Light:
    strength = strength_of(result)
    state = {"strong": "good", "weakened": "watch", "weak": "watch", "none": "bad"}[strength]
    rule = message("good: lots; with care: comparison without lots, few units or many losses; bad: no comparison")
    said = message("{strength}.", strength=STRENGTH[strength])
    return Light(message("The design can speak of causes"), state, said, rule, True)


def _light_losses(result: TrainingResult) -> Light:
    name = message("Enough teachers were tested")
    rule = message("losses within the cautious boundary of the What Works Clearinghouse")
    if not result.flow.level:
        return Light(name, "unknown", message("See the section."), rule, True)
    state = {"low": "good", "tolerable": "watch", "high": "bad"}[result.flow.level]
    said = message("The danger of bias from losses is {level}.", level=LEVELS[result.flow.level])
    return Light(name, state, said, rule, True)


def _light_tests(result: TrainingResult) -> Light:
    name, room = message("The tests can tell"), _held(result, ROOM)
    rule = message("good: room to rise, and answers to single questions that show no drift; bad: too easy")
    if room is False:
        return Light(name, "bad", message("Many teachers stand at the best score."), rule, True)
    if room is None:
        return Light(name, "unknown", message("The range of the primary measure is not stated."), rule, True)
    drift = result.learning.drift
    if isinstance(drift, Refused):
        return Light(name, "watch", message("There is room to rise; nothing is known of single questions."), rule, True)
    n = int((drift.table["p_holm"] < 0.05).sum())
    said = message("There is room to rise; {n} questions changed by themselves.", n=n)
    return Light(name, "watch" if n else "good", said, rule, True)


def _light_sites(result: TrainingResult) -> Light:
    held = _held(result, BEYOND_SITES)
    check = next(one for one in result.design.checks if one.name.template == BEYOND_SITES.template)
    state = "unknown" if held is None else "good" if held else "bad"
    return Light(
        message("It holds beyond the sites"), state, check.detail, message("enough sites, named in the checks"), True
    )
