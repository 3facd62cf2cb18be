"""Which items do not follow their curve? S-X2 (Orlando & Thissen, 2000; Kang & Chen, 2008, for ordered answers)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.findings import Refused
from mhlib.stats.measurement.graded_c2 import complete_model
from mhlib.stats.measurement.graded_model import GradedResponseResult, refused_model
from mhlib.stats.measurement.irt_problem import POINTS, point_weights
from mhlib.stats.measurement.irt_sum_scores import item_parts, sum_score_probabilities, without_each
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemFitResult:
    """S-X2 of each item: `items` has `item, statistic, df, p_value, p_holm, p_bh, rmsea`."""

    items: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """A row an item: `estimate` is S-X2; further columns `df, p_holm, p_bh, rmsea`."""
        renamed = self.items.rename(columns={"item": "term", "statistic": "estimate"})
        return term_frame(renamed.to_dict("records"))


def item_fit(model: GradedResponseResult, *, min_expected: float = 1.0) -> ItemFitResult | Refused:
    """S-X2 of each item: observed against expected answers among people with the same sum score.

    Parameters
    ----------
    model : GradedResponseResult
        When answers are missing the model is fitted again to the people who answered everything.
    min_expected : float
        Within a sum score, the category expected least joins its neighbour towards the middle until each has this
        expectation; a score left with one category joins the next higher score, the last one the one below.

    Returns
    -------
    ItemFitResult or Refused
        `p_holm` and `p_bh` adjust over the items; `rmsea` = sqrt((S-X2 - df) / (df (n - 1))), floored at 0, which does
        not grow with n. NaN where no degree of freedom is left. Refused `irt_not_converged`.

    Notes
    -----
    S-X2 = sum_s N_s sum_c (O - E)^2 / E; df = free cells minus the item's own parameters. The sum is of category
    ranks. References: Orlando & Thissen (2000) APM 24:50; Kang & Chen (2008) JEM 45:391.
    Checked against: tests/oracle/irt_anchors.csv (mirt).
    """
    whole = complete_model(model) if model.converged else None
    if whole is None or not whole.converged:
        return refused_model()
    expected = expected_tables(whole)
    own = np.array([len(b) + 1 for b in whole.thresholds]) - (whole.slope_model == "common")
    rows = []
    for j, name in enumerate(whole.names):
        value, cells = merged_statistic(observed_table(whole, j), expected[j], min_expected)
        df = cells - int(own[j])
        excess = max(value - df, 0) / (df * (whole.n_used - 1)) if df > 0 else np.nan
        p = float(stats.chi2.sf(value, df)) if df > 0 else np.nan
        rows.append({"item": name, "statistic": value, "df": df, "p_value": p, "rmsea": np.sqrt(excess)})
    table = pd.DataFrame(rows)
    table["p_holm"], table["p_bh"] = (adjust(table["p_value"].to_numpy()) for adjust in (holm, benjamini_hochberg))
    return ItemFitResult(
        items=table[["item", "statistic", "df", "p_value", "p_holm", "p_bh", "rmsea"]],
        n_used=whole.n_used,
        n_excluded=model.n_used + model.n_excluded - whole.n_used,
        method="S-X2 item fit, Holm and Benjamini-Hochberg over items",
        conf_level=model.conf_level,
    )


def rank_steps(model: GradedResponseResult) -> list[np.ndarray]:
    """0, 1, ... for the categories of each item."""
    return [np.arange(len(values)) for values in model.values]


def expected_tables(model: GradedResponseResult) -> list[np.ndarray]:
    """P(X_j = c | sum = s) for each item, shape (scores, categories)."""
    parts = item_parts(model.curves_at(POINTS).probability, model.layout.first_category)
    steps, weight = rank_steps(model), point_weights(0.0, 1.0)
    total = sum_score_probabilities(parts, steps) @ weight
    tables = []
    for part, rest in zip(parts, without_each(parts, steps), strict=True):
        joint = np.zeros((len(total), len(part)))
        for c, probability in enumerate(part):
            joint[c : c + len(rest), c] = (rest * probability) @ weight
        tables.append(joint / total[:, None])
    return tables


def observed_table(model: GradedResponseResult, j: int) -> np.ndarray:
    """People by sum of ranks and category of item j, shape (scores, categories)."""
    codes, counts = model.patterns.codes, model.patterns.counts
    table = np.zeros((sum(len(values) - 1 for values in model.values) + 1, len(model.values[j])))
    np.add.at(table, (codes.sum(axis=1), codes[:, j]), counts)
    return table


def merged_statistic(observed: np.ndarray, share: np.ndarray, least: float) -> tuple[float, int]:
    """The statistic and its free cells after merging by the rule of :func:`item_fit`; extreme scores are fixed."""
    inner = slice(1, -1)
    seen = observed[inner]
    expected = share[inner] * seen.sum(axis=1, keepdims=True)
    value, cells = 0.0, 0
    held_seen, held_expected = np.zeros(seen.shape[1]), np.zeros(seen.shape[1])
    groups: list[tuple[np.ndarray, np.ndarray]] = []
    for row_seen, row_expected in zip(seen, expected, strict=True):
        held_seen, held_expected = held_seen + row_seen, held_expected + row_expected
        if len(merged_row(held_seen, held_expected, least)[1]) > 1:
            groups.append((held_seen, held_expected))
            held_seen, held_expected = np.zeros_like(held_seen), np.zeros_like(held_expected)
    if groups and held_expected.sum() > 0:
        groups[-1] = (groups[-1][0] + held_seen, groups[-1][1] + held_expected)
    for row_seen, row_expected in groups:
        o, e = merged_row(row_seen, row_expected, least)
        value += float(((o - e) ** 2 / e).sum())
        cells += len(e) - 1
    return value, cells


def merged_row(observed: np.ndarray, expected: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Merge the category expected least towards the middle until every one is expected to hold `least` people."""
    o, e = list(observed), list(expected)
    while len(e) > 1 and min(e) < least:
        small = int(np.argmin(e))
        if small == 0:
            other = 1
        elif small == len(e) - 1:
            other = small - 1
        else:
            other = small + 1 if small < len(e) / 2 else small - 1
        o[other] += o[small]
        e[other] += e[small]
        del o[small], e[small]
    return np.array(o), np.array(e)
