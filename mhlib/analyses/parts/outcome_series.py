"""A time series: one start for everybody, and the line of the weeks before carried on as what would have been."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, other_design
from mhlib.findings import Check, Estimate, Light, Message, Refused, message
from mhlib.stats.effects import InterruptedSeriesResult, interrupted_time_series

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Weeks with the programme left out as its running-in, and the fewest weeks before for a start that never was.
RUNNING_IN = 2
FEWEST_FOR_PLACEBO = 16
METHODS = ("series_ar1", "series_newey_west", "series_independent")
SAME_WEEK = message(
    "Anything else that began in the same week would look the same: a term, an examination, a new head teacher, another way of "
    "measuring."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesSection:
    """Change of level and of slope, the weeks against what was to expect, and how far both can be trusted."""

    effect: Effect | Refused
    estimate: Drawn | Refused
    effects: Drawn | Refused
    counterfactual: Drawn | Refused
    figure: Drawn | Refused
    autocorrelation: Drawn | Refused
    season: Drawn | Refused
    sensitivity: Drawn | Refused
    placebo: Drawn | Refused
    reading: list[Message]
    domains: list[Light]
    checks: list[Check]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One row a week: `week, outcome, people`, the sine and cosine of the season; and the week of the start.

    `units` of which all were measured in every week where `whole`; `n_used` people a week, or weeks where these are unknown.
    """

    table: pd.DataFrame
    start: int
    season: list[str]
    units: int
    whole: bool
    weighted: bool
    n_used: int


def section(trial: Trial, params: Params) -> SeriesSection:
    """Effect and its parts; a series too short is refused by the library's own rule."""
    if trial.design != "time_series":
        return _nothing(other_design())
    if (refused := _unready(trial.data.panel)) is not None:
        return _nothing(refused)
    series = series_of(trial.data.panel, params.season)
    last = last_measured(series)
    found = fitted(series, params, at=(*(at for at in (4, 8, 12) if at < last), last))
    if isinstance(found, Refused):
        return _nothing(found, domains=_domains(series))
    end = f"effect after {last} weeks"
    effect, placebo = _effect(series, found, end), _placebo(series, params)
    return SeriesSection(
        effect=effect, estimate=_estimate(effect, found), effects=_effects(series, found), counterfactual=_weeks(series, found),
        figure=_figure(series, found), autocorrelation=_autocorrelation(series, found), season=_season(series, found, params),
        sensitivity=_sensitivity(series, found, params, last), placebo=placebo, reading=_reading(series, found, effect, last),
        domains=_domains(series), checks=[*found.checks, *_checks(series, params, placebo)],
    )  # fmt: skip


def _nothing(refused: Refused, **known: object) -> SeriesSection:
    lists = ("reading", "domains", "checks")
    empty = {field.name: [] if field.name in lists else refused for field in fields(SeriesSection)}
    # What cannot be told from another beginning is said even where nothing can be estimated.
    said = {"reading": [SAME_WEEK]} if refused.code != "other_design" else {}
    return SeriesSection(**empty | said | known)


def _unready(panel: pd.DataFrame) -> Refused | None:
    """Why the rows are no series with one start."""
    if not len(panel):
        return Refused(
            "no_series",
            message("The source holds no weeks of units, so there is no series."),
            message("One row a unit and teaching week with the outcome, and 1 from the start of the programme on."),
        )
    if not panel["exposure"].isin([0, 1]).all():
        return Refused(
            "shares_exposed",
            message("The programme came to a share of the pupils at a time, so there is no one start."),
            message("Declare design panel, which takes shares; or the first full week as the start."),
        )
    starts = panel[panel["exposure"] > 0].groupby("unit")["time"].min()
    if starts.empty:
        return Refused(
            "start_missing",
            message("No week is marked as being with the programme, so its start is not known."),
            message("The column of exposure: 0 before the start, 1 from the first week with the programme on."),
        )
    if len(starts) < panel["unit"].nunique() or starts.nunique() > 1:
        return Refused(
            "starts_differ",
            message(
                "The units did not all begin in the same week; one series would mix those who had begun with those who had not."
            ),
            message(
                "Nothing more: declare design panel, and the roll-out compares those who had begun with the others."
            ),
        )
    if (panel.loc[panel["time"] >= starts.iloc[0], "exposure"] == 0).any():
        return Refused(
            "programme_stopped",
            message(
                "After its start the programme stopped again, which one change of level and slope cannot describe."
            ),
            message("Leave out the weeks after the end, by parameter where."),
        )
    return None


def series_of(panel: pd.DataFrame, season: int | None) -> Series:
    """Mean of the units week by week, weighted by people where these are known; a week in which nobody was measured stays."""
    start = int(panel.loc[panel["exposure"] > 0, "time"].min())
    there = panel["outcome"].notna()
    counted = "n" in panel and bool((panel.loc[there, "n"] > 0).all())
    weight = (panel["n"] if counted else pd.Series(1.0, index=panel.index)).where(there, 0.0)
    parts = pd.DataFrame({"week": panel["time"], "total": (panel["outcome"].fillna(0.0) * weight), "people": weight})
    table = parts.groupby("week", as_index=False).sum()
    table["outcome"] = (table["total"] / table["people"]).where(table["people"] > 0)
    names = []
    if season is not None:
        turn = 2 * np.pi * np.arange(len(table)) / season
        waves = {"season_cos": np.cos(turn)} | ({"season_sin": np.sin(turn)} if season > 2 else {})
        table, names = table.assign(**waves), list(waves)
    cells = panel[there].groupby("time")["unit"].nunique()
    units = panel["unit"].nunique()
    people = table.loc[table["people"] > 0, "people"]
    return Series(table=table, start=start, season=names, units=units, whole=bool((cells == units).all()), weighted=counted,
                  n_used=round(float(people.mean())) if counted and len(people) else len(people))  # fmt: skip


def last_measured(series: Series) -> int:
    """Teaching weeks from the start to the last week measured; 0 where none was."""
    after = series.table.loc[series.table["week"] >= series.start, "outcome"].notna().to_numpy()
    return int(np.flatnonzero(after).max()) if after.any() else 0


def fitted(
    series: Series, params: Params, *, at: tuple[int, ...], start: int | None = None, table: pd.DataFrame | None = None,
    season: bool = True, lag: int | None = None,
) -> InterruptedSeriesResult | Refused:  # fmt: skip
    """Segmented regression of the series, or of a part of it with another start."""
    frame = series.table if table is None else table
    return tried(
        interrupted_time_series, frame.drop(columns=["total"]), start=series.start if start is None else start, time="week",
        weights="people" if series.weighted else None, season=series.season if season and series.season else None, at=at, lag=lag,
        conf_level=params.conf_level,
    )  # fmt: skip


def _effect(series: Series, found: InterruptedSeriesResult, term: str) -> Effect:
    """Observed line less the line carried on, in the last week; no deviation of pupils is known from means."""
    row, none = found.effect(term), math.nan
    return Effect(
        estimate=row["estimate"], std_error=row["std_error"], conf_low=row["conf_low"], conf_high=row["conf_high"], df=row["df"],
        p_value=row["p_value"], sd=none, g=none, g_low=none, g_high=none, n_used=series.n_used, n_clusters=series.units,
        method=message("segmented regression with first-order autocorrelation, last week against the line carried on"),
        p_refused=None if not math.isnan(row["p_value"]) else _without_p(found),
    )  # fmt: skip


def _without_p(found: InterruptedSeriesResult) -> Refused:
    return Refused(
        "few_df",
        message("The weeks hang together so much that fewer than 4 degrees of freedom are left: no p-value is given."),
        message("More weeks before the start."),
    )


def _estimate(effect: Effect, found: InterruptedSeriesResult) -> Drawn:
    row = {"term": "effect_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
           "df": effect.df, "p_value": effect.p_value, "n_used": effect.n_used, "n_weeks": found.n_used}  # fmt: skip
    lacking = () if effect.p_refused is None else (effect.p_refused.why,)
    return Drawn(table=pd.DataFrame([row]), lacking=lacking)


def _named(term: str) -> str:
    """`series_after_8` for the library's `effect after 8 weeks`."""
    words = {"level change": "series_level", "slope change": "series_slope", "average effect": "series_average"}
    return words.get(term) or f"series_after_{term.split()[2]}"


def _effects(series: Series, found: InterruptedSeriesResult) -> Drawn:
    """Change of level, change of slope, effect after so many weeks, and on average."""
    table = found.effects[["term", "estimate", "conf_low", "conf_high", "df", "p_value"]]
    table = table.assign(group=[_named(term) for term in table["term"]], n_used=series.n_used).drop(columns="term")
    return Drawn(table=table[["group", "estimate", "conf_low", "conf_high", "df", "p_value", "n_used"]],
                 axis=message("difference (points)"), rule=0.0)  # fmt: skip


def _weeks(series: Series, found: InterruptedSeriesResult) -> Drawn:
    """Weeks asked for: observed, fitted, expected, and fitted less expected; the last row is the average."""
    table = found.counterfactual.rename(
        columns={"observed": "series_seen", "fitted": "series_line", "expected": "series_awaited"}
    )
    names = [f"series_after_{int(week)}" if pd.notna(week) else "series_average" for week in table["week"]]
    shown = ["series_seen", "series_line", "series_awaited", "difference", "difference_low", "difference_high"]
    return Drawn(table=table.assign(group=names, n_used=series.n_used)[["group", *shown, "n_used"]])


def _figure(series: Series, found: InterruptedSeriesResult) -> Drawn:
    """Observed weeks, the fitted line, and after the start the line carried on with its interval."""
    weeks, parts = found.weeks, []
    after = weeks[weeks["week"] >= 0]
    for name, rows, column in (
        ("series_observed", weeks, "observed"), ("series_fitted", weeks, "fitted"), ("series_expected", after, "expected"),
    ):  # fmt: skip
        limits = name == "series_expected"
        parts.append(pd.DataFrame({"group": name, "x": rows["time"].astype(float), "y": rows[column],
                                   "low": rows["expected_low"] if limits else np.nan,
                                   "high": rows["expected_high"] if limits else np.nan, "n_used": series.n_used}))  # fmt: skip
    return Drawn(table=pd.concat(parts, ignore_index=True), x_axis=message("teaching week"), y_axis=message("mean (points)"),
                 mark=float(series.start))  # fmt: skip


def _autocorrelation(series: Series, found: InterruptedSeriesResult) -> Drawn:
    """How neighbouring weeks hang together, and what is left over."""
    rows = {"series_rho": found.rho, "series_durbin_watson": found.durbin_watson, "series_ljung_box": found.ljung_box_p,
            "series_ljung_box_left": found.ljung_box_p_left}  # fmt: skip
    return Drawn(
        table=pd.DataFrame([{"term": name, "estimate": value, "n_used": series.n_used} for name, value in rows.items()])
    )


def _season(series: Series, found: InterruptedSeriesResult, params: Params) -> Drawn | Refused:
    """Height of the wave of the seasons; None is fitted unless the plan says how long a cycle is."""
    if params.season is None:
        return Refused(
            "no_season",
            message("No length of a season is stated, so terms and seasons are not taken out."),
            message(
                "The number of teaching weeks in a year, as parameter season, and more than a year before the start."
            ),
        )
    rows = found.coefficients.set_index("term").loc[series.season]
    table = rows[["estimate", "conf_low", "conf_high", "p_value"]].reset_index(names="term")
    return Drawn(table=table.assign(term=[f"series_{name}" for name in table["term"]], n_used=series.n_used))


def _sensitivity(series: Series, found: InterruptedSeriesResult, params: Params, last: int) -> Drawn:
    """The effect in the last week, computed otherwise: errors, lags, running-in, fewer weeks before, no season, no weights."""
    term = f"effect after {last} weeks"
    blocks = found.by_method[found.by_method["term"] == term].to_dict("records")
    lines = [(name, row) for name, row in zip(METHODS, blocks, strict=True)]
    table = series.table
    running = table["week"].isin(table.loc[table["week"] >= series.start, "week"].head(RUNNING_IN))
    before = table["week"] < series.start
    early = table.index < int(before.sum()) // 4
    others = {
        "series_running_in": {"table": table.assign(outcome=table["outcome"].mask(running))},
        "series_later_weeks": {"table": table[~early]},
    }
    if series.season:
        others["series_without_season"] = {"season": False}
    lacking = []
    for name, options in others.items():
        other = fitted(series, params, at=(last,), **options)
        if isinstance(other, Refused):
            lacking.append(other.why)
        else:
            lines.append((name, other.effect(term)))
    longer = fitted(series, params, at=(last,), lag=2 * found.lag)
    rows = longer.by_method[longer.by_method["term"] == term].to_dict("records")
    lines.insert(2, ("series_more_lags", rows[1]))
    return Drawn(table=pd.DataFrame([{"group": name, **{end: row[end] for end in ("estimate", "conf_low", "conf_high", "p_value")},
                                      "n_used": series.n_used} for name, row in lines]),
                 axis=message("difference (points)"), rule=0.0, lacking=tuple(lacking))  # fmt: skip


def _placebo(series: Series, params: Params) -> Drawn | Refused:
    """A start that never was, in the middle of the weeks before: it should show nothing."""
    before = series.table[series.table["week"] < series.start]
    if int(before["outcome"].notna().sum()) < FEWEST_FOR_PLACEBO:
        return Refused("no_placebo", message("Fewer than {least} weeks before the start: no start that never was can be tried.",
                                             least=FEWEST_FOR_PLACEBO), message("More weeks before the start."))  # fmt: skip
    middle = int(before["week"].iloc[len(before) // 2])
    found = fitted(series, params, at=(), start=middle, table=before)
    # Half of the weeks before often hold no whole cycle of the seasons.
    if isinstance(found, Refused) and series.season:
        found = fitted(series, params, at=(), start=middle, table=before, season=False)
    return found if isinstance(found, Refused) else Drawn(
        table=_effects(series, found).table, axis=message("difference (points)"), rule=0.0)  # fmt: skip


def _reading(series: Series, found: InterruptedSeriesResult, effect: Effect, last: int) -> list[Message]:
    """Level, slope, the end of the series, and what no series of this kind can tell."""

    def shown(term: str, digits: int = 2) -> Estimate:
        row = found.effect(term)
        return Estimate(row["estimate"], series.n_used, row["conf_low"], row["conf_high"], digits)

    end = Estimate(effect.estimate, series.n_used, effect.conf_low, effect.conf_high)
    return [
        message("At the start the level changed by {level} points, and the slope by {slope} points a week.",
                level=shown("level change"), slope=shown("slope change", 3)),
        message("{n} weeks after the start the series lies {end} points from the line carried on from before.", n=last, end=end),
        message("The further from the start, the more this rests on the line having gone on straight, which nobody can see."),
        SAME_WEEK,
    ]  # fmt: skip


def _checks(series: Series, params: Params, placebo: Drawn | Refused) -> list[Check]:
    """The same units every week, a whole cycle of the seasons before the start, and nothing at a start that never was."""
    before = int((series.table["week"] < series.start).sum())
    level = None if isinstance(placebo, Refused) else placebo.table.set_index("group").loc["series_level"]
    return [
        Check(message("The same units were measured every week"), series.whole,
              message("Where units are lacking in some weeks, a change of who is measured can look like an effect.")),
        Check(message("A whole cycle of the seasons lies before the start"),
              None if params.season is None else before >= params.season,
              message("{n} weeks lie before the start; with less than a cycle season and programme are mixed.", n=before)),
        Check(message("A start that never was shows nothing"),
              None if level is None else bool(level["conf_low"] <= 0 <= level["conf_high"]),
              message("The middle of the weeks before is taken for the start; a change of level there says that the line does not "
                      "run straight.")),
    ]  # fmt: skip


def _domains(series: Series) -> list[Light]:
    """What EPOC and ROBINS-I ask of an interrupted series."""
    lost = int(series.table["outcome"].isna().sum())
    return [
        Light(message("Other beginnings in the same week"), "unknown", SAME_WEEK, message("none, as shown by another series"), True),
        Light(message("Way of measuring"), "unknown", message("Whether it stayed the same throughout is not recorded."),
              message("the same instrument and the same pupils asked"), True),
        Light(message("Weeks not measured"), "good" if lost == 0 else "watch" if lost <= 0.1 * len(series.table) else "bad",
              message("{n} teaching weeks were not measured.", n=lost), message("none; with care up to a tenth"), True),
    ]  # fmt: skip
