"""From a formula and a table to the columns of a regression; rows with missing values are left out and counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of a model whose rows are complete: outcome, design, weights, cluster codes and labels, strata."""

    y: np.ndarray
    x: np.ndarray
    names: tuple[str, ...]
    weights: np.ndarray | None
    code: np.ndarray
    clusters: pd.Index
    strata: np.ndarray | None
    n_excluded: int
    n_absorbed: int = 0


def rows_of(
    formula: str,
    data: pd.DataFrame,
    *,
    cluster: str,
    weights: str | None,
    strata: str | None,
    absorb: str | None,
    arm: str | None,
    where: str,
) -> tuple[Rows, pd.DataFrame]:
    """Complete rows of a model, and the part of the table they come from.

    Raises
    ------
    DataError
        A column the table does not have; a row without a cluster, stratum or weight; nothing left.
    ParamsError
        A formula that cannot be read.
    DesignError
        A stratum that differs within a cluster, an outcome that does not vary, a text column of one value.
    """
    parsed = parsed_formula(formula, where=where)
    named = [name for name in (cluster, weights, strata, absorb, arm) if name is not None]
    variables = [str(name) for name in parsed.required_variables]
    if lacking := [name for name in dict.fromkeys([*variables, *named]) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    complete = data[variables].notna().all(axis=1).to_numpy()
    used = data.loc[complete, list(dict.fromkeys([*variables, *named]))]
    if used.empty:
        raise DataError(where, "no row is complete", allowed="rows with every variable of the formula")
    demand_groups(used[variables], where=where)
    y, x, names = matrices(parsed, used, where=where)
    code, clusters = coded(used[cluster], where=where, name=cluster)
    weight = None if weights is None else inputs.weights_of(used[weights], len(used), where=where)
    layer = None if strata is None else constant_within(used[strata], code, where=where, name=strata)
    rows = Rows(y, x, names, weight, code, clusters, layer, int((~complete).sum()))
    return (rows if absorb is None else absorbed(rows, used[absorb], where=where, name=absorb)), used


def demand_groups(used: pd.DataFrame, *, where: str) -> None:
    """Refuse text columns of a single value, which a formula would drop without a word."""
    single = [
        str(name) for name in used.columns if not pd.api.types.is_numeric_dtype(used[name]) and used[name].nunique() < 2
    ]
    if single:
        raise DesignError(
            f"{where}(formula)",
            f"these columns name one group only: {', '.join(single)}",
            allowed="two groups or more among the complete rows",
            remedy="leave the column out of the formula, or collect the group that is lacking",
        )


def parsed_formula(formula: str, *, where: str) -> object:
    """The formula as formulaic reads it."""
    # Imported here because formulaic costs most of a second, and sums need no formula.
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
    except FormulaicError as error:
        raise ParamsError(f"{where}(formula)", f"cannot be read ({type(error).__name__})") from None
    if not hasattr(parsed, "lhs"):
        raise ParamsError(f"{where}(formula)", "names no outcome", allowed="outcome ~ treatment + covariates")
    return parsed


def matrices(parsed: object, used: pd.DataFrame, *, where: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Outcome, design matrix and the names of its columns."""
    from formulaic.errors import FormulaicError

    try:
        both = parsed.get_model_matrix(used, na_action="raise")
    except (FormulaicError, ValueError, TypeError) as error:
        raise ParamsError(
            f"{where}(formula)",
            f"cannot be turned into columns ({type(error).__name__})",
            allowed="columns of the table, C(...) for groups, sums and products of them",
        ) from None
    if both.lhs.shape[1] != 1:
        raise ParamsError(f"{where}(formula)", "the outcome is not one column of numbers", allowed="a numeric outcome")
    y = np.asarray(both.lhs, dtype=float)[:, 0]
    x = np.ascontiguousarray(np.asarray(both.rhs, dtype=float))
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise DataError(f"{where}(formula)", "gives infinite or missing values", allowed="finite numbers")
    if np.ptp(y) == 0:
        raise DesignError(f"{where}(formula)", "the outcome is the same in every row", allowed="an outcome that varies")
    return y, x, tuple(str(name) for name in both.rhs.columns)


def coded(values: pd.Series, *, where: str, name: str) -> tuple[np.ndarray, pd.Index]:
    """Cluster codes in sorted order of the labels, and the labels."""
    if n_missing := int(values.isna().sum()):
        raise DataError(
            f"{where}({name})",
            f"{n_missing} of {len(values)} rows name no cluster",
            allowed="a cluster for every row",
            remedy="give these rows their school or leave them out and report how many",
        )
    code, labels = pd.factorize(values, sort=True)
    return code, pd.Index(labels)


def constant_within(values: pd.Series, code: np.ndarray, *, where: str, name: str) -> np.ndarray:
    """Code of the stratum of each cluster."""
    layer, _ = coded(values, where=where, name=name)
    first = np.zeros(code.max() + 1, dtype=int)
    first[code[::-1]] = layer[::-1]
    if n_other := len(np.unique(code[layer != first[code]])):
        raise DesignError(
            f"{where}({name})",
            f"{n_other} clusters lie in more than one stratum",
            allowed="one stratum a cluster",
            remedy="use the strata within which clusters were allocated",
        )
    return first


def absorbed(rows: Rows, groups: pd.Series, *, where: str, name: str) -> Rows:
    """Outcome and design less their means in each group: the same slopes as with a dummy for each group.

    Raises
    ------
    DesignError
        A group that spans clusters, or a column that does not vary within any group.
    """
    group, labels = coded(groups, where=where, name=name)
    if len(np.unique(group.astype(np.int64) * len(rows.clusters) + rows.code)) != len(labels):
        raise DesignError(
            f"{where}({name})",
            "a group lies in more than one cluster",
            allowed="groups within clusters: the school itself, its classes, its pupils",
            remedy="put these groups into the formula as C(...)",
        )
    slopes = [i for i, one in enumerate(rows.names) if one != "Intercept"]
    size = np.bincount(group)
    y = rows.y - (np.bincount(group, weights=rows.y) / size)[group]
    x = np.empty((len(y), len(slopes)))
    for column, i in enumerate(slopes):
        x[:, column] = rows.x[:, i] - (np.bincount(group, weights=rows.x[:, i]) / size)[group]
    names = tuple(rows.names[i] for i in slopes)
    spread = np.sqrt((x**2).sum(axis=0) / np.maximum((rows.x[:, slopes] ** 2).sum(axis=0), 1e-300))
    if flat := [one for one, share in zip(names, spread, strict=True) if share < 1e-8]:
        raise DesignError(
            f"{where}({name})",
            f"these columns do not vary within {name}: {', '.join(flat)}",
            allowed="columns that differ between pupils of one group",
            remedy=f"what is the same for a whole {name} cannot be told from its fixed effect; leave `absorb` out",
        )
    return Rows(
        y, x, names, rows.weights, rows.code, rows.clusters, rows.strata, rows.n_excluded, n_absorbed=len(labels)
    )
