"""The record of a cluster-robust regression, and how estimates and sums become one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.findings import Check, Refused
from mhlib.stats.effects.robust_adjust import Adjusted, factor_of
from mhlib.stats.effects.robust_moments import satterthwaite
from mhlib.stats.effects.robust_refusals import (
    FEWEST_DF,
    carried_by_one,
    carried_refusal,
    clusters_check,
    few_df_refusal,
)
from mhlib.stats.effects.robust_sums import ClusterSums
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterRobustResult:
    """Coefficients with cluster-robust errors; p arrays of one entry a term.

    Attributes
    ----------
    terms : tuple of str
    estimates, std_errors, df, p_values, conf_low, conf_high : ndarray, shape (p,)
        NaN where refused: p-value and interval below 4 degrees of freedom, the standard error too where one cluster alone
        carries the term.
    model_errors : ndarray, shape (p,)
        Standard errors that take pupils as independent: what ignoring schools would have given.
    covariance : ndarray, shape (p, p)
    refusals : mapping of str to Refused
        By term.
    checks : tuple of Check
    kind : {'CR0', 'CR1', 'CR1S', 'CR2', 'CR3'}
    family : {'gaussian', 'binomial', 'mixed'}
    estimand : {'pupil', 'school', 'model'}
    residual_sd : float
        Of the outcome about the model; NaN for a logit.
    n_clusters : int
    largest_cluster, median_cluster : float
        Rows.
    sums : ClusterSums or None
        What the bootstrap, the permutation and the comparison of estimands read; None for a logit and a mixed model.
    found : Adjusted
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    p_values: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    model_errors: np.ndarray
    covariance: np.ndarray = field(repr=False)
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    kind: str
    family: str
    estimand: str
    residual_sd: float
    n_clusters: int
    largest_cluster: int
    median_cluster: float
    sums: ClusterSums | None = field(repr=False)
    found: Adjusted = field(repr=False)
    clusters: pd.Index = field(repr=False)
    cluster_rows: np.ndarray = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def position(self, term: str) -> int:
        """Place of a term.

        Raises
        ------
        ParamsError
            A term the model does not have.
        """
        if term not in self.terms:
            raise ParamsError(
                "cluster_robust(term)", f"the model has no term '{term}'", allowed="one of " + ", ".join(self.terms)
            )
        return self.terms.index(term)

    def to_frame(self) -> pd.DataFrame:
        """One row a term, with `df, statistic, model_std_error, n_clusters, n_used`."""
        rows = [
            {
                "term": term,
                "estimate": self.estimates[i],
                "std_error": self.std_errors[i],
                "conf_low": self.conf_low[i],
                "conf_high": self.conf_high[i],
                "p_value": self.p_values[i],
                "df": self.df[i],
                # No error at all (one score, or none within clusters) gives no statistic.
                "statistic": self.estimates[i] / self.std_errors[i] if self.std_errors[i] > 0 else math.nan,
                "model_std_error": self.model_errors[i],
                "n_clusters": self.n_clusters,
                "n_used": self.n_used,
            }
            for i, term in enumerate(self.terms)
        ]
        return term_frame(rows)


def record_of(
    found: Adjusted,
    sums: ClusterSums | None,
    *,
    terms: tuple[str, ...],
    cluster_rows: np.ndarray,
    clusters: pd.Index,
    kind: str,
    residual_sd: float,
    n_absorbed: int,
    conf_level: float,
    **rest: object,
) -> ClusterRobustResult:
    """Put coefficients, errors, degrees of freedom and refusals together."""
    n, g, p = int(cluster_rows.sum()), len(cluster_rows), len(terms)
    scalar = factor_of(kind, n_clusters=g, n=n, n_columns=p + n_absorbed)
    covariance = found.scale @ (scalar * found.scores.T @ found.scores) @ found.scale.T
    estimates, errors = found.scale @ found.coefficients, np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    df, _ = satterthwaite(found, found.scale)
    alone = carried_by_one(found)
    refusals = {term: carried_refusal(term) for term, carried in zip(terms, alone, strict=True) if carried}
    errors, df = np.where(alone, np.nan, errors), np.where(alone, np.nan, df)
    few = ~alone & ~(df >= FEWEST_DF)
    refusals |= {terms[i]: few_df_refusal(terms[i], df[i]) for i in np.flatnonzero(few)}
    judged = np.where(few, np.nan, df)
    low, high, p_values = inference(estimates, errors, judged, conf_level)
    model = np.linalg.norm(found.scale, axis=1) * (1.0 if math.isnan(residual_sd) else residual_sd)
    return ClusterRobustResult(
        terms=terms,
        estimates=estimates,
        std_errors=errors,
        df=df,
        p_values=p_values,
        conf_low=low,
        conf_high=high,
        model_errors=model,
        covariance=covariance,
        refusals=refusals,
        checks=(clusters_check(g),),
        kind=kind,
        residual_sd=residual_sd,
        n_clusters=g,
        largest_cluster=int(cluster_rows.max()),
        median_cluster=float(np.median(cluster_rows)),
        sums=sums,
        found=found,
        clusters=clusters,
        cluster_rows=cluster_rows,
        n_used=n,
        conf_level=conf_level,
        **rest,
    )


def inference(
    estimates: np.ndarray, errors: np.ndarray, df: np.ndarray, conf_level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interval and two-sided p-value by Student's t; NaN where error or degrees of freedom are."""
    low, high = np.transpose([wald(b, e, conf_level, d) for b, e, d in zip(estimates, errors, df, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return low, high, 2 * stats.t.sf(np.abs(estimates / errors), df)
