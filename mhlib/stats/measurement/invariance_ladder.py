"""Measurement invariance over groups: does the scale measure the same thing, in the same unit, from the same zero?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Message, Refused, message
from mhlib.stats import inputs
from mhlib.stats.measurement.cfa_fitted import Fitted, few_clusters
from mhlib.stats.measurement.cfa_model import ESTIMATORS, clusters_of, columns_of, demand_frame, demand_options
from mhlib.stats.measurement.cfa_moments import (
    Moments,
    complete_rows,
    group_codes,
    moments_of_covariance,
    moments_of_rows,
    selected,
)
from mhlib.stats.measurement.cfa_robust import Variation
from mhlib.stats.measurement.cfa_table import ParameterTable, parameter_table
from mhlib.stats.measurement.cfa_variation import variation_of
from mhlib.stats.measurement.invariance_effects import latent_means, score_effect, suggestions
from mhlib.stats.measurement.invariance_steps import (
    CHEN_CFI,
    CHEN_RMSEA,
    CHEN_SRMR,
    EQUAL,
    fit_steps,
    highest,
    ladder_table,
    plan_steps,
)
from mhlib.stats.terms import term_frame

if TYPE_CHECKING:
    from mhlib.stats.measurement.invariance_ordinal import OrdinalInvarianceResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvarianceResult:
    """The ladder of invariance.

    Attributes
    ----------
    steps : DataFrame
        One row a model: `step, against, chi2, df, p_value, cfi, tli, rmsea, rmsea_low, rmsea_high, srmr, aic, bic, n_free,
        diff_chi2, diff_df, diff_p, delta_cfi, delta_rmsea, delta_srmr, holds`.
    highest : str
        The strictest step that holds by the rule with every step before it ("configural" if none).
    rule : Message
        Chen's (2007) rule as it was applied.
    latent_means : DataFrame
        `group, factor, estimate, std_error, conf_low, conf_high, p_value, effect` of `means_from`; empty without it.
    means_from : str or None
        "partial_scalar" where asked for, else "scalar".
    suggestions : DataFrame
        `step, term, score_chi2, df, p_value, group, epc`: which equality fits worst.
    score_effect : DataFrame or None
        `group, level, estimate, std_error, conf_low, conf_high` in points of the total, of the partial scalar model only.
    stopped : Refused or None
        Why the ladder ended before its last step.
    reference : str
        The group whose factor means are 0.
    models : mapping of str to Fitted
    """

    steps: pd.DataFrame = field(repr=False)
    highest: str
    rule: Message = field(repr=False)
    latent_means: pd.DataFrame = field(repr=False)
    means_from: str | None
    suggestions: pd.DataFrame = field(repr=False)
    score_effect: pd.DataFrame | None = field(repr=False)
    stopped: Refused | None
    reference: str
    groups: tuple[str, ...]
    partial: tuple[str, ...]
    models: Mapping[str, Fitted] = field(repr=False)
    estimator: str
    n_by_group: Mapping[str, int]
    n_excluded_by_group: Mapping[str, int]
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a step: `estimate` is CFI, `p_value` that of the difference; the other columns of `steps` follow."""
        rows = [
            {"term": row["step"], "estimate": row["cfi"], "p_value": row["diff_p"],
             **{("model_p" if name == "p_value" else name): value for name, value in row.items()
                if name not in ("step", "diff_p")}}
            for row in self.steps.to_dict("records")
        ]  # fmt: skip
        return term_frame(rows).assign(n_used=self.n_used)


def invariance(
    data: pd.DataFrame,
    model: str,
    *,
    groups: object,
    estimator: str = "ml",
    partial: Sequence[str] = (),
    last: str = "strict",
    reference: object = None,
    std_lv: bool = False,
    cluster: object = None,
    conf_level: float = 0.95,
    **options: object,
) -> InvarianceResult | OrdinalInvarianceResult | Refused:
    """Configural, metric, scalar and strict invariance of a factor model over groups.

    Parameters
    ----------
    data : DataFrame, shape (n, columns)
    model : str
        In lavaan's language, see :func:`parse_model`.
    groups : str or array-like
        Column (or values) of the group of each person.
    estimator : {'ml', 'mlr', 'wlsmv'}
        With "mlr" the differences are Satorra & Bentler's (2001). "wlsmv" hands ordered answers to
        :func:`invariance_wlsmv`, whose steps (Wu & Estabrook 2016) differ; `last` and `std_lv` do not concern it.
    partial : sequence of str
        Parameters that groups need not share, as `f=~x2`, `x3~1`, `x1~~x1`. The full ladder is kept; the partial steps
        follow, each compared with the step before it.
    last : {'configural', 'metric', 'scalar', 'strict'}
    reference : optional
        Group whose factor means are 0; default the first in sorted order.
    std_lv : bool
        Factor variances 1 in the reference instead of first loadings.
    cluster : str or array-like, optional
        School or class, for "mlr".
    conf_level : float
    **options
        Of :func:`invariance_wlsmv` only, as `steps` or `least_count`.

    Returns
    -------
    InvarianceResult, OrdinalInvarianceResult or Refused
        Refused when the configural model is (see :func:`cfa`); a later step that is refused ends the ladder (`stopped`).

    Raises
    ------
    ParamsError, DataError
        As :func:`cfa`; a partial parameter that the model does not have.

    Notes
    -----
    metric: equal loadings; scalar: equal intercepts too (factor means of later groups free); strict: equal residual
    variances too. With many people every difference is significant: read the changes of CFI, RMSEA and SRMR, and the
    difference in score points. References: Meredith (1993); Chen (2007) Struct Equ Modeling 14:464; Satorra & Bentler
    (2001). Checked against: tests/oracle/cfa_fits.csv, tests/oracle/cfa_differences.csv (lavaan 0.6-14).
    """
    where = "invariance"
    if estimator == "wlsmv":
        from mhlib.stats.measurement.invariance_ordinal import invariance_wlsmv

        shared = {"partial": partial, "reference": reference, "cluster": cluster, "conf_level": conf_level}
        return invariance_wlsmv(data, model, groups=groups, **shared, **options)
    if options:
        raise ParamsError(
            f"{where}({', '.join(options)})", "only ordered answers have these options", remedy="estimator='wlsmv'"
        )
    demand_settings(estimator, last, conf_level, cluster, where=where)
    code, names = group_codes(demand_frame(data, where=where), groups, reference, where=where)
    build = builder(model, columns_of(data, groups), names, std_lv, where)
    rows = complete_rows(data, build((), ()).observed, code, names, where=f"{where}(data)")
    moments = moments_of_rows(rows)
    variation = None
    if estimator == "mlr" and (moments.n > 1).all():
        clusters = clusters_of(data, cluster, rows, where=where)
        if refused := few_clusters(clusters and clusters[1]):
            return refused
        variation = variation_of(rows, moments, clusters)
    return ladder(
        build, moments, estimator=estimator, variation=variation, partial=partial, last=last, conf_level=conf_level
    )


def invariance_from_covariance(
    cov: Mapping,
    n: Mapping,
    model: str,
    *,
    mean: Mapping,
    names: Sequence[str] | None = None,
    n_excluded: Mapping | None = None,
    partial: Sequence[str] = (),
    last: str = "strict",
    reference: object = None,
    std_lv: bool = False,
    conf_level: float = 0.95,
) -> InvarianceResult | Refused:
    """Invariance from each group's covariance (with n - 1), means and number of people, by maximum likelihood.

    Parameters
    ----------
    cov, n, mean : mapping of group to (k, k), int, (k,)
    model : str
    names : sequence of str, optional
        Of the items; the columns of a DataFrame by themselves.
    n_excluded, partial, last, reference, std_lv, conf_level
        As in :func:`invariance`; the default reference is the first group of the mapping.

    Returns
    -------
    InvarianceResult or Refused
        The same digits as :func:`invariance` on the rows.

    Raises
    ------
    ParamsError, DataError
        As :func:`invariance`.

    Notes
    -----
    Checked against: tests/oracle/cfa_fits.csv, tests/oracle/cfa_differences.csv (lavaan 0.6-14).
    """
    where = "invariance_from_covariance"
    demand_settings("ml", last, conf_level, None, where=where)
    if not isinstance(cov, Mapping) or len(cov) < 2:
        raise ParamsError(f"{where}(cov)", "names fewer than two groups", allowed="a mapping of group to covariance")
    if reference is not None:
        cov = dict(sorted(cov.items(), key=lambda item: str(item[0]) != str(reference)))
    first = next(iter(cov.values()))
    if names is None and not isinstance(first, pd.DataFrame):
        raise ParamsError(f"{where}(names)", "the items have no names", remedy="give names= or a DataFrame")
    names = list(first.columns) if names is None else names
    moments = moments_of_covariance(cov, n, names, mean=mean, n_excluded=n_excluded, where=where)
    build = builder(model, names, moments.groups, std_lv, where)
    moments = selected(moments, build((), ()).observed)
    return ladder(build, moments, estimator="ml", variation=None, partial=partial, last=last, conf_level=conf_level)


def demand_settings(estimator: str, last: str, conf_level: float, cluster: object, *, where: str) -> None:
    """Stop at unknown settings."""
    inputs.one_of(estimator, tuple(ESTIMATORS), where=where, name="estimator")
    inputs.one_of(last, tuple(EQUAL), where=where, name="last")
    demand_options(estimator, "expected", conf_level, cluster, {}, where=where)


def builder(model: str, columns: Sequence[str], groups: Sequence[str], std_lv: bool, where: str):
    """A function of (equalities, partial) to the parameter table."""

    @cache
    def build(equal: Sequence[str], partial: Sequence[str]) -> ParameterTable:
        """The table of one step."""
        return parameter_table(
            model, columns=columns, groups=groups, std_lv=std_lv, means=True, equal=equal, partial=partial, where=where
        )

    return build


def demand_partial(build: object, partial: Sequence[str]) -> None:
    """Stop at parameters that are unknown or that no step makes equal, before anything is fitted.

    Raises
    ------
    ParamsError
    """
    build((), partial)
    whole = build(EQUAL["strict"], ()).n_free
    if idle := [name for name in partial if build(EQUAL["strict"], (name,)).n_free == whole]:
        raise ParamsError(
            "invariance(partial)",
            "no step makes these equal: " + ", ".join(idle),
            allowed="loadings (but the first of a factor), intercepts and residual variances of items",
        )


def ladder(
    build: object,
    moments: Moments,
    *,
    estimator: str,
    variation: Variation | None,
    partial: Sequence[str],
    last: str,
    conf_level: float,
) -> InvarianceResult | Refused:
    """Fit and compare the steps."""
    partial = tuple(name.replace(" ", "") for name in partial)
    demand_partial(build, partial)
    steps = plan_steps(last, partial)
    models, stopped = fit_steps(steps, build, moments, estimator=estimator, variation=variation)
    if "configural" not in models:
        return stopped
    table = ladder_table(steps, models)
    source = next((name for name in ("partial_scalar", "scalar") if name in models), None)
    effect = score_effect(models["partial_scalar"], conf_level) if "partial_scalar" in models else None
    empty = pd.DataFrame(
        columns=["group", "factor", "estimate", "std_error", "conf_low", "conf_high", "p_value", "effect"]
    )
    return InvarianceResult(
        steps=table,
        highest=highest(table),
        rule=chen_rule(),
        latent_means=latent_means(models[source], conf_level) if source else empty,
        means_from=source,
        suggestions=suggestions(models),
        score_effect=effect,
        stopped=stopped,
        reference=moments.groups[0],
        groups=moments.groups,
        partial=partial,
        models=models,
        estimator=estimator,
        n_by_group=dict(zip(moments.groups, map(int, moments.n), strict=True)),
        n_excluded_by_group=dict(zip(moments.groups, map(int, moments.n_excluded), strict=True)),
        n_clusters=None if variation is None else variation.n_clusters,
        n_used=int(moments.n.sum()),
        n_excluded=int(moments.n_excluded.sum()),
        method=f"measurement invariance, {ESTIMATORS[estimator]}",
        conf_level=conf_level,
    )


def chen_rule() -> Message:
    """The rule in words."""
    return message(
        "A step holds when CFI falls by no more than {cfi}, RMSEA rises by no more than {rmsea} and SRMR by no more than "
        "{metric} (loadings) or {scalar} (intercepts, residuals): Chen (2007).",
        cfi=-CHEN_CFI,
        rmsea=CHEN_RMSEA,
        metric=CHEN_SRMR["metric"],
        scalar=CHEN_SRMR["scalar"],
    )
