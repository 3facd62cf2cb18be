"""Cronbach's alpha with a named interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix
from mhlib.stats.measurement.school_sums import (
    SchoolSums,
    checked_sums,
    resampled_alpha,
    school_sums,
    school_weights,
    studentised,
)
from mhlib.stats.terms import term_frame

INTERVALS = {"feldt": "Feldt (1965)", "bonett": "Bonett (2002)"}
RESAMPLED = {"school_bootstrap": "percentile", "school_bootstrap_t": "bootstrap-t"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlphaResult:
    """Cronbach's alpha (at most 1, may be negative) with its interval.

    The standard error is Bonett's, or the spread of the resamples when schools are drawn again; `n_clusters`, `n_boot`
    and `seed` are None without that.
    """

    alpha: float
    alpha_standardised: float
    std_error: float
    conf_low: float
    conf_high: float
    n_items: int
    n_used: int
    n_excluded: int
    n_clusters: int | None = None
    n_boot: int | None = None
    seed: int | None = None
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `alpha` (with interval) and `alpha_standardised`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        rows = [
            {"term": "alpha", "estimate": self.alpha, **bounds},
            {"term": "alpha_standardised", "estimate": self.alpha_standardised},
        ]
        return term_frame(rows).assign(n_items=self.n_items, n_used=self.n_used)


def cronbach_alpha(
    items: object,
    *,
    ci: str = "feldt",
    conf_level: float = 0.95,
    cluster: object = None,
    n_boot: int = 2000,
    seed: int | None = None,
) -> AlphaResult:
    """Cronbach's alpha of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Reversed items already turned by the codebook; nothing is turned here, so a wrong key shows.
    ci : {'feldt', 'bonett', 'school_bootstrap', 'school_bootstrap_t'}
        Feldt's F interval (exact for normal items) or Bonett's on the log scale, which both take people as independent;
        percentiles of resampled schools, for pupils of one school are alike; or the bootstrap-t of schools, which holds
        better where the levels of schools are skewed (120 such schools: percentiles cover 90 %, bootstrap-t 94 %).
    conf_level : float
    cluster : array-like, shape (n,)
        School of each person; with the two resampled intervals only.
    n_boot, seed : int
        Resamples of schools and the seed that makes them the same again; with the two resampled intervals only.

    Returns
    -------
    AlphaResult
        People who miss any item are left out and counted in `n_excluded`.

    Raises
    ------
    DataError
        Text or infinite values; a person without a school.
    DesignError
        Fewer than two items, fewer than three complete rows, an item that does not vary, fewer than ten schools.
    ParamsError
        An unknown interval; schools given to an interval that cannot use them; resamples without schools or a seed.

    Notes
    -----
    alpha = k/(k-1) (1 - tr(S)/sum(S)). A resample of schools adds up their sums and cross-products; no row is drawn.
    References: Cronbach (1951); Feldt (1965) Psychometrika 30:357; Bonett (2002) JEBS 27:335; Davison & Hinkley (1997)
    Bootstrap Methods, sections 3.8 (whole clusters) and 5.2.
    Checked against: tests/oracle/bfi_reliability.csv (psych::alpha on bfi).
    """
    inputs.one_of(ci, (*INTERVALS, *RESAMPLED), where="cronbach_alpha", name="ci")
    if (ci in RESAMPLED) != (cluster is not None):
        raise ParamsError(
            "cronbach_alpha(ci)",
            "schools and resampled schools go together",
            remedy="give both cluster= and ci='school_bootstrap' (or its _t), or neither",
        )
    matrix = item_matrix(items, where="cronbach_alpha")
    if ci in RESAMPLED:
        inputs.same_length("cronbach_alpha", items=matrix.every, cluster=cluster)
        code, n_schools = inputs.codes(cluster, where="cronbach_alpha", name="cluster")
        if matrix.n_excluded:
            code = code[~np.isnan(matrix.every).any(axis=1)]
        return alpha_from_school_sums(
            school_sums(matrix.complete, code, n_schools),
            ci=ci,
            conf_level=conf_level,
            n_boot=n_boot,
            seed=seed,
            n_excluded=matrix.n_excluded,
            # The sums of schools hold no covariance between single items, which the standardised alpha needs.
            alpha_standardised=standardised(covariance(matrix.complete)),
        )
    return alpha_from_covariance(
        covariance(matrix.complete), matrix.n_used, ci=ci, conf_level=conf_level, n_excluded=matrix.n_excluded
    )


def alpha_from_covariance(
    cov: object, n: int, *, ci: str = "feldt", conf_level: float = 0.95, n_excluded: int = 0
) -> AlphaResult:
    """Cronbach's alpha from the covariance of the items and the number of people.

    Parameters
    ----------
    cov : array-like, shape (k, k)
        Covariance with n - 1 (alpha itself does not depend on that).
    n : int
        People behind it.
    ci, conf_level
        As in :func:`cronbach_alpha`.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    AlphaResult
        The same digits as :func:`cronbach_alpha` on the rows.

    Raises
    ------
    DataError
        A matrix that is no covariance.
    DesignError
        Fewer than two items or three people.

    Notes
    -----
    Checked against: tests/oracle/bfi_reliability.csv (psych::alpha on bfi).
    """
    where = "alpha_from_covariance"
    inputs.one_of(ci, tuple(INTERVALS), where=where, name="ci")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix = checked_covariance(cov, n, where=where)
    k = len(matrix)
    alpha = alpha_value(matrix)
    low, high = (feldt if ci == "feldt" else bonett)(alpha, k, n, conf_level)
    return AlphaResult(
        alpha=alpha,
        alpha_standardised=standardised(matrix),
        std_error=(1 - alpha) * math.sqrt(2 * k / ((k - 1) * (n - 2))),
        conf_low=low,
        conf_high=high,
        n_items=k,
        n_used=int(n),
        n_excluded=n_excluded,
        method=f"Cronbach's alpha, {INTERVALS[ci]} interval",
        conf_level=conf_level,
    )


def alpha_from_school_sums(
    sums: SchoolSums,
    *,
    ci: str = "school_bootstrap",
    conf_level: float = 0.95,
    n_boot: int = 2000,
    seed: int | None = None,
    n_excluded: int = 0,
    alpha_standardised: float = math.nan,
) -> AlphaResult:
    """Cronbach's alpha from sums by school, with percentiles of resampled schools.

    Parameters
    ----------
    sums : SchoolSums
        One entry a school; schools with nobody are passed over.
    ci : {'school_bootstrap', 'school_bootstrap_t'}
    conf_level : float
    n_boot, seed : int
        Resamples, and the seed that makes them the same again.
    n_excluded, alpha_standardised
        Carried into the record.

    Returns
    -------
    AlphaResult
        The same digits as :func:`cronbach_alpha` with `ci='school_bootstrap'` on the rows. Time has no people in it.

    Raises
    ------
    DataError
        Sums that do not fit each other.
    DesignError
        Fewer than two items, three people or ten schools.
    ParamsError
        No seed, or fewer than 100 resamples.

    Notes
    -----
    Checked against: tests/oracle/bfi_reliability.csv (point estimate; psych::alpha on bfi).
    """
    where = "alpha_from_school_sums"
    inputs.one_of(ci, tuple(RESAMPLED), where=where, name="ci")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    sums = checked_sums(sums, where=where)
    weights = school_weights(sums.n_schools, n_boot=n_boot, seed=seed, where=where)
    drawn = resampled_alpha(sums, weights)
    alpha = float(resampled_alpha(sums, np.ones((1, sums.n_schools)))[0])
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    if ci == "school_bootstrap_t" and alpha < 1:
        low, high = studentised(sums, weights, drawn, alpha, tails)
    else:
        low, high = np.nanquantile(drawn, tails)
    return AlphaResult(
        alpha=alpha,
        alpha_standardised=alpha_standardised,
        std_error=float(np.nanstd(drawn, ddof=1)),
        conf_low=float(low),
        conf_high=float(high),
        n_items=sums.sums.shape[1],
        n_used=int(sums.n.sum()),
        n_excluded=n_excluded,
        n_clusters=sums.n_schools,
        n_boot=int(n_boot),
        seed=seed,
        method=f"Cronbach's alpha, {RESAMPLED[ci]} interval of {n_boot} resamples of {sums.n_schools} schools",
        conf_level=conf_level,
    )


def standardised(cov: np.ndarray) -> float:
    """Alpha of the items set to one variance."""
    spread = np.sqrt(np.diag(cov))
    return alpha_value(cov / np.outer(spread, spread))


def alpha_value(matrix: np.ndarray) -> float:
    """k/(k-1) (1 - trace/total); NaN when the sum of the items does not vary."""
    total = float(matrix.sum())
    return len(matrix) / (len(matrix) - 1) * (1 - float(np.trace(matrix)) / total) if total > 0 else math.nan


def feldt(alpha: float, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """1 - (1 - alpha) F, F with n - 1 and (n - 1)(k - 1) df."""
    tail, df1, df2 = (1 - conf_level) / 2, n - 1, (n - 1) * (k - 1)
    return (
        1 - (1 - alpha) * float(stats.f.ppf(1 - tail, df1, df2)),
        1 - (1 - alpha) * float(stats.f.ppf(tail, df1, df2)),
    )


def bonett(alpha: float, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """1 - exp(log(1 - alpha) -/+ z sqrt(2k/((k-1)(n-2))))."""
    half = critical(conf_level) * math.sqrt(2 * k / ((k - 1) * (n - 2)))
    return 1 - (1 - alpha) * math.exp(half), 1 - (1 - alpha) * math.exp(-half)
