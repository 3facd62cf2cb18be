"""Records of the effect on those who took part because of the offer, and of sessions attended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats.effects.complier_sets import FirstAndReduced
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.terms import array_frame, term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComplierResult:
    """Effect on those who took part because they were offered it (CACE, LATE).

    Attributes
    ----------
    estimate, std_error, df, conf_low, conf_high, p_value : float
        Two-stage least squares with CR2 errors; all but `df` NaN where refused for weak uptake.
    anderson_rubin : tuple of (low, high)
        Confidence set of the effect, right also where uptake is weak: one interval, two rays or the whole line. Empty below
        4 degrees of freedom.
    anderson_rubin_p : float
        That the effect is nought; equal to the p-value of the effect of the offer.
    offer : mapping
        Effect of the offer on the outcome (intention to treat): estimate, std_error, df, conf_low, conf_high, p_value.
    uptake : mapping
        The same of taking part: the share of compliers.
    uptake_offered, uptake_others : float
        Shares who took part, unadjusted.
    first_stage_f : float
        Cluster-robust.
    refusals : mapping of str to Refused
        By term: `complier effect`, `offer`, `uptake`.
    checks : tuple of Check
    stages : FirstAndReduced
    """

    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    p_value: float
    anderson_rubin: tuple[tuple[float, float], ...]
    anderson_rubin_p: float
    offer: Mapping[str, float]
    uptake: Mapping[str, float]
    uptake_offered: float
    uptake_others: float
    first_stage_f: float
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    stages: FirstAndReduced = field(repr=False)
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `complier effect`, `Anderson-Rubin` (a row a piece of the set), `offer`, `uptake`."""
        names = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value")
        rows = [{"term": "complier effect", **{name: getattr(self, name) for name in names}}]
        rows += [
            {
                "term": "Anderson-Rubin",
                "conf_low": low,
                "conf_high": high,
                "p_value": self.anderson_rubin_p,
                "df": self.df,
            }
            for low, high in self.anderson_rubin
        ]
        rows += [{"term": "offer", **self.offer}, {"term": "uptake", **self.uptake}]
        return term_frame(rows).assign(n_clusters=self.n_clusters, n_used=self.n_used)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseResponseResult:
    """Sessions attended against the outcome within schools: as treated, and so confounded.

    Attributes
    ----------
    terms : tuple of str
        `dose` (per session), and with knots `dose to k`, `dose k to l`, `dose from l` (slope of each piece).
    estimates, std_errors, df, conf_low, conf_high, p_values : ndarray
        NaN where refused.
    levels : DataFrame
        `dose, n, difference` (from the lowest number of sessions, adjusted), `std_error, conf_low, conf_high`, and `monotone`,
        the nearest curve that never turns. Empty where there are more numbers of sessions than 15.
    departure : float
        Largest distance of a level from the monotone curve; NaN without levels.
    design : 'as treated, confounded'
    refusals : mapping of str to Refused
    checks : tuple of Check
    fit : ClusterRobustResult
        The straight line.
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    p_values: np.ndarray
    levels: pd.DataFrame
    departure: float
    design: str
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    fit: ClusterRobustResult = field(repr=False)
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a slope, with `df` and `design`."""
        return array_frame(self, self.terms).assign(design=self.design, n_clusters=self.n_clusters, n_used=self.n_used)
