"""What schools add to the covariance of items, so that whole schools can be drawn again without touching a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.measurement.item_matrix import BLOCK

# A percentile of resampled schools says little when there are hardly any to draw from.
FEWEST_SCHOOLS = 10


@dataclass(frozen=True, slots=True)
class SchoolSums:
    """Per school: people, sums of items about any common origin, and what alpha needs of their cross-products.

    Attributes
    ----------
    n : ndarray, shape (g,)
        People who answered every item.
    sums : ndarray, shape (g, k)
        Sum of each item.
    squares : ndarray, shape (g,)
        Sum of squared answers over people and items.
    totals_squared : ndarray, shape (g,)
        Sum over people of the squared sum score.
    """

    n: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    totals_squared: np.ndarray

    @property
    def n_schools(self) -> int:
        """Schools with anyone in them."""
        return int((self.n > 0).sum())


def school_sums(complete: np.ndarray, code: np.ndarray, n_schools: int) -> SchoolSums:
    """Sums by school of complete rows, shape (n, k); items are centred at a whole number to keep the sums exact."""
    k = complete.shape[1]
    origin = np.round(complete[:BLOCK].mean(axis=0))
    sums, own = np.zeros(n_schools * k), np.zeros((2, n_schools))
    for start in range(0, len(complete), BLOCK):
        centred, school = complete[start : start + BLOCK] - origin, code[start : start + BLOCK]
        cell = (school[:, None] * k + np.arange(k)).ravel()
        sums += np.bincount(cell, weights=centred.ravel(), minlength=n_schools * k)
        # Products of ones and rows: summing a short axis is many times slower.
        total, squares = centred @ np.ones(k), (centred * centred) @ np.ones(k)
        own += [np.bincount(school, weights=part, minlength=n_schools) for part in (squares, total * total)]
    return SchoolSums(np.bincount(code, minlength=n_schools).astype(float), sums.reshape(n_schools, k), own[0], own[1])


def school_weights(n_schools: int, *, n_boot: int, seed: int | None, where: str) -> np.ndarray:
    """How often each resample draws each school, shape (n_boot, n_schools).

    Raises
    ------
    DesignError
        Fewer than :data:`FEWEST_SCHOOLS` schools.
    ParamsError
        No seed, or fewer than 100 resamples.
    """
    if n_schools < FEWEST_SCHOOLS:
        raise DesignError(
            where,
            f"{n_schools} schools cannot be drawn again to any purpose",
            allowed=f"at least {FEWEST_SCHOOLS}",
            remedy="use an interval that takes pupils as independent and say so, or collect more schools",
        )
    problems = []
    if seed is None:
        problems.append("resampled schools need a seed")
    if n_boot < 100:
        problems.append(f"n_boot is {n_boot}, at least 100 resamples are needed")
    if problems:
        raise ParamsError.of_many(where, problems)
    drawn = np.random.default_rng(seed).integers(0, n_schools, size=(n_boot, n_schools))
    drawn += n_schools * np.arange(n_boot)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_boot * n_schools).reshape(n_boot, n_schools).astype(float)


def resampled_alpha(sums: SchoolSums, weights: np.ndarray) -> np.ndarray:
    """Alpha of each resample, shape (n_boot,); NaN where the sum score does not vary.

    Parameters
    ----------
    sums : SchoolSums
        Of schools with someone in them.
    weights : ndarray, shape (n_boot, g)
    """
    k = sums.sums.shape[1]
    _, _, items, score = resampled_sums(sums, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(score > 0, k / (k - 1) * (1 - items / score), np.nan)


def resampled_sums(sums: SchoolSums, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """People, item sums, and sums of squares about the means of items together and of the score, by resample."""
    drawn = weights @ np.column_stack([sums.n, sums.squares, sums.totals_squared, sums.sums])
    n, item_sums = drawn[:, 0], drawn[:, 3:]
    items = drawn[:, 1] - np.einsum("bk,bk->b", item_sums, item_sums) / n
    return n, item_sums, items, drawn[:, 2] - item_sums.sum(axis=1) ** 2 / n


def school_errors(sums: SchoolSums, weights: np.ndarray) -> np.ndarray:
    """Linearised standard error of log(1 - alpha) in each resample, schools being the units that vary.

    log(1 - alpha) depends on the ratio of the items' sum of squares to the score's; a school adds its own part of both.
    """
    k = sums.sums.shape[1]
    n, item_sums, items, score = resampled_sums(sums, weights)
    mean = item_sums / n[:, None]
    of_items = sums.squares - 2 * mean @ sums.sums.T + (mean**2).sum(axis=1)[:, None] * sums.n
    middle = mean.sum(axis=1)[:, None]
    of_score = sums.totals_squared - 2 * middle * sums.sums.sum(axis=1) + middle**2 * sums.n
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = items / score
        alpha = k / (k - 1) * (1 - ratio)
        added = k / (k - 1) * (of_items - ratio[:, None] * of_score) / (score * (1 - alpha))[:, None]
        return np.sqrt((weights * added**2).sum(axis=1))


def studentised(
    sums: SchoolSums, weights: np.ndarray, drawn: np.ndarray, alpha: float, tails: list[float]
) -> tuple[float, float]:
    """Interval of alpha from resampled (estimate - alpha) / error on the scale of log(1 - alpha) (bootstrap t)."""
    error = float(school_errors(sums, np.ones((1, sums.n_schools)))[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (np.log(1 - drawn) - np.log(1 - alpha)) / school_errors(sums, weights)
    low, high = np.quantile(distance[np.isfinite(distance)], tails)
    return 1 - (1 - alpha) * float(np.exp(-low * error)), 1 - (1 - alpha) * float(np.exp(-high * error))


def occupied(sums: SchoolSums) -> SchoolSums:
    """Without schools that hold nobody: they are not there to be drawn."""
    kept = sums.n > 0
    return SchoolSums(sums.n[kept], sums.sums[kept], sums.squares[kept], sums.totals_squared[kept])


def checked_sums(sums: SchoolSums, *, where: str) -> SchoolSums:
    """Pass sums of schools on if they can come from answers.

    Raises
    ------
    DataError
        Arrays that do not fit each other, missing numbers or negative counts.
    DesignError
        Fewer than two items or three people.
    """
    n, table, squares, totals = (
        np.asarray(part, dtype=float) for part in (sums.n, sums.sums, sums.squares, sums.totals_squared)
    )
    problems = []
    if table.ndim != 2 or not n.shape == squares.shape == totals.shape == table.shape[:1]:
        problems.append("arrays do not fit each other")
    elif not all(np.isfinite(part).all() for part in (n, table, squares, totals)) or (n < 0).any():
        problems.append("hold missing numbers or negative counts")
    if problems:
        raise DataError.of_many(f"{where}(sums)", problems)
    if table.shape[1] < 2 or n.sum() < 3:
        raise DesignError(where, "fewer than two items or three people", allowed="k >= 2 items, n >= 3 people")
    return occupied(SchoolSums(n, table, squares, totals))
