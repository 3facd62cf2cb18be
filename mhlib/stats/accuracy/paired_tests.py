"""Which of two screens is more accurate, when the same people took both and all were verified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.accuracy.paired_statistics import PairedCells, generalised_scores, mcnemar, tango
from mhlib.stats.accuracy.roc_curve import UNVERIFIED
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import binomial, critical, on_logit, wald
from mhlib.stats.terms import term_frame

# The eight kinds of people: result of the first test, of the second, and the reference.
FIRST = np.array([1, 1, 0, 0, 1, 1, 0, 0], dtype=float)
SECOND = np.array([1, 0, 1, 0, 1, 0, 1, 0], dtype=float)
CASE = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=float)
Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedComparison:
    """Accuracy of two tests of the same people, their differences (second - first) and ratios (second / first).

    Attributes
    ----------
    case, noncase : PairedCells
        People by both tests: both positive, first only, second only, neither.
    terms : pandas.DataFrame
        `<measure>_first`, `<measure>_second` and `<measure>_difference` for sensitivity, specificity, ppv, npv;
        `lr_positive_ratio`, `lr_negative_ratio`. A difference has `statistic`, `test`, and a second test's
        `other_statistic`, `other_p`, `other_test`.
    """

    case: PairedCells
    noncase: PairedCells
    names: tuple[str, str]
    terms: pd.DataFrame = field(repr=False)
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an accuracy, a difference or a ratio."""
        return self.terms.assign(n_used=self.n_used)


def compare_tests(
    first: object,
    second: object,
    reference: object,
    *,
    names: Sequence[str] = ("first", "second"),
    cluster: object = None,
    conf_level: float = 0.95,
) -> PairedComparison:
    """Compare two tests applied to the same people.

    Parameters
    ----------
    first, second, reference : array-like of 0/1 or bool, shape (n,)
    names : pair of str
        For display only; terms keep `first` and `second`.
    cluster : array-like, shape (n,), optional
        School or class: every difference is then tested by its linearised error on t with clusters - 1 df, for the
        tests of independent pairs do not hold.
    conf_level : float

    Returns
    -------
    PairedComparison

    Raises
    ------
    DataError
        Missing values (an unverified person among them), other values than 0 and 1, different lengths.
    DesignError
        No case or no non-case; fewer than two clusters.

    Notes
    -----
    Sensitivity and specificity: McNemar (1947) with Tango's (1998) interval of the difference, and the exact test.
    Predictive values: weighted generalised score (Kosinski 2013, Stat Med 32:964), and the generalised score (Leisenring,
    Alonzo & Pepe 2000, Biometrics 56:345); interval by the delta method. Likelihood ratios: Gu & Pepe (2009) on the log
    scale. Checked against: tests/stats/test_decision.py (DTComPair, as printed in its manual).
    """
    where = "compare_tests"
    columns = {"first": first, "second": second, "reference": reference}
    rows = {name: inputs.binary(values, where=where, name=name) for name, values in columns.items()}
    inputs.same_length(where, **rows, cluster=cluster)
    for name, values in rows.items():
        remedy = UNVERIFIED if name == "reference" else "compare those who took both and report how many did not"
        inputs.without_missing(values, where=where, name=name, remedy=remedy)
    kind = (7 - (4 * rows["reference"] + 2 * rows["first"] + rows["second"])).astype(int)
    number = np.bincount(kind, minlength=8)
    if cluster is None:
        return compare_tests_from_counts(number[:4], number[4:], names=names, conf_level=conf_level)
    groups = inputs.codes(cluster, where=where, name="cluster")
    if groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    return comparison_record(number.astype(float), names, conf_level, clusters=(kind, groups))


def compare_tests_from_counts(
    case: Sequence[int], noncase: Sequence[int], *, names: Sequence[str] = ("first", "second"), conf_level: float = 0.95
) -> PairedComparison:
    """Compare two tests from the paired cells.

    Parameters
    ----------
    case, noncase : sequence of four counts
        Both positive, only the first, only the second, neither; of cases and of non-cases.
    names, conf_level
        As in :func:`compare_tests`.

    Returns
    -------
    PairedComparison
        The same digits as :func:`compare_tests` on the rows.

    Raises
    ------
    DataError
        Cells that are not counts, or not four of them.
    DesignError
        No case or no non-case.

    Notes
    -----
    Checked against: tests/stats/test_decision.py (DTComPair, as printed in its manual).
    """
    where = "compare_tests_from_counts"
    inputs.same_length(where, case=case, noncase=noncase, cells=("both", "first", "second", "neither"))
    number = [inputs.count(value, where=where, name="cells") for value in (*case, *noncase)]
    return comparison_record(np.array(number, dtype=float), names, conf_level)


def comparison_record(
    number: np.ndarray,
    names: Sequence[str],
    conf_level: float,
    *,
    clusters: tuple[np.ndarray, Cluster] | None = None,
) -> PairedComparison:
    """All terms from the eight counts; `clusters` holds each person's kind and school."""
    inputs.open_unit(conf_level, where="compare_tests", name="conf_level")
    if number[:4].sum() == 0 or number[4:].sum() == 0:
        kind = "case" if number[:4].sum() == 0 else "non-case"
        raise DesignError("compare_tests", f"no {kind} by the reference standard", allowed="at least one of each")
    case, noncase = PairedCells(*number[:4].tolist()), PairedCells(*number[4:].tolist())
    df = math.inf if clusters is None else clusters[1][1] - 1
    values, influence = accuracies(number, numerators())
    rows = []
    for measure in ("sensitivity", "specificity", "ppv", "npv"):
        for which in ("first", "second"):
            rows.append(accuracy_row(f"{measure}_{which}", values, influence, number, clusters, conf_level, df))
        gap = influence[f"{measure}_second"] - influence[f"{measure}_first"]
        error = spread(gap, number, clusters)
        estimate = values[f"{measure}_second"] - values[f"{measure}_first"]
        low, high = wald(estimate, error, conf_level, df)
        row = {"term": f"{measure}_difference", "estimate": estimate, "std_error": error}
        row |= {"conf_low": np.maximum(low, -1), "conf_high": np.minimum(high, 1)}
        if clusters is None:
            row |= pair_tests(measure, case, noncase, conf_level)
        else:
            row |= wald_test(estimate, error, df, "linearised by cluster")
        rows.append(row)
    rows += ratios(values, influence, number, clusters, conf_level, df)
    return PairedComparison(
        case=case,
        noncase=noncase,
        names=(str(names[0]), str(names[1])),
        terms=term_frame(rows),
        n_clusters=None if clusters is None else clusters[1][1],
        n_used=int(number.sum()),
        n_excluded=0,
        method="paired tests" + ("" if clusters is None else ", linearised by cluster"),
        conf_level=conf_level,
    )


def accuracy_row(
    name: str,
    values: dict[str, float],
    influence: dict[str, np.ndarray],
    number: np.ndarray,
    clusters: tuple[np.ndarray, Cluster] | None,
    conf_level: float,
    df: float,
) -> dict[str, object]:
    """One accuracy of one test: Wilson's interval, or on the logit within clusters."""
    error = spread(influence[name], number, clusters)
    if clusters is None:
        top, bottom = (round(float(number @ part)) for part in numerators()[name])
        low, high = binomial(top, bottom, ci="wilson", conf_level=conf_level)
    else:
        low, high = on_logit(values[name], error, conf_level, df)
    return {"term": name, "estimate": values[name], "std_error": error, "conf_low": low, "conf_high": high}


def numerators() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Which of the eight kinds stand in the numerator and in the denominator of each accuracy."""
    parts = {}
    for which, test in (("first", FIRST), ("second", SECOND)):
        parts[f"sensitivity_{which}"] = (test * CASE, CASE)
        parts[f"specificity_{which}"] = ((1 - test) * (1 - CASE), 1 - CASE)
        parts[f"ppv_{which}"] = (test * CASE, test)
        parts[f"npv_{which}"] = ((1 - test) * (1 - CASE), 1 - test)
    return parts


def accuracies(
    number: np.ndarray, parts: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Each accuracy, and what one person of each of the eight kinds adds to it."""
    values, influence = {}, {}
    for name, (top, bottom) in parts.items():
        total = float(number @ bottom)
        values[name] = float(number @ top) / total if total > 0 else math.nan
        influence[name] = (top - values[name] * bottom) / total if total > 0 else np.full(8, math.nan)
    return values, influence


def spread(influence: np.ndarray, number: np.ndarray, clusters: tuple[np.ndarray, Cluster] | None) -> float:
    """Standard error from the influence of each kind of person."""
    if clusters is None:
        # A kind that nobody belongs to adds nothing, even where its influence is not defined.
        return math.sqrt(float((number[number > 0] * influence[number > 0] ** 2).sum()))
    return math.sqrt(variance_of_total(influence[clusters[0]], clusters[1]))


def pair_tests(measure: str, case: PairedCells, noncase: PairedCells, conf_level: float) -> dict[str, object]:
    """Tests, and for sensitivity and specificity Tango's interval, of independent pairs."""
    if measure in ("sensitivity", "specificity"):
        cells = case if measure == "sensitivity" else noncase.turned()
        chi2, p_value, exact = mcnemar(cells)
        low, high = tango(cells, conf_level)
        found = {"conf_low": low, "conf_high": high, "p_value": p_value, "statistic": chi2, "test": "McNemar"}
        return found | {"other_p": exact, "other_test": "exact McNemar"}
    pair = (case, noncase) if measure == "ppv" else (noncase.turned(), case.turned())
    score, weighted = generalised_scores(*pair)
    found = {"statistic": weighted, "p_value": float(stats.chi2.sf(weighted, 1)), "test": "weighted generalised score"}
    other = {"other_statistic": score, "other_p": float(stats.chi2.sf(score, 1)), "other_test": "generalised score"}
    return found | other


def wald_test(estimate: float, std_error: float, df: float, test: str) -> dict[str, object]:
    """Two-sided test of zero."""
    if not std_error > 0:
        return {"statistic": math.nan, "p_value": math.nan, "test": test}
    statistic = estimate / std_error
    p_value = 2 * (stats.norm.sf(abs(statistic)) if math.isinf(df) else stats.t.sf(abs(statistic), df))
    return {"statistic": statistic, "p_value": float(p_value), "test": test}


def ratios(
    values: dict[str, float],
    influence: dict[str, np.ndarray],
    number: np.ndarray,
    clusters: tuple[np.ndarray, Cluster] | None,
    conf_level: float,
    df: float,
) -> list[dict[str, object]]:
    """Ratios of likelihood ratios, second / first, with log intervals; NaN bounds where a rate is 0 or 1."""
    rows = []
    for term, flip in (("lr_positive_ratio", False), ("lr_negative_ratio", True)):
        estimate, log_influence = 1.0, np.zeros(8)
        for which, side in (("second", 1), ("first", -1)):
            se, sp = values[f"sensitivity_{which}"], values[f"specificity_{which}"]
            of_se, of_sp = influence[f"sensitivity_{which}"], influence[f"specificity_{which}"]
            hit, alarm = (1 - se, sp) if flip else (se, 1 - sp)
            sign = -1 if flip else 1
            with np.errstate(divide="ignore", invalid="ignore"):
                estimate = float(np.float64(estimate) * (np.float64(hit) / np.float64(alarm)) ** side)
                log_influence = log_influence + side * sign * (of_se / np.float64(hit) + of_sp / np.float64(alarm))
        row = {"term": term, "estimate": estimate}
        if 0 < estimate < math.inf:
            error = spread(log_influence, number, clusters)
            reach = critical(conf_level, df) * error
            row |= {"conf_low": estimate * math.exp(-reach), "conf_high": estimate * math.exp(reach)}
            row |= wald_test(math.log(estimate), error, df, "Wald on the log ratio")
        rows.append(row)
    return rows
