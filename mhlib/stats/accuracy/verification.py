"""Accuracy when the reference standard was applied to some people only, and to whom depended on the test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.verification_counts import VerificationCounts, tested_rows
from mhlib.stats.accuracy.verification_imputation import Pooled, imputed_shares
from mhlib.stats.accuracy.verification_models import MODELS, disease_rates, verification_rates
from mhlib.stats.accuracy.verification_patterns import Patterns, patterns_of_rows, patterns_of_tables
from mhlib.stats.accuracy.verification_record import VerificationCorrected, corrected_record
from mhlib.stats.accuracy.verification_shares import begg_greenes_shares, linear_forms, weighted_shares
from mhlib.stats.clustered import variance_of_total

METHODS = ("begg_greenes", "ipw", "mi")
NAMES = {
    "begg_greenes": "Begg & Greenes (1983)",
    "ipw": "inverse probability of verification",
    "mi": "multiple imputation (Rubin 1987)",
}


def verification_corrected(
    test: object,
    reference: object,
    *,
    verified: object = None,
    cutoff: float | None = None,
    covariates: object = None,
    method: str = "begg_greenes",
    model: str | None = None,
    verification_probability: object = None,
    cluster: object = None,
    m: int | None = None,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> VerificationCorrected:
    """Sensitivity, specificity, predictive values and prevalence corrected for partial verification.

    Parameters
    ----------
    test : array-like of 0/1 or bool, shape (n,); or of scores with `cutoff`
        Everyone tested.
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified.
    verified : array-like of 0/1 or bool, shape (n,), optional
        Default: the reference is present.
    cutoff : float, optional
        `test` holds scores, positive when score >= cutoff. Give the score as a covariate too where people were drawn
        by score.
    covariates : Series or DataFrame, shape (n,) or (n, k), optional
        Verification is taken as random given test result and covariates.
    method : {'begg_greenes', 'ipw', 'mi'}
        'begg_greenes' predicts everyone from the verified alike. 'ipw' weighs the verified by one over their chance.
        'mi' fills the unverified in `m` times from a logistic model and pools by Rubin's rules.
    model : {'cells', 'logistic'}, optional
        'cells' (default) gives every combination of test and covariates a rate of its own. 'logistic' is a logistic
        model with main effects: of the case status given test and covariates ('begg_greenes', 'mi'), or of who was
        verified given covariates, apart for positives and negatives ('ipw'). 'mi' is always logistic.
    verification_probability : array-like, shape (n,), optional
        The known chance of each person to be verified, 0–1; only with 'ipw', needed only in verified rows.
    cluster : array-like, shape (n,), optional
        Errors are then summed by cluster, and intervals use t with clusters - 1 df; the imputation model gets a random
        intercept by cluster.
    m, seed : int, optional
        Imputations (at least 2) and their seed; both needed with 'mi' and used by nothing else.
    conf_level : float

    Returns
    -------
    VerificationCorrected

    Raises
    ------
    DataError
        Missing tests or covariates, a verified row without a reference, a probability outside 0–1.
    DesignError
        A cell of test and covariates in which nobody was verified, a logistic model that the verified cannot carry;
        fewer than two clusters.
    ParamsError
        An unknown method, or options that the method does not use.

    Notes
    -----
    With patterns k of test t and covariates, people n and case rates theta_k from the verified,
    Se = sum_{t=1} n theta / sum n theta. Standard errors are sandwiches of the stacked estimating equations: the error
    of the rates, or of the estimated chances, is in them. Saturated, 'ipw' equals 'begg_greenes' to the last digit.
    Assumes verification missing at random given test and covariates: not testable from these data; see
    :func:`verification_sensitivity`.
    References: Begg & Greenes (1983) Biometrics 39:207; Alonzo & Pepe (2005); Harel & Zhou (2006) (imputation).
    Checked against: tests/oracle/verification_corrected.csv (R, own Begg-Greenes; mice), and published: hepatic
    scintigraphy (Drum & Christacopoulos 1972), diaphanography (Marshall 1984), SPECT (Cecil 1996).
    """
    where = "verification_corrected"
    model = check_options(method, model, verification_probability, m, seed, conf_level)
    test, case, seen = tested_rows(test, reference, verified, cutoff, where=where)
    inputs.same_length(where, test=test, covariates=covariates, cluster=cluster, probability=verification_probability)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    patterns = patterns_of_rows(test, case, seen, covariates, groups)
    name = method_name(method, model, covariates is not None, groups is not None)
    if verification_probability is None:
        found = solved(patterns, method, model, m, seed)
    else:
        found = (*known_shares(patterns, case, inverse_probability(verification_probability, seen)), None)
    return corrected_record(patterns, *found, method=name, conf_level=conf_level, m=m, seed=seed)


def solved(
    patterns: Patterns, method: str, model: str, m: int | None, seed: int | None
) -> tuple[dict[str, float], dict[str, float], dict[str, Pooled] | None]:
    """Values, errors, and what Rubin's rules say beside them."""
    if method == "mi":
        pooled = imputed_shares(patterns, m=m, seed=seed)
        return {k: one.value for k, one in pooled.items()}, {k: one.std_error for k, one in pooled.items()}, pooled
    if method == "ipw":
        return (*weighted_shares(patterns, verification_rates(patterns, model)), None)
    return (*begg_greenes_shares(patterns, disease_rates(patterns, model)), None)


def method_name(method: str, model: str, adjusted: bool, clustered: bool) -> str:
    """What was done, for the report's method column."""
    how = {"cells": ", cells of covariates", "logistic": ", logistic in covariates"}[model] if adjusted else ""
    errors = "" if not clustered else ", random intercept by cluster" if method == "mi" else ", errors by cluster"
    return NAMES[method] + how + errors


def check_options(
    method: str, model: str | None, probability: object, m: int | None, seed: int | None, conf_level: float
) -> str:
    """Stop on options that do not fit together; gives the model."""
    where = "verification_corrected"
    inputs.one_of(method, METHODS, where=where, name="method")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if probability is not None and method != "ipw":
        raise ParamsError(
            f"{where}(verification_probability)", f"is not used by method '{method}'", remedy="choose method='ipw'"
        )
    if method == "mi" and (m is None or seed is None or m < 2):
        raise ParamsError(f"{where}(m, seed)", "imputation needs m >= 2 and a seed", remedy="give m=50, seed=1")
    if method != "mi" and (m is not None or seed is not None):
        raise ParamsError(f"{where}(m, seed)", f"are not used by method '{method}'", remedy="choose method='mi'")
    if model is None:
        return "logistic" if method == "mi" else "cells"
    inputs.one_of(model, MODELS, where=where, name="model")
    if method == "mi" and model == "cells":
        raise ParamsError(f"{where}(model)", "imputation is logistic", allowed="model='logistic'")
    return model


def inverse_probability(probability: object, seen: np.ndarray) -> np.ndarray:
    """One over the chance of verification in verified rows, 0 elsewhere.

    Raises
    ------
    DataError
        Verified rows whose probability is missing, 0 or below, or above 1.
    """
    where = "verification_corrected"
    chance = inputs.numeric(probability, where=where, name="verification_probability")
    if n_bad := int((seen & ~((chance > 0) & (chance <= 1))).sum()):
        raise DataError(
            f"{where}(verification_probability)",
            f"{n_bad} verified rows have no probability above 0 and up to 1",
            allowed="0 < p <= 1 in every verified row",
        )
    return np.where(seen, 1 / np.where(seen, chance, 1.0), 0.0)


def known_shares(patterns: Patterns, case: np.ndarray, up: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Measures and errors with known weights, row by row: a chance may differ between people of one pattern."""
    values, errors = {}, {}
    for name, form in linear_forms(patterns.test).items():
        a, b, c, d = (part[patterns.pattern] for part in form)
        weight = np.ones_like(up) if name == "apparent_prevalence" else up
        top, bottom = weight * (a + b * case), weight * (c + d * case)
        total = float(bottom.sum())
        values[name] = float(top.sum()) / total if total > 0 else math.nan
        influence = (top - values[name] * bottom) / total if total > 0 else np.full(2, math.nan)
        errors[name] = math.sqrt(row_variance(influence, patterns))
    return values, errors


def row_variance(influence: np.ndarray, patterns: Patterns) -> float:
    """Sum of squares of independent rows (the delta method), or the cluster-robust variance."""
    if patterns.groups is None or np.isnan(influence).any():
        return float(influence @ influence)
    return variance_of_total(influence, patterns.groups)


def verification_corrected_from_counts(
    counts: VerificationCounts | Sequence[VerificationCounts],
    *,
    method: str = "begg_greenes",
    m: int | None = None,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> VerificationCorrected:
    """Correction from the six cells, of one table or of one table per stratum.

    Parameters
    ----------
    counts : VerificationCounts or sequence of these
    method : {'begg_greenes', 'ipw', 'mi'}
        'mi' is logistic with main effects of test and stratum.
    m, seed : int, optional
        As in :func:`verification_corrected`.
    conf_level : float

    Returns
    -------
    VerificationCorrected
        The same digits as :func:`verification_corrected` on the rows.

    Raises
    ------
    DesignError
        A cell of test and stratum in which nobody was verified, though somebody was tested.

    Notes
    -----
    Reference: Begg & Greenes (1983).
    Checked against: tests/oracle/verification_corrected.csv (R, own Begg-Greenes; mice).
    """
    tables = [counts] if isinstance(counts, VerificationCounts) else list(counts)
    model = check_options(method, None, None, m, seed, conf_level)
    patterns = patterns_of_tables(tables)
    name = method_name(method, model, len(tables) > 1, False)
    found = solved(patterns, method, model, m, seed)
    return corrected_record(patterns, *found, method=name, conf_level=conf_level, m=m, seed=seed)
