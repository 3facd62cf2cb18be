"""The accuracy carried elsewhere: to another prevalence, and to the neighbouring cut-offs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_accuracy import cluster_of, verification_options
from mhlib.analyses.parts.sections import (
    Drawn,
    Listed,
    nothing_to_correct,
    refused_design,
    tried,
    without_cutoff,
    without_reference,
)
from mhlib.data.scoring import positive
from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import (
    CarriedValues,
    TwoByTwo,
    VerificationCorrected,
    corrected_refusal,
    predictive_values_at,
    predictive_values_refusal,
    verification_corrected,
)
from mhlib.stats.monitoring import proportion

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params


def carried(result: TwoByTwo | VerificationCorrected | Refused, params: Params) -> CarriedValues | Refused:
    """Predictive values where cases are as rare as `local_prevalence` says."""
    if params.local_prevalence is None:
        return Refused(
            "no_local_prevalence",
            message("No other prevalence is stated to carry the predictive values to."),
            message("The prevalence of cases where the screen shall be used, as parameter local_prevalence."),
        )
    if isinstance(result, Refused):
        return result
    rows = result.to_frame().set_index("term")
    shares = {term: (rows.at[term, "estimate"], rows.at[term, "std_error"]) for term in ("sensitivity", "specificity")}
    try:
        return predictive_values_at(
            params.local_prevalence, **shares, n_used=result.n_used, conf_level=params.conf_level
        )
    except DesignError as error:
        return refused_design(error)


PREDICTIVE = ("ppv", "npv", "prevalence", "apparent_prevalence")
ROW = ("term", "estimate", "conf_low", "conf_high", "numerator", "denominator", "n_used")


def of_the_test(found: TwoByTwo | VerificationCorrected | Refused) -> Drawn | Refused:
    """What belongs to the test itself: sensitivity, specificity and what follows from them alone."""
    return found if isinstance(found, Refused) else _rows(found, predictive=False)


def predictive(best: TwoByTwo | VerificationCorrected | Refused, data: Screened, params: Params) -> Drawn | Refused:
    """Predictive values and prevalence, refused where those screened are a sample that no weight leads back."""
    counts = data.counts
    if isinstance(best, Refused):
        return _of_positives(data, params) if best.code in FOR_POSITIVES and counts.tp + counts.fp else best
    if params.sampling == "convenience":
        return _self_chosen()
    sampling = {"random": "random", "census": "everyone"}.get(params.sampling, "enriched")
    refusal = predictive_values_refusal(sampling, weighted=False, n_positive=counts.n_positive, n=counts.n)
    return refusal or _rows(best, predictive=True)


# Refusals that leave the interviewed screen-positives as good as they were.
FOR_POSITIVES = ("no_verified_negatives", "few_false_negatives")


def _self_chosen() -> Refused:
    """No predictive value of whoever came."""
    return Refused(
        "self_chosen_sample",
        message(
            "Whoever was at hand took part: predictive values and prevalence of this sample are not those of any population."
        ),
        message("Everybody of a wave, or a random sample."),
    )


def _of_positives(data: Screened, params: Params) -> Drawn | Refused:
    """The positive predictive value alone: interviews of screen-positives are enough for it."""
    seen = data.interviewed
    seen = seen[seen["positive"].astype(bool)]
    found = tried(
        proportion, seen["reference"].astype(bool), cluster=cluster_of(seen, params), conf_level=params.conf_level
    )
    if isinstance(found, Refused):
        return found
    frame = found.to_frame().assign(term="ppv")
    return Drawn(table=frame[[name for name in ROW if name in frame]])


def _rows(found: TwoByTwo | VerificationCorrected, *, predictive: bool) -> Drawn:
    frame = found.to_frame()
    table = frame[frame["term"].isin(PREDICTIVE) == predictive]
    return Drawn(table=_without_counts(table, found)[[name for name in ROW if name in table]].reset_index(drop=True))


def _without_counts(table: pd.DataFrame, found: object) -> pd.DataFrame:
    """A corrected share is not the ratio of the interviewed behind it: beside it their counts would contradict it."""
    if isinstance(found, VerificationCorrected):
        return table.assign(numerator=math.nan, denominator=math.nan)
    return table


def neighbours(data: Screened, params: Params) -> Listed | Refused:
    """The corrected accuracy at the cut-off and at its two neighbours."""
    refusal = without_reference() if data.interviewed.empty else corrected_refusal(data.counts)
    if refusal or params.cutoff is None:
        return refusal or without_cutoff()
    if data.counts.n_verified == data.counts.n:
        return nothing_to_correct()
    scored, shared, results = data.scored, verification_options(data, params), []
    for cutoff in (params.cutoff - 1, params.cutoff, params.cutoff + 1):
        moved = positive(scored["score"], cutoff, direction=params.direction).astype(bool)
        both = [(moved & shared["verified"]).any(), (~moved & shared["verified"]).any()]
        if all(both):
            label = f"{'≥' if params.direction == '>=' else '≤'} {cutoff}"
            results.append((label, verification_corrected(moved, scored["reference"], **shared)))
    found = Listed.of(results, terms=("sensitivity", "specificity", "ppv")).table
    return Listed(table=found.drop(columns=["numerator", "denominator"]))
