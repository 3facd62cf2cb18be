"""Columns and terms of the outcome report: the start, reliable change, regression to the mean."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "mean_control": Word(message("control (mean or share)"), "estimate", 2),
    "mean_programme": Word(message("programme (mean or share)"), "estimate", 2),
    "band_said": Word(message("band"), "said"),
    "number_needed": Word(message("pupils served for one more"), "estimate", 0),
    "observed_fall": Word(message("fall observed (points)"), "estimate", 2),
    "expected_fall": Word(message("fall to expect without service (points)"), "estimate", 2),
}

TERMS: dict[str, Word] = {
    "start_b": Word(message("outcome at the start (points)"), "text"),
    "start_sex": Word(message("share of girls"), "text"),
    "start_boarding": Word(message("share of boarders"), "text"),
    "start_left_behind": Word(message("share of the left behind"), "text"),
    "start_urban": Word(message("share in town"), "text"),
    "retest_used": Word(message("retest reliability used"), "estimate", 2),
    "error_of_score": Word(message("standard error of a score (points)"), "estimate", 2),
    "error_of_change": Word(message("standard error of a change (points)"), "estimate", 2),
    "least_change": Word(message("smallest reliable change (points)"), "estimate", 1),
    "case_from": Word(message("case from (points)"), "estimate", 0),
    "outcome_finished": Word(message("measured at both times"), "text"),
    "outcome_not_case_at_start": Word(message("no case at the start"), "text"),
    "outcome_recovered": Word(message("recovered (of cases at the start)"), "text"),
    "outcome_reliable_recovery": Word(message("reliably recovered (of cases at the start)"), "text"),
    "outcome_improved": Word(message("reliably improved"), "text"),
    "outcome_unchanged": Word(message("unchanged"), "text"),
    "outcome_worse": Word(message("reliably worse"), "text"),
    "difference_recovered": Word(message("recovered"), "estimate", 3),
    "difference_reliable_recovery": Word(message("reliably recovered"), "estimate", 3),
    "difference_improved": Word(message("reliably improved"), "estimate", 3),
    "difference_unchanged": Word(message("unchanged"), "estimate", 3),
    "difference_worse": Word(message("reliably worse"), "estimate", 3),
    "fall_points": Word(message("mean score of those at or above the cut-off"), "estimate", 2),
    "fall_served": Word(message("served"), "text"),
    "fall_unserved": Word(message("not served"), "text"),
}
