"""Accuracy against the truth when the interview itself errs: corrected for assumed errors, and bounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.verification_counts import VerificationCounts, tested_rows
from mhlib.stats.accuracy.verification_models import MODELS, Rates, disease_rates
from mhlib.stats.accuracy.verification_patterns import Patterns, patterns_of_rows, patterns_of_tables
from mhlib.stats.accuracy.verification_shares import Forms, begg_greenes_shares, predicted_shares
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame

REFERENCE_SENSITIVITY = (0.80, 0.85, 0.90, 0.95, 1.00)
REFERENCE_SPECIFICITY = (0.95, 0.97, 0.98, 0.99, 1.00)
SHOWN = ("sensitivity", "specificity", "ppv", "npv", "prevalence")
BOUNDED = ("sensitivity", "specificity")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceError:
    """Accuracy against the truth over a grid of assumed interview errors; 1 and 1 is accuracy against the interview.

    Attributes
    ----------
    table : pandas.DataFrame
        `reference_sensitivity, reference_specificity, measure, estimate, std_error, conf_low, conf_high, bound_low,
        bound_high, admissible`. Estimates hold when the errors of screen and interview are independent given the truth;
        bounds (sensitivity and specificity only) hold under any dependence and carry no sampling error.
    """

    table: pd.DataFrame
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure and pair of assumed interview errors."""
        return term_frame(self.table.rename(columns={"measure": "term"}).to_dict("records")).assign(n_used=self.n_used)

    def tornado(self, measure: str) -> pd.DataFrame:
        """Range of one measure as each interview error alone moves over its grid, the other at its best value, widest first.

        Columns `error, low, high, at_best`.
        """
        inputs.one_of(measure, SHOWN, where="tornado", name="measure")
        rows = self.table[self.table["measure"] == measure]
        sides = ("reference_sensitivity", "reference_specificity")
        best = {side: rows[side].max() for side in sides}
        bars = []
        for side, other in (sides, sides[::-1]):
            line = rows[rows[other] == best[other]]
            top = line.loc[line[side] == best[side], "estimate"].iloc[0]
            bars.append({"error": side, "low": line["estimate"].min(), "high": line["estimate"].max(), "at_best": top})
        return pd.DataFrame(sorted(bars, key=lambda bar: bar["low"] - bar["high"]))


def reference_error(
    test: object,
    reference: object,
    *,
    reference_sensitivity: Sequence[float] = REFERENCE_SENSITIVITY,
    reference_specificity: Sequence[float] = REFERENCE_SPECIFICITY,
    verified: object = None,
    cutoff: float | None = None,
    covariates: object = None,
    model: str = "cells",
    cluster: object = None,
    conf_level: float = 0.95,
) -> ReferenceError:
    """Accuracy of a screen against the truth, for assumed sensitivities and specificities of the interview.

    Parameters
    ----------
    test, reference, verified, cutoff, covariates, model, cluster : array-like
        As in :func:`verification_corrected`; partial verification is corrected first (Begg & Greenes).
    reference_sensitivity, reference_specificity : sequence of float
        Of the interview against the truth, 0–1.
    conf_level : float

    Returns
    -------
    ReferenceError

    Raises
    ------
    DataError, DesignError
        As in :func:`verification_corrected`; an assumed interview that is no better than chance.
    ParamsError
        A share outside 0–1.

    Notes
    -----
    With e the interview's verdict, r its sensitivity and s its specificity, T the screen:
    Se = sum T (e + s - 1) / sum (e + s - 1), Sp = sum (1 - T)(r - e) / sum (r - e). A value outside 0–1 contradicts
    the assumption: all of that grid point is then cut back, has no interval, and `admissible` is False. Errors:
    sandwich, r and s taken as known.
    References: Gart & Buck (1966); Staquet et al. (1981) J Chronic Dis 34:599; bounds: Thibodeau (1981), and
    Frechet's inequalities within the interview's verdicts.
    Checked against: hand computation and a planted fallible interview in tests/stats/test_recovery_verification.py.
    """
    where = "reference_error"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.one_of(model, MODELS, where=where, name="model")
    binary, case, seen = tested_rows(test, reference, verified, cutoff, where=where)
    inputs.same_length(where, test=binary, covariates=covariates, cluster=cluster)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    patterns = patterns_of_rows(binary, case, seen, covariates, groups)
    return grid(patterns, disease_rates(patterns, model), reference_sensitivity, reference_specificity, conf_level)


def reference_error_from_counts(
    counts: VerificationCounts | Sequence[VerificationCounts],
    *,
    reference_sensitivity: Sequence[float] = REFERENCE_SENSITIVITY,
    reference_specificity: Sequence[float] = REFERENCE_SPECIFICITY,
    conf_level: float = 0.95,
) -> ReferenceError:
    """As :func:`reference_error`, from the six cells of one table or of one per stratum.

    Parameters
    ----------
    counts : VerificationCounts or sequence of these
    reference_sensitivity, reference_specificity, conf_level
        As in :func:`reference_error`.

    Returns
    -------
    ReferenceError

    Raises
    ------
    DesignError, ParamsError
        As in :func:`reference_error`.
    """
    inputs.open_unit(conf_level, where="reference_error", name="conf_level")
    patterns = patterns_of_tables([counts] if isinstance(counts, VerificationCounts) else list(counts))
    return grid(patterns, disease_rates(patterns, "cells"), reference_sensitivity, reference_specificity, conf_level)


def grid(
    patterns: Patterns, rates: Rates, sensitivities: Sequence[float], specificities: Sequence[float], conf_level: float
) -> ReferenceError:
    """Every pair of assumed interview errors."""
    where = "reference_error"
    if not all(0 <= share <= 1 for share in (*sensitivities, *specificities)):
        raise ParamsError(where, "an assumed sensitivity or specificity outside 0–1", allowed="shares from 0 to 1")
    if min(sensitivities) + min(specificities) <= 1:
        raise DesignError(where, "sensitivity + specificity do not exceed 1", allowed="an interview better than chance")
    against, _ = begg_greenes_shares(patterns, rates)
    rows = []
    for r in sensitivities:
        for s in specificities:
            limits = dependence_bounds(against, r, s)
            for row in corrected_rows(patterns, rates, r, s, conf_level):
                low, high = limits.get(row["measure"], (math.nan, math.nan))
                rows.append({"reference_sensitivity": r, "reference_specificity": s, **row,
                             "bound_low": low, "bound_high": high})  # fmt: skip
    return ReferenceError(
        table=pd.DataFrame(rows),
        n_used=patterns.counts().n,
        n_excluded=0,
        method="Gart & Buck (1966), Staquet et al. (1981), after Begg & Greenes (1983)",
        conf_level=conf_level,
    )


def erring_forms(test: np.ndarray, r: float, s: float) -> Forms:
    """Measures against the truth as ratios of sums over the interview's verdict."""
    none, one, negative, gain = np.zeros_like(test), np.ones_like(test), 1 - test, r + s - 1
    return {
        "sensitivity": ((s - 1) * test, test, (s - 1) * one, one),
        "specificity": (r * negative, -negative, r * one, -one),
        "ppv": ((s - 1) * test, test, gain * test, none),
        "npv": (r * negative, -negative, gain * negative, none),
        "prevalence": ((s - 1) * one, one, gain * one, none),
    }


def corrected_rows(patterns: Patterns, rates: Rates, r: float, s: float, conf_level: float) -> list[dict]:
    """Measures at one pair of interview errors."""
    expected = np.repeat(rates.rate[:, None], 3, axis=1)
    forms = erring_forms(patterns.test, r, s)
    values, errors = predicted_shares(patterns, expected, patterns.n_all, rates, forms)
    rows = []
    # One share outside 0-1 contradicts the assumption, and with it every number that rests on it.
    admissible = all(0 <= values[name] <= 1 for name in SHOWN)
    for name in SHOWN:
        value, error = values[name], errors[name]
        low, high = on_logit(value, error, conf_level, patterns.df) if admissible else (math.nan, math.nan)
        cut = min(max(value, 0.0), 1.0) if not math.isnan(value) else math.nan
        rows.append({"measure": name, "estimate": cut, "std_error": error if admissible else math.nan,
                     "conf_low": low, "conf_high": high, "admissible": admissible})  # fmt: skip
    return rows


def dependence_bounds(against: dict[str, float], r: float, s: float) -> dict[str, tuple[float, float]]:
    """Sharp bounds of sensitivity and specificity under any dependence of the errors of screen and interview.

    Within the interview's positives and negatives the shares of true cases are known; the screen's positives may
    lie anywhere among them.
    """
    apparent = against["prevalence"]
    true = (apparent + s - 1) / (r + s - 1)
    if not 0 < true < 1:
        return {}
    both, alone = apparent * against["sensitivity"], (1 - apparent) * (1 - against["specificity"])
    ill = (true * r, true * (1 - r))
    well = ((1 - true) * (1 - s), (1 - true) * s)
    return {
        "sensitivity": placed((both, alone), ill, well, true),
        "specificity": placed((apparent - both, 1 - apparent - alone), well, ill, 1 - true),
    }


def placed(
    screened: tuple[float, float], wanted: tuple[float, float], other: tuple[float, float], whole: float
) -> tuple[float, float]:
    """Least and largest share of `wanted` that the screened can make up, interview positives and negatives in turn."""
    low = sum(max(0.0, screened[j] - other[j]) for j in range(2))
    high = sum(min(screened[j], wanted[j]) for j in range(2))
    return min(max(low / whole, 0.0), 1.0), min(max(high / whole, 0.0), 1.0)
