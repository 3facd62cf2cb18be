"""Sessions, fidelity and those who took part: by hand, on trials made here, on the city, and where nothing may be said."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_dose
from mhlib.analyses.parts.trial import Trial, trial_of
from mhlib.data.screening import Provenance
from mhlib.data.trial import TrialData
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate
from mhlib.report.language import words

ROOT = Path(__file__).resolve().parents[2]
OPEN, PUBLIC = Gate.of("open_data"), Gate.of("public")
DRAWN = ("sessions", "attended", "fidelity", "schools", "schools_curve", "uptake", "complier", "slope", "levels")
EFFECT, TAKEN = -4.0, 0.6


def params_of(**changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "school_rct",
        "allocated": "school_pid", "outcome": "distress", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
        "primary": "post", "n_boot": 200,
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def trial(people: pd.DataFrame, params) -> Trial:
    people = people.assign(pupil_pid=[f"p{at}" for at in range(len(people))]) if len(people) else people
    data = TrialData(people=people, panel=pd.DataFrame(), occasions=("pre", "post"), allocated=pd.DataFrame(),
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=len(people)))  # fmt: skip
    return trial_of(data, params)


def section(people: pd.DataFrame, **changes):
    params = params_of(**changes)
    return outcome_dose.section(trial(people, params), params)


def attended(
    seed: int = 3, *, schools: int = 48, pupils: int = 50, taken: float = TAKEN, crossed: float = 0.0
) -> pd.DataFrame:
    """Schools drawn by lot; whoever is worse off comes less often, and only coming (three sessions or more) helps."""
    rng = np.random.default_rng(seed)
    n, school = schools * pupils, np.repeat(np.arange(schools), pupils)
    offered = school % 2
    first = rng.normal(size=n) + rng.normal(0, 0.2, schools)[school]
    ready = rng.random(n) - 0.05 * first
    comes = ready < np.where(offered == 1, taken, crossed)
    sessions = np.where(comes, rng.integers(3, 9, n), rng.integers(0, 3, n))
    after = 22 + 4 * first + EFFECT * comes + rng.normal(0, 3, n) + rng.normal(0, 0.5, schools)[school]
    return pd.DataFrame({
        "school_pid": [f"s{at}" for at in school], "arm": np.where(offered == 1, "intervention", "control"),
        "y_pre": (22 + 5 * first).round(2), "y_post": after.round(2),
        "sessions": np.where((offered == 1) | (crossed > 0), sessions, np.nan),
        "fidelity": np.where(offered == 1, rng.beta(8, 2, n), np.nan),
    })  # fmt: skip


def by_term(drawn) -> pd.DataFrame:
    return drawn.table.set_index("term")


def said(messages, gate: Gate = OPEN) -> str:
    return " ".join(words(one, "en", gate) for one in messages)


def check(found, part: str):
    return next(one for one in found.checks if part in one.name.template)


# --- what was delivered ------------------------------------------------------------------------------------------------
def test_attendance_by_hand():
    # Ten schools served, each with two pupils at 0 sessions, one at 2 and one at 6: half took part, two on average.
    people = pd.DataFrame(
        [{"school_pid": f"s{at}", "arm": "intervention", "y_pre": 20.0 + k, "y_post": 18.0 + k + at % 2, "sessions": sessions,
          "fidelity": share}
         for at in range(10) for k, (sessions, share) in enumerate([(0, 0.5), (0, 0.7), (2, 0.9), (6, 0.9)])]
    )  # fmt: skip
    found = section(people, arms=["intervention"], design="before_after")
    table = by_term(found.attended)
    assert table.loc["dose_took_part", ["estimate", "numerator", "denominator"]].tolist() == [0.5, 20, 40]
    assert table.loc["dose_mean_sessions", "estimate"] == 2.0
    row = by_term(found.fidelity).loc["dose_fidelity"]
    assert (row["estimate"], row["dose_middle"]) == (pytest.approx(0.75), pytest.approx(0.8))
    # Twenty at none, ten at two and ten at six, the numbers between put together with the next that somebody attended.
    assert found.sessions.table["n_used"].tolist() == [20, 10, 10]
    assert found.sessions.table["x"].tolist() == [0.0, 1.5, 4.5]
    assert found.sessions.table["y"].tolist() == pytest.approx([0.5, 0.125, 0.0625])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=10, max_size=300))
def test_every_band_holds_ten_pupils_and_nobody_is_lost(sessions):
    found = outcome_dose.bands(np.array(sessions, dtype=float))
    assert sum(n for _, _, n in found) == len(sessions)
    assert min(n for _, _, n in found) >= 10
    assert all(low <= high for low, high, _ in found)


def test_schools_are_a_spread_without_names():
    found = section(attended(schools=60))
    rng = np.random.default_rng(0)
    table = by_term(found.schools)
    assert (table["school_low"] <= table["school_middle"]).all() and (
        table["school_middle"] <= table["school_high"]
    ).all()
    people = attended(schools=60).assign(sessions=lambda rows: rows["sessions"].where(rows["sessions"].isna(), 3))
    # Schools that truly differ in fidelity keep most of their spread, whatever their pupils' own.
    means = dict(zip(people["school_pid"].unique(), rng.normal(0.6, 0.1, 60), strict=True))
    people["fidelity"] = (people["school_pid"].map(means) + rng.normal(0, 0.05, len(people))).clip(0, 1)
    spread = by_term(section(people).schools).loc["dose_school_fidelity"]
    # From the tenth to the ninetieth of a hundred: 2 * 1.28 deviations of .1.
    assert spread["school_high"] - spread["school_low"] == pytest.approx(0.256, abs=0.09)
    for name in DRAWN:
        drawn = getattr(found, name)
        if not isinstance(drawn, Refused):
            assert not any("school_pid" in column or column == "school" for column in drawn.table)
            assert not drawn.table.astype(str).isin([f"s{at}" for at in range(60)]).to_numpy().any()


# --- what it did -------------------------------------------------------------------------------------------------------
def test_the_effect_on_those_who_took_part_lies_in_its_interval():
    found = section(attended(), attended_from=3)
    table, stage = by_term(found.complier), by_term(found.uptake)
    row = table.loc["dose_complier"]
    assert row["conf_low"] < EFFECT < row["conf_high"] < 0
    # The ratio of the two effects of the offer, on the outcome and on taking part.
    ratio = stage.loc["dose_offer", "estimate"] / stage.loc["dose_uptake", "estimate"]
    assert row["estimate"] == pytest.approx(ratio, rel=1e-9)
    assert stage.loc["dose_uptake", "conf_low"] < TAKEN < stage.loc["dose_uptake", "conf_high"]
    assert stage.loc["dose_first_stage", "estimate"] > 10
    wide = table.loc["dose_anderson_rubin"]
    assert wide["conf_low"] < EFFECT < wide["conf_high"]
    assert check(found, "without the programme took part").passed is None
    assert "supposed that they attended none" in said(found.reading)


def test_those_without_the_programme_who_came_are_seen_and_allowed_for():
    found = section(attended(crossed=0.2), attended_from=3)
    assert check(found, "without the programme took part").passed is False
    assert "less far apart than planned" in said(found.reading)
    row = by_term(found.complier).loc["dose_complier"]
    assert row["conf_low"] < EFFECT < row["conf_high"]
    assert by_term(found.uptake).loc["dose_uptake", "estimate"] == pytest.approx(TAKEN - 0.2, abs=0.06)


def test_records_of_none_show_that_nobody_crossed():
    people = attended(crossed=0.2)
    people.loc[people["arm"] == "control", "sessions"] = 0.0
    found = section(people, attended_from=3)
    assert check(found, "without the programme took part").passed is True
    assert "nobody attended as many" in said(found.reading)


def test_more_sessions_go_with_the_outcome_and_are_never_called_an_effect():
    people = attended()
    # No session does anything; whoever is worse off, beyond what the baseline shows, attends more.
    rng = np.random.default_rng(9)
    cause = rng.normal(size=len(people))
    people["sessions"] = np.where(people["arm"] == "intervention", np.clip(np.round(4 + 1.5 * cause), 0, 8), np.nan)
    people["y_post"] = people["y_pre"] + 3 * cause + rng.normal(0, 2, len(people))
    found = section(people)
    row = by_term(found.slope).loc["dose_slope"]
    assert row["conf_low"] > 1, "the confounded slope is far from the truth of nought"
    assert check(found, "Sessions were allocated").passed is False
    assert "no effect of a session" in said(found.reading)
    assert found.levels.table["n_used"].min() >= 10


def test_every_name_stands_in_the_vocabulary():
    found = section(attended(crossed=0.2), attended_from=3)
    for name in DRAWN:
        assert len(PUBLIC.frame(getattr(found, name).to_frame(), where=name))


# --- what it refuses ---------------------------------------------------------------------------------------------------
def codes(found, *names: str) -> set[str]:
    return {getattr(found, name).code for name in names or DRAWN}


def test_a_panel_and_a_source_without_sessions():
    assert codes(section(pd.DataFrame())) == {"other_design"}
    people = attended()
    for without in (people.drop(columns="sessions"), people.assign(sessions=np.nan)):
        found = section(without)
        assert codes(found) == {"no_sessions"} and found.checks == found.reading == []
    assert "column sessions" in said([found.slope.what_to_collect])


@pytest.mark.parametrize("design", ["above_cutoff", "matched", "staggered"])
def test_without_lots_nobody_is_a_complier(design):
    found = section(attended(), design=design)
    assert codes(found, "uptake", "complier") == {"not_randomised"}
    assert not isinstance(found.attended, Refused)


def test_those_who_waited_are_served_later():
    found = section(attended(crossed=0.3), design="wait_list", attended_from=3)
    assert codes(found, "uptake", "complier") == {"served_later"}
    assert check(found, "without the programme took part").passed is None
    assert "carry no date" in said(found.reading)


def test_where_everybody_came_the_offer_says_it_all():
    people = attended()
    people.loc[people["arm"] == "intervention", "sessions"] = 5.0
    found = section(people)
    assert codes(found, "uptake", "complier") == {"all_took_part"}
    # Sessions that do not differ cannot be related to anything.
    assert codes(found, "slope", "levels") == {"design"}


def unlike_records(seed: int = 8) -> pd.DataFrame:
    """The worse off stay away, only those who came were written down, and the programme does nothing."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(40), 50)
    offered, own = school % 2, rng.normal(size=2000)
    before = 20 + 3 * own + rng.normal(0, 3, 2000)
    came = (offered == 1) & (rng.random(2000) < 1 / (1 + np.exp(1.5 * own)))
    return pd.DataFrame({
        "school_pid": [f"s{at}" for at in school], "arm": np.where(offered == 1, "intervention", "control"), "y_pre": before,
        "y_post": 10 + 0.3 * before + 4 * own + rng.normal(0, 0.5, 40)[school] + rng.normal(0, 3, 2000),
        "sessions": np.where(came, rng.integers(1, 9, 2000), np.nan),
    })  # fmt: skip


@pytest.mark.parametrize("least", [1, 3])
def test_who_was_written_down_makes_no_compliers(least):
    found = section(unlike_records(), attended_from=least)
    assert codes(found, "uptake", "complier") == {"unrecorded"}
    assert "of those with the programme have one: the others may have attended none" in said(found.reading)
    # With a 0 for each who stayed away the effect is there, and nought.
    whole = unlike_records().assign(
        sessions=lambda rows: rows["sessions"].mask(rows["sessions"].isna() & (rows["arm"] == "intervention"), 0.0)
    )
    found = section(whole, attended_from=least)
    row = by_term(found.complier).loc["dose_complier"]
    assert row["conf_low"] < 0 < row["conf_high"] and "have one" not in said(found.reading)


def test_controls_of_whom_only_those_who_came_were_written_down():
    people = attended(crossed=0.2)
    people.loc[(people["arm"] == "control") & (people["sessions"] < 3), "sessions"] = np.nan
    assert codes(section(people, attended_from=3), "uptake", "complier") == {"unrecorded"}
    # A few records lost leave the arms nearly as the lots made them.
    few = attended(crossed=0.2)
    few.loc[few.index % 30 == 0, "sessions"] = np.nan
    assert not isinstance(section(few, attended_from=3).complier, Refused)


def test_nobody_came():
    people = attended()
    people.loc[people["arm"] == "intervention", "sessions"] = 0.0
    assert codes(section(people), "uptake", "complier") == {"one_kind"}


def test_a_weak_first_stage_gives_the_set_and_no_effect():
    found = section(attended(taken=0.06), attended_from=3)
    assert found.complier.code == "little_difference_in_uptake"
    assert by_term(found.uptake).loc["dose_uptake", "estimate"] < 0.10
    assert "Anderson and Rubin" in said(found.reading)


def test_an_unsure_first_stage_gives_no_effect():
    people = attended(schools=8, pupils=20, taken=0.0)
    # All of one served school in four came: a large difference, carried by one school.
    people.loc[people["school_pid"] == "s1", "sessions"] = 5.0
    found = section(people, attended_from=3)
    assert found.complier.code == "weak_first_stage"


def test_few_schools_show_no_spread():
    assert codes(section(attended(schools=12)), "schools", "schools_curve") == {"few_schools"}


def test_without_fidelity_baseline_or_schools():
    people = attended()
    assert codes(section(people.drop(columns="fidelity")), "fidelity") == {"no_fidelity"}
    assert codes(section(people, baseline="", occasions={"post": "post"}), "slope", "levels") == {"no_baseline"}
    alone = section(people.drop(columns="school_pid"), allocated="pupil_pid", design="pupil_rct")
    assert codes(alone, "slope", "levels") == {"no_schools"}


def test_many_numbers_of_sessions_have_a_slope_only():
    people = attended(pupils=100)
    rng = np.random.default_rng(1)
    people["sessions"] = np.where(people["arm"] == "intervention", rng.integers(0, 30, len(people)), np.nan)
    found = section(people)
    assert codes(found, "levels") == {"no_levels_of_dose"} and not isinstance(found.slope, Refused)


def test_a_handful_of_records_is_not_shown():
    people = attended()
    people.loc[people.index[200:], "sessions"] = np.nan
    people.loc[people["sessions"].notna().cumsum() > 6, "sessions"] = np.nan
    assert codes(section(people), "sessions", "attended") == {"few_sessions"}


# --- the city ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "refused"), [("intervention_outcomes", "all_took_part"), ("wait_list_outcomes", "served_later")]
)
def test_the_city_records_sessions_of_those_served(small, monkeypatch, name, refused):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_file(ROOT / f"params/demo/{name}.yml", changes={"source": "synthetic:small"})
    data = analysis.load(params)
    found = outcome_dose.section(data, params)
    assert found.complier.code == refused
    # Drawn from 1 to 8 alike, and from a beta distribution with mean .8.
    assert by_term(found.attended).loc["dose_mean_sessions", "estimate"].max() == pytest.approx(4.5, abs=0.3)
    assert by_term(found.fidelity)["estimate"].to_numpy() == pytest.approx(0.8, abs=0.02)
    row = by_term(found.slope).loc["dose_slope"]
    assert row["conf_low"] < 0 < row["conf_high"] or math.isnan(row["conf_low"])
