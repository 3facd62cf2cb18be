"""Columns and terms of the outcome report: cutoff."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

# Scores run over some tens of points; a placebo lies that far from the cut-off at most.
FARTHEST = 100

COLUMNS: dict[str, Word] = {
    "bias_allowed": Word(message("bias allowed for (points)"), "estimate", 2),
    "reach": Word(message("bandwidth (points of the score)"), "plan", 1),
    "bend_allowed": Word(message("bend that a smooth histogram may have"), "estimate", 3),
    "bend_needed": Word(message("bend needed to explain the bars"), "estimate", 3),
    "from_cutoff": Word(message("score from the cut-off (points)"), "plan", 0),
    "to_neighbours": Word(message("beside the mean of its neighbours"), "estimate", 2),
    "stands_out": Word(message("heap?"), "flag"),
}

TERMS: dict[str, Word] = {
    "cutoff_jump": Word(message("difference at the cut-off (points)"), "estimate", 2),
    "mean_below": Word(message("not entitled: mean by score"), "text"),
    "line_below": Word(message("not entitled: line to the cut-off"), "text"),
    "mean_above": Word(message("entitled: mean by score"), "text"),
    "line_above": Word(message("entitled: line to the cut-off"), "text"),
    "cutoff_offered": Word(message("more often offered the service"), "estimate", 3),
    "cutoff_served": Word(message("more often taking part"), "estimate", 3),
    "served_inverted": Word(message("effect on those served"), "text"),
    "served_linear": Word(message("effect on those served, linearised"), "text"),
    "cutoff_bar": Word(message("bars on the cut-off and on both sides of it"), "text"),
    "cutoff_sex": Word(message("share of girls"), "estimate", 3),
    "cutoff_boarding": Word(message("share of boarders"), "estimate", 3),
    "cutoff_left_behind": Word(message("share of the left behind"), "estimate", 3),
    "cutoff_urban": Word(message("share in town"), "estimate", 3),
    "cutoff_y_pre": Word(message("outcome at the start (points)"), "estimate", 2),
    "cutoff_lost": Word(message("share not measured"), "estimate", 3),
    "bandwidth_half": Word(message("half the bandwidth"), "text"),
    "bandwidth_chosen": Word(message("bandwidth as chosen"), "text"),
    "bandwidth_more": Word(message("one and a half times the bandwidth"), "text"),
    "bandwidth_double": Word(message("twice the bandwidth"), "text"),
    "bound_half": Word(message("half the bound on bending"), "text"),
    "bound_double": Word(message("twice the bound on bending"), "text"),
    "for_continuous": Word(message("estimator for continuous scores"), "text"),
    "hole_1": Word(message("without the nearest score on each side"), "text"),
    "hole_2": Word(message("without the two nearest scores on each side"), "text"),
    **{
        f"moved_{by:+d}": Word(message("cut-off moved by {n} points", n=f"{by:+d}".replace("-", "\u2212")), "text")
        for by in range(-FARTHEST, FARTHEST + 1)
    },
}
