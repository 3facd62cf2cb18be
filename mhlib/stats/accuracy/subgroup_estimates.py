"""Shares of several groups with their joint covariance, and the tests of their differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.stats.intervals import binomial, on_logit, wald

Cluster = tuple[np.ndarray, int]
MEASURES = ("sensitivity", "specificity", "ppv", "npv", "fnr", "referral_rate")
# Below this expected count the chi-square of a table is not to be trusted (Cochran 1954).
LEAST_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class Shares:
    """One measure of k groups.

    `top` and `bottom` count people; `covariance` is that of the values; `plain` says that people are independent, count
    once and were all verified, so that score tests and Wilson's interval hold.
    """

    value: np.ndarray
    covariance: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    df: float
    plain: bool


def from_cells(cells: np.ndarray) -> dict[str, Shares]:
    """Every measure from the cells tp, fp, fn, tn of k groups, shape (k, 4)."""
    tp, fp, fn, tn = cells.T.astype(float)
    parts = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "fnr": (fn, tp + fn),
        "referral_rate": (tp + fp, tp + fp + fn + tn),
    }
    found = {}
    for name, (top, bottom) in parts.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            value = top / bottom
            variance = value * (1 - value) / bottom
        found[name] = Shares(value, np.diag(variance), top, bottom, math.inf, True)
    return found


def from_rows(
    test: np.ndarray,
    expected: np.ndarray,
    known: np.ndarray,
    mass: np.ndarray,
    case: np.ndarray,
    group: tuple[np.ndarray, int],
    cluster: Cluster | None,
) -> dict[str, Shares]:
    """Every measure from each person's contribution to cases (`expected`) and to people (`known`), linearised.

    `mass` counts everyone tested (the referral rate needs no reference); `case` is NaN where not verified.
    """
    well, seen = known - expected, ~np.isnan(case)
    ill = np.where(seen, case, 0.0)
    parts = {
        "sensitivity": (test * expected, expected, seen * test * ill, seen * ill),
        "specificity": ((1 - test) * well, well, seen * (1 - test) * (1 - ill), seen * (1 - ill)),
        "ppv": (test * expected, test * known, seen * test * ill, seen * test),
        "npv": ((1 - test) * well, (1 - test) * known, seen * (1 - test) * (1 - ill), seen * (1 - test)),
        "fnr": ((1 - test) * expected, expected, seen * (1 - test) * ill, seen * ill),
        "referral_rate": (mass * test, mass, test, np.ones(len(test))),
    }
    code, k = group
    found = {}
    for name, (top, bottom, top_people, bottom_people) in parts.items():
        total = np.bincount(code, weights=bottom, minlength=k)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.bincount(code, weights=top, minlength=k) / total
            influence = (top - value[code] * bottom) / total[code]
        covariance, df = influence_covariance(np.where(np.isfinite(influence), influence, 0.0), group, cluster)
        people = [np.bincount(code, weights=part, minlength=k) for part in (top_people, bottom_people)]
        found[name] = Shares(value, covariance, *people, df, False)
    return found


def influence_covariance(
    influence: np.ndarray, group: tuple[np.ndarray, int], cluster: Cluster | None
) -> tuple[np.ndarray, float]:
    """Covariance of the values of k groups; groups that share schools are correlated."""
    code, k = group
    if cluster is None:
        n = len(influence)
        return np.diag(np.bincount(code, weights=influence**2, minlength=k)) * n / (n - 1), math.inf
    member, g = cluster
    sums = np.bincount(member * k + code, weights=influence, minlength=g * k).reshape(g, k)
    centred = sums - sums.mean(axis=0)
    return centred.T @ centred * g / (g - 1), g - 1


def level_rows(name: str, found: Shares, conf_level: float) -> list[dict[str, object]]:
    """Value of each group with its interval: Wilson, or on the logit."""
    rows = []
    for j, value in enumerate(found.value):
        error = math.sqrt(found.covariance[j, j]) if np.isfinite(found.covariance[j, j]) else math.nan
        if found.plain:
            low, high = binomial(int(found.top[j]), int(found.bottom[j]), ci="wilson", conf_level=conf_level)
        elif name == "auc":
            low, high = wald(float(value), error, conf_level, found.df)
            low, high = float(np.maximum(low, 0)), float(np.minimum(high, 1))
        else:
            low, high = on_logit(float(value), error, conf_level, found.df)
        counts = {"numerator": found.top[j], "denominator": found.bottom[j]}
        rows.append({"estimate": float(value), "std_error": error, "conf_low": low, "conf_high": high, **counts})
    return rows


def difference(found: Shares, j: int, base: int, conf_level: float) -> dict[str, object]:
    """Group j less the reference group: interval and two-sided test.

    Plain shares: Newcombe's (1998) interval; Pearson's chi-square without correction, Fisher's exact test where an
    expected count is below 5. Others: Wald, on t within clusters; not defined where a value is 0 or 1.
    """
    value = float(found.value[j] - found.value[base])
    v = found.covariance
    variance = v[j, j] + v[base, base] - 2 * v[j, base]
    error = math.sqrt(variance) if variance > 0 else math.nan
    row = {"estimate": value, "std_error": error}
    if not found.plain:
        if not (v[j, j] > 0 and v[base, base] > 0):
            return {"estimate": value}
        low, high = wald(value, error, conf_level, found.df)
        statistic = value / error
        p_value = float(2 * stats.t.sf(abs(statistic), found.df))
        bounds = {"conf_low": max(low, -1.0), "conf_high": min(high, 1.0)}
        return row | bounds | {"p_value": p_value, "statistic": statistic, "test": "Wald"}
    low, high = newcombe(found, j, base, conf_level)
    statistic, p_value, test = two_by_two_test(found.top[[j, base]], found.bottom[[j, base]])
    return row | {"conf_low": low, "conf_high": high, "p_value": p_value, "statistic": statistic, "test": test}


def newcombe(found: Shares, j: int, base: int, conf_level: float) -> tuple[float, float]:
    """Newcombe's (1998, Stat Med 17:873, method 10) interval of a difference of two independent shares."""
    bounds = [binomial(int(found.top[i]), int(found.bottom[i]), ci="wilson", conf_level=conf_level) for i in (j, base)]
    (low_j, high_j), (low_b, high_b) = bounds
    a, b = found.value[j], found.value[base]
    return float(a - b - math.hypot(a - low_j, high_b - b)), float(a - b + math.hypot(high_j - a, b - low_b))


def expected_counts(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Expected counts of the two rows of a table of shares when all are equal."""
    pooled = top.sum() / bottom.sum()
    return np.stack([bottom * pooled, bottom * (1 - pooled)])


def two_by_two_test(top: np.ndarray, bottom: np.ndarray) -> tuple[float, float, str]:
    """Statistic, p and name of the test of two independent shares."""
    if (bottom == 0).any():
        return math.nan, math.nan, ""
    counts = expected_counts(top, bottom)
    if counts.min() < LEAST_EXPECTED:
        table = np.stack([top, bottom - top]).astype(int)
        return math.nan, float(stats.fisher_exact(table).pvalue), "Fisher exact"
    statistic = float(((top - counts[0]) ** 2 / counts[0] + (top - counts[0]) ** 2 / counts[1]).sum())
    return statistic, float(stats.chi2.sf(statistic, 1)), "Pearson"


def global_test(found: Shares, usable: np.ndarray) -> dict[str, object]:
    """Test that all usable groups have one value.

    Plain shares: Pearson's chi-square where every expected count is at least 1 and four in five at least 5, else not
    defined. Others: Wald, within clusters as F with Hotelling's adjustment.
    """
    at = np.flatnonzero(usable)
    q = len(at) - 1
    if q < 1:
        return {}
    if found.plain:
        top, bottom = found.top[at], found.bottom[at]
        counts = expected_counts(top, bottom)
        if (bottom == 0).any() or counts.min() < 1 or (counts < LEAST_EXPECTED).mean() > 0.2:
            return {"df": q}
        statistic = float(((top - counts[0]) ** 2 * (1 / counts[0] + 1 / counts[1])).sum())
        return {"statistic": statistic, "df": q, "p_value": float(stats.chi2.sf(statistic, q)), "test": "Pearson"}
    contrast = np.hstack([-np.ones((q, 1)), np.eye(q)])
    spread = contrast @ found.covariance[np.ix_(at, at)] @ contrast.T
    if (np.diag(found.covariance)[at] <= 0).any() or np.linalg.matrix_rank(spread, hermitian=True) < q:
        return {"df": q}
    gap = contrast @ found.value[at]
    statistic = float(gap @ np.linalg.solve(spread, gap))
    if math.isinf(found.df):
        p_value = stats.chi2.sf(statistic, q)
    else:
        left = found.df - q + 1
        p_value = stats.f.sf(statistic * left / (found.df * q), q, left) if left > 0 else math.nan
    return {"statistic": statistic, "df": q, "p_value": float(p_value), "test": "Wald"}
