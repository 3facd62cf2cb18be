"""k and uniqueness against a count by hand and against brute force; nothing small is printed."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.data.anonymity import anonymity, lone_columns, usual_sets
from mhlib.errors import DataError, DisclosureError

# school A: 12 girls, 1 boy; school B: 11 girls, 11 boys
PEOPLE = pd.DataFrame({"school": ["A"] * 13 + ["B"] * 22, "sex": ["f"] * 12 + ["m"] + ["f"] * 11 + ["m"] * 11})


def test_counted_by_hand():
    school, both = anonymity(PEOPLE, [["school"], ["school", "sex"]]).sets
    assert (school.n_people, school.n_groups, school.smallest_k, school.n_unique, school.n_below) == (35, 2, 13, 0, 0)
    assert (both.n_people, both.n_groups, both.smallest_k, both.n_unique, both.n_below) == (35, 4, 1, 1, 1)


def test_nothing_small_is_printed():
    shown = anonymity(PEOPLE, [["school"], ["school", "sex"]]).to_frame()
    assert shown["smallest_k"].tolist() == ["13", "< 10"]
    assert shown["unique"].tolist() == ["none", "< 10 people"] == shown["below_10"].tolist()
    assert shown["quasi_identifiers"].tolist() == ["school", "school × sex"]
    alone = pd.DataFrame({"born": range(40), "n": [*range(35), 0, 0, 0, 0, 0]})
    shown = anonymity(alone, [["born"], ["n"]]).to_frame()
    assert shown["unique"].tolist() == ["100 %", "all but < 10 people"]
    many = pd.DataFrame({"x": [*range(10), *["same"] * 1190]})
    assert anonymity(many, [["x"]]).to_frame()["unique"].tolist() == ["< 1 %"]
    assert anonymity(alone[:0], [["born"]]).to_frame()["n_people"].tolist() == ["< 10"]


def test_a_person_with_several_rows_counts_once_and_a_gap_is_a_label():
    waves = pd.concat([PEOPLE.assign(pid=range(35), wave=wave) for wave in (1, 2)])
    assert anonymity(waves, [["school"]], person="pid").sets[0].smallest_k == 13
    assert anonymity(waves, [["school"]]).sets[0].smallest_k == 26
    assert anonymity(pd.DataFrame({"sex": ["f", "f", None]}), [["sex"]]).sets[0].n_unique == 1


def test_too_small_a_k_is_refused_by_its_columns():
    result = anonymity(PEOPLE, [["school"], ["school", "sex"]])
    result.require(1, where="out.csv")
    with pytest.raises(
        DisclosureError, match=r"out\.csv: groups of fewer than 5 people by school × sex; drop or"
    ) as caught:
        result.require(5, where="out.csv")
    assert caught.value.exit_code == 13


def test_columns_that_single_out_by_themselves():
    frame = pd.DataFrame({"pid": range(9), "at": [*range(7), 0, 0], "sex": ["f", "m", "f"] * 3, "empty": [None] * 9})
    assert lone_columns(frame, besides=["pid"]) == ["at"]
    assert lone_columns(frame[:0]) == []


def test_unknown_columns_and_empty_sets():
    with pytest.raises(DataError, match="no column class; school, sex"):
        anonymity(PEOPLE, [["class"]])
    with pytest.raises(DataError, match="a set of quasi-identifiers is empty"):
        anonymity(PEOPLE, [[]])


def test_the_usual_sets_show_which_column_to_drop():
    assert usual_sets(["学校", "年级", "性别", "Q1", "pupil_pid"]) == [
        ("学校", "年级", "性别"), ("年级", "性别"), ("学校", "性别"), ("学校", "年级")
    ]  # fmt: skip
    assert usual_sets(["school_pid", "sex", "item_1"]) == [("school_pid", "sex")]
    assert usual_sets(["item_1", "classroom_climate"]) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None]), st.integers(0, 5)), max_size=30))
def test_as_brute_force_counts(rows):
    frame = pd.DataFrame(rows, columns=["x", "y", "pid"]).astype("object")
    (one,) = anonymity(frame, [["x", "y"]], person="pid", min_cell=3).sets
    sizes = Counter((x, y) for x, y, _ in set(rows))
    assert (one.n_groups, one.smallest_k) == (len(sizes), min(sizes.values(), default=0))
    assert one.n_unique == sum(n == 1 for n in sizes.values())
    assert one.n_below == sum(n for n in sizes.values() if n < 3)
