"""What a screen brings to a population: cases found and missed, false alarms, referrals, and the cost of a case found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.screening_stages import NetAccuracy, ScreeningStage, combined, net_accuracy
from mhlib.stats.intervals import on_log, on_logit
from mhlib.stats.terms import term_frame

SHARES = ("sensitivity", "specificity", "prevalence", "ppv", "npv", "referral_share")
COUNTS = ("cases", "found", "missed", "false_alarms", "referrals")
INVERSE = ("nns", "referrals_per_case")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScreeningYield:
    """Yield of a screen in a population; counts are people, costs in the unit given.

    Attributes
    ----------
    nns : float
        Number needed to screen to find one case.
    referrals_per_case : float
        Referrals per case found, 1 / PPV.
    cost_per_case : float
        All costs over cases found; NaN when no cost was given.
    stages : pandas.DataFrame
        `stage, tested, positive, true_positive, false_positive, ppv` after each stage of a serial rule; for a parallel
        rule each screen by itself.
    net : NetAccuracy
        With bounds over every dependence of two stages.
    draws_outside : int
        Monte Carlo draws whose true prevalence fell outside 0-1 and was set to the edge.
    """

    sensitivity: float
    specificity: float
    prevalence: float
    ppv: float
    npv: float
    referral_share: float
    cases: float
    found: float
    missed: float
    false_alarms: float
    referrals: float
    nns: float
    referrals_per_case: float
    cost_total: float
    cost_per_case: float
    population: float
    net: NetAccuracy
    stages: pd.DataFrame = field(repr=False)
    terms: pd.DataFrame = field(repr=False)
    n_draws: int
    draws_outside: int
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure, counts of the population among them."""
        return self.terms.assign(n_used=self.n_used)


def screening_yield(
    stages: ScreeningStage | Sequence[ScreeningStage],
    *,
    population: float,
    n_used: int,
    prevalence: tuple[float, float] | float | None = None,
    apparent_prevalence: tuple[float, float] | float | None = None,
    rule: str = "serial",
    case_dependence: float = 0.0,
    noncase_dependence: float = 0.0,
    cost_referral: float = 0.0,
    n_draws: int = 0,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> ScreeningYield:
    """Yield of one screen, or of several used together.

    Parameters
    ----------
    stages : ScreeningStage or sequence of these
        With standard errors, which carry into every interval.
    population : float
        People to be screened; known.
    n_used : int
        Persons behind the accuracy.
    prevalence : (estimate, standard error) or float
        True prevalence; or
    apparent_prevalence : (estimate, standard error) or float
        Share positive on the first stage, from which the true one follows (Rogan & Gladen 1978).
    rule, case_dependence, noncase_dependence
        As in :func:`net_accuracy`.
    cost_referral : float
        Cost of one referral (the assessment), beside the cost of each stage.
    n_draws : int
        0: delta method. Otherwise Monte Carlo draws (logit-normal), with `seed`.
    seed : int, optional
    conf_level : float

    Returns
    -------
    ScreeningYield

    Raises
    ------
    DataError
        Accuracies or prevalences outside 0-1, negative errors or costs, a population below 1.
    DesignError
        An apparent prevalence that leads to a true one outside 0-1, or a screen no better than chance.
    ParamsError
        Both prevalences or none; draws without a seed.

    Notes
    -----
    found = N pi Se, false alarms = N (1 - pi)(1 - Sp), NNS = 1/(pi Se). Delta intervals on the logit of the share a
    number is of the population (NNS: of its inverse), and on the log of costs.
    Accuracies and prevalence are taken as independent estimates.
    References: Rembold (1998) BMJ 317:307 for NNS; Rogan & Gladen (1978). Checked against: tests/stats/test_decision.py
    (Richardson 2010's rates at 130,000 pupils; delta method and Monte Carlo against each other).
    """
    where = "screening_yield"
    chain = [stages] if isinstance(stages, ScreeningStage) else list(stages)
    net = net_accuracy(chain, rule=rule, case_dependence=case_dependence, noncase_dependence=noncase_dependence)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if not population >= 1:
        raise DataError(f"{where}(population)", "is below 1", allowed="people to be screened")
    if n_draws and seed is None:
        raise ParamsError(f"{where}(seed)", "is missing", allowed="a whole number with n_draws")
    centre, errors, apparent = parameters(chain, prevalence, apparent_prevalence)
    costs = np.array([*(stage.cost for stage in chain), cost_referral])
    dependence = np.array([[case_dependence], [noncase_dependence]])

    def measures(theta: np.ndarray) -> dict[str, np.ndarray]:
        """All measures at parameters of shape (p, draws)."""
        return yields(theta, rule, dependence, apparent, float(population), costs)

    values = {name: float(value[0]) for name, value in measures(centre[:, None]).items()}
    check_prevalence(values, apparent)
    if n_draws:
        bounds, outside = monte_carlo(measures, centre, errors, n_draws, seed, conf_level)
    else:
        bounds, outside = delta(measures, values, centre, errors, float(population), conf_level), 0
    del values["raw_prevalence"]
    rows = [{"term": name, "estimate": value, **bounds.get(name, {})} for name, value in values.items()]
    return ScreeningYield(
        **values,
        population=float(population),
        net=net,
        stages=stage_table(chain, rule, values["prevalence"], float(population), dependence),
        terms=term_frame(rows),
        n_draws=n_draws,
        draws_outside=outside,
        seed=seed,
        n_used=n_used,
        n_excluded=0,
        method=f"{rule}, " + (f"Monte Carlo, {n_draws} draws" if n_draws else "delta method"),
        conf_level=conf_level,
    )


def parameters(chain: list[ScreeningStage], true: object, apparent: object) -> tuple[np.ndarray, np.ndarray, bool]:
    """Prevalence, then Se and Sp of each stage, with their errors; and whether the prevalence is the apparent one."""
    where = "screening_yield"
    if (true is None) == (apparent is None):
        raise ParamsError(where, "both prevalences are given, or none", allowed="prevalence or apparent_prevalence")
    given = apparent if true is None else true
    value, error = given if isinstance(given, Sequence) else (given, 0.0)
    if not 0 < value < 1 or not error >= 0:
        raise DataError(where, "the prevalence lies outside 0 to 1, or its error is below 0", allowed="a proportion")
    centre, errors = [float(value)], [float(error)]
    for stage in chain:
        centre += [stage.sensitivity, stage.specificity]
        errors += [stage.sensitivity_error, stage.specificity_error]
    return np.array(centre), np.array(errors), true is None


def yields(
    theta: np.ndarray, rule: str, dependence: np.ndarray, apparent: bool, population: float, costs: np.ndarray
) -> dict[str, np.ndarray]:
    """Every measure at parameters of shape (p, draws)."""
    se, sp = theta[1::2], theta[2::2]
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = (theta[0] + sp[0] - 1) / (se[0] + sp[0] - 1) if apparent else theta[0]
        prevalence = np.clip(raw, 0, 1)
        positive = np.stack([se, 1 - sp], axis=1)
        hit, alarm = combined(positive, rule, dependence)
        found, false = population * prevalence * hit, population * (1 - prevalence) * alarm
        cases, referrals = population * prevalence, found + false
        # People who take each stage: in a serial rule those positive so far.
        takers = [np.full(theta.shape[1], population)]
        for stage in range(1, len(se)):
            past = positive[:stage].prod(axis=0)
            passed = cases * past[0] + (population - cases) * past[1]
            takers.append(passed if rule == "serial" else takers[0])
        total = sum(cost * number for cost, number in zip(costs, [*takers, referrals], strict=True))
        healthy = population - cases
        return {
            "raw_prevalence": raw,
            "sensitivity": hit,
            "specificity": 1 - alarm,
            "prevalence": prevalence,
            "ppv": found / referrals,
            "npv": (healthy - false) / (population - referrals),
            "referral_share": referrals / population,
            "cases": cases,
            "found": found,
            "missed": cases - found,
            "false_alarms": false,
            "referrals": referrals,
            "nns": population / found,
            "referrals_per_case": referrals / found,
            "cost_total": total + 0.0 if costs.any() else np.full_like(found, math.nan),
            "cost_per_case": total / found if costs.any() else np.full_like(found, math.nan),
        }


def check_prevalence(values: dict[str, float], apparent: bool) -> None:
    """Stop when the true prevalence that follows is none."""
    if apparent and not 0 < values["raw_prevalence"] < 1:
        raise DesignError(
            "screening_yield(apparent_prevalence)",
            "leads to a true prevalence outside 0 to 1",
            allowed="a share positive between 1 - specificity and sensitivity",
            remedy="the accuracy does not hold in this population; verify people of it",
        )


def delta(
    measures: object,
    values: dict[str, float],
    centre: np.ndarray,
    errors: np.ndarray,
    population: float,
    conf_level: float,
) -> dict[str, dict[str, float]]:
    """Standard errors by central differences, and intervals on the scale of each measure."""
    p, step = len(centre), 1e-6
    around = measures(np.hstack([centre[:, None] + step * np.eye(p), centre[:, None] - step * np.eye(p)]))
    found = {}
    for name, value in values.items():
        if name == "raw_prevalence":
            continue
        slope = (around[name][:p] - around[name][p:]) / (2 * step)
        error = math.sqrt(float(((slope * errors) ** 2).sum()))
        if name in SHARES or name in COUNTS:
            scale = population if name in COUNTS else 1.0
            ends = [scale * end for end in on_logit(value / scale, error / scale, conf_level)]
        elif name in INVERSE:
            # One over a share: its logit interval turned over, so it never falls below 1.
            ends = [1 / end for end in on_logit(1 / value, error / value**2, conf_level)[::-1]]
        else:
            ends = list(on_log(value, error / value, conf_level)) if value > 0 else [math.nan, math.nan]
        found[name] = {"std_error": error, "conf_low": ends[0], "conf_high": ends[1]}
    return found


def monte_carlo(
    measures: object, centre: np.ndarray, errors: np.ndarray, n_draws: int, seed: int | None, conf_level: float
) -> tuple[dict[str, dict[str, float]], int]:
    """Spread and percentiles over logit-normal draws; parameters of 0 or 1, or without error, stay as they are."""
    moving = (errors > 0) & (centre > 0) & (centre < 1)
    theta = np.repeat(centre[:, None], n_draws, axis=1)
    noise = np.random.default_rng(seed).standard_normal((int(moving.sum()), n_draws))
    at = centre[moving]
    theta[moving] = expit(logit(at)[:, None] + noise * (errors[moving] / (at * (1 - at)))[:, None])
    drawn = measures(theta)
    raw = drawn.pop("raw_prevalence")
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    found = {}
    for name, values in drawn.items():
        finite = values[np.isfinite(values)]
        low, high = np.quantile(finite, tails) if len(finite) else (math.nan, math.nan)
        error = float(finite.std(ddof=1)) if len(finite) > 1 else math.nan
        found[name] = {"std_error": error, "conf_low": float(low), "conf_high": float(high)}
    return found, int(((raw < 0) | (raw > 1)).sum())


def stage_table(
    chain: list[ScreeningStage], rule: str, prevalence: float, population: float, dependence: np.ndarray
) -> pd.DataFrame:
    """People who take each stage and who are positive on it."""
    rows, takers = [], np.array([prevalence, 1 - prevalence]) * population
    positive = np.array([[stage.sensitivity, 1 - stage.specificity] for stage in chain])
    whole = takers.copy()
    for number, stage in enumerate(chain):
        if rule == "serial":
            joint = positive[: number + 1].prod(axis=0) + (dependence[:, 0] if number == 1 else 0.0)
            hits = whole * joint
        else:
            hits = whole * positive[number]
        rows.append(
            {
                "stage": stage.name or f"stage {number + 1}",
                "tested": float(takers.sum()),
                "positive": float(hits.sum()),
                "true_positive": float(hits[0]),
                "false_positive": float(hits[1]),
                "ppv": float(hits[0] / hits.sum()) if hits.sum() > 0 else math.nan,
            }
        )
        takers = hits if rule == "serial" else whole
    return pd.DataFrame(rows)
