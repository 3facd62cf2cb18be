"""Coercion that loses nothing: each function returns the cells in their kind and which of them would have been lost."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRUE, FALSE = ("1", "true", "yes", "是"), ("0", "false", "no", "否")
EXACT_FLOAT = 2**53


def text(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Identifiers and names. A whole number that came as a float is written out; one too large to be exact is lost."""
    if pd.api.types.is_float_dtype(cells.dtype):
        numbers = cells.to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            lost = ~np.isnan(numbers) & ((numbers != np.round(numbers)) | (np.abs(numbers) >= EXACT_FLOAT))
        whole = pd.Series(numbers, index=cells.index).where(~lost).astype("Int64")
        return whole.astype("string"), lost
    words = cells.astype("string").str.strip().replace("", pd.NA)
    return _written_out(words)


def _written_out(words: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Undo a spreadsheet's float: 20230001.0 is a name that lost nothing, 2.02E+11 is one that did."""
    lost = words.str.fullmatch(r"-?\d(\.\d+)?[eE][+-]?\d+").fillna(False).to_numpy(dtype=bool)
    return words.str.replace(r"^(\d+)\.0+$", r"\1", regex=True), lost


def number(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Numbers with a decimal point; text that is no number is lost."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("Float64")
    return numbers, (numbers.isna() & cells.notna() & (cells.astype("string").str.strip() != "")).to_numpy(dtype=bool)


def integer(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Whole numbers; a fraction would be lost."""
    numbers, lost = number(cells)
    values = numbers.to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        lost = lost | (~np.isnan(values) & ((values != np.round(values)) | (np.abs(values) >= EXACT_FLOAT)))
    return numbers.mask(lost).astype("Int64"), lost


def flag(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """True or false, also written 1/0, yes/no, 是/否; anything else is lost."""
    words = cells.astype("string").str.strip().str.lower().str.replace(r"^([01])\.0+$", r"\1", regex=True)
    found = pd.Series(pd.NA, index=cells.index, dtype="boolean")
    found[words.isin(TRUE).to_numpy(dtype=bool)] = True
    found[words.isin(FALSE).to_numpy(dtype=bool)] = False
    empty = words.isna() | (words == "").fillna(False)
    return found, (found.isna() & ~empty).to_numpy(dtype=bool)


def date(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Days; text must begin year-month-day, with -, / or . between."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells.dt.normalize(), np.zeros(len(cells), dtype=bool)
    words = cells.astype("string").str.strip().str.replace(r"[/.]", "-", regex=True).str.slice(0, 10)
    days = pd.to_datetime(words.str.strip(), format="%Y-%m-%d", errors="coerce")
    return days, (days.isna() & cells.notna() & (words != "")).to_numpy(dtype=bool)


COERCIONS = {"text": text, "integer": integer, "number": number, "flag": flag, "date": date}
