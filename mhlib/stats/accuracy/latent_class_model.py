"""Accuracy of tests without a reference standard: the two-class latent class model, in one or more populations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.accuracy.latent_class_fit import Fit, Table, expected_counts, fitted, row_scores
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame

# |z| of a pair's residual correlation from which independence within classes is doubted.
DOUBT_Z = 2.576
MOST_TESTS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentClass:
    """Sensitivity and specificity of every test and the prevalence of every population, 0–1, logit intervals.

    Attributes
    ----------
    tests, populations : tuple of str
    g_squared, df, fit_p_value : float
        Likelihood ratio against the saturated table; p is NaN with 0 df, when fit cannot be looked at.
    pairs : pandas.DataFrame
        `population, first, second, observed, expected` correlation and `z` (NaN with 0 df), `doubtful`.
    admissible : bool
        False when an estimate stands at 0 or 1, where it has no standard error.
    """

    tests: tuple[str, ...]
    populations: tuple[str, ...]
    sensitivity: np.ndarray
    specificity: np.ndarray
    prevalence: np.ndarray
    log_likelihood: float
    g_squared: float
    df: int
    fit_p_value: float
    pairs: pd.DataFrame
    admissible: bool
    n_clusters: int | None
    terms: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `prevalence`, `sensitivity`, `specificity` with `test` and `population` beside them."""
        return self.terms.assign(n_used=self.n_used)


def latent_class(
    tests: pd.DataFrame, *, populations: object = None, cluster: object = None, conf_level: float = 0.95
) -> LatentClass:
    """Accuracy of k tests, none of them perfect, from their agreement alone.

    Parameters
    ----------
    tests : DataFrame of 0/1 or bool, shape (n, k)
        Results of each person; rows that miss one are left out and counted.
    populations : array-like, shape (n,), optional
        Groups of different prevalence in which the tests are equally accurate (Hui & Walter). Default: one.
    cluster : array-like, shape (n,), optional
        Errors are then summed by cluster, and intervals use t with clusters - 1 df.
    conf_level : float

    Returns
    -------
    LatentClass

    Raises
    ------
    DataError
        Values other than 0 and 1, no complete row.
    DesignError
        Fewer free cells than parameters (two tests need two populations, one population needs three tests), a test
        that never varies, a likelihood flat in some direction (populations of equal prevalence), one cluster.

    Notes
    -----
    P(x | population) = pi prod Se^x (1 - Se)^(1 - x) + (1 - pi) prod (1 - Sp)^x Sp^(1 - x): results independent within
    class. EM from seeded starts, then Newton; errors from the observed information. The class called cases is the one in
    which the tests are positive more often, summed over tests; which test agrees with an interview decides nothing.
    References: Hui & Walter (1980) Biometrics 36:167; Qu, Tan & Kutner (1996) (residual correlations).
    Checked against: tests/oracle/latent_class.csv (R optim) and Hui & Walter's tuberculosis data.
    """
    where = "latent_class"
    frame = pd.DataFrame(tests).reset_index(drop=True)
    results = np.column_stack(
        [inputs.binary(frame[name], where=where, name=str(name)) for name in frame.columns] or [np.empty(len(frame))]
    )
    inputs.same_length(where, tests=frame, populations=populations, cluster=cluster)
    whole = ~np.isnan(results).any(axis=1)
    if not whole.any():
        raise DataError(where, "no row holds every test", allowed="rows with all tests")
    code, names = population_codes(populations, whole, where)
    groups = None if cluster is None else inputs.codes(pd.Series(cluster)[whole], where=where, name="cluster")
    pattern = (results[whole] @ 2 ** np.arange(results.shape[1])[::-1]).astype(np.int64)
    size = 2 ** results.shape[1]
    counts = np.bincount(code * size + pattern, minlength=len(names) * size).reshape(-1, size)
    labels = tuple(str(name) for name in frame.columns)
    rows = None if groups is None else (code, pattern, *groups)
    return estimated(counts, labels, names, rows, int((~whole).sum()), conf_level)


def latent_class_from_tables(
    tables: object, *, tests: Sequence[str] | None = None, conf_level: float = 0.95
) -> LatentClass:
    """As :func:`latent_class`, from counts by pattern of results.

    Parameters
    ----------
    tables : array-like of counts, shape (populations, 2 ** k)
        Patterns in binary order with the first test as the highest digit: for two tests --, -+, +-, ++.
    tests : sequence of str, optional
    conf_level : float

    Returns
    -------
    LatentClass
        The same digits as from rows.

    Raises
    ------
    DataError
        Counts that are not counts, or a number of columns that is no power of 2.
    DesignError
        As in :func:`latent_class`.

    Notes
    -----
    Checked against: tests/oracle/latent_class.csv (R optim).
    """
    counts = np.atleast_2d(np.asarray(tables, dtype=float))
    k = round(math.log2(counts.shape[1]))
    if 2**k != counts.shape[1] or not np.isfinite(counts).all() or (counts < 0).any() or (counts % 1 > 0).any():
        raise DataError("latent_class(tables)", "not counts by 2 ** k patterns", allowed="whole numbers, 0 or more")
    labels = tuple(tests) if tests is not None else tuple(f"test_{j + 1}" for j in range(k))
    return estimated(counts, labels, tuple(str(p + 1) for p in range(len(counts))), None, 0, conf_level)


def population_codes(populations: object, whole: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Code of each whole row's population, and their names."""
    if populations is None:
        return np.zeros(int(whole.sum()), dtype=np.int64), ("all",)
    given = pd.Series(populations).reset_index(drop=True)[whole].reset_index(drop=True)
    code, n = inputs.codes(given, where=where, name="populations")
    first = [int(np.flatnonzero(code == j)[0]) for j in range(n)]
    return code, tuple(str(given[row]) for row in first)


def demand_identified(counts: np.ndarray, names: tuple[str, ...]) -> int:
    """Degrees of freedom left over.

    Raises
    ------
    DesignError
        More parameters than free cells, a test that never varies, or too many tests.
    """
    n_populations, size = counts.shape
    k = round(math.log2(size))
    spare = n_populations * (size - 1) - (n_populations + 2 * k)
    if spare < 0 or k < 2:
        raise DesignError(
            "latent_class",
            f"{k} tests in {n_populations} populations give {n_populations * (size - 1)} free cells for "
            f"{n_populations + 2 * k} parameters",
            allowed="three tests in one population, or two tests in two populations of different prevalence",
            remedy="add a test, or populations that differ in prevalence",
        )
    if k > MOST_TESTS:
        raise DesignError("latent_class", f"{k} tests", allowed=f"up to {MOST_TESTS}")
    bits = digits(k)
    constant = [names[j] for j in range(k) if not 0 < counts[:, bits[:, j] == 1].sum() < counts.sum()]
    if constant:
        raise DesignError(
            "latent_class", f"{len(constant)} tests never vary", remedy="leave out " + ", ".join(constant)
        )
    if (counts.sum(axis=1) == 0).any():
        raise DesignError("latent_class", "a population without people", allowed="people in each")
    return spare


def digits(k: int) -> np.ndarray:
    """Results of each pattern, shape (2 ** k, k)."""
    return (np.arange(2**k)[:, None] >> np.arange(k)[::-1]) & 1


def estimated(
    counts: np.ndarray,
    tests: tuple[str, ...],
    populations: tuple[str, ...],
    rows: tuple | None,
    n_excluded: int,
    conf_level: float,
) -> LatentClass:
    """Fit, judge and put together."""
    inputs.open_unit(conf_level, where="latent_class", name="conf_level")
    if rows is not None and rows[3] < 2:
        raise DesignError("latent_class", "one cluster", allowed="two or more", remedy="give no cluster")
    spare = demand_identified(counts, tests)
    table = Table(counts.astype(float), digits(len(tests)).astype(float))
    fit = fitted(table)
    expected = expected_counts(fit.theta, table)
    there = counts > 0
    g_squared = float(2 * (counts[there] * np.log(counts[there] / expected[there])).sum())
    covariance = fit.covariance if rows is None else clustered_covariance(fit, table, rows)
    k, p = len(tests), len(populations)
    return LatentClass(
        tests=tests,
        populations=populations,
        prevalence=expit(fit.theta[:p]),
        sensitivity=expit(fit.theta[p : p + k]),
        specificity=expit(fit.theta[p + k :]),
        log_likelihood=fit.log_likelihood,
        g_squared=max(g_squared, 0.0),
        df=spare,
        fit_p_value=float(stats.chi2.sf(g_squared, spare)) if spare > 0 else math.nan,
        pairs=residual_pairs(counts, expected, table.digits, tests, populations, spare),
        admissible=bool(fit.inside.all()),
        n_clusters=None if rows is None else rows[3],
        terms=terms_of(fit, covariance, tests, populations, conf_level, math.inf if rows is None else rows[3] - 1),
        n_used=int(counts.sum()),
        n_excluded=n_excluded,
        method="two-class latent class model, maximum likelihood"
        + (" (Hui & Walter 1980)" if k == 2 else "")
        + ("" if rows is None else ", errors by cluster"),
        conf_level=conf_level,
    )


def clustered_covariance(fit: Fit, table: Table, rows: tuple) -> np.ndarray:
    """Sandwich with scores summed by cluster, on the logit scale."""
    code, pattern, cluster, n_clusters = rows
    scores = row_scores(fit.theta, table)[code, pattern]
    sums = np.stack([np.bincount(cluster, scores[:, j], minlength=n_clusters) for j in range(scores.shape[1])], axis=1)
    return fit.covariance @ (sums.T @ sums * n_clusters / (n_clusters - 1)) @ fit.covariance


def terms_of(
    fit: Fit, covariance: np.ndarray, tests: tuple[str, ...], populations: tuple[str, ...], conf_level: float, df: float
) -> pd.DataFrame:
    """One row a parameter; errors taken from the logit scale to the share's own."""
    names = [("prevalence", "", name) for name in populations]
    names += [(term, test, "") for term in ("sensitivity", "specificity") for test in tests]
    values, rows = expit(fit.theta), []
    for j, (term, test, population) in enumerate(names):
        value = float(np.round(values[j])) if not fit.inside[j] else float(values[j])
        error = math.sqrt(covariance[j, j]) * value * (1 - value) if fit.inside[j] else math.nan
        low, high = on_logit(value, error, conf_level, df)
        bounds = {"std_error": error, "conf_low": low, "conf_high": high}
        rows.append({"term": term, "estimate": value, **bounds, "test": test, "population": population})
    return term_frame(rows)


def residual_pairs(
    counts: np.ndarray,
    expected: np.ndarray,
    bits: np.ndarray,
    tests: tuple[str, ...],
    populations: tuple[str, ...],
    spare: int,
) -> pd.DataFrame:
    """Correlation of each pair of tests beside the model's: what independence within classes leaves unexplained."""
    rows = []
    for p, population in enumerate(populations):
        n = counts[p].sum()
        for i, j in combinations(range(len(tests)), 2):
            seen, said = (phi(table[p] / table[p].sum(), bits[:, i], bits[:, j]) for table in (counts, expected))
            z = math.sqrt(n - 3) * (math.atanh(seen) - math.atanh(said)) if n > 3 and spare > 0 else math.nan
            rows.append({"population": population, "first": tests[i], "second": tests[j], "observed": seen,
                         "expected": said, "z": z, "doubtful": bool(abs(z) >= DOUBT_Z)})  # fmt: skip
    return pd.DataFrame(rows)


def phi(share: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two results; held off 1 so that its transform exists."""
    a, b, both = share @ first, share @ second, share @ (first * second)
    spread = math.sqrt(a * (1 - a) * b * (1 - b))
    return float(np.clip((both - a * b) / spread, -1 + 1e-12, 1 - 1e-12)) if spread > 0 else 0.0
