"""Secondary suppression: which further cells to hide so that the small ones cannot be worked out.

First a greedy elimination (:mod:`protection_gauss`) keeps every small cell, and every group of them that together is
small, from being known exactly; then the audit attacks, and where an interval is still too narrow the cheapest further
cells are found by a linear programme (Kelly, Golden and Assad 1992). The audit has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, sparse

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import Policy
from mhlib.report.protection_audit import AuditResult, Seen, attacked
from mhlib.report.protection_gauss import hidden_by_elimination
from mhlib.report.protection_system import NEAR, System, combined
from mhlib.report.protection_tables import CountTable, Published, named, primary, publish, shown_interval

COSTS = ("count", "log")


@dataclass(frozen=True)
class Problem:
    """A system, and what may be done about it.

    Attributes
    ----------
    system : System
        With what is known whatever is shown now.
    low, high : array, shape (n,)
        What showing a cell would tell of it.
    candidate : array of bool, shape (n,)
        Cells that may be shown or hidden now.
    printed : array of bool, shape (n,)
        Cells asked for that earlier releases show as well as this one would.
    target : array of bool, shape (n,)
        Cells that must not be worked out.
    counts : array, shape (n,)
        True counts; not a number where they are not known to us (hidden cells of earlier releases).
    cost : array, shape (n,)
        Information lost when a cell is hidden.
    """

    system: System
    low: np.ndarray
    high: np.ndarray
    candidate: np.ndarray
    printed: np.ndarray
    target: np.ndarray
    counts: np.ndarray
    cost: np.ndarray
    width: int

    def seen(self, hidden: np.ndarray) -> System:
        """The system as readers know it when these cells are hidden."""
        shown = self.candidate & ~hidden
        low = np.where(shown, np.maximum(self.low, self.system.low), self.system.low)
        high = np.where(shown, np.minimum(self.high, self.system.high), self.system.high)
        return self.system.bounded(low, high)

    def attack(self, hidden: np.ndarray, target: np.ndarray, seen: Seen | None = None) -> AuditResult:
        """The audit when these cells are hidden.

        Tables found to fit when less was hidden still fit: what an earlier audit saw spares work in the next.
        """
        if seen is None and not np.isnan(self.counts).any():
            seen = self.counts, self.counts
        return attacked(self.seen(hidden), target, width=self.width, seen=seen)


@dataclass(frozen=True)
class SuppressionResult:
    """Which cells to hide, and the audit that says it is enough.

    Attributes
    ----------
    tables : tuple of CountTable
    primary, hidden : tuple of array of bool
        For each table its small cells, and all cells to hide (small and secondary), among those asked for.
    n_primary, n_secondary : int
        Cells, each counted once however many tables show it.
    loss : float
        Cost of the secondary cells over the cost of all that could be shown.
    audit : AuditResult
    lost : tuple of str
        Coordinates of cells that earlier releases alone give away; nothing can be done about them here.
    """

    tables: tuple[CountTable, ...]
    primary: tuple[np.ndarray, ...]
    hidden: tuple[np.ndarray, ...]
    n_primary: int
    n_secondary: int
    loss: float
    audit: AuditResult
    lost: tuple[str, ...] = ()

    def published(self, policy: Policy, *, release: str = "") -> tuple[Published, ...]:
        """The tables as readers get them; their records go to the release ledger."""
        pairs = zip(self.tables, self.hidden, strict=True)
        return tuple(publish(table, hidden, policy, release=release) for table, hidden in pairs)

    def to_frame(self) -> pd.DataFrame:
        """Table, cell and status (shown, small, secondary) of every cell asked for, without counts."""
        parts = []
        for table, small, hidden in zip(self.tables, self.primary, self.hidden, strict=True):
            status = np.where(small, "small", np.where(hidden, "secondary", "shown"))
            parts += [
                (table.name, named(table.lattice.keys[cell]), status[cell]) for cell in np.flatnonzero(table.asked)
            ]
        return pd.DataFrame(parts, columns=["table", "cell", "status"])


def suppress(
    tables: Sequence[CountTable], policy: Policy, *, width: int | None = None, cost: str = "count"
) -> SuppressionResult:
    """Primary and secondary suppression of tables that may share cells.

    Parameters
    ----------
    tables : sequence of CountTable
        All that one release shows.
    policy : Policy
        Counts below its least cell are hidden; others are shown rounded to its step, which hides a little by itself.
    width : int, optional
        Least width of what a reader may know of a small cell; by default the least cell, the range of small counts.
    cost : {"count", "log"}
        What hiding a cell loses: its count, or log(1 + count).

    Raises
    ------
    DisclosureError
        If a cell can still be worked out when every cell asked for is hidden.

    Notes
    -----
    Readers must not be told which hidden cells are small: the mark of a hidden cell is one and the same. An attacker
    who knows that a cell is hidden for its own sake knows as much as the policy tells, that it is below the least cell;
    one who reruns the choice on guessed tables is not modelled.

    References
    ----------
    Langsrud (2024), Secondary cell suppression by Gaussian elimination, PSD 2024; Kelly, Golden and Assad (1992), Networks 22(4).
    Checked against: published examples of GaussSuppression (tests/oracle/make_protection.R).
    """
    system, places = combined(tables)
    own = [places.of(table) for table in tables]
    problem = posed(system, tables, own, policy, width=policy.min_cell if width is None else width, cost=cost)
    hidden, found = protected(problem)
    found.require_safe("suppress()")
    return result_of(problem, tables, own, policy, hidden, found)


def posed(
    system: System,
    tables: Sequence[CountTable],
    own: Sequence[np.ndarray],
    policy: Policy,
    *,
    width: int,
    cost: str,
) -> Problem:
    """The problem of showing these tables; a cell that is in print already, to the same count or nearer, is no choice."""
    if cost not in COSTS:
        raise DisclosureError("suppress()", f"unknown cost {cost}", allowed=", ".join(COSTS))
    n = system.n_cells
    counts, asked, small = np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, bool)
    for table, cells in zip(tables, own, strict=True):
        counts[cells] = table.counts
        asked[cells] |= table.asked
        small[cells] |= primary(table, policy)
    low, high = shown_interval(np.nan_to_num(counts), policy)
    adds = (low > system.low + NEAR) | (high < system.high - NEAR)
    worth = np.nan_to_num(counts) if cost == "count" else np.log1p(np.nan_to_num(counts))
    return Problem(system, low, high, asked & ~small & adds, asked & ~small & ~adds, small, counts, worth, width)


def protected(problem: Problem, full: AuditResult | None = None) -> tuple[np.ndarray, AuditResult]:
    """The hidden cells, shape (n,), and the audit of all targets with them hidden.

    `full` is the audit with every candidate shown, of these targets and perhaps of more, where it has been done.
    Hiding more only widens intervals, so that a count once safe stays safe and only the others are looked at again; of
    a change known to be of many, a wider interval may reach few, so that all are looked at in the end.
    """
    hidden = ~problem.candidate
    found = problem.attack(hidden, problem.target) if full is None else full.only(problem.target)
    while found.n_recoverable:
        more, part = _hidden_further(problem, hidden, found)
        if (more == hidden).all():
            more = hidden | problem.candidate  # nothing cheaper helps
        if (more == hidden).all():
            break
        hidden, found = more, problem.attack(more, problem.target, part.seen)
    return hidden, found


def _hidden_further(problem: Problem, hidden: np.ndarray, found: AuditResult) -> tuple[np.ndarray, AuditResult]:
    """By elimination while that helps, then cell by cell, until what the audit found is mended."""
    while found.n_recoverable:
        more = hidden | _eliminated(problem, hidden, found.recoverable)
        if (more == hidden).all():
            break
        hidden, found = more, problem.attack(more, found.recoverable, found.seen)
    return _widened(problem, hidden, found)


def _eliminated(problem: Problem, hidden: np.ndarray, failing: np.ndarray) -> np.ndarray:
    """Cells to hide so that no failing one, and no small group with one in it, is known exactly."""
    system, cells = problem.system, np.flatnonzero(problem.candidate & ~hidden)
    order = cells[np.lexsort((cells, -_size(system)[cells], -problem.cost[cells]))]
    known = np.flatnonzero(np.isfinite(system.high) & ~problem.candidate)
    single = sparse.eye_array(system.n_cells, format="csr")[np.flatnonzero(failing)]
    sums = sparse.vstack([single, _groups(problem, hidden, failing)], format="csr")
    return hidden_by_elimination(system.relations, known, order, sums)


def _size(system: System) -> np.ndarray:
    """How many relations a cell is the parent of: of two equal counts the total is kept."""
    return np.asarray((system.relations > 0).sum(axis=0)).ravel()


def _groups(problem: Problem, hidden: np.ndarray, failing: np.ndarray) -> sparse.csr_array:
    """Sums of the hidden children of a parent, one of them failing, that together are too few to hide in."""
    relations = problem.system.relations
    children = (relations[(abs(relations) @ problem.system.is_change.astype(float)) == 0] < 0).astype(float)
    unseen = hidden & ~np.isfinite(problem.system.high)
    masked = children.multiply(unseen[None, :].astype(float)).tocsr()
    total, exposed = masked @ np.nan_to_num(problem.counts), masked @ failing.astype(float)
    several = masked @ np.ones(len(unseen)) > 1
    return masked[np.flatnonzero((total < problem.width) & (exposed > 0) & several)]


def _widened(problem: Problem, hidden: np.ndarray, found: AuditResult) -> tuple[np.ndarray, AuditResult]:
    """Hides the cheapest further cells until every interval is wide enough, or nothing more helps."""
    while found.n_recoverable:
        for cell in np.flatnonzero(found.recoverable):
            more = _cheapest(problem, hidden, int(cell), found)
            if more is not None and (more & ~hidden).any():
                break
        else:
            break
        hidden = hidden | more
        found = problem.attack(hidden, found.recoverable, found.seen)
    return hidden, found


def _cheapest(problem: Problem, hidden: np.ndarray, cell: int, found: AuditResult) -> np.ndarray | None:
    """Cells that must move, at the least cost, for one cell to take a count beyond its interval; None if it cannot."""
    seen, movable = problem.seen(hidden), np.flatnonzero(problem.candidate & ~hidden)
    for low, high in ((found.low[cell] + problem.width, np.inf), (-np.inf, found.high[cell] - problem.width)):
        bounds = np.column_stack([seen.low, seen.high])
        bounds[cell] = max(seen.low[cell], low), min(seen.high[cell], high)
        moved = None if bounds[cell][0] > bounds[cell][1] else _moved(problem, movable, bounds)
        if moved is not None:
            more = np.zeros(len(hidden), bool)
            more[movable[moved > NEAR]] = True
            return more
    return None


def _moved(problem: Problem, movable: np.ndarray, bounds: np.ndarray) -> np.ndarray | None:
    """How far each movable cell leaves what is shown of it in the cheapest tables within bounds; None if there are none.

    A movable cell is what is shown of it, plus a rise, less a fall, each at a price.
    """
    system, (n, k) = problem.system, (problem.system.n_cells, len(movable))
    moves, price = system.relations[:, movable], (1.0 + problem.cost[movable]) / problem.width
    fall, rise = bounds[movable, 0] - system.low[movable], system.high[movable] - bounds[movable, 1]
    most = np.concatenate([bounds, np.column_stack([np.zeros(2 * k), np.concatenate([rise, fall])])])
    matrix = sparse.hstack([system.relations, moves, -moves], format="csr")
    objective = np.concatenate([np.zeros(n), price, price])
    solved = optimize.linprog(objective, A_eq=matrix, b_eq=np.zeros(matrix.shape[0]), bounds=most, method="highs")
    return solved.x[n : n + k] + solved.x[n + k :] if solved.status == 0 else None


def result_of(
    problem: Problem,
    tables: Sequence[CountTable],
    own: Sequence[np.ndarray],
    policy: Policy,
    hidden: np.ndarray,
    found: AuditResult,
    lost: tuple[str, ...] = (),
) -> SuppressionResult:
    """The hidden cells table by table."""
    small = [primary(table, policy) & table.asked for table in tables]
    unseen = [hidden[cells] & ~problem.printed[cells] & table.asked for table, cells in zip(tables, own, strict=True)]
    n_small = len(np.unique(np.concatenate([cells[one] for cells, one in zip(own, small, strict=True)])))
    secondary, total = hidden & problem.candidate, problem.cost[problem.candidate].sum()
    loss = float(problem.cost[secondary].sum() / total) if total else 0.0
    return SuppressionResult(
        tuple(tables), tuple(small), tuple(unseen), n_small, int(secondary.sum()), loss, found, lost
    )
