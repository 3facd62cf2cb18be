import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError
from mhlib.report.disclosure import POLICIES, Gate, Policy
from mhlib.report.protection_tables import (
    Dimension,
    Published,
    count_table,
    named,
    primary,
    publish,
    shown_interval,
)

from .attacker import CROSSED, MARGINS, NESTED, shown, sums, worlds

ROWS = pd.DataFrame(
    [
        ("T1", "S1", "L1", 20),
        ("T1", "S1", "L2", 3),
        ("T1", "S2", "L1", 15),
        ("T2", "S3", "L1", 12),
        ("T2", "S3", "L2", 11),
    ],
    columns=["town", "school", "level", "n"],
)
PLACE, LEVEL = Dimension(("town", "school"), ("town", "school")), Dimension(("level",))


def by_key(table, values):
    return dict(zip(table.lattice.keys, values.tolist(), strict=True))


def test_a_table_by_hand():
    table = count_table(ROWS, [PLACE, LEVEL], name="t")
    assert table.lattice.shape == (6, 3) and table.lattice.n_cells == 18
    counts = by_key(table, table.counts)
    assert counts[()] == 61 and counts[("town", "T1"),] == 38 and counts[("school", "S1"),] == 23
    assert counts[("level", "L2"), ("school", "S2")] == 0 and counts[("level", "L2"),] == 14
    small = {key for key, hidden in by_key(table, primary(table, POLICIES["public"])).items() if hidden}
    assert small == {
        (("level", "L2"), ("school", "S1")),
        (("level", "L2"), ("school", "S2")),
        (("level", "L2"), ("town", "T1")),
    }
    assert named(table.lattice.keys[0]) == "total" and named((("school", "S1"),)) == "school=S1"


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_total_is_the_sum_of_its_rows_and_every_relation_holds(world):
    table = count_table(world.rows, world.dimensions, name="t")
    assert not (table.lattice.relations @ table.counts).any()
    counts = by_key(table, table.counts)
    for key, (_, n) in sums(world.rows, MARGINS[world.dimensions]).items():
        assert counts[key] == n
    # The relations leave exactly the finest cells free.
    matrix = table.lattice.relations.toarray()
    assert np.linalg.matrix_rank(matrix) == table.lattice.n_cells - table.lattice.is_leaf.sum()


def test_a_school_is_the_same_cell_with_or_without_its_town():
    with_town = count_table(ROWS, [PLACE], name="a")
    alone = count_table(ROWS, [Dimension(("school",), ("school",))], name="b")
    assert set(alone.lattice.keys) < set(with_town.lattice.keys)
    nested = count_table(ROWS, [Dimension(("town", "school"))], name="c")
    assert (("school", "S1"), ("town", "T1")) in nested.lattice.keys


def test_margins_asked_for():
    table = count_table(ROWS, [PLACE, LEVEL], name="t", only=[[], ["school"], ["town", "level"]])
    asked = {key for key, yes in by_key(table, table.asked).items() if yes}
    assert asked == {(), *((("school", f"S{i}"),) for i in (1, 2, 3)),
                     *((("level", f"L{i}"), ("town", f"T{j}")) for i in (1, 2) for j in (1, 2))}  # fmt: skip


def test_what_everybody_knows_to_be_empty_is_not_protected():
    table = count_table(ROWS, [PLACE, LEVEL], name="t", structural=[("school", "level")])
    cell = table.lattice.keys.index((("level", "L2"), ("school", "S2")))
    assert table.impossible.sum() == 1 and table.impossible[cell] and not table.asked[cell]
    assert not primary(table, POLICIES["public"])[cell]
    shows = publish(table, np.ones(18, bool), POLICIES["public"])
    assert (shows.low[cell], shows.high[cell], shows.hidden[cell]) == (0, 0, False)


@pytest.mark.parametrize("policy", [*POLICIES.values(), Policy("even", 4, 2, 1), Policy("ten", 10, 10, 1)])
@settings(deadline=None)
@given(n=st.integers(0, 200))
def test_the_interval_behind_a_shown_count_is_every_count_shown_alike(policy, n):
    if n < policy.min_cell:
        return
    low, high = shown_interval(np.array([n]), policy)
    assert (low[0], high[0]) == shown(n, policy)
    gate = Gate(policy)
    assert gate.count(low[0]) == gate.count(n) == gate.count(high[0]) and gate.count(high[0] + 1) != gate.count(n)


def test_the_ledger_record_returns_what_was_published_and_holds_nothing_hidden():
    table = count_table(ROWS, [PLACE, LEVEL], name="t", population="wave 1")
    hidden = primary(table, POLICIES["public"])
    shows = publish(table, hidden, POLICIES["public"], release="2026-1")
    record = json.loads(json.dumps(shows.to_record()))
    back = Published.from_record(record)
    assert back.lattice.keys == shows.lattice.keys and back.release == "2026-1" and back.population == "wave 1"
    for name in ("low", "high", "hidden"):
        np.testing.assert_array_equal(getattr(back, name), getattr(shows, name))
    assert len(record["cells"]) == len(record["low"]) == (~hidden).sum()


@pytest.mark.parametrize(
    ("rows", "dimensions", "told"),
    [
        (ROWS.drop(columns="level"), [PLACE, LEVEL], "table t: no column level; town, school, n"),
        (
            ROWS.assign(level=None),
            [PLACE, LEVEL],
            "table t: a coordinate is missing; give the missing a label of their own",
        ),
        (ROWS.assign(n=-3), [PLACE], "table t: a count is missing, negative or not whole; 0, 1, 2, …"),
        (ROWS.assign(n=2.5), [PLACE], "table t: a count is missing, negative or not whole; 0, 1, 2, …"),
        (
            ROWS.assign(school="S1"),
            [PLACE],
            "column school: a label stands under two parents; leave the column out of `unique`",
        ),
    ],
)
def test_bad_tables_are_refused(rows, dimensions, told):
    with pytest.raises(DataError) as caught:
        count_table(rows, dimensions, name="t")
    assert str(caught.value).startswith(told)


def test_the_shapes_of_the_attacks_differ():
    assert len(NESTED) == 2 and len(CROSSED) == 3
