"""How long a gain lasts: when it will have fallen to a floor, and so when to refresh it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DataError, DesignError
from mhlib.findings import Check, Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.retention_fieller import fieller
from mhlib.stats.effects.retention_ratio_interval import checked_covariance
from mhlib.stats.effects.retention_refusals import few_df_refusal
from mhlib.stats.intervals import critical, wald
from mhlib.stats.terms import term_frame

SHAPES = ("exponential", "linear")
FEWEST_POINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecayResult:
    """A decay curve and the time at which it reaches a floor.

    Attributes
    ----------
    time_to_floor : float
        In the unit of the times; infinity where the curve does not fall.
    conf_low, conf_high : float
        Fieller's limits; `conf_high` is infinite where a decay is not told from none.
    refresh_by : float
        The lower limit: until then the gain stands above the floor at this confidence.
    start, rate : float
        Gain at time 0, and what it loses a unit of time (linear) or the share of it (exponential, continuous).
    curve : pandas.DataFrame
        `time, estimate, conf_low, conf_high` from 0 to the last measurement: pointwise.
    fit : Check
        Whether the points lie on the curve (chi-square of the residuals).
    """

    time_to_floor: float
    conf_low: float
    conf_high: float
    refresh_by: float
    start: float
    start_error: float
    rate: float
    rate_error: float
    floor: float
    shape: str
    curve: pd.DataFrame = field(repr=False)
    fit: Check
    p_fit: float
    df: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `time_to_floor`, `start`, `rate`, with `df`."""
        rows = [
            {
                "term": "time_to_floor",
                "estimate": self.time_to_floor,
                "conf_low": self.conf_low,
                "conf_high": self.conf_high,
            }
        ]
        for name, value, error in (("start", self.start, self.start_error), ("rate", self.rate, self.rate_error)):
            low, high = wald(value, error, self.conf_level, self.df)
            rows.append({"term": name, "estimate": value, "std_error": error, "conf_low": low, "conf_high": high})
        return term_frame(rows).assign(df=self.df)


def decay_refresher_interval(
    time: object,
    gain: object,
    covariance: object,
    *,
    floor: float,
    shape: str = "exponential",
    df: float = math.inf,
    n_used: int = 0,
    n_excluded: int = 0,
    conf_level: float = 0.95,
) -> DecayResult | Refused:
    """Time until a kept gain falls to a floor, from three or more measurements after training.

    Parameters
    ----------
    time : array-like, shape (k,)
        Months since training of each measurement, 0 for the one just after.
    gain : array-like, shape (k,)
        Gain over the wave before training.
    covariance : array-like, shape (k, k), or (k,) of standard errors
        Of the gains. Standard errors alone take them as independent, which gains over one first wave are not.
    floor : float
        Least gain that is still worth having, in the unit of the gains; above 0 for the exponential.
    shape : {'exponential', 'linear'}
        start exp(-rate t), which nears 0 and never passes it, or start - rate t.
    df : float
    n_used, n_excluded : int
        Teachers; carried into the record.
    conf_level : float

    Returns
    -------
    DecayResult or Refused
        Refused: `too_few_measurements` (fewer than three different times), `at_the_floor_already` (the gain at time 0 is not
        told from the floor), `few_degrees_of_freedom`.

    Raises
    ------
    DataError
        Columns of different lengths, missing numbers, negative times, a covariance that is none.
    DesignError
        Gains all at or below 0 for an exponential; no convergence.
    ParamsError
        An unknown shape.

    Notes
    -----
    Generalised least squares; the time is (start - floor) / rate, or (log start - log floor) / rate, with Fieller's limits.
    A time beyond the last measurement extrapolates: the shape decides there, so compare both.
    Reference: Fieller (1954). Checked against: tests/oracle/training_decay.csv (R nls and search).
    """
    where = "decay_refresher_interval"
    inputs.one_of(shape, SHAPES, where=where, name="shape")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    t, y, v = points_of(time, gain, covariance, where)
    if shape == "exponential" and (not floor > 0 or (y <= 0).all()):
        raise DesignError(where, "an exponential never reaches this floor", allowed="gains and a floor above 0",
                          remedy="take shape='linear'")  # fmt: skip
    if len(np.unique(t)) < FEWEST_POINTS:
        return too_few()
    if refused := few_df_refusal(df):
        return refused
    beta, spread, residual = straight(t, y, v) if shape == "linear" else exponential(t, y, v, where)
    level = floor if shape == "linear" else math.log(floor)
    room, turned = beta[0] - level, np.array([[1.0, 0.0], [0.0, -1.0]])
    if room - critical(conf_level, df) * math.sqrt(spread[0, 0]) <= 0:
        return at_floor()
    ratio = fieller(room, -beta[1], turned @ spread @ turned.T, df=df, conf_level=conf_level)
    falls, bounded = -beta[1] > 0, ratio.bounded and -beta[1] > 0
    low = ratio.conf_low if falls or not ratio.bounded else math.inf
    p_fit = float(stats.chi2.sf(residual, len(t) - 2))
    start = beta[0] if shape == "linear" else math.exp(beta[0])
    scale = 1.0 if shape == "linear" else start
    return DecayResult(
        time_to_floor=ratio.value if falls else math.inf,
        conf_low=low,
        conf_high=ratio.conf_high if bounded else math.inf,
        refresh_by=low,
        start=start,
        start_error=scale * math.sqrt(spread[0, 0]),
        rate=-beta[1],
        rate_error=math.sqrt(spread[1, 1]),
        floor=float(floor),
        shape=shape,
        curve=curve_of(t, beta, spread, shape, critical(conf_level, df)),
        fit=fit_check(p_fit),
        p_fit=p_fit,
        df=float(df),
        n_used=int(n_used),
        n_excluded=int(n_excluded),
        method=f"{shape} decay, generalised least squares, Fieller interval",
        conf_level=conf_level,
    )


def points_of(time: object, gain: object, covariance: object, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checked times, gains and their covariance."""
    k = inputs.same_length(where, time=time, gain=gain)
    t, y = (inputs.numeric(values, where=where, name=name) for values, name in ((time, "time"), (gain, "gain")))
    for values, name in ((t, "time"), (y, "gain")):
        inputs.without_missing(values, where=where, name=name, remedy="leave measurements out that were not made")
    if (t < 0).any():
        raise DataError(f"{where}(time)", "lies before training", allowed="0 or more")
    v = np.asarray(covariance, dtype=float)
    return t, y, checked_covariance(np.diag(v**2) if v.ndim == 1 else v, k, where)


def straight(t: np.ndarray, y: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Intercept and slope, their covariance, and the weighted residual sum of squares."""
    x = np.column_stack([np.ones_like(t), t])
    spread = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    beta = spread @ (x.T @ np.linalg.solve(v, y))
    residual = y - x @ beta
    return beta, spread, float(residual @ np.linalg.solve(v, residual))


def exponential(t: np.ndarray, y: np.ndarray, v: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Log start and minus the rate, by Gauss-Newton on the gains themselves (their logs would be biased)."""
    root = np.linalg.cholesky(v)
    whiten = np.linalg.solve(root, np.eye(len(t)))
    positive = y > 0
    begin = np.array([math.log(y[positive].mean()), 0.0])
    if positive.sum() >= 2 and np.ptp(t[positive]) > 0:
        begin = np.polynomial.polynomial.polyfit(t[positive], np.log(y[positive]), 1)

    def misfit(b: np.ndarray) -> np.ndarray:
        return whiten @ (y - np.exp(b[0] + b[1] * t))

    def slope(b: np.ndarray) -> np.ndarray:
        level = np.exp(b[0] + b[1] * t)
        return -whiten @ np.column_stack([level, level * t])

    found = optimize.least_squares(misfit, begin, slope, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14)
    if not found.success or not np.isfinite(found.x).all():
        raise DesignError(where, "no exponential fits these gains", remedy="take shape='linear'")
    j = slope(found.x)
    return found.x, np.linalg.inv(j.T @ j), float(2 * found.cost)


def curve_of(t: np.ndarray, beta: np.ndarray, spread: np.ndarray, shape: str, quantile: float) -> pd.DataFrame:
    """The curve with pointwise limits."""
    at = np.linspace(0.0, t.max(), 61)
    x = np.column_stack([np.ones_like(at), at])
    middle, half = x @ beta, quantile * np.sqrt(np.einsum("ip,pq,iq->i", x, spread, x))
    parts = [middle, middle - half, middle + half]
    parts = parts if shape == "linear" else [np.exp(part) for part in parts]
    return pd.DataFrame(dict(zip(("time", "estimate", "conf_low", "conf_high"), (at, *parts), strict=True)))


def too_few() -> Refused:
    """Refusal with fewer than three different times, code `too_few_measurements`."""
    return Refused(
        "too_few_measurements",
        message("Fewer than three measurements after training: how a gain decays cannot be seen from two."),
        message("Measure the same teachers again, at three or more different times after training."),
    )


def at_floor() -> Refused:
    """Refusal when the gain at the start is not above the floor, code `at_the_floor_already`."""
    return Refused(
        "at_the_floor_already",
        message("The gain just after training is not told from the floor: there is no time left until it falls to it."),
        message("Nothing until training gains more; then measure again at three or more times."),
    )


def fit_check(p_fit: float) -> Check:
    """Whether the points lie on the curve."""
    return Check(
        message("Gains follow the shape of decay"),
        p_fit >= 0.05,
        message(
            "The gains measured lie about the curve as chance allows when p is .05 or more; here p = {p}.",
            p=round(p_fit, 3),
        ),
    )
