"""Columns and terms of the outcome report: covariance and balance."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "analysis_named": Word(message("analysis"), "named"),
    "property_named": Word(message("property"), "named"),
    "g_chance": Word(message("to expect by chance (SD)"), "plan", 2),
    "g_units": Word(message("Hedges' g between units"), "estimate", 2),
    "g_units_chance": Word(message("to expect by chance between units (SD)"), "plan", 2),
    "band_units_said": Word(message("band between units"), "said"),
}

TERMS: dict[str, Word] = {
    "county": Word(message("county"), "text"),
    "now": Word(message("now"), "text"),
    "by_mixed_cr2": Word(message("mixed model, cluster-robust errors by its widest level (CR2)"), "text"),
    "by_ancova": Word(message("analysis of covariance"), "text"),
    "by_change_score": Word(message("change score"), "text"),
    "ancova_less_change": Word(message("the first less the second"), "text"),
    "balance_pupils": Word(message("pupils"), "estimate", 2),
    "balance_units": Word(message("means of units"), "estimate", 2),
    # Arms and occasions of the published trials.
    "TAU": Word(message("usual treatment"), "text"),
    "BtheB": Word(message("Beating the Blues"), "text"),
    "reg": Word(message("regular class"), "text"),
    "small": Word(message("small class"), "text"),
    "aide": Word(message("regular class with an aide"), "text"),
    "classroom": Word(message("lessons in class"), "text"),
    "television": Word(message("television"), "text"),
    "both": Word(message("lessons and television"), "text"),
    "spring": Word(message("spring"), "text"),
    **{f"m{n}": Word(message("month {n}", n=n), "text") for n in (2, 3, 5, 8)},
}
