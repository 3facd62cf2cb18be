"""One cut-off for all, or one for each group? What either brings, at every cut-off and at one specificity."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.roc_curve import UNVERIFIED
from mhlib.stats.accuracy.subgroup_estimates import wilson
from mhlib.stats.accuracy.subgroup_people import grouping_codes
from mhlib.stats.accuracy.subgroup_refusals import FEWEST_CASES, FEWEST_VERIFIED, small_group
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubgroupCutoffs:
    """Accuracy of every group at every cut-off, and a single cut-off beside group-specific ones.

    Attributes
    ----------
    grid : pandas.DataFrame
        `group, cutoff, tp, fp, fn, tn, sensitivity, se_low, se_high, specificity, sp_low, sp_high, ppv, npv,
        referral_share`; Wilson intervals, NaN with weights. Refused groups are left out.
    tradeoff : pandas.DataFrame
        `group, n_case, sensitivity, specificity, referral_share` at the single cut-off; `own_cutoff` (the one with most
        sensitivity whose specificity is at least the target; NaN when none is), `own_sensitivity, own_specificity,
        own_referral_share`; `sensitivity_at_target`, read off the group's curve at exactly the target.
    target : float
        Specificity held equal; by default that of everyone at the single cut-off.
    exploratory : bool
        Always true: group-specific cut-offs are chosen on the data that judge them.
    """

    grid: pd.DataFrame = field(repr=False)
    tradeoff: pd.DataFrame = field(repr=False)
    refusals: tuple[tuple[str, str, Refused], ...] = field(repr=False)
    cutoff: float
    target: float
    direction: str
    exploratory: bool
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Per group the terms `sensitivity`, `own_cutoff`, `own_sensitivity`, `sensitivity_at_target`."""
        names = ("sensitivity", "own_cutoff", "own_sensitivity", "sensitivity_at_target")
        rows = [
            {"term": name, "estimate": row[name], "group": row["group"]}
            for row in self.tradeoff.to_dict("records")
            for name in names
        ]
        blank = {"term": names[0], "group": ""}
        return term_frame(rows or [blank]).assign(n_used=self.n_used)


def cutoffs_by_group(
    score: object,
    reference: object,
    group: object,
    *,
    cutoff: float,
    target: float | None = None,
    direction: str = ">=",
    weights: object = None,
    fewest_cases: int = FEWEST_CASES,
    fewest_verified: int = FEWEST_VERIFIED,
    conf_level: float = 0.95,
) -> SubgroupCutoffs:
    """Every cut-off for every group, and the trade-off between one cut-off and several.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
    reference : array-like of 0/1 or bool, shape (n,)
        Without missing values: the verified, with `weights` when verification depended on the score.
    group : array-like, shape (n,)
    cutoff : float
        The single cut-off, read with `direction`.
    target : float, optional
        Specificity to be held equal, 0-1.
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows.
    fewest_cases, fewest_verified : int
        As in :func:`subgroup_accuracy`.
    conf_level : float

    Returns
    -------
    SubgroupCutoffs

    Raises
    ------
    DataError
        Missing values, columns of different lengths.
    DesignError
        No case or no non-case.
    ParamsError
        A target outside 0-1.

    Notes
    -----
    Sensitivity at equal specificity is linear between neighbouring cut-offs, as the empirical ROC curve is drawn.
    Checked against: tests/oracle/decision_groups.csv at its cut-off, and by hand.
    """
    where = "cutoffs_by_group"
    sign = demand_direction(direction, where=where)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    values = inputs.numeric(score, where=where, name="score")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, score=values, reference=case, group=group, weights=weights)
    inputs.without_missing(values, where=where, name="score", remedy="leave unscored rows out and report how many")
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    demand_both(case.sum(), (1 - case).sum(), where=where)
    weight = None if weights is None else inputs.weights_of(weights, len(values), where=where)
    code, labels = grouping_codes(pd.Series(group).reset_index(drop=True), "group")
    people = np.bincount(2 * code + case.astype(int), minlength=2 * len(labels)).reshape(-1, 2)
    few = (people.min(axis=1) < fewest_cases) | (people.sum(axis=1) < fewest_verified)
    refusals = [("group", labels[j], small_group(int(people[j, 1]), int(people[j, 0]), fewest_cases, fewest_verified))
                for j in np.flatnonzero(few)]  # fmt: skip
    scores, level = score_levels(sign * values)
    counts = level_counts(level, len(scores), case, code, len(labels), weight)
    pooled = accuracy_at(counts.sum(axis=0, keepdims=True))
    at = int(np.searchsorted(scores, sign * cutoff))
    aim = at_cut(pooled["specificity"], at)[0] if target is None else target
    if not 0 <= aim <= 1:
        raise ParamsError(f"{where}(target)", f"is {aim}", allowed="a specificity from 0 to 1")
    found = accuracy_at(counts[~few])
    kept = [label for label, left_out in zip(labels, few, strict=True) if not left_out]
    return SubgroupCutoffs(
        grid=grid_frame(found, kept, sign * scores + 0.0, sign, conf_level, weighted=weight is not None),
        tradeoff=tradeoff_frame(found, kept, people[~few, 1], sign * scores + 0.0, at, float(aim)),
        refusals=tuple(refusals),
        cutoff=float(cutoff),
        target=float(aim),
        direction=direction,
        exploratory=True,
        n_used=len(values),
        n_excluded=0,
        method="empirical curves by group" + (", weighted" if weight is not None else ", Wilson intervals"),
        conf_level=conf_level,
    )


def level_counts(
    level: np.ndarray, n_levels: int, case: np.ndarray, code: np.ndarray, k: int, weight: np.ndarray | None
) -> np.ndarray:
    """(Weighted) non-cases and cases at each level of each group, shape (k, 2, levels)."""
    place = (2 * code + case.astype(int)) * n_levels + level
    return np.bincount(place, weights=weight, minlength=2 * k * n_levels).reshape(k, 2, n_levels).astype(float)


def accuracy_at(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Cells and accuracy of each group at every cut-off, shape (k, levels) each."""
    above = counts[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    total = counts.sum(axis=2, keepdims=True)
    fp, tp = above[:, 0], above[:, 1]
    tn, fn = total[:, 0] - fp, total[:, 1] - tp
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {
            "sensitivity": tp / total[:, 1],
            "specificity": tn / total[:, 0],
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "referral_share": (tp + fp) / total.sum(axis=1),
        }
    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn} | shares


def at_cut(values: np.ndarray, place: int, beyond: float = 1.0) -> np.ndarray:
    """Values at one level; `beyond` (specificity 1) where the cut-off lies above every score."""
    return values[:, place] if place < values.shape[1] else np.full(len(values), beyond)


def grid_frame(
    found: dict[str, np.ndarray], labels: list[str], scores: np.ndarray, sign: int, conf_level: float, *, weighted: bool
) -> pd.DataFrame:
    """One row a group and cut-off, in rising order of the scale's own score."""
    k, levels = found["tp"].shape
    bounds = {}
    for short, (top, rest) in {"se": ("tp", "fn"), "sp": ("tn", "fp")}.items():
        low, high = wilson(found[top], found[top] + found[rest], conf_level)
        bounds[short] = (low * np.nan, high * np.nan) if weighted else (low, high)
    columns = {
        **{name: found[name] for name in ("tp", "fp", "fn", "tn", "sensitivity")},
        "se_low": bounds["se"][0],
        "se_high": bounds["se"][1],
        "specificity": found["specificity"],
        "sp_low": bounds["sp"][0],
        "sp_high": bounds["sp"][1],
        **{name: found[name] for name in ("ppv", "npv", "referral_share")},
    }
    table = {name: values[:, ::sign].ravel() for name, values in columns.items()}
    return pd.DataFrame({"group": np.repeat(labels, levels), "cutoff": np.tile(scores[::sign], k), **table})


def tradeoff_frame(
    found: dict[str, np.ndarray], labels: list[str], n_case: np.ndarray, scores: np.ndarray, at: int, target: float
) -> pd.DataFrame:
    """Single against own cut-off, one row a group."""
    se, sp, referred = found["sensitivity"], found["specificity"], found["referral_share"]
    # Equal up to rounding: the same share computed from other sums must still reach the target.
    reached = sp >= target - 1e-12
    own, some = reached.argmax(axis=1), reached.any(axis=1)
    rows = np.arange(len(labels))

    def pick(values: np.ndarray) -> np.ndarray:
        """Value at each group's own cut-off."""
        return np.where(some, values[rows, own], np.nan)

    # Above the highest score nobody is referred: the corner of the curve that the levels leave out.
    curve = [np.interp(target, np.append(sp[j], 1.0), np.append(se[j], 0.0)) for j in rows]
    exactly = np.abs(pick(sp) - target) < 1e-12
    return pd.DataFrame(
        {
            "group": labels,
            "n_case": n_case.astype(int),
            "sensitivity": at_cut(se, at, 0.0),
            "specificity": at_cut(sp, at, 1.0),
            "referral_share": at_cut(referred, at, 0.0),
            "own_cutoff": np.where(some, scores[own], np.nan),
            "own_sensitivity": pick(se),
            "own_specificity": pick(sp),
            "own_referral_share": pick(referred),
            "sensitivity_at_target": np.where(exactly, pick(se), curve),
        }
    )
