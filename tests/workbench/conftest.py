"""A small workspace with a fake evaluation: one published report, copied afresh for every test."""

import functools
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from mhlib.workbench import keys, plans, runs
from mhlib.workbench.workspace import Workspace

FAKE = Path(__file__).parent / "fake"
PARAMS = {
    "evaluation": "tiny", "source": "people.csv", "as_of": "2026-03-20", "language": "zh", "columns": {}, "values": {},
    "disclosure": "public", "licence": "", "sha256": "", "conf_level": 0.95, "seed": 7, "highest": 3, "fault": "",
    "seconds": 0.0,
}  # fmt: skip
CODE = (
    "from fake_evaluations import tiny as analysis\n\nfrom mhlib import report\n\n"
    "params = analysis.Params.from_notebook(globals())\ndata = analysis.load(params)\n"
    "view = report.open_report(params, data)",
    "view.answer(analysis.answer(data))",
    "analysis.misbehave(params, view)",
    'view.table("counts", analysis.counts(data), caption="Who answered")\nview.internal_file("people", data.frame)',
    "view.provenance()",
)


class Bench:
    """A workspace and what was told of its runs."""

    def __init__(self, root: Path) -> None:
        self.workspace, self.events = Workspace(root, analyses_package="fake_evaluations"), []

    @property
    def report(self) -> Path:
        return self.workspace.reports / "demo" / "tiny"

    def params(self, name: str = "tiny", **changes: object) -> Path:
        path = self.workspace.root / "params" / "demo" / f"{name}.yml"
        path.write_text(yaml.safe_dump(PARAMS | changes, sort_keys=False), encoding="utf-8")
        return path

    def people(self, *, column: str = "item_1", answers: tuple = (0, 1, 2, 3) * 15) -> None:
        lines = [f"pupil_pid,{column}", *(f"p{row},{answer}" for row, answer in enumerate(answers))]
        self.workspace.root.joinpath("data", "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def plan(self, name: str = "tiny", *, language: str | None = None, **changes: object):
        return plans.plan(self.workspace, self.params(name, **changes), language=language)

    def run(self, *, language: str | None = None, timeout: float = 60, wait: float = 5, force=False, **changes: object):
        planned = self.plan(language=language, **changes)
        return runs.run(
            self.workspace, planned, tell=self.events.append, timeout=timeout, wait=wait, force=force
        )  # fmt: skip

    def published(self) -> dict[str, bytes]:
        """Every published byte of the report: what a failure may not touch."""
        paths = [path for path in self.report.rglob("*") if path.is_file() and path.name != ".lock"]
        kept = [path for path in paths if "failed" not in path.relative_to(self.report).parts]
        return {str(path.relative_to(self.report)): path.read_bytes() for path in kept}


def written(root: Path) -> Bench:
    import nbformat

    for folder in ("notebooks", "params/demo", "data"):
        root.joinpath(folder).mkdir(parents=True)
    bench = Bench(root)
    bench.people()
    bench.params()
    given = nbformat.v4.new_code_cell("\n".join(f"{name} = {value!r}" for name, value in PARAMS.items()))
    given.metadata["tags"] = ["parameters"]
    cells = [nbformat.v4.new_markdown_cell("# Tiny\n\nHow many answered?"), given]
    cells += [nbformat.v4.new_code_cell(source) for source in CODE]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), root / "notebooks" / "tiny.ipynb")
    return bench


@pytest.fixture(scope="session")
def fake_evaluations():
    """The fake package within reach of this process and of its kernels; the roots come from the workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKE))
        # The sources are read once: a file saved in mid-test by an editor must not look like a changed report.
        patch.setattr(keys, "source_sha256", functools.cache(keys.source_sha256))
        project = str(Path(__file__).resolve().parents[2])
        patch.setenv("PYTHONPATH", os.pathsep.join((str(FAKE), project)))
        for name in ("MHLIB_DATA", "MHLIB_SYNTHETIC", "MHLIB_HOME", "MHLIB_RUN_DIR"):
            patch.delenv(name, raising=False)
        yield
        for name in [name for name in sys.modules if name.startswith("fake_evaluations")]:
            del sys.modules[name]


@pytest.fixture(scope="session")
def published_once(fake_evaluations, tmp_path_factory) -> tuple[Path, dict]:
    bench = written(tmp_path_factory.mktemp("published") / "city")
    return bench.workspace.root, bench.run() | {"events": bench.events}


@pytest.fixture
def bench(published_once, tmp_path) -> Bench:
    """A copy of a workspace in which one report is published."""
    shutil.copytree(published_once[0], tmp_path / "city")
    return Bench(tmp_path / "city")


@pytest.fixture
def new_bench(fake_evaluations, tmp_path) -> Bench:
    """A workspace in which nothing has run."""
    return written(tmp_path / "city")
