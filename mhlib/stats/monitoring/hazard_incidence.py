"""How many have renewed, let lapse or left by each month, when one of these ends the wait for the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd

from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.monitoring.hazard_curves import greenwood, median_time, on_log_log, unit_variances
from mhlib.stats.monitoring.hazard_table import EventTable, Spells, event_table, spells_of
from mhlib.stats.monitoring.hazard_tests import gray_test, rank_test
from mhlib.stats.terms import term_frame

FREE = "event-free"
COLUMNS = ("estimate", "std_error", "conf_low", "conf_high")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CumulativeIncidenceResult:
    """Curves over time since each person's start.

    Attributes
    ----------
    curves : pandas.DataFrame
        `group, cause, time, at_risk, events, estimate, std_error, conf_low, conf_high` at each time at which anything
        happened in the group; cause `event-free` is the Kaplan-Meier share to whom nothing has happened yet.
    medians : pandas.DataFrame
        `group, median, conf_low, conf_high` of the event-free curve, in units of time; NaN where not reached.
    tests : pandas.DataFrame
        `cause, statistic, df, den_df, p_value, method`: log-rank test of any event and Gray-type test of each cause; empty
        with one group.
    last_seen : dict
        Longest spell of each group: beyond it nothing is known.
    n_people : dict
        People of each group.
    """

    curves: pd.DataFrame = field(repr=False)
    medians: pd.DataFrame
    tests: pd.DataFrame
    causes: tuple[object, ...]
    groups: tuple[object, ...]
    last_seen: dict[object, float]
    n_people: dict[object, int]
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def at(self, times: object) -> pd.DataFrame:
        """Estimates at given times, one row a group, cause and time; NaN beyond the longest spell of the group."""
        wanted, rows = np.atleast_1d(np.asarray(times, dtype=float)), []
        for group, cause in product(self.groups, (FREE, *self.causes)):
            part = self.curves[(self.curves["group"] == group) & (self.curves["cause"] == cause)]
            # Before the first step nothing has happened; beyond the longest spell nothing is known.
            start = np.array([[float(cause == FREE), 0.0, np.nan, np.nan]])
            steps = np.concatenate([start, part[list(COLUMNS)].to_numpy(), np.full((1, 4), np.nan)])
            place = np.searchsorted(part["time"].to_numpy(), wanted, side="right")
            place[wanted > self.last_seen[group]] = len(steps) - 1
            for t, found in zip(wanted, steps[place], strict=True):
                labels = {"term": f"{group}: {cause} at {t:g}", "group": group, "cause": cause, "time": t}
                rows.append({**labels, **dict(zip(COLUMNS, found, strict=True))})
        return term_frame(rows)

    def to_frame(self) -> pd.DataFrame:
        """Every step of every curve, with `group, cause, time, at_risk, events`."""
        term = [f"{row.group}: {row.cause} at {row.time:g}" for row in self.curves.itertuples()]
        return term_frame(self.curves.assign(term=term).to_dict("records"))


def cumulative_incidence(
    time: object,
    event: object,
    *,
    entry: object = None,
    group: object = None,
    weights: object = None,
    cluster: object = None,
    conf_level: float = 0.95,
) -> CumulativeIncidenceResult:
    """Cumulative incidence of competing events (Aalen-Johansen); with one kind of event one minus Kaplan-Meier.

    Parameters
    ----------
    time : array-like, shape (n,)
        From the start (the certificate) to the event or to when last seen, in months or terms.
    event : array-like, shape (n,)
        0, False or '' for a spell that was still running; anything else names the event: 'renewed', 'lapsed', 'left'.
    entry : array-like, shape (n,), optional
        Time at which a person came under observation (left truncation); 0 from the start.
    group : array-like, shape (n,), optional
        One set of curves a group, and tests that the groups are alike.
    weights : array-like, shape (n,), optional
        Inverse probabilities of being in the rows.
    cluster : array-like, shape (n,), optional
        School or district: errors allow for it, intervals use t with clusters - 1 df in the group.
    conf_level : float

    Returns
    -------
    CumulativeIncidenceResult
        Rows without time or event, or of weight 0, are left out and counted.

    Raises
    ------
    DataError
        Columns of different lengths, text as time, negative times, spells that end before they begin, no group or cluster.
    DesignError
        Nobody, no event, a single cluster.

    Notes
    -----
    F_k(t) = sum_{u<=t} S(u-) d_k(u) / n(u). Errors: Greenwood and Dinse-Larson for people who stand alone; sums of squares
    of each unit's influence with weights or clusters (infinitesimal jackknife, clusters times g / (g - 1)). Intervals on
    log(-log). Taking leavers as censored (1 - Kaplan-Meier of one cause) overstates the share that lapses.
    References: Aalen & Johansen (1978) Scand J Stat 5:141; Dinse & Larson (1986) Biometrika 73:379; Gray (1988) Ann Stat
    16:1141. Checked against: tests/oracle/training_curves.csv (R survival), training_gray.csv (R cmprsk).
    """
    where = "cumulative_incidence"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    spells = spells_of(time, event, entry=entry, group=group, weights=weights, cluster=cluster, where=where)
    clustered = cluster is not None
    robust = clustered or weights is not None
    curves, medians, last, people = [], [], {}, {}
    for place, label in enumerate(spells.groups):
        own = spells.of(spells.group == place)
        if not len(own.time):
            continue
        last[label], people[label] = float(own.time.max()), len(own.time)
        frame = curve_frame(own, robust=robust, clustered=clustered, conf_level=conf_level)
        curves.append(frame.assign(group=label))
        medians.append({"group": label, **median_row(frame)})
    return CumulativeIncidenceResult(
        curves=pd.concat(curves, ignore_index=True)[["group", "cause", "time", "at_risk", "events", *COLUMNS]],
        medians=pd.DataFrame(medians),
        tests=tests_of(spells, robust=robust, clustered=clustered),
        causes=spells.causes,
        groups=tuple(last),
        last_seen=last,
        n_people=people,
        n_clusters=spells.n_units if clustered else None,
        n_used=len(spells.time),
        n_excluded=spells.n_excluded,
        method="Aalen-Johansen, "
        + ("errors by cluster" if clustered else "infinitesimal jackknife" if robust else "Greenwood errors")
        + ", log(-log) intervals",
        conf_level=conf_level,
    )


def curve_frame(spells: Spells, *, robust: bool, clustered: bool, conf_level: float) -> pd.DataFrame:
    """Curves of one group."""
    table = event_table(spells)
    quantile = critical(conf_level)
    if robust:
        of_survival, of_incidence, units = unit_variances(spells, table, clustered=clustered)
        quantile = critical(conf_level, units - 1) if clustered and units > 1 else quantile
    else:
        of_survival, of_incidence = greenwood(table)
    of_survival = np.where(table.survival > 0, of_survival, np.nan)
    parts = [cause_frame(table, FREE, table.survival, of_survival, table.any_event, quantile)]
    for k, cause in enumerate(spells.causes):
        parts.append(cause_frame(table, cause, table.incidence[k], of_incidence[k], table.events[k], quantile))
    return pd.concat(parts, ignore_index=True)


def cause_frame(
    table: EventTable, cause: object, share: np.ndarray, variance: np.ndarray, events: np.ndarray, quantile: float
) -> pd.DataFrame:
    """One curve."""
    error = np.sqrt(variance)
    low, high = on_log_log(share, error, quantile)
    return pd.DataFrame(
        {"cause": cause, "time": table.time, "at_risk": table.at_risk, "events": events, "estimate": share,
         "std_error": error, "conf_low": low, "conf_high": high}
    )  # fmt: skip


def median_row(frame: pd.DataFrame) -> dict[str, float]:
    """Median of the event-free curve, with the times at which its limits reach a half."""
    free = frame[frame["cause"] == FREE]
    time, columns = free["time"].to_numpy(), ("estimate", "conf_low", "conf_high")
    found = (median_time(time, free[column].to_numpy()) for column in columns)
    return dict(zip(("median", "conf_low", "conf_high"), found, strict=True))


def tests_of(spells: Spells, *, robust: bool, clustered: bool) -> pd.DataFrame:
    """Log-rank test of any event, and of each cause where there are several."""
    columns = ["cause", "statistic", "df", "den_df", "p_value", "method"]
    if len(np.unique(spells.group)) < 2:
        return pd.DataFrame(columns=columns)
    rows = [{"cause": "any event", **rank_test(spells, robust=robust, clustered=clustered)}]
    if len(spells.causes) > 1:
        rows += [{"cause": cause, **gray_test(spells, k, clustered=clustered)} for k, cause in enumerate(spells.causes)]
    return pd.DataFrame(rows)[columns]
