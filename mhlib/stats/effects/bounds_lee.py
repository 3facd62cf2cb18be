"""What an effect can be at worst and at best when loss differs between arms: Lee's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.measurement.school_sums import school_weights
from mhlib.stats.terms import term_frame

# Numbers held at a time while schools are drawn again.
BLOCK = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeeBoundsResult:
    """Lower and upper bound of the effect on pupils who would be seen in either arm.

    Attributes
    ----------
    lower, upper, lower_se, upper_se : float
        Bounds in the outcome's unit and their standard errors (NaN without resamples).
    conf_low, conf_high : float
        Interval of the effect itself (Imbens & Manski 2004), not of the bounds.
    unadjusted : float
        Difference in means of those observed.
    trimmed : float
        Share of the better-followed arm that is trimmed; `trimmed_arm` 1 treated, 0 control.
    """

    lower: float
    upper: float
    lower_se: float
    upper_se: float
    conf_low: float
    conf_high: float
    unadjusted: float
    trimmed: float
    trimmed_arm: int
    n_strata: int
    n_clusters: int | None
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `lower`, `upper`, `effect` (interval only), `unadjusted`, `trimmed`."""
        return term_frame(
            [
                {"term": "lower", "estimate": self.lower, "std_error": self.lower_se},
                {"term": "upper", "estimate": self.upper, "std_error": self.upper_se},
                {"term": "effect", "conf_low": self.conf_low, "conf_high": self.conf_high},
                {"term": "unadjusted", "estimate": self.unadjusted},
                {"term": "trimmed", "estimate": self.trimmed},
            ]
        )


def lee_bounds(
    outcome: object,
    treated: object,
    *,
    strata: object = None,
    cluster: object = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> LeeBoundsResult:
    """Bounds of the effect when fewer pupils of one arm were followed up.

    Parameters
    ----------
    outcome : array-like, shape (n,)
        Missing for pupils who were lost; all who were allocated have a row.
    treated : array-like of 0/1, shape (n,)
    strata : array-like, shape (n,), optional
        Baseline groups within which trimming is done; narrows the bounds.
    cluster : array-like, shape (n,), optional
        School; without it pupils themselves are drawn again.
    n_boot, seed : int
        Resamples and their seed; without a seed no standard error or interval is given.
    conf_level : float

    Returns
    -------
    LeeBoundsResult
        `n_excluded` counts the lost. Assumes that being in the programme moves loss in one direction only (monotony).

    Raises
    ------
    DataError
        Columns of different lengths; a treatment that is missing or not 0/1.
    DesignError
        An arm or a stratum of an arm in which nobody was observed.

    Notes
    -----
    The arm that was followed better is trimmed by p = (q_high - q_low) / q_high from below for one bound and from above for
    the other, a fraction of the last pupil included; strata count by their share of always-observed pupils, n min(q).
    References: Lee (2009) Rev Econ Stud 76:1071; Imbens & Manski (2004) Econometrica 72:1845.
    Checked against: tests/oracle/change_lee.csv (plain R on BtheB).
    """
    where = "lee_bounds"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.same_length(where, outcome=outcome, treated=treated, strata=strata, cluster=cluster)
    y = inputs.numeric(outcome, where=where, name="outcome")
    arm = inputs.without_missing(
        inputs.binary(treated, where=where, name="treated"),
        where=where,
        name="treated",
        remedy="give every pupil an arm",
    ).astype(int)
    stratum, n_strata = (
        (np.zeros(len(y), int), 1) if strata is None else inputs.codes(strata, where=where, name="strata")
    )
    unit, n_units = (
        (np.arange(len(y)), len(y)) if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    )
    cells = [
        cell_of(y[m], unit[m], n_units) for s in range(n_strata) for a in (0, 1) for m in [(stratum == s) & (arm == a)]
    ]
    if any(len(cell["value"]) == 0 for cell in cells):
        raise DesignError(
            where, "nobody was observed in an arm, or in an arm of some stratum", remedy="use fewer or wider strata"
        )
    bounds = bounds_of(cells, np.ones((1, n_units)))[0]
    seen = [float(np.isfinite(y[arm == a]).mean()) for a in (0, 1)]
    errors, low, high = (math.nan, math.nan), math.nan, math.nan
    if seed is not None:
        drawn = resampled_bounds(cells, n_units, n_boot=n_boot, seed=seed, where=where)
        errors = tuple(float(e) for e in np.nanstd(drawn, axis=0, ddof=1))
        low, high = imbens_manski(*bounds, *errors, conf_level)
    return LeeBoundsResult(
        lower=float(bounds[0]),
        upper=float(bounds[1]),
        lower_se=errors[0],
        upper_se=errors[1],
        conf_low=low,
        conf_high=high,
        unadjusted=float(np.nanmean(y[arm == 1]) - np.nanmean(y[arm == 0])),
        trimmed=1 - min(seen) / max(seen),
        trimmed_arm=int(seen[1] >= seen[0]),
        n_strata=n_strata,
        n_clusters=None if cluster is None else n_units,
        n_boot=None if seed is None else int(n_boot),
        seed=seed,
        n_used=int(np.isfinite(y).sum()),
        n_excluded=int(np.isnan(y).sum()),
        method="Lee (2009)" + ("" if n_strata == 1 else f" within {n_strata} strata"),
        conf_level=conf_level,
    )


def cell_of(y: np.ndarray, unit: np.ndarray, n_units: int) -> dict[str, np.ndarray]:
    """Observed outcomes of one arm and stratum in rising order, and who holds them.

    Scores with few values are counted by unit and value; then a resample needs no pupil.
    """
    seen = ~np.isnan(y)
    values, place = np.unique(y[seen], return_inverse=True)
    everyone = np.bincount(unit, minlength=n_units).astype(float)
    if len(values) * n_units <= max(seen.sum(), 100):
        counts = np.bincount(unit[seen] * len(values) + place, minlength=n_units * len(values))
        return {"value": values, "counts": counts.reshape(n_units, -1).astype(float), "everyone": everyone}
    order = np.argsort(y[seen], kind="stable")
    return {"value": y[seen][order], "unit": unit[seen][order], "everyone": everyone}


def drawn_in(cell: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weight of each value of a cell, by row of unit weights."""
    return weights @ cell["counts"] if "counts" in cell else np.take(weights, cell["unit"], axis=1)


def bounds_of(cells: list[dict[str, np.ndarray]], weights: np.ndarray) -> np.ndarray:
    """Lower and upper bound for each row of unit weights, shape (b, 2); cells alternate control, treated."""
    total, low, high = 0.0, 0.0, 0.0
    for control, treated in zip(cells[::2], cells[1::2], strict=True):
        everyone = [weights @ cell["everyone"] for cell in (control, treated)]
        drawn = [drawn_in(cell, weights) for cell in (control, treated)]
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = [own.sum(axis=1) / n for own, n in zip(drawn, everyone, strict=True)]
            keep = [np.minimum(1, rate[1] / rate[0]), np.minimum(1, rate[0] / rate[1])]
        tails = [
            kept_mean(cell["value"], own, part) for cell, own, part in zip((control, treated), drawn, keep, strict=True)
        ]
        size = (everyone[0] + everyone[1]) * np.minimum(*rate)
        low = low + size * (tails[1][0] - tails[0][1])
        high = high + size * (tails[1][1] - tails[0][0])
        total = total + size
    return np.column_stack([low / total, high / total])


def kept_mean(value: np.ndarray, weights: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the lowest and of the highest share `keep` of weighted, rising values, by row of weights."""
    reached = weights.cumsum(axis=1)
    target = (keep * reached[:, -1])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        lowest = np.clip(target - (reached - weights), 0, weights) @ value / target[:, 0]
        highest = np.clip(target - (reached[:, -1:] - reached), 0, weights) @ value / target[:, 0]
    return lowest, highest


def resampled_bounds(cells: list, n_units: int, *, n_boot: int, seed: int, where: str) -> np.ndarray:
    """Bounds of resamples of units, shape (n_boot, 2), some resamples at a time."""
    rows = sum(len(cell["value"]) for cell in cells)
    step = max(1, min(n_boot, BLOCK // max(rows, n_units)))
    if n_units <= 5000:
        weights = school_weights(n_units, n_boot=n_boot, seed=seed, where=where)
        return np.concatenate([bounds_of(cells, weights[i : i + step]) for i in range(0, n_boot, step)])
    rng, found = np.random.default_rng(seed), []
    for start in range(0, n_boot, step):
        size = min(step, n_boot - start)
        weights = rng.poisson(1.0, size=(size, n_units)).astype(float)
        found.append(bounds_of(cells, weights))
    return np.concatenate(found)


def imbens_manski(
    lower: float, upper: float, lower_se: float, upper_se: float, conf_level: float
) -> tuple[float, float]:
    """Interval that holds the effect itself, wherever it lies between the bounds."""
    widest = max(lower_se, upper_se)
    if not widest > 0:
        return float(lower), float(upper)
    gap = (upper - lower) / widest
    c = optimize.brentq(lambda z: stats.norm.cdf(z + gap) - stats.norm.cdf(-z) - conf_level, 0, 10)
    return float(lower - c * lower_se), float(upper + c * upper_se)
