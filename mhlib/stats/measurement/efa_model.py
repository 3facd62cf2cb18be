"""Exploratory factor analysis: which items go together, and how well a number of factors accounts for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.measurement.correlation_input import (
    checked_correlation,
    correlation_input,
    demand_inverse,
    item_names,
)
from mhlib.stats.measurement.efa_extraction import LEAST_UNIQUENESS, extract
from mhlib.stats.measurement.efa_fit import efa_fit
from mhlib.stats.measurement.efa_rotation import ROTATIONS, Rotated, rotate
from mhlib.stats.terms import term_frame

METHODS = {"ml": "maximum likelihood", "minres": "minimum residuals (unweighted least squares)"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EfaResult:
    """Factors of items, which have variance 1 here.

    Attributes
    ----------
    loadings, structure : pandas.DataFrame
        Items by factors `F1, F2, ...`: pattern (weights), and correlations of items with factors (pattern times phi).
        Factors stand by the variance they carry, largest first; each is turned so that its loadings sum to 0 or more.
    phi : pandas.DataFrame
        Correlations between factors.
    communalities, uniquenesses : pandas.Series
        By item, adding to 1.
    explained : pandas.Series
        Variance that each factor carries, in items.
    chi2, df, p_value, rmsea, rmsea_low, rmsea_high, tli, srmr : float
        Fit; NaN (all but `df` and `srmr`) for correlations other than Pearson's and for df 0.
    heywood : tuple of str
        Items whose uniqueness ended at its lower bound .005: too many factors, or a copy of an item. The model is not
        credible then.
    rotation_agreement : float
        Share of the starts of an oblimin that ended in the reported minimum.
    """

    loadings: pd.DataFrame = field(repr=False)
    structure: pd.DataFrame = field(repr=False)
    phi: pd.DataFrame = field(repr=False)
    communalities: pd.Series = field(repr=False)
    uniquenesses: pd.Series = field(repr=False)
    explained: pd.Series = field(repr=False)
    chi2: float
    df: int
    p_value: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    tli: float
    srmr: float
    heywood: tuple[str, ...]
    rotation_agreement: float
    n_factors: int
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an item and factor, term `item on F1`; `estimate` is the pattern loading."""
        rows = [
            {
                "term": f"{item} on {factor}",
                "estimate": self.loadings.at[item, factor],
                "item": item,
                "factor": factor,
                "structure": self.structure.at[item, factor],
                "communality": self.communalities[item],
                "uniqueness": self.uniquenesses[item],
                "heywood": item in self.heywood,
            }
            for item in self.loadings.index
            for factor in self.loadings.columns
        ]
        return term_frame(rows)


def efa(
    items: object,
    n_factors: int,
    *,
    method: str = "minres",
    rotation: str = "oblimin",
    correlation: Callable | None = None,
    conf_level: float = 0.90,
) -> EfaResult:
    """Exploratory factor analysis of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
    n_factors : int
        As parallel analysis suggests, or theory.
    method : {'minres', 'ml'}
    rotation : {'oblimin', 'varimax', 'promax', 'none'}
        Direct oblimin with gamma 0 and without row weights; varimax and promax (power 4) with Kaiser's.
    correlation : callable, optional
        Gives correlations of complete rows, shape (n, k), such as polychoric ones; default Pearson's.
    conf_level : float
        Of the RMSEA.

    Returns
    -------
    EfaResult
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values; correlations that cannot be inverted (maximum likelihood).
    DesignError
        More factors than the items can tell apart (df below 0); items that do not vary.
    ParamsError
        An unknown method or rotation.

    Notes
    -----
    R = L Phi L' + diag(u). References: Joreskog (1967) Psychometrika 32:443; Harman & Jones (1966) Psychometrika 31:351;
    Jennrich (2002) Psychometrika 67:7.
    Checked against: tests/oracle/efa_arrays.csv and tests/oracle/efa_values.csv (R factanal, psych::fa, lavaan::efa).
    """
    found = correlation_input(items, correlation, where="efa")
    return efa_from_correlation(
        found.matrix,
        found.n_used,
        n_factors,
        method=method,
        rotation=rotation,
        normal_theory=found.normal_theory,
        names=found.names,
        conf_level=conf_level,
        n_excluded=found.n_excluded,
    )


def efa_from_correlation(
    corr: object,
    n: int,
    n_factors: int,
    *,
    method: str = "minres",
    rotation: str = "oblimin",
    normal_theory: bool = True,
    names: Sequence[str] | None = None,
    conf_level: float = 0.90,
    n_excluded: int = 0,
) -> EfaResult:
    """Exploratory factor analysis of a correlation matrix.

    Parameters
    ----------
    corr : array-like, shape (k, k)
    n : int
        People behind it.
    n_factors : int
    method, rotation, conf_level
        As in :func:`efa`.
    normal_theory : bool
        False for polychoric or other correlations: chi-square, RMSEA and TLI would not be what they are called.
    names : sequence of str, optional
    n_excluded : int
        Carried into the record.

    Returns
    -------
    EfaResult
        The same digits as :func:`efa` on the rows.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`efa`; a matrix that holds no correlations.

    Notes
    -----
    Checked against: tests/oracle/efa_arrays.csv and tests/oracle/efa_values.csv (R factanal, psych::fa, lavaan::efa).
    """
    where = "efa_from_correlation"
    inputs.one_of(method, tuple(METHODS), where=where, name="method")
    inputs.one_of(rotation, ROTATIONS, where=where, name="rotation")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix = checked_correlation(corr, n, where=where)
    demand_few_factors(len(matrix), n_factors, where=where)
    if method == "ml":
        demand_inverse(matrix, where=where)
    found = extract(matrix, n_factors, method)
    rotated = rotate(found.loadings, rotation)
    implied = found.loadings @ found.loadings.T + np.diag(found.unique)
    items = item_names(names, len(matrix), where=where)
    return EfaResult(
        **labelled(rotated, found.unique, items),
        **efa_fit(matrix, implied, n, n_factors, normal_theory=normal_theory, conf_level=conf_level),
        heywood=tuple(np.array(items)[found.unique <= LEAST_UNIQUENESS * 1.0001].tolist()),
        rotation_agreement=rotated.agreement,
        n_factors=int(n_factors),
        n_items=len(matrix),
        n_used=int(n),
        n_excluded=n_excluded,
        method=f"{METHODS[method]}, {rotation if n_factors > 1 else 'none'} rotation",
        conf_level=conf_level,
    )


def demand_few_factors(k: int, n_factors: int, *, where: str) -> None:
    """Stop when the items cannot carry that many factors."""
    if n_factors != int(n_factors) or n_factors < 1:
        raise DesignError(f"{where}(n_factors)", f"is {n_factors}", allowed="a whole number, 1 or more")
    if (k - n_factors) ** 2 < k + n_factors:
        raise DesignError(
            f"{where}(n_factors)",
            f"{n_factors} factors are more than {k} items can tell apart",
            allowed="(k - q)^2 >= k + q",
            remedy="ask for fewer factors",
        )


def labelled(rotated: Rotated, unique: np.ndarray, items: tuple[str, ...]) -> dict[str, object]:
    """Arrays of a solution with the names of items and factors."""
    factors = [f"F{number}" for number in range(1, rotated.loadings.shape[1] + 1)]
    pattern, phi = rotated.loadings, rotated.phi
    return {
        "loadings": pd.DataFrame(pattern, items, factors),
        "structure": pd.DataFrame(pattern @ phi, items, factors),
        "phi": pd.DataFrame(phi, factors, factors),
        "communalities": pd.Series(np.einsum("ij,jk,ik->i", pattern, phi, pattern), items, name="communality"),
        "uniquenesses": pd.Series(unique, items, name="uniqueness"),
        "explained": pd.Series(np.diag(phi @ pattern.T @ pattern), factors, name="explained"),
    }
