"""Two tests of the same people: statistics of the paired cells, each a formula of its authors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from mhlib.stats.intervals import critical


@dataclass(frozen=True, slots=True)
class PairedCells:
    """People of one kind (cases, or non-cases) by the two tests."""

    both: float
    first_only: float
    second_only: float
    neither: float

    @property
    def n(self) -> float:
        """All of this kind."""
        return self.both + self.first_only + self.second_only + self.neither

    def turned(self) -> PairedCells:
        """The same people by negative results."""
        return PairedCells(self.neither, self.second_only, self.first_only, self.both)


def mcnemar(cells: PairedCells) -> tuple[float, float, float]:
    """Chi-square of the discordant pairs without correction, its p, and the exact two-sided p (McNemar 1947)."""
    b, c = cells.second_only, cells.first_only
    if b + c == 0:
        return 0.0, 1.0, 1.0
    chi2 = (b - c) ** 2 / (b + c)
    return chi2, float(stats.chi2.sf(chi2, 1)), float(min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5)))


def tango(cells: PairedCells, conf_level: float) -> tuple[float, float]:
    """Score interval of the paired difference second - first (Tango 1998, Stat Med 17:891)."""
    n, b, c = cells.n, cells.second_only, cells.first_only
    if n == 0:
        return math.nan, math.nan
    z, centre = critical(conf_level), (b - c) / n

    def score(delta: float) -> float:
        """Standardised distance of the data from a difference of `delta`."""
        linear = -b - c + (2 * n - b + c) * delta
        root = (math.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0)) - linear) / (4 * n)
        spread, gap = n * (2 * root + delta * (1 - delta)), b - c - n * delta
        # Without spread the data are either just as the difference says, or beyond any quantile.
        return gap / math.sqrt(spread) if spread > 0 else math.copysign(1e9, gap) * (abs(gap) > 1e-9)

    edge = 1 - 1e-12
    low = optimize.brentq(lambda d: score(d) - z, -edge, centre, xtol=1e-13) if centre > -edge else -1.0
    high = optimize.brentq(lambda d: score(d) + z, centre, edge, xtol=1e-13) if centre < edge else 1.0
    return low, high


def generalised_scores(case: PairedCells, noncase: PairedCells) -> tuple[float, float]:
    """Chi-squares of equal positive predictive values: Leisenring et al. (2000), and weighted by Kosinski (2013).

    For negative predictive values give the turned cells of the non-cases first. NaN where nobody is positive.
    """
    hits = case.both + case.first_only, case.both + case.second_only
    n = hits[0] + noncase.both + noncase.first_only, hits[1] + noncase.both + noncase.second_only
    if min(n) == 0:
        return math.nan, math.nan
    pooled, second = sum(hits) / sum(n), n[1] / sum(n)
    top = bottom = 0.0
    for cells, residual in ((case, 1 - pooled), (noncase, -pooled)):
        kinds = ((cells.both, 1 - 2 * second), (cells.second_only, 1 - second), (cells.first_only, -second))
        top += sum(number * lean * residual for number, lean in kinds)
        bottom += sum(number * (lean * residual) ** 2 for number, lean in kinds)
    shared = (case.both * (1 - pooled) ** 2 + noncase.both * pooled**2) / sum(n)
    spread = (pooled * (1 - pooled) - 2 * shared) * (1 / n[0] + 1 / n[1])
    gap = hits[1] / n[1] - hits[0] / n[0]
    return top**2 / bottom if bottom > 0 else math.nan, gap**2 / spread if spread > 1e-15 else math.nan
