"""What stands beside a wave, and identifiers as real files have them: put together, repeated, or under a foreign name."""

import numpy as np
import pandas as pd
import pytest

from mhlib.data.companions import other_references, other_scores, second_occasion
from mhlib.data.scales import scale
from mhlib.data.screening import load_screening, parts_of
from mhlib.data.sources import open_source
from mhlib.errors import DataError, ParamsError

NONE = {"wave": None, "columns": {}, "tables": {}}


@pytest.fixture
def source(tmp_path):
    """Writes a frame as a file and opens it."""

    def write(frame: pd.DataFrame, name: str = "t.csv"):
        frame.to_csv(tmp_path / name, index=False)
        return open_source(name, data_root=tmp_path)

    return write


def two_scales(n: int = 6) -> pd.DataFrame:
    frame = pd.DataFrame({"pupil_pid": [f"00{row}" for row in range(n)]})
    for number in range(1, 8):
        frame[f"gad_7_{number}"] = np.arange(n) % 4
    for number in range(1, 6):
        frame[f"who_5_{number}"] = np.arange(n) % 6
    return frame


def test_other_scores_by_hand_all_towards_distress(source):
    found = other_scores(source(two_scales()), ["gad_7", "who_5"], **NONE)
    assert found.index.tolist() == ["000", "001", "002", "003", "004", "005"] and list(found) == ["gad_7", "who_5"]
    assert found["gad_7"].tolist() == [7 * (row % 4) for row in range(6)]
    assert found["who_5"].tolist() == [-4 * 5 * (row % 6) for row in range(6)], "wellbeing changes its sign"


def test_a_pupil_without_enough_answers_has_no_other_score(source):
    names = [f"gad_7_{number}" for number in range(1, 6)]
    frame = two_scales().astype(dict.fromkeys(names, "Int64"))
    frame.loc[2, names] = pd.NA
    found = other_scores(source(frame), ["gad_7"], **NONE)["gad_7"]
    assert found.isna().tolist() == [False, False, True, False, False, False]


def test_other_scores_of_the_wave_that_is_asked_for(source):
    both = pd.concat([two_scales().assign(term=1), two_scales().assign(term=2, gad_7_1=3)])
    found = other_scores(source(both), ["gad_7"], wave=2, columns={"wave": "term"}, tables={})
    assert found["gad_7"].iloc[0] == 3 and len(found) == 6


def test_what_is_not_there_or_out_of_range_is_told(source):
    with pytest.raises(DataError, match=r"7 columns are missing: phq_9_8|9 columns are missing: phq_9_1, phq_9_2"):
        other_scores(source(two_scales()), ["phq_9"], **NONE)
    with pytest.raises(DataError, match=r"\(gad_7\)"):
        other_scores(source(two_scales().assign(gad_7_3=9)), ["gad_7"], **NONE)
    with pytest.raises(DataError, match="no codebook named gad"):
        other_scores(source(two_scales()), ["gad"], **NONE)


def graded() -> pd.DataFrame:
    return pd.DataFrame({"pupil_pid": ["1", "2", "3", "4"], "grade": [0, 1, 2, None], "dsm": ["1", "0", None, "1"]})


def test_other_references_by_hand(source):
    found = other_references(
        source(graded()), {"any": "grade", "severe": "grade >= 2", "half": "grade>=0.5", "dsm": "dsm"}, **NONE
    )
    assert found["any"].tolist() == [False, True, True, pd.NA] and found["severe"].tolist() == [
        False,
        False,
        True,
        pd.NA,
    ]
    assert found["half"].tolist() == [False, True, True, pd.NA]
    assert found["dsm"].tolist() == [True, False, pd.NA, True], "no interview is not a non-case"
    assert (found.dtypes == "boolean").all() and found.index.tolist() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("rule", ["grade > 2", "grade == 1", "grade >= two", ">= 2", "", "grade >= 2 and dsm"])
def test_a_rule_that_is_neither_form_is_refused(source, rule):
    with pytest.raises(ParamsError, match="other_references: severe"):
        other_references(source(graded()), {"severe": rule}, **NONE)


def test_a_reference_that_is_not_there_or_no_number(source):
    with pytest.raises(DataError, match="no column dsm_5"):
        other_references(source(graded()), {"x": "dsm_5"}, **NONE)
    with pytest.raises(DataError, match="column dsm: 1 cells are not numbers") as caught:
        other_references(source(graded().assign(dsm=["1", "yes, he said", None, "0"])), {"x": "dsm"}, **NONE)
    assert "he said" not in str(caught.value)


def test_a_reference_in_another_table_of_a_city(small_city):
    city = open_source("synthetic:small", synthetic_root=small_city)
    found = other_references(
        city, {"severe": "assessment.grade >= 2", "any": "assessment.case"}, wave=6, columns={}, tables={}
    )
    wave = load_screening(city, scale=scale("phq_9"), wave=6).frame.set_index("pupil_pid")
    known = found["any"].dropna()
    assert (
        0 < len(known) < len(wave) and (found["severe"].dropna().astype(int) <= found["any"].dropna().astype(int)).all()
    )
    same = wave["reference"].reindex(known.index)
    assert (same == known).all()


def test_the_other_wave_by_pupil(small_city):
    city = open_source("synthetic:small", synthetic_root=small_city)
    again = second_occasion(
        city, scale("phq_9"), 5, columns={}, values={}, items=(), item_offset=0, tables={}, duplicates="refuse"
    )
    assert again.index.is_unique and again["score"].dropna().between(0, 27).all() and "answered_on" in again
    now = load_screening(city, scale=scale("phq_9"), wave=6).frame
    assert len(set(now["pupil_pid"]) & set(again.index)) > 1000


def test_an_offset_of_the_answers_is_added_in_the_other_wave_too(source):
    frame = pd.DataFrame({"pupil_pid": ["1", "2"], "wave": [1, 2], **{f"phq_2_{number}": [1, 4] for number in (1, 2)}})
    again = second_occasion(source(frame), scale("phq_2"), 2, columns={}, values={}, items=(), item_offset=-1, tables={},
                            duplicates="refuse")  # fmt: skip
    assert again["score"].tolist() == [6] and again.index.tolist() == ["2"]


# Identifiers -------------------------------------------------------------------------------------------------------


def twice() -> pd.DataFrame:
    return pd.DataFrame({"pupil_pid": ["1", "2", "1", "3"], "score": [3, 4, 9, 5]})


@pytest.mark.parametrize(("rule", "scores", "repeated"), [("first", [3, 4, 5], 1), ("drop", [4, 5], 2)])
def test_a_pupil_listed_twice_is_counted_and_set_aside(source, rule, scores, repeated):
    found = load_screening(source(twice()), duplicates=rule)
    assert found.frame["score"].tolist() == scores and found.repeated == repeated


def test_a_pupil_listed_twice_is_refused_unless_the_parameters_say_what_to_do(source):
    with pytest.raises(DataError, match=r"pupil_pid.*2 rows occur more than once \(row 2, 4\)"):
        load_screening(source(twice()))


def test_nothing_is_set_aside_where_nobody_stands_twice(source):
    frame = twice().drop(index=2)
    for rule in ("refuse", "first", "drop"):
        assert load_screening(source(frame), duplicates=rule).repeated == 0


def test_an_identifier_put_together_of_two_columns(source):
    frame = pd.DataFrame({"study": ["A", "A", "B"], "id": [1, 2, 1], "total": [3, 4, 5], "dsm": [1, 0, 1]})
    columns = {"pupil_pid": "study + id", "score": "total"}
    found = load_screening(source(frame), columns=columns)
    assert found.frame["pupil_pid"].is_unique and len(found.frame) == 3 and found.repeated == 0
    beside = other_references(source(frame), {"dsm": "dsm"}, wave=None, columns=columns, tables={})
    assert beside.index.tolist() == found.frame["pupil_pid"].tolist(), "both doors make the same identifier"
    assert parts_of("study + id") == ["study", "id"] and parts_of("a+b") == ["a+b"]


def test_a_part_of_an_identifier_that_is_not_there_is_told(source):
    with pytest.raises(DataError, match=r"no column for pupil_pid \(study \+ number\)"):
        load_screening(source(pd.DataFrame({"study": ["A"], "score": [1]})), columns={"pupil_pid": "study + number"})


def test_a_foreign_column_of_an_attribute_s_name_is_read_only_where_it_is_named(source):
    frame = pd.DataFrame(
        {"pupil_pid": ["1", "2"], "score": [1, 2], "urban": ["maybe", "3"], "group": ["甲", "乙"], "place": [1, 0]}
    )
    assert not {"urban", "group"} & set(load_screening(source(frame)).frame)
    named = load_screening(source(frame), columns={"group": "group", "urban": "place"}).frame
    assert named["group"].tolist() == ["甲", "乙"] and named["urban"].tolist() == [True, False]
