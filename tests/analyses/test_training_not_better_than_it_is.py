"""What could make a training look better than it is: each of these once did, without a word of the report."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_behaviour, training_burden, training_reach_groups
from mhlib.analyses.parts import training_behaviour_change as change
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.training_behaviour_dose import independence
from mhlib.analyses.parts.training_behaviour_rows import _drawn_by, _places
from mhlib.analyses.parts.training_burden_months import period_of
from mhlib.analyses.parts.training_reach_registers import Registers
from mhlib.errors import ParamsError
from mhlib.findings import Check, Refused

SCORES = {"score_pre": "score_pre", "score_post": "score_post", "score_later": "score_later"}
FLAT = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "school_rct",
    "assignment_unit": "school_pid", "arms": ["wait", "trained"], "occasions": {"pre": "pre", "post": "post", "later": "later"},
    "baseline": "pre", "primary": "post", "follow_up": "later", "primary_measure": "score", "measures": ["score"],
    "levels": ["school_pid"], "ranges": {"score": [0, 100]}, "tier": "", "planned_on": "2025-01-01",
}  # fmt: skip


def params_of(**changes):
    return analysis.Params.from_mapping(FLAT | changes, where="test")


def teachers(post=0.0, later=0.0, schools=40, each=15, seed=1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), each)
    n, trained = len(school), school % 2
    before = 50 + rng.normal(0, 2, schools)[school] + rng.normal(0, 8, n)
    frame = pd.DataFrame({"teacher_pid": [f"t{at}" for at in range(n)], "school_pid": [f"s{at}" for at in school],
                          "arm": np.where(trained == 1, "trained", "wait"), "score_pre": before})  # fmt: skip
    for name, gain in (("post", post), ("later", later)):
        own = rng.normal(0, 1, schools)[school] + rng.normal(0, 5, n)
        frame[f"score_{name}"] = 20 + 0.6 * before + gain * trained + own
    return frame


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The whole report of a file of teachers."""

    def made(frame: pd.DataFrame, **changes):
        monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
        frame.to_csv(tmp_path / "t.csv", index=False)
        params = params_of(**changes)
        return params, analysis.estimate(analysis.load(params), params)

    return made


def state(params, result, name: str) -> str:
    return next(light.state for light in analysis.lights(result, params) if light.name.template == name)


def with_ages(frame: pd.DataFrame) -> pd.DataFrame:
    """Age matters, and is known of half of the teachers."""
    rng = np.random.default_rng(3)
    age = rng.normal(40, 8, len(frame))
    for name in ("score_post", "score_later"):
        frame[name] += 0.5 * (age - 40)
    return frame.assign(age=np.where(rng.random(len(frame)) < 0.5, np.nan, age))


# --- who is left out of the analysis is lost -----------------------------------------------------------------------------


def test_teachers_without_a_first_test_are_lost(run):
    frame, rng = teachers(), np.random.default_rng(3)
    low = (frame["arm"] == "trained") & (frame["score_post"] < frame["score_post"].median())
    frame.loc[low & (rng.random(len(frame)) < 0.7), "score_pre"] = np.nan
    params, result = run(frame)
    flow, n_used = result.flow, result.learning.effect.n_used
    assert flow.overall == pytest.approx(1 - n_used / 600) and flow.differential > 0.3 and flow.level == "high"
    assert state(params, result, "Enough teachers were tested") == "bad"
    assert any("count as lost" in one.template for one in flow.reading)


def test_teachers_without_a_covariate_are_lost_and_counted(run):
    _, result = run(with_ages(teachers(4, 3)), covariates=["age"])
    used = result.flow.dropped.table.set_index("term")
    n = result.learning.effect.n_used
    assert (
        n < 400
        and used.loc["uses_ancova", "n_used"] == n
        and used.loc["uses_later", "n_used"] == result.learning.later.n_used
    )
    assert used.loc["uses_anova", "n_excluded"] == 0
    assert result.flow.overall == pytest.approx(1 - n / 600)
    assert not any("no method leaves anybody out" in one.template for one in result.flow.reading)


def test_the_share_kept_is_of_the_differences_shown(run):
    _, result = run(with_ages(teachers(4, 3)), covariates=["age"])
    kept, table = result.learning.kept, result.learning.kept.to_frame().set_index("term")["estimate"]
    assert table["post_gain"] == pytest.approx(result.learning.effect.estimate)
    assert table["follow_gain"] == pytest.approx(result.learning.later.estimate)
    assert kept.n_used == result.learning.effect.n_used


# --- the test and the intervals agree ------------------------------------------------------------------------------------


def test_alpha_is_the_size_of_the_test_that_the_intervals_make():
    with pytest.raises(ParamsError, match="1 - conf_level"):
        params_of(alpha=0.01)
    with pytest.raises(ParamsError, match="conf_level"):
        params_of(conf_level=0.8)
    assert params_of(alpha=0.01, conf_level=0.99).alpha == 0.01


# --- harm is no gain -----------------------------------------------------------------------------------------------------


def test_harm_that_lasts_is_not_kept(run):
    params, result = run(teachers(-5, -4.5))
    assert state(params, result, "Teachers learned because of it") == "bad"
    assert result.learning.kept.code == "no_gain" and state(params, result, "They kept it") == "unknown"
    params, result = run(teachers(-5, -4.5), lower_is_better=["score"])
    assert result.learning.kept.conf_low > 0.5 and state(params, result, "They kept it") == "good"


def test_harm_passed_down_is_no_gain_that_arrives(run):
    frame = teachers(-5, -5, schools=60, each=12)
    school = frame["school_pid"].str[1:].astype(int)
    tier = np.array(["city", "town", "school", "class"])[school // 2 % 4]
    frame["tier"] = np.where(frame["arm"] == "trained", tier, "")
    params, result = run(frame, tier="tier")
    assert result.cascade.share.code == result.cascade.steps.code == "no_gain"
    assert state(params, result, "It arrives in the class") == "unknown"
    _, result = run(frame, tier="tier", lower_is_better=["score"])
    assert result.cascade.share.conf_low > 0.3


# --- waves differ by themselves ------------------------------------------------------------------------------------------


def interviews(waves: dict[int, tuple[int, ...]], rise=0.1, seed=1, each=20) -> pd.DataFrame:
    """Cases of forty schools, named more often from wave to wave in both arms; no effect."""
    rng, parts = np.random.default_rng(seed), []
    for school in range(40):
        treated = float(school % 2)
        for wave in waves[school % 2]:
            named = (rng.random(each) < 0.15 + rise * wave).astype(float)
            parts.append(pd.DataFrame({"school_pid": f"S{school}", "wave": wave, "treated": treated, "named": named}))
    rows = pd.concat(parts, ignore_index=True).assign(case=1.0, positive=1.0, weight=1.0)
    return rows.assign(post=(rows["wave"] >= 3) * 1.0, effect=lambda one: one["treated"] * one["post"])


def test_an_arm_without_interviews_in_a_wave_makes_no_change():
    rows, params = interviews({0: (1, 2, 3, 4), 1: (1, 2, 4)}, rise=0.15, each=50), params_of(named_from_wave=3)
    old = change.fitted(rows, params, "named", model=change.TWO_PERIODS)
    assert change.row_of(old)["conf_low"] > 0, "before and after alone would call the time a change"
    for found in (
        training_behaviour.gained(rows, params),
        change.effect_of(change.fitted(rows, params, "named"), n_used=1),
    ):
        assert found.conf_low < 0 < found.conf_high and abs(found.estimate) < 0.06
    alike = change.every_school_alike(rows, params, "named", "any")
    assert alike["conf_low"] < 0 < alike["conf_high"]
    assert change.waves_check(rows).passed is False
    assert change.waves_check(interviews({0: (1, 3), 1: (1, 3)})).passed is True


def test_arms_that_share_no_wave_are_not_compared():
    training = SimpleNamespace(design="school_rct")
    assert change.comparison_refusal(training, interviews({0: (2, 3), 1: (1, 4)})).code == "no_common_wave"
    assert change.comparison_refusal(training, interviews({0: (1, 2, 4), 1: (2, 3, 4)})) is None


def test_two_waves_are_before_and_after():
    rows, params = interviews({0: (2, 3), 1: (2, 3)}), params_of(named_from_wave=3)
    shares = rows.groupby(["treated", "post"])["named"].mean()
    by_hand = shares[1, 1] - shares[1, 0] - shares[0, 1] + shares[0, 0]
    assert training_behaviour.gained(rows, params).estimate == pytest.approx(by_hand)


# --- interviews that hang on naming --------------------------------------------------------------------------------------


def screened(n=4000, waves=(1, 2), seed=2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"treated": rng.integers(0, 2, n) * 1.0, "named": rng.integers(0, 2, n) * 1.0, "positive": 1.0})
    return rows.assign(wave=rng.choice(waves, n), post=lambda one: (one["wave"] >= 2) * 1.0)


def seen_by(rows: pd.DataFrame, chance: np.ndarray, seed=4) -> pd.DataFrame:
    return rows[np.random.default_rng(seed).random(len(rows)) < chance].assign(answered=True)


def test_opposite_biases_of_the_arms_do_not_cancel():
    rows = screened()
    seen = seen_by(rows, np.where(rows["treated"] == rows["named"], 0.9, 0.5))
    assert abs(seen["named"].mean() - rows["named"].mean()) < 0.02, "pooled over the arms nothing is seen"
    found = independence(SimpleNamespace(interviews=seen, screened=rows, drawn_by_cutoff=1.0))
    assert isinstance(found, Refused) and found.code == "interviews_by_naming"
    assert {round(one.value, 1) for one in found.why.values.values()} == {0.5, 0.9}


def test_pupils_of_waves_without_interviews_could_not_be_interviewed():
    rows = screened(waves=(1, 2))
    rows.loc[rows["wave"] == 1, "named"] *= np.random.default_rng(5).integers(0, 2, (rows["wave"] == 1).sum())
    seen = seen_by(rows[rows["wave"] == 2], np.full((rows["wave"] == 2).sum(), 0.8))
    found = independence(SimpleNamespace(interviews=seen, screened=rows, drawn_by_cutoff=1.0))
    assert isinstance(found, Check) and found.passed is True
    assert found.detail.values["named"].value == pytest.approx(0.8, abs=0.04)
    elsewhere = SimpleNamespace(interviews=seen.assign(wave=3, answered=False), screened=rows, drawn_by_cutoff=1.0)
    assert independence(elsewhere).passed is None


@pytest.mark.filterwarnings("error")
def test_interviewed_pupils_without_answers_cannot_be_looked_at():
    seen = pd.DataFrame({"pupil_pid": ["a"], "wave": [4], "positive": [1.0]})
    elsewhere = pd.DataFrame({"pupil_pid": ["a"], "wave": [1], "positive": [1.0]})
    drawn = _drawn_by(seen, elsewhere, _places(seen, elsewhere))
    assert np.isnan(drawn)
    rows = screened()
    found = independence(SimpleNamespace(interviews=rows.assign(answered=False), screened=rows, drawn_by_cutoff=drawn))
    assert found.passed is None and "No interviewed pupil" in found.detail.template


def test_interviews_find_the_answers_of_their_pupil_and_wave():
    seen = pd.DataFrame({"pupil_pid": ["b", "a", "c", "a"], "wave": [2, 2, 1, 3], "positive": [1.0, 1.0, 0.0, 1.0]})
    there = pd.DataFrame({"pupil_pid": ["a", "c", "a", "b"], "wave": [1, 1, 2, 2], "positive": [0.0, 1.0, 1.0, 1.0]})
    places = _places(seen, there)
    assert places.tolist() == [3, 2, 1, -1]
    assert _drawn_by(seen, there, places) == pytest.approx(2 / 3)


# --- burden is that of the months after ----------------------------------------------------------------------------------


def worked(months, harm_from: int, seed=1) -> SimpleNamespace:
    """Overtime of sixty schools by month (0: January 2023): 2 hours more in the trained from a month on; event in month 22."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(60), 20)
    treated, base = school % 2 * 1.0, 10 + rng.normal(0, 3, len(school))
    people = pd.DataFrame({"teacher_pid": [f"t{at}" for at in range(len(school))], "school_pid": [f"s{at}" for at in school],
                           "treated": treated, "b": 50.0, "y": 60.0, "f": 60.0})  # fmt: skip
    rows = [pd.DataFrame({"teacher_pid": people["teacher_pid"], "year": 2023 + at // 12, "month": at % 12 + 1, "days_absent": 1.0,
                          "overtime_hours": base + rng.normal(0, 2, len(school)) + 2 * treated * (at >= harm_from)})
            for at in months]  # fmt: skip
    tables = {"workload": pd.concat(rows, ignore_index=True),
              "training_event": pd.DataFrame({"event_pid": ["e"], "held_on": [pd.Timestamp("2024-11-05")]})}  # fmt: skip
    return SimpleNamespace(teachers=people, data=SimpleNamespace(table=tables.get), cluster="school_pid", design="school_rct",
                           controlled=True, levels=("school_pid",), tables=tables)  # fmt: skip


def overtime(training) -> Effect:
    return training_burden._effect(training, params_of(), training_burden._monthly(training, "overtime_hours"))


def test_months_before_do_not_dilute_the_burden_after():
    found = overtime(worked(range(25), harm_from=22))
    assert found.conf_low < 2 < found.conf_high and found.conf_low > 1.5
    without = overtime(worked(range(23, 25), harm_from=22))
    assert found.std_error < without.std_error, "months before are adjusted for"
    assert training_burden.timed(worked(range(25), harm_from=22))


def test_months_before_alone_say_nothing_of_burden():
    before = worked(range(12), harm_from=99)
    assert training_burden._monthly(before, "overtime_hours").code == "no_month_after"
    assert not training_burden.timed(before)


def test_without_the_day_of_the_training_months_are_not_timed():
    undated = worked(range(25), harm_from=22)
    undated.tables.pop("training_event")
    assert period_of(undated) is None and not training_burden.timed(undated)
    assert ["On which day" in one.template for one in training_burden._timing(undated)] == [True]
    assert len(training_burden._monthly(undated, "overtime_hours")) == 1200


def test_months_in_which_the_others_are_trained_are_no_comparison():
    training, people = worked(range(30), harm_from=22), None
    people = training.teachers
    training.tables["training_event"] = pd.DataFrame({
        "event_pid": ["e", "later"], "held_on": pd.to_datetime(["2024-11-05", "2025-02-10"]),
    })  # fmt: skip
    training.tables["training_enrolment"] = pd.DataFrame({
        "teacher_pid": people["teacher_pid"], "event_pid": np.where(people["treated"] == 1, "e", "later"),
    })  # fmt: skip
    workload, period = training.tables["workload"], period_of(training)
    kept = workload[period == "after"]
    assert sorted(set(zip(kept["year"], kept["month"], strict=True))) == [(2024, 12), (2025, 1)]
    assert (
        workload.loc[period == "before", "year"] * 12 + workload.loc[period == "before", "month"]
    ).max() == 2024 * 12 + 10


# --- certificates entered twice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 8])
def test_the_level_that_most_hold_is_told_by_holders(times):
    day = pd.Timestamp("2026-01-01")
    people = pd.DataFrame({"school_pid": np.arange(400) % 20, "role": "head", "hired_on": pd.Timestamp("2010-01-01"),
                           "left_on": pd.NaT, "on_roster": True})  # fmt: skip
    held = {"issued": pd.Timestamp("2024-01-01"), "expires": pd.Timestamp("2030-01-01")}
    many, few = (
        pd.DataFrame({"teacher_pid": np.arange(n), "level": name, **held}) for n, name in ((200, "C"), (30, "B"))
    )
    gone = pd.DataFrame({"teacher_pid": np.arange(390), "level": "B", "issued": pd.Timestamp("2010-01-01"),
                         "expires": pd.Timestamp("2018-01-01")})  # fmt: skip
    found = Registers(people=people, schools=pd.Index(range(20)), certificates=pd.concat([many, *[few] * times, gone]),
                      levels=("C", "B"), departures=False, starts=pd.Series(dtype="datetime64[ns]"), day=day)  # fmt: skip
    assert (found.broad, training_reach_groups.expert(found)) == ("C", "B")
    assert found.holders.to_dict() == {"C": 200, "B": 30}
    lacking = training_reach_groups.missing(found, params_of()).table.set_index("why_missing")["numerator"]
    assert lacking["lacks_never"] == 200


# --- a column without information takes one number, not the report --------------------------------------------------------


@pytest.mark.filterwarnings("error:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("column", ["score_pre", "score_post", "score_later"])
def test_scores_that_are_all_the_same_do_not_take_the_report(run, column):
    params, result = run(teachers(4, 3).assign(**{column: 60.0}))
    assert len(analysis.lights(result, params)) > 10 and analysis.answer(result, params)
    effect = result.learning.effect
    if column == "score_pre":
        assert np.isnan(effect.g) and effect.conf_low > 0
        assert state(params, result, "They learned enough to matter") == "unknown"
    if column == "score_post":
        assert state(params, result, "Teachers learned because of it") in ("unknown", "watch")
