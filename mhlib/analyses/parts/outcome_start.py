"""Were the arms alike at the start? Standardised differences with the bands of the What Works Clearinghouse, no p-values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial, arms_refusal, other_design, without_baseline
from mhlib.findings import Check, Message, Refused, message
from mhlib.stats.effects import baseline_balance

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Beyond it no adjustment is trusted (WWC Handbook 5.0).
FAILS = 0.25
KNOWN = ("b", "sex", "boarding", "left_behind", "urban")
BANDS = {
    "fine": message("alike"),
    "adjust": message("adjust for it"),
    "fails": message("too far apart for any adjustment"),
    "unknown": message("unknown"),
}
# Between units the same limits, in words that do not condemn what chance alone does where units are few.
UNIT_BANDS = {
    "fine": message("up to .05"),
    "adjust": message("up to .25"),
    "chance": message("beyond .25, as chance alone may do"),
    "fails": message("beyond .25, and more than chance alone would do"),
    "unknown": message("unknown"),
}
# Chance alone keeps a distance within so many of its standard deviations nineteen times in twenty.
WITHIN = 1.96


def table(trial: Trial, params: Params) -> Drawn | Refused:
    """Mean or share by arm among those analysed, distance between pupils and between units, and the bands."""
    found = _compared(trial, params)
    if isinstance(found, Refused):
        return found
    pupils, units = found
    shown = pd.DataFrame({
        "property_named": _names(pupils.rows), "mean_control": pupils.rows["reference_value"], "mean_programme": pupils.rows["value"],
        "g": _finite(pupils.rows["difference"]), "band_said": [BANDS[band] for band in pupils.rows["wwc"]],
        "g_chance": _chance(trial, pupils),
    })  # fmt: skip
    if units is not None:
        between = units.rows.set_index("term").reindex(pupils.rows["term"]).reset_index()
        shown = shown.assign(
            g_units=_finite(between["difference"]), g_units_chance=_by_chance(units),
            band_units_said=_unit_bands(between, _by_chance(units)), n_units=units.n_used,
        )  # fmt: skip
    return Drawn(table=shown.assign(n_used=min(pupils.arms.values())))


def units_table(trial: Trial, params: Params) -> Drawn | Refused:
    """The same table where it speaks of the means of units; no section where pupils were allocated one by one."""
    found = table(trial, params)
    return found if isinstance(found, Drawn) and "g_units" in found.table else other_design()


def figure(trial: Trial, params: Params) -> Drawn | Refused:
    """The same distances without their sign, as a love plot; no intervals, for balance is a fact of those analysed."""
    found = table(trial, params)
    if isinstance(found, Refused):
        # The table has said why arms that are unlike by design are not weighed.
        return other_design() if found.code == "arms_unlike" else found
    columns = {"g": "balance_pupils", "g_units": "balance_units"}
    parts = [
        pd.DataFrame({"group": found.table["property_named"], "term": term, "estimate": found.table[name].abs(),
                      "conf_low": math.nan, "conf_high": math.nan, "n_used": found.table["n_used"]})
        for name, term in columns.items()
        if name in found.table
    ]  # fmt: skip
    rows = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    axis = message("distance of the arms (SD)")
    return Drawn(table=rows[rows["estimate"].notna()].reset_index(drop=True), axis=axis, rule=FAILS)


def reading(trial: Trial, params: Params) -> list[Message]:
    """How far chance alone sets units apart, so that a band is not taken for a fault of the lots."""
    found = _compared(trial, params)
    if isinstance(found, Refused) or found[1] is None or not trial.randomised:
        return []
    said = message("Between units a distance is measured by the spread of their means, which is narrow. With {n} units lots alone "
                   "set a property apart by about {chance} of that spread (less where they were drawn within strata), so a wide "
                   "distance there is no fault of the lots.", n=found[1].n_used, chance=f"{_by_chance(found[1]):.2f}")  # fmt: skip
    return [said]


def checks(trial: Trial, params: Params) -> list[Check]:
    """The library's check of the pupils' distances; none where the arms are not compared."""
    found = _compared(trial, params)
    return [] if isinstance(found, Refused) else list(found[0].checks)


def _compared(trial: Trial, params: Params) -> object:
    """Balance of pupils, and of the means of units where units were allocated."""
    if refused := arms_refusal(trial):
        return refused
    people = trial.compared
    columns = {name: _values(people[name]) for name in dict.fromkeys((*KNOWN, *params.covariates)) if name in people}
    columns = {name: values for name, values in columns.items() if values.nunique() > 1}
    if not columns:
        return without_baseline()
    frame = pd.DataFrame(columns).assign(treated=people["treated"], unit=people[trial.cluster])
    options = {"arm": "treated", "reference": 0.0}
    pupils = tried(baseline_balance, frame, columns=list(columns), cluster="unit", **options)
    if isinstance(pupils, Refused) or trial.cluster == "pupil_pid":
        return pupils if isinstance(pupils, Refused) else (pupils, None)
    # A text column has no mean of a unit.
    numbers = [name for name in columns if pd.api.types.is_numeric_dtype(frame[name])]
    if not numbers:
        return pupils, None
    means = frame.groupby(["unit", "treated"], as_index=False)[numbers].mean()
    units = tried(baseline_balance, means, columns=numbers, **options)
    return pupils, None if isinstance(units, Refused) else units


def _values(column: pd.Series) -> pd.Series:
    """Numbers and flags as numbers, anything else as text."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.astype("Float64").astype(float)
    return column.astype(object).where(column.notna(), None)


def _names(rows: pd.DataFrame) -> list[str]:
    """`start_b` for a property that the vocabulary knows, `level_S` for a level of a text, else the column's name."""
    return [f"{name}_{level}" if isinstance(level, str) else f"start_{name}" if name in KNOWN else name
            for name, level in zip(rows["column"], rows["level"], strict=True)]  # fmt: skip


def _unit_bands(rows: pd.DataFrame, chance: float) -> list[Message]:
    """The library's class of each distance, a wide one told apart by whether chance would do as much."""
    wide = rows["difference"].abs() > WITHIN * chance
    classes = rows["wwc"].fillna("unknown").mask((rows["wwc"] == "fails") & ~wide, "chance")
    return [UNIT_BANDS[str(band)] for band in classes]


def _finite(values: pd.Series) -> np.ndarray:
    """Two constants that differ are infinitely many deviations apart, which no figure can show."""
    numbers = values.to_numpy(dtype=float)
    return np.where(np.isinf(numbers), math.nan, numbers)


def _by_chance(found: object) -> float:
    """Deviation of a standardised difference of so many units drawn by lot one by one."""
    return math.sqrt(sum(1 / n for n in found.arms.values()))


def _chance(trial: Trial, found: object) -> np.ndarray:
    """What lots over whole units would give; over pupils where these were allocated."""
    if trial.cluster == "pupil_pid":
        return np.full(len(found.rows), _by_chance(found))
    return found.rows["expected_by_chance"].to_numpy(dtype=float)
