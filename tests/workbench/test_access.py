"""An execution is written into the access log, and no notebook sees the key of the pseudonyms."""

import os

from mhlib.workbench import protection, releases, runs
from mhlib.workbench.execution import surroundings


def test_a_name_without_value_is_not_there_and_comes_back(monkeypatch):
    monkeypatch.setenv("MHLIB_KEY", "secret")
    monkeypatch.delenv("MHLIB_ABSENT", raising=False)
    with surroundings({"MHLIB_KEY": None, "MHLIB_ABSENT": None, "MHLIB_RUN_DIR": "here"}):
        assert "MHLIB_KEY" not in os.environ and os.environ["MHLIB_RUN_DIR"] == "here"
    assert os.environ["MHLIB_KEY"] == "secret" and "MHLIB_ABSENT" not in os.environ


def test_a_run_that_came_to_its_end_is_noted_with_its_rows_and_its_author(bench, monkeypatch):
    monkeypatch.setenv("MHLIB_PURPOSE", "term report")
    monkeypatch.setenv("MHLIB_AUTHOR", "analyst")
    record = bench.run(force=True)
    assert record["exit_code"] == 0 and record["author"] == "analyst"
    noted = releases.accesses(releases.access_file(bench.workspace))[-1]
    assert (noted.user, noted.purpose, noted.exit_code, noted.run_id) == ("analyst", "term report", 0, record["run_id"])
    assert noted.rows["read"] > 0 and noted.params_file.endswith("tiny.yml")


def test_a_run_that_failed_has_read_the_data_all_the_same(bench, monkeypatch):
    def dies(*given, **named):
        raise runs.NotebookFailed(runs.WorkbenchError("kernel", "died"), "DeadKernelError", None, None)

    monkeypatch.setattr(protection, "execute", dies)
    before = len(releases.accesses(releases.access_file(bench.workspace)))
    assert bench.run(force=True)["exit_code"] == 20
    noted = releases.accesses(releases.access_file(bench.workspace))
    assert len(noted) == before + 1 and noted[-1].exit_code == 20 and noted[-1].rows == {}
