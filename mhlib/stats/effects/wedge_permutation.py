"""The roll-out drawn again: effects linear in school means, under every order in which the schools could have begun."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mhlib.findings import Refused
from mhlib.stats.effects.robust_inversion import Resampled, demand_draws, inverted
from mhlib.stats.effects.wedge_refusals import floor_refusal

# Up to so many orders all are gone through.
MOST_ENUMERATED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permuted:
    """Estimate, p-value and interval of one linear statistic; NaN where refused."""

    estimate: float
    p_value: float
    conf_low: float
    conf_high: float
    n_orders: int
    n_draws: int
    refused: Refused | None


def sequences_of(schedule: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different rows of the schedule, and the one of each school."""
    rows, which = np.unique(schedule, axis=0, return_inverse=True)
    return rows, which.reshape(-1)


def n_orders(which: np.ndarray) -> int:
    """Ways to deal the sequences to the schools."""
    left, product = len(which), 1
    for size in np.bincount(which):
        product *= math.comb(left, int(size))
        left -= int(size)
    return product


def every_order(which: np.ndarray) -> np.ndarray:
    """All of them, shape (orders, schools)."""
    sizes, found = np.bincount(which), [np.full(len(which), -1)]
    for label, size in enumerate(sizes):
        grown = []
        for row in found:
            for chosen in combinations(np.flatnonzero(row < 0), int(size)):
                copy = row.copy()
                copy[list(chosen)] = label
                grown.append(copy)
        found = grown
    return np.array(found)


def drawn_orders(which: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
    """Random ones."""
    return np.random.default_rng(seed).permuted(np.tile(which, (n_draws, 1)), axis=1)


def linear_effects(
    schedules: np.ndarray, outcomes: np.ndarray, shared: float, own: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generalised least squares of school-by-period means on periods and programme, for each schedule.

    Parameters
    ----------
    schedules : ndarray, shape (B, S, T)
    outcomes : ndarray, shape (2, S, T)
        The means, NaN where not measured, and the schedule that was really followed.
    shared, own : float
        Variance that a school's periods share, and that of each. `shared` = 0: schools are compared within periods alone.

    Returns
    -------
    tuple of ndarray, shape (B,)
        Effects on either outcome.
    """
    seen = np.isfinite(outcomes[0]).astype(float)
    pull = shared / (own + shared * seen.sum(axis=1, keepdims=True))

    def weighed(table: np.ndarray) -> np.ndarray:
        table = table * seen
        return (table - pull * table.sum(axis=-1, keepdims=True) * seen) / own

    information = np.diag(seen.sum(axis=0)) - np.einsum("st,su,s->tu", seen, seen, pull[:, 0])
    inverse = np.linalg.pinv(information / own)
    v_x = weighed(schedules)
    by_period = v_x.sum(axis=1)
    bottom = np.einsum("bst,bst->b", v_x, schedules * seen) - ((by_period @ inverse) * by_period).sum(axis=1)
    tops = []
    for outcome in np.where(seen > 0, outcomes, 0.0):
        whole = weighed(outcome)
        left = whole - weighed(np.broadcast_to(inverse @ whole.sum(axis=0), outcome.shape))
        tops.append(np.einsum("bst,st->b", schedules * seen, left))
    return tops[0] / bottom, tops[1] / bottom


def permuted_schedule(
    schedule: np.ndarray,
    means: np.ndarray,
    *,
    shared: float,
    own: float,
    n_draws: int,
    seed: int | None,
    conf_level: float,
    where: str,
) -> Permuted:
    """Deal the sequences to the schools again and again; whole schools keep their outcomes.

    The test is exact for the null that no school is affected, where schools were put in order by lot. Interval by
    inversion, for an effect that is the same for all. Reference: Wang & De Gruttola (2017) Stat Med 36:2831.
    """
    rows, which = sequences_of(schedule)
    possible = n_orders(which)
    every = possible <= MOST_ENUMERATED
    if not every:
        demand_draws(n_draws, seed, where=where, name="n_draws")
    orders = every_order(which) if every else drawn_orders(which, n_draws, seed)
    both = np.stack([means, schedule])
    estimate = float(linear_effects(schedule[None], both, shared, own)[0][0])
    if 1 / possible > 1 - conf_level:
        return Permuted(estimate=estimate, p_value=math.nan, conf_low=math.nan, conf_high=math.nan, n_orders=possible,
                        n_draws=len(orders), refused=floor_refusal(possible, 1 / possible))  # fmt: skip
    on_means, on_schedule = linear_effects(rows[orders], both, shared, own)
    parts = Resampled(
        n0=on_means - estimate * on_schedule,
        n1=on_schedule,
        a00=np.ones(len(orders)),
        a01=np.zeros(len(orders)),
        a11=np.zeros(len(orders)),
        observed_variance=1.0,
        plus=0 if every else 1,
    )
    low, high = inverted(parts, estimate, 1 - conf_level, float(np.std(on_means)))
    return Permuted(estimate=estimate, p_value=parts.p_value(estimate), conf_low=low, conf_high=high,
                    n_orders=possible, n_draws=len(orders), refused=None)  # fmt: skip
