"""Was the score pushed over the cut-off? A density test for whole-number scores, and a search for heaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.discontinuity_histogram import (
    Histogram,
    allowed_shares,
    bar_p_value,
    default_k,
    histogram_of,
)
from mhlib.stats.effects.multiplicity_adjust import adjust_pvalues
from mhlib.stats.terms import term_frame

SHOWN = (0.0, 0.01, 0.02, 0.05, 0.10)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DensityResult:
    """The bar at the cut-off beside its two neighbours.

    Attributes
    ----------
    estimate : float
        Share of the three bars' people who have the cut-off score itself; a third where the histogram is straight.
    allowed_low, allowed_high : float
        Shares that a bend of `k` allows.
    p_value : float
        By cluster where clusters were given, else exact.
    k, k_rule : float, {'given', 'rule of thumb'}
    k_needed : float
        Smallest bend at which the test keeps its peace at the level `1 - conf_level`; 0 where it does at once.
    by_k : DataFrame
        `k, allowed_low, allowed_high, p_value` for several bends.
    n_below, n_at, n_next : int
        People on the value below the cut-off, on it, and on the next.
    n_clusters : int
    """

    estimate: float
    allowed_low: float
    allowed_high: float
    p_value: float
    k: float
    k_rule: str
    k_needed: float
    by_k: pd.DataFrame = field(repr=False)
    n_below: int
    n_at: int
    n_next: int
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row: share, p-value, and what was allowed."""
        row = {"term": "share_at_cutoff", "estimate": self.estimate, "p_value": self.p_value}
        rest = {name: getattr(self, name) for name in ("allowed_low", "allowed_high", "k", "k_needed", "n_used")}
        return term_frame([{**row, **rest}])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeapingResult:
    """Every bar beside its neighbours.

    Attributes
    ----------
    table : DataFrame
        `score, n, expected, ratio, k, p_value, p_adjusted, heap`: `expected` is the mean of the two neighbours, `heap` is
        'more', 'fewer' or ''.
    """

    table: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a score, `estimate` being the ratio to the neighbours' mean."""
        rows = [
            {"term": f"score {row['score']:g}", "estimate": row["ratio"], "p_value": row["p_value"], **row}
            for row in self.table.to_dict("records")
        ]
        return term_frame(rows)


def density_at_cutoff(
    score: object,
    *,
    cutoff: float,
    cluster: object = None,
    k: float | None = None,
    conf_level: float = 0.95,
) -> DensityResult:
    """Test whether the histogram of a whole-number score bends at the cut-off more than a smooth one would.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Missing scores are left out and counted.
    cutoff : float
        Treated from here on; a value of the score.
    cluster : array-like, shape (n,), optional
        School of each row: schools whose pupils differ make bars vary more than a binomial allows.
    k : float, optional
        Bend allowed, 0–1: |f(c-1) - 2 f(c) + f(c+1)| <= k (f(c-1) + f(c+1)). By default twice the bend of a Poisson
        log-quartic through the histogram fitted without the cut-off and the value below it, and 0.01 at least.
    conf_level : float
        For `k_needed`.

    Returns
    -------
    DensityResult

    Raises
    ------
    DesignError
        A continuous score; a cut-off without a value of the score on either side of it.
    ParamsError
        A bend outside 0–1.
    DataError
        Nobody with a score; a row without a school.

    Notes
    -----
    Given the three bars' total, the middle count is binomial with a share between (1 - k)/(3 - k) and (1 + k)/(3 + k). The
    exact p-value is the largest chance, under either end, of a tail as small as seen. Tests made for continuous scores
    (McCrary; rddensity) reject whenever a score is coarse.
    Reference: Frandsen (2017) Advances in Econometrics 38:281.
    Checked against: tests/oracle/discontinuity_density.csv (base R, by enumeration).
    """
    where = "density_at_cutoff"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    histogram = histogram_of(score, cluster, where=where)
    at = place_of(histogram, cutoff, where=where)
    counts = histogram.counts
    bend = default_k(counts, at, (at - 1, at)) if k is None else checked_k(k, where=where)
    p_value = bar_p_value(histogram, at, bend)
    shown = sorted({*SHOWN, bend})
    by_k = pd.DataFrame(
        [
            dict(zip(("k", "allowed_low", "allowed_high", "p_value"), (one, *allowed_shares(one), p), strict=True))
            for one in shown
            for p in (bar_p_value(histogram, at, one),)
        ]
    )
    low, high = allowed_shares(bend)
    three = counts[at - 1 : at + 2]
    g = len(histogram.table) if histogram.clustered else 0
    return DensityResult(
        estimate=float(three[1] / three.sum()) if three.sum() else float("nan"),
        allowed_low=float(low),
        allowed_high=float(high),
        p_value=p_value,
        k=bend,
        k_rule="rule of thumb" if k is None else "given",
        k_needed=needed_k(histogram, at, 1 - conf_level),
        by_k=by_k,
        n_below=int(three[0]),
        n_at=int(three[1]),
        n_next=int(three[2]),
        n_clusters=g,
        n_used=int(counts.sum()),
        n_excluded=histogram.n_excluded,
        method=f"three bars at the cut-off, bend up to {bend:.3g} (Frandsen 2017), "
        + (f"errors by {g} clusters" if g else "exact binomial"),
        conf_level=conf_level,
    )


def heaping(
    score: object, *, cluster: object = None, k: float | None = None, conf_level: float = 0.95
) -> HeapingResult:
    """Look at every bar of the histogram of a whole-number score for more, or fewer, people than its neighbours allow.

    Parameters
    ----------
    score, cluster, k, conf_level
        As in :func:`density_at_cutoff`; the default bend is each value's own, fitted without that value. The lowest and
        the highest value have one neighbour only and are not tested. p-values are adjusted by Holm.

    Returns
    -------
    HeapingResult
        A heap makes its neighbours look too low: read the largest `ratio` first.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`density_at_cutoff`; fewer than three values.

    Notes
    -----
    Checked against: tests/oracle/discontinuity_density.csv (base R, by enumeration).
    """
    where = "heaping"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    histogram = histogram_of(score, cluster, where=where)
    counts = histogram.counts
    if len(counts) < 3:
        raise DesignError(f"{where}(score)", "takes fewer than three values", allowed="three values or more")
    inner = np.arange(1, len(counts) - 1)
    bends = [default_k(counts, at, (at,)) if k is None else checked_k(k, where=where) for at in inner]
    p = np.array([bar_p_value(histogram, at, bend) for at, bend in zip(inner, bends, strict=True)])
    expected = (counts[inner - 1] + counts[inner + 1]) / 2
    adjusted = holm(p)
    found = adjusted <= 1 - conf_level
    ratio = np.divide(counts[inner], expected, out=np.full(len(inner), np.nan), where=expected > 0)
    table = pd.DataFrame(
        {"score": histogram.grid[inner], "n": counts[inner].astype(int), "expected": expected, "ratio": ratio,
         "k": bends, "p_value": p, "p_adjusted": adjusted,
         "heap": np.where(found, np.where(counts[inner] > expected, "more", "fewer"), "")}
    )  # fmt: skip
    by = f"errors by {len(histogram.table)} clusters" if histogram.clustered else "exact binomial"
    return HeapingResult(
        table=table,
        n_used=int(counts.sum()),
        n_excluded=histogram.n_excluded,
        method=f"each bar beside its two neighbours, {by}, Holm over {len(inner)} values",
        conf_level=conf_level,
    )


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's p-values; what could not be tested stays NaN and does not count."""
    adjusted, tested = np.full(len(p), np.nan), np.isfinite(p)
    if tested.any():
        adjusted[tested] = adjust_pvalues(p[tested], method="holm").adjusted
    return adjusted


def place_of(histogram: Histogram, cutoff: float, *, where: str) -> int:
    """Where the cut-off stands on the grid; it needs a neighbour on either side."""
    above = np.flatnonzero(histogram.grid >= cutoff - 1e-9)
    at = int(above[0]) if len(above) else len(histogram.grid)
    if not 1 <= at <= len(histogram.grid) - 2:
        raise DesignError(
            f"{where}(cutoff)",
            "has no value of the score on one side of it",
            allowed="a cut-off within the scores",
            remedy="give the cut-off that decided who was offered help, in units of the score",
        )
    return at


def checked_k(k: float, *, where: str) -> float:
    """A bend of 0–1."""
    if not 0 <= k < 1:
        raise ParamsError(f"{where}(k)", f"is {k}", allowed="0 or more, below 1")
    return float(k)


def needed_k(histogram: Histogram, at: int, alpha: float) -> float:
    """Smallest bend at which the test does not reject at `alpha`; 0 where it never does, 1 where it always does."""

    def short(k: float) -> float:
        return bar_p_value(histogram, at, k) - alpha

    if not short(0.0) < 0:
        return 0.0
    return float(optimize.bisect(short, 0.0, 0.999, xtol=1e-4)) if short(0.999) > 0 else 1.0
