"""What was published and who read what: two chains beside the reports.

The release ledger holds what a reader of a report can see, and no more: elements, published cells with coordinates, the
policy and the keys. A later release is audited together with it, so that nobody learns a hidden cell by subtracting one
report from another. A release is written here *before* its page is shown: after a crash the ledger may know of a page
that never appeared, never the other way round.

The access log holds who ran what, why, and over how many rows; no value, no path.
"""

from __future__ import annotations

import getpass
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mhlib.errors import DisclosureError, MhlibError, ParamsError
from mhlib.report.disclosure import Policy
from mhlib.report.vocabulary import COLUMNS
from mhlib.workbench import chain, keys
from mhlib.workbench.workspace import Workspace

# Kinds of column that say which cell it is; a plan's number does so where the words alone do not.
WORDS, PLANS = ("text", "named", "said"), ("plan", "plan_share")
LONGEST_PURPOSE = 200
# Digits in a row as in a pupil's number, a telephone or an identity card.
IDENTIFIER = re.compile(r"\d{6,}")


@dataclass(frozen=True, slots=True)
class ReleasedCell:
    """One published cell.

    Attributes
    ----------
    table : str
        Name of the element.
    coordinates : tuple of (column, label)
        Sorted, so that equal cells of two releases compare equal.
    measure : str
        Column in which the value stands.
    value : object
        As published; None where it was hidden.
    """

    table: str
    coordinates: tuple[tuple[str, str], ...]
    measure: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one report showed.

    Attributes
    ----------
    set_name, name, evaluation : str
    term : str
        What :func:`term_of` says.
    policy : dict
        The numbers of the policy by which it was gated.
    render_key, data_sha256 : str
    base_key : str
        Execution key without what the gate knew of earlier releases.
    elements : tuple of str
        Names of all elements shown, also those without cells.
    cells : tuple of ReleasedCell
    tables : tuple of dict
        Records of count tables for the audit (``Published.to_record``), as given.
    number : int
        Place in the ledger; 0 before it is recorded.
    released_at : str
        UTC.
    """

    set_name: str
    name: str
    evaluation: str
    term: str
    policy: Mapping[str, object]
    render_key: str
    data_sha256: str
    elements: tuple[str, ...]
    cells: tuple[ReleasedCell, ...] = ()
    tables: tuple[Mapping[str, object], ...] = ()
    base_key: str = ""
    number: int = 0
    released_at: str = ""

    def content_sha256(self) -> str:
        """Sum over all that a reader sees; keys, language and time do not count."""
        return keys.digest({"label": [self.set_name, self.name, self.evaluation, self.term], "policy": dict(self.policy),
                            "elements": sorted(self.elements), "cells": [asdict(cell) for cell in self.cells],
                            "tables": list(self.tables)})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who read which rows, and why.

    Attributes
    ----------
    user : str
        As the environment says; `uid` as the system says.
    params_file : str
        `<set>/<name>.yml`.
    purpose : str
        As declared; empty where nobody declared one.
    rows : dict
        Rows read of each table.
    """

    user: str
    uid: int
    evaluation: str
    params_file: str
    purpose: str
    rows: Mapping[str, int]
    run_id: str = ""
    exit_code: int = 0
    number: int = 0
    accessed_at: str = ""


def ledger_file(workspace: Workspace) -> Path:
    """Where the release ledger is kept: below MHLIB_LEDGER, else reports/.ledger."""
    return _folder(workspace) / "releases.jsonl"


def access_file(workspace: Workspace) -> Path:
    """Where the access log is kept."""
    return _folder(workspace) / "access.jsonl"


def _folder(workspace: Workspace) -> Path:
    return Path(os.environ.get("MHLIB_LEDGER") or workspace.reports / ".ledger")


def release_of(
    record: Mapping[str, object],
    elements: Sequence[Mapping[str, object]],
    policy: Policy,
    *,
    term: str,
    tables: Sequence[Mapping[str, object]] = (),
) -> Release:
    """The release that a run's record and its gated elements make.

    Parameters
    ----------
    record : mapping
        As in run.json: set, name, evaluation, base_key, render_key, data_sha256.
    elements : sequence of mappings
        As `report.export.elements` reads them from the executed notebook: `name`, and `frame` where there are cells.
    policy : Policy
    term : str
    tables : sequence of mappings, optional
        Records of the published count tables, for the audit.

    Raises
    ------
    DisclosureError
        If a count was not gated by this policy; names table and cell, never the value.
    """
    shown = [element for element in elements if element.get("kind") != "absent"]
    cells = [cell for element in shown for cell in cells_of(str(element["name"]), element.get("frame") or ())]
    for cell in cells:
        _must_be_gated(cell, policy)
    return Release(
        set_name=str(record["set"]), name=str(record["name"]), evaluation=str(record["evaluation"]), term=term,
        policy=asdict(policy), render_key=str(record["render_key"]), data_sha256=str(record["data_sha256"]),
        base_key=str(record["base_key"]),
        elements=tuple(str(element["name"]) for element in shown), cells=tuple(cells), tables=tuple(tables),
    )  # fmt: skip


def cells_of(table: str, frame: Sequence[Mapping[str, object]]) -> list[ReleasedCell]:
    """Cells of a gated table given as records: words are coordinates, all else is measured.

    Where the words alone do not tell rows apart, planned numbers (a cut-off) do, and else the row's number.
    """
    if not frame:
        return []
    words = [name for name in frame[0] if _kind(name, frame) in WORDS]
    plans = [name for name in frame[0] if _kind(name, frame) in PLANS]
    named = next((names for names in (words, [*words, *plans]) if _tells_apart(names, frame)), None)
    found = []
    for number, row in enumerate(frame, 1):
        place = [(name, str(row[name])) for name in (words if named is None else named) if row.get(name) is not None]
        place += [("row", str(number))] if named is None else []
        measured = [name for name in row if name not in (words if named is None else named)]
        found += [ReleasedCell(table, tuple(sorted(place)), name, _plain(row[name])) for name in measured]
    return found


def record_release(path: Path, release: Release) -> Release:
    """Write a release into the ledger, unless the latest one of its report shows the same; returns it as it stands there.

    Raises
    ------
    DisclosureError
        If the ledger is broken: what was published before can then not be known.
    WorkbenchError
        If it cannot be written.
    """
    before = earlier_releases(path, set_name=release.set_name, name=release.name)
    if before and before[-1].content_sha256() == release.content_sha256():
        return before[-1]
    line = chain.append(path, _packed(release))
    return replace(release, number=line.number, released_at=line.at)


def earlier_releases(
    path: Path,
    *,
    evaluation: str | None = None,
    set_name: str | None = None,
    name: str | None = None,
    term: str | None = None,
) -> list[Release]:
    """Releases so far, the oldest first; of one evaluation, set, report or term where these are given.

    Raises
    ------
    DisclosureError
        If the ledger is broken.
    """
    try:
        lines = chain.read(path)
    except MhlibError as error:
        raise DisclosureError(path.name, error.problem, allowed="a whole ledger: without it nobody knows what was published",
                              remedy=error.remedy) from None  # fmt: skip
    wanted = {"evaluation": evaluation, "set_name": set_name, "name": name, "term": term}
    return [
        _unpacked(line) for line in lines
        if all(value is None or line.entry[field] == value for field, value in wanted.items())
    ]  # fmt: skip


def term_of(params: Mapping[str, object]) -> str:
    """Which numbers of an evaluation are about the same people: the screening wave, or the study by design and outcome.

    Where there is neither, all of them: numbers that add up over the terms, such as certificates, stand in every later report
    and are differenced with it.
    """
    if params.get("wave") is not None:
        return str(params["wave"])
    return " ".join(str(params[name]) for name in ("design", "primary") if params.get(name))


def comparable(releases: Sequence[Release], *, evaluation: str, term: str) -> list[Release]:
    """Releases that a reader can lay beside a report: of its evaluation and term, unless everybody has the data."""
    return [
        one for one in releases
        if (one.evaluation, one.term) == (evaluation, term) and one.policy["audience"] != "open_data"
    ]  # fmt: skip


def related(releases: Sequence[Release], *, evaluation: str, term: str, base_key: str) -> list[Release]:
    """Comparable releases that the gate of a run must know, the oldest first.

    Those of another base key; whose report it was does not matter. And of the run's own base key those that came before
    the last of the others: what they hid was chosen without it. Later ones were made by this very run, so that
    publishing alone changes no key.
    """
    found = comparable(releases, evaluation=evaluation, term=term)
    others = [one.number for one in found if one.base_key != base_key]
    return [one for one in found if one.base_key != base_key or one.number < max(others, default=0)]


def record_access(
    path: Path,
    *,
    evaluation: str,
    params_file: Path | str,
    purpose: str,
    rows: Mapping[str, int],
    run_id: str = "",
    exit_code: int = 0,
    user: str | None = None,
) -> Access:
    """Write down who read what, and why.

    Parameters
    ----------
    path : Path
    evaluation : str
    params_file : path
        Only its folder's and its own name are kept.
    purpose : str
        In a few words; no identifier of a person.
    rows : mapping of str to int
        Rows read of each table.
    user : str, optional
        The environment's user by default.

    Raises
    ------
    ParamsError
        If the purpose is long or holds digits like an identifier's.
    """
    purpose = " ".join(purpose.split())
    if len(purpose) > LONGEST_PURPOSE or IDENTIFIER.search(purpose):
        raise ParamsError("purpose", "it is too long or holds an identifier",
                          allowed=f"up to {LONGEST_PURPOSE} characters, no number of 6 digits or more",
                          remedy="say for which task the data are read")  # fmt: skip
    where = Path(params_file)
    access = Access(
        user=user or _user(), uid=os.getuid(), evaluation=evaluation, params_file="/".join(where.parts[-2:]),
        purpose=purpose, rows={str(table): int(n) for table, n in rows.items()}, run_id=run_id, exit_code=exit_code,
    )  # fmt: skip
    entry = {name: value for name, value in asdict(access).items() if name not in ("number", "accessed_at")}
    line = chain.append(path, entry)
    return replace(access, number=line.number, accessed_at=line.at)


def accesses(path: Path, *, evaluation: str | None = None, user: str | None = None) -> list[Access]:
    """Entries of the access log, the oldest first; of one evaluation or user where given.

    Raises
    ------
    WorkbenchError
        If the log is broken.
    """
    found = [Access(**line.entry, number=line.number, accessed_at=line.at) for line in chain.read(path)]
    return [one for one in found if evaluation in (None, one.evaluation) and user in (None, one.user)]


def _kind(name: str, frame: Sequence[Mapping[str, object]]) -> str:
    """Kind of a column by the vocabulary; of one without, text where nothing else stands in it."""
    if name in COLUMNS:
        return COLUMNS[name].kind
    return "text" if all(isinstance(row.get(name), str | None) for row in frame) else "estimate"


def _plain(value: object) -> object:
    """Infinite and missing numbers are shown as nothing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tells_apart(names: Sequence[str], frame: Sequence[Mapping[str, object]]) -> bool:
    return len({tuple(str(row.get(name)) for name in names) for row in frame}) == len(frame)


def _must_be_gated(cell: ReleasedCell, policy: Policy) -> None:
    kind = COLUMNS[cell.measure].kind if cell.measure in COLUMNS else "estimate"
    if kind != "count" or not isinstance(cell.value, int | float):
        return
    if cell.value % policy.round_to or cell.value < policy.min_cell:
        where = ", ".join(f"{column}={label}" for column, label in cell.coordinates) or "total"
        raise DisclosureError(f"table {cell.table}", f"the count {cell.measure} at {where} did not pass the gate",
                              allowed=f"hidden, or a multiple of {policy.round_to} from {policy.min_cell}")  # fmt: skip


def _packed(release: Release) -> dict[str, object]:
    """For the ledger: cells of one place together, so that coordinates are written once."""
    rows: dict[tuple[str, tuple], dict[str, object]] = {}
    for cell in release.cells:
        rows.setdefault((cell.table, cell.coordinates), {})[cell.measure] = cell.value
    entry = {
        name: getattr(release, name) for name in Release.__slots__ if name not in ("number", "released_at", "cells")
    }
    entry |= {"policy": dict(release.policy), "elements": list(release.elements), "tables": list(release.tables)}
    return entry | {"cells": [[table, dict(place), values] for (table, place), values in rows.items()]}


def _unpacked(line: chain.Line) -> Release:
    kept = dict(line.entry)
    cells = [
        ReleasedCell(table, tuple(place.items()), measure, value)
        for table, place, values in kept.pop("cells") for measure, value in values.items()
    ]  # fmt: skip
    kept |= {"elements": tuple(kept["elements"]), "tables": tuple(kept["tables"]), "cells": tuple(cells)}
    return Release(**kept, number=line.number, released_at=line.at)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
