"""The one shape in which every result of the statistics library turns into a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

TERM_COLUMNS = ("term", "estimate", "std_error", "conf_low", "conf_high", "p_value")


def term_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Give the rows as a frame that begins with :data:`TERM_COLUMNS`; a number that is not defined is NaN.

    Parameters
    ----------
    rows : sequence of mapping
        One mapping a term; keys beyond the six columns follow in the order of first appearance.

    Returns
    -------
    pandas.DataFrame
        One row a term; `conf_low <= estimate <= conf_high` wherever all three exist.
    """
    frame = pd.DataFrame.from_records([{**dict.fromkeys(TERM_COLUMNS[1:], np.nan), **row} for row in rows])
    extra = [column for column in frame.columns if column not in TERM_COLUMNS]
    return frame[[*TERM_COLUMNS, *extra]]


# Attribute of a result that holds one number a term, and its column in the frame.
ARRAYS = {
    "estimates": "estimate", "std_errors": "std_error", "conf_low": "conf_low", "conf_high": "conf_high",
    "p_values": "p_value", "df": "df",
}  # fmt: skip


def array_frame(result: object, terms: Sequence[str]) -> pd.DataFrame:
    """A result's arrays as a frame of terms, one row a term; `df` follows where the result has it.

    Parameters
    ----------
    result : object
        With arrays `estimates, std_errors, conf_low, conf_high, p_values` and perhaps `df`, one number a term.
    terms : sequence of str
    """
    there = {column: getattr(result, name) for name, column in ARRAYS.items() if hasattr(result, name)}
    return term_frame(
        [{"term": term, **{name: values[at] for name, values in there.items()}} for at, term in enumerate(terms)]
    )
