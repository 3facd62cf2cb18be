"""When weights do not exist: which covariates foretell treatment, or cannot be brought to the means of the treated."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, identity, vstack

from mhlib.errors import DesignError
from mhlib.stats.effects.weights_rows import TreatmentRows

# A chance so near to 0 or 1 for some pupil is where a logit runs away.
SURE = 1e-8


def separating(rows: TreatmentRows) -> list[str]:
    """Columns that alone foretell treatment for some pupils: ranges that do not meet, or a group of one kind only."""
    found, treated = [], rows.treated == 1
    for name, column in zip(rows.names[1:], rows.x[:, 1:].T, strict=True):
        one, other = column[treated], column[~treated]
        apart = one.min() > other.max() or other.min() > one.max()
        values = np.unique(column)
        pure = len(values) == 2 and any(np.ptp(rows.treated[column == value]) == 0 for value in values)
        found += [name] if apart or pure else []
    return found


def demand_no_separation(rows: TreatmentRows, propensity: np.ndarray, converged: bool, *, where: str) -> None:
    """Refuse a logit whose chances run to 0 or 1.

    Raises
    ------
    DesignError
        With the columns that alone foretell treatment, where there are any.
    """
    if converged and propensity.min() > SURE and propensity.max() < 1 - SURE:
        return
    names = ", ".join(separating(rows)) or "several columns together"
    raise DesignError(
        f"{where}(covariates)",
        f"treatment follows from the covariates for some pupils, by {names}",
        allowed="pupils of both groups at every value of the covariates",
        remedy="put small groups together, leave out pupils who could not have been in the other group and say so, or leave "
        "the column out if it does not bear on the outcome",
    )


def demand_feasible(
    columns: np.ndarray, names: tuple[str, ...], treated: np.ndarray, converged: bool, *, where: str
) -> None:
    """Refuse entropy balancing where no weights of the untreated reach the means of the treated.

    Raises
    ------
    DesignError
        Naming the covariates that stay apart.
    """
    if converged:
        return
    apart = unreachable(columns[~treated], columns[treated].mean(axis=0), names)
    raise DesignError(
        f"{where}(covariates)",
        f"no weights of the untreated give them the means of the treated in {', '.join(apart) or 'all covariates at once'}",
        allowed="treated pupils among whom the untreated are found",
        remedy="balance fewer covariates (moments=1), leave out treated pupils unlike any untreated one and say so, or use "
        "overlap_weights",
    )


def unreachable(columns: np.ndarray, target: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Covariates that stay off their target under the weights that bring all together nearest to it (a linear program)."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    outside = [name for name, t, a, b in zip(names, target, low, high, strict=True) if not a < t < b]
    if outside:
        return outside
    n, m = columns.shape
    slack = identity(m, format="csr")
    top = hstack([csr_array(columns.T), slack, -slack])
    sum_to_one = hstack([csr_array(np.ones((1, n))), csr_array((1, 2 * m))])
    cost = np.r_[np.zeros(n), np.ones(2 * m)]
    found = linprog(cost, A_eq=vstack([top, sum_to_one]), b_eq=np.r_[target, 1.0], bounds=(0, None), method="highs")
    if found.x is None:
        return []
    off = found.x[n : n + m] + found.x[n + m :]
    return [name for name, one in zip(names, off, strict=True) if one > 1e-7]
