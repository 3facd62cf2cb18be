"""Confirmatory factor analysis from rows or from covariances."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check, Refused
from mhlib.stats import inputs
from mhlib.stats.measurement.cfa_fitted import Fitted, few_clusters, fit_table, model_checks
from mhlib.stats.measurement.cfa_indices import FitIndices, residual_correlations
from mhlib.stats.measurement.cfa_modification import equality_table, modification_table
from mhlib.stats.measurement.cfa_moments import (
    Rows,
    complete_rows,
    group_codes,
    moments_of_covariance,
    moments_of_rows,
    selected,
)
from mhlib.stats.measurement.cfa_reliability import bifactor_table, htmt_table, reliability_table
from mhlib.stats.measurement.cfa_robust import Variation
from mhlib.stats.measurement.cfa_standardised import estimate_table
from mhlib.stats.measurement.cfa_table import parameter_table
from mhlib.stats.measurement.cfa_variation import variation_of
from mhlib.stats.terms import term_frame

ESTIMATORS = {"ml": "maximum likelihood", "mlr": "maximum likelihood, robust errors and scaled chi2 (Yuan-Bentler)"}
WLSMV = "mhlib.stats.measurement.cfa_wlsmv"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfaResult:
    """A fitted factor model.

    Attributes
    ----------
    estimates : DataFrame
        One row a parameter and group, see :meth:`to_frame`.
    fit : FitIndices
    reliability : DataFrame
        `group, factor, n_items, omega, std_error, conf_low, conf_high, omega_observed, ave`.
    htmt : DataFrame
        `group, first, second, htmt`.
    bifactor : DataFrame or None
        `group, general, ecv, omega_total, omega_hierarchical, puc`, of bifactor models only.
    modification : DataFrame
        `term, group, lhs, op, rhs, mi, p_value, epc, epc_std`, largest first.
    equalities : DataFrame or None
        Score tests of parameters equal over groups: `term, score_chi2, df, p_value, group, epc`.
    residuals : mapping of str to DataFrame
        By group: sample less implied correlations, items by items.
    improper : tuple of str
        Negative variances (Heywood cases) and factor covariances that are not positive definite; empty is good.
    checks : tuple of Check
    groups : tuple of str
        The first is the reference.
    n_by_group, n_excluded_by_group : mapping of str to int
    fitted : Fitted
        The numerical state, for :func:`factor_scores` and nested comparisons.
    """

    estimates: pd.DataFrame = field(repr=False)
    fit: FitIndices
    reliability: pd.DataFrame = field(repr=False)
    htmt: pd.DataFrame = field(repr=False)
    bifactor: pd.DataFrame | None = field(repr=False)
    modification: pd.DataFrame = field(repr=False)
    equalities: pd.DataFrame | None = field(repr=False)
    residuals: Mapping[str, pd.DataFrame] = field(repr=False)
    improper: tuple[str, ...]
    checks: tuple[Check, ...] = field(repr=False)
    groups: tuple[str, ...]
    n_by_group: Mapping[str, int]
    n_excluded_by_group: Mapping[str, int]
    fitted: Fitted = field(repr=False)
    estimator: str
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a parameter and group.

        Terms as `visual=~x1`, `x1~~x2`, `x1~1`; further columns `group, lhs, op, rhs, label, free, std, std_std_error,
        std_low, std_high, n_used`.
        """
        return term_frame(self.estimates.to_dict("records")).assign(n_used=self.n_used)

    def factor_correlations(self) -> pd.DataFrame:
        """`group, first, second, estimate, std_error, conf_low, conf_high` of each pair of factors."""
        latent = self.fitted.built.latent
        both = self.estimates["lhs"].isin(latent) & self.estimates["rhs"].isin(latent)
        pairs = self.estimates[both & (self.estimates["lhs"] != self.estimates["rhs"])]
        columns = {"lhs": "first", "rhs": "second", "std": "estimate", "std_std_error": "std_error",
                   "std_low": "conf_low", "std_high": "conf_high"}  # fmt: skip
        return pairs[["group", *columns]].rename(columns=columns).reset_index(drop=True)


def cfa(
    data: pd.DataFrame,
    model: str,
    *,
    estimator: str = "ml",
    groups: object = None,
    reference: object = None,
    std_lv: bool = False,
    means: bool = False,
    orthogonal: bool = False,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    information: str = "expected",
    cluster: object = None,
    conf_level: float = 0.95,
    **options: object,
) -> CfaResult | Refused:
    """Confirmatory factor analysis of rows.

    Parameters
    ----------
    data : DataFrame, shape (n, columns)
        One row a person, the items among its columns, already turned by the codebook.
    model : str
        In lavaan's language: `f =~ x1 + x2 + x3`, `x1 ~~ x2`, `a*`, `NA*`, `0*`, `c(a, b)*`; see :func:`parse_model`.
    estimator : {'ml', 'mlr', 'wlsmv'}
        Maximum likelihood; the same estimates with sandwich errors and scaled chi2, for answers that are not normal;
        ordered answers by weighted least squares (options: see `fit_wlsmv`).
    groups : str or array-like, optional
        Column (or values) of the group of each person.
    reference : optional
        Group to come first; its factor means are 0 when later ones are free. Default: the first in sorted order.
    std_lv, means, orthogonal, equal, partial
        See :func:`parameter_table`.
    information : {'expected', 'observed'}
        For the errors of "ml".
    cluster : str or array-like, optional
        School or class, for "mlr": errors and chi2 then allow for people of a cluster being alike. Intercepts are then
        parameters, as in lavaan; a cluster may reach over several groups.
    conf_level : float
    **options
        For "wlsmv" only.

    Returns
    -------
    CfaResult or Refused
        People who miss an item of the model are left out and counted by group. Refusals: `cfa_not_identified`,
        `cfa_too_few_people` (fewer than free parameters in a group), `cfa_few_clusters` (fewer than 10),
        `cfa_singular_covariance`, `cfa_not_converged`.

    Raises
    ------
    ParamsError
        Everything wrong with the model text and its names, at once; an unknown estimator or option.
    DataError
        Text or infinite answers, a row without group or cluster, a single group.

    Notes
    -----
    chi2 = n F with S divided by n, as lavaan's `likelihood = "normal"`; "mlr" gives lavaan's robust CFI and RMSEA.
    References: Joreskog (1969); Rosseel (2012) J Stat Softw 48(2); Yuan & Bentler (2000); Savalei (2018).
    Checked against: tests/oracle/cfa_fits.csv, tests/oracle/cfa_parameters.csv (lavaan 0.6-14).
    """
    settings = {"reference": (reference, None), "std_lv": (std_lv, False), "means": (means, False),
                "orthogonal": (orthogonal, False), "equal": (equal, ()), "partial": (partial, ()),
                "cluster": (cluster, None), "conf_level": (conf_level, 0.95)}  # fmt: skip
    if estimator == "wlsmv":
        given = {name: value for name, (value, usual) in settings.items() if value is not usual and value != usual}
        return wlsmv(data, model, groups, {**given, **options})
    demand_options(estimator, information, conf_level, cluster, options, where="cfa")
    code, names = group_codes(demand_frame(data, where="cfa"), groups, reference, where="cfa")
    table = parameter_table(
        model, columns=columns_of(data, groups), groups=names, std_lv=std_lv, means=means or cluster is not None,
        orthogonal=orthogonal, equal=equal, partial=partial,
    )  # fmt: skip
    rows = complete_rows(data, table.observed, code, names, where="cfa(data)")
    moments = moments_of_rows(rows)
    variation = None
    if estimator == "mlr" and (moments.n > 1).all():
        clusters = clusters_of(data, cluster, rows, where="cfa")
        if refused := few_clusters(clusters and clusters[1]):
            return refused
        variation = variation_of(rows, moments, clusters)
    fitted = fit_table(table, moments, estimator=estimator, information=information, variation=variation)
    return fitted if isinstance(fitted, Refused) else cfa_record(fitted, conf_level, variation)


def cfa_from_covariance(
    cov: object,
    n: object,
    model: str,
    *,
    names: Sequence[str] | None = None,
    mean: object = None,
    n_excluded: object = None,
    reference: object = None,
    std_lv: bool = False,
    means: bool = False,
    orthogonal: bool = False,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    information: str = "expected",
    conf_level: float = 0.95,
) -> CfaResult | Refused:
    """Confirmatory factor analysis from covariances, means and numbers of people (maximum likelihood).

    Parameters
    ----------
    cov : DataFrame or array-like, shape (k, k), or mapping of group to such
        Divided by n - 1.
    n : int, or mapping of group to int
    model : str
    names : sequence of str, optional
        Of the items, in the order of `cov`; the columns of a DataFrame by themselves.
    mean : array-like, shape (k,), or mapping; needed with groups or `means`
    n_excluded : int or mapping, optional
        Carried into the record.
    reference : optional
        Group to come first; default the first of the mapping.
    std_lv, means, orthogonal, equal, partial, information, conf_level
        As in :func:`cfa`.

    Returns
    -------
    CfaResult or Refused
        The same digits as :func:`cfa` on the rows.

    Raises
    ------
    ParamsError, DataError, DesignError
        As :func:`cfa`; also means that are needed and missing.

    Notes
    -----
    Checked against: tests/oracle/cfa_fits.csv, tests/oracle/cfa_parameters.csv (lavaan 0.6-14).
    """
    where = "cfa_from_covariance"
    demand_options("ml", information, conf_level, None, {}, where=where)
    grouped = isinstance(cov, Mapping)
    if grouped and reference is not None:
        cov = dict(sorted(cov.items(), key=lambda item: str(item[0]) != str(reference)))
    if names is None:
        first = next(iter(cov.values())) if grouped else cov
        if not isinstance(first, pd.DataFrame):
            raise ParamsError(f"{where}(names)", "the items have no names", remedy="give names= or a DataFrame")
        names = list(first.columns)
    moments = moments_of_covariance(cov, n, names, mean=mean, n_excluded=n_excluded, where=where)
    table = parameter_table(
        model, columns=names, groups=moments.groups, std_lv=std_lv, means=means, orthogonal=orthogonal, equal=equal,
        partial=partial, where=where,
    )  # fmt: skip
    if table.has_means and mean is None:
        raise DesignError(f"{where}(mean)", "the model has means, but none are given", remedy="give mean=")
    fitted = fit_table(table, selected(moments, table.observed), information=information)
    return fitted if isinstance(fitted, Refused) else cfa_record(fitted, conf_level, None)


def cfa_record(fitted: Fitted, conf_level: float, variation: Variation | None) -> CfaResult:
    """Everything that a fitted model tells."""
    moments, several = fitted.moments, len(fitted.built.groups) > 1
    rest = residual_correlations(moments, fitted.found.point)
    names, groups = list(moments.names), moments.groups
    n_clusters = None if variation is None else variation.n_clusters
    return CfaResult(
        estimates=estimate_table(fitted, conf_level),
        fit=fitted.indices,
        reliability=reliability_table(fitted, conf_level),
        htmt=htmt_table(fitted),
        bifactor=bifactor_table(fitted),
        modification=modification_table(fitted),
        equalities=equality_table(fitted) if several else None,
        residuals={g: pd.DataFrame(r, index=names, columns=names) for g, r in zip(groups, rest, strict=True)},
        improper=fitted.improper,
        checks=model_checks(fitted, n_clusters),
        groups=groups,
        n_by_group=dict(zip(groups, map(int, moments.n), strict=True)),
        n_excluded_by_group=dict(zip(groups, map(int, moments.n_excluded), strict=True)),
        fitted=fitted,
        estimator=fitted.estimator,
        n_clusters=n_clusters,
        n_used=int(moments.n.sum()),
        n_excluded=int(moments.n_excluded.sum()),
        method=f"confirmatory factor analysis, {ESTIMATORS[fitted.estimator]}" + (", by cluster" if n_clusters else ""),
        conf_level=conf_level,
    )


def demand_frame(data: object, *, where: str) -> pd.DataFrame:
    """Pass a frame on, or say that one is needed."""
    if not isinstance(data, pd.DataFrame):
        raise DataError(
            f"{where}(data)", "is no data frame", remedy="name the columns: pandas.DataFrame(rows, columns=…)"
        )
    return data


def demand_options(
    estimator: str, information: str, conf_level: float, cluster: object, options: Mapping, *, where: str
) -> None:
    """Stop at unknown or idle options."""
    inputs.one_of(estimator, (*ESTIMATORS, "wlsmv"), where=where, name="estimator")
    inputs.one_of(information, ("expected", "observed"), where=where, name="information")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if options:
        raise ParamsError(where, "options that are not known: " + ", ".join(options), allowed="see the documentation")
    if cluster is not None and estimator != "mlr":
        raise ParamsError(
            f"{where}(cluster)", f"estimator '{estimator}' knows no clusters", remedy="use estimator='mlr'"
        )


def columns_of(data: pd.DataFrame, groups: object) -> list[str]:
    """Columns that may be items."""
    return [name for name in data.columns if not (isinstance(groups, str) and name == groups)]


def clusters_of(data: pd.DataFrame, cluster: object, rows: Rows, *, where: str) -> tuple[np.ndarray, int] | None:
    """Cluster codes of the complete rows and their number."""
    if cluster is None:
        return None
    if isinstance(cluster, str):
        if cluster not in data:
            raise ParamsError(f"{where}(cluster)", f"the data have no column '{cluster}'")
        cluster = data[cluster]
    inputs.same_length(where, data=data, cluster=cluster)
    code, _ = inputs.codes(cluster, where=where, name="cluster")
    code, kept = np.unique(code[rows.kept], return_inverse=True)
    if len(code) < 2:
        raise DesignError(f"{where}(cluster)", "fewer than two clusters", allowed="two or more, better 30")
    return kept, len(code)


def wlsmv(data: pd.DataFrame, model: str, groups: object, options: Mapping[str, object]) -> object:
    """Hand over to the estimator for ordered answers."""
    fit = importlib.import_module(WLSMV).fit_wlsmv
    known = [name for name in inspect.signature(fit).parameters if name not in ("data", "model")]
    if unknown := [name for name in options if name not in known]:
        raise ParamsError(
            "cfa", "options that 'wlsmv' does not know: " + ", ".join(unknown), allowed="one of " + ", ".join(known)
        )
    return fit(data, model, groups=groups, **options)
