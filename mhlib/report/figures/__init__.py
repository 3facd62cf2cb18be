"""Figures of gated aggregates: each takes a result, draws on axes, and offers its data and its description.

For a researcher `figures.roc(result, ax=ax)` draws everything; a report draws what the kind's `data` let through the gate.
"""

from __future__ import annotations

from mhlib.errors import DisclosureError
from mhlib.report.figures import bars, screening
from mhlib.report.figures import forest as forest_kind
from mhlib.report.figures import heat as heat_kind
from mhlib.report.figures import lines as line_kind
from mhlib.report.figures.bars import histogram, stacked
from mhlib.report.figures.forest import forest
from mhlib.report.figures.funnel import KINDS as FUNNEL
from mhlib.report.figures.heat import heat
from mhlib.report.figures.lines import lines
from mhlib.report.figures.parts import Figure
from mhlib.report.figures.path import KINDS as PATH
from mhlib.report.figures.screening import cutoffs, plan, reliability, roc
from mhlib.report.figures.shares import KINDS as SHARES
from mhlib.report.figures.studio import KINDS as STUDIO

KINDS = {
    **screening.KINDS,
    **forest_kind.KINDS,
    **line_kind.KINDS,
    **bars.KINDS,
    **heat_kind.KINDS,
    **FUNNEL,
    **PATH,
    **SHARES,
    **STUDIO,
}

__all__ = [
    "KINDS", "Figure", "cutoffs", "forest", "heat", "histogram", "kind_named", "lines", "plan", "reliability", "roc", "stacked",
]  # fmt: skip


def kind_named(kind: str) -> Figure:
    """The figure of a kind; DisclosureError for a kind that has no gated data."""
    if kind not in KINDS:
        raise DisclosureError("figure", f"unknown kind {kind}", allowed=", ".join(KINDS))
    return KINDS[kind]
