"""Table contracts: one file a family; adding a table is adding a file here.

A module of this package that holds :class:`Table` objects is found by itself; there is no registry to edit.
"""

from __future__ import annotations

import importlib
import pkgutil

from mhlib.data.tables.contract import Column, Table, Violation, validate

__all__ = ["Column", "Table", "Violation", "all_tables", "validate"]


def all_tables() -> dict[str, Table]:
    """Every contract by its table's name."""
    found: dict[str, Table] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        members = vars(importlib.import_module(f"{__name__}.{module}")).values()
        found |= {member.name: member for member in members if isinstance(member, Table)}
    return dict(sorted(found.items()))
