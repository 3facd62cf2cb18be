"""Common factors of a correlation matrix by maximum likelihood or minimum residuals, before any rotation.

For given uniquenesses the best loadings are eigenvectors, so only k uniquenesses are searched, whatever the number of
factors (Joreskog 1967 for ML; Harman & Jones 1966 and Joreskog's unweighted least squares for minres).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

# As in R's factanal and psych: a uniqueness that ends here is a Heywood case.
LEAST_UNIQUENESS = 0.005


@dataclass(frozen=True, slots=True)
class Extraction:
    """Unrotated loadings, shape (k, q), uniquenesses, shape (k,), and how near the search came (largest free slope)."""

    loadings: np.ndarray
    unique: np.ndarray
    slope: float


def extract(correlation: np.ndarray, n_factors: int, method: str) -> Extraction:
    """Loadings and uniquenesses that fit a correlation matrix best by `method`, 'ml' or 'minres'."""
    criterion = ml_criterion if method == "ml" else minres_criterion
    arguments = (correlation, n_factors)
    options = {"maxiter": 5000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 30}
    bounds = [(LEAST_UNIQUENESS, 1.0)] * len(correlation)
    found = optimize.minimize(
        criterion,
        starting_point(correlation, n_factors),
        arguments,
        "L-BFGS-B",
        jac=True,
        bounds=bounds,
        options=options,
    )
    unique, slope = polish(criterion, found.x, arguments)
    return Extraction((ml_loadings if method == "ml" else minres_loadings)(unique, *arguments), unique, slope)


def starting_point(correlation: np.ndarray, n_factors: int) -> np.ndarray:
    """Uniquenesses by Joreskog's rule from the squared multiple correlations; .5 where there are none."""
    if np.linalg.eigvalsh(correlation)[0] < 1e-8:
        return np.full(len(correlation), 0.5)
    start = (1 - 0.5 * n_factors / len(correlation)) / np.diag(np.linalg.inv(correlation))
    return np.clip(start, 2 * LEAST_UNIQUENESS, 0.95)


def minres_criterion(unique: np.ndarray, correlation: np.ndarray, n_factors: int) -> tuple[float, np.ndarray]:
    """Half the sum of squared residuals at the best loadings, and its gradient in the uniquenesses."""
    values, vectors = np.linalg.eigh(correlation - np.diag(unique))
    # A negative eigenvalue among the first q cannot be a factor and stays in the residual.
    rest = values.copy()
    rest[-n_factors:] = np.minimum(rest[-n_factors:], 0.0)
    return 0.5 * float(rest @ rest), -(vectors**2) @ rest


def minres_loadings(unique: np.ndarray, correlation: np.ndarray, n_factors: int) -> np.ndarray:
    """Best loadings for given uniquenesses in least squares, largest factor first."""
    values, vectors = np.linalg.eigh(correlation - np.diag(unique))
    return vectors[:, : -n_factors - 1 : -1] * np.sqrt(np.maximum(values[: -n_factors - 1 : -1], 0.0))


def ml_criterion(unique: np.ndarray, correlation: np.ndarray, n_factors: int) -> tuple[float, np.ndarray]:
    """Discrepancy log|Sigma| - log|R| + tr(R Sigma^-1) - k at the best loadings, and its gradient."""
    root = np.sqrt(unique)
    values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
    rest = np.arange(len(values)) < len(values) - n_factors
    rest |= values < 1
    value = float(np.sum(values[rest] - 1 - np.log(values[rest])))
    return value, (vectors[:, rest] ** 2 @ (1 - values[rest])) / unique


def ml_loadings(unique: np.ndarray, correlation: np.ndarray, n_factors: int) -> np.ndarray:
    """Best loadings for given uniquenesses in likelihood, largest factor first."""
    root = np.sqrt(unique)
    values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
    kept = np.sqrt(np.maximum(values[: -n_factors - 1 : -1] - 1, 0.0))
    return root[:, None] * vectors[:, : -n_factors - 1 : -1] * kept


def polish(criterion: Callable, unique: np.ndarray, arguments: tuple) -> tuple[np.ndarray, float]:
    """Newton steps on the uniquenesses that are not at a bound, until the slope no longer falls.

    A search that compares function values stops at the square root of machine precision; the slope itself goes further.
    """
    free = (unique > LEAST_UNIQUENESS * 1.0001) & (unique < 1 - 1e-9)
    gradient = criterion(unique, *arguments)[1]
    for _ in range(5):
        slope = float(np.abs(gradient[free]).max(initial=0.0))
        if slope < 1e-13:
            break
        moved = unique.copy()
        moved[free] -= newton_step(criterion, unique, arguments, free, gradient)
        if (moved < LEAST_UNIQUENESS).any() or (moved > 1).any():
            break
        beyond = criterion(moved, *arguments)[1]
        if not float(np.abs(beyond[free]).max(initial=0.0)) < slope:
            break
        unique, gradient = moved, beyond
    return unique, float(np.abs(gradient[free]).max(initial=0.0))


def newton_step(
    criterion: Callable, unique: np.ndarray, arguments: tuple, free: np.ndarray, gradient: np.ndarray
) -> np.ndarray:
    """Newton's step of the free uniquenesses, with differences of the gradient for curvature."""
    width = 1e-6
    curvature = np.empty((int(free.sum()), int(free.sum())))
    for row, position in enumerate(np.flatnonzero(free)):
        sides = []
        for sign in (1, -1):
            moved = unique.copy()
            moved[position] += sign * width
            sides.append(criterion(moved, *arguments)[1][free])
        curvature[row] = (sides[0] - sides[1]) / (2 * width)
    curvature = (curvature + curvature.T) / 2
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return np.full(len(curvature), math.nan)
    return np.linalg.solve(curvature, gradient[free])
