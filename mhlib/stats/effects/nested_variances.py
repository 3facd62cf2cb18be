"""Variances of a nested model with their intervals, by Wald and by profile, and the share of each level (ICC)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_deviance import Deviance
from mhlib.stats.effects.nested_fit import NestedFit, components
from mhlib.stats.effects.nested_optimise import ZERO, minimum
from mhlib.stats.intervals import critical, on_log, on_logit
from mhlib.stats.terms import term_frame


def variance_table(fit: NestedFit, conf_level: float) -> pd.DataFrame:
    """Variances and covariances, Wald interval on the log scale for variances and plain for a covariance.

    A variance of zero has no standard error and no upper end here: :func:`variance_profile` gives one.
    """
    rows = []
    for level, part, _, array in components(fit):
        value, gradient = array[0], array[1:]
        error = math.sqrt(max(gradient @ fit.information @ gradient, 0.0))
        if part == "covariance":
            half = critical(conf_level) * error
            low, high, sd = value - half, value + half, math.nan
        elif value < (ZERO * fit.sigma) ** 2:
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
            if values[place] < (ZERO * fit.sigma) ** 2 and within == "share":
                low, high, error = 0.0, math.nan, math.nan
            row = {"estimate": value, "std_error": error, "conf_low": low, "conf_high": high}
            rows.append({"term": f"icc {level}" if within == "share" else f"alike in one {level}", **row, "level": level})
    return term_frame([row for row in rows if row["term"].startswith("icc")] + [
        row for row in rows if row["term"].startswith("alike")
    ])  # fmt: skip


def share_of(values: np.ndarray, covariance: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """Share of the chosen parts in the sum, and its standard error."""
    total = values.sum()
    share = values[chosen].sum() / total
    gradient = (chosen - share) / total
    return float(share), math.sqrt(max(gradient @ covariance @ gradient, 0.0))


def profile_intervals(fit: NestedFit, conf_level: float) -> list[dict[str, object]]:
    """Profile-likelihood interval of each standard deviation, by maximum likelihood, as lme4::confint."""
    if fit.deviance.sums.slope_at >= 0:
        raise DesignError(
            "variance_profile",
            "the model has a random slope",
            allowed="random intercepts",
            remedy="read the Wald intervals of `.variances`",
        )
    deviance = Deviance(fit.deviance.sums, reml=False, correlated=True)
    best = minimum(deviance)
    sigma = math.sqrt(deviance.point(best.theta, derivatives=False).rss / deviance.df)
    at_best = np.append(best.theta * sigma, sigma)
    limit = best.deviance + stats.chi2.ppf(conf_level, 1)
    order = [*range(len(best.theta) - 1, -1, -1), len(best.theta)]
    names = [*fit.nesting.names[::-1], "residual"]
    rows = []
    for place, name in zip(order, names, strict=True):
        low, high = profile_of(deviance, at_best, place, limit)
        rows.append({"term": f"sd {name}", "estimate": at_best[place], "conf_low": low, "conf_high": high, "level": name})
    return rows


def profile_of(deviance: Deviance, best: np.ndarray, place: int, limit: float) -> tuple[float, float]:
    """Where the deviance, minimised over the other standard deviations, crosses a limit on either side."""
    state = {"start": np.delete(best, place)}

    def excess(value: float) -> float:
        found = restricted(deviance, state["start"], place, value)
        state["start"] = found.x
        return float(found.fun) - limit

    def reset() -> None:
        state["start"] = np.maximum(np.delete(best, place), 1e-3 * best[-1])

    reset()
    sigma = best[-1]
    if place < len(best) - 1 and (best[place] <= ZERO * sigma or excess(0.0) <= 0):
        low = 0.0
    else:
        low = crossing(excess, best[place], -1, reset)
    return low, crossing(excess, max(best[place], 0.02 * sigma), 1, reset)


def crossing(excess: Callable[[float], float], best: float, side: int, reset: Callable[[], None]) -> float:
    """Root of `excess` on one side of the best value, which lies below."""
    reset()
    near, step = best, 0.1
    far = best * (1 + side * step)
    while excess(far) < 0:
        near, step = far, min(step * 1.8, 0.9) if side < 0 else step * 1.8
        far = best * (1 - step) if side < 0 and step < 0.9 else (near * 0.3 if side < 0 else best * (1 + step))
        if side < 0 and far < 1e-6 * best:
            return 0.0
    reset()
    return float(optimize.brentq(excess, min(near, far), max(near, far), xtol=1e-9 * best, rtol=1e-9))


def restricted(deviance: Deviance, start: np.ndarray, place: int, value: float) -> optimize.OptimizeResult:
    """Minimise over the other standard deviations with one of them held."""

    def function(others: np.ndarray) -> tuple[float, np.ndarray]:
        all_sd = np.insert(others, place, value)
        sigma = all_sd[-1]
        height, slope = deviance.at(all_sd[:-1] / sigma, sigma)
        by_sd = slope[:-1] / sigma
        by_sigma = slope[-1] - (slope[:-1] * all_sd[:-1]).sum() / sigma**2
        return height, np.delete(np.append(by_sd, by_sigma), place)

    last_is_sigma = place < len(start)
    bounds = [(0.0, None)] * len(start)
    if last_is_sigma:
        bounds[-1] = (1e-6 * start[-1], None)
    return optimize.minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds,
                             options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500})  # fmt: skip


def checked_level(conf_level: float, where: str) -> float:
    """A confidence level between 0 and 1."""
    return inputs.open_unit(conf_level, where=where, name="conf_level")
