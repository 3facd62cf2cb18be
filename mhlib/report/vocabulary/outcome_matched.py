"""Columns and terms of the outcome report: matched."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "about_said": Word(message("about whom"), "said"),
    "adjusted_for": Word(message("adjusted for?"), "flag"),
    "g_weighted": Word(message("standardised difference after weighting"), "estimate", 2),
    "effective_served": Word(message("served pupils they are worth"), "count"),
    "effective_unserved": Word(message("unserved pupils they are worth"), "count"),
    "heaviest_share": Word(message("weight of the heaviest pupil"), "plan_share", 1),
}

TERMS: dict[str, Word] = {
    "matched_served": Word(message("served"), "text"),
    "matched_unserved": Word(message("not served"), "text"),
    "weighting_before": Word(message("before weighting"), "estimate", 2),
    "weighting_after": Word(message("after weighting"), "estimate", 2),
    "matched_overlap": Word(message("overlap weights (as planned)"), "text"),
    "matched_doubly": Word(message("overlap weights and regression (doubly robust)"), "text"),
    "matched_entropy": Word(message("entropy balancing"), "text"),
    "matched_ipw": Word(message("inverse probability weights"), "text"),
    "matched_regression": Word(message("regression without weights"), "text"),
    "matched_unadjusted": Word(message("plain difference (no effect)"), "text"),
}
