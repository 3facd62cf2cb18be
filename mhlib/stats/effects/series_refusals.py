"""When a series cannot carry the effect of a start, and what to look at before believing one."""

from __future__ import annotations

import math

from mhlib.findings import Check, Refused, message
from mhlib.stats.effects.series_fit import LEAST_RHO, MOST_RHO, SeriesFit
from mhlib.stats.effects.series_rows import Weeks

# Fewer weeks on one side show neither a slope nor how weeks hang together.
FEWEST_WEEKS = 8
FEWEST_DF = 4.0
# Events a week, on average on either side; below, the expected counts are too uneven for normal errors of a log rate.
FEWEST_EVENTS = 3


def few_weeks_refusal(weeks: Weeks) -> Refused | None:
    """Refusal, code `too_few_weeks_before` or `too_few_weeks_after`, below 8 measured weeks on one side."""
    if weeks.n_before < FEWEST_WEEKS:
        return Refused(
            "too_few_weeks_before",
            message(
                "{n} taught weeks were measured before the start, fewer than {least}: what would have happened without "
                "the programme cannot be drawn from so few.",
                n=weeks.n_before,
                least=FEWEST_WEEKS,
            ),
            message(
                "Collect the same number for at least {least} taught weeks before the start, best for a whole school year.",
                least=FEWEST_WEEKS,
            ),
        )
    if weeks.n_after < FEWEST_WEEKS:
        return Refused(
            "too_few_weeks_after",
            message(
                "{n} taught weeks were measured since the start, fewer than {least}: a level and a slope cannot be told "
                "apart in so few.",
                n=weeks.n_after,
                least=FEWEST_WEEKS,
            ),
            message("Go on measuring until {least} taught weeks with the programme are there.", least=FEWEST_WEEKS),
        )
    return None


def few_events_refusal(weeks: Weeks) -> Refused | None:
    """Refusal of rates, code `too_few_events`, with fewer than 3 events a week on average before or after the start."""
    if weeks.exposure is None:
        return None
    if min(weeks.y[weeks.since < 0].mean(), weeks.y[weeks.since >= 0].mean()) >= FEWEST_EVENTS:
        return None
    return Refused(
        "too_few_events",
        message(
            "Before or after the start there were fewer than {least} events a week on average: a weekly rate cannot be "
            "followed.",
            least=FEWEST_EVENTS,
        ),
        message("Take months instead of weeks, or put more schools together."),
    )


def start_check(weeks: Weeks) -> Check:
    """Whether the programme began within a term: failed where a holiday or a new term lies at the start."""
    return Check(
        message("The start is no change of term"),
        not (weeks.gap_at_start or weeks.season_at_start),
        message(
            "A start right after a holiday, or with a new term, cannot be told from what a new term does by itself; a "
            "comparison series without the programme can."
        ),
    )


def whiteness_check(p_value: float, lags: int) -> Check:
    """Whether what AR(1) leaves over is without autocorrelation."""
    return Check(
        message("Weeks hang together only with the week before"),
        None if math.isnan(p_value) else p_value >= 0.05,
        message(
            "Ljung-Box test of what AR(1) leaves over, {lags} lags: p = {p}; below .05 the intervals may be too short.",
            lags=lags,
            p=round(p_value, 3),
        ),
    )


def level_check(fit: SeriesFit) -> Check:
    """Whether the series has a level of its own: failed where the autocorrelation lies at the edge."""
    return Check(
        message("The series returns to its own line"),
        LEAST_RHO + 0.01 < fit.rho < MOST_RHO - 0.01,
        message(
            "Autocorrelation of neighbouring weeks: {rho}; near 1 the series drifts, and drift cannot be told from an "
            "effect.",
            rho=round(fit.rho, 2),
        ),
    )


def length_check(weeks: Weeks, df: float) -> Check:
    """Whether the level change rests on 4 degrees of freedom or more."""
    return Check(
        message("Weeks enough for a p-value"),
        df >= FEWEST_DF,
        message(
            "{n} weeks leave {df} degrees of freedom for the change of level; below {least} no p-value is given.",
            n=len(weeks.y),
            df=round(df, 1),
            least=FEWEST_DF,
        ),
    )
