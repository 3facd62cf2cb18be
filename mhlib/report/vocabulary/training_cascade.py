"""Columns and terms of the training report: cascade, trainers."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "tier": Word(message("tier"), "named"),
    "n_trainers": Word(message("trainers"), "count"),
    "apart_from_first": Word(message("apart from the first tier (SD)"), "estimate", 2),
}

TERMS: dict[str, Word] = {
    "tier_city": Word(message("city tier"), "text"),
    "tier_town": Word(message("town tier"), "text"),
    "tier_school": Word(message("school tier"), "text"),
    "tier_class": Word(message("class tier"), "text"),
    "casc_unit": Word(message("errors by unit"), "text"),
    "casc_trainer": Word(message("errors by trainer"), "text"),
    "casc_both": Word(message("errors by unit and by trainer"), "text"),
    "casc_resampled": Word(message("units drawn again and again"), "text"),
    "casc_ancova": Word(message("adjusted for the first test, errors by unit (CR2)"), "text"),
    "casc_first_test": Word(message("first test"), "text"),
    "casc_service": Word(message("years of service"), "text"),
    "casc_town": Word(message("school in town"), "text"),
    "role_head": Word(message("class teacher"), "text"),
    "role_subject": Word(message("subject teacher"), "text"),
    "role_leader": Word(message("school leader"), "text"),
    "role_psych_ft": Word(message("full-time psychology teacher"), "text"),
    "role_psych_pt": Word(message("part-time psychology teacher"), "text"),
    "casc_trainer_group": Word(message("a trainer's group"), "text"),
    "casc_limit_95": Word(message("limits that 95% keep to"), "text"),
    "casc_limit_998": Word(message("limits that 99.8% keep to"), "text"),
    "casc_between": Word(message("between trainers' groups of one tier, beyond chance (SD)"), "estimate", 2),
    "casc_within": Word(message("between teachers of one group (SD)"), "estimate", 2),
    "casc_fidelity": Word(message("share of the manual kept to"), "estimate", 2),
    "casc_tenth": Word(message("gain with 10 percentage points more of the manual kept to (SD)"), "estimate", 2),
}
