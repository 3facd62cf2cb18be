"""The two keys of a run: what decides its numbers, and what decides its page.

Execution key: code and text of the notebook, validated parameters, content of the inputs, numbers of the disclosure
policy, sources of mhlib, versions of the libraries; and the earlier releases that the gate knew, where there were any.
Without these it is the base key. Render key: execution key, language, template and catalogues. Time, host and commit
enter neither.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import mhlib
from mhlib.workbench.notebooks import cells

LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "pyarrow", "matplotlib", "seaborn", "pydantic", "papermill",
             "nbconvert", "duckdb", "ibis-framework")  # fmt: skip
PACKAGE = Path(mhlib.__file__).parent
RENDERED_BY = ("report/template", "report/locale")


def digest(value: object) -> str:
    """SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions that may move a number."""
    found = {name: version(name) for name in LIBRARIES}
    return {"python": ".".join(map(str, sys.version_info[:2])), "mhlib": mhlib.__version__} | found


def source_sha256(*, rendering: bool) -> str:
    """SHA-256 over mhlib's files: those that only decide the page, or all others."""
    total = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and path.suffix not in (".pyc", ".mo") and name.startswith(RENDERED_BY) == rendering:
            total.update(name.encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def notebook_sha256(path: Path) -> str:
    """SHA-256 of a notebook's sources, kinds and tags; ids, outputs and other metadata do not count."""
    kept = [(cell["cell_type"], cell["source"], cell.get("metadata", {}).get("tags", [])) for cell in cells(path)]
    return digest(kept)


def execution_key(
    notebook: Path, analysis: Path, params: dict[str, object], data_sha256: str, *, policy: Mapping[str, object]
) -> str:
    """Key of a run's numbers; the language is left out, since one execution serves both.

    Parameters
    ----------
    policy : mapping
        The numbers by which the report's audience is shown anything: a gate of other numbers makes another report.
    """
    return digest({
        "notebook": notebook_sha256(notebook), "analysis": hashlib.sha256(analysis.read_bytes()).hexdigest(),
        "params": {name: value for name, value in params.items() if name != "language"}, "data": data_sha256,
        "policy": dict(policy), "mhlib": source_sha256(rendering=False), "versions": versions(),
    })  # fmt: skip


def informed_key(base: str, released: Sequence[str]) -> str:
    """Key of a run whose gate knows earlier releases, given by the sums of their content; the base key where none is known."""
    return digest({"base": base, "released": list(released)}) if released else base


def render_key(execution: str, language: str) -> str:
    """Key of a run's page."""
    return digest({"execution": execution, "language": language, "template": source_sha256(rendering=True)})
