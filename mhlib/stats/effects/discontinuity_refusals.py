"""When a discontinuity cannot be estimated honestly, and the checks that stand beside one."""

from __future__ import annotations

from mhlib.findings import Check, Estimate, Refused, message
from mhlib.stats.effects.discontinuity_cells import ScoreCells

# Two values draw a line through themselves; the third lets the bandwidth be anything but a drawing.
FEWEST_VALUES = 3
# Within a bandwidth two do, as in Kolesár & Rothe (2018): the bias allowed for is known all the same.
FEWEST_WITHIN = 2
# rdrobust's bandwidths rest on a cubic and quartic a side; with fewer values it extrapolates from a handful of points.
FEWEST_FOR_ROBUST = 10
# Staiger & Stock (1997); below it the ratio's linearised interval is wrong however many pupils there are.
LEAST_F = 10.0


def few_values_refusal(cells: ScoreCells) -> Refused | None:
    """Refusal (code `too_few_score_values`) when a side has fewer than three values of the score."""
    above = int(cells.above.sum())
    below = len(cells.distance) - above
    if min(above, below) >= FEWEST_VALUES:
        return None
    return Refused(
        "too_few_score_values",
        message(
            "The score takes {below} values below the cut-off and {above} from it on; fewer than {least} on a side cannot "
            "show the trend that has to be carried to the cut-off.",
            below=below,
            above=above,
            least=FEWEST_VALUES,
        ),
        message("Keep the full score of everyone screened, on both sides of the cut-off, not only its class."),
    )


def unknown_curvature_refusal() -> Refused:
    """Refusal (code `curvature_unknown`) when no bound was given and the score has too few values for the rule of thumb."""
    return Refused(
        "curvature_unknown",
        message(
            "No bound on the curvature was given, and the score takes too few values on a side for the rule of thumb: "
            "an honest interval needs a bound."
        ),
        message("State how much the slope of the outcome may change by one point of the score, before looking at it."),
    )


def weak_first_stage_refusal(f: float) -> Refused:
    """Refusal of the effect on those served, code `weak_first_stage`; the jump of the outcome itself stays."""
    return Refused(
        "weak_first_stage",
        message(
            "Being over the cut-off hardly changed who was served (F = {f}, below {least}): the effect on those served "
            "cannot be told, only the jump of the outcome.",
            f=round(float(f), 1),
            least=LEAST_F,
        ),
        message("Record who was in fact served, and offer the service by the cut-off alone."),
    )


def unbounded_refusal() -> Refused:
    """Refusal of the effect on those served, code `unbounded_effect`: the inverted test excludes no far effect."""
    return Refused(
        "unbounded_effect",
        message(
            "With the curvature allowed, uptake itself might not jump at the cut-off: no effect on those served, however "
            "large, can be excluded."
        ),
        message("Record who was in fact served, and offer the service by the cut-off alone."),
    )


def few_values_for_robust_refusal(below: int, above: int) -> Refused:
    """Refusal of the robust bias-corrected interval, code `too_few_values_for_robust`; the honest one stays."""
    return Refused(
        "too_few_values_for_robust",
        message(
            "The score takes {below} values below the cut-off and {above} from it on: the robust bias-corrected interval "
            "is made for continuous scores and is not given below {least} on a side.",
            below=below,
            above=above,
            least=FEWEST_FOR_ROBUST,
        ),
        message("Read the honest interval, which is made for a score of few values."),
    )


def failed_robust_refusal() -> Refused:
    """Refusal of the robust interval, code `robust_failed`: the library could choose no bandwidth."""
    return Refused(
        "robust_failed",
        message(
            "The robust bias-corrected interval could not be had: no bandwidth can be chosen for a score so coarse."
        ),
        message("Read the honest interval, which is made for a score of few values."),
    )


def one_sided_refusal() -> Refused:
    """Refusal of a placebo or donut, code `nothing_left`: too few values remain."""
    return Refused(
        "nothing_left",
        message("Too few values of the score are left on a side to look for a jump there."),
        message("Keep the full score of everyone screened, on both sides of the cut-off, not only its class."),
    )


def mass_points_check(cells: ScoreCells) -> Check:
    """Check that the score is fine enough for methods made for continuous scores."""
    counts = cells.counts
    continuous = bool(counts.sum() < 2 * len(counts))
    above = int(cells.above.sum())
    return Check(
        message("Is the score continuous?"),
        continuous,
        message(
            "{below} values below the cut-off, {above} from it on; with so many pupils on each value the honest interval "
            "leads and the robust one is shown beside it.",
            below=len(counts) - above,
            above=above,
        )
        if not continuous
        else message("Most values of the score are held by one person only."),
    )


def curvature_check(curvature: float, rule_of_thumb: float, n_used: int) -> Check:
    """Check that the bound given is not far below what the scores themselves show."""
    known = rule_of_thumb == rule_of_thumb
    return Check(
        message("Bound on the curvature"),
        bool(curvature >= rule_of_thumb / 2) if known else None,
        message(
            "The bound is {bound}; a quartic through the scores bends by up to {rule}. The interval is honest only if the "
            "bound holds, which the data cannot prove.",
            bound=Estimate(curvature, n_used, digits=4),
            rule=Estimate(rule_of_thumb, n_used, digits=4) if known else message("an unknown amount"),
        ),
    )


def first_stage_check(jump: float, f: float, n_used: int) -> Check:
    """Check that being over the cut-off changed who was served."""
    return Check(
        message("Who was served jumps at the cut-off"),
        bool(f >= LEAST_F),
        message(
            "Uptake changes by {jump} at the cut-off, F = {f}; below {least} the effect on those served is not given.",
            jump=Estimate(jump, n_used),
            f=round(float(f), 1),
            least=LEAST_F,
        ),
    )
