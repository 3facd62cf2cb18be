"""Are two or more curves different? Paired on the same people, or of independent groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import count_scores, demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.placements import Cluster, clustered_covariance, influences, placements
from mhlib.stats.accuracy.roc_curve import UNVERIFIED, RocResult
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RocComparison:
    """AUCs, their differences with interval and p, and one joint test that all are equal.

    Attributes
    ----------
    aucs : pandas.Series
        By name of the score.
    covariance : pandas.DataFrame
        Of the AUCs.
    chi2, df, p_value : float
        Joint Wald test of equality (paired); Welch's D and its df for independent curves (`chi2` is then NaN).
    """

    aucs: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    chi2: float
    df: float
    p_value: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per AUC, then one per difference (`<later> - <first>`) with its p-value and statistic."""
        rows = []
        for name, auc in self.aucs.items():
            std_error = math.sqrt(self.covariance.loc[name, name])
            low, high = wald(auc, std_error, self.conf_level)
            bounds = {"conf_low": float(np.maximum(low, 0)), "conf_high": float(np.minimum(high, 1))}
            rows.append({"term": str(name), "estimate": auc, "std_error": std_error, **bounds, "statistic": math.nan})
        return term_frame([{**row, "n_used": self.n_used} for row in [*rows, *self.differences.to_dict("records")]])


def compare_roc(
    scores: pd.DataFrame,
    reference: object,
    *,
    direction: str | Mapping[str, str] = ">=",
    cluster: object = None,
    conf_level: float = 0.95,
) -> RocComparison:
    """Compare the AUCs of two or more scores of the same people.

    Parameters
    ----------
    scores : pandas.DataFrame, shape (n, k), k >= 2
        One column per score; the first is what the others are compared with.
    reference : array-like of 0/1 or bool, shape (n,)
    direction : {'>=', '<='} or mapping of column to one of these
        One direction for all, or one for each column by name. Never guessed.
    cluster : array-like, shape (n,), optional
    conf_level : float

    Returns
    -------
    RocComparison

    Raises
    ------
    DataError
        A missing score or reference: the comparison is of the same people, so the caller says which.
    ParamsError
        Fewer than two scores, or a column without a direction.

    Notes
    -----
    z = (AUC_b - AUC_a) / sqrt(v_a + v_b - 2 c_ab); joint chi-square = (L a)' (L V L')^-1 (L a).
    Reference: DeLong et al. (1988); Obuchowski (1997) with clusters. Checked against: tests/oracle/asah_auc.csv (pROC), the
    ovarian data of DeLong (1988) as printed in the SAS manual.
    """
    where = "compare_roc"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    columns, signs = checked_scores(scores, direction)
    case = inputs.binary(reference, where=where, name="reference")
    n = inputs.same_length(where, scores=scores, reference=case, cluster=cluster)
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    demand_both((case == 1).sum(), (case == 0).sum(), where=where)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    aucs, covariance = joint_covariance(
        [sign * column for sign, column in zip(signs, columns, strict=True)], case, groups
    )
    names = [str(name) for name in scores.columns]
    chi2, df = joint_test(aucs, covariance)
    return RocComparison(
        aucs=pd.Series(aucs, index=names, name="auc"),
        covariance=pd.DataFrame(covariance, index=names, columns=names),
        differences=against_first(names, aucs, covariance, conf_level),
        chi2=chi2,
        df=df,
        p_value=float(stats.chi2.sf(chi2, df)),
        n_used=n,
        n_excluded=0,
        method="paired, " + ("DeLong (1988)" if groups is None else "Obuchowski (1997) by cluster"),
        conf_level=conf_level,
    )


def checked_scores(scores: pd.DataFrame, direction: str | Mapping[str, str]) -> tuple[list[np.ndarray], list[int]]:
    """Columns as floats and the sign of each; all faults as errors."""
    where = "compare_roc"
    if not isinstance(scores, pd.DataFrame) or scores.shape[1] < 2:
        raise ParamsError(f"{where}(scores)", "fewer than two scores", allowed="a DataFrame with a column per score")
    if scores.columns.has_duplicates:
        raise DataError(f"{where}(scores)", "two columns share a name", allowed="one name per score")
    per_column = direction if isinstance(direction, Mapping) else dict.fromkeys(scores.columns, direction)
    if missing := [str(name) for name in scores.columns if name not in per_column]:
        raise ParamsError(f"{where}(direction)", f"no direction for {', '.join(missing)}", allowed="one for each score")
    columns = [inputs.numeric(scores[name], where=where, name=str(name)) for name in scores.columns]
    for name, column in zip(scores.columns, columns, strict=True):
        remedy = "compare on the people who have every score and report how many have not"
        inputs.without_missing(column, where=where, name=str(name), remedy=remedy)
    return columns, [demand_direction(per_column[name], where=where) for name in scores.columns]


def joint_covariance(
    scores: list[np.ndarray], case: np.ndarray, cluster: Cluster | None
) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of several scores of the same rows and their covariance."""
    ones, aucs, of_case, of_noncase = np.ones(len(case)), [], [], []
    for score in scores:
        values, level = score_levels(score)
        placed = placements(*count_scores(level, len(values), case, None))
        ill, well = influences(level, case, placed, ones)
        aucs.append(placed.auc)
        of_case.append(ill)
        of_noncase.append(well)
    return np.array(aucs), clustered_covariance(np.stack(of_case), np.stack(of_noncase), case, cluster)


def joint_test(aucs: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Wald chi-square that all AUCs are equal, and its df; NaN when two scores order people alike."""
    contrast = np.hstack([-np.ones((len(aucs) - 1, 1)), np.eye(len(aucs) - 1)])
    spread = contrast @ covariance @ contrast.T
    df = float(len(aucs) - 1)
    if not np.isfinite(spread).all() or np.linalg.matrix_rank(spread, hermitian=True) < df:
        return math.nan, df
    difference = contrast @ aucs
    return float(difference @ np.linalg.solve(spread, difference)), df


def against_first(names: list[str], aucs: np.ndarray, covariance: np.ndarray, conf_level: float) -> pd.DataFrame:
    """Each later AUC minus the first: normal interval and two-sided p."""
    rows = []
    for j in range(1, len(names)):
        difference = float(aucs[j] - aucs[0])
        std_error = math.sqrt(max(covariance[j, j] + covariance[0, 0] - 2 * covariance[0, j], 0.0))
        low, high = wald(difference, std_error, conf_level)
        z = difference / std_error if std_error > 0 else math.nan
        p_value = float(2 * stats.norm.sf(abs(z)))
        bounds = {"conf_low": low, "conf_high": high, "p_value": p_value, "statistic": z}
        rows.append({"term": f"{names[j]} - {names[0]}", "estimate": difference, "std_error": std_error, **bounds})
    return pd.DataFrame(rows)


def compare_roc_independent(first: RocResult, second: RocResult, *, conf_level: float = 0.95) -> RocComparison:
    """Compare the AUCs of two independent groups, as girls with boys.

    Parameters
    ----------
    first, second : RocResult
        From :func:`roc` with one direction on people who do not overlap.
    conf_level : float

    Returns
    -------
    RocComparison
        The difference is first - second.

    Raises
    ------
    DesignError
        Curves read in different directions, or without a standard error.

    Notes
    -----
    D = (a - b) / sqrt(v_a + v_b) on Welch's df = (v_a + v_b)^2 / (v_a^2/(n_a - 1) + v_b^2/(n_b - 1)).
    Reference: Welch (1947), as in pROC. Checked against: tests/oracle/asah_auc.csv.
    """
    if first.direction != second.direction:
        raise DesignError("compare_roc_independent", "the curves are read in different directions", allowed="one")
    v_a, v_b = first.std_error**2, second.std_error**2
    if not v_a + v_b > 0:
        raise DesignError("compare_roc_independent", "no standard error to compare with", allowed="two or more of each")
    df = (v_a + v_b) ** 2 / (v_a**2 / (first.n_used - 1) + v_b**2 / (second.n_used - 1))
    difference, std_error = first.auc - second.auc, math.sqrt(v_a + v_b)
    low, high = wald(difference, std_error, conf_level, df)
    p_value = float(2 * stats.t.sf(abs(difference / std_error), df))
    bounds = {"conf_low": low, "conf_high": high, "p_value": p_value, "statistic": difference / std_error}
    return RocComparison(
        aucs=pd.Series([first.auc, second.auc], index=["first", "second"], name="auc"),
        covariance=pd.DataFrame(np.diag([v_a, v_b]), index=["first", "second"], columns=["first", "second"]),
        differences=pd.DataFrame(
            [{"term": "first - second", "estimate": difference, "std_error": std_error, **bounds}]
        ),
        chi2=math.nan,
        df=df,
        p_value=p_value,
        n_used=first.n_used + second.n_used,
        n_excluded=first.n_excluded + second.n_excluded,
        method="independent curves, Welch's D",
        conf_level=conf_level,
    )
