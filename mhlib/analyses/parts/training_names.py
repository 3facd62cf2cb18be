"""Names that a parameter file gives to measures and occasions of a training, in the report's language where known."""

from __future__ import annotations

from mhlib.analyses.parts.outcome_names import occasion_name as trial_occasion
from mhlib.findings import Message, message

MEASURES = {
    "knowledge": message("knowledge"),
    "stigma": message("stigma"),
    "helping": message("readiness to help"),
    "help_seeking": message("own help-seeking"),
    "confidence": message("confidence"),
    "vignettes_right": message("vignettes judged rightly"),
}
OCCASIONS = {"three_months": message("three months later"), "six_months": message("six months later")}


def measure_name(name: str) -> Message:
    """The measure's name, translated where it is known, else as the parameter file has it."""
    return MEASURES.get(name, message("{given}", given=name))


def occasion_name(name: str) -> Message:
    """An occasion's name; a dash for none."""
    return OCCASIONS.get(name) or trial_occasion(name)
