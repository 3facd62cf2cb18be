"""How precise the score is where it matters: item response model, error at the cut-off, odd answer patterns, item bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.groups import grouping, large, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_reliability import MOST_CATEGORIES, without_groups
from mhlib.analyses.parts.sections import Drawn, item_number, tried, without_items
from mhlib.findings import Message, Proportion, Refused, message
from mhlib.stats.measurement import dif_likelihood_ratio, graded_fit, graded_response, measurement_precision, person_fit

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Longer scales, and such as measure several things, are not described by one trait.
MOST_ITEMS, FEWEST, WORST = 50, 300, 3
# Each item needs models of its own: beyond so many items that is minutes on a census.
MOST_ITEMS_FOR_BIAS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IrtSection:
    """Tables and curves of the section; each may be a refusal."""

    items: Drawn | Refused
    precision: Drawn | Refused
    curve: Drawn | Refused
    bias: Drawn | Refused
    bias_curves: Drawn | Refused
    reading: list[Message]


def section(data: Screened, params: Params) -> IrtSection:
    """One trait behind the total score, where the answers are few steps and the items not too many."""
    refusal = _refusal(data)
    if refusal:
        return IrtSection(
            items=refusal, precision=refusal, curve=refusal, bias=refusal, bias_curves=refusal, reading=[]
        )
    items = data.items[[f"item_{number}" for number in data.scale.total_items]]
    model = tried(graded_response, items, min_count=params.least_count, conf_level=params.conf_level)
    bias, curves = _bias(data, items, params)
    if isinstance(model, Refused):
        return IrtSection(items=model, precision=model, curve=model, bias=bias, bias_curves=curves, reading=[])
    at = _reachable(data, params)
    precision = measurement_precision(model, cutoffs=at)
    if isinstance(precision, Refused):
        return IrtSection(
            items=precision, precision=precision, curve=precision, bias=bias, bias_curves=curves, reading=[*model.notes]
        )
    return IrtSection(
        items=_items(model), precision=_precision(model, precision), curve=_curve(precision, at), bias=bias,
        bias_curves=curves, reading=[*model.notes, *precision.notes, *_odd(model, items, params)],
    )  # fmt: skip


def _refusal(data: Screened) -> Refused | None:
    if data.items is None:
        return without_items()
    if len(data.scale.total_items) > MOST_ITEMS or data.items.nunique().max() > MOST_CATEGORIES:
        return Refused(
            "many_items",
            message("The scale has more than {items} items or more than {steps} answers to an item: one trait would not describe it.",
                    items=MOST_ITEMS, steps=MOST_CATEGORIES),
            message("Nothing; the factor models above judge the scale."),
        )  # fmt: skip
    return None


def _reachable(data: Screened, params: Params) -> list[float]:
    """The cut-off, where it stands on the plain sum of the items."""
    if params.cutoff is None or data.scale.multiply != 1 or params.direction != ">=":
        return []
    k = len(data.scale.total_items)
    return [float(params.cutoff)] if k * data.scale.low < params.cutoff < k * data.scale.high else []


def _items(model: object) -> Drawn:
    """Slope and thresholds of each item."""
    table = model.to_frame().assign(n_used=model.n_used)
    names = {"slope": "irt_slope", "threshold": "irt_threshold"}
    table = table.assign(item=table["item"].map(item_number), term=table["parameter"].map(names), answer=[
        "" if pd.isna(value) else f"{float(value):g}" for value in table["value"]])  # fmt: skip
    return Drawn(table=table[["item", "term", "answer", "estimate", "conf_low", "conf_high", "n_used"]])


def _precision(model: object, found: object) -> Drawn:
    """Reliability over all and at the cut-off, the error there in points, and the model's fit."""
    rows = [{"term": "irt_marginal", "estimate": found.marginal_reliability},
            {"term": "irt_empirical", "estimate": found.empirical_reliability}]  # fmt: skip
    for row in found.at_cutoffs.to_dict("records"):
        rows += [{"term": "irt_reliability_at_cutoff", "estimate": row["reliability"]},
                 {"term": "irt_sem_at_cutoff", "estimate": row["std_error_score"]}]  # fmt: skip
    fit = graded_fit(model)
    if not isinstance(fit, Refused):
        rows += [{"term": "irt_rmsea", "estimate": fit.rmsea, "conf_low": fit.rmsea_low, "conf_high": fit.rmsea_high},
                 {"term": "irt_srmsr", "estimate": fit.srmsr}]  # fmt: skip
    table = pd.DataFrame(rows, columns=["term", "estimate", "conf_low", "conf_high"])
    return Drawn(table=table.assign(n_used=model.n_used))


def _curve(found: object, at: list[float]) -> Drawn:
    """Standard error in points over the score to expect: small where the scale tells pupils apart."""
    table = found.curve.assign(group="irt_error", x=found.curve["expected_score"], y=found.curve["std_error_score"])
    return Drawn(table=table[["group", "x", "y"]].assign(n_used=found.n_used), mark=next(iter(at), None),
                 x_axis=message("score to expect (points)"), y_axis=message("standard error (points)"))  # fmt: skip


def _odd(model: object, items: pd.DataFrame, params: Params) -> list[Message]:
    """How many answer in a pattern that the model finds odd; nobody is left out for it."""
    found = tried(person_fit, model, items, seed=params.seed)
    if isinstance(found, Refused):
        return []
    return [message("{share} of pupils answer in a pattern that is odd for the model; {expected} would by chance. Nobody is "
                    "left out for it.",
                    share=Proportion(found.share, found.n_used, found.conf_low, found.conf_high),
                    expected=Proportion(found.share_expected, found.n_used))]  # fmt: skip


def _bias(data: Screened, items: pd.DataFrame, params: Params) -> tuple[Drawn | Refused, Drawn | Refused]:
    """Likelihood-ratio tests between the two largest groups of the first grouping, and the curves of the worst items."""
    names = present(data.people, params.groups)
    if not names:
        return without_groups(), without_groups()
    groups = grouping(data.people, names[0])
    kept = large(groups, FEWEST)[:2]
    if len(kept) < 2:
        return without_groups(), without_groups()
    if items.shape[1] > MOST_ITEMS_FOR_BIAS:
        return (_many_for_bias(),) * 2
    here = groups.isin(kept).to_numpy()
    found = tried(dif_likelihood_ratio, items[here], groups[here].astype(str), reference=kept[0], min_count=params.least_count,
                  cutoffs=_reachable(data, params), conf_level=params.conf_level)  # fmt: skip
    if isinstance(found, Refused):
        return found, found
    table = found.items.assign(group=names[0], item=found.items["item"].map(item_number), n_used=found.n_used)
    order = table.sort_values(["wabc", "item"], ascending=[False, True])["item"].iloc[:WORST]
    shown = table[["item", "wabc", "standardised", "statistic", "df", "p_holm", "flagged", "n_used"]]
    return Drawn(table=shown.rename(columns={"statistic": "chi2"})), _bias_curves(found, list(order))


def _many_for_bias() -> Refused:
    """No likelihood-ratio tests of a long scale."""
    return Refused(
        "many_items_for_bias",
        message("The scale has more than {items} items: the table of bias above judges them, at an equal score.",
                items=MOST_ITEMS_FOR_BIAS),
        message("Nothing."),
    )  # fmt: skip


def _bias_curves(found: object, worst: list[str]) -> Drawn:
    curves = found.curves.assign(item=found.curves["item"].map(item_number))
    parts = [curves[curves["item"] == item].assign(group=f"{item} · {side}", x=curves["theta"], y=curves[column])
             for item in worst for side, column in ((found.reference, "reference"), (found.focal, "focal"))]  # fmt: skip
    table = pd.concat(parts)[["group", "x", "y"]].assign(n_used=found.n_used)
    return Drawn(table=table[(table["x"] >= -3) & (table["x"] <= 4)].reset_index(drop=True),
                 x_axis=message("level of distress (standard deviations of the first group)"),
                 y_axis=message("answer to expect (points)"))  # fmt: skip
