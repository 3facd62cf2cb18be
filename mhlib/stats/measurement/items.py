"""Each item by itself: does it go with the others, and does anyone sit at its ends?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.item_matrix import BLOCK, ItemMatrix, covariance, item_matrix
from mhlib.stats.terms import TERM_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemAnalysis:
    """One row an item.

    Attributes
    ----------
    items : pandas.DataFrame
        See :meth:`to_frame`.
    negative : tuple of str
        Items that run against the rest: a wrong key or a bad item, never turned here.
    """

    items: pd.DataFrame = field(repr=False)
    negative: tuple[str, ...]
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Item-rest correlation per item (`estimate`) with Fisher's interval, and the item's description."""
        return self.items.copy()


def item_analysis(
    items: object, *, answer_range: tuple[float, float] | None = None, conf_level: float = 0.95
) -> ItemAnalysis:
    """Item-rest correlations, alpha without each item, means, ends of the range and missing answers.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Reversed items already turned by the codebook; an item that runs against the rest is named in `negative`.
    answer_range : (lowest, highest), optional
        Answers the items allow; default the lowest and highest seen on any item. Give it for a subgroup, in which nobody
        may have chosen an end.
    conf_level : float
        Of the item-rest correlation.

    Returns
    -------
    ItemAnalysis
        Frame: `term, estimate (item-rest r), std_error, conf_low, conf_high, p_value, mean, sd, floor, ceiling, missing,
        n_missing, alpha_if_deleted, negative, n_used`. All but `missing` and `n_missing` are of people with every item.
        `floor` and `ceiling` are shares at the two ends of the answers. `alpha_if_deleted` is NaN
        with two items.

    Raises
    ------
    DataError
        Text or infinite values; answers outside `answer_range` (counted).
    DesignError
        Fewer than two items, fewer than three complete rows, an item that does not vary.

    Notes
    -----
    r = (sum_j s_ij - s_ii) / sqrt(s_ii (T - 2 sum_j s_ij + s_ii)), all from one covariance matrix.
    References: Nunnally & Bernstein (1994); Fisher (1921).
    Checked against: tests/oracle/bfi_n_items.csv (psych::alpha on bfi).
    """
    inputs.open_unit(conf_level, where="item_analysis", name="conf_level")
    matrix = item_matrix(items, where="item_analysis")
    cov = covariance(matrix.complete)
    rest = item_rest(cov)
    half = critical(conf_level) / math.sqrt(matrix.n_used - 3) if matrix.n_used > 3 else math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = np.arctanh(rest)
    table = pd.DataFrame(
        {
            "term": matrix.names,
            "estimate": rest,
            "std_error": math.nan,
            "conf_low": np.tanh(centre - half),
            "conf_high": np.tanh(centre + half),
            "p_value": math.nan,
            **described(matrix, cov, ends_of(matrix.complete, answer_range, where="item_analysis")),
            "alpha_if_deleted": alpha_without(cov),
            "negative": rest < 0,
            "n_used": matrix.n_used,
        }
    )
    return ItemAnalysis(
        items=table[[*TERM_COLUMNS, *table.columns[len(TERM_COLUMNS) :]]],
        negative=tuple(table.loc[table["negative"], "term"]),
        n_items=len(matrix.names),
        n_used=matrix.n_used,
        n_excluded=matrix.n_excluded,
        method="item-rest correlation, Fisher interval",
        conf_level=conf_level,
    )


def item_rest(cov: np.ndarray) -> np.ndarray:
    """Correlation of each item with the sum of the others; NaN when these do not vary."""
    own, with_all = np.diag(cov), cov.sum(axis=1)
    variance_of_rest = cov.sum() - 2 * with_all + own
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((with_all - own) / np.sqrt(own * np.maximum(variance_of_rest, 0.0)), -1, 1)


def alpha_without(cov: np.ndarray) -> np.ndarray:
    """Alpha of the other items, for each item; NaN with two items."""
    k = len(cov) - 1
    if k < 2:
        return np.full(len(cov), math.nan)
    own, with_all = np.diag(cov), cov.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return k / (k - 1) * (1 - (np.trace(cov) - own) / (cov.sum() - 2 * with_all + own))


def ends_of(complete: np.ndarray, answer_range: tuple[float, float] | None, *, where: str) -> tuple[float, float]:
    """Lowest and highest answer: those allowed, or those seen when nothing is said.

    Raises
    ------
    DataError
        Answers outside the range.
    ParamsError
        A range the wrong way round.
    """
    if answer_range is None:
        return float(complete.min()), float(complete.max())
    lowest, highest = answer_range
    if not lowest < highest:
        raise ParamsError(f"{where}(answer_range)", "is the wrong way round", allowed="(lowest, highest)")
    if n_outside := int(((complete < lowest) | (complete > highest)).sum()):
        raise DataError(
            f"{where}(items)",
            f"{n_outside} answers lie outside the range",
            allowed=f"{lowest:g} to {highest:g}",
            remedy="check the codebook's coding (0-based or 1-based?)",
        )
    return float(lowest), float(highest)


def described(matrix: ItemMatrix, cov: np.ndarray, ends: tuple[float, float]) -> dict[str, np.ndarray]:
    """Mean, spread, ends and missing answers of each item."""
    complete, n = matrix.complete, matrix.n_used
    n_missing = np.isnan(matrix.every).sum(axis=0) if matrix.n_excluded else np.zeros(complete.shape[1], dtype=int)
    return {
        "mean": np.ones(n) @ complete / n,
        "sd": np.sqrt(np.diag(cov)),
        "floor": n_at(complete, ends[0]) / n,
        "ceiling": n_at(complete, ends[1]) / n,
        "missing": n_missing / len(matrix.every),
        "n_missing": n_missing,
    }


def n_at(complete: np.ndarray, answer: float) -> np.ndarray:
    """People who gave one answer, by item."""
    found = np.zeros(complete.shape[1])
    for start in range(0, len(complete), BLOCK):
        at = (complete[start : start + BLOCK] == answer).astype(np.float32)
        found += np.ones(len(at), dtype=np.float32) @ at
    return found
