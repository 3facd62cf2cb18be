"""Checks on what misleads a reader of sound estimates: items not turned, scores lacking, groups left out, rarer cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mhlib.analyses.parts.groups import FEWEST, grouping, large
from mhlib.analyses.parts.item_checks import GROUPS
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_accuracy import circular, verification_options
from mhlib.analyses.parts.sections import item_number, tried, without_reference
from mhlib.data.scoring import positive
from mhlib.findings import Check, Count, Proportion, Refused, message
from mhlib.stats.accuracy import (
    TwoByTwo,
    VerificationCorrected,
    corrected_refusal,
    naive_accuracy_refusal,
    predictive_values_at,
    two_by_two_from_rows,
    verification_corrected,
)

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# More unscored pupils than one in a hundred move the share of screen-positives by as much as a wave's own change does.
MOST_UNSCORED = 0.01
# Standard errors by which chance alone seldom moves a total (1 %).
UNLIKELY = 2.576
# A correlation with the strongest component below which an item has no direction to speak of.
DIRECTED = 0.30


def traps(data: Screened, params: Params) -> list[Check]:
    """Every check of this module that the wave and the parameters give a reason for."""
    found = [
        interviews_match_chances(data),
        items_point_one_way(data),
        scored_as_answered(data, params),
        groupings_are_whole(data, params),
        predictive_value_travels(data, params),
    ]
    return [check for check in found if check is not None]


def interviews_match_chances(data: Screened) -> Check | None:
    """Whether those interviewed, each counted for one over the stated chance, add up to those screened.

    Where they do not, the chances are not those by which pupils were interviewed, and whoever was left out may differ.
    The total of inverse chances has variance sum of (1 - p) / p squared (Horvitz & Thompson 1952).
    """
    weights = data.interview_weights
    if weights is None or data.counts.n_verified == data.counts.n:
        return None
    name, scored = message("Interviews were held at the stated chances"), data.scored
    side = scored["positive"].fillna(False).astype(bool)
    gaps, shares = {}, {}
    for positive_side in (True, False):
        people, weight = int((side == positive_side).sum()), weights[side[weights.index] == positive_side]
        spread = float(np.sqrt((weight * (weight - 1)).sum()))
        shares[positive_side] = float(weight.sum()) / people if people else 1.0
        gaps[positive_side] = abs(float(weight.sum()) - people) / spread if spread > 0 else 0.0
    detail = message(
        "Counted by their chances, the interviewed stand for {positive} of the screen-positives and {negative} of the "
        "screen-negatives; 100% is to be expected.",
        positive=f"{shares[True]:.0%}", negative=f"{shares[False]:.0%}",
    )  # fmt: skip
    return Check(name, max(gaps.values()) < UNLIKELY, detail)


def items_point_one_way(data: Screened) -> Check | None:
    """Whether all items load with one sign on the strongest component.

    Where half of a scale was not turned, no item need correlate negatively with the rest and alpha may still look fair,
    but the two halves stand against each other on the first component.
    """
    if data.items is None or len(data.scale.total_items) < 3:
        return None
    name = message("All items point the same way")
    items = data.items[[f"item_{number}" for number in data.scale.total_items]].dropna()
    items = items.loc[:, items.nunique() > 1]
    if len(items) <= items.shape[1] or items.shape[1] < 3:
        return Check(name, None, message("Too few answers to see which way the items point."))
    roots, vectors = np.linalg.eigh(np.corrcoef(items.to_numpy(), rowvar=False))
    loading = vectors[:, -1] * np.sqrt(roots[-1])
    ahead, against = (items.columns[sign * loading >= DIRECTED] for sign in (1, -1))
    fewer = min(ahead, against, key=len)
    if len(fewer) == 0:
        return Check(name, True, message("No items stand against the others on the strongest component."))
    detail = message("{n} items stand against the others: {items}. Check the key; nothing was turned.", n=len(fewer),
                     items=", ".join(map(item_number, fewer)))  # fmt: skip
    return Check(name, False, detail)


def scored_as_answered(data: Screened, params: Params) -> Check | None:
    """Whether nearly everybody who answered has a score: who has none is neither positive nor negative.

    The bounds are those of Manski (1989): the share if all or none of the unscored were positive.
    """
    if data.items is None:
        return None
    name = message("Nearly everybody who answered has a score")
    answered = data.people[data.items.notna().any(axis=1)]
    unscored, n = int(answered["score"].isna().sum()), len(answered)
    if n == 0:
        return Check(name, None, message("Nobody answered an item."))
    holds = unscored / n <= MOST_UNSCORED
    if params.cutoff is None:
        return Check(name, holds, message("{n} of {all} who answered have no score, for an item they left out.",
                                          n=Count(unscored), all=Count(n)))  # fmt: skip
    positives = int(positive(answered["score"], params.cutoff, direction=params.direction).sum())
    detail = message("{n} of {all} who answered have no score and are neither positive nor negative: the share of screen-positives "
                     "may lie anywhere from {low} to {high}.", n=Count(unscored), all=Count(n), low=Proportion(positives / n, n),
                     high=Proportion((positives + unscored) / n, n))  # fmt: skip
    return Check(name, holds, detail)


def groupings_are_whole(data: Screened, params: Params) -> Check | None:
    """Whether every grouping asked for is in the source, and every one of its groups is large enough to be looked at."""
    if not params.groups:
        return None
    name = message("Every group asked for can be looked at")
    absent = [grouped for grouped in params.groups if grouped not in data.people]
    if absent:
        return Check(name, False, message("The source has no grouping {absent}.", absent=", ".join(absent)))
    lost = {grouped: _outside(data, grouped) for grouped in params.groups}
    worst = max(lost, key=lambda grouped: lost[grouped])
    if lost[worst] == 0:
        return Check(name, True, message("Every pupil is in a group of at least {least}.", least=FEWEST))
    detail = message("{group}: {n} pupils are in no group, or in one of fewer than {least}, and enter no comparison.",
                     group=GROUPS.get(worst, message("groups of the source")), n=Count(lost[worst]), least=FEWEST)  # fmt: skip
    return Check(name, False, detail)


def _outside(data: Screened, grouped: str) -> int:
    """Scored pupils who are in no group that is large enough."""
    groups = grouping(data.scored, grouped)
    return int((~groups.isin(large(groups))).sum())


def predictive_value_travels(data: Screened, params: Params) -> Check | None:
    """Whether what a positive screen means here is what it means where cases are as rare as `local_prevalence` says."""
    if params.local_prevalence is None or params.cutoff is None:
        return None
    found = _accuracy(data, params)
    if isinstance(found, Refused):
        return None
    rows = found.to_frame().set_index("term")
    shares = {term: (rows.at[term, "estimate"], rows.at[term, "std_error"]) for term in ("sensitivity", "specificity")}
    there = tried(
        predictive_values_at, params.local_prevalence, **shares, n_used=found.n_used, conf_level=params.conf_level
    )
    if isinstance(there, Refused):
        return None
    here, away = rows.loc["ppv"], there.to_frame().set_index("term").loc["ppv"]
    detail = message("Of those flagged here {here} are cases; where {prevalence} of the pupils are, {away} would be.",
                     here=Proportion(here["estimate"], found.n_used, here["conf_low"], here["conf_high"]),
                     prevalence=f"{100 * params.local_prevalence:g}%",
                     away=Proportion(away["estimate"], found.n_used, away["conf_low"], away["conf_high"]))  # fmt: skip
    overlap = away["conf_low"] <= here["conf_high"] and here["conf_low"] <= away["conf_high"]
    return Check(message("A positive screen means the same where it shall be used"), bool(overlap), detail)


def _accuracy(data: Screened, params: Params) -> TwoByTwo | VerificationCorrected | Refused:
    """The table that may be believed: of everybody, else corrected; no curves, which cost more."""
    seen, counts = data.interviewed, data.counts
    refusal = without_reference() if seen.empty else circular(seen, data)
    if refusal:
        return refusal
    if counts.n_verified == counts.n or naive_accuracy_refusal(counts) is None:
        return tried(two_by_two_from_rows, seen["positive"].astype(bool), seen["reference"].astype(bool),
                     cluster=seen[params.cluster] if params.cluster else None, conf_level=params.conf_level)  # fmt: skip
    scored = data.scored
    return corrected_refusal(counts) or tried(
        verification_corrected,
        scored["positive"].astype(bool),
        scored["reference"],
        **verification_options(data, params),
    )
