"""Columns and terms of the outcome report: dose, fidelity and those who took part."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "dose_quarter": Word(message("a quarter at or below"), "estimate", 2),
    "dose_middle": Word(message("half at or below"), "estimate", 2),
    "dose_three_quarters": Word(message("three quarters at or below"), "estimate", 2),
    "school_low": Word(message("a tenth of schools at or below"), "estimate", 2),
    "school_middle": Word(message("half of schools at or below"), "estimate", 2),
    "school_high": Word(message("nine tenths of schools at or below"), "estimate", 2),
}

TERMS: dict[str, Word] = {
    "dose_took_part": Word(message("took part"), "proportion"),
    "dose_mean_sessions": Word(message("sessions a pupil"), "estimate", 1),
    "dose_fidelity": Word(message("share of the manual kept to"), "estimate", 2),
    "dose_school_took_part": Word(message("share who took part"), "estimate", 2),
    "dose_school_sessions": Word(message("sessions a pupil"), "estimate", 1),
    "dose_school_fidelity": Word(message("share of the manual kept to"), "estimate", 2),
    "dose_uptake": Word(message("offer raised the share who took part by"), "estimate", 3),
    "dose_first_stage": Word(message("F of that difference (10 is the least)"), "estimate", 1),
    "dose_offer": Word(message("effect of the offer (points)"), "estimate", 2),
    "dose_complier": Word(message("effect on those who took part because of the offer (points)"), "estimate", 2),
    "dose_anderson_rubin": Word(message("the same, right also with weak uptake (points)"), "estimate", 2),
    "dose_slope": Word(message("points a further session, no effect"), "estimate", 2),
    "dose_levels": Word(message("difference, within schools"), "text"),
}
