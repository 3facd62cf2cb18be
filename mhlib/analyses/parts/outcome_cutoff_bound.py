"""Do the scores near the cut-off speak against the bound on how fast the slope may change?"""

from __future__ import annotations

import math

import pandas as pd
from scipy import stats

from mhlib.analyses.parts.outcome_cutoff_effect import Jump
from mhlib.analyses.parts.sections import refused_design
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Light, Message, Refused, message
from mhlib.stats.effects import cluster_robust

# Bandwidths on each side that the test reads, values of the score that a parabola needs, and degrees of freedom of a test.
REACH = 1.5
FEWEST_VALUES = 4
FEWEST_DF = 4.0


def least_bend(found: Jump) -> float:
    """Lower confidence limit of the larger mean second derivative of the two sides, 0 at least; NaN if neither can tell.

    The curvature of a parabola by least squares is a weighted mean of second derivatives, so that it cannot exceed a bound that
    holds. Each side has its own one-sided limit at half of the error allowed (Bonferroni). The largest bend of a quartic, which
    serves as rule of thumb where nothing was stated, is no such test: it bends by chance where the line is straight.
    """
    people = found.measured
    near = people[people["score"].abs() <= REACH * found.sharp.bandwidth]
    limits = [_side(near[near["entitled"] == side], found) for side in (0.0, 1.0)]
    known = [one for one in limits if not math.isnan(one)]
    return max(0.0, *known) if known else math.nan


def _side(rows: pd.DataFrame, found: Jump) -> float:
    if rows["score"].nunique() < FEWEST_VALUES:
        return math.nan
    frame = rows.assign(square=rows["score"] ** 2)
    fit = _fit(frame, found)
    if isinstance(fit, Refused):
        return math.nan
    row = fit.to_frame().set_index("term").loc["square"]
    if not row["df"] >= FEWEST_DF:
        return math.nan
    alpha = (1 - found.sharp.conf_level) / 2
    return float(2 * (abs(row["estimate"]) - stats.t.ppf(1 - alpha, row["df"]) * row["std_error"]))


def _fit(frame: pd.DataFrame, found: Jump) -> object:
    alone = found.cluster is None
    frame = frame.assign(own=range(len(frame))) if alone else frame
    try:
        return cluster_robust("y ~ score + square", frame, cluster="own" if alone else found.cluster)
    except DesignError as error:
        return refused_design(error)


def bound_check(found: Jump) -> Check:
    """Whether the bound was stated, and whether the scores contradict it."""
    name = message("Bound on the curvature")
    if found.sharp.curvature_rule != "given":
        return Check(name, None, message("No bound was stated beforehand; the rule of thumb took its place."))
    least = least_bend(found)
    if math.isnan(least):
        return Check(
            name, None, message("Too few scores or schools lie near the cut-off to hold the bound against the data.")
        )
    bound, bend = (Estimate(one, found.n_near, digits=3) for one in (found.sharp.curvature, least))
    if least > found.sharp.curvature:
        return Check(name, False, message("The bound is {bound}, but the scores near the cut-off bend by {bend} at least.",
                                          bound=bound, bend=bend))  # fmt: skip
    return Check(name, True, message("The bound is {bound}; the scores near the cut-off do not contradict it, which is no "
                                     "proof of it.", bound=bound))  # fmt: skip


def bound_light(found: Jump, *, planned: bool) -> Light:
    """The bound as a domain of bias."""
    name, rule = message("Bound on how lines bend"), message("stated in the plan, and not contradicted by the scores")
    if found.sharp.curvature_rule != "given":
        return Light(
            name,
            "watch",
            message("No bound was stated: the interval rests on a rule of thumb from the same data."),
            rule,
            False,
        )
    passed = bound_check(found).passed
    said: dict[bool | None, Message] = {
        True: message("The bound was stated, and the scores do not speak against it."),
        False: message("The scores near the cut-off bend more than was stated: the interval may be too narrow."),
        None: message("The bound was stated; it could not be held against the data."),
    }
    return Light(name, {True: "good", False: "bad", None: "watch"}[passed], said[passed], rule, planned)
