"""Sentences, checks and bias domains of a service that begins at a cut-off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mhlib.analyses.parts.outcome_cutoff_bound import bound_check, bound_light
from mhlib.analyses.parts.outcome_cutoff_checks import Looked
from mhlib.analyses.parts.outcome_cutoff_effect import Jump
from mhlib.analyses.parts.outcome_design import frozen
from mhlib.findings import Check, Count, Estimate, Light, Message, Refused, message
from mhlib.stats.effects import rdd_checks
from mhlib.stats.effects.discontinuity_refusals import LEAST_F

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

CLUSTER_WORDS = {"school_pid": message("schools"), "class_pid": message("classes")}


def sentences(found: Jump, params: Params, sd: float, source: Message) -> list[Message]:
    """Of whom the effect speaks, what the interval allows for, and what it is divided by."""
    said = [
        message("The effect is that on pupils whose score lies at the cut-off, whether or not they took part; of pupils with far "
                "higher scores it says nothing."),
        _interval_said(found),
        _bound_said(found, params),
        _errors_said(found),
        message("One standard deviation is {sd} points: {source}. The spread of those near the cut-off is cut short by the score "
                "and would make the effect look larger.", sd=Estimate(sd, len(found.screened)), source=source),
    ]  # fmt: skip
    if "error" not in found.sharp.refusals and found.sharp.robust is not None:
        said.append(message("The estimator for continuous scores stands beside it for comparison only: it takes whole points for a "
                            "continuous score."))  # fmt: skip
    unknown = int(found.measured["served"].isna().sum())
    if unknown:
        said.append(message("Whether they took part is not known of {n} pupils; they are left out of the effect on those served.",
                            n=Count(unknown)))  # fmt: skip
    return said


def _interval_said(found: Jump) -> Message:
    one = found.sharp.reduced_form
    if math.isnan(one.conf_low):
        return message("Too few units stand behind the jump at the cut-off for an interval: nothing can be concluded.")
    return message("At the cut-off the outcome changes by {jump} points; the interval allows for a bias of up to {bias} points from "
                   "lines that bend.", jump=Estimate(one.estimate, found.n_near, one.conf_low, one.conf_high),
                   bias=Estimate(one.max_bias, found.n_near))  # fmt: skip


def _bound_said(found: Jump, params: Params) -> Message:
    bound = Estimate(found.sharp.curvature, found.n_near, digits=3)
    if params.curvature is not None:
        return message("The plan states that, from one point of the score to the next, the slope changes by at most {bound}; the "
                       "interval is honest if that holds, which the data cannot prove.", bound=bound)  # fmt: skip
    return message("The plan states no bound on how fast the slope may change; the rule of thumb read from these data, {bound} a "
                   "point, takes its place and is no proof. State the parameter curvature beforehand.", bound=bound)  # fmt: skip


def _errors_said(found: Jump) -> Message:
    if found.cluster is None:
        return message(
            "No school or class is recorded: pupils are taken as independent, and the interval may be too narrow."
        )
    return message("Pupils are served by their own score; the errors allow for likeness within {units} ({n} of them).",
                   units=CLUSTER_WORDS.get(found.cluster, message("units")), n=found.sharp.n_clusters)  # fmt: skip


def own_checks(found: Jump) -> list[Check]:
    """Whether service kept to the cut-off, and what is known of the bound."""
    return [_kept_check(found), bound_check(found)]


def _kept_check(found: Jump) -> Check:
    name = message("Service kept to the cut-off")
    departed = int((found.screened["offered"] != found.screened["entitled"]).sum())
    if departed == 0:
        return Check(name, True, message("Everybody from the cut-off on was offered the service, and nobody below it."))
    return Check(name, False, message("{n} of {total} pupils screened were served against their score.", n=Count(departed),
                                      total=Count(len(found.screened))))  # fmt: skip


def domains(found: Jump, tests: Looked, params: Params) -> list[Light]:
    """Where a comparison at a cut-off may go wrong."""
    planned = frozen(params)
    return [
        _scores(tests, planned),
        _kept(found, planned),
        _alike(tests, planned),
        _losses(tests, planned),
        bound_light(found, planned=planned),
    ]


def _state(passed: list[bool | None]) -> str:
    if any(one is False for one in passed):
        return "bad"
    return "good" if passed and all(one is True for one in passed) else "watch"


def _scores(tests: Looked, planned: bool) -> Light:
    given = {
        name: one for name, one in (("density", tests.density), ("heaps", tests.heaps)) if not isinstance(one, Refused)
    }
    checks = rdd_checks(**given, cutoff=0.0)
    name, rule = message("Scores near the cut-off"), message("no bar at the cut-off beyond what its neighbours allow")
    if not checks:
        return Light(
            name, "unknown", message("The score takes no whole points, so its bars cannot be compared."), rule, planned
        )
    state = _state([one.passed for one in checks])
    said = {"good": message("Nothing shows that scores were pushed over the cut-off, or held below it."),
            "bad": message("Scores look pushed over the cut-off, or held below it: those on its two sides chose their side."),
            "watch": message("Whether scores were pushed over the cut-off cannot be told.")}[state]  # fmt: skip
    return Light(name, state, said, rule, planned)


def _kept(found: Jump, planned: bool) -> Light:
    name, rule = message("Cut-off and service"), message("whoever reaches the cut-off is served, and nobody else")
    if found.not_kept is not None:
        return Light(name, "bad", found.not_kept.why, rule, planned)
    if found.offer is None and found.uptake is None:
        return Light(name, "good", message("Service kept to the cut-off without exception."), rule, planned)
    weak = found.uptake is not None and found.uptake.f_statistic < LEAST_F
    said = (message("So few of those entitled took part that the effect on those served cannot be told.") if weak
            else message("Not everybody entitled took part, or some others did: the effect at the cut-off is that of being "
                         "entitled."))  # fmt: skip
    return Light(name, "watch", said, rule, planned)


def _alike(tests: Looked, planned: bool) -> Light:
    name, rule = message("Pupils on both sides"), message("nothing known before jumps at the cut-off (Holm)")
    found = next(iter(rdd_checks(covariates=tests.jumps)), None) if not isinstance(tests.jumps, Refused) else None
    if found is None or found.passed is None:
        return Light(
            name, "unknown", message("Nothing measured before could be compared at the cut-off."), rule, planned
        )
    said = (message("Nothing that was known of the pupils before jumps at the cut-off.") if found.passed
            else message("Pupils just below and just above the cut-off were not alike before."))  # fmt: skip
    return Light(name, "good" if found.passed else "bad", said, rule, planned)


def _losses(tests: Looked, planned: bool) -> Light:
    name, rule = message("Losses at the cut-off"), message("as many are measured just below as just above")
    if isinstance(tests.lost, Refused):
        if tests.lost.code == "nobody_lost":
            return Light(name, "good", tests.lost.why, rule, planned)
        return Light(name, "unknown", tests.lost.why, rule, planned)
    p = float(tests.lost.table["p_value"].iloc[0]) if len(tests.lost.table) else math.nan
    if math.isnan(p):
        return Light(name, "unknown", message("Whether losses jump at the cut-off cannot be told."), rule, planned)
    if p <= 1 - tests.lost.conf_level:
        return Light(
            name,
            "bad",
            message("The share not measured jumps at the cut-off: those measured are not alike."),
            rule,
            planned,
        )
    return Light(name, "good", message("No jump of the share not measured is shown at the cut-off."), rule, planned)
