"""The fixed effects of a mixed model: from a formula and rows to columns, with missing rows counted and bad columns named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects.nested_groups import demand_columns

# Share of a column's variation that must be left beside the columns before it.
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Design:
    """Columns of the fixed effects and what is needed to make a row of them for a new person.

    Attributes
    ----------
    x : ndarray, shape (n, p)
        Centred at `centre` where there is an intercept.
    y : ndarray, shape (n, m)
    outcomes, names : tuple of str
    spec : formulaic.ModelSpec
        Of the right side.
    centre : ndarray, shape (p,)
        Zero at the intercept, and everywhere without one.
    shift : ndarray, shape (m,)
        What was taken from each outcome; zero without an intercept.
    levels : dict
        Categorical columns of the data and their levels.
    means : dict
        Mean of each numeric column of the data that the formula uses.
    sample : pandas.DataFrame
        Some rows, never shown: every combination of the categorical columns.
    """

    x: np.ndarray
    y: np.ndarray
    outcomes: tuple[str, ...]
    names: tuple[str, ...]
    spec: object
    centre: np.ndarray
    shift: np.ndarray
    levels: dict[str, list]
    means: dict[str, float]
    sample: pd.DataFrame

    def without_rows(self) -> Design:
        """The same without the columns' rows."""
        return replace(self, x=self.x[:0], y=self.y[:0])

    @property
    def intercept(self) -> int | None:
        """Place of the intercept, if there is one."""
        return self.names.index("Intercept") if "Intercept" in self.names else None


def parsed(formula: str, *, where: str) -> object:
    """Formula with both sides.

    Raises
    ------
    ParamsError
        Not a formula, or without an outcome.
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        found = Formula(formula)
    except (FormulaicError, SyntaxError, TypeError):
        raise ParamsError(f"{where}(formula)", "cannot be read", allowed="'outcome ~ a + b + a:b'") from None
    if "|" in formula or not hasattr(found, "rhs") or not hasattr(found, "lhs"):
        raise ParamsError(
            f"{where}(formula)",
            "names no outcome, or holds '|'",
            allowed="'outcome ~ a + b', the groups apart in `groups=`",
        )
    return found


def complete_rows(data: pd.DataFrame, used: Sequence[str], *, where: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows without a missing value in the columns used, and how many values each column lacks."""
    demand_columns(data, used, where=where)
    absent = {name: data[name].isna().to_numpy() for name in used}
    missing = {name: int(lost.sum()) for name, lost in absent.items() if lost.any()}
    frame = data[list(used)]
    if missing:
        frame = frame[~np.logical_or.reduce([absent[name] for name in missing])]
    if not len(frame):
        raise DataError(f"{where}(data)", f"none of {len(data)} rows is complete", remedy=f"see {', '.join(missing)}")
    return frame.reset_index(drop=True).assign(**{name: plain(frame[name]) for name in used}), missing


def plain(column: pd.Series) -> object:
    """A column as formulaic reads it: floats for nullable numbers, categories only where there are rows."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories().array
    if pd.api.types.is_extension_array_dtype(column.dtype) and pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=float)
    return column.array


def design_of(formula: object, outcomes: Sequence[str], frame: pd.DataFrame, *, where: str) -> Design:
    """Columns of complete rows.

    Raises
    ------
    DataError
        An outcome that is not numeric or not finite.
    DesignError
        A column that is constant or that follows from those before it, by name.
    """
    sides = [formula.rhs.get_model_matrix(frame, context={}, output="numpy", na_action="ignore")]
    spec = sides[0].model_spec
    x = np.array(sides[0], dtype=float)
    y = np.column_stack([numeric_outcome(formula.lhs if not outcomes else name, frame, where=where) for name in
                         (outcomes or [None])])  # fmt: skip
    if not np.isfinite(x).all():
        bad = [name for name, good in zip(spec.column_names, np.isfinite(x).all(axis=0), strict=True) if not good]
        raise DataError(f"{where}(data)", f"columns not finite: {', '.join(bad)}", remedy="see the transformation")
    names = tuple(spec.column_names)
    centre, shift = np.zeros(x.shape[1]), np.zeros(y.shape[1])
    if "Intercept" in names:
        centre, shift = x.mean(axis=0), y.mean(axis=0)
        centre[names.index("Intercept")] = 0.0
        x -= centre
        y -= shift
    levels, means = described(spec, frame)
    shown = tuple(outcomes) or (str(formula.lhs).strip(),)
    found = Design(x, y, shown, names, spec, centre, shift, levels, means, spread_sample(frame, levels))
    demand_rank(found, where=where)
    return found


def numeric_outcome(name: object, frame: pd.DataFrame, *, where: str) -> np.ndarray:
    """One outcome as floats; `name` is a column or the left side of a formula."""
    if isinstance(name, str):
        values = frame[name]
        if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
            raise DataError(f"{where}({name})", "holds something that is not a number", allowed="a numeric outcome")
        array = values.to_numpy(dtype=float)
    else:
        array = np.asarray(name.get_model_matrix(frame, context={}, output="numpy", na_action="ignore"), dtype=float)
        if array.ndim == 2 and array.shape[1] != 1:
            raise DataError(f"{where}(formula)", "the outcome is not one numeric column", allowed="a numeric outcome")
        array = array.reshape(len(frame))
    if not np.isfinite(array).all():
        raise DataError(f"{where}(outcome)", f"{int((~np.isfinite(array)).sum())} values are not finite")
    return array


def described(spec: object, frame: pd.DataFrame) -> tuple[dict[str, list], dict[str, float]]:
    """Levels of the categorical columns and means of the numeric ones that a specification uses."""
    levels, means = {}, {}
    for name in sorted(set(map(str, spec.required_variables))):
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels[name] = list(column.cat.categories)
        elif pd.api.types.is_numeric_dtype(column) and f"C({name}" not in str(spec.formula):
            means[name] = float(column.mean())
        else:
            levels[name] = sorted(column.unique())
    return levels, means


def spread_sample(frame: pd.DataFrame, levels: dict[str, list]) -> pd.DataFrame:
    """Some rows that hold every combination of the categorical columns, for algebra on small designs."""
    if levels:
        code = np.zeros(len(frame), dtype=np.int64)
        for name in levels:
            each, found = pd.factorize(frame[name])
            code = code * len(found) + each
        place = pd.Series(code).groupby(code).cumcount().to_numpy()
        few = np.flatnonzero(place < max(20, 2000 // max(len(np.unique(code)), 1)))
    else:
        few = np.arange(min(len(frame), 2000))
    return frame.iloc[few]


def demand_rank(design: Design, *, where: str) -> None:
    """No column is constant or follows from those before it."""
    rest, columns = [], list(design.names)
    # The intercept takes part only where the others were not centred at it.
    cross = design.x.T @ design.x
    size = np.sqrt(np.diag(cross))
    raw = np.sqrt(np.diag(cross) + len(design.x) * design.centre**2)
    constant = [columns[i] for i in range(len(columns)) if size[i] <= 1e-9 * max(raw[i], 1e-300)]
    if constant:
        raise DesignError(f"{where}(formula)", f"does not vary: {', '.join(constant)}", remedy="leave it out")
    left = cross / np.outer(size, size)
    for i, name in enumerate(columns):
        if left[i, i] < TOLERANCE:
            rest.append(name)
            continue
        left = left - np.outer(left[:, i], left[i]) / left[i, i]
    if rest:
        raise DesignError(
            f"{where}(formula)",
            f"follows from the columns before it: {', '.join(rest)}",
            remedy="leave it out, or join groups so that every combination has rows",
        )
    if len(design.x) <= len(columns):
        raise DesignError(f"{where}(data)", f"{len(design.x)} rows for {len(columns)} fixed effects")
