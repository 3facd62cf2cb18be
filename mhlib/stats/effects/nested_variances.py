"""Variances of a nested model with Wald intervals, and the share of each level (ICC)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.stats.effects.nested_fit import NestedFit, at_boundary, components
from mhlib.stats.effects.nested_optimise import ZERO
from mhlib.stats.intervals import critical, on_log, on_logit
from mhlib.stats.terms import term_frame

# An error so many times the variance: its logarithm says nothing any more.
VAGUE = 10.0


def variance_table(fit: NestedFit, conf_level: float) -> pd.DataFrame:
    """Variances and covariances, Wald interval on the log scale for variances and plain for a covariance.

    A variance of zero, or one that is small beside its error, has no standard error and no upper end here:
    :func:`variance_profile` gives one.
    """
    rows, zero = [], at_boundary(fit)
    for level, part, _, array in components(fit):
        value, gradient = array[0], array[1:]
        error = math.sqrt(max(gradient @ fit.information @ gradient, 0.0))
        if part == "covariance":
            half = critical(conf_level) * error
            low, high, sd = value - half, value + half, math.nan
            if level in zero:
                low = high = error = math.nan
        elif value < (ZERO * fit.sigma) ** 2 or error > VAGUE * value:
            low, high, sd, error = 0.0, math.nan, math.sqrt(max(value, 0.0)), math.nan
        else:
            (low, high), sd = on_log(value, error / value, conf_level), math.sqrt(value)
        rows.append(
            {
                "term": f"{level}: {part}" if level != "residual" else "residual",
                "estimate": value,
                "std_error": error,
                "conf_low": low,
                "conf_high": high,
                "sd": sd,
                "level": level,
                "part": part,
            }
        )
    return term_frame(rows)


def icc_table(fit: NestedFit, conf_level: float) -> pd.DataFrame:
    """Share of the variance at each level, and alike within one group of it; intervals by the delta method on log odds.

    With a random slope the shares are those where the slope's column is 0.
    """
    parts = [row for row in components(fit) if row[1] in ("intercept", "residual")]
    values = np.array([row[3][0] for row in parts])
    gradients = np.array([row[3][1:] for row in parts])
    covariance = gradients @ fit.information @ gradients.T
    rows = []
    for place, (level, _, _, _) in enumerate(parts[:-1]):
        for within, chosen in (("share", np.arange(len(parts)) == place), ("alike", np.arange(len(parts)) <= place)):
            value, error = share_of(values, covariance, chosen)
            low, high = on_logit(value, error, conf_level)
            if value < ZERO**2 or error > VAGUE * value:
                low, high, error = 0.0, math.nan, math.nan
            row = {"estimate": value, "std_error": error, "conf_low": low, "conf_high": high}
            rows.append(
                {"term": f"icc {level}" if within == "share" else f"alike in one {level}", **row, "level": level}
            )
    return term_frame([row for row in rows if row["term"].startswith("icc")] + [
        row for row in rows if row["term"].startswith("alike")
    ])  # fmt: skip


def share_of(values: np.ndarray, covariance: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """Share of the chosen parts in the sum, and its standard error."""
    total = values.sum()
    share = values[chosen].sum() / total
    gradient = (chosen - share) / total
    return float(share), math.sqrt(max(gradient @ covariance @ gradient, 0.0))
