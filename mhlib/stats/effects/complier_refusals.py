"""When the effect on those who took part because they were offered it must not be given, and what it always rests on."""

from __future__ import annotations

import numpy as np

from mhlib.findings import Check, Refused, message

# Least difference in uptake, and least F of it (Staiger & Stock 1997), for Wald's interval to be read.
LEAST_UPTAKE, LEAST_F = 0.10, 10.0
ODD_UPTAKE = 0.05


def uptake_refusal(difference: float) -> Refused:
    """Refusal (code `little_difference_in_uptake`) where the offer hardly changed who took part."""
    return Refused(
        "little_difference_in_uptake",
        message(
            "The offer raised the share who took part by {percent} percentage points, less than {least}: too few took part "
            "because of it for their own effect to be told. Read the Anderson-Rubin set and the effect of the offer.",
            percent=round(100 * difference, 1),
            least=round(100 * LEAST_UPTAKE),
        ),
        message("Raise attendance among those offered the programme, and keep it from those who are not."),
    )


def weak_refusal(f: float) -> Refused:
    """Refusal (code `weak_first_stage`) where the difference in uptake is not sure enough."""
    return Refused(
        "weak_first_stage",
        message(
            "The difference in uptake has F = {f}, below {least}: the usual interval of the effect on those who took part "
            "is then wrong. Read the Anderson-Rubin set and the effect of the offer.",
            f=round(f, 1),
            least=LEAST_F,
        ),
        message("Collect from more schools, and record for every pupil offered a place whether it was taken up."),
    )


def exclusion_check() -> Check:
    """Check that cannot be looked at: the offer works through taking part alone."""
    return Check(
        message("The offer works through taking part only"),
        None,
        message(
            "The effect on those who took part supposes that an offer not taken up changes nothing, and that friends' "
            "sessions do not help either. Where a school's climate changes for all, it is too large."
        ),
    )


def monotone_check(uptake_offered: float, uptake_others: float) -> Check:
    """Check that nobody outside the offer took part: then nobody can have done the opposite of the offer."""
    return Check(
        message("Nobody did the opposite of the offer"),
        True if uptake_others == 0 or uptake_offered == 1 else None,
        message(
            "{offered} % of those offered and {others} % of the others took part; where both are neither 0 nor 100 %, "
            "nothing shows that nobody stayed away because of the offer.",
            offered=round(100 * uptake_offered, 1),
            others=round(100 * uptake_others, 1),
        ),
    )


def as_treated_check() -> Check:
    """Check that always fails: who came how often was not allocated."""
    return Check(
        message("Sessions were allocated, not chosen"),
        False,
        message(
            "Pupils, families and timetables decided how many sessions were attended. Whoever improves may stay, or leave; "
            "the slope is confounded and is no effect of a session."
        ),
    )


def straight_check(p_value: float) -> Check:
    """Check that one straight line describes the sessions as well as several pieces do."""
    return Check(
        message("Sessions relate to the outcome by one straight line"),
        None if np.isnan(p_value) else bool(p_value >= 0.05),
        message("Test that the slopes of all pieces are alike: p = {p}.", p=round(float(p_value), 3)),
    )


def thin_levels_check(n_thin: int) -> Check:
    """Check that every number of sessions was attended by ten pupils or more."""
    return Check(
        message("Pupils at every number of sessions"),
        n_thin == 0,
        message("{n} numbers of sessions were attended by fewer than ten pupils; their means are unsure.", n=n_thin),
    )
