"""Sensitivity, specificity and their kin as ratios of sums over patterns, with sandwich standard errors."""

from __future__ import annotations

import math

import numpy as np

from mhlib.stats.accuracy.verification_models import Rates
from mhlib.stats.accuracy.verification_patterns import CASE, NONCASE, UNVERIFIED, Patterns

MEASURES = ("sensitivity", "specificity", "ppv", "npv", "prevalence", "apparent_prevalence")
Forms = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
Found = tuple[dict[str, float], dict[str, float]]


def linear_forms(test: np.ndarray) -> Forms:
    """Each measure as sum(a + b e) / sum(c + d e), where e is whether a person is a case: (a, b, c, d) by pattern."""
    none, one, negative = np.zeros_like(test), np.ones_like(test), 1 - test
    return {
        "sensitivity": (none, test, none, one),
        "specificity": (negative, -negative, one, -one),
        "ppv": (none, test, test, none),
        "npv": (negative, -negative, negative, none),
        "prevalence": (none, one, one, none),
        # Everyone was tested, verified or not, so this one needs no correction.
        "apparent_prevalence": (test, none, one, none),
    }


def ratio(form: tuple[np.ndarray, ...], people: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Value of a measure and its denominator; NaN where the denominator is empty."""
    a, b, c, d = (part[:, None] for part in form)
    bottom = float((people * (c + d * expected)).sum())
    return (float((people * (a + b * expected)).sum()) / bottom if bottom > 0 else math.nan), bottom


def predicted_shares(
    patterns: Patterns, expected: np.ndarray, gain: np.ndarray, rates: Rates, forms: Forms | None = None
) -> Found:
    """Measures when everyone counts with an expected case status.

    Parameters
    ----------
    patterns : Patterns
    expected : ndarray, shape (k, 3)
        Expected case status by pattern and status.
    gain : ndarray, shape (k,)
        Derivative of the number of expected cases of each pattern by its rate.
    rates : Rates
        Case rates of the verified.
    forms : mapping, optional
        Measures in place of those of :func:`linear_forms`.
    """
    residual = np.zeros_like(patterns.people)
    residual[:, NONCASE], residual[:, CASE] = -rates.rate, 1 - rates.rate
    values, errors = {}, {}
    for name, form in (forms or linear_forms(patterns.test)).items():
        values[name], bottom = ratio(form, patterns.people, expected)
        errors[name] = math.nan
        if bottom > 0:
            a, b, c, d = form
            weight = b - values[name] * d
            own = (a - values[name] * c)[:, None] + weight[:, None] * expected
            influence = (own + residual * rates.carried(gain * weight)[:, None]) / bottom
            errors[name] = math.sqrt(patterns.variance(influence))
    return values, errors


def begg_greenes_shares(patterns: Patterns, rates: Rates) -> Found:
    """Everyone counts with the case rate of the pattern."""
    return predicted_shares(patterns, np.repeat(rates.rate[:, None], 3, axis=1), patterns.n_all, rates)


def weighted_shares(patterns: Patterns, chance: Rates) -> Found:
    """The verified stand for everyone by one over their estimated chance, whose own error is in the result."""
    up = np.zeros_like(patterns.people)
    up[:, [NONCASE, CASE]] = 1 / chance.rate[:, None]
    status = np.zeros_like(patterns.people)
    status[:, CASE] = 1
    residual = np.repeat(1 - chance.rate[:, None], 3, axis=1)
    residual[:, UNVERIFIED] = -chance.rate
    values, errors = {}, {}
    for name, form in linear_forms(patterns.test).items():
        # Apparent prevalence counts everyone once.
        weight = np.ones_like(up) if name == "apparent_prevalence" else up
        values[name], bottom = ratio(form, patterns.people * weight, status)
        errors[name] = math.nan
        if bottom > 0:
            a, b, c, d = form
            own = weight * ((a - values[name] * c)[:, None] + (b - values[name] * d)[:, None] * status)
            gradient = -(patterns.people * own).sum(axis=1) / chance.rate
            if name == "apparent_prevalence":
                gradient = np.zeros_like(gradient)
            influence = (own + residual * chance.carried(gradient)[:, None]) / bottom
            errors[name] = math.sqrt(patterns.variance(influence))
    return values, errors
