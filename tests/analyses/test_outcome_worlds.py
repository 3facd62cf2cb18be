"""The report in worlds made apart from its methods: where an assumption is broken its own lights must say so, and only there."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_flow
from mhlib.findings import Refused

from . import worlds

NAMES = ("effect", "size", "cause", "losses", "unmeasured", "harms", "grade")
SEEDS = range(20)
# Chance that a sound report fails a test of counts by luck.
LUCK = 1e-3


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Lights by name, sentences of the answer, result and failed checks of a world."""

    def made(world, *given, **named):
        path = world(tmp_path / "world", *given, **named)
        monkeypatch.setenv("MHLIB_DATA", str(path.parent))
        params = analysis.Params.from_file(path)
        data = analysis.load(params)
        result = analysis.estimate(data, params)
        lights = dict(zip(NAMES, analysis.lights(result, params), strict=True))
        failed = {check.name.template for check in analysis.check(data, params) if check.passed is False}
        return {name: light.state for name, light in lights.items()}, analysis.answer(result, params), result, failed

    return made


def believed(states) -> bool:
    """A reader who looks at three lights would take the effect for a fact."""
    return {states[name] for name in ("effect", "cause", "losses")} == {"good"}


def says(sentences, words) -> bool:
    return any(words in said.template for said in sentences)


def test_a_trial_that_keeps_its_promises_is_believed(report):
    states, answer, result, failed = report(worlds.losses, "by_lot", true=-1.5)
    assert believed(states) and states["unmeasured"] == "good" and states["grade"] == "good" and not failed
    assert says(answer, "did better by") and not says(answer, "lost")
    assert result.effect.conf_low < -1.5 < result.effect.conf_high
    assert result.missing.alike is True and result.missing.stands is True


def test_unequal_losses_of_the_worst_weaken_cause_losses_and_grade(report):
    """No effect at all; the difference is made by those who stay away."""
    states, answer, result, failed = report(worlds.losses, "more")
    assert result.effect.conf_high < 0, "the world must tempt"
    assert not believed(states)
    assert (states["cause"], states["losses"], states["unmeasured"], states["grade"]) == (
        "watch",
        "bad",
        "watch",
        "bad",
    )
    assert "Losses stay within the boundary" in failed
    assert says(answer, "the losses alone could make such a difference")
    assert answer[2].values["strength"].template.startswith("weakened")


def test_losses_between_the_two_boundaries_are_read_with_care(report):
    states, answer, result, _ = report(worlds.losses, "more_by_lot", true=-1.5)
    assert result.flow.level == "tolerable" and (states["effect"], states["cause"]) == ("good", "good")
    assert states["losses"] == "watch" and not believed(states) and says(answer, "only if one is optimistic")


@pytest.mark.parametrize("seed", [3, 4, 6])
def test_equal_losses_of_unlike_pupils_are_seen(report, seed):
    """As many are lost in each arm, so that no boundary of counts can see it; the first score tells who they are."""
    states, answer, result, _ = report(worlds.losses, "alike", seed=seed)
    assert result.flow.level == "low" and result.effect.conf_high < 0, "the world must tempt"
    assert not believed(states) and states["losses"] == "watch" and states["unmeasured"] == "watch"
    assert result.missing.alike is False and result.missing.stands is False
    assert says(result.missing.reading, "lost pupils of different kinds") and says(
        answer, "lost pupils of different kinds"
    )


def test_without_a_first_score_the_kind_of_losses_is_not_known(report):
    states, answer, result, _ = report(worlds.losses, "by_lot", true=-1.5, occasions={"post": "after"}, baseline="")
    assert states["effect"] == "good" and result.flow.level == "low" and result.missing.alike is None
    assert states["losses"] == "watch" and says(answer, "lost pupils of one kind cannot be told")


@pytest.mark.slow
def test_losses_by_lot_raise_the_alarm_no_oftener_than_it_says(report):
    alarms = sum(report(worlds.losses, "by_lot", seed=seed)[2].missing.alike is False for seed in SEEDS)
    assert alarms <= stats.binom.ppf(1 - LUCK, len(SEEDS), 0.01)


def test_the_fall_of_screened_positives_is_no_effect(report):
    states, answer, result, failed = report(worlds.screened_positives, control=False)
    assert isinstance(result.effect, Refused) and result.effect.code == "no_control"
    assert not believed(states) and (states["effect"], states["cause"], states["grade"]) == ("unknown", "bad", "bad")
    assert result.rtm.claim.code == "uncontrolled_positives"
    assert "Enough units an arm to tell the programme from the units" in failed
    assert says(answer, "is not known") and answer[1].values["strength"].template.startswith("none")
    row = result.rtm.table.table.set_index("term").loc["remainder_fall"]
    assert row["observed_fall"] > 3, "the world must tempt"
    assert says(result.rtm.reading, "is not an effect of the programme") and says(result.rtm.reading, "no proof")


@pytest.mark.parametrize(("true", "state"), [(0.0, "watch"), (-3.0, "good")])
def test_the_same_positives_with_schools_by_lot_are_told_apart(report, true, state):
    states, _, result, _ = report(worlds.screened_positives, control=True, true=true)
    assert states["effect"] == state and states["cause"] == "good" and believed(states) == (state == "good")
    assert result.rtm.table.table.set_index("term").loc["remainder_fall", "observed_fall"] > 3
    assert says(result.rtm.reading, "what a report without a control would have claimed")


def test_classes_that_share_a_school_are_not_believed_to_the_full(report):
    """Half of the gain reaches the other classes: the difference is too small, and no outcome shows it."""
    states, answer, result, _ = report(worlds.spill_over, by_class=True)
    assert states["effect"] == "good" and not believed(states) and states["cause"] == "watch"
    assert result.flow.shared == 1.0 and says(answer, "both arms go to the same schools")
    assert says(result.primary.reading, "large and small clusters do not gain alike")
    assert result.effect.conf_low > -2.9, "spill-over has eaten a part of the gain of about 3 points"


def test_whole_schools_with_the_same_gains_are_believed(report):
    states, answer, result, _ = report(worlds.spill_over, by_class=False)
    assert believed(states) and math.isnan(result.flow.shared) and not says(answer, "same schools")
    assert says(result.primary.reading, "large and small clusters do not gain alike")


SIZES = [12, pytest.param(24, marks=pytest.mark.slow), pytest.param(48, marks=pytest.mark.slow)]


@pytest.mark.parametrize("schools", SIZES)
def test_a_null_city_gives_null_verdicts(report, schools):
    found = [report(worlds.null_city, schools, seed) for seed in SEEDS]
    states = [one[0]["effect"] for one in found]
    good, beyond = states.count("good"), states.count("good") + states.count("bad")
    assert good <= stats.binom.ppf(1 - LUCK, len(SEEDS), 0.025) and beyond <= stats.binom.ppf(
        1 - LUCK, len(SEEDS), 0.05
    )
    assert not any(one[0]["size"] == "good" for one in found)
    for state, (_, answer, *_) in zip(states, found, strict=True):
        if state == "watch":
            assert says(answer, "No effect is shown") and says(answer, "too uncertain to be called small or large")
            assert not says(answer, "did better")


@pytest.mark.parametrize("schools", SIZES)
def test_a_city_with_an_effect_does_not(report, schools):
    """The bound of the null city would hold for a report that never finds anything."""
    states = [report(worlds.null_city, schools, seed, true=-3.5)[0] for seed in range(8)]
    assert sum(one["effect"] == "good" for one in states) >= 6 and sum(believed(one) for one in states) >= 6


def test_ten_schools_are_not_six_hundred_pupils(report, tmp_path):
    """A logit of pupils finds an effect in a good part of these worlds, in which there is none; the report does not."""
    naive, found = [], []
    for seed in SEEDS:
        states, *_ = report(worlds.cases_in_few_schools, seed)
        naive.append(abs(worlds.naive_logit_z(pd.read_csv(tmp_path / "world" / "world.csv"))) > 1.96)
        found.append(states["effect"] in ("good", "bad"))
    assert np.mean(naive) > 0.3, "the world must tempt"
    assert sum(found) <= stats.binom.ppf(1 - LUCK, len(SEEDS), 0.05)


def test_ten_schools_show_a_large_effect(report):
    states = [report(worlds.cases_in_few_schools, seed, true=-2.5)[0]["effect"] for seed in range(6)]
    assert states.count("good") >= 4


def test_a_plan_changed_after_its_registration_is_told_in_the_answer(report):
    _, answer, *_ = report(worlds.null_city, 12, 0)
    assert not says(answer, "exploratory")
    frame = worlds.schools_by_lot(np.random.default_rng(1), 12, 20, 0.0)
    _, answer, *_ = report(worlds.written, frame, plan_sha256="0" * 16)
    assert says(answer, "changed after it was registered") and not says(answer, "No plan was frozen")


def test_controls_in_mixed_schools_by_hand(tmp_path, monkeypatch):
    """School 0 has a class of each arm, school 1 controls only: 2 of 6 controls go to a mixed school."""
    frame = pd.DataFrame({"pupil": range(8), "school": [0] * 4 + [1] * 4, "class": [0, 0, 1, 1, 2, 2, 3, 3],
                          "arm": ["programme"] * 2 + ["control"] * 6, "before": 1.0, "after": range(8)})  # fmt: skip
    columns = worlds.PLAN["columns"] | {"class_pid": "class"}
    given = {"design": "class_rct", "allocated": "class_pid", "columns": columns}
    path = worlds.written(tmp_path, frame, **given)
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    load = lambda **changes: analysis.load(analysis.Params.from_file(path, changes=changes))  # noqa: E731
    assert outcome_flow.shared_schools(load()) == pytest.approx(2 / 6)
    assert math.isnan(outcome_flow.shared_schools(load(design="before_after")))
