"""Each item by itself: how it stands to the rest of its scale, and how its answers are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, ItemTable, item_number, tried, without_items
from mhlib.findings import Refused
from mhlib.stats.measurement import item_analysis

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Answers on a longer scale than this are shown in as many bands.
MOST_ANSWERS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemsSection:
    """The table of items and the spread of their answers."""

    table: ItemTable | Refused
    answers: Drawn | Refused
    negative: tuple[str, ...]


def section(data: Screened, params: Params) -> ItemsSection:
    """Item analysis and the share of each answer to each item."""
    if data.items is None:
        return ItemsSection(table=without_items(), answers=without_items(), negative=())
    ends = (float(data.scale.low), float(data.scale.high))
    found = tried(item_analysis, data.items, answer_range=ends, conf_level=params.conf_level)
    if isinstance(found, Refused):
        return ItemsSection(table=found, answers=found, negative=())
    return ItemsSection(table=ItemTable.of(found), answers=Drawn(table=spread(data.items)), negative=found.negative)


def spread(items: pd.DataFrame) -> pd.DataFrame:
    """Share of each answer to each item among those who answered it."""
    rows = []
    for name in items:
        counts = items[name].dropna().value_counts().sort_index()
        total = int(counts.sum())
        rows += [{"item": item_number(name), "answer": f"{answer:g}", "proportion": n / total, "n_used": total}
                 for answer, n in counts.items()]  # fmt: skip
    return pd.DataFrame(rows)
