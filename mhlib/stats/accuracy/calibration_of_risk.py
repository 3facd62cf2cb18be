"""Do as many fall ill as the risk says? Calibration of a predicted risk against a reference standard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit
from scipy.special import logit as log_odds

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check, Count, Refused, message
from mhlib.stats import inputs
from mhlib.stats.accuracy.calibration_points import risk_groups, smooth_gaps
from mhlib.stats.accuracy.counts import demand_both
from mhlib.stats.accuracy.recalibration import RiskCells, likelihood, recalibrate
from mhlib.stats.accuracy.roc_curve import UNVERIFIED
from mhlib.stats.intervals import critical, wald
from mhlib.stats.terms import term_frame

# Fewer cases or non-cases carry no slope; Van Calster et al. (2016): 200 of each for a flexible curve.
FEWEST_EVENTS, ENOUGH_EVENTS = 10, 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Agreement of risks with outcomes.

    Attributes
    ----------
    citl : float
        Calibration in the large: intercept with the slope held at 1; 0 is perfect, above 0 the risk is too low.
    slope, intercept : float
        Of the logistic recalibration; slope 1 is perfect, below 1 risks are too extreme. The p-value of `slope` is of 1.
    o_e : float
        Observed over expected number of cases; 1 is perfect.
    brier, brier_scaled : float
        Mean squared error, and 1 - brier / brier of the prevalence (0 useless, 1 perfect).
    ici, e50, e90, emax : float
        Mean, median, 90th percentile and largest gap between the risk and its loess smooth; NaN with fewer than 10
        distinct risks. They are never negative, so even a perfect risk has some; no interval.
    points : pandas.DataFrame
        Groups of risk: `risk_low, risk_high, n, n_case, mean_risk, observed, conf_low, conf_high`.
    curve : pandas.DataFrame
        `risk, observed`: the smooth at 50 places; empty with fewer than 10 distinct risks.
    chi2, df, p_value : float
        Joint test of intercept 0 and slope 1.
    """

    citl: float
    slope: float
    intercept: float
    o_e: float
    brier: float
    brier_scaled: float
    ici: float
    e50: float
    e90: float
    emax: float
    chi2: float
    df: float
    p_value: float
    points: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    terms: pd.DataFrame = field(repr=False)
    n_case: int
    n_noncase: int
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure."""
        return self.terms.assign(n_used=self.n_used)


def calibration(
    risk: object,
    reference: object,
    *,
    model: Mapping[str, float] | None = None,
    cluster: object = None,
    weights: object = None,
    groups: int = 10,
    span: float = 0.75,
    conf_level: float = 0.95,
) -> Calibration:
    """Calibration of a risk, or of a score turned into a risk by a stated model.

    Parameters
    ----------
    risk : array-like of numbers, shape (n,)
        Strictly between 0 and 1; or a score, when `model` is given.
    reference : array-like of 0/1 or bool, shape (n,)
    model : {'intercept': float, 'slope': float}, optional
        Risk = 1/(1 + exp(-(intercept + slope * score))), fixed before these data; it is not fitted here.
    cluster : array-like, shape (n,), optional
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows (of verification).
    groups : int
        Groups of about equal size for `points`; people of equal risk are never parted.
    span : float
        Share of the rows in a window of the smooth.
    conf_level : float

    Returns
    -------
    Calibration

    Raises
    ------
    DataError
        Missing values, a risk outside 0-1, other references than 0 and 1.
    DesignError
        No case, no non-case, or a recalibration that does not settle; fewer than two clusters.
    ParamsError
        A model without intercept and slope; fewer than 2 groups.

    Notes
    -----
    Errors of intercept and slope are those of logistic regression, with clusters or weights the sandwich's; of O/E and
    Brier linearised. Joint test: likelihood ratio on 2 df; Wald F within clusters or with weights.
    References: Cox (1958); Van Calster et al. (2016) J Clin Epidemiol 74:167; Austin & Steyerberg (2019) Stat Med 38:4051.
    Checked against: tests/oracle/decision_calibration.csv (rms::val.prob, stats::loess, survey::svyglm),
    tests/oracle/dca_binary.csv (rms::val.prob on the data of dcurves).
    """
    where = "calibration"
    values = inputs.numeric(risk, where=where, name="risk")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, risk=values, reference=case, cluster=cluster, weights=weights)
    inputs.without_missing(values, where=where, name="risk", remedy="leave unscored rows out and report how many")
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    distinct, level = np.unique(values, return_inverse=True)
    weight = None if weights is None else inputs.weights_of(weights, len(values), where=where)
    members = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if members is not None and members[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    place = 2 * level + case.astype(int)
    number = np.bincount(place, weights=weight, minlength=2 * len(distinct)).reshape(-1, 2).astype(float)
    rows = np.bincount(level)
    cells = RiskCells(stated(distinct, model), number[:, 1], number[:, 0], rows, place, weight, members)
    return calibrated(cells, int((case == 1).sum()), groups, span, conf_level)


def calibration_from_counts(
    risk_values: object,
    n_case: object,
    n_noncase: object,
    *,
    model: Mapping[str, float] | None = None,
    groups: int = 10,
    span: float = 0.75,
    conf_level: float = 0.95,
) -> Calibration:
    """Calibration from the number of cases and non-cases at each risk (or score, with `model`).

    Parameters
    ----------
    risk_values : array-like, shape (k,)
        Distinct.
    n_case, n_noncase : array-like of counts, shape (k,)
    model, groups, span, conf_level
        As in :func:`calibration`.

    Returns
    -------
    Calibration
        The same digits as :func:`calibration` on the rows.

    Raises
    ------
    DataError
        Different lengths, a risk twice or outside 0-1, counts that are negative or missing.
    DesignError
        No case, no non-case, or a recalibration that does not settle.

    Notes
    -----
    Checked against: tests/oracle/decision_calibration.csv (rms::val.prob, stats::loess).
    """
    from mhlib.stats.accuracy.counts import checked_counts

    scores = np.asarray(risk_values, dtype=float)
    found = checked_counts(scores, n_case, n_noncase, where="calibration_from_counts")
    seen = found.case + found.noncase > 0
    rows = (found.case + found.noncase)[seen].astype(int)
    cells = RiskCells(stated(found.score[seen], model), found.case[seen], found.noncase[seen], rows)
    return calibrated(cells, round(found.case.sum()), groups, span, conf_level)


def stated(values: np.ndarray, model: Mapping[str, float] | None) -> np.ndarray:
    """Risks of rising distinct values, by the model when one is stated."""
    where = "calibration"
    if model is None:
        if n_outside := int((~((values > 0) & (values < 1))).sum()):
            raise DataError(
                f"{where}(risk)",
                f"{n_outside} distinct values are not strictly between 0 and 1",
                allowed="risks as proportions, 0 < risk < 1",
                remedy="turn a score into a risk by `model`; a risk of exactly 0 or 1 claims certainty",
            )
        return values
    if set(model) != {"intercept", "slope"} or not all(np.isfinite(float(part)) for part in model.values()):
        raise ParamsError(f"{where}(model)", "is not a logistic model", allowed="{'intercept': a, 'slope': b}")
    if not model["slope"] > 0:
        raise ParamsError(f"{where}(model)", "the slope is not above 0", allowed="a slope with which high means ill")
    return expit(model["intercept"] + model["slope"] * values)


def calibrated(cells: RiskCells, n_case: int, groups: int, span: float, conf_level: float) -> Calibration:
    """Everything from the cells."""
    where = "calibration"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if not 0 < span <= 1:
        raise ParamsError(f"{where}(span)", f"is {span}", allowed="above 0 and up to 1")
    if groups < 2:
        raise ParamsError(f"{where}(groups)", f"is {groups}", allowed="2 or more")
    demand_both(cells.case.sum(), cells.noncase.sum(), where=where)
    df = math.inf if cells.cluster is None else cells.cluster[1] - 1
    rows = recalibration_terms(cells, conf_level, df) + error_terms(cells, conf_level, df)
    gaps, curve = smooth_gaps(cells, span)
    rows += [{"term": name, "estimate": value} for name, value in gaps.items()]
    estimates = {row["term"]: float(row["estimate"]) for row in rows}
    joint = rows[3]
    del estimates["miscalibration"]
    n = int(cells.rows.sum())
    return Calibration(
        **estimates,
        chi2=float(joint["estimate"]),
        df=2.0,
        p_value=float(joint["p_value"]),
        points=risk_groups(cells, groups, conf_level),
        curve=curve,
        terms=term_frame(rows),
        n_case=n_case,
        n_noncase=n - n_case,
        n_clusters=None if cells.cluster is None else cells.cluster[1],
        n_used=n,
        n_excluded=0,
        method="logistic recalibration, "
        + ("model errors" if cells.plain else "sandwich errors")
        + ("" if cells.cluster is None else " by cluster")
        + f"; loess span {span:g}",
        conf_level=conf_level,
    )


def recalibration_terms(cells: RiskCells, conf_level: float, df: float) -> list[dict[str, object]]:
    """Calibration in the large, slope, intercept, and their joint test, in this order."""
    logit = log_odds(cells.risk)
    large, full = recalibrate(cells, logit, slope=False), recalibrate(cells, logit, slope=True)
    found = [
        ("citl", large.coefficients[0], large.covariance[0, 0], 0.0),
        ("slope", full.coefficients[1], full.covariance[1, 1], 1.0),
        ("intercept", full.coefficients[0], full.covariance[0, 0], 0.0),
    ]
    rows = []
    for term, estimate, variance, null in found:
        error = math.sqrt(variance)
        low, high = wald(float(estimate), error, conf_level, df)
        p_value = 2 * stats.t.sf(abs(estimate - null) / error, df)
        bounds = {"std_error": error, "conf_low": low, "conf_high": high, "p_value": float(p_value)}
        rows.append({"term": term, "estimate": float(estimate), **bounds})
    gap = full.coefficients - np.array([0.0, 1.0])
    if cells.plain:
        statistic = 2 * (full.log_likelihood - likelihood(cells, logit))
        p_value = stats.chi2.sf(statistic, 2)
    else:
        statistic = float(gap @ np.linalg.solve(full.covariance, gap))
        # Hotelling's adjustment: few clusters make the estimated covariance uncertain.
        p_value = (
            stats.chi2.sf(statistic, 2) if math.isinf(df) else stats.f.sf(statistic / 2 * (df - 1) / df, 2, df - 1)
        )
    return [*rows, {"term": "miscalibration", "estimate": float(statistic), "p_value": float(p_value)}]


def error_terms(cells: RiskCells, conf_level: float, df: float) -> list[dict[str, object]]:
    """Observed over expected, Brier score and scaled Brier score."""
    total, p = cells.total, cells.risk
    n, expected, observed = total.sum(), float(total @ p), float(cells.case.sum())
    ratio = observed / expected
    of_ratio = (-ratio * p / expected, (1 - ratio * p) / expected)
    brier = float((cells.noncase @ p**2 + cells.case @ (1 - p) ** 2) / n)
    of_brier = ((p**2 - brier) / n, ((1 - p) ** 2 - brier) / n)
    covariance = cells.covariance(np.stack([of_ratio[0], of_brier[0]]), np.stack([of_ratio[1], of_brier[1]]))
    ratio_error, brier_error = np.sqrt(np.diag(covariance)).tolist()
    reach = critical(conf_level, df) * ratio_error / ratio
    low, high = wald(brier, brier_error, conf_level, df)
    p_value = float(2 * stats.t.sf(abs(math.log(ratio)) * ratio / ratio_error, df)) if ratio_error > 0 else math.nan
    share = observed / n
    return [
        {"term": "o_e", "estimate": ratio, "std_error": ratio_error, "conf_low": ratio * math.exp(-reach),
         "conf_high": ratio * math.exp(reach), "p_value": p_value},
        {"term": "brier", "estimate": brier, "std_error": brier_error, "conf_low": max(low, 0.0), "conf_high": high},
        {"term": "brier_scaled", "estimate": 1 - brier / (share * (1 - share))},
    ]  # fmt: skip


def calibration_refusal(n_case: int, n_noncase: int) -> Refused | None:
    """Refusal of a calibration with fewer than 10 cases or non-cases, code `few_events`; else None."""
    if min(n_case, n_noncase) >= FEWEST_EVENTS:
        return None
    return Refused(
        "few_events",
        message(
            "Fewer than {least} cases or non-cases: whether the risk is right cannot be seen.", least=FEWEST_EVENTS
        ),
        message("Verify more people; a smooth curve asks for {enough} cases and non-cases.", enough=ENOUGH_EVENTS),
    )


def calibration_events_check(n_case: int, n_noncase: int) -> Check:
    """Check that a smooth curve has enough of each kind behind it (Van Calster et al. 2016): passes at 200."""
    return Check(
        message("People behind the calibration curve"),
        min(n_case, n_noncase) >= ENOUGH_EVENTS,
        message(
            "{found} of the rarer kind; below {enough} the shape of the curve is not dependable.",
            found=Count(min(n_case, n_noncase)),
            enough=ENOUGH_EVENTS,
        ),
    )
