"""Which groups are too little known to be given an accuracy."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import Count, Refused, message
from mhlib.stats.accuracy.refusals import corrected_refusal
from mhlib.stats.accuracy.verification_counts import VerificationCounts

FEWEST_CASES, FEWEST_VERIFIED = 10, 30


def group_refusals(table: pd.DataFrame, *, corrected: bool, least: tuple[int, int]) -> dict[int, Refused]:
    """Refusals by place of the group.

    Codes: `small_group` (fewer verified cases, non-cases or people than `least`); with a correction also those of
    :func:`corrected_refusal` within the group.
    """
    refused = {}
    for j, row in enumerate(table.to_dict("records")):
        case, noncase = int(row["tp"] + row["fn"]), int(row["fp"] + row["tn"])
        if corrected:
            cells = ("tp", "fp", "fn", "tn", "positive_unverified", "negative_unverified")
            counts = VerificationCounts(**{name: int(row[name]) for name in cells})
            # A group without anyone on one side lacks nothing there, so only sides with people are looked at.
            sides = counts.n_positive > 0 and counts.n_negative > 0
            why = corrected_refusal(counts) if sides else None
            if why is not None:
                refused[j] = why
                continue
        if min(case, noncase) < least[0] or case + noncase < least[1]:
            refused[j] = small_group(case, noncase, *least)
    return refused


def small_group(case: int, noncase: int, fewest_cases: int, fewest_verified: int) -> Refused:
    """Refusal of one group, with what it holds and what it would need."""
    return Refused(
        "small_group",
        message(
            "This group holds {cases} verified cases and {others} verified non-cases: fewer than {least} of one kind, or "
            "fewer than {people} in all, say nothing about the screen.",
            cases=Count(case),
            others=Count(noncase),
            least=fewest_cases,
            people=fewest_verified,
        ),
        message("Interview more pupils of this group, screened positive and negative, drawn by chance."),
    )
