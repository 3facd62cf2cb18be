"""Figures of the screening evaluations: the ROC curve, reliability, cut-offs and the plan of interviews."""

from __future__ import annotations

import pandas as pd

from mhlib.findings import Refused, message
from mhlib.report.disclosure import Gate
from mhlib.report.figures.parts import OPEN, Figure, Say
from mhlib.report.figures.parts import axes as _axes
from mhlib.report.figures.parts import english as _english
from mhlib.report.style import COLOURS, INK, LINE, SOFT


def roc_data(result: object, gate: Gate) -> pd.DataFrame:
    """Points of one or two curves; cut-offs are merged until every step holds enough people."""
    curves = result if isinstance(result, tuple) else (result,)
    names = ("naive", "corrected") if len(curves) == 2 else ("corrected",)
    parts = [_merged(curve, gate).assign(group=name) for name, curve in zip(names, curves, strict=True)
             if not isinstance(curve, Refused)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[["group", "cutoff", "sensitivity", "specificity", "n_used"]]


def _merged(curve: object, gate: Gate) -> pd.DataFrame:
    """Points between which, as before the first and after the last, enough cases and enough others lie."""
    least, kept, last = gate.policy.min_cell, [], (0.0, 0.0)
    points = curve.points.sort_values("cutoff", ascending=curve.direction == "<=")
    everybody = (points["tp"].max(), points["fp"].max())
    for row in points.itertuples():
        here = (row.tp, row.fp)
        # A rounded sensitivity gives back the cases of a step: few of them are as telling as few people.
        steps = (now - before for now, before in zip((*here, *everybody), (*last, *here), strict=True))
        if all(step >= least - 1e-9 for step in steps):
            kept.append({"cutoff": row.cutoff, "sensitivity": row.sensitivity, "specificity": row.specificity,
                         "n_used": curve.n_used})  # fmt: skip
            last = here
    return pd.DataFrame(kept, columns=["cutoff", "sensitivity", "specificity", "n_used"])


CURVES = {"naive": message("those interviewed"), "corrected": message("everyone screened")}


def roc(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = _english) -> object:
    """ROC curve: naive dashed, corrected solid."""
    data = roc_data(result, OPEN) if data is None else data
    ax = _axes(ax, (5.6, 5.2))
    ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for number, (name, points) in enumerate(data.groupby("group", sort=True)):
        x = [0, *(1 - points["specificity"].astype(float)), 1]
        y = [0, *points["sensitivity"].astype(float), 1]
        dashed = name == "naive"
        ax.plot(x, y, color=COLOURS[int(dashed)], linestyle="--" if dashed else "-", linewidth=2.2, marker="o",
                markersize=3.5)  # fmt: skip
        ax.text(0.42, 0.20 - 0.08 * number, say(CURVES[name]), color=COLOURS[int(dashed)])
    ax.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=say(message("1 − specificity")), ylabel=say(message("sensitivity")))
    return ax


def reliability_data(result: object, gate: Gate) -> pd.DataFrame:
    """Coefficients with their intervals."""
    return result.to_frame()[["group", "term", "estimate", "conf_low", "conf_high", "n_used"]]


def reliability(
    result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = _english
) -> object:
    """Forest of reliability coefficients with the line of the rule."""
    from mhlib.report.vocabulary import TERMS

    data = reliability_data(result, OPEN) if data is None else data
    ax = _axes(ax, (6.4, 1.1 + 0.42 * len(data)))
    ax.axvline(0.7, color=SOFT, linewidth=1, linestyle=":")
    for at, row in enumerate(data.to_dict("records")):
        if row["estimate"] is None or row["conf_low"] is None or row["conf_high"] is None:
            continue
        colour = COLOURS[0] if row["term"] == "alpha" else COLOURS[1]
        ax.plot([row["conf_low"], row["conf_high"]], [at, at], color=colour, linewidth=2)
        ax.plot([row["estimate"]], [at], color=colour, marker="o", markersize=6)
        ax.text(row["conf_high"] + 0.012, at, f"{row['estimate']:.3f}", va="center", color=INK)
    labels = [" · ".join(say(TERMS[row[key]].words) if row[key] in TERMS else str(row[key]) for key in ("group", "term"))
              for row in data.to_dict("records")]  # fmt: skip
    ax.set_yticks(range(len(data)), labels, color=INK)
    ax.invert_yaxis()
    lowest = data["conf_low"].astype(float).min()
    ax.set(xlim=(0.6 if pd.isna(lowest) else min(0.6, float(lowest) - 0.02), 1.06),
           xlabel=say(message("share of the score's variance that is true difference")))  # fmt: skip
    ax.grid(axis="y", visible=False)
    return ax


def cutoffs_data(result: object, gate: Gate) -> pd.DataFrame:
    """Screen-positives at every cut-off with enough of them."""
    table = result.table[["cutoff", "referrals", "referral_share"]].copy()
    return table.assign(n_used=result.n_used)


def cutoffs(
    result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = _english
) -> object:
    """Screen-positives at every cut-off, with the cut-off that the interviews of a term allow."""
    data = cutoffs_data(result, OPEN) if data is None else data
    ax = _axes(ax, (6.8, 4.2))
    shown = data[data["referrals"].notna()]
    x, y = shown["cutoff"].astype(float), shown["referrals"].astype(float)
    ax.plot(x, y, color=COLOURS[0], linewidth=2.2, marker="o", markersize=4)
    if result.cutoff is not None and (x == float(result.cutoff)).any():
        here = float(y[x == float(result.cutoff)].iloc[0])
        ax.plot([result.cutoff], [here], marker="o", markersize=11, markerfacecolor="none", markeredgewidth=2,
                color=COLOURS[1])  # fmt: skip
        text = say(message("{cutoff} points and above: within the interviews of a term", cutoff=int(result.cutoff)))
        ax.annotate(text, (result.cutoff, here), xytext=(0.30, 0.62), textcoords="axes fraction", color=COLOURS[1],
                    arrowprops={"arrowstyle": "-", "color": COLOURS[1]})  # fmt: skip
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set(ylim=(0, None), xlabel=say(message("cut-off (points; positive at or above)")),
           ylabel=say(message("screen-positives (pupils)")))  # fmt: skip
    return ax


def plan_data(result: object, gate: Gate) -> pd.DataFrame:
    """Interval of the sensitivity to expect for each number of interviews."""
    names = ["n_negative_verified", "sensitivity", "conf_low", "conf_high"]
    table = result.table[names].rename(columns={"sensitivity": "estimate"})
    return table.assign(term="sensitivity", n_used=result.n_used)


def plan(result: object, *, ax: object | None = None, data: pd.DataFrame | None = None, say: Say = _english) -> object:
    """How the interval narrows with the number of interviewed screen-negatives."""
    data = plan_data(result, OPEN) if data is None else data
    ax = _axes(ax, (6.4, 3.6))
    for at, row in enumerate(data.to_dict("records")):
        if row["estimate"] is None or row["conf_low"] is None or row["conf_high"] is None:
            continue
        ax.plot([at, at], [row["conf_low"], row["conf_high"]], color=COLOURS[0], linewidth=3)
        ax.plot([at], [row["estimate"]], color=COLOURS[0], marker="o", markersize=6)
    ax.set_xticks(range(len(data)), [f"{n:,}" for n in data["n_negative_verified"]])
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    ax.set(ylim=(0, 1.02), xlim=(-0.5, max(len(data), 1) - 0.5), xlabel=say(message("screen-negatives interviewed")),
           ylabel=say(message("sensitivity")))  # fmt: skip
    ax.grid(axis="x", visible=False)
    return ax


KINDS = {
    "roc": Figure(roc_data, roc, message("ROC curve: sensitivity against one minus specificity at every cut-off; the "
                                         "points stand in the table below.")),
    "reliability": Figure(reliability_data, reliability, message(
        "Reliability coefficients as points with their intervals as lines; a dotted line marks .70.")),
    "cutoffs": Figure(cutoffs_data, cutoffs, message(
        "Number of screen-positives falling with the cut-off; a ring marks the lowest cut-off whose number fits the "
        "interviews of a term.")),
    "plan": Figure(plan_data, plan, message(
        "Interval of the sensitivity to expect, narrowing as more screen-negatives are interviewed.")),
}  # fmt: skip
