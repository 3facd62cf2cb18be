"""Cronbach's alpha with a named interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix
from mhlib.stats.terms import term_frame

INTERVALS = {"feldt": "Feldt (1965)", "bonett": "Bonett (2002)"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlphaResult:
    """Cronbach's alpha (at most 1, may be negative) with its interval; the standard error is Bonett's."""

    alpha: float
    alpha_standardised: float
    std_error: float
    conf_low: float
    conf_high: float
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `alpha` (with interval) and `alpha_standardised`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        rows = [
            {"term": "alpha", "estimate": self.alpha, **bounds},
            {"term": "alpha_standardised", "estimate": self.alpha_standardised},
        ]
        return term_frame(rows).assign(n_items=self.n_items, n_used=self.n_used)


def cronbach_alpha(items: object, *, ci: str = "feldt", conf_level: float = 0.95) -> AlphaResult:
    """Cronbach's alpha of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Reversed items already turned by the codebook; nothing is turned here, so a wrong key shows.
    ci : {'feldt', 'bonett'}
        Feldt's F interval (exact for normal items) or Bonett's on the log scale.
    conf_level : float

    Returns
    -------
    AlphaResult
        People who miss any item are left out and counted in `n_excluded`.

    Raises
    ------
    DataError
        Text or infinite values.
    DesignError
        Fewer than two items, fewer than three complete rows, an item that does not vary.

    Notes
    -----
    alpha = k/(k-1) (1 - tr(S)/sum(S)).
    References: Cronbach (1951); Feldt (1965) Psychometrika 30:357; Bonett (2002) JEBS 27:335.
    Checked against: tests/oracle/bfi_reliability.csv (psych::alpha on bfi).
    """
    matrix = item_matrix(items, where="cronbach_alpha")
    return alpha_from_covariance(
        covariance(matrix.complete), matrix.n_used, ci=ci, conf_level=conf_level, n_excluded=matrix.n_excluded
    )


def alpha_from_covariance(
    cov: object, n: int, *, ci: str = "feldt", conf_level: float = 0.95, n_excluded: int = 0
) -> AlphaResult:
    """Cronbach's alpha from the covariance of the items and the number of people.

    Parameters
    ----------
    cov : array-like, shape (k, k)
        Covariance with n - 1 (alpha itself does not depend on that).
    n : int
        People behind it.
    ci, conf_level
        As in :func:`cronbach_alpha`.
    n_excluded : int
        Carried into the record.

    Returns
    -------
    AlphaResult
        The same digits as :func:`cronbach_alpha` on the rows.

    Raises
    ------
    DataError
        A matrix that is no covariance.
    DesignError
        Fewer than two items or three people.

    Notes
    -----
    Checked against: tests/oracle/bfi_reliability.csv (psych::alpha on bfi).
    """
    where = "alpha_from_covariance"
    inputs.one_of(ci, tuple(INTERVALS), where=where, name="ci")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix = checked_covariance(cov, n, where=where)
    k = len(matrix)
    alpha = alpha_value(matrix)
    spread = np.sqrt(np.diag(matrix))
    low, high = (feldt if ci == "feldt" else bonett)(alpha, k, n, conf_level)
    return AlphaResult(
        alpha=alpha,
        alpha_standardised=alpha_value(matrix / np.outer(spread, spread)),
        std_error=(1 - alpha) * math.sqrt(2 * k / ((k - 1) * (n - 2))),
        conf_low=low,
        conf_high=high,
        n_items=k,
        n_used=int(n),
        n_excluded=n_excluded,
        method=f"Cronbach's alpha, {INTERVALS[ci]} interval",
        conf_level=conf_level,
    )


def alpha_value(matrix: np.ndarray) -> float:
    """k/(k-1) (1 - trace/total); NaN when the sum of the items does not vary."""
    total = float(matrix.sum())
    return len(matrix) / (len(matrix) - 1) * (1 - float(np.trace(matrix)) / total) if total > 0 else math.nan


def feldt(alpha: float, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """1 - (1 - alpha) F, F with n - 1 and (n - 1)(k - 1) df."""
    tail, df1, df2 = (1 - conf_level) / 2, n - 1, (n - 1) * (k - 1)
    return (
        1 - (1 - alpha) * float(stats.f.ppf(1 - tail, df1, df2)),
        1 - (1 - alpha) * float(stats.f.ppf(tail, df1, df2)),
    )


def bonett(alpha: float, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """1 - exp(log(1 - alpha) -/+ z sqrt(2k/((k-1)(n-2))))."""
    half = critical(conf_level) * math.sqrt(2 * k / ((k - 1) * (n - 2)))
    return 1 - (1 - alpha) * math.exp(half), 1 - (1 - alpha) * math.exp(-half)
