"""Density, heaps, ladders, donuts, placebos and covariates of a discontinuity."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects.discontinuity_checks import rdd_checks
from mhlib.stats.effects.discontinuity_density import density_at_cutoff, heaping
from mhlib.stats.effects.discontinuity_fit import rdd
from mhlib.stats.effects.discontinuity_histogram import binomial_p_value, clustered_p_value
from mhlib.stats.effects.discontinuity_ladders import bandwidth_ladder, covariate_jumps, donut, placebo_cutoffs

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ROWS = pd.read_csv(ORACLE / "discontinuity_rows.csv")
FUZZY = {"outcome": "y", "running": "score", "cutoff": 10, "treated": "served", "cluster": "school", "robust": False}


@pytest.fixture(scope="module")
def result():
    return rdd(ROWS, **FUZZY, curvature=(0.05, 0.01))


# Density ------------------------------------------------------------------------------------------------------------


def test_seven_of_nine_by_hand():
    # X ~ B(9, 1/3): P(X >= 7) = (36 * 4 + 9 * 2 + 1) / 3^9 = 163 / 19683; no lower tail is as small (P(0) = .026).
    assert binomial_p_value(7, 9, 0.0) == pytest.approx(163 / 19683, rel=1e-12)
    score = np.repeat([9, 10, 11], [1, 7, 1])
    assert density_at_cutoff(score, cutoff=10, k=0).p_value == pytest.approx(163 / 19683)


def test_middle_of_the_distribution_is_no_evidence():
    assert binomial_p_value(3, 9, 0.0) == 1.0
    assert binomial_p_value(0, 0, 0.0) == 1.0


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "discontinuity_density.csv").to_dict("records"), ids=str)
def test_exact_p_values_equal_enumeration_in_r(row):
    assert binomial_p_value(int(row["at"]), int(row["n"]), row["k"]) == pytest.approx(row["p"], rel=1e-7, abs=1e-12)


def test_p_values_by_school_equal_base_r():
    for row in pd.read_csv(ORACLE / "discontinuity_density_schools.csv").itertuples():
        found = density_at_cutoff(ROWS["score"], cutoff=10, cluster=ROWS["school"], k=row.k)
        assert found.estimate == pytest.approx(row.share, rel=1e-12)
        assert found.p_value == pytest.approx(row.p, rel=1e-9)
    assert found.n_clusters == ROWS["school"].nunique()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 80), k=st.sampled_from([0.0, 0.02, 0.1, 0.4]), share=st.floats(0, 1))
def test_the_exact_test_never_rejects_too_often(n, k, share):
    """Under any share that `k` allows, P(p <= a) <= a for every a that can come up."""
    from scipy import stats

    low, high = (1 - k) / (3 - k), (1 + k) / (3 + k)
    true = low + share * (high - low)
    p = np.array([binomial_p_value(j, n, k) for j in range(n + 1)])
    chance = stats.binom.pmf(np.arange(n + 1), n, true)
    for level in np.unique(p):
        assert chance[p <= level].sum() <= level + 1e-9


def test_pushed_scores_are_found_with_the_bend_that_would_explain_them():
    rng = np.random.default_rng(2)
    score = rng.binomial(27, 0.3, 20_000).astype(float)
    plain = density_at_cutoff(score, cutoff=10)
    assert plain.p_value > 0.05 and plain.k_rule == "rule of thumb"
    pushed = np.where((score == 9) & (rng.random(len(score)) < 0.2), 10, score)
    found = density_at_cutoff(pushed, cutoff=10)
    assert found.p_value < 1e-6 and found.k < found.k_needed
    assert density_at_cutoff(pushed, cutoff=10, k=found.k_needed + 0.001).p_value > 0.05
    assert density_at_cutoff(pushed, cutoff=10, k=found.k_needed - 0.001).p_value < 0.05
    checks = rdd_checks(density=found, heaps=heaping(pushed), cutoff=10)
    assert [one.passed for one in checks] == [False, False]
    assert "p < 0.001" in checks[0].detail.template
    assert [one.passed for one in rdd_checks(density=plain, heaps=heaping(score), cutoff=10)] == [True, True]


def test_one_school_that_pushes_does_not_pass_for_all():
    """A binomial takes pupils of one school for independent; the school's own habit is seen as one event."""
    table = np.zeros((20, 3))
    table[:, [0, 2]], table[:, 1] = 30, 30
    table[0, 1] = 400
    three = table.sum(axis=1)
    assert binomial_p_value(int(table[:, 1].sum()), int(three.sum()), 0.0) < 1e-6
    assert clustered_p_value(table[:, 1], three, 0.0) > 0.05
    assert math.isnan(clustered_p_value(table[:1, 1], three[:1], 0.0))


def test_a_heap_on_a_round_score_is_named_with_its_ratio():
    rng = np.random.default_rng(3)
    score = rng.binomial(27, 0.4, 8_000).astype(float)
    score[(np.isin(score, [14, 16])) & (rng.random(8_000) < 0.4)] = 15
    found = heaping(score)
    top = found.table.sort_values("ratio", ascending=False).query("n > 100").iloc[0]
    assert (top["score"], top["heap"]) == (15, "more")
    named = found.table.set_index("score")
    assert named.at[14, "heap"] == named.at[16, "heap"] == "fewer"
    assert (found.table["p_adjusted"] >= found.table["p_value"]).all()
    # A heap far from the cut-off leaves the check of the cut-off alone.
    assert rdd_checks(heaps=found, cutoff=8)[0].passed and not rdd_checks(heaps=found)[0].passed


@pytest.mark.parametrize(
    ("score", "options", "error", "text"),
    [
        (np.random.default_rng(1).normal(size=500), {}, DesignError, "continuous"),
        ([np.nan, np.nan], {}, DataError, "nobody has a score"),
        (np.repeat([9, 10, 11], 9), {"cutoff": 9}, DesignError, "no value of the score on one side"),
        (np.repeat([9, 10, 11], 9), {"k": 1.5}, ParamsError, "0 or more, below 1"),
    ],
)
def test_density_faults(score, options, error, text):
    with pytest.raises(error, match=text):
        density_at_cutoff(score, **{"cutoff": 10, **options})


def test_missing_scores_are_counted_and_gaps_are_bars_of_nobody():
    score = np.r_[np.repeat([8.0, 9, 11, 12], 40), np.nan]
    found = density_at_cutoff(score, cutoff=10, k=0.05)
    assert (found.n_at, found.n_excluded, found.n_used) == (0, 1, 160)
    assert found.p_value < 1e-6
    with pytest.raises(DesignError, match="fewer than three values"):
        heaping(np.repeat([1.0, 2.0], 9))


# Variants -----------------------------------------------------------------------------------------------------------


def test_a_rung_of_the_ladder_is_the_fit_at_that_bandwidth(result):
    ladder = bandwidth_ladder(result, bandwidths=[4.0, 8.0])
    again = rdd(ROWS, **FUZZY, curvature=(0.05, 0.01), bandwidth=8.0)
    assert ladder.table["conf_low"][1] == pytest.approx(again.conf_low, rel=1e-9)
    default = bandwidth_ladder(result).table
    assert len(default) == 8 and (np.diff(default["std_error"]) < 0).all() and (np.diff(default["max_bias"]) > 0).all()
    with pytest.raises(ParamsError, match="holds 1 values"):
        bandwidth_ladder(result, bandwidths=[1.5])


def test_a_donut_is_the_fit_without_those_rows(result):
    holes = donut(result, holes=[1, 9])
    without = ROWS[~ROWS["score"].isin([9, 10])]
    again = rdd(without, **FUZZY, curvature=(0.05, 0.01))
    assert holes.table["estimate"][0] == pytest.approx(again.ratio_inverted.estimate, rel=1e-9)
    assert holes.table["conf_low"][0] == pytest.approx(again.ratio_inverted.conf_low, rel=1e-7)
    assert holes.refusals["without 9 on each side"].code == "nothing_left"
    with pytest.raises(ParamsError, match="no number of values"):
        donut(result, holes=[0])


def test_placebos_read_their_own_side_only(result):
    found = placebo_cutoffs(result)
    assert not ((found.table["cutoff"] == 10) | found.refusals.__contains__("cut-off 10")).any()
    # All outcomes from the true cut-off on changed: the placebos below it do not move.
    shifted = rdd(ROWS.assign(y=ROWS["y"] + 50 * (ROWS["score"] >= 10)), **FUZZY, curvature=(0.05, 0.01))
    moved = placebo_cutoffs(shifted).table.set_index("term")
    for term, row in found.table.set_index("term").iterrows():
        assert moved.at[term, "estimate"] == pytest.approx(row["estimate"], rel=1e-8, abs=1e-8), term
    below = rdd(ROWS[ROWS["score"] < 10], **{**FUZZY, "treated": None, "cutoff": 6}, curvature=0.05)
    assert placebo_cutoffs(result, cutoffs=[6]).table["conf_high"][0] == pytest.approx(below.conf_high, rel=1e-9)
    with pytest.raises(ParamsError, match="true cut-off"):
        placebo_cutoffs(result, cutoffs=[10])
    assert placebo_cutoffs(result, cutoffs=[2]).refusals["cut-off 2"].code == "nothing_left"


def test_a_covariate_that_jumps_is_found_and_one_that_does_not_is_left():
    rng = np.random.default_rng(5)
    score = rng.binomial(27, 0.35, 6000).astype(float)
    rows = pd.DataFrame(
        {"score": score, "school": rng.integers(0, 40, 6000), "calm": score / 5 + rng.normal(size=6000)}
    )
    rows["moved"] = (score >= 10) * 1.0 + rng.normal(size=6000)
    rows["short"] = np.where((score >= 8) & (score < 12), rng.normal(size=6000), np.nan)
    found = covariate_jumps(rows, covariates=["calm", "moved", "short"], running="score", cutoff=10, cluster="school")
    table = found.table.set_index("term")
    assert table.at["moved", "p_adjusted"] < 0.01 and table.at["calm", "p_adjusted"] > 0.05
    assert found.refusals["short"].code == "too_few_score_values"
    check = rdd_checks(covariates=found)[0]
    assert check.passed is False and check.detail.values == {"n": 1, "total": 2, "refused": 1}
    with pytest.raises(ParamsError, match="names none"):
        covariate_jumps(rows, covariates=[], running="score", cutoff=10)


def test_checks_come_in_order_and_only_for_what_was_looked_at(result):
    assert rdd_checks() == ()
    holes, placebos = donut(result, holes=[1, 2]), placebo_cutoffs(result)
    names = [one.name.template for one in rdd_checks(holes=holes, placebos=placebos)]
    assert names == ["No jump where there is no cut-off", "Effect stands without the nearest scores"]
    assert rdd_checks(holes=donut(result, holes=[9]))[0].passed is None
