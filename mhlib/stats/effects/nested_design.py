"""The fixed effects of a mixed model: from a formula and rows to columns, with missing rows counted and bad columns named."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects.nested_groups import demand_columns

# Share of a column's variation that must be left beside the columns before it.
TOLERANCE = 1e-10
# A numeric column with more distinct values is no factor of a table of means.
MOST_VALUES = 12


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
    spreads : dict
        Their standard deviations.
    few : dict
        Values of each numeric column that has at most 12.
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
    spreads: dict[str, float]
    few: dict[str, list]
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

    if not isinstance(formula, str) or "|" in formula:
        raise ParamsError(f"{where}(formula)", "holds '|'", allowed="'outcome ~ a + b', the groups apart in `groups=`")
    try:
        found = Formula(formula)
    except (FormulaicError, SyntaxError, TypeError):
        raise ParamsError(f"{where}(formula)", "cannot be read", allowed="'outcome ~ a + b + a:b'") from None
    if not hasattr(found, "rhs") or not hasattr(found, "lhs"):
        raise ParamsError(f"{where}(formula)", "names no outcome", allowed="'outcome ~ a + b'")
    return found


def columns_of(formula: object) -> list[str]:
    """Columns of the data that a formula, or one side of it, reads.

    formulaic 1.2 leaves out those of a call with several arguments, as `bs(x, df=4)`.
    """
    sides = [formula.lhs, formula.rhs] if hasattr(formula, "rhs") else [formula]
    found = [name for side in sides for term in side for factor in term.factors for name in columns_in(factor)]
    return sorted(set(found))


def columns_in(factor: object) -> list[str]:
    """Columns that one factor of a formula reads."""
    from formulaic.transforms import TRANSFORMS

    method, text = factor.eval_method.value, str(factor.expr)
    if method == "lookup":
        return [text]
    if method == "literal":
        return []
    quoted = re.findall(r"`([^`]+)`", text)
    tree = ast.parse(re.sub(r"`[^`]+`", "0", text), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return [*quoted, *(name for name in names if name not in TRANSFORMS)]


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
    kinds = pd.api.types
    if kinds.is_extension_array_dtype(column.dtype) and kinds.is_numeric_dtype(column.dtype):
        whole = kinds.is_integer_dtype(column.dtype), kinds.is_bool_dtype(column.dtype)
        return column.to_numpy(dtype=np.int64 if whole[0] else bool if whole[1] else float)
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
    right = evaluated(formula.rhs, frame, where=where)
    spec, x = right.model_spec, np.asarray(right, dtype=float)
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
    levels, numbers = described(spec, frame)
    shown = tuple(outcomes) or (str(formula.lhs).strip(),)
    found = Design(
        x=x,
        y=y,
        outcomes=shown,
        names=names,
        spec=spec,
        centre=centre,
        shift=shift,
        levels=levels,
        means={name: float(column.mean()) for name, column in numbers.items()},
        spreads={name: float(column.std()) for name, column in numbers.items()},
        few={name: few for name, column in numbers.items() if len(few := few_values(column)) <= MOST_VALUES},
        sample=spread_sample(frame, levels, x),
    )
    demand_rank(found, where=where)
    return found


def evaluated(side: object, frame: pd.DataFrame, *, where: str) -> object:
    """Model matrix of one side of a formula."""
    from formulaic.errors import FormulaicError

    try:
        return side.get_model_matrix(frame, context={}, output="numpy", na_action="ignore")
    except (FormulaicError, ValueError, TypeError) as error:
        raise ParamsError(
            f"{where}(formula)",
            f"cannot be evaluated on these data ({type(error).__name__})",
            allowed="columns of the data and formulaic's functions: C, center, scale, log, exp, bs, cr, poly",
        ) from None


def numeric_outcome(name: object, frame: pd.DataFrame, *, where: str) -> np.ndarray:
    """One outcome as floats; `name` is a column or the left side of a formula."""
    for column in [name] if isinstance(name, str) else columns_of(name):
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise DataError(f"{where}({column})", "holds something that is not a number", allowed="a numeric outcome")
    if isinstance(name, str):
        array = frame[name].to_numpy(dtype=float)
    else:
        array = np.asarray(evaluated(name, frame, where=where), dtype=float)
        if array.ndim == 2 and array.shape[1] != 1:
            raise ParamsError(f"{where}(formula)", "the outcome is not one column", allowed="one numeric outcome")
        array = array.reshape(len(frame))
    if n_infinite := int((~np.isfinite(array)).sum()):
        raise DataError(
            f"{where}(outcome)", f"{n_infinite} values are not finite", allowed="finite numbers and missing"
        )
    return array


def described(spec: object, frame: pd.DataFrame) -> tuple[dict[str, list], dict[str, np.ndarray]]:
    """Levels of the columns that a specification takes as categories, and the numeric columns it uses."""
    levels, numbers = {}, {}
    categorical = {
        name
        for factor in spec.factors
        if (state := spec.encoder_state.get(str(factor))) is not None and state[0].value == "categorical"
        for name in columns_in(factor)
    }
    for name in columns_of(spec.formula):
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels[name] = list(column.cat.categories)
        elif name in categorical or not pd.api.types.is_numeric_dtype(column):
            levels[name] = sorted(column.unique())
        else:
            numbers[name] = column.to_numpy(dtype=float)
    return levels, numbers


def few_values(column: np.ndarray) -> list[float | int]:
    """Distinct values, or one more than are few when there are many."""
    head = np.unique(column[:1000])
    found = head if len(head) > MOST_VALUES else np.unique(column)
    return [int(value) if value == int(value) else float(value) for value in found[: MOST_VALUES + 1]]


def spread_sample(frame: pd.DataFrame, levels: dict[str, list], x: np.ndarray) -> pd.DataFrame:
    """Some rows for algebra on a small design: every combination of categories, the ends of every column, some at random."""
    code = np.zeros(len(frame), dtype=np.int64)
    for name in levels:
        each, found = pd.factorize(frame[name])
        code = pd.factorize(code * len(found) + each)[0]
    first = np.unique(code, return_index=True)[1]
    ends = [[end(np.ascontiguousarray(column)) for column in x.T] for end in (np.argmin, np.argmax)]
    drawn = np.random.default_rng(0).choice(len(frame), min(len(frame), 500), replace=False)
    return frame.iloc[np.unique(np.concatenate([first, *ends, drawn]))]


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
