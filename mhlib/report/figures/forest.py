"""Estimates as points with their intervals as lines, one under the other."""

from __future__ import annotations

import math

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import ONE_DECIMAL_FROM, Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, axes, axis_text, english, known, labels
from mhlib.report.language import number
from mhlib.report.style import COLOURS, INK, LINE, SOFT

COLUMNS = ("group", "subgroup", "term", "estimate", "conf_low", "conf_high", "interval", "n_used")


def forest_data(result: object, gate: Gate) -> pd.DataFrame:
    """Estimates with their intervals."""
    frame = result.to_frame()
    return frame[[name for name in COLUMNS if name in frame]]


def forest(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """A forest; `result.rule` (a number) becomes a dotted line, `result.axis` the words below, `result.share` percents."""
    data = known(forest_data(result, OPEN) if data is None else data, "estimate")
    ax = axes(ax, (7.2, 1.1 + 0.36 * max(len(data), 2)))
    share = getattr(result, "share", False)
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(_kinds(data))}
    for at, row in enumerate(data.to_dict("records")):
        colour = colours[row.get("term", row.get("group"))]
        ax.plot([row["estimate"]], [at], color=colour, marker="o", markersize=6)
        if row["conf_low"] is not None and row["conf_high"] is not None:
            ax.plot([row["conf_low"], row["conf_high"]], [at, at], color=colour, linewidth=2)
        ax.text(
            1.02,
            at,
            _written(row["estimate"], share, row.get("n_used")),
            va="center",
            color=INK,
            transform=ax.get_yaxis_transform(),
        )
    if (rule := getattr(result, "rule", None)) is not None:
        ax.axvline(rule, color=SOFT, linewidth=1.2, linestyle=":")
    ax.set_yticks(range(len(data)), labels(data, say), color=INK)
    ax.set(ylim=(len(data) - 0.4, -0.6), xlabel=axis_text(getattr(result, "axis", None), say))
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=LINE)
    if share:
        ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    ax.set_xlim(*_ends(data, rule, share))
    return ax


def _kinds(data: pd.DataFrame) -> list[object]:
    name = "term" if "term" in data else "group"
    return list(dict.fromkeys(data[name]))


def _ends(data: pd.DataFrame, rule: float | None, share: bool) -> tuple[float, float]:
    """Limits that hold every interval and the rule, with a little air."""
    numbers = [float(value) for name in ("estimate", "conf_low", "conf_high") for value in data[name].dropna()]
    numbers += [] if rule is None else [rule]
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    air = 0.06 * ((high - low) or 1.0)
    return (max(low - air, -0.01), min(high + air, 1.01)) if share else (low - air, high + air)


def _written(value: float, share: bool, people: float | None) -> str:
    """As the table writes it: a share of fewer people than a thousand has no decimals."""
    if value is None or math.isnan(float(value)):
        return ""
    if share:
        few = people is not None and people < ONE_DECIMAL_FROM
        return f"{100 * value:.{0 if few else 1}f}%"
    return number(float(value), 2)


KINDS = {
    "forest": Figure(forest_data, forest, message(
        "Estimates as points with their intervals as lines; a dotted line marks the rule where there is one.")),
}  # fmt: skip
