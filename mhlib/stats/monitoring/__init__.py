"""How many, where and when: shares and rates of a city that is watched over time."""

from mhlib.stats.monitoring.hazard_incidence import CumulativeIncidenceResult, cumulative_incidence
from mhlib.stats.monitoring.hazard_regression import HazardRegressionResult, cause_specific_hazard
from mhlib.stats.monitoring.proportions import ProportionResult, proportion
from mhlib.stats.monitoring.stock_projection import StaffingProjectionResult, staffing_projection

__all__ = [
    "CumulativeIncidenceResult",
    "HazardRegressionResult",
    "ProportionResult",
    "StaffingProjectionResult",
    "cause_specific_hazard",
    "cumulative_incidence",
    "proportion",
    "staffing_projection",
]
