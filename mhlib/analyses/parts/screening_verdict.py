"""The lights of the verdict, each by a rule that stands beside it, and the risk of bias of the study itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhlib.analyses.parts.checks import LEAST_PARTICIPATION
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_reliability import RULE
from mhlib.analyses.parts.screening_structure import FAIR, GOOD
from mhlib.findings import Count, Estimate, Light, Proportion, Refused, message
from mhlib.stats.accuracy.refusals import ENOUGH_FALSE_NEGATIVES, FEWEST_FALSE_NEGATIVES

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params, ScreeningValidityResult

SEE_BELOW = message("See the section.")
# Area below which a screen is called too weak (COSMIN), and shift of the score that a reader would notice.
LEAST_AUC, NOTICED_SHIFT = 0.70, 0.5


def lights(result: ScreeningValidityResult, params: Params) -> list[Light]:
    """One light each for reliability, structure, equal meaning, accuracy, cut-off, fairness and verification."""
    return [_reliability(result), _structure(result), _meaning(result), _accuracy(result), _cutoff(result, params),
            _fairness(result), _verification(result)]  # fmt: skip


def by_interval(low: float, high: float, rule: float) -> str:
    """Good when the whole interval reaches the rule, bad when none of it does, else with care."""
    if low >= rule:
        return "good"
    return "bad" if high < rule else "watch"


def total_row(table: object) -> object | None:
    """The coefficient of the total score that answers best: categorical omega, else omega, else alpha; None without one."""
    # A model that is impossible for these answers (a loading beyond 1) gives a row without a number.
    rows = table[(table["group"] == "total") & table["estimate"].notna()].set_index("term")
    return next((rows.loc[name] for name in ("omega_categorical", "omega", "alpha") if name in rows.index), None)


def _reliability(result: ScreeningValidityResult) -> Light:
    name, found = message("Precise enough?"), result.reliability.coefficients
    rule = message("interval at or above {rule}", rule=f"{RULE:.2f}")
    row = None if isinstance(found, Refused) else total_row(found.table)
    if row is None:
        return Light(name, "unknown", SEE_BELOW, rule, True)
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    said = message("Reliability of the total score: {value}.", value=value)
    return Light(name, by_interval(row["conf_low"], row["conf_high"], RULE), said, rule, True)


def _structure(result: ScreeningValidityResult) -> Light:
    name, found = message("Do the items form the scale claimed?"), result.structure.fits
    rule = message("CFI at least {cfi}, RMSEA at most {rmsea}, SRMR at most {srmr}; with care: {fair_cfi}, {fair_rmsea}, {fair_srmr}",
                   **{name: f"{value:.2f}" for name, value in GOOD.items()},
                   **{f"fair_{name}": f"{value:.2f}" for name, value in FAIR.items()})  # fmt: skip
    rows = None if isinstance(found, Refused) else found.table[found.table["test"] == "fit_scaled"]
    chosen = result.structure.chosen
    # A competitor that fits does not speak for a model that could not be fitted.
    if rows is None or not (here := rows["model"].isin([chosen, f"model_{chosen}"])).any():
        return Light(name, "unknown", SEE_BELOW, rule, True)
    scaled = rows[here].iloc[0]
    state = "good" if _fits(scaled, GOOD) else "watch" if _fits(scaled, FAIR) else "bad"
    said = message("The model fixed beforehand: CFI {cfi}, RMSEA {rmsea}, SRMR {srmr}.", cfi=f"{scaled['cfi']:.3f}",
                   rmsea=Estimate(scaled["rmsea"], int(scaled["n_used"]), scaled["rmsea_low"], scaled["rmsea_high"], 3),
                   srmr=f"{scaled['srmr']:.3f}")  # fmt: skip
    return Light(name, state, said, rule, True)


def _fits(scaled: object, bound: dict[str, float]) -> bool:
    return bool(scaled["cfi"] >= bound["cfi"] and scaled["rmsea"] <= bound["rmsea"] and scaled["srmr"] <= bound["srmr"])


def _meaning(result: ScreeningValidityResult) -> Light:
    name, found = message("Same meaning in every group?"), result.meaning
    rule = message("CFI falls at most .010 and RMSEA rises at most .015 a step; no item of class C; shift below {shift} points",
                   shift=f"{NOTICED_SHIFT:g}")  # fmt: skip
    if found.holds is None and found.worst_class is None:
        return Light(name, "unknown", SEE_BELOW, rule, True)
    shift = found.worst_shift
    parts = [found.holds is not False, found.worst_class in (None, "A", "B"), shift is None or shift < NOTICED_SHIFT]
    state = "good" if all(parts) else "watch" if parts[2] else "bad"
    said = message("Largest item bias: class {size}; shift of a group's mean: {shift} points at most.",
                   size=found.worst_class or "–", shift="–" if shift is None else f"{shift:.2f}")  # fmt: skip
    return Light(name, state, said, rule, True)


def _accuracy(result: ScreeningValidityResult) -> Light:
    name = message("Does it tell cases from non-cases?")
    rule = message("interval at or above {rule}", rule=f"{LEAST_AUC:.2f}")
    found = result.accuracy.auc
    if isinstance(found, Refused):
        return Light(name, "unknown", SEE_BELOW, rule, True)
    row = found.table.iloc[0]
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    said = message("Area under the ROC curve: {value}.", value=value)
    return Light(name, by_interval(row["conf_low"], row["conf_high"], LEAST_AUC), said, rule, True)


def _cutoff(result: ScreeningValidityResult, params: Params) -> Light:
    name = message("Does the cut-off find enough cases?")
    target = params.target_sensitivity
    rule = message("interval at or above {rule}", rule=f"{100 * target:.0f}%")
    if isinstance(result.best, Refused):
        return Light(name, "unknown", SEE_BELOW, rule, True)
    row = result.best.to_frame().set_index("term").loc["sensitivity"]
    value = Proportion(row["estimate"], result.best.n_used, row["conf_low"], row["conf_high"])
    return Light(name, by_interval(row["conf_low"], row["conf_high"], target),
                 message("Sensitivity at the cut-off: {value}.", value=value), rule, True)  # fmt: skip


def _fairness(result: ScreeningValidityResult) -> Light:
    name, found = message("Does it serve every group alike?"), result.fairness
    rule = message("no difference in sensitivity, specificity or area after Holm's correction")
    if not found.looked_at:
        return Light(name, "unknown", SEE_BELOW, rule, True)
    said = message(
        "{unequal} of {looked_at} differences stand after correction.", unequal=found.unequal, looked_at=found.looked_at
    )
    return Light(name, "good" if found.unequal == 0 else "watch", said, rule, True)


def _verification(result: ScreeningValidityResult) -> Light:
    name, counts = message("Enough screen-negatives interviewed?"), result.counts
    rule = message("everyone, or {enough} missed cases among interviewed screen-negatives; fewer than {least} are too few",
                   enough=ENOUGH_FALSE_NEGATIVES, least=FEWEST_FALSE_NEGATIVES)  # fmt: skip
    if counts.n_verified == 0:
        return Light(name, "unknown", message("Nobody was interviewed."), rule, True)
    if counts.fn + counts.tn == 0:
        return Light(
            name,
            "bad",
            message("None of the {all} screen-negatives was interviewed.", all=Count(counts.n_negative)),
            rule,
            True,
        )
    said = message("{seen} of {all} screen-negatives were interviewed; {missed} of them were cases.",
                   seen=Count(counts.fn + counts.tn), all=Count(counts.n_negative), missed=Count(counts.fn))  # fmt: skip
    if counts.fn < ENOUGH_FALSE_NEGATIVES and counts.negative_unverified:
        said = message("{seen} of {all} screen-negatives were interviewed; fewer than {enough} of them were cases.",
                       seen=Count(counts.fn + counts.tn), all=Count(counts.n_negative), enough=ENOUGH_FALSE_NEGATIVES)  # fmt: skip
    if counts.negative_unverified == 0 or counts.fn >= ENOUGH_FALSE_NEGATIVES:
        return Light(name, "good", said, rule, True)
    return Light(name, "watch" if counts.fn >= FEWEST_FALSE_NEGATIVES else "bad", said, rule, True)


def risk_of_bias(data: Screened, params: Params) -> list[Light]:
    """Four domains of QUADAS-2 (Whiting et al. 2011), rated by rules on the data and the declared design."""
    return [_selection(data), _index_test(params), _reference(params), _flow(data, params)]


def _selection(data: Screened) -> Light:
    name, rule = (
        message("Who took part"),
        message("at least {least} of those enrolled have a score", least=f"{LEAST_PARTICIPATION:.0%}"),
    )
    enrolled = data.screening.enrolled
    if not enrolled:
        return Light(name, "unknown", message("The source does not say how many were enrolled."), rule, True)
    share = len(data.scored) / enrolled
    said = message(
        "{share} of {enrolled} enrolled have a score.", share=Proportion(share, enrolled), enrolled=Count(enrolled)
    )
    return Light(name, "good" if share >= LEAST_PARTICIPATION else "watch", said, rule, True)


def _index_test(params: Params) -> Light:
    name, rule = message("The screen"), message("a cut-off fixed before the data were seen")
    if params.cutoff is None:
        return Light(name, "watch", message("No cut-off was fixed beforehand."), rule, True)
    return Light(name, "good", message("Cut-off {cutoff}, fixed beforehand.", cutoff=params.cutoff), rule, True)


def _reference(params: Params) -> Light:
    name, rule = message("The reference standard"), message("an interview of the same time, blind to the score")
    if params.verification == "none":
        return Light(name, "unknown", message("There is no reference standard."), rule, True)
    if params.reference_timing != "concurrent":
        return Light(name, "bad", message("The reference speaks of another time."), rule, True)
    return Light(
        name,
        "watch",
        message("Of the same time; whether the interviewers were blind to the score is not recorded."),
        rule,
        True,
    )


def _flow(data: Screened, params: Params) -> Light:
    name, rule = (
        message("Flow and verification"),
        message("everyone, or a random sample of both sides, was interviewed"),
    )
    state = {"all": "good", "two_phase": "watch", "positives_only": "bad", "none": "unknown"}[params.verification]
    seen = data.counts.n_verified
    said = message("{seen} of {all} scored pupils were interviewed.", seen=Count(seen), all=Count(len(data.scored)))
    return Light(name, state, said, rule, True)
