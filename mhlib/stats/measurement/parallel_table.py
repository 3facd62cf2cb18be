"""How many factors are more than chance: parallel analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.measurement.correlation_input import checked_correlation, correlation_input, demand_inverse
from mhlib.stats.measurement.item_matrix import covariance
from mhlib.stats.measurement.parallel_eigen import (
    chance_correlations,
    component_eigenvalues,
    factor_eigenvalues,
    pearson,
    permuted_correlations,
)
from mhlib.stats.terms import term_frame

RULES, NULLS, COMMUNALITIES = ("quantile", "mean"), ("normal", "permutation"), ("one_factor", "smc")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParallelResult:
    """Eigenvalues beside those of chance (the scree), and how many lead them.

    Attributes
    ----------
    n_factors, n_components : int
        Leading eigenvalues above the reference of the chosen rule, up to the first that is not: of correlations with
        communalities (factors) and of the correlations themselves (components). The two often differ: name the one used.
    n_factors_mean, n_components_mean, n_factors_quantile, n_components_quantile : int
        The same by each rule.
    eigenvalues : pandas.DataFrame
        `kind, position, observed, mean, quantile, retained`.
    rule, null, communality : str
    quantile_level : float
    n_iter, seed : int
    """

    n_factors: int
    n_components: int
    n_factors_mean: int
    n_components_mean: int
    n_factors_quantile: int
    n_components_quantile: int
    eigenvalues: pd.DataFrame = field(repr=False)
    rule: str
    null: str
    communality: str
    quantile_level: float
    n_iter: int
    seed: int
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an eigenvalue, terms `factor_1, ...` and `component_1, ...`; `estimate` is the observed one."""
        records = self.eigenvalues.to_dict("records")
        return term_frame(
            [{"term": f"{row['kind']}_{row['position']}", "estimate": row.pop("observed"), **row} for row in records]
        )


def parallel_analysis(
    items: object,
    *,
    seed: int,
    n_iter: int = 100,
    rule: str = "quantile",
    quantile: float = 0.95,
    null: str = "normal",
    communality: str = "one_factor",
    correlation: Callable | None = None,
) -> ParallelResult:
    """Parallel analysis of items, as factors and as components.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
    seed : int
        Of the chance data.
    n_iter : int
        Sets of chance data, 20 or more.
    rule : {'quantile', 'mean'}
        Beat the `quantile` of chance (Glorfeld 1995) or its mean (Horn 1965).
    quantile : float
    null : {'normal', 'permutation'}
        Independent normal items, whose correlations are drawn without any rows, or the items shuffled apart, which keep
        their skew and ties but cost a pass over the rows each.
    communality : {'one_factor', 'smc'}
        Diagonal of the factor version: communalities of one minres factor (as psych), or squared multiple correlations,
        which keep more factors. A chance set in which one item takes up its one factor gets the latter.
    correlation : callable, optional
        Gives correlations of complete rows, shape (n, k), such as polychoric ones, to observed and shuffled rows alike;
        it needs `null='permutation'`, for these correlations vary more by chance than Pearson's of normal items.

    Returns
    -------
    ParallelResult
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values; correlations that cannot be inverted ('smc').
    DesignError
        Fewer than three items, no more people than items, an item that does not vary.
    ParamsError
        An unknown option, fewer than 20 sets, or other correlations with a normal null.

    Notes
    -----
    With many thousands of people chance eigenvalues are so near to 1 that factors too small to matter pass: read the
    number as an upper bound there. References: Horn (1965) Psychometrika 30:179; Glorfeld (1995); Humphreys & Montanelli
    (1975) for factors; Smith & Hocking (1972) for drawing Wishart matrices.
    Checked against: tests/oracle/efa_values.csv (psych::fa.parallel on bfi).
    """
    where = "parallel_analysis"
    demand_options(where, seed, n_iter, rule, quantile, null, communality)
    if correlation is not None and null != "permutation":
        raise ParamsError(
            f"{where}(null)", "other correlations than Pearson's need shuffled rows", remedy="set null='permutation'"
        )
    found = correlation_input(items, correlation, where=where)
    demand_people(found.n_used, len(found.matrix), where=where)
    if null == "normal":
        chance = chance_correlations(found.n_used, len(found.matrix), n_iter, seed)
    else:
        of_rows = correlation or (lambda rows: pearson(covariance(rows)))
        chance = permuted_correlations(found.complete, of_rows, n_iter, seed)
    options = {"rule": rule, "quantile": quantile, "null": null, "communality": communality, "seed": seed}
    return parallel_record(found.matrix, chance, n_used=found.n_used, n_excluded=found.n_excluded, **options)


def parallel_analysis_from_correlation(
    corr: object,
    n: int,
    *,
    seed: int,
    n_iter: int = 100,
    rule: str = "quantile",
    quantile: float = 0.95,
    communality: str = "one_factor",
    n_excluded: int = 0,
) -> ParallelResult:
    """Parallel analysis of Pearson correlations against independent normal items.

    Parameters
    ----------
    corr : array-like, shape (k, k)
    n : int
        People behind it.
    seed, n_iter, rule, quantile, communality
        As in :func:`parallel_analysis`.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    ParallelResult
        The same digits as :func:`parallel_analysis` with `null='normal'` on the rows.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`parallel_analysis`.

    Notes
    -----
    Checked against: tests/oracle/efa_values.csv (psych::fa.parallel on bfi).
    """
    where = "parallel_analysis_from_correlation"
    demand_options(where, seed, n_iter, rule, quantile, "normal", communality)
    matrix = checked_correlation(corr, n, where=where)
    demand_people(n, len(matrix), where=where)
    chance = chance_correlations(n, len(matrix), n_iter, seed)
    options = {"rule": rule, "quantile": quantile, "null": "normal", "communality": communality, "seed": seed}
    return parallel_record(matrix, chance, n_used=int(n), n_excluded=n_excluded, **options)


def demand_options(where: str, seed: int, n_iter: int, rule: str, quantile: float, null: str, communality: str) -> None:
    """Stop at an option that is not one."""
    inputs.one_of(rule, RULES, where=where, name="rule")
    inputs.one_of(null, NULLS, where=where, name="null")
    inputs.one_of(communality, COMMUNALITIES, where=where, name="communality")
    inputs.open_unit(quantile, where=where, name="quantile")
    if seed is None:
        raise ParamsError(f"{where}(seed)", "is missing", allowed="a whole number")
    if n_iter < 20:
        raise ParamsError(f"{where}(n_iter)", f"is {n_iter}", allowed="20 or more sets of chance data")


def demand_people(n: int, k: int, *, where: str) -> None:
    """Stop where chance correlations would be singular, or there is nothing to count."""
    if k < 3 or n <= k:
        raise DesignError(where, f"{k} items and {n} people", allowed="at least 3 items, and more people than items")


def parallel_record(
    observed: np.ndarray,
    chance: np.ndarray,
    *,
    rule: str,
    quantile: float,
    null: str,
    communality: str,
    seed: int,
    n_used: int,
    n_excluded: int,
) -> ParallelResult:
    """Eigenvalues of observed and chance correlations set side by side, and the counts by both rules."""
    if communality == "smc":
        demand_inverse(observed, where="parallel_analysis")
    pairs = {
        "factor": [
            factor_eigenvalues(observed[None], communality),
            factor_eigenvalues(chance, communality, chance=True),
        ],
        "component": [component_eigenvalues(part) for part in (observed[None], chance)],
    }
    tables, counts = [], {}
    for kind, (seen, by_chance) in pairs.items():
        references = {"mean": by_chance.mean(axis=0), "quantile": np.quantile(by_chance, quantile, axis=0)}
        number = {name: leading(seen[0], reference) for name, reference in references.items()}
        counts |= {f"n_{kind}s_{name}": value for name, value in number.items()} | {f"n_{kind}s": number[rule]}
        position = np.arange(1, len(seen[0]) + 1)
        tables.append(
            pd.DataFrame({"kind": kind, "position": position, "observed": seen[0], **references}).assign(
                retained=position <= number[rule]
            )
        )
    above = f"{quantile:g} quantile" if rule == "quantile" else "mean"
    return ParallelResult(
        **counts,
        eigenvalues=pd.concat(tables, ignore_index=True),
        rule=rule,
        null=null,
        communality=communality,
        quantile_level=quantile,
        n_iter=len(chance),
        seed=seed,
        n_items=len(observed),
        n_used=n_used,
        n_excluded=n_excluded,
        method=f"parallel analysis, {above} of {len(chance)} {'normal' if null == 'normal' else 'permuted'} sets",
        conf_level=quantile,
    )


def leading(observed: np.ndarray, reference: np.ndarray) -> int:
    """How many eigenvalues from the first on lie above the reference, up to the first that does not."""
    above = observed > reference
    return len(above) if above.all() else int(np.argmin(above))
