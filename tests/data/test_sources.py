import gzip
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from mhlib.data.sources import open_source
from mhlib.errors import DataError

FRAME = pd.DataFrame({"id": ["007", "010"], "answer": ["1", "2"]})


def write(folder: Path, name: str) -> None:
    path = folder / name
    if name.endswith(".xlsx"):
        FRAME.to_excel(path, index=False)
    elif name.endswith(".parquet"):
        FRAME.to_parquet(path)
    elif name.endswith(".dta"):
        FRAME.to_stata(path, write_index=False)
    elif name.endswith(".sav"):
        import pyreadstat

        pyreadstat.write_sav(FRAME, str(path))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(FRAME.to_csv(index=False).encode()))
    else:
        FRAME.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.xlsx", "t.dta", "t.sav"])
def test_every_kind_of_file_keeps_leading_zeros(tmp_path, name):
    write(tmp_path, name)
    source = open_source(name, data_root=tmp_path)
    assert source.tables() == ["t"] and source.header() == ["id", "answer"]
    assert source.frame()["id"].tolist() == ["007", "010"]
    assert source.frame(columns=["answer"], where={"id": "010"})["answer"].tolist() == ["2"]


def test_a_duckdb_file(tmp_path):
    with duckdb.connect(str(tmp_path / "city.duckdb")) as connection:
        connection.execute("create table pupils as select '007' as id, 3 as score union all select '010', 5")
    source = open_source("duckdb:city.duckdb", data_root=tmp_path)
    assert source.tables() == ["pupils"] and source.header("pupils") == ["id", "score"]
    assert source.frame("pupils", where={"id": "010"})["score"].tolist() == [5]
    assert len(source.fingerprint()) == 64


def test_a_fingerprint_follows_the_bytes(tmp_path):
    write(tmp_path, "t.csv")
    first = open_source("t.csv", data_root=tmp_path).fingerprint()
    assert first == open_source("t.csv", data_root=tmp_path).fingerprint()
    (tmp_path / "t.csv").write_text("id,answer\n007,2\n")
    assert first != open_source("t.csv", data_root=tmp_path).fingerprint()


def test_nothing_outside_the_data_root(tmp_path):
    (tmp_path / "root").mkdir()
    write(tmp_path, "t.csv")
    (tmp_path / "root" / "link.csv").symlink_to(tmp_path / "t.csv")
    for spec in ("../t.csv", "link.csv"):
        with pytest.raises(DataError, match="the path leaves the data root"):
            open_source(spec, data_root=tmp_path / "root")


def test_a_missing_file_gets_a_near_name(tmp_path):
    write(tmp_path, "pupils.csv")
    with pytest.raises(DataError, match=r"pupil\.csv: no such file .*did you mean pupils\.csv\?"):
        open_source("pupil.csv", data_root=tmp_path)


def test_the_truth_cannot_be_opened(small_city):
    truth = small_city.parent / "synthetic-truth" / "small"
    assert (truth / "truth_wave.parquet").is_file()
    (small_city / "sly").symlink_to(truth)
    for spec, root in (("synthetic:../synthetic-truth/small", None), ("synthetic:sly", None), ("small", truth.parent)):
        with pytest.raises(DataError, match="synthetic truth, which no analysis may read"):
            open_source(spec, data_root=root, synthetic_root=small_city)


def test_a_city_not_made_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="run: mhlib simulate --scale city"):
        open_source("synthetic:city", synthetic_root=tmp_path)


def test_an_unknown_table_or_column(small_city):
    source = open_source("synthetic:small", synthetic_root=small_city)
    with pytest.raises(DataError, match=r"no table respons; .*did you mean response\?"):
        source.frame("respons")
    with pytest.raises(DataError, match="no column colour"):
        source.frame("response", columns=["colour"])


def test_text_in_an_unknown_encoding(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"id\n\xff\xfe\xff")
    with pytest.raises(DataError, match="neither UTF-8 nor GB18030"):
        open_source("t.csv", data_root=tmp_path).frame()
