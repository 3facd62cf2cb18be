"""Glass's delta: the difference of two means in standard deviations of the control arm alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError
from mhlib.stats import inputs
from mhlib.stats.effects.effect_size_hedges import arm_summary
from mhlib.stats.effects.effect_size_moments import small_sample
from mhlib.stats.effects.effect_size_record import IMPLAUSIBLE, noncentral
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GlassDeltaResult:
    """A difference of two means in deviations of the control arm.

    Attributes
    ----------
    delta, std_error, conf_low, conf_high : float
        As observed, with the interval by the noncentral t.
    corrected : float
        Without the bias of small samples.
    sd : float
        The control arm's deviation, in the scale's unit.
    sd_ratio : float
        Deviation of the treated arm over it; far from 1, Hedges' g and delta answer different questions.
    implausible : bool
        |delta| above 1.5: look for a standard error taken for a deviation before believing it.
    """

    delta: float
    std_error: float
    conf_low: float
    conf_high: float
    corrected: float
    sd: float
    sd_ratio: float
    implausible: bool
    n_treated: int
    n_control: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `delta` and `delta_corrected` (no interval), with `sd, sd_ratio, n_treated, n_control, n_used`."""
        bounds = {name: getattr(self, name) for name in ("std_error", "conf_low", "conf_high")}
        rows = [
            {"term": "delta", "estimate": self.delta, **bounds},
            {"term": "delta_corrected", "estimate": self.corrected},
        ]
        rest = {name: getattr(self, name) for name in ("sd", "sd_ratio", "n_treated", "n_control", "n_used")}
        return term_frame(rows).assign(**rest)


def glass_delta(score: object, treated: object, *, conf_level: float = 0.95) -> GlassDeltaResult:
    """Glass's delta of two groups of pupils, for a programme that changes the spread as well as the mean.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Rows without a score are left out and counted in `n_excluded`.
    treated : array-like of 0/1 or bool, shape (n,)
    conf_level : float

    Returns
    -------
    GlassDeltaResult

    Raises
    ------
    DataError
        A missing or other arm than 0 and 1; a control arm whose scores are all the same.
    DesignError
        Fewer than two scores in an arm, no spread in either.

    Notes
    -----
    As :func:`glass_delta_from_summary`. Checked against: tests/oracle/effect_size_glass.csv (effectsize::glass_delta).
    """
    where = "glass_delta"
    score = inputs.numeric(score, where=where, name="score")
    arm = inputs.without_missing(
        inputs.binary(treated, where=where, name="treated"), where=where, name="treated", remedy="name each arm"
    )
    inputs.same_length(where, score=score, treated=arm)
    known = ~np.isnan(score)
    means, spreads, sizes = arm_summary(score[known], arm[known], where=where)
    return glass_delta_from_summary(*means, *spreads, *sizes, conf_level=conf_level, n_excluded=int((~known).sum()))


def glass_delta_from_summary(
    mean_treated: float,
    mean_control: float,
    sd_treated: float,
    sd_control: float,
    n_treated: int,
    n_control: int,
    *,
    conf_level: float = 0.95,
    n_excluded: int = 0,
) -> GlassDeltaResult:
    """Glass's delta from means, deviations and numbers, as a publication gives them.

    Parameters
    ----------
    mean_treated, mean_control : float
    sd_treated, sd_control : float
        Standard deviations of pupils (never of means, never standard errors).
    n_treated, n_control : int
        Pupils.
    conf_level : float
    n_excluded : int
        Carried into the record.

    Returns
    -------
    GlassDeltaResult

    Raises
    ------
    DataError
        An arm of fewer than two pupils, a control arm without spread, a deviation below 0.

    Notes
    -----
    delta = (mT - mC) / sC. t = delta / u with u² = 1/nC + sT²/(nT sC²) has, about, a noncentral t distribution with nC - 1
    degrees of freedom; the interval is that of its noncentrality, times u. Standard error: the root of u² + delta² / (2 (nC - 1)).
    Pupils are taken as independent: in a trial of whole schools the interval is too short; see :func:`hedges_g`.
    References: Glass, McGaw & Smith (1981); Hedges (1981) J Educ Stat 6:107; Algina, Keselman & Penfield (2006) Educ
    Psychol Meas 66:945. Checked against: tests/oracle/effect_size_glass.csv (effectsize::glass_delta).
    """
    where = "glass_delta_from_summary"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    n = [inputs.count(size, where=where, name="n") for size in (n_treated, n_control)]
    if min(n) < 2:
        raise DataError(where, "holds an arm of fewer than 2 pupils", allowed="2 pupils an arm")
    if not (sd_control > 0 and sd_treated >= 0):
        raise DataError(
            where,
            "the control arm has no spread to measure by, or a deviation is below 0",
            allowed="a control arm whose scores differ",
            remedy="report the difference in points",
        )
    delta, ratio, df = (mean_treated - mean_control) / sd_control, sd_treated / sd_control, n[1] - 1
    # A treated arm of another spread weighs like one of nT / ratio² pupils with the control arm's.
    weight = n[0] / ratio**2 if ratio > 0 else math.inf
    low, high = noncentral(delta, weight, n[1], df, conf_level)
    return GlassDeltaResult(
        delta=delta,
        std_error=math.sqrt(1 / weight + 1 / n[1] + delta**2 / (2 * df)),
        conf_low=low,
        conf_high=high,
        corrected=delta * small_sample(df, "hedges") if df > 1 else math.nan,
        sd=sd_control,
        sd_ratio=ratio,
        implausible=abs(delta) > IMPLAUSIBLE,
        n_treated=n[0],
        n_control=n[1],
        n_used=sum(n),
        n_excluded=n_excluded,
        method="Glass's delta, deviation of the control arm, independent pupils",
        conf_level=conf_level,
    )
