"""How far a corrected accuracy would move if verification had depended on the case status itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import score_levels
from mhlib.stats.accuracy.placements import areas
from mhlib.stats.accuracy.verification_counts import VerificationCounts, tested_rows
from mhlib.stats.accuracy.verification_models import MODELS, Rates, disease_rates
from mhlib.stats.accuracy.verification_patterns import (
    CASE,
    NONCASE,
    UNVERIFIED,
    Patterns,
    patterns_of_rows,
    patterns_of_tables,
)
from mhlib.stats.accuracy.verification_roc import bands_of
from mhlib.stats.accuracy.verification_shares import linear_forms, predicted_shares
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame

ODDS_RATIOS = (0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0)
# Nobody argues for a dependence beyond this; a tipping point further off is given as none.
LARGEST_ODDS_RATIO = 1000.0
SHOWN = ("sensitivity", "specificity", "prevalence")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationSensitivity:
    """Corrected accuracy over a grid of dependences; odds ratio 1 and 1 is Begg & Greenes.

    Attributes
    ----------
    table : pandas.DataFrame
        `odds_ratio_positive, odds_ratio_negative`, then value, `_std_error`, `_low`, `_high` of sensitivity,
        specificity and prevalence, and `auc` (NaN without a score).
    tipping : pandas.DataFrame
        `measure, threshold, side` (positive, negative), `odds_ratio` at which the estimate falls to the threshold,
        `odds_ratio_bound` at which the lower bound does; NaN when no odds ratio from 1/1000 to 1000 does it.
    """

    table: pd.DataFrame
    tipping: pd.DataFrame
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure and grid point, with the two odds ratios as extra columns."""
        rows = [
            {
                "term": name,
                "estimate": row[name],
                **{bound: row[f"{name}_{part}"] for bound, part in PARTS.items()},
                "odds_ratio_positive": row["odds_ratio_positive"],
                "odds_ratio_negative": row["odds_ratio_negative"],
            }
            for row in self.table.to_dict("records")
            for name in SHOWN
        ]
        return term_frame(rows).assign(n_used=self.n_used)


PARTS = {"std_error": "std_error", "conf_low": "low", "conf_high": "high"}


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """Accuracy as a function of the two log odds ratios."""

    patterns: Patterns
    rates: Rates
    conf_level: float
    curve: tuple[np.ndarray, np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    def at(self, positive: float, negative: float) -> dict[str, float]:
        """Measures, errors and bounds at log odds ratios among test positives and negatives."""
        shift = np.where(self.patterns.test == 1, positive, negative)
        hidden, slope = unverified_rate(self.rates.rate, shift)
        forms = {name: form for name, form in linear_forms(self.patterns.test).items() if name in SHOWN}
        expected = np.zeros_like(self.patterns.people)
        expected[:, CASE], expected[:, UNVERIFIED] = 1, hidden
        values, errors = predicted_shares(self.patterns, expected, self.patterns.n_unseen * slope, self.rates, forms)
        found = {}
        for name in SHOWN:
            low, high = on_logit(values[name], errors[name], self.conf_level, self.patterns.df)
            found |= {name: values[name], f"{name}_std_error": errors[name], f"{name}_low": low, f"{name}_high": high}
        return found | {"auc": math.nan if self.curve is None else dependent_area(*self.curve, positive, negative)}

    def tips(self, key: str, threshold: float, side: str) -> float:
        """Odds ratio on one side of the test at which a measure or bound equals the threshold, else NaN."""

        def gap(shift: float) -> float:
            found = self.at(shift, 0.0) if side == "positive" else self.at(0.0, shift)
            return found[key] - threshold

        # The measures move one way in each log odds ratio, but a bound need not: search outwards from 1.
        steps = np.linspace(0, math.log(LARGEST_ODDS_RATIO), 29)[1:]
        start = gap(0.0)
        if not start > 0:
            return 1.0 if start <= 0 else math.nan
        for sign in (-1, 1):
            near = 0.0
            for step in sign * steps:
                if gap(step) <= 0:
                    return math.exp(brentq(gap, near, step, xtol=1e-10))
                near = step
        return math.nan


def unverified_rate(rate: np.ndarray, shift: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Case rate of the unverified, whose odds are those of the verified divided by exp(shift), and its derivative."""
    factor = np.exp(-np.asarray(shift, dtype=float))
    whole = 1 - rate + rate * factor
    return rate * factor / whole, factor / whole**2


def verification_sensitivity(
    test: object,
    reference: object,
    *,
    verified: object = None,
    cutoff: float | None = None,
    covariates: object = None,
    model: str = "cells",
    cluster: object = None,
    bands: Sequence[float] | None = None,
    odds_ratio_positive: Sequence[float] = ODDS_RATIOS,
    odds_ratio_negative: Sequence[float] = ODDS_RATIOS,
    thresholds: Mapping[str, float] | None = None,
    conf_level: float = 0.95,
) -> VerificationSensitivity:
    """Sensitivity, specificity, prevalence and AUC if cases were verified more (or less) readily than non-cases.

    Parameters
    ----------
    test, reference, verified, cutoff, covariates, cluster : array-like
        As in :func:`verification_corrected`. With scores and `cutoff` the table also gives the AUC.
    model : {'cells', 'logistic'}
        Of the case status given test and covariates.
    bands : sequence of float, optional
        Score bands of the AUC, as in :func:`verification_corrected_roc`.
    odds_ratio_positive, odds_ratio_negative : sequence of float
        Odds of being verified, case against non-case with the same test result and covariates; among test positives
        and among test negatives. 1 is missing at random; below 1 among negatives means that missed cases hide.
    thresholds : mapping of 'sensitivity' or 'specificity' to a share, optional
        For each: how large the dependence must be to bring the measure down to it.
    conf_level : float

    Returns
    -------
    VerificationSensitivity

    Raises
    ------
    DataError, DesignError
        As in :func:`verification_corrected`.
    ParamsError
        An odds ratio that is not positive, an unknown measure, a threshold outside 0–1.

    Notes
    -----
    By Bayes' rule the odds of being a case are, among the unverified, those among the verified of the same pattern
    divided by the odds ratio. Nothing in the data speaks for one odds ratio over another. A cell whose verified hold no
    case stays without cases at every odds ratio. Intervals: sandwich, as in :func:`verification_corrected`. The AUC
    has no interval here.
    References: Kosinski & Barnhart (2003) Stat Med 22:2711; Rotnitzky, Faraggi & Schisterman (2006) JASA 101:1276.
    Checked against: verification_corrected at odds ratio 1, and a planted dependence in
    tests/stats/test_recovery_verification.py.
    """
    where = "verification_sensitivity"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.one_of(model, MODELS, where=where, name="model")
    demand_odds(odds_ratio_positive, odds_ratio_negative, thresholds)
    binary, case, seen = tested_rows(test, reference, verified, cutoff, where=where)
    inputs.same_length(where, test=binary, covariates=covariates, cluster=cluster)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    patterns = patterns_of_rows(binary, case, seen, covariates, groups)
    curve = None if cutoff is None else score_table(test, case, seen, bands, cutoff)
    dependence = Dependence(patterns, disease_rates(patterns, model), conf_level, curve)
    return surface(dependence, odds_ratio_positive, odds_ratio_negative, thresholds or {})


def verification_sensitivity_from_counts(
    counts: VerificationCounts | Sequence[VerificationCounts],
    *,
    odds_ratio_positive: Sequence[float] = ODDS_RATIOS,
    odds_ratio_negative: Sequence[float] = ODDS_RATIOS,
    thresholds: Mapping[str, float] | None = None,
    conf_level: float = 0.95,
) -> VerificationSensitivity:
    """As :func:`verification_sensitivity`, from the six cells of one table or of one per stratum.

    Parameters
    ----------
    counts : VerificationCounts or sequence of these
    odds_ratio_positive, odds_ratio_negative, thresholds, conf_level
        As in :func:`verification_sensitivity`.

    Returns
    -------
    VerificationSensitivity

    Raises
    ------
    DesignError
        A cell in which nobody was verified.
    ParamsError
        As in :func:`verification_sensitivity`.
    """
    inputs.open_unit(conf_level, where="verification_sensitivity", name="conf_level")
    demand_odds(odds_ratio_positive, odds_ratio_negative, thresholds)
    patterns = patterns_of_tables([counts] if isinstance(counts, VerificationCounts) else list(counts))
    dependence = Dependence(patterns, disease_rates(patterns, "cells"), conf_level)
    return surface(dependence, odds_ratio_positive, odds_ratio_negative, thresholds or {})


def demand_odds(positive: Sequence[float], negative: Sequence[float], thresholds: Mapping[str, float] | None) -> None:
    """Stop on odds ratios or thresholds that mean nothing."""
    problems = []
    if not (len(positive) and len(negative) and all(np.isfinite(r) and r > 0 for r in (*positive, *negative))):
        problems.append("odds ratios are positive numbers, at least one for each side of the test")
    for name, share in (thresholds or {}).items():
        if name not in ("sensitivity", "specificity"):
            problems.append(f"'{name}' is no measure with a tipping point; allowed: sensitivity, specificity")
        elif not 0 < share < 1:
            problems.append(f"the threshold of {name} lies between 0 and 1")
    if problems:
        raise ParamsError.of_many("verification_sensitivity", problems)


def surface(
    dependence: Dependence, positive: Sequence[float], negative: Sequence[float], thresholds: Mapping[str, float]
) -> VerificationSensitivity:
    """Grid and tipping points."""
    rows = [
        {"odds_ratio_positive": p, "odds_ratio_negative": q, **dependence.at(math.log(p), math.log(q))}
        for p in positive
        for q in negative
    ]
    tipping = [
        {
            "measure": name,
            "threshold": share,
            "side": side,
            "odds_ratio": dependence.tips(name, share, side),
            "odds_ratio_bound": dependence.tips(f"{name}_low", share, side),
        }
        for name, share in thresholds.items()
        for side in ("negative", "positive")
    ]
    return VerificationSensitivity(
        table=pd.DataFrame(rows),
        tipping=pd.DataFrame(tipping, columns=["measure", "threshold", "side", "odds_ratio", "odds_ratio_bound"]),
        n_used=dependence.patterns.counts().n,
        n_excluded=0,
        method="Begg & Greenes (1983), odds of the unverified divided by an assumed odds ratio of verification",
        conf_level=dependence.conf_level,
    )


def score_table(
    score: object, case: np.ndarray, seen: np.ndarray, bands: Sequence[float] | None, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts by status and score level, the band of each level, and whether the level is positive.

    A band never straddles the cut-off, for the dependence differs on its two sides.
    """
    values, level = score_levels(inputs.numeric(score, where="verification_sensitivity", name="test"))
    status = np.where(seen, case, UNVERIFIED).astype(np.int64)
    table = np.bincount(status * len(values) + level, minlength=3 * len(values)).reshape(3, -1).astype(float)
    positive = values >= cutoff
    if bands is not None:
        return table, bands_of(values, table, [*bands, cutoff], 1), positive
    band = np.empty(len(values), dtype=int)
    below = bands_of(values[~positive], table[:, ~positive], None, 1) if (~positive).any() else np.array([], int)
    band[~positive] = below
    if positive.any():
        band[positive] = bands_of(values[positive], table[:, positive], None, 1) + below.max(initial=-1) + 1
    return table, band, positive


def dependent_area(
    table: np.ndarray, band: np.ndarray, is_positive: np.ndarray, positive: float, negative: float
) -> float:
    """AUC when verified cases and non-cases stand for those of their band; at 0 and 0 the weighted area."""
    member = np.eye(band.max() + 1)[band]
    totals = table @ member
    seen = totals[NONCASE] + totals[CASE]
    above = (is_positive @ member) > 0
    rate = np.divide(totals[CASE], seen, out=np.zeros_like(seen), where=seen > 0)
    hidden, _ = unverified_rate(rate, np.where(above, positive, negative))
    unseen = totals[UNVERIFIED]
    ups = []
    for found, extra in ((totals[CASE], unseen * hidden), (totals[NONCASE], unseen * (1 - hidden))):
        ups.append(np.divide(found + extra, found, out=np.zeros_like(found), where=found > 0)[band])
    return float(areas((table[CASE] * ups[0])[None], (table[NONCASE] * ups[1])[None])[0])
