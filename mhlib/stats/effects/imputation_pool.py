"""One estimate from many completed data sets: Rubin's rules with Barnard & Rubin's degrees of freedom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledResult:
    """Pooled estimates.

    Attributes
    ----------
    table : DataFrame
        `term, estimate, std_error, df, conf_low, conf_high, p_value, within, between, r, fmi`, a term a row: `within` and
        `between` are mean and spread of variances over imputations, `r` the relative increase of variance, `fmi` the
        fraction of missing information.
    m : int
        Completed data sets.
    """

    table: pd.DataFrame
    m: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The terms pooled, with extra `df, within, between, r, fmi`."""
        return term_frame(self.table.to_dict("records"))


def pool(
    estimates: object,
    variances: object,
    *,
    df_complete: object = math.inf,
    terms: Sequence[str] = ("estimate",),
    null: float = 0.0,
    n_used: int = 0,
    conf_level: float = 0.95,
) -> PooledResult:
    """Pool estimates of completed data sets.

    Parameters
    ----------
    estimates, variances : array-like, shape (m,) or (m, k), m >= 2
        Estimates and squared standard errors of `k` terms in each completed data set.
    df_complete : float or array-like, shape (k,)
        Degrees of freedom the test would have without missing values: schools - 2 for a school trial.
    terms : sequence of str, length k
    null : float
        Value tested.
    n_used : int
        Rows behind each estimate, carried into the record.
    conf_level : float

    Returns
    -------
    PooledResult

    Raises
    ------
    DataError
        Shapes that do not fit, fewer than two imputations, missing or negative variances.

    Notes
    -----
    t = ubar + (1 + 1/m) b; lambda = (1 + 1/m) b / t; 1/df = 1/df_old + 1/df_obs, df_old = (m - 1) / lambda^2,
    df_obs = (d + 1)/(d + 3) d (1 - lambda); fmi = (r + 2/(df + 3)) / (1 + r).
    References: Rubin (1987); Barnard & Rubin (1999) Biometrika 86:948.
    Checked against: tests/oracle/change_pooled.csv (mice::pool, mice::pool.scalar).
    """
    where = "pool"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    q, u = (np.asarray(values, dtype=float) for values in (estimates, variances))
    q, u = (values[:, None] if values.ndim == 1 else values for values in (q, u))
    if q.ndim != 2 or q.shape != u.shape or q.shape[1] != len(terms) or len(q) < 2:
        raise DataError(where, f"shapes {q.shape} and {u.shape} for {len(terms)} terms", allowed="(m, k) each, m >= 2")
    if not np.isfinite(q).all() or not np.isfinite(u).all() or (u < 0).any():
        raise DataError(where, "an estimate is missing, or a variance is missing or negative")
    m, mean, within, between = len(q), q.mean(axis=0), u.mean(axis=0), q.var(axis=0, ddof=1)
    added = (1 + 1 / m) * between
    total = within + added
    complete = np.broadcast_to(np.asarray(df_complete, dtype=float), mean.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = barnard_rubin(added / total, m, complete)
        r = added / within
        fmi = (r + 2 / (df + 3)) / (1 + r)
        statistic = np.abs(mean - null) / np.sqrt(total)
    half = stats.t.ppf((1 + conf_level) / 2, df) * np.sqrt(total)
    table = pd.DataFrame(
        {
            "term": list(terms),
            "estimate": mean,
            "std_error": np.sqrt(total),
            "df": df,
            "conf_low": mean - half,
            "conf_high": mean + half,
            "p_value": 2 * stats.t.sf(statistic, df),
            "within": within,
            "between": between,
            "r": r,
            "fmi": fmi,
        }
    )
    return PooledResult(
        table=table,
        m=m,
        n_used=n_used,
        n_excluded=0,
        method=f"Rubin's rules over {m} imputations, Barnard & Rubin degrees of freedom",
        conf_level=conf_level,
    )


def barnard_rubin(lost: np.ndarray, m: int, complete: np.ndarray) -> np.ndarray:
    """Degrees of freedom when a share `lost` of the variance is due to missing values."""
    old = np.where(lost > 0, (m - 1) / np.square(lost), np.inf)
    finite = np.isfinite(complete)
    observed = np.where(finite, (complete + 1) / (complete + 3) * complete * (1 - lost), np.inf)
    df = 1 / (1 / old + 1 / observed)
    # A t of very many degrees is the normal; keeping it finite spares callers a special case.
    return np.where(np.isfinite(df), df, 1e10)
