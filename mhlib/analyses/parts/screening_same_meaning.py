"""Do the same answers mean the same in every group: steps of invariance, items that work differently, and the score's shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.groups import FEWEST as FEWEST_COMPARED
from mhlib.analyses.parts.groups import grouping, large, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_reliability import without_groups
from mhlib.analyses.parts.screening_structure import default_models
from mhlib.analyses.parts.sections import Drawn, item_number, tried, without_items
from mhlib.errors import DataError
from mhlib.findings import Message, Refused, message
from mhlib.stats.measurement import dif, dif_impact, invariance, invariance_impact

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# A factor model of a group needs more people than a share of it does.
FEWEST = 150
STEPS = ("chi2", "df", "cfi", "rmsea", "rmsea_low", "rmsea_high", "srmr", "delta_cfi", "delta_rmsea", "holds")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SameMeaningSection:
    """Tables of the section; each may be a refusal. `worst_shift` is the largest, in points, and `worst_class` A to C."""

    steps: Drawn | Refused
    shift: Drawn | Refused
    items: Drawn | Refused
    impact: Drawn | Refused
    curves: Drawn | Refused
    reading: list[Message]
    worst_shift: float | None
    worst_class: str | None
    holds: bool | None


def section(data: Screened, params: Params, estimator: str) -> SameMeaningSection:
    """Every grouping that is asked for and there, each for itself."""
    names = present(data.people, params.groups)
    if data.items is None or not names:
        lacking = without_items() if data.items is None else without_groups()
        return SameMeaningSection(steps=lacking, shift=lacking, items=lacking, impact=lacking, curves=lacking, reading=[],
                                  worst_shift=None, worst_class=None, holds=None)  # fmt: skip
    ladders = {name: _ladder(data, params, name, estimator) for name in names}
    effects = {name: tried(invariance_impact, found) for name, found in ladders.items() if not isinstance(found, Refused)
               and hasattr(found, "gaps")}  # fmt: skip
    biased = {name: _dif(data, params, name) for name in names}
    impact = {name: _impact(data, params, name, found) for name, found in biased.items()}
    return SameMeaningSection(
        steps=_steps(ladders), shift=_shift(effects, ladders), items=_items(biased), impact=_impact_table(impact),
        curves=_curves(effects), reading=[found.reading for found in biased.values() if not isinstance(found, Refused)][:1],
        worst_shift=_worst_shift(effects), worst_class=_worst_class(biased), holds=_holds(ladders),
    )  # fmt: skip


def _rows_of(data: Screened, name: str, least: int) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Items and groups of the pupils whose group is large enough; the largest group comes first."""
    groups = grouping(data.people, name)
    kept = large(groups, least)
    mask = groups.isin(kept).to_numpy()
    columns = [f"item_{number}" for number in data.scale.total_items]
    return data.items.loc[mask, columns], groups[mask], kept


def _ladder(data: Screened, params: Params, name: str, estimator: str) -> object:
    items, groups, kept = _rows_of(data, name, FEWEST)
    if len(kept) < 2:
        return few_in_groups()
    model = next(iter((params.models or default_models(data.scale)).values()))
    data_of, shared = (
        items.assign(group_of=groups),
        {"groups": "group_of", "reference": kept[0], "conf_level": params.conf_level},
    )
    options = {"least_count": params.least_count} if estimator == "wlsmv" else {}
    return tried(invariance, data_of, model, estimator=estimator, **shared, **options)


def few_in_groups() -> Refused:
    """No factor model in groups of a handful."""
    return Refused(
        "few_in_groups",
        message(
            "Fewer than two groups hold at least {least} pupils: a factor model of each group cannot be fitted.",
            least=FEWEST,
        ),
        message("Answers of at least {least} pupils in each group.", least=FEWEST),
    )


def _steps(ladders: dict[str, object]) -> Drawn | Refused:
    rows = []
    for name, found in ladders.items():
        if isinstance(found, Refused):
            continue
        frame = found.steps.reset_index(drop="step" in found.steps)
        for row in frame.to_dict("records"):
            kept = {key: row.get(key) for key in STEPS}
            rows.append({"group": name, "invariance_step": f"step_{row['step']}", **kept,
                         "n_used": found.n_used})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)) if rows else next(iter(ladders.values()))


def _holds(ladders: dict[str, object]) -> bool | None:
    known = [bool(row) for found in ladders.values() if not isinstance(found, Refused) and hasattr(found, "steps")
             for row in found.steps["holds"].dropna()]  # fmt: skip
    return all(known) if known else None


def _shift(effects: dict[str, object], ladders: dict[str, object]) -> Drawn | Refused:
    rows = []
    for name, found in effects.items():
        if isinstance(found, Refused):
            continue
        total = found.effects.query("scale == 'total'")
        rows += [{"group": name, "subgroup": row.group, "observed": row.observed, "estimate": row.estimate,
                  "conf_low": row.conf_low, "conf_high": row.conf_high, "largest": row.largest, "n_used": found.n_used}
                 for row in total.itertuples()]  # fmt: skip
    if rows:
        return Drawn(
            table=pd.DataFrame(rows), rule=0.0, axis=message("points of the sum score, against the largest group")
        )
    return next(
        (found for found in (*effects.values(), *ladders.values()) if isinstance(found, Refused)), few_in_groups()
    )


def _curves(effects: dict[str, object]) -> Drawn | Refused:
    """Expected total score by level of distress, of the first grouping that has one."""
    for found in effects.values():
        if isinstance(found, Refused):
            continue
        table = found.curve.rename(columns={"level": "x", "expected": "y"})[["group", "x", "y"]].assign(
            n_used=found.n_used
        )
        return Drawn(table=table, x_axis=message("level of distress (standard deviations of the first group)"),
                     y_axis=message("score to expect (points)"))  # fmt: skip
    return next(iter(effects.values()), few_in_groups())


def _worst_shift(effects: dict[str, object]) -> float | None:
    sizes = [abs(value) for found in effects.values() if not isinstance(found, Refused)
             for value in found.effects.query("scale == 'total'")["estimate"]]  # fmt: skip
    return max(sizes) if sizes else None


def _dif(data: Screened, params: Params, name: str) -> object:
    items, groups, kept = _rows_of(data, name, FEWEST_COMPARED)
    if len(kept) < 2:
        return few_in_groups()
    method = "mantel_haenszel" if len(kept) == 2 else "ordinal"
    try:
        return tried(dif, items, groups, reference=kept[0], method=method, conf_level=params.conf_level)
    except DataError as error:
        return Refused("dif_answers", message("The answers cannot be compared: {problem}.", problem=error.problem),
                       message("Answers coded in whole points."))  # fmt: skip


def _items(biased: dict[str, object]) -> Drawn | Refused:
    """Effect class of every item in every grouping; tests stand behind, since with many pupils all are significant."""
    parts = []
    for name, found in biased.items():
        if isinstance(found, Refused):
            continue
        frame = found.to_frame()
        kept = pd.DataFrame(
            {"group": name, "item": frame["term"].map(item_number), "effect_class": frame["effect_class"]}
        )
        for theirs, ours in (("smd", "smd"), ("nagelkerke_both", "r2_change"), ("p_holm", "p_holm")):
            kept[ours] = frame.get(theirs)
        parts.append(kept.assign(n_used=found.n_used))
    if not parts:
        return next(iter(biased.values()))
    return Drawn(table=pd.concat(parts, ignore_index=True).dropna(axis=1, how="all"))


def _worst_class(biased: dict[str, object]) -> str | None:
    classes = [
        label
        for found in biased.values()
        if not isinstance(found, Refused)
        for label in found.to_frame()["effect_class"]
    ]
    return max(classes) if classes else None


def _impact(data: Screened, params: Params, name: str, found: object) -> object:
    """What the flagged items do to the score and to who is screen-positive."""
    if isinstance(found, Refused):
        return found
    if params.cutoff is None or params.direction != ">=" or data.scale.multiply != 1:
        return Refused(
            "no_integer_cutoff",
            message(
                "Without a cut-off on the sum of the items, the shift cannot be read as pupils who would cross it."
            ),
            message("A cut-off in points, as parameter cutoff."),
        )
    if not found.flagged:
        return Refused(
            "no_biased_item",
            message("No item shows more than trifling bias, so taking items out would move nobody on their account."),
            message("Nothing."),
        )
    items, groups, kept = _rows_of(data, name, FEWEST_COMPARED)
    results = {}
    for focal in kept[1:]:
        cluster = data.people[params.cluster][items.index] if params.cluster else None
        results[focal] = tried(dif_impact, items, groups, reference=kept[0], focal=focal, flagged=found.flagged,
                               cutoff=float(params.cutoff), cluster=cluster, n_boot=params.n_boot, seed=params.seed,
                               conf_level=params.conf_level)  # fmt: skip
    return results


def _impact_table(impact: dict[str, object]) -> Drawn | Refused:
    rows = []
    for name, found in impact.items():
        if isinstance(found, Refused):
            continue
        for focal, result in found.items():
            if isinstance(result, Refused):
                continue
            frame = result.to_frame().set_index("term")
            rows += [
                {"group": name, "subgroup": focal, "term": f"dif_{term}", "n_used": result.n_focal,
                 **frame.loc[term, ["estimate", "conf_low", "conf_high"]]}
                for term in ("shift_at_cutoff", "share_observed", "share_equated")
            ]  # fmt: skip
    if not rows:
        return next(found if isinstance(found, Refused) else next(iter(found.values())) for found in impact.values())
    table = pd.DataFrame(rows)
    return Drawn(table=table[["group", "subgroup", "term", "estimate", "conf_low", "conf_high", "n_used"]])
