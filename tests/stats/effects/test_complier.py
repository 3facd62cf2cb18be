"""Uptake and dose: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects.complier_dose import dose_response
from mhlib.stats.effects.complier_iv import complier_effect
from mhlib.stats.effects.complier_sets import FirstAndReduced, anderson_rubin_set, holds

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ROWS, VALUES, DOSE = (pd.read_csv(ORACLE / f"weights_{name}.csv") for name in ("complier_rows", "complier", "dose"))
GIVEN = {"outcome": "y", "assigned": "offered", "received": "took", "cluster": "school"}
CASES = {"plain": {}, "covariates": {"covariates": ["baseline", "sex"]},
         "strata": {"covariates": ["baseline", "sex"], "strata": "stratum"}}  # fmt: skip
NUMBERS = ["estimate", "std_error", "df", "p_value"]


@pytest.mark.parametrize("case", CASES)
def test_complier_effect_equals_ivreg_with_club_sandwich(case):
    result, r = complier_effect(ROWS, **GIVEN, **CASES[case]), VALUES[VALUES["case"] == case].set_index("term")
    found = result.to_frame().set_index("term")
    for term in ("complier effect", "offer", "uptake"):
        np.testing.assert_allclose(
            found.loc[term, NUMBERS].astype(float), r.loc[term, NUMBERS].astype(float), rtol=1e-7
        )
    assert result.estimate == pytest.approx(r.loc["by matrices", "estimate"])
    np.testing.assert_allclose(result.anderson_rubin[0], r.loc[["ar low", "ar high"], "estimate"], rtol=1e-8)
    assert result.anderson_rubin_p == found.loc["offer", "p_value"]


@pytest.mark.parametrize("case", ["line", "pieces", "levels"])
def test_dose_equals_dummies_of_schools_in_r(case):
    result = dose_response(ROWS[ROWS["offered"] == 1], outcome="y", dose="sessions", baseline="baseline", cluster="school",
                           knots=(2, 5))  # fmt: skip
    r = DOSE[DOSE["case"] == case].set_index("term")
    if case != "levels":
        found = result.to_frame().set_index("term").loc[r.index, NUMBERS]
        np.testing.assert_allclose(found, r[NUMBERS], rtol=1e-7)
        return
    levels = result.levels.set_index("dose")
    np.testing.assert_allclose(levels.loc[r.index.astype(float), "difference"], r["estimate"], rtol=1e-7)
    np.testing.assert_allclose(levels.loc[r.index.astype(float), "std_error"], r["std_error"], rtol=1e-7)
    monotone = DOSE[DOSE["case"] == "monotone"]
    np.testing.assert_allclose(levels["monotone"], monotone["estimate"], rtol=1e-7)
    assert math.isnan(levels.loc[8.0, "conf_low"]) and result.design == "as treated, confounded"
    assert [check.passed for check in result.checks][1] is False


def test_by_hand():
    # Offered: 8 of 10 took part, mean 7; others: 0 of 10, mean 5. (7 - 5) / .8 = 2.5.
    frame = pd.DataFrame({"school": np.repeat(np.arange(20), 10), "offered": np.repeat([1, 0] * 10, 10)})
    frame["took"] = frame["offered"] * np.tile([1] * 8 + [0] * 2, 20)
    frame["y"] = 5 + 2.0 * frame["offered"] + np.repeat(np.cos(np.arange(20) // 2 * 1.0), 10)
    result = complier_effect(frame, **GIVEN)
    assert result.estimate == pytest.approx(2.5) and result.uptake["estimate"] == pytest.approx(0.8)
    # Uptake does not vary by school, so the error is that of the offer over .8 and F has no bound.
    assert result.std_error == pytest.approx(result.offer["std_error"] / 0.8)
    assert result.first_stage_f > 1e20 and (result.uptake_offered, result.uptake_others) == (0.8, 0.0)
    assert result.checks[1].passed is True and result.checks[2].passed is None


SHAPES = {
    # reduced, first, variances, critical value 2: discriminants by hand.
    "interval": (FirstAndReduced(1.0, 1.0, 0.04, 0.0, 0.01, 50), 1),
    "rays": (FirstAndReduced(1.0, 0.1, 0.04, 0.0, 0.01, 50), 2),
    "line": (FirstAndReduced(0.1, 0.1, 0.04, 0.0, 0.01, 50), 1),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_anderson_rubin_set_is_what_the_test_does_not_reject(shape):
    stages, pieces = SHAPES[shape]
    found = anderson_rubin_set(stages, 2.0)
    assert len(found) == pieces and (shape == "line") == (found == ((-math.inf, math.inf),))
    for b in np.linspace(-60, 60, 4001):
        kept = abs(stages.reduced - b * stages.first) <= 2 * math.sqrt(stages.variance_at(b))
        assert holds(found, b) == kept


def weak(push, schools=30, seed=3):
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), 20)
    took = (rng.random(len(school)) < 0.3 + push * (school % 2)) * 1
    return pd.DataFrame({"school": school, "offered": school % 2, "took": took, "y": rng.normal(size=len(school))})


def test_weak_uptake_is_refused_and_its_set_is_shown():
    result = complier_effect(weak(0.02), **GIVEN)
    assert result.refusals["complier effect"].code == "little_difference_in_uptake"
    assert math.isnan(result.estimate) and math.isnan(result.conf_low) and len(result.anderson_rubin) >= 1
    assert not math.isnan(result.offer["p_value"])
    unsure = complier_effect(weak(0.15, schools=8, seed=0), **GIVEN)
    assert unsure.uptake["estimate"] >= 0.10 and unsure.first_stage_f < 10
    assert unsure.refusals["complier effect"].code == "weak_first_stage" and len(unsure.anderson_rubin) >= 1
    assert not complier_effect(weak(0.5), **GIVEN).refusals


def test_few_and_single_schools():
    result = complier_effect(weak(0.6, schools=4), **GIVEN)
    assert result.anderson_rubin == () and math.isnan(result.p_value) and "complier effect" in result.refusals
    assert complier_effect(weak(0.5).query("school < 3"), **GIVEN).code == "one_cluster_in_arm"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [({"outcome": "z"}, DataError, "no column z"), ({"received": "school"}, DataError, "neither 0 nor 1"),
     ({"covariates": ["y"]}, ParamsError, "names kept"), ({"received": "none"}, DesignError, "same in every row"),
     ({"outcome": "lost"}, DataError, "no row is complete")],
)  # fmt: skip
def test_wrong_input_is_named(change, error, words):
    with pytest.raises(error, match=words):
        complier_effect(weak(0.5).assign(none=0, lost=np.nan), **(GIVEN | change))


DOSES = {"outcome": "y", "dose": "sessions", "baseline": "baseline", "cluster": "school"}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [({"dose": "z"}, DataError, "no column z"), ({"knots": (5, 2)}, ParamsError, "do not rise"),
     ({"knots": (9,)}, ParamsError, "outside"), ({"dose": "stratum"}, DesignError, "same for all pupils"),
     ({"dose": "minus"}, DataError, "negative"), ({"expected": "up"}, ParamsError, "not known")],
)  # fmt: skip
def test_wrong_doses_are_named(change, error, words):
    with pytest.raises(error, match=words):
        dose_response(ROWS.assign(minus=-ROWS["sessions"]), **(DOSES | change))


def test_a_planted_slope_and_bend_are_found_exactly():
    frame = ROWS[ROWS["offered"] == 1].copy()
    frame["y"] = 3 * frame["school"] + 2 * frame["baseline"] - 0.5 * np.minimum(frame["sessions"], 4)
    result = dose_response(frame, **DOSES, knots=(4,))
    np.testing.assert_allclose(result.estimates[1:], [-0.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(result.levels["difference"], -0.5 * np.minimum(result.levels["dose"], 4), atol=1e-9)
    assert result.departure == pytest.approx(0, abs=1e-9)
    many = dose_response(frame.assign(sessions=np.arange(len(frame)) % 40), **DOSES)
    assert many.levels.empty and math.isnan(many.departure)


@settings(max_examples=25, deadline=None)
@given(st.floats(-50, 50), st.floats(0.1, 20), st.integers(0, 10_000))
def test_shift_and_scale_of_the_outcome(shift, scale, seed):
    moved = ROWS.assign(y=shift - scale * ROWS["y"]).sample(frac=1, random_state=seed)
    one, two = (complier_effect(rows, **GIVEN, **CASES["strata"]) for rows in (ROWS, moved))
    assert two.estimate == pytest.approx(-scale * one.estimate, rel=1e-6)
    low, high = one.anderson_rubin[0]
    np.testing.assert_allclose(two.anderson_rubin[0], (-scale * high, -scale * low), rtol=1e-6)
