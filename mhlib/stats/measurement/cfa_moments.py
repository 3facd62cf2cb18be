"""Means and covariances of the items by group: all that a maximum-likelihood factor model reads of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats.measurement.item_matrix import checked_covariance

# Rows a block: small enough for the processor's cache, so that no copy of all rows is made.
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of g groups and k items.

    Attributes
    ----------
    names, groups : tuple of str
    n, n_excluded : ndarray of int, shape (g,)
    mean : ndarray, shape (g, k)
    cov : ndarray, shape (g, k, k)
        Divided by n (maximum likelihood), not n - 1.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    n: np.ndarray
    n_excluded: np.ndarray
    mean: np.ndarray
    cov: np.ndarray


@dataclass(frozen=True, slots=True)
class Rows:
    """Complete rows in the order of the items, the group code of each, and the groups' names.

    Attributes
    ----------
    values : ndarray, shape (n, k)
    code : ndarray of int, shape (n,)
    kept : ndarray of bool
        Which rows of the data these are.
    """

    values: np.ndarray
    code: np.ndarray
    kept: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...]
    n_excluded: np.ndarray


def group_codes(
    data: pd.DataFrame, groups: object, reference: object, *, where: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Code of each row's group and the groups' names, sorted with the reference first; one group 'all' without groups.

    Raises
    ------
    ParamsError
        An unknown column or reference.
    DataError
        A row without a group, a different number of rows, or a single group.
    """
    if groups is None:
        return np.zeros(len(data), dtype=np.intp), ("all",)
    if isinstance(groups, str):
        if groups not in data:
            raise ParamsError(f"{where}(groups)", f"the data have no column '{groups}'")
        groups = data[groups]
    values = pd.Series(np.asarray(groups) if not isinstance(groups, pd.Series) else groups.array)
    if len(values) != len(data):
        raise DataError(f"{where}(groups)", f"{len(values)} groups for {len(data)} rows", allowed="one a row")
    code, levels = pd.factorize(values, sort=True)
    if n_missing := int((code < 0).sum()):
        raise DataError(
            f"{where}(groups)", f"{n_missing} of {len(code)} rows name no group", remedy="leave these rows out, counted"
        )
    names = [str(level) for level in levels]
    if len(names) < 2:
        raise DataError(f"{where}(groups)", "one group only", allowed="two or more groups")
    if reference is not None:
        if str(reference) not in names:
            raise ParamsError(f"{where}(reference)", "is no group of the data", allowed="one of " + ", ".join(names))
        first = names.index(str(reference))
        order = [first, *(i for i in range(len(names)) if i != first)]
        place = np.empty(len(order), dtype=np.intp)
        place[order] = np.arange(len(order))
        code, names = place[code], [names[i] for i in order]
    return code, tuple(names)


def complete_rows(
    data: pd.DataFrame, names: Sequence[str], code: np.ndarray, groups: Sequence[str], *, where: str
) -> Rows:
    """Rows that answer every item; the others are counted by group.

    Raises
    ------
    DataError
        Text, infinite values, or a column twice.
    """
    frame = data[list(names)]
    if frame.shape[1] != len(names):
        raise DataError(where, "two columns share a name", allowed="one name per item")
    try:
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(where, "an item is not a number", remedy="map text answers to numbers first") from None
    # One sum tells whether a block has to be looked at: NaN and infinity both survive it.
    kept = np.ones(len(values), dtype=bool)
    if not np.isfinite(values.sum()):
        if n_infinite := int(np.isinf(values).sum()):
            raise DataError(where, f"{n_infinite} infinite values", allowed="finite numbers and missing")
        kept = ~np.isnan(values).any(axis=1)
    left_out = np.bincount(code[~kept], minlength=len(groups))
    if not kept.all():
        values, code = values[kept], code[kept]
    return Rows(values, code, kept, tuple(names), tuple(groups), left_out)


def moments_of_rows(rows: Rows) -> Moments:
    """Means and covariances by group in one pass over blocks of rows; exact for whole-number answers."""
    g, k = len(rows.groups), rows.values.shape[1]
    centre = np.round(rows.values[:BLOCK].mean(axis=0)) if len(rows.values) else np.zeros(k)
    n, total, product = np.zeros(g, dtype=np.int64), np.zeros((g, k)), np.zeros((g, k, k))
    for begin in range(0, len(rows.values), BLOCK):
        block, code = rows.values[begin : begin + BLOCK] - centre, rows.code[begin : begin + BLOCK]
        for i in range(g):
            part = block if g == 1 else block[code == i]
            n[i] += len(part)
            total[i] += part.sum(axis=0)
            product[i] += part.T @ part
    many = np.maximum(n, 1)[:, None]
    mean = total / many
    cov = product / many[:, :, None] - mean[:, :, None] * mean[:, None, :]
    return Moments(rows.names, rows.groups, n, rows.n_excluded, mean + centre, cov)


def moments_of_covariance(
    cov: object, n: object, names: Sequence[str], *, mean: object = None, n_excluded: object = None, where: str
) -> Moments:
    """Moments from covariances with n - 1: one matrix, or a mapping of group to matrix (then `n`, `mean` too).

    Raises
    ------
    DataError
        No covariance, other lengths, or groups that differ.
    """
    grouped = isinstance(cov, Mapping)
    every = {str(key): value for key, value in cov.items()} if grouped else {"all": cov}
    counts, means, lost = (by_group(value, list(every), grouped, where) for value in (n, mean, n_excluded))
    covs, levels = [], []
    for group, matrix in every.items():
        if isinstance(matrix, pd.DataFrame):
            matrix = matrix.to_numpy(dtype=float)
        checked = checked_covariance(matrix, counts[group], where=where)
        level = np.zeros(len(checked)) if means[group] is None else np.asarray(means[group], dtype=float)
        if not len(checked) == len(names) == len(level):
            raise DataError(where, f"{len(names)} names, {len(checked)} items, {len(level)} means", allowed="one each")
        covs.append(checked * (counts[group] - 1) / counts[group])
        levels.append(level)
    if len({len(matrix) for matrix in covs}) != 1:
        raise DataError(where, "groups of different items", allowed="the same items in every group")
    return Moments(
        tuple(str(name) for name in names),
        tuple(every),
        np.array([int(counts[group]) for group in every]),
        np.array([int(lost[group] or 0) for group in every]),
        np.array(levels),
        np.array(covs),
    )


def by_group(value: object, groups: list[str], grouped: bool, where: str) -> dict[str, object]:
    """`value` for each group; one value where there are no groups."""
    if not grouped or value is None:
        return dict.fromkeys(groups, value)
    named = {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else {}
    if set(named) != set(groups):
        raise DataError(where, "covariances, means and counts name different groups", allowed="the same groups in each")
    return named


def selected(moments: Moments, names: Sequence[str]) -> Moments:
    """Moments of some items, in the order of `names`."""
    at = [moments.names.index(name) for name in names]
    cov = moments.cov[:, at][:, :, at]
    return Moments(tuple(names), moments.groups, moments.n, moments.n_excluded, moments.mean[:, at], cov)
