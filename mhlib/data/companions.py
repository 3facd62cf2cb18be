"""What stands beside a wave's own score: other scales of the same pupils, other references, and a second wave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from mhlib.data.scales import Scale, scale
from mhlib.data.scoring import score
from mhlib.data.screening import joined_key, load_screening, main_table, parts_of
from mhlib.data.sources import Source
from mhlib.data.tables.coercion import COERCIONS
from mhlib.errors import DataError, ParamsError

# `column`, or `column >= points` where the source grades the finding.
REFERENCE = re.compile(r"(?P<column>[^<>=]+?)(?:\s*>=\s*(?P<at>-?\d+(?:\.\d+)?))?")


def other_scores(
    source: Source, keys: Sequence[str], *, wave: int | None, columns: Mapping[str, str], tables: Mapping[str, str]
) -> pd.DataFrame:
    """Totals of other instruments answered in the same wave.

    Parameters
    ----------
    source : Source
    keys : sequence of str
        Codebooks; the source names their answers `<key>_1 …`.
    wave, columns, tables
        As in `load_screening`.

    Returns
    -------
    DataFrame of float, index `pupil_pid`, one column a key
        Every score points towards distress: one whose low values mean distress changes its sign.

    Raises
    ------
    DataError
        If answers of a scale are not there or lie outside its range.
    """
    found = {}
    for key in keys:
        book = scale(key)
        names = [f"{key}_{number}" for number in range(1, book.n_items + 1)]
        raw = _rows(source, names, wave=wave, columns=columns, tables=tables)
        total = score(raw[names], book, where=f"{source.spec} ({key})")["total"]
        found[key] = (total if book.distress == "high" else -total).groupby(level=0).first()
    return pd.DataFrame(found)


def other_references(
    source: Source, named: Mapping[str, str], *, wave: int | None, columns: Mapping[str, str], tables: Mapping[str, str]
) -> pd.DataFrame:
    """Further reference standards of the same pupils.

    Parameters
    ----------
    named : mapping of str to str
        Name in the report: a column of 0/1, or `column >= points`; `table.column` where the source holds several tables.

    Returns
    -------
    DataFrame of nullable boolean, index `pupil_pid`; missing where there was no interview.

    Raises
    ------
    ParamsError
        A rule that is neither of the two forms.
    DataError
        A column that is not there, or that holds something else than numbers.
    """
    found = {}
    for name, rule in named.items():
        parsed = REFERENCE.fullmatch(rule.strip())
        if parsed is None:
            raise ParamsError(f"other_references: {name}", "cannot be read", allowed="column, or column >= points")
        column, at = parsed["column"].strip(), float(parsed["at"] or 1)
        table, column = _table_and_column(source, column, main_table(source, tables))
        raw = _rows(source, [column], wave=wave, columns=columns, tables=tables, table=table)[column]
        numbers, lost = COERCIONS["number"](raw.astype("Int64") if pd.api.types.is_bool_dtype(raw.dtype) else raw)
        if lost.any():
            raise DataError(source.spec, f"column {column}: {int(lost.sum())} cells are not numbers")
        found[name] = (numbers >= at).astype("boolean").mask(numbers.isna()).groupby(level=0).first()
    return pd.DataFrame(found)


def second_occasion(source: Source, book: Scale, wave: int, **options: object) -> pd.DataFrame:
    """Keyed total, school and day of answering of the same scale in another wave, by pupil.

    Parameters
    ----------
    options
        `columns, values, items, item_offset, tables, duplicates` of `load_screening`.

    Returns
    -------
    DataFrame, index `pupil_pid`: `score`, and `answered_on` where the source has it.
    """
    found = load_screening(source, scale=book, wave=wave, **options).frame
    answers = found.filter(regex=r"^item_\d+$")
    total = score(answers, book, offset=options.get("item_offset", 0), where=source.spec)["total"]
    kept = {"score": total} | ({"answered_on": found["answered_on"]} if "answered_on" in found else {})
    return pd.DataFrame(kept).set_axis(found["pupil_pid"].astype(str), axis=0)


def _table_and_column(source: Source, name: str, main: str | None) -> tuple[str | None, str]:
    """The table a column is read from: the one named before a dot, else the one with the answers."""
    table, dot, column = name.partition(".")
    if dot and table in source.tables() and column in source.header(table):
        return table, column
    if name in source.header(main):
        return main, name
    raise DataError(source.spec, f"no column {name}", allowed=", ".join(source.header(main)))


def _rows(
    source: Source, names: Sequence[str], *, wave: int | None, columns: Mapping[str, str], tables: Mapping[str, str],
    table: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Columns of one wave under the pupils' identifiers."""
    table = main_table(source, tables) if table is None else table
    there, identifier = source.header(table), parts_of(columns.get("pupil_pid", "pupil_pid"))
    if absent := [name for name in (*identifier, *names) if name not in there]:
        raise DataError(source.spec, f"{len(absent)} columns are missing: {', '.join(absent[:5])}")
    occasion = columns.get("wave", "wave")
    where = {occasion: wave} if wave is not None and occasion in there else None
    raw = source.frame(table, columns=list(dict.fromkeys([*identifier, *names])), where=where)
    key = raw[identifier[0]] if len(identifier) == 1 else joined_key(raw, identifier)
    return raw.set_axis(COERCIONS["text"](key)[0].astype(str), axis=0)
