"""When a cluster-robust error or its p-value must not be given, and what to read beside it when clusters are few."""

from __future__ import annotations

import numpy as np

from mhlib.findings import Check, Refused, message
from mhlib.stats.effects.robust_adjust import ZERO, Adjusted

# Tipton (2015) Psychological Methods 20:375: below 4 degrees of freedom the t approximation itself fails.
FEWEST_DF = 4.0
ENOUGH_CLUSTERS = 20
# A coefficient that moves by less than this share along a direction does not depend on it.
NEGLIGIBLE = 1e-6


def one_cluster_refusal(n_clusters: int) -> Refused | None:
    """Refusal (code `one_cluster`) when all rows belong to one cluster; None from two clusters up."""
    if n_clusters >= 2:
        return None
    return Refused(
        "one_cluster",
        message(
            "All pupils belong to one school or class: how much these differ cannot be seen, so no error is given."
        ),
        message("Collect from several schools or classes in each arm; from about 20 the error is dependable."),
    )


def one_cluster_in_arm_refusal(arms: dict[object, int]) -> Refused | None:
    """Refusal when an arm has one cluster only (code `one_cluster_in_arm`), or nobody (`nobody_in_arm`).

    Parameters
    ----------
    arms : mapping
        Clusters in each arm.
    """
    fewest = min(arms.values()) if len(arms) >= 2 else 0
    if fewest >= 2:
        return None
    if fewest == 0:
        return nobody_in_arm()
    return Refused(
        "one_cluster_in_arm",
        message(
            "One arm has a single school or class: the programme cannot be told from that school, however many pupils "
            "it has."
        ),
        message("Add schools or classes to that arm: at least two, and about ten for a dependable error."),
    )


def nobody_in_arm() -> Refused:
    """Refusal (code `nobody_in_arm`) where no row of an arm is complete."""
    return Refused(
        "nobody_in_arm",
        message(
            "Nobody of one arm can be compared: the outcome, or what it is adjusted for, is missing for all of them."
        ),
        message("The outcome, and what it is adjusted for, from both arms."),
    )


def carried_by_one(found: Adjusted) -> np.ndarray:
    """Which coefficients could not be estimated without some single cluster, shape (p,) of bool."""
    heavy = np.flatnonzero(np.trace(found.information, axis1=1, axis2=2) >= 1 - ZERO)
    alone = np.zeros(len(found.scale), dtype=bool)
    length = np.linalg.norm(found.scale, axis=1)
    for cluster in heavy:
        value, vector = np.linalg.eigh(found.information[cluster])
        lost = found.scale @ vector[:, value > 1 - ZERO]
        alone |= np.linalg.norm(lost, axis=1) > NEGLIGIBLE * length
    return alone


def carried_refusal(term: str) -> Refused:
    """Refusal of the error of a coefficient that one cluster alone carries, code `carried_by_one_cluster`."""
    return Refused(
        "carried_by_one_cluster",
        message(
            "Without one single school or class '{term}' could not be estimated: it cannot be told from that school, so "
            "no error is given.",
            term=term,
        ),
        message("Collect from further schools or classes of that kind."),
    )


def few_df_refusal(term: str, df: float) -> Refused:
    """Refusal of p-value and interval, code `few_degrees_of_freedom`; estimate and standard error stay."""
    return Refused(
        "few_degrees_of_freedom",
        message(
            "The error of '{term}' rests on {df} degrees of freedom, fewer than {least}: the estimate stands, but no "
            "p-value and no interval can be trusted.",
            term=term,
            df=round(float(df), 1),
            least=FEWEST_DF,
        ),
        message("Read the permutation of schools instead, and add schools, of like size and in equal numbers by arm."),
    )


def clusters_check(n_clusters: int) -> Check:
    """Check that there are enough clusters for one method to stand alone: passes at 20 and more."""
    return Check(
        message("Schools behind the standard error"),
        n_clusters >= ENOUGH_CLUSTERS,
        message(
            "{n} schools or classes; with fewer than {enough} read the CR2 interval with the wild bootstrap or the "
            "permutation of schools beside it.",
            n=n_clusters,
            enough=ENOUGH_CLUSTERS,
        ),
    )
