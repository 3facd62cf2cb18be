"""Factor models and invariance from rows: 130,000 pupils, 3 factors, 20 items.

No Python library that the project depends on fits these models, so the peer is what one would write with
`scipy.optimize`: the same discrepancy, gradient by differences. lavaan's time is quoted in the peer's name.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import optimize

from mhlib.stats.measurement import cfa, invariance

FACTOR = np.repeat([0, 1, 2], [7, 7, 6])
ITEMS = [f"i{i + 1}" for i in range(20)]
MARKERS = np.array([0, 7, 14])
MODEL = "\n".join(
    f"f{f} =~ " + " + ".join(name for name, own in zip(ITEMS, FACTOR, strict=True) if own == f) for f in range(3)
)


def pupils(n: int) -> pd.DataFrame:
    """Answers 0-3 of n pupils with sex and grade."""
    rng = np.random.default_rng(20240901)
    root = np.linalg.cholesky(np.array([[1, 0.5, 0.45], [0.5, 1, 0.55], [0.45, 0.55, 1]]))
    loading = np.linspace(0.55, 0.82, 20)
    trait = (rng.normal(size=(n, 3)) @ root.T)[:, FACTOR]
    latent = loading * trait + np.sqrt(1 - loading**2) * rng.normal(size=(n, 20))
    frame = pd.DataFrame(np.searchsorted([0.15, 0.95, 1.65], latent).astype(np.int8), columns=ITEMS)
    return frame.assign(sex=rng.integers(0, 2, n), grade=rng.integers(7, 13, n))


def by_differences(cov: np.ndarray, n: int) -> float:
    """Chi2 of the three factors by scipy's quasi-Newton search without a gradient."""
    free = np.setdiff1d(np.arange(20), MARKERS)
    log_det = np.linalg.slogdet(cov)[1]
    low = np.tril_indices(3)

    def discrepancy(theta: np.ndarray) -> float:
        loading = np.zeros((20, 3))
        loading[MARKERS, FACTOR[MARKERS]] = 1
        loading[free, FACTOR[free]] = theta[:17]
        psi = np.zeros((3, 3))
        psi[low] = theta[17:23]
        psi = psi + np.tril(psi, -1).T
        sigma = loading @ psi @ loading.T + np.diag(theta[23:])
        sign, size = np.linalg.slogdet(sigma)
        return size + np.trace(np.linalg.solve(sigma, cov)) - log_det - 20 if sign > 0 else 1e10

    start = np.r_[np.full(17, 1.0), 0.4, 0.2, 0.4, 0.2, 0.2, 0.4, 0.5 * np.diag(cov)]
    found = optimize.minimize(discrepancy, start, method="L-BFGS-B", options={"maxiter": 2000, "maxfun": 10**6})
    return n * float(found.fun)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same?)."""
    n = 13_000 if quick else 130_000
    data = pupils(n)

    def one_model() -> float:
        values = data[ITEMS].to_numpy(dtype=float)
        return by_differences(np.cov(values.T, bias=True), n)

    def each_group(groups: str) -> float:
        """Configural model only: the groups one after another."""
        parts = [part[ITEMS].to_numpy(dtype=float) for _, part in data.groupby(groups)]
        return sum(by_differences(np.cov(part.T, bias=True), len(part)) for part in parts)

    def fourth() -> np.ndarray:
        """The products of all pairs of items at once, and their covariance: what a robust chi2 costs at least."""
        values = data[ITEMS].to_numpy(dtype=float)
        values = values - values.mean(axis=0)
        i, j = np.triu_indices(20)
        return np.cov((values[:, i] * values[:, j]).T, bias=True)

    def same_ladder(ours: object, theirs: float) -> bool:
        return abs(ours.steps["chi2"].iloc[0] / theirs - 1) < 1e-4

    return [
        (f"CFA, {n:,} pupils x 20 items, with all indices", "scipy, no gradient (chi2 only); lavaan .32 s",
         lambda: cfa(data, MODEL), one_model, lambda a, b: abs(a.fit.chi2 / b - 1) < 1e-4),
        ("the same, robust (MLR)", "numpy fourth moments only; lavaan 13.8 s (OpenBLAS 4.75)",
         lambda: cfa(data, MODEL, estimator="mlr"), fourth,
         lambda a, b: 0.5 < a.fit.scaling < 2 and np.isfinite(b).all()),
        ("4-step invariance, 2 groups", "scipy, 1st step only; lavaan 1.88 s",
         lambda: invariance(data, MODEL, groups="sex"), lambda: each_group("sex"), same_ladder),
        ("4-step invariance, 6 groups", "scipy, 1st step only; lavaan 8.89 s",
         lambda: invariance(data, MODEL, groups="grade"), lambda: each_group("grade"), same_ladder),
        ("4-step invariance, 6 groups, robust (MLR)", "numpy fourth moments only; lavaan 93.5 s",
         lambda: invariance(data, MODEL, groups="grade", estimator="mlr"), fourth,
         lambda a, b: len(a.steps) == 4 and np.isfinite(b).all()),
    ]  # fmt: skip
