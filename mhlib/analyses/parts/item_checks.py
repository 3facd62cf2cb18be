"""Checks on the answers and the interviews of a wave, each computed on the data or on a declared design key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.groups import grouping, large, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_accuracy import verification_options
from mhlib.analyses.parts.sections import item_number, tried
from mhlib.findings import Check, Count, Estimate, Message, Proportion, Refused, message
from mhlib.stats.accuracy import verification_corrected
from mhlib.stats.measurement import cronbach_alpha, dif, item_analysis, omega

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# One factor fits badly when both say so; an answer used by fewer is too rare to model.
LEAST_CFI, MOST_RMSEA, RARE = 0.90, 0.10, 0.01
# Collins et al. (2016): validation studies want a hundred cases and a hundred non-cases.
ENOUGH_CASES = 100
MOST_INCOMPLETE = 0.05
# Days after which a pupil's state may have changed (QUADAS-2 leaves the number to the question; low mood lasts weeks).
NEAR = 28


def of_items(data: Screened, params: Params) -> list[Check]:
    """Every check that needs the answers."""
    total = [f"item_{number}" for number in data.scale.total_items]
    items = data.items[total]
    found = tried(item_analysis, items)
    checks = [] if isinstance(found, Refused) else [_run_alike(found.negative)]
    checks += [_reversed_turned(data, total), _complete(items), _answers_used(items), _one_factor(items)]
    checks += _no_bias(data, params, total)
    return [check for check in checks if check is not None]


def _run_alike(negative: tuple[str, ...]) -> Check:
    """Whether no item runs against its scale; nothing is ever reversed to make it so."""
    name = message("Every item runs with its scale")
    if negative:
        detail = message("Items that correlate negatively with the rest: {items}. Check the key; nothing was turned.",
                         items=", ".join(map(item_number, negative)))  # fmt: skip
        return Check(name, False, detail)
    return Check(name, True, message("No item correlates negatively with the rest of the scale."))


def _reversed_turned(data: Screened, total: list[str]) -> Check | None:
    """What turning the items that the codebook names does to reliability."""
    if not data.scale.reverse:
        return None
    name = message("Items worded in reverse were turned by the codebook")
    as_given, turned = (tried(cronbach_alpha, items[total]) for items in (data.answers, data.items))
    if isinstance(as_given, Refused) or isinstance(turned, Refused):
        return Check(name, None, message("Too few answers to see whether the codebook's turning is right."))
    detail = message("{n} items were turned; reliability is {turned} with and {given} without.", n=len(data.scale.reverse),
                     turned=Estimate(turned.alpha, turned.n_used), given=Estimate(as_given.alpha, as_given.n_used))  # fmt: skip
    return Check(name, turned.alpha >= as_given.alpha, detail)


def _complete(items: pd.DataFrame) -> Check:
    """Whether few pupils left an answer out."""
    missing = items.isna().any(axis=1) & items.notna().any(axis=1)
    share = float(missing.mean())
    detail = message("{share} of those who answered left out at least one item ({n} pupils); estimates that need every answer leave "
                     "them out and count them.", share=Proportion(share, len(items)), n=Count(int(missing.sum())))  # fmt: skip
    return Check(message("Nearly all answered every item"), share <= MOST_INCOMPLETE, detail)


def _answers_used(items: pd.DataFrame) -> Check:
    """Whether every answer is chosen by at least one in a hundred, on every item."""
    name, answers = message("Every answer is used"), np.unique(items.to_numpy()[~np.isnan(items.to_numpy())])
    shares = {column: [float((items[column] == answer).mean()) for answer in answers] for column in items}
    rare = [item_number(column) for column, used in shares.items() if min(used) < RARE]
    if not rare:
        return Check(name, True, message("On every item each answer is given by at least one pupil in a hundred."))
    return Check(name, False, message("Some answers are given by fewer than one pupil in a hundred on items {items}: models of single "
                                      "answers are unsure there.", items=", ".join(rare)))  # fmt: skip


def _one_factor(items: pd.DataFrame) -> Check | None:
    """Whether one factor carries the sum score; a high alpha does not say so."""
    found = tried(omega, items) if items.shape[1] > 3 else None
    alpha = tried(cronbach_alpha, items)
    if found is None or isinstance(found, Refused) or isinstance(alpha, Refused):
        return None
    name = message("One factor carries the sum score")
    holds = found.cfi >= LEAST_CFI and found.rmsea <= MOST_RMSEA
    shown = {"alpha": Estimate(alpha.alpha, alpha.n_used), "cfi": f"{found.cfi:.2f}", "rmsea": f"{found.rmsea:.2f}"}
    if holds:
        return Check(
            name, True, message("One factor fits passably (CFI {cfi}, RMSEA {rmsea}); alpha is {alpha}.", **shown)
        )
    detail = message("Alpha is {alpha}, yet one factor fits badly (CFI {cfi}, RMSEA {rmsea}): a high alpha does not prove that "
                     "the items measure one thing.", **shown)  # fmt: skip
    return Check(name, False, detail)


def _no_bias(data: Screened, params: Params, total: list[str]) -> list[Check]:
    """For each grouping, whether its groups may be compared by the sum score."""
    found = []
    for grouped in present(data.people, params.groups):
        groups = grouping(data.people, grouped)
        kept = large(groups)
        here = groups.isin(kept).to_numpy()
        result = tried(dif, data.items.loc[here, total], groups[here], reference=kept[0], method="ordinal", purify=False,
                       flag="holm")  # fmt: skip
        if not isinstance(result, Refused):
            found.append(_bias_check(grouped, result, len(total)))
    return found


def _bias_check(grouped: str, result: object, k: int) -> Check:
    from_classes = result.to_frame()["effect_class"]
    strong = int((from_classes != "A").sum())
    share = len(result.flagged) / k
    named = GROUPS.get(grouped, message("groups of the source"))
    detail = message("{group}: {flagged} of {k} items work differently after correction, {strong} of them more than triflingly.",
                     group=named, flagged=len(result.flagged), k=k, strong=strong)  # fmt: skip
    # Many small biases add up in a sum, so their number counts as well as their size.
    return Check(
        message("Groups may be compared by the sum score"),
        strong == 0 and (share < 0.5 or result.n_used > 20_000),
        detail,
    )


GROUPS: dict[str, Message] = {
    "sex": message("boys and girls"), "level": message("school levels"), "urban": message("town and country"),
    "boarding": message("boarding"), "left_behind": message("left behind"), "private": message("private schools"),
    "group": message("groups of the source"),
}  # fmt: skip


def pupils_once(repeated: int) -> Check:
    """Whether every pupil stands in the wave once."""
    name = message("Every pupil stands in the wave once")
    if repeated:
        return Check(
            name, False, message("{n} rows of pupils who stand there more than once were set aside.", n=Count(repeated))
        )
    return Check(name, True, message("No identifier occurs twice."))


def interview_is_near(data: Screened) -> Check | None:
    """Whether nine in ten interviews lie within four weeks of the answers."""
    seen = data.interviewed
    if seen.empty:
        return None
    name = message("The interviews followed within four weeks")
    if not {"assessed_on", "answered_on"} <= set(seen) or seen["assessed_on"].isna().all():
        return Check(name, None, message("The source does not say when the interviews were held."))
    days = (seen["assessed_on"] - seen["answered_on"]).dropna().dt.days
    share = float(days.between(0, NEAR).mean())
    detail = message("Half of the interviews were held within {days} days; {share} within four weeks.", days=f"{days.median():.0f}",
                     share=Proportion(share, len(days)))  # fmt: skip
    return Check(name, share >= 0.9, detail)


def speaks_of_population(sampling: str) -> Check:
    """Whether shares among those screened are shares of a population."""
    name = message("Shares among those screened are shares of a population")
    details = {
        "census": message("Everybody in the wave was asked."), "random": message("A random sample was asked."),
        "enriched": message("Some scores are over-represented: shares of the sample are not those of the pupils."),
        "convenience": message("Whoever was at hand took part: no share of this sample is a prevalence."),
    }  # fmt: skip
    return Check(name, sampling in ("census", "random"), details[sampling])


def cases_enough(cases: int) -> Check:
    """Whether a hundred cases stand behind the accuracy."""
    detail = message("{n} cases by the reference; below {enough} the best cut-off changes from sample to sample.", n=Count(cases),
                     enough=ENOUGH_CASES)  # fmt: skip
    return Check(message("Enough cases behind the accuracy"), cases >= ENOUGH_CASES, detail)


def correction_changes_little(data: Screened, params: Params) -> Check | None:
    """Whether the correction for partial verification leaves the naive conclusion standing."""
    counts, scored = data.counts, data.scored
    if counts.n_verified == counts.n or min(counts.tp + counts.fp, counts.fn + counts.tn) == 0:
        return None
    options = verification_options(data, params)
    found = tried(verification_corrected, scored["positive"].astype(bool), scored["reference"], **options)
    if isinstance(found, Refused) or found.naive is None:
        return None
    row = found.to_frame().set_index("term").loc["sensitivity"]
    stands = row["conf_low"] <= found.naive.sensitivity <= row["conf_high"]
    detail = message("Among those interviewed alone the sensitivity seems {naive}; among everyone it is {corrected}.",
                     naive=Proportion(found.naive.sensitivity, counts.n_verified),
                     corrected=Proportion(row["estimate"], counts.n, row["conf_low"], row["conf_high"]))  # fmt: skip
    return Check(message("The correction leaves the conclusion standing"), bool(stands), detail)


def second_time_is_known(asked: bool, days: float | None) -> Check | None:
    """Whether the time between the two occasions is known and short enough to call it a retest."""
    if not asked:
        return None
    name = message("The second time lies two to eight weeks later")
    if days is None:
        return Check(
            name,
            None,
            message("The days of the two are not recorded; they may lie hours or months apart."),
        )
    detail = message(
        "Half of the pupils answered again within {days} days; true change enters the disagreement.", days=f"{days:.0f}"
    )
    return Check(name, 14 <= days <= 56, detail)
