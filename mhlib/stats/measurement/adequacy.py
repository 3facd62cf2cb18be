"""Are items correlated enough to factor at all, and how many components hold what they share?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError
from mhlib.stats.measurement.correlation_input import (
    checked_correlation,
    correlation_input,
    demand_inverse,
    item_names,
    pearson,
)
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdequacyResult:
    """Kaiser-Meyer-Olkin measure (0–1, overall and by item) and Bartlett's test that nothing is correlated.

    `bartlett_chi2` and `p_value` are NaN for correlations other than Pearson's.
    """

    kmo: float
    kmo_items: pd.Series = field(repr=False)
    bartlett_chi2: float
    df: int
    p_value: float
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float = math.nan

    def to_frame(self) -> pd.DataFrame:
        """Terms `kmo`, `bartlett_chi2` (with `p_value` and `df`) and `kmo_<item>`."""
        rows = [
            {"term": "kmo", "estimate": self.kmo},
            {"term": "bartlett_chi2", "estimate": self.bartlett_chi2, "p_value": self.p_value, "df": self.df},
        ]
        rows += [{"term": f"kmo_{name}", "estimate": float(value)} for name, value in self.kmo_items.items()]
        return term_frame(rows).assign(n_used=self.n_used)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapResult:
    """Velicer's minimum average partial test.

    Attributes
    ----------
    n_components : int
        Components taken out where the mean squared partial correlation is least.
    n_components_fourth : int
        The same with fourth powers (Velicer, Eaton & Fava 2000).
    averages : pandas.DataFrame
        `n_components, squared, fourth`, from 0 components up to k - 2; NaN where a partial correlation is not defined.
    """

    n_components: int
    n_components_fourth: int
    averages: pd.DataFrame = field(repr=False)
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float = math.nan

    def to_frame(self) -> pd.DataFrame:
        """Terms `components_0, components_1, ...`; `estimate` is the mean squared partial correlation, `fourth` beside it."""
        return term_frame(
            [
                {"term": f"components_{int(row.n_components)}", "estimate": row.squared, "fourth": row.fourth}
                for row in self.averages.itertuples()
            ]
        )


def sampling_adequacy(items: object, *, correlation: Callable | None = None) -> AdequacyResult:
    """KMO and Bartlett's test of sphericity of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
    correlation : callable, optional
        Gives correlations of complete rows, shape (n, k); default Pearson's.

    Returns
    -------
    AdequacyResult
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values; correlations that cannot be inverted.
    DesignError
        Fewer than two items or three complete rows; an item that does not vary.

    Notes
    -----
    KMO = sum r^2 / (sum r^2 + sum q^2), q the correlations of items with all others held (Kaiser 1974); chi2 =
    -(n - 1 - (2k + 5)/6) log|R|, df k(k - 1)/2 (Bartlett 1951).
    Checked against: tests/oracle/efa_values.csv (psych::KMO, psych::cortest.bartlett).
    """
    found = correlation_input(items, correlation, where="sampling_adequacy")
    return sampling_adequacy_from_correlation(
        found.matrix,
        found.n_used,
        names=found.names,
        normal_theory=found.normal_theory,
        n_excluded=found.n_excluded,
    )


def sampling_adequacy_from_correlation(
    corr: object,
    n: int,
    *,
    names: Sequence[str] | None = None,
    normal_theory: bool = True,
    n_excluded: int = 0,
) -> AdequacyResult:
    """KMO and Bartlett's test from correlations.

    Parameters
    ----------
    corr : array-like, shape (k, k)
    n : int
        People behind it.
    names : sequence of str, optional
    normal_theory : bool
        False for correlations other than Pearson's, where Bartlett's test does not hold.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    AdequacyResult
        The same digits as :func:`sampling_adequacy` on the rows.

    Raises
    ------
    DataError, DesignError
        As :func:`sampling_adequacy`.

    Notes
    -----
    Checked against: tests/oracle/efa_values.csv (psych::KMO, psych::cortest.bartlett).
    """
    where = "sampling_adequacy_from_correlation"
    matrix = checked_correlation(corr, n, where=where)
    k = len(matrix)
    squared = matrix**2 * (1 - np.eye(k))
    partial = pearson(demand_inverse(matrix, where=where)) ** 2 * (1 - np.eye(k))
    by_item = squared.sum(axis=1) / (squared.sum(axis=1) + partial.sum(axis=1))
    chi2 = max(float(-(n - 1 - (2 * k + 5) / 6) * np.linalg.slogdet(matrix)[1]), 0.0) if normal_theory else math.nan
    df = k * (k - 1) // 2
    return AdequacyResult(
        kmo=float(squared.sum() / (squared.sum() + partial.sum())),
        kmo_items=pd.Series(by_item, item_names(names, k, where=where), name="kmo"),
        bartlett_chi2=chi2,
        df=df,
        p_value=float(stats.chi2.sf(chi2, df)) if normal_theory else math.nan,
        n_items=k,
        n_used=int(n),
        n_excluded=n_excluded,
        method="Kaiser-Meyer-Olkin measure, Bartlett's test of sphericity",
    )


def velicer_map(items: object, *, correlation: Callable | None = None) -> MapResult:
    """Velicer's minimum average partial test of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 3
    correlation : callable, optional
        Gives correlations of complete rows, shape (n, k); default Pearson's.

    Returns
    -------
    MapResult
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values.
    DesignError
        Fewer than three items or complete rows; an item that does not vary.

    Notes
    -----
    Mean squared correlation of items with the first m principal components held, m from 0 on; the least one tells m.
    References: Velicer (1976) Psychometrika 41:321; Velicer, Eaton & Fava (2000).
    Checked against: tests/oracle/efa_values.csv (psych::vss).
    """
    found = correlation_input(items, correlation, where="velicer_map")
    return velicer_map_from_correlation(found.matrix, found.n_used, n_excluded=found.n_excluded)


def velicer_map_from_correlation(corr: object, n: int, *, n_excluded: int = 0) -> MapResult:
    """Velicer's minimum average partial test from correlations.

    Parameters
    ----------
    corr : array-like, shape (k, k), k >= 3
    n : int
        People behind it; the test itself has no n in it.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    MapResult
        The same digits as :func:`velicer_map` on the rows.

    Raises
    ------
    DataError, DesignError
        As :func:`velicer_map`.

    Notes
    -----
    Checked against: tests/oracle/efa_values.csv (psych::vss).
    """
    where = "velicer_map_from_correlation"
    matrix = checked_correlation(corr, n, where=where)
    k = len(matrix)
    if k < 3:
        raise DesignError(where, "fewer than three items", allowed="k >= 3")
    values, vectors = np.linalg.eigh(matrix)
    loadings = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]
    averages = pd.DataFrame(
        [(m, *partial_averages(matrix - loadings[:, :m] @ loadings[:, :m].T)) for m in range(k - 1)],
        columns=["n_components", "squared", "fourth"],
    )
    return MapResult(
        n_components=int(averages["squared"].argmin()),
        n_components_fourth=int(averages["fourth"].argmin()),
        averages=averages,
        n_items=k,
        n_used=int(n),
        n_excluded=n_excluded,
        method="Velicer's minimum average partial test, squared (1976) and fourth power (2000)",
    )


def partial_averages(rest: np.ndarray) -> tuple[float, float]:
    """Mean squared and mean fourth power of the correlations left; NaN when an item has no variance left."""
    if (np.diag(rest) < 1e-12).any():
        return math.nan, math.nan
    squared = pearson(rest)[~np.eye(len(rest), dtype=bool)] ** 2
    return float(squared.mean()), float((squared**2).mean())
