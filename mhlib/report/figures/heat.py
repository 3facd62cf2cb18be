"""A table of numbers as tinted cells that carry their number."""

from __future__ import annotations

import math
import re

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, english, known, label
from mhlib.report.style import COLOURS, INK

MOST_NAMED = 24


def heat_data(result: object, gate: Gate) -> pd.DataFrame:
    """Rows, columns and the number in each cell."""
    return result.to_frame()[["row", "across", "value_shown", "n_used"]]


def heat(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """Cells tinted by size, one hue above zero and one below; `result.share` writes percents."""
    from matplotlib.colors import to_rgba

    data = known(heat_data(result, OPEN) if data is None else data, "value_shown")
    rows, across = list(dict.fromkeys(data["row"])), list(dict.fromkeys(data["across"]))
    # A long scale keeps the size of a page: its cells shrink, and only some are named.
    ax = axes(ax, (min(1.8 + 0.62 * len(across), 9.0), min(1.2 + 0.4 * len(rows), 9.0)))
    # A floor of the scale keeps trifles pale.
    least = getattr(result, "scale", None) or 0.0
    most = max([least, *(abs(float(value)) for value in data["value_shown"])]) or 1.0
    share, small = getattr(result, "share", False), len(across) > 12
    values = [float(value) for value in data["value_shown"]]
    x, y = [across.index(name) for name in data["across"]], [rows.index(name) for name in data["row"]]
    tints = [to_rgba(COLOURS[0] if value >= 0 else COLOURS[1], 0.06 + 0.46 * abs(value) / most) for value in values]
    ax.bar(x, 0.94, width=0.94, bottom=[place - 0.47 for place in y], color=tints, linewidth=0)
    for at, value in enumerate([] if small else values):
        ax.text(x[at], y[at], _written(value, share), ha="center", va="center", color=INK, fontsize=10)
    for names, ticks in ((across, ax.set_xticks), (rows, ax.set_yticks)):
        step = math.ceil(len(names) / MOST_NAMED) or 1
        ticks(range(0, len(names), step), [label(name, say) for name in names[::step]], color=INK, fontsize=10)
    ax.set(xlim=(-0.5, max(len(across), 1) - 0.5), ylim=(max(len(rows), 1) - 0.5, -0.5),
           xlabel=axis_text(getattr(result, "x_axis", None), say), ylabel=axis_text(getattr(result, "y_axis", None), say))  # fmt: skip
    ax.grid(visible=False)
    return ax


def _written(value: float, share: bool) -> str:
    """Two decimals without the leading nought, or whole percents; a trifle below zero is nought."""
    if share:
        return f"{100 * value:.0f}%"
    text = f"{round(value, 2) + 0.0:.2f}"
    return re.sub(r"^(-?)0\.", r"\1.", text).replace("-", "−")


KINDS = {
    "heat": Figure(heat_data, heat, message(
        "Numbers of a table as tinted cells: the stronger the tint, the larger the number; another hue marks the negative.")),
}  # fmt: skip
