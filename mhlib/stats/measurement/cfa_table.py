"""The parameter table of a measurement model: the text's terms, lavaan's automatic rules, groups and equalities."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats.measurement.model_syntax import Term, parse_model, term_key

EQUAL = (
    "loadings", "intercepts", "thresholds", "residuals", "residual_covariances", "lv_variances", "lv_covariances",
    "means",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter in one group: fixed at `value`, or free where `value` is None; rows of one label are equal."""

    lhs: str
    op: str
    rhs: str
    group: int
    label: str = ""
    start: float | None = None
    value: float | None = None
    named: bool = False

    @property
    def name(self) -> str:
        """The parameter as lavaan writes it, without its group: `f=~x1`, `x1~~x2`, `x1~1`, `x1|t1`."""
        return f"{self.lhs}{self.op}{self.rhs}"


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """Every parameter of every group.

    Attributes
    ----------
    rows : tuple of Row
    free : tuple of int
        For each row the place of its free parameter (0 to `n_free` - 1; rows of one label share it), -1 when fixed.
    groups, observed, latent : tuple of str
        `observed` are the indicators in the order of the text.
    ordered : mapping of str to int
        Ordered indicators and their numbers of categories.
    """

    rows: tuple[Row, ...]
    groups: tuple[str, ...]
    observed: tuple[str, ...]
    latent: tuple[str, ...]
    ordered: Mapping[str, int] = field(default_factory=dict)
    free: tuple[int, ...] = ()
    n_free: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row], groups, observed, latent, ordered=None) -> ParameterTable:
        """Number the free rows: one place a label, one place an unlabelled row."""
        rows, places, free, count = tuple(rows), {}, [], 0
        for row in rows:
            if row.value is not None:
                free.append(-1)
            elif row.label in places:
                free.append(places[row.label])
            else:
                free.append(count)
                if row.label:
                    places[row.label] = count
                count += 1
        return cls(rows, tuple(groups), tuple(observed), tuple(latent), dict(ordered or {}), tuple(free), count)

    def revised(self, change: Callable[[Row], Row]) -> ParameterTable:
        """The table with `change` applied to each row, numbered anew."""
        return ParameterTable.of(map(change, self.rows), self.groups, self.observed, self.latent, self.ordered)

    def extended(self, rows: Iterable[Row]) -> ParameterTable:
        """The table with more rows behind, numbered anew."""
        return ParameterTable.of((*self.rows, *rows), self.groups, self.observed, self.latent, self.ordered)

    @property
    def has_means(self) -> bool:
        """Whether intercepts are parameters of the model."""
        return any(row.op == "~1" for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """`lhs, op, rhs, group, free, label, start, value`; `free` is -1 where fixed."""
        columns = ("lhs", "op", "rhs", "group", "label", "start", "value")
        frame = pd.DataFrame([[getattr(row, name) for name in columns] for row in self.rows], columns=list(columns))
        frame.insert(4, "free", list(self.free))
        return frame.assign(group=[self.groups[row.group] for row in self.rows])


def parameter_table(
    model: str,
    *,
    columns: Sequence[str],
    groups: Sequence[str] = ("all",),
    std_lv: bool = False,
    means: bool = False,
    orthogonal: bool = False,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    ordered: Mapping[str, int] | None = None,
    parameterization: str = "delta",
    where: str = "cfa",
) -> ParameterTable:
    """Parameter table of a model text.

    Parameters
    ----------
    model : str
        lavaan's language, see :func:`parse_model`.
    columns : sequence of str
        Names that the data have.
    groups : sequence of str
    std_lv : bool
        Factor variances 1 instead of the first loading of each factor.
    means : bool
        Intercepts are parameters (always with several groups or ordered items).
    orthogonal : bool
        Factors that the text does not connect do not covary.
    equal : sequence of str
        What is equal over groups, of :data:`EQUAL`. With equal intercepts (or thresholds) the factor means of later
        groups are free; with equal loadings and `std_lv` so are their variances.
    partial : sequence of str
        Parameters left out of `equal`, as `x3~1`, `f=~x2`, `x1~~x2`, `x1|t2`.
    ordered : mapping of str to int, optional
        Ordered indicators and their numbers of categories.
    parameterization : {'delta', 'theta'}
        For ordered indicators: scales 1 and residual variances following, or residual variances 1.
    where : str
        The function at fault in errors.

    Returns
    -------
    ParameterTable

    Raises
    ------
    ParamsError
        Unknown names with the nearest known one, and every other fault of the model, all at once.

    Notes
    -----
    Rules of lavaan::cfa: the first loading of a factor is 1 (or its variance, with `std_lv`); factor variances and
    covariances and residual variances are free; intercepts are free and factor means 0. A single label or number
    stands for all groups. Reference: Rosseel (2012) J Stat Softw 48(2).
    Checked against: tests/oracle/cfa_fits.csv (lavaan).
    """
    terms = {term_key(term.lhs, term.op, term.rhs): term for term in parse_model(model, where=where)}
    latent = tuple(dict.fromkeys(term.lhs for term in terms.values() if term.op == "=~"))
    observed = tuple(dict.fromkeys(term.rhs for term in terms.values() if term.op == "=~" and term.rhs not in latent))
    ordered = {name: count for name, count in (ordered or {}).items() if name in observed}
    problems = faults(terms, latent, observed, columns, len(groups))
    problems += [f"'{name}' is nothing that can be equal" for name in equal if name not in EQUAL]
    if problems:
        raise ParamsError.of_many(where, problems)
    means = means or len(groups) > 1 or bool(ordered) or any(term.op in ("~1", "|") for term in terms.values())
    every = {**terms, **automatic(terms, latent, observed, means, orthogonal, ordered, parameterization)}
    rules = Rules(std_lv, frozenset(equal), frozenset(partial), latent, ordered, parameterization, len(groups))
    markers = {term.rhs + "\0" + term.lhs for term in first_terms(terms)} if not std_lv else set()
    rows = [row_of(term, key in terms, g, rules, markers) for g in range(len(groups)) for key, term in every.items()]
    names = {row.name for row in rows if row.group == 0} if partial else set()
    problems = [f"'{name}' in partial{hint(name, names)}" for name in partial if name.replace(" ", "") not in names]
    fixed = {row.label for row in rows if row.value is not None and row.label}
    problems += [
        f"label '{label}' is on a fixed and on a free parameter; put NA* before the fixed one"
        for label in sorted(fixed & {row.label for row in rows if row.value is None})
    ]
    if problems:
        raise ParamsError.of_many(where, problems)
    return ParameterTable.of(rows, groups, observed, latent, ordered)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether a parameter is free, fixed or equal."""

    std_lv: bool
    equal: frozenset[str]
    partial: frozenset[str]
    latent: tuple[str, ...]
    ordered: Mapping[str, int]
    parameterization: str
    n_groups: int


def hint(name: str, known: Iterable[str]) -> str:
    """The nearest known name, as a question."""
    near = difflib.get_close_matches(name, [str(one) for one in known], n=1, cutoff=0.5)
    return " is not known" + (f"; did you mean '{near[0]}'?" if near else "")


def faults(terms: Mapping, latent: tuple, observed: tuple, columns: Sequence[str], n_groups: int) -> list[str]:
    """Everything wrong with the names and the numbers of modifiers."""
    known = {str(name) for name in columns}
    problems = [f"'{name}'{hint(name, known)}" for name in observed if name not in known]
    problems += [f"factor '{name}' has the name of a column" for name in latent if name in known]
    for term in terms.values():
        if term.op == "=~" and term.rhs in latent:
            problems.append(f"factor '{term.rhs}' measures '{term.lhs}': factors of factors are not read")
        if term.op != "=~":
            sides = (term.lhs, term.rhs) if term.op == "~~" else (term.lhs,)
            used = dict.fromkeys(name for name in sides if name not in latent and name not in observed)
            for name in used:
                known_here = f"'{name}' is measured by no factor" if name in known else None
                problems.append(known_here or f"'{name}'{hint(name, [*latent, *observed])}")
            if term.op == "~~" and not used and (term.lhs in latent) != (term.rhs in latent):
                problems.append(f"'{term.lhs} ~~ {term.rhs}' joins a factor and an item")
        for kind in ("fixed", "label", "start"):
            if (length := len(getattr(term, kind))) not in (0, 1, n_groups):
                problems.append(f"'{term.lhs}{term.op}{term.rhs}' has {length} entries for {n_groups} groups")
    return list(dict.fromkeys(problems))


def first_terms(terms: Mapping) -> list[Term]:
    """The first term of each factor."""
    found: dict[str, Term] = {}
    for term in terms.values():
        if term.op == "=~":
            found.setdefault(term.lhs, term)
    return list(found.values())


def automatic(terms, latent, observed, means, orthogonal, ordered, parameterization) -> dict:
    """Terms that lavaan adds: variances, factor covariances, intercepts, means, thresholds, scales."""
    added = [Term(name, "~~", name) for name in (*observed, *latent)]
    if not orthogonal:
        added += [Term(a, "~~", b) for i, a in enumerate(latent) for b in latent[i + 1 :]]
    added += [Term(name, "|", f"t{t}") for name in observed for t in range(1, ordered.get(name, 1))]
    added += [Term(name, "~*~", name) for name in observed if name in ordered]
    if means:
        added += [Term(name, "~1", "") for name in (*observed, *latent)]
    keyed = {term_key(term.lhs, term.op, term.rhs): term for term in added}
    return {key: term for key, term in keyed.items() if key not in terms}


def pick(values: tuple, group: int) -> object:
    """The entry of a group, the only entry, or None."""
    return None if not values else values[group if len(values) > 1 else 0]


def row_of(term: Term, named: bool, group: int, rules: Rules, markers: set[str]) -> Row:
    """The row of a term in a group, after the user's word, else after the rule."""
    fixed, label = pick(term.fixed, group), pick(term.label, group) or ""
    word = None if fixed is None or math.isnan(fixed) else fixed
    value = rule_value(term, group, rules, markers) if fixed is None else word
    row = Row(term.lhs, term.op, term.rhs, group, label, pick(term.start, group), value, named)
    kind = kind_of(row, rules.latent)
    if value is None and not label and kind in rules.equal and row.name not in rules.partial:
        # Factor means that equal intercepts have set free stay free unless they too are asked to be equal.
        return replace(row, label="." + row.name)
    return row


def kind_of(row: Row | Term, latent: tuple[str, ...]) -> str:
    """Which of :data:`EQUAL` a parameter belongs to ('scales' for `~*~`)."""
    if row.op == "~~":
        inner = row.lhs in latent
        if row.lhs == row.rhs:
            return "lv_variances" if inner else "residuals"
        return "lv_covariances" if inner else "residual_covariances"
    if row.op == "~1":
        return "means" if row.lhs in latent else "intercepts"
    return {"=~": "loadings", "|": "thresholds", "~*~": "scales"}[row.op]


def rule_value(term: Term, group: int, rules: Rules, markers: set[str]) -> float | None:
    """Fixed value by lavaan's rules, None when free."""
    kind, later = kind_of(term, rules.latent), group > 0
    ordered = term.lhs in rules.ordered
    if kind == "loadings":
        return 1.0 if term.rhs + "\0" + term.lhs in markers else None
    if kind == "lv_variances":
        return 1.0 if rules.std_lv and not (later and "loadings" in rules.equal) else None
    if kind == "means":
        return None if later and rules.equal & {"intercepts", "thresholds"} else 0.0
    if kind == "intercepts":
        return 0.0 if ordered else None
    if kind in ("residuals", "scales") and ordered:
        moved = later and {"thresholds", "loadings"} <= rules.equal and "residuals" not in rules.equal
        own = "residuals" if rules.parameterization == "theta" else "scales"
        return None if moved and kind == own else 1.0
    return None
