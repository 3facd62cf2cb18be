import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import POLICIES
from mhlib.report.protection_audit import audit
from mhlib.report.protection_releases import suppress_release
from mhlib.report.protection_suppress import suppress
from mhlib.report.protection_tables import Dimension, Published, count_table, named, publish

from .attacker import MARGINS, PRECISE, ROUNDED, World, printed_of, ranges, sums, worlds

SCHOOL, LEVEL = Dimension(("school",), ("school",)), Dimension(("level",))
ROWS = pd.DataFrame(
    {"school": np.repeat(["S0", "S1", "S2"], 2), "level": ["L0", "L1"] * 3, "n": [40, 4, 60, 25, 70, 30]}
)


def table_of(rows=ROWS, *, population="w", name="t", only=None):
    return count_table(rows, [SCHOOL, LEVEL], name=name, population=population, only=only)


def status(result) -> dict[str, str]:
    return dict(result.to_frame()[["cell", "status"]].itertuples(index=False))


def test_a_second_table_does_not_give_back_what_the_first_hid():
    """Schools by level are out without S0's L1. Levels alone, alone harmless, are in print as well: no more to hide."""
    first = suppress([table_of()], PRECISE)
    assert status(first)["level=L1, school=S0"] == "small"
    hidden = {cell for cell, one in status(first).items() if one == "secondary"}
    second = table_of(name="second")
    # The same table, had it been chosen apart with another cost, might show another rectangle; here it may not.
    alone = suppress_release([second], PRECISE, earlier=[])
    again = suppress_release([second], PRECISE, earlier=first.published(PRECISE))
    assert {cell for cell, one in status(again).items() if one == "secondary"} == hidden
    assert again.n_secondary == alone.n_secondary and again.lost == ()


def test_differencing_two_margins_is_stopped():
    """All pupils were shown; without S0 they may not be, though both are large: S0 has 4."""
    rows = ROWS.assign(n=[2, 2, 60, 25, 70, 30])
    first = suppress([table_of(rows, only=[[]])], PRECISE)
    assert status(first) == {"total": "shown"}
    second = table_of(rows, only=[["school"]], name="schools")
    assert "secondary" in status(suppress_release([second], PRECISE, earlier=first.published(PRECISE))).values()
    shown = publish(second, np.array([key == (("school", "S0"),) for key in second.lattice.keys]), PRECISE)
    assert "w: school=S0" in audit([*first.published(PRECISE), shown]).named()


def test_a_cell_already_in_print_is_shown_and_costs_nothing():
    first = suppress([table_of(only=[["level"]])], PRECISE)
    second = suppress_release([table_of(only=[["level"], ["school"]])], PRECISE, earlier=first.published(PRECISE))
    assert [status(second)[cell] for cell in ("level=L0", "level=L1")] == ["shown", "shown"]


def test_earlier_releases_come_from_the_ledger():
    first = [
        Published.from_record(json.loads(json.dumps(one.to_record())))
        for one in suppress([table_of()], ROUNDED).published(ROUNDED)
    ]
    second = suppress_release([table_of()], PRECISE, earlier=first)
    shows = [*first, *second.published(PRECISE)]
    small = {"t": second.primary[0]}
    assert audit(shows, protect=small).n_recoverable == 0


def test_what_an_earlier_release_gave_away_is_named_and_not_counted_as_safe():
    careless = publish(
        table_of(), np.array([key == (("level", "L1"), ("school", "S0")) for key in table_of().lattice.keys]), PRECISE
    )
    result = suppress_release([table_of()], PRECISE, earlier=[careless])
    assert result.lost == ("w: level=L1, school=S0",)
    assert status(result)["level=L1, school=S0"] == "small"


def test_a_looser_reader_came_first():
    """A closed report showed counts from 8; the public one hides fewer than 10: 8 and 9 are in print, and named."""
    rows = ROWS.assign(n=[40, 9, 60, 25, 70, 30])
    closed = suppress([table_of(rows)], POLICIES["closed"]).published(POLICIES["closed"])
    result = suppress_release([table_of(rows)], POLICIES["public"], earlier=closed)
    assert "w: level=L1, school=S0" in result.lost


def test_other_populations_do_not_matter():
    careless = publish(table_of(population="other"), table_of().counts == 4, PRECISE)
    result = suppress_release([table_of()], PRECISE, earlier=[careless])
    assert result.lost == () and {name for name, _ in result.audit.system.names} == {"w"}
    versions = {"w": "v2", "v2": "other"}
    assert suppress_release([table_of()], PRECISE, earlier=[careless], revises=versions).lost


def test_changed_data_need_a_name_of_their_own():
    first = suppress([table_of()], PRECISE).published(PRECISE)
    changed = table_of(ROWS.assign(n=[41, 4, 60, 25, 70, 30]))
    with pytest.raises(DisclosureError) as caught:
        suppress_release([changed], PRECISE, earlier=first)
    told = str(caught.value)
    assert told.endswith("an earlier release says otherwise of this cell; "
                         "give changed data a population of their own and name what it revises")  # fmt: skip
    assert "41" not in told and "40" not in told


def test_a_revision_does_not_tell_that_three_joined():
    rows = ROWS.assign(n=[40, 20, 60, 25, 70, 30])
    old = suppress([table_of(rows, population="v1")], PRECISE)
    assert old.n_secondary == 0
    more = table_of(rows.assign(n=[43, 20, 60, 25, 90, 30]), population="v2", name="revised")
    free = suppress_release([more], PRECISE, earlier=old.published(PRECISE))
    assert free.n_secondary == 0
    held = suppress_release([more], PRECISE, earlier=old.published(PRECISE), revises={"v2": "v1"})
    assert status(held)["level=L0, school=S0"] == "secondary" and held.n_secondary >= 2
    # 20 more in one school are many, none at all are nobody's business.
    assert status(held)["level=L1, school=S1"] == "shown"


# Cities whose data are revised once.
REVISIONS = 300
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
CHANGES = st.one_of(st.just(0), st.just(0), st.integers(-12, 12), st.integers(10, 30))


def cells_of(rows, world, result, table, release: int) -> list:
    hidden = result.hidden[0] | ~table.asked
    return printed_of(sums(rows, list(world.margins[release])), table.lattice.keys, hidden, world.policies[release])


def attack_revision(world: World, changes: list[int]) -> None:
    """A release and one of later data; the attacker looks at small cells of both and at changes of few."""
    later = world.rows.assign(n=np.maximum(world.rows["n"] + np.resize(changes, len(world.rows)), 0))
    tables = [count_table(rows, world.dimensions, name=name, population=name, only=world.only(at), structural=[("school", "grade")])
              for at, (name, rows) in enumerate([("old", world.rows), ("new", later)])]  # fmt: skip
    one = suppress([tables[0]], world.policies[0])
    two = suppress_release(
        [tables[1]], world.policies[1], earlier=one.published(world.policies[0]), revises={"new": "old"}
    )
    every = sums(world.rows, MARGINS[world.dimensions])
    assert not {f"old: {named(key)}" for key, (_, number) in every.items() if number < 10} & set(two.lost)
    nobody, printed = np.zeros(len(later), bool), []
    printed += [
        (np.concatenate([rows, nobody]), *ends) for rows, *ends in cells_of(world.rows, world, one, tables[0], 0)
    ]
    printed += [(np.concatenate([nobody, rows]), *ends) for rows, *ends in cells_of(later, world, two, tables[1], 1)]
    found = ranges([np.concatenate([-1.0 * members, 1.0 * members]) for members, _ in every.values()], printed)
    few = (found[:, 1] - found[:, 0] < 10) & (
        (found[:, 0] > 0) & (found[:, 0] < 10) | (found[:, 1] < 0) & (found[:, 1] > -10)
    )
    assert not few.any(), [key for key, bad in zip(every, few, strict=True) if bad]
    small = [
        np.concatenate([nobody, members])
        for members, number in sums(later, MARGINS[world.dimensions]).values()
        if number < 10
    ]
    small += [np.concatenate([members, nobody]) for members, number in every.values() if number < 10]
    if small:
        assert (np.diff(ranges(small, printed), axis=1) >= 10).all()


@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(worlds(), st.lists(CHANGES, min_size=1, max_size=36))
def test_an_attacker_learns_of_no_small_change_from_a_revision(world, changes):
    attack_revision(world, changes)


@pytest.mark.slow
@settings(max_examples=REVISIONS, deadline=None, suppress_health_check=QUIET)
@given(worlds(most=3), st.lists(CHANGES, min_size=1, max_size=36))
def test_an_attacker_learns_of_no_small_change_from_many_revisions(world, changes):
    attack_revision(world, changes)
