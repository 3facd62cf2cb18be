"""The counts in the rows of one element, and every sum that a reader may do among them.

Nothing has to be declared. Rows that differ in one label are taken for parts of a margin, shown or not; where they add up to
less than a total beside them, for parts beside a rest. A sum that is no sum of people (parts that overlap) still holds for
the numbers: it only lends the attacker a relation that he may not have, so that too much is hidden, never too little.

What cannot be seen in numbers is which rows hold which others: a flow, a cut-off and the next. Those are named in
:data:`NESTED`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from statistics import mode

from mhlib.report.protection_links import Key, Sum
from mhlib.report.vocabulary import COLUMNS, NESTED, OVERLAPPING, TERMS, TOTALS, Nested

Row = Mapping[str, object]
# Kinds of column that say which row it is.
PLACES = ("text", "named", "said", "plan", "plan_share")
# Totals of people before all other counts of a row, the widest first.
WIDEST = ("denominator", "n", "n_people", "n_used")
# Shares of people, and the columns that may hold their total.
SHARED = ("denominator", "n", "n_used")
EXACT = 1e-6
MOST_PASSES = 4
# A table with more rows may be a curve.
MANY_ROWS = 12


@dataclass(slots=True)
class Cell:
    """One count of one element.

    Attributes
    ----------
    key : Key
        Element, measure and the labels of its row.
    n : int
    asked : bool
        Whether it is meant to be shown; a rest or a margin that nobody shows is a cell too.
    at : list of (row, column)
        Where it stands; a share stands for its count.
    of : int or None
        Total of which a share shows it; None for a count that is shown as such.
    zero : bool
        Whether nobody at all is to be hidden too.
    """

    key: Key
    n: int
    asked: bool = True
    at: list[tuple[int, str]] = field(default_factory=list)
    of: int | None = None
    zero: bool = True


@dataclass(slots=True)
class Sheet:
    """The counts of an element and their sums."""

    cells: list[Cell] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)

    @property
    def whole(self) -> int:
        """The greatest count that the element means to show."""
        return max((cell.n for cell in self.cells if cell.asked), default=0)

    def add(self, cell: Cell) -> int:
        """Its number."""
        self.cells.append(cell)
        return len(self.cells) - 1

    def tie(self, parent: int, children: Sequence[int]) -> None:
        """A sum, once; with a rest where the children fall short of the parent."""
        rest = self.cells[parent].n - sum(self.cells[child].n for child in children)
        # That nobody is among all says nothing of anybody else.
        if rest < 0 or parent in children or rest == self.cells[parent].n:
            return
        found = [*children]
        if rest:
            name = (*self.cells[parent].key, ("less", " ".join(_short(self.cells[child].key) for child in children)))
            found.append(self.add(Cell(tuple(sorted(name)), rest, asked=False, zero=False)))
        self.sums.append(Sum(parent, tuple(found)))


def _short(key: Key) -> str:
    return ",".join(label for _, label in key)


def sheet(element: str, rows: Sequence[Row]) -> Sheet:
    """Counts and sums of one element.

    Parameters
    ----------
    element : str
    rows : sequence of mappings
        Ungated rows; columns by the vocabulary. Numbers that are not whole are estimates and no counts.
    """
    made = Sheet()
    columns = _count_columns(rows)
    found = {column: _cells_of(made, element, rows, column) for column in columns}
    _implied(made, element, rows, found)
    nested = NESTED.get(element)
    for column, cells in found.items():
        if nested is not None and nested.column == column:
            _nested(made, rows, cells, nested)
        elif column not in TOTALS_OF_A_ROW or not _repeated(made, cells):
            _margins(made, element, rows, column, cells)
    for row in range(len(rows)):
        _within_row(made, [cells[row] for cells in found.values() if row in cells])
    _parts_of_total(made, rows, found)
    made.sums = list(dict.fromkeys(Sum(one.parent, tuple(sorted(one.children))) for one in made.sums))
    return made


# Columns that repeat the total of a group in each of its rows.
TOTALS_OF_A_ROW = ("denominator", "n_used", "n")


def _count_columns(rows: Sequence[Row]) -> list[str]:
    """Columns of counts, the widest totals first."""
    names = dict.fromkeys(name for row in rows for name in row if name in COLUMNS and COLUMNS[name].kind == "count")
    return sorted(names, key=lambda name: WIDEST.index(name) if name in WIDEST else len(WIDEST))


def _cells_of(made: Sheet, element: str, rows: Sequence[Row], column: str) -> dict[int, int]:
    """Row to cell of one column of counts."""
    names = row_names(rows)
    return {row: made.add(Cell(key_of(element, column, names[row]), n, at=[(row, column)]))
            for row, values in enumerate(rows) if (n := whole_number(values.get(column))) is not None}  # fmt: skip


def whole_number(value: object) -> int | None:
    """A count of people; None for what is missing or no whole number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value or abs(value) == float("inf"):
        return None
    return round(value) if abs(value - round(value)) <= EXACT else None


def places(row: Row) -> dict[str, str]:
    """Labels that say which row it is; a label of all is left out, so that totals are margins."""
    found = {}
    for name, value in row.items():
        kind = COLUMNS[name].kind if name in COLUMNS else "estimate"
        if kind in PLACES and value is not None and value == value:
            label = str(getattr(value, "template", value))
            if label not in TOTALS:
                found[name] = label
    # Beside a subgroup the group only says by what the people were divided.
    if "subgroup" in row and "group" in found:
        found["by"] = found.pop("group")
    return found


def row_names(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Labels of each row, with the row's number where they do not tell it from others."""
    labels = [places(row) for row in rows]
    often = Counter(frozenset(one.items()) for one in labels)
    return [one if often[frozenset(one.items())] == 1 else {**one, "row": str(number)}
            for number, one in enumerate(labels, start=1)]  # fmt: skip


def key_of(element: str, column: str, name: Mapping[str, str]) -> Key:
    """Name of a number: its element, its column and the labels of its row."""
    return tuple(sorted({"element": element, "measure": column, **name}.items()))


def _implied(made: Sheet, element: str, rows: Sequence[Row], found: dict[str, dict[int, int]]) -> None:
    """Counts that a share gives back: those beside it, or else the share times its total."""
    names = row_names(rows)
    for row, values in enumerate(rows):
        for column, value in values.items():
            if not (_is_share(column, values) and isinstance(value, int | float) and value == value):
                continue
            total = next((found[name][row] for name in SHARED if row in found.get(name, {})), None)
            if total is None:
                continue
            n = whole_share(value, made.cells[total].n)
            beside = found.get("numerator", {}).get(row)
            if n is None or (n == 0 and beside is None):
                continue
            shared(made, (row, column), key_of(element, column, names[row]), n, beside, total)


# What a key says beside whom it counts, and labels that other tables write otherwise.
NOBODY = frozenset({"element", "measure", "less", "term", "of", "row", "said", "step", "occasion", "by", "margin"})
SAME = {"intervention": "programme"}
# Measures that count all the people of a row, whatever else it says of them.
TOTALS_OF_PEOPLE = ("denominator", "n", "n_people", "n_used", "n_pupils")


@cache
def people_of(key: Key) -> frozenset[str]:
    """Labels of a key that say whom it counts: no plan's number, no name of a quantity."""
    found = [label.removeprefix("arm_") for name, label in key
             if name not in NOBODY and (name not in COLUMNS or COLUMNS[name].kind not in ("plan", "plan_share"))]  # fmt: skip
    return frozenset(SAME.get(label, label) for label in found)


@cache
def signature(key: Key) -> tuple:
    """What two keys must share to name the same people for certain: whom, and of totals nothing else."""
    labels = dict(key)
    if labels.get("measure") in TOTALS_OF_PEOPLE and "less" not in labels:
        return people_of(key), ""
    return people_of(key), *(labels.get(name, "") for name in ("measure", "term", "less", "of", "row"))


def shared(made: Sheet, at: tuple[int, str], key: Key, n: int, beside: int | None, total: int) -> None:
    """What a share tells: its count, where that does not stand beside it, and how many of the total are left."""
    whole = made.cells[total].n
    count = made.add(Cell(key, n, at=[at], of=whole))
    parts = [count] if beside is None or made.cells[beside].n != n else [beside]
    if parts != [count]:
        made.cells[beside].at.append(at)
    if not n:
        return  # that nobody is among all says nothing of anybody else
    if whole > n:
        parts.append(made.add(Cell(tuple(sorted((*key, ("less", "share")))), whole - n, at=[at], of=whole, zero=False)))
    made.sums.append(Sum(total, tuple(parts)))


def _is_share(column: str, row: Row) -> bool:
    kind = COLUMNS[column].kind if column in COLUMNS else "text"
    if kind == "by_term":
        term = TERMS.get(str(row.get("term")))
        return column == "estimate" and term is not None and term.kind in ("proportion", "people_share")
    return kind in ("proportion", "people_share")


def whole_share(value: float, total: int) -> int | None:
    """How many people a share is, if it is one of people and no estimate of a model."""
    n = round(value * total)
    return n if total and 0 <= value <= 1 and abs(n / total - value) < 1e-9 else None


def _repeated(made: Sheet, cells: Mapping[int, int]) -> bool:
    """Whether a column says the totals of a table over and over, as a curve does, and counts no part of anything."""
    values = [made.cells[cell].n for cell in cells.values()]
    once = len(set(values)) == 1 and len(values) > 2
    return once or (len(values) > MANY_ROWS and len(set(values)) <= len(values) / 4 and mode(values) == max(values))


def _margins(made: Sheet, element: str, rows: Sequence[Row], column: str, cells: Mapping[int, int]) -> None:
    """Sums over each column of labels, and the margins of margins, as far as they are counts of people."""
    by_place = {frozenset(places(rows[row]).items()): cell for row, cell in cells.items()}
    if len(by_place) < len(cells):
        by_place = {frozenset({**places(rows[row]), "row": str(row)}.items()): cell for row, cell in cells.items()}
    labels = sorted({name for place in by_place for name, _ in place})
    labels = [name for name in labels if name not in OVERLAPPING]
    overlapping: set[frozenset] = set()
    for _ in range(MOST_PASSES):
        before = len(by_place)
        for name in labels:
            for place, children in _over(by_place, name):
                # A margin of which a part is missing would be a sum that only these numbers keep.
                lacking = any(_without(other, name) == place for other in overlapping)
                if lacking or not _margin(made, element, column, by_place, place, children):
                    overlapping.add(place)
        if len(by_place) == before:
            break


def _without(place: frozenset, name: str) -> frozenset:
    return frozenset(pair for pair in place if pair[0] != name)


def _over(by_place: Mapping[frozenset, int], name: str) -> Iterator[tuple[frozenset, list[int]]]:
    """Groups of cells that differ in one label alone."""
    groups: dict[frozenset, list[int]] = {}
    for place, cell in by_place.items():
        if any(column == name for column, _ in place):
            groups.setdefault(_without(place, name), []).append(cell)
    yield from groups.items()


def _margin(made: Sheet, element: str, column: str, by_place: dict, place: frozenset, children: list[int]) -> bool:
    """Ties a margin to its parts; False where the parts overlap, so that it is none."""
    numbers = [made.cells[child].n for child in children]
    total, parent = sum(numbers), by_place.get(place)
    if total and len(set(numbers)) == 1 and len(numbers) > 2:
        return False
    if parent is None:
        key = tuple(sorted({"element": element, "measure": column, "margin": "all", **dict(place)}.items()))
        parent = by_place[place] = made.add(Cell(key, total, asked=False, zero=False))
    if made.cells[parent].n < total:
        return False
    if made.cells[parent].n == total:
        made.sums.append(Sum(parent, tuple(children)))
    else:  # not all rows are there: small ones were put together elsewhere, and leave a rest
        made.tie(parent, children)
    return True


def _nested(made: Sheet, rows: Sequence[Row], cells: Mapping[int, int], nested: Nested) -> None:
    """Rows each of which holds the next (a chain), or the widest of which holds every other (a star)."""
    groups: dict[tuple, list[int]] = {}
    for row, cell in cells.items():
        groups.setdefault(tuple(str(rows[row].get(name)) for name in nested.within), []).append(cell)
    for group in groups.values():
        order = sorted(group, key=lambda cell: -made.cells[cell].n)
        for wide, narrow in pairwise(order) if nested.chain else ((order[0], cell) for cell in order[1:]):
            made.tie(wide, [narrow])


def _within_row(made: Sheet, cells: list[int]) -> None:
    """Counts of one row: parts that make up a total, or each held by the next wider one."""
    cells = list(dict.fromkeys(cells))
    for total in cells:
        others = [cell for cell in cells if cell != total and made.cells[cell].n < made.cells[total].n]
        if len(others) > 1 and sum(made.cells[cell].n for cell in others) == made.cells[total].n:
            made.sums.append(Sum(total, tuple(others)))
            return
    order = sorted(cells, key=lambda cell: -made.cells[cell].n)
    for wide, narrow in pairwise(order):
        if made.cells[wide].n > made.cells[narrow].n:
            made.tie(wide, [narrow])


def _parts_of_total(made: Sheet, rows: Sequence[Row], found: Mapping[str, Mapping[int, int]]) -> None:
    """Rows that share a total and differ in one label: parts of it, with what is left as a rest."""
    totals = next((found[name] for name in SHARED if name in found), {})
    for column, cells in found.items():
        if column in SHARED or not cells:
            continue
        placed = {row: places(rows[row]) for row in cells if row in totals}
        for name in sorted({label for labels in placed.values() for label in labels} - OVERLAPPING):
            groups: dict[tuple, list[int]] = {}
            for row, labels in placed.items():
                rest = frozenset(pair for pair in labels.items() if pair[0] != name)
                groups.setdefault((rest, made.cells[totals[row]].n), []).append(row)
            for group in groups.values():
                if len(group) > 1:
                    made.tie(totals[group[0]], [cells[row] for row in group])
