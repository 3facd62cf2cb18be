"""What a nested model expects of each school, class or pupil: predictions with their errors, for a caterpillar."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_deviance import Point
from mhlib.stats.effects.nested_fit import NestedFit
from mhlib.stats.effects.nested_pass import KEPT
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.effects.nested_recursion import evaluate, factors_of, kernel
from mhlib.stats.intervals import critical
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupEffects:
    """Predicted effects of the groups of one level (BLUPs).

    Attributes
    ----------
    table : pandas.DataFrame
        `term` (the group's label)`, estimate, std_error, conf_low, conf_high, prediction_se, part, n_rows`, in the
        order of the groups. `std_error` takes the fixed effects as known (as lme4 does); `prediction_se` does not.
        `part` is 'intercept' or 'slope'.
    level : str
    shrinkage : ndarray, shape (groups,)
        How much of the level's variance each group's own rows explain: 0 tells nothing of it, 1 everything.
    """

    table: pd.DataFrame = field(repr=False)
    level: str
    shrinkage: np.ndarray = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def group_effects(
    result: MultilevelResult, level: str | None = None, *, conf_level: float | None = None
) -> GroupEffects:
    """Best linear unbiased predictions of one level's random effects, given the levels above.

    Parameters
    ----------
    result : MultilevelResult
    level : str, optional
        The highest by default.
    conf_level : float, optional
        Each group's interval stands for itself: two that do not meet are not thereby proved different.

    Returns
    -------
    GroupEffects
        Draw sorted by estimate; never print as a ranking.

    Raises
    ------
    DesignError
        The lowest level with more than 20,000 groups, whose sums are not kept.
    ParamsError
        No level of this name.

    Notes
    -----
    b = (Psi⁻¹ + S)⁻¹ Z'V⁻¹(y - X beta), V without the level itself; a lower level's effects are those beside its parents'.
    References: Henderson (1975) Biometrics 31:423; Bates et al. (2015). Checked against: tests/oracle/multilevel_effects.csv
    (lme4::ranef, condVar).
    """
    fit = result.core
    names = fit.nesting.names
    chosen = names[-1] if level is None else inputs.one_of(level, names, where="group_effects", name="level")
    confidence = result.conf_level if conf_level is None else conf_level
    inputs.open_unit(confidence, where="group_effects", name="conf_level")
    place = names.index(chosen)
    if place == 0 and fit.deviance.sums.own is None:
        raise DesignError(
            f"group_effects({chosen})",
            f"more than {KEPT} groups, whose sums are not kept",
            remedy="ask for a level above",
        )
    effect, variance, wide, shrunk = predictions(fit, place)
    return GroupEffects(
        table=effect_table(fit, place, effect, variance, wide, confidence),
        level=chosen,
        shrinkage=shrunk,
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method=f"empirical best linear unbiased predictions of {chosen}",
        conf_level=confidence,
    )


def predictions(fit: NestedFit, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Effects of one level's groups, their variances (beta known, beta estimated), and shares explained.

    Walks down from the highest level. `total` is the sum of the effects above a group on [1, slope]; `spread` is its
    conditional variance and `lever` its dependence on the error of beta.
    """
    sums = fit.deviance.sums
    factors = factors_of(fit.theta, fit.deviance.slots)
    here = fit.deviance.point(fit.theta, derivatives=False)
    r, total, spread, lever = sums.n_random, None, None, None
    for depth in range(sums.n_levels - 1, place - 1, -1):
        size = len(factors[depth].factor)
        rows = sums.own if depth == 0 else evaluate(sums, factors, derivatives=False, stop=depth).rows
        rows = rows[:, :size]
        inverse, _ = kernel(rows[:, :, :size], factors[depth].factor)
        if total is None:
            n = len(rows)
            total, spread, lever = np.zeros((n, r)), np.zeros((n, r, r)), np.zeros((n, r, sums.p))
        else:
            parent = fit.nesting.parents[depth]
            total, spread, lever = total[parent], spread[parent], lever[parent]
        link = rows[:, :, :r]
        own = inverse @ (residual_rows(rows, here, r, sums.p) - (link @ total[:, :, None])[:, :, 0])[:, :, None]
        pulled = inverse @ link
        own_spread = fit.sigma**2 * inverse + pulled @ spread @ pulled.transpose(0, 2, 1)
        own_lever = -inverse @ rows[:, :, r : r + sums.p] - pulled @ lever
        if depth == place:
            break
        keep = np.eye(r) - padded(pulled, r)
        total = total + padded(own, r)[:, :, 0]
        spread = keep @ spread @ keep.transpose(0, 2, 1) + fit.sigma**2 * squared(inverse, r)
        lever = lever + padded(own_lever, r)
    by_beta = own_lever @ (fit.sigma**2 * here.inverse) @ own_lever.transpose(0, 2, 1)
    variance = np.diagonal(own_spread, axis1=1, axis2=2)
    prior = np.maximum(np.diag(factors[place].factor @ factors[place].factor.T), 1e-300)
    shrunk = 1 - np.diagonal(inverse, axis1=1, axis2=2)[:, 0] / prior[0]
    return own[:, :, 0], variance, variance + np.diagonal(by_beta, axis1=1, axis2=2), shrunk


def residual_rows(rows: np.ndarray, here: Point, r: int, p: int) -> np.ndarray:
    """Z'V⁻¹(y - X beta) of each group."""
    return rows[:, :, r + p] - rows[:, :, r : r + p] @ here.beta


def padded(block: np.ndarray, r: int) -> np.ndarray:
    """Rows of a level without a slope, filled up with zeros for the slope."""
    return np.concatenate([block, np.zeros((len(block), r - block.shape[1], block.shape[2]))], axis=1)


def squared(inverse: np.ndarray, r: int) -> np.ndarray:
    """The same for a matrix of random effects, rows and columns."""
    found = np.zeros((len(inverse), r, r))
    found[:, : inverse.shape[1], : inverse.shape[2]] = inverse
    return found


def effect_table(
    fit: NestedFit, place: int, effect: np.ndarray, variance: np.ndarray, wide: np.ndarray, conf_level: float
) -> pd.DataFrame:
    """One row a group and part."""
    error, quantile = np.sqrt(variance), critical(conf_level)
    parts = ("intercept", "slope")[: effect.shape[1]]
    labels, counts = fit.nesting.labels[place], fit.nesting.counts[place]
    rows = [
        {
            "term": str(labels[g]),
            "estimate": float(effect[g, a]),
            "std_error": float(error[g, a]),
            "conf_low": float(effect[g, a] - quantile * error[g, a]),
            "conf_high": float(effect[g, a] + quantile * error[g, a]),
            "prediction_se": float(np.sqrt(wide[g, a])),
            "part": part,
            "n_rows": int(counts[g]),
        }
        for g in range(len(effect))
        for a, part in enumerate(parts)
    ]
    return term_frame(rows)
