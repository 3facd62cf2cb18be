"""Lord's paradox looked at: whether ANCOVA and the change score tell different stories, why, and which to believe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mhlib.findings import Check, Estimate, message
from mhlib.stats.effects.ancova_rows import AncovaRows
from mhlib.stats.effects.effect_size_moments import small_sample
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_refusals import FEWEST_DF
from mhlib.stats.intervals import critical


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LordCheck:
    """One arm against the reference, by ANCOVA and by the change score, on the rows that have a baseline.

    Attributes
    ----------
    ancova, change_score : float
        The two estimates.
    gap, std_error, df, conf_low, conf_high, p_value : float
        ANCOVA less change score; its error from the difference of the two fits' adjusted cluster scores.
    differ : bool or None
        The interval of the gap excludes 0; None where the degrees of freedom are below 4. Cautious with few schools: in
        trials of 12 it says so in well under 1 % of those in which nothing but chance set the arms apart.
    imbalance, imbalance_g : float
        Arm less reference at baseline given the other covariates, in the scale's unit and as Hedges' g.
    slope : float
        Of the outcome on the baseline at the level at which arms differ: with a cluster's mean in the model, the pupil's
        own and the mean's coefficient together where clusters were allocated whole.
    explained : float
        imbalance x (1 - slope): equals the gap where no further covariate stands in the model.
    check : Check
    """

    arm: str
    ancova: float
    change_score: float
    gap: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    p_value: float
    differ: bool | None
    imbalance: float
    imbalance_g: float
    slope: float
    explained: float
    check: Check
    n_used: int


def lord_check(rows: AncovaRows, fits: dict[str, ClusterRobustResult], place: int, *, randomised: bool) -> LordCheck:
    """Compare the two analyses of the arm at `place` (1 is the first after the reference)."""
    term = rows.arm_terms[place - 1]
    estimate, gap, error, df = apart(fits["ancova"], fits["change_score"], term)
    post, change = (effect(fits[name], term) for name in ("post_only", "change_score"))
    imbalance = post - change
    slope = effect(fits["ancova"], "baseline")
    if rows.whole_clusters and "baseline mean of cluster" in fits["ancova"].terms:
        slope += effect(fits["ancova"], "baseline mean of cluster")
    known = df >= FEWEST_DF and error > 0
    half = critical(fits["ancova"].conf_level, df) * error if known else math.nan
    differ = bool(abs(gap) > half) if known else None
    g = standardised_imbalance(rows, place, imbalance)
    return LordCheck(
        arm=rows.arms[place],
        ancova=estimate,
        change_score=change,
        gap=gap,
        std_error=error,
        df=df,
        conf_low=gap - half,
        conf_high=gap + half,
        p_value=float(2 * stats.t.sf(abs(gap / error), df)) if known else math.nan,
        differ=differ,
        imbalance=imbalance,
        imbalance_g=g,
        slope=slope,
        explained=imbalance * (1 - slope),
        check=lord_sentence(differ, randomised, gap, g, slope, len(rows.y), rows.arms[place]),
        n_used=len(rows.y),
    )


def effect(fit: ClusterRobustResult, term: str) -> float:
    """Coefficient of a term."""
    return float(fit.estimates[fit.position(term)])


def apart(one: ClusterRobustResult, other: ClusterRobustResult, term: str) -> tuple[float, float, float, float]:
    """First estimate, its difference from the second, the error of that difference and its df (the smaller of the two)."""
    i, j = one.position(term), other.position(term)
    scores = one.found.scores @ one.found.scale[i] - other.found.scores @ other.found.scale[j]
    df = float(np.min([one.df[i], other.df[j]]))
    return (
        float(one.estimates[i]),
        float(one.estimates[i] - other.estimates[j]),
        float(np.linalg.norm(scores)),
        df,
    )


def standardised_imbalance(rows: AncovaRows, place: int, imbalance: float) -> float:
    """Imbalance over the baseline's deviation pooled within the two arms, with the WWC's small-sample factor."""
    parts = [rows.baseline[rows.arm == one] for one in (0, place)]
    left = sum(len(part) for part in parts) - 2
    spread = math.sqrt(sum(float(((part - part.mean()) ** 2).sum()) for part in parts) / left) if left > 1 else 0.0
    return small_sample(left, "wwc") * imbalance / spread if spread > 0 else math.nan


def lord_sentence(differ: bool | None, randomised: bool, gap: float, g: float, slope: float, n: int, arm: str) -> Check:
    """The check in words."""
    name = message("ANCOVA and the change score tell the same story ('{arm}')", arm=arm)
    if differ is None:
        return Check(
            name,
            None,
            message("Too few schools to tell whether ANCOVA and the change score differ by more than chance."),
        )
    if not differ:
        return Check(name, True, message("ANCOVA and the change score agree but for chance."))
    values = {"gap": Estimate(gap, n), "g": Estimate(g, n), "slope": Estimate(slope, n)}
    if randomised:
        return Check(
            name,
            False,
            message(
                "ANCOVA lies {gap} from the change score: the arms began {g} standard deviations apart, and the outcome "
                "follows the baseline with a slope of {slope}, not 1. Chance made the arms, so ANCOVA is right.",
                **values,
            ),
        )
    return Check(
        name,
        False,
        message(
            "ANCOVA lies {gap} from the change score: the groups began {g} standard deviations apart, and the outcome "
            "follows the baseline with a slope of {slope}, not 1. Chance did not make these groups, so neither is "
            "identified; read both.",
            **values,
        ),
    )
