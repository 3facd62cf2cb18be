"""Does the screen measure what it claims, equally for all, and where should its cut-off stand?

Design      A cross-section of everyone screened in one wave; a reference interview of all of them, of a sample drawn
            in two phases, or of the positives only. A second wave for stability, an earlier one for the risk model.
Estimand    Reliability and structure of the sum score; sensitivity, specificity, predictive values and area under the
            curve of the score against the interview, among everyone screened, over all and in named groups.
Assumptions Among screen-positives and among screen-negatives, who was interviewed does not depend on being a case
            (Begg & Greenes 1983), or was drawn with the stated chance. The interview is taken as true; the section on
            errors of the interview shows what follows if it is not.
References  Begg & Greenes (1983) Biometrics 39:207. DeLong et al. (1988) Biometrics 44:837. Obuchowski (1997)
            Biometrics 53:567. Cronin & Vickers (2008) BMC Med Res Methodol 8:75. Green & Yang (2009) Psychometrika
            74:155. Wu & Estabrook (2016) Psychometrika 81:1014. STARD 2015, BMJ 351:h5527.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field

from mhlib.analyses.parts import (
    checks,
    item_checks,
    screening_accuracy,
    screening_answer,
    screening_bias,
    screening_cards,
    screening_carried,
    screening_cutoffs,
    screening_fairness,
    screening_irt,
    screening_items,
    screening_places,
    screening_quality,
    screening_reliability,
    screening_same_meaning,
    screening_structure,
    screening_utility,
    screening_verdict,
    screening_yield,
    stard,
    trap_checks,
    verification_sample,
)
from mhlib.analyses.parts.screened import Companions, Screened
from mhlib.analyses.parts.sections import (
    Drawn,
    Listed,
    without_cutoff,
)
from mhlib.data.companions import other_references, other_scores, second_occasion
from mhlib.data.dictionary import dictionary_frame
from mhlib.data.scales import scale
from mhlib.data.scoring import keyed_items, positive, score
from mhlib.data.screening import load_screening
from mhlib.data.sources import open_source
from mhlib.data.tables.screening import SCREENING
from mhlib.findings import Check, Count, Light, Message, Refused, Reported, message
from mhlib.params import BaseParams
from mhlib.stats.accuracy import (
    CarriedValues,
    TwoByTwo,
    VerificationCorrected,
    VerificationCounts,
    VerificationPlan,
    false_negatives_check,
)
from mhlib.stats.monitoring import ProportionResult, proportion

REQUIRED = (
    "answer", "lights", "flow", "instrument", "checks", "missing", "careless", "items", "reliability", "structure", "steps",
    "naive", "corrected", "auc", "roc", "methods", "studio", "calibration", "fairness", "yield", "plan", "sensitivity",
    "checklist", "provenance",
)  # fmt: skip


SHARE, PUPILS, POINTS = {"unit": "proportion"}, {"unit": "pupils"}, {"unit": "points"}
YUAN, SECONDS, DAYS = {"unit": "yuan"}, {"unit": "seconds"}, {"unit": "days"}


# fmt: off
class Params(BaseParams):
    """What one run of this evaluation needs to know."""

    scale: str = Field(description="key of the instrument's codebook; empty for a bare score")
    items: list[str] = Field([], description="the file's item columns in the codebook's order")
    item_offset: int = Field(0, description="added to every answer before scoring", json_schema_extra=POINTS)
    items_beside: int = Field(0, ge=0, description="items of other scales answered in the same recorded time")
    tables: dict[str, str] = Field({}, description="role: table name, where the source holds several tables")
    wave: int | None = Field(None, description="number of the screening wave; null for the only one")
    retest_wave: int | None = Field(None, description="another wave of the same scale, for agreement over time")
    risk_wave: int | None = Field(None, description="an earlier wave with interviews, which fixes the risk of each score")
    duplicates: Literal["refuse", "first", "drop"] = Field("refuse", description="what becomes of a pupil listed twice")
    sampling: Literal["census", "random", "enriched", "convenience"] = Field("census", description="how those screened were chosen")
    cutoff: int | None = Field(
        description="positive when the score meets it; fixed before the data were seen; null where none is published",
        json_schema_extra=POINTS,
    )
    direction: Literal[">=", "<="] = Field(">=", description="which side of the cut-off is positive")
    verification: Literal["all", "two_phase", "positives_only", "none"] = Field(description="who was to be interviewed")
    reference_timing: Literal["concurrent", "past", "future"] = Field(description="the reference, seen from the screen")
    cluster: str = Field("", description="column of the clusters behind every interval; empty for none")
    groups: list[str] = Field([], description="columns of the groups in which the screen must serve alike")
    models: dict[str, str] = Field({}, description="name: factor model in lavaan's language; the first was fixed beforehand")
    estimator: Literal["", "wlsmv", "mlr"] = Field("", description="of the factor models; empty: by the kind of answers")
    least_count: int = Field(1, ge=1, description="answers rarer than this in any group are merged with a neighbour")
    other_scales: list[str] = Field([], description="codebooks of other scales that the same pupils answered")
    other_references: dict[str, str] = Field({}, description="name: another reference, as column or column >= points")
    capacity: int | None = Field(None, ge=1, description="interviews that can be held in a term", json_schema_extra=PUPILS)
    target_sensitivity: float = Field(0.80, gt=0, lt=1, description="least sensitivity wanted", json_schema_extra=SHARE)
    target_specificity: float = Field(0.85, gt=0, lt=1, description="least specificity wanted", json_schema_extra=SHARE)
    cost_ratio: float | None = Field(None, gt=0, description="how many false alarms one missed case outweighs")
    interviews: int = Field(500, ge=1, description="screen-negatives that the next wave could interview", json_schema_extra=PUPILS)
    local_prevalence: float | None = Field(
        None, gt=0, lt=1, description="prevalence to carry predictive values to", json_schema_extra=SHARE
    )
    threshold_low: float = Field(0.02, gt=0, lt=1, description="lowest risk at which the city might refer", json_schema_extra=SHARE)
    threshold_high: float = Field(0.30, gt=0, lt=1, description="highest risk at which the city might refer", json_schema_extra=SHARE)
    second_sensitivity: float | None = Field(None, gt=0, le=1, description="of a second stage", json_schema_extra=SHARE)
    second_specificity: float | None = Field(None, gt=0, le=1, description="of a second stage", json_schema_extra=SHARE)
    cost_screen: float | None = Field(None, ge=0, description="cost of one screening", json_schema_extra=YUAN)
    cost_interview: float | None = Field(None, ge=0, description="cost of one interview", json_schema_extra=YUAN)
    seconds_per_item: float = Field(2.0, gt=0, description="faster answers are a sign of carelessness", json_schema_extra=SECONDS)
    lie_at: int | None = Field(None, description="lie score from which answers are doubted; sources differ", json_schema_extra=POINTS)
    n_boot: int = Field(1000, ge=100, description="resamples behind bootstrap intervals")
    stale_after: int = Field(120, ge=1, description="older answers raise an alarm", json_schema_extra=DAYS)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScreeningValidityResult:
    """Every section of the report, in its order; a section that cannot be estimated is a :class:`Refused`."""

    flow: list[tuple[Message, Count]]
    counts: VerificationCounts
    positives: ProportionResult | Refused
    places: Drawn | Refused
    quality: screening_quality.QualitySection
    items: screening_items.ItemsSection
    reliability: screening_reliability.ReliabilitySection
    structure: screening_structure.StructureSection
    meaning: screening_same_meaning.SameMeaningSection
    irt: screening_irt.IrtSection
    accuracy: screening_accuracy.AccuracySection
    best: TwoByTwo | VerificationCorrected | Refused
    bias: screening_bias.BiasSection
    cutoffs: screening_cutoffs.CutoffSection
    utility: screening_utility.UtilitySection
    fairness: screening_fairness.FairnessSection
    gain: screening_yield.YieldSection
    shown_naive: Drawn | Refused
    shown_corrected: Drawn | Refused
    predictive: Drawn | Refused
    carried: CarriedValues | Refused
    plan: VerificationPlan | Refused
    strata: pd.DataFrame | Refused


def load(params: Params) -> Screened:
    """Read the wave, score it and mark who is positive; nobody unscored counts as negative."""
    source, shared = open_source(params.source), {"columns": params.columns, "tables": params.tables}
    codebook = scale(params.scale) if params.scale else None
    beside = shared | {"wave": params.wave}
    second = None
    if params.retest_wave is not None and codebook is not None:
        second = second_occasion(source, codebook, params.retest_wave, values=params.values, items=params.items,
                                 item_offset=params.item_offset, duplicates=params.duplicates, **shared)  # fmt: skip
    companions = Companions(
        scores=other_scores(source, params.other_scales, **beside) if params.other_scales else None,
        references=other_references(source, params.other_references, **beside) if params.other_references else None,
        second=second, earlier=_wave(params, params.risk_wave) if params.risk_wave is not None else None,
    )  # fmt: skip
    return _wave(params, params.wave, companions)


def _wave(params: Params, wave: int | None, companions: Companions | None = None) -> Screened:
    """One wave, scored."""
    codebook = scale(params.scale) if params.scale else None
    screening = load_screening(
        open_source(params.source), columns=params.columns, values=params.values, scale=codebook, items=params.items,
        item_offset=params.item_offset, wave=wave, tables=params.tables, duplicates=params.duplicates,
    )  # fmt: skip
    answers = screening.frame.filter(regex=r"^item_\d+$")
    people = screening.frame.drop(columns=list(answers)).copy()
    keyed = None
    if len(answers.columns):
        people["score"] = score(answers, codebook, offset=params.item_offset, where=params.source)["total"]
        keyed = keyed_items(answers, codebook, offset=params.item_offset)
    people["positive"] = (
        pd.Series(pd.NA, index=people.index, dtype="boolean")
        if params.cutoff is None
        else positive(people["score"], params.cutoff, direction=params.direction)
    )
    return Screened(
        people=people, items=keyed, scale=codebook, screening=screening, companions=companions or Companions()
    )


def check(data: Screened, params: Params) -> list[Check]:
    """What should hold before the estimates are believed."""
    wave, counts = data.screening, data.counts
    found = [
        checks.answers_are_fresh(wave.last_answered, as_of=params.as_of, limit=params.stale_after),
        checks.waves_are_whole(wave.waves, expected=params.wave),
        checks.participation(len(data.scored), wave.enrolled),
        item_checks.pupils_once(wave.repeated),
    ]
    if data.items is not None:
        found += item_checks.of_items(data, params)
    shares = [
        seen / everyone if everyone else 0.0
        for seen, everyone in ((counts.tp + counts.fp, counts.n_positive), (counts.fn + counts.tn, counts.n_negative))
    ]
    found.append(checks.verified_as_designed(params.verification, *shares))
    if counts.n_verified:
        found += [false_negatives_check(counts), checks.reference_is_concurrent(params.reference_timing)]
        found.append(item_checks.cases_enough(counts.tp + counts.fn))
    days, asked = screening_reliability.days_between(data), data.companions.second is not None
    others = [
        item_checks.interview_is_near(data),
        item_checks.correction_changes_little(data, params),
        item_checks.speaks_of_population(params.sampling),
        item_checks.second_time_is_known(asked, days),
    ]
    return [*found, *(one for one in others if one is not None), *trap_checks.traps(data, params)]


def estimate(data: Screened, params: Params) -> ScreeningValidityResult:
    """Every section of the report."""
    beside = data.companions
    accuracy = screening_accuracy.section(data, params, beside.scores, beside.references)
    best = accuracy.corrected if isinstance(accuracy.naive, Refused) else accuracy.naive
    known = not isinstance(best, Refused)
    structure = screening_structure.section(data, params)
    return ScreeningValidityResult(
        flow=_flow(data, params), counts=data.counts, positives=_positives(data, params),
        places=screening_places.section(data, params), quality=screening_quality.section(data, params),
        items=screening_items.section(data, params), reliability=screening_reliability.section(data, params, beside.second),
        structure=structure, meaning=screening_same_meaning.section(data, params, structure.estimator),
        irt=screening_irt.section(data, params), accuracy=accuracy, best=best, bias=screening_bias.section(data, params),
        cutoffs=screening_cutoffs.section(data, params, accurate=known),
        utility=screening_utility.section(data, params, beside.earlier, None if known else best),
        fairness=screening_fairness.section(data, params, accurate=known), gain=screening_yield.section(data, params, best),
        shown_naive=screening_carried.of_the_test(accuracy.naive),
        shown_corrected=screening_carried.of_the_test(accuracy.corrected),
        predictive=screening_carried.predictive(best, data, params),
        carried=screening_carried.carried(best, params), plan=_plan(data, accuracy.corrected, params), strata=strata(data, params),
    )  # fmt: skip


def _positives(data: Screened, params: Params) -> ProportionResult | Refused:
    if params.cutoff is None:
        return without_cutoff()
    scored = data.scored
    cluster = screening_accuracy.cluster_of(scored, params)
    return proportion(scored["positive"].astype(bool), cluster=cluster, conf_level=params.conf_level)


def _plan(data: Screened, corrected: VerificationCorrected | Refused, params: Params) -> VerificationPlan | Refused:
    if params.cutoff is None:
        return without_cutoff()
    return verification_sample.interview_plan(
        data, corrected, interviews=params.interviews, conf_level=params.conf_level
    )


def strata(data: Screened, params: Params) -> pd.DataFrame | Refused:
    """How the interviews of screen-negatives are spread over the score."""
    if params.cutoff is None:
        return without_cutoff()
    return verification_sample.strata(
        data, cutoff=params.cutoff, direction=params.direction, interviews=params.interviews
    )


def _flow(data: Screened, params: Params) -> list[tuple[Message, Count]]:
    counts = data.counts
    steps = [(message("enrolled"), data.screening.enrolled)] if data.screening.enrolled else []
    answered = len(data.people) if data.items is None else int(data.answers.notna().any(axis=1).sum())
    steps += [(message("answered"), answered), (message("scored"), len(data.scored))]
    if params.cutoff is None:
        return [(label, Count(int(n))) for label, n in [*steps, (message("interviewed"), counts.n_verified)]]
    steps += [
        (message("screen-positive"), counts.n_positive),
        (message("screen-positive and interviewed"), counts.tp + counts.fp),
        (message("screen-negative"), counts.n_negative),
        (message("screen-negative and interviewed"), counts.fn + counts.tn),
    ]
    return [(label, Count(int(n))) for label, n in steps]


def dictionary(data: Screened) -> pd.DataFrame:
    """What the columns of the source mean."""
    return dictionary_frame(SCREENING, set(data.people))


def sensitivity(data: Screened, params: Params) -> Listed | Refused:
    """The corrected accuracy at the cut-off and at its two neighbours."""
    return screening_carried.neighbours(data, params)


def invitations(data: Screened, params: Params) -> pd.DataFrame | Refused:
    """The screen-negatives to invite next; for the bureau only."""
    if params.cutoff is None:
        return without_cutoff()
    return verification_sample.invitations(
        data, cutoff=params.cutoff, direction=params.direction, interviews=params.interviews, seed=params.seed
    )


def answer(result: ScreeningValidityResult, params: Params) -> list[Message]:
    """The report's first paragraph, sentence by sentence."""
    return screening_answer.sentences(result, params)


def lights(result: ScreeningValidityResult, params: Params) -> list[Light]:
    """The verdict line by line."""
    return screening_verdict.lights(result, params)


def risk_of_bias(data: Screened, params: Params) -> list[Light]:
    """How far the study itself can be trusted."""
    return screening_verdict.risk_of_bias(data, params)


def cards(data: Screened, params: Params) -> tuple[Drawn | Refused, Drawn | Refused]:
    """The instrument and the interview."""
    return screening_cards.instrument_card(data, params), screening_cards.reference_card(params)


def checklist() -> list[Reported]:
    """STARD 2015."""
    return stard.stard_checklist()
