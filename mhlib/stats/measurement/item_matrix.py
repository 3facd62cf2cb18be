"""Items as a matrix of complete rows, and their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError


@dataclass(frozen=True, slots=True)
class ItemMatrix:
    """Items of everyone (`every`), of those who answered all of them (`complete`), and the items' names."""

    every: np.ndarray
    complete: np.ndarray
    names: tuple[str, ...]

    @property
    def n_used(self) -> int:
        """People with every item."""
        return len(self.complete)

    @property
    def n_excluded(self) -> int:
        """People who miss an item."""
        return len(self.every) - len(self.complete)


def item_matrix(items: object, *, where: str) -> ItemMatrix:
    """Items as floats, complete rows apart.

    Parameters
    ----------
    items : DataFrame or array-like, shape (n, k)
        Reversed items already turned: nothing is turned here.
    where : str
        The function at fault in errors.

    Raises
    ------
    DataError
        Text, an infinite value, or a name twice.
    DesignError
        Fewer than two items, fewer than three complete rows, or items that do not vary.
    """
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items))
    if frame.columns.has_duplicates:
        raise DataError(f"{where}(items)", "two columns share a name", allowed="one name per item")
    try:
        every = frame.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}(items)", "holds something that is not a number", remedy="map text answers to numbers first"
        ) from None
    if n_infinite := int(np.isinf(every).sum()):
        raise DataError(f"{where}(items)", f"{n_infinite} infinite values", allowed="finite numbers and missing")
    names = tuple(str(name) for name in frame.columns)
    missing = np.isnan(every)
    complete = every[~missing.any(axis=1)] if missing.any() else every
    demand_variation(complete, names, where=where)
    return ItemMatrix(every, complete, names)


def demand_variation(complete: np.ndarray, names: tuple[str, ...], *, where: str) -> None:
    """Stop when a covariance would be empty or degenerate."""
    problems = []
    if complete.shape[1] < 2:
        problems.append("fewer than two items")
    if len(complete) < 3:
        problems.append(f"{len(complete)} people answered every item, at least 3 are needed")
    elif flat := [name for name, same in zip(names, np.ptp(complete, axis=0) == 0, strict=True) if same]:
        problems.append("no variation in " + ", ".join(flat))
    if problems:
        raise DesignError.of_many(f"{where}(items)", problems, remedy="leave such items out or collect more answers")


def covariance(complete: np.ndarray) -> np.ndarray:
    """Covariance with n - 1, shape (k, k); sums are exact for whole-number answers."""
    centred = complete - np.round(complete.mean(axis=0))
    total = centred.sum(axis=0)
    return (centred.T @ centred - np.outer(total, total) / len(complete)) / (len(complete) - 1)


def checked_covariance(cov: object, n: int, *, where: str) -> np.ndarray:
    """Pass a covariance matrix on as floats.

    Raises
    ------
    DataError
        Not square, not symmetric, missing values, or a variance that is not above 0.
    DesignError
        Fewer than two items or three people.
    """
    matrix = np.asarray(cov, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"{where}(cov)", "is not square", allowed="a covariance matrix, items by items")
    problems = []
    if not np.isfinite(matrix).all():
        problems.append("holds missing values")
    elif not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        problems.append("is not symmetric")
    elif (np.diag(matrix) <= 0).any():
        problems.append("holds a variance that is not above 0")
    if problems:
        raise DataError.of_many(f"{where}(cov)", problems)
    if len(matrix) < 2 or n < 3:
        raise DesignError(where, "fewer than two items or three people", allowed="k >= 2 items, n >= 3 people")
    return matrix
