"""The ROC curve of a score and the area under it, from rows or from counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import (
    ScoreCounts,
    checked_counts,
    count_scores,
    demand_both,
    demand_direction,
    score_levels,
)
from mhlib.stats.accuracy.placements import clustered_covariance, delong_variance, influences, placements
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame

UNVERIFIED = "keep only verified rows, or use verification_corrected_roc when verification depended on the score"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RocResult:
    """Area under the ROC curve with its interval, and the curve's points.

    Attributes
    ----------
    auc, std_error, conf_low, conf_high : float
        0–1. The interval is cut at 0 and 1. NaN standard error with a single case or non-case.
    points : pandas.DataFrame
        `cutoff, sensitivity, specificity, tp, fp, fn, tn`, one row per distinct score from low to high.
    n_case, n_noncase : int
        People by the reference standard.
    n_clusters, n_boot, seed : int or None
    n_boot_empty : int or None
        Resamples that held no case or no non-case: no part of the interval.
    """

    auc: float
    std_error: float
    conf_low: float
    conf_high: float
    points: pd.DataFrame = field(repr=False)
    n_case: int
    n_noncase: int
    n_clusters: int | None = None
    n_boot: int | None = None
    n_boot_empty: int | None = None
    seed: int | None = None
    direction: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, term `auc`."""
        row = {name: getattr(self, name) for name in ("std_error", "conf_low", "conf_high", "n_case", "n_noncase")}
        return term_frame([{"term": "auc", "estimate": self.auc, **row, "n_used": self.n_used}])


def roc(
    score: object,
    reference: object,
    *,
    direction: str = ">=",
    cluster: object = None,
    weights: object = None,
    conf_level: float = 0.95,
) -> RocResult:
    """ROC curve and area of a score against a reference standard.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        In the unit of the scale.
    reference : array-like of 0/1 or bool, shape (n,)
        1 = case by the reference standard.
    direction : {'>=', '<='}
        '>=' reads "positive when score >= c"; '<=' serves scales on which low is ill. Never guessed.
    cluster : array-like, shape (n,), optional
        School or class; the standard error is then Obuchowski's (1997).
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows; the standard error is then linearised.
    conf_level : float
        0–1.

    Returns
    -------
    RocResult

    Raises
    ------
    DataError
        A missing score or reference (counted), columns of different lengths, a reference other than 0 and 1.
    DesignError
        No case or no non-case.
    ParamsError
        An unknown direction.

    Notes
    -----
    AUC = P(score of a case > score of a non-case) + half P(equal). Missing values are an error, never dropped: a
    missing reference mostly means that verification depended on the score.
    References: DeLong, DeLong & Clarke-Pearson (1988) Biometrics 44:837; Obuchowski (1997) Biometrics 53:567.
    Checked against: tests/oracle/asah_auc.csv (pROC), tests/oracle/exam.csv.
    """
    sign = demand_direction(direction, where="roc")
    inputs.open_unit(conf_level, where="roc", name="conf_level")
    score, case = checked_rows(score, reference, where="roc", cluster=cluster, weights=weights)
    values, level = score_levels(sign * score)
    if cluster is None and weights is None:
        found = ScoreCounts(values, *count_scores(level, len(values), case, None))
        return from_counts(found, direction=direction, conf_level=conf_level)
    weight = inputs.weights_of(weights, len(score), where="roc")
    groups = None if cluster is None else inputs.codes(cluster, where="roc", name="cluster")
    found = ScoreCounts(values, *count_scores(level, len(values), case, weight))
    demand_both(found.case.sum(), found.noncase.sum(), where="roc")
    placed = placements(found.case, found.noncase)
    parts = influences(level, case, placed, weight)
    variance = clustered_covariance(parts[0][None], parts[1][None], case, groups)[0, 0]
    return roc_record(
        found,
        placed.auc,
        math.sqrt(variance),
        direction=direction,
        conf_level=conf_level,
        n_case=int((case == 1).sum()),
        n_noncase=int((case == 0).sum()),
        n_clusters=None if groups is None else groups[1],
        method=("weighted AUC, " if weights is not None else "AUC, ")
        + ("Obuchowski (1997) by cluster" if groups else "linearised standard error"),
    )


def roc_from_counts(
    score_values: object, n_case: object, n_noncase: object, *, direction: str = ">=", conf_level: float = 0.95
) -> RocResult:
    """ROC curve and area from the number of cases and of non-cases at each score.

    Parameters
    ----------
    score_values : array-like, shape (k,)
        Distinct scores, in any order.
    n_case, n_noncase : array-like of counts, shape (k,)
    direction, conf_level
        As in :func:`roc`.

    Returns
    -------
    RocResult
        The same digits as :func:`roc` on the rows.

    Raises
    ------
    DataError
        Different lengths, a score twice, a negative or missing count.
    DesignError
        No case or no non-case.

    Notes
    -----
    Reference: DeLong, DeLong & Clarke-Pearson (1988). Checked against: tests/oracle/asah_auc.csv (pROC).
    """
    sign = demand_direction(direction, where="roc_from_counts")
    inputs.open_unit(conf_level, where="roc_from_counts", name="conf_level")
    scores = sign * np.asarray(score_values, dtype=float)
    found = checked_counts(scores, n_case, n_noncase, where="roc_from_counts")
    return from_counts(found, direction=direction, conf_level=conf_level)


def checked_rows(score: object, reference: object, *, where: str, **others: object) -> tuple[np.ndarray, np.ndarray]:
    """Score and reference as floats without missing values, of one length with the other columns given."""
    score = inputs.numeric(score, where=where, name="score")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, score=score, reference=case, **others)
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    return score, case


def from_counts(found: ScoreCounts, *, direction: str, conf_level: float) -> RocResult:
    """DeLong's result from counts whose scores already rise towards ill."""
    demand_both(found.case.sum(), found.noncase.sum(), where="roc")
    placed = placements(found.case, found.noncase)
    return roc_record(
        found,
        placed.auc,
        math.sqrt(delong_variance(found.case, found.noncase, placed)),
        direction=direction,
        conf_level=conf_level,
        n_case=round(found.case.sum()),
        n_noncase=round(found.noncase.sum()),
        method="AUC, DeLong (1988)",
    )


def roc_record(
    found: ScoreCounts, auc: float, std_error: float, *, n_case: int, n_noncase: int, conf_level: float, **rest: object
) -> RocResult:
    """Put an area, its standard error and the curve of the counts together; Wald interval cut at 0 and 1."""
    low, high = wald(auc, std_error, conf_level)
    return RocResult(
        auc=auc,
        std_error=std_error,
        conf_low=float(np.maximum(low, 0)),
        conf_high=float(np.minimum(high, 1)),
        points=curve_points(found, direction=rest["direction"]),
        n_case=n_case,
        n_noncase=n_noncase,
        n_used=n_case + n_noncase,
        n_excluded=0,
        conf_level=conf_level,
        **rest,
    )


def curve_points(found: ScoreCounts, *, direction: str) -> pd.DataFrame:
    """Table of every cut-off in rising order of the scale's own score; counts are floats when weighted."""
    tp = found.case[::-1].cumsum()[::-1]
    fp = found.noncase[::-1].cumsum()[::-1]
    fn, tn = found.case.sum() - tp, found.noncase.sum() - fp
    sign = 1 if direction == ">=" else -1
    table = pd.DataFrame(
        {
            "cutoff": sign * found.score + 0.0,
            "sensitivity": tp / found.case.sum(),
            "specificity": tn / found.noncase.sum(),
            "tp": tp,
            "fp": fp,
            "fn": fn,
            "tn": tn,
        }
    )
    return table[::sign].reset_index(drop=True)
