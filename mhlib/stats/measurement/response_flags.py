"""Which indices can be had from what was collected, and whom each would flag by a stated rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mhlib.errors import ParamsError
from mhlib.findings import Message, message
from mhlib.stats import inputs
from mhlib.stats.measurement.item_matrix import ItemMatrix
from mhlib.stats.measurement.response_indices import (
    even_odd,
    longest_run,
    mahalanobis,
    outside_index,
    spread_within,
)


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its value for each person (NaN unknown), who is flagged, and by which rule."""

    value: np.ndarray
    flagged: np.ndarray
    rule: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRules:
    """Bounds of the indices; each is a choice and stands in the result.

    Attributes
    ----------
    long_string_at : int, optional
        Flag runs of at least so many equal answers; half the items, at least 10 and at most all, when left out.
    irv_at_most : float
        Flag a standard deviation within the person at or below it.
    mahalanobis_p : float
        Flag below this p value.
    even_odd_below : float
        Flag below this consistency.
    lie_at : float, optional
        Flag at or above this lie score; needed when a lie score is given, because sources differ.
    seconds_per_item : float
        Flag faster than this (Huang et al. 2012: 2 seconds).
    person_fit_below : float
        Flag lz below it.
    """

    long_string_at: int | None = None
    irv_at_most: float = 0.0
    mahalanobis_p: float = 0.001
    even_odd_below: float = 0.30
    lie_at: float | None = None
    seconds_per_item: float = 2.0
    person_fit_below: float = -2.0


def response_flags(
    matrix: ItemMatrix,
    keyed: np.ndarray | None,
    rules: FlagRules,
    *,
    keep: np.ndarray,
    lowest: float | None,
    scales: Mapping[str, Sequence[str]] | None,
    lie: object,
    seconds: object,
    person_fit: object,
) -> dict[str, Index]:
    """Every index that the data allow, in a fixed order."""
    answers = matrix.complete
    found = from_answers(answers, rules, floor=None if keyed is not None else floor_of(answers, lowest))
    if scales is not None:
        value = even_odd(answers if keyed is None else keyed, matrix.names, scales)
        rule = message("halves of the subscales agree less than {bound}", bound=rules.even_odd_below)
        found["even_odd"] = below(value, rules.even_odd_below, rule)
    if lie is not None:
        found["lie"] = lie_index(outside_index(lie, keep, name="lie"), rules.lie_at)
    if seconds is not None:
        value = outside_index(seconds, keep, name="seconds") / answers.shape[1]
        rule = message("faster than {bound} seconds an item", bound=rules.seconds_per_item)
        found["speed"] = below(value, rules.seconds_per_item, rule)
    if person_fit is not None:
        rule = message("person fit below {bound}", bound=rules.person_fit_below)
        found["person_fit"] = below(outside_index(person_fit, keep, name="person_fit"), rules.person_fit_below, rule)
    return found


def floor_of(answers: np.ndarray, lowest: float | None) -> float:
    """The lowest answer of the scale: as given, or as seen."""
    return float(answers.min()) if lowest is None else float(lowest)


def from_answers(answers: np.ndarray, rules: FlagRules, *, floor: float | None) -> dict[str, Index]:
    """Indices that need the answers only. With a floor (no reversed items) the lowest answer is never careless."""
    k = answers.shape[1]
    at = min(max(10, math.ceil(k / 2)), k) if rules.long_string_at is None else rules.long_string_at
    if not 2 <= at <= k:
        raise ParamsError("response_quality(long_string_at)", f"is {at}", allowed=f"2 to the number of items, {k}")
    run, spread = longest_run(answers), spread_within(answers)
    counted = run if floor is None else longest_run(answers, above=floor)
    legal = np.zeros(len(answers), dtype=bool) if floor is None else (answers <= floor).all(axis=1)
    distance, p_value = mahalanobis(answers)
    same = (
        message("one answer to everything, other than the lowest")
        if floor is not None
        else message("one answer to everything")
    )
    return {
        "straight_line": Index(run.astype(float), (run == k) & ~legal, same),
        "long_string": Index(
            run.astype(float), counted >= at, message("{at} or more equal answers in a row", at=at)
            if floor is None else message("{at} or more equal answers above the lowest in a row", at=at),
        ),
        "irv": Index(
            spread, (spread <= rules.irv_at_most) & ~legal,
            message("standard deviation of own answers at most {bound}", bound=rules.irv_at_most),
        ),
        "mahalanobis": Index(
            distance, (p_value < rules.mahalanobis_p) & ~legal,
            message("distance from the usual pattern, p < {bound}", bound=rules.mahalanobis_p),
        ),
    }  # fmt: skip


def below(value: np.ndarray, bound: float, rule: Message) -> Index:
    """Flag below a bound; unknown is not flagged."""
    with np.errstate(invalid="ignore"):
        return Index(value, value < bound, rule)


def lie_index(value: np.ndarray, bound: float | None) -> Index:
    """Flag at or above the bound of the lie scale."""
    if bound is None:
        raise ParamsError(
            "response_quality(lie_at)", "is not given", allowed="the lie score at which answers count as doubtful",
            remedy="take it from the manual in use; sources differ",
        )  # fmt: skip
    with np.errstate(invalid="ignore"):
        return Index(value, value >= bound, message("lie score of {bound} or more", bound=bound))


def checked_bounds(rules: FlagRules) -> FlagRules:
    """Pass the rules on once their bounds make sense."""
    inputs.open_unit(rules.mahalanobis_p, where="response_quality", name="mahalanobis_p")
    if rules.seconds_per_item <= 0:
        raise ParamsError("response_quality(seconds_per_item)", f"is {rules.seconds_per_item}", allowed="above 0")
    return rules
