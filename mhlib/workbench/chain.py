"""An append-only file of JSON lines, each bound to all that stands before it by SHA-256.

A line is `{"number", "at", "previous", "entry", "sha256"}`: `previous` is the SHA-256 of the bytes from the start of the
entry before up to this line, `sha256` that of the line's own other fields. Nothing is ever removed. A writer killed in
the middle of a line leaves a torn end; the next entry declares it (`torn`) and binds it too, so that it stays visible.

What a chain cannot show by itself is that whole lines were cut off its end, or that all of it was written anew: for
this keep its :func:`head` with somebody else and hold the file to it (:func:`verify` with `head`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mhlib.errors import WorkbenchError

NOTHING = hashlib.sha256(b"").hexdigest()
FIELDS = ("number", "at", "previous", "entry", "torn", "sha256")
BLOCK = 1 << 16
# A line that its writer finished: where it cannot be read, it was altered and not torn.
FINISHED = re.compile(rb',"sha256":"[^"]*"\}\s*\n$')


@dataclass(frozen=True, slots=True)
class Line:
    """One entry with what binds it.

    Attributes
    ----------
    number : int
        Place in the chain, from 1.
    at : str
        When it was written, UTC, ISO 8601.
    previous, sha256 : str
    entry : dict
    torn : int
        Bytes before this line that a killed writer left; 0 as a rule.
    """

    number: int
    at: str
    previous: str
    entry: dict[str, object]
    torn: int
    sha256: str

    def holds(self) -> bool:
        """Whether the line's own sum is right."""
        return _own_sum(_body(self.number, self.at, self.previous, self.entry, self.torn)) == self.sha256


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """What is amiss at one line of the file.

    Attributes
    ----------
    line : int
        Line of the file, from 1; 0 for the file as a whole.
    kind : {"torn", "changed", "unlinked", "misnumbered", "unreadable", "head"}
    problem : str
        Says what is wrong, never what an entry holds.
    broken : bool
        False where an entry was never finished, and so never acknowledged; True where the file was altered.
    """

    line: int
    kind: str
    problem: str
    broken: bool


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How far a chain has come: what to note outside.

    Attributes
    ----------
    number : int
        Entries.
    sha256 : str
        Sum of the last one.
    """

    number: int
    sha256: str


def append(path: Path, entry: Mapping[str, object], *, at: datetime | None = None, wait: float = 10) -> Line:
    """Add an entry; when this returns, it is on the disk.

    Parameters
    ----------
    path : Path
        The file; made with mode 0600 when it is not there.
    entry : mapping
        Anything that JSON can hold; no NaN.
    at : datetime, optional
        Now, by default.
    wait : float
        Seconds to wait for another writer.

    Raises
    ------
    WorkbenchError
        If the last entry was altered, another process writes all the while, the entry is no JSON, or the disk refuses;
        the file is then as it was.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    with _disk_errors(path), _open(path) as handle, _locked(handle, path, wait):
        last, rest = _tail(handle, path)
        before = (b"" if last is None else last[1]) + rest
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        number, previous = 1 if last is None else last[0].number + 1, hashlib.sha256(before + gap).hexdigest()
        torn = len(rest.strip(b"\n"))
        body = _body(number, moment, previous, entry, torn)
        line = Line(number, moment, previous, dict(entry), torn, _own_sum(body, path))
        _write(handle, gap + _encoded(body | {"sha256": line.sha256}) + b"\n")
        _sync_names(path.parent)
        return line


def read(path: Path) -> list[Line]:
    """Every entry, in order; nothing where the file is not there.

    Raises
    ------
    WorkbenchError
        If the chain is broken or cannot be read. A torn line is no entry and is passed over.
    """
    lines, findings = _walk(path)
    broken = [finding for finding in findings if finding.broken]
    if broken:
        raise WorkbenchError(path.name, f"the chain is broken at line {broken[0].line}: {broken[0].problem}",
                             remedy="keep a copy, find out who changed it, and restore the file")  # fmt: skip
    return lines


def verify(path: Path, *, head: ChainHead | None = None) -> list[ChainFinding]:
    """What is amiss with a chain; an empty list when all holds.

    Parameters
    ----------
    path : Path
    head : ChainHead, optional
        A head noted earlier, held outside: tells whether lines were cut off or all was written anew since.

    Examples
    --------
    >>> verify(Path("no-such-file.jsonl"))
    []
    """
    lines, findings = _walk(path)
    if head is not None and head.number:
        stands = len(lines) >= head.number and lines[head.number - 1].sha256 == head.sha256
        if not stands:
            text = f"entry {head.number} is not the one noted outside: lines were cut off or written anew"
            findings.append(ChainFinding(0, "head", text, True))
    return findings


def head(path: Path) -> ChainHead:
    """Number and sum of the last entry: what to lodge with another person each month."""
    lines = read(path)
    return ChainHead(lines[-1].number, lines[-1].sha256) if lines else ChainHead(0, NOTHING)


def _body(number: int, at: str, previous: str, entry: Mapping[str, object], torn: int) -> dict[str, object]:
    return {"number": number, "at": at, "previous": previous, "entry": dict(entry)} | ({"torn": torn} if torn else {})


def _encoded(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _own_sum(body: Mapping[str, object], path: Path | None = None) -> str:
    try:
        return hashlib.sha256(_encoded(body)).hexdigest()
    except (TypeError, ValueError):
        raise WorkbenchError(path.name if path else "chain", "the entry is no plain JSON",
                             allowed="text, finite numbers, true, false, null, lists and objects") from None  # fmt: skip


def _parsed(raw: bytes) -> Line | None:
    """The line in some bytes, whether or not its sums hold; None where they are none."""
    try:
        found = json.loads(raw)
        if not isinstance(found, dict) or not {*FIELDS} - {"torn"} <= found.keys() <= {*FIELDS}:
            return None
        line = Line(**({"torn": 0} | found))
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = (
        (line.number, int),
        (line.at, str),
        (line.previous, str),
        (line.entry, dict),
        (line.torn, int),
        (line.sha256, str),
    )
    return line if all(isinstance(value, kind) for value, kind in kinds) else None


def _walk(path: Path) -> tuple[list[Line], list[ChainFinding]]:
    """Entries and findings, from the first line to the last."""
    lines: list[Line] = []
    findings: list[ChainFinding] = []
    bound, pending = hashlib.sha256(), []
    for place, raw in enumerate(_raw_lines(path), 1):
        line = _parsed(raw)
        if line is None:
            pending.append((place, raw))
        else:
            findings += _unfinished(pending, line.torn) + _amiss(place, line, raw, lines, bound.hexdigest())
            lines.append(line)
            bound, pending = hashlib.sha256(), []
        bound.update(raw)
    declared = len(b"".join(raw for _, raw in pending).strip(b"\n"))
    return lines, findings + _unfinished(pending, declared)


def _amiss(place: int, line: Line, raw: bytes, before: list[Line], bound: str) -> list[ChainFinding]:
    found = []
    body = _body(line.number, line.at, line.previous, line.entry, line.torn) | {"sha256": line.sha256}
    if not line.holds() or raw.rstrip(b"\n") != _encoded(body):
        found.append(ChainFinding(place, "changed", "the entry does not match its own sum", True))
    if line.previous != bound:
        found.append(ChainFinding(place, "unlinked", "the entry does not follow what stands before it", True))
    expected = before[-1].number + 1 if before else 1
    if line.number != expected:
        found.append(ChainFinding(place, "misnumbered", f"entry {line.number} stands where {expected} belongs", True))
    return found


def _unfinished(pending: list[tuple[int, bytes]], declared: int) -> list[ChainFinding]:
    """Bytes that are no entry: torn where the next entry declares them or they are the end, else damage."""
    size = len(b"".join(raw for _, raw in pending).strip(b"\n"))
    if not size:
        return []
    place = next((place for place, raw in pending if FINISHED.search(raw)), None)
    if place is not None:
        return [ChainFinding(place, "unreadable", "a finished entry can no longer be read", True)]
    place = pending[0][0]
    if declared != size:
        return [ChainFinding(place, "unreadable", f"{size} bytes are no entry and nobody declared them", True)]
    return [ChainFinding(place, "torn", f"a writer ended in the middle of this line ({size} bytes); "
                         "its entry was never acknowledged", False)]  # fmt: skip


def _raw_lines(path: Path) -> Iterator[bytes]:
    """Lines as they stood when no writer was at work."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkbenchError(path.name, f"cannot be read ({error.strerror})", remedy="look at its rights") from None
    with stream:
        with _locked(stream.fileno(), path, 10, shared=True):
            size = os.fstat(stream.fileno()).st_size
        while size > 0:
            raw = stream.readline(size)
            if not raw:
                return
            size -= len(raw)
            yield raw


def _tail(handle: int, path: Path) -> tuple[tuple[Line, bytes] | None, bytes]:
    """The last entry with its bytes, and the bytes after it that are none; reads no more of the file than it must."""
    size, take = os.fstat(handle).st_size, BLOCK
    while True:
        start = max(0, size - take)
        pieces = os.pread(handle, size - start, start).splitlines(keepends=True)
        for place in range(len(pieces) - 1, -1 if start == 0 else 0, -1):
            line = _parsed(pieces[place])
            if FINISHED.search(pieces[place]) if line is None else not line.holds():
                raise WorkbenchError(path.name, "the last entry was altered: the chain is broken",
                                     remedy="keep a copy, find out who changed it, and restore the file")  # fmt: skip
            if line is not None:
                return (line, pieces[place]), b"".join(pieces[place + 1 :])
        if start == 0:
            return None, b"".join(pieces)
        take *= 4


def _write(handle: int, raw: bytes) -> None:
    """All bytes, on the disk; on failure none of them."""
    before = os.fstat(handle).st_size
    try:
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, before)
        raise


@contextlib.contextmanager
def _open(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(handle: int, path: Path, wait: float, *, shared: bool = False) -> Iterator[None]:
    """Hold the one right to write, or keep writers off; dying gives it back as well."""
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise WorkbenchError(path.name, "another process is writing this file", remedy="wait for it") from None
            time.sleep(0.001)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(path.name, f"cannot be written ({error.strerror})",
                             remedy="free space or mend the rights; the entries before stand") from None  # fmt: skip


def _sync_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
