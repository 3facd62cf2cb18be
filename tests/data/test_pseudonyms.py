"""Pseudonyms: the same person the same name in every file, nothing that points at one, and a key nobody else can read."""

import hashlib
import os
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.data.identifying import identifying_values, is_direct
from mhlib.data.pseudonyms import age_bands, normalised_identifier, pseudonym, pseudonymise, read_key
from mhlib.data.readers import read_file
from mhlib.errors import DataError, ParamsError

TEXT_KEY = hashlib.sha256(b"a key for tests only").hexdigest()
KEY = bytes.fromhex(TEXT_KEY)
DAY = date(2026, 3, 20)
CARD = "11010519491231002X"


def extract(rows: int = 40) -> pd.DataFrame:
    """As a platform exports it: everything text."""
    return pd.DataFrame({
        "学号": [f"00202500{row:02d}" for row in range(rows)], "姓名": [f"王{chr(0x4E00 + row)}" for row in range(rows)],
        "学校": ["第一中学", "第二中学"] * (rows // 2), "性别": ["男", "女", "女", "男"] * (rows // 4),
        "出生日期": ["2012-03-20", "2012-03-21"] * (rows // 2), "Q1": ["完全没有", "好几天"] * (rows // 2),
    })  # fmt: skip


def made(frame: pd.DataFrame, **options):
    options = {"columns": ["pupil_pid=学号", "school_pid=学校"], "birth": "出生日期", "as_of": DAY} | options
    return pseudonymise(frame, options.pop("key", KEY), **options)


def key_file(tmp_path, text: str = TEXT_KEY, mode: int = 0o600):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_pseudonym_is_the_keyed_blake2b_of_domain_and_number():
    by_hand = hashlib.blake2b(b"\x0020250001", key=KEY, digest_size=16, person=b"mhlib pseudonym").hexdigest()
    assert pseudonym("20250001", KEY) == "p" + by_hand
    assert pseudonym("20250001", KEY, domain="spring") != pseudonym("20250001", KEY)
    assert pseudonym("20250001", bytes(reversed(KEY))) != pseudonym("20250001", KEY)


@pytest.mark.parametrize(
    "written",
    ["0020250001", "20250001", "20250001.0", 20250001, 20250001.0, np.float64(20250001), "2.0250001E7", "2.0250001e+07",
     " 20250001\t", "２０２５０００１", "'0020250001", '="0020250001"', "2025 0001", "\ufeff20250001", "20250001.00"],
)  # fmt: skip
def test_one_number_however_it_is_written(written):
    assert normalised_identifier(written) == "20250001"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("g330282201001010011", "G330282201001010011"), ("33028220100101001x", "33028220100101001X"), ("0", "0"), ("000", "0"),
     ("330282201001010011", "330282201001010011"), (330282201001010011, "330282201001010011"), ("1E4", "1E4"),
     ("3.2", "3.2"), ("A-07", "A-07"), ("123456789012345.0", "123456789012345"), ("1.23456789012345E+14", "123456789012345"),
     ("2E+07", "20000000")],
)  # fmt: skip
def test_what_is_no_rounded_number_stays(written, kept):
    assert normalised_identifier(written) == kept


@pytest.mark.parametrize(
    "written",
    ["3.30282E+17", "3.302822010010100e+17", 3.3028220100101e17, "330282201001010011.0", "330282201001010000", "2.02501E+11",
     "1.234567E+3"],
)  # fmt: skip
def test_a_rounded_number_is_lost_and_not_guessed(written):
    assert normalised_identifier(written) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**14), st.integers(0, 6))
def test_every_way_in_which_a_number_travels_agrees(number, zeros):
    texts = (str(number), "0" * zeros + str(number), str(float(number)), f" {number}\t", float(number), number)
    written = {normalised_identifier(text) for text in texts}
    assert written == {str(number)}


@settings(deadline=None)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_different_numbers_never_share_a_pseudonym(a, b):
    one, other = normalised_identifier(a), normalised_identifier(b)
    if one is not None and other is not None:
        assert (pseudonym(one, KEY) == pseudonym(other, KEY)) == (one == other)


def test_the_same_pupil_has_one_pseudonym_in_every_kind_of_file(tmp_path):
    frame = extract()
    frame.to_csv(tmp_path / "a.csv", index=False, encoding="gb18030")
    frame.to_csv(tmp_path / "b.csv", index=False)
    frame.to_excel(tmp_path / "c.xlsx", index=False)
    frame.assign(学号=frame["学号"].astype(float)).to_parquet(tmp_path / "d.parquet")
    frame.assign(学号=frame["学号"].astype(int)).to_excel(tmp_path / "e.xlsx", index=False)
    results = [made(read_file(tmp_path / name)).frame for name in ("a.csv", "b.csv", "c.xlsx", "d.parquet", "e.xlsx")]
    for other in results[1:]:
        pd.testing.assert_frame_equal(other.astype(str), results[0].astype(str))
    assert results[0]["pupil_pid"].str.fullmatch("p[0-9a-f]{32}").all()


def test_names_and_birth_dates_are_gone_and_the_order_of_the_list_too():
    result = made(extract())
    assert list(result.frame) == ["pupil_pid", "school_pid", "性别", "age_band", "Q1"]
    assert result.dropped == ("姓名",)
    assert sorted(result.frame["age_band"].unique()) == ["12-13", "14-15"]
    assert result.frame["pupil_pid"].is_monotonic_increasing
    text = result.frame.to_csv()
    assert not any(word in text for word in ("王", "2012", "0020", "第一中学"))
    assert (result.columns["pupil_pid"].n_distinct, result.columns["school_pid"].n_distinct) == (40, 2)


def test_numbers_that_are_unique_only_within_a_school_are_put_together():
    frame = pd.DataFrame(
        {"学校": ["01", "01", "02", "1", None], "学号": ["7", "8", "7", "07.0", "7"], "x": list("abcde")}
    )
    result = pseudonymise(frame, KEY, columns=["pupil_pid=学校+学号", "school_pid=学校"])
    assert sorted(result.frame) == ["pupil_pid", "school_pid", "x"] and result.dropped == ("学号",)
    by_row = result.frame.set_index("x")
    assert by_row.loc["a", "pupil_pid"] == by_row.loc["d", "pupil_pid"] == pseudonym("1\x1f7", KEY)
    assert by_row["pupil_pid"].nunique() == 3 and by_row.loc["e"].isna().all()
    one = result.columns["pupil_pid"]
    assert (one.n_distinct, one.n_missing, one.n_rewritten, one.n_repeated) == (3, 1, 1, 1)
    assert list(result.columns) == ["pupil_pid", "school_pid"]
    with pytest.raises(DataError, match=r"column 学校 \+ 学号: a spreadsheet has rounded the numbers of 1 rows"):
        pseudonymise(frame.assign(学号=["3.30282E+17", "1", "2", "3", "4"]), KEY, columns=["pupil_pid=学校+学号"])
    with pytest.raises(ParamsError, match="学号 is named for two things"):
        pseudonymise(frame, KEY, columns=["pupil_pid=学校+学号"], keep=["学号"])


def test_repeats_gaps_and_ways_of_writing_are_counted():
    frame = extract(8)
    frame.loc[8] = frame.loc[0]
    frame.loc[9] = frame.loc[1]
    frame.loc[9, "学号"] = "20250001.0"
    frame.loc[10] = frame.loc[2]
    frame.loc[10, "学号"] = None
    frame.loc[11] = frame.loc[3]
    frame.loc[11, "学号"] = "  "
    result = made(frame)
    one = result.columns["pupil_pid"]
    assert (one.n_distinct, one.n_missing, one.n_rewritten, one.n_repeated) == (8, 2, 1, 2)
    assert (result.n_rows, result.n_equal_rows, len(result.frame)) == (12, 1, 12)
    assert result.frame["pupil_pid"].isna().sum() == 2
    told = result.to_frame()
    assert told[told["what"] == "rows beyond a person's first"]["n"].tolist() == [2]


def test_numbers_that_a_spreadsheet_rounded_are_counted_and_not_hashed():
    frame = extract()
    frame.loc[[0, 1], "学号"] = ["3.30282E+17", "330282201001010000"]
    with pytest.raises(
        DataError, match="extract: column 学号: a spreadsheet has rounded the numbers of 2 rows; export"
    ) as e:
        made(frame)
    assert "3302" not in str(e.value) and e.value.exit_code == 11


@pytest.mark.parametrize(
    ("written", "band"),
    [("2012-03-20", "14-15"), ("2012-03-21", "12-13"), ("2012/3/20", "14-15"), ("20120320", "14-15"), ("20120320.0", "14-15"),
     ("2012年3月20日", "14-15"), ("2012.3.21", "12-13"), ("40988", "14-15"), ("40989", "12-13"), ("2012-03", "14-15"),
     ("2012-03-20 00:00:00", "14-15"), ("2008-03-20", "18+"), ("2021-01-01", "0-5"), ("2020-03-20", "6-8"),
     ("2010-03-20", "16-17"), ("2015-03-21", "9-11")],
)  # fmt: skip
def test_a_birth_date_becomes_a_band_on_the_day(written, band):
    found, unreadable, outside = age_bands(pd.Series([written]), DAY)
    assert (found.tolist(), unreadable, outside) == ([band], 0, 0)


def test_leap_days_and_dates_that_are_none():
    assert age_bands(pd.Series(["2012-02-29"]), date(2026, 2, 28))[0].tolist() == ["12-13"]
    assert age_bands(pd.Series(["2012-02-29"]), date(2026, 3, 1))[0].tolist() == ["14-15"]
    found, unreadable, outside = age_bands(
        pd.Series(["2012-02-30", "x", None, "", "2027-01-01", "1900-01-01", "2012-01-01"]), DAY
    )
    assert found.isna().tolist() == [True] * 6 + [False] and (unreadable, outside) == (2, 2)
    with pytest.raises(DataError, match="column born: none of the birth dates can be read"):
        age_bands(pd.Series(["x", "y"], name="born"), DAY)


@pytest.mark.parametrize(
    ("column", "direct"),
    [("姓名", True), ("学生姓名", True), ("联系电话", True), ("身份证号", True), ("家庭住址", True), ("出生日期", True),
     ("name", True),
     ("pupil_name", True), ("Mother name", True), ("E-mail", True), ("dob", True), ("IP地址", True), ("QQ", True),
     ("学校名称", False), ("school_name", False), ("item_name", False), ("父亲文化程度", False), ("手机使用时间", False),
     ("出生年份", False), ("grade", False), ("reference", False), ("birth_weight", False)],
)  # fmt: skip
def test_columns_that_name_a_person(column, direct):
    assert is_direct(column) == direct


@pytest.mark.parametrize(
    ("values", "found"),
    [([CARD] + ["x"] * 9, "numbers of identity cards"), ([CARD[:-1] + "1"] * 10, ""),
     (["打 13800138000 找我"], "numbers of mobile telephones"),
     (["13800138000.0"], "numbers of mobile telephones"), (["0.13800138000", "1718000000000"], ""),
     (["a.b@c.cn"], "addresses of e-mail"),
     ([f"李{chr(0x4E00 + n)}" for n in range(9)], "names of persons"), (["高一", "高二", "高三"] * 9, ""),
     ([f"我最近睡不好也不想去学校{n}次" for n in range(9)], "free text"),
     (["完全没有", "好几天", "一半以上的天数是这样的感觉"] * 30, ""),
     ([f"2026-03-05 08:12:{n:02d}" for n in range(60)], ""), ([None] * 3, "")],
)  # fmt: skip
def test_values_that_no_extract_may_hold(values, found):
    assert identifying_values(pd.Series(values, dtype="object")) == found


def test_free_text_is_refused_unless_kept_and_cards_even_then():
    frame = extract().assign(备注=[f"这个学生最近情绪不太好第{n}次谈话" for n in range(40)], 学生=extract()["姓名"])
    with pytest.raises(
        DataError, match=r"(?s)2 problems.*column 备注 holds free text.*column 学生 holds names of persons"
    ) as caught:
        made(frame)
    assert "情绪" not in str(caught.value)
    kept = made(frame, keep=["备注"], drop=["学生"])
    assert "备注" in kept.frame and kept.dropped == ("姓名", "学生")
    with pytest.raises(DataError, match="column 备注 holds numbers of identity cards"):
        made(frame.assign(备注=CARD), keep=["备注"], drop=["学生"])


def test_a_name_is_not_kept_though_asked_for_nor_a_birth_date_under_another_word():
    births = [str(date(2010, 1, 1) + timedelta(days=37 * n)) for n in range(40)]
    with pytest.raises(DataError, match="column 姓名 holds names of persons"):
        made(extract(), keep=["姓名"])
    with pytest.raises(DataError, match="column 出生日期 holds birth dates"):
        made(extract().assign(出生日期=births), keep=["出生日期"], birth=None)
    with pytest.raises(DataError, match="column 日子 holds birth dates"):
        made(extract().assign(日子=births))
    others = {
        "填写": [str(date(2026, 1, 1) + timedelta(days=n)) for n in range(40)],
        "入学": ["2019-09-01", "2018-09-01"] * 20,
    }
    result = made(extract().assign(**others, item_phone=["1", "2"] * 20, 日子=births), keep=["日子", "item_phone"])
    assert {"填写", "入学", "日子", "item_phone"} <= set(result.frame)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [({"columns": []}, ParamsError, "no column of numbers of persons is named"),
     ({"columns": ["a=学号", "a=学校"]}, ParamsError, "one name is given twice"),
     ({"columns": ["学籍"]}, DataError, "no column 学籍; 学号, 姓名"), ({"as_of": None}, ParamsError, "an age needs a day"),
     ({"drop": ["学号"]}, ParamsError, "学号 is named for two things"), ({"drop": ["x"]}, DataError, "no column x"),
     ({"columns": ["性别=学号"]}, ParamsError, "two columns would have one name")],
)  # fmt: skip
def test_contradictions_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        made(extract(), **options)


def test_a_key_is_read_from_a_file_of_ones_own_or_from_the_environment(tmp_path):
    assert read_key(key_file(tmp_path, TEXT_KEY + "\n")) == KEY == read_key(environment={"MHLIB_KEY": TEXT_KEY})


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_key_that_others_can_open_is_refused(tmp_path, mode):
    with pytest.raises(ParamsError, match=rf"key: others can open the key \(mode {mode:04o}\); mode 0600"):
        read_key(key_file(tmp_path, mode=mode))


@pytest.mark.parametrize(
    ("text", "problem"),
    [(TEXT_KEY[:62], "the key has 31 bytes"), (TEXT_KEY * 3, "the key has 96 bytes"), ("", "the key has 0 bytes"),
     ("passphrase of a bureau " * 2, "the key is not hexadecimal"), ("00" * 32, "the key repeats itself")],
)  # fmt: skip
def test_a_weak_key_is_refused_and_not_quoted(tmp_path, text, problem):
    with pytest.raises(ParamsError, match=problem) as caught:
        read_key(key_file(tmp_path, text))
    assert len(text) < 8 or text[:8] not in str(caught.value)
    assert "openssl rand -hex 32" in str(caught.value)


def test_no_key_is_no_key(tmp_path):
    for path, text in (
        (None, "there is none; --key FILE, or MHLIB_KEY"),
        (tmp_path / "none", "cannot be read"),
        (tmp_path, "the key cannot be read|the key is no plain file"),
    ):
        with pytest.raises(ParamsError, match=text):
            read_key(path, environment={})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParamsError, match="the key is no plain file"):
        read_key(tmp_path / "pipe")


def test_without_the_key_all_numbers_of_the_city_find_nobody():
    """The attack on an unkeyed hash: every possible number, hashed. It must work there and fail here."""
    numbers = [f"{20250000 + n}" for n in range(500)]
    stolen = {pseudonym(number, KEY) for number in numbers}
    guesses = {pseudonym(number, bytes(range(32))) for number in numbers}
    plain = {
        "p" + hashlib.blake2b(f"\0{number}".encode(), digest_size=16, person=b"mhlib pseudonym").hexdigest()
        for number in numbers
    }
    assert not stolen & guesses and not stolen & plain
    assert {pseudonym(number, KEY) for number in numbers} == stolen
