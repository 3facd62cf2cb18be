"""Whom the certificates reach: what is claimed and what is counted, for whom, for how long, and over the next terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mhlib.analyses.parts import training_reach_audit as audit
from mhlib.analyses.parts import training_reach_forecast as ahead
from mhlib.analyses.parts import training_reach_groups as groups
from mhlib.analyses.parts import training_reach_time as time
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_reach_registers import Registers, day_of, flows_refusal, registers_of
from mhlib.findings import Check, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params


LISTS = ("lights", "reading", "time_reading", "forecast_reading", "checks")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReachSection:
    """Certificates at the day of the report, their reach, what becomes of them, and the terms ahead.

    `missing` and `composition` speak of the certificate that most hold; `pupils` and `schools_without` of the rarer one.
    """

    claims: Drawn | Refused
    audit: Drawn | Refused
    coverage: Drawn | Refused
    trend: Drawn | Refused
    trend_curve: Drawn | Refused
    groups: Drawn | Refused
    groups_figure: Drawn | Refused
    equity: Drawn | Refused
    missing: Drawn | Refused
    composition: Drawn | Refused
    pupils: Drawn | Refused
    schools_without: Drawn | Refused
    curves: Drawn | Refused
    incidence: Drawn | Refused
    renewal: Drawn | Refused
    leaving: Drawn | Refused
    forecast: Drawn | Refused
    forecast_curve: Drawn | Refused
    lights: list[Light]
    reading: list[Message]
    time_reading: list[Message]
    forecast_reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> ReachSection:
    """Everything on certificates; each part refuses by itself."""
    registers = registers_of(training, params)
    if isinstance(registers, Refused):
        return _nothing(registers, params)
    trend = time.trend(registers, params)
    schools = groups.school_counts(registers, training, params)
    by_group, future = groups.groups(registers, params), ahead.forecast(registers, params)
    return ReachSection(
        claims=audit.claims(registers, params), audit=audit.audit(registers, params),
        coverage=audit.coverage(registers, params, day_of(params.as_of)), trend=_without(trend, "x"),
        trend_curve=time.trend_curve(trend, registers.broad), groups=by_group,
        groups_figure=groups.figure_of(by_group, registers.broad), equity=groups.equity(registers, params),
        missing=groups.missing(registers, params), composition=groups.composition(registers, params),
        pupils=groups.pupils(registers, schools, params), schools_without=groups.schools_without(registers, schools, params),
        **_over_time(registers, params), forecast=ahead.forecast_table(future),
        forecast_curve=ahead.forecast_curve(future, registers.broad, registers, params), lights=audit.lights(registers, params),
        reading=audit.reading(registers, params), forecast_reading=[*ahead.reading(future), *getattr(future, "lacking", ())],
        checks=audit.checks(registers, params),
    )  # fmt: skip


def coverage_at(training: Training, params: Params, day: date) -> Drawn | Refused:
    """Share of those in post with a valid certificate on any day.

    Parameters
    ----------
    day : date
        Before the first recorded day it speaks of those who stayed; a refusal then.
    """
    registers = registers_of(training, params)
    if isinstance(registers, Refused):
        return registers
    first, on = registers.recorded_from, day_of(day)
    if first is not None and on < first:
        return Refused("before_records", message("Before {day} departures were not recorded: only those who stayed would be counted.",
                                                 day=f"{first:%Y-%m-%d}"), message("Departures of earlier years."))  # fmt: skip
    if on > day_of(params.as_of):
        return Refused("after_report", message("The registers speak up to the day of the report; what comes after is a forecast."),
                       message("Nothing."))  # fmt: skip
    return audit.coverage(registers, params, on)


def _over_time(registers: Registers, params: Params) -> dict[str, object]:
    """Curves, their table, renewals and leaving, with one set of spells."""
    if refused := flows_refusal(registers):
        return {"curves": refused, "incidence": refused, "renewal": refused, "leaving": refused, "time_reading": []}
    rows, lost = time.spells(registers, params)
    table, lacking = time.curves_of(registers, rows, params)
    found = {"renewal": time.ended(registers, rows, params), "leaving": time.leaving(registers, rows, params),
             "time_reading": [*time.reading(rows, lost, registers, params), *lacking]}  # fmt: skip
    if table.empty:
        happened = bool((rows["event"] != "").any())
        none = time.few_ends() if happened else time.nothing_happened(registers, params)
        return found | {"curves": none, "incidence": none}
    shown = Drawn(table=time.at_years(table), lacking=tuple(lacking))
    return found | {"curves": time.curves(table, lacking), "incidence": shown}


def _without(found: Drawn | Refused, *columns: str) -> Drawn | Refused:
    return (
        found
        if isinstance(found, Refused)
        else Drawn(table=found.table.drop(columns=list(columns)), lacking=found.lacking)
    )


def _nothing(refused: Refused, params: Params) -> ReachSection:
    """Every part refused; claims without registers are unknown, not met."""
    drawn = [name for name in ReachSection.__slots__ if name not in LISTS]
    lights = [Light(audit.light_name(level), "unknown", refused.why, audit.RULE, True) for level in params.claimed]
    return ReachSection(**dict.fromkeys(drawn, refused), **{name: [] for name in LISTS} | {"lights": lights})
