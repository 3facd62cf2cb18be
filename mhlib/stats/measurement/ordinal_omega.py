"""Omega of ordered items: of the score in points (Green and Yang 2009) and of the answers behind the items."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import ndtr

from mhlib.errors import DesignError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.measurement.bivariate_normal import density, distribution
from mhlib.stats.measurement.cfa_wlsmv import fit_one_factor
from mhlib.stats.measurement.ordinal_alpha_value import on_log_rest
from mhlib.stats.measurement.ordinal_codes import OrdinalCodes, ordinal_codes
from mhlib.stats.measurement.ordinal_dwls import DwlsFit, fit_dwls, weighted
from mhlib.stats.measurement.ordinal_moments import OrdinalMoments, moments_by_group, moments_from_tables
from mhlib.stats.measurement.ordinal_record import CfaOrdinalResult
from mhlib.stats.measurement.polychoric_tables import item_tables
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrdinalOmegaResult:
    """Omega of one factor fitted to polychoric correlations by weighted least squares.

    Attributes
    ----------
    values : pandas.DataFrame
        Index `omega_categorical` (share of true variance in the score in points: the one to report for a sum score),
        `omega_ordinal` (of the sum of the normal answers behind the items, which nobody adds up: the higher number),
        and both with `_implied` behind, where the total variance is the model's instead of the observed one; columns
        `estimate, std_error, conf_low, conf_high`.
    loadings : pandas.Series
        Standardised, by item.
    model : CfaOrdinalResult
        The one-factor model they rest on; judge its scaled fit first.
    improper : bool
        A loading or an omega beyond 1: the model is no possible one for these answers, and no omega is given.
    """

    values: pd.DataFrame = field(repr=False)
    loadings: pd.Series = field(repr=False)
    model: CfaOrdinalResult = field(repr=False)
    improper: bool
    n_items: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    @property
    def omega_categorical(self) -> float:
        """Of the score in points, against its observed variance."""
        return float(self.values.at["omega_categorical", "estimate"])

    @property
    def omega_ordinal(self) -> float:
        """Of the answers behind the items, against their observed variance."""
        return float(self.values.at["omega_ordinal", "estimate"])

    def to_frame(self) -> pd.DataFrame:
        """Terms as the index of `values`."""
        rows = self.values.rename_axis("term").reset_index().to_dict("records")
        return term_frame(rows).assign(n_items=self.n_items, n_used=self.n_used)


@dataclass(frozen=True, slots=True)
class Ratio:
    """An omega and its slopes by the true part's loadings, the thresholds, and the correlations of the total."""

    value: float
    by_loading: np.ndarray
    by_step: np.ndarray
    by_total: np.ndarray


def categorical_omega(
    items: object,
    *,
    missing: str = "listwise",
    least_count: int = 1,
    n_boot: int = 0,
    seed: int = 1,
    conf_level: float = 0.95,
) -> OrdinalOmegaResult | Refused:
    """Omega of a sum score of ordered items under one factor.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 3
        Reversed items already turned; at most 20 categories. The score adds the answers as they are coded.
    missing : {'listwise', 'pairwise'}
    least_count : int
        Categories rarer than this are merged with a neighbour, and the score with them.
    n_boot : int
        0: delta-method errors, which hold where one factor fits. Else people are drawn anew so many times: standard
        deviation and percentile interval, honest under misfit too.
    seed : int
        Of the resamples.
    conf_level : float

    Returns
    -------
    OrdinalOmegaResult or Refused
        Codes `cfa_not_identified`, `cfa_not_converged`. Delta-method errors from the whole Gamma; intervals on log(1 - omega).

    Raises
    ------
    DataError
        As in :func:`polychoric`.
    DesignError
        Fewer than three items or people.

    Notes
    -----
    True and total variance of the score add Phi2(tau_c, tau_d; r) - Phi(tau_c) Phi(tau_d) over all pairs of thresholds
    (Green and Yang 2009 Psychometrika 74:155, eq. 21): r = lambda_i lambda_j in the true part, and in the total the
    polychoric correlation (as semTools::compRelSEM) or the model's (`_implied`).
    Checked against: tests/oracle/ordinal_reliability.csv (semTools::reliability).
    """
    where = "categorical_omega"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    coded = ordinal_codes(items, where=where, missing=missing, least_count=least_count)
    if len(coded.names) < 3:
        raise DesignError(where, "fewer than three items", allowed="k >= 3", remedy="use ordinal_alpha for two items")
    moments = moments_by_group(coded, where=where)
    fitted = fit_one_factor(moments, coded, conf_level=conf_level, where=where)
    if isinstance(fitted, Refused):
        return fitted
    found = omega_record(coded, moments[0], fitted, missing, conf_level)
    return resampled(found, coded, n_boot, seed, where=where) if n_boot else found


def resampled(
    found: OrdinalOmegaResult, coded: OrdinalCodes, n_boot: int, seed: int, *, where: str
) -> OrdinalOmegaResult:
    """The record with bootstrap errors; resamples without a category or a solution are left out and said."""
    rng, n, drawn = np.random.default_rng(seed), coded.codes.shape[1], []
    model, data = found.model.solution.model, found.model.solution.theta
    for _ in range(n_boot):
        codes = np.take(coded.codes, rng.integers(0, n, n), axis=1)
        tables = item_tables(codes, coded.n_categories)
        if (tables.counts == 0)[np.arange(tables.counts.shape[1]) < tables.n_categories[:, None]].any():
            continue
        moments = moments_from_tables(tables)
        solution = fit_dwls(model, weighted((moments,)), data)
        if not isinstance(solution, Refused):
            drawn.append([ratio.value for ratio in ratios(coded, moments, solution).values() if ratio is not None])
    drawn = np.array([row for row in drawn if len(row) == len(found.values)])
    if len(drawn) < max(50, n_boot / 2):
        raise DesignError(where, f"{len(drawn)} of {n_boot} resamples could be fitted", remedy="set n_boot to 0")
    tail = 50 * (1 - found.conf_level)
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    values = found.values.assign(std_error=drawn.std(axis=0, ddof=1), conf_low=low, conf_high=high)
    said = f"percentile interval of {len(drawn)} resamples"
    return replace(found, values=values, method=found.method.replace("delta-method interval", said))


def ratios(coded: OrdinalCodes, moments: OrdinalMoments, solution: DwlsFit) -> dict[str, Ratio | None]:
    """Each omega with its slopes; None where a loading is beyond 1."""
    cut = moments.n_thresholds
    loading, steps = solution.found.at.loading[0, :, 0], moments.values[:cut]
    gaps = np.concatenate([np.diff(level) for level in coded.levels])
    possible, found = bool((np.abs(loading) < 1).all()), {}
    for kind, total in (("", moments.values[cut:]), ("_implied", solution.found.moments[0, cut:])):
        points = of_points(loading, steps, solution.model.item, gaps, total) if possible else None
        answers = of_answers(loading, cut, total) if possible else None
        found |= {f"omega_categorical{kind}": points, f"omega_ordinal{kind}": answers}
    return found


def omega_record(
    coded: OrdinalCodes, moments: OrdinalMoments, fitted: CfaOrdinalResult, missing: str, conf_level: float
) -> OrdinalOmegaResult:
    """Both omegas of a fitted one-factor model, against observed and implied variance."""
    solution = fitted.solution
    loading = solution.found.at.loading[0, :, 0]
    rows = {
        name: with_error(ratio, solution, moments, name.endswith("_implied"), conf_level)
        for name, ratio in ratios(coded, moments, solution).items()
    }
    values = pd.DataFrame(rows, index=["estimate", "std_error", "conf_low", "conf_high"]).T
    return OrdinalOmegaResult(
        values=values,
        loadings=pd.Series(loading, index=list(coded.names), name="loading"),
        model=fitted,
        improper=bool((np.abs(loading) >= 1).any() or values["estimate"].isna().any()),
        n_items=moments.k,
        n_used=moments.n,
        n_excluded=coded.n_excluded,
        method=f"categorical omega (Green and Yang 2009), weighted least squares, delta-method interval, {missing}",
        conf_level=conf_level,
    )


def with_error(
    ratio: Ratio | None, solution: DwlsFit, moments: OrdinalMoments, implied: bool, conf_level: float
) -> tuple[float, float, float, float]:
    """Estimate, standard error and interval; loadings move with every correlation through the weighted fit."""
    if ratio is None or ratio.value >= 1:
        return (math.nan,) * 4
    loading, k = solution.found.at.loading[0, :, 0], moments.k
    first, second = np.triu_indices(k, 1)
    by_loading, direct = ratio.by_loading.copy(), ratio.by_total
    if implied:
        np.add.at(by_loading, first, ratio.by_total * loading[second])
        np.add.at(by_loading, second, ratio.by_total * loading[first])
        direct = np.zeros_like(direct)
    slot = solution.model.built.slots["loading"]
    place = slot.index[0][np.argsort(slot.row)]
    # d theta / d moments = bread J'W; blocks hold W^1/2 J and moments are weighed by the other half.
    slope = by_loading @ solution.bread[place] @ solution.blocks[0].T / np.sqrt(moments.weights)
    slope += np.concatenate([ratio.by_step, direct])
    error = math.sqrt(float(slope @ moments.gamma @ slope) / moments.n)
    return (ratio.value, error, *on_log_rest(ratio.value, error, conf_level))


def of_answers(loading: np.ndarray, n_steps: int, total: np.ndarray) -> Ratio:
    """(sum lambda)^2 / sum of the correlations."""
    top, bottom = float(loading.sum()) ** 2, len(loading) + 2 * float(total.sum())
    by_loading = np.full(len(loading), 2 * float(loading.sum()) / bottom)
    return Ratio(top / bottom, by_loading, np.zeros(n_steps), np.full(len(total), -2 * top / bottom**2))


def of_points(loading: np.ndarray, steps: np.ndarray, item: np.ndarray, gaps: np.ndarray, total: np.ndarray) -> Ratio:
    """Green and Yang's ratio; `gaps` are the points gained at each threshold, `total` the pairs' correlations."""
    k = len(loading)
    pair = np.zeros((k, k))
    pair[np.triu_indices(k, 1)] = total
    own, same = np.eye(k)[item], item[:, None] == item[None, :]
    top, step_top, pair_top = score_variance(steps, gaps, np.outer(loading, loading)[np.ix_(item, item)], own)
    rest, step_rest, pair_rest = score_variance(
        steps, gaps, np.where(same, 0.0, (pair + pair.T)[np.ix_(item, item)]), own
    )
    # An item meets itself with correlation 1; above it stood in with 0, which adds nothing.
    h, across, height = steps[:, None], steps[None, :], np.exp(-0.5 * steps**2) / math.sqrt(2 * math.pi)
    weight = np.where(same, np.outer(gaps, gaps), 0.0)
    bottom = rest + float(np.sum(weight * (ndtr(np.minimum(h, across)) - np.outer(ndtr(steps), ndtr(steps)))))
    below = np.where(h < across, 1.0, np.where(h == across, 0.5, 0.0))
    step_bottom = step_rest + np.sum(2 * weight * height[:, None] * (below - ndtr(across)), axis=1)
    ratio = top / bottom
    return Ratio(
        ratio,
        2 * pair_top @ loading / bottom,
        (step_top - ratio * step_bottom) / bottom,
        -2 * ratio / bottom * pair_rest[np.triu_indices(k, 1)],
    )


def score_variance(
    steps: np.ndarray, gaps: np.ndarray, rho: np.ndarray, own: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Variance of a score whose thresholds correlate by `rho`, its slopes by threshold, and by pair of items."""
    weight, h, k = np.outer(gaps, gaps), steps[:, None], steps[None, :]
    value = float(np.sum(weight * (distribution(h, k, rho) - np.outer(ndtr(steps), ndtr(steps)))))
    height = np.exp(-0.5 * steps**2) / math.sqrt(2 * math.pi)
    by_step = 2 * weight * height[:, None] * (ndtr((k - rho * h) / np.sqrt(1 - rho**2)) - ndtr(k))
    return value, by_step.sum(axis=1), own.T @ (weight * density(h, k, rho)) @ own
