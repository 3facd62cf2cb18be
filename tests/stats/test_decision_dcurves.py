"""Calibration and net benefit on the data of dcurves (MIT; tests/oracle/README-data.md), to the digits printed.

The values come from R 4.2.2 (dcurves 0.5.1, rms 6.5, loess of span 0.75). Calibration is that of a risk made wrong
on purpose, p' = expit(0.5 + 1.3 logit p); net benefit is that of the risk as it came. The Hosmer-Lemeshow statistic is
no measure of ours, on purpose: it hangs on how the groups are cut, and says neither how large nor of which kind the error
is; slope, calibration in the large and ICI do. R's figure (27.8623788) here holds the groups of risk that we show.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from mhlib.stats.accuracy import calibration, decision_curve, roc

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
ROWS = pd.read_csv(ORACLE / "dca_binary.csv")
WRONG = expit(0.5 + 1.3 * logit(ROWS["risk"]))
THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
PRINTED = {
    "citl": "-.135070052",
    "intercept": "-.384615355",
    "slope": ".769230791",
    "o_e": ".931810172",
    "brier": ".0857537",
    "ici": ".0263778333",
    "e50": ".0193271",
    "e90": ".0601454",
}
NET_BENEFIT = {
    "risk": (0.105543860, 0.087407407, 0.079215686, 0.067333333, 0.064000000, 0.054666667),
    "treat all": (0.094736842, 0.044444444, -0.011764706, -0.075, -0.146666667, -0.228571429),
    "treat none": (0, 0, 0, 0, 0, 0),
}


def half_a_digit(printed):
    """Half a unit of the last digit printed."""
    return 0.5000001 * 10.0 ** -len(printed.split(".")[1])


@pytest.fixture(scope="module")
def wrong():
    return calibration(WRONG, ROWS["case"])


@pytest.fixture(scope="module")
def benefit():
    return decision_curve(ROWS["risk"], ROWS["case"], thresholds=THRESHOLDS).table.set_index(["rule", "threshold"])


def test_the_rows_are_the_750_with_105_events():
    assert (len(ROWS), ROWS["case"].sum()) == (750, 105)


@pytest.mark.parametrize("term", PRINTED)
def test_calibration_of_a_wrong_risk_equals_r(wrong, term):
    printed = PRINTED[term]
    assert getattr(wrong, term) == pytest.approx(float(printed), abs=half_a_digit(printed))


def test_the_groups_of_risk_give_the_hosmer_lemeshow_statistic_of_r(wrong):
    groups, expected = wrong.points, wrong.points["n"] * wrong.points["mean_risk"]
    statistic = ((groups["n_case"] - expected) ** 2 / (expected * (1 - groups["mean_risk"]))).sum()
    assert statistic == pytest.approx(27.8623788, abs=5e-8)


def test_recalibration_undoes_what_was_done_to_the_risk(wrong):
    # The risk as it came is a logistic fit to these rows, written with seven decimals: its slope is 1, intercept 0.
    as_it_came = calibration(ROWS["risk"], ROWS["case"])
    assert (as_it_came.citl, as_it_came.intercept, as_it_came.slope) == pytest.approx((0, 0, 1), abs=1e-7)
    assert (wrong.slope, wrong.intercept) == pytest.approx((1 / 1.3, -0.5 / 1.3), abs=1e-7)


def test_area_is_the_exact_one_and_r_prints_it_from_groups():
    # rms counts pairs in 5,000 steps of the fitted risk and prints .8606202; pROC and Wilcoxon's sum give the exact area.
    found = roc(WRONG, ROWS["case"]).auc
    assert found == pytest.approx(0.8606275378, abs=5e-11)
    assert roc(ROWS["risk"], ROWS["case"]).auc == pytest.approx(found, abs=1e-15)
    grouped = np.floor(5000 * ROWS["risk"])
    assert roc(grouped, ROWS["case"]).auc == pytest.approx(0.8606202, abs=5e-8)


@pytest.mark.parametrize("rule", NET_BENEFIT)
def test_net_benefit_equals_dcurves(benefit, rule):
    assert benefit.loc[rule, "net_benefit"].tolist() == pytest.approx(NET_BENEFIT[rule], abs=5.0001e-10)


def test_interventions_avoided_equal_dcurves(benefit):
    # dcurves counts per person.
    assert benefit.at[("risk", 0.10), "avoided_per_100"] / 100 == pytest.approx(0.3866666667, abs=5e-11)
