"""Does the screen measure what it claims, and where should its cut-off stand?

Design      A cross-section of everyone screened in one wave; a reference interview of all of them, of a sample drawn
            in two phases, or of the positives only.
Estimand    Reliability of the sum score; sensitivity, specificity, predictive values and area under the curve of the
            score against the interview, among everyone screened.
Assumptions Among screen-positives and among screen-negatives, who was interviewed does not depend on being a case
            (Begg & Greenes 1983), or was drawn with the stated chance. The interview is taken as true.
References  Begg & Greenes (1983) Biometrics 39:207. DeLong et al. (1988) Biometrics 44:837. Obuchowski (1997)
            Biometrics 53:567. Cronin & Vickers (2008) BMC Med Res Methodol 8:75. STARD 2015, BMJ 351:h5527.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field

from mhlib.analyses.parts import checks, screening_answer, verification_sample
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import (
    ItemTable,
    Listed,
    nothing_to_correct,
    refused_design,
    without_cutoff,
    without_items,
    without_reference,
)
from mhlib.data.dictionary import dictionary_frame
from mhlib.data.scales import scale
from mhlib.data.scoring import keyed_items, positive, score
from mhlib.data.screening import load_screening
from mhlib.data.sources import open_source
from mhlib.data.tables.screening import SCREENING
from mhlib.errors import DesignError
from mhlib.findings import Check, Count, Message, Refused, message
from mhlib.params import BaseParams
from mhlib.stats.accuracy import (
    CarriedValues,
    CutoffsResult,
    RocResult,
    TwoByTwo,
    VerificationCorrected,
    VerificationPlan,
    circular_criterion_refusal,
    corrected_refusal,
    cutoffs,
    false_negatives_check,
    naive_accuracy_refusal,
    predictive_values_at,
    roc,
    two_by_two_from_rows,
    verification_corrected,
    verification_corrected_roc,
)
from mhlib.stats.measurement import cronbach_alpha, item_analysis, omega
from mhlib.stats.monitoring import ProportionResult, proportion

REQUIRED = (
    "answer", "flow", "positives", "dictionary", "checks", "reliability", "items", "naive", "corrected", "auc", "roc",
    "cutoffs", "carried", "plan", "strata", "sensitivity", "provenance",
)  # fmt: skip


class Params(BaseParams):
    """What one run of this evaluation needs to know."""

    scale: str = Field(description="key of the instrument's codebook; empty for a bare score")
    items: list[str] = Field([], description="the file's item columns in the codebook's order")
    item_offset: int = Field(
        0, description="added to every answer before scoring", json_schema_extra={"unit": "points"}
    )
    tables: dict[str, str] = Field({}, description="role: table name, where the source holds several tables")
    wave: int | None = Field(None, description="number of the screening wave; null for the only one")
    cutoff: int | None = Field(
        description="positive when the score meets it; fixed before the data were seen; null where none is published",
        json_schema_extra={"unit": "points"},
    )
    direction: Literal[">=", "<="] = Field(">=", description="which side of the cut-off is positive")
    verification: Literal["all", "two_phase", "positives_only", "none"] = Field(description="who was to be interviewed")
    reference_timing: Literal["concurrent", "past", "future"] = Field(description="the reference, seen from the screen")
    cluster: str = Field("", description="column of the clusters behind every interval; empty for none")
    capacity: int | None = Field(
        None, ge=1, description="interviews that can be held in a term", json_schema_extra={"unit": "pupils"}
    )
    interviews: int = Field(
        500,
        ge=1,
        description="screen-negatives that the next wave could interview",
        json_schema_extra={"unit": "pupils"},
    )
    local_prevalence: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="prevalence to carry predictive values to",
        json_schema_extra={"unit": "proportion"},
    )
    stale_after: int = Field(120, ge=1, description="older answers raise an alarm", json_schema_extra={"unit": "days"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScreeningValidityResult:
    """Every section of the report, in its order; a section that cannot be estimated is a :class:`Refused`."""

    flow: list[tuple[Message, Count]]
    positives: ProportionResult | Refused
    reliability: Listed | Refused
    items: ItemTable | Refused
    naive: TwoByTwo | Refused
    naive_roc: RocResult | Refused
    corrected: VerificationCorrected | Refused
    corrected_roc: RocResult | Refused
    auc: Listed | Refused
    cutoffs: CutoffsResult | Refused
    carried: CarriedValues | Refused
    plan: VerificationPlan | Refused
    strata: pd.DataFrame | Refused


def load(params: Params) -> Screened:
    """Read the wave, score it and mark who is positive; nobody unscored counts as negative."""
    codebook = scale(params.scale) if params.scale else None
    screening = load_screening(
        open_source(params.source), columns=params.columns, values=params.values, scale=codebook, items=params.items,
        item_offset=params.item_offset, wave=params.wave, tables=params.tables,
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
    return Screened(people=people, items=keyed, scale=codebook, screening=screening)


def check(data: Screened, params: Params) -> list[Check]:
    """What should hold before the estimates are believed."""
    wave, counts = data.screening, data.counts
    found = [
        checks.answers_are_fresh(wave.last_answered, as_of=params.as_of, limit=params.stale_after),
        checks.waves_are_whole(wave.waves, expected=params.wave),
        checks.participation(len(data.scored), wave.enrolled),
    ]
    if data.items is not None:
        found.append(checks.items_run_alike(item_analysis(data.items).negative))
    shares = [
        seen / everyone if everyone else 0.0
        for seen, everyone in ((counts.tp + counts.fp, counts.n_positive), (counts.fn + counts.tn, counts.n_negative))
    ]
    found.append(checks.verified_as_designed(params.verification, *shares))
    if counts.n_verified:
        found += [false_negatives_check(counts), checks.reference_is_concurrent(params.reference_timing)]
    return found


def estimate(data: Screened, params: Params) -> ScreeningValidityResult:
    """Every section of the report."""
    naive, naive_roc = _naive(data, params)
    corrected, corrected_roc = _corrected(data, params)
    curves = [("naive", naive_roc), ("corrected", corrected_roc)]
    known = [(name, curve) for name, curve in curves if not isinstance(curve, Refused)]
    best = corrected if isinstance(naive, Refused) else naive
    return ScreeningValidityResult(
        flow=_flow(data),
        positives=_positives(data, params),
        reliability=_reliability(data, params),
        items=without_items() if data.items is None else ItemTable.of(item_analysis(data.items)),
        naive=naive,
        naive_roc=naive_roc,
        corrected=corrected,
        corrected_roc=corrected_roc,
        auc=Listed.of(known) if known else corrected_roc,
        cutoffs=_cutoffs(data, params),
        carried=_carried(best, params),
        plan=_plan(data, corrected, params),
        strata=strata(data, params),
    )


def _positives(data: Screened, params: Params) -> ProportionResult | Refused:
    if params.cutoff is None:
        return without_cutoff()
    scored = data.scored
    return proportion(scored["positive"].astype(bool), cluster=_cluster(scored, params), conf_level=params.conf_level)


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


def _flow(data: Screened) -> list[tuple[Message, Count]]:
    counts = data.counts
    steps = [(message("enrolled"), data.screening.enrolled)] if data.screening.enrolled else []
    steps += [
        (message("answered"), len(data.people)),
        (message("scored"), len(data.scored)),
        (message("screen-positive"), counts.n_positive),
        (message("screen-positive and interviewed"), counts.tp + counts.fp),
        (message("screen-negative"), counts.n_negative),
        (message("screen-negative and interviewed"), counts.fn + counts.tn),
    ]
    return [(label, Count(int(n))) for label, n in steps]


def _cluster(people: pd.DataFrame, params: Params) -> pd.Series | None:
    return people[params.cluster] if params.cluster else None


def _reliability(data: Screened, params: Params) -> Listed | Refused:
    if data.items is None:
        return without_items()
    scales = dict(data.scale.subscales) if len(data.scale.subscales) > 1 else {}
    scales["total"] = tuple(range(1, data.scale.n_items + 1))
    results = []
    for name, numbers in scales.items():
        answers = data.items[[f"item_{number}" for number in numbers]]
        results.append((name, cronbach_alpha(answers, conf_level=params.conf_level)))
        if len(numbers) > 2:
            results.append((name, omega(answers, conf_level=params.conf_level)))
    return Listed.of(results)


def _circular(seen: pd.DataFrame) -> Refused | None:
    return circular_criterion_refusal(seen["score"], seen["reference"].astype(bool))


def _naive(data: Screened, params: Params) -> tuple[TwoByTwo | Refused, RocResult | Refused]:
    """Accuracy among those interviewed; refused unless a like share of both sides was."""
    seen = data.interviewed
    refusal = without_reference() if seen.empty else _circular(seen) or naive_accuracy_refusal(data.counts)
    if refusal:
        return refusal, refusal
    case, shared = seen["reference"].astype(bool), {"cluster": _cluster(seen, params), "conf_level": params.conf_level}
    try:
        table = two_by_two_from_rows(seen["positive"].astype(bool), case, **shared)
        return table, roc(seen["score"], case, direction=params.direction, **shared)
    except DesignError as error:
        return (refused_design(error),) * 2


def _corrected(data: Screened, params: Params) -> tuple[VerificationCorrected | Refused, RocResult | Refused]:
    """Accuracy among everyone screened, with those not interviewed put back in (Begg & Greenes)."""
    seen = data.interviewed
    refusal = without_reference() if seen.empty else _circular(seen) or corrected_refusal(data.counts)
    if not refusal and data.counts.n_verified == data.counts.n:
        refusal = nothing_to_correct()
    if refusal:
        return refusal, refusal
    scored, shared = data.scored, _verification(data, params)
    try:
        table = verification_corrected(scored["positive"].astype(bool), scored["reference"], **shared)
        bands = {} if "verification_probability" in shared else {"bands": [params.cutoff]}
        curve = verification_corrected_roc(
            data.whole_points, scored["reference"], seed=params.seed, direction=params.direction,
            **shared | {"method": "ipw"} | bands,
        )  # fmt: skip
        return table, curve
    except DesignError as error:
        return (refused_design(error),) * 2


def _verification(data: Screened, params: Params) -> dict[str, object]:
    """How to put the unverified back: by the stated chances where they are known, else by the screening result."""
    scored = data.scored
    seen = scored["verified"].fillna(False).astype(bool)
    shared = {"verified": seen, "cluster": _cluster(scored, params), "conf_level": params.conf_level}
    chance = scored.get("verification_probability")
    if chance is None or chance[seen].isna().any():
        return shared | {"method": "begg_greenes"}
    return shared | {"method": "ipw", "verification_probability": chance}


def _carried(result: TwoByTwo | VerificationCorrected | Refused, params: Params) -> CarriedValues | Refused:
    """Predictive values where cases are as rare as `local_prevalence` says."""
    if params.local_prevalence is None:
        return Refused(
            "no_local_prevalence",
            message("No other prevalence is stated to carry the predictive values to."),
            message("The prevalence of cases where the screen shall be used, as parameter local_prevalence."),
        )
    if isinstance(result, Refused):
        return result
    rows = result.to_frame().set_index("term")
    shares = {term: (rows.at[term, "estimate"], rows.at[term, "std_error"]) for term in ("sensitivity", "specificity")}
    try:
        return predictive_values_at(
            params.local_prevalence, **shares, n_used=result.n_used, conf_level=params.conf_level
        )
    except DesignError as error:
        return refused_design(error)


def _cutoffs(data: Screened, params: Params) -> CutoffsResult | Refused:
    """The cut-off that fills the interviews the city can hold."""
    if params.capacity is None:
        return Refused(
            "no_capacity",
            message("No interview capacity is stated, so no cut-off can be fitted to it."),
            message("The number of diagnostic interviews that can be held in a term, as parameter capacity."),
        )
    return cutoffs(data.whole_points, criterion="capacity", capacity=params.capacity, conf_level=params.conf_level)


def dictionary(data: Screened) -> pd.DataFrame:
    """What the columns of the source mean."""
    return dictionary_frame(SCREENING, set(data.people))


def sensitivity(data: Screened, params: Params) -> Listed | Refused:
    """The corrected accuracy at the cut-off and at its two neighbours."""
    refusal = without_reference() if data.interviewed.empty else corrected_refusal(data.counts)
    if refusal:
        return refusal
    if data.counts.n_verified == data.counts.n:
        return nothing_to_correct()
    scored, shared, results = data.scored, _verification(data, params), []
    for cutoff in (params.cutoff - 1, params.cutoff, params.cutoff + 1):
        moved = positive(scored["score"], cutoff, direction=params.direction).astype(bool)
        both = [(moved & shared["verified"]).any(), (~moved & shared["verified"]).any()]
        if all(both):
            label = f"{'≥' if params.direction == '>=' else '≤'} {cutoff}"
            results.append((label, verification_corrected(moved, scored["reference"], **shared)))
    return Listed.of(results, terms=("sensitivity", "specificity", "ppv"))


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
