"""From rows to a roll-out: schools by periods, when each school crossed over, how long it has had the programme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Rows of a stepped wedge and its schedule; S schools, T periods.

    Attributes
    ----------
    rows : DataFrame
        `y, school, period, treated, exposure` and, where named, `pupil`, `classroom`; school and period are codes.
    schedule : ndarray, shape (S, T)
        Share of each period under the programme; where a school was not measured, that of its last period before.
    means, counts : ndarray, shape (S, T)
        Mean outcome (NaN where not measured) and rows.
    first : ndarray of int, shape (S,)
        Period in which each school began; T where it never did.
    schools, periods : Index
    recurring : bool
        Some pupil was measured in more than one period.
    n_excluded : int
        Rows that miss a value.
    """

    rows: pd.DataFrame
    schedule: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    first: np.ndarray
    schools: pd.Index
    periods: pd.Index
    recurring: bool
    n_excluded: int

    @property
    def longest(self) -> int:
        """Most periods any school was measured under the programme."""
        return int(self.rows["exposure"].max())


def rollout_of(
    data: pd.DataFrame,
    *,
    outcome: str,
    school: str,
    period: str,
    treated: str,
    pupil: str | None,
    classroom: str | None,
    where: str,
) -> Rollout:
    """Read the rows, and prove that they are a roll-out.

    Raises
    ------
    DataError
        A column the table lacks, a share outside 0-1, no complete row.
    DesignError
        A school with two shares in one period, or one that falls back; an outcome that does not vary.
    """
    given = {"y": outcome, "school": school, "period": period, "treated": treated, "pupil": pupil,
             "classroom": classroom}  # fmt: skip
    named = {key: name for key, name in given.items() if name is not None}
    if lacking := [name for name in named.values() if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    frame = pd.DataFrame({key: data[name].array for key, name in named.items()})
    frame["y"] = inputs.numeric(frame["y"], where=where, name=outcome)
    frame["treated"] = inputs.numeric(frame["treated"], where=where, name=treated)
    complete = frame.notna().all(axis=1)
    frame = frame[complete].reset_index(drop=True)
    if frame.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome, school, period and programme")
    if n_wrong := int((~frame["treated"].between(0, 1)).sum()):
        raise DataError(f"{where}({treated})", f"{n_wrong} rows are no share", allowed="0-1")
    if np.ptp(frame["y"]) == 0:
        raise DesignError(f"{where}({outcome})", "is the same in every row", allowed="an outcome that varies")
    frame["school"], schools = pd.factorize(frame["school"], sort=True)
    frame["period"], periods = pd.factorize(frame["period"], sort=True)
    schedule = schedule_of(frame, len(schools), len(periods), where)
    first = np.where((schedule > 0).any(axis=1), (schedule > 0).argmax(axis=1), len(periods))
    begun = frame["treated"] > 0
    frame["exposure"] = np.where(begun, frame["period"] - first[frame["school"]] + 1, 0)
    cells = frame.groupby(["school", "period"])["y"]
    shape = (len(schools), len(periods))
    return Rollout(
        rows=frame,
        schedule=schedule,
        means=spread(cells.mean(), shape, np.nan),
        counts=spread(cells.size(), shape, 0.0),
        first=first,
        schools=pd.Index(schools),
        periods=pd.Index(periods),
        recurring="pupil" in frame and recur(frame),
        n_excluded=int((~complete).sum()),
    )


def schedule_of(frame: pd.DataFrame, n_schools: int, n_periods: int, where: str) -> np.ndarray:
    """Share of the programme by school and period, one a cell, never falling."""
    cells = frame.groupby(["school", "period"])["treated"]
    if n_mixed := int((cells.nunique() > 1).sum()):
        raise DesignError(
            f"{where}(treated)",
            f"{n_mixed} schools' periods hold more than one share",
            allowed="one share a school and period",
            remedy="where classes of one school start apart, name the class as `school`",
        )
    table = pd.DataFrame(spread(cells.first(), (n_schools, n_periods), np.nan))
    filled = table.ffill(axis=1).fillna(0.0).to_numpy()
    if n_back := int((np.diff(filled, axis=1) < 0).any(axis=1).sum()):
        raise DesignError(
            f"{where}(treated)",
            f"{n_back} schools fall back to less of the programme",
            allowed="schools that keep the programme once begun",
            remedy="use difference-in-differences with its own account of leaving",
        )
    return filled


def spread(values: pd.Series, shape: tuple[int, int], empty: float) -> np.ndarray:
    """Values by (school, period) as a table."""
    table = np.full(shape, empty)
    table[values.index.get_level_values(0), values.index.get_level_values(1)] = values.to_numpy()
    return table


def recur(frame: pd.DataFrame) -> bool:
    """Whether a pupil of a school was measured in two periods or more."""
    return bool(frame.duplicated(["school", "pupil"]).any())
