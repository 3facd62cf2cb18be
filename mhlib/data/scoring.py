"""From answers to scores: range first, the codebook's reversals only, prorating by its rule, never a guess."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.scales import Scale
from mhlib.errors import DataError


def keyed_items(items: pd.DataFrame, scale: Scale, *, offset: int = 0, where: str = "scoring") -> pd.DataFrame:
    """Answers as points towards the scale's construct: offset added, range checked, reversed items turned.

    Parameters
    ----------
    items : DataFrame, shape (n, scale.n_items)
        Answers in the codebook's order; missing answers stay missing.
    offset : int
        Points added to every answer (-1 for a file coded 1–4 whose codebook says 0–3).

    Returns
    -------
    DataFrame of float, columns item_1 … item_k, index as given.

    Raises
    ------
    DataError
        If columns are too few or too many, an answer is not a whole number, or answers lie outside the codebook's
        range; rows are counted, never shown.
    """
    if items.shape[1] != scale.n_items:
        raise DataError(where, f"{items.shape[1]} item columns", allowed=f"{scale.n_items} for scale {scale.key}")
    values = np.column_stack([_numbers(items.iloc[:, j], where) for j in range(items.shape[1])]) + offset
    check_range(values, scale, where=where)
    for number in scale.reverse:
        values[:, number - 1] = scale.low + scale.high - values[:, number - 1]
    return pd.DataFrame(values, columns=[f"item_{j + 1}" for j in range(scale.n_items)], index=items.index)


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64")
    lost = numbers.isna() & column.notna()
    if lost.any():
        raise DataError(
            where, f"column {column.name}: {int(lost.sum())} answers are not numbers (rows {_rows(lost)})",
            remedy="map text answers with values:",
        )  # fmt: skip
    return numbers.to_numpy(dtype=float, na_value=np.nan)


def _rows(bad: pd.Series | np.ndarray, first: int = 5) -> str:
    """The first row numbers as a person sees them in a file with one header row."""
    at = np.flatnonzero(np.asarray(bad)) + 2
    return ", ".join(map(str, at[:first])) + (" …" if len(at) > first else "")


def check_range(values: np.ndarray, scale: Scale, *, where: str) -> None:
    """DataError when answers lie outside the codebook's range: the 0–4 against 1–5 trap.

    The message names the observed range of the whole table, which is a property of the coding and not of a pupil, and
    the offset that would fit.
    """
    with np.errstate(invalid="ignore"):
        outside = ((values < scale.low) | (values > scale.high)).any(axis=1)
        broken = (values != np.round(values)) & ~np.isnan(values)
    if broken.any():
        raise DataError(where, f"{int(broken.any(axis=1).sum())} rows hold answers that are not whole numbers")
    if not outside.any():
        return
    low, high = int(np.nanmin(values)), int(np.nanmax(values))
    shift = scale.low - low
    fits = high - low == scale.high - scale.low
    remedy = f"if the file is coded {low}-{high}, set item_offset: {shift:+d}" if fits else "recode or clear them"
    raise DataError(
        where, f"{int(outside.sum())} rows hold answers outside the range of {scale.key} (rows {_rows(outside)})",
        allowed=f"{scale.low}-{scale.high}", remedy=remedy,
    )  # fmt: skip


def score(items: pd.DataFrame, scale: Scale, *, offset: int = 0, where: str = "scoring") -> pd.DataFrame:
    """Total and subscale scores.

    Parameters
    ----------
    items : DataFrame, shape (n, scale.n_items)
        Answers in the codebook's order.

    Returns
    -------
    DataFrame of float
        `total` and one column a subscale, points times the scale's factor; NaN for whoever left out more answers than
        the codebook allows, so that an unscored pupil is never "not at risk".

    Raises
    ------
    DataError
        As :func:`keyed_items`.

    Notes
    -----
    Prorated score = mean of the answered items times the number of items.
    """
    keyed = keyed_items(items, scale, offset=offset, where=where).to_numpy()
    wanted = {"total": scale.total_items, **scale.subscales}
    columns = {
        name: _prorated(keyed[:, np.array(numbers) - 1], scale.allowed_missing.get(name, 0)) * scale.multiply
        for name, numbers in wanted.items()
    }
    return pd.DataFrame(columns, index=items.index)


def _prorated(answers: np.ndarray, allowed: int) -> np.ndarray:
    k = answers.shape[1]
    present = ~np.isnan(answers)
    answered = present.sum(axis=1)
    total = np.where(present, answers, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((k - answered <= allowed) & (answered > 0), total / answered * k, np.nan)


def positive(score: pd.Series, cutoff: float, *, direction: str = ">=") -> pd.Series:
    """Screen-positive (nullable boolean): missing where the score is missing.

    Raises
    ------
    DataError
        If `direction` is neither >= nor <=.
    """
    if direction not in (">=", "<="):
        raise DataError("positive()", f"unknown direction {direction}", allowed=">= or <=")
    flag = (score >= cutoff if direction == ">=" else score <= cutoff).astype("boolean")
    return flag.mask(score.isna())
