"""The statistics of permuted allocations, from sums by cluster: pupils and covariates stay where they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DesignError
from mhlib.stats.effects.robust_inversion import Resampled
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.wild_draws import CELLS


@dataclass(frozen=True, slots=True)
class Allocated:
    """A treatment of whole clusters and what else stands in the model, the other columns orthonormal.

    Attributes
    ----------
    low, high : float
        The two values of the treatment column.
    treated : ndarray of 0/1, shape (g,)
    weight, residual : ndarray, shape (g,)
        Sums of weights and of weighted residuals.
    other, other_residual : ndarray, shape (g, p - 1)
        O'W1 and O'We.
    inside : ndarray, shape (g, p - 1, p - 1)
        O'WO.
    """

    low: float
    high: float
    treated: np.ndarray
    weight: np.ndarray
    residual: np.ndarray
    other: np.ndarray
    other_residual: np.ndarray
    inside: np.ndarray


def allocated(fit: ClusterRobustResult, term: str) -> Allocated:
    """The parts of a fit whose `term` is a treatment of whole clusters with two values.

    Raises
    ------
    DesignError
        A model without intercept, or a term that varies within clusters or has more than two values.
    """
    where = "school_permutation"
    if "Intercept" not in fit.terms:
        raise DesignError(where, "the model has no intercept", remedy="leave it in, and absorb nothing")
    i, one = fit.position(term), fit.position("Intercept")
    original = np.linalg.inv(fit.found.scale)
    information = original.T @ fit.found.information @ original
    weight, total, square = information[:, one, one], information[:, i, one], information[:, i, i]
    value = total / weight
    values = np.unique(np.round(value, 8))
    if len(values) != 2 or not np.allclose(
        square * weight, total**2, rtol=1e-6, atol=1e-9 * square.max() * weight.max()
    ):
        raise DesignError(
            f"{where}(term)",
            f"'{term}' is no column of two values that whole clusters share",
            allowed="an arm of 0 and 1 that is the same for all rows of a cluster",
            remedy="permute among two arms at a time, and within schools only what was allocated within them",
        )
    rest = np.delete(original, i, axis=1)
    basis, _ = np.linalg.qr(rest)
    ones = original[:, one]
    return Allocated(
        float(values[0]),
        float(values[1]),
        (value > values.mean()).astype(float),
        weight,
        fit.found.raw @ ones,
        fit.found.information @ ones @ basis,
        fit.found.raw @ basis,
        basis.T @ fit.found.information @ basis,
    )


def permuted(parts: Allocated, rows: np.ndarray, *, studentised: bool, plus: int) -> Resampled:
    """Parts of the statistics of permuted allocations, shape (B, g), in blocks."""
    p = parts.other.shape[1]
    block = max(1, CELLS // (len(parts.treated) + p * p))
    made = [one_block(parts, rows[start : start + block], studentised) for start in range(0, len(rows), block)]
    observed = one_block(parts, parts.treated[None], studentised)
    numbers = [np.concatenate(part) for part in zip(*made, strict=True)]
    # At the allocation made the numerator is d times 1, so that its variance is that of the estimate.
    return Resampled(*numbers, float(observed[2][0]), plus)


def one_block(parts: Allocated, rows: np.ndarray, studentised: bool) -> tuple[np.ndarray, ...]:
    """n0, n1, a00, a01, a11 of allocations: coefficients and, if studentised, their CR0 variance."""
    gamma, observed = rows @ parts.other, parts.treated @ parts.other
    size = rows @ parts.weight - np.einsum("bp,bp->b", gamma, gamma)
    n0 = rows @ parts.residual / size
    n1 = (rows @ (parts.treated * parts.weight) - gamma @ observed) / size
    if not studentised:
        return n0, n1, np.ones(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    crossed = (parts.inside @ observed).T
    g, p = parts.other.shape
    squares = (gamma[:, :, None] * gamma[:, None, :]).reshape(len(rows), p * p) @ parts.inside.reshape(g, p * p).T
    along = gamma @ parts.other.T
    own = rows * parts.weight - 2 * rows * along + squares
    first = rows * parts.residual - gamma @ parts.other_residual.T - n0[:, None] * own
    both = rows * (parts.treated * parts.weight) - rows * (parts.other @ observed) - parts.treated * along
    second = both + gamma @ crossed - n1[:, None] * own
    divide = size**2
    return (
        n0,
        n1,
        np.einsum("bg,bg->b", first, first) / divide,
        np.einsum("bg,bg->b", first, second) / divide,
        np.einsum("bg,bg->b", second, second) / divide,
    )
