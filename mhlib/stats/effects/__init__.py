"""What did the programme change, by how much, and how surely?"""

from mhlib.stats.effects.adjusted_mean_grid import AdjustedMeans, adjusted_means, adjusted_slopes, compare_means
from mhlib.stats.effects.effect_size_hedges import hedges_g, hedges_g_from_model, hedges_g_from_summary
from mhlib.stats.effects.effect_size_record import HedgesGResult
from mhlib.stats.effects.equivalence_tests import TostResult, cluster_tost, tost, tost_from_estimate
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
from mhlib.stats.effects.robust_contrasts import JointTestResult, RobustContrastResult, joint_test, robust_contrast
from mhlib.stats.effects.robust_estimands import EstimandsResult, compare_estimands
from mhlib.stats.effects.robust_fit import cluster_robust, cluster_robust_from_sums
from mhlib.stats.effects.robust_influence import ClusterInfluenceResult, cluster_influence
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_sums import ClusterSums
from mhlib.stats.effects.wild_clusters import WildBootstrapResult, wild_cluster_bootstrap

__all__ = [
    "AdjustedMeans",
    "AdjustedPValuesResult",
    "ClusterInfluenceResult",
    "ClusterRobustResult",
    "ClusterSums",
    "ContrastResult",
    "EstimandsResult",
    "GroupEffects",
    "HedgesGResult",
    "JointTestResult",
    "MultilevelOutcomes",
    "MultilevelResult",
    "NestedStatistics",
    "PermutationResult",
    "RandomInterceptLogit",
    "RobustContrastResult",
    "TermTests",
    "TostResult",
    "VarianceProfile",
    "WildBootstrapResult",
    "adjust_pvalues",
    "adjusted_means",
    "adjusted_slopes",
    "cluster_influence",
    "cluster_robust",
    "cluster_robust_from_sums",
    "cluster_tost",
    "compare_estimands",
    "compare_means",
    "fixed_contrasts",
    "fixed_joint_test",
    "group_effects",
    "hedges_g",
    "hedges_g_from_model",
    "hedges_g_from_summary",
    "joint_test",
    "multilevel",
    "multilevel_from_statistics",
    "multilevel_outcomes",
    "nested_statistics",
    "random_intercept_logit",
    "robust_contrast",
    "romano_wolf",
    "school_permutation",
    "term_tests",
    "tost",
    "tost_from_estimate",
    "variance_profile",
    "wild_cluster_bootstrap",
]
