"""Rates by pattern, of cases or of verification: one per cell, or from a logistic model.

Both say how an error in a person carries into any function of the rates, which is all a sandwich needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import expit

from mhlib.errors import DesignError
from mhlib.stats.accuracy.verification_patterns import Patterns

MODELS = ("cells", "logistic")
STEPS = 100
# A log odds ratio per standard deviation beyond this says that the data separate, not that an effect is large.
FARTHEST = 30.0


class Rates(Protocol):
    """Rates of the patterns."""

    rate: np.ndarray

    def carried(self, gradient: np.ndarray) -> np.ndarray:
        """What one unit of residual of a person of each pattern adds to a function with this gradient by rate."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CellRates:
    """A rate of its own for every pattern, from `n` people."""

    rate: np.ndarray
    n: np.ndarray

    def carried(self, gradient: np.ndarray) -> np.ndarray:
        """Each person moves the rate of the own cell by residual / n."""
        return np.divide(gradient, self.n, out=np.zeros_like(gradient), where=self.n > 0)


@dataclass(frozen=True, slots=True, eq=False)
class LogisticRates:
    """Rates of a logistic model with its inverse information."""

    rate: np.ndarray
    design: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray

    def carried(self, gradient: np.ndarray) -> np.ndarray:
        """Each person moves the coefficients by inverse information times design row times residual."""
        return self.design @ (self.covariance @ (self.design.T @ (gradient * self.rate * (1 - self.rate))))


@dataclass(frozen=True, slots=True, eq=False)
class SidedRates:
    """Rates modelled apart for test positives and test negatives; a side of None is certain (rate 1)."""

    rate: np.ndarray
    sides: tuple[tuple[np.ndarray, LogisticRates | None], ...]

    def carried(self, gradient: np.ndarray) -> np.ndarray:
        """Nothing carries from one side to the other, nor from a side that is certain."""
        result = np.zeros_like(gradient)
        for member, rates in self.sides:
            if rates is not None:
                result[member] = rates.carried(gradient[member])
        return result


def disease_rates(patterns: Patterns, model: str) -> Rates:
    """Case rate of each pattern among its verified.

    Raises
    ------
    DesignError
        A cell without a verified person, or a logistic model that the verified cannot carry.
    """
    if model == "logistic" and patterns.covariates is not None:
        return logistic_rates(with_test(patterns), patterns.n_seen, patterns.n_case, what="cases")
    demand_verified(patterns)
    seen = np.maximum(patterns.n_seen, 1)
    return CellRates(patterns.n_case / seen, patterns.n_seen)


def verification_rates(patterns: Patterns, model: str) -> Rates:
    """Verified share of each pattern; a logistic model is fitted apart to positives and negatives.

    Raises
    ------
    DesignError
        A cell, or a side of the test, without a verified person, or a logistic model that the data cannot carry.
    """
    if model == "cells" or patterns.covariates is None:
        demand_verified(patterns)
        return CellRates(patterns.n_seen / np.maximum(patterns.n_all, 1), patterns.n_all)
    rate, sides = np.ones(len(patterns.test)), []
    design = np.delete(all_columns(patterns), 1, axis=1)
    for value, name in ((1, "positive"), (0, "negative")):
        member = patterns.test == value
        n_all, n_seen = patterns.n_all[member], patterns.n_seen[member]
        if n_all.sum() > 0 and n_seen.sum() == 0:
            raise nobody_verified(1, [name])
        certain = n_all.sum() == n_seen.sum()
        rates = (
            None
            if certain
            else logistic_rates(independent(design[member]), n_all, n_seen, what=f"who was verified ({name})")
        )
        rate[member] = 1.0 if rates is None else rates.rate
        sides.append((member, rates))
    return SidedRates(rate, tuple(sides))


def demand_verified(patterns: Patterns) -> None:
    """Stop when people of a cell were tested and none of them verified.

    Raises
    ------
    DesignError
        With the number of cells and their side of the test.
    """
    empty = (patterns.n_all > 0) & (patterns.n_seen == 0)
    if empty.any():
        sides = [name for name, value in (("negative", 0), ("positive", 1)) if (empty & (patterns.test == value)).any()]
        raise nobody_verified(int(empty.sum()), sides)


def nobody_verified(n_cells: int, sides: list[str]) -> DesignError:
    """Give the error of cells in which nobody was verified."""
    return DesignError(
        "verification_corrected",
        f"{n_cells} cells of test and covariates hold nobody verified (test {' and '.join(sides)})",
        allowed="someone verified in every cell",
        remedy="verify some of them (see verification_plan), use coarser covariates, or model='logistic'",
    )


def with_test(patterns: Patterns) -> np.ndarray:
    """Design matrix of :func:`all_columns` without columns that the others repeat."""
    return independent(all_columns(patterns))


def all_columns(patterns: Patterns) -> np.ndarray:
    """Intercept, test, covariates: numbers standardised, other columns as levels against the first."""
    columns = [np.ones(len(patterns.test)), patterns.test]
    weight = patterns.n_all / patterns.n_all.sum()
    frame = patterns.covariates if patterns.covariates is not None else pd.DataFrame(index=range(len(weight)))
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            number = values.to_numpy(dtype=float)
            centred = number - weight @ number
            spread = np.sqrt(weight @ centred**2)
            columns.append(centred / spread if spread > 0 else centred)
        else:
            labels = sorted(values.astype(str).unique())
            columns += [(values.astype(str) == label).to_numpy(dtype=float) for label in labels[1:]]
    return np.column_stack(columns)


def independent(design: np.ndarray) -> np.ndarray:
    """The columns that are no sum of columns before them, over everyone tested: the model stays the same.

    A score band tells the test result, so that bands beside the test always hold such a column.
    """
    kept = np.empty((len(design), 0))
    for column in design.T:
        rest = column - kept @ (kept.T @ column)
        # Twice, for rounding.
        rest = rest - kept @ (kept.T @ rest)
        size = np.linalg.norm(rest)
        if size > 1e-8 * max(np.linalg.norm(column), 1e-300):
            kept = np.column_stack([kept, rest / size])
        else:
            design = np.delete(design, kept.shape[1], axis=1)
    return design


def logistic_rates(design: np.ndarray, n: np.ndarray, x: np.ndarray, *, what: str) -> LogisticRates:
    """Logistic model of x out of n by pattern, fitted by Newton's method.

    Raises
    ------
    DesignError
        Covariates that cannot be told apart among those the model is fitted to, or patterns that separate without exception.
    """
    coefficients, covariance = logistic_fit(design, n, x, what=what)
    return LogisticRates(expit(design @ coefficients), design, coefficients, covariance)


def logistic_fit(
    design: np.ndarray, n: np.ndarray, x: np.ndarray, *, what: str, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and inverse information; `n` and `x` need not be whole numbers.

    Raises
    ------
    DesignError
        As in :func:`logistic_rates`.
    """
    where = "verification_corrected(covariates)"
    total = n.sum()
    if not 0 < x.sum() < total:
        raise DesignError(where, f"no variation to model in {what}", remedy="use model='cells', or collect more")
    used = n > 0
    if np.linalg.matrix_rank(design[used]) < design.shape[1]:
        raise DesignError(
            where,
            f"covariates cannot be told apart among the people from whom {what} is modelled",
            allowed="levels and combinations that occur there too",
            remedy="leave one of the covariates out, or use coarser levels",
        )
    coefficients = np.zeros(design.shape[1]) if start is None else start.copy()
    for _ in range(STEPS):
        rate = expit(design @ coefficients)
        information = (design * (n * rate * (1 - rate))[:, None]).T @ design
        score = design.T @ (x - n * rate)
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            break
        size = np.abs(step).max()
        coefficients = coefficients + step * min(1.0, 4.0 / max(size, 1e-300))
        if np.abs(coefficients).max() > FARTHEST:
            break
        if size < 1e-10:
            return coefficients, np.linalg.inv(information)
    raise DesignError(
        where,
        f"the logistic model of {what} does not exist: a covariate or the test separates them without exception",
        remedy="use fewer covariates or model='cells', or verify more people",
    )
