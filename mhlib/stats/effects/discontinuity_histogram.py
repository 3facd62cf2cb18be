"""How bent a histogram of whole-number scores is, and whether one bar stands out from its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special, stats

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs

ORDER = 4
LEAST_K = 0.01
MARGIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Counts of every value on the grid from the lowest to the highest score, empty ones too.

    Attributes
    ----------
    grid : ndarray, shape (K,)
    table : ndarray, shape (G, K)
        Counts by cluster; one row where pupils are taken as independent.
    clustered : bool
    """

    grid: np.ndarray
    table: np.ndarray = field(repr=False)
    clustered: bool
    n_excluded: int

    @property
    def counts(self) -> np.ndarray:
        """Counts, shape (K,)."""
        return self.table.sum(axis=0)


def histogram_of(score: object, cluster: object, *, where: str) -> Histogram:
    """Histogram of a score whose values lie on a grid of equal steps.

    Raises
    ------
    DataError
        No score at all; a row without a cluster.
    DesignError
        Scores on no grid: a continuous score.
    """
    values = inputs.numeric(score, where=where, name="score")
    seen = np.isfinite(values)
    if not seen.any():
        raise DataError(f"{where}(score)", "nobody has a score", allowed="numbers")
    support = np.unique(values[seen])
    step = np.diff(support).min() if len(support) > 1 else 1.0
    place = np.rint((values[seen] - support[0]) / step).astype(int)
    off = np.abs(values[seen] - support[0] - place * step).max() > 1e-6 * step
    if off or seen.sum() < 2 * len(support) or place.max() > 10_000:
        raise DesignError(
            f"{where}(score)",
            "the score is continuous or not in equal steps",
            allowed="a whole-number score that many pupils share",
            remedy="use the total of the answers as it was compared with the cut-off",
        )
    code, g = (np.zeros(len(place), int), 1) if cluster is None else codes_of(cluster, values, seen, where=where)
    k = int(place.max()) + 1
    table = np.bincount(code * k + place, minlength=g * k).reshape(g, k).astype(float)
    return Histogram(
        grid=support[0] + step * np.arange(k), table=table, clustered=cluster is not None, n_excluded=int((~seen).sum())
    )


def codes_of(cluster: object, values: np.ndarray, seen: np.ndarray, *, where: str) -> tuple[np.ndarray, int]:
    """Cluster of each scored row."""
    inputs.same_length(where, score=values, cluster=np.asarray(cluster))
    return inputs.codes(np.asarray(cluster)[seen], where=where, name="cluster")


def smooth_bend(counts: np.ndarray, at: int, left_out: tuple[int, ...]) -> float:
    """|f(-) - 2 f + f(+)| / (f(-) + f(+)) at one value, f a Poisson log-quartic fitted without the values left out."""
    kept = np.ones(len(counts), dtype=bool)
    kept[[i for i in left_out if 0 <= i < len(counts)]] = False
    x = np.linspace(-1, 1, len(counts))
    design = np.polynomial.legendre.legvander(x, min(ORDER, max(int(kept.sum()) - 2, 0)))
    fitted = poisson_fit(design[kept], counts[kept], design)
    below, here, above = fitted[at - 1 : at + 2]
    return float(abs(below - 2 * here + above) / (below + above))


def poisson_fit(design: np.ndarray, counts: np.ndarray, everywhere: np.ndarray) -> np.ndarray:
    """Fitted counts of a Poisson regression by scoring, at every value."""
    eta = np.log(counts + 0.5)
    beta = np.zeros(design.shape[1])
    for _ in range(60):
        mean = np.exp(np.clip(eta, -30, 30))
        root = np.sqrt(mean)
        new = np.linalg.lstsq(design * root[:, None], root * (eta + (counts - mean) / mean), rcond=None)[0]
        done = np.abs(new - beta).max() < 1e-9 * (1 + np.abs(new).max())
        beta, eta = new, design @ new
        if done:
            break
    return np.exp(np.clip(everywhere @ beta, -30, 30))


def default_k(counts: np.ndarray, at: int, left_out: tuple[int, ...]) -> float:
    """Bend allowed by the rule of thumb: twice that of a smooth histogram, 0.01 at least, below 1."""
    return min(max(MARGIN * smooth_bend(counts, at, left_out), LEAST_K), 0.99)


def allowed_shares(k: np.ndarray | float) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Lowest and highest share of the middle of three bars if |f(-) - 2 f + f(+)| <= k (f(-) + f(+))."""
    return (1 - k) / (3 - k), (1 + k) / (3 + k)


def binomial_p_value(n_at: int, n_three: int, k: float) -> float:
    """Exact p-value that the middle bar's share lies within what `k` allows (after Frandsen 2017).

    Tails are measured from the nearer end: s(j) = min(P_low(X <= j), P_high(X >= j)); the p-value is the larger, over the
    two ends, of the chance of an s as small as seen.
    """
    if n_three == 0:
        return 1.0
    low, high = allowed_shares(k)
    lower, upper = stats.binom(n_three, low), stats.binom(n_three, high)
    # Sums of tails differ in the last digits although they are equal.
    tail = min(float(lower.cdf(n_at)), float(upper.sf(n_at - 1))) * (1 + 1e-9)
    last = int(lower.ppf(min(tail, 1.0)))
    last -= int(lower.cdf(last) > tail)
    first = int(upper.isf(min(tail, 1.0))) + 1
    if first <= last + 1:
        return 1.0
    return float(min(max(one.cdf(last) + one.sf(first - 1) for one in (lower, upper)), 1.0))


def clustered_p_value(middle: np.ndarray, three: np.ndarray, k: float) -> float:
    """The same by cluster: distance of the share beyond what `k` allows in errors by cluster, Student's t (g - 1)."""
    total, used = three.sum(), three > 0
    g = int(used.sum())
    if g < 2 or total == 0:
        return float("nan")
    share = middle.sum() / total
    residual = (middle - share * three) / total
    error = np.sqrt(g / (g - 1) * (residual**2).sum())
    low, high = allowed_shares(k)
    beyond = max(low - share, share - high)
    if beyond <= 0:
        return 1.0
    if error == 0:
        return 0.0
    return float(min(special.stdtr(g - 1, -beyond / error) + special.stdtr(g - 1, -(beyond + high - low) / error), 1.0))


def bar_p_value(histogram: Histogram, at: int, k: float) -> float:
    """P-value of one bar beside its neighbours, by cluster where clusters are known."""
    three = histogram.table[:, at - 1 : at + 2]
    if histogram.clustered:
        return clustered_p_value(three[:, 1], three.sum(axis=1), k)
    return binomial_p_value(int(three[:, 1].sum()), int(three.sum()), k)
