"""The county of two files: what a bureau's desk really holds."""

import io

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def county(make):
    return make("minimal")


@pytest.fixture(scope="module")
def roster(county):
    text = (county.folder / "roster.csv").read_bytes().decode("gb18030")
    upper, rest = text.split("\n", 1)
    assert upper.startswith("学生信息,")
    assert upper.count(",") == rest.split("\n", 1)[0].count(",")
    return pd.read_csv(io.StringIO(rest), dtype=str)


@pytest.fixture(scope="module")
def export(county):
    data = (county.folder / "export.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")


def test_two_files_and_a_manifest(county):
    assert sorted(path.name for path in county.folder.iterdir()) == ["export.csv", "manifest.json", "roster.csv"]


def test_the_roster_has_no_names_and_leading_zeros(roster):
    assert {"学号", "学校", "年级", "班级", "性别"} <= set(roster) and "姓名" not in roster
    assert roster["学号"].str.startswith("00").all() and roster["学号"].is_unique
    assert roster["学校"].nunique() == 12 and 8_500 < len(roster) < 9_500
    assert set(roster["性别"]) == {"男", "女"}
    sizes = roster.groupby(["学校", "年级", "班级"]).size()
    assert sizes.max() < 65


def test_answers_are_words_and_only_positives_were_interviewed(export, roster):
    items = export[[f"第{j}题" for j in range(1, 10)]]
    assert set(items.stack()) == {"完全没有", "好几天", "一半以上天数", "几乎每天", ""}
    points = items.replace({"完全没有": 0, "好几天": 1, "一半以上天数": 2, "几乎每天": 3, "": None}).astype(float)
    total = points.mean(axis=1).where(points.notna().sum(axis=1) >= 7) * 9
    interviewed = export["访谈结论"] != ""
    assert set(export["访谈结论"]) == {"是", "否", ""}
    assert (total[interviewed] >= 10 - 1e-9).all()
    assert interviewed.sum() / (total >= 10 - 1e-9).sum() == pytest.approx(0.85, abs=0.03)
    assert export["学号"].isin(roster["学号"]).all() and len(export) < len(roster)


def test_the_truth_is_apart(county, roster):
    truth = county.truth("truth_wave")
    assert set(truth["学号"]) == set(roster["学号"])
