"""Change, regression to the mean, power, loss, bounds, imputation, hidden bias, pooling and cost: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects import (
    ImputationResult,
    allocation,
    attrition,
    cluster_check,
    cost_effectiveness,
    detectable_effect_of_schedule,
    e_value,
    effect_size_check,
    effective_df_refusal,
    expected_fall,
    fit_checks,
    jacobson_truax,
    largest_difference,
    lee_bounds,
    meta_analysis,
    minimum_detectable_effect,
    multiple_imputation,
    nesting_check,
    oster_delta,
    oster_from_covariance,
    partial_r2,
    participant_flow,
    pool,
    regression_to_mean,
    regression_to_mean_from_counts,
    reliable_change,
    reliable_change_from_counts,
    retest_reliability,
    robustness_value,
    schools_needed,
    score_range_check,
    spread_checks,
    stepped_wedge,
    tipping_point,
    uncontrolled_positives_refusal,
    wait_list,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
# R prints fifteen digits; what remains is the order of summation.
EXACT = 1e-9
BTHEB = pd.read_csv(ORACLE / "change_btheb_rows.csv")


def rows_of(name):
    return pd.read_csv(ORACLE / f"change_{name}.csv")


def test_every_table_has_the_common_columns():
    frames = [
        jacobson_truax(sd=5, reliability=0.8).to_frame(),
        expected_fall(reliability=0.7, top=0.1).to_frame(),
        minimum_detectable_effect(schools=20, pupils=40, icc_school=0.1).to_frame(),
        allocation(range(4), seed=1).to_frame(),
        attrition([1, 0, 1, 1], [0, 0, 1, 1]).to_frame(),
        lee_bounds(BTHEB["bdi_2m"], BTHEB["treatment"]).to_frame(),
        e_value(2.0).to_frame(),
        robustness_value(1, 0.2, 50).to_frame(),
        meta_analysis([1, 2, 3], [1, 1, 1]).to_frame(),
        pool([1.0, 2.0], [1.0, 1.0]).to_frame(),
    ]
    for frame in frames:
        assert list(frame.columns[:6]) == ["term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
        assert frame["term"].is_unique


# ---- reliable change ---------------------------------------------------------------------------------------------------


def test_jacobson_and_truax_1991():
    found = jacobson_truax(sd=7.5, reliability=0.8, dysfunctional=(40, 7.5), functional=(60, 7.5), better="higher")
    assert (found.cutoff_a, found.cutoff_b, found.cutoff_c) == (55, 45, 50)
    assert round(found.se_measurement, 3) == 3.354 and round(found.se_difference, 3) == 4.743
    assert round(found.rci(32.5, 47.5), 3) == 3.162
    turned = jacobson_truax(sd=7.5, reliability=0.8, dysfunctional=(-40, 7.5), functional=(-60, 7.5))
    assert (turned.cutoff_a, turned.cutoff_b, turned.cutoff_c) == (-55, -45, -50)
    assert math.isnan(jacobson_truax(sd=7.5, reliability=0.8).cutoff_c)


def test_talking_therapies_2014_15():
    found = reliable_change_from_counts([265833, 26282, 126891, 120397, 165303, 76483, 16370])
    shares = found.table.set_index("outcome")["share"]
    assert [round(100 * shares[name], 1) for name in ("improved", "unchanged", "worse")] == [62.2, 28.8, 6.2]
    assert round(100 * shares["recovered"], 2) == 52.97 and round(100 * shares["reliable_recovery"], 2) == 50.26
    assert found.table.set_index("outcome").at["recovered", "denominator"] == 265833 - 26282


def test_six_outcomes_by_hand():
    before = [12, 15, 9, 10, 20, 11, np.nan]
    after = [5, 12, 3, 9, 26, 11, 4]
    found = reliable_change(before, after, cutoff=10, least_change=6)
    counts = found.table.set_index("outcome")["count"]
    # 12->5 recovers reliably; 10->9 recovers by a point; 9->3 is better but was no case; 20->26 is reliably worse.
    assert counts.to_dict() == {
        "finished": 6, "not_case_at_start": 1, "recovered": 2, "reliable_recovery": 1, "improved": 2, "unchanged": 3, "worse": 1,
    }  # fmt: skip
    assert found.n_excluded == 1 and found.differences.empty


def test_higher_is_better_turns_everything():
    before, after = np.array([12.0, 15, 9, 10, 20]), np.array([5.0, 12, 3, 9, 26])
    lower = reliable_change(before, after, cutoff=10, least_change=6)
    higher = reliable_change(-before, -after, cutoff=-10, least_change=6, better="higher")
    pd.testing.assert_frame_equal(lower.table, higher.table)


def test_rows_and_counts_give_the_same_digits(rng):
    school = np.repeat(np.arange(20), 30)
    before, after = rng.integers(5, 25, 600), rng.integers(0, 25, 600)
    found = reliable_change(before, after, cutoff=10, least_change=5, arm=school % 2, cluster=school, seed=4)
    again = reliable_change(
        before[::-1], after[::-1], cutoff=10, least_change=5, arm=school[::-1] % 2, cluster=school, seed=4
    )
    assert found.n_clusters == 20 and np.isfinite(found.differences["conf_low"]).all()
    for row in found.table[found.table["outcome"] == "improved"].to_dict("records"):
        mine = school % 2 == int(row["arm"])
        assert row["count"] == ((before - after >= 5) & mine).sum() and row["denominator"] == mine.sum()
        assert row["conf_low"] < row["share"] < row["conf_high"]
    assert again.table["count"].tolist() == found.table["count"].tolist()
    gap = found.differences.set_index("outcome").loc["recovered"]
    assert gap["number_needed"] == pytest.approx(1 / gap["difference"])


def test_few_schools_leave_counts_without_interval():
    school = np.repeat([1, 2, 3, 4], 5)
    found = reliable_change(np.arange(20.0), np.zeros(20), cutoff=10, least_change=6, cluster=school)
    assert "too few" in found.method and found.table["conf_low"].isna().all()


def test_a_number_needed_has_no_bounds_across_zero():
    found = reliable_change(
        BTHEB["bdi_pre"], BTHEB["bdi_2m"], cutoff=20, least_change=9, arm=BTHEB["treatment"], arms=[0, 1]
    ).differences.set_index("outcome")
    assert found.at["worse", "conf_low"] < 0 < found.at["worse", "conf_high"] and math.isnan(
        found.at["worse", "needed_low"]
    )


def test_newcombe_equals_statsmodels():
    from statsmodels.stats.proportion import confint_proportions_2indep

    counts = [[[100, 20, 30, 25, 40, 50, 5], [90, 10, 40, 30, 50, 30, 5]]]
    found = reliable_change_from_counts(counts, arms=["no", "yes"]).differences.set_index("outcome")
    low, high = confint_proportions_2indep(50, 90, 40, 100, method="newcomb")
    assert found.loc["improved", ["conf_low", "conf_high"]].tolist() == pytest.approx([low, high], abs=EXACT)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 27), st.integers(0, 27)), min_size=3, max_size=40), st.integers(1, 9))
def test_improved_unchanged_and_worse_are_everybody(pairs, least):
    before, after = np.array(pairs, dtype=float).T
    counts = reliable_change(before, after, cutoff=10, least_change=least).table.set_index("outcome")["count"]
    assert counts[["improved", "unchanged", "worse"]].sum() == len(pairs)
    assert counts["reliable_recovery"] <= min(counts["recovered"], counts["improved"])


def test_errors_of_reliable_change():
    with pytest.raises(ParamsError, match=r"reliable_change\(least_change\): is not above 0"):
        reliable_change([1, 2], [1, 2], cutoff=1, least_change=0)
    with pytest.raises(DesignError, match="no pupil has both scores"):
        reliable_change([1, np.nan], [np.nan, 1], cutoff=1, least_change=1)
    with pytest.raises(ParamsError, match="do not match the arms"):
        reliable_change([1, 2], [1, 2], cutoff=1, least_change=1, arm=[0, 1], arms=[0, 2])
    with pytest.raises(DataError, match="1 of 2 rows name no arm"):
        reliable_change([1, 2], [1, 2], cutoff=1, least_change=1, arm=[0, None])
    with pytest.raises(DataError, match="contradict each other"):
        reliable_change_from_counts([10, 2, 9, 1, 5, 3, 2])
    with pytest.raises(ParamsError, match="standard deviation is not above 0"):
        jacobson_truax(sd=0, reliability=0.8)
    with pytest.raises(ParamsError, match="a number between 0 and 1"):
        jacobson_truax(sd=1, reliability=1.2)


def test_retest_reliability_is_a_correlation(rng):
    truth = rng.normal(size=900)
    first, second = truth + rng.normal(size=900), truth + rng.normal(size=900)
    second[:30] = np.nan
    found = retest_reliability(first, second, cluster=np.arange(900) % 30, seed=2)
    assert found.reliability == pytest.approx(np.corrcoef(first[30:], second[30:])[0, 1], abs=EXACT)
    assert found.n_excluded == 30 and found.conf_low < found.reliability < found.conf_high
    plain = retest_reliability(first, second)
    assert plain.std_error == pytest.approx(found.std_error, rel=0.4)
    with pytest.raises(DesignError, match="fewer than four pupils"):
        retest_reliability([1, 2], [1, 2])
    with pytest.raises(ParamsError, match="resampled schools need a seed"):
        retest_reliability(first, second, cluster=np.arange(900) % 30)


# ---- regression to the mean ----------------------------------------------------------------------------------------------

ANCHOR_FALLS = {
    0.6: (0.8251, 0.7020, 0.5599, 0.4636),
    0.7: (0.6188, 0.5265, 0.4199, 0.3477),
    0.8: (0.4125, 0.3510, 0.2800, 0.2318),
}
ANCHOR_SHARES = {0.6: (9.9, 61.0, 9.7), 0.7: (8.6, 53.3, 8.4), 0.8: (7.2, 43.8, 6.7)}


@pytest.mark.parametrize(
    "row", rows_of("fall_normal").to_dict("records"), ids=lambda row: f"{row['reliability']}-{row['top']}"
)
def test_the_normal_fall_equals_r_and_the_anchor(row):
    found = expected_fall(reliability=row["reliability"], top=row["top"])
    mine = (found.fall, found.improved, found.below_cutoff, found.reliable_recovery, found.worse)
    theirs = tuple(row[name] for name in ("fall", "improved", "below", "recovered", "worse"))
    assert mine == pytest.approx(theirs, abs=1e-8)
    place = (0.05, 0.10, 0.20, 0.30).index(row["top"])
    assert round(found.fall, 4) == pytest.approx(ANCHOR_FALLS[row["reliability"]][place], abs=5e-5)
    if row["top"] == 0.10:
        # The anchor's shares come from 4 million draws: Monte Carlo error of a tenth of a point.
        shares = [100 * x for x in (found.improved, found.below_cutoff, found.reliable_recovery)]
        assert shares == pytest.approx(ANCHOR_SHARES[row["reliability"]], abs=0.13)


def test_the_unserved_tell_the_fall_as_lm_does():
    found = regression_to_mean(BTHEB["bdi_pre"], BTHEB["bdi_2m"], BTHEB["treatment"], cutoff=20, least_change=9)
    row, want = found.table.set_index("outcome").loc["fall"], rows_of("fall").iloc[0]
    assert (found.n_served, found.n_unserved) == (want["n_served"], want["n_unserved"])
    for name, theirs in (
        ("observed", "observed"),
        ("expected", "expected"),
        ("remainder", "remainder"),
        ("std_error", "se"),
    ):
        assert row[name] == pytest.approx(want[theirs], abs=EXACT)
    assert found.basis == "unserved" and not found.assumed and found.n_excluded == 2
    assert "is not an effect" in found.reading().template
    assert set(found.to_frame()["term"]) >= {"observed: fall", "expected: fall", "remainder: fall", "remainder: worse"}


def screened(rng, n=6000, schools=40, effect=0.0):
    """Pupils of whole-number scores, reliability .7, half the schools served, nothing happening but `effect`."""
    school = np.arange(n) % schools
    truth = rng.normal(size=n) + 0.2 * rng.normal(size=schools)[school]
    before = np.round(10 + 4 * (np.sqrt(0.7) * truth + np.sqrt(0.3) * rng.normal(size=n)))
    served = (school % 2).astype(float)
    after = np.round(10 + 4 * (np.sqrt(0.7) * truth + np.sqrt(0.3) * rng.normal(size=n)) - effect * served)
    return before, after, served, school


def test_single_scores_with_enough_unserved_are_cell_means(rng):
    before, after, served, _ = screened(rng)
    found = regression_to_mean(before, after, served, cutoff=15)
    frame = pd.DataFrame({"b": before, "a": after, "s": served}).query("b >= 15")
    edges = found.bands["low"].to_numpy()
    if (found.bands["low"] == found.bands["high"]).all():
        cell = np.searchsorted(edges, frame["b"], side="right") - 1
        fall = (frame["b"] - frame["a"]).groupby([cell, frame["s"]]).mean().unstack()
        weight = found.bands["n_served"] / found.bands["n_served"].sum()
        assert found.table.at[0, "expected"] == pytest.approx((fall[0.0] * weight).sum(), abs=EXACT)
    assert found.bands["n_served"].sum() == found.n_served and found.bands["n_unserved"].min() >= 20


def test_counts_and_rows_give_the_same_digits(rng):
    before, after, served, school = screened(rng, n=2000)
    after[::9] = np.nan
    frame = pd.DataFrame({"before": before, "after": after, "served": served, "cluster": school})
    cells = frame.groupby(list(frame.columns), dropna=False).size().reset_index(name="n")
    for seed in (None, 3):
        rows = regression_to_mean(before, after, served, cutoff=13, least_change=5, cluster=school, seed=seed)
        counts = regression_to_mean_from_counts(cells, cutoff=13, least_change=5, seed=seed)
        numbers = [
            name for name in rows.table.columns if name != "outcome" and (seed is None or not name.startswith("conf"))
        ]
        if seed is None:
            assert rows.table[numbers].to_numpy() == pytest.approx(counts.table[numbers].to_numpy(), abs=EXACT)
        assert rows.table["remainder"].to_numpy() == pytest.approx(counts.table["remainder"].to_numpy(), abs=EXACT)
        assert (rows.n_used, rows.n_excluded) == (counts.n_used, counts.n_excluded)
    plain = regression_to_mean(before, after, served, cutoff=13)
    alone = regression_to_mean_from_counts(cells.drop(columns="cluster"), cutoff=13)
    assert plain.table["std_error"].to_numpy() == pytest.approx(alone.table["std_error"].to_numpy(), abs=EXACT)


def test_direction_turns_with_the_scale(rng):
    before, after, served, school = screened(rng, n=2000)
    one = regression_to_mean(before, after, served, cutoff=13, least_change=5, cluster=school, seed=1)
    two = regression_to_mean(
        -before, -after, served, cutoff=-13, least_change=5, cluster=school, seed=1, better="higher"
    )
    pd.testing.assert_frame_equal(one.table, two.table)


def test_no_unserved_retest_is_refused_and_a_reliability_marks_the_formula(rng):
    before, after, served, school = screened(rng, n=40_000)
    hidden = np.where(served == 1, after, np.nan)
    refused = regression_to_mean(before, hidden, served, cutoff=15)
    assert isinstance(refused, Refused) and refused.code == "no_unserved_retest"
    r = retest_reliability(before[served == 0], after[served == 0])
    found = regression_to_mean(before, hidden, served, cutoff=15, least_change=6, cluster=school,
                               reliability=(r.reliability, r.std_error))  # fmt: skip
    truth = regression_to_mean(before, after, served, cutoff=15, least_change=6, cluster=school)
    assert found.assumed and "assumed" in found.method and "formula" in found.reading().template
    # Normal scores are what was planted, so that both ways must agree within their errors.
    gap = (found.table["expected"] - truth.table["expected"]).abs()
    assert (gap < 4 * np.hypot(found.table["expected_std_error"], truth.table["expected_std_error"])).all()
    assert found.table["conf_low"].le(found.table["remainder"]).all()


def test_schools_that_serve_and_do_not_serve_share_their_level(rng):
    """Served and unserved of one school move together, which lessens the error of the remainder: both ways must see it."""
    n, schools = 6000, 50
    school, served = np.arange(n) % schools, (rng.random(n) < 0.5).astype(float)
    before = np.round(10 + 4 * rng.standard_normal(n))
    after = np.round(10 + 0.7 * (before - 10) + 3 * rng.standard_normal(schools)[school] + 2 * rng.standard_normal(n))
    plain = regression_to_mean(before, after, served, cutoff=12, cluster=school).table
    drawn = regression_to_mean(before, after, served, cutoff=12, cluster=school, seed=1).table
    assert plain["std_error"].to_numpy() == pytest.approx(drawn["std_error"].to_numpy(), rel=0.15)
    assert plain.at[0, "std_error"] < 0.35 * math.hypot(3, 3) / math.sqrt(schools)


def test_the_error_of_the_formula_is_that_of_a_mean_by_school():
    """With known norms and reliability only the served pupils vary: error of a ratio over schools of unlike size."""
    rng = np.random.default_rng(5)
    school = np.repeat(np.arange(12), np.arange(2, 14))
    before = rng.integers(20, 28, len(school)).astype(float)
    after = before - 3 + np.arange(12)[school] * 0.3 + rng.integers(0, 4, len(school))
    found = regression_to_mean(before, after, np.ones(len(school)), cutoff=20, cluster=school, reliability=(0.7, 0.0),
                               population=(10.0, 5.0)).table.iloc[0]  # fmt: skip
    left = (before - after) - 0.3 * (before - 10)
    sums = np.bincount(school, weights=left - left.mean())
    assert found["remainder"] == pytest.approx(left.mean(), abs=EXACT)
    assert found["std_error"] == pytest.approx(math.sqrt(12 / 11 * (sums**2).sum()) / len(school), abs=EXACT)


def test_errors_of_regression_to_the_mean():
    with pytest.raises(DesignError, match="fewer than two served pupils"):
        regression_to_mean([20, 21, 5], [10, 11, 5], [0, 0, 1], cutoff=20)
    with pytest.raises(DataError, match="1 of 3 values are missing"):
        regression_to_mean([20, 21, 5], [10, 11, 5], [0, np.nan, 1], cutoff=20)
    with pytest.raises(DataError, match="lack the columns n, served"):
        regression_to_mean_from_counts(pd.DataFrame({"before": [1], "after": [1]}), cutoff=1)
    with pytest.raises(ParamsError, match="has no standard error"):
        regression_to_mean([20, 21, 5], [10, 11, 5], [1, 1, 0], cutoff=20, reliability=(0.7, math.nan))


# ---- power and allocation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows_of("power").to_dict("records"), ids=lambda row: f"{row['schools']:.0f}")
def test_detectable_effects_equal_powerup(row):
    given = {"schools": int(row["schools"]), "pupils": row["pupils"], "icc_school": row["rho3"], "r2_pupil": row["r1"],
             "r2_school": row["r3"], "treated": row["P"], "n_covariates": int(row["g"])}  # fmt: skip
    if not math.isnan(row["classes"]):
        given |= {"classes": row["classes"], "icc_class": row["rho2"], "r2_class": row["r2"]}
    assert minimum_detectable_effect(**given).mdes == pytest.approx(row["mdes"], abs=1e-12)


@pytest.mark.parametrize(
    ("schools", "rho", "r2", "want"),
    [(129, 0.04, (0, 0, 0), 0.100616), (129, 0.04, (0.45, 0.60, 1), 0.063918), (40, 0.04, (0.45, 0.60, 1), 0.116989),
     (20, 0.02, (0.45, 0.60, 1), 0.122865)],
)  # fmt: skip
def test_detectable_effects_of_the_anchor(schools, rho, r2, want):
    found = minimum_detectable_effect(
        schools=schools,
        pupils=1000,
        icc_school=rho,
        r2_pupil=r2[0],
        r2_school=r2[1],
        n_covariates=r2[2],
        stage="analysis",
    )
    assert round(found.mdes, 6) == want and found.stage == "analysis"
    assert minimum_detectable_effect(schools=20, pupils=4, icc_school=0.2).mdes == pytest.approx(0.838055, abs=5e-7)


def test_unequal_schools_cost_power_and_equal_ones_do_not():
    equal = minimum_detectable_effect(schools=20, pupils=[50] * 20, icc_school=0.05)
    assert equal.mdes == pytest.approx(
        minimum_detectable_effect(schools=20, pupils=50, icc_school=0.05).mdes, abs=1e-12
    )
    assert minimum_detectable_effect(schools=20, pupils=[10, 90] * 10, icc_school=0.05).mdes > equal.mdes


@pytest.mark.parametrize(
    "row", rows_of("schedule").to_dict("records"), ids=lambda row: f"{row['design']}-{row['cac']}-{row['iac']}"
)
def test_schedules_equal_pupils_written_out_in_r(row):
    plan = stepped_wedge(12, steps=4) if row["design"] == "wedge" else wait_list(12)
    found = detectable_effect_of_schedule(
        plan, pupils=row["pupils"], icc=row["icc"], school_autocorrelation=row["cac"], pupil_autocorrelation=row["iac"]
    )
    assert found.std_error == pytest.approx(row["se"], abs=1e-12)


def test_hussey_and_hughes_closed_form():
    plan, n, icc = stepped_wedge(9, steps=3), 25, 0.08
    sigma2, tau2, (i, t) = (1 - icc) / n, icc, plan.shape
    u, w, v = plan.sum(), (plan.sum(axis=0) ** 2).sum(), (plan.sum(axis=1) ** 2).sum()
    variance = i * sigma2 * (sigma2 + t * tau2) / ((i * u - w) * sigma2 + (u * u + i * t * u - t * w - i * v) * tau2)
    assert detectable_effect_of_schedule(plan, pupils=n, icc=icc).std_error == pytest.approx(
        math.sqrt(variance), abs=1e-12
    )


def test_fewest_schools_reach_the_effect():
    options = {"pupils": 200, "icc_school": 0.05}
    k = schools_needed(effect=0.2, **options)
    assert minimum_detectable_effect(schools=k, **options).mdes <= 0.2
    assert minimum_detectable_effect(schools=k - 1, **options).mdes > 0.2


def test_errors_of_power():
    with pytest.raises(DesignError, match="0 degrees of freedom"):
        minimum_detectable_effect(schools=2, pupils=10, icc_school=0.1)
    with pytest.raises(ParamsError, match="icc_school\\): not a share"):
        minimum_detectable_effect(schools=20, pupils=10, icc_school=1.1)
    with pytest.raises(ParamsError, match="2 sizes for 20 schools"):
        minimum_detectable_effect(schools=20, pupils=[10, 12], icc_school=0.1)
    with pytest.raises(DesignError, match="cannot be told apart"):
        detectable_effect_of_schedule(np.tile([0, 1], (6, 1)), pupils=10, icc=0.1)
    with pytest.raises(DesignError, match="2000 schools are too few"):
        schools_needed(effect=0.001, pupils=10, icc_school=0.1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=60), st.integers(2, 4), st.integers(0, 10**6))
def test_arms_differ_by_one_at_most(strata, arms, seed):
    names = [f"arm{i}" for i in range(arms)]
    found = allocation([f"school {i}" for i in range(len(strata))], strata=strata, arms=names, seed=seed)
    counts = found.counts.to_numpy()
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1 and np.ptp(counts.sum(axis=0)) <= 1


def test_an_allocation_is_the_same_in_any_order():
    names, strata = [f"school {i}" for i in range(25)], [i % 3 for i in range(25)]
    one = allocation(names, strata=strata, seed=7).table.set_index("unit")["arm"]
    two = allocation(names[::-1], strata=strata[::-1], seed=7).table.set_index("unit")["arm"]
    assert one.to_dict() == two.to_dict()
    assert one.to_dict() != allocation(names, strata=strata, seed=8).table.set_index("unit")["arm"].to_dict()
    assert allocation(range(9), seed=1, ratio=[2, 1]).counts.loc["all"].tolist() == [6, 3]
    with pytest.raises(DataError, match="stands there twice"):
        allocation(["a", "a"], seed=1)
    with pytest.raises(ParamsError, match="needs a seed"):
        allocation(["a", "b"], seed=None)
    with pytest.raises(ParamsError, match="does not fit the arms"):
        allocation(["a", "b"], seed=1, ratio=[1, 0])


def test_what_is_left_over_is_drawn_with_equal_chances():
    from mhlib.stats.effects.power_allocation import remaining_arms

    rng = np.random.default_rng(3)
    last = np.array([remaining_arms(2, np.array([0, 1, 2]), np.zeros(3), rng) for _ in range(6000)])
    # Each arm in each place a third of the time (four standard errors), and never twice in one stratum.
    assert np.abs([(last[:, place] == arm).mean() - 1 / 3 for place in (0, 1) for arm in range(3)]).max() < 0.025
    assert (last[:, 0] != last[:, 1]).all()
    assert {remaining_arms(1, np.array([0, 1]), np.array([1.0, 0.0]), rng)[0] for _ in range(20)} == {1}


# ---- loss ------------------------------------------------------------------------------------------------------------------


def test_the_boundary_of_the_handbook():
    points = np.array([0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 57]) / 100
    cautious = [5.7, 6.1, 6.3, 5.9, 5.4, 4.8, 4.1, 3.3, 2.6, 1.8, 1.0, 0.3, 0]
    assert (100 * largest_difference(points)).tolist() == pytest.approx(cautious, abs=1e-12)
    # The anchor prints the optimistic column from 15 % on one row too early; the Handbook's own table is used here.
    optimistic = [10, 10.5, 10.9, 10.7, 10.0, 9.2, 8.2, 7.2, 6.0, 4.9, 3.7, 2.6, 2.1]
    assert (100 * largest_difference(points, assumption="optimistic")).tolist() == pytest.approx(optimistic, abs=1e-12)
    assert np.isnan(largest_difference(0.6)) and largest_difference(0.6, assumption="optimistic") == pytest.approx(
        0.014
    )


def test_the_boundary_follows_from_its_model():
    """Deke & Chiang: bias a_t m(1 - loss_t) - a_c m(1 - loss_c), m the mean of a truncated normal, kept under .055 SD."""
    from scipy import optimize, stats

    def mean(kept):
        return stats.norm.pdf(stats.norm.isf(kept)) / kept

    for assumption, a_t, a_c in (("cautious", 0.45, 0.39), ("optimistic", 0.274, 0.2236)):
        for loss in (0.10, 0.15, 0.25, 0.35, 0.45, 0.55):
            limit = optimize.brentq(
                lambda d, o=loss, t=a_t, c=a_c: t * mean(1 - o - d / 2) - c * mean(1 - o + d / 2) - 0.055, 0, 0.15
            )
            assert largest_difference(loss, assumption=assumption) == pytest.approx(limit, abs=0.0011)


def test_loss_by_hand():
    kept, arm = [1] * 90 + [0] * 10 + [1] * 82 + [0] * 18, ["a"] * 100 + ["b"] * 100
    found = attrition(kept, arm)
    assert found.overall == pytest.approx(0.14) and found.differential == pytest.approx(0.08)
    assert found.comparisons.at[0, "cautious_limit"] == pytest.approx(0.06) and found.level == "tolerable"
    assert attrition(kept, arm, arms=["b", "a"]).comparisons.at[0, "differential"] == pytest.approx(-0.08)
    assert attrition([1] * 60 + [0] * 40 + [1] * 40 + [0] * 60, arm).level == "high"
    with pytest.raises(DesignError, match="only one arm"):
        attrition([1, 0], ["a", "a"])
    with pytest.raises(DataError, match="neither 0 nor 1"):
        attrition([1, 2], ["a", "b"])


def test_flow_counts_units_and_losses():
    frame = pd.DataFrame({"arm": [0, 0, 0, 1, 1], "school": [1, 1, 2, 3, 4], "in": 1, "post": [1, 0, 0, 1, 1]})
    found = participant_flow(frame, stages={"allocated": "in", "post-test": "post"}, arm="arm", levels=["school"])
    assert found.to_dict("records")[1] == {"stage": "post-test", "arm": 0, "pupils": 1, "school": 1, "lost": 2}
    with pytest.raises(DataError, match="lacks the columns follow"):
        participant_flow(frame, stages={"x": "follow"}, arm="arm")


@pytest.mark.parametrize("row", rows_of("lee").to_dict("records"), ids=lambda row: row["outcome"])
def test_lee_bounds_equal_plain_r(row):
    whole = lee_bounds(BTHEB[row["outcome"]], BTHEB["treatment"], seed=1, n_boot=200)
    parts = lee_bounds(BTHEB[row["outcome"]], BTHEB["treatment"], strata=BTHEB["drug"])
    mine = (whole.lower, whole.upper, whole.trimmed, parts.lower, parts.upper)
    assert mine == pytest.approx(
        tuple(row[n] for n in ("low", "high", "trimmed", "strata_low", "strata_high")), abs=EXACT
    )
    assert whole.conf_low < whole.lower <= whole.unadjusted <= whole.upper < whole.conf_high


def test_lee_bounds_by_hand_and_counted():
    y = [1, 2, 3, 4, 5, 2, 3, np.nan, np.nan, np.nan]
    found = lee_bounds(y, [1] * 5 + [0] * 5)
    # Of five treated two fifths are kept: 1, 2 or 4, 5, against 2, 3.
    assert (found.lower, found.upper, found.trimmed, found.trimmed_arm) == pytest.approx((-1.0, 2.0, 0.6, 1))
    rng = np.random.default_rng(0)
    score, school = rng.integers(0, 10, 4000).astype(float), np.arange(4000) % 30
    score[rng.random(4000) < 0.1 * (1 + school % 2)] = np.nan
    counted = lee_bounds(score, school % 2, cluster=school, seed=3, n_boot=300)
    spread = lee_bounds(score + 1e-9 * rng.random(4000), school % 2, cluster=school, seed=3, n_boot=300)
    assert (counted.lower_se, counted.upper) == pytest.approx((spread.lower_se, spread.upper), abs=1e-6)
    with pytest.raises(DesignError, match="nobody was observed in an arm"):
        lee_bounds([1, np.nan], [1, 0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), min_size=8, max_size=60))
def test_lee_bounds_hold_the_plain_difference(rows):
    y = np.array([float(v) if seen else np.nan for v, seen, _ in rows])
    arm = np.array([float(t) for _, _, t in rows])
    if all(np.isfinite(y[arm == a]).any() for a in (0, 1)):
        found = lee_bounds(y, arm)
        assert found.lower - 1e-9 <= found.unadjusted <= found.upper + 1e-9


# ---- imputation ------------------------------------------------------------------------------------------------------------


def test_pooling_equals_mice():
    each, want = rows_of("pooled_each"), rows_of("pooled")
    for row in want.to_dict("records"):
        mine = each[(each["case"] == row["case"]) & (each["term"] == row["term"])]
        found = pool(mine["q"], mine["u"], df_complete=row["dfcom"]).table.iloc[0]
        for name, theirs in (
            ("estimate", "estimate"),
            ("within", "ubar"),
            ("between", "b"),
            ("df", "df"),
            ("r", "r"),
            ("fmi", "fmi"),
        ):
            assert found[name] == pytest.approx(row[theirs], rel=1e-8), (row["term"], name)


def test_pooling_of_the_anchor():
    found = pool([2.1, 2.4, 1.9, 2.6, 2.2], [0.25, 0.30, 0.28, 0.27, 0.26], df_complete=147).table.iloc[0]
    got = (
        found["estimate"],
        found["within"],
        found["between"],
        found["std_error"] ** 2,
        found["df"],
        found["r"],
        found["fmi"],
    )
    assert got == pytest.approx((2.24, 0.272, 0.073, 0.3596, 41.7521537, 0.3220588235, 0.2774077852), rel=1e-9)
    table = rows_of("pooled").set_index(["case", "term"])
    assert table.at[("nhanes2", "bmi"), "estimate"] == pytest.approx(5.888599363, abs=1e-8)
    assert math.sqrt(table.at[("nhanes2", "bmi"), "t"]) == pytest.approx(2.464998067, abs=1e-8)
    with pytest.raises(DataError, match="m >= 2"):
        pool([1.0], [1.0])
    with pytest.raises(DataError, match="variance is missing or negative"):
        pool([1.0, 2.0], [1.0, -1.0])


def least_squares(table, outcome, helpers):
    """Coefficients and their squared classical errors."""
    design = np.column_stack([np.ones(len(table)), table[helpers].to_numpy()])
    bread = np.linalg.inv(design.T @ design)
    b = bread @ design.T @ table[outcome].to_numpy()
    e = table[outcome].to_numpy() - design @ b
    return b, np.diag(bread) * (e @ e) / (len(table) - design.shape[1])


@pytest.mark.parametrize(
    ("case", "file", "method", "outcome", "helpers", "m", "rounds"),
    [("nhanes_pmm", "nhanes_rows", "pmm", "chl", ["age", "bmi"], 200, 8),
     ("nhanes_norm", "nhanes_rows", "norm", "chl", ["age", "bmi"], 200, 8),
     ("btheb_norm", "btheb_rows", "norm", "bdi_8m", ["bdi_pre", "treatment", "drug", "long"], 100, 8)],
)  # fmt: skip
def test_chained_equations_agree_with_mice(case, file, method, outcome, helpers, m, rounds):
    data, want = rows_of(file), rows_of("imputed").query("case == @case")
    found = multiple_imputation(data, m=m, seed=1, method=method, iterations=rounds).analyse(
        lambda table: least_squares(table, outcome, helpers),
        terms=["(Intercept)", *helpers],
        df_complete=len(data) - len(helpers) - 1,
    )
    # Both are Monte Carlo: four standard errors of the difference of two means over imputations.
    error = np.sqrt(want["b"].to_numpy() * (1 / m + 1 / want["m"].to_numpy()))
    assert (np.abs(found.table["estimate"].to_numpy() - want["estimate"].to_numpy()) < 4 * error).all()
    assert found.table["std_error"].to_numpy() == pytest.approx(want["se"].to_numpy(), rel=0.12)


def test_levels_of_schools_agree_with_pan():
    data, want = rows_of("popmis_rows"), rows_of("imputed").query("case == 'popmis_2l'").set_index("term")
    found = multiple_imputation(data, m=40, seed=1, method="norm", cluster="school")
    tables = [found.completed(k) for k in range(40)]
    slopes = np.array([least_squares(t, "popular", ["sex", "texp"])[0] for t in tables])
    error = np.sqrt(want["b"].to_numpy() * (1 / 40 + 1 / 100))
    assert (np.abs(slopes.mean(axis=0) - want["estimate"].to_numpy()[:3]) < 4 * error[:3]).all()

    def components(table):
        groups = table.groupby("school")["popular"].agg(["size", "mean", "var"])
        n, g, size = len(table), len(groups), groups["size"]
        within = (groups["var"] * (size - 1)).sum() / (n - g)
        between = (size * (groups["mean"] - table["popular"].mean()) ** 2).sum() / (g - 1)
        return (between - within) / ((n - (size**2).sum() / n) / (g - 1)), within

    # Moments here, REML there: a hundredth apart on complete data.
    mine = np.mean([components(t) for t in tables], axis=0)
    assert mine == pytest.approx(want["estimate"].to_numpy()[3:], abs=0.03)


def test_matching_borrows_values_and_runs_repeat(rng):
    frame = pd.DataFrame(
        {"x": rng.integers(0, 9, 300).astype(float), "y": rng.integers(0, 5, 300) * 0.7, "s": np.arange(300) % 12}
    )
    frame.loc[frame.index[::4], "y"] = np.nan
    one = multiple_imputation(frame, m=3, seed=5, cluster="s")
    assert set(one.imputed["y"].ravel()) <= set(frame["y"].dropna())
    two = multiple_imputation(frame, m=3, seed=5, cluster="s")
    assert np.array_equal(one.imputed["y"], two.imputed["y"])
    assert not np.array_equal(one.imputed["y"][0], one.imputed["y"][1])
    assert one.completed(0)["y"].notna().all() and frame["y"].isna().sum() == 75
    assert one.to_frame().set_index("term").at["y", "n_missing"] == 75


def test_errors_of_imputation():
    frame = pd.DataFrame({"x": np.arange(30.0), "y": [np.nan] * 22 + list(range(8)), "s": [1, 2] * 15})
    with pytest.raises(DesignError, match="fewer than ten values observed in y"):
        multiple_imputation(frame, m=2, seed=1)
    with pytest.raises(DesignError, match="all values are equal in x"):
        multiple_imputation(frame[["x", "s"]].assign(x=3), m=2, seed=1)
    with pytest.raises(DesignError, match="2 schools give no spread"):
        multiple_imputation(frame[["x", "s"]], m=2, seed=1, cluster="s")
    with pytest.raises(ParamsError, match="at least two imputations"):
        multiple_imputation(frame, m=1, seed=1)
    with pytest.raises(ParamsError, match="'mean' is not known"):
        multiple_imputation(frame, m=2, seed=1, method="mean")
    with pytest.raises(DataError, match="not a number"):
        multiple_imputation(frame.assign(x="a"), m=2, seed=1)


def imputed_in_r():
    """mice's own completed tables as a record."""
    long = rows_of("delta_rows")
    cells = {
        c: np.stack([g.loc[BTHEB[c].isna().to_numpy(), c].to_numpy() for _, g in long.groupby("imputation")])
        for c in ("bdi_2m", "bdi_3m", "bdi_5m", "bdi_8m")
    }
    return ImputationResult(
        data=BTHEB, imputed=cells, missing=pd.DataFrame(), chain_means=pd.DataFrame(), rhat={}, m=5, iterations=5, seed=0,
        n_clusters=None, n_used=100, n_excluded=0, method="", conf_level=0.95,
    )  # fmt: skip


def test_shifting_all_at_once_equals_fitting_every_cell():
    found = tipping_point(imputed_in_r(), outcome="bdi_8m", treated="treatment", covariates=["bdi_pre", "drug"],
                          shift_treated=[-4, 0, 6], shift_control=[-2, 0, 3])  # fmt: skip
    both = found.table.merge(rows_of("delta"), on=["delta_treated", "delta_control"], suffixes=("", "_r"))
    assert len(both) == 9
    for mine, theirs in (("estimate", "estimate_r"), ("std_error", "se"), ("df", "df_r")):
        assert both[mine].to_numpy() == pytest.approx(both[theirs].to_numpy(), abs=1e-7)
    assert math.isnan(found.tipping)
    far = tipping_point(imputed_in_r(), outcome="bdi_8m", treated="treatment", shift_treated=range(-20, 1, 2))
    at = far.table.set_index("delta_treated")["conf_high"]
    assert at[2 * math.floor(far.tipping / 2)] < 0 < at[2 * math.ceil(far.tipping / 2)]
    with pytest.raises(ParamsError, match="has no imputed value"):
        tipping_point(imputed_in_r(), outcome="bdi_pre", treated="treatment", shift_treated=[0])
    with pytest.raises(DataError, match="lacks the columns zeal"):
        tipping_point(imputed_in_r(), outcome="bdi_8m", treated="zeal", shift_treated=[0])


# ---- hidden bias -----------------------------------------------------------------------------------------------------------


def test_e_values_of_vanderweele_and_ding():
    found = e_value(3.9, conf_low=1.8, conf_high=8.7)
    assert (found.e_value, found.e_value_bound) == pytest.approx((7.263034, 3.0), abs=1e-6)
    small = e_value(0.30, measure="smd", std_error=0.2)
    assert (small.risk_ratio, small.e_value) == pytest.approx((1.313900, 1.956110), abs=1e-6)
    assert small.e_value_bound == 1.0
    assert e_value(1 / 3.9).e_value == pytest.approx(found.e_value)
    assert e_value(4, measure="or").risk_ratio == 2 and e_value(4, measure="or", rare=True).risk_ratio == 4
    assert e_value(1.0).e_value == 1
    with pytest.raises(ParamsError, match="no ratio above 0"):
        e_value(-1)
    with pytest.raises(ParamsError, match="does not lie within its interval"):
        e_value(2, conf_low=3, conf_high=4)


DARFUR = (0.09731582, 0.02325654, 783)


def test_robustness_of_the_darfur_study():
    found = robustness_value(*DARFUR)
    assert [round(x, 4) for x in (found.partial_r2, found.robustness_value, found.robustness_value_alpha)] == [
        0.0219,
        0.1388,
        0.0763,
    ]


def test_benchmarks_of_the_darfur_study():
    """Bounds for one to three times `female` as sensemakr prints them (Cinelli & Hazlett 2020)."""
    # Partial R2 of `female` are recovered from the published 1x row; rows 2x and 3x test the rule.
    with_treatment = 0.009164287 / 1.009164287
    link = with_treatment**2 / (1 - with_treatment) ** 2
    ratio = 0.12464092 * (1 - link) / (1 + math.sqrt(link)) ** 2
    found = robustness_value(*DARFUR, benchmarks={"female": (with_treatment, ratio / (1 + ratio))}).bounds
    assert found["adjusted_estimate"].tolist() == pytest.approx([0.07522027, 0.05291517, 0.03039602], abs=2e-7)
    assert found["adjusted_se"].tolist() == pytest.approx([0.02187333, 0.02035006, 0.01867006], abs=2e-7)
    assert found["adjusted_t"].tolist() == pytest.approx([3.43890386, 2.60024624, 1.62806202], abs=2e-5)
    assert found["conf_low"].tolist() == pytest.approx([0.032282966, 0.012968035, -0.006253282], abs=5e-7)
    with pytest.raises(ParamsError, match="more than all of the treatment"):
        robustness_value(*DARFUR, benchmarks={"x": (0.6, 0.1)})


def test_an_adjusted_estimate_is_what_the_longer_regression_gives(rng):
    z = rng.normal(size=400)
    d = 0.4 * z + rng.normal(size=400)
    y = 0.5 * d + 0.6 * z + rng.normal(size=400)
    frame = pd.DataFrame({"d": d, "z": z, "y": y})
    (_, short), (_, short_v) = least_squares(frame, "y", ["d"])
    long, long_v = least_squares(frame, "y", ["d", "z"])
    t_y, (zd, zd_v) = long[2] / math.sqrt(long_v[2]), least_squares(frame, "d", ["z"])
    from mhlib.stats.effects.unmeasured_linear import adjusted

    left, spread = adjusted(
        short, math.sqrt(short_v), 398, partial_r2(zd[1] / math.sqrt(zd_v[1]), 398), partial_r2(t_y, 397)
    )
    assert (left, spread) == pytest.approx((long[1], math.sqrt(long_v[1])), abs=EXACT)


def hidden_population(rng, delta):
    """Covariance of outcome, treatment and the observed cause, when hidden selection is `delta` times the observed."""
    v1, v2, sx, beta, s1 = (
        rng.uniform(0.5, 2),
        rng.uniform(0.5, 2),
        rng.uniform(5, 8),
        rng.normal(),
        rng.uniform(0.2, 0.8),
    )
    s = np.array([[sx, s1, delta * s1 * v2 / v1], [s1, v1, 0], [delta * s1 * v2 / v1, 0, v2]])
    w = np.array([beta, 1, 1])
    sy = s @ w
    return np.array([[w @ sy, sy[0], sy[1]], [sy[0], sx, s1], [sy[1], s1, v1]]), beta


@pytest.mark.parametrize("seed", range(6))
def test_oster_finds_the_planted_selection(seed):
    rng = np.random.default_rng(seed)
    delta = rng.uniform(0.3, 2)
    covariance, beta = hidden_population(rng, delta)
    assert oster_from_covariance(covariance, r_max=1, target=beta).delta == pytest.approx(delta, abs=1e-9)
    covariance, beta = hidden_population(rng, 1.0)
    assert oster_from_covariance(covariance, r_max=1).adjusted == pytest.approx(beta, abs=1e-8)


def test_oster_from_rows_and_its_errors(rng):
    z = rng.normal(size=500)
    d = z + rng.normal(size=500)
    y = d + z + rng.normal(size=500)
    y[0] = np.nan
    found = oster_delta(y, d, z)
    assert found.n_excluded == 1 and found.r_max <= 1 and found.delta > 0
    same = oster_from_covariance(np.cov(np.column_stack([y, d, z])[1:], rowvar=False))
    assert (found.delta, found.adjusted) == pytest.approx((same.delta, same.adjusted), abs=EXACT)
    with pytest.raises(ParamsError, match="below the controlled R2"):
        oster_delta(y, d, z, r_max=0.01)
    with pytest.raises(DesignError, match="determine each other"):
        oster_delta(y, d, np.column_stack([z, z]))


# ---- schools together and cost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows_of("meta").to_dict("records"), ids=lambda row: f"{row['set']}-{row['test']}")
def test_meta_analysis_equals_metafor(row):
    data = rows_of("meta_rows").query(f"set == '{row['set']}'")
    found = meta_analysis(data["yi"], np.sqrt(data["vi"]), test={"knha": "knapp_hartung", "z": "wald"}[row["test"]])
    names = {"estimate": "estimate", "std_error": "se", "p_value": "p", "conf_low": "low", "conf_high": "high",
             "predicted_low": "pi_low",
             "predicted_high": "pi_high", "tau2": "tau2", "tau2_low": "tau2_low", "tau2_high": "tau2_high", "h2": "h2", "q": "q",
             "q_p_value": "q_p"}  # fmt: skip
    for mine, theirs in names.items():
        assert getattr(found, mine) == pytest.approx(row[theirs], abs=1e-8), mine
    assert 100 * found.i2 == pytest.approx(row["i2"], abs=1e-7)
    if row["test"] == "knha":
        want = rows_of("meta_blups").query(f"set == '{row['set']}'")[["pred", "se", "low", "high"]].to_numpy()
        mine = found.schools[["shrunken", "shrunken_se", "shrunken_low", "shrunken_high"]].to_numpy()
        assert mine == pytest.approx(want, abs=1e-8)


def test_meta_analysis_equals_statsmodels_and_drops_gaps():
    from statsmodels.stats.meta_analysis import combine_effects

    y, v = np.array([0.10, 0.12, 0.08, 0.11]), np.array([0.02, 0.03, 0.025, 0.04])
    with np.errstate(invalid="ignore"):
        # Its moment estimate of the spread is negative here; the fixed-effect mean is what REML with no spread gives.
        peer = combine_effects(y, v, method_re="dl")
    found = meta_analysis(y, np.sqrt(v), test="wald")
    assert found.tau2 == 0 and found.estimate == pytest.approx(peer.mean_effect_fe, abs=1e-10)
    assert meta_analysis([*y, np.nan], [*np.sqrt(v), 1]).n_excluded == 1
    with pytest.raises(DesignError, match="2 estimates"):
        meta_analysis([1, 2], [1, 1])
    with pytest.raises(DataError, match="1 are 0 or less"):
        meta_analysis([1, 2, 3], [1, 0, 1])


def test_cost_by_hand():
    # Two pupils an arm and school: cost 10 against 4, gain 3 of 4 against 1 of 4.
    cost, gain = [4] * 20 + [10] * 20, [0, 0, 0, 1] * 5 + [1, 1, 1, 0] * 5
    found = cost_effectiveness(
        cost, gain, [0] * 20 + [1] * 20, prices=[0, 12, 100], cluster=np.repeat(range(20), 2), seed=1
    )
    assert (found.cost_difference, found.gain_difference, found.icer) == (6, 0.5, 12)
    assert found.net_benefit["net_benefit"].tolist() == [-6, 0, 44]
    assert found.net_benefit["probability"].iloc[0] == 0 and found.net_benefit["probability"].is_monotonic_increasing
    assert (found.cost_low, found.cost_high) == (6, 6)
    bounded = found.icer_low < 12 < found.icer_high if found.share_gaining >= 0.975 else math.isnan(found.icer_low)
    assert bounded


def test_errors_of_cost():
    with pytest.raises(ParamsError, match="one is negative"):
        cost_effectiveness([1], [1], [1], prices=[-1], seed=1)
    with pytest.raises(DesignError, match="fewer than two schools"):
        cost_effectiveness([1] * 4, [1] * 4, [0, 0, 1, 1], prices=[1], cluster=[1, 1, 2, 3], seed=1)
    with pytest.raises(ParamsError, match="need a seed"):
        cost_effectiveness(np.ones(40), np.ones(40), np.arange(40) % 2, prices=[1], seed=None)


# ---- gates -----------------------------------------------------------------------------------------------------------------


def test_gates():
    assert effect_size_check(0.3, n_used=90).passed and not effect_size_check(-1.6, n_used=90).passed
    assert effect_size_check(math.nan, n_used=90).passed is None
    check, table = spread_checks([5, 5.2, 0.4, 4.8, 5.1], [100, 100, 150, 90, 80])
    assert not check.passed and table["looks_like_se"].tolist() == [False, False, True, False, False]
    assert spread_checks([5, 5.2, 4.8], [100, 100, 100])[0].passed
    assert spread_checks([5, 5.2], [100, 100])[0].passed is None
    assert not spread_checks([0.0, 5.2], [100, 100], reference_sd=5)[0].passed
    assert not score_range_check([1, 28], lowest=0, highest=27).passed
    assert score_range_check([1, np.nan], lowest=0, highest=27).passed
    assert cluster_check(None, n=5).code == "cluster_missing" == cluster_check([1, None], n=2).code
    assert cluster_check(range(20), n=20).passed and not cluster_check(range(19), n=19).passed
    assert effective_df_refusal(3.9).code == effective_df_refusal(math.nan).code == "too_few_df"
    assert effective_df_refusal(4.0) is None and effective_df_refusal(math.inf) is None
    assert nesting_check([1, 1, 2], ["a", "a", "b"]).passed and not nesting_check([1, 1, 2], ["a", "b", "b"]).passed
    held = [c.passed for c in fit_checks(variances=[0.1, 1], loglik=-10, loglik_second=-10.00001, converged=True)]
    assert held == [True, True, True]
    held = [c.passed for c in fit_checks(variances=[0.0, 1], loglik=math.inf, loglik_second=-10, converged=True)]
    assert held == [False, False, False]
    assert fit_checks(variances=[1, 1], loglik=-1, loglik_second=math.nan, converged=True)[2].passed is None
    none = uncontrolled_positives_refusal(screened_by_cutoff=True, n_unserved_retested=0, has_control=False)
    assert none.code == "uncontrolled_positives"
    for chosen, unserved, control in ((False, 0, False), (True, 3, False), (True, 0, True)):
        assert uncontrolled_positives_refusal(
            screened_by_cutoff=chosen, n_unserved_retested=unserved, has_control=control
        ) is None  # fmt: skip
