"""What became of everybody, by arm: one bar an arm whose parts add up to all."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, below_axis, english, known, label
from mhlib.report.style import COLOURS, INK

SHADES = (0.95, 0.6, 0.25)


def shares_data(result: object, gate: Gate) -> pd.DataFrame:
    """Share of each part in each arm."""
    return result.to_frame()[["arm_shown", "term", "proportion", "denominator"]]


def shares(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """One bar an arm, from the best part to the worst; the last part has its own colour and hatching."""
    data = known(shares_data(result, OPEN) if data is None else data, "proportion")
    arms, parts = list(dict.fromkeys(data["arm_shown"])), list(dict.fromkeys(data["term"]))
    ax = axes(ax, (7.0, 1.2 + 0.55 * max(len(arms), 1)))
    left = pd.Series(0.0, index=arms)
    for at, part in enumerate(parts):
        width = data[data["term"] == part].set_index("arm_shown")["proportion"].astype(float).reindex(arms).fillna(0.0)
        last = at == len(parts) - 1
        colour, alpha = (COLOURS[1], 0.9) if last else (COLOURS[0], SHADES[min(at, len(SHADES) - 1)])
        ax.barh(range(len(arms)), width, left=left, height=0.6, color=colour, alpha=alpha, hatch="//" if last else None,
                label=label(part, say))  # fmt: skip
        left = left + width
    ax.set_yticks(range(len(arms)), [label(arm, say) for arm in arms], color=INK)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    ax.set(xlim=(0, 1), ylim=(max(len(arms), 1) - 0.4, -0.6), xlabel=axis_text(getattr(result, "x_axis", None), say))
    ax.grid(axis="y", visible=False)
    if parts:
        below_axis(ax, ncol=2, fontsize=11)
    return ax


KINDS = {
    "shares": Figure(shares_data, shares, message(
        "One bar an arm, divided into the shares of pupils by what became of them; the hatched part at the end got reliably worse.")),
}  # fmt: skip
