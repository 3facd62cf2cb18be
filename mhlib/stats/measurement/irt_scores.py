"""Where each person stands: posterior mean of theta with its standard deviation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Refused
from mhlib.stats.measurement.graded_model import GradedResponseResult, refused_model
from mhlib.stats.measurement.graded_precision import explained, posterior_moments
from mhlib.stats.measurement.irt_answers import patterns_of, recoded
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThetaScores:
    """Posterior mean and SD of theta, a row a person in the order given; NaN for those who answered nothing.

    Attributes
    ----------
    theta, std_error : ndarray, shape (n,)
    reliability : float
        var(theta) / (var(theta) + mean std_error^2).
    """

    theta: np.ndarray = field(repr=False)
    std_error: np.ndarray = field(repr=False)
    reliability: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `mean_theta, sd_theta, reliability`: a summary, no person's value."""
        seen = ~np.isnan(self.theta)
        spread = float(np.std(self.theta[seen], ddof=1)) if seen.sum() > 1 else np.nan
        mean = float(self.theta[seen].mean()) if seen.any() else np.nan
        return term_frame(
            [
                {"term": "mean_theta", "estimate": mean},
                {"term": "sd_theta", "estimate": spread},
                {"term": "reliability", "estimate": self.reliability},
            ]
        )


def theta_scores(model: GradedResponseResult, items: object) -> ThetaScores | Refused:
    """Expected a posteriori scores under a fitted graded response model.

    Parameters
    ----------
    model : GradedResponseResult
    items : DataFrame or array-like, shape (n, k)
        The model's items; missing answers allowed (the answers given count, the posterior is wider).

    Returns
    -------
    ThetaScores or Refused
        Refused `irt_not_converged`. People without any answer are NaN and counted in `n_excluded`.

    Raises
    ------
    DataError
        Other items, or answers outside the model's categories (counted).

    Notes
    -----
    theta = E(theta | answers), normal prior with mean 0 and variance 1 on 61 points. Reference: Bock & Mislevy (1982).
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    if not model.converged:
        return refused_model()
    codes = recoded(items, model.values, model.merged, model.names, where="theta_scores")
    found = patterns_of(codes, np.array([len(values) for values in model.values]))
    mean, sd = posterior_moments(model, found.codes)
    empty = (found.codes < 0).all(axis=1)
    mean[empty] = sd[empty] = np.nan
    excluded = int(found.counts[empty].sum())
    return ThetaScores(
        theta=mean[found.of_row],
        std_error=sd[found.of_row],
        reliability=explained(mean[~empty], sd[~empty], found.counts[~empty]),
        n_used=len(codes) - excluded,
        n_excluded=excluded,
        method="posterior mean (EAP), graded response model",
        conf_level=model.conf_level,
    )
