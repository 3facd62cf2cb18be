"""Does the questionnaire measure one thing, and how precisely?"""

from mhlib.stats.measurement.adequacy import (
    AdequacyResult,
    MapResult,
    sampling_adequacy,
    sampling_adequacy_from_correlation,
    velicer_map,
    velicer_map_from_correlation,
)
from mhlib.stats.measurement.dif_items import dif, dif_from_counts
from mhlib.stats.measurement.dif_record import DifResult
from mhlib.stats.measurement.dif_shift import DifImpactResult, dif_impact
from mhlib.stats.measurement.efa_model import EfaResult, efa, efa_from_correlation
from mhlib.stats.measurement.icc_forms import IccResult, icc, icc_from_moments
from mhlib.stats.measurement.items import ItemAnalysis, item_analysis
from mhlib.stats.measurement.one_factor import OmegaResult, omega, omega_from_covariance
from mhlib.stats.measurement.parallel_table import ParallelResult, parallel_analysis, parallel_analysis_from_correlation
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
    "DifImpactResult",
    "DifResult",
    "EfaResult",
    "FlagRules",
    "IccResult",
    "ItemAnalysis",
    "LittleTest",
    "MapResult",
    "MissingAnswersResult",
    "OmegaHierarchicalResult",
    "OmegaResult",
    "ParallelResult",
    "ResponseQualityResult",
    "RetestResult",
    "SchoolSums",
    "ScoreDescription",
    "alpha_from_covariance",
    "alpha_from_school_sums",
    "cronbach_alpha",
    "dif",
    "dif_from_counts",
    "dif_impact",
    "efa",
    "efa_from_correlation",
    "icc",
    "icc_from_moments",
    "item_analysis",
    "missing_answers",
    "omega",
    "omega_from_bifactor",
    "omega_from_covariance",
    "omega_hierarchical",
    "omega_hierarchical_from_covariance",
    "pair_occasions",
    "parallel_analysis",
    "parallel_analysis_from_correlation",
    "response_quality",
    "retest",
    "retest_from_moments",
    "sampling_adequacy",
    "sampling_adequacy_from_correlation",
    "score_description",
    "score_description_from_counts",
    "velicer_map",
    "velicer_map_from_correlation",
]
