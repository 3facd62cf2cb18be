"""The language of measurement models (lavaan's): text to terms with their modifiers, every fault of the text at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from mhlib.errors import ParamsError

OPERATOR = re.compile(r"=~|~\*~|~~|~|\|")
FORMULA = re.compile(r":=|==|<|>")
NAME = re.compile(r"[^\W\d][\w.]*|\.[\w.]+")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE]-?\d+)?")
CALL = re.compile(r"(c|start|label|equal)\((.*)\)")


@dataclass(frozen=True, slots=True)
class Term:
    """One parameter that the text names, before groups and automatic rules.

    Attributes
    ----------
    lhs, op, rhs : str
        `op` is one of `=~`, `~~`, `~1` (then `rhs` is empty), `|` (`rhs` is `t1`, `t2`, ...), `~*~`.
    fixed : tuple of float
        Empty when the text says nothing; NaN stands for `NA`, which sets the parameter free. One value or one a group.
    label : tuple of str
        One label (shared by all groups) or one a group; an empty string is no label.
    start : tuple of float
        Start values, one or one a group.
    """

    lhs: str
    op: str
    rhs: str
    fixed: tuple[float, ...] = ()
    label: tuple[str, ...] = ()
    start: tuple[float, ...] = ()


def parse_model(text: str, *, where: str = "model") -> tuple[Term, ...]:
    """Read a model in lavaan's language.

    Parameters
    ----------
    text : str
        Statements, one a line or separated by `;`; `#` or `!` begins a comment. Operators: `=~` (measured by), `~~`
        (covariance), `~ 1` (intercept or mean), `|` (thresholds), `~*~` (scale). Before a name and `*` may stand a
        number (fixed), `NA` (free), a label, `start(.8)`, or `c(...)` of these with one entry a group.
    where : str
        The function at fault in errors.

    Returns
    -------
    tuple of Term
        In the order of the text; a parameter named twice is one term with both modifiers.

    Raises
    ------
    ParamsError
        Everything in the text that cannot be read, all at once.

    Notes
    -----
    Reference: Rosseel (2012) J Stat Softw 48(2). Checked against: tests/oracle/cfa_fits.csv (lavaan).
    """
    if not isinstance(text, str):
        raise ParamsError(where, "the model is no text", allowed="a text as 'f =~ x1 + x2 + x3'")
    problems: list[str] = []
    terms: dict[tuple[str, str, str], Term] = {}
    for statement in statements(text, problems):
        for term in terms_of(statement, problems):
            key = term_key(term.lhs, term.op, term.rhs)
            terms[key] = merged(terms[key], term) if key in terms else term
    if not problems and not any(term.op == "=~" for term in terms.values()):
        problems.append("no factor is measured: a line as 'f =~ x1 + x2 + x3' is needed")
    if problems:
        raise ParamsError.of_many(where, problems, remedy="write it as lavaan does: 'f =~ x1 + x2 + x3'")
    return tuple(terms.values())


def term_key(lhs: str, op: str, rhs: str) -> tuple[str, str, str]:
    """Identity of a parameter: a covariance is the same in either order."""
    return (*sorted((lhs, rhs)), op) if op == "~~" else (lhs, rhs, op)


def statements(text: str, problems: list[str]) -> list[str]:
    """Statements without comments; a line without operator continues the line before."""
    found: list[str] = []
    for line in re.split(r"[\n;]", text):
        piece = re.sub(r"[#!].*", "", line).strip()
        if not piece:
            continue
        # A line that ends on an operator or a plus is not finished, whatever begins the next one.
        open_ended = bool(found) and bool(re.search(r"(\+|\*|~|\|)$", found[-1]))
        if OPERATOR.search(piece) and not open_ended:
            found.append(piece)
        elif found:
            found[-1] += " " + piece
        else:
            problems.append(f"'{piece}' has no operator such as =~")
    return found


def terms_of(statement: str, problems: list[str]) -> list[Term]:
    """Terms of one statement; what cannot be read goes to `problems`."""
    if FORMULA.search(statement):
        problems.append(f"'{statement}' is a formula; give parameters that are to be equal the same label instead")
        return []
    found = OPERATOR.search(statement)
    if found is None:
        problems.append(f"'{statement}' has no operator such as =~")
        return []
    left, op, right = statement[: found.start()], found.group(), statement[found.end() :]
    terms = []
    for lhs in outside(left, "+"):
        if not NAME.fullmatch(lhs):
            problems.append(f"'{lhs}' in '{statement}' is no name")
            continue
        terms += [term for part in outside(right, "+") if (term := one_term(lhs, op, part, statement, problems))]
    return terms


def one_term(lhs: str, op: str, part: str, statement: str, problems: list[str]) -> Term | None:
    """The term of `part`, a name behind any number of modifiers."""
    *modifiers, rhs = outside(part, "*")
    if op == "~":
        if rhs != "1":
            problems.append(f"'{statement}' is a regression, which is no part of a measurement model")
            return None
        op, rhs = "~1", ""
    elif op == "|" and not re.fullmatch(r"t\d+", rhs):
        problems.append(f"'{rhs}' in '{statement}' is no threshold as t1")
        return None
    elif not NAME.fullmatch(rhs):
        problems.append(f"'{part}' in '{statement}' is no name")
        return None
    elif op == "~*~" and rhs != lhs:
        problems.append(f"'{statement}' scales '{lhs}' by another name")
        return None
    term = Term(lhs, op, rhs)
    for text in modifiers:
        try:
            term = merged(term, Term(lhs, op, rhs, **modifier(text)))
        except ValueError:
            problems.append(f"'{text}*' in '{statement}' is no number, NA, label, start() or c()")
    return term


def merged(first: Term, second: Term) -> Term:
    """Both terms' modifiers, the second's where both speak."""
    changed = {name: getattr(second, name) for name in ("fixed", "label", "start") if getattr(second, name)}
    return replace(first, **changed)


def modifier(text: str) -> dict[str, tuple]:
    """`fixed`, `label` or `start` that a modifier sets.

    Raises
    ------
    ValueError
        A text that is none of them.
    """
    call = CALL.fullmatch(text)
    if call and call.group(1) == "start":
        return {"start": tuple(number(value) for value in entries(call.group(2)))}
    if call and call.group(1) in ("label", "equal"):
        return {"label": tuple(word(value) for value in entries(call.group(2)))}
    values = outside(call.group(2), ",") if call else [text]
    if all(value == "NA" or NUMBER.fullmatch(value) for value in values):
        return {"fixed": tuple(math.nan if value == "NA" else float(value) for value in values)}
    return {"label": tuple("" if value == "NA" else word(value) for value in values)}


def entries(text: str) -> list[str]:
    """Entries of `c(...)`, or the one entry."""
    call = CALL.fullmatch(text)
    return outside(call.group(2) if call else text, ",")


def number(text: str) -> float:
    """A number, or ValueError."""
    return float(text)


def word(text: str) -> str:
    """A label without its quotes, or ValueError."""
    bare = text.strip("\"'")
    if not NAME.fullmatch(bare):
        raise ValueError(text)
    return bare


def outside(text: str, mark: str) -> list[str]:
    """Pieces of `text` between `mark`s that stand outside brackets, stripped."""
    pieces, depth, begin = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == mark and depth == 0:
            pieces.append(text[begin:at].strip())
            begin = at + 1
    return [*pieces, text[begin:].strip()]
