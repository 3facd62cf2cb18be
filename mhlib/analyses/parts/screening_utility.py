"""Is a risk read off the score right, and does referring by it do more good than harm?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, tried, without_reference
from mhlib.findings import Message, Refused, message
from mhlib.stats.accuracy import calibration, decision_curve, risk_of_score

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UtilitySection:
    """Tables and curves of the section; each may be a refusal."""

    calibration: Drawn | Refused
    calibration_curve: Drawn | Refused
    net_benefit: Drawn | Refused
    avoided: Drawn | Refused
    reading: list[Message]


def section(data: Screened, params: Params, earlier: Screened | None, refusal: Refused | None) -> UtilitySection:
    """Calibration of the risk that an earlier wave gives to each score, and net benefit over the thresholds of policy.

    Parameters
    ----------
    earlier : Screened or None
        The wave on which the risk is fitted; it is judged on this one.
    refusal : Refused or None
        Why no accuracy may be given, where none may.
    """
    if refusal:
        return _nothing(refusal)
    seen, weights = data.interviewed, data.interview_weights
    if data.counts.n_verified < data.counts.n and weights is None:
        return _nothing(_without_chances())
    case = seen["reference"].astype(bool)
    shared = {"weights": weights, "cluster": seen[params.cluster] if params.cluster else None,
              "conf_level": params.conf_level}  # fmt: skip
    model = _model(earlier)
    calibrated = model if isinstance(model, Refused) else tried(
        calibration, seen["score"].astype(float), case, model={"intercept": model.intercept, "slope": model.slope}, **shared
    )  # fmt: skip
    rules = {"cutoff_in_force": seen["positive"].astype(float)} if params.cutoff is not None else {}
    if not isinstance(model, Refused):
        linear = model.intercept + model.slope * seen["score"].astype(float)
        rules["risk_of_score"] = 1 / (1 + np.exp(-linear))
    thresholds = np.round(np.arange(params.threshold_low, params.threshold_high + 1e-9, 0.01), 4)
    benefit = tried(decision_curve, pd.DataFrame(rules), case, thresholds=thresholds, **shared) if rules else calibrated
    return UtilitySection(
        calibration=_measures(calibrated), calibration_curve=_curve(calibrated), net_benefit=_benefit(benefit),
        avoided=_avoided(benefit), reading=_reading(model, earlier),
    )  # fmt: skip


def _nothing(refused: Refused) -> UtilitySection:
    return UtilitySection(
        calibration=refused, calibration_curve=refused, net_benefit=refused, avoided=refused, reading=[]
    )


def _without_chances() -> Refused:
    return Refused(
        "no_chances",
        message(
            "The chances of the interview are not stated, so neither calibration nor net benefit can speak of everyone screened."
        ),
        message("The chance with which each pupil was drawn, as column verification_probability."),
    )


def _model(earlier: Screened | None) -> object:
    """Risk by score from the earlier wave; never from the wave that judges it."""
    if earlier is None:
        return Refused(
            "no_risk_model",
            message("No risk was fixed before these data: a risk fitted on the same pupils would always look right."),
            message("An earlier wave with interviews, as parameter risk_wave."),
        )
    seen = earlier.interviewed
    if seen.empty:
        return without_reference()
    return tried(
        risk_of_score, seen["score"].astype(float), seen["reference"].astype(bool), weights=earlier.interview_weights
    )


def _reading(model: object, earlier: Screened | None) -> list[Message]:
    if isinstance(model, Refused) or earlier is None:
        return []
    return [message("The risk of each score was fitted on the earlier wave and is judged on this one.")]


TERMS = ("citl", "slope", "o_e", "brier", "brier_scaled", "ici", "e50", "e90")


def _measures(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    frame = found.to_frame()
    frame = frame[frame["term"].isin(TERMS)].assign(n_used=found.n_used)
    return Drawn(
        table=frame.assign(term="cal_" + frame["term"])[["term", "estimate", "conf_low", "conf_high", "n_used"]]
    )


def _curve(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    groups = found.points.rename(
        columns={"mean_risk": "x", "observed": "y", "conf_low": "low", "conf_high": "high", "n": "n_used"}
    )
    table = groups.assign(group="risk_groups")[["group", "x", "y", "low", "high", "n_used"]]
    return Drawn(table=table, x_axis=message("risk foretold"), y_axis=message("share of cases found"), x_share=True, y_share=True,
                 diagonal=True, points=True)  # fmt: skip


def _benefit(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    table = found.table.rename(columns={"rule": "group", "threshold": "x", "net_benefit": "y"})
    table = table.assign(group=table["group"].str.replace(" ", "_"), n_used=found.n_used)
    lowest = -0.02
    table = table[table["y"] >= lowest]
    return Drawn(table=table[["group", "x", "y", "n_used"]].reset_index(drop=True), x_share=True,
                 x_axis=message("risk from which one would refer"), y_axis=message("net benefit (cases found per pupil)"))  # fmt: skip


def _avoided(found: object) -> Drawn | Refused:
    """Needless referrals saved at a few thresholds, per thousand pupils."""
    if isinstance(found, Refused):
        return found
    table = found.table[~found.table["rule"].isin(["treat all", "treat none"])]
    table = table[np.isclose((table["threshold"] * 100) % 5, 0) | np.isclose((table["threshold"] * 100) % 5, 5)]
    columns = {"rule": "group", "threshold": "threshold", "net_benefit": "net_benefit", "avoided_per_100": "avoided"}
    table = table[list(columns)].rename(columns=columns).assign(n_used=found.n_used)
    return Drawn(table=table.assign(avoided=10 * table["avoided"]).reset_index(drop=True))
