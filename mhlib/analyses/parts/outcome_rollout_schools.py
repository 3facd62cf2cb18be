"""Tables of a staggered roll-out in which each unit has one start: effects by start, term and time since the start."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_rollout_rows import Rollout
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.errors import DataError, DesignError
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import EventStudyResult, StaggeredResult, did_staggered, event_study

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

POOLS = ("never", "not_yet")
# Units that never began, from which on they are the comparison; with fewer those that have not yet begun are.
FEWEST_NEVER = 5
AVERAGES = {
    "overall": "roll_simple",
    "overall_dynamic": "roll_by_time",
    "overall_group": "roll_by_start",
    "overall_calendar": "roll_by_calendar",
}
LIMITS = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staggered:
    """The estimate against each pool of controls, and the event study of the planned one."""

    rollout: Rollout
    found: dict[str, StaggeredResult | Refused]
    planned: str
    study: EventStudyResult | Refused
    n_people: int

    @property
    def main(self) -> StaggeredResult | Refused:
        """Against the pool that the effect is taken from."""
        return self.found[self.planned]


def attempt(estimate: Callable[..., object], *args: object, **options: object) -> object:
    """The estimate, or why the rows cannot carry it."""
    try:
        return estimate(*args, **options)
    except (DesignError, DataError) as error:
        return refused_design(error)


def staggered(found: Rollout, params: Params, *, estimand: str | None = None, rows: pd.DataFrame | None = None,
              **options: object) -> StaggeredResult | Refused:  # fmt: skip
    """Group-time effects in the plan's average unless told otherwise."""
    rows = found.rows if rows is None else rows
    weights = "weight" if (estimand or params.estimand) == "pupil" and found.weighed else None
    above = None if (rows["unit"] == rows["cluster"]).all() else "cluster"
    given = {"compare": False} | options
    return attempt(did_staggered, rows, outcome="y", unit="unit", time="time", first_treated="first", cluster=above,
                   weights=weights, conf_level=params.conf_level, **given)  # fmt: skip


def estimated(found: Rollout, params: Params) -> Staggered:
    """Both pools of controls; the never-treated are planned where there are enough of them."""
    each = {pool: staggered(found, params, control=pool, compare=True) for pool in POOLS}
    never = each["never"]
    enough = not isinstance(never, Refused) and never.cohorts.get("never", 0) >= FEWEST_NEVER
    planned = "never" if enough or isinstance(each["not_yet"], Refused) else "not_yet"
    main = each[planned]
    study = main if isinstance(main, Refused) else attempt(event_study, main, mbar=LIMITS, alpha=params.alpha)
    return Staggered(
        rollout=found, found=each, planned=planned, study=study, n_people=max(found.people(found.complete()), 1)
    )


def interval_of(result: StaggeredResult, term: str) -> dict[str, float]:
    """Estimate, interval, degrees of freedom and p-value of one effect."""
    at = result.position(term)
    return {"estimate": result.estimates[at], "conf_low": result.conf_low[at], "conf_high": result.conf_high[at],
            "df": result.df[at], "p_value": result.p_values[at]}  # fmt: skip


def cohorts(has: Staggered) -> Drawn:
    """How many units began when, and the effect among them over their whole time under the programme."""
    found, rows = has.rollout, []
    last, main = found.rows["time"].max(), has.main
    first = found.rows["first"].where(found.rows["first"] <= last)
    for start, mine in found.rows.groupby(first.fillna(math.inf)):
        name = "never" if math.isinf(start) else found.name(start)
        row = {"starts_in": "roll_never" if name == "never" else name, "n_units": mine["unit"].nunique(),
               "n_used": found.people(mine)}  # fmt: skip
        term = f"g={start:g}"
        known = not isinstance(main, Refused) and term in main.terms
        empty = {"estimate": math.nan, "conf_low": math.nan, "conf_high": math.nan, "df": math.nan}
        shown = {name: value for name, value in interval_of(main, term).items() if name in empty} if known else empty
        # No effect of a group is shown without its interval.
        shown = empty if math.isnan(shown["conf_low"]) else shown
        rows.append(row | shown)
    return Drawn(table=pd.DataFrame(rows))


def event_name(at: int) -> str:
    """Name of an event time in the vocabulary."""
    return f"roll_before_{-at}" if at < 0 else f"roll_under_{at + 1}"


def event(has: Staggered) -> Drawn | Refused:
    """Differences by time since the start, against both pools; the time before the start is nought by definition."""
    if isinstance(has.main, Refused):
        return has.main
    rows, ends = [], set()
    for pool in POOLS:
        result = has.found[pool]
        if isinstance(result, Refused):
            continue
        table = result.to_frame("dynamic").assign(x=lambda frame: frame["term"].str[2:].astype(int))
        base = pd.DataFrame([{"x": -1, "estimate": 0.0, "conf_low": 0.0, "conf_high": 0.0}])
        if not len(table := table[table["conf_low"].notna()]):
            continue
        table = pd.concat([table, base]).sort_values("x")
        ends |= {table["x"].min(), table["x"].max()}
        rows.append(pd.DataFrame({
            "group": f"roll_{pool}", "x": table["x"], "y": table["estimate"], "low": table["conf_low"],
            "high": table["conf_high"], "df": table["df"],
        }))  # fmt: skip
    if not rows:
        return without_intervals()
    nought = pd.DataFrame([{"group": "roll_nought", "x": x, "y": 0.0} for x in (min(ends), max(ends))])
    table = pd.concat([*rows, nought], ignore_index=True).assign(n_used=has.n_people)
    table["since_start"] = [event_name(int(x)) for x in table["x"]]
    return Drawn(table=table, x_axis=message("terms or years since the start (0: the first under the programme)"),
                 y_axis=message("difference (points)"), mark=-0.5, points=True)  # fmt: skip


def groups(has: Staggered) -> Drawn | Refused:
    """Every effect by start and term, leads too."""
    main = has.main
    if isinstance(main, Refused):
        return main
    table = main.to_frame("group_time")
    parts = table["term"].str.extract(r"g=(.*),t=(.*)").to_numpy()
    name = {f"{time:g}": has.rollout.name(time) for time in has.rollout.rows["time"].unique()}
    shown = pd.DataFrame({"group": [name.get(g, g) for g, _ in parts], "subgroup": [name.get(t, t) for _, t in parts]})
    shown["starts_in"], shown["seen_in"] = shown["group"], shown["subgroup"]
    columns = table[["estimate", "conf_low", "conf_high", "df", "p_value"]].reset_index(drop=True)
    known = columns["conf_low"].notna()
    if not known.any():
        return without_intervals()
    lacking = (message("{n} of {all} effects by start and time rest on too few units for an interval and are not shown.",
                       n=int((~known).sum()), all=len(known)),) if not known.all() else ()  # fmt: skip
    return Drawn(table=pd.concat([shown, columns], axis=1)[known].reset_index(drop=True).assign(n_used=has.n_people), rule=0.0,
                 axis=message("difference (points); rows: begins in · seen in"), lacking=lacking)  # fmt: skip


def without_intervals() -> Refused:
    """No effects by start where no group is large enough for an interval."""
    return Refused(
        "few_units_a_start",
        message("Too few units began at the same time for an interval of any effect by start or time."),
        message("At least five units in every group of one start, and five that never begin."),
    )


def aggregates(has: Staggered) -> Drawn | Refused:
    """Four averages of the same effects; they differ where effects grow or starts differ."""
    if isinstance(has.main, Refused):
        return has.main
    rows = [{"term": shown, **interval_of(has.main, term), "n_units": has.main.n_schools, "n_used": has.n_people}
            for term, shown in AVERAGES.items() if term in has.main.terms]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0)


def pretrend(has: Staggered) -> Drawn | Refused:
    """The joint tests of the terms before: by time since the start, and of every group."""
    study = has.study
    if isinstance(study, Refused):
        return study
    if "pre_test" in study.refusals:
        return study.refusals["pre_test"]
    rows = [{"term": "roll_leads", "f_value": study.pre_test.statistic, "tested_terms": study.pre_test.df1, "df": study.pre_test.df2,
             "p_value": study.pre_test.p_value, "n_used": has.n_people}]  # fmt: skip
    joint = has.main.pre_test
    if not math.isnan(joint.p_value):
        rows.append({"term": "roll_group_leads", "f_value": joint.statistic, "tested_terms": joint.df1, "df": joint.df2,
                     "p_value": joint.p_value, "n_used": has.n_people})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def pretrend_power(has: Staggered) -> Drawn | Refused:
    """Trends that the test would find, and what one that is missed would do to the effect."""
    tested = pretrend(has)
    if isinstance(tested, Refused):
        return tested
    rows = [{"found_in": one.power, "trend_slope": one.slope, "trend_bias": one.bias, "n_used": has.n_people}
            for one in has.study.power]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def honest(has: Staggered) -> Drawn | Refused:
    """Intervals that still hold when trends differ by so much."""
    study = has.study
    if isinstance(study, Refused):
        return study
    if "honest" in study.refusals:
        return study.refusals["honest"]
    ends = [("roll_parallel", study.effect), *((f"roll_{bound.restriction}", bound) for bound in study.bounds)]
    rows = [{"term": name, "subgroup": f"{bound.limit:.2f}", "trend_limit": bound.limit,
             "estimate": (bound.conf_low + bound.conf_high) / 2, "conf_low": bound.conf_low, "conf_high": bound.conf_high,
             "n_used": has.n_people} for name, bound in ends]  # fmt: skip
    table = pd.DataFrame(rows)
    return Drawn(table=table[np.isfinite(table["conf_low"])].reset_index(drop=True),
                 axis=message("difference (points)"), rule=0.0)  # fmt: skip


METHOD: Message = message("group-time effects, schools that have not begun as the comparison (Callaway and Sant'Anna)")
