"""Do teachers tell a pupil who needs referral from one who does not, and do they refer too readily?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.accuracy.vignette_rates import (
    CORRECTIONS,
    clustered_covariance,
    deviates_of,
    sensitivity_and_criterion,
)
from mhlib.stats.accuracy.vignette_types import confusion_table, labels_of, type_table
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame

# Below 4 df no t interval can be trusted (Tipton 2015).
FEWEST_DF = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VignetteDetectionResult:
    """Detection in judged vignettes.

    Attributes
    ----------
    d_prime, criterion : float
        In standard deviations of the evidence: 0 is chance and 0 is no leaning; a criterion below 0 refers readily.
    d_prime_error, d_prime_low, d_prime_high, criterion_error, criterion_low, criterion_high : float
    hit_rate, false_alarm_rate : float
        Corrected.
    hits, cases, false_alarms, noncases : int
        Answers.
    types : pandas.DataFrame
        `term` (type)`, error` ('over-referral' or 'under-referral')`, estimate` (share of wrong answers)`, std_error,
        conf_low, conf_high, n_wrong, n`; empty from counts.
    confusion : pandas.DataFrame
        `type, should_refer, referred, not_referred, n`; type 'all' for all together.
    df : float
    """

    d_prime: float
    d_prime_error: float
    d_prime_low: float
    d_prime_high: float
    criterion: float
    criterion_error: float
    criterion_low: float
    criterion_high: float
    hit_rate: float
    false_alarm_rate: float
    hits: int
    cases: int
    false_alarms: int
    noncases: int
    types: pd.DataFrame = field(repr=False)
    confusion: pd.DataFrame = field(repr=False)
    df: float
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `d_prime`, `criterion`, `hit_rate`, `false_alarm_rate`, then wrong answers by type; `kind` tells them apart."""
        rows = [
            {"term": name, "estimate": getattr(self, name), "std_error": getattr(self, f"{name}_error"),
             "conf_low": getattr(self, f"{name}_low"), "conf_high": getattr(self, f"{name}_high"), "kind": "detection"}
            for name in ("d_prime", "criterion")
        ]  # fmt: skip
        rows += [
            {"term": name, "estimate": getattr(self, name), "kind": "rate"} for name in ("hit_rate", "false_alarm_rate")
        ]
        rows += [
            {**row, "kind": row["error"]}
            for row in self.types.drop(columns=["n_wrong"], errors="ignore").to_dict("records")
        ]
        return term_frame([{k: v for k, v in row.items() if k != "error"} for row in rows]).assign(df=self.df)


def vignette_detection(
    referred: object,
    should_refer: object,
    *,
    vignette_type: object = None,
    cluster: object = None,
    correction: str = "loglinear",
    conf_level: float = 0.95,
) -> VignetteDetectionResult | Refused:
    """Sensitivity d' and criterion c of answers to vignettes with a known right answer.

    Parameters
    ----------
    referred : array-like of 0/1, shape (n,)
        One row a teacher and vignette: whether the teacher would refer; missing answers are left out and counted.
    should_refer : array-like of 0/1, shape (n,)
        The right answer, agreed by experts before.
    vignette_type : array-like, shape (n,), optional
        'internalising', 'self-harm', 'normal distress' ...: all of one type share a right answer.
    cluster : array-like, shape (n,), optional
        Teacher, or school: answers of one teacher are never independent, so give the one or the other.
    correction : {'loglinear', 'none'}
        Adds half an answer to each cell; without it perfect rates have no d'.
    conf_level : float

    Returns
    -------
    VignetteDetectionResult or Refused
        Refused (`one_kind_of_vignette`) where all vignettes have the same right answer. Of all answers together: where
        teachers lean differently this lies below the mean of their own d'.

    Raises
    ------
    DataError
        Codes other than 0 and 1, a missing right answer, columns of different lengths, a type with two right answers.
    DesignError
        A rate of 0 or 1 without correction; a single cluster.
    ParamsError
        An unknown correction.

    Notes
    -----
    d' = z(H) - z(F), c = -(z(H) + z(F)) / 2. Errors by Gourevitch & Galanter for independent answers, by sums over clusters
    (t with clusters - 1 df, no interval below 4 df) else; where a rate is 0 or 1 clusters add nothing and the first is used,
    as `method` says. References: Macmillan & Creelman (2005); Hautus (1995) Behav Res Methods 27:46.
    Checked against: tests/oracle/training_signal.csv (R).
    """
    where = "vignette_detection"
    inputs.one_of(correction, CORRECTIONS, where=where, name="correction")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    n = inputs.same_length(
        where, referred=referred, should_refer=should_refer, vignette_type=vignette_type, cluster=cluster
    )
    answer = inputs.binary(referred, where=where, name="referred")
    case = inputs.binary(should_refer, where=where, name="should_refer")
    inputs.without_missing(case, where=where, name="should_refer", remedy="give every vignette its right answer")
    label = labels_of(vignette_type, case, n, where)
    kept = ~np.isnan(answer)
    answer, case, label = answer[kept], case[kept], label[kept]
    if refused := one_kind(case):
        return refused
    groups = None
    if cluster is not None:
        groups = inputs.codes(np.asarray(cluster, dtype=object)[kept], where=where, name="cluster")
        if groups[1] < 2:
            raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    counts = [
        int(answer[case == 1].sum()),
        int((case == 1).sum()),
        int(answer[case == 0].sum()),
        int((case == 0).sum()),
    ]
    types = type_table(answer, case, label, groups, conf_level=conf_level)
    found = deviates_of(*counts, correction)
    by_cluster = None if groups is None else clustered_covariance(found, answer, case, groups)
    return record_of(
        found if by_cluster is None else replace(found, covariance=by_cluster),
        counts,
        types=types,
        confusion=confusion_table(answer, case, label),
        df=math.inf if by_cluster is None else groups[1] - 1,
        n_clusters=None if groups is None else groups[1],
        n_excluded=int((~kept).sum()),
        method=f"{correction} correction, " + errors_words(groups, by_cluster),
        conf_level=conf_level,
    )


def vignette_detection_from_counts(
    hits: int, cases: int, false_alarms: int, noncases: int, *, correction: str = "loglinear", conf_level: float = 0.95
) -> VignetteDetectionResult | Refused:
    """Sensitivity and criterion from four counts of independent answers.

    Parameters
    ----------
    hits, cases : int
        Answers 'refer' among answers to vignettes that should be referred.
    false_alarms, noncases : int
        Answers 'refer' among answers to the others.
    correction, conf_level
        As in :func:`vignette_detection`.

    Returns
    -------
    VignetteDetectionResult or Refused

    Raises
    ------
    DataError
        No counts, more answers 'refer' than answers.
    DesignError
        A rate of 0 or 1 without correction.
    """
    where = "vignette_detection_from_counts"
    inputs.one_of(correction, CORRECTIONS, where=where, name="correction")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    given = {"hits": hits, "cases": cases, "false_alarms": false_alarms, "noncases": noncases}
    counts = [inputs.count(value, where=where, name=name) for name, value in given.items()]
    if counts[0] > counts[1] or counts[2] > counts[3]:
        raise DataError(where, "more answers 'refer' than answers", allowed="hits <= cases, false_alarms <= noncases")
    if refused := one_kind(np.repeat([1.0, 0.0], [counts[1], counts[3]])):
        return refused
    case = np.repeat([1.0, 1.0, 0.0, 0.0], [counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]])
    answer = np.repeat([1.0, 0.0, 1.0, 0.0], [counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]])
    label = labels_of(None, case, len(case), where)
    return record_of(
        deviates_of(*counts, correction),
        counts,
        types=type_table(answer, case, label, None, conf_level=conf_level),
        confusion=confusion_table(answer, case, label),
        df=math.inf,
        n_clusters=None,
        n_excluded=0,
        method=f"{correction} correction, " + errors_words(None, None),
        conf_level=conf_level,
    )


def one_kind(case: np.ndarray) -> Refused | None:
    """Refusal, code `one_kind_of_vignette`."""
    if len(case) and case.min() != case.max():
        return None
    return Refused(
        "one_kind_of_vignette",
        message("All vignettes answered have the same right answer: telling them apart cannot be judged."),
        message("Add vignettes of the other kind: pupils with ordinary distress beside pupils who need referral."),
    )


def errors_words(groups: tuple[np.ndarray, int] | None, by_cluster: np.ndarray | None) -> str:
    """How errors were had."""
    if groups is None:
        return "Gourevitch & Galanter errors of independent answers"
    if by_cluster is None:
        return "Gourevitch & Galanter errors that ignore clusters: everybody or nobody referred one kind"
    return f"errors by {groups[1]} clusters, t with {groups[1] - 1} df"


def record_of(
    found: object, counts: list[int], *, df: float, conf_level: float, **rest: object
) -> VignetteDetectionResult:
    """Deviates in their record."""
    d, d_error, c, c_error = sensitivity_and_criterion(found)
    few = df < FEWEST_DF
    d_bounds, c_bounds = (
        (math.nan, math.nan) if few else wald(value, error, conf_level, df)
        for value, error in ((d, d_error), (c, c_error))
    )
    return VignetteDetectionResult(
        d_prime=d,
        d_prime_error=d_error,
        d_prime_low=d_bounds[0],
        d_prime_high=d_bounds[1],
        criterion=c,
        criterion_error=c_error,
        criterion_low=c_bounds[0],
        criterion_high=c_bounds[1],
        hit_rate=found.hit_rate,
        false_alarm_rate=found.false_alarm_rate,
        hits=counts[0],
        cases=counts[1],
        false_alarms=counts[2],
        noncases=counts[3],
        df=df,
        n_used=counts[1] + counts[3],
        conf_level=conf_level,
        **rest,
    )
