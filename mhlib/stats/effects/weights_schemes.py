"""How each pupil is to count: by the chance of treatment (a logit), or so that means become equal (entropy balancing).

A scheme gives weights under any frequencies of rows, so that the same code serves the estimate and every draw of a bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from mhlib.stats.effects.weights_newton import entropy_fits, logit_fits
from mhlib.stats.effects.weights_rows import TreatmentRows

ESTIMANDS = {
    "ato": "pupils who might as well have been in the other group",
    "ate": "all pupils",
    "att": "the treated",
}


@dataclass(frozen=True, slots=True)
class Weighed:
    """Weights of n rows under b columns of frequencies.

    Attributes
    ----------
    weights : ndarray, shape (n, b)
        Of any scale; frequencies are not included.
    population : ndarray, shape (n, b)
        How much each row counts in the population that the effect is about.
    propensity : ndarray, shape (n, b) or None
    coefficients : ndarray, shape (q, b)
    converged : ndarray of bool, shape (b,)
    """

    weights: np.ndarray = field(repr=False)
    population: np.ndarray = field(repr=False)
    propensity: np.ndarray | None = field(repr=False)
    coefficients: np.ndarray
    converged: np.ndarray


@dataclass(frozen=True, slots=True)
class PropensityScheme:
    """Weights from a logit of treatment: 1 - e and e ('ato'), 1/e and 1/(1 - e) ('ate'), 1 and e/(1 - e) ('att').

    With `trim` rows whose chance lies below it, or above one less it, do not count.
    """

    estimand: str
    trim: float = 0.0

    def weigh(self, rows: TreatmentRows, frequency: np.ndarray, start: np.ndarray | None = None) -> Weighed:
        """Weights under each column of frequencies; `start` are coefficients to begin with."""
        beta, done = logit_fits(rows.unit, rows.treated, frequency, start)
        e = expit(rows.unit @ beta)
        treated = rows.treated[:, None] == 1
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if self.estimand == "ato":
                weights, population = np.where(treated, 1 - e, e), e * (1 - e)
            elif self.estimand == "ate":
                weights, population = np.where(treated, 1 / e, 1 / (1 - e)), np.ones_like(e)
            else:
                weights, population = np.where(treated, 1.0, e / (1 - e)), e
        if self.trim:
            inside = (e >= self.trim) & (e <= 1 - self.trim)
            weights, population = np.where(inside, weights, 0.0), np.where(inside, population, 0.0)
        return Weighed(weights, population, e, beta, done)


@dataclass(frozen=True, slots=True)
class EntropyScheme:
    """Weights of the untreated, nearest to equal, that give the covariates the means (and variances) of the treated."""

    moments: int = 1
    estimand: str = "att"
    trim: float = 0.0

    def columns(self, rows: TreatmentRows) -> tuple[np.ndarray, tuple[str, ...]]:
        """Columns to be balanced and their names: covariates, with two moments the squares of those with many values too."""
        x, names = rows.unit[:, 1:], rows.names[1:]
        if self.moments == 1:
            return x, names
        many = [i for i in range(x.shape[1]) if len(np.unique(x[:, i])) > 2]
        squares = x[:, many] ** 2
        return np.column_stack([x, (squares - squares.mean(axis=0)) / squares.std(axis=0)]), (
            *names,
            *(f"{names[i]} squared" for i in many),
        )

    def weigh(self, rows: TreatmentRows, frequency: np.ndarray, start: np.ndarray | None = None) -> Weighed:
        """Weights under each column of frequencies: 1 for the treated, untreated rows sum to as many."""
        columns, _ = self.columns(rows)
        treated = rows.treated == 1
        many = frequency[treated].sum(axis=0)
        target = columns[treated].T @ frequency[treated] / many
        found, tilt, done = entropy_fits(columns[~treated], target, frequency[~treated], start)
        weights = np.ones((len(treated), frequency.shape[1]))
        weights[~treated] = found * many
        population = np.broadcast_to(treated[:, None].astype(float), weights.shape)
        return Weighed(weights, population, None, tilt, done)


Scheme = PropensityScheme | EntropyScheme
