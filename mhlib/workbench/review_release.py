"""A signed report leaves the bureau: its pages without the draft mark and its tables, in one step, or nothing.

It is written into the release ledger first, then into its reviews, and only then do its files get their name: wherever
that ends too early, the ledger may know of a page that never appeared, never the other way round.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mhlib.errors import DisclosureError, WorkbenchError
from mhlib.workbench import keys
from mhlib.workbench.publish import lock, move_into_place, write_file
from mhlib.workbench.releases import Release, ledger_file, record_release
from mhlib.workbench.review import Review, account, lacking, record, reviews, standing
from mhlib.workbench.review_draft import PUBLISHED, SIGNED_FOR, Draft, draft, report_folder, sums
from mhlib.workbench.review_ledger import known_to, outgoing
from mhlib.workbench.workspace import Workspace

# From a run's folder, and `known=` of its source, to its findings; none means clean. A finding says where and what kind,
# never a value.
Scan = Callable[..., Sequence[object]]
TOLD = 5


@dataclass(frozen=True, slots=True)
class Published:
    """A released report.

    Attributes
    ----------
    folder : Path
        reports/published/<set>/<name>/<day>-<sum of its files>.
    approvals : tuple of Review
        The two (or more) that stand.
    files : dict of str to str
        SHA-256 of each published file.
    new : bool
        False where this very release stood there before.
    ledger : int
        Its number in the release ledger.
    """

    folder: Path
    approvals: tuple[Review, ...]
    files: dict[str, str]
    new: bool
    ledger: int


def scanner() -> Scan | None:
    """The leak scanner, where there is one; without it nothing is published."""
    with contextlib.suppress(ModuleNotFoundError):
        return getattr(importlib.import_module("mhlib.workbench.scanner"), "scan", None)
    return None


def release(
    workspace: Workspace, report: str | Path, *, scan: Scan | None, at: datetime | None = None, wait: float = 5
) -> Published:
    """Copy a signed, scanned public report to reports/published/.

    The bytes are read once: those that were approved are those that are written, but for the mark.

    Raises
    ------
    DisclosureError
        With everything that is lacking: the audience, a page, approvals, the source, the scan, the book, or a count that
        this report and earlier releases together give away. Also if the ledger or the reviews were altered.
    """
    folder = report_folder(workspace, report)
    with lock(folder, wait=wait):
        now, found = draft(folder), reviews(folder)
        missing = lacking(now, found) + _leaks(workspace, now, scan)
        # Two reports that leave at once must know of each other.
        with lock(ledger_file(workspace).parent, wait=wait):
            made, open_cells = outgoing(workspace, now) if now.audience == SIGNED_FOR else (None, [])
            missing += open_cells
            if draft(folder).sha256() != now.sha256():
                missing.append("files of the draft changed while it was scanned")
            if missing or made is None:
                raise DisclosureError.of_many(now.label, missing or ["there is nothing to release"])
            return _released(workspace, now, found, made, at)


def copies(workspace: Workspace, report: str | Path) -> list[Path]:
    """Every release of a report that stands in reports/published/."""
    folder = report_folder(workspace, report)
    place = workspace.reports / PUBLISHED / folder.parent.name / folder.name
    return sorted(path for path in place.glob("[!.]*") if path.is_dir())


def _released(
    workspace: Workspace, now: Draft, found: Sequence[Review], made: Release, at: datetime | None
) -> Published:
    files = now.unmarked()
    final = _place(workspace, now, files)
    number = record_release(ledger_file(workspace), made).number
    done = Published(final, tuple(standing(found, now)), sums(files), new=not _stands(final, files), ledger=number)
    last = next((one for one in reversed(found) if one.decision in ("published", "return")), None)
    if last is None or last.decision == "return" or last.unmarked != done.files:
        one = Review(decision="published", by=account(), account=account(), note=final.name, authors=now.authors,
                     files=now.sha256(), unmarked=done.files)  # fmt: skip
        record(now.folder, one, at=at)
    if done.new:
        _write(workspace, now, files, final)
    return done


def _place(workspace: Workspace, now: Draft, files: Mapping[str, bytes]) -> Path:
    name = f"{now.runs['zh'][:10]}-{keys.digest(sums(files))[:12]}"
    return workspace.reports / PUBLISHED / now.folder.parent.name / now.folder.name / name


def _stands(final: Path, files: Mapping[str, bytes]) -> bool:
    """Whether exactly these files stand there."""
    there = {path.relative_to(final).as_posix() for path in final.rglob("*") if path.is_file()}
    return there == {*files, "SHA256SUMS"} and all((final / name).read_bytes() == raw for name, raw in files.items())


def _write(workspace: Workspace, now: Draft, files: Mapping[str, bytes], final: Path) -> None:
    scratch = workspace.reports / ".scratch" / f"publish-{now.folder.parent.name}-{now.folder.name}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        listed = "".join(f"{total}  {name}\n" for name, total in sums(files).items())
        for name, raw in {**files, "SHA256SUMS": listed.encode()}.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(scratch / name, raw)
        final.parent.mkdir(parents=True, exist_ok=True)
        move_into_place(scratch, final)
    except OSError as error:
        raise WorkbenchError("reports", f"cannot be written ({error.strerror})",
                             remedy="free space or mend the rights, then publish again") from None  # fmt: skip
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _leaks(workspace: Workspace, now: Draft, scan: Scan | None) -> list[str]:
    """What the scanner found in the runs whose files would go out, held against the identifiers of their source."""
    if scan is None:
        return ["the leak scanner is not there, so the report cannot be shown to be clean"]
    known, missing = known_to(workspace, now)
    if missing:
        return missing
    found = [f"{language}: {finding}" for language, run in now.runs.items()
             for finding in scan(now.folder / run, known=known[language])]  # fmt: skip
    if not found:
        return []
    more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return [f"the scan found {len(found)} leaks: {'; '.join(found[:TOLD])}{more}"]
