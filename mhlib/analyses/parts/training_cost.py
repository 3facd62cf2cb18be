"""What a training cost: a teacher, a year of certificate, a case more that teachers name; and when to refresh it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_cost_certificate import certificates, own_hours
from mhlib.analyses.parts.training_cost_referral import Gained, gained, net_benefit, per_referral
from mhlib.analyses.parts.training_cost_refresher import curves, refresher
from mhlib.findings import Count, Message, Refused, message
from mhlib.stats.effects import cluster_robust

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostSection:
    """Costs, cost of a certificate's year and of a case named, net benefit over prices, and when to refresh.

    Attributes
    ----------
    gained : Gained or Refused
        Cases rightly named beyond those without the training, since the training, and what one of them cost.
    """

    costs: Drawn | Refused
    certificate: Drawn | Refused
    certificate_hours: Drawn | Refused
    gained: Gained | Refused
    referral: Drawn | Refused
    net_benefit: Drawn | Refused
    refresher: Drawn | Refused
    decay: Drawn | Refused
    reading: list[Message]


def section(training: Training, params: Params, behaviour: object = None) -> CostSection:
    """Costs against what they bought; `behaviour` is the section whose `gained` is the change in the share of cases named."""
    spent = spending(training, params)
    more = spent if isinstance(spent, Refused) else gained(training, params, behaviour, spent.total)
    return CostSection(
        costs=spent if isinstance(spent, Refused) else _costs(training, params, spent),
        certificate=spent if isinstance(spent, Refused) else certificates(training, params, spent.people, spent.first_day),
        certificate_hours=own_hours(training, params), gained=more, referral=per_referral(more),
        net_benefit=net_benefit(more, params), refresher=refresher(training, params), decay=curves(training, params),
        reading=_reading(params, spent),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spent:
    """Money spent on the training.

    Attributes
    ----------
    people : DataFrame, one row a teacher of the trained arm
        ``cost`` in yuan and ``hours``; 0 for whoever enrolled in no event.
    events, time, other : float
        Yuan in all, over everybody enrolled: events, hours of teachers at their wage, what is stated a teacher.
    enrolled, outside : int
        Teachers enrolled, and those among them who are not of the trained arm as tested.
    empty : int
        Events in which nobody is enrolled; their cost is shared by all.
    first_day : Timestamp or None
    """

    people: pd.DataFrame
    events: float
    time: float
    other: float
    enrolled: int
    outside: int
    empty: int
    first_day: pd.Timestamp | None

    @property
    def total(self) -> float:
        """All of it, yuan."""
        return self.events + self.time + self.other


def spending(training: Training, params: Params) -> Spent | Refused:
    """From the events and who was enrolled; else from what the parameters state a teacher."""
    trained = training.teachers[training.teachers["treated"] == 1]
    event, enrolment = training.data.table("training_event"), training.data.table("training_enrolment")
    if event is None or enrolment is None:
        return _stated(training, params, trained)
    held = event[event["held_on"] <= pd.Timestamp(params.as_of)].set_index("event_pid")
    rows = enrolment.drop_duplicates()
    rows = rows[rows["event_pid"].isin(held.index)]
    if rows.empty:
        return Refused("no_enrolment", message("Nobody is enrolled in an event that was held until the day of the report."),
                       message("Who took part in which event."))  # fmt: skip
    size = rows["event_pid"].map(rows["event_pid"].value_counts())
    rows = rows.assign(events=rows["event_pid"].map(held["cost"]) .astype(float) / size,
                       hours=rows["event_pid"].map(held["hours"]).astype(float))  # fmt: skip
    of_each = rows.groupby("teacher_pid")[["events", "hours"]].sum()
    empty = held.index.difference(rows["event_pid"])
    of_each["events"] += float(held.loc[empty, "cost"].sum()) / len(of_each)
    of_each["cost"] = of_each["events"] + of_each["hours"] * (params.hourly_wage or 0) + (params.cost_per_teacher or 0)
    known = of_each.reindex(trained["teacher_pid"])[["cost", "hours"]].fillna(0.0).to_numpy(float)
    people = trained[list(dict.fromkeys(["teacher_pid", training.cluster]))].assign(
        cost=known[:, 0], hours=known[:, 1], enrolled=trained["teacher_pid"].isin(of_each.index)
    )
    return Spent(
        people=people, events=float(held["cost"].sum()), time=float(of_each["hours"].sum()) * (params.hourly_wage or 0),
        other=(params.cost_per_teacher or 0) * len(of_each), enrolled=len(of_each),
        outside=int((~of_each.index.isin(trained["teacher_pid"])).sum()), empty=len(empty), first_day=held["held_on"].min(),
    )  # fmt: skip


def _stated(training: Training, params: Params, trained: pd.DataFrame) -> Spent | Refused:
    """A sum a teacher from the parameters, the same for each, for want of events."""
    hours = params.hours if params.hourly_wage is not None else None
    if params.cost_per_teacher is None and hours is None:
        return Refused("no_costs", message("No cost of the training is known: the source holds no events, and none is stated."),
                       message("Events with cost and hours, and who was enrolled; or parameters cost_per_teacher, hours and "
                               "hourly_wage."))  # fmt: skip
    time = (hours or 0) * (params.hourly_wage or 0)
    each = (params.cost_per_teacher or 0) + time
    kept = list(dict.fromkeys(["teacher_pid", training.cluster]))
    people = trained[kept].assign(cost=each, hours=float(params.hours or 0), enrolled=True)
    n = len(people)
    return Spent(people=people, events=0.0, time=time * n, other=(params.cost_per_teacher or 0) * n, enrolled=n, outside=0,
                 empty=0, first_day=None)  # fmt: skip


def _costs(training: Training, params: Params, spent: Spent) -> Drawn:
    """Sums in all, which are no estimates, and means a teacher with their intervals."""
    none = {"conf_low": math.nan, "conf_high": math.nan}
    sums = (
        ("cost_events", spent.events),
        ("cost_time", spent.time),
        ("cost_stated", spent.other),
        ("cost_all", spent.total),
    )
    rows = [{"term": name, "estimate": value, "n_used": spent.enrolled} | none for name, value in sums if value > 0]
    came = spent.people[spent.people["enrolled"]]
    parts = [("cost_teacher", spent.people, "cost"), ("cost_came", came, "cost"), ("hours_came", came, "hours")]
    rows += [_mean(training, params, name, people, column) for name, people, column in parts if len(people)]
    return Drawn(table=pd.DataFrame(rows))


def _mean(training: Training, params: Params, name: str, people: pd.DataFrame, column: str) -> dict[str, object]:
    """Mean with its CR2 interval; none where everybody has the same."""
    row = {"term": name, "estimate": float(people[column].mean()), "conf_low": math.nan, "conf_high": math.nan,
           "n_used": len(people)}  # fmt: skip
    if people[column].nunique() < 2:
        return row
    fit = tried(_fit, people.rename(columns={column: "spent"}), training.cluster, params.conf_level)
    if isinstance(fit, Refused):
        return row
    return row | {"conf_low": float(fit.conf_low[0]), "conf_high": float(fit.conf_high[0])}


def _fit(people: pd.DataFrame, cluster: str, level: float) -> object:
    return cluster_robust("spent ~ 1", people, cluster=cluster, conf_level=level)


def _reading(params: Params, spent: Spent | Refused) -> list[Message]:
    """What is counted and what is not."""
    if isinstance(spent, Refused):
        return [spent.why]
    found = []
    if spent.first_day is not None:
        found.append(
            message("The cost of an event is shared equally by those enrolled in it; enrolment counts as attendance.")
        )
    else:
        found.append(message("The cost is what the parameters state, the same for each teacher."))
    if params.hourly_wage is None:
        found.append(message("Teachers' hours are counted as nothing, since no wage is stated."))
    else:
        found.append(
            message(
                "An hour of a teacher is valued at {wage} yuan, which is an assumption.", wage=f"{params.hourly_wage:g}"
            )
        )
    if params.cost_per_teacher is None:
        found.append(message("Material, planning and the trainers' own training are counted only as far as the events' costs hold "
                             "them."))  # fmt: skip
    if spent.empty:
        found.append(message("Nobody is enrolled in {n} of the events; their cost is shared by all.", n=spent.empty))
    if spent.outside:
        found.append(message("Enrolled and not among the trained teachers tested: {n}. Their cost is in the sums and not in the "
                             "means.", n=Count(spent.outside)))  # fmt: skip
    return found
