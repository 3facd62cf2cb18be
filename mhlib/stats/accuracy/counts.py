"""The sufficient statistic of every accuracy measure: how many cases and non-cases stand at each score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError, DesignError, ParamsError

DIRECTIONS = (">=", "<=")
# Beyond this span of whole-number scores a histogram would be larger than a sort is slow.
LONGEST_HISTOGRAM = 100_000


@dataclass(frozen=True, slots=True)
class ScoreCounts:
    """Rising distinct scores with the (weighted) number of cases and non-cases at each."""

    score: np.ndarray
    case: np.ndarray
    noncase: np.ndarray


def score_levels(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rising distinct scores and each row's place among them.

    Whole-number scores of a short span, which is what questionnaires give, need one pass and no sort.
    """
    if score.size:
        low, high = score.min(), score.max()
        if high - low < LONGEST_HISTOGRAM and low == np.floor(low):
            offset = (score - low).astype(np.int64)
            if (offset + low == score).all():
                present = np.bincount(offset) > 0
                return low + np.flatnonzero(present), (np.cumsum(present) - 1)[offset]
    return np.unique(score, return_inverse=True)


def count_scores(
    level: np.ndarray, n_levels: int, case: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Number (or weight) of cases and of non-cases at each level."""
    both = np.bincount(level * 2 + (case == 1), weights=weights, minlength=2 * n_levels)
    table = both.reshape(n_levels, 2).astype(float)
    return table[:, 1], table[:, 0]


def checked_counts(score_values: object, n_case: object, n_noncase: object, *, where: str) -> ScoreCounts:
    """Counts as given, put in rising order of score.

    Raises
    ------
    DataError
        Different lengths, a score twice, or counts that are negative or missing.
    DesignError
        No case or no non-case.
    """
    score, case, noncase = (np.asarray(values, dtype=float) for values in (score_values, n_case, n_noncase))
    problems = []
    if not score.ndim == case.ndim == noncase.ndim == 1 or not len(score) == len(case) == len(noncase):
        raise DataError(where, "scores and counts differ in length", allowed="one count of each kind per score")
    if len(np.unique(score)) != len(score) or not np.isfinite(score).all():
        problems.append("a score stands twice or is missing")
    if not (np.isfinite(case).all() and np.isfinite(noncase).all()) or (case < 0).any() or (noncase < 0).any():
        problems.append("a count is negative or missing")
    if problems:
        raise DataError.of_many(where, problems)
    demand_both(case.sum(), noncase.sum(), where=where)
    order = np.argsort(score)
    return ScoreCounts(score[order], case[order], noncase[order])


def demand_both(n_case: float, n_noncase: float, *, where: str) -> None:
    """Stop when one side of the comparison is empty.

    Raises
    ------
    DesignError
        No case or no non-case among the rows.
    """
    if n_case <= 0 or n_noncase <= 0:
        missing = "case" if n_case <= 0 else "non-case"
        raise DesignError(
            where,
            f"no {missing} by the reference standard among the rows",
            allowed="at least one case and one non-case",
            remedy=f"verify more people until a {missing} is found; see verification_plan",
        )


def demand_direction(direction: str, *, where: str) -> int:
    """Sign that makes high mean ill: 1 for '>=', -1 for '<='.

    Raises
    ------
    ParamsError
        Any other direction; it is never guessed from the data.
    """
    if direction not in DIRECTIONS:
        raise ParamsError(
            f"{where}(direction)",
            f"'{direction}' is not a direction",
            allowed="'>=' (positive when score >= c) or '<=' (positive when score <= c)",
        )
    return 1 if direction == ">=" else -1
