"""What a difference-in-differences rests on, said beside it: parallel trends, schools left out, forbidden comparisons."""

from __future__ import annotations

import math

from mhlib.findings import Check, Refused, message

# Weight on comparisons with schools already under the programme above which the two-way estimate should not be read.
MUCH_FORBIDDEN = 0.10
FEWEST_IN_COHORT = 5


def one_term_before_check(gap: float, spread: float) -> Check:
    """Check that cannot be looked at: with one term before, parallel trends are an assumption.

    Parameters
    ----------
    gap : float
        Outcome of the treated less that of the comparison, before.
    spread : float
        Standard deviation of the outcome.
    """
    return Check(
        message("Parallel trends"),
        None,
        message(
            "With one term before the programme nothing shows whether the two groups would have moved alike; the effect "
            "rests on it. Before, they stood {gap} standard deviations apart: the further apart, the less sure.",
            gap=round(gap / spread, 2) if spread > 0 else math.nan,
        ),
    )


def incomplete_check(n_incomplete: int, n_schools: int) -> Check:
    """Check that no school was left out for a term it lacks."""
    return Check(
        message("Schools surveyed in every term"),
        n_incomplete == 0,
        message(
            "{n} schools lack a term and were left out; {kept} remain.",
            n=n_incomplete,
            kept=n_schools,
        ),
    )


def always_check(n_always: int) -> Check:
    """Check that no school had the programme from the first term on."""
    return Check(
        message("Schools seen before they began"),
        n_always == 0,
        message(
            "{n} schools had the programme in the first term already and were left out: they have no before.",
            n=n_always,
        ),
    )


def cohort_check(fewest: int) -> Check:
    """Check that each group of schools of one start is large enough to show its own spread."""
    return Check(
        message("Schools in the smallest group of one start"),
        fewest >= FEWEST_IN_COHORT,
        message(
            "{n} schools; a group of fewer than {enough} hardly shows how much its schools differ.",
            n=fewest,
            enough=FEWEST_IN_COHORT,
        ),
    )


def forbidden_check(share: float) -> Check:
    """Check that the two-way estimate hardly compares schools with schools that already had the programme."""
    return Check(
        message("Forbidden comparisons in the two-way estimate"),
        share < MUCH_FORBIDDEN,
        message(
            "{percent} % of its weight takes schools already under the programme as comparison; where effects grow or "
            "differ it is then wrong, and only the group-time estimate should be read.",
            percent=round(100 * share),
        ),
    )


def pretrend_check(p_value: float, slope: float, bias: float, power: float) -> Check:
    """Check that the terms before show no trend, with what the test would have missed.

    Parameters
    ----------
    p_value : float
        Of the joint test; NaN where it could not be made.
    slope, bias : float
        Trend a term that the test finds with the chance `power`, and the bias it would leave in the effect.
    """
    return Check(
        message("No trend before the programme"),
        None if math.isnan(p_value) else p_value >= 0.05,
        message(
            "A trend of {slope} a term would be found in {percent} of 100 such studies; one just as large that is missed "
            "would shift the effect by {bias}. A quiet past is no proof.",
            slope=round(slope, 3),
            percent=round(100 * power),
            bias=round(bias, 3),
        ),
    )


def no_leads_refusal() -> Refused:
    """Refusal (code `no_term_before`) of a test of the past where each school has one term before only."""
    return Refused(
        "no_term_before",
        message(
            "No school was surveyed in two terms before it began, so nothing shows whether the groups moved alike "
            "before."
        ),
        message("Survey all schools in at least two, better four terms before the first of them begins."),
    )


def weak_leads_refusal(n_leads: int) -> Refused:
    """Refusal (code `too_few_schools_for_leads`) of the joint test where schools are too few for the terms before."""
    return Refused(
        "too_few_schools_for_leads",
        message(
            "{n} terms before are to be tested together with too few schools: the test has fewer than 4 degrees of "
            "freedom.",
            n=n_leads,
        ),
        message("Add schools to the smallest group of one start, or test fewer terms."),
    )
