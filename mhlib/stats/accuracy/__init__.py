"""How well a screen tells cases from non-cases, and what may be said when few were verified."""

from mhlib.stats.accuracy.agreement_tables import CohenKappa, cohen_kappa, cohen_kappa_from_table
from mhlib.stats.accuracy.auc_design import AucSampleSize, auc_sample_size, hanley_mcneil_std_error
from mhlib.stats.accuracy.auc_table import AucIntervals, auc_intervals
from mhlib.stats.accuracy.bootstrap_curve import bootstrap_roc, bootstrap_roc_from_counts
from mhlib.stats.accuracy.calibration_of_risk import (
    Calibration,
    calibration,
    calibration_events_check,
    calibration_from_counts,
    calibration_refusal,
)
from mhlib.stats.accuracy.carried import CarriedValues, predictive_values_at
from mhlib.stats.accuracy.circularity import circular_criterion_refusal
from mhlib.stats.accuracy.comparison import RocComparison, compare_roc, compare_roc_independent
from mhlib.stats.accuracy.cutoff_choice import CutoffsResult, cutoffs
from mhlib.stats.accuracy.cutoff_overview import CutoffChoice, CutoffStudioResult, cutoff_studio
from mhlib.stats.accuracy.decision_curves import (
    DecisionCurve,
    decision_curve,
    decision_curve_from_counts,
    decision_optimism_check,
)
from mhlib.stats.accuracy.imperfect_reference import RoganGladen, rogan_gladen, rogan_gladen_check
from mhlib.stats.accuracy.latent_class_model import LatentClass, latent_class, latent_class_from_tables
from mhlib.stats.accuracy.paired_tests import PairedComparison, compare_tests, compare_tests_from_counts
from mhlib.stats.accuracy.partial_area import PartialRocResult, partial_roc, partial_roc_from_counts
from mhlib.stats.accuracy.reference_error_grid import ReferenceError, reference_error, reference_error_from_counts
from mhlib.stats.accuracy.refusals import (
    bands_check,
    corrected_refusal,
    false_negatives_check,
    few_clusters_refusal,
    naive_accuracy_refusal,
    predictive_values_refusal,
)
from mhlib.stats.accuracy.risk_model import RiskModel, risk_of_score
from mhlib.stats.accuracy.roc_curve import RocResult, roc, roc_from_counts
from mhlib.stats.accuracy.screening_stages import NetAccuracy, ScreeningStage, net_accuracy
from mhlib.stats.accuracy.subgroup_cutoffs import SubgroupCutoffs, cutoffs_by_group
from mhlib.stats.accuracy.subgroup_table import SubgroupAccuracy, subgroup_accuracy, subgroup_accuracy_from_counts
from mhlib.stats.accuracy.two_by_two_table import TwoByTwo, two_by_two, two_by_two_from_rows
from mhlib.stats.accuracy.verification import verification_corrected, verification_corrected_from_counts
from mhlib.stats.accuracy.verification_counts import VerificationCounts, verification_counts
from mhlib.stats.accuracy.verification_dependence import (
    VerificationSensitivity,
    verification_sensitivity,
    verification_sensitivity_from_counts,
)
from mhlib.stats.accuracy.verification_nonignorable import NonignorableVerification, nonignorable_verification
from mhlib.stats.accuracy.verification_plan_table import (
    VerificationPlan,
    allocate_verification,
    draw_verification_sample,
    verification_plan,
)
from mhlib.stats.accuracy.verification_record import VerificationCorrected
from mhlib.stats.accuracy.verification_roc import verification_corrected_roc
from mhlib.stats.accuracy.verification_roc_imputation import verification_imputed_roc
from mhlib.stats.accuracy.vignette_confidence import ConfidenceCalibrationResult, confidence_calibration
from mhlib.stats.accuracy.vignette_signal import (
    VignetteDetectionResult,
    vignette_detection,
    vignette_detection_from_counts,
)
from mhlib.stats.accuracy.yield_of_screening import ScreeningYield, screening_yield

__all__ = [
    "AucIntervals",
    "AucSampleSize",
    "Calibration",
    "CarriedValues",
    "CohenKappa",
    "ConfidenceCalibrationResult",
    "CutoffChoice",
    "CutoffStudioResult",
    "CutoffsResult",
    "DecisionCurve",
    "LatentClass",
    "NetAccuracy",
    "NonignorableVerification",
    "PairedComparison",
    "PartialRocResult",
    "ReferenceError",
    "RiskModel",
    "RocComparison",
    "RocResult",
    "RoganGladen",
    "ScreeningStage",
    "ScreeningYield",
    "SubgroupAccuracy",
    "SubgroupCutoffs",
    "TwoByTwo",
    "VerificationCorrected",
    "VerificationCounts",
    "VerificationPlan",
    "VerificationSensitivity",
    "VignetteDetectionResult",
    "allocate_verification",
    "auc_intervals",
    "auc_sample_size",
    "bands_check",
    "bootstrap_roc",
    "bootstrap_roc_from_counts",
    "calibration",
    "calibration_events_check",
    "calibration_from_counts",
    "calibration_refusal",
    "circular_criterion_refusal",
    "cohen_kappa",
    "cohen_kappa_from_table",
    "compare_roc",
    "compare_roc_independent",
    "compare_tests",
    "compare_tests_from_counts",
    "confidence_calibration",
    "corrected_refusal",
    "cutoff_studio",
    "cutoffs",
    "cutoffs_by_group",
    "decision_curve",
    "decision_curve_from_counts",
    "decision_optimism_check",
    "draw_verification_sample",
    "false_negatives_check",
    "few_clusters_refusal",
    "hanley_mcneil_std_error",
    "latent_class",
    "latent_class_from_tables",
    "naive_accuracy_refusal",
    "net_accuracy",
    "nonignorable_verification",
    "partial_roc",
    "partial_roc_from_counts",
    "predictive_values_at",
    "predictive_values_refusal",
    "reference_error",
    "reference_error_from_counts",
    "risk_of_score",
    "roc",
    "roc_from_counts",
    "rogan_gladen",
    "rogan_gladen_check",
    "screening_yield",
    "subgroup_accuracy",
    "subgroup_accuracy_from_counts",
    "two_by_two",
    "two_by_two_from_rows",
    "verification_corrected",
    "verification_corrected_from_counts",
    "verification_corrected_roc",
    "verification_counts",
    "verification_imputed_roc",
    "verification_plan",
    "verification_sensitivity",
    "verification_sensitivity_from_counts",
    "vignette_detection",
    "vignette_detection_from_counts",
]
