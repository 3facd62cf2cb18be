"""Names that a parameter file gives to outcomes and occasions, in the report's language where the catalogue knows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mhlib.findings import Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Outcomes of the demo and of the published trials: the name in the parameter file is the key of the catalogue.
OUTCOMES = {said.template: said for said in (
    message("distress score"),
    message("depression (BDI)"),
    message("mean of 20 items on depression"),
    message("mathematics"),
    message("knowledge of tobacco and health"),
    message("PHQ-9 total"),
)}  # fmt: skip
OCCASIONS = {
    "pre": message("before"),
    "post": message("after"),
    "follow_up": message("follow-up"),
    "spring": message("spring"),
    "now": message("now"),
}
# Columns of a model that a refusal of the library may name.
MODEL_TERMS = {"treated": message("the difference between the arms")}
NUMBERED = {"term": message("term {n}"), "m": message("month {n}")}


def outcome_name(params: Params) -> Message:
    """The outcome's name, translated where it is known, else as the parameter file has it."""
    return OUTCOMES.get(params.outcome, message("{given}", given=params.outcome))


def occasion_name(name: str) -> Message:
    """An occasion's name: before, after, term 3, month 8; any other as it stands, and a dash for none."""
    if name in OCCASIONS:
        return OCCASIONS[name]
    if found := re.fullmatch(r"(term)_(\d+)|(m)(\d+)", name):
        kind, n = (part for part in found.groups() if part is not None)
        return Message(NUMBERED[kind].template, {"n": n})
    return message("{given}", given=name or "–")


def in_words(refused: Refused) -> Refused:
    """The refusal with the difference between the arms by that name and not by its column in the model."""
    values = {
        name: MODEL_TERMS.get(value, value) if isinstance(value, str) else value
        for name, value in refused.why.values.items()
    }
    return Refused(refused.code, Message(refused.why.template, values), refused.what_to_collect)
