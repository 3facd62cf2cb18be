"""From rows to a panel of school means: terms in order, the term in which each school began, weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs

NEVER_WORDS = ("", "never", "none", "inf", "nan", "0")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Schools by terms, complete.

    Attributes
    ----------
    y : ndarray, shape (schools, terms)
        Mean outcome.
    first : ndarray of int, shape (schools,)
        Place of the first term under the programme, 1 to terms - 1; `terms` where it never began.
    weights : ndarray, shape (schools,)
    covariates : ndarray, shape (schools, q)
        Means of the first term.
    schools, terms : Index
    n_used, n_excluded : int
        Rows.
    n_incomplete, n_always : int
        Schools left out: a term is lacking, or the programme ran from the first term on.
    n_later : int
        Schools whose start lies behind the last term: never treated here.
    """

    y: np.ndarray
    first: np.ndarray
    weights: np.ndarray
    covariates: np.ndarray
    schools: pd.Index
    terms: pd.Index
    n_used: int
    n_excluded: int
    n_incomplete: int
    n_always: int
    n_later: int

    @property
    def n_terms(self) -> int:
        """Terms held."""
        return self.y.shape[1]

    @property
    def never(self) -> np.ndarray:
        """Schools that never began."""
        return self.first == self.n_terms


def panel_of(
    data: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    time: str,
    first_treated: str,
    cluster: str | None,
    weights: str | None,
    covariates: tuple[str, ...],
    where: str,
) -> Panel:
    """Average rows by school and term, keep complete schools, and leave out those that were treated from the start.

    With `cluster`, schools are averaged within clusters, which becomes the unit of the error.

    Raises
    ------
    DataError
        A column the table lacks; a row without school or term; no complete school.
    DesignError
        One term; a start that differs within a school or cluster; no school that begins.
    """
    named = [outcome, unit, time, first_treated, *([cluster] if cluster else []), *([weights] if weights else [])]
    if lacking := [name for name in dict.fromkeys([*named, *covariates]) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    values = inputs.numeric(data[outcome], where=where, name=outcome)
    seen = ~np.isnan(values) & data[list(covariates)].notna().all(axis=1).to_numpy()
    used = data.loc[seen]
    if used.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome and covariates")
    term, terms = coded(used[time], where=where, name=time)
    if len(terms) < 2:
        raise DesignError(
            f"{where}({time})",
            "all rows are of one term",
            allowed="two terms or more, one of them before the programme",
            remedy="add the survey before the programme began",
        )
    school, schools = coded(used[unit], where=where, name=unit)
    begun, later = starts(used[first_treated], terms, where=where, name=first_treated)
    first = constant(begun, school, len(schools), where=where, name=first_treated, of="schools")
    size = inputs.weights_of(used[weights], len(used), where=where) if weights else np.ones(len(used))
    columns = [values[seen], *(inputs.numeric(used[name], where=where, name=name) for name in covariates)]
    mass, means = cell_means(columns, size, school, term, (len(schools), len(terms)))
    complete, always = (mass > 0).all(axis=1), first == 0
    kept = complete & ~always
    if not kept.any():
        raise DataError(where, "no school has every term", allowed="schools that were surveyed in every term")
    y, first = means[0][kept], first[kept]
    baseline = np.stack([one[kept, 0] for one in means[1:]], axis=1) if covariates else np.empty((len(y), 0))
    share, labels = mass[kept].mean(axis=1) if weights else np.ones(len(y)), schools[kept]
    if cluster is not None:
        group, above = coded(used[cluster], where=where, name=cluster)
        code = constant(group, school, len(schools), where=where, name=cluster, of="schools")[kept]
        (y, baseline), first, share, labels = clustered(
            (y, baseline), first, share, code, above, where=where, name=cluster
        )
    used_rows = kept[school]
    return Panel(
        y=y,
        first=first,
        weights=share,
        covariates=baseline,
        schools=labels,
        terms=terms,
        n_used=int(used_rows.sum()),
        n_excluded=len(data) - int(used_rows.sum()),
        n_incomplete=int((~complete & ~always).sum()),
        n_always=int(always.sum()),
        n_later=len(np.unique(school[later & used_rows])),
    )


def coded(values: pd.Series, *, where: str, name: str) -> tuple[np.ndarray, pd.Index]:
    """Codes in sorted order, and their labels; numbers written as text sort as numbers."""
    if n_missing := int(values.isna().sum()):
        raise DataError(
            f"{where}({name})",
            f"{n_missing} of {len(values)} rows are missing",
            allowed="a value for every row",
            remedy="give these rows their value or leave them out and report how many",
        )
    raw, seen = pd.factorize(values)
    place, labels = pd.factorize(as_numbers(pd.Series(seen)), sort=True)
    return place[raw], pd.Index(labels)


def as_numbers(values: pd.Series) -> pd.Series:
    """Numbers where every value is one, even as text; else the values as text."""
    numbers = pd.to_numeric(values.astype(object), errors="coerce")
    if numbers.isna().any():
        return values.astype(str).str.strip()
    return numbers.astype(float)


def starts(values: pd.Series, terms: pd.Index, *, where: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Place of the first term under the programme of each row, `len(terms)` for never; and which begin behind the last.

    Missing, 0, infinity, '' and 'never' mean never. A start between two terms counts from the next.
    """
    code, seen = pd.factorize(values, use_na_sentinel=False)
    raw = pd.Series(seen, dtype=object)
    text = raw.where(raw.notna(), "").astype(str).str.strip()
    number = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
    never = text.str.lower().isin(NEVER_WORDS).to_numpy() | (number == 0) | np.isposinf(number)
    if pd.api.types.is_numeric_dtype(terms):
        if n_other := int((np.isnan(number) & ~never)[code].sum()):
            raise DataError(
                f"{where}({name})",
                f"{n_other} of {len(values)} starts are not numbers, though the terms are",
                allowed="a term, or 0, 'never' or missing where the programme never began",
            )
        place = np.searchsorted(np.asarray(terms, dtype=float), np.where(never, np.inf, number), side="left")
    else:
        place = np.searchsorted(np.asarray(terms, dtype=str), text.to_numpy(dtype=str))
        place = np.where(never, len(terms), place)
    return place[code], ((place == len(terms)) & ~never)[code]


def constant(values: np.ndarray, code: np.ndarray, n: int, *, where: str, name: str, of: str) -> np.ndarray:
    """Value of each group, which must be one.

    Raises
    ------
    DesignError
        Groups of more than one value, counted.
    """
    first = np.zeros(n, dtype=int)
    first[code[::-1]] = values[::-1]
    if n_other := len(np.unique(code[values != first[code]])):
        raise DesignError(
            f"{where}({name})",
            f"{n_other} {of} have more than one value",
            allowed=f"one value of {name} for all rows of each",
            remedy="keep what was allocated at the start; a school that left the programme stays treated",
        )
    return first


def cell_means(
    columns: list[np.ndarray], size: np.ndarray, school: np.ndarray, term: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weight and weighted means of each school and term; NaN where empty."""
    place, cells = school * shape[1] + term, shape[0] * shape[1]
    mass = np.bincount(place, weights=size, minlength=cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [np.bincount(place, weights=size * one, minlength=cells) / mass for one in columns]
    return mass.reshape(shape), [one.reshape(shape) for one in means]


def clustered(
    tables: tuple[np.ndarray, ...],
    first: np.ndarray,
    share: np.ndarray,
    code: np.ndarray,
    labels: pd.Index,
    *,
    where: str,
    name: str,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, pd.Index]:
    """Weighted averages of schools within clusters: the same estimate, whose error is then that of clusters."""
    found, code = np.unique(code, return_inverse=True)
    start = constant(first, code, len(found), where=where, name=name, of="clusters")
    whole = np.bincount(code, weights=share)
    averaged = []
    for table in tables:
        total = np.zeros((len(found), table.shape[1]))
        np.add.at(total, code, share[:, None] * table)
        averaged.append(total / whole[:, None])
    return averaged, start, whole, labels[found]
