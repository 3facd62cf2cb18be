"""Did teachers learn, keep it and use it, and did the referral of pupils get better?

Design      Wait-list, school- or teacher-randomised training, matched comparison, or before-after without comparison.
Estimand    Intention to treat: the difference between the arms as allocated, at the primary occasion and at follow-up,
            in points and in standard deviations before the training; what is kept as follow-up gain over post gain.
Assumptions Randomised: none beyond those of missing tests (missing at random given the tests that were taken). Matched:
            everything that decides on training and score is measured. Before-after: none that could be believed.
References  Pustejovsky & Tipton (2018) J Bus Econ Stat 36:672. Fieller (1954) JRSS-B 16:175. Kirkpatrick & Kirkpatrick
            (2006) Evaluating Training Programs. Lord (1975) J Educ Meas 12:7. WWC (2020) Standards Handbook 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator

from mhlib.analyses.parts import (
    training_answer,
    training_behaviour,
    training_burden,
    training_cascade,
    training_checklist,
    training_checks,
    training_cost,
    training_design,
    training_flow,
    training_learning,
    training_pupils,
    training_reach,
    training_skill,
    training_verdict,
)
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training, training_of
from mhlib.data.sources import open_source
from mhlib.data.training import load_training
from mhlib.errors import ParamsError
from mhlib.findings import Check, Light, Message, Refused, Reported
from mhlib.params import BaseParams, agreeing

REQUIRED = ("answer", "lights", "estimand", "flow_steps", "dropped", "checks", "estimate", "learning_kept", "multiverse", "checklist",
            "provenance")  # fmt: skip

SHARE, POINTS, SDS = {"unit": "proportion"}, {"unit": "points"}, {"unit": "SD"}
YUAN, HOURS, MONTHS = {"unit": "yuan"}, {"unit": "hours"}, {"unit": "months"}
DESIGNS = Literal["wait_list", "school_rct", "teacher_rct", "matched", "before_after"]
UNITS = Literal["school_pid", "teacher_pid"]


# fmt: off
class Params(BaseParams):
    """What one run of this evaluation needs to know."""

    design: DESIGNS = Field(description="how it was decided who is trained, and when")
    assignment_unit: UNITS = Field(description="what was allocated: schools or teachers")
    block: str = Field("", description="column of the blocks within which lots were drawn; empty for none")
    arms: list[str] = Field(["wait_list", "training"], min_length=1, description="the comparison first; one arm alone: the trained")
    tables: dict[str, str] = Field({}, description="contract name: table name, where the source names it otherwise")
    where: dict[str, bool | int | float | str | list[str]] = Field({}, description="column of the source: value of the rows to keep")
    occasions: dict[str, str] = Field(min_length=1, description="occasion: the source's name of it, in the order of time")
    baseline: str = Field("", description="occasion before the training; empty for none")
    primary: str = Field(description="occasion of the primary result, after the training")
    follow_up: str = Field("", description="later occasion at which the comparison is still untrained; empty for none")
    months: dict[str, float] = Field({}, description="occasion: months since the training ended", json_schema_extra=MONTHS)
    primary_measure: str = Field(description="measure of the primary result, as the plan has it")
    measures: list[str] = Field(min_length=1, description="measures of the tests, the primary one among them")
    ranges: dict[str, list[float]] = Field({}, description="measure: lowest and highest possible score", json_schema_extra=POINTS)
    lower_is_better: list[str] = Field([], description="measures of which less is better")
    items: dict[str, list[str]] = Field({}, description="occasion: columns of the knowledge items, 1 right, 0 wrong")
    options: list[int] = Field([], description="answers to choose from, one number for all items or one an item")
    estimand: Literal["teacher", "school"] = Field("teacher", description="averaged over teachers or over schools")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="size of the primary test, 1 - conf_level", json_schema_extra=SHARE,
                         validate_default=True)
    planned_on: str = Field("", description="day the plan was frozen, year-month-day; empty: everything is exploratory")
    registered: str = Field("", description="where the plan is registered")
    deviations: list[str] = Field([], description="what was done otherwise than planned, a sentence each")
    programme: dict[str, str] = Field({}, description="what was taught, by whom, how long (TIDieR), as it is to be printed")
    cluster: str = Field("", description="column of the clusters behind every interval; empty: what was allocated")
    levels: list[str] = Field([], description="columns of the nesting above the teacher in the mixed model, the widest first")
    covariates: list[str] = Field([], description="columns adjusted for, fixed beforehand")
    margin: float = Field(0.20, gt=0, description="smallest gain that would matter", json_schema_extra=SDS)
    kept_from: float = Field(0.50, gt=0, le=1, description="share of the gain that has to be kept", json_schema_extra=SHARE)
    ceiling_from: float = Field(0.15, gt=0, lt=1, description="share at the best score: the test is too easy", json_schema_extra=SHARE)
    tier: str = Field("tier", description="column of the tier of the cascade; empty for none")
    tiers: list[str] = Field(["city", "town", "school", "class"], description="tiers of the cascade, from the top")
    confidence: str = Field("", description="measure of confidence; empty for none")
    competence: str = Field("", description="measure of competence that confidence is compared with; empty for none")
    claimed: dict[str, int] = Field({}, description="level of certificate: holders that the programme claims")
    certificate_years: float = Field(8, gt=0, description="years that a certificate holds, where the source does not say")
    forecast_terms: int = Field(4, ge=1, le=12, description="terms ahead for which certificates are forecast")
    named_from_wave: int | None = Field(None, ge=2, description="first screening wave after the training; null: unknown")
    cutoff: int | None = Field(None, description="score from which a pupil is screen-positive", json_schema_extra=POINTS)
    cost_per_teacher: float | None = Field(None, ge=0, description="a teacher, beside the events' own cost", json_schema_extra=YUAN)
    hourly_wage: float | None = Field(None, ge=0, description="of a teacher's hour spent in training", json_schema_extra=YUAN)
    hours: float | None = Field(None, ge=0, description="of training a teacher, if the source is silent", json_schema_extra=HOURS)
    prices: list[float] = Field([], description="what one more pupil rightly referred might be worth", json_schema_extra=YUAN)
    n_boot: int = Field(1000, ge=100, description="resamples behind bootstrap intervals")

    @field_validator("alpha")
    @classmethod
    def _as_the_intervals(cls, alpha: float, info: ValidationInfo) -> float:
        """A two-sided test of size alpha and an interval of another coverage could contradict each other."""
        return agreeing(alpha, info.data.get("conf_level"))

    @classmethod
    def from_mapping(cls, given: Mapping[str, object], *, where: str) -> Self:
        """Validated parameters; ParamsError too where an occasion or measure is meant that is not declared."""
        params = super().from_mapping(given, where=where)
        if problems := params.undeclared():
            raise ParamsError.of_many(where, problems)
        return params

    def undeclared(self) -> list[str]:
        """What is referred to and not declared, in words."""
        occasions = [name for name in (self.baseline, self.primary, self.follow_up, *self.months, *self.items) if name]
        measures = [self.primary_measure, *self.ranges, *self.lower_is_better, self.confidence, self.competence]
        problems = [f"occasion {name} is not among occasions" for name in sorted(set(occasions) - set(self.occasions))]
        problems += [f"measure {name} is not among measures" for name in sorted({one for one in measures if one} - set(self.measures))]
        return problems + [f"ranges: {name} must be the lowest and the highest score" for name, ends in self.ranges.items()
                           if len(ends) != 2 or ends[0] >= ends[1]]
# fmt: on


def load(params: Params) -> Training:
    """Read the scores and mark who is compared with whom."""
    data = load_training(
        open_source(params.source), measures=params.measures, occasions=params.occasions, columns=params.columns,
        values=params.values, where=params.where, tables=params.tables, items=params.items, unit=params.assignment_unit,
        covariates=[name for name in params.covariates if name not in params.columns],
    )  # fmt: skip
    return training_of(data, params)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingResult:
    """Every section of the report, in its order; a section that cannot be estimated is a :class:`Refused`."""

    design: training_design.DesignSection
    flow: training_flow.FlowSection
    learning: training_learning.LearningSection
    skill: training_skill.SkillSection
    cascade: training_cascade.CascadeSection
    behaviour: training_behaviour.BehaviourSection
    pupils: training_pupils.PupilsSection
    reach: training_reach.ReachSection
    burden: training_burden.BurdenSection
    cost: training_cost.CostSection


def check(data: Training, params: Params) -> list[Check]:
    """What should hold before the result is believed."""
    return training_checks.of_training(data, params)


def estimate(data: Training, params: Params) -> TrainingResult:
    """Every section of the report."""
    behaviour = training_behaviour.section(data, params)
    return TrainingResult(
        design=training_design.section(data, params), flow=training_flow.section(data, params),
        learning=training_learning.section(data, params), skill=training_skill.section(data, params),
        cascade=training_cascade.section(data, params), behaviour=behaviour, pupils=training_pupils.section(data, params),
        reach=training_reach.section(data, params), burden=training_burden.section(data, params),
        cost=training_cost.section(data, params, behaviour),
    )  # fmt: skip


def sensitivity(data: Training, params: Params) -> Drawn | Refused:
    """Every other way in which the primary result could have been computed."""
    return training_learning.multiverse(data, params)


def answer(result: TrainingResult, params: Params) -> list[Message]:
    """The report's first paragraph, sentence by sentence."""
    return training_answer.sentences(result, params)


def lights(result: TrainingResult, params: Params) -> list[Light]:
    """The verdict line by line."""
    return training_verdict.lights(result, params)


def grades(result: TrainingResult, params: Params) -> Drawn:
    """Finding and evidence grade of each level, with what lowered it."""
    return training_verdict.grades(result, params)


def next_actions(result: TrainingResult) -> list[Message]:
    """Next steps, without a ranking of schools or teachers."""
    return training_answer.next_actions(result)


def checklist(data: Training) -> list[Reported]:
    """CONSORT for clusters, or TREND, with what a report on a training must add."""
    return training_checklist.checklist(randomised=data.randomised, levels=True)
