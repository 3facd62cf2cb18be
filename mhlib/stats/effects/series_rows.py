"""From a table of weeks to a series: weeks in order, their place in the count of taught weeks, the columns of the trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs

TREND = ("Intercept", "trend before", "level change", "slope change")


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """A series ready to be fitted; n measured weeks.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Outcome, or outcome less that of the comparison series.
    x : ndarray, shape (n, p)
        Columns :data:`TREND`, then the season's.
    names : tuple of str
    place : ndarray of int, shape (n,)
        Taught weeks since the first.
    since : ndarray of int, shape (n,)
        Taught weeks since the first week of the programme; negative before.
    time : ndarray, shape (n,)
        As the data name the weeks.
    weights : ndarray, shape (n,)
        Of mean 1.
    exposure : ndarray or None
        Pupils at risk, for rates.
    observed, control : ndarray, shape (n,)
        The outcome itself, and the comparison's (0 where there is none).
    gap_at_start, season_at_start : bool
        A holiday lies just before the start; a season's column changes with it.
    n_excluded : int
        Taught weeks without a measurement.
    """

    y: np.ndarray
    x: np.ndarray
    names: tuple[str, ...]
    place: np.ndarray
    since: np.ndarray
    time: np.ndarray
    weights: np.ndarray
    exposure: np.ndarray | None
    observed: np.ndarray
    control: np.ndarray
    gap_at_start: bool
    season_at_start: bool
    n_excluded: int

    @property
    def n_before(self) -> int:
        """Measured weeks before the start."""
        return int((self.since < 0).sum())

    @property
    def n_after(self) -> int:
        """Measured weeks from the start on."""
        return int((self.since >= 0).sum())


def as_table(data: pd.DataFrame | pd.Series, outcome: str, time: str) -> pd.DataFrame:
    """A series as a table of two columns; a table as it is."""
    if isinstance(data, pd.Series):
        return pd.DataFrame({outcome: data.to_numpy(), time: data.index})
    return data


def weeks_of(
    data: pd.DataFrame,
    *,
    outcome: str,
    time: str,
    start: object,
    weights: str | None,
    season: str | Sequence[str] | None,
    control: str | None,
    exposure: str | None,
    where: str,
) -> Weeks:
    """Sort the weeks, count those taught, and build the columns of the segmented regression.

    Raises
    ------
    DataError
        A column the table lacks, a week twice, a week without a name, a weight or exposure that is not above 0.
    ParamsError
        A start that cannot be compared with the weeks.
    DesignError
        A season's column that follows from the trend or from another.
    """
    seasons = [] if season is None else [season] if isinstance(season, str) else list(season)
    named = [name for name in (outcome, time, weights, control, exposure, *seasons) if name is not None]
    if lacking := [name for name in named if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    frame = in_order(data[list(dict.fromkeys(named))], time, where)
    begun = started(frame[time], start, where)
    numbers = {name: inputs.numeric(frame[name], where=where, name=name)
               for name in (outcome, weights, control, exposure) if name is not None}  # fmt: skip
    terms, labels = season_columns(frame, seasons, where)
    kept = np.isfinite(np.column_stack([*numbers.values(), terms.to_numpy()])).all(axis=1)
    place = np.arange(len(frame))
    since = place - int((~begun).sum())
    slope = np.where(begun, since, 0)
    x = np.column_stack([np.ones(len(frame)), place, begun, slope, terms.to_numpy()])[kept]
    compared = np.zeros(len(frame)) if control is None else numbers[control]
    return Weeks(
        y=(numbers[outcome] - compared)[kept],
        x=x,
        names=(*TREND, *terms.columns),
        place=place[kept],
        since=since[kept],
        time=frame[time].to_numpy()[kept],
        weights=positive(numbers.get(weights), kept, where, weights, scaled=True),
        exposure=None if exposure is None else positive(numbers[exposure], kept, where, exposure, scaled=False),
        observed=numbers[outcome][kept],
        control=compared[kept],
        gap_at_start=gap_before(frame[time], begun),
        season_at_start=turned(labels, begun),
        n_excluded=int((~kept).sum()),
    )


def in_order(frame: pd.DataFrame, time: str, where: str) -> pd.DataFrame:
    """Rows by week, each week once."""
    if n_missing := int(frame[time].isna().sum()):
        raise DataError(f"{where}({time})", f"{n_missing} rows name no week", remedy="give every row its week")
    if n_twice := int(frame[time].duplicated().sum()):
        raise DataError(
            f"{where}({time})",
            f"{n_twice} rows repeat a week",
            allowed="one row a week",
            remedy="sum up or average the schools of a week first, and name a comparison series in `control`",
        )
    return frame.sort_values(time, kind="stable", ignore_index=True)


def started(time: pd.Series, start: object, where: str) -> np.ndarray:
    """Which weeks lie at or after the start."""
    try:
        mark = pd.Timestamp(start) if pd.api.types.is_datetime64_any_dtype(time) else start
        return (time >= mark).to_numpy(dtype=bool)
    except (TypeError, ValueError):
        raise ParamsError(
            f"{where}(start)", "cannot be compared with the weeks", allowed="a week or date like those of `time`"
        ) from None


def season_columns(frame: pd.DataFrame, seasons: list[str], where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numeric columns as they are, others as dummies against the first; and the labels of the latter."""
    columns, labels = {}, {}
    for name in seasons:
        if pd.api.types.is_numeric_dtype(frame[name]):
            columns[name] = inputs.numeric(frame[name], where=where, name=name)
            continue
        labels[name] = frame[name].astype("object")
        for level in sorted(labels[name].dropna().unique(), key=str)[1:]:
            columns[f"{name}[{level}]"] = np.where(labels[name].isna(), np.nan, (labels[name] == level).astype(float))
    return pd.DataFrame(columns, index=frame.index, dtype=float), pd.DataFrame(labels, index=frame.index)


def positive(values: np.ndarray | None, kept: np.ndarray, where: str, name: str | None, *, scaled: bool) -> np.ndarray:
    """Weights or pupils at risk above 0; ones where there are none."""
    if values is None:
        return np.ones(int(kept.sum()))
    found = values[kept]
    if n_wrong := int((found <= 0).sum()):
        raise DataError(f"{where}({name})", f"{n_wrong} weeks have none", allowed="numbers above 0",
                        remedy="leave weeks without pupils out of the table")  # fmt: skip
    return found / found.mean() if scaled and len(found) else found


def gap_before(time: pd.Series, begun: np.ndarray) -> bool:
    """Whether the step into the first week of the programme is longer than the usual step: a holiday lies before it."""
    first = int((~begun).sum())
    if not 0 < first < len(time) or not (
        pd.api.types.is_numeric_dtype(time) or pd.api.types.is_datetime64_any_dtype(time)
    ):
        return False
    steps = time.diff()
    return bool(steps[first] > 1.5 * steps.median())


def turned(labels: pd.DataFrame, begun: np.ndarray) -> bool:
    """Whether a season's label differs between the last week before and the first week of the programme."""
    first = int((~begun).sum())
    if not 0 < first < len(labels):
        return False
    return any(bool(labels[name][first] != labels[name][first - 1]) for name in labels.columns)


def demand_rank(weeks: Weeks, where: str) -> None:
    """Season and trend can be told apart, and enough weeks are left."""
    p = weeks.x.shape[1]
    scale = np.sqrt((weeks.x**2).sum(axis=0))
    if (scale == 0).any() or np.linalg.matrix_rank(weeks.x / np.where(scale > 0, scale, 1)) < p:
        raise DesignError(
            f"{where}(season)",
            "a season's column follows from the trend, the start or another season",
            allowed="seasons that recur before and after the start",
            remedy="leave that column out, or collect a whole school year before the start",
        )
    if len(weeks.y) - p < 4:
        raise DesignError(f"{where}(season)", f"{len(weeks.y)} weeks cannot carry {p} columns",
                          remedy="leave season columns out or collect more weeks")  # fmt: skip
    if np.ptp(weeks.y) == 0:
        raise DesignError(where, "the outcome is the same in every week", allowed="an outcome that varies")
