"""Publishing a run: a lock for each report, files made durable, and names changed in one step."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from mhlib.errors import WorkbenchError


@contextlib.contextmanager
def lock(folder: Path, *, wait: float) -> Iterator[None]:
    """Hold the one right to write a report; wait for it `wait` seconds, then leave.

    Raises
    ------
    WorkbenchError
        If another run holds it all the while, or the folder cannot be made.
    """
    with _disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("a")
    with stream:
        deadline = time.monotonic() + wait
        while not _locked(stream):
            if time.monotonic() >= deadline:
                raise WorkbenchError(folder.name, "another run is writing this report", remedy="wait for it to end")
            time.sleep(0.05)
        yield


def _locked(stream) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = Path(error.filename).name if error.filename else "reports"
        raise WorkbenchError(name, f"cannot be written ({error.strerror})",
                             remedy="free space or mend the rights; the former report stands") from None  # fmt: skip


def write_file(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file so that it is on the disk, under its name, wholly or not at all."""
    with _disk_errors():
        scratch = path.with_name(f".{path.name}.new")
        raw = content.encode() if isinstance(content, str) else content
        try:
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(scratch, path)
            _sync_names(path.parent)
        finally:
            scratch.unlink(missing_ok=True)


def write_json(path: Path, content: object, *, mode: int = 0o644) -> None:
    """Write a JSON file durably."""
    write_file(path, json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n", mode=mode)


def move_into_place(scratch: Path, final: Path) -> None:
    """Give a finished folder its name; an earlier folder of that name goes only when this one stands."""
    with _disk_errors():
        for path in scratch.rglob("*"):
            if path.is_file():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
        former = final.with_name(f".{final.name}.former")
        shutil.rmtree(former, ignore_errors=True)
        if final.exists():
            final.rename(former)
        try:
            os.replace(scratch, final)
        except OSError:
            if former.exists():
                former.rename(final)
            raise
        _sync_names(final.parent)
        shutil.rmtree(former, ignore_errors=True)


def _sync_names(folder: Path) -> None:
    """A rename is durable only when the folder that holds the name is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
