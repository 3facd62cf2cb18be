import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import POLICIES, Policy
from mhlib.report.protection_audit import audit
from mhlib.report.protection_tables import Dimension, count_table, publish

from .attacker import PRECISE, ROUNDED, all_whole, printed_of, ranges, sums, worlds

SCHOOL, LEVEL = Dimension(("school",), ("school",)), Dimension(("level",))


def square(numbers, **given):
    """A table of schools by levels from a matrix."""
    rows = [(f"S{i}", f"L{j}", n) for i, line in enumerate(numbers) for j, n in enumerate(line)]
    frame = pd.DataFrame(rows, columns=["school", "level", "n"])
    return count_table(frame, [SCHOOL, LEVEL], **{"name": "t", "population": "w", **given})


def hiding(table, *cells):
    """The mask of cells (school, level), 0 for a total."""
    names = [
        tuple(sorted([("school", f"S{i}")] * (i is not None) + [("level", f"L{j}")] * (j is not None)))
        for i, j in cells
    ]
    return np.array([tuple(sorted(key)) in names for key in table.lattice.keys])


def test_one_hidden_cell_is_the_total_less_the_others():
    table = square([[20, 3], [30, 40]])
    found = audit([publish(table, hiding(table, (0, 1)), PRECISE)])
    assert found.n_target == found.n_recoverable == 1 and found.n_programmes == 0
    assert found.to_frame().to_dict("records") == [
        {"cell": "w: level=L1, school=S0", "low": 3.0, "high": 3.0, "recoverable": True}
    ]


def test_a_rectangle_by_hand():
    """Rows 3+17 and 12+28, columns 3+12 and 17+28: the corner moves from 0 to 15, the least of its row and column."""
    table = square([[3, 17], [12, 28]])
    found = audit([publish(table, hiding(table, (0, 0), (0, 1), (1, 0), (1, 1)), PRECISE)], intervals=True)
    frame = found.to_frame().set_index("cell")
    assert frame.loc["w: level=L0, school=S0", ["low", "high"]].tolist() == [0, 15]
    assert frame.loc["w: level=L1, school=S0", ["low", "high"]].tolist() == [5, 20]
    assert frame.loc["w: level=L1, school=S1", ["low", "high"]].tolist() == [25, 40]
    assert not frame["recoverable"].any()
    assert audit([publish(table, found.target, PRECISE)], width=16).n_recoverable == 4


def test_rounding_hides_a_little():
    """Beside 20, shown alike from 18 to 22, in a total of 23, shown alike from 23 to 27, there are 1 to 9."""
    table = square([[20, 3], [30, 40]])
    found = audit([publish(table, hiding(table, (0, 1)), ROUNDED)], intervals=True)
    # Its column says the same: 43 to 47 with 38 to 42.
    assert found.to_frame()[["low", "high", "recoverable"]].values.tolist() == [[1.0, 9.0, True]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=6, max_size=6), st.data())
def test_intervals_are_those_of_all_whole_tables(numbers, data):
    """Two rows by three columns, every set of hidden cells, exact counts: enumeration gives the same ends."""
    table = square(np.array(numbers).reshape(2, 3))
    open_policy = Policy("all", 0, 1, 1)
    hidden = np.array(data.draw(st.lists(st.booleans(), min_size=12, max_size=12)))
    # With the total in print no count can be beyond it, so that all tables can be listed.
    hidden[0] = False
    assume(hidden.any())
    found = audit([publish(table, hidden, open_policy)], width=1, intervals=True)
    rows = pd.DataFrame({"school": np.repeat(["S0", "S1"], 3), "level": ["L0", "L1", "L2"] * 2, "n": numbers})
    cells = sums(rows, [(), ("school",), ("level",), ("school", "level")])
    assume(cells[()][1] <= 6)
    whole = all_whole(6, printed_of(cells, table.lattice.keys, hidden, open_policy), cells[()][1])
    for at in np.flatnonzero(hidden):
        total = whole[:, cells[table.lattice.keys[at]][0]].sum(axis=1)
        where = [found.system.where(cell) for cell in range(12)].index(
            "w: " + (", ".join(f"{a}={b}" for a, b in table.lattice.keys[at]) or "total")
        )
        assert (found.low[where], found.high[where]) == (total.min(), total.max())
        assert found.recoverable[where] == (total.min() == total.max())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds(), st.randoms(use_true_random=False))
def test_the_verdict_is_that_of_an_attacker_written_apart(world, random):
    """Any hidden cells of any small city, precise or rounded: quick verdicts and full intervals agree with his."""
    policy, margins = world.policies[0], list(world.margins[0])
    table = count_table(world.rows, world.dimensions, name="t", only=world.only(0), structural=[("school", "grade")])
    hidden = (table.counts < 10) | np.array([random.random() < 0.3 for _ in table.counts])
    cells = sums(world.rows, margins)
    shows = publish(table, hidden, policy)
    targets = {key: members for key, (members, _) in cells.items() if shows.hidden[table.lattice.keys.index(key)]}
    assume(targets)
    his = ranges(list(targets.values()), printed_of(cells, table.lattice.keys, shows.hidden, policy))
    quick, full = audit([shows]), audit([shows], intervals=True)
    for key, (low, high) in zip(targets, his, strict=True):
        cell = next(at for at, (_, name) in enumerate(full.system.names) if name == key)
        assert full.low[cell] == max(low, 0)
        assert full.high[cell] == high or (high > 1e5 and np.isinf(full.high[cell]))
        assert quick.recoverable[cell] == full.recoverable[cell] == (high - low < 10)
        if not quick.recoverable[cell]:
            assert full.low[cell] <= quick.low[cell] and quick.high[cell] <= full.high[cell]


def test_tables_that_share_cells_are_attacked_together():
    """Each alone is safe; the second shows a row's total that the first hid."""
    numbers = [[3, 4], [30, 40]]
    table = square(numbers)
    corners = hiding(table, (0, 0), (0, 1), (0, None), (1, 0), (1, 1), (1, None))
    alone = publish(table, corners, PRECISE)
    assert audit([alone]).n_recoverable == 0
    totals = square(numbers, name="totals", only=[["school"]])
    both = audit([alone, publish(totals, hiding(table, (0, None)), PRECISE)])
    assert "w: school=S0" in both.named()


def test_a_later_version_must_not_tell_of_a_few():
    old, new = square([[50, 60], [70, 80]], population="v1"), square([[53, 60], [70, 95]], population="v2", name="new")
    shows = [publish(table, np.zeros(9, bool), PRECISE) for table in (old, new)]
    assert audit(shows).n_recoverable == 0
    found = audit(shows, revises={"v2": "v1"})
    # 3 more in one cell, in its row and nowhere else; the column has 3 more as well; 15 and 18 more are not few.
    assert set(found.named()) == {"v1>v2: level=L0, school=S0", "v1>v2: school=S0", "v1>v2: level=L0"}
    rounded = [
        publish(table, np.zeros(9, bool), ROUNDED) for table in (old, square([[51, 60], [70, 80]], population="v2"))
    ]
    assert audit(rounded, revises={"v2": "v1"}).n_recoverable == 0


def test_an_error_names_cells_and_never_a_value():
    table = square([[20, 7], [30, 40]])
    found = audit([publish(table, hiding(table, (0, 1)), PRECISE)])
    with pytest.raises(DisclosureError) as caught:
        found.require_safe("table t")
    assert str(caught.value) == ("table t: 1 hidden cells can be worked out: w: level=L1, school=S0; "
                                 "hide more cells, or publish fewer tables")  # fmt: skip
    assert caught.value.exit_code == 13
    audit([publish(table, np.ones(9, bool), PRECISE)]).require_safe("table t")


def test_tables_that_contradict_each_other_are_refused():
    first, second = square([[20, 30], [40, 50]]), square([[21, 30], [40, 50]], name="u")
    shows = [publish(table, np.zeros(9, bool), PRECISE) for table in (first, second)]
    with pytest.raises(
        DisclosureError, match="total: the published tables contradict each other here; give changed data"
    ):
        audit(shows)


def test_a_table_that_lacks_the_links_is_refused():
    rows = pd.DataFrame([("S0", "G0", "L0", 20)], columns=["school", "grade", "level", "n"])
    one = count_table(rows, [SCHOOL, LEVEL], name="a")
    two = count_table(rows, [SCHOOL, Dimension(("grade",))], name="b")
    with pytest.raises(
        DisclosureError, match="counts the same people but lacks some of its cells; build all tables of one"
    ):
        audit([publish(table, np.zeros(4, bool), PRECISE) for table in (one, two)])


def test_nothing_in_print_gives_nothing_away():
    table = square([[0, 3], [9, 4]])
    found = audit([publish(table, np.ones(9, bool), POLICIES["public"])], intervals=True)
    assert found.n_recoverable == 0 and np.isinf(found.high[found.target]).all() and not found.low[found.target].any()


def test_a_change_that_print_proves_to_be_of_many_is_no_harm_and_one_that_may_be_of_few_is():
    """Shown as 100 and as 120, 16 to 24 joined: many. Shown as 100 and as 110, 6 to 14 did: perhaps few."""
    old = square([[100, 60], [70, 80]], population="v1", only=[["school", "level"]])
    for now, told in ((120, 0), (110, 1), (105, 1), (100, 0)):
        new = square([[now, 60], [70, 80]], population="v2", name="new", only=[["school", "level"]])
        found = audit([publish(table, np.zeros(9, bool), ROUNDED) for table in (old, new)], revises={"v2": "v1"})
        assert sum("level=L0, school=S0" in name for name in found.named()) == told, now
