"""From free parameters to model matrices, to implied means and covariances and their derivatives, for all groups at once.

Groups lie on the first axis of every array. A free parameter moves the covariance by u v' + v u' (two vectors, never a
matrix), so gradients and information cost no k x k matrix a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.cfa_table import ParameterTable, Row

MATRICES = ("loading", "latent", "residual", "intercept", "mean", "threshold", "scale")


@dataclass(frozen=True, slots=True)
class Matrices:
    """Model matrices of g groups, k items and m factors.

    Attributes
    ----------
    loading : ndarray, shape (g, k, m)
        Lambda.
    latent : ndarray, shape (g, m, m)
        Psi, covariance of the factors.
    residual : ndarray, shape (g, k, k)
        Theta.
    intercept : ndarray, shape (g, k)
        nu.
    mean : ndarray, shape (g, m)
        alpha, means of the factors.
    threshold : ndarray, shape (g, t)
        tau, in the order of `Structure.thresholds`.
    scale : ndarray, shape (g, k)
        Delta of the items; 1 unless a row of the table says otherwise.
    """

    loading: np.ndarray
    latent: np.ndarray
    residual: np.ndarray
    intercept: np.ndarray
    mean: np.ndarray
    threshold: np.ndarray
    scale: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Implied covariance Lambda Psi Lambda' + Theta, shape (g, k, k); scales are not applied."""
        return self.loading @ self.latent @ np.swapaxes(self.loading, -1, -2) + self.residual

    @property
    def mu(self) -> np.ndarray:
        """Implied means nu + Lambda alpha, shape (g, k)."""
        return self.intercept + (self.loading @ self.mean[..., None])[..., 0]


@dataclass(frozen=True, slots=True)
class Slots:
    """Cells of one model matrix that are free in some group.

    Attributes
    ----------
    row, col : ndarray of int, shape (r,)
        The cell; for a symmetric matrix its mirror too. `col` is 0 for vectors.
    index : ndarray of int, shape (g, r)
        Place of the free parameter that fills the cell in each group, -1 where the cell is fixed there.
    """

    row: np.ndarray
    col: np.ndarray
    index: np.ndarray


@dataclass(frozen=True, slots=True)
class Structure:
    """Where each free parameter goes.

    Attributes
    ----------
    base : Matrices
        The fixed values, 0 in free cells.
    slots : mapping of str to Slots
        By the matrices' names, :data:`MATRICES`.
    thresholds : tuple of (str, int)
        Item and number (from 1) of each threshold, item by item.
    n_free : int
    """

    observed: tuple[str, ...]
    latent: tuple[str, ...]
    groups: tuple[str, ...]
    base: Matrices
    slots: Mapping[str, Slots]
    thresholds: tuple[tuple[str, int], ...]
    n_free: int
    has_means: bool

    def matrices(self, theta: np.ndarray) -> Matrices:
        """Model matrices at free parameters `theta`, shape (n_free,)."""
        filled = {}
        for name in MATRICES:
            slot, array = self.slots[name], getattr(self.base, name).copy()
            group, place = np.nonzero(slot.index >= 0)
            values = theta[slot.index[group, place]]
            if array.ndim == 3:
                array[group, slot.row[place], slot.col[place]] = values
                if name != "loading":
                    array[group, slot.col[place], slot.row[place]] = values
            else:
                array[group, slot.row[place]] = values
            filled[name] = array
        return Matrices(**filled)


def structure(table: ParameterTable) -> Structure:
    """Compile a parameter table.

    Parameters
    ----------
    table : ParameterTable

    Returns
    -------
    Structure
    """
    thresholds = tuple((name, t) for name in table.observed for t in range(1, table.ordered.get(name, 1)))
    item = {name: i for i, name in enumerate(table.observed)}
    factor = {name: j for j, name in enumerate(table.latent)}
    tau = {f"{name}|t{t}": i for i, (name, t) in enumerate(thresholds)}
    g, k, m = len(table.groups), len(item), len(factor)
    shapes = {"loading": (k, m), "latent": (m, m), "residual": (k, k), "intercept": (k,), "mean": (m,)}
    shapes |= {"threshold": (len(tau),), "scale": (k,)}
    base = {name: np.full((g, *shape), float(name == "scale")) for name, shape in shapes.items()}
    cells: dict[str, dict[tuple[int, int], np.ndarray]] = {name: {} for name in MATRICES}
    for row, free in zip(table.rows, table.free, strict=True):
        name, i, j = cell_of(row, item, factor, tau)
        if free >= 0:
            cells[name].setdefault((i, j), np.full(g, -1))[row.group] = free
            base[name][(row.group, i, j)[: base[name].ndim]] = 0.0
        else:
            base[name][(row.group, i, j)[: base[name].ndim]] = row.value
            if name in ("latent", "residual"):
                base[name][row.group, j, i] = row.value
    slots = {name: slots_of(found, g) for name, found in cells.items()}
    return Structure(
        table.observed, table.latent, table.groups, Matrices(**base), slots, thresholds, table.n_free, table.has_means
    )


def cell_of(row: Row, item: Mapping, factor: Mapping, tau: Mapping) -> tuple[str, int, int]:
    """Matrix and cell of a row of the table."""
    if row.op == "=~":
        return "loading", item[row.rhs], factor[row.lhs]
    if row.op == "~~":
        name, place = ("latent", factor) if row.lhs in factor else ("residual", item)
        return name, place[row.lhs], place[row.rhs]
    if row.op == "~1":
        return ("mean", factor[row.lhs], 0) if row.lhs in factor else ("intercept", item[row.lhs], 0)
    return ("scale", item[row.lhs], 0) if row.op == "~*~" else ("threshold", tau[row.name], 0)


def slots_of(cells: Mapping[tuple[int, int], np.ndarray], g: int) -> Slots:
    """Cells as arrays."""
    at = np.array(list(cells), dtype=int).reshape(-1, 2)
    index = np.array(list(cells.values()), dtype=int).reshape(-1, g).T
    return Slots(at[:, 0], at[:, 1], index)


@dataclass(frozen=True, slots=True)
class Directions:
    """How each free cell moves the implied moments: d Sigma = u v' + v u', d mu = w.

    Attributes
    ----------
    u, v, w : ndarray, shape (g, k, r)
    index : ndarray of int, shape (g, r)
        Free parameter of the cell in each group, -1 where fixed. Cells of one parameter add up.
    """

    u: np.ndarray
    v: np.ndarray
    w: np.ndarray
    index: np.ndarray


def directions(built: Structure, at: Matrices, slots: Mapping[str, Slots] | None = None) -> Directions:
    """Derivatives of Sigma and mu with respect to every free cell of the five matrices that they depend on.

    Parameters
    ----------
    built : Structure
    at : Matrices
        Where to differentiate.
    slots : mapping of str to Slots, optional
        Other cells than the model's own (modification indices).
    """
    slots = slots or built.slots
    g, k, _ = at.loading.shape
    unit, zero = np.eye(k), np.zeros
    mixed = at.loading @ at.latent
    lam, psi, res = slots["loading"], slots["latent"], slots["residual"]
    items = [np.broadcast_to(unit[:, slot.row], (g, k, len(slot.row))) for slot in (lam, res)]
    # A variance enters once, a covariance in both corners: halving u on the diagonal makes u v' + v u' right for both.
    half = [np.where(slot.row == slot.col, 0.5, 1.0) for slot in (psi, res)]
    n_means = [len(slots[name].row) for name in ("intercept", "mean")]
    empty = zero((g, k, sum(n_means)))
    u = np.concatenate([items[0], at.loading[:, :, psi.row] * half[0], items[1] * half[1], empty], axis=2)
    v = np.concatenate(
        [mixed[:, :, lam.col], at.loading[:, :, psi.col],
         np.broadcast_to(unit[:, res.col], (g, k, len(res.col))), empty], axis=2
    )  # fmt: skip
    level = items[0] * at.mean[:, None, lam.col]
    nu = np.broadcast_to(unit[:, slots["intercept"].row], (g, k, n_means[0]))
    still = zero((g, k, len(psi.row) + len(res.row)))
    w = np.concatenate([level, still, nu, at.loading[:, :, slots["mean"].row]], axis=2)
    index = np.concatenate([slots[name].index for name in MATRICES[:5]], axis=1)
    return Directions(u, v, w, index)


def jacobian(built: Structure, theta: np.ndarray) -> np.ndarray:
    """Derivative of the implied moments with respect to the free parameters.

    Parameters
    ----------
    built : Structure
    theta : ndarray, shape (n_free,)

    Returns
    -------
    ndarray, shape (g, k + k(k + 1)/2, n_free)
        Means first, then the covariances in the order of ``np.triu_indices(k)`` (lavaan's vech). Thresholds and scales
        move neither and have zero columns.
    """
    way = directions(built, built.matrices(theta))
    i, j = np.triu_indices(way.u.shape[1])
    moves = np.concatenate([way.w, way.u[:, i] * way.v[:, j] + way.v[:, i] * way.u[:, j]], axis=1)
    return to_parameters(moves, way.index, built.n_free)


def to_parameters(cells: np.ndarray, index: np.ndarray, n_free: int) -> np.ndarray:
    """Add the last axis of cells, shape (g, ..., r), up to free parameters, shape (g, ..., n_free)."""
    total = np.zeros((*cells.shape[:-1], n_free))
    for g, places in enumerate(index):
        kept = np.flatnonzero(places >= 0)
        if not len(kept) or np.bincount(places[kept]).max() == 1:
            total[g][..., places[kept]] = cells[g][..., kept]
        else:
            np.add.at(total[g], (..., places[kept]), cells[g][..., kept])
    return total
