"""Burden, cost, verdict and answer of a training: against what was made, by hand, and refused where nothing can be said."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import (
    training_answer,
    training_burden,
    training_checklist,
    training_cost,
    training_verdict,
)
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training_burden_supervision import bounds_of, share_of, term_of
from mhlib.analyses.parts.training_cost_certificate import ratio_of_sums
from mhlib.data.synthetic import training, workforce
from mhlib.findings import Estimate, Refused, message
from mhlib.report.disclosure import Gate
from mhlib.report.language import words
from mhlib.report.vocabulary import COLUMNS, TERMS

CITY = {
    "evaluation": "teacher_training", "source": "town", "as_of": "2026-03-20", "seed": 1, "design": "wait_list",
    "assignment_unit": "school_pid", "occasions": {"pre": "pre", "post": "post", "later": "three_months"}, "baseline": "pre",
    "primary": "post", "follow_up": "later", "primary_measure": "knowledge", "measures": ["knowledge"],
    "ranges": {"knowledge": [0, 40]}, "hourly_wage": 60, "prices": [0, 1000, 5000], "named_from_wave": 5,
    "months": {"post": 0, "later": 3}, "planned_on": "2024-08-20",
}  # fmt: skip
FLAT = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "school_rct",
    "assignment_unit": "school_pid", "arms": ["wait", "trained"], "occasions": {"pre": "pre", "post": "post"},
    "baseline": "pre", "primary": "post", "primary_measure": "score", "measures": ["score"],
}  # fmt: skip


@pytest.fixture(scope="module")
def town():
    """Tables of eighty schools as the city makes them, with interviews of every pupil in two schools."""
    school = pd.DataFrame({"school_pid": [f"S{at:03d}" for at in range(80)], "size_weight": 1.0})
    made = workforce.teachers(5, school, 40_000)
    trained = workforce.trained_schools(5, school["school_pid"].to_numpy())
    made |= training.training(5, made["teacher"], school, trained)
    made["supervision"] = workforce.supervision(5, made["teacher"])
    level = np.resize(np.array(["P", "P", "J", "S"], object), 80)
    made["school"] = pd.DataFrame({
        "school_pid": school["school_pid"], "name": [f"n{at}" for at in range(80)], "level": level, "area_code": "A1", "urban": True,
        "private": False, "boarding": False, "model_parent_school": False, "size_weight": 1.0, "demo_point": False,
    })  # fmt: skip
    return made


def written(made, root, monkeypatch, **changes):
    (root / "town").mkdir(exist_ok=True)
    for name, frame in made.items():
        frame.to_parquet(root / "town" / f"{name}.parquet")
    monkeypatch.setenv("MHLIB_DATA", str(root))
    params = analysis.Params.from_mapping(CITY | changes, where="test")
    return params, analysis.load(params)


@pytest.fixture(scope="module")
def city(town, tmp_path_factory):
    """Parameters and data of the eighty schools."""
    with pytest.MonkeyPatch.context() as patch:
        yield written(town, tmp_path_factory.mktemp("data"), patch)


@pytest.fixture(scope="module")
def burden(city):
    return training_burden.section(city[1], city[0])


def flat(folder, monkeypatch, gains=(0.0, 6.0), schools=24, seed=7, **changes):
    """One row a teacher: scores about 50, the trained gain as told at each occasion."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), 12)
    base = 50 + rng.normal(0, 6, len(school))
    frame = pd.DataFrame({"teacher_pid": [f"t{at}" for at in range(len(school))], "school_pid": [f"s{at}" for at in school],
                          "arm": np.where(school % 2, "trained", "wait")})  # fmt: skip
    for name, gain in zip((FLAT | changes)["occasions"], gains, strict=True):
        frame[f"score_{name}"] = (base + (school % 2) * gain + rng.normal(0, 2, len(school))).round(2)
    frame.to_csv(folder / "t.csv", index=False)
    monkeypatch.setenv("MHLIB_DATA", str(folder))
    params = analysis.Params.from_mapping(FLAT | changes, where="test")
    return params, analysis.load(params)


def effect(estimate=0.15, error=0.02, df=60.0, n=9000) -> Effect:
    low, high = estimate - 2 * error, estimate + 2 * error
    return Effect(estimate=estimate, std_error=error, conf_low=low, conf_high=high, df=df, p_value=0.01, sd=1.0, g=estimate, g_low=low,
                  g_high=high, n_used=n, n_clusters=129, method=message("made"))  # fmt: skip


def said(messages) -> str:
    return " ".join(words(one, "en", Gate.of("open_data")) for one in messages)


def refusals(section) -> set[str]:
    return {found.code for name in section.__dataclass_fields__ if isinstance(found := getattr(section, name), Refused)}


# One of the three intervals misses nothing at all in every seventh city; this seed is of the other six.
def test_no_burden_is_planted_and_none_is_claimed(burden):
    for name in ("absence", "overtime", "leaving"):
        found = getattr(burden, name)
        assert found.conf_low < 0 < found.conf_high and found.n_clusters == 80
    assert burden.state[0] == "watch" and burden.timed is False
    assert "names months and no year" in said(burden.reading) and "Silence is no proof" in said(burden.reading)
    assert {"term", "estimate", "conf_low", "conf_high", "n_used"} <= set(burden.differences.table)
    assert burden.means.table["n_used"].sum() == 2 * burden.absence.n_used + burden.leaving.n_used


def test_an_interval_of_burden_holds_the_truth_as_often_as_it_says(city, monkeypatch):
    params, data = city
    monkeypatch.setattr(training_burden, "_icc", lambda *given: 0.0)  # only g rests on it
    rng, people, hit, draws = np.random.default_rng(11), training_burden._people(data), 0, 200
    some = people.sample(n=900, random_state=rng)
    school = some["school_pid"].astype("category").cat.codes.to_numpy()
    for _ in range(draws):
        rate = 0.4 * np.exp(rng.normal(0, 0.3, 80))[school] + 0.1 * (some["treated"] == 1)
        found = training_burden._effect(data, params, some.assign(y=rng.poisson(rate).astype(float)))
        hit += found.conf_low < 0.1 < found.conf_high
    assert 0.91 < hit / draws < 0.985


def test_the_difference_is_that_of_the_means(burden):
    means = burden.means.table.set_index(["term", "arm_shown"])["estimate"]
    for name, found in (("burden_absence", burden.absence), ("burden_leaving", burden.leaving)):
        assert found.estimate == pytest.approx(means[name, "arm_trained"] - means[name, "arm_untrained"])


def test_more_absence_of_the_trained_is_found_and_is_bad(town, tmp_path, monkeypatch):
    arm = town["training_score"].drop_duplicates("teacher_pid").set_index("teacher_pid")["arm"]
    made = dict(town)
    more = (made["workload"]["teacher_pid"].map(arm) == "training").astype("int8")
    made["workload"] = made["workload"].assign(days_absent=made["workload"]["days_absent"] + more)
    params, data = written(made, tmp_path, monkeypatch)
    found = training_burden.section(data, params)
    assert found.absence.conf_low < 1 < found.absence.conf_high and found.absence.conf_low > 0.5
    assert (
        found.state[0] == "bad"
        and training_verdict.states(result(data, params, burden=found), params)["harms"] == "bad"
    )


def test_several_months_of_a_teacher_count_once(town, tmp_path, monkeypatch, burden):
    made = town | {"workload": pd.concat([town["workload"], town["workload"].assign(month=np.int8(11))])}
    params, data = written(made, tmp_path, monkeypatch)
    found = training_burden.section(data, params)
    assert found.absence.n_used == burden.absence.n_used
    assert found.absence.std_error == pytest.approx(burden.absence.std_error)


def test_who_left_before_the_first_event_is_not_counted(city, burden):
    params, data = city
    left, first = data.data.table("leaver"), data.data.table("training_event")["held_on"].min()
    before = set(left.loc[left["left_on"] < first, "teacher_pid"])
    people = data.teachers["teacher_pid"]
    assert burden.leaving.n_used == (~people.isin(before)).sum() < len(people)
    assert training_burden.leavers(data, params)["y"].sum() == people.isin(set(left["teacher_pid"]) - before).sum()


def test_dropout_counts_who_never_came_and_who_came_too_early(town, tmp_path, monkeypatch, burden):
    table = burden.dropout.table.set_index("term")
    assert table.loc["dropout_never", "numerator"] == table.loc["dropout_early", "numerator"] == 0
    assert table.loc["dropout_post", "conf_low"] < 0.12 < table.loc["dropout_post", "conf_high"]
    score = town["training_score"].drop_duplicates("teacher_pid")
    stay = score.loc[score["arm"] == "training", "teacher_pid"].head(40)
    early = score.loc[score["arm"] == "wait_list", "teacher_pid"].head(25)
    enrolment = town["training_enrolment"]
    enrolment = enrolment[~enrolment["teacher_pid"].isin(stay)]
    added = pd.DataFrame({"event_pid": enrolment["event_pid"].iloc[0], "teacher_pid": early.to_numpy()})
    params, data = written(town | {"training_enrolment": pd.concat([enrolment, added])}, tmp_path, monkeypatch)
    table = training_burden.dropout(data, params).table.set_index("term")
    assert table.loc["dropout_never", "numerator"] == 40 and table.loc["dropout_early", "numerator"] == 25


def test_terms_begin_in_august_and_february():
    days = pd.Series(pd.to_datetime(["2025-09-10", "2026-01-31", "2026-02-01", "2026-07-31", "2026-08-01"]))
    autumn = term_of(days)
    assert list(autumn - autumn[0]) == [0, 0, 1, 1, 2]
    assert all(low <= day <= high for day, (low, high) in zip(days, map(bounds_of, autumn), strict=True))


def test_supervision_is_of_every_psychology_teacher_in_post(city, burden):
    _, data = city
    teacher, sessions = data.data.table("teacher"), data.data.table("supervision")
    psychology = teacher[teacher["role"].isin(["psych_ft", "psych_pt"])]
    gone = data.data.table("leaver").query("left_on <= '2025-09-15'")["teacher_pid"]
    there = psychology[~psychology["teacher_pid"].isin(gone) & (psychology["hired_on"] <= "2025-09-15")]
    autumn = sessions[(sessions["date"] >= "2025-08-01") & (sessions["date"] < "2026-02-01")]
    row = burden.supervision.table.iloc[0]
    assert row["denominator"] == len(there)
    assert row["numerator"] == there["teacher_pid"].isin(autumn["teacher_pid"]).sum()
    mine = autumn[autumn["teacher_pid"].isin(there["teacher_pid"])]["hours"].sum()
    assert burden.supervision_hours.table.iloc[0]["estimate"] == pytest.approx(mine / len(there))
    assert said([burden.supervision.table.iloc[1]["school_term_said"]]) == "spring 2026, so far"


def test_a_share_of_four_schools_has_no_interval_and_one_of_five_has():
    event = pd.Series([1, 0, 0, 1, 1] * 2 + [0, 1, 1, 0, 0] * 2)
    event.iloc[[0, 1]] = 0, 1
    four, five = (share_of(event, pd.Series(np.resize(np.arange(n), 20)), 0.95) for n in (4, 5))
    assert math.isnan(four["conf_low"]) and four["estimate"] == 0.5 and four["numerator"] == 10
    assert five["conf_low"] < 0.5 < five["conf_high"]
    assert share_of(event, None, 0.95)["conf_low"] > 0.25


def test_three_schools_an_arm_give_differences_without_interval(town, tmp_path, monkeypatch):
    six = town["training_score"].drop_duplicates("school_pid").groupby("arm").head(3)["school_pid"]
    score = town["training_score"]
    params, data = written(town | {"training_score": score[score["school_pid"].isin(six)]}, tmp_path, monkeypatch)
    found = training_burden.section(data, params)
    assert math.isnan(found.absence.conf_low) and math.isnan(found.absence.g_low) and found.state[0] == "unknown"
    assert found.compared.code == "few_degrees_of_freedom" and "Too few units" in said(found.reading)
    assert found.differences.lacking[0] is found.absence.p_refused.why


def test_next_steps_stand_in_the_order_of_names_and_not_of_figures(burden):
    table = burden.by_level.table
    assert list(dict.fromkeys(table["group"])) == ["level_P", "level_J", "level_S"]
    assert burden.by_district.code == "no_district" and len(burden.actions) == 3
    train = table[table["term"] == "next_train"]
    assert f"train the {train['numerator'].sum():,} of {train['denominator'].sum():,}" in said(burden.actions)


def test_districts_stand_where_the_register_names_them(town, tmp_path, monkeypatch):
    params, data = written(town, tmp_path, monkeypatch)
    school = data.data.tables["school"]
    data.data.tables["school"] = school.assign(district=np.resize(np.array(["west", "east"], object), len(school)))
    table = training_burden.section(data, params).by_district.table
    assert list(dict.fromkeys(table["group"])) == ["east", "west"]
    assert table[table["term"] == "next_train"]["denominator"].sum() == len(data.teachers)


@pytest.mark.parametrize(
    ("gone", "field", "code"),
    [("workload", "absence", "no_table"), ("leaver", "leaving", "no_table"), ("training_enrolment", "dropout", "no_table"),
     ("supervision", "supervision", "no_table"), ("school", "by_level", "no_table")],
)  # fmt: skip
def test_a_table_that_is_lacking_is_named(town, tmp_path, monkeypatch, gone, field, code):
    params, data = written({name: frame for name, frame in town.items() if name != gone}, tmp_path, monkeypatch)
    found = getattr(training_burden.section(data, params), field)
    assert found.code == code and found.why.values["name"] == gone


def test_workload_of_others_or_of_one_arm_or_without_spread_gives_no_difference(town, tmp_path, monkeypatch):
    made = town | {"workload": town["workload"].assign(teacher_pid="T_else")}
    params, data = written(made, tmp_path, monkeypatch)
    assert training_burden.section(data, params).absence.code == "no_burden_of_the_tested"
    params, data = written(town | {"workload": town["workload"].assign(days_absent=0)}, tmp_path, monkeypatch)
    assert training_burden.section(data, params).absence.code == "burden_alike"


def test_no_supervision_yet_and_no_psychology_teacher(town, tmp_path, monkeypatch):
    params, data = written(town, tmp_path, monkeypatch, as_of="2025-06-30")
    assert training_burden.section(data, params).supervision.code == "no_supervision_yet"
    params, data = written(town | {"teacher": town["teacher"].assign(role="subject")}, tmp_path, monkeypatch)
    assert training_burden.section(data, params).supervision.code == "no_psychology_teachers"


def test_before_and_after_alone_shows_no_harm_and_no_safety(city, monkeypatch):
    params, data = city
    import dataclasses

    alone = dataclasses.replace(data, design="before_after")
    found = training_burden.section(alone, params)
    assert found.absence.code == "no_comparison" and found.state[0] == "unknown"


def test_a_file_of_scores_alone_is_refused_throughout(tmp_path, monkeypatch):
    params, data = flat(tmp_path, monkeypatch)
    found = training_burden.section(data, params)
    assert refusals(found) == {"no_table"} and found.state[0] == "unknown" and "no table" in said(found.reading)
    cost = training_cost.section(data, params)
    assert (
        cost.costs.code == "no_costs" and cost.referral.code == "no_costs" and cost.certificate_hours.code == "no_table"
    )
    assert cost.refresher.code == "no_follow_up"


def test_costs_by_hand(tmp_path, monkeypatch):
    schools = 20
    teacher = pd.DataFrame({"teacher_pid": [f"T{at}" for at in range(40)], "school_pid": [f"S{at % schools}" for at in range(40)],
                            "role": "subject", "hired_on": pd.Timestamp("2015-09-01")})  # fmt: skip
    arm = np.where(np.arange(40) % 2, "training", "wait_list")
    scores = pd.concat([
        teacher[["teacher_pid", "school_pid"]].assign(arm=arm, occasion=name, knowledge=np.arange(40) % 7 + 10 + at, stigma=1,
                                                      helping=1, help_seeking=1, confidence=3, vignettes_right=5)
        for at, name in enumerate(("pre", "post", "three_months"))
    ])  # fmt: skip
    trained = teacher.loc[arm == "training", "teacher_pid"].to_numpy()
    event = pd.DataFrame({"event_pid": ["A", "B", "C", "D"], "topic": "class_meeting", "tier": "city", "hours": [4, 8, 4, 4],
                          "cost": [1000.0, 600.0, 400.0, 9e6],
                          "held_on": pd.to_datetime(["2024-10-01", "2024-10-02", "2024-10-03", "2027-01-01"])})  # fmt: skip
    enrolment = pd.DataFrame(
        {"event_pid": ["A"] * 10 + ["B"] * 3, "teacher_pid": [*trained[:10], *trained[:2], "T_else"]}
    )
    made = {"teacher": teacher, "training_score": scores, "training_event": event, "training_enrolment": enrolment}
    params, data = written(made, tmp_path, monkeypatch, cost_per_teacher=5)
    spent = training_cost.spending(data, params)
    # Eleven enrolled: events 2,000 (one without anybody, one still to come left out), 10 x 4 h + 3 x 8 h at 60, 5 each.
    assert (spent.events, spent.time, spent.other, spent.enrolled) == (2000, 64 * 60, 55, 11)
    assert (spent.outside, spent.empty) == (1, 1)
    both, one = 100 + 200 + 400 / 11 + 12 * 60 + 5, 100 + 400 / 11 + 4 * 60 + 5
    rows = training_cost.section(data, params).costs.table.set_index("term")
    assert rows.loc["cost_came", "estimate"] == pytest.approx((2 * both + 8 * one) / 10)
    assert rows.loc["cost_teacher", "estimate"] == pytest.approx((2 * both + 8 * one) / 20)
    assert rows.loc["cost_all", "estimate"] == 2000 + 64 * 60 + 55


def test_the_sums_of_the_city_are_those_of_its_tables(city):
    params, data = city
    cost = training_cost.section(data, params)
    rows = cost.costs.table.set_index("term")
    event = data.data.table("training_event")
    assert rows.loc["cost_events", "estimate"] == pytest.approx(event["cost"].sum())
    assert (
        rows.loc["cost_teacher", "conf_low"]
        < rows.loc["cost_teacher", "estimate"]
        < rows.loc["cost_teacher", "conf_high"]
    )
    assert cost.certificate.code == "no_certificate_since" and cost.referral.code == "no_behaviour_effect"
    hours = cost.certificate_hours.table.set_index(["group", "term"])
    early, whole = (hours.loc[("hours_certificate_C", f"cost_year_{name}"), "estimate"] for name in ("so_far", "whole"))
    # 24 hours at 60 yuan, over eight years less those that a few lost by leaving.
    assert 24 * 60 / 8 < whole < 24 * 60 / 7.5 and early > whole


def test_certificates_since_the_training_carry_its_cost(town, tmp_path, monkeypatch):
    certificate = town["certificate"].assign(issued=pd.Timestamp("2025-03-20"), expires=pd.Timestamp("2033-03-20"))
    certificate = certificate[certificate["level"] == "C"]
    nobody = town["leaver"].iloc[:1].assign(teacher_pid="T_else")
    params, data = written(town | {"certificate": certificate, "leaver": nobody}, tmp_path, monkeypatch)
    cost = training_cost.section(data, params)
    row, spent = cost.certificate.table.iloc[0], training_cost.spending(data, params)
    held = spent.people["teacher_pid"].isin(certificate["teacher_pid"]).sum() * 365 / 365.25
    assert row["estimate"] == pytest.approx(spent.people["cost"].sum() / held)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_no_wage_counts_hours_as_nothing_and_says_so(town, tmp_path, monkeypatch):
    params, data = written(town, tmp_path, monkeypatch, hourly_wage=None)
    cost = training_cost.section(data, params)
    assert "cost_time" not in set(cost.costs.table["term"]) and "counted as nothing" in said(cost.reading)
    assert cost.certificate_hours.code == "no_wage"


def test_costs_stated_a_teacher_stand_in_for_events(tmp_path, monkeypatch):
    params, data = flat(tmp_path, monkeypatch, cost_per_teacher=300, hours=8, hourly_wage=50)
    rows = training_cost.section(data, params).costs.table.set_index("term")
    assert rows.loc["cost_teacher", "estimate"] == 700 and math.isnan(rows.loc["cost_teacher", "conf_low"])
    assert rows.loc["cost_all", "estimate"] == 700 * 144


def test_a_ratio_of_sums_covers_its_truth():
    rng = np.random.default_rng(5)
    hit, draws = 0, 200
    for _ in range(draws):
        school = np.repeat(np.arange(40), 6)
        years = np.clip(4 + rng.normal(0, 0.7, 40)[school] + rng.normal(0, 1, 240), 0.1, None)
        cost = 500 * years + rng.normal(0, 200, 40)[school] + rng.normal(0, 300, 240)
        found = ratio_of_sums(pd.Series(cost), pd.Series(years), pd.Series(school), 0.95)
        hit += found.conf_low < 500 < found.conf_high
    assert 0.91 < hit / draws < 0.985


def test_a_ratio_of_two_schools_is_refused():
    one = pd.Series([1.0, 2.0, 3.0, 4.0])
    assert ratio_of_sums(one, one + 1, pd.Series(["a", "a", "b", "b"]), 0.95).code == "few_degrees_of_freedom"


def interviews(data, probability=0.5, n=400) -> pd.DataFrame:
    school = data.teachers.loc[data.teachers["treated"] == 1, "school_pid"].unique()
    other = data.teachers.loc[data.teachers["treated"] == 0, "school_pid"].unique()
    rows = {"school_pid": np.r_[np.resize(school, n), np.resize(other, n)], "wave": np.resize([4, 5, 6, 6], 2 * n),
            "probability": probability, "case": np.resize([True, True, False], 2 * n)}  # fmt: skip
    return pd.DataFrame(rows)


def test_cost_of_a_case_rightly_named_by_hand(city, monkeypatch):
    params, data = city
    made = interviews(data)
    monkeypatch.setattr(type(data.data), "read", lambda self, name, **given: made)
    cost = training_cost.section(data, params, SimpleNamespace(gained=effect()))
    mine = made[made["school_pid"].isin(data.teachers.loc[data.teachers["treated"] == 1, "school_pid"])]
    cases = 2 * (mine["case"] & (mine["wave"] >= 5)).sum()
    assert cost.gained.cases == cases and cost.gained.waves == 2 and cost.gained.number == pytest.approx(0.15 * cases)
    total = training_cost.spending(data, params).total
    assert cost.gained.cost == pytest.approx(total / (0.15 * cases))
    assert cost.gained.cost_low == pytest.approx(total / cost.gained.high)
    assert cost.gained.cost_high == pytest.approx(total / cost.gained.low)
    worth = cost.net_benefit.table.set_index("case_price")["estimate"]
    assert worth[0] == pytest.approx(-total) and worth[1000] == pytest.approx(1000 * 0.15 * cases - total)


def test_no_cost_for_one_more_where_there_may_be_none(city, monkeypatch):
    params, data = city
    monkeypatch.setattr(type(data.data), "read", lambda self, name, **given: interviews(data))
    cost = training_cost.section(data, params, SimpleNamespace(gained=effect(error=0.10)))
    assert (
        cost.referral.code == "gain_not_shown" and isinstance(cost.net_benefit, Drawn) and math.isnan(cost.gained.cost)
    )
    few = training_cost.section(data, params, SimpleNamespace(gained=effect(df=3.0)))
    assert few.referral.code == "few_degrees_of_freedom"
    refused = Refused("made", message("made"), message("Nothing."))
    assert training_cost.section(data, params, SimpleNamespace(gained=refused)).referral is refused


def test_no_wave_no_interviews_no_case_no_price(city, monkeypatch):
    params, data = city
    some = SimpleNamespace(gained=effect())
    assert (
        training_cost.section(data, params.model_copy(update={"named_from_wave": None}), some).referral.code
        == "no_wave"
    )
    assert training_cost.section(data, params, some).referral.code == "no_table"
    monkeypatch.setattr(type(data.data), "read", lambda self, name, **given: interviews(data).assign(case=False))
    assert training_cost.section(data, params, some).referral.code == "no_cases"
    monkeypatch.setattr(type(data.data), "read", lambda self, name, **given: interviews(data))
    assert training_cost.section(data, params.model_copy(update={"prices": []}), some).net_benefit.code == "no_prices"


def test_nobody_enrolled_costs_nothing_that_could_be_named(town, tmp_path, monkeypatch):
    params, data = written(town, tmp_path, monkeypatch, as_of="2024-01-01")
    assert training_cost.section(data, params).costs.code == "no_enrolment"


LATER = {"occasions": {"pre": "pre", "post": "post", "three": "three", "six": "six", "year": "year"}, "follow_up": "three",
         "months": {"post": 0, "three": 3, "six": 6, "year": 12}}  # fmt: skip


def test_two_tests_after_the_training_show_no_decay(city):
    params, data = city
    assert training_cost.section(data, params).refresher.code == "too_few_measurements"


def test_four_tests_give_the_months_until_the_gain_is_small(tmp_path, monkeypatch):
    gains = [0.0, *(8 * np.exp(-0.15 * np.array([0, 3, 6, 12])))]
    params, data = flat(tmp_path, monkeypatch, gains, schools=60, **LATER)
    cost = training_cost.section(data, params)
    table = cost.refresher.table.set_index("group")
    truth = math.log(8 / (0.2 * data.sd)) / 0.15
    assert table.loc["decay_exponential", "conf_low"] < truth < table.loc["decay_exponential", "conf_high"]
    assert {"x", "y", "low", "high", "n_used"} <= set(cost.decay.table) and cost.decay.table["x"].max() == 12
    assert table["n_used"].eq(720).all()
    assert "do not follow this shape: loses the same amount" in said(cost.refresher.lacking)


def test_a_gain_that_never_was_needs_no_refresher(tmp_path, monkeypatch):
    params, data = flat(tmp_path, monkeypatch, (0, 0, 0, 0, 0), **LATER)
    assert training_cost.section(data, params).refresher.code in {"at_the_floor_already", "design"}


def result(data, params, **slots):
    return SimpleNamespace(
        **{
            name: getattr(found, name)
            for found in [analysis.estimate(data, params)]
            for name in ("design", "flow", "learning")
        }
        | slots
    )


@pytest.fixture(scope="module")
def bare(city):
    return result(city[1], city[0])


def test_without_other_sections_their_levels_are_not_known(city, bare):
    params = city[0]
    states = training_verdict.states(bare, params)
    assert {name for name, state in states.items() if state != "unknown"} == {"learning", "kept"}
    lights = training_verdict.lights(bare, params)
    assert lights[0].finding is training_verdict.REACTION and len(lights) == 15
    table = training_verdict.grades(bare, params).table
    assert list(table["evidence_grade"]) == [0, 4, 4, 0, 0, 0, 0, 0, 0, 0]
    text = said(training_answer.sentences(bare, params))
    assert "Nothing can be said of: what teachers thought of it (reaction), how they judge cases" in text
    assert "Knowing is not doing" in text and text.endswith("how good a single teacher, trainer or school is.")


def coverage(low, high) -> Drawn:
    rows = [("certificate_C", "among_all", 0.94, low, high), ("certificate_B", "among_all", 0.02, 0.01, 0.03)]
    table = pd.DataFrame(rows, columns=["group", "subgroup", "estimate", "conf_low", "conf_high"])
    return Drawn(table=table.assign(denominator=1000, n_used=1000))


@pytest.mark.parametrize(
    ("section", "field", "value", "level", "state"),
    [
        ("skill", "gained", effect(0.5, 0.1), "skill", "good"),
        ("skill", "gained", effect(-0.5, 0.1), "skill", "bad"),
        ("behaviour", "gained", effect(0.1, 0.1), "behaviour", "watch"),
        ("pupils", "effect", effect(-0.2, 0.05), "pupils", "good"),
        ("pupils", "effect", effect(0.2, 0.05), "pupils", "bad"),
        ("pupils", "effect", effect(0.0, 0.05), "pupils", "watch"),
        ("pupils", "effect", effect(0.0, 0.01), "pupils", "bad"),
        ("cascade", "share", effect(0.61, 0.02), "cascade", "good"),
        ("cascade", "share", effect(0.30, 0.02), "cascade", "bad"),
        ("cascade", "share", effect(0.50, 0.02), "cascade", "watch"),
        ("reach", "coverage", coverage(0.92, 0.96), "reach", "good"),
        ("reach", "coverage", coverage(0.85, 0.96), "reach", "watch"),
        ("skill", "gained", effect(math.nan, 0.1), "skill", "unknown"),
        ("skill", "gained", Refused("made", message("made"), message("Nothing.")), "skill", "unknown"),
    ],
)
def test_each_light_keeps_its_rule(city, bare, section, field, value, level, state):
    one = SimpleNamespace(**vars(bare) | {section: SimpleNamespace(**{field: value})})
    assert training_verdict.states(one, city[0])[level] == state
    grade, lowered = training_verdict.grade_of(one, level)
    assert (grade == 0) == (state == "unknown") and (lowered or grade == 5)


@pytest.mark.parametrize(("number", "state"), [(4000.0, "good"), (6000.0, "watch")])
def test_cost_is_held_against_the_highest_price_and_never_bad(city, bare, number, state):
    found = SimpleNamespace(refused=None, cost=number, cost_low=number - 500, cost_high=number + 500, n_used=900)
    one = SimpleNamespace(**vars(bare) | {"cost": SimpleNamespace(gained=found)})
    assert training_verdict.states(one, city[0])["cost"] == state
    assert f"has cost {number:,.0f}" in said(training_answer.sentences(one, city[0]))


def test_grades_fall_by_the_rule(city, bare):
    def graded(level, *, strength="strong", losses="low", units=129, **slots):
        found = effect()
        object.__setattr__(found, "n_clusters", units)
        one = SimpleNamespace(**vars(bare) | {"design": SimpleNamespace(strength=strength), "flow": SimpleNamespace(level=losses),
                                              "behaviour": SimpleNamespace(gained=found), "skill": SimpleNamespace(gained=found),
                                              "cascade": SimpleNamespace(share=found)} | slots)  # fmt: skip
        return training_verdict.grade_of(one, level)[0]

    assert graded("behaviour") == 5 and graded("behaviour", units=12) == 4 and graded("behaviour", strength="weak") == 2
    assert graded("skill", losses="tolerable") == 4 and graded("skill", losses="high") == 1
    assert graded("cascade") == 1 and graded("cascade", strength="none") == 1


def test_the_answer_says_what_each_level_found(city, bare, burden):
    params = city[0]
    full = SimpleNamespace(**vars(bare) | {
        "burden": burden, "skill": SimpleNamespace(gained=effect(0.5, 0.1)), "behaviour": SimpleNamespace(gained=effect()),
        "pupils": SimpleNamespace(effect=effect(0.0, 0.01)), "cascade": SimpleNamespace(share=effect(0.61, 0.02)),
        "reach": SimpleNamespace(coverage=coverage(0.92, 0.96)), "cost": training_cost.section(city[1], params)})  # fmt: skip
    text = said(training_answer.sentences(full, params))
    for words_wanted in ("d' rose by 0.50", "of 100 cases, 15.0", "No effect on pupils is shown",
                         "0.05 standard deviations or more is ruled out", "0.61 (0.57 to 0.65) arrives",
                         "No more burden", "yuan a teacher", "94.0%"):  # fmt: skip
        assert words_wanted in text
    assert (
        "Knowing is not doing" not in text
        and "Nothing can be said of: what teachers thought of it (reaction), cost" in text
    )
    assert text.index("Causal strength") > text.index("yuan a teacher")
    assert training_answer.next_actions(full) == burden.actions


def test_money_in_sentences_has_three_digits():
    assert training_verdict.rounded(12_345.6) == 12_300 and training_verdict.rounded(1756.3) == 1760


def test_every_name_that_is_shown_is_known(city, burden):
    cost = training_cost.section(city[1], city[0])
    for section in (burden, cost):
        for name in section.__dataclass_fields__:
            found = getattr(section, name)
            if isinstance(found, Drawn):
                assert set(found.table) <= set(COLUMNS), name
                for column in {"term", "group", "arm_shown"} & set(found.table):
                    assert set(found.table[column]) <= set(TERMS), name


@pytest.mark.parametrize("randomised", [True, False])
def test_the_checklist_of_the_levels_follows_that_of_the_trial(randomised):
    items = training_checklist.checklist(randomised=randomised, levels=True)
    assert [item.number for item in items] == [str(at) for at in range(1, 37)]
    assert all(item.section or item.lacking for item in items)
    assert {item.section for item in items[27:]} >= {
        "What it cost",
        "When to refresh",
        "What it may have cost teachers",
    }


def test_an_estimate_of_few_people_is_hidden_from_the_public(bare, city):
    one = SimpleNamespace(**vars(bare) | {"skill": SimpleNamespace(gained=effect(0.5, 0.1, n=5))})
    light = next(one for one in training_verdict.lights(one, city[0]) if one.name.template == "They judge cases better")
    assert isinstance(light.finding.values["value"], Estimate)
    assert "0.5" not in words(light.finding, "en", Gate.of("public"))
