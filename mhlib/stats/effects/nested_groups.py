"""Pupils in classes in schools: each row's place in the nesting, and the test that it is a nesting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs

FROZEN = (
    "freeze the group each one had at allocation; or leave this level out and use cluster_robust by the level above; "
    "or say labels='within' if the labels begin anew in each group above"
)


@dataclass(frozen=True, slots=True)
class Nesting:
    """Groups of each level, sorted so that those of one parent stand together.

    Attributes
    ----------
    names : tuple of str
        Levels from the lowest to the highest.
    code : ndarray of int, shape (n,)
        Lowest group of each row.
    parents : tuple of ndarray
        For each level but the highest, the index of every group's parent; it never falls.
    labels : tuple of ndarray
        For each level, what the data call the groups.
    counts : tuple of ndarray
        For each level, rows of the groups.
    """

    names: tuple[str, ...]
    code: np.ndarray
    parents: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]

    def without_rows(self) -> Nesting:
        """The same without each row's place."""
        return replace(self, code=self.code[:0])

    @property
    def sizes(self) -> dict[str, int]:
        """Groups a level, from the highest to the lowest."""
        return {name: len(label) for name, label in zip(self.names[::-1], self.labels[::-1], strict=True)}


def group_names(groups: object, *, where: str) -> list[str]:
    """Names of one to three levels, highest first."""
    names = [groups] if isinstance(groups, str) else list(groups)
    if not 1 <= len(names) <= 3 or len(set(names)) != len(names):
        raise ParamsError(
            f"{where}(groups)", f"names {len(names)} levels", allowed="one to three different columns, highest first"
        )
    return names


def nesting_of(columns: Sequence[object], names: Sequence[str], *, labels: str, where: str) -> Nesting:
    """Code the groups of every level, prove that each lies in one group of the level above, and sort them.

    Parameters
    ----------
    columns : sequence of array-like, highest level first
        No missing values.
    labels : {'unique', 'within'}
        'within' reads a label as beginning anew in each group above it: class 1 of school A is not class 1 of school B.
    """
    inputs.one_of(labels, ("unique", "within"), where=where, name="labels")
    codes, parents, shown = [], [], []
    for depth, column in enumerate(columns):
        code, label = pd.factorize(pd.Series(column).reset_index(drop=True))
        if depth and labels == "within":
            code, pairs = pd.factorize(codes[-1].astype(np.int64) * len(label) + code)
            label = np.asarray(label)[pairs % len(label)]
        if depth:
            parent = demand_nested(code, codes[-1], len(label), names[depth - 1 : depth + 1], where=where)
            order = np.argsort(parent, kind="stable")
            code, label, parent = np.argsort(order)[code], np.asarray(label)[order], parent[order]
            parents.append(parent)
        demand_groups(len(label), len(shown[-1]) if depth else 0, names[: depth + 1], where=where)
        codes.append(code)
        shown.append(np.asarray(label))
    if len(shown[-1]) == len(codes[-1]):
        raise DesignError(
            f"{where}(groups)",
            f"every group of '{names[-1]}' has one row, so its variance cannot be told from the residual",
            remedy=f"leave '{names[-1]}' out of the groups",
        )
    counts = [np.bincount(code, minlength=len(label)) for code, label in zip(codes, shown, strict=True)]
    return Nesting(tuple(names[::-1]), codes[-1], tuple(parents[::-1]), tuple(shown[::-1]), tuple(counts[::-1]))


def demand_nested(code: np.ndarray, above: np.ndarray, n: int, names: Sequence[str], *, where: str) -> np.ndarray:
    """Parent of each group, which must be one."""
    parent = np.zeros(n, dtype=np.int64)
    parent[code] = above
    if n_crossed := len(np.unique(code[parent[code] != above])):
        raise DesignError(
            f"{where}(groups)",
            f"{n_crossed} of {n} groups of '{names[1]}' lie in more than one '{names[0]}'",
            allowed="each group within one group of the level above",
            remedy=FROZEN,
        )
    return parent


def demand_groups(n: int, n_above: int, names: Sequence[str], *, where: str) -> None:
    """At least two groups, and more than the level above has."""
    if n < 2:
        raise DesignError(f"{where}(groups)", f"'{names[-1]}' has {n} group", allowed="at least 2 groups")
    if n == n_above:
        raise DesignError(
            f"{where}(groups)",
            f"each '{names[-2]}' holds one '{names[-1]}', so the two levels cannot be told apart",
            remedy=f"leave '{names[-1]}' out of the groups",
        )


def demand_columns(data: pd.DataFrame, wanted: Sequence[str], *, where: str) -> None:
    """Every column that was named is in the data."""
    if lacking := sorted(set(wanted) - set(map(str, data.columns))):
        raise DataError(
            f"{where}(data)", f"no column {', '.join(lacking)}", remedy="correct the name or add the column"
        )
