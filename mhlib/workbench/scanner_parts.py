"""From the bytes of a file to everything a reader could get out of it: texts, tables, drawings and arrays.

Every door is opened: markup and its attributes, JSON within JSON, base64 with and without `data:`, hexadecimal, percent
signs, character references, gzip, zlib, raw deflate, zip archives and the text of PNG files, one within the other. What
cannot be opened is told as `Opaque`, never passed over.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import csv
import html
import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mhlib.workbench.scanner_markup import read_markup

DEEPEST, LARGEST = 12, 64 * 2**20
# A SHA-256, as run.json holds them.
CHECKSUM = re.compile(r"[0-9a-f]{64}")
ENCODED = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{11,}={0,2}(?![A-Za-z0-9+/_=-])")
WRAPPED = re.compile(r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{40,}+[ \t\r]*+\n[ \t]*+)++[A-Za-z0-9+/_-]+={0,2}")
DATA_URI = re.compile(r"data:[\w.+/-]*((?:;[\w=.+-]+)*),([^\s\"'<>)]*)")
ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}")
NUMBERS = re.compile(r"(?<![\w.])(?:[-+]?\d++(?:\.\d++)?(?:[eE][-+]?\d++)?[,;\s]++){29,}+(?:[-+]?\d[\w.]*+)?")
# A binary that carries no words but could carry a column of numbers.
LONG_BINARY = 60
# Keys of a notebook or a record may be shown in coordinates; any other key may itself be a value.
SHOWN = ("cells", "outputs", "data", "html", "frame", "csv", "zh", "en", "estimates", "params", "metadata", "source", "text",
         "name", "kind", "columns", "values", "versions", "refusals", "rows", "n", "page", "error", "elements", "traceback",
         "evalue")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """Words, wherever they stood."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells as text under their headers."""

    place: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The markup of one SVG."""

    place: str
    svg: str


@dataclass(frozen=True, slots=True)
class Array:
    """So many numbers, records or bytes in a row; of bytes, `lengths` are those by every width of a number."""

    place: str
    what: str
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """What could not be opened."""

    place: str


Part = Text | Table | Drawing | Array | Opaque


def parts(raw: bytes, place: str = "", *, suffix: str = "", depth: int = 0) -> Iterator[Part]:
    """Every part of some bytes.

    Parameters
    ----------
    raw : bytes
    place : str
        The way that led here.
    suffix : str
        Ending of the file's name; `.csv` is read as a table.
    """
    if depth > DEEPEST or len(raw) > LARGEST:
        yield Opaque(_in(place, "too deep or too large"))
        return
    raw = _sign_by_sign(raw)
    if (unpacked := _unpacked(raw)) is not None:
        for name, inner in unpacked:
            yield from (
                [Opaque(_in(place, name))] if inner is None else parts(inner, _in(place, name), depth=depth + 1)
            )
        return
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _picture(raw, place, depth)
        return
    text = readable(raw)
    if text is None:
        yield from _binary(raw, place)
    else:
        yield from _of_text(text, place, suffix, depth)


def _sign_by_sign(raw: bytes) -> bytes:
    """Packed bytes that a script wrote as the signs of a text, one a byte, as they were; all others as they are."""
    if raw[:1] in (b"\x1f", b"\x78", b"\xc2") or raw[:2] == b"PK":
        with contextlib.suppress(UnicodeError):
            packed = raw.decode("utf-8").encode("latin-1")
            if packed != raw and (packed.startswith(b"\x89PNG") or _unpacked(packed) is not None):
                return packed
    return raw


def readable(raw: bytes) -> str | None:
    """Bytes as text; None where they are none."""
    codes = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for code in codes:
        try:
            text = raw.decode(code)
        except UnicodeDecodeError:
            continue
        odd = sum(unicodedata.category(sign) in ("Cc", "Cn", "Co") and sign not in "\t\r\n\f" for sign in text[:4000])
        # GB18030 reads almost any bytes: they are words only if they keep to the common planes.
        rare = code == "gb18030" and any(not _common(sign) for sign in text[:4000])
        if not odd and not rare:
            return text
    return None


def _common(sign: str) -> bool:
    return (
        sign.isascii() or "\u4e00" <= sign <= "\u9fa5" or "\u3000" <= sign <= "\u303f" or "\uff00" <= sign <= "\uffef"
    )


def _in(place: str, name: str) -> str:
    return f"{place} > {name}" if place else name


def _unpacked(raw: bytes) -> list[tuple[str, bytes | None]] | None:
    """The content of compressed bytes; None for what is not compressed; a content of None cannot be had."""
    if raw.startswith(b"PK\x03\x04"):
        return _members(raw)
    for name, width, like in (("gzip", 31, raw[:2] == b"\x1f\x8b"), ("zlib", 15, raw[:1] == b"\x78")):
        if like:
            found = _inflated(raw, width)
            if found != b"":
                return [(name, found)]
    if len(raw) > 8 and not raw.isascii() and readable(raw) is None and (found := _inflated(raw, -15)):
        return [("deflate", found)]
    return None


def _inflated(raw: bytes, width: int) -> bytes | None:
    """What was compressed; empty where nothing was, None where it is larger than may be looked at."""
    machine = zlib.decompressobj(width)
    try:
        found = machine.decompress(raw, LARGEST)
    except zlib.error:
        return b""
    return None if machine.unconsumed_tail else (found if machine.eof else b"")


def _members(raw: bytes) -> list[tuple[str, bytes | None]]:
    found: list[tuple[str, bytes | None]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for at, member in enumerate(archive.infolist(), start=1):
                found.append((f"names of the archive {at}", member.filename.encode()))
                small = member.file_size <= LARGEST and not member.flag_bits & 1
                found.append((f"member {at}", archive.read(member) if small else None))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, OSError):
        found.append(("archive", None))
    return found


def _picture(raw: bytes, place: str, depth: int) -> Iterator[Part]:
    """The words that a PNG carries; its pixels are not looked at."""
    at = 8
    while at + 12 <= len(raw):
        size, kind = int.from_bytes(raw[at : at + 4]), raw[at + 4 : at + 8]
        body = raw[at + 8 : at + 8 + size]
        if kind in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"):
            for piece in body.split(b"\0"):
                inflated = _inflated(piece, 15) if piece[:1] == b"\x78" else b""
                yield from parts(inflated or piece, _in(place, "PNG text"), depth=depth + 1)
        at += 12 + size
    if raw[at:]:
        yield from parts(raw[at:], _in(place, "after the PNG"), depth=depth + 1)


def _binary(raw: bytes, place: str) -> Iterator[Part]:
    lengths = tuple(len(raw) // width for width in (1, 2, 4, 8) if len(raw) % width == 0)
    yield Array(place, "bytes", lengths)
    yield Opaque(place)


def _of_text(text: str, place: str, suffix: str, depth: int) -> Iterator[Part]:
    stripped = text.strip()
    value = _json(stripped)
    if value is not None:
        yield from _of_json(value, place, depth)
        return
    if re.search(r"<[a-zA-Z!/]", stripped):
        yield from _of_markup(text, place, depth)
        return
    if suffix == ".csv":
        yield from _of_csv(text, place)
    yield from leaf(text, place, depth)


def _json(text: str) -> object | None:
    """A list, a record or a quoted string; a bare number or word is no JSON here."""
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def leaf(text: str, place: str, depth: int) -> Iterator[Part]:
    """A text without inner structure, full-width signs made plain; its runs of numbers; whatever is encoded within it."""
    text = unicodedata.normalize("NFKC", text)
    yield Text(place, text)
    for run in NUMBERS.finditer(text):
        yield Array(place, "numbers", (len(re.split(r"[,;\s]+", run.group(0).strip())),))
    for name, inner in _decoded(text):
        yield from parts(inner, _in(place, name), depth=depth + 1)


def _decoded(text: str) -> Iterator[tuple[str, bytes]]:
    """Every decoding of a part of a text that gives something new."""
    for found in DATA_URI.finditer(text):
        if ";base64" in found.group(1):
            yield "data URI", _base64(unquote_to_bytes(found.group(2)).decode("latin-1")) or found.group(2).encode()
        else:
            yield "data URI", unquote_to_bytes(found.group(2))
    plain = DATA_URI.sub(" ", text)
    for found in WRAPPED.finditer(plain):
        joined = re.sub(r"\s", "", found.group(0))
        if (raw := _base64(joined)) is not None and _worth(raw, joined):
            yield "base64", raw
    for found in ENCODED.finditer(plain):
        run = found.group(0)
        if CHECKSUM.fullmatch(run) and not binascii.unhexlify(run).isascii():
            continue  # thirty-two bytes of chance, which now and then begin like something packed
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", run) and (raw := binascii.unhexlify(run)) and _worth(raw, ""):
            yield "hexadecimal", raw
        elif (raw := _base64(run)) is not None and _worth(raw, run):
            yield "base64", raw
    if re.search(r"%[0-9A-Fa-f]{2}", plain):
        yield "percent signs", unquote_to_bytes(plain)
    if "&" in plain and (said := html.unescape(plain)) != plain:
        yield "character references", said.encode()
    if ESCAPED.search(plain):
        yield "escapes", ESCAPED.sub(lambda sign: chr(int(sign.group(0)[2:], 16)), plain).encode("utf-8", "replace")


def _base64(run: str) -> bytes | None:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(run + "=" * (-len(run) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _worth(raw: bytes, run: str) -> bool:
    """Whether a decoding is words, something packed, or a long binary that chance would not spell."""
    if (
        raw[:2] == b"\x1f\x8b"
        or raw.startswith((b"\x89PNG", b"PK\x03\x04"))
        or (raw[:1] == b"\x78" and _inflated(raw, 15))
    ):
        return True
    try:
        if all(sign.isprintable() or sign in "\t\r\n" for sign in raw.decode("utf-8")):
            return True
    except UnicodeDecodeError:
        if len(raw) > 8 and _inflated(raw, -15):
            return True
    if readable(raw) is not None and len(raw) >= 6 and any(byte > 0x7F for byte in raw):
        return True
    # Words joined by a line are no code; a code mixes capitals and figures.
    return len(raw) >= LONG_BINARY and bool(
        re.search(r"[A-Z]", run) and re.search(r"[a-z]", run) and re.search(r"\d|=", run)
    )


def _of_csv(text: str, place: str) -> Iterator[Part]:
    lines = [row for row in csv.reader(io.StringIO(text)) if row and not row[0].startswith("# ")]
    if len(lines) > 1:
        yield Table(place, tuple(lines[0]), tuple(map(tuple, lines[1:])))


def _of_markup(text: str, place: str, depth: int) -> Iterator[Part]:
    page = read_markup(text)
    for number, svg in enumerate(page.drawings, start=1):
        yield Drawing(_in(place, f"drawing {number}"), svg)
    for number, (caption, headers, rows) in enumerate(page.tables, start=1):
        yield Table(_in(place, f"table {number}"), tuple(headers), tuple(map(tuple, rows)), caption)
    yield from leaf(page.text, _in(place, "text"), depth)
    for line, value in page.hidden:
        # Scripts and attributes may hold JSON or markup of their own; an unclosed tag must not lead back here.
        inner = _json(value.strip())
        where = _in(place, f"markup of line {line}")
        yield from _of_json(inner, where, depth + 1) if inner is not None else leaf(value, where, depth)


def _of_json(value: object, place: str, depth: int) -> Iterator[Part]:
    if depth > DEEPEST:
        yield Opaque(_in(place, "too deep"))
    elif isinstance(value, dict):
        for at, (key, inner) in enumerate(value.items(), start=1):
            name = _in(place, key if key in SHOWN else f"key {at}")
            said = f"{key}: {inner}" if isinstance(inner, str | int | float) else key
            yield Text(name, unicodedata.normalize("NFKC", said))
            yield from _of_json(inner, name, depth)
    elif isinstance(value, list):
        yield from _of_list(value, place, depth)
    elif isinstance(value, str):
        yield from parts(value.encode("utf-8", "replace"), place, depth=depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1e9:
        yield Text(place, f"{value:.0f}")


def _of_list(value: list, place: str, depth: int) -> Iterator[Part]:
    numbers = [one for one in value if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) > 1:
        yield Array(place, "numbers", (len(numbers),))
    records = [one for one in value if isinstance(one, dict)]
    if records:
        names = list(dict.fromkeys(str(name) for one in records for name in one))
        rows = tuple(tuple("" if one.get(name) is None else str(one[name]) for name in names) for one in records)
        yield Table(place, tuple(names), rows)
    if (
        len(value) > 1
        and all(isinstance(one, str) and one.endswith("\n") for one in value[:-1])
        and isinstance(value[-1], str)
    ):
        yield from _of_json("".join(value), place, depth)  # the lines of one text, as notebooks store them
        return
    for at, one in enumerate(value, start=1):
        yield from _of_json(one, f"{place} {at}".strip(), depth)
