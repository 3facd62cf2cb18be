"""Leaks of every kind planted into a rendered report: each is caught, no finding repeats its value, the clean one has none."""

import base64
import gzip
import io
import json
import re
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import yaml

from mhlib.data.sources import open_source
from mhlib.data.synthetic import simulate
from mhlib.report.disclosure import Gate
from mhlib.workbench import plans, runs, scanner_counts
from mhlib.workbench.scanner import ELEMENT, Known, scan
from mhlib.workbench.workspace import Workspace

# A report is rendered for it.
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Gate.of("public")
ID_CARD, PHONE, BORN, NAME = "11010519491231002X", "13857412345", "2012-05-13", "王小明"


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """The demo trial of the small city, and what the scanner knows of its source."""
    root = tmp_path_factory.mktemp("scanned")
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    made = Workspace(root)
    given = yaml.safe_load((ROOT / "params/demo/intervention_outcomes.yml").read_text("utf-8"))
    path = root / "params/demo/intervention_outcomes.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(given | {"n_boot": 100, "n_imputations": 5}, allow_unicode=True), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MHLIB_DATA", "MHLIB_SYNTHETIC", "MHLIB_HOME", "MHLIB_RUN_DIR"):
            patch.delenv(name, raising=False)
        simulate("small", destination=made.synthetic_root / "city",
                 truth_destination=made.synthetic_root.parent / "synthetic-truth" / "city")  # fmt: skip
        record = runs.run(made, plans.plan(made, path, language="en"), tell=lambda event: None)
    assert record["exit_code"] == 0, record["error"]
    source = open_source("synthetic:city", synthetic_root=made.synthetic_root)
    pupil = source.frame("pupil", columns=["pupil_pid"])["pupil_pid"].iloc[7]
    return made.reports / "demo/intervention_outcomes" / record["run_id"], Known.of(source), pupil


@pytest.fixture
def leaking(rendered, tmp_path):
    """A copy of the run, to plant into."""
    folder = tmp_path / "run"
    shutil.copytree(rendered[0], folder)
    return Planted(folder, rendered[2])


class Planted:
    """A run folder into which leaks are written."""

    def __init__(self, folder: Path, pupil: str) -> None:
        self.folder, self.pupil = folder, pupil
        self.internal = json.loads((folder / "internal.json").read_text("utf-8"))["elements"]

    def html(self, markup: str) -> None:
        self.change("report.en.html", lambda text: text.replace("</main>", f"{markup}</main>", 1))

    def change(self, name: str, how) -> None:
        path = self.folder / name
        before = path.read_text("utf-8-sig")
        after = how(before)
        assert after != before, f"nothing was planted in {name}"
        path.write_text(after, "utf-8")

    def notebook(self, how) -> None:
        def changed(text):
            notebook = json.loads(text)
            how(notebook)
            return json.dumps(notebook, ensure_ascii=False)

        self.change("executed.ipynb", changed)

    def elements(self) -> list[dict]:
        return _elements(json.loads((self.folder / "executed.ipynb").read_text("utf-8")))

    def hidden(self, kind: str) -> tuple[str, int, str, object]:
        """Element, row and column of a cell of a kind that the page hides, and its value."""
        for one in self.elements():
            for at, (row, own) in enumerate(
                zip(one.get("frame") or [], self.internal.get(one["name"], []), strict=False)
            ):
                for name, value in own.items():
                    gone = (
                        name in row
                        and row[name] is None
                        and isinstance(value, int | float)
                        and value == value
                        and value > 1
                    )
                    if gone and scanner_counts.kind_of(name, own) == kind and one["kind"] == "table":
                        return one["name"], at, name, value
        raise AssertionError(f"this report hides no {kind}")


def _elements(notebook: dict) -> list[dict]:
    return [output["data"][ELEMENT] for cell in notebook["cells"] for output in cell.get("outputs", [])]


def b64(raw: bytes | str) -> str:
    return base64.b64encode(raw.encode() if isinstance(raw, str) else raw).decode()


def tagged(run: Planted) -> str:
    return f"<p>{run.pupil[:3]}<b>{run.pupil[3:]}</b></p>"


def full_width(run: Planted) -> str:
    return "<p>" + "".join(chr(ord(sign) + 0xFEE0) for sign in run.pupil) + "</p>"


def workbook(run: Planted) -> bytes:
    """A spreadsheet as Excel writes it: a zip archive of XML."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst><si><t>{run.pupil}</t></si></sst>")
    return stream.getvalue()


def picture(words: str) -> bytes:
    """A PNG of one point that carries words."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return (b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", b"Comment\0" + words.encode()) + chunk(b"IDAT", zlib.compress(b"\0\0"))
            + chunk(b"IEND", b""))  # fmt: skip


def percents(words: str) -> str:
    return "".join(f"%{ord(sign):02x}" for sign in words)


def escapes(words: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" for sign in words)


def raw_deflate(words: str) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(words.encode()) + machine.flush()


# A pupil's identifier, hidden in the page in every way that a library or a hand may hide it.
DOORS = {
    "plain": lambda run: f"<p>{run.pupil}</p>",
    "across tags": tagged,
    "full-width figures": full_width,
    "character references": lambda run: "<p>" + "".join(f"&#{ord(sign)};" for sign in run.pupil) + "</p>",
    "attribute": lambda run: f'<p data-row="{run.pupil}">.</p>',
    "comment": lambda run: f"<!-- {run.pupil} -->",
    "script": lambda run: f"<script>var rows = {{'a': '{run.pupil}'}};</script>",
    "style": lambda run: f"<style>p::after {{content: '{run.pupil}'}}</style>",
    "percent signs": lambda run: '<a href="x?p=' + percents(run.pupil) + '">.</a>',
    "percent signs twice": lambda run: '<a href="x?p=' + quote(percents(run.pupil)) + '">.</a>',
    "base64": lambda run: f'<p data-x="{b64(run.pupil)}">.</p>',
    "base64 of gzip": lambda run: f'<script>f("{b64(gzip.compress(run.pupil.encode()))}")</script>',
    "base64 of zlib": lambda run: f'<script>f("{b64(zlib.compress(run.pupil.encode()))}")</script>',
    "base64 of deflate": lambda run: '<script>f("' + b64(raw_deflate(f"one two three {run.pupil} four")) + '")</script>',
    "hexadecimal": lambda run: f"<script>f('{run.pupil.encode().hex()}')</script>",
    "escapes": lambda run: "<script>f('" + escapes(run.pupil) + "')</script>",
    "data URI of CSV": lambda run: '<a href="data:text/csv;base64,' + b64(f"id,score\n{run.pupil},12\n") + '">.</a>',
    "data URI in percents": lambda run: f'<a href="data:text/csv,id%0A{run.pupil}">.</a>',
    "picture": lambda run: f'<img alt="." src="data:image/png;base64,{b64(picture(run.pupil))}">',
    "drawing": lambda run: f"<svg><text>{run.pupil}</text></svg>",
    "drawing in a data URI": lambda run: '<img src="data:image/svg+xml;base64,' + b64(f"<svg><desc>{run.pupil}</desc></svg>") + '">',
    "JSON within JSON": lambda run: f"<script>{json.dumps({'a': json.dumps({'b': json.dumps([run.pupil])})})}</script>",
    "UTF-16": lambda run: '<p data-x="' + b64(run.pupil.encode("utf-16")) + '">.</p>',
    "wrapped base64": lambda run: "<!-- " + base64.encodebytes(("word " * 30 + run.pupil).encode()).decode() + " -->",
    "three deep": lambda run: f'<p data-x="{b64(gzip.compress(b64(gzip.compress(b64(run.pupil).encode())).encode()))}">.</p>',
}  # fmt: skip


def test_the_clean_report_has_no_leak(rendered):
    folder, known, _ = rendered
    assert [str(leak) for leak in scan(folder, known=known)] == []


@pytest.mark.parametrize("door", DOORS)
def test_a_pupil_of_the_source_is_found_behind_every_door(leaking, rendered, door):
    leaking.html(DOORS[door](leaking))
    leaks = scan(leaking.folder / "report.en.html", known=rendered[1])
    assert {leak.kind for leak in leaks} & {"known_id", "pseudonym"} and {leak.file for leak in leaks} == {
        "report.en.html"
    }
    assert all(leaking.pupil not in str(leak) for leak in leaks)


def in_json(run):
    run.change(
        "run.json", lambda text: text.replace("{", '{"note": ' + json.dumps(json.dumps({"p": [run.pupil]})) + ",", 1)
    )


def in_metadata(run):
    run.notebook(lambda notebook: notebook["metadata"].update(last={"seen": run.pupil}))


def in_workbook(run):
    (run.folder / "tables/more.xlsx").write_bytes(workbook(run))


def in_a_file_name(run):
    (run.folder / f"tables/{run.pupil}.csv").write_text("a,b\n1,2\n")


def named_column(run):
    (run.folder / "tables/more.csv").write_text(f"姓名,分数\n{NAME},12\n", "utf-8-sig")


def numbers_of_everybody(run):
    most = max(row.get("n_used") or 0 for frame in run.internal.values() for row in frame)
    return list(range(10, 10 + int(most)))


def row_array(run):
    run.html(f"<script>var y = {json.dumps([one % 7 for one in numbers_of_everybody(run)])};</script>")


def typed_array(run):
    values = np.asarray(numbers_of_everybody(run), dtype="float32").tobytes()
    run.html(f"<script>{json.dumps({'y': {'dtype': 'f4', 'bdata': b64(values)}})}</script>")


def gzipped_array(run):
    run.html(
        f'<p data-y="{b64(gzip.compress(json.dumps([one % 5 for one in numbers_of_everybody(run)]).encode()))}">.</p>'
    )


def rows_as_a_table(run):
    frame = pd.DataFrame({"score": [one % 7 for one in numbers_of_everybody(run)]})
    run.html(frame.to_html())


def a_point_each(run):
    run.html("<svg>" + "".join(f'<circle cx="{one}" cy="{one % 9}" r="2"/>' for one in range(600)) + "</svg>")


def one_path_of_many(run):
    run.html("<svg><path d='" + " ".join(f"M {one} {one % 9} h 1" for one in range(600)) + "'/></svg>")


def more_marks_than_rows(run):
    """Sixty persons in a figure of the report's own that has few rows."""

    def more(text):
        svg = re.search(r'<svg[^>]*aria-labelledby="multiverse-en-title.*?</svg>', text, re.DOTALL).group(0)
        return text.replace(svg, svg.replace("</svg>", '<circle cx="1" cy="1" r="1"/>' * 60 + "</svg>"))

    run.change("report.en.html", more)


def unrounded_frame(run):
    def plus_one(notebook):
        row = next(
            row
            for one in _elements(notebook)
            if one["kind"] == "table"
            for row in one["frame"]
            if (row.get("n_used") or 0) > 9
        )
        row["n_used"] += 1

    run.notebook(plus_one)


def unrounded_record(run):
    def plus_one(text):
        record = json.loads(text)
        next(row for frame in record["estimates"].values() for row in frame if (row.get("n_used") or 0) > 9)[
            "n_used"
        ] += 1
        return json.dumps(record)

    run.change("run.json", plus_one)


def unrounded_cell(run):
    run.change("report.en.html", lambda text: re.sub(r"(>people used</th>.*?<td class=\"num\">\d*)([05])(</td></tr>)",
                                                    r"\g<1>3\g<3>", text, count=1, flags=re.DOTALL))  # fmt: skip


def exact_count(run):
    public = {one["name"]: one["frame"] for one in run.elements() if one.get("frame")}
    telling = scanner_counts.telling_counts(run.internal, public, PUBLIC)
    run.html(f"<p>All {max(telling):,} pupils answered.</p>")


def hidden_frame(run):
    name, at, column, value = run.hidden("count")

    def shown(notebook):
        next(one for one in _elements(notebook) if one["name"] == name)["frame"][at][column] = value

    run.notebook(shown)


def hidden_written_cell(run):
    name, *_ = run.hidden("count")
    run.change(f"tables/{name}.csv", lambda text: text.replace("—", "4", 1))


def hidden_sentence(run):
    name, _, _, value = run.hidden("count")
    frame = next(one["frame"] for one in run.elements() if one["name"] == name)
    hidden = scanner_counts.hidden_counts(frame, run.internal[name], PUBLIC)
    run.html(f"<p>{', '.join(next(names for names, number in hidden if number == value))}: {value}</p>")


def ungated(run):
    run.notebook(lambda notebook: notebook["cells"][2].update(
        outputs=[{"output_type": "stream", "name": "stdout", "text": "hello"}]))  # fmt: skip


def papermill_kept(run):
    run.notebook(lambda notebook: notebook["metadata"].update(papermill={"exception": None}))


def readable_internal(run):
    (run.folder / "internal.json").chmod(0o644)


def html(markup):
    return lambda run: run.html(markup)


# How it is planted, the kind that must be found, and the file that must be named.
PLANTS = {
    "identifier in a nested record": (in_json, "known_id", "run.json"),
    "identifier in the notebook's metadata": (in_metadata, "known_id", "executed.ipynb"),
    "identifier in a workbook": (in_workbook, "known_id", "tables/more.xlsx"),
    "identifier as a file's name": (in_a_file_name, "known_id", "file "),
    "name in a column of names": (named_column, "name", "tables/more.csv"),
    "name beside its label": (html(f"<p>学生姓名：{NAME}</p>"), "name", "report.en.html"),
    "name in Latin letters": (html("<table><tr><th>name</th></tr><tr><td>Wang Xiaoming</td></tr></table>"), "name", "report.en.html"),
    "student number in its column": (html("<table><tr><th>学号</th></tr><tr><td>0020250017</td></tr></table>"), "pseudonym",
                                     "report.en.html"),
    "keyed pseudonym": (html("<p>9f86d081884c7d659a2feaa0c55ad015</p>"), "pseudonym", "report.en.html"),
    "telephone": (html(f"<p>{PHONE}</p>"), "phone", "report.en.html"),
    "telephone in groups": (html("<p>+86 138-5741-2345</p>"), "phone", "report.en.html"),
    "identity number": (html(f"<p>{ID_CARD}</p>"), "id_card", "report.en.html"),
    "birth date": (html(f"<p>{BORN}</p>"), "birth_date", "report.en.html"),
    "birth date in Chinese": (html("<p>2012年5月13日</p>"), "birth_date", "report.en.html"),
    "birth month beside its label": (html("<p>出生年月：201205</p>"), "birth_date", "report.en.html"),
    "birth date as a key's value": (html('<script>{"birth_date": "20120513"}</script>'), "birth_date", "report.en.html"),
    "numbers of everybody": (row_array, "row_array", "report.en.html"),
    "numbers of everybody, packed": (gzipped_array, "row_array", "report.en.html"),
    "numbers of everybody as bytes": (typed_array, "row_array", "report.en.html"),
    "a table of everybody": (rows_as_a_table, "row_array", "report.en.html"),
    "a point a person": (a_point_each, "too_many_points", "report.en.html"),
    "a stroke a person": (one_path_of_many, "too_many_points", "report.en.html"),
    "more marks than rows": (more_marks_than_rows, "too_many_points", "report.en.html"),
    "count in a frame": (unrounded_frame, "unrounded_count", "executed.ipynb"),
    "count in the record": (unrounded_record, "unrounded_count", "run.json"),
    "count in a written table": (unrounded_cell, "unrounded_count", "report.en.html"),
    "count in a sentence": (exact_count, "exact_count", "report.en.html"),
    "hidden cell in a frame": (hidden_frame, "hidden_cell", "executed.ipynb"),
    "hidden cell in a written table": (hidden_written_cell, "hidden_cell", "tables/"),
    "hidden cell in a sentence": (hidden_sentence, "hidden_cell", "report.en.html"),
    "output beside the gate": (ungated, "ungated_output", "executed.ipynb"),
    "parameters kept by the runner": (papermill_kept, "half_run", "executed.ipynb"),
    "bureau's file that all may read": (readable_internal, "open_internal", "internal.json"),
    "path of a user": (html("<p>/home/wangxm/data.csv</p>"), "user_folder", "report.en.html"),
    "bytes that nothing opens": (html(f'<img alt="." src="data:application/x;base64,{b64(bytes(range(128, 256)) * 3)}">'), "opaque",
                                 "report.en.html"),
}  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS)
def test_every_kind_of_leak_is_caught(leaking, rendered, plant):
    how, kind, file = PLANTS[plant]
    how(leaking)
    changed = [one for one in leaking.folder.rglob("*") if one.is_file() and _differs(one, rendered[0], leaking.folder)]
    found = [leak for path in changed for leak in scan(path, known=rendered[1])]
    if plant.startswith(("bureau's", "identifier as")):
        found = scan(leaking.folder, known=rendered[1])
    assert any(leak.kind == kind and leak.file.startswith(file) for leak in found), [str(leak) for leak in found]
    told = " ".join(map(str, found))
    assert not any(value in told for value in (ID_CARD, PHONE, BORN, NAME, "Xiaoming", "wangxm", leaking.pupil))


def _differs(path: Path, origin: Path, copy: Path) -> bool:
    before = origin / path.relative_to(copy)
    return (
        not before.is_file() or before.read_bytes() != path.read_bytes() or before.stat().st_mode != path.stat().st_mode
    )


def test_a_pupil_is_found_without_the_source_too(leaking):
    leaking.html(f"<p>{leaking.pupil}</p>")
    assert {leak.kind for leak in scan(leaking.folder / "report.en.html")} == {"pseudonym"}
