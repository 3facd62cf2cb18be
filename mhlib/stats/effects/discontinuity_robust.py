"""The robust bias-corrected estimates of Calonico, Cattaneo & Titiunik, as rdrobust gives them."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass, field

import numpy as np

from mhlib.findings import Refused
from mhlib.stats.effects.discontinuity_cells import ScoreCells
from mhlib.stats.effects.discontinuity_refusals import (
    FEWEST_FOR_ROBUST,
    failed_robust_refusal,
    few_values_for_robust_refusal,
)

ROWS = ("conventional", "bias_corrected", "robust")
# On a score of few values rdrobust's neighbours are everyone on the same value: it takes time with the square of them.
ERRORS = {"continuous": "nn", "discrete": "hc1", "cluster": "cr1"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustEstimates:
    """Three rows (conventional, bias-corrected, robust) of estimate, error, interval and p-value.

    Attributes
    ----------
    table : ndarray, shape (3, 5)
        Estimate, standard error, interval, p-value.
    bandwidth, bias_bandwidth : float
    n_below, n_above : int
        Rows within the bandwidth.
    mass_points : bool
        Whether rdrobust found repeated values and adjusted for them.
    """

    table: np.ndarray = field(repr=False)
    bandwidth: float
    bias_bandwidth: float
    n_below: int
    n_above: int
    mass_points: bool


def robust_estimates(
    cells: ScoreCells,
    values: np.ndarray,
    distance: np.ndarray,
    cluster: np.ndarray | None,
    *,
    fuzzy: bool,
    conf_level: float,
) -> RobustEstimates | Refused:
    """Ask rdrobust for the estimate; refused where the score has fewer than ten values a side or it finds no bandwidth.

    Parameters
    ----------
    values : ndarray, shape (n, V)
        Outcome, uptake where `fuzzy`, covariates.
    distance : ndarray, shape (n,)
        Score less cut-off.
    """
    above = int(cells.above.sum())
    below = len(cells.distance) - above
    if min(above, below) < FEWEST_FOR_ROBUST:
        return few_values_for_robust_refusal(below, above)
    # Imported here because rdrobust brings a plotting library with it.
    from rdrobust import rdrobust

    mass = bool(cells.n_used > len(cells.distance))
    discrete = "discrete" if cells.n_used >= 2 * len(cells.distance) else "continuous"
    covariates = values[:, 1 + fuzzy :]
    options = {
        "fuzzy": values[:, 1] if fuzzy else None,
        "covs": covariates if covariates.shape[1] else None,
        "cluster": cluster,
        "vce": ERRORS["cluster" if cluster is not None else discrete],
        "level": 100 * conf_level,
    }
    # rdrobust prints, warns of mass points (which `mass_points` records) and raises bare exceptions of several kinds.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = rdrobust(values[:, 0], distance, c=0, **options)
        except Exception:  # rdrobust raises plain Exception where no bandwidth can be chosen
            return failed_robust_refusal()
    table = np.column_stack(
        [found.coef.to_numpy()[:, 0], found.se.to_numpy()[:, 0], found.ci.to_numpy(), found.pv.to_numpy()[:, 0]]
    )
    if not np.isfinite(table).all():
        return failed_robust_refusal()
    (h, _), (b, _) = found.bws.to_numpy()
    return RobustEstimates(
        table=table, bandwidth=float(h), bias_bandwidth=float(b), n_below=int(found.N_h[0]), n_above=int(found.N_h[1]),
        mass_points=mass,
    )  # fmt: skip
