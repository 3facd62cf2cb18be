"""Sufficient statistics from rows, in pandas or inside a database, so that rows of pupils need not leave their store."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mhlib.data import readers
from mhlib.data.sources import Source
from mhlib.errors import DataError


def counts_by(rows: pd.DataFrame | Source, by: Sequence[str], *, table: str | None = None) -> pd.DataFrame:
    """Number of rows for every combination of the columns `by`.

    Parameters
    ----------
    rows : DataFrame or Source
        A source that is a database counts there, through Ibis, and only the counts travel.
    by : sequence of str
        Columns such as score, reference and school; a missing value is a combination of its own.
    table : str, optional
        Table of the source.

    Returns
    -------
    DataFrame
        The columns `by`, in their order and sorted, and `n`.

    Raises
    ------
    DataError
        If a column is not there.
    """
    if isinstance(rows, Source) and rows.kind == "database":
        counted = readers.count_in_database(str(rows.location), rows.tables()[0] if table is None else table, by)
    else:
        frame = rows.frame(table, columns=by) if isinstance(rows, Source) else rows
        absent = [name for name in by if name not in frame]
        if absent:
            raise DataError("counts_by()", f"no column {', '.join(absent)}", allowed=", ".join(map(str, frame)))
        counted = frame.groupby(list(by), dropna=False, observed=True).size().rename("n").reset_index()
    return counted.sort_values(list(by)).reset_index(drop=True)[[*by, "n"]]
