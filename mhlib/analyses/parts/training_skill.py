"""What teachers can do: judge vignettes, lead a crisis talk, know how able they are; and whether the test can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhlib.analyses.parts import training_skill_confidence as confidence
from mhlib.analyses.parts import training_skill_instruments as instruments
from mhlib.analyses.parts import training_skill_role_play as play
from mhlib.analyses.parts import training_skill_vignettes as vignettes
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import FEW_CLUSTERS, Training, without_follow_up
from mhlib.analyses.parts.training_skill_change import by_kind, change_table, changes
from mhlib.analyses.parts.training_skill_counts import shares
from mhlib.analyses.parts.training_skill_rows import Judged, judged
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkillSection:
    """Skill in vignettes and in a played talk, confidence beside competence, and the knowledge test itself.

    ``gained``, ``leaning`` and ``later`` are the changes in d' and in the criterion at the primary occasion, and in d' at
    follow-up, trained less the others, in deviations of the evidence (``g`` is NaN: no deviation of teachers is in it).
    """

    gained: Effect | Refused
    leaning: Effect | Refused
    later: Effect | Refused
    detection: Drawn | Refused
    detection_figure: Drawn | Refused
    change: Drawn | Refused
    confusion: Drawn | Refused
    errors: Drawn | Refused
    kinds: Drawn | Refused
    roc: Drawn | Refused
    areas: Drawn | Refused
    right: Drawn | Refused
    raters: Drawn | Refused
    critical: Drawn | Refused
    talk: Drawn | Refused
    talk_gained: Drawn | Refused
    talk_decay: Refused
    drills: Refused
    calibration: Drawn | Refused
    quadrants: Drawn | Refused
    sureness: Drawn | Refused
    reliability: Drawn | Refused
    invariance: Drawn | Refused
    reading: list[Message]
    talk_reading: list[Message]
    confidence_reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> SkillSection:
    """Every part; each is refused where the source lacks what it needs."""
    found, talks = judged(training, params), play.talks(training)
    later = {name: changes(training, params, found, name) for name in (params.primary, params.follow_up) if name}
    detection, made = vignettes.detection(found, params), vignettes.curves(found, params)
    ways = [confidence.by_vignettes(found, params), confidence.by_scale(training, params)]
    raters, calibrated = play.raters(talks, params), confidence.calibration(ways)
    reliable, same = instruments.reliability(training, params), instruments.invariance(training, params)
    critical = play.critical(talks, params)
    return SkillSection(
        gained=_one(later[params.primary], "d_prime"), leaning=_one(later[params.primary], "criterion"),
        later=_one(later[params.follow_up], "d_prime") if params.follow_up else without_follow_up(),
        detection=detection,
        detection_figure=vignettes.forest(detection, "d_prime", message("telling apart (d'; 0 is chance)")),
        change=change_table(later), confusion=vignettes.confusion(found), errors=vignettes.errors(found, params),
        kinds=by_kind(training, params, found), roc=vignettes.curve(made, params), areas=vignettes.areas(made),
        right=shares(training, params), raters=raters, critical=critical, talk=play.talk_score(talks, params),
        talk_gained=play.gained(training, talks, params), talk_decay=play.decay(talks), drills=play.drills(),
        calibration=calibrated, quadrants=confidence.quadrants(ways), sureness=confidence.curve(found, params),
        reliability=reliable, invariance=same,
        reading=_reading(training, found, later[params.primary]), talk_reading=_of_talks(raters, critical),
        confidence_reading=_of_confidence(calibrated),
        checks=[*_units_check(found), *play.checks(raters), *instruments.checks(reliable, same)],
    )  # fmt: skip


def _one(effects: dict[str, Effect] | Refused, term: str) -> Effect | Refused:
    return effects if isinstance(effects, Refused) else effects[term]


def _reading(training: Training, found: Judged | Refused, effects: dict[str, Effect] | Refused) -> list[Message]:
    """Who judged, what changed, and how to read the criterion."""
    if isinstance(found, Refused):
        return [found.why, message("The number judged rightly alone does not tell over- from under-referral: d', the criterion and "
                                   "the kinds of error need the single judgements.")]  # fmt: skip
    said = [message("{n} teachers judged vignettes; the table does not say how they were chosen, so they speak for themselves. "
                    "Intervals are over other teachers, not over other vignettes.", n=Count(found.people()))]  # fmt: skip
    if isinstance(effects, Refused):
        return [*said, effects.why]
    gain, lean = effects["d_prime"], effects["criterion"]
    said.append(
        message(
            "Telling pupils in need of referral from others (d') changed by {gain} more among the trained than among the "
            "others ({verdict}); their leaning (criterion) by {lean}: below nought means that they came to refer more readily.",
            gain=_said(gain), verdict=_verdict(gain), lean=_said(lean),
        )
    )  # fmt: skip
    if gain.p_refused:
        said.append(gain.p_refused.why)
    if gain.n_clusters < FEW_CLUSTERS:
        said.append(message("With fewer than {few} units the errors themselves are uncertain.", few=FEW_CLUSTERS))
    if not training.randomised:
        said.append(
            message(
                "Lots did not decide who was trained: the difference may be one of the teachers and not of the training."
            )
        )
    return said


def _said(effect: Effect) -> Estimate:
    known = effect.conf_low == effect.conf_low
    return Estimate(effect.estimate, effect.n_used, *((effect.conf_low, effect.conf_high) if known else ()))


def _verdict(effect: Effect) -> Message:
    """Which way the whole interval points."""
    if effect.conf_low > 0:
        return message("better")
    return message("worse") if effect.conf_high < 0 else message("not told from none")


def _of_talks(raters: Drawn | Refused, critical: Drawn | Refused) -> list[Message]:
    if isinstance(critical, Refused) or isinstance(raters, Refused):
        return []
    rows = critical.table.set_index(["arm_shown", "term"])
    said = []
    for arm, name in (("arm_trained", message("trained")), ("arm_untrained", message("not yet trained"))):
        if (arm, "critical_either") not in rows.index:
            continue
        either, both = (rows.loc[(arm, term)] for term in ("critical_either", "critical_both"))
        said.append(
            message(
                "Of those {arm}, {either} made a critical error in the talk in the eyes of one rater at least, {both} in the "
                "eyes of both.",
                arm=name, either=_share(either), both=_share(both),
            )
        )  # fmt: skip
    kappa = raters.table.set_index("term")
    if "talk_kappa" in kappa.index and kappa.at["talk_kappa", "estimate"] < play.GOOD_KAPPA:
        said.append(
            message("The two raters agree too little on critical errors for a single talk to decide about a teacher.")
        )
    return said


def _share(row) -> Proportion:
    return Proportion(float(row["estimate"]), int(row["n_used"]), float(row["conf_low"]), float(row["conf_high"]))


def _of_confidence(found: Drawn | Refused) -> list[Message]:
    """How to read slope, bias and corner."""
    if isinstance(found, Refused):
        return []
    return [
        message("Sure is from {sure}%, able from {able}% of the whole on. A slope of 1 would be perfect knowledge of oneself; noise "
                "in the confidence alone flattens it, so it is read together with the bias.",
                sure=f"{100 * confidence.SURE_FROM:g}", able=f"{100 * confidence.ABLE_FROM:g}"),
        message("No teacher is named or listed: only how many stand in each corner is shown."),
    ]  # fmt: skip


def _units_check(found: Judged | Refused) -> list[Check]:
    """Units behind the intervals of vignettes."""
    if isinstance(found, Refused):
        return []
    n = int(found.rows["cluster"].nunique())
    return [Check(message("Enough units judged vignettes"), n >= FEW_CLUSTERS,
                  message("{n} units; from {few} the intervals are dependable.", n=n, few=FEW_CLUSTERS))]  # fmt: skip
