"""Other comparisons, other methods and the two-way regression beside the planned effect of a roll-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_rollout_rows import Rollout
from mhlib.analyses.parts.outcome_rollout_schools import POOLS, Staggered, attempt, interval_of, staggered
from mhlib.analyses.parts.sections import Drawn
from mhlib.findings import Refused, message
from mhlib.stats.effects import did

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


def estimators(has: Staggered, params: Params) -> Drawn | Refused:
    """The overall effect by other comparisons and other methods; only the first is the plan's."""
    if isinstance(has.main, Refused):
        return has.main
    other = "school" if params.estimand == "pupil" else "pupil"
    found: dict[str, object] = {f"roll_{pool}": has.found[pool] for pool in (has.planned, _other(has.planned))}
    if has.rollout.weighed:
        found[f"spec_{other}"] = staggered(has.rollout, params, control=has.planned, estimand=other)
    if has.rollout.of_pupils and (rows := _measured_always(has.rollout)) is not None:
        found["roll_complete"] = staggered(has.rollout, params, control=has.planned, rows=rows)
    if not isinstance(has.found["never"], Refused):
        found["roll_sun_abraham"] = staggered(has.rollout, params, method="sun_abraham")
    found["roll_two_stage"] = staggered(has.rollout, params, method="did2s")
    rows = [{"group": name, **interval_of(one, "overall"), "n_used": has.n_people}
            for name, one in found.items() if not isinstance(one, Refused)]  # fmt: skip
    lacking = tuple(one.why for one in found.values() if isinstance(one, Refused))
    two = has.main.two_way
    if two is not None:
        rows.append({"group": "roll_two_way", "n_used": has.n_people} | {
            name: getattr(two, name) for name in ("estimate", "conf_low", "conf_high", "df", "p_value")})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0, lacking=lacking)


def _other(pool: str) -> str:
    return POOLS[1 - POOLS.index(pool)]


def _measured_always(found: Rollout) -> pd.DataFrame | None:
    """Rows of pupils measured every time; None where there are none, or no others."""
    times = found.rows["time"].nunique()
    always = found.rows.groupby("pupil")["time"].transform("nunique") == times
    return found.rows[always] if always.any() and not always.all() else None


def bacon(has: Staggered) -> Drawn | Refused:
    """What the two-way estimate is made of; the last kind takes units already served as a comparison."""
    if isinstance(has.main, Refused):
        return has.main
    if has.main.two_way is None:
        return Refused("no_two_way", message("There is no two-way estimate of these data."), message("Nothing."))
    two = has.main.two_way
    rows = [{"term": f"roll_{kind}", "estimate": two.averages[kind], "comparison_weight": share, "n_used": has.n_people}
            for kind, share in two.shares.items() if share > 0]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def two_by_two(found: Rollout, params: Params) -> Drawn | Refused:
    """Before and after, served and not: only where all who are served begin at once."""
    if len(found.starts) != 1:
        return Refused(
            "several_starts",
            message("Units began at different times, so a single before and after would compare some with others already served."),
            message("Nothing."),
        )  # fmt: skip
    start = found.starts[0]
    rows = found.complete().assign(treated=lambda frame: (frame["first"] == start).astype(float),
                                   post=lambda frame: (frame["time"] >= start).astype(float))  # fmt: skip
    if rows.empty:
        return Refused("no_before", message("No unit was measured every time and before the start."),
                       message("The outcome of every unit before the first of them begins."))  # fmt: skip
    who = "pupil" if found.of_pupils else "unit"
    repeated = bool((rows.groupby(who)["post"].nunique() == 2).any())
    result = attempt(did, rows, outcome="y", treated="treated", post="post", cluster="cluster",
                     unit=who if repeated else None, estimand=params.estimand if found.of_pupils else "pupil",
                     conf_level=params.conf_level)  # fmt: skip
    if isinstance(result, Refused):
        return result
    row = result.to_frame().iloc[0]
    n_used = found.people(rows)
    shown = {"group": "roll_two_by_two", "change_control": row["change_comparison"], "change_served": row["change_treated"],
             "n_units": result.n_clusters, "n_used": n_used}  # fmt: skip
    return Drawn(table=pd.DataFrame([shown | {name: row[name] for name in ("estimate", "conf_low", "conf_high", "df", "p_value")}]),
                 axis=message("difference (points)"), rule=0.0)  # fmt: skip
