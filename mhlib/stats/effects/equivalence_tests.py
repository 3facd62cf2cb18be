"""Two one-sided tests: is the effect too small to matter? Of pupils, or of any estimate with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_refusals import FEWEST_DF, few_df_refusal
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TostResult:
    """Two one-sided tests of an estimate against the smallest effects of interest.

    Attributes
    ----------
    p_value : float
        The larger of `p_lower` (against effects of at most `low`) and `p_upper` (against effects of at least `high`); NaN
        where refused.
    conf_low, conf_high : float
        Interval at 1 - 2 alpha: within `low` to `high` exactly when the test says equivalent.
    equivalent : bool or None
        None where refused.
    """

    term: str
    estimate: float
    std_error: float
    df: float
    low: float
    high: float
    p_lower: float
    p_upper: float
    p_value: float
    conf_low: float
    conf_high: float
    equivalent: bool | None
    refused: Refused | None
    alpha: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, with `df, low, high, p_lower, p_upper, equivalent, n_used`."""
        names = ("term", "estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "low", "high", "p_lower",
                 "p_upper", "equivalent", "n_used")  # fmt: skip
        return term_frame([{name: getattr(self, name) for name in names}])


def tost(
    first: object,
    second: object,
    *,
    bound: float,
    paired: bool = False,
    equal_variances: bool = True,
    alpha: float = 0.05,
) -> TostResult:
    """Two one-sided t tests that two means differ by less than `bound`.

    Parameters
    ----------
    first, second : array-like of numbers
        Independent pupils, or pairs. Missing values (a pair that misses one) are left out and counted.
    bound : float
        Smallest difference of interest, above 0, in the scale's unit.
    paired, equal_variances : bool
        Student's test by default, Welch's with `equal_variances=False`.
    alpha : float

    Returns
    -------
    TostResult
        Term `difference`: first less second.

    Raises
    ------
    DataError
        Pairs of different lengths.
    DesignError
        Fewer than two values, or no spread.
    ParamsError
        A bound that is not above 0.

    Notes
    -----
    Reference: Schuirmann (1987) J Pharmacokinet Biopharm 15:657.
    Checked against: tests/oracle/robust_tost.csv (R's t.test) and pingouin.tost.
    """
    if not bound > 0:
        raise ParamsError("tost(bound)", f"is {bound}", allowed="a number above 0")
    a, b = inputs.numeric(first, where="tost", name="first"), inputs.numeric(second, where="tost", name="second")
    excluded = int(np.isnan(a).sum() + np.isnan(b).sum())
    if paired:
        inputs.same_length("tost", first=a, second=b)
        gap = a - b
        excluded = int(np.isnan(gap).sum())
        estimate, error, df, n = mean_and_error(gap[~np.isnan(gap)])
    else:
        estimate, error, df, n = two_means(a[~np.isnan(a)], b[~np.isnan(b)], equal_variances)
    kind = "paired" if paired else "Student" if equal_variances else "Welch"
    return tost_from_estimate(
        estimate,
        error,
        df,
        low=-bound,
        high=bound,
        alpha=alpha,
        n_used=n,
        n_excluded=excluded,
        method=f"two one-sided t tests, {kind}",
    )


def tost_from_estimate(
    estimate: float,
    std_error: float,
    df: float,
    *,
    low: float,
    high: float,
    alpha: float = 0.05,
    term: str = "difference",
    n_used: int = 0,
    n_excluded: int = 0,
    method: str = "two one-sided t tests",
) -> TostResult:
    """Two one-sided tests of any estimate with its standard error: of a multilevel model, a regression, a g.

    Parameters
    ----------
    estimate, std_error : float
    df : float
        Degrees of freedom of the error; infinite for the normal distribution.
    low, high : float
        Smallest effects of interest on either side; minus infinity or infinity makes it a test of non-inferiority.
    alpha, term, n_used, n_excluded, method
        Carried into the record.

    Returns
    -------
    TostResult
        `refused` (`few_degrees_of_freedom`) below 4 degrees of freedom.

    Raises
    ------
    DataError
        A standard error that is not above 0.
    ParamsError
        Bounds in the wrong order.

    Notes
    -----
    Checked against: :func:`tost` on rows, and tests/oracle/robust_tost.csv (R's t.test).
    """
    inputs.open_unit(alpha, where="tost_from_estimate", name="alpha")
    if not low < high:
        raise ParamsError("tost_from_estimate(low)", "is not below high", allowed="low < high")
    if not std_error > 0:
        raise DataError("tost_from_estimate(std_error)", "is not above 0", allowed="a positive number")
    few = not df >= FEWEST_DF
    lower = float(stats.t.sf((estimate - low) / std_error, df))
    upper = float(stats.t.cdf((estimate - high) / std_error, df))
    bounds = (math.nan, math.nan) if few else wald(estimate, std_error, 1 - 2 * alpha, df)
    return TostResult(
        term=term,
        estimate=estimate,
        std_error=std_error,
        df=df,
        low=low,
        high=high,
        p_lower=math.nan if few else lower,
        p_upper=math.nan if few else upper,
        p_value=math.nan if few else max(lower, upper),
        conf_low=bounds[0],
        conf_high=bounds[1],
        equivalent=None if few else max(lower, upper) < alpha,
        refused=few_df_refusal(term, df) if few else None,
        alpha=alpha,
        n_used=n_used,
        n_excluded=n_excluded,
        method=method,
        conf_level=1 - 2 * alpha,
    )


def cluster_tost(
    fit: ClusterRobustResult, term: str, *, low: float, high: float, alpha: float = 0.05
) -> TostResult | Refused:
    """Two one-sided tests of a coefficient with its cluster-robust error and degrees of freedom.

    Parameters
    ----------
    fit : ClusterRobustResult
    term : str
    low, high, alpha
        As in :func:`tost_from_estimate`.

    Returns
    -------
    TostResult or Refused
        Refused where one cluster alone carries the term.

    Raises
    ------
    ParamsError
        An unknown term, bounds in the wrong order.

    Notes
    -----
    Checked against: the two p-values by hand from tests/oracle/robust_values.csv (clubSandwich).
    """
    i = fit.position(term)
    if math.isnan(fit.std_errors[i]):
        return fit.refusals[term]
    return tost_from_estimate(
        float(fit.estimates[i]),
        float(fit.std_errors[i]),
        float(fit.df[i]),
        low=low,
        high=high,
        alpha=alpha,
        term=term,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=f"two one-sided t tests, {fit.kind} by {fit.n_clusters} clusters",
    )


def mean_and_error(values: np.ndarray) -> tuple[float, float, float, int]:
    """Mean, its standard error, degrees of freedom and number."""
    if len(values) < 2 or np.ptp(values) == 0:
        raise DesignError("tost", "holds fewer than two values, or none varies", allowed="two values that differ")
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), len(values) - 1.0, len(values)


def two_means(a: np.ndarray, b: np.ndarray, equal: bool) -> tuple[float, float, float, int]:
    """Difference of means, its standard error, degrees of freedom and number."""
    if min(len(a), len(b)) < 2 or max(np.ptp(a), np.ptp(b)) == 0:
        raise DesignError("tost", "holds fewer than two values, or none varies", allowed="two values that differ")
    n, v = np.array([len(a), len(b)], dtype=float), np.array([a.var(ddof=1), b.var(ddof=1)])
    if equal:
        df = float(n.sum() - 2)
        error = math.sqrt(float(((n - 1) * v).sum() / df * (1 / n).sum()))
    else:
        error = math.sqrt(float((v / n).sum()))
        df = float((v / n).sum() ** 2 / ((v / n) ** 2 / (n - 1)).sum())
    return float(a.mean() - b.mean()), error, df, int(n.sum())
