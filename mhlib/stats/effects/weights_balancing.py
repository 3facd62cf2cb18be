"""Weights that make two groups alike in what was measured: overlap, inverse probability, entropy balancing; and the logit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.balance_table import baseline_balance
from mhlib.stats.effects.robust_record import inference
from mhlib.stats.effects.weights_difference import weighted_effect
from mhlib.stats.effects.weights_infeasible import demand_feasible, demand_no_separation
from mhlib.stats.effects.weights_newton import logit_fits
from mhlib.stats.effects.weights_record import PropensityResult, WeightsResult
from mhlib.stats.effects.weights_rows import TreatmentRows, formula_rows, treatment_rows
from mhlib.stats.effects.weights_schemes import EntropyScheme, PropensityScheme, Scheme
from mhlib.stats.effects.weights_support import (
    effective_size,
    heavy_check,
    largest_share,
    outside_share,
    support_check,
    trimmed_check,
)


def propensity(formula: str, data: pd.DataFrame, *, conf_level: float = 0.95) -> PropensityResult:
    """Chance of treatment given covariates, by a logit.

    Parameters
    ----------
    formula : str
        `treatment ~ covariates` in formulaic's language; the treatment is 0 or 1.
    data : DataFrame, one row a pupil
        Rows that miss a variable are left out and counted.
    conf_level : float

    Returns
    -------
    PropensityResult

    Raises
    ------
    DataError
        Columns the table lacks, a treatment other than 0 and 1, no complete row.
    DesignError
        One group only, columns made from each other, covariates from which treatment follows for some pupils.

    Notes
    -----
    Maximum likelihood by Newton's iterations on columns of unit size; errors from the information. Reference: Rosenbaum &
    Rubin (1983) Biometrika 70:41. Checked against: tests/oracle/weights_values.csv (R glm).
    """
    where = "propensity"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    rows = formula_rows(formula, data, cluster=None, where=where)
    beta, done = logit_fits(rows.unit, rows.treated, np.ones((len(rows.treated), 1)))
    e = expit(rows.unit @ beta[:, 0])
    demand_no_separation(rows, e, bool(done[0]), where=where)
    back = unit_to_given(rows)
    estimates = back @ beta[:, 0]
    covariance = back @ np.linalg.inv((rows.unit * (e * (1 - e))[:, None]).T @ rows.unit) @ back.T
    errors = np.sqrt(np.diag(covariance))
    low, high, _ = inference(estimates, errors, np.full(len(errors), math.inf), conf_level)
    outside = outside_share(e, rows.treated)
    return PropensityResult(
        terms=rows.names, estimates=estimates, std_errors=errors, conf_low=low, conf_high=high,
        p_values=2 * stats.norm.sf(np.abs(estimates / errors)), covariance=covariance, propensity=spread_out(rows, e),
        outside=outside, checks=(support_check(outside),), n_used=len(e), n_excluded=rows.n_excluded,
        method="logit of treatment, maximum likelihood", conf_level=conf_level,
    )  # fmt: skip


def overlap_weights(
    data: pd.DataFrame,
    *,
    treatment: str,
    covariates: Sequence[str],
    cluster: str | None = None,
    outcome: str | None = None,
    seed: int | None = None,
    n_draws: int = 999,
    conf_level: float = 0.95,
) -> WeightsResult:
    """Weights by the chance of having been in the other group; the mean of every covariate becomes exactly equal.

    Parameters
    ----------
    data : DataFrame, one row a pupil
        Rows that miss treatment or a covariate are left out and counted.
    treatment : str
        Column of 0 and 1.
    covariates : sequence of str
        Measured before treatment; text columns become dummies.
    cluster : str, optional
        School or class, for the errors of the effect. Without it pupils are taken as independent.
    outcome : str, optional
        Adds the effect (:func:`weighted_effect`), with a bootstrap of schools where there is a `seed`.
    seed, n_draws, conf_level
        As in :func:`weighted_effect`.

    Returns
    -------
    WeightsResult

    Raises
    ------
    DataError, DesignError
        As in :func:`propensity`.
    ParamsError
        Covariates that are no list, or hold the treatment.

    Notes
    -----
    w = 1 - e for the treated, e for the untreated, e by a logit. The effect is about pupils of near-even chances, not about
    all. Reference: Li, Morgan & Zaslavsky (2018) JASA 113:390.
    Checked against: tests/oracle/weights_values.csv (R glm, survey, clubSandwich).
    """
    where = "overlap_weights"
    rows = treatment_rows(data, treatment=treatment, covariates=covariates, cluster=cluster, where=where)
    scheme, method = PropensityScheme("ato"), "overlap weights of a logit"
    return weights_record(rows, scheme, data, treatment, covariates, method=method, where=where,
                          asked=(outcome, seed, n_draws, conf_level))  # fmt: skip


def inverse_probability_weights(
    data: pd.DataFrame,
    *,
    treatment: str,
    covariates: Sequence[str],
    estimand: str = "ate",
    trim: float = 0.0,
    cluster: str | None = None,
    outcome: str | None = None,
    seed: int | None = None,
    n_draws: int = 999,
    conf_level: float = 0.95,
) -> WeightsResult:
    """Weights by one over the chance of the group a pupil was in ('ate'), or that make the untreated like the treated ('att').

    Parameters
    ----------
    data, treatment, covariates, cluster, outcome, seed, n_draws, conf_level
        As in :func:`overlap_weights`.
    estimand : {'ate', 'att'}
    trim : float
        Pupils whose chance lies below it, or above one less it, get weight 0; the effect is then that of the others.

    Returns
    -------
    WeightsResult

    Raises
    ------
    DataError, DesignError, ParamsError
        As in :func:`overlap_weights`; `trim` outside 0 to below .5, or so large that a group is left empty.

    Notes
    -----
    ate: 1 / e and 1 / (1 - e); att: 1 and e / (1 - e). Reference: Hirano, Imbens & Ridder (2003) Econometrica 71:1161; Crump
    et al. (2009) Biometrika 96:187 (trimming at .1). Checked against: tests/oracle/weights_values.csv (R glm, survey).
    """
    where = "inverse_probability_weights"
    inputs.one_of(estimand, ("ate", "att"), where=where, name="estimand")
    if not 0 <= trim < 0.5:
        raise ParamsError(f"{where}(trim)", f"is {trim}", allowed="from 0 to below .5, as .1")
    rows = treatment_rows(data, treatment=treatment, covariates=covariates, cluster=cluster, where=where)
    method = "inverse probability weights of a logit" + (f", trimmed at {trim}" if trim else "")
    return weights_record(rows, PropensityScheme(estimand, trim), data, treatment, covariates, method=method, where=where,
                          asked=(outcome, seed, n_draws, conf_level))  # fmt: skip


def entropy_balancing(
    data: pd.DataFrame,
    *,
    treatment: str,
    covariates: Sequence[str],
    moments: int = 1,
    cluster: str | None = None,
    outcome: str | None = None,
    seed: int | None = None,
    n_draws: int = 999,
    conf_level: float = 0.95,
) -> WeightsResult:
    """Weights of the untreated, as near to equal as can be, that give them the means of the treated exactly.

    Parameters
    ----------
    data, treatment, covariates, cluster, outcome, seed, n_draws, conf_level
        As in :func:`overlap_weights`.
    moments : {1, 2}
        Means, or means and variances of the covariates with more than two values.

    Returns
    -------
    WeightsResult
        About the treated ('att').

    Raises
    ------
    DataError, ParamsError
        As in :func:`overlap_weights`.
    DesignError
        Naming the covariates that no weights bring together.

    Notes
    -----
    min sum w log w subject to sum w x = mean of the treated and sum w = 1, by Newton's iterations on the convex dual.
    Reference: Hainmueller (2012) Political Analysis 20:25; doubly robust by Zhao & Percival (2017).
    Checked against: tests/oracle/weights_values.csv (R optim on the dual).
    """
    where = "entropy_balancing"
    if moments not in (1, 2):
        raise ParamsError(f"{where}(moments)", f"is {moments}", allowed="1 (means) or 2 (means and variances)")
    rows = treatment_rows(data, treatment=treatment, covariates=covariates, cluster=cluster, where=where)
    method = "entropy balancing of means" + (" and variances" if moments == 2 else "")
    return weights_record(rows, EntropyScheme(moments), data, treatment, covariates, method=method, where=where,
                          asked=(outcome, seed, n_draws, conf_level))  # fmt: skip


def weights_record(
    rows: TreatmentRows,
    scheme: Scheme,
    data: pd.DataFrame,
    treatment: str,
    covariates: Sequence[str],
    *,
    method: str,
    where: str,
    asked: tuple[str | None, int | None, int, float],
) -> WeightsResult:
    """Weights, what they do to the balance, and the effect where an outcome was named."""
    outcome, seed, n_draws, conf_level = asked
    inputs.open_unit(conf_level, where=where, name="conf_level")
    found = scheme.weigh(rows, np.ones((len(rows.treated), 1)))
    treated = rows.treated == 1
    if isinstance(scheme, EntropyScheme):
        demand_feasible(*scheme.columns(rows), treated, bool(found.converged[0]), where=where)
        e, outside = None, math.nan
    else:
        e = found.propensity[:, 0]
        demand_no_separation(rows, e, bool(found.converged[0]), where=where)
        outside = outside_share(e, rows.treated)
    weight = found.weights[:, 0]
    sums = np.array([weight[~treated].sum(), weight[treated].sum()])
    if (sums == 0).any():
        raise ParamsError(f"{where}(trim)", "leaves a group without pupils", allowed="a smaller one, as .05")
    trimmed = float((weight == 0).mean()) if scheme.trim else 0.0
    weight = weight / sums[treated.astype(int)]
    effective = (effective_size(weight[treated]), effective_size(weight[~treated]))
    share = max(largest_share(weight[treated]), largest_share(weight[~treated]))
    checks = [support_check(outside)] if e is not None else []
    checks += [trimmed_check(trimmed)] if scheme.trim else []
    used = data.loc[rows.used]
    result = {
        "weights": spread_out(rows, weight), "propensity": None if e is None else spread_out(rows, e),
        "estimand": scheme.estimand, "effective": effective, "largest_share": share, "outside": outside, "trimmed": trimmed,
        "before": baseline_balance(used, arm=treatment, columns=covariates),
        "after": baseline_balance(used, arm=treatment, columns=covariates, weights=weight),
        "n_treated": int(treated.sum()), "n_untreated": int((~treated).sum()), "scheme": scheme, "model": rows,
        "coefficients": found.coefficients[:, 0], "n_used": len(weight), "n_excluded": rows.n_excluded, "method": method,
        "conf_level": conf_level,
    }  # fmt: skip
    bare = WeightsResult(**result, effect=None, checks=tuple(checks))
    effect = None
    if outcome is not None:
        effect = weighted_effect(bare, data, outcome=outcome, seed=seed, n_draws=n_draws, conf_level=conf_level)
    return WeightsResult(**result, effect=effect, checks=(*checks, heavy_check(share, effective)))


def spread_out(rows: TreatmentRows, values: np.ndarray) -> np.ndarray:
    """Values of the rows used at their places in the table, NaN elsewhere."""
    found = np.full(len(rows.used), np.nan)
    found[rows.used] = values
    return found


def unit_to_given(rows: TreatmentRows) -> np.ndarray:
    """Matrix that takes coefficients of the unit columns to those of the columns as given."""
    centre, spread = rows.x.mean(axis=0), rows.x.std(axis=0)
    centre[0], spread[0] = 0.0, 1.0
    back = np.diag(1 / spread)
    back[0, 1:] = -(centre / spread)[1:]
    return back
