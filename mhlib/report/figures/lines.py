"""Curves over an axis: several series, a band where there is one, and lines that mark a rule."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, below_axis, english, known, label
from mhlib.report.style import COLOURS, LINE, SOFT

COLUMNS = ("group", "x", "y", "low", "high", "n_used")
STYLES = ("-", "--", "-.", ":")


def lines_data(result: object, gate: Gate) -> pd.DataFrame:
    """Points of every series."""
    frame = result.to_frame()
    return frame[[name for name in COLUMNS if name in frame]]


def lines(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """Series of `group` over x; `result.x_axis` and `.y_axis` are words, `.mark` an x, `.diagonal` an identity line."""
    data = known(lines_data(result, OPEN) if data is None else data, "x", "y")
    ax = axes(ax, (6.8, 4.4))
    if getattr(result, "diagonal", False):
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1, transform=ax.transAxes if not len(data) else ax.transData)
    if (mark := getattr(result, "mark", None)) is not None:
        ax.axvline(mark, color=SOFT, linewidth=1.2, linestyle=":")
    for at, (name, points) in enumerate(data.groupby("group", sort=False)):
        _series(ax, points, at, label(name, say), points_too=getattr(result, "points", False))
    ax.set(
        xlabel=axis_text(getattr(result, "x_axis", None), say), ylabel=axis_text(getattr(result, "y_axis", None), say)
    )
    for axis, wanted in ((ax.xaxis, getattr(result, "x_share", False)), (ax.yaxis, getattr(result, "y_share", False))):
        if wanted:
            axis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    if getattr(result, "y_share", False) and len(data) and (data["y"].astype(float) >= 0).all():
        # Room above the highest point, which may be the whole.
        highest = data[[name for name in ("y", "high") if name in data]].astype(float).max(axis=None)
        ax.set_ylim(bottom=0, top=1.06 * highest if highest > 0 else None)
    if len(data) and _whole(data["x"].astype(float)) and not getattr(result, "x_share", False):
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if data["group"].nunique() > 1:
        below_axis(ax, ncol=2, fontsize=11)
    return ax


def _whole(x: pd.Series) -> bool:
    """Terms, weeks and points of a whole-number score have no halves; of days within years only the years are written."""
    return bool((x % 1 == 0).all() or x.between(1900, 2200).all())


def _series(ax: object, points: pd.DataFrame, at: int, name: str, *, points_too: bool) -> None:
    colour, style = COLOURS[at % len(COLOURS)], STYLES[(at // len(COLOURS) + at) % len(STYLES)]
    x, y = points["x"].astype(float), points["y"].astype(float)
    if {"low", "high"} <= set(points) and points[["low", "high"]].notna().all(axis=None):
        ax.fill_between(
            x, points["low"].astype(float), points["high"].astype(float), color=colour, alpha=0.18, linewidth=0
        )
    ax.plot(
        x, y, color=colour, linestyle=style, linewidth=2.2, label=name, marker="o" if points_too else None, markersize=4
    )


KINDS = {
    "lines": Figure(lines_data, lines, message(
        "Curves over the axis below, one for each series; a dotted line marks the place that the text speaks of.")),
}  # fmt: skip
