"""The record of a fitted model of ordered items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.findings import Check, message
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.cfa_table import ParameterTable
from mhlib.stats.measurement.ordinal_dwls import DwlsFit, Weighted, robust_covariance
from mhlib.stats.measurement.ordinal_moments import OrdinalMoments
from mhlib.stats.measurement.ordinal_standardised import standardised_solution
from mhlib.stats.measurement.ordinal_tests import SCALINGS, Chi2, baseline_tests, fit_indices, model_test, srmr_of
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfaOrdinalResult:
    """A fitted measurement model of ordered items.

    Attributes
    ----------
    parameters : pandas.DataFrame
        `group, lhs, op, rhs, free, estimate, std_error, z, p_value, conf_low, conf_high`, as lavaan names them
        (=~ loading, ~~ (co)variance, | threshold, ~1 intercept or mean, ~*~ scale); errors NaN where fixed.
    standardised : pandas.DataFrame
        `group, lhs, op, rhs, estimate, std_error, conf_low, conf_high`: loadings, factor and residual correlations.
    fit : pandas.DataFrame
        Rows `naive` and `scaled`; columns `chi2, df, p_value, cfi, tli, rmsea, rmsea_low, rmsea_high, scale, shift,
        srmr` (RMSEA interval 90 per cent). Judge by `scaled`: `naive` does not follow a chi-square.
    residuals : mapping of str to pandas.DataFrame
        By group, polychoric correlation less the model's.
    improper : tuple of str
        Items with a negative residual variance, and 'factors' where these correlate beyond 1, with the group.
    checks : tuple of Check
        Possible estimates, no empty cells, no correlation at its bound, no merged categories.
    at_bound : tuple of str
        Correlations that ran to +-.999, with the group.
    merged : tuple of str
        Categories merged in all groups.
    n_zero_cells : int
        Pairs of items (over groups) with an empty cell.
    n_clusters : int or None
        Clusters behind the errors, whose intervals then use t with clusters less groups degrees of freedom.
    solution, data
        For tests against other models of the same moments.
    """

    parameters: pd.DataFrame = field(repr=False)
    standardised: pd.DataFrame = field(repr=False)
    fit: pd.DataFrame = field(repr=False)
    residuals: Mapping[str, pd.DataFrame] = field(repr=False)
    improper: tuple[str, ...]
    at_bound: tuple[str, ...]
    checks: tuple[Check, ...] = field(repr=False)
    groups: tuple[str, ...]
    n_by_group: pd.Series = field(repr=False)
    merged: tuple[str, ...]
    n_zero_cells: int
    parameterization: str
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float
    solution: DwlsFit = field(repr=False)
    data: Weighted = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """The standardised solution, terms as `f=~x1`, `f~~g`, `x1~~x2`, with `group`."""
        found = self.standardised
        return term_frame(
            found.assign(term=found["lhs"] + found["op"] + found["rhs"])[
                ["term", "estimate", "std_error", "conf_low", "conf_high", "group"]
            ].to_dict("records")
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """Moments by group with all that a result says of where they come from."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    moments: tuple[OrdinalMoments, ...]
    data: Weighted
    merged: tuple[str, ...]
    n_excluded: int
    levels: tuple[np.ndarray, ...] = ()
    n_clusters: int | None = None

    @property
    def df(self) -> float:
        """Degrees of freedom of a standard error: clusters less groups; infinite without clusters."""
        return np.inf if self.n_clusters is None else float(self.n_clusters - len(self.groups))

    @property
    def gaps(self) -> tuple[np.ndarray, ...]:
        """Points gained at each threshold of each item; 1 where the answers themselves are not known."""
        if not self.levels:
            return tuple(np.ones(count - 1) for count in self.ordered.values())
        return tuple(np.diff(level) for level in self.levels)

    @property
    def ordered(self) -> dict[str, int]:
        """Number of categories by item."""
        return dict(zip(self.names, (int(count) for count in self.moments[0].n_categories), strict=True))


def as_result(
    prepared: Prepared, table: ParameterTable, solution: DwlsFit, parameterization: str, scaling: str, conf_level: float
) -> CfaOrdinalResult:
    """The record of a solution."""
    covariance = robust_covariance(solution, prepared.data)
    names, groups = prepared.names, prepared.groups
    gaps = prepared.data.values - solution.found.moments
    cut = len(solution.model.item)
    n = pd.Series([one.n for one in prepared.moments], index=list(groups), name="n")
    zero = sum(zero_pairs(one) for one in prepared.moments)
    by_cluster = "" if prepared.n_clusters is None else " by cluster"
    return CfaOrdinalResult(
        parameters=parameter_frame(table, solution, covariance, conf_level, prepared.df),
        standardised=standardised_solution(solution, covariance, conf_level, prepared.df),
        fit=fit_frame(solution, prepared.data, cut, scaling),
        residuals={name: residual_frame(gap[cut:], names) for name, gap in zip(groups, gaps, strict=True)},
        improper=(improper := improper_parts(solution)),
        at_bound=(bound := pairs_at_bound(prepared)),
        checks=record_checks(improper, zero, bound, prepared.merged),
        groups=groups,
        n_by_group=n,
        merged=prepared.merged,
        n_zero_cells=zero,
        parameterization=parameterization,
        n_clusters=prepared.n_clusters,
        n_used=int(n.sum()),
        n_excluded=prepared.n_excluded,
        method=f"diagonally weighted least squares, robust errors{by_cluster}, {SCALINGS[scaling]}, {parameterization}",
        conf_level=conf_level,
        solution=solution,
        data=prepared.data,
    )


def zero_pairs(moments: OrdinalMoments) -> int:
    """Pairs of items with an empty cell."""
    if moments.tables is None:
        return 0
    first, second = moments.tables.pairs
    size = moments.tables.n_categories[first] * moments.tables.n_categories[second]
    return int(((moments.tables.tables > 0).sum(axis=(1, 2)) < size).sum())


def parameter_frame(
    table: ParameterTable, solution: DwlsFit, covariance: np.ndarray | None, conf_level: float, df: float
) -> pd.DataFrame:
    """Every parameter of every group with its robust error."""
    place = np.array(table.free)
    free = place >= 0
    estimate = np.array([np.nan if row.value is None else row.value for row in table.rows])
    estimate[free] = solution.theta[place[free]]
    error = np.full(len(place), np.nan)
    if covariance is not None:
        error[free] = np.sqrt(np.diag(covariance))[place[free]]
    frame = pd.DataFrame(
        {
            "group": [table.groups[row.group] for row in table.rows],
            "lhs": [row.lhs for row in table.rows],
            "op": [row.op for row in table.rows],
            "rhs": [row.rhs for row in table.rows],
            "free": free,
            "estimate": following_residuals(table, solution, estimate),
            "std_error": error,
        }
    )
    frame["z"] = frame["estimate"] / frame["std_error"]
    frame["p_value"] = 2 * stats.t.sf(frame["z"].abs(), df)
    half = critical(conf_level, df) * frame["std_error"]
    return frame.assign(conf_low=frame["estimate"] - half, conf_high=frame["estimate"] + half)


def following_residuals(table: ParameterTable, solution: DwlsFit, estimate: np.ndarray) -> np.ndarray:
    """Put in what follows from the other parameters: residual variances under delta, scales under theta."""
    item = {name: i for i, name in enumerate(table.observed)}
    for at, row in enumerate(table.rows):
        if row.lhs == row.rhs and row.lhs in item:
            if row.op == "~~" and not solution.model.theta_form:
                estimate[at] = solution.found.residual[row.group, item[row.lhs]]
            if row.op == "~*~" and solution.model.theta_form:
                estimate[at] = solution.found.spread[row.group, item[row.lhs]]
    return estimate


def fit_frame(solution: DwlsFit, data: Weighted, cut: int, scaling: str) -> pd.DataFrame:
    """Naive and scaled fit indices."""
    n, groups = float(data.n.sum()) - len(data.n), len(data.n)
    naive = Chi2(solution.chi2, solution.df, effective_df=solution.df)
    test = model_test(solution, data, scaling)
    base, base_scaled = baseline_tests(data, cut, scaling)
    read = test.value if scaling == "scaled_shifted" else solution.chi2
    rows = {
        "naive": fit_indices(naive, base, naive.value, n, groups),
        "scaled": fit_indices(test, base_scaled, read, n, groups),
    }
    frame = pd.DataFrame(rows).T.assign(srmr=srmr_of(solution, data, solution.found.spread.shape[1]))
    return frame.astype({"df": int})


def residual_frame(gap: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Residual correlations, 0 on the diagonal."""
    matrix = np.zeros((len(names),) * 2)
    matrix[np.triu_indices(len(names), 1)] = gap
    return pd.DataFrame(matrix + matrix.T, list(names), list(names))


def improper_parts(solution: DwlsFit) -> tuple[str, ...]:
    """Negative residual variances, and factor covariances that are no covariance matrix."""
    built, found = solution.model.built, []
    for g, group in enumerate(built.groups):
        inside = f" [{group}]" if len(built.groups) > 1 else ""
        found += [built.observed[i] + inside for i in np.flatnonzero(solution.found.residual[g] < 0)]
        if np.linalg.eigvalsh(solution.found.at.latent[g])[0] < -1e-8:
            found.append("factors" + inside)
    return tuple(found)


def pairs_at_bound(prepared: Prepared) -> tuple[str, ...]:
    """Correlations at their bound, as `x1~~x2`, with the group."""
    first, second = np.triu_indices(len(prepared.names), 1)
    found = []
    for group, one in zip(prepared.groups, prepared.moments, strict=True):
        inside = f" [{group}]" if len(prepared.groups) > 1 else ""
        for p in np.flatnonzero(one.at_bound) if one.at_bound is not None else ():
            found.append(f"{prepared.names[first[p]]}~~{prepared.names[second[p]]}{inside}")
    return tuple(found)


def record_checks(
    improper: Sequence[str], n_zero: int, bound: Sequence[str], merged: Sequence[str]
) -> tuple[Check, ...]:
    """What should hold beside the fit."""
    return (
        Check(
            message("No variance below 0"),
            not improper,
            message("Improper estimates: {cases}", cases=", ".join(improper))
            if improper
            else message("All variances are above 0."),
        ),
        Check(
            message("No empty cells in pairs of items"),
            n_zero == 0,
            message("Tables of two items with an empty cell: {n}; their correlations are less sure.", n=n_zero)
            if n_zero
            else message("Every combination of answers to two items occurs."),
        ),
        Check(
            message("No correlation at its bound"),
            not bound,
            message("Correlations at their bound: {pairs}; the fit cannot be trusted.", pairs=", ".join(bound))
            if bound
            else message("All correlations lie within their bounds."),
        ),
        Check(
            message("No merged categories"),
            not merged,
            message("Rare categories merged in all groups: {merged}", merged=", ".join(merged))
            if merged
            else message("All categories are used by every group."),
        ),
    )
