"""Regression discontinuity against hands, base R, RDHonest's and rdrobust's published numbers."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.discontinuity_cells import cells_of_rows, summed
from mhlib.stats.effects.discontinuity_curvature import quartic_curvature
from mhlib.stats.effects.discontinuity_fit import rdd
from mhlib.stats.effects.discontinuity_honest import honest_jump
from mhlib.stats.effects.discontinuity_local import folded_quantile, jump_weights, local_jump, unit_biases

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ROWS = pd.read_csv(ORACLE / "discontinuity_rows.csv")
WANTED = pd.read_csv(ORACLE / "discontinuity_values.csv")
PEER = pd.read_csv(ORACLE / "discontinuity_rdhonest.csv").set_index("case")
ASKED = {"outcome": "y", "running": "score", "cutoff": 10, "robust": False}
FUZZY = {**ASKED, "treated": "served", "cluster": "school"}


def sharp(x, y, cutoff=0.0):
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return summed(x - cutoff, y[:, None], None, 0, names=("y",), n_excluded=0)


# By hand -------------------------------------------------------------------------------------------------------------


def test_two_values_a_side_by_hand():
    # Below: means 1 at -2 and 2 at -1, so the line reaches 3 at 0. Above: 10 at 0, 12 at 1. Jump 10 - 3 = 7.
    # Each value: a pair m - 1, m + 1, so s2 = 2 and the mean's variance 1. Weights of the means: 1 | -(2, -1): 1 + 4 + 1 = 6.
    x = np.repeat([-2, -1, 0, 1], 2)
    y = np.repeat([1, 2, 10, 12], 2) + np.tile([-1, 1], 4)
    jump = local_jump(sharp(x, y), 2.0, kernel="uniform")
    assert jump.jumps[0] == pytest.approx(7)
    assert jump.covariance[0, 0] == pytest.approx(6)
    # g below: 2 masses -(-1) at 2 and -2 at 1: |w(2)(2 - t) + w(1)(1 - t)|; from 0 (0) to 1 (1) and back to 2 (0): area 1.
    assert jump.unit_bias == pytest.approx(1.0)


def test_two_values_a_side_have_the_bias_of_a_parabola_by_hand():
    # y = x^2 / 2 below only: means 2 at -2 and .5 at -1; the line reaches -1 at 0 where the truth is 0: off by 1, the bound.
    jump = local_jump(sharp([-2, -2, -1, -1, 0, 0, 1, 1], [2, 2, 0.5, 0.5, 0, 0, 0, 0]), 2.0, kernel="uniform")
    assert jump.jumps[0] == pytest.approx(1.0)
    assert abs(jump.jumps[0]) == pytest.approx(jump.unit_bias)


@pytest.mark.parametrize("df", [7.0, np.inf])
def test_a_bias_beyond_all_errors_overflows_nothing(df):
    # An outcome without spread has an error of nought, and its bias in errors is as large as a number can be.
    found = folded_quantile([1.0, 1e200], 0.95, df)
    assert found == pytest.approx([folded_quantile(1.0, 0.95, df)[0], 1e200], rel=1e-12)


def test_folded_quantile_is_the_usual_one_without_bias_and_one_sided_with_much():
    assert folded_quantile(0.0, 0.95, np.inf)[0] == pytest.approx(1.959964, abs=1e-6)
    assert folded_quantile(0.0, 0.95, 7.0)[0] == pytest.approx(stats.t.ppf(0.975, 7))
    assert folded_quantile(20.0, 0.95, np.inf)[0] == pytest.approx(20 + 1.644854, abs=1e-6)
    # Armstrong & Kolesár (2020), table 1: critical values at bias-to-error ratios of .5 and 1.
    assert folded_quantile([0.5, 1.0], 0.95, np.inf) == pytest.approx([2.18, 2.65], abs=0.005)


# Against R ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WANTED.to_dict("records"), ids=lambda row: f"{row['kernel']} {row['h']}")
def test_jumps_biases_errors_and_intervals_equal_base_r(row):
    given = {"bandwidth": row["h"], "kernel": row["kernel"], "curvature": (0.05, 0.01)}
    found = rdd(ROWS, **FUZZY, **given)
    assert found.reduced_form.estimate == pytest.approx(row["jump"], rel=1e-9)
    assert found.first_stage.estimate == pytest.approx(row["uptake"], rel=1e-9)
    assert found.reduced_form.max_bias == pytest.approx(0.05 * row["unit_bias"], rel=1e-8)
    assert found.reduced_form.std_error == pytest.approx(row["se_cluster"], rel=1e-9)
    assert found.first_stage.std_error == pytest.approx(row["se_uptake"], rel=1e-9)
    assert found.df == pytest.approx(row["df"], rel=1e-9)
    half = (found.reduced_form.conf_high - found.reduced_form.conf_low) / 2
    assert half == pytest.approx(row["half"], rel=1e-8)
    independent = rdd(ROWS, **ASKED, **given)
    assert independent.std_error == pytest.approx(row["se_row"], rel=1e-9)
    assert (independent.conf_high - independent.conf_low) / 2 == pytest.approx(row["half_row"], rel=1e-8)
    adjusted = rdd(ROWS, **ASKED, **given, covariates=["age"])
    assert adjusted.estimate == pytest.approx(row["jump_adjusted"], rel=1e-8)


@pytest.mark.parametrize("row", WANTED.to_dict("records"), ids=lambda row: f"{row['kernel']} {row['h']}")
def test_ratio_and_its_inverted_interval_equal_base_r(row):
    found = rdd(ROWS, **FUZZY, bandwidth=row["h"], kernel=row["kernel"], curvature=(0.05, 0.01))
    assert found.f_statistic == pytest.approx((row["uptake"] / row["se_uptake"]) ** 2, rel=1e-8)
    assert found.ratio_delta.estimate == pytest.approx(row["ratio"], rel=1e-9)
    assert found.ratio_delta.std_error == pytest.approx(row["delta_se"], rel=1e-8)
    assert found.ratio_inverted.conf_low == pytest.approx(row["low"], rel=1e-7)
    assert found.ratio_inverted.conf_high == pytest.approx(row["high"], rel=1e-7)
    assert (found.conf_low, found.conf_high) == (found.ratio_inverted.conf_low, found.ratio_inverted.conf_high)


def test_rule_of_thumb_equals_a_quartic_of_base_r():
    cells, _ = cells_of_rows(
        ROWS, outcome="y", running="score", cutoff=10, treated=None, cluster=None, covariates=None, where="test"
    )
    for row in pd.read_csv(ORACLE / "discontinuity_curvature.csv").itertuples():
        assert quartic_curvature(cells, np.ones(1), nearest=row.nearest) == pytest.approx(row.curvature, rel=1e-6)


# Against RDHonest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "running", "outcome", "kernel", "h"),
    [
        ("lee08", "margin", "voteshare", "uniform", 10),
        ("lee08", "margin", "voteshare", "triangular", 8),
        ("headst", "povrate", "mortHS", "uniform", 18),
    ],
)
def test_honest_intervals_equal_rdhonest(file, running, outcome, kernel, h):
    # Windows of Lee (2008) and Ludwig & Miller (2007) as in RDHonest; values of its authors' Python port, rdhonest 0.0.1.
    wanted = PEER.loc[f"{file} {kernel} {h}"]
    found = rdd(
        pd.read_csv(ORACLE / f"discontinuity_{file}.csv"), outcome=outcome, running=running, cutoff=0, bandwidth=h,
        kernel=kernel, curvature=0.1, robust=False,
    )  # fmt: skip
    for name in ("estimate", "std_error", "max_bias", "conf_low", "conf_high"):
        assert getattr(found, name) == pytest.approx(wanted[name], rel=1e-8), name


def test_head_start_equals_the_numbers_in_rdhonests_own_tests():
    # RDHonest's tests/testthat/test_rd.R: estimate -1.1982581306, EHW error .6608206598 (uniform, h = 18).
    found = rdd(
        pd.read_csv(ORACLE / "discontinuity_headst.csv"), outcome="mortHS", running="povrate", cutoff=0, bandwidth=18,
        kernel="uniform", curvature=0.1, robust=False,
    )  # fmt: skip
    assert found.estimate == pytest.approx(-1.1982581306, abs=1e-10)
    assert found.std_error == pytest.approx(0.6608206598, abs=1e-10)


@pytest.mark.parametrize(("kernel", "h"), [("uniform", 3), ("triangular", 6)])
def test_errors_about_score_means_equal_rdhonests_nearest_neighbours(kernel, h):
    given = {"bandwidth": h, "kernel": kernel, "curvature": (0.05, 0.01)}
    found = rdd(ROWS, **ASKED, **given)
    for name in ("estimate", "std_error", "max_bias", "conf_low", "conf_high"):
        assert getattr(found, name) == pytest.approx(PEER.loc[f"rows {kernel} {h}", name], rel=1e-8), name
    fuzzy = rdd(ROWS, **FUZZY, **given).ratio_delta
    assert fuzzy.estimate == pytest.approx(PEER.loc[f"rows fuzzy {kernel} {h}", "estimate"], rel=1e-8)
    assert fuzzy.max_bias == pytest.approx(PEER.loc[f"rows fuzzy {kernel} {h}", "max_bias"], rel=1e-8)


# Against rdrobust ---------------------------------------------------------------------------------------------------


def test_senate_gives_the_published_numbers():
    # Calonico, Cattaneo, Farrell & Titiunik (2017) Stata Journal 17:372; the data come with rdrobust.
    from rdrobust import rdrobust_RDsenate

    found = rdd(rdrobust_RDsenate(), outcome="vote", running="margin", cutoff=0)
    table = found.to_frame().set_index("term")
    assert table.at["conventional", "estimate"] == pytest.approx(7.414, abs=5e-4)
    assert table.at["robust", "conf_low"] == pytest.approx(4.094, abs=5e-4)
    assert table.at["robust", "conf_high"] == pytest.approx(10.919, abs=5e-4)
    assert found.robust.bandwidth == pytest.approx(17.754, abs=5e-4)
    assert found.robust.bias_bandwidth == pytest.approx(28.028, abs=5e-4)
    assert (found.robust.n_below, found.robust.n_above) == (360, 323)
    assert found.n_used == 1297 and found.n_excluded == 93
    assert not found.discrete and found.checks[0].passed
    # The honest interval of the same data, without any of rdrobust's steps, agrees on what there is to see.
    assert 3 < found.conf_low < 7.414 < found.conf_high < 12


def test_rdrobusts_rows_stand_beside_the_honest_ones_for_a_coarse_score():
    found = rdd(ROWS, **{**FUZZY, "robust": True})
    assert set(found.to_frame()["term"]) >= {"honest", "first_stage", "ratio_inverted", "ratio_delta"}
    refused = found.refusals["robust"]
    assert refused.code in ("too_few_values_for_robust", "robust_failed")


# Edges and faults ---------------------------------------------------------------------------------------------------


def test_rows_and_order_do_not_matter_and_lost_rows_are_counted():
    lost = pd.concat(
        [ROWS, pd.DataFrame({"school": [1, 2], "score": [9.0, np.nan], "served": [1, 0], "y": [np.nan, 3.0]})]
    )
    found = rdd(lost.sample(frac=1, random_state=1), **FUZZY, curvature=(0.05, 0.01))
    plain = rdd(ROWS, **FUZZY, curvature=(0.05, 0.01))
    assert found.estimate == pytest.approx(plain.estimate, rel=1e-9)
    assert math.isfinite(plain.conf_low) and found.conf_low == pytest.approx(plain.conf_low, rel=1e-7)
    assert (found.n_used, found.n_excluded) == (len(ROWS), 2)


def test_the_chosen_bandwidth_is_the_shortest_of_its_rivals():
    found = rdd(ROWS, **ASKED, curvature=0.05)
    rivals = [rdd(ROWS, **ASKED, curvature=0.05, bandwidth=h) for h in (2.6, 4, 6, 9, 14, 25)]
    # The variance it plans with is pooled a side, so that it may miss the best by a little.
    assert found.conf_high - found.conf_low < 1.03 * min(one.conf_high - one.conf_low for one in rivals)


def test_the_ladder_of_bounds_widens_and_marks_the_bound_used():
    found = rdd(ROWS, **ASKED)
    assert found.curvature_rule == "rule of thumb" and found.curvature == found.rule_of_thumb
    assert found.rule_of_thumb <= found.rule_of_thumb_full
    width = (found.ladder["conf_high"] - found.ladder["conf_low"]).to_numpy()
    assert (np.diff(width) > 0).all()
    assert found.ladder["conf_low"][1] == pytest.approx(found.conf_low)
    assert rdd(ROWS, **ASKED, curvature=0.1).curvature_rule == "given"
    assert rdd(ROWS, **ASKED, curvature=found.rule_of_thumb / 10).checks[1].passed is False


def test_too_few_values_of_the_score_are_refused():
    two = ROWS[ROWS["score"].isin([8, 9, 10, 11, 12])]
    refused = rdd(two, **ASKED, curvature=0.1)
    assert isinstance(refused, Refused) and refused.code == "too_few_score_values"
    assert refused.why.values == {"below": 2, "above": 3, "least": 3}
    some = ROWS[ROWS["score"].between(6, 13)]
    assert rdd(some, **ASKED).code == "curvature_unknown"
    assert math.isfinite(rdd(some, **ASKED, curvature=0.1).conf_low)
    coarse = rdd(some, **{**ASKED, "robust": True}, curvature=0.1)
    assert coarse.robust is None and coarse.refusals["robust"].code == "too_few_values_for_robust"


def test_a_weak_first_stage_is_refused_and_the_jump_stays():
    rng = np.random.default_rng(4)
    none = ROWS.assign(served=rng.integers(0, 2, len(ROWS)))
    found = rdd(none, **FUZZY, curvature=(0.05, 0.01))
    assert found.refusals["effect"].code == "weak_first_stage"
    assert math.isnan(found.estimate) and math.isnan(found.conf_low) and math.isnan(found.p_value)
    assert math.isfinite(found.reduced_form.conf_low)
    assert not found.checks[-1].passed


def test_an_effect_that_curvature_leaves_unbounded_is_refused():
    found = rdd(ROWS, **FUZZY, curvature=(0.05, 2.0), bandwidth=6)
    assert found.f_statistic > 10
    assert found.refusals["effect"].code == "unbounded_effect"
    assert math.isnan(found.estimate)


def test_few_schools_get_no_interval():
    found = rdd(ROWS.assign(school=ROWS["school"] % 3), **FUZZY)
    assert found.refusals["error"].code == "few_degrees_of_freedom"
    assert math.isnan(found.conf_low) and math.isnan(found.p_value) and math.isfinite(found.reduced_form.std_error)
    assert rdd(ROWS.assign(school=1), **FUZZY).code == "one_cluster"


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"outcome": "z"}, DataError, "rdd: the table has no column z"),
        ({"cutoff": 40}, DesignError, "nobody scored on one side"),
        ({"treated": "age"}, DataError, "neither 0 nor 1"),
        ({"kernel": "normal"}, ParamsError, "'normal' is not known"),
        ({"bandwidth": 0.5}, ParamsError, "holds 0 values of the score on a side"),
        ({"bandwidth": -1}, ParamsError, "holds 0 values of the score on a side"),
        ({"curvature": -0.1}, ParamsError, "is no bound"),
        ({"covariates": ["y"]}, ParamsError, "a column serves twice: y"),
        ({"conf_level": 95}, ParamsError, "conf_level"),
    ],
)
def test_faults_say_what_is_wrong(change, error, text):
    with pytest.raises(error, match=text):
        rdd(ROWS, **{**FUZZY, **change})


def test_no_school_is_an_error_and_no_row_is_too():
    with pytest.raises(DataError, match="name no group"):
        rdd(ROWS.assign(school=ROWS["school"].where(ROWS["school"] > 1)), **FUZZY)
    with pytest.raises(DataError, match="no row is complete"):
        rdd(ROWS.assign(y=np.nan), **FUZZY)


# Properties ---------------------------------------------------------------------------------------------------------

SCORES = st.integers(3, 8)


@settings(max_examples=60, deadline=None)
@given(below=SCORES, above=SCORES, seed=st.integers(0, 10**6), kernel=st.sampled_from(["triangular", "uniform"]),
       h=st.floats(3.2, 12), bend=st.lists(st.floats(-1, 1), min_size=18, max_size=18))  # fmt: skip
def test_no_function_within_the_bound_is_missed_by_more_than_the_bias(below, above, seed, kernel, h, bend):
    """Any second derivative between -1 and 1, a step a unit, integrated twice: the jump of noiseless data stays within."""
    x = np.arange(-below, above)
    counts = np.random.default_rng(seed).integers(2, 50, len(x)).astype(float)
    weights = jump_weights(x.astype(float), counts, np.array([h]), kernel)
    bound = unit_biases(x.astype(float), counts, weights)[0]
    edges = np.arange(9)

    def curve(z, steps):
        parts = np.clip(z[:, None] - edges, 0, None) ** 2 - np.clip(z[:, None] - edges - 1, 0, None) ** 2
        return parts @ np.asarray(steps) / 2

    f = np.where(x >= 0, curve(np.abs(x), bend[:9]), curve(np.abs(x), bend[9:]))
    assert abs(float(weights[0] @ (counts * f))) <= bound + 1e-9
    # Lines are taken out exactly: a jump of 3 with any slopes is found as 3.
    lines = np.where(x >= 0, 3 + 2.0 * x, -0.7 * x)
    assert float(weights[0] @ (counts * lines)) == pytest.approx(3)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.1, 50), shift=st.floats(-100, 100), by=st.integers(-5, 5))
def test_intervals_follow_the_units_of_the_outcome_and_the_place_of_the_score(scale, shift, by):
    plain = rdd(ROWS, **FUZZY, bandwidth=6, curvature=(0.05, 0.01))
    moved = ROWS.assign(y=ROWS["y"] * scale + shift, score=ROWS["score"] + by)
    found = rdd(moved, **{**FUZZY, "cutoff": 10 + by}, bandwidth=6, curvature=(0.05 * scale, 0.01))
    assert found.conf_low == pytest.approx(plain.conf_low * scale, rel=1e-5, abs=1e-6)
    assert found.conf_high == pytest.approx(plain.conf_high * scale, rel=1e-5, abs=1e-6)


@given(curvature=st.floats(0, 2), more=st.floats(1.01, 5))
@settings(max_examples=30, deadline=None)
def test_a_larger_bound_never_shortens_the_interval(curvature, more):
    cells = sharp(ROWS["score"], ROWS["y"], 10)
    jump = local_jump(cells, 5.0, kernel="triangular")
    near, far = (honest_jump(jump, np.ones(1), one, conf_level=0.95) for one in (curvature, curvature * more))
    # Newton's steps end within 1e-12 of the quantile, so equal bounds may differ in the last digit.
    assert far.conf_low <= near.conf_low + 1e-10 and near.conf_high <= far.conf_high + 1e-10
    assert far.p_value >= near.p_value - 1e-12
