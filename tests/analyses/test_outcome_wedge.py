"""Stepped wedge: from a file to the section, the planted effect, and every case in which there is no wedge."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_wedge
from mhlib.findings import Refused
from mhlib.report import open_report
from mhlib.report.figures import kind_named
from mhlib.report.vocabulary import TERMS
from mhlib.stats.effects import stepped_wedge_effect

PERIODS = 5
GIVEN = """
evaluation: intervention_outcomes
source: wedge.csv
as_of: "2026-01-01"
seed: 1
design: stepped_wedge
allocated: school_pid
arms: [control, intervention]
columns: {pupil_pid: pupil, school_pid: school, arm: arm, start_term: step}
occasions: {p1: p1, p2: p2, p3: p3, p4: p4, p5: p5}
baseline: p1
primary: p5
outcome: score
levels: [school_pid]
n_boot: 100
n_imputations: 5
"""


def rows(seed=3, *, units=24, pupils=20, effect=-2.0, growth=0.0, recurring=True):
    """A wide file of pupils; `growth` is added for each further period with the programme."""
    rng, lines = np.random.default_rng(seed), []
    for unit in range(units):
        step, level, cell = 2 + unit % (PERIODS - 1), rng.normal(0, 1), rng.normal(0, 0.5, PERIODS)
        for pupil in range(pupils if recurring else pupils * PERIODS):
            own, line = (
                rng.normal(0, 2),
                {"pupil": f"{unit}_{pupil}", "school": f"s{unit}", "step": step, "arm": "intervention"},
            )
            for period in range(1, PERIODS + 1):
                since = period - step
                gain = effect + growth * since if since >= 0 else 0.0
                line[f"p{period}"] = 20 + 0.5 * period + level + cell[period - 1] + own + gain + rng.normal(0, 4)
                if not recurring and pupil % PERIODS != period - 1:
                    line[f"p{period}"] = np.nan
            lines.append(line)
    return pd.DataFrame(lines)


def loaded(folder, monkeypatch, frame, **changes):
    monkeypatch.setenv("MHLIB_DATA", str(folder))
    frame.to_csv(folder / "wedge.csv", index=False)
    (folder / "wedge.yml").write_text(GIVEN, encoding="utf-8")
    params = analysis.Params.from_file(folder / "wedge.yml", changes=changes)
    return params, analysis.load(params)


@pytest.fixture
def made(tmp_path, monkeypatch):
    def of(frame, **changes):
        params, trial = loaded(tmp_path, monkeypatch, frame, **changes)
        return params, trial, outcome_wedge.section(trial, params)

    return of


@pytest.mark.parametrize("recurring", [True, False])
def test_the_planted_effect_lies_in_the_interval(made, recurring):
    _, _, found = made(rows(recurring=recurring))
    effect = found.effect
    assert effect.conf_low < -2.0 < effect.conf_high < 0 and effect.p_value < 0.05 and effect.p_refused is None
    assert effect.n_clusters == 24 and effect.n_used == (480 if recurring else 2400)
    # Deviation of pupils without the programme in a period: unit 1, cell .5, own 2, error 4.
    assert effect.sd == pytest.approx(math.sqrt(1 + 0.25 + 4 + 16), rel=0.06)
    assert effect.g == pytest.approx(effect.estimate / effect.sd, rel=0.03) and effect.g_low < effect.g < effect.g_high
    without = set(found.variants.table["group"])
    assert {"wedge_average", "wedge_constant", "wedge_without_cell", "wedge_permutation"} <= without


def test_the_effect_is_the_library_s_on_rows_made_by_hand(made):
    frame = rows()
    _, _, found = made(frame)
    long = frame.melt(["pupil", "school", "step"], [f"p{n}" for n in range(1, 6)], "period", "y")
    long["period"] = long["period"].str[1:].astype(int)
    long["on"] = (long["period"] >= long["step"]).astype(float)
    wanted = stepped_wedge_effect(
        long, outcome="y", school="school", period="period", treated="on", pupil="pupil", seed=1
    )
    row = wanted.effect("average over exposure")
    assert (found.effect.estimate, found.effect.std_error) == pytest.approx(
        (row["estimate"], row["std_error"]), abs=1e-8
    )


def test_the_schedule_by_hand(made):
    _, _, found = made(rows(units=8))
    table = found.schedule.table.pivot(index="row", columns="across", values="value_shown")
    assert table.to_numpy().tolist() == [[0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]]
    assert found.starts.table[["n_units", "n_used"]].to_numpy().tolist() == [[2, 40]] * 4
    assert set(found.schedule.table["row"]) | set(found.schedule.table["across"]) <= set(TERMS)
    periods = found.periods.table.set_index(["group", "x"])["n_used"]
    assert (
        periods["arm_control", 1] == 160
        and periods["arm_programme", 2] == 40
        and ("arm_control", 5) not in periods.index
    )


def test_an_effect_that_grows_is_averaged_and_told(made):
    _, _, found = made(rows(effect=-1.0, growth=-2.0))
    assert found.effect.conf_low < -4.0 < found.effect.conf_high
    constant = found.variants.table.set_index("group").loc["wedge_constant"]
    assert constant["conf_low"] > -4.0, (
        "the model of one constant effect misses the average: that is why it is not the effect"
    )
    assert any("wrong question" in said.template for said in found.reading)
    exposure = found.exposure.table
    assert exposure["estimate"].is_monotonic_decreasing and exposure["n_units"].to_list() == [24, 18, 12, 6]
    assert not any("does not change" in check.name.template for check in found.checks)


def test_no_effect_is_none(made):
    _, _, found = made(rows(5, effect=0.0))
    assert found.effect.conf_low < 0 < found.effect.conf_high
    assert any("Nothing shows" in said.template for said in found.reading)


def test_few_units_are_read_beside_the_permutation(made):
    _, _, found = made(rows(units=8))
    assert any("read the permutation" in said.template for said in found.reading)
    assert [check.passed for check in found.checks if check.name.template == "Schools enough for the model"] == [False]


def test_waiting_units_and_missing_periods_are_asked_about(made):
    frame = rows()
    frame.loc[frame["school"] == "s1", "p3"] = np.nan
    _, _, found = made(frame)
    lights = {light.name.template: light.state for light in found.domains}
    assert lights == {"Order of starting": "good", "Programme and calendar": "good", "Waiting units": "unknown",
                      "Who was measured": "good", "Periods not measured": "watch"}  # fmt: skip
    assert [check.passed for check in found.checks if "Waiting" in check.name.template] == [None]


def test_programme_and_calendar_cannot_be_told_apart_in_one_period(made):
    frame = rows()
    _, _, found = made(frame.assign(step=np.where(frame["step"] < 4, 3, 4)))
    assert {light.name.template: light.state for light in found.domains}["Programme and calendar"] == "bad"
    assert [c.passed for c in found.checks if c.name.template == "The programme can be told from the calendar"] == [
        False
    ]


def test_other_pupils_each_time_are_watched(made):
    _, _, found = made(rows(recurring=False))
    assert {light.name.template: light.state for light in found.domains}["Who was measured"] == "watch"


@pytest.mark.parametrize(("again", "state"), [(0.002, "watch"), (0.5, "watch"), (0.9, "good")])
def test_a_few_pupils_measured_again_do_not_speak_for_all(made, again, state):
    frame = rows(units=12, recurring=False)
    more = np.arange(len(frame)) < again * len(frame)
    # Measured in the period after their own as well, or before it where theirs is the last.
    for period in range(1, 6):
        other = f"p{period + 1 if period < 5 else 4}"
        frame.loc[more & (frame.index % PERIODS == period - 1), other] = 20.0 + period
    _, _, found = made(frame)
    assert {light.name.template: light.state for light in found.domains}["Who was measured"] == state


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frame: frame.assign(step=3), "one_start"),
        (lambda frame: frame.assign(step=frame["step"].where(frame["step"] < 5, 9)), "school_never_crosses"),
        (lambda frame: frame.assign(step=frame["step"].where(frame["step"] < 5)), "school_never_crosses"),
        (lambda frame: frame.assign(step=frame["step"] - 1), "no_untreated_period"),
        (lambda frame: frame.assign(step=np.arange(len(frame)) % 4 + 2), "design"),
        (lambda frame: frame.assign(step=np.nan), "no_start"),
        # 0, which some write for never, half a period, and a start in a year where periods are counted.
        (lambda frame: frame.assign(step=frame["step"].where(frame["step"] < 5, 0)), "start_no_period"),
        (lambda frame: frame.assign(step=frame["step"] - 0.5), "start_no_period"),
        (lambda frame: frame.assign(**{f"p{n}": np.nan for n in range(1, 6)}), "nothing_measured"),
    ],
)
def test_what_is_no_wedge_is_refused(made, change, code):
    _, _, found = made(change(rows(units=8)))
    assert found.effect.code == code and found.variants.code == code and found.reading == [] and found.checks == []


def test_a_period_left_out_moves_no_start(made):
    frame = rows(4)
    frame = frame[frame["step"] > 2]
    later = {f"p{n}": f"p{n}" for n in range(2, 6)}
    _, _, found = made(frame.drop(columns="p1"), occasions=later, baseline="p2")
    long = frame.melt(["pupil", "school", "step"], list(later), "period", "y")
    long["period"] = long["period"].str[1:].astype(int)
    long["on"] = (long["period"] >= long["step"]).astype(float)
    wanted = stepped_wedge_effect(
        long, outcome="y", school="school", period="period", treated="on", pupil="pupil", seed=1
    )
    assert found.effect.estimate == pytest.approx(wanted.effect("average over exposure")["estimate"], abs=1e-8)
    assert found.effect.conf_low < -2.0 < found.effect.conf_high < 0
    shown = found.schedule.table.pivot(index="row", columns="across", values="value_shown")
    assert shown.to_numpy().tolist() == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]


def test_occasions_without_numbers_are_counted_by_their_place(made):
    named = dict(zip(("first", "second", "third", "fourth", "fifth"), (f"p{n}" for n in range(1, 6)), strict=True))
    _, _, found = made(rows(units=12), occasions=named, baseline="first", primary="fifth")
    _, _, wanted = made(rows(units=12))
    assert found.effect.estimate == wanted.effect.estimate and found.starts.table.equals(wanted.starts.table)


def test_two_periods_are_no_steps(made):
    _, _, found = made(rows(units=8), occasions={"p1": "p1", "p2": "p2"}, primary="p2")
    assert found.effect.code == "few_periods"


def test_no_units_no_rollout(made):
    params, trial, _ = made(rows(units=8))
    bare = dataclasses.replace(trial, people=trial.people.drop(columns="school_pid"))
    assert outcome_wedge.section(bare, params).effect.code == "no_rollout"


def test_another_design_leaves_the_section_out(made):
    params, trial, _ = made(rows(units=8))
    found = outcome_wedge.section(dataclasses.replace(trial, design="staggered"), params)
    assert {part.code for part in dataclasses.asdict(found).values() if isinstance(part, Refused)} <= {"other_design"}
    assert found.effect.code == "other_design" and found.domains == [] and found.reading == []


def test_a_file_without_p_values_says_why():
    refused = outcome_wedge._without_p(math.nan, 3)
    assert refused.code == "few_units" and refused.why.values["n"] == 3 and outcome_wedge._without_p(0.5, 3) is None


def test_everything_can_be_shown_and_drawn(made):
    params, trial, found = made(rows())
    view = open_report(params, trial)
    for name in ("estimate", "starts", "schedule", "exposure", "variants", "periods"):
        view.table(f"wedge_{name}", getattr(found, name), caption="Effect")
    for name, kind in (("schedule", "heat"), ("exposure", "forest"), ("variants", "forest"), ("periods", "lines")):
        view.figure(f"drawn_{name}", getattr(found, name), kind=kind, caption="Effect")
        assert isinstance(kind_named(kind).draw(getattr(found, name)).figure, Figure)
    shown = {
        name for part in (found.exposure, found.variants, found.starts, found.periods) for name in part.table["group"]
    }
    assert shown <= set(TERMS)
