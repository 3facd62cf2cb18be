"""Columns and terms of the training report: referral, pupils, workload, cost."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "period_shown": Word(message("period"), "named"),
    "wave_shown": Word(message("screening wave"), "plan", 0),
    "n_named": Word(message("named by teachers"), "count"),
    "n_named_screened": Word(message("of these screened"), "count"),
    "n_named_positive": Word(message("of these screen-positive"), "count"),
    "n_named_interviewed": Word(message("named and interviewed"), "count"),
    "n_named_case": Word(message("of these cases"), "count"),
    "per_thousand": Word(message("named of 1,000 pupils"), "estimate", 1),
    "per_thousand_low": Word(message("lower limit"), "estimate", 1),
    "per_thousand_high": Word(message("upper limit"), "estimate", 1),
    "level_before": Word(message("before the training"), "estimate", 2),
    "level_after": Word(message("after the training"), "estimate", 2),
    "days_from": Word(message("days after the naming"), "plan", 0),
    "wave_mean": Word(message("mean screening score"), "estimate", 2),
    "wave_low": Word(message("lower limit"), "estimate", 2),
    "wave_high": Word(message("upper limit"), "estimate", 2),
    "found_sd": Word(message("would be found in 80 of 100 studies (SD)"), "estimate", 3),
    "found_points": Word(message("the same in points"), "estimate", 2),
    "excluded_sd": Word(message("larger effects are excluded (SD)"), "estimate", 3),
    "excluded_points": Word(message("the same in points"), "estimate", 2),
    "margin_sd": Word(message("margin (SD)"), "plan", 2),
    "p_equivalent": Word(message("p value of being within the margin"), "p_value", 3),
}

TERMS: dict[str, Word] = {
    "naming_before": Word(message("before the training"), "text"),
    "naming_after": Word(message("after the training"), "text"),
    "naming_all_waves": Word(message("all waves"), "text"),
    "naming_by_wave": Word(message("trained less not yet trained"), "text"),
    "naming_gain": Word(message("more cases named (percentage points of all cases)"), "estimate", 1),
    "naming_gain_positive": Word(message("the same of screen-positive cases only"), "estimate", 1),
    "naming_gain_school": Word(message("screen-positive cases, every school alike"), "estimate", 1),
    "naming_gain_clean": Word(
        message("screen-positive cases, without the waves while training went on"), "estimate", 1
    ),
    "naming_others": Word(message("more pupils named who are no case (percentage points)"), "estimate", 2),
    "naming_rate": Word(message("more pupils named of 1,000"), "estimate", 1),
    "agree_positive": Word(message("of the screen-positive, named"), "proportion"),
    "agree_named": Word(message("of the named, screen-positive"), "proportion"),
    "naming_referred": Word(message("referred by then"), "proportion"),
    "naming_dose": Word(message("10 percentage points more class teachers trained, all schools"), "estimate", 2),
    "naming_dose_trained": Word(message("the same among trained schools only"), "estimate", 2),
    "pupils_points": Word(message("mean screening score (points)"), "estimate", 2),
    "pupils_g": Word(message("mean screening score (standard deviations)"), "estimate", 3),
    "pupils_school": Word(message("mean screening score, every school alike (points)"), "estimate", 2),
    "pupils_share": Word(message("screen-positive (percentage points)"), "estimate", 2),
}
