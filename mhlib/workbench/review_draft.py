"""What reviewers sign: the latest pages of a report in both languages with their tables, byte for byte.

The draft mark of a public page is what stands between two fixed comments, these included, and nothing but it: one
paragraph of the template. A page without its mark is the page that is published; every other byte is the draft's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mhlib.errors import DisclosureError, ParamsError
from mhlib.workbench.workspace import Workspace

LANGUAGES = ("zh", "en")
# The one audience whose reports need two signatures before they leave the bureau.
SIGNED_FOR = "public"
PUBLISHED = "published"
OPENS, CLOSES = b"<!-- mhlib:draft -->\n", b"<!-- /mhlib:draft -->\n"
MARK = re.compile(
    re.escape(OPENS)
    + rb'<p class="draft" role="note" data-mark="[^"<>&\n]{1,20}">[^<>\n]{1,400}</p>\n'
    + re.escape(CLOSES)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report as it stands now.

    Attributes
    ----------
    label : str
        `<set>/<name>`.
    folder : Path
        The report's folder; its reviews lie here.
    runs : dict of str to str
        Language to the run whose page is the latest.
    audience : str
        The policy that the pages were gated by.
    authors : tuple of str
        Whoever made a run of these numbers.
    files : dict of str to bytes
        What would be published, as it stands, by its public name: `report.zh.html`, `tables/zh/counts.csv`.
    problems : tuple of str
        Why it cannot be signed as it stands.
    """

    label: str
    folder: Path
    runs: dict[str, str]
    audience: str
    authors: tuple[str, ...]
    files: dict[str, bytes]
    problems: tuple[str, ...]

    def sha256(self) -> dict[str, str]:
        """SHA-256 of every file, the marks in it: what a review is bound to."""
        return sums(self.files)

    def unmarked(self) -> dict[str, bytes]:
        """The files as they are published: pages without their mark, all else as it is.

        Raises
        ------
        DisclosureError
            As :func:`without_mark`.
        """
        return {
            name: without_mark(raw, where=name) if name.endswith(".html") else raw for name, raw in self.files.items()
        }


def sums(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file, in order of names."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def without_mark(page: bytes, *, where: str) -> bytes:
    """A public page less its draft mark.

    Raises
    ------
    DisclosureError
        If the mark is absent, stands twice, or holds anything but its one paragraph.
    """
    if not _marked(page):
        raise DisclosureError(where, "the page does not carry one draft mark, whole", allowed="the template's own mark",
                              remedy="run the report again")  # fmt: skip
    return MARK.sub(b"", page)


def _marked(page: bytes) -> bool:
    return len(MARK.findall(page)) == page.count(OPENS) == page.count(CLOSES) == 1


def report_folder(workspace: Workspace, report: str | Path) -> Path:
    """Folder of a report named as `<set>/<name>`, or by a path to it or into it.

    Raises
    ------
    ParamsError
        If there is no such report, or the path leads to a run that is not the latest of its language.
    """
    reports = workspace.reports.resolve()
    for path in (Path(report), workspace.root / report, reports / report):
        inside = path.resolve().relative_to(reports).parts if path.resolve().is_relative_to(reports) else ()
        if not path.exists() or len(inside) < 2 or inside[0].startswith(".") or inside[0] == PUBLISHED:
            continue
        folder = reports / inside[0] / inside[1]
        if not folder.is_dir():
            continue
        run = inside[2] if len(inside) > 2 and (folder / inside[2]).is_dir() else ""
        if run and run not in {_current(folder, language) for language in LANGUAGES}:
            raise ParamsError("review", f"run {run} is not the latest of this report", allowed="the latest run",
                              remedy="name the report as set/name")  # fmt: skip
        return folder
    raise ParamsError("review", f"no report {report}", allowed="set/name, or a path below reports/",
                      remedy="mhlib list shows what has run")  # fmt: skip


def draft(folder: Path) -> Draft:
    """A report's latest pages in both languages, and what stands against signing them."""
    runs = {language: run for language in LANGUAGES if (run := _current(folder, language))}
    records = {language: _record(folder / run) for language, run in runs.items()}
    files: dict[str, bytes] = {}
    for language, run in runs.items():
        files[f"report.{language}.html"] = (folder / run / f"report.{language}.html").read_bytes()
        for path in sorted((folder / run / "tables").glob("*.csv")):
            files[f"tables/{language}/{path.name}"] = path.read_bytes()
    audiences = {str(record["params"]["disclosure"]) for record in records.values()}
    return Draft(
        label=f"{folder.parent.name}/{folder.name}", folder=folder, runs=runs, files=files,
        audience="".join(audiences) if len(audiences) == 1 else "", authors=_authors(folder, records),
        problems=tuple(_problems(records, files)),
    )  # fmt: skip


def _current(folder: Path, language: str) -> str:
    """The run whose page is the latest of a language, of equal pages the newest run's; "" where there is none."""
    latest, name = folder / f"latest.{language}.html", f"report.{language}.html"
    if not latest.is_file():
        return ""
    page = latest.read_bytes()
    runs = [path.parent for path in folder.glob(f"*/{name}") if path.with_name("run.json").is_file()]
    found = [run for run in runs if (run / name).read_bytes() == page]
    return max(found, key=lambda run: _record(run)["started"]).name if found else ""


def _record(run: Path) -> dict[str, object]:
    """A run's record, of which the keys used here must be there."""
    try:
        record = json.loads((run / "run.json").read_text("utf-8"))
        kept = {name: record[name] for name in ("execution_key", "exit_code", "html_sha256", "started")}
        return kept | {"author": record.get("author"), "params": {"disclosure": record["params"]["disclosure"]}}
    except (KeyError, TypeError, ValueError):
        raise DisclosureError(run.name, "run.json is not as a run leaves it", remedy="run the report again") from None


def _authors(folder: Path, records: Mapping[str, Mapping]) -> tuple[str, ...]:
    """Everybody who made a run of the same numbers: whoever rendered the page anew is not the only author."""
    executions = {record["execution_key"] for record in records.values()}
    all_runs = [_record(path.parent) for path in folder.glob("*/run.json") if path.parent.name != "failed"]
    named = {str(one["author"] or "") for one in all_runs if one["execution_key"] in executions}
    return tuple(sorted(named - {""}))


def _problems(records: Mapping[str, Mapping], files: Mapping[str, bytes]) -> list[str]:
    found = [f"the latest page in {language} is not there: run the report with --language {language}"
             for language in LANGUAGES if language not in records]  # fmt: skip
    if len({record["execution_key"] for record in records.values()}) > 1:
        found.append("the pages in zh and en come from different numbers: run the report in both languages")
    if len({record["params"]["disclosure"] for record in records.values()}) > 1:
        found.append("the pages in zh and en are for different audiences: run the report in both languages")
    for language, record in records.items():
        page = files[f"report.{language}.html"]
        if record["exit_code"] != 0 or record["html_sha256"] != hashlib.sha256(page).hexdigest():
            found.append(f"the page in {language} is not as its run wrote it: run the report again")
        if record["params"]["disclosure"] == SIGNED_FOR and not _marked(page):
            found.append(f"the page in {language} does not carry one draft mark, whole: run the report again")
        if not record["author"]:
            found.append(f"the run in {language} names no author, who may not sign: run the report again")
    return found
