"""What did the programme change, by how much, and how surely?"""

from mhlib.stats.effects.adjusted_mean_grid import AdjustedMeans, adjusted_means, adjusted_slopes, compare_means
from mhlib.stats.effects.ancova_lord import LordCheck
from mhlib.stats.effects.ancova_model import ancova
from mhlib.stats.effects.ancova_record import AncovaResult
from mhlib.stats.effects.attrition_boundary import largest_difference
from mhlib.stats.effects.attrition_flow import AttritionResult, attrition, participant_flow
from mhlib.stats.effects.balance_table import BalanceResult, baseline_balance
from mhlib.stats.effects.bounds_lee import LeeBoundsResult, lee_bounds
from mhlib.stats.effects.cascade_gains import composition_differences
from mhlib.stats.effects.cascade_share import CascadeResult, cascade_from_rows, cascade_product
from mhlib.stats.effects.complier_dose import dose_response
from mhlib.stats.effects.complier_iv import complier_effect
from mhlib.stats.effects.complier_record import ComplierResult, DoseResponseResult
from mhlib.stats.effects.cost_benefit import CostEffectivenessResult, cost_effectiveness
from mhlib.stats.effects.did_record import DidResult, StaggeredResult, TwoWayResult
from mhlib.stats.effects.did_rollout import did_staggered
from mhlib.stats.effects.did_two_groups import did
from mhlib.stats.effects.discontinuity_checks import rdd_checks
from mhlib.stats.effects.discontinuity_density import DensityResult, HeapingResult, density_at_cutoff, heaping
from mhlib.stats.effects.discontinuity_fit import rdd
from mhlib.stats.effects.discontinuity_ladders import (
    DiscontinuityVariants,
    bandwidth_ladder,
    covariate_jumps,
    donut,
    placebo_cutoffs,
)
from mhlib.stats.effects.discontinuity_record import RddResult
from mhlib.stats.effects.effect_size_glass import GlassDeltaResult, glass_delta, glass_delta_from_summary
from mhlib.stats.effects.effect_size_hedges import hedges_g, hedges_g_from_model, hedges_g_from_summary
from mhlib.stats.effects.effect_size_record import HedgesGResult
from mhlib.stats.effects.equivalence_tests import TostResult, cluster_tost, tost, tost_from_estimate
from mhlib.stats.effects.event_honest import HonestBound
from mhlib.stats.effects.event_leads import event_study
from mhlib.stats.effects.event_record import EventStudyResult, PreTrendPower
from mhlib.stats.effects.imputation_chains import ImputationResult, multiple_imputation
from mhlib.stats.effects.imputation_pool import PooledResult, pool
from mhlib.stats.effects.imputation_tipping import TippingPointResult, tipping_point
from mhlib.stats.effects.mixed_robust import mixed_cluster_robust
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
from mhlib.stats.effects.retention_anova import MixedAnovaResult, mixed_anova_complete, people_dropped
from mhlib.stats.effects.retention_decay import DecayResult, decay_refresher_interval
from mhlib.stats.effects.retention_guessing import GuessingCorrectedResult, guessing_corrected
from mhlib.stats.effects.retention_ratio_interval import (
    RetentionRatioResult,
    retention_ratio,
    retention_ratio_from_model,
)
from mhlib.stats.effects.robust_contrasts import JointTestResult, RobustContrastResult, joint_test, robust_contrast
from mhlib.stats.effects.robust_estimands import EstimandsResult, compare_estimands
from mhlib.stats.effects.robust_fit import cluster_robust, cluster_robust_from_sums
from mhlib.stats.effects.robust_influence import ClusterInfluenceResult, cluster_influence
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_sums import ClusterSums
from mhlib.stats.effects.series_record import InterruptedSeriesResult
from mhlib.stats.effects.series_segmented import interrupted_time_series
from mhlib.stats.effects.slopes_model import RandomSlopeResult, random_slope
from mhlib.stats.effects.unmeasured_linear import RobustnessResult, partial_r2, robustness_value
from mhlib.stats.effects.unmeasured_ratio import EValueResult, e_value
from mhlib.stats.effects.unmeasured_selection import OsterResult, oster_delta, oster_from_covariance
from mhlib.stats.effects.waves_unstructured import UnstructuredWavesResult, unstructured_waves, wave_contrasts
from mhlib.stats.effects.wedge_rollout import SteppedWedgeResult, stepped_wedge_effect
from mhlib.stats.effects.weights_balancing import (
    entropy_balancing,
    inverse_probability_weights,
    overlap_weights,
    propensity,
)
from mhlib.stats.effects.weights_difference import weighted_effect
from mhlib.stats.effects.weights_record import PropensityResult, WeightedEffectResult, WeightsResult
from mhlib.stats.effects.wild_clusters import WildBootstrapResult, wild_cluster_bootstrap

__all__ = [
    "AdjustedMeans",
    "AdjustedPValuesResult",
    "AllocationResult",
    "AncovaResult",
    "AttritionResult",
    "BalanceResult",
    "CascadeResult",
    "ClusterInfluenceResult",
    "ClusterRobustResult",
    "ClusterSums",
    "ComplierResult",
    "ContrastResult",
    "CostEffectivenessResult",
    "DecayResult",
    "DensityResult",
    "DetectableEffectResult",
    "DidResult",
    "DiscontinuityVariants",
    "DoseResponseResult",
    "EValueResult",
    "EstimandsResult",
    "EventStudyResult",
    "ExpectedFallResult",
    "GlassDeltaResult",
    "GroupEffects",
    "GuessingCorrectedResult",
    "HeapingResult",
    "HedgesGResult",
    "HonestBound",
    "ImputationResult",
    "InterruptedSeriesResult",
    "JacobsonTruaxResult",
    "JointTestResult",
    "LeeBoundsResult",
    "LordCheck",
    "MetaAnalysisResult",
    "MixedAnovaResult",
    "MultilevelOutcomes",
    "MultilevelResult",
    "NestedStatistics",
    "OsterResult",
    "PermutationResult",
    "PooledResult",
    "PreTrendPower",
    "PropensityResult",
    "RandomInterceptLogit",
    "RandomSlopeResult",
    "RddResult",
    "RegressionToMeanResult",
    "ReliableChangeResult",
    "RetentionRatioResult",
    "RetestReliabilityResult",
    "RobustContrastResult",
    "RobustnessResult",
    "StaggeredResult",
    "SteppedWedgeResult",
    "TermTests",
    "TippingPointResult",
    "TostResult",
    "TwoWayResult",
    "UnstructuredWavesResult",
    "VarianceProfile",
    "WeightedEffectResult",
    "WeightsResult",
    "WildBootstrapResult",
    "adjust_pvalues",
    "adjusted_means",
    "adjusted_slopes",
    "allocation",
    "ancova",
    "attrition",
    "bandwidth_ladder",
    "baseline_balance",
    "cascade_from_rows",
    "cascade_product",
    "cluster_check",
    "cluster_influence",
    "cluster_robust",
    "cluster_robust_from_sums",
    "cluster_tost",
    "compare_estimands",
    "compare_means",
    "complier_effect",
    "composition_differences",
    "cost_effectiveness",
    "covariate_jumps",
    "decay_refresher_interval",
    "density_at_cutoff",
    "detectable_effect_of_schedule",
    "did",
    "did_staggered",
    "donut",
    "dose_response",
    "e_value",
    "effect_size_check",
    "effective_df_refusal",
    "entropy_balancing",
    "event_study",
    "expected_fall",
    "fit_checks",
    "fixed_contrasts",
    "fixed_joint_test",
    "glass_delta",
    "glass_delta_from_summary",
    "group_effects",
    "guessing_corrected",
    "heaping",
    "hedges_g",
    "hedges_g_from_model",
    "hedges_g_from_summary",
    "interrupted_time_series",
    "inverse_probability_weights",
    "jacobson_truax",
    "joint_test",
    "largest_difference",
    "lee_bounds",
    "meta_analysis",
    "minimum_detectable_effect",
    "mixed_anova_complete",
    "mixed_cluster_robust",
    "multilevel",
    "multilevel_from_statistics",
    "multilevel_outcomes",
    "multiple_imputation",
    "nested_statistics",
    "nesting_check",
    "oster_delta",
    "oster_from_covariance",
    "overlap_weights",
    "partial_r2",
    "participant_flow",
    "people_dropped",
    "placebo_cutoffs",
    "pool",
    "propensity",
    "random_intercept_logit",
    "random_slope",
    "rdd",
    "rdd_checks",
    "regression_to_mean",
    "regression_to_mean_from_counts",
    "reliable_change",
    "reliable_change_from_counts",
    "retention_ratio",
    "retention_ratio_from_model",
    "retest_reliability",
    "robust_contrast",
    "robustness_value",
    "romano_wolf",
    "school_permutation",
    "schools_needed",
    "score_range_check",
    "spread_checks",
    "stepped_wedge",
    "stepped_wedge_effect",
    "term_tests",
    "tipping_point",
    "tost",
    "tost_from_estimate",
    "uncontrolled_positives_refusal",
    "unstructured_waves",
    "variance_profile",
    "wait_list",
    "wave_contrasts",
    "weighted_effect",
    "wild_cluster_bootstrap",
]
