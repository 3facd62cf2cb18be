"""Checks that every evaluation of a screening wave makes of its data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mhlib.findings import Check, Count, Proportion, message

# The share of those enrolled below which non-response may carry the result.
LEAST_PARTICIPATION = 0.9
DESIGNS = {
    "all": message("everybody"),
    "two_phase": message("a share of screen-positives and of screen-negatives"),
    "positives_only": message("screen-positives only"),
    "none": message("nobody"),
}


def answers_are_fresh(last: date | None, *, as_of: date, limit: int) -> Check:
    """Whether the last answer lies at most `limit` days before the day the report speaks for."""
    name = message("The answers are recent")
    if last is None:
        return Check(name, None, message("The source does not say when the answers were given."))
    age = (as_of - last).days
    if age < 0:
        return Check(name, False, message("Answers were given after the day for which the report speaks."))
    detail = message("The last answer is {age} days old; more than {limit} raise an alarm.", age=age, limit=limit)
    return Check(name, age <= limit, detail)


def waves_are_whole(waves: Sequence[int], *, expected: int | None) -> Check:
    """Whether no wave is missing between the first and the expected one."""
    name = message("No wave is missing")
    if not waves:
        return Check(name, None, message("The source holds a single wave without a number."))
    last = max(waves) if expected is None else max(expected, max(waves))
    gaps = sorted(set(range(min(waves), last + 1)) - set(waves))
    if gaps:
        return Check(name, False, message("Missing: wave {gaps}.", gaps=", ".join(map(str, gaps))))
    return Check(name, True, message("Waves {first} to {last} are all there.", first=min(waves), last=last))


def participation(scored: int, enrolled: int | None) -> Check:
    """Whether nine in ten of those enrolled have a score."""
    name = message("Nine in ten of those enrolled have a score")
    if not enrolled:
        return Check(name, None, message("The source does not say how many were enrolled."))
    share = scored / enrolled
    detail = message(
        "{share} of {enrolled} enrolled have a score.", share=Proportion(share, enrolled), enrolled=Count(enrolled)
    )
    return Check(name, share >= LEAST_PARTICIPATION, detail)


def reference_is_concurrent(timing: str) -> Check:
    """Whether screen and reference speak of the same time, by the declared design."""
    name = message("Screen and reference speak of the same time")
    if timing == "concurrent":
        return Check(name, True, message("The interview followed the screen."))
    detail = {
        "past": message("The reference lies in the past: the figures describe association and predict nothing."),
        "future": message("The reference lies in the future: cases treated meanwhile count as false alarms."),
    }[timing]
    return Check(name, False, detail)


def verified_as_designed(design: str, positive_share: float, negative_share: float) -> Check:
    """Whether the shares interviewed on both sides of the cut-off are those of the declared design."""
    name = message("Those interviewed are those the design says")
    holds = {
        "all": positive_share == 1 and negative_share == 1,
        "two_phase": positive_share > 0 and negative_share > 0,
        "positives_only": positive_share > 0 and negative_share == 0,
        "none": positive_share == 0 and negative_share == 0,
    }[design]
    detail = message(
        "Declared: {design}. Interviewed: {positive} of screen-positives, {negative} of screen-negatives.",
        design=DESIGNS[design], positive=_percent(positive_share),
        negative=_percent(negative_share),
    )  # fmt: skip
    return Check(name, holds, detail)


def _percent(share: float) -> str:
    """A share in whole percent; a small one is not rounded away to none."""
    return f"{share:.0%}" if share == 0 or share >= 0.01 else "< 1%"
