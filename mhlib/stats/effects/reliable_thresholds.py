"""When a change of one pupil is larger than the error of measurement, and where illness ends and health begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.school_sums import school_weights
from mhlib.stats.terms import term_frame

BETTER = ("lower", "higher")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JacobsonTruaxResult:
    """Error of one change, the least reliable change, and cut-offs a, b, c (NaN where their norms were not given)."""

    se_measurement: float
    se_difference: float
    least_change: float
    cutoff_a: float
    cutoff_b: float
    cutoff_c: float
    sd: float
    reliability: float
    better: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def rci(self, before: float, after: float) -> float:
        """Reliable change index of one pair of scores: change over its error, positive when better."""
        gain = before - after if self.better == "lower" else after - before
        return gain / self.se_difference

    def to_frame(self) -> pd.DataFrame:
        """Terms `se_measurement`, `se_difference`, `least_change`, `cutoff_a`, `cutoff_b`, `cutoff_c`."""
        names = ("se_measurement", "se_difference", "least_change", "cutoff_a", "cutoff_b", "cutoff_c")
        return term_frame([{"term": name, "estimate": getattr(self, name)} for name in names])


def jacobson_truax(
    *,
    sd: float,
    reliability: float,
    dysfunctional: tuple[float, float] | None = None,
    functional: tuple[float, float] | None = None,
    better: str = "lower",
    conf_level: float = 0.95,
) -> JacobsonTruaxResult:
    """Least reliable change and clinical cut-offs of Jacobson & Truax.

    Parameters
    ----------
    sd : float
        Standard deviation of the score before, in score points.
    reliability : float
        Retest reliability over an interval without service (:func:`retest_reliability`), 0–1.
    dysfunctional, functional : (mean, sd), optional
        Norms of the ill and of the well population, in score points; cut-off a needs the first, b the second, c both.
    better : {'lower', 'higher'}
        Which way is recovery.
    conf_level : float
        .95 makes a change reliable beyond 1.96 errors.

    Returns
    -------
    JacobsonTruaxResult

    Raises
    ------
    ParamsError
        A reliability outside 0–1, a standard deviation of 0 or less, an unknown direction.

    Notes
    -----
    SE = sd sqrt(1 - r); S_diff = SE sqrt(2); a = M_ill -/+ 2 SD_ill towards health, b = M_well +/- 2 SD_well towards
    illness, c = (SD_well M_ill + SD_ill M_well) / (SD_well + SD_ill).
    Reference: Jacobson & Truax (1991) J Consult Clin Psychol 59:12, whose example the tests rebuild.
    """
    where = "jacobson_truax"
    inputs.one_of(better, BETTER, where=where, name="better")
    inputs.open_unit(reliability, where=where, name="reliability")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    spreads = [sd, *(norm[1] for norm in (dysfunctional, functional) if norm is not None)]
    if not all(np.isfinite(spread) and spread > 0 for spread in spreads):
        raise ParamsError(f"{where}(sd)", "a standard deviation is not above 0", allowed="numbers above 0")
    sign = -1 if better == "lower" else 1
    ill, well = dysfunctional, functional
    error = sd * math.sqrt(1 - reliability)
    return JacobsonTruaxResult(
        se_measurement=error,
        se_difference=error * math.sqrt(2),
        least_change=critical(conf_level) * error * math.sqrt(2),
        cutoff_a=math.nan if ill is None else ill[0] + 2 * sign * ill[1],
        cutoff_b=math.nan if well is None else well[0] - 2 * sign * well[1],
        cutoff_c=math.nan
        if ill is None or well is None
        else (well[1] * ill[0] + ill[1] * well[0]) / (well[1] + ill[1]),
        sd=float(sd),
        reliability=float(reliability),
        better=better,
        n_used=0,
        n_excluded=0,
        method="Jacobson & Truax (1991)",
        conf_level=conf_level,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RetestReliabilityResult:
    """Correlation of two waves without service between, with its interval, and the spread at the first wave."""

    reliability: float
    std_error: float
    conf_low: float
    conf_high: float
    sd: float
    n_clusters: int | None
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `reliability` (with interval) and `sd`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        return term_frame(
            [{"term": "reliability", "estimate": self.reliability, **bounds}, {"term": "sd", "estimate": self.sd}]
        )


def retest_reliability(
    first: object,
    second: object,
    *,
    cluster: object = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> RetestReliabilityResult:
    """Reliability of change scores: the correlation of two waves of pupils who got no service between them.

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Scores of the unserved, over the whole range of severity: a sample of screened positives alone is too narrow.
    cluster : array-like, shape (n,), optional
        School; the interval then comes from schools drawn again.
    n_boot, seed : int
        Resamples and their seed, with `cluster` only.
    conf_level : float

    Returns
    -------
    RetestReliabilityResult
        Pupils who lack a wave are left out and counted. `std_error` is that of the correlation.

    Raises
    ------
    DataError
        Columns of different lengths, text, a pupil without a school.
    DesignError
        Fewer than four pairs, a wave that does not vary, fewer than ten schools.
    ParamsError
        Schools without a seed.

    Notes
    -----
    Without schools: Fisher's z, se = 1 / sqrt(n - 3). Reference: Fisher (1921).
    """
    where = "retest_reliability"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.same_length(where, first=first, second=second, cluster=cluster)
    pair = np.column_stack(
        [inputs.numeric(values, where=where, name=name) for values, name in ((first, "first"), (second, "second"))]
    )
    kept = ~np.isnan(pair).any(axis=1)
    x, y = pair[kept].T
    if len(x) < 4 or x.std() == 0 or y.std() == 0:
        raise DesignError(where, "fewer than four pupils with both waves, or a wave in which all scores are equal")
    r = float(np.corrcoef(x, y)[0, 1])
    std_error, low, high, groups = (1 - r * r) / math.sqrt(len(x) - 3), *fisher(r, len(x), conf_level), None
    if cluster is not None:
        code, groups = inputs.codes(np.asarray(cluster, dtype=object)[kept], where=where, name="cluster")
        drawn = resampled_correlation(x, y, code, school_weights(groups, n_boot=n_boot, seed=seed, where=where))
        std_error = float(np.std(drawn, ddof=1))
        low, high = (float(q) for q in np.quantile(drawn, [(1 - conf_level) / 2, (1 + conf_level) / 2]))
    return RetestReliabilityResult(
        reliability=r,
        std_error=std_error,
        conf_low=low,
        conf_high=high,
        sd=float(x.std(ddof=1)),
        n_clusters=groups,
        n_boot=None if groups is None else int(n_boot),
        seed=seed if groups is not None else None,
        n_used=len(x),
        n_excluded=int((~kept).sum()),
        method="retest correlation, " + ("Fisher's z" if groups is None else f"{n_boot} resamples of schools"),
        conf_level=conf_level,
    )


def fisher(r: float, n: int, conf_level: float) -> tuple[float, float]:
    """Interval of a correlation on Fisher's z."""
    half = float(stats.norm.ppf((1 + conf_level) / 2)) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def resampled_correlation(x: np.ndarray, y: np.ndarray, code: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation in each resample of schools, from sums by school."""
    x, y = x - x.mean(), y - y.mean()
    parts = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    sums = np.column_stack([np.bincount(code, weights=part, minlength=weights.shape[1]) for part in parts])
    n, sx, sy, sxx, syy, sxy = (weights @ sums).T
    return (sxy - sx * sy / n) / np.sqrt((sxx - sx * sx / n) * (syy - sy * sy / n))
