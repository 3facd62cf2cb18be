"""Planning and reading an area under the curve: how many people it takes, and its error when only the area is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


def hanley_mcneil_std_error(auc: float, n_case: int, n_noncase: int) -> float:
    """Standard error of an area known from print, by Hanley and McNeil's exponential model.

    Parameters
    ----------
    auc : float
        0–1.
    n_case, n_noncase : int
        People by the reference standard, 1 or more of each.

    Returns
    -------
    float

    Raises
    ------
    ParamsError
        An area outside 0–1.
    DataError
        No counts.

    Notes
    -----
    Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A); var = [A(1 - A) + (m - 1)(Q1 - A^2) + (n - 1)(Q2 - A^2)] / (m n). For data at
    hand use :func:`roc`, which assumes no model. Reference: Hanley & McNeil (1982) Radiology 143:29.
    Checked against: the table of Hanley & McNeil (1982).
    """
    where = "hanley_mcneil_std_error"
    inputs.open_unit(auc, where=where, name="auc")
    m = inputs.count(n_case, where=where, name="n_case")
    n = inputs.count(n_noncase, where=where, name="n_noncase")
    if min(m, n) < 1:
        raise ParamsError(where, "no case or no non-case", allowed="1 or more of each")
    above, below = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return math.sqrt((auc * (1 - auc) + (m - 1) * (above - auc**2) + (n - 1) * (below - auc**2)) / (m * n))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AucSampleSize:
    """Cases and non-cases needed to tell an area from one half.

    Attributes
    ----------
    n_case, n_noncase : float
        Not rounded; round up to recruit.
    auc, power, alpha, noncases_per_case : float
        As asked for; `alpha` is two-sided.
    """

    n_case: float
    n_noncase: float
    auc: float
    power: float
    alpha: float
    noncases_per_case: float
    n_used: int = 0
    n_excluded: int = 0
    method: str = "Obuchowski & McClish (1997), binormal"
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `n_case`, `n_noncase`."""
        return term_frame([{"term": name, "estimate": getattr(self, name)} for name in ("n_case", "n_noncase")])


def auc_sample_size(
    auc: float, *, power: float = 0.9, alpha: float = 0.05, noncases_per_case: float = 1.0
) -> AucSampleSize:
    """Cases and non-cases that a test of AUC = .5 needs.

    Parameters
    ----------
    auc : float
        Expected area, above .5 and below 1.
    power, alpha : float
        0–1; the test is two-sided at `alpha`.
    noncases_per_case : float
        Above 0.

    Returns
    -------
    AucSampleSize

    Raises
    ------
    ParamsError
        A number outside its range.

    Notes
    -----
    n = (z_{1-alpha/2} sqrt(V(.5)) + z_power sqrt(V(A)))^2 / (A - .5)^2 with V(A) = .0099 exp(-a^2/2) (5 a^2 + 8 + (a^2 + 8)/k),
    a = 1.414 probit(A). Reference: Obuchowski & McClish (1997) Stat Med 16:1529.
    Checked against: tests/oracle/roc_design.csv (pROC).
    """
    where = "auc_sample_size"
    inputs.open_unit(power, where=where, name="power")
    inputs.open_unit(alpha, where=where, name="alpha")
    if not 0.5 < auc < 1 or not noncases_per_case > 0:
        raise ParamsError(where, "auc or noncases_per_case out of range", allowed=".5 < auc < 1, noncases_per_case > 0")
    needed = (
        stats.norm.ppf(1 - alpha / 2) * math.sqrt(binormal_variance(0.5, noncases_per_case))
        + stats.norm.ppf(power) * math.sqrt(binormal_variance(auc, noncases_per_case))
    ) ** 2 / (auc - 0.5) ** 2
    return AucSampleSize(
        n_case=float(needed),
        n_noncase=float(needed * noncases_per_case),
        auc=auc,
        power=power,
        alpha=alpha,
        noncases_per_case=noncases_per_case,
        conf_level=1 - alpha,
    )


def binormal_variance(auc: float, ratio: float) -> float:
    """Variance of the area times the number of cases, Obuchowski's (1994) approximation."""
    # The literature writes 1.414 for the root of 2, and pROC keeps it.
    a = 1.414 * stats.norm.ppf(auc)
    return float(0.0099 * np.exp(-(a**2) / 2) * (5 * a**2 + 8 + (a**2 + 8) / ratio))
