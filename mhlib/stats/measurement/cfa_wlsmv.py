"""Confirmatory factor analysis of ordered items: diagonally weighted least squares with robust errors and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.measurement.cfa_fitted import few_clusters
from mhlib.stats.measurement.cfa_matrices import MATRICES, Structure, structure
from mhlib.stats.measurement.cfa_table import ParameterTable, parameter_table
from mhlib.stats.measurement.model_syntax import parse_model
from mhlib.stats.measurement.ordinal_codes import OrdinalCodes, ordinal_codes
from mhlib.stats.measurement.ordinal_dwls import fit_dwls, weighted
from mhlib.stats.measurement.ordinal_model import ordinal_model
from mhlib.stats.measurement.ordinal_moments import OrdinalMoments, moments_by_group
from mhlib.stats.measurement.ordinal_record import CfaOrdinalResult, Prepared, as_result
from mhlib.stats.measurement.ordinal_start import start_values
from mhlib.stats.measurement.ordinal_tests import SCALINGS
from mhlib.stats.measurement.polychoric_correlation import PolychoricResult


def fit_wlsmv(
    data: pd.DataFrame,
    model: str,
    *,
    groups: object = None,
    scaling: str = "scaled_shifted",
    parameterization: str = "delta",
    std_lv: bool = False,
    orthogonal: bool = False,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    missing: str = "listwise",
    least_count: int = 1,
    reference: object = None,
    means: bool = True,
    cluster: object = None,
    conf_level: float = 0.95,
) -> CfaOrdinalResult | Refused:
    """Fit a measurement model to ordered items.

    Parameters
    ----------
    data : DataFrame, shape (n, ...)
        Columns named in the model; answers in at most 20 categories, reversed items already turned.
    model : str
        lavaan's language: `f =~ x1 + x2 + x3`, `x1 ~~ x2`, …
    groups : str or array-like, optional
        A column, or one label a row; rows without a label are left out and counted.
    scaling : {'scaled_shifted', 'mean_adjusted'}
        WLSMV or WLSM.
    parameterization : {'delta', 'theta'}
        Scales or residual variances of the answers behind the items are the parameters.
    std_lv, orthogonal, equal, partial
        As in :func:`cfa`: factor variances 1, no factor correlations, equalities over groups, and exceptions.
    missing : {'listwise', 'pairwise'}
    least_count : int
        Categories rarer than this in any group are merged with a neighbour in all groups; the record says which.
    reference : optional
        Group that comes first; default the first in sorted order.
    means : bool
        Thresholds and intercepts are always parameters here; the option is that of :func:`cfa`.
    cluster : str or array-like, optional
        School or class of each person, each within one group. Estimates and weights stay; errors and scaled tests take
        the answers within a cluster as dependent.
    conf_level : float

    Returns
    -------
    CfaOrdinalResult or Refused
        Codes `cfa_not_identified`, `cfa_not_converged`, `cfa_too_few_people`, `cfa_degenerate_correlation`,
        `cfa_few_clusters`.

    Raises
    ------
    ParamsError
        Faults of the model, all at once; an option that is not offered.
    DataError
        Answers that are no categories.
    DesignError
        Fewer than three people in a group, or two categories of an item; a cluster in several groups.

    Notes
    -----
    F = sum over groups of (n_g - 1)/N r'W r, r = thresholds and polychoric correlations less the model's, W the inverse
    diagonal of Gamma. Standard errors are the sandwich with the whole Gamma; the test is scaled and shifted to the mean
    and variance of chi-square. By cluster, scores are summed within clusters before Gamma is formed (checked by recovery,
    lavaan has none). References: Muthen (1984); Muthen, du Toit and Spisic (1997); Asparouhov and Muthen
    (2010).
    Checked against: tests/oracle/ordinal_fits.csv (lavaan::cfa with ordered items).
    """
    where = "cfa"
    if not means:
        raise ParamsError(where, "ordered items have thresholds always", remedy="leave `means` out")
    prepared = prepare(
        data, model, groups=groups, missing=missing, least_count=least_count, reference=reference, cluster=cluster,
        where=where,
    )  # fmt: skip
    if refused := few_clusters(prepared.n_clusters):
        return refused
    table = parameter_table(
        model,
        columns=prepared.names,
        groups=prepared.groups,
        std_lv=std_lv,
        orthogonal=orthogonal,
        equal=equal,
        partial=partial,
        ordered=prepared.ordered,
        parameterization=parameterization,
        where=where,
    )
    return fit_table(prepared, table, parameterization, scaling=scaling, conf_level=conf_level, where=where)


def fit_wlsmv_from_polychoric(
    correlations: PolychoricResult | Mapping[str, PolychoricResult],
    model: str,
    *,
    scaling: str = "scaled_shifted",
    parameterization: str = "delta",
    std_lv: bool = False,
    orthogonal: bool = False,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    conf_level: float = 0.95,
) -> CfaOrdinalResult | Refused:
    """Fit a measurement model to polychoric correlations, thresholds and their Gamma.

    Parameters
    ----------
    correlations : PolychoricResult, or mapping of group to PolychoricResult
        From :func:`polychoric` with `gamma=True`; without gamma the estimates and the naive test are the same, and
        robust errors and scaled tests are NaN.
    model, scaling, parameterization, std_lv, orthogonal, equal, partial, conf_level
        As in :func:`fit_wlsmv`.

    Returns
    -------
    CfaOrdinalResult or Refused
        The digits of :func:`fit_wlsmv` on the rows.

    Raises
    ------
    DataError
        Groups that differ in items or categories.
    ParamsError
        As in :func:`fit_wlsmv`.

    Notes
    -----
    Checked against: tests/oracle/ordinal_fits.csv (lavaan::cfa with ordered items).
    """
    where = "fit_wlsmv_from_polychoric"
    given = correlations if isinstance(correlations, Mapping) else {"all": correlations}
    names = model_items(model, list(next(iter(given.values())).correlation.index), where=where)
    moments = tuple(moments_of(one, names, where=where) for one in given.values())
    if any((one.n_categories != moments[0].n_categories).any() for one in moments):
        raise DataError(where, "groups differ in their categories", remedy="merge categories alike in all groups")
    merged = tuple(dict.fromkeys(said for one in given.values() for said in one.merged))
    n_excluded = sum(one.n_excluded for one in given.values())
    groups = tuple(str(name) for name in given)
    prepared = Prepared(names, groups, moments, weighted(moments), merged, n_excluded)
    table = parameter_table(
        model, columns=names, groups=groups, std_lv=std_lv, orthogonal=orthogonal, equal=equal, partial=partial,
        ordered=prepared.ordered, parameterization=parameterization, where=where,
    )  # fmt: skip
    return fit_table(prepared, table, parameterization, scaling=scaling, conf_level=conf_level, where=where)


def moments_of(found: PolychoricResult, names: Sequence[str], *, where: str) -> OrdinalMoments:
    """Moments of the items of a model from a record of polychoric correlations."""
    if missing := [name for name in names if name not in found.correlation.index]:
        raise DataError(where, "no correlations of " + ", ".join(missing))
    steps = found.thresholds.index.get_level_values("item")
    own = [found.thresholds[steps == name] for name in names]
    errors = [found.threshold_errors[steps == name] for name in names]
    upper = np.triu_indices(len(names), 1)
    square = found.correlation.loc[list(names), list(names)].to_numpy()[upper]
    spread = found.std_error.loc[list(names), list(names)].to_numpy()[upper]
    values = np.concatenate([*own, square])
    gamma = None
    if found.gamma is not None:
        place = {label: i for i, label in enumerate(found.gamma.index)}
        order = [place[f"{name}|t{t + 1}"] for name, one in zip(names, own, strict=True) for t in range(len(one))]
        for i, j in zip(*upper, strict=True):
            first, second = f"{names[i]}~~{names[j]}", f"{names[j]}~~{names[i]}"
            order.append(place[first] if first in place else place[second])
        gamma = found.gamma.to_numpy()[np.ix_(order, order)]
        weights = np.diag(gamma).copy()
    else:
        weights = np.concatenate([*errors, spread]) ** 2 * found.n_used
    return OrdinalMoments(values, weights, gamma, found.n_used, np.array([len(one) + 1 for one in own]))


def model_items(model: str, columns: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Items of a model in the order of the text."""
    terms = [term for term in parse_model(model, where=where) if term.op == "=~"]
    latent = {term.lhs for term in terms}
    names = tuple(dict.fromkeys(term.rhs for term in terms if term.rhs not in latent))
    if not names or set(names) - {str(name) for name in columns}:
        # Its errors name every fault and the nearest known column.
        return parameter_table(model, columns=columns, where=where).observed
    return names


def prepare(
    data: pd.DataFrame,
    model: str,
    *,
    groups: object,
    missing: str,
    least_count: int,
    reference: object,
    cluster: object = None,
    where: str,
) -> Prepared:
    """Moments by group of the items that a model names."""
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"{where}(data)", "is not a DataFrame", allowed="columns named as in the model")
    names = model_items(model, [str(name) for name in data.columns], where=where)
    if isinstance(groups, str):
        if groups not in data:
            raise ParamsError(f"{where}(groups)", f"the data have no column '{groups}'")
        groups = data[groups]
    coded = ordinal_codes(data[list(names)], where=where, missing=missing, groups=groups, least_count=least_count)
    order = group_order(coded, reference, where=where)
    clusters = clusters_of(data, cluster, coded, where=where)
    moments = moments_by_group(coded, cluster=clusters, where=where)
    moments = tuple(moments[index] for index in order)
    labels = tuple(str(coded.groups[index]) for index in order)
    n_clusters = None if clusters is None else int(clusters.max()) + 1
    return Prepared(names, labels, moments, weighted(moments), coded.merged, coded.n_excluded, coded.levels, n_clusters)


def clusters_of(data: pd.DataFrame, cluster: object, coded: OrdinalCodes, *, where: str) -> np.ndarray | None:
    """Cluster of each row kept, 0 to C - 1."""
    if cluster is None:
        return None
    if isinstance(cluster, str):
        if cluster not in data:
            raise ParamsError(f"{where}(cluster)", f"the data have no column '{cluster}'")
        cluster = data[cluster]
    inputs.same_length(where, data=data, cluster=cluster)
    code, _ = inputs.codes(cluster, where=where, name="cluster")
    return np.unique(code[coded.kept], return_inverse=True)[1]


def group_order(coded: OrdinalCodes, reference: object, *, where: str) -> list[int]:
    """Index of each group, the reference first."""
    labels = [str(label) for label in coded.groups]
    if reference is None:
        return list(range(len(labels)))
    if str(reference) not in labels:
        raise ParamsError(f"{where}(reference)", "is no group of the data", allowed="one of " + ", ".join(labels))
    first = labels.index(str(reference))
    return [first, *(index for index in range(len(labels)) if index != first)]


def fit_one_factor(
    moments: tuple[OrdinalMoments, ...], coded: OrdinalCodes, *, conf_level: float, where: str
) -> CfaOrdinalResult | Refused:
    """Fit one factor to the moments of one group; items may have any names."""
    prepared = Prepared(coded.names, ("all",), moments, weighted(moments), coded.merged, coded.n_excluded, coded.levels)
    factor = "f"
    while factor in coded.names:
        factor += "_"
    # The text is written with names that can be read back, then the rows get the items' own.
    plain = tuple(f"i{j}" for j in range(len(coded.names)))
    own = dict(zip(plain, coded.names, strict=True))
    counts = dict(zip(plain, prepared.ordered.values(), strict=True))
    text = "F =~ " + " + ".join(plain)
    table = parameter_table(text, columns=plain, std_lv=True, ordered=counts, where=where)
    own["F"] = factor
    rows = (replace(row, lhs=own.get(row.lhs, row.lhs), rhs=own.get(row.rhs, row.rhs)) for row in table.rows)
    table = ParameterTable.of(rows, table.groups, coded.names, (factor,), prepared.ordered)
    return fit_table(prepared, table, "delta", conf_level=conf_level, where=where)


def fit_table(
    prepared: Prepared,
    table: ParameterTable,
    parameterization: str,
    *,
    scaling: str = "scaled_shifted",
    conf_level: float = 0.95,
    start: np.ndarray | None = None,
    where: str,
) -> CfaOrdinalResult | Refused:
    """Fit a parameter table to prepared moments."""
    inputs.one_of(parameterization, ("delta", "theta"), where=where, name="parameterization")
    inputs.one_of(scaling, tuple(SCALINGS), where=where, name="scaling")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    built = structure(table)
    refused = refusal_before(prepared, built)
    if refused is not None:
        return refused
    theta_form = parameterization == "theta"
    if start is None:
        start = start_values(table, prepared.moments, built.thresholds, theta_form)
    solution = fit_dwls(ordinal_model(built, parameterization), prepared.data, start)
    if isinstance(solution, Refused):
        return solution
    return as_result(prepared, table, solution, parameterization, scaling, conf_level)


def refusal_before(prepared: Prepared, built: Structure) -> Refused | None:
    """Why no search is begun: fewer people than parameters, or items that determine one another."""
    own = [built.slots[name].index for name in MATRICES if name != "threshold"]
    needed = [len(np.unique(np.concatenate([index[g] for index in own]))) for g in range(len(prepared.groups))]
    least = [max(count, len(prepared.names) + 1) for count in needed]
    few = [name for name, one, count in zip(prepared.groups, prepared.moments, least, strict=True) if one.n < count]
    if few:
        return Refused(
            "cfa_too_few_people",
            message(
                "Fewer people with complete answers than free parameters (at least {needed} are needed): {groups}.",
                needed=max(least),
                groups=", ".join(few),
            ),
            message("Collect more answers, merge groups, or fit a smaller model."),
        )
    first, second = np.triu_indices(len(prepared.names), 1)
    unsure = np.any([~np.isfinite(one.weights[one.n_thresholds :]) for one in prepared.moments], axis=0)
    if not unsure.any():
        return None
    pairs = [f"{prepared.names[first[p]]}, {prepared.names[second[p]]}" for p in np.flatnonzero(unsure)]
    return Refused(
        "cfa_degenerate_correlation",
        message(
            "Answers to two items determine one another, so no error can be given: {pairs}.", pairs="; ".join(pairs)
        ),
        message("Leave one of the items out, merge rare categories, or collect more answers."),
    )
