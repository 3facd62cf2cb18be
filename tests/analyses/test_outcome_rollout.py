"""A staggered roll-out and a panel of units: planted effects, by hand, refusals, and the published drinking-age panel."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_rollout
from mhlib.analyses.parts.outcome_rollout_rows import implied_weights, occasion_times, of_panel
from mhlib.analyses.parts.trial import trial_of
from mhlib.data.screening import Provenance
from mhlib.data.synthetic import planted
from mhlib.data.trial import TrialData
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate
from mhlib.report.figures import kind_named

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
OPEN = Gate.of("open_data")
POINTS = planted.EFFECTS["staggered"] * planted.SCORE_SD
FIGURES = {"event": "lines", "groups": "forest", "estimators": "forest", "honest": "forest", "aggregates": "forest"}


def params_of(terms=6, **changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "staggered",
        "allocated": "school_pid", "outcome": "distress", "occasions": {f"term_{t}": f"term_{t}" for t in range(1, terms + 1)},
        "baseline": "term_1", "primary": f"term_{terms}", "estimand": "school", "n_boot": 200,
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def trial(params, people=None, panel=None):
    empty = pd.DataFrame()
    people, panel = (empty if one is None else one for one in (people, panel))
    data = TrialData(people=people, panel=panel, occasions=tuple(params.occasions), allocated=empty,
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=len(people)))  # fmt: skip
    return trial_of(data, params)


def cohort(rng, *, starts=(3, 4, 5, None), schools=15, pupils=40, effect=1.0, drift=0.0, terms=6, sd=planted.SCORE_SD):
    """Pupils followed over terms; the effect grows as planted; schools that ever begin drift apart by `drift` a term."""
    start = np.repeat([math.nan if one is None else one for one in starts], schools)
    school = np.repeat(np.arange(len(start)), pupils)
    own = rng.normal(0, 0.25 * sd, len(start))[school] + rng.normal(0, 0.75 * sd, len(school))
    frame = {"pupil_pid": [f"p{at}" for at in range(len(school))], "school_pid": [f"s{at}" for at in school],
             "arm": np.where(np.isnan(start[school]), "control", "intervention"), "start_term": start[school]}  # fmt: skip
    shares = np.r_[0.0, planted.EXPOSURE]
    for term in range(1, terms + 1):
        served = np.clip(np.nan_to_num(term - start[school] + 1, nan=0), 0, len(planted.EXPOSURE)).astype(int)
        moved = drift * term * ~np.isnan(start[school])
        frame[f"y_term_{term}"] = (
            22 + own + effect * POINTS * shares[served] + moved + rng.normal(0, 0.6 * sd, len(school))
        )
    return pd.DataFrame(frame)


def found(people, **changes):
    params = params_of(**changes)
    return outcome_rollout.section(trial(params, people), params)


def panel_found(panel, **changes):
    params = params_of(design="panel", allocated="unit", occasions={}, baseline="", primary="", **changes)
    return outcome_rollout.section(trial(params, panel=panel), params)


def code(part):
    return part.code if isinstance(part, Refused) else None


def rows(drawn, name):
    return drawn.to_frame().set_index(name)


@pytest.fixture(scope="module")
def planted_section():
    return found(cohort(np.random.default_rng(3), schools=20, pupils=60))


def test_the_planted_effect_lies_in_every_interval(planted_section):
    section = planted_section
    # Cohorts of equal size see 4, 3 and 2 terms under the programme; in the first half of the effect is there.
    wanted = POINTS * (3 * planted.EXPOSURE[0] + 6) / 9
    assert section.effect.conf_low < wanted < section.effect.conf_high and section.effect.conf_high < 0
    event = section.event.table
    for pool in ("roll_never", "roll_not_yet"):
        mine = event[event["group"] == pool].set_index("x")
        expected = {-4: 0, -3: 0, -2: 0, 0: POINTS / 2, 1: POINTS, 2: POINTS, 3: POINTS}
        inside = [mine.loc[x, "low"] < value < mine.loc[x, "high"] for x, value in expected.items()]
        assert sum(inside) >= 6 and mine.loc[-1, "y"] == 0
    assert section.estimators.table["group"].iloc[0] == "roll_never"
    assert section.estimators.table["estimate"].to_numpy() == pytest.approx(wanted, abs=0.4)


def test_the_effect_is_the_mean_of_the_group_time_effects_and_g_is_by_pupils(planted_section):
    section = planted_section
    table = section.groups.table
    after = table[table["seen_in"].str[-1].astype(int) >= table["starts_in"].str[-1].astype(int)]
    # Cohorts are of equal size, so every effect weighs the same.
    assert after["estimate"].mean() == pytest.approx(section.effect.estimate, abs=1e-10)
    assert section.effect.g == pytest.approx(section.effect.estimate / section.effect.sd, rel=0.01)
    assert section.effect.sd == pytest.approx(planted.SCORE_SD, rel=0.1) and section.effect.n_clusters == 80
    assert section.effect.n_used == 80 * 60
    assert rows(section.aggregates, "term").loc["roll_simple", "estimate"] == section.effect.estimate


def test_the_deviation_is_that_of_pupils_before_anybody_began():
    people = cohort(np.random.default_rng(3), schools=6)
    # Wider later on: the programme may change the spread, so the first term counts.
    people["y_term_6"] += np.random.default_rng(4).normal(0, 20, len(people))
    by_arm = people.groupby("arm")["y_term_1"]
    n, spread = by_arm.count(), by_arm.var()
    assert found(people).effect.sd == pytest.approx(math.sqrt((spread * (n - 1)).sum() / (n - 1).sum()))


def test_cohorts_bacon_and_figures(planted_section):
    section = planted_section
    cohorts = rows(section.cohorts, "starts_in")
    assert cohorts["n_units"].to_dict() == {"term_3": 20, "term_4": 20, "term_5": 20, "roll_never": 20}
    assert cohorts["n_used"].eq(1200).all() and math.isnan(cohorts.loc["roll_never", "estimate"])
    bacon = section.bacon.table
    two = rows(section.estimators, "group").loc["roll_two_way", "estimate"]
    assert bacon["comparison_weight"].sum() == pytest.approx(1)
    assert (bacon["comparison_weight"] * bacon["estimate"]).sum() == pytest.approx(two, abs=1e-8)
    for name, kind in FIGURES.items():
        ax = kind_named(kind).draw(getattr(section, name))
        assert ax.get_xlabel() and len(ax.lines) + len(ax.collections) >= 2, name
        assert len(OPEN.frame(getattr(section, name).to_frame(), where=name))


def test_the_table_of_the_event_study_leaves_out_what_is_no_estimate(planted_section):
    figure, table = planted_section.event.table, planted_section.event_table.table
    assert "roll_nought" in set(figure["group"]) and set(table["group"]) == {"roll_never", "roll_not_yet"}
    assert "roll_before_1" not in set(table["since_start"]) and len(table) == 2 * 7
    assert table["estimate"].to_list() == figure.loc[figure["df"].notna(), "y"].to_list()


def test_honest_bounds_widen_and_begin_at_the_effect_of_parallel_trends(planted_section):
    table = planted_section.honest.table
    widths = (table["conf_high"] - table["conf_low"])[table["term"].isin(["roll_parallel", "roll_relative_magnitudes"])]
    assert widths.is_monotonic_increasing and len(widths) == 5
    by_time = rows(planted_section.aggregates, "term").loc["roll_by_time"]
    assert table[["conf_low", "conf_high"]].iloc[0].to_list() == pytest.approx(
        by_time[["conf_low", "conf_high"]].to_list()
    )
    power = planted_section.pretrend_power.table
    assert power["found_in"].to_list() == [0.5, 0.8] and power["trend_bias"].is_monotonic_increasing


def test_no_effect_is_no_effect():
    section = found(cohort(np.random.default_rng(5), effect=0.0))
    assert section.effect.conf_low < 0 < section.effect.conf_high
    assert section.pretrend.table["p_value"].iloc[0] > 0.05
    light = section.domains[0]
    assert light.state == "watch" and "holds nought" in light.finding.template


def test_a_trend_before_the_programme_is_found():
    section = found(cohort(np.random.default_rng(7), drift=-2.0))
    assert section.pretrend.table["p_value"].iloc[0] < 0.05 and section.domains[0].state == "bad"
    failing = {check.name.template for check in section.checks if check.passed is False}
    assert "No trend before the programme" in failing
    # The same data without the drift pass.
    quiet = found(cohort(np.random.default_rng(7), drift=0.0))
    assert quiet.domains[0].state in ("watch", "good")


def test_not_yet_begun_schools_serve_where_none_stays_out():
    section = found(cohort(np.random.default_rng(9), starts=(3, 4, 6)))
    assert set(section.event.table["group"]) == {"roll_not_yet", "roll_nought"}
    assert any("those that had not yet begun" in str(light.finding.values) for light in section.domains)
    assert section.estimators.lacking and "roll_never" not in set(section.cohorts.table["starts_in"])


def test_two_periods_by_hand():
    rng = np.random.default_rng(1)
    people = cohort(rng, starts=(2, None), schools=12, terms=2)
    section = found(people, terms=2)
    change = (people["y_term_2"] - people["y_term_1"]).groupby(people["school_pid"]).mean()
    served = people.groupby("school_pid")["start_term"].first().notna()
    by_hand = change[served].mean() - change[~served].mean()
    row = section.two_by_two.table.iloc[0]
    assert row["estimate"] == pytest.approx(by_hand) and section.effect.estimate == pytest.approx(by_hand)
    assert row["change_served"] - row["change_control"] == pytest.approx(by_hand)
    assert code(section.pretrend) == code(section.honest) == "no_term_before" and section.domains[0].state == "unknown"


def test_other_pupils_every_term_are_compared_too():
    people = cohort(np.random.default_rng(2), starts=(3, None), schools=15, pupils=60, terms=4)
    seen = np.arange(len(people)) % 4
    for term in range(1, 5):
        people.loc[seen != term - 1, f"y_term_{term}"] = math.nan
    section = found(people, terms=4, estimand="pupil")
    assert section.effect.n_used == len(people)
    assert section.two_by_two.table["n_units"].iloc[0] == 30
    assert section.two_by_two.table["estimate"].iloc[0] == pytest.approx(section.effect.estimate, abs=1.0)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"start_term": None}, "no_start"),
        ({"start_term": 9.0}, "nobody_began"),
        ({"start_term": 3.0}, "all_began_at_once"),
    ],
)
def test_no_comparison_no_effect(changes, wanted):
    people = cohort(np.random.default_rng(1), schools=3, pupils=5).assign(**changes)
    people["start_term"] = people["start_term"].astype(float)
    section = found(people)
    assert {code(getattr(section, name)) for name in outcome_rollout.PARTS} == {wanted}
    assert section.reading == section.domains == section.checks == []


def test_one_time_is_no_roll_out():
    people = cohort(np.random.default_rng(1), schools=3, pupils=5)
    people[[f"y_term_{t}" for t in range(2, 7)]] = math.nan
    assert code(found(people).effect) == "one_time"


def test_a_start_before_the_first_term_is_no_never():
    people = cohort(np.random.default_rng(1))
    early = people["school_pid"].isin([f"s{at}" for at in range(45, 50)])
    section = found(people.assign(start_term=people["start_term"].mask(early, 0.0)))
    assert section.effect.n_clusters == 55
    assert rows(section.cohorts, "starts_in").loc["term_1", "n_units"] == 5
    name = "Every start is the number of a measured time"
    odd = [check for check in section.checks if check.name.template == name]
    assert [check.passed for check in odd] == [False] and odd[0].detail.values["n"] == 5
    assert "A start of 0 does not mean never" in odd[0].detail.template
    # Stated to begin in the first term measured: served from then on, and no slip of the pen.
    stated = found(people.assign(start_term=people["start_term"].mask(early, 1.0)))
    assert stated.effect.estimate == section.effect.estimate
    assert not any(check.name.template == name for check in stated.checks)


def test_schools_that_lack_a_term_are_counted():
    people = cohort(np.random.default_rng(1))
    people.loc[people["school_pid"] == "s0", "y_term_2"] = math.nan
    section = found(people)
    assert section.effect.n_clusters == 59
    assert any(c.name.template == "Schools surveyed in every term" and c.passed is False for c in section.checks)


def test_two_schools_a_start_give_no_interval_and_no_p():
    section = found(cohort(np.random.default_rng(4), schools=2, pupils=10))
    assert math.isnan(section.effect.p_value) and math.isnan(section.effect.conf_low)
    assert section.effect.p_refused.code == "few_degrees_of_freedom"
    assert code(section.groups) == code(section.event) == "few_units_a_start"
    assert any("fewer than" in said.template for said in section.reading)


def test_one_school_a_start_is_refused():
    section = found(cohort(np.random.default_rng(4), schools=1, pupils=10))
    assert math.isnan(section.effect.std_error) and isinstance(section.event, Refused)
    assert section.domains[2].state == "bad"


def test_terms_are_read_off_the_names_or_counted():
    assert occasion_times(["term_1", "term_3"]) == {"term_1": 1.0, "term_3": 3.0}
    assert occasion_times(["before", "after"]) == {"before": 1.0, "after": 2.0}
    assert occasion_times(["t2", "t1"]) == {"t2": 1.0, "t1": 2.0}


def dosed(rng, effect=3.0, units=24, times=8, noise=0.0):
    panel = pd.DataFrame(
        [(f"u{u}", t, u, t) for u in range(units) for t in range(times)], columns=["unit", "time", "u", "t"]
    )
    begin = rng.integers(2, times + 3, units)[panel["u"]]
    panel["exposure"] = np.where(panel["t"] < begin, 0.0, np.where(panel["t"] % 3 == 0, 0.4, 1.0))
    panel["outcome"] = (
        5 + panel["u"] - 0.5 * panel["t"] ** 2 + effect * panel["exposure"] + noise * rng.normal(size=len(panel))
    )
    return panel.assign(n=100.0)


def test_full_exposure_of_a_panel_by_hand():
    section = panel_found(dosed(np.random.default_rng(2)))
    assert section.effect.estimate == pytest.approx(3.0) and math.isnan(section.effect.g)
    assert section.effect.n_used == 192 and section.effect.n_clusters == 24
    assert rows(section.estimate, "group")["estimate"].to_list() == pytest.approx([3.0, 3.0])
    assert {code(getattr(section, n)) for n in ("groups", "aggregates", "two_by_two", "honest")} == {"no_single_start"}
    event = section.event.table
    assert event.loc[event["group"] == "roll_shifted", "y"].to_list() == pytest.approx([0, 0, 3, 0, 0], abs=1e-9)


def test_the_two_way_estimate_is_the_weighted_sum_of_unlike_effects():
    panel = dosed(np.random.default_rng(2), effect=0.0)
    own = np.random.default_rng(8).normal(2, 5, len(panel))
    panel["outcome"] += own * panel["exposure"]
    params = params_of(design="panel", allocated="unit", occasions={}, baseline="", primary="")
    table = of_panel(trial(params, panel=panel)).rows
    effects = pd.Series(own, index=pd.MultiIndex.from_frame(panel[["unit", "time"]]))
    effects = effects.loc[pd.MultiIndex.from_frame(table[["unit", "time"]])].to_numpy()[table["exposure"] > 0]
    assert implied_weights(table, False) @ effects == pytest.approx(panel_found(panel).effect.estimate)


def test_exposure_that_ends_again_and_effects_before_it_are_found():
    rng = np.random.default_rng(6)
    panel = dosed(rng, noise=0.3)
    panel["outcome"] += 4 * panel.groupby("unit")["exposure"].shift(-1).fillna(0)
    section = panel_found(panel)
    state = {check.name.template: check.passed for check in section.checks}
    assert state["Exposure goes on once it has begun"] is False and state["All units begin at once"] is False
    assert (
        state["Exposure still to come makes no difference"] is False
        and state["Part exposure has part of the effect"] is None
    )
    assert section.domains[0].state == "bad" and section.pretrend.table["p_value"].iloc[0] < 0.05


def test_a_panel_with_one_start_each_has_group_time_effects():
    panel = dosed(np.random.default_rng(2), effect=0.0, noise=0.2, units=40)
    start = (panel["u"] % 4).map({0: 3, 1: 4, 2: 5, 3: 99})
    panel["exposure"] = (panel["t"] >= start).astype(float)
    panel["outcome"] += 3 * panel["exposure"]
    section = panel_found(panel)
    assert section.effect.conf_low < 3 < section.effect.conf_high and section.effect.n_used == 320
    assert section.cohorts.table["starts_in"].to_list() == ["3", "4", "5", "roll_never"]
    assert not isinstance(section.honest, Refused) and math.isnan(section.effect.g)


def test_few_units_have_the_wild_bootstrap_beside_the_robust_errors():
    section = panel_found(dosed(np.random.default_rng(2), units=14, noise=0.5))
    table = rows(section.estimate, "group")
    assert (
        table.loc["by_wild", "estimate"] == table.loc["by_cr2", "estimate"]
        and 0 < table.loc["by_wild", "p_value"] < 0.05
    )
    assert table.loc["by_wild", "conf_low"] < 3 < table.loc["by_wild", "conf_high"]
    assert any(c.name.template == "Schools behind the standard error" and c.passed is False for c in section.checks)


def test_units_served_from_the_first_time_on_have_no_before():
    panel = dosed(np.random.default_rng(2), effect=0.0, noise=0.2, units=20)
    panel["exposure"] = (panel["u"] % 2).astype(float)
    assert code(panel_found(panel).effect) == "nobody_began"
    # A third of the units served from the start on is left out and counted; the others give the effect.
    panel["exposure"] = ((panel["u"] % 3 == 0) | ((panel["u"] % 3 == 1) & (panel["t"] >= 4))).astype(float)
    panel["outcome"] += 3 * panel["exposure"]
    section = panel_found(panel)
    assert section.effect.estimate == pytest.approx(3, abs=0.2) and section.effect.n_clusters == 13
    assert section.two_by_two.table["estimate"].iloc[0] == pytest.approx(section.effect.estimate, abs=0.2)
    assert any(c.name.template == "Schools seen before they began" and c.passed is False for c in section.checks)


def test_a_panel_without_contrast_or_rows_is_refused():
    panel = dosed(np.random.default_rng(2)).assign(exposure=1.0)
    assert code(panel_found(panel).effect) == "no_contrast"
    assert code(panel_found(pd.DataFrame()).effect) == "no_panel"


def test_a_short_panel_has_no_look_ahead():
    panel = dosed(np.random.default_rng(2), noise=0.2)
    section = panel_found(panel[panel["time"] < 5])
    assert code(section.pretrend) == "few_times" and section.domains[0].state == "unknown"


@pytest.mark.parametrize("name", ["intervention_outcomes", "wait_list_outcomes"])
def test_other_designs_leave_the_section_out(small, monkeypatch, name):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_file(ROOT / f"params/demo/{name}.yml", changes={"source": "synthetic:small"})
    section = outcome_rollout.section(analysis.load(params), params)
    assert {code(getattr(section, part)) for part in outcome_rollout.PARTS} == {"other_design"}
    assert section.reading == section.domains == section.checks == []


def test_the_demo_runs_on_the_small_city(small, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_file(
        ROOT / "params/demo/staggered_outcomes.yml", changes={"source": "synthetic:small"}
    )
    data = analysis.load(params)
    section = outcome_rollout.section(data, params)
    assert int(section.cohorts.table["n_units"].sum()) == data.people["school_pid"].nunique()
    assert isinstance(section.effect, Refused) or abs(section.effect.estimate - POINTS) < 4


PUBLISHED = {  # Angrist & Pischke (2014) Table 5.2; errors CR1S and CR2 by clubSandwich 0.5.8
    "All": (10.80, 4.59, 4.48, 2), "Motor Vehicle": (7.59, 2.50, 2.43, 2), "Suicide": (0.591, 0.590, 0.571, 3),
    "Internal": (1.33, 1.59, 1.53, 2),
}  # fmt: skip


@pytest.fixture
def mlda(monkeypatch):
    if not SHARED.is_dir():
        pytest.skip("the shared data are not beside the project")
    monkeypatch.setenv("MHLIB_DATA", str(SHARED))

    def loaded(**where):
        params = analysis.Params.from_file(ROOT / "params/real/mlda.yml")
        params = analysis.Params.from_file(ROOT / "params/real/mlda.yml", changes={"where": params.where | where})
        data = analysis.load(params)
        return params, data, outcome_rollout.section(data, params)

    return loaded


@pytest.mark.parametrize("cause", list(PUBLISHED))
def test_the_drinking_age_gives_the_published_effects(mlda, cause):
    _, _, section = mlda(cause=cause)
    value, cr1s, cr2, digits = PUBLISHED[cause]
    table = rows(section.estimate, "group")
    assert table["estimate"].round(digits).to_list() == [value, value]
    assert table.loc["roll_cr1s", "std_error"].round(digits) == cr1s
    assert (
        table.loc["by_cr2", "std_error"].round(digits) == cr2
        and section.effect.std_error == table.loc["by_cr2", "std_error"]
    )
    assert section.effect.n_used == 714 and section.effect.n_clusters == 51


def test_the_trap_of_the_drinking_age_is_found(mlda):
    """States begin at different times and go back; nearly a quarter of the two-way weight is negative."""
    _, data, section = mlda()
    failing = {check.name.template for check in section.checks if check.passed is False}
    assert {
        "All units begin at once",
        "Exposure goes on once it has begun",
        "No exposed unit counts with a minus sign",
    } <= failing
    assert (
        section.domains[1].state == "bad" and rows(section.bacon, "term").loc["roll_minus", "comparison_weight"] < -0.4
    )
    # Published beside the first column: with trends of the states 8.47, weighted by population 12.41.
    beside = rows(section.estimators, "group")["estimate"].round(2)
    assert (beside["roll_unit_trends"], beside["roll_by_people"]) == (8.47, 12.41)
    # The 64 rows without beer tax are no concern of a model without it.
    assert len(data.data.panel) == 714 and data.data.panel["outcome"].notna().all()


def test_every_section_survives_a_panel_without_pupils(mlda):
    params, data, _ = mlda()
    result = analysis.estimate(data, params)
    assert analysis.answer(result, params) and len(analysis.lights(result, params)) == 7
    assert {"roll_unit_trends", "roll_by_people"} <= set(analysis.sensitivity(data, params).table["group"])
    assert len(analysis.checklist(data)) >= 20
    assert result.effect.estimate == pytest.approx(10.80, abs=0.005) and result.strength == "weak"
    assert "Under the programme the outcome was worse" in analysis.answer(result, params)[0].template
    assert isinstance(analysis.allocations(data, params), Refused)


def test_without_a_two_way_estimate_or_a_before_nothing_is_made_up():
    from types import SimpleNamespace

    from mhlib.analyses.parts import outcome_rollout_beside as beside

    assert beside.bacon(SimpleNamespace(main=SimpleNamespace(two_way=None))).code == "no_two_way"
    empty = pd.DataFrame({"first": [], "time": [], "pupil": []}).astype(float)
    found = SimpleNamespace(starts=[3.0], complete=lambda: empty, of_pupils=True)
    assert beside.two_by_two(found, SimpleNamespace(estimand="pupil", conf_level=0.95)).code == "no_before"
