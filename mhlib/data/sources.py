"""One string names the source of a run: a synthetic city, a file or folder below the data root, or a database."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mhlib.data import readers
from mhlib.errors import DataError

TRUTH_FOLDER = "synthetic-truth"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a run's rows come from.

    Attributes
    ----------
    spec : str
        As written in the parameter file.
    kind : {"synthetic", "file", "folder", "database"}
        A synthetic city is a folder of Parquet tables.
    location : Path or str
        Resolved path, or the database's address.
    """

    spec: str
    kind: str
    location: Path | str

    def tables(self) -> list[str]:
        """Names of the tables that can be read; a file holds one, named by its stem."""
        if self.kind == "database":
            return readers.database_tables(str(self.location))
        if self.kind == "file":
            return [readers.stem(Path(self.location))]
        return sorted({readers.stem(path) for path in _files(Path(self.location))})

    def inputs(self, tables: Sequence[str] | None = None) -> tuple[Path, ...]:
        """The files whose content decides the result, in the order of their names; none for a database server."""
        if self.kind == "file":
            return (Path(self.location),)
        if self.kind == "database":
            return readers.database_file(str(self.location))
        return tuple(path for path in _files(Path(self.location)) if tables is None or readers.stem(path) in tables)

    def fingerprint(self, tables: Sequence[str] | None = None) -> str:
        """SHA-256 of a file; of a folder's names and bytes; of a database server's content."""
        paths = self.inputs(tables)
        if not paths:
            return readers.database_fingerprint(str(self.location), tables)
        if self.kind == "file":
            return _file_sha256(paths[0]).hex()
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.name.encode())
            digest.update(_file_sha256(path))
        return digest.hexdigest()

    def frame(
        self,
        table: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Rows of one table as they stand: identifiers and everything from a text file as text.

        Parameters
        ----------
        table : str, optional
            May be left out where the source holds one table.
        columns, where : optional
            Columns to read and equalities to keep, pushed down to Parquet and databases.

        Raises
        ------
        DataError
            If the table or a column is not there, or the file cannot be read.
        """
        name = self._table(table)
        if self.kind == "database":
            return readers.read_database(str(self.location), name, columns=columns, where=where)
        path = next(path for path in self.inputs() if readers.stem(path) == name)
        return readers.read_file(path, columns=columns, where=where)

    def header(self, table: str | None = None) -> list[str]:
        """Names of a table's columns."""
        name = self._table(table)
        if self.kind == "database":
            return readers.database_columns(str(self.location), name)
        return readers.file_columns(next(path for path in self.inputs() if readers.stem(path) == name))

    def _table(self, table: str | None) -> str:
        there = self.tables()
        if table is None and len(there) == 1:
            return there[0]
        if table not in there:
            wanted = f"no table {table}" if table else "several tables and none named"
            near = difflib.get_close_matches(table or "", there, n=1)
            remedy = f"did you mean {near[0]}?" if near else ""
            raise DataError(self.spec, wanted, allowed=", ".join(there), remedy=remedy)
        return table


def open_source(spec: str, *, data_root: Path | None = None, synthetic_root: Path | None = None) -> Source:
    """The source that `spec` names.

    Parameters
    ----------
    spec : str
        `synthetic:<name>`; a path below the data root; or `duckdb:<path below the data root>`, `postgres://…` and
        whatever address Ibis knows.
    data_root, synthetic_root : Path, optional
        MHLIB_DATA (default `data`) and MHLIB_SYNTHETIC (default `data/synthetic`) otherwise.

    Raises
    ------
    DataError
        If nothing is there, or the path leaves the data root or leads to a synthetic truth.
    """
    root = Path(data_root or os.environ.get("MHLIB_DATA") or "data").resolve()
    synthetic = Path(synthetic_root or os.environ.get("MHLIB_SYNTHETIC") or "data/synthetic").resolve()
    if spec.startswith("synthetic:"):
        return _synthetic(spec, synthetic)
    if spec.startswith("duckdb:"):
        path = _below(spec, root, spec.removeprefix("duckdb:").lstrip("/"))
        return Source(spec, "database", f"duckdb://{path}")
    if "://" in spec:
        return Source(spec, "database", spec)
    path = _below(spec, root, spec)
    return Source(spec, "folder" if path.is_dir() else "file", path)


def _synthetic(spec: str, root: Path) -> Source:
    name = spec.removeprefix("synthetic:")
    path = _guarded(spec, root, name)
    if not (path / "manifest.json").is_file():
        raise DataError(spec, "this synthetic city has not been made", remedy=f"run: mhlib simulate --scale {name}")
    return Source(spec, "synthetic", path)


def _below(spec: str, root: Path, relative: str) -> Path:
    path = _guarded(spec, root, relative)
    if not path.exists():
        near = difflib.get_close_matches(Path(relative).name, [p.name for p in _siblings(path)], n=1)
        hint = f"did you mean {near[0]}?" if near else "put it below the data root, or set MHLIB_DATA"
        raise DataError(spec, "no such file or folder below the data root", remedy=hint)
    return path


def _guarded(spec: str, root: Path, relative: str) -> Path:
    """The resolved path; links are followed first, so that none leads out or to the truth."""
    path = (root / relative).resolve()
    if TRUTH_FOLDER in path.parts:
        raise DataError(spec, "this is a synthetic truth, which no analysis may read", remedy="name the city itself")
    if not path.is_relative_to(root):
        raise DataError(spec, "the path leaves the data root", allowed="a path below the data root")
    return path


def _siblings(path: Path) -> list[Path]:
    return sorted(path.parent.iterdir()) if path.parent.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and readers.is_readable(path))


def _file_sha256(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
