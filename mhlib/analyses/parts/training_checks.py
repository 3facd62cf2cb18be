"""What should hold of a training's data before its result is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts import training_design, training_flow
from mhlib.analyses.parts.sections import tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_effect import effect_at, repeated
from mhlib.analyses.parts.training_learning import comparison_refusal
from mhlib.analyses.parts.training_names import measure_name
from mhlib.analyses.parts.training_tests import ceiling, ceiling_checks
from mhlib.findings import Check, Count, Refused, message
from mhlib.stats.effects import cluster_check, effect_size_check, score_range_check

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Deviations beyond which no adjustment makes arms alike (WWC 2020).
FAR = 0.25


def of_training(training: Training, params: Params) -> list[Check]:
    """Range of every measure, units and sites, losses, likeness at the start, room to rise, size, the model of the waves."""
    people = training.teachers[training.teachers["treated"].notna()]
    found = [_ranges(training, params), *training_design.section(training, params).checks]
    if training.cluster != "teacher_pid":
        clusters = cluster_check(people[training.cluster], n=len(people))
        found += [clusters] if isinstance(clusters, Check) else []
    found += [*training_flow.section(training, params).checks, _moved(training)]
    found += ceiling_checks(ceiling(training, params), params)
    if comparison_refusal(training) is None:
        found += _of_comparison(training, params)
    return found


def _ranges(training: Training, params: Params) -> Check:
    """Scores outside what a test allows, over all measures with a stated range."""
    wrong = []
    for measure, (low, high) in params.ranges.items():
        scores = training.teachers[[f"{measure}_{name}" for name in training.data.occasions]].to_numpy().ravel()
        if score_range_check(scores, lowest=low, highest=high).passed is False:
            wrong.append(measure)
    name = message("Every score lies within its range")
    if not params.ranges:
        return Check(name, None, message("The range of no measure is stated."))
    if wrong:
        return Check(name, False, message("{n} of {all} measures have scores outside, the first is: {measure}.", n=len(wrong),
                                          all=len(params.ranges), measure=measure_name(wrong[0])))  # fmt: skip
    return Check(name, True, message("All {all} measures were looked at.", all=len(params.ranges)))


def _moved(training: Training) -> Check:
    n = training.data.moved
    said = message("{n} teachers were tested in more than one school; the school of the first test stands.",
                   n=Count(n) if n else 0)  # fmt: skip
    return Check(message("Teachers stayed in their school"), n == 0, said)


def _of_comparison(training: Training, params: Params) -> list[Check]:
    found = [_alike(training)]
    effect = tried(effect_at, training, params, training.measure, training.primary)
    if not isinstance(effect, Refused):
        found.append(effect_size_check(effect.g, n_used=effect.n_used))
    if training.has_baseline:
        fit = tried(repeated, training, params)
        found += [] if isinstance(fit, Refused) else [fit.check]
    return found


def _alike(training: Training) -> Check:
    """Standardised difference of the arms before the training, in every measure."""
    name = message("The arms knew alike at the start")
    if not training.has_baseline:
        return Check(name, None, message("Teachers were not tested before the training."))
    arms = training.teachers.groupby("treated")
    far = 0
    for measure in training.data.measures:
        means = arms[f"{measure}_{training.baseline}"].mean()
        far += abs(means[1.0] - means[0.0]) > FAR * training.sd_of(measure)
    return Check(
        name, far == 0, message("{n} measures differ by more than a quarter of a standard deviation.", n=int(far))
    )
