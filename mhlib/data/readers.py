"""Reading files and databases as they come: encodings, two-row headers, numbers that are names.

Everything from a text file or a workbook arrives as text, so that 007 stays 007; the contracts coerce later, where
nothing is lost.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mhlib.errors import DataError

TEXT = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".xlsx", ".xls", ".ods", ".sav", ".zsav", ".dta")
ENCODINGS = ("utf-8-sig", "gb18030")


def is_readable(path: Path) -> bool:
    """Whether the name ends like a table."""
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """The table's name: the file's name without its endings."""
    name = path.name.lower()
    suffix = max((s for s in SUFFIXES if name.endswith(s)), key=len, default=path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def read_file(
    path: Path, *, columns: Sequence[str] | None = None, where: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """One file as a frame.

    Raises
    ------
    DataError
        If the kind of file is unknown, the text decodes in no known way, or a wanted column is not there.
    """
    suffix = path.suffix.lower() if path.suffix.lower() != ".gz" else Path(path.stem).suffix.lower()
    if not is_readable(path):
        raise DataError(path.name, f"files ending in {path.suffix} are not read", allowed=", ".join(SUFFIXES))
    try:
        if suffix == ".parquet":
            return _read_parquet(path, columns, where)
        frame = _read_whole(path, suffix)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(path.name, f"cannot be read ({type(error).__name__})", remedy="open and save it anew") from None
    return _narrow(frame, path.name, columns, where)


def file_columns(path: Path) -> list[str]:
    """Names of a file's columns; a Parquet file tells them without being read."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as parquet

        return list(parquet.read_schema(path).names)
    return [str(name) for name in read_file(path).columns]


def _read_whole(path: Path, suffix: str) -> pd.DataFrame:
    if suffix in TEXT:
        return _read_text(path, TEXT[suffix])
    if suffix in (".sav", ".zsav"):
        import pyreadstat

        return pyreadstat.read_sav(path)[0]
    if suffix == ".dta":
        return pd.read_stata(path, convert_categoricals=False)
    return _with_header(pd.read_excel(path, engine="calamine", dtype=str, header=None).fillna(""))


def _read_text(path: Path, separator: str) -> pd.DataFrame:
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        import gzip

        raw = gzip.decompress(raw)
    options = {"sep": separator, "dtype": str, "keep_default_na": False, "na_values": [""]}
    for encoding in ENCODINGS:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _header_rows(text, separator) == 2:
            return _with_header(pd.read_csv(io.StringIO(text), header=None, **options).fillna(""))
        return pd.read_csv(io.StringIO(text), **options)
    raise DataError(path.name, "the text is neither UTF-8 nor GB18030", remedy="save it as UTF-8 CSV")


def _header_rows(text: str, separator: str) -> int:
    """2 where the first row has gaps that the second one fills: merged cells above, column names below."""
    import csv

    rows = list(csv.reader(io.StringIO("\n".join(text.splitlines()[:2])), delimiter=separator))
    if len(rows) < 2:
        return 1
    first, second = rows
    gaps = [j for j, cell in enumerate(first) if not cell.strip()]
    return 2 if gaps and all(j < len(second) and second[j].strip() for j in gaps) and not _numbers(second) else 1


def _numbers(cells: Sequence[str]) -> int:
    return sum(cell.strip().replace(".", "", 1).replace("-", "", 1).isdigit() for cell in cells)


def _with_header(cells: pd.DataFrame) -> pd.DataFrame:
    """One or two header rows above text cells; of two, the lower name wins and the upper fills its gaps."""
    first, second = ([str(cell).strip() for cell in cells.iloc[i]] for i in (0, min(1, len(cells) - 1)))
    two = any(not cell for cell in first) and not _numbers(second)
    names = [low or high for high, low in zip(first, second, strict=True)] if two else first
    body = cells.iloc[2 if two else 1 :].reset_index(drop=True)
    return body.set_axis(names, axis=1).replace("", pd.NA)


def _read_parquet(path: Path, columns: Sequence[str] | None, where: Mapping[str, object] | None) -> pd.DataFrame:
    import pyarrow.parquet as parquet

    there = parquet.read_schema(path).names
    _wanted(path.name, there, columns)
    filters = [(name, "==", value) for name, value in (where or {}).items()] or None
    table = parquet.read_table(path, columns=list(columns) if columns is not None else None, filters=filters)
    return table.to_pandas(types_mapper=_nullable)


def _nullable(arrow_type: object) -> object:
    """Integers and flags keep their gaps without turning into floats."""
    import pyarrow as pa

    kinds = {
        pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip
    return kinds.get(arrow_type)


def _wanted(name: str, there: Sequence[str], columns: Sequence[str] | None) -> None:
    absent = [column for column in columns or () if column not in there]
    if absent:
        raise DataError(name, f"no column {', '.join(absent)}", allowed=", ".join(map(str, there)))


def _narrow(
    frame: pd.DataFrame, name: str, columns: Sequence[str] | None, where: Mapping[str, object] | None
) -> pd.DataFrame:
    for column, value in (where or {}).items():
        _wanted(name, list(frame), [column])
        frame = frame[frame[column].astype("string") == str(value)]
    if columns is None:
        return frame.reset_index(drop=True)
    _wanted(name, list(frame), columns)
    return frame[list(columns)].reset_index(drop=True)


def _connect(address: str):
    import ibis

    return ibis.connect(address, read_only=True) if address.startswith("duckdb://") else ibis.connect(address)


def database_tables(address: str) -> list[str]:
    """Tables of a database."""
    connection = _connect(address)
    try:
        if connection.name == "duckdb":
            # Ibis 12 asks for the tables by a call that DuckDB 2 no longer has.
            named = connection.raw_sql("select table_name from information_schema.tables").fetchall()
            return sorted(name for (name,) in named)
        return sorted(connection.list_tables())
    finally:
        connection.disconnect()


def database_columns(address: str, table: str) -> list[str]:
    """Names of a table's columns."""
    connection = _connect(address)
    try:
        return list(connection.table(table).columns)
    finally:
        connection.disconnect()


def database_file(address: str) -> tuple[Path, ...]:
    """The one file of an embedded database, or none for a server."""
    return (Path(address.removeprefix("duckdb://")),) if address.startswith("duckdb://") else ()


def read_database(
    address: str, table: str, *, columns: Sequence[str] | None = None, where: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """Rows of a database's table; columns and equalities are left to the engine."""
    connection = _connect(address)
    try:
        rows = connection.table(table)
        _wanted(table, rows.columns, [*(columns or ()), *(where or {})])
        for name, value in (where or {}).items():
            rows = rows.filter(rows[name] == value)
        return (rows.select(*columns) if columns is not None else rows).to_pandas()
    finally:
        connection.disconnect()


def count_in_database(address: str, table: str, by: Sequence[str]) -> pd.DataFrame:
    """Rows of each combination of columns, counted by the engine."""
    connection = _connect(address)
    try:
        rows = connection.table(table)
        _wanted(table, rows.columns, by)
        return rows.group_by(list(by)).aggregate(n=rows.count()).to_pandas()
    finally:
        connection.disconnect()


def database_fingerprint(address: str, tables: Sequence[str] | None) -> str:
    """SHA-256 over schema and sorted rows of the tables of a database server."""
    digest = hashlib.sha256()
    for table in sorted(tables or database_tables(address)):
        frame = read_database(address, table)
        hashes = pd.util.hash_pandas_object(frame.astype("string"), index=False).sort_values()
        digest.update(f"{table}:{list(frame)}".encode())
        digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()
