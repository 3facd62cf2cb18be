"""The book of one report: every count it has shown so far, and what a reader can work out from all of them together.

Elements come one after the other, and what is in print stays in print. So each new one is looked at with everything
before it and with earlier releases: its small counts, and the small differences that it makes possible, must stay
unknown, and where they would not, the cheapest of its other counts are hidden too.

Two counts of the same size with the same labels are the same people wherever they stand. A sentence has no labels: it says
no number that any table hides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mhlib.report.policy import Policy
from mhlib.report.protection_links import Key, Links, Sum, relations_of
from mhlib.report.protection_rows import Cell, Row, Sheet, shared, sheet, signature, whole_share
from mhlib.report.protection_suppress import Problem, protected
from mhlib.report.protection_system import NEAR, System
from mhlib.report.protection_tables import Published
from mhlib.report.rounding import share_interval, shown_interval

Position = tuple[int, str]
SAID = "said"


@dataclass(slots=True)
class Entry:
    """One count of the report, wherever it stands.

    Attributes
    ----------
    keys : list of Key
        Its names: one for each place where it stands.
    n : int
    low, high : float
        What print says of it; 0 and infinity while it is not shown.
    told : tuple of float
        What print would say of it if it were shown wherever it was asked for.
    hidden : bool
        Whether it was withheld though it is large enough.
    target : bool
        Whether it must not be worked out.
    """

    keys: list[Key]
    n: int
    low: float = 0.0
    high: float = np.inf
    told: tuple[float, float] = (0.0, np.inf)
    hidden: bool = False
    target: bool = False

    @property
    def printed(self) -> bool:
        """Whether its number stands anywhere."""
        return np.isfinite(self.high)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier release of the same numbers.

    Attributes
    ----------
    published : Published
    same_data : bool
        Whether its data are the very same, so that no count can have changed.
    """

    published: Published
    same_data: bool


@dataclass
class Book:
    """Counts, sums, and what is known of them.

    Attributes
    ----------
    policy : Policy
    earlier : sequence of Earlier
    withheld : mapping of Key to int
        Counts to hide from the first: those that :meth:`to_withhold` named when the report was made before.
    secondary : bool
        False in tests only: shows what primary suppression alone would give away.
    """

    policy: Policy
    earlier: Sequence[Earlier] = ()
    withheld: Mapping[Key, int] = field(default_factory=dict)
    secondary: bool = True
    entries: list[Entry] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    _by_value: dict[int, list[int]] = field(default_factory=dict)
    _by_key: dict[Key, int] = field(default_factory=dict)
    _said: dict[int, tuple[float, float]] = field(default_factory=dict)

    def enter(self, element: str, rows: Sequence[Row]) -> set[Position]:
        """Take an element in; the places (row, column) that must not show their number for the sake of others.

        Counts below the least cell are hidden by the gate itself and are not among them. What an earlier element has given
        away already is not mended here: the audit at the end finds it.
        """
        if not self.policy.min_cell:
            return set()
        made = sheet(element, rows)
        _with_the_whole(made, self)
        return self._take(made)

    def _take(self, made: Sheet) -> set[Position]:
        numbers = self._numbered(made)
        self._decide([(number, cell.of) for cell, number in zip(made.cells, numbers, strict=True) if cell.asked])
        return {place for cell, number in zip(made.cells, numbers, strict=True)
                if cell.asked and self.entries[number].hidden for place in cell.at}  # fmt: skip

    def say(self, n: float) -> bool:
        """Whether a sentence may say this count; if so it is in print, and may have been said of anybody."""
        if not self.policy.min_cell or n < self.policy.min_cell or n != round(n):
            return True
        if self._withholds(int(n)) or self._take(Sheet([Cell(self._sentence(n), int(n), at=[(0, "n")])])):
            return False
        self._said[int(n)] = shown_interval(n, self.policy)
        return True

    def say_share(self, value: float, total: int) -> bool:
        """The same of a percentage of so many people; one that a model gave says nothing of anybody."""
        n = whole_share(value, total)
        if not self.policy.min_cell or n is None or total < self.policy.min_cell:
            return True
        made = Sheet()
        of = made.add(Cell(self._sentence(total), total, asked=False, zero=False))
        shared(made, (0, "share"), (*self._sentence(n), ("of", str(of))), n, None, of)
        if self._withholds(n) or self._withholds(total - n) or self._take(made):
            return False
        for part in (n, total - n):
            self._said.setdefault(part, share_interval(part, total, self.policy))
        return True

    def _withholds(self, n: int) -> bool:
        """Whether a count of this size is hidden anywhere, or will be."""
        return n in self.withheld.values() or any(self.entries[number].hidden for number in self._by_value.get(n, []))

    def _sentence(self, n: float) -> Key:
        known = self._by_value.get(int(n))
        return self.entries[known[0]].keys[0] if known else ((SAID, str(len(self.entries) + 1)),)

    def to_withhold(self) -> dict[Key, int]:
        """Which counts to hide from the first, so that nothing can be worked out, looking at all elements at once."""
        problem = self.problem(printed=False)
        n = len(problem.counts)
        wanted = np.array([np.isfinite(entry.told[1]) for entry in self.entries] + [False] * (n - len(self.entries)))
        for number, entry in enumerate(self.entries):
            problem.low[number], problem.high[number] = entry.told
        given = problem.attack(np.ones(n, bool), problem.target).recoverable
        hidden, _ = protected(replace(problem, candidate=wanted, target=problem.target & ~given))
        chosen = [self.entries[number] for number in np.flatnonzero(hidden & wanted)]
        return {key: entry.n for entry in chosen for key in entry.keys}

    def published(self, *, name: str = "report", population: str = "", release: str = "") -> Published:
        """All of it as readers have it, for the audit and the release ledger.

        Every name of a count is a cell of its own, equal to the first: in a later report the two may be two numbers.
        """
        keys, sums = [entry.keys[0] for entry in self.entries], list(self.sums)
        cells = list(range(len(keys)))
        for number, entry in enumerate(self.entries):
            for key in dict.fromkeys(_own_names(entry.keys[1:])):
                sums.append(Sum(len(keys), (number,)))
                keys.append(key)
                cells.append(number)
        low, high = (np.array([getattr(self.entries[one], end) for one in cells], float) for end in ("low", "high"))
        return Published(name, population, Links(tuple(keys), tuple(sums)), low, high, ~np.isfinite(high), release)

    def small(self) -> np.ndarray:
        """Which entries must not be worked out, shape (n,); for the audit of the bureau, never for print."""
        return np.array([entry.target for entry in self.entries], bool)

    def _numbered(self, made: Sheet) -> list[int]:
        """For each cell of a sheet its number here: of equal counts the same, unless one sum holds both."""
        apart: list[set[int]] = [set() for _ in made.cells]
        for one in made.sums:
            members = {one.parent, *one.children}
            for cell in members:
                apart[cell] |= members - {cell}
        numbers: dict[int, int] = {}
        for at, cell in enumerate(made.cells):
            taken = {numbers[other] for other in apart[at] if other in numbers}
            numbers[at] = self._number(cell, taken)
        self.sums += [Sum(numbers[one.parent], tuple(numbers[child] for child in one.children)) for one in made.sums]
        self.sums = list(dict.fromkeys(self.sums))
        return [numbers[at] for at in range(len(made.cells))]

    def _same(self, cell: Cell) -> list[int]:
        """Entries of this size and of the same people."""
        sign = signature(cell.key)
        return [number for number in self._by_value.get(cell.n, [])
                if any(signature(key) == sign for key in self.entries[number].keys)]  # fmt: skip

    def _number(self, cell: Cell, taken: set[int]) -> int:
        known = self._by_key.get(cell.key)
        if known is not None and self.entries[known].n == cell.n and known not in taken:
            return known
        same = self._same(cell)
        free = [number for number in same if number not in taken]
        if not free:
            return self._new(cell, self.entries[same[0]] if same else None)
        self.entries[free[0]].keys.append(cell.key)
        self._by_key[cell.key] = free[0]
        return free[0]

    def _new(self, cell: Cell, twin: Entry | None = None) -> int:
        """A new entry.

        Of a count that stands in one sum with its own double, what print says of that is true of it too. A sentence that said
        the number may have said it of these people, if they are to be shown at all: of a margin that no table shows it is not
        supposed, since most equal numbers are so by chance.
        """
        number = len(self.entries)
        least = 0 if cell.zero else 1
        large = cell.n >= self.policy.min_cell
        made = Entry([cell.key], cell.n, target=least <= cell.n < self.policy.min_cell)
        if twin is not None:
            made = replace(made, low=twin.low, high=twin.high, told=twin.told, hidden=twin.hidden)
        elif large and cell.asked and cell.n in self._said:
            made.low, made.high = self._said[cell.n]
        made.hidden |= large and cell.key in self.withheld
        self.entries.append(made)
        self._by_value.setdefault(cell.n, []).append(number)
        self._by_key[cell.key] = number
        return number

    def _decide(self, asked: Sequence[tuple[int, int | None]]) -> None:
        """What of the asked is shown, and what is hidden for the sake of others."""
        problem = self.problem(asked)
        hidden = ~problem.candidate
        if self.secondary and problem.target.any() and problem.candidate.any():
            # What print has given away already cannot be mended by hiding more here.
            given = problem.attack(np.ones(len(hidden), bool), problem.target).recoverable
            hidden, _ = protected(replace(problem, target=problem.target & ~given))
        for number in np.flatnonzero(problem.candidate):
            entry = self.entries[number]
            if hidden[number]:
                entry.hidden = True
            else:
                entry.low, entry.high = max(entry.low, problem.low[number]), min(entry.high, problem.high[number])

    def problem(self, asked: Sequence[tuple[int, int | None]] = (), *, printed: bool = True) -> Problem:
        """All counts and what is known of them, with the choice of what to show of those asked for.

        `printed=False` leaves out what this report has shown itself.
        """
        own = self.entries
        low, high = (np.array([getattr(entry, end) for entry in own], float) for end in ("low", "high"))
        if not printed:
            low, high = np.zeros(len(own)), np.full(len(own), np.inf)
        system = System(tuple(("", entry.keys[0]) for entry in own), low, high, relations_of(self.sums, len(own)),
                        np.zeros(len(own), bool))  # fmt: skip
        counts = np.array([entry.n for entry in own], float)
        wanted, low, high = self._told(asked)
        wanted &= (counts >= self.policy.min_cell) & ~np.array([entry.hidden for entry in own], bool)
        adds = (low > system.low + NEAR) | (high < system.high - NEAR)
        problem = Problem(
            system, low, high, wanted & adds, wanted & ~adds, self.small(), counts, counts, self.policy.width
        )
        return with_earlier(problem, own, self.earlier) if self.earlier else problem

    def _told(self, asked: Sequence[tuple[int, int | None]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which entries are asked for, and what showing them as counts or as shares of a total would tell."""
        n = len(self.entries)
        wanted, low, high = np.zeros(n, bool), np.zeros(n), np.full(n, np.inf)
        for number, total in asked:
            count = self.entries[number].n
            if count >= self.policy.min_cell:
                least, most = (shown_interval(count, self.policy) if total is None
                               else share_interval(count, total, self.policy))  # fmt: skip
                low[number], high[number] = max(low[number], least), min(high[number], most)
                told = self.entries[number].told
                self.entries[number].told = max(told[0], least), min(told[1], most)
            wanted[number] = True
        return wanted, low, high


def _own_names(keys: Sequence[Key]) -> list[Key]:
    """Names by which a later report may know a count; the number of people behind an estimate is no count of its own."""
    return [key for key in keys if ("measure", "n_used") not in key]


def _with_the_whole(made: Sheet, book: Book) -> None:
    """Whoever is missing from all the people of the report, where they are a few."""
    shown = [entry for entry in book.entries if np.isfinite(entry.told[1])]
    most = max(shown, key=lambda entry: entry.n, default=None)
    if most is None or most.n < made.whole:
        return
    for number in range(len(made.cells)):
        if made.cells[number].asked and 0 < most.n - made.cells[number].n < book.policy.min_cell:
            made.tie(made.add(Cell(most.keys[0], most.n, asked=False, zero=False)), [number])


def with_earlier(problem: Problem, own: Sequence[Entry], earlier: Sequence[Earlier]) -> Problem:
    """The problem together with earlier releases: a count that stands in both has a change, which must not be few people."""
    parts, names = [problem.system.relations], list(problem.system.names)
    low, high = [problem.system.low], [problem.system.high]
    # A margin or a rest that nobody shows may be of others in another report, and sentences have no names that last.
    place: Mapping[Key, int] = {key: number for number, entry in enumerate(own) for key in entry.keys
                                if not {"margin", "less", SAID} & {name for name, _ in key}}  # fmt: skip
    pairs, targets, is_change = [], [problem.target], [problem.system.is_change]
    for turn, one in enumerate(earlier):
        start = len(names)
        names += [(one.published.release or f"release {turn + 1}", key) for key in one.published.lattice.keys]
        low.append(one.published.low)
        high.append(one.published.high)
        parts.append(one.published.lattice.relations)
        # What was hidden then must stay hidden, unless these data say that it is large.
        targets.append(one.published.hidden & np.array([key not in place for key in one.published.lattice.keys], bool))
        is_change.append(np.zeros(one.published.lattice.n_cells, bool))
        pairs += [(place[key], start + cell, one.same_data)
                  for cell, key in enumerate(one.published.lattice.keys) if key in place]  # fmt: skip
    first = len(names)
    names += [("change", names[new][1]) for new, _, _ in pairs]
    same = np.array([same for *_, same in pairs], bool)
    low.append(np.where(same, 0.0, -np.inf))
    high.append(np.where(same, 0.0, np.inf))
    targets.append(~same)
    is_change.append(np.ones(len(pairs), bool))
    change = [(new, old, first + at) for at, (new, old, _) in enumerate(pairs)]
    relations = _joined(parts, change, len(names))
    system = System(tuple(names), np.concatenate(low), np.concatenate(high), relations, np.concatenate(is_change))
    return _grown(problem, system, np.concatenate(targets))


def _joined(parts: Sequence, change: Sequence[tuple[int, int, int]], n: int):
    """All relations side by side, and for each change: new less old less change is nothing."""
    from scipy import sparse

    blocks = sparse.block_diag(parts, format="csr")
    blocks = sparse.csr_array((blocks.data, blocks.indices, blocks.indptr), shape=(blocks.shape[0], n))
    columns = np.array(change, dtype=np.int64).reshape(-1, 3)
    rows, values = np.repeat(np.arange(len(columns)), 3), np.tile([1.0, -1.0, -1.0], len(columns))
    moved = sparse.csr_array((values, (rows, columns.ravel())), shape=(len(columns), n))
    return sparse.vstack([blocks, moved], format="csr")


def _grown(problem: Problem, system: System, target: np.ndarray) -> Problem:
    """The same choice in a larger system."""
    more = system.n_cells - len(problem.counts)

    def padded(values: np.ndarray, fill: object) -> np.ndarray:
        return np.concatenate([values, np.full(more, fill)])

    return Problem(system, padded(problem.low, 0.0), padded(problem.high, np.inf), padded(problem.candidate, False),
                    padded(problem.printed, False), target, padded(problem.counts, np.nan), padded(problem.cost, 0.0),
                    problem.width)  # fmt: skip
