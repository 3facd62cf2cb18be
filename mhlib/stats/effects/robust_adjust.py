"""The adjusted scores of a cluster-robust variance, in the space of the columns: no matrix has the size of a cluster.

With Z = X (or [X, WX] with weights) the block of the residual maker of one cluster is B = I + Z C Z', so that every power
of it acts within the span of Z and can be taken of a small matrix. Reference: Bell & McCaffrey (2002) Survey Methodology
28:169; Pustejovsky & Tipton (2018) JBES 36:672.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mhlib.stats.effects.robust_sums import ClusterSums, orthonormal

# Eigenvalues of a residual maker lie in 0 to 1; below this one is 0 but for rounding.
ZERO = 1e-10
KINDS = ("CR0", "CR1", "CR1S", "CR2", "CR3")


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Scores of g clusters after adjustment, and what their covariance under the working model needs.

    Attributes
    ----------
    scale : ndarray, shape (p, p)
        L: coefficients are L times those of the orthonormal columns.
    coefficients : ndarray, shape (p,)
        Of the orthonormal columns.
    scores : ndarray, shape (g, p)
        X'W A e.
    raw : ndarray, shape (g, p)
        X'W e.
    reach : ndarray, shape (g, r, p)
        Z' A' W X.
    norm : ndarray, shape (g, p, p)
        X'W A V A' W X with the working variance V.
    link : ndarray, shape (r, r)
        C: covariance of residuals of two clusters is V + Z C Z'.
    information : ndarray, shape (g, p, p)
        X'WX.
    """

    scale: np.ndarray
    coefficients: np.ndarray
    scores: np.ndarray = field(repr=False)
    raw: np.ndarray = field(repr=False)
    reach: np.ndarray = field(repr=False)
    norm: np.ndarray = field(repr=False)
    link: np.ndarray = field(repr=False)
    information: np.ndarray = field(repr=False)


@dataclass(frozen=True, slots=True)
class Solved:
    """A least-squares fit in its orthonormal columns: sums turned into them, coefficients and scores."""

    scale: np.ndarray
    coefficients: np.ndarray
    wxx: np.ndarray
    raw: np.ndarray
    xx: np.ndarray | None = None
    wwxx: np.ndarray | None = None
    plain: np.ndarray | None = None


def solved(sums: ClusterSums) -> Solved:
    """Least squares of the sums."""
    wxx, wxy = sums.weighted
    turn = orthonormal(wxx.sum(axis=0), sums.names)
    wxx, wxy = turn.T @ wxx @ turn, wxy @ turn
    # One step of refinement: the sum of X'WX is the identity but for rounding.
    beta = np.linalg.solve(wxx.sum(axis=0), wxy.sum(axis=0))
    scale = turn if sums.basis is None else sums.basis @ turn
    if sums.wxx is None:
        return Solved(scale, beta, wxx, wxy - wxx @ beta)
    xx = turn.T @ sums.xx @ turn
    return Solved(scale, beta, wxx, wxy - wxx @ beta, xx, turn.T @ sums.wwxx @ turn, sums.xy @ turn - xx @ beta)


def adjusted(fit: Solved, kind: str) -> Adjusted:
    """Scores adjusted by the rule of `kind`, without its scalar factor."""
    if fit.xx is None:
        return adjusted_plain(fit, kind)
    p = len(fit.coefficients)
    identity = np.eye(p)
    link = np.block([[fit.wwxx.sum(axis=0), -identity], [-identity, np.zeros((p, p))]])
    if kind == "CR2":
        scores, reach, norm = root_of_weighted(fit, link)
    else:
        turn = np.broadcast_to(identity, fit.wxx.shape) if kind != "CR3" else inverse_residual(fit.wxx)
        scores = np.einsum("gij,gj->gi", turn, fit.raw)
        reach = np.concatenate([fit.wxx @ turn, fit.wwxx @ turn], axis=1)
        norm = np.swapaxes(turn, 1, 2) @ fit.wwxx @ turn
    return Adjusted(fit.scale, fit.coefficients, scores, fit.raw, reach, norm, link, fit.wxx)


def adjusted_plain(fit: Solved, kind: str) -> Adjusted:
    """Without weights one eigenproblem of X'X serves every kind: the adjustment is (1 - h) to the power 0, -1/2 or -1."""
    identity = np.eye(len(fit.coefficients))
    if kind in ("CR0", "CR1", "CR1S"):
        return Adjusted(fit.scale, fit.coefficients, fit.raw, fit.raw, fit.wxx, fit.wxx, -identity, fit.wxx)
    value, vector = np.linalg.eigh(fit.wxx)
    factor = power(1 - value, -0.5 if kind == "CR2" else -1.0)
    back = np.swapaxes(vector, 1, 2)
    scores = np.einsum("gij,gj->gi", vector, factor * np.einsum("gji,gj->gi", vector, fit.raw))
    reach = (vector * (factor * value)[:, None, :]) @ back
    norm = (vector * (factor**2 * value)[:, None, :]) @ back
    return Adjusted(fit.scale, fit.coefficients, scores, fit.raw, reach, norm, -identity, fit.wxx)


def root_of_weighted(fit: Solved, link: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CR2 with weights and an equal working variance: the root of I + Z C Z' with Z = [X, WX]."""
    p = len(fit.coefficients)
    gram = np.concatenate(
        [np.concatenate([fit.xx, fit.wxx], axis=2), np.concatenate([fit.wxx, fit.wwxx], axis=2)], axis=1
    )
    value, vector = np.linalg.eigh(gram)
    kept = value > 1e-13 * value[:, -1:]
    length = np.sqrt(np.where(kept, value, 0.0))
    span = length[:, :, None] * np.swapaxes(vector, 1, 2)
    inner, turn = np.linalg.eigh(np.eye(2 * p) + span @ link @ np.swapaxes(span, 1, 2))
    root = (turn * power(inner, -0.5)[:, None, :]) @ np.swapaxes(turn, 1, 2)
    residual = np.concatenate([fit.plain, fit.raw], axis=1)
    inside = np.einsum("gji,gj->gi", vector, residual) / np.where(kept, length, np.inf)
    through = root @ span[:, :, p:]
    scores = np.einsum("gij,gi->gj", through, inside)
    return scores, np.swapaxes(span, 1, 2) @ through, np.swapaxes(through, 1, 2) @ through


def inverse_residual(information: np.ndarray) -> np.ndarray:
    """(I - X'WX)^-1 of each cluster; directions that one cluster alone carries are passed over."""
    value, vector = np.linalg.eigh(information)
    return (vector * power(1 - value, -1.0)[:, None, :]) @ np.swapaxes(vector, 1, 2)


def power(value: np.ndarray, exponent: float) -> np.ndarray:
    """Power of the positive values, 0 for those that are 0 but for rounding."""
    positive = value > ZERO
    return np.where(positive, np.where(positive, value, 1.0) ** exponent, 0.0)


def factor_of(kind: str, *, n_clusters: int, n: int, n_columns: int) -> float:
    """Scalar by which the variance of a kind is multiplied: CR1 g/(g-1), CR1S g(n-1)/((g-1)(n-p))."""
    if kind == "CR1":
        return n_clusters / (n_clusters - 1)
    if kind == "CR1S":
        return n_clusters * (n - 1) / ((n_clusters - 1) * (n - n_columns))
    return 1.0
