"""What is refused before a kernel starts, what a kernel's own errors become, and the lock between runs."""

import pytest

from mhlib.errors import DataError, DisclosureError, ParamsError
from mhlib.workbench import plans, publish
from mhlib.workbench.execution import _cell_failure


class CellError(Exception):
    """As papermill tells of a cell: the class by name, the message as text."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(evalue)
        self.ename, self.evalue, self.cell_index = ename, evalue, 4
        self.traceback = [f"mhlib: {ename}: {evalue}" if ename != "ValueError" else f"{ename}: {evalue}"]


@pytest.mark.parametrize(
    ("ename", "code"),
    [("ParamsError", 10), ("DataError", 11), ("DesignError", 12), ("DisclosureError", 13), ("WorkbenchError", 20)],
)
def test_an_error_of_the_kernel_keeps_its_code_and_words(ename, code):
    failure = _cell_failure(CellError(ename, "load: 3 rows are wrong; 0-3; mend them"), None)
    assert (failure.exit_code, failure.kind, str(failure)) == (code, ename, "load: 3 rows are wrong; 0-3; mend them")


def test_any_other_error_of_the_kernel_is_told_by_its_class_alone():
    failure = _cell_failure(CellError("ValueError", "pupil 4711"), None)
    assert failure.exit_code == 20
    assert str(failure).startswith("cell 4: raised ValueError")
    assert "4711" not in str(failure)


def test_open_data_must_be_the_published_file(new_bench):
    with pytest.raises(DisclosureError, match="not the published file") as caught:
        new_bench.plan(disclosure="open_data", licence="CC BY 4.0", sha256="0" * 64)
    assert caught.value.exit_code == 13
    there = new_bench.plan().data_sha256
    assert new_bench.plan(disclosure="open_data", licence="CC BY 4.0", sha256=there).data_sha256 == there


@pytest.mark.parametrize("value", ["007", "12:30", "1e2", "yes", "~"])
def test_what_yaml_makes_of_a_number_is_not_taken_on_trust(new_bench, value):
    path = new_bench.params()
    path.write_text(path.read_text("utf-8").replace("conf_level: 0.95", f"conf_level: {value}"), "utf-8")
    with pytest.raises(ParamsError, match="conf_level must be"):
        plans.plan(new_bench.workspace, path)


def test_a_missing_source_and_a_missing_evaluation(new_bench):
    with pytest.raises(DataError, match="no such file or folder below the data root"):
        new_bench.plan(source="nowhere.csv")
    with pytest.raises(ParamsError, match=r"no evaluation tinny; tiny; did you mean tiny\?"):
        new_bench.plan(evaluation="tinny")
    assert not new_bench.workspace.reports.exists()


def test_the_parameters_cell_must_hold_what_the_schema_asks(new_bench):
    path = new_bench.workspace.notebook("tiny")
    path.write_text(path.read_text("utf-8").replace("highest = 3", "hightest = 3"), "utf-8")
    with pytest.raises(ParamsError) as caught:
        new_bench.plan()
    assert "parameter hightest is not in the schema" in str(caught.value)
    assert "parameter highest is missing from the parameters cell" in str(caught.value)


def test_the_lock_is_given_back(tmp_path):
    with publish.lock(tmp_path / "report", wait=0):
        pass
    with publish.lock(tmp_path / "report", wait=0):
        assert (tmp_path / "report" / ".lock").is_file()
