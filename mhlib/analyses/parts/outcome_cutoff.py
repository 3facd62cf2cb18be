"""Service for everyone whose score reaches a cut-off: what changes there, and what must hold if that is the programme."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_cutoff_checks import (
    POINTS_AXIS,
    Looked,
    bars_table,
    density_table,
    donut_forest,
    jumps_table,
    ladder_forest,
    looked,
    placebo_forest,
)
from mhlib.analyses.parts.outcome_cutoff_effect import Jump, deviation, effect_at_cutoff, fitted_lines, jump_of
from mhlib.analyses.parts.outcome_cutoff_said import domains, own_checks, sentences
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Check, Light, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Fewest pupils behind a point of the figure, and how many bandwidths it reaches: farther off no pupil counts.
FEWEST_IN_BIN = 10
SHOWN = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffSection:
    """The jump at the cut-off, who was served, and every way in which the jump was tested."""

    effect: Effect | Refused
    estimate: Drawn | Refused
    figure: Drawn | Refused
    first_stage: Drawn | Refused
    fuzzy: Drawn | Refused
    density: Drawn | Refused
    bars: Drawn | Refused
    jumps: Drawn | Refused
    lost: Drawn | Refused
    ladder: Drawn | Refused
    donut: Drawn | Refused
    placebo: Drawn | Refused
    reading: list[Message]
    domains: list[Light]
    checks: list[Check]


def section(trial: Trial, params: Params) -> CutoffSection:
    """Honest interval of the jump, first stage, effect on those served, and the tests beside them."""
    found = jump_of(trial, params)
    if isinstance(found, Refused):
        return _nothing(found)
    sd, source = deviation(trial, params)
    effect = effect_at_cutoff(found, sd)
    tests = looked(trial, params, found)
    return CutoffSection(
        effect=effect, estimate=_estimate(found, effect), figure=_figure(found), first_stage=_first_stage(found),
        fuzzy=_fuzzy(found), density=density_table(tests.density), bars=bars_table(tests.heaps),
        jumps=jumps_table(tests.jumps), lost=jumps_table(tests.lost), ladder=ladder_forest(found),
        donut=donut_forest(tests.holes), placebo=placebo_forest(tests.placebos),
        reading=sentences(found, params, sd, source), domains=domains(found, tests, params), checks=_checks(found, tests),
    )  # fmt: skip


def _nothing(refused: Refused) -> CutoffSection:
    return CutoffSection(
        effect=refused, estimate=refused, figure=refused, first_stage=refused, fuzzy=refused, density=refused, bars=refused,
        jumps=refused, lost=refused, ladder=refused, donut=refused, placebo=refused, reading=[], domains=[], checks=[],
    )  # fmt: skip


def _checks(found: Jump, tests: Looked) -> list[Check]:
    return [*own_checks(found), *tests.checks()]


def _estimate(found: Jump, effect: Effect | Refused) -> Drawn:
    """The jump in points and, where it is an effect, in standard deviations; the bias allowed for stands beside it."""
    one = found.sharp.reduced_form
    rows = [{"term": "cutoff_jump", "estimate": one.estimate, "conf_low": one.conf_low, "conf_high": one.conf_high,
             "bias_allowed": one.max_bias, "reach": found.sharp.bandwidth, "df": one.df if math.isfinite(one.df) else math.nan,
             "p_value": one.p_value, "n_used": found.n_near}]  # fmt: skip
    if isinstance(effect, Effect) and not math.isnan(effect.g):
        rows.append({"term": "effect_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high,
                     "n_used": found.n_near})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _figure(found: Jump) -> Drawn:
    """Mean outcome by score on both sides, with the two lines that meet the cut-off."""
    sharp, parts = found.sharp, []
    near = {"below": sharp.n_below, "above": sharp.n_above}
    cells, lines = sharp.cells, fitted_lines(found)
    shown = np.abs(cells.distance) <= SHOWN * sharp.bandwidth
    for name, side in (("below", shown & ~cells.above), ("above", shown & cells.above)):
        x = cells.distance[side]
        parts.append(_binned(x, cells.counts[side], cells.totals[side, 0]).assign(group=f"mean_{name}"))
        level, slope = lines[name]
        far = max(x.min(), -sharp.bandwidth) if name == "below" else min(x.max(), sharp.bandwidth)
        ends = pd.DataFrame({"group": f"line_{name}", "x": sorted((far, 0.0)), "n_used": near[name]})
        parts.append(ends.assign(y=level + slope * ends["x"]))
    table = pd.concat(parts, ignore_index=True)[["group", "x", "y", "n_used"]]
    return Drawn(table=table, x_axis=message("score from the cut-off (points)"), y_axis=message("mean score later (points)"),
                 mark=0.0, points=True)  # fmt: skip


def _binned(x: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> pd.DataFrame:
    """Neighbouring scores merged, from the cut-off outwards, until ten pupils stand behind each point."""
    order = np.argsort(np.abs(x))
    bins, behind = [[]], 0.0
    for at in order:
        if behind >= FEWEST_IN_BIN:
            bins, behind = [*bins, []], 0.0
        bins[-1].append(at)
        behind += counts[at]
    if behind < FEWEST_IN_BIN and len(bins) > 1:
        bins = [*bins[:-2], bins[-2] + bins[-1]]
    rows = [{"x": float(np.average(x[one], weights=counts[one])), "y": float(totals[one].sum() / counts[one].sum()),
             "n_used": int(counts[one].sum())} for one in bins]  # fmt: skip
    return pd.DataFrame(rows).sort_values("x", ignore_index=True)


def _first_stage(found: Jump) -> Drawn:
    """How much more often pupils are offered, and take part, once their score reaches the cut-off."""
    rows = []
    for name, fit in (("cutoff_offered", found.offer), ("cutoff_served", found.uptake)):
        if fit is None:
            rows.append({"term": name, "estimate": 1.0, "n_used": found.n_near})
            continue
        one = fit.first_stage
        rows.append({"term": name, "estimate": one.estimate, "conf_low": one.conf_low, "conf_high": one.conf_high,
                     "f_value": fit.f_statistic if math.isfinite(fit.f_statistic) else math.nan,
                     "n_used": fit.n_below + fit.n_above})  # fmt: skip
    columns = ["term", "estimate", "conf_low", "conf_high", "f_value", "n_used"]
    frame = pd.DataFrame(rows)
    return Drawn(table=frame[[name for name in columns if name in frame]])


def _fuzzy(found: Jump) -> Drawn | Refused:
    """Effect on those whom the cut-off brought into the service, by inversion and by linearisation."""
    fit = found.uptake
    if fit is None:
        return Refused(
            "sharp",
            message("Everybody from the cut-off on took part and nobody below it: the effect on those served is the effect at the "
                    "cut-off."),
            message("Nothing."),
        )  # fmt: skip
    if found.not_kept is not None:
        return found.not_kept
    if (refused := fit.refusals.get("effect")) is not None:
        return refused
    rows = [{"group": name, "estimate": one.estimate, "conf_low": one.conf_low, "conf_high": one.conf_high,
             "n_used": fit.n_below + fit.n_above}
            for name, one in (("served_inverted", fit.ratio_inverted), ("served_linear", fit.ratio_delta))]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=POINTS_AXIS, rule=0.0)
