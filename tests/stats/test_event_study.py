"""Event studies against R (tests/oracle/make_did.R), R's published HonestDiD figures, diff-diff, by hand and at the edges."""

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DesignError, ParamsError
from mhlib.stats.effects.did_inference import Inferred, joint_zero
from mhlib.stats.effects.did_rollout import did_staggered
from mhlib.stats.effects.event_honest import breakdown, folded_quantile, relative_magnitudes, smoothness
from mhlib.stats.effects.event_leads import detected_slope, event_study

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
VALUES = pd.read_csv(ORACLE / "did_values.csv").set_index(["case", "term"])
MPDTA = pd.read_csv(ORACLE / "did_mpdta.csv.gz")
COUNTY = {"outcome": "lemp", "unit": "county", "time": "year", "first_treated": "first", "compare": False}


def known(estimates, covariance, df=math.inf):
    """Effects of a given covariance."""
    covariance = np.asarray(covariance, dtype=float)
    errors = np.sqrt(np.diag(covariance))
    return Inferred(
        np.asarray(estimates, dtype=float), errors, np.full(len(errors), df), covariance[None], np.array([df])
    )


def medicaid():
    """Leads and lags of Medicaid's expansion in 2014 (43 states, base 2013), clustered as fixest does.

    Source: did_medicaid.csv, share of poor childless adults insured by state and year 2008-15 (ACS), the example of R's
    HonestDiD, from PyPI's moderndid 0.2.0; `treated` expanded in 2014, others not by 2015.
    """
    table = pd.read_csv(ORACLE / "did_medicaid.csv")
    y = table[[f"y{year}" for year in range(2008, 2016)]].to_numpy()
    change = np.delete(y - y[:, [5]], 5, axis=1)
    on = table["treated"].to_numpy() == 1
    means = change[on].mean(axis=0), change[~on].mean(axis=0)
    own = np.where(on[:, None], (change - means[0]) / on.sum(), (change - means[1]) / (~on).sum())
    return known(means[0] - means[1], own.T @ own * 43 / 42 * (344 - 1) / (344 - 15))


FIRST = np.array([1.0, 0.0])
# README of asheshrambachan/HonestDiD: createSensitivityResults, FLCI for 2014.
PUBLISHED_SMOOTH = {
    0.0: (0.0259, 0.0607), 0.01: (0.0132, 0.0787), 0.02: (0.00286, 0.0907), 0.03: (-0.00714, 0.101),
    0.04: (-0.0171, 0.111), 0.05: (-0.0271, 0.121),
}  # fmt: skip
# The same, createSensitivityResults_relativeMagnitudes, C-LF: the conditional tests, shorter than our union.
PUBLISHED_SIZE = {0.5: (0.0240, 0.0672), 1.0: (0.0170, 0.0720), 1.5: (0.00824, 0.0797), 2.0: (-0.000916, 0.0881)}


@pytest.mark.parametrize("limit", PUBLISHED_SMOOTH)
def test_smoothness_gives_the_published_intervals(limit):
    found = smoothness(medicaid(), 5, FIRST, limit, 0.95)
    low, high = PUBLISHED_SMOOTH[limit]
    assert found.conf_low == pytest.approx(low, abs=1.5e-4)
    assert found.conf_high == pytest.approx(high, abs=5.1e-4)


@pytest.mark.parametrize("limit", PUBLISHED_SIZE)
def test_relative_magnitudes_hold_the_published_intervals_and_little_more(limit):
    found = relative_magnitudes(medicaid(), 5, FIRST, limit, 0.95)
    low, high = PUBLISHED_SIZE[limit]
    assert low - 0.006 < found.conf_low < low and high < found.conf_high < high + 0.005


def surface(found, n_leads):
    """The same effects as diff-diff reads them."""
    from diff_diff.results_base import EventStudyResults

    m = len(found.estimates)
    events = np.array([*range(-n_leads - 1, -1), *range(m - n_leads)])
    nan = np.full(m + 1, np.nan)
    return EventStudyResults(
        event_time=np.insert(events, n_leads, -1), att=np.insert(found.estimates, n_leads, 0.0),
        se=np.insert(found.std_errors, n_leads, np.nan), t_stat=nan, p_value=nan, conf_int_lower=nan, conf_int_upper=nan,
        is_reference=np.arange(m + 1) == n_leads, n=nan, reference_period=-1, vcov=found.covariance, vcov_index=events,
        source="CallawaySantAnnaResults", base_period="universal", reference_event_times=(-1,),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bounds_and_intervals_of_diff_diff(seed):
    import diff_diff

    rng = np.random.default_rng(seed)
    root = rng.normal(size=(7, 30))
    found = known(rng.normal(size=7), 0.01 * root @ root.T)
    target = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1]][seed - 1], dtype=float)
    for limit in (0.0, 0.3, 3.0):
        for method, ours in (
            ("smoothness", smoothness(found, 4, target, limit, 0.95)),
            ("relative_magnitude", relative_magnitudes(found, 4, target, limit, 0.95)),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peer = diff_diff.HonestDiD(method=method, M=limit, l_vec=target).fit(surface(found, 4))
            np.testing.assert_allclose([ours.low, ours.high], [peer.lb, peer.ub], atol=1e-6)
            if method == "smoothness":
                np.testing.assert_allclose(ours.conf_high - ours.conf_low, peer.ci_ub - peer.ci_lb, rtol=2e-3)


def test_bounds_by_hand():
    # One lead of .2 (a step of -.2), one lag of 1 with error .1, independent.
    found = known([0.2, 1.0], np.diag([0.04, 0.01]))
    size = relative_magnitudes(found, 1, np.array([1.0]), 2.0, 0.95)
    assert (size.low, size.high) == pytest.approx((0.6, 1.4))
    half = 1.959964 * math.sqrt(0.01 + 4 * 0.04)
    assert (size.conf_low, size.conf_high) == pytest.approx((0.6 - half, 1.4 + half), abs=1e-6)
    bend = smoothness(found, 1, np.array([1.0]), 0.0, 0.95)
    # The trend goes on: 1 - (-.2) = 1.2, error root(.01 + .04).
    assert bend.low == bend.high == pytest.approx(1.2)
    assert bend.conf_high - 1.2 == pytest.approx(1.959964 * math.sqrt(0.05), abs=1e-6)
    plain = relative_magnitudes(found, 1, np.array([1.0]), 0.0, 0.95)
    assert plain.conf_low == pytest.approx(1 - 1.959964 * 0.1, abs=1e-6) and plain.excludes_nought
    # Nought enters when 1 - .2 m - 1.96 root(.01 + .04 m2) = 0.
    limit = breakdown(lambda m: relative_magnitudes(found, 1, np.array([1.0]), m, 0.95), 10.0)
    assert 1 - 0.2 * limit - 1.959964 * math.sqrt(0.01 + 0.04 * limit**2) == pytest.approx(0, abs=1e-4)


def test_folded_quantile_by_simulation():
    draws = np.abs(np.random.default_rng(5).normal(size=400_000) + 1.3)
    value, slope = folded_quantile(1.3, 0.95)
    assert value == pytest.approx(np.quantile(draws, 0.95), abs=0.01)
    assert slope == pytest.approx((folded_quantile(1.301, 0.95)[0] - folded_quantile(1.299, 0.95)[0]) / 0.002, abs=1e-5)


def test_few_schools_widen_the_smoothness_interval_to_t():
    estimates, covariance = [0.1, -0.1, 1.0], np.diag([0.04, 0.04, 0.01])
    wide = smoothness(known(estimates, covariance, df=6), 2, np.array([1.0]), 0.0, 0.95)
    normal = smoothness(known(estimates, covariance), 2, np.array([1.0]), 0.0, 0.95)
    assert (wide.conf_high - wide.conf_low) / (normal.conf_high - normal.conf_low) == pytest.approx(2.446912 / 1.959964)


def leads_of_2007():
    rows = MPDTA[MPDTA["first"].isin([0, 2007])]
    found = did_staggered(rows, **COUNTY)
    return event_study(found)


def test_joint_test_and_its_power_are_those_of_r():
    found = leads_of_2007()
    wanted = VALUES.loc[("joint", "leads of 2007")]
    assert found.pre_test.statistic == pytest.approx(wanted["estimate"], rel=1e-9)
    assert found.pre_test.df2 == pytest.approx(wanted["df"], rel=1e-9)
    assert found.pre_test.p_value == pytest.approx(wanted["p_value"], rel=1e-9)
    for row in found.power:
        assert row.slope == pytest.approx(VALUES.loc[("power", f"slope {row.power:g}"), "estimate"], rel=1e-6)
        # One lag: the trend has gone one step.
        assert row.bias == pytest.approx(row.slope)


def test_a_whole_event_study():
    found = event_study(did_staggered(MPDTA, **COUNTY))
    assert list(found.event_times) == [-4, -3, -2, 0, 1, 2, 3]
    assert found.effect.low == pytest.approx(-0.0772, abs=5e-5)
    assert found.power[1].bias == pytest.approx(2.5 * found.power[1].slope)
    assert found.power[0].slope < found.power[1].slope
    widths = [b.conf_high - b.conf_low for b in found.bounds]
    assert widths[:4] == sorted(widths[:4]) and widths[4:] == sorted(widths[4:])
    assert 0 < found.breakdown_mbar < 1 and not found.bounds[1].excludes_nought
    assert found.checks[0].name.template == "No trend before the programme"
    frame = found.honest_frame()
    assert list(frame["term"]) == ["relative_magnitudes"] * 4 + ["smoothness"] * 4
    assert len(found.to_frame()) == 7
    one = event_study(did_staggered(MPDTA, **COUNTY, method="sun_abraham"), target="e=0")
    assert one.effect.low == pytest.approx(-0.0199, abs=5e-5) and one.breakdown_mbar == 0


def roll(first, terms=5, seed=2):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {"school": np.repeat(np.arange(len(first)), terms), "term": np.tile(np.arange(1, terms + 1), len(first))}
    )
    return rows.assign(first=np.asarray(first)[rows["school"]], y=rng.normal(size=len(rows)))


ROLL = {"outcome": "y", "unit": "school", "time": "term", "first_treated": "first", "compare": False}


def test_no_lead_and_too_few_schools_are_refused():
    none = event_study(did_staggered(roll([2] * 6 + [0] * 6, terms=2), **ROLL))
    assert none.refusals["pre_test"].code == none.refusals["honest"].code == "no_term_before"
    assert not none.bounds and math.isnan(none.breakdown_mbar) and math.isnan(none.pre_test.p_value)
    few = event_study(did_staggered(roll([5] * 3 + [0] * 3), **ROLL))
    assert few.refusals["pre_test"].code == "too_few_schools_for_leads" and math.isnan(few.pre_test.p_value)
    assert not few.power and not few.checks


def test_event_times_beyond_a_gap_are_left_out_and_counted():
    found = did_staggered(MPDTA, **COUNTY)
    errors = found.std_errors.copy()
    errors[[found.position("e=2"), found.position("e=-3")]] = np.nan
    short = event_study(replace(found, std_errors=errors))
    assert list(short.event_times) == [-2, 0, 1] and short.n_dropped == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": "e=9"}, "not known"),
        ({"mbar": (-1.0,)}, "below 0"),
        ({"power": (1.2,)}, "power"),
        ({"alpha": 0}, "alpha"),
    ],
)
def test_event_studies_refuse_in_words(options, text):
    with pytest.raises(ParamsError, match=text):
        event_study(did_staggered(roll([3] * 6 + [0] * 6), **ROLL), **options)


def test_two_stage_and_single_schools_are_refused():
    rows = roll([3] * 6 + [0] * 6)
    with pytest.raises(ParamsError, match="no common base"):
        event_study(did_staggered(rows, **ROLL, method="did2s"))
    with pytest.raises(DesignError, match="no effect with an error"):
        event_study(did_staggered(roll([3] + [0] * 6), **ROLL))


def test_a_larger_power_needs_a_larger_slope():
    covariance = np.array([[2.0, 1.0], [1.0, 1.0]])
    test = joint_zero(known([0.1, 0.2], covariance, df=20))
    slopes = [detected_slope(covariance, np.array([-3, -2]), test, power, 0.05) for power in (0.05, 0.2, 0.5, 0.9)]
    assert slopes[0] == 0 and slopes == sorted(slopes)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 20), slope=st.floats(-2, 2))
def test_a_straight_trend_does_not_move_the_smooth_interval(seed, scale, slope):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 12))
    covariance, target = root @ root.T / 100, np.array([0.5, 0.5])
    estimates = rng.normal(size=5)
    times = np.array([-3, -2, -1, 1, 2])
    one = smoothness(known(estimates, covariance), 3, target, 0.1, 0.95)
    moved = smoothness(known(scale * (estimates + slope * times), scale**2 * covariance), 3, target, 0.1 * scale, 0.95)
    assert moved.conf_low == pytest.approx(scale * one.conf_low, abs=1e-3 * scale)
    assert moved.conf_high == pytest.approx(scale * one.conf_high, abs=1e-3 * scale)
