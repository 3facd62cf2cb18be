"""What a verdict may rest on: a grade needs a finding, a cause its design, a test its intervals, and an average its name."""

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_primary
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_power import _likeness, _of_a_school
from mhlib.analyses.parts.trial import trial_of
from mhlib.data.screening import Provenance
from mhlib.data.trial import TrialData
from mhlib.errors import ParamsError
from mhlib.findings import Refused

NEEDED = {"evaluation": "intervention_outcomes", "source": "t.csv", "as_of": "2026-01-01", "seed": 11, "design": "school_rct",
          "allocated": "school_pid", "outcome": "score", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
          "primary": "post", "levels": ["school_pid"], "n_boot": 200, "n_imputations": 5, "planned_on": "2025-01-01"}  # fmt: skip
CUT = {"design": "above_cutoff", "allocated": "pupil_pid", "levels": [], "curvature": 0.05}
ORIGIN = Provenance(kind="file", source="t.csv", sha256="0" * 64, rows_read=1)
GRADE, CAUSE = "The finding is secure", "The design can speak of causes"


def given(**changes):
    return analysis.Params.from_mapping(NEEDED | changes, where="test")


def trial(people, params, panel=None):
    people = people.assign(pupil_pid=np.arange(len(people)).astype(str)) if len(people) else people
    data = TrialData(people=people, panel=pd.DataFrame() if panel is None else panel, occasions=tuple(params.occasions),
                     allocated=pd.DataFrame(), provenance=ORIGIN)  # fmt: skip
    return trial_of(data, params)


def found(people, **changes):
    params = given(**changes)
    return params, analysis.estimate(trial(people, params), params)


def light(params, result, name):
    return next(one for one in analysis.lights(result, params) if one.name.template == name)


def rows(schools=40, pupils=40, seed=1, effect=0.0):
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), pupils)
    base = 20 + rng.normal(0, 1, schools)[school] + rng.normal(0, 5, len(school))
    after = (
        10 + 0.5 * base + effect * (school % 2) + rng.normal(0, 0.6, schools)[school] + rng.normal(0, 4, len(school))
    )
    arm = np.where(school % 2, "intervention", "control")
    return pd.DataFrame({"school_pid": school.astype(str), "arm": arm, "y_pre": base, "y_post": after})


def classes(schools=40, a_school=3, pupils=25, sd_school=0.6, sd_class=2.0, seed=3):
    rng = np.random.default_rng(seed)
    one = np.repeat(np.arange(schools * a_school), pupils)
    school = one // a_school
    after = (
        20
        + rng.normal(0, sd_school, schools)[school]
        + rng.normal(0, sd_class, schools * a_school)[one]
        + rng.normal(0, 4.5, len(one))
    )
    return pd.DataFrame({"school_pid": school.astype(str), "class_pid": one.astype(str),
                         "arm": np.where(school % 2, "intervention", "control"), "y_pre": rng.normal(0, 1, len(one)),
                         "y_post": after})  # fmt: skip


def cut(kept=1.0, n=3000, seed=4):
    rng = np.random.default_rng(seed)
    school, score = rng.integers(0, 40, n), np.round(rng.normal(0, 6, n))
    served = np.where(rng.random(n) > kept, score < 0, score >= 0)
    after = 20 + 0.3 * score - 2 * served + rng.normal(0, 0.5, 40)[school] + rng.normal(0, 4, n)
    return pd.DataFrame({"school_pid": school.astype(str), "arm": np.where(served, "intervention", "control"),
                         "running": score, "y_pre": score + 20 + rng.normal(0, 1, n), "y_post": after})  # fmt: skip


# --- security of a finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("without", ["no comparison", "no interval"])
def test_without_a_finding_nothing_is_secure(without):
    people = rows() if without == "no comparison" else rows(schools=3, pupils=60)
    people = people[people["arm"] == "control"] if without == "no comparison" else people
    params, result = found(people)
    assert isinstance(result.effect, Refused) or np.isnan(result.effect.conf_low)
    one = light(params, result, GRADE)
    assert result.power.grade is None and one.state == "unknown" and "no finding" in one.finding.template
    assert not any("Security of the finding" in said.template for said in analysis.answer(result, params))
    assert any(reason.name.template == "Effect" and reason.state == "unknown" for reason in result.power.reasons)


def test_a_small_trial_without_a_nesting_is_graded_by_its_error():
    people = rows(schools=2, pupils=15).drop(columns="school_pid")
    people["arm"] = np.where(np.arange(30) % 2, "intervention", "control")
    params, result = found(people, design="pupil_rct", allocated="pupil_pid", levels=[])
    assert result.power.detectable.table["mdes"].iloc[-1] > 0.6
    assert result.power.grade == 0 and light(params, result, GRADE).state == "bad"


def test_what_nobody_knows_is_no_evidence_of_power():
    panel = pd.DataFrame([{"unit": f"u{u}", "time": t, "outcome": 10.0 + u % 7 + 0.1 * t + (u * 7 + t * 3) % 5,
                           "exposure": float(u % 2 and t > 4)} for u in range(30) for t in range(8)])  # fmt: skip
    params = given(design="panel", allocated="unit", occasions={}, baseline="", primary="", levels=[])
    result = analysis.estimate(trial(pd.DataFrame(), params, panel), params)
    assert isinstance(result.effect, Effect) and isinstance(result.power.detectable, Refused)
    reason = result.power.reasons[1]
    assert result.power.grade <= 2 and reason.state == "unknown" and reason.finding.values == {"grade": 2}


# --- smallest effect ---------------------------------------------------------------------------------------------------


def test_a_better_model_of_the_data_makes_the_study_look_no_stronger():
    people = classes()
    one, two = (found(people, levels=levels)[1].power for levels in (["school_pid"], ["school_pid", "class_pid"]))
    small, large = (part.detectable.table["mdes"].iloc[-1] for part in (one, two))
    assert small == pytest.approx(large) and large == pytest.approx(0.248, abs=0.001) and one.grade == two.grade == 4
    plans = [part.next_term.table.set_index("n_units") for part in (one, two)]
    for column in ("mdes_trial", "mdes_wait", "mdes_steps"):
        assert plans[1].loc[40, column] == pytest.approx(plans[0].loc[40, column], rel=0.12), column


def test_classes_drawn_by_lot_over_unlike_schools_are_as_unlike_as_these():
    people = classes(schools=12, a_school=4, sd_school=3.0, sd_class=0.3)
    number = people["class_pid"].astype(int)
    lots = np.random.default_rng(5).permutation(48) % 2
    people["arm"] = np.where(lots[number], "intervention", "control")
    given_levels = {"design": "class_rct", "allocated": "class_pid", "levels": ["school_pid", "class_pid"]}
    params, result = found(people, occasions={"post": "post"}, baseline="", **given_levels)
    effect = result.effect
    mdes = result.power.detectable.table["mdes"].iloc[-1]
    assert mdes == pytest.approx(2.87 * effect.std_error / effect.sd, rel=0.02) and mdes > 0.4
    assert result.power.grade <= 2 and params.design == "class_rct"


def test_the_likeness_of_a_unit_by_hand():
    values = {"icc_0": 0.10, "icc_1": 0.20, "icc_2": 0.70, "r2_0": 0.5, "r2_1": 0.2, "r2_2": 0.3, "class_size": 25.0}
    school = _likeness(values, "school_pid", 100)
    assert school == {"r2_pupil": 0.3, "icc_school": 0.10, "icc_class": 0.20, "classes": 4.0, "r2_school": 0.5,
                      "r2_class": 0.2}  # fmt: skip
    one = _likeness(values, "class_pid", 25)
    assert one["icc_school"] == pytest.approx(0.30) and one["r2_school"] == pytest.approx(0.30)
    assert _likeness(values, "class_pid", 25, within_schools=True)["icc_school"] == 0.20
    # Variance of a school's mean: .10 + .20 / 4 + .70 / 100 = .157, whichever way it is written.
    like = _of_a_school(school, 100)
    assert like + (1 - like) / 100 == pytest.approx(0.157)
    assert _of_a_school({"icc_school": 0.1, "r2_pupil": 0.0, "r2_school": 0.0}, 100) == 0.1


# --- before and after --------------------------------------------------------------------------------------------------


def test_before_and_after_compares_nobody_though_there_be_two_arms():
    rng = np.random.default_rng(1)
    people = rows(seed=3)
    true = 20 - 4 * (people["arm"] == "intervention") + rng.normal(0, 3, len(people))
    people = people.assign(y_pre=true + rng.normal(0, 4, len(people)), y_post=true + rng.normal(0, 4, len(people)))
    params, result = found(people, design="before_after")
    assert isinstance(result.effect, Refused) and result.effect.code == "no_comparison"
    assert result.strength == "none" and result.power.grade == 0
    states = [one.state for one in analysis.lights(result, params)]
    assert states[:3] == ["unknown", "unknown", "bad"] and states[-1] == "bad"
    assert analysis.answer(result, params)[0].template.endswith("is not known: {why}")
    assert {result.groups.subgroups.code, result.secondary.outcomes.code} == {"no_comparison"}


# --- the stated test and the intervals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"alpha": 0.01}, {"conf_level": 0.80}, {"alpha": 0.05, "conf_level": 0.90}])
def test_a_test_and_intervals_that_could_contradict_each_other_are_refused(changes):
    with pytest.raises(ParamsError, match=r"alpha must be .* which is 1 - conf_level"):
        given(**changes)


def test_the_verdict_keeps_to_the_stated_test():
    """An effect with p .037 is one at .05 and none at .01, in the light as in the words."""
    for seed in range(1, 60):
        people = rows(seed=seed, effect=-0.5)
        plain = given(levels=[])
        effect = outcome_primary.section(trial(people, plain), plain).effect
        if 0.02 < effect.p_value < 0.04 and effect.estimate < 0:
            break
    assert 0.02 < effect.p_value < 0.04
    for changes, state, words in (
        ({}, "good", "did better"),
        ({"alpha": 0.01, "conf_level": 0.99}, "watch", "No effect"),
    ):
        params, result = found(people, levels=[], **changes)
        assert analysis.lights(result, params)[0].state == state
        assert words in analysis.answer(result, params)[0].template


def rolled(seed):
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(30), 20)
    start = np.array([3.0, 4.0, np.nan])[school % 3]
    own, level = rng.normal(0, 2, len(school)), rng.normal(0, 1, 30)[school]
    scores = {
        f"y_t{t}": 20 + 0.5 * t + level + own - 2 * (start <= t) + rng.normal(0, 3, len(school)) for t in range(1, 6)
    }
    return pd.DataFrame({"school_pid": school.astype(str), "arm": np.where(np.isnan(start), "control", "intervention"),
                         "start_term": start} | scores)  # fmt: skip


def test_trends_before_are_judged_by_the_stated_test():
    occasions = {f"t{t}": f"t{t}" for t in range(1, 6)}
    asked = {"design": "staggered", "occasions": occasions, "baseline": "t1", "primary": "t5"}
    for seed in range(60):
        people = rolled(seed)
        params, result = found(people, alpha=0.20, conf_level=0.80, **asked)
        p_value = float(result.rollout.pretrend.table["p_value"].iloc[0])
        if 0.06 < p_value < 0.19:
            break
    assert 0.06 < p_value < 0.19
    trends = result.rollout.domains[0]
    assert trends.name.template == "Trends would have been alike" and trends.state == "bad"
    assert found(people, **asked)[1].rollout.domains[0].state != "bad" and params.alpha == 0.20


# --- a cut-off ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "strength", "state", "decided"),
    [
        (cut(), "at_cutoff", "good", "good"),
        (cut(kept=0.7), "departed", "watch", "watch"),
        (cut().assign(running=np.nan), "no_jump", "bad", "unknown"),
        (cut().assign(arm="control"), "no_jump", "bad", "watch"),
        (cut().assign(y_post=lambda one: one["y_post"].where(one["running"] >= 0)), "no_jump", "bad", "good"),
    ],
)
def test_a_cutoff_speaks_of_causes_only_where_it_was_kept_to_and_shows_something(people, strength, state, decided):
    params, result = found(people, **CUT)
    one = light(params, result, CAUSE)
    assert (result.strength, one.state) == (strength, state)
    assert result.design.domains[0].state == decided and result.design.strength == strength
    assert result.design.label.values["strength"] is one.finding.values["strength"]
    assert result.effect.code if strength == "no_jump" else isinstance(result.effect, Effect)


# --- whose average -----------------------------------------------------------------------------------------------------


def estimand(people, panel=None, **changes):
    params = given(**changes)
    from mhlib.analyses.parts import outcome_design

    table = outcome_design.section(trial(people, params, panel), params).estimand.table
    return {row.property.template: row.detail_said.template for row in table.itertuples()}


@pytest.mark.parametrize("design", ["matched", "stepped_wedge", "above_cutoff", "time_series"])
def test_a_design_without_an_average_over_units_says_so(design):
    people = rows(schools=8, pupils=5).assign(start_term=2.0, running=1.0)
    weeks = pd.DataFrame({"unit": "u", "time": range(30), "outcome": 1.0, "exposure": np.arange(30) > 15, "n": 9.0})
    asked = {"design": design} | ({"allocated": "unit"} if design == "time_series" else {})
    source = (pd.DataFrame(), weeks) if design == "time_series" else (people, None)
    plain, units = (estimand(*source, estimand=name, **asked) for name in ("pupil", "school"))
    assert "average in the plan" not in plain and "in this design none is given" in units["average in the plan"]
    assert plain["whose average"] == units["whose average"]


def test_the_average_named_is_the_one_estimated():
    people = rows(schools=8, pupils=5).assign(start_term=2.0)
    assert "could have been in either group" in estimand(people, design="matched")["whose average"]
    weighed = pd.DataFrame(
        {"unit": ["a", "b"], "time": [1, 1], "exposure": [0.0, 1.0], "outcome": [1.0, 2.0], "n": [5.0, 9.0]}
    )
    panel = {"design": "panel", "allocated": "unit"}
    names = [
        estimand(pd.DataFrame(), weighed, estimand="pupil", **panel),
        estimand(pd.DataFrame(), weighed, estimand="school", **panel),
        estimand(pd.DataFrame(), weighed.drop(columns="n"), estimand="pupil", **panel),
        estimand(people, design="staggered", estimand="pupil"),
        estimand(people, design="staggered", estimand="school"),
    ]
    large = ["whatever their size" not in name["whose average"] for name in names]
    assert large == [True, False, False, True, False]
    assert not any("average in the plan" in name for name in names)


# --- the mixed model and the unit allocated ----------------------------------------------------------------------------


def test_an_error_below_the_unit_allocated_is_not_shown():
    people = classes()
    below = found(people, levels=["class_pid"])[1].primary
    table = below.inference.table.set_index("group")
    assert "by_mixed" not in table.index and "spec_mixed" not in set(below.multiverse.table["group"])
    assert any("no level for the unit" in said.template for said in below.inference.lacking)
    assert table.loc["by_mixed_cr2", "df"] == pytest.approx(38, abs=1)
    width = table["conf_high"] - table["conf_low"]
    assert width["by_mixed_cr2"] == pytest.approx(width["by_cr2"], rel=0.02)
    both = found(people, levels=["school_pid", "class_pid"])[1].primary.inference.table.set_index("group")
    assert {"by_mixed", "by_mixed_cr2"} <= set(both.index)
