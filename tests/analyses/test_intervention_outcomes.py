"""Intervention outcomes on the synthetic city, on published trials, and on designs that must be refused."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import consort
from mhlib.analyses.parts.sections import Drawn
from mhlib.data.synthetic import planted
from mhlib.errors import DataError, ParamsError
from mhlib.findings import Refused

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
NEEDED = {"evaluation": "intervention_outcomes", "as_of": "2026-01-01", "seed": 1, "outcome": "score", "n_boot": 200,
          "n_imputations": 5}  # fmt: skip


def demo(city, monkeypatch, name="intervention_outcomes", **changes):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(city))
    changes = {"source": "synthetic:small", "n_boot": 200, "n_imputations": 5} | changes
    params = analysis.Params.from_file(ROOT / f"params/demo/{name}.yml", changes=changes)
    data = analysis.load(params)
    return params, data, analysis.estimate(data, params)


def flat(folder, monkeypatch, frame, **given):
    monkeypatch.setenv("MHLIB_DATA", str(folder))
    frame.to_csv(folder / "t.csv", index=False)
    params = analysis.Params.from_mapping(NEEDED | {"source": "t.csv"} | given, where="test")
    data = analysis.load(params)
    return params, data, analysis.estimate(data, params)


def trial_rows(rng, schools, pupils, effect=-3.0, sd_school=1.0):
    school = np.repeat(np.arange(schools), pupils)
    arm = np.where(school % 2, "programme", "control")
    base = 20 + rng.normal(0, sd_school, schools)[school] + rng.normal(0, 5, len(school))
    after = 8 + 0.6 * base + effect * (school % 2) + rng.normal(0, 4, len(school))
    return pd.DataFrame({"pupil_pid": np.arange(len(school)), "school_pid": school, "arm": arm, "before": base.round(1),
                         "after": after.round(1)})  # fmt: skip


TRIAL = {
    "columns": {"pupil_pid": "pupil_pid", "school_pid": "school_pid", "arm": "arm"}, "design": "school_rct",
    "allocated": "school_pid", "arms": ["control", "programme"], "occasions": {"pre": "before", "post": "after"},
    "baseline": "pre", "primary": "post", "levels": ["school_pid"], "case_cutoff": 25.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "design"), [("intervention_outcomes", "school_rct"), ("wait_list_outcomes", "wait_list")]
)
def test_the_planted_effect_lies_in_the_interval(small, monkeypatch, name, design):
    params, _, result = demo(small, monkeypatch, name)
    planted_points = planted.EFFECTS[design] * planted.SCORE_SD
    assert params.design == design and result.strength in ("strong", "weakened")
    if math.isnan(result.effect.conf_low):
        # The small city has too few schools for an interval; the report then says so and concludes nothing.
        assert result.effect.p_refused is not None and analysis.lights(result, params)[0].state == "unknown"
        assert "nothing can be concluded" in analysis.answer(result, params)[0].template
        return
    half = 1.3 * (result.effect.conf_high - result.effect.conf_low) / 2
    assert abs(result.effect.estimate - planted_points) < half
    assert len(analysis.answer(result, params)) >= 3 and len(analysis.lights(result, params)) == 7


def test_the_ways_of_the_primary_result_agree(small, monkeypatch):
    _, _, result = demo(small, monkeypatch, "wait_list_outcomes")
    table = result.primary.inference.table.set_index("group")
    assert {"by_cr2", "by_mixed", "by_wild", "by_permutation"} <= set(table.index)
    assert table.loc["by_wild", "estimate"] == pytest.approx(table.loc["by_cr2", "estimate"])
    assert table.loc["by_mixed", "estimate"] == pytest.approx(table.loc["by_cr2", "estimate"], abs=0.6)


@pytest.mark.parametrize(("design", "section"), [("above_cutoff", "cutoff"), ("staggered", "rollout")])
def test_unlike_arms_leave_the_effect_to_their_own_section(small, monkeypatch, design, section):
    changes = {"design": design} if design != "staggered" else {
        "design": design, "occasions": {f"term_{n}": f"term_{n}" for n in range(1, 7)}, "baseline": "term_1",
        "primary": "term_6", "later": []}  # fmt: skip
    params, data, result = demo(small, monkeypatch, **changes)
    assert result.effect is getattr(result, section).effect and result.effect.n_used > 100
    others = {"primary", "cutoff", "rollout", "wedge", "series", "matched"} - {section}
    assert {getattr(result, name).effect.code for name in others} == {"other_design"}
    # The arms as such are not compared anywhere, and the report says so once.
    assert result.balance.code == result.groups.interactions.code == "arms_unlike"
    assert isinstance(analysis.sensitivity(data, params), Drawn)
    # Six schools give the roll-out no error, so no smallest effect either; the cut-off's follows from its error.
    if design == "staggered":
        assert math.isnan(result.effect.std_error) and result.power.detectable.code == "no_deviation"
    else:
        wanted = (
            (t.ppf(0.975, result.effect.df) + t.ppf(0.8, result.effect.df)) * result.effect.std_error / result.effect.sd
        )
        assert result.power.detectable.table["mdes"].tolist() == pytest.approx([wanted])


def test_a_design_that_the_city_does_not_have_is_named(small, monkeypatch):
    with pytest.raises(DataError, match="no outcome of design matched"):
        demo(small, monkeypatch, design="matched")


def test_before_and_after_gives_no_effect(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(1), 12, 20).query("arm == 'programme'")
    params, _data, result = flat(tmp_path, monkeypatch, rows, **TRIAL | {"design": "before_after", "screened": True})
    assert result.effect.code == "no_control" and result.strength == "none" and result.power.grade == 0
    assert result.rtm.claim.code == "uncontrolled_positives"
    assert isinstance(result.rtm.table, Refused)
    assert analysis.lights(result, params)[2].state == "bad"


def test_four_classes_are_told_from_a_programme(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(2), 4, 25, effect=0.0)
    params, data, result = flat(tmp_path, monkeypatch, rows, **TRIAL)
    names = {check.name.template for check in analysis.check(data, params) if check.passed is False}
    assert "Enough units an arm to tell the programme from the units" in names
    assert result.strength == "weakened"
    assert (
        not isinstance(result.effect, Refused)
        and math.isnan(result.effect.p_value)
        and result.effect.p_refused is not None
    )


def test_twelve_clusters_are_read_with_care(tmp_path, monkeypatch):
    params, _, result = flat(tmp_path, monkeypatch, trial_rows(np.random.default_rng(3), 12, 30), **TRIAL)
    assert any("fewer than {few} clusters" in said.template for said in result.primary.reading)
    assert result.effect.conf_high < 0 and analysis.lights(result, params)[0].state == "good"


def test_a_null_programme_gives_a_null_verdict(tmp_path, monkeypatch):
    params, _, result = flat(tmp_path, monkeypatch, trial_rows(np.random.default_rng(5), 40, 30, effect=0.0), **TRIAL)
    shares = result.change.differences.table
    unsure = (shares["conf_low"] * shares["conf_high"] <= 0) & shares["needed_said"].notna()
    assert unsure.any()
    assert {said.template for said in shares.loc[unsure, "needed_said"]} == {
        "Not defined: the interval of the difference holds 0."
    }
    assert analysis.lights(result, params)[0].state == "watch"
    assert "No effect is shown" in analysis.answer(result, params)[0].template


def test_without_a_plan_everything_is_exploratory(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(6), 24, 20)
    params, _, result = flat(tmp_path, monkeypatch, rows, **TRIAL)
    assert any("exploratory" in said.template for said in analysis.answer(result, params))
    params, _, result = flat(tmp_path, monkeypatch, rows, **TRIAL | {"planned_on": "2025-01-01"})
    assert not any("exploratory" in said.template for said in analysis.answer(result, params))


def test_completers_who_exaggerate_raise_an_alarm(tmp_path, monkeypatch):
    rng = np.random.default_rng(8)
    rows = trial_rows(rng, 40, 40, effect=0.0)
    middle = (rows["before"] + rows["after"]) / 2 + rng.normal(0, 1, len(rows))
    rows = rows.assign(middle=middle.round(1))
    lost = (rows["arm"] == "programme") & (rows["middle"] > 21) & (rng.random(len(rows)) < 0.8)
    lost |= rng.random(len(rows)) < 0.03
    rows.loc[lost, "after"] = np.nan
    given = TRIAL | {"occasions": {"pre": "before", "mid": "middle", "post": "after"}}
    params, data, result = flat(tmp_path, monkeypatch, rows, **given)
    assert result.missing.checks[0].passed is False and result.flow.level == "high"
    assert result.power.grade <= 1
    complete, imputed = result.missing.effects.table["estimate"]
    assert complete < imputed < 0.5
    assert "Losses stay within the boundary" in {
        c.name.template for c in analysis.check(data, params) if c.passed is False
    }


def test_a_class_in_two_schools_and_a_score_out_of_range_are_found(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(9), 20, 20).assign(class_pid=lambda frame: frame["school_pid"])
    rows.loc[0, "class_pid"], rows.loc[1, "after"] = 5, 99.0
    given = TRIAL | {"columns": TRIAL["columns"] | {"class_pid": "class_pid"}, "outcome_low": 0.0, "outcome_high": 60.0}
    params, data, _ = flat(tmp_path, monkeypatch, rows, **given)
    failing = {check.name.template for check in analysis.check(data, params) if check.passed is False}
    assert {"Units are nested", "Scores lie within the scale"} <= failing


def test_a_panel_of_units_refuses_what_needs_pupils(tmp_path, monkeypatch):
    rows = pd.DataFrame([{"state": s, "year": y, "rate": 10.0 + s - 0.1 * y, "legal": float(s % 2 and y > 3)}
                         for s in range(8) for y in range(8)])  # fmt: skip
    columns = {"unit": "state", "time": "year", "outcome": "rate", "exposure": "legal"}
    params, _, result = flat(tmp_path, monkeypatch, rows, columns=columns, design="panel", allocated="unit")
    assert result.effect is result.rollout.effect and result.change.outcomes.code == "no_pupils"
    assert analysis.answer(result, params)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"columns": {"pupil": "pupil_pid"}}, ParamsError, "not in the contract"),
        ({"occasions": {"post": "later"}}, DataError, "no column for later"),
        ({"where": {"arm": "nobody"}}, DataError, "no row is left"),
        ({"alpha": 2.0}, ParamsError, "alpha"),
    ],
)
def test_bad_input_is_named(tmp_path, monkeypatch, changes, error, words):
    with pytest.raises(error, match=words):
        flat(tmp_path, monkeypatch, trial_rows(np.random.default_rng(1), 6, 5), **TRIAL | changes)


def test_a_text_where_a_score_should_be_is_counted_and_not_shown(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(1), 6, 5).astype({"after": object})
    rows.loc[3, "after"] = "secret"
    with pytest.raises(DataError, match="column after: 1 rows are no number") as raised:
        flat(tmp_path, monkeypatch, rows, **TRIAL)
    assert "secret" not in str(raised.value)


def test_a_subgroup_of_few_schools_has_no_effect_of_its_own(tmp_path, monkeypatch):
    rows = trial_rows(np.random.default_rng(11), 30, 40)
    rows = rows.assign(level=np.where(rows["school_pid"] < 4, "S", "P"))
    given = TRIAL | {"columns": TRIAL["columns"] | {"level": "level"}, "subgroups": ["level"]}
    _, _, result = flat(tmp_path, monkeypatch, rows, **given)
    shown = result.groups.subgroups.table
    assert (
        shown["conf_low"].notna().all() and "level_S" not in set(shown["subgroup"]) and result.groups.subgroups.lacking
    )
    tested = result.groups.interactions.table.set_index("group")["p_holm"]
    assert math.isnan(tested["level"]) and "could not be tested" in result.groups.reading[0].template


@pytest.mark.parametrize("randomised", [True, False])
def test_every_item_of_the_checklist_leads_to_a_section_that_is_there(randomised):
    cells = json.loads((ROOT / "notebooks/intervention_outcomes.ipynb").read_text("utf-8"))["cells"]
    heads = {
        line[3:].strip()
        for cell in cells
        if cell["cell_type"] == "markdown"
        for line in cell["source"]
        if line.startswith("## ")
    }
    items = consort.checklist(randomised=randomised)
    assert len(items) == 30 and {item.section for item in items} - {""} <= heads
    assert all(item.section or item.lacking for item in items)


@pytest.fixture
def real(monkeypatch):
    if not SHARED.is_dir():
        pytest.skip("the real data are not here")
    monkeypatch.setenv("MHLIB_DATA", str(SHARED))
    return _estimated


def _estimated(name, **changes):
    params = analysis.Params.from_file(
        ROOT / f"params/real/{name}.yml", changes={"n_boot": 200, "n_imputations": 20} | changes
    )
    data = analysis.load(params)
    return params, data, analysis.estimate(data, params)


def test_tvsfp(real):
    """The classroom programme of the factorial trial by its mixed model: .5130 (.1366; 19.8) in the data's own note."""
    params, data, result = real("tvsfp")
    assert data.people["arm"].value_counts().to_dict() == {
        "control": 421,
        "classroom": 380,
        "television": 416,
        "both": 383,
    }
    means = data.people.groupby("arm")["y"].mean().round(3)
    assert means.to_dict() == {"control": 2.342, "classroom": 2.821, "television": 2.483, "both": 2.736}
    from mhlib.stats.effects import multilevel

    people = data.people.assign(cc=data.people["arm"].isin(["classroom", "both"]).astype(float),
                                tv=data.people["arm"].isin(["television", "both"]).astype(float))  # fmt: skip
    fit = multilevel("y ~ cc * tv + b", people, groups=["school_pid", "class_pid"]).fixed.set_index("term")
    assert fit.loc["cc", ["estimate", "std_error"]].to_list() == pytest.approx([0.5130, 0.1366], abs=2e-4)
    assert fit.loc["cc", "df"] == pytest.approx(19.8, abs=0.1)
    assert (fit.loc["tv", "estimate"], fit.loc["cc:tv", "estimate"]) == pytest.approx((0.1544, -0.2498), abs=2e-4)
    assert params.allocated == "school_pid" and not isinstance(result.primary.arms, Refused)


def test_btheb(real):
    """Completers flatter the programme: the check that compares them with everybody imputed finds it."""
    _, _, result = real("btheb")
    assert result.effect.n_used == 52
    assert result.missing.checks[0].passed is False


def test_keng(real):
    """Two classes an arm: no p-value, and the programme cannot be told from the classes."""
    params, data, result = real("keng")
    assert isinstance(result.effect, Refused) or math.isnan(result.effect.p_value)
    failing = {check.name.template for check in analysis.check(data, params) if check.passed is False}
    assert "Enough units an arm to tell the programme from the units" in failing
    assert np.round(data.people.groupby("arm")["y_pre"].mean(), 4).to_dict() == {
        "control": 1.8429,
        "intervention": 1.9778,
    }


def test_star(real):
    """Kindergarten: small classes +8.027 (2.595) in maths with teachers in schools; classes are mixed within schools."""
    _, data, result = real("star")
    assert len(data.people) == 6325
    table = result.primary.inference.table.set_index("group")
    from mhlib.stats.effects import multilevel

    people = data.people[data.people["arm"].notna()].assign(
        small=lambda frame: (frame["arm"] == "small").astype(float),
        aide=lambda frame: (frame["arm"] == "aide").astype(float),
    )
    fit = multilevel("y ~ small + aide", people, groups=["school_pid", "class_pid"]).fixed.set_index("term")
    assert fit.loc["small", ["estimate", "std_error"]].to_list() == pytest.approx([8.027, 2.595], abs=2e-3)
    assert table.loc["by_cr2", "estimate"] > 0 and os.path.exists(SHARED)


# lme4 + lmerTest, tests/oracle/make_star_grades.R: small against regular, teachers within schools.
STAR_GRADES = {
    "K": (5871, 8.026837, 2.594874, 251.618387), "1": (6600, 13.522670, 2.160752, 273.720319),
    "2": (6065, 10.258500, 2.387559, 263.901964), "3": (6077, 6.792848, 2.157448, 260.785027),
}  # fmt: skip


@pytest.mark.parametrize("grade", STAR_GRADES)
def test_star_by_grade(real, grade):
    """Each grade by itself: pupils change class type between years, so grades are never put together."""
    from mhlib.stats.effects import multilevel

    _, data, result = real("star", where={"gr": grade})
    people = data.people[data.people["arm"].notna() & data.people["measured"]]
    people = people.assign(small=(people["arm"] == "small").astype(float), aide=(people["arm"] == "aide").astype(float))
    fit = multilevel("y ~ small + aide", people, groups=["school_pid", "class_pid"])
    n, estimate, error, df = STAR_GRADES[grade]
    row = fit.fixed.set_index("term").loc["small"]
    assert fit.n_used == n
    assert row[["estimate", "std_error"]].tolist() == pytest.approx([estimate, error], abs=2e-4)
    assert row["df"] == pytest.approx(df, rel=2e-3)
    assert result.primary.estimate.table["n_units"].iloc[0] <= 80, "errors are pooled at the school"


def test_star_within_schools(real):
    """The kindergarten's difference within schools, 8.932 (R, school fixed effects)."""
    from mhlib.stats.effects import cluster_robust

    _, data, _ = real("star")
    people = data.people[data.people["arm"].notna() & data.people["measured"]]
    people = people.assign(small=(people["arm"] == "small").astype(float), aide=(people["arm"] == "aide").astype(float))
    found = (
        cluster_robust("y ~ small + aide", people, cluster="school_pid", absorb="school_pid")
        .to_frame()
        .set_index("term")
    )
    assert found.loc["small", "estimate"] == pytest.approx(8.932122, abs=1e-5)


def test_a_service_by_score_is_listed_by_school_and_no_pupil_counts_as_a_lost_unit(small, monkeypatch):
    params, data, _ = demo(small, monkeypatch, design="above_cutoff", allocated="pupil_pid", cluster="school_pid")
    found = {check.name.template: check.passed for check in analysis.check(data, params)}
    assert found["Every unit allocated was measured"] is True
