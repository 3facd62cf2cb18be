"""Thresholds and correlations that a measurement model implies for ordered items, with their derivatives.

Behind each item stands a normal answer with covariance Sigma = Lambda Psi Lambda' + Theta and mean mu. Only its order is
seen, so the model speaks of D (tau - mu) and D Sigma D, where D makes the variances 1. Under "theta" the residual
variances are parameters and D follows from them; under "delta" D holds the scales and the residual variances follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.cfa_matrices import MATRICES, Matrices, Structure, directions, to_parameters


@dataclass(frozen=True, slots=True)
class OrdinalModel:
    """A compiled model of ordered items.

    Attributes
    ----------
    item : numpy.ndarray, shape (t,)
        Item of each threshold.
    active : tuple of numpy.ndarray
        Free parameters that occur in each group, sorted.
    local : tuple of mapping of str to numpy.ndarray
        For each group and matrix the place of each slot among `active` (-1: fixed).
    """

    built: Structure
    theta_form: bool
    item: np.ndarray
    active: tuple[np.ndarray, ...]
    local: tuple[dict[str, np.ndarray], ...]


@dataclass(frozen=True, slots=True)
class Implied:
    """What a model implies at a parameter value; groups on the first axis.

    Attributes
    ----------
    at : Matrices
    spread : numpy.ndarray, shape (g, k)
        D: 1 / standard deviation of the answer behind each item.
    residual : numpy.ndarray, shape (g, k)
        Residual variances, given or following.
    moments : numpy.ndarray, shape (g, q)
        Thresholds, then correlations.
    """

    at: Matrices
    spread: np.ndarray
    residual: np.ndarray
    moments: np.ndarray


def ordinal_model(built: Structure, parameterization: str) -> OrdinalModel:
    """Compile."""
    place = {name: i for i, name in enumerate(built.observed)}
    item = np.array([place[name] for name, _ in built.thresholds])
    active, local = [], []
    for g in range(len(built.groups)):
        used = np.unique(np.concatenate([built.slots[name].index[g] for name in MATRICES]))
        used = used[used >= 0]
        own = np.full(built.n_free + 1, -1)
        own[used] = np.arange(len(used))
        active.append(used)
        local.append({name: own[built.slots[name].index[g]] for name in MATRICES})
    return OrdinalModel(built, parameterization == "theta", item, tuple(active), tuple(local))


def implied(model: OrdinalModel, theta: np.ndarray) -> Implied:
    """Moments at `theta`; NaN where a variance is not above 0."""
    at = model.built.matrices(theta)
    sigma = at.sigma
    total = np.diagonal(sigma, axis1=1, axis2=2)
    own = np.diagonal(at.residual, axis1=1, axis2=2)
    if model.theta_form:
        with np.errstate(invalid="ignore", divide="ignore"):
            spread, residual = 1 / np.sqrt(total), own
    else:
        spread = at.scale
        residual = 1 / spread**2 - (total - own)
    i, j = np.triu_indices(spread.shape[1], 1)
    steps = spread[:, model.item] * (at.threshold - at.mu[:, model.item])
    return Implied(at, spread, residual, np.concatenate([steps, spread[:, i] * sigma[:, i, j] * spread[:, j]], axis=1))


def derivatives(model: OrdinalModel, found: Implied) -> list[np.ndarray]:
    """Jacobian of each group's moments by its active parameters, shape (q, active) each."""
    way = directions(model.built, found.at)
    k = found.spread.shape[1]
    i, j = np.triu_indices(k, 1)
    cut = len(model.item)
    blocks = []
    for g in range(len(model.active)):
        index = np.concatenate([model.local[g][name] for name in MATRICES[:5]])
        kept = np.flatnonzero(index >= 0)
        u, v, w = way.u[g][:, kept], way.v[g][:, kept], way.w[g][:, kept]
        cells = np.concatenate([w, u[i] * v[j] + v[i] * u[j], 2 * u * v])
        moved = to_parameters(cells[None], index[kept][None], len(model.active[g]))[0]
        d_mean, d_cov, d_var = moved[:k], moved[k : k + len(i)], moved[k + len(i) :]
        log_spread = spread_derivative(model, found, g, d_var)
        d_tau = step_derivative(model, g)
        steps, cor = found.moments[g, :cut, None], found.moments[g, cut:, None]
        spread = found.spread[g][:, None]
        blocks.append(
            np.concatenate(
                [
                    spread[model.item] * (d_tau - d_mean[model.item]) + steps * log_spread[model.item],
                    spread[i] * spread[j] * d_cov + cor * (log_spread[i] + log_spread[j]),
                ]
            )
        )
    return blocks


def spread_derivative(model: OrdinalModel, found: Implied, g: int, d_var: np.ndarray) -> np.ndarray:
    """Derivative of log D, shape (k, active)."""
    if model.theta_form:
        return -0.5 * d_var * found.spread[g][:, None] ** 2
    slot, place = model.built.slots["scale"], model.local[g]["scale"]
    change = np.zeros((found.spread.shape[1], len(model.active[g])))
    free = place >= 0
    np.add.at(change, (slot.row[free], place[free]), 1 / found.spread[g][slot.row[free]])
    return change


def step_derivative(model: OrdinalModel, g: int) -> np.ndarray:
    """Derivative of tau, shape (t, active): ones."""
    slot, place = model.built.slots["threshold"], model.local[g]["threshold"]
    change = np.zeros((len(model.item), len(model.active[g])))
    free = place >= 0
    change[slot.row[free], place[free]] = 1.0
    return change
