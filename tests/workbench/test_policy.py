"""The disclosure policy in force: part of the key, seen by the kernel, told by check and doctor."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from mhlib.__main__ import main
from mhlib.errors import ParamsError
from mhlib.report.policy import FILE
from mhlib.workbench import doctor, plans
from mhlib.workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def write(bench, text: str) -> None:
    bench.workspace.root.joinpath(FILE).write_text(text, encoding="utf-8")


def test_the_numbers_of_the_reports_own_audience_are_part_of_both_keys(new_bench):
    built_in, closed = new_bench.plan(), new_bench.plan(disclosure="closed")
    for name in (
        "min_cell: 15",
        "round_to: 10",
        "min_denominator: 31",
        "min_sensitive: 25",
        "group_share: 0.8",
        "width: 11",
    ):
        write(new_bench, f"public: {{{name}}}")
        tighter = new_bench.plan()
        assert tighter.execution_key != built_in.execution_key and tighter.render_key != built_in.render_key, name
    write(new_bench, "closed: {min_cell: 15}")
    assert new_bench.plan() == built_in, "nothing that the public sees has changed"
    assert new_bench.plan(disclosure="closed").execution_key != closed.execution_key


def test_a_file_of_the_built_in_numbers_changes_no_key(new_bench):
    before = new_bench.plan()
    shutil.copy(ROOT / FILE, new_bench.workspace.root / FILE)
    assert new_bench.plan() == before


def test_the_kernel_reads_the_same_file(bench):
    assert "rows" in json.loads((bench.report / bench.plan().run_id / "run.json").read_text("utf-8"))
    shown = [bench.run()["skipped"]]
    write(bench, "public: {min_cell: 65, min_sensitive: 65}")  # sixty pupils answered
    record = bench.run()
    assert (shown, record["exit_code"], record["rows"]) == ([True], 0, None)
    assert {row["n"] for row in record["estimates"]["counts"]} == {None}


def test_a_bad_policy_is_told_once_for_all_files_and_nothing_runs(new_bench):
    write(new_bench, "public: {min_cell: 9}")
    files = [new_bench.params("one"), new_bench.params("two")]
    with pytest.raises(ParamsError) as caught:
        plans.plan_all(new_bench.workspace, files)
    assert caught.value.exit_code == 10 and caught.value.where == FILE
    assert str(caught.value).count("public.min_cell must be") == 1


def test_check_ends_with_ten_and_names_the_key(new_bench, monkeypatch, capsys):
    write(new_bench, "closed: {min_cells: 10}")
    monkeypatch.setattr(Workspace, "here", classmethod(lambda cls: new_bench.workspace))
    monkeypatch.setattr(sys, "argv", ["mhlib", "check", str(new_bench.params())])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 10 and "unknown key closed.min_cells" in capsys.readouterr().err


def test_the_doctor_prints_the_numbers_in_force(new_bench):
    said = {what: (text, ok) for what, text, ok in doctor.findings(new_bench.workspace)}
    numbers = "min_cell 10, round_to 5, min_denominator 30, min_sensitive 20, group_share 0.9, width 10 (built in)"
    assert said["disclosure policy, public"] == (numbers, True)
    write(new_bench, "closed: {min_cell: 15}")
    said = {what: (text, ok) for what, text, ok in doctor.findings(new_bench.workspace)}
    text, ok = said["disclosure policy, closed"]
    assert ok and text.startswith("min_cell 15, ") and text.endswith("width 15 (params/disclosure.yml)")


def test_a_bad_policy_is_a_finding_of_the_doctor(new_bench):
    write(new_bench, "public: {round_to: 3}")
    said = {what: (text, ok) for what, text, ok in doctor.findings(new_bench.workspace)}
    text, ok = said["disclosure policy"]
    assert not ok and "public.round_to must be a multiple of 5" in text


@pytest.mark.parametrize("place", ["school_pid", "class_pid"])
def test_a_sensitive_scale_by_place_is_refused_before_any_kernel(tmp_path, monkeypatch, place):
    for name in ("params/demo", "data"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    rows = [f"p{number},S{number % 2},C{number % 4},{number % 5},{number % 2}" for number in range(40)]
    (tmp_path / "data" / "wave.csv").write_text(
        "\n".join(["pupil_pid,school_pid,class_pid,score,sex", *rows]) + "\n", encoding="utf-8"
    )
    given = {"evaluation": "screening_validity", "source": "wave.csv", "as_of": "2026-03-20", "seed": 1, "scale": "dsi_ss",
             "cutoff": 2, "verification": "none", "reference_timing": "concurrent"}  # fmt: skip
    path = tmp_path / "params" / "demo" / "spring.yml"
    monkeypatch.delenv("MHLIB_DATA", raising=False)
    for groups in (["sex"], ["sex", place]):
        path.write_text(yaml.safe_dump(given | {"groups": groups}), encoding="utf-8")
        workspace = Workspace(tmp_path)
        planned = plans.plan(workspace, path)
        if place not in groups:
            plans.check_data(workspace, planned)
            continue
        with pytest.raises(ParamsError, match=f"groups: {place} may tell a place"):
            plans.check_data(workspace, planned)
