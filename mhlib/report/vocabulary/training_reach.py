"""Columns and terms of the training report: reach, certificates."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "certificate": Word(message("certificate"), "named"),
    "audit_step": Word(message("counted step by step"), "named"),
    "n_audit": Word(message("number"), "count", 0),
    "claimed": Word(message("claimed"), "plan", 0),
    "verdict_said": Word(message("verdict"), "said"),
    "on_day": Word(message("day"), "text"),
    "why_missing": Word(message("why without"), "named"),
    "share_of_all": Word(message("share of all in post"), "proportion"),
    "n_without": Word(message("schools without a holder"), "plan", 0),
    "n_pupils": Word(message("pupils"), "count", 0),
    "end_of_certificate": Word(message("what became of it"), "named"),
    "years": Word(message("years since issue"), "plan", 0),
    "scenario": Word(message("if"), "named"),
    "n_due": Word(message("certificates that run out in the term"), "count", 0),
}

CAUSES = {
    "renewed": message("renewed in time"),
    "lapsed": message("ran out"),
    "left": message("lost with the post"),
}

TERMS: dict[str, Word] = {
    **{f"certificate_{level}": Word(message("certificate {level}", level=level), "text") for level in "ABC"},
    "step_issued": Word(message("certificates issued by the day"), "text"),
    "step_further": Word(message("less: further certificates of one person"), "text"),
    "step_off_roster": Word(message("less: people not on the roster"), "text"),
    "step_left": Word(message("less: people who left before the day"), "text"),
    "step_not_yet": Word(message("less: people hired after the day"), "text"),
    "step_expired": Word(message("less: people in post whose certificate had run out"), "text"),
    "step_counted": Word(message("in post with a valid certificate"), "text"),
    "step_known": Word(message("people on the roster"), "text"),
    "step_known_left": Word(message("less: left before the day"), "text"),
    "step_known_ahead": Word(message("less: hired after the day"), "text"),
    "step_employed": Word(message("in post on the day"), "text"),
    "step_new": Word(message("of these hired since the last round of certificates"), "text"),
    "step_before": Word(message("of these in post at the last round"), "text"),
    "among_all": Word(message("of all in post"), "text"),
    "among_before": Word(message("of those in post at the last round already"), "text"),
    "coverage": Word(message("with a valid certificate"), "proportion"),
    "coverage_difference": Word(message("difference of the shares, group less all others"), "estimate", 3),
    "reach_role": Word(message("role"), "text"),
    "post_head": Word(message("class teachers"), "text"),
    "post_leader": Word(message("school leaders"), "text"),
    "post_psych_ft": Word(message("psychology teachers, full-time"), "text"),
    "post_psych_pt": Word(message("psychology teachers, part-time"), "text"),
    "post_subject": Word(message("subject teachers"), "text"),
    "post_psych": Word(message("psychology teachers"), "text"),
    "lacks_new": Word(message("never certified: hired since the last round"), "text"),
    "lacks_never": Word(message("never certified: in post at the last round"), "text"),
    "lacks_expired": Word(message("certificate ran out"), "text"),
    "share_of_missing": Word(message("share of those without"), "proportion"),
    "all_schools": Word(message("all schools"), "text"),
    "pupils_per_holder": Word(message("pupils for each holder in post"), "estimate", 0),
    "schools_without_holder": Word(message("schools without a holder in post"), "plan_share"),
    **{name: Word(words, "text") for name, words in CAUSES.items()},
    **{f"{name}_{level}": Word(message("{end}, certificate {level}", end=words, level=level), "text")
       for name, words in CAUSES.items() for level in "ABC"},
    "incidence": Word(message("share to whom it has come"), "proportion"),
    "renewed_share": Word(message("renewed in time, of those that came to their end"), "proportion"),
    "hazard_ratio": Word(message("ratio of hazards of leaving"), "estimate", 2),
    "holders": Word(message("holders of a valid certificate"), "count", 0),
    "renew_none": Word(message("nobody renews"), "text"),
    "renew_past": Word(message("renewals as in the past"), "text"),
    "renew_all": Word(message("everybody renews"), "text"),
}  # fmt: skip
