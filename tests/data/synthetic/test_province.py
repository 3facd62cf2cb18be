"""A province is streamed, a prefecture at a time."""

import pandas as pd
import pyarrow.parquet as parquet
import pytest

from mhlib.data import synthetic


@pytest.fixture(scope="module")
def tiny(make):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synthetic.SCALES, "province", (6, 3_000))
        yield make("province", prefectures=3)


def test_each_prefecture_is_a_part_of_one_file(tiny):
    file = parquet.ParquetFile(tiny.folder / "response.parquet")
    assert file.num_row_groups == 3
    assert file.metadata.num_rows == tiny.manifest.tables["response"]
    first = {file.read_row_group(part, columns=["pupil_pid"]).column(0)[0].as_py()[:2] for part in range(3)}
    assert first == {"00", "01", "02"}


def test_pupils_are_unique_across_prefectures_and_answers_differ(tiny):
    response = pd.read_parquet(tiny.folder / "response.parquet")
    assert response["pupil_pid"].is_unique and set(response["wave"]) == {1}
    sums = response.groupby(response["pupil_pid"].str[:2])["phq_9_1"].sum()
    assert sums.nunique() == 3


def test_the_last_prefectures_are_not_needed_for_the_first(tiny, make):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synthetic.SCALES, "province", (6, 3_000))
        one = make("province", name="one", prefectures=1)
    whole = parquet.ParquetFile(tiny.folder / "response.parquet").read_row_group(0)
    assert whole.equals(parquet.ParquetFile(one.folder / "response.parquet").read_row_group(0))
