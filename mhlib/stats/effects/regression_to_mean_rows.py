"""How far would screened positives have fallen anyway? Asked of unserved pupils, with the same scores, over the same time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.regression_to_mean_expectation import (
    FEWEST,
    empirical_expectation,
    influence_variance,
    remainder_table,
    resampled_remainder,
)
from mhlib.stats.effects.regression_to_mean_normal import normal_expectation
from mhlib.stats.effects.regression_to_mean_record import (
    EMPIRICAL,
    NORMAL,
    RegressionToMeanResult,
    no_unserved_refusal,
    outcome_columns,
)
from mhlib.stats.effects.reliable_thresholds import BETTER


def regression_to_mean(
    before: object,
    after: object,
    served: object,
    *,
    cutoff: float,
    better: str = "lower",
    least_change: float | None = None,
    cluster: object = None,
    reliability: tuple[float, float] | None = None,
    population: tuple[float, float] | None = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> RegressionToMeanResult | Refused:
    """Observed change of served screened positives, the change to expect without service, and the remainder.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Screen and retest in points, of all pupils screened: served and unserved, positives and others.
    served : array-like of 0/1, shape (n,)
        Unserved pupils may come from a wait-list, other schools or an earlier wave, over the same interval.
    cutoff : float
        Positive when before >= cutoff (<= when higher is better).
    better : {'lower', 'higher'}
    least_change : float, optional
        Adds the shares `improved`, `reliable_recovery` and `worse`.
    cluster : array-like, shape (n,), optional
        School.
    reliability : (estimate, standard error), optional
        Retest reliability (:func:`retest_reliability`): allows the normal formula where fewer than 20 unserved positives
        were measured again; the result is then marked `basis == 'normal'`.
    population : (mean, sd), optional
        Of the screen in all pupils, for the formula; taken from `before` when absent.
    n_boot, seed : int
        With schools: resamples and their seed; without a seed the interval is linearised, t with schools - 1 df. With 60
        schools the first covers 93.6 %, the second 94 to 95 % (docs/calibration.md).
    conf_level : float

    Returns
    -------
    RegressionToMeanResult or Refused
        Refused `no_unserved_retest` where neither unserved retests nor a reliability are given. `n_excluded` counts
        positives without a retest.

    Raises
    ------
    DataError
        Columns of different lengths, text, a `served` that is missing or not 0/1.
    DesignError
        No served positive has a retest.
    ParamsError
        An unknown direction, a reliability outside 0–1, too few resamples.

    Notes
    -----
    Unserved positives are parted into bands of neighbouring scores of at least 20 pupils (single scores where there are
    enough); least squares of the outcome on bands, with one slope within bands, gives E[retest | screen = s]; its mean
    over the served pupils' scores is expected. Influence of pupil i on the remainder: (Y_i - X_i g - remainder) / n_served
    if served, else -x' (X'X)^-1 X_i (Y_i - X_i g), x the served mean. The remainder is never an effect: service went to
    those thought to need it.
    References: Davis (1976) Am J Epidemiol 104:493; James (1973); Peters (1941) and Belson (1956) for the standardising.
    Checked against: tests/oracle/change_fall.csv (R lm), tests/oracle/change_fall_normal.csv (R integrate).
    """
    where = "regression_to_mean"
    inputs.same_length(where, before=before, after=after, served=served, cluster=cluster)
    start, end = (inputs.numeric(v, where=where, name=n) for v, n in ((before, "before"), (after, "after")))
    given = inputs.without_missing(
        inputs.binary(served, where=where, name="served"), where=where, name="served", remedy="say who was served"
    )
    code = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    return expected_and_observed(
        start, end, given == 1, np.ones(len(start)), code, cutoff=cutoff, better=better, least_change=least_change,
        reliability=reliability, population=population, n_boot=n_boot, seed=seed, conf_level=conf_level,
    )  # fmt: skip


def regression_to_mean_from_counts(
    cells: pd.DataFrame, *, cutoff: float, **options: object
) -> RegressionToMeanResult | Refused:
    """As :func:`regression_to_mean`, from the number of pupils at each pair of scores.

    Parameters
    ----------
    cells : DataFrame
        Columns `before, after, served, n` and, for schools, `cluster`; `after` missing where there was no retest.
    cutoff : float
    **options
        As in :func:`regression_to_mean`.

    Returns
    -------
    RegressionToMeanResult or Refused
        The same digits as on the rows.

    Raises
    ------
    DataError
        A column lacking, a negative or missing count.

    Notes
    -----
    Checked against: tests/oracle/change_fall.csv (R lm).
    """
    where = "regression_to_mean_from_counts"
    if lacking := {"before", "after", "served", "n"} - set(cells.columns):
        raise DataError(f"{where}(cells)", f"lack the columns {', '.join(sorted(lacking))}")
    count = inputs.numeric(cells["n"], where=where, name="n")
    if np.isnan(count).any() or (count < 0).any():
        raise DataError(f"{where}(n)", "a count is negative or missing")
    start, end = (inputs.numeric(cells[name], where=where, name=name) for name in ("before", "after"))
    given = inputs.without_missing(
        inputs.binary(cells["served"], where=where, name="served"),
        where=where,
        name="served",
        remedy="say who was served",
    )
    code = inputs.codes(cells["cluster"], where=where, name="cluster") if "cluster" in cells else None
    full = {"better": "lower", "least_change": None, "reliability": None, "population": None, "n_boot": 2000,
            "seed": None, "conf_level": 0.95}  # fmt: skip
    return expected_and_observed(start, end, given == 1, count, code, cutoff=cutoff, **{**full, **options})


def expected_and_observed(
    start: np.ndarray,
    end: np.ndarray,
    served: np.ndarray,
    count: np.ndarray,
    code: tuple[np.ndarray, int] | None,
    *,
    cutoff: float,
    better: str,
    least_change: float | None,
    reliability: tuple[float, float] | None,
    population: tuple[float, float] | None,
    n_boot: int,
    seed: int | None,
    conf_level: float,
) -> RegressionToMeanResult | Refused:
    """Choose where the expectation comes from, and put the record together."""
    where = "regression_to_mean"
    sign = 1 if inputs.one_of(better, BETTER, where=where, name="better") == "lower" else -1
    inputs.open_unit(conf_level, where=where, name="conf_level")
    positive = sign * start >= sign * cutoff
    retested = positive & ~np.isnan(end)
    n_served, n_unserved = (int(count[retested & who].sum()) for who in (served, ~served))
    if n_served < 2:
        raise DesignError(where, "fewer than two served pupils with a positive screen have a retest")
    if n_unserved < FEWEST and reliability is None:
        return no_unserved_refusal(n_served, n_unserved, FEWEST)
    names, outcome = outcome_columns(
        start[retested], end[retested], cutoff=cutoff, sign=sign, least_change=least_change
    )
    screened = ~np.isnan(start)
    units = None if code is None else (code[0][screened], code[1])
    kept = retested[screened]
    if n_unserved >= FEWEST:
        basis, found = (
            EMPIRICAL,
            empirical_expectation(sign * start[retested], outcome, served[retested], count[retested]),
        )
        influence = np.zeros((kept.size, len(names)))
        influence[kept] = found["influence"]
    else:
        basis = NORMAL
        found = normal_expectation(
            start[screened], outcome, kept & served[screened], count[screened], sign=sign, cutoff=cutoff,
            least_change=least_change, reliability=reliability, population=population, keep=served[retested],
        )  # fmt: skip
        influence = found["influence"]
    found["variance"] = [influence_variance(h, count[screened], kept, units) for h in influence.T]
    drawn = None
    if basis == EMPIRICAL and units is not None and seed is not None:
        drawn = resampled_remainder(
            found, outcome, served[retested], count[retested], code[0][retested], code[1], n_boot, seed
        )
    n_clusters = None if code is None else len(np.unique(code[0][retested]))
    return RegressionToMeanResult(
        table=remainder_table(names, found, drawn, n_clusters, conf_level),
        bands=found["bands"] if basis == EMPIRICAL else pd.DataFrame(),
        basis=basis,
        cutoff=float(cutoff),
        better=better,
        n_served=n_served,
        n_unserved=n_unserved,
        n_outside=found["n_outside"],
        n_clusters=n_clusters,
        n_boot=None if drawn is None else int(n_boot),
        seed=None if drawn is None else seed,
        n_used=int(count[retested].sum()),
        n_excluded=int(count[positive & ~retested].sum()),
        method=method_text(basis, drawn, n_boot, n_clusters),
        conf_level=conf_level,
    )


def method_text(basis: str, drawn: np.ndarray | None, n_boot: int, n_clusters: int | None) -> str:
    """How the expectation and the interval came about."""
    how = "retest of unserved pupils with the same scores" if basis == EMPIRICAL else "normal formula (assumed)"
    if drawn is not None:
        return f"{how}, {n_boot} resamples of {n_clusters} schools"
    return f"{how}, linearised" + ("" if n_clusters is None else f" by {n_clusters} schools")
