"""When no accuracy must be given: rules that look at the data, each with what would have to be collected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mhlib.findings import Check, Count, Proportion, Refused, message
from mhlib.stats import inputs
from mhlib.stats.accuracy.verification_counts import VerificationCounts

# Cronin & Vickers (2008): with 0-4 verified false negatives a corrected AUC ranged from .55 to .85.
FEWEST_FALSE_NEGATIVES = 5
ENOUGH_FALSE_NEGATIVES = 20
# Two verified shares this far apart in standard errors are not a chance difference.
UNEQUAL_Z = 2.576
SAMPLINGS = ("everyone", "random", "two_phase", "case_control", "enriched")


def naive_accuracy_refusal(counts: VerificationCounts) -> Refused | None:
    """Why accuracy among the verified alone must not be shown, or None when it may.

    Parameters
    ----------
    counts : VerificationCounts

    Returns
    -------
    Refused or None
        Codes `no_verified_negatives`, `no_verified_positives`, `unequal_verification` (verified shares of positives and
        negatives differ, so that Se and Sp among the verified are not those of the screened).
    """
    one_sided = one_sided_refusal(counts)
    if one_sided is not None:
        return one_sided
    seen = np.array([counts.tp + counts.fp, counts.fn + counts.tn], dtype=float)
    people = np.array([counts.n_positive, counts.n_negative], dtype=float)
    share, pooled = seen / people, seen.sum() / people.sum()
    spread = np.sqrt(pooled * (1 - pooled) * (1 / people).sum())
    if spread == 0 or abs(share[0] - share[1]) / spread < UNEQUAL_Z:
        return None
    return Refused(
        "unequal_verification",
        message(
            "Positives and negatives were not verified alike ({positive} against {negative}): accuracy among the "
            "verified alone would not be that of the pupils screened.",
            positive=Proportion(float(share[0]), counts.n_positive),
            negative=Proportion(float(share[1]), counts.n_negative),
        ),
        message("Nothing."),
    )


def one_sided_refusal(counts: VerificationCounts) -> Refused | None:
    """Refusal when one side of the cut-off holds nobody verified."""
    if counts.fn + counts.tn == 0:
        return Refused(
            "no_verified_negatives",
            message(
                "None of the {n} pupils who screened negative was verified: what the screen misses is unknown, so no "
                "sensitivity, specificity or area under the curve can be given.",
                n=Count(counts.n_negative),
            ),
            message(
                "Interview a random sample of pupils who screened negative, drawn with known probabilities; the "
                "collection plan says how many."
            ),
        )
    if counts.tp + counts.fp == 0:
        return Refused(
            "no_verified_positives",
            message(
                "None of the {n} pupils who screened positive was verified: how many of them are cases is unknown.",
                n=Count(counts.n_positive),
            ),
            message("Interview all pupils who screened positive, or a random sample of them."),
        )
    return None


def corrected_refusal(counts: VerificationCounts) -> Refused | None:
    """Why not even a corrected sensitivity may be given, or None when it may.

    Returns
    -------
    Refused or None
        Codes `no_verified_negatives`, `no_verified_positives`, `few_false_negatives` (fewer than 5 verified cases among
        negatives). With every negative verified no correction leans on them, and few are no reason to refuse.

    Notes
    -----
    Reference: Cronin & Vickers (2008) BMC Med Res Methodol 8:75.
    """
    one_sided = one_sided_refusal(counts)
    if one_sided is not None or counts.fn >= FEWEST_FALSE_NEGATIVES or counts.negative_unverified == 0:
        return one_sided
    return Refused(
        "few_false_negatives",
        message(
            "Among {n} verified pupils who screened negative fewer than {least} were cases: a corrected sensitivity "
            "would rest on a handful of pupils.",
            n=Count(counts.fn + counts.tn),
            least=FEWEST_FALSE_NEGATIVES,
        ),
        message(
            "Interview more pupils who screened negative, most of them just below the cut-off, until at least {enough} "
            "missed cases are found.",
            enough=ENOUGH_FALSE_NEGATIVES,
        ),
    )


def false_negatives_check(counts: VerificationCounts) -> Check:
    """Check that enough missed cases stand behind a corrected sensitivity: passes at 20 and more."""
    if counts.negative_unverified == 0:
        detail = message("Every pupil who screened negative was verified.")
        return Check(message("Missed cases behind the correction"), True, detail)
    # No count below the rule is shown: rounded it could seem to meet the rule.
    if counts.fn < ENOUGH_FALSE_NEGATIVES:
        detail = message(
            "Fewer than {enough} verified missed cases: the corrected sensitivity is unstable, and its interval too short.",
            enough=ENOUGH_FALSE_NEGATIVES,
        )
        return Check(message("Missed cases behind the correction"), False, detail)
    return Check(
        message("Missed cases behind the correction"),
        True,
        message("{found} verified missed cases; from {enough} on the correction is steady.", found=Count(counts.fn),
                enough=ENOUGH_FALSE_NEGATIVES),
    )  # fmt: skip


def bands_check(n_case: Sequence[int], n_unverified: Sequence[int]) -> Check:
    """Check that every score band in which people went unverified holds enough verified cases.

    Parameters
    ----------
    n_case, n_unverified : sequence of int
        Verified cases, and people not verified, by band.

    Returns
    -------
    Check
        Passes when every band with unverified people holds at least 5 verified cases.

    Notes
    -----
    In simulation the 95 % interval of a corrected area covered 83-87 % of the time with two verified cases expected in
    a band of which 6 % were verified, whatever the interval (percentile, logit, bias-corrected).
    """
    case, unverified = np.asarray(n_case), np.asarray(n_unverified)
    thin = int(((unverified > 0) & (case < FEWEST_FALSE_NEGATIVES)).sum())
    return Check(
        message("Verified cases in every score band"),
        thin == 0,
        message(
            "{thin} of {n} score bands hold fewer than {least} verified cases: there the correction leans on a few "
            "pupils, and its interval is too narrow.",
            thin=thin,
            n=len(case),
            least=FEWEST_FALSE_NEGATIVES,
        ),
    )


def few_clusters_refusal(n_clusters: int) -> Refused | None:
    """Refusal of a cluster-robust error with a single cluster, code `one_cluster`; None from two clusters up."""
    if n_clusters >= 2:
        return None
    return Refused(
        "one_cluster",
        message("All pupils belong to one cluster: how much schools or classes differ cannot be seen."),
        message("Collect from at least two schools or classes; from about 40 the interval is dependable."),
    )


def predictive_values_refusal(
    sampling: str,
    *,
    weighted: bool,
    n_positive: int | None = None,
    n: int | None = None,
    screened_positive_share: float | None = None,
) -> Refused | None:
    """Why PPV, NPV and prevalence of a sample must not be shown as those of the pupils screened, or None.

    Parameters
    ----------
    sampling : {'everyone', 'random', 'two_phase', 'case_control', 'enriched'}
        How people came into the table. 'two_phase' is a screen with known or equal chances within test results, whose
        correction brings the weights.
    weighted : bool
        Whether the estimate weighs people back to everyone screened.
    n_positive, n, screened_positive_share : optional
        Data check of an unweighted 'everyone' or 'random': people who test positive and people in the table, and the
        share positive among everyone screened.

    Returns
    -------
    Refused or None
        Codes `unweighted_predictive_values` (declared case-control or enriched, or two-phase without weights) and
        `enriched_sample` (declared random, but the share positive is not that of the screened).

    Raises
    ------
    ParamsError
        An unknown sampling.

    Notes
    -----
    Sensitivity and specificity survive sampling by case status, predictive values do not; after sampling by test result
    it is the other way round, and :func:`naive_accuracy_refusal` guards the former.
    """
    where = "predictive_values_refusal"
    inputs.one_of(sampling, SAMPLINGS, where=where, name="sampling")
    if weighted:
        return None
    if sampling in ("case_control", "enriched", "two_phase"):
        return Refused(
            "unweighted_predictive_values",
            message(
                "The sample was enriched and carries no weights: its predictive values and its prevalence are those of "
                "the sample, not of the pupils screened."
            ),
            message("Record with which probability each pupil was drawn, and weigh by it."),
        )
    if n_positive is None or n is None or screened_positive_share is None or not 0 < screened_positive_share < 1:
        return None
    spread = np.sqrt(screened_positive_share * (1 - screened_positive_share) / n)
    if abs(n_positive / n - screened_positive_share) / spread < UNEQUAL_Z:
        return None
    return Refused(
        "enriched_sample",
        message(
            "{sample} of the sample screen positive, against {screened} of everyone screened: the sample is enriched, "
            "and its predictive values are not those of the pupils screened.",
            sample=Proportion(n_positive / n, n),
            screened=screened_positive_share,
        ),
        message("Record with which probability each pupil was drawn, and weigh by it."),
    )
