"""Columns and terms of the outcome report: interrupted time series."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "n_weeks": Word(message("weeks measured"), "plan", 0),
    "series_seen": Word(message("observed (points)"), "estimate", 2),
    "series_line": Word(message("line fitted (points)"), "estimate", 2),
    "series_awaited": Word(message("to expect without the programme (points)"), "estimate", 2),
}

MOST_WEEKS = 200

TERMS: dict[str, Word] = {
    "series_level": Word(message("change of level at the start"), "text"),
    "series_slope": Word(message("change of slope, a week"), "text"),
    "series_average": Word(message("on average since the start"), "text"),
    "series_observed": Word(message("observed"), "text"),
    "series_fitted": Word(message("line fitted"), "text"),
    "series_expected": Word(message("line carried on without the programme"), "text"),
    "series_rho": Word(message("correlation of neighbouring weeks"), "estimate", 2),
    "series_durbin_watson": Word(message("Durbin-Watson statistic (2: none)"), "estimate", 2),
    "series_ljung_box": Word(message("Ljung-Box test before the correlation is modelled (p)"), "p_value", 3),
    "series_ljung_box_left": Word(message("Ljung-Box test of what is left over (p)"), "p_value", 3),
    "series_season_cos": Word(message("season, cosine (points)"), "estimate", 2),
    "series_season_sin": Word(message("season, sine (points)"), "estimate", 2),
    "series_ar1": Word(message("neighbouring weeks correlated (planned)"), "text"),
    "series_newey_west": Word(message("Newey-West errors"), "text"),
    "series_more_lags": Word(message("Newey-West errors, twice the lags"), "text"),
    "series_independent": Word(message("weeks as if independent"), "text"),
    "series_running_in": Word(message("without the first two weeks with the programme"), "text"),
    "series_later_weeks": Word(message("without the first quarter of the weeks before"), "text"),
    "series_without_season": Word(message("without the season"), "text"),
    **{f"series_after_{n}": Word(message("{n} weeks after the start", n=n), "text") for n in range(MOST_WEEKS)},
}
