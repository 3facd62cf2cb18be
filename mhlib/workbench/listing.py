"""What can be run and what was run last."""

from __future__ import annotations

import json
from pathlib import Path

from mhlib.errors import ParamsError
from mhlib.params import read_yaml
from mhlib.workbench.workspace import Workspace


def runs_of(workspace: Workspace) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Every parameter file with its evaluation and the state of its report."""
    rows = []
    for path in sorted((workspace.root / "params").glob("*/*.yml")):
        try:
            evaluation = str(read_yaml(path).get("evaluation", ""))
        except ParamsError:
            evaluation = "(unreadable)"
        rows.append((f"params/{path.parent.name}/{path.name}", evaluation, last_run(workspace, path)))
    return ("parameters", "evaluation", "last run"), rows


def last_run(workspace: Workspace, path: Path) -> str:
    """State of a parameter file's report in a few words."""
    folder = workspace.reports / path.parent.name / path.stem
    failed = folder / "failed" / "run.json"
    if failed.is_file():
        record = json.loads(failed.read_text("utf-8"))
        return f"failed with exit code {record['exit_code']}: {record['error_class']}"
    found = sorted(folder.glob("*/run.json"), key=lambda record: record.stat().st_mtime)
    if not found:
        return "never run"
    record = json.loads(found[-1].read_text("utf-8"))
    return f"{record['run_id']} ({record['language']}), {record['seconds']:.0f} s"


def parameters_of(workspace: Workspace, evaluation: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The keys of an evaluation with kind, default, unit and meaning."""
    module = workspace.analysis(evaluation, where="list")
    rows = []
    for name, field in module.Params.model_fields.items():
        unit = (field.json_schema_extra or {}).get("unit", "")
        default = "required" if field.is_required() else repr(field.default)
        kind = getattr(field.annotation, "__name__", str(field.annotation)).replace("typing.", "")
        rows.append((name, kind, default, unit, field.description or ""))
    return ("key", "kind", "default", "unit", "meaning"), rows
