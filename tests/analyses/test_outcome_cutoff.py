"""Service from a cut-off on: planted jumps, what must be found when scores or pupils move, and every refusal."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_cutoff
from mhlib.analyses.parts.outcome_cutoff_effect import fitted_lines, jump_of
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial, trial_of
from mhlib.data.screening import Provenance
from mhlib.data.synthetic import planted
from mhlib.data.trial import TrialData
from mhlib.findings import Refused
from mhlib.report import tables
from mhlib.report.disclosure import Gate
from mhlib.report.figures import kind_named
from mhlib.report.language import words
from mhlib.report.vocabulary import TERMS

ROOT = Path(__file__).resolve().parents[2]
OPEN, PUBLIC = Gate.of("open_data"), Gate.of("public")
DRAWN = ("estimate", "figure", "first_stage", "fuzzy", "density", "bars", "jumps", "lost", "ladder", "donut", "placebo")
SLOPE = 0.6


def params_of(**changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "above_cutoff",
        "allocated": "pupil_pid", "cluster": "school_pid", "outcome": "distress", "occasions": {"pre": "pre", "post": "post"},
        "primary": "post", "curvature": 0.02, "reference_sd": 7.0, "planned_on": "2025-09-01",
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def world(rng, *, effect=-3.0, schools=40, pupils=150, cut=4, taking_part=1.0) -> pd.DataFrame:
    """Whole scores about `cut` points below the cut-off; the outcome is a straight line in them, and jumps for the served."""
    n = schools * pupils
    school = np.repeat(np.arange(schools), pupils)
    score = np.round(rng.normal(-cut, 6, n))
    entitled = score >= 0
    part = entitled & (rng.random(n) < taking_part)
    later = 24 + SLOPE * score + rng.normal(0, 1, schools)[school] + rng.normal(0, 4, n) + effect * part
    return pd.DataFrame({
        "pupil_pid": [f"p{at}" for at in range(n)], "school_pid": [f"s{at}" for at in school],
        "arm": np.where(entitled, "intervention", "control"), "running": score, "y_pre": score + 29, "y_post": later,
        "sex": rng.integers(0, 2, n), "sessions": np.where(part, 6.0, np.where(entitled, 0.0, np.nan)),
    })  # fmt: skip


def trial(people: pd.DataFrame, params, panel: pd.DataFrame | None = None) -> Trial:
    data = TrialData(people=people, panel=pd.DataFrame() if panel is None else panel, occasions=("pre", "post"),
                     allocated=pd.DataFrame(), provenance=Provenance(kind="file", source="here", sha256="0", rows_read=1))  # fmt: skip
    return trial_of(data, params)


def found(people: pd.DataFrame, **changes):
    params = params_of(**changes)
    return outcome_cutoff.section(trial(people, params), params)


def said(messages) -> str:
    return " ".join(words(one, "en", OPEN) for one in messages)


def checks(result) -> dict[str, bool | None]:
    return {one.name.template: one.passed for one in result.checks}


def states(result) -> dict[str, str]:
    return {one.name.template: one.state for one in result.domains}


def test_an_outcome_alike_for_everybody_is_refused():
    result = found(world(np.random.default_rng(4)).assign(y_post=5.0))
    assert isinstance(result.effect, Refused) and result.effect.code == "design"


# --- the demo city -----------------------------------------------------------------------------------------------------


@pytest.fixture
def city(small, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_file(ROOT / "params/demo/cutoff_outcomes.yml", changes={"source": "synthetic:small"})
    return params, analysis.load(params)


def test_the_planted_effect_lies_in_the_interval(city):
    params, data = city
    effect = outcome_cutoff.section(data, params).effect
    wanted = planted.EFFECTS["above_cutoff"] * planted.SCORE_SD
    assert effect.conf_low < wanted < effect.conf_high
    assert effect.g == pytest.approx(effect.estimate / 7) and effect.n_clusters == data.people["school_pid"].nunique()


@pytest.mark.parametrize("audience", ["public", "open_data"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_part_can_be_shown(city, audience, language):
    params, data = city
    result, gate = outcome_cutoff.section(data, params), Gate.of(audience)
    for name in DRAWN:
        part = getattr(result, name)
        if isinstance(part, Drawn):
            shown = gate.frame(part.table, where=name)
            assert tables.grid(shown, language, gate, columns=list(shown))[2]
            names = set(part.table["term"] if "term" in part.table else part.table.get("group", []))
            assert names <= set(TERMS)
    for name, kind in (("figure", "lines"), ("ladder", "forest"), ("donut", "forest"), ("placebo", "forest")):
        part, figure = getattr(result, name), kind_named(kind)
        if isinstance(part, Drawn):
            ax = figure.draw(part, data=gate.frame(figure.data(part, gate), where=name))
            assert ax.lines


# --- the jump ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.0, -3.0])
def test_a_jump_planted_or_none_lies_in_the_interval(rng, effect):
    result = found(world(rng, effect=effect))
    one = result.effect
    assert one.conf_low < effect < one.conf_high and one.conf_high - one.conf_low < 3
    assert (one.p_value < 0.05) == (effect != 0)
    assert one.conf_low < one.estimate < one.conf_high and one.p_refused is None
    assert set(states(result).values()) == {"good"}
    assert checks(result)["Service kept to the cut-off"] is True


def test_fewer_points_are_better_or_worse_only_in_the_report(rng):
    people = world(rng)
    assert found(people, better="higher").effect.estimate == found(people).effect.estimate


def test_schools_that_differ_at_the_cutoff_widen_the_interval(rng):
    people = world(rng, effect=0.0)
    number = people["school_pid"].str[1:].astype(int)
    entitled = people["running"] >= 0
    unlike = people.assign(y_post=people["y_post"] + np.where(entitled, rng.normal(0, 3, 40)[number], 0.0))
    alone = unlike.assign(school_pid=unlike["pupil_pid"])
    wide, narrow = (found(rows).effect for rows in (unlike, alone))
    assert wide.std_error > 1.5 * narrow.std_error
    assert wide.n_clusters == 40 and found(unlike, cluster="").effect.n_clusters == 40


def test_without_schools_pupils_are_independent_and_the_report_says_so(rng):
    result = found(world(rng).drop(columns="school_pid"), cluster="")
    assert "no school or class is recorded" in said(result.reading).lower()
    assert result.effect.n_clusters == result.effect.n_used and math.isnan(result.effect.df)


def test_the_bound_is_the_plans_or_a_rule_of_thumb_that_says_it_is_one(rng):
    people = world(rng)
    stated, thumb = found(people), found(people, curvature=None)
    assert "The plan states that" in said(stated.reading) and "0.020" in said(stated.reading)
    assert "The plan states no bound" in said(thumb.reading)
    assert states(thumb)["Bound on how lines bend"] == "watch"
    assert checks(thumb)["Bound on the curvature"] is None


def test_a_wider_bound_widens_the_interval(rng):
    people = world(rng)
    narrow, wide = (found(people, curvature=bound).effect for bound in (0.005, 0.2))
    assert wide.conf_high - wide.conf_low > narrow.conf_high - narrow.conf_low


def test_a_bound_below_what_the_scores_show_is_marked(rng):
    people = world(rng)
    bent = people.assign(y_post=people["y_post"] + 0.15 * people["running"] ** 2)
    result = found(bent, curvature=0.001)
    assert checks(result)["Bound on the curvature"] is False
    assert states(result)["Bound on how lines bend"] == "bad"


def test_a_straight_line_is_not_held_against_a_small_bound():
    passed = [
        checks(found(world(np.random.default_rng(seed)), curvature=0.01))["Bound on the curvature"]
        for seed in range(12)
    ]
    assert passed.count(True) >= 7


def test_what_the_effect_is_divided_by(rng):
    people = world(rng)
    stated = found(people)
    start = found(people, reference_sd=None, baseline="pre")
    end = found(people, reference_sd=None)
    assert stated.effect.sd == 7
    assert start.effect.sd == pytest.approx(people["y_pre"].std())
    assert end.effect.sd == pytest.approx(people["y_post"].std())
    for result, word in ((stated, "as stated"), (start, "before the programme"), (end, "both sides")):
        assert word in said(result.reading)
        assert result.effect.g == pytest.approx(result.effect.estimate / result.effect.sd)


def test_lines_of_the_figure_meet_at_the_estimate(rng):
    params = params_of()
    jump = jump_of(trial(world(rng), params), params)
    lines = fitted_lines(jump)
    assert lines["above"][0] - lines["below"][0] == pytest.approx(jump.sharp.reduced_form.estimate)


def test_points_of_the_figure_hold_ten_pupils_and_stay_on_their_side(rng):
    table = found(world(rng, pupils=8)).figure.to_frame()
    assert (table["n_used"] >= 10).all()
    assert (table.loc[table["group"] == "mean_below", "x"] < 0).all()
    assert (table.loc[table["group"] == "mean_above", "x"] >= 0).all()


def test_bins_by_hand():
    x, counts = np.array([-4.0, -3.0, -2.0, -1.0]), np.array([3.0, 8.0, 4.0, 12.0])
    bins = outcome_cutoff._binned(x, counts, counts * np.array([1.0, 2.0, 3.0, 4.0]))
    assert list(bins["n_used"]) == [15, 12]
    assert list(bins["x"]) == pytest.approx([(-4 * 3 - 3 * 8 - 2 * 4) / 15, -1.0])
    assert list(bins["y"]) == pytest.approx([(3 + 16 + 12) / 15, 4.0])


# --- who took part -----------------------------------------------------------------------------------------------------


def test_those_who_took_part(rng):
    people = world(rng, taking_part=0.6, schools=60)
    result = found(people)
    rows = result.fuzzy.to_frame().set_index("group")
    assert rows.loc["served_inverted", "conf_low"] < -3 < rows.loc["served_inverted", "conf_high"]
    assert result.effect.conf_low < -1.8 < result.effect.conf_high
    stage = result.first_stage.to_frame().set_index("term")
    assert (
        stage.loc["cutoff_offered", "estimate"] == 1
        and stage.loc["cutoff_served", "conf_low"] < 0.6 < stage.loc["cutoff_served", "conf_high"]
    )
    assert states(result)["Cut-off and service"] == "watch"


def test_sessions_decide_who_took_part(rng):
    people = world(rng)
    people.loc[people["running"] >= 0, "sessions"] = np.resize([1.0, 6.0], int((people["running"] >= 0).sum()))
    assert found(people).fuzzy.code == "sharp"
    half = found(people, attended_from=6).first_stage.to_frame().set_index("term")
    assert half.loc["cutoff_served", "estimate"] == pytest.approx(0.5, abs=0.08)


def test_unknown_sessions_are_left_out_and_counted(rng):
    people = world(rng)
    served = people.index[people["running"] >= 0]
    people.loc[served[:40], "sessions"] = np.nan
    people.loc[served[40:300], "sessions"] = 0.0
    assert "not known of 40 pupils" in said(found(people).reading)


def test_few_who_took_part(rng):
    result = found(world(rng, taking_part=0.02, schools=12))
    assert result.fuzzy.code == "weak_first_stage" and isinstance(result.effect, Effect)
    assert states(result)["Cut-off and service"] == "watch"


def test_some_served_against_their_score(rng):
    people = world(rng).drop(columns="sessions")
    against = rng.random(len(people)) < 0.1
    people["arm"] = np.where(against ^ (people["arm"] == "intervention"), "intervention", "control")
    result = found(people)
    assert checks(result)["Service kept to the cut-off"] is False and isinstance(result.effect, Effect)
    assert isinstance(result.fuzzy, Drawn)


# --- what must be found ------------------------------------------------------------------------------------------------


def test_scores_pushed_over_the_cutoff_are_found(rng):
    people = world(rng)
    just_below = people.index[people["running"] == -1]
    people.loc[just_below[: len(just_below) // 2], ["running", "arm"]] = [0.0, "intervention"]
    result = found(people)
    assert states(result)["Scores near the cut-off"] == "bad"
    assert checks(result)["Scores not pushed over the cut-off"] is False
    assert checks(result)["No heap at the cut-off"] is False
    assert result.bars.to_frame().set_index("from_cutoff").loc[0.0, "stands_out"]
    density = result.density.to_frame().iloc[0]
    assert density["bend_needed"] > 5 * density["bend_allowed"] and density["p_value"] < 0.001


def test_pupils_unlike_on_the_two_sides_are_found(rng):
    people = world(rng)
    people["sex"] = (rng.random(len(people)) < np.where(people["running"] >= 0, 0.8, 0.4)).astype(int)
    result = found(people)
    assert states(result)["Pupils on both sides"] == "bad"
    row = result.jumps.to_frame().set_index("term").loc["cutoff_sex"]
    assert row["conf_low"] < 0.4 < row["conf_high"] and row["p_value"] < 0.01


def test_the_score_itself_is_no_covariate(rng):
    assert list(found(world(rng), baseline="pre").jumps.to_frame()["term"]) == ["cutoff_sex"]


def test_earlier_scores_and_covariates_of_the_plan_are_looked_at(rng):
    people = world(rng)
    people = people.assign(
        y_pre=20 + people["running"] + rng.normal(0, 4, len(people)), age=rng.integers(12, 18, len(people))
    )
    terms = set(found(people, covariates=["age"]).jumps.to_frame()["term"])
    assert terms == {"cutoff_sex", "age", "cutoff_y_pre"}


def test_losses_that_jump_are_found(rng):
    people = world(rng)
    gone = rng.random(len(people)) < np.where(people["running"] >= 0, 0.4, 0.05)
    result = found(people.assign(y_post=people["y_post"].mask(gone)))
    assert states(result)["Losses at the cut-off"] == "bad"
    row = result.lost.to_frame().iloc[0]
    assert row["term"] == "cutoff_lost" and row["conf_low"] < 0.35 < row["conf_high"]


def test_a_jump_elsewhere_is_found(rng):
    people = world(rng, effect=0.0)
    result = found(people.assign(y_post=people["y_post"] + 6 * (people["running"] >= -6)))
    assert checks(result)["No jump where there is no cut-off"] is False


def test_the_jump_without_the_nearest_scores(rng):
    rows = found(world(rng)).donut.to_frame()
    assert (
        list(rows["group"]) == ["hole_1", "hole_2"] and (rows["conf_low"] < -3).all() and (rows["conf_high"] > -3).all()
    )


def test_the_ladder_names_its_steps(rng):
    rows = found(world(rng)).ladder.to_frame().set_index("group")
    assert list(rows.index[-3:]) == ["bound_half", "bound_double", "for_continuous"]
    assert rows.loc["bandwidth_double", "reach"] == pytest.approx(2 * rows.loc["bandwidth_chosen", "reach"])
    assert (
        rows.loc["bandwidth_half", "n_used"]
        < rows.loc["bandwidth_chosen", "n_used"]
        < rows.loc["bandwidth_double", "n_used"]
    )
    assert (rows["conf_low"] < -3).all() and (rows["conf_high"] > -3).all()


# --- refusals ----------------------------------------------------------------------------------------------------------


def refused_everywhere(result, code: str) -> None:
    for name in ("effect", *DRAWN):
        part = getattr(result, name)
        assert isinstance(part, Refused) and part.code == code, name
    assert result.reading == result.domains == result.checks == []


@pytest.mark.parametrize("design", ["school_rct", "class_rct", "pupil_rct", "wait_list", "stepped_wedge", "staggered",
                                    "matched", "before_after"])  # fmt: skip
def test_other_designs_have_no_such_section(rng, design):
    refused_everywhere(found(world(rng, schools=4), design=design), "other_design")


def test_a_panel_has_no_such_section():
    panel = pd.DataFrame({"unit": ["a", "b"], "time": [1, 1], "exposure": [0.0, 1.0], "outcome": [1.0, 2.0]})
    for design, code in (("panel", "other_design"), ("above_cutoff", "no_pupils")):
        params = params_of(design=design, allocated="unit", cluster="")
        refused_everywhere(outcome_cutoff.section(trial(pd.DataFrame(), params, panel), params), code)


REFUSALS = {
    "no_running": lambda people: people.drop(columns="running"),
    "third_arm": lambda people: people.assign(arm=np.where(people["running"] > 4, "hospital", people["arm"])),
    "nobody_served": lambda people: people.assign(arm="control"),
    "no_control": lambda people: people.assign(arm="intervention"),
    "one_side": lambda people: people[people["running"] >= 0].assign(arm=np.resize(["control", "intervention"],
                                                                                   int((people["running"] >= 0).sum()))),
    "few_near_cutoff": lambda people: people.drop(people.index[people["running"] >= 0][15:]),
    "too_few_score_values": lambda people: people[people["running"].between(-2, 5)],
    "one_cluster": lambda people: people.assign(school_pid="s"),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals(rng, code):
    refused_everywhere(found(REFUSALS[code](world(rng))), code)


def test_no_bound_and_too_few_scores_for_a_rule_of_thumb(rng):
    people = world(rng)
    few = people[people["running"].between(-4, 4)]
    refused_everywhere(found(few, curvature=None), "curvature_unknown")
    assert isinstance(found(few).effect, Effect)


def test_service_that_does_not_follow_the_score(rng):
    people = world(rng).drop(columns="sessions")
    lots = people.assign(arm=np.where(rng.random(len(people)) < 0.5, "intervention", "control"))
    turned = people.assign(
        arm=np.where(
            people["running"] >= 0, "control", np.where(rng.random(len(people)) < 0.9, "intervention", "control")
        )
    )
    for rows, code in ((lots, "weak_first_stage"), (turned, "cutoff_reversed")):
        result = found(rows)
        assert result.effect.code == result.fuzzy.code == code
        assert states(result)["Cut-off and service"] == "bad"
        assert list(result.estimate.to_frame()["term"]) == ["cutoff_jump"]


def test_few_schools_have_no_interval(rng):
    result = found(world(rng, schools=4, pupils=400))
    assert result.effect.p_refused.code == "few_degrees_of_freedom"
    assert math.isnan(result.effect.conf_low) and math.isnan(result.effect.p_value)
    assert "nothing can be concluded" in said(result.reading)
    assert "for_continuous" not in set(result.ladder.to_frame()["group"])


def test_parts_that_are_refused_alone(rng):
    people = world(rng)
    bare = found(people.drop(columns=["sex", "y_pre"]))
    assert bare.jumps.code == "no_covariates" and bare.lost.code == "nobody_lost" and bare.fuzzy.code == "sharp"
    assert states(bare)["Pupils on both sides"] == "unknown" and states(bare)["Losses at the cut-off"] == "good"
    few = found(people[people["running"].between(-4, 3)])
    assert few.placebo.code == "no_placebo"
    score = people["running"] + 0.9 * rng.random(len(people))
    fine = found(people.assign(running=score, arm=np.where(score >= 0, "intervention", "control")))
    assert isinstance(fine.effect, Effect) and fine.density.code == fine.bars.code == "design"
    assert fine.placebo.code == "no_placebo"
    assert states(fine)["Scores near the cut-off"] == "unknown"
    thin = world(rng, pupils=4, cut=0)
    thin = found(thin.assign(running=3 * thin["running"] + rng.integers(0, 3, len(thin))))
    assert thin.bars.code == "few_in_bars" and isinstance(thin.effect, Effect)
