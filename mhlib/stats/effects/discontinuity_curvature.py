"""How curved the outcome is in the score: a stated rule of thumb, the bound that honest intervals rest on."""

from __future__ import annotations

import numpy as np

from mhlib.stats.effects.discontinuity_cells import ScoreCells

# A quartic needs five values a side, and one more to be more than a drawing through the points.
FEWEST_FOR_QUARTIC = 6
# The bound has to hold within the bandwidth only; a quartic's bend among the last few people of a long tail is noise.
NEAREST = 0.95


def quartic_curvature(cells: ScoreCells, combination: np.ndarray, *, nearest: float = NEAREST) -> float:
    """Largest second derivative of one quartic a side (Armstrong & Kolesár 2020); NaN below 6 values on a side.

    Parameters
    ----------
    cells : ScoreCells
    combination : ndarray, shape (V,)
        Which mixture of the variables is meant.
    nearest : float
        Share of each side's people, those nearest to the cut-off, over whose scores the largest is sought; 1 is the rule
        as published, over the whole support. The quartic is fitted to everyone in any case.
    """
    if min(cells.above.sum(), (~cells.above).sum()) < FEWEST_FOR_QUARTIC:
        return float("nan")
    counts, totals = cells.counts, cells.totals @ combination
    return max(
        side_curvature(np.abs(cells.distance[side]), counts[side], totals[side], nearest)
        for side in (cells.above, ~cells.above)
    )


def side_curvature(x: np.ndarray, counts: np.ndarray, totals: np.ndarray, nearest: float) -> float:
    """Largest second derivative of a weighted quartic through the means at x >= 0, among the nearest people."""
    scale, root = x.max(), np.sqrt(counts)
    design = (x / scale)[:, None] ** np.arange(5)
    quartic = np.linalg.lstsq(design * root[:, None], totals / root, rcond=None)[0]
    order = np.argsort(x)
    held = np.cumsum(counts[order]) / counts.sum()
    last = x[order][min(int(np.searchsorted(held, nearest - 1e-12)), len(x) - 1)]
    ends = [x.min() / scale, last / scale]
    if quartic[4] != 0:
        turn = -quartic[3] / (4 * quartic[4])
        ends += [turn] if ends[0] < turn < ends[1] else []
    return float(max(abs(2 * quartic[2] + 6 * t * quartic[3] + 12 * t * t * quartic[4]) for t in ends) / scale**2)
