"""Promises on regression discontinuity beside rdrobust and beside regressions on rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.effects.discontinuity_density import density_at_cutoff, heaping
from mhlib.stats.effects.discontinuity_fit import rdd
from mhlib.stats.effects.discontinuity_ladders import bandwidth_ladder, donut, placebo_cutoffs

PUPILS, SCHOOLS, CUTOFF = 130_000, 129, 10
GIVEN = {"outcome": "y", "running": "score", "cutoff": CUTOFF, "cluster": "school", "robust": False}


def screened(pupils: int) -> pd.DataFrame:
    """Whole-number scores of pupils in schools; seven in ten are served from the cut-off on, one in seven below."""
    rng = np.random.default_rng(11)
    school = np.sort(rng.integers(0, SCHOOLS, pupils))
    level = rng.normal(size=SCHOOLS)[school]
    score = rng.binomial(27, 1 / (1 + np.exp(0.9 - 0.35 * rng.normal(size=pupils) - 0.2 * level))).astype(float)
    served = (rng.random(pupils) < np.where(score >= CUTOFF, 0.7, 0.15)) * 1
    y = 0.5 * score - 2.0 * served + 0.6 * level + 3 * rng.normal(size=pupils)
    return pd.DataFrame({"school": school, "score": score, "served": served, "y": y})


def on_rows(rows: pd.DataFrame, bandwidths: np.ndarray) -> np.ndarray:
    """Jump at each bandwidth by weighted least squares on rows."""
    x = rows["score"].to_numpy() - CUTOFF
    above, y = (x >= 0) * 1.0, rows["y"].to_numpy()
    design = np.column_stack([above, np.ones(len(x)), x, above * x])
    found = []
    for h in bandwidths:
        weight = np.maximum(1 - np.abs(x) / h, 0)
        found.append(np.linalg.solve((design * weight[:, None]).T @ design, (design * weight[:, None]).T @ y)[0])
    return np.array(found)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    from rdrobust import rdrobust

    rows = screened(PUPILS // 10 if quick else PUPILS)
    fit = rdd(rows, **GIVEN, curvature=0.05)
    ladder = np.array([2.5, 3.5, 5.0, 7.0, 9.0, 12.0, 16.0, 20.0])

    def robust(h: float) -> object:
        return rdrobust(rows["y"], rows["score"], c=CUTOFF, cluster=rows["school"], vce="cr1", h=h)

    return [
        (f"sharp, honest, bandwidth chosen, three bounds, {len(rows):,} rows", "rdrobust by school, at that bandwidth (one fit)",
         lambda: rdd(rows, **GIVEN, curvature=0.05), lambda: robust(fit.bandwidth),
         lambda a, b: abs(a.estimate - b.coef.iloc[0, 0]) < 1e-8),
        ("fuzzy, honest by inversion, bandwidth chosen, three bounds", "rdrobust fuzzy by school, at that bandwidth",
         lambda: rdd(rows, **GIVEN, treated="served", curvature=(0.05, 0.01), bandwidth=4.0),
         lambda: rdrobust(rows["y"], rows["score"], c=CUTOFF, fuzzy=rows["served"], cluster=rows["school"], vce="cr1", h=4.0),
         lambda a, b: abs(a.estimate - b.coef.iloc[0, 0]) < 1e-8),
        ("eight bandwidths, after the pass", "numpy on rows, no errors",
         lambda: bandwidth_ladder(fit, bandwidths=ladder), lambda: on_rows(rows, ladder),
         lambda a, b: np.allclose(a.table["estimate"], b, atol=1e-8)),
        ("donuts and six placebo cut-offs, after the pass", "numpy on rows, eight fits, no errors",
         lambda: (donut(fit), placebo_cutoffs(fit)), lambda: on_rows(rows, ladder),
         lambda a, b: len(a[0].table) + len(a[1].table) == len(b)),
        ("density at the cut-off by school, with the bend needed", "pandas, the histogram alone",
         lambda: density_at_cutoff(rows["score"], cutoff=CUTOFF, cluster=rows["school"]),
         lambda: rows.groupby(["school", "score"]).size(), lambda a, b: a.n_at == b.xs(CUTOFF, level="score").sum()),
        ("heaps on every score by school", "pandas, the histogram alone",
         lambda: heaping(rows["score"], cluster=rows["school"]), lambda: rows.groupby(["school", "score"]).size(),
         lambda a, b: a.n_used == b.sum()),
    ]  # fmt: skip
