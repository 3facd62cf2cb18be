"""Does the questionnaire measure one thing, and how precisely?"""

from mhlib.stats.measurement.items import ItemAnalysis, item_analysis
from mhlib.stats.measurement.one_factor import OmegaResult, omega, omega_from_covariance
from mhlib.stats.measurement.reliability import AlphaResult, alpha_from_covariance, cronbach_alpha

__all__ = [
    "AlphaResult",
    "ItemAnalysis",
    "OmegaResult",
    "alpha_from_covariance",
    "cronbach_alpha",
    "item_analysis",
    "omega",
    "omega_from_covariance",
]
