"""Honest intervals of one jump and of a ratio of two, under a bound on curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from mhlib.stats.effects.discontinuity_local import LocalJump, folded_quantile


@dataclass(frozen=True, slots=True)
class HonestInterval:
    """An estimate, its error, the largest bias allowed for, the interval and the p-value of no effect."""

    estimate: float
    std_error: float
    max_bias: float
    conf_low: float
    conf_high: float
    p_value: float
    df: float


def honest_jump(jump: LocalJump, combination: np.ndarray, curvature: float, *, conf_level: float) -> HonestInterval:
    """Jump of a mixture of variables whose second derivative is at most `curvature`.

    The interval is estimate -/+ c(bias / error) * error with c the quantile of |T + b| (Armstrong & Kolesár 2018).
    """
    variance = float(combination @ jump.covariance @ combination)
    return interval_of(
        float(combination @ jump.jumps),
        math.sqrt(max(variance, 0.0)),
        curvature * jump.unit_bias,
        df=jump.df,
        conf_level=conf_level,
    )


def interval_of(estimate: float, error: float, bias: float, *, df: float, conf_level: float) -> HonestInterval:
    """Interval and p-value of an estimate that may be off by `bias`; without error the interval is the bias alone."""
    if not (math.isfinite(error) and math.isfinite(bias)):
        return HonestInterval(estimate, error, bias, math.nan, math.nan, math.nan, df)
    if error == 0:
        return HonestInterval(estimate, 0.0, bias, estimate - bias, estimate + bias, math.nan, df)
    half = float(folded_quantile(bias / error, conf_level, df)[0]) * error
    below, above = (shift - abs(estimate / error) for shift in (bias / error, -bias / error))
    tails = special.ndtr([below, above]) if math.isinf(df) else special.stdtr(df, np.array([below, above]))
    return HonestInterval(estimate, error, bias, estimate - half, estimate + half, min(float(sum(tails)), 1.0), df)


def ratio_by_delta(
    jump: LocalJump, top: np.ndarray, bottom: np.ndarray, curvatures: tuple[float, float], *, conf_level: float
) -> HonestInterval:
    """Ratio of two jumps, linearised: bias (M_top + |ratio| M_bottom) / |bottom|. Needs a first stage that is not weak."""
    below = float(bottom @ jump.jumps)
    ratio = float(top @ jump.jumps) / below
    mixture = top - ratio * bottom
    error = math.sqrt(max(float(mixture @ jump.covariance @ mixture), 0.0)) / abs(below)
    bias = (curvatures[0] + abs(ratio) * curvatures[1]) * jump.unit_bias / abs(below)
    return interval_of(ratio, error, bias, df=jump.df, conf_level=conf_level)


def ratio_by_inversion(
    jump: LocalJump, top: np.ndarray, bottom: np.ndarray, curvatures: tuple[float, float], *, conf_level: float
) -> HonestInterval:
    """Every ratio r at which the jump of top - r bottom may be nought (Anderson & Rubin; Noack & Rothe 2024).

    Right however weak the first stage is; -inf or inf where no ratio on that side can be excluded, NaN both where even
    far ratios on either side stay in.
    """
    ratio = float(top @ jump.jumps) / float(bottom @ jump.jumps)

    def slack(at: float) -> float:
        one = honest_jump(jump, top - at * bottom, curvatures[0] + abs(at) * curvatures[1], conf_level=conf_level)
        return abs(one.estimate) - (one.conf_high - one.estimate)

    wald = ratio_by_delta(jump, top, bottom, curvatures, conf_level=conf_level)
    step = max(wald.conf_high - wald.estimate, 1e-8 * max(abs(ratio), 1.0))
    low, high = (edge(slack, ratio, sign * step) for sign in (-1.0, 1.0))
    null = honest_jump(jump, top, curvatures[0], conf_level=conf_level)
    return HonestInterval(ratio, wald.std_error, wald.max_bias, low, high, null.p_value, jump.df)


def edge(slack, start: float, step: float) -> float:
    """Nearest point from `start` in the direction of `step` at which `slack` turns positive; infinite if none is met."""
    near, far = start, start + step
    for _ in range(40):
        if slack(far) > 0:
            return float(optimize.brentq(slack, near, far, xtol=1e-10 * max(abs(start), abs(step), 1.0)))
        near, far = far, start + 2 * (far - start)
    return math.copysign(math.inf, step)
