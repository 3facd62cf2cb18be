"""The interval of a ratio of two correlated estimates, which is no plus-or-minus (Fieller)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mhlib.stats.intervals import critical


@dataclass(frozen=True, slots=True)
class Ratio:
    """Numerator over denominator with Fieller's limits and the delta method's standard error.

    Attributes
    ----------
    bounded : bool
        Whether the denominator differs from 0 at this confidence level; else the set of ratios that fit the data is
        infinite and the limits are those of the half-line (or NaN: every ratio fits).
    """

    value: float
    std_error: float
    conf_low: float
    conf_high: float
    bounded: bool


def fieller(
    numerator: float, denominator: float, covariance: np.ndarray, *, df: float = math.inf, conf_level: float = 0.95
) -> Ratio:
    """Limits of all ratios r that `numerator - r denominator = 0` does not reject.

    Parameters
    ----------
    numerator, denominator : float
    covariance : ndarray, shape (2, 2)
        Of (numerator, denominator).

    Notes
    -----
    (a - r b)² = t² (v_aa - 2 r v_ab + r² v_bb), a quadratic in r. When b is not told from 0 (b² <= t² v_bb) the set is
    everything but an open interval; for a positive ratio with a told from 0 it is [upper root, infinity).
    Reference: Fieller (1954) JRSS-B 16:175. Checked against: tests/oracle/training_fieller.csv (R, roots by search).
    """
    numerator, denominator = float(numerator), float(denominator)
    t2 = critical(conf_level, df) ** 2
    aa, ab, bb = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
    two = denominator**2 - t2 * bb
    one = numerator * denominator - t2 * ab
    none = numerator**2 - t2 * aa
    value = numerator / denominator if denominator else math.nan
    spread = aa - 2 * value * ab + value**2 * bb
    error = math.sqrt(max(spread, 0.0)) / abs(denominator) if denominator else math.nan
    inside = one * one - two * none
    if two > 0:
        half = math.sqrt(max(inside, 0.0)) / two
        return Ratio(value, error, one / two - half, one / two + half, True)
    if none <= 0 or inside <= 0 or two == 0:
        return Ratio(value, error, math.nan, math.nan, False)
    roots = sorted(((one - math.sqrt(inside)) / two, (one + math.sqrt(inside)) / two))
    return Ratio(value, error, roots[1], math.inf, False)
