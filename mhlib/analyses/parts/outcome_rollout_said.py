"""What a roll-out says in sentences, and the lights of its risks of bias."""

from __future__ import annotations

import math

import numpy as np

from mhlib.analyses.parts import outcome_rollout_panel as dosed
from mhlib.analyses.parts import outcome_rollout_schools as schools
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import FEW_CLUSTERS
from mhlib.findings import Estimate, Light, Message, Refused, message

# Steps after as large as the largest before that an effect should survive.
ENOUGH_MBAR = 1.0
FEWEST_IN_COHORT = 5


def _worded(has: schools.Staggered, term: str, pool: str | None = None) -> Estimate:
    result = has.found[pool or has.planned]
    at = result.position(term)
    return Estimate(float(result.estimates[at]), has.n_people, *_ends(result.conf_low[at], result.conf_high[at]))


def _ends(low: float, high: float) -> tuple[float | None, float | None]:
    return (None, None) if np.isnan(low) else (float(low), float(high))


def reading(has: schools.Staggered) -> list[Message]:
    """The effect in words, beside what other comparisons give and what unlike trends could do to it."""
    main = has.main
    if isinstance(main, Refused):
        return []
    said = [message("Over all units and times under the programme the difference is {value} points from what would have been, had the "
                    "units otherwise moved like those they are compared with.", value=_worded(has, "overall"))]  # fmt: skip
    lags = [int(term[2:]) for term in main.terms if term.startswith("e=") and int(term[2:]) >= 0]
    if len(lags) > 1:
        said.append(message("In the first term or year of the programme the difference is {first}, in the last one seen {last}; "
                            "the last rests on the units that began first.",
                            first=_worded(has, "e=0"), last=_worded(has, f"e={max(lags)}")))  # fmt: skip
    other = "not_yet" if has.planned == "never" else "never"
    if not isinstance(has.found[other], Refused):
        value = _worded(has, "overall", other)
        said.append(
            message("Compared with units that had not yet begun it is {value}.", value=value)
            if other == "not_yet"
            else message("Compared with units that never began it is {value}.", value=value)
        )
    if main.two_way is not None:
        two = Estimate(main.two_way.estimate, has.n_people, *_ends(main.two_way.conf_low, main.two_way.conf_high))
        said.append(message("The usual two-way regression gives {value}, with {percent} % of its weight on comparisons with units "
                            "already served.", value=two, percent=round(100 * main.two_way.forbidden)))  # fmt: skip
    return [*said, *_honest_words(has), *_few_words(main.n_schools)]


def _honest_words(has: schools.Staggered) -> list[Message]:
    if isinstance(has.study, Refused) or not has.study.bounds:
        return []
    one = next(
        bound for bound in has.study.bounds if bound.restriction == "relative_magnitudes" and bound.limit == ENOUGH_MBAR
    )
    return [message("Should trends after the start differ from one time to the next by as much as they ever did before, the average "
                    "by time since the start would lie between {low} and {high}.",
                    low=Estimate(one.conf_low, has.n_people), high=Estimate(one.conf_high, has.n_people))]  # fmt: skip


def _few_words(n_units: int) -> list[Message]:
    if n_units >= FEW_CLUSTERS:
        return []
    return [message("With fewer than {few} units the errors themselves are uncertain; an effect by start and time that stands alone "
                    "says little.", few=FEW_CLUSTERS)]  # fmt: skip


TRENDS = message("Trends would have been alike")
TRENDS_RULE = message("bad: they differed before; good: the effect survives steps as large as the largest before")
OTHERS = message("Nothing else began with the programme")


def domains(has: schools.Staggered, tested: Drawn | Refused, alpha: float) -> list[Light]:
    """Risks of a comparison of trends, by rules fixed in advance; `alpha` is the size of the plan's test."""
    if isinstance(has.main, Refused):
        return []
    return [_trends(has, tested, alpha), _compared(has), _group_size(has), _nothing_else()]


def _trends(has: schools.Staggered, tested: Drawn | Refused, alpha: float) -> Light:
    if isinstance(tested, Refused):
        return Light(TRENDS, "unknown", tested.why, TRENDS_RULE, True)
    p_value, breaks = float(tested.table["p_value"].iloc[0]), has.study.breakdown_mbar
    if p_value < alpha:
        return Light(
            TRENDS, "bad", message("They differed before the programme: p {p}.", p=f"{p_value:.3f}"), TRENDS_RULE, True
        )
    state = "good" if breaks >= ENOUGH_MBAR else "watch"
    said = (
        message("No difference was found before; nought stays excluded as long as steps after are within {times} "
                "times the largest before.",
                times="10" if math.isinf(breaks) else f"{breaks:.2f}")
        if breaks > 0
        else message("No difference was found before; the interval holds nought even if trends were alike.")
    )  # fmt: skip
    return Light(TRENDS, state, said, TRENDS_RULE, True)


def _compared(has: schools.Staggered) -> Light:
    never = has.main.cohorts.get("never", 0)
    pool = {"never": message("those that never began"), "not_yet": message("those that had not yet begun")}[has.planned]
    said = message("{n} units never began; the effect takes {pool} as the comparison.", n=never, pool=pool)
    rule = message("good: five units or more never began; nobody is compared with units already served")
    return Light(
        message("Compared with units not served"),
        "good" if never >= schools.FEWEST_NEVER else "watch",
        said,
        rule,
        True,
    )


def _group_size(has: schools.Staggered) -> Light:
    fewest = min(has.main.cohorts.values())
    state = "good" if fewest >= FEWEST_IN_COHORT else "watch" if fewest > 1 else "bad"
    return Light(message("Units in each group of one start"), state, message("The smallest group has {n} units.", n=fewest),
                 message("good: five or more in every group; bad: one alone"), True)  # fmt: skip


def _nothing_else() -> Light:
    said = message(
        "The data cannot show it: whatever else began in the same units at the same times is part of the effect."
    )
    return Light(OTHERS, "watch", said, message("to be argued, not computed; never good by itself"), True)


def dose_domains(has: dosed.TwoWay, tested: Drawn | Refused, alpha: float) -> list[Light]:
    """Risks of a two-way regression on a dose; `alpha` is the size of the plan's test."""
    if isinstance(has.main, Refused):
        return []
    rule = message("bad: exposure still to come goes with the outcome; never good by itself")
    if isinstance(tested, Refused):
        trends = Light(TRENDS, "unknown", tested.why, rule, True)
    else:
        p_value = float(tested.table["p_value"].iloc[0])
        trends = Light(TRENDS, "bad" if p_value < alpha else "watch",
                       message("Exposure still to come: p {p}.", p=f"{p_value:.3f}"), rule, True)  # fmt: skip
    weights = Light(
        message("Effects alike over units and times"), "bad" if has.negative >= dosed.MUCH_NEGATIVE else "watch",
        message("{percent} % of the weight is negative; where effects differ the estimate is no average of them.",
                percent=f"{100 * has.negative:.1f}"),
        message("bad: {percent} % or more of the weight is negative", percent=round(100 * dosed.MUCH_NEGATIVE)), True,
    )  # fmt: skip
    return [trends, weights, _nothing_else()]
