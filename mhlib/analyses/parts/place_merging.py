"""Which towns and levels are shown together, so that no figure is that of one school or two.

A blank would come back by subtraction from the totals; a merged row does not, as long as the totals over all towns do not
unmerge it. So every row is taken for an equation over the cells of town and level, and rows are merged further until no cells
of too few schools can be solved for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

# With two, each would know the other's figure.
LEAST_SCHOOLS = 3
ALL_TOWNS, ALL_LEVELS = "all_towns", "all_levels"
OTHER_TOWNS, OTHER_LEVELS = "other_towns", "other_levels"
# A projection of a solved cell onto the published rows is the cell itself, up to rounding.
SOLVED = 1e-9

Cell = tuple[str, str]
# The schools behind each cell of town and level, in the order of the report.
Schools = Mapping[Cell, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Merging:
    """What stands together.

    Attributes
    ----------
    order : tuple of str
        Levels as the report lists them.
    towns : frozenset of str
        Towns of the one row `other_towns`.
    levels : mapping of str to frozenset of str
        By shown town, and for all towns: levels of its row `other_levels`. Where these are all its levels, the town has
        its total alone.
    """

    order: tuple[str, ...]
    towns: frozenset[str]
    levels: Mapping[str, frozenset[str]]

    def shown(self, town: str) -> str:
        """The name under which a town stands."""
        return OTHER_TOWNS if town in self.towns else town

    def rows(self, cells: Iterable[Cell]) -> dict[Cell, list[Cell]]:
        """The cells behind each row of the report, in its order: totals last, and merged rows before them."""
        cells = list(cells)
        towns = list(dict.fromkeys(self.shown(town) for town, _ in cells))
        order = [*(town for town in towns if town != OTHER_TOWNS), *(town for town in towns if town == OTHER_TOWNS)]
        # Where all towns are together, they are the whole.
        named = [] if order == [OTHER_TOWNS] else order
        found: dict[Cell, list[Cell]] = {}
        for name in [*named, ALL_TOWNS]:
            here = [cell for cell in cells if name in (self.shown(cell[0]), ALL_TOWNS)]
            found |= {(name, level): those for level, those in self._by_level(name, here)}
        return found

    def _by_level(self, town: str, here: list[Cell]) -> list[tuple[str, list[Cell]]]:
        together = self.levels[town]
        apart = [name for name in self.order if name not in together]
        rows = [(name, those) for name in apart if (those := [cell for cell in here if cell[1] == name])]
        if rows and together:
            rows.append((OTHER_LEVELS, [cell for cell in here if cell[1] in together]))
        return [*rows, (ALL_LEVELS, here)]


def merging(schools: Schools, order: Iterable[str]) -> Merging:
    """A merging by which each row holds three schools, none of fewer can be worked out, and no level is merged for nothing.

    Parameters
    ----------
    schools : mapping of (town, level) to frozenset of str
        Schools of the scored pupils, by cell, in the order of towns; at least three in all. A school of several levels is in
        several cells and counts once in what is merged. Pupils whose school is not known hide nobody.
    order : iterable of str
        Levels as the report lists them.

    Notes
    -----
    Too few schools are put together, then the smallest of the others with them until they are three. Whatever the totals
    over all towns still give away is mended in a town that shows the same level, for the figure of a level in the whole
    city stands elsewhere in the report too; only where there is none, in the totals. What later steps made needless is put
    apart again.
    """
    towns = too_few(_united(schools, lambda cell: cell[0]))
    plain = Merging(tuple(order), towns, {})
    shown = _united(schools, lambda cell: plain.shown(cell[0]))
    levels = {town: too_few(_levels(schools, plain, town)) for town in [*shown, ALL_TOWNS]}
    plain = replace(plain, levels=levels)
    return _apart_again(schools, plain, mended(schools, plain))


def too_few(schools: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Names with fewer than three schools, and the smallest of the others until these have three together."""
    together = {name for name, those in schools.items() if len(those) < LEAST_SCHOOLS}
    while together and len(frozenset().union(*(schools[name] for name in together))) < LEAST_SCHOOLS:
        if len(together) == len(schools):
            break
        together.add(_smallest(schools, together))
    return frozenset(together)


def _smallest(schools: Mapping[str, frozenset[str]], without: Iterable[str]) -> str:
    """The first of those with the fewest schools."""
    return min((name for name in schools if name not in without), key=lambda name: len(schools[name]))


def _united(schools: Schools, name_of: Callable[[Cell], str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for cell, those in schools.items():
        found[name_of(cell)] = found.get(name_of(cell), frozenset()) | those
    return found


def _levels(schools: Schools, given: Merging, town: str) -> dict[str, frozenset[str]]:
    """Schools of each level of a shown town, or of all towns."""
    here = {cell: those for cell, those in schools.items() if town in (given.shown(cell[0]), ALL_TOWNS)}
    found = _united(here, lambda cell: cell[1])
    return {level: found[level] for level in given.order if level in found}


def mended(schools: Schools, given: Merging) -> Merging:
    """Merged further, one level at a time, until nothing of fewer than three schools can be worked out.

    It ends: with every level merged, towns are apart from each other and each holds three schools.
    """
    while solved := worked_out(schools, given):
        given = _coarser(schools, given, {level for _, level in solved})
    return given


def worked_out(schools: Schools, given: Merging) -> tuple[Cell, ...]:
    """Cells of fewer than three schools together that the published rows determine; empty if there are none.

    A sum of cells is determined where it is a combination of the rows, that is, where projecting on them leaves it as it is.
    """
    cells = list(schools)
    rows = np.array([[cell in held for cell in cells] for held in map(set, given.rows(schools).values())], dtype=float)
    _, size, span = np.linalg.svd(rows, full_matrices=False)
    span = span[size > size.max() * SOLVED]
    projected = span.T @ span
    for those in _of_few([schools[cell] for cell in cells]):
        if len(those) - projected[np.ix_(those, those)].sum() < SOLVED:
            return tuple(cells[at] for at in those)
    return ()


def _of_few(schools: list[frozenset[str]]) -> Iterator[tuple[int, ...]]:
    """Every set of cells that hold fewer than three schools together: mostly one or two, unless schools have several levels."""
    few = [at for at, those in enumerate(schools) if len(those) < LEAST_SCHOOLS]
    found = [((at,), schools[at]) for at in few]
    for those, behind in found:  # grows as it is read
        yield those
        later = [at for at in few if at > those[-1] and behind and schools[at]]
        found += [((*those, at), behind | schools[at]) for at in later if len(behind | schools[at]) < LEAST_SCHOOLS]


def _apart_again(schools: Schools, plain: Merging, given: Merging) -> Merging:
    """Without what later merging made needless: levels of the totals first, then of each town, all at once or one by one."""
    for town in [ALL_TOWNS, *(name for name in given.levels if name != ALL_TOWNS)]:
        added = [level for level in given.order if level in given.levels[town] - plain.levels[town]]
        for levels in [set(added), *({level} for level in added)] if added else []:
            left = given.levels[town] - levels
            less = replace(given, levels={**given.levels, town: left})
            if levels <= given.levels[town] and len(left) != 1 and not worked_out(schools, less):
                given = less
    return given


def _coarser(schools: Schools, given: Merging, levels: set[str]) -> Merging:
    """One more level put together: in a town that merges some already, of those the one with the fewest schools of it."""
    own = {town: _levels(schools, given, town) for town in given.levels}
    apart = [(town, level) for town in own for level in own[town] if level not in given.levels[town]]
    in_towns = [(town, level) for town, level in apart if level in levels and town != ALL_TOWNS]
    in_totals = [(town, level) for town, level in apart if level in levels and town == ALL_TOWNS]
    town, level = min(in_towns or in_totals or apart, key=lambda at: (not given.levels[at[0]], len(own[at[0]][at[1]])))
    together = given.levels[town] | {level}
    # A level alone would stand under another name only.
    if len(together) == 1 and len(own[town]) > 1:
        together |= {_smallest(own[town], together)}
    return replace(given, levels={**given.levels, town: together})
