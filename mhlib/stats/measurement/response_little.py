"""Little's test that answers are missing completely at random, from sums by pattern of missing answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError

ROUNDS, SMALL = 2000, 1e-10


@dataclass(frozen=True, slots=True)
class LittleTest:
    """Little's (1988) chi2 with its degrees of freedom, p value, patterns used and people without any answer."""

    chi2: float
    df: int
    p_value: float
    n_patterns: int
    n_empty: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """People who answered the same items: which, how many, their means and centred cross-products."""

    seen: np.ndarray
    n: int
    mean: np.ndarray
    cross: np.ndarray


def little_test(values: np.ndarray) -> LittleTest:
    """Little's test; people without any answer carry nothing and are counted apart.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Answers with NaN where missing.

    Returns
    -------
    LittleTest
        NaN p value with 0 df, when everybody has the same pattern.

    Raises
    ------
    DesignError
        An item without answers or that does not vary, two items never answered together, or sums of items.

    Notes
    -----
    Sum over patterns of n (mean - mu)' Sigma^-1 (mean - mu) on the items seen, mu and Sigma by maximum likelihood (EM,
    Sigma with n). Reference: Little (1988) JASA 83:1198. Checked against: tests/oracle/missing_bfi.csv (lavaan).
    """
    patterns = patterns_of(values)
    mean, covariance = moments(patterns, values.shape[1])
    chi2, df = 0.0, -values.shape[1]
    for part in patterns:
        gap = part.mean - mean[part.seen]
        chi2 += part.n * float(gap @ np.linalg.solve(covariance[np.ix_(part.seen, part.seen)], gap))
        df += len(part.seen)
    p_value = float(stats.chi2.sf(chi2, df)) if df > 0 else float("nan")
    n_empty = int(np.isnan(values).all(axis=1).sum())
    return LittleTest(chi2, df, p_value, len(patterns), n_empty)


def patterns_of(values: np.ndarray) -> list[Pattern]:
    """Sums by pattern, in one pass."""
    seen = ~np.isnan(values)
    k = values.shape[1]
    spread = [np.ptp(column[there]) if there.any() else 0 for column, there in zip(values.T, seen.T, strict=True)]
    together = seen.T.astype(float) @ seen.astype(float)
    if min(spread) == 0 or (together == 0).any():
        raise DesignError(
            "little_test(items)", "an item without answers or variation, or two items never answered together",
            remedy="leave these items out",
        )  # fmt: skip
    _, code = distinct_patterns(seen)
    order = np.argsort(code, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
        where = np.flatnonzero(seen[rows[0]])
        if len(where) == 0:
            continue
        block = values[np.ix_(rows, where)] if len(where) < k else values[rows]
        mean = block.mean(axis=0)
        found.append(Pattern(where, len(rows), mean, (block - mean).T @ (block - mean)))
    return found


def distinct_patterns(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of a truth table, in an order that does not hang on that of the rows, and the one of each row."""
    packed = np.packbits(table, axis=1)
    words = np.zeros((len(table), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    code = np.zeros(len(table), dtype=np.int64)
    for word in words.view(np.uint64).T:
        # Hashing beats sorting whole rows; more than 64 items are folded in word by word.
        fresh, values = pd.factorize(np.ascontiguousarray(word), sort=True)
        code, _ = pd.factorize(code * len(values) + fresh, sort=True)
    first = np.zeros(int(code.max()) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return table[first], code


def moments(patterns: list[Pattern], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a normal distribution by maximum likelihood from incomplete rows (EM)."""
    total = sum(part.n for part in patterns)
    count, mean = np.zeros(k), np.zeros(k)
    for part in patterns:
        count[part.seen] += part.n
        mean[part.seen] += part.n * part.mean
    mean /= count
    variance = np.zeros(k)
    for part in patterns:
        variance[part.seen] += np.diag(part.cross) + part.n * (part.mean - mean[part.seen]) ** 2
    covariance = np.diag(variance / count)
    for _ in range(ROUNDS):
        new_mean, second = expected(patterns, mean, covariance, k)
        new_mean /= total
        updated = second / total - np.outer(new_mean - mean, new_mean - mean)
        moved = max(np.abs(new_mean - mean).max(), np.abs(updated - covariance).max())
        mean, covariance = new_mean, updated
        if moved < SMALL * np.diag(covariance).max():
            break
    if np.linalg.eigvalsh(covariance)[0] < 1e-8 * np.diag(covariance).max():
        raise DesignError("little_test(items)", "one item is the sum of others", remedy="leave sum scores out")
    return mean, covariance


def expected(
    patterns: list[Pattern], mean: np.ndarray, covariance: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Expected sums and cross-products about the current mean, missing answers filled by regression."""
    first, second = np.zeros(k), np.zeros((k, k))
    for part in patterns:
        # Rows of `weights` carry each item's regression on the items seen; seen items reproduce themselves.
        weights = np.linalg.solve(covariance[np.ix_(part.seen, part.seen)], covariance[part.seen]).T
        gap = part.mean - mean[part.seen]
        first += part.n * (mean + weights @ gap)
        left = covariance - weights @ covariance[part.seen]
        second += weights @ (part.cross + part.n * np.outer(gap, gap)) @ weights.T + part.n * left
    return first, second
