"""Columns and terms of the training report: vignettes, confidence."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {
    "kind_shown": Word(message("kind of vignette"), "named"),
    "right_answer": Word(message("right answer"), "named"),
    "referred_share": Word(message("would refer"), "proportion"),
    "not_referred_share": Word(message("would not refer"), "proportion"),
    "quadrant": Word(message("corner"), "named"),
    "easier_after": Word(message("easier after at an equal total (share right)"), "estimate", 3),
}

TERMS: dict[str, Word] = {
    "internalising": Word(message("internalising distress"), "text"),
    "self_harm": Word(message("self-harm"), "text"),
    "normal_distress": Word(message("normal distress"), "text"),
    "kind_all_cases": Word(message("all in need of referral"), "text"),
    "kind_all_others": Word(message("all without need"), "text"),
    "answer_refer": Word(message("refer"), "text"),
    "answer_not": Word(message("do not refer"), "text"),
    "over_referral": Word(message("over-referral"), "proportion"),
    "under_referral": Word(message("under-referral"), "proportion"),
    "d_prime": Word(message("telling apart (d')"), "estimate", 2),
    "criterion": Word(message("leaning (criterion; below 0 refers readily)"), "estimate", 2),
    "gained_d_prime": Word(message("telling apart (d'), more than the others"), "estimate", 2),
    "gained_criterion": Word(message("leaning (criterion), more than the others"), "estimate", 2),
    "judged_auc": Word(message("area under the curve of rated judgements"), "estimate", 3),
    "right_of_all": Word(message("share of vignettes judged rightly"), "proportion"),
    "talk_icc": Word(message("agreement on points (intraclass, absolute, one rater)"), "estimate", 2),
    "talk_kappa": Word(message("agreement on critical errors beyond chance (kappa)"), "estimate", 2),
    "talk_same": Word(message("same judgement of critical errors"), "proportion"),
    "talk_points": Word(message("points of the talk"), "estimate", 2),
    "gained_talk_points": Word(message("points of the talk, trained less the others"), "estimate", 2),
    "gained_critical_either": Word(
        message("critical errors, trained less the others (percentage points)"), "estimate", 1
    ),
    "critical_first": Word(message("critical error, first rater"), "proportion"),
    "critical_second": Word(message("critical error, second rater"), "proportion"),
    "critical_either": Word(message("critical error, one rater at least"), "proportion"),
    "critical_both": Word(message("critical error, both raters"), "proportion"),
    "by_vignettes": Word(message("how sure of each judgement, against judgements right"), "text"),
    "by_scale": Word(message("scale of confidence, against vignettes judged rightly"), "text"),
    "confidence_slope": Word(message("slope of competence on confidence (1 is perfect)"), "estimate", 2),
    "confidence_bias": Word(message("confidence less competence (0 is none; above is over-confident)"), "estimate", 3),
    "confidence_over": Word(message("sure and not able"), "proportion"),
    "quadrant_over": Word(message("sure and not able (over-confident)"), "text"),
    "quadrant_able_sure": Word(message("sure and able"), "text"),
    "quadrant_able_unsure": Word(message("able and not sure"), "text"),
    "quadrant_unsure": Word(message("not sure and not able"), "text"),
}
