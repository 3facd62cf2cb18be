"""The audit: can a reader of everything published work out a hidden cell?

The attacker subtracts what stands in print, then solves, for a hidden cell, the least and the greatest count that all
published cells of all tables and releases allow: two linear programmes (Fischetti and Salazar 2000). A cell is
recoverable when that interval is narrower than the policy's width. Most cells need no programme of their own:
subtraction bounds a cell from outside, the points that a few programmes visit bound it from inside, and only where the
two disagree on the verdict is it solved by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mhlib.errors import DisclosureError
from mhlib.report.protection_system import ENDLESS, NEAR, Reduced, System, combined, reduced, tightened
from mhlib.report.protection_tables import Published

WIDTH = 10
# Programmes in a row that clear no cell before the rest are solved one by one, and cells named in an error.
BARREN, NAMED = 6, 5

# Least and greatest count of each cell, shape (n,).
Seen = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class AuditResult:
    """What an attacker can work out.

    Attributes
    ----------
    system : System
    target : array of bool, shape (n,)
        Cells that must not be worked out.
    low, high : array, shape (n,)
        Interval of each target. Of a recoverable cell, or after `intervals=True`, the attacker's whole knowledge, or
        what mere subtraction gives when that is enough to convict; of a safe one at least this wide.
    recoverable : array of bool, shape (n,)
    width : float
    n_programmes : int
        Linear programmes solved.
    seen : tuple of array, shape (n,)
        Least and greatest count at any tables found that fit what is published.
    """

    system: System
    target: np.ndarray
    low: np.ndarray
    high: np.ndarray
    recoverable: np.ndarray
    width: float
    n_programmes: int
    seen: Seen

    @property
    def n_target(self) -> int:
        """Cells that must not be worked out."""
        return int(self.target.sum())

    @property
    def n_recoverable(self) -> int:
        """Those that can be."""
        return int(self.recoverable.sum())

    def only(self, target: np.ndarray) -> AuditResult:
        """The same, of fewer targets."""
        return replace(self, target=target, recoverable=self.recoverable & target)

    def named(self) -> tuple[str, ...]:
        """Coordinates of the recoverable cells, without their values."""
        return tuple(self.system.where(int(cell)) for cell in np.flatnonzero(self.recoverable))

    def to_frame(self) -> pd.DataFrame:
        """Intervals of the targets; for the people who protect, never for print."""
        cells = np.flatnonzero(self.target)
        return pd.DataFrame({"cell": [self.system.where(int(cell)) for cell in cells], "low": self.low[cells],
                             "high": self.high[cells], "recoverable": self.recoverable[cells]})  # fmt: skip

    def require_safe(self, where: str) -> None:
        """Refuses to go on when a cell can be worked out.

        Raises
        ------
        DisclosureError
            Names the table and some cells' coordinates, never a value.
        """
        if self.n_recoverable:
            listed = "; ".join(self.named()[:NAMED])
            raise DisclosureError(where, f"{self.n_recoverable} hidden cells can be worked out: {listed}",
                                  remedy="hide more cells, or publish fewer tables")  # fmt: skip


def audit(
    published: Sequence[Published],
    *,
    width: int = WIDTH,
    protect: Mapping[str, np.ndarray] | None = None,
    revises: Mapping[str, str] | None = None,
    intervals: bool = False,
) -> AuditResult:
    """Attack what is published.

    Parameters
    ----------
    published : sequence of Published
        All tables of this release and of earlier ones. Cells of one population with equal coordinates are one cell.
    width : int
        A cell is recoverable when its greatest possible count is less than this above its least.
    protect : mapping of str to array of bool, optional
        By table name the cells that must stay unknown; by default every hidden one.
    revises : mapping of str to str, optional
        Which population is a later version of which. Then a change of 1 to `width` - 1 people must stay unknown too.
    intervals : bool
        Solve every target's least and greatest count, also where the verdict does not need it.

    Raises
    ------
    DisclosureError
        If the tables contradict each other.

    Notes
    -----
    Counts are whole, not below nothing, and shown ones not below the least cell. Intervals are those of the linear
    relaxation, moved to the next whole count inside: exact where tables are nested trees crossed with one flat
    dimension; with more dimensions an attacker who searches whole solutions could at times know a little more.

    References
    ----------
    Fischetti and Salazar (2000), Management Science 46(7). Checked against: an enumeration of all whole tables
    (tests/report/test_protection_audit.py).
    """
    system, places = combined(published, revises=revises)
    target = system.is_change.copy()
    for table in published:
        wanted = table.hidden if protect is None else protect.get(table.name, np.zeros_like(table.hidden))
        target[places.of(table)[wanted]] = True
    return attacked(system, target, width=width, intervals=intervals)


def recoverable_in(system: System, low: np.ndarray, high: np.ndarray, width: float) -> np.ndarray:
    """Which intervals tell too much: narrow ones; of a change those that prove that few people made it."""
    narrow = high - low < width - NEAR
    few = (low > NEAR) & (low < width - NEAR) | (high < -NEAR) & (high > NEAR - width)
    return narrow & np.where(system.is_change, few, True)


def attacked(
    system: System,
    target: np.ndarray,
    *,
    width: float = WIDTH,
    intervals: bool = False,
    seen: Seen | None = None,
) -> AuditResult:
    """The audit of a system.

    `seen` are least and greatest counts at tables known to fit it: the true ones, or those found when less was hidden.
    """
    low, high = tightened(system)
    guilty = target & recoverable_in(system, low, high, width)
    many = system.is_change & ((low > width - NEAR) | (high < NEAR - width))
    open_cells = target & (high - low > NEAR) & (intervals | ~(guilty | many))
    search = _Search(system, width, seen)
    if not intervals:
        open_cells &= ~search.safe()
    search.rest = reduced(system, low, high, around=open_cells)
    if not intervals:
        open_cells = search.sweep(open_cells)
    search.solve(open_cells, low, high)
    guilty = guilty | (target & open_cells & recoverable_in(system, low, high, width))
    settled = target & ~guilty & ~many & ~open_cells & (high - low > NEAR)
    low, high = np.where(settled, search.low, low), np.where(settled, search.high, high)
    return AuditResult(system, target, low, high, guilty, width, search.n_programmes, (search.low, search.high))


class _Search:
    """Programmes on what subtraction left open, and the least and greatest count seen at any of their points."""

    rest: Reduced

    def __init__(self, system: System, width: float, seen: Seen | None) -> None:
        self.system, self.width, self.n_programmes = system, width, 0
        n = system.n_cells
        self.low = np.full(n, np.inf) if seen is None else seen[0].copy()
        self.high = np.full(n, -np.inf) if seen is None else seen[1].copy()

    def best(self, rest: Reduced, objective: np.ndarray, *, least: bool = True) -> np.ndarray:
        """One programme; its point widens what was seen."""
        found = self.tried(rest, objective, least=least)
        if found is None:
            raise DisclosureError("audit", "the published tables contradict each other",
                                  remedy="give changed data a population of their own and name what it revises")  # fmt: skip
        return found

    def tried(self, rest: Reduced, objective: np.ndarray, *, least: bool) -> np.ndarray | None:
        """The same, or None where no table fits."""
        self.n_programmes += 1
        found = rest.best(objective, least=least)
        if found is not None:
            self.low[rest.cells] = np.minimum(self.low[rest.cells], np.ceil(found - NEAR))
            self.high[rest.cells] = np.maximum(self.high[rest.cells], np.floor(found + NEAR))
        return found

    def sweep(self, open_cells: np.ndarray) -> np.ndarray:
        """Programmes that push many open cells at once; returns the cells still open.

        A cell is pushed no further than the width asks, so that what it need not use is left for its neighbours.
        """
        rng, barren = np.random.default_rng(20261126), 0
        while open_cells[self.rest.cells].any() and barren < BARREN:
            push = np.where(open_cells[self.rest.cells], self._push(rng), 0.0)
            self.tried(self._capped(push), push, least=False)
            left = open_cells & ~self.safe()
            barren = barren + 1 if left.sum() == open_cells.sum() else 0
            open_cells = left
        return open_cells

    def _push(self, rng: np.random.Generator) -> np.ndarray:
        """Up or down at random, some cells much harder than others, but not towards an end that has been seen."""
        rest, cells = self.rest, self.rest.cells
        way = rng.choice([-1.0, 1.0], size=len(cells))
        way[self.high[cells] > rest.high - NEAR] = -1.0
        way[self.low[cells] < rest.low + NEAR] = 1.0
        return way * np.exp(rng.normal(0.0, 1.5, size=len(cells)))

    def _capped(self, push: np.ndarray) -> Reduced:
        """The same programme, in which a pushed cell ends where it is safe with a count already seen."""
        rest, cells = self.rest, self.rest.cells
        low, high = rest.low.copy(), rest.high.copy()
        up, down = (push > 0) & np.isfinite(self.low[cells]), (push < 0) & np.isfinite(self.high[cells])
        high[up] = np.minimum(high[up], self.low[cells[up]] + self.width)
        low[down] = np.maximum(low[down], self.high[cells[down]] - self.width)
        return replace(rest, low=low, high=high)

    def safe(self) -> np.ndarray:
        """Cells of which enough has been seen: a wide interval, or of a change none at all."""
        none = self.system.is_change & (self.low < NEAR) & (self.high > -NEAR)
        with np.errstate(invalid="ignore"):
            return np.isfinite(self.low) & ((self.high - self.low > self.width - NEAR) | none)

    def solve(self, open_cells: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Least and greatest count of each open cell, one of every independent part at a time; into `low`, `high`."""
        here = np.flatnonzero(open_cells[self.rest.cells])
        turn = pd.Series(self.rest.part[here]).groupby(self.rest.part[here]).cumcount().to_numpy()
        for step in range(turn.max() + 1 if len(turn) else 0):
            chosen = here[turn == step]
            rest = self.rest.only(self.rest.part[chosen])
            objective = np.isin(rest.cells, self.rest.cells[chosen]).astype(float)
            cells, at = self.rest.cells[chosen], np.flatnonzero(objective)
            low[cells] = np.maximum(low[cells], np.ceil(self.best(rest, objective)[at] - NEAR))
            high[cells] = np.minimum(high[cells], np.floor(self.best(rest, objective, least=False)[at] + NEAR))
            high[cells[high[cells] >= ENDLESS / 2]] = np.inf
