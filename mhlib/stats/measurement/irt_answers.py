"""Answers as category numbers, and the distinct answer patterns that everything in item response theory needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError

MISSING = -1


@dataclass(frozen=True, slots=True)
class Answers:
    """Rows coded 0, 1, ... within each item (`MISSING` = -1), the value behind every code, and what was merged.

    `values[j][c]` is the value of category `c` of item `j`; `merged` holds (item, value, value it now counts as).
    """

    codes: np.ndarray
    values: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    merged: tuple[tuple[str, float, float], ...] = ()

    @property
    def n_categories(self) -> np.ndarray:
        """Categories of each item, shape (k,)."""
        return np.array([len(values) for values in self.values])


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct rows of codes, shape (m, k), how often each was seen, and the pattern of each row where rows exist."""

    codes: np.ndarray
    counts: np.ndarray
    of_row: np.ndarray | None = None


def coded_answers(items: object, *, where: str, min_count: int = 1, group: np.ndarray | None = None) -> Answers:
    """Code the answers of each item by rank of value; categories too rare are merged by one stated rule.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
        Missing answers allowed.
    where : str
    min_count : int
        A category that fewer people (in any `group`) chose is merged with the next lower one, the lowest with the
        next higher one, from low to high, until every category is filled; it then carries the value of the other.
    group : ndarray of int, shape (n,), optional

    Raises
    ------
    DataError
        Text, an infinite value, a name twice.
    DesignError
        Fewer than two items, an item with fewer than two categories, more than 50 categories.
    """
    every, names = answers_matrix(items, where=where)
    columns = [coded_item(every[:, j], name, min_count, group) for j, name in enumerate(names)]
    demand_categories(names, [values for _, values, _ in columns], where=where)
    return Answers(
        np.stack([codes for codes, _, _ in columns], axis=1),
        tuple(values for _, values, _ in columns),
        names,
        tuple(entry for _, _, merged in columns for entry in merged),
    )


def answers_matrix(items: object, *, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Answers as floats with NaN for missing, and the names of the items."""
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
    return every, tuple(str(name) for name in frame.columns)


def recoded(
    items: object,
    values: Sequence[np.ndarray],
    merged: Sequence[tuple[str, float, float]],
    names: tuple[str, ...],
    *,
    where: str,
) -> np.ndarray:
    """Codes of other rows by the categories of a fitted model.

    Raises
    ------
    DataError
        Other items than the model's, or answers that the model has not seen (counted).
    """
    every, found = answers_matrix(items, where=where)
    if every.shape[1] != len(values) or (isinstance(items, pd.DataFrame) and found != names):
        raise DataError(f"{where}(items)", "are not the items of the model", allowed="the same items in the same order")
    codes = np.full(every.shape, MISSING, dtype=np.int16)
    for j, own in enumerate(values):
        counted_as = {value: code for code, value in enumerate(own.tolist())}
        counted_as |= {old: counted_as[new] for name, old, new in merged if name == names[j]}
        place, distinct = pd.factorize(every[:, j], sort=True)
        unknown = int(np.isin(place, [i for i, v in enumerate(distinct) if v not in counted_as]).sum())
        if unknown:
            raise DataError(f"{where}(items)", f"{unknown} answers to {names[j]} are outside the model's categories")
        codes[place >= 0, j] = np.array([counted_as[v] for v in distinct], dtype=np.int16)[place[place >= 0]]
    return codes


def coded_item(
    column: np.ndarray, name: str, min_count: int, group: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, float, float]]]:
    """Codes of one item, the values behind them and the merges made."""
    seen = ~np.isnan(column)
    code, values = pd.factorize(column[seen], sort=True)
    if len(values) > 50:
        return np.where(seen, 0, MISSING), values, []
    side = np.zeros(len(code), dtype=np.int64) if group is None else group[seen]
    table = np.zeros((len(values), int(side.max(initial=0)) + 1))
    np.add.at(table, (code, side), 1)
    target, kept = merge_rare(table, min_count)
    merged = [(name, float(v), float(values[kept[t]])) for v, t in zip(values, target, strict=True)]
    codes = np.full(len(column), MISSING, dtype=np.int16)
    codes[seen] = target[code]
    return codes, values[kept], [entry for entry in merged if entry[1] != entry[2]]


def merge_rare(table: np.ndarray, min_count: int) -> tuple[np.ndarray, np.ndarray]:
    """New code of every category and the categories that give their value, by the rule of :func:`coded_answers`."""
    sets = [[c] for c in range(len(table))]
    while len(sets) > 1:
        small = next((i for i, s in enumerate(sets) if table[s].sum(axis=0).min() < min_count), None)
        if small is None:
            break
        other = small - 1 if small else 1
        sets[other] = sets[other] + sets[small]
        del sets[small]
    target = np.empty(len(table), dtype=np.int64)
    for code, members in enumerate(sets):
        target[members] = code
    return target, np.array([members[0] for members in sets])


def demand_categories(names: tuple[str, ...], values: list[np.ndarray], *, where: str) -> None:
    """Stop when there is nothing to model."""
    problems = ["fewer than two items"] if len(names) < 2 else []
    if flat := [name for name, found in zip(names, values, strict=True) if len(found) < 2]:
        problems.append("fewer than two categories were used in " + ", ".join(flat))
    if many := [name for name, found in zip(names, values, strict=True) if len(found) > 50]:
        problems.append("more than 50 different values in " + ", ".join(many))
    if problems:
        raise DesignError.of_many(f"{where}(items)", problems, remedy="leave such items out or collect more answers")


def patterns_of(codes: np.ndarray, n_categories: np.ndarray, weights: np.ndarray | None = None) -> Patterns:
    """Distinct patterns in a fixed order with their counts; mixed-radix keys, folded when they would overflow."""
    key, span = np.zeros(len(codes), dtype=np.int64), 1
    for j, size in enumerate(n_categories + 1):
        if span > 2**62 // int(size):
            key, distinct = pd.factorize(key, sort=True)
            span = len(distinct)
        key, span = key * int(size) + (codes[:, j] + 1), span * int(size)
    of_row, distinct = pd.factorize(key, sort=True)
    first = np.empty(len(distinct), dtype=np.int64)
    first[of_row[::-1]] = np.arange(len(codes))[::-1]
    counts = np.bincount(of_row, weights=weights, minlength=len(first)).astype(float)
    return Patterns(np.ascontiguousarray(codes[first]), counts, of_row)
