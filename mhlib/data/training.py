"""Teachers before and after a training: a city's tables, or a wide file with one row a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mhlib.data.screening import Provenance
from mhlib.data.sources import Source
from mhlib.data.tables import all_tables
from mhlib.data.tables.contract import Column, Table, validate
from mhlib.errors import DataError, ParamsError

# Read at once where the source has them; what is larger is read when a section asks (TrainingData.read).
BESIDE = ("certificate", "leaver", "nomination", "post", "role_play", "school", "supervision", "teacher", "training_enrolment",
          "training_event", "training_tier", "vignette", "workload")  # fmt: skip

TEACHERS = Table(
    "teachers",
    "Who was allocated to which training, and the score of each measure at each occasion.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "school_pid": Column("text", "Pseudonym of the school.", required=False, missing=True),
        "arm": Column("text", "Arm to which the unit was allocated."),
        "block": Column("text", "Block within which lots were drawn.", required=False, missing=True),
        "tier": Column("text", "Tier of the cascade.", required=False, missing=True),
        "trainer_pid": Column("text", "Pseudonym of the trainer.", required=False, missing=True),
        "fidelity": Column("number", "Share of the manual kept to.", low=0, high=1, required=False, missing=True),
        "role": Column("text", "Role of the teacher.", required=False, missing=True),
        "hired_on": Column("date", "Day of hiring.", required=False, missing=True),
        "level": Column("text", "School level.", required=False, missing=True),
        "urban": Column("flag", "The school stands in town.", required=False, missing=True),
    },
    key=("teacher_pid",),
    subject="teacher",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """One training's evaluation data, validated.

    Attributes
    ----------
    teachers : DataFrame, one row a teacher
        Columns of `TEACHERS` that the source offers, and ``<measure>_<occasion>`` in points (NaN: missing).
    items : dict, occasion -> DataFrame, shape (teachers, items)
        1 right, 0 wrong, NaN not answered, rows as in `teachers`; empty where the source holds no items.
    measures, occasions : tuple of str
        Occasions in the order of time.
    allocated : DataFrame
        ``unit`` and ``arm`` of every unit seen.
    tables : dict, name of a contract -> DataFrame
        Whatever else of `BESIDE` the source holds, validated; a table that is absent is no key.
    moved : int
        Teachers tested in more than one school; the school of the first test stands.
    """

    teachers: pd.DataFrame
    items: dict[str, pd.DataFrame]
    measures: tuple[str, ...]
    occasions: tuple[str, ...]
    allocated: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    moved: int
    provenance: Provenance
    source: Source = field(repr=False)
    names: Mapping[str, str] = field(repr=False)

    def table(self, name: str) -> pd.DataFrame | None:
        """A table of `BESIDE`, or None where the source has none; empty counts as none."""
        found = self.tables.get(name)
        return None if found is None or found.empty else found

    def read(
        self, name: str, *, columns: Sequence[str] | None = None, where: Mapping[str, object] | None = None
    ) -> pd.DataFrame | None:
        """Any other table of a city, validated; None where the source has none.

        Parameters
        ----------
        columns, where : optional
            Columns to read and equalities to keep; columns that are left out are not demanded.
        """
        return _beside(self.source, name, self.names, columns=columns, where=where)


def load_training(
    source: Source,
    *,
    measures: Sequence[str],
    occasions: Mapping[str, str],
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, object]] | None = None,
    where: Mapping[str, object] | None = None,
    tables: Mapping[str, str] | None = None,
    items: Mapping[str, Sequence[str]] | None = None,
    unit: str = "school_pid",
    covariates: Sequence[str] = (),
) -> TrainingData:
    """Read, map and validate one training's scores, and what the source holds beside them.

    Parameters
    ----------
    source : Source
        A city's tables with `training_score` (one row a teacher and occasion), or a file with one row a teacher.
    measures : sequence of str
        Columns of `training_score`; in a wide file the first part of a column's name.
    occasions : mapping, occasion -> the source's name of it
        In the order of time. In a wide file the column of a score is ``<measure>_<name>`` unless `columns` says otherwise.
    columns : mapping, contract name or ``<measure>_<occasion>`` -> the source's name
    values, where, tables
        As in :func:`mhlib.data.trial.load_trial`; `tables` maps a contract's name to the source's table.
    items : mapping of occasion -> columns, optional
        Columns of the knowledge items, in the same order at each occasion; wide file only.
    unit : str
        Column of the unit that was allocated.
    covariates : sequence of str
        Further columns of a wide file that the analysis uses (numbers stay numbers).

    Raises
    ------
    DataError
        Whatever breaks a contract, all at once; an occasion, measure or column that is not there.
    ParamsError
        If `columns` names something that no contract knows.
    """
    columns, values, names, items = dict(columns or {}), dict(values or {}), dict(tables or {}), dict(items or {})
    scores = {
        f"{measure}_{occasion}": f"{measure}_{theirs}" for occasion, theirs in occasions.items() for measure in measures
    }
    if unknown := sorted(set(columns) - set(TEACHERS.columns) - set(scores)):
        allowed = ", ".join([*TEACHERS.columns, *scores])
        raise ParamsError(source.spec, f"columns: {', '.join(unknown)} not in the contract", allowed=allowed)
    main = names.get("training_score") or ("training_score" if "training_score" in source.tables() else None)
    moved, beside = 0, {}
    if {"occasion", "teacher_pid"} <= set(source.header(main)):
        if given := [name for name, what in (("items", items), ("columns", columns), ("values", values)) if what]:
            raise ParamsError(source.spec, f"{', '.join(given)}: a table of scores has its own names", allowed="{}")
        frame, n, moved = _from_city(source, main, list(measures), dict(occasions))
        beside = {name: found for name in BESIDE if (found := _beside(source, name, names)) is not None}
        frame = _kept(_with_attributes(frame, beside), dict(where or {}), source.spec)
    else:
        frame, n = _from_file(source, main, columns, values, dict(where or {}), scores, items, covariates)
    frame = validate(frame, TEACHERS, where=source.spec)
    answers = {occasion: frame[[f"{name}@{occasion}" for name in wanted]] for occasion, wanted in items.items()}
    teachers = frame.drop(columns=[name for name in frame if "@" in name])
    if absent := [name for name in (unit, *covariates) if name not in teachers]:
        raise DataError(source.spec, f"no column {', '.join(absent)}", allowed=", ".join(teachers.columns[:30]))
    if lost := int(teachers[unit].isna().sum()):
        raise DataError(
            source.spec,
            f"{lost} teachers without {unit}, the unit that was allocated",
            remedy="name it for each teacher",
        )
    pairs = teachers[[unit, "arm"]].drop_duplicates().rename(columns={unit: "unit"}).reset_index(drop=True)
    return TrainingData(
        teachers=teachers, items={name: _unmarked(found) for name, found in answers.items()}, measures=tuple(measures),
        occasions=tuple(occasions), allocated=pairs, tables=beside, moved=moved, source=source, names=names,
        provenance=Provenance(kind=source.kind, source=source.spec, sha256=source.fingerprint(), rows_read=n),
    )  # fmt: skip


def _unmarked(items: pd.DataFrame) -> pd.DataFrame:
    """Items of one occasion, item_1 … item_k."""
    return items.set_axis([f"item_{at}" for at in range(1, items.shape[1] + 1)], axis=1)


def _beside(
    source: Source, name: str, names: Mapping[str, str], *, columns: Sequence[str] | None = None, where=None
) -> pd.DataFrame | None:
    table = names.get(name, name)
    if source.kind == "file" or table not in source.tables():
        return None
    frame = source.frame(table, columns=columns, where=where)
    contract = all_tables()[name]
    if columns is not None:
        kept = {one: column for one, column in contract.columns.items() if one in columns}
        contract = Table(contract.name, contract.description, kept, subject=contract.subject)
    return validate(frame, contract, where=f"{source.spec}, {table}")


def _from_city(source: Source, main: str | None, measures: list[str], occasions: dict[str, str]):
    """Scores long to wide; who was never tested is not there."""
    there = source.header(main)
    if absent := [name for name in measures if name not in there]:
        raise DataError(source.spec, f"no measure {', '.join(absent)}", allowed=", ".join(there))
    rows = validate(source.frame(main), all_tables()["training_score"], where=source.spec)
    if absent := [name for name in occasions.values() if name not in set(rows["occasion"])]:
        known = ", ".join(dict.fromkeys(rows["occasion"]))
        raise DataError(source.spec, f"no occasion {', '.join(absent)}", allowed=known)
    rows = rows[rows["occasion"].isin(list(occasions.values()))]
    if twice := int(rows.duplicated(["teacher_pid", "occasion"]).sum()):
        raise DataError(
            source.spec, f"{twice} rows repeat a teacher's occasion", allowed="one row a teacher and occasion"
        )
    order = {theirs: at for at, theirs in enumerate(occasions.values())}
    rows = rows.sort_values("occasion", key=lambda names: names.map(order), kind="stable")
    differ = rows.groupby("teacher_pid")[["arm", "school_pid"]].nunique() > 1
    if mixed := int(differ["arm"].sum()):
        raise DataError(source.spec, f"{mixed} teachers stand in more than one arm", remedy="keep the arm as allocated")
    first = rows.drop_duplicates("teacher_pid")[["teacher_pid", "school_pid", "arm"]]
    for occasion, theirs in occasions.items():
        part = rows.loc[rows["occasion"] == theirs, ["teacher_pid", *measures]]
        part = part.rename(columns={name: f"{name}_{occasion}" for name in measures})
        first = first.merge(part, on="teacher_pid", how="left", validate="one_to_one")
    scored = [f"{name}_{occasion}" for occasion in occasions for name in measures]
    return first.astype(dict.fromkeys(scored, float)), len(rows), int(differ["school_pid"].sum())


def _with_attributes(frame: pd.DataFrame, beside: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What rosters know about teachers and schools; the school of the test stands."""
    for table, wanted in (
        ("teacher", ("teacher_pid", "role", "hired_on")),
        ("training_tier", ("teacher_pid", "tier", "trainer_pid", "fidelity")),
        ("school", ("school_pid", "level", "urban")),
    ):
        if table in beside:
            known = beside[table][list(wanted)]
            frame = frame.merge(known, on=wanted[0], how="left", validate="many_to_one")
    return frame


def _from_file(source: Source, main, columns, values, where, scores, items, covariates) -> tuple[pd.DataFrame, int]:
    """One row a teacher; covariates and items by the source's own names."""
    header = source.header(main)
    attributes = {name: columns.get(name, name) for name in TEACHERS.columns if columns.get(name, name) in header}
    theirs = {name: columns.get(name, default) for name, default in scores.items()}
    asked = [columns[name] for name in columns if name in TEACHERS.columns]
    wanted = [*asked, *theirs.values(), *covariates, *where, *(one for part in items.values() for one in part)]
    if absent := [name for name in dict.fromkeys(wanted) if name not in header]:
        raise DataError(source.spec, f"no column for {', '.join(absent)}", allowed=", ".join(header[:40]))
    raw = source.frame(main, columns=list(dict.fromkeys([*attributes.values(), *wanted])))
    raw = _kept(raw, where, source.spec)
    frame = pd.DataFrame({ours: raw[name] for ours, name in attributes.items()})
    for name, mapping in values.items():
        if name in frame:
            words = frame[name].astype("string").str.strip().astype(object)
            frame[name] = [mapping.get(word, word) for word in words]
    for ours, name in theirs.items():
        frame[ours] = _numbers(raw, name, source.spec)
    for name in covariates:
        numbers = pd.to_numeric(raw[name], errors="coerce")
        frame[name] = numbers.astype(float) if numbers.notna().sum() == raw[name].notna().sum() else raw[name]
    for occasion, part in items.items():
        for name in part:
            answers = _numbers(raw, name, source.spec)
            if wrong := int((~answers.isin([0, 1]) & answers.notna()).sum()):
                raise DataError(
                    source.spec,
                    f"column {name}: {wrong} rows are neither 0 nor 1",
                    allowed="1 right, 0 wrong, or empty",
                )
            frame[f"{name}@{occasion}"] = answers
    return frame, len(raw)


def _kept(frame: pd.DataFrame, where: Mapping[str, object], spec: str) -> pd.DataFrame:
    """Rows whose columns hold what `where` asks for."""
    if absent := [name for name in where if name not in frame]:
        raise DataError(spec, f"where: no column {', '.join(absent)}", allowed=", ".join(frame.columns[:30]))
    for name, value in where.items():
        wanted = value if isinstance(value, list) else [value]
        frame = frame[frame[name].astype("string").isin([str(one) for one in wanted])]
    if frame.empty:
        raise DataError(spec, "no row is left", remedy="mend where:")
    return frame.reset_index(drop=True)


def _numbers(raw: pd.DataFrame, name: str, where: str) -> pd.Series:
    cells = raw[name]
    numbers = pd.to_numeric(cells, errors="coerce")
    if lost := int((numbers.isna() & cells.notna() & (cells.astype("string").str.strip() != "")).sum()):
        raise DataError(where, f"column {name}: {lost} rows are no number", remedy="mend the file or map it anew")
    return numbers.astype(float)
