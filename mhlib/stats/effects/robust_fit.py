"""Regression with cluster-robust errors: by formula from rows, or from what each cluster adds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.robust_adjust import KINDS, Solved, adjusted, solved
from mhlib.stats.effects.robust_logit import adjusted_logit, fitted_logit
from mhlib.stats.effects.robust_record import ClusterRobustResult, record_of
from mhlib.stats.effects.robust_refusals import one_cluster_in_arm_refusal, one_cluster_refusal
from mhlib.stats.effects.robust_rows import Rows, rows_of
from mhlib.stats.effects.robust_sums import ClusterSums, checked_cluster_sums, school_average, sums_of_rows

FAMILIES = ("gaussian", "binomial")
ESTIMANDS = {"pupil": "every pupil weighs the same", "school": "every cluster weighs the same"}
ROOTS = ("exact", "whitened")


def cluster_robust(
    formula: str,
    data: pd.DataFrame,
    *,
    cluster: str,
    kind: str = "CR2",
    family: str = "gaussian",
    weights: str | None = None,
    estimand: str = "pupil",
    absorb: str | None = None,
    strata: str | None = None,
    arm: str | None = None,
    root: str = "exact",
    conf_level: float = 0.95,
) -> ClusterRobustResult | Refused:
    """Least squares or logistic regression whose errors allow for clusters, right also when clusters are few.

    Parameters
    ----------
    formula : str
        `outcome ~ treatment + covariates` in formulaic's language; text columns become dummies.
    data : DataFrame, one row a pupil (or a pupil and wave)
        Rows that miss any variable of the formula are left out and counted in `n_excluded`.
    cluster : str
        Column of the unit that was allocated: school or class.
    kind : {'CR2', 'CR0', 'CR1', 'CR1S', 'CR3'}
        CR2 is unbiased under equal variances, CR1S is Stata's, CR3 the cautious (jackknife-like) one.
    family : {'gaussian', 'binomial'}
        'binomial' is the logit; coefficients are log odds ratios.
    weights : str, optional
        Column of weights, of any scale. CR2 takes rows as equally variable all the same (as clubSandwich does for `lm`).
    estimand : {'pupil', 'school'}
        Average over pupils, or over clusters whatever their size (weights of 1 over the cluster's rows or weight).
    absorb : str, optional
        Column of groups within clusters whose fixed effects are taken out: the digits of a dummy a group. Not with
        weights, the logit or the school average, where they would not be the same digits.
    strata : str, optional
        Column of strata within which clusters were allocated; carried for the permutation.
    arm : str, optional
        Column of arms: a single cluster in one of them is refused.
    root : {'exact', 'whitened'}
        For CR2 of a logit. The exact root (clubSandwich's) takes time with the cube of covariate patterns in a cluster;
        the whitened one differs from about the third digit of the standard error and takes hardly any time.
    conf_level : float

    Returns
    -------
    ClusterRobustResult or Refused
        Refused (`one_cluster`, `one_cluster_in_arm`) where no error can be had at all.

    Raises
    ------
    DataError
        Columns the table lacks, rows without cluster, no complete row, a logit's outcome other than 0 and 1.
    DesignError
        Columns made from each other, an outcome that does not vary, groups of which there is one only, a stratum that
        differs within a cluster, a column the fixed effects swallow, perfect prediction.
    ParamsError
        An unknown kind, family, estimand or root; a formula that cannot be read; `absorb` where it cannot serve.

    Notes
    -----
    V = M (sum_g X_g'W A_g e_g e_g'A_g'W X_g) M with M = (X'WX)^-1; A_g = I (CR0), the inverse root of the residual maker's
    block (CR2) or its inverse (CR3). Degrees of freedom by Satterthwaite for each coefficient under equal variances.
    References: Bell & McCaffrey (2002) Survey Methodology 28:169; Pustejovsky & Tipton (2018) JBES 36:672.
    Checked against: tests/oracle/robust_values.csv (clubSandwich, survey).
    """
    where = "cluster_robust"
    checked_options(kind=kind, family=family, estimand=estimand, root=root, conf_level=conf_level, where=where)
    if absorb is not None and (weights is not None or family == "binomial" or estimand == "school"):
        raise ParamsError(
            f"{where}(absorb)", "serves neither weights, the logit nor the school average", remedy="use C(...) instead"
        )
    rows, used = rows_of(
        formula, data, cluster=cluster, weights=weights, strata=strata, absorb=absorb, arm=arm, where=where
    )
    refused = one_cluster_refusal(len(rows.clusters))
    if refused is None and arm is not None:
        refused = one_cluster_in_arm_refusal(clusters_by_arm(used[arm], rows.code))
    if refused is not None:
        return refused
    if family == "binomial":
        return logit_of(rows, kind=kind, estimand=estimand, root=root, conf_level=conf_level)
    sums = sums_of_rows(
        rows.x,
        rows.y,
        rows.code,
        names=rows.names,
        weights=rows.weights,
        clusters=rows.clusters,
        strata=rows.strata,
        n_absorbed=rows.n_absorbed,
    )
    return linear_of(sums, kind=kind, estimand=estimand, n_excluded=rows.n_excluded, conf_level=conf_level)


def cluster_robust_from_sums(
    sums: ClusterSums, *, kind: str = "CR2", estimand: str = "pupil", n_excluded: int = 0, conf_level: float = 0.95
) -> ClusterRobustResult | Refused:
    """Least squares with cluster-robust errors from the cross-products of each cluster; no row is needed.

    Parameters
    ----------
    sums : ClusterSums
    kind, estimand, conf_level
        As in :func:`cluster_robust`.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    ClusterRobustResult or Refused
        The digits of :func:`cluster_robust` on the rows, but for rounding where columns are nearly alike.

    Raises
    ------
    DataError
        Sums that do not fit each other.
    DesignError
        Columns made from each other.

    Notes
    -----
    Checked against: tests/oracle/robust_values.csv, cases hsb82 and star (clubSandwich on the rows).
    """
    where = "cluster_robust_from_sums"
    checked_options(kind=kind, family="gaussian", estimand=estimand, root="exact", conf_level=conf_level, where=where)
    sums = checked_cluster_sums(sums, where=where)
    refused = one_cluster_refusal(sums.n_clusters)
    if refused is not None:
        return refused
    return linear_of(sums, kind=kind, estimand=estimand, n_excluded=n_excluded, conf_level=conf_level)


def checked_options(*, kind: str, family: str, estimand: str, root: str, conf_level: float, where: str) -> None:
    """Refuse options that are not known."""
    inputs.one_of(kind, KINDS, where=where, name="kind")
    inputs.one_of(family, FAMILIES, where=where, name="family")
    inputs.one_of(estimand, tuple(ESTIMANDS), where=where, name="estimand")
    inputs.one_of(root, ROOTS, where=where, name="root")
    inputs.open_unit(conf_level, where=where, name="conf_level")


def clusters_by_arm(arm: pd.Series, code: np.ndarray) -> dict[object, int]:
    """Clusters in which each arm occurs."""
    pairs = pd.DataFrame({"arm": arm.to_numpy(), "code": code}).drop_duplicates()
    return pairs.groupby("arm", observed=True).size().to_dict()


def linear_of(
    sums: ClusterSums, *, kind: str, estimand: str, n_excluded: int, conf_level: float
) -> ClusterRobustResult:
    """Least squares of sums, weighted to the estimand."""
    sums = school_average(sums) if estimand == "school" else sums
    fit = solved(sums)
    weights = "weighted least squares" if sums.wxx is not None else "least squares"
    return record_of(
        adjusted(fit, kind),
        sums,
        terms=sums.names,
        cluster_rows=sums.n,
        clusters=sums.labels(),
        kind=kind,
        residual_sd=residual_sd(sums, fit),
        n_absorbed=sums.n_absorbed,
        conf_level=conf_level,
        family="gaussian",
        estimand=estimand,
        n_excluded=n_excluded,
        method=f"{weights}, {ESTIMANDS[estimand]}, {kind} by {sums.n_clusters} clusters, Satterthwaite df",
    )


def residual_sd(sums: ClusterSums, fit: Solved) -> float:
    """Root of the (weighted) residual sum of squares over n - p; NaN when no row is left over."""
    left = int(sums.n.sum()) - len(sums.names) - sums.n_absorbed
    return (
        math.sqrt(max(float(sums.yy.sum() - fit.coefficients @ fit.coefficients), 0.0) / left) if left > 0 else math.nan
    )


def logit_of(rows: Rows, *, kind: str, estimand: str, root: str, conf_level: float) -> ClusterRobustResult:
    """Logistic regression of rows, weighted to the estimand."""
    weights, size = rows.weights, np.bincount(rows.code)
    if estimand == "school":
        weights = np.ones(len(rows.y)) if weights is None else weights
        weights = weights / np.bincount(rows.code, weights=weights)[rows.code]
    fit = fitted_logit(rows.x, rows.y, rows.code, names=rows.names, weights=weights)
    rooted = f" ({root} root)" if kind == "CR2" else ""
    return record_of(
        adjusted_logit(fit, kind, root=root),
        None,
        terms=rows.names,
        cluster_rows=size,
        clusters=rows.clusters,
        kind=kind,
        residual_sd=math.nan,
        n_absorbed=0,
        conf_level=conf_level,
        family="binomial",
        estimand=estimand,
        n_excluded=rows.n_excluded,
        method=f"logit, {ESTIMANDS[estimand]}, {kind}{rooted} by {len(size)} clusters, Satterthwaite df",
    )
