"""Whom certificates reach and whom they do not: by school level, place and role, as shares, and never by school or name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_reach_audit import LEAST, clustered, row_of
from mhlib.analyses.parts.training_reach_registers import Registers, day_of
from mhlib.errors import DesignError
from mhlib.findings import Count, Refused, message
from mhlib.stats.clustered import share
from mhlib.stats.effects import cluster_robust
from mhlib.stats.intervals import critical
from mhlib.stats.monitoring import proportion
from mhlib.stats.multiplicity import holm

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

FEWEST, FEWEST_SCHOOLS = 30, 2
GROUPINGS = ("level", "urban", "reach_role")


def grouped(people: pd.DataFrame) -> dict[str, pd.Series]:
    """Each grouping that the source knows, as the names the vocabulary has."""
    found = {}
    if "level" in people and people["level"].notna().any():
        found["level"] = people["level"].map("level_{}".format, na_action="ignore")
        found["urban"] = people["urban"].astype(object).map({True: "urban_yes", False: "urban_no"}, na_action="ignore")
    found["reach_role"] = people["role"].map("post_{}".format, na_action="ignore")
    return found


def groups(registers: Registers, params: Params) -> Drawn | Refused:
    """Coverage of every certificate by group, clustered by school."""
    rows, small = [], 0
    for level in registers.levels:
        held = registers.held(level, day_of(params.as_of))
        for name, values in grouped(held).items():
            for group in sorted(values.dropna().unique()):
                part = held[values == group]
                found = _judged(part, params)
                if found is None:
                    small += 1
                    continue
                rows.append({"certificate": f"certificate_{level}", "group": name, "subgroup": group, **row_of(found)})
    if not rows:
        return too_small()
    return Drawn(table=pd.DataFrame(rows), lacking=_small(small))


def _judged(part: pd.DataFrame, params: Params) -> object:
    """A group's share; None where it is too small to be shown, sits in one school, or all but a few are alike."""
    few = min(int(part["covered"].sum()), int((part["covered"] == 0).sum())) < LEAST
    if few or len(part) < FEWEST or part["school_pid"].nunique() < FEWEST_SCHOOLS:
        return None
    found = clustered(part["covered"], part["school_pid"], params)
    return None if isinstance(found, Refused) else found


def _small(n: int) -> tuple:
    if not n:
        return ()
    return (
        message(
            "{n} groups are not shown: fewer than {few} teachers, a single school, or fewer than {least} with or without the "
            "certificate.",
            n=n,
            few=FEWEST,
            least=LEAST,
        ),
    )


def too_small() -> Refused:
    """No group can be judged."""
    return Refused(
        "no_group",
        message("The source knows no group of thirty teachers or more in two schools or more."),
        message("The school level, the place and the role of everybody in post."),
    )


def figure_of(found: Drawn | Refused, level: str) -> Drawn | Refused:
    """The groups of one certificate, for a forest."""
    if isinstance(found, Refused):
        return found
    table = found.table[found.table["certificate"] == f"certificate_{level}"].drop(columns="certificate")
    if table.empty:
        return too_small()
    return Drawn(table=table.reset_index(drop=True), share=True, axis=message("share with a valid certificate"))


def equity(registers: Registers, params: Params) -> Drawn | Refused:
    """Each group less all others of its grouping, in shares: CR2 errors by school, corrected for the number looked at."""
    rows, lost = [], 0
    for level in registers.levels:
        held = registers.held(level, day_of(params.as_of))
        for name, values in grouped(held).items():
            labels = sorted(values.dropna().unique())
            # Of two groups one difference says all.
            for group in labels[1:] if len(labels) == 2 else labels if len(labels) > 2 else []:
                row = _difference(held, values, group, params)
                if row is None:
                    lost += 1
                else:
                    rows.append({"certificate": f"certificate_{level}", "group": name, "subgroup": group, **row})
    if not rows:
        return Refused("no_difference", message("No two groups are in enough schools for their difference to have an interval."),
                       message("The school level, the place and the role of everybody in post, over more schools."))  # fmt: skip
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table.pop("p_value").to_numpy(dtype=float))
    lacking = (
        message(
            "{n} differences are not shown: one side is too small or sits in too few schools for an interval.", n=lost
        ),
    )
    return Drawn(
        table=table,
        rule=0.0,
        axis=message("difference of shares, group less all others"),
        lacking=lacking if lost else (),
    )


def _difference(held: pd.DataFrame, values: pd.Series, group: str, params: Params) -> dict[str, object] | None:
    known = values.notna()
    part = pd.DataFrame(
        {"covered": held["covered"], "inside": (values == group).astype(float), "school_pid": held["school_pid"]}
    )
    part = part[known.to_numpy()].dropna()
    few = part.groupby("inside")["covered"].agg(["size", "sum"])
    if len(few) < 2 or few["size"].min() < FEWEST or min(few["sum"].min(), (few["size"] - few["sum"]).min()) < LEAST:
        return None
    try:
        fit = cluster_robust("covered ~ inside", part, cluster="school_pid", conf_level=params.conf_level)
    except DesignError:
        return None
    if isinstance(fit, Refused) or not np.isfinite(fit.conf_low[fit.position("inside")]):
        return None
    at = fit.position("inside")
    return {"term": "coverage_difference", "estimate": fit.estimates[at], "conf_low": fit.conf_low[at],
            "conf_high": fit.conf_high[at], "df": fit.df[at], "p_value": fit.p_values[at],
            "n_used": int(part["inside"].sum())}  # fmt: skip


def missing(registers: Registers, params: Params) -> Drawn:
    """Why people in post hold no valid certificate of the level that most hold, as shares of those in post."""
    day, level = day_of(params.as_of), registers.broad
    held = registers.held(level, day)
    ever = held.index.isin(registers.issued(level, day)["teacher_pid"])
    without = held["covered"] == 0
    reasons = {"lacks_new": without & ~ever & ~held["before"], "lacks_never": without & ~ever & held["before"],
               "lacks_expired": without & ever}  # fmt: skip
    return Drawn(table=pd.DataFrame([
        {"group": f"certificate_{level}", "why_missing": name, "numerator": int(chosen.sum()), "denominator": len(held),
         "proportion": float(chosen.mean()) if len(held) else math.nan} for name, chosen in reasons.items()
    ]))  # fmt: skip


def composition(registers: Registers, params: Params) -> Drawn | Refused:
    """Among those without the broad certificate, the share of each group, beside its share of all in post."""
    held = registers.held(registers.broad, day_of(params.as_of))
    without = held["covered"] == 0
    if without.sum() < FEWEST:
        return Refused(
            "few_missing",
            message(
                "Fewer than thirty people in post lack the certificate: their make-up would tell of single people."
            ),
            message("Nothing."),
        )
    rows, small = [], 0
    for name, values in grouped(held).items():
        for group in sorted(values.dropna().unique()):
            inside = values == group
            if min((inside & without).sum(), (~inside & without).sum()) < LEAST:
                small += 1
                continue
            found = clustered(inside[without].astype(int), held.loc[without, "school_pid"], params)
            if isinstance(found, Refused):
                small += 1
                continue
            row = row_of(found, "share_of_missing") | {"share_of_all": float(inside.mean())}
            rows.append({"group": name, "subgroup": group, **row})
    if not rows:
        return too_small()
    return Drawn(table=pd.DataFrame(rows), lacking=_small(small))


def expert(registers: Registers) -> str | None:
    """The level fewer hold; None where there is one level only."""
    held = registers.holders
    return str(held.index[-1]) if len(held) > 1 else None


def pupils(registers: Registers, table: pd.DataFrame | Refused, params: Params) -> Drawn | Refused:
    """Pupils for each holder of the rarer certificate in post, by school level; intervals over schools."""
    if isinstance(table, Refused):
        return table
    level, rows, lacking = expert(registers), [], []
    for name, part in _by_level(table).items():
        row = _ratio(part[part["pupils"] > 0], params.conf_level)
        if row is not None:
            rows.append({"group": f"certificate_{level}", "subgroup": name, "term": "pupils_per_holder", **row})
    if len(rows) < len(_by_level(table)):
        lacking.append(message("Where fewer than two schools have a holder, no number of pupils a holder is given."))
    if stray := int(table.loc[table["pupils"] == 0, "holders"].sum()):
        lacking.append(
            message("{n} holders are in schools without pupils on the roll and are left out.", n=Count(stray))
        )
    if not rows:
        return Refused(
            "no_holder",
            message("Fewer than two schools have a holder of the certificate in post."),
            message("Nothing."),
        )
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def school_counts(registers: Registers, training: Training, params: Params) -> pd.DataFrame | Refused:
    """Pupils of the last wave and holders in post of each school; never shown."""
    level = expert(registers)
    if level is None:
        return Refused("one_level", message("The source holds certificates of one level only."), message("Nothing."))
    roll = training.data.read("enrolment", columns=["school_pid", "wave"])
    if roll is None:
        return without_table("enrolment")
    last = roll.loc[roll["wave"] == roll["wave"].max(), "school_pid"].value_counts()
    last.index = last.index.astype(object)
    people, held = registers.people, registers.held(level, day_of(params.as_of))
    holders = held.groupby("school_pid")["covered"].sum()
    found = pd.DataFrame({"pupils": last, "holders": holders.set_axis(registers.schools[holders.index])}).fillna(0)
    if "level" in people:
        first = people.drop_duplicates("school_pid")
        found["level"] = first["level"].set_axis(registers.schools[first["school_pid"]])
    return found


def _ratio(part: pd.DataFrame, conf_level: float) -> dict[str, object] | None:
    """Pupils over holders, schools as they came: the linearised ratio on the log scale, t with schools - 1 df."""
    if (part["holders"] > 0).sum() < 2:
        return None
    pupils_, holders = part["pupils"].to_numpy(float), part["holders"].to_numpy(float)
    found = share(holders / pupils_, np.ones(len(part)), weights=pupils_, cluster=None)
    half = critical(conf_level, len(part) - 1) * found.std_error / found.value
    middle = 1 / found.value
    return {"estimate": middle, "conf_low": middle * math.exp(-half), "conf_high": middle * math.exp(half),
            "n_pupils": int(pupils_.sum()), "n_used": int(holders.sum())}  # fmt: skip


def schools_without(registers: Registers, table: pd.DataFrame | Refused, params: Params) -> Drawn | Refused:
    """Share of schools in which nobody in post holds the rarer certificate; not where it would tell of single schools."""
    if isinstance(table, Refused):
        return table
    rows, small = [], 0
    for name, part in _by_level(table[table["pupils"] > 0]).items():
        n = int((part["holders"] == 0).sum())
        if min(n, len(part) - n) < LEAST:
            small += 1
            continue
        found = proportion(n, len(part), conf_level=params.conf_level)
        rows.append({"group": f"certificate_{expert(registers)}", "subgroup": name, "n_without": n, "n_schools": len(part),
                     "term": "schools_without_holder", "estimate": found.proportion, "conf_low": found.conf_low,
                     "conf_high": found.conf_high})  # fmt: skip
    if not rows:
        return Refused(
            "few_schools",
            message(
                "Fewer than ten schools are with, or fewer than ten without, a holder: the share would tell of single schools."
            ),
            message("Nothing."),
        )
    lacking = (
        message(
            "{n} school levels are not shown: fewer than {least} schools with or without a holder.",
            n=small,
            least=LEAST,
        ),
    )
    return Drawn(table=pd.DataFrame(rows), lacking=lacking if small else ())


def _by_level(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All schools, then those of each level where levels are known."""
    levels = {f"level_{name}": part for name, part in table.groupby("level")} if "level" in table else {}
    return {"all_schools": table} | levels
