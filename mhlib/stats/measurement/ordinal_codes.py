"""Answers in categories as small whole numbers, with rare categories merged alike in every group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs

# More distinct answers than this and the item is a measurement, not a choice among categories.
MOST_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class OrdinalCodes:
    """Categories 0, 1, … of each item (rows: items; -1: missing), and what was done to get them.

    Attributes
    ----------
    codes : numpy.ndarray of int8, shape (k, n)
    group : numpy.ndarray of int, shape (n,)
        Index into `groups`.
    levels : tuple of numpy.ndarray
        The lowest answer of each category, by item.
    merged : tuple of str
        One entry a merge, as "item: 4 with 3", with the answers as they came.
    n_excluded : int
        Rows left out: an item missing (listwise), every item missing (pairwise), or no group.
    kept : numpy.ndarray of bool
        Which rows of the data these are.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    levels: tuple[np.ndarray, ...]
    group: np.ndarray
    groups: tuple[object, ...]
    merged: tuple[str, ...]
    n_excluded: int
    kept: np.ndarray

    def of_group(self, index: int) -> np.ndarray:
        """Codes of one group, shape (k, n of the group)."""
        return self.codes if len(self.groups) == 1 else np.ascontiguousarray(self.codes[:, self.group == index])

    @property
    def n_categories(self) -> np.ndarray:
        """Number of categories, by item."""
        return np.array([len(level) for level in self.levels])


def ordinal_codes(
    items: object, *, where: str, missing: str = "listwise", groups: object = None, least_count: int = 1
) -> OrdinalCodes:
    """Categories of items, groups apart.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
    where : str
        The function at fault in errors.
    missing : {'listwise', 'pairwise'}
    groups : array-like, optional
        One label a row; rows without one are left out and counted. Groups are taken in sorted order.
    least_count : int
        A category that fewer people than this chose, in any group, is merged with its neighbour towards the middle
        of the scale, in all groups.

    Raises
    ------
    DataError
        Text, infinite values, a name twice, more than 20 different answers.
    DesignError
        Fewer than two items, three people in a group, or two categories of an item.
    """
    inputs.one_of(missing, ("listwise", "pairwise"), where=where, name="missing")
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items))
    if frame.columns.has_duplicates:
        raise DataError(f"{where}(items)", "two columns share a name", allowed="one name per item")
    names = tuple(str(name) for name in frame.columns)
    coded = [coded_column(frame.iloc[:, j].to_numpy(dtype=None), where=where, name=names[j]) for j in range(len(names))]
    if len(coded) < 2:
        raise DesignError(f"{where}(items)", "fewer than two items", remedy="give at least two items")
    codes, levels = np.stack([code for code, _ in coded]), [level for _, level in coded]
    group, labels = grouped(groups, len(frame), where=where)
    observed = codes >= 0
    keep = (observed.all(axis=0) if missing == "listwise" else observed.any(axis=0)) & (group >= 0)
    n_excluded = int(len(frame) - keep.sum())
    if n_excluded:
        codes, group = np.ascontiguousarray(codes[:, keep]), group[keep]
    sizes = np.bincount(group, minlength=len(labels)) if len(labels) > 1 else [codes.shape[1]]
    if small := [str(label) for label, size in zip(labels, sizes, strict=True) if size < 3]:
        raise DesignError(
            f"{where}(items)", f"fewer than 3 usable rows in {len(small)} groups", remedy="collect more or join groups"
        )
    merged: tuple[str, ...] = ()
    # One group that lost no row still has everyone of its categories.
    if n_excluded or len(labels) > 1 or least_count > 1:
        codes, levels, merged = with_rare_merged(codes, levels, names, group, len(labels), least_count)
    if flat := [name for name, level in zip(names, levels, strict=True) if len(level) < 2]:
        raise DesignError(
            f"{where}(items)", "fewer than two categories in " + ", ".join(flat), remedy="leave such items out"
        )
    return OrdinalCodes(codes, names, tuple(levels), group, labels, merged, n_excluded, keep)


def coded_column(values: np.ndarray, *, where: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes of one item (int8, -1 missing) and the answers they stand for."""
    if values.dtype.kind in "iu" and len(values) and int(values.max()) - int(values.min()) < MOST_CATEGORIES:
        low = values.min()
        code = (values - low).astype(np.int8)
        found = np.array([(code == c).any() for c in range(int(code.max()) + 1)])
        levels = np.flatnonzero(found) + float(low)
        return (code if found.all() else (np.cumsum(found) - 1).astype(np.int8)[code]), levels
    array = np.ascontiguousarray(
        values if values.dtype == np.float64 else inputs.numeric(values, where=where, name=name)
    )
    if np.isinf(array).any():
        inputs.numeric(array, where=where, name=name)
    seen = ~np.isnan(array)
    levels, inverse = small_unique(array[seen])
    if len(levels) > MOST_CATEGORIES:
        raise DataError(
            f"{where}({name})",
            f"{len(levels)} different answers",
            allowed=f"at most {MOST_CATEGORIES} categories",
            remedy="treat the item as continuous (estimator ml)",
        )
    if seen.all():
        return inverse.astype(np.int8), levels
    code = np.full(len(array), -1, dtype=np.int8)
    code[seen] = inverse
    return code, levels


def small_unique(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Like numpy.unique with its inverse, without a sort when the values are whole numbers of a short range."""
    if len(values) and values.max() - values.min() < MOST_CATEGORIES:
        low = values.min()
        code = (values - low).astype(np.int8)
        if (code + low == values).all():
            found = np.array([(code == c).any() for c in range(int(code.max()) + 1)])
            return np.flatnonzero(found) + low, (code if found.all() else (np.cumsum(found) - 1).astype(np.int8)[code])
    return np.unique(values, return_inverse=True)


def grouped(groups: object, n: int, *, where: str) -> tuple[np.ndarray, tuple[object, ...]]:
    """Index of each row's group (-1: none) and the labels, sorted."""
    if groups is None:
        return np.zeros(n, dtype=np.intp), ("all",)
    series = pd.Series(groups).reset_index(drop=True)
    inputs.same_length(where, items=range(n), groups=series)
    index, labels = pd.factorize(series, sort=True)
    return index, tuple(labels)


def with_rare_merged(
    codes: np.ndarray, levels: list[np.ndarray], names: Sequence[str], group: np.ndarray, n_groups: int, least: int
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, ...]]:
    """Merge, in every group alike, categories that some group hardly uses."""
    merged: list[str] = []
    for j, name in enumerate(names):
        counts = category_counts(codes[j], group, n_groups, len(levels[j]))
        mapping, level, said = merge_plan(counts, levels[j], least)
        if said:
            merged += [f"{name}: {one}" for one in said]
            codes[j], levels[j] = np.append(mapping, -1).astype(np.int8)[codes[j]], level
    return codes, levels, tuple(merged)


def category_counts(code: np.ndarray, group: np.ndarray, n_groups: int, n_categories: int) -> np.ndarray:
    """Answers by group and category, missing ones left out, shape (groups, categories)."""
    key = group * (n_categories + 1) + code + 1 if n_groups > 1 else code + 1
    return np.bincount(key, minlength=n_groups * (n_categories + 1)).reshape(n_groups, -1)[:, 1:]


def merge_plan(counts: np.ndarray, level: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """New code of each category, the levels left, and what was merged, for one item."""
    blocks = [[c] for c in range(counts.shape[1])]
    said = []
    while len(blocks) > 1:
        fewest = np.array([counts[:, block].sum(axis=1).min() for block in blocks])
        if fewest.min() >= least:
            break
        rare = int(fewest.argmin())
        # Towards the middle: the lower half upwards, the upper half downwards.
        other = rare + 1 if rare < (len(blocks) - 1) / 2 else rare - 1
        said.append(f"{level[blocks[rare][0]]:g} with {level[blocks[other][0]]:g}")
        low, high = sorted((rare, other))
        blocks[low : high + 1] = [blocks[low] + blocks[high]]
    mapping = np.empty(counts.shape[1], dtype=np.int64)
    for new, block in enumerate(blocks):
        mapping[block] = new
    return mapping, level[[block[0] for block in blocks]], said
