"""A run publishes all of its report or nothing; what has not changed is not run again."""

import json
import stat
import subprocess
import sys
from pathlib import Path

from mhlib.workbench import keys, runs
from mhlib.workbench.index import write_index
from mhlib.workbench.listing import last_run

SKIP = """
import json, sys, time
from pathlib import Path
from mhlib import cli
from mhlib.workbench import keys
from mhlib.workbench.workspace import Workspace
bench = Workspace(Path(sys.argv[1]), analyses_package="fake_evaluations")
real, frozen = keys.source_sha256, json.loads(sys.argv[2])
# The sources are read, as in life, but taken as they were when this session began: see the fixture.
keys.source_sha256 = lambda *, rendering: (real(rendering=rendering), frozen[rendering])[1]
Workspace.here = classmethod(lambda cls: bench)
cli.app(["run", str(bench.root / "params/demo/tiny.yml")], standalone_mode=False)
heavy = [name for name in ("papermill", "nbconvert", "nbclient", "seaborn", "matplotlib") if name in sys.modules]
print(json.dumps({"heavy": heavy, "seconds": time.process_time()}))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_promised_is_published(bench, published_once):
    record = published_once[1]
    assert record["exit_code"] == 0, record["error"]
    folder = bench.report / record["run_id"]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {
        "report.zh.html", "executed.ipynb", "run.json", "internal.json", "internal/people.csv", "protection.json",
            "tables/counts.csv",
    }  # fmt: skip
    page = (folder / "report.zh.html").read_bytes()
    assert page == (bench.report / "latest.zh.html").read_bytes() == (bench.report / "latest.html").read_bytes()
    assert mode(folder / "internal.json") == mode(folder / "internal" / "people.csv") == 0o600
    assert mode(folder / "internal") == 0o700


def test_the_record_tells_the_run_and_nothing_of_a_pupil(bench, published_once):
    text = (bench.report / published_once[1]["run_id"] / "run.json").read_text("utf-8")
    record = json.loads(text)
    assert record["params"]["highest"] == 3
    assert record["rows"] == 60
    assert record["estimates"]["counts"][0]["n"] == 60
    assert set(record["stages"]) == {"execute", "render"}
    assert len(record["execution_key"]) == len(record["render_key"]) == len(record["data_sha256"]) == 64
    assert "p17" not in text
    assert str(bench.workspace.root.parent) not in text


def test_the_same_inputs_give_the_same_bytes(bench):
    before = bench.published()
    assert bench.run(force=True)["exit_code"] == 0
    assert "executing" in [event["event"] for event in bench.events]
    after = bench.published()
    pages = [name for name in before if name.endswith((".html", ".csv"))]
    assert set(before) == set(after)
    assert {name: before[name] for name in pages} == {name: after[name] for name in pages}


def test_what_has_not_changed_is_skipped_without_the_heavy_libraries(bench):
    before = bench.published()
    frozen = json.dumps([keys.source_sha256(rendering=False), keys.source_sha256(rendering=True)])
    command = [sys.executable, "-c", SKIP, str(bench.workspace.root), frozen]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told, spent = (json.loads(line) for line in done.stdout.splitlines())
    assert told["event"] == "skipped"
    assert spent["heavy"] == []
    assert spent["seconds"] < 2
    assert bench.published() == before


def test_the_other_language_comes_from_the_same_execution(bench):
    assert bench.run(language="en")["exit_code"] == 0
    assert [event["event"] for event in bench.events] == ["executed before", "rendering", "published"]
    assert b'lang="en"' in (bench.report / "latest.en.html").read_bytes()[:400]
    assert (bench.report / "latest.html").read_bytes() == (bench.report / "latest.zh.html").read_bytes()


def test_each_part_of_a_key_moves_it(bench):
    first = bench.plan()
    assert bench.plan(language="en").execution_key == first.execution_key
    assert bench.plan(language="en").render_key != first.render_key
    assert bench.plan(seed=8).execution_key != first.execution_key
    path = bench.workspace.notebook("tiny")
    text = path.read_text("utf-8")
    path.write_text(text.replace("How many answered?", "How many?"), "utf-8")
    assert bench.plan().execution_key != first.execution_key
    path.write_text(text, "utf-8")
    assert bench.plan().execution_key == first.execution_key
    bench.people(answers=(0, 1, 2))
    assert bench.plan().execution_key != first.execution_key


def test_a_failure_is_marked_until_the_report_is_published_again(bench):
    path = bench.params()
    assert bench.run(fault="raises")["exit_code"] == 20
    bench.params()
    assert last_run(bench.workspace, path) == "failed with exit code 20: ZeroDivisionError"
    page = write_index(bench.workspace).read_text("utf-8")
    assert "last run failed: ZeroDivisionError" in page
    assert "demo/tiny/latest.zh.html" in page
    assert bench.run()["exit_code"] == 0
    assert "executing" not in [event["event"] for event in bench.events[-3:]]
    assert "last run failed" not in write_index(bench.workspace).read_text("utf-8")


def test_the_index_stands_alone_and_passes_over_a_first_run_that_has_not_ended(bench):
    bench.workspace.reports.joinpath("demo", "begun").mkdir()
    page = write_index(bench.workspace).read_text("utf-8")
    assert 'lang="zh-CN"' in page
    assert "2026-03-20" in page
    assert "begun" not in page
    assert "http" not in page


def test_workers_run_side_by_side_and_one_failure_stops_no_other(bench):
    planned = [bench.plan(name, fault="sleeps", seconds=2.0) for name in ("one", "two")]
    planned.append(bench.plan("three", fault="raises"))
    records = runs.run_all(bench.workspace, planned, workers=2, tell=bench.events.append)
    by_name = {record["name"]: record for record in records}
    assert {name: record["exit_code"] for name, record in by_name.items()} == {"one": 0, "two": 0, "three": 20}
    spans = [(by_name[name]["started"], by_name[name]["started"] + by_name[name]["seconds"]) for name in ("one", "two")]
    assert max(start for start, _ in spans) < min(end for _, end in spans), spans
    assert [event["event"] for event in bench.events].count("published") == 2


def test_two_runs_of_one_report_at_once_never_both_write(bench):
    planned = bench.plan(fault="sleeps", seconds=0.5)
    records = runs.run_all(
        bench.workspace, [planned, planned], workers=2, tell=bench.events.append, force=True, wait=60
    )  # fmt: skip
    assert [record["exit_code"] for record in records] == [0, 0]
    spans = sorted(record["started"] + record["seconds"] for record in records)
    assert spans[1] - spans[0] > 0.5, "the second waited for the first"
    page = (bench.report / planned.run_id / "report.zh.html").read_bytes()
    assert page == (bench.report / "latest.html").read_bytes()
    assert not list((bench.workspace.reports / ".scratch").iterdir())
