"""The part of the area under the curve that matters: where specificity, or sensitivity, is high enough to be used."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.bootstrap_curve import resampled_counts, resampled_rows
from mhlib.stats.accuracy.counts import ScoreCounts
from mhlib.stats.accuracy.resampling import Schools, Stratified, enough_resamples, spread
from mhlib.stats.terms import term_frame

FOCUS = ("specificity", "sensitivity")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialRocResult:
    """Area under a part of the curve, as it is and on McClish's scale from .5 (chance) to 1 (perfect).

    Attributes
    ----------
    partial_auc, std_error, conf_low, conf_high : float
        0 to `high - low`.
    standardised, standardised_std_error, standardised_low, standardised_high : float
        McClish (1989): .5 is chance, 1 is perfect, below .5 is worse than chance.
    focus : {'specificity', 'sensitivity'}
        The measure whose range is taken.
    low, high : float
        Ends of that range.
    """

    partial_auc: float
    std_error: float
    conf_low: float
    conf_high: float
    standardised: float
    standardised_std_error: float
    standardised_low: float
    standardised_high: float
    focus: str
    low: float
    high: float
    direction: str
    n_clusters: int | None
    n_boot: int
    n_boot_empty: int
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `partial_auc` and `partial_auc_standardised`; extra columns `focus, low, high, n_used`."""
        own = (self.partial_auc, self.std_error, self.conf_low, self.conf_high)
        scaled = (
            self.standardised,
            self.standardised_std_error,
            self.standardised_low,
            self.standardised_high,
        )
        names = ("estimate", "std_error", "conf_low", "conf_high")
        extra = {"focus": self.focus, "low": self.low, "high": self.high, "n_used": self.n_used}
        terms = {"partial_auc": own, "partial_auc_standardised": scaled}
        return term_frame(
            [{"term": term, **dict(zip(names, values, strict=True)), **extra} for term, values in terms.items()]
        )


def partial_roc(
    score: object,
    reference: object,
    *,
    seed: int,
    focus: str = "specificity",
    low: float = 0.9,
    high: float = 1.0,
    cluster: object = None,
    weights: object = None,
    direction: str = ">=",
    n_boot: int = 2000,
    conf_level: float = 0.95,
) -> PartialRocResult:
    """Partial area under the ROC curve over a range of specificity or of sensitivity.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
    reference : array-like of 0/1 or bool, shape (n,)
        1 = case by the reference standard; none may be missing.
    seed : int
        Of the bootstrap.
    focus : {'specificity', 'sensitivity'}
        Which of the two is held to the range.
    low, high : float
        0–1, ends of the range.
    cluster, weights, direction, n_boot, conf_level
        As in :func:`bootstrap_roc`. `n_boot` 0 gives no standard error and no interval.

    Returns
    -------
    PartialRocResult

    Raises
    ------
    ParamsError
        A focus that is not known, a range outside 0–1 or turned round.
    DataError, DesignError
        As in :func:`bootstrap_roc`.

    Notes
    -----
    Trapezoids under the curve, cut off linearly at the ends of the range. Standardised: (1 + (pA - min) / (max - min)) / 2
    with min the area of the chance line and max that of the perfect curve over the range. A curve below chance keeps
    its value below .5 (pROC gives NA).
    References: McClish (1989) Med Decis Making 9:190; Robin et al. (2011) BMC Bioinformatics 12:77.
    Checked against: tests/oracle/asah_partial.csv, tests/oracle/roc_bootstrap.csv (pROC).
    """
    where = "partial_roc"
    checked_range(focus, low, high, n_boot, where=where)
    found, drawn = resampled_rows(score, reference, cluster, weights, direction, where=where)
    weighted = "weighted " * (weights is not None)
    return partial_record(
        found, drawn, weighted=weighted, n_used=len(score), focus=focus, low=low, high=high,
        direction=direction, seed=seed, n_boot=n_boot, conf_level=conf_level,
    )  # fmt: skip


def partial_roc_from_counts(
    score_values: object,
    n_case: object,
    n_noncase: object,
    *,
    seed: int,
    focus: str = "specificity",
    low: float = 0.9,
    high: float = 1.0,
    direction: str = ">=",
    n_boot: int = 2000,
    conf_level: float = 0.95,
) -> PartialRocResult:
    """Partial area from counts by score, or by school and score.

    Parameters
    ----------
    score_values, n_case, n_noncase
        As in :func:`bootstrap_roc_from_counts`.
    seed, focus, low, high, direction, n_boot, conf_level
        As in :func:`partial_roc`.

    Returns
    -------
    PartialRocResult
        The same digits as :func:`partial_roc` on the rows.

    Raises
    ------
    DataError, DesignError, ParamsError
        As in :func:`partial_roc`.

    Notes
    -----
    Reference: McClish (1989). Checked against: tests/oracle/asah_partial.csv (pROC).
    """
    where = "partial_roc_from_counts"
    checked_range(focus, low, high, n_boot, where=where)
    found, drawn = resampled_counts(score_values, n_case, n_noncase, direction, where=where)
    return partial_record(
        found, drawn, weighted="", n_used=round(found.case.sum() + found.noncase.sum()), focus=focus, low=low,
        high=high, direction=direction, seed=seed, n_boot=n_boot, conf_level=conf_level,
    )  # fmt: skip


def checked_range(focus: str, low: float, high: float, n_boot: int, *, where: str) -> None:
    """Stop at a range that is none.

    Raises
    ------
    ParamsError
        Unknown focus, ends outside 0–1 or turned round, a single resample.
    """
    inputs.one_of(focus, FOCUS, where=where, name="focus")
    if not 0 <= low < high <= 1:
        raise ParamsError(f"{where}(low, high)", "is not a range", allowed="0 <= low < high <= 1, as .9 and 1")
    if n_boot:
        enough_resamples(n_boot, where=where)


def partial_record(
    found: ScoreCounts, drawn: Stratified | Schools, *, weighted: str, focus: str, low: float, high: float,
    seed: int, n_boot: int, conf_level: float, **rest: object,
) -> PartialRocResult:  # fmt: skip
    """Partial area of the counts, with the percentile interval of the resamples, on both scales."""
    inputs.open_unit(conf_level, where="partial_roc", name="conf_level")
    part = {"focus": focus, "low": low, "high": high}
    own = float(partial_areas(found.case[None], found.noncase[None], **part)[0])
    boot = [partial_areas(*both, **part) for both in drawn.tables(seed, n_boot)] if n_boot else [np.array([])]
    boot = np.concatenate(boot)
    width, scaled = spread(boot, conf_level), spread(standardised(boot, **part), conf_level)
    return PartialRocResult(
        partial_auc=own,
        std_error=width.std_error,
        conf_low=width.conf_low,
        conf_high=width.conf_high,
        standardised=float(standardised(own, **part)),
        standardised_std_error=scaled.std_error,
        standardised_low=scaled.conf_low,
        standardised_high=scaled.conf_high,
        n_clusters=drawn.sums.shape[0] if isinstance(drawn, Schools) else None,
        n_boot=n_boot,
        n_boot_empty=width.n_empty,
        seed=seed,
        n_excluded=0,
        method=f"{weighted}partial AUC, McClish (1989)" + f", percentile bootstrap of {drawn.unit}" * (n_boot > 0),
        conf_level=conf_level,
        **part,
        **rest,
    )


def partial_areas(case: np.ndarray, noncase: np.ndarray, *, focus: str, low: float, high: float) -> np.ndarray:
    """Partial area of each of many pairs of counts by rising score, shape (b,); NaN where a side is empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        hits, alarms = (
            np.cumsum(np.pad(part[:, ::-1], ((0, 0), (1, 0))), axis=1) / part.sum(axis=1, keepdims=True)
            for part in (case, noncase)
        )
    along, height, ends = (
        (alarms, hits, (1 - high, 1 - low)) if focus == "specificity" else (hits, 1 - alarms, (low, high))
    )
    return trapezoids(along, height, *ends)


def trapezoids(along: np.ndarray, height: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Area under piecewise straight lines between two points of the horizontal axis, for each row."""
    left, right = along[:, :-1], along[:, 1:]
    width = right - left
    slope = np.diff(height, axis=1) / np.where(width > 0, width, math.inf)
    begin, end = np.clip(left, start, stop), np.clip(right, start, stop)
    middle = height[:, :-1] + slope * ((begin + end) / 2 - left)
    return ((end - begin) * middle).sum(axis=1)


def standardised(area: np.ndarray | float, *, focus: str, low: float, high: float) -> np.ndarray | float:
    """McClish's scale: .5 for the chance line over the range, 1 for the perfect curve."""
    most = high - low
    # The chance line loses on either focus the same triangle-and-strip: its height is 1 minus the measure in focus.
    least = ((1 - low) ** 2 - (1 - high) ** 2) / 2
    return (1 + (area - least) / (most - least)) / 2
