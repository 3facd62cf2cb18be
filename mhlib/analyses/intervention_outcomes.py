"""Did pupils get better because of the programme, how sure are we, and for whom?

Design      School- or class-randomised trial, wait-list, stepped wedge, staggered roll-out, service by a cut-off,
            matched comparison, uncontrolled before-after, or a panel of units; the design is declared, and every
            section asks what it allows.
Estimand    Intention to treat: the difference between the arms as allocated, at the primary occasion, averaged over
            pupils or over schools as the plan says; in service by a cut-off the difference at the cut-off.
Assumptions Randomised: none beyond those of missing data. Roll-out: parallel trends without the programme. Cut-off:
            nothing but the service jumps at the cut-off. Matched: everything that decides on the programme and the
            outcome is measured. Before-after: none that could be believed; no effect is given.
References  Pustejovsky & Tipton (2018) J Bus Econ Stat 36:672. White & Thompson (2005) Stat Med 24:993. Hedges (2007)
            J Educ Behav Stat 32:341. Callaway & Sant'Anna (2021) J Econometrics 225:200. Kolesar & Rothe (2018) AER
            108:2277. Jacobson & Truax (1991) J Consult Clin Psychol 59:12. CONSORT-cluster 2012, BMJ 345:e5661.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from mhlib.analyses.parts import (
    consort,
    outcome_answer,
    outcome_change,
    outcome_checks,
    outcome_comparison,
    outcome_cost,
    outcome_cutoff,
    outcome_design,
    outcome_dose,
    outcome_flow,
    outcome_groups,
    outcome_harms,
    outcome_hidden,
    outcome_matched,
    outcome_missing,
    outcome_power,
    outcome_primary,
    outcome_rollout,
    outcome_rtm,
    outcome_secondary,
    outcome_series,
    outcome_start,
    outcome_verdict,
    outcome_wedge,
)
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial, trial_of
from mhlib.data.sources import open_source
from mhlib.data.totals import totalled
from mhlib.data.trial import load_trial
from mhlib.findings import Check, Light, Message, Refused, Reported
from mhlib.params import BaseParams, agreeing

REQUIRED = (
    "answer",
    "lights",
    "estimand",
    "flow_steps",
    "checks",
    "estimate",
    "inference",
    "multiverse",
    "harms",
    "checklist",
    "provenance",
)

SHARE, PUPILS, POINTS = {"unit": "proportion"}, {"unit": "pupils"}, {"unit": "points"}
YUAN, SDS = {"unit": "yuan"}, {"unit": "SD"}
DESIGNS = Literal["school_rct", "class_rct", "pupil_rct", "wait_list", "stepped_wedge", "staggered", "above_cutoff", "matched",
                  "before_after", "panel", "time_series"]  # fmt: skip
UNITS = Literal["pupil_pid", "class_pid", "school_pid", "unit"]


# fmt: off
class Params(BaseParams):
    """What one run of this evaluation needs to know."""

    design: DESIGNS = Field(description="how it was decided who is served, and when")
    allocated: UNITS = Field(description="what was allocated: pupils, classes or schools")
    arms: list[str] = Field(["control", "intervention"], min_length=1, description="the control first; the second is compared with it")
    tables: dict[str, str] = Field({}, description="role: table name, where the source holds several tables")
    where: dict[str, bool | int | float | str | list[str]] = Field({}, description="column of the source: value of the rows to keep")
    occasions: dict[str, str] = Field({}, description="occasion: column (a city's table: its own name), in the order of time")
    baseline: str = Field("", description="occasion before the programme; empty for none")
    primary: str = Field("", description="occasion of the primary outcome")
    outcome: str = Field(description="name of the outcome, as the plan has it")
    outcome_low: float | None = Field(None, description="lowest possible score", json_schema_extra=POINTS)
    outcome_high: float | None = Field(None, description="highest possible score", json_schema_extra=POINTS)
    better: Literal["lower", "higher"] = Field("lower", description="which direction of the outcome is better")
    estimand: Literal["pupil", "school"] = Field("pupil", description="averaged over pupils or over schools")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="size of the primary test, 1 - conf_level", json_schema_extra=SHARE,
                         validate_default=True)
    planned_on: str = Field("", description="day the plan was frozen, year-month-day; empty: everything is exploratory")
    plan_sha256: str = Field("", pattern=r"^([0-9a-f]{16}|[0-9a-f]{64})?$",
                             description="checksum of the plan as registered; another one makes everything exploratory")
    registered: str = Field("", description="where the plan is registered")
    deviations: list[str] = Field([], description="what was done otherwise than planned, a sentence each")
    programme: dict[str, str] = Field({}, description="what was done, by whom, how often (TIDieR), as it is to be printed")
    cluster: str = Field("", description="column of the clusters behind every interval; empty: what was allocated")
    levels: list[str] = Field([], description="columns of the nesting in the mixed model, the widest first")
    stratum: str = Field("", description="column of the strata of the allocation; empty for none")
    covariates: list[str] = Field([], description="columns adjusted for, fixed beforehand")
    subgroups: list[str] = Field([], description="columns of the subgroups named beforehand")
    later: list[str] = Field([], description="occasions after the primary one")
    screened: bool = Field(False, description="whether those served were chosen by a high score")
    reliability: float | None = Field(None, gt=0, lt=1, description="retest reliability of the outcome; null: from the controls")
    case_cutoff: float | None = Field(None, description="score from which a pupil counts as a case", json_schema_extra=POINTS)
    margin: float = Field(0.10, gt=0, description="smallest effect that would matter", json_schema_extra=SDS)
    reference_sd: float | None = Field(None, gt=0, description="SD among unselected peers", json_schema_extra=POINTS)
    planned_clusters: int | None = Field(None, ge=3, description="clusters that the plan foresaw")
    planned_pupils: float | None = Field(None, gt=0, description="pupils a cluster that the plan foresaw", json_schema_extra=PUPILS)
    planned_icc: float | None = Field(None, ge=0, lt=1, description="intraclass correlation supposed", json_schema_extra=SHARE)
    planned_r2: float = Field(0.0, ge=0, lt=1, description="variance explained by the baseline, as supposed", json_schema_extra=SHARE)
    cost_per_pupil: float | None = Field(None, ge=0, description="of the programme, a pupil served", json_schema_extra=YUAN)
    cost_per_session: float | None = Field(None, ge=0, description="of one session", json_schema_extra=YUAN)
    prices: list[float] = Field([], description="what a reliable recovery might be worth", json_schema_extra=YUAN)
    next_schools: int = Field(40, ge=4, description="schools of the next roll-out, for its plan")
    next_pupils: float = Field(100, gt=0, description="pupils a school of the next roll-out", json_schema_extra=PUPILS)
    curvature: float | None = Field(None, gt=0, description="largest second derivative of outcome over score, from the plan")
    season: int | None = Field(None, ge=2, description="times in a cycle of the seasons, in a time series; null for none")
    attended_from: float = Field(1, gt=0, description="sessions from which a pupil counts as having taken part")
    n_imputations: int = Field(50, ge=5, description="imputed data sets")
    n_boot: int = Field(1000, ge=100, description="resamples behind bootstrap intervals")
# fmt: on

    @field_validator("alpha")
    @classmethod
    def _as_the_intervals(cls, alpha: float, info: ValidationInfo) -> float:
        """A two-sided test of size alpha and an interval of another coverage could contradict each other."""
        return agreeing(alpha, info.data.get("conf_level"))


def load(params: Params) -> Trial:
    """Read the outcomes and mark who is compared with whom."""
    source = totalled(open_source(params.source), occasions=params.occasions, columns=params.columns,
                      answers=params.values.get("items", {}), arm=params.arms[0])  # fmt: skip
    data = load_trial(
        source, design=params.design, occasions=params.occasions, columns=params.columns,
        values=params.values, where=params.where, tables=params.tables, unit=params.allocated,
        covariates=[name for name in params.covariates if name not in params.columns],
    )  # fmt: skip
    return trial_of(data, params)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomesResult:
    """Every section of the report, in its order; a section that cannot be estimated is a :class:`Refused`."""

    design: outcome_design.DesignSection
    flow: outcome_flow.FlowSection
    balance: Drawn | Refused
    start_units: Drawn | Refused
    start_figure: Drawn | Refused
    start_reading: list[Message]
    power: outcome_power.PowerSection
    effect: Effect | Refused
    strength: str
    primary: outcome_primary.PrimarySection
    cutoff: outcome_cutoff.CutoffSection
    rollout: outcome_rollout.RolloutSection
    wedge: outcome_wedge.WedgeSection
    series: outcome_series.SeriesSection
    matched: outcome_matched.MatchedSection
    secondary: outcome_secondary.SecondarySection
    groups: outcome_groups.GroupsSection
    missing: outcome_missing.MissingSection
    hidden: outcome_hidden.HiddenSection
    change: outcome_change.ChangeSection
    rtm: outcome_rtm.RtmSection
    dose: outcome_dose.DoseSection
    harms: outcome_harms.HarmsSection
    cost: outcome_cost.CostSection


def plan_checksum(params: Params) -> str:
    """First digits of the checksum of the plan as it stands, to be written as `plan_sha256` (in quotes) on the day it is frozen.

    python -c "from mhlib.analyses import intervention_outcomes as io; import sys;
    print(io.plan_checksum(io.Params.from_file(sys.argv[1])))" params/demo/intervention_outcomes.yml
    """
    return outcome_design.plan_checksum(params)[: outcome_design.SHOWN_DIGITS]


def check(data: Trial, params: Params) -> list[Check]:
    """What should hold before the estimates are believed."""
    return outcome_checks.of_trial(data, params)


def estimate(data: Trial, params: Params) -> OutcomesResult:
    """Every section of the report."""
    found = outcome_comparison.compared(data, params)
    flow = outcome_flow.section(data, params)
    declared = outcome_design.section(data, params)
    design = outcome_design.settled(declared, data, found.effect, threatened=found.threatened)
    checks = [*check(data, params), *found.checks]
    return OutcomesResult(
        design=design, flow=flow, balance=outcome_start.table(data, params), start_figure=outcome_start.figure(data, params),
        start_units=outcome_start.units_table(data, params), start_reading=outcome_start.reading(data, params),
        power=outcome_power.section(data, params, flow, checks, found.effect), effect=found.effect,
        strength=design.strength, primary=found.primary, cutoff=found.cutoff,
        rollout=found.rollout, wedge=found.wedge, series=found.series,
        matched=found.matched,
        secondary=outcome_secondary.section(data, params), groups=outcome_groups.section(data, params),
        missing=outcome_missing.section(data, params), hidden=outcome_hidden.section(data, params, found.effect),
        change=outcome_change.section(data, params), rtm=outcome_rtm.section(data, params), dose=outcome_dose.section(data, params),
        harms=outcome_harms.section(data, params), cost=outcome_cost.section(data, params),
    )  # fmt: skip


def sensitivity(data: Trial, params: Params) -> Drawn | Refused:
    """Every other way in which the primary effect could have been computed."""
    return outcome_comparison.compared(data, params).variants


def answer(result: OutcomesResult, params: Params) -> list[Message]:
    """The report's first paragraph, sentence by sentence."""
    return outcome_answer.sentences(result, params)


def lights(result: OutcomesResult, params: Params) -> list[Light]:
    """The verdict line by line."""
    return outcome_verdict.lights(result, params)


def allocations(data: Trial, params: Params) -> pd.DataFrame | Refused:
    """The seeded list of lots for the next term; for the bureau only."""
    return outcome_power.allocation_list(data, params)


def checklist(data: Trial) -> list[Reported]:
    """CONSORT for clusters, or TREND."""
    return consort.checklist(randomised=data.randomised)
