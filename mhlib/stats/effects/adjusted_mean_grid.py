"""Adjusted means and slopes of a mixed model over a grid of its factors, and their differences with adjusted p-values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_fit import estimated
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.terms import term_frame

ADJUSTMENTS = ("none", "holm", "bonferroni", "tukey")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdjustedMeans:
    """Means (or slopes) at levels of a factor, or differences between them.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, statistic, df`, one column for each of `factor` and
        `by`; differences have `p_adjusted` besides. A mean's p-value is not given: nobody asks whether it is 0.
    at : dict
        Where the numeric columns were held: their means unless asked otherwise.
    averaged : tuple of str
        Categorical columns averaged over, their levels with equal weight.
    adjust : str
    """

    table: pd.DataFrame = field(repr=False)
    at: Mapping[str, float]
    averaged: tuple[str, ...]
    adjust: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


@dataclass(frozen=True, slots=True)
class Grid:
    """Design rows of each combination of `factor` and `by`.

    Attributes
    ----------
    cells : list of tuple
        Values of the columns named, `by` first.
    weights : ndarray, shape (cells, p)
    """

    names: tuple[str, ...]
    cells: list[tuple]
    weights: np.ndarray
    at: dict[str, float]
    averaged: tuple[str, ...]


def adjusted_means(
    result: MultilevelResult,
    factor: str,
    *,
    by: str | Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    conf_level: float | None = None,
) -> AdjustedMeans:
    """Mean of the outcome at each level of a factor, the other columns held or averaged.

    Parameters
    ----------
    result : MultilevelResult
    factor : str
        A column of the data in the formula: categorical, or numeric with at most 12 values.
    by : str or sequence of str, optional
        Columns within whose levels the means are taken apart.
    at : mapping of column to number, optional
        Where to hold numeric columns instead of at their means.
    conf_level : float, optional

    Returns
    -------
    AdjustedMeans

    Raises
    ------
    ParamsError
        A column that the formula does not use, or a numeric one with many values as factor.

    Notes
    -----
    Other categorical columns are averaged with equal weight for each level; numeric ones are held at their mean over the
    rows used. emmeans averages a 0/1 column over its two values instead: write such a column as categorical to have
    that. Every t quantile has Satterthwaite's df, at any number of rows. Reference: Searle, Speed & Milliken (1980) Am Stat 34:216.
    Checked against: tests/oracle/multilevel_means.csv (emmeans).
    """
    grid = grid_of(result, factor, by, dict(at or {}), where="adjusted_means")
    return record(result, grid, mean_rows(result, grid, conf_level), "adjusted means", "none", conf_level)


def compare_means(
    result: MultilevelResult,
    factor: str,
    *,
    by: str | Sequence[str] = (),
    reference: object = None,
    adjust: str = "holm",
    at: Mapping[str, float] | None = None,
    conf_level: float | None = None,
) -> AdjustedMeans:
    """Differences between adjusted means, each level less a reference or every pair.

    Parameters
    ----------
    result, factor, by, at, conf_level
        As in :func:`adjusted_means`.
    reference : optional
        Level to which the others are compared; every pair (earlier less later) by default.
    adjust : {'holm', 'bonferroni', 'tukey', 'none'}
        Over all differences of the table together; 'tukey' is for every pair without `by`.

    Returns
    -------
    AdjustedMeans
        Intervals are not adjusted.

    Raises
    ------
    ParamsError
        As :func:`adjusted_means`; a reference that is no level; 'tukey' with `by` or `reference`.

    Notes
    -----
    Checked against: tests/oracle/multilevel_means.csv (emmeans).
    """
    inputs.one_of(adjust, ADJUSTMENTS, where="compare_means", name="adjust")
    if adjust == "tukey" and (by or reference is not None):
        raise ParamsError("compare_means(adjust)", "'tukey' is for every pair of one factor", allowed="'holm'")
    grid = grid_of(result, factor, by, dict(at or {}), where="compare_means")
    labels, cells, weights = differences(grid, reference)
    rows = estimated(result.core, weights, level_of(result, conf_level))
    p = np.array([row["p_value"] for row in rows])
    if adjust == "tukey":
        size = len(grid.cells)
        adjusted = [
            float(stats.studentized_range.sf(math.sqrt(2) * abs(row["statistic"]), size, row["df"])) for row in rows
        ]
    else:
        adjusted = adjusted_p(p, adjust)
    table = [
        {"term": label, **row, **dict(zip(grid.names[:-1], cell, strict=True)), "p_adjusted": each}
        for label, row, cell, each in zip(labels, rows, cells, adjusted, strict=True)
    ]
    return record(result, grid, table, "differences of adjusted means", adjust, conf_level)


def adjusted_slopes(
    result: MultilevelResult,
    variable: str,
    *,
    by: str | Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    conf_level: float | None = None,
) -> AdjustedMeans:
    """Slope of a numeric column at each level of other columns.

    Parameters
    ----------
    result : MultilevelResult
    variable : str
        Numeric column of the data.
    by : str or sequence of str, optional
    at : mapping of column to number, optional
        Where a curve's slope is taken; at the mean by default.
    conf_level : float, optional

    Returns
    -------
    AdjustedMeans
        Slopes in units of the outcome per unit of the column.

    Raises
    ------
    ParamsError
        A column that is not numeric or not in the formula.

    Notes
    -----
    Checked against: tests/oracle/multilevel_means.csv (emmeans::emtrends).
    """
    design, given = result.core.design, dict(at or {})
    if variable not in design.means:
        raise ParamsError("adjusted_slopes(variable)", f"'{variable}' is no numeric column of the formula")
    here = given.get(variable, design.means[variable])
    step = 1e-3 * max(design.spreads[variable], 1e-12)
    ends = [
        grid_of(result, None, by, {**given, variable: here + side * step}, where="adjusted_slopes") for side in (1, -1)
    ]
    # A straight line's slope to the last digit, a curve's to a millionth of its spread.
    slopes = (ends[0].weights - ends[1].weights) / (2 * step)
    slopes = np.where(np.abs(slopes) < 1e-9, 0.0, slopes)
    grid = Grid(ends[0].names, ends[0].cells, slopes, {**ends[0].at, variable: here}, ends[0].averaged)
    rows = estimated(result.core, slopes, level_of(result, conf_level))
    table = [
        {"term": cell_label(variable, grid.names, cell), **row, **dict(zip(grid.names, cell, strict=True))}
        for cell, row in zip(grid.cells, rows, strict=True)
    ]
    return record(result, grid, table, f"slopes of {variable}", "none", conf_level)


def level_of(result: MultilevelResult, conf_level: float | None) -> float:
    """The level asked for, or the result's own."""
    level = result.conf_level if conf_level is None else conf_level
    return inputs.open_unit(level, where="adjusted_means", name="conf_level")


def grid_of(
    result: MultilevelResult, factor: str | None, by: str | Sequence[str], at: dict[str, float], *, where: str
) -> Grid:
    """Rows of the design at every combination of the columns named, averaged over the other categorical ones."""
    design = result.core.design
    names = (*([by] if isinstance(by, str) else by), *([] if factor is None else [factor]))
    values = {name: values_of(result, name, where=where) for name in names}
    if unknown := [name for name in at if name not in design.means or name in names]:
        raise ParamsError(f"{where}(at)", f"{', '.join(unknown)} cannot be held", allowed="numeric columns not in `by`")
    others = {name: levels for name, levels in design.levels.items() if name not in names}
    held = {name: at.get(name, mean) for name, mean in design.means.items() if name not in names}
    cells = list(itertools.product(*values.values()))
    inner = list(itertools.product(*others.values()))
    rows = pd.DataFrame([(*cell, *each) for cell in cells for each in inner], columns=[*names, *others])
    for name, value in held.items():
        rows[name] = float(value)
    if not rows.shape[1]:
        rows = pd.DataFrame({"row": [0.0]})
    for name in rows.columns.intersection(design.sample.columns):
        rows[name] = rows[name].astype(design.sample[name].dtype) if name not in held else rows[name]
    x = np.asarray(design.spec.get_model_matrix(rows, context={}), dtype=float)
    weights = x.reshape(len(cells), len(inner), x.shape[1]).mean(axis=1)
    return Grid(names, cells, weights, held, tuple(others))


def values_of(result: MultilevelResult, name: str, *, where: str) -> list:
    """Levels of a column in the grid."""
    design = result.core.design
    if name in design.levels:
        return design.levels[name]
    if name in design.few:
        return design.few[name]
    raise ParamsError(
        f"{where}({name})",
        "is no column of the formula with at most 12 values",
        allowed="a factor, or a number of few values",
    )


def mean_rows(result: MultilevelResult, grid: Grid, conf_level: float | None) -> list[dict[str, object]]:
    """One row a mean, without a test that it is zero."""
    rows = estimated(result.core, grid.weights, level_of(result, conf_level))
    return [
        {
            "term": cell_label("", grid.names, cell),
            **row,
            "p_value": math.nan,
            **dict(zip(grid.names, cell, strict=True)),
        }
        for cell, row in zip(grid.cells, rows, strict=True)
    ]


def cell_label(what: str, names: Sequence[str], cell: Sequence[object]) -> str:
    """`arm=new, wave=2`."""
    where = ", ".join(f"{name}={value}" for name, value in zip(names, cell, strict=True))
    return where if not what else f"{what} | {where}" if where else what


def differences(grid: Grid, reference: object) -> tuple[list[str], list[tuple], np.ndarray]:
    """Pairs within each combination of `by`: label, the combination, and the difference of their rows."""
    levels = list(dict.fromkeys(cell[-1] for cell in grid.cells))
    if reference is not None and reference not in levels:
        raise ParamsError("compare_means(reference)", "is no level of the factor", allowed=", ".join(map(str, levels)))
    if reference is None:
        pairs = list(itertools.combinations(levels, 2))
    else:
        pairs = [(level, reference) for level in levels if level != reference]
    place = {cell: i for i, cell in enumerate(grid.cells)}
    labels, cells, weights = [], [], []
    for within in dict.fromkeys(cell[:-1] for cell in grid.cells):
        for one, other in pairs:
            labels.append(cell_label(f"{one} - {other}", grid.names[:-1], within))
            cells.append(within)
            weights.append(grid.weights[place[(*within, one)]] - grid.weights[place[(*within, other)]])
    return labels, cells, np.array(weights)


def adjusted_p(p: np.ndarray, adjust: str) -> list[float]:
    """Holm's or Bonferroni's adjusted p-values; a p-value that is not given stays so and is not counted."""
    given = np.flatnonzero(~np.isnan(p))
    found = np.full(len(p), math.nan)
    order = given[np.argsort(p[given], kind="stable")]
    if adjust == "none":
        return list(p)
    factor = len(given) if adjust == "bonferroni" else len(given) - np.arange(len(given))
    raised = np.minimum(factor * p[order], 1.0)
    found[order] = raised if adjust == "bonferroni" else np.maximum.accumulate(raised)
    return [float(each) for each in found]


def record(
    result: MultilevelResult, grid: Grid, rows: list[dict], what: str, adjust: str, conf_level: float | None
) -> AdjustedMeans:
    """A table in its record."""
    return AdjustedMeans(
        table=term_frame(rows),
        at=grid.at,
        averaged=grid.averaged,
        adjust=adjust,
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method=f"{what}, Satterthwaite df" + (f", p-values adjusted by {adjust}" if adjust != "none" else ""),
        conf_level=level_of(result, conf_level),
    )
