"""When no accuracy must be given: rules that look at the data, each with what would have to be collected."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.findings import Check, Count, Proportion, Refused, message
from mhlib.stats import inputs
from mhlib.stats.accuracy.verification_counts import VerificationCounts

# Cronin & Vickers (2008): with 0-4 verified false negatives a corrected AUC ranged from .55 to .85.
FEWEST_FALSE_NEGATIVES = 5
ENOUGH_FALSE_NEGATIVES = 20
# Two verified shares this far apart in standard errors are not a chance difference.
UNEQUAL_Z = 2.576
# Fewer on a side can be separated by luck.
FEWEST_FOR_CIRCULARITY = 10


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
        message("Read the corrected estimate, which takes account of who was verified."),
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
    return Check(
        message("Missed cases behind the correction"),
        counts.fn >= ENOUGH_FALSE_NEGATIVES,
        message(
            "{found} verified missed cases; below {enough} the corrected sensitivity is unstable.",
            found=Count(counts.fn),
            enough=ENOUGH_FALSE_NEGATIVES,
        ),
    )


def circular_criterion_refusal(
    score: object, reference: object, *, items: pd.DataFrame | None = None
) -> Refused | None:
    """Refusal when the reference is a cut of the score, or of one of its items.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified; missing scores are passed over here too.
    items : pandas.DataFrame, shape (n, k), optional
        Items of the score, each looked at in the same way.

    Returns
    -------
    Refused or None
        Code `circular_criterion` when one cut separates all cases from all non-cases, in either direction, with at least
        10 people on each side.

    Notes
    -----
    An interview never agrees with a questionnaire without exception; a rule applied to the questionnaire does.
    """
    where = "circular_criterion_refusal"
    case = inputs.binary(reference, where=where, name="reference")
    columns = {"": inputs.numeric(score, where=where, name="score")}
    if items is not None:
        columns |= {str(name): inputs.numeric(items[name], where=where, name=str(name)) for name in items.columns}
    inputs.same_length(where, reference=case, **columns)
    separated = [name for name, values in columns.items() if separates(values, case)]
    if not separated:
        return None
    culprit = message("the score") if separated[0] == "" else message("the item {item}", item=separated[0])
    return Refused(
        "circular_criterion",
        message(
            "The reference standard is a cut of {culprit}: one cut-off separates every case from every non-case, so "
            "accuracy would be a tautology.",
            culprit=culprit,
        ),
        message(
            "Collect a reference standard that does not use the screen: an interview by raters blind to the score."
        ),
    )


def separates(values: np.ndarray, case: np.ndarray) -> bool:
    """Whether one cut puts all cases on one side and all non-cases on the other, with enough of each."""
    known = ~np.isnan(values) & ~np.isnan(case)
    ill, well = values[known & (case == 1)], values[known & (case == 0)]
    if min(len(ill), len(well)) < FEWEST_FOR_CIRCULARITY:
        return False
    return bool(ill.min() > well.max() or ill.max() < well.min())


def few_clusters_refusal(n_clusters: int) -> Refused | None:
    """Refusal of a cluster-robust error with a single cluster, code `one_cluster`; None from two clusters up."""
    if n_clusters >= 2:
        return None
    return Refused(
        "one_cluster",
        message("All pupils belong to one cluster: how much schools or classes differ cannot be seen."),
        message("Collect from at least two schools or classes; from about 40 the interval is dependable."),
    )
