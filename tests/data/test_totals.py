"""Totals of items and one arm for everybody, offered beside the columns of a file."""

import math

import pytest

from mhlib.data.sources import open_source
from mhlib.data.totals import EVERYBODY, TotalledSource, totalled
from mhlib.errors import DataError

SUM = "q1 + q2"
GIVEN = {"occasions": {"now": SUM}, "columns": {"arm": EVERYBODY}, "answers": {"never": 0, "often": 2}, "arm": "all"}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "t.csv").write_text("pupil,q1,q2\na,never,often\nb,often, often \nc,,often\nd,1,3\n", "utf-8")
    return open_source("t.csv", data_root=tmp_path)


def test_totals_by_hand(source):
    made = totalled(source, **GIVEN)
    frame = made.frame(columns=["pupil", SUM, EVERYBODY])
    assert list(frame) == ["pupil", SUM, EVERYBODY] and set(frame[EVERYBODY]) == {"all"}
    values = frame[SUM].tolist()
    # Whoever left an item open has no total; an answer that is a number already counts as it stands.
    assert values[:2] == [2.0, 4.0] and math.isnan(values[2]) and values[3] == 4.0
    assert made.header() == ["pupil", "q1", "q2", SUM, EVERYBODY] and made.fingerprint() == source.fingerprint()


def test_a_source_that_needs_nothing_is_left_alone(source):
    assert totalled(source, **GIVEN | {"occasions": {"now": "q1"}, "columns": {"arm": "pupil"}}) is source


def test_a_total_of_absent_items_is_not_offered(source):
    made = totalled(source, **GIVEN | {"occasions": {"now": "q1 + q9"}, "columns": {}})
    assert isinstance(made, TotalledSource) and made.header() == ["pupil", "q1", "q2"]


def test_an_unknown_answer_is_counted_and_not_shown(source):
    made = totalled(source, **GIVEN | {"answers": {"never": 0}})
    with pytest.raises(DataError, match="4 answers are no number; give their points under values: items:") as raised:
        made.frame(columns=[SUM])
    assert "often" not in str(raised.value)
