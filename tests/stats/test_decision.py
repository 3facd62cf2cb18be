"""Tests of two screens, calibration, net benefit, groups and yield: R (tests/oracle/make_decision.R), print, hand, edges."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.accuracy import roc, two_by_two, two_by_two_from_rows, verification_corrected
from mhlib.stats.accuracy.agreement_tables import chance_corrected, cohen_kappa, cohen_kappa_from_table, credit
from mhlib.stats.accuracy.calibration_of_risk import (
    calibration,
    calibration_events_check,
    calibration_from_counts,
    calibration_refusal,
)
from mhlib.stats.accuracy.decision_curves import decision_curve, decision_curve_from_counts, decision_optimism_check
from mhlib.stats.accuracy.local_regression import loess, loess_direct, place_of_cut
from mhlib.stats.accuracy.paired_tests import compare_tests, compare_tests_from_counts
from mhlib.stats.accuracy.screening_stages import ScreeningStage, net_accuracy
from mhlib.stats.accuracy.subgroup_cutoffs import cutoffs_by_group
from mhlib.stats.accuracy.subgroup_table import subgroup_accuracy, subgroup_accuracy_from_counts
from mhlib.stats.accuracy.yield_of_screening import screening_yield
from mhlib.stats.multiplicity import benjamini_hochberg, holm

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
ROWS = pd.read_csv(ORACLE / "decision_rows.csv")
ROWS["from_score"] = 1 / (1 + np.exp(4 - 0.25 * ROWS["score"]))
DESIGN = {"cluster": ROWS["school"], "weights": ROWS["weight"]}
# R writes fifteen digits.
EXACT = 1e-9
THREE = [[50, 10, 3], [8, 40, 9], [2, 7, 30]]


def records(name):
    return pd.read_csv(ORACLE / f"decision_{name}.csv").to_dict("records")


def terms(result):
    return result.to_frame().set_index("term")


# Two-by-two and agreement


@pytest.mark.parametrize("row", records("ratios"), ids=lambda row: row["term"])
def test_ratios_within_schools_equal_svycontrast(row):
    found = terms(two_by_two_from_rows(ROWS["score"] >= 10, ROWS["case"], **DESIGN)).loc[row["term"]]
    value = found[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    low, middle, high = (value if row["term"] == "youden" else np.log(value))[[1, 0, 2]]
    # t with 39 df: the interval is the error times 2.0226909.
    assert (middle, (high - low) / 2) == pytest.approx((row["estimate"], 2.022690920 * row["se"]), abs=1e-8)


def test_weights_without_schools_leave_sensitivity_and_specificity_independent():
    plain, ones = (
        terms(two_by_two_from_rows(ROWS["test"], ROWS["case"], weights=weights)) for weights in (None, np.ones(800))
    )
    assert ones.loc["dor", "conf_high"] == pytest.approx(plain.loc["dor", "conf_high"], rel=0.01)


def test_a_table_of_perfect_agreement_has_no_ratio_interval():
    found = terms(two_by_two(10, 0, 0, 10))
    assert np.isinf(found.at["dor", "estimate"]) and np.isnan(found.at["dor", "conf_low"])


@pytest.mark.parametrize("row", records("kappa"), ids=lambda row: row["table"])
def test_kappa_equals_psych_and_epir(row):
    table = [[19, 10], [6, 256]] if row["table"] == "two" else THREE
    plain = cohen_kappa_from_table(table, ci="exact")
    assert (plain.kappa, plain.std_error, plain.std_error_null) == pytest.approx(
        (row["kappa"], row["kappa_se"], row["kappa_se_null"]), abs=EXACT
    )
    for weights in ("linear", "quadratic"):
        assert cohen_kappa_from_table(table, weights=weights).kappa == pytest.approx(row[weights], abs=EXACT)
    if row["table"] == "two":
        pabak = (plain.pabak, plain.pabak_low, plain.pabak_high)
        assert pabak == pytest.approx((row["pabak"], row["pabak_low"], row["pabak_high"]), abs=EXACT)
    else:
        # epiR writes 2 p_o - 1 whatever the number of categories; with three it is (3 p_o - 1)/2.
        assert plain.pabak == pytest.approx((3 * 120 / 159 - 1) / 2)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_errors_of_kappa_equal_statsmodels_and_the_spread_of_tables(weights):
    from statsmodels.stats.inter_rater import cohens_kappa

    # psych 2.2.9 prints .0494191 and .0481211 for the weighted errors; Fleiss, Cohen & Everitt, statsmodels and the
    # spread of 20,000 drawn tables say .0504 and .0485.
    found = cohen_kappa_from_table(THREE, weights=weights)
    peer = cohens_kappa(np.array(THREE), wt=None if weights == "none" else weights)
    assert (found.std_error, found.std_error_null) == pytest.approx((peer.std_kappa, peer.std_kappa0), abs=1e-12)
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(159, np.ravel(THREE) / 159, 2000).reshape(-1, 3, 3)
    values = [chance_corrected(table / 159, credit(3, weights)).kappa for table in drawn]
    assert np.std(values) == pytest.approx(found.std_error, rel=0.05)


def test_kappa_of_rows_is_that_of_their_table_and_clusters_widen_it():
    first, second = ROWS["test"], (ROWS["score"] >= 10).astype(int)
    found = cohen_kappa(first, second)
    table = pd.crosstab(first, second)
    assert found.to_frame().equals(cohen_kappa_from_table(table).to_frame())
    twice = [pd.concat([column, column]) for column in (first, second)]
    doubled = cohen_kappa(*twice, cluster=np.tile(np.arange(800), 2))
    # Every person twice in a cluster of two tells no more than once.
    assert doubled.std_error == pytest.approx(found.std_error, rel=0.002)


def test_faults_of_kappa_are_told():
    with pytest.raises(DataError, match="1 of 3 rows miss a rating"):
        cohen_kappa([1, 0, None], [1, 0, 1])
    with pytest.raises(DataError, match="1 rows hold a rating outside"):
        cohen_kappa([1, 2], [1, 3], categories=[1, 2])
    with pytest.raises(DesignError, match="all ratings stand in one category"):
        cohen_kappa([1, 1], [1, 1], categories=[0, 1])
    with pytest.raises(DataError, match="as many rows as columns"):
        cohen_kappa_from_table([[1, 2, 3], [1, 2, 3]])
    with pytest.raises(DataError, match="not a count"):
        cohen_kappa_from_table([[1, 0.5], [1, 2]])
    with pytest.raises(ParamsError, match="not known"):
        cohen_kappa_from_table(THREE, weights="cubic")


# Two tests of the same people

PAIRED = ((319, 78, 22, 32), (31, 53, 22, 155))


def test_paired_tests_equal_dtcompair_as_printed_in_its_manual():
    found = terms(compare_tests_from_counts(*PAIRED))
    se, sp, ppv, npv = (found.loc[f"{name}_difference"] for name in ("sensitivity", "specificity", "ppv", "npv"))
    assert (se["statistic"], se["p_value"], se["other_p"]) == pytest.approx(
        (31.36, 2.143518e-08, 1.590533e-08), rel=1e-6
    )
    assert (sp["statistic"], sp["p_value"], sp["other_p"]) == pytest.approx(
        (12.81333333, 0.0003441579, 0.0004496480), rel=1e-6
    )
    # DTComPair's own search stops at 1e-7.
    assert (se["conf_low"], se["conf_high"]) == pytest.approx((-0.16732050, -0.08274957), abs=1e-7)
    assert (ppv["other_statistic"], ppv["statistic"]) == pytest.approx((5.71124070, 5.46588745), abs=1e-8)
    assert (ppv["other_p"], ppv["p_value"]) == pytest.approx((0.01685662, 0.01939120), abs=1e-8)
    assert (npv["other_statistic"], npv["statistic"]) == pytest.approx((17.78567021, 16.53540414), abs=1e-8)
    # DTComPair gives first / second; here as everywhere the later one comes first.
    printed = {
        "lr_positive_ratio": (0.7345691942, 0.5664428, 0.9525973),
        "lr_negative_ratio": (0.5768875193, 0.4407136, 0.7551371),
    }
    for term, wanted in printed.items():
        turned = 1 / found.loc[term, ["estimate", "conf_high", "conf_low"]].to_numpy(dtype=float)
        assert tuple(turned) == pytest.approx(wanted, abs=1e-7)


def paired_rows(case, noncase):
    first, second = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    number = np.array([*case, *noncase])
    return (
        np.repeat(np.tile(first, 2), number),
        np.repeat(np.tile(second, 2), number),
        np.repeat([1] * 4 + [0] * 4, number),
    )


def test_rows_and_cells_of_paired_tests_give_the_same_digits():
    assert compare_tests(*paired_rows(*PAIRED)).to_frame().equals(compare_tests_from_counts(*PAIRED).to_frame())


def test_turning_the_two_tests_turns_every_difference():
    first, second, case = paired_rows(*PAIRED)
    there, back = terms(compare_tests(first, second, case)), terms(compare_tests(second, first, case))
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        one, other = there.loc[f"{name}_difference"], back.loc[f"{name}_difference"]
        assert (one["estimate"], one["conf_low"]) == pytest.approx((-other["estimate"], -other["conf_high"]), abs=1e-9)
        assert one["p_value"] == pytest.approx(other["p_value"], rel=1e-9)


def test_paired_tests_by_hand_and_at_the_edge():
    # 10 cases: 6 both, 3 only first, 1 only second; McNemar (3 - 1)^2/4 = 1, exact 2 * (1 + 4)/16 = .625.
    found = terms(compare_tests_from_counts((6, 3, 1, 0), (2, 2, 2, 14)))
    row = found.loc["sensitivity_difference"]
    assert (row["estimate"], row["statistic"], row["other_p"]) == pytest.approx((-0.2, 1.0, 0.625))
    same = terms(compare_tests_from_counts((5, 0, 0, 5), (5, 0, 0, 5))).loc["sensitivity_difference"]
    assert (same["estimate"], same["p_value"], same["other_p"]) == (0.0, 1.0, 1.0) and same["conf_low"] < 0 < same[
        "conf_high"
    ]
    apart = terms(compare_tests_from_counts((0, 0, 9, 0), (0, 0, 0, 9))).loc["sensitivity_difference"]
    assert apart["estimate"] == apart["conf_high"] == 1.0 and 0.3 < apart["conf_low"] < 1


def test_clusters_of_one_leave_the_errors_of_paired_tests():
    rows = paired_rows(*PAIRED)
    plain, single = terms(compare_tests(*rows)), terms(compare_tests(*rows, cluster=np.arange(712)))
    assert single["std_error"].dropna().to_numpy() == pytest.approx(plain["std_error"].dropna().to_numpy(), rel=0.001)
    assert single.at["ppv_difference", "test"] == "linearised by cluster"


def test_faults_of_paired_tests_are_told():
    with pytest.raises(DataError, match="1 of 2 values are missing"):
        compare_tests([1, 0], [1, np.nan], [1, 0])
    with pytest.raises(DesignError, match="no case"):
        compare_tests([1, 0], [1, 0], [0, 0])
    with pytest.raises(DesignError, match="one cluster"):
        compare_tests([1, 0], [1, 0], [1, 0], cluster=[1, 1])
    with pytest.raises(DataError, match="not a count"):
        compare_tests_from_counts((1, 2, 3, -1), (1, 2, 3, 4))
    with pytest.raises(DataError, match="different lengths"):
        compare_tests_from_counts((1, 2, 3), (1, 2, 3, 4))


@settings(deadline=None, max_examples=50)
@given(st.tuples(*[st.integers(0, 30)] * 8).filter(lambda n: sum(n[:4]) > 0 and sum(n[4:]) > 0))
def test_tango_holds_its_estimate(number):
    found = terms(compare_tests_from_counts(number[:4], number[4:]))
    for name in ("sensitivity", "specificity"):
        row = found.loc[f"{name}_difference"]
        assert -1 <= row["conf_low"] <= row["estimate"] + 1e-9 and row["estimate"] - 1e-9 <= row["conf_high"] <= 1


# Calibration


@pytest.mark.parametrize("name", ["risk", "from_score"])
def test_the_smooth_equals_loess(name):
    oracle = pd.read_csv(ORACLE / "decision_loess.csv").query("risk == @name")
    x, y = ROWS[name].to_numpy(), ROWS["case"].to_numpy(float)
    assert loess(x, y)(x[:40]) == pytest.approx(oracle["interpolate"].to_numpy(), abs=1e-9)
    assert loess_direct(x, y, x[:40]) == pytest.approx(oracle["direct"].to_numpy(), abs=1e-9)


def test_a_cut_never_parts_ties_and_of_two_equally_near_takes_the_later():
    # Three values of four rows each, last rows 3, 7, 11; the median is row 5, two rows from either cut.
    assert place_of_cut(np.array([3, 7, 11]), 0, 11) == 7
    assert place_of_cut(np.array([4, 7, 11]), 0, 11) == 4
    # A cell of one value has no cut but the median.
    assert place_of_cut(np.array([3, 11]), 4, 11) == 7


def test_a_parabola_is_its_own_smooth():
    x = np.random.default_rng(3).random(200)
    y = 1 + 2 * x - 3 * x**2
    assert loess_direct(x, y, x) == pytest.approx(y, abs=1e-10)
    assert loess(x, y)(np.sort(x)) == pytest.approx(1 + 2 * np.sort(x) - 3 * np.sort(x) ** 2, abs=1e-10)


@pytest.mark.parametrize("row", records("calibration"), ids=lambda row: row["risk"])
def test_calibration_equals_val_prob_loess_and_survey(row):
    plain, design = calibration(ROWS[row["risk"]], ROWS["case"]), calibration(ROWS[row["risk"]], ROWS["case"], **DESIGN)
    for found, prefix in ((plain, ""), (design, "w_")):
        frame = terms(found)
        for term in ("citl", "slope", "intercept", "o_e", "brier"):
            wanted = row[prefix + term.replace("o_e", "oe")], row[prefix + term.replace("o_e", "oe") + "_se"]
            assert tuple(frame.loc[term, ["estimate", "std_error"]]) == pytest.approx(wanted, abs=1e-8), term
    for term in ("ici", "e50", "e90", "emax"):
        assert getattr(plain, term) == pytest.approx(row[term], abs=1e-8), term
    assert (plain.chi2, plain.p_value) == pytest.approx((row["joint"], row["joint_p"]), abs=1e-8)
    assert design.ici == pytest.approx(row["w_ici"], abs=1e-8)


def test_a_score_with_a_stated_model_and_counts_give_the_same_digits():
    model = {"intercept": -4, "slope": 0.25}
    table = pd.crosstab(ROWS["score"], ROWS["case"])
    results = [
        calibration(ROWS["score"], ROWS["case"], model=model),
        calibration(ROWS["from_score"], ROWS["case"]),
        calibration_from_counts(table.index, table[1], table[0], model=model),
    ]
    frames = [result.to_frame() for result in results]
    for frame in frames[1:]:
        assert frame["estimate"].to_numpy() == pytest.approx(frames[0]["estimate"].to_numpy(), abs=1e-12)
        assert frame["conf_low"].to_numpy() == pytest.approx(frames[0]["conf_low"].to_numpy(), abs=1e-12, nan_ok=True)
    pd.testing.assert_frame_equal(results[0].points, results[2].points, check_dtype=False)


def test_calibration_by_hand():
    # Risk .2 and .8, ten people each, 4 and 6 of them cases: O/E 1; logit of the rates -/+ .405465 over -/+ 1.386294.
    risk, case = np.repeat([0.2, 0.8], 10), [1] * 4 + [0] * 6 + [1] * 6 + [0] * 4
    found = calibration(risk, case, groups=2)
    assert (found.o_e, found.slope, found.citl, found.intercept) == pytest.approx(
        (1, 0.405465108 / 1.386294361, 0, 0), abs=1e-8
    )
    assert found.brier == pytest.approx((4 * 0.64 + 6 * 0.04) * 2 / 20)
    assert np.isnan(found.ici) and found.curve.empty
    assert found.points["observed"].tolist() == [0.4, 0.6] and found.points["n"].tolist() == [10, 10]


def test_rows_of_weight_two_are_rows_that_stand_twice():
    weight = np.where(ROWS.index < 400, 2.0, 1.0)
    twice = ROWS.loc[ROWS.index.repeat(weight.astype(int))]
    one, other = calibration(ROWS["risk"], ROWS["case"], weights=weight), calibration(twice["risk"], twice["case"])
    assert (one.citl, one.slope, one.o_e, one.brier) == pytest.approx(
        (other.citl, other.slope, other.o_e, other.brier), abs=1e-10
    )


def test_faults_of_calibration_are_told():
    with pytest.raises(DataError, match="2 distinct values are not strictly between 0 and 1"):
        calibration([0, 0.5, 1], [0, 1, 1])
    with pytest.raises(DataError, match="keep only verified rows"):
        calibration([0.1, 0.5], [0, np.nan])
    with pytest.raises(DesignError, match="does not settle"):
        calibration([0.1, 0.2, 0.7, 0.8], [0, 0, 1, 1])
    with pytest.raises(DesignError, match="no case"):
        calibration([0.1, 0.5], [0, 0])
    with pytest.raises(ParamsError, match="not a logistic model"):
        calibration([1, 2], [0, 1], model={"slope": 1})
    with pytest.raises(ParamsError, match="high means ill"):
        calibration([1, 2], [0, 1], model={"intercept": 0, "slope": -1})
    with pytest.raises(ParamsError, match="span"):
        calibration(ROWS["risk"], ROWS["case"], span=0)
    with pytest.raises(ParamsError, match="groups"):
        calibration(ROWS["risk"], ROWS["case"], groups=1)
    with pytest.raises(DesignError, match="one cluster"):
        calibration(ROWS["risk"], ROWS["case"], cluster=np.ones(800))


def test_few_events_are_refused_and_some_are_marked():
    assert calibration_refusal(9, 500).code == "few_events" and calibration_refusal(10, 10) is None
    assert calibration_events_check(200, 300).passed and not calibration_events_check(199, 300).passed


# Decision curves

TIMES = [0.05, 0.1, 0.15, 0.2, 0.3, 0.5]
RULES = ROWS[["risk", "recalibrated", "test"]]


def test_net_benefit_equals_its_formula_and_svymean():
    oracle = pd.read_csv(ORACLE / "decision_net_benefit.csv")
    plain, design = (decision_curve(RULES, ROWS["case"], thresholds=TIMES, **how) for how in ({}, DESIGN))
    stated = decision_curve(RULES, ROWS["case"], thresholds=TIMES, prevalence=0.05)
    pairs = [
        (plain, "risk", "model"),
        (plain, "treat all", "all"),
        (plain, "test", "test"),
        (design, "risk", "w_model"),
    ]
    for found, rule, prefix in pairs:
        table = found.table[found.table["rule"] == rule]
        for column, name in (("net_benefit", prefix), ("std_error", prefix + "_se")):
            assert table[column].to_numpy() == pytest.approx(oracle[name].to_numpy(), abs=1e-12), name
    table = plain.table.query("rule == 'risk'")
    assert table["gain"].to_numpy() == pytest.approx(oracle["gain"].to_numpy(), abs=1e-12)
    half = (table["gain_high"] - table["gain_low"]).to_numpy() / 2
    assert half == pytest.approx(1.959963984540054 * oracle["gain_se"].to_numpy(), abs=1e-12)
    assert table["avoided_per_100"].to_numpy() == pytest.approx(100 * oracle["avoided"].to_numpy(), abs=1e-9)
    for found, name in ((plain, "difference"), (design, "w_difference")):
        gap = found.differences.query("rule == 'recalibrated'")
        assert gap["estimate"].to_numpy() == pytest.approx(oracle[name].to_numpy(), abs=1e-12)
        assert gap["std_error"].to_numpy() == pytest.approx(oracle[name + "_se"].to_numpy(), abs=1e-12)
    assert stated.table.query("rule == 'risk'")["net_benefit"].to_numpy() == pytest.approx(
        oracle["override"].to_numpy(), abs=1e-12
    )


def test_treat_all_as_printed_by_dcurves():
    # dcurves df_binary: 105 cases of 750; only treat-all follows from the prevalence alone.
    case = np.repeat([1, 0], [105, 645])
    found = decision_curve(pd.Series(case, name="x"), case, thresholds=[*TIMES[:4], 0.25, 0.3])
    wanted = [0.094736842, 0.044444444, -0.011764706, -0.075, -0.146666667, -0.228571429]
    assert found.table.query("rule == 'treat all'")["net_benefit"].to_numpy() == pytest.approx(wanted, abs=1e-9)
    perfect = found.table.query("rule == 'x'")
    assert perfect["net_benefit"].to_numpy() == pytest.approx(np.full(6, 0.14))
    # A perfect rule at threshold t saves every non-case.
    assert perfect["avoided_per_100"].to_numpy() == pytest.approx(np.full(6, 86.0))


def test_net_benefit_by_hand():
    # 10 people, risk >= .2: 3 cases and 2 others; NB = .3 - .2 * .25 = .25; all: .4 - .6 * .25 = .25; saved 0.
    risk, case = [0.9, 0.8, 0.2, 0.7, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    found = decision_curve(pd.DataFrame({"r": risk}), case, thresholds=[0.2]).table.set_index("rule")
    assert found.loc["r", ["net_benefit", "gain", "referral_share"]].tolist() == pytest.approx([0.25, 0.0, 0.5])
    assert found.at["treat none", "net_benefit"] == 0 == found.at["treat none", "std_error"]


def test_the_stated_prevalence_error_equals_a_bootstrap_within_cases_and_non_cases():
    rng, case = np.random.default_rng(1), ROWS["case"].to_numpy()
    found = decision_curve(RULES, case, thresholds=TIMES[:4], prevalence=0.05)
    drawn = []
    for _ in range(200):
        rows = np.concatenate([rng.choice(np.flatnonzero(case == k), (case == k).sum()) for k in (0, 1)])
        other = decision_curve(RULES.iloc[rows], case[rows], thresholds=TIMES[:4], prevalence=0.05)
        drawn.append([*other.table["net_benefit"][:4], *other.differences["estimate"][:4]])
    wanted = [*found.table["std_error"][:4], *found.differences["std_error"][:4]]
    assert np.std(drawn, axis=0) == pytest.approx(wanted, rel=0.15)


def test_rows_and_counts_of_a_decision_curve_give_the_same_digits():
    table = pd.crosstab(ROWS["from_score"], ROWS["case"])
    one = decision_curve(ROWS["from_score"].rename("rule"), ROWS["case"], thresholds=TIMES)
    other = decision_curve_from_counts(table.index, table[1], table[0], thresholds=TIMES)
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-12, atol=1e-15)
    assert other.differences.empty and len(other.to_frame()) == 18


def test_faults_of_decision_curves_are_told():
    for thresholds in ([0, 0.5], [0.5, 1], [0.2, 0.1], []):
        with pytest.raises(ParamsError, match="strictly between 0 and 1"):
            decision_curve(RULES, ROWS["case"], thresholds=thresholds)
    with pytest.raises(DataError, match="values lie outside 0 to 1"):
        decision_curve(ROWS["score"], ROWS["case"])
    with pytest.raises(ParamsError, match="name stands twice"):
        decision_curve(pd.DataFrame({"treat all": [0.1, 0.2]}), [0, 1])
    with pytest.raises(DesignError, match="no non-case"):
        decision_curve(pd.Series([0.1, 0.2]), [1, 1])
    with pytest.raises(ParamsError, match="prevalence"):
        decision_curve(RULES, ROWS["case"], prevalence=1)
    assert not decision_optimism_check(decision_curve(RULES, ROWS["case"], developed_here=True)).passed


# Groups

PLAIN = {"cutoff": 10, "reference_group": "a"}
SHOWN = ("sensitivity", "specificity", "ppv", "npv", "referral_rate")


def joined(found, kind):
    frame = found.to_frame().query("kind == @kind")
    oracle = pd.read_csv(ORACLE / "decision_groups.csv").rename(columns={"measure": "term"})
    keys = ["term"] if kind == "global" else ["term", "group"]
    return frame.merge(oracle.drop_duplicates(keys), on=keys, suffixes=("", "_r"))


def test_groups_equal_prop_test_and_p_adjust():
    found = subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=SHOWN, **PLAIN)
    level, gap, whole = (joined(found, kind) for kind in ("level", "difference", "global"))
    assert len(level) == 15 and len(gap) == 10 and len(whole) == 5 and found.n_hypotheses == 10
    assert (level["numerator"] == level["x"]).all() and (level["denominator"] == level["n"]).all()
    for column, wanted in (("p_value", "p"), ("p_holm", "p_holm_r"), ("p_bh", "p_bh_r")):
        assert gap[column].to_numpy() == pytest.approx(gap[wanted].to_numpy(), abs=1e-12)
    assert whole["p_value"].to_numpy() == pytest.approx(whole["p_global"].to_numpy(), abs=1e-12)
    first = terms(two_by_two(59, 104, 19, 230)).loc["sensitivity", ["conf_low", "conf_high"]]
    assert tuple(level.iloc[0][["conf_low", "conf_high"]]) == pytest.approx(tuple(first))


def test_groups_by_design_equal_svyby():
    found = subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=SHOWN, **PLAIN, **DESIGN)
    level, gap, whole = (joined(found, kind) for kind in ("level", "difference", "global"))
    for frame, column, wanted in ((level, "estimate", "w_estimate"), (level, "std_error", "w_se"), (gap, "estimate", "w_difference"),
                                  (gap, "std_error", "w_difference_se"), (whole, "statistic", "w_chi2")):  # fmt: skip
        assert frame[column].to_numpy() == pytest.approx(frame[wanted].to_numpy(), abs=1e-10), wanted
    assert whole["df"].tolist() == [2] * 5 and (whole["test"] == "Wald").all()


def test_rows_and_cells_of_groups_give_the_same_digits():
    test, case = ROWS["score"] >= 10, ROWS["case"] == 1
    cells = pd.DataFrame(
        {"group": ROWS["group"], "tp": test & case, "fp": test & ~case, "fn": ~test & case, "tn": ~test & ~case}
    )
    table = cells.groupby("group", as_index=False).sum()
    one = subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=(*SHOWN, "fnr"), **PLAIN)
    other = subgroup_accuracy_from_counts(table, reference_group="a", measures=(*SHOWN, "fnr"))
    assert one.to_frame().equals(other.to_frame()) and one.groups.equals(other.groups)


def test_the_area_of_a_group_is_that_of_its_rows():
    rows = ROWS[ROWS["group"] == "b"]
    ways = ({}, {"weights": "weight"}, {"cluster": "school"}, {"cluster": "school", "weights": "weight"})
    for how in ways:
        whole, part = ({name: frame[column] for name, column in how.items()} for frame in (ROWS, rows))
        found = subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=["auc"], **PLAIN, **whole)
        row = found.to_frame().query("kind == 'level' and group == 'b'").iloc[0]
        alone = roc(rows["score"], rows["case"], **part)
        assert (row["estimate"], row["std_error"]) == pytest.approx((alone.auc, alone.std_error), abs=1e-12)


def test_areas_of_women_and_men_in_the_ghq_table():
    # pROC on HSAUR3's GHQ: .87901651 and .8964557, D = -.34346877 (women - men); 57/40/11/170 at >= 2 in all.
    table = pd.read_csv(ORACLE / "decision_ghq.csv")
    kinds = {"cases": 1, "non.cases": 0}
    rows = pd.concat([table.loc[table.index.repeat(table[kind])].assign(case=case) for kind, case in kinds.items()])
    found = subgroup_accuracy(rows["GHQ"], rows["case"], rows["gender"], cutoff=2, reference_group="male")
    area = found.to_frame().query("term == 'auc'").set_index(["kind", "group"])
    assert area["estimate"].to_numpy()[:2] == pytest.approx([0.87901651, 0.8964557], abs=1e-8)
    assert area.at[("difference", "female"), "statistic"] == pytest.approx(-0.34346877, abs=1e-7)
    cells = two_by_two_from_rows(rows["GHQ"] >= 2, rows["case"])
    assert (cells.tp, cells.fp, cells.fn, cells.tn) == (57, 40, 11, 170)


@pytest.fixture(scope="module")
def partly():
    rng = np.random.default_rng(5)
    n = 6000
    group, score = rng.choice(["girls", "boys"], n), rng.integers(0, 28, n)
    case = (rng.random(n) < 0.02 + 0.4 * score / 27).astype(float)
    chance = np.where(score >= 15, 0.9, 0.3)
    seen = rng.random(n) < chance
    return pd.DataFrame({"group": group, "score": score, "case": np.where(seen, case, np.nan), "chance": chance})


@pytest.mark.parametrize("method", ["begg_greenes", "ipw"])
def test_a_corrected_group_is_its_rows_corrected(partly, method):
    how = {"verification_probability": partly["chance"]} if method == "ipw" else {}
    found = subgroup_accuracy(
        partly["score"], partly["case"], partly["group"], cutoff=15, reference_group="boys", correction=method, **how
    ).to_frame()  # fmt: skip
    rows = partly[partly["group"] == "girls"]
    part = {"verification_probability": rows["chance"]} if method == "ipw" else {}
    alone = terms(verification_corrected(rows["score"] >= 15, rows["case"], method=method, **part))
    mine = found.query("kind == 'level' and group == 'girls'").set_index("term")
    for term in ("sensitivity", "specificity", "ppv", "npv"):
        assert mine.at[term, "estimate"] == pytest.approx(alone.at[term, "estimate"], abs=1e-10)
        assert mine.at[term, "std_error"] == pytest.approx(alone.at[term, "std_error"], rel=0.002)
    assert mine.at["referral_rate", "estimate"] == pytest.approx((rows["score"] >= 15).mean())


def test_missed_cases_are_one_hypothesis_with_sensitivity():
    found = subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=["sensitivity", "fnr"], **PLAIN)
    frame = found.to_frame().query("kind == 'difference'")
    assert found.n_hypotheses == 2
    assert frame[frame["term"] == "fnr"]["p_holm"].tolist() == frame[frame["term"] == "sensitivity"]["p_holm"].tolist()


def test_small_groups_are_refused_and_keep_their_referrals():
    table = pd.DataFrame(
        {"group": ["a", "b", "c"], "tp": [40, 30, 3], "fp": [20, 20, 9], "fn": [10, 15, 4], "tn": [80, 90, 60]}
    )
    found = subgroup_accuracy_from_counts(table, reference_group="a")
    assert [(group, why.code) for _, group, why in found.refusals] == [("c", "small_group")]
    frame = found.to_frame()
    row = frame.query("term == 'sensitivity' and kind == 'level' and group == 'c'").iloc[0]
    assert row["refused"] == "small_group" and np.isnan(row["estimate"]) and np.isnan(row["numerator"])
    assert frame.query("term == 'referral_rate' and kind == 'level' and group == 'c'")["estimate"].item() == 12 / 76
    assert "c" not in set(frame.query("kind == 'difference' and term != 'referral_rate'")["group"])
    # A refused reference group leaves nothing to be compared with.
    alone = subgroup_accuracy_from_counts(table, reference_group="c")
    assert set(alone.to_frame().query("kind == 'difference'")["term"]) == {"referral_rate"}


def test_a_group_without_verified_negatives_is_refused_by_its_own_code(partly):
    case = partly["case"].mask((partly["group"] == "girls") & (partly["score"] < 15))
    found = subgroup_accuracy(
        partly["score"], case, partly["group"], cutoff=15, reference_group="boys", correction="begg_greenes"
    )  # fmt: skip
    assert [(group, why.code) for _, group, why in found.refusals] == [("girls", "no_verified_negatives")]


def test_rare_counts_are_tested_exactly_or_not_at_all():
    from scipy.stats import fisher_exact

    table = pd.DataFrame(
        {"group": ["a", "b", "c"], "tp": [19, 20, 20], "fp": [20, 20, 20], "fn": [1, 0, 0], "tn": [80, 90, 70]}
    )
    frame = subgroup_accuracy_from_counts(table, reference_group="a").to_frame().query("term == 'sensitivity'")
    gap = frame.query("kind == 'difference'").iloc[0]
    assert gap["test"] == "Fisher exact" and gap["p_value"] == pytest.approx(fisher_exact([[20, 0], [19, 1]]).pvalue)
    assert np.isnan(frame.query("kind == 'global'")["p_value"].item())


def test_faults_of_groups_are_told(partly):
    score, case, group = ROWS["score"], ROWS["case"], ROWS["group"]
    with pytest.raises(DataError, match="or choose a correction"):
        subgroup_accuracy(partly["score"], partly["case"], partly["group"], cutoff=15, reference_group="boys")
    with pytest.raises(ParamsError, match="is no group of group"):
        subgroup_accuracy(score, case, group, cutoff=10, reference_group="z")
    with pytest.raises(ParamsError, match="none for town"):
        subgroup_accuracy(score, case, pd.DataFrame({"g": group, "town": group}), cutoff=10, reference_group={"g": "a"})
    with pytest.raises(ParamsError, match="wanted by correction='ipw'"):
        subgroup_accuracy(score, case, group, correction="ipw", **PLAIN)
    with pytest.raises(ParamsError, match="not used by Begg"):
        subgroup_accuracy(score, case, group, correction="begg_greenes", weights=ROWS["weight"], **PLAIN)
    with pytest.raises(ParamsError, match="measures"):
        subgroup_accuracy(score, case, group, measures=["rank"], **PLAIN)
    with pytest.raises(DataError, match="1 of 800 rows name no group"):
        subgroup_accuracy(score, case, group.mask(group.index == 3), **PLAIN)
    with pytest.raises(DesignError, match="fewer than two groups"):
        subgroup_accuracy(score, case, pd.Series(["a"] * 800), **PLAIN)
    with pytest.raises(DataError, match="no column tn"):
        subgroup_accuracy_from_counts(pd.DataFrame({"group": ["a"], "tp": 1, "fp": 1, "fn": 1}), reference_group="a")


def test_adjusted_p_values_by_hand_with_one_missing():
    p = np.array([0.01, np.nan, 0.04, 0.03])
    assert holm(p) == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
    assert benjamini_hochberg(p) == pytest.approx([0.03, np.nan, 0.04, 0.04], nan_ok=True)


def test_one_cutoff_or_several():
    score = np.array([3, 3, 2, 1, 3, 2, 1, 1, 3, 3, 3, 2, 3, 2, 2, 1])
    case = np.array([1, 1, 1, 1, 0, 0, 0, 0] * 2)
    group = np.repeat(["a", "b"], 8)
    found = cutoffs_by_group(score, case, group, cutoff=3, fewest_cases=4, fewest_verified=8)
    # At >= 3: a 2/4 and 3/4, b 3/4 and 3/4; specificity .75 both, so each keeps 3.
    assert found.target == 0.75 and found.tradeoff["own_cutoff"].tolist() == [3, 3]
    assert found.tradeoff["sensitivity_at_target"].tolist() == [0.5, 0.75] == found.tradeoff["sensitivity"].tolist()
    half = cutoffs_by_group(score, case, group, cutoff=3, target=0.625, fewest_cases=4, fewest_verified=8).tradeoff
    # a: specificity .5 at 2 (Se .75) and .75 at 3 (Se .5); half way .625. b: .25 at 2 (Se 1), .75 at 3 (Se .75).
    assert half["sensitivity_at_target"].tolist() == pytest.approx([0.625, 0.8125])
    turned = cutoffs_by_group(-score, case, group, cutoff=-3, direction="<=", fewest_cases=4, fewest_verified=8)
    assert turned.tradeoff["own_cutoff"].tolist() == [-3, -3]
    assert cutoffs_by_group(score, case, group, cutoff=3).tradeoff.empty and len(found.to_frame()) == 8


def test_the_grid_holds_the_table_of_each_group():
    grid = cutoffs_by_group(ROWS["score"], ROWS["case"], ROWS["group"], cutoff=10).grid
    level = joined(subgroup_accuracy(ROWS["score"], ROWS["case"], ROWS["group"], measures=SHOWN, **PLAIN), "level")
    at = grid[grid["cutoff"] == 10]
    for term, columns in (("sensitivity", ("se_low", "se_high")), ("specificity", ("sp_low", "sp_high"))):
        rows = level[level["term"] == term]
        assert at[term].tolist() == rows["estimate"].tolist()
        for mine, theirs in zip(columns, ("conf_low", "conf_high"), strict=True):
            assert at[mine].to_numpy() == pytest.approx(rows[theirs].to_numpy(), abs=1e-12)


# Stages and yield

RICHARDSON = ScreeningStage(
    sensitivity=17 / 19, specificity=328 / 423, sensitivity_error=0.03, specificity_error=0.02, cost=5
)
SECOND = ScreeningStage(sensitivity=0.9, specificity=0.9, sensitivity_error=0.02, specificity_error=0.02, cost=100)
PUPILS = {"population": 130_000, "prevalence": (19 / 442, 0.003), "n_used": 442}


def test_the_capacity_demonstration():
    one, two = screening_yield(RICHARDSON, **PUPILS), screening_yield([RICHARDSON, SECOND], **PUPILS)
    assert (round(one.cases), round(one.found), round(one.false_alarms)) == (5588, 5000, 27_941)
    assert (round(one.referral_share, 3), round(one.ppv, 4)) == (0.253, 0.1518)
    assert (round(two.found), round(two.false_alarms), round(two.ppv, 3)) == (4500, 2794, 0.617)
    assert (round(two.sensitivity, 3), round(two.specificity, 3), round(two.nns, 1)) == (0.805, 0.978, 28.9)
    assert two.stages["tested"].round().tolist() == [130_000, 32_941]
    assert two.cost_per_case == pytest.approx((130_000 * 5 + 32_941.17647 * 100) / 4500)


def test_delta_and_monte_carlo_agree():
    delta = terms(screening_yield([RICHARDSON, SECOND], **PUPILS, cost_referral=300))
    drawn = terms(screening_yield([RICHARDSON, SECOND], **PUPILS, cost_referral=300, n_draws=40_000, seed=1))
    for bound in ("conf_low", "conf_high"):
        away = (drawn[bound] - delta[bound]) / delta["std_error"]
        assert away.abs().max() < 0.25, away
    again = screening_yield([RICHARDSON, SECOND], **PUPILS, cost_referral=300, n_draws=40_000, seed=1)
    assert terms(again).equals(drawn)


def test_the_apparent_prevalence_leads_back_to_the_true_one():
    found = screening_yield(RICHARDSON, population=1000, apparent_prevalence=112 / 442, n_used=442)
    assert found.prevalence == pytest.approx(19 / 442)
    with pytest.raises(DesignError, match="true prevalence outside 0 to 1"):
        screening_yield(RICHARDSON, population=1000, apparent_prevalence=0.1, n_used=442)


def test_dependence_by_hand_and_its_bounds():
    # Cases: P(both) = .8 * .7 + .05 = .61; others: .1 * .2 + .01 = .03.
    pair = [ScreeningStage(sensitivity=0.8, specificity=0.9), ScreeningStage(sensitivity=0.7, specificity=0.8)]
    serial = net_accuracy(pair, case_dependence=0.05, noncase_dependence=0.01)
    beside = net_accuracy(pair, rule="parallel", case_dependence=0.05, noncase_dependence=0.01)
    assert (serial.sensitivity, serial.specificity) == pytest.approx((0.61, 0.97))
    assert (beside.sensitivity, beside.specificity) == pytest.approx((0.89, 0.73))
    assert (serial.sensitivity_low, serial.sensitivity_high) == pytest.approx((0.5, 0.7))
    assert (serial.specificity_low, serial.specificity_high) == pytest.approx((0.9, 1.0))
    assert (beside.sensitivity_low, beside.sensitivity_high) == pytest.approx((0.8, 1.0))
    with pytest.raises(DataError, match="two such tests cannot have"):
        net_accuracy(pair, case_dependence=0.2)
    three = net_accuracy([*pair, pair[0]])
    assert three.sensitivity == pytest.approx(0.8 * 0.7 * 0.8) and np.isnan(three.sensitivity_low)


def test_faults_of_yield_are_told():
    with pytest.raises(ParamsError, match="both prevalences are given, or none"):
        screening_yield(RICHARDSON, population=10, n_used=1)
    with pytest.raises(ParamsError, match="seed"):
        screening_yield(RICHARDSON, **PUPILS, n_draws=10)
    with pytest.raises(DataError, match="population"):
        screening_yield(RICHARDSON, population=0, prevalence=0.1, n_used=1)
    with pytest.raises(DataError, match="an accuracy of stage 1 lies outside"):
        net_accuracy([ScreeningStage(sensitivity=80, specificity=0.9)])
    with pytest.raises(ParamsError, match="is empty"):
        net_accuracy([])
    with pytest.raises(ParamsError, match="two stages"):
        net_accuracy([RICHARDSON], case_dependence=0.01)


unit = st.floats(0.05, 0.95)


@settings(deadline=None, max_examples=60)
@given(unit, unit, unit, unit, unit)
def test_serial_finds_less_and_alarms_less_than_parallel(a, b, c, d, prevalence):
    pair = [ScreeningStage(sensitivity=a, specificity=b), ScreeningStage(sensitivity=c, specificity=d)]
    serial, beside = (
        screening_yield(pair, population=1000, prevalence=prevalence, n_used=1, rule=rule)
        for rule in ("serial", "parallel")
    )
    assert serial.found <= beside.found + 1e-9 and serial.false_alarms <= beside.false_alarms + 1e-9
    for found in (serial, beside):
        assert found.found + found.missed == pytest.approx(found.cases)
        assert found.found + found.false_alarms == pytest.approx(found.referrals)
        assert found.net.sensitivity_low - 1e-9 <= found.sensitivity <= found.net.sensitivity_high + 1e-9
