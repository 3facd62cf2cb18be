"""Columns and terms of the outcome report: flow, detectable effects, missing data, hidden causes."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "occasion": Word(message("occasion"), "named"),
    "n_schools": Word(message("schools"), "plan", 0),
    "n_classes": Word(message("classes"), "plan", 0),
    "pupils_a_unit": Word(message("pupils a unit"), "plan", 0),
    "icc": Word(message("intraclass correlation"), "plan", 3),
    "r2": Word(message("variance explained"), "plan_share", 0),
    "mdes": Word(message("smallest effect seen with 80% power (SD)"), "plan", 2),
    "mdes_trial": Word(message("schools drawn by lot (SD)"), "plan", 2),
    "mdes_wait": Word(message("wait-list of two terms (SD)"), "plan", 2),
    "mdes_steps": Word(message("roll-out in four steps (SD)"), "plan", 2),
    "starts_first": Word(message("start first"), "plan", 0),
    "starts_later": Word(message("start later"), "plan", 0),
    "occasions_there": Word(message("occasions in order (+ measured, – missing)"), "text"),
    "arm_shown": Word(message("arm"), "named"),
    "r2_service": Word(message("explains of service"), "plan_share", 1),
    "r2_outcome": Word(message("explains of outcome"), "plan_share", 1),
}

TERMS: dict[str, Word] = {
    "boundary_cautious": Word(message("cautious boundary"), "text"),
    "boundary_optimistic": Word(message("optimistic boundary"), "text"),
    "boundary_here": Word(message("this study"), "text"),
    "stage_design": Word(message("as planned"), "text"),
    "stage_randomisation": Word(message("as allocated"), "text"),
    "stage_analysis": Word(message("as analysed"), "text"),
    "icc_school": Word(message("between schools"), "estimate", 3),
    "icc_class": Word(message("between classes"), "estimate", 3),
    "icc_residual": Word(message("between pupils"), "estimate", 3),
    "all_schools": Word(message("all schools"), "text"),
    "lost_arm": Word(message("programme against control"), "estimate", 3),
    "lost_baseline": Word(message("a standard deviation more at the start"), "estimate", 3),
    "lost_both": Word(message("the two together"), "estimate", 3),
    "effect_complete": Word(message("those measured"), "text"),
    "effect_imputed": Word(message("everybody, imputed"), "text"),
    **{
        f"shift_{shift}": Word(message("{given}", given=shift.replace("-", "\u2212")), "text")
        for shift in ("-0.50", "-0.25", "+0.00", "+0.25", "+0.50")
    },
    "bound_lower": Word(message("lower bound (points)"), "estimate", 2),
    "bound_upper": Word(message("upper bound (points)"), "estimate", 2),
    "bound_interval": Word(message("interval of the bounds (points)"), "estimate", 2),
    "e_value": Word(message("E-value of the estimate"), "estimate", 2),
    "e_value_bound": Word(message("E-value of the interval"), "estimate", 2),
    "robustness_value": Word(message("robustness value"), "estimate", 3),
    "robustness_value_alpha": Word(message("robustness value, to lose significance"), "estimate", 3),
    "oster_delta": Word(message("Oster's delta"), "estimate", 2),
    "b": Word(message("the outcome at the start"), "text"),
}
