"""From a table to two groups and their covariates as columns about unit size; rows that miss one are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.robust_rows import coded, demand_groups, matrices, parsed_formula
from mhlib.stats.effects.robust_sums import RANK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreatmentRows:
    """Rows with treatment and every covariate: n rows, p columns.

    Attributes
    ----------
    treated : ndarray of 0/1, shape (n,)
    x : ndarray, shape (n, p)
        Intercept first, as the formula makes them.
    unit : ndarray, shape (n, p)
        The same columns, less their means (the intercept but) and over their deviations.
    names : tuple of str, length p
    code : ndarray of int, shape (n,) or None
        Cluster of each row; None where rows stand alone.
    used : ndarray of bool, shape (N,)
        Which rows of the table these are.
    """

    treated: np.ndarray
    x: np.ndarray = field(repr=False)
    unit: np.ndarray = field(repr=False)
    names: tuple[str, ...]
    code: np.ndarray | None = field(repr=False)
    used: np.ndarray = field(repr=False)

    @property
    def n_excluded(self) -> int:
        """Rows left out for a missing treatment or covariate."""
        return int((~self.used).sum())

    @property
    def groups(self) -> np.ndarray:
        """Cluster of each row, or the row itself."""
        return np.arange(len(self.treated)) if self.code is None else self.code

    @property
    def whole_clusters(self) -> bool:
        """Each cluster lies in one group."""
        share = np.bincount(self.groups, weights=self.treated) / np.bincount(self.groups)
        return bool(np.isin(share, (0.0, 1.0)).all())


def treatment_rows(
    data: pd.DataFrame, *, treatment: str, covariates: Sequence[str], cluster: str | None, where: str
) -> TreatmentRows:
    """Rows of a list of covariates, each as it stands: numbers as they are, text as dummies."""
    if isinstance(covariates, str) or not len(covariates):
        raise ParamsError(
            f"{where}(covariates)", "is no list of columns", allowed="one column or more, as ['age', 'sex']"
        )
    if treatment in covariates:
        raise ParamsError(f"{where}(covariates)", "holds the treatment", allowed="what was known before the treatment")
    formula = f"`{treatment}` ~ " + " + ".join(f"`{name}`" for name in covariates)
    return formula_rows(formula, data, cluster=cluster, where=where)


def formula_rows(formula: str, data: pd.DataFrame, *, cluster: str | None, where: str) -> TreatmentRows:
    """Rows of `treatment ~ covariates`.

    Raises
    ------
    DataError
        A column the table lacks, a treatment other than 0 and 1, a row without cluster, nothing left.
    DesignError
        One group only; columns made from each other; a text column of one value.
    """
    parsed = parsed_formula(formula, where=where)
    variables = [str(name) for name in parsed.required_variables]
    named = [*variables, *([cluster] if cluster else [])]
    if lacking := [name for name in dict.fromkeys(named) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    keep = data[variables].notna().all(axis=1).to_numpy()
    used = data.loc[keep, list(dict.fromkeys(named))]
    if used.empty:
        raise DataError(where, "no row is complete", allowed="rows with treatment and every covariate")
    treatment = str(next(iter(parsed.lhs.required_variables)))
    treated = inputs.binary(used[treatment], where=where, name=treatment)
    if np.ptp(treated) == 0:
        raise DesignError(f"{where}({treatment})", "all complete rows belong to one group", allowed="treated and untreated",
                          remedy="add the pupils with whom the treated are to be compared")  # fmt: skip
    demand_groups(used[[name for name in variables if name != treatment]], where=where)
    _, x, names = matrices(parsed, used.assign(**{treatment: treated}), where=where)
    if names[0] != "Intercept":
        raise ParamsError(f"{where}(formula)", "has no intercept", allowed="treatment ~ covariates")
    code = None if cluster is None else coded(used[cluster], where=where, name=cluster)[0]
    return TreatmentRows(
        treated=treated, x=x, unit=unit_columns(x, names, where=where), names=names, code=code, used=keep
    )


def unit_columns(x: np.ndarray, names: tuple[str, ...], *, where: str) -> np.ndarray:
    """Columns of mean 0 and deviation 1, the intercept kept.

    Raises
    ------
    DesignError
        A column that does not vary, or columns made from each other, by name.
    """
    centre, spread = x.mean(axis=0), x.std(axis=0)
    flat = spread <= 1e-12 * np.maximum(np.abs(centre), 1e-300)
    flat[0] = False
    if flat.any():
        lost = ", ".join(name for name, one in zip(names, flat, strict=True) if one)
        raise DesignError(f"{where}(covariates)", f"these columns do not vary: {lost}", allowed="covariates that vary",
                          remedy="leave them out")  # fmt: skip
    centre[0], spread[0] = 0.0, 1.0
    unit = (x - centre) / spread
    value, vector = np.linalg.eigh(unit.T @ unit / len(unit))
    if value[0] < RANK * value[-1]:
        share = np.abs(vector[:, value < RANK * value[-1]]).max(axis=1)
        entangled = ", ".join(name for name, part in zip(names, share, strict=True) if part > 0.05)
        raise DesignError(f"{where}(covariates)", f"columns that can be made from each other: {entangled}",
                          allowed="columns of which none is a sum of others",
                          remedy="leave one of them out, or put small groups together")  # fmt: skip
    return unit
