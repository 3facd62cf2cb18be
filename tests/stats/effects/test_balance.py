"""Baseline balance: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects.balance_classes import within_arm_icc, wwc_class
from mhlib.stats.effects.balance_table import baseline_balance
from mhlib.stats.effects.weights_balancing import overlap_weights

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
LALONDE, R = (pd.read_csv(ORACLE / f"weights_{name}.csv") for name in ("lalonde", "balance"))
COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
SMALL = pd.DataFrame({"arm": list("aaaabbbb"), "x": [1.0, 2, 3, 4, 3, 4, 5, 6], "sex": list("fffmfmmm")})


@pytest.mark.parametrize("case", ["before", "ato"])
def test_equals_r(case):
    result = overlap_weights(LALONDE, treatment="treat", covariates=COVARIATES)
    found = (result.before if case == "before" else result.after).rows.set_index("term")
    r = R[R["case"] == case].set_index("term")
    assert set(found.index) == set(r.index)
    for column in ("value", "reference_value", "difference", "variance_ratio"):
        np.testing.assert_allclose(found.loc[r.index, column], r[column], rtol=1e-8, atol=1e-10)


def test_by_hand():
    # Means 4.5 and 2.5, both variances 5/3: g = 2 / sqrt(5/3) (1 - 3/23). Shares 3/4 and 1/4: (ln 3 + ln 3) / 1.65 (1 - 3/23).
    result = baseline_balance(SMALL, arm="arm", columns=["x", "sex"])
    x, sex = result.rows.to_dict("records")
    assert x["difference"] == pytest.approx(2 / math.sqrt(5 / 3) * 20 / 23)
    assert sex["term"] == "sex[m]" and (sex["value"], sex["reference_value"]) == (0.75, 0.25)
    assert sex["difference"] == pytest.approx(2 * math.log(3) / 1.65 * 20 / 23)
    assert x["variance_ratio"] == pytest.approx(1) and math.isnan(sex["variance_ratio"])
    assert result.largest == pytest.approx(x["difference"]) and not result.checks[0].passed
    assert result.to_frame()["p_value"].isna().all()


@pytest.mark.parametrize(("size", "label"), [(0.05, "fine"), (-0.0501, "adjust"), (0.25, "adjust"), (-0.2501, "fails"),
                                             (math.nan, "unknown"), (math.inf, "fails")])  # fmt: skip
def test_classes(size, label):
    assert wwc_class(size) == label


def test_missing_values_are_shown_by_arm_and_arms_are_counted():
    frame = SMALL.assign(x=[np.nan, 2, 3, 4, 3, 4, np.nan, np.nan])
    frame.loc[8] = [None, 9.0, "f"]
    result = baseline_balance(frame, arm="arm", columns=["x"])
    row = result.rows.iloc[0]
    assert (row["missing"], row["reference_missing"]) == (0.5, 0.25)
    assert (result.n_used, result.n_excluded, result.arms) == (8, 1, {"a": 4, "b": 4})


def test_shares_of_nought_and_constants():
    frame = SMALL.assign(
        rare=[0, 0, 0, 0, 0, 0, 0, 1], same=1.0, apart=[1.0] * 4 + [2.0] * 4, lost=[1.0, 2, 3, 4] + 4 * [np.nan]
    )
    found = baseline_balance(frame, arm="arm", columns=["rare", "same", "apart", "lost"]).rows.set_index("term")
    # 0 against 1/4 has no log odds: g of the 0/1 numbers, pooled variance 0.75/6.
    assert found.loc["rare", "index"] == "hedges_g"
    assert found.loc["rare", "difference"] == pytest.approx(0.25 / math.sqrt(0.125) * 20 / 23)
    assert found.loc[["same", "apart", "lost"], "wwc"].tolist() == ["fine", "fails", "unknown"]


def test_three_arms_and_a_reference():
    frame = pd.concat([SMALL, SMALL.assign(arm="c")])
    result = baseline_balance(frame, arm="arm", columns=["x"], reference="b")
    assert result.rows["arm"].tolist() == ["a", "c"] and list(result.arms) == ["b", "a", "c"]


def test_what_chance_gives_whole_schools():
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(400), 20)
    level = 0.5 * rng.normal(size=400)
    x = level[school] + rng.normal(size=8000)
    frame = pd.DataFrame({"school": school, "x": x, "arm": school % 2})
    row = baseline_balance(frame, arm="arm", columns=["x"], cluster="school").rows.iloc[0]
    # ICC .2: variance of the difference in total SDs is 2 (.2 + .8 / 20) / 200.
    assert row["expected_by_chance"] == pytest.approx(math.sqrt(2 * (0.2 + 0.8 / 20) / 200), rel=0.07)
    assert within_arm_icc(x, school % 2, school) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [({"columns": ["z"]}, DataError, "no column z"), ({"columns": []}, ParamsError, "names no column"),
     ({"reference": "z"}, ParamsError, "no arm"), ({"weights": np.ones(3)}, DataError, "different lengths")],
)  # fmt: skip
def test_wrong_input_is_named(change, error, words):
    with pytest.raises(error, match=words):
        baseline_balance(SMALL, **({"arm": "arm", "columns": ["x"]} | change))


def test_one_arm_is_refused():
    with pytest.raises(DesignError, match="one arm only"):
        baseline_balance(SMALL.assign(arm="a"), arm="arm", columns=["x"])


@settings(max_examples=30, deadline=None)
@given(st.floats(-50, 50), st.floats(0.1, 20), st.floats(0.1, 9), st.integers(0, 10_000))
def test_unit_and_swap_change_the_sign_only(shift, scale, heavy, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"arm": np.arange(40) % 2, "x": rng.normal(size=40), "w": rng.uniform(0.1, 1, 40)})
    one = baseline_balance(frame, arm="arm", columns=["x"], weights="w").largest
    moved = frame.assign(x=shift - scale * frame["x"], w=heavy * frame["w"], arm=1 - frame["arm"])
    assert baseline_balance(moved, arm="arm", columns=["x"], weights="w").largest == pytest.approx(one, rel=1e-6)
