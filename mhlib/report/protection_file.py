"""The book of a report beside it, for the bureau alone; and what a run is given to know before it starts.

`protection.json` holds true small counts, so it has mode 0600 and is never passed on. `protection-given.json` lies in the
kernel's folder while it runs: what earlier releases showed, and what to withhold from the first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mhlib.report.policy import Policy
from mhlib.report.protection_audit import AuditResult, attacked
from mhlib.report.protection_book import Book, Earlier, Entry
from mhlib.report.protection_links import Key, Sum
from mhlib.report.protection_tables import Published

BOOK, GIVEN = "protection.json", "protection-given.json"


@dataclass(frozen=True, slots=True)
class Given:
    """What a run knows before it starts.

    Attributes
    ----------
    earlier : tuple of Earlier
    withheld : mapping of Key to int
    """

    earlier: tuple[Earlier, ...] = ()
    withheld: Mapping[Key, int] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Into a kernel's folder."""
        earlier = [{"published": one.published.to_record(), "same_data": one.same_data} for one in self.earlier]
        _write(
            folder / GIVEN,
            {"earlier": earlier, "withheld": [[dict(key), n] for key, n in sorted(self.withheld.items())]},
        )

    @classmethod
    def read(cls, folder: Path | None) -> Given:
        """From a kernel's folder; nothing where there is none, as in JupyterLab."""
        if folder is None or not (folder / GIVEN).is_file():
            return cls()
        kept = json.loads((folder / GIVEN).read_text("utf-8"))
        earlier = tuple(Earlier(Published.from_record(one["published"]), one["same_data"]) for one in kept["earlier"])
        return cls(earlier, {tuple(sorted(key.items())): n for key, n in kept["withheld"]})


def write_book(folder: Path, book: Book) -> None:
    """Beside the report."""
    entries = [{"keys": [dict(key) for key in entry.keys], "n": entry.n, "low": entry.low,
                "high": None if np.isinf(entry.high) else entry.high,
                "told": [entry.told[0], None if np.isinf(entry.told[1]) else entry.told[1]],
                "hidden": entry.hidden, "target": entry.target} for entry in book.entries]  # fmt: skip
    policy = {name: getattr(book.policy, name) for name in Policy.__slots__}
    sums = [[one.parent, *one.children] for one in book.sums]
    _write(folder / BOOK, {"policy": policy, "entries": entries, "sums": sums})


def read_book(folder: Path, *, earlier: Sequence[Earlier] = ()) -> Book | None:
    """The book of a report; None where there is none, as of published data that hide nothing."""
    if not (folder / BOOK).is_file():
        return None
    kept = json.loads((folder / BOOK).read_text("utf-8"))
    book = Book(Policy(**kept["policy"]), earlier)
    book.entries = [
        Entry([tuple(sorted(key.items())) for key in one["keys"]], one["n"], one["low"], _end(one["high"]),
              (one["told"][0], _end(one["told"][1])), one["hidden"], one["target"])
        for one in kept["entries"]
    ]  # fmt: skip
    book.sums = [Sum(parent, tuple(children)) for parent, *children in kept["sums"]]
    return book


def audited(book: Book) -> AuditResult:
    """What a reader of the report and of the earlier releases of its numbers can work out, by linear programmes.

    Cells that earlier releases give away by themselves do not count: nothing can be mended about them here.
    """
    problem, width = book.problem(), book.policy.width
    found = attacked(problem.system, problem.target, width=width)
    if book.earlier and found.n_recoverable:
        given = attacked(book.problem(printed=False).system, problem.target, width=width).recoverable
        found = attacked(problem.system, problem.target & ~given, width=width)
    return found


def exposed(book: Book) -> Book:
    """The same report with its small counts hidden and no others, as primary suppression alone would have it."""
    entries = [replace(entry, low=entry.told[0], high=entry.told[1], hidden=False) for entry in book.entries]
    return replace(book, entries=entries)


def _end(value: float | None) -> float:
    return np.inf if value is None else value


def _write(path: Path, content: object) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, default=float)
