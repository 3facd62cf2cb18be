"""How strong a hidden cause would have to be to explain a ratio away: the E-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame

MEASURES = ("rr", "or", "hr", "smd")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EValueResult:
    """E-values of the estimate and of the interval's bound nearer to no effect, as risk ratios (1 = none needed)."""

    e_value: float
    e_value_bound: float
    risk_ratio: float
    conf_low: float
    conf_high: float
    measure: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `e_value`, `e_value_bound`, `risk_ratio` (with its interval)."""
        return term_frame(
            [
                {"term": "e_value", "estimate": self.e_value},
                {"term": "e_value_bound", "estimate": self.e_value_bound},
                {
                    "term": "risk_ratio",
                    "estimate": self.risk_ratio,
                    "conf_low": self.conf_low,
                    "conf_high": self.conf_high,
                },
            ]
        )


def e_value(
    estimate: float,
    *,
    measure: str = "rr",
    conf_low: float = math.nan,
    conf_high: float = math.nan,
    std_error: float | None = None,
    rare: bool = False,
    conf_level: float = 0.95,
) -> EValueResult:
    """Least association, with programme and outcome both, that a hidden cause needs to explain an estimate away.

    Parameters
    ----------
    estimate : float
        Risk, odds or hazard ratio, or a standardised mean difference.
    measure : {'rr', 'or', 'hr', 'smd'}
    conf_low, conf_high : float
        Interval on the same scale; NaN leaves `e_value_bound` NaN.
    std_error : float, optional
        Of a standardised difference, instead of an interval.
    rare : bool
        Outcome below 15 % at the end: odds and hazard ratios are then taken as risk ratios.
    conf_level : float

    Returns
    -------
    EValueResult

    Raises
    ------
    ParamsError
        An unknown measure, a ratio of 0 or less, bounds that do not hold the estimate.

    Notes
    -----
    E = RR + sqrt(RR (RR - 1)), of 1/RR when RR < 1. Common outcomes: RR = sqrt(OR); RR = (1 - .5^sqrt(HR)) / (1 -
    .5^sqrt(1/HR)); RR = exp(.91 d). Says nothing about selection or error of measurement.
    Reference: VanderWeele & Ding (2017) Ann Intern Med 167:268, whose example the tests rebuild.
    """
    where = "e_value"
    inputs.one_of(measure, MEASURES, where=where, name="measure")
    if std_error is not None:
        conf_low, conf_high = wald(estimate, std_error, conf_level)
    if (
        (conf_low > estimate)
        or (conf_high < estimate)
        or (measure != "smd" and not estimate > 0)
        or not np.isfinite(estimate)
    ):
        raise ParamsError(f"{where}(estimate)", "is no ratio above 0, or does not lie within its interval")
    ratio, low, high = (as_risk_ratio(value, measure, rare) for value in (estimate, conf_low, conf_high))
    near = low if ratio >= 1 else high
    bound = math.nan if math.isnan(near) else 1.0 if (near - 1) * (ratio - 1) <= 0 else needed(near)
    return EValueResult(
        e_value=needed(ratio),
        e_value_bound=bound,
        risk_ratio=ratio,
        conf_low=low,
        conf_high=high,
        measure=measure,
        n_used=0,
        n_excluded=0,
        method="E-value (VanderWeele & Ding 2017)" + (", rare outcome" if rare else ""),
        conf_level=conf_level,
    )


def as_risk_ratio(value: float, measure: str, rare: bool) -> float:
    """Approximate risk ratio of a measure; NaN and bounds of 0 pass through."""
    if math.isnan(value):
        return math.nan
    if measure == "smd":
        return math.exp(0.91 * value)
    if value <= 0 or measure == "rr" or rare:
        return float(value)
    if measure == "or":
        return math.sqrt(value)
    return (1 - 0.5 ** math.sqrt(value)) / (1 - 0.5 ** math.sqrt(1 / value))


def needed(ratio: float) -> float:
    """E-value of a risk ratio."""
    if ratio <= 0:
        return math.inf
    away = max(ratio, 1 / ratio)
    return away + math.sqrt(away * (away - 1))
