"""P-values adjusted for how many hypotheses were looked at."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's (1979) family-wise adjustment; missing p-values stay missing and do not count."""
    p, known = np.asarray(p_values, dtype=float), ~np.isnan(p_values)
    order = np.argsort(p[known], kind="stable")
    m = len(order)
    stepped = np.maximum.accumulate(p[known][order] * (m - np.arange(m)))
    return placed(p, known, order, np.minimum(stepped, 1.0))


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Benjamini & Hochberg's (1995) adjustment for the false discovery rate; missing p-values do not count."""
    p, known = np.asarray(p_values, dtype=float), ~np.isnan(p_values)
    order = np.argsort(p[known], kind="stable")
    m = len(order)
    stepped = np.minimum.accumulate((p[known][order] * m / np.arange(1, m + 1))[::-1])[::-1]
    return placed(p, known, order, np.minimum(stepped, 1.0))


def placed(p: np.ndarray, known: np.ndarray, order: np.ndarray, adjusted: np.ndarray) -> np.ndarray:
    """Adjusted values back in the places of the p-values that were known."""
    result = np.full(len(p), np.nan)
    result[np.flatnonzero(known)[order]] = adjusted
    return result
