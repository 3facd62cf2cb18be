"""An execution whose report gives nothing away: the notebook runs, the audit attacks, and if need be it runs once more.

The gate decides element by element and cannot take back what stands above. Where that was too much, the whole report is
looked at once, and the notebook runs again knowing from the first which counts to withhold. What is then still open ends
the run with exit code 13.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mhlib.errors import DisclosureError, MhlibError
from mhlib.report.policy import policies
from mhlib.report.protection_book import Book
from mhlib.report.protection_file import GIVEN, Given, audited, read_book
from mhlib.report.vocabulary import COLUMNS
from mhlib.workbench.execution import NotebookFailed, execute
from mhlib.workbench.plans import Plan
from mhlib.workbench.workspace import Workspace

Tell = Callable[[dict[str, object]], None]
Noted = Callable[[Workspace, Plan, dict[str, int], int], None]


def safely_executed(
    workspace: Workspace, planned: Plan, made: Path, *, tell: Tell, timeout: float, done: Noted
) -> tuple[object, list[dict]]:
    """The executed notebook and its elements, in a folder of their own together with the book.

    Raises
    ------
    NotebookFailed
        Of exit code 13 where a hidden cell can be worked out, or an element did not pass the gate.
    """
    given = Given()
    notebook, elements, book = _executed(workspace, planned, made, given, timeout=timeout, done=done)
    if book is not None and audited(book).n_recoverable:
        tell({"run": planned.label, "event": "executing again", "for": "protection"})
        given = Given(given.earlier, book.to_withhold())
        notebook, elements, book = _executed(workspace, planned, made, given, timeout=timeout, done=done)
    try:
        if book is not None:
            audited(book).require_safe(planned.label)
    except DisclosureError as error:
        raise NotebookFailed(error, type(error).__name__, notebook, None) from None
    return notebook, elements


def _executed(
    workspace: Workspace, planned: Plan, made: Path, given: Given, *, timeout: float, done: Noted
) -> tuple[object, list[dict], Book | None]:
    from mhlib.report import export

    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    given.write(made)
    try:
        notebook = execute(planned.notebook, planned.params, scratch=made, environment=workspace.environment,
                           timeout=timeout)  # fmt: skip
    except NotebookFailed as fault:
        done(workspace, planned, {}, fault.exit_code)
        raise
    finally:
        (made / GIVEN).unlink(missing_ok=True)
    try:
        elements = export.elements(notebook)
        book = read_book(made, earlier=given.earlier)
        _must_be_booked(elements, book, hides=policies(workspace.root)[planned.params["disclosure"]].min_cell > 0)
    except MhlibError as error:
        raise NotebookFailed(error, type(error).__name__, notebook, None) from None
    read = [one["rows"] or 0 for one in elements if "rows" in one]
    done(workspace, planned, {"read": max(read, default=0)}, 0)
    return notebook, elements, book


def _must_be_booked(elements: Sequence[Mapping], book: Book | None, *, hides: bool) -> None:
    """Every element that shows a count must stand in the book: one that does not went round the gate."""
    if not hides:
        return
    known = {
        label
        for entry in (book.entries if book else ())
        for key in entry.keys
        for name, label in key
        if name == "element"
    }
    counts = [name for name, word in COLUMNS.items() if word.kind == "count"]
    for element in elements:
        frame = element.get("frame") or []
        if element["name"] not in known and any(row.get(name) is not None for row in frame for name in counts):
            raise DisclosureError(f"element {element['name']}", "its counts did not pass the gate",
                                  remedy="show it through the report's view")  # fmt: skip
