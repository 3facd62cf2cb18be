"""A table of numbers as tinted cells that carry their number."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, english, known, label
from mhlib.report.style import COLOURS, INK


def heat_data(result: object, gate: Gate) -> pd.DataFrame:
    """Rows, columns and the number in each cell."""
    return result.to_frame()[["row", "across", "value_shown", "n_used"]]


def heat(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """Cells tinted by size, one hue above zero and one below; `result.share` writes percents."""
    data = known(heat_data(result, OPEN) if data is None else data, "value_shown")
    rows, across = list(dict.fromkeys(data["row"])), list(dict.fromkeys(data["across"]))
    ax = axes(ax, (1.8 + 0.62 * len(across), 1.2 + 0.4 * len(rows)))
    # A floor of the scale keeps trifles pale.
    least = getattr(result, "scale", None) or 0.0
    most = max([least, *(abs(float(value)) for value in data["value_shown"])]) or 1.0
    share, small = getattr(result, "share", False), len(across) > 12
    for cell in data.to_dict("records"):
        value, x, y = float(cell["value_shown"]), across.index(cell["across"]), rows.index(cell["row"])
        ax.bar(x, 0.94, width=0.94, bottom=y - 0.47, color=COLOURS[0] if value >= 0 else COLOURS[1],
               alpha=0.08 + 0.62 * abs(value) / most)  # fmt: skip
        if not small:
            ax.text(x, y, f"{100 * value:.0f}%" if share else f"{round(value, 2) + 0.0:.2f}".replace("-", "−").replace("0.", "."),
                    ha="center", va="center", color=INK, fontsize=10)  # fmt: skip
    ax.set_xticks(range(len(across)), [label(name, say) for name in across], color=INK, fontsize=10)
    ax.set_yticks(range(len(rows)), [label(name, say) for name in rows], color=INK, fontsize=10)
    ax.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(rows) - 0.5, -0.5),
           xlabel=axis_text(getattr(result, "x_axis", None), say), ylabel=axis_text(getattr(result, "y_axis", None), say))  # fmt: skip
    ax.grid(visible=False)
    return ax


KINDS = {
    "heat": Figure(heat_data, heat, message(
        "Numbers of a table as tinted cells: the stronger the tint, the larger the number; another hue marks the negative.")),
}  # fmt: skip
