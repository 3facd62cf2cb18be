"""The command line: exit codes, one JSON line a stage, and no traceback for what a user can mend."""

import json
import subprocess
import sys

import pytest

from mhlib.__main__ import main
from mhlib.workbench.workspace import Workspace


@pytest.fixture
def mhlib(bench, monkeypatch, capsys):
    monkeypatch.setattr(Workspace, "here", classmethod(lambda cls: bench.workspace))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mhlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return call


def test_a_bad_key_ends_with_ten_and_one_message(mhlib, bench):
    before = bench.published()
    code, out, err = mhlib("run", bench.params(higest=3))
    assert code == 10
    assert "did you mean highest?" in err
    assert "Traceback" not in out + err
    assert bench.published() == before


def test_bad_data_end_with_eleven_before_any_kernel(mhlib, bench):
    before = bench.published()
    bench.people(column="answer")
    code, out, err = mhlib("run", bench.params())
    assert (code, out) == (11, "")
    assert "column item_1 is missing" in err
    assert bench.published() == before


def test_stages_are_told_a_line_each(mhlib, bench):
    code, out, _ = mhlib("run", bench.params(), "--language", "en")
    assert code == 0
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["executed before", "rendering", "published"]


def test_a_failed_run_gives_its_exit_code(mhlib, bench):
    code, out, _ = mhlib("run", bench.params(fault="raises"))
    assert code == 20
    assert json.loads(out.splitlines()[-1])["error"].endswith("run the notebook in JupyterLab to see it")


@pytest.mark.parametrize(
    ("pair", "text"),
    [("highest", "highest is no key=value"), ("highest=x", "highest must be"), ("highest=: [", "highest must be")],
)
def test_changes_are_held_to_the_schema(mhlib, bench, pair, text):
    code, _, err = mhlib("check", bench.params(), "--set", pair)
    assert code == 10
    assert text in err


def test_check_list_and_index(mhlib, bench):
    assert mhlib("check", bench.params(), "--set", "highest=4")[:2] == (0, "demo/tiny: ready to run\n")
    assert "highest answer allowed" in mhlib("list", "tiny")[1]
    assert "params/demo/tiny.yml\ttiny\t2026-03-20-" in mhlib("list")[1]
    assert mhlib("index")[:2] == (0, "index: reports/index.html\n")


def test_an_unknown_evaluation_is_met_with_a_hint(mhlib, bench):
    code, _, err = mhlib("list", "tinny")
    assert code == 10
    assert "did you mean tiny?" in err


def test_simulate_makes_a_city_once(mhlib, bench):
    assert mhlib("simulate", "--scale", "minimal")[0] == 0
    assert "nothing to do" in mhlib("simulate", "--scale", "minimal")[1]
    assert "nothing to do" not in mhlib("simulate", "--scale", "minimal", "--seed", "2")[1]
    assert (bench.workspace.root / "data" / "synthetic-truth" / "minimal").is_dir()


def test_a_folder_that_is_no_workspace(tmp_path, monkeypatch):
    from mhlib.errors import ParamsError

    monkeypatch.setenv("MHLIB_HOME", str(tmp_path))
    with pytest.raises(ParamsError, match="no folder with notebooks/ and params/ here or above"):
        Workspace.here()


def test_help_loads_nothing_heavy():
    code = (
        "import sys, mhlib.cli; heavy = {'pandas', 'numpy', 'papermill', 'nbconvert', 'ibis', 'scipy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
