"""Screens one after another or side by side: what they see together, with and without dependence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs

RULES = ("serial", "parallel")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningStage:
    """One screen: accuracy as proportions with their standard errors, and what one application costs.

    In a serial rule a later stage's accuracy is that among people positive before; with `case_dependence` and
    `noncase_dependence` of 0 this equals the accuracy among everyone.
    """

    sensitivity: float
    specificity: float
    sensitivity_error: float = 0.0
    specificity_error: float = 0.0
    cost: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetAccuracy:
    """Accuracy of several screens as one; `*_low` and `*_high` bound it over every dependence (two stages only)."""

    sensitivity: float
    specificity: float
    sensitivity_low: float
    sensitivity_high: float
    specificity_low: float
    specificity_high: float
    rule: str


def net_accuracy(
    stages: Sequence[ScreeningStage],
    *,
    rule: str = "serial",
    case_dependence: float = 0.0,
    noncase_dependence: float = 0.0,
) -> NetAccuracy:
    """Sensitivity and specificity of screens used together.

    Parameters
    ----------
    stages : sequence of ScreeningStage
        One or more.
    rule : {'serial', 'parallel'}
        'serial': referred when positive on all. 'parallel': referred when positive on any.
    case_dependence, noncase_dependence : float
        Covariance of two tests' positive results among cases and among non-cases; 0 is conditional independence.

    Returns
    -------
    NetAccuracy
        Bounds are NaN with more than two stages.

    Raises
    ------
    DataError
        An accuracy outside 0-1, or a covariance that two such tests cannot have.
    ParamsError
        An unknown rule; a dependence with other than two stages.

    Notes
    -----
    Among cases P(both) = Se1 Se2 + c, max(0, Se1 + Se2 - 1) <= P(both) <= min(Se1, Se2); serial Se = P(both), parallel
    Se = Se1 + Se2 - P(both). Among non-cases the same with 1 - Sp.
    References: Vacek (1985) Biometrics 41:959; Gardner et al. (2000). Checked against: tests/stats/test_decision.py (by
    hand, and the capacity demonstration of Richardson 2010's rates).
    """
    where = "net_accuracy"
    check_stages(stages, rule, case_dependence, noncase_dependence)
    positive = np.array([[stage.sensitivity, 1 - stage.specificity] for stage in stages])
    values = combined(positive[:, :, None], rule, np.array([[case_dependence], [noncase_dependence]]))[:, 0]
    bounds = np.full((2, 2), np.nan)
    if len(stages) == 2:
        for i, (name, given) in enumerate((("case", case_dependence), ("noncase", noncase_dependence))):
            least, most = dependence_bounds(*positive[:, i])
            if not least - 1e-12 <= given <= most + 1e-12:
                raise DataError(
                    f"{where}({name}_dependence)",
                    f"is {given:g}, which two such tests cannot have",
                    allowed=f"{least:.6g} to {most:.6g}",
                )
            ends = [combined(positive[:, i, None, None], rule, np.array([[end]]))[0, 0] for end in (least, most)]
            bounds[i] = sorted(ends)
    return NetAccuracy(
        sensitivity=float(values[0]),
        specificity=float(1 - values[1]),
        sensitivity_low=float(bounds[0, 0]),
        sensitivity_high=float(bounds[0, 1]),
        specificity_low=float(1 - bounds[1, 1]),
        specificity_high=float(1 - bounds[1, 0]),
        rule=rule,
    )


def check_stages(
    stages: Sequence[ScreeningStage], rule: str, case_dependence: float, noncase_dependence: float
) -> None:
    """Stop on accuracies outside 0-1 and on options that do not fit together."""
    where = "net_accuracy"
    inputs.one_of(rule, RULES, where=where, name="rule")
    if not len(stages):
        raise ParamsError(f"{where}(stages)", "is empty", allowed="one or more stages")
    for number, stage in enumerate(stages, start=1):
        for value in (stage.sensitivity, stage.specificity):
            if not 0 <= value <= 1:
                raise DataError(where, f"an accuracy of stage {number} lies outside 0 to 1", allowed="proportions")
        for value in (stage.sensitivity_error, stage.specificity_error, stage.cost):
            if not (np.isfinite(value) and value >= 0):
                raise DataError(where, f"an error or a cost of stage {number} is below 0", allowed="0 or more")
    if (case_dependence or noncase_dependence) and len(stages) != 2:
        raise ParamsError(f"{where}(stages)", f"{len(stages)} stages with a dependence", allowed="two stages")


def combined(positive: np.ndarray, rule: str, dependence: np.ndarray) -> np.ndarray:
    """Chance to be referred from the chances to be positive on each stage, shape (stages, 2, draws)."""
    if rule == "serial":
        return positive.prod(axis=0) + dependence
    return 1 - (1 - positive).prod(axis=0) - dependence


def dependence_bounds(first: float, second: float) -> tuple[float, float]:
    """Least and largest covariance of two results with these chances (Frechet)."""
    return float(max(0.0, first + second - 1) - first * second), float(min(first, second) - first * second)
