"""Everything an attacker knows as one set of linear relations and intervals, over all tables and releases at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, sparse

from mhlib.errors import DisclosureError
from mhlib.report.protection_tables import CountTable, Key, Lattice, Published, named

# Counts are whole: a bound this near a whole number is that number.
NEAR = 1e-4
# No city has so many pupils: the bound of a cell of which nothing is known, so that every programme has an end.
ENDLESS = 1e8


@dataclass(frozen=True)
class System:
    """The cells of several tables, each once, what is known of each, and the relations among them.

    Attributes
    ----------
    names : tuple of (population, key)
        Population and coordinates of each cell. A change between two versions of a population is a cell too, of the
        population `old>new`.
    low, high : array, shape (n,)
        What is known of a cell by itself.
    relations : csr_array, shape (m, n)
        Every row times the counts is nothing.
    is_change : array of bool, shape (n,)
        Differences, which alone may be below nothing.
    """

    names: tuple[tuple[str, Key], ...]
    low: np.ndarray
    high: np.ndarray
    relations: sparse.csr_array
    is_change: np.ndarray

    @property
    def n_cells(self) -> int:
        """Cells, each counted once."""
        return len(self.names)

    def where(self, cell: int) -> str:
        """A cell's coordinates in words."""
        population, key = self.names[cell]
        return f"{population}: {named(key)}" if population else named(key)

    def bounded(self, low: np.ndarray, high: np.ndarray) -> System:
        """The same cells with other knowledge of each."""
        return replace(self, low=low, high=high)


@dataclass(frozen=True)
class Places:
    """The number of each (population, key) in a system."""

    index: Mapping[tuple[str, Key], int]

    def of(self, table: CountTable | Published) -> np.ndarray:
        """For each cell of a table its number in the system."""
        return np.array([self.index[table.population, key] for key in table.lattice.keys], dtype=np.int64)


def combined(
    tables: Sequence[CountTable | Published], *, revises: Mapping[str, str] | None = None
) -> tuple[System, Places]:
    """One system of all tables: cells of one population and key are one, and what is published of any holds for it.

    Parameters
    ----------
    tables : sequence of CountTable or Published
        Of a count table only the cells, the relations and what is impossible are taken: its counts are not out yet.
    revises : mapping of str to str, optional
        Which population is a later version of which: cells of both get a cell of their change.

    Raises
    ------
    DisclosureError
        If no table of a population holds the cells of all its others (then links between them, such as which school
        lies in which town, would not be seen), or if two releases say of one cell what cannot both hold.
    """
    _check_covered(tables)
    index: dict[tuple[str, Key], int] = {}
    for table in tables:
        for key in table.lattice.keys:
            index.setdefault((table.population, key), len(index))
    n_counts = len(index)
    changes = _changes(index, revises or {})
    places, n = Places(dict(index)), len(index)
    low = np.concatenate([np.zeros(n_counts), np.full(n - n_counts, -np.inf)])
    high, parts = np.full(n, np.inf), [changes]
    seen: set[tuple[str, Lattice]] = set()
    for table in tables:
        own = places.of(table)
        if isinstance(table, Published):
            np.maximum.at(low, own, table.low)
            np.minimum.at(high, own, table.high)
        else:
            high[own[table.impossible]] = 0.0
        # Later releases often show the same cells anew, with the same relations.
        if (table.population, table.lattice) not in seen:
            parts.append(_moved(table.lattice, own, n))
            seen.add((table.population, table.lattice))
    system = System(tuple(index), low, high, _distinct(sparse.vstack(parts, format="csr")), np.arange(n) >= n_counts)
    contradicted(system, low, high)
    return system, places


def _check_covered(tables: Sequence[CountTable | Published]) -> None:
    for population in dict.fromkeys(table.population for table in tables):
        own = [table for table in tables if table.population == population]
        most = max(own, key=lambda table: table.lattice.n_cells)
        held = set(most.lattice.keys)
        for table in own:
            if not held.issuperset(table.lattice.keys):
                raise DisclosureError(f"table {table.name}", f"table {most.name} counts the same people but lacks some of its cells",
                                      remedy="build all tables of one population on all their dimensions, "
                                      "each asking for its margins (`only`)")  # fmt: skip


def _changes(index: dict[tuple[str, Key], int], revises: Mapping[str, str]) -> sparse.csr_array:
    """Adds to the index a change of each cell that two versions share; new less old less change is nothing."""
    triples = []
    for new, old in revises.items():
        shared = [key for population, key in list(index) if population == new and (old, key) in index]
        for key in shared:
            change = index.setdefault((f"{old}>{new}", key), len(index))
            triples.append((index[new, key], index[old, key], change))
    columns = np.array(triples, dtype=np.int64).reshape(-1, 3)
    rows = np.repeat(np.arange(len(columns)), 3)
    values = np.tile([1.0, -1.0, -1.0], len(columns))
    return sparse.csr_array((values, (rows, columns.ravel())), shape=(len(columns), len(index)))


def _moved(lattice: Lattice, own: np.ndarray, n: int) -> sparse.csr_array:
    relations = lattice.relations.tocoo()
    return sparse.csr_array((relations.data, (relations.row, own[relations.col])), shape=(relations.shape[0], n))


def _distinct(relations: sparse.csr_array) -> sparse.csr_array:
    """Without rows that say nothing or say it again."""
    relations.sum_duplicates()
    relations.eliminate_zeros()
    # Equal rows have equal marks to the last bit; two of them, so that no others do.
    mark = relations @ np.random.default_rng(1).normal(size=(relations.shape[1], 2))
    _, first = np.unique(mark, axis=0, return_index=True)
    keep = np.sort(first)
    return relations[keep[np.diff(relations.indptr)[keep] > 0]]


def contradicted(system: System, low: np.ndarray, high: np.ndarray) -> None:
    """Refuses bounds that leave a cell no count."""
    wrong = np.flatnonzero(low > high + NEAR)
    if len(wrong):
        raise DisclosureError(system.where(int(wrong[0])), "the published tables contradict each other here",
                              remedy="give changed data a population of their own and name what it revises")  # fmt: skip


def tightened(system: System, *, rounds: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of every cell by subtraction alone, over and over: no cell can lie outside.

    A relation with one unknown gives it; with several it bounds each by the others' bounds. Counts are whole.
    """
    entries = system.relations.tocoo()
    rows, columns, sign = entries.row, entries.col, entries.data
    low, high = system.low.copy(), system.high.copy()
    for _ in range(rounds):
        least, most = np.where(sign > 0, low[columns], -high[columns]), np.where(sign > 0, high[columns], -low[columns])
        most_here = -_rest(least, rows, system.relations.shape[0])
        least_here = _rest(-most, rows, system.relations.shape[0])
        up, down = np.where(sign > 0, most_here, -least_here), np.where(sign > 0, least_here, -most_here)
        tighter_high, tighter_low = high.copy(), low.copy()
        np.minimum.at(tighter_high, columns, np.floor(up + NEAR))
        np.maximum.at(tighter_low, columns, np.ceil(down - NEAR))
        if not ((tighter_high < high - NEAR).any() or (tighter_low > low + NEAR).any()):
            break
        low, high = tighter_low, tighter_high
    contradicted(system, low, high)
    return low, high


def _rest(least: np.ndarray, rows: np.ndarray, n_rows: int) -> np.ndarray:
    """For each entry the sum of the others in its row; minus infinity where one of them is unbounded."""
    open_end = np.isneginf(least)
    finite = np.where(open_end, 0.0, least)
    total, n_open = np.bincount(rows, finite, n_rows), np.bincount(rows, open_end, n_rows)
    return np.where(n_open[rows] - open_end > 0, -np.inf, total[rows] - finite)


@dataclass(frozen=True)
class Reduced:
    """What is left of a system when the cells known for certain are moved to the right-hand side.

    Attributes
    ----------
    cells : array of int, shape (k,)
        Numbers of the cells left.
    matrix : csr_array, shape (r, k)
    right : array, shape (r,)
    part : array of int, shape (k,)
        Which independent part of the system a cell belongs to.
    """

    cells: np.ndarray
    matrix: sparse.csr_array
    right: np.ndarray
    low: np.ndarray
    high: np.ndarray
    part: np.ndarray

    def only(self, parts: np.ndarray) -> Reduced:
        """Some independent parts of it."""
        keep = np.isin(self.part, parts)
        if keep.all():
            return self
        matrix = self.matrix[:, keep]
        rows = np.diff(matrix.indptr) > 0
        return Reduced(
            self.cells[keep], matrix[rows], self.right[rows], self.low[keep], self.high[keep], self.part[keep]
        )

    def best(self, objective: np.ndarray, *, least: bool = True) -> np.ndarray | None:
        """A point with the least (or greatest) objective; None if there is no point at all."""
        sign = 1.0 if least else -1.0
        ties = optimize.LinearConstraint(self.matrix, self.right, self.right)
        # Presolving costs more than it saves, for subtraction has been done; where the plain way fails it is tried.
        for presolve in (False, True):
            # No variable is whole: this is `linprog` without checks that cost more than a small programme.
            found = optimize.milp(sign * objective, constraints=ties, bounds=optimize.Bounds(self.low, self.high),
                                  options={"presolve": presolve})  # fmt: skip
            if found.status == 0:
                return found.x
        return None


def reduced(system: System, low: np.ndarray, high: np.ndarray, *, around: np.ndarray) -> Reduced:
    """The unknown cells, the relations that tie them, and the independent parts that hold one of the cells `around`."""
    if not around.any():
        nothing = np.zeros(0)
        return Reduced(nothing.astype(int), sparse.csr_array((0, 0)), nothing, nothing, nothing, nothing.astype(int))
    unknown = high - low > NEAR
    known = np.where(unknown, 0.0, low)
    matrix = system.relations[:, unknown]
    rows = np.diff(matrix.indptr) > 0
    matrix, right = matrix[rows], -(system.relations @ known)[rows]
    low, high = np.maximum(low[unknown], -ENDLESS), np.minimum(high[unknown], ENDLESS)
    rest = Reduced(np.flatnonzero(unknown), matrix, right, low, high, _parts(matrix))
    return rest.only(np.unique(rest.part[around[rest.cells]]))


def _parts(matrix: sparse.csr_array) -> np.ndarray:
    """The independent part of each column: columns that meet in a row are of one."""
    m, k = matrix.shape
    row, column = matrix.nonzero()
    links = sparse.csr_array((np.ones(len(row)), (row, m + column)), shape=(m + k, m + k))
    return sparse.csgraph.connected_components(links, directed=False)[1][m:]
