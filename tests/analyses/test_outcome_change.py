"""Reliable change, regression to the mean, harms and cost: by hand, on designs made here, and on a whole city."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_change, outcome_cost, outcome_harms, outcome_rtm
from mhlib.analyses.parts.outcome_counted import counted
from mhlib.analyses.parts.outcome_expected import mean_of_all
from mhlib.analyses.parts.trial import Trial, trial_of
from mhlib.data.screening import Provenance
from mhlib.data.synthetic import simulate
from mhlib.data.trial import TrialData
from mhlib.findings import Message, Refused
from mhlib.report.disclosure import Gate
from mhlib.report.figures.shares import shares
from mhlib.report.language import words

PARTS = (outcome_change, outcome_rtm, outcome_harms, outcome_cost)
OPEN = Gate.of("open_data")
# Before and after of ten pupils a school; case from 20, least reliable change 1.96 * 6 * sqrt(.25) * sqrt(2) = 8.3155.
CONTROL = [(25, 15), (22, 18), (25, 30), (25, 30), (10, 19), (10, 21), *[(15, 15)] * 4]
PROGRAMME = [(25, 15), (25, 15), (22, 18), (25, 30), (10, 21), *[(15, 15)] * 5]


def params_of(**changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "school_rct",
        "allocated": "school_pid", "outcome": "distress", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
        "primary": "post", "case_cutoff": 20.0, "reliability": 0.75, "reference_sd": 6.0,
        "cost_per_pupil": 100.0, "cost_per_session": 10.0,
        "prices": [0.0, 1000.0, 5000.0], "n_boot": 400,
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def trial(people: pd.DataFrame, params) -> Trial:
    people = people.assign(pupil_pid=[f"p{at}" for at in range(len(people))]) if len(people) else people
    data = TrialData(people=people, panel=pd.DataFrame(), occasions=("pre", "post"), allocated=pd.DataFrame(),
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=len(people)))  # fmt: skip
    return trial_of(data, params)


def by_hand(schools: int = 24) -> pd.DataFrame:
    rows = []
    for at in range(schools):
        arm, pairs = ("intervention", PROGRAMME) if at % 2 else ("control", CONTROL)
        rows += [{"school_pid": f"s{at}", "arm": arm, "y_pre": float(a), "y_post": float(b),
                  "sessions": float(k % 4) if at % 2 else math.nan} for k, (a, b) in enumerate(pairs)]  # fmt: skip
    people = pd.DataFrame(rows)
    # Pupils change places within their arm, so that schools differ and the arms' counts stay.
    moved = [mine["school_pid"].sample(frac=1, random_state=4).to_numpy() for _, mine in people.groupby("arm")]
    for (_, mine), schools_of in zip(people.groupby("arm"), moved, strict=True):
        people.loc[mine.index, "school_pid"] = schools_of
    return people


def normal(rng, *, effect: float = 0.0, schools: int = 40, pupils: int = 150, r: float = 0.7) -> pd.DataFrame:
    """Whole scores of mean 22 and deviation 7, retest correlation r, alike in both arms but for the effect."""
    n = schools * pupils
    first = rng.normal(size=n)
    second = r * first + math.sqrt(1 - r * r) * rng.normal(size=n)
    school = np.repeat(np.arange(schools), pupils)
    treated = school % 2
    return pd.DataFrame({
        "school_pid": [f"s{at}" for at in school], "arm": np.where(treated == 1, "intervention", "control"),
        "y_pre": np.round(22 + 7 * first), "y_post": np.round(22 + 7 * second - effect * treated),
        "sessions": np.where(treated == 1, rng.integers(1, 9, n), np.nan),
    })  # fmt: skip


def rows(drawn, name: str = "term") -> pd.DataFrame:
    return drawn.to_frame().set_index(name)


def said(messages) -> str:
    return " ".join(words(one, "en", OPEN) for one in messages)


def arm(drawn, which: str) -> pd.DataFrame:
    table = drawn.to_frame()
    return table[table["arm_shown"] == which].set_index("term")


# --- reliable change ---------------------------------------------------------------------------------------------------


def test_outcomes_by_hand():
    params = params_of()
    found = outcome_change.section(trial(by_hand(), params), params)
    table = rows(found.thresholds)
    assert table.loc["least_change", "estimate"] == pytest.approx(1.959964 * 6 * 0.5 * math.sqrt(2), abs=1e-5)
    expected = {"arm_control": (0.5, 0.25, 0.1, 0.7, 0.2), "arm_programme": (0.75, 0.5, 0.2, 0.7, 0.1)}
    for which, values in expected.items():
        mine = arm(found.outcomes, which)
        names = ["share_recovered", "share_reliable_recovery", "share_improved", "share_unchanged", "share_worse"]
        assert list(mine.loc[names, "estimate"]) == pytest.approx(values)
        assert list(mine.loc[["share_recovered", "share_improved"], "denominator"]) == [48, 120]
    gaps = rows(found.differences)
    assert list(gaps.loc[["difference_recovered", "difference_worse"], "estimate"]) == pytest.approx([0.25, -0.1])
    parts = found.shares.to_frame().groupby("arm_shown")["proportion"].sum()
    assert list(parts) == pytest.approx([1.0, 1.0])


def test_numbers_needed_are_one_over_the_difference():
    params = params_of()
    data = trial(by_hand(240), params)
    gaps = rows(outcome_change.section(data, params).differences)
    for name, number, words_after in (("recovered", 4, "cases for one more"), ("improved", 10, "pupils for one more")):
        row = gaps.loc[f"difference_{name}"]
        limits = f"({1 / row['conf_high']:.0f} to {1 / row['conf_low']:.0f})"
        assert said([row["needed_said"]]) == f"{number} {limits} {words_after}"
    harm = rows(outcome_harms.section(data, params).differences).loc["harm_worse_difference"]
    limits = f"({-1 / harm['conf_low']:.0f} to {-1 / harm['conf_high']:.0f})"
    assert said([harm["needed_said"]]) == f"one fewer for every 10 {limits} pupils served"


def test_cutoffs_a_b_c_by_hand():
    params = params_of()
    table = rows(outcome_change.section(trial(by_hand(), params), params).thresholds)
    # Cases at the start: 25 and 22, three to one; peers: everybody's mean, the stated deviation.
    ill = np.repeat([25.0, 22.0], [72, 24])
    peers = np.mean([a for a, _ in CONTROL + PROGRAMME])
    a, b = ill.mean() - 2 * ill.std(ddof=1), peers + 2 * 6
    c = (6 * ill.mean() + ill.std(ddof=1) * peers) / (6 + ill.std(ddof=1))
    assert list(table.loc[["cutoff_ill", "cutoff_peers", "cutoff_between"], "estimate"]) == pytest.approx([a, b, c])


def test_no_number_needed_where_the_interval_holds_nought(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0)
    found = outcome_change.section(trial(normal(rng), params), params)
    gaps = rows(found.differences)
    over = gaps[(gaps["conf_low"] <= 0) & (gaps["conf_high"] >= 0)].index.intersection(
        ["difference_recovered", "difference_reliable_recovery", "difference_improved"]
    )
    assert len(over)
    assert {words(gaps.loc[name, "needed_said"], "en", OPEN) for name in over} == {
        "Not defined: the interval of the difference holds 0."
    }


def test_reliability_comes_from_the_controls(rng):
    params = params_of(reliability=None, case_cutoff=29.0)
    people = normal(rng, effect=3.0)
    mine = people[people["arm"] == "control"]
    found = counted(trial(people, params), params)
    assert found.reliability == pytest.approx(np.corrcoef(mine["y_pre"], mine["y_post"])[0, 1])
    assert found.thresholds.sd == pytest.approx(mine["y_pre"].std(ddof=1))
    assert 0.005 < found.reliability_error < 0.05


def test_fewer_than_twenty_units_have_no_interval():
    params = params_of()
    found = outcome_change.section(trial(by_hand(12), params), params)
    assert found.differences.code == "few_clusters"
    assert found.outcomes.to_frame()[["conf_low", "conf_high"]].isna().all(axis=None)


def test_expected_shares_stand_beside_those_of_a_design_without_control(rng):
    params = params_of(design="before_after", screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=0.7)
    people = normal(rng, effect=2.0)
    people = people[(people["arm"] == "intervention") & (people["y_pre"] >= 29)]
    found = outcome_change.section(trial(people, params), params)
    assert found.differences.code == "no_control"
    table = rows(found.outcomes)
    assert 0.40 < table.loc["share_recovered", "expected_share"] < 0.60
    assert table.loc["share_recovered", "estimate"] > table.loc["share_recovered", "expected_share"] + 0.08
    three = table.loc[["share_improved", "share_unchanged", "share_worse"], "expected_share"]
    assert three.sum() == pytest.approx(1.0)
    assert "no result of the programme" in said(found.reading)


# --- regression to the mean ---------------------------------------------------------------------------------------------


def test_a_programme_without_effect_leaves_no_remainder(rng):
    params = params_of(screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=0.7)
    found = outcome_rtm.section(trial(normal(rng), params), params)
    fall = rows(found.table).loc["remainder_fall"]
    assert fall["conf_low"] < 0 < fall["conf_high"]
    # (1 - r) (E[X | X >= 29] - 22) for whole scores of a normal: about .3 * 10.3.
    assert fall["expected_fall"] == pytest.approx(3.1, abs=0.35)
    claim = rows(found.claim)
    assert claim.loc["claim_served", "conf_low"] > 2, "taken alone the served would claim a success"
    assert claim.loc["claim_difference", "conf_low"] < 0 < claim.loc["claim_difference", "conf_high"]


def test_an_effect_is_left_over_but_not_called_one(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0, reliability=0.7)
    found = outcome_rtm.section(trial(normal(rng, effect=2.0), params), params)
    fall = rows(found.table).loc["remainder_fall"]
    assert fall["conf_low"] < 2.0 < fall["conf_high"] and fall["conf_low"] > 0
    assert "not by itself an effect" in said(found.reading)
    assert set(found.curve.to_frame()["group"]) == {"fall_served", "fall_unserved"}
    assert (found.bands.to_frame()["after_served"] < found.bands.to_frame()["after_unserved"]).mean() > 0.7


def test_screened_without_control_makes_no_claim(rng):
    people = normal(rng)
    people = people[(people["arm"] == "intervention") & (people["y_pre"] >= 29)]
    params = params_of(design="before_after", screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=None)
    found = outcome_rtm.section(trial(people, params), params)
    assert found.claim.code == "uncontrolled_positives" and found.table.code == "no_unserved_retest"
    params = params_of(design="before_after", screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=0.7)
    found = outcome_rtm.section(trial(people, params), params)
    fall = rows(found.table).loc["remainder_fall"]
    assert found.claim.code == "uncontrolled_positives" and found.bands.code == "no_bands"
    assert fall["conf_low"] < 0 < fall["conf_high"]
    text = said(found.reading)
    assert "formula for normal scores" in text and "0.05 is supposed" in text and "inferred from those chosen" in text


def test_the_mean_of_all_follows_from_those_chosen(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0)
    score = np.round(22 + 7 * rng.normal(size=40_000))
    mean, error = mean_of_all(score[score >= 29], params)
    assert abs(mean - 22) < 3 * error and 0.02 < error < 0.3
    assert mean_of_all(60 - score[score >= 29], params_of(better="higher", case_cutoff=31.0, reference_sd=7.0)) == (
        pytest.approx(60 - mean, abs=1e-6),
        pytest.approx(error),
    )


def test_uncertain_mean_and_reliability_widen_the_interval(rng):
    """The whole range measured knows its mean; only the chosen measured does not, and says so by its interval."""
    people = normal(rng)
    served = people[people["arm"] == "intervention"]
    params = params_of(design="before_after", screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=0.7)
    whole = rows(outcome_rtm.section(trial(served, params), params).table).loc["remainder_fall"]
    chosen = rows(outcome_rtm.section(trial(served[served["y_pre"] >= 29], params), params).table).loc["remainder_fall"]
    assert chosen["observed_fall"] == pytest.approx(whole["observed_fall"])
    assert chosen["conf_high"] - chosen["conf_low"] > whole["conf_high"] - whole["conf_low"]


def test_served_beyond_a_cutoff_are_compared_with_a_line(rng):
    people = normal(rng, effect=0.0)
    served = people["y_pre"] >= 29
    people = people.assign(arm=np.where(served, "intervention", "control"), y_post=people["y_post"] - 2.0 * served)
    params = params_of(design="above_cutoff", screened=True, case_cutoff=29.0, reference_sd=7.0, reliability=None)
    found = outcome_rtm.section(trial(people, params), params)
    fall = rows(found.table).loc["remainder_fall"]
    assert fall["conf_low"] < 2.0 < fall["conf_high"] and fall["conf_low"] > 0
    assert (
        found.claim.code == "arms_unlike" and found.bands.code == "no_bands" and "A line through" in said(found.reading)
    )


# --- harms --------------------------------------------------------------------------------------------------------------


def test_harms_by_hand():
    params = params_of()
    found = outcome_harms.section(trial(by_hand(), params), params)
    control, programme = (arm(found.counts, which) for which in ("arm_control", "arm_programme"))
    assert control.loc["harm_worse", ["numerator", "denominator"]].tolist() == [24, 120]
    assert programme.loc["harm_worse", ["numerator", "denominator"]].tolist() == [12, 120]
    # Those who were no case: six of ten in either arm, of whom one became one.
    assert control.loc["harm_new_case", ["numerator", "denominator"]].tolist() == [12, 72]
    gaps = rows(found.differences)
    assert gaps.loc["harm_worse_difference", "estimate"] == pytest.approx(-0.1)
    assert gaps.loc["harm_new_case_difference", "estimate"] == pytest.approx(0.0)


def test_a_harmful_programme_is_bad_and_a_null_states_its_limit(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0)
    bad = outcome_harms.section(trial(normal(rng, effect=-3.0), params), params)
    assert bad.state[0] == "bad"
    gap = rows(bad.differences).loc["harm_worse_difference"]
    assert gap["conf_low"] > 0 and "one more harmed for every" in said([gap["needed_said"]])
    null = outcome_harms.section(trial(normal(rng), params), params)
    assert null.state[0] == "watch"
    limit = rows(null.differences).loc["harm_worse_difference", "conf_high"]
    assert limit > 0 and f"{100 * limit:.1f}% more of all pupils with the programme cannot be ruled out" in said(
        null.reading
    )
    assert "Silence is no proof of safety" in said(null.reading)


def test_few_events_show_no_safety(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0)
    people = normal(rng).assign(y_post=lambda frame: frame["y_pre"] - 1)
    found = outcome_harms.section(trial(people, params), params)
    assert found.differences.code == "few_events" and found.state[0] == "unknown"


def test_pupils_allocated_one_by_one_have_wilson_intervals(rng):
    params = params_of(design="pupil_rct", allocated="pupil_pid", case_cutoff=29.0, reference_sd=7.0)
    found = outcome_harms.section(trial(normal(rng, schools=10), params), params)
    row = arm(found.counts, "arm_control").loc["harm_new_case"]
    p, n, z = row["estimate"], row["denominator"], 1.959964
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(
        ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    )


# --- cost ---------------------------------------------------------------------------------------------------------------


def test_costs_by_hand():
    params = params_of()
    found = outcome_cost.section(trial(by_hand(), params), params)
    table = rows(found.costs)
    # Sessions 0 1 2 3 0 1 2 3 0 1 of ten pupils: seven served with 13 sessions.
    assert table.loc["cost_served", "estimate"] == pytest.approx(100 + 10 * 13 / 7)
    assert table.loc["cost_allocated", "estimate"] == pytest.approx((700 + 130) / 10)
    recovery = rows(found.recovery)
    assert recovery.loc["gain_more", "estimate"] == pytest.approx(0.1)
    assert recovery.loc["cost_recovery", "estimate"] == pytest.approx(830.0)
    benefit = found.net_benefit.to_frame()
    assert list(benefit["estimate"]) == pytest.approx([-83.0, 17.0, 417.0])
    assert found.acceptability.to_frame()["y"].is_monotonic_increasing
    assert f"{13 / 7 * 0.75:.1f} counsellor hours" in said(found.reading)


def test_no_cost_of_a_recovery_where_none_may_have_been_gained(rng):
    params = params_of(case_cutoff=29.0, reference_sd=7.0)
    found = outcome_cost.section(trial(normal(rng), params), params)
    assert found.recovery.code == "gain_not_shown"
    assert len(found.net_benefit.to_frame()) == len(found.acceptability.to_frame()) == 3


def test_missing_sessions_are_left_out_and_counted():
    params = params_of()
    people = by_hand()
    lost = people.index[(people["arm"] == "intervention")][:20]
    people.loc[lost, "sessions"] = math.nan
    found = outcome_cost.section(trial(people, params), params)
    assert rows(found.costs).loc["cost_allocated", "n_used"] == 100
    assert "20 pupils lack their sessions" in said(found.reading)


# --- refusals -----------------------------------------------------------------------------------------------------------


def codes(people: pd.DataFrame, params) -> dict[str, str]:
    found = {}
    for part in PARTS:
        result = part.section(trial(people, params), params)
        for field in dataclasses.fields(result):
            value = getattr(result, field.name)
            if isinstance(value, Refused):
                assert value.why.template and value.what_to_collect.template
                found[f"{part.__name__.rsplit('_', 1)[1]}.{field.name}"] = value.code
    return found


@pytest.mark.parametrize(
    ("spoil", "changes", "field", "code"),
    [
        (lambda p: p.iloc[:0], {}, "change.thresholds", "no_pupils"),
        (lambda p: p.iloc[:0], {}, "harms.counts", "no_pupils"),
        (lambda p: p.iloc[:0], {}, "cost.costs", "no_pupils"),
        (lambda p: p, {"baseline": ""}, "rtm.table", "no_baseline"),
        (lambda p: p, {"case_cutoff": None}, "rtm.claim", "no_case_cutoff"),
        (lambda p: p.assign(y_post=math.nan), {}, "change.outcomes", "nobody_twice"),
        (lambda p: p[p["arm"] == "intervention"], {"reliability": None}, "change.outcomes", "no_reliability"),
        (lambda p: p[(p["arm"] == "intervention") | (p["y_pre"] < 29)], {"reliability": None}, "change.shares", "narrow_reliability"),
        (lambda p: p.assign(y_post=51 - p["y_pre"]), {"reliability": None}, "change.outcomes", "unusable_reliability"),
        (lambda p: p[p["y_pre"] >= 29], {"reference_sd": None}, "change.outcomes", "no_spread"),
        (lambda p: p[p["arm"] == "intervention"], {}, "change.differences", "no_control"),
        (lambda p: p[p["arm"] == "intervention"], {"screened": True}, "rtm.claim", "uncontrolled_positives"),
        (lambda p: p[p["arm"] == "intervention"], {"reliability": None}, "rtm.table", "no_unserved_retest"),
        (lambda p: p[p["school_pid"].isin(["s0", "s1", "s2", "s3"])], {}, "rtm.table", "few_clusters"),
        (lambda p: p[(p["y_pre"] < 29) | (p.index % 40 == 0)], {}, "rtm.claim", "few_cases"),
        (lambda p: p, {"design": "staggered"}, "harms.differences", "arms_unlike"),
        (lambda p: p, {"design": "matched"}, "cost.recovery", "arms_unlike"),
        (lambda p: p, {"cost_per_pupil": None, "cost_per_session": None}, "cost.costs", "no_costs"),
        (lambda p: p.drop(columns="sessions"), {"cost_per_pupil": None}, "cost.costs", "no_sessions"),
        (lambda p: p, {"prices": []}, "cost.net_benefit", "no_prices"),
        (lambda p: p, {"prices": [1000.0]}, "cost.acceptability", "one_price"),
        (lambda p: p[p["school_pid"].isin([f"s{k}" for k in range(12)])], {}, "cost.recovery", "few_clusters"),
    ],
)  # fmt: skip
def test_every_refusal(rng, spoil, changes, field, code):
    people = spoil(normal(rng, pupils=80))
    assert codes(people, params_of(**{"case_cutoff": 29.0, "reference_sd": 7.0} | changes))[field] == code


def test_a_population_that_is_not_known_is_refused(rng):
    """A reliability from elsewhere does not tell how far the chosen stand from everybody."""
    from mhlib.analyses.parts.outcome_expected import expectation

    people = normal(rng)
    people = people[(people["arm"] == "intervention") & (people["y_pre"] >= 29)]
    params = params_of(design="before_after", case_cutoff=29.0, reference_sd=None)
    assert (
        expectation(trial(people, params), params, reliability=(0.7, 0.02), least_change=None).code == "no_population"
    )


# --- properties and the page --------------------------------------------------------------------------------------------


def test_a_scale_turned_round_gives_the_same_findings(rng):
    people = normal(rng, effect=1.5)
    turned = people.assign(y_pre=60 - people["y_pre"], y_post=60 - people["y_post"])
    plain = params_of(case_cutoff=29.0, reference_sd=7.0, reliability=None)
    round_ = params_of(case_cutoff=31.0, reference_sd=7.0, reliability=None, better="higher")
    for part, fields in (
        (outcome_change, ("outcomes", "differences")), (outcome_rtm, ("table", "claim")), (outcome_harms, ("counts", "differences")),
        (outcome_cost, ("net_benefit",)),
    ):  # fmt: skip
        one, two = part.section(trial(people, plain), plain), part.section(trial(turned, round_), round_)
        for name in fields:
            first, second = getattr(one, name).to_frame(), getattr(two, name).to_frame()
            numbers = first.select_dtypes("number").columns
            np.testing.assert_allclose(second[numbers].to_numpy(float), first[numbers].to_numpy(float), atol=1e-8)
    curves = [outcome_rtm.section(trial(p, q), q).curve.to_frame() for p, q in ((people, plain), (turned, round_))]
    assert sorted(60 - curves[1]["x"]) == pytest.approx(sorted(curves[0]["x"]))
    assert sorted(60 - curves[1]["y"]) == pytest.approx(sorted(curves[0]["y"]))


def shown(result) -> None:
    """Every table passes the gate and every sentence can be said."""
    gate = Gate.of("public")
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, list):
            assert all("{" not in words(one, "en", gate) for one in value)
        elif isinstance(value, Message):
            words(value, "en", gate)
        elif not isinstance(value, Refused | tuple):
            gate.frame(value.to_frame(), where=field.name)


def test_shares_are_drawn_one_bar_an_arm():
    params = params_of()
    found = outcome_change.section(trial(by_hand(), params), params)
    ax = shares(found.shares, ax=Figure().subplots())
    assert len(ax.patches) == 8 and sum(patch.get_width() for patch in ax.patches) == pytest.approx(2.0)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["control", "programme"]


@pytest.fixture(scope="session")
def city(once):
    """Root of a whole city: the small one has too few schools for an interval."""
    return once("whole", lambda root: simulate("city", destination=root / "city", truth_destination=root / "truth"))


DESIGNS = {
    "school_rct": {"allocated": "school_pid"},
    "wait_list": {"allocated": "class_pid", "stratum": "school_pid"},
    "above_cutoff": {"allocated": "school_pid", "screened": True},
    "staggered": {"allocated": "school_pid", "occasions": {"term_1": "term_1", "term_6": "term_6"}, "baseline": "term_1",
                  "primary": "term_6"},
}  # fmt: skip


@pytest.mark.parametrize("design", DESIGNS)
def test_every_section_on_the_city(city, monkeypatch, design):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(city))
    params = params_of(**{"source": "synthetic:city", "design": design, "case_cutoff": 29.0, "reference_sd": 7.0,
                          "reliability": None} | DESIGNS[design])  # fmt: skip
    data = analysis.load(params)
    results = {part: part.section(data, params) for part in PARTS}
    for result in results.values():
        shown(result)
    fall = rows(results[outcome_rtm].table).loc["remainder_fall"]
    # Planted: the effect in deviations of 7 points, whatever the score at the start.
    planted = {"school_rct": 0.21, "wait_list": 0.36, "above_cutoff": 0.29, "staggered": 0.12}[design] * 7
    assert fall["conf_low"] < planted < fall["conf_high"]
    assert isinstance(results[outcome_change].differences, Refused) == (design in ("above_cutoff", "staggered"))
    assert results[outcome_harms].state[0] == ("good" if design in ("school_rct", "wait_list") else "unknown")
