"""Rows of a roll-out: a pupil and term, or a unit and time, with the time at which each unit began."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Check, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """What the estimates of a roll-out read.

    Attributes
    ----------
    rows : DataFrame
        ``unit``, ``cluster``, ``time``, ``y``, ``first`` (NaN: never) and ``weight`` (people behind the row); of pupils also
        ``pupil``, of a panel ``exposure``. Rows without outcome are left out.
    names : dict
        Time: the name of its occasion, or the time itself.
    absorbing : bool
        Exposure never falls, and is whole from the time after the first: then units have one start.
    n_before : int
        Units whose start is stated to lie before the first time; they count as served from it on.
    n_falling, n_partial : int
        Units whose exposure falls again; rows of partial exposure.
    n_lacking : int
        Rows without outcome.
    weighed : bool
        Whether the people behind each row are known.
    """

    rows: pd.DataFrame
    names: dict[float, str]
    absorbing: bool = True
    n_before: int = 0
    n_falling: int = 0
    n_partial: int = 0
    n_lacking: int = 0
    weighed: bool = True

    @property
    def starts(self) -> list[float]:
        """Times at which some unit begins that was seen before; those served from the first time on have no start."""
        seen = self.rows["time"]
        return sorted(
            self.rows.loc[self.rows["first"].between(seen.min(), seen.max(), inclusive="right"), "first"].unique()
        )

    @property
    def of_pupils(self) -> bool:
        """Whether a row is a pupil and term."""
        return "pupil" in self.rows

    def people(self, rows: pd.DataFrame | None = None) -> int:
        """Pupils behind rows; of a panel the people at one time, and the rows where no numbers are known."""
        rows = self.rows if rows is None else rows
        if self.of_pupils:
            return int(rows["pupil"].nunique())
        return round(rows.groupby("unit")["weight"].mean().sum()) if self.weighed else len(rows)

    def name(self, time: float) -> str:
        """Name of a time as the vocabulary or the source has it."""
        return self.names.get(time, f"{time:g}")

    def complete(self) -> pd.DataFrame:
        """Rows of units seen at every time, and before they began."""
        times = self.rows["time"].nunique()
        seen = self.rows.groupby("unit")["time"].transform("nunique") == times
        return self.rows[seen & ~(self.rows["first"] <= self.rows["time"].min())]


def rollout(trial: Trial, params: Params) -> Rollout | Refused:
    """Rows of the trial, or why there is no roll-out in it."""
    found = of_panel(trial) if trial.design == "panel" else of_pupils(trial, params)
    if isinstance(found, Refused):
        return found
    if found.rows["time"].nunique() < 2:
        return Refused(
            "one_time",
            message("The outcome was measured at one time only, so no change can be compared."),
            message("The same outcome before the first unit begins, better at four times or more."),
        )
    found = _from_one(found)
    return (_without_comparison(found) if found.absorbing else None) or found


def _from_one(found: Rollout) -> Rollout:
    """Times above nought, since a start of 0 means never to the estimators; who began before the first time began in it."""
    rows = found.rows
    shift = max(0.0, 1.0 - float(rows["time"].min()))
    first = rows["first"].clip(lower=rows["time"].min())
    before = int(rows.loc[rows["first"] < rows["time"].min(), "unit"].nunique())
    names = {time + shift: found.name(time) for time in rows["time"].unique()}
    return replace(
        found, rows=rows.assign(time=rows["time"] + shift, first=first + shift), names=names, n_before=before
    )


def _without_comparison(found: Rollout) -> Refused | None:
    """Why no change can be compared; None where some units were without the programme while others had it."""
    if not found.starts:
        return Refused(
            "nobody_began",
            message("No unit was measured before it began and after."),
            message("The outcome of every unit before the first of them begins and after."),
        )
    never = found.rows["first"].isna() | (found.rows["first"] > found.rows["time"].max())
    if len(found.starts) == 1 and not never.any():
        return Refused(
            "all_began_at_once",
            message("All units began at the same time, so nothing tells the programme from the time."),
            message("Units that begin later or never, measured at the same times."),
        )
    return None


def stated_before(found: Rollout) -> list[Check]:
    """Starts before the first time, such as a 0 that was meant as never: they take a unit out of the comparison."""
    if not found.n_before:
        return []
    return [Check(
        message("Every start is the number of a measured time"), False,
        message("{n} units are said to begin before the first time measured, count as served from it on and are compared with nobody. "
                "A start of 0 does not mean never: for units that never begin leave column start_term empty.", n=found.n_before),
    )]  # fmt: skip


def occasion_times(occasions: Sequence[str]) -> dict[str, float]:
    """Time of each occasion: the number at the end of its name where all have one, rising; else its place, from 1."""
    ends = [re.search(r"(\d+)$", name) for name in occasions]
    numbers = [float(end.group(1)) for end in ends if end]
    if len(numbers) == len(occasions) and numbers == sorted(set(numbers)):
        return dict(zip(occasions, numbers, strict=True))
    return {name: float(at) for at, name in enumerate(occasions, start=1)}


def of_pupils(trial: Trial, params: Params) -> Rollout | Refused:
    """A row a pupil and term, of a cohort or of other pupils each term."""
    people, unit = trial.people, params.allocated
    if "start_term" not in people or people["start_term"].isna().all():
        return Refused(
            "no_start",
            message("The source does not say in which term each unit began."),
            message("The term in which each unit begins, as column start_term; empty for never."),
        )
    times = occasion_times(trial.data.occasions)
    base = pd.DataFrame(
        {"pupil": people["pupil_pid"], "unit": people[unit], "cluster": people[trial.cluster], "weight": 1.0,
         "first": people["start_term"].astype(float)}
    )  # fmt: skip
    parts = [base.assign(time=time, y=people[f"y_{name}"].astype(float)) for name, time in times.items()]
    rows = pd.concat(parts, ignore_index=True)
    seen = rows["y"].notna()
    return Rollout(rows=rows[seen].reset_index(drop=True), names={time: name for name, time in times.items()},
                   n_lacking=int((~seen).sum()))  # fmt: skip


def of_panel(trial: Trial) -> Rollout | Refused:
    """A row a unit and time; its start is the first time with any exposure."""
    panel = trial.data.panel
    if panel.empty:
        return Refused(
            "no_panel",
            message("The source holds no units over time."),
            message("One row a unit and time with the outcome and the share exposed."),
        )
    weighed = "n" in panel and bool(panel["n"].notna().all()) and bool((panel["n"] > 0).all())
    rows = pd.DataFrame(
        {"unit": panel["unit"].astype(str), "cluster": panel["unit"].astype(str), "time": panel["time"].astype(float),
         "y": panel["outcome"].astype(float), "exposure": panel["exposure"].astype(float),
         "weight": panel["n"].astype(float) if weighed else 1.0}
    )  # fmt: skip
    rows = rows.sort_values(["unit", "time"], kind="stable").reset_index(drop=True)
    begun = rows[rows["exposure"] > 0].groupby("unit")["time"].min()
    rows["first"] = rows["unit"].map(begun).astype(float)
    change = rows.groupby("unit")["exposure"].diff()
    falling = int(rows.loc[change < 0, "unit"].nunique())
    partial = (rows["exposure"] > 0) & (rows["exposure"] < 1)
    # A first year that is partly exposed is still a start; partial exposure later is a dose.
    later = bool((partial & (rows["time"] > rows["first"])).any())
    if rows["exposure"].nunique() < 2:
        return Refused(
            "no_contrast",
            message("All units were exposed alike at all times, so there is nothing to compare."),
            message("Units without the programme, or times before it, measured in the same way."),
        )
    seen = rows["y"].notna()
    return Rollout(rows=rows[seen].reset_index(drop=True), names={}, absorbing=not falling and not later, n_falling=falling,
                   n_partial=int(partial.sum()), n_lacking=int((~seen).sum()), weighed=weighed)  # fmt: skip


def two_way_residual(column: np.ndarray, unit: pd.Series, time: pd.Series, weight: np.ndarray) -> np.ndarray:
    """What fixed effects of units and times leave of a column, by weighted least squares."""
    dummies = np.hstack([pd.get_dummies(unit).to_numpy(float), pd.get_dummies(time).to_numpy(float)[:, 1:]])
    root = np.sqrt(weight / weight.mean())
    fitted = np.linalg.lstsq(dummies * root[:, None], column * root, rcond=None)[0]
    return column - dummies @ fitted


def implied_weights(rows: pd.DataFrame, heavy: bool) -> np.ndarray:
    """Weight of each exposed row's own effect in the two-way estimate, by de Chaisemartin and D'Haultfoeuille (2020)."""
    weight = rows["weight"].to_numpy(float) if heavy else np.ones(len(rows))
    exposure = rows["exposure"].to_numpy(float)
    raw = weight * exposure * two_way_residual(exposure, rows["unit"], rows["time"], weight)
    return raw[exposure > 0] / raw.sum()
