"""Whether this machine can do the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mhlib.errors import MhlibError, ParamsError
from mhlib.report import policy
from mhlib.workbench import chain, keys, releases
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
    found += _policies(workspace.root)
    fonts = _chinese_fonts()
    found.append(("release ledger", *_chain(releases.ledger_file(workspace), "releases")))
    found.append(("access log", *_chain(releases.access_file(workspace), "accesses")))
    for path in sorted(workspace.reports.glob("[!.]*/*/reviews.jsonl")):
        found.append((f"reviews of {path.parts[-3]}/{path.parts[-2]}", *_chain(path, "reviews")))
    found.append(("Chinese fonts", fonts or "none: reports still carry the text, and readers' machines draw it", True))
    return found


def _policies(home: Path) -> list[tuple[str, str, bool]]:
    """The numbers in force for each audience, and where they come from; published data hide nothing."""
    try:
        numbers = policy.policies(home)
    except ParamsError as error:
        return [("disclosure policy", str(error), False)]
    said = {
        name: ", ".join(f"{key} {getattr(numbers[name], key)}" for key in policy.NUMBERS)
        for name in policy.CONFIGURABLE
    }
    return [(f"disclosure policy, {name}", f"{text} ({policy.origin(home)})", True) for name, text in said.items()]


def _chain(path: Path, entries: str) -> tuple[str, bool]:
    """Whether a chain holds; its head is there to be noted outside. A torn line is told and does no harm."""
    try:
        amiss = chain.verify(path)
        broken = [finding for finding in amiss if finding.broken]
        if broken:
            return (
                f"broken at line {broken[0].line}: {broken[0].problem}; keep a copy and find out who changed it",
                False,
            )
        last = chain.head(path)
    except MhlibError as error:
        return error.problem, False
    torn = "".join(f"; line {finding.line} is torn: {finding.problem}" for finding in amiss)
    return (f"{last.number} {entries}, whole, head {last.sha256[:16]}" if last.number else "none yet") + torn, True


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
