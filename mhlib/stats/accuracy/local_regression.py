"""Local quadratic regression on one predictor: the smooth of R's loess, in its fitted and in its direct surface.

The fitted surface solves the local regression at a few vertices (cuts of the data at their medians) and joins them by
cubic pieces that meet values and slopes. So its cost hardly grows with the rows, and its numbers are those of R's default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# R's loess: share of the window that a cell may hold, and how far the box of vertices stands beyond the data.
CELL, MARGIN = 0.2, 0.005


@dataclass(frozen=True, slots=True)
class Smooth:
    """Vertices in rising order with the value and the slope of the local fit at each."""

    at: np.ndarray
    value: np.ndarray
    slope: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Cubic Hermite pieces between vertices; `x` within the box of the data."""
        cell = np.clip(np.searchsorted(self.at, x, side="right") - 1, 0, len(self.at) - 2)
        width = self.at[cell + 1] - self.at[cell]
        h = (x - self.at[cell]) / width
        ends = (1 - h) ** 2 * (1 + 2 * h) * self.value[cell] + h**2 * (3 - 2 * h) * self.value[cell + 1]
        slopes = h * (1 - h) ** 2 * self.slope[cell] - h**2 * (1 - h) * self.slope[cell + 1]
        return ends + width * slopes


@dataclass(frozen=True, slots=True)
class Points:
    """Rising distinct `x` with the rows at each, their total weight and their weighted mean of y."""

    x: np.ndarray
    rows: np.ndarray
    weight: np.ndarray
    mean: np.ndarray


def collected(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Points:
    """Rows of equal `x` put together: a local regression sees no more of them than their number, weight and mean."""
    distinct, place, rows = np.unique(x, return_inverse=True, return_counts=True)
    weight = rows.astype(float) if weights is None else np.bincount(place, weights=weights)
    total = np.bincount(place, weights=y if weights is None else y * weights)
    mean = np.divide(total, weight, out=np.zeros(len(distinct)), where=weight > 0)
    return Points(distinct, rows, weight, mean)


def loess(x: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None = None, span: float = 0.75) -> Smooth:
    """Local quadratic smooth of `y` on `x`, joined between vertices.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Without missing values.
    weights : ndarray, shape (n,), optional
        Multiply the tricube weights; the window still counts rows, as in R.
    span : float
        Share of the rows in each window, 0–1.

    Returns
    -------
    Smooth

    Notes
    -----
    Cleveland & Devlin (1988) JASA 83:596; Cleveland & Grosse (1991). Checked against: tests/oracle/decision_loess.csv (R's
    loess with its default surface = "interpolate").
    """
    return smooth_of(collected(x, y, weights), span)


def smooth_of(points: Points, span: float) -> Smooth:
    """Smooth of rows that were put together."""
    n = int(points.rows.sum())
    at = vertices(points, math.floor(n * span * CELL))
    fits = np.array([local_fit(points, point, window(n, span)) for point in at])
    return Smooth(at, fits[:, 0], fits[:, 1])


def loess_direct(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, *, weights: np.ndarray | None = None, span: float = 0.75
) -> np.ndarray:
    """Value of the local quadratic regression at each point of `at`, solved there and not joined.

    Notes
    -----
    Checked against: tests/oracle/decision_loess.csv (R's loess with surface = "direct").
    """
    points = collected(x, y, weights)
    distinct, place = np.unique(at, return_inverse=True)
    return np.array([local_fit(points, point, window(len(x), span))[0] for point in distinct])[place]


def window(n: int, span: float) -> int:
    """Rows in each window."""
    return min(n, math.floor(n * span + 1e-5))


def vertices(points: Points, most: int) -> np.ndarray:
    """Rising vertices: the box of the data, and its cuts at medians until a cell holds `most` rows."""
    low, high = float(points.x[0]), float(points.x[-1])
    margin = MARGIN * max(high - low, 1e-10 * max(abs(low), abs(high)) + 1e-30)
    last = np.cumsum(points.rows) - 1
    found, waiting = [low - margin, high + margin], [(0, int(last[-1]), low - margin, high + margin)]
    while waiting:
        first, end, left, right = waiting.pop()
        if end - first + 1 <= most:
            continue
        m = place_of_cut(last, first, end)
        cut = float(points.x[np.searchsorted(last, m)])
        if cut in (left, right):
            continue
        found.append(cut)
        waiting += [(first, m, left, cut), (m + 1, end, cut, right)]
    return np.unique(found)


def place_of_cut(last: np.ndarray, first: int, end: int) -> int:
    """Row nearest the median of first..end after which a cut parts no ties; the median itself when there is none.

    `last` is the last row of each distinct value. Of two rows equally near the later one is taken.
    """
    # The median counts from 1 in the algorithm, hence the shifts.
    m = (first + end + 2) // 2 - 1
    free = last[(last >= first) & (last < end)]
    if not len(free):
        return m
    distance = np.abs(free - m) - 0.25 * (free > m)
    return int(free[np.argmin(distance)])


def local_fit(points: Points, at: float, rows: int) -> tuple[float, float]:
    """Value and slope at one point of the quadratic fitted with tricube weights to the window around it."""
    distance = np.abs(points.x - at)
    reach = nth_distance(distance, points.rows, rows)
    if reach <= 0:
        return float(points.mean[np.argmin(distance)]), 0.0
    inside = distance < 0.999 * reach
    scaled = distance[inside] / reach
    kernel = np.sqrt(np.where(scaled < 0.001, 1.0, (1 - scaled**3) ** 3) * points.weight[inside])
    away = (points.x[inside] - at) / reach
    design = np.stack([np.ones(len(away)), away, away**2], axis=1) * kernel[:, None]
    found = np.linalg.lstsq(design, points.mean[inside] * kernel, rcond=None)[0]
    return float(found[0]), float(found[1] / reach)


def nth_distance(distance: np.ndarray, rows: np.ndarray, n: int) -> float:
    """Distance of the n-th nearest row."""
    if len(rows) == rows.sum():
        return float(np.partition(distance, n - 1)[n - 1])
    order = np.argsort(distance, kind="stable")
    return float(distance[order[np.searchsorted(np.cumsum(rows[order]), n)]])
