"""How strong a hidden cause would have to be to change a regression's verdict: robustness values and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustnessResult:
    """What a hidden cause would have to explain.

    Attributes
    ----------
    partial_r2 : float
        Share of the outcome's residual variance that the treatment explains; a hidden cause of all the rest would have to
        explain as much of the treatment to bring the estimate to 0.
    robustness_value, robustness_value_alpha : float
        Share of residual variance of both treatment and outcome, 0–1, that brings the estimate (or its interval's bound)
        to `1 - q` of itself (to 0 when q = 1).
    bounds : DataFrame
        One row a benchmark and multiple: `benchmark, times, r2_treatment, r2_outcome, adjusted_estimate, adjusted_se,
        adjusted_t, conf_low, conf_high`; what is left if the hidden cause were so many times as strong as the covariate.
    """

    estimate: float
    std_error: float
    df: float
    partial_r2: float
    robustness_value: float
    robustness_value_alpha: float
    bounds: pd.DataFrame
    q: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `estimate`, `partial_r2`, `robustness_value`, `robustness_value_alpha`, `<times>x <benchmark>`."""
        rows = [{"term": "estimate", "estimate": self.estimate, "std_error": self.std_error}]
        rows += [{"term": name, "estimate": getattr(self, name)}
                 for name in ("partial_r2", "robustness_value", "robustness_value_alpha")]  # fmt: skip
        for row in self.bounds.to_dict("records"):
            rows.append({"term": f"{row['times']:g}x {row['benchmark']}", "estimate": row["adjusted_estimate"],
                         "std_error": row["adjusted_se"], "conf_low": row["conf_low"], "conf_high": row["conf_high"],
                         "r2_treatment": row["r2_treatment"], "r2_outcome": row["r2_outcome"]})  # fmt: skip
        return term_frame(rows)


def robustness_value(
    estimate: float,
    std_error: float,
    df: float,
    *,
    q: float = 1.0,
    benchmarks: Mapping[str, tuple[float, float]] | None = None,
    times: Sequence[float] = (1, 2, 3),
    n_used: int = 0,
    conf_level: float = 0.95,
) -> RobustnessResult:
    """Sensitivity of a least-squares coefficient to hidden confounding, from its summary.

    Parameters
    ----------
    estimate, std_error, df : float
        Coefficient of the treatment, its classical (not robust) standard error and the residual degrees of freedom: the
        standard error only stands for the spread of residuals here.
    q : float
        Share of the estimate to be explained away.
    benchmarks : mapping of name -> (partial R2 with treatment, partial R2 with outcome), optional
        Of observed covariates given the other ones; :func:`partial_r2` makes them from t values.
    times : sequence of float
        How many times as strong as the benchmark.
    n_used : int
    conf_level : float

    Returns
    -------
    RobustnessResult

    Raises
    ------
    ParamsError
        A standard error of 0 or less, fewer than two degrees of freedom, partial R2 outside 0–1, or a benchmark that
        would explain more than all of the treatment.

    Notes
    -----
    f = q |t| / sqrt(df); RV = (sqrt(f^4 + 4 f^2) - f^2) / 2; with alpha, f - t*_{df-1} / sqrt(df - 1) in place of f, and
    1/(1 + ...) when an extreme confounder suffices. bias = se sqrt(df) sqrt(R2_y R2_d / (1 - R2_d)).
    Reference: Cinelli & Hazlett (2020) J R Stat Soc B 82:39, whose Darfur example (sensemakr) the tests rebuild.
    """
    where = "robustness_value"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if not (std_error > 0 and df >= 2 and q > 0 and np.isfinite(estimate)):
        raise ParamsError(where, "needs a finite estimate, a standard error above 0, df of 2 or more and q above 0")
    f = q * abs(estimate / std_error) / math.sqrt(df)
    f_critical = float(stats.t.ppf((1 + conf_level) / 2, df - 1)) / math.sqrt(df - 1)
    rows = [bound_row(name, k, pair, estimate, std_error, df, conf_level, where=where)
            for name, pair in (benchmarks or {}).items() for k in times]  # fmt: skip
    return RobustnessResult(
        estimate=float(estimate),
        std_error=float(std_error),
        df=float(df),
        partial_r2=partial_r2(estimate / std_error, df),
        robustness_value=value_of(f),
        robustness_value_alpha=value_with_alpha(f, f_critical),
        bounds=pd.DataFrame(rows),
        q=float(q),
        n_used=n_used,
        n_excluded=0,
        method="robustness value (Cinelli & Hazlett 2020)",
        conf_level=conf_level,
    )


def partial_r2(t: float, df: float) -> float:
    """Share of residual variance that a coefficient explains: t^2 / (t^2 + df)."""
    return float(t * t / (t * t + df))


def value_of(f: float) -> float:
    """Equal strength with treatment and outcome at which a confounder cancels f."""
    return (math.sqrt(f**4 + 4 * f * f) - f * f) / 2


def value_with_alpha(f: float, f_critical: float) -> float:
    """Robustness value of an interval's bound; 0 when the bound is past the null already."""
    if f <= f_critical:
        return 0.0
    # Where the confounder's gain in precision outweighs its bias, the strongest association with the outcome binds.
    if f_critical > 0 and f > 1 / f_critical:
        return (f * f - f_critical * f_critical) / (1 + f * f)
    return value_of(f - f_critical)


def adjusted(
    estimate: float, std_error: float, df: float, r2_treatment: float, r2_outcome: float
) -> tuple[float, float]:
    """Estimate and standard error had a confounder of that strength been controlled for, bias taken against the estimate."""
    bias = std_error * math.sqrt(df) * math.sqrt(r2_outcome * r2_treatment / (1 - r2_treatment))
    spread = std_error * math.sqrt((1 - r2_outcome) / (1 - r2_treatment)) * math.sqrt(df / (df - 1))
    return math.copysign(1, estimate) * (abs(estimate) - bias), spread


def bound_row(
    name: str, times: float, pair: tuple[float, float], estimate: float, std_error: float, df: float, conf_level: float,
    *, where: str,
) -> dict[str, object]:  # fmt: skip
    """What is left of the estimate if a hidden cause is `times` as strong as a benchmark covariate."""
    with_treatment, with_outcome = pair
    if not (0 <= with_treatment < 1 and 0 <= with_outcome < 1) or times * with_treatment / (1 - with_treatment) >= 1:
        raise ParamsError(f"{where}(benchmarks)", f"{times:g} times '{name}' would explain more than all of the treatment",
                          allowed="partial R2 below 1, and a smaller multiple")  # fmt: skip
    r2_treatment = times * with_treatment / (1 - with_treatment)
    link = times * with_treatment**2 / ((1 - times * with_treatment) * (1 - with_treatment))
    r2_outcome = ((math.sqrt(times) + math.sqrt(link)) / math.sqrt(1 - link)) ** 2 * with_outcome / (1 - with_outcome)
    r2_outcome = min(r2_outcome, 1.0)
    left, spread = adjusted(estimate, std_error, df, r2_treatment, r2_outcome)
    half = float(stats.t.ppf((1 + conf_level) / 2, df - 1)) * spread
    return {
        "benchmark": name, "times": float(times), "r2_treatment": r2_treatment, "r2_outcome": r2_outcome,
        "adjusted_estimate": left, "adjusted_se": spread, "adjusted_t": left / spread if spread else math.nan,
        "conf_low": left - half, "conf_high": left + half,
    }  # fmt: skip
