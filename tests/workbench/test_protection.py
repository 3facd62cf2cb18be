"""A run that knows what is out already: a change of a few people since then is not seen, and the book says what the page says."""

import json
from dataclasses import replace

import nbformat
import pytest

from mhlib.errors import DisclosureError
from mhlib.report import export
from mhlib.report.policy import BUILT_IN
from mhlib.report.protection_book import Book, Earlier, Entry
from mhlib.report.protection_file import BOOK, audited, read_book
from mhlib.report.protection_tables import Published
from mhlib.workbench import protection
from mhlib.workbench.releases import earlier_releases, ledger_file, record_release
from mhlib.workbench.review_draft import draft
from mhlib.workbench.review_ledger import outgoing

PUBLIC = BUILT_IN["public"]


@pytest.fixture
def released(bench):
    """A bench whose report of 60 pupils is in the ledger."""
    made, missing = outgoing(bench.workspace, draft(bench.report))
    assert not missing
    record_release(ledger_file(bench.workspace), made)
    return bench


def pupils(bench, n: int) -> None:
    bench.people(answers=(0, 1, 2, 3) * (n // 4) + (0,) * (n % 4))


def ran(bench, **changes) -> dict:
    record = bench.run(**changes)
    assert record["exit_code"] == 0, record["error"]
    return record


def book_of(bench, record: dict) -> Book:
    known = protection.earlier_of(earlier_releases(ledger_file(bench.workspace)), record["data_sha256"])
    return read_book(bench.report / record["run_id"], earlier=known)


def shown(record: dict) -> object:
    return record["estimates"]["counts"][0]["n"]


def said(bench, record: dict) -> str:
    """The sentences of the answer."""
    notebook = (bench.report / record["run_id"] / "executed.ipynb").read_text("utf-8")
    elements = export.elements(nbformat.reads(notebook, as_version=4))
    return next(one["html"]["en"] for one in elements if one["name"] == "answer")


def test_three_more_pupils_are_seen_by_subtraction_and_hidden_by_a_gate_that_knows_the_ledger(released):
    pupils(released, 63)
    ledger = ledger_file(released.workspace).rename(ledger_file(released.workspace).with_suffix(".away"))
    blind = ran(released)
    ledger.rename(ledger_file(released.workspace))
    assert shown(blind) == 65
    assert {name.partition(":")[0] for name in audited(book_of(released, blind)).named()} == {"change"}
    record = ran(released)
    assert shown(record) is None and record["base_key"] == blind["base_key"]
    assert record["execution_key"] != blind["execution_key"]
    assert audited(book_of(released, record)).n_recoverable == 0
    assert "65" in said(released, blind) and "65" not in said(released, record), "nor does a sentence say it"


@pytest.mark.parametrize("n", [60, 80])
def test_no_change_and_a_change_of_many_stay_shown(released, n):
    """Of the same data under another rule, and of data with twenty more."""
    pupils(released, n)
    record = ran(released, highest=4)
    assert shown(record) == n
    book = book_of(released, record)
    assert len(book.earlier) == 1 and book.earlier[0].same_data == (n == 60)
    assert audited(book).n_recoverable == 0


def test_a_corrected_number_of_the_same_data_is_a_change_and_stops_no_report(released):
    """What is out says 60 of these very data; a changed rule or code says 100: both cannot be the same number."""
    path = ledger_file(released.workspace)
    (first,) = earlier_releases(path)
    path.unlink()
    table = dict(first.tables[0]) | {
        "low": [98.0] * len(first.tables[0]["low"]),
        "high": [102.0] * len(first.tables[0]["high"]),
    }
    record_release(path, replace(first, base_key="0" * 64, tables=(table,)))
    record = ran(released)
    assert shown(record) == 60
    again = [event["for"] for event in released.events if event["event"] == "executing again"]
    assert again == ["changed numbers"]


def book(**counts: int) -> Book:
    made = Book(PUBLIC)
    made.enter("groups", [{"group": name, "n": n} for name, n in counts.items()])
    return made


def of_the_same_data(**counts: int) -> Earlier:
    return Earlier(
        Published.from_record(json.loads(json.dumps(book(**counts).published().to_record()))), same_data=True
    )


def test_only_a_release_that_cannot_be_of_the_same_numbers_is_taken_for_a_change():
    same, other = of_the_same_data(a=60, b=80), of_the_same_data(a=60, b=120)
    now = book(a=60, b=80)
    assert [one.same_data for one in protection.reconciled(now, [same, other])] == [True, False]
    with pytest.raises(DisclosureError, match=protection.CONTRADICTED):
        audited(replace(now, earlier=[same, other]))
    assert protection.audited_with(now, [same, other]).n_recoverable == 0


def test_every_name_of_a_count_reaches_the_next_release():
    """In the first release two numbers were equal and one entry; in the next they are two."""
    asked, answered = (
        tuple(sorted({"element": name, "group": "a", "measure": "n"}.items())) for name in ("asked", "answered")
    )
    behind = (("element", "answered"), ("group", "a"), ("measure", "n_used"))
    first = Book(PUBLIC, entries=[Entry([asked, answered, behind], 60, 58, 62)])
    known = Published.from_record(json.loads(json.dumps(first.published().to_record())))
    assert known.lattice.keys == (asked, answered), "how many stand behind an estimate is no count"
    assert (known.low[0], known.high[0]) == (known.low[1], known.high[1]) == (58, 62)
    later = Book(PUBLIC, [Earlier(known, same_data=False)])
    assert later.enter("asked", [{"group": "a", "n": 80}]) == set()
    assert later.enter("answered", [{"group": "a", "n": 63}]) == {(0, "n")}


def test_the_same_tables_are_known_once(released):
    path = ledger_file(released.workspace)
    (first,) = earlier_releases(path)
    record_release(path, replace(first, name="other"))
    assert len(protection.earlier_of(earlier_releases(path), first.data_sha256)) == 1
    assert protection.earlier_of([replace(first, tables=())], first.data_sha256) == ()


FRAME = [{"group": "a", "n": 60}, {"group": "b", "n": 83}]


@pytest.mark.parametrize(("shown_n", "raw", "odd"), [
    (85, 83, []), (90, 83, ["element=groups, group=b, measure=n"]), (85, 84, ["element=groups, group=b, measure=n"]),
])  # fmt: skip
def test_a_count_that_the_book_does_not_know_as_printed_is_named(shown_n, raw, odd):
    kept = book(a=60, b=83)
    elements = [{"name": "groups", "kind": "table", "frame": [FRAME[0], FRAME[1] | {"n": shown_n}]}]
    internal = {"groups": [FRAME[0], FRAME[1] | {"n": raw}]}
    assert protection.unbooked(elements, kept, internal) == odd


def test_a_count_that_is_not_in_the_book_at_all_is_named_and_an_estimate_is_not():
    elements = [{"name": "more", "kind": "table", "frame": [{"group": "a", "n": 60}]}]
    assert protection.unbooked(elements, book(a=60, b=83), {"more": [{"group": "a", "n": 60}]}) == [
        "element=more, group=a, measure=n"
    ]
    assert protection.unbooked(elements, book(a=60, b=83), {"more": [{"group": "a", "n": 59.7}]}) == []


def test_the_book_of_a_run_lies_beside_it_for_the_bureau_alone(bench):
    kept = next(bench.report.glob(f"*/{BOOK}"))
    assert kept.stat().st_mode & 0o077 == 0


def test_a_report_that_gives_a_cell_away_ends_with_13_and_names_the_cell(bench, monkeypatch, tmp_path):
    """Both passes made as if the gate hid small counts alone."""
    rows = [{"level": "J", "n": 50}, {"level": "S", "n": 4}, {"level": "all_levels", "n": 54}]

    def executed(*_given, **_named):
        book = Book(PUBLIC, secondary=False)
        book.enter("levels", rows)
        return nbformat.v4.new_notebook(), [], book

    monkeypatch.setattr(protection, "_executed", executed)
    events = []
    with pytest.raises(protection.NotebookFailed) as caught:
        protection.safely_executed(bench.workspace, bench.plan(), tmp_path / "made", tell=events.append, timeout=60,
                                   done=lambda *_: None)  # fmt: skip
    assert caught.value.exit_code == 13 and [event["for"] for event in events] == ["protection"]
    assert "element=levels, level=S, measure=n" in str(caught.value) and " 4" not in str(caught.value)
