"""How large is DIF? Areas between expected item scores, and the shift of the expected total."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from mhlib.stats.measurement.irt_curves import Layout, curves, sum_by_item
from mhlib.stats.measurement.irt_problem import POINTS, Group, Maximum

WIDE = 12.0


def expected_items(group: Group, values: np.ndarray, theta: np.ndarray, layout: Layout) -> np.ndarray:
    """Expected score of each item at `theta`, shape (k, Q)."""
    found = curves(group.slopes, group.intercepts, theta, layout)
    return sum_by_item(found.probability * values[:, None], layout)


def item_effects(top: Maximum, j: int, values: np.ndarray, layout: Layout) -> dict[str, float]:
    """Effect sizes of item j in a fit in which it is free; positive signed values: the focal group scores higher.

    `signed_area` and `unsigned_area` average the difference of expected item scores over the focal group's theta
    (Meade, 2010: SIDS, UIDS); `wabc` its absolute value over both groups' theta (Edelen, Stucky & Chandra, 2015);
    `standardised` is the signed area over the pooled SD of the expected score (ESSD).
    """
    reference, focal = top.at.groups
    curve = [expected_items(group, values, POINTS, layout)[j] for group in (reference, focal)]
    gap = curve[1] - curve[0]
    people = [group.expected.people.sum() for group in (reference, focal)]
    both = (people[0] * reference.weight + people[1] * focal.weight) / sum(people)
    spread = [expected_variance(c, g.weight) for c, g in zip(curve, (reference, focal), strict=True)]
    pooled = np.sqrt(np.average(spread, weights=people))
    signed = float(focal.weight @ gap)
    return {
        "signed_area": signed,
        "unsigned_area": float(focal.weight @ np.abs(gap)),
        "wabc": float(both @ np.abs(gap)),
        "standardised": signed / float(pooled),
        "slope_reference": float(reference.slopes[j]),
        "slope_focal": float(focal.slopes[j]),
    }


def expected_variance(curve: np.ndarray, weight: np.ndarray) -> float:
    """Variance over theta of an expected score."""
    return float(weight @ (curve - weight @ curve) ** 2)


def item_curves(top: Maximum, j: int, name: str, values: np.ndarray, layout: Layout) -> pd.DataFrame:
    """Expected score of item j in both groups, for a figure."""
    theta = np.linspace(-4, 4, 81)
    columns = {
        side: expected_items(group, values, theta, layout)[j]
        for side, group in zip(("reference", "focal"), top.at.groups, strict=True)
    }
    return pd.DataFrame({"item": name, "theta": theta, **columns})


def total_shift(top: Maximum, cutoffs: Sequence[float], values: np.ndarray, layout: Layout) -> pd.DataFrame:
    """Expected total of both groups at the theta where the reference group's equals the cut-off, and their difference.

    NaN where an item runs against the rest or the total never reaches the cut-off.
    """
    reference, focal = top.at.groups
    rows = []
    for cutoff in cutoffs:
        theta = theta_at(reference, cutoff, values, layout)
        totals = [
            float(expected_items(group, values, np.array([theta]), layout).sum()) if np.isfinite(theta) else np.nan
            for group in (reference, focal)
        ]
        rows.append({"cutoff": cutoff, "theta": theta, "reference": totals[0], "focal": totals[1]})
    table = pd.DataFrame(rows, columns=["cutoff", "theta", "reference", "focal"])
    return table.assign(shift=table["focal"] - table["reference"])


def theta_at(group: Group, cutoff: float, values: np.ndarray, layout: Layout) -> float:
    """Theta whose expected total is the cut-off."""

    def gap(theta: float) -> float:
        return float(expected_items(group, values, np.array([theta]), layout).sum()) - cutoff

    if (group.slopes < 0).any() or not gap(-WIDE) < 0 < gap(WIDE):
        return float("nan")
    return float(brentq(gap, -WIDE, WIDE, xtol=1e-12))


def mean_shift(top: Maximum, values: np.ndarray, layout: Layout) -> float:
    """Average difference of expected totals over the focal group's theta: points that are DIF, not difference in trait."""
    reference, focal = top.at.groups
    totals = [expected_items(group, values, POINTS, layout).sum(axis=0) for group in (reference, focal)]
    return float(focal.weight @ (totals[1] - totals[0]))
