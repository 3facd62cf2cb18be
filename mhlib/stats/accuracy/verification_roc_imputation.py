"""The area under the ROC curve of everyone screened, with the unverified filled in many times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import ScoreCounts, demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.roc_curve import RocResult, curve_points
from mhlib.stats.accuracy.verification_counts import reference_rows
from mhlib.stats.accuracy.verification_imputation import Units, rates_at_large, rates_by_cluster, rubin, units_of
from mhlib.stats.accuracy.verification_patterns import covariate_frame, patterns_of_rows
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import on_logit


def verification_imputed_roc(
    score: object,
    reference: object,
    *,
    m: int,
    seed: int,
    verified: object = None,
    covariates: object = None,
    cluster: object = None,
    direction: str = ">=",
    conf_level: float = 0.95,
) -> RocResult:
    """AUC of everyone screened by multiple imputation: the third way beside the two of verification_corrected_roc.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Everyone screened.
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified.
    m, seed : int
        Imputations (at least 2) and their seed.
    verified : array-like of 0/1 or bool, shape (n,), optional
        Default: the reference is present.
    covariates : Series or DataFrame, optional
        Join the score in the imputation model.
    cluster : array-like, shape (n,), optional
        Errors by cluster, and a random intercept by cluster in the imputation model.
    direction : {'>=', '<='}
    conf_level : float

    Returns
    -------
    RocResult
        `points` hold expected numbers, scaled to everyone screened. Logit interval by Rubin's rules.

    Raises
    ------
    DesignError
        No case or no non-case among the verified, a logistic model that they cannot carry, one cluster.
    DataError, ParamsError
        As in :func:`roc`; fewer than two imputations.

    Notes
    -----
    The case status is logistic in score, its square and the covariates: unlike the bands of
    :func:`verification_corrected_roc` this leans on a model. Within each completed data set DeLong's variance, or that
    of Obuchowski (1997) by cluster. Reference: Harel & Zhou (2006) Stat Med 25:3769.
    Checked against: simulated complete verification in tests/stats/test_verification.py.
    """
    where = "verification_imputed_roc"
    sign = demand_direction(direction, where=where)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if m < 2:
        raise ParamsError(f"{where}(m)", f"is {m}", allowed="2 or more", remedy="give m=50")
    score = inputs.numeric(score, where=where, name="score")
    case, seen = reference_rows(reference, verified, where=where)
    inputs.same_length(where, score=score, reference=case, cluster=cluster, covariates=covariates)
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    demand_both((case * seen).sum(), ((1 - case) * seen).sum(), where=where)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    values, _ = score_levels(sign * score)
    units, level = score_units(sign * score, values, case, seen, covariates, groups)
    found, expected = pooled_area(units, level, len(values), m, np.random.default_rng(seed))
    low, high = on_logit(found.value, found.std_error, conf_level, found.df)
    return RocResult(
        auc=found.value,
        std_error=found.std_error,
        conf_low=low,
        conf_high=high,
        points=curve_points(ScoreCounts(values, *expected), direction=direction),
        n_case=int((case * seen).sum()),
        n_noncase=int(((1 - case) * seen).sum()),
        n_clusters=None if groups is None else groups[1],
        seed=seed,
        direction=direction,
        n_used=len(score),
        n_excluded=0,
        method=f"AUC by multiple imputation, m = {m}, logit interval"
        + ("" if groups is None else ", random intercept and errors by cluster"),
        conf_level=conf_level,
    )


def score_units(
    score: np.ndarray, values: np.ndarray, case: np.ndarray, seen: np.ndarray, covariates: object, groups: tuple | None
) -> tuple[Units, np.ndarray]:
    """People alike in score, covariates and cluster, and the score level of each kind."""
    given = pd.DataFrame(index=range(len(score))) if covariates is None else covariate_frame(covariates)
    powers = pd.DataFrame({"own score": score, "own square": (score - score.mean()) ** 2})
    frame = pd.concat([powers, given], axis=1)
    patterns = patterns_of_rows(np.zeros(len(score)), case, seen, frame, groups)
    units = units_of(patterns)
    level = np.searchsorted(values, patterns.covariates["own score"].to_numpy())
    if groups is not None:
        level = level[np.unique(patterns.pattern * groups[1] + groups[0]) // groups[1]]
    return units, level


def pooled_area(units: Units, level: np.ndarray, n_levels: int, m: int, rng: np.random.Generator):
    """Give the pooled area, and expected cases and non-cases by level."""
    draw = rates_by_cluster(units, rng) if units.cluster is not None else rates_at_large(units, rng)
    unseen = (units.n - units.n_seen).astype(np.int64)
    values, within, cases = np.empty(m), np.empty(m), np.zeros(n_levels)
    for place in range(m):
        case = units.n_case + rng.binomial(unseen, draw())
        values[place], within[place] = area_and_variance(units, level, n_levels, case)
        cases += np.bincount(level, case, minlength=n_levels) / m
    complete_df = np.inf if units.cluster is None else units.n_clusters - 1
    return rubin(values, within, complete_df), (cases, np.bincount(level, units.n, minlength=n_levels) - cases)


def area_and_variance(units: Units, level: np.ndarray, n_levels: int, case: np.ndarray) -> tuple[float, float]:
    """Area of one completed data set with DeLong's variance, or Obuchowski's by cluster."""
    other = units.n - case
    by_case, by_other = (np.bincount(level, side, minlength=n_levels) for side in (case, other))
    n_case, n_other = by_case.sum(), by_other.sum()
    above = (np.cumsum(by_other) - by_other / 2) / n_other
    below = 1 - (np.cumsum(by_case) - by_case / 2) / n_case
    area = float(by_case @ above / n_case)
    if units.cluster is None:
        spread_case = by_case @ (above - area) ** 2 / (n_case - 1) / n_case
        return area, float(spread_case + by_other @ (below - area) ** 2 / (n_other - 1) / n_other)
    influence = case * (above - area)[level] / n_case + other * (below - area)[level] / n_other
    return area, variance_of_total(influence, (units.cluster, units.n_clusters))
