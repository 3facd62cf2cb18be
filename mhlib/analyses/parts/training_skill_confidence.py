"""Whether teachers who are sure are able: confidence against competence, of groups and never of a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_skill_rows import ARMS, FEWEST_DRAWN, Judged, bounded, share_of, too_few_to_draw
from mhlib.analyses.parts.training_skill_vignettes import banded
from mhlib.findings import Message, Refused, message
from mhlib.stats.accuracy import ConfidenceCalibrationResult, confidence_calibration

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Sure, and able, from these shares of the whole on.
SURE_FROM, ABLE_FROM = 0.70, 0.70
QUADRANTS = {"over-confident": "quadrant_over", "able and sure": "quadrant_able_sure",
             "able and unsure": "quadrant_able_unsure", "unable and unsure": "quadrant_unsure"}  # fmt: skip
TERMS = {"slope": "confidence_slope", "bias": "confidence_bias", "over-confident": "confidence_over"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """One way to compare confidence with competence, by arm at the primary occasion.

    Attributes
    ----------
    name : str
        ``by_vignettes`` (how sure of each judgement, and share judged rightly) or ``by_scale`` (a scale of confidence, and
        vignettes judged rightly, both as shares of their range).
    same_unit : bool
        Whether the two may be subtracted: only then is there a bias.
    """

    name: str
    same_unit: bool
    arms: dict[str, ConfidenceCalibrationResult]
    lacking: tuple[Message, ...]


def by_vignettes(found: Judged | Refused, params: Params) -> Compared | Refused:
    """How sure teachers were of their judgements, and how many were right."""
    if isinstance(found, Refused):
        return found
    people = {}
    for treated, arm in ARMS:
        rows = found.cell(treated, params.primary)
        frame = rows.assign(right=1 - np.abs(rows["referred"] - rows["case"]), sure=rows["sure"] / 100)
        frame = frame.dropna(subset=["right", "sure"])
        people[arm] = frame.groupby("teacher_pid").agg(
            sure=("sure", "mean"), able=("right", "mean"), cluster=("cluster", "first")
        )
    return _compared("by_vignettes", True, people, params)


def by_scale(training: Training, params: Params) -> Compared | Refused:
    """A scale of confidence against the vignettes judged rightly, both brought to 0–1 by their ranges."""
    names = (params.confidence, params.competence)
    if not all(names) or not set(names) <= set(params.ranges):
        return Refused(
            "no_confidence_measure",
            message("No measure of confidence stands beside one of competence, each with its range."),
            message("Both measures and their ranges, as parameters confidence, competence and ranges."),
        )
    people = {}
    for treated, arm in ARMS:
        mine = training.teachers[training.teachers["treated"] == treated]
        frame = pd.DataFrame({short: _unit(mine[f"{name}_{params.primary}"], params.ranges[name])
                              for short, name in zip(("sure", "able"), names, strict=True)})  # fmt: skip
        people[arm] = frame.assign(cluster=mine[training.cluster]).dropna()
    return _compared("by_scale", False, people, params)


def _unit(scores: pd.Series, ends: list[float]) -> pd.Series:
    """Scores as shares of their range; one outside it counts as its end, since the checks tell of it."""
    low, high = ends
    return ((scores - low) / (high - low)).clip(0, 1)


def _compared(name: str, same_unit: bool, people: dict[str, pd.DataFrame], params: Params) -> Compared | Refused:
    arms, lacking = {}, []
    for arm, frame in people.items():
        if frame.empty:
            continue
        several = frame["cluster"].nunique() < len(frame)
        one = tried(confidence_calibration, frame["sure"], frame["able"], confidence_cut=SURE_FROM, competence_cut=ABLE_FROM,
                    cluster=frame["cluster"] if several else None, conf_level=params.conf_level)  # fmt: skip
        if isinstance(one, Refused):
            lacking.append(one.why)
        else:
            arms[arm] = one
    if arms:
        return Compared(name=name, same_unit=same_unit, arms=arms, lacking=tuple(lacking))
    why = (
        lacking[0] if lacking else message("No teacher has both a confidence and a competence at the primary occasion.")
    )
    return Refused("no_calibration", why, message("Confidence and competence of the same teachers after the training."))


def calibration(ways: list[Compared | Refused]) -> Drawn | Refused:
    """Slope, bias where the two have one unit, and the share of teachers who are sure and not able."""
    rows, lacking, refused = [], [], [way for way in ways if isinstance(way, Refused)]
    for way in ways:
        if isinstance(way, Refused):
            continue
        lacking += way.lacking
        for arm, one in way.arms.items():
            table = one.table[one.table["term"].isin(TERMS)]
            table = table if way.same_unit else table[table["term"] != "bias"]
            rows += [{"group": way.name, "arm_shown": arm, "term": TERMS[row["term"]],
                      **bounded({name: row[name] for name in ("estimate", "conf_low", "conf_high")}, one.n_clusters or one.n_used),
                      "n_used": one.n_used} for row in table.to_dict("records")]  # fmt: skip
    if not rows:
        return refused[0]
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking) + tuple(one.why for one in refused))


def quadrants(ways: list[Compared | Refused]) -> Drawn | Refused:
    """Shares of teachers in the four corners: sure or not, able or not."""
    rows = [
        {"group": way.name, "arm_shown": arm, "quadrant": QUADRANTS[row["quadrant"]], "denominator": one.n_used,
         "numerator": int(row["n"]), "proportion": row["share"]}
        for way in ways if not isinstance(way, Refused)
        for arm, one in way.arms.items()
        for row in one.quadrants.to_dict("records")
    ]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)) if rows else next(way for way in ways if isinstance(way, Refused))


def curve(found: Judged | Refused, params: Params) -> Drawn | Refused:
    """Share of judgements that were right, by how sure the teacher was; on the diagonal sureness is what it says."""
    if isinstance(found, Refused):
        return found
    rows, seen = [], 0
    for treated, arm in ARMS:
        part = found.cell(treated, params.primary).dropna(subset=["referred", "sure"])
        part = part.assign(right=(part["referred"] == part["case"]).astype(int))
        seen += len(part)
        if part["teacher_pid"].nunique() < FEWEST_DRAWN:
            continue
        for _, some in part.groupby(banded(part["sure"])):
            one = share_of(some["right"].to_numpy(), some["cluster"].to_numpy(), params.conf_level)
            rows.append({"group": arm, "x": some["sure"].mean() / 100, "y": one["estimate"], "low": one["conf_low"],
                         "high": one["conf_high"], "n_used": some["teacher_pid"].nunique()})  # fmt: skip
    if not rows and seen:
        return too_few_to_draw()
    if not rows:
        return Refused("no_rated_judgements", message("Nobody said after the training how sure he was of a judgement."),
                       message("With each judgement, how sure the teacher is of it, in per cent."))  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), x_axis=message("how sure the teacher was"), y_axis=message("judgements that were right"),
                 x_share=True, y_share=True, diagonal=True, points=True)  # fmt: skip
