"""The permutation test of an allocation of schools: what the same schools would have shown had the lot fallen otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.permutation_draws import drawn_allocations, every_allocation, n_allocations
from mhlib.stats.effects.permutation_statistics import allocated, permuted
from mhlib.stats.effects.robust_inversion import demand_draws, inverted
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.terms import term_frame

# Up to so many allocations all are gone through, for that is exact.
MOST_ENUMERATED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PermutationResult:
    """P-value and interval of a treatment of clusters by permuting the allocation.

    Attributes
    ----------
    p_value, conf_low, conf_high : float
        NaN where refused; a bound is infinite where the test never rejects on that side.
    floor : float
        Smallest p-value the design (or the number of draws) can give.
    n_allocations : int
        Allocations the design could have had.
    enumerated : bool
        Whether all of them were gone through.
    stratified : bool
    """

    term: str
    estimate: float
    null: float
    p_value: float
    conf_low: float
    conf_high: float
    floor: float
    refused: Refused | None
    statistic: str
    n_allocations: int
    enumerated: bool
    stratified: bool
    n_draws: int
    seed: int | None
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, with `floor, n_draws, n_clusters, n_used, n_allocations`; the term is the coefficient's."""
        rest = ("conf_low", "conf_high", "p_value", "floor", "n_draws", "n_clusters", "n_used")
        row = {"term": self.term, "estimate": self.estimate, **{name: getattr(self, name) for name in rest}}
        # A whole number of a thousand digits has no place in a table.
        possible = float(self.n_allocations) if self.n_allocations.bit_length() < 1000 else math.inf
        return term_frame([{**row, "n_allocations": possible}])


def school_permutation(
    fit: ClusterRobustResult,
    term: str,
    *,
    null: float = 0.0,
    statistic: str = "t",
    n_draws: int = 9999,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> PermutationResult | Refused:
    """Permutation test of a treatment that was allocated to whole clusters at random.

    Parameters
    ----------
    fit : ClusterRobustResult
        Of :func:`cluster_robust`, least squares, with an intercept. Strata given there are respected: clusters change arms
        only within their stratum. No other column may be made from the treatment (no interaction with it).
    term : str
        Column of two values, one for each cluster.
    null : float
        Effect supposed, the same for every pupil.
    statistic : {'t', 'coefficient'}
        Studentised by CR1 errors, which holds its level also where arms differ in spread; or the bare coefficient.
    n_draws, seed : int
        Random allocations where there are more than 20,000, and the seed that makes them the same again.
    conf_level : float

    Returns
    -------
    PermutationResult or Refused
        Refused (`carried_by_one_cluster`) where one cluster alone makes an arm; `refused` (`permutation_floor`) within the
        record where no allocation could give a p-value of 1 - conf_level.

    Raises
    ------
    DesignError
        A term that varies within clusters, a model without intercept.
    ParamsError
        A logit; an unknown term or statistic; no seed; fewer than 199 draws.

    Notes
    -----
    The test is exact for the null that no pupil is affected, under the allocation that was really made; it says nothing
    where schools chose for themselves. Exact: p = share of allocations whose statistic is at least the observed one;
    random: (1 + number) / (1 + draws). Covariates and their sums stay with their clusters. References: Fisher (1935);
    Gail et al. (1996) Stat Med 15:1069; Young (2019) QJE 134:557; Phipson & Smyth (2010).
    Checked against: permuted rows refitted one by one, and a hand-computed case (tests/stats/test_robust.py).
    """
    where = "school_permutation"
    inputs.one_of(statistic, ("t", "coefficient"), where=where, name="statistic")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    demand_draws(n_draws, seed, where=where, name="n_draws")
    if fit.sums is None:
        raise ParamsError(where, "serves least squares", remedy="use family='gaussian' (a difference of shares)")
    i = fit.position(term)
    if math.isnan(fit.std_errors[i]):
        return fit.refusals[term]
    parts = allocated(fit, term)
    strata = np.zeros(fit.n_clusters, dtype=int) if fit.sums.strata is None else np.asarray(fit.sums.strata)
    possible = n_allocations(parts.treated, strata)
    every = possible <= MOST_ENUMERATED
    rows = every_allocation(parts.treated, strata) if every else drawn_allocations(parts.treated, strata, n_draws, seed)
    width = parts.high - parts.low
    made = permuted(parts, rows, studentised=statistic == "t", plus=0 if every else 1)
    floor = lowest(parts.treated, strata, n_draws=len(rows), every=every)
    refused = floor_refusal(possible, floor, 1 - conf_level)
    estimate = float(fit.estimates[i])
    unit = float(fit.std_errors[i]) * width
    low, high = (math.nan, math.nan) if refused else inverted(made, estimate * width, 1 - conf_level, unit)
    return PermutationResult(
        term=term,
        estimate=estimate,
        null=null,
        p_value=math.nan if refused else made.p_value((estimate - null) * width),
        conf_low=low / width,
        conf_high=high / width,
        floor=floor,
        refused=refused,
        statistic=statistic,
        n_allocations=possible,
        enumerated=every,
        stratified=fit.sums.strata is not None,
        n_draws=len(rows),
        seed=None if every else seed,
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=f"permutation of {fit.n_clusters} clusters"
        + (" within strata, " if fit.sums.strata is not None else ", ")
        + (f"all {possible} allocations" if every else f"{n_draws} random allocations")
        + (", studentised" if statistic == "t" else ""),
        conf_level=conf_level,
    )


def lowest(treated: np.ndarray, strata: np.ndarray, *, n_draws: int, every: bool) -> float:
    """Smallest p-value the design, or the number of draws, can give.

    With as many treated as control clusters in every stratum the opposite allocation gives the same size of statistic.
    """
    mirrored = all(2 * treated[strata == s].sum() == (strata == s).sum() for s in np.unique(strata))
    floor = (2 if mirrored else 1) / n_allocations(treated, strata)
    return floor if every else max(floor, 1 / (n_draws + 1))


def floor_refusal(possible: int, floor: float, alpha: float) -> Refused | None:
    """Refusal of a p-value that could not reach alpha whatever the data, code `permutation_floor`."""
    if floor <= alpha:
        return None
    return Refused(
        "permutation_floor",
        message(
            "The lot could have fallen in {possible} ways only, so the permutation cannot give a p-value below {floor}.",
            possible=possible,
            floor=round(floor, 3),
        ),
        message("Allocate more schools or classes: four against four is the least that can reach 0.05 on both sides."),
    )
