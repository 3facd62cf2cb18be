"""Do two items share more than the trait? Local dependence of pairs: LD X2, its effect size, and Q3."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.findings import Refused
from mhlib.stats.measurement.graded_model import GradedResponseResult, refused_model
from mhlib.stats.measurement.graded_precision import posterior_moments
from mhlib.stats.measurement.irt_curves import Layout, sum_by_item
from mhlib.stats.measurement.irt_likelihood import indicators
from mhlib.stats.measurement.irt_moments import ranks_of
from mhlib.stats.measurement.irt_problem import POINTS, point_weights
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalDependenceResult:
    """Pairs of items, the strongest excess first.

    Attributes
    ----------
    pairs : pandas.DataFrame
        `first, second, statistic, df, p_value, p_holm, p_bh, standardised, cramers_v, q3, q3_excess, flagged, n`.
        `cramers_v` carries the sign of the excess association; `q3_excess` is Q3 minus the mean over pairs.
    flagged : tuple of (str, str)
        Pairs with `q3_excess` above the threshold: a rule that does not depend on the number of people.
    threshold : float
    """

    pairs: pd.DataFrame = field(repr=False)
    flagged: tuple[tuple[str, str], ...]
    threshold: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """A row a pair `<first> / <second>`: `estimate` is Q3 minus its mean; the other columns of `pairs` follow."""
        rows = [
            {"term": f"{row['first']} / {row['second']}", "estimate": row["q3_excess"], **row}
            for row in self.pairs.to_dict("records")
        ]
        return term_frame(rows)


def local_dependence(model: GradedResponseResult, *, threshold: float = 0.2) -> LocalDependenceResult | Refused:
    """LD X2 and Q3 of every pair of items.

    Parameters
    ----------
    model : GradedResponseResult
        People who answered both items of a pair count for it.
    threshold : float
        On Q3 minus the mean Q3.

    Returns
    -------
    LocalDependenceResult or Refused
        Refused `irt_not_converged`.

    Notes
    -----
    LD X2 compares the observed two-way table of a pair with the one the model implies, df = (r - 1)(c - 1);
    `standardised` = (X2 - df) / sqrt(2 df). Q3 is the correlation of the residuals x - E(x | EAP).
    References: Chen & Thissen (1997) JEBS 22:265; Yen (1984) APM 8:125; Christensen, Makransky & Horton (2017) APM
    41:178 (0.2 above the mean). Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    if not model.converged:
        return refused_model()
    layout, counts = model.layout, model.patterns.counts
    seen = indicators(model.patterns.codes, layout.first_category)
    observed = (seen * counts[:, None]).T @ seen
    probability = model.curves_at(POINTS).probability
    implied = (probability * point_weights(0.0, 1.0)) @ probability.T
    q3 = residual_correlations(model)
    off = np.triu_indices(layout.n_items, 1)
    rows = []
    for i, j in zip(*off, strict=True):
        a, b = (slice(layout.first_category[x], layout.first_category[x + 1]) for x in (i, j))
        row = pair_statistic(observed[a, b], implied[a, b])
        rows.append({"first": model.names[i], "second": model.names[j], **row, "q3": q3[i, j]})
    table = pd.DataFrame(rows)
    table["p_holm"], table["p_bh"] = (adjust(table["p_value"].to_numpy()) for adjust in (holm, benjamini_hochberg))
    table["q3_excess"] = table["q3"] - table["q3"].mean()
    table["flagged"] = table["q3_excess"] > threshold
    columns = ["first", "second", "statistic", "df", "p_value", "p_holm", "p_bh", "standardised"]
    table = table[[*columns, "cramers_v", "q3", "q3_excess", "flagged", "n"]]
    table = table.sort_values("q3_excess", ascending=False, kind="stable").reset_index(drop=True)
    return LocalDependenceResult(
        pairs=table,
        flagged=tuple(zip(*(table.loc[table["flagged"], name] for name in ("first", "second")), strict=True)),
        threshold=threshold,
        n_used=model.n_used,
        n_excluded=model.n_excluded,
        method="LD X2 (Chen & Thissen, 1997) and Q3 (Yen, 1984)",
        conf_level=model.conf_level,
    )


def pair_statistic(observed: np.ndarray, implied: np.ndarray) -> dict[str, float]:
    """LD X2 of one pair with its degrees of freedom, signed effect size and people."""
    n = observed.sum()
    expected = n * implied
    value, df = float(((observed - expected) ** 2 / expected).sum()), (len(observed) - 1) * (len(observed[0]) - 1)
    sign = 1.0 if association(observed) >= association(expected) else -1.0
    return {
        "statistic": value,
        "df": df,
        "p_value": float(stats.chi2.sf(value, df)),
        "standardised": (value - df) / np.sqrt(2 * df),
        "cramers_v": sign * np.sqrt(value / (n * (min(observed.shape) - 1))),
        "n": round(n),
    }


def association(table: np.ndarray) -> float:
    """Correlation of the ranks of a two-way table."""
    share = table / table.sum()
    x, y = np.arange(len(table)), np.arange(len(table[0]))
    px, py = share.sum(axis=1), share.sum(axis=0)
    cov = x @ share @ y - (x @ px) * (y @ py)
    return float(cov / np.sqrt((x**2 @ px - (x @ px) ** 2) * (y**2 @ py - (y @ py) ** 2)))


def residual_correlations(model: GradedResponseResult) -> np.ndarray:
    """Q3: correlations of the residuals of ranks at each pattern's posterior mean, over people with both answers."""
    codes, counts, layout = model.patterns.codes, model.patterns.counts, model.layout
    residual = np.empty(codes.shape)
    for start in range(0, len(codes), 65_536):
        piece = slice(start, start + 65_536)
        theta, _ = posterior_moments(model, codes[piece])
        residual[piece] = codes[piece] - expected_ranks(model, theta, layout).T
    seen = codes >= 0
    residual[~seen] = 0
    weight = seen * counts[:, None]
    n, total = weight.T @ seen, (residual * counts[:, None]).T @ seen
    square = (residual**2 * counts[:, None]).T @ seen
    mean = total / n
    cov = (residual * counts[:, None]).T @ residual / n - mean * mean.T
    spread = square / n - mean**2
    return cov / np.sqrt(spread * spread.T)


def expected_ranks(model: GradedResponseResult, theta: np.ndarray, layout: Layout) -> np.ndarray:
    """E(rank | theta) of each item, shape (k, Q)."""
    return sum_by_item(model.curves_at(theta).probability * ranks_of(layout)[:, None], layout)
