"""Counts that hang together by sums alone, without the regular shape of a cross-table: what a whole report shows.

A report's counts come from many tables, figures and sentences. Each sum that a reader may do among them (parts and
their total, those left out and those left, one step of a flow and the next) is one relation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """One relation: the parent is the sum of its children.

    Attributes
    ----------
    parent : int
        Number of a cell.
    children : tuple of int
        Numbers of other cells, each once.
    """

    parent: int
    children: tuple[int, ...]


@dataclass(frozen=True)
class Links:
    """Cells by name and the sums among them; stands where a table's :class:`Lattice` stands.

    Attributes
    ----------
    keys : tuple of Key
        Name of each cell.
    sums : tuple of Sum
    """

    keys: tuple[Key, ...]
    sums: tuple[Sum, ...]

    @property
    def n_cells(self) -> int:
        """Cells, totals among them."""
        return len(self.keys)

    @cached_property
    def relations(self) -> sparse.csr_array:
        """Sums x cells: a parent less its children is nothing."""
        return relations_of(self.sums, self.n_cells)

    def to_record(self) -> dict[str, object]:
        """Plain lists, for the release ledger."""
        return {"cells": [dict(key) for key in self.keys], "sums": [[one.parent, *one.children] for one in self.sums]}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Links:
        """The links whose :meth:`to_record` this is."""
        keys = tuple(tuple(sorted(cell.items())) for cell in record["cells"])
        return cls(keys, tuple(Sum(parent, tuple(children)) for parent, *children in record["sums"]))


def relations_of(sums: Sequence[Sum], n_cells: int) -> sparse.csr_array:
    """The matrix of sums, shape (len(sums), n_cells)."""
    rows = [row for row, one in enumerate(sums) for _ in range(1 + len(one.children))]
    columns = [cell for one in sums for cell in (one.parent, *one.children)]
    values = [sign for one in sums for sign in (1.0, *[-1.0] * len(one.children))]
    shape = (len(sums), n_cells)
    return sparse.csr_array((np.array(values), (np.array(rows, int), np.array(columns, int))), shape=shape)
