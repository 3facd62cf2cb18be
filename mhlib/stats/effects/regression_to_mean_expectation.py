"""What unserved pupils with the same scores tell of the served: bands of scores, least squares, errors by school."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.school_sums import FEWEST_SCHOOLS, school_weights

FEWEST = 20
MOST_BANDS = 12


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
    if n < 2:
        # Where nobody's outcome varies the spread is unknown, not nought.
        return math.nan
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
