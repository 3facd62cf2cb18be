"""Who was still at risk at each time, and to whom what happened: the sufficient statistics of time-to-event curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs

# Units by times held at once: 4 million float64 are 32 MB.
CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Spells:
    """Rows in use: one a person, `event` 0 for a spell that was still running when last seen, else 1 + place of its cause.

    `unit` is the code of what varies independently (the cluster, or the person).
    """

    entry: np.ndarray
    time: np.ndarray
    event: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    n_units: int
    causes: tuple[object, ...]
    groups: tuple[object, ...]
    n_excluded: int

    def of(self, kept: np.ndarray) -> Spells:
        """Some of the rows, causes and units as before."""
        columns = (values[kept] for values in (self.entry, self.time, self.event, self.weight, self.group, self.unit))
        return Spells(*columns, self.n_units, self.causes, self.groups, self.n_excluded)


@dataclass(frozen=True, slots=True)
class EventTable:
    """Weighted people at risk and events at each event time.

    Attributes
    ----------
    time : ndarray, shape (j,)
        Times at which anything happened, rising.
    at_risk : ndarray, shape (j,)
    events : ndarray, shape (causes, j)
    """

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray

    @property
    def any_event(self) -> np.ndarray:
        """Events of every cause together, shape (j,)."""
        return self.events.sum(axis=0)

    @property
    def before(self) -> np.ndarray:
        """Share free of every event just before each time, shape (j,)."""
        return np.concatenate([[1.0], self.survival[:-1]])

    @property
    def survival(self) -> np.ndarray:
        """Kaplan-Meier share free of every event at each time, shape (j,)."""
        return np.cumprod(1 - self.any_event / self.at_risk)

    @property
    def incidence(self) -> np.ndarray:
        """Aalen-Johansen share to whom each cause happened by each time, shape (causes, j)."""
        return np.cumsum(self.before * self.events / self.at_risk, axis=1)


def spells_of(
    time: object,
    event: object,
    *,
    entry: object = None,
    group: object = None,
    weights: object = None,
    cluster: object = None,
    where: str,
) -> Spells:
    """Checked rows; those that lack a time or an event code are left out and counted.

    Raises
    ------
    DataError
        Columns of different lengths, negative times, a spell that ends before it begins, a row without group or cluster.
    DesignError
        No row, no event.
    """
    n = inputs.same_length(where, time=time, event=event, entry=entry, group=group, weights=weights, cluster=cluster)
    length = inputs.numeric(time, where=where, name="time")
    start = np.zeros(n) if entry is None else inputs.numeric(entry, where=where, name="entry")
    code, causes = event_codes(event)
    kept = ~(np.isnan(length) | np.isnan(start) | (code < 0))
    if n_wrong := int(((start < 0) | (length < start) | ((entry is not None) & (length == start)))[kept].sum()):
        raise DataError(
            where, f"{n_wrong} spells end before they begin", allowed="0 <= entry < time, in one unit of time"
        )
    if not kept.any() or not (code[kept] > 0).any():
        raise DesignError(where, "nobody, or nothing happened to anybody", allowed="at least one event")
    weight = inputs.weights_of(weights, n, where=where)
    group_code, groups = (np.zeros(n, dtype=int), ("all",)) if group is None else labelled(group, where, "group")
    unit, _ = (np.arange(n), n) if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if cluster is not None and len(np.unique(unit[kept & (weight > 0)])) < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    kept &= weight > 0
    # A spell counts at t when entry < t <= time; one that begins at 0 counts at 0 too.
    start = np.where(start == 0, -1.0, start)
    unit = pd.factorize(unit[kept])[0]
    return Spells(
        start[kept], length[kept], code[kept], weight[kept], group_code[kept], unit, int(unit.max()) + 1, causes, groups,
        int(n - kept.sum()),
    )  # fmt: skip


def labelled(values: object, where: str, name: str) -> tuple[np.ndarray, tuple[object, ...]]:
    """Codes in rising order of the labels."""
    inputs.codes(values, where=where, name=name)
    code, labels = pd.factorize(pd.Series(values).reset_index(drop=True), sort=True)
    return code, tuple(labels)


def event_codes(event: object) -> tuple[np.ndarray, tuple[object, ...]]:
    """0 where the spell was running when last seen (0, False or ''), -1 where missing, else 1 + place of the cause."""
    column = pd.Series(event).reset_index(drop=True)
    running = column.isin([0, False, ""]).to_numpy()
    missing = column.isna().to_numpy()
    code = np.where(missing, -1, 0)
    place, causes = pd.factorize(column[~running & ~missing], sort=True)
    code[~running & ~missing] = place + 1
    return code, tuple(label.item() if isinstance(label, np.generic) else label for label in causes)


def event_table(spells: Spells) -> EventTable:
    """People at risk and events at each event time."""
    time = np.unique(spells.time[spells.event > 0])
    at_risk = at_risk_at(time, spells.time, spells.weight) - at_risk_at(time, spells.entry, spells.weight)
    events = np.zeros((len(spells.causes), len(time)))
    happened = spells.event > 0
    np.add.at(
        events,
        (spells.event[happened] - 1, np.searchsorted(time, spells.time[happened])),
        spells.weight[happened],
    )
    return EventTable(time, at_risk, events)


def at_risk_at(time: np.ndarray, end: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weight of spells with `end >= t` at each t."""
    order = np.argsort(end, kind="stable")
    passed = np.concatenate([[0.0], np.cumsum(weight[order])])
    return passed[-1] - passed[np.searchsorted(end[order], time, side="left")]


def unit_tables(spells: Spells, time: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of units, in order of their code: at risk (units, j) and events (units, causes, j), weighted, at the times."""
    order = np.argsort(spells.unit, kind="stable")
    step = max(1, CELLS_AT_ONCE // (max(len(time), 1) * (len(spells.causes) + 2)))
    bases = np.arange(0, spells.n_units, step)
    edges = np.searchsorted(spells.unit[order], np.append(bases, spells.n_units))
    for base, first, last in zip(bases, edges[:-1], edges[1:], strict=True):
        if last > first:
            yield block_table(spells.of(order[first:last]), time, base, min(step, spells.n_units - base))


def block_table(spells: Spells, time: np.ndarray, base: int, n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """At risk and events of some units."""
    unit, j = spells.unit - base, len(time)
    change = np.zeros((n_units, j + 1))
    np.add.at(change, (unit, np.searchsorted(time, spells.entry, side="right")), spells.weight)
    np.add.at(change, (unit, np.searchsorted(time, spells.time, side="right")), -spells.weight)
    events = np.zeros((n_units, len(spells.causes), j + 1))
    happened = spells.event > 0
    np.add.at(
        events,
        (unit[happened], spells.event[happened] - 1, np.searchsorted(time, spells.time[happened])),
        spells.weight[happened],
    )
    return np.cumsum(change, axis=1)[:, :j], events[:, :, :j]
