"""Served and unserved who were chosen by themselves or by schools, made alike by weights: what is left between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts import outcome_matched_said as said
from mhlib.analyses.parts.outcome_effect import Effect, icc_of, pooled_sd
from mhlib.analyses.parts.outcome_matched_said import FAILS, FINE, HALF_OUTSIDE
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, other_design, without_baseline, without_control, without_pupils
from mhlib.errors import DesignError
from mhlib.findings import Check, Light, Message, Refused, message
from mhlib.stats.effects import (
    WeightedEffectResult,
    WeightsResult,
    baseline_balance,
    cluster_robust,
    entropy_balancing,
    hedges_g_from_model,
    inverse_probability_weights,
    overlap_weights,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Known of pupils and schools, whether or not the plan adjusts for it.
ATTRIBUTES = ("sex", "level", "boarding", "left_behind", "urban")
BANDS = {
    "fine": message("alike"), "adjust": message("adjust for it"), "fails": message("too far apart for any adjustment"),
    "unknown": message("unknown"),
}  # fmt: skip
KNOWN = ("b", "sex", "boarding", "left_behind", "urban")
BIN, FEWEST_IN_BIN = 0.05, 10
FEWEST_DRAWS = 199
ABOUT = {
    "ato": message("pupils who could have been in either group"),
    "att": message("pupils served"),
    "ate": message("all pupils compared"),
    "model": message("nobody in particular: it rests on a straight line"),
    "none": message("no effect: the groups differ before the programme"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchedSection:
    """The weighted comparison, how alike the groups became, and what other ways of weighting give."""

    effect: Effect | Refused
    estimate: Drawn | Refused
    love: Drawn | Refused
    overlap: Drawn | Refused
    balance: Drawn | Refused
    estimators: Drawn | Refused
    effective: Drawn | Refused
    reading: list[Message]
    domains: list[Light]
    checks: list[Check]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """Weights of one kind, and the comparison under them."""

    weights: WeightsResult
    effect: WeightedEffectResult | Refused


def section(trial: Trial, params: Params) -> MatchedSection:
    """Overlap weights as the plan has them; regression, entropy balancing and inverse probabilities beside them."""
    if refused := _refusal(trial):
        return _nothing(refused)
    frame, names = covariate_frame(trial, params)
    if "b" not in names or frame["treated"].nunique() < 2:
        return _nothing(_nothing_to_weigh())
    try:
        planned = _weighted(trial, params, frame, names, "ato", seed=params.seed)
    except DesignError as error:
        return _nothing(refused_design(error))
    after = _balanced(frame, names, planned.weights.weights)
    shown = {
        "love": _love(after), "overlap": _overlap(frame, planned.weights.propensity), "balance": _balance(after),
    }  # fmt: skip
    checks = [*said.checks(frame, planned, after), *planned.weights.checks]
    refused = _no_overlap(planned) or (planned.effect if isinstance(planned.effect, Refused) else None)
    domains = [
        said.confounding(names),
        said.overlap_light(planned),
        said.balance_light(after),
    ]
    if refused is not None:
        return MatchedSection(effect=refused, estimate=refused, **shown, estimators=refused, effective=refused, reading=[],
                              domains=domains, checks=checks)  # fmt: skip
    others = _others(trial, params, frame, names)
    effect = _effect(trial, params, frame, planned.effect)
    estimators = _estimators(trial, params, frame, names, planned, others)
    return MatchedSection(
        effect=effect, estimate=_estimate(effect), **shown, estimators=estimators,
        effective=_effective(estimators.table, planned, others),
        reading=[*said.reading(effect, planned, after, estimators.table), *said.left_out(len(trial.compared) - len(frame))],
        domains=[*domains, said.agreement(effect, estimators.table)], checks=checks,
    )  # fmt: skip


def _refusal(trial: Trial) -> Refused | None:
    if trial.design != "matched":
        return other_design()
    if not len(trial.people):
        return without_pupils()
    if not trial.controlled:
        return without_control()
    return None if trial.has_baseline else without_baseline()


def _nothing_to_weigh() -> Refused:
    return Refused(
        "no_complete_rows",
        message("Too few pupils have a baseline and every covariate for two groups to be compared."),
        message("The baseline and the covariates of those served and of those not served."),
    )


def _nothing(refused: Refused) -> MatchedSection:
    fields = ("effect", "estimate", "love", "overlap", "balance", "estimators", "effective")
    return MatchedSection(**dict.fromkeys(fields, refused), reading=[], domains=[], checks=[])


def covariate_frame(trial: Trial, params: Params) -> tuple[pd.DataFrame, list[str]]:
    """Those compared with every covariate as numbers or text, and the names of what is adjusted for, the baseline first."""
    frame = trial.compared.copy()
    names = list(dict.fromkeys(["b", *params.covariates]))
    for name in {*names, *(one for one in ATTRIBUTES if one in frame)}:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            frame[name] = column.astype("Float64").astype(float)
        else:
            frame[name] = column.astype(object).where(column.notna(), None)
    # Whoever lacks a covariate cannot be weighted, and one that does not vary among the others sets nobody apart.
    frame = frame[frame[names].notna().all(axis=1)].reset_index(drop=True)
    return frame, [name for name in names if frame[name].nunique() > 1]


def _weighted(
    trial: Trial, params: Params, frame: pd.DataFrame, names: list[str], kind: str, seed: int | None
) -> Weighted:
    given = {"treatment": "treated", "covariates": names, "outcome": "y", "seed": seed, "conf_level": params.conf_level,
             "n_draws": max(params.n_boot, FEWEST_DRAWS),
             "cluster": None if trial.cluster == "pupil_pid" else trial.cluster}  # fmt: skip
    if kind == "ato":
        found = overlap_weights(frame, **given)
    elif kind == "att":
        found = entropy_balancing(frame, **given)
    else:
        found = inverse_probability_weights(frame, estimand="ate", **given)
    return Weighted(weights=found, effect=found.effect)


def _others(trial: Trial, params: Params, frame: pd.DataFrame, names: list[str]) -> dict[str, Weighted | Refused]:
    """Entropy balancing and inverse probabilities, with the weights taken as known."""
    found: dict[str, Weighted | Refused] = {}
    for kind in ("att", "ate"):
        try:
            found[kind] = _weighted(trial, params, frame, names, kind, seed=None)
        except DesignError as error:
            found[kind] = refused_design(error)
    return found


def _no_overlap(planned: Weighted) -> Refused | None:
    if planned.weights.outside <= HALF_OUTSIDE:
        return None
    return Refused(
        "no_overlap",
        message("More than half of the pupils had a chance of being served that nobody in the other group had: the groups are too "
                "unlike to be compared."),
        message("Pupils not served who resemble those served in the baseline and the covariates."),
    )  # fmt: skip


def _effect(trial: Trial, params: Params, frame: pd.DataFrame, found: WeightedEffectResult) -> Effect:
    """Standardised by the pooled deviation of pupils within groups, unweighted, as in every other design."""
    sd, g, low, high = pooled_sd(frame), math.nan, math.nan, math.nan
    if found.std_error == found.std_error:
        n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
        standard = hedges_g_from_model(
            found.estimate, found.std_error, sd=sd, n_treated=n1, n_control=n0, icc=icc_of(trial, frame),
            cluster_size=len(frame) / max(found.n_clusters, 1), df=max(float(found.df), 1.0), n_clusters=found.n_clusters,
            conf_level=params.conf_level,
        )  # fmt: skip
        g, low, high = standard.g, standard.conf_low, standard.conf_high
    return Effect(
        estimate=found.estimate, std_error=found.std_error, conf_low=found.conf_low, conf_high=found.conf_high, df=found.df,
        p_value=found.p_value, sd=sd, g=g, g_low=low, g_high=high, n_used=found.n_used, n_clusters=found.n_clusters,
        method=message("overlap weights of a logit of being served, resampled by unit"),
        p_refused=found.refusals.get("weighted"),
    )  # fmt: skip


def _estimate(effect: Effect) -> Drawn:
    base = {"about_said": ABOUT["ato"], "n_used": effect.n_used, "n_units": effect.n_clusters}
    rows = [
        {"term": "effect_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
         "df": effect.df, "p_value": effect.p_value, **base},
        {"term": "effect_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high, **base},
    ]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _balanced(frame: pd.DataFrame, names: list[str], weights: np.ndarray) -> pd.DataFrame:
    """Standardised differences before and after, of what is adjusted for and of what is known besides."""
    besides = [name for name in ATTRIBUTES if name in frame and name not in names and frame[name].nunique() > 1]
    before, after = (
        baseline_balance(frame, arm="treated", columns=[*names, *besides], weights=weight).rows
        for weight in (None, weights)
    )
    columns = ["column", "level", "value", "reference_value", "difference", "wwc"]
    return before[columns].assign(
        after=after["difference"].to_numpy(), ratio=after["variance_ratio"].to_numpy(),
        adjusted=before["column"].isin(names), n_used=[_least(frame, name) for name in before["column"]],
    )  # fmt: skip


def _least(frame: pd.DataFrame, name: str) -> int:
    return int(frame[frame[name].notna()].groupby("treated").size().min())


def _named(rows: pd.DataFrame) -> list[str]:
    """`start_b` for a property that the vocabulary knows, `level_S` for a level of a text, else the column's name."""
    return [f"{name}_{level}" if isinstance(level, str) else f"start_{name}" if name in KNOWN else name
            for name, level in zip(rows["column"], rows["level"], strict=True)]  # fmt: skip


def _love(rows: pd.DataFrame) -> Drawn:
    """Two points a covariate: before and after weighting."""
    parts = [
        pd.DataFrame({"group": _named(rows), "term": name, "estimate": _finite(rows[column]), "conf_low": math.nan,
                      "conf_high": math.nan, "n_used": rows["n_used"]})
        for name, column in (("weighting_before", "difference"), ("weighting_after", "after"))
    ]  # fmt: skip
    table = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    return Drawn(table=table, axis=message("standardised difference, served less unserved"), rule=0.0)


def _balance(rows: pd.DataFrame) -> Drawn:
    return Drawn(table=pd.DataFrame({
        "property_named": _named(rows), "adjusted_for": rows["adjusted"], "mean_control": rows["reference_value"],
        "mean_programme": rows["value"], "g": _finite(rows["difference"]), "g_weighted": _finite(rows["after"]),
        "band_said": [_band(value) for value in rows["after"]], "n_used": rows["n_used"],
    }))  # fmt: skip


def _finite(values: pd.Series) -> np.ndarray:
    """Two constants that differ are infinitely many deviations apart, which no figure can show."""
    numbers = values.to_numpy(dtype=float)
    return np.where(np.isinf(numbers), math.nan, np.round(numbers, 12) + 0.0)


def _band(value: float) -> Message:
    size = abs(value)
    if size != size:
        return BANDS["unknown"]
    return BANDS["fine" if size <= FINE else "adjust" if size <= FAILS else "fails"]


def _overlap(frame: pd.DataFrame, chances: np.ndarray) -> Drawn:
    """Density of the chance of being served, by group; neighbouring bins are put together until each holds ten pupils."""
    rows = []
    for name, arm in (("matched_served", 1.0), ("matched_unserved", 0.0)):
        mine = chances[(frame["treated"] == arm).to_numpy()]
        for low, high, n in bins(mine):
            share = to_five(n) / to_five(len(mine))
            rows.append({"group": name, "x": (low + high) / 2, "y": share / (high - low), "n_used": n})
    return Drawn(table=pd.DataFrame(rows), x_axis=message("chance of being served, from what was measured"),
                 y_axis=message("density of pupils (1: evenly spread)"), points=True)  # fmt: skip


def to_five(n: int) -> int:
    """Rounded as the gate rounds counts, so that a curve gives no exact number of pupils back."""
    return max(5 * math.floor(n / 5 + 0.5), 5)


def bins(chances: np.ndarray) -> list[tuple[float, float, int]]:
    """Bins of a twentieth from the lowest chance to the highest, each with its pupils; a thin one joins its neighbour."""
    edges = BIN * np.arange(math.floor(chances.min() / BIN), math.floor(chances.max() / BIN) + 2)
    counts, _ = np.histogram(chances, edges)
    found: list[tuple[float, float, int]] = []
    start, held = float(edges[0]), 0
    for high, n in zip(edges[1:], counts, strict=True):
        held += int(n)
        if held >= FEWEST_IN_BIN:
            found.append((start, float(high), held))
            start, held = float(high), 0
    if held and found:
        low, _, n = found.pop()
        found.append((low, float(edges[-1]), n + held))
    return found


def _estimators(
    trial: Trial, params: Params, frame, names, planned: Weighted, others: dict[str, Weighted | Refused]
) -> Drawn:
    """The planned way first; the plain difference last, and named as no effect."""
    rows, lacking = [_row("matched_overlap", "ato", planned.effect)], []
    doubly = next(row for row in planned.effect.rows if row["term"] == "doubly robust")
    rows.append({"group": "matched_doubly", "about_said": ABOUT["ato"], "n_used": planned.effect.n_used}
                | {name: doubly[name] for name in ("estimate", "conf_low", "conf_high")})  # fmt: skip
    for kind, name in (("att", "matched_entropy"), ("ate", "matched_ipw")):
        found = others[kind]
        refused = found if isinstance(found, Refused) else found.effect if isinstance(found.effect, Refused) else None
        if refused is not None:
            lacking.append(refused.why)
        else:
            rows.append(_row(name, kind, found.effect))
    for name, about, formula in (("matched_regression", "model", f"y ~ treated + {' + '.join(f'`{name}`' for name in names)}"),
                                 ("matched_unadjusted", "none", "y ~ treated")):  # fmt: skip
        fit = cluster_robust(formula, frame, cluster=trial.cluster, arm="treated", conf_level=params.conf_level)
        if isinstance(fit, Refused):
            lacking.append(fit.why)
        else:
            row = fit.to_frame().set_index("term").loc["treated"]
            rows.append({"group": name, "about_said": ABOUT[about], "n_used": fit.n_used}
                        | {one: row[one] for one in ("estimate", "conf_low", "conf_high")})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)[["group", "about_said", "estimate", "conf_low", "conf_high", "n_used"]],
                 axis=message("difference (points)"), rule=0.0, lacking=tuple(lacking))  # fmt: skip


def _row(name: str, about: str, found: WeightedEffectResult) -> dict[str, object]:
    return {"group": name, "about_said": ABOUT[about], "estimate": found.estimate, "conf_low": found.conf_low,
            "conf_high": found.conf_high, "n_used": found.n_used}  # fmt: skip


def _effective(table: pd.DataFrame, planned: Weighted, others: dict[str, Weighted | Refused]) -> Drawn:
    """The same ways as a table, with the pupils that the groups are worth after weighting."""
    found = {"matched_overlap": planned, "matched_entropy": others["att"], "matched_ipw": others["ate"]}
    worth = {name: (*one.effect.effective, one.effect.largest_share) for name, one in found.items()
             if not isinstance(one, Refused) and not isinstance(one.effect, Refused)}  # fmt: skip
    columns = ("effective_served", "effective_unserved", "heaviest_share")
    more = {
        column: [worth.get(name, (math.nan,) * 3)[at] for name in table["group"]] for at, column in enumerate(columns)
    }
    return Drawn(table=table.rename(columns={"group": "analysis_named"}).assign(**more))
