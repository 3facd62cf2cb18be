"""When a roll-out is no stepped wedge, and what to look at before its effect is believed."""

from __future__ import annotations

import math

import numpy as np

from mhlib.findings import Check, Refused, message
from mhlib.stats.effects.wedge_rows import Rollout

ENOUGH_SCHOOLS = 12


def design_refusal(rollout: Rollout) -> Refused | None:
    """Refusal with code `no_untreated_period`, `school_never_crosses` or `one_start`."""
    measured = rollout.counts > 0
    before = (measured & (rollout.schedule == 0)).any(axis=1)
    after = (measured & (rollout.schedule > 0)).any(axis=1)
    if not before.all():
        return Refused(
            "no_untreated_period",
            message(
                "{n} of {total} schools were never measured without the programme: how they crossed over cannot be seen.",
                n=int((~before).sum()),
                total=len(before),
            ),
            message("Collect at least one period before the start of every school."),
        )
    if not after.all():
        return Refused(
            "school_never_crosses",
            message(
                "{n} of {total} schools were never measured with the programme: this is no stepped wedge.",
                n=int((~after).sum()),
                total=len(after),
            ),
            message("Go on until every school has begun, or compare by difference-in-differences."),
        )
    if len(np.unique(rollout.first)) < 2:
        return Refused(
            "one_start",
            message("All schools began in the same period: the programme cannot be told from that period."),
            message("Let schools begin in different periods, by lot; here only an interrupted time series is left."),
        )
    return None


def constant_check(p_value: float) -> Check:
    """Whether the effect is the same however long a school has had the programme."""
    return Check(
        message("The effect does not change with time under the programme"),
        None if math.isnan(p_value) else p_value >= 0.05,
        message(
            "Test of equal effects over the time under the programme: p = {p}. Where it grows or fades, the model of one "
            "constant effect is wrong, and can even turn its sign; read the average over time under the programme.",
            p="not given" if math.isnan(p_value) else round(p_value, 3),
        ),
    )


def schools_check(n_schools: int) -> Check:
    """Enough schools for the model's interval to stand alone."""
    return Check(
        message("Schools enough for the model"),
        n_schools >= ENOUGH_SCHOOLS,
        message(
            "{n} schools; with fewer than {enough} read the permutation of the schedule beside the model.",
            n=n_schools,
            enough=ENOUGH_SCHOOLS,
        ),
    )


def converged_check(converged: bool) -> Check:
    """Whether the mixed model found its optimum."""
    return Check(
        message("The mixed model converged"),
        converged,
        message("Two optimisers from different starts reach the same likelihood when this holds."),
    )


def floor_refusal(possible: int, floor: float) -> Refused:
    """Refusal of a permutation that could not reach the level whatever the data, code `permutation_floor`."""
    return Refused(
        "permutation_floor",
        message(
            "The schools could have begun in {possible} orders only, so the permutation cannot give a p-value below "
            "{floor}.",
            possible=possible,
            floor=round(floor, 3),
        ),
        message("Let more schools begin in more periods: five schools with five starts are enough for .05."),
    )
