"""Suppression and its audit beside an attacker who solves two linear programmes for every hidden cell."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import optimize

from mhlib.report.disclosure import POLICIES, Policy
from mhlib.report.protection_audit import audit
from mhlib.report.protection_releases import suppress_release
from mhlib.report.protection_suppress import suppress
from mhlib.report.protection_system import combined
from mhlib.report.protection_tables import CountTable, Dimension, Published, count_table, primary, publish

SCHOOLS, GRADES, TIMED = 129, 6, 10
PRECISE, ROUNDED = Policy("precise", 10, 1, 30), POLICIES["public"]
SCHOOL, GRADE, LEVEL = Dimension(("school",), ("school",)), Dimension(("grade",)), Dimension(("level",))
NESTED = Dimension(("school", "grade"), ("school",))


def census(grades: int) -> pd.DataFrame:
    """Pupils by school, grade and four levels of risk, as skewed as a county's."""
    rng, rows = np.random.default_rng(1), []
    for school in range(SCHOOLS):
        size = int(np.clip(np.exp(rng.normal(np.log(850), 0.6)), 60, 4000)) // grades
        share = rng.dirichlet(np.array([0.79, 0.145, 0.048, 0.017]) * 60)
        for grade in range(grades):
            counts = rng.multinomial(size, share)
            rows += [(f"S{school:03}", f"G{grade}", f"L{level}", n) for level, n in enumerate(counts)]
    return pd.DataFrame(rows, columns=["school", "grade", "level", "n"])


def one_by_one(published: Published, cells: np.ndarray) -> list[bool]:
    """Whether each cell's interval is narrower than 10: two programmes a cell on the whole system."""
    system, places = combined([published])
    bounds, right = np.column_stack([system.low, system.high]), np.zeros(system.relations.shape[0])
    found = []
    for cell in places.of(published)[cells]:
        objective = (np.arange(system.n_cells) == cell).astype(float)
        ends = [
            sign * optimize.linprog(sign * objective, A_eq=system.relations, b_eq=right, bounds=bounds).fun
            for sign in (1, -1)
        ]
        found.append(np.floor(ends[1] + 1e-6) - np.ceil(ends[0] - 1e-6) < 10)
    return found


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    timed, rows = 3 if quick else TIMED, []
    tables = {
        "129 schools x 4 levels": count_table(census(1), [SCHOOL, LEVEL], name="t"),
        "129 schools x 6 grades within x 4 levels": count_table(census(GRADES), [NESTED, LEVEL], name="t"),
        "129 schools x 6 grades x 4 levels": count_table(census(GRADES), [SCHOOL, GRADE, LEVEL], name="t"),
    }
    for name, table in tables.items():
        for policy, kind in ((PRECISE, "precise"), (ROUNDED, "rounded")):
            rows.append(_hidden(f"hide and audit {name}, {kind}", table, policy, timed))
    rows.append(_attacked("audit 129 schools x 4 levels, small cells hidden alone", tables["129 schools x 4 levels"]))
    rows.append(
        _release("second release of 4,520 cells, rounded", tables["129 schools x 6 grades within x 4 levels"], timed)
    )
    return rows


def _hidden(promise: str, table: CountTable, policy: Policy, timed: int) -> tuple:
    small = np.flatnonzero(primary(table, policy))
    shows = suppress([table], policy).published(policy)[0]
    peer = f"linprog, audit alone, {len(small)} cells one by one ({timed} timed, x {len(small) / timed:g})"
    return (promise, peer, lambda: suppress([table], policy), lambda: one_by_one(shows, small[:timed]),
            lambda a, b: a.audit.n_recoverable == 0 and not any(b))  # fmt: skip


def _attacked(promise: str, table: CountTable) -> tuple:
    small = primary(table, ROUNDED)
    shows = publish(table, small, ROUNDED)
    return (promise, f"linprog, {small.sum()} cells one by one",
            lambda: audit([shows]), lambda: one_by_one(shows, np.flatnonzero(small)),
            lambda a, b: a.n_recoverable == sum(b))  # fmt: skip


def _release(promise: str, table: CountTable, timed: int) -> tuple:
    small = np.flatnonzero(primary(table, ROUNDED))
    margins = count_table(
        census(GRADES), [NESTED, LEVEL], name="first", only=[[], ["school"], ["level"], ["school", "level"]]
    )
    earlier = suppress([margins], ROUNDED).published(ROUNDED)
    return (promise, f"linprog, audit alone, one by one ({timed} timed, x {len(small) / timed:g})",
            lambda: suppress_release([table], ROUNDED, earlier=earlier),
            lambda: one_by_one(suppress_release([table], ROUNDED, earlier=earlier).published(ROUNDED)[0], small[:timed]),
            lambda a, b: a.lost == () and not any(b))  # fmt: skip
