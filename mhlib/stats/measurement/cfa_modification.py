"""What the data ask for: modification indices of fixed parameters and score tests of equalities over groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.stats.measurement.cfa_fitted import Fitted
from mhlib.stats.measurement.cfa_likelihood import (
    expected_cells,
    expected_diagonal,
    gathered,
    gradient_cells,
)
from mhlib.stats.measurement.cfa_matrices import Slots, directions, to_parameters

FEWEST_LEFT = 1e-8


def modification_table(fitted: Fitted) -> pd.DataFrame:
    """Univariate score test of every loading and covariance that is fixed at 0.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    DataFrame
        `term, group, lhs, op, rhs, mi, p_value, epc, epc_std`, largest `mi` first. `mi` is the fall in the plain chi2
        (df 1) to expect from freeing the parameter, for "mlr" too; `epc` its expected value, `epc_std` the same in
        standardised units. NaN where freeing it would leave the model without identification.

    Notes
    -----
    mi = N d^2 / V, epc = d / V, d the score, V its expected information less what the free parameters explain.
    Reference: Sorbom (1989) Psychometrika 54:371. Checked against: tests/oracle/cfa_modification.csv (lavaan).
    """
    built, moments, point = fitted.built, fitted.moments, fitted.found.point
    fresh = candidates(fitted)
    own, new = directions(built, point.at), directions(built, point.at, fresh)
    score = gradient_cells(point, moments, new)
    # Of the candidates, thousands with many items, only their own information and that with free parameters is needed.
    cross = to_parameters(expected_cells(point, moments, new, own), own.index, built.n_free)
    inverse = np.linalg.inv(fitted.found.information)
    diagonal = expected_diagonal(point, moments, new)
    left = diagonal - ((cross @ inverse) * cross).sum(axis=2)
    left = np.where(left > FEWEST_LEFT * diagonal, left, np.nan)
    open_ = new.index >= 0
    group, place = np.nonzero(open_)
    names = cell_names(fresh, fitted)
    mi = (moments.n.sum() * score**2 / left)[group, place]
    epc = (score / left)[group, place]
    frame = pd.DataFrame([names[c] for c in place], columns=["lhs", "op", "rhs"])
    frame.insert(0, "group", [built.groups[g] for g in group])
    frame.insert(0, "term", frame["lhs"] + frame["op"] + frame["rhs"])
    frame = frame.assign(
        mi=mi, p_value=stats.chi2.sf(mi, 1), epc=epc, epc_std=epc * epc_scale(fresh, fitted)[group, place]
    )
    return frame.sort_values("mi", ascending=False, kind="stable", na_position="last").reset_index(drop=True)


def candidates(fitted: Fitted) -> dict[str, Slots]:
    """Cells fixed at 0: cross-loadings, factor covariances, residual covariances; `index` is 0 where a cell is one."""
    built = fitted.built
    k, m, g = len(built.observed), len(built.latent), len(built.groups)
    cells = {
        "loading": np.indices((k, m)).reshape(2, -1),
        "latent": np.array(np.tril_indices(m, -1)),
        "residual": np.array(np.triu_indices(k, 1)),
    }
    found = {}
    for name, (row, col) in cells.items():
        slots, base = built.slots[name], getattr(built.base, name)
        index = np.where(base[:, row, col] == 0, 0, -1)
        taken = np.full((g, base.shape[1], base.shape[2]), -1)
        taken[:, slots.row, slots.col] = slots.index
        if name != "loading":
            taken[:, slots.col, slots.row] = slots.index
        index[taken[:, row, col] >= 0] = -1
        kept = (index >= 0).any(axis=0)
        found[name] = Slots(row[kept], col[kept], index[:, kept])
    empty = Slots(np.zeros(0, int), np.zeros(0, int), np.zeros((g, 0), int))
    return {**found, "intercept": empty, "mean": empty}


def cell_names(fresh: dict[str, Slots], fitted: Fitted) -> list[tuple[str, str, str]]:
    """`lhs, op, rhs` of each candidate cell, in the order of directions."""
    observed, latent = fitted.built.observed, fitted.built.latent
    names = [(latent[j], "=~", observed[i]) for i, j in zip(fresh["loading"].row, fresh["loading"].col, strict=True)]
    for key, words in (("latent", latent), ("residual", observed)):
        pairs = zip(fresh[key].row, fresh[key].col, strict=True)
        names += [(words[min(i, j)], "~~", words[max(i, j)]) for i, j in pairs]
    return names


def epc_scale(fresh: dict[str, Slots], fitted: Fitted) -> np.ndarray:
    """Factor from raw to standardised change, shape (g, cells)."""
    at, sigma = fitted.found.point.at, fitted.found.point.sigma
    item, factor, rest = (
        np.sqrt(np.maximum(np.diagonal(a, axis1=1, axis2=2), 0)) for a in (sigma, at.latent, at.residual)
    )
    lam, psi, res = fresh["loading"], fresh["latent"], fresh["residual"]
    with np.errstate(divide="ignore"):
        return np.concatenate(
            [factor[:, lam.col] / item[:, lam.row], 1 / (factor[:, psi.row] * factor[:, psi.col]),
             1 / (rest[:, res.row] * rest[:, res.col])], axis=1
        )  # fmt: skip


def equality_table(fitted: Fitted) -> pd.DataFrame:
    """Score test of each parameter that groups share: would it differ if it were let?

    Parameters
    ----------
    fitted : Fitted
        Of several groups.

    Returns
    -------
    DataFrame
        `term, score_chi2, df, p_value, group, epc`, largest first: the joint test of letting every group differ, the group
        that differs most and by how much (in the parameter's own unit).

    Notes
    -----
    Checked against: tests/oracle/cfa_score.csv (lavaan::lavTestScore, two groups).
    """
    built, moments, point = fitted.built, fitted.moments, fitted.found.point
    if not shared(fitted):
        return pd.DataFrame(columns=["term", "score_chi2", "df", "p_value", "group", "epc"])
    way = directions(built, point.at)
    score, info = gradient_cells(point, moments, way), expected_cells(point, moments, way)
    q, g = built.n_free, len(built.groups)
    scores = to_parameters(score, way.index, q)
    infos = np.array([gathered(info[i : i + 1], way.index[i : i + 1], q) for i in range(g)])
    inverse = np.linalg.inv(fitted.found.information)
    places, names = zip(*shared(fitted), strict=True)
    places = list(places)
    cross = np.swapaxes(infos[:, places], 0, 1)
    block = -(cross @ inverse) @ np.swapaxes(cross, 1, 2)
    here = np.arange(g)
    block[:, here, here] += infos[:, places, places].T
    d = scores[:, places].T
    # The groups' scores sum to 0, so the first group is implied by the others.
    apart = np.linalg.pinv(block[:, 1:, 1:], rcond=1e-9, hermitian=True)
    chi2 = moments.n.sum() * np.einsum("si,sij,sj->s", d[:, 1:], apart, d[:, 1:])
    spread = np.maximum(np.diagonal(block, axis1=1, axis2=2), 1e-300)
    # A group against the rest; with two groups both say the same, so the later one is named.
    worst = g - 1 - np.argmax((d**2 / spread)[:, ::-1].round(12), axis=1)
    each = np.arange(len(places))
    frame = pd.DataFrame(
        {
            "term": names,
            "score_chi2": chi2,
            "df": g - 1,
            "p_value": stats.chi2.sf(chi2, g - 1),
            "group": [built.groups[place] for place in worst],
            "epc": d[each, worst] / spread[each, worst],
        }
    )
    return frame.sort_values("score_chi2", ascending=False, kind="stable").reset_index(drop=True)


def shared(fitted: Fitted) -> list[tuple[int, str]]:
    """Free parameters that every group has under one label, with their names."""
    seen: dict[int, set[int]] = {}
    name: dict[int, str] = {}
    for row, free in zip(fitted.table.rows, fitted.table.free, strict=True):
        if free >= 0:
            seen.setdefault(free, set()).add(row.group)
            name.setdefault(free, row.name)
    return [(free, name[free]) for free, groups in seen.items() if len(groups) == len(fitted.table.groups) > 1]
