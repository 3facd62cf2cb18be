"""Records of difference-in-differences, and how inferred effects become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Check, Refused
from mhlib.stats.effects.did_inference import Inferred, Joint
from mhlib.stats.effects.robust_record import ClusterRobustResult, inference
from mhlib.stats.effects.robust_refusals import FEWEST_DF, carried_refusal, few_df_refusal
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DidResult:
    """Change of the treated less change of the comparison.

    Attributes
    ----------
    estimate, std_error, df, p_value, conf_low, conf_high : float
        NaN where refused.
    means : ndarray, shape (2, 2)
        Outcome, unadjusted and weighted to the estimand: [comparison, treated] by [before, after].
    rows : ndarray of int, shape (2, 2)
    baseline_gap : float
        Treated less comparison, before.
    estimand : {'pupil', 'school'}
    design : {'panel', 'repeated cross-section'}
    refusals : mapping of str to Refused
    checks : tuple of Check
    fit : ClusterRobustResult
    """

    estimate: float
    std_error: float
    df: float
    p_value: float
    conf_low: float
    conf_high: float
    means: np.ndarray
    rows: np.ndarray
    baseline_gap: float
    estimand: str
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
        """One row, `effect`, with the changes of both groups beside it."""
        change = self.means[:, 1] - self.means[:, 0]
        row = {name: getattr(self, name) for name in
               ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "n_clusters", "n_used")}  # fmt: skip
        return term_frame([{"term": "effect", **row, "change_comparison": change[0], "change_treated": change[1]}])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoWayResult:
    """Two-way fixed effects of the same panel, and which comparisons it is made of (Goodman-Bacon 2021).

    Attributes
    ----------
    estimate, std_error, df, p_value, conf_low, conf_high : float
        CR2 by school; NaN where refused.
    shares, averages : mapping of str to float
        Weight and mean effect of `treated_never`, `earlier_later` and `later_earlier`; the last are the forbidden ones.
    forbidden : float
        Weight of `later_earlier`, 0-1.
    """

    estimate: float
    std_error: float
    df: float
    p_value: float
    conf_low: float
    conf_high: float
    shares: Mapping[str, float]
    averages: Mapping[str, float]
    forbidden: float

    def to_frame(self) -> pd.DataFrame:
        """The estimate, then a row for each kind of comparison with its weight."""
        row = {
            name: getattr(self, name) for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df")
        }
        parts = [
            {"term": kind, "estimate": self.averages[kind], "weight": share} for kind, share in self.shares.items()
        ]
        return term_frame([{"term": "two_way", **row, "weight": 1.0}, *parts])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaggeredResult:
    """Effects of a staggered roll-out; arrays of one entry an effect.

    Attributes
    ----------
    terms : tuple of str
        `g=start,t=term`, `e=event time` (0 is the first term under the programme, leads against the term before it),
        `g=start`, `t=term`, and `overall` (every school and term alike), `overall_dynamic`, `overall_group`,
        `overall_calendar` (means of those averages).
    aggregation : tuple of {'group_time', 'dynamic', 'group', 'calendar', 'overall'}
    estimates, std_errors, df, p_values, conf_low, conf_high : ndarray, shape (m,)
        NaN where refused: p-value and interval below 4 degrees of freedom, the standard error too where a single school
        makes up a cohort.
    refusals : mapping of str to Refused
        By term.
    checks : tuple of Check
    pre_test : Joint
        That all group-time effects before the start are nought; NaN where schools are too few.
    two_way : TwoWayResult or None
    cohorts : mapping of str to int
        Schools by start; `never` last.
    n_schools, n_incomplete, n_always, n_later : int
        Used; left out for a lacking term; left out as treated from the first term; used as never treated though they begin
        after the last term.
    inferred : Inferred
    """

    terms: tuple[str, ...]
    aggregation: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    df: np.ndarray
    p_values: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    pre_test: Joint
    two_way: TwoWayResult | None
    cohorts: Mapping[str, int]
    estimator: str
    control: str
    n_schools: int
    n_incomplete: int
    n_always: int
    n_later: int
    inferred: Inferred = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def position(self, term: str) -> int:
        """Place of a term.

        Raises
        ------
        ParamsError
            A term the result does not have.
        """
        if term not in self.terms:
            raise ParamsError("did_staggered(term)", f"there is no effect '{term}'", allowed="see to_frame()")
        return self.terms.index(term)

    def to_frame(self, aggregation: str | None = None) -> pd.DataFrame:
        """One row an effect with `df` and `aggregation`; all, or those of one aggregation."""
        rows = [
            {
                "term": term,
                "estimate": self.estimates[i],
                "std_error": self.std_errors[i],
                "conf_low": self.conf_low[i],
                "conf_high": self.conf_high[i],
                "p_value": self.p_values[i],
                "df": self.df[i],
                "aggregation": self.aggregation[i],
            }
            for i, term in enumerate(self.terms)
            if aggregation in (None, self.aggregation[i])
        ]
        return term_frame(rows)


def judged(terms: tuple[str, ...], found: Inferred, conf_level: float) -> dict[str, object]:
    """Estimates, errors, intervals and p-values, with what is refused at few schools."""
    df = found.df
    alone = np.isnan(found.std_errors)
    few = ~alone & ~(df >= FEWEST_DF)
    refusals = {terms[i]: carried_refusal(terms[i]) for i in np.flatnonzero(alone)}
    refusals |= {terms[i]: few_df_refusal(terms[i], df[i]) for i in np.flatnonzero(few)}
    low, high, p = inference(found.estimates, found.std_errors, np.where(few, np.nan, df), conf_level)
    return {"estimates": found.estimates, "std_errors": found.std_errors, "df": df, "p_values": p, "conf_low": low,
            "conf_high": high, "refusals": refusals}  # fmt: skip
