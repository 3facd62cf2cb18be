"""The instrument and the reference standard, each on one card: keys and sources, never the wording of an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.checks import DESIGNS
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, without_items, without_reference
from mhlib.findings import Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

TIMINGS = {"concurrent": message("of the same time"), "past": message("the past"), "future": message("the future")}
SAMPLINGS = {"census": message("everybody in the wave"), "random": message("a random sample"),
             "enriched": message("a sample in which some scores are over-represented"),
             "convenience": message("whoever was at hand")}  # fmt: skip


def instrument_card(data: Screened, params: Params) -> Drawn | Refused:
    """The codebook as it was applied."""
    book = data.scale
    if book is None:
        return without_items()
    subscales = "; ".join(f"{name}: {', '.join(map(str, items))}" for name, items in book.subscales.items())
    cutoffs = "; ".join(f"{cut.at:g} ({cut.on}; {cut.label}; {cut.source})" for cut in book.all_cutoffs)
    rows: list[tuple[Message, object]] = [
        (message("instrument"), dict(book.names)), (message("items"), str(book.n_items)),
        (message("answers (points)"), f"{book.low}–{book.high}"),
        (message("items worded in reverse"), ", ".join(map(str, book.reverse)) or "–"),
        (message("subscales (items)"), subscales or "–"), (message("published cut-offs"), cutoffs or "–"),
        (message("cut-off in force"), "–" if params.cutoff is None else f"{params.direction} {params.cutoff}"),
        (message("sources of the key"), "; ".join(book.sources)), (message("terms of use"), book.licence),
        (message("checksum of the key"), book.checksum[:16]),
    ]  # fmt: skip
    return _card(rows)


def reference_card(params: Params) -> Drawn | Refused:
    """What the parameter file declares of the interview."""
    if params.verification == "none":
        return without_reference()
    rows: list[tuple[Message, object]] = [
        (message("who was to be interviewed"), DESIGNS[params.verification]),
        (message("who was screened"), SAMPLINGS[params.sampling]),
        (message("time of which the reference speaks"), TIMINGS[params.reference_timing]),
        (message("other reference standards"), "; ".join(f"{k}: {v}" for k, v in params.other_references.items()) or "–"),
        (message("agreement between raters"), message("not recorded: each pupil was interviewed once")),
        (message("blindness to the score"), message("not recorded")),
    ]  # fmt: skip
    return _card(rows)


def _card(rows: list[tuple[Message, object]]) -> Drawn:
    shown = [{"property": name, "detail_said": value if isinstance(value, Message) else message("{text}", text=value)}
             for name, value in rows]  # fmt: skip
    return Drawn(table=pd.DataFrame(shown))
