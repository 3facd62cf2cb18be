"""A notebook that breaks the contract is told each way in which it does."""

import nbformat
import pytest

from mhlib.workbench.notebooks import notebook_problems


@pytest.fixture
def problems(new_bench):
    path = new_bench.workspace.notebook("tiny")

    def after(change) -> list[str]:
        notebook = nbformat.read(path, as_version=4)
        change(notebook.cells)
        nbformat.write(notebook, path)
        return notebook_problems(path)

    return after


def source(cells, number, text):
    cells[number].source = text


def test_the_fake_notebook_keeps_the_contract(problems):
    assert problems(lambda cells: None) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda cells: cells[1].metadata.update(tags=[]), "0 cells are tagged parameters"),
        (lambda cells: cells[2].metadata.update(tags=["parameters"]), "2 cells are tagged parameters"),
        (lambda cells: source(cells, 1, cells[1].source.replace("seed = 7", "seed = 8")), "parameter seed differs"),
        (lambda cells: source(cells, 1, cells[1].source + "\nmore = 1"), "differ in names or order"),
        (lambda cells: source(cells, 1, "import os"), "holds more than name = value lines"),
        (lambda cells: source(cells, 1, "seed = open('x')"), "parameter seed is not a plain value"),
        (lambda cells: source(cells, 3, "\n".join("pass" for _ in range(9))), "9 lines; at most 8"),
        (lambda cells: source(cells, 3, "def f(): pass"), "holds FunctionDef"),
        (lambda cells: source(cells, 3, "class A: pass"), "holds ClassDef"),
        (lambda cells: source(cells, 3, "if view: pass"), "holds If"),
        (lambda cells: source(cells, 3, "for x in data: pass"), "holds For"),
        (lambda cells: source(cells, 3, "while view: pass"), "holds While"),
        (lambda cells: source(cells, 3, "try:\n    view\nfinally:\n    view"), "holds Try"),
        (lambda cells: source(cells, 3, "with view: pass"), "holds With"),
        (lambda cells: source(cells, 3, "view.answer(key=lambda x: x)"), "holds Lambda"),
        (lambda cells: source(cells, 0, "Tiny"), "0 first-level headings"),
        (lambda cells: source(cells, 0, "# Tiny\n\n# Twice"), "2 first-level headings"),
        (lambda cells: cells[3].outputs.append(nbformat.v4.new_output("stream", text="x")), "outputs are stored"),
    ],
)
def test_each_breach_is_told(problems, change, text):
    assert any(text in problem for problem in problems(change))
