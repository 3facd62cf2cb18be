"""What each value of a score, in each school, adds to a regression discontinuity: counts, sums and cross-products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreCells:
    """Sums by value of the score and by cluster: K values, C cells that hold anybody, V variables.

    Attributes
    ----------
    names : tuple of str, length V
        Outcome, then uptake where there is one, then covariates.
    distance : ndarray, shape (K,)
        Values of the score less the cut-off, rising; treated from 0 on.
    cell_value, cell_cluster : ndarray of int, shape (C,)
        Place of the cell's value, and its cluster.
    n : ndarray, shape (C,)
        Rows.
    sums : ndarray, shape (C, V)
    squares : ndarray, shape (K, V, V)
        Cross-products of the variables at each value.
    n_clusters : int
        0 where rows are taken as independent.
    n_excluded : int
    n_targets : int
        1, or 2 where the second variable is uptake; covariates follow.
    """

    names: tuple[str, ...]
    distance: np.ndarray
    cell_value: np.ndarray = field(repr=False)
    cell_cluster: np.ndarray = field(repr=False)
    n: np.ndarray = field(repr=False)
    sums: np.ndarray = field(repr=False)
    squares: np.ndarray = field(repr=False)
    n_clusters: int
    n_excluded: int
    n_targets: int = 1

    @property
    def counts(self) -> np.ndarray:
        """Rows at each value, shape (K,)."""
        return np.bincount(self.cell_value, weights=self.n, minlength=len(self.distance))

    @property
    def totals(self) -> np.ndarray:
        """Sums at each value, shape (K, V)."""
        return np.column_stack(
            [np.bincount(self.cell_value, weights=one, minlength=len(self.distance)) for one in self.sums.T]
        )

    @property
    def above(self) -> np.ndarray:
        """Which values are at or over the cut-off, shape (K,) of bool."""
        return self.distance >= 0

    @property
    def n_used(self) -> int:
        """Rows."""
        return int(self.n.sum())

    def only(self, kept: np.ndarray) -> ScoreCells:
        """The cells of some values, `kept` of bool and shape (K,)."""
        place = np.cumsum(kept) - 1
        there = kept[self.cell_value]
        cluster = self.cell_cluster[there]
        if self.n_clusters:
            cluster = np.unique(cluster, return_inverse=True)[1]
        return replace(
            self,
            distance=self.distance[kept],
            cell_value=place[self.cell_value[there]],
            cell_cluster=cluster,
            n=self.n[there],
            sums=self.sums[there],
            squares=self.squares[kept],
            n_clusters=len(np.unique(cluster)) if self.n_clusters else 0,
        )

    def moved(self, by: float) -> ScoreCells:
        """The same cells about a cut-off `by` further up."""
        return replace(self, distance=self.distance - by)


def cells_of_rows(
    data: pd.DataFrame,
    *,
    outcome: str,
    running: str,
    cutoff: float,
    treated: str | None,
    cluster: str | None,
    covariates: Sequence[str] | None,
    where: str,
) -> tuple[ScoreCells, np.ndarray]:
    """Cells of the complete rows, and which rows these are.

    Raises
    ------
    DataError
        A column the table lacks, no complete row, a row without a cluster, uptake other than 0 and 1.
    DesignError
        Nobody on one side of the cut-off.
    """
    named = [outcome, *([] if treated is None else [treated]), *(covariates or ())]
    demand_columns(data, [*named, running, *([] if cluster is None else [cluster])], where=where)
    columns = [
        (inputs.binary if name == treated else inputs.numeric)(data[name], where=where, name=name) for name in named
    ]
    score = inputs.numeric(data[running], where=where, name=running)
    values = np.column_stack(columns)
    complete = np.isfinite(score) & np.isfinite(values).all(axis=1)
    if not complete.any():
        raise DataError(where, "no row is complete", allowed="rows with score, outcome and every variable named")
    code, n_clusters = (
        (None, 0) if cluster is None else inputs.codes(data[cluster][complete], where=where, name=cluster)
    )
    cells = summed(
        score[complete] - cutoff,
        values[complete],
        code,
        n_clusters,
        names=tuple(named),
        n_excluded=int((~complete).sum()),
    )
    demand_both_sides(cells, where=where)
    return replace(cells, n_targets=1 if treated is None else 2), complete


def summed(
    distance: np.ndarray,
    values: np.ndarray,
    code: np.ndarray | None,
    n_clusters: int,
    *,
    names: tuple[str, ...],
    n_excluded: int,
) -> ScoreCells:
    """Counts, sums and cross-products of rows; `values` has shape (n, V)."""
    value, place = np.unique(distance, return_inverse=True)
    pair = place if code is None else code.astype(np.int64) * len(value) + place
    seen, cell = np.unique(pair, return_inverse=True)
    v = values.shape[1]
    squares = np.empty((len(value), v, v))
    for i in range(v):
        for j in range(i + 1):
            squares[:, i, j] = squares[:, j, i] = np.bincount(place, weights=values[:, i] * values[:, j])
    return ScoreCells(
        names=names,
        distance=value,
        cell_value=seen % len(value),
        cell_cluster=seen // len(value),
        n=np.bincount(cell).astype(float),
        sums=np.column_stack([np.bincount(cell, weights=values[:, i]) for i in range(v)]),
        squares=squares,
        n_clusters=n_clusters,
        n_excluded=n_excluded,
    )


def demand_columns(data: pd.DataFrame, named: Sequence[str], *, where: str) -> None:
    """Refuse columns that the table lacks, and a column that is named twice."""
    if lacking := [name for name in dict.fromkeys(named) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    if twice := sorted({name for name in named if list(named).count(name) > 1}):
        raise ParamsError(where, f"a column serves twice: {', '.join(twice)}", allowed="each column in one role")


def demand_both_sides(cells: ScoreCells, *, where: str) -> None:
    """Refuse a cut-off with nobody on one side."""
    if cells.above.all() or not cells.above.any():
        raise DesignError(
            f"{where}(cutoff)",
            "nobody scored on one side of the cut-off",
            allowed="a cut-off within the scores, treated from the cut-off on",
            remedy="give the cut-off that decided who was offered help, in units of the score",
        )
