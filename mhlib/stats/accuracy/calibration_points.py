"""What a calibration figure shows: groups of risk with a band, and the smooth with its gaps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.stats.accuracy.local_regression import Points, smooth_of
from mhlib.stats.accuracy.recalibration import RiskCells
from mhlib.stats.intervals import binomial, on_logit

FEWEST_DISTINCT, CURVE_PLACES = 10, 50


def smooth_gaps(cells: RiskCells, span: float) -> tuple[dict[str, float], pd.DataFrame]:
    """Mean, median, 90th percentile and largest gap between risk and smooth, and the curve."""
    if len(cells.risk) < FEWEST_DISTINCT:
        return dict.fromkeys(("ici", "e50", "e90", "emax"), math.nan), pd.DataFrame({"risk": [], "observed": []})
    total = cells.total
    mean = np.divide(cells.case, total, out=np.zeros(len(total)), where=total > 0)
    smooth = smooth_of(Points(cells.risk, cells.rows, total, mean), span)
    gap = np.abs(smooth(cells.risk) - cells.risk)
    at = np.linspace(cells.risk[0], cells.risk[-1], CURVE_PLACES)
    e50, e90 = quantiles(gap, cells, np.array([0.5, 0.9]))
    found = {"ici": float(total @ gap / total.sum()), "e50": e50, "e90": e90, "emax": float(gap.max())}
    return found, pd.DataFrame({"risk": at, "observed": np.clip(smooth(at), 0, 1)})


def quantiles(gap: np.ndarray, cells: RiskCells, shares: np.ndarray) -> list[float]:
    """Quantiles over people: R's type 7, and with weights the least gap whose cumulated weight reaches the share."""
    order = np.argsort(gap, kind="stable")
    if cells.weight is None:
        last = np.cumsum(cells.rows[order]) - 1
        position = shares * last[-1]
        ends = [gap[order][np.searchsorted(last, np.floor(position) + step)] for step in (0, 1)]
        return (ends[0] + (position - np.floor(position)) * (ends[1] - ends[0])).tolist()
    reached = np.cumsum(cells.total[order])
    return gap[order][np.searchsorted(reached, shares * reached[-1])].tolist()


def risk_groups(cells: RiskCells, groups: int, conf_level: float) -> pd.DataFrame:
    """Groups of about equal size with observed rate and its interval: Wilson, or linearised on the logit."""
    before = np.cumsum(cells.rows) - cells.rows
    middle = before + (cells.rows - 1) / 2
    group = np.unique(np.floor(middle * groups / cells.rows.sum()).astype(int), return_inverse=True)[1]
    k = int(group.max()) + 1
    total, case = np.bincount(group, weights=cells.total), np.bincount(group, weights=cells.case)
    rate = np.divide(case, total, out=np.full(k, math.nan), where=total > 0)
    rows = np.bincount(group, weights=cells.rows).astype(int)
    first = np.searchsorted(group, np.arange(k))
    table = pd.DataFrame(
        {
            "risk_low": cells.risk[first],
            "risk_high": cells.risk[np.append(first[1:], len(group)) - 1],
            "n": rows,
            "n_case": case if cells.weight is not None else case.astype(int),
            "mean_risk": np.bincount(group, weights=cells.total * cells.risk) / total,
            "observed": rate,
        }
    )
    if cells.plain:
        bounds = [
            binomial(int(x), int(n), ci="wilson", conf_level=conf_level) for x, n in zip(case, total, strict=True)
        ]
    else:
        member = np.arange(k)[:, None] == group[None, :]
        error = np.sqrt(
            np.diag(
                cells.covariance(
                    -rate[:, None] * member / total[:, None], (1 - rate[:, None]) * member / total[:, None]
                )
            )
        )
        df = math.inf if cells.cluster is None else cells.cluster[1] - 1
        bounds = [on_logit(float(p), float(e), conf_level, df) for p, e in zip(rate, error, strict=True)]
    return table.assign(conf_low=[low for low, _ in bounds], conf_high=[high for _, high in bounds])
