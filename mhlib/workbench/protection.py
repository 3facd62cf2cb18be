"""An execution whose report gives nothing away: the notebook runs, the audit attacks, and if need be it runs once more.

The gate decides element by element and cannot take back what stands above. Where that was too much, the whole report is
looked at once, and the notebook runs again knowing from the first which counts to withhold. What is then still open ends
the run with exit code 13.

The gate knows what earlier releases showed of the same numbers. Of the very same data every count is the same; where that
cannot be, since a rule or a fault in the code was changed, it is a change of the count, like one of other data.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mhlib.errors import DisclosureError, MhlibError
from mhlib.report.policy import Policy, policies
from mhlib.report.protection_audit import AuditResult
from mhlib.report.protection_book import Book, Earlier, Entry
from mhlib.report.protection_file import GIVEN, Given, audited, read_book
from mhlib.report.protection_rows import sheet
from mhlib.report.protection_system import NEAR
from mhlib.report.protection_tables import Published, named
from mhlib.report.rounding import shown_interval
from mhlib.report.vocabulary import COLUMNS
from mhlib.workbench import keys
from mhlib.workbench.execution import NotebookFailed, execute
from mhlib.workbench.plans import Plan
from mhlib.workbench.releases import Release
from mhlib.workbench.workspace import Workspace

Tell = Callable[[dict[str, object]], None]
Noted = Callable[[Workspace, Plan, dict[str, int], int], None]
# What the audit says of tables that cannot be of one truth; from a kernel only the words of an error come back.
CONTRADICTED = "the published tables contradict each other"


def safely_executed(
    workspace: Workspace, planned: Plan, made: Path, *, tell: Tell, timeout: float, done: Noted
) -> tuple[object, list[dict]]:
    """The executed notebook and its elements, in a folder of their own together with the book.

    Raises
    ------
    NotebookFailed
        Of exit code 13 where a hidden cell can be worked out, or an element did not pass the gate.
    """

    def executed(given: Given, why: str = "") -> tuple[object, list[dict], Book | None]:
        if why:
            tell({"run": planned.label, "event": "executing again", "for": why})
        return _executed(workspace, planned, made, given, timeout=timeout, done=done)

    given = Given(earlier_of(planned.earlier, planned.data_sha256))
    try:
        notebook, elements, book = executed(given)
        again = book is not None and not _agrees(book, given.earlier)
    except NotebookFailed as fault:
        if CONTRADICTED not in str(fault) or not any(one.same_data for one in given.earlier):
            raise
        # The gate stopped at the first number that cannot be the same: all are taken for changes to see the others.
        notebook, elements, book = executed(Given(as_changes(given.earlier)), "changed numbers")
        again = book is not None and any(one.same_data for one in reconciled(book, given.earlier))
    if book is not None:
        given = Given(reconciled(book, given.earlier))
        if again:
            notebook, elements, book = executed(given, "changed numbers")
    if book is not None and audited(book).n_recoverable:
        given = Given(given.earlier, book.to_withhold())
        notebook, elements, book = executed(given, "protection")
    try:
        if book is not None:
            audited(book).require_safe(planned.label)
    except DisclosureError as error:
        raise NotebookFailed(error, type(error).__name__, notebook, None) from None
    return notebook, elements


def earlier_of(releases: Sequence[Release], data_sha256: str) -> tuple[Earlier, ...]:
    """What the gate and the audit are told of earlier releases; the same tables only once."""
    found = {
        keys.digest([table["axes"], table["cells"], table["low"], table["high"], table["population"]]): Earlier(
            Published.from_record(table), same_data=release.data_sha256 == data_sha256
        )
        for release in releases for table in release.tables
    }  # fmt: skip
    return tuple(found.values())


def as_changes(earlier: Sequence[Earlier]) -> tuple[Earlier, ...]:
    """The same releases, each taken for one of other data."""
    return tuple(replace(one, same_data=False) for one in earlier)


def reconciled(book: Book, earlier: Sequence[Earlier]) -> tuple[Earlier, ...]:
    """Earlier releases as they can be of one truth with this book: of the very same numbers, or else of changed ones."""
    found = tuple(one if _agrees(book, [one]) else replace(one, same_data=False) for one in earlier)
    return found if _agrees(book, found) else as_changes(found)


def _agrees(book: Book, earlier: Sequence[Earlier]) -> bool:
    if not any(one.same_data for one in earlier):
        return True
    try:
        audited(replace(book, earlier=earlier))
    except DisclosureError as error:
        if CONTRADICTED in str(error):
            return False
        raise
    return True


def audited_with(book: Book, earlier: Sequence[Earlier]) -> AuditResult:
    """The audit of a report that is to go out, together with what is out."""
    return audited(replace(book, earlier=reconciled(book, earlier)))


def unbooked(elements: Sequence[Mapping], book: Book, internal: Mapping[str, Sequence[Mapping]]) -> list[str]:
    """Counts on the page of which the book knows less than a reader; table and coordinates, never a value.

    Parameters
    ----------
    elements : sequence of mappings
        As `report.export.elements` reads them.
    internal : mapping of str to sequence of mappings
        Rows before the gate, from internal.json: they tell counts from estimates, which stand in no book.
    """
    said = {key: entry for entry in book.entries for key in entry.keys}
    found = []
    for element in elements:
        name = str(element["name"])
        true = {cell.key: cell.n for cell in sheet(name, internal.get(name, ())).cells if cell.asked}
        for cell in sheet(name, element.get("frame") or ()).cells:
            entry, n = said.get(cell.key), true.get(cell.key)
            if not cell.asked or cell.of is not None or (entry is None and n is None):
                continue
            if entry is None or n not in (None, entry.n) or not _is_booked(entry, cell.n, book.policy):
                found.append(named(cell.key))
    return found


def _is_booked(entry: Entry, shown: int, policy: Policy) -> bool:
    low, high = shown_interval(shown, policy)
    return low - NEAR <= entry.low <= entry.n <= entry.high <= high + NEAR


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
