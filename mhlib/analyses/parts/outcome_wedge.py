"""A stepped wedge: every unit begins in its turn, in an order drawn by lot, and is measured before and after."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_rollout_rows import occasion_times
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, other_design
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Light, Message, Proportion, Refused, message
from mhlib.stats.effects import SteppedWedgeResult, hedges_g_from_model, multilevel, stepped_wedge_effect

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

AVERAGE, CONSTANT = "average over exposure", "constant effect"
# Rows of the library's result, by the names that the report shows.
VARIANTS = {
    AVERAGE: "wedge_average",
    CONSTANT: "wedge_constant",
    f"{AVERAGE}, CR2": "wedge_average_cr2",
    f"{CONSTANT}, CR2": "wedge_constant_cr2",
    f"{CONSTANT}, pupil intercept": "wedge_without_cell",
    f"{CONSTANT}, permutation": "wedge_permutation",
    "within periods, permutation": "wedge_within_periods",
}
# Fewer units than this, and the model's interval does not stand alone.
FEW_UNITS = 12
# From this share of pupils seen in two periods on, the same pupils count as measured again.
MOSTLY_AGAIN = 0.8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WedgeSection:
    """Who began when, the effect averaged over the periods with the programme, and how it grew or faded."""

    effect: Effect | Refused
    estimate: Drawn | Refused
    schedule: Drawn | Refused
    starts: Drawn | Refused
    periods: Drawn | Refused
    exposure: Drawn | Refused
    variants: Drawn | Refused
    reading: list[Message]
    domains: list[Light]
    checks: list[Check]


def section(trial: Trial, params: Params) -> WedgeSection:
    """Effect and its parts; refusals of the library stand where no stepped wedge is there."""
    if trial.design != "stepped_wedge":
        return _nothing(other_design())
    if (refused := _unready(trial)) is not None:
        return _nothing(refused)
    rows = measured_rows(trial)
    if rows.empty:
        return _nothing(_unmeasured())
    schedule, starts = _schedule(rows), _starts(rows)
    found = tried(
        stepped_wedge_effect, rows, outcome="y", school="unit", period="period", treated="on", pupil="pupil_pid",
        seed=params.seed, conf_level=params.conf_level,
    )  # fmt: skip
    if isinstance(found, Refused):
        return _nothing(found, schedule=schedule, starts=starts, domains=_domains(rows))
    effect = _effect(rows, found, params)
    return WedgeSection(
        effect=effect, estimate=_estimate(effect), schedule=schedule, starts=starts, periods=_periods(rows, found),
        exposure=_exposure(rows, found), variants=_variants(rows, found, params), reading=_reading(found, effect, params.alpha),
        # The average asks for no constant effect, so that a growing one is no failure; the reading and the figure tell of it.
        domains=_domains(rows), checks=[*found.checks[1:], _overlap(rows), _contamination()],
    )  # fmt: skip


def _nothing(refused: Refused, **known: object) -> WedgeSection:
    lists = ("reading", "domains", "checks")
    empty = {field.name: [] if field.name in lists else refused for field in fields(WedgeSection)}
    return WedgeSection(**empty | known)


def _unready(trial: Trial) -> Refused | None:
    """Why there is no roll-out to look at."""
    people = trial.people
    if not len(people) or trial.cluster not in people:
        return Refused("no_rollout", message("The source names no pupils within units, so no unit can be seen to begin."),
                       message("One row a pupil with unit, the period in which the unit begins, and a column a period."))  # fmt: skip
    if "start_term" not in people or people["start_term"].isna().all():
        return Refused("no_start", message("It is not recorded when each unit began."),
                       message("The number of the period in which each unit begins, as column start_term."))  # fmt: skip
    if len(trial.data.occasions) < 3:
        return Refused("few_periods", message("Fewer than three periods were measured: a roll-out in steps has at least three."),
                       message("The outcome in every period, from before the first start until after the last."))  # fmt: skip
    return _odd_starts(trial)


def _odd_starts(trial: Trial) -> Refused | None:
    """Starts that are no number of an occasion: in which period such a unit began would be a guess; after the last it did not."""
    times = list(occasion_times(trial.data.occasions).values())
    start = trial.people["start_term"].astype(float)
    odd = start.notna() & ~start.isin(times) & ~(start > times[-1])
    if not odd.any():
        return None
    return Refused(
        "start_no_period",
        message("{n} units begin at a number that is no measured period, so it is not known in which periods they had the programme.",
                n=int(trial.people.loc[odd, trial.cluster].nunique())),
        message("In column start_term the number that ends the name of the first occasion with the programme, or the place of that "
                "occasion where the names do not all end in a number."),
    )  # fmt: skip


def _unmeasured() -> Refused:
    return Refused("nothing_measured", message("No outcome was measured in any period."),
                   message("The outcome in every period, from before the first start until after the last."))  # fmt: skip


def measured_rows(trial: Trial) -> pd.DataFrame:
    """One row a pupil and period measured: `unit, pupil_pid, period` (1 is the first)`, start` (its period)`, on, y`."""
    people, parts, times = trial.people, [], list(occasion_times(trial.data.occasions).values())
    begun = people["start_term"].astype(float)
    # The number of a start is that in the name of its occasion, as in every other roll-out, whichever occasions are left out.
    start = pd.Series(np.searchsorted(times, begun) + 1.0, index=people.index).where(begun.notna())
    for period, occasion in enumerate(trial.data.occasions, start=1):
        # A unit without a start never begins; the library then says what is lacking.
        on = (start <= period).astype(float)
        parts.append(pd.DataFrame({"unit": people[trial.cluster], "pupil_pid": people["pupil_pid"], "period": period,
                                   "start": start, "on": on, "y": people[f"y_{occasion}"]}))  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["y"].notna() & rows["unit"].notna()].reset_index(drop=True)


def _schedule(rows: pd.DataFrame) -> Drawn:
    """Units that begin together against periods: 0 before, 1 with the programme; no unit is named."""
    cells = rows.groupby(["start", "period"], dropna=False).agg(
        value_shown=("on", "mean"), n_used=("pupil_pid", "nunique")
    )
    table = cells.reset_index()
    table["row"] = [_start_name(start) for start in table["start"]]
    table["across"] = [f"wedge_period_{period}" for period in table["period"]]
    return Drawn(table=table[["row", "across", "value_shown", "n_used"]], share=True, x_axis=message("period"))  # fmt: skip


def _start_name(start: float) -> str:
    return "wedge_start_never" if math.isnan(start) else f"wedge_start_{int(start)}"


def _starts(rows: pd.DataFrame) -> Drawn:
    """How many units and pupils begin in each period."""
    counts = rows.groupby("start", dropna=False).agg(n_units=("unit", "nunique"), n_used=("pupil_pid", "nunique"))
    table = counts.reset_index()
    return Drawn(
        table=table.assign(group=[_start_name(start) for start in table["start"]])[["group", "n_units", "n_used"]]
    )


def _effect(rows: pd.DataFrame, found: SteppedWedgeResult, params: Params) -> Effect:
    """Average over the periods with the programme; in deviations of pupils without it, within a period."""
    row = found.effect(AVERAGE)
    sd, icc, counts = _spread(rows)
    shown = (math.nan, math.nan, math.nan)
    if sd > 0 and row["std_error"] > 0:
        g = hedges_g_from_model(
            row["estimate"], row["std_error"], sd=sd, n_treated=counts[1], n_control=counts[0], icc=icc,
            cluster_size=len(rows) / found.n_schools, df=max(float(row["df"]), 1.0), n_clusters=found.n_schools,
            conf_level=params.conf_level,
        )  # fmt: skip
        shown = (g.g, g.conf_low, g.conf_high)
    return Effect(
        estimate=row["estimate"], std_error=row["std_error"], conf_low=row["conf_low"], conf_high=row["conf_high"], df=row["df"],
        p_value=row["p_value"], sd=sd, g=shown[0], g_low=shown[1], g_high=shown[2], n_used=int(rows["pupil_pid"].nunique()),
        n_clusters=found.n_schools, p_refused=_without_p(row["p_value"], found.n_schools),
        method=message("mixed model of the roll-out, average over the periods with the programme"),
    )  # fmt: skip


def _without_p(p_value: float, units: int) -> Refused | None:
    if not math.isnan(p_value):
        return None
    return Refused(
        "few_units",
        message("{n} units leave fewer than 4 degrees of freedom: no p-value is given.", n=units),
        message("More units, each with periods before and after its start."),
    )


def _spread(rows: pd.DataFrame) -> tuple[float, float, tuple[int, int]]:
    """Deviation of pupils without the programme within periods, share of it between units, rows without and with it."""
    off = rows[rows["on"] == 0]
    groups = off.groupby("period")["y"]
    spread, n = groups.var(ddof=1).fillna(0.0), groups.count()
    variance = float((spread * (n - 1)).sum() / max(int((n - 1).sum()), 1))
    means = (off["y"] - groups.transform("mean")).groupby(off["unit"]).agg(["mean", "count"])
    between = float(means["mean"].var(ddof=1) - (variance / means["count"]).mean()) if len(means) > 1 else 0.0
    icc = min(max(between / variance, 0.0), 0.99) if variance > 0 else 0.0
    return math.sqrt(variance), icc, (len(off), int((rows["on"] > 0).sum()))


def _estimate(effect: Effect) -> Drawn:
    base = {"n_used": effect.n_used, "n_units": effect.n_clusters}
    points = {"term": "effect_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
              "df": effect.df, "p_value": effect.p_value}  # fmt: skip
    size = {"term": "effect_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high}
    lacking = () if effect.p_refused is None else (effect.p_refused.why,)
    return Drawn(table=pd.DataFrame([points | base, size | base]), lacking=lacking)


def _periods(rows: pd.DataFrame, found: SteppedWedgeResult) -> Drawn:
    """Mean of the units with and without the programme in each period: what is compared within a period."""
    pupils = rows.groupby(["period", rows["on"] > 0])["pupil_pid"].nunique()
    points = []
    for row in found.periods.to_dict("records"):
        for name, column, on in (("arm_control", "mean_untreated", False), ("arm_programme", "mean_treated", True)):
            if not math.isnan(row[column]):
                points.append(
                    {"group": name, "x": row["period"], "y": row[column], "n_used": pupils[row["period"], on]}
                )
    table = pd.DataFrame(points).sort_values(["group", "x"], ignore_index=True)
    return Drawn(table=table, x_axis=message("period"), y_axis=message("mean of the units (points)"), points=True)


def _exposure(rows: pd.DataFrame, found: SteppedWedgeResult) -> Drawn:
    """Effect in the first, second, … period with the programme."""
    reached = rows[rows["on"] > 0]
    since = reached["period"] - reached.groupby("unit")["period"].transform("min") + 1
    lines = []
    for row in found.exposure.to_dict("records"):
        there = reached[since == row["exposure"]]
        lines.append({"group": f"wedge_exposure_{int(row['exposure'])}", "estimate": row["estimate"], "conf_low": row["conf_low"],
                      "conf_high": row["conf_high"], "p_value": row["p_value"], "n_units": there["unit"].nunique(),
                      "n_used": there["pupil_pid"].nunique()})  # fmt: skip
    return Drawn(table=pd.DataFrame(lines), axis=message("difference (points)"), rule=0.0)


def _variants(rows: pd.DataFrame, found: SteppedWedgeResult, params: Params) -> Drawn:
    """The same question by other models; the first is the planned one."""
    people = int(rows["pupil_pid"].nunique())
    lines = [
        {"group": VARIANTS[row["term"]], **_ends(row), "n_used": people}
        for row in found.effects.to_dict("records")
        if row["term"] in VARIANTS and np.isfinite(row["conf_low"])
    ]
    if not found.recurring:
        lines += _without_cell(rows, params, people)
    return Drawn(table=pd.DataFrame(lines), axis=message("difference (points)"), rule=0.0,
                 lacking=tuple(refused.why for refused in found.refusals.values()))  # fmt: skip


def _ends(row: dict[str, float]) -> dict[str, float]:
    return {name: row[name] for name in ("estimate", "conf_low", "conf_high", "p_value")}


def _without_cell(rows: pd.DataFrame, params: Params, people: int) -> list[dict[str, object]]:
    """One effect without an intercept of unit by period: the model whose intervals are too short."""
    try:
        fit = multilevel("y ~ C(period) + on", rows, groups=["unit"], conf_level=params.conf_level)
    except DesignError:
        return []
    return [{"group": "wedge_without_cell", **_ends(fit.effect("on")), "n_used": people}]


def _reading(found: SteppedWedgeResult, effect: Effect, alpha: float) -> list[Message]:
    """What the models say together, and how to read them."""
    constant = found.effect(CONSTANT)
    shown = Estimate(effect.estimate, effect.n_used, effect.conf_low, effect.conf_high)
    other = Estimate(constant["estimate"], effect.n_used, constant["conf_low"], constant["conf_high"])
    said = [message("Averaged over the periods with the programme the difference is {average} points; taken as the same from the "
                    "first period on it is {constant}.", average=shown, constant=other)]  # fmt: skip
    if not math.isnan(found.constant_p):
        said.append(
            message("The effect changes with time under the programme (p = {p}): the one constant effect is the wrong question.",
                    p=f"{found.constant_p:.3f}")
            if found.constant_p < alpha
            else message("Nothing shows that the effect changes with time under the programme (p = {p}); with few units a change "
                         "is easily missed.", p=f"{found.constant_p:.3f}")
        )  # fmt: skip
    if found.n_schools < FEW_UNITS:
        said.append(message("With fewer than {few} units read the permutation of the order beside the model, and trust neither "
                            "alone.", few=FEW_UNITS))  # fmt: skip
    said.append(message("Later periods with the programme rest on the units that began first, and time itself goes on in every "
                        "unit: that is why each period has its own level in the model."))  # fmt: skip
    return said


def _both_sides(rows: pd.DataFrame) -> tuple[int, int]:
    sides = rows.groupby("period")["on"].nunique()
    return int((sides > 1).sum()), len(sides)


def _overlap(rows: pd.DataFrame) -> Check:
    """Programme and calendar can be told apart only in periods in which both kinds of units were measured."""
    both, total = _both_sides(rows)
    return Check(
        message("The programme can be told from the calendar"),
        both >= 2,
        message("In {n} of {total} periods units with and without the programme were measured.", n=both, total=total),
    )


def _contamination() -> Check:
    return Check(
        message("Waiting units took up nothing before their turn"),
        None,
        message("The source does not record it. What they took up early draws the effect towards nought."),
    )


def _domains(rows: pd.DataFrame) -> list[Light]:
    """What RoB 2 for clusters asks of a stepped wedge beyond other trials."""
    both, total = _both_sides(rows)
    cells, units = rows.groupby(["unit", "period"]).ngroups, rows["unit"].nunique()
    least = int(rows.groupby("start")["unit"].nunique().min())
    return [
        Light(message("Order of starting"), "good" if least >= 2 else "watch",
              message("At least {n} units begin in each step.", n=least), message("by lot, two units a step or more"), True),
        Light(message("Programme and calendar"), "good" if both >= 2 else "bad",
              message("In {n} of {total} periods units with and without the programme were measured.", n=both, total=total),
              message("both kinds in two periods or more"), True),
        Light(message("Waiting units"), "unknown", message("Whether waiting units took up parts of the programme is not recorded."),
              message("nothing is taken up before the turn"), True),
        _measured(rows),
        Light(message("Periods not measured"), "good" if cells == units * total else "watch",
              message("{n} of {total} cells of unit and period were measured.", n=cells, total=units * total),
              message("every unit in every period"), True),
    ]  # fmt: skip


def _measured(rows: pd.DataFrame) -> Light:
    """Whether the pupils of one period are those of another: one of them does not speak for all."""
    periods = rows.groupby("pupil_pid")["period"].nunique()
    again = float((periods > 1).mean())
    if again >= MOSTLY_AGAIN:
        said = message("The same pupils were measured again.")
    elif again > 0:
        said = message("{share} of the pupils were measured in two periods or more: who comes may depend on the programme.",
                       share=Proportion(again, len(periods)))  # fmt: skip
    else:
        said = message("Other pupils were measured each time: who comes may depend on the programme.")
    return Light(message("Who was measured"), "good" if again >= MOSTLY_AGAIN else "watch", said,
                 message("the same pupils, or all pupils of a unit"), True)  # fmt: skip
