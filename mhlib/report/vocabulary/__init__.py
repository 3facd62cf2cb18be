"""The names that may appear in a report: machine name to header, kind and digits. What is not here is not shown."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary import (
    outcome_change,
    outcome_core,
    outcome_cutoff,
    outcome_matched,
    outcome_rollout,
    outcome_trust,
    screening,
)
from mhlib.report.vocabulary.word import Word

__all__ = ["AUDIENCES", "COLUMNS", "KINDS_OF_COLUMN", "TERMS", "Word"]

PARTS = (screening, outcome_core, outcome_change, outcome_trust, outcome_rollout, outcome_cutoff, outcome_matched)


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
