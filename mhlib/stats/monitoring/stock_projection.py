"""How many certificate holders the next terms will see, and the chance that every post is filled in time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.intervals import binomial
from mhlib.stats.monitoring.stock_flows import Arrivals, Flow, arrivals_of, flow_of
from mhlib.stats.terms import term_frame

TERMS_A_YEAR, YEARS = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaffingProjectionResult:
    """Holders of valid certificates by term.

    Attributes
    ----------
    table : pandas.DataFrame
        `term` ('term 1', ...)`, estimate` (median)`, conf_low, conf_high` (prediction interval)`, std_error` (standard
        deviation of the simulated futures)`, mean, required, share, share_low, share_high, chance_full`.
    chance_full, chance_low, chance_high : float
        Chance that holders reach the number required at some term within the terms projected, with the interval of the
        simulation alone (Wilson).
    chance_full_at_end : float
        Chance that they reach it in the last term.
    rates : pandas.DataFrame
        `flow, rate, events, at_risk, terms, dispersion`.
    """

    table: pd.DataFrame = field(repr=False)
    chance_full: float
    chance_low: float
    chance_high: float
    chance_full_at_end: float
    rates: pd.DataFrame = field(repr=False)
    stock: int
    n_sim: int
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a term."""
        return term_frame(self.table.to_dict("records"))


def staffing_projection(
    stock: int,
    *,
    required: object,
    leave: object,
    lapse: object,
    new: object,
    renew: object = (0, 0),
    lapsed: int = 0,
    planned: object = None,
    terms: int = TERMS_A_YEAR * YEARS,
    parameter_uncertainty: bool = True,
    n_sim: int = 4000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> StaffingProjectionResult | Refused:
    """Stock-and-flow forecast of certificate holders over the next terms, with the chance of full staffing.

    Parameters
    ----------
    stock : int
        Holders of a valid certificate in post now.
    required : int, or sequence of shape (terms,)
        Holders that the standard asks for, now or in each term ahead.
    leave, lapse : (events, people at risk), or sequence of such pairs, one a past term
        Holders who left the post; holders in post whose certificate ran out without renewal.
    new : sequence of int, shape (past terms,)
        New certificates in each past term; with `planned` instead one or more pairs (passed, entered).
    renew : pair or pairs, optional
        People with a lapsed certificate who renewed it, of those in post with a lapsed one.
    lapsed : int
        People in post with a lapsed certificate now.
    planned : sequence of int, shape (terms,), optional
        Places on courses in each term ahead; those who pass are then binomial with the past share of passes.
    terms : int
        Terms ahead; 6 are three years.
    parameter_uncertainty : bool
        False takes past rates as known without error, and shows how much too sure that is.
    n_sim, seed : int
    conf_level : float

    Returns
    -------
    StaffingProjectionResult or Refused
        Refused (`no_past_flows`) where no past term says how many leave or let lapse.

    Raises
    ------
    DataError
        No counts, more events than people.
    ParamsError
        No seed, no term, fewer than 200 futures, a required number below 1 or of another length than `terms`.

    Notes
    -----
    Each term: leavers ~ binomial(holders, a); lapses ~ binomial(the rest, b); of the lapsed the share a leaves and a share c
    renews; new certificates are added. Rates are drawn from their beta posterior (Jeffreys), means of new certificates from
    a gamma one; spread between past terms beyond chance (four terms or more) widens both rate and term. The forecast holds
    only while the past's rates do: no term of it is a plan. It takes terms as exchangeable.
    Reference: Bartholomew, Forbes & McClean (1991) Statistical Techniques for Manpower Planning, ch. 3-4.
    Checked against: tests/oracle/training_stock.csv (mean and variance in closed form, R).
    """
    where = "staffing_projection"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    needed = required_of(required, terms, where)
    checked_simulation(terms, n_sim, seed, where)
    holders, idle = inputs.count(stock, where=where, name="stock"), inputs.count(lapsed, where=where, name="lapsed")
    flows = {
        name: flow_of(v, where=where, name=name) for name, v in (("leave", leave), ("lapse", lapse), ("renew", renew))
    }
    coming = arrivals_of(new, where=where, name="new") if planned is None else flow_of(new, where=where, name="new")
    places = None if planned is None else places_of(planned, terms, where)
    if refused := past_refusal(flows, coming):
        return refused
    paths = simulated(
        holders, idle, flows, coming, places, terms=terms, n_sim=n_sim, seed=seed, sure=not parameter_uncertainty
    )
    full = paths >= needed
    reached = int(full.any(axis=1).sum())
    low, high = binomial(reached, n_sim, ci="wilson", conf_level=conf_level)
    return StaffingProjectionResult(
        table=table_of(paths, needed, full, conf_level),
        chance_full=reached / n_sim,
        chance_low=low,
        chance_high=high,
        chance_full_at_end=float(full[:, -1].mean()),
        rates=rates_of(flows, coming),
        stock=holders,
        n_sim=int(n_sim),
        seed=int(seed),
        n_used=holders + idle,
        n_excluded=0,
        method=f"stock and flow, {n_sim} simulated futures"
        + (", rates drawn" if parameter_uncertainty else ", rates taken as known"),
        conf_level=conf_level,
    )


def required_of(required: object, terms: int, where: str) -> np.ndarray:
    """Required holders in each term ahead."""
    needed = np.broadcast_to(np.asarray(required, dtype=float), (terms,)) if np.size(required) in (1, terms) else None
    if needed is None or not (needed >= 1).all():
        raise ParamsError(
            f"{where}(required)", "is no number of holders", allowed=f"1 or more, once or for {terms} terms"
        )
    return needed


def places_of(planned: object, terms: int, where: str) -> np.ndarray:
    """Course places in each term ahead."""
    places = inputs.numeric(np.atleast_1d(planned), where=where, name="planned")
    if len(places) != terms or not ((places >= 0) & (places == np.round(places))).all():
        raise ParamsError(f"{where}(planned)", "is no number of places a term", allowed=f"{terms} whole numbers")
    return places.astype(np.int64)


def checked_simulation(terms: int, n_sim: int, seed: int | None, where: str) -> None:
    """Stop where no future can be simulated or repeated."""
    problems = []
    if terms < 1:
        problems.append("there is no term ahead")
    if n_sim < 200:
        problems.append(f"n_sim is {n_sim}, at least 200 futures are needed")
    if seed is None:
        problems.append("simulated futures need a seed")
    if problems:
        raise ParamsError.of_many(where, problems)


def past_refusal(flows: dict[str, Flow], coming: Arrivals | Flow) -> Refused | None:
    """Refusal, code `no_past_flows`, when the past says nothing about a flow that the forecast needs."""
    unseen = (coming.at_risk if isinstance(coming, Flow) else coming.n_terms) == 0
    if flows["leave"].at_risk > 0 and flows["lapse"].at_risk > 0 and not unseen:
        return None
    return Refused(
        "no_past_flows",
        message(
            "No past term says how many certificate holders leave, let it lapse or are newly certified: no forecast."
        ),
        message(
            "Keep for each term the holders at its start and how many left, lapsed, renewed and were newly certified."
        ),
    )


def simulated(
    holders: int,
    idle: int,
    flows: dict[str, Flow],
    coming: Arrivals | Flow,
    places: np.ndarray | None,
    *,
    terms: int,
    n_sim: int,
    seed: int,
    sure: bool,
) -> np.ndarray:
    """Holders at the end of each term in each future, shape (n_sim, terms)."""
    rng = np.random.default_rng(seed)
    rates = {name: flow.drawn_rates(rng, n_sim, sure=sure) for name, flow in flows.items()}
    if places is None:
        added = coming.drawn(rng, n_sim, terms, sure=sure)
    else:
        passes = coming.drawn_rates(rng, n_sim, sure=sure)
        each = [coming.drawn_events(rng, np.full(n_sim, n), passes) for n in places]
        added = np.column_stack(each)
    stock, waiting, paths = np.full(n_sim, holders), np.full(n_sim, idle), np.empty((n_sim, terms))
    for t in range(terms):
        stock = stock - flows["leave"].drawn_events(rng, stock, rates["leave"])
        waiting = waiting - flows["leave"].drawn_events(rng, waiting, rates["leave"])
        lost = flows["lapse"].drawn_events(rng, stock, rates["lapse"])
        # Without any past renewal the rate is not the prior's half: nobody renews.
        back = flows["renew"].drawn_events(rng, waiting, rates["renew"]) if flows["renew"].at_risk else 0 * waiting
        stock, waiting = stock - lost + back + added[:, t], waiting + lost - back
        paths[:, t] = stock
    return paths


def table_of(paths: np.ndarray, needed: np.ndarray, full: np.ndarray, conf_level: float) -> pd.DataFrame:
    """Median, prediction interval and share of the required, by term."""
    low, middle, high = np.quantile(paths, [(1 - conf_level) / 2, 0.5, (1 + conf_level) / 2], axis=0)
    return pd.DataFrame(
        {"term": [f"term {t + 1}" for t in range(len(needed))], "estimate": middle, "std_error": paths.std(axis=0, ddof=1),
         "conf_low": low, "conf_high": high, "mean": paths.mean(axis=0), "required": needed, "share": middle / needed,
         "share_low": low / needed, "share_high": high / needed, "chance_full": full.mean(axis=0)}
    )  # fmt: skip


def rates_of(flows: dict[str, Flow], coming: Arrivals | Flow) -> pd.DataFrame:
    """What the past said about each flow."""
    rows = [
        {"flow": name, "rate": flow.rate if flow.at_risk else math.nan, "events": flow.events, "at_risk": flow.at_risk,
         "terms": flow.n_terms, "dispersion": flow.dispersion}
        for name, flow in flows.items()
    ]  # fmt: skip
    if isinstance(coming, Flow):
        rest = {"rate": coming.rate, "events": coming.events, "at_risk": coming.at_risk}
    else:
        rest = {"rate": coming.total / coming.n_terms, "events": coming.total, "at_risk": math.nan}
    rows.append({"flow": "new", **rest, "terms": coming.n_terms, "dispersion": coming.dispersion})
    return pd.DataFrame(rows)
