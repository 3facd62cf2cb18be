"""Samejima's graded response model by marginal maximum likelihood; the two-parameter logistic is its binary case."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Message, Refused, message
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.irt_answers import Answers, Patterns, coded_answers, patterns_of
from mhlib.stats.measurement.irt_curves import Curves, Layout, curves, layout_of
from mhlib.stats.measurement.irt_information import observed_information
from mhlib.stats.measurement.irt_likelihood import blocks_of
from mhlib.stats.measurement.irt_problem import POINTS, STEEP, Maximum, Problem, maximise, starting_values
from mhlib.stats.terms import term_frame

SLOPES = {"free": "graded response model", "common": "graded response model with one slope (Rasch family)"}
SMALL_SAMPLE = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradedResponseResult:
    """A fitted graded response model; theta has mean 0 and variance 1.

    Attributes
    ----------
    names : tuple of str
        Items.
    values : tuple of ndarray
        Values of each item's categories, rising.
    slopes : ndarray, shape (k,)
        a_j, per unit of theta, logistic metric (no 1.7).
    thresholds : tuple of ndarray
        b_jc: the theta at which half answer `values[j][c + 1]` or higher (or lower, where the slope is negative).
    intercepts : ndarray, shape (boundaries,)
        d = -a b, stacked item by item.
    covariance : ndarray
        Of slopes, then thresholds stacked item by item, from the observed information; NaN where it does not exist.
    log_likelihood, aic, bic : float
    n_parameters, n_patterns, n_iterations : int
    converged : bool
        Whether the gradient vanished, the information is positive definite there, and no slope is beyond 10 (61 points
        cannot tell such a slope from an infinite one).
    decrement : float
        g' H^-1 g where the optimiser stopped: twice the log-likelihood that a further step would gain.
    negative : tuple of str
        Items whose slope runs against the majority: a wrong key or a bad item, never turned here.
    merged : tuple of (item, value, value it counts as)
        Categories that too few people chose, by the rule of :func:`graded_response`.
    notes : tuple of Message
        What a reader must know before using the numbers; empty when all is well.
    patterns : Patterns
        Distinct answer patterns and their counts.
    """

    names: tuple[str, ...]
    values: tuple[np.ndarray, ...] = field(repr=False)
    slopes: np.ndarray
    thresholds: tuple[np.ndarray, ...]
    intercepts: np.ndarray = field(repr=False)
    covariance: np.ndarray = field(repr=False)
    log_likelihood: float
    aic: float
    bic: float
    n_parameters: int
    n_patterns: int
    n_iterations: int
    converged: bool
    decrement: float
    negative: tuple[str, ...]
    merged: tuple[tuple[str, float, float], ...]
    notes: tuple[Message, ...]
    patterns: Patterns = field(repr=False)
    slope_model: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    @property
    def layout(self) -> Layout:
        """Where items stand in the stacked arrays."""
        return layout_of(np.array([len(values) for values in self.values]))

    def curves_at(self, theta: np.ndarray) -> Curves:
        """Category probabilities of all items at `theta`."""
        return curves(self.slopes, self.intercepts, np.asarray(theta, dtype=float), self.layout)

    def to_frame(self) -> pd.DataFrame:
        """Rows `<item> slope` and `<item> threshold <value>`, with `item, parameter, value`; Wald intervals."""
        error = np.sqrt(np.diag(self.covariance))
        half = critical(self.conf_level) * error
        labels = [{"term": f"{name} slope", "item": name, "parameter": "slope"} for name in self.names]
        for name, values in zip(self.names, self.values, strict=True):
            labels += [
                {"term": f"{name} threshold {v:g}", "item": name, "parameter": "threshold", "value": float(v)}
                for v in values[1:]
            ]
        estimate = np.concatenate([self.slopes, *self.thresholds])
        return term_frame(
            [
                {**label, "estimate": e, "std_error": s, "conf_low": e - h, "conf_high": e + h}
                for label, e, s, h in zip(labels, estimate, error, half, strict=True)
            ]
        )


def graded_response(
    items: object,
    *,
    slopes: str = "free",
    min_count: int = 1,
    conf_level: float = 0.95,
    max_iterations: int = 500,
) -> GradedResponseResult:
    """Fit the graded response model to items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Missing answers are allowed and taken as missing at random: every answer given counts. Numbers of categories may
        differ. Nothing is turned; an item that runs against the rest is named in `negative`.
    slopes : {'free', 'common'}
        'common' gives all items one slope (with binary items the Rasch model: its variance of theta is the square of
        the slope).
    min_count : int
        A category that fewer people chose is merged with the next lower one (the lowest with the next higher one). The
        default keeps every category that anybody chose; one that nobody chose has no threshold.
    conf_level : float
    max_iterations : int

    Returns
    -------
    GradedResponseResult
        Rows without any answer are left out and counted in `n_excluded`. A fit that did not converge says so in
        `converged` and `notes`.

    Raises
    ------
    DataError
        Text or infinite values.
    DesignError
        Fewer than two items, an item with one category, fewer people than twice the parameters.
    ParamsError
        Unknown `slopes`, a confidence level outside 0-1.

    Notes
    -----
    P(X_j >= c | theta) = 1 / (1 + exp(-a_j (theta - b_jc))); theta standard normal on 61 points from -6 to 6. Maximised
    by L-BFGS scaled with the complete-data information from an EM start; standard errors from the observed
    information by Louis (1982), thresholds by the delta method. AIC = -2 l + 2 p, BIC = -2 l + p log n.
    References: Samejima (1969) Psychometrika Monograph 17; Bock & Aitkin (1981) Psychometrika 46:443; Louis (1982) JRSS
    B 44:226; Lange (1995) JRSS B 57:425.
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    answers = coded_answers(items, where="graded_response", min_count=min_count)
    found = patterns_of(answers.codes, answers.n_categories)
    return fitted(answers, found, slopes=slopes, conf_level=conf_level, max_iterations=max_iterations)


def graded_response_from_counts(
    patterns: object,
    counts: object,
    *,
    slopes: str = "free",
    min_count: int = 1,
    conf_level: float = 0.95,
    max_iterations: int = 500,
) -> GradedResponseResult:
    """Fit the graded response model to distinct answer patterns and their counts.

    Parameters
    ----------
    patterns : DataFrame or array-like, shape (m, k)
        One row a pattern, missing answers allowed.
    counts : array-like of whole numbers, shape (m,)
        People with each pattern.
    slopes, min_count, conf_level, max_iterations
        As in :func:`graded_response`; `min_count` above 1 needs the rows.

    Returns
    -------
    GradedResponseResult
        The same digits as :func:`graded_response` on the rows.

    Raises
    ------
    DataError, DesignError, ParamsError
        As in :func:`graded_response`, and counts that are no counts.

    Notes
    -----
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    where = "graded_response_from_counts"
    number = inputs.numeric(counts, where=where, name="counts")
    if not np.isfinite(number).all() or (number < 0).any() or (number != np.floor(number)).any():
        raise DataError(f"{where}(counts)", "holds something that is no count", allowed="whole numbers, 0 or more")
    if min_count > 1:
        raise DesignError(f"{where}(min_count)", "needs the rows", remedy="call graded_response on the rows")
    frame = patterns if isinstance(patterns, pd.DataFrame) else pd.DataFrame(np.asarray(patterns))
    inputs.same_length(where, patterns=frame, counts=number)
    answers = coded_answers(frame[number > 0], where=where)
    found = patterns_of(answers.codes, answers.n_categories, number[number > 0])
    return fitted(answers, found, slopes=slopes, conf_level=conf_level, max_iterations=max_iterations)


def fitted(
    answers: Answers, found: Patterns, *, slopes: str, conf_level: float, max_iterations: int
) -> GradedResponseResult:
    """Maximise, orient, and put the record together."""
    inputs.one_of(slopes, tuple(SLOPES), where="graded_response", name="slopes")
    inputs.open_unit(conf_level, where="graded_response", name="conf_level")
    layout, (kept, n_excluded) = layout_of(answers.n_categories), with_answers(found)
    index = index_of(layout, slopes)
    demand_people(kept.counts.sum(), int(index.max()) + 1)
    problem = Problem(layout, (blocks_of(kept, layout),), index)
    start = np.zeros(problem.n_free)
    values = starting_values(kept.codes, kept.counts, layout)
    np.add.at(start, index, values / np.bincount(index)[index])
    top = maximise(start, problem, max_iterations=max_iterations)
    covariance = covariance_of(top, problem)
    return record(answers, kept, n_excluded, top, covariance, slopes, conf_level)


def with_answers(found: Patterns) -> tuple[Patterns, int]:
    """Patterns with at least one answer, and the number of people left out."""
    some = (found.codes >= 0).any(axis=1)
    return Patterns(found.codes[some], found.counts[some]), round(found.counts[~some].sum())


def index_of(layout: Layout, slopes: str) -> np.ndarray:
    """Free parameter behind every slope and intercept."""
    if slopes == "free":
        return np.arange(layout.n_parameters)
    return np.concatenate([np.zeros(layout.n_items, dtype=int), 1 + np.arange(len(layout.item_of_boundary))])


def demand_people(n: float, n_parameters: int) -> None:
    """Stop when there are fewer people than twice the parameters."""
    if n < 2 * n_parameters:
        raise DesignError(
            "graded_response(items)",
            f"{round(n)} people for {n_parameters} parameters",
            allowed="at least two people a parameter",
            remedy="merge rare categories (`min_count`) or collect more answers",
        )


def covariance_of(top: Maximum, problem: Problem) -> np.ndarray:
    """Covariance of slopes and thresholds; NaN when the information is not positive definite."""
    group, layout = top.at.groups[0], problem.layout
    full = observed_information(problem.groups[0], group.curves, group.expected, POINTS, group.weight, layout)
    information = np.zeros((problem.n_free, problem.n_free))
    np.add.at(information, (problem.index[:, None], problem.index[None, :]), full)
    if np.linalg.eigvalsh(information)[0] <= 0:
        return np.full(full.shape, math.nan)
    free = np.linalg.inv(information)[np.ix_(problem.index, problem.index)]
    n, item = layout.n_items, layout.item_of_boundary
    jacobian, rows = np.eye(len(full)), n + np.arange(len(item))
    jacobian[rows, rows] = -1 / group.slopes[item]
    jacobian[rows, item] = group.intercepts / group.slopes[item] ** 2
    return jacobian @ free @ jacobian.T


def record(
    answers: Answers,
    kept: Patterns,
    n_excluded: int,
    top: Maximum,
    covariance: np.ndarray,
    slopes: str,
    conf_level: float,
) -> GradedResponseResult:
    """The result, with theta turned so that most slopes are positive."""
    group, layout = top.at.groups[0], layout_of(answers.n_categories)
    sign = -1.0 if group.slopes.sum() < 0 else 1.0
    a, d, n = sign * group.slopes, group.intercepts, round(kept.counts.sum())
    b = np.split(-d / a[layout.item_of_boundary], layout.first_boundary[1:-1])
    p, loglik, defined = len(top.x), top.at.loglik, bool(np.isfinite(covariance).all())
    negative = tuple(name for name, slope in zip(answers.names, a, strict=True) if slope < 0)
    steep = tuple(name for name, slope in zip(answers.names, a, strict=True) if abs(slope) > STEEP)
    converged = top.converged and defined and not steep
    return GradedResponseResult(
        names=answers.names,
        values=answers.values,
        slopes=a,
        thresholds=tuple(b),
        intercepts=d,
        # Turning theta changes the sign of slopes and thresholds together: their covariance stays.
        covariance=covariance,
        log_likelihood=loglik,
        aic=-2 * loglik + 2 * p,
        bic=-2 * loglik + p * math.log(n),
        n_parameters=p,
        n_patterns=len(kept.counts),
        n_iterations=top.n_iterations,
        converged=converged,
        decrement=top.decrement,
        negative=negative,
        merged=answers.merged,
        notes=notes_of(n, converged, negative, steep, answers),
        patterns=kept,
        slope_model=slopes,
        n_used=n,
        n_excluded=n_excluded,
        method=f"{SLOPES[slopes]}, marginal maximum likelihood, Louis (1982) standard errors",
        conf_level=conf_level,
    )


def refused_model() -> Refused:
    """Nothing is computed from a model that was not found."""
    return Refused(
        "irt_not_converged",
        message("The item response model did not converge, so nothing is computed from it."),
        message("More people, or fewer and better filled answer categories."),
    )


def notes_of(
    n: int, converged: bool, negative: tuple[str, ...], steep: tuple[str, ...], answers: Answers
) -> tuple[Message, ...]:
    """What must be said beside the numbers."""
    notes = []
    if not converged:
        notes.append(message("The item response model did not converge. Do not use its numbers."))
    if negative:
        notes.append(message("These items run against the rest: {items}. Check the key.", items=", ".join(negative)))
    if steep:
        notes.append(message("The slopes of these items could not be pinned down: {items}.", items=", ".join(steep)))
    if answers.merged:
        named = ", ".join(dict.fromkeys(name for name, _, _ in answers.merged))
        notes.append(message("Rare answers were merged with their neighbour in: {items}.", items=named))
    if n < SMALL_SAMPLE:
        notes.append(message("Fewer than {n} people: the item parameters are rough.", n=SMALL_SAMPLE))
    return tuple(notes)
