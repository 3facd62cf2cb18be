"""Columns and terms of the training report: workload, cost, verdict."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "school_term_said": Word(message("school term"), "said"),
    "case_price": Word(message("worth of one more case rightly named (yuan)"), "plan", 0),
    "level_said": Word(message("level"), "said"),
    "state_said": Word(message("finding"), "said"),
    "evidence_grade": Word(message("grade of the evidence (0 to 5)"), "plan", 0),
    "lowered_said": Word(message("what lowered it"), "said"),
}

TERMS: dict[str, Word] = {
    "burden_absence": Word(message("days absent a month"), "estimate", 2),
    "burden_overtime": Word(message("overtime hours a month"), "estimate", 1),
    "burden_leaving": Word(message("left since the first event"), "proportion", 2),
    "burden_absence_more": Word(message("days absent a month, more than the untrained"), "estimate", 2),
    "burden_overtime_more": Word(message("overtime hours a month, more than the untrained"), "estimate", 2),
    "burden_leaving_more": Word(message("share who left, more than of the untrained"), "estimate", 3),
    "dropout_never": Word(message("enrolled in no event"), "proportion", 2),
    "dropout_post": Word(message("enrolled, and not tested right after"), "proportion", 2),
    "dropout_later": Word(message("enrolled, and not tested later"), "proportion", 2),
    "dropout_early": Word(message("enrolled although they were to wait"), "proportion", 2),
    "supervised_once": Word(message("supervised at least once in the term"), "proportion", 2),
    "supervision_hours": Word(message("hours of supervision a psychology teacher"), "estimate", 1),
    "next_train": Word(message("still to be trained"), "proportion", 2),
    "next_test": Word(message("trained, and not tested later"), "proportion", 2),
    "next_supervise": Word(message("psychology teachers without supervision in the last whole term"), "proportion", 2),
    "cost_events": Word(message("events, in all (yuan)"), "money", 0),
    "cost_time": Word(message("teachers' hours at their wage, in all (yuan)"), "money", 0),
    "cost_stated": Word(message("stated a teacher, in all (yuan)"), "money", 0),
    "cost_all": Word(message("all costs (yuan)"), "money", 0),
    "cost_teacher": Word(message("cost a teacher allocated to the training (yuan)"), "money", 0),
    "cost_came": Word(message("cost a teacher enrolled (yuan)"), "money", 0),
    "hours_came": Word(message("hours of training a teacher enrolled"), "estimate", 1),
    "cost_certificate": Word(message("cost a year of certificate held since (yuan)"), "money", 0),
    "cost_year_so_far": Word(message("hours at their wage, a year held so far (yuan)"), "money", 0),
    "cost_year_whole": Word(message("hours at their wage, a year if held until expiry (yuan)"), "money", 0),
    "hours_certificate_B": Word(message("certificate B"), "text"),
    "hours_certificate_C": Word(message("certificate C"), "text"),
    "cases_gained": Word(message("cases rightly named beyond those without the training"), "estimate", 0),
    "cost_referral": Word(message("cost of one more case rightly named (yuan)"), "money", 0),
    "benefit_training": Word(message("net benefit of the training (yuan)"), "money", 0),
    "refresh_months": Word(message("months until the gain is down to the smallest that matters"), "estimate", 1),
    "decay_exponential": Word(message("loses the same share each month"), "text"),
    "decay_linear": Word(message("loses the same amount each month"), "text"),
}
