"""Who got worse: reliably worse, and newly a case, by arm; what is not recorded, and what a null cannot prove."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_counted import CONTROL, PROGRAMME, Counted, cases, clustered, counted, without_scores
from mhlib.analyses.parts.outcome_expected import robust_line
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.errors import DesignError
from mhlib.findings import Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import cluster_robust
from mhlib.stats.intervals import binomial

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

WORSE, NEW_CASE = "harm_worse", "harm_new_case"
# Events in both arms together from which an interval for their difference may be given.
FEWEST_EVENTS = 10
LEAST_DF = 4
UNKNOWN = ("unknown", message("Whether the programme harmed anybody cannot be told from these data."))
NOT_RECORDED = (
    message("Crises, self-harm, hospital stays, stigma, absence from lessons and complaints are not recorded in these "
            "data, so nothing is said "
            "of them. Silence is no proof of safety."),
    message("To know them: a form for unwanted events kept alike in both arms, counts of crisis talks and absences by "
            "school and term, "
            "and two questions on feeling labelled at the last measurement."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HarmsSection:
    """Harms by arm, their differences, the state of the verdict's line, and what is not known."""

    counts: Drawn | Refused
    differences: Drawn | Refused
    state: tuple[str, Message]
    reading: list[Message]


def section(trial: Trial, params: Params) -> HarmsSection:
    """Shares of pupils reliably worse, and newly beyond the case cut-off, with risk differences."""
    if refused := without_scores(trial, params):
        return HarmsSection(counts=refused, differences=refused, state=UNKNOWN, reading=list(NOT_RECORDED))
    found = counted(trial, params)
    harms = _harms(trial, params, found)
    if isinstance(found, Refused) and not harms:
        return HarmsSection(counts=found, differences=found, state=UNKNOWN, reading=list(NOT_RECORDED))
    lacking = [found.why] if isinstance(found, Refused) else []
    counts = pd.DataFrame([row for name, frame in harms.items() for row in _by_arm(trial, params, name, frame)])
    gaps = {} if arms_refusal(trial) else {name: _gap(trial, params, frame) for name, frame in harms.items()}
    said = [sentence for name, gap in gaps.items() for sentence in _upper(name, gap)]
    return HarmsSection(
        counts=Drawn(table=counts, lacking=tuple(lacking)), differences=arms_refusal(trial) or _differences(gaps),
        state=_state(gaps), reading=[*lacking, *said, *NOT_RECORDED],
    )  # fmt: skip


def _harms(trial: Trial, params: Params, found: Counted | Refused) -> dict[str, pd.DataFrame]:
    """Those who could come to each harm, with 0 and 1 in ``harm``."""
    people = trial.compared
    well = people[~cases(people["b"], params)]
    harms = {}
    if isinstance(found, Counted):
        rise = (people["y"] - people["b"]) if params.better == "lower" else (people["b"] - people["y"])
        harms[WORSE] = people.assign(harm=(rise >= found.least_change - 1e-9).astype(float))
    if len(well):
        harms[NEW_CASE] = well.assign(harm=cases(well["y"], params).astype(float))
    return harms


def _by_arm(trial: Trial, params: Params, name: str, frame: pd.DataFrame) -> list[dict]:
    rows = []
    for arm, code in ((CONTROL, 0.0), (PROGRAMME, 1.0)):
        mine = frame[frame["treated"] == code]
        if len(mine):
            low, high = _interval(trial, params, mine)
            rows.append({"arm_shown": arm, "term": name, "numerator": int(mine["harm"].sum()), "denominator": len(mine),
                         "estimate": float(mine["harm"].mean()), "conf_low": low, "conf_high": high})  # fmt: skip
    return rows


def _interval(trial: Trial, params: Params, mine: pd.DataFrame) -> tuple[float, float]:
    """Wilson's where pupils are the units; CR2 by unit where there are events enough; else none."""
    events = int(mine["harm"].sum())
    if clustered(trial, mine) is None:
        low, high = binomial(events, len(mine), ci="wilson", conf_level=params.conf_level)
        return float(low), float(high)
    if min(events, len(mine) - events) < FEWEST_EVENTS:
        return math.nan, math.nan
    fit = cluster_robust("harm ~ 1", mine, cluster=trial.cluster, conf_level=params.conf_level)
    if isinstance(fit, Refused):
        return math.nan, math.nan
    _, low, high, df = robust_line(fit, "Intercept")
    return (max(low, 0.0), min(high, 1.0)) if df >= LEAST_DF and not math.isnan(low) else (math.nan, math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    value: float
    low: float
    high: float
    n: int
    n_programme: int


def _gap(trial: Trial, params: Params, frame: pd.DataFrame) -> _Gap | Refused:
    """Risk difference, programme minus control, with CR2 by unit; strata are left out, which is cautious."""
    events = int(frame["harm"].sum())
    if frame["treated"].nunique() < 2 or min(events, len(frame) - events) < FEWEST_EVENTS:
        return Refused(
            "few_events",
            message("Fewer than {least} such events in both arms together: no difference is estimated, and safety is not shown.",
                    least=FEWEST_EVENTS),
            message("More pupils, or a longer follow-up, with harms recorded alike in both arms."),
        )  # fmt: skip
    try:
        fit = cluster_robust(
            "harm ~ treated", frame, cluster=trial.cluster, arm="treated", conf_level=params.conf_level
        )
    except DesignError as error:
        return refused_design(error)
    if isinstance(fit, Refused):
        return fit
    value, low, high, df = robust_line(fit, "treated")
    if df < LEAST_DF or math.isnan(low):
        return Refused(
            "few_df",
            message("Too few units stand behind the difference to give it an interval."),
            message("The same outcome from more schools or classes."),
        )
    return _Gap(value=value, low=low, high=high, n=len(frame), n_programme=int((frame["treated"] == 1).sum()))


def _differences(gaps: dict[str, _Gap | Refused]) -> Drawn | Refused:
    rows = [{"term": name + "_difference", "estimate": gap.value, "conf_low": gap.low, "conf_high": gap.high,
             "needed_said": _needed(gap), "n_used": gap.n} for name, gap in gaps.items() if isinstance(gap, _Gap)]  # fmt: skip
    if not rows:
        return next(gap for gap in gaps.values() if isinstance(gap, Refused))
    lacking = tuple(gap.why for gap in gaps.values() if isinstance(gap, Refused))
    return Drawn(table=pd.DataFrame(rows), axis=message("difference of shares"), rule=0.0, share=True, lacking=lacking)


def _needed(gap: _Gap) -> Message:
    """Pupils served for one more harmed, or for one fewer."""
    if gap.low <= 0 <= gap.high:
        return message("Not defined: the interval of the difference holds 0.")
    low, high = sorted((abs(1 / gap.low), abs(1 / gap.high)))
    value = Estimate(abs(1 / gap.value), gap.n, low, high, digits=0)
    if gap.value > 0:
        return message("one more harmed for every {n} pupils served", n=value)
    return message("one fewer for every {n} pupils served", n=value)


def _upper(name: str, gap: _Gap | Refused) -> list[Message]:
    """What cannot be ruled out; said whether or not a difference is shown."""
    if isinstance(gap, Refused):
        return []
    limit = Proportion(max(gap.high, 0.0), gap.n)
    if gap.low > 0:
        value = Proportion(gap.value, gap.n, gap.low, gap.high)
        return [message("More pupils got reliably worse with the programme than without it, by {value} of pupils.", value=value)
                if name == WORSE else
                message("More pupils became cases with the programme than without it, by {value} of those "
                        "who were none.", value=value)]  # fmt: skip
    if gap.high <= 0:
        return [message("Fewer pupils got reliably worse with the programme than without it.") if name == WORSE
                else message("Fewer pupils became cases with the programme than without it.")]  # fmt: skip
    return [message("Reliably worse: up to {limit} more of all pupils with the programme cannot be ruled out.", limit=limit)
            if name == WORSE else
            message("Newly a case: up to {limit} more of those who were none cannot be ruled out.", limit=limit)]  # fmt: skip


def _state(gaps: dict[str, _Gap | Refused]) -> tuple[str, Message]:
    """Bad where a harm is shown; never good while something recorded could still be harm beyond chance."""
    known = {name: gap for name, gap in gaps.items() if isinstance(gap, _Gap)}
    if not known:
        return UNKNOWN
    shown = {name: gap for name, gap in known.items() if gap.low > 0}
    name, gap = next(iter((shown or known).items()))
    value = Proportion(gap.value, gap.n, gap.low, gap.high)
    said = (message("Reliably worse with the programme than without: a difference of {value}.", value=value) if name == WORSE
            else message("Newly a case with the programme more than without: a difference of {value}.", value=value))  # fmt: skip
    complete = len(known) == len(gaps)
    good = complete and all(gap.high <= 0 for gap in known.values())
    return ("bad" if shown else "good" if good else "watch", said)
