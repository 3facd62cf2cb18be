"""What a notebook must look like before a kernel is started for it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path

from mhlib.errors import ParamsError
from mhlib.params import read_yaml

LONGEST_CELL = 8
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.While, ast.Try, ast.With,
             ast.Lambda)  # fmt: skip


def cells(path: Path) -> list[dict]:
    """Cells of a notebook, each with its source as one string."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(path.name, "no such notebook") from None
    except ValueError:
        raise ParamsError(path.name, "not a notebook", remedy="restore it from git") from None
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]


def parameters_cell(path: Path) -> dict[str, object]:
    """Names and values of the cell tagged `parameters`, in order.

    Raises
    ------
    ParamsError
        If there is not exactly one such cell, or it holds more than plain assignments: without the tag papermill would
        put the parameters first and the notebook's own defaults would win.
    """
    tagged = [cell for cell in cells(path) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise ParamsError(path.name, f"{len(tagged)} cells are tagged parameters", allowed="exactly one",
                          remedy="tag the second cell of the notebook")  # fmt: skip
    found: dict[str, object] = {}
    for node in ast.parse(tagged[0]["source"]).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            raise ParamsError(path.name, "the parameters cell holds more than name = value lines")
        try:
            found[node.targets[0].id] = ast.literal_eval(node.value)
        except ValueError:
            raise ParamsError(path.name, f"parameter {node.targets[0].id} is not a plain value") from None
    return found


def parameter_problems(path: Path, names: list[str]) -> list[str]:
    """How the parameters cell differs from the evaluation's schema."""
    there = list(parameters_cell(path))
    problems = [f"{path.name}: parameter {name} is not in the schema" for name in there if name not in names]
    problems += [f"{path.name}: parameter {name} is missing from the parameters cell" for name in names
                 if name not in there]  # fmt: skip
    if not problems and there != names:
        problems.append(f"{path.name}: the parameters stand in another order than in the schema")
    return problems


def notebook_problems(path: Path, *, demo: Path | None = None) -> list[str]:
    """Every way in which a notebook breaks the house's contract.

    Parameters
    ----------
    demo : Path, optional
        The parameter file that the parameters cell must equal; `params/demo/<name>.yml` beside `notebooks/` otherwise.
    """
    demo = demo or path.parents[1] / "params" / "demo" / f"{path.stem}.yml"
    try:
        problems = _differences(parameters_cell(path), read_yaml(demo), demo.name)
    except ParamsError as error:
        problems = [str(error)]
    everything = cells(path)
    headings = sum(
        len(re.findall(r"(?m)^# ", cell["source"])) for cell in everything if cell["cell_type"] == "markdown"
    )
    if headings != 1 or not everything[0]["source"].startswith("# "):
        problems.append(f"{headings} first-level headings; exactly one is allowed, in the first cell")
    for number, cell in enumerate(everything, start=1):
        if cell["cell_type"] == "code":
            problems += [f"cell {number}: {problem}" for problem in _cell_problems(cell)]
    return problems


def _differences(cell: Mapping[str, object], demo: Mapping[str, object], name: str) -> list[str]:
    if list(cell) != list(demo):
        return [f"the parameters cell and {name} differ in names or order"]
    return [f"parameter {key} differs from {name}" for key in demo if cell[key] != demo[key]]


def _cell_problems(cell: dict) -> list[str]:
    problems = ["outputs are stored; strip them"] if cell.get("outputs") else []
    if "parameters" in cell.get("metadata", {}).get("tags", []):
        return problems
    lines = [line for line in cell["source"].splitlines() if line.strip()]
    if len(lines) > LONGEST_CELL:
        problems.append(f"{len(lines)} lines; at most {LONGEST_CELL}")
    kinds = {type(node).__name__ for node in ast.walk(ast.parse(cell["source"])) if isinstance(node, FORBIDDEN)}
    return problems + [f"holds {kind}; logic belongs to the analysis module" for kind in sorted(kinds)]
