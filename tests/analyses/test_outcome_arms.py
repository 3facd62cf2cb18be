"""Covariance beside the change score, balance at the start, names in two languages, and schools without names."""

import math

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import (
    outcome_checks,
    outcome_covariance,
    outcome_groups,
    outcome_names,
    outcome_primary,
    outcome_start,
)
from mhlib.analyses.parts.outcome_effect import adjusted
from mhlib.analyses.parts.trial import Trial, trial_of
from mhlib.data.screening import Provenance
from mhlib.data.trial import TrialData
from mhlib.findings import Message, Refused, message
from mhlib.report.disclosure import Gate
from mhlib.report.figures import kind_named
from mhlib.report.language import translated, words
from mhlib.report.vocabulary import TERMS
from mhlib.stats.effects import group_effects

OPEN = Gate.of("open_data")


def params_of(**changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "school_rct",
        "allocated": "school_pid", "outcome": "distress score", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
        "primary": "post", "levels": ["school_pid"], "n_boot": 200,
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def trial(people: pd.DataFrame, params) -> Trial:
    people = people.assign(pupil_pid=[f"p{at}" for at in range(len(people))])
    data = TrialData(people=people, panel=pd.DataFrame(), occasions=("pre", "post"), allocated=pd.DataFrame(),
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=len(people)))  # fmt: skip
    return trial_of(data, params)


def rows(seed: int, *, schools: int = 40, pupils: int = 60, apart: float = 0.0, slope: float = 0.5) -> pd.DataFrame:
    """Half the schools served to no effect; the served began `apart` points higher; the outcome follows with `slope`."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), pupils)
    served = school % 2
    before = 20 + apart * served + rng.normal(0, 1, schools)[school] + rng.normal(0, 5, len(school))
    after = 10 + slope * before + rng.normal(0, 0.5, schools)[school] + rng.normal(0, 4, len(school))
    return pd.DataFrame({
        "school_pid": [f"s{at}" for at in school], "arm": np.where(served == 1, "intervention", "control"), "y_pre": before,
        "y_post": after, "sex": pd.array(rng.integers(0, 2, len(school)), dtype="Int64"),
        "boarding": pd.array(rng.random(len(school)) < 0.3, dtype="boolean"),
        "level": pd.array(np.where(school < schools // 2, "P", "J"), dtype="string"),
    })  # fmt: skip


def covariance(people: pd.DataFrame, **changes):
    params = params_of(**changes)
    data = trial(people, params)
    frame, _ = adjusted(data, params)
    return outcome_covariance.section(data, params, frame), outcome_primary.section(data, params)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"estimand": "school"},
        {"stratum": "level"},
        {"covariates": ["sex", "boarding", "level"]},
        {"allocated": "pupil_pid", "design": "pupil_rct", "levels": []},
        {"allocated": "pupil_pid", "design": "pupil_rct", "levels": [], "stratum": "level"},
        # Strata that cut through the clusters are covariates.
        {"stratum": "sex"},
    ],
)
def test_both_doors_to_the_analysis_of_covariance_agree(changes):
    people = rows(1, schools=24, pupils=30)
    # Schools of 18 to 29 pupils, so that pupils and schools have two averages.
    people = people[people.groupby("school_pid").cumcount() < 18 + people["school_pid"].str[1:].astype(int) // 2]
    beside, primary = covariance(people, **changes)
    table, planned = beside.table.table.set_index("analysis_named"), primary.multiverse.table.set_index("group")
    columns = ["estimate", "conf_low", "conf_high", "df", "p_value", "n_used"]
    for one, other in (("by_ancova", "spec_planned"), ("by_change_score", "spec_change")):
        assert table.loc[one, columns].to_list() == pytest.approx(planned.loc[other, columns].to_list(), rel=1e-8)
    gap = table.loc["by_ancova", "estimate"] - table.loc["by_change_score", "estimate"]
    assert table.loc["ancova_less_change", "estimate"] == pytest.approx(gap)
    assert primary.covariance.table.equals(beside.table.table)


def test_lords_paradox_is_named_where_the_arms_began_apart():
    # No effect at all: given the baseline 0; since the baseline (slope - 1) x 4 = -2 points, so the gap is +2.
    beside, _ = covariance(rows(2, apart=4.0))
    table = beside.table.table.set_index("analysis_named")
    low, high = table.loc["ancova_less_change", ["conf_low", "conf_high"]]
    assert low < 2.0 < high and low > 0
    assert table.loc["by_ancova", "conf_low"] < 0 < table.loc["by_ancova", "conf_high"]
    assert table.loc["by_change_score", "conf_high"] < 0
    assert beside.checks[0].passed is False and "Lord's paradox" in beside.reading[1].template
    assert "ANCOVA is right" in beside.reading[0].template


def test_where_lots_were_not_drawn_neither_is_called_right():
    beside, _ = covariance(rows(2, apart=4.0), design="before_after")
    assert "neither is identified" in beside.reading[0].template


def test_alike_arms_give_one_sentence_and_no_paradox():
    beside, _ = covariance(rows(3))
    assert beside.checks[0].passed is True and len(beside.reading) == 1


def test_three_schools_an_arm_give_no_verdict_on_the_paradox():
    beside, _ = covariance(rows(4, schools=4, apart=4.0))
    gap = beside.table.table.set_index("analysis_named").loc["ancova_less_change"]
    assert beside.checks[0].passed is None and math.isnan(gap["conf_low"]) and math.isnan(gap["p_value"])


def test_without_a_baseline_there_is_no_change():
    beside, _ = covariance(rows(5), baseline="")
    assert beside.table.code == "no_baseline" and beside.reading == [] and beside.checks == []


def test_balance_by_hand():
    # Two schools an arm, two pupils each. Control 1, 3 | 3, 5 (mean 3, SS 8); programme 2, 4 | 6, 8 (mean 5, SS 20).
    people = pd.DataFrame({
        "school_pid": list("aabbccdd"), "arm": ["control"] * 4 + ["intervention"] * 4,
        "y_pre": [1.0, 3, 3, 5, 2, 4, 6, 8], "y_post": [1.0, 2, 3, 4, 5, 6, 7, 9],
        "boarding": pd.array([True, False, False, False, True, True, False, False], dtype="boolean"),
    })  # fmt: skip
    params = params_of()
    found = outcome_start.table(trial(people, params), params).table.set_index("property_named")
    pupils = 2 / math.sqrt(28 / 6) * (1 - 3 / (4 * 8 - 9))
    units = 2 / math.sqrt((2 + 8) / 2) * (1 - 3 / (4 * 4 - 9))
    assert found.loc["start_b", ["mean_control", "mean_programme", "n_units", "n_used"]].to_list() == [3.0, 5.0, 4, 4]
    assert found.loc["start_b", ["g", "g_units"]].to_list() == pytest.approx([pupils, units])
    assert found.loc["start_b", "g_units_chance"] == pytest.approx(1.0)
    cox = (math.log(1) - math.log(0.25 / 0.75)) / 1.65 * (1 - 3 / (4 * 8 - 9))
    assert found.loc["start_boarding", "g"] == pytest.approx(cox)
    assert found.loc["start_b", "band_said"].template == "too far apart for any adjustment"
    assert found.loc["start_b", "band_units_said"].template == "beyond .25, as chance alone may do"


@pytest.mark.parametrize(
    ("apart", "band", "passed"), [(0.0, "alike", True), (0.8, "adjust for it", True), (3.0, "too far apart", False)]
)
def test_the_bands_follow_the_distance_of_pupils(apart, band, passed):
    people = rows(6, schools=200, pupils=20, apart=0.0).assign(boarding=False, sex=1)
    # The chance distance is taken out first, so that the band follows what was put in.
    served = people["arm"] == "intervention"
    people.loc[served, "y_pre"] += people.loc[~served, "y_pre"].mean() - people.loc[served, "y_pre"].mean() + apart
    params = params_of()
    data = trial(people, params)
    assert outcome_start.table(data, params).table["band_said"].iloc[0].template.startswith(band)
    check = next(one for one in outcome_checks.of_trial(data, params) if one.name.template == "Arms alike at the start")
    assert check.passed is passed


def test_chance_explains_a_wide_distance_between_few_units():
    params = params_of()
    said = outcome_start.reading(trial(rows(7, schools=8), params), params)
    assert said[0].values == {"n": 8, "chance": f"{math.sqrt(1 / 4 + 1 / 4):.2f}"}
    unlike = params_of(design="before_after")
    assert outcome_start.reading(trial(rows(7, schools=8), unlike), unlike) == []


def test_units_further_apart_than_chance_are_said_to_be_so():
    params = params_of()
    people = rows(7, apart=1.5)
    found = outcome_start.table(trial(people, params), params).table.set_index("property_named")
    means = people.groupby(["arm", "school_pid"])["y_pre"].mean().groupby("arm").agg(["mean", "var"])
    g = (means["mean"].diff().iloc[1]) / math.sqrt(means["var"].mean()) * (1 - 3 / (4 * 40 - 9))
    assert found.loc["start_b", "g_units"] == pytest.approx(g) and 0.7 < g < 2
    assert found.loc["start_b", "band_units_said"].template == "beyond .25, and more than chance alone would do"


def test_pupils_drawn_one_by_one_have_no_distance_of_units():
    params = params_of(design="pupil_rct", allocated="pupil_pid", levels=[])
    data = trial(rows(8), params)
    found, drawn = outcome_start.table(data, params).table, outcome_start.figure(data, params).table
    assert (
        "g_units" not in found
        and set(drawn["term"]) == {"balance_pupils"}
        and outcome_start.reading(data, params) == []
    )
    assert found["g_chance"].to_list() == pytest.approx([math.sqrt(2 / 1200)] * len(found))


def test_a_text_covariate_has_a_row_a_level_and_no_mean_of_units():
    params = params_of(covariates=["level"])
    found = outcome_start.table(trial(rows(9), params), params).table.set_index("property_named")
    assert "level_P" in found.index and found.loc["level_P", "band_units_said"].template == "unknown"


def test_the_love_plot_shows_distances_without_sign_and_without_intervals():
    params = params_of()
    data = trial(rows(10, apart=-4.0), params)
    drawn, found = outcome_start.figure(data, params), outcome_start.table(data, params).table
    assert found["g"].min() < 0 and (drawn.table["estimate"] >= 0).all() and drawn.rule == 0.25
    assert drawn.table["conf_low"].isna().all() and set(drawn.table["term"]) == {"balance_pupils", "balance_units"}
    gated = OPEN.frame(kind_named("forest").data(drawn, OPEN), where="start")
    ax = kind_named("forest").draw(drawn, data=gated)
    assert len(ax.get_yticklabels()) == len(drawn.table)


@pytest.mark.parametrize("design", ["above_cutoff", "staggered", "stepped_wedge", "matched"])
def test_arms_unlike_by_design_are_not_weighed_here(design):
    params = params_of(design=design)
    data = trial(rows(11), params)
    assert outcome_start.table(data, params).code == "arms_unlike"
    assert outcome_start.figure(data, params).code == "other_design"
    assert outcome_start.reading(data, params) == outcome_start.checks(data, params) == []
    assert outcome_primary.section(data, params).covariance.code == "other_design"


def test_without_a_control_nothing_is_compared():
    params = params_of()
    served = trial(rows(11).query("arm == 'intervention'"), params)
    refused = [outcome_start.table(served, params), outcome_start.figure(served, params),
               outcome_primary.section(served, params).covariance]  # fmt: skip
    assert {one.code for one in refused} == {"no_control"}


def test_a_panel_has_no_pupils_to_compare():
    params = params_of(design="panel", allocated="unit", baseline="", primary="", occasions={})
    panel = pd.DataFrame({"unit": ["a", "b"], "time": [0, 0], "outcome": [1.0, 2.0], "exposure": [0.0, 1.0]})
    data = TrialData(people=pd.DataFrame(), panel=panel, occasions=(), allocated=pd.DataFrame(),
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=2))  # fmt: skip
    units = trial_of(data, params)
    assert outcome_start.table(units, params).code == outcome_start.figure(units, params).code == "no_pupils"
    assert outcome_start.reading(units, params) == [] and outcome_checks.of_trial(units, params) == []


def test_classes_are_not_called_schools():
    people = rows(12, schools=24).rename(columns={"school_pid": "class_pid"})
    params = params_of(design="class_rct", allocated="class_pid", levels=["class_pid"])
    names = {check.name.template for check in outcome_checks.of_trial(trial(people, params), params)}
    assert "Enough units" in names and "Enough schools" not in names


@pytest.mark.parametrize(
    ("name", "template"), [("pre", "before"), ("follow_up", "follow-up"), ("term_3", "term {n}"), ("m8", "month {n}")]
)
def test_a_known_occasion_is_a_key_of_the_catalogue(name, template):
    said = outcome_names.occasion_name(name)
    assert said.template == template
    if name in TERMS:
        assert words(said, "en", OPEN) == words(TERMS[name].words, "en", OPEN)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (outcome_names.occasion_name("week {x}"), "week {x}"),
        (outcome_names.occasion_name(""), "–"),
        (outcome_names.outcome_name(params_of(outcome="mood {of} pupils")), "mood {of} pupils"),
    ],
)
def test_an_unknown_name_stands_as_it_was_given_in_both_languages(said, shown):
    assert [words(said, language, OPEN) for language in ("en", "zh")] == [shown, shown]


def test_the_demo_outcome_has_a_name_in_chinese():
    said = outcome_names.outcome_name(params_of())
    assert said == message("distress score")
    assert words(said, "zh", OPEN) == translated("distress score", "zh") == "困扰得分"


def test_a_refusal_names_the_difference_and_not_its_column():
    refused = Refused(
        "x", Message("The error of '{term}' rests on {df}.", {"term": "treated", "df": 2.0}), message("Nothing.")
    )
    said = outcome_names.in_words(refused)
    assert (
        words(said.why, "en", OPEN) == "The error of 'the difference between the arms' rests on 2." and said.code == "x"
    )
    _, primary = covariance(rows(13, schools=4))
    assert "treated" not in words(primary.effect.p_refused.why, "en", OPEN)


def test_the_mixed_model_has_robust_errors_beside_its_own():
    people = rows(15, schools=24, pupils=20)
    params = params_of()
    table = outcome_primary.section(trial(people, params), params).inference.table.set_index("group")
    own, robust = table.loc["by_mixed"], table.loc["by_mixed_cr2"]
    assert robust["estimate"] == pytest.approx(own["estimate"]) and robust["df"] < own["df"] + 1
    width = (robust["conf_high"] - robust["conf_low"]) / (own["conf_high"] - own["conf_low"])
    assert 0.6 < width < 1.6 and width != 1.0 and "by_mixed_cr2" in TERMS


def test_the_schools_have_neither_names_nor_sizes():
    people = rows(14, schools=20)
    # Schools of 31 to 59 pupils, and one too small to be shown.
    sizes = {f"s{at}": 59 - at for at in range(19)} | {"s18": 31, "s19": 20}
    people = people[people.groupby("school_pid").cumcount() < people["school_pid"].map(sizes)]
    # One school far above all others would be known by any mark of its own.
    people.loc[people["school_pid"] == "s3", "y_post"] += 30
    params = params_of()
    found = outcome_groups.section(trial(people, params), params)
    drawn = found.schools
    assert list(drawn.table.columns) == ["group", "x", "y", "low", "high", "n_used"]
    assert not drawn.table.isin(set(people["school_pid"])).to_numpy().any()
    assert drawn.table["y"].is_monotonic_increasing and set(drawn.table["group"]) == {"schools_shrunken"}
    assert len(drawn.table) == 19 and set(drawn.table["n_used"]) == {31}
    widths = drawn.table["high"] - drawn.table["low"]
    assert widths.to_list() == pytest.approx([widths.iloc[0]] * 19) and outcome_groups.ALIKE in found.reading
    data = trial(people, params)
    own = group_effects(outcome_primary.mixed_model(data, *adjusted(data, params), params)).table
    own = own[own["term"] != "s19"]
    assert widths.iloc[0] == pytest.approx((own["conf_high"] - own["conf_low"]).max()) and (
        sorted(drawn.table["y"]) == pytest.approx(sorted(own["estimate"]))
    )


def test_thirds_of_the_baseline_are_those_of_the_ranks_and_fewer_where_many_share_a_score():
    frame = rows(16, schools=10).assign(b=lambda people: people["y_pre"].round())
    frame.loc[3, "b"] = np.nan
    wanted = pd.qcut(frame["b"].rank(), 3, labels=["severity_low", "severity_middle", "severity_high"]).astype(object)
    assert outcome_groups.severity(frame).fillna("none").tolist() == wanted.fillna("none").tolist()
    assert pd.isna(outcome_groups.severity(frame)[3])
    assert set(outcome_groups.severity(frame.assign(b=7.0))) == {"severity_low"}
    two = outcome_groups.severity(pd.DataFrame({"b": [0.0] * 7 + [1.0] * 3}))
    assert two.tolist() == ["severity_low"] * 7 + ["severity_high"] * 3


def test_a_constant_baseline_has_no_subgroups():
    params = params_of()
    found = outcome_groups.section(trial(rows(17, schools=20).assign(y_pre=7.0), params), params)
    assert found.interactions.code == found.subgroups.code == "no_subgroups"
    assert not isinstance(found.schools, Refused)


def test_schools_too_small_to_be_shown_are_refused():
    params = params_of()
    found = outcome_groups.section(trial(rows(15, schools=20, pupils=12), params), params)
    assert found.schools.code == "small_schools" and outcome_groups.ALIKE not in found.reading
