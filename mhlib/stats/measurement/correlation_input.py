"""A correlation matrix of items: Pearson's of the rows, or any other that the caller brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix

# A correlation matrix with an eigenvalue below this cannot be inverted to any purpose.
SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class CorrelationInput:
    """Correlations with the people behind them; `complete` holds the rows, shape (n, k)."""

    matrix: np.ndarray
    complete: np.ndarray
    names: tuple[str, ...]
    n_used: int
    n_excluded: int
    normal_theory: bool


def correlation_input(items: object, correlation: Callable | None, *, where: str) -> CorrelationInput:
    """Correlations of people who answered every item.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
    correlation : callable, optional
        Gives the correlations, shape (k, k), of complete rows, shape (n, k); default Pearson's.
    where : str
        The function at fault in errors.

    Raises
    ------
    DataError, DesignError
        As :func:`item_matrix`, and what `correlation` gives that is no correlation matrix.
    """
    matrix = item_matrix(items, where=where)
    found = pearson(covariance(matrix.complete)) if correlation is None else correlation(matrix.complete)
    return CorrelationInput(
        checked_correlation(found, matrix.n_used, where=where),
        matrix.complete,
        matrix.names,
        matrix.n_used,
        matrix.n_excluded,
        correlation is None,
    )


def pearson(cov: np.ndarray) -> np.ndarray:
    """Correlations of covariances, exactly 1 on the diagonal; any leading axes."""
    spread = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    result = cov / (spread[..., :, None] * spread[..., None, :])
    np.einsum("...ii->...i", result)[...] = 1.0
    return result


def checked_correlation(corr: object, n: int, *, where: str) -> np.ndarray:
    """Pass a correlation matrix on as floats.

    Raises
    ------
    DataError
        Not square, not symmetric, missing values, a diagonal other than 1, or a correlation beyond 1.
    DesignError
        Fewer than two items or three people.
    """
    matrix = checked_covariance(corr, n, where=where)
    problems = []
    if not np.allclose(np.diag(matrix), 1.0, rtol=0, atol=1e-8):
        problems.append("has a diagonal other than 1")
    elif (np.abs(matrix) > 1 + 1e-8).any():
        problems.append("holds a correlation beyond 1")
    if problems:
        raise DataError.of_many(f"{where}(corr)", problems, remedy="give correlations, not covariances")
    return matrix


def demand_inverse(matrix: np.ndarray, *, where: str) -> np.ndarray:
    """Inverse of a correlation matrix.

    Raises
    ------
    DataError
        A matrix that is singular, or not positive definite (pairwise or polychoric correlations may not be).
    """
    if np.linalg.eigvalsh(matrix)[0] < SINGULAR:
        raise DataError(
            where,
            "the correlations are singular or not positive definite",
            remedy="leave out items that are sums or copies of others, or smooth the matrix first",
        )
    return np.linalg.inv(matrix)


def item_names(names: Sequence[str] | None, k: int, *, where: str) -> tuple[str, ...]:
    """Names of the items as text, 0 to k - 1 when there are none.

    Raises
    ------
    DataError
        A number of names other than `k`, or a name twice.
    """
    index = tuple(str(name) for name in (range(k) if names is None else names))
    if len(index) != k or len(set(index)) != k:
        raise DataError(
            f"{where}(names)", f"{len(set(index))} different names for {k} items", allowed="one name per item"
        )
    return index
