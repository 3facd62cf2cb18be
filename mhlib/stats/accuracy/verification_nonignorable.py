"""Accuracy by maximum likelihood when verification may depend on the case status, identified by covariates alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.accuracy.verification_counts import tested_rows
from mhlib.stats.accuracy.verification_models import logistic_fit, with_test
from mhlib.stats.accuracy.verification_patterns import Patterns, patterns_of_rows
from mhlib.stats.accuracy.verification_shares import linear_forms
from mhlib.stats.intervals import on_logit, wald
from mhlib.stats.terms import term_frame

# Information this uneven (smallest over largest eigenvalue, after scaling) says nothing about some direction.
FLAT = 1e-7
TINY = 1e-300
# A log odds ratio less certain than this spans a factor of fifty: the data are silent, and the other errors unreliable.
WIDEST = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NonignorableVerification:
    """One point of the sensitivity analysis: the dependence that the covariates suggest."""

    sensitivity: float
    specificity: float
    prevalence: float
    log_odds_ratio: float
    log_likelihood: float
    terms: pd.DataFrame
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms sensitivity, specificity, prevalence and `log_odds_ratio` (of verification, case against non-case)."""
        return self.terms.assign(n_used=self.n_used)


def nonignorable_verification(
    test: object,
    reference: object,
    *,
    covariates: object,
    verified: object = None,
    cutoff: float | None = None,
    conf_level: float = 0.95,
) -> NonignorableVerification:
    """Sensitivity and specificity with the dependence of verification on the case status estimated.

    Parameters
    ----------
    test, reference, verified, cutoff : array-like
        As in :func:`verification_corrected`.
    covariates : Series or DataFrame
        Needed: without them the dependence is not identified.
    conf_level : float

    Returns
    -------
    NonignorableVerification

    Raises
    ------
    DesignError
        A likelihood flat in some direction, or a log odds ratio with a standard error above 1: these data do not
        tell the dependence from the case rates.

    Notes
    -----
    P(D | T, X) and P(V | T, X, D) are logistic with main effects; the likelihood sums over the status of the
    unverified. Identified only through these model forms: a point of a sensitivity analysis, never the headline.
    Reference: Kosinski & Barnhart (2003) Biometrics 59:163, with a related
    factorisation, P(D | X) P(T | D, X) P(V | T, D, X), fitted by EM; its maximum need not be the same.
    Checked against: a planted dependence in tests/stats/test_verification.py; tests/oracle/spect_counts.csv.
    """
    where = "nonignorable_verification"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    binary, case, seen = tested_rows(test, reference, verified, cutoff, where=where)
    inputs.same_length(where, test=binary, covariates=covariates)
    patterns = patterns_of_rows(binary, case, seen, covariates, None)
    design = with_test(patterns)
    start, _ = logistic_fit(design, patterns.n_seen, patterns.n_case, what="cases")
    chance, _ = logistic_fit(design, patterns.n_all, patterns.n_seen, what="who was verified")
    found = minimize(loss, [*start, *chance, 0.0], args=(design, patterns), jac=True, method="BFGS",
                     options={"gtol": 1e-6 * patterns.n_all.sum(), "maxiter": 2000})  # fmt: skip
    point, information = polished(found.x, design, patterns)
    covariance = inverse_of_identified(information, where)
    return record(point, covariance, design, patterns, conf_level)


def parts_of(point: np.ndarray, design: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Case rate, and chance of verification of cases and of non-cases, by pattern."""
    p = design.shape[1]
    eta = design @ point[p : 2 * p]
    return expit(design @ point[:p]), expit(eta + point[-1]), expit(eta)


def loss(point: np.ndarray, design: np.ndarray, patterns: Patterns) -> tuple[float, np.ndarray]:
    """Minus the log likelihood and its gradient."""
    rate, ill, well = parts_of(point, design)
    unseen_ill, unseen_well = rate * (1 - ill), (1 - rate) * (1 - well)
    hidden = unseen_ill + unseen_well
    noncase, case, unseen = patterns.people.T
    value = noncase @ np.log((1 - rate) * well + TINY) + case @ np.log(rate * ill + TINY)
    value += unseen @ np.log(hidden + TINY)
    share = unseen_ill / np.maximum(hidden, TINY)
    by_rate = case * (1 - rate) - noncase * rate + unseen * (share - rate)
    by_ill = case * (1 - ill) - unseen * share * ill
    by_well = noncase * (1 - well) - unseen * (1 - share) * well
    gradient = np.concatenate([design.T @ by_rate, design.T @ (by_ill + by_well), [by_ill.sum()]])
    return -float(value), -gradient


def polished(point: np.ndarray, design: np.ndarray, patterns: Patterns) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps from a quasi-Newton optimum, and the observed information there."""
    for _ in range(20):
        information = observed_information(point, design, patterns)
        _, gradient = loss(point, design, patterns)
        step = -np.linalg.lstsq(information, gradient, rcond=FLAT)[0]
        trial = point + step
        if not loss(trial, design, patterns)[0] <= loss(point, design, patterns)[0] + 1e-9:
            break
        point = trial
        if np.abs(step).max() < 1e-9:
            break
    return point, observed_information(point, design, patterns)


def observed_information(point: np.ndarray, design: np.ndarray, patterns: Patterns) -> np.ndarray:
    """Hessian of the loss by central differences of its gradient."""
    h, rows = 1e-5, []
    for j in range(len(point)):
        e = np.zeros(len(point))
        e[j] = h
        rows.append((loss(point + e, design, patterns)[1] - loss(point - e, design, patterns)[1]) / (2 * h))
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2


def inverse_of_identified(information: np.ndarray, where: str) -> np.ndarray:
    """Inverse information.

    Raises
    ------
    DesignError
        Information that is flat in some direction.
    """
    size = np.sqrt(np.maximum(np.diag(information), 0))
    flat = (size <= 0).any()
    if not flat:
        values = np.linalg.eigvalsh(information / np.outer(size, size))
        flat = values[0] <= FLAT * values[-1]
    covariance = np.full_like(information, np.inf) if flat else np.linalg.inv(information)
    if not 0 <= covariance[-1, -1] <= WIDEST**2:
        raise DesignError(
            where,
            "these data do not tell how verification depended on the case status",
            allowed="covariates that move the case rate, and verified people among them",
            remedy="read verification_sensitivity: it shows every dependence side by side",
        )
    return covariance


def record(
    point: np.ndarray, covariance: np.ndarray, design: np.ndarray, patterns: Patterns, conf_level: float
) -> NonignorableVerification:
    """Measures with delta-method errors, the sampling of people by pattern included."""
    forms = linear_forms(patterns.test)
    people = patterns.n_all

    def expected(at: np.ndarray) -> np.ndarray:
        """Case rate of everyone of a pattern, whether verified or not."""
        return expit(design @ at[: design.shape[1]])

    rate, p = expected(point), design.shape[1]
    values, rows = {}, []
    for name in ("sensitivity", "specificity", "prevalence"):
        a, b, c, d = forms[name]
        total = (people * (c + d * rate)).sum()
        value = values[name] = float((people * (a + b * rate)).sum() / total)
        weight = b - value * d
        slope = design.T @ (people * weight * rate * (1 - rate)) / total
        own = (a - value * c + weight * rate) / total
        error = math.sqrt(float(slope @ covariance[:p, :p] @ slope + (people * own**2).sum()))
        low, high = on_logit(value, error, conf_level)
        rows.append({"term": name, "estimate": value, "std_error": error, "conf_low": low, "conf_high": high})
    error = math.sqrt(covariance[-1, -1])
    low, high = wald(float(point[-1]), error, conf_level)
    rows.append(
        {"term": "log_odds_ratio", "estimate": point[-1], "std_error": error, "conf_low": low, "conf_high": high}
    )
    return NonignorableVerification(
        **values,
        log_odds_ratio=float(point[-1]),
        log_likelihood=-loss(point, design, patterns)[0],
        terms=term_frame(rows),
        n_used=int(people.sum()),
        n_excluded=0,
        method="maximum likelihood, verification not at random (Kosinski & Barnhart 2003)",
        conf_level=conf_level,
    )
