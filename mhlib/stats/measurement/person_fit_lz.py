"""Whose answers do not fit together? The likelihood of each answer pattern (lz), judged against simulated people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.intervals import binomial
from mhlib.stats.measurement.graded_model import GradedResponseResult, refused_model
from mhlib.stats.measurement.graded_precision import posterior_moments
from mhlib.stats.measurement.irt_answers import MISSING, Patterns, patterns_of, recoded
from mhlib.stats.measurement.irt_curves import sum_by_item
from mhlib.stats.terms import term_frame

LEAST_ANSWERS, BANDS = 4, 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonFitResult:
    """Person fit of everybody; nobody is dropped.

    Attributes
    ----------
    lz : ndarray, shape (n,)
        Standardised log-likelihood of the answers at the posterior mean of theta; low is odd. NaN with fewer than four
        answers.
    p_value : ndarray, shape (n,)
        Share of simulated people of about the same theta whose lz is as low or lower.
    odd : ndarray of bool, shape (n,)
        `p_value <= alpha`.
    share, conf_low, conf_high : float
        Share of odd people with its Wilson interval; about `alpha` when all answer by the model.
    share_expected : float
        Share of simulated people called odd by the same rule: at most `alpha`, less where few patterns exist.
    share_below : float
        Share with lz below the normal cut-off `cutoff`, which is too strict or too mild with few items.
    alpha, cutoff : float
    n_odd, n_simulated, seed : int
    """

    lz: np.ndarray = field(repr=False)
    p_value: np.ndarray = field(repr=False)
    odd: np.ndarray = field(repr=False)
    share: float
    conf_low: float
    conf_high: float
    share_expected: float
    share_below: float
    alpha: float
    cutoff: float
    n_odd: int
    n_simulated: int
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `share_odd` (with interval), `share_expected`, `share_below_cutoff`."""
        bounds = {"conf_low": self.conf_low, "conf_high": self.conf_high}
        rows = [
            {"term": "share_odd", "estimate": self.share, **bounds},
            {"term": "share_expected", "estimate": self.share_expected},
            {"term": "share_below_cutoff", "estimate": self.share_below},
        ]
        return term_frame(rows).assign(n_odd=self.n_odd, n_used=self.n_used)


def person_fit(
    model: GradedResponseResult,
    items: object,
    *,
    alpha: float = 0.05,
    cutoff: float = -1.645,
    n_simulated: int = 20_000,
    seed: int = 1,
) -> PersonFitResult | Refused:
    """Person fit lz of every person's answers, with a null distribution simulated from the model.

    Parameters
    ----------
    model : GradedResponseResult
    items : DataFrame or array-like, shape (n, k)
        The model's items; missing answers allowed.
    alpha : float
        Share of people the rule may call odd when all answer by the model.
    cutoff : float
        Normal cut-off, reported beside it only.
    n_simulated, seed : int

    Returns
    -------
    PersonFitResult or Refused
        People with fewer than four answers are not judged (NaN, counted in `n_excluded`). Refused `irt_not_converged`.

    Raises
    ------
    DataError
        Other items, or answers outside the model's categories.
    ParamsError
        `alpha` outside 0-1, fewer than 1,000 simulated people.

    Notes
    -----
    lz = (l - E(l)) / SD(l), l = sum_j log P_j(x_j | EAP), moments over the categories of the items answered. With
    estimated theta lz is not standard normal, so p-values come from people drawn from the model (with the missing
    answers of people drawn from the rows), scored the same way, in 20 bands of theta with equal numbers of them.
    An extreme but coherent pattern (all lowest, all highest) is likely under the model and is not odd.
    References: Drasgow, Levine & Williams (1985) BJMSP 38:67; Snijders (2001) Psychometrika 66:331; Sinharay (2016).
    Checked against: tests/oracle/irt_anchors.csv (mirt, item sums of lz).
    """
    inputs.open_unit(alpha, where="person_fit", name="alpha")
    if n_simulated < 1000:
        raise ParamsError("person_fit(n_simulated)", f"is {n_simulated}", allowed="1000 or more")
    if not model.converged:
        return refused_model()
    codes = recoded(items, model.values, model.merged, model.names, where="person_fit")
    sizes = np.array([len(values) for values in model.values])
    found = patterns_of(codes, sizes)
    judged = (found.codes >= 0).sum(axis=1) >= LEAST_ANSWERS
    value, theta = lz_of(model, found.codes, judged)
    null = simulated(model, found.codes[judged], found.counts[judged], n_simulated, seed)
    null_lz, null_theta = (part[null.of_row] for part in lz_of(model, null.codes, np.ones(len(null.codes), bool)))
    p = conditional_p(value, theta, null_lz, null_theta)
    null_odd = conditional_p(null_lz, null_theta, null_lz, null_theta) <= alpha
    odd, n = (p <= alpha) & judged, found.counts[judged].sum()
    n_odd = round(found.counts[odd].sum())
    low, high = binomial(n_odd, round(n), ci="wilson", conf_level=model.conf_level)
    return PersonFitResult(
        lz=value[found.of_row],
        p_value=p[found.of_row],
        odd=odd[found.of_row],
        share=n_odd / n if n else np.nan,
        conf_low=low,
        conf_high=high,
        share_expected=float(null_odd.mean()),
        share_below=float(found.counts[judged & (value < cutoff)].sum() / n) if n else np.nan,
        alpha=alpha,
        cutoff=cutoff,
        n_odd=n_odd,
        n_simulated=n_simulated,
        seed=seed,
        n_used=round(n),
        n_excluded=len(codes) - round(n),
        method="lz at the posterior mean, p-values from people simulated under the model within bands of theta",
        conf_level=model.conf_level,
    )


def lz_of(model: GradedResponseResult, codes: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Person fit and posterior mean of theta of each pattern; NaN where not judged."""
    value, theta = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    rows = np.flatnonzero(judged)
    for start in range(0, len(rows), 16_384):
        here = rows[start : start + 16_384]
        mean, _ = posterior_moments(model, codes[here])
        gap, variance = log_likelihood_parts(model, codes[here], mean)
        value[here] = gap.sum(axis=0) / np.sqrt(variance.sum(axis=0))
        theta[here] = mean
    return value, theta


def log_likelihood_parts(
    model: GradedResponseResult, codes: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each log P(x) - E(log P) and var(log P) of each item (rows) and pattern (columns) at its theta; 0 where missing."""
    layout, seen = model.layout, codes.T >= 0
    log_p = np.log(model.curves_at(theta).probability)
    expected = sum_by_item(np.exp(log_p) * log_p, layout)
    variance = sum_by_item(np.exp(log_p) * log_p**2, layout) - expected**2
    place = layout.first_category[:-1, None] + np.maximum(codes.T, 0)
    gap = log_p[place, np.arange(codes.shape[0])] - expected
    return np.where(seen, gap, 0), np.where(seen, variance, 0)


def simulated(model: GradedResponseResult, codes: np.ndarray, counts: np.ndarray, n: int, seed: int) -> Patterns:
    """Patterns of people drawn from the model, with the missing answers of people drawn from the data."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=n)
    boundary = model.curves_at(theta).boundary
    layout = model.layout
    draw = rng.random((layout.n_items, n))
    above = draw[layout.item_of_boundary] < boundary
    answers = np.add.reduceat(above, layout.first_boundary[:-1], axis=0).T.astype(np.int16)
    like = rng.choice(len(codes), size=n, p=counts / counts.sum())
    answers[codes[like] < 0] = MISSING
    return patterns_of(answers, np.array([len(values) for values in model.values]))


def conditional_p(value: np.ndarray, theta: np.ndarray, null_value: np.ndarray, null_theta: np.ndarray) -> np.ndarray:
    """Share of the null at or below each value within its band of theta; NaN stays NaN."""
    edges = np.unique(np.quantile(null_theta, np.linspace(0, 1, BANDS + 1)[1:-1]))
    p, band = np.full(len(value), np.nan), np.searchsorted(edges, theta, side="right")
    null_band = np.searchsorted(edges, null_theta, side="right")
    for b in range(len(edges) + 1):
        pool, mine = np.sort(null_value[null_band == b]), (band == b) & ~np.isnan(value)
        # A small slack, so that equal patterns never differ by the last bit of a sum.
        p[mine] = np.searchsorted(pool, value[mine] + 1e-9, side="right") / max(len(pool), 1)
    return p
