"""Least squares with CR2 errors of the outcome given its baseline, of the outcome alone, and of the change."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from mhlib.errors import ParamsError
from mhlib.stats.effects.ancova_rows import AncovaRows
from mhlib.stats.effects.robust_fit import linear_of
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_sums import sums_of_rows


def clustered_fit(
    rows: AncovaRows,
    x: np.ndarray,
    y: np.ndarray,
    names: list[str],
    *,
    estimand: str,
    conf_level: float,
    n_excluded: int = 0,
) -> ClusterRobustResult:
    """Least squares of columns, CR2 by the rows' clusters."""
    sums = sums_of_rows(x, y, rows.code, names=tuple(names), weights=None, clusters=rows.clusters, strata=rows.strata)
    return linear_of(sums, kind="CR2", estimand=estimand, n_excluded=n_excluded, conf_level=conf_level)


def three_fits(
    rows: AncovaRows, *, school_mean: bool, estimand: str, conf_level: float
) -> dict[str, ClusterRobustResult]:
    """ANCOVA, outcome alone and change on the same rows, all of which have a baseline.

    Returns
    -------
    dict
        `ancova`, `post_only`, `change_score`.
    """
    options = {"estimand": estimand, "conf_level": conf_level}
    x, names = rows.columns(school_mean=school_mean)
    plain, few = rows.base_columns
    return {
        "ancova": clustered_fit(rows, x, rows.y, names, **options),
        "post_only": clustered_fit(rows, plain, rows.y, few, **options),
        "change_score": clustered_fit(rows, plain, rows.y - rows.baseline, few, **options),
    }


def column_means(fit: ClusterRobustResult) -> np.ndarray:
    """Mean of each column, weighted to the estimand."""
    sums = fit.sums
    whole = sums.weighted[0].sum(axis=0)
    if sums.basis is not None:
        back = np.linalg.inv(sums.basis)
        whole = back.T @ whole @ back
    place = fit.position("Intercept")
    return whole[place] / whole[place, place]


def mean_weights(fit: ClusterRobustResult, rows: AncovaRows) -> dict[str, dict[str, float]]:
    """Weights of each arm's adjusted mean: everything else at its mean over all rows."""
    means = dict(zip(fit.terms, column_means(fit), strict=True))
    found = {}
    for name, own in zip(rows.arms, ("", *rows.arm_terms), strict=True):
        found[name] = means | {term: float(term == own) for term in rows.arm_terms}
    return found


def effect_weights(rows: AncovaRows, factorial: tuple[str, str, str] | None) -> dict[str, dict[str, float]]:
    """Weights of every arm less the reference, of pairs of other arms, and of a 2 x 2 factorial's effects."""
    terms = dict(zip(rows.arms[1:], rows.arm_terms, strict=True))
    found = {f"{name} - {rows.arms[0]}": {term: 1.0} for name, term in terms.items()}
    if factorial is None:
        for one, other in combinations(terms, 2):
            found[f"{other} - {one}"] = {terms[other]: 1.0, terms[one]: -1.0}
        return found
    return found | factorial_weights(terms, factorial)


def factorial_weights(terms: Mapping[str, str], factorial: tuple[str, str, str]) -> dict[str, dict[str, float]]:
    """Main effects averaged over the other factor, and the interaction.

    Raises
    ------
    ParamsError
        Not exactly the three arms beside the reference.
    """
    if len(factorial) != 3 or {str(name) for name in factorial} != set(terms):
        raise ParamsError(
            "ancova(factorial)",
            "does not name the three arms beside the reference",
            allowed="(first alone, second alone, both), among " + ", ".join(terms),
        )
    a, b, both = (str(name) for name in factorial)
    one, other, joint = terms[a], terms[b], terms[both]
    return {
        f"{a}, averaged over {b}": {one: 0.5, other: -0.5, joint: 0.5},
        f"{b}, averaged over {a}": {one: -0.5, other: 0.5, joint: 0.5},
        f"{a} x {b}": {one: -1.0, other: -1.0, joint: 1.0},
    }
