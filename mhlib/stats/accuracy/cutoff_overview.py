"""The cut-off studio: every cut-off, the choice of each rule, and how far each choice is to be trusted, in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused, message
from mhlib.stats.accuracy.cutoff_choice import (
    checked_boot,
    cutoff_table,
    in_own_order,
    judge,
    screened_rows,
    ties_of,
)
from mhlib.stats.accuracy.cutoff_resamples import Corrected, Moves, moves
from mhlib.stats.accuracy.cutoff_rules import Curves, Rule, best, checked_rule, curves_of, highest
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffChoice:
    """The cut-off that one rule chooses, what it brings, and what resamples say about it.

    Attributes
    ----------
    cutoff : float or None
        None when no cut-off meets the criterion; every number of the row is then NaN.
    cutoff_low, cutoff_high : float
        Percentiles of the cut-offs chosen in resamples; no confidence interval.
    ties : tuple of float
        Equally good cut-offs, the chosen one among them.
    referrals, referral_share, sensitivity, specificity, ppv, npv, youden, missed_cases, false_alarms, cost : float
        As in the table of all cut-offs.
    youden_out_of_bag, youden_632, sensitivity_632, specificity_632, optimism, share, n_none, frequencies
        As in :class:`CutoffsResult`.
    """

    criterion: str
    cutoff: float | None
    cutoff_low: float
    cutoff_high: float
    ties: tuple[float, ...]
    referrals: float
    referral_share: float
    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    youden: float
    missed_cases: float
    false_alarms: float
    cost: float
    youden_out_of_bag: float
    youden_632: float
    sensitivity_632: float
    specificity_632: float
    optimism: float
    share: float
    n_none: int
    frequencies: pd.DataFrame | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffStudioResult:
    """Every cut-off and the choice of each rule.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a cut-off in rising order of the score: `cutoff, referrals, referral_share, sensitivity, specificity, ppv,
        npv, youden, missed_cases, false_alarms, cost`.
    choices : dict of str to CutoffChoice
        By criterion, those that could be looked at: 'youden', 'cost', 'sensitivity', 'specificity', 'capacity'.
    refused : tuple of Refused
        `no_reference`: without a reference standard only capacity can choose.
    prevalence : float
        At which predictive values, missed cases and cost are given; NaN without a reference and a stated one.
    population : float
        People to whom referrals and missed cases are scaled.
    exploratory : bool
        Always true: cut-offs chosen on the data that judge them.
    """

    table: pd.DataFrame = field(repr=False)
    choices: Mapping[str, CutoffChoice] = field(repr=False)
    refused: tuple[Refused, ...]
    direction: str
    prevalence: float
    population: float
    exploratory: bool
    n_case: int
    n_noncase: int
    n_verified: int
    n_clusters: int | None
    n_boot: int
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per criterion: `term` its name, `estimate` the cut-off, its percentiles, then all measures."""
        hidden = ("criterion", "cutoff", "cutoff_low", "cutoff_high", "ties", "frequencies")
        rows = []
        rest = {"direction": self.direction, "n_used": self.n_used}
        for name, choice in self.choices.items():
            own = math.nan if choice.cutoff is None else choice.cutoff
            measures = {key: getattr(choice, key) for key in CutoffChoice.__slots__ if key not in hidden}
            spread = {"cutoff_low": choice.cutoff_low, "cutoff_high": choice.cutoff_high, "n_ties": len(choice.ties)}
            rows.append({"term": name, "estimate": own, **spread, **measures, **rest})
        return term_frame(rows)


def cutoff_studio(
    score: object,
    reference: object = None,
    *,
    capacity: float | None = None,
    cost_ratio: float | None = None,
    target_sensitivity: float | None = None,
    target_specificity: float | None = None,
    prevalence: float | None = None,
    population: float | None = None,
    direction: str = ">=",
    weights: object = None,
    cluster: object = None,
    n_boot: int = 0,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> CutoffStudioResult:
    """Every cut-off with what it brings, and the choice of every rule whose parameter is given.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Everyone screened.
    reference : array-like of 0/1 or bool, shape (n,), optional
        Missing where not verified; without it only capacity can choose.
    capacity, cost_ratio : float, optional
        As in :func:`cutoffs`; the rule is left out without its parameter.
    target_sensitivity, target_specificity : float, optional
        0–1, the floors of the rules 'sensitivity' and 'specificity'.
    prevalence, population, direction, weights, cluster, n_boot, seed, conf_level
        As in :func:`cutoffs`. All rules see the same resamples.

    Returns
    -------
    CutoffStudioResult
        The same digits as :func:`cutoffs` with one criterion.

    Raises
    ------
    ParamsError
        No reference and no capacity; a number outside its range; resamples without a seed.
    DesignError, DataError
        As in :func:`cutoffs`.

    Notes
    -----
    References and method as in :func:`cutoffs`. Referrals follow from the scores of those screened; predictive values,
    missed cases, false alarms and cost from sensitivity and specificity at `prevalence`.
    Checked against: tests/oracle/cutoff_choices.csv (cutpointr, OptimalCutpoints, pROC).
    """
    where = "cutoff_studio"
    screened, values, sign = screened_rows(score, reference, weights, cluster, direction, where=where)
    people = float(len(screened.level) if population is None else population)
    checked_boot(n_boot, seed, conf_level, where=where)
    given = {"youden": {}, "cost": {"cost_ratio": cost_ratio}, "sensitivity": {"target": target_sensitivity},
             "specificity": {"target": target_specificity}, "capacity": {"capacity": capacity}}  # fmt: skip
    rules = wanted_rules(given, prevalence, people, reference is None, where=where)
    curves = curves_of(*screened.tables()[:, None, :])
    table = cutoff_table(curves, values, people, prevalence, cost_ratio)
    found = moves(screened, rules, seed, n_boot) if n_boot else [None] * len(rules)
    return CutoffStudioResult(
        table=in_own_order(table, sign),
        choices={
            rule.criterion: choice_of(rule, curves, table, moved, values, sign, conf_level)
            for rule, moved in zip(rules, found, strict=True)
        },
        refused=(no_reference_refusal(),) if reference is None else (),
        direction=direction,
        prevalence=float(curves.prevalence[0]) if prevalence is None else prevalence,
        population=people,
        exploratory=True,
        n_case=int((screened.status == 1).sum()),
        n_noncase=int((screened.status == 0).sum()),
        n_verified=int((screened.status < 2).sum()),
        n_clusters=None if screened.cluster is None else screened.cluster[1],
        n_boot=n_boot,
        seed=seed,
        n_used=len(screened.level),
        n_excluded=0,
        method=studio_method(direction, n_boot, cluster is not None, weights is not None),
        conf_level=conf_level,
    )


def wanted_rules(
    given: Mapping[str, Mapping[str, float | None]],
    prevalence: float | None,
    population: float,
    without_reference: bool,
    *,
    where: str,
) -> list[Rule]:
    """Rules whose parameter is given and that the data can carry.

    Raises
    ------
    ParamsError
        None at all.
    """
    rules = [
        checked_rule(
            criterion, **options, prevalence=prevalence, population=population, without_reference=False, where=where
        )
        for criterion, options in given.items()
        if None not in options.values() and not (without_reference and criterion != "capacity")
    ]
    if not rules:
        raise ParamsError(where, "no reference and no capacity", allowed="at least one of them")
    return rules


def no_reference_refusal() -> Refused:
    """Why only capacity chooses."""
    return Refused(
        "no_reference",
        message(
            "Nobody was interviewed, so no cut-off can be judged by what it finds and misses: only the number of "
            "pupils it refers is known."
        ),
        message("Interview a sample of pupils above and below the cut-off, drawn with known probabilities."),
    )


def studio_method(direction: str, n_boot: int, clustered: bool, weighted: bool) -> str:
    """How the studio was computed, in one line."""
    parts = [f"read 'positive when score {direction} c'"]
    if weighted:
        parts.append("weighted by inverse verification probability")
    if n_boot:
        parts.append(f"{'schools' if clustered else 'people'} resampled, .632 estimate")
    return ", ".join(parts)


def choice_of(
    rule: Rule,
    curves: Curves,
    table: pd.DataFrame,
    found: Moves | None,
    values: np.ndarray,
    sign: int,
    conf_level: float,
) -> CutoffChoice:
    """Choice of one rule, with its row of the table and what the resamples say."""
    mask = best(curves, rule)
    place = int(highest(mask)[0])
    judged = judge(found, curves, place, values, sign, conf_level)
    row = dict.fromkeys(table.columns, math.nan) if place < 0 else table.iloc[place].to_dict()
    row["cutoff"] = None if place < 0 else float(sign * values[place] + 0.0)
    return CutoffChoice(
        criterion=rule.criterion,
        ties=ties_of(mask[0], values, sign),
        **row,
        **{name: getattr(judged, name) for name in Corrected.__slots__},
    )
