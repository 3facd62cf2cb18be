"""Difference-in-differences against R (tests/oracle/make_did.R), published tables, diff-diff, by hand and at the edges."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects import cluster_robust
from mhlib.stats.effects.did_cohorts import cohort_moments
from mhlib.stats.effects.did_comparison import two_way_fit
from mhlib.stats.effects.did_panel import panel_of
from mhlib.stats.effects.did_rollout import did_staggered
from mhlib.stats.effects.did_two_groups import did

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
VALUES = pd.read_csv(ORACLE / "did_values.csv").set_index(["case", "term"])
ROWS = pd.read_csv(ORACLE / "did_rows.csv")
MPDTA = pd.read_csv(ORACLE / "did_mpdta.csv.gz")
COUNTY = {"outcome": "lemp", "unit": "county", "time": "year", "first_treated": "first"}
TWO = {"outcome": "y", "treated": "treated", "post": "post", "cluster": "school"}
EXACT = 1e-9


def same(found, wanted):
    got = np.array([found["estimate"], found["std_error"], found["df"], found["p_value"]], dtype=float)
    np.testing.assert_allclose(got, wanted[["estimate", "std_error", "df", "p_value"]].astype(float), rtol=EXACT)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("cross_pupil", {}),
        ("cross_pupil_covariates", {"covariates": ["sex", "ses"]}),
        ("cross_school", {"estimand": "school"}),
        ("panel_pupil", {"unit": "pupil"}),
        ("panel_pupil_covariates", {"unit": "pupil", "covariates": ["sex", "ses"]}),
        ("panel_school", {"unit": "pupil", "estimand": "school"}),
    ],
)
def test_two_groups_give_the_digits_of_r(case, options):
    same(did(ROWS, **TWO, **options).to_frame().iloc[0], VALUES.loc[(case, "effect")])


def four_cells(before=(1.0, 3.0), after=(2.0, 7.0), schools=4):
    """Schools at a known level: comparison 1 then 2, treated 3 then 7, each school off by its own number."""
    rows = [
        {"y": (before, after)[post][arm] + 0.1 * s * (-1) ** post, "treated": arm, "post": post, "school": f"{arm}{s}"}
        for arm in (0, 1)
        for post in (0, 1)
        for s in range(schools)
    ]
    return pd.DataFrame(rows)


def test_two_groups_by_hand():
    found = did(four_cells(), **TWO)
    assert found.estimate == pytest.approx(3.0)
    np.testing.assert_allclose(found.means, [[1.15, 1.85], [3.15, 6.85]])
    assert found.baseline_gap == pytest.approx(2.0)
    # Changes of a group's four schools are 1 - 0.2 s: variance .2^2 x 5/3, two groups of four.
    assert found.std_error == pytest.approx(np.sqrt(2 * 0.04 * 5 / 3 / 4))
    assert found.df == pytest.approx(6)
    assert found.checks[-1].passed is None
    assert found.checks[-1].detail.values["gap"] == pytest.approx(2.0 / four_cells()["y"].std(), abs=0.01)


def test_a_panel_counts_pupils_seen_once():
    found = did(ROWS, **TWO, unit="pupil")
    pairs = ROWS.groupby("pupil")["post"].nunique().eq(2).sum()
    assert (found.n_used, found.n_excluded) == (2 * pairs, len(ROWS) - 2 * pairs)


def test_few_schools_have_no_p_value_and_one_school_no_error():
    few = did(four_cells(schools=2), **TWO)
    assert (
        np.isnan(few.p_value) and np.isfinite(few.std_error) and few.refusals["effect"].code == "few_degrees_of_freedom"
    )
    rows = four_cells()
    refused = did(rows[(rows["treated"] == 0) | (rows["school"] == "10")], **TWO)
    assert isinstance(refused, Refused) and refused.code == "one_cluster_in_arm"


@pytest.mark.parametrize(
    ("change", "options", "error", "text"),
    [
        (lambda t: t[~((t["treated"] == 1) & (t["post"] == 0))], {}, DesignError, "treated before"),
        (lambda t: t.drop(columns="post"), {}, DataError, "no column post"),
        (lambda t: t.assign(treated=t["treated"] + 1), {}, DataError, "neither 0 nor 1"),
        (lambda t: t.assign(y=np.nan), {}, DataError, "no row is complete"),
        (lambda t: t.assign(pupil=range(len(t))), {"unit": "pupil"}, DesignError, "no pupil was measured"),
        (lambda t: t.assign(pupil=1), {"unit": "pupil"}, DesignError, "some pupils change"),
        (lambda t: t, {"covariates": ["post"]}, ParamsError, "names kept"),
        (lambda t: t, {"estimand": "city"}, ParamsError, "not known"),
    ],
)
def test_two_groups_refuse_in_words(change, options, error, text):
    with pytest.raises(error, match=text):
        did(change(four_cells()), **TWO, **options)


# Callaway & Sant'Anna's published table of mpdta (R's did, analytic errors), four decimals.
PUBLISHED = {
    "g=2004,t=2004": (-0.0105, 0.0233),
    "g=2004,t=2005": (-0.0704, 0.0310),
    "g=2004,t=2006": (-0.1373, 0.0364),
    "g=2004,t=2007": (-0.1008, 0.0344),
    "overall": (-0.0400, 0.0120),
    "overall_dynamic": (-0.0772, 0.0200),
    "e=0": (-0.0199, 0.0118),
    "e=1": (-0.0510, 0.0169),
    "g=2004": (-0.0797, 0.0264),
    "overall_group": (-0.0310, 0.0124),
}


def test_the_published_table_of_mpdta():
    found = did_staggered(MPDTA, **COUNTY, errors="influence", compare=False)
    table = found.to_frame().set_index("term")
    for term, (estimate, error) in PUBLISHED.items():
        assert table.loc[term, "estimate"] == pytest.approx(estimate, abs=5.1e-5)
        assert table.loc[term, "std_error"] == pytest.approx(error, abs=1.01e-4)
    assert found.pre_test.p_value == pytest.approx(0.1681, abs=5e-5)
    assert found.cohorts == {"2004": 20, "2006": 40, "2007": 131, "never": 309}


def test_group_time_effects_are_welch_tests():
    table = did_staggered(MPDTA, **COUNTY, compare=False).to_frame().set_index("term")
    for term, wanted in VALUES.loc["never"].iterrows():
        same(table.loc[term], wanted)


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_our_effects_are_those_of_diff_diff(control, weights):
    import diff_diff

    rows = MPDTA.assign(w=np.exp(MPDTA["lpop"]))
    errors = "influence" if weights is None else "cohort"
    table = did_staggered(rows, **COUNTY, control=control, weights=weights, errors=errors, compare=False).to_frame()
    table = table.set_index("term")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = diff_diff.CallawaySantAnna(
            control_group=f"{control}_treated" if control == "never" else "not_yet_treated", base_period="universal",
            estimation_method="reg",
        )  # fmt: skip
        design = diff_diff.SurveyDesign(weights="w") if weights else None
        peer = model.fit(rows, "lemp", "county", "year", "first", survey_design=design)
        dynamic, group = peer.aggregate("event_study"), peer.aggregate("group")
    pairs = [("overall", peer.overall_att, peer.overall_se)]
    pairs += [(f"g={g},t={t}", each["effect"], each["se"]) for (g, t), each in peer.group_time_effects.items()]
    pairs += [(f"e={e}", b, s) for e, b, s in zip(dynamic.event_time, dynamic.att, dynamic.se, strict=True)]
    pairs += [(f"g={g}", b, s) for g, b, s in zip(group.label, group.att, group.se, strict=True)]
    pairs = [pair for pair in pairs if np.isfinite(pair[2])]
    assert len(pairs) > 20
    for term, estimate, error in pairs:
        assert table.loc[term, "estimate"] == pytest.approx(estimate, abs=1e-10)
        if weights is None:
            assert table.loc[term, "std_error"] == pytest.approx(error, rel=1e-9)


def test_estimators_taken_from_the_library_agree_where_they_must():
    ours = did_staggered(MPDTA, **COUNTY, compare=False).to_frame().set_index("term")["estimate"]
    sun = did_staggered(MPDTA, **COUNTY, method="sun_abraham", compare=False)
    theirs = sun.to_frame().set_index("term")["estimate"]
    # With never-treated controls and no covariates both estimate the same group-time effects.
    np.testing.assert_allclose(
        theirs[["e=0", "e=1", "e=-3", "overall"]], ours[["e=0", "e=1", "e=-3", "overall"]], atol=1e-9
    )
    assert sun.df[0] == 190
    two = did_staggered(MPDTA, **COUNTY, method="did2s", compare=False).to_frame().set_index("term")
    assert two.loc["overall", "estimate"] == pytest.approx(-0.0477, abs=5e-5)
    # Published with did's example: doubly robust, conditional on population.
    robust = did_staggered(MPDTA, **COUNTY, covariates=["lpop"], compare=False).to_frame().set_index("term")
    assert robust.loc["g=2004,t=2004", "estimate"] == pytest.approx(-0.0145, abs=5e-5)
    assert "calendar" not in set(robust["aggregation"])


def test_two_way_is_r_and_bacon_sums_to_it():
    some = MPDTA[MPDTA["county"].isin(pd.read_csv(ORACLE / "did_some.csv")["county"])]
    found = did_staggered(some, **COUNTY).two_way
    same(found.to_frame().iloc[0], VALUES.loc[("two_way", "programme")])
    assert sum(found.shares.values()) == pytest.approx(1)
    assert sum(found.shares[k] * found.averages[k] for k in found.shares) == pytest.approx(found.estimate)
    # mpdta as published with bacondecomp: later against earlier starts carry 5 % of the weight.
    assert did_staggered(MPDTA, **COUNTY).two_way.forbidden == pytest.approx(0.0539, abs=5e-5)


def growing(schools=12, terms=6, starts=(2, 4), seed=3, never=True, noise=0.0):
    """Groups of schools; effect 1, 2, 3 ... with time under the programme; noise that leaves each group's means alone."""
    rng = np.random.default_rng(seed)
    first = np.resize([*starts, 0] if never else starts, schools)
    rows = pd.DataFrame({"school": np.repeat(np.arange(schools), terms), "term": np.tile(np.arange(terms), schools)})
    rows["first"] = first[rows["school"]]
    under = (rows["first"] > 0) & (rows["term"] >= rows["first"])
    rows["y"] = rng.normal(size=schools)[rows["school"]] + rng.normal(size=terms)[rows["term"]]
    rows["y"] += np.where(under, rows["term"] - rows["first"] + 1, 0)
    own = pd.Series(noise * rng.normal(size=len(rows)))
    return rows.assign(y=rows["y"] + own - own.groupby([rows["first"], rows["term"]]).transform("mean"))


ROLL = {"outcome": "y", "unit": "school", "time": "term", "first_treated": "first"}


def test_growing_effects_by_hand_and_two_way_wrong():
    found = did_staggered(growing(noise=0.3), **ROLL)
    table = found.to_frame().set_index("term")["estimate"]
    np.testing.assert_allclose(table[[f"e={e}" for e in (-4, -2, 0, 1, 2, 3)]], [0, 0, 1, 2, 3, 4], atol=1e-9)
    np.testing.assert_allclose(table[["g=2", "g=4"]], [2.5, 1.5])
    # Cells 1..4 of the first group and 1..2 of the second, groups of equal size.
    assert table["overall"] == pytest.approx((1 + 2 + 3 + 4 + 1 + 2) / 6)
    assert table["overall_dynamic"] == pytest.approx(2.5) and table["overall_group"] == pytest.approx(2.0)
    assert table["overall_calendar"] == pytest.approx(np.mean([1, 2, (3 + 1) / 2, (4 + 2) / 2]))
    assert found.two_way.estimate < table["overall"] - 0.1 and found.two_way.forbidden > 0.05


def test_without_never_treated_the_last_start_serves_as_control():
    rows = growing(never=False)
    table = did_staggered(rows, **ROLL, control="not_yet", compare=False).to_frame().set_index("term")["estimate"]
    assert table["g=2"] == pytest.approx(1.5)
    assert not any(term.startswith("g=4,t=4") for term in table.index)
    with pytest.raises(DesignError, match="no school never began"):
        did_staggered(rows, **ROLL)


def test_text_terms_missing_starts_and_pupils_give_the_same():
    rows = growing()
    plain = did_staggered(rows, **ROLL, compare=False)
    text = rows.assign(
        term=(rows["term"] + 2020).astype(str),
        first=[
            f"{g + 2020}" if g else [None, "never", ""][s % 3]
            for g, s in zip(rows["first"], rows["school"], strict=True)
        ],
    )
    text["first"] = text.groupby("school")["first"].transform("first")
    np.testing.assert_allclose(did_staggered(text, **ROLL, compare=False).estimates, plain.estimates, atol=1e-12)
    # Three pupils about each mean, and weights of 1 a pupil.
    pupils = pd.concat([rows.assign(y=rows["y"] + shift, one=1) for shift in (-1, 0, 1)])
    weighted = did_staggered(pupils, **ROLL, weights="one", compare=False)
    np.testing.assert_allclose(weighted.estimates, plain.estimates, atol=1e-12)
    assert weighted.n_used == 3 * len(rows)


def test_schools_left_out_are_counted():
    rows = growing(schools=15)
    rows = rows[~((rows["school"] == 1) & (rows["term"] == 3))]
    rows.loc[rows["school"] == 0, "first"] = -1
    rows.loc[rows["school"] == 2, "first"] = 9
    found = did_staggered(rows, **ROLL, compare=False)
    assert (found.n_schools, found.n_incomplete, found.n_always, found.n_later) == (13, 1, 1, 1)
    assert (found.n_used, found.n_excluded) == (78, 11)
    held = {check.name.template: check.passed for check in found.checks}
    assert held["Schools surveyed in every term"] is False and held["Schools seen before they began"] is False


def test_a_cohort_of_one_school_has_no_error():
    rows = growing()
    rows = rows[~rows["school"].isin([3, 6, 9])]
    found = did_staggered(rows, **ROLL, compare=False)
    at = found.position("g=2,t=3")
    assert found.estimates[at] == pytest.approx(2) and np.isnan(found.std_errors[at])
    assert found.refusals["g=2,t=3"].code == "carried_by_one_cluster"
    assert np.isfinite(found.std_errors[found.position("g=4,t=5")])


def test_clusters_hold_their_schools_together():
    rows = growing(schools=24).assign(district=lambda t: t["school"] % 12)
    rng = np.random.default_rng(1)
    rows["y"] += rng.normal(size=(12, 6))[rows["district"], rows["term"]]
    apart, held = (
        did_staggered(rows, **ROLL, compare=False),
        did_staggered(rows, **ROLL, cluster="district", compare=False),
    )
    np.testing.assert_allclose(apart.estimates, held.estimates, atol=1e-12)
    by_hand = rows.groupby(["district", "term"], as_index=False)[["y", "first"]].mean()
    whole = did_staggered(by_hand, **{**ROLL, "unit": "district"}, compare=False)
    np.testing.assert_allclose(held.std_errors, whole.std_errors)
    assert apart.std_errors[-1] < 0.9 * held.std_errors[-1]
    less = did_staggered(rows[(rows["school"] != 5) | (rows["term"] > 0)], **ROLL, cluster="district", compare=False)
    assert (less.n_schools, less.n_incomplete, less.n_used, less.n_excluded) == (12, 1, 23 * 6, 5)
    with pytest.raises(DesignError, match="clusters have more than one value"):
        did_staggered(rows.assign(district=rows["school"] // 3), **ROLL, cluster="district", compare=False)


@pytest.mark.parametrize(
    ("change", "options", "error", "text"),
    [
        (lambda t: t[t["term"] == 3], {}, DesignError, "one term"),
        (lambda t: t.assign(first=0), {}, DesignError, "in no term"),
        (lambda t: t.assign(first=t["term"] + 1), {}, DesignError, "more than one value"),
        (lambda t: t.assign(first=-1), {}, DataError, "no school has every term"),
        (lambda t: t.assign(y=np.nan), {}, DataError, "no row is complete"),
        (lambda t: t.assign(first="spring"), {}, DataError, "are not numbers"),
        (lambda t: t.assign(term=t["term"].where(t["term"] < 5)), {}, DataError, "rows are missing"),
        (lambda t: t.drop(columns="y"), {}, DataError, "no column y"),
        (lambda t: t, {"method": "twfe"}, ParamsError, "not known"),
        (lambda t: t.assign(w=1), {"errors": "influence", "weights": "w"}, ParamsError, "takes no weights"),
        (lambda t: t, {"method": "did2s", "covariates": ["y"]}, ParamsError, "not with"),
    ],
)
def test_roll_outs_refuse_in_words(change, options, error, text):
    with pytest.raises(error, match=text):
        did_staggered(change(growing()), **ROLL, **options)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-5, 5),
    scale=st.floats(0.1, 10),
    control=st.sampled_from(["never", "not_yet"]),
)
def test_levels_do_not_matter_and_scales_do(seed, shift, scale, control):
    rng = np.random.default_rng(seed)
    rows = growing(schools=18, seed=seed)
    rows["y"] += rng.normal(size=len(rows))
    moved = rows.assign(y=scale * (rows["y"] + shift * rows["school"] + rows["term"] ** 2))
    one = did_staggered(rows, **ROLL, control=control, compare=False)
    other = did_staggered(moved, **ROLL, control=control, compare=False)
    np.testing.assert_allclose(other.estimates, scale * one.estimates, atol=1e-8 * scale * 100)
    np.testing.assert_allclose(other.std_errors, scale * one.std_errors, rtol=1e-6)
    np.testing.assert_allclose(other.df, one.df, rtol=1e-6)


def test_weighted_degrees_of_freedom_by_matrices():
    rows = growing(schools=9).assign(pupils=lambda t: 10 + 17 * t["school"])
    panel = panel_of(rows, outcome="y", unit="school", time="term", first_treated="first", cluster=None, weights="pupils",
                     covariates=(), where="test")  # fmt: skip
    share = np.array([10.0, 61.0, 112.0]) / 183
    a = np.diag(share**2 / (1 - share))
    centred = np.eye(3) - np.outer(np.ones(3), share)
    product = centred.T @ a @ centred
    assert cohort_moments(panel).df[0] == pytest.approx(np.trace(product) ** 2 / np.trace(product @ product))


def test_two_way_fit_is_the_absorbed_regression():
    rows = growing().assign(d=lambda t: ((t["first"] > 0) & (t["term"] >= t["first"])) * 1.0)
    rows["y"] += np.random.default_rng(8).normal(size=len(rows))
    panel = panel_of(rows, outcome="y", unit="school", time="term", first_treated="first", cluster=None, weights=None,
                     covariates=(), where="test")  # fmt: skip
    ours = two_way_fit(panel, 0.95)
    wanted = cluster_robust("y ~ d + C(term)", rows, cluster="school", absorb="school")
    at = wanted.position("d")
    np.testing.assert_allclose([ours.estimates[0], ours.std_errors[0], ours.df[0]],
                               [wanted.estimates[at], wanted.std_errors[at], wanted.df[at]])  # fmt: skip


# Angrist & Pischke (2015) Mastering 'Metrics, table 5.2: deaths of 18-20-year-olds per 100,000 by the share who may drink.
DRINKING = {
    "All": (10.80, 4.59, 4.48),
    "Motor Vehicle": (7.59, 2.50, 2.43),
    "Suicide": (0.591, 0.590, 0.571),
    "Internal": (1.33, 1.59, 1.53),
}


@pytest.mark.parametrize("cause", DRINKING)
def test_the_published_drinking_age_effects(cause):
    path = SHARED / "mlda_state_mortality.csv.gz"
    if not path.is_file():
        pytest.skip("shared data are not beside the project")
    rows = pd.read_csv(path).query("year <= 1983 and cause == @cause")
    estimate, stata, unbiased = DRINKING[cause]
    for kind, error in (("CR1S", stata), ("CR2", unbiased)):
        found = cluster_robust("mrate ~ legal + C(year)", rows, cluster="state", absorb="state", kind=kind)
        at = found.position("legal")
        assert found.estimates[at] == pytest.approx(estimate, abs=5.1e-3)
        assert found.std_errors[at] == pytest.approx(error, abs=5.1e-3)
    assert found.n_used == 714
