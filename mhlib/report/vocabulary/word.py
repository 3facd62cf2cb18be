"""One name that may be shown."""

from __future__ import annotations

from dataclasses import dataclass

from mhlib.findings import Message


@dataclass(frozen=True, slots=True)
class Word:
    """A column or term: its words, its kind for the gate, and its digits."""

    words: Message
    kind: str = "estimate"
    digits: int = 2
