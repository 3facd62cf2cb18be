"""Stepped wedge: against R, by hand, at edges."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.wedge_permutation import every_order, linear_effects, n_orders, permuted_schedule
from mhlib.stats.effects.wedge_rollout import stepped_wedge_effect

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ROWS, VALUES = (pd.read_csv(ORACLE / f"series_wedge_{name}.csv") for name in ("rows", "values"))
VALUES = VALUES.set_index("term")
NAMES = {"outcome": "y", "school": "school", "period": "period", "treated": "treated", "seed": 1}


@pytest.fixture(scope="module")
def crossed():
    return stepped_wedge_effect(ROWS, **NAMES)


@pytest.fixture(scope="module")
def recurring():
    return stepped_wedge_effect(ROWS, pupil="pupil", **NAMES)


def demand_equal(found, term, name=None, rtol=1e-6, columns=("estimate", "std_error", "df", "p_value")):
    row = found.set_index("term").loc[name or term]
    for column in columns:
        np.testing.assert_allclose(row[column], VALUES.loc[term, column], rtol=rtol, err_msg=f"{term} {column}")


@pytest.mark.parametrize("term", ["constant effect", "average over exposure"])
def test_the_mixed_model_equals_lmertest(crossed, term):
    demand_equal(crossed.effects, term, rtol=2e-4, columns=("df", "p_value"))
    demand_equal(crossed.effects, term, rtol=1e-5, columns=("estimate", "std_error"))


@pytest.mark.parametrize("term", ["constant effect, CR2", "average over exposure, CR2"])
def test_cr2_equals_clubsandwich(crossed, term):
    demand_equal(crossed.effects, term, rtol=1e-7)


def test_effects_by_exposure_and_their_test_equal_lmertest(crossed):
    for j in (1, 2, 3, 4):
        demand_equal(crossed.exposure, f"effect in period {j} under the programme", rtol=2e-4)
    np.testing.assert_allclose(crossed.constant_p, VALUES.loc["constancy", "p_value"], rtol=1e-3)
    found = crossed.variances.set_index("level")["estimate"]
    for level, r in (("school", "variance S"), ("period", "variance S:P"), ("residual", "variance Residual")):
        np.testing.assert_allclose(found[level], VALUES.loc[r, "estimate"], rtol=1e-4)


@pytest.mark.parametrize("term", ["constant effect, permutation", "within periods, permutation"])
def test_linear_effects_equal_gls_written_out(crossed, term):
    demand_equal(crossed.effects, term, rtol=1e-5, columns=("estimate",))


def test_recurring_pupils_equal_lmertest(recurring):
    demand_equal(recurring.effects, "recurring: constant effect", "constant effect", rtol=1e-4)
    demand_equal(recurring.effects, "recurring: constant effect, pupil intercept", "constant effect, pupil intercept",
                 rtol=1e-4)  # fmt: skip
    assert recurring.recurring


def cells(table, first):
    """Rows of means from a table of schools by periods, and the period in which each school begins."""
    table = np.asarray(table, dtype=float)
    school, period = np.nonzero(np.isfinite(table))
    treated = (period >= np.asarray(first)[school]).astype(float)
    return pd.DataFrame({"y": table[school, period], "school": school, "period": period, "treated": treated})


def test_by_hand_within_periods():
    # Period 1: school a under the programme has 5, the others 1 and 3: 5 - 2 = 3, weight 1 * 2 / 3. Period 2: 4 and 6 under it, 1
    # without: 5 - 1 = 4, weight 2 / 3. Average 3.5. Periods 0 and 3 compare nothing.
    table = np.array([[9, 5, 4, 0], [0, 1, 6, 9], [7, 3, 1, 4.0]])
    schedule = np.array([[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    found, own = linear_effects(schedule[None], np.stack([table, schedule]), 0.0, 1.0)
    assert found[0] == pytest.approx(3.5) and own[0] == pytest.approx(1.0)


def test_permutation_equals_every_order_written_out():
    table = np.random.default_rng(5).normal(size=(5, 6))
    schedule = (np.arange(6)[None, :] > np.arange(5)[:, None]).astype(float)
    found = permuted_schedule(schedule, table, shared=0.4, own=1.0, n_draws=199, seed=None, conf_level=0.95, where="t")
    v = np.kron(np.eye(5), 0.4 * np.ones((6, 6)) + np.eye(6))
    periods = np.tile(np.eye(6), (5, 1))

    def gls(order):
        x = np.column_stack([periods, schedule[list(order)].ravel()])
        weight = np.linalg.solve(v, x)
        return np.linalg.solve(x.T @ weight, weight.T @ table.ravel())[-1]

    every = np.array([gls(order) for order in permutations(range(5))])
    assert found.n_orders == 120 and found.estimate == pytest.approx(gls(range(5)))
    assert found.p_value == pytest.approx(np.mean(np.abs(every) >= abs(found.estimate) - 1e-12))
    assert found.conf_low < found.estimate < found.conf_high


def test_orders_are_counted_and_all_different():
    which = np.array([0, 0, 1, 2, 2])
    orders = every_order(which)
    assert n_orders(which) == 30 == len(np.unique(orders, axis=0))
    assert (np.sort(orders, axis=1) == np.sort(which)).all()


def test_too_few_orders_refuse_the_permutation_alone():
    table = np.random.default_rng(2).normal(size=(3, 4))
    result = stepped_wedge_effect(cells(table, [1, 2, 3]), **NAMES)
    assert result.permutation_orders == 6 and result.refusals["permutation"].code == "permutation_floor"
    assert np.isnan(result.effect("within periods, permutation")["p_value"])
    assert np.isfinite(result.effect("constant effect")["estimate"])


def small(n=6, n_periods=4, seed=3):
    first = 1 + np.arange(n) % (n_periods - 1)
    return cells(np.random.default_rng(seed).normal(size=(n, n_periods)), first)


def test_refusals():
    frame = small()

    def code(rows):  # fmt: skip
        result = stepped_wedge_effect(rows, **NAMES)
        assert isinstance(result, Refused) and result.what_to_collect.template
        return result.code

    assert code(frame.assign(treated=frame["treated"].where(frame["school"] > 0, 1.0))) == "no_untreated_period"
    assert code(frame.assign(treated=frame["treated"].where(frame["school"] > 0, 0.0))) == "school_never_crosses"
    assert code(frame.assign(treated=(frame["period"] > 1) * 1.0)) == "one_start"


def test_wrong_input_is_named():
    frame = small()
    with pytest.raises(DataError, match="no column nobody"):
        stepped_wedge_effect(frame, **(NAMES | {"school": "nobody"}))
    with pytest.raises(DataError, match="rows are no share"):
        stepped_wedge_effect(frame.assign(treated=2 * frame["treated"]), **NAMES)
    with pytest.raises(DesignError, match="fall back"):
        stepped_wedge_effect(frame.assign(treated=((frame["period"] == 1) & (frame["school"] < 2)) * 1.0), **NAMES)
    with pytest.raises(DesignError, match="more than one share"):
        twice = pd.concat([frame, frame.assign(treated=1 - frame["treated"])])
        stepped_wedge_effect(twice, **NAMES)
    with pytest.raises(DesignError, match="same in every row"):
        stepped_wedge_effect(frame.assign(y=1.0), **NAMES)
    with pytest.raises(DataError, match="no row is complete"):
        stepped_wedge_effect(frame.assign(y=np.nan), **NAMES)
    many = small(n=12, n_periods=5)
    with pytest.raises(ParamsError, match="seed"):
        stepped_wedge_effect(many, **(NAMES | {"seed": None}))


def test_missing_rows_are_counted_and_a_seed_repeats():
    holes = ROWS.assign(y=ROWS["y"].where(ROWS.index != 5))
    one, two = (stepped_wedge_effect(holes, **NAMES) for _ in range(2))
    assert one.n_excluded == 1 and one.n_used == len(ROWS) - 1
    pd.testing.assert_frame_equal(one.to_frame(), two.to_frame())
    assert list(one.to_frame().columns[:6]) == ["term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]


def test_a_partial_period_counts_by_its_share():
    frame = small(n=8, seed=9).sort_values(["school", "period"])
    first = frame["treated"].gt(0) & frame.groupby("school")["treated"].cumsum().eq(1)
    half = frame.assign(treated=frame["treated"].mask(first, 0.5))
    planted = half.assign(y=lambda f: 0.01 * f["y"] + 3.0 * f["treated"])
    assert stepped_wedge_effect(planted, **NAMES).effect("constant effect")["estimate"] == pytest.approx(3.0, abs=0.05)


def test_classes_of_a_period_enter_the_model():
    many = ROWS.assign(room=ROWS["pupil"] % 2)
    assert "class of a period" in stepped_wedge_effect(many, classroom="room", **NAMES).method
    assert "class" not in stepped_wedge_effect(ROWS, **NAMES).method


@settings(max_examples=10, deadline=None)
@given(st.floats(-3, 3), st.integers(0, 1000))
def test_a_constant_added_to_the_treated_moves_every_effect_by_it(effect, seed):
    base = small(n=9, seed=seed)
    with_it = base.assign(y=base["y"] + effect * base["treated"] + 0.7 * base["period"])
    one, two = (stepped_wedge_effect(rows, **NAMES).effects.set_index("term") for rows in (base, with_it))
    for term in ("average over exposure", "constant effect", "constant effect, CR2", "within periods, permutation"):
        assert two.loc[term, "estimate"] - one.loc[term, "estimate"] == pytest.approx(effect, abs=1e-4)
