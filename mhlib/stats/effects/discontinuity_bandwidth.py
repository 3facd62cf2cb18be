"""Which bandwidth gives the shortest honest interval, from variances by side and the likeness of rows in a cluster."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from mhlib.stats.effects.discontinuity_cells import ScoreCells
from mhlib.stats.effects.discontinuity_local import folded_quantile, jump_weights, unit_biases

FINEST = 60


def candidate_bandwidths(distance: np.ndarray, *, kernel: str, fewest: int) -> np.ndarray:
    """Bandwidths worth trying: from `fewest` values a side to all of them, FINEST steps, or the distances themselves."""
    sides = [np.sort(np.abs(distance[side])) for side in (distance >= 0, distance < 0)]
    least = max(one[min(fewest, len(one)) - 1] for one in sides)
    most = max(one[-1] for one in sides)
    if kernel == "uniform":
        steps = np.unique(np.abs(distance))
        steps = steps[steps >= least]
        return steps if len(steps) <= FINEST else np.unique(np.quantile(steps, np.linspace(0, 1, FINEST)))
    # The triangle gives the value at its foot no weight, so it has to reach beyond the last value it needs.
    reach = max(one[fewest] if len(one) > fewest else one[-1] * (1 + 1 / len(one)) for one in sides)
    least = (least + max(reach, least)) / 2
    return np.geomspace(least, max(most * 1.5, least * 1.01), FINEST)


def variance_parts(cells: ScoreCells, combination: np.ndarray) -> tuple[np.ndarray, float]:
    """Variance of a row on each value's side, shape (K,), and the covariance of two rows of one cluster (0 if below).

    Residuals are about the mean of each value, or about a quartic a side where most values are single.
    """
    counts, totals = cells.counts, cells.totals @ combination
    centre, lost = centres(cells, counts, totals)
    squares = cells.squares @ combination @ combination
    spread = squares - 2 * centre * totals + counts * centre**2
    variance = np.empty(len(counts))
    for side, spent in zip((cells.above, ~cells.above), lost, strict=True):
        variance[side] = spread[side].sum() / max(counts[side].sum() - spent, 1.0)
    if not cells.n_clusters:
        return variance, 0.0
    residual = np.bincount(cells.cell_cluster, weights=cells.sums @ combination - cells.n * centre[cells.cell_value])
    size = np.bincount(cells.cell_cluster, weights=cells.n)
    pairs = (size**2).sum() - size.sum()
    return variance, max(float(((residual**2).sum() - spread.sum()) / pairs), 0.0) if pairs > 0 else 0.0


def centres(cells: ScoreCells, counts: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Level at each value and the degrees of freedom it costs on the upper and the lower side."""
    sides = (cells.above, ~cells.above)
    if counts.sum() >= 2 * len(counts):
        return totals / counts, [int(side.sum()) for side in sides]
    centre, lost = np.empty(len(counts)), []
    for side in sides:
        order = min(4, int(side.sum()) - 1)
        x = cells.distance[side] / np.abs(cells.distance[side]).max()
        design, root = x[:, None] ** np.arange(order + 1), np.sqrt(counts[side])
        fit = np.linalg.lstsq(design * root[:, None], totals[side] / root, rcond=None)[0]
        centre[side] = design @ fit
        lost.append(order + 1)
    return centre, lost


def shortest_bandwidth(
    cells: ScoreCells, combination: np.ndarray, curvature: float, *, kernel: str, conf_level: float, fewest: int
) -> float:
    """Bandwidth whose honest interval is expected to be shortest (fixed-length criterion of Armstrong & Kolesár 2020)."""
    counts = cells.counts
    tried = candidate_bandwidths(cells.distance, kernel=kernel, fewest=fewest)
    weights = jump_weights(cells.distance, counts, tried, kernel)
    variance, shared = variance_parts(cells, combination)
    expected = weights**2 @ (counts * variance)
    if shared > 0:
        table = sparse.csr_array(
            (cells.n, (cells.cell_cluster, cells.cell_value)), shape=(cells.n_clusters, len(counts))
        )
        expected = expected + shared * (((table @ weights.T) ** 2).sum(axis=0) - weights**2 @ counts)
    error = np.sqrt(np.maximum(expected, np.finfo(float).tiny))
    bias = curvature * unit_biases(cells.distance, counts, weights)
    length = np.where(
        np.isfinite(error), folded_quantile(np.nan_to_num(bias / error), conf_level, np.inf) * error, np.inf
    )
    return float(tried[int(np.argmin(length))])
