"""Area under the curve within each group, and how the groups' areas vary together."""

from __future__ import annotations

import math

import numpy as np

from mhlib.findings import Refused
from mhlib.stats.accuracy.counts import score_levels
from mhlib.stats.accuracy.placements import Cluster, placements
from mhlib.stats.accuracy.subgroup_estimates import Shares
from mhlib.stats.accuracy.subgroup_people import Screened


def group_areas(people: Screened, group: Cluster, refused: dict[int, Refused]) -> Shares:
    """AUC of each group with the covariance of all; NaN for refused groups.

    Each group's own variance is that of `roc` on its rows (DeLong; Obuchowski within clusters; weights of verification
    taken as known). Groups that share schools are correlated through the sums of their schools.
    """
    seen = ~np.isnan(people.case)
    k, code, case = group[1], group[0][seen], people.case[seen].astype(np.intp)
    mass = people.standing_for(group)[seen]
    values, level = score_levels(people.score[seen])
    size = len(values)
    counts = np.bincount((2 * code + case) * size + level, weights=mass, minlength=2 * k * size).reshape(k, 2, size)
    value, place = np.full(k, math.nan), np.zeros((k, 2, size))
    for j in set(range(k)) - set(refused):
        placed = placements(counts[j, 1], counts[j, 0])
        value[j] = placed.auc
        place[j] = (
            (placed.of_noncase - placed.auc) / counts[j, 0].sum(),
            (placed.of_case - placed.auc) / counts[j, 1].sum(),
        )
    influence = mass * place[code, case, level]
    cluster = None if people.cluster is None else (people.cluster[0][seen], people.cluster[1])
    number = np.bincount(2 * code + case, minlength=2 * k).reshape(k, 2)
    if cluster is None:
        covariance = independent(influence, 2 * code + case, number)
    else:
        covariance = within_schools(influence, code, case, k, cluster)
    df = math.inf if cluster is None else cluster[1] - 1
    return Shares(value, covariance, number[:, 1].astype(float), number.sum(axis=1).astype(float), df, False)


def independent(influence: np.ndarray, kind: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Variances of independent people: DeLong's, with n/(n - 1) for each kind."""
    squares = np.bincount(kind, weights=influence**2, minlength=number.size).reshape(number.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diag((squares * number / (number - 1)).sum(axis=1))


def within_schools(influence: np.ndarray, code: np.ndarray, case: np.ndarray, k: int, cluster: Cluster) -> np.ndarray:
    """Covariance of k areas: Obuchowski's on the diagonal, linearised sums of schools beside it."""
    member, g = cluster
    place = (member * k + code) * 2 + case
    sums = np.bincount(place, weights=influence, minlength=2 * g * k).reshape(g, k, 2)
    present = np.bincount(place, minlength=2 * g * k).reshape(g, k, 2) > 0
    whole = sums.sum(axis=2)
    centred = whole - whole.mean(axis=0)
    covariance = centred.T @ centred * g / (g - 1)
    schools, any_kind = present.sum(axis=0), present.any(axis=2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = (schools / (schools - 1) * (sums**2).sum(axis=0)).sum(axis=1)
        crossed = 2 * any_kind / (any_kind - 1) * sums.prod(axis=2).sum(axis=0)
    np.fill_diagonal(covariance, own + crossed)
    return covariance
