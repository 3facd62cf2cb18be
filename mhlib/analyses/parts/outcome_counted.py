"""Whose change is reliable: the reliability that is used, the least reliable change, and the pupils counted by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import refused_design
from mhlib.analyses.parts.trial import FEW_CLUSTERS, Trial, without_baseline, without_pupils
from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats.effects import (
    JacobsonTruaxResult,
    ReliableChangeResult,
    RetestReliabilityResult,
    jacobson_truax,
    reliable_change,
    retest_reliability,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

CONTROL, PROGRAMME = "arm_control", "arm_programme"
# Fewest pupils without the programme from whom a reliability, or a norm, is taken.
FEWEST_UNSERVED = 50
FEWEST_OF_NORM = 20
UNUSABLE = Refused(
    "unusable_reliability",
    message("The two measurements of those without the programme do not go together: no change of one pupil "
            "can be judged."),
    message("A scale that measures alike twice, and its published retest reliability as parameter reliability."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Pupils with both scores, and the thresholds by which they are counted.

    Attributes
    ----------
    people : DataFrame, one row a pupil
        Pupils of the two arms with baseline ``b`` and outcome ``y``, in points.
    reliability, reliability_error : float
        ``reliability_error`` is NaN where the reliability was stated.
    retest : RetestReliabilityResult or None
        None where the reliability was stated.
    thresholds : JacobsonTruaxResult
    result : ReliableChangeResult
        The six outcomes, by arm where there are two.
    """

    people: pd.DataFrame
    reliability: float
    reliability_error: float
    retest: RetestReliabilityResult | None
    thresholds: JacobsonTruaxResult
    n_norm: int
    result: ReliableChangeResult

    @property
    def least_change(self) -> float:
        """Smallest reliable change in points."""
        return self.thresholds.least_change


def counted(trial: Trial, params: Params) -> Counted | Refused:
    """Reliability, thresholds and the six outcomes; refused where one of them cannot be had."""
    if refused := without_scores(trial, params):
        return refused
    try:
        reliability = reliability_of(trial, params)
        if isinstance(reliability, Refused):
            return reliability
        sd = _spread(trial, params, reliability)
        return sd if isinstance(sd, Refused) else _counted(trial, params, reliability, sd)
    except DesignError as error:
        return refused_design(error)


def _counted(trial: Trial, params: Params, reliability: float | RetestReliabilityResult, sd: float) -> Counted:
    retest = reliability if isinstance(reliability, RetestReliabilityResult) else None
    value = reliability if retest is None else retest.reliability
    ill, well, n = norms(trial, params)
    thresholds = jacobson_truax(
        sd=sd, reliability=value, dysfunctional=ill, functional=well, better=params.better, conf_level=params.conf_level
    )
    return Counted(
        people=trial.compared, reliability=value, reliability_error=float("nan") if retest is None else retest.std_error,
        retest=retest, thresholds=thresholds, n_norm=n, result=_six(trial, params, thresholds.least_change),
    )  # fmt: skip


def without_scores(trial: Trial, params: Params) -> Refused | None:
    """Why nobody's change can be counted; None where it can."""
    if not len(trial.people):
        return without_pupils()
    if not trial.has_baseline:
        return without_baseline()
    if params.case_cutoff is None:
        return Refused("no_case_cutoff", message("No score is stated from which a pupil counts as a case."),
                       message("The cut-off of a published source, as parameter case_cutoff."))  # fmt: skip
    if trial.compared.empty:
        return Refused("nobody_twice", message("Nobody was measured both before the programme and at the primary occasion."),
                       message("The outcome of the same pupils at both occasions."))  # fmt: skip
    return None


def cases(scores: pd.Series, params: Params) -> pd.Series:
    """Whether each score counts as a case."""
    return scores >= params.case_cutoff if params.better == "lower" else scores <= params.case_cutoff


def one_sided(scores: pd.Series, params: Params) -> bool:
    """Whether all scores lie on one side of the cut-off, so that the group was chosen by it."""
    return bool(cases(scores.dropna(), params).nunique() < 2)


def clustered(trial: Trial, people: pd.DataFrame) -> pd.Series | None:
    """The clusters behind an interval; None where pupils were allocated one by one."""
    return None if trial.cluster == "pupil_pid" else people[trial.cluster].astype(str)


def few_clusters(trial: Trial, people: pd.DataFrame) -> Refused | None:
    """No resampling of fewer than 20 clusters."""
    clusters = clustered(trial, people)
    if clusters is None or clusters.nunique() >= FEW_CLUSTERS:
        return None
    return Refused(
        "few_clusters",
        message("Fewer than {least} units stand behind this: drawing them again gives intervals that are "
                "too narrow.", least=FEW_CLUSTERS),
        message("The same outcome from more schools or classes."),
    )  # fmt: skip


def reliability_of(trial: Trial, params: Params) -> float | RetestReliabilityResult | Refused:
    """Stated, or the correlation of two waves of pupils without the programme, over the whole range of scores."""
    if params.reliability is not None:
        return params.reliability
    people = trial.people
    unserved = people[(people["treated"] == 0) & people["measured"] & people["b"].notna()]
    if refused := _unusable(trial, params, unserved):
        return refused
    groups = clustered(trial, unserved)
    enough = groups is not None and groups.nunique() >= FEW_CLUSTERS
    found = retest_reliability(
        unserved["b"], unserved["y"], cluster=groups if enough else None, n_boot=params.n_boot,
        seed=params.seed if enough else None, conf_level=params.conf_level,
    )  # fmt: skip
    return found if 0 < found.reliability < 1 else UNUSABLE


def _unusable(trial: Trial, params: Params, unserved: pd.DataFrame) -> Refused | None:
    """Why those without the programme tell no reliability; None where they do."""
    if len(unserved) < FEWEST_UNSERVED:
        return Refused(
            "no_reliability",
            message("No retest reliability is stated, and too few pupils without the programme were measured twice to "
                    "estimate one: "
                    "which changes are larger than error cannot be told."),
            message("The published retest reliability of the scale as parameter reliability, or two measurements of "
                    "pupils not served."),
        )  # fmt: skip
    if trial.design == "above_cutoff" or one_sided(unserved["b"], params):
        return Refused(
            "narrow_reliability",
            message("Those without the programme lie on one side of the cut-off only: among so narrow a group the "
                    "reliability would "
                    "come out too low."),
            message("The published retest reliability of the scale as parameter reliability."),
        )  # fmt: skip
    return None


def _spread(trial: Trial, params: Params, reliability: float | RetestReliabilityResult) -> float | Refused:
    """Deviation of the population in which the reliability holds, in points."""
    if isinstance(reliability, RetestReliabilityResult):
        return reliability.sd
    if params.reference_sd is not None:
        return params.reference_sd
    before = trial.people["b"].dropna()
    if one_sided(before, params):
        return Refused(
            "no_spread",
            message("Only pupils on one side of the cut-off were measured, so the spread of the score among pupils is not known."),
            message("The standard deviation among unselected peers, as parameter reference_sd."),
        )  # fmt: skip
    return float(before.std(ddof=1))


def norms(trial: Trial, params: Params) -> tuple[tuple[float, float] | None, tuple[float, float] | None, int]:
    """Mean and deviation of the cases at the start and of unselected peers, and how many cases; None where not known."""
    before = trial.people["b"].dropna()
    mine = before[cases(before, params)]
    ill = None
    if len(mine) >= FEWEST_OF_NORM and mine.nunique() > 1:
        ill = (float(mine.mean()), float(mine.std(ddof=1)))
    # Peers are everybody, where nobody was chosen by the score; a chosen group says nothing of their mean.
    well = None
    if not one_sided(before, params):
        well = (float(before.mean()), float(params.reference_sd or before.std(ddof=1)))
    return ill, well, len(mine)


def _six(trial: Trial, params: Params, least: float) -> ReliableChangeResult:
    people = trial.compared
    both = people["treated"].nunique() == 2
    return reliable_change(
        people["b"], people["y"], cutoff=params.case_cutoff, least_change=least, better=params.better,
        arm=people["treated"].map({0.0: CONTROL, 1.0: PROGRAMME}) if both else None, arms=[CONTROL, PROGRAMME] if both else None,
        cluster=clustered(trial, people), n_boot=params.n_boot, seed=params.seed, conf_level=params.conf_level,
    )  # fmt: skip
