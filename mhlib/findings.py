"""What an analysis finds, free of language and not yet gated: sentences, checks and refusals.

A :class:`Message` is an English template, which is its key in the catalogues, and the values that fill it. Values that
could tell on a person are typed (:class:`Count`, :class:`Proportion`, :class:`Estimate`), so that the disclosure gate
can round or hide them when the report turns the message into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Count:
    """A number of people or records: hidden when small, else rounded by the gate."""

    n: int


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of `denominator` people, 0–1, with its interval where there is one."""

    value: float
    denominator: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that is not a share, from `n_used` people, with its interval where there is one."""

    value: float
    n_used: int
    low: float | None = None
    high: float | None = None
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Message:
    """An English template with named fields and the values that fill them.

    The template is the key of the message catalogues; `values` hold plain text, plain numbers that concern no person
    (a cut-off, a share planned), typed values, or other messages.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)


def message(template: str, /, **values: object) -> Message:
    """A :class:`Message`; the name marks the template for extraction into the catalogues."""
    return Message(template, values)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that *should* hold: held (True), did not (False), or could not be looked at (None)."""

    name: Message
    passed: bool | None
    detail: Message

    def __post_init__(self) -> None:
        # A comparison of arrays gives numpy's own bool, which is neither `False` by identity nor JSON.
        if self.passed is not None:
            object.__setattr__(self, "passed", bool(self.passed))


@dataclass(frozen=True, slots=True)
class Refused:
    """A section that takes its own place: why no number is given, and what would have to be collected.

    A refusal is a result: the run exits 0 and `run.json` lists it by `code`.
    """

    code: str
    why: Message
    what_to_collect: Message


@dataclass(frozen=True, slots=True)
class Light:
    """One line of a verdict: what was looked at, how it stands, why, and by which rule.

    Attributes
    ----------
    state : {"good", "watch", "bad", "unknown"}
        Unknown where the section was refused; the finding then says what is lacking.
    planned : bool
        Whether the rule and the analysis were fixed before the data were seen.
    """

    name: Message
    state: str
    finding: Message
    rule: Message
    planned: bool


@dataclass(frozen=True, slots=True)
class Reported:
    """One item of a reporting checklist: its number and matter, the section that answers it, and what is still to add.

    Attributes
    ----------
    section : str
        English heading of the section in the notebook; empty where no section answers the item.
    lacking : Message or None
        What the workbench cannot know and the authors must add.
    """

    number: str
    matter: Message
    section: str
    lacking: Message | None = None
