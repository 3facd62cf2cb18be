"""A trial from a city's tables, a wide file with a column an occasion, or a panel of units over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mhlib.data.screening import Provenance, joined_key, parts_of
from mhlib.data.sources import Source
from mhlib.data.tables.contract import validate
from mhlib.data.tables.trial import PANEL, TRIAL
from mhlib.errors import DataError, ParamsError

ATTRIBUTES = {
    "pupil": ("pupil_pid", "sex", "boarding", "left_behind"),
    "school": ("school_pid", "level", "urban"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialData:
    """One programme's evaluation data, validated.

    Attributes
    ----------
    people : DataFrame, one row a pupil
        Columns of contract `trial` that the source offers, and ``y_<occasion>``, the outcome in points (NaN: missing).
        Empty for a panel.
    panel : DataFrame, one row a unit and time
        Columns of contract `panel`; empty unless the source is one.
    occasions : tuple of str
        In the order of time.
    allocated : DataFrame
        ``unit``, ``arm`` and, where stated, ``start_term`` of every unit allocated, whether or not anybody was measured.
    provenance : Provenance
    """

    people: pd.DataFrame
    panel: pd.DataFrame
    occasions: tuple[str, ...]
    allocated: pd.DataFrame
    provenance: Provenance


def load_trial(
    source: Source,
    *,
    design: str,
    occasions: Mapping[str, str],
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, object]] | None = None,
    where: Mapping[str, object] | None = None,
    tables: Mapping[str, str] | None = None,
    unit: str = "school_pid",
    covariates: Sequence[str] = (),
) -> TrialData:
    """Read, map and validate one programme's outcomes.

    Parameters
    ----------
    source : Source
    design : str
        Rows of a city's table `outcome` carry it.
    occasions : mapping, occasion -> column
        A column an occasion in a wide file; in a city's table the names of the occasions in the order of time.
    columns, values, tables
        As in :func:`mhlib.data.screening.load_screening`.
    where : mapping, column of the source -> value
        Rows to keep.
    unit : str
        Column of the unit that was allocated.
    covariates : sequence of str
        Further numeric columns of the source that the analysis adjusts for.

    Raises
    ------
    DataError
        Whatever breaks the contract, all at once.
    ParamsError
        If `columns` names something outside the contract.
    """
    columns, values = dict(columns or {}), dict(values or {})
    main = dict(tables or {}).get("outcome") or ("outcome" if "outcome" in source.tables() else None)
    contract = PANEL if "exposure" in columns else TRIAL
    if unknown := sorted(set(columns) - set(contract.columns)):
        raise ParamsError(
            source.spec, f"columns: {', '.join(unknown)} not in the contract", allowed=", ".join(contract.columns)
        )
    if contract is PANEL:
        return _panel(source, main, columns, where)
    header = source.header(main)
    if "occasion" in header and "score" in header:
        people, allocated, n = _from_city(source, main, {"design": design} | dict(where or {}), list(occasions), unit)
    else:
        people, n = _from_file(source, main, columns, values, where, occasions, covariates)
        allocated = _allocated(people, unit)
    people = validate(people, TRIAL, where=source.spec)
    return TrialData(people=people, panel=pd.DataFrame(), occasions=tuple(occasions), allocated=allocated,
                     provenance=_provenance(source, n))  # fmt: skip


def _provenance(source: Source, rows: int) -> Provenance:
    return Provenance(kind=source.kind, source=source.spec, sha256=source.fingerprint(), rows_read=rows)


def _panel(source: Source, main: str | None, columns: Mapping[str, str], where) -> TrialData:
    raw = _rows(source, main, sorted(set(columns.values()) | set(where or {})), where)
    named = pd.DataFrame({ours: raw[theirs] for ours, theirs in columns.items()})
    panel = validate(named, PANEL, where=source.spec)
    return TrialData(people=pd.DataFrame(), panel=panel, occasions=(), allocated=pd.DataFrame(),
                     provenance=_provenance(source, len(raw)))  # fmt: skip


def _rows(source: Source, main: str | None, wanted: Sequence[str], where: Mapping[str, object] | None) -> pd.DataFrame:
    """Rows of the columns named; text sources are filtered by their own words."""
    there = source.header(main)
    if absent := [name for name in wanted if name not in there]:
        raise DataError(source.spec, f"no column for {', '.join(absent)}", allowed=", ".join(there[:40]))
    raw = source.frame(main, columns=list(dict.fromkeys(wanted)))
    for name, value in (where or {}).items():
        kept = value if isinstance(value, list) else [value]
        raw = raw[raw[name].astype("string").isin([str(one) for one in kept])]
    if raw.empty:
        raise DataError(source.spec, "no row is left", remedy="mend where:")
    return raw.reset_index(drop=True)


def _from_file(source: Source, main, columns, values, where, occasions, covariates) -> tuple[pd.DataFrame, int]:
    wanted = [part for theirs in columns.values() for part in parts_of(theirs)]
    raw = _rows(source, main, [*wanted, *occasions.values(), *covariates, *(where or {})], where)
    named = {ours: joined_key(raw, parts_of(theirs)) if len(parts_of(theirs)) > 1 else raw[theirs]
             for ours, theirs in columns.items()}  # fmt: skip
    frame = pd.DataFrame(named)
    for name, mapping in values.items():
        if name in frame:
            words = frame[name].astype("string").str.strip().astype(object)
            frame[name] = [mapping.get(word, word) for word in words]
    for name in covariates:
        frame[name] = _numbers(raw, name, source.spec)
    for occasion, theirs in occasions.items():
        frame[f"y_{occasion}"] = _numbers(raw, theirs, source.spec)
    return frame, len(raw)


def _numbers(raw: pd.DataFrame, name: str, where: str) -> pd.Series:
    cells = raw[name]
    numbers = pd.to_numeric(cells, errors="coerce")
    if lost := int((numbers.isna() & cells.notna() & (cells.astype("string").str.strip() != "")).sum()):
        raise DataError(where, f"column {name}: {lost} rows are no number", remedy="mend the file or map it anew")
    return numbers.astype(float)


def _from_city(source: Source, main, where: Mapping[str, object], occasions: list[str], unit: str):
    """Rows of one design; `where` may name another design of the city than the one declared, and an arm of it."""
    if absent := sorted(set(where) - set(source.header(main))):
        raise DataError(source.spec, f"no column for {', '.join(absent)}", allowed=", ".join(source.header(main)))
    rows, design = source.frame(main, where=where), where["design"]
    if rows.empty:
        known = sorted(set(source.frame(main, columns=["design"])["design"]))
        raise DataError(source.spec, f"no outcome of design {design}", allowed=", ".join(known))
    if absent := [name for name in occasions if name not in set(rows["occasion"])]:
        raise DataError(
            source.spec, f"no occasion {', '.join(absent)}", allowed=", ".join(dict.fromkeys(rows["occasion"]))
        )
    wide = rows.pivot(index="pupil_pid", columns="occasion", values="score").astype(float)[occasions].add_prefix("y_")
    first = rows.drop_duplicates("pupil_pid")[["pupil_pid", "school_pid", "class_pid", "arm", "running"]]
    people = first.merge(wide, left_on="pupil_pid", right_index=True, validate="one_to_one")
    people = people if people["running"].notna().any() else people.drop(columns="running")
    there = source.tables()
    for table, names in ATTRIBUTES.items():
        if table in there:
            beside = source.frame(table, columns=list(names))
            people = people.merge(beside, on=names[0], how="left", validate="many_to_one")
    if "dose" in there:
        dose = source.frame("dose", where={"design": design}).drop(columns="design")
        people = people.merge(dose, on="pupil_pid", how="left", validate="one_to_one")
    allocated = source.frame("intervention", where={"design": design}).rename(columns={"group_pid": "unit"})
    start = allocated.set_index("unit")["start_term"]
    return people.assign(start_term=people[unit].map(start).astype(float)), allocated.drop(columns="design"), len(rows)


def _allocated(people: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Units seen in the file; who was allocated and never measured cannot be known from it."""
    if unit not in people:
        return pd.DataFrame(columns=["unit", "arm"])
    pairs = people[[unit, "arm"]].drop_duplicates()
    return pairs.rename(columns={unit: "unit"}).reset_index(drop=True)
