"""Whether this machine can do the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from mhlib.workbench import keys
from mhlib.workbench.workspace import Workspace

LEAST_FREE = 2 * 1024**3


def findings(workspace: Workspace) -> list[tuple[str, str, bool]]:
    """What was looked at, what was found, and whether it will do."""
    found = [(f"version of {name}", number, True) for name, number in keys.versions().items()]
    free = shutil.disk_usage(workspace.root).free
    found.append(("free disk", f"{free / 1024**3:.1f} GiB", free >= LEAST_FREE))
    found.append(("reports/ can be written", *_writable(workspace.reports)))
    data = workspace.data_root
    found.append(("data root", "there" if data.is_dir() else "not there; set MHLIB_DATA", data.is_dir()))
    cities = sorted(path.parent.name for path in workspace.synthetic_root.glob("*/manifest.json"))
    found.append(("synthetic cities", ", ".join(cities) or "none; run: mhlib simulate", True))
    found.append(("message catalogues", *_catalogues()))
    fonts = _chinese_fonts()
    found.append(("Chinese fonts", fonts or "none: reports still carry the text, and readers' machines draw it", True))
    return found


def _writable(folder) -> tuple[str, bool]:
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return "yes", os.access(folder, os.W_OK)
    except OSError as error:
        return f"no ({error.strerror})", False


def _catalogues() -> tuple[str, bool]:
    folder = keys.PACKAGE / "report" / "locale"
    there = sorted(path.parts[-3] for path in folder.glob("*/LC_MESSAGES/mhlib.po"))
    return ", ".join(there) or "none", there == ["en", "zh"]


def _chinese_fonts() -> str:
    if shutil.which("fc-list") is None:
        return ""
    listed = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=False)
    families = sorted({line.split(",")[0].strip() for line in listed.stdout.splitlines() if line.strip()})
    return ", ".join(families[:3])
