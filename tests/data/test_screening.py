"""Intake meets reality: each fault of a real export has a fixture and one clear outcome."""

from pathlib import Path

import pandas as pd
import pytest

from mhlib.data.scales import scale
from mhlib.data.screening import load_screening
from mhlib.data.sources import open_source
from mhlib.data.synthetic import simulate
from mhlib.errors import DataError, ParamsError

ITEMS = [f"第{number}题" for number in range(1, 10)]
OPTIONS = {"完全没有": 0, "好几天": 1, "一半以上天数": 2, "几乎每天": 3}


def test_a_city_wave(small_city):
    source = open_source("synthetic:small", synthetic_root=small_city)
    found = load_screening(source, scale=scale("phq_9"), wave=6)
    assert found.waves == (1, 2, 3, 4, 5, 6) and found.enrolled > len(found.frame) > 2000 and found.moved == 0
    assert set(found.frame["level"]) == {"P", "J", "S"} or "V" in set(found.frame["level"])
    assert (found.frame["verified"] == found.frame["reference"].notna()).all()
    assert not any("theta" in name or "true" in name for name in found.frame)


def test_several_waves_need_a_choice_that_is_there(small_city):
    source = open_source("synthetic:small", synthetic_root=small_city)
    with pytest.raises(ParamsError, match="several waves and none chosen; 1, 2, 3, 4, 5, 6"):
        load_screening(source, scale=scale("phq_9"))
    with pytest.raises(DataError, match="wave 9 is not there"):
        load_screening(source, scale=scale("phq_9"), wave=9)


@pytest.fixture(scope="module")
def county(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("county")
    simulate("minimal", seed=3, destination=root / "county", truth_destination=root / "truth")
    return root


COLUMNS = {"pupil_pid": "学号", "school_pid": "学校", "answered_on": "提交时间", "reference": "访谈结论", "sex": "性别"}
VALUES = {"items": OPTIONS, "reference": {"是": True, "否": False}, "sex": {"男": 0, "女": 1}}
TABLES = {"response": "export", "roster": "roster"}


def load_county(root: Path, **changes):
    options = {
        "columns": COLUMNS,
        "values": VALUES,
        "items": ITEMS,
        "tables": TABLES,
        "scale": scale("phq_9"),
    } | changes
    return load_screening(open_source("county", data_root=root), **options)


def test_gb18030_two_header_rows_text_answers_and_leading_zeros(county):
    found = load_county(county)
    assert found.enrolled > len(found.frame) > 8000 and found.frame["pupil_pid"].str.startswith("00").all()
    assert found.frame["sex"].notna().all() and found.frame["reference"].notna().sum() > 500
    assert str(found.last_answered).startswith("2026-03")


def test_pupils_who_changed_school_are_kept_and_counted(county, tmp_path):
    moved = tmp_path / "county"
    moved.mkdir()
    for name in ("roster.csv", "export.csv", "manifest.json"):
        (moved / name).write_bytes((county / "county" / name).read_bytes())
    export = pd.read_csv(moved / "export.csv", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    export.loc[export.index[:25], "学校"] = "示范县第99学校"
    export.to_csv(moved / "export.csv", index=False, encoding="utf-8-sig")
    found = load_county(tmp_path)
    assert found.moved == 25 and (found.frame["school_pid"] == "示范县第99学校").sum() == 25


def test_an_answer_that_the_map_does_not_know(county):
    values = VALUES | {"items": {name: value for name, value in OPTIONS.items() if name != "好几天"}}
    from mhlib.data.scoring import score

    frame = load_county(county, values=values).frame
    with pytest.raises(DataError, match=r"answers are not numbers .*map text answers with values:"):
        score(frame.filter(regex=r"^item_"), scale("phq_9"))


def test_numbers_that_a_spreadsheet_rounded_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id,total\n2.0230001E+11,3\n20230002.0,4\n")
    with pytest.raises(DataError, match=r"column pupil_pid: 1 row not of kind text \(row 2\)"):
        load_screening(open_source("t.csv", data_root=tmp_path), columns={"pupil_pid": "id", "score": "total"})


def test_the_same_pupil_twice(tmp_path):
    (tmp_path / "t.csv").write_text("pupil_pid,wave,score\n1,1,3\n2,1,4\n1,1,5\n")
    with pytest.raises(DataError, match=r"pupil_pid and wave: 2 rows occur more than once \(row 2, 4\)"):
        load_screening(open_source("t.csv", data_root=tmp_path))


def test_missing_columns_and_items(tmp_path):
    (tmp_path / "t.csv").write_text("id,phq_9_1\n1,3\n")
    source = open_source("t.csv", data_root=tmp_path)
    with pytest.raises(DataError, match=r"no column for score \(total\)"):
        load_screening(source, columns={"pupil_pid": "id", "score": "total"})
    with pytest.raises(DataError, match="8 item columns are missing: phq_9_2, phq_9_3"):
        load_screening(source, columns={"pupil_pid": "id"}, scale=scale("phq_9"))
    with pytest.raises(ParamsError, match="columns: scor not in the contract"):
        load_screening(source, columns={"scor": "id"})
    with pytest.raises(DataError, match="neither item columns nor a score"):
        load_screening(source, columns={"pupil_pid": "id"})


def test_an_empty_reference_is_not_a_non_case(tmp_path):
    (tmp_path / "t.csv").write_text("pupil_pid,score,reference\n1,3,1\n2,4,\n3,1,0\n")
    frame = load_screening(open_source("t.csv", data_root=tmp_path)).frame
    assert frame["reference"].isna().tolist() == [False, True, False]
    assert frame["verified"].tolist() == [True, False, True]


def test_verified_must_agree_with_the_reference(tmp_path):
    (tmp_path / "t.csv").write_text("pupil_pid,score,reference,verified\n1,3,1,1\n2,4,,1\n")
    with pytest.raises(DataError, match="1 rows say verified and have no reference"):
        load_screening(open_source("t.csv", data_root=tmp_path))
