"""The names that may appear in a report: machine name to header, kind and digits. What is not here is not shown."""

from __future__ import annotations

from dataclasses import dataclass

from mhlib.findings import Message, message


@dataclass(frozen=True, slots=True)
class Word:
    """A column or term: its words, its kind for the gate, and its digits."""

    words: Message
    kind: str = "estimate"
    digits: int = 2


COLUMNS = {
    "group": Word(message("scale or setting"), "text"),
    "term": Word(message("quantity"), "text"),
    "item": Word(message("item"), "text"),
    "estimate": Word(message("estimate"), "by_term"),
    "std_error": Word(message("standard error"), "by_term"),
    "conf_low": Word(message("lower limit"), "by_term"),
    "conf_high": Word(message("upper limit"), "by_term"),
    "p_value": Word(message("p value"), "p_value", 3),
    "numerator": Word(message("count"), "count"),
    "denominator": Word(message("out of"), "count"),
    "n": Word(message("people"), "count"),
    "n_used": Word(message("people used"), "count"),
    "n_excluded": Word(message("people left out"), "count"),
    "n_case": Word(message("cases"), "count"),
    "n_noncase": Word(message("non-cases"), "count"),
    "n_people": Word(message("screen-negatives"), "count"),
    "referrals": Word(message("screen-positives"), "count"),
    "n_items": Word(message("items"), "plan", 0),
    "mean": Word(message("mean (points)"), "estimate", 2),
    "sd": Word(message("SD (points)"), "estimate", 2),
    "floor": Word(message("at the lowest answer"), "proportion"),
    "ceiling": Word(message("at the highest answer"), "proportion"),
    "missing": Word(message("left out"), "proportion"),
    "item_rest": Word(message("correlation with the rest"), "estimate", 2),
    "alpha_if_deleted": Word(message("alpha without it"), "estimate", 3),
    "cutoff": Word(message("cut-off (points)"), "plan", 0),
    "band": Word(message("score (points)"), "text"),
    "n_sample": Word(message("interviews to hold"), "plan", 0),
    "n_negative_verified": Word(message("screen-negatives interviewed"), "plan", 0),
    "expected_missed_cases": Word(message("missed cases to expect"), "plan", 0),
    "probability": Word(message("chance of being drawn"), "plan_share", 4),
    "referral_share": Word(message("share of screen-positives"), "proportion"),
    "sensitivity": Word(message("sensitivity"), "proportion"),
    "specificity": Word(message("specificity"), "proportion"),
    "width": Word(message("width of the interval"), "proportion"),
    "column": Word(message("column"), "text"),
    "kind": Word(message("kind"), "said"),
    "range": Word(message("range"), "text"),
    "meaning": Word(message("meaning"), "said"),
    "parameter": Word(message("parameter"), "text"),
    "value": Word(message("value"), "plan", 3),
    "unit": Word(message("unit"), "text"),
    "source": Word(message("source"), "text"),
    "is_assumption": Word(message("assumed?"), "flag"),
    "passed": Word(message("held?"), "flag"),
    "check": Word(message("check"), "text"),
    "detail": Word(message("finding"), "text"),
    "step": Word(message("step"), "text"),
}

TERMS = {
    "alpha": Word(message("Cronbach's alpha"), "estimate", 3),
    "omega": Word(message("omega (one factor)"), "estimate", 3),
    "auc": Word(message("area under the ROC curve"), "estimate", 3),
    "sensitivity": Word(message("sensitivity"), "proportion"),
    "specificity": Word(message("specificity"), "proportion"),
    "ppv": Word(message("positive predictive value"), "proportion"),
    "npv": Word(message("negative predictive value"), "proportion"),
    "accuracy": Word(message("share classified rightly"), "proportion"),
    "prevalence": Word(message("prevalence of cases"), "proportion"),
    "apparent_prevalence": Word(message("share of screen-positives"), "proportion"),
    "proportion": Word(message("share of screen-positives"), "proportion"),
    "youden": Word(message("Youden's index"), "estimate", 2),
    "lr_positive": Word(message("likelihood ratio, positive"), "estimate", 2),
    "lr_negative": Word(message("likelihood ratio, negative"), "estimate", 3),
    "dor": Word(message("diagnostic odds ratio"), "estimate", 1),
    "naive": Word(message("those interviewed"), "text"),
    "corrected": Word(message("everyone screened"), "text"),
    "total": Word(message("total score"), "text"),
    "depression": Word(message("depression"), "text"),
    "anxiety": Word(message("anxiety"), "text"),
    "stress": Word(message("stress"), "text"),
}

KINDS_OF_COLUMN = (message("text"), message("integer"), message("number"), message("flag"), message("date"))

AUDIENCES = {
    "public": message("for the public"),
    "closed": message("for the bureau only"),
    "open_data": message("published data, exact counts"),
}
