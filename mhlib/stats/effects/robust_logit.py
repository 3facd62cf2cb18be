"""Cluster-robust logistic regression: the fit, and scores adjusted exactly or in whitened form.

Bell and McCaffrey's root is taken of an unwhitened matrix, so that it depends on every pupil's own variance. Pupils alike
in all covariates share theirs: the exact root needs one row for each pattern of covariates in a cluster. References:
McCaffrey & Bell (2006) Stat Med 25:4081; Pustejovsky & Tipton (2018) JBES 36:672.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import expit

from mhlib.errors import DataError, DesignError
from mhlib.stats.effects.robust_adjust import Adjusted, Solved, adjusted_plain, power
from mhlib.stats.effects.robust_sums import orthonormal

STEPS = 60


@dataclass(frozen=True, slots=True)
class LogitFit:
    """A logistic fit: the whitened sums in orthonormal columns, and the rows grouped by cluster and pattern."""

    solved: Solved
    code: np.ndarray = field(repr=False)
    x: np.ndarray = field(repr=False)
    number: np.ndarray = field(repr=False)
    weight: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    residual: np.ndarray = field(repr=False)


def fitted_logit(
    x: np.ndarray, y: np.ndarray, code: np.ndarray, *, names: tuple[str, ...], weights: np.ndarray | None
) -> LogitFit:
    """Maximum likelihood on rows grouped by cluster and covariate pattern.

    Raises
    ------
    DataError
        An outcome other than 0 and 1.
    DesignError
        Columns made from each other, or columns that foretell the outcome perfectly.
    """
    if not np.isin(y, (0.0, 1.0)).all():
        raise DataError(
            "cluster_robust(formula)", "the outcome of a logit is not 0 or 1 in every row", allowed="0 and 1"
        )
    weight = np.ones(len(y)) if weights is None else weights * (len(weights) / weights.sum())
    basis = orthonormal(x.T @ x, names)
    first, number, total = grouped(x, y, code, weight)
    z, w, group = x[first] @ basis, weight[first], code[first]
    beta = maximised(z, total, number, w)
    mean = expit(z @ beta)
    information = (z * (number * w * mean * (1 - mean))[:, None]).T @ z
    turn = orthonormal(information, names)
    z = z @ turn
    residual = total - number * mean
    edges = np.searchsorted(group, np.arange(group[-1] + 2))
    own = number * w * mean * (1 - mean)
    pieces = [slice(a, b) for a, b in pairwise(edges)]
    inside = np.stack([(z[s] * own[s][:, None]).T @ z[s] for s in pieces])
    raw = np.stack([z[s].T @ (w[s] * residual[s]) for s in pieces])
    solution = Solved(basis @ turn, np.linalg.solve(turn, beta), inside, raw)
    return LogitFit(solution, group, z, number, w, mean, residual)


def grouped(
    x: np.ndarray, y: np.ndarray, code: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows alike in cluster, covariates and weight: a row of each group, and the rows and the ones in it."""
    keys = np.column_stack([x, weight])
    keys = keys[:, np.ptp(keys, axis=0) > 0] if len(keys) > 1 else keys
    order = np.lexsort([*keys.T, code])
    ordered = np.column_stack([code, keys])[order]
    new = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    group = np.empty(len(y), dtype=int)
    group[order] = np.cumsum(new) - 1
    return order[new], np.bincount(group).astype(float), np.bincount(group, weights=y)


def maximised(z: np.ndarray, total: np.ndarray, number: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Newton's iterations with halved steps from 0; the likelihood is concave."""
    beta, last = np.zeros(z.shape[1]), -np.inf
    step = np.zeros_like(beta)
    for _ in range(STEPS):
        linear = z @ beta
        value = float((weight * (total * linear - number * np.logaddexp(0, linear))).sum())
        if value < last - 1e-9 * abs(last):
            step /= 2
            beta = beta - step
            continue
        mean = expit(linear)
        gradient = z.T @ (weight * (total - number * mean))
        hessian = (z * (weight * number * mean * (1 - mean))[:, None]).T @ z
        if np.linalg.cond(hessian) > 1e12:
            break
        step, last = np.linalg.solve(hessian, gradient), value
        beta = beta + step
        if gradient @ step < 1e-20 * max(1.0, abs(value)):
            return beta
    raise DesignError(
        "cluster_robust(formula)",
        "the columns foretell the outcome perfectly for some pupils, so the logit has no finite estimate",
        allowed="both outcomes in every group of the formula",
        remedy="put small groups together, or use family='gaussian' (a difference of shares)",
    )


def adjusted_logit(fit: LogitFit, kind: str, *, root: str) -> Adjusted:
    """Adjusted scores of a logistic fit; only CR2 has an exact root that differs from the whitened one."""
    whitened = adjusted_plain(fit.solved, kind)
    if kind != "CR2" or root == "whitened":
        return whitened
    scores, reach, norm = (np.empty_like(part) for part in (whitened.scores, whitened.reach, whitened.norm))
    edges = np.searchsorted(fit.code, np.arange(len(scores) + 1))
    for i, (start, stop) in enumerate(pairwise(edges)):
        scores[i], reach[i], norm[i] = exact_root(fit, slice(start, stop))
    return Adjusted(
        whitened.scale,
        whitened.coefficients,
        scores,
        whitened.raw,
        reach,
        norm,
        whitened.link,
        whitened.information,
    )


def exact_root(fit: LogitFit, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, reach and norm of one cluster: within a pattern only the mean is adjusted, deviations from it are not."""
    many = np.sqrt(fit.number[rows])
    slope = fit.mean[rows] * (1 - fit.mean[rows])
    variance = slope / fit.weight[rows]
    design = fit.x[rows] * (many * slope)[:, None]
    left = fit.x[rows] * (many * fit.weight[rows])[:, None]
    half = np.sqrt(variance)
    inner = design * half[:, None]
    value, vector = np.linalg.eigh(np.diag(variance**2) - inner @ inner.T)
    scale = float((variance**2).max())
    middle = vector * (power(value / scale, -0.5) / np.sqrt(scale))
    through = half[:, None] * (middle @ (vector.T @ (half[:, None] * left)))
    return (
        through.T @ (fit.residual[rows] / many),
        design.T @ through,
        through.T @ (variance[:, None] * through),
    )
