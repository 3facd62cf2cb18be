"""How well a screen tells cases from non-cases, and what may be said when few were verified."""

from mhlib.stats.accuracy.carried import CarriedValues, predictive_values_at
from mhlib.stats.accuracy.comparison import RocComparison, compare_roc, compare_roc_independent
from mhlib.stats.accuracy.cutoff_choice import CutoffsResult, cutoffs
from mhlib.stats.accuracy.imperfect_reference import RoganGladen, rogan_gladen
from mhlib.stats.accuracy.refusals import (
    circular_criterion_refusal,
    corrected_refusal,
    false_negatives_check,
    few_clusters_refusal,
    naive_accuracy_refusal,
)
from mhlib.stats.accuracy.roc_curve import RocResult, roc, roc_from_counts
from mhlib.stats.accuracy.two_by_two_table import TwoByTwo, two_by_two, two_by_two_from_rows
from mhlib.stats.accuracy.verification import (
    VerificationCorrected,
    verification_corrected,
    verification_corrected_from_counts,
)
from mhlib.stats.accuracy.verification_counts import VerificationCounts, verification_counts
from mhlib.stats.accuracy.verification_plan_table import (
    VerificationPlan,
    allocate_verification,
    draw_verification_sample,
    verification_plan,
)
from mhlib.stats.accuracy.verification_roc import verification_corrected_roc

__all__ = [
    "CarriedValues",
    "CutoffsResult",
    "RocComparison",
    "RocResult",
    "RoganGladen",
    "TwoByTwo",
    "VerificationCorrected",
    "VerificationCounts",
    "VerificationPlan",
    "allocate_verification",
    "circular_criterion_refusal",
    "compare_roc",
    "compare_roc_independent",
    "corrected_refusal",
    "cutoffs",
    "draw_verification_sample",
    "false_negatives_check",
    "few_clusters_refusal",
    "naive_accuracy_refusal",
    "predictive_values_at",
    "roc",
    "roc_from_counts",
    "rogan_gladen",
    "two_by_two",
    "two_by_two_from_rows",
    "verification_corrected",
    "verification_corrected_from_counts",
    "verification_corrected_roc",
    "verification_counts",
    "verification_plan",
]
