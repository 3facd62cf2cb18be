"""Does the questionnaire measure one thing, and how precisely?"""

from mhlib.stats.measurement.adequacy import (
    AdequacyResult,
    MapResult,
    sampling_adequacy,
    sampling_adequacy_from_correlation,
    velicer_map,
    velicer_map_from_correlation,
)
from mhlib.stats.measurement.cfa_indices import FitIndices
from mhlib.stats.measurement.cfa_model import CfaResult, cfa, cfa_from_covariance
from mhlib.stats.measurement.cfa_scores import factor_scores
from mhlib.stats.measurement.cfa_wlsmv import fit_wlsmv, fit_wlsmv_from_polychoric
from mhlib.stats.measurement.dif_items import dif, dif_from_counts
from mhlib.stats.measurement.dif_record import DifResult
from mhlib.stats.measurement.dif_shift import DifImpactResult, dif_impact
from mhlib.stats.measurement.efa_model import EfaResult, efa, efa_from_correlation
from mhlib.stats.measurement.graded_c2 import GradedFitResult, graded_fit
from mhlib.stats.measurement.graded_model import GradedResponseResult, graded_response, graded_response_from_counts
from mhlib.stats.measurement.graded_precision import PrecisionResult, measurement_precision
from mhlib.stats.measurement.icc_forms import IccResult, icc, icc_from_moments
from mhlib.stats.measurement.invariance_impact_points import InvarianceImpactResult, invariance_impact
from mhlib.stats.measurement.invariance_ladder import InvarianceResult, invariance, invariance_from_covariance
from mhlib.stats.measurement.invariance_ordinal import OrdinalInvarianceResult, invariance_wlsmv
from mhlib.stats.measurement.irt_dif import IrtDifResult, dif_likelihood_ratio
from mhlib.stats.measurement.irt_item_fit import ItemFitResult, item_fit
from mhlib.stats.measurement.irt_local_dependence import LocalDependenceResult, local_dependence
from mhlib.stats.measurement.irt_scores import ThetaScores, theta_scores
from mhlib.stats.measurement.items import ItemAnalysis, item_analysis
from mhlib.stats.measurement.one_factor import OmegaResult, omega, omega_from_covariance
from mhlib.stats.measurement.ordinal_alpha_value import OrdinalAlphaResult, ordinal_alpha
from mhlib.stats.measurement.ordinal_omega import OrdinalOmegaResult, categorical_omega
from mhlib.stats.measurement.ordinal_record import CfaOrdinalResult
from mhlib.stats.measurement.parallel_table import ParallelResult, parallel_analysis, parallel_analysis_from_correlation
from mhlib.stats.measurement.person_fit_lz import PersonFitResult, person_fit
from mhlib.stats.measurement.polychoric_correlation import (
    PolychoricResult,
    polychoric,
    polychoric_from_tables,
    polychoric_matrix,
)
from mhlib.stats.measurement.reliability import (
    AlphaResult,
    alpha_from_covariance,
    alpha_from_school_sums,
    cronbach_alpha,
)
from mhlib.stats.measurement.response_flags import FlagRules
from mhlib.stats.measurement.response_little import LittleTest
from mhlib.stats.measurement.response_missing import MissingAnswersResult, missing_answers
from mhlib.stats.measurement.response_table import ResponseQualityResult, response_quality
from mhlib.stats.measurement.retest_table import RetestResult, pair_occasions, retest, retest_from_moments
from mhlib.stats.measurement.schmid_leiman import (
    OmegaHierarchicalResult,
    omega_from_bifactor,
    omega_hierarchical,
    omega_hierarchical_from_covariance,
)
from mhlib.stats.measurement.school_sums import SchoolSums
from mhlib.stats.measurement.score_table import ScoreDescription, score_description, score_description_from_counts

__all__ = [
    "AdequacyResult",
    "AlphaResult",
    "CfaOrdinalResult",
    "CfaResult",
    "DifImpactResult",
    "DifResult",
    "EfaResult",
    "FitIndices",
    "FlagRules",
    "GradedFitResult",
    "GradedResponseResult",
    "IccResult",
    "InvarianceImpactResult",
    "InvarianceResult",
    "IrtDifResult",
    "ItemAnalysis",
    "ItemFitResult",
    "LittleTest",
    "LocalDependenceResult",
    "MapResult",
    "MissingAnswersResult",
    "OmegaHierarchicalResult",
    "OmegaResult",
    "OrdinalAlphaResult",
    "OrdinalInvarianceResult",
    "OrdinalOmegaResult",
    "ParallelResult",
    "PersonFitResult",
    "PolychoricResult",
    "PrecisionResult",
    "ResponseQualityResult",
    "RetestResult",
    "SchoolSums",
    "ScoreDescription",
    "ThetaScores",
    "alpha_from_covariance",
    "alpha_from_school_sums",
    "categorical_omega",
    "cfa",
    "cfa_from_covariance",
    "cronbach_alpha",
    "dif",
    "dif_from_counts",
    "dif_impact",
    "dif_likelihood_ratio",
    "efa",
    "efa_from_correlation",
    "factor_scores",
    "fit_wlsmv",
    "fit_wlsmv_from_polychoric",
    "graded_fit",
    "graded_response",
    "graded_response_from_counts",
    "icc",
    "icc_from_moments",
    "invariance",
    "invariance_from_covariance",
    "invariance_impact",
    "invariance_wlsmv",
    "item_analysis",
    "item_fit",
    "local_dependence",
    "measurement_precision",
    "missing_answers",
    "omega",
    "omega_from_bifactor",
    "omega_from_covariance",
    "omega_hierarchical",
    "omega_hierarchical_from_covariance",
    "ordinal_alpha",
    "pair_occasions",
    "parallel_analysis",
    "parallel_analysis_from_correlation",
    "person_fit",
    "polychoric",
    "polychoric_from_tables",
    "polychoric_matrix",
    "response_quality",
    "retest",
    "retest_from_moments",
    "sampling_adequacy",
    "sampling_adequacy_from_correlation",
    "score_description",
    "score_description_from_counts",
    "theta_scores",
    "velicer_map",
    "velicer_map_from_correlation",
]
