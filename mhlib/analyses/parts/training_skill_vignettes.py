"""How well teachers told pupils who need referral from those who do not, by arm and occasion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training_skill_rows import ARMS, FEWEST_DRAWN, Judged, bounded, once, too_few_to_draw
from mhlib.findings import Message, Refused, message
from mhlib.stats.accuracy import RocResult, roc, vignette_detection

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Bands of the stated confidence, per cent: the rating scale of the curve; the last one holds full certainty too.
BAND, LAST_BAND = 10, 9
ERRORS = {"over-referral": "over_referral", "under-referral": "under_referral"}
TOTALS = {"to refer": "kind_all_cases", "not to refer": "kind_all_others"}


def cells(found: Judged) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Each arm and occasion with its answers, and the columns that name it."""
    for treated, arm in ARMS:
        for occasion in found.occasions:
            rows = found.cell(treated, occasion)
            if len(rows):
                yield {"arm_shown": arm, "occasion": occasion, "n_used": rows["teacher_pid"].nunique()}, rows


def detected(rows: pd.DataFrame, level: float, *, by_kind: bool = True) -> object:
    """Telling apart (d') and criterion of some answers; a kind that holds both right answers is parted by them."""
    kind = rows["kind"].astype(str) + "|" + rows["case"].astype(int).astype(str) if by_kind else None
    return tried(vignette_detection, rows["referred"], rows["case"], vignette_type=kind, cluster=rows["cluster"],
                 conf_level=level)  # fmt: skip


def detection(found: Judged | Refused, params: Params) -> Drawn | Refused:
    """Telling apart (d') and criterion of each arm at each occasion."""
    if isinstance(found, Refused):
        return found
    rows, lacking = [], list(found.left_out)
    for named, part in cells(found):
        one = detected(part, params.conf_level)
        if isinstance(one, Refused):
            lacking.append(one.why)
            continue
        rows += [
            {**named, "term": name, "estimate": getattr(one, name), "conf_low": getattr(one, f"{name}_low"),
             "conf_high": getattr(one, f"{name}_high")}
            for name in ("d_prime", "criterion")
        ]  # fmt: skip
    return _gathered(rows, lacking)


def forest(table: Drawn | Refused, term: str, axis: Message) -> Drawn | Refused:
    """One quantity of the arms and occasions as a figure."""
    if isinstance(table, Refused):
        return table
    rows = table.table[table.table["term"] == term].drop(columns="term")
    return Drawn(table=rows.rename(columns={"arm_shown": "group", "occasion": "subgroup"}), axis=axis, rule=0.0)


def confusion(found: Judged | Refused) -> Drawn | Refused:
    """What was answered, by kind of vignette and its right answer: of whom it holds, not who."""
    if isinstance(found, Refused):
        return found
    rows = []
    for named, part in cells(found):
        for (kind, case), some in part.dropna(subset=["referred"]).groupby(["kind", "case"]):
            said = float(some["referred"].mean())
            rows.append({"kind_shown": kind, "right_answer": "answer_refer" if case == 1 else "answer_not", **named,
                         "referred_share": said, "not_referred_share": 1 - said})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows).sort_values("kind_shown", kind="stable"), lacking=found.left_out)


def errors(found: Judged | Refused, params: Params) -> Drawn | Refused:
    """Share of wrong answers to each kind of vignette, and to all of a right answer where that has several kinds."""
    if isinstance(found, Refused):
        return found
    rows, lacking = [], []
    for named, part in cells(found):
        for by_kind in (True, False):
            one = detected(part, params.conf_level, by_kind=by_kind)
            if isinstance(one, Refused):
                lacking.append(one.why)
                break
            kinds = part.groupby("case")["kind"].nunique()
            for row in one.types.to_dict("records"):
                if not by_kind and kinds[float(row["error"] == "under-referral")] < 2:
                    continue
                shown = row["term"].split("|")[0] if by_kind else TOTALS[row["term"]]
                limits = {name: row[name] for name in ("estimate", "conf_low", "conf_high")}
                shares = bounded(limits, part["cluster"].nunique())
                rows.append({"kind_shown": shown, "term": ERRORS[row["error"]], **named, **shares})
    rows.sort(key=lambda row: (row["kind_shown"] in TOTALS.values(), row["kind_shown"]))
    return _gathered(rows, lacking)


def banded(sure: pd.Series) -> pd.Series:
    """Band of a stated confidence, 0 to 9."""
    return np.floor(sure / BAND).clip(upper=LAST_BAND)


def rating(rows: pd.DataFrame) -> np.ndarray:
    """How strongly a teacher holds that the pupil needs referral: from sure that not, to sure that yes, in bands."""
    band = banded(rows["sure"]).to_numpy() + 1
    return np.where(rows["referred"] == 1, band, -band)


def curves(found: Judged | Refused, params: Params) -> dict[tuple[str, str], tuple[int, RocResult]] | Refused:
    """The curve of each arm and occasion whose answers carry a confidence that varies."""
    if isinstance(found, Refused):
        return found
    made: dict[tuple[str, str], tuple[int, RocResult]] = {}
    refused = None
    for named, part in cells(found):
        part = part.dropna(subset=["referred", "sure"])
        if part.empty or part["case"].nunique() < 2 or banded(part["sure"]).nunique() < 2:
            continue
        one = tried(roc, rating(part), part["case"], cluster=part["cluster"], conf_level=params.conf_level)
        if isinstance(one, Refused):
            refused = one
        else:
            made[named["arm_shown"], named["occasion"]] = (part["teacher_pid"].nunique(), one)
    return (
        made
        or refused
        or Refused(
            "no_rated_judgements",
            message(
                "Teachers did not say how sure they were, or were always equally sure, so there is no curve behind d'."
            ),
            message("With each judgement, how sure the teacher is of it, in per cent."),
        )
    )


def areas(made: dict | Refused) -> Drawn | Refused:
    """Area under each curve: .5 is chance."""
    if isinstance(made, Refused):
        return made
    rows = []
    for (arm, occasion), (people, one) in made.items():
        row = {"estimate": one.auc, "conf_low": one.conf_low, "conf_high": one.conf_high}
        named = {"arm_shown": arm, "occasion": occasion, "term": "judged_auc"}
        rows.append({**named, **bounded(row, one.n_clusters), "n_used": people})
    return Drawn(table=pd.DataFrame(rows))


def curve(made: dict | Refused, params: Params) -> Drawn | Refused:
    """The curves at the primary occasion, from the surest 'refer' to the surest 'not'."""
    if isinstance(made, Refused):
        return made
    parts = []
    for (arm, occasion), (people, one) in made.items():
        if occasion != params.primary or people < FEWEST_DRAWN:
            continue
        x, y = 1 - one.points["specificity"].to_numpy()[::-1], one.points["sensitivity"].to_numpy()[::-1]
        parts.append(pd.DataFrame({"group": arm, "x": [0.0, *x], "y": [0.0, *y], "n_used": people}))
    if not parts and any(occasion == params.primary for _, occasion in made):
        return too_few_to_draw()
    if not parts:
        return Refused("no_rated_judgements", message("Nobody judged vignettes at the primary occasion."),
                       message("Vignettes judged after the training, with how sure the teacher is."))  # fmt: skip
    return Drawn(table=pd.concat(parts, ignore_index=True), x_axis=message("false alarms: referred without need"),
                 y_axis=message("hits: referred in need"), x_share=True, y_share=True, diagonal=True, points=True)  # fmt: skip


def _gathered(rows: list[dict[str, object]], lacking: list[Message]) -> Drawn | Refused:
    said = once(lacking)
    if rows:
        return Drawn(table=pd.DataFrame(rows), lacking=said)
    return Refused("no_cell", said[0],
                   message("Answers of teachers from more than one unit to vignettes with and without need of referral."))  # fmt: skip
