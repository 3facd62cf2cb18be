"""Ordered items: the polychoric table, WLSMV and the invariance ladder at 130,000 pupils."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.stats import multivariate_normal, norm

from mhlib.stats.measurement import fit_wlsmv, invariance_wlsmv, polychoric

PUPILS = 130_000
FACTORS = np.repeat([0, 1, 2], [7, 7, 6])


def screening(n: int) -> pd.DataFrame:
    """20 items with four categories on three factors, sex and grade."""
    rng = np.random.default_rng(20240901)
    root = np.linalg.cholesky(np.array([[1, 0.5, 0.45], [0.5, 1, 0.55], [0.45, 0.55, 1.0]]))
    loading = np.linspace(0.55, 0.82, 20)[rng.permutation(20)]
    trait = (rng.normal(size=(n, 3)) @ root.T)[:, FACTORS] * loading
    answers = np.digitize(trait + rng.normal(size=(n, 20)) * np.sqrt(1 - loading**2), [0.15, 0.95, 1.65])
    frame = pd.DataFrame(answers.astype(np.int8), columns=[f"i{i + 1}" for i in range(20)])
    return frame.assign(sex=rng.integers(0, 2, n), grade=rng.integers(7, 13, n))


def pair_by_pair(frame: pd.DataFrame) -> list[float]:
    """What one writes with scipy: a table, its thresholds, and a bounded search of one correlation (no errors)."""
    found = []
    for i, j in zip(*np.triu_indices(frame.shape[1], 1), strict=True):
        table = pd.crosstab(frame.iloc[:, i], frame.iloc[:, j]).to_numpy()
        h = np.r_[-8, norm.ppf(np.cumsum(table.sum(axis=1))[:-1] / table.sum()), 8]
        k = np.r_[-8, norm.ppf(np.cumsum(table.sum(axis=0))[:-1] / table.sum()), 8]
        grid = np.stack(np.meshgrid(h, k, indexing="ij"), axis=-1)

        def loss(rho: float, table=table, grid=grid) -> float:
            corner = multivariate_normal.cdf(grid, cov=[[1, rho], [rho, 1]])
            cells = np.diff(np.diff(corner, axis=0), axis=1)
            return -float(np.sum(table * np.log(np.maximum(cells, 1e-12))))

        found.append(optimize.minimize_scalar(loss, bounds=(-0.99, 0.99), method="bounded").x)
    return found


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    frame = screening(13_000 if quick else PUPILS)
    items = frame.drop(columns=["sex", "grade"])
    model = "\n".join(f"f{factor} =~ " + " + ".join(items.columns[factor == FACTORS].to_list()) for factor in range(3))

    def nothing() -> None:
        """No Python library fits these models; lavaan's time stands in the promise."""

    return [
        ("polychoric with errors, 190 pairs (lavaan 6.2 s, psych 1.2 s)", "scipy, pair by pair",
         lambda: polychoric(items), lambda: pair_by_pair(items),
         lambda a, b: np.allclose(a.correlation.to_numpy()[np.triu_indices(20, 1)], b, atol=1e-5)),
        ("WLSMV, 3 factors, 20 items (lavaan 20.7 s)", "none in Python", lambda: fit_wlsmv(items, model), nothing,
         lambda a, b: a.fit.at["scaled", "cfi"] > 0.99),
        ("4 steps of invariance, 2 groups (lavaan 92 s)", "none in Python",
         lambda: invariance_wlsmv(frame, model, groups="sex"), nothing, lambda a, b: a.highest == "intercepts"),
        ("4 steps of invariance, 6 groups (lavaan 184 s)", "none in Python",
         lambda: invariance_wlsmv(frame, model, groups="grade"), nothing, lambda a, b: a.highest == "intercepts"),
    ]  # fmt: skip
