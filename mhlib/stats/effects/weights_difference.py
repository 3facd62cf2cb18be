"""The weighted comparison of two groups: CR2 with the weights as known, a bootstrap of schools, and the doubly robust one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.robust_fit import cluster_robust
from mhlib.stats.effects.robust_inversion import demand_draws
from mhlib.stats.effects.robust_record import ClusterRobustResult, inference
from mhlib.stats.effects.robust_refusals import FEWEST_DF
from mhlib.stats.effects.weights_bootstrap import bootstrap_draws, bootstrap_errors, both_estimates
from mhlib.stats.effects.weights_record import WeightedEffectResult, WeightsResult
from mhlib.stats.effects.weights_schemes import ESTIMANDS
from mhlib.stats.effects.weights_support import (
    draws_check,
    effective_size,
    few_effective_refusal,
    heavy_check,
    hidden_check,
    known_check,
    largest_share,
)

NUMBERS = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value")


def weighted_effect(
    weights: WeightsResult,
    data: pd.DataFrame,
    *,
    outcome: str,
    seed: int | None = None,
    n_draws: int = 999,
    conf_level: float = 0.95,
) -> WeightedEffectResult | Refused:
    """Treated less untreated under weights, with errors by school.

    Parameters
    ----------
    weights : WeightsResult
        Of :func:`overlap_weights`, :func:`inverse_probability_weights` or :func:`entropy_balancing` on the same table.
    data : DataFrame
        The table the weights were made from, rows in the same order. Rows without the outcome keep their part in the
        weights, not in the comparison, and are counted in `n_no_outcome`.
    outcome : str
    seed : int, optional
        For the bootstrap of schools, in which the weights are found anew; without one none is drawn, and a check says so.
    n_draws : int
        At least 199.
    conf_level : float

    Returns
    -------
    WeightedEffectResult or Refused
        Refused (`few_effective_pupils`, `one_cluster`, `one_cluster_in_arm`) where no effect or error can be had.

    Raises
    ------
    DataError
        Another table, a column it lacks, nothing with an outcome.
    DesignError
        An outcome that does not vary.
    ParamsError
        Too few draws.

    Notes
    -----
    sum w y / sum w of the treated less that of the untreated. CR2: weighted least squares on treatment by school, weights
    taken as known. Bootstrap: schools are drawn with replacement (within groups where whole schools were treated); its
    standard deviation, times the root of g / (g - 1), with Student's t on CR2's degrees of freedom. Doubly robust:
    sum h (m1 - m0) / sum h plus the weighted residuals, m by least squares in each group, h the population of the estimand.
    References: Li, Morgan & Zaslavsky (2018) JASA 113:390; Robins, Rotnitzky & Zhao (1994) JASA 89:846.
    Checked against: tests/oracle/weights_values.csv (R glm, survey, clubSandwich).
    """
    where = "weighted_effect"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if seed is not None:
        demand_draws(n_draws, seed, where=where, name="n_draws")
    rows = weights.model
    if len(data) != len(rows.used):
        raise DataError(f"{where}(data)", f"has {len(data)} rows, the weights were made from {len(rows.used)}",
                        allowed="the same table")  # fmt: skip
    if outcome not in data.columns:
        raise DataError(where, f"the table has no column {outcome}", allowed="columns of the table")
    y = inputs.numeric(data[outcome], where=where, name=outcome)[rows.used]
    weight, seen = weights.weights[rows.used], ~np.isnan(y)
    if not seen.any() or np.ptp(y[seen]) == 0:
        raise DesignError(
            f"{where}({outcome})", "is missing or the same in every row", allowed="an outcome that varies"
        )
    groups = [(rows.treated == arm) & seen for arm in (1, 0)]
    effective = tuple(effective_size(weight[group]) for group in groups)
    share = max((largest_share(weight[group]) for group in groups if group.any()), default=math.nan)
    if refused := few_effective_refusal(effective):
        return refused
    fits = [
        known_weights(rows.treated[seen], y[seen], rows.groups[seen], one, conf_level) for one in (weight[seen], None)
    ]
    if refused := next((fit for fit in fits if isinstance(fit, Refused)), None):
        return refused
    point = both_estimates(rows, y, weights.scheme, np.ones((len(y), 1)), weights.coefficients, augment=True)[0]
    draws = np.empty((0, 2))
    if seed is not None:
        drawn = bootstrap_draws(rows, y, weights.scheme, start=weights.coefficients, n_draws=n_draws, seed=seed)
        draws = drawn[~np.isnan(drawn).any(axis=1)]
    table = tuple(effect_rows(fits, point, draws, rows, conf_level))
    asked = draws_check(n_draws - len(draws), n_draws) if seed is not None else known_check()
    fit = fits[0]
    return WeightedEffectResult(
        **{name: table[0][name] for name in NUMBERS},
        rows=table,
        means=tuple(float(weight[group] @ y[group] / weight[group].sum()) for group in groups),
        effective=effective,
        largest_share=share,
        draws=draws,
        n_failed=n_draws - len(draws) if seed is not None else 0,
        seed=seed,
        estimand=weights.estimand,
        n_no_outcome=int((~seen).sum()),
        n_clusters=fit.n_clusters,
        refusals={"weighted": fit.refusals["treated"]} if "treated" in fit.refusals else {},
        checks=(*weights.checks, heavy_check(share, effective), *fit.checks, asked, hidden_check()),
        n_used=int(seen.sum()),
        n_excluded=len(data) - int(seen.sum()),
        method=f"{weights.method}, about {ESTIMANDS[weights.estimand]}, "
        + (f"bootstrap of {fit.n_clusters} clusters" if seed is not None else f"CR2 by {fit.n_clusters} clusters"),
        conf_level=conf_level,
    )


def known_weights(
    treated: np.ndarray, y: np.ndarray, groups: np.ndarray, weight: np.ndarray | None, conf_level: float
) -> ClusterRobustResult | Refused:
    """Weighted least squares on treatment with CR2 errors, the weights taken as known."""
    table = pd.DataFrame({"y": y, "treated": treated, "school": groups})
    table = table if weight is None else table.assign(weight=weight)[weight > 0]
    return cluster_robust("y ~ treated", table, cluster="school", arm="treated", conf_level=conf_level,
                          weights=None if weight is None else "weight")  # fmt: skip


def effect_rows(
    fits: list[ClusterRobustResult], point: np.ndarray, draws: np.ndarray, rows: object, conf_level: float
) -> Iterator[dict[str, object]]:
    """The weighted effect by bootstrap where there are draws, with weights known, doubly robust, and unweighted."""
    at = fits[0].position("treated")
    df = float(fits[0].df[at])
    errors = bootstrap_errors(rows, draws) if len(draws) > 1 else np.full(2, np.nan)
    if "carried_by_one_cluster" in {one.code for one in fits[0].refusals.values()}:
        errors[:] = np.nan
    low, high, p = inference(point, errors, np.full(2, df if df >= FEWEST_DF else np.nan), conf_level)
    drawn = [
        {"term": term, **dict(zip(NUMBERS, (float(b), float(e), df, float(a), float(z), float(q)), strict=True))}
        for term, b, e, a, z, q in zip(("weighted", "doubly robust"), point, errors, low, high, p, strict=True)
    ]
    if len(draws) > 1:
        yield drawn[0]
    yield {"term": "weighted, weights known", **of_fit(fits[0], at)}
    yield drawn[1]
    yield {"term": "unweighted", **of_fit(fits[1], at)}


def of_fit(fit: ClusterRobustResult, at: int) -> dict[str, float]:
    """One coefficient of a regression under the record's names."""
    many = ("estimates", "std_errors", "df", "conf_low", "conf_high", "p_values")
    return {one: float(getattr(fit, name)[at]) for one, name in zip(NUMBERS, many, strict=True)}
