"""The first paragraph of the training report: learning, skill, behaviour, pupils, harms, cost, and what cannot be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts import training_said
from mhlib.analyses.parts.training_verdict import (
    LEVELS,
    PUPILS_FROM,
    covered,
    known,
    listed,
    rounded,
    ruled_out,
    slot,
    states,
)
from mhlib.findings import Estimate, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params, TrainingResult

CAUSE = message("Causal strength: {strength}.").template


def sentences(result: TrainingResult, params: Params) -> list[Message]:
    """What is known of each level with its numbers, how far it is causal, and last what cannot be said."""
    said = training_said.sentences(result, params)
    at = next((place for place, one in enumerate(said) if one.template == CAUSE), len(said))
    return [*said[:at], *_skill(result), *_behaviour(result), *_pupils(result), *_cascade(result), *_harms(result), *_cost(result),
            *_reach(result), *said[at:], *_unsaid(result, params)]  # fmt: skip


def next_actions(result: TrainingResult) -> list[Message]:
    """Next steps over all schools; by school level and district they stand in a table, in the order of names."""
    return list(slot(result, "burden", "actions") or [])


def _skill(result: TrainingResult) -> list[Message]:
    one = known(slot(result, "skill", "gained"))
    if one is None:
        return []
    if one.low > 0:
        return [message("The trained tell written cases from others better: d' rose by {value} more than among the untrained.",
                        value=one.shown)]  # fmt: skip
    if one.high < 0:
        return [message("The trained tell written cases from others worse: d' changed by {value} against the untrained.",
                        value=one.shown)]  # fmt: skip
    return [
        message(
            "No gain in judging written cases is shown: d' changed by {value} against the untrained.", value=one.shown
        )
    ]


def _behaviour(result: TrainingResult) -> list[Message]:
    one = known(slot(result, "behaviour", "gained"))
    if one is None:
        return []
    if one.low > 0:
        return [message("In trained schools teachers name more of the pupils in need: of 100 cases, {value} more than in schools that "
                        "wait.", value=one.of_hundred)]  # fmt: skip
    if one.high < 0:
        return [message("In trained schools teachers name fewer of the pupils in need: of 100 cases, {value} against schools that "
                        "wait.", value=one.of_hundred)]  # fmt: skip
    return [message("It is not shown that teachers name more of the pupils in need: of 100 cases, {value} more are named in trained "
                    "schools than in schools that wait.", value=one.of_hundred)]  # fmt: skip


def _pupils(result: TrainingResult) -> list[Message]:
    found = slot(result, "pupils", "effect")
    one = known(found)
    if one is None:
        return []
    if one.high < 0:
        return [message("Pupils have less distress where teachers were trained: by {value} points.",
                        value=Estimate(-one.value, one.n, -one.high, -one.low))]  # fmt: skip
    if one.low > 0:
        return [message("Pupils have more distress where teachers were trained: by {value} points.", value=one.shown)]
    said = [
        message(
            "No effect on pupils is shown: their distress differs by {value} points, where below 0 is better.",
            value=one.shown,
        )
    ]
    if ruled_out(found):
        said.append(message("A gain of {least} standard deviations or more is ruled out.", least=f"{PUPILS_FROM:g}"))
    return said


def _cascade(result: TrainingResult) -> list[Message]:
    one = known(slot(result, "cascade", "share"))
    if one is None:
        return []
    return [
        message(
            "Of the gain of the first tier of the cascade {value} arrives in the last (1 would be all).",
            value=one.shown,
        )
    ]


def _harms(result: TrainingResult) -> list[Message]:
    found = slot(result, "burden", "state")
    if not found or found[0] == "unknown":
        return []
    if found[0] == "bad":
        return [message("Teachers bear more with the training. {finding}", finding=found[1])]
    return [message("No more burden on teachers is shown, among what is recorded. {finding}", finding=found[1])]


def _cost(result: TrainingResult) -> list[Message]:
    costs, found = slot(result, "cost", "costs"), slot(result, "cost", "gained")
    said = []
    if costs is not None and not isinstance(costs, Refused):
        row = costs.table.set_index("term").loc["cost_teacher"]
        value = Estimate(
            rounded(row["estimate"]), int(row["n_used"]), rounded(row["conf_low"]), rounded(row["conf_high"]), digits=0
        )
        said.append(
            message(
                "It cost {value} yuan a teacher, the teachers' own hours with it where a wage is stated.", value=value
            )
        )
    if found is not None and not isinstance(getattr(found, "refused", found), Refused):
        value = Estimate(rounded(found.cost), found.n_used, rounded(found.cost_low), rounded(found.cost_high), digits=0)
        said.append(message("One more case rightly named has cost {value} yuan so far.", value=value))
    return said


def _reach(result: TrainingResult) -> list[Message]:
    one = covered(slot(result, "reach", "coverage"))
    return (
        []
        if one is None
        else [message("Of those in post {value} hold the commonest certificate, still valid.", value=one.share)]
    )


def _unsaid(result: TrainingResult, params: Params) -> list[Message]:
    """Levels of which nothing is known, and what no level says."""
    lacking = [LEVELS[name] for name, state in states(result, params).items() if state == "unknown"]
    said = [message("Nothing can be said of: {levels}.", levels=listed(lacking))] if lacking else []
    if known(slot(result, "behaviour", "gained")) is None:
        said.append(message("Knowing is not doing: what teachers do in school cannot be read from their tests."))
    said.append(message("Nothing here says how good a single teacher, trainer or school is."))
    return said
