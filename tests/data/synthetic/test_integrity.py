"""Every table whole: no child without its parent, keys unique, dates in order, the truth apart."""

import pandas as pd
import pytest

PARENTS = {
    "area_code": "area", "school_pid": "school", "class_pid": "class", "pupil_pid": "pupil",
    "household_pid": "household", "teacher_pid": "teacher", "grid_pid": "heart_grid", "case_pid": "case",
    "event_pid": "training_event", "parent_event_pid": "parent_event",
}  # fmt: skip
KEYS = {
    "area": ["area_code"], "school": ["school_pid"], "class": ["class_pid", "year"], "pupil": ["pupil_pid"],
    "household": ["household_pid"], "teacher": ["teacher_pid"], "enrolment": ["pupil_pid", "wave"],
    "response": ["pupil_pid", "wave"], "assessment": ["pupil_pid", "wave"], "case": ["case_pid"],
    "event": ["case_pid", "kind"], "heart_grid": ["grid_pid"], "heart_grid_member": ["pupil_pid"],
    "parent_event": ["parent_event_pid"], "parent_attendance": ["parent_event_pid", "household_pid"],
    "training_event": ["event_pid"], "training_score": ["teacher_pid", "occasion"],
    "training_enrolment": ["event_pid", "teacher_pid"], "outcome": ["pupil_pid", "design", "occasion"],
    "dose": ["pupil_pid", "design"], "nomination": ["pupil_pid", "wave"], "certificate": ["teacher_pid", "level"],
    "calendar": ["date"], "assumption": ["parameter"], "lesson_log": ["class_pid", "term", "teaching_week"],
    "standard": ["school_pid", "standard"], "judicial_monthly": ["month", "group"], "survey": ["pupil_pid", "wave"],
    "room_schedule": ["school_pid", "date"], "post": ["school_pid", "year"], "platform_upload": ["case_pid"],
    "intervention": ["design", "group_pid"], "leaver": ["teacher_pid"], "claim": ["claim"],
}  # fmt: skip


@pytest.fixture(scope="module")
def tables(small):
    return {name: small.table(name) for name in small.manifest.tables}


def test_no_child_without_a_parent(tables):
    known = {key: set(tables[parent][key]) for key, parent in PARENTS.items()}
    orphans = {
        (name, key): int((~table[key].isin(known[key])).sum())
        for name, table in tables.items()
        for key in PARENTS
        if key in table and not table[key].isin(known[key]).all()
    }
    assert not orphans
    assert tables["heart_grid"]["mentor_pid"].isin(known["teacher_pid"]).all()
    groups = tables["intervention"]
    by_class = groups["design"] == "wait_list"
    assert groups.loc[by_class, "group_pid"].isin(known["class_pid"]).all()
    assert groups.loc[~by_class, "group_pid"].isin(known["school_pid"]).all()


@pytest.mark.parametrize("name", sorted(KEYS))
def test_keys_are_unique(tables, name):
    assert not tables[name].duplicated(KEYS[name]).any()


def test_nothing_is_missing_but_what_may_be(tables):
    may = {("intervention", "start_term"), ("outcome", "running"), ("standard", "spot_check"), ("episode", "ended_on")}
    answers = ("phq_9_", "gad_7_", "ces_dc_", "who_5_")
    empty = {
        (name, column)
        for name, table in tables.items()
        for column in table
        if table[column].isna().any() and not column.startswith(answers)
    }
    assert empty <= may


def test_pupils_answer_where_they_are_enrolled(tables):
    both = tables["response"].merge(tables["enrolment"], on=["pupil_pid", "wave"], suffixes=("", "_roll"))
    assert len(both) == len(tables["response"])
    for column in ("school_pid", "class_pid", "grade"):
        assert (both[column] == both[f"{column}_roll"]).all()


def test_class_sizes_are_those_of_the_roll(tables):
    first = tables["enrolment"][tables["enrolment"]["wave"] == 1].groupby("class_pid").size()
    listed = tables["class"][tables["class"]["year"] == 2023].set_index("class_pid")["size"]
    pd.testing.assert_series_equal(first.sort_index(), listed.sort_index(), check_names=False, check_dtype=False)


def test_only_those_who_answered_are_interviewed_and_only_the_assessed_at_risk_become_cases(tables):
    both = tables["assessment"].merge(
        tables["response"][["pupil_pid", "wave", "answered_on"]], on=["pupil_pid", "wave"]
    )
    assert len(both) == len(tables["assessment"])
    assert (both["assessed_on"] > both["answered_on"]).all()
    assert len(tables["case"]) == (tables["assessment"]["grade"] > 0).sum()


def test_events_follow_their_case_in_order(tables):
    on = tables["event"].pivot(index="case_pid", columns="kind", values="date")
    opened = tables["case"].set_index("case_pid")["opened"].loc[on.index]
    assert (on.sub(opened, axis=0).stack().dropna() > pd.Timedelta(0)).all()
    assert (on["assessed"] <= on["plan"])[on["plan"].notna()].all()
    for before, after in (("referred", "hospital"), ("hospital", "feedback"), ("feedback", "returned")):
        reached = on[after].notna()
        assert (on.loc[reached, after] > on.loc[reached, before]).all()
    last = pd.Timestamp("2026-07-01")
    assert on.max().max() <= last


def test_answers_stay_in_their_range(tables):
    response = tables["response"]
    for prefix, n, top in (("phq_9", 9, 3), ("gad_7", 7, 3), ("ces_dc", 20, 3), ("who_5", 5, 5)):
        answers = response[[f"{prefix}_{j}" for j in range(1, n + 1)]]
        assert answers.min().min() == 0 and answers.max().max() == top
        assert 0.005 < answers.isna().to_numpy().mean() < 0.015


def test_low_well_being_and_turned_items_go_with_distress(tables):
    response = tables["response"].astype({"phq_9_1": float})
    links = response[["ces_dc_4", "ces_dc_5", "who_5_1"]].astype(float).corrwith(response["phq_9_1"])
    assert links["ces_dc_4"] < -0.2 and links["ces_dc_5"] > 0.2 and links["who_5_1"] < -0.2


def test_no_column_of_the_truth_is_in_the_city(small, tables):
    columns = {column for table in tables.values() for column in table}
    assert not {column for column in columns if column.startswith(("true_", "truth", "latent"))}
    secret = {"theta", "true_case", "careless", "shift", "effect_sd", "sensitivity"}
    assert not columns & secret
    assert not [name for name in tables if name.startswith("truth")]
    assert {path.stem for path in small.truth_folder.iterdir()} >= {"truth_wave", "truth_planted", "truth_effect"}


def test_every_assumption_names_its_source_and_whether_it_is_one(tables):
    table = tables["assumption"]
    assert list(table) == ["parameter", "value", "unit", "source", "is_assumption"]
    assert table["is_assumption"].dtype == bool and (table["source"].str.len() > 0).all()
    assert (~table.loc[table["source"] == "assumed", "is_assumption"] == False).all()  # noqa: E712
    waits = table.loc[table["parameter"].str.startswith("days to"), "is_assumption"]
    assert len(waits) == 7 and waits.all()


def test_the_calendar_knows_terms_and_festivals(tables):
    days = tables["calendar"].set_index("date")
    assert len(days) == 1096
    assert days.loc["2026-02-17", "spring_festival"] and days.loc["2026-02-17", "term"] == 0
    assert days.loc["2024-06-07", "gaokao"] and not days.loc["2023-10-01", "school_day"]
    assert days.loc["2023-09-04", "teaching_week"] == 2 and days.loc["2023-09-01", "teaching_week"] == 1
    answered = small_days(tables)
    assert days.loc[answered, "school_day"].all()


def small_days(tables):
    return pd.DatetimeIndex(tables["response"]["answered_on"].unique())


@pytest.mark.slow
def test_the_city_has_the_size_of_the_document(city):
    rows = city.manifest.tables
    assert rows["school"] == 129 and abs(rows["pupil"] - 154_000) < 5_000
    assert abs(rows["response"] - 780_000 * 0.963) < 8_000
    assert abs(rows["teacher"] - 15_400) < 50 and abs(rows["certificate"] - 15_400) < 400
    assert abs(rows["heart_grid"] - 8_700) < 150
    certificate = city.table("certificate")
    assert abs((certificate["level"] == "C").sum() - 15_000) < 350
    assert (certificate["level"] == "B").sum() == 400 or abs((certificate["level"] == "B").sum() - 400) < 15
