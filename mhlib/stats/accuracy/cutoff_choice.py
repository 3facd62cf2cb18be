"""Where the cut-off should stand: by Youden, cost, a floor of sensitivity or specificity, or what the services can see."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.cutoff_resamples import UNCORRECTED, Corrected, Moves, Screened, corrected, moves
from mhlib.stats.accuracy.cutoff_rules import Curves, best, checked_rule, costs, curves_of, highest
from mhlib.stats.accuracy.resampling import cluster_codes, enough_resamples
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffsResult:
    """Every cut-off with what it would bring, and the one that the criterion chooses.

    Attributes
    ----------
    cutoff : float or None
        Read with `direction`; None when no cut-off meets the criterion.
    cutoff_low, cutoff_high : float
        Percentiles of the cut-offs chosen in the resamples; NaN without resamples. They show how firmly the data choose
        and are no confidence interval: the best cut-off converges too slowly for one.
    ties : tuple of float
        Every cut-off that meets the criterion equally well, the chosen one among them.
    table : pandas.DataFrame
        One row a cut-off: `cutoff, referrals, referral_share, sensitivity, specificity, ppv, npv, youden, missed_cases,
        false_alarms, cost, chosen`. Accuracy is NaN without a reference; `cost` is in false alarms, NaN without a ratio.
    frequencies : pandas.DataFrame or None
        `cutoff, share`: how often each cut-off was chosen in the resamples.
    youden, youden_out_of_bag, youden_632 : float
        Youden's J at the choice: as it looks, on the people left out of each resample, and Efron's .632 blend.
    sensitivity_632, specificity_632 : float
        The same blend of each part.
    optimism : float
        `youden - youden_632`.
    share : float
        How often resamples chose this very cut-off.
    n_none : int
        Resamples in which no cut-off met the criterion.
    exploratory : bool
        Always true: a cut-off chosen on the data that judge it.
    """

    cutoff: float | None
    cutoff_low: float
    cutoff_high: float
    ties: tuple[float, ...]
    criterion: str
    direction: str
    table: pd.DataFrame = field(repr=False)
    frequencies: pd.DataFrame | None = field(repr=False)
    youden: float
    youden_out_of_bag: float
    youden_632: float
    sensitivity_632: float
    specificity_632: float
    optimism: float
    share: float
    n_none: int
    exploratory: bool
    n_verified: int
    n_clusters: int | None
    n_boot: int
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms of the chosen cut-off; no row but `cutoff` (NaN) when none meets the criterion."""
        own = math.nan if self.cutoff is None else self.cutoff
        rows: list[dict[str, object]] = [
            {"term": "cutoff", "estimate": own, "cutoff_low": self.cutoff_low, "cutoff_high": self.cutoff_high}
        ]
        for row in self.table[self.table["chosen"]].to_dict("records"):
            measures = ("sensitivity", "specificity", "ppv", "npv", "youden", "referrals", "missed_cases", "cost")
            rows += [{"term": name, "estimate": row[name]} for name in measures]
            extra = ("sensitivity_632", "specificity_632", "youden_out_of_bag", "youden_632", "optimism", "share")
            rows += [{"term": name, "estimate": getattr(self, name)} for name in extra]
        return term_frame(rows).assign(n_used=self.n_used)


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
    cluster: object = None,
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
        0–1, for 'cost', predictive values and missed cases; default that of the (weighted) rows.
    capacity : float, optional
        People who can be seen, for 'capacity'.
    population : float, optional
        People to be screened next; referrals and missed cases are scaled to them. Default: n.
    weights : array-like, shape (n,), optional
        Inverse verification probability, read in verified rows only; compulsory when some rows are unverified.
    cluster : array-like, shape (n,), optional
        School: whole schools are resampled; else people.
    n_boot : int
        Resamples for the distribution of the cut-off and its optimism; 0 for none.
    seed : int, optional
        Compulsory with `n_boot`.
    conf_level : float
        0–1, of the percentiles of the cut-off.

    Returns
    -------
    CutoffsResult
        Among equally good cut-offs the lowest-referring one is `cutoff`; `ties` names all. With a floor of sensitivity,
        of cut-offs with one specificity only the most sensitive counts as good (and the other way round).

    Raises
    ------
    ParamsError
        A criterion without what it needs; resamples without a seed.
    DesignError
        Unverified rows and no weights; no case or no non-case; a single school.
    DataError
        A missing score; more than 2,000 distinct scores with resamples.

    Notes
    -----
    People: Poisson bootstrap, each person drawn Poisson(1) times. The rule chooses on those drawn, and the choice is
    judged on those not drawn (out of bag); .632 = .368 apparent + .632 out of bag. Numbers of people by score are drawn,
    so a resample has no n in it. Weights are taken as known. With 'cost', None means that referring nobody is cheaper.
    References: Youden (1950); Efron (1983) and Efron & Tibshirani (1997) for .632; Zweig & Campbell (1993) for cost.
    Checked against: tests/oracle/cutoff_choices.csv (cutpointr, OptimalCutpoints, pROC).
    """
    where = "cutoffs"
    screened, values, sign = screened_rows(score, reference, weights, cluster, direction, where=where)
    people = float(len(screened.level) if population is None else population)
    rule = checked_rule(
        criterion, target=target, cost_ratio=cost_ratio, prevalence=prevalence, capacity=capacity, population=people,
        without_reference=reference is None, where=where,
    )  # fmt: skip
    checked_boot(n_boot, seed, conf_level, where=where)
    curves = curves_of(*screened.tables()[:, None, :])
    mask = best(curves, rule)
    place, mask = int(highest(mask)[0]), mask[0]
    found = moves(screened, [rule], seed, n_boot)[0] if n_boot else None
    judged = judge(found, curves, place, values, sign, conf_level)
    table = cutoff_table(curves, values, people, rule.prevalence, rule.cost_ratio)
    return CutoffsResult(
        cutoff=None if place < 0 else float(sign * values[place] + 0.0),
        ties=ties_of(mask, values, sign),
        criterion=criterion,
        direction=direction,
        table=in_own_order(table.assign(chosen=np.arange(len(values)) == place), sign),
        youden=math.nan if place < 0 else float(curves.youden[0, place]),
        exploratory=True,
        n_verified=int((screened.status < 2).sum()),
        n_clusters=None if screened.cluster is None else screened.cluster[1],
        n_boot=n_boot,
        seed=seed,
        n_used=len(screened.level),
        n_excluded=0,
        method=f"{criterion}, read 'positive when score {direction} c'",
        conf_level=conf_level,
        **{name: getattr(judged, name) for name in Corrected.__slots__},
    )


def checked_boot(n_boot: int, seed: int | None, conf_level: float, *, where: str) -> None:
    """Stop at resamples without a seed.

    Raises
    ------
    ParamsError
    """
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if n_boot and seed is None:
        raise ParamsError(where, "n_boot needs a seed", allowed="a whole number as seed")
    if n_boot:
        enough_resamples(n_boot, where=where)


def screened_rows(
    score: object, reference: object, weights: object, cluster: object, direction: str, *, where: str
) -> tuple[Screened, np.ndarray, int]:
    """Everyone screened by level, the levels with high meaning ill, and the sign that makes it so."""
    sign = demand_direction(direction, where=where)
    score = inputs.numeric(score, where=where, name="score")
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    if not len(score):
        raise DesignError(where, "nobody was screened", allowed="at least one score")
    inputs.same_length(where, score=score, cluster=cluster)
    values, level = score_levels(sign * score)
    case, weight = verified_part(reference, weights, len(score), where=where)
    seen = ~np.isnan(case)
    if reference is not None:
        demand_both((weight * (case == 1)).sum(), (weight * (case == 0)).sum(), where=where)
    groups = None if cluster is None else cluster_codes(cluster, where=where)
    return Screened(level, np.where(seen, case, 2).astype(np.int64), weight, groups, len(values)), values, sign


def verified_part(reference: object, weights: object, n: int, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Reference with NaN where unverified, and weights of the verified rows (0 elsewhere).

    Raises
    ------
    DesignError
        Unverified rows without weights: accuracy among the verified is not that of the screened.
    """
    if reference is None:
        return np.full(n, math.nan), np.zeros(n)
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, score=np.empty(n), reference=case, weights=weights)
    seen = ~np.isnan(case)
    if weights is None:
        if n_unseen := int((~seen).sum()):
            raise DesignError(
                f"{where}(weights)",
                f"{n_unseen} of {n} people are unverified and no weights are given",
                allowed="inverse verification probabilities of the verified",
                remedy="give weights, or leave the unverified out if verification did not depend on the score",
            )
        return case, np.ones(n)
    weight = inputs.numeric(weights, where=where, name="weights")
    inputs.weights_of(weight[seen], int(seen.sum()), where=where)
    return case, np.where(seen, weight, 0.0)


def judge(
    found: Moves | None, curves: Curves, place: int, values: np.ndarray, sign: int, conf_level: float
) -> Corrected:
    """What the resamples say about the choice at `place` (-1: none); nothing without resamples."""
    if found is None:
        return UNCORRECTED
    apparent = (math.nan, math.nan)
    if place >= 0:
        apparent = (float(curves.sensitivity[0, place]), float(curves.specificity[0, place]))
    return corrected(found, values, sign, place, apparent, conf_level)


def ties_of(mask: np.ndarray, values: np.ndarray, sign: int) -> tuple[float, ...]:
    """Cut-offs that meet the criterion equally well, from the most to the least referring."""
    return tuple(float(cut) + 0.0 for cut in sign * values[mask])


def cutoff_table(
    curves: Curves, values: np.ndarray, population: float, prevalence: float | None, cost_ratio: float | None
) -> pd.DataFrame:
    """One row per cut-off with high meaning ill, from the lowest to the highest; accuracy is NaN without a reference."""
    se, sp, share = curves.sensitivity[0], curves.specificity[0], curves.referral_share[0]
    rate = curves.prevalence[0] if prevalence is None else prevalence
    hits, alarms, missed, cleared = se * rate, (1 - sp) * (1 - rate), (1 - se) * rate, sp * (1 - rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        ppv, npv = hits / (hits + alarms), cleared / (cleared + missed)
    return pd.DataFrame(
        {
            "cutoff": values,
            "referrals": share * population,
            "referral_share": share,
            "sensitivity": se,
            "specificity": sp,
            "ppv": ppv,
            "npv": npv,
            "youden": se + sp - 1,
            "missed_cases": missed * population,
            "false_alarms": alarms * population,
            "cost": costs(curves, rate, cost_ratio)[0] * population if cost_ratio is not None else math.nan,
        }
    )


def in_own_order(table: pd.DataFrame, sign: int) -> pd.DataFrame:
    """Table in rising order of the scale's own score."""
    return table.assign(cutoff=sign * table["cutoff"] + 0.0)[::sign].reset_index(drop=True)
