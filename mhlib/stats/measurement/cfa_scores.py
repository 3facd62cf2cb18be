"""Each person's place on the factors of a fitted model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.stats import inputs
from mhlib.stats.measurement.cfa_model import CfaResult
from mhlib.stats.measurement.cfa_moments import complete_rows, group_codes


def factor_scores(
    data: pd.DataFrame, result: CfaResult, *, groups: object = None, method: str = "regression"
) -> pd.DataFrame:
    """Factor scores of rows under a fitted model.

    Parameters
    ----------
    data : DataFrame, shape (n, columns)
        The items of the model; new people may be scored too.
    result : CfaResult
    groups : str or array-like, optional
        As in :func:`cfa`, when the model has groups.
    method : {'regression', 'bartlett'}
        Thurstone's scores (smallest error, shrunken to the mean) or Bartlett's (unbiased for the person).

    Returns
    -------
    DataFrame, shape (n, m)
        In the unit of the factors and in the order of `data`; NaN for people who miss an item.

    Raises
    ------
    ParamsError
        An unknown method.
    DataError
        Groups other than those of the model; text or infinite answers.

    Notes
    -----
    Factor scores carry error; regressions on them are biased. References: Thurstone (1935); Bartlett (1937).
    Checked against: tests/oracle/cfa_scores.csv (lavaan::lavPredict).
    """
    inputs.one_of(method, ("regression", "bartlett"), where="factor_scores", name="method")
    fitted = result.fitted
    built, point = fitted.built, fitted.found.point
    code, names = group_codes(data, groups, result.groups[0] if len(result.groups) > 1 else None, where="factor_scores")
    rows = complete_rows(data, built.observed, code, names, where="factor_scores(data)")
    level = point.at.mu if built.has_means else fitted.moments.mean
    scores = np.full((len(data), len(built.latent)), np.nan)
    kept = np.flatnonzero(rows.kept)
    for g, name in enumerate(names):
        at = result.groups.index(name)
        mine = rows.code == g
        weight = score_weights(fitted, at, method)
        scores[kept[mine]] = point.at.mean[at] + (rows.values[mine] - level[at]) @ weight.T
    return pd.DataFrame(scores, index=data.index, columns=list(built.latent))


def score_weights(fitted: object, group: int, method: str) -> np.ndarray:
    """Weights of the items' deviations, shape (m, k)."""
    at, point = fitted.found.point.at, fitted.found.point
    if method == "regression":
        return at.latent[group] @ at.loading[group].T @ point.inverse[group]
    # With Sigma^-1 in place of Theta^-1 the same scores follow, and residual variances of 0 do no harm.
    pull = at.loading[group].T @ point.inverse[group]
    return np.linalg.solve(pull @ at.loading[group], pull)
