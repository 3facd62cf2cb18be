"""Polychoric correlations with thresholds, standard errors and their whole asymptotic covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.ordinal_codes import ordinal_codes
from mhlib.stats.measurement.ordinal_moments import (
    ZERO_ADD,
    OrdinalMoments,
    moments_by_group,
    moments_from_tables,
    symmetric,
)
from mhlib.stats.measurement.polychoric_fit import fit_polychoric
from mhlib.stats.measurement.polychoric_tables import ItemTables, item_tables, padded_tables
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolychoricResult:
    """Polychoric correlations of k items.

    Attributes
    ----------
    correlation, std_error : pandas.DataFrame, shape (k, k)
        The standard error counts the estimation of the thresholds; 0 on the diagonal.
    thresholds, threshold_errors : pandas.Series
        Index (item, threshold from 1), in standard deviations of the trait behind the item.
    gamma : pandas.DataFrame or None
        N times the asymptotic covariance of thresholds, then correlations; only when asked for.
    positive_definite : bool
        False: the matrix is no correlation matrix as it stands. It is reported as it is, never smoothed.
    smallest_eigenvalue : float
    zero_cells : pandas.DataFrame
        `first, second, n_empty`: pairs with empty cells, where a correlation is least sure.
    at_bound : tuple of (str, str)
        Pairs whose estimate ran to +-.999, as a table with an empty off-diagonal does.
    merged : tuple of str
        Categories that were merged, with the item.
    """

    correlation: pd.DataFrame = field(repr=False)
    std_error: pd.DataFrame = field(repr=False)
    thresholds: pd.Series = field(repr=False)
    threshold_errors: pd.Series = field(repr=False)
    gamma: pd.DataFrame | None = field(repr=False)
    positive_definite: bool
    smallest_eigenvalue: float
    zero_cells: pd.DataFrame = field(repr=False)
    at_bound: tuple[tuple[str, str], ...]
    merged: tuple[str, ...]
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `first~~second` (interval on Fisher's z, so within -1 and 1) and `item|t1` (Wald), as lavaan names them."""
        names = list(self.correlation.index)
        upper = np.triu_indices(len(names), 1)
        rho, error = self.correlation.to_numpy()[upper], self.std_error.to_numpy()[upper]
        z = critical(self.conf_level)
        low, high = on_fisher(rho, error, z)
        pairs = {"term": [f"{names[i]}~~{names[j]}" for i, j in zip(*upper, strict=True)], "estimate": rho}
        pairs |= {"std_error": error, "conf_low": low, "conf_high": high, "kind": "correlation"}
        tau, error = self.thresholds.to_numpy(), self.threshold_errors.to_numpy()
        steps = {"term": [f"{item}|t{t}" for item, t in self.thresholds.index], "estimate": tau, "std_error": error}
        steps |= {"conf_low": tau - z * error, "conf_high": tau + z * error, "kind": "threshold"}
        return term_frame([*pd.DataFrame(pairs).to_dict("records"), *pd.DataFrame(steps).to_dict("records")])


def polychoric(
    items: object,
    *,
    missing: str = "listwise",
    gamma: bool = False,
    zero_add: tuple[float, float] = ZERO_ADD,
    conf_level: float = 0.95,
) -> PolychoricResult:
    """Polychoric correlations of ordered items by two-step maximum likelihood.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Answers in at most 20 categories; the values found, in order, are the categories.
    missing : {'listwise', 'pairwise'}
        People who miss an item are left out and counted, or used for the pairs that they answered.
    gamma : bool
        Also give N times the asymptotic covariance of all thresholds and correlations (a pass of its own).
    zero_add : tuple of two floats
        What goes into empty cells: (of a 2 x 2 table with one empty cell, keeping its margins; of a larger table).
        lavaan's default (0.5, 0). Whatever is added, standard errors come from the table as observed.
    conf_level : float

    Returns
    -------
    PolychoricResult

    Raises
    ------
    DataError
        Text, infinite values, a name twice, more than 20 categories.
    DesignError
        Fewer than two items, three people, or two categories of an item.

    Notes
    -----
    Thresholds are normal quantiles of cumulative shares; each correlation maximises the likelihood of its table at
    these thresholds. The covariance is B^-1 (sum of s s') B^-T with casewise scores s (Muthen 1984), as lavaan has it.
    References: Olsson (1979) Psychometrika 44:443; Muthen (1984) Psychometrika 49:115.
    Checked against: tests/oracle/ordinal_polychoric.csv (lavaan::lavCor and lavaan's Gamma).
    """
    where = "polychoric"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    coded = ordinal_codes(items, where=where, missing=missing)
    (moments,) = moments_by_group(coded, full=gamma, zero_add=checked_zero_add(zero_add, where=where), where=where)
    return as_result(moments, coded.names, coded.merged, coded.n_excluded, missing, conf_level)


def polychoric_matrix(items: object) -> np.ndarray:
    """Polychoric correlations alone, for :func:`efa` and :func:`parallel_analysis` as their `correlation`.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        As in :func:`polychoric`; people who miss an item are left out.

    Returns
    -------
    numpy.ndarray, shape (k, k)
        The digits of :func:`polychoric`, without errors or a word on empty cells.

    Raises
    ------
    DataError, DesignError
        As in :func:`polychoric`.

    Notes
    -----
    Checked against: tests/oracle/ordinal_polychoric.csv (lavaan::lavCor).
    """
    coded = ordinal_codes(items, where="polychoric_matrix")
    fit = fit_polychoric(item_tables(coded.codes, coded.n_categories), ZERO_ADD)
    return symmetric(fit.rho, len(coded.names))


def polychoric_from_tables(
    tables: Mapping[tuple[str, str], object],
    *,
    counts: Mapping[str, Sequence[float]] | None = None,
    n: int | None = None,
    zero_add: tuple[float, float] = ZERO_ADD,
    conf_level: float = 0.95,
    n_excluded: int = 0,
) -> PolychoricResult:
    """Polychoric correlations from the contingency table of every pair of items.

    Parameters
    ----------
    tables : mapping of (str, str) to array-like, shape (categories of the first, categories of the second)
        Every pair once, in either order.
    counts : mapping of str to sequence, optional
        People by category of each item, needed when pairs differ in who answered; else the margins of the tables.
    n : int, optional
        People who answered anything; default the largest count of an item.
    zero_add, conf_level
        As in :func:`polychoric`.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    PolychoricResult
        The digits of :func:`polychoric` on the rows, standard errors included; `gamma` is None, for it needs rows.

    Raises
    ------
    DataError
        A pair missing or twice, negative or fractional counts, tables whose margins disagree without `counts`.
    DesignError
        An item without answers in two categories.

    Notes
    -----
    Checked against: tests/oracle/ordinal_polychoric.csv (lavaan::lavCor).
    """
    where = "polychoric_from_tables"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    zero_add = checked_zero_add(zero_add, where=where)
    names, made = padded_tables(tables, counts, n, where=where)
    moments = moments_from_tables(made, zero_add=zero_add)
    return as_result(moments, names, (), n_excluded, "tables", conf_level)


def on_fisher(rho: np.ndarray, error: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Wald interval on Fisher's scale, taken back to -1 to 1."""
    half = z * error / (1 - rho**2)
    return np.tanh(np.arctanh(rho) - half), np.tanh(np.arctanh(rho) + half)


def checked_zero_add(zero_add: object, *, where: str) -> tuple[float, float]:
    """Pass two amounts from 0 to 1 on."""
    pair = tuple(float(one) for one in np.atleast_1d(np.asarray(zero_add, dtype=float)))
    if len(pair) != 2 or not all(0 <= one <= 1 for one in pair):
        raise ParamsError(f"{where}(zero_add)", "is not two numbers from 0 to 1", allowed="such as (0.5, 0)")
    return pair


def as_result(
    moments: OrdinalMoments,
    names: tuple[str, ...],
    merged: tuple[str, ...],
    n_excluded: int,
    missing: str,
    conf_level: float,
) -> PolychoricResult:
    """The record of one group's moments."""
    k, cut = moments.k, moments.n_thresholds
    errors = np.sqrt(moments.weights / moments.n)
    items = np.repeat(np.arange(k), moments.tables.n_categories - 1)
    number = np.concatenate([np.arange(1, count) for count in moments.tables.n_categories])
    index = pd.MultiIndex.from_arrays([[names[i] for i in items], number], names=["item", "threshold"])
    first, second = moments.tables.pairs
    labels = [f"{names[i]}|t{t}" for i, t in zip(items, number, strict=True)]
    labels += [f"{names[i]}~~{names[j]}" for i, j in zip(first, second, strict=True)]
    smallest = float(np.linalg.eigvalsh(moments.correlation)[0])
    spread = symmetric(errors[cut:], k) - np.eye(k)
    bound = [(names[first[p]], names[second[p]]) for p in np.flatnonzero(moments.at_bound)]
    return PolychoricResult(
        correlation=pd.DataFrame(moments.correlation, names, names),
        std_error=pd.DataFrame(spread, names, names),
        thresholds=pd.Series(moments.values[:cut], index, name="threshold"),
        threshold_errors=pd.Series(errors[:cut], index, name="std_error"),
        gamma=None if moments.gamma is None else pd.DataFrame(moments.gamma, labels, labels),
        positive_definite=smallest > 0,
        smallest_eigenvalue=smallest,
        zero_cells=empty_cells(moments.tables, names),
        at_bound=tuple(bound),
        merged=merged,
        n_items=k,
        n_used=moments.n,
        n_excluded=n_excluded,
        method=f"polychoric correlations, two-step maximum likelihood, {missing}",
        conf_level=conf_level,
    )


def empty_cells(tables: ItemTables, names: tuple[str, ...]) -> pd.DataFrame:
    """Pairs of items with empty cells among the categories that exist."""
    first, second = tables.pairs
    size = tables.n_categories
    n_empty = size[first] * size[second] - (tables.tables > 0).sum(axis=(1, 2))
    rows = [(names[first[p]], names[second[p]], int(n_empty[p])) for p in np.flatnonzero(n_empty)]
    return pd.DataFrame(rows, columns=["first", "second", "n_empty"])
