"""The record of an event study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats.effects.did_inference import Inferred, Joint
from mhlib.stats.effects.event_honest import HonestBound
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True)
class PreTrendPower:
    """What the test of the terms before would find: a straight trend, and the bias one that is missed leaves.

    Attributes
    ----------
    power : float
    slope : float
        Difference in trends a term.
    bias : float
        In the target effect, were that trend to go on.
    """

    power: float
    slope: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventStudyResult:
    """Leads and lags about the term before the start, and how far they can be trusted; arrays of one entry an event time.

    Attributes
    ----------
    event_times : ndarray of int, shape (m,)
        Terms since the start, consecutive about the base -1, which is not among them.
    estimates, std_errors, df, p_values, conf_low, conf_high : ndarray, shape (m,)
    target : str
        `average` of the lags, or `e=k`: what bias, bounds and breakdown speak of.
    effect : HonestBound
        The target under parallel trends (limit 0 of the relative magnitudes).
    pre_test : Joint
        That all leads are nought; NaN where refused.
    power : tuple of PreTrendPower
    bounds : tuple of HonestBound
    breakdown_mbar, breakdown_smoothness : float
        Smallest limit at which nought cannot be excluded: 0 where it never could; infinite beyond the search.
    refusals : mapping of str to Refused
        Under `pre_test`, `honest`, or a term.
    checks : tuple of Check
    n_dropped : int
        Event times of the roll-out left out: beyond a gap, or without an error.
    """

    event_times: np.ndarray
    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    p_values: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    target: str
    effect: HonestBound
    pre_test: Joint
    power: tuple[PreTrendPower, ...]
    bounds: tuple[HonestBound, ...]
    breakdown_mbar: float
    breakdown_smoothness: float
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    n_dropped: int
    inferred: Inferred = field(repr=False)
    n_schools: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an event time."""
        names = ("estimates", "std_errors", "conf_low", "conf_high", "p_values", "df")
        keys = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df")
        return term_frame(
            [
                {"term": f"e={e}", **{key: getattr(self, name)[i] for key, name in zip(keys, names, strict=True)}}
                for i, e in enumerate(self.event_times)
            ]
        )

    def honest_frame(self) -> pd.DataFrame:
        """One row a restriction and limit; `low` and `high` are the bounds without error."""
        return term_frame(
            [
                {"term": bound.restriction, "limit": bound.limit, "low": bound.low, "high": bound.high,
                 "conf_low": bound.conf_low, "conf_high": bound.conf_high}
                for bound in self.bounds
            ]
        )  # fmt: skip
