"""The scanner's parts by hand: decodings, persons' numbers, drawings, the source's hashes, counts, and the command."""

import base64
import gzip
import json
import os
import time
import zlib
from datetime import date
from types import SimpleNamespace
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mhlib.errors import DisclosureError, ParamsError
from mhlib.report.disclosure import Gate
from mhlib.workbench import scanner_counts as counts
from mhlib.workbench.scanner import Leak, refuse, scan
from mhlib.workbench.scanner_markup import marks, read_markup
from mhlib.workbench.scanner_parts import Array, Opaque, Table, Text, parts, readable
from mhlib.workbench.scanner_people import in_table, in_text, is_id_card
from mhlib.workbench.scanner_source import Known

AS_OF, PUBLIC = date(2026, 3, 20), Gate.of("public")
SECRET = "P0058126"


def kinds(text: str) -> set[str]:
    return {kind for kind, _ in in_text(text, as_of=AS_OF)}


def texts(raw: bytes) -> str:
    return "\n".join(part.text for part in parts(raw) if isinstance(part, Text))


ENCODERS = {
    "base64": lambda raw: base64.b64encode(raw),
    "base64 for addresses": lambda raw: base64.urlsafe_b64encode(raw),
    "hexadecimal": lambda raw: raw.hex().encode(),
    "gzip": lambda raw: base64.b64encode(gzip.compress(raw)),
    "zlib": lambda raw: base64.b64encode(zlib.compress(raw)),
    "bare gzip": gzip.compress,
    "percent": lambda raw: quote(raw.decode("latin-1"), safe="").encode(),
    "json": lambda raw: json.dumps(raw.decode("latin-1")).encode(),
    "json list": lambda raw: json.dumps({"a": ["x", raw.decode("latin-1")]}).encode(),
    "data URI": lambda raw: b'<img src="data:text/plain;base64,' + base64.b64encode(raw) + b'">',
    "script": lambda raw: b"<html><script>f('" + base64.b64encode(raw) + b"')</script></html>",
    "comment": lambda raw: b"<p>a</p><!-- " + base64.b64encode(raw) + b" -->",
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@example(["bare gzip", "percent"], 0)
@example(["bare gzip", "json"], 0)
@given(st.lists(st.sampled_from(sorted(ENCODERS)), max_size=4), st.integers(0, 9_999_999))
def test_whatever_is_wrapped_is_unwrapped(chain, number):
    secret = f"P{number:07d}"
    raw = f"of {secret} here".encode()
    for name in chain:
        raw = ENCODERS[name](raw)
    assert secret in texts(raw)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_stop_the_scan(raw):
    list(parts(raw))
    list(parts(b"<p " + raw + b"</p>"))


def test_what_cannot_be_opened_is_told():
    bomb = gzip.compress(b"0" * (65 * 2**20))
    assert any(isinstance(part, Opaque) for part in parts(bomb))
    deep = SECRET.encode()
    for _ in range(14):
        deep = base64.b64encode(gzip.compress(deep))
    assert any(isinstance(part, Opaque) for part in parts(deep)) and SECRET not in texts(deep)
    assert any(isinstance(part, Opaque) for part in parts(bytes(range(128, 256)) * 2))


def test_a_half_width_and_a_national_encoding_are_read():
    assert readable("姓名：王小明".encode("gb18030")) == "姓名：王小明"
    assert SECRET in texts("".join(chr(ord(sign) + 0xFEE0) for sign in SECRET).encode())
    assert readable(bytes(range(128, 256))) is None


def test_a_text_of_markup_joins_what_tags_part_and_parts_what_cells_part():
    page = read_markup("<td>P00<b>58126</b></td><td>12</td><p>a</p>")
    assert "P0058126" in page.text and "P005812612" not in page.text
    caption, headers, rows = read_markup(
        "<table><caption>C</caption><tr><th>a</th></tr><tr><td>1</td></tr></table>"
    ).tables[0]
    assert (caption, headers, rows) == ("C", ["a"], [["1"]])
    assert read_markup("<table><tr><td>left open").tables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("11010519491231002X", {"id_card"}), ("110105194912310021", set()), ("110105 19491231 002x", {"id_card"}),
        ("13857412345", {"phone"}), ("138 5741 2345", {"phone"}), ("0.13857412345", set()), ("12857412345", set()),
        ("2012-05-13", {"birth_date"}), ("2012年5月13日", {"birth_date"}), ("2026-03-13", set()), ("2012-13-45", set()),
        ("born on 2012-05", {"birth_date"}), ('"birth_date": "20120513"', {"birth_date"}), ("births fell in 2012", set()),
        ("姓名：王小明", {"name"}), ("name: Wang Xiaoming", {"name"}), ("the name of the school", set()), ("名称：方差", set()),
        ("P0058126", {"pseudonym"}), ("9f86d081884c7d659a2feaa0c55ad015", {"pseudonym"}), ("ab" * 32, set()), ("PHQ9", set()),
        ("/home/wang/data.csv", {"user_folder"}), (r"C:\Users\wang\data.csv", {"user_folder"}), ("/usr/lib/x", set()),
    ],
)  # fmt: skip
def test_what_looks_like_a_person(text, found):
    assert kinds(text) == found


def test_dates_of_the_parameter_file_are_nobodys():
    assert not list(in_text("2015-09-01", as_of=AS_OF, allowed={"2015-09-01"}))


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"33028220[01][0-9](0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}", fullmatch=True))
def test_of_all_last_signs_exactly_one_is_right(first):
    assert sum(is_id_card(first + last) for last in "0123456789X") == 1


def test_cells_under_a_header_of_persons():
    rows = [["王小明", "0020250017", "201205"], ["合计", "12", "n"]]
    assert list(in_table(["姓名", "学号", "出生年月"], rows)) == [
        ("name", 1, 1),
        ("pseudonym", 1, 2),
        ("birth_date", 1, 3),
    ]
    assert not list(in_table(["name", "n"], [["Precise enough?", "12"]]))


def test_points_of_a_drawing_are_counted_outside_its_axes():
    ticks = '<g id="a-xtick_1"><use/></g><defs><path d="M 0 0 L 1 1"/></defs>'
    assert marks(f"<svg>{ticks}<use/><circle/><path d='M 0 0 L 1 1 L 2 2'/><polyline points='0,0 1,1'/></svg>") == (
        2,
        3,
    )
    assert marks("<svg><path d='M 0 0 h 1 M 1 1 h 1 M 2 2 h 1'/></svg>") == (2, 6)
    assert marks("<svg><circle><use></svg>") == (2, 0)


class Tables:
    """A source of tables in memory."""

    def __init__(self, **tables: pd.DataFrame) -> None:
        self._tables = tables

    def tables(self):
        return list(self._tables)

    def header(self, table):
        return list(self._tables[table])

    def frame(self, table, columns=None):
        return self._tables[table][columns]


def known() -> Known:
    pupils = pd.DataFrame({
        "xh": [f"{20250000 + row}" for row in range(40)], "姓名": ["王小明", "李华", *["张伟民"] * 38],
        "born": pd.to_datetime(["2013-05-01"] * 40), "short_id": range(40), "score": range(40)})  # fmt: skip
    return Known.of(Tables(pupil=pupils), {"pupil_pid": "xh", "birth_date": "born"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("number 20250007.", {"known_id"}), ("number 120250007", set()), ("see x_20250007_y", {"known_id"}),
        ("其中王小明同学", {"known_name"}), ("李华", {"known_name"}), ("桃李华章", set()), ("on 2013/5/1", {"known_birth"}),
        ("2014-05-01", set()), ("the score of 7", set()),
    ],
)  # fmt: skip
def test_identifiers_of_the_source_are_found_where_they_stand_alone(text, found):
    assert {kind for kind, _ in known().in_text(text)} == found


def test_the_source_is_kept_as_keyed_hashes_only():
    one, other = known(), known()
    assert "20250007" not in repr(one) and "王小明" not in str(one._digests)
    assert not set(one._digests) & set(other._digests) and set(map(len, one._digests)) == {16}
    assert one.lengths == {40} and one.unsearchable == 40


def test_counts_are_held_to_the_policy():
    frame = [{"n_used": 120, "n": 7, "estimate": 3}, {"n_used": 123, "n": None, "estimate": 3}]
    assert list(counts.unrounded(frame, PUBLIC)) == [("unrounded_count", 1, "n"), ("unrounded_count", 2, "n_used")]
    assert list(counts.unrounded(frame, Gate.of("open_data"))) == []
    internal = [{"group": "sex", "n": 7, "n_used": 400}]
    public = [{"group": "sex", "n": 7, "n_used": 400}]
    assert list(counts.shown_though_hidden(public, internal, PUBLIC)) == [("hidden_cell", 1, "n")]
    assert list(counts.unrounded_in_table(["people used"], [["1,240"], ["1,241"], ["—"]], PUBLIC)) == [
        ("unrounded_count", 2, 1)
    ]


def test_arrays_are_measured_in_every_width():
    lengths = [part.lengths for part in parts(b"\x81\xfe\xfd\x00" * 100) if isinstance(part, Array)]
    assert lengths == [(400, 200, 100, 50)]
    assert [part.lengths for part in parts(json.dumps(list(range(40))).encode()) if isinstance(part, Array)] == [(40,)]
    text = ", ".join(map(str, range(40))).encode()
    assert [part.lengths for part in parts(text) if isinstance(part, Array)] == [(40,)]


def test_a_long_table_is_read_in_time_and_its_numbers_are_seen():
    page = (
        "<table>" + "".join(f"<tr><th>{at}</th>\n  <td>{at % 7}</td></tr>\n" for at in range(20_000)) + "</table>"
    ).encode()
    started = time.process_time()
    found = list(parts(page))
    # A pattern that goes back over what it read would take minutes.
    assert time.process_time() - started < 20
    assert [len(part.rows) for part in found if isinstance(part, Table)] == [19_999]
    text = "<pre>" + "\n ".join(map(str, range(20_000))) + "\n</pre>"
    assert [part.lengths for part in parts(text.encode()) if isinstance(part, Array)] == [(20_000,)]


def test_a_folder_without_a_run_is_scanned_and_a_missing_one_refused(tmp_path):
    (tmp_path / "page.html").write_text(f"<p>{SECRET}</p>")
    leaks = scan(tmp_path)
    assert [(leak.file, leak.kind, leak.where) for leak in leaks] == [("page.html", "pseudonym", "line 2 sign 1")]
    with pytest.raises(ParamsError, match="there is nothing to verify"):
        scan(tmp_path / "none")


def test_a_leak_stops_with_its_place_and_not_its_value(tmp_path):
    (tmp_path / "page.html").write_text(f"<p>{SECRET}</p>")
    with pytest.raises(
        DisclosureError, match=r"page.html \(text, line 2 sign 1\): what looks like the pseudonym"
    ) as raised:
        refuse(scan(tmp_path), "page")
    assert SECRET not in str(raised.value) and raised.value.exit_code == 13
    refuse([], "page")


def test_keys_of_a_record_are_not_repeated(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"wangxiaoming": {"phone": "13857412345"}}))
    assert {str(leak) for leak in scan(tmp_path)} == {
        f"a.json (key 1 > key 1, line 1 sign {sign}): a mobile telephone number" for sign in (1, 8)
    }


def test_a_link_and_a_file_that_all_may_read(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "internal.json").write_text(json.dumps({"elements": {}, "x": SECRET}))
    os.chmod(tmp_path / "internal.json", 0o600)
    assert scan(tmp_path) == []
    os.chmod(tmp_path / "internal.json", 0o640)
    (tmp_path / "latest.html").symlink_to(tmp_path / "run.json")
    assert {leak.kind for leak in scan(tmp_path)} == {"open_internal", "opaque"}


def test_a_table_of_a_csv_keeps_its_full_width_commas():
    raw = "# 模拟数据\n组别,人数\n男，女,120\n".encode()
    assert [part.rows for part in parts(raw, suffix=".csv") if isinstance(part, Table)] == [(("男，女", "120"),)]


def test_the_command_ends_with_thirteen(tmp_path, monkeypatch, capsys):
    from mhlib.cli import app
    from mhlib.workbench.workspace import Workspace

    monkeypatch.setattr(Workspace, "here", classmethod(lambda cls: SimpleNamespace(root=tmp_path)))
    page = tmp_path / "page.html"
    for words, code in (("<p>fine</p>", 0), (f"<p>{SECRET}</p>", 13)):
        page.write_text(words)
        with pytest.raises(SystemExit) as ended:
            app(["verify", str(page)], standalone_mode=True)
        assert (ended.value.code or 0) == code
    told = capsys.readouterr().out
    assert "verify page.html: 0 leaks" in told and "verify page.html: 1 leaks" in told and SECRET not in told


def test_leaks_are_sorted_and_say_their_place():
    assert (
        str(Leak("run.json", "rows", "unrounded_count", ""))
        == "run.json (rows): a count that is not rounded as the policy demands"
    )
    assert str(Leak("a.csv", "", "phone", "")) == "a.csv: a mobile telephone number"


def test_a_checksum_that_looks_packed_is_no_riddle():
    """Thirty-two bytes of chance may begin like a packed stream; a word in hexadecimal of that length is still read."""
    chance = "bbb965ab0c80d6538cf2184babad2a564a010376712012bd07b0af92dcd3097d"  # SHA-256 of "83"
    assert not [
        part for part in parts(f'{{"sha256": "{chance}"}}'.encode(), "run.json") if type(part).__name__ == "Opaque"
    ]
    assert "P0000007" in texts(f'"{"P0000007".ljust(32).encode().hex()}"'.encode())


def test_a_run_about_a_sensitive_matter_is_held_to_its_own_larger_cells(tmp_path):
    """20 people and more, as its book says; by the audience alone 15 would do."""
    policy = {"audience": "public", "min_cell": 20, "round_to": 5, "min_denominator": 30, "min_sensitive": 20,
              "group_share": 0.9, "width": 20}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps({"params": {"disclosure": "public"}, "as_of": "2026-03-20",
                                                   "estimates": {"t": [{"n": 15}]}}), "utf-8")  # fmt: skip
    assert scan(tmp_path) == []
    book = tmp_path / "protection.json"
    book.touch(mode=0o600)
    book.write_text(json.dumps({"policy": policy, "entries": [], "sums": []}), "utf-8")
    assert [leak.kind for leak in scan(tmp_path)] == ["unrounded_count"]


def test_a_count_that_the_book_withholds_must_not_be_shown(tmp_path):
    rows = [{"level": "J", "n": 50}, {"level": "S", "n": None}, {"level": "all_levels", "n": 55}]
    (tmp_path / "run.json").write_text(json.dumps({"params": {"disclosure": "public"}, "as_of": "2026-03-20",
                                                   "estimates": {"levels": rows}}), "utf-8")  # fmt: skip
    book = tmp_path / "protection.json"
    book.touch(mode=0o600)
    key = {"element": "levels", "level": "J", "measure": "n"}
    for hidden, kinds in ((False, []), (True, ["hidden_cell"])):
        book.write_text(json.dumps({"entries": [{"keys": [key], "hidden": hidden, "high": None}], "sums": []}), "utf-8")
        assert [leak.kind for leak in scan(tmp_path)] == kinds


def test_the_number_of_a_term_is_no_count_beside_its_name():
    hidden = [(("control",), 1), (("control", "term 1"), 7)]
    assert list(counts.beside_label("control, term 1: —", hidden)) == []
    assert [kind for kind, _ in counts.beside_label("control: 1", hidden)] == ["hidden_cell"]
