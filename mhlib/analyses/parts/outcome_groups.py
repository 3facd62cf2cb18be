"""For whom? The interaction first, the subgroups after; and how far schools differ, without naming any."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.groups import grouping, large
from mhlib.analyses.parts.outcome_effect import adjusted, formula
from mhlib.analyses.parts.outcome_primary import mixed_model
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.errors import DesignError
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import adjust_pvalues, cluster_robust, group_effects, joint_test, meta_analysis

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

FEWEST_PUPILS = 30
ALIKE = message("The interval of every school is drawn as wide as the widest, so that no school is known by its size.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupsSection:
    """Interactions, subgroups, and schools without names."""

    interactions: Drawn | Refused
    subgroups: Drawn | Refused
    schools: Drawn | Refused
    pooled: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params) -> GroupsSection:
    """Interaction tests corrected for their number, effects by subgroup, shrunken levels of schools, and a prediction."""
    if refused := arms_refusal(trial):
        return GroupsSection(interactions=refused, subgroups=refused, schools=refused, pooled=refused, reading=[])
    interactions, subgroups = _interactions(trial, params)
    pooled, said = _pooled(trial, params)
    schools = _schools(trial, params)
    masked = [] if isinstance(schools, Refused) else [ALIKE]
    return GroupsSection(
        interactions=interactions, subgroups=subgroups, schools=schools, pooled=pooled,
        reading=[*_reading(interactions, params), *getattr(subgroups, "lacking", ()), *said, *masked],
    )  # fmt: skip


def _interactions(trial: Trial, params: Params) -> tuple[Drawn | Refused, Drawn | Refused]:
    """One joint test a grouping; the subgroups' own effects come from the same model."""
    known = [name for name in params.subgroups if name in trial.people] + (["severity"] if trial.has_baseline else [])
    tests, rows = [], []
    for name in known:
        frame, names = adjusted(trial, params)
        values = severity(frame) if name == "severity" else grouping(frame, name)
        kept = large(values)
        if len(kept) < 2:
            continue
        kept = sorted(kept)
        frame = frame.assign(subgroup=values)[values.isin(kept)]
        try:
            found = _one(trial, params, frame, [one for one in names if name != "severity" or one != "z_b"], kept)
        except DesignError:
            continue
        tests.append({"group": name, **found[0]})
        rows += [{"group": name, **row} for row in found[1]]
    if not tests:
        refused = Refused("no_subgroups", message("No subgroup named beforehand has two groups of a hundred pupils or more."),
                          message("Groups named beforehand, as parameter subgroups."))  # fmt: skip
        return refused, refused
    table = pd.DataFrame(tests)
    table["p_holm"] = adjust_pvalues(table["p_value"].to_numpy()).adjusted
    effects = pd.DataFrame(rows)
    sure = effects[effects["conf_low"].notna()].reset_index(drop=True)
    lacking = (message("Groups in too few units for an interval are left out."),) if len(sure) < len(effects) else ()
    return Drawn(table=table), Drawn(table=sure, axis=message("difference (points)"), rule=0.0, lacking=lacking)


def severity(frame: pd.DataFrame) -> pd.Series:
    """Thirds of the baseline, by name; fewer groups where many share a score, and one where all do."""
    names = np.array(["severity_low", "severity_middle", "severity_high"], dtype=object)
    place = frame["b"].rank(method="average")
    third = np.searchsorted(place.quantile([1 / 3, 2 / 3]), place.fillna(0.0))
    return pd.Series(names[third], index=frame.index).where(place.notna(), None)


def _one(trial: Trial, params: Params, frame: pd.DataFrame, names: list[str], kept: list[str]):
    """Joint test of treatment by subgroup, and each subgroup's effect from the model with an effect for each."""
    dummies = {f"group_{at}": (frame["subgroup"] == value).astype(float) for at, value in enumerate(kept)}
    each = {f"effect_{at}": frame["treated"] * dummies[f"group_{at}"] for at in range(len(kept))}
    frame = frame.assign(**dummies, **each)
    own, cross = [f"group_{at}" for at in range(1, len(kept))], [f"effect_{at}" for at in range(1, len(kept))]
    options = {"cluster": trial.cluster, "estimand": params.estimand, "conf_level": params.conf_level}
    interaction = cluster_robust(formula("y", [*own, *cross, *names]), frame, **options)
    separate = cluster_robust(formula("y", [*list(each)[1:], *own, *names], "effect_0"), frame, **options)
    if isinstance(interaction, Refused) or isinstance(separate, Refused):
        raise DesignError("subgroups", "one cluster carries a subgroup")
    joint = joint_test(interaction, cross)
    p = math.nan if isinstance(joint, Refused) or joint.refused else joint.p_value
    table = separate.to_frame().set_index("term")
    rows = [{"subgroup": value, "estimate": table.at[f"effect_{at}", "estimate"], "conf_low": table.at[f"effect_{at}", "conf_low"],
             "conf_high": table.at[f"effect_{at}", "conf_high"], "n_used": int(dummies[f"group_{at}"].sum())}
            for at, value in enumerate(kept)]  # fmt: skip
    test = {
        "f_value": getattr(joint, "statistic", math.nan),
        "df": getattr(joint, "df2", math.nan),
        "p_value": p,
        "n_used": len(frame),
    }
    return test, rows


def _schools(trial: Trial, params: Params) -> Drawn | Refused:
    """Shrunken levels of schools, sorted and without names: how far they differ beyond chance, not which is best."""
    frame, names = adjusted(trial, params)
    mixed = mixed_model(trial, frame, names, params)
    if isinstance(mixed, Refused):
        return mixed
    try:
        found = group_effects(mixed)
    except DesignError as error:
        return refused_design(error)
    table = found.table.sort_values("estimate").reset_index(drop=True)
    n = frame.groupby(trial.levels[0])["y"].count()
    table = table.assign(x=range(1, len(table) + 1), group="schools_shrunken", n_used=table["term"].map(n).to_numpy())
    table = table[table["n_used"] >= FEWEST_PUPILS]
    if table.empty:
        return Refused("small_schools", message("No school or class has {least} pupils, so none is shown.", least=FEWEST_PUPILS),
                       message("Nothing."))  # fmt: skip
    # A school is known by its size, and its size by its interval: all have the fewest pupils and the widest interval.
    half = (table["conf_high"] - table["conf_low"]).max() / 2
    shown = table.assign(
        y=table["estimate"], low=table["estimate"] - half, high=table["estimate"] + half, n_used=table["n_used"].min()
    )
    return Drawn(table=shown[["group", "x", "y", "low", "high", "n_used"]],
                 x_axis=message("schools, in the order of their estimate, unnamed"),
                 y_axis=message("beyond what was to expect (points)"), points=True)  # fmt: skip


def _pooled(trial: Trial, params: Params) -> tuple[Drawn | Refused, list[Message]]:
    """Effect school by school where both arms are in each school, pooled with a prediction for the next school."""
    frame, names = adjusted(trial, params)
    if "school_pid" not in frame or trial.cluster == "school_pid":
        return Refused("one_arm_a_school", message("A school has one arm only, so no school has an effect of its own."),
                       message("Nothing.")), []  # fmt: skip
    results = []
    for _, people in frame.groupby("school_pid"):
        units = people.groupby("treated")[trial.cluster].nunique()
        if len(units) < 2 or units.min() < 3:
            continue
        fit = cluster_robust(
            formula("y", [name for name in names if "stratum" not in name]), people, cluster=trial.cluster
        )
        if not isinstance(fit, Refused):
            row = fit.to_frame().set_index("term").loc["treated"]
            results.append((row["estimate"], row["std_error"]))
    if len(results) < 5:
        return Refused("few_schools", message("Fewer than five schools have both arms with three classes each."),
                       message("Nothing.")), []  # fmt: skip
    found = meta_analysis([one for one, _ in results], [one for _, one in results], conf_level=params.conf_level)
    rows = [
        {"group": "pooled_mean", "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high},
        {
            "group": "pooled_next",
            "estimate": found.estimate,
            "conf_low": found.predicted_low,
            "conf_high": found.predicted_high,
        },
    ]
    table = pd.DataFrame(rows).assign(n_used=len(frame), n_units=len(results))
    said = message("Of the spread between schools' effects {share} is beyond chance (I²).", share=f"{found.i2:.0%}")
    return Drawn(table=table, axis=message("difference (points)"), rule=0.0), [said]


def _reading(interactions: Drawn | Refused, params: Params) -> list[Message]:
    if isinstance(interactions, Refused):
        return []
    table = interactions.table
    tested, sure = int(table["p_holm"].notna().sum()), int((table["p_holm"] < params.alpha).sum())
    said = []
    if tested < len(table):
        said.append(message("{n} of {all} interactions could not be tested: too few units are in one of the groups.",
                            n=len(table) - tested, all=len(table)))  # fmt: skip
    if sure:
        return [*said, message("{n} of {all} interactions stand after Holm's correction; only there may the effects of "
                               "subgroups be read as different.", n=sure, all=tested)]  # fmt: skip
    if tested:
        said.append(message("None of the {all} interactions tested stands after Holm's correction: the effects of the subgroups "
                            "must not be read as different, whichever of them is beyond chance on its own.", all=tested))  # fmt: skip
    return said
