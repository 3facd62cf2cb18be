"""The first paragraph of the screening-validity report, sentence by sentence, and the rule behind each light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts.screening_verdict import SEE_BELOW, total_row
from mhlib.findings import Estimate, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params, ScreeningValidityResult


# Below so many interviewed missed cases the corrected sensitivity hangs on a few people.
FEW_MISSED = 20
FEW_MISSED_CASES = message("Fewer than {enough} interviewed pupils were missed cases: the sensitivity is unstable.",
                           enough=FEW_MISSED)  # fmt: skip


def sentences(result: ScreeningValidityResult, params: Params) -> list[Message]:
    """The answer, the most important sentence first."""
    found = [_said_of_accuracy(result), _said_of_reliability(result), _said_of_referrals(result, params)]
    if isinstance(result.accuracy.naive, Refused) and not isinstance(result.best, Refused):
        missed = result.counts.fn
        if missed < FEW_MISSED:
            found.insert(1, FEW_MISSED_CASES)
    if params.reference_timing == "past":
        found.insert(
            1, message("The reference lies in the past: the figures describe association and predict nothing.")
        )
    return found


def _said_of_accuracy(result: ScreeningValidityResult) -> Message:
    best = result.best
    if isinstance(best, Refused):
        return message("How well the screen tells cases from non-cases is not known: {why}", why=best.why)
    found = best.to_frame().set_index("term")
    share = {term: Proportion(row.estimate, best.n_used, row.conf_low, row.conf_high) for term, row in found.iterrows()}
    both = {"sensitivity": share["sensitivity"], "specificity": share["specificity"]}
    if isinstance(result.predictive, Refused):
        return message(
            "At the cut-off the screen finds {sensitivity} of the cases and rightly passes {specificity} of the others.",
            **both,
        )
    return message(
        "At the cut-off the screen finds {sensitivity} of the cases and rightly passes {specificity} of the others; "
        "of those it flags, {ppv} are cases.",
        **both, ppv=share["ppv"],
    )  # fmt: skip


def _said_of_reliability(result: ScreeningValidityResult) -> Message:
    coefficients = result.reliability.coefficients
    if isinstance(coefficients, Refused):
        return message("Its reliability is not known: {why}", why=coefficients.why)
    row = total_row(coefficients.table)
    if row is None:
        return message("Its reliability is not known: {why}", why=SEE_BELOW)
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    if row["conf_low"] >= 0.7:
        return message("Its total score is reliable enough to compare groups ({omega}; the rule is at least .70).",
                       omega=value)  # fmt: skip
    return message("Its total score is not reliable enough to compare groups ({omega}; the rule is at least .70).",
                   omega=value)  # fmt: skip


def _said_of_referrals(result: ScreeningValidityResult, params: Params) -> Message:
    found = result.positives
    if isinstance(found, Refused):
        return found.why
    share = Proportion(found.proportion, found.denominator, found.conf_low, found.conf_high)
    studio = result.cutoffs.studio
    chosen = None if isinstance(studio, Refused) else studio.found.choices.get("capacity")
    if chosen is None:
        return message("{share} of those scored are screen-positive.", share=share)
    capacity = f"{params.capacity:,}"
    if chosen.cutoff is None:
        return message("{share} of those scored are screen-positive; no cut-off keeps within {capacity} interviews.",
                       share=share, capacity=capacity)  # fmt: skip
    return message(
        "{share} of those scored are screen-positive; {capacity} interviews a term are enough from a cut-off of "
        "{cutoff} on.",
        share=share, capacity=capacity, cutoff=int(chosen.cutoff),
    )  # fmt: skip
