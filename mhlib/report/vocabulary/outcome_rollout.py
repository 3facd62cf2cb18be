"""Columns and terms of the outcome report: rollout."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "starts_in": Word(message("begins in"), "named"),
    "seen_in": Word(message("seen in"), "named"),
    "since_start": Word(message("time since the start"), "named"),
    "comparison_weight": Word(message("weight in the two-way estimate (sum 1)"), "plan", 2),
    "tested_terms": Word(message("times tested together"), "plan", 0),
    "found_in": Word(message("chance that the test finds it"), "plan_share"),
    "trend_slope": Word(message("trend a term or year (points)"), "estimate", 3),
    "trend_bias": Word(message("shift of the effect if it goes on (points)"), "estimate", 3),
    "trend_limit": Word(message("limit"), "plan", 2),
    "change_control": Word(message("change without the programme (points)"), "estimate", 2),
    "change_served": Word(message("change with the programme (points)"), "estimate", 2),
    "unit_times": Word(message("units by times"), "plan", 0),
    "exposed_mean": Word(message("exposure, on average (0 to 1)"), "estimate", 2),
}

TERMS: dict[str, Word] = {
    "roll_never": Word(message("never begins"), "text"),
    "roll_not_yet": Word(message("not yet begun"), "text"),
    "roll_nought": Word(message("no effect"), "text"),
    "roll_simple": Word(message("all units and times alike"), "estimate", 2),
    "roll_by_time": Word(message("mean over the time since the start"), "estimate", 2),
    "roll_by_start": Word(message("mean over the starts"), "estimate", 2),
    "roll_by_calendar": Word(message("mean over the terms or years"), "estimate", 2),
    "roll_complete": Word(message("pupils measured every time only"), "text"),
    "roll_sun_abraham": Word(message("weighted event study (Sun and Abraham)"), "text"),
    "roll_two_stage": Word(message("two-stage regression (Gardner)"), "text"),
    "roll_two_way": Word(message("two-way regression, not to be read alone"), "text"),
    "roll_two_by_two": Word(message("before and after, served and not"), "text"),
    "roll_treated_never": Word(message("served with never served"), "estimate", 2),
    "roll_earlier_later": Word(message("served with not yet served"), "estimate", 2),
    "roll_later_earlier": Word(message("served with already served (forbidden)"), "estimate", 2),
    "roll_plus": Word(message("counted with a plus sign"), "text"),
    "roll_minus": Word(message("counted with a minus sign"), "text"),
    "roll_leads": Word(message("times before the start, together"), "text"),
    "roll_group_leads": Word(message("times before, every start by itself"), "text"),
    "roll_ahead": Word(message("exposure still to come"), "text"),
    "roll_parallel": Word(message("trends alike"), "estimate", 2),
    "roll_relative_magnitudes": Word(message("steps after, as times of the largest step before"), "estimate", 2),
    "roll_smoothness": Word(message("trends that bend by at most (points)"), "estimate", 2),
    "roll_cr1s": Word(message("cluster-robust errors as in Stata (CR1S)"), "text"),
    "roll_by_people": Word(message("every person alike"), "text"),
    "roll_by_units": Word(message("every unit alike"), "text"),
    "roll_unit_trends": Word(message("with a straight trend of each unit"), "text"),
    "roll_shifted": Word(message("exposure at that time"), "text"),
    "roll_lead_2": Word(message("two times ahead"), "text"),
    "roll_lead_1": Word(message("one time ahead"), "text"),
    "roll_exposure": Word(message("now"), "text"),
    "roll_lag_1": Word(message("one time ago"), "text"),
    "roll_lag_2": Word(message("two times ago"), "text"),
    **{f"roll_before_{n}": Word(message("period {n} before the start", n=n), "text") for n in range(1, 25)},
    **{f"roll_under_{n}": Word(message("period {n} under the programme", n=n), "text") for n in range(1, 25)},
}
