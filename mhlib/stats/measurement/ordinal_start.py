"""Start values of a model of ordered items, from the first principal axis of each factor's items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mhlib.stats.measurement.cfa_table import ParameterTable, Row
from mhlib.stats.measurement.ordinal_moments import OrdinalMoments

# A loading of an item that another factor measures already starts small.
SECOND = 0.3


def start_values(
    table: ParameterTable, moments: Sequence[OrdinalMoments], thresholds: Sequence[tuple[str, int]], theta_form: bool
) -> np.ndarray:
    """Start of every free parameter: what the text gives, else from the data; an equality starts at its first row."""
    axes = [axis_loadings(table, one.correlation) for one in moments]
    steps = {f"{name}|t{t}": i for i, (name, t) in enumerate(thresholds)}
    theta = np.full(table.n_free, np.nan)
    for row, place in zip(table.rows, table.free, strict=True):
        if place >= 0 and np.isnan(theta[place]):
            found = start_of(row, table, axes[row.group], moments[row.group], steps, theta_form)
            theta[place] = found if row.start is None else row.start
    return theta


def axis_loadings(table: ParameterTable, correlation: np.ndarray) -> dict[tuple[str, str], float]:
    """Loading of each item on the first principal axis of its factor's items, positive in sum."""
    item = {name: i for i, name in enumerate(table.observed)}
    seen: set[str] = set()
    found = {}
    for factor in table.latent:
        own = [row.rhs for row in table.rows if row.op == "=~" and row.lhs == factor and row.group == 0]
        index = [item[name] for name in own]
        values, vectors = np.linalg.eigh(correlation[np.ix_(index, index)])
        axis = vectors[:, -1] * np.sqrt(max(values[-1] - 0.5, 0.1)) * np.sign(vectors[:, -1].sum() or 1.0)
        for name, loading in zip(own, np.clip(axis, -0.9, 0.9), strict=True):
            found[factor, name] = SECOND * float(np.sign(loading) or 1) if name in seen else float(loading)
        seen |= set(own)
    return found


def start_of(
    row: Row,
    table: ParameterTable,
    axes: dict[tuple[str, str], float],
    moments: OrdinalMoments,
    steps: dict[str, int],
    theta_form: bool,
) -> float:
    """Start of one row."""
    if row.op == "|":
        return float(moments.values[steps[row.name]])
    if row.op == "~*~":
        return 1.0
    if row.op == "~1":
        return 0.0
    if row.op == "~~":
        if row.lhs != row.rhs:
            return 0.1 if row.lhs in table.latent else 0.0
        return 1.0 if row.lhs not in table.latent else 1.0 if free_marker(table, row) is None else 0.4
    marker = free_marker(table, row)
    loading = axes[row.lhs, row.rhs]
    if marker is not None:
        first = axes[row.lhs, marker]
        return loading / (first if abs(first) > 0.2 else 0.2)
    return loading / np.sqrt(1 - loading**2) if theta_form else loading


def free_marker(table: ParameterTable, row: Row) -> str | None:
    """Item whose loading is fixed above 0 to give the factor of `row` its unit; None when the variance does."""
    for other in table.rows:
        if other.op == "=~" and other.lhs == row.lhs and other.group == row.group and other.value:
            return other.rhs
    return None
