"""What rows must look like before a statistic reads them; every fault is an error with counts and no value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError


def numeric(values: object, *, where: str, name: str) -> np.ndarray:
    """One-dimensional float64 from a Series, array or list; missing of any kind becomes NaN.

    Raises
    ------
    DataError
        Text, more than one dimension, or an infinite value.
    """
    try:
        array = pd.array(values).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}({name})",
            "holds something that is not a number",
            allowed="numbers, booleans and missing",
            remedy="map text answers to numbers first (`values:` in the parameter file)",
        ) from None
    if array.ndim != 1:
        raise DataError(f"{where}({name})", f"has {array.ndim} dimensions", allowed="one column of values")
    if n_infinite := int(np.isinf(array).sum()):
        raise DataError(f"{where}({name})", f"{n_infinite} infinite values", allowed="finite numbers and missing")
    return array


def without_missing(values: np.ndarray, *, where: str, name: str, remedy: str) -> np.ndarray:
    """Pass the values on if none is missing.

    Raises
    ------
    DataError
        With the number of missing values, and the remedy.
    """
    if n_missing := int(np.isnan(values).sum()):
        raise DataError(
            f"{where}({name})",
            f"{n_missing} of {len(values)} values are missing",
            allowed="no missing values here",
            remedy=remedy,
        )
    return values


def binary(values: object, *, where: str, name: str) -> np.ndarray:
    """Float64 of 0, 1 and NaN from booleans or 0/1 numbers.

    Raises
    ------
    DataError
        A value other than 0 and 1.
    """
    array = numeric(values, where=where, name=name)
    if n_other := int((~np.isnan(array) & (array != 0) & (array != 1)).sum()):
        raise DataError(
            f"{where}({name})",
            f"{n_other} of {len(array)} values are neither 0 nor 1",
            allowed="0 and 1, or False and True",
            remedy="map the codes first (`values:` in the parameter file)",
        )
    return array


def codes(values: object, *, where: str, name: str) -> tuple[np.ndarray, int]:
    """Integer code of each row's group, in order of first appearance, and the number of groups.

    Raises
    ------
    DataError
        A row without a group.
    """
    code, groups = pd.factorize(pd.Series(values).reset_index(drop=True))
    if n_missing := int((code < 0).sum()):
        raise DataError(
            f"{where}({name})",
            f"{n_missing} of {len(code)} rows name no group",
            allowed="a group for every row",
            remedy="give these rows a group of their own or leave them out and report how many",
        )
    return code, len(groups)


def weights_of(values: object, n: int, *, where: str) -> np.ndarray:
    """Weights as float64, ones when `values` is None.

    Raises
    ------
    DataError
        Weights that are missing, negative or all zero.
    """
    if values is None:
        return np.ones(n)
    array = without_missing(
        numeric(values, where=where, name="weights"), where=where, name="weights", remedy="give every row a weight"
    )
    if (array < 0).any() or array.sum() <= 0:
        raise DataError(
            f"{where}(weights)", f"{int((array < 0).sum())} weights are negative, or all are 0", allowed="weights >= 0"
        )
    return array


def same_length(where: str, **columns: Sequence | np.ndarray) -> int:
    """Give the common length of columns.

    Raises
    ------
    DataError
        Columns of different lengths, named with their lengths.
    """
    lengths = {name: len(values) for name, values in columns.items() if values is not None}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(where, f"columns of different lengths: {found}", allowed="one row per person in each")
    return next(iter(lengths.values()))


def one_of(value: str, allowed: Sequence[str], *, where: str, name: str) -> str:
    """Pass `value` on if it is one of `allowed`.

    Raises
    ------
    ParamsError
        Anything else.
    """
    if value not in allowed:
        raise ParamsError(f"{where}({name})", f"'{value}' is not known", allowed="one of " + ", ".join(allowed))
    return value


def open_unit(value: float, *, where: str, name: str) -> float:
    """Pass a number on if it lies strictly between 0 and 1.

    Raises
    ------
    ParamsError
        Anything else.
    """
    if not 0 < value < 1:
        raise ParamsError(f"{where}({name})", f"is {value}", allowed="a number between 0 and 1, as .95")
    return float(value)


def count(value: float, *, where: str, name: str) -> int:
    """Pass a count on as an int.

    Raises
    ------
    DataError
        A negative, fractional or missing count.
    """
    if not np.isfinite(value) or value < 0 or value != int(value):
        raise DataError(f"{where}({name})", "is not a count", allowed="a whole number, 0 or more")
    return int(value)
