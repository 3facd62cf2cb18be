"""The cut-off studio: accuracy, referrals and the firmness of each choice over one axis of cut-offs."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say, english, known, label, whole_points
from mhlib.report.style import COLOURS, INK, SOFT

CURVES = ("sensitivity", "specificity", "ppv")
NAMES = {
    "sensitivity": message("sensitivity"),
    "specificity": message("specificity"),
    "ppv": message("predictive value"),
}
STYLES = {"sensitivity": "-", "specificity": "--", "ppv": "-."}


def studio_data(result: object, gate: Gate) -> pd.DataFrame:
    """Every cut-off with enough people on both sides, as far as the gate allows."""
    table = result.found.table.assign(n_used=result.found.n_used)
    names = ["cutoff", "referrals", "referral_share", *CURVES, "n_used"]
    least = gate.policy.min_cell
    kept = table[(table["referrals"] >= least) & nobody_or_enough(table["n_used"] - table["referrals"], least)]
    shown = kept[[name for name in names if name in kept]]
    return shown.dropna(axis=1, how="all") if len(shown) else shown


def nobody_or_enough(others: pd.Series, least: int) -> pd.Series:
    """Whether those on the other side of a cut-off are nobody at all, or enough of them to be told of."""
    return (others <= 0) | (others >= least)


def studio(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = english) -> object:
    """Three panels over one axis: accuracy, screen-positives against the capacity, and what each rule chooses."""
    import matplotlib.pyplot as plt

    data = known(studio_data(result, OPEN) if data is None else data, "cutoff")
    accurate = [name for name in CURVES if name in data and data[name].notna().any()]
    rules = {name: choice for name, choice in result.found.choices.items() if choice.cutoff is not None}
    heights = ([2.4] if accurate else []) + [1.6] + ([0.5 + 0.34 * len(rules)] if rules else [])
    figure, panels = plt.subplots(len(heights), 1, figsize=(7.2, 1.2 + 1.25 * sum(heights) ** 0.95), sharex=True,
                                  height_ratios=heights, squeeze=False)  # fmt: skip
    panels = list(panels[:, 0])
    if accurate:
        _accuracy(panels.pop(0), data, accurate, say)
    _referrals(panels.pop(0), data, result, say)
    if rules:
        _choices(panels.pop(0), rules, say)
    for panel in figure.axes:
        if result.in_force is not None:
            panel.axvline(result.in_force, color=SOFT, linewidth=1.2, linestyle=":")
    # Cut-offs are whole points, however few there are.
    figure.axes[-1].xaxis.get_major_locator().set_params(integer=True)
    whole_points(figure.axes[-1])
    figure.axes[-1].set(xlabel=say(message("cut-off (points)")))
    return figure.axes[0]


def _accuracy(ax: object, data: pd.DataFrame, names: list[str], say: Say) -> None:
    for at, name in enumerate(names):
        here = data[data[name].notna()]
        ax.plot(here["cutoff"].astype(float), here[name].astype(float), color=COLOURS[at], linestyle=STYLES[name], linewidth=2.2,
                label=say(NAMES[name]))  # fmt: skip
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    ax.set(ylim=(0, 1.02))
    # Flush right: the names of the rules leave room on the left, and nothing does on the right.
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncol=3, frameon=False, fontsize=10, columnspacing=1.0)


def _referrals(ax: object, data: pd.DataFrame, result: object, say: Say) -> None:
    here = data[data["referrals"].notna()]
    ax.bar(here["cutoff"].astype(float), here["referrals"].astype(float), width=0.8, color=COLOURS[0], alpha=0.45)
    most = float(here["referrals"].astype(float).max()) if len(here) else 1.0
    if result.capacity is not None and result.capacity <= 2 * most:
        ax.axhline(result.capacity, color=COLOURS[1], linewidth=1.6)
        ax.text(0.99, result.capacity, say(message("interviews of a term")), color=COLOURS[1], ha="right", va="bottom",
                transform=ax.get_yaxis_transform(), fontsize=10.5)  # fmt: skip
    elif result.capacity is not None:
        # A capacity far above every number of screen-positives would flatten the bars: it is said instead.
        ax.text(0.99, 0.97, f"{say(message('interviews of a term'))}: {result.capacity:,} ↑", color=COLOURS[1], ha="right",
                va="top", transform=ax.transAxes, fontsize=10.5)  # fmt: skip
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set(ylabel=say(message("screen-positives")))


def _choices(ax: object, rules: dict[str, object], say: Say) -> None:
    """A dot where each rule stands, and circles whose area is the share of resamples that choose a cut-off."""
    for at, choice in enumerate(rules.values()):
        if choice.frequencies is not None and len(choice.frequencies):
            frequent = choice.frequencies
            ax.scatter(
                frequent["cutoff"],
                [at] * len(frequent),
                s=420 * frequent["share"],
                color=COLOURS[0],
                alpha=0.3,
                linewidth=0,
            )
        ax.plot([choice.cutoff], [at], marker="o", markersize=6, color=COLOURS[1])
    ax.set_yticks(range(len(rules)), [label(f"choose_{name}", say) for name in rules], color=INK, fontsize=10.5)
    ax.set(ylim=(len(rules) - 0.4, -0.6))
    ax.grid(axis="y", visible=False)


KINDS = {
    "studio": Figure(studio_data, studio, message(
        "Above, sensitivity, specificity and predictive value at every cut-off; in the middle, the screen-positives and a line at the "
        "interviews of a term; below, the cut-off that each rule chooses as a dot, with circles whose area is the share of resamples "
        "that choose a cut-off. A dotted line marks the cut-off in force.")),
}  # fmt: skip
