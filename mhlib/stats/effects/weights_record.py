"""Records of a propensity model, of weights, and of a weighted comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats.effects.balance_table import BalanceResult
from mhlib.stats.effects.weights_rows import TreatmentRows
from mhlib.stats.effects.weights_schemes import Scheme
from mhlib.stats.terms import array_frame, term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PropensityResult:
    """A logit of treatment; p arrays of one entry a term, errors by maximum likelihood.

    Attributes
    ----------
    propensity : ndarray, shape (N,)
        Chance of treatment, 0-1, a row of the table; NaN where left out.
    outside : float
        Share of pupils whose chance nobody of the other group has.
    checks : tuple of Check
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    p_values: np.ndarray
    covariance: np.ndarray = field(repr=False)
    propensity: np.ndarray = field(repr=False)
    outside: float
    checks: tuple[Check, ...]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a term, log odds."""
        return array_frame(self, self.terms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedEffectResult:
    """Treated less untreated after weighting.

    Attributes
    ----------
    estimate, std_error, df, conf_low, conf_high, p_value : float
        Of the first row of `rows`: the bootstrap of schools where it was drawn, else CR2. NaN where refused.
    rows : tuple of mapping
        Terms `weighted` (bootstrap), `weighted, weights known` (CR2), `doubly robust` (bootstrap; its error NaN without
        draws), `unweighted` (CR2).
    means : tuple of float
        Weighted outcome of the treated and the untreated.
    effective : tuple of float
        Pupils that the weighted groups are worth, treated and untreated.
    largest_share : float
        Of a group's weight carried by one pupil.
    draws : ndarray, shape (n_draws - n_failed, 2)
        Weighted and doubly robust estimate of each draw.
    n_no_outcome : int
        Rows with a weight that have no outcome; they are among the excluded.
    refusals : mapping of str to Refused
    checks : tuple of Check
    """

    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    p_value: float
    rows: tuple[Mapping[str, object], ...]
    means: tuple[float, float]
    effective: tuple[float, float]
    largest_share: float
    draws: np.ndarray = field(repr=False)
    n_failed: int
    seed: int | None
    estimand: str
    n_no_outcome: int
    n_clusters: int
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The rows, the one to be read first."""
        return term_frame(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightsResult:
    """Weights under which two groups are compared, and how alike these then are.

    Attributes
    ----------
    weights : ndarray, shape (N,)
        A row of the table, summing to 1 in each group; NaN where left out.
    propensity : ndarray, shape (N,) or None
        None for entropy balancing.
    estimand : {'ato', 'ate', 'att'}
        About whom: pupils who might as well have been in the other group, all, or the treated.
    before, after : BalanceResult
        Columns of the model, unweighted and weighted.
    effective : tuple of float
        Pupils that the weighted groups are worth, treated and untreated.
    largest_share : float
        Of a group's weight carried by one pupil.
    outside : float
        Share of pupils whose chance nobody of the other group has; NaN for entropy balancing.
    trimmed : float
        Share of pupils left out for extreme chances.
    effect : WeightedEffectResult, Refused or None
        Where an outcome was named.
    checks : tuple of Check
    conf_level : float
    """

    weights: np.ndarray = field(repr=False)
    propensity: np.ndarray | None = field(repr=False)
    estimand: str
    before: BalanceResult = field(repr=False)
    after: BalanceResult = field(repr=False)
    effective: tuple[float, float]
    largest_share: float
    outside: float
    trimmed: float
    n_treated: int
    n_untreated: int
    effect: WeightedEffectResult | Refused | None
    checks: tuple[Check, ...]
    scheme: Scheme = field(repr=False)
    model: TreatmentRows = field(repr=False)
    coefficients: np.ndarray = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a covariate: `estimate` is the standardised difference after weighting, `before` the one before."""
        rows = self.after.to_frame()
        return rows.assign(before=self.before.rows["difference"].to_numpy())
