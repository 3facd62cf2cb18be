"""Shares that add up to a whole, and people by score."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import (
    OPEN,
    Figure,
    Say,
    axes,
    axis_text,
    below_axis,
    english,
    known,
    label,
    whole_points,
)
from mhlib.report.style import COLOURS, INK, LINE

SHADES = (0.18, 0.42, 0.68, 0.95)


def stacked_data(result: object, gate: Gate) -> pd.DataFrame:
    """Share of each answer to each item; an answer that fewer than the least cell gave is hidden."""
    table = result.to_frame()[["item", "answer", "proportion", "n_used"]]
    hidden = (table["proportion"] * table["n_used"]).round() < gate.policy.min_cell
    return table.assign(proportion=table["proportion"].mask(hidden))


def stacked(
    result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english
) -> object:
    """One bar an item, its parts the answers from lowest to highest."""
    data = known(stacked_data(result, OPEN) if data is None else data, "proportion")
    items = list(dict.fromkeys(data["item"]))
    answers = sorted(dict.fromkeys(data["answer"]), key=float)
    ax = axes(ax, (7.0, 1.3 + 0.3 * len(items)))
    for at, answer in enumerate(answers):
        shade = SHADES[round(at * (len(SHADES) - 1) / max(len(answers) - 1, 1))]
        here = data[data["answer"] == answer].set_index("item")["proportion"].astype(float)
        below = data[data["answer"].astype(float) < float(answer)].groupby("item")["proportion"].sum().astype(float)
        ax.barh(range(len(items)), here.reindex(items).fillna(0), left=below.reindex(items).fillna(0), height=0.72,
                color=COLOURS[0], alpha=shade, label=str(answer))  # fmt: skip
    ax.set_yticks(range(len(items)), [str(item) for item in items], color=INK)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    ax.set(xlim=(0, 1), ylim=(max(len(items), 1) - 0.4, -0.6), xlabel=say(message("share of answers")),
           ylabel=say(message("item")))  # fmt: skip
    ax.grid(axis="y", visible=False)
    if answers:
        below_axis(ax, title=say(message("answer (points)")), ncol=min(len(answers), 8))
    return ax


def histogram_data(result: object, gate: Gate) -> pd.DataFrame:
    """People by score and finding; neighbouring scores of a finding are merged until each bar holds enough people."""
    frame = result.to_frame()[["group", "score_low", "score_high", "n"]]
    merged = [bar for _, bars in frame.groupby("group", sort=False) for bar in _enough(bars, gate.policy.min_cell)]
    return pd.DataFrame(merged, columns=list(frame))


def _enough(bars: pd.DataFrame, least: int) -> list[dict[str, object]]:
    """Bars of one finding from the lowest score, each of `least` people; what is left over joins the bar before it."""
    kept: list[dict[str, object]] = []
    for bar in bars.sort_values("score_low").to_dict("records"):
        if kept and kept[-1]["n"] < least:
            kept[-1] |= {"score_high": bar["score_high"], "n": kept[-1]["n"] + bar["n"]}
        else:
            kept.append(bar)
    if len(kept) > 1 and kept[-1]["n"] < least:
        last = kept.pop()
        kept[-1] |= {"score_high": last["score_high"], "n": kept[-1]["n"] + last["n"]}
    return kept


def histogram(
    result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english
) -> object:
    """People by score, one panel line a finding, each scaled to its own height so that few cases stay visible."""
    data = known(histogram_data(result, OPEN) if data is None else data, "n")
    groups = list(dict.fromkeys(data["group"]))
    ax = axes(ax, (6.8, 1.0 + 1.15 * max(len(groups), 1)))
    for at, name in enumerate(groups):
        here = data[data["group"] == name].astype({"n": float, "score_low": float, "score_high": float})
        tallest = float((here["n"] / (here["score_high"] - here["score_low"] + 1)).max())
        height = 0.82 * here["n"] / (here["score_high"] - here["score_low"] + 1) / tallest
        ax.bar(here["score_low"] - 0.45, height, width=here["score_high"] - here["score_low"] + 0.9, align="edge",
               bottom=len(groups) - 1 - at, color=COLOURS[at % len(COLOURS)])  # fmt: skip
        ax.axhline(len(groups) - 1 - at, color=LINE, linewidth=1)
    if (mark := getattr(result, "mark", None)) is not None:
        ax.axvline(mark - 0.5, color=INK, linewidth=1.2, linestyle=":")
    ax.set_yticks(
        [len(groups) - 1 - at + 0.3 for at in range(len(groups))], [label(name, say) for name in groups], color=INK
    )
    ax.tick_params(axis="y", length=0)
    whole_points(ax)
    ax.set(ylim=(0, max(len(groups), 1)), xlabel=axis_text(message("score (points)"), say))
    ax.grid(axis="y", visible=False)
    return ax


KINDS = {
    "stacked": Figure(stacked_data, stacked, message(
        "One bar an item, divided by the share of each answer from the lowest to the highest.")),
    "histogram": Figure(histogram_data, histogram, message(
        "People by score, a row for each finding of the interview; every row is scaled to its own tallest bar, and a "
        "dotted line marks the cut-off.")),
}  # fmt: skip
