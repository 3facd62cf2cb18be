"""Predictive values carried to another prevalence.

References
----------
Mercaldo, Lau & Zhou (2007) Stat Med 26:2170 (logit intervals of predictive values from case-control accuracy).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from mhlib.errors import DataError, DesignError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CarriedValues:
    """Predictive values at a stated prevalence; attributes are proportions, `table` has the tidy columns."""

    prevalence: float
    ppv: float
    npv: float
    table: pd.DataFrame
    method: str
    conf_level: float
    n_used: int
    n_excluded: int

    def to_frame(self) -> pd.DataFrame:
        """One row a predictive value."""
        return self.table


def predictive_values_at(
    prevalence: float,
    *,
    sensitivity: tuple[float, float],
    specificity: tuple[float, float],
    n_used: int,
    conf_level: float = 0.95,
) -> CarriedValues:
    """Predictive values where cases are as common as `prevalence` says.

    Parameters
    ----------
    prevalence : float
        Proportion of cases in the place the values are carried to; taken as known.
    sensitivity, specificity : (estimate, standard error)
        Proportions, taken to hold in the other place too.
    n_used : int
        Persons behind the accuracy.

    Returns
    -------
    CarriedValues

    Raises
    ------
    DataError
        If the prevalence does not lie between 0 and 1.
    DesignError
        If sensitivity or specificity is 0 or 1, where the logit interval does not exist.

    Notes
    -----
    ``logit PPV = logit p + log(Se / (1 - Sp))``, ``logit NPV = -logit p + log(Sp / (1 - Se))``; the variances of the
    logs add. Checked by hand against Bayes' rule.

    Examples
    --------
    >>> found = predictive_values_at(0.5, sensitivity=(0.8, 0.01), specificity=(0.8, 0.01), n_used=100)
    >>> round(found.ppv, 6)
    0.8
    """
    where = "predictive_values_at()"
    if not 0 < prevalence < 1:
        raise DataError(where, "the prevalence does not lie between 0 and 1")
    (sens, sens_se), (spec, spec_se) = sensitivity, specificity
    if min(sens, spec) <= 0 or max(sens, spec) >= 1:
        raise DesignError(where, "sensitivity or specificity is 0 or 1", remedy="collect more interviews")
    ppv = _row("ppv", logit(prevalence) + np.log(sens / (1 - spec)), sens_se / sens, spec_se / (1 - spec), conf_level)
    npv = _row("npv", -logit(prevalence) + np.log(spec / (1 - sens)), spec_se / spec, sens_se / (1 - sens), conf_level)
    table = pd.DataFrame([ppv, npv]).assign(n_used=n_used)
    return CarriedValues(
        prevalence=prevalence, ppv=ppv["estimate"], npv=npv["estimate"], table=table, method="Mercaldo logit",
        conf_level=conf_level, n_used=n_used, n_excluded=0,
    )  # fmt: skip


def _row(term: str, centre: float, first: float, second: float, conf_level: float) -> dict[str, object]:
    error = float(np.hypot(first, second))
    reach = norm.ppf(0.5 + conf_level / 2) * error
    value = float(expit(centre))
    return {"term": term, "estimate": value, "std_error": error * value * (1 - value),
            "conf_low": float(expit(centre - reach)), "conf_high": float(expit(centre + reach)),
            "p_value": float("nan")}  # fmt: skip
