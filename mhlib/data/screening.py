"""A screening wave from whatever the source holds: a city's tables, a roster and an export, or one flat file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from mhlib.data.scales import Scale
from mhlib.data.sources import Source
from mhlib.data.tables.contract import Table, validate
from mhlib.data.tables.screening import SCREENING
from mhlib.errors import DataError, ParamsError

# The tables of a city that together make one flat wave, and what each of them gives.
CITY = {
    "assessment": ("pupil_pid", "wave", "case", "probability", "assessed_on"),
    "pupil": ("pupil_pid", "sex", "boarding", "left_behind"),
    "school": ("school_pid", "level", "area_code", "private", "urban"),
    "enrolment": ("pupil_pid", "wave", "school_pid"),
}
# A register of schools may do without it.
MAY_LACK = ("area_code",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the rows of a report came from."""

    kind: str
    source: str
    sha256: str
    rows_read: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScreeningData:
    """One wave, validated.

    Attributes
    ----------
    frame : DataFrame, one row a pupil
        The columns of contract `screening` that the source offers, `verified` and `reference` always, and answers as
        item_1 … item_k.
    enrolled : int or None
        Pupils who should have answered.
    waves : tuple of int
        Waves the source holds.
    last_answered : date or None
    moved : int
        Pupils whose school at the time of answering is not that of the roster; the school of the answer stands.
    repeated : int
        Rows set aside because the same pupil stands in the wave more than once.
    """

    frame: pd.DataFrame
    enrolled: int | None
    waves: tuple[int, ...]
    last_answered: date | None
    moved: int
    repeated: int
    provenance: Provenance


def load_screening(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, object]] | None = None,
    scale: Scale | None = None,
    items: Sequence[str] = (),
    item_offset: int = 0,
    wave: int | None = None,
    tables: Mapping[str, str] | None = None,
    duplicates: str = "refuse",
) -> ScreeningData:
    """Read, map and validate one screening wave.

    Parameters
    ----------
    source : Source
    columns : mapping, contract name -> the source's name
    values : mapping, contract column (or `items`) -> {text in the source: value}
    scale : Scale, optional
        Decides how many item columns there are.
    items : sequence of str, optional
        The source's item columns in the codebook's order; otherwise `<scale>_1 …` or `item_1 …` are looked for.
    item_offset : int
        Not applied here: the answers stay as they are coded, and scoring adds it.
    wave : int, optional
        Compulsory where the source holds several.
    tables : mapping, role -> table
        Roles are response and roster (or the tables of a city).
    duplicates : {"refuse", "first", "drop"}
        What becomes of a pupil who stands in the wave more than once: an error, the first row, or no row.

    Raises
    ------
    DataError
        Whatever breaks the contract, all at once.
    ParamsError
        If `columns` names something outside the contract, or `wave` is not there.
    """
    columns, values, tables = dict(columns or {}), dict(values or {}), dict(tables or {})
    _known_columns(columns, source)
    main = main_table(source, tables)
    names = _item_columns(source, main, scale, items)
    raw = source.frame(
        main, columns=_wanted(source, main, columns, names), where=_wave_filter(source, main, columns, wave)
    )
    flat, repeated = once_per_pupil(_mapped(raw, columns, values, names), duplicates)
    if source.kind in ("synthetic", "folder", "database") and "assessment" in source.tables():
        flat = _joined(flat, source, wave)
    flat = validate(flat, SCREENING, where=f"{source.spec} (table {main})" if main else source.spec)
    _demand_once(flat, source.spec)
    flat, enrolled, moved = _with_roster(flat, source, tables, columns, values, wave)
    if "item_1" not in flat and "score" not in flat:
        raise DataError(source.spec, "neither item columns nor a score", remedy="map them under columns: or items:")
    return ScreeningData(
        frame=_verification(flat), enrolled=enrolled, waves=_waves(source, main, columns), moved=moved,
        repeated=repeated, last_answered=_last_day(flat),
        provenance=Provenance(
            kind=source.kind, source=source.spec, sha256=source.fingerprint(), rows_read=len(raw)
        ),
    )  # fmt: skip


def main_table(source: Source, tables: Mapping[str, str]) -> str | None:
    """The table with the answers; None where the source holds a single one."""
    main = tables.get("response") or ("response" if "response" in source.tables() else None)
    if len(source.tables()) > 1 and main is None:
        raise ParamsError(source.spec, "several tables and no role response", remedy="name it under tables:")
    return main


def once_per_pupil(flat: pd.DataFrame, duplicates: str) -> tuple[pd.DataFrame, int]:
    """Rows with a pupil once, and how many were set aside; `refuse` leaves them for the contract to name."""
    if duplicates == "refuse" or "pupil_pid" not in flat:
        return flat, 0
    kept = flat[~flat.duplicated("pupil_pid", keep="first" if duplicates == "first" else False)]
    return kept.reset_index(drop=True), len(flat) - len(kept)


def _demand_once(flat: pd.DataFrame, where: str) -> None:
    """The contract's key is pupil and wave: in a source without a wave the pupil alone must be unique."""
    twice = flat.duplicated("pupil_pid", keep=False).to_numpy() if "pupil_pid" in flat and "wave" not in flat else []
    if rows := [str(number + 2) for number, again in enumerate(twice) if again]:
        raise DataError(where, f"column pupil_pid: {len(rows)} rows occur more than once (row {', '.join(rows[:5])})",
                        remedy="mend the file, or say under duplicates: what becomes of them")  # fmt: skip


def parts_of(name: str) -> list[str]:
    """The source's columns behind one mapped name: an identifier may be put together as `study + id`."""
    return [part.strip() for part in name.split(" + ")]


def _known_columns(columns: Mapping[str, str], source: Source) -> None:
    unknown = sorted(set(columns) - set(SCREENING.columns))
    if unknown:
        allowed = ", ".join(SCREENING.columns)
        raise ParamsError(source.spec, f"columns: {', '.join(unknown)} not in the contract", allowed=allowed)


def _item_columns(source: Source, table: str | None, scale: Scale | None, items: Sequence[str]) -> list[str]:
    """The source's names of the answers, in the codebook's order; empty when there are none."""
    there = set(source.header(table))
    if items:
        absent = [name for name in items if name not in there]
        if absent:
            raise DataError(source.spec, f"{len(absent)} item columns are missing: {', '.join(absent[:5])}")
        return list(items)
    if scale is None:
        return []
    for stem in (scale.key, "item"):
        names = [f"{stem}_{number}" for number in range(1, scale.n_items + 1)]
        present = [name for name in names if name in there]
        if len(present) == len(names):
            return names
        if present:
            lacking = [name for name in names if name not in there]
            raise DataError(source.spec, f"{len(lacking)} item columns are missing: {', '.join(lacking[:5])}")
    return []


def _wanted(source: Source, table: str | None, columns: Mapping[str, str], items: Sequence[str]) -> list[str]:
    there = source.header(table)
    absent = [
        f"{name} ({theirs})"
        for name, theirs in columns.items()
        if not set(parts_of(theirs)) <= set(there) and name not in ROSTER_ONLY
    ]
    if absent:
        raise DataError(source.spec, f"no column for {', '.join(absent)}", allowed=", ".join(there))
    # A foreign file's column of the same name need not mean the same: attributes are read where they are named.
    known = [name for name in SCREENING.columns if name in columns or source.kind != "file" or name not in ATTRIBUTES]
    named = [part for name in known for part in parts_of(columns.get(name, name))]
    return list(dict.fromkeys([name for name in named if name in there] + list(items)))


ATTRIBUTES = ("area_code", "urban", "private", "boarding", "left_behind", "group", "seconds")
# Columns that a separate roster may give instead of the export.
ROSTER_ONLY = ("school_pid", "class_pid", "level", "area_code", "grade", "sex")


def _wave_filter(source: Source, table: str | None, columns: Mapping[str, str], wave: int | None) -> dict[str, object]:
    name = columns.get("wave", "wave")
    if name not in source.header(table):
        return {}
    waves = _waves(source, table, columns)
    if wave is None and len(waves) > 1:
        raise ParamsError(source.spec, "several waves and none chosen", allowed=", ".join(map(str, waves)))
    if wave is not None and wave not in waves:
        raise DataError(source.spec, f"wave {wave} is not there", allowed=", ".join(map(str, waves)))
    return {name: wave if wave is not None else waves[0]}


def _waves(source: Source, table: str | None, columns: Mapping[str, str]) -> tuple[int, ...]:
    name = columns.get("wave", "wave")
    if name not in source.header(table):
        return ()
    found = pd.to_numeric(source.frame(table, columns=[name])[name], errors="coerce").dropna().unique()
    return tuple(sorted(int(number) for number in found))


def _mapped(raw: pd.DataFrame, columns: Mapping[str, str], values: Mapping, items: Sequence[str]) -> pd.DataFrame:
    joined = {ours: parts_of(theirs) for ours, theirs in columns.items() if len(parts_of(theirs)) > 1}
    renamed = raw.rename(columns={theirs: ours for ours, theirs in columns.items() if ours not in joined})
    for ours, parts in joined.items():
        renamed[ours] = joined_key(raw, parts)
    answers = {name: f"item_{number}" for number, name in enumerate(items, start=1)}
    renamed = renamed.rename(columns=answers)
    for name, mapping in values.items():
        for column in list(answers.values()) if name == "items" else [name]:
            if column in renamed:
                renamed[column] = _translated(renamed[column], mapping)
    return renamed


def joined_key(raw: pd.DataFrame, parts: Sequence[str]) -> pd.Series:
    """An identifier put together from several columns; missing where any part of it is."""
    first, *others = (raw[part].astype("string") for part in parts)
    return first.str.cat(others, sep="/")


def _translated(cells: pd.Series, mapping: Mapping[str, object]) -> pd.Series:
    """Text answers as values; what the map does not know stays, and the contract or the scoring refuses it."""
    words = cells.astype("string").str.strip().astype(object)
    return pd.Series([mapping.get(word, word) for word in words], index=cells.index, dtype=object)


def _joined(flat: pd.DataFrame, source: Source, wave: int | None) -> pd.DataFrame:
    """A city's answers with its interviews and attributes."""
    there = source.tables()
    where = {"wave": wave} if wave is not None else None
    seen = source.frame("assessment", columns=CITY["assessment"], where=where)
    seen = seen.rename(columns={"case": "reference", "probability": "verification_probability"}).drop(columns="wave")
    flat = flat.merge(seen, on="pupil_pid", how="left", validate="many_to_one")
    for table, key in (("pupil", "pupil_pid"), ("school", "school_pid")):
        if table in there and key in flat:
            offered = source.header(table)
            names = [name for name in CITY[table] if name in offered or name not in MAY_LACK]
            flat = flat.merge(source.frame(table, columns=names), on=key, how="left", validate="many_to_one")
    return flat


def _with_roster(
    flat: pd.DataFrame,
    source: Source,
    tables: Mapping[str, str],
    columns: Mapping[str, str],
    values: Mapping,
    wave: int | None,
) -> tuple[pd.DataFrame, int | None, int]:
    """How many were enrolled, and from a separate roster the attributes that the export lacks."""
    if "roster" in tables:
        return _from_roster(flat, source, tables["roster"], columns, values)
    if "enrolment" in source.tables():
        listed = source.frame("enrolment", columns=CITY["enrolment"], where={"wave": wave})
        both = flat[["pupil_pid", "school_pid"]].merge(listed, on="pupil_pid", suffixes=("", "_listed"))
        return flat, len(listed), int((both["school_pid"] != both["school_pid_listed"]).sum())
    return flat, None, 0


def _from_roster(
    flat: pd.DataFrame, source: Source, table: str, columns: Mapping[str, str], values: Mapping
) -> tuple[pd.DataFrame, int, int]:
    names = {columns[name]: name for name in ("pupil_pid", *ROSTER_ONLY) if name in columns}
    there = source.header(table)
    if columns.get("pupil_pid", "pupil_pid") not in there:
        raise DataError(f"{source.spec} (table {table})", "no pupil identifier", allowed=", ".join(there))
    listed = source.frame(table, columns=[name for name in names if name in there]).rename(columns=names)
    for name, mapping in values.items():
        if name in listed:
            listed[name] = _translated(listed[name], mapping)
    contract = Table("roster", "", {name: SCREENING.columns[name] for name in listed}, key=("pupil_pid",))
    listed = validate(listed, contract, where=f"{source.spec} (table {table})", header_rows=2)
    both = flat.merge(listed, on="pupil_pid", how="left", suffixes=("", "_listed"), validate="many_to_one")
    moved = 0
    if "school_pid_listed" in both:
        moved = int((both["school_pid"] != both["school_pid_listed"]).fillna(False).sum())
    return both[[name for name in both if not name.endswith("_listed")]], len(listed), moved


def _verification(flat: pd.DataFrame) -> pd.DataFrame:
    """`verified` and `reference` for every row: an empty reference means not interviewed, never not a case."""
    if "reference" not in flat:
        flat = flat.assign(reference=pd.Series(pd.NA, index=flat.index, dtype="boolean"))
    flat["reference"] = flat["reference"].astype("boolean")
    known = flat["reference"].notna()
    if "verified" not in flat:
        return flat.assign(verified=known.astype("boolean"))
    claimed = flat["verified"].astype("boolean").fillna(False)
    contradicting = int((claimed != known).sum())
    if contradicting:
        raise DataError("screening", f"{contradicting} rows say verified and have no reference, or the reverse",
                        remedy="leave verified out, or mend it")  # fmt: skip
    return flat.assign(verified=claimed)


def _last_day(flat: pd.DataFrame) -> date | None:
    if "answered_on" not in flat or flat["answered_on"].notna().sum() == 0:
        return None
    return pd.Timestamp(flat["answered_on"].max()).date()
