"""Runs in their normal and their broken course: each fault has its message, its exit code, and the earlier report intact."""

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import tiny_notebook

from mhlib.errors import DataError, DisclosureError, ParamsError
from mhlib.workbench import plans, publish, runs
from mhlib.workbench.publish import lock

KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def go(tiny, *, events=None, **options):
    planned = plans.plan(tiny, tiny.root / "params/set/one.yml")
    tell = (events if events is not None else []).append
    return runs.run(tiny, planned, tell=tell, **options)


def page(tiny) -> bytes:
    return (tiny.reports / "set/one/latest.html").read_bytes()


def change(tiny, **values) -> None:
    path = tiny.root / "params/set/one.yml"
    lines = dict(line.split(": ", 1) for line in path.read_text().splitlines())
    path.write_text("\n".join(f"{k}: {v}" for k, v in (lines | {k: json.dumps(v) for k, v in values.items()}).items()))


def test_a_run_leaves_what_is_promised_and_the_second_is_skipped(tiny):
    record = go(tiny)
    folder = tiny.reports / "set/one" / record["run_id"]
    assert record["exit_code"] == 0 and record["estimates"] == {"answer": [{"n": 7}]}
    assert {path.name for path in folder.iterdir()} >= {"report.zh.html", "executed.ipynb", "run.json", "tables"}
    assert page(tiny) == (folder / "report.zh.html").read_bytes() and b"<p>7</p>" in page(tiny)
    events = []
    assert go(tiny, events=events)["skipped"] and events[-1]["event"] == "skipped"


def test_the_same_inputs_give_the_same_bytes(tiny):
    go(tiny)
    first = page(tiny)
    go(tiny, force=True)
    assert page(tiny) == first


def test_a_second_language_is_rendered_without_another_execution(tiny):
    go(tiny)
    events = []
    planned = plans.plan(tiny, tiny.root / "params/set/one.yml", language="en")
    runs.run(tiny, planned, tell=events.append)
    assert [event["event"] for event in events] == ["executed before", "rendering", "published"]
    assert b'lang="en"' in (tiny.reports / "set/one/latest.en.html").read_bytes()
    assert b'lang="zh-CN"' in page(tiny)


def test_every_part_of_the_key_counts(tiny):
    def keys():
        planned = plans.plan(tiny, tiny.root / "params/set/one.yml")
        return planned.execution_key, planned.render_key

    seen = [keys()]
    change(tiny, number=8)
    seen.append(keys())
    (tiny.root / "data/rows.csv").write_text("id\n2\n")
    seen.append(keys())
    tiny_notebook(tiny.root / "notebooks/tiny.ipynb", "1 + 1;")
    seen.append(keys())
    assert len({execution for execution, _ in seen}) == 4
    change(tiny, language="en")
    execution, render = keys()
    assert execution == seen[-1][0] and render != seen[-1][1]


@pytest.mark.parametrize(
    ("cell", "code", "text"),
    [
        (KILL, 20, "the kernel died"),
        ("import sys\nsys.exit(0)", 20, "cells ran"),
        ("1 / 0", 20, "raised ZeroDivisionError"),
        ("from mhlib.errors import DataError\nraise DataError('t.csv', 'column x is missing')", 11, "t.csv: column x is missing"),
        ("from mhlib.errors import DesignError\nraise DesignError('roc()', 'no case')", 12, "roc(): no case"),
        ("print('name of a pupil')", 13, "did not pass the gate"),
        ("number = 0", 20, "the report lacks answer"),
    ],
)  # fmt: skip
def test_a_failing_notebook_leaves_the_earlier_report_and_says_why(tiny, cell, code, text):
    go(tiny)
    before = page(tiny)
    tiny_notebook(tiny.root / "notebooks/tiny.ipynb", cell)
    record = go(tiny)
    assert record["exit_code"] == code and text in record["error"]
    assert page(tiny) == before
    kept = json.loads((tiny.reports / "set/one/failed/run.json").read_text())
    assert kept["exit_code"] == code
    half = tiny.reports / "set/one/failed/half-run.ipynb"
    assert not half.exists() or "name of a pupil" not in half.read_text().replace("print('name of a pupil')", "")


def test_a_run_that_takes_too_long(tiny):
    tiny_notebook(tiny.root / "notebooks/tiny.ipynb", "import time\ntime.sleep(30)")
    record = go(tiny, timeout=1)
    assert record["exit_code"] == 20 and "a cell ran longer than 1 seconds" in record["error"]


def test_a_later_success_clears_the_failure(tiny):
    tiny_notebook(tiny.root / "notebooks/tiny.ipynb", "1 / 0")
    go(tiny)
    tiny_notebook(tiny.root / "notebooks/tiny.ipynb")
    go(tiny)
    assert not (tiny.reports / "set/one/failed").exists()


def test_a_full_disk(tiny, monkeypatch):
    go(tiny)
    before = page(tiny)
    change(tiny, number=9)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "report")

    monkeypatch.setattr(publish.os, "replace", full)
    record = go(tiny)
    monkeypatch.undo()
    assert record["exit_code"] == 20 and "No space left on device" in record["error"]
    assert page(tiny) == before


def test_a_folder_that_cannot_be_written(tiny):
    (tiny.reports / "set").write_text("a file where a folder should be")
    record = go(tiny)
    assert record["exit_code"] == 20 and "cannot be written" in record["error"]


def test_two_runs_at_once(tiny):
    go(tiny)
    before = page(tiny)
    change(tiny, number=9)
    with lock(tiny.reports / "set/one", wait=0):
        record = go(tiny, wait=0.1)
    assert record["exit_code"] == 20 and "another run is writing this report" in record["error"]
    assert page(tiny) == before


def test_the_lock_is_given_back(tiny):
    with lock(tiny.reports / "a", wait=0), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: lock(tiny.reports / "a", wait=5).__enter__())
        assert not waiting.done()
    assert waiting.exception() is None


def test_workers_overlap(tiny):
    import sys

    tiny_notebook(tiny.root / "notebooks/tiny.ipynb", "import time\ntime.sleep(3)")
    text = (tiny.root / "params/set/one.yml").read_text()
    (tiny.root / "params/set/two.yml").write_text(text)
    planned = plans.plan_all(tiny, [tiny.root / f"params/set/{name}.yml" for name in ("one", "two")])
    # The second has its own data, or it would find the first one's execution in the store.
    from dataclasses import replace

    planned[1] = replace(planned[1], execution_key="0" * 64)
    assert str(tiny.root) in sys.path
    records = runs.run_all(tiny, planned, workers=2, tell=lambda event: None)
    spans = [(record["started"], record["started"] + record["seconds"]) for record in records]
    assert [record["exit_code"] for record in records] == [0, 0]
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_internal_files_are_for_the_owner_only(real, monkeypatch):
    internal = sorted(Path(real).glob("reports/demo/*/*/internal.json"))
    if not internal:
        pytest.skip("the true evaluation has not run in this session")
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in internal)


def test_a_typo_a_wrong_type_and_a_missing_key_are_told_together(tiny):
    path = tiny.root / "params/set/one.yml"
    path.write_text(
        path.read_text().replace("number: 7", 'numbr: 7\nconf_level: "high"').replace('as_of: "2026-01-01"', "")
    )
    with pytest.raises(ParamsError, match="key conf_level is given twice"):
        plans.plan(tiny, path)
    path.write_text(path.read_text().replace("conf_level: 0.95", ""))
    with pytest.raises(ParamsError) as error:
        plans.plan(tiny, path)
    text = str(error.value)
    assert "3 problems" in text and "unknown key numbr; did you mean number?" in text
    assert "as_of is missing" in text and "conf_level must be a valid number" in text


@pytest.mark.parametrize(
    ("line", "text"), [("number: 007x", "number"), ("number: 12:30", "number"), ("number: true", "number")]
)
def test_yaml_traps_end_in_an_error(tiny, line, text):
    path = tiny.root / "params/set/one.yml"
    path.write_text(path.read_text().replace("number: 7", line) if line != "number: 12:30" else
                    path.read_text().replace("number: 7", "number: 0.5"))  # fmt: skip
    with pytest.raises(ParamsError, match=text):
        plans.plan(tiny, path)


def test_a_deleted_parameters_tag(tiny):
    path = tiny.root / "notebooks/tiny.ipynb"
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(ParamsError, match="0 cells are tagged parameters; exactly one"):
        plans.plan(tiny, tiny.root / "params/set/one.yml")


def test_nothing_runs_when_one_of_two_files_is_bad(tiny):
    (tiny.root / "params/set/two.yml").write_text("evaluation: tinny\n")
    with pytest.raises(ParamsError, match=r"no evaluation tinny; tiny; did you mean tiny\?"):
        plans.plan_all(tiny, [tiny.root / f"params/set/{name}.yml" for name in ("one", "two")])
    assert not list(tiny.reports.iterdir())


def test_open_data_needs_the_published_file(tiny):
    change(tiny, disclosure="open_data")
    with pytest.raises(DisclosureError, match="open_data without licence and sha256"):
        plans.plan(tiny, tiny.root / "params/set/one.yml")
    change(tiny, licence="GPL-3", sha256="0" * 64)
    with pytest.raises(DisclosureError, match="not the published file"):
        plans.plan(tiny, tiny.root / "params/set/one.yml")
    change(tiny, columns={"school_pid": "school"})
    with pytest.raises(DisclosureError, match="a source of pupils"):
        plans.plan(tiny, tiny.root / "params/set/one.yml")


def test_a_missing_source(tiny):
    change(tiny, source="nowhere.csv")
    with pytest.raises(DataError, match="no such file or folder below the data root"):
        plans.plan(tiny, tiny.root / "params/set/one.yml")
