"""What did the programme change, by how much, and how surely?"""

from mhlib.stats.effects.adjusted_mean_grid import AdjustedMeans, adjusted_means, adjusted_slopes, compare_means
from mhlib.stats.effects.attrition_boundary import largest_difference
from mhlib.stats.effects.attrition_flow import AttritionResult, attrition, participant_flow
from mhlib.stats.effects.bounds_lee import LeeBoundsResult, lee_bounds
from mhlib.stats.effects.cost_benefit import CostEffectivenessResult, cost_effectiveness
from mhlib.stats.effects.effect_size_hedges import hedges_g, hedges_g_from_model, hedges_g_from_summary
from mhlib.stats.effects.effect_size_record import HedgesGResult
from mhlib.stats.effects.equivalence_tests import TostResult, cluster_tost, tost, tost_from_estimate
from mhlib.stats.effects.imputation_chains import ImputationResult, multiple_imputation
from mhlib.stats.effects.imputation_pool import PooledResult, pool
from mhlib.stats.effects.imputation_tipping import TippingPointResult, tipping_point
from mhlib.stats.effects.multiplicity_adjust import AdjustedPValuesResult, adjust_pvalues, romano_wolf
from mhlib.stats.effects.nested_contrasts import (
    ContrastResult,
    TermTests,
    fixed_contrasts,
    fixed_joint_test,
    term_tests,
)
from mhlib.stats.effects.nested_effects import GroupEffects, group_effects
from mhlib.stats.effects.nested_logit import RandomInterceptLogit, random_intercept_logit
from mhlib.stats.effects.nested_model import (
    NestedStatistics,
    multilevel,
    multilevel_from_statistics,
    multilevel_outcomes,
    nested_statistics,
)
from mhlib.stats.effects.nested_profile import VarianceProfile, variance_profile
from mhlib.stats.effects.nested_record import MultilevelOutcomes, MultilevelResult
from mhlib.stats.effects.permutation_schools import PermutationResult, school_permutation
from mhlib.stats.effects.plausibility_checks import (
    cluster_check,
    effect_size_check,
    effective_df_refusal,
    fit_checks,
    nesting_check,
    score_range_check,
    spread_checks,
    uncontrolled_positives_refusal,
)
from mhlib.stats.effects.pooled_schools import MetaAnalysisResult, meta_analysis
from mhlib.stats.effects.power_allocation import AllocationResult, allocation
from mhlib.stats.effects.power_schedule import detectable_effect_of_schedule, stepped_wedge, wait_list
from mhlib.stats.effects.power_trial import DetectableEffectResult, minimum_detectable_effect, schools_needed
from mhlib.stats.effects.regression_to_mean_normal import ExpectedFallResult, expected_fall
from mhlib.stats.effects.regression_to_mean_record import RegressionToMeanResult
from mhlib.stats.effects.regression_to_mean_rows import regression_to_mean, regression_to_mean_from_counts
from mhlib.stats.effects.reliable_outcomes import ReliableChangeResult, reliable_change, reliable_change_from_counts
from mhlib.stats.effects.reliable_thresholds import (
    JacobsonTruaxResult,
    RetestReliabilityResult,
    jacobson_truax,
    retest_reliability,
)
from mhlib.stats.effects.robust_contrasts import JointTestResult, RobustContrastResult, joint_test, robust_contrast
from mhlib.stats.effects.robust_estimands import EstimandsResult, compare_estimands
from mhlib.stats.effects.robust_fit import cluster_robust, cluster_robust_from_sums
from mhlib.stats.effects.robust_influence import ClusterInfluenceResult, cluster_influence
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_sums import ClusterSums
from mhlib.stats.effects.unmeasured_linear import RobustnessResult, partial_r2, robustness_value
from mhlib.stats.effects.unmeasured_ratio import EValueResult, e_value
from mhlib.stats.effects.unmeasured_selection import OsterResult, oster_delta, oster_from_covariance
from mhlib.stats.effects.wild_clusters import WildBootstrapResult, wild_cluster_bootstrap

__all__ = [
    "AdjustedMeans",
    "AdjustedPValuesResult",
    "AllocationResult",
    "AttritionResult",
    "ClusterInfluenceResult",
    "ClusterRobustResult",
    "ClusterSums",
    "ContrastResult",
    "CostEffectivenessResult",
    "DetectableEffectResult",
    "EValueResult",
    "EstimandsResult",
    "ExpectedFallResult",
    "GroupEffects",
    "HedgesGResult",
    "ImputationResult",
    "JacobsonTruaxResult",
    "JointTestResult",
    "LeeBoundsResult",
    "MetaAnalysisResult",
    "MultilevelOutcomes",
    "MultilevelResult",
    "NestedStatistics",
    "OsterResult",
    "PermutationResult",
    "PooledResult",
    "RandomInterceptLogit",
    "RegressionToMeanResult",
    "ReliableChangeResult",
    "RetestReliabilityResult",
    "RobustContrastResult",
    "RobustnessResult",
    "TermTests",
    "TippingPointResult",
    "TostResult",
    "VarianceProfile",
    "WildBootstrapResult",
    "adjust_pvalues",
    "adjusted_means",
    "adjusted_slopes",
    "allocation",
    "attrition",
    "cluster_check",
    "cluster_influence",
    "cluster_robust",
    "cluster_robust_from_sums",
    "cluster_tost",
    "compare_estimands",
    "compare_means",
    "cost_effectiveness",
    "detectable_effect_of_schedule",
    "e_value",
    "effect_size_check",
    "effective_df_refusal",
    "expected_fall",
    "fit_checks",
    "fixed_contrasts",
    "fixed_joint_test",
    "group_effects",
    "hedges_g",
    "hedges_g_from_model",
    "hedges_g_from_summary",
    "jacobson_truax",
    "joint_test",
    "largest_difference",
    "lee_bounds",
    "meta_analysis",
    "minimum_detectable_effect",
    "multilevel",
    "multilevel_from_statistics",
    "multilevel_outcomes",
    "multiple_imputation",
    "nested_statistics",
    "nesting_check",
    "oster_delta",
    "oster_from_covariance",
    "partial_r2",
    "participant_flow",
    "pool",
    "random_intercept_logit",
    "regression_to_mean",
    "regression_to_mean_from_counts",
    "reliable_change",
    "reliable_change_from_counts",
    "retest_reliability",
    "robust_contrast",
    "robustness_value",
    "romano_wolf",
    "school_permutation",
    "schools_needed",
    "score_range_check",
    "spread_checks",
    "stepped_wedge",
    "term_tests",
    "tipping_point",
    "tost",
    "tost_from_estimate",
    "uncontrolled_positives_refusal",
    "variance_profile",
    "wait_list",
    "wild_cluster_bootstrap",
]
