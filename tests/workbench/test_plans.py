"""What is refused before a kernel starts, what a kernel's own errors become, and the lock between runs."""

from dataclasses import replace

import pytest

from mhlib.errors import DataError, DisclosureError, ParamsError
from mhlib.workbench import plans, publish
from mhlib.workbench.execution import _cell_failure
from mhlib.workbench.releases import Release, earlier_releases, ledger_file, record_release


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


def out(bench, **changes) -> Release:
    """A release in the ledger."""
    made = Release(set_name="demo", name="other", evaluation="tiny", term="", policy={"audience": "public"}, render_key="r",
                   data_sha256="d", base_key="other", elements=("answer",))  # fmt: skip
    return record_release(ledger_file(bench.workspace), replace(made, **changes))


def test_only_what_a_reader_can_lay_beside_a_report_changes_its_key(new_bench):
    first = new_bench.plan()
    assert first.execution_key == first.base_key and first.earlier == ()
    out(new_bench, evaluation="another"), out(new_bench, term="3"), out(new_bench, policy={"audience": "open_data"})
    out(new_bench, base_key=first.base_key)
    assert new_bench.plan() == first
    known = out(new_bench, name="spring")
    later = new_bench.plan()
    assert (later.base_key, known in later.earlier) == (first.base_key, True)
    assert later.execution_key != first.execution_key and later.render_key != first.render_key
    assert out(new_bench, name="spring") == known and new_bench.plan() == later
    out(new_bench, name="spring", elements=("answer", "more"))
    assert new_bench.plan().execution_key != later.execution_key


def test_publishing_itself_changes_no_key_and_what_came_before_others_is_known(new_bench):
    """Its own first release was chosen without the other; its second was made by this very run."""
    own = new_bench.plan().base_key
    first, other = out(new_bench, name="tiny", base_key=own), out(new_bench)
    before = new_bench.plan()
    assert before.earlier == (first, other)
    out(new_bench, name="tiny", base_key=own, elements=("answer", "more"))
    assert new_bench.plan() == before


def test_published_data_know_no_ledger(new_bench):
    out(new_bench)
    there = new_bench.plan().data_sha256
    plan = new_bench.plan(disclosure="open_data", licence="CC BY 4.0", sha256=there)
    assert plan.earlier == () and plan.execution_key == plan.base_key


def test_without_a_whole_ledger_nothing_is_planned(new_bench):
    out(new_bench), out(new_bench, name="spring")
    path = ledger_file(new_bench.workspace)
    path.write_text(path.read_text("utf-8").replace('"other"', '"othar"', 1), "utf-8")
    for attempt in (new_bench.plan, lambda: plans.plan_all(new_bench.workspace, [new_bench.params()])):
        with pytest.raises(DisclosureError, match="the chain is broken at line 1") as caught:
            attempt()
        assert caught.value.exit_code == 13


def test_a_ledger_from_before_base_keys_is_read(new_bench):
    out(new_bench, base_key="")
    (found,) = earlier_releases(ledger_file(new_bench.workspace))
    assert found.base_key == "" and new_bench.plan().earlier == (found,)


def test_the_lock_is_given_back(tmp_path):
    with publish.lock(tmp_path / "report", wait=0):
        pass
    with publish.lock(tmp_path / "report", wait=0):
        assert (tmp_path / "report" / ".lock").is_file()
