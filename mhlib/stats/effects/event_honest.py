"""How large a violation of parallel trends would have to be to undo an effect (Rambachan & Roth 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from mhlib.stats.effects.did_inference import Inferred
from mhlib.stats.intervals import critical

# Search for the breakdown value stops here: ten times the worst violation seen, ten standard errors of curvature.
MOST_MBAR, MOST_ERRORS, STEPS = 10.0, 10.0, 20


@dataclass(frozen=True, slots=True)
class HonestBound:
    """Effects that remain possible when trends may differ.

    Attributes
    ----------
    restriction : {'relative_magnitudes', 'smoothness'}
    limit : float
        Mbar: times the largest step between two terms before; or M: change of the trend's slope from term to term.
    low, high : float
        Effects possible if nothing were estimated (NaN where the terms before already bend more than M).
    conf_low, conf_high : float
    """

    restriction: str
    limit: float
    low: float
    high: float
    conf_low: float
    conf_high: float

    @property
    def excludes_nought(self) -> bool:
        """Whether the interval leaves no room for no effect."""
        return bool(self.conf_low > 0 or self.conf_high < 0)


def relative_magnitudes(
    found: Inferred, n_leads: int, target: np.ndarray, mbar: float, conf_level: float
) -> HonestBound:
    """Bounds when no step after is larger than `mbar` times the largest step before.

    The effect lies within target'post -/+ mbar * reach * max |step before|. The interval is the union over the steps
    before (and signs) of their own t intervals: it holds the truth at least as often as stated, and is wider than the
    conditional tests of R's HonestDiD where two steps before are about equally large.
    """
    post = np.concatenate([np.zeros(n_leads), target])
    reach = float(np.abs(np.cumsum(target[::-1])).sum())
    steps = pre_steps(n_leads, len(target))
    signed = np.concatenate([steps, -steps]) if mbar > 0 else np.zeros((1, len(post)))
    turned = found.turned(post + mbar * reach * signed)
    half = np.array([critical(conf_level, df) for df in turned.df]) * turned.std_errors
    ends = turned.estimates
    return HonestBound("relative_magnitudes", mbar, float(ends.min()), float(ends.max()), float((ends - half).min()),
                       float((ends + half).max()))  # fmt: skip


def pre_steps(n_leads: int, n_lags: int) -> np.ndarray:
    """Steps of the path before the start, the last one to the base, shape (n_leads, n_leads + n_lags)."""
    steps = np.zeros((n_leads, n_leads + n_lags))
    steps[:, :n_leads] = np.eye(n_leads, k=1) - np.eye(n_leads)
    return steps


def smoothness(found: Inferred, n_leads: int, target: np.ndarray, limit: float, conf_level: float) -> HonestBound:
    """Bounds when the slope of the differing trend changes by no more than `limit` a term.

    The interval is the shortest of fixed length (section 4.1): leads are weighted so that a straight trend cancels, and
    the worst bias of a bending one is allowed for. With few schools errors are stretched so that the normal quantile
    becomes the target's t quantile.
    """
    n = n_leads + len(target)
    bends, times = bending(n_leads, len(target))
    post = np.concatenate([np.zeros(n_leads), target])
    df = float(found.turned(post[None]).df[0])
    covariance = found.covariance * (critical(conf_level, df) / critical(conf_level)) ** 2
    start = post.copy()
    start[n_leads - 1] = target @ times[n_leads:]
    # Directions that leave a straight trend cancelled: they shift weight between leads only.
    free = np.zeros((n_leads - 1, n))
    free[:, : n_leads - 1] = np.eye(n_leads - 1)
    free[:, n_leads - 1] = times[: n_leads - 1]
    weights = shortest(start, free, covariance, limit * bends, conf_level)
    half = half_length(weights, covariance, limit * bends, conf_level)
    middle = float(weights @ found.estimates)
    low, high = bent(found.estimates, n_leads, target, limit)
    return HonestBound("smoothness", limit, low, high, middle - half, middle + half)


def bending(n_leads: int, n_lags: int) -> tuple[np.ndarray, np.ndarray]:
    """What each unit change of slope adds to each event time (rows), with the step after the base held; and the times."""
    times = np.array([*range(-n_leads, 0), *range(1, n_lags + 1)], dtype=float)
    at = np.arange(-n_leads + 1, n_lags, dtype=float)
    before = np.where((at <= 0) & (at > times[:, None]), at - times[:, None], 0.0)
    after = np.where((at > 0) & (at < times[:, None]), times[:, None] - at, 0.0)
    return np.where(times[:, None] < 0, before, after), times


def folded_quantile(shift: float, conf_level: float) -> tuple[float, float]:
    """Quantile of |normal about `shift`|, and its derivative by the shift."""
    tail = stats.norm.ppf(conf_level)
    if shift > 6:
        return shift + tail, 1.0
    value = optimize.brentq(
        lambda c: special.ndtr(c - shift) - special.ndtr(-c - shift) - conf_level, 0.0, shift + 9.0, xtol=1e-13
    )
    near, far = math.exp(-((value - shift) ** 2) / 2), math.exp(-((value + shift) ** 2) / 2)
    return value, (near - far) / (near + far)


def half_length(weights: np.ndarray, covariance: np.ndarray, bends: np.ndarray, conf_level: float) -> float:
    """Half length of the interval about weights'estimates whose bias is at most the sum of |bends'weights|."""
    error = math.sqrt(float(weights @ covariance @ weights))
    return error * folded_quantile(float(np.abs(bends.T @ weights).sum()) / error, conf_level)[0]


def shortest(
    start: np.ndarray, free: np.ndarray, covariance: np.ndarray, bends: np.ndarray, conf_level: float
) -> np.ndarray:
    """Weights of the shortest interval: a convex search over the free directions, the bias smoothed ever less."""
    if not len(free):
        return start
    # Scaled to equal spread, from the weights of smallest variance.
    inner = free @ covariance @ free.T
    scale = np.linalg.inv(np.linalg.cholesky(inner))
    free = scale @ free
    z = -(free @ covariance @ start)
    unit = math.sqrt(float(start @ covariance @ start))

    def length(z: np.ndarray, smooth: float) -> tuple[float, np.ndarray]:
        weights = start + z @ free
        spread = covariance @ weights
        error = math.sqrt(float(weights @ spread))
        bias = bends.T @ weights
        size = np.sqrt(bias**2 + smooth**2)
        quantile, slope = folded_quantile(float(size.sum()) / error, conf_level)
        by_error = quantile - slope * float(size.sum()) / error
        return error * quantile, free @ (by_error * spread / error + slope * (bends @ (bias / size)))

    best, best_half = z, half_length(start + z @ free, covariance, bends, conf_level)
    for smooth in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        z = optimize.minimize(length, best, args=(smooth * unit,), jac=True, method="BFGS").x
        half = half_length(start + z @ free, covariance, bends, conf_level)
        best, best_half = (z, half) if half < best_half else (best, best_half)
    return start + best @ free


def bent(estimates: np.ndarray, n_leads: int, target: np.ndarray, limit: float) -> tuple[float, float]:
    """Bounds if the estimates were exact; NaN where the leads bend more than the limit."""
    path = np.append(estimates[:n_leads], 0.0)
    if n_leads > 1 and np.abs(np.diff(path, 2)).max() > limit:
        return math.nan, math.nan
    times = np.arange(1, len(target) + 1)
    last = path[-1] - path[-2]
    middle = float(target @ (estimates[n_leads:] - last * times))
    reach = sum(abs(float(target @ np.maximum(times - at, 0))) for at in range(len(target)))
    return middle - limit * reach, middle + limit * reach


def breakdown(bound_at: object, most: float) -> float:
    """Smallest limit at which nought can no longer be excluded: 0 where it never could, `most` where it always can."""
    if not bound_at(0.0).excludes_nought:
        return 0.0
    low, high = 0.0, most
    if bound_at(most).excludes_nought:
        return math.inf
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if bound_at(middle).excludes_nought else (low, middle)
    return (low + high) / 2
