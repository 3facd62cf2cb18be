"""Columns and terms of the training report: answer, design, learning."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "at_best": Word(message("at the best score"), "people_share", 2),
    "at_worst": Word(message("at the worst score"), "people_share", 2),
    "at_chance": Word(message("no better than guessing"), "people_share", 2),
    "better_said": Word(message("which way"), "said"),
    "difference_points": Word(message("difference (points)"), "estimate", 2),
    "right_share": Word(message("share right"), "estimate", 3),
    "chance_share": Word(message("share right by blind guessing"), "plan_share", 3),
}

TERMS: dict[str, Word] = {
    "arm_trained": Word(message("trained"), "text"),
    "arm_untrained": Word(message("not yet trained"), "text"),
    "wait_list": Word(message("not yet trained"), "text"),
    "training": Word(message("trained"), "text"),
    "three_months": Word(message("three months later"), "text"),
    "six_months": Word(message("six months later"), "text"),
    "knowledge": Word(message("knowledge"), "text"),
    "stigma": Word(message("stigma"), "text"),
    "helping": Word(message("readiness to help"), "text"),
    "help_seeking": Word(message("own help-seeking"), "text"),
    "confidence": Word(message("confidence"), "text"),
    "vignettes_right": Word(message("vignettes judged rightly"), "text"),
    "gain_points": Word(message("more than the others (points)"), "estimate", 2),
    "gain_g": Word(message("more than the others (standard deviations before the training)"), "estimate", 2),
    "uses_ancova": Word(message("primary result: tested before and after"), "text"),
    "uses_later": Word(message("later result: tested before and later"), "text"),
    "uses_mixed": Word(message("mixed model: tested at least once"), "text"),
    "uses_anova": Word(message("analysis of variance: tested every time"), "text"),
    "by_waves": Word(message("repeated measures of any covariance (schools not allowed for)"), "text"),
    "spec_teacher": Word(message("average over teachers"), "text"),
    "spec_context": Word(message("with the mean of the unit before the training"), "text"),
    "kept_share": Word(message("share of the gain that is kept (1 is all)"), "estimate", 2),
    "kept_post": Word(message("difference right after the training (points)"), "estimate", 2),
    "kept_later": Word(message("difference later (points)"), "estimate", 2),
    "kept_change": Word(message("change between the two (points)"), "estimate", 2),
    "anova_arm": Word(message("arm"), "text"),
    "anova_occasion": Word(message("occasion"), "text"),
    "anova_interaction": Word(message("arm by occasion"), "text"),
}
