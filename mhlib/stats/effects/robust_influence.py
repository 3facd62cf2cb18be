"""What each cluster does to a coefficient: the estimate without it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Estimate, message
from mhlib.stats.effects.robust_adjust import ZERO
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.terms import term_frame

# A school whose removal moves the estimate by a whole standard error decides it.
LARGE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterInfluenceResult:
    """A coefficient without each cluster in turn.

    Attributes
    ----------
    table : pandas.DataFrame
        `cluster, n, leverage, estimate_without, change, change_in_errors`, largest change first; NaN where the coefficient
        cannot be estimated without the cluster. Leverage is the cluster's share of the term's information (sum 1).
    largest_change : float
        In standard errors of the fit, without its sign.
    lowest, highest : float
        Range of the estimate over removals.
    check : Check
        Passes when no single removal moves the estimate by a standard error or more.
    """

    term: str
    estimate: float
    table: pd.DataFrame = field(repr=False)
    largest_change: float
    lowest: float
    highest: float
    check: Check
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `estimate`, `lowest_without_one`, `highest_without_one`, `largest_change_in_errors`."""
        names = ("estimate", "lowest_without_one", "highest_without_one", "largest_change_in_errors")
        values = (self.estimate, self.lowest, self.highest, self.largest_change)
        rows = [{"term": name, "estimate": value} for name, value in zip(names, values, strict=True)]
        return term_frame(rows).assign(n_clusters=self.n_clusters, n_used=self.n_used)


def cluster_influence(fit: ClusterRobustResult, term: str) -> ClusterInfluenceResult:
    """The estimate of a coefficient without each cluster in turn.

    Parameters
    ----------
    fit : ClusterRobustResult
    term : str

    Returns
    -------
    ClusterInfluenceResult
        Exact for least squares; one step of Newton from the full fit for a logit.

    Raises
    ------
    ParamsError
        An unknown term.

    Notes
    -----
    b - b(g) = (X'WX - X_g'WX_g)^-1 X_g'We_g. Reference: MacKinnon, Nielsen & Webb (2023) Stata J 23:942.
    Checked against: refits without the cluster (tests/stats/test_robust.py).
    """
    i = fit.position(term)
    contrast, information = fit.found.scale[i], fit.found.information
    rest = information.sum(axis=0) - information
    value, vector = np.linalg.eigh(rest)
    lost = value < ZERO
    turned = np.einsum("gji,gj->gi", vector, fit.found.raw)
    along = np.einsum("gji,j->gi", vector, contrast)
    inverse = np.where(lost, 0.0, 1.0 / np.where(lost, 1.0, value))
    change = (along * inverse * turned).sum(axis=1)
    hidden = (np.abs(along) * lost).max(axis=1) > 1e-6 * np.linalg.norm(contrast)
    change = np.where(hidden, np.nan, change)
    estimate, error = float(fit.estimates[i]), float(fit.std_errors[i])
    table = pd.DataFrame(
        {
            "cluster": fit.clusters,
            "n": fit.cluster_rows,
            "leverage": np.einsum("i,gij,j->g", contrast, information, contrast) / (contrast @ contrast),
            "estimate_without": estimate - change,
            "change": change,
            "change_in_errors": change / error,
        }
    )
    largest = float(np.nanmax(np.abs(change))) / error if not hidden.all() else np.nan
    order = np.argsort(-np.nan_to_num(np.abs(change), nan=np.inf), kind="stable")
    return ClusterInfluenceResult(
        term=term,
        estimate=estimate,
        table=table.iloc[order].reset_index(drop=True),
        largest_change=largest,
        lowest=float(np.nanmin(estimate - change)) if not hidden.all() else np.nan,
        highest=float(np.nanmax(estimate - change)) if not hidden.all() else np.nan,
        check=influence_check(largest, bool(hidden.any()), fit),
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method="estimate without one cluster" + (", one Newton step" if fit.family == "binomial" else ""),
        conf_level=fit.conf_level,
    )


def influence_check(largest: float, hidden: bool, fit: ClusterRobustResult) -> Check:
    """Check that no single cluster decides the estimate."""
    name = message("No single school decides the estimate")
    if hidden or not np.isfinite(largest):
        return Check(name, False, message("Without one of the schools the effect could not be estimated at all."))
    return Check(
        name,
        largest < LARGE,
        message(
            "Leaving out one school moves the estimate by at most {change} standard errors; {limit} or more would mean "
            "that one school decides it.",
            change=Estimate(largest, fit.n_used),
            limit=LARGE,
        ),
    )
