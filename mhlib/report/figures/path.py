"""A factor model as it is drawn on paper: factors on the left, items on the right, loadings on the arrows."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, english, known, label
from mhlib.report.style import COLOURS, INK, PAGE, SOFT

# Beyond so many arrows a drawing is a thicket; the table of loadings serves better.
MOST_ITEMS = 45


def path_data(result: object, gate: Gate) -> pd.DataFrame:
    """Standardised loadings."""
    return result.to_frame()[["factor", "item", "loading", "n_used"]].head(MOST_ITEMS)


def path(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """Arrows from each factor to its items; the stronger the loading, the thicker the arrow."""
    data = known(path_data(result, OPEN) if data is None else data, "loading")
    ax = axes(ax, (6.6, 1.0 + 0.34 * max(len(data), 2)))
    height = {
        name: float(here.index.to_numpy().mean())
        for name, here in data.reset_index(drop=True).groupby("factor", sort=False)
    }
    for at, row in enumerate(data.to_dict("records")):
        start, loading = height[row["factor"]], float(row["loading"])
        ax.annotate("", (0.78, at), xytext=(0.24, start), arrowprops={
            "arrowstyle": "-|>", "color": COLOURS[0] if loading >= 0 else COLOURS[1], "linewidth": 0.6 + 2.2 * min(abs(loading), 1),
            "shrinkA": 0, "shrinkB": 0})  # fmt: skip
        ax.text(0.70, start + (at - start) * 0.84, f"{loading:.2f}".replace("-", "−").replace("0.", "."), ha="right", va="center",
                color=INK, fontsize=9.5, bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1.2})  # fmt: skip
        ax.plot(
            [0.79, 0.92, 0.92, 0.79, 0.79],
            [at - 0.36, at - 0.36, at + 0.36, at + 0.36, at - 0.36],
            color=SOFT,
            linewidth=1,
        )
        ax.text(0.855, at, str(row["item"]), ha="center", va="center", color=INK, fontsize=10.5)
    for name, at in height.items():
        ax.text(0.23, at, label(name, say), ha="right", va="center", color=INK, fontsize=11.5, fontweight="bold")
    ax.set(xlim=(-0.05, 0.95), ylim=(len(data) - 0.4, -0.6))
    ax.axis("off")
    return ax


KINDS = {
    "path": Figure(path_data, path, message(
        "Factor model: arrows lead from each factor to its items; the number on an arrow is the standardised loading, and the "
        "stronger it is, the thicker the arrow.")),
}  # fmt: skip
