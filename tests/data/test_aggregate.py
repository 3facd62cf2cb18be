import duckdb
import numpy as np
import pandas as pd
import pytest

from mhlib.data.aggregate import counts_by
from mhlib.data.sources import open_source
from mhlib.errors import DataError
from mhlib.stats.accuracy import roc, roc_from_counts


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"score": rng.integers(0, 9, 500), "reference": rng.integers(0, 2, 500), "school": rng.integers(0, 4, 500)}
    )
    with duckdb.connect(str(tmp_path / "city.duckdb")) as connection:
        connection.register("given", frame)
        connection.execute("create table pupils as select * from given")
    return frame


def test_both_doors_give_the_same_counts_and_the_same_area(rows, tmp_path):
    there = open_source("duckdb:city.duckdb", data_root=tmp_path)
    by = ["school", "score", "reference"]
    here = counts_by(rows, by)
    pd.testing.assert_frame_equal(here, counts_by(there, by), check_dtype=False)
    assert here["n"].sum() == len(rows)
    table = counts_by(there, ["score", "reference"]).pivot_table(
        index="score", columns="reference", values="n", fill_value=0
    )
    found = roc_from_counts(table.index, table[1], table[0])
    assert found.auc == pytest.approx(roc(rows["score"], rows["reference"]).auc, abs=1e-14)


def test_a_missing_value_is_counted_apart_and_a_missing_column_told():
    assert counts_by(pd.DataFrame({"a": [1.0, None, None]}), ["a"])["n"].tolist() == [1, 2]
    with pytest.raises(DataError, match="no column b"):
        counts_by(pd.DataFrame({"a": [1]}), ["b"])
