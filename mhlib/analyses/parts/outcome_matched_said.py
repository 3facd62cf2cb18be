"""What the weighted comparison may be trusted for: checks, domains of bias, and its reading in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.findings import Check, Count, Estimate, Light, Message, message

if TYPE_CHECKING:
    from mhlib.analyses.parts.outcome_effect import Effect
    from mhlib.analyses.parts.outcome_matched import Weighted

# Standardised differences up to which groups are alike, and beyond which no adjustment is trusted (WWC Handbook 5.0).
FINE, FAILS = 0.05, 0.25
# Share of pupils without a counterpart from which no effect is given, and up to which the overlap is good.
HALF_OUTSIDE, FEW_OUTSIDE = 0.5, 0.05
# Ratio of the variances of the baseline within which the groups are alike beyond their means (Stuart 2010).
LIKE_SPREAD = (0.5, 2.0)


def checks(frame: pd.DataFrame, planned: Weighted, rows: pd.DataFrame) -> list[Check]:
    """Balance of what was adjusted for and of what was not, spread of the baseline, overlap."""
    worst, besides = _largest(rows, adjusted=True), _largest(rows, adjusted=False)
    ratio = float(rows.loc[rows["column"] == "b", "ratio"].iloc[0])
    found = [
        Check(message("After weighting the groups are alike in what was adjusted for"), worst <= FINE,
              message("The largest standardised difference is {g}.", g=Estimate(worst, len(frame)))),
        Check(message("The spread at the start is alike after weighting"), LIKE_SPREAD[0] <= ratio <= LIKE_SPREAD[1],
              message("The variance of the served is {ratio} times that of the unserved.", ratio=Estimate(ratio, len(frame)))),
    ]  # fmt: skip
    if besides == besides:
        found.insert(1, Check(message("After weighting the groups are alike in what was not adjusted for"), besides <= FAILS,
                              message("The largest standardised difference is {g}.", g=Estimate(besides, len(frame)))))  # fmt: skip
    return found


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _largest(rows: pd.DataFrame, *, adjusted: bool) -> float:
    found = rows.loc[rows["adjusted"] == adjusted, "after"].abs().max()
    return float(found)


def confounding(names: list[str]) -> Light:
    """What weights can never make good."""
    said = message("The baseline and {n} further covariates are made alike; whatever else decides on service and outcome is not.",
                   n=len(names) - 1)  # fmt: skip
    return Light(message("Causes that were not measured"), "watch", said,
                 message("never good without lots; with care where the baseline is among what is made alike"), True)  # fmt: skip


def overlap_light(planned: Weighted) -> Light:
    """Share of pupils without a counterpart."""
    outside = planned.weights.outside
    state = "good" if outside <= FEW_OUTSIDE else "watch" if outside <= HALF_OUTSIDE else "bad"
    return Light(
        message("Counterparts in the other group"), state,
        message("{share} of pupils had a chance that nobody in the other group had.", share=_percent(outside)),
        message("good up to {few} of pupils, bad beyond {half}", few=_percent(FEW_OUTSIDE), half=_percent(HALF_OUTSIDE)), True,
    )  # fmt: skip


def balance_light(rows: pd.DataFrame) -> Light:
    """Largest difference left, of what is adjusted for and of what is known besides."""
    worst = float(rows["after"].abs().max())
    state = "good" if worst <= FINE else "watch" if worst <= FAILS else "bad"
    return Light(
        message("Alike after weighting"), state,
        message("The largest standardised difference is {g}.", g=Estimate(worst, int(rows["n_used"].min()))),
        message("good up to {fine}, bad beyond {fails}, of all that is known", fine=f"{FINE:g}", fails=f"{FAILS:g}"), True,
    )  # fmt: skip


def agreement(effect: Effect, table: pd.DataFrame) -> Light:
    """Other ways of adjusting inside the planned interval."""
    name = message("Other ways of adjusting agree")
    rule = message("good: all their estimates inside the interval of the planned one")
    inside = _adjusted(table)["estimate"].between(effect.conf_low, effect.conf_high)
    if effect.conf_low != effect.conf_low:
        return Light(name, "unknown", message("Too few units for an interval."), rule, True)
    return Light(name, "good" if inside.all() else "watch",
                 message("{n} of {all} lie inside it.", n=int(inside.sum()), all=len(inside)), rule, True)  # fmt: skip


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table["group"].isin(["matched_overlap", "matched_unadjusted"])]


def reading(effect: Effect, planned: Weighted, rows: pd.DataFrame, table: pd.DataFrame) -> list[Message]:
    """The difference, about whom it is, and what it is worth."""
    limits = () if effect.conf_low != effect.conf_low else (effect.conf_low, effect.conf_high)
    shown = Estimate(effect.estimate, effect.n_used, *limits)
    said = [
        message("Served less unserved is {estimate} points after weighting. It is about pupils who could have been in either group, "
                "and not about everybody served.", estimate=shown),
        message("After weighting the groups are worth {served} served and {unserved} unserved pupils.",
                served=Count(round(planned.effect.effective[0])), unserved=Count(round(planned.effect.effective[1]))),
        message("The largest standardised difference was {before} before weighting and is {after} after it, over all that is known of "
                "the pupils.", before=Estimate(float(rows["difference"].abs().max()), effect.n_used),
                after=Estimate(float(rows["after"].abs().max()), effect.n_used)),
    ]  # fmt: skip
    plain = table[table["group"] == "matched_unadjusted"]
    if len(plain):
        said.append(message("Without weights the difference is {plain} points. That is no effect: the groups were unlike before the "
                            "programme.", plain=Estimate(float(plain["estimate"].iloc[0]), effect.n_used)))  # fmt: skip
    ways = _adjusted(table)["estimate"]
    said.append(message("Other ways of adjusting give from {low} to {high} points; they are about other pupils and need not agree.",
                        low=Estimate(float(ways.min()), effect.n_used),
                        high=Estimate(float(ways.max()), effect.n_used)))  # fmt: skip
    said.append(message("Weights make alike only what was measured. The section on hidden causes says how strong another cause would "
                        "have to be."))  # fmt: skip
    return said


def left_out(n: int) -> list[Message]:
    """Pupils without a covariate."""
    if not n:
        return []
    return [message("{n} pupils miss a covariate and are left out: nobody can be weighted without it.", n=Count(n))]
