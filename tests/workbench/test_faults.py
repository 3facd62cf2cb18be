"""Each fault has its exit code and its words, keeps the half-run notebook, and leaves the former report byte for byte."""

import errno
import json
import os

import nbformat
import pytest

from mhlib.errors import DataError, MhlibError, ParamsError, WorkbenchError
from mhlib.workbench import plans, publish, runs

VALUE = "4711081547"


def untouched(bench, before, record, code, text):
    assert record["exit_code"] == code, record["error"]
    assert text in record["error"]
    assert bench.published() == before
    assert bench.events[-1]["event"] == "failed"
    assert VALUE not in json.dumps([record["error"], bench.events])


def kept(bench) -> nbformat.NotebookNode:
    record = json.loads((bench.report / "failed" / "run.json").read_text("utf-8"))
    assert record["exit_code"] in (11, 13, 20)
    text = (bench.report / "failed" / "half-run.ipynb").read_text("utf-8")
    assert VALUE not in text
    return nbformat.reads(text, as_version=4)


def test_a_typing_error_in_a_key_names_the_key_meant(bench):
    before = bench.published()
    bench.params(higest=3)
    with pytest.raises(ParamsError, match=r"unknown key higest; did you mean highest\?") as caught:
        plans.plan_all(bench.workspace, [bench.workspace.root / "params/demo/tiny.yml"])
    assert caught.value.exit_code == 10
    assert bench.published() == before


def test_a_wrong_type_is_told_with_its_unit(bench):
    before = bench.published()
    with pytest.raises(ParamsError, match=r"highest must be a valid integer \(highest answer allowed, points\)"):
        bench.plan(highest="3")
    assert bench.published() == before


def test_every_problem_of_every_file_is_told_and_nothing_runs(bench):
    files = [bench.params("a", higest=3, conf_level=95.0), bench.params("b", source="nowhere.csv")]
    with pytest.raises(MhlibError) as caught:
        plans.plan_all(bench.workspace, files)
    assert all(part in str(caught.value) for part in ("higest", "conf_level", "nowhere.csv"))
    assert caught.value.exit_code == 11


def test_one_report_asked_for_twice_is_refused(bench):
    path = bench.params()
    with pytest.raises(ParamsError, match="demo/tiny is asked for twice"):
        plans.plan_all(bench.workspace, [path, path])


def test_a_missing_column_found_by_the_kernel(bench):
    before = bench.published()
    bench.people(column="answer")
    untouched(bench, before, bench.run(), 11, "people.csv: column item_1 is missing; map it under columns:")
    errors = [output for cell in kept(bench).cells for output in cell.get("outputs", [])]
    assert [(error["ename"], error["traceback"]) for error in errors] == [("DataError", [])]


def test_an_item_out_of_range_is_counted_and_not_quoted(bench):
    before = bench.published()
    bench.people(answers=(0, 1, int(VALUE), 2, int(VALUE)))
    untouched(bench, before, bench.run(), 11, "item_1 is out of range in 2 rows; 0-3")
    kept(bench)


def test_the_data_are_held_to_their_contract_before_any_kernel(bench, monkeypatch):
    bench.people(column="answer")
    planned = bench.plan()
    monkeypatch.chdir("/")
    with pytest.raises(DataError, match="column item_1 is missing"):
        plans.check_data(bench.workspace, planned)
    assert "MHLIB_DATA" not in os.environ


def test_a_deleted_parameters_tag(bench):
    before = bench.published()
    path = bench.workspace.notebook("tiny")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = []
    nbformat.write(notebook, path)
    with pytest.raises(ParamsError, match="0 cells are tagged parameters; exactly one") as caught:
        bench.plan()
    assert caught.value.exit_code == 10
    assert bench.published() == before


@pytest.mark.parametrize(
    ("fault", "code", "text", "kind"),
    [
        ("killed", 20, "kernel: the kernel died; look for a lack of memory", "DeadKernelError"),
        ("exits", 20, "no cell may end the kernel", None),
        ("raises", 20, "raised ZeroDivisionError", "ZeroDivisionError"),
        ("prints", 13, "did not pass the gate", "DisclosureError"),
        ("shows", 13, "an output of type display_data did not pass the gate", "DisclosureError"),
        ("forges", 13, "element forged: its counts did not pass the gate", "DisclosureError"),
    ],
)
def test_a_kernel_that_ends_badly(bench, fault, code, text, kind):
    before = bench.published()
    record = bench.run(fault=fault)
    untouched(bench, before, record, code, text)
    assert kind is None or record["error_class"] == kind
    shown = [output for cell in kept(bench).cells for output in cell.get("outputs", [])]
    assert any("vnd.mhlib.element" in key for output in shown for key in output.get("data", {})), "the cells that ran"


def test_a_cell_beyond_its_time(bench):
    before = bench.published()
    record = bench.run(fault="sleeps", seconds=60.0, timeout=4)
    untouched(bench, before, record, 20, "a cell ran longer than 4 seconds; raise --timeout")
    kept(bench)


def test_a_report_without_a_required_element(bench):
    path, before = bench.workspace.notebook("tiny"), bench.published()
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[5]
    nbformat.write(notebook, path)
    untouched(bench, before, bench.run(), 20, "the report lacks counts")
    kept(bench)


def test_a_file_where_the_folder_should_be(bench):
    before = bench.published()
    bench.workspace.reports.joinpath("other").write_text("in the way")
    folder = bench.workspace.root / "params" / "other"
    bench.params().rename(folder.mkdir() or folder / "tiny.yml")
    planned = plans.plan(bench.workspace, folder / "tiny.yml")
    record = runs.run(bench.workspace, planned, tell=bench.events.append)
    untouched(bench, before, record, 20, "cannot be written")


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_publishing(bench, monkeypatch):
    before = bench.published()
    monkeypatch.setattr(publish.os, "replace", full_disk)
    record = bench.run(language="en")
    untouched(bench, before, record, 20, "cannot be written (No space left on device); free space")
    assert {"run": "demo/tiny", "event": "failure not kept", "error": "WorkbenchError"} in bench.events
    assert not list((bench.workspace.reports / ".scratch").iterdir())


def test_a_full_disk_brings_back_the_folder_that_was_to_be_replaced(tmp_path, monkeypatch):
    for name, text in (("new", "second"), ("report", "first")):
        tmp_path.joinpath(name).mkdir()
        tmp_path.joinpath(name, "page").write_text(text)
    monkeypatch.setattr(publish.os, "replace", full_disk)
    with pytest.raises(WorkbenchError, match="No space left"):
        publish.move_into_place(tmp_path / "new", tmp_path / "report")
    assert tmp_path.joinpath("report", "page").read_text() == "first"
    assert not tmp_path.joinpath(".report.former").exists()


def test_a_fault_of_ours_is_told_by_class_and_place(bench, monkeypatch):
    def broken(*_):
        raise KeyError(VALUE)

    before = bench.published()
    monkeypatch.setattr(runs, "_render", broken)
    untouched(bench, before, bench.run(language="en"), 20, "a fault in mhlib (KeyError in test_faults.py line")


def test_a_report_that_another_run_is_writing(bench):
    before = bench.published()
    with publish.lock(bench.report, wait=0):
        record = bench.run(force=True, wait=0.2)
    untouched(bench, before, record, 20, "another run is writing this report; wait for it to end")
    assert not (bench.report / "failed").exists()


def test_a_librarys_error_of_the_same_name_keeps_its_words_to_itself():
    from mhlib.errors import MARK
    from mhlib.workbench.execution import _own_error

    assert _own_error("DataError", [f"{MARK}DataError: t.csv: column x is missing"]) is not None
    assert _own_error("DataError", ["Traceback (most recent call last)", "DataError: value 'Li Lei'"]) is None
    assert _own_error("KeyError", [f"{MARK}KeyError: x"]) is None
