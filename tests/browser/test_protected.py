"""An attacker with everything a report shows works nothing out; with primary suppression alone he works out much."""

import json

import pytest

from mhlib.report.protection_file import audited, exposed, read_book
from mhlib.report.protection_rows import key_of, row_names

from .conftest import REPORTS


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_hidden_in_a_report_can_be_worked_out(run_of, name):
    runs = [run_of(name, language) for language in ("zh", "en")]
    books = [read_book(run["folder"]) for run in runs]
    for run, book in zip(runs, books, strict=True):
        assert book is not None and book.entries, run["folder"].name
        assert audited(book).named() == ()


def test_with_the_secondary_step_switched_off_the_same_audit_finds_many(run_of):
    found = {name: audited(exposed(read_book(run_of(name, "zh")["folder"]))).n_recoverable for name in REPORTS}
    assert sum(found.values()) > 50, found


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_withheld_stands_nowhere_in_the_tables(run_of, name):
    run = run_of(name, "en")
    withheld = {
        key for entry in read_book(run["folder"]).entries if entry.hidden and not entry.printed for key in entry.keys
    }
    frames = json.loads((run["folder"] / "run.json").read_text("utf-8"))["estimates"]
    shown = {(element, row, column) for element, rows in frames.items() for row, values in enumerate(rows)
             for column in values if values[column] is not None}  # fmt: skip
    places = {(element, row, column): key_of(element, column, name)
              for element, rows in frames.items()
              for row, name in enumerate(row_names(rows)) for column in rows[row]}  # fmt: skip
    assert [place for place, key in places.items() if key in withheld and place in shown] == []


def test_some_counts_are_withheld(run_of):
    books = [read_book(run_of(name, "zh")["folder"]) for name in REPORTS]
    assert sum(entry.hidden for book in books for entry in book.entries) > 20
