"""The normal likelihood of a factor model from moments: value, gradient, expected and observed information.

Everything is per person of all groups together: group i weighs n_i / N. With M = Sigma^-1 the parameters' directions
u v' + v u' turn every trace into products of vectors (see cfa_matrices).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.cfa_matrices import Directions, Matrices, Structure, directions
from mhlib.stats.measurement.cfa_moments import Moments


@dataclass(frozen=True, slots=True)
class Point:
    """Where the likelihood was looked at.

    Attributes
    ----------
    value : float
        F, the discrepancy whose n-fold is chi2; infinite where a covariance is not positive definite.
    inverse : ndarray, shape (g, k, k)
    gap : ndarray, shape (g, k)
        Sample minus implied means; zeros without means.
    """

    theta: np.ndarray
    value: float
    at: Matrices
    sigma: np.ndarray
    inverse: np.ndarray
    gap: np.ndarray


def look(built: Structure, moments: Moments, theta: np.ndarray, log_det: float) -> Point:
    """Discrepancy at `theta`; `log_det` is the sample's weighted log determinant plus k, from :func:`saturated`."""
    at = built.matrices(theta)
    sigma = at.sigma
    gap = moments.mean - at.mu if built.has_means else np.zeros_like(moments.mean)
    try:
        root = np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        return Point(theta, math.inf, at, sigma, sigma, gap)
    inverse = np.linalg.inv(sigma)
    inverse = (inverse + np.swapaxes(inverse, 1, 2)) / 2
    logs = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    traces = (inverse * moments.cov).sum(axis=(1, 2)) + np.einsum("gi,gij,gj->g", gap, inverse, gap)
    return Point(theta, float(shares(moments) @ (logs + traces)) - log_det, at, sigma, inverse, gap)


def saturated(moments: Moments) -> float:
    """Weighted log determinant of the sample plus k: what a perfect model would leave of the discrepancy."""
    return float(shares(moments) @ np.linalg.slogdet(moments.cov)[1]) + moments.cov.shape[1]


def shares(moments: Moments) -> np.ndarray:
    """Share of each group, shape (g,)."""
    return moments.n / moments.n.sum()


def residual_weight(point: Point, moments: Moments) -> np.ndarray:
    """M (S + d d' - Sigma) M, shape (g, k, k): what is left, in the metric of the likelihood."""
    spread = moments.cov + point.gap[:, :, None] * point.gap[:, None, :] - point.sigma
    return point.inverse @ spread @ point.inverse


def gathered(cells: np.ndarray, index: np.ndarray, n_free: int) -> np.ndarray:
    """Add cells up to free parameters: (g, r) to (n_free,), or (g, r, r) to (n_free, n_free)."""
    group, place = np.nonzero(index >= 0)
    if cells.ndim == 2:
        return np.bincount(index[group, place], weights=cells[group, place], minlength=n_free)
    total = np.zeros((n_free, n_free))
    for g, free in enumerate(index):
        kept = np.flatnonzero(free >= 0)
        own = free[kept]
        if not len(own) or np.bincount(own).max() == 1:
            total[np.ix_(own, own)] += cells[g][np.ix_(kept, kept)]
        else:
            np.add.at(total, (own[:, None], own[None, :]), cells[g][np.ix_(kept, kept)])
    return total


def gradient_cells(point: Point, moments: Moments, way: Directions) -> np.ndarray:
    """Slope of logL by cell per person, shape (g, r)."""
    rest = residual_weight(point, moments)
    pull = (point.inverse @ point.gap[:, :, None])[:, :, 0]
    moved = (way.u * (rest @ way.v)).sum(axis=1) + (pull[:, None] @ way.w)[:, 0]
    return shares(moments)[:, None] * moved


def expected_cells(point: Point, moments: Moments, one: Directions, other: Directions | None = None) -> np.ndarray:
    """Expected information between cells per person, shape (g, r, r), or between two sets of cells, (g, r, s)."""
    other = one if other is None else other
    mu, mv = point.inverse @ other.u, point.inverse @ other.v
    ut, vt = np.swapaxes(one.u, 1, 2), np.swapaxes(one.v, 1, 2)
    info = (ut @ mu) * (vt @ mv) + (ut @ mv) * (vt @ mu)
    if one.w.any() and other.w.any():
        info = info + np.swapaxes(one.w, 1, 2) @ point.inverse @ other.w
    return shares(moments)[:, None, None] * info


def expected_diagonal(point: Point, moments: Moments, way: Directions) -> np.ndarray:
    """Expected information of each cell alone per person, shape (g, r)."""
    mu, mv = point.inverse @ way.u, point.inverse @ way.v
    info = (way.u * mu).sum(axis=1) * (way.v * mv).sum(axis=1) + (way.u * mv).sum(axis=1) ** 2
    return shares(moments)[:, None] * (info + (way.w * (point.inverse @ way.w)).sum(axis=1))


def gradient_and_information(built: Structure, moments: Moments, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """Slope of logL by parameter and the expected information, both per person."""
    way = directions(built, point.at)
    return (
        gathered(gradient_cells(point, moments, way), way.index, built.n_free),
        gathered(expected_cells(point, moments, way), way.index, built.n_free),
    )


def observed_information(built: Structure, moments: Moments, point: Point) -> np.ndarray:
    """Minus the second derivative of logL per person, shape (n_free, n_free).

    Notes
    -----
    With W = M (S + d d') M: tr(M S_l W S_k) - tr((W - M) S_kl) / 2 - tr(M S_l M S_k) / 2 + d' M S_k M w_l
    + d' M S_l M w_k + w_k' M w_l - d' M w_kl, S_k and w_k the first derivatives of Sigma and mu.
    """
    way = directions(built, point.at)
    rest = residual_weight(point, moments)
    weight = rest + point.inverse
    ut, vt = np.swapaxes(way.u, 1, 2), np.swapaxes(way.v, 1, 2)
    inner = {name: (ut @ a @ way.u, ut @ a @ way.v, vt @ a @ way.v) for name, a in
             (("m", point.inverse), ("w", weight))}  # fmt: skip
    (muu, muv, mvv), (wuu, wuv, wvv) = inner["m"], inner["w"]
    turn = np.swapaxes
    # tr(M S_l W S_k) with S_k = u v' + v u': four products of forms.
    mixed = turn(wuv, 1, 2) * muv + wvv * muu + wuu * mvv + wuv * turn(muv, 1, 2)
    mixed = (mixed + turn(mixed, 1, 2)) / 2
    info = mixed - (muu * mvv + muv * turn(muv, 1, 2))
    pull = point.inverse @ point.gap[:, :, None]
    if built.has_means:
        pu, pv = ut @ pull, vt @ pull
        lean = pu * (vt @ point.inverse @ way.w) + pv * (ut @ point.inverse @ way.w)
        info = info + lean + turn(lean, 1, 2) + turn(way.w, 1, 2) @ point.inverse @ way.w
    info = info - second_cells(built, point, rest, pull[:, :, 0])
    return gathered(shares(moments)[:, None, None] * info, way.index, built.n_free)


def second_cells(built: Structure, point: Point, rest: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """tr(rest S_kl) / 2 + pull' w_kl: loadings curve with loadings, factor covariances and factor means."""
    lam, psi, mean = (built.slots[name] for name in ("loading", "latent", "mean"))
    sizes = [len(built.slots[name].row) for name in ("loading", "latent", "residual", "intercept", "mean")]
    start = np.cumsum([0, *sizes])
    g = len(rest)
    cells = np.zeros((g, start[-1], start[-1]))
    first = slice(start[0], start[1])
    cells[:, first, first] = rest[:, lam.row][:, :, lam.row] * point.at.latent[:, lam.col][:, :, lam.col]
    spread = rest @ point.at.loading
    a, b = psi.row[None, :], psi.col[None, :]
    i, j = lam.row[:, None], lam.col[:, None]
    bend = spread[:, i, a] * (b == j) + spread[:, i, b] * (a == j) * (a != b)
    cells[:, first, start[1] : start[2]] = bend
    cells[:, start[1] : start[2], first] = np.swapaxes(bend, 1, 2)
    if len(mean.row):
        level = pull[:, i] * (mean.row[None, :] == j)
        cells[:, first, start[4] :] = level
        cells[:, start[4] :, first] = np.swapaxes(level, 1, 2)
    return cells
