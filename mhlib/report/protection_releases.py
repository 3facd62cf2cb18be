"""Suppression over releases: what may be shown now, given all that was shown before.

What is in print stays in print. Cells of one population are the same number whenever they are shown; a later version of
the data is a population of its own, and the change of a cell between the two is itself a count of people, which must
not be known to be a few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import Policy
from mhlib.report.protection_suppress import Problem, SuppressionResult, posed, protected, result_of
from mhlib.report.protection_system import NEAR, Places, combined
from mhlib.report.protection_tables import CountTable, Published


def suppress_release(
    tables: Sequence[CountTable],
    policy: Policy,
    *,
    earlier: Sequence[Published],
    revises: Mapping[str, str] | None = None,
    width: int | None = None,
    cost: str = "count",
) -> SuppressionResult:
    """Cells to hide in this release so that together with earlier ones nothing can be worked out.

    Protected are the small cells of this release, the cells that earlier releases hid (unless this one's data show
    that they are large), and every change of 1 to `width` - 1 people between two versions of a population.

    Parameters
    ----------
    tables : sequence of CountTable
        All that this release shows.
    policy : Policy
        Of this release; earlier ones may have had another.
    earlier : sequence of Published
        The tables in print, from the release ledger.
    revises : mapping of str to str, optional
        Which population is a later version of which.
    width, cost
        As for :func:`mhlib.report.protection_suppress.suppress`.

    Returns
    -------
    SuppressionResult
        `lost` names cells that the earlier releases alone give away: they can no longer be protected, and it is for
        people to decide whether to withdraw a release. A cell hidden earlier whose count is not known here any more is
        named unless print proves that it is large.

    Raises
    ------
    DisclosureError
        If a count is not what an earlier release says of the same population: changed data need another name.
    """
    earlier = _related(tables, earlier, revises or {})
    system, places = combined([*tables, *earlier], revises=revises)
    own = [places.of(table) for table in tables]
    problem = posed(system, tables, own, policy, width=policy.min_cell if width is None else width, cost=cost)
    _check_same(problem)
    problem = replace(problem, target=_targets(problem, places, earlier))
    full = problem.attack(~problem.candidate, problem.target)
    # What stays safe when all is shown was safe before; a change of many may have looked like one of few.
    doubtful = full.recoverable | (problem.target & system.is_change)
    before = problem.attack(np.ones(system.n_cells, bool), doubtful, full.seen)
    problem = replace(problem, target=problem.target & ~before.recoverable)
    hidden, found = protected(problem, full)
    found.require_safe("suppress_release()")
    # A cell hidden earlier, of which print proves that it is large, is no harm.
    large = np.isnan(problem.counts) & ~system.is_change & (before.low >= policy.min_cell)
    lost = replace(before, recoverable=before.recoverable & ~large).named()
    return result_of(problem, tables, own, policy, hidden, found, lost)


def _related(tables: Sequence[CountTable], earlier: Sequence[Published], revises: Mapping[str, str]) -> list[Published]:
    """Earlier tables of these populations and of all versions of them; others say nothing of them."""
    near = {table.population for table in tables}
    for _ in revises:
        near |= {name for pair in revises.items() if near & set(pair) for name in pair}
    return [table for table in earlier if table.population in near]


def _check_same(problem: Problem) -> None:
    """A count outside what was published of it belongs to other data."""
    known = ~np.isnan(problem.counts)
    counts = np.where(known, problem.counts, problem.system.low)
    wrong = known & ((counts < problem.system.low - NEAR) | (counts > problem.system.high + NEAR))
    if wrong.any():
        raise DisclosureError(problem.system.where(int(np.flatnonzero(wrong)[0])), "an earlier release says otherwise of this cell",
                              remedy="give changed data a population of their own and name what it revises")  # fmt: skip


def _targets(problem: Problem, places: Places, earlier: Sequence[Published]) -> np.ndarray:
    target = problem.target | problem.system.is_change
    for table in earlier:
        cells = places.of(table)[table.hidden]
        target[cells[np.isnan(problem.counts[cells])]] = True
    return target
