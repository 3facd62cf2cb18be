"""The identifiers of a run's own source, kept as keyed hashes: a page can be held against them, nobody can read them back."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

HEADERS = {
    "known_id": re.compile(
        r"pid$|学号|学籍|工号|身份证|编号|(?:^|_)id(?:_?card|_?number)?$|(?:pupil|student|teacher|patient|subject)_?(?:id|no)", re.I),
    "known_name": re.compile(r"姓名|名字|^name$|(?:pupil|student|teacher|full|parent)_?name", re.I),
    "known_birth": re.compile(r"出生|生日|birth|^dob$", re.I),
    "known_phone": re.compile(r"电话|手机|^phone|mobile|^tel", re.I),
}  # fmt: skip
# Whoever stands in such a column is a person; schools and classes are not counted as rows of people.
PEOPLE = re.compile(r"pupil|student|teacher|patient|subject|household|mentor|学号|学籍|工号|姓名|身份证", re.I)
TOKEN = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})")
CHINESE = re.compile(r"[\u4e00-\u9fa5·]+")
SHORTEST_NUMBER, SHORTEST_CODE, FEWEST_ROWS = 6, 4, 30


@dataclass(slots=True)
class Known:
    """Hashes of a source's identifiers, and how many rows of people its tables have.

    Attributes
    ----------
    lengths : set of int
        Rows of each table of people, from 30.
    unsearchable : int
        Identifiers too short to be told from any number, such as 17.
    """

    lengths: set[int] = field(default_factory=set)
    unsearchable: int = 0
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _digests: dict[bytes, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, source: object, columns: Mapping[str, str] | None = None) -> Known:
        """From a source (`mhlib.data.sources`); `columns` maps the contract's names to the source's."""
        known = cls()
        contract = {own: name for name, own in (columns or {}).items()}
        names = source.tables()
        for table in names:
            kinds = {column: kind for column in source.header(table)
                     if (kind := kind_of_header(column) or kind_of_header(contract.get(column, "")))}  # fmt: skip
            people = any(PEOPLE.search(column) or PEOPLE.search(contract.get(column, "")) for column in kinds)
            if not kinds and len(names) > 1:
                continue
            frame = source.frame(table, columns=list(kinds) or source.header(table)[:1])
            if (people or len(names) == 1) and len(frame) >= FEWEST_ROWS:
                known.lengths.add(len(frame))
            for column, kind in kinds.items():
                known.add(frame[column], kind)
        return known

    def add(self, values: pd.Series, kind: str) -> None:
        """Remember the distinct values of a column."""
        for value in values.dropna().unique():
            text = _plain(value, kind)
            if _too_short(text):
                self.unsearchable += 1
            else:
                self._digests.setdefault(self._digest(text), kind)

    def in_text(self, text: str) -> Iterator[tuple[str, int]]:
        """Kind and place of every identifier of the source in a text."""
        if not self._digests:
            return
        for start, candidate in _candidates(text):
            if (kind := self._digests.get(self._digest(candidate))) is not None:
                yield kind, start

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.casefold().encode(), key=self._key, digest_size=16).digest()


def kind_of_header(name: str) -> str | None:
    """The kind of identifier that a column of this name holds, if any."""
    return next((kind for kind, pattern in HEADERS.items() if pattern.search(name.strip())), None)


def _plain(value: object, kind: str) -> str:
    """A value as it would be written: whole numbers without a point, birth dates in ISO form."""
    if isinstance(value, pd.Timestamp) or hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    if kind == "known_birth" and (found := DATE.match(text)):
        return _iso(found)
    return text


def _iso(found: re.Match) -> str:
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"


def _too_short(text: str) -> bool:
    if CHINESE.search(text):
        return len(text) < 2
    return len(text) < (SHORTEST_NUMBER if re.fullmatch(r"[\d.-]+", text) and not DATE.match(text) else SHORTEST_CODE)


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    for found in DATE.finditer(text):
        yield found.start(), _iso(found)
    for found in TOKEN.finditer(text):
        yield found.start(), found.group(0)
        if "-" in found.group(0) or "_" in found.group(0):
            for piece in re.finditer(r"[A-Za-z0-9]{4,}", found.group(0)):
                yield found.start() + piece.start(), piece.group(0)
    for found in re.finditer(r"[A-Z][a-z]+,? [A-Z][a-z]+(?: [A-Z][a-z]+)?", text):
        yield found.start(), found.group(0)
    for found in CHINESE.finditer(text):
        run = found.group(0)
        yield found.start(), run
        # A name of two signs is also the end of many words: it counts only where it stands alone.
        for length in (3, 4):
            for at in range(len(run) - length + 1):
                if length < len(run):
                    yield found.start() + at, run[at : at + length]
    for found in re.finditer(r"[\u4e00-\u9fa5A-Za-z0-9]*[\u4e00-\u9fa5][\u4e00-\u9fa5A-Za-z0-9]*", text):
        if not CHINESE.fullmatch(found.group(0)):
            yield found.start(), found.group(0)
