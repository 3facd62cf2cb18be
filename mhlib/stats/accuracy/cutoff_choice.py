"""Where the cut-off should stand: by Youden, cost, a floor of sensitivity or specificity, or what the services can see."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import ScoreCounts, count_scores, demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.roc_curve import curve_points
from mhlib.stats.terms import term_frame

CRITERIA = ("youden", "cost", "sensitivity", "specificity", "capacity")
# How often a person can stand in one Poisson resample; P(more) < 1e-9.
MOST_TIMES = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffsResult:
    """Every cut-off with what it would bring, and the one that the criterion chooses.

    Attributes
    ----------
    cutoff : float or None
        Read with `direction`; None when no cut-off meets the criterion.
    ties : tuple of float
        Every cut-off that meets the criterion equally well, the chosen one among them.
    table : pandas.DataFrame
        `cutoff, referrals, referral_share, sensitivity, specificity, ppv, youden, chosen`.
    frequencies : pandas.DataFrame or None
        `cutoff, share`: how often each cut-off was chosen in the resamples.
    optimism, youden_corrected : float
        Apparent minus out-of-bag Youden's J of the chosen rule, and the out-of-bag J; NaN without resamples.
    exploratory : bool
        Always true: a cut-off chosen on the data that judge it.
    """

    cutoff: float | None
    ties: tuple[float, ...]
    criterion: str
    direction: str
    table: pd.DataFrame = field(repr=False)
    frequencies: pd.DataFrame | None = field(repr=False)
    optimism: float
    youden_corrected: float
    exploratory: bool
    n_verified: int
    n_boot: int
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms of the chosen cut-off; no row but `cutoff` (NaN) when none meets the criterion."""
        rows: list[dict[str, object]] = [
            {"term": "cutoff", "estimate": math.nan if self.cutoff is None else self.cutoff}
        ]
        for row in self.table[self.table["chosen"]].to_dict("records"):
            measures = ("sensitivity", "specificity", "ppv", "youden")
            rows += [{"term": name, "estimate": row[name]} for name in measures]
            rows.append({"term": "youden_corrected", "estimate": self.youden_corrected})
            rows.append({"term": "referrals", "estimate": row["referrals"]})
        return term_frame(rows).assign(n_used=self.n_used)


@dataclass(frozen=True, slots=True)
class Rule:
    """A criterion with what it needs."""

    criterion: str
    target: float | None
    cost_ratio: float | None
    prevalence: float | None
    capacity: float | None


def cutoffs(
    score: object,
    reference: object = None,
    *,
    criterion: str = "youden",
    direction: str = ">=",
    target: float | None = None,
    cost_ratio: float | None = None,
    prevalence: float | None = None,
    capacity: float | None = None,
    population: float | None = None,
    weights: object = None,
    n_boot: int = 0,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> CutoffsResult:
    """Table of every cut-off and the choice by one criterion.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Everyone screened: referrals follow from all scores, verified or not.
    reference : array-like of 0/1 or bool, shape (n,), optional
        Missing where not verified. Only 'capacity' works without it.
    criterion : {'youden', 'cost', 'sensitivity', 'specificity', 'capacity'}
        'youden': largest Se + Sp. 'cost': smallest cost_ratio * missed cases + false alarms. 'sensitivity': best Sp with
        Se >= target. 'specificity': best Se with Sp >= target. 'capacity': most referrals that are <= capacity.
    direction : {'>=', '<='}
        '>=' reads "positive when score >= c".
    target : float, optional
        0–1, for 'sensitivity' and 'specificity'.
    cost_ratio : float, optional
        Cost of a missed case in false alarms, for 'cost'.
    prevalence : float, optional
        0–1, for 'cost' and the predictive value; default that of the (weighted) rows.
    capacity : float, optional
        People who can be seen, for 'capacity'.
    population : float, optional
        People to be screened next; referrals are scaled to them. Default: n.
    weights : array-like, shape (n,), optional
        Inverse verification probability, read in verified rows only; compulsory when some rows are unverified.
    n_boot : int
        Resamples of verified rows for the optimism of Youden's J; 0 for none.
    seed : int, optional
        Compulsory with `n_boot`.
    conf_level : float
        Kept in the record.

    Returns
    -------
    CutoffsResult
        Among equally good cut-offs the lowest-referring one is `cutoff`; `ties` names all.

    Raises
    ------
    ParamsError
        A criterion without what it needs; resamples without a seed.
    DesignError
        Unverified rows and no weights; no case or no non-case.

    Notes
    -----
    A Poisson bootstrap: each resample draws every verified person Poisson(1) times, the choice is made on those drawn
    and J is measured on those not drawn (out of bag). It draws numbers of people by score, so it has no n in it.
    References: Youden (1950); Efron & Tibshirani (1997) for out-of-bag error; Zweig & Campbell (1993) for cost.
    Checked against: tests/stats/test_accuracy.py (cutpointr, OptimalCutpoints, pROC).
    """
    where = "cutoffs"
    rule = checked_rule(criterion, target, cost_ratio, prevalence, capacity, n_boot, seed, reference is None)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    sign = demand_direction(direction, where=where)
    score = inputs.numeric(score, where=where, name="score")
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    if not len(score):
        raise DesignError(where, "nobody was screened", allowed="at least one score")
    values, level = score_levels(sign * score)
    screened = np.bincount(level, minlength=len(values)).astype(float)
    case, weight = verified_part(reference, weights, len(score))
    seen = ~np.isnan(case)
    found = None
    if reference is not None:
        found = ScoreCounts(values, *count_scores(level[seen], len(values), case[seen], weight[seen]))
        demand_both(found.case.sum(), found.noncase.sum(), where=where)
    table = cutoff_table(values, screened, found, rule, population)
    best = chosen(table, rule)
    frequencies, corrected, optimism = None, math.nan, math.nan
    if n_boot and found is not None:
        kinds = np.stack([level[seen], case[seen], weight[seen]])
        chosen_levels, inside, outside = resampled_youden(
            kinds, len(values), screened, values, rule, n_boot, seed, population
        )
        frequencies = choice_frequencies(chosen_levels, values, sign)
        corrected, optimism = float(np.nanmean(outside)), float(np.nanmean(inside - outside))
    return CutoffsResult(
        cutoff=None if not len(best) else float(sign * values[best[-1]]),
        ties=tuple(float(c) for c in sign * values[best]),
        criterion=criterion,
        direction=direction,
        table=finished_table(table, best, sign),
        frequencies=frequencies,
        optimism=optimism,
        youden_corrected=corrected,
        exploratory=True,
        n_verified=int(seen.sum()),
        n_boot=n_boot,
        seed=seed,
        n_used=len(score),
        n_excluded=0,
        method=f"{criterion}, read 'positive when score {direction} c'",
        conf_level=conf_level,
    )


def checked_rule(
    criterion: str,
    target: float | None,
    cost_ratio: float | None,
    prevalence: float | None,
    capacity: float | None,
    n_boot: int,
    seed: int | None,
    without_reference: bool,
) -> Rule:
    """Criterion with what it needs, or every fault of the options at once."""
    inputs.one_of(criterion, CRITERIA, where="cutoffs", name="criterion")
    needs = {"sensitivity": target, "specificity": target, "cost": cost_ratio, "capacity": capacity}
    names = {"sensitivity": "target", "specificity": "target", "cost": "cost_ratio", "capacity": "capacity"}
    problems = []
    if criterion in needs and needs[criterion] is None:
        problems.append(f"criterion '{criterion}' needs {names[criterion]}")
    if target is not None and not 0 < target <= 1:
        problems.append("target lies above 0 and up to 1")
    if prevalence is not None and not 0 < prevalence < 1:
        problems.append("prevalence lies between 0 and 1")
    if cost_ratio is not None and not cost_ratio > 0:
        problems.append("cost_ratio is above 0")
    if n_boot and seed is None:
        problems.append("n_boot needs a seed")
    if without_reference and criterion != "capacity":
        problems.append(f"criterion '{criterion}' needs a reference")
    if problems:
        raise ParamsError.of_many("cutoffs", problems)
    return Rule(criterion, target, cost_ratio, prevalence, capacity)


def verified_part(reference: object, weights: object, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Reference with NaN where unverified, and weights of the verified rows.

    Raises
    ------
    DesignError
        Unverified rows without weights: accuracy among the verified is not that of the screened.
    """
    if reference is None:
        return np.full(n, math.nan), np.ones(n)
    case = inputs.binary(reference, where="cutoffs", name="reference")
    seen = ~np.isnan(case)
    if weights is None:
        if n_unseen := int((~seen).sum()):
            raise DesignError(
                "cutoffs(weights)",
                f"{n_unseen} of {n} people are unverified and no weights are given",
                allowed="inverse verification probabilities of the verified",
                remedy="give weights, or leave the unverified out if verification did not depend on the score",
            )
        inputs.same_length("cutoffs", score=np.empty(n), reference=case)
        return case, np.ones(n)
    weight = inputs.numeric(weights, where="cutoffs", name="weights")
    inputs.same_length("cutoffs", score=np.empty(n), reference=case, weights=weight)
    inputs.weights_of(weight[seen], int(seen.sum()), where="cutoffs")
    return case, np.where(seen, weight, 0.0)


def cutoff_table(
    values: np.ndarray, screened: np.ndarray, found: ScoreCounts | None, rule: Rule, population: float | None
) -> pd.DataFrame:
    """One row per cut-off from the lowest to the highest; accuracy is NaN without a reference."""
    share = screened[::-1].cumsum()[::-1] / screened.sum()
    table = pd.DataFrame(
        {"cutoff": values, "referrals": share * (population or screened.sum()), "referral_share": share}
    )
    if found is None:
        return table.assign(sensitivity=math.nan, specificity=math.nan, ppv=math.nan, youden=math.nan, cost=math.nan)
    points = curve_points(found, direction=">=")
    se, sp = points["sensitivity"], points["specificity"]
    rate = found.case.sum() / (found.case.sum() + found.noncase.sum()) if rule.prevalence is None else rule.prevalence
    hits, alarms = se * rate, (1 - sp) * (1 - rate)
    return table.assign(
        sensitivity=se,
        specificity=sp,
        ppv=hits / (hits + alarms).where(hits + alarms > 0),
        youden=se + sp - 1,
        cost=(rule.cost_ratio or 1.0) * (1 - se) * rate + alarms,
    )


def chosen(table: pd.DataFrame, rule: Rule) -> np.ndarray:
    """Places of the cut-offs that meet the criterion best, rising; empty when none does."""
    # Equal up to rounding: sums of the same counts in another order must still be seen as ties.
    slack = 1e-12
    if rule.criterion == "youden":
        goal, allowed = table["youden"], np.full(len(table), True)
    elif rule.criterion == "cost":
        goal, allowed = -table["cost"], np.full(len(table), True)
    elif rule.criterion == "sensitivity":
        goal, allowed = table["specificity"], (table["sensitivity"] >= rule.target - slack).to_numpy()
    elif rule.criterion == "specificity":
        goal, allowed = table["sensitivity"], (table["specificity"] >= rule.target - slack).to_numpy()
    else:
        goal, allowed = table["referrals"], (table["referrals"] <= rule.capacity + slack).to_numpy()
    if not allowed.any():
        return np.array([], dtype=int)
    goal = goal.to_numpy()
    return np.flatnonzero(allowed & (goal >= goal[allowed].max() - slack))


def resampled_youden(
    kinds: np.ndarray,
    n_levels: int,
    screened: np.ndarray,
    values: np.ndarray,
    rule: Rule,
    n_boot: int,
    seed: int,
    population: float | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chosen level of every resample, with Youden's J there in the bag and out of it (NaN where undefined).

    Parameters
    ----------
    kinds : ndarray, shape (3, verified)
        Level, case and weight of each verified person.
    """
    distinct, number = np.unique(kinds, axis=1, return_counts=True)
    times = stats.poisson.pmf(np.arange(MOST_TIMES), 1.0)
    drawn = np.random.default_rng(seed).multinomial(number, times / times.sum(), size=(n_boot, len(number)))
    bag, out = drawn @ np.arange(MOST_TIMES), drawn[:, :, 0]
    place = np.zeros((len(number), 2 * n_levels))
    place[np.arange(len(number)), (distinct[1] * n_levels + distinct[0]).astype(int)] = distinct[2]
    inside, outside = (counts @ place for counts in (bag, out))
    picked, j_in, j_out = np.full(n_boot, -1), np.full(n_boot, math.nan), np.full(n_boot, math.nan)
    for b in range(n_boot):
        noncase, case = inside[b].reshape(2, n_levels)
        if case.sum() == 0 or noncase.sum() == 0:
            continue
        table = cutoff_table(values, screened, ScoreCounts(values, case, noncase), rule, population)
        best = chosen(table, rule)
        if len(best):
            picked[b], j_in[b] = best[-1], table["youden"].iloc[best[-1]]
            j_out[b] = youden_at(outside[b].reshape(2, n_levels), best[-1])
    return picked, j_in, j_out


def youden_at(counts: np.ndarray, place: int) -> float:
    """Youden's J of the cut at one level, from counts of (non-cases, cases); NaN when a side is empty."""
    noncase, case = counts
    if case.sum() == 0 or noncase.sum() == 0:
        return math.nan
    return float(case[place:].sum() / case.sum() + noncase[:place].sum() / noncase.sum() - 1)


def choice_frequencies(picked: np.ndarray, values: np.ndarray, sign: int) -> pd.DataFrame:
    """How often each cut-off was chosen, as a share of the resamples in which any was."""
    usable = picked[picked >= 0]
    number = np.bincount(usable, minlength=len(values))
    table = pd.DataFrame({"cutoff": sign * values, "share": number / max(len(usable), 1)})
    return table[number > 0].sort_values("cutoff").reset_index(drop=True)


def finished_table(table: pd.DataFrame, best: np.ndarray, sign: int) -> pd.DataFrame:
    """Table in rising order of the scale's own score, with the chosen row marked."""
    mark = np.zeros(len(table), dtype=bool)
    mark[best[-1:]] = True
    table = table.drop(columns="cost").assign(cutoff=sign * table["cutoff"] + 0.0, chosen=mark)
    return table[::sign].reset_index(drop=True)
