"""Profile-likelihood intervals of the standard deviations of a nested model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_deviance import Deviance
from mhlib.stats.effects.nested_fit import NestedFit
from mhlib.stats.effects.nested_optimise import ZERO, minimum
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceProfile:
    """Standard deviations with profile-likelihood intervals.

    Attributes
    ----------
    table : pandas.DataFrame
        `term` (`sd <level>`, `sd residual`)`, estimate` (maximum likelihood)`, conf_low, conf_high, level`.
    """

    table: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def variance_profile(result: MultilevelResult, *, conf_level: float | None = None) -> VarianceProfile:
    """Intervals of the standard deviations that also hold near zero.

    Parameters
    ----------
    result : MultilevelResult
        Random intercepts only.
    conf_level : float, optional
        That of the result by default.

    Returns
    -------
    VarianceProfile
        A lower end of 0 says that the data do not exclude that the groups are alike.

    Raises
    ------
    DesignError
        A random slope: its Wald intervals stand in `result.variances`.

    Notes
    -----
    All standard deviations at which the deviance, minimised over everything else, exceeds its minimum by less than the
    chi-square quantile of one df. By maximum likelihood also after a REML fit, as lme4::confint does, so the estimate
    beside it may differ a little from `result.variances`. Costs some hundred evaluations. Reference: Bates et al. (2015),
    section 5.1. Checked against: tests/oracle/multilevel_profile.csv (lme4::confint).
    """
    level = result.conf_level if conf_level is None else conf_level
    inputs.open_unit(level, where="variance_profile", name="conf_level")
    return VarianceProfile(
        table=term_frame(profile_intervals(result.core, level)),
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method="profile likelihood, ML",
        conf_level=level,
    )


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
        rows.append(
            {"term": f"sd {name}", "estimate": at_best[place], "conf_low": low, "conf_high": high, "level": name}
        )
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
