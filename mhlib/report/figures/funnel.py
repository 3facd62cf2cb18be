"""Groups against their size, between limits within which chance (and known spread) would put them; none is named or ordered."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, below_axis, english, known, label
from mhlib.report.style import COLOURS, LINE, SOFT

COLUMNS = ("group", "x", "y", "n_used")
STYLES = ("--", ":")


def funnel_data(result: object, gate: Gate) -> pd.DataFrame:
    """Points and limits; the first group is that of the points."""
    frame = result.to_frame()
    return frame[[name for name in COLUMNS if name in frame]]


def funnel(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """The first group as points, every other group as a pair of limits; `result.rule` is the line in the middle."""
    data = known(funnel_data(result, OPEN) if data is None else data, "x", "y")
    ax = axes(ax, (6.8, 4.4))
    if (rule := getattr(result, "rule", None)) is not None:
        ax.axhline(rule, color=SOFT, linewidth=1.2)
    for at, (name, points) in enumerate(data.groupby("group", sort=False)):
        x, y = points["x"].astype(float), points["y"].astype(float)
        if at == 0:
            ax.scatter(x, y, s=16, color=COLOURS[0], alpha=0.7, linewidth=0, label=label(name, say))
            continue
        for half, words in ((y >= 0, label(name, say)), (y < 0, None)):
            ax.plot(
                x[half], y[half], color=COLOURS[1], linewidth=1.6, linestyle=STYLES[(at - 1) % len(STYLES)], label=words
            )
    ax.set(
        xlabel=axis_text(getattr(result, "x_axis", None), say), ylabel=axis_text(getattr(result, "y_axis", None), say)
    )
    ax.grid(color=LINE)
    if data["group"].nunique() > 1:
        below_axis(ax, ncol=3, fontsize=11)
    return ax


KINDS = {
    "funnel": Figure(funnel_data, funnel, message(
        "One point a group, at its size and its distance from the usual; two pairs of lines are the limits within which 95% and 99.8% "
        "of groups would lie.")),
}  # fmt: skip
