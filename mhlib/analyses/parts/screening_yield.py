"""What the screen brings the city: cases there, found and missed, needless referrals, work and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import ScreeningStage, TwoByTwo, VerificationCorrected, screening_yield

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

ONE = (
    "cases",
    "found",
    "missed",
    "false_alarms",
    "referrals",
    "nns",
    "referrals_per_case",
    "cost_total",
    "cost_per_case",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class YieldSection:
    """Yield of the screen alone and followed by a second stage."""

    alone: Drawn | Refused
    stages: Drawn | Refused


def section(data: Screened, params: Params, best: TwoByTwo | VerificationCorrected | Refused) -> YieldSection:
    """Yield at the cut-off in force, from the best accuracy that may be given."""
    if isinstance(best, Refused):
        return YieldSection(alone=best, stages=best)
    rows = best.to_frame().set_index("term")
    first = ScreeningStage(
        sensitivity=best.sensitivity, specificity=best.specificity, sensitivity_error=rows.at["sensitivity", "std_error"],
        specificity_error=rows.at["specificity", "std_error"], cost=params.cost_screen or 0.0, name="screen",
    )  # fmt: skip
    shared = {
        "population": float(data.screening.enrolled or len(data.people)), "n_used": best.n_used,
        "prevalence": (rows.at["prevalence", "estimate"], rows.at["prevalence", "std_error"]),
        "cost_referral": params.cost_interview or 0.0, "conf_level": params.conf_level,
    }  # fmt: skip
    alone = tried(screening_yield, first, **shared)
    return YieldSection(alone=_alone(alone, params), stages=_stages(first, shared, params))


def _alone(found: object, params: Params) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    priced = params.cost_screen is not None or params.cost_interview is not None
    frame = found.to_frame()
    wanted = [term for term in ONE if priced or not term.startswith("cost")]
    frame = frame[frame["term"].isin(wanted)].assign(n_used=found.n_used)
    return Drawn(
        table=frame.assign(term="yield_" + frame["term"])[["term", "estimate", "conf_low", "conf_high", "n_used"]]
    )


def _stages(first: ScreeningStage, shared: dict, params: Params) -> Drawn | Refused:
    """The screen followed by a second look, such as a counsellor's talk."""
    if params.second_sensitivity is None or params.second_specificity is None:
        return Refused(
            "no_second_stage",
            message(
                "How well the counsellor's talk tells cases from non-cases is not stated, so what two stages would bring is not known."
            ),
            message("Its sensitivity and specificity, as parameters second_sensitivity and second_specificity."),
        )
    second = ScreeningStage(sensitivity=params.second_sensitivity, specificity=params.second_specificity, name="talk")
    found = tried(screening_yield, [first, second], **shared)
    if isinstance(found, Refused):
        return found
    table = found.stages.assign(stage="stage_" + found.stages["stage"].astype(str), n_used=found.n_used)
    names = {"stage": "group", "tested": "n_tested", "positive": "referrals", "true_positive": "n_case", "false_positive": "n_noncase",
             "ppv": "ppv", "n_used": "n_used"}  # fmt: skip
    return Drawn(table=pd.DataFrame(table[list(names)]).rename(columns=names))
