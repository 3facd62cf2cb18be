"""Difference-in-differences of a programme that schools begin in different terms."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.did_cohorts import CONTROLS, CohortMoments, Contrasts, cohort_moments, contrasts_of
from mhlib.stats.effects.did_comparison import library_effects, two_way
from mhlib.stats.effects.did_inference import Inferred, Joint, inferred, joint_zero
from mhlib.stats.effects.did_panel import Panel, panel_of
from mhlib.stats.effects.did_record import StaggeredResult, TwoWayResult, judged
from mhlib.stats.effects.did_refusals import always_check, cohort_check, forbidden_check, incomplete_check
from mhlib.stats.effects.robust_refusals import FEWEST_DF, clusters_check

METHODS = {
    "callaway_santanna": "group-time effects (Callaway & Sant'Anna 2021)",
    "sun_abraham": "interaction-weighted event study (Sun & Abraham 2021)",
    "did2s": "two-stage (Gardner 2022)",
}
ERRORS = {
    "cohort": "errors unbiased within each cohort of schools, Welch-Satterthwaite df",
    "influence": "influence functions, for many schools drawn at random",
}


def did_staggered(
    data: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    time: str,
    first_treated: str,
    cluster: str | None = None,
    weights: str | None = None,
    method: str = "callaway_santanna",
    control: str = "never",
    covariates: tuple[str, ...] | list[str] | None = None,
    errors: str = "cohort",
    compare: bool = True,
    conf_level: float = 0.95,
) -> StaggeredResult:
    """Effect of a roll-out by start, term and time since start, without comparing schools to those already treated.

    Parameters
    ----------
    data : DataFrame, a row a school and term, or a row a pupil and term
        Rows are averaged by school and term. Rows without outcome or covariate are left out; a school that lacks a term
        is left out whole; both are counted.
    outcome, unit, time, first_treated : str
        `time` sorts the terms; event time counts the terms that were held. `first_treated` is the term in which the
        school began; missing, 0, infinity or 'never' mean never. Numbers may be text.
    cluster : str, optional
        Column above schools that holds the errors together (district); all its schools must share a start.
    weights : str, optional
        Column of pupils (1 in each row of a table of pupils): averages over pupils by the school's mean number. Without
        it every school counts alike.
    method : {'callaway_santanna', 'sun_abraham', 'did2s'}
        The first without covariates is ours; all else is diff-diff's, with its clustered errors and t with one less than
        the schools of the smaller side: read it as a check. 'did2s' takes every untreated school and term as control.
    control : {'never', 'not_yet'}
    covariates : sequence of str, optional
        School means of the first term, doubly robust ('callaway_santanna' only); no calendar average then.
    errors : {'cohort', 'influence'}
        'influence' gives the digits of R's `did`; it takes cohort sizes as drawn and suits hundreds of schools only.
    compare : bool
        Add the two-way fixed effects and Goodman-Bacon's weights.
    conf_level : float

    Returns
    -------
    StaggeredResult

    Raises
    ------
    DataError, DesignError
        One term, no start within the terms, nobody to compare with, a start that differs within a school.
    ParamsError
        Unknown options; covariates or influence errors where they cannot serve.

    Notes
    -----
    ATT(g, t) = [Y(t) - Y(g-1)] of cohort g less that of the control, a sum over cohorts and terms of c(k, t) Ybar(k, t);
    so are all averages. Var = sum_k c_k' S_k c_k with S_k the covariance of the cohort's mean (divisor n - 1), cohort
    sizes held fixed; df = Var^2 / sum_k v_k^2 / (n_k - 1). Leads use the same base, the term before the start.
    References: Callaway & Sant'Anna (2021) J Econometrics 225:200; Sun & Abraham (2021) 225:175; Goodman-Bacon (2021)
    225:254; Gardner (2022) arXiv 2207.05943.
    Checked against: tests/oracle/did_values.csv (R, Welch t tests), the published table of mpdta, diff-diff.
    """
    where, given = "did_staggered", tuple(covariates or ())
    checked_choices(method, control, errors, given, weights, conf_level, where)
    panel = panel_of(
        data, outcome=outcome, unit=unit, time=time, first_treated=first_treated, cluster=cluster, weights=weights,
        covariates=given, where=where,
    )  # fmt: skip
    moments = cohort_moments(panel)
    labels = [*(label_of(term) for term in panel.terms), "never"]
    contrasts = contrasts_of(moments, control, labels)
    own = method == "callaway_santanna" and not given
    if own:
        terms, kinds, found = contrasts.terms, contrasts.aggregation, inferred(moments, contrasts, errors)
        pre_test = tested_before(contrasts, found)
    else:
        terms, kinds, found = library_effects(
            panel, estimator=method, control=control, weighted=weights is not None, labels=labels
        )
        pre_test = Joint(math.nan, 0, math.nan, math.nan)
    beside = two_way(panel, weighted=weights is not None, conf_level=conf_level) if compare else None
    return StaggeredResult(
        terms=tuple(terms),
        aggregation=tuple(kinds),
        **judged(tuple(terms), found, conf_level),
        checks=checks_of(panel, moments, beside),
        pre_test=pre_test,
        two_way=beside,
        cohorts={labels[g]: int(n) for g, n in zip(moments.first, moments.n, strict=True)},
        estimator=method,
        control=control,
        n_schools=len(panel.first),
        n_incomplete=panel.n_incomplete,
        n_always=panel.n_always,
        n_later=panel.n_later,
        inferred=found,
        n_used=panel.n_used,
        n_excluded=panel.n_excluded,
        method=f"{METHODS[method]}, compared with {CONTROLS[control]}, "
        + (ERRORS[errors] if own else "diff-diff's clustered errors, t with the smaller side's schools less 1"),
        conf_level=conf_level,
    )


def checked_choices(
    method: str, control: str, errors: str, covariates: tuple, weights: str | None, conf_level: float, where: str
) -> None:
    """Refuse options that are not known or do not go together."""
    inputs.one_of(method, tuple(METHODS), where=where, name="method")
    inputs.one_of(control, tuple(CONTROLS), where=where, name="control")
    inputs.one_of(errors, tuple(ERRORS), where=where, name="errors")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if covariates and method != "callaway_santanna":
        raise ParamsError(f"{where}(covariates)", f"not with '{method}'", allowed="method='callaway_santanna'")
    if errors == "influence" and weights is not None:
        raise ParamsError(f"{where}(errors)", "'influence' takes no weights here", allowed="errors='cohort'")


def label_of(term: object) -> str:
    """Name of a term as a user wrote it: whole numbers without a point."""
    return str(int(term)) if isinstance(term, float | np.floating) and float(term).is_integer() else str(term)


def tested_before(contrasts: Contrasts, found: Inferred) -> Joint:
    """Joint test of the group-time effects before the start; NaN below 4 degrees of freedom."""
    test = joint_zero(found.of(contrasts.before))
    return test if test.df2 >= FEWEST_DF else Joint(math.nan, test.df1, test.df2, math.nan)


def checks_of(panel: Panel, moments: CohortMoments, beside: TwoWayResult | None) -> tuple:
    """What should hold of the design."""
    checks = [
        clusters_check(len(panel.first)),
        cohort_check(int(moments.n.min())),
        incomplete_check(panel.n_incomplete, len(panel.first)),
        always_check(panel.n_always),
    ]
    return (*checks, forbidden_check(beside.forbidden)) if beside is not None else tuple(checks)
