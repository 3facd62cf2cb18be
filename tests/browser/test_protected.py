"""An attacker with everything a report shows works nothing out; with primary suppression alone he works out much."""

import json

import pytest

from mhlib.report.protection_file import audited, exposed, read_book

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
def test_what_is_withheld_stands_nowhere_on_the_page(run_of, name):
    """Large counts that were withheld for the sake of others, searched for as they would be shown."""
    run = run_of(name, "en")
    book = read_book(run["folder"])
    frames = json.loads((run["folder"] / "run.json").read_text("utf-8"))["estimates"]
    for element, rows in frames.items():
        keys = [
            dict(key) for entry in book.entries if entry.hidden for key in entry.keys if ("element", element) in key
        ]
        for key in keys:
            if "less" not in key and key["measure"] in rows[0]:
                places = {column: label for column, label in key.items() if column not in ("element", "measure", "row")}
                same = [row for row in rows if all(str(row.get(column)) == label for column, label in places.items())]
                assert all(row[key["measure"]] is None for row in same), (element, key)
