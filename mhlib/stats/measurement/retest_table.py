"""The same people measured twice: how far a score repeats itself, and what change is more than error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.retest_values import (
    PairMoments,
    moments_of_sums,
    pair_moments,
    retest_intervals,
    retest_values,
)
from mhlib.stats.measurement.school_sums import school_weights
from mhlib.stats.terms import term_frame

TIME_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RetestResult:
    """Agreement of two occasions; differences are second minus first, in score points.

    Attributes
    ----------
    values : pandas.DataFrame
        One row a term, see :meth:`to_frame`.
    time_between : pandas.Series or None
        Quantiles .05 to .95 of the time between, in the unit given.
    n_outside : int
        Pairs left out because their time between lies outside `within`; they count in `n_excluded` too.
    n_clusters, n_boot, seed : int or None
    """

    values: pd.DataFrame = field(repr=False)
    time_between: pd.Series | None = field(repr=False)
    n_outside: int
    n_clusters: int | None
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms, one row each, with `estimate, std_error, conf_low, conf_high`.

        `icc_agreement` (ICC(2,1)), `icc_consistency` (ICC(3,1)), `pearson_r`, `mean_difference`, `sd_difference`,
        `sem_agreement`, `sem_consistency`, `sdc_individual`, `sdc_group`, `loa_low`, `loa_high`.
        """
        return self.values.assign(n_used=self.n_used)


def retest(
    first: object,
    second: object,
    *,
    time_between: object = None,
    within: tuple[float, float] | None = None,
    cluster: object = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> RetestResult:
    """Test-retest reliability, measurement error and limits of agreement of a score.

    Parameters
    ----------
    first, second : array-like of numbers, shape (n,)
        The same person in the same row; :func:`pair_occasions` makes such rows.
    time_between : array-like of numbers, shape (n,), optional
        In any one unit; described in the record.
    within : (low, high), optional
        Keep pairs whose time between lies in this range, ends included; the others, and those of unknown time, are counted.
    cluster : array-like, shape (n,), optional
        School; intervals are then percentiles of resampled schools.
    n_boot, seed : int
        Of these.
    conf_level : float
        Of intervals, and of the smallest detectable change and the limits of agreement (.95 gives the factor 1.96).

    Returns
    -------
    RetestResult
        Pairs with a missing score are left out and counted. SEM and SDC for agreement have an interval with schools only.

    Raises
    ------
    DataError
        Text or infinite values, columns of different lengths, a person without a school.
    DesignError
        Fewer than three pairs, a score that does not vary, fewer than ten schools.
    ParamsError
        `within` without `time_between` or the wrong way round; schools without a seed.

    Notes
    -----
    SEM consistency = sqrt(MS error) = SD(differences)/sqrt 2; SEM agreement adds the variance between occasions.
    SDC individual = z sqrt 2 SEM agreement, group = that over sqrt n. Limits = mean difference -/+ z SD(differences).
    Between the occasions nothing should have been done to change the score. References: Bland & Altman (1999);
    de Vet et al. (2006) J Clin Epidemiol 59:1033; McGraw & Wong (1996).
    Checked against: tests/oracle/icc_shrout_fleiss.csv (ICC; psych::ICC, two of its raters by hand in the tests).
    """
    where = "retest"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.same_length(where, first=first, second=second, time_between=time_between, cluster=cluster)
    one = inputs.numeric(first, where=where, name="first")
    two = inputs.numeric(second, where=where, name="second")
    kept, n_outside, times = kept_pairs(one, two, time_between, within)
    if not kept.all():
        one, two = one[kept], two[kept]
    record = {"n_excluded": int(len(kept) - len(one)), "n_outside": n_outside, "time_between": times}
    if cluster is None:
        demand_pairs(len(one), where=where)
        return retest_record(pair_moments(one, two), None, conf_level, where=where, **record)
    sums, origin = sums_by_school(one, two, cluster, kept)
    demand_pairs(len(one), where=where)
    weights = school_weights(len(sums), n_boot=n_boot, seed=seed, where=where)
    drawn = moments_of_sums(weights @ sums, *origin)
    record |= {"n_clusters": len(sums), "n_boot": int(n_boot), "seed": seed}
    return retest_record(moments_of_sums(sums.sum(axis=0), *origin), drawn, conf_level, where=where, **record)


def retest_from_moments(
    n: int, means: object, cov: object, *, conf_level: float = 0.95, n_excluded: int = 0
) -> RetestResult:
    """Retest from the means and the covariance of two occasions.

    Parameters
    ----------
    n : int
        Pairs.
    means : array-like, shape (2,)
    cov : array-like, shape (2, 2)
        With n - 1.
    conf_level : float
    n_excluded : int
        Carried into the record.

    Returns
    -------
    RetestResult
        The same digits as :func:`retest` on the rows.

    Raises
    ------
    DataError
        Shapes that do not fit, or missing numbers.
    DesignError
        Fewer than three pairs, a score that does not vary.

    Notes
    -----
    Checked against: tests/oracle/icc_shrout_fleiss.csv (ICC; psych::ICC, two of its raters by hand in the tests).
    """
    where = "retest_from_moments"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    centre, matrix = np.asarray(means, dtype=float), np.asarray(cov, dtype=float)
    if centre.shape != (2,) or matrix.shape != (2, 2) or not (np.isfinite(centre).all() and np.isfinite(matrix).all()):
        raise DataError(
            f"{where}(cov)", "does not hold two occasions", allowed="two finite means and a 2 x 2 covariance"
        )
    demand_pairs(n, where=where)
    moments = PairMoments(n, *centre, matrix[0, 0], matrix[1, 1], matrix[0, 1])
    return retest_record(moments, None, conf_level, where=where, n_excluded=n_excluded, n_outside=0, time_between=None)


def kept_pairs(
    one: np.ndarray, two: np.ndarray, time_between: object, within: tuple[float, float] | None
) -> tuple[np.ndarray, int, pd.Series | None]:
    """Which pairs are used, how many fall outside the time allowed, and quantiles of the time between."""
    kept = ~(np.isnan(one) | np.isnan(two))
    if time_between is None:
        if within is not None:
            raise ParamsError("retest(within)", "needs the time between", remedy="give time_between=")
        return kept, 0, None
    time, outside = inputs.numeric(time_between, where="retest", name="time_between"), 0
    if within is not None:
        if not within[0] <= within[1]:
            raise ParamsError("retest(within)", "is the wrong way round", allowed="(low, high)")
        inside = (time >= within[0]) & (time <= within[1])
        outside, kept = int((kept & ~inside).sum()), kept & inside
    known = time[kept & ~np.isnan(time)]
    quantiles = np.quantile(known, TIME_QUANTILES) if len(known) else np.full(len(TIME_QUANTILES), math.nan)
    return kept, outside, pd.Series(quantiles, TIME_QUANTILES, name="time_between")


def demand_pairs(n: int, *, where: str) -> None:
    """Stop with too few pairs for a spread."""
    if n < 3:
        raise DesignError(
            where, f"{n} people have both scores, at least 3 are needed", remedy="measure more people twice"
        )


def sums_by_school(
    one: np.ndarray, two: np.ndarray, cluster: object, kept: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Per school n, sums, squares and products about whole-number origins, shape (g, 6), of schools with a pair."""
    code, n_schools = inputs.codes(cluster, where="retest", name="cluster")
    code = code[kept]
    origin = (float(np.round(one.mean())), float(np.round(two.mean()))) if len(one) else (0.0, 0.0)
    a, b = one - origin[0], two - origin[1]
    parts = [np.ones(len(a)), a, b, a * a, b * b, a * b]
    sums = np.stack([np.bincount(code, weights=part, minlength=n_schools) for part in parts], axis=1)
    return sums[sums[:, 0] > 0], origin


def retest_record(
    moments: PairMoments, drawn: PairMoments | None, conf_level: float, *, where: str, **record: object
) -> RetestResult:
    """The record of moments, with percentiles of resampled ones where there are any."""
    if not (moments.first_variance > 0 and moments.second_variance > 0):
        raise DesignError(where, "a score does not vary", remedy="collect people who differ")
    z = critical(conf_level)
    values = {name: float(value) for name, value in retest_values(moments, z).items()}
    if drawn is None:
        intervals, errors = retest_intervals(moments, values, conf_level), {}
        errors["mean_difference"] = values["sd_difference"] / math.sqrt(moments.n)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            resampled = retest_values(drawn, z)
        tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
        intervals = {name: tuple(np.nanquantile(part, tails)) for name, part in resampled.items()}
        errors = {name: float(np.nanstd(part, ddof=1)) for name, part in resampled.items()}
    rows = [
        {
            "term": name,
            "estimate": value,
            "std_error": errors.get(name, math.nan),
            "conf_low": float(intervals.get(name, (math.nan,))[0]),
            "conf_high": float(intervals.get(name, (math.nan,))[-1]),
        }
        for name, value in values.items()
    ]
    if drawn is None and errors["mean_difference"] > 0:
        t = values["mean_difference"] / errors["mean_difference"]
        rows[3]["p_value"] = float(2 * stats.t.sf(abs(t), moments.n - 1))
    how = (
        "F, t and chi-square intervals"
        if drawn is None
        else "percentile intervals of {n_boot} resamples of {n_clusters} schools"
    )
    record = {"n_clusters": None, "n_boot": None, "seed": None, **record}
    return RetestResult(
        values=term_frame(rows),
        n_used=int(moments.n),
        method="test-retest agreement, " + how.format(**record),
        conf_level=conf_level,
        **record,
    )


def pair_occasions(
    score: object,
    person: object,
    occasion: object,
    *,
    occasions: tuple[object, object] | None = None,
    day: object = None,
) -> pd.DataFrame:
    """Rows of one person with two occasions side by side, from one row a person and occasion.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
    person, occasion : array-like, shape (n,)
        Person's key and term, wave or date of administration.
    occasions : (first, second), optional
        Which two; may be left out when the rows hold exactly two, which are then put in ascending order.
    day : array-like of dates or numbers, shape (n,), optional
        When; their difference becomes `time_between` (whole days for dates).

    Returns
    -------
    pandas.DataFrame
        Index person (everyone with a row at either occasion); `first, second`, and `time_between` with `day`. A person
        seen once has a missing score, which :func:`retest` counts.

    Raises
    ------
    DataError
        A row without a person or occasion; a person twice at one occasion; text as scores; different lengths.
    ParamsError
        Other than two occasions.

    Notes
    -----
    Pairing is by the person's key alone, never by row order.
    """
    where = "pair_occasions"
    inputs.same_length(where, score=score, person=person, occasion=occasion, day=day)
    frame = pd.DataFrame(
        {
            "person": pd.Series(person).array,
            "occasion": pd.Series(occasion).array,
            "score": inputs.numeric(score, where=where, name="score"),
        }
    )
    if day is not None:
        frame["day"] = pd.Series(day).array
    if n_missing := int(frame[["person", "occasion"]].isna().any(axis=1).sum()):
        raise DataError(
            where, f"{n_missing} rows name no person or no occasion", remedy="leave these rows out and say so"
        )
    first, second = chosen_occasions(frame["occasion"], occasions, where=where)
    halves = [frame[frame["occasion"] == name].set_index("person").drop(columns="occasion") for name in (first, second)]
    if n_twice := sum(int(half.index.duplicated().sum()) for half in halves):
        raise DataError(
            where, f"{n_twice} rows repeat a person at one occasion", remedy="keep one row a person and occasion"
        )
    both = pd.concat(halves, axis=1, keys=["first", "second"], sort=True)
    found = pd.DataFrame({name: both[name, "score"] for name in ("first", "second")})
    if day is not None:
        gap = both["second", "day"] - both["first", "day"]
        found["time_between"] = gap.dt.days if pd.api.types.is_timedelta64_dtype(gap) else gap
    return found


def chosen_occasions(occasion: pd.Series, occasions: tuple | None, *, where: str) -> tuple[object, object]:
    """The two occasions to compare."""
    there = sorted(occasion.unique())
    chosen = tuple(there if occasions is None else occasions)
    if len(chosen) != 2 or chosen[0] == chosen[1] or not set(chosen) <= set(there):
        raise ParamsError(
            f"{where}(occasions)",
            f"{len(there)} occasions are in the rows, two must be compared",
            allowed="two different occasions that are in the rows",
            remedy="name them as occasions=(first, second)",
        )
    return chosen
