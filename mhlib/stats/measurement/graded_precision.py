"""How precisely a scale measures, and where: information, conditional standard error, the error at the cut-off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from mhlib.errors import ParamsError
from mhlib.findings import Message, Refused, message
from mhlib.stats.measurement.graded_model import GradedResponseResult, refused_model
from mhlib.stats.measurement.irt_curves import item_information, sum_by_item
from mhlib.stats.measurement.irt_likelihood import indicators
from mhlib.stats.measurement.irt_problem import POINTS, point_weights
from mhlib.stats.measurement.irt_sum_scores import item_parts, sum_score_probabilities, whole_values
from mhlib.stats.terms import term_frame

WIDE = 12.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrecisionResult:
    """Precision of a scale under a fitted graded response model.

    Attributes
    ----------
    curve : pandas.DataFrame
        `theta, information, std_error_theta, expected_score, std_error_score`, from -4 to 4: Fisher information, its
        inverse root, the expected sum score, and the SD of the sum score of people at that theta.
    items : pandas.DataFrame
        `theta` and the information of each item.
    at_cutoffs : pandas.DataFrame
        A row a cut-off: `cutoff, theta, information, std_error_theta, std_error_score, reliability`; `theta` is where
        the expected sum score equals the cut-off; reliability = I / (I + 1).
    by_sum_score : pandas.DataFrame
        `score, theta, std_error, share_expected` (posterior mean and SD of theta given the sum score; the share of
        people with that score by the model); empty when answer codes are no whole numbers.
    marginal_reliability : float
        Mean of I / (I + 1) over theta.
    empirical_reliability : float
        var(EAP) / (var(EAP) + mean posterior variance) over the people used.
    notes : tuple of Message
    """

    curve: pd.DataFrame = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    at_cutoffs: pd.DataFrame
    by_sum_score: pd.DataFrame = field(repr=False)
    marginal_reliability: float
    empirical_reliability: float
    notes: tuple[Message, ...]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Both reliabilities, then `standard error at <cutoff>` in points, with `theta` and the error in theta."""
        rows = [
            {"term": "marginal_reliability", "estimate": self.marginal_reliability},
            {"term": "empirical_reliability", "estimate": self.empirical_reliability},
        ]
        rows += [
            {
                "term": f"standard error at {row['cutoff']:g}",
                "estimate": row["std_error_score"],
                "theta": row["theta"],
                "std_error_theta": row["std_error_theta"],
                "reliability": row["reliability"],
            }
            for row in self.at_cutoffs.to_dict("records")
        ]
        return term_frame(rows)


def measurement_precision(model: GradedResponseResult, *, cutoffs: Sequence[float] = ()) -> PrecisionResult | Refused:
    """Test and item information, conditional standard errors, reliability, and all of it at the cut-offs.

    Parameters
    ----------
    model : GradedResponseResult
    cutoffs : sequence of float
        On the sum of the items' values, as the scale is scored ("positive when score >= c").

    Returns
    -------
    PrecisionResult or Refused
        Refused `irt_not_converged`. Rows at a cut-off are NaN where an item runs against the rest (see `notes`): the
        expected score is then not monotone in theta.

    Raises
    ------
    ParamsError
        A cut-off that no sum of answers can reach.

    Notes
    -----
    I(theta) = sum_j sum_c P'_jc^2 / P_jc; SEM(theta) = I^-1/2; SEM of the score = (sum_j var(X_j | theta))^1/2.
    References: Samejima (1969); Lord & Wingersky (1984) APM 8:453; Green et al. (1984) JEM 21:347 (reliability).
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    if not model.converged:
        return refused_model()
    theta = np.linspace(-4, 4, 161)
    curve = curve_at(model, theta)
    information = item_information(model.curves_at(theta), model.slopes, model.layout)
    weight, points = point_weights(0.0, 1.0), curve_at(model, POINTS)["information"].to_numpy()
    checked = [demand_reachable(model, float(c)) for c in cutoffs]
    mean, sd = posterior_moments(model, model.patterns.codes)
    return PrecisionResult(
        curve=curve,
        items=pd.DataFrame({"theta": theta, **dict(zip(model.names, information, strict=True))}),
        at_cutoffs=pd.DataFrame([at_cutoff(model, c) for c in checked], columns=CUTOFF_COLUMNS),
        by_sum_score=by_sum_score(model),
        marginal_reliability=float(weight @ (points / (points + 1))),
        empirical_reliability=explained(mean, sd, model.patterns.counts),
        notes=not_monotone(model) if checked else (),
        n_used=model.n_used,
        n_excluded=model.n_excluded,
        method="Fisher information of the graded response model; error of the sum score given theta",
        conf_level=model.conf_level,
    )


CUTOFF_COLUMNS = ["cutoff", "theta", "information", "std_error_theta", "std_error_score", "reliability"]


def not_monotone(model: GradedResponseResult) -> tuple[Message, ...]:
    """Why no error stands at the cut-off."""
    if not model.negative:
        return ()
    named = ", ".join(model.negative)
    return (message("No precision at the cut-off: these items run against the rest: {items}.", items=named),)


def curve_at(model: GradedResponseResult, theta: np.ndarray) -> pd.DataFrame:
    """Information, expected score and both standard errors at `theta`."""
    found, layout = model.curves_at(theta), model.layout
    information = item_information(found, model.slopes, layout).sum(axis=0)
    value = np.concatenate(model.values)[:, None]
    mean = sum_by_item(found.probability * value, layout)
    variance = sum_by_item(found.probability * (value - mean[layout.item_of_category]) ** 2, layout)
    return pd.DataFrame(
        {
            "theta": theta,
            "information": information,
            "std_error_theta": 1 / np.sqrt(np.maximum(information, 1e-300)),
            "expected_score": mean.sum(axis=0),
            "std_error_score": np.sqrt(variance.sum(axis=0)),
        }
    )


def demand_reachable(model: GradedResponseResult, cutoff: float) -> float:
    """Pass a cut-off on that lies strictly within the range of the sum score."""
    low, high = (float(sum(values[end] for values in model.values)) for end in (0, -1))
    if not low < cutoff < high:
        raise ParamsError(
            "measurement_precision(cutoffs)", f"{cutoff:g} is outside", allowed=f"above {low:g} and below {high:g}"
        )
    return cutoff


def theta_at_score(model: GradedResponseResult, score: float) -> float:
    """Theta whose expected sum score is `score`; NaN when not monotone or beyond +-12."""
    if model.negative:
        return math.nan

    def gap(theta: float) -> float:
        return float(curve_at(model, np.array([theta]))["expected_score"].iloc[0]) - score

    return float(brentq(gap, -WIDE, WIDE, xtol=1e-12)) if gap(-WIDE) < 0 < gap(WIDE) else math.nan


def at_cutoff(model: GradedResponseResult, cutoff: float) -> dict[str, float]:
    """One row of `at_cutoffs`."""
    theta = theta_at_score(model, cutoff)
    if math.isnan(theta):
        return {"cutoff": cutoff} | dict.fromkeys(CUTOFF_COLUMNS[1:], math.nan)
    row = curve_at(model, np.array([theta])).iloc[0].to_dict()
    return {"cutoff": cutoff, "reliability": row["information"] / (row["information"] + 1)} | {
        name: row[name] for name in CUTOFF_COLUMNS[1:-1]
    }


def by_sum_score(model: GradedResponseResult) -> pd.DataFrame:
    """Posterior mean and SD of theta for every sum score, and its expected share."""
    columns = ["score", "theta", "std_error", "share_expected"]
    if any((values != np.round(values)).any() for values in model.values):
        return pd.DataFrame(columns=columns)
    steps = whole_values(model.values, where="measurement_precision")
    parts = item_parts(model.curves_at(POINTS).probability, model.layout.first_category)
    joint = sum_score_probabilities(parts, steps) * point_weights(0.0, 1.0)
    share = joint.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = joint @ POINTS / share
        sd = np.sqrt(np.maximum(joint @ POINTS**2 / share - mean**2, 0))
    lowest = sum(float(values[0]) for values in model.values)
    table = pd.DataFrame({"score": lowest + np.arange(len(share)), "theta": mean, "std_error": sd})
    return table.assign(share_expected=share)[share > 0].reset_index(drop=True)


def posterior_moments(model: GradedResponseResult, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and SD of theta of each pattern, in pieces so that memory stays small."""
    log_probability, layout = np.log(model.curves_at(POINTS).probability), model.layout
    weight, mean, sd = point_weights(0.0, 1.0), np.empty(len(codes)), np.empty(len(codes))
    for start in range(0, len(codes), 16_384):
        piece = slice(start, start + 16_384)
        exponent = indicators(codes[piece], layout.first_category) @ log_probability
        dense = np.exp(exponent - exponent.max(axis=1, keepdims=True)) * weight
        total = dense.sum(axis=1)
        mean[piece] = dense @ POINTS / total
        sd[piece] = np.sqrt(np.maximum(dense @ POINTS**2 / total - mean[piece] ** 2, 0))
    return mean, sd


def explained(mean: np.ndarray, sd: np.ndarray, counts: np.ndarray) -> float:
    """var(EAP) / (var(EAP) + mean posterior variance)."""
    n = counts.sum()
    centre = counts @ mean / n
    between = counts @ (mean - centre) ** 2 / (n - 1)
    return float(between / (between + counts @ sd**2 / n))
