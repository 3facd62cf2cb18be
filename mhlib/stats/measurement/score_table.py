"""A sum score by itself: where people stand, how many sit at its ends, and how far one score can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.item_matrix import covariance, item_matrix
from mhlib.stats.measurement.items import ends_of
from mhlib.stats.measurement.reliability import alpha_value
from mhlib.stats.terms import term_frame

TERMS = ("mean", "sd", "floor", "ceiling", "alpha", "sem", "sdc")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreDescription:
    """A sum score, in its points.

    Attributes
    ----------
    mean, sd : float
    floor, ceiling : float
        Shares, 0–1, at the lowest and highest score possible (`lowest`, `highest`).
    alpha : float
        The reliability that SEM and SDC rest on.
    sem, sdc : float
        Standard error of measurement, SD sqrt(1 - alpha), and the smallest change of one person that is more than error
        at `conf_level`, z sqrt 2 SEM. NaN when alpha is above 1 or unknown.
    """

    mean: float
    sd: float
    floor: float
    ceiling: float
    lowest: float
    highest: float
    alpha: float
    sem: float
    sdc: float
    n_items: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `mean, sd, floor, ceiling, alpha, sem, sdc`; bounds are NaN."""
        return term_frame([{"term": name, "estimate": getattr(self, name)} for name in TERMS]).assign(
            lowest=self.lowest, highest=self.highest, n_used=self.n_used
        )


def score_description(
    items: object, *, answer_range: tuple[float, float] | None = None, conf_level: float = 0.95
) -> ScoreDescription:
    """Mean, spread, ends and measurement error of the sum of items.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 2
        Reversed items already turned by the codebook.
    answer_range : (lowest, highest), optional
        Answers the items allow; default the lowest and highest seen on any item. Give it for a subgroup.
    conf_level : float
        Of the smallest detectable change.

    Returns
    -------
    ScoreDescription
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values; answers outside `answer_range` (counted).
    DesignError
        Fewer than two items, fewer than three complete rows, an item that does not vary.

    Notes
    -----
    SEM = SD sqrt(1 - alpha) takes alpha for reliability within one sitting; the SEM of a retest also holds what changes
    between sittings. References: Lord & Novick (1968); de Vet et al. (2006) J Clin Epidemiol 59:1033.
    Checked against: tests/oracle/bfi_n_sum.csv, tests/oracle/efa_values.csv (R, on bfi).
    """
    where = "score_description"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix = item_matrix(items, where=where)
    k = matrix.complete.shape[1]
    lowest, highest = ends_of(matrix.complete, answer_range, where=where)
    values, counts = np.unique(matrix.complete.sum(axis=1), return_counts=True)
    return score_description_from_counts(
        values,
        counts,
        lowest=k * lowest,
        highest=k * highest,
        reliability=alpha_value(covariance(matrix.complete)),
        conf_level=conf_level,
        n_items=k,
        n_excluded=matrix.n_excluded,
    )


def score_description_from_counts(
    values: Sequence[float],
    counts: Sequence[int],
    *,
    lowest: float,
    highest: float,
    reliability: float = math.nan,
    conf_level: float = 0.95,
    n_items: int | None = None,
    n_excluded: int = 0,
) -> ScoreDescription:
    """Describe a score from how many people have each value of it.

    Parameters
    ----------
    values, counts : array-like, shape (m,)
        Score and number of people.
    lowest, highest : float
        Scores possible.
    reliability : float
        Alpha, or another reliability; NaN leaves SEM and SDC out.
    conf_level : float
        Of the smallest detectable change.
    n_items, n_excluded : int
        Carried into the record.

    Returns
    -------
    ScoreDescription
        The same digits as :func:`score_description` on the rows.

    Raises
    ------
    DataError
        Values and counts that do not fit, or values outside the range.
    DesignError
        Fewer than two people.

    Notes
    -----
    Checked against: tests/oracle/bfi_n_sum.csv, tests/oracle/efa_values.csv (R, on bfi).
    """
    where = "score_description_from_counts"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.same_length(where, values=values, counts=counts)
    values, counts = np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    if not (np.isfinite(values).all() and np.isfinite(counts).all()) or (counts < 0).any():
        raise DataError(f"{where}(counts)", "hold missing numbers or negative counts")
    if n_outside := int(counts[(values < lowest) | (values > highest)].sum()):
        raise DataError(
            f"{where}(values)", f"{n_outside} scores lie outside the range", allowed=f"{lowest:g} to {highest:g}"
        )
    n = counts.sum()
    if n < 2:
        raise DesignError(where, f"{n:g} people", allowed="at least 2")
    mean = float(values @ counts / n)
    sd = math.sqrt(float(counts @ (values - mean) ** 2 / (n - 1)))
    sem = sd * math.sqrt(1 - reliability) if reliability <= 1 else math.nan
    return ScoreDescription(
        mean=mean,
        sd=sd,
        floor=float(counts[values == lowest].sum() / n),
        ceiling=float(counts[values == highest].sum() / n),
        lowest=float(lowest),
        highest=float(highest),
        alpha=float(reliability),
        sem=sem,
        sdc=critical(conf_level) * math.sqrt(2) * sem,
        n_items=n_items,
        n_used=int(n),
        n_excluded=n_excluded,
        method="sum score; SEM = SD sqrt(1 - alpha), SDC = z sqrt(2) SEM",
        conf_level=conf_level,
    )
