"""The restricted wild cluster bootstrap of one coefficient, from the scores of clusters; no row is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.robust_inversion import demand_draws, inverted
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.wild_draws import drawn_weights, every_sign, wild_statistics
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WildBootstrapResult:
    """P-value and interval of a coefficient by the restricted wild cluster bootstrap.

    Attributes
    ----------
    statistic : float
        t of the null with CR1 errors.
    p_value, conf_low, conf_high : float
        NaN where refused; a bound is infinite where the test never rejects on that side.
    floor : float
        Smallest p-value these draws can give.
    enumerated : bool
        Whether all signs were gone through instead of drawn.
    draws : ndarray, shape (n_draws,)
        t statistics under the null, for the adjustment over several outcomes.
    """

    term: str
    estimate: float
    null: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    floor: float
    refused: Refused | None
    weights: str
    enumerated: bool
    n_draws: int
    seed: int | None
    draws: np.ndarray = field(repr=False)
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row, with `statistic, floor, n_draws, n_clusters, n_used`; the term is the coefficient's."""
        rest = ("conf_low", "conf_high", "p_value", "statistic", "floor", "n_draws", "n_clusters", "n_used")
        row = {"term": self.term, "estimate": self.estimate}
        return term_frame([{**row, **{name: getattr(self, name) for name in rest}}])


def wild_cluster_bootstrap(
    fit: ClusterRobustResult,
    term: str,
    *,
    null: float = 0.0,
    weights: str = "rademacher",
    n_draws: int = 9999,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> WildBootstrapResult | Refused:
    """P-value and interval of a coefficient by the restricted wild cluster bootstrap.

    Parameters
    ----------
    fit : ClusterRobustResult
        Of :func:`cluster_robust`, least squares; weights, absorbed groups and estimand are those of the fit.
    term : str
    null : float
        Effect supposed.
    weights : {'rademacher', 'webb'}
        Signs, or Webb's six points, which serve better below about 12 clusters.
    n_draws, seed : int
        Draws, and the seed that makes them the same again. With signs all 2^g are gone through where these are no more
        than `n_draws`.
    conf_level : float

    Returns
    -------
    WildBootstrapResult or Refused
        Refused (`carried_by_one_cluster`) where one cluster alone carries the term; `refused` (`bootstrap_floor`) within the
        record where the smallest p-value possible exceeds 1 - conf_level.

    Raises
    ------
    ParamsError
        A logit; an unknown term or weights; no seed; fewer than 199 draws.

    Notes
    -----
    y* = X b~ + v_g e~ with b~, e~ under the null; t* with CR1 errors; p = share of |t*| >= |t|. Interval by inversion of
    the test on the same draws. References: Cameron, Gelbach & Miller (2008) REStat 90:414; Roodman et al. (2019) Stata J
    19:4; Webb (2023) Can J Econ 56:839.
    Checked against: pyfixest and wildboottest (p .20092 on the Achievement Awards trial) and refits on rows
    (tests/stats/test_robust.py).
    """
    where = "wild_cluster_bootstrap"
    inputs.one_of(weights, ("rademacher", "webb"), where=where, name="weights")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    demand_draws(n_draws, seed, where=where, name="n_draws")
    if fit.sums is None:
        raise ParamsError(where, "serves least squares", remedy="use family='gaussian' (a difference of shares)")
    i, g = fit.position(term), fit.n_clusters
    if math.isnan(fit.std_errors[i]):
        return fit.refusals[term]
    every = weights == "rademacher" and 2**g <= n_draws
    blocks = iter([every_sign(g)]) if every else drawn_weights(weights, g, n_draws, seed)
    contrast = fit.found.scale[i]
    parts = wild_statistics(fit.found.raw, fit.found.information, contrast, blocks)
    estimate = float(fit.estimates[i])
    distance = estimate - null
    # A set of signs and its opposite give one |t|; random draws can at best all fall below it.
    floor = 2.0 ** (1 - g) if every else max(1 / n_draws, 2 * (2.0 if weights == "rademacher" else 6.0) ** -g)
    refused = floor_refusal(g, floor, 1 - conf_level)
    error = math.sqrt(parts.observed_variance)
    low, high = (math.nan, math.nan) if refused else inverted(parts, estimate, 1 - conf_level, error)
    return WildBootstrapResult(
        term=term,
        estimate=estimate,
        null=null,
        statistic=distance / (error * math.sqrt(g / (g - 1))),
        p_value=math.nan if refused else parts.p_value(distance),
        conf_low=low,
        conf_high=high,
        floor=floor,
        refused=refused,
        weights=weights,
        enumerated=every,
        n_draws=len(parts.n0),
        seed=None if every else seed,
        draws=parts.statistics(distance) / math.sqrt(g / (g - 1)),
        n_clusters=g,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=f"restricted wild cluster bootstrap, {weights} weights, "
        + (f"all {2**g} signs" if every else f"{n_draws} draws"),
        conf_level=conf_level,
    )


def floor_refusal(n_clusters: int, floor: float, alpha: float) -> Refused | None:
    """Refusal of a p-value that could not reach alpha whatever the data, code `bootstrap_floor`."""
    if floor <= alpha:
        return None
    return Refused(
        "bootstrap_floor",
        message(
            "With {n} schools or classes the bootstrap cannot give a p-value below {floor}: whatever the data, it would "
            "never reject.",
            n=n_clusters,
            floor=round(floor, 3),
        ),
        message("Collect from more schools or classes; from 12 the bootstrap with signs serves."),
    )
