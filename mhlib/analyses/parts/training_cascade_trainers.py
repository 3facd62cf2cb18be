"""Trainers of a cascade: whether their groups gained more unlike than chance makes them, and how they kept to the manual."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_cascade_gains import COMPARED, FEWEST_UNITS, TierRows, tier_term
from mhlib.findings import Count, Estimate, Message, Refused, message
from mhlib.stats.effects import cluster_robust, multilevel, variance_profile
from mhlib.stats.intervals import critical, wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Fewer trainers are known by name to whoever sees a figure; a place on the axis is shared by so many.
FEWEST_TRAINERS, ALIKE = 20, 5
# A trainer with fewer teachers tested has no place of his own.
FEWEST_TAUGHT = 10
INNER, OUTER = 0.95, 0.998


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainersSection:
    """Funnel of the trainers' groups, their spread, and fidelity."""

    funnel: Drawn | Refused
    spread: Drawn | Refused
    fidelity: Drawn | Refused
    fidelity_gain: Drawn | Refused
    reading: list[Message]


def trainers(training: Training, params: Params, rows: TierRows) -> TrainersSection:
    """Everything about trainers; none is named and none is placed in an order."""
    taught = rows.measured[rows.measured["place"] != COMPARED]
    if not rows.trainers_known:
        refused = without_trainers()
        return TrainersSection(
            funnel=refused, spread=refused, fidelity=refused, fidelity_gain=refused, reading=[refused.why]
        )
    fit = tried(_spread_model, taught, training.sd, params)
    funnel, said = _funnel(taught, training.sd, fit)
    fidelity = _fidelity(rows, taught, params)
    relation = _relation(taught, training.sd, params, fidelity)
    return TrainersSection(
        funnel=funnel, spread=_spread(fit, len(taught)), fidelity=fidelity, fidelity_gain=relation,
        reading=[*_spread_said(fit, len(taught)), *said, *_relation_said(relation)],
    )  # fmt: skip


def without_trainers() -> Refused:
    """Nothing by trainer where it is not known who taught whom."""
    return Refused(
        "no_trainers",
        message("It is not known who trained whom, so that trainers cannot be told apart."),
        message("Pseudonym of the trainer of every trained teacher, and how closely the manual was kept to."),
    )


def _spread_model(taught: pd.DataFrame, sd: float, params: Params) -> object:
    """Gains by tier with a trainer's own part: standard deviations with profile intervals, which hold near 0 too."""
    frame = taught.assign(gain_sd=taught["gain"] / sd, place=taught["place"].astype(str))
    terms = "gain_sd ~ place" if frame["place"].nunique() > 1 else "gain_sd ~ 1"
    fit = multilevel(terms, frame[["gain_sd", "place", "taught"]], groups=["taught"], conf_level=params.conf_level)
    if fit.converged:
        return variance_profile(fit)
    return Refused("not_converged", message("A model that did not converge is not shown."), message("More teachers."))


def _deviation(fit: object, level: str) -> tuple[float, float, float]:
    """Standard deviation of a level with its interval."""
    row = fit.table.set_index("level").loc[level]
    return tuple(float(row[name]) for name in ("estimate", "conf_low", "conf_high"))


def _spread(fit: object, n: int) -> Drawn | Refused:
    """How far groups of different trainers at one tier lie apart beyond chance, beside the spread of teachers."""
    if isinstance(fit, Refused):
        return fit
    rows = [dict(zip(("term", "estimate", "conf_low", "conf_high"), (name, *_deviation(fit, level)), strict=True))
            for name, level in (("casc_between", "taught"), ("casc_within", "residual"))]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows).assign(n_used=n))


def _spread_said(fit: object, n: int) -> list[Message]:
    if isinstance(fit, Refused):
        return [fit.why]
    value, low, high = _deviation(fit, "taught")
    return [message("At one tier, the groups of different trainers differ in gain by {spread} standard deviations beyond chance.",
                    spread=Estimate(value, n, low, high))]  # fmt: skip


def _funnel(taught: pd.DataFrame, sd: float, fit: object) -> tuple[Drawn | Refused, list[Message]]:
    """Gain of each trainer's group beyond that of its tier, against its size, between limits that allow for true spread.

    The limits are +/- quantile times the root of s² (1 / n - 1 / N) + tau², with N teachers at the tier (Spiegelhalter 2005
    Stat Med 24:1185, additive). A trainer is known by the size of his group, so sizes are drawn in classes that several
    trainers share, and each group stands where its own distance from the limits puts it.
    """
    if isinstance(fit, Refused):
        return fit, []
    within, between = _deviation(fit, "residual")[0], _deviation(fit, "taught")[0]
    groups = taught.groupby(["place", "taught"])["gain"].agg(["size", "mean"]).reset_index()
    tier = taught.groupby("place")["gain"].agg(["size", "mean"]).rename(columns={"size": "whole", "mean": "usual"})
    groups = groups.join(tier, on="place")
    shown = groups[(groups["size"] >= FEWEST_TAUGHT) & (groups["size"] < groups["whole"])].sort_values("size")
    if len(shown) < FEWEST_TRAINERS:
        return few_trainers(), []
    free = within**2 * (1 / shown["size"] - 1 / shown["whole"]) + between**2
    distance = ((shown["mean"] - shown["usual"]) / sd / np.sqrt(free)).to_numpy()
    size = _shared_sizes(shown["size"].to_numpy())
    own = np.sqrt(within**2 / size + between**2)
    fewest = int(shown["size"].min())
    points = pd.DataFrame({"group": "casc_trainer_group", "x": size, "y": distance * own})
    grid = np.linspace(size.min(), size.max(), 40)
    half = np.sqrt(within**2 / grid + between**2)
    limits = [pd.DataFrame({"group": name, "x": grid, "y": sign * critical(level) * half})
              for name, level in (("casc_limit_95", INNER), ("casc_limit_998", OUTER)) for sign in (1.0, -1.0)]  # fmt: skip
    table = pd.concat([points.sort_values(["x", "y"]), *limits], ignore_index=True).assign(n_used=fewest)
    drawn = Drawn(table=table, rule=0.0, x_axis=message("teachers tested of a trainer's group, in classes of size"),
                  y_axis=message("gain beyond that of the tier (SD)"))  # fmt: skip
    outside = int((np.abs(distance) > critical(OUTER)).sum())
    return drawn, _outside_said(outside, len(shown), len(groups) - len(shown))


def _shared_sizes(size: np.ndarray) -> np.ndarray:
    """Mean size of the class that each of the sorted groups falls into; a class holds five groups or more of sizes next to it."""
    classes = max(1, len(size) // (2 * ALIKE))
    parts = np.array_split(np.arange(len(size)), classes)
    return np.concatenate([np.full(len(part), size[part].mean()) for part in parts])


def _outside_said(outside: int, shown: int, left: int) -> list[Message]:
    said = [
        message("Outside the limits of 99.8%: {n} of {all} groups, where {expected} would lie by chance. A group outside is a "
                "reason to ask what was different there, and no verdict on a trainer.",
                n=Count(outside), all=Count(shown), expected=round(shown * (1 - OUTER), 1)),
    ]  # fmt: skip
    if left:
        said.append(message("Not drawn: {n} groups of which fewer than {least} teachers were tested, or which are a whole tier.",
                            n=Count(left), least=FEWEST_TAUGHT))  # fmt: skip
    return said


def few_trainers() -> Refused:
    """No figure in which each trainer would be known."""
    return Refused(
        "few_trainers",
        message("Fewer than {least} trainers have {taught} teachers tested: each would be known in a figure.",
                least=FEWEST_TRAINERS, taught=FEWEST_TAUGHT),
        message("Nothing."),
    )  # fmt: skip


def _by_trainer(taught: pd.DataFrame) -> pd.DataFrame:
    """One row a trainer and tier: mean fidelity of the rows."""
    frame = taught.assign(fidelity=taught["fidelity"].astype(float))
    return frame.groupby(["place", "taught"])["fidelity"].mean().dropna().reset_index()


def _fidelity(rows: TierRows, taught: pd.DataFrame, params: Params) -> Drawn | Refused:
    """Mean share of the manual kept to, each trainer once, by tier; people behind a row are trainers."""
    if "fidelity" not in taught or not taught["fidelity"].notna().any():
        return without_fidelity()
    each, out = _by_trainer(taught), []
    for name in rows.tiers:
        values = each.loc[each["place"] == name, "fidelity"]
        n = len(values)
        error = values.std(ddof=1) / math.sqrt(n) if n >= FEWEST_UNITS else math.nan
        low, high = wald(values.mean(), error, params.conf_level, n - 1) if n >= FEWEST_UNITS else (math.nan, math.nan)
        if n:
            out.append({"tier": tier_term(name), "term": "casc_fidelity", "estimate": values.mean(), "conf_low": low,
                        "conf_high": high, "n_used": n})  # fmt: skip
    return Drawn(table=pd.DataFrame(out))


def without_fidelity() -> Refused:
    """Nothing about fidelity where it was not observed."""
    return Refused(
        "no_fidelity",
        message("How closely trainers kept to the manual was not observed."),
        message("Share of the manual kept to at each course, seen by somebody who does not teach it."),
    )


def _relation(taught: pd.DataFrame, sd: float, params: Params, fidelity: Drawn | Refused) -> Drawn | Refused:
    """Gain against fidelity within tiers, errors by trainer; fidelity was not drawn by lot, so this is no effect."""
    if isinstance(fidelity, Refused):
        return fidelity
    frame = taught.assign(tenth=10 * taught["fidelity"].astype(float), gain_sd=taught["gain"] / sd)
    names = sorted(frame["place"].unique())[1:]
    frame = frame.assign(**{f"at_{at}": (frame["place"] == name).astype(float) for at, name in enumerate(names)})
    terms = ["tenth", *(f"at_{at}" for at in range(len(names)))]
    kept = frame[["gain_sd", "taught", *terms]]
    fit = tried(cluster_robust, "gain_sd ~ " + " + ".join(terms), kept, cluster="taught", conf_level=params.conf_level)
    if isinstance(fit, Refused):
        return fit
    if refused := fit.refusals.get("tenth"):
        return refused
    row = fit.to_frame().set_index("term").loc["tenth"]
    table = {"term": "casc_tenth", "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"],
             "df": row["df"], "n_used": fit.n_used, "n_excluded": fit.n_excluded}  # fmt: skip
    return Drawn(table=pd.DataFrame([table]))


def _relation_said(found: Drawn | Refused) -> list[Message]:
    if isinstance(found, Refused):
        return []
    row = found.table.iloc[0]
    value = Estimate(row["estimate"], int(row["n_used"]), row["conf_low"], row["conf_high"])
    return [
        message("Exploratory: with 10 percentage points more of the manual kept to, teachers of the same tier gained {slope} standard "
                "deviations more; who kept to it was not drawn by lot.", slope=value),
    ]  # fmt: skip
