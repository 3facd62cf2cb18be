"""A workspace of its own for every test: the real evaluation on a small city, or a tiny evaluation without pandas."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mhlib.workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tiny_analyses"
SHOW = (
    "from IPython.display import publish_display_data\n"
    "html = {'zh': f'<p>{number}</p>', 'en': f'<p>{number}</p>'}\n"
    "element = {'name': 'answer', 'kind': 'answer', 'html': html, 'frame': [{'n': number}]}\n"
    "publish_display_data({'application/vnd.mhlib.element+json': element}) if number else None"
)
MODULE = """
from pydantic import Field
from mhlib.params import BaseParams

REQUIRED = ("answer",)


class Params(BaseParams):
    number: int = Field(1, description="what the page shows", json_schema_extra={"unit": "points"})


def load(params):
    return None
"""
PARAMS = {"evaluation": "tiny", "source": "rows.csv", "as_of": "2026-01-01", "language": "zh", "columns": {}, "values": {},
          "disclosure": "public", "licence": "", "sha256": "", "conf_level": 0.95, "seed": 1, "number": 7}  # fmt: skip


def tiny_notebook(path: Path, *cells: str) -> None:
    """A notebook that shows one element, after whatever cells a test puts before it."""
    parameters = new_code_cell("\n".join(f"{name} = {value!r}" for name, value in PARAMS.items()))
    parameters.metadata["tags"] = ["parameters"]
    code = [new_code_cell(source) for source in (*cells, SHOW)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    title = [new_markdown_cell("# Screening validity"), new_markdown_cell("## Answer")]
    nbformat.write(new_notebook(cells=[title[0], parameters, title[1], *code], metadata=kernel), path)


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Workspace:
    """A workspace with one tiny evaluation; its notebook can be rewritten by a test."""
    for folder in ("notebooks", "params/set", "data", "reports", PACKAGE):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").write_text("")
    (tmp_path / PACKAGE / "tiny.py").write_text(MODULE)
    (tmp_path / "data" / "rows.csv").write_text("id\n1\n")
    (tmp_path / "params/set/one.yml").write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in PARAMS.items()))
    tiny_notebook(tmp_path / "notebooks" / "tiny.ipynb")
    for name in ("MHLIB_DATA", "MHLIB_SYNTHETIC", "MHLIB_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield Workspace(tmp_path, analyses_package=PACKAGE)
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Path:
    """A copy of notebooks and params with a small city, for runs of the true evaluation through the command line."""
    from mhlib.data.synthetic import simulate

    root = tmp_path_factory.mktemp("real")
    for folder in ("notebooks", "params"):
        shutil.copytree(ROOT / folder, root / folder)
    data = root / "data"
    simulate(
        "small", seed=4, destination=data / "synthetic" / "city", truth_destination=data / "synthetic-truth" / "city"
    )
    return root
