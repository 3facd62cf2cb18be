"""Does the graded response model fit? Limited-information tests: C2, which is M2 for binary items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from mhlib.findings import Refused, message
from mhlib.stats.measurement.graded_model import GradedResponseResult, fitted, index_of, refused_model
from mhlib.stats.measurement.irt_answers import Answers, Patterns
from mhlib.stats.measurement.irt_curves import Layout, curves
from mhlib.stats.measurement.irt_moments import Moments, model_moments, observed_moments
from mhlib.stats.measurement.irt_problem import POINTS, point_weights
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradedFitResult:
    """Overall fit of a graded response model.

    Attributes
    ----------
    statistic : float
        C2 (M2 with binary items), chi-square with `df`.
    df : int
    p_value : float
    rmsea, rmsea_low, rmsea_high : float
        RMSEA2 with its 90 % interval, whatever `conf_level`.
    cfi, tli : float
        Against the model of independent items.
    srmsr : float
        Root mean squared difference of observed and implied correlations.
    """

    statistic: float
    df: int
    p_value: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    cfi: float
    tli: float
    srmsr: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `C2` (or `M2`, with `df`), `rmsea`, `cfi`, `tli`, `srmsr`."""
        name = self.method.split(" ", maxsplit=1)[0]
        rmsea = {"term": "rmsea", "estimate": self.rmsea, "conf_low": self.rmsea_low, "conf_high": self.rmsea_high}
        return term_frame(
            [
                {"term": name, "estimate": self.statistic, "p_value": self.p_value, "df": self.df},
                rmsea,
                *({"term": term, "estimate": getattr(self, term)} for term in ("cfi", "tli", "srmsr")),
            ]
        )


def graded_fit(model: GradedResponseResult) -> GradedFitResult | Refused:
    """C2 of a fitted graded response model, with RMSEA, CFI, TLI and SRMSR.

    Parameters
    ----------
    model : GradedResponseResult
        When answers are missing the model is fitted again to the people who answered everything, and these are tested.

    Returns
    -------
    GradedFitResult or Refused
        Refused `irt_not_converged`, or `irt_too_few_items` when no degree of freedom is left.

    Notes
    -----
    C2 = n (p - pi)' C (p - pi) with p the shares of categories and the means of products of two ranks, and
    C = D (D' Xi D)^-1 D', D orthogonal to the derivatives of the moments. RMSEA2 = sqrt((C2 - df) / (df (n - 1))).
    References: Maydeu-Olivares & Joe (2006) Psychometrika 71:713; Cai & Monroe (2014) CRESST report 839.
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    if not model.converged:
        return refused_model()
    whole = complete_model(model)
    if whole is None or not whole.converged:
        return refused_model()
    layout, index = whole.layout, index_of(whole.layout, whole.slope_model)
    codes, counts = whole.patterns.codes, whole.patterns.counts
    seen, observed = observed_moments(codes, counts, layout)
    implied = model_moments(whole.curves_at(POINTS), POINTS, point_weights(0.0, 1.0), layout)
    joined = np.zeros((len(seen), int(index.max()) + 1))
    np.add.at(joined.T, index, implied.derivative.T)
    df = len(seen) - joined.shape[1]
    if df < 1:
        return refused_items()
    n = whole.n_used
    value = quadratic(seen, implied, joined, n)
    null, null_df = independence(codes, counts, seen, layout, n)
    low, high = rmsea_interval(value, df, n)
    off = np.triu_indices(layout.n_items, 1)
    name = "M2" if (np.diff(layout.first_category) == 2).all() else "C2"
    return GradedFitResult(
        statistic=value,
        df=df,
        p_value=float(stats.chi2.sf(value, df)),
        rmsea=math.sqrt(max(value - df, 0) / (df * (n - 1))),
        rmsea_low=low,
        rmsea_high=high,
        cfi=1 - max(value - df, 0) / max(null - null_df, value - df, 1e-300),
        tli=(null / null_df - value / df) / (null / null_df - 1),
        srmsr=float(np.sqrt(np.mean((observed - implied.correlation)[off] ** 2))),
        n_used=n,
        n_excluded=model.n_used + model.n_excluded - n,
        method=f"{name} limited-information test, 90 % interval of RMSEA",
        conf_level=model.conf_level,
    )


def refused_items() -> Refused:
    """No test of a model with as many parameters as moments."""
    return Refused(
        "irt_too_few_items",
        message("Too few items: the model has as many parameters as the data have moments, so nothing can be tested."),
        message("At least four items of one scale."),
    )


def complete_model(model: GradedResponseResult) -> GradedResponseResult | None:
    """The model of the people who answered everything; None when an item loses a category without the others."""
    whole = (model.patterns.codes >= 0).all(axis=1)
    if whole.all():
        return model
    kept = Patterns(model.patterns.codes[whole], model.patterns.counts[whole])
    sizes = np.array([len(values) for values in model.values])
    filled = [len(np.unique(kept.codes[:, j])) for j in range(len(sizes))] if len(kept.counts) else []
    if list(sizes) != filled or kept.counts.sum() < 2 * model.n_parameters:
        return None
    answers = Answers(kept.codes, model.values, model.names, model.merged)
    return fitted(answers, kept, slopes=model.slope_model, conf_level=model.conf_level, max_iterations=500)


def quadratic(seen: np.ndarray, implied: Moments, derivative: np.ndarray, n: float) -> float:
    """The quadratic form n (p - pi)' D (D' Xi D)^-1 D' (p - pi), D the orthogonal complement of the derivatives."""
    basis, _ = np.linalg.qr(derivative, mode="complete")
    rest = basis[:, derivative.shape[1] :].T
    gap = rest @ (seen - implied.expected)
    return float(n * gap @ np.linalg.solve(rest @ implied.covariance @ rest.T, gap))


def independence(
    codes: np.ndarray, counts: np.ndarray, seen: np.ndarray, layout: Layout, n: float
) -> tuple[float, int]:
    """The same statistic of the model of independent items, and its degrees of freedom."""
    above = np.array(
        [counts @ (codes[:, j] > b - layout.first_boundary[j]) / n for b, j in enumerate(layout.item_of_boundary)]
    )
    at = np.zeros(1)
    flat = curves(np.zeros(layout.n_items), np.log(above / (1 - above)), at, layout)
    implied = model_moments(flat, at, np.ones(1), layout)
    derivative = implied.derivative[:, layout.n_items :]
    return quadratic(seen, implied, derivative, n), len(seen) - derivative.shape[1]


def rmsea_interval(value: float, df: int, n: float, level: float = 0.90) -> tuple[float, float]:
    """Interval of RMSEA from the noncentral chi-square."""
    bounds = []
    for tail in ((1 + level) / 2, (1 - level) / 2):
        if stats.chi2.cdf(value, df) <= tail:
            bounds.append(0.0)
            continue
        top = 10.0 + 2 * value
        while stats.ncx2.cdf(value, df, top) > tail:
            top *= 2

        def gap(ncp: float, tail: float = tail) -> float:
            return float(stats.ncx2.cdf(value, df, ncp)) - tail

        bounds.append(math.sqrt(brentq(gap, 1e-9, top) / (df * (n - 1))))
    return bounds[0], bounds[1]
