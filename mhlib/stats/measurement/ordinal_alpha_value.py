"""Ordinal alpha: Cronbach's alpha of polychoric correlations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.ordinal_codes import ordinal_codes
from mhlib.stats.measurement.ordinal_moments import moments_by_group
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrdinalAlphaResult:
    """Alpha of the normal answers behind the items, not of the score in points.

    Attributes
    ----------
    positive_definite : bool
        Of the polychoric correlations; when False alpha means little.
    """

    alpha: float
    std_error: float
    conf_low: float
    conf_high: float
    positive_definite: bool
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, term `ordinal_alpha`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        return term_frame(
            [
                {
                    "term": "ordinal_alpha",
                    "estimate": self.alpha,
                    **bounds,
                    "n_items": self.n_items,
                    "n_used": self.n_used,
                }
            ]
        )


def ordinal_alpha(items: object, *, missing: str = "listwise", conf_level: float = 0.95) -> OrdinalAlphaResult:
    """Cronbach's alpha of the polychoric correlations.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Reversed items already turned; at most 20 categories.
    missing : {'listwise', 'pairwise'}
    conf_level : float

    Returns
    -------
    OrdinalAlphaResult
        Delta-method error from the whole Gamma; interval on log(1 - alpha).

    Raises
    ------
    DataError, DesignError
        As in :func:`polychoric`.

    Notes
    -----
    alpha = k/(k-1) (1 - k / sum R). It speaks of the answers behind the items; the score in points is less reliable.
    References: Zumbo, Gadermann and Zeisser (2007); Chalmers (2018).
    Checked against: tests/oracle/ordinal_reliability.csv (semTools::reliability).
    """
    where = "ordinal_alpha"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    coded = ordinal_codes(items, where=where, missing=missing)
    (moments,) = moments_by_group(coded, where=where)
    k, total = moments.k, float(moments.correlation.sum())
    alpha = k / (k - 1) * (1 - k / total) if total > 0 else math.nan
    slope = 2 * k * k / (k - 1) / total**2
    error = slope * math.sqrt(float(moments.gamma[moments.n_thresholds :, moments.n_thresholds :].sum()) / moments.n)
    low, high = on_log_rest(alpha, error, conf_level)
    return OrdinalAlphaResult(
        alpha=alpha,
        std_error=error,
        conf_low=low,
        conf_high=high,
        positive_definite=bool(np.linalg.eigvalsh(moments.correlation)[0] > 0),
        n_items=k,
        n_used=moments.n,
        n_excluded=coded.n_excluded,
        method=f"ordinal alpha, delta-method interval on log(1 - alpha), {missing}",
        conf_level=conf_level,
    )


def on_log_rest(value: float, error: float, conf_level: float) -> tuple[float, float]:
    """Wald interval on log(1 - value), taken back; NaN when the value is 1 or more."""
    if not value < 1 or not math.isfinite(error):
        return math.nan, math.nan
    half = critical(conf_level) * error / (1 - value)
    # A handful of people can give a half-width that no number holds: then there is no interval.
    if half > 100:
        return math.nan, math.nan
    return 1 - (1 - value) * math.exp(half), 1 - (1 - value) * math.exp(-half)
