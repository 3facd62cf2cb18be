"""How far would screened positives have fallen anyway? Asked of unserved pupils, with the same scores, over the same time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.effects.regression_to_mean_normal import normal_expectation
from mhlib.stats.effects.regression_to_mean_record import (
    EMPIRICAL,
    NORMAL,
    RegressionToMeanResult,
    no_unserved_refusal,
    outcome_columns,
)
from mhlib.stats.effects.reliable_thresholds import BETTER
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.school_sums import FEWEST_SCHOOLS, school_weights

FEWEST = 20
MOST_BANDS = 12


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


def score_bands(score: np.ndarray, count: np.ndarray, *, fewest: int) -> np.ndarray:
    """Lowest score of each band of neighbouring scores that holds at least `fewest` pupils, rising."""
    values, place = np.unique(score, return_inverse=True)
    n = np.bincount(place, weights=count)
    edges, held = [values[0]], 0.0
    for k, more in enumerate(n):
        if held >= fewest and n[k:].sum() >= fewest:
            edges.append(values[k])
            held = 0.0
        held += more
    return np.array(edges)


def band_design(severity: np.ndarray, served: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the bands and the design: a column a band, and the score within bands if it varies there."""
    mine = severity[~served]
    edges = score_bands(mine, count[~served], fewest=max(FEWEST, math.ceil(count[~served].sum() / MOST_BANDS)))
    band = np.maximum(np.searchsorted(edges, severity, side="right") - 1, 0)
    design = (band[:, None] == np.arange(len(edges))).astype(float)
    middle = np.bincount(band[~served], weights=count[~served] * mine) / np.bincount(
        band[~served], weights=count[~served]
    )
    within = severity - middle[band]
    return edges, np.column_stack([design, within]) if np.abs(within[~served]).max() > 1e-9 else design


def empirical_expectation(
    severity: np.ndarray, outcome: np.ndarray, served: np.ndarray, count: np.ndarray
) -> dict[str, object]:
    """Expectation from unserved pupils, remainder, and each row's influence; `severity` rises with illness."""
    edges, design = band_design(severity, served, count)
    weight = count[:, None]
    mine, other = design[~served], outcome[~served]
    cross = mine.T @ (weight[~served] * mine)
    slopes = np.linalg.solve(cross, mine.T @ (weight[~served] * other))
    n_served = count[served].sum()
    centre = (weight[served] * design[served]).sum(axis=0) / n_served
    observed = (weight[served] * outcome[served]).sum(axis=0) / n_served
    residual = outcome - design @ slopes
    remainder = observed - centre @ slopes
    influence = np.empty_like(outcome)
    influence[served] = (residual[served] - remainder) / n_served
    influence[~served] = -(mine @ np.linalg.solve(cross, centre))[:, None] * residual[~served]
    reach = (severity < severity[~served].min()) | (severity > severity[~served].max())
    return {
        "observed": observed,
        "expected": centre @ slopes,
        "remainder": remainder,
        "influence": influence,
        "expected_se": np.sqrt((weight[~served] * influence[~served] ** 2).sum(axis=0)),
        "design": design,
        "n_outside": int(count[served & reach].sum()),
        "bands": band_table(edges, severity, outcome[:, 0], served, count),
    }


def band_table(
    edges: np.ndarray, severity: np.ndarray, fall: np.ndarray, served: np.ndarray, count: np.ndarray
) -> pd.DataFrame:
    """Mean scores by band in the scale's own direction up to the sign taken for severity."""
    band = np.maximum(np.searchsorted(edges, severity, side="right") - 1, 0)

    def mean(values: np.ndarray, who: np.ndarray) -> np.ndarray:
        n = np.bincount(band[who], weights=count[who], minlength=len(edges))
        total = np.bincount(band[who], weights=(count * values)[who], minlength=len(edges))
        return np.divide(total, n, out=np.full(len(edges), np.nan), where=n > 0)

    return pd.DataFrame(
        {
            "low": edges,
            "high": [severity[band == k].max() for k in range(len(edges))],
            "n_served": np.bincount(band[served], weights=count[served], minlength=len(edges)).astype(int),
            "n_unserved": np.bincount(band[~served], weights=count[~served], minlength=len(edges)).astype(int),
            "mean_before_served": mean(severity, served),
            "mean_after_served": mean(severity - fall, served),
            "mean_after_unserved": mean(severity - fall, ~served),
        }
    )


def influence_variance(
    influence: np.ndarray, count: np.ndarray, kept: np.ndarray, units: tuple[np.ndarray, int] | None
) -> float:
    """Variance of the sum of influences, pupils or schools being the units that vary."""
    if units is not None:
        used = np.unique(units[0][kept])
        sums = np.bincount(units[0], weights=count * influence, minlength=units[1])
        place = np.flatnonzero(np.isin(np.arange(units[1]), used) | (sums != 0))
        return variance_of_total(sums[place], None)
    n = count[influence != 0].sum()
    centred = influence[influence != 0] - (count * influence).sum() / n
    return float(n / (n - 1) * (count[influence != 0] * centred**2).sum())


def resampled_remainder(
    found: dict[str, object], outcome: np.ndarray, served: np.ndarray, count: np.ndarray, code: np.ndarray, n_clusters: int,
    n_boot: int, seed: int,
) -> np.ndarray | None:  # fmt: skip
    """Remainder in resamples of schools, shape (n_boot, k), from sums by school; None with fewer than ten schools."""
    present, code = np.unique(code, return_inverse=True)
    if len(present) < FEWEST_SCHOOLS:
        return None
    design, g = found["design"], len(present)
    p, k = design.shape[1], outcome.shape[1]

    def by_school(values: np.ndarray, who: np.ndarray) -> np.ndarray:
        return np.column_stack([np.bincount(code[who], weights=(count * v)[who], minlength=g) for v in values.T])

    products = (design[:, :, None] * np.concatenate([design, outcome], axis=1)[:, None, :]).reshape(len(design), -1)
    parts = np.column_stack([by_school(products, ~served), by_school(np.column_stack([design, outcome]), served)])
    n_served = np.bincount(code[served], weights=count[served], minlength=g)
    weights = school_weights(g, n_boot=n_boot, seed=seed, where="regression_to_mean")
    drawn, n = weights @ parts, (weights @ n_served)[:, None]
    both = drawn[:, : p * (p + k)].reshape(-1, p, p + k)
    # A resample without unserved pupils in some band has no expectation; the ridge only keeps the solver going.
    empty = (np.diagonal(both[:, :, :p], axis1=1, axis2=2) <= 0).any(axis=1) | (n[:, 0] == 0)
    cross = both[:, :, :p] + empty[:, None, None] * np.eye(p)
    slopes = np.linalg.solve(cross, both[:, :, p:])
    with np.errstate(invalid="ignore", divide="ignore"):
        centre, observed = drawn[:, -p - k : -k] / n, drawn[:, -k:] / n
    value = observed - np.einsum("bp,bpk->bk", centre, slopes)
    value[empty] = np.nan
    return value


def remainder_table(
    names: list[str], found: dict[str, object], drawn: np.ndarray | None, n_clusters: int | None, conf_level: float
) -> pd.DataFrame:
    """Observed, expected and remainder by outcome; interval from resamples where there are any, else linearised."""
    if n_clusters is not None and n_clusters < 2:
        raise ParamsError(
            "regression_to_mean(cluster)", "one school cannot tell how schools vary", remedy="leave it out"
        )
    factor = critical(conf_level, math.inf if n_clusters is None else n_clusters - 1)
    std_error = np.sqrt(np.array(found["variance"]) + np.asarray(found.get("extra_variance", 0.0)))
    low, high = found["remainder"] - factor * std_error, found["remainder"] + factor * std_error
    if drawn is not None:
        low, high = np.nanquantile(drawn, [(1 - conf_level) / 2, (1 + conf_level) / 2], axis=0)
        std_error = np.nanstd(drawn, axis=0, ddof=1)
    return pd.DataFrame(
        {
            "outcome": names,
            "observed": found["observed"],
            "expected": found["expected"],
            "expected_std_error": found["expected_se"],
            "remainder": found["remainder"],
            "std_error": std_error,
            "conf_low": low,
            "conf_high": high,
        }
    )
