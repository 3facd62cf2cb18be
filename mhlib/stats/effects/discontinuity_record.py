"""The record of a regression discontinuity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats.effects.discontinuity_cells import ScoreCells
from mhlib.stats.effects.discontinuity_honest import HonestInterval
from mhlib.stats.effects.discontinuity_robust import ROWS, RobustEstimates
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RddResult:
    """A jump at the cut-off, honest and robust; the leading numbers are the honest ones.

    Attributes
    ----------
    estimate, std_error, max_bias, conf_low, conf_high, p_value, df : float
        The effect: the jump of the outcome, or with uptake the effect on those served (ratio of jumps, interval by
        inversion). NaN where refused.
    reduced_form : HonestInterval
        The jump of the outcome.
    first_stage, ratio_delta, ratio_inverted : HonestInterval or None
        Jump of uptake, and the ratio by linearisation and by inversion; None without uptake.
    f_statistic : float
        Squared t of the jump of uptake; NaN without uptake.
    robust : RobustEstimates or None
        rdrobust's rows; None where refused or not asked for.
    curvature, uptake_curvature : float
        The bounds on the second derivatives used.
    curvature_rule : {'given', 'rule of thumb'}
    rule_of_thumb, rule_of_thumb_full : float
        What the quartic says of the outcome near the cut-off and over the whole support, NaN with too few values.
    ladder : DataFrame
        The effect with half and twice the bound (`factor, curvature, bandwidth, estimate, max_bias, conf_low, conf_high`).
    cutoff, bandwidth : float
        In units of the score; the bandwidth with its `kernel`.
    n_below, n_above, values_below, values_above : int
        Rows and values of the score within the bandwidth.
    discrete : bool
    n_clusters : int
        0 where pupils are taken as independent.
    refusals : mapping of str to Refused
        By part: 'effect', 'robust', 'error'.
    checks : tuple of Check
    points : DataFrame
        Each value's distance, n, mean outcome (and uptake), for a figure; to be gated before it is shown.
    cells : ScoreCells
        What the checks and ladders read.
    """

    estimate: float
    std_error: float
    max_bias: float
    conf_low: float
    conf_high: float
    p_value: float
    df: float
    reduced_form: HonestInterval
    first_stage: HonestInterval | None
    ratio_delta: HonestInterval | None
    ratio_inverted: HonestInterval | None
    f_statistic: float
    robust: RobustEstimates | None
    curvature: float
    uptake_curvature: float
    curvature_rule: str
    rule_of_thumb: float
    rule_of_thumb_full: float
    ladder: pd.DataFrame = field(repr=False)
    cutoff: float
    bandwidth: float
    kernel: str
    n_below: int
    n_above: int
    values_below: int
    values_above: int
    discrete: bool
    n_clusters: int
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    points: pd.DataFrame = field(repr=False)
    cells: ScoreCells = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a term: honest jump, first stage and ratios, then rdrobust's three; with `df, max_bias, bandwidth, n_used`."""
        named = {
            "honest": self.reduced_form,
            "first_stage": self.first_stage,
            "ratio_inverted": self.ratio_inverted,
            "ratio_delta": self.ratio_delta,
        }
        shared = {"bandwidth": self.bandwidth, "n_used": self.n_below + self.n_above}
        rows = [{"term": name, **as_row(one), **shared} for name, one in named.items() if one is not None]
        if self.robust is not None:
            rows += robust_rows(self.robust)
        return term_frame(rows)


def as_row(one: HonestInterval) -> dict[str, float]:
    """An interval as the cells of a row."""
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "max_bias")
    return {name: getattr(one, name) for name in names}


def robust_rows(robust: RobustEstimates) -> list[dict[str, object]]:
    """The rows of rdrobust; the bias-corrected estimate need not lie within the conventional interval."""
    return [
        {
            "term": name,
            **dict(zip(("estimate", "std_error", "conf_low", "conf_high", "p_value"), map(float, row), strict=True)),
            "df": math.inf,
            "max_bias": math.nan,
            "bandwidth": robust.bandwidth,
            "n_used": robust.n_below + robust.n_above,
        }
        for name, row in zip(ROWS, robust.table, strict=True)
    ]


def points_of(cells: ScoreCells, cutoff: float) -> pd.DataFrame:
    """Mean of outcome and uptake at each value of the score."""
    counts = cells.counts
    means = cells.totals / counts[:, None]
    return pd.DataFrame(
        {"score": cells.distance + cutoff, "distance": cells.distance, "n": counts.astype(int)}
        | {name: means[:, i] for i, name in enumerate(cells.names)}
    )


def blank(one: HonestInterval) -> HonestInterval:
    """The estimate without interval and p-value."""
    return HonestInterval(one.estimate, one.std_error, one.max_bias, np.nan, np.nan, np.nan, one.df)
