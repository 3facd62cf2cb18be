"""Shares of several groups with their joint covariance, and the tests of their differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.stats.intervals import critical, on_logit, wald

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


# What each measure sums over people, by test result (negative, positive): coefficients of a person's contribution to cases,
# to people with a known or predicted reference, and to everyone tested.
CASES, OTHERS, PEOPLE, TESTED = (1, 0, 0), (-1, 1, 0), (0, 1, 0), (0, 0, 1)
NOBODY = (0, 0, 0)
FORMS = {
    "sensitivity": ((NOBODY, CASES), (CASES, CASES)),
    "specificity": ((OTHERS, NOBODY), (OTHERS, OTHERS)),
    "ppv": ((NOBODY, CASES), (NOBODY, PEOPLE)),
    "npv": ((OTHERS, NOBODY), (PEOPLE, NOBODY)),
    "fnr": ((CASES, NOBODY), (CASES, CASES)),
    "referral_rate": ((NOBODY, TESTED), (TESTED, TESTED)),
}


def from_rows(
    test: np.ndarray,
    contributions: tuple[np.ndarray, np.ndarray, np.ndarray],
    cells: np.ndarray,
    group: tuple[np.ndarray, int],
    cluster: Cluster | None,
) -> dict[str, Shares]:
    """Every measure, linearised, from each person's contributions to cases, to people known, and to everyone tested.

    `cells` counts the verified tp, fp, fn, tn of each group, shape (k, 4). Sums by group, school and test result carry
    everything, so rows are passed over a few times whatever the number of measures.
    """
    code, k = group
    place, size = (2 * code + test).astype(np.intp), 2 * k
    sums = np.stack([np.bincount(place, weights=part, minlength=size) for part in contributions], axis=-1)
    if cluster is None:
        pairs = [[np.bincount(place, weights=a * b, minlength=size) for b in contributions] for a in contributions]
        spread = np.moveaxis(np.array(pairs), -1, 0).reshape(k, 2, 3, 3) * len(test) / (len(test) - 1)
    else:
        member = cluster[0] * size + place
        parts = [np.bincount(member, weights=part, minlength=cluster[1] * size) for part in contributions]
        spread = np.stack(parts, axis=-1).reshape(cluster[1], k, 2, 3)
    people = from_cells(cells)
    found = {}
    for name, (top, bottom) in FORMS.items():
        above, below = (
            np.einsum("ktc,tc->k", sums.reshape(k, 2, 3), np.array(form, dtype=float)) for form in (top, bottom)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            value = above / below
            slope = (np.array(top) - value[:, None, None] * np.array(bottom)) / below[:, None, None]
        covariance = share_covariance(np.where(np.isfinite(slope), slope, 0.0), spread, clustered=cluster is not None)
        df = np.inf if cluster is None else cluster[1] - 1
        found[name] = Shares(value, covariance, people[name].top, people[name].bottom, df, False)
    return found


def share_covariance(slope: np.ndarray, spread: np.ndarray, *, clustered: bool) -> np.ndarray:
    """Covariance of the values of k groups from slopes of shape (k, 2, 3).

    `spread` holds second moments of independent people, shape (k, 2, 3, 3), or sums within schools, shape (schools, k,
    2, 3); groups that share schools are correlated.
    """
    if not clustered:
        return np.diag(np.einsum("kta,ktab,ktb->k", slope, spread, slope))
    sums = np.einsum("gktc,ktc->gk", spread, slope)
    centred = sums - sums.mean(axis=0)
    return centred.T @ centred * len(sums) / (len(sums) - 1)


def wilson(x: np.ndarray, n: np.ndarray, conf_level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of many shares at once."""
    z = critical(conf_level)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre, half = (x + z**2 / 2) / (n + z**2), z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def level_rows(name: str, found: Shares, conf_level: float) -> list[dict[str, object]]:
    """Value of each group with its interval: Wilson, or on the logit."""
    rows, bounds = [], wilson(found.top, found.bottom, conf_level)
    for j, value in enumerate(found.value):
        error = math.sqrt(found.covariance[j, j]) if np.isfinite(found.covariance[j, j]) else math.nan
        if found.plain:
            low, high = (float(bound[j]) for bound in bounds)
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
    at = [j, base]
    (low_j, low_b), (high_j, high_b) = wilson(found.top[at], found.bottom[at], conf_level)
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
