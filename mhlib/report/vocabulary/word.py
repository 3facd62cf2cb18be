"""One name that may be shown."""

from __future__ import annotations

from dataclasses import dataclass

from mhlib.findings import Message


@dataclass(frozen=True, slots=True)
class Word:
    """A column or term: its words, its kind for the gate, and its digits.

    Attributes
    ----------
    tail : float
        Of a quantile, the share of people on its smaller side, enough of whom must stand there; 1 of all else.
    """

    words: Message
    kind: str = "estimate"
    digits: int = 2
    tail: float = 1.0


@dataclass(frozen=True, slots=True)
class Nested:
    """Rows of an element whose counts hold each other, which their numbers do not show.

    Attributes
    ----------
    column : str
        Column of the counts.
    within : tuple of str
        Columns of labels within which it holds.
    chain : bool
        Whether each holds the next; else the widest holds every other.
    """

    column: str
    within: tuple[str, ...] = ()
    chain: bool = True
