"""Agreement of two raters, or of a test with itself: Cohen's kappa, plain and weighted, with errors that hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import binomial, wald
from mhlib.stats.terms import term_frame

WEIGHTS = ("none", "linear", "quadratic")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CohenKappa:
    """Kappa with its interval.

    Attributes
    ----------
    kappa, std_error, conf_low, conf_high : float
        The error is that away from zero (Fleiss, Cohen & Everitt 1969); `std_error_null` serves the test only.
    p_value : float
        Of no agreement beyond chance.
    pabak, pabak_low, pabak_high : float
        (k p_o - 1)/(k - 1), prevalence- and bias-adjusted; of exact agreement, whatever the weights.
    observed, expected : float
        (Weighted) agreement seen, and by chance.
    table : pandas.DataFrame
        First rater in rows, second in columns.
    """

    kappa: float
    std_error: float
    std_error_null: float
    conf_low: float
    conf_high: float
    p_value: float
    pabak: float
    pabak_low: float
    pabak_high: float
    observed: float
    expected: float
    weights: str
    table: pd.DataFrame = field(repr=False)
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `kappa`, `pabak`, `observed_agreement`, `expected_agreement`."""
        bounds = {name: getattr(self, name) for name in ("std_error", "conf_low", "conf_high", "p_value")}
        rows = [
            {"term": "kappa", "estimate": self.kappa, **bounds},
            {"term": "pabak", "estimate": self.pabak, "conf_low": self.pabak_low, "conf_high": self.pabak_high},
            {"term": "observed_agreement", "estimate": self.observed},
            {"term": "expected_agreement", "estimate": self.expected},
        ]
        return term_frame(rows).assign(n_used=self.n_used)


def cohen_kappa(
    first: object,
    second: object,
    *,
    weights: str = "none",
    categories: object = None,
    cluster: object = None,
    ci: str = "wilson",
    conf_level: float = 0.95,
) -> CohenKappa:
    """Kappa of two ratings of the same people.

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Categories of any kind, without missing values.
    weights : {'none', 'linear', 'quadratic'}
        Credit for near misses among ordered categories: 1 - |i - j|/(k - 1), or its square.
    categories : sequence, optional
        All categories in their order; default: those seen, sorted.
    cluster : array-like, shape (n,), optional
        School or class: errors by cluster, intervals on t with clusters - 1 df.
    ci : {'wilson', 'exact', 'agresti_coull', 'jeffreys'}
        Interval of the agreement behind PABAK; PABAK has none within clusters.
    conf_level : float

    Returns
    -------
    CohenKappa

    Raises
    ------
    DataError
        Missing values, columns of different lengths, or a value outside `categories`.
    DesignError
        Fewer than two categories or two clusters; all ratings in one category.

    Notes
    -----
    kappa = (p_o - p_e)/(1 - p_e). epiR puts the error under kappa = 0 into its interval; here that error serves only
    the test.
    References: Cohen (1960, 1968); Fleiss, Cohen & Everitt (1969) Psychol Bull 72:323; Byrt, Bishop & Carlin (1993).
    Checked against: tests/oracle/decision_kappa.csv (psych, epiR).
    """
    where = "cohen_kappa"
    inputs.same_length(where, first=first, second=second, cluster=cluster)
    names, rows, columns = rated(first, second, categories)
    k = len(names)
    table = np.bincount(rows * k + columns, minlength=k * k).reshape(k, k)
    frame = pd.DataFrame(table, index=names, columns=names)
    if cluster is None:
        return cohen_kappa_from_table(frame, weights=weights, ci=ci, conf_level=conf_level)
    groups = inputs.codes(cluster, where=where, name="cluster")
    if groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    return kappa_record(frame, weights, ci, conf_level, influence=(rows, columns, groups))


def cohen_kappa_from_table(
    table: object, *, weights: str = "none", ci: str = "wilson", conf_level: float = 0.95
) -> CohenKappa:
    """Kappa from the k x k table of two ratings.

    Parameters
    ----------
    table : DataFrame or array-like of counts, shape (k, k)
        First rater in rows, second in columns, categories in their order.
    weights, ci, conf_level
        As in :func:`cohen_kappa`.

    Returns
    -------
    CohenKappa
        The same digits as :func:`cohen_kappa` on the rows.

    Raises
    ------
    DataError
        A table that is not square, or cells that are not counts.
    DesignError
        Fewer than two categories; all ratings in one category.

    Notes
    -----
    Reference: Fleiss, Cohen & Everitt (1969). Checked against: tests/oracle/decision_kappa.csv (psych, epiR).
    """
    where = "cohen_kappa_from_table"
    frame = pd.DataFrame(table)
    cells = frame.to_numpy(dtype=float)
    if cells.shape[0] != cells.shape[1]:
        raise DataError(where, f"a table of {cells.shape[0]} x {cells.shape[1]}", allowed="as many rows as columns")
    if not np.isfinite(cells).all() or (cells < 0).any() or (cells != np.floor(cells)).any():
        raise DataError(where, "a cell is not a count", allowed="whole numbers, 0 or more")
    return kappa_record(frame, weights, ci, conf_level)


def rated(first: object, second: object, categories: object) -> tuple[list[object], np.ndarray, np.ndarray]:
    """Categories in order and the place of each rating among them."""
    pair = [pd.Series(values).reset_index(drop=True) for values in (first, second)]
    if n_missing := int((pair[0].isna() | pair[1].isna()).sum()):
        raise DataError(
            "cohen_kappa",
            f"{n_missing} of {len(pair[0])} rows miss a rating",
            allowed="two ratings in every row",
            remedy="leave these rows out and report how many",
        )
    names = list(categories) if categories is not None else sorted(pd.concat(pair).unique().tolist())
    places = [pd.Index(names).get_indexer(values) for values in pair]
    if n_other := int(((places[0] < 0) | (places[1] < 0)).sum()):
        raise DataError("cohen_kappa", f"{n_other} rows hold a rating outside the categories", allowed="those named")
    return names, places[0], places[1]


def credit(k: int, weights: str) -> np.ndarray:
    """Credit of each cell, 1 on the diagonal."""
    gap = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / (k - 1)
    return {"none": np.eye(k), "linear": 1 - gap, "quadratic": 1 - gap**2}[weights]


def kappa_record(
    frame: pd.DataFrame, weights: str, ci: str, conf_level: float, *, influence: tuple | None = None
) -> CohenKappa:
    """Kappa of a table; `influence` holds rows, columns and clusters of the people when these are clustered."""
    where = "cohen_kappa"
    inputs.one_of(weights, WEIGHTS, where=where, name="weights")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    cells = frame.to_numpy(dtype=float)
    n, k = int(cells.sum()), len(cells)
    share = cells / n if n else cells
    if k < 2 or n == 0 or np.outer(share.sum(axis=1), share.sum(axis=0)).max() == 1:
        raise DesignError(where, "all ratings stand in one category", allowed="at least two categories in use")
    found = chance_corrected(share, credit(k, weights))
    std_error, null_error, p_value, df = kappa_errors(found, share, n, influence)
    low, high = wald(found.kappa, std_error, conf_level, df)
    exact = float(np.trace(share))
    around = (math.nan, math.nan) if influence else binomial(round(exact * n), n, ci=ci, conf_level=conf_level)
    pabak, pabak_low, pabak_high = ((k * agreement - 1) / (k - 1) for agreement in (exact, *around))
    return CohenKappa(
        kappa=found.kappa,
        std_error=std_error,
        std_error_null=null_error,
        conf_low=max(low, -1.0),
        conf_high=min(high, 1.0),
        p_value=p_value,
        pabak=pabak,
        pabak_low=pabak_low,
        pabak_high=pabak_high,
        observed=found.observed,
        expected=found.expected,
        weights=weights,
        table=frame,
        n_clusters=None if influence is None else influence[2][1],
        n_used=n,
        n_excluded=0,
        method=f"Cohen's kappa, {weights} weights" + ("" if influence is None else ", errors by cluster"),
        conf_level=conf_level,
    )


@dataclass(frozen=True, slots=True)
class ChanceCorrected:
    """Kappa, the agreements behind it, what a person of each cell adds to it, and n times its variance under 0."""

    kappa: float
    observed: float
    expected: float
    slope: np.ndarray
    null_variance: float


def chance_corrected(share: np.ndarray, w: np.ndarray) -> ChanceCorrected:
    """Kappa of a table of shares with credit `w`; slopes by the delta method over the cells."""
    margins = share.sum(axis=1), share.sum(axis=0)
    chance = np.outer(*margins)
    observed, expected = float((w * share).sum()), float((w * chance).sum())
    means = (w @ margins[1])[:, None] + (margins[0] @ w)[None, :]
    slope = (w * (1 - expected) - means * (1 - observed)) / (1 - expected) ** 2
    null = ((chance * (w - means) ** 2).sum() - expected**2) / (1 - expected) ** 2
    kappa = (observed - expected) / (1 - expected)
    return ChanceCorrected(kappa, observed, expected, slope - (share * slope).sum(), max(float(null), 0.0))


def kappa_errors(
    found: ChanceCorrected, share: np.ndarray, n: int, influence: tuple | None
) -> tuple[float, float, float, float]:
    """Standard error, that under kappa = 0 (NaN within clusters), p-value, and df."""
    if influence is None:
        error, null = math.sqrt((share * found.slope**2).sum() / n), math.sqrt(found.null_variance / n)
        p_value = float(2 * stats.norm.sf(abs(found.kappa) / null)) if null > 0 else math.nan
        return error, null, p_value, math.inf
    rows, columns, groups = influence
    error, df = math.sqrt(variance_of_total(found.slope[rows, columns] / n, groups)), groups[1] - 1
    p_value = float(2 * stats.t.sf(abs(found.kappa) / error, df)) if error > 0 else math.nan
    return error, math.nan, p_value, df
