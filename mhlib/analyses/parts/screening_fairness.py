"""Does the cut-off serve all alike? Accuracy by group, differences with their multiplicity, and the price of own cut-offs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.groups import grouping, large, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_accuracy import verification_options
from mhlib.analyses.parts.screening_reliability import without_groups
from mhlib.analyses.parts.sections import Drawn, tried, without_cutoff, without_reference
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import cutoffs_by_group, subgroup_accuracy

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

EQUAL = ("sensitivity", "specificity", "auc")
SHOWN = ("sensitivity", "specificity", "ppv", "referral_rate", "auc")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FairnessSection:
    """Tables of the section; each may be a refusal. `unequal` counts differences that stand after Holm's correction."""

    levels: Drawn | Refused
    figure: Drawn | Refused
    unjudged: Drawn | Refused
    differences: Drawn | Refused
    tradeoff: Drawn | Refused
    unequal: int | None
    looked_at: int


def section(data: Screened, params: Params, *, accurate: bool) -> FairnessSection:
    """Every grouping that is asked for and there, in one family of comparisons."""
    names = present(data.people, params.groups)
    refusal = without_cutoff() if params.cutoff is None else without_groups() if not names else None
    if not refusal and not accurate:
        refusal = without_reference() if data.counts.n_verified == 0 else _not_accurate()
    if refusal:
        return _nothing(refusal)
    found = _by_group(data, params, names)
    if isinstance(found, Refused):
        return _nothing(found)
    differences = found.terms.query("kind == 'difference'")
    # Shares of positives and predictive values differ wherever cases are more common: that is no unequal service.
    known = differences[differences["p_holm"].notna() & differences["term"].isin(EQUAL)]
    levels = _levels(found)
    return FairnessSection(
        figure=_figure(levels), unjudged=_unjudged(found), levels=levels,
        differences=_differences(found, differences), tradeoff=_tradeoff(data, params, names[0]),
        unequal=int((known["p_holm"] < 1 - params.conf_level).sum()),
        looked_at=len(known),
    )  # fmt: skip


def _nothing(refused: Refused) -> FairnessSection:
    return FairnessSection(levels=refused, figure=refused, unjudged=refused, differences=refused, tradeoff=refused, unequal=None,
                           looked_at=0)  # fmt: skip


def _figure(levels: Drawn | Refused) -> Drawn | Refused:
    """Sensitivity and specificity of the groups that could be judged."""
    if isinstance(levels, Refused):
        return levels
    table = levels.table[levels.table["term"].isin(["sensitivity", "specificity"])]
    table = table.sort_values("term", kind="stable").reset_index(drop=True)
    return Drawn(table=table, share=True) if len(table) else _not_accurate()


def _unjudged(found: object) -> Drawn | Refused:
    """Groups too small to be judged, each with the reason."""
    if not found.refusals:
        return Refused("every_group_judged", message("Every group could be judged."), message("Nothing."))
    rows = [{"group": name, "subgroup": group, "reason": refused.why} for name, group, refused in found.refusals]
    return Drawn(table=pd.DataFrame(rows))


def _not_accurate() -> Refused:
    return Refused(
        "accuracy_refused",
        message("No accuracy can be given for all pupils together, so none can be given by group."),
        message("What the section on accuracy asks for, in each group."),
    )


def _by_group(data: Screened, params: Params, names: list[str]) -> object:
    scored = data.scored
    groups = pd.DataFrame({name: grouping(scored, name) for name in names})
    known = groups.notna().all(axis=1) & pd.concat(
        [groups[name].isin(large(groups[name])) for name in names], axis=1
    ).all(axis=1)  # fmt: skip
    options = verification_options(data, params)
    given = {"correction": None} if data.counts.n_verified == data.counts.n else {"correction": options["method"]}
    if options["method"] == "ipw" and given["correction"]:
        given["verification_probability"] = options["verification_probability"][known]
    return tried(
        subgroup_accuracy, data.whole_points[known], scored.loc[known, "reference"], groups[known].astype(str),
        cutoff=float(params.cutoff), reference_group={name: large(groups[name])[0] for name in names},
        direction=params.direction, measures=SHOWN, conf_level=params.conf_level,
        cluster=scored.loc[known, params.cluster] if params.cluster else None, **given,
    )  # fmt: skip


def _levels(found: object) -> Drawn | Refused:
    table = found.terms.query("kind == 'level' and estimate == estimate")
    if table.empty:
        return _not_accurate()
    table = table.assign(subgroup=table["group"], group=table["grouping"], n_used=_people(table, found))
    return Drawn(table=table[["group", "subgroup", "term", "estimate", "conf_low", "conf_high", "n_used"]].reset_index(drop=True),
                 share=True)  # fmt: skip


def _people(table: pd.DataFrame, found: object) -> pd.Series:
    """People screened in each row's group."""
    sizes = found.groups.set_index(["grouping", "group"])["n"]
    return pd.Series([sizes[row.grouping, row.group] for row in table.itertuples()], index=table.index)


def _differences(found: object, differences: pd.DataFrame) -> Drawn:
    table = differences.assign(
        subgroup=differences["group"], group=differences["grouping"], n_used=_people(differences, found)
    )
    table = table.assign(
        difference=table["estimate"], difference_low=table["conf_low"], difference_high=table["conf_high"]
    )
    names = [
        "group",
        "subgroup",
        "versus",
        "term",
        "difference",
        "difference_low",
        "difference_high",
        "p_value",
        "p_holm",
        "n_used",
    ]
    return Drawn(table=table[names].reset_index(drop=True))


def _tradeoff(data: Screened, params: Params, name: str) -> Drawn | Refused:
    """One cut-off beside the groups' own, at an equal specificity; exploratory."""
    seen, weights = data.interviewed, data.interview_weights
    if data.counts.n_verified < data.counts.n and weights is None:
        return Refused(
            "no_chances",
            message("The chances of the interview are not stated, so cut-offs of single groups cannot be weighed."),
            message("The chance with which each pupil was drawn, as column verification_probability."),
        )
    groups = grouping(seen, name)
    known = groups.notna()
    points = seen.loc[known, "score"].astype(float) // 1
    found = tried(cutoffs_by_group, points, seen.loc[known, "reference"].astype(bool), groups[known].astype(str),
                  cutoff=float(params.cutoff), direction=params.direction, conf_level=params.conf_level,
                  weights=None if weights is None else weights[known])  # fmt: skip
    if isinstance(found, Refused):
        return found
    table = found.tradeoff.rename(columns={"group": "subgroup"}).assign(n_used=found.n_used)
    names = ["subgroup", "sensitivity", "specificity", "own_cutoff", "own_sensitivity", "own_specificity", "n_used"]
    return Drawn(table=table[[column for column in names if column in table]])
