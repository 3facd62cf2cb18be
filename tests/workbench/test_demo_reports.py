"""The reports that `make reports` made of the demo city and the county: nobody is found in them, and nothing is worked out."""

import functools
import json
import os
import shutil
from pathlib import Path

import pytest

from mhlib.report.protection_file import audited, read_book
from mhlib.workbench import plans, runs
from mhlib.workbench.scanner import known_of, scan
from mhlib.workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
HERE = Workspace(ROOT)
FILES = sorted(
    path.relative_to(ROOT).as_posix() for name in ("demo", "minimal") for path in ROOT.glob(f"params/{name}/*.yml")
)


@functools.cache
def known(folder: Path):
    """Identifiers of the source of a report, as hashes."""
    record = json.loads((folder / "run.json").read_text("utf-8"))
    return known_of(HERE, folder, record["source"])


def published(file: str) -> tuple[object, Path]:
    """The plan of a file and its report's folder, which must be of this very code."""
    planned = plans.plan(HERE, ROOT / file)
    folder = HERE.reports / planned.set_name / planned.name / planned.run_id
    if not (folder / "run.json").is_file():
        reason = f"{planned.label} is not made by this code; run `make reports` first"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return planned, folder


def in_english(file: str, planned: object, root: Path) -> Path:
    """The same execution rendered in the other language, in a workspace of its own."""
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(
        HERE.reports / ".store" / planned.execution_key, root / "reports" / ".store" / planned.execution_key
    )
    workspace = Workspace(root)
    english = plans.plan(workspace, root / file, language="en")
    assert english.execution_key == planned.execution_key
    events = []
    record = runs.run(workspace, english, tell=events.append)
    assert record["exit_code"] == 0 and {"executed before", "rendering"} <= {event["event"] for event in events}
    return workspace.reports / english.set_name / english.name / english.run_id


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_a_demo_report_gives_nothing_away_in_either_language(file, tmp_path, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(HERE.synthetic_root))
    planned, folder = published(file)
    for run in (folder, in_english(file, planned, tmp_path)):
        book = read_book(run)
        assert book.entries and audited(book).named() == ()
        assert [str(leak) for leak in scan(run, known=known(folder))] == []
