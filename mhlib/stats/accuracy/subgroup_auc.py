"""Area under the curve within each group, and how the groups' areas vary together."""

from __future__ import annotations

import math

import numpy as np

from mhlib.findings import Refused
from mhlib.stats.accuracy.counts import count_scores, score_levels
from mhlib.stats.accuracy.placements import Cluster, clustered_covariance, influences, placements
from mhlib.stats.accuracy.subgroup_estimates import Shares
from mhlib.stats.accuracy.subgroup_people import Screened
from mhlib.stats.clustered import cluster_sums


def group_areas(people: Screened, group: Cluster, refused: dict[int, Refused]) -> Shares:
    """AUC of each group with the covariance of all; NaN for refused groups.

    Each group's own variance is that of `roc` on its rows (DeLong; Obuchowski within clusters; weights of verification
    taken as known). Groups that share schools are correlated through the sums of their schools.
    """
    code, k = group
    weight, seen = people.standing_for(group), ~np.isnan(people.case)
    value, covariance = np.full(k, math.nan), np.full((k, k), math.nan)
    sums = []
    for j in range(k):
        rows = seen & (code == j)
        if j in refused:
            sums.append(None)
            continue
        values, level = score_levels(people.score[rows])
        case, mass = people.case[rows], weight[rows]
        placed = placements(*count_scores(level, len(values), case, mass))
        ill, well = influences(level, case, placed, mass)
        own = None if people.cluster is None else recoded(people.cluster[0][rows])
        value[j] = placed.auc
        covariance[j, j] = clustered_covariance(ill[None], well[None], case, own)[0, 0]
        sums.append(
            None if people.cluster is None else cluster_sums(ill + well, (people.cluster[0][rows], people.cluster[1]))
        )
    return joined(value, covariance, sums, people, code, seen)


def recoded(code: np.ndarray) -> Cluster:
    """Codes of the clusters that the group has members in."""
    present, own = np.unique(code, return_inverse=True)
    return own, len(present)


def joined(
    value: np.ndarray, covariance: np.ndarray, sums: list, people: Screened, code: np.ndarray, seen: np.ndarray
) -> Shares:
    """Covariances between groups, and the people behind each area."""
    k, g = len(value), None if people.cluster is None else people.cluster[1]
    for i in range(k):
        for j in range(k):
            if i == j or sums[i] is None or sums[j] is None:
                covariance[i, j] = covariance[i, j] if i == j else 0.0
            else:
                covariance[i, j] = g / (g - 1) * float((sums[i] - sums[i].mean()) @ (sums[j] - sums[j].mean()))
    cases = np.bincount(code, weights=seen & (people.case == 1), minlength=k)
    verified = np.bincount(code, weights=seen, minlength=k)
    return Shares(value, covariance, cases, verified, math.inf if g is None else g - 1, False)
