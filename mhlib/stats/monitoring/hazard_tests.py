"""Are the curves of groups alike? Log-rank for any event, and Gray's comparison of one event among several."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from mhlib.stats.monitoring.hazard_curves import influence
from mhlib.stats.monitoring.hazard_table import EventTable, Spells, at_risk_at, event_table, unit_tables

# Below 4 denominator df neither t nor F can be trusted (Tipton 2015).
FEWEST_DF = 4


def group_tables(spells: Spells, time: np.ndarray) -> list[EventTable]:
    """Each group's people at risk and events at common times."""
    found = []
    for place in np.unique(spells.group):
        own = spells.of(spells.group == place)
        events = np.zeros((len(spells.causes), len(time)))
        happened = own.event > 0
        column = np.searchsorted(time, own.time[happened])
        np.add.at(events, (own.event[happened] - 1, column), own.weight[happened])
        at_risk = at_risk_at(time, own.time, own.weight) - at_risk_at(time, own.entry, own.weight)
        found.append(EventTable(time, at_risk, events))
    return found


def rank_test(spells: Spells, *, robust: bool, clustered: bool) -> dict[str, object]:
    """Log-rank test that the event-free curves are alike.

    Notes
    -----
    Hypergeometric variance for people who stand alone; sums by unit of the score's influence with weights or clusters.
    Reference: Mantel (1966) Cancer Chemother Rep 50:163; Lin & Wei (1989) JASA 84:1074.
    """
    whole = event_table(spells)
    tables = group_tables(spells, whole.time)
    at_risk, events = (np.array([getattr(t, name) for t in tables]) for name in ("at_risk", "any_event"))
    n, d = whole.at_risk, whole.any_event
    score = (events - at_risk / n * d).sum(axis=1)
    if robust:
        variance = score_variance(spells, whole, at_risk / n, clustered=clustered)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(n > 1, d * (n - d) / (n - 1), 0.0)
        share = at_risk / n
        variance = np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T
    return quadratic(score, variance, spells, clustered, "log-rank" + (", robust" if robust else ""))


def score_variance(spells: Spells, whole: EventTable, share: np.ndarray, *, clustered: bool) -> np.ndarray:
    """Covariance of the log-rank scores from what each unit adds to them."""
    hazard = whole.any_event / whole.at_risk
    added = np.zeros((spells.n_units, len(share)))
    happened = spells.event > 0
    place = np.searchsorted(whole.time, spells.time[happened])
    groups = np.unique(spells.group)
    own = np.searchsorted(groups, spells.group)
    # Cumulated compensators, read between entry and end.
    cumulated = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share * hazard, axis=1)], axis=1)
    total = np.concatenate([[0.0], np.cumsum(hazard)])
    first, last = (np.searchsorted(whole.time, t, side="right") for t in (spells.entry, spells.time))
    for g in range(len(share)):
        inside = (own == g) * 1.0
        part = -(inside * (total[last] - total[first]) - (cumulated[g][last] - cumulated[g][first]))
        part[happened] += inside[happened] - share[g][place]
        added[:, g] = np.bincount(spells.unit, weights=spells.weight * part, minlength=spells.n_units)
    return crossed(added, clustered)


def gray_test(spells: Spells, cause: int, *, clustered: bool) -> dict[str, object]:
    """Gray-type test that the cumulative incidence of one cause is alike in all groups.

    Notes
    -----
    Score of group g: sum over times of R_g (dG_g - sum_h R_h dG_h / R), dG_g = dF_g / (1 - F_g(t-)) the subdistribution
    hazard and R_g = n_g (1 - F_g(t-)) / S_g(t-) its risk set (Gray 1988). Its covariance comes from what each unit adds to
    dG (weights R held), not from Gray's formula, so that clusters and weights are allowed for; people who stand alone give
    his statistic up to a few per cent.
    """
    time = np.unique(spells.time[spells.event == cause + 1])
    whole = event_table(spells).time
    tables, codes = group_tables(spells, whole), np.unique(spells.group)
    risk, slope = (np.zeros((len(codes), len(whole))) for _ in range(2))
    for g, table in enumerate(tables):
        risk[g], slope[g] = subdistribution(table, cause)
    weight = risk / np.maximum(risk.sum(axis=0), 1e-300)
    score = (risk * (slope - (weight * slope).sum(axis=0))).sum(axis=1)
    added = np.zeros((spells.n_units, len(codes)))
    for g, code in enumerate(codes):
        kernel = -risk * weight[g]
        kernel[g] += risk[g]
        added += group_influence(spells.of(spells.group == code), cause, whole, kernel)
    return quadratic(score, crossed(added, clustered), spells, clustered, "Gray-type") if len(time) else nothing()


def subdistribution(table: EventTable, cause: int) -> tuple[np.ndarray, np.ndarray]:
    """Risk set and hazard of one cause's subdistribution at each time, nil where nobody is at risk."""
    survival, incidence = defined(table)
    before = np.concatenate([[1.0], survival[:-1]])
    earlier = np.concatenate([[0.0], incidence[cause][:-1]])
    present = (table.at_risk > 0) & (before > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        risk = np.where(present, table.at_risk * (1 - earlier) / before, 0.0)
        step = np.diff(incidence[cause], prepend=0.0)
        slope = np.where(present, step / (1 - earlier), 0.0)
    return risk, slope


def defined(table: EventTable) -> tuple[np.ndarray, np.ndarray]:
    """Survival and incidences where some times have nobody of the group at risk: the curves stay as they are."""
    hazard = table.events / np.where(table.at_risk > 0, table.at_risk, 1.0)
    survival = np.cumprod(1 - hazard.sum(axis=0))
    before = np.concatenate([[1.0], survival[:-1]])
    return survival, np.cumsum(before * hazard, axis=1)


def group_influence(spells: Spells, cause: int, time: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """What each unit of one group adds to the score of every group, shape (units, groups); other units add 0."""
    units, code = np.unique(spells.unit, return_inverse=True)
    # Its own event against all others: no more is needed, and it halves the work.
    event = np.where(spells.event == 0, 0, np.where(spells.event == cause + 1, 1, 2))
    own = replace(spells, event=event, unit=code, n_units=len(units), causes=("own", "other"))
    table = event_table(own)
    seen = np.searchsorted(time, table.time)
    incidence = table.incidence[0]
    earlier, step = np.concatenate([[0.0], incidence[:-1]]), np.diff(incidence, prepend=0.0)
    # sum of kernel x (change of slope): the influence on F at each time gets its weight once, not as a difference of curves.
    direct, carried = kernel[:, seen] / (1 - earlier), kernel[:, seen] * step / (1 - earlier) ** 2
    weight = direct - np.concatenate([direct[:, 1:], np.zeros((len(kernel), 1))], axis=1)
    weight += np.concatenate([carried[:, 1:], np.zeros((len(kernel), 1))], axis=1)
    found, base = np.zeros((spells.n_units, len(kernel))), 0
    for at_risk, events in unit_tables(own, table.time):
        found[units[base : base + len(at_risk)]] = influence(table, at_risk, events)[1][:, 0] @ weight.T
        base += len(at_risk)
    return found


def crossed(added: np.ndarray, clustered: bool) -> np.ndarray:
    """Covariance of sums over independent units; clusters get g / (g - 1)."""
    g = len(added)
    return added.T @ added * (g / (g - 1) if clustered else 1.0)


def quadratic(
    score: np.ndarray, variance: np.ndarray, spells: Spells, clustered: bool, method: str
) -> dict[str, object]:
    """Chi-square of the scores; with clusters F with clusters - 1 denominator df, and no p-value below 4."""
    df = len(score) - 1
    statistic = float(score[:-1] @ np.linalg.pinv(variance[:-1, :-1]) @ score[:-1])
    den_df = spells.n_units - 1 if clustered else math.inf
    p_value = float(stats.chi2.sf(statistic, df) if math.isinf(den_df) else stats.f.sf(statistic / df, df, den_df))
    p_value = p_value if den_df >= FEWEST_DF else math.nan
    return {"statistic": statistic, "df": df, "den_df": den_df, "p_value": p_value, "method": method}


def nothing() -> dict[str, object]:
    """A test without an event to compare."""
    return {"statistic": math.nan, "df": 0, "den_df": math.nan, "p_value": math.nan, "method": "Gray-type"}
