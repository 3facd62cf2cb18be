"""What two measurements of the same people say about measurement error, from five moments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.stats.intervals import critical
from mhlib.stats.measurement.icc_forms import MeanSquares, agreement_interval, ratio_interval, single_forms


@dataclass(frozen=True, slots=True)
class PairMoments:
    """People, means, variances (with n - 1) and covariance of two occasions; numbers, or arrays of many such tables."""

    n: float | np.ndarray
    first: float | np.ndarray
    second: float | np.ndarray
    first_variance: float | np.ndarray
    second_variance: float | np.ndarray
    covariance: float | np.ndarray


def pair_moments(first: np.ndarray, second: np.ndarray) -> PairMoments:
    """Moments of paired arrays, centred at whole numbers so that sums of whole scores are exact."""
    n, origin = len(first), (np.round(first.mean()), np.round(second.mean()))
    one, two = first - origin[0], second - origin[1]
    sums = np.array([n, one.sum(), two.sum(), one @ one, two @ two, one @ two])
    return moments_of_sums(sums, *origin)


def moments_of_sums(sums: np.ndarray, first_origin: float, second_origin: float) -> PairMoments:
    """Moments from n, sums, sums of squares and of products along the last axis."""
    n, one, two, one_squared, two_squared, product = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return PairMoments(
            n,
            first_origin + one / n,
            second_origin + two / n,
            (one_squared - one * one / n) / (n - 1),
            (two_squared - two * two / n) / (n - 1),
            (product - one * two / n) / (n - 1),
        )


def squares_of_pairs(m: PairMoments) -> MeanSquares:
    """Two-way analysis of variance of two occasions."""
    difference = np.maximum(m.first_variance + m.second_variance - 2 * m.covariance, 0.0)
    people = (m.first_variance + m.second_variance + 2 * m.covariance) / 2
    raters = m.n * (m.second - m.first) ** 2 / 2
    return MeanSquares(people, raters, difference / 2, ((m.n - 1) * difference / 2 + raters) / m.n, m.n, 2)


def retest_values(m: PairMoments, z: float) -> dict[str, np.ndarray]:
    """Every estimate of the retest, by term; arrays where the moments are arrays. `z` is the normal quantile."""
    table = squares_of_pairs(m)
    _, agreement, consistency = single_forms(table)
    spread = np.sqrt(2 * table.error)
    # Occasions differ in mean by more than chance, or not at all: a negative variance component is 0.
    shift = np.maximum((table.raters - table.error) / m.n, 0.0)
    sem, mean = np.sqrt(table.error + shift), m.second - m.first
    return {
        "icc_agreement": agreement,
        "icc_consistency": consistency,
        "pearson_r": m.covariance / np.sqrt(m.first_variance * m.second_variance),
        "mean_difference": mean,
        "sd_difference": spread,
        "sem_agreement": sem,
        "sem_consistency": np.sqrt(table.error),
        "sdc_individual": z * math.sqrt(2) * sem,
        "sdc_group": z * math.sqrt(2) * sem / np.sqrt(m.n),
        "loa_low": mean - z * spread,
        "loa_high": mean + z * spread,
    }


def retest_intervals(m: PairMoments, values: Mapping[str, float], conf_level: float) -> dict[str, tuple[float, float]]:
    """Intervals that take people as independent; terms without a known one are absent.

    F for both ICCs, Fisher's z for r, t for the mean difference, chi-square for the spread of differences, and Bland and
    Altman's (1999) standard error for the limits of agreement.
    """
    table, n = squares_of_pairs(m), float(m.n)
    t, spread = critical(conf_level, n - 1), values["sd_difference"]
    ends = stats.chi2.ppf([(1 + conf_level) / 2, (1 - conf_level) / 2], n - 1)
    wide = tuple(spread * np.sqrt((n - 1) / ends))
    half = t * spread * math.sqrt(1 / n + critical(conf_level) ** 2 / (2 * (n - 1)))
    mean = values["mean_difference"]
    intervals = {
        "icc_agreement": agreement_interval(table, values["icc_agreement"], conf_level),
        "icc_consistency": ratio_interval(table.people, table.error, 2, n - 1, n - 1, conf_level),
        "mean_difference": (mean - t * spread / math.sqrt(n), mean + t * spread / math.sqrt(n)),
        "sd_difference": wide,
        "sem_consistency": (wide[0] / math.sqrt(2), wide[1] / math.sqrt(2)),
        "loa_low": (values["loa_low"] - half, values["loa_low"] + half),
        "loa_high": (values["loa_high"] - half, values["loa_high"] + half),
    }
    if n > 3 and abs(values["pearson_r"]) < 1:
        centre, width = math.atanh(values["pearson_r"]), critical(conf_level) / math.sqrt(n - 3)
        intervals["pearson_r"] = (math.tanh(centre - width), math.tanh(centre + width))
    return intervals
