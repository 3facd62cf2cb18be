"""The house allows these arrows between its layers and no other; truth is never within an analysis's reach."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUND = {"errors", "findings"}
ALLOWED = {
    "errors": set(),
    "findings": set(),
    "params": GROUND,
    "data": GROUND,
    "stats": GROUND,
    "report": {"stats"} | GROUND,
    "analyses": {"data", "stats", "params"} | GROUND,
    # The runner asks a source for the files whose content makes the key; it never reads a row.
    "workbench": {"params", "report", "data"} | GROUND,
    "cli": {"workbench", "data"} | GROUND,
    "__main__": {"cli"} | GROUND,
}
MODULES = sorted(path for path in (ROOT / "mhlib").rglob("*.py") if path != ROOT / "mhlib" / "__init__.py")


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "mhlib").parts[0].removesuffix(".py")


def imported(source: str, package: tuple[str, ...] = ()) -> set[str]:
    """Every mhlib layer that a piece of source imports, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            found.add(".".join((*package[: len(package) - node.level + 1], node.module or "")).strip("."))
        elif isinstance(node, ast.ImportFrom) and node.module == "mhlib":
            found |= {f"mhlib.{name.name}" for name in node.names if name.name != "__version__"}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name.split(".")[1] for name in found if name.startswith("mhlib.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_allowed_arrows(path):
    package = path.relative_to(ROOT).parts[:-1]
    arrows = imported(path.read_text(encoding="utf-8"), package) - {layer(path)}
    assert arrows <= ALLOWED[layer(path)], f"{layer(path)} -> {sorted(arrows - ALLOWED[layer(path)])}"


def test_the_reader_of_imports_sees_forbidden_arrows():
    assert imported("from mhlib.report import tables\nimport mhlib.workbench.run") == {"report", "workbench"}
    assert imported("def f():\n    from mhlib import stats") == {"stats"}
    assert imported("from ..report import x", ("mhlib", "stats")) == {"report"}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_uses_one_analysis_and_the_report(path):
    if path.name == "explore.ipynb":
        pytest.skip("explore.ipynb belongs to the researcher")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert imported(source) == {"analyses", "report"}


def test_no_module_is_longer_than_the_house_allows():
    long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_only_the_generator_and_its_guard_name_the_truth_folder():
    naming = {
        str(path.relative_to(ROOT / "mhlib").parts[:2])
        for path in MODULES
        if "synthetic-truth" in path.read_text(encoding="utf-8") and layer(path) not in {"cli", "data"}
    }
    assert not naming
