"""What a report would add to the release ledger, and what stands against its going out: books, earlier releases, the source.

The gate knew the releases that were out when the report was made. Others may have come out since, so that the whole is
attacked once more before anything leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhlib.errors import DisclosureError, MhlibError
from mhlib.report.policy import Policy, policies
from mhlib.report.protection_book import Book
from mhlib.report.protection_file import read_book
from mhlib.workbench import keys
from mhlib.workbench.protection import audited_with, earlier_of, unbooked
from mhlib.workbench.releases import Release, comparable, earlier_releases, ledger_file, release_of
from mhlib.workbench.review_draft import Draft
from mhlib.workbench.scanner import Known, known_of
from mhlib.workbench.workspace import Workspace

TOLD = 5
NEEDED = ("set", "name", "evaluation", "as_of", "term", "base_key", "render_key", "data_sha256", "source")
AGAIN = "run the report again"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A run whose files would go out.

    Attributes
    ----------
    record : dict
        run.json, of which :data:`NEEDED` is there.
    elements : list of dict
        Gated, as they stand in the executed notebook.
    internal : dict
        Rows before the gate, by element.
    book : Book
    """

    record: Mapping[str, object]
    elements: Sequence[Mapping[str, object]]
    internal: Mapping[str, Sequence[Mapping]]
    book: Book


def outgoing(workspace: Workspace, now: Draft) -> tuple[Release | None, list[str]]:
    """The release that a draft makes, and what it lacks: a whole book, and nothing to be worked out with what is out.

    Raises
    ------
    DisclosureError
        If the release ledger is broken.
    """
    runs, missing = _read(now)
    if missing or not runs:
        return None, missing
    policy = policies(workspace.root)[now.audience]
    for language, one in runs.items():
        missing += [f"{language}: {problem}" for problem in _book_problems(one, policy)]
    if missing:
        return None, missing
    try:
        made = _release(now.label, list(runs.values()))
    except DisclosureError as error:
        return None, [str(error)]
    for language, one in runs.items():
        missing += [f"{language}: {problem}" for problem in _worked_out(workspace, one, made)]
    return made, missing


def known_to(workspace: Workspace, now: Draft) -> tuple[dict[str, Known], list[str]]:
    """Identifiers of the source of each language's run, as the source is now; and what is lacking where it is gone."""
    found: dict[str, Known] = {}
    missing, sources = [], {}
    for language, run in now.runs.items():
        try:
            record = _json(now.folder / run / "run.json")
            same = keys.digest([record["source"], record["params"].get("columns")])
            sources[same] = found[language] = (
                sources.get(same) or known_of(workspace, now.folder / run, str(record["source"]))
            )  # fmt: skip
        except (MhlibError, KeyError, OSError, TypeError, ValueError):
            missing.append(f"{language}: the source is not there to be held against: put it back where the run read it")
    return found, missing


def _read(now: Draft) -> tuple[dict[str, Leaving], list[str]]:
    found, missing = {}, []
    for language, run in now.runs.items():
        try:
            found[language] = _leaving(now.folder / run)
        except DisclosureError as error:
            missing.append(f"{language}: {error.problem}: {AGAIN}")
        except Exception as error:  # whatever is wrong with a file of the bureau, its content stays unsaid
            missing.append(f"{language}: what the run left cannot be read ({type(error).__name__}): {AGAIN}")
    return found, missing


def _leaving(folder: Path) -> Leaving:
    import nbformat

    from mhlib.report import export

    record = _json(folder / "run.json")
    absent = [name for name in NEEDED if name not in record]
    if absent:
        raise DisclosureError(folder.name, f"run.json lacks {', '.join(absent)}")
    book = read_book(folder)
    if book is None:
        raise DisclosureError(folder.name, "it has no book of what its counts give away")
    internal = _json(folder / "internal.json")["elements"] if (folder / "internal.json").is_file() else {}
    return Leaving(
        record, export.elements(nbformat.read(folder / "executed.ipynb", as_version=4)), internal, book
    )  # fmt: skip


def _book_problems(one: Leaving, policy: Policy) -> list[str]:
    """Why a book is not to be relied on."""
    book, found = one.book, []
    if (
        book.policy.min_cell < policy.min_cell
        or book.policy.round_to % policy.round_to
        or book.policy.width < policy.width
    ):
        found.append(f"its book was kept by a laxer policy than is in force: {AGAIN}")
    if any(not entry.low <= entry.n <= entry.high or (0 < entry.n < book.policy.min_cell) > entry.target
           for entry in book.entries):  # fmt: skip
        found.append(f"its book contradicts itself: {AGAIN}")
    odd = unbooked(one.elements, book, one.internal)
    if odd:
        found.append(f"{len(odd)} counts stand otherwise on the page than in its book: {_told(odd)}: {AGAIN}")
    return found


def _release(label: str, runs: Sequence[Leaving]) -> Release:
    """One release of all languages, whose numbers are the same."""
    record = runs[0].record
    tables = [
        one.book.published(name=label, population=str(one.record["data_sha256"])[:16],
                           release=f"{label} of {one.record['as_of']}").to_record()
        for one in runs
    ]  # fmt: skip
    once = {keys.digest(table): table for table in tables}
    return release_of(record, runs[0].elements, runs[0].book.policy, term=str(record["term"]), tables=[*once.values()])


def _worked_out(workspace: Workspace, one: Leaving, made: Release) -> list[str]:
    """What a reader of this report and of all that is out could work out."""
    # Of its own earlier releases as well: a reader still has them. The very same tables say nothing new.
    released = comparable(earlier_releases(ledger_file(workspace)), evaluation=made.evaluation, term=made.term)
    others = [other for other in released if other.tables != made.tables]
    found = audited_with(one.book, earlier_of(others, str(one.record["data_sha256"]))).named()
    if not found:
        return []
    beside = " with what was published before" if others else ""
    return [
        f"{len(found)} hidden counts, or changes of a few people, can be worked out{beside}: {_told(found)}: {AGAIN}"
    ]


def _told(names: Sequence[str]) -> str:
    more = f"; and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return "; ".join(names[:TOLD]) + more


def _json(path: Path) -> dict:
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict):
        raise DisclosureError(path.name, "holds no record")
    return found
