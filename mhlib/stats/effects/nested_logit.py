"""Logit with a random intercept of schools, by Laplace or adaptive quadrature: a sensitivity beside logit + CR2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import expit

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_design import columns_of, complete_rows, design_of, parsed
from mhlib.stats.effects.nested_groups import nesting_of
from mhlib.stats.effects.nested_logit_likelihood import LogitCells, cells_of, deviance, gradient, hessian
from mhlib.stats.effects.nested_optimise import AGREE, ZERO
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame

# Log odds beyond this are no estimate: some combination of columns has one answer only.
SEPARATED = 12.0
LARGEST_GRADIENT = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomInterceptLogit:
    """Log odds within a school.

    Attributes
    ----------
    fixed : pandas.DataFrame
        `term, estimate` (log odds)`, std_error, conf_low, conf_high, p_value, statistic, odds_ratio`; normal quantiles,
        for the method has no degrees of freedom: with few schools its intervals are too short.
    sd : float
        Standard deviation of the schools' log odds.
    icc : float
        On the scale of log odds: sd² / (sd² + pi²/3).
    loglik : float
    converged : bool
        Finite likelihood, flat, a second optimiser at the same place, and no column that separates the answers.
    boundary : bool
        The schools' variance is zero.
    nodes : int
        1 is Laplace's approximation.
    n_groups : int
    missing : dict
    """

    fixed: pd.DataFrame = field(repr=False)
    sd: float
    icc: float
    loglik: float
    converged: bool
    boundary: bool
    nodes: int
    n_groups: int
    missing: Mapping[str, int]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Fixed effects, then `sd` and `icc`."""
        rest = [{"term": name, "estimate": getattr(self, name)} for name in ("sd", "icc")]
        return term_frame([*self.fixed.to_dict("records"), *rest])


def random_intercept_logit(
    formula: str, data: pd.DataFrame, *, group: str, nodes: int = 1, conf_level: float = 0.95
) -> RandomInterceptLogit:
    """Logistic regression with a random intercept of one level of groups.

    Parameters
    ----------
    formula : str
        `outcome ~ fixed effects`, the outcome 0/1 or bool.
    data : pandas.DataFrame
    group : str
        Column of the schools (or classes).
    nodes : int
        Points of adaptive Gauss–Hermite quadrature, 1 to 101; 1 is Laplace.
    conf_level : float
        0–1.

    Returns
    -------
    RandomInterceptLogit
        Effects on a pupil within a given school, further from 0 than those averaged over schools that logit + CR2 gives.

    Raises
    ------
    DataError
        An outcome other than 0 and 1.
    DesignError
        One answer only, a group with no second one, columns that are constant or collinear.
    ParamsError
        An unreadable formula, a number of nodes out of range.

    Notes
    -----
    Rows with a missing value are left out and counted. The school's effect is integrated out at its mode, beta and the
    standard deviation are found together; standard errors from the Hessian of both. References: Pinheiro & Chao (2006)
    J Comput Graph Stat 15:58; Bates et al. (2015). Checked against: tests/oracle/multilevel_logit.csv (lme4::glmer).
    """
    where = "random_intercept_logit"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if not (isinstance(nodes, int) and 1 <= nodes <= 101):
        raise ParamsError(f"{where}(nodes)", f"is {nodes}", allowed="a whole number from 1 to 101")
    read = parsed(formula, where=where)
    frame, missing = complete_rows(data, list(dict.fromkeys([*columns_of(read), group])), where=where)
    design = design_of(read, (), frame, where=where)
    nesting = nesting_of([frame[group]], [group], labels="unique", where=where)
    answers = answers_of(design.y[:, 0] + design.shift[0], where=where)
    cells = cells_of(design.x + design.centre, answers, nesting.code, len(nesting.labels[0]))
    theta, value, converged = minimum(cells, nodes)
    table, converged = logit_table(design.names, theta, cells, nodes, conf_level, converged)
    sd = float(abs(theta[-1]))
    return RandomInterceptLogit(
        fixed=table,
        sd=sd,
        icc=sd**2 / (sd**2 + math.pi**2 / 3),
        loglik=-value / 2,
        converged=converged,
        boundary=sd < ZERO,
        nodes=nodes,
        n_groups=len(nesting.labels[0]),
        missing=missing,
        n_used=len(frame),
        n_excluded=len(data) - len(frame),
        method=f"random-intercept logit, {'Laplace' if nodes == 1 else f'adaptive quadrature, {nodes} nodes'}, normal quantiles",
        conf_level=conf_level,
    )


def answers_of(y: np.ndarray, *, where: str) -> np.ndarray:
    """The outcome as 0 and 1, both there."""
    rounded = np.round(y)
    if np.abs(y - rounded).max() > 1e-9 or not np.isin(rounded, (0, 1)).all():
        raise DataError(f"{where}(outcome)", "holds something other than 0 and 1", allowed="0 and 1, or False and True")
    if rounded.min() == rounded.max():
        raise DesignError(f"{where}(outcome)", "has one answer only", allowed="both 0 and 1")
    return rounded


def minimum(cells: LogitCells, nodes: int) -> tuple[np.ndarray, float, bool]:
    """Beta and standard deviation by two optimisers from two starts."""
    start = np.append(pooled(cells), 0.7)
    bounds = [(None, None)] * (len(start) - 1) + [(0.0, None)]

    def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
        return deviance(cells, theta, nodes), gradient(cells, theta, nodes)

    one = optimize.minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds,
                            options={"ftol": 1e-14, "gtol": 1e-6, "maxiter": 500})  # fmt: skip
    other = optimize.minimize(function, np.append(start[:-1], 0.3), jac=True, method="SLSQP", bounds=bounds,
                              options={"ftol": 1e-10, "maxiter": 500})  # fmt: skip
    theta, value = newton(cells, nodes, *min(((one.x, one.fun), (other.x, other.fun)), key=lambda found: found[1]))
    slope = gradient(cells, theta, nodes)
    if theta[-1] < ZERO and slope[-1] > -LARGEST_GRADIENT:
        slope[-1] = 0.0
    gap = abs(one.fun - other.fun)
    return theta, value, bool(np.isfinite(value) and gap < AGREE and np.abs(slope).max() < LARGEST_GRADIENT)


def newton(cells: LogitCells, nodes: int, theta: np.ndarray, value: float) -> tuple[np.ndarray, float]:
    """Two steps to the last digits; none that does not help."""
    for _ in range(2):
        free = np.arange(len(theta) - (theta[-1] < ZERO))
        curve = hessian(cells, theta, nodes)[np.ix_(free, free)]
        if np.linalg.eigvalsh(curve)[0] <= 0:
            break
        step = theta.copy()
        step[free] -= np.linalg.solve(curve, gradient(cells, theta, nodes)[free])
        there = deviance(cells, step, nodes)
        if not there <= value + 1e-9 or step[-1] < 0:
            break
        theta, value = step, there
    return theta, float(value)


def pooled(cells: LogitCells) -> np.ndarray:
    """Logit without schools, a few steps of iterated least squares: only a start."""
    beta = np.zeros(cells.x.shape[1])
    for _ in range(15):
        p = expit(np.clip(cells.x @ beta, -8, 8))
        weight = cells.trials * p * (1 - p)
        beta = beta + np.linalg.solve((cells.x.T * weight) @ cells.x, cells.x.T @ (cells.successes - cells.trials * p))
    return np.clip(beta, -8, 8)


def logit_table(
    names: tuple[str, ...], theta: np.ndarray, cells: LogitCells, nodes: int, conf_level: float, converged: bool
) -> tuple[pd.DataFrame, bool]:
    """Log odds with normal intervals; no standard error where the likelihood is flat."""
    from scipy import stats

    free = np.arange(len(theta) - (theta[-1] < ZERO))
    curve = hessian(cells, theta, nodes)[np.ix_(free, free)]
    beyond = np.abs(cells.x @ theta[:-1]).max() > SEPARATED
    good = converged and not beyond and np.linalg.eigvalsh(curve)[0] > 0
    p = len(names)
    error = np.sqrt(np.diag(2 * np.linalg.inv(curve)))[:p] if good else np.full(p, math.nan)
    rows = []
    for name, estimate, each in zip(names, theta[:-1], error, strict=True):
        low, high = wald(estimate, each, conf_level)
        row = {"term": name, "estimate": estimate, "std_error": each, "conf_low": low, "conf_high": high}
        z = estimate / each
        rows.append(
            {**row, "p_value": float(2 * stats.norm.sf(abs(z))), "statistic": z, "odds_ratio": math.exp(estimate)}
        )
    return term_frame(rows), bool(good)
