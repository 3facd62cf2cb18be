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

from mhlib.analyses.sections import Listed, refused_design, without_items, without_reference
from mhlib.data.scales import Scale, scale
from mhlib.data.scoring import keyed_items, positive, score
from mhlib.data.screening import ScreeningData, load_screening
from mhlib.data.sources import open_source
from mhlib.errors import DesignError
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message
from mhlib.params import BaseParams
from mhlib.stats.accuracy import (
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
    roc,
    two_by_two_from_rows,
    verification_corrected,
    verification_corrected_roc,
    verification_counts,
    verification_plan,
)
from mhlib.stats.measurement import ItemAnalysis, cronbach_alpha, item_analysis, omega
from mhlib.stats.monitoring import ProportionResult, proportion

REQUIRED = (
    "answer", "flow", "checks", "reliability", "items", "positives", "naive", "roc", "corrected", "cutoffs", "plan",
    "sensitivity", "provenance",
)  # fmt: skip


class Params(BaseParams):
    """What one run of this evaluation needs to know."""

    scale: str = Field(description="key of the instrument's codebook; empty for a bare score")
    items: list[str] = Field([], description="the file's item columns in the codebook's order")
    item_offset: int = Field(0, description="added to every answer before scoring", json_schema_extra={"unit": "points"})
    tables: dict[str, str] = Field({}, description="role: table name, where the source holds several tables")
    wave: int | None = Field(None, description="number of the screening wave; null for the only one")
    cutoff: int = Field(description="positive when score meets it; fixed before the data were seen",
                        json_schema_extra={"unit": "points"})  # fmt: skip
    direction: Literal[">=", "<="] = Field(">=", description="which side of the cut-off is positive")
    verification: Literal["all", "two_phase", "positives_only", "none"] = Field(description="who was to be interviewed")
    reference_timing: Literal["concurrent", "past", "future"] = Field(description="the reference, seen from the screen")
    cluster: str = Field("", description="column of the clusters behind every interval; empty for none")
    capacity: int | None = Field(None, ge=1, description="interviews that can be held in a term",
                                 json_schema_extra={"unit": "pupils"})  # fmt: skip
    interviews: int = Field(500, ge=1, description="screen-negatives that the next wave could interview",
                            json_schema_extra={"unit": "pupils"})  # fmt: skip
    local_prevalence: float | None = Field(None, gt=0, lt=1, description="prevalence to carry predictive values to")
    stale_after: int = Field(120, ge=1, description="older answers raise an alarm", json_schema_extra={"unit": "days"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Everyone screened, scored.

    Attributes
    ----------
    people : DataFrame, one row a pupil
        score (points, missing when unscored), positive, reference, verified (nullable booleans), probability
        (chance of being interviewed, where known), and the cluster column.
    items : DataFrame or None
        Keyed answers in points, NaN where missing.
    """

    people: pd.DataFrame
    items: pd.DataFrame | None
    scale: Scale | None
    screening: ScreeningData

    @property
    def provenance(self) -> object:
        """Where the rows came from."""
        return self.screening.provenance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScreeningValidityResult:
    """Every section of the report, in its order; a section that cannot be estimated is a :class:`Refused`."""

    flow: list[tuple[Message, Count]]
    reliability: Listed | Refused
    items: ItemAnalysis | Refused
    positives: ProportionResult
    naive: TwoByTwo | Refused
    naive_roc: RocResult | Refused
    corrected: VerificationCorrected | Refused
    corrected_roc: RocResult | Refused
    cutoffs: CutoffsResult | Refused
    plan: VerificationPlan | Refused


def load(params: Params) -> Data:
    """Read the wave, score it and mark who is positive; nobody unscored counts as negative."""
    codebook = scale(params.scale) if params.scale else None
    screening = load_screening(
        open_source(params.source), columns=params.columns, values=params.values, scale=codebook, items=params.items,
        item_offset=params.item_offset, wave=params.wave, tables=params.tables,
    )  # fmt: skip
    frame = screening.frame
    answers = frame.filter(regex=r"^item_\d+$")
    people = frame.drop(columns=list(answers)).copy()
    if len(answers.columns):
        people["score"] = score(answers, codebook, offset=params.item_offset, where=params.source)["total"]
    people["positive"] = positive(people["score"], params.cutoff, direction=params.direction)
    items = keyed_items(answers, codebook, offset=params.item_offset) if len(answers.columns) else None
    return Data(people=people, items=items, scale=codebook, screening=screening)


def check(data: Data, params: Params) -> list[Check]:
    """What should hold before the estimates are believed."""
    found = [_answers_are_fresh(data, params), _waves_are_whole(data, params), _participation(data)]
    if data.items is not None:
        found.append(_keys_agree(data))
    if _interviewed(data).any():
        found += [false_negatives_check(_counts(data)), _reference_is_concurrent(params)]
    return found


def _answers_are_fresh(data: Data, params: Params) -> Check:
    name, last = message("The answers are recent"), data.screening.last_answered
    if last is None:
        return Check(name, None, message("The source does not say when the answers were given."))
    age = (params.as_of - last).days
    detail = message("The last answer is {age} days old; more than {limit} raise an alarm.", age=age,
                     limit=params.stale_after)  # fmt: skip
    return Check(name, 0 <= age <= params.stale_after, detail)


def _waves_are_whole(data: Data, params: Params) -> Check:
    name, waves = message("No wave is missing"), data.screening.waves
    if not waves:
        return Check(name, None, message("The source holds a single wave without a number."))
    gaps = sorted(set(range(min(waves), max(waves) + 1)) - set(waves))
    if gaps:
        return Check(name, False, message("Missing: wave {gaps}.", gaps=", ".join(map(str, gaps))))
    return Check(name, True, message("Waves {first} to {last} are all there.", first=min(waves), last=max(waves)))


def _participation(data: Data) -> Check:
    name, enrolled = message("Nine in ten of those enrolled have a score"), data.screening.enrolled
    if not enrolled:
        return Check(name, None, message("The source does not say how many were enrolled."))
    share = float(data.people["score"].notna().sum() / enrolled)
    return Check(name, share >= 0.9, message("{share} of {enrolled} enrolled have a score.",
                                             share=Proportion(share, enrolled), enrolled=Count(enrolled)))  # fmt: skip


def _keys_agree(data: Data) -> Check:
    name = message("Every item runs with its scale")
    negative = _items(data).negative
    if negative:
        return Check(name, False, message("Items that run against the rest: {items}. Wrongly keyed or coded?",
                                          items=", ".join(negative)))  # fmt: skip
    return Check(name, True, message("No item correlates negatively with the rest of the scale."))


def _reference_is_concurrent(params: Params) -> Check:
    name = message("Screen and reference speak of the same time")
    if params.reference_timing == "concurrent":
        return Check(name, True, message("The interview followed the screen."))
    detail = {
        "past": message("The reference lies in the past: the figures describe association and predict nothing."),
        "future": message("The reference lies in the future: cases treated meanwhile count as false alarms."),
    }[params.reference_timing]
    return Check(name, False, detail)


def estimate(data: Data, params: Params) -> ScreeningValidityResult:
    """Every section of the report."""
    naive, curve = _naive(data, params)
    corrected, corrected_curve = _corrected(data, params)
    return ScreeningValidityResult(
        flow=_flow(data), reliability=_reliability(data, params), items=_items(data), positives=_positives(data, params),
        naive=naive, naive_roc=curve, corrected=corrected, corrected_roc=corrected_curve,
        cutoffs=_cutoffs(data, params), plan=_plan(data, params),
    )  # fmt: skip


def _flow(data: Data) -> list[tuple[Message, Count]]:
    people, seen = data.people, _interviewed(data)
    positives, negatives = people["positive"].fillna(False), (~people["positive"]).fillna(False)
    steps = [(message("enrolled"), data.screening.enrolled)] if data.screening.enrolled else []
    steps += [
        (message("answered"), len(people)),
        (message("scored"), int(people["score"].notna().sum())),
        (message("screen-positive"), int(positives.sum())),
        (message("screen-positive and interviewed"), int((positives & seen).sum())),
        (message("screen-negative"), int(negatives.sum())),
        (message("screen-negative and interviewed"), int((negatives & seen).sum())),
    ]
    return [(label, Count(int(n))) for label, n in steps]


def _interviewed(data: Data) -> pd.Series:
    return data.people["verified"].fillna(False).astype(bool)


def _scored(data: Data) -> pd.DataFrame:
    return data.people[data.people["score"].notna()]


def _cluster(people: pd.DataFrame, params: Params) -> pd.Series | None:
    return people[params.cluster] if params.cluster else None


def _reliability(data: Data, params: Params) -> Listed | Refused:
    if data.items is None:
        return without_items()
    scales = dict(data.scale.subscales) if len(data.scale.subscales) > 1 else {}
    if data.scale.has_total:
        scales["total"] = tuple(range(1, data.scale.n_items + 1))
    results = []
    for name, numbers in scales.items():
        answers = data.items[[f"item_{number}" for number in numbers]]
        results.append((name, cronbach_alpha(answers, conf_level=params.conf_level)))
        if len(numbers) > 2:
            results.append((name, omega(answers, conf_level=params.conf_level)))
    return Listed.of(results)


def _items(data: Data) -> ItemAnalysis | Refused:
    return without_items() if data.items is None else item_analysis(data.items)


def _positives(data: Data, params: Params) -> ProportionResult:
    people = _scored(data)
    return proportion(people["positive"].astype(bool), cluster=_cluster(people, params), conf_level=params.conf_level)


def _counts(data: Data):
    people = _scored(data)
    return verification_counts(people["positive"].astype(bool), people["reference"], verified=people["verified"])


def _naive(data: Data, params: Params) -> tuple[TwoByTwo | Refused, RocResult | Refused]:
    """Accuracy among those interviewed, refused unless they are everybody or a like share of both sides."""
    seen = _scored(data)
    seen = seen[seen["verified"].fillna(False).astype(bool)]
    if seen.empty:
        return (without_reference(),) * 2
    refusal = circular_criterion_refusal(seen["score"], seen["reference"].astype(bool)) or naive_accuracy_refusal(
        _counts(data)
    )
    if refusal:
        return refusal, refusal
    case, cluster = seen["reference"].astype(bool), _cluster(seen, params)
    table = two_by_two_from_rows(seen["positive"].astype(bool), case, cluster=cluster, conf_level=params.conf_level)
    curve = roc(seen["score"], case, direction=params.direction, cluster=cluster, conf_level=params.conf_level)
    return table, curve


def _corrected(data: Data, params: Params) -> tuple[VerificationCorrected | Refused, RocResult | Refused]:
    """Accuracy among everyone screened, with the unverified put back in (Begg & Greenes)."""
    people = _scored(data)
    seen = people["verified"].fillna(False).astype(bool)
    if not seen.any():
        return (without_reference(),) * 2
    refusal = circular_criterion_refusal(
        people.loc[seen, "score"], people.loc[seen, "reference"].astype(bool)
    ) or corrected_refusal(_counts(data))
    if refusal:
        return refusal, refusal
    shared = {"verified": seen, "cluster": _cluster(people, params), "conf_level": params.conf_level}
    table = verification_corrected(people["positive"].astype(bool), people["reference"], **shared)
    try:
        curve = verification_corrected_roc(
            people["score"], people["reference"], method="begg_greenes", bands=[params.cutoff], seed=params.seed,
            direction=params.direction, **shared,
        )  # fmt: skip
    except DesignError as error:
        curve = refused_design(error)
    return table, curve


def _cutoffs(data: Data, params: Params) -> CutoffsResult | Refused:
    """The cut-off that fills the interviews the city can hold; with verified negatives, Youden's as exploration."""
    if params.capacity is None:
        return Refused(
            "no_capacity",
            message("No interview capacity is stated, so no cut-off can be fitted to it."),
            message("The number of diagnostic interviews that can be held in a term, as parameter capacity."),
        )
    people = _scored(data)
    return cutoffs(people["score"], criterion="capacity", capacity=params.capacity, conf_level=params.conf_level)


def _plan(data: Data, params: Params) -> VerificationPlan | Refused:
    """How sure the next wave would be for different numbers of interviewed negatives."""
    counts = _counts(data)
    if counts.n_negative == 0 or counts.n_positive == 0:
        return refused_design(DesignError("plan", "nobody is screen-negative or nobody is screen-positive"))
    verified_positive = counts.tp + counts.fp
    return verification_plan(
        counts.n_positive, counts.n_negative, ppv=_share(counts.tp, verified_positive, PLANNED_PPV),
        miss_rate=_share(counts.fn, counts.fn + counts.tn, PLANNED_MISS_RATE),
        n_positive_verified=verified_positive or counts.n_positive,
        n_negative_verified=sorted({200, params.interviews, 1000, 2000, 5000}), conf_level=params.conf_level,
    )  # fmt: skip


# Where a wave has no verified person of a kind, the plan supposes these shares and says so: the predictive value of a
# Chinese PHQ validation study (.16-.29) and one missed case in a hundred screen-negatives.
PLANNED_PPV, PLANNED_MISS_RATE = 0.20, 0.01


def _share(part: int, whole: int, supposed: float) -> float:
    return part / whole if part and whole else supposed


def sensitivity(data: Data, params: Params) -> Listed | Refused:
    """The corrected accuracy at the neighbouring cut-offs, and under weights instead of strata."""
    people = _scored(data)
    seen = people["verified"].fillna(False).astype(bool)
    refusal = without_reference() if not seen.any() else corrected_refusal(_counts(data))
    if refusal:
        return refusal
    shared = {"verified": seen, "cluster": _cluster(people, params), "conf_level": params.conf_level}
    results = []
    for shift in (-1, 0, 1):
        moved = positive(people["score"], params.cutoff + shift, direction=params.direction).astype(bool)
        if moved.any() and not moved.all() and seen[moved].any() and seen[~moved].any():
            label = f"{params.direction} {params.cutoff + shift}"
            results.append((label, verification_corrected(moved, people["reference"], **shared)))
    return Listed.of(results)


def answer(result: ScreeningValidityResult, params: Params) -> list[Message]:
    """The report's first paragraph, sentence by sentence."""
    return [_said_of_accuracy(result), _said_of_reliability(result), _said_of_referrals(result, params)]


def _said_of_accuracy(result: ScreeningValidityResult) -> Message:
    if isinstance(result.corrected, Refused):
        return message("How well the screen tells cases from non-cases is not known: {why}", why=result.corrected.why)
    found = result.corrected.to_frame().set_index("term")
    share = {term: Proportion(row.estimate, result.corrected.n_used, row.conf_low, row.conf_high)
             for term, row in found.iterrows()}  # fmt: skip
    return message(
        "At the cut-off the screen finds {sensitivity} of the cases and rightly passes {specificity} of the others; "
        "of those it flags, {ppv} are cases.",
        sensitivity=share["sensitivity"], specificity=share["specificity"], ppv=share["ppv"],
    )  # fmt: skip


def _said_of_reliability(result: ScreeningValidityResult) -> Message:
    if isinstance(result.reliability, Refused):
        return message("Its reliability is not known: {why}", why=result.reliability.why)
    row = result.reliability.table.iloc[-1]
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    if row["conf_low"] >= 0.7:
        return message("Its total score is reliable enough to compare groups ({omega}; the rule is at least .70).",
                       omega=value)  # fmt: skip
    return message("Its total score is not reliable enough to compare groups ({omega}; the rule is at least .70).",
                   omega=value)  # fmt: skip


def _said_of_referrals(result: ScreeningValidityResult, params: Params) -> Message:
    found = result.positives
    share = Proportion(found.proportion, found.denominator, found.conf_low, found.conf_high)
    if isinstance(result.cutoffs, Refused):
        return message("{share} of those scored are screen-positive.", share=share)
    if result.cutoffs.cutoff is None:
        return message("{share} of those scored are screen-positive; no cut-off keeps within {capacity} interviews.",
                       share=share, capacity=params.capacity)  # fmt: skip
    return message(
        "{share} of those scored are screen-positive; {capacity} interviews a term are enough from a cut-off of "
        "{cutoff} on.",
        share=share, capacity=params.capacity, cutoff=int(result.cutoffs.cutoff),
    )  # fmt: skip
