"""Matched comparison: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.robust_fit import cluster_robust
from mhlib.stats.effects.weights_balancing import (
    entropy_balancing,
    inverse_probability_weights,
    overlap_weights,
    propensity,
)
from mhlib.stats.effects.weights_bootstrap import drawn_frequencies
from mhlib.stats.effects.weights_difference import weighted_effect
from mhlib.stats.effects.weights_rows import treatment_rows

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
LALONDE, VALUES, ROWS = (pd.read_csv(ORACLE / f"weights_{name}.csv") for name in ("lalonde", "values", "rows"))
COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
GIVEN = {"treatment": "treat", "covariates": COVARIATES, "outcome": "re78"}
SCHEMES = {
    "ato": (overlap_weights, {}),
    "ate": (inverse_probability_weights, {"estimand": "ate"}),
    "att": (inverse_probability_weights, {"estimand": "att"}),
    "trimmed": (inverse_probability_weights, {"trim": 0.1}),
    "entropy1": (entropy_balancing, {"moments": 1}),
    "entropy2": (entropy_balancing, {"moments": 2}),
}


def weighed(case, **options):
    function, own = SCHEMES[case]
    return function(LALONDE, **GIVEN, **own, **options)


def wanted(case):
    return VALUES[VALUES["case"] == case].set_index("term")


@pytest.mark.parametrize("case", SCHEMES)
def test_weights_equal_r(case):
    found = weighed(case).weights[ROWS["row"] - 1]
    np.testing.assert_allclose(found, ROWS[case], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("case", SCHEMES)
def test_effects_equal_r(case):
    r = wanted(case)
    for cluster, name in ((None, "CR2 alone"), ("district", "CR2 by district")):
        result = weighed(case, cluster=cluster)
        row = next(row for row in result.effect.rows if row["term"] == "weighted, weights known")
        np.testing.assert_allclose([row[one] for one in ("estimate", "std_error", "df", "p_value")],
                                   r.loc[name, ["estimate", "std_error", "df", "p_value"]].astype(float), rtol=1e-5)  # fmt: skip
    sizes = r.loc[["effective treated", "effective untreated"], "estimate"]
    np.testing.assert_allclose(result.effective, sizes, rtol=1e-6)
    assert result.largest_share == pytest.approx(r.loc["largest share", "estimate"], rel=1e-6)


@pytest.mark.parametrize("case", ["ato", "ate", "att"])
def test_survey_and_the_doubly_robust_estimate_equal_r(case):
    result, r = weighed(case), wanted(case)
    frame = LALONDE.assign(w=result.weights)
    fit = cluster_robust("re78 ~ treat", frame, cluster="district", weights="w", kind="CR1")
    assert fit.std_errors[1] == pytest.approx(r.loc["survey by district", "std_error"], rel=1e-6)
    row = next(row for row in result.effect.rows if row["term"] == "doubly robust")
    assert row["estimate"] == pytest.approx(r.loc["doubly robust", "estimate"], rel=1e-6)


def test_propensity_equals_glm():
    result = propensity("treat ~ " + " + ".join(COVARIATES), LALONDE)
    r = wanted("propensity")
    r.index = [name.replace("race", "race[T.") + "]" if "race" in name else name for name in r.index]
    found = result.to_frame().set_index("term").rename(index={"Intercept": "(Intercept)"}).loc[r.index]
    np.testing.assert_allclose(found[["estimate", "std_error", "p_value"]], r[["estimate", "std_error", "p_value"]],
                               rtol=1e-5)  # fmt: skip


def two_cells():
    # x = 0: 2 treated of 8, outcome 5 and 1; x = 1: 6 of 8, outcome 9 and 3. e is 1/4 and 3/4.
    x = np.repeat([0.0, 1.0], 8)
    t = np.r_[[1] * 2, [0] * 6, [1] * 6, [0] * 2]
    noise = np.tile([0.5, -0.5], 8)
    return pd.DataFrame({"x": x, "t": t, "y": np.select([(x == 0) & (t == 1), (x == 0), t == 1], [5, 1, 9], 3) + noise})


def test_by_hand():
    frame = pd.concat([two_cells()] * 4, ignore_index=True)
    given_ = {"treatment": "t", "covariates": ["x"], "outcome": "y"}
    # Effects 4 and 6. ATO weighs the cells by e(1-e) n, alike: 5. ATE by n, alike: 5. ATT by treated 2:6: 5.5. Naive: 8 - 1.5.
    assert overlap_weights(frame, **given_).effect.estimate == pytest.approx(5)
    assert inverse_probability_weights(frame, **given_).effect.estimate == pytest.approx(5)
    for function, options in ((inverse_probability_weights, {"estimand": "att"}), (entropy_balancing, {})):
        result = function(frame, **given_, **options)
        assert result.effect.estimate == pytest.approx(5.5)
        assert result.effect.rows[-1]["estimate"] == pytest.approx(6.5)
        assert result.effect.means == pytest.approx((8, 2.5))
    # Weighted untreated in ATT: e/(1-e) is 1/3 for 24 and 3 for 8: (8 + 24)² / (24/9 + 72).
    assert result.effective[1] == pytest.approx(32**2 / (24 / 9 + 72))


@pytest.mark.parametrize("case", ["ato", "entropy1", "entropy2"])
def test_means_are_exactly_alike(case):
    rows = weighed(case).after.rows
    np.testing.assert_allclose(rows["value"], rows["reference_value"], rtol=1e-8)
    if case == "entropy2":
        # Exact but for the two divisors of the variance.
        many = rows.dropna(subset="variance_ratio")["variance_ratio"]
        np.testing.assert_allclose(many, many.iloc[0], rtol=1e-6)


def schools(seed=1, n_schools=20, pupils=15, whole=False):
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), pupils)
    x = rng.normal(size=len(school))
    t = (school % 2).astype(float) if whole else (rng.random(len(x)) < 1 / (1 + np.exp(-x))) * 1.0
    return pd.DataFrame({"school": school, "x": x, "t": t, "y": x + 0.5 * t + rng.normal(size=len(x))})


SCHOOLS = {"treatment": "t", "covariates": ["x"], "cluster": "school"}


def test_bootstrap_is_seeded_and_finds_the_weights_anew():
    frame = schools()
    one, two = (overlap_weights(frame, **SCHOOLS, outcome="y", seed=5, n_draws=199).effect for _ in range(2))
    np.testing.assert_array_equal(one.draws, two.draws)
    terms = ["weighted", "weighted, weights known", "doubly robust", "unweighted"]
    assert one.to_frame()["term"].tolist() == terms and one.n_failed == 0
    # A draw by hand: the table of the drawn schools, rows repeated.
    rows = treatment_rows(frame, treatment="t", covariates=["x"], cluster="school", where="test")
    times = drawn_frequencies(np.random.default_rng(5), rows, 199)[:, 0]
    again = pd.concat(
        [frame[frame["school"] == s] for s, many in enumerate(times) for _ in range(many)], ignore_index=True
    )
    by_hand = overlap_weights(again, treatment="t", covariates=["x"], outcome="y").effect
    robust = next(row for row in by_hand.rows if row["term"] == "doubly robust")
    np.testing.assert_allclose(one.draws[0], [by_hand.estimate, robust["estimate"]], rtol=1e-6)


def test_whole_schools_are_drawn_within_groups():
    rows = treatment_rows(schools(whole=True), treatment="t", covariates=["x"], cluster="school", where="test")
    times = drawn_frequencies(np.random.default_rng(1), rows, 50)
    assert (times[0::2].sum(axis=0) == 10).all() and (times[1::2].sum(axis=0) == 10).all()


def test_without_a_seed_a_check_says_that_weights_are_taken_as_known():
    result = overlap_weights(schools(), **SCHOOLS, outcome="y").effect
    assert result.rows[0]["term"] == "weighted, weights known" and len(result.draws) == 0
    assert any("known" in check.detail.template and check.passed is False for check in result.checks)


def test_missing_values_are_counted():
    frame = schools()
    frame.loc[:4, "x"], frame.loc[10:16, "y"] = np.nan, np.nan
    weights = overlap_weights(frame, **SCHOOLS)
    assert weights.n_excluded == 5 and np.isnan(weights.weights[:5]).all() and weights.effect is None
    effect = weighted_effect(weights, frame, outcome="y")
    assert (effect.n_no_outcome, effect.n_excluded, effect.n_used) == (7, 12, 288)


def test_few_schools_give_no_p_value():
    result = overlap_weights(schools(n_schools=4, whole=True), **SCHOOLS, outcome="y", seed=1, n_draws=199).effect
    assert math.isnan(result.p_value) and math.isnan(result.conf_low) and "weighted" in result.refusals


def test_groups_worth_few_pupils_are_refused():
    rng = np.random.default_rng(3)
    x = np.r_[rng.normal(size=60), rng.normal(size=60) + 4]
    frame = pd.DataFrame({"x": x, "t": np.repeat([0.0, 1.0], 60), "y": x + rng.normal(size=120)})
    result = inverse_probability_weights(frame, treatment="t", covariates=["x"], estimand="att", outcome="y")
    assert isinstance(result.effect, Refused) and result.effect.code == "few_effective_pupils"
    assert result.outside > 0.5 and result.checks[0].passed is False


def test_one_school_in_a_group_is_refused():
    frame = schools(whole=True).query("t == 0 or school == 1")
    assert overlap_weights(frame, **SCHOOLS, outcome="y").effect.code == "one_cluster_in_arm"


def test_separation_names_the_columns():
    frame = schools().assign(club=lambda f: np.where(f["t"] == 1, f["school"] % 2, 0.0))
    with pytest.raises(DesignError, match="by club"):
        overlap_weights(frame, treatment="t", covariates=["x", "club"])
    with pytest.raises(DesignError, match="by x"):
        propensity("t ~ x", frame.assign(x=frame["x"] + 20 * frame["t"]))


def test_infeasible_means_are_named():
    frame = schools().assign(far=lambda f: f["x"] + 20 * f["t"])
    with pytest.raises(DesignError, match="treated in far"):
        entropy_balancing(frame, treatment="t", covariates=["x", "far"])
    # Each mean is within reach and the pair is not: untreated lie on a = b, treated off it.
    a = np.r_[np.linspace(0, 1, 30), 0.5 + 0.02 * np.arange(10)]
    b = np.r_[np.linspace(0, 1, 30), 0.3 + 0.01 * np.arange(10)]
    pair = pd.DataFrame({"a": a, "b": b, "t": np.repeat([0.0, 1.0], [30, 10])})
    with pytest.raises(DesignError, match=r"treated in (a|b)"):
        entropy_balancing(pair, treatment="t", covariates=["a", "b"])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [({"covariates": []}, ParamsError, "no list"), ({"covariates": ["x", "t"]}, ParamsError, "holds the treatment"),
     ({"covariates": ["z"]}, DataError, "no column z"), ({"treatment": "school"}, DataError, "neither 0 nor 1"),
     ({"covariates": ["x", "x2"]}, DesignError, "made from each other: x, x2"),
     ({"covariates": ["flat"]}, DesignError, "do not vary: flat"), ({"outcome": "flat"}, DesignError, "same in every row"),
     ({"outcome": "y", "seed": 1, "n_draws": 50}, ParamsError, "at least 199")],
)  # fmt: skip
def test_wrong_input_is_named(change, error, words):
    frame = schools().assign(x2=lambda f: 2 * f["x"] + 1, flat=3.0)
    with pytest.raises(error, match=words):
        overlap_weights(frame, **(SCHOOLS | change))


def test_other_wrong_input_is_named():
    frame = schools()
    with pytest.raises(ParamsError, match=r"below \.5"):
        inverse_probability_weights(frame, **SCHOOLS, trim=0.5)
    with pytest.raises(ParamsError, match="without pupils"):
        inverse_probability_weights(frame.assign(x=frame["x"] + 1.5 * frame["t"]), **SCHOOLS, trim=0.4999999)
    with pytest.raises(ParamsError, match="means and variances"):
        entropy_balancing(frame, **SCHOOLS, moments=3)
    with pytest.raises(DesignError, match="one group"):
        overlap_weights(frame.assign(t=1.0), **SCHOOLS)
    with pytest.raises(DataError, match="the same table"):
        weighted_effect(overlap_weights(frame, **SCHOOLS), frame.head(9), outcome="y")


@settings(max_examples=25, deadline=None)
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 10_000))
def test_units_of_covariates_change_nothing_and_those_of_the_outcome_scale(shift, scale, seed):
    frame = schools(seed, n_schools=12, pupils=12)
    moved = frame.assign(x=shift + scale * frame["x"], y=shift - scale * frame["y"]).sample(frac=1, random_state=seed)
    for function in (overlap_weights, entropy_balancing):
        one, two = (function(table, **SCHOOLS, outcome="y") for table in (frame, moved))
        np.testing.assert_allclose(two.weights, one.weights[moved.index], rtol=1e-5)
        for name, sign in (("estimate", -scale), ("std_error", scale)):
            assert getattr(two.effect, name) == pytest.approx(
                sign * getattr(one.effect, name), rel=1e-4, abs=1e-6 * scale
            )
