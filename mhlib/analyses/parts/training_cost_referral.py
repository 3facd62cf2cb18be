"""Cost of one more case that teachers rightly name, and the net benefit at each price; refused where no gain is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training, without_table
from mhlib.findings import Refused, message
from mhlib.stats.effects.retention_fieller import fieller
from mhlib.stats.intervals import wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

LEAST_DF = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Gained:
    """Cases rightly named beyond those without the training, in the trained schools since the training.

    Attributes
    ----------
    number, low, high : float
        Change in the share named, times the cases there were; the interval holds both uncertainties.
    cases : float
        Cases in the trained schools, over the waves since, from interviews and their chances of being drawn.
    cost, cost_low, cost_high : float
        Yuan for one of them: Fieller's limits; NaN with `refused` where the gain may be nought.
    total : float
        Yuan spent.
    """

    number: float
    low: float
    high: float
    cases: float
    waves: int
    cost: float
    cost_low: float
    cost_high: float
    total: float
    refused: Refused | None
    n_used: int


def gained(training: Training, params: Params, behaviour: object, total: float) -> Gained | Refused:
    """From the difference in differences of the share of cases named, and the cases that there were."""
    change = getattr(behaviour, "gained", None)
    if change is None:
        return Refused("no_behaviour_effect", message("What teachers do was not compared, so no gain can be set against the cost."),
                       message("Whom teachers named before and after the training, in trained and waiting schools, and "
                               "interviews."))  # fmt: skip
    if isinstance(change, Refused):
        return change
    if math.isnan(change.conf_low) or not change.df >= LEAST_DF:
        return Refused("few_degrees_of_freedom", message("Too few units stand behind it for an interval."),
                       message("Teachers of more schools."))  # fmt: skip
    found = cases_there(training, params)
    if isinstance(found, Refused):
        return found
    cases, variance, waves = found
    number = change.estimate * cases
    spread = cases**2 * change.std_error**2 + change.estimate**2 * variance + change.std_error**2 * variance
    low, high = wald(number, math.sqrt(spread), params.conf_level, change.df)
    refused, cost = None, (math.nan,) * 3
    if change.conf_low <= 0 or low <= 0:
        refused = gain_not_shown()
    else:
        ratio = fieller(
            total,
            number,
            np.diag([0.0, spread]),
            df=change.df,
            conf_level=params.conf_level,
        )
        cost = (ratio.value, ratio.conf_low, ratio.conf_high)
    return Gained(number=number, low=low, high=high, cases=cases, waves=waves, cost=cost[0], cost_low=cost[1], cost_high=cost[2],
                  total=total, refused=refused, n_used=int(change.n_used))  # fmt: skip


def gain_not_shown() -> Refused:
    """No cost for one more where there may be none more."""
    return Refused(
        "gain_not_shown",
        message("The interval of the gain in cases named holds 0 or less, so a cost for one more would have no upper limit. The net "
                "benefit stands in its place."),
        message("More schools and more interviews."),
    )  # fmt: skip


def cases_there(training: Training, params: Params) -> tuple[float, float, int] | Refused:
    """Cases in the trained schools over the waves since the training, each interview standing for those not drawn.

    Sum of 1/p over cases; its variance sum of (1-p)/p^2 (independent draws; Horvitz & Thompson 1952 JASA 47:663).
    """
    if params.named_from_wave is None:
        return Refused("no_wave", message("It is not stated from which wave on teachers were trained."),
                       message("The first screening wave after the training, as parameter named_from_wave."))  # fmt: skip
    columns = ["school_pid", "wave", "probability", "case"]
    interviews = training.data.read("assessment", columns=columns)
    if interviews is None:
        return without_table("assessment")
    trained = training.teachers.loc[training.teachers["treated"] == 1]
    schools = set(trained["school_pid"]) if "school_pid" in trained else set()
    chosen = interviews[interviews["school_pid"].isin(schools) & (interviews["wave"] >= params.named_from_wave)]
    chosen = chosen[chosen["case"].fillna(0).astype(bool) & (chosen["probability"] > 0)]
    if chosen.empty:
        return Refused("no_cases", message("No case was found in the trained schools since the training."),
                       message("Interviews of a random sample by screening score, with the chance of being drawn."))  # fmt: skip
    weight = 1.0 / chosen["probability"].astype(float)
    return float(weight.sum()), float((weight * (weight - 1.0)).sum()), int(chosen["wave"].nunique())


def per_referral(found: Gained | Refused) -> Drawn | Refused:
    """Cases gained and what one of them cost."""
    if isinstance(found, Refused):
        return found
    if found.refused:
        return found.refused
    rows = [("cost_all", found.total, math.nan, math.nan), ("cases_gained", found.number, found.low, found.high),
            ("cost_referral", found.cost, found.cost_low, found.cost_high)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["term", "estimate", "conf_low", "conf_high"])
    return Drawn(table=table.assign(n_used=found.n_used), lacking=(
        message("Counted over the {n} screening waves since the training. If the gain lasts, a case costs less as waves go by.",
                n=found.waves),))  # fmt: skip


def net_benefit(found: Gained | Refused, params: Params) -> Drawn | Refused:
    """Worth of the cases gained less all costs, at each price; it stands also where no gain is shown."""
    if isinstance(found, Refused):
        return found
    if not params.prices:
        return Refused("no_prices", message("Nothing says what one more case rightly named might be worth."),
                       message("A range of sums that the bureau might pay for one more, as parameter prices."))  # fmt: skip
    rows = [{"case_price": price, "term": "benefit_training", "estimate": price * found.number - found.total,
             "conf_low": price * found.low - found.total, "conf_high": price * found.high - found.total, "n_used": found.n_used}
            for price in sorted(params.prices)]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))
