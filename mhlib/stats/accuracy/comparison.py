"""Are two or more curves different? Paired on the same people, or of independent groups."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import count_scores, demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.placements import Cluster, Placements, clustered_covariance, influences, placements
from mhlib.stats.accuracy.roc_curve import UNVERIFIED, RocResult
from mhlib.stats.intervals import wald
from mhlib.stats.multiplicity import holm
from mhlib.stats.terms import term_frame

# Cells of the joint table of two scores up to which it is smaller than the rows are slow.
LARGEST_TABLE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RocComparison:
    """AUCs, every pairwise difference with interval and p, and one joint test that all are equal.

    Attributes
    ----------
    aucs : pandas.Series
        By name of the score.
    covariance : pandas.DataFrame
        Of the AUCs.
    differences : pandas.DataFrame
        `term` (`<later> - <earlier>`; those with the first score come first), `estimate, std_error, conf_low, conf_high,
        p_value, p_holm, statistic`.
    directions : pandas.Series
        How each score is read.
    chi2, df, p_value : float
        Joint Wald test of equality (paired); Welch's D and its df for independent curves (`chi2` is then NaN).
    """

    aucs: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    directions: pd.Series = field(repr=False)
    chi2: float
    df: float
    p_value: float
    n_case: int
    n_noncase: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per AUC, one per difference with `statistic` and `p_holm`, and `joint_test` with its chi-square."""
        rows = []
        for name, auc in self.aucs.items():
            std_error = math.sqrt(self.covariance.loc[name, name])
            low, high = wald(auc, std_error, self.conf_level)
            bounds = {"conf_low": float(np.maximum(low, 0)), "conf_high": float(np.minimum(high, 1))}
            read = {"statistic": math.nan, "df": math.nan, "p_holm": math.nan, "direction": self.directions[name]}
            rows.append({"term": str(name), "estimate": auc, "std_error": std_error, **bounds, **read})
        rows += self.differences.to_dict("records")
        if math.isfinite(self.chi2):
            rows.append({"term": "joint_test", "statistic": self.chi2, "df": self.df, "p_value": self.p_value})
        return term_frame([{**row, "n_used": self.n_used} for row in rows])


def compare_roc(
    scores: pd.DataFrame,
    reference: object,
    *,
    direction: str | Mapping[str, str] = ">=",
    cluster: object = None,
    weights: object = None,
    conf_level: float = 0.95,
) -> RocComparison:
    """Compare the AUCs of two or more scores of the same people.

    Parameters
    ----------
    scores : pandas.DataFrame, shape (n, k), k >= 2
        One column per score.
    reference : array-like of 0/1 or bool, shape (n,)
    direction : {'>=', '<='} or mapping of column to one of these
        One direction for all, or one for each column by name: only so can directions be mixed. Never guessed.
    cluster : array-like, shape (n,), optional
        School or class: covariance by Obuchowski (1997).
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows.
    conf_level : float
        0–1, of each interval on its own.

    Returns
    -------
    RocComparison

    Raises
    ------
    DataError
        A missing score or reference: the comparison is of the same people, so the caller says which.
    DesignError
        No case or no non-case; a single cluster.
    ParamsError
        Fewer than two scores, a column without a direction, a direction for a column that is not there.

    Notes
    -----
    z = (AUC_b - AUC_a) / sqrt(v_a + v_b - 2 c_ab); joint chi-square = (L a)' (L V L')^-1 (L a) on k - 1 df, NaN when two
    scores order people alike. `p_holm` is corrected over all pairs (Holm 1979).
    References: DeLong et al. (1988); Obuchowski (1997). Checked against: tests/oracle/asah_pairs.csv (pROC),
    tests/oracle/ovarian_rows.csv with the figures of DeLong (1988) as printed in the SAS/STAT manual.
    """
    where = "compare_roc"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    columns, read = checked_scores(scores, direction)
    case = inputs.binary(reference, where=where, name="reference")
    n = inputs.same_length(where, scores=scores, reference=case, cluster=cluster, weights=weights)
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    weight = None if weights is None else inputs.weights_of(weights, n, where=where)
    n_case = case.sum() if weight is None else weight @ case
    demand_both(n_case, (n if weight is None else weight.sum()) - n_case, where=where)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    names = [str(name) for name in scores.columns]
    upward = [demand_direction(one, where=where) * column for one, column in zip(read, columns, strict=True)]
    aucs, covariance = joint_covariance(upward, case, weight, groups)
    chi2, df = joint_test(aucs, covariance)
    return RocComparison(
        aucs=pd.Series(aucs, index=names, name="auc"),
        covariance=pd.DataFrame(covariance, index=names, columns=names),
        differences=pairwise(names, aucs, covariance, conf_level),
        directions=pd.Series(read, index=names, name="direction"),
        chi2=chi2,
        df=df,
        p_value=float(stats.chi2.sf(chi2, df)),
        n_case=int(case.sum()),
        n_noncase=n - int(case.sum()),
        n_clusters=None if groups is None else groups[1],
        n_used=n,
        n_excluded=0,
        method=comparison_method(weights is not None, groups is not None),
        conf_level=conf_level,
    )


def comparison_method(weighted: bool, clustered: bool) -> str:
    """Name of the method."""
    if clustered:
        return "paired, " + "weighted, " * weighted + "Obuchowski (1997) by cluster"
    return "paired, weighted, linearised" if weighted else "paired, DeLong (1988)"


def checked_scores(scores: pd.DataFrame, direction: str | Mapping[str, str]) -> tuple[list[np.ndarray], list[str]]:
    """Columns as floats and the direction of each; all faults as errors."""
    where = "compare_roc"
    if not isinstance(scores, pd.DataFrame) or scores.shape[1] < 2:
        raise ParamsError(f"{where}(scores)", "fewer than two scores", allowed="a DataFrame with a column per score")
    if scores.columns.has_duplicates:
        raise DataError(f"{where}(scores)", "two columns share a name", allowed="one name per score")
    columns = [inputs.numeric(scores[name], where=where, name=str(name)) for name in scores.columns]
    for name, column in zip(scores.columns, columns, strict=True):
        remedy = "compare on the people who have every score and report how many have not"
        inputs.without_missing(column, where=where, name=str(name), remedy=remedy)
    return columns, named_directions(list(scores.columns), direction)


def named_directions(names: list[object], direction: str | Mapping[str, str]) -> list[str]:
    """Direction of each score: one for all, or by name.

    Raises
    ------
    ParamsError
        A list without names, a score without a direction, a direction without a score.
    """
    where = "compare_roc(direction)"
    if isinstance(direction, str):
        return [direction] * len(names)
    if not isinstance(direction, Mapping):
        raise ParamsError(where, "directions without names", allowed="one for all, or a mapping of score to direction")
    if missing := [str(name) for name in names if name not in direction]:
        raise ParamsError(where, f"no direction for {', '.join(missing)}", allowed="one for each score")
    if unknown := [str(name) for name in direction if name not in names]:
        raise ParamsError(where, f"no score is called {', '.join(unknown)}", allowed="the names of the scores")
    return [direction[name] for name in names]


def joint_covariance(
    scores: list[np.ndarray], case: np.ndarray, weight: np.ndarray | None, cluster: Cluster | None
) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of several scores of the same rows and their covariance."""
    levels, placed = [], []
    for score in scores:
        values, level = score_levels(score)
        levels.append((level, len(values)))
        placed.append(placements(*count_scores(level, len(values), case, weight)))
    aucs = np.array([one.auc for one in placed])
    longest = sorted(n for _, n in levels)[-2:]
    if weight is None and cluster is None and longest[0] * longest[1] <= LARGEST_TABLE:
        return aucs, tabled_covariance(levels, placed, case)
    weight = np.ones(len(case)) if weight is None else weight
    parts = [influences(level, case, one, weight) for (level, _), one in zip(levels, placed, strict=True)]
    of_case, of_noncase = (np.stack(side) for side in zip(*parts, strict=True))
    return aucs, clustered_covariance(of_case, of_noncase, case, cluster)


def tabled_covariance(levels: list[tuple[np.ndarray, int]], placed: list[Placements], case: np.ndarray) -> np.ndarray:
    """DeLong's covariance from the joint table of each pair of scores: no row is read twice.

    NaN with a single case or non-case.
    """
    k, numbers = len(levels), (float((case == 0).sum()), float((case == 1).sum()))
    covariance = np.full((k, k), math.nan)
    if min(numbers) < 2:
        return covariance
    kind = case.astype(np.int64)
    for i, j in itertools.combinations_with_replacement(range(k), 2):
        (first, n_first), (second, n_second) = levels[i], levels[j]
        cell = (kind * n_first + first) * n_second + second
        joint = np.bincount(cell, minlength=2 * n_first * n_second).reshape(2, n_first, n_second)
        ill, well = (placed[i].of_case, placed[j].of_case), (placed[i].of_noncase, placed[j].of_noncase)
        covariance[i, j] = covariance[j, i] = sum(
            (left - placed[i].auc) @ table @ (right - placed[j].auc) / (n * (n - 1))
            for table, n, (left, right) in zip(joint, numbers, (well, ill), strict=True)
        )
    return covariance


def joint_test(aucs: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Wald chi-square that all AUCs are equal, and its df; NaN when two scores order people alike."""
    contrast = np.hstack([-np.ones((len(aucs) - 1, 1)), np.eye(len(aucs) - 1)])
    spread = contrast @ covariance @ contrast.T
    df = float(len(aucs) - 1)
    if not np.isfinite(spread).all() or np.linalg.matrix_rank(spread, hermitian=True) < df:
        return math.nan, df
    difference = contrast @ aucs
    return float(difference @ np.linalg.solve(spread, difference)), df


def pairwise(names: list[str], aucs: np.ndarray, covariance: np.ndarray, conf_level: float) -> pd.DataFrame:
    """Every later AUC minus every earlier one: normal interval, two-sided p and Holm's p."""
    rows = []
    for i, j in itertools.combinations(range(len(names)), 2):
        difference = float(aucs[j] - aucs[i])
        std_error = math.sqrt(max(covariance[j, j] + covariance[i, i] - 2 * covariance[i, j], 0.0))
        low, high = wald(difference, std_error, conf_level)
        z = difference / std_error if std_error > 0 else math.nan
        bounds = {"conf_low": low, "conf_high": high, "p_value": float(2 * stats.norm.sf(abs(z))), "statistic": z}
        rows.append({"term": f"{names[j]} - {names[i]}", "estimate": difference, "std_error": std_error, **bounds})
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p_value"].to_numpy()))


def compare_roc_independent(first: RocResult, second: RocResult, *, conf_level: float = 0.95) -> RocComparison:
    """Compare the AUCs of two independent groups, as girls with boys.

    Parameters
    ----------
    first, second : RocResult
        From :func:`roc` with one direction on people who do not overlap; clustered curves on schools that do not overlap
        (girls and boys of the same schools are not independent).
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
    D = (a - b) / sqrt(v_a + v_b) on Welch's df = (v_a + v_b)^2 / (v_a^2/(n_a - 1) + v_b^2/(n_b - 1)), n the people
    or, for clustered curves, the clusters.
    Reference: Welch (1947), as in pROC. Checked against: tests/oracle/asah_auc.csv,
    tests/oracle/cutoff_counts.csv (pROC).
    """
    if first.direction != second.direction:
        raise DesignError("compare_roc_independent", "the curves are read in different directions", allowed="one")
    v_a, v_b = first.std_error**2, second.std_error**2
    if not v_a + v_b > 0:
        raise DesignError("compare_roc_independent", "no standard error to compare with", allowed="two or more of each")
    n_a, n_b = (one.n_used if one.n_clusters is None else one.n_clusters for one in (first, second))
    df = (v_a + v_b) ** 2 / (v_a**2 / (n_a - 1) + v_b**2 / (n_b - 1))
    difference, std_error = first.auc - second.auc, math.sqrt(v_a + v_b)
    low, high = wald(difference, std_error, conf_level, df)
    p_value = float(2 * stats.t.sf(abs(difference / std_error), df))
    bounds = {"conf_low": low, "conf_high": high, "p_value": p_value, "statistic": difference / std_error}
    return RocComparison(
        aucs=pd.Series([first.auc, second.auc], index=["first", "second"], name="auc"),
        covariance=pd.DataFrame(np.diag([v_a, v_b]), index=["first", "second"], columns=["first", "second"]),
        differences=pd.DataFrame(
            [{"term": "first - second", "estimate": difference, "std_error": std_error, **bounds, "p_holm": p_value}]
        ),
        directions=pd.Series([first.direction] * 2, index=["first", "second"], name="direction"),
        chi2=math.nan,
        df=df,
        p_value=p_value,
        n_case=first.n_case + second.n_case,
        n_noncase=first.n_noncase + second.n_noncase,
        n_clusters=None,
        n_used=first.n_used + second.n_used,
        n_excluded=first.n_excluded + second.n_excluded,
        method="independent curves, Welch's D",
        conf_level=conf_level,
    )
