"""Time series: from a file to the section, planted level and slope, and every case in which there is no one start."""

import dataclasses
import math
import types

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_series
from mhlib.findings import Refused
from mhlib.report import open_report
from mhlib.report.figures import kind_named
from mhlib.report.vocabulary import COLUMNS, TERMS
from mhlib.stats.effects import interrupted_time_series

GIVEN = """
evaluation: intervention_outcomes
source: series.csv
as_of: "2026-01-01"
seed: 1
design: time_series
allocated: unit
columns: {unit: district, time: week, outcome: score, exposure: begun, n: pupils}
outcome: score
n_boot: 100
n_imputations: 5
"""
START, WEEKS = 41, 70


def rows(seed=3, *, units=3, level=-3.0, slope=-0.05, season=None, rho=0.4, sd=0.5):
    rng, noise = np.random.default_rng(seed), np.zeros(WEEKS)
    for at in range(1, WEEKS):
        noise[at] = rho * noise[at - 1] + rng.normal(0, sd)
    week = np.arange(1, WEEKS + 1)
    line = 20 + 0.03 * week + noise + (level + slope * (week - START)) * (week >= START)
    if season:
        line = line + 1.5 * np.sin(2 * np.pi * week / season)
    return pd.concat(
        [
            pd.DataFrame({"district": f"d{unit}", "week": week, "score": line + unit, "begun": (week >= START).astype(int),
                          "pupils": 400 + 10 * unit})
            for unit in range(units)
        ],
        ignore_index=True,
    )  # fmt: skip


@pytest.fixture
def made(tmp_path, monkeypatch):
    def of(frame, **changes):
        monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
        frame.to_csv(tmp_path / "series.csv", index=False)
        (tmp_path / "series.yml").write_text(GIVEN, encoding="utf-8")
        params = analysis.Params.from_file(tmp_path / "series.yml", changes=changes)
        trial = analysis.load(params)
        return params, trial, outcome_series.section(trial, params)

    return of


def row(part, name):
    return part.table.set_index("group").loc[name]


def test_level_slope_and_end_of_the_series_lie_in_their_intervals(made):
    _, _, found = made(rows())
    for name, value in (
        ("series_level", -3.0),
        ("series_slope", -0.05),
        ("series_after_4", -3.2),
        ("series_after_29", -4.45),
    ):
        line = row(found.effects, name)
        assert line["conf_low"] < value < line["conf_high"] < 0
    effect = found.effect
    assert effect.estimate == row(found.effects, "series_after_29")["estimate"] and effect.p_value < 0.001
    assert effect.n_clusters == 3 and effect.n_used == 400 + 410 + 420
    assert all(math.isnan(value) for value in (effect.sd, effect.g, effect.g_low, effect.g_high))


def test_the_numbers_are_the_library_s_on_a_series_made_by_hand(made):
    frame = rows()
    _, _, found = made(frame)
    mean = frame.assign(total=frame["score"] * frame["pupils"]).groupby("week")[["total", "pupils"]].sum()
    mean = (mean["total"] / mean["pupils"]).rename("outcome").reset_index()
    wanted = interrupted_time_series(mean, start=START, at=(29,)).effect("effect after 29 weeks")
    assert found.effect.estimate == pytest.approx(wanted["estimate"], abs=1e-6)
    assert found.effect.std_error == pytest.approx(wanted["std_error"], abs=1e-6)


def test_the_weeks_are_means_weighted_by_people():
    panel = pd.DataFrame({"unit": ["a", "b"] * 3, "time": [1, 1, 2, 2, 3, 3], "outcome": [1.0, 5.0, 2.0, np.nan, np.nan, np.nan],
                          "exposure": [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], "n": [100.0, 300.0] * 3})  # fmt: skip
    series = outcome_series.series_of(panel, None)
    # (100 + 1500) / 400; the week of one unit; a week taught and not measured keeps its place.
    assert series.table["outcome"].to_list()[:2] == [4.0, 2.0] and math.isnan(series.table["outcome"][2])
    assert (series.start, series.units, series.whole, series.weighted, series.n_used) == (2, 2, False, True, 250)
    plain = outcome_series.series_of(panel.drop(columns="n"), None)
    assert plain.table["outcome"][0] == 3.0 and not plain.weighted and plain.n_used == 2


def test_one_district_without_known_numbers_is_enough(made):
    frame = rows(units=1).drop(columns="pupils")
    columns = {"unit": "district", "time": "week", "outcome": "score", "exposure": "begun"}
    _, _, found = made(frame, columns=columns)
    assert found.effect.conf_high < 0 and found.effect.n_clusters == 1 and found.effect.n_used == WEEKS


def test_the_figure_carries_the_line_on_from_the_start_only(made):
    _, _, found = made(rows())
    figure = found.figure.table
    expected = figure[figure["group"] == "series_expected"]
    assert found.figure.mark == START and expected["x"].min() == START and len(expected) == WEEKS - START + 1
    assert (expected["low"] < expected["y"]).all() and (expected["y"] < expected["high"]).all()
    assert figure[figure["group"] == "series_observed"]["x"].to_list() == list(range(1, WEEKS + 1))
    assert figure.loc[figure["group"] != "series_expected", ["low", "high"]].isna().all(axis=None)


def test_fitted_less_expected_is_the_difference(made):
    _, _, found = made(rows())
    table = found.counterfactual.table
    assert (table["series_line"] - table["series_awaited"]).to_list() == pytest.approx(table["difference"].to_list())


def test_the_interval_of_no_effect_holds_nought_as_often_as_it_says():
    names = {"district": "unit", "week": "time", "score": "outcome", "begun": "exposure", "pupils": "n"}
    params, held = types.SimpleNamespace(conf_level=0.95), 0
    for seed in range(20):
        series = outcome_series.series_of(rows(seed, level=0.0, slope=0.0, units=1).rename(columns=names), None)
        end = outcome_series.fitted(series, params, at=(29,)).effect("effect after 29 weeks")
        held += end["conf_low"] < 0 < end["conf_high"]
    # 291 of 300 series when this was written; fewer than 17 of 20 would come once in sixty times were it 95 in 100.
    assert held >= 17


def test_what_began_in_the_same_week_is_always_said(made):
    _, _, found = made(rows(0, level=0.0, slope=0.0))
    assert found.effect.conf_low < 0 < found.effect.conf_high
    assert found.reading[-1].template.startswith("Anything else that began in the same week would look the same")


def test_the_season_is_taken_out_and_its_lack_shown(made):
    _, _, found = made(rows(season=20), season=20)
    assert {"series_season_cos", "series_season_sin"} == set(found.season.table["term"])
    planned, without = row(found.sensitivity, "series_ar1"), row(found.sensitivity, "series_without_season")
    assert planned["conf_low"] < -4.45 < planned["conf_high"]
    assert without["conf_high"] - without["conf_low"] > 1.5 * (planned["conf_high"] - planned["conf_low"])
    held = {check.name.template: check.passed for check in found.checks}
    assert held["A whole cycle of the seasons lies before the start"] is True
    _, _, long = made(rows(), season=60)
    assert {c.name.template: c.passed for c in long.checks}[
        "A whole cycle of the seasons lies before the start"
    ] is False
    _, _, two = made(rows(), season=2)
    assert set(two.season.table["term"]) == {"series_season_cos"}


def test_without_a_season_it_is_asked_for(made):
    _, _, found = made(rows())
    assert found.season.code == "no_season" and "series_without_season" not in set(found.sensitivity.table["group"])


def test_autocorrelation_is_found_and_modelled(made):
    _, _, found = made(rows(rho=0.7))
    terms = found.autocorrelation.table.set_index("term")["estimate"]
    assert terms["series_rho"] > 0.3 and terms["series_ljung_box"] < 0.01 < terms["series_ljung_box_left"]
    independent, planned = row(found.sensitivity, "series_independent"), row(found.sensitivity, "series_ar1")
    assert independent["conf_high"] - independent["conf_low"] < planned["conf_high"] - planned["conf_low"]


def test_every_other_way_is_there(made):
    _, _, found = made(rows())
    assert found.sensitivity.table["group"].to_list() == [
        "series_ar1", "series_newey_west", "series_more_lags", "series_independent", "series_running_in", "series_later_weeks",
    ]  # fmt: skip
    table = found.sensitivity.table.set_index("group")["estimate"]
    assert table["series_running_in"] != table["series_ar1"] != table["series_later_weeks"]


def test_a_start_that_never_was_shows_a_bend_before_the_start(made):
    _, _, found = made(rows())
    check = next(c for c in found.checks if c.name.template == "A start that never was shows nothing")
    assert check.passed is True and row(found.placebo, "series_level")["conf_low"] < 0
    bent = rows()
    bent["score"] += 4.0 * bent["week"].between(21, START - 1)
    _, _, found = made(bent)
    check = next(c for c in found.checks if c.name.template == "A start that never was shows nothing")
    assert check.passed is False and row(found.placebo, "series_level")["conf_low"] > 2


def test_few_weeks_before_leave_no_placebo_and_say_what_could_not_be_computed(made):
    frame = rows()
    _, _, found = made(frame[frame["week"] >= START - 9])
    assert found.placebo.code == "no_placebo" and not isinstance(found.effect, Refused)
    assert found.sensitivity.lacking and "series_later_weeks" not in set(found.sensitivity.table["group"])
    assert [c.passed for c in found.checks if c.name.template == "A start that never was shows nothing"] == [None]


def test_weeks_lost_at_the_end_move_the_end(made):
    frame = rows()
    frame.loc[frame["week"] > 66, "score"] = np.nan
    _, _, found = made(frame)
    assert found.effect.estimate == row(found.effects, "series_after_25")["estimate"]
    assert {light.name.template: light.state for light in found.domains}["Weeks not measured"] == "watch"


def test_a_unit_lacking_in_some_weeks_is_named(made):
    frame = rows()
    frame.loc[(frame["district"] == "d1") & (frame["week"] > 50), "score"] = np.nan
    _, _, found = made(frame)
    assert [c.passed for c in found.checks if c.name.template == "The same units were measured every week"] == [False]


def test_a_start_after_a_holiday_is_named(made):
    frame = rows()
    frame.loc[frame["week"] >= START, "week"] += 6
    _, _, found = made(frame)
    assert [c.passed for c in found.checks if c.name.template == "The start is no change of term"] == [False]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frame: frame[frame["week"] >= START - 7], "too_few_weeks_before"),
        (lambda frame: frame[frame["week"] >= START], "too_few_weeks_before"),
        (lambda frame: frame[frame["week"] < START + 7], "too_few_weeks_after"),
        (lambda frame: frame.assign(score=frame["score"].where(frame["week"] < START)), "too_few_weeks_after"),
        (lambda frame: frame.assign(begun=0), "start_missing"),
        (lambda frame: frame.assign(begun=frame["begun"] * 0.5), "shares_exposed"),
        (
            lambda frame: frame.assign(begun=(frame["week"] >= START + 3 * (frame["district"] == "d1")).astype(int)),
            "starts_differ",
        ),
        (lambda frame: frame.assign(begun=frame["begun"] * (frame["district"] != "d1")), "starts_differ"),
        (lambda frame: frame.assign(begun=frame["begun"] * (frame["week"] < 60)), "programme_stopped"),
        (lambda frame: frame.assign(score=3.0), "design"),
    ],
)
def test_what_is_no_series_is_refused(made, change, code):
    _, _, found = made(change(rows()))
    assert found.effect.code == code and found.figure.code == code and found.checks == []
    assert [said.template[:13] for said in found.reading] == ["Anything else"]


def test_eight_weeks_on_either_side_are_the_least(made):
    frame = rows()
    _, _, found = made(frame[frame["week"].between(START - 8, START + 7)])
    assert not isinstance(found.effect, Refused)


def test_without_a_p_value_it_says_why():
    refused = outcome_series._without_p(None)
    assert refused.code == "few_df"


def test_a_source_of_pupils_is_no_series(made):
    params, trial, _ = made(rows())
    bare = dataclasses.replace(trial, data=dataclasses.replace(trial.data, panel=pd.DataFrame()))
    assert outcome_series.section(bare, params).effect.code == "no_series"


def test_another_design_leaves_the_section_out(made):
    params, trial, _ = made(rows())
    found = outcome_series.section(dataclasses.replace(trial, design="panel"), params)
    parts = [getattr(found, field.name) for field in dataclasses.fields(found)]
    assert {part.code for part in parts if isinstance(part, Refused)} == {"other_design"}
    assert found.reading == found.domains == found.checks == []


def test_the_rest_of_the_report_stands(made):
    params, trial, _ = made(rows())
    result = analysis.estimate(trial, params)
    assert result.strength == "weak" and result.power.grade <= 2
    assert analysis.answer(result, params) and len(analysis.lights(result, params)) == 7


def test_everything_can_be_shown_and_drawn(made):
    params, trial, found = made(rows(season=20), season=20)
    view = open_report(params, trial)
    parts = ("estimate", "effects", "counterfactual", "autocorrelation", "season", "sensitivity", "placebo", "figure")
    for name in parts:
        view.table(f"series_{name}", getattr(found, name), caption="Effect")
        assert set(getattr(found, name).table) <= set(COLUMNS)
        for column in {"group", "term"} & set(getattr(found, name).table):
            assert set(getattr(found, name).table[column]) <= set(TERMS)
    for name, kind in (("figure", "lines"), ("sensitivity", "forest"), ("placebo", "forest")):
        view.figure(f"drawn_{name}", getattr(found, name), kind=kind, caption="Effect")
        assert isinstance(kind_named(kind).draw(getattr(found, name)).figure, Figure)
