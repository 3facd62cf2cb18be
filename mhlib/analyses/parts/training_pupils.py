"""Whether the pupils of trained teachers fare better: screening scores before and after, trained and waiting schools."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.analyses.parts import training_behaviour_change as change
from mhlib.analyses.parts.outcome_effect import Effect, pooled_sd
from mhlib.analyses.parts.sections import Drawn, without_cutoff
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_behaviour_rows import ARMS, marked, schools_refusal, screens, start_refusal
from mhlib.findings import Check, Count, Estimate, Message, Refused, message
from mhlib.stats.clustered import share
from mhlib.stats.effects import effect_size_check, tost_from_estimate
from mhlib.stats.intervals import wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

PERCENT = 100.0
# Chance with which an effect should have been found that the page calls detectable.
POWER = 0.80
FIELDS = ("effect", "positives", "estimate", "detectable", "before_after", "means", "means_table", "shares", "event", "event_table",
          "pretrend", "honest")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PupilsSection:
    """Results among pupils; each part may be a refusal.

    Attributes
    ----------
    effect : Effect or Refused
        Mean screening score (less is better), change in trained schools less change in schools not yet trained, points.
    positives : Effect or Refused
        The same of the share screen-positive, 0–1.
    """

    effect: Effect | Refused
    positives: Effect | Refused
    estimate: Drawn | Refused
    detectable: Drawn | Refused
    before_after: Drawn | Refused
    means: Drawn | Refused
    means_table: Drawn | Refused
    shares: Drawn | Refused
    event: Drawn | Refused
    event_table: Drawn | Refused
    pretrend: Drawn | Refused
    honest: Drawn | Refused
    reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> PupilsSection:
    """Pupils' screening scores with the training of their school as the treatment."""
    cells, rows = _cells(training, params)
    if isinstance(cells, Refused):
        return PupilsSection(**dict.fromkeys(FIELDS, cells), reading=[], checks=[])
    means = _by_wave(cells, params, "y", message("mean score (points, less is better)"))
    found = {"means": means, "means_table": _in_numbers(means), "shares": _shares(cells, params)}
    refused = start_refusal(params, cells["wave"]) or change.comparison_refusal(training, cells)
    barred = start_refusal(params, cells["wave"])
    found["before_after"] = barred or _before_after(cells, params)
    if refused:
        rest = [name for name in FIELDS if name not in found]
        return PupilsSection(**found, **dict.fromkeys(rest, refused), reading=[], checks=[])
    fit, n = change.fitted(cells, params, "y", weights="n"), len(rows)
    effect = change.effect_of(fit, n_used=n, sd=pooled_sd(rows[rows["post"] == 0], "score"))
    shared = _positives_fit(cells, params)
    study = change.studied(cells, params, n_used=n)
    figure = change.event(study, message("difference of the mean scores (points)"))
    found |= {
        "effect": effect, "positives": change.effect_of(shared, n_used=n), "estimate": _estimates(cells, params, effect, shared, n),
        "detectable": _detectable(effect, params), "event": figure, "event_table": change.event_table(figure),
        "pretrend": change.pretrend(study), "honest": change.honest(study, message("difference of the mean scores (points)")),
    }  # fmt: skip
    checks = [*_lost(training, params, n), change.waves_check(cells), *change.checks_of(fit, study.main, study)]
    if isinstance(effect, Effect):
        checks.append(effect_size_check(effect.g, n_used=n))
    return PupilsSection(**found, reading=_reading(training, effect, shared, params), checks=checks)


def _cells(training: Training, params: Params) -> tuple[pd.DataFrame | Refused, pd.DataFrame | None]:
    """Mean score ``y``, share screen-positive and number ``n`` of each school and wave; and the pupils behind them."""
    if refused := schools_refusal(training):
        return (without_table("response") if training.data.source.kind == "file" else refused), None
    rows = screens(training, params.cutoff)
    if rows is None:
        return without_table("response"), None
    rows = marked(rows.drop(columns="pupil_pid"), training, params)
    if rows.empty:
        return without_table("response"), None
    by = rows.groupby(["school_pid", "wave"], observed=True)
    cells = by.agg(y=("score", "mean"), positive=("positive", "mean"), n=("score", "size"), treated=("treated", "first"),
                   post=("post", "first"), effect=("effect", "first")).reset_index()  # fmt: skip
    return cells, rows


def _by_wave(cells: pd.DataFrame, params: Params, outcome: str, axis: Message, scale: float = 1.0) -> Drawn:
    """Level of each arm in each wave; intervals by school."""
    rows = []
    for arm, name in ARMS.items():
        for wave, part in cells[cells["treated"] == arm].groupby("wave"):
            k = len(part)
            found = share(
                part[outcome].to_numpy(), np.ones(k), weights=part["n"].to_numpy(dtype=float), cluster=(np.arange(k), k)
            )
            low, high = (
                wald(found.value, found.std_error, params.conf_level, found.df) if k > 1 else (math.nan, math.nan)
            )
            rows.append({"group": name, "arm_shown": name, "wave_shown": wave, "x": wave, "y": scale * found.value,
                         "low": scale * low, "high": scale * high, "n_used": int(part["n"].sum())})  # fmt: skip
    mark = None if params.named_from_wave is None else params.named_from_wave - 0.5
    return Drawn(table=pd.DataFrame(rows), x_axis=message("screening wave"), y_axis=axis, mark=mark, points=True)


def _in_numbers(figure: Drawn) -> Drawn:
    table = figure.table.rename(columns={"y": "wave_mean", "low": "wave_low", "high": "wave_high"})
    return Drawn(table=table[["arm_shown", "wave_shown", "wave_mean", "wave_low", "wave_high", "n_used"]])


def _shares(cells: pd.DataFrame, params: Params) -> Drawn | Refused:
    if params.cutoff is None:
        return without_cutoff()
    return _by_wave(cells, params, "positive", message("screen-positive, of 100 pupils"), PERCENT)


def _before_after(cells: pd.DataFrame, params: Params) -> Drawn | Refused:
    found = change.within_arms(cells, params, "y", weights="n")
    if found:
        return Drawn(table=pd.DataFrame(found))
    return Refused(
        "few_schools",
        message("Too few schools were screened before and after the training for an interval."),
        message("At least five schools of each arm in every wave."),
    )


def _positives_fit(cells: pd.DataFrame, params: Params) -> object:
    if params.cutoff is None:
        return without_cutoff()
    return change.fitted(cells.drop(columns="y"), params, "positive", weights="n")


def _estimates(
    cells: pd.DataFrame, params: Params, effect: Effect | Refused, shared: object, n: int
) -> Drawn | Refused:
    """The effect on scores in points and deviations, with every school alike, and on the share screen-positive."""
    if isinstance(effect, Refused):
        return effect
    base = {"df": effect.df, "n_units": effect.n_clusters, "n_used": n}
    rows = [{"term": "pupils_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
             "p_value": effect.p_value, **base},
            {"term": "pupils_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high, **base}]  # fmt: skip
    lacking = []
    alike = change.every_school_alike(cells, params, "y", "pupils_school")
    for row in (
        alike,
        shared if isinstance(shared, Refused) else change.shown(shared, "pupils_share", n_used=n, scale=PERCENT),
    ):
        if isinstance(row, Refused):
            lacking.append(row.why)
        else:
            rows.append(row | {"n_used": n})
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def limits(effect: Effect, params: Params) -> dict[str, float]:
    """What could have been found, what cannot be excluded, and whether the effect is too small to matter; deviations.

    ``found``: the effect found in 80 of 100 such studies, (t_(1 - alpha/2) + t_power) x error. ``excluded``: the smallest
    margin within which two one-sided tests at `alpha` would place the effect. ``p_equivalent``: of these tests against the
    margin of the plan.
    """
    error, df = effect.std_error / effect.sd, effect.df
    tested = tost_from_estimate(
        effect.g, error, df, low=-params.margin, high=params.margin, alpha=params.alpha, n_used=effect.n_used
    )
    reach = float(stats.t.isf(params.alpha / 2, df) + stats.t.ppf(POWER, df)) * error
    return {
        "found": reach,
        "excluded": max(abs(tested.conf_low), abs(tested.conf_high)),
        "p_equivalent": tested.p_value,
    }


def _detectable(effect: Effect | Refused, params: Params) -> Drawn | Refused:
    if isinstance(effect, Refused):
        return effect
    if effect.p_refused is not None or not effect.std_error > 0:
        return effect.p_refused or without_spread()
    found = limits(effect, params)
    return Drawn(table=pd.DataFrame([{
        "found_sd": found["found"], "found_points": found["found"] * effect.sd, "excluded_sd": found["excluded"],
        "excluded_points": found["excluded"] * effect.sd, "margin_sd": params.margin, "p_equivalent": found["p_equivalent"],
        "n_units": effect.n_clusters, "n_used": effect.n_used,
    }]))  # fmt: skip


def without_spread() -> Refused:
    """No error, so nothing about what could have been found."""
    return Refused(
        "no_spread",
        message("The schools do not differ at all, so the error of the effect cannot be had."),
        message("The answers themselves, school by school."),
    )


WORSE = message(
    "Pupils of trained schools came to score higher, which is worse: {value} points ({small} standard deviations)."
)
BETTER = message(
    "Pupils of trained schools came to score lower, which is better: {value} points ({small} standard deviations)."
)
NULL = message("No effect of the training on pupils' scores was found: {value} points ({small} standard deviations).")
ROOM = message(
    "An effect of {found} standard deviations would have been found in 80 of 100 such studies; the data leave no room for an "
    "effect larger than {excluded} either way."
)
NO_MATTER = message(
    "That is less than the margin of {margin} standard deviations: for practical ends there is no effect."
)
NO_PROOF = message(
    "An effect as large as the margin of {margin} standard deviations cannot be excluded, so this is no proof of no effect."
)
ELSEWHERE = message(
    "Trials of such trainings have found the same so far: teachers know more and the health of their pupils does not change "
    "(Jorm 2010; WISE)."
)
SHARE = message(
    "The share of screen-positive pupils changed by {value} percentage points more than in schools not yet trained."
)


def _reading(training: Training, effect: Effect | Refused, shared: object, params: Params) -> list[Message]:
    if isinstance(effect, Refused) or math.isnan(effect.conf_low):
        return []
    n = effect.n_used
    null = effect.conf_low <= 0 <= effect.conf_high
    first = NULL if null else WORSE if effect.conf_low > 0 else BETTER
    said = [_filled(first, value=Estimate(effect.estimate, n, effect.conf_low, effect.conf_high),
                    small=Estimate(effect.g, n, effect.g_low, effect.g_high, 3))]  # fmt: skip
    if effect.std_error > 0:
        found = limits(effect, params)
        room = {name: Estimate(found[name], n, digits=3) for name in ("found", "excluded")}
        said.append(_filled(ROOM, **room))
        if null:
            enough = found["excluded"] < params.margin
            said += [_filled(NO_MATTER if enough else NO_PROOF, margin=params.margin), ELSEWHERE]
    if not isinstance(shared, Refused) and not math.isnan((row := change.row_of(shared, scale=PERCENT))["conf_low"]):
        said.append(_filled(SHARE, value=Estimate(row["estimate"], n, row["conf_low"], row["conf_high"])))
    return said + change.by_lot(training)


def _filled(template: Message, **values: object) -> Message:
    return Message(template.template, values)


def _lost(training: Training, params: Params, n: int) -> list[Check]:
    rows = screens(training, params.cutoff)
    unscored, unplaced = rows.attrs.get("n_unscored", 0), len(rows) - n
    return [Check(
        message("Screenings that could be used"),
        unplaced == 0,
        message(
            "{unscored} screenings left out more than two of nine answers and have no score; {unplaced} come from schools whose "
            "arm is not known.",
            unscored=Count(unscored), unplaced=Count(unplaced),
        ),
    )]  # fmt: skip
