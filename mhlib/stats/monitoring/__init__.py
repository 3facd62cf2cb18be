"""How many, where and when: shares and rates of a city that is watched over time."""

from mhlib.stats.monitoring.proportions import ProportionResult, proportion

__all__ = ["ProportionResult", "proportion"]
