"""The jump of the outcome at the cut-off: whose rows it rests on, when it is refused, and what it is divided by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import refused_design
from mhlib.analyses.parts.trial import Trial, other_design, without_control, without_pupils
from mhlib.errors import DesignError
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import RddResult, rdd
from mhlib.stats.effects.discontinuity_refusals import LEAST_F, weak_first_stage_refusal

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Pupils on a side, within the bandwidth, below whom no line is drawn.
FEWEST_NEAR = 20
METHOD = message("regression discontinuity at the cut-off, with an honest interval")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jump:
    """The fit at the cut-off and the rows behind it.

    Attributes
    ----------
    screened : DataFrame, one row a pupil with a score
        ``score`` (points from the cut-off), ``y``, ``entitled``, ``offered`` (by arm) and ``served`` (by sessions where
        these are recorded, else by arm; NaN unknown), all floats.
    cluster : str or None
        Column behind the errors; None where pupils are taken as independent.
    sharp : RddResult
        Jump of the outcome, whoever took up the service.
    offer, uptake : RddResult or None
        Fits with the offer and with the service taken up as first stages; None where these keep to the cut-off exactly.
    not_kept : Refused or None
        Why reaching the cut-off is no service.
    """

    screened: pd.DataFrame
    cluster: str | None
    sharp: RddResult
    offer: RddResult | None
    uptake: RddResult | None
    not_kept: Refused | None

    @property
    def measured(self) -> pd.DataFrame:
        """Pupils with the primary outcome."""
        return self.screened[self.screened["y"].notna()]

    @property
    def n_near(self) -> int:
        """Pupils within the bandwidth."""
        return self.sharp.n_below + self.sharp.n_above


def jump_of(trial: Trial, params: Params) -> Jump | Refused:
    """Fit the jump as the plan has it, or say why none can be given."""
    if refused := _unfit(trial):
        return refused
    screened, cluster = _screened(trial, params), cluster_of(trial)
    if refused := _one_sided(screened):
        return refused
    try:
        if screened["y"].nunique() < 2:
            raise DesignError("rdd(outcome)", "the outcome is the same in every row", allowed="an outcome that varies")
        return _fitted(screened, cluster, params)
    except DesignError as error:
        return refused_design(error)


def _fitted(screened: pd.DataFrame, cluster: str | None, params: Params) -> Jump | Refused:
    asked = {"outcome": "y", "running": "score", "cutoff": 0.0, "cluster": cluster, "curvature": params.curvature,
             "conf_level": params.conf_level}  # fmt: skip
    sharp = rdd(screened, **asked)
    if isinstance(sharp, Refused):
        return sharp
    if min(sharp.n_below, sharp.n_above) < FEWEST_NEAR:
        return _few_near()
    stages = {}
    for name in ("offered", "served"):
        measured = screened[screened["y"].notna() & screened[name].notna()]
        kept = bool((measured[name] == measured["entitled"]).all())
        found = None if kept else rdd(measured, treated=name, robust=False, **asked)
        stages[name] = None if isinstance(found, Refused) else found
    return Jump(screened=screened, cluster=cluster, sharp=sharp, offer=stages["offered"], uptake=stages["served"],
                not_kept=_not_kept(stages["offered"]))  # fmt: skip


def _unfit(trial: Trial) -> Refused | None:
    if trial.design != "above_cutoff":
        return other_design()
    if not len(trial.people):
        return without_pupils()
    if "running" not in trial.people or trial.people["running"].notna().sum() == 0:
        return Refused("no_running", message("The score that decided on service is not in the source."),
                       message("The score of everyone screened, as points from the cut-off, as column running."))  # fmt: skip
    if trial.people["treated"].isna().any():
        return Refused("third_arm", message("Pupils of a third arm are among those screened: what begins at the cut-off is not one "
                                            "service."),
                       message("One service at one cut-off, or the two arms alone, chosen before the outcome is seen."))  # fmt: skip
    if not (trial.people["treated"] == 1).any():
        return Refused("nobody_served", message("Nobody measured was served: there is nothing whose effect could be seen."),
                       message("Who was served, as column arm."))  # fmt: skip
    return None if trial.controlled else without_control()


def _screened(trial: Trial, params: Params) -> pd.DataFrame:
    people = trial.people[trial.people["running"].notna()]
    score, treated = people["running"].astype(float), people["treated"].astype(float)
    return people.assign(score=score, y=people["y"].astype(float), entitled=(score >= 0).astype(float), offered=treated,
                         served=_served(people, treated, params.attended_from))  # fmt: skip


def _served(people: pd.DataFrame, treated: pd.Series, attended_from: float) -> pd.Series:
    """By sessions where any are recorded: none recorded is none for the unserved, and unknown for the served."""
    if "sessions" not in people or people["sessions"].notna().sum() == 0:
        return treated
    sessions = people["sessions"].astype("Float64").astype(float)
    known = sessions.notna() | (treated == 0)
    return (sessions.fillna(0.0) >= attended_from).astype(float).where(known)


def cluster_of(trial: Trial) -> str | None:
    """The column named for clusters; where pupils are its unit, the widest group that is recorded."""
    named = [] if trial.cluster == "pupil_pid" else [trial.cluster]
    there = [
        name
        for name in (*named, "school_pid", "class_pid")
        if name in trial.people and trial.people[name].notna().all()
    ]
    return there[0] if there else None


def _one_sided(screened: pd.DataFrame) -> Refused | None:
    sides = screened.loc[screened["y"].notna(), "entitled"].nunique()
    if sides == 2:
        return None
    return Refused("one_side", message("Nobody with an outcome scored on one side of the cut-off: there is nobody to compare with."),
                   message("The outcome of everyone screened, on both sides of the cut-off."))  # fmt: skip


def _few_near() -> Refused:
    return Refused(
        "few_near_cutoff",
        message(
            "Fewer than {least} pupils on a side of the cut-off, near enough to it, were measured.", least=FEWEST_NEAR
        ),
        message("The outcome of more pupils just below and just above the cut-off."),
    )


def _not_kept(offer: RddResult | None) -> Refused | None:
    """Whether the offer itself fails to jump upwards at the cut-off."""
    if offer is None:
        return None
    if offer.f_statistic < LEAST_F:
        return weak_first_stage_refusal(offer.f_statistic)
    if offer.first_stage.estimate > 0:
        return None
    return Refused("cutoff_reversed", message("Fewer were served from the cut-off on than below it: the score is not counted towards "
                                              "service."),
                   message("The score as points from the cut-off, so that whoever reaches 0 is served."))  # fmt: skip


def deviation(trial: Trial, params: Params) -> tuple[float, Message]:
    """Points that make one standard deviation, and where they come from.

    The spread of those unserved, or of those near the cut-off, is cut short by the score; an effect divided by it would
    look larger than the same effect elsewhere.
    """
    if params.reference_sd is not None:
        return params.reference_sd, message("unselected peers, as stated in the parameter file")
    if trial.has_baseline:
        return float(trial.people["b"].astype(float).std(ddof=1)), message("everybody screened, before the programme")
    return float(trial.people["y"].astype(float).std(ddof=1)), message(
        "everybody measured, on both sides of the cut-off"
    )


def effect_at_cutoff(found: Jump, sd: float) -> Effect | Refused:
    """Intention to treat at the cut-off; the deviation is taken as known."""
    if found.not_kept is not None:
        return found.not_kept
    one = found.sharp.reduced_form
    over = sd if sd > 0 else math.nan
    return Effect(
        estimate=one.estimate, std_error=one.std_error, conf_low=one.conf_low, conf_high=one.conf_high,
        df=one.df if math.isfinite(one.df) else math.nan, p_value=one.p_value, sd=sd, g=one.estimate / over,
        g_low=one.conf_low / over, g_high=one.conf_high / over, n_used=found.n_near,
        n_clusters=found.sharp.n_clusters or found.n_near, method=METHOD, p_refused=found.sharp.refusals.get("error"),
    )  # fmt: skip


def fitted_lines(found: Jump, variable: int = 0) -> dict[str, tuple[float, float]]:
    """Level at the cut-off and slope a point of the line on each side, ``below`` and ``above``."""
    cells, h, lines = found.sharp.cells, found.sharp.bandwidth, {}
    counts, totals = cells.counts, cells.totals[:, variable]
    for name, side in (("below", ~cells.above), ("above", cells.above)):
        x = cells.distance[side]
        smooth = np.maximum(1 - np.abs(x) / h, 0.0)
        slope, level = np.polyfit(x[smooth > 0], (totals / counts)[side][smooth > 0], 1,
                                  w=np.sqrt((smooth * counts[side])[smooth > 0]))  # fmt: skip
        lines[name] = (float(level), float(slope))
    return lines
