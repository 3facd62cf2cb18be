"""Mantel-Haenszel and its ordinal kin, for all items at once, from counts by stratum, group and answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.stats.measurement.dif_counts import Tables


@dataclass(frozen=True, slots=True)
class Mantel:
    """One number an item: test, log common odds ratio (focal over reference), standardised mean difference."""

    chi2: np.ndarray
    p_value: np.ndarray
    log_ratio: np.ndarray
    log_ratio_se: np.ndarray
    smd: np.ndarray
    smd_se: np.ndarray
    smd_per_sd: np.ndarray
    n_strata: np.ndarray
    n_unmatched: np.ndarray
    design_effect: np.ndarray


@dataclass(frozen=True, slots=True)
class Parts:
    """Counts of the reference and the focal group, (item, stratum, answer), and what follows from them."""

    ref: np.ndarray
    focal: np.ndarray
    answers: np.ndarray
    n_ref: np.ndarray
    n_focal: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


def parts_of(tables: Tables) -> Parts:
    """Counts in strata that hold both groups; the other strata carry no information on bias."""
    ref, focal = (tables.counts[:, :, side].astype(float) for side in (0, 1))
    both = (ref.sum(axis=2) > 0) & (focal.sum(axis=2) > 0)
    ref, focal = ref * both[..., None], focal * both[..., None]
    n_ref, n_focal = ref.sum(axis=2), focal.sum(axis=2)
    n = n_ref + n_focal
    every, y = ref + focal, tables.answers[:, None, :]
    first, second = (every * y).sum(axis=2), (every * y * y).sum(axis=2)
    safe = np.maximum(n, 1)
    return Parts(ref, focal, tables.answers, n_ref, n_focal, n, first / safe, np.maximum(second - first**2 / safe, 0))


def mantel(tables: Tables) -> Mantel:
    """Every item's test and effects; with clusters, their cluster-robust versions.

    Notes
    -----
    Two answers: Mantel & Haenszel (1959) with continuity correction max(|d| - 1/2, 0). More: Mantel (1963), no
    correction. The common odds ratio is Liu & Agresti's (1996); with two answers it is that of Mantel and Haenszel.
    """
    parts = parts_of(tables)
    gap, variance = score_test(parts)
    ratio, ratio_se = np.array([log_ratio(parts, item, int(n)) for item, n in enumerate(tables.n_answers)]).T
    smd, smd_se = standardised_difference(parts)
    naive = variance.copy()
    if tables.by_cluster is not None:
        variance, ratio_se, smd_se = clustered(tables, parts, ratio, smd)
    exact = (tables.n_answers == 2) & (tables.by_cluster is None)
    step = np.where(exact, 0.5 * (tables.answers[:, 1] - tables.answers[:, 0]), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = np.where(variance > 0, np.maximum(np.abs(gap) - step, 0) ** 2 / variance, np.nan)
        deff = variance / naive if tables.by_cluster is not None else np.full(len(gap), np.nan)
    df = math.inf if tables.n_clusters is None else tables.n_clusters - 1
    return Mantel(
        chi2,
        stats.chi2.sf(chi2, 1) if math.isinf(df) else stats.f.sf(chi2, 1, df),
        ratio,
        ratio_se,
        smd,
        smd_se,
        smd / item_spread(tables),
        (parts.n > 1).sum(axis=1),
        tables.counts.sum(axis=(1, 2, 3)) - parts.n.sum(axis=1).astype(int),
        deff,
    )


def item_spread(tables: Tables) -> np.ndarray:
    """Standard deviation of each item over everybody counted."""
    count = tables.counts[:, :, :2].sum(axis=(1, 2))
    n = count.sum(axis=1)
    mean = (count * tables.answers).sum(axis=1) / n
    return np.sqrt((count * (tables.answers - mean[:, None]) ** 2).sum(axis=1) / (n - 1))


def score_test(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Sum over strata of the focal sum less its expectation, and its hypergeometric variance."""
    observed = (parts.focal * parts.answers[:, None, :]).sum(axis=2)
    gap = (observed - parts.n_focal * parts.mean).sum(axis=1)
    safe = np.where(parts.n > 1, parts.n * (parts.n - 1), 1)
    return gap, (parts.n_ref * parts.n_focal * parts.spread / safe).sum(axis=1)


def standardised_difference(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Focal-weighted difference of means at equal level, and Zwick and Thayer's (1996) hypergeometric error."""
    y = parts.answers[:, None, :]
    n_ref, n_focal = np.maximum(parts.n_ref, 1), np.maximum(parts.n_focal, 1)
    gap = (parts.focal * y).sum(axis=2) / n_focal - (parts.ref * y).sum(axis=2) / n_ref
    weight = parts.n_focal / np.maximum(parts.n_focal.sum(axis=1, keepdims=True), 1)
    safe = np.where(parts.n > 1, parts.n * (parts.n - 1), 1)
    pooled = parts.n_ref * parts.n_focal * parts.spread / safe
    variance = (weight**2 * (1 / n_ref + 1 / n_focal) ** 2 * pooled).sum(axis=1)
    return (weight * gap).sum(axis=1), np.sqrt(variance)


def log_ratio(parts: Parts, item: int, n_answers: int) -> tuple[float, float]:
    """Log of Liu and Agresti's common cumulative odds ratio, and its standard error.

    Robins, Breslow and Greenland (1986) with two answers; otherwise the variance of the pair sums that make up the
    estimating function, which is unbiased whether strata are few and large or many and small (see `pair_kernel`).
    """
    ref, focal = parts.ref[item, :, :n_answers], parts.focal[item, :, :n_answers]
    over = np.maximum(parts.n[item], 1)
    above, below = pair_sums(ref, focal)
    up, down = (above / over).sum(), (below / over).sum()
    if up <= 0 or down <= 0:
        return math.nan, math.nan
    if n_answers == 2:
        return math.log(up / down), math.sqrt(robins(ref, focal, over))
    rows, columns, square = projections(ref, focal, up / down)
    variance = (((focal * rows**2).sum(axis=1) + (ref * columns**2).sum(axis=1) - square) / over**2).sum()
    return math.log(up / down), math.sqrt(max(variance, 0)) / up


def pair_kernel(n_answers: int, ratio: float) -> np.ndarray:
    """h(a, b) = (a - b)+ - ratio (b - a)+ for a focal answer a and a reference answer b.

    Summing the 2 x 2 tables of every cut of the answers counts the steps between the two people of each pair, so Liu
    and Agresti's estimating function is a sum of h over pairs, with expectation 0 in each stratum.
    """
    step = np.subtract.outer(np.arange(n_answers), np.arange(n_answers)).astype(float)
    return np.maximum(step, 0) - ratio * np.maximum(-step, 0)


def pair_sums(ref: np.ndarray, focal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per stratum, steps by which focal answers exceed reference answers over all pairs, and the reverse."""
    kernel = pair_kernel(ref.shape[1], 0)
    return ((focal @ kernel) * ref).sum(axis=1), ((ref @ kernel) * focal).sum(axis=1)


def projections(ref: np.ndarray, focal: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of h over partners for each answer of a focal and of a reference person, and the sum of h squared."""
    kernel = pair_kernel(ref.shape[1], ratio)
    return ref @ kernel.T, focal @ kernel, ((focal @ kernel**2) * ref).sum(axis=1)


def robins(ref: np.ndarray, focal: np.ndarray, n: np.ndarray) -> float:
    """Variance of the log Mantel-Haenszel odds ratio by Robins, Breslow and Greenland (1986)."""
    a, b, c, d = focal[:, 1], focal[:, 0], ref[:, 1], ref[:, 0]
    p, q, r, s = (a + d) / n, (b + c) / n, a * d / n, b * c / n
    up, down = r.sum(), s.sum()
    parts = (p * r).sum() / up**2, (p * s + q * r).sum() / (up * down), (q * s).sum() / down**2
    return float(sum(parts) / 2)


def clustered(tables: Tables, parts: Parts, ratio: np.ndarray, smd: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cluster-robust variance of the test's sum, and standard errors of log ratio and mean difference."""
    found = []
    for item, counts in enumerate(tables.by_cluster):
        influence = influences(parts, item, counts.shape[3], ratio[item], smd[item])
        sums = counts[:, :, :2].reshape(len(counts), -1) @ influence.reshape(3, -1).T
        spread = sums - sums.mean(axis=0)
        found.append(len(sums) / (len(sums) - 1) * (spread**2).sum(axis=0))
    test, log_variance, smd_variance = np.array(found).T
    return test, np.sqrt(log_variance), np.sqrt(smd_variance)


def influences(parts: Parts, item: int, n_answers: int, ratio: float, smd: float) -> np.ndarray:
    """What one person of each stratum, group and answer adds to test, log ratio and mean difference."""
    ref, focal = parts.ref[item, :, :n_answers], parts.focal[item, :, :n_answers]
    y, n = parts.answers[item, :n_answers], np.maximum(parts.n[item], 1)[:, None]
    n_ref, n_focal = (np.maximum(x[item], 1)[:, None] for x in (parts.n_ref, parts.n_focal))
    used = ((parts.n_ref[item] > 0) & (parts.n_focal[item] > 0))[:, None]
    centred, share = y - parts.mean[item][:, None], parts.n_focal[item][:, None] / n
    rows, columns, _ = projections(ref, focal, math.exp(ratio))
    up = (pair_sums(ref, focal)[0] / n[:, 0]).sum()
    mean_ref = (ref @ y)[:, None] / n_ref
    total = parts.n_focal[item].sum()
    sides = [
        (-share * centred, (1 - share) * centred),
        (columns / n / up, rows / n / up),
        (-n_focal / n_ref * (y - mean_ref) / total, (y - mean_ref - smd) / total),
    ]
    return np.array([np.stack([a * used, b * used], axis=1) for a, b in sides])


def breslow_day(tables: Tables, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Breslow and Day's (1980) test that the odds ratio is the same in all strata, with Tarone's correction.

    Statistic, degrees of freedom and p value an item; NaN for items with more than two answers.
    """
    parts = parts_of(tables)
    found = np.full((len(log_ratio), 3), np.nan)
    for item, value in enumerate(log_ratio):
        if tables.n_answers[item] == 2 and np.isfinite(value):
            found[item] = breslow_day_of(parts, item, math.exp(value))
    return tuple(found.T)


def breslow_day_of(parts: Parts, item: int, ratio: float) -> tuple[float, int, float]:
    """The test of one item over strata in which both answers and both groups occur."""
    a, t = parts.focal[item, :, 1], parts.n[item]
    m, n1 = a + parts.ref[item, :, 1], parts.n_focal[item]
    use = (t > 1) & (m > 0) & (m < t) & (n1 > 0) & (n1 < t)
    a, t, m, n1 = a[use], t[use], m[use], n1[use]
    expected = fitted_cell(ratio, m, n1, t)
    variance = 1 / (1 / expected + 1 / (m - expected) + 1 / (n1 - expected) + 1 / (t - m - n1 + expected))
    statistic = ((a - expected) ** 2 / variance).sum() - (a - expected).sum() ** 2 / variance.sum()
    return float(statistic), len(t) - 1, float(stats.chi2.sf(statistic, len(t) - 1))


def fitted_cell(ratio: float, m: np.ndarray, n1: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Cell that gives a 2 x 2 table with these margins this odds ratio: the root of a quadratic."""
    if abs(ratio - 1) < 1e-10:
        return m * n1 / t
    b = t - m - n1 + ratio * (m + n1)
    return (b - np.sqrt(b**2 - 4 * (ratio - 1) * ratio * m * n1)) / (2 * (ratio - 1))
