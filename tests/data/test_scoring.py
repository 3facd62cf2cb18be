import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhlib.data.scales import scale
from mhlib.data.scoring import keyed_items, positive, score
from mhlib.errors import DataError


def sheet(rows, n) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[f"q{j}" for j in range(1, n + 1)])


def test_a_sum_by_hand():
    assert score(sheet([[0, 1, 2, 3, 0, 1, 2, 3, 0]], 9), scale("phq_9"))["total"].tolist() == [12.0]


def test_only_the_codebook_reverses():
    ones = sheet([[0] * 20], 20)
    assert score(ones, scale("ces_dc"))["total"].tolist() == [12.0]
    assert keyed_items(ones, scale("ces_dc")).sum(axis=1).tolist() == [12.0]


def test_prorating_follows_the_rule_and_stops_at_it():
    nan = np.nan
    frame = sheet([[nan, nan, 1, 1, 1, 1, 1, 1, 1], [nan, nan, nan, 1, 1, 1, 1, 1, 1]], 9)
    total = score(frame, scale("phq_9"))["total"]
    assert total.iloc[0] == 9.0 and np.isnan(total.iloc[1])


def test_an_unscored_pupil_is_neither_positive_nor_negative():
    flags = positive(pd.Series([12.0, 9.0, np.nan]), 10)
    assert flags.tolist()[:2] == [True, False] and flags.isna().tolist() == [False, False, True]
    assert positive(pd.Series([40.0]), 50, direction="<=").tolist() == [True]


def test_the_wrong_base_of_coding_is_told_with_its_remedy():
    frame = sheet([[1] * 42, [4] * 42], 42)
    with pytest.raises(DataError) as error:
        score(frame, scale("dass_42"), where="file.csv")
    assert str(error.value) == (
        "file.csv: 1 rows hold answers outside the range of dass_42 (rows 3); 0-3; "
        "if the file is coded 1-4, set item_offset: -1"
    )
    assert score(frame, scale("dass_42"), offset=-1)["total"].tolist() == [0.0, 126.0]


def test_text_fractions_and_missing_columns_are_refused():
    with pytest.raises(DataError, match=r"column q1: 1 answers are not numbers \(rows 2\); map text answers"):
        score(sheet([["often", *[0] * 8]], 9), scale("phq_9"))
    with pytest.raises(DataError, match="1 rows hold answers that are not whole numbers"):
        score(sheet([[0.5, *[0] * 8]], 9), scale("phq_9"))
    with pytest.raises(DataError, match="8 item columns; 9 for scale phq_9"):
        score(sheet([[0] * 8], 8), scale("phq_9"))


@given(st.lists(st.integers(0, 3), min_size=20, max_size=20))
def test_turning_every_answer_mirrors_the_score(answers):
    turned = [3 - answer for answer in answers]
    both = score(sheet([answers, turned], 20), scale("ces_d"))["total"]
    assert both.sum() == 60


def test_published_means_of_the_dass(shared_data):
    frame = pd.read_csv(shared_data / "dass42_online5000.csv.gz")
    found = score(frame.filter(regex=r"^Q\d+_"), scale("dass_42"), offset=-1)
    expected = {"depression": 21.0412, "anxiety": 15.9900, "stress": 21.0758, "total": 58.1070}
    assert {name: round(found[name].mean(), 4) for name in expected} == expected
    bands = np.bincount(np.searchsorted([10, 14, 21, 28], found["depression"], side="right"))
    assert bands.tolist() == [1115, 458, 869, 882, 1676]


def test_published_mean_of_the_stai(shared_data):
    frame = pd.read_csv(shared_data / "stai_state_repeated.csv.gz").query("time == 1")
    total = score(frame.iloc[:, 3:], scale("stai_state"))["total"]
    assert total.notna().sum() == 2931 and round(total.mean(), 4) == 39.5684


def test_published_mean_of_the_cdi(shared_data):
    frame = pd.read_csv(shared_data / "cdi26_youth_race.csv").filter(regex="^CDI")
    assert round(score(frame, scale("cdi_26"))["total"].mean(), 4) == 6.8559
