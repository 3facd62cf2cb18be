"""Count tables with their totals, as an attacker sees them: cells with coordinates, and the sums that tie them.

A table crosses dimensions; a dimension is nested columns from the coarsest to the finest (town, school, grade, class)
under one total. A cell is one node of every dimension, so that every subtotal is a cell, and each parent is the sum of
its children along one dimension: a sparse matrix of relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pandas as pd
from scipy import sparse

from mhlib.errors import DataError
from mhlib.report.policy import Policy
from mhlib.report.protection_links import Links
from mhlib.report.rounding import shown_interval

Path = tuple[str, ...]
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One direction of a table.

    Attributes
    ----------
    columns : tuple of str
        Nested columns, the coarsest first.
    unique : tuple of str
        Columns whose labels mean one thing wherever they stand (a school's id does, "grade 3" does not): the cell of
        a school is then the same in a table by town and school and in one by school alone.
    """

    columns: tuple[str, ...]
    unique: tuple[str, ...] = ()


@dataclass(frozen=True)
class Axis:
    """A dimension with its nodes: the total, then every path of labels, parents before children."""

    dimension: Dimension
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, dimension: Dimension, rows: pd.DataFrame) -> Axis:
        """The nodes that occur in rows."""
        full = sorted(set(rows[list(dimension.columns)].astype(str).itertuples(index=False, name=None)))
        found = {path[:depth] for path in full for depth in range(len(path) + 1)} | {()}
        axis = cls(dimension, tuple(sorted(found, key=lambda path: (len(path), path))))
        axis._check_unique()
        return axis

    def _check_unique(self) -> None:
        for name in self.dimension.unique:
            depth = self.dimension.columns.index(name) + 1
            labels = [path[-1] for path in self.paths if len(path) == depth]
            if len(set(labels)) < len(labels):
                raise DataError(f"column {name}", "a label stands under two parents",
                                remedy="leave the column out of `unique`, or mend the data")  # fmt: skip

    @cached_property
    def is_leaf(self) -> np.ndarray:
        """Which nodes have no children."""
        return np.array([len(path) == len(self.dimension.columns) for path in self.paths])

    @cached_property
    def leaves(self) -> tuple[Path, ...]:
        """The nodes without children."""
        return tuple(path for path in self.paths if len(path) == len(self.dimension.columns))

    @cached_property
    def sums(self) -> sparse.csr_array:
        """Nodes x leaves: which leaves a node holds."""
        leaves = self.leaves
        index = {path: row for row, path in enumerate(self.paths)}
        pairs = [(index[leaf[:depth]], column) for column, leaf in enumerate(leaves) for depth in range(len(leaf) + 1)]
        rows, columns = np.array(pairs).reshape(-1, 2).T
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(self.paths), len(leaves)))

    @cached_property
    def relations(self) -> sparse.csr_array:
        """Inner nodes x nodes: a parent less its children is nothing."""
        index = {path: column for column, path in enumerate(self.paths)}
        inner = {path: row for row, path in enumerate(path for path in self.paths if path not in set(self.leaves))}
        parts = [(row, index[path], 1.0) for path, row in inner.items()]
        parts += [(inner[path[:-1]], index[path], -1.0) for path in self.paths if path]
        rows, columns, values = zip(*parts, strict=True)
        return sparse.csr_array((values, (rows, columns)), shape=(len(inner), len(self.paths)))

    def key(self, path: Path) -> Key:
        """What a node is called in any table: from its last unique column down."""
        columns = self.dimension.columns[: len(path)]
        start = max((depth for depth, name in enumerate(columns) if name in self.dimension.unique), default=0)
        return tuple(zip(self.dimension.columns[start : len(path)], path[start:], strict=True))


@dataclass(frozen=True)
class Lattice:
    """The cells of a table: every node of the first axis with every node of the next.

    Cells are ordered as in a C array of the axes' nodes; the first is the grand total.
    """

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes of each axis."""
        return tuple(len(axis.paths) for axis in self.axes)

    @property
    def n_cells(self) -> int:
        """Cells, totals among them."""
        return int(np.prod(self.shape))

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """For each cell its coordinates without totals, sorted: equal keys are the same cell in any table."""
        found: list[Key] = [()]
        for axis in self.axes:
            of_axis = [axis.key(path) for path in axis.paths]
            found = [cell + key for cell in found for key in of_axis]
        return tuple(tuple(sorted(key)) for key in found)

    @cached_property
    def is_leaf(self) -> np.ndarray:
        """Which cells hold no other."""
        return reduce(np.multiply.outer, (axis.is_leaf for axis in self.axes)).ravel()

    @cached_property
    def sums(self) -> sparse.csr_array:
        """Cells x leaves: which leaves a cell holds."""
        return reduce(lambda a, b: sparse.kron(a, b, format="csr"), (axis.sums for axis in self.axes))

    @cached_property
    def relations(self) -> sparse.csr_array:
        """Relations x cells: along every axis a parent less its children is nothing."""
        parts = []
        for one, axis in enumerate(self.axes):
            along = [axis.relations if one == other else sparse.eye_array(size) for other, size in enumerate(self.shape)]  # fmt: skip
            parts.append(reduce(lambda a, b: sparse.kron(a, b, format="csr"), along))
        return sparse.vstack(parts, format="csr")

    def to_record(self) -> list[dict[str, object]]:
        """The axes as plain lists, for the release ledger."""
        return [{"columns": list(axis.dimension.columns), "unique": list(axis.dimension.unique),
                 "paths": [list(path) for path in axis.paths]} for axis in self.axes]  # fmt: skip

    @classmethod
    def from_record(cls, record: Sequence[Mapping[str, object]]) -> Lattice:
        """The lattice whose :meth:`to_record` this is."""
        return cls(tuple(
            Axis(Dimension(tuple(axis["columns"]), tuple(axis["unique"])), tuple(tuple(path) for path in axis["paths"]))
            for axis in record))  # fmt: skip


def named(key: Key) -> str:
    """Coordinates of a cell in words, for errors: never its value."""
    return ", ".join(f"{column}={label}" for column, label in key) or "total"


@dataclass(frozen=True)
class CountTable:
    """True counts on a lattice, before anything is hidden.

    Attributes
    ----------
    name : str
        The table, as errors call it.
    population : str
        Whom it counts, and as of when (a wave with its data). Equal keys of one population are the same number.
    counts : array of int, shape (n_cells,)
    asked : array of bool, shape (n_cells,)
        Cells meant to be shown. Small ones are protected whether asked for or not: a difference gives them.
    impossible : array of bool, shape (n_cells,)
        Cells that everybody knows to be empty: a grade that a school does not have.
    """

    name: str
    population: str
    lattice: Lattice
    counts: np.ndarray
    asked: np.ndarray
    impossible: np.ndarray


def count_table(
    rows: pd.DataFrame,
    dimensions: Sequence[Dimension],
    *,
    name: str,
    population: str = "",
    count: str = "n",
    only: Sequence[Sequence[str]] | None = None,
    structural: Sequence[Sequence[str]] = (),
) -> CountTable:
    """A table with all its totals from counts at the finest level.

    Parameters
    ----------
    rows : DataFrame
        One row a combination (or several, which are added): the dimensions' columns and `count`. Combinations that
        do not occur are counts of nobody. Pupils themselves may be given when `count` is a column of ones.
    dimensions : sequence of Dimension
    only : sequence of sequences of str, optional
        The margins asked for, each by its finest columns (`[], ["school"], ["school", "level"]`); all by default.
    structural : sequence of sequences of str, optional
        Columns whose combinations are public (`["school", "grade"]`): one without a row is known to be impossible, not
        a count of nobody that tells on somebody.

    Raises
    ------
    DataError
        If a column is absent, a label missing, a count negative or not whole, or a `unique` label has two parents.
    """
    columns = [column for dimension in dimensions for column in dimension.columns]
    absent = [column for column in [*columns, count] if column not in rows]
    if absent:
        raise DataError(f"table {name}", f"no column {', '.join(absent)}", allowed=", ".join(map(str, rows)))
    if rows[columns].isna().to_numpy().any():
        raise DataError(f"table {name}", "a coordinate is missing", remedy="give the missing a label of their own")
    number = rows[count].to_numpy(float)
    if not (np.isfinite(number).all() and (number >= 0).all() and (number == np.round(number)).all()):
        raise DataError(f"table {name}", "a count is missing, negative or not whole", allowed="0, 1, 2, …")
    lattice = Lattice(tuple(Axis.of(dimension, rows) for dimension in dimensions))
    counts = np.round(lattice.sums @ _leaf_counts(rows, lattice, number)).astype(np.int64)
    impossible = _impossible(rows, lattice, structural)
    return CountTable(name, population, lattice, counts, _asked(lattice, only) & ~impossible, impossible)


def _impossible(rows: pd.DataFrame, lattice: Lattice, structural: Sequence[Sequence[str]]) -> np.ndarray:
    """Cells all of whose leaves lack a row for one of the structural combinations."""
    columns = [column for axis in lattice.axes for column in axis.dimension.columns]
    leaves: list[Path] = [()]
    for axis in lattice.axes:
        leaves = [leaf + path for leaf in leaves for path in axis.leaves]
    possible = np.ones(len(leaves), dtype=bool)
    for combination in structural:
        at = [columns.index(column) for column in combination]
        occur = set(rows[list(combination)].astype(str).itertuples(index=False, name=None))
        possible &= np.array([tuple(leaf[one] for one in at) in occur for leaf in leaves])
    return lattice.sums @ possible.astype(float) == 0


def _leaf_counts(rows: pd.DataFrame, lattice: Lattice, number: np.ndarray) -> np.ndarray:
    place, sizes = np.zeros(len(rows), dtype=np.int64), []
    for axis in lattice.axes:
        leaves = {path: at for at, path in enumerate(axis.leaves)}
        paths = rows[list(axis.dimension.columns)].astype(str).itertuples(index=False, name=None)
        place = place * len(leaves) + np.array([leaves[path] for path in paths], dtype=np.int64)
        sizes.append(len(leaves))
    return np.bincount(place, weights=number, minlength=int(np.prod(sizes)))


def _asked(lattice: Lattice, only: Sequence[Sequence[str]] | None) -> np.ndarray:
    if only is None:
        return np.ones(lattice.n_cells, dtype=bool)
    finest = [[path and axis.dimension.columns[len(path) - 1] for path in axis.paths] for axis in lattice.axes]
    cells: list[frozenset] = [frozenset()]
    for names in finest:
        cells = [cell | ({name} if name else frozenset()) for cell in cells for name in names]
    wanted = {frozenset(margin) for margin in only}
    return np.array([cell in wanted for cell in cells])


@dataclass(frozen=True)
class Published:
    """What stands in print of one table: for each cell the interval that a reader can take from it.

    Attributes
    ----------
    low, high : array, shape (n_cells,)
        Least and greatest count that what is shown allows; 0 and infinity for a hidden cell.
    hidden : array of bool, shape (n_cells,)
    release : str
        When it was published.
    """

    name: str
    population: str
    lattice: Lattice | Links
    low: np.ndarray
    high: np.ndarray
    hidden: np.ndarray
    release: str = ""

    def to_record(self) -> dict[str, object]:
        """For the release ledger; holds nothing that was not published."""
        shown = ~self.hidden
        known = {
            "cells": np.flatnonzero(shown).tolist(),
            "low": self.low[shown].tolist(),
            "high": self.high[shown].tolist(),
        }
        named = {"name": self.name, "population": self.population, "release": self.release}
        return {**named, "axes": self.lattice.to_record(), **known}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Published:
        """The published table whose :meth:`to_record` this is."""
        kind = Links if isinstance(record["axes"], Mapping) else Lattice
        lattice = kind.from_record(record["axes"])
        low, high, hidden = np.zeros(lattice.n_cells), np.full(lattice.n_cells, np.inf), np.ones(lattice.n_cells, bool)
        cells = np.array(record["cells"], dtype=np.int64)
        low[cells], high[cells], hidden[cells] = record["low"], record["high"], False
        return cls(record["name"], record["population"], lattice, low, high, hidden, record["release"])


def primary(table: CountTable, policy: Policy) -> np.ndarray:
    """Cells too small to show: shape (n_cells,). Nobody at all is too few as well."""
    return (table.counts < policy.min_cell) & ~table.impossible


def publish(table: CountTable, hidden: np.ndarray, policy: Policy, *, release: str = "") -> Published:
    """The table as a reader gets it: rounded by the policy, without the hidden cells and those not asked for."""
    unseen = (np.asarray(hidden, bool) | ~table.asked) & ~table.impossible
    low, high = shown_interval(table.counts, policy)
    low = np.where(unseen | table.impossible, 0.0, low)
    high = np.where(unseen, np.inf, np.where(table.impossible, 0.0, high))
    return Published(table.name, table.population, table.lattice, low, high, unseen, release)
