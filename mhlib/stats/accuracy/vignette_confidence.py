"""Are teachers as able as they feel? Confidence against competence."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.clustered import share, variance_of_total
from mhlib.stats.effects.robust_fit import cluster_robust_from_sums
from mhlib.stats.effects.robust_sums import sums_of_rows
from mhlib.stats.intervals import binomial, critical, on_logit
from mhlib.stats.terms import term_frame

QUADRANTS = ("over-confident", "able and sure", "able and unsure", "unable and unsure")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConfidenceCalibrationResult:
    """Confidence against competence, both 0–1.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, df`: `slope` of competence on confidence (1 when
        calibrated; its p-value is that of slope 1), `intercept`, `bias` (mean confidence less mean competence; p-value that
        it is 0) and `over-confident` (share of teachers).
    quadrants : pandas.DataFrame
        `quadrant, n, share`.
    refusals : tuple of Refused
        Of the slope's error where schools cannot carry one.
    """

    table: pd.DataFrame = field(repr=False)
    quadrants: pd.DataFrame = field(repr=False)
    refusals: tuple[Refused, ...]
    confidence_cut: float
    competence_cut: float
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @property
    def slope(self) -> float:
        """Competence gained a unit of confidence."""
        return float(self.table.set_index("term").at["slope", "estimate"])

    @property
    def over_confident(self) -> float:
        """Share of teachers who are sure and not able."""
        return float(self.table.set_index("term").at["over-confident", "estimate"])


def confidence_calibration(
    confidence: object,
    competence: object,
    *,
    confidence_cut: float = 0.7,
    competence_cut: float = 0.7,
    cluster: object = None,
    conf_level: float = 0.95,
) -> ConfidenceCalibrationResult:
    """Calibration of teachers' confidence against their competence.

    Parameters
    ----------
    confidence, competence : array-like, shape (n,)
        One row a teacher, both 0–1: expected and actual share of vignettes right, or scores over their range.
    confidence_cut, competence_cut : float
        Sure at or above the first, able at or above the second.
    cluster : array-like, shape (n,), optional
        School: CR2 errors with Satterthwaite df for the slope, sums by school for the others.
    conf_level : float

    Returns
    -------
    ConfidenceCalibrationResult
        Teachers who lack either are left out and counted.

    Raises
    ------
    DataError
        Values outside 0–1, text, columns of different lengths.
    DesignError
        Fewer than three teachers, confidence that does not vary, one cluster.
    ParamsError
        A cut outside 0–1.

    Notes
    -----
    A noisy measure of confidence flattens the slope by its reliability even where teachers know themselves: read slope and
    bias together. Reference: Lichtenstein, Fischhoff & Phillips (1982). Checked against: tests/oracle/training_confidence.csv
    (R lm, clubSandwich, survey).
    """
    where = "confidence_calibration"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    for name, cut in (("confidence_cut", confidence_cut), ("competence_cut", competence_cut)):
        if not 0 <= cut <= 1:
            raise ParamsError(f"{where}({name})", f"is {cut}", allowed="0–1")
    inputs.same_length(where, confidence=confidence, competence=competence, cluster=cluster)
    sure, able = (
        within_unit(values, where, name) for values, name in ((confidence, "confidence"), (competence, "competence"))
    )
    kept = ~(np.isnan(sure) | np.isnan(able))
    x, y = sure[kept], able[kept]
    if len(x) < 3 or np.ptp(x) == 0:
        raise DesignError(where, "fewer than three teachers, or all equally sure", allowed="confidence that varies")
    groups = None
    if cluster is not None:
        groups = inputs.codes(np.asarray(cluster, dtype=object)[kept], where=where, name="cluster")
        if groups[1] < 2:
            raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    line, refusals = line_of(x, y, groups, conf_level)
    rows = [
        *line,
        bias_row(x - y, groups, conf_level),
        over_row(x, y, confidence_cut, competence_cut, groups, conf_level),
    ]
    return ConfidenceCalibrationResult(
        table=term_frame(rows),
        quadrants=quadrants_of(x, y, confidence_cut, competence_cut),
        refusals=refusals,
        confidence_cut=float(confidence_cut),
        competence_cut=float(competence_cut),
        n_clusters=None if groups is None else groups[1],
        n_used=len(x),
        n_excluded=int((~kept).sum()),
        method="least squares of competence on confidence, "
        + ("independent teachers" if groups is None else "CR2 by cluster"),
        conf_level=conf_level,
    )


def within_unit(values: object, where: str, name: str) -> np.ndarray:
    """Numbers within 0–1 and missing."""
    found = inputs.numeric(values, where=where, name=name)
    if n_out := int(((found < 0) | (found > 1)).sum()):
        raise DataError(
            f"{where}({name})", f"{n_out} values lie outside 0–1", remedy="divide scores by their range first"
        )
    return found


def line_of(
    x: np.ndarray, y: np.ndarray, groups: tuple[np.ndarray, int] | None, conf_level: float
) -> tuple[list[dict[str, float]], tuple[Refused, ...]]:
    """Slope (p-value of slope 1) and intercept (p-value of 0)."""
    design = np.column_stack([np.ones_like(x), x])
    if groups is None:
        fit = stats.linregress(x, y)
        df = len(x) - 2
        values = ((fit.intercept, fit.intercept_stderr, df), (fit.slope, fit.stderr, df))
        refusals: tuple[Refused, ...] = ()
    else:
        sums = sums_of_rows(
            design, y, groups[0], names=("intercept", "slope"), weights=None, clusters=np.arange(groups[1]), strata=None,
            n_absorbed=0,
        )  # fmt: skip
        found = cluster_robust_from_sums(sums, conf_level=conf_level)
        values = tuple(zip(found.estimates, found.std_errors, found.df, strict=True))
        refusals = tuple(found.refusals.values())
    intercept, slope = values
    return [t_row("slope", *slope, conf_level, null=1.0), t_row("intercept", *intercept, conf_level)], refusals


def t_row(
    term: str, estimate: float, error: float, df: float, conf_level: float, null: float = 0.0
) -> dict[str, float]:
    """A row with t interval and test, both withheld below 4 df."""
    known = np.isfinite(error) and error > 0 and df >= 4
    half = critical(conf_level, df) * error if known else math.nan
    p = 2 * stats.t.sf(abs(estimate - null) / error, df) if known else math.nan
    bounds = {"conf_low": float(estimate - half), "conf_high": float(estimate + half)}
    return {
        "term": term,
        "estimate": float(estimate),
        "std_error": float(error),
        **bounds,
        "p_value": float(p),
        "df": float(df),
    }


def bias_row(gap: np.ndarray, groups: tuple[np.ndarray, int] | None, conf_level: float) -> dict[str, float]:
    """Mean confidence less mean competence."""
    error = math.sqrt(variance_of_total((gap - gap.mean()) / len(gap), groups))
    return t_row("bias", gap.mean(), error, (len(gap) if groups is None else groups[1]) - 1, conf_level)


def over_row(
    x: np.ndarray, y: np.ndarray, sure: float, able: float, groups: tuple[np.ndarray, int] | None, conf_level: float
) -> dict[str, float]:
    """Share of over-confident teachers: Wilson, or linearised on the logit with clusters."""
    over = ((x >= sure) & (y < able)) * 1.0
    found = share(over, np.ones_like(over), weights=np.ones_like(over), cluster=groups)
    if groups is None or not 0 < found.value < 1:
        low, high = binomial(int(over.sum()), len(over), ci="wilson", conf_level=conf_level)
    else:
        low, high = on_logit(found.value, found.std_error, conf_level, found.df)
    bounds = {"std_error": found.std_error, "conf_low": low, "conf_high": high, "df": found.df}
    return {"term": "over-confident", "estimate": found.value, **bounds}


def quadrants_of(x: np.ndarray, y: np.ndarray, sure: float, able: float) -> pd.DataFrame:
    """Teachers by quadrant of the plane."""
    is_sure, is_able = x >= sure, y >= able
    sides = (is_sure & ~is_able, is_sure & is_able, ~is_sure & is_able, ~is_sure & ~is_able)
    n = np.array([int(side.sum()) for side in sides])
    return pd.DataFrame({"quadrant": QUADRANTS, "n": n, "share": n / n.sum()})
