"""Intraclass correlations of raters or occasions: the six forms, from means and covariances alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix
from mhlib.stats.terms import term_frame

# Shrout & Fleiss (1979) and McGraw & Wong (1996) name the same quantities differently; both names stand in the table.
MCGRAW_WONG = {
    "ICC(1,1)": "ICC(1)",
    "ICC(2,1)": "ICC(A,1)",
    "ICC(3,1)": "ICC(C,1)",
    "ICC(1,k)": "ICC(k)",
    "ICC(2,k)": "ICC(A,k)",
    "ICC(3,k)": "ICC(C,k)",
}


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """Two-way analysis of variance of n people by k ratings; a field may hold an array of many such tables."""

    people: np.ndarray | float
    raters: np.ndarray | float
    error: np.ndarray | float
    within: np.ndarray | float
    n: np.ndarray | float
    k: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IccResult:
    """Six intraclass correlations, at most 1, and the mean squares behind them.

    Attributes
    ----------
    forms : pandas.DataFrame
        Index `ICC(1,1)` to `ICC(3,k)` (Shrout & Fleiss); `mcgraw_wong, estimate, conf_low, conf_high, f, df1, df2,
        p_value`. The p-value is of "no differences between people".
    ms_people, ms_raters, ms_error, ms_within : float
    n_raters : int
    """

    forms: pd.DataFrame = field(repr=False)
    ms_people: float
    ms_raters: float
    ms_error: float
    ms_within: float
    n_raters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a form, terms as Shrout & Fleiss name them."""
        rows = self.forms.reset_index(names="term").to_dict("records")
        return term_frame(rows).assign(n_raters=self.n_raters, n_used=self.n_used)


def icc(ratings: object, *, conf_level: float = 0.95) -> IccResult:
    """Intraclass correlations of people rated k times.

    Parameters
    ----------
    ratings : DataFrame or array-like of numbers, shape (n, k), k >= 2
        One row a person, one column a rater or occasion.
    conf_level : float

    Returns
    -------
    IccResult
        ICC(1,.): each person has raters of their own; ICC(2,.): the same raters, drawn from many, absolute agreement;
        ICC(3,.): these raters only, consistency; (., k) is of the mean of the k ratings. People who miss a rating are left
        out and counted: the forms are defined for complete tables.

    Raises
    ------
    DataError
        Text or infinite values.
    DesignError
        Fewer than two ratings or three complete rows; people who do not differ; a rater who gives one value to all.

    Notes
    -----
    The interval of ICC(2,1) falls short of its level in small samples (.92 for .95 in docs/calibration.md).
    Exact F intervals for forms 1 and 3, Satterthwaite's for form 2 (McGraw & Wong 1996). References: Shrout & Fleiss (1979)
    Psychological Bulletin 86:420; McGraw & Wong (1996) Psychological Methods 1:30.
    Checked against: tests/oracle/icc_shrout_fleiss.csv (psych::ICC).
    """
    matrix = item_matrix(ratings, where="icc")
    return icc_from_moments(
        # A product with ones: summing over an axis as short as two ratings is many times slower.
        np.ones(matrix.n_used) @ matrix.complete / matrix.n_used,
        covariance(matrix.complete),
        matrix.n_used,
        conf_level=conf_level,
        n_excluded=matrix.n_excluded,
    )


def icc_from_moments(
    means: Sequence[float], cov: object, n: int, *, conf_level: float = 0.95, n_excluded: int = 0
) -> IccResult:
    """Intraclass correlations from means and covariances of the ratings.

    Parameters
    ----------
    means : array-like, shape (k,)
    cov : array-like, shape (k, k)
        With n - 1.
    n : int
        People.
    conf_level : float
    n_excluded : int
        Carried into the record.

    Returns
    -------
    IccResult
        The same digits as :func:`icc` on the rows.

    Raises
    ------
    DataError
        Means that do not fit the covariances, or a matrix that holds none.
    DesignError
        Fewer than two ratings or three people; people who do not differ.

    Notes
    -----
    Checked against: tests/oracle/icc_shrout_fleiss.csv (psych::ICC).
    """
    where = "icc_from_moments"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix, centre = checked_covariance(cov, n, where=where), np.asarray(means, dtype=float)
    if centre.shape != (len(matrix),) or not np.isfinite(centre).all():
        raise DataError(f"{where}(means)", "do not fit the covariances", allowed="one finite mean per rating")
    table = mean_squares(centre, matrix, n)
    if table.people <= 1e-14 * np.trace(matrix):
        raise DesignError(where, "people do not differ in their mean rating", remedy="collect people who differ")
    return IccResult(
        forms=six_forms(table, conf_level),
        ms_people=float(table.people),
        ms_raters=float(table.raters),
        ms_error=float(table.error),
        ms_within=float(table.within),
        n_raters=len(matrix),
        n_used=int(n),
        n_excluded=n_excluded,
        method="intraclass correlation, two-way analysis of variance, F intervals",
        conf_level=conf_level,
    )


def mean_squares(means: np.ndarray, cov: np.ndarray, n: int) -> MeanSquares:
    """The two-way table from means and covariances."""
    k, both = len(cov), float(cov.sum())
    error = max((float(np.trace(cov)) - both / k) / (k - 1), 0.0)
    raters = n * float(means.var(ddof=1))
    return MeanSquares(both / k, raters, error, ((n - 1) * error + raters) / n, n, k)


def single_forms(table: MeanSquares) -> tuple:
    """ICC(1,1), ICC(2,1) and ICC(3,1); as arrays where the table holds arrays."""
    k = table.k
    return (
        (table.people - table.within) / (table.people + (k - 1) * table.within),
        (table.people - table.error)
        / (table.people + (k - 1) * table.error + k * (table.raters - table.error) / table.n),
        (table.people - table.error) / (table.people + (k - 1) * table.error),
    )


def of_mean(single: float, k: int) -> float:
    """Spearman and Brown: reliability of the mean of k ratings from that of one; -inf at the lowest possible value."""
    bottom = 1 + (k - 1) * single
    return k * single / bottom if bottom > 0 else -math.inf


def six_forms(table: MeanSquares, conf_level: float) -> pd.DataFrame:
    """Estimates, intervals and F tests of the six forms."""
    n, k = table.n, table.k
    dfs = [(n - 1, n * (k - 1)), (n - 1, (n - 1) * (k - 1)), (n - 1, (n - 1) * (k - 1))]
    errors = [table.within, table.error, table.error]
    singles = single_forms(table)
    bounds = [
        ratio_interval(table.people, table.within, k, *dfs[0], conf_level),
        agreement_interval(table, singles[1], conf_level),
        ratio_interval(table.people, table.error, k, *dfs[2], conf_level),
    ]
    rows = []
    for unit in ("1", "k"):
        for form, (single, ends) in enumerate(zip(singles, bounds, strict=True)):
            values = [float(value) for value in (single, *ends)]
            estimate, low, high = values if unit == "1" else (of_mean(value, k) for value in values)
            f = table.people / errors[form] if errors[form] > 0 else math.inf
            name = f"ICC({form + 1},{unit})"
            rows.append(
                {
                    "form": name,
                    "mcgraw_wong": MCGRAW_WONG[name],
                    "estimate": estimate,
                    "conf_low": low,
                    "conf_high": high,
                    "f": f,
                    "df1": dfs[form][0],
                    "df2": dfs[form][1],
                    "p_value": float(stats.f.sf(f, *dfs[form])),
                }
            )
    return pd.DataFrame(rows).set_index("form")


def ratio_interval(
    people: float, error: float, k: int, df1: float, df2: float, conf_level: float
) -> tuple[float, float]:
    """Exact interval of (people - error) / (people + (k - 1) error) by the F distribution of their ratio."""
    upper = (1 + conf_level) / 2
    wide, narrow = stats.f.ppf(upper, df1, df2), 1 / stats.f.ppf(upper, df2, df1)
    return tuple((people - f * error) / (people + (k - 1) * f * error) for f in (wide, narrow))


def agreement_interval(table: MeanSquares, estimate: float, conf_level: float) -> tuple[float, float]:
    """Interval of ICC(2,1) with Satterthwaite's degrees of freedom for raters and error together."""
    n, k, people, raters, error = table.n, table.k, table.people, table.raters, table.error
    if raters == 0 and error == 0:
        return 1.0, 1.0
    share = n * (1 + (k - 1) * estimate) - k * estimate
    top = (k - 1) * (n - 1) * (k * estimate * raters + share * error) ** 2
    df = top / ((n - 1) * (k * estimate * raters) ** 2 + (share * error) ** 2)
    upper = (1 + conf_level) / 2
    high, low = stats.f.ppf(upper, n - 1, df), stats.f.ppf(upper, df, n - 1)
    rest = k * raters + (k * n - k - n) * error
    return (
        float(n * (people - high * error) / (high * rest + n * people)),
        float(n * (low * people - error) / (rest + n * low * people)),
    )
