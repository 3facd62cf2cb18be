"""The names that may appear in a report: machine name to header, kind and digits. What is not here is not shown."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary import (
    outcome_arms,
    outcome_change,
    outcome_core,
    outcome_cutoff,
    outcome_dose,
    outcome_matched,
    outcome_rollout,
    outcome_series,
    outcome_trust,
    outcome_wedge,
    screening,
    training_burden,
    training_cascade,
    training_core,
    training_reach,
    training_skill,
    training_use,
)
from mhlib.report.vocabulary.nested import KNOWN_OF_ALL, NESTED, OVERLAPPING, TOTALS
from mhlib.report.vocabulary.word import Nested, Word

__all__ = [
    "AUDIENCES",
    "COLUMNS",
    "KINDS_OF_COLUMN",
    "KNOWN_OF_ALL",
    "NESTED",
    "OVERLAPPING",
    "TERMS",
    "TOTALS",
    "Nested",
    "Word",
]

PARTS = (
    outcome_arms,
    outcome_change,
    outcome_core,
    outcome_cutoff,
    outcome_dose,
    outcome_matched,
    outcome_rollout,
    outcome_series,
    outcome_trust,
    outcome_wedge,
    screening,
    training_burden,
    training_cascade,
    training_core,
    training_reach,
    training_skill,
    training_use,
)


def _merged(parts: list[dict[str, Word]]) -> dict[str, Word]:
    """All names of the parts; one name has one meaning."""
    merged: dict[str, Word] = {}
    for part in parts:
        for name, word in part.items():
            if merged.get(name, word) != word:
                raise ValueError(f"vocabulary: {name} has two meanings")
            merged[name] = word
    return merged


COLUMNS = _merged([part.COLUMNS for part in PARTS])
TERMS = _merged([part.TERMS for part in PARTS])

KINDS_OF_COLUMN = (message("text"), message("integer"), message("number"), message("flag"), message("date"))

AUDIENCES = {
    "public": message("for the public"),
    "closed": message("for the bureau only"),
    "open_data": message("published data, exact counts"),
}
