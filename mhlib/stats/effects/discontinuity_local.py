"""Local linear jump at a cut-off from sums by score, with the largest bias that a bound on curvature allows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from mhlib.stats.effects.discontinuity_cells import ScoreCells

KERNELS = ("triangular", "uniform")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalJump:
    """Jumps of every variable at the cut-off within one bandwidth.

    Attributes
    ----------
    bandwidth : float
        In units of the score.
    weights : ndarray, shape (K,)
        What each row at that value adds to the jump: jump = sum of weights times values.
    jumps : ndarray, shape (V,)
    covariance : ndarray, shape (V, V)
    unit_bias : float
        Largest bias where the second derivative is at most 1 in size on either side.
    df : float
        Of the standard error; infinite where rows are independent.
    n_below, n_above : int
        Rows within the bandwidth.
    values_below, values_above : int
        Values of the score within it.
    discrete : bool
        Whether errors are taken about the mean of each value (else about the lines).
    """

    bandwidth: float
    weights: np.ndarray = field(repr=False)
    jumps: np.ndarray
    covariance: np.ndarray
    unit_bias: float
    df: float
    n_below: int
    n_above: int
    values_below: int
    values_above: int
    discrete: bool


def kernel_weights(distance: np.ndarray, bandwidth: np.ndarray, kernel: str) -> np.ndarray:
    """Kernel at each distance, shape (H, K) for H bandwidths."""
    share = np.abs(distance)[None, :] / np.atleast_1d(bandwidth)[:, None]
    return np.maximum(1 - share, 0.0) if kernel == "triangular" else (share <= 1).astype(float)


def jump_weights(distance: np.ndarray, counts: np.ndarray, bandwidth: np.ndarray, kernel: str) -> np.ndarray:
    """Weight of each row in the jump of two local lines, shape (H, K); NaN where a side has fewer than two values."""
    smooth = kernel_weights(distance, bandwidth, kernel)
    found = np.zeros_like(smooth)
    for side, sign in ((distance >= 0, 1.0), (distance < 0, -1.0)):
        here, x = smooth[:, side], distance[side]
        mass = here * counts[side]
        s0, s1, s2 = mass.sum(axis=1), mass @ x, mass @ x**2
        spread = s0 * s2 - s1**2
        enough = ((mass > 0).sum(axis=1) >= 2) & (spread > 0)
        spread = np.where(enough, spread, np.nan)[:, None]
        found[:, side] = sign * here * (s2[:, None] - s1[:, None] * x) / spread
    return found


def unit_biases(distance: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Largest bias under a second derivative of at most 1, shape (H,): the integral of |sum_{x > t} w(x)(x - t)| on each side."""
    total = np.zeros(len(weights))
    for side, turned in ((distance >= 0, False), (distance < 0, True)):
        x = np.abs(distance[side])
        mass = weights[:, side] * counts[side]
        if turned:
            x, mass = x[::-1], mass[:, ::-1]
        knots = np.r_[0.0, x]
        beyond = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
        moment = np.cumsum((mass * x)[:, ::-1], axis=1)[:, ::-1]
        empty = np.zeros((len(weights), 1))
        # From knot j on, the values strictly beyond it are x[j:].
        curve = np.hstack([moment, empty]) - knots * np.hstack([beyond, empty])
        total += absolute_area(curve, np.diff(knots))
    return total


def absolute_area(curve: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Integral of the size of a broken line whose heights at the knots are the rows of `curve`."""
    a, b = curve[:, :-1], curve[:, 1:]
    size = np.abs(a) + np.abs(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(size > 0, (a * a + b * b) / size, 0.0)
    return (lengths * np.where(a * b < 0, crossing, size) / 2).sum(axis=1)


def local_jump(cells: ScoreCells, bandwidth: float, *, kernel: str) -> LocalJump:
    """Jumps within one bandwidth, with errors by cluster or of independent rows."""
    counts, totals = cells.counts, cells.totals
    weights = jump_weights(cells.distance, counts, np.array([bandwidth]), kernel)[0]
    used = weights != 0
    discrete = bool((counts[used] >= 2).all())
    centre = totals / counts[:, None] if discrete else lines(cells, counts, totals, bandwidth, kernel)
    if cells.n_clusters:
        covariance, df = by_cluster(cells, weights, centre)
    else:
        covariance, df = by_row(cells, counts, totals, weights, centre, discrete=discrete), np.inf
    above = cells.above & used
    below = ~cells.above & used
    return LocalJump(
        bandwidth=float(bandwidth),
        weights=weights,
        jumps=weights @ totals,
        covariance=covariance,
        unit_bias=float(unit_biases(cells.distance, counts, weights[None, :])[0]),
        df=df,
        n_below=int(counts[below].sum()),
        n_above=int(counts[above].sum()),
        values_below=int(below.sum()),
        values_above=int(above.sum()),
        discrete=discrete,
    )


def lines(cells: ScoreCells, counts: np.ndarray, totals: np.ndarray, bandwidth: float, kernel: str) -> np.ndarray:
    """Heights of the two local lines at each value, shape (K, V)."""
    smooth = kernel_weights(cells.distance, np.array([bandwidth]), kernel)[0]
    fitted = np.zeros_like(totals)
    for side in (cells.above, ~cells.above):
        design = np.column_stack([np.ones(side.sum()), cells.distance[side]])
        heavy = design * (smooth[side] * counts[side])[:, None]
        line = np.linalg.solve(design.T @ heavy, (design * smooth[side][:, None]).T @ totals[side])
        fitted[side] = design @ line
    return fitted


def by_cluster(cells: ScoreCells, weights: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, float]:
    """CR1 covariance of the jumps by cluster, and degrees of freedom from how evenly clusters carry the estimate."""
    share = weights[cells.cell_value]
    residual = share[:, None] * (cells.sums - cells.n[:, None] * centre[cells.cell_value])
    scores = np.column_stack([np.bincount(cells.cell_cluster, weights=one) for one in residual.T])
    carried = np.bincount(cells.cell_cluster, weights=cells.n * share**2)
    g = int((carried > 0).sum())
    df = float(carried.sum() ** 2 / (carried**2).sum() - 1)
    return scores.T @ scores * (g / max(g - 1, 1)), df


def by_row(
    cells: ScoreCells,
    counts: np.ndarray,
    totals: np.ndarray,
    weights: np.ndarray,
    centre: np.ndarray,
    *,
    discrete: bool,
) -> np.ndarray:
    """Covariance of the jumps where rows are independent: spread about each value's mean (n - 1), or about the lines."""
    cross = totals[:, :, None] * centre[:, None, :]
    level = counts[:, None, None] * centre[:, :, None] * centre[:, None, :]
    spread = cells.squares - cross - np.swapaxes(cross, 1, 2) + level
    factor = counts / np.maximum(counts - 1, 1) if discrete else np.ones(len(counts))
    return np.einsum("k,kij->ij", weights**2 * factor, spread)


def folded_quantile(bias: np.ndarray, level: float, df: float) -> np.ndarray:
    """Critical c with P(|T + bias| <= c) = level, T Student's t (normal where `df` is infinite); `bias` in standard errors."""
    bias = np.abs(np.atleast_1d(np.asarray(bias, dtype=float)))
    normal = np.isinf(df)
    cdf = special.ndtr if normal else lambda x: special.stdtr(df, x)
    # The folded distribution is concave from here on, so that Newton's steps climb to the quantile and never pass it.
    found = bias + (special.ndtri(level) if normal else special.stdtrit(df, level))
    found = np.maximum(found, 0.0)
    for _ in range(50):
        missing = level - (cdf(found - bias) - cdf(-found - bias))
        step = missing / (student_density(found - bias, df) + student_density(found + bias, df))
        found = found + step
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return found


def student_density(x: np.ndarray, df: float) -> np.ndarray:
    """Density of Student's t, normal where `df` is infinite."""
    # So far out it is nought in any digit, and the square stays a number.
    x = np.minimum(np.abs(x), 1e150)
    if np.isinf(df):
        return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return scale * (1 + x**2 / df) ** (-(df + 1) / 2)
