"""The first paragraph of the screening-validity report, sentence by sentence, and the rule behind each light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.findings import Estimate, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params, ScreeningValidityResult


def sentences(result: ScreeningValidityResult, params: Params) -> list[Message]:
    """The report's first paragraph, sentence by sentence."""
    return [_said_of_accuracy(result), _said_of_reliability(result), _said_of_referrals(result, params)]


def _said_of_accuracy(result: ScreeningValidityResult) -> Message:
    if isinstance(result.corrected, Refused):
        return message("How well the screen tells cases from non-cases is not known: {why}", why=result.corrected.why)
    found = result.corrected.to_frame().set_index("term")
    share = {term: Proportion(row.estimate, result.corrected.n_used, row.conf_low, row.conf_high)
             for term, row in found.iterrows()}  # fmt: skip
    return message(
        "At the cut-off the screen finds {sensitivity} of the cases and rightly passes {specificity} of the others; "
        "of those it flags, {ppv} are cases.",
        sensitivity=share["sensitivity"], specificity=share["specificity"], ppv=share["ppv"],
    )  # fmt: skip


def _said_of_reliability(result: ScreeningValidityResult) -> Message:
    if isinstance(result.reliability, Refused):
        return message("Its reliability is not known: {why}", why=result.reliability.why)
    row = result.reliability.table.iloc[-1]
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    if row["conf_low"] >= 0.7:
        return message("Its total score is reliable enough to compare groups ({omega}; the rule is at least .70).",
                       omega=value)  # fmt: skip
    return message("Its total score is not reliable enough to compare groups ({omega}; the rule is at least .70).",
                   omega=value)  # fmt: skip


def _said_of_referrals(result: ScreeningValidityResult, params: Params) -> Message:
    found = result.positives
    share = Proportion(found.proportion, found.denominator, found.conf_low, found.conf_high)
    if isinstance(result.cutoffs, Refused):
        return message("{share} of those scored are screen-positive.", share=share)
    if result.cutoffs.cutoff is None:
        return message("{share} of those scored are screen-positive; no cut-off keeps within {capacity} interviews.",
                       share=share, capacity=params.capacity)  # fmt: skip
    return message(
        "{share} of those scored are screen-positive; {capacity} interviews a term are enough from a cut-off of "
        "{cutoff} on.",
        share=share, capacity=params.capacity, cutoff=int(result.cutoffs.cutoff),
    )  # fmt: skip
