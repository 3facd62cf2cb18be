"""A proportion with an honest interval: binomial for people who stand alone, linearised for people in schools."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.clustered import Share, share
from mhlib.stats.intervals import BINOMIAL, binomial, critical, on_logit, wald
from mhlib.stats.terms import term_frame

CLUSTERED = ("logit", "beta", "mean")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProportionResult:
    """A proportion, 0–1, with its interval.

    Attributes
    ----------
    numerator, denominator : int
        People, unweighted.
    design_effect : float or None
        Variance over that of a simple random sample; None without clusters and weights, NaN at 0 and 1.
    """

    proportion: float
    std_error: float
    conf_low: float
    conf_high: float
    numerator: int
    denominator: int
    design_effect: float | None = None
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, term `proportion`, with numerator and denominator."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        counts = {"numerator": self.numerator, "denominator": self.denominator, "n_used": self.n_used}
        return term_frame([{"term": "proportion", "estimate": self.proportion, **bounds, **counts}])


def proportion(
    x: object,
    n: int | None = None,
    *,
    ci: str | None = None,
    cluster: object = None,
    weights: object = None,
    conf_level: float = 0.95,
) -> ProportionResult:
    """Proportion from a count of a total, or from rows that may be clustered.

    Parameters
    ----------
    x : int, or array-like of 0/1 or bool, shape (n,)
        With `n` a count of people; without `n` one row per person.
    n : int, optional
        People in all.
    ci : str, optional
        'wilson' (default), 'exact', 'agresti_coull', 'jeffreys'; for rows with clusters or weights 'logit' (default),
        'beta' (Korn-Graubard) or 'mean' (Wald).
    cluster : array-like, shape (n,), optional
        School or class; intervals use t with clusters - 1 df.
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows.
    conf_level : float

    Returns
    -------
    ProportionResult
        With clusters and nobody or everybody positive the linearised error is 0 and no interval follows from it: the
        exact binomial one takes its place, and `method` says so.

    Raises
    ------
    DataError
        A count that is none, x > n, missing rows.
    DesignError
        No rows, or fewer than two clusters.
    ParamsError
        An interval that does not belong to the kind of data.

    Notes
    -----
    References: Wilson (1927); Korn & Graubard (1998) Survey Methodology 24:193.
    Checked against: tests/oracle/exam.csv (survey::svyciprop).
    """
    inputs.open_unit(conf_level, where="proportion", name="conf_level")
    if n is not None:
        if cluster is not None or weights is not None:
            raise ParamsError("proportion", "clusters or weights with a count", allowed="rows without n")
        return from_count(x, n, ci=ci or "wilson", conf_level=conf_level)
    positive = inputs.binary(x, where="proportion", name="x")
    remedy = "leave missing rows out and report how many"
    inputs.without_missing(positive, where="proportion", name="x", remedy=remedy)
    if not len(positive):
        raise DesignError("proportion", "no rows", allowed="at least one person")
    if cluster is None and weights is None:
        return from_count(int(positive.sum()), len(positive), ci=ci or "wilson", conf_level=conf_level)
    inputs.same_length("proportion", x=positive, cluster=cluster, weights=weights)
    inputs.one_of(ci or "logit", CLUSTERED, where="proportion", name="ci")
    groups = None if cluster is None else inputs.codes(cluster, where="proportion", name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(
            "proportion", "one cluster", allowed="two or more", remedy="give no cluster, and claim no more"
        )
    weight = inputs.weights_of(weights, len(positive), where="proportion")
    found = share(positive, np.ones(len(positive)), weights=weight, cluster=groups)
    low, high, method = clustered_interval(found, int(positive.sum()), ci or "logit", conf_level)
    return ProportionResult(
        proportion=found.value,
        std_error=found.std_error,
        conf_low=low,
        conf_high=high,
        numerator=int(positive.sum()),
        denominator=len(positive),
        design_effect=found.design_effect,
        n_clusters=None if groups is None else groups[1],
        n_used=len(positive),
        n_excluded=0,
        method=method,
        conf_level=conf_level,
    )


def from_count(x: object, n: int, *, ci: str, conf_level: float) -> ProportionResult:
    """Binomial proportion of x among n."""
    inputs.one_of(ci, tuple(BINOMIAL), where="proportion", name="ci")
    if not np.isscalar(x):
        raise DataError("proportion(x)", "rows together with n", allowed="a count with n, or rows without n")
    x, n = inputs.count(x, where="proportion", name="x"), inputs.count(n, where="proportion", name="n")
    if n == 0:
        raise DesignError("proportion(n)", "nobody in the denominator", allowed="n >= 1")
    if x > n:
        raise DataError("proportion", "more positives than people", allowed="0 <= x <= n")
    p = x / n
    low, high = binomial(x, n, ci=ci, conf_level=conf_level)
    return ProportionResult(
        proportion=p,
        std_error=math.sqrt(p * (1 - p) / n),
        conf_low=low,
        conf_high=high,
        numerator=x,
        denominator=n,
        n_used=n,
        n_excluded=0,
        method=f"binomial, {ci} interval",
        conf_level=conf_level,
    )


def clustered_interval(found: Share, x: int, ci: str, conf_level: float) -> tuple[float, float, str]:
    """Interval of a linearised share and the words that name it."""
    df = "normal" if math.isinf(found.df) else f"t with {found.df:.0f} df"
    if not 0 < found.value < 1:
        low, high = binomial(x, found.n, ci="exact", conf_level=conf_level)
        return low, high, "exact binomial interval that ignores clusters: nobody or everybody is positive"
    if ci == "logit":
        low, high = on_logit(found.value, found.std_error, conf_level, found.df)
    elif ci == "mean":
        low, high = wald(found.value, found.std_error, conf_level, found.df)
        low, high = max(low, 0.0), min(high, 1.0)
    else:
        low, high = korn_graubard(found, conf_level)
    return low, high, f"linearised, {ci} interval, {df}"


def korn_graubard(found: Share, conf_level: float) -> tuple[float, float]:
    """Exact binomial interval at the effective sample size, which the fewness of clusters shrinks further."""
    p, tail = found.value, (1 - conf_level) / 2
    shrink = (critical(conf_level, found.n - 1) / critical(conf_level, found.df)) ** 2
    n = p * (1 - p) / found.std_error**2 * shrink
    low = stats.beta.ppf(tail, n * p, n * (1 - p) + 1)
    high = stats.beta.ppf(1 - tail, n * p + 1, n * (1 - p))
    return float(low), float(high)
