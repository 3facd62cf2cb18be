"""What must hold if the jump at a cut-off is the programme's: scores not pushed, pupils alike, nothing at other scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_cutoff_effect import Jump
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial
from mhlib.errors import DesignError
from mhlib.findings import Check, Refused, message
from mhlib.stats.effects import (
    DensityResult,
    DiscontinuityVariants,
    HeapingResult,
    bandwidth_ladder,
    covariate_jumps,
    density_at_cutoff,
    donut,
    heaping,
    placebo_cutoffs,
    rdd_checks,
)
from mhlib.stats.effects.discontinuity_refusals import FEWEST_VALUES

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

ATTRIBUTES = ("sex", "boarding", "left_behind", "urban")
# What the report has words for; a covariate of the plan keeps its own name.
NAMED = {name: f"cutoff_{name}" for name in (*ATTRIBUTES, "y_pre", "lost")}
# Bars shown on each side of the cut-off, and the fewest pupils behind one.
NEAREST_BARS = 8
FEWEST_IN_BAR = 10
STEPS = {"bandwidth_half": 0.5, "bandwidth_chosen": 1.0, "bandwidth_more": 1.5, "bandwidth_double": 2.0}
BOUNDS = {0.5: "bound_half", 2.0: "bound_double"}
POINTS_AXIS = message("difference (points)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """Every way in which the jump was tested, as the library gives it."""

    density: DensityResult | Refused
    heaps: HeapingResult | Refused
    jumps: DiscontinuityVariants | Refused
    lost: DiscontinuityVariants | Refused
    holes: DiscontinuityVariants
    placebos: DiscontinuityVariants | Refused

    def checks(self) -> list[Check]:
        """In the order of the report; what could not be looked at is left out."""
        given = {"density": self.density, "heaps": self.heaps, "covariates": self.jumps, "placebos": self.placebos}
        given = {name: None if isinstance(one, Refused) else one for name, one in given.items()}
        return list(rdd_checks(**given, holes=self.holes, cutoff=0.0))


def looked(trial: Trial, params: Params, found: Jump) -> Looked:
    """Test the scores, the pupils on both sides, the losses, the nearest scores and other scores."""
    score = found.screened["score"].to_numpy()
    cluster = None if found.cluster is None else found.screened[found.cluster]
    level = {"conf_level": params.conf_level}
    lost = found.screened.assign(lost=found.screened["y"].isna().astype(float))
    return Looked(
        density=tried(density_at_cutoff, score, cutoff=0.0, cluster=cluster, **level),
        heaps=tried(heaping, score, cluster=cluster, **level),
        jumps=_covariates(trial, params, found),
        lost=_jumps_of(lost, ["lost"], found, params) if lost["lost"].any() else _nobody_lost(),
        holes=donut(found.sharp), placebos=_placebos(found),
    )  # fmt: skip


def _covariates(trial: Trial, params: Params, found: Jump) -> DiscontinuityVariants | Refused:
    """Jumps of what was there before; not of the score itself, which cannot jump."""
    occasions = trial.data.occasions
    before = occasions[: occasions.index(params.primary)] if params.primary in occasions else ()
    earlier = [f"y_{name}" for name in before if name not in params.later]
    columns = {}
    for name in dict.fromkeys([*ATTRIBUTES, *params.covariates, *earlier]):
        if name not in found.measured or pd.api.types.is_string_dtype(found.measured[name]):
            continue
        values = pd.to_numeric(found.measured[name].astype("Float64"), errors="coerce").astype(float)
        if values.nunique() > 1 and not _told_by_score(values, found.measured["score"]):
            columns[name] = values
    if not columns:
        return Refused("no_covariates", message("Nothing else was measured before the programme, so whether pupils just below and "
                                                "above the cut-off are alike cannot be seen."),
                       message("Sex, boarding, earlier scores: what was known of the pupils before they were screened."))  # fmt: skip
    return _jumps_of(found.measured.assign(**columns), list(columns), found, params)


def _told_by_score(values: pd.Series, score: pd.Series) -> bool:
    """Whether the score tells the value exactly, as it does of a baseline that decided on service."""
    known = values.notna()
    if (values - score)[known].round(9).nunique() <= 1:
        return True
    each = values[known].groupby(score[known]).agg(["size", "nunique"])
    repeated = each[each["size"] > 1]
    return bool(len(repeated)) and bool((repeated["nunique"] == 1).all())


def _jumps_of(frame: pd.DataFrame, names: list[str], found: Jump, params: Params) -> DiscontinuityVariants | Refused:
    return tried(covariate_jumps, frame, covariates=names, running="score", cutoff=0.0, cluster=found.cluster,
                 conf_level=params.conf_level)  # fmt: skip


def _nobody_lost() -> Refused:
    return Refused(
        "nobody_lost", message("Everybody screened was measured at the primary occasion."), message("Nothing.")
    )


def _placebos(found: Jump) -> DiscontinuityVariants | Refused:
    """Three scores on each side, where pupils lie, that leave three values to both of their sides."""
    cells = found.sharp.cells
    places = []
    for side in (~cells.above, cells.above):
        values, counts = cells.distance[side], cells.counts[side].astype(int)
        inner = slice(FEWEST_VALUES, len(values) - FEWEST_VALUES + 1)
        pupils = np.repeat(values[inner], counts[inner])
        places += list(np.unique(np.quantile(pupils, (0.25, 0.5, 0.75), method="nearest"))) if len(pupils) else []
    places = [one for one in places if one != 0]
    if not places or any(one != round(one) for one in places):
        return Refused("no_placebo", message("The score takes too few whole values to look for a jump elsewhere."),
                       message("The full score of everyone screened, in whole points."))  # fmt: skip
    try:
        return placebo_cutoffs(found.sharp, cutoffs=places)
    except DesignError:
        return Refused("no_placebo", message("The score takes too few whole values to look for a jump elsewhere."),
                       message("The full score of everyone screened, in whole points."))  # fmt: skip


def density_table(density: DensityResult | Refused) -> Drawn | Refused:
    """How far the bars at the cut-off bend, as far as a smooth histogram may bend, and the p-value (Frandsen 2017)."""
    if isinstance(density, Refused):
        return density
    row = {"term": "cutoff_bar", "bend_allowed": density.k, "bend_needed": density.k_needed, "p_value": density.p_value,
           "n_used": density.n_below + density.n_at + density.n_next}  # fmt: skip
    return Drawn(table=pd.DataFrame([row]))


def bars_table(heaps: HeapingResult | Refused) -> Drawn | Refused:
    """Each bar near the cut-off beside its neighbours, tested with all others."""
    if isinstance(heaps, Refused):
        return heaps
    near = heaps.table[heaps.table["score"].abs() <= NEAREST_BARS]
    shown = near[near["n"] >= FEWEST_IN_BAR]
    if shown.empty:
        return Refused("few_in_bars", message("Too few pupils stand on each score near the cut-off to look for heaps."),
                       message("The score of everyone screened, on both sides of the cut-off."))  # fmt: skip
    table = pd.DataFrame({"from_cutoff": shown["score"], "n": shown["n"], "to_neighbours": shown["ratio"],
                          "p_holm": shown["p_adjusted"], "stands_out": shown["heap"] == "more"})  # fmt: skip
    return Drawn(table=table.reset_index(drop=True))


def jumps_table(jumps: DiscontinuityVariants | Refused) -> Drawn | Refused:
    """Jumps at the cut-off of what was there before, or of the losses."""
    if isinstance(jumps, Refused):
        return jumps
    if not len(jumps.table):
        return next(iter(jumps.refusals.values()))
    rows = _rows(jumps).assign(term=[NAMED.get(name, name) for name in jumps.table["term"]])
    order = ["term", "estimate", "conf_low", "conf_high", "p_value", "p_holm", "n_used"]
    return Drawn(table=rows[[name for name in order if name in rows]], lacking=_lacking(jumps))


def _rows(family: DiscontinuityVariants) -> pd.DataFrame:
    table = family.table.rename(columns={"p_adjusted": "p_holm"})
    names = ["estimate", "conf_low", "conf_high", "p_value", "p_holm", "n_used"]
    names = [name for name in names if name != "p_holm" or (len(table) > 1 and table["p_holm"].notna().any())]
    return table[names].reset_index(drop=True)


def _lacking(family: DiscontinuityVariants) -> tuple:
    return tuple({one.why.template: one.why for one in family.refusals.values()}.values())


def _forest(rows: pd.DataFrame, names: list[str], lacking: tuple = ()) -> Drawn:
    rows.insert(0, "group", names)
    return Drawn(table=rows, axis=POINTS_AXIS, rule=0.0, lacking=lacking)


def donut_forest(holes: DiscontinuityVariants) -> Drawn | Refused:
    """The jump without the scores nearest to the cut-off."""
    if not len(holes.table):
        return next(iter(holes.refusals.values()))
    return _forest(
        _rows(holes).drop(columns="p_value"), [f"hole_{one}" for one in holes.table["hole"]], _lacking(holes)
    )


def placebo_forest(placebos: DiscontinuityVariants | Refused) -> Drawn | Refused:
    """Jumps where there is no cut-off."""
    if isinstance(placebos, Refused):
        return placebos
    if not len(placebos.table):
        return next(iter(placebos.refusals.values()))
    return _forest(_rows(placebos), [f"moved_{one:+.0f}" for one in placebos.table["cutoff"]], _lacking(placebos))


def ladder_forest(found: Jump) -> Drawn:
    """The jump at other bandwidths, under other bounds, and as the estimator for continuous scores has it."""
    sharp, rows = found.sharp, []
    wide = {name: factor * sharp.bandwidth for name, factor in STEPS.items()}
    cells = sharp.cells
    for name, h in wide.items():
        held = np.abs(cells.distance) < h
        if min((held & cells.above).sum(), (held & ~cells.above).sum()) < 2:
            continue
        one = bandwidth_ladder(sharp, bandwidths=[h]).table.iloc[0]
        rows.append({"group": name, "reach": h, **_numbers(one), "n_used": int(one["n_used"])})
    held_constant = sharp.ladder.set_index("factor")
    for factor, name in BOUNDS.items():
        one = held_constant.loc[factor]
        held = np.abs(cells.distance) < one["bandwidth"]
        rows.append(
            {"group": name, "reach": one["bandwidth"], **_numbers(one), "n_used": int(cells.counts[held].sum())}
        )
    lacking = ()
    if sharp.robust is not None and "error" not in sharp.refusals:
        estimate, _, low, high, _ = sharp.robust.table[2]
        rows.append({"group": "for_continuous", "reach": sharp.robust.bandwidth, "estimate": estimate, "conf_low": low,
                     "conf_high": high, "n_used": sharp.robust.n_below + sharp.robust.n_above})  # fmt: skip
    elif (refused := sharp.refusals.get("robust")) is not None:
        lacking = (refused.why,)
    return Drawn(table=pd.DataFrame(rows), axis=POINTS_AXIS, rule=0.0, lacking=lacking)


def _numbers(row: pd.Series) -> dict[str, float]:
    return {
        name: float(row[name]) if row[name] is not None else math.nan for name in ("estimate", "conf_low", "conf_high")
    }
