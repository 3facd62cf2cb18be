"""Writing a city as Parquet (zstd), a wave at a time, so that memory stays small whatever the size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from mhlib.data.synthetic.city import city_tables, waves
from mhlib.data.synthetic.instruments import ANSWERS
from mhlib.data.synthetic.people import people


class TableWriter:
    """One open Parquet file a table; parts of the same name follow each other."""

    def __init__(self, folder: Path, truth_folder: Path) -> None:
        self._folders = {False: folder, True: truth_folder}
        self._open: dict[str, parquet.ParquetWriter] = {}
        self.rows: dict[str, int] = {}
        for path in self._folders.values():
            path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, frame: pd.DataFrame, *, truth: bool = False) -> None:
        """Append rows to a table; the truth goes to its own folder and is not listed."""
        table = arrow(frame)
        if name not in self._open:
            path = self._folders[truth] / f"{name}.parquet"
            self._open[name] = parquet.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
        self._open[name].write_table(table)
        if not truth:
            self.rows[name] = self.rows.get(name, 0) + len(frame)

    def close(self) -> None:
        """Finish every file."""
        for writer in self._open.values():
            writer.close()


def arrow(frame: pd.DataFrame) -> pa.Table:
    """Columns as Arrow: answers left out (-1) become null, days become timestamps without a zone."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for position, name in enumerate(table.column_names):
        if name in ANSWERS:
            column = table.column(position)
            answered = pc.if_else(pc.less(column, 0), pa.scalar(None, column.type), column)
            table = table.set_column(position, name, answered)
    return table


def write_city(
    seed: int, n_schools: int, n_pupils: int, packs: frozenset[str], folder: Path, truth_folder: Path,
    progress: Callable[[str, float], None],
) -> dict[str, int]:  # fmt: skip
    """Every table of a city; returns the rows of each."""
    writer = TableWriter(folder, truth_folder)
    try:
        for name, frame, truth in city_tables(seed, n_schools, n_pupils, packs, progress):
            writer.write(name, frame, truth=truth)
    finally:
        writer.close()
    progress("done", 1.0)
    return dict(sorted(writer.rows.items()))


def write_province(
    seed: int, n_schools: int, n_pupils: int, prefectures: int, folder: Path, progress: Callable[[str, float], None]
) -> dict[str, int]:
    """The answers of one wave of a province, prefecture after prefecture in one file; memory is that of a city."""
    folder.mkdir(parents=True)
    rows, writer = 0, None
    for prefecture in range(prefectures):
        folk = people(seed + prefecture, n_schools, n_pupils)
        response = next(waves(seed + prefecture, folk, n_pupils / 130_000, frozenset(), last=1)).response
        for name in ("pupil_pid", "school_pid", "class_pid"):
            response[name] = f"{prefecture:02d}-" + response[name].astype("string")
        table = arrow(response)
        writer = writer or parquet.ParquetWriter(folder / "response.parquet", table.schema, compression="zstd",
                                                 compression_level=1)  # fmt: skip
        writer.write_table(table)
        rows += len(response)
        progress(f"prefecture {prefecture + 1}", (prefecture + 1) / prefectures)
    writer.close()
    return {"response": rows}
