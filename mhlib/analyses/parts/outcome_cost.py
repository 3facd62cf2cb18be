"""What it costs: per pupil, per recovery gained, and how likely it is to be worth a price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_counted import Counted, cases, clustered, counted, few_clusters
from mhlib.analyses.parts.outcome_expected import robust_line
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, arms_refusal, without_pupils
from mhlib.findings import Count, Estimate, Message, Refused, message
from mhlib.stats.effects import CostEffectivenessResult, cluster_robust, cost_effectiveness

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

MINUTES = 45
FEWEST_UNITS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostSection:
    """Costs a pupil, cost of one more reliable recovery, net benefit over prices, and its curve."""

    costs: Drawn | Refused
    recovery: Drawn | Refused
    net_benefit: Drawn | Refused
    acceptability: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params) -> CostSection:
    """Costs of the programme against its gain in reliable recoveries."""
    if refused := without_costs(trial, params):
        return CostSection(
            costs=refused, recovery=refused, net_benefit=refused, acceptability=refused, reading=_hours(trial)
        )
    people = with_costs(trial, params)
    costs, found = _costs(trial, params, people), _compared(trial, params)
    said = [_supposed(trial, params), *_hours(trial)]
    if isinstance(found, Refused):
        return CostSection(costs=costs, recovery=found, net_benefit=found, acceptability=found, reading=said)
    return CostSection(costs=costs, recovery=_recovery(found), net_benefit=_benefit(found), acceptability=_curve(found),
                       reading=[*said, *_left_out(found)])  # fmt: skip


def without_costs(trial: Trial, params: Params) -> Refused | None:
    """Why no cost can be given; None where it can."""
    if not len(trial.people):
        return without_pupils()
    if params.cost_per_pupil is None and params.cost_per_session is None:
        return Refused("no_costs", message("No cost of the programme is stated."),
                       message("The cost of a pupil served and of a session, as parameters cost_per_pupil and cost_per_session: "
                               "staff, training, rooms and material of one school year."))  # fmt: skip
    if params.cost_per_pupil is None and "sessions" not in trial.people:
        return Refused("no_sessions", message("The cost of a session is stated, but not how many sessions each pupil attended."),
                       message("Sessions attended by each pupil, as column sessions."))  # fmt: skip
    return None


def with_costs(trial: Trial, params: Params) -> pd.DataFrame:
    """Pupils of the two arms with ``served`` (0/1) and ``cost`` in yuan; NaN where sessions of the served are missing."""
    people = trial.people[trial.people["treated"].notna()].copy()
    treated = people["treated"] == 1
    sessions = people["sessions"].astype(float) if "sessions" in people else pd.Series(np.nan, index=people.index)
    # Whoever was allocated and came to no session was not served; without a record everybody allocated counts as served.
    people["served"] = treated & ~(sessions == 0)
    cost = pd.Series(float(params.cost_per_pupil or 0), index=people.index)
    if params.cost_per_session is not None and "sessions" in people:
        cost = cost + params.cost_per_session * sessions
    return people.assign(cost=cost.where(people["served"], 0.0))


def _costs(trial: Trial, params: Params, people: pd.DataFrame) -> Drawn:
    """Per pupil allocated to the programme, and per pupil served, with sessions."""
    known = people[(people["treated"] == 1) & people["cost"].notna()]
    served = known[known["served"]]
    parts = [("cost_allocated", known, "cost"), ("cost_served", served, "cost")]
    if "sessions" in served:
        parts.append(("cost_sessions", served[served["sessions"].notna()], "sessions"))
    return Drawn(table=pd.DataFrame([_mean(trial, params, *part) for part in parts if len(part[1])]))


def _mean(trial: Trial, params: Params, name: str, people: pd.DataFrame, column: str) -> dict:
    """Mean with its CR2 interval; none where everybody has the same or the units are too few."""
    row = {
        "term": name,
        "estimate": float(people[column].mean()),
        "n_used": len(people),
        "conf_low": math.nan,
        "conf_high": math.nan,
    }
    if people[column].nunique() < 2 or people[trial.cluster].nunique() < FEWEST_UNITS:
        return row
    fit = cluster_robust(f"{column} ~ 1", people, cluster=trial.cluster, conf_level=params.conf_level)
    if isinstance(fit, Refused):
        return row
    _, low, high, _ = robust_line(fit, "Intercept")
    return row | {"conf_low": low, "conf_high": high}


def _compared(trial: Trial, params: Params) -> CostEffectivenessResult | Refused:
    """Cost and reliable recovery of everybody compared, whether or not a case at the start."""
    if refused := arms_refusal(trial):
        return refused
    found = counted(trial, params)
    if not isinstance(found, Counted):
        return found
    if refused := few_clusters(trial, found.people):
        return refused
    if not params.prices:
        return Refused("no_prices", message("Nothing says what a reliable recovery might be worth."),
                       message("A range of sums that the bureau might pay for one more reliable recovery, as "
                               "parameter prices."))  # fmt: skip
    people = found.people.assign(cost=with_costs(trial, params)["cost"])
    gain = (people["b"] - people["y"]) if params.better == "lower" else (people["y"] - people["b"])
    recovered = cases(people["b"], params) & ~cases(people["y"], params) & (gain >= found.least_change - 1e-9)
    return tried(
        cost_effectiveness, people["cost"], recovered.astype(float), people["treated"], prices=sorted(params.prices),
        cluster=clustered(trial, people), n_boot=params.n_boot, seed=params.seed, conf_level=params.conf_level,
    )  # fmt: skip


def _recovery(found: CostEffectivenessResult) -> Drawn | Refused:
    """Cost of one more reliable recovery; refused where the gain may be nought."""
    if found.gain_low <= 0:
        return Refused(
            "gain_not_shown",
            message("The interval of the gain in reliable recoveries holds 0 or less, so a cost for one more would "
                    "have no upper limit. "
                    "The net benefit stands in its place."),
            message("More schools: the section on the next term says how many."),
        )  # fmt: skip
    rows = [("cost_more", found.cost_difference, found.cost_low, found.cost_high),
            ("gain_more", found.gain_difference, found.gain_low, found.gain_high),
            ("cost_recovery", found.icer, found.icer_low, found.icer_high)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["term", "estimate", "conf_low", "conf_high"])
    return Drawn(table=table.assign(n_used=found.n_used))


def _benefit(found: CostEffectivenessResult) -> Drawn:
    """Money value of the gain minus its cost, a pupil, at each price."""
    table = found.net_benefit.rename(columns={"net_benefit": "estimate", "probability": "worth_share"})
    table = table.assign(term="benefit_pupil", n_used=found.n_used)
    return Drawn(table=table[["price", "term", "estimate", "conf_low", "conf_high", "worth_share", "n_used"]])


def _curve(found: CostEffectivenessResult) -> Drawn | Refused:
    """Chance that the programme is worth its cost, over the prices."""
    table = found.net_benefit.rename(columns={"price": "x", "probability": "y"})
    if len(table) < 2:
        return Refused(
            "one_price", message("One price makes no curve."), message("Two prices or more, as parameter prices.")
        )
    table = table.assign(group="worth_programme", n_used=found.n_used)
    return Drawn(table=table[["group", "x", "y", "n_used"]], x_axis=message("worth of one more reliable recovery (yuan)"),
                 y_axis=message("chance that the net benefit is above 0"), y_share=True, points=True)  # fmt: skip


def _supposed(trial: Trial, params: Params) -> Message:
    if params.cost_per_session is not None and "sessions" not in trial.people:
        return message(
            "Sessions attended are not recorded: only the cost of a pupil served is counted, and none for sessions."
        )
    return message(
        "Costs are those stated for a pupil served and for a session; pupils without the programme are supposed to cost nothing."
    )


def _left_out(found: CostEffectivenessResult) -> list[Message]:
    if not found.n_excluded:
        return []
    return [message("{n} pupils lack their sessions and are left out of the comparison.", n=Count(found.n_excluded))]


def _hours(trial: Trial) -> list[Message]:
    """Counsellor hours by the sessions attended, on a length that is supposed."""
    if not len(trial.people) or "sessions" not in trial.people:
        return []
    mine = trial.people[(trial.people["treated"] == 1) & (trial.people["sessions"] > 0)]
    if mine.empty:
        return []
    per_pupil = float(mine["sessions"].mean()) * MINUTES / 60
    each = Estimate(per_pupil, len(mine), digits=1)
    hundred = Estimate(math.ceil(100 * per_pupil), len(mine), digits=0)
    return [message("A session is supposed to last {minutes} minutes. Given to one pupil at a time, the sessions take "
                    "{each} counsellor hours a "
                    "pupil served, {hundred} for a hundred; given to a group, its size divides them.",
                    minutes=MINUTES, each=each, hundred=hundred)]  # fmt: skip
