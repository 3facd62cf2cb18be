"""What each step of a training cascade keeps, what arrives in the class, and what is known of those who taught."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_cascade_gains import (
    COMPARED,
    FEWEST_TEACHERS,
    FEWEST_UNITS,
    TierRows,
    fewest_trainers,
    lost_at_steps,
    tier_name,
    tier_rows,
    tier_term,
)
from mhlib.analyses.parts.training_cascade_share import Arriving, Passed, methods, passed_on, steps
from mhlib.analyses.parts.training_cascade_trainers import trainers
from mhlib.findings import Check, Count, Estimate, Message, Refused, message
from mhlib.stats.effects import composition_differences
from mhlib.stats.effects.cascade_share import alike_check, gains_of

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

SDS = message("gain (SD before the training)")
YEAR = 365.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CascadeSection:
    """Teachers, gains and steps by tier, who the people of each tier are, and their trainers."""

    share: Arriving | Refused
    people: Drawn | Refused
    gains: Drawn | Refused
    steps: Drawn | Refused
    lost: Drawn | Refused
    methods: Drawn | Refused
    composition: Drawn | Refused
    funnel: Drawn | Refused
    spread: Drawn | Refused
    fidelity: Drawn | Refused
    fidelity_gain: Drawn | Refused
    reading: list[Message]
    trainers_reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> CascadeSection:
    """The cascade from the first tier to the last, or why there is none."""
    rows = tier_rows(training, params)
    passed = rows if isinstance(rows, Refused) else tried(passed_on, training, params, rows)
    if isinstance(passed, Refused):
        return _refused(passed)
    alike, taught = composition(training, params, rows), trainers(training, params, rows)
    return CascadeSection(
        share=passed.share, people=_people(rows, training), gains=_gains(passed, params), steps=steps(passed),
        lost=_lost(passed, params), methods=methods(training, params, passed), composition=alike, funnel=taught.funnel,
        spread=taught.spread, fidelity=taught.fidelity, fidelity_gain=taught.fidelity_gain,
        reading=_reading(training, passed), trainers_reading=taught.reading, checks=_checks(passed, alike),
    )  # fmt: skip


def _refused(why: Refused) -> CascadeSection:
    """Every part refused for one reason."""
    lists = ("reading", "trainers_reading", "checks")
    parts = {one.name: [] if one.name in lists else why for one in fields(CascadeSection)}
    return CascadeSection(**parts)


def _people(rows: TierRows, training: Training) -> Drawn:
    """Teachers of each tier, and how many of them were tested before and after."""
    groups = rows.people.assign(tested=rows.people["gain"].notna()).groupby("place")
    found = groups.agg(denominator=("tested", "size"), numerator=("tested", "sum"))
    found["n_units"], found["n_trainers"] = groups[training.cluster].nunique(), groups["taught"].nunique()
    order = [*(name for name in (*rows.tiers, *rows.thin) if name in found.index), *([COMPARED] if rows.net else [])]
    table = found.loc[order].assign(proportion=lambda one: one["numerator"] / one["denominator"]).reset_index()
    table["tier"] = ["arm_untrained" if name == COMPARED else tier_term(name) for name in table["place"]]
    table["n_trainers"] = table["n_trainers"].astype(float).where(rows.trainers_known & (table["place"] != COMPARED))
    return Drawn(table=table[["tier", "denominator", "numerator", "proportion", "n_units", "n_trainers"]])


def _gains(passed: Passed, params: Params) -> Drawn:
    """Gain of each tier, net of the comparison where there is one."""
    found = passed.gains
    table = gains_of(found.gains, found.covariance, found.tiers, list(found.n), found.df, params.conf_level)
    table = table.assign(group=[tier_term(name) for name in found.tiers]).rename(columns={"n": "n_used"})
    lacking = tuple(
        message("{tier}: fewer than {people} teachers with both tests, or teachers of fewer than {units} units.",
                tier=tier_name(name), people=FEWEST_TEACHERS, units=FEWEST_UNITS)
        for name in passed.rows.thin
    )  # fmt: skip
    kept = ["group", "estimate", "conf_low", "conf_high", "n_used"]
    return Drawn(table=table[kept], axis=SDS, rule=0.0, lacking=lacking)


def _lost(passed: Passed, params: Params) -> Drawn:
    """Deviations lost at each step."""
    table = pd.DataFrame(lost_at_steps(passed.gains, params.conf_level))
    return Drawn(table=table, axis=message("gain lost at the step (SD before the training)"), rule=0.0)


def composition(training: Training, params: Params, rows: TierRows) -> Drawn | Refused:
    """How teachers of each tier differ from those of the first in what was there before the training, in deviations."""
    people = rows.measured[rows.measured["place"] != COMPARED]
    covariates = _covariates(people, params)
    found = composition_differences(covariates, people["place"].astype(str), tiers=rows.tiers)
    found = found[(found["tier"] != rows.tiers[0]) & found["standardised_difference"].notna()]
    first = int((people["place"] == rows.tiers[0]).sum())
    table = found.assign(tier=found["tier"].map(tier_term), property_named=found["covariate"],
                         apart_from_first=found["standardised_difference"], n_used=found["n"].clip(upper=first))  # fmt: skip
    return Drawn(table=table[["property_named", "tier", "apart_from_first", "n_used"]].reset_index(drop=True))


def _covariates(people: pd.DataFrame, params: Params) -> pd.DataFrame:
    """First test, years of service, town, and each role and school level as 0 or 1; what does not vary stays out."""
    columns = {"casc_first_test": people["b"].astype(float)}
    if "hired_on" in people:
        day = pd.Timestamp(params.as_of)
        columns["casc_service"] = (day - pd.to_datetime(people["hired_on"])).dt.days.astype(float) / YEAR
    if "urban" in people:
        columns["casc_town"] = people["urban"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    for name in ("role", "level"):
        if name in people:
            there = people[name].astype(object)
            for value in sorted(there.dropna().astype(str).unique()):
                shown = f"{name}_{value}"
                columns[shown] = (there.astype(str) == value).astype(float).where(there.notna())
    frame = pd.DataFrame(columns, index=people.index)
    return frame.loc[:, frame.std(ddof=0).fillna(0) > 0]


def _checks(passed: Passed, alike: Drawn | Refused) -> list[Check]:
    """Whether tiers are alike, every tier is there, and trainers are enough to speak beyond them."""
    thin, found = passed.rows.thin, []
    if not isinstance(alike, Refused):
        table = alike.table.rename(columns={"apart_from_first": "standardised_difference"})
        found.append(alike_check(table))
    said = message("Of {n} tiers {thin} have fewer than {people} teachers with both tests, or teachers of fewer than {units} units.",
                   n=len(thin) + len(passed.rows.tiers), thin=len(thin), people=FEWEST_TEACHERS, units=FEWEST_UNITS)  # fmt: skip
    found.append(Check(message("Enough teachers of every tier"), not thin, said))
    if passed.rows.trainers_known:
        enough = fewest_trainers(passed.rows) >= FEWEST_UNITS
        said = message("An end of the cascade with fewer than {few} trainers tells of these trainers and not of others.",
                       few=FEWEST_UNITS)  # fmt: skip
    else:
        enough, said = None, message("It is not known who trained whom.")
    return [*found, Check(message("Enough trainers to speak beyond them"), enough, said)]


def _reading(training: Training, passed: Passed) -> list[Message]:
    share, rows = passed.share, passed.rows
    said = [share.why] if isinstance(share, Refused) else [_share_said(share)]
    if not isinstance(share, Refused):
        said.append(_basis_said(rows, share))
    if not rows.net:
        said.append(
            message(
                "Without untrained teachers, every gain holds what taking a test twice does: shares lie too near to 1."
            )
        )
    said.append(
        message(
            "Nobody drew lots for the tiers: a step mixes what was passed on with who the teachers of each tier are."
        )
    )
    if rows.n_untested:
        said.append(
            message("Not tested both before and after, and so in no gain: {n} teachers.", n=Count(rows.n_untested))
        )
    if rows.n_untiered:
        said.append(message("Trained at no tier named, and so in no gain: {n} teachers.", n=Count(rows.n_untiered)))
    return said


def _share_said(share: Arriving) -> Message:
    value = Estimate(share.estimate, share.n_used, share.conf_low, share.conf_high)
    return message(
        "Of the gain at the first tier ({first}), {share} arrives at the last ({last}); 1 would be all of it, 0 nothing.",
        first=tier_name(share.first),
        last=tier_name(share.last),
        share=value,
    )


def _basis_said(rows: TierRows, share: Arriving) -> Message:
    if share.beyond_trainers:
        return message("The interval allows for what teachers of one unit and teachers of one trainer have in common.")
    if rows.trainers_known:
        return message("The interval allows for what teachers of one unit have in common. It tells of the trainers who taught here: "
                       "fewer than {few} stand at an end of the cascade, too few to speak of others.", few=FEWEST_UNITS)  # fmt: skip
    return message("The interval allows for what teachers of one unit have in common, and not for what one trainer's teachers have "
                   "in common, since it is not known who trained whom: it may be too narrow.")  # fmt: skip
