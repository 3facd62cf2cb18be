"""Cluster-robust errors of a nested mixed model: right also where its variances are wrong, or schools are few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.mixed_adjust import adjusted_blocks, solved_blocks
from mhlib.stats.effects.mixed_blocks import Block, blocks_of
from mhlib.stats.effects.mixed_rows import relative_effects, row_blocks
from mhlib.stats.effects.nested_design import columns_of, complete_rows, numeric_outcome, parsed
from mhlib.stats.effects.nested_fit import from_centred
from mhlib.stats.effects.nested_groups import Nesting, demand_columns, demand_nested, nesting_of
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.effects.robust_adjust import KINDS, Solved
from mhlib.stats.effects.robust_fit import ROOTS
from mhlib.stats.effects.robust_record import ClusterRobustResult, record_of
from mhlib.stats.effects.robust_refusals import one_cluster_refusal

# Scores of a fit sum to 0, and its covariance is found again, up to this share.
SAME = 1e-6


def mixed_cluster_robust(
    result: MultilevelResult,
    data: pd.DataFrame,
    *,
    cluster: str | None = None,
    kind: str = "CR2",
    root: str = "exact",
    labels: str = "unique",
    conf_level: float | None = None,
) -> ClusterRobustResult | Refused:
    """Errors of a mixed model's fixed effects that do not trust its variances, with degrees of freedom for few clusters.

    Parameters
    ----------
    result : MultilevelResult
        Random intercepts of one to three levels; with a random slope clusters have at most 1,000 rows.
    data : pandas.DataFrame
        The table it was fitted on, rows in any order.
    cluster : str, optional
        Column of the unit that was allocated: the highest level of the model (the default) or one above it.
    kind : {'CR2', 'CR0', 'CR1', 'CR1S', 'CR3'}
        As in :func:`cluster_robust`.
    root : {'exact', 'whitened'}
        For CR2: clubSandwich's root, or that of the whitened residual maker, which differs from about the fourth digit.
    labels : {'unique', 'within'}
        As the model was fitted with.
    conf_level : float, optional
        That of the model by default.

    Returns
    -------
    ClusterRobustResult or Refused
        `family` is 'mixed', `estimand` 'model' (between the averages over pupils and over schools, as the model's weights
        have it), `model_errors` those of the model; for :func:`robust_contrast` and :func:`joint_test` as any other.
        Refused (`one_cluster`) where all rows belong to one cluster.

    Raises
    ------
    DataError
        Columns the table lacks, rows without a cluster, another table than the model's.
    DesignError
        A cluster below the model's highest level, or one that cuts through it; a cluster of more than 3,000 pairs of a
        group and a number of rows, or with a random slope of more than 1,000 rows.
    ParamsError
        An unknown kind, root or rule of labels.

    Notes
    -----
    V = M (sum_g X_g'W_g A_g e_g e_g'A_g'W_g X_g) M with W the inverse of the working covariance, M = (X'WX)^-1 and
    A_g = V^(1/2) (V² - V^(1/2) X M X' V^(1/2))^(-1/2) V^(1/2); Satterthwaite's df under the working covariance. Variances
    are taken as known, as clubSandwich does. Cost: one pass over the rows, then an eigenproblem a cluster with as many rows
    as it has classes by numbers of waves (with a random slope, rows). Rows with a missing value are left out as in the fit.
    References: Pustejovsky & Tipton (2018) JBES 36:672; Bell & McCaffrey (2002) Survey Methodology 28:169.
    Checked against: tests/oracle/mixed_robust_values.csv (clubSandwich::vcovCR, coef_test of lmer).
    """
    where = "mixed_cluster_robust"
    inputs.one_of(kind, KINDS, where=where, name="kind")
    inputs.one_of(root, ROOTS, where=where, name="root")
    level = result.conf_level if conf_level is None else conf_level
    inputs.open_unit(level, where=where, name="conf_level")
    frame, n_rows = frame_of(result, data, cluster, where=where)
    names = result.core.nesting.names[::-1]
    nesting = nesting_of([frame[name] for name in names], names, labels=labels, where=where)
    code, clusters = clusters_of(frame, nesting, cluster, where=where)
    refused = one_cluster_refusal(len(clusters))
    if refused is not None:
        return refused
    blocks = list(cut(result, frame, nesting, code, where=where))
    fit = solved_blocks(blocks, len(clusters), result.core.design.names)
    demand_same(result, fit, where=where)
    back = from_centred(result.core.design) @ fit.scale
    found = adjusted_blocks(blocks, fit, kind, root)
    rooted = " (whitened root)" if kind == "CR2" and root == "whitened" else ""
    return record_of(
        replace(found, scale=back, coefficients=np.linalg.solve(back, result.core.beta)),
        None,
        terms=result.core.design.names,
        cluster_rows=np.bincount(code[nesting.code], minlength=len(clusters)),
        clusters=clusters,
        kind=kind,
        residual_sd=result.core.sigma,
        n_absorbed=0,
        conf_level=level,
        family="mixed",
        estimand="model",
        n_excluded=n_rows - len(frame),
        method=f"{result.method.split(', Satterthwaite')[0]}; {kind}{rooted} by {len(clusters)} clusters, Satterthwaite df",
    )


def cut(
    result: MultilevelResult, frame: pd.DataFrame, nesting: Nesting, code: np.ndarray, *, where: str
) -> Iterator[Block]:
    """The clusters in their coordinates: short ones, or rows where a slope is random."""
    w = rows_of(result, frame, where=where)
    if result.slope is None:
        return blocks_of(w, nesting, code, result.core.theta)
    return row_blocks(w, frame[result.slope].to_numpy(dtype=float), nesting, code, relative_effects(result.core))


def frame_of(
    result: MultilevelResult, data: pd.DataFrame, cluster: str | None, *, where: str
) -> tuple[pd.DataFrame, int]:
    """Rows of the fit with the cluster's column, and the number of rows there were."""
    formula, names = parsed(result.formula, where=where), result.core.nesting.names
    outcome = columns_of(formula.lhs) if own_side(result, formula) else [result.outcome]
    slope = () if result.slope is None else (result.slope,)
    used = list(dict.fromkeys([*outcome, *columns_of(formula.rhs), *names, *slope]))
    demand_columns(data, used if cluster is None else [*used, cluster], where=where)
    frame, _ = complete_rows(data, used, where=where)
    if cluster is not None and cluster not in used:
        frame[cluster] = data[cluster].to_numpy()[data[used].notna().all(axis=1).to_numpy()]
    return frame, len(data)


def own_side(result: MultilevelResult, formula: object) -> bool:
    """Whether the outcome is the formula's left side, and not one of many."""
    return str(formula.lhs).strip() == result.outcome


def clusters_of(
    frame: pd.DataFrame, nesting: Nesting, cluster: str | None, *, where: str
) -> tuple[np.ndarray, pd.Index]:
    """Cluster of each lowest group, and their labels."""
    top = np.arange(len(nesting.labels[0]))
    for parent in nesting.parents:
        top = parent[top]
    if cluster is None or cluster == nesting.names[-1]:
        return top, pd.Index(nesting.labels[-1])
    if cluster in nesting.names:
        raise DesignError(
            f"{where}(cluster)",
            f"'{cluster}' lies within '{nesting.names[-1]}', whose effect ties its groups to one another",
            allowed=f"'{nesting.names[-1]}' or a level above it",
        )
    code, _ = inputs.codes(frame[cluster], where=where, name="cluster")
    above = demand_nested(top[nesting.code], code, len(nesting.labels[-1]), (cluster, nesting.names[-1]), where=where)
    return above[top], pd.Index(pd.unique(frame[cluster]))


def rows_of(result: MultilevelResult, frame: pd.DataFrame, *, where: str) -> np.ndarray:
    """Centred columns and residuals of the rows, shape (n, p + 1)."""
    design, formula = result.core.design, parsed(result.formula, where=where)
    y = numeric_outcome(formula.lhs if own_side(result, formula) else result.outcome, frame, where=where)
    x = np.asarray(design.spec.get_model_matrix(frame, context={}), dtype=float)
    if len(x) != result.n_used or x.shape[1] != len(design.names):
        raise other_table(where)
    return np.column_stack([x - design.centre, y - x @ result.core.beta])


def demand_same(result: MultilevelResult, fit: Solved, *, where: str) -> None:
    """The rows give the fit's own covariance, and scores that sum to 0."""
    back = from_centred(result.core.design) @ fit.scale
    known, again = result.core.covariance, result.core.sigma**2 * back @ back.T
    size = np.sqrt(np.diag(known))
    differ = np.abs((again - known) / np.outer(size, size)).max()
    if differ > SAME or np.abs(fit.raw.sum(axis=0)).max() > SAME * result.core.sigma * np.sqrt(result.n_used):
        raise other_table(where)


def other_table(where: str) -> DataError:
    """The error of a table that is not the model's."""
    return DataError(
        f"{where}(data)",
        "is not the table the model was fitted on",
        allowed="the same rows and columns, in any order",
        remedy="fit the model anew on this table",
    )
