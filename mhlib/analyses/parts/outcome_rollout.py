"""A programme that units begin at different times: its effect by start and time, and what the trends before can say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhlib.analyses.parts import outcome_rollout_beside as beside
from mhlib.analyses.parts import outcome_rollout_effect as effects
from mhlib.analyses.parts import outcome_rollout_panel as dosed
from mhlib.analyses.parts import outcome_rollout_said as said
from mhlib.analyses.parts import outcome_rollout_schools as schools
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_rollout_rows import Rollout, rollout, stated_before
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial, other_design
from mhlib.findings import Check, Light, Message, Refused
from mhlib.stats.effects import effect_size_check

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

DESIGNS = ("staggered", "panel")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RolloutSection:
    """What a roll-out shows; each part may be a refusal."""

    effect: Effect | Refused
    estimate: Drawn | Refused
    cohorts: Drawn | Refused
    event: Drawn | Refused
    event_table: Drawn | Refused
    groups: Drawn | Refused
    aggregates: Drawn | Refused
    estimators: Drawn | Refused
    two_by_two: Drawn | Refused
    bacon: Drawn | Refused
    pretrend: Drawn | Refused
    pretrend_power: Drawn | Refused
    honest: Drawn | Refused
    reading: list[Message]
    domains: list[Light]
    checks: list[Check]


FORBIDDEN = "Forbidden comparisons in the two-way estimate"
PARTS = ("effect", "estimate", "cohorts", "event", "event_table", "groups", "aggregates", "estimators", "two_by_two", "bacon",
         "pretrend", "pretrend_power", "honest")  # fmt: skip


def section(trial: Trial, params: Params) -> RolloutSection:
    """Group-time effects where every unit has one start, two-way fixed effects of a dose where it has none."""
    if trial.design not in DESIGNS:
        return _nothing(other_design())
    found = rollout(trial, params)
    if isinstance(found, Refused):
        return _nothing(found)
    return _of_starts(trial, params, found) if found.absorbing else _of_doses(params, found)


def _nothing(refused: Refused) -> RolloutSection:
    return RolloutSection(**dict.fromkeys(PARTS, refused), reading=[], domains=[], checks=[])


def _of_starts(trial: Trial, params: Params, found: Rollout) -> RolloutSection:
    has = schools.estimated(found, params)
    effect = effects.of_starts(trial, params, has)
    tested = schools.pretrend(has)
    return RolloutSection(
        effect=effect,
        estimate=effects.table(effect, has),
        cohorts=schools.cohorts(has),
        event=schools.event(has),
        event_table=in_numbers(schools.event(has)),
        groups=schools.groups(has),
        aggregates=schools.aggregates(has),
        estimators=beside.estimators(has, params),
        two_by_two=beside.two_by_two(found, params),
        bacon=beside.bacon(has),
        pretrend=tested,
        pretrend_power=schools.pretrend_power(has),
        honest=schools.honest(has),
        reading=said.reading(has),
        domains=said.domains(has, tested, params.alpha),
        checks=_checks(has, effect),
    )


def _of_doses(params: Params, found: Rollout) -> RolloutSection:
    has = dosed.fitted(found, params)
    tested, unfit = dosed.pretrend(has), dosed.one_start_each()
    return RolloutSection(
        effect=effects.of_doses(has),
        estimate=dosed.estimate(has, params.seed),
        cohorts=dosed.cohorts(has),
        event=dosed.event(has),
        event_table=in_numbers(dosed.event(has)),
        groups=unfit,
        aggregates=unfit,
        estimators=dosed.estimators(has),
        two_by_two=unfit,
        bacon=dosed.bacon(has),
        pretrend=tested,
        pretrend_power=unfit,
        honest=unfit,
        reading=dosed.reading(has),
        domains=said.dose_domains(has, tested, params.alpha),
        checks=dosed.checks(has, tested, params.alpha),
    )


def in_numbers(figure: Drawn | Refused) -> Drawn | Refused:
    """The estimates of the figure by time, without its base and its line of no effect."""
    if isinstance(figure, Refused):
        return figure
    table = figure.table[figure.table["df"].notna()].rename(
        columns={"y": "estimate", "low": "conf_low", "high": "conf_high"}
    )
    return Drawn(
        table=table[["group", "since_start", "estimate", "conf_low", "conf_high", "df", "n_used"]].reset_index(
            drop=True
        )
    )


def _checks(has: schools.Staggered, effect: Effect | Refused) -> list[Check]:
    if isinstance(has.main, Refused):
        return []
    # The two-way estimate is not the plan's; its forbidden comparisons are told in the reading and in its own table.
    found = [check for check in has.main.checks if check.name.template != FORBIDDEN] + stated_before(has.rollout)
    if not isinstance(has.study, Refused):
        found += has.study.checks
    if not isinstance(effect, Refused) and not math.isnan(effect.g):
        found.append(effect_size_check(effect.g, n_used=effect.n_used))
    return found
