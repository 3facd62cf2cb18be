"""By which rule a cut-off is chosen, for one table or for thousands of resampled ones at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import ParamsError
from mhlib.stats import inputs

CRITERIA = ("youden", "cost", "sensitivity", "specificity", "capacity")
# Equal up to rounding: sums of the same counts in another order must still be seen as ties.
SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Rule:
    """A criterion with what it needs; capacity as a share of those screened."""

    criterion: str
    target: float | None = None
    cost_ratio: float | None = None
    prevalence: float | None = None
    capacity_share: float | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """What every cut-off does in each of b tables, arrays of shape (b, levels) from the lowest cut to the highest."""

    sensitivity: np.ndarray
    specificity: np.ndarray
    referral_share: np.ndarray
    prevalence: np.ndarray

    @property
    def youden(self) -> np.ndarray:
        """Sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1


def curves_of(noncase: np.ndarray, case: np.ndarray, screened: np.ndarray) -> Curves:
    """Sensitivity, specificity and referrals at every cut from sums by rising level; NaN where a side is empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        above = [np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (noncase, case, screened)]
        alarms, hits, share = (part / part[:, :1] for part in above)
        prevalence = above[1][:, 0] / (above[0][:, 0] + above[1][:, 0])
    return Curves(hits, 1 - alarms, share, prevalence)


def best(curves: Curves, rule: Rule) -> np.ndarray:
    """Which cut-offs meet the criterion best, bool of shape (b, levels); a row without any when none does."""
    goal, allowed = goals(curves, rule)
    mask = largest(goal, allowed)
    # Of two cuts with one specificity the more sensitive is better without a price, and the other way round.
    if rule.criterion == "sensitivity":
        return largest(curves.sensitivity, mask)
    if rule.criterion == "specificity":
        return largest(curves.specificity, mask)
    return mask


def largest(goal: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Where each row of `goal` is largest among those allowed."""
    allowed = allowed & np.isfinite(goal)
    most = np.where(allowed, goal, -np.inf).max(axis=1, keepdims=True)
    return allowed & (goal >= most - SLACK)


def goals(curves: Curves, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """What is to be large, and where it may be sought, each of shape (b, levels)."""
    everywhere = np.ones(curves.referral_share.shape, dtype=bool)
    if rule.criterion == "youden":
        return curves.youden, everywhere
    if rule.criterion == "cost":
        rate = curves.prevalence[:, None] if rule.prevalence is None else rule.prevalence
        cost = costs(curves, rate, rule.cost_ratio)
        # Referring nobody misses every case; a cut-off that costs more is no choice.
        return -cost, cost <= rule.cost_ratio * rate + SLACK
    if rule.criterion == "sensitivity":
        return curves.specificity, curves.sensitivity >= rule.target - SLACK
    if rule.criterion == "specificity":
        return curves.sensitivity, curves.specificity >= rule.target - SLACK
    return curves.referral_share, curves.referral_share <= rule.capacity_share + SLACK


def costs(curves: Curves, rate: np.ndarray | float, cost_ratio: float) -> np.ndarray:
    """Cost per person screened, in false alarms."""
    return cost_ratio * (1 - curves.sensitivity) * rate + (1 - curves.specificity) * (1 - rate)


def highest(mask: np.ndarray) -> np.ndarray:
    """Place of the last true of each row, -1 without any: of equal cut-offs the lowest-referring one."""
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    return np.where(mask.any(axis=1), last, -1)


def checked_rule(
    criterion: str,
    *,
    target: float | None = None,
    cost_ratio: float | None = None,
    prevalence: float | None = None,
    capacity: float | None = None,
    population: float,
    without_reference: bool,
    where: str,
) -> Rule:
    """Criterion with what it needs, or every fault of the options at once.

    Raises
    ------
    ParamsError
        An unknown criterion, one without what it needs, a number outside its range.
    """
    inputs.one_of(criterion, CRITERIA, where=where, name="criterion")
    needs = {
        "sensitivity": ("target", target),
        "specificity": ("target", target),
        "cost": ("cost_ratio", cost_ratio),
        "capacity": ("capacity", capacity),
    }
    name, given = needs.get(criterion, ("", 0))
    problems = [f"criterion '{criterion}' needs {name}"] if given is None else []
    if target is not None and not 0 < target <= 1:
        problems.append("target lies above 0 and up to 1")
    if prevalence is not None and not 0 < prevalence < 1:
        problems.append("prevalence lies between 0 and 1")
    if cost_ratio is not None and not cost_ratio > 0:
        problems.append("cost_ratio is above 0")
    if capacity is not None and not capacity >= 0:
        problems.append("capacity is 0 or more")
    if not population > 0:
        problems.append("population is above 0")
    if without_reference and criterion != "capacity":
        problems.append(f"criterion '{criterion}' needs a reference")
    if problems:
        raise ParamsError.of_many(where, problems)
    return Rule(criterion, target, cost_ratio, prevalence, None if capacity is None else capacity / population)
