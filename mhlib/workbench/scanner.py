"""The leak scanner: reads what a run published as an attacker would, and tells where a person could be found.

It trusts nothing that the gate said. Every file is opened through all its encodings (`scanner_parts`); texts and tables are
searched for people (`scanner_people`), for the identifiers of the run's own source (`scanner_source`), for arrays as long
as the list of pupils, and for counts and cells that the policy hides (`scanner_counts`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from mhlib.errors import DisclosureError, ParamsError
from mhlib.report.disclosure import Gate
from mhlib.report.policy import Policy
from mhlib.report.protection_file import BOOK
from mhlib.report.protection_links import Key
from mhlib.workbench import scanner_counts as counts
from mhlib.workbench import scanner_people as people
from mhlib.workbench.scanner_leaks import KINDS, Leak
from mhlib.workbench.scanner_markup import marks
from mhlib.workbench.scanner_parts import Array, Drawing, Opaque, Part, Table, Text, parts
from mhlib.workbench.scanner_source import Known
from mhlib.workbench.workspace import Workspace

__all__ = ["KINDS", "Known", "Leak", "known_of", "refuse", "scan"]

ELEMENT = "application/vnd.mhlib.element+json"
# A drawing of ours says whose it is.
NAMED = re.compile(r'aria-labelledby="([a-z0-9_]+)-(?:zh|en)-title')
INTERNAL = ("internal.json", "internal", BOOK)
# What a report of aggregates may hold at most: numbers in a row, rows of a table, marks and vertices of a drawing.
MOST_NUMBERS, MOST_ROWS, MOST_MARKS = 200, 5000, 300
# A drawing has at most so many marks for each row of its own data, and so many beside (legend, rings, bars of a frame).
MARKS_A_ROW, MARKS_BESIDE = 3, 12
# Numbers of people in the bureau's estimates that are taken for lengths of lists of people.
FEWEST_PEOPLE = 100
TOTALS = ("n_used", "n", "denominator", "n_people")


@dataclass(slots=True)
class _Run:
    """What is known of a run before its files are read."""

    gate: Gate
    as_of: date
    allowed: set[str] = field(default_factory=set)
    lengths: set[int] = field(default_factory=set)
    known: Known = field(default_factory=Known)
    elements: list[Mapping] = field(default_factory=list)
    hidden: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    telling: set[int] = field(default_factory=set)
    withheld: set[Key] = field(default_factory=set)


def scan(path: Path, *, known: Known | None = None, audience: str | None = None) -> list[Leak]:
    """Everything in a run folder, a report's folder or one file that could lead to a person.

    Parameters
    ----------
    path : Path
        A run (with run.json), a folder of runs, or one file; of a file in a run, the run is read too.
    known : Known, optional
        Identifiers of the source; without it only their looks betray them.
    audience : str, optional
        The policy to hold counts to; the run's own otherwise, and the public's where there is no run.

    Raises
    ------
    ParamsError
        If nothing is there.
    """
    if not path.exists():
        raise ParamsError(path.name, "there is nothing to verify", allowed="a run folder or one file of a report")
    if path.is_file():
        home = next((one for one in (path.parent, path.parent.parent) if (one / "run.json").is_file()), None)
        return sorted(set(_Files(home or path.parent, [path], known, audience).leaks()))
    homes = sorted(one.parent for one in path.rglob("run.json"))
    files = [one for one in sorted(path.rglob("*")) if one.is_file() or one.is_symlink()]
    found: set[Leak] = set()
    for home in homes:
        own = [one for one in files if one.is_relative_to(home)]
        files = [one for one in files if one not in own]
        found |= set(_Files(home, own, known, audience, base=path).leaks())
    # What lies beside the runs, such as the latest page, is held to the run that it came from where one is known.
    beside = _Files(homes[-1] if homes else path, files, known, audience, base=path)
    return sorted(found | set(beside.leaks()))


def refuse(leaks: list[Leak], where: str) -> None:
    """Raise where anything was found.

    Raises
    ------
    DisclosureError
        Names file, part and coordinates of every leak, never its value.
    """
    if leaks:
        raise DisclosureError.of_many(
            where, [str(leak) for leak in leaks], remedy="take it out and render the report anew"
        )


def known_of(workspace: Workspace, path: Path, source: str) -> Known:
    """Identifiers of a source, its columns named as the run's parameters name them.

    Raises
    ------
    DataError
        If the source is not there.
    """
    from mhlib.data.sources import open_source

    homes = [one for one in (path, path.parent, path.parent.parent) if (one / "run.json").is_file()]
    params = _json(homes[0] / "run.json").get("params") or {} if homes else {}
    opened = open_source(source, data_root=workspace.data_root, synthetic_root=workspace.synthetic_root)
    return Known.of(opened, params.get("columns"))


class _Files:
    """The files of one run."""

    def __init__(
        self, home: Path, files: list[Path], known: Known | None, audience: str | None, base: Path | None = None
    ):
        self.home, self.files, self.base = home, files, base or home
        self.known, self.audience = known or Known(), audience

    def leaks(self) -> Iterator[Leak]:
        for number, path in enumerate(self.files, start=1):
            name, about = self._named(path, number)
            yield from about
            if path.is_relative_to(self.home) and path.relative_to(self.home).parts[0] in INTERNAL:
                yield from _rights(path, name)
            elif path.is_symlink():
                yield Leak(name, "", "opaque", "a link")
            else:
                yield from self._of_file(path, name)

    def _named(self, path: Path, number: int) -> tuple[str, list[Leak]]:
        """A file's name to speak of, and the leaks in the name itself."""
        name = path.relative_to(self.base).as_posix() if path.is_relative_to(self.base) else path.name
        kinds = {kind for kind, _ in self._of_words(path.stem.replace("_", " ")) if kind != "birth_date"}
        return (
            (f"file {number}", [Leak(f"file {number}", "its name", kind, "") for kind in kinds])
            if kinds
            else (name, [])
        )

    @cached_property
    def run(self) -> _Run:
        record = _json(self.home / "run.json")
        params = record.get("params") or {}
        audience = self.audience or params.get("disclosure") or "public"
        run = _Run(
            self._gate(audience),
            _day(record.get("as_of")),
            _texts(params) | {str(record.get("as_of"))},
            known=self.known,
        )
        run.elements = list(_elements(_json(self.home / "executed.ipynb")))
        internal = _json(self.home / "internal.json").get("elements", {})
        public = {one["name"]: one["frame"] for one in run.elements if one.get("frame")}
        # A short list may be as long as a curve by chance; what the gate let through explains it.
        short = {len(frame) for frame in public.values() if len(frame) < FEWEST_PEOPLE}
        run.lengths = (self.known.lengths - short) | _people(internal)
        if run.gate.policy.min_cell:
            run.hidden = [one for name, frame in internal.items() if name in public
                          for one in counts.hidden_counts(public[name], frame, run.gate)]  # fmt: skip
            run.telling = counts.telling_counts(internal, public, run.gate)
            run.withheld = {tuple(sorted(key.items())) for entry in _json(self.home / BOOK).get("entries", ())
                            if entry["hidden"] and entry["high"] is None for key in entry["keys"]}  # fmt: skip
        return run

    def _gate(self, audience: str) -> Gate:
        """The gate that the run was held to, where it is the stricter one: a sensitive matter has larger cells."""
        gate, kept = Gate.of(audience), _json(self.home / BOOK).get("policy") or {}
        stricter = kept.get("audience") == audience and kept["min_cell"] > gate.policy.min_cell
        return Gate(Policy(**kept)) if stricter else gate

    def _of_file(self, path: Path, name: str) -> Iterator[Leak]:
        raw = path.read_bytes()
        tables = iter([one for one in self.run.elements if one.get("kind") == "figure"])
        for part in parts(raw, suffix=path.suffix) if raw else ():
            element = None
            if isinstance(part, Drawing) and (drawn := NAMED.search(part.svg)):
                element = next((one for one in self.run.elements if one["name"] == drawn[1]), None)
            elif isinstance(part, Table):
                element = self._element(part, path, tables)
            yield from self._of_part(part, name, element)
        if path.suffix == ".ipynb":
            yield from self._of_notebook(_json(path), name)
        if path.name == "run.json":
            yield from self._of_record(_json(path), name)

    def _element(self, part: Table, path: Path, tables: Iterator[Mapping]) -> Mapping | None:
        """The element that a written table shows."""
        if path.suffix == ".html":
            figure = next(tables, None) if counts.is_figure_data(part.caption) else None
            return figure or counts.element_of_caption(part.caption, self.run.elements)
        named = path.suffix == ".csv" and path.parent.name == "tables"
        return next((one for one in self.run.elements if named and one["name"] == path.stem), None)

    def _of_part(self, part: Part, name: str, element: Mapping | None) -> Iterator[Leak]:
        if isinstance(part, Text):
            for kind, start in self._of_words(part.text):
                line = part.text.count("\n", 0, start) + 1
                sign = start - (part.text.rfind("\n", 0, start) + 1) + 1
                yield Leak(name, part.place, kind, f"line {line} sign {sign}")
        elif isinstance(part, Table):
            for kind, row, column in self._of_table(part, element):
                yield Leak(name, part.place, kind, f"row {row} column {column}")
            if not _of_the_run(part) and (kind := self._too_long(len(part.rows), MOST_ROWS)) is not None:
                yield Leak(name, part.place, kind, f"{len(part.headers)} columns")
        elif isinstance(part, Array):
            many = [self._too_long(length, MOST_NUMBERS) for length in part.lengths]
            for kind in {kind for kind in many if kind and (part.what != "bytes" or kind == "row_array")}:
                yield Leak(name, part.place, kind, f"an array of {part.what}")
        elif isinstance(part, Drawing):
            yield from self._of_drawing(part, name, element)
        elif isinstance(part, Opaque):
            yield Leak(name, part.place, "opaque", "")

    def _of_words(self, text: str) -> Iterator[tuple[str, int]]:
        run = self.run
        yield from people.in_text(text, as_of=run.as_of, allowed=run.allowed)
        yield from run.known.in_text(text)
        yield from counts.exact_counts(text, run.telling)
        yield from counts.beside_label(text, run.hidden)

    def _of_table(self, part: Table, element: Mapping | None) -> Iterator[tuple[str, int, int]]:
        yield from people.in_table(part.headers, part.rows)
        if self.run.gate.policy.min_cell:
            yield from counts.unrounded_in_table(part.headers, part.rows, self.run.gate)
            if element is not None and element.get("frame") and element.get("kind") in ("table", "figure"):
                yield from counts.hidden_in_table(part.headers, part.rows, element["frame"], self.run.gate)

    def _too_long(self, length: int, most: int, beside: int = 0) -> str | None:
        if any(length - extra in self.run.lengths for extra in range(beside + 1)):
            return "row_array"
        return "too_many_points" if length > most else None

    def _of_drawing(self, part: Drawing, name: str, element: Mapping | None) -> Iterator[Leak]:
        own = element.get("frame") if element is not None else None
        rows = len(own) if isinstance(own, list) else None
        most = MOST_MARKS if rows is None else min(MOST_MARKS, MARKS_A_ROW * rows + MARKS_BESIDE)
        # What the drawing's own gated rows account for is no list of people.
        kinds = {self._too_long(count, limit, beside=3) for count, limit in zip(marks(part.svg), (most, MOST_MARKS), strict=True)
                 if rows is None or count > rows + MARKS_BESIDE}  # fmt: skip
        for kind in sorted(kind for kind in kinds if kind):
            yield Leak(name, part.place, kind, "")

    def _of_notebook(self, notebook: Mapping, name: str) -> Iterator[Leak]:
        if "papermill" in notebook.get("metadata", {}):
            yield Leak(name, "metadata", "half_run", "")
        for number, cell in enumerate(notebook.get("cells", []), start=1):
            if "papermill" in cell.get("metadata", {}):
                yield Leak(name, f"cell {number}", "half_run", "metadata")
            for output in cell.get("outputs", []):
                if ELEMENT not in output.get("data", {}):
                    yield Leak(name, f"cell {number}", "ungated_output", str(output.get("output_type", ""))[:20])
        if not self.run.gate.policy.min_cell:
            return
        internal = _json(self.home / "internal.json").get("elements", {})
        for number, one in enumerate(_elements(notebook), start=1):
            frame = one.get("frame") or []
            found = [*counts.unrounded(frame, self.run.gate)] if one.get("kind") in ("table", "figure") else []
            found += counts.shown_though_hidden(frame, internal.get(one["name"], []), self.run.gate)
            found += counts.shown_though_withheld(frame, one["name"], self.run.withheld)
            for kind, row, column in found:
                yield Leak(name, f"element {number}", kind, f"row {row} column {column}")

    def _of_record(self, record: Mapping, name: str) -> Iterator[Leak]:
        gate = self.run.gate
        if not gate.policy.min_cell:
            return
        if isinstance(rows := record.get("rows"), int) and rows % gate.policy.round_to:
            yield Leak(name, "rows", "unrounded_count", "")
        internal = _json(self.home / "internal.json").get("elements", {})
        for number, (element, frame) in enumerate((record.get("estimates") or {}).items(), start=1):
            found = [
                *counts.unrounded(frame, gate),
                *counts.shown_though_hidden(frame, internal.get(element, []), gate),
                *counts.shown_though_withheld(frame, element, self.run.withheld),
            ]
            for kind, row, column in found:
                yield Leak(name, f"estimates of element {number}", kind, f"row {row} column {column}")


def _people(internal: Mapping[str, list]) -> set[int]:
    """The greatest number of people behind each of the bureau's tables: a list of them would be as long."""
    found = [[row[name] for row in frame for name in TOTALS if isinstance(row.get(name), int | float) and row[name] == row[name]]
             for frame in internal.values()]  # fmt: skip
    return {int(most) for numbers in found if FEWEST_PEOPLE <= (most := max(numbers, default=0)) < 1e9}


def _rights(path: Path, name: str) -> Iterator[Leak]:
    """A file for the bureau only is not read: it must not be readable for others."""
    if path.is_symlink() or path.stat().st_mode & 0o077:
        yield Leak(name, "", "open_internal", "rights of the file")


def _json(path: Path) -> dict:
    """A JSON file as a mapping; empty where it is none (its bytes are scanned all the same)."""
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _elements(notebook: Mapping) -> Iterator[Mapping]:
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            one = output.get("data", {}).get(ELEMENT)
            if isinstance(one, dict) and "name" in one:
                yield one


def _texts(value: object) -> set[str]:
    """Every text within the parameters: the dates among them are nobody's."""
    if isinstance(value, dict):
        return {text for inner in value.values() for text in _texts(inner)}
    if isinstance(value, list):
        return {text for inner in value for text in _texts(inner)}
    return {value} if isinstance(value, str) else set()


def _day(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return date.today()


# How the rows of the page's last table begin: keys, versions and parameters, of which there may be as many as people.
OF_THE_RUN = ("data_sha256", "execution_key", "render_key", "versions: ", "params: ")


def _of_the_run(part: Table) -> bool:
    """Whether every row tells of the run and none of a person."""
    return bool(part.rows) and all(row and row[0].startswith(OF_THE_RUN) for row in part.rows)
