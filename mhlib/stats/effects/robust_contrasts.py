"""Contrasts of a cluster-robust regression, one at a time by Satterthwaite or several together by HTZ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.robust_moments import hotelling_df, satterthwaite
from mhlib.stats.effects.robust_record import ClusterRobustResult, inference
from mhlib.stats.effects.robust_refusals import FEWEST_DF, carried_refusal, few_df_refusal
from mhlib.stats.terms import array_frame, term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustContrastResult:
    """Sums of coefficients with their cluster-robust errors; `refusals` by name as in the regression."""

    names: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    p_values: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    refusals: Mapping[str, Refused]
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a contrast, with `df, n_clusters, n_used`."""
        return array_frame(self, self.names).assign(n_clusters=self.n_clusters, n_used=self.n_used)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointTestResult:
    """Test that several coefficients are 0 together: F with `df1` and `df2`; `refused` where df2 is below 4."""

    statistic: float
    df1: int
    df2: float
    p_value: float
    refused: Refused | None
    terms: tuple[str, ...]
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, term `joint`, estimate the F; with `df1, df2, n_clusters, n_used`."""
        row = {"term": "joint", "estimate": self.statistic, "p_value": self.p_value}
        rest = {name: getattr(self, name) for name in ("df1", "df2", "n_clusters", "n_used")}
        return term_frame([{**row, **rest}])


def robust_contrast(
    fit: ClusterRobustResult, contrasts: Mapping[str, Mapping[str, float]], *, conf_level: float | None = None
) -> RobustContrastResult:
    """Sums of coefficients with cluster-robust errors and their own degrees of freedom.

    Parameters
    ----------
    fit : ClusterRobustResult
    contrasts : mapping of name to mapping of term to weight
        `{"b - a": {"arm[T.b]": 1, "arm[T.a]": -1}}`.
    conf_level : float, optional
        That of the fit by default.

    Returns
    -------
    RobustContrastResult

    Raises
    ------
    ParamsError
        A term the model does not have; a contrast without a weight.

    Notes
    -----
    Checked against: tests/oracle/robust_values.csv (clubSandwich::coef_test).
    """
    matrix = np.array([row_of(fit, weights) for weights in contrasts.values()])
    if not np.abs(matrix).sum(axis=1).all():
        raise ParamsError("robust_contrast(contrasts)", "a contrast gives no term a weight")
    level, names = conf_level or fit.conf_level, tuple(contrasts)
    estimates = matrix @ fit.estimates
    errors = np.sqrt(np.einsum("qp,pk,qk->q", matrix, fit.covariance, matrix))
    df, _ = satterthwaite(fit.found, matrix @ fit.found.scale)
    alone = np.array([carried(fit, row) for row in matrix])
    errors, df = np.where(alone, np.nan, errors), np.where(alone, np.nan, df)
    few = ~alone & ~(df >= FEWEST_DF)
    refusals = {names[i]: carried_refusal(names[i]) for i in np.flatnonzero(alone)}
    refusals |= {names[i]: few_df_refusal(names[i], df[i]) for i in np.flatnonzero(few)}
    low, high, p_values = inference(estimates, errors, np.where(few, np.nan, df), level)
    return RobustContrastResult(
        names=names,
        estimates=estimates,
        std_errors=errors,
        df=df,
        p_values=p_values,
        conf_low=low,
        conf_high=high,
        refusals=refusals,
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=fit.method,
        conf_level=level,
    )


def joint_test(fit: ClusterRobustResult, terms: Sequence[str] | object) -> JointTestResult:
    """Test that several coefficients, or contrasts of them, are 0 together, by HTZ.

    Parameters
    ----------
    fit : ClusterRobustResult
    terms : sequence of str, or array-like of shape (q, p)
        Terms, or a matrix of contrasts over all terms.

    Returns
    -------
    JointTestResult

    Raises
    ------
    ParamsError
        A term the model does not have, or a matrix of another width.
    DesignError
        Contrasts made from each other, or more of them than the clusters can judge.

    Notes
    -----
    Q = b'C'(CVC')^-1 Cb; F = (eta - q + 1)/(eta q) Q with q and eta - q + 1 degrees of freedom, eta from matching the mean
    total variance of the covariance to a Wishart. Reference: Tipton & Pustejovsky (2015) JEBS 40:604.
    Checked against: tests/oracle/robust_joint.csv (clubSandwich::Wald_test, HTZ).
    """
    named = isinstance(terms, (list, tuple)) and all(isinstance(term, str) for term in terms)
    matrix = np.eye(len(fit.terms))[[fit.position(term) for term in terms]] if named else np.atleast_2d(terms)
    if matrix.shape[1] != len(fit.terms) or not len(matrix):
        raise ParamsError("joint_test(terms)", "is no matrix over the terms", allowed=f"{len(fit.terms)} columns")
    q = len(matrix)
    contrasts = matrix @ fit.found.scale
    if np.linalg.matrix_rank(contrasts) < q or q >= fit.n_clusters:
        raise DesignError(
            "joint_test(terms)",
            f"{q} contrasts cannot be judged together by {fit.n_clusters} clusters",
            allowed="contrasts of which none is made from others, fewer than clusters",
        )
    return joint_record(fit, matrix, contrasts, tuple(terms) if named else ())


def joint_record(
    fit: ClusterRobustResult, matrix: np.ndarray, contrasts: np.ndarray, terms: tuple[str, ...]
) -> JointTestResult:
    """F and its degrees of freedom."""
    q, effect = len(matrix), matrix @ fit.estimates
    eta, _ = hotelling_df(fit.found, contrasts)
    wald = float(effect @ np.linalg.solve(matrix @ fit.covariance @ matrix.T, effect))
    df2 = eta - q + 1
    alone = any(carried(fit, row) for row in matrix)
    few = not df2 >= FEWEST_DF
    refused = carried_refusal("joint") if alone else few_df_refusal("joint", df2) if few else None
    statistic = df2 / (eta * q) * wald if df2 > 0 and not alone else np.nan
    return JointTestResult(
        statistic=float(statistic),
        df1=q,
        df2=float(df2),
        p_value=float(stats.f.sf(statistic, q, df2)) if refused is None else np.nan,
        refused=refused,
        terms=terms,
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=f"{fit.kind}, Hotelling's T² approximation (HTZ)",
        conf_level=fit.conf_level,
    )


def row_of(fit: ClusterRobustResult, weights: Mapping[str, float]) -> np.ndarray:
    """Weights over all terms."""
    row = np.zeros(len(fit.terms))
    for term, weight in weights.items():
        row[fit.position(term)] = weight
    return row


def carried(fit: ClusterRobustResult, row: np.ndarray) -> bool:
    """Whether a term in the contrast has no standard error because one cluster carries it."""
    return bool(np.isnan(fit.std_errors[np.flatnonzero(row)]).any())
