"""Columns and terms of the outcome report: question, primary result, other outcomes, groups."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "n_units": Word(message("units"), "plan", 0),
    "g": Word(message("Hedges' g"), "estimate", 2),
    "p_romano_wolf": Word(message("p value after Romano and Wolf"), "p_value", 3),
    "f_value": Word(message("F"), "estimate", 2),
    "bound_low": Word(message("smallest effect that matters, below (points)"), "plan", 2),
    "bound_high": Word(message("and above (points)"), "plan", 2),
}

TERMS: dict[str, Word] = {
    "arm_control": Word(message("control"), "text"),
    "arm_programme": Word(message("programme"), "text"),
    "control": Word(message("control"), "text"),
    "intervention": Word(message("programme"), "text"),
    "effect_points": Word(message("difference (points)"), "estimate", 2),
    "effect_g": Word(message("difference (standard deviations)"), "estimate", 2),
    "by_cr2": Word(message("cluster-robust errors (CR2)"), "text"),
    "by_mixed": Word(message("mixed model"), "text"),
    "by_wild": Word(message("wild cluster bootstrap"), "text"),
    "by_permutation": Word(message("permutation of the lots"), "text"),
    "spec_planned": Word(message("as planned"), "text"),
    "spec_school": Word(message("average over units"), "text"),
    "spec_pupil": Word(message("average over pupils"), "text"),
    "spec_cr3": Word(message("more cautious errors (CR3)"), "text"),
    "spec_change": Word(message("change since the start"), "text"),
    "spec_unadjusted": Word(message("without the baseline"), "text"),
    "spec_mixed": Word(message("mixed model"), "text"),
    "spec_attributes": Word(message("with sex and school level"), "text"),
    "spec_without_one_low": Word(message("one unit left out, lowest value"), "text"),
    "spec_without_one_high": Word(message("one unit left out, highest value"), "text"),
    "case_difference": Word(message("difference of the shares of cases"), "estimate", 3),
    "case_logit": Word(message("odds ratio of being a case (CR2)"), "estimate", 2),
    "case_mixed_logit": Word(message("odds ratio of being a case (mixed logit)"), "estimate", 2),
    "equivalence": Word(message("test of equivalence"), "text"),
    "severity": Word(message("distress at the start"), "text"),
    "severity_low": Word(message("lowest third"), "text"),
    "severity_middle": Word(message("middle third"), "text"),
    "severity_high": Word(message("highest third"), "text"),
    "schools_shrunken": Word(message("schools, drawn towards their mean"), "text"),
    "pooled_mean": Word(message("mean over schools"), "text"),
    "pooled_next": Word(message("the next school (prediction)"), "text"),
    "pre": Word(message("before"), "text"),
    "post": Word(message("after"), "text"),
    "follow_up": Word(message("follow-up"), "text"),
    "allocated": Word(message("allocated"), "text"),
    **{f"term_{n}": Word(message("term {n}", n=n), "text") for n in range(1, 7)},
}
