"""Interrupted time series: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.series_fit import newey_west_lag
from mhlib.stats.effects.series_segmented import interrupted_time_series

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ROWS, VALUES = (pd.read_csv(ORACLE / f"series_{name}.csv") for name in ("rows", "values"))
# The first week of the programme: 22 taught weeks and 3 of holidays lie before it.
START = 25
CASES = {
    "": {},
    "season, ": {"season": "term"},
    "weighted, ": {"weights": "pupils"},
    "controlled, ": {"control": "other"},
}


def fitted(**options):
    return interrupted_time_series(ROWS, outcome="outcome", time="week", start=START, **options)


def wanted(case):
    return VALUES[VALUES["case"] == case].set_index("term")


def by_method(result, beginning):
    table = result.by_method
    return table[table["method"].str.startswith(beginning)].set_index("term")


@pytest.mark.parametrize("case", CASES)
def test_newey_west_equals_r(case):
    found, r = by_method(fitted(**CASES[case]), "least squares, Newey-West 3"), wanted(f"{case}newey-west")
    np.testing.assert_allclose(found.loc[r.index, ["estimate", "std_error", "df"]], r[["estimate", "std_error", "df"]],
                               rtol=1e-8)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_first_method_equals_gls_and_kenward_roger_by_hand(case):
    # gls stops where its optimiser does: about six digits of rho.
    result, r = fitted(**CASES[case]), wanted(f"{case}ar1")
    found = result.effects.set_index("term").loc[r.index]
    np.testing.assert_allclose(result.rho, wanted(f"{case}ar1, rho")["estimate"].item(), atol=1e-5)
    np.testing.assert_allclose(found["estimate"], r["estimate"], rtol=1e-5)
    np.testing.assert_allclose(found["std_error"], r["std_error"], rtol=1e-4)
    np.testing.assert_allclose(found["df"], r["df"], rtol=1e-3)


def test_weeks_as_independent_and_residual_tests_equal_r():
    result, r = fitted(), wanted("independent")
    found = by_method(result, "least squares, weeks")
    np.testing.assert_allclose(found.loc[r.index, "std_error"], r["std_error"], rtol=1e-9)
    np.testing.assert_allclose(result.durbin_watson, wanted("residuals").loc["durbin-watson", "estimate"], rtol=1e-9)
    np.testing.assert_allclose(result.ljung_box_p, wanted("residuals").loc["ljung-box", "estimate"], rtol=1e-7)


def test_a_controlled_series_is_the_regression_with_every_interaction():
    r = wanted("controlled, interactions")
    found = by_method(fitted(control="other"), "least squares, Newey-West")
    np.testing.assert_allclose(found.loc[r.index, "estimate"], r["estimate"], rtol=1e-9)


def test_rates_equal_glm():
    result = interrupted_time_series(
        ROWS, outcome="events", time="week", start=START, family="quasi-poisson", exposure="at_risk"
    )
    found, r = by_method(result, "quasi-Poisson, Pearson"), wanted("rates, independent")
    np.testing.assert_allclose(found.loc[r.index, "estimate"], r["estimate"], rtol=1e-6)
    np.testing.assert_allclose(found.loc[r.index, "std_error"], r["std_error"], rtol=1e-6)
    last = result.counterfactual.iloc[-1]
    assert last["difference"] == pytest.approx(math.exp(result.effect("average effect")["estimate"]))
    assert last["fitted"] / last["expected"] == pytest.approx(last["difference"])
    assert (result.weeks["observed"] < 1).all()


def test_rates_with_memory_equal_iterated_gls():
    result = interrupted_time_series(
        ROWS, outcome="events", time="week", start=START, family="quasi-poisson", exposure="at_risk"
    )
    r, found = wanted("rates, ar1, plain"), result.effects.set_index("term")
    np.testing.assert_allclose(result.rho, wanted("rates, ar1, rho")["estimate"].item(), atol=2e-5)
    np.testing.assert_allclose(found.loc[r.index, "estimate"], r["estimate"], rtol=1e-4)
    # The adjustment of first order lengthens every error, and here by less than a fifth.
    ratio = found.loc[r.index, "std_error"] / r["std_error"]
    assert ((ratio > 1) & (ratio < 1.2)).all()


def test_rare_events_are_refused():
    result = interrupted_time_series(ramp().assign(outcome=[0, 1] * 12), start=13, family="quasi-poisson")
    assert isinstance(result, Refused) and result.code == "too_few_events"


def test_a_series_that_drifts_is_told():
    walk = np.cumsum(np.random.default_rng(1).normal(size=60)) * 5
    result = interrupted_time_series(ramp(60, 30, noise=walk), start=31)
    assert result.rho > 0.6
    edge = interrupted_time_series(ramp(60, 30, noise=np.linspace(-3, 3, 60) ** 3 * 10), start=31)
    assert not edge.checks[1].passed and edge.rho > 0.95


def ramp(n=24, start=12, level=-2.0, slope=-0.5, noise=None):
    k = np.arange(n)
    y = 10 + 0.25 * k + np.where(k >= start, level + slope * (k - start), 0.0)
    return pd.DataFrame({"week": k + 1, "outcome": y + (0.1 * np.cos(2.4 * k) if noise is None else noise)})


def test_by_hand_a_planted_line_is_found():
    # Noise alternates within +-1e-6, so level, slope and effects are those planted: -2, -0.5, -2 - 4/2, mean of 0..11 is 5.5.
    result = interrupted_time_series(ramp(noise=1e-6 * (-1.0) ** np.arange(24)), start=13)
    found = result.effects.set_index("term")["estimate"]
    wanted_ = {"level change": -2.0, "slope change": -0.5, "effect after 4 weeks": -4.0, "effect after 8 weeks": -6.0,
               "average effect": -4.75}  # fmt: skip
    for term, value in wanted_.items():
        assert found[term] == pytest.approx(value, abs=1e-5)
    assert result.beyond == (12,) and "effect after 12 weeks" not in found
    row = result.counterfactual.set_index("week").loc[4]
    assert row["expected"] == pytest.approx(10 + 0.25 * 16, abs=1e-5)
    assert row["time"] == 17 and row["observed"] == pytest.approx(10, abs=1e-5)


def test_the_counterfactual_adds_up():
    for options in ({}, {"control": "other"}):
        table = fitted(**options).counterfactual
        np.testing.assert_allclose(table["fitted"] - table["expected"], table["difference"], rtol=1e-9)
        assert (table["expected_low"] < table["expected"]).all() and (table["expected"] < table["expected_high"]).all()


def test_holidays_take_no_place_and_unmeasured_weeks_do():
    whole = fitted()
    renumbered = ROWS.assign(week=np.arange(len(ROWS)))
    dense = interrupted_time_series(renumbered, outcome="outcome", time="week", start=22)
    np.testing.assert_allclose(dense.effects["estimate"], whole.effects["estimate"], rtol=1e-12)
    assert whole.n_excluded == 1 and whole.n_used == 43 and (whole.n_before, whole.n_after) == (21, 22)
    dropped = interrupted_time_series(ROWS.dropna(), outcome="outcome", time="week", start=START)
    assert dropped.n_excluded == 0
    assert abs(dropped.effect("slope change")["estimate"] - whole.effect("slope change")["estimate"]) > 1e-4


def test_a_start_after_a_holiday_or_with_a_term_is_warned_of():
    def passed(frame, **options):
        return interrupted_time_series(frame, **options).checks[0].passed

    frame = ramp()
    assert passed(frame, start=13)
    assert not passed(frame.assign(week=frame["week"] + 3 * (frame["week"] >= 13)), start=16)
    term = np.where((frame["week"] - 1) // 6 % 2 == 0, "a", "b")
    assert not passed(frame.assign(term=term), start=13, season="term")
    term = np.where(frame["week"] // 6 % 2 == 0, "a", "b")
    assert passed(frame.assign(term=term), start=14, season="term")


def test_dates_and_a_series_read_the_same():
    frame = ramp()
    days = pd.date_range("2025-02-17", periods=24, freq="7D")
    one = interrupted_time_series(frame, start=13)
    two = interrupted_time_series(pd.Series(frame["outcome"].to_numpy(), index=days), start="2025-05-12")
    np.testing.assert_allclose(one.effects["estimate"], two.effects["estimate"])


@pytest.mark.parametrize(("n", "start", "code"), [(24, 8, "too_few_weeks_before"), (24, 18, "too_few_weeks_after"),
                                                  (24, 99, "too_few_weeks_after"), (9, 1, "too_few_weeks_before")])  # fmt: skip
def test_refuses_short_series(n, start, code):
    result = interrupted_time_series(ramp(n), start=start)
    assert isinstance(result, Refused) and result.code == code
    assert result.what_to_collect.values["least"] == 8


def test_a_series_in_which_nobody_was_measured_is_refused_without_a_warning():
    found = interrupted_time_series(ramp().assign(outcome=np.nan, people=0.0), start=13, weights="people")
    assert found.code == "too_few_weeks_before"


def test_eight_weeks_on_either_side_are_enough():
    result = interrupted_time_series(ramp(16, 8), start=9)
    assert (result.n_before, result.n_after) == (8, 8)
    # So short a series seldom carries a p-value.
    assert result.effects["p_value"].isna().equals(result.effects["df"] < 4)
    assert (result.effects["df"] <= 12).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"outcome": "none"}, DataError, "no column none"),
        ({"family": "poisson"}, ParamsError, "family"),
        ({"lag": -1}, ParamsError, "negative"),
        ({"at": (1.5,)}, ParamsError, "no whole number"),
        ({"exposure": "week"}, ParamsError, "rates only"),
        ({"family": "quasi-poisson", "weights": "week"}, ParamsError, "neither a comparison"),
        ({"start": "spring"}, ParamsError, "cannot be compared"),
        ({"season": "week"}, DesignError, "follows from the trend"),
        ({"season": "started"}, DesignError, "follows from the trend"),
        ({"weights": "zero"}, DataError, "1 weeks have none"),
    ],
)
def test_wrong_input_is_named(change, error, words):
    frame = ramp().assign(started=lambda f: (f["week"] >= 13) * 1.0, zero=lambda f: (f["week"] > 1) * 1.0)
    with pytest.raises(error, match=words):
        interrupted_time_series(frame, **({"start": 13} | change))


def test_a_week_twice_and_a_flat_outcome_are_refused():
    frame = ramp()
    with pytest.raises(DataError, match="1 rows repeat a week"):
        interrupted_time_series(pd.concat([frame, frame.tail(1)]), start=13)
    with pytest.raises(DesignError, match="the same in every week"):
        interrupted_time_series(frame.assign(outcome=3.0), start=13)
    with pytest.raises(DataError, match="counts below 0"):
        interrupted_time_series(frame.assign(outcome=-1.0 * frame["week"]), start=13, family="quasi-poisson")


def test_the_lag_rule():
    # floor(4 (n / 100)^(2/9)): 100 weeks give 4, 40 give 3, 16 give 2.
    assert [newey_west_lag(n) for n in (100, 40, 16)] == [4, 3, 2]
    assert fitted(lag=5).lag == 5


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(0.1, 20), st.integers(0, 10_000))
def test_shift_and_scale_move_the_effects_as_they_should(shift, scale, seed):
    noise = np.random.default_rng(seed).normal(size=24)
    plain = interrupted_time_series(ramp(noise=noise), start=13)
    frame = ramp(noise=noise).assign(outcome=lambda f: shift + scale * f["outcome"])
    moved = interrupted_time_series(frame.sample(frac=1, random_state=seed), start=13)
    np.testing.assert_allclose(
        moved.effects["estimate"], scale * plain.effects["estimate"], rtol=1e-5, atol=1e-6 * scale
    )
    np.testing.assert_allclose(moved.effects["std_error"], scale * plain.effects["std_error"], rtol=1e-4)
