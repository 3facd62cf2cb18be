import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import POLICIES, Policy
from mhlib.report.protection_audit import audit
from mhlib.report.protection_gauss import hidden_by_elimination
from mhlib.report.protection_suppress import suppress
from mhlib.report.protection_tables import Dimension, count_table, primary, publish

from .attacker import PRECISE, ROUNDED

SCHOOL, LEVEL = Dimension(("school",), ("school",)), Dimension(("level",))


def city(seed: int, schools: int = 129, grades: int = 1) -> pd.DataFrame:
    """Counts of pupils by school, grade and four levels of risk, as skewed as a census of a county."""
    rng, rows = np.random.default_rng(seed), []
    for school in range(schools):
        size = int(np.clip(np.exp(rng.normal(np.log(850), 0.6)), 60, 4000)) // grades
        share = rng.dirichlet(np.array([0.79, 0.145, 0.048, 0.017]) * 60)
        for grade in range(grades):
            rows += [
                (f"S{school:03}", f"G{grade}", f"L{level}", n) for level, n in enumerate(rng.multinomial(size, share))
            ]
    return pd.DataFrame(rows, columns=["school", "grade", "level", "n"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_129_schools_and_4_levels_many_small_cells_are_given_away_and_none_after_suppression(seed):
    """Design anchor: 516 cells with margins; with small cells hidden alone nearly all of them are solved."""
    table = count_table(city(seed), [SCHOOL, LEVEL], name="levels")
    assert table.lattice.is_leaf.sum() == 516
    small = primary(table, PRECISE)
    alone = audit([publish(table, small, PRECISE)])
    exact = (alone.high - alone.low)[alone.target] == 0
    assert alone.n_recoverable > 50 and exact.sum() > 30
    result = suppress([table], PRECISE)
    shows = publish(table, result.hidden[0], PRECISE)
    assert audit([shows], protect={"levels": small}).n_recoverable == 0
    assert result.n_primary == small.sum() and result.loss < 0.03


@pytest.mark.parametrize("policy", [PRECISE, POLICIES["public"]])
def test_no_hidden_cell_at_all_is_known_exactly(policy):
    """Not even a large one that was hidden for the others' sake, or it had better been shown."""
    table = count_table(city(4, 40), [SCHOOL, LEVEL], name="levels")
    found = audit([publish(table, suppress([table], policy).hidden[0], policy)], width=1)
    assert found.n_target > 20 and found.n_recoverable == 0


def published_examples():
    folder = __file__.rsplit("/report/", 1)[0]
    frame = pd.read_csv(f"{folder}/oracle/protection_gauss.csv", keep_default_na=False)
    return [pytest.param(rows, id=name) for name, rows in frame.groupby("example")]


def example_key(row) -> tuple:
    place = ("column", row.column) if row.column != "Total" else ("group", row.group)
    return tuple(sorted((name, label) for name, label in [("row", row.row), place] if label not in ("", "Total")))


@pytest.mark.parametrize("rows", published_examples())
def test_the_same_cells_are_hidden_as_by_gausssuppression(rows):
    """Published examples (tests/oracle/make_protection.R); there a cell must not be known exactly: width 1."""
    name, least = rows["example"].iloc[0], int(rows["max_n"].iloc[0]) + 1
    leaves = rows[(rows["row"] != "Total") & (rows["column"] != "Total")].rename(columns={"freq": "n"})
    if name == "structural":
        leaves = leaves[(leaves["row"] != "young") | (leaves["column"] != "Iceland")]
    has_groups = ((rows["column"] == "Total") & (rows["group"].str.contains("EU"))).any()
    columns = Dimension(("group", "column") if has_groups else ("column",), ("column",))
    table = count_table(leaves, [Dimension(("row",)), columns], name=name,
                        structural=[("row", "column")] if name == "structural" else ())  # fmt: skip
    result = suppress([table], Policy("example", least, 1, 1), width=1)
    hidden = dict(zip(table.lattice.keys, result.hidden[0], strict=True))
    counts = dict(zip(table.lattice.keys, table.counts, strict=True))
    for row in rows.itertuples():
        assert counts[example_key(row)] == row.freq
        assert hidden[example_key(row)] == bool(row.suppressed), row


def test_the_choice_by_hand():
    """One small cell: the cheapest rectangle through it is hidden, and no other cell."""
    rows = pd.DataFrame([(f"S{i}", f"L{j}", n) for i, line in enumerate([[90, 4, 50], [80, 30, 70], [60, 95, 99]])
                         for j, n in enumerate(line)], columns=["school", "level", "n"])  # fmt: skip
    result = suppress([count_table(rows, [SCHOOL, LEVEL], name="t")], PRECISE)
    frame = result.to_frame().set_index("cell")["status"]
    assert frame["level=L1, school=S0"] == "small"
    assert set(frame[frame == "secondary"].index) == {
        "level=L2, school=S0",
        "level=L1, school=S1",
        "level=L2, school=S1",
    }
    assert result.n_primary == 1 and result.n_secondary == 3
    # Of all that could be shown: eight cells, and the total three times over (itself, by rows, by columns).
    assert result.loss == pytest.approx((50 + 30 + 70) / (574 + 3 * 578))


def least_loss(table, policy: Policy) -> float:
    """By trying every set of cells, cheapest first: the loss of the best choice."""
    small = primary(table, policy)
    candidates = np.flatnonzero(~small)
    sets = [subset for size in range(len(candidates) + 1) for subset in itertools.combinations(candidates, size)]
    for subset in sorted(sets, key=lambda cells: table.counts[list(cells)].sum()):
        hidden = small.copy()
        hidden[list(subset)] = True
        if audit([publish(table, hidden, policy)], protect={"t": small}).n_recoverable == 0:
            return table.counts[list(subset)].sum() / table.counts[candidates].sum()
    raise AssertionError("everything hidden is always safe")


def test_the_loss_is_near_the_least_possible():
    """Two schools by three levels, by trying every choice; the greedy one may cost a little more, not twice as much."""
    rng, ours, best = np.random.default_rng(11), 0.0, 0.0
    for _ in range(6):
        counts = rng.choice([4, 8, 14, 25, 40, 60], size=6)
        rows = pd.DataFrame({"school": np.repeat(["S0", "S1"], 3), "level": ["L0", "L1", "L2"] * 2, "n": counts})
        table = count_table(rows, [SCHOOL, LEVEL], name="t")
        one, least = suppress([table], PRECISE).loss, least_loss(table, PRECISE)
        assert one >= least - 1e-12
        ours, best = ours + one, best + least
    assert ours <= 1.25 * best


def test_small_cells_of_a_margin_not_asked_for_are_protected_as_well():
    """Boys and all are shown, girls are not: fewer than ten girls would be the difference."""
    rows = pd.DataFrame({"school": ["S0", "S0", "S1", "S1"], "sex": ["boys", "girls"] * 2, "n": [30, 4, 50, 60]})
    table = count_table(rows, [SCHOOL, Dimension(("sex",))], name="t", population="w")
    boys = table.lattice.keys.index((("school", "S0"), ("sex", "boys")))
    asked = np.array([not any(label == "girls" for _, label in key) for key in table.lattice.keys])
    table = type(table)(table.name, table.population, table.lattice, table.counts, asked, table.impossible)
    result = suppress([table], PRECISE)
    every = [dict(table.lattice.keys[cell]) for cell in np.flatnonzero(result.hidden[0])]
    assert result.hidden[0][boys] or {"school": "S0"} in every
    assert result.n_primary == 0 and result.n_secondary >= 1


def test_rounding_needs_fewer_hidden_cells():
    table = count_table(city(5), [SCHOOL, LEVEL], name="t")
    precise, rounded = suppress([table], PRECISE), suppress([table], ROUNDED)
    assert rounded.n_primary == precise.n_primary and rounded.n_secondary < precise.n_secondary


def test_the_cost_may_be_the_logarithm():
    table = count_table(city(6, 30), [SCHOOL, LEVEL], name="t")
    result = suppress([table], PRECISE, cost="log")
    assert audit(result.published(PRECISE), protect={"t": result.primary[0]}).n_recoverable == 0
    with pytest.raises(DisclosureError, match=r"suppress\(\): unknown cost price; count, log"):
        suppress([table], PRECISE, cost="price")


def test_where_nothing_is_small_nothing_is_hidden():
    table = count_table(city(1, 5).assign(n=lambda rows: rows["n"] + 10), [SCHOOL, LEVEL], name="t")
    result = suppress([table], PRECISE)
    assert not result.hidden[0].any() and result.loss == 0 and result.audit.n_target == 0
    open_data = suppress([count_table(city(1, 5), [SCHOOL, LEVEL], name="t")], POLICIES["open_data"])
    assert not open_data.hidden[0].any()


def test_where_everything_is_small_everything_is_hidden():
    rows = pd.DataFrame({"school": ["S0", "S1"], "level": ["L0", "L0"], "n": [2, 3]})
    result = suppress([count_table(rows, [SCHOOL, LEVEL], name="t")], PRECISE)
    assert result.hidden[0].all() and result.n_secondary == 0


def test_elimination_by_hand():
    """a + b = t and c + d = u, with t + u known: only what ties to the protected cell is hidden."""
    relations = sparse.csr_array(np.array([[1, -1, -1, 0, 0, 0], [0, 0, 0, 1, -1, -1]], float))
    protect = sparse.csr_array(np.eye(6)[[1]])
    hidden = hidden_by_elimination(relations, np.array([], int), [0, 3, 2, 4, 5], protect)
    assert hidden.tolist() == [False, False, True, False, False, False]
    given_away = hidden_by_elimination(relations, np.array([0, 2]), [3, 4, 5], protect)
    assert not given_away.any()


def test_grades_within_schools_by_level_are_protected():
    """129 schools x 6 grades x 4 levels, 4,520 cells with totals: benchmarks/protection.py times it."""
    nested = [Dimension(("school", "grade"), ("school",)), LEVEL]
    table = count_table(city(1, 129, 6), nested, name="t")
    result = suppress([table], POLICIES["public"])
    assert table.lattice.n_cells == 4520 and result.audit.n_recoverable == 0 and result.n_primary > 1000
