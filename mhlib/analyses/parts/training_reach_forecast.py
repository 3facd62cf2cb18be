"""Holders of valid certificates over the next terms: people leave as in past terms, and certificates run out on the day they bear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training_reach_registers import Registers, ahead, day_of, flows_refusal, year_of
from mhlib.findings import Count, Message, Refused, message
from mhlib.stats.monitoring.stock_flows import Arrivals, Flow, arrivals_of, flow_of

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

N_SIM, FEWEST_TERMS, FEWEST_DUE, FEWEST_LIKE_TERMS = 4000, 2, 10, 4
SCENARIOS = ("renew_none", "renew_past", "renew_all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Flows of one level in past terms, and what is due in the terms ahead.

    Attributes
    ----------
    leave : tuple of Flow, one a term ahead
        Of past terms of the same half of the school year, where there is one.
    new : tuple of Arrivals, one a term ahead
        First certificates of people without one.
    renew : Flow or None
        Renewed in time, of those that came to their end in past terms; None where too few did.
    due : tuple of int
        Certificates of today's holders that run out in each term ahead.
    ends : tuple of Timestamp
        Last day of each term ahead, the running one first.
    like_terms : int
        Fewest past terms behind a rate of leaving.
    """

    stock: int
    employed: int
    leave: tuple[Flow, ...]
    new: tuple[Arrivals, ...]
    renew: Flow | None
    due: tuple[int, ...]
    ends: tuple[pd.Timestamp, ...]
    like_terms: int


def past_of(registers: Registers, level: str, params: Params) -> Past | Refused:
    """What past terms say, and what today's certificates say of the terms ahead."""
    if refused := flows_refusal(registers):
        return refused
    day = day_of(params.as_of)
    starts = ahead(registers.starts, beyond=day)
    over = [term for term in starts.index[:-1] if starts[term + 1] <= day]
    running = max((term for term in starts.index if starts[term] <= day), default=None)
    if len(over) < FEWEST_TERMS or running is None:
        return no_past()
    # Renewed and new certificates hold to the end of what is forecast.
    coming = range(running, running + min(params.forecast_terms, int(2 * params.certificate_years)))
    starts = ahead(starts, max(coming) + 1 - max(starts.index))
    flows = {term: _flows(registers, level, starts[term], starts[term + 1]) for term in over}
    likes = {half: [flows[term] for term in over if term % 2 == half] or list(flows.values()) for half in (0, 1)}
    due_of = _due(registers, level, day)
    renewed, came_due = (sum(flow[name] for flow in flows.values()) for name in ("renewed", "due"))
    return Past(
        stock=int(registers.held(level, day)["covered"].sum()), employed=int(registers.employed(day).sum()),
        leave=tuple(_leave(likes[term % 2]) for term in coming),
        new=tuple(arrivals_of([flow["new"] for flow in likes[term % 2]], where="forecast", name="new") for term in coming),
        renew=flow_of((renewed, came_due), where="forecast", name="renew") if came_due >= FEWEST_DUE else None,
        due=tuple(_between(due_of, day if term == running else starts[term], starts[term + 1]) for term in coming),
        ends=tuple(starts[term + 1] - pd.Timedelta(days=1) for term in coming), like_terms=min(len(one) for one in likes.values()),
    )  # fmt: skip


def _between(days: pd.Series, start: pd.Timestamp, until: pd.Timestamp) -> int:
    return int(((days >= start) & (days < until)).sum())


def _leave(flows: list[dict[str, int]]) -> Flow:
    return flow_of([(flow["left"], flow["holders"]) for flow in flows], where="forecast", name="leave")


def _flows(registers: Registers, level: str, start: pd.Timestamp, until: pd.Timestamp) -> dict[str, int]:
    """Holders at the start of a term; of these how many left; certificates that came to their end in post; first ones."""
    held = registers.held(level, start)
    holders = held[held["covered"] == 1]
    left = holders["left_on"].notna() & (holders["left_on"] < until)
    rows = registers.once
    rows = rows[rows["level"] == level]
    rows = rows.assign(first=~rows.duplicated("teacher_pid"))
    ending = rows[(rows["expires"] >= start) & (rows["expires"] < until)]
    gone = ending["teacher_pid"].map(registers.people["left_on"]) <= ending["expires"]
    ending = ending[~gone & ending["teacher_pid"].isin(registers.people.index)]
    first = rows[rows["first"] & (rows["issued"] >= start) & (rows["issued"] < until)]
    return {"holders": len(holders), "left": int(left.sum()), "due": len(ending),
            "renewed": int((ending["next_issued"] <= ending["expires"]).sum()),
            "new": int(first["teacher_pid"].isin(registers.people.index).sum())}  # fmt: skip


def _due(registers: Registers, level: str, day: pd.Timestamp) -> pd.Series:
    """Last day of the certificate of each of today's holders."""
    held = registers.held(level, day)
    rows = registers.issued(level, day)
    rows = rows[rows["teacher_pid"].isin(held.index[held["covered"] == 1])]
    return rows.groupby("teacher_pid")["expires"].max()


def no_past() -> Refused:
    """Too few terms to say how many leave."""
    return Refused(
        "no_past_flows",
        message(
            "Fewer than two whole terms lie between the first recorded day and the day of the report: no forecast."
        ),
        message(
            "Keep for each term the holders at its start and how many left, lapsed, renewed and were newly certified."
        ),
    )


def futures(past: Past, renewed: Flow | float, *, seed: int, n_sim: int = N_SIM) -> np.ndarray:
    """Holders at the end of each term ahead in each simulated future, shape (n_sim, terms).

    Leavers are drawn from all holders alike (binomial with a drawn rate; beta-binomial where like terms differ beyond chance);
    of those still there, the certificates that bear the term's date run out (hypergeometric), of which a share is renewed; new
    ones are added. `renewed` is a share, or the flow from which it is drawn.
    """
    rng = np.random.default_rng(seed)
    # One draw of a rate for all terms that rest on the same past: such terms go up and down together.
    rates: dict[Flow, np.ndarray] = {}
    added = _arriving(past.new, rng, n_sim)
    share = renewed.drawn_rates(rng, n_sim, sure=False) if isinstance(renewed, Flow) else np.full(n_sim, float(renewed))
    old, fresh, undue = np.full(n_sim, past.stock), np.zeros(n_sim, dtype=np.int64), past.stock
    paths = np.empty((n_sim, len(past.due)))
    for t, (leave, due) in enumerate(zip(past.leave, past.due, strict=True)):
        if leave not in rates:
            rates[leave] = leave.drawn_rates(rng, n_sim, sure=False)
        gone = leave.drawn_events(rng, old + fresh, rates[leave])
        gone_old = rng.hypergeometric(old, fresh, gone)
        old, fresh = old - gone_old, fresh - (gone - gone_old)
        ends = rng.hypergeometric(due, undue - due, old)
        old, undue = old - ends, undue - due
        fresh = fresh + rng.binomial(ends, share) + added[:, t]
        paths[:, t] = old + fresh
    return paths


def _arriving(new: tuple[Arrivals, ...], rng: np.random.Generator, n_sim: int) -> np.ndarray:
    """New certificates, shape (n_sim, terms)."""
    added = np.empty((n_sim, len(new)), dtype=np.int64)
    for one in dict.fromkeys(new):
        at = [t for t, other in enumerate(new) if other == one]
        added[:, at] = one.drawn(rng, n_sim, len(at), sure=False)
    return added


def forecast(registers: Registers, params: Params) -> Drawn | Refused:
    """Median and prediction interval by level, scenario of renewal and term."""
    rows, lacking, refused = [], [], no_past()
    for level in registers.levels:
        past = past_of(registers, level, params)
        if isinstance(past, Refused):
            refused = past
            continue
        if not past.stock:
            continue
        renewals = {"renew_none": 0.0, "renew_past": past.renew, "renew_all": 1.0}
        for name, renewed in renewals.items():
            if renewed is None:
                lacking.append(_renewal_unknown(level))
                continue
            rows += _rows(past, level, name, futures(past, renewed, seed=params.seed), params.conf_level)
        lacking += _few_terms(past, level)
    if not rows:
        return refused
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def _rows(past: Past, level: str, scenario: str, paths: np.ndarray, conf_level: float) -> list[dict[str, object]]:
    low, middle, high = np.quantile(paths, [(1 - conf_level) / 2, 0.5, (1 + conf_level) / 2], axis=0)
    return [
        {"certificate": f"certificate_{level}", "scenario": scenario, "on_day": f"{end:%Y-%m-%d}", "term": "holders",
         "estimate": middle[t], "conf_low": low[t], "conf_high": high[t], "n_due": past.due[t], "n_used": past.stock,
         "x": year_of(end), "employed": past.employed} for t, end in enumerate(past.ends)
    ]  # fmt: skip


def _renewal_unknown(level: str) -> Message:
    return message("Too few certificates {level} have come to their end for the share renewed to be known: the forecast lies "
                   "between nobody and everybody renewing.", level=level)  # fmt: skip


def _few_terms(past: Past, level: str) -> list[Message]:
    if past.like_terms >= FEWEST_LIKE_TERMS:
        return []
    return [message("The rate at which holders of certificate {level} leave rests on {n} past terms of the same half of a school "
                    "year: how far years differ beyond chance is not known, and the intervals are rather too narrow than too wide.",
                    level=level, n=past.like_terms)]  # fmt: skip


def forecast_table(found: Drawn | Refused) -> Drawn | Refused:
    """What is shown as a table."""
    if isinstance(found, Refused):
        return found
    return Drawn(table=found.table.drop(columns=["x", "employed"]), lacking=found.lacking)


def forecast_curve(found: Drawn | Refused, level: str, registers: Registers, params: Params) -> Drawn | Refused:
    """Holders of one level over those in post today, from today on, a line a scenario."""
    if isinstance(found, Refused):
        return found
    table = found.table[found.table["certificate"] == f"certificate_{level}"]
    if table.empty:
        return no_past()
    day = day_of(params.as_of)
    now = float(registers.held(level, day)["covered"].mean())
    parts = []
    for name, part in table.groupby("scenario", sort=False):
        shares = part[["estimate", "conf_low", "conf_high"]].div(part["employed"], axis=0).to_numpy().T
        y, low, high = (np.r_[now, one] for one in shares)
        parts.append(pd.DataFrame({"group": name, "x": np.r_[year_of(day), part["x"]], "y": y, "low": low, "high": high,
                                   "n_used": int(part["n_used"].iloc[0])}))  # fmt: skip
    return Drawn(table=pd.concat(parts, ignore_index=True), x_axis=message("year"), points=True, y_share=True,
                 y_axis=message("holders over those in post today"), mark=year_of(day))  # fmt: skip


def reading(found: Drawn | Refused) -> list[Message]:
    """The last term of each level between nobody and everybody renewing, and what the forecast takes for granted."""
    if isinstance(found, Refused):
        return []
    said = []
    for name, part in found.table.groupby("certificate", sort=False):
        last = part[part["on_day"] == part["on_day"].max()].set_index("scenario")
        none, everybody = last.loc["renew_none"], last.loc["renew_all"]
        said.append(
            message(
                "By {day}, {due} of today's {now} holders of certificate {level} reach the last day of their certificate. If "
                "nobody renews, {none} holders are to be expected; if everybody does, {all}.",
                day=none["on_day"],
                level=name.rpartition("_")[2],
                due=Count(int(part.loc[part["scenario"] == "renew_none", "n_due"].sum())),
                now=Count(int(none["n_used"])),
                none=Count(round(none["estimate"])),
                all=Count(round(everybody["estimate"])),
            )
        )
    return [*said, message("The forecast supposes that people leave and are newly certified as in past terms of the same half of a "
                           "school year. It is what follows from that, and no plan.")]  # fmt: skip
