"""The effect on those who took part because they were offered it: only where lots made the offer, and it changed who took part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import adjusted
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import ComplierResult, complier_effect

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Larger shares without a record, in an arm that has records, leave those compared no longer as the lots made them.
MOST_UNRECORDED = 0.05
Found = tuple[Drawn | Refused, Drawn | Refused, list[Message], list[Check]]


def complier(trial: Trial, params: Params, people: pd.DataFrame, *, served_later: bool) -> Found:
    """First stage, effect on compliers, reading and checks; `people` hold ``took_part``."""
    refused = _refusal(trial, people, served_later=served_later)
    if refused is not None:
        return refused, refused, [], []
    frame, names = adjusted(trial, params, _compared(trial, people))
    try:
        # Strata are among the covariates already.
        found = complier_effect(frame, outcome="y", assigned="treated", received="took_part", cluster=trial.cluster,
                                covariates=names, conf_level=params.conf_level)  # fmt: skip
    except DesignError as error:
        refused = refused_design(error)
        return refused, refused, [], []
    if isinstance(found, Refused):
        return found, found, [], []
    effect = found.refusals.get("complier effect")
    return _uptake(found), effect or _effect(found), _reading(found, effect), list(found.checks[-2:])


def _compared(trial: Trial, people: pd.DataFrame) -> pd.DataFrame:
    """Pupils compared in the primary result whose attendance is known; without any record the controls attended none."""
    rows = people.loc[people.index.intersection(trial.compared.index)]
    controls = rows["treated"] == 0
    if not rows.loc[controls, "took_part"].notna().any():
        rows = rows.assign(took_part=rows["took_part"].mask(controls, 0.0))
    return rows[rows["took_part"].notna()]


def _refusal(trial: Trial, people: pd.DataFrame, *, served_later: bool) -> Refused | None:
    if not trial.randomised:
        return without_lots()
    if served_later:
        return Refused(
            "served_later",
            message("Those who began later are served too and sessions carry no date, so nobody can be told who took part by the time "
                    "of the outcome."),
            message("Sessions attended up to the primary occasion."),
        )  # fmt: skip
    return _unrecorded(trial, people) or _alike(trial, people)


def _alike(trial: Trial, people: pd.DataFrame) -> Refused | None:
    """Nobody differs in what lots changed, or everybody did what was drawn."""
    rows = _compared(trial, people)
    if rows["treated"].nunique() < 2 or rows["took_part"].nunique() < 2:
        return Refused(
            "one_kind",
            message("Among those whose attendance is known nobody differs in the offer or in taking part."),
            message("Attendance of every pupil, with the programme and without."),
        )
    if (rows["took_part"] == rows["treated"]).all():
        return Refused(
            "all_took_part",
            message("Everybody offered the programme took part and nobody else, as far as is recorded: the effect of the offer is the "
                    "effect of taking part."),
            message("Nothing."),
        )  # fmt: skip
    return None


def _unrecorded(trial: Trial, people: pd.DataFrame) -> Refused | None:
    """Who has a record is known only after the lots were drawn, and may hang on who came: leaving the others out undoes the lots."""
    rows = people.loc[people.index.intersection(trial.compared.index)]
    lost = rows["took_part"].isna().groupby(rows["treated"]).agg(["mean", "size"])
    # Controls without any record are supposed to have attended none.
    lost = lost[(lost.index == 1) | (lost["mean"] < 1)]
    if not (lost["mean"] > MOST_UNRECORDED).any():
        return None
    worst = lost.loc[lost["mean"].idxmax()]
    return Refused(
        "unrecorded",
        message("{share} of one arm have no record of attendance. Whether there is one may hang on who came, and without them the "
                "arms are no longer as the lots made them.", share=Proportion(float(worst["mean"]), int(worst["size"]))),
        message("Sessions attended by everybody in the arm, with 0 for those who attended none."),
    )  # fmt: skip


def without_lots() -> Refused:
    """No instrument where no lots were drawn."""
    return Refused(
        "not_randomised",
        message("No lots decided who was offered the programme, so those who took part cannot be told from those who would have got "
                "better anyway."),
        message("A programme whose places are drawn by lot, with the attendance of both arms."),
    )  # fmt: skip


def _uptake(found: ComplierResult) -> Drawn:
    """What the offer did to taking part and to the outcome, and how surely."""
    base = {"n_units": found.n_clusters, "n_used": found.n_used}
    names = ("estimate", "conf_low", "conf_high", "p_value")
    rows = [
        {"term": "dose_uptake", **{name: found.uptake[name] for name in names}, **base},
        {
            "term": "dose_first_stage",
            "estimate": found.first_stage_f,
            "conf_low": math.nan,
            "conf_high": math.nan,
            **base,
        },
        {"term": "dose_offer", **{name: found.offer[name] for name in names}, **base},
    ]
    return Drawn(table=pd.DataFrame(rows))


def _effect(found: ComplierResult) -> Drawn:
    """Wald's interval, and the set that holds also where uptake is weak."""
    base = {"n_units": found.n_clusters, "n_used": found.n_used}
    rows = [{"term": "dose_complier", "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high,
             "p_value": found.p_value, **base}]  # fmt: skip
    rows += [{"term": "dose_anderson_rubin", "estimate": math.nan, "conf_low": low, "conf_high": high,
              "p_value": found.anderson_rubin_p, **base}
             for low, high in found.anderson_rubin if math.isfinite(low) and math.isfinite(high)]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _reading(found: ComplierResult, refused: Refused | None) -> list[Message]:
    if refused is None:
        limits = () if math.isnan(found.conf_low) else (found.conf_low, found.conf_high)
        return [message("Among those who took part because they were offered it the difference is {effect} points. It is no larger "
                        "benefit of the programme, but the same one over fewer pupils, and it supposes that the offer alone changes "
                        "nothing.", effect=Estimate(found.estimate, found.n_used, *limits))]  # fmt: skip
    pieces = found.anderson_rubin
    if len(pieces) == 1 and all(math.isfinite(end) for end in pieces[0]):
        return [message("The data exclude effects on those who took part outside {low} to {high} points (Anderson and Rubin).",
                        low=Estimate(pieces[0][0], found.n_used), high=Estimate(pieces[0][1], found.n_used))]  # fmt: skip
    return [message("No range of effects on those who took part can be excluded on both sides.")]
