"""The release ledger holds what a reader sees and no more; the access log who read what, and no value."""

import json
from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DisclosureError, ParamsError, WorkbenchError
from mhlib.report import export, protection_tables
from mhlib.report.disclosure import POLICIES
from mhlib.workbench import chain, releases
from mhlib.workbench.releases import ReleasedCell, cells_of
from mhlib.workbench.workspace import Workspace

PUBLIC = POLICIES["public"]
RECORD = {"set": "city", "name": "spring", "evaluation": "screening_validity", "render_key": "ab" * 32,
          "data_sha256": "cd" * 32, "base_key": "01" * 32}  # fmt: skip
FRAME = [{"group": "girls", "n": 120, "estimate": 0.2}, {"group": "boys", "n": None, "estimate": None}]


def release(*, frame=FRAME, term="2026-03-20", tables=(), **record):
    elements = [
        {"name": "answer", "kind": "answer"},
        {"name": "of_another_design", "kind": "absent"},
        {"name": "groups", "kind": "table", "frame": frame},
    ]
    return releases.release_of(RECORD | record, elements, PUBLIC, term=term, tables=tables)


def test_words_are_coordinates_and_the_rest_is_measured():
    assert cells_of("groups", FRAME) == [
        ReleasedCell("groups", (("group", "girls"),), "n", 120),
        ReleasedCell("groups", (("group", "girls"),), "estimate", 0.2),
        ReleasedCell("groups", (("group", "boys"),), "n", None),
        ReleasedCell("groups", (("group", "boys"),), "estimate", None),
    ]


def test_planned_numbers_tell_rows_apart_and_else_the_rows_number():
    by_cutoff = cells_of("cutoffs", [{"cutoff": 9, "n": 50}, {"cutoff": 10, "n": 40}])
    assert [cell.coordinates for cell in by_cutoff] == [(("cutoff", "9"),), (("cutoff", "10"),)]
    alike = cells_of("flow", [{"step": "left", "n": 10}, {"step": "left", "n": 15}])
    assert [cell.coordinates for cell in alike] == [(("row", "1"), ("step", "left")), (("row", "2"), ("step", "left"))]
    assert cells_of("nothing", []) == []
    assert cells_of("x", [{"n": 10, "estimate": float("inf")}])[1].value is None


def test_a_release_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "releases.jsonl"
    audited = {"name": "groups", "population": "spring", "cells": [1, 2], "low": [10.0, 12.0]}
    written = releases.record_release(path, release(tables=[audited]))
    (back,) = releases.earlier_releases(path)
    assert back == written
    assert (back.number, back.elements, back.tables) == (1, ("answer", "groups"), (audited,))
    assert back.base_key == RECORD["base_key"]
    assert back.policy == {"audience": "public", "min_cell": 10, "round_to": 5, "min_denominator": 30,
                           "min_sensitive": 20, "group_share": 0.9, "width": 10}  # fmt: skip
    assert datetime.fromisoformat(back.released_at).utcoffset().total_seconds() == 0


def test_what_was_shown_before_is_found_by_evaluation_set_report_and_term(tmp_path):
    path = tmp_path / "releases.jsonl"
    for changes in ({}, {"name": "autumn"}, {"set": "demo"}, {"evaluation": "other"}):
        releases.record_release(path, release(**changes))
    releases.record_release(path, release(term="2026-09-20"))
    found = lambda **wanted: [one.number for one in releases.earlier_releases(path, **wanted)]  # noqa: E731
    assert found() == [1, 2, 3, 4, 5]
    assert found(evaluation="screening_validity", set_name="city") == [1, 2, 5]
    assert found(name="spring", set_name="city", evaluation="screening_validity", term="2026-03-20") == [1]
    assert found(evaluation="nothing") == []


def test_a_wave_is_a_term_a_study_is_its_design_and_outcome_and_else_all_terms_are_one():
    given = {"wave": 3}, {"wave": None}, {"as_of": "2026-03-20"}, {"design": "staggered", "primary": "term_6"}
    assert [releases.term_of(params) for params in given] == ["3", "", "", "staggered term_6"]


def test_related_are_others_numbers_of_the_same_pupils_and_ones_own_from_before_them():
    one = release(term="3")
    made = [
        replace(one, number=1, base_key="a"), replace(one, number=2, base_key="b", name="autumn", set_name="demo"),
        replace(one, number=3, base_key="a"), replace(one, number=4, base_key="c", term="4"),
        replace(one, number=5, base_key="c", evaluation="other"),
        replace(one, number=6, base_key="c", policy=one.policy | {"audience": "open_data"}),
    ]  # fmt: skip
    found = lambda key, among=made: [  # noqa: E731
        other.number for other in releases.related(among, evaluation="screening_validity", term="3", base_key=key)
    ]
    assert (found("a"), found("b"), found("d")) == ([1, 2], [1, 2, 3], [1, 2, 3])
    assert found("a", [made[0], made[2]]) == [], "publishing itself is nothing new to a report"
    assert [other.number for other in releases.comparable(made, evaluation="screening_validity", term="3")] == [1, 2, 3]


def test_the_same_page_again_is_no_new_release_and_a_changed_one_is(tmp_path):
    path = tmp_path / "releases.jsonl"
    first = releases.record_release(path, release())
    assert releases.record_release(path, release(render_key="ef" * 32)) == first
    changed = [FRAME[0] | {"n": 125}, FRAME[1]]
    assert releases.record_release(path, release(frame=changed)).number == 2
    assert releases.record_release(path, release()).number == 3, "taken back to the first numbers: a release again"


@pytest.mark.parametrize("count", [7, 5, 118, 11])
def test_an_ungated_count_is_refused_by_its_place_and_not_its_value(count):
    with pytest.raises(DisclosureError) as caught:
        release(frame=[{"group": "girls", "n": count, "estimate": 0.2}])
    assert "table groups: the count n at group=girls did not pass the gate" in str(caught.value)
    assert str(count) not in str(caught.value).replace("multiple of 5 from 10", "")
    assert caught.value.exit_code == 13


def test_a_broken_ledger_stops_every_release(tmp_path):
    path = tmp_path / "releases.jsonl"
    releases.record_release(path, release())
    releases.record_release(path, release(name="autumn"))
    path.write_text(path.read_text("utf-8").replace('"n":120', '"n":125', 1), "utf-8")
    for attempt in (lambda: releases.earlier_releases(path), lambda: releases.record_release(path, release())):
        with pytest.raises(DisclosureError, match=r"releases\.jsonl: the chain is broken at line 1.*a whole ledger"):
            attempt()


def test_a_torn_release_was_never_published(tmp_path):
    path = tmp_path / "releases.jsonl"
    releases.record_release(path, release())
    whole = path.read_bytes()
    releases.record_release(path, release(name="autumn"))
    path.write_bytes(path.read_bytes()[: len(whole) + 50])
    assert [one.name for one in releases.earlier_releases(path)] == ["spring"]
    assert releases.record_release(path, release(name="autumn")).number == 2


def test_the_ledger_of_a_real_report_holds_its_gated_elements_only(bench):
    import nbformat

    run = next(bench.report.glob("*/run.json"))
    elements = export.elements(nbformat.read(run.parent / "executed.ipynb", as_version=4))
    record = json.loads(run.read_text("utf-8"))
    path = releases.ledger_file(bench.workspace)
    releases.record_release(path, releases.release_of(record, elements, PUBLIC, term=record["as_of"]))
    (back,) = releases.earlier_releases(path, evaluation="tiny", set_name="demo", term="2026-03-20")
    assert "counts" in back.elements and back.cells
    shown = {name for name, frame in record["estimates"].items() if frame}
    assert {cell.table for cell in back.cells} == shown
    assert "pupil_pid" not in path.read_text("utf-8")


def test_a_published_table_comes_back_for_the_audit_with_its_hidden_cells(tmp_path):
    rows = pd.DataFrame({"school": ["A", "A", "B", "B"], "level": ["1", "2"] * 2, "n": [30, 4, 25, 40]})
    dimensions = [protection_tables.Dimension(("school",)), protection_tables.Dimension(("level",))]
    table = protection_tables.count_table(rows, dimensions, name="levels", population="spring")
    printed = protection_tables.publish(table, protection_tables.primary(table, PUBLIC), PUBLIC, release="1")
    releases.record_release(tmp_path / "r", release(tables=[printed.to_record()]))
    back = protection_tables.Published.from_record(releases.earlier_releases(tmp_path / "r")[0].tables[0])
    assert (back.low.tolist(), back.high.tolist()) == (printed.low.tolist(), printed.high.tolist())
    assert back.hidden.tolist() == printed.hidden.tolist() and back.hidden.sum() == 1
    assert back.lattice.keys == printed.lattice.keys


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, 10, 15, 120]), st.floats()), max_size=6))
def test_every_row_keeps_its_own_cells(rows):
    frame = [{"group": group, "n": n, "estimate": value} for group, n, value in rows]
    cells = cells_of("t", frame)
    assert len({(cell.coordinates, cell.measure) for cell in cells}) == len(cells) >= 2 * len(frame)
    assert [cell.value for cell in cells if cell.measure == "n"] == [n for _, n, _ in rows]


def test_an_access_names_who_what_why_and_how_many_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "wang")
    path = tmp_path / "access.jsonl"
    releases.record_access(path, evaluation="tiny", params_file="/elsewhere/params/city/spring.yml",
                           purpose=" spring report \n for the bureau", rows={"response": 1203}, run_id="r1")  # fmt: skip
    releases.record_access(path, evaluation="other", params_file="b.yml", purpose="", rows={}, user="li", exit_code=13)
    first, second = releases.accesses(path)
    assert (first.user, first.params_file, first.purpose) == ("wang", "city/spring.yml", "spring report for the bureau")
    assert (first.rows, first.run_id, first.number, first.exit_code) == ({"response": 1203}, "r1", 1, 0)
    assert (second.user, second.exit_code) == ("li", 13)
    assert releases.accesses(path, evaluation="other") == [second] == releases.accesses(path, user="li")
    assert "/home" not in path.read_text("utf-8")


@pytest.mark.parametrize("purpose", ["pupil 2025000123 asked", "x" * 201])
def test_a_purpose_names_no_pupil(tmp_path, purpose):
    with pytest.raises(ParamsError, match="purpose: it is too long or holds an identifier") as caught:
        releases.record_access(tmp_path / "a", evaluation="e", params_file="a.yml", purpose=purpose, rows={})
    assert purpose not in str(caught.value) and not (tmp_path / "a").exists()


def test_a_broken_access_log_is_not_read(tmp_path):
    path = tmp_path / "access.jsonl"
    for _ in range(2):
        releases.record_access(path, evaluation="e", params_file="a.yml", purpose="", rows={"t": 5}, user="li")
    path.write_bytes(path.read_bytes().replace(b'"li"', b'"wu"', 1))
    with pytest.raises(WorkbenchError, match="the chain is broken at line 1"):
        releases.accesses(path)
    assert [finding.kind for finding in chain.verify(path)] == ["changed", "unlinked"]


def test_the_two_chains_can_lie_elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("MHLIB_LEDGER", raising=False)
    assert releases.ledger_file(Workspace(tmp_path)) == tmp_path / "reports" / ".ledger" / "releases.jsonl"
    monkeypatch.setenv("MHLIB_LEDGER", str(tmp_path / "kept"))
    assert releases.access_file(Workspace(tmp_path)) == tmp_path / "kept" / "access.jsonl"
