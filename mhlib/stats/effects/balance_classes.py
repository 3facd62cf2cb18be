"""How far two arms stand apart before the programme, in one unit: Hedges' g, or Cox's index for shares; and the WWC's classes."""

from __future__ import annotations

import math

import numpy as np

from mhlib.findings import Check, message
from mhlib.stats.effects.effect_size_moments import Arm, small_sample, spread_moments

# What Works Clearinghouse, Procedures and Standards Handbook 5.0 (2022), chapter II.
FINE, ADJUST = 0.05, 0.25
# Logit of a share over this is Cox's index: a difference in standard deviations of a logistic trait.
COX = 1.65


def wwc_class(difference: float) -> str:
    """`fine` to .05, `adjust` to .25, `fails` beyond, `unknown` where no difference could be had."""
    if math.isnan(difference):
        return "unknown"
    size = abs(difference)
    return "fine" if size <= FINE else "adjust" if size <= ADJUST else "fails"


def weighted_moments(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean, and variance unbiased for weights that are given (Kish); the sample variance where these are equal."""
    total = weights.sum()
    if not total > 0:
        return math.nan, math.nan
    mean = float(weights @ values / total)
    left = total - (weights**2).sum() / total
    return mean, float(weights @ (values - mean) ** 2 / left) if left > 1e-12 * total else math.nan


def pooled_sd(values: tuple[np.ndarray, np.ndarray]) -> float:
    """Standard deviation within two arms, never weighted, so that weighting cannot change the unit."""
    free = sum(len(one) for one in values) - 2
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in values if len(one))
    return math.sqrt(squares / free) if free > 0 else math.nan


def standardised(difference: float, sd: float, n: int) -> float:
    """Hedges' g; 0 where nothing differs, infinite where two constants do."""
    if difference == 0:
        return 0.0
    return math.inf * np.sign(difference) if sd == 0 else difference / sd * small_sample(n - 2, "wwc")


def cox_index(share: float, reference: float, n: int) -> float:
    """Difference of log odds over 1.65, corrected for small samples; NaN where a share is 0 or 1."""
    if not (0 < share < 1 and 0 < reference < 1):
        return math.nan
    return (math.log(share / (1 - share)) - math.log(reference / (1 - reference))) / COX * small_sample(n - 2, "wwc")


def within_arm_icc(values: np.ndarray, arm: np.ndarray, code: np.ndarray) -> float:
    """Intraclass correlation within arms by the analysis of variance, 0 where it would be negative."""
    cell = np.unique(np.column_stack([arm, code]), axis=0, return_inverse=True)[1].ravel()
    size = np.bincount(cell)
    mean = np.bincount(cell, weights=values) / size
    top = np.zeros(len(size), dtype=int)
    top[cell] = arm
    count = np.bincount(arm)
    level = np.bincount(arm, weights=values) / count
    free_between, free_within = len(size) - len(count), len(values) - len(size)
    if free_between < 1 or free_within < 1:
        return math.nan
    between = float((size * (mean - level[top]) ** 2).sum()) / free_between
    within = float(((values - mean[cell]) ** 2).sum()) / free_within
    typical = (len(values) - float((np.bincount(top, weights=size**2.0) / count).sum())) / free_between
    spread = (between - within) / typical
    return max(spread / (spread + within), 0.0) if spread + within > 0 else 0.0


def expected_by_chance(values: np.ndarray, arm: np.ndarray, code: np.ndarray) -> float:
    """Standard deviation of the difference that an allocation of whole clusters alone would give, in pooled SDs."""
    rho = within_arm_icc(values, arm, code)
    if math.isnan(rho) or rho >= 1:
        return math.nan
    sizes = [np.bincount(code[arm == one]) for one in (0, 1)]
    eta = spread_moments(tuple(Arm.of_sizes(size[size > 0]) for size in sizes), rho).eta
    return math.sqrt(eta * sum(1 / size.sum() for size in sizes))


def balance_check(classes: list[str]) -> Check:
    """Check that no column differs by more than a quarter of a standard deviation."""
    return Check(
        message("Arms alike at the start"),
        None if "unknown" in classes and "fails" not in classes else "fails" not in classes,
        message(
            "Of {n} columns {fine} differ by at most 0.05 standard deviations, {adjust} by up to 0.25 and must be adjusted "
            "for, {fails} by more, which no adjustment repairs.",
            n=len(classes),
            fine=classes.count("fine"),
            adjust=classes.count("adjust"),
            fails=classes.count("fails"),
        ),
    )
