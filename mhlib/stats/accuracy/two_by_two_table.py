"""Sensitivity, specificity and their kin from the four cells of a test against a reference standard."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.accuracy.roc_curve import UNVERIFIED
from mhlib.stats.clustered import cluster_sums, share
from mhlib.stats.intervals import BINOMIAL, binomial, critical, on_log, on_logit, wald
from mhlib.stats.terms import term_frame

# Each share is (cells of the numerator, cells of the denominator).
SHARES = {
    "sensitivity": (("tp",), ("tp", "fn")),
    "specificity": (("tn",), ("tn", "fp")),
    "ppv": (("tp",), ("tp", "fp")),
    "npv": (("tn",), ("tn", "fn")),
    "accuracy": (("tp", "tn"), ("tp", "fp", "fn", "tn")),
    "prevalence": (("tp", "fn"), ("tp", "fp", "fn", "tn")),
    "apparent_prevalence": (("tp", "fp"), ("tp", "fp", "fn", "tn")),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoByTwo:
    """Every measure of a two-by-two table; shares 0–1, ratios on their own scale, NaN where a denominator is 0."""

    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    accuracy: float
    prevalence: float
    apparent_prevalence: float
    youden: float
    lr_positive: float
    lr_negative: float
    dor: float
    tp: float
    fp: float
    fn: float
    tn: float
    terms: pd.DataFrame = field(repr=False)
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure; shares carry numerator and denominator."""
        return self.terms.assign(n_used=self.n_used)


def two_by_two(tp: int, fp: int, fn: int, tn: int, *, ci: str = "wilson", conf_level: float = 0.95) -> TwoByTwo:
    """Accuracy of a test from its four counts.

    Parameters
    ----------
    tp, fp, fn, tn : int
        True and false positives, false and true negatives.
    ci : {'wilson', 'exact', 'agresti_coull', 'jeffreys'}
        Interval of the shares. Ratios have log intervals, Youden's J a Wald interval.
    conf_level : float

    Returns
    -------
    TwoByTwo
        `prevalence` is that of the table: the share of cases among those verified. A zero cell leaves the interval of
        the ratios it enters undefined (NaN); no half is added in silence.

    Raises
    ------
    DataError
        A cell that is not a count.
    DesignError
        An empty table.

    Notes
    -----
    LR+ = Se/(1 - Sp), LR- = (1 - Se)/Sp, DOR = tp tn/(fp fn), J = Se + Sp - 1.
    References: Wilson (1927); Simel et al. (1991) for likelihood ratios; Woolf (1955).
    Checked against: tests/stats/test_accuracy.py (epiR), Richardson 2010, Allgaier 2012.
    """
    inputs.one_of(ci, tuple(BINOMIAL), where="two_by_two", name="ci")
    inputs.open_unit(conf_level, where="two_by_two", name="conf_level")
    given = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    cells = {name: inputs.count(value, where="two_by_two", name=name) for name, value in given.items()}
    if sum(cells.values()) == 0:
        raise DesignError("two_by_two", "all four cells are 0", allowed="at least one person")
    rows = []
    for name, (top, bottom) in SHARES.items():
        x, n = sum(cells[cell] for cell in top), sum(cells[cell] for cell in bottom)
        low, high = binomial(x, n, ci=ci, conf_level=conf_level)
        p = x / n if n else math.nan
        std_error = math.sqrt(p * (1 - p) / n) if n else math.nan
        bounds = {"std_error": std_error, "conf_low": low, "conf_high": high}
        rows.append({"term": name, "estimate": p, **bounds, "numerator": x, "denominator": n})
    se, sp = rows[0], rows[1]
    # Independent groups (cases, non-cases), so the log variances of Simel and of Woolf follow from the two shares.
    rows += ratio_terms(se["estimate"], sp["estimate"], se["std_error"], sp["std_error"], conf_level)
    method = f"counts, {ci} intervals of shares"
    return table_record(rows, cells, method=method, conf_level=conf_level, n_used=sum(cells.values()))


def two_by_two_from_rows(
    test: object,
    reference: object,
    *,
    cluster: object = None,
    weights: object = None,
    ci: str = "wilson",
    conf_level: float = 0.95,
) -> TwoByTwo:
    """Accuracy of a test from rows, cluster-robust when clusters are named.

    Parameters
    ----------
    test, reference : array-like of 0/1 or bool, shape (n,)
    cluster : array-like, shape (n,), optional
        School or class: shares then have linearised standard errors and logit intervals on t with clusters - 1 df.
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows.
    ci, conf_level
        As in :func:`two_by_two`; `ci` serves only rows without clusters and weights.

    Returns
    -------
    TwoByTwo
        Without clusters and weights, the digits of :func:`two_by_two`.

    Raises
    ------
    DataError
        Missing values, or values other than 0 and 1.
    DesignError
        Fewer than two clusters.

    Notes
    -----
    Youden's J and the ratios by the delta method, with the covariance that Se and Sp have within schools.
    Reference: Woodruff (1971) linearisation; Korn & Graubard (1999) for the logit interval.
    Checked against: tests/oracle/exam.csv (survey::svyciprop), tests/oracle/decision_ratios.csv (survey::svycontrast).
    """
    where = "two_by_two_from_rows"
    test = inputs.binary(test, where=where, name="test")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, test=test, reference=case, cluster=cluster, weights=weights)
    inputs.without_missing(test, where=where, name="test", remedy="leave unscored rows out and report how many")
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    weight = inputs.weights_of(weights, len(test), where=where)
    members = {"tp": test * case, "fp": test * (1 - case), "fn": (1 - test) * case, "tn": (1 - test) * (1 - case)}
    cells = {name: float((weight * member).sum()) for name, member in members.items()}
    if cluster is None and weights is None:
        return two_by_two(**cells, ci=ci, conf_level=conf_level)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    rows = [linearised_row(name, members, weight, groups, conf_level) for name in SHARES]
    se, sp = rows[0], rows[1]
    df = math.inf if groups is None else groups[1] - 1
    rows += ratio_terms(
        se["estimate"],
        sp["estimate"],
        se["std_error"],
        sp["std_error"],
        conf_level,
        covariance=accuracy_covariance(members, weight, groups),
        df=df,
    )
    method = "linearised, logit intervals" + ("" if groups is None else f" on t with {groups[1] - 1} df")
    return table_record(
        rows,
        cells,
        method=method,
        conf_level=conf_level,
        n_used=len(test),
        n_clusters=None if groups is None else groups[1],
    )


def linearised_row(
    name: str,
    members: dict[str, np.ndarray],
    weight: np.ndarray,
    groups: tuple[np.ndarray, int] | None,
    conf_level: float,
) -> dict[str, object]:
    """One share with its linearised standard error and logit interval."""
    top, bottom = SHARES[name]
    positive, domain = sum(members[cell] for cell in top), sum(members[cell] for cell in bottom)
    found = share(positive, domain, weights=weight, cluster=groups)
    low, high = on_logit(found.value, found.std_error, conf_level, found.df)
    bounds = {"std_error": found.std_error, "conf_low": low, "conf_high": high}
    n_positive = int((positive * (weight > 0)).sum())
    return {"term": name, "estimate": found.value, **bounds, "numerator": n_positive, "denominator": found.n}


def accuracy_covariance(
    members: dict[str, np.ndarray], weight: np.ndarray, groups: tuple[np.ndarray, int] | None
) -> float:
    """Covariance of sensitivity and specificity within schools; 0 when people are independent, for they share nobody."""
    if groups is None:
        return 0.0
    sums = []
    for name in ("sensitivity", "specificity"):
        top, bottom = (weight * sum(members[cell] for cell in cells) for cells in SHARES[name])
        if bottom.sum() == 0:
            return math.nan
        sums.append(cluster_sums((top - top.sum() / bottom.sum() * bottom) / bottom.sum(), groups))
    return float(np.cov(*sums)[0, 1] * groups[1])


def ratio_terms(
    se: float,
    sp: float,
    error_se: float,
    error_sp: float,
    conf_level: float,
    *,
    covariance: float = 0.0,
    df: float = math.inf,
) -> list[dict[str, object]]:
    """Youden's J, likelihood ratios and diagnostic odds ratio, by the delta method from Se, Sp and their covariance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        se_, sp_, one = np.float64(se), np.float64(sp), np.float64(1)
        ratios = {"lr_positive": se_ / (one - sp_), "lr_negative": (one - se_) / sp_}
        ratios["dor"] = ratios["lr_positive"] / ratios["lr_negative"]
        # Slopes of each log ratio in Se and in Sp.
        slopes = {
            "lr_positive": (1 / se_, 1 / (one - sp_)),
            "lr_negative": (-1 / (one - se_), -1 / sp_),
            "dor": (1 / (se_ * (one - se_)), 1 / (sp_ * (one - sp_))),
        }
        error = math.sqrt(max(error_se**2 + error_sp**2 + 2 * covariance, 0.0)) if error_se == error_se else math.nan
        youden = se + sp - 1
        low, high = wald(youden, error, conf_level, df)
        first = {"std_error": error, "conf_low": np.maximum(low, -1.0), "conf_high": np.minimum(high, 1.0)}
        rows = [{"term": "youden", "estimate": youden, **first}]
        for name, ratio in ratios.items():
            a, b = slopes[name]
            variance = (a * error_se) ** 2 + (b * error_sp) ** 2 + 2 * a * b * covariance
            # t instead of normal quantiles within clusters: the error is stretched, on_log knows the normal only.
            stretch = critical(conf_level, df) / critical(conf_level)
            low, high = on_log(float(ratio), float(np.sqrt(variance)) * stretch, conf_level)
            rows.append({"term": name, "estimate": float(ratio), "conf_low": low, "conf_high": high})
    return rows


def table_record(rows: list[dict[str, object]], cells: dict[str, float], **rest: object) -> TwoByTwo:
    """Rows of terms and four cells as a record."""
    estimates = {row["term"]: float(row["estimate"]) for row in rows}
    return TwoByTwo(**estimates, **cells, terms=term_frame(rows), n_excluded=0, **rest)
