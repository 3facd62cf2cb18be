"""Items as a matrix of complete rows, and their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError

# Rows handled at once: 20 items of them fit into a core's own cache.
BLOCK = 4096


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
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items), copy=False)
    if frame.columns.has_duplicates:
        raise DataError(f"{where}(items)", "two columns share a name", allowed="one name per item")
    try:
        # A plain table of floats is read where it lies: a copy would cost more than everything that follows.
        plain = all(dtype == np.float64 for dtype in frame.dtypes)
        every = frame.to_numpy() if plain else frame.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}(items)", "holds something that is not a number", remedy="map text answers to numbers first"
        ) from None
    names = tuple(str(name) for name in frame.columns)
    complete = every
    # A finite sum proves that all is there, in one pass; only otherwise are the rows looked at one by one.
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(every.sum())
    if not finite:
        if n_infinite := int(np.isinf(every).sum()):
            raise DataError(f"{where}(items)", f"{n_infinite} infinite values", allowed="finite numbers and missing")
        complete = every[~np.isnan(every).any(axis=1)]
    demand_variation(complete, names, where=where)
    return ItemMatrix(every, complete, names)


def demand_variation(complete: np.ndarray, names: tuple[str, ...], *, where: str) -> None:
    """Stop when a covariance would be empty or degenerate."""
    problems = []
    if complete.shape[1] < 2:
        problems.append("fewer than two items")
    if len(complete) < 3:
        problems.append(f"{len(complete)} people answered every item, at least 3 are needed")
    elif flat := [names[column] for column in flat_columns(complete)]:
        problems.append("no variation in " + ", ".join(flat))
    if problems:
        raise DesignError.of_many(f"{where}(items)", problems, remedy="leave such items out or collect more answers")


def flat_columns(complete: np.ndarray) -> list[int]:
    """Columns that hold one value; nearly all others show in the first rows already."""
    suspects = np.flatnonzero(np.ptp(complete[:256], axis=0) == 0)
    return [int(column) for column in suspects if np.ptp(complete[:, column]) == 0]


def covariance(complete: np.ndarray) -> np.ndarray:
    """Covariance with n - 1, shape (k, k); sums are exact for whole-number answers.

    Rows are centred block by block, so that a block is still in the cache when it is multiplied.
    """
    n, k = complete.shape
    origin = np.round(complete[:BLOCK].mean(axis=0))
    products, total = np.zeros((k, k)), np.zeros(k)
    for start in range(0, n, BLOCK):
        rows = complete[start : start + BLOCK]
        # A few items go along the long axis: a short inner axis would be walked through many times slower.
        centred = (np.ascontiguousarray(rows.T) - origin[:, None]).T if k < 8 else rows - origin
        products += centred.T @ centred
        total += np.ones(len(centred)) @ centred
    shift = total**2 / n
    if (shift > 100 * (np.diag(products) - shift)).any():
        # Rows in such an order that the first block stands far from the rest: its mean is no good origin.
        centred = complete - complete.mean(axis=0)
        return centred.T @ centred / (n - 1)
    return (products - np.outer(total, total) / n) / (n - 1)


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
