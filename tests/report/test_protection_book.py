"""The book of a report against an attacker written apart, and its single rules one by one."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mhlib.report.disclosure import Gate
from mhlib.report.policy import BUILT_IN
from mhlib.report.protection_book import Book, Earlier
from mhlib.report.protection_file import Given, audited, exposed, read_book, write_book
from mhlib.report.protection_links import Links, Sum
from mhlib.report.protection_rows import sheet, signature
from mhlib.report.protection_tables import Published

from .attacker import MARGINS, ranges, shown, sums, worlds

PUBLIC = BUILT_IN["public"]
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
# The columns of the attacker's cities by names that a report may use.
NAMED = {"town": "town", "school": "subgroup", "grade": "band", "level": "level"}


def elements(world) -> list[tuple[str, list[dict], list]]:
    """Each margin of a city as the rows of one element, with the attacker's cells in the same order."""
    made = []
    for number, margin in enumerate(world.margins[0]):
        margin = ("town", *margin) if "school" in margin and "town" not in margin else margin
        cells = sums(world.rows, [margin])
        rows = [{NAMED[column]: label for column, label in key} | {"n": n} for key, (_, n) in cells.items()]
        made.append((f"table_{number}", rows, list(cells.values())))
    return made


def complete(world):
    """The same city with every grade in every school: that some have none is known from elsewhere, and no report says so."""
    rows = world.rows
    schools = rows[["town", "school"]].drop_duplicates()
    full = schools.merge(rows[["grade"]].drop_duplicates(), how="cross").merge(
        rows[["level"]].drop_duplicates(), how="cross"
    )
    filled = full.merge(rows, how="left").fillna({"n": 0}).astype({"n": int})
    return replace(world, rows=filled)


def shown_of(book: Book, made) -> list[list[int]]:
    """For each element the rows that show their count."""
    kept = []
    for name, rows, _ in made:
        hidden = {row for row, _ in book.enter(name, rows)}
        kept.append([row for row, values in enumerate(rows) if values["n"] >= 10 and row not in hidden])
    return kept


def attack(world) -> None:
    made = elements(complete(world))
    book = Book(PUBLIC)
    kept = shown_of(book, made)
    if audited(book).n_recoverable:  # as the runner does: once more, knowing what to withhold
        book = Book(PUBLIC, withheld=book.to_withhold())
        kept = shown_of(book, made)
    assert audited(book).n_recoverable == 0
    cells = [cells[row] for (_, _, cells), rows in zip(made, kept, strict=True) for row in rows]
    printed = [(members, *shown(n, PUBLIC)) for members, n in cells]
    small = [members for _, _, cells in made for members, n in cells if n < 10]
    if small and printed:
        found = ranges(small, printed)
        assert (found[:, 1] - found[:, 0] >= 10).all()


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(worlds())
def test_an_attacker_recovers_no_small_cell_of_the_elements_of_a_report(world):
    attack(world)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=QUIET)
@given(worlds(most=3))
def test_an_attacker_recovers_no_small_cell_of_the_elements_of_many_reports(world):
    attack(world)


ROWS = [{"level": "J", "n": 50}, {"level": "S", "n": 4}, {"level": "all_levels", "n": 54}]


def test_a_lone_small_part_of_a_shown_total_takes_another_with_it():
    book = Book(PUBLIC)
    assert book.enter("levels", ROWS) == {(0, "n")}
    assert audited(book).n_recoverable == 0
    assert "element=levels, level=S, measure=n" in audited(exposed(book)).named()


def test_with_the_step_switched_off_the_part_is_worked_out():
    book = Book(PUBLIC, secondary=False)
    assert book.enter("levels", ROWS) == set()
    assert audited(book).n_recoverable > 0


def test_a_total_in_another_element_counts_too():
    book = Book(PUBLIC)
    book.enter("all", [{"term": "score_mean", "n_used": 54}])
    assert book.enter("levels", ROWS[:2]) == {(0, "n")}


def test_a_total_of_other_people_does_not():
    book = Book(PUBLIC)
    book.enter("others", [{"town": "T1", "n": 54}, {"town": "T2", "n": 500}])
    assert book.enter("levels", [{"level": "J", "town": "T9", "n": 50}, {"level": "S", "town": "T9", "n": 4}]) == set()


def test_a_few_who_are_missing_from_all():
    """52 took part and 46 of them answered: six are missing, so one of the two is hidden."""
    book = Book(PUBLIC)
    book.enter("all", [{"term": "score_mean", "n_used": 52}])
    assert book.enter("answered", [{"term": "alpha", "n_used": 46}]) == {(0, "n_used")}


def test_of_large_numbers_the_coarser_rounding_is_enough():
    book = Book(PUBLIC)
    book.enter("all", [{"term": "score_mean", "n_used": 125_236}])
    assert book.enter("scored", [{"term": "alpha", "n_used": 125_227}]) == set()
    assert audited(book).n_recoverable == 0


@pytest.mark.parametrize("element", ["every_cutoff", "studio", "flow"])
def test_a_chain_gives_its_steps_away(element):
    column = "n" if element == "flow" else "referrals"
    rows = [{"cutoff": cutoff, "step": str(cutoff), column: n} for cutoff, n in enumerate((120, 88, 84, 30))]
    hidden = Book(PUBLIC).enter(element, rows)
    assert len({row for row, _ in hidden} & {1, 2}) == 1


def test_a_share_gives_its_count_and_the_rest():
    """8 of 200 is 4 %: hidden by the gate itself; its neighbour gives it back where both make up the total."""
    rows = [{"term": "part_improved", "proportion": 8 / 200, "denominator": 200},
            {"term": "part_unchanged", "proportion": 192 / 200, "denominator": 200}]  # fmt: skip
    book = Book(PUBLIC)
    hidden = book.enter("change_shares", rows)
    assert (1, "proportion") in hidden
    assert audited(book).n_recoverable == 0 and audited(exposed(book)).n_recoverable > 0


def test_a_sentence_says_nothing_that_a_table_hides():
    book = Book(PUBLIC)
    book.enter("levels", ROWS)
    gate = Gate(PUBLIC, book)
    assert gate.said_count(50) is None and gate.said_count(54) == 55
    assert gate.said_share(50 / 54, 54) is None


def test_a_table_hides_what_a_sentence_said_before_would_give_away():
    book = Book(PUBLIC)
    gate = Gate(PUBLIC, book)
    assert gate.said_count(50) == 50
    assert book.enter("levels", ROWS) == {(2, "n")}


def test_a_number_said_of_one_may_have_been_said_of_another():
    """50 juniors of town A stand in a table; a sentence says 50; then the 50 of town B must not count as unsaid."""
    book = Book(PUBLIC)
    book.enter("others", [{"town": "A", "n": 50}, {"town": "C", "n": 700}])
    assert book.say(50)
    assert book.enter("levels", ROWS) == {(2, "n")}
    assert not Book(PUBLIC, withheld={(("element", "levels"),): 50}).say(50)


def test_published_data_hide_nothing():
    assert Book(BUILT_IN["open_data"]).enter("levels", ROWS) == set()


def test_what_an_earlier_release_showed():
    """Five pupils more than last time: shown 100 and 105 would say so. None, or fifteen, may be seen."""
    old = Book(PUBLIC)
    old.enter("levels", [{"level": "J", "n": 100}, {"level": "P", "n": 60}])
    before = [Earlier(old.published(release="first"), same_data=False)]
    for more, hides in ((0, False), (5, True), (15, False)):
        new = Book(PUBLIC, before)
        assert bool(new.enter("levels", [{"level": "J", "n": 100 + more}, {"level": "P", "n": 60}])) is hides
        assert audited(new).n_recoverable == 0
    alone = Book(PUBLIC)
    alone.enter("levels", [{"level": "J", "n": 105}, {"level": "P", "n": 60}])
    alone.earlier = before
    assert audited(alone).n_recoverable == 1


def test_what_an_earlier_release_hid_is_not_given_away_by_a_later_one():
    old = Book(PUBLIC)
    old.enter("levels", ROWS)
    new = Book(PUBLIC, [Earlier(old.published(release="first"), same_data=True)])
    assert new.enter("levels", ROWS[:1]) == {(0, "n")}


def test_withheld_counts_are_hidden_from_the_first():
    first = Book(PUBLIC)
    assert first.enter("one", ROWS[:1]) == first.enter("two", [{"term": "score_mean", "n_used": 54}]) == set()
    first.enter("three", ROWS)  # only now do the two hang together, and both are in print
    assert audited(first).n_recoverable > 0
    again = Book(PUBLIC, withheld=first.to_withhold())
    hidden = [
        again.enter("one", ROWS[:1]),
        again.enter("two", [{"term": "score_mean", "n_used": 54}]),
        again.enter("three", ROWS),
    ]
    assert any(hidden[:2]) and audited(again).n_recoverable == 0


def test_the_book_returns_from_its_file_and_what_a_run_is_given_too(tmp_path):
    book = Book(PUBLIC)
    book.enter("levels", ROWS)
    write_book(tmp_path, book)
    assert (tmp_path / "protection.json").stat().st_mode & 0o777 == 0o600
    back = read_book(tmp_path)
    assert back.policy == book.policy and back.entries == book.entries and back.sums == book.sums
    given = Given((Earlier(book.published(release="r"), same_data=True),), {(("element", "x"), ("measure", "n")): 50})
    given.write(tmp_path)
    read = Given.read(tmp_path)
    assert read.withheld == given.withheld and read.earlier[0].published.lattice == given.earlier[0].published.lattice
    assert Given.read(None) == Given()


def test_the_ledger_record_of_a_report_holds_no_hidden_count():
    book = Book(PUBLIC)
    book.enter("levels", ROWS)
    record = json.loads(json.dumps(book.published().to_record()))
    back = Published.from_record(record)
    assert isinstance(back.lattice, Links) and back.hidden.sum() >= 2
    assert not set(record["low"]) & {50.0, 4.0, 54.0} and np.isinf(back.high[back.hidden]).all()


def test_parts_that_fall_short_of_their_total_leave_a_rest():
    """Three seniors live in small towns that stand together: the total of the seniors less those of town B."""
    cells = [
        ("B", "P", 90),
        ("B", "S", 50),
        ("others", "all_levels", 70),
        ("all_towns", "S", 53),
        ("all_towns", "P", 157),
    ]
    rows = [{"town": town, "level": level, "n": n} for town, level, n in cells]
    book = Book(PUBLIC)
    assert {row for row, _ in book.enter("places", rows)} & {1, 3}
    assert audited(book).n_recoverable == 0 and audited(exposed(book)).n_recoverable > 0


def test_overlapping_parts_are_no_parts():
    rows = [{"certificate": "certificate_B", "n": 60}, {"certificate": "certificate_C", "n": 36}]
    book = Book(PUBLIC)
    book.enter("all", [{"term": "score_mean", "n_used": 100}])
    assert book.enter("certificates", rows) == set()


def test_a_margin_with_a_missing_part_is_none():
    """Parts that add up to more than everybody overlap: neither they nor what is made of them is a sum of people."""
    rows = [{"group": group, "subgroup": sub, "n": n} for group, sub, n in
            (("sex", "a", 70), ("sex", "b", 30), ("urban", "a", 90), ("urban", "b", 10))]  # fmt: skip
    made = sheet("x", rows)
    parents = {made.cells[one.parent].key for one in made.sums}
    assert all(("element", "x") in key for key in parents)
    assert not any(len(key) == 2 for key in parents)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            {"arm_shown": "arm_control", "measure": "n_used"},
            {"arm_shown": "control", "occasion": "post", "measure": "n"},
            True,
        ),
        ({"by": "sex", "measure": "n"}, {"measure": "denominator", "term": "alpha"}, True),
        ({"level": "J", "measure": "n"}, {"measure": "n"}, False),
        ({"level": "J", "measure": "n"}, {"level": "J", "measure": "numerator"}, False),
        ({"measure": "numerator", "term": "improved"}, {"measure": "numerator", "term": "worse"}, False),
    ],
)
def test_keys_that_name_the_same_people(one, other, same):
    keys = [tuple(sorted({"element": name, **key}.items())) for name, key in (("a", one), ("b", other))]
    assert (signature(keys[0]) == signature(keys[1])) is same


def test_every_sum_of_a_sheet_holds():
    for one, other in pairwise([ROWS, ROWS[:2]]):
        made = sheet("levels", [*one, *({**row, "town": "T1"} for row in other)])
        assert all(
            made.cells[total.parent].n == sum(made.cells[child].n for child in total.children) for total in made.sums
        )


def test_the_relations_of_links():
    links = Links((("a",), ("b",), ("c",)), (Sum(0, (1, 2)),))
    assert links.relations.toarray().tolist() == [[1, -1, -1]]


def test_the_attackers_margins_are_those_of_the_city():
    assert all(len(margins) >= 8 for margins in MARGINS.values())
