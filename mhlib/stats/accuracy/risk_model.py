"""From a score to a risk: the logistic model that one set of verified people hands on to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import count_scores, demand_both, score_levels
from mhlib.stats.accuracy.roc_curve import checked_rows
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskModel:
    """Risk = 1 / (1 + exp(-(intercept + slope * score))); `slope` is per point."""

    intercept: float
    slope: float
    terms: pd.DataFrame
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `intercept` and `slope`."""
        return self.terms.copy()


def risk_of_score(score: object, reference: object, *, weights: object = None, conf_level: float = 0.95) -> RiskModel:
    """Logistic regression of the reference on the score, to be handed on to other people.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        In points, without missing values.
    reference : array-like of 0/1 or bool, shape (n,)
        1 = case; verified people only.
    weights : array-like, shape (n,), optional
        Inverse probability of being verified. The intervals then are those of the weighted rows and too narrow for
        inference: the model is there to be judged elsewhere, see :func:`calibration`.
    conf_level : float

    Returns
    -------
    RiskModel

    Raises
    ------
    DataError
        Missing values, columns of different lengths, a reference other than 0 and 1.
    DesignError
        No case or no non-case, a score that does not vary, or one that parts cases and non-cases without error.

    Notes
    -----
    Fitted to numbers of people by score, so its time has no n in it. Never judge it on the people it was fitted to.
    Checked against: tests/stats/test_risk_model.py (statsmodels on the rows).
    """
    where = "risk_of_score"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    points, case = checked_rows(score, reference, where=where, weights=weights)
    values, level = score_levels(points)
    weight = None if weights is None else inputs.weights_of(weights, len(points), where=where)
    cases, others = count_scores(level, len(values), case, weight)
    demand_both(cases.sum(), others.sum(), where=where)
    if len(values) < 2 or not overlapping(cases, others):
        raise DesignError(where, "the score does not vary, or parts cases from non-cases without error",
                          allowed="cases and non-cases whose scores overlap")  # fmt: skip
    beta, covariance = logistic(values, cases, others)
    errors = np.sqrt(np.diag(covariance))
    rows = [
        {
            "term": name,
            "estimate": b,
            "std_error": e,
            **dict(zip(("conf_low", "conf_high"), wald(b, e, conf_level), strict=True)),
        }
        for name, b, e in zip(("intercept", "slope"), beta, errors, strict=True)
    ]
    return RiskModel(
        intercept=float(beta[0]), slope=float(beta[1]), terms=term_frame(rows), n_used=len(points), n_excluded=0,
        method="logistic regression on the score" + ("" if weights is None else ", weighted"), conf_level=conf_level,
    )  # fmt: skip


def overlapping(cases: np.ndarray, others: np.ndarray) -> bool:
    """Whether neither side lies wholly above the other: otherwise the slope has no end."""
    ill, well = np.flatnonzero(cases > 0), np.flatnonzero(others > 0)
    return bool(ill.min() < well.max() and well.min() < ill.max())


def logistic(values: np.ndarray, cases: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their covariance by Newton's method on counts by score."""
    design, total = np.column_stack([np.ones(len(values)), values]), cases + others
    beta = np.array([np.log(cases.sum() / others.sum()), 0.0])
    for _ in range(100):
        risk = 1 / (1 + np.exp(-(design @ beta)))
        information = design.T @ (design * (total * risk * (1 - risk))[:, None])
        step = np.linalg.solve(information, design.T @ (cases - total * risk))
        # Half steps far from the maximum: a whole one can overshoot where a score is rare.
        beta = beta + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-12:
            break
    return beta, np.linalg.inv(information)
