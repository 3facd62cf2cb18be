"""The record of an interrupted time series: effects by method, weeks against what was expected, tests of the residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.findings import Check
from mhlib.stats.effects.series_fit import SeriesFit
from mhlib.stats.effects.series_refusals import FEWEST_DF
from mhlib.stats.effects.series_rows import TREND, Weeks
from mhlib.stats.intervals import critical
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InterruptedSeriesResult:
    """Segmented regression of a weekly series.

    Attributes
    ----------
    effects : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, df`: level change, slope change, effect after so many
        weeks, average effect, by the first method. Log rate ratios for rates. No p-value below 4 df.
    by_method : pandas.DataFrame
        The same with `method`, one block a method: AR(1), Newey-West, weeks as independent.
    coefficients : pandas.DataFrame
        Every column of the regression, first method.
    counterfactual : pandas.DataFrame
        `week` (since the start)`, time, observed, fitted, expected, expected_low, expected_high, difference,
        difference_low, difference_high`; the last row, `time` missing, is the average over measured weeks with the
        programme. For rates `difference` is a ratio. Intervals are of the mean, not of a single week.
    weeks : pandas.DataFrame
        All measured weeks: `time, week, observed, fitted, expected, expected_low, expected_high`; expected is missing before the
        start.
    rho : float
        Autocorrelation of neighbouring weeks.
    durbin_watson, ljung_box_p, ljung_box_p_left : float
        Of the least-squares residuals; the last of what AR(1) leaves over.
    lag : int
        Newey-West lags.
    n_before, n_after : int
        Measured weeks.
    beyond : tuple of int
        Weeks asked for that were not reached: no effect is given there.
    """

    effects: pd.DataFrame = field(repr=False)
    by_method: pd.DataFrame = field(repr=False)
    coefficients: pd.DataFrame = field(repr=False)
    counterfactual: pd.DataFrame = field(repr=False)
    weeks: pd.DataFrame = field(repr=False)
    rho: float
    durbin_watson: float
    ljung_box_p: float
    ljung_box_p_left: float
    lag: int
    family: str
    controlled: bool
    beyond: tuple[int, ...]
    checks: tuple[Check, ...]
    n_before: int
    n_after: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The effects by the first method."""
        return self.effects

    def effect(self, term: str) -> Mapping[str, float]:
        """One row of `effects`."""
        return self.effects.set_index("term").loc[term].to_dict()


def contrasts_of(weeks: Weeks, at: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Each effect as weights over the columns of the regression."""
    level, slope = TREND.index("level change"), TREND.index("slope change")
    since = weeks.since[weeks.since >= 0]
    wanted = {"level change": (1, 0), "slope change": (0, 1)}
    wanted |= {f"effect after {k} weeks": (1, k) for k in at}
    wanted["average effect"] = (1, float(since.mean()))
    rows = {}
    for term, pair in wanted.items():
        rows[term] = np.zeros(weeks.x.shape[1])
        rows[term][[level, slope]] = pair
    return rows


def estimated(fit: SeriesFit, contrast: np.ndarray, conf_level: float) -> dict[str, float]:
    """Estimate, error, df, interval, p-value of one linear combination."""
    value, error, df = float(contrast @ fit.beta), math.sqrt(contrast @ fit.covariance @ contrast), fit.df(contrast)
    half = critical(conf_level, df) * error
    p = 2 * stats.t.sf(abs(value) / error, df) if df >= FEWEST_DF else math.nan
    return {"estimate": value, "std_error": error, "conf_low": value - half, "conf_high": value + half,
            "p_value": float(p), "df": df}  # fmt: skip


def effect_table(fit: SeriesFit, rows: Mapping[str, np.ndarray], conf_level: float) -> pd.DataFrame:
    """All effects by one method."""
    return term_frame([{"term": term, **estimated(fit, row, conf_level)} for term, row in rows.items()])


def week_table(fit: SeriesFit, weeks: Weeks, conf_level: float) -> pd.DataFrame:
    """Observed, fitted and expected without the programme, of every measured week, in the unit of the outcome.

    With a comparison series the fit of the difference is added to the comparison observed.
    """
    rate = weeks.exposure is not None
    without = weeks.x.copy()
    without[:, [TREND.index("level change"), TREND.index("slope change")]] = 0
    found = [estimated(fit, row, conf_level) for row in without]
    parts = {
        name: in_unit([one[key] for one in found], weeks) + weeks.control
        for name, key in (("expected", "estimate"), ("expected_low", "conf_low"), ("expected_high", "conf_high"))
    }
    frame = pd.DataFrame(
        {
            "time": weeks.time,
            "week": weeks.since,
            "observed": weeks.observed / weeks.exposure if rate else weeks.observed,
            "fitted": in_unit(weeks.x @ fit.beta, weeks) + weeks.control,
            **parts,
        }
    )
    frame.loc[weeks.since < 0, list(parts)] = np.nan
    return frame


def counterfactual_table(
    table: pd.DataFrame, fit: SeriesFit, weeks: Weeks, at: tuple[int, ...], rows: Mapping[str, np.ndarray], level: float
) -> pd.DataFrame:
    """Rows of the weeks asked for, and the average over the weeks with the programme."""
    after = table[table["week"] >= 0]
    lines = []
    for k in at:
        here = after[after["week"] == k]
        line = here.iloc[0].to_dict() if len(here) else {"week": k}
        lines.append(line | difference_of(fit, rows[f"effect after {k} weeks"], weeks, level))
    lines.append(average_line(after, fit, weeks, level) | difference_of(fit, rows["average effect"], weeks, level))
    columns = ["week", "time", "observed", "fitted", "expected", "expected_low", "expected_high",
               "difference", "difference_low", "difference_high"]  # fmt: skip
    return pd.DataFrame(lines).reindex(columns=columns)


def in_unit(value: object, weeks: Weeks) -> np.ndarray:
    """A linear predictor as an outcome, or as a rate; a limit may be infinite where hardly any df is left."""
    with np.errstate(over="ignore"):
        return np.asarray(value, dtype=float) if weeks.exposure is None else np.exp(np.asarray(value, dtype=float))


def difference_of(fit: SeriesFit, row: np.ndarray, weeks: Weeks, level: float) -> dict[str, float]:
    """Effect as a difference, or as a ratio of rates."""
    one = estimated(fit, row, level)
    names = {"difference": "estimate", "difference_low": "conf_low", "difference_high": "conf_high"}
    return {name: float(in_unit(one[key], weeks)) for name, key in names.items()}


def average_line(after: pd.DataFrame, fit: SeriesFit, weeks: Weeks, level: float) -> dict[str, float]:
    """Means over the weeks with the programme; for rates geometric means of fit and expectation."""
    chosen = weeks.since >= 0
    without = weeks.x[chosen].copy()
    without[:, [TREND.index("level change"), TREND.index("slope change")]] = 0
    base = float(weeks.control[chosen].mean())
    one = estimated(fit, without.mean(axis=0), level)
    return {
        "observed": float(after["observed"].mean()),
        "fitted": float(in_unit((weeks.x[chosen] @ fit.beta).mean(), weeks)) + base,
        "expected": float(in_unit(one["estimate"], weeks)) + base,
        "expected_low": float(in_unit(one["conf_low"], weeks)) + base,
        "expected_high": float(in_unit(one["conf_high"], weeks)) + base,
    }
