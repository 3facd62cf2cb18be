"""Counts and cells that the policy hides: looked for in the frames of the executed notebook, in tables, and in sentences.

The gate is asked again with the bureau's own estimates; where it would hide what the public part shows, the cell is told.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set

import pandas as pd

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import Gate, kind_of
from mhlib.report.language import DASH, LANGUAGES, count_words, translated, words
from mhlib.report.protection_links import Key
from mhlib.report.protection_rows import key_of, row_names
from mhlib.report.rounding import rounded
from mhlib.report.tables import CONFIDENCE, LIMITS
from mhlib.report.view import NUMBERED
from mhlib.report.vocabulary import COLUMNS, TERMS

WORDS = ("text", "named")
# From 1,000 on a whole number of the bureau's own is unlikely to stand in a text by chance; below only before "pupils".
FEWEST_TELLING = 100
FREE = re.compile(r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})+|\d{4,9})(?![\w]|[.,-]\d)")
OF_PEOPLE = re.compile(
    r"(?<![\w.,-])\d{3}(?= ?(?:pupils|people|students|teachers|children|cases|girls|boys|名|人|位|例))"
)
FIGURE_DATA = "Data of this figure"

Frame = Sequence[Mapping[str, object]]


def unrounded(frame: Frame, gate: Gate) -> Iterator[tuple[str, int, str]]:
    """Kind, row and column of counts that are not rounded as the policy wants it, or below its least cell."""
    for at, row in enumerate(frame, start=1):
        for name, value in row.items():
            if name in COLUMNS and kind_of(name, row) == "count" and _not_rounded(value, gate):
                yield "unrounded_count", at, name


def _not_rounded(value: object, gate: Gate) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return False
    return value != rounded(value, gate.policy) or value < gate.policy.min_cell


def shown_though_hidden(public: Frame, internal: Frame, gate: Gate) -> Iterator[tuple[str, int, str]]:
    """Cells of the public frame that the gate hides when it is asked again."""
    for at, (row, own) in enumerate(_paired(public, internal), start=1):
        names = [name for name in row if name in own and name in COLUMNS]
        try:
            fresh = gate.frame(pd.DataFrame([{name: own[name] for name in names}], dtype=object), where="scan")
        except DisclosureError:
            continue  # nothing says how many people stand behind: the gate of the run had refused it too
        for name in names:
            if row[name] is not None and own[name] is not None and pd.isna(fresh[name].iloc[0]):
                yield "hidden_cell", at, name


def shown_though_withheld(public: Frame, element: str, withheld: Set[Key]) -> Iterator[tuple[str, int, str]]:
    """Cells that show a count which the report's book withholds for the sake of others."""
    if not withheld or not public:
        return
    for at, (row, labels_of_row) in enumerate(zip(public, row_names(public), strict=True), start=1):
        for name, value in row.items():
            if value is not None and key_of(element, name, labels_of_row) in withheld:
                yield "hidden_cell", at, name


def _paired(public: Frame, internal: Frame) -> Iterator[tuple[Mapping, Mapping]]:
    """Rows of both that belong together: by their order, or by their words where one has more rows."""
    if len(public) == len(internal):
        yield from zip(public, internal, strict=True)
        return
    named = {tuple(labels(row)): row for row in internal}
    for row in public:
        yield row, named.get(tuple(labels(row)), {})


def labels(row: Mapping[str, object]) -> list[str]:
    """The cells of a row that name it."""
    return [str(value) for name, value in row.items()
            if name in COLUMNS and value is not None and (kind_of(name, row) in WORDS or name == "term")]  # fmt: skip


def hidden_counts(public: Frame, internal: Frame, gate: Gate) -> Iterator[tuple[tuple[str, ...], int]]:
    """Names of the row, in one language after the other, and value of each count that the public part hides."""
    for row, own in _paired(public, internal):
        for name, value in own.items():
            whole = isinstance(value, int | float) and value == value and float(value).is_integer()
            if name in COLUMNS and whole and kind_of(name, own) == "count" and row.get(name, value) is None:
                for language in LANGUAGES:
                    said = [words(TERMS[one].words, language, gate) if one in TERMS else one for one in labels(own)]
                    if any(len(one) > 1 and not one.isdigit() for one in said):
                        yield tuple(unicodedata.normalize("NFKC", one) for one in said), int(value)


def beside_label(text: str, hidden: Sequence[tuple[tuple[str, ...], int]]) -> Iterator[tuple[str, int]]:
    """Hidden counts that a line tells shortly after the names of their row; a number within a name is none."""
    text = _without_numbers_of_names(text) if hidden else text
    for names, value in hidden:
        last = names[-1]
        for start in _places(text, last) if all(name in text for name in names) else ():
            begin = text.rfind("\n", 0, start) + 1
            after = text[start + len(last) :]
            near = re.match(rf"[^\d\n.;。；]{{0,15}}?(?<![\d.,]){value}(?![\d%]|[.,]\d)", after)
            if near and all(name in text[begin : start + len(last)] for name in names):
                yield "hidden_cell", start + len(last) + near.end() - len(str(value))


def _without_numbers_of_names(text: str) -> str:
    """The same text, as long, with the digits in names such as "term 1" struck out."""
    return _numbered_names().sub(lambda name: re.sub(r"\d", "#", name[0]), text)


@functools.cache
def _numbered_names() -> re.Pattern:
    """Names of the vocabulary that hold a digit beside letters, in both languages, the longest first."""
    gate = Gate.of("open_data")
    said = {
        unicodedata.normalize("NFKC", words(word.words, language, gate))
        for word in TERMS.values()
        for language in LANGUAGES
    }
    named = [name for name in said if re.search(r"\d", name) and re.search(r"[^\W\d_]{2}|[\u4e00-\u9fa5]", name)]
    return re.compile("|".join(re.escape(name) for name in sorted(named, key=len, reverse=True)))


def _places(text: str, name: str) -> Iterator[int]:
    at = text.find(name)
    while at >= 0:
        yield at
        at = text.find(name, at + 1)


def telling_counts(internal: Mapping[str, Frame], public: Mapping[str, Frame], gate: Gate) -> set[int]:
    """Unrounded counts of the bureau's that no public cell carries for a reason of its own."""
    own = {int(value) for frame in internal.values() for row in frame for name, value in row.items()
           if name in COLUMNS and kind_of(name, row) == "count" and isinstance(value, int | float)
           and value == value and abs(value) < 1e12}  # fmt: skip
    shown = {
        value for frame in public.values() for row in frame for value in row.values() if isinstance(value, int | float)
    }
    return {value for value in own if value >= FEWEST_TELLING and value % gate.policy.round_to} - shown


def exact_counts(text: str, telling: set[int]) -> Iterator[tuple[str, int]]:
    """Places where a text gives such a count to the last digit."""
    for found in [*FREE.finditer(text), *OF_PEOPLE.finditer(text)] if telling else ():
        if int(found.group(0).replace(",", "")) in telling:
            yield "exact_count", found.start()


@functools.cache
def count_headers() -> frozenset[str]:
    """Headers, in every language, that stand over counts of people and over nothing else."""
    gate = Gate.of("public")
    said = {kind: {words(word.words, language, gate) for word in COLUMNS.values() if (word.kind == "count") == kind
                   for language in LANGUAGES} for kind in (True, False)}  # fmt: skip
    return frozenset(said[True] - said[False])


def unrounded_in_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], gate: Gate
) -> Iterator[tuple[str, int, int]]:
    """Unrounded counts of a written table, by the words of its headers."""
    for column, header in enumerate(headers, start=1):
        if header not in count_headers():
            continue
        for at, row in enumerate(rows, start=1):
            text = row[column - 1].replace(",", "") if len(row) >= column else ""
            if re.fullmatch(r"\d+(?:\.0)?", text) and _not_rounded(float(text), gate):
                yield "unrounded_count", at, column


def hidden_in_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], frame: Frame, gate: Gate
) -> Iterator[tuple[str, int, int]]:
    """Cells of a written table that are no dash where the frame of its element hides them."""
    if not frame:
        return
    dashes = {"", DASH, *(count_words(None, language, gate) for language in LANGUAGES)}
    for column, header in enumerate(headers, start=1):
        named = [name for name in frame[0] if name in COLUMNS
                 and any(words(COLUMNS[name].words, language, gate) == header for language in LANGUAGES)]  # fmt: skip
        if header in {words(CONFIDENCE, language, gate) for language in LANGUAGES}:
            named = _limits(frame[0])
            if not named:
                continue
        elif len(named) != 1:
            continue
        for at, row in enumerate(rows, start=1):
            known = at <= len(frame) and all(frame[at - 1].get(name) is not None for name in named)
            if not known and len(row) >= column and row[column - 1] not in dashes:
                yield "hidden_cell", at, column


def _limits(row: Mapping[str, object]) -> list[str]:
    """The one pair of columns whose limits are written in one column; none where several could be meant."""
    found = [pair for pair in {**LIMITS, "": ("conf_low", "conf_high")}.values() if set(pair) <= set(row)]
    return list(found[0]) if len(found) == 1 else []


def element_of_caption(caption: str, elements: Sequence[Mapping[str, object]]) -> Mapping[str, object] | None:
    """The table element that a caption such as "Table 3. ..." numbers."""
    for one in elements:
        if one.get("kind") in ("table", "lights") and one.get("frame") and one.get("number") is not None:
            starts = {
                translated(NUMBERED["table"].template, language).format(number=one["number"]) for language in LANGUAGES
            }
            if any(
                caption.startswith(start.strip()) and not caption[len(start.strip()) :][:1].isdigit()
                for start in starts
            ):
                return one
    return None


def is_figure_data(caption: str) -> bool:
    """Whether a table is the data of a figure."""
    return caption in {translated(FIGURE_DATA, language) for language in LANGUAGES}
