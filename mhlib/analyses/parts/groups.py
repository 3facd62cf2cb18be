"""Groups of pupils by what the source says of them, under names that a report can translate."""

from __future__ import annotations

import pandas as pd

from mhlib.errors import ParamsError

# Smaller groups are not looked at on their own: no interval of theirs would say anything.
FEWEST = 100


def grouping(people: pd.DataFrame, name: str) -> pd.Series:
    """The group of each pupil as `<column>_<value>`; the source's own grouping keeps its words.

    Parameters
    ----------
    people : DataFrame
    name : str
        A column of the contract.

    Returns
    -------
    Series of str (object), missing where the source does not say.

    Raises
    ------
    ParamsError
        If the source has no such column.
    """
    if name not in people:
        raise ParamsError("groups", f"no column {name}", allowed=", ".join(sorted(people.columns)))
    values = people[name]
    if name == "group":
        return values.astype(object).where(values.notna(), None)
    if pd.api.types.is_bool_dtype(values.dtype):
        values = values.astype("boolean").map({True: "yes", False: "no"}, na_action="ignore")
    elif pd.api.types.is_numeric_dtype(values.dtype):
        values = values.astype("Int64").astype("string")
    named = name + "_" + values.astype("string")
    return named.astype(object).where(named.notna(), None)


def present(people: pd.DataFrame, names: list[str]) -> list[str]:
    """The groupings that the source offers with at least two groups of a size worth looking at."""
    kept = []
    for name in names:
        if name in people and (grouping(people, name).value_counts() >= FEWEST).sum() >= 2:
            kept.append(name)
    return kept


def large(groups: pd.Series, least: int = FEWEST) -> list[str]:
    """Names of the groups with at least `least` pupils, the largest first and equal ones by name."""
    sizes = groups.value_counts()
    kept = sizes[sizes >= least]
    return sorted(kept.index, key=lambda name: (-kept[name], str(name)))
