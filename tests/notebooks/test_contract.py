"""Every notebook keeps the house's contract: thin, answer first, parameters equal to the demo file."""

from pathlib import Path

import pytest

from mhlib.workbench.notebooks import notebook_problems

ROOT = Path(__file__).resolve().parents[2]
EVALUATIONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem != "explore")


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_the_notebook_keeps_the_contract(evaluation):
    assert notebook_problems(ROOT / "notebooks" / f"{evaluation}.ipynb") == []


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_an_evaluation_is_four_files(evaluation):
    for path in (
        f"mhlib/analyses/{evaluation}.py",
        f"params/demo/{evaluation}.yml",
        f"tests/analyses/test_{evaluation}.py",
    ):
        assert (ROOT / path).is_file(), path


def test_there_is_a_notebook_for_each_analysis():
    modules = {path.stem for path in (ROOT / "mhlib" / "analyses").glob("*.py")} - {"__init__", "sections"}
    assert modules == set(EVALUATIONS)
