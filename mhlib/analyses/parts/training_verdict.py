"""The verdict by Kirkpatrick's levels: a light a level by a stated rule, and how far the evidence for each carries.

Reference: Kirkpatrick & Kirkpatrick (2006) Evaluating Training Programs, 3rd ed. The grades are our own rule, after the
padlocks of the Education Endowment Foundation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts import training_said
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import FEW_CLUSTERS
from mhlib.findings import Estimate, Light, Message, Proportion, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params, TrainingResult

# Share of those in post who should hold the certificate that most hold.
COVERED_FROM = 0.90
# Less distress of pupils than this, in SD, hardly matters even for a whole city.
PUPILS_FROM = 0.05
NOT_LOOKED_AT = message("Not looked at.")
FEW_UNITS = message("Too few units for an interval.")
LEVELS = {
    "reaction": message("what teachers thought of it (reaction)"),
    "learning": message("what they knew afterwards (learning)"),
    "kept": message("what they kept of it (learning)"),
    "skill": message("how they judge cases (skill)"),
    "behaviour": message("whom they name (behaviour)"),
    "pupils": message("how pupils are (results)"),
    "harms": message("harms and burden"),
    "cost": message("cost for what it gained"),
    "cascade": message("what arrives in the class"),
    "reach": message("reach of certificates"),
}
STATES = {
    "good": message("holds"),
    "watch": message("with care"),
    "bad": message("does not hold"),
    "unknown": message("not known"),
}
REACTION = message("Not measured. To know it: three questions at the end of each event, without names: was it useful for my work, do "
                   "I dare to do it, would I send a colleague.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """An estimate with its interval, of whatever record it came from; n is the people behind it."""

    value: float
    low: float
    high: float
    n: int

    @property
    def shown(self) -> Estimate:
        """As a number."""
        return Estimate(self.value, self.n, self.low, self.high)

    @property
    def of_hundred(self) -> Estimate:
        """A difference of shares as so many of a hundred, which no reader takes for a ratio."""
        return Estimate(100 * self.value, self.n, 100 * self.low, 100 * self.high, 1)

    @property
    def share(self) -> Proportion:
        """As a percentage."""
        return Proportion(self.value, self.n, self.low, self.high)


def slot(result: TrainingResult, section: str, name: str) -> object:
    """A field of a section, or None where the report has no such section or field."""
    return getattr(getattr(result, section, None), name, None)


def known(found: object) -> Known | None:
    """Estimate and interval; None where there is none, refused or not."""
    if found is None or isinstance(found, Refused):
        return None
    value = next(
        (getattr(found, name) for name in ("estimate", "retention", "proportion") if hasattr(found, name)), math.nan
    )
    low, high = getattr(found, "conf_low", math.nan), getattr(found, "conf_high", math.nan)
    numbers = (float(value), float(low), float(high))
    return None if not all(math.isfinite(one) for one in numbers) else Known(*numbers, int(getattr(found, "n_used", 0)))


def why_not(found: object) -> Message:
    """Why there is no interval."""
    if isinstance(found, Refused):
        return found.why
    refused = getattr(found, "p_refused", None)
    return NOT_LOOKED_AT if found is None else refused.why if isinstance(refused, Refused) else FEW_UNITS


def lights(result: TrainingResult, params: Params) -> list[Light]:
    """Reaction, learning, kept, skill, behaviour, pupils, harms, cost, cascade, reach; then what the design allows.

    A plan names one result, of learning: everything beside it counts as exploratory, but for rules that no result could bend.
    """
    said = training_said.lights(result, params)
    return [_reaction(), *said[:3], *(light(result, params) for light in OTHERS.values()), *said[3:]]


def _reaction() -> Light:
    rule = message("good: most say anonymously that it was useful for their work; it speaks of no learning")
    return Light(message("Teachers found it useful"), "unknown", REACTION, rule, False)


def _skill(result: TrainingResult, params: Params) -> Light:
    found = slot(result, "skill", "gained")
    rule = message("good: the whole interval of the change against the untrained above nought; bad: below")
    name, one = message("They judge cases better"), known(found)
    if one is None:
        return Light(name, "unknown", why_not(found), rule, False)
    said = message("{value} in telling cases from others (d'); above 0 is better.", value=one.shown)
    return Light(name, _side(one), said, rule, False)


def _behaviour(result: TrainingResult, params: Params) -> Light:
    found = slot(result, "behaviour", "gained")
    rule = message("good: the whole interval of the change against the untrained above nought; bad: below")
    name, one = message("They name more of the pupils in need"), known(found)
    if one is None:
        return Light(name, "unknown", why_not(found), rule, False)
    return Light(
        name,
        _side(one),
        message("Of 100 cases, {value} more are named than without the training.", value=one.of_hundred),
        rule,
        False,
    )


def _pupils(result: TrainingResult, params: Params) -> Light:
    found = slot(result, "pupils", "effect")
    rule = message("good: the whole interval below nought (less distress); bad: above, or a gain of {least} SD is ruled out",
                   least=f"{PUPILS_FROM:g}")  # fmt: skip
    name, one = message("Pupils are better for it"), known(found)
    if one is None:
        return Light(name, "unknown", why_not(found), rule, False)
    state = {"good": "bad", "bad": "good"}.get(_side(one), "bad" if ruled_out(found) else "watch")
    return Light(name, state, message("{value} points; below 0 is better.", value=one.shown), rule, False)


def ruled_out(found: object) -> bool:
    """Whether the interval leaves no gain of pupils that would matter."""
    low = getattr(found, "g_low", math.nan)
    return not math.isnan(low) and low > -PUPILS_FROM


def _harms(result: TrainingResult, params: Params) -> Light:
    rule = message("bad: any recorded burden is commoner beyond chance; good: all are recorded after the training, and an increase of "
                   "{margin} SD is ruled out for each", margin=f"{params.margin:g}")  # fmt: skip
    state, said = slot(result, "burden", "state") or ("unknown", NOT_LOOKED_AT)
    return Light(message("No recorded burden is commoner with it"), state, said, rule, True)


def _cost(result: TrainingResult, params: Params) -> Light:
    highest = max(params.prices) if params.prices else None
    rule = message("good: the whole interval of the cost of one more case rightly named below the highest price stated, {price} yuan; "
                   "never bad, since the cost is spent and the gain may last",
                   price="–" if highest is None else f"{highest:g}")  # fmt: skip
    name, found = message("It is worth its cost"), slot(result, "cost", "gained")
    refused = getattr(found, "refused", found)
    if found is None or isinstance(refused, Refused):
        return Light(name, "unknown", why_not(refused), rule, False)
    value = Estimate(rounded(found.cost), found.n_used, rounded(found.cost_low), rounded(found.cost_high), digits=0)
    said = message("{value} yuan for one more case rightly named, so far.", value=value)
    state = "good" if highest is not None and found.cost_high <= highest else "watch"
    return Light(name, state, said, rule, False)


def _cascade(result: TrainingResult, params: Params) -> Light:
    rule = message(
        "interval of the share of the first tier's gain that arrives, against {share}%",
        share=f"{100 * params.kept_from:g}",
    )
    name, found = message("It arrives in the class"), slot(result, "cascade", "share")
    one = known(found)
    if one is None:
        return Light(name, "unknown", why_not(found), rule, False)
    state = "good" if one.low >= params.kept_from else "bad" if one.high < params.kept_from else "watch"
    return Light(
        name,
        state,
        message("{value} of the first tier's gain (1 would be all).", value=one.shown),
        rule,
        False,
    )


def _reach(result: TrainingResult, params: Params) -> Light:
    rule = message("interval of the share in post with a valid certificate, of the level that most hold, against {share}%",
                   share=f"{100 * COVERED_FROM:g}")  # fmt: skip
    name, found = message("It reached those it is for"), slot(result, "reach", "coverage")
    one = covered(found)
    if one is None:
        return Light(name, "unknown", why_not(found) if isinstance(found, Refused) else NOT_LOOKED_AT, rule, True)
    state = "good" if one.low >= COVERED_FROM else "bad" if one.high < COVERED_FROM else "watch"
    return Light(name, state, message("{value} of those in post.", value=one.share), rule, True)


OTHERS = {"skill": _skill, "behaviour": _behaviour, "pupils": _pupils, "harms": _harms, "cost": _cost, "cascade": _cascade,
          "reach": _reach}  # fmt: skip


def covered(found: object) -> Known | None:
    """Coverage of the certificate that most hold, among all in post."""
    if not isinstance(found, Drawn):
        return known(found)
    table = found.table
    if "subgroup" in table and (table["subgroup"] == "among_all").any():
        table = table[table["subgroup"] == "among_all"]
    table = table[table["conf_low"].notna()]
    if table.empty:
        return None
    row = table.loc[table["estimate"].idxmax()]
    n = row["denominator"] if "denominator" in table else row["n_used"]
    return Known(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), int(n))


def rounded(money: float) -> float:
    """Three digits, as every sum of money is shown."""
    return float(f"{money:.3g}")


def _side(one: Known) -> str:
    return "good" if one.low > 0 else "bad" if one.high < 0 else "watch"


def states(result: TrainingResult, params: Params) -> dict[str, str]:
    """State of each level's light; learning is the light of the size that matters."""
    said = training_said.lights(result, params)
    found = {"reaction": "unknown", "learning": said[0].state, "kept": said[2].state}
    return found | {name: light(result, params).state for name, light in OTHERS.items()}


STARTS = {"strong": 5, "weakened": 3, "weak": 2, "none": 0}
LOST = {"tolerable": 1, "high": 2}
RULE = message(
    "Grade of the evidence, 0 to 5. It starts at 5 where lots decided who is trained, at 3 where lots are weakened, at 2 where "
    "schools were compared without lots or tiers with each other, and at 5 where records are only counted. It falls by 1 or 2 for "
    "losses, by 1 with fewer than {few} units, by 1 where those who train also measure or keep the records, by 1 where a price or "
    "the time of a record is supposed. It does not fall below 1 where there is an estimate with its interval; it is 0 where there "
    "is none. It says how far a finding can be trusted, and nothing of whether it is welcome.",
    few=FEW_CLUSTERS,
)  # fmt: skip
LOWERED = {
    "none": message("no estimate with an interval"),
    "design": message("no lots"),
    "weakened": message("lots weakened by losses or by few units"),
    "tiers": message("tiers were not drawn by lots"),
    "losses": message("losses"),
    "units": message("few units"),
    "own": message("measured or recorded by those who train"),
    "supposed": message("a price is supposed"),
    "time": message("when it was recorded is not known"),
}


def grades(result: TrainingResult, params: Params) -> Drawn:
    """Finding and grade of each level, with what lowered it; the rule stands below."""
    state, rows = states(result, params), []
    for level, words in LEVELS.items():
        grade, lowered = grade_of(result, level)
        rows.append(
            {
                "level_said": words,
                "state_said": STATES[state[level]],
                "evidence_grade": grade,
                "lowered_said": listed(lowered),
            }
        )
    return Drawn(table=pd.DataFrame(rows), lacking=(RULE,))


def grade_of(result: TrainingResult, level: str) -> tuple[int, list[Message]]:
    """Grade and what lowered it."""
    found = {
        "learning": slot(result, "learning", "effect"), "kept": slot(result, "learning", "kept"),
        "skill": slot(result, "skill", "gained"), "behaviour": slot(result, "behaviour", "gained"),
        "pupils": slot(result, "pupils", "effect"), "harms": slot(result, "burden", "absence"),
        "cost": slot(result, "cost", "gained"), "cascade": slot(result, "cascade", "share"),
        "reach": slot(result, "reach", "coverage"),
    }.get(level)  # fmt: skip
    if level == "cost":
        there = found is not None and not isinstance(getattr(found, "refused", found), Refused)
    else:
        there = (covered(found) if level == "reach" else known(found)) is not None
    if not there:
        return 0, [LOWERED["none"]]
    grade, lowered = _start(result, level)
    for points, reason in _falls(result, level, found):
        grade -= points
        lowered.append(LOWERED[reason])
    return max(grade, 1), lowered


def _start(result: TrainingResult, level: str) -> tuple[int, list[Message]]:
    if level == "reach":
        return 5, []
    strength = training_said.strength_of(result)
    grade, lowered = (
        STARTS[strength],
        [] if strength == "strong" else [LOWERED["weakened" if strength == "weakened" else "design"]],
    )
    return (2, [LOWERED["tiers"]]) if level == "cascade" and grade > 2 else (grade, lowered)


def _falls(result: TrainingResult, level: str, found: object) -> list[tuple[int, str]]:
    falls = []
    tested = level in ("learning", "kept", "skill", "cascade")
    if tested and result.flow.level in LOST:
        falls.append((LOST[result.flow.level], "losses"))
    units = getattr(found if level != "kept" else slot(result, "learning", "effect"), "n_clusters", None)
    if level != "reach" and units is not None and units < FEW_CLUSTERS:
        falls.append((1, "units"))
    if level in ("learning", "kept", "cascade", "reach"):
        falls.append((1, "own"))
    if level == "cost":
        falls.append((1, "supposed"))
    if level == "harms" and not slot(result, "burden", "timed"):
        falls.append((1, "time"))
    return falls


def listed(parts: list[Message]) -> Message:
    """Words after each other, parted as the language parts them; a dash for none."""
    if not parts:
        return message("–")
    said = parts[0]
    for part in parts[1:]:
        said = message("{first}, {rest}", first=said, rest=part)
    return said
