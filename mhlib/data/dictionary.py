"""The data dictionary, generated from the contracts: `python -m mhlib.data.dictionary > docs/data-dictionary.md`."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from mhlib.data.tables import Table, all_tables


def dictionary_markdown() -> str:
    """Every table with its columns, kinds, units and ranges."""
    parts = [
        "# Data dictionary",
        "",
        "Generated from the contracts in `mhlib/data/tables/`, which also validate every source.",
        "Kinds: text (identifiers too), integer, number, flag (true or false), date.",
    ]
    for table in all_tables().values():
        parts += ["", *_section(table)]
    return "\n".join(parts) + "\n"


def dictionary_frame(table: Table, present: Collection[str]) -> pd.DataFrame:
    """The columns of a contract that a source offers, with kind, range and meaning; for the report."""
    rows = [
        {"column": name, "kind": column.kind, "range": column.range, "meaning": column.description}
        for name, column in table.columns.items()
        if name in present
    ]
    return pd.DataFrame(rows)


def _section(table: Table) -> list[str]:
    key = f" Key: {', '.join(f'`{name}`' for name in table.key)}." if table.key else ""
    rows = [
        f"| `{name}` | {column.kind} | {column.unit} | {column.range} | {_presence(column)} | {column.description} |"
        for name, column in table.columns.items()
    ]
    head = ["| column | kind | unit | range | may be absent | meaning |", "|---|---|---|---|---|---|"]
    return [f"## {table.name}", "", f"{table.description} A row is about a {table.subject}.{key}", "", *head, *rows]


def _presence(column: object) -> str:
    return " ".join(word for word, here in (("column", not column.required), ("cell", column.missing)) if here)


if __name__ == "__main__":
    print(dictionary_markdown(), end="")
