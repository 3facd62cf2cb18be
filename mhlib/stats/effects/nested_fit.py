"""A fitted nested model as numbers: estimates, their covariance, and what degrees of freedom of any contrast need."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.errors import DesignError
from mhlib.stats.effects.nested_design import Design
from mhlib.stats.effects.nested_deviance import Deviance, Point
from mhlib.stats.effects.nested_groups import Nesting
from mhlib.stats.effects.nested_optimise import ZERO, Optimum, minimum
from mhlib.stats.effects.nested_pass import Sums

# Below this a t distribution is so wide, and so badly known, that a p-value would be no evidence (the plan's rule).
LEAST_DF = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class NestedFit:
    """One outcome's fit; private to the library, carried by :class:`MultilevelResult`.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        In the data's own columns.
    covariance : ndarray, shape (p, p)
    jacobian : ndarray, shape (k + 1, p, p)
        Derivatives of the covariance by (theta, sigma).
    information : ndarray, shape (k + 1, k + 1)
        Covariance of (theta, sigma): twice the inverse Hessian of the deviance, without directions that are not curved.
    """

    deviance: Deviance
    optimum: Optimum
    sigma: float
    beta: np.ndarray
    covariance: np.ndarray
    jacobian: np.ndarray
    information: np.ndarray
    design: Design
    nesting: Nesting
    place: int

    @property
    def theta(self) -> np.ndarray:
        """Relative factors of the random effects, from the lowest level."""
        return self.optimum.theta


def fitted(sums: Sums, design: Design, nesting: Nesting, place: int, *, reml: bool, correlated: bool) -> NestedFit:
    """Fit one outcome from the statistics of all."""
    deviance = Deviance(sums.of_outcome(place), reml=reml, correlated=correlated)
    demand_variation(deviance.sums, design.outcomes[place])
    optimum = minimum(deviance)
    here = deviance.point(optimum.theta)
    sigma = math.sqrt(here.rss / deviance.df)
    back = from_centred(design)
    beta = back @ here.beta
    if design.intercept is not None:
        beta[design.intercept] += design.shift[place]
    jacobian = covariance_jacobian(here, sigma)
    return NestedFit(
        deviance=deviance,
        optimum=optimum,
        sigma=sigma,
        beta=beta,
        covariance=back @ (sigma**2 * here.inverse) @ back.T,
        jacobian=back @ jacobian @ back.T,
        information=inverse_where_curved(deviance.hessian(optimum.theta, sigma)),
        design=design,
        nesting=nesting,
        place=place,
    )


def demand_variation(sums: Sums, outcome: str) -> None:
    """The outcome varies, and not only with the columns of the fixed effects."""
    start = sums.n_random
    a = sums.total[start:, start:]
    p = sums.p
    left = a[p, p] - a[:p, p] @ np.linalg.solve(a[:p, :p], a[:p, p])
    if not left > 1e-12 * max(a[p, p], 1e-300):
        raise DesignError(
            f"multilevel({outcome})", "does not vary once the fixed effects are known", allowed="an outcome that varies"
        )


def from_centred(design: Design) -> np.ndarray:
    """Map from coefficients of centred columns to those of the data's own."""
    back = np.eye(len(design.names))
    if design.intercept is not None:
        back[design.intercept] -= design.centre
    return back


def covariance_jacobian(here: Point, sigma: float) -> np.ndarray:
    """Derivatives of sigma² (X'V⁻¹X)⁻¹ by (theta, sigma)."""
    by_theta = -(sigma**2) * here.inverse @ here.d_cross @ here.inverse
    return np.concatenate([by_theta, (2 * sigma * here.inverse)[None]])


def inverse_where_curved(hessian: np.ndarray) -> np.ndarray:
    """Twice the inverse of the Hessian over its positive directions, as lmerTest does at a boundary."""
    values, vectors = np.linalg.eigh(hessian)
    kept = values > 1e-8
    return 2 * (vectors[:, kept] / values[kept]) @ vectors[:, kept].T


def degrees_of_freedom(fit: NestedFit, contrast: np.ndarray) -> np.ndarray:
    """Satterthwaite's df of each contrast.

    Parameters
    ----------
    contrast : ndarray, shape (c, p)

    Returns
    -------
    ndarray, shape (c,)
        2 v² / (g'A g) with v = L C L', g its gradient by (theta, sigma) and A their covariance.
    """
    variance = np.einsum("cp,pq,cq->c", contrast, fit.covariance, contrast)
    gradient = np.einsum("cp,kpq,cq->ck", contrast, fit.jacobian, contrast)
    spread = np.einsum("ck,kl,cl->c", gradient, fit.information, gradient)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * variance**2 / spread


def estimated(fit: NestedFit, contrast: np.ndarray, conf_level: float) -> list[dict[str, float]]:
    """Estimate, standard error, df, t interval and p-value of each contrast; no p-value below 4 df."""
    estimate = contrast @ fit.beta
    error = np.sqrt(np.einsum("cp,pq,cq->c", contrast, fit.covariance, contrast))
    df = degrees_of_freedom(fit, contrast)
    half = stats.t.ppf((1 + conf_level) / 2, df) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / error
    p = np.where(df >= LEAST_DF, 2 * stats.t.sf(np.abs(statistic), df), math.nan)
    columns = {
        "estimate": estimate,
        "std_error": error,
        "conf_low": estimate - half,
        "conf_high": estimate + half,
        "p_value": p,
        "statistic": statistic,
        "df": df,
    }
    return [{name: float(values[i]) for name, values in columns.items()} for i in range(len(estimate))]


def components(fit: NestedFit) -> list[tuple[str, str, int, np.ndarray]]:
    """Each part of the random effects: level, part, and its value and gradient by (theta, sigma) as one array.

    Returns
    -------
    list of (level, part, order, array)
        `part` is 'intercept', 'slope', 'covariance' or 'residual'; the array holds the value, then its gradient. From the
        highest level down, the residual last.
    """
    rows, place, k = [], 0, len(fit.theta)
    for depth, slots in enumerate(fit.deviance.slots):
        size = max(row for row, _ in slots) + 1
        factor, mine = np.zeros((size, size)), []
        for slot in slots:
            factor[slot] = fit.theta[place]
            mine.append((place, slot))
            place += 1
        for a in range(size):
            for b in range(a + 1):
                if a != b and (1, 0) not in slots:
                    continue
                name = "covariance" if a != b else ("intercept", "slope")[a]
                relative = factor[a] @ factor[b]
                gradient = np.zeros(k + 1)
                for index, (row, column) in mine:
                    gradient[index] = fit.sigma**2 * ((row == a) * factor[b, column] + (row == b) * factor[a, column])
                gradient[k] = 2 * fit.sigma * relative
                rows.append((fit.nesting.names[depth], name, depth, np.append(fit.sigma**2 * relative, gradient)))
    rows.sort(key=lambda row: -row[2])
    residual = np.append(fit.sigma**2, np.append(np.zeros(k), 2 * fit.sigma))
    return [*rows, ("residual", "residual", -1, residual)]


def at_boundary(fit: NestedFit) -> tuple[str, ...]:
    """Levels with a variance of zero, or with a slope that its intercept foretells without fail."""
    found, place = [], 0
    for name, slots in zip(fit.nesting.names, fit.deviance.slots, strict=True):
        for row, column in slots:
            if row == column and abs(fit.theta[place]) < ZERO:
                found.append(name)
            place += 1
    return tuple(dict.fromkeys(found[::-1]))
