"""CR2 of a nested mixed model beside the textbook's matrices of rows by rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.multilevel import CLASSES, LEVELS, PUPILS, SCHOOLS, city
from mhlib.stats.effects import multilevel
from mhlib.stats.effects.mixed_robust import mixed_cluster_robust

FORMULA = "y ~ arm * (t1 + t2)"


def dense(fit: object, rows: pd.DataFrame, names: list[str], schools: list[int]) -> np.ndarray:
    """CR2's adjusted scores of some schools, A = D'(D (V - X M X') D')^(-1/2) D of rows by rows, D the Cholesky factor."""
    m, found = fit.core.covariance / fit.core.sigma**2, []
    for school in schools:
        here = rows[rows["school"] == school]
        x = np.asarray(fit.core.design.spec.get_model_matrix(here, context={}), dtype=float)
        v, e = np.eye(len(here)), here["y"].to_numpy() - x @ fit.core.beta
        for theta, name in zip(fit.core.theta, names[::-1], strict=True):
            label = here[name].to_numpy()
            v += theta**2 * (label[:, None] == label)
        d = np.linalg.cholesky(v).T
        value, vector = np.linalg.eigh(d @ (v - x @ m @ x.T) @ d.T)
        turned = d.T @ (vector @ (vector.T @ (d @ e) / np.sqrt(value)))
        found.append(m @ x.T @ np.linalg.solve(v, turned))
    return np.array(found)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    data = city(*((13_000, 13, 300) if quick else (PUPILS, SCHOOLS, CLASSES)))
    n = data["school"].nunique()
    # The smallest school: its matrices are of some thousand rows.
    small = [int(data["school"].value_counts().idxmin())]
    rows = []
    for names in (LEVELS, ["school", "pupil"]):
        fit = multilevel(FORMULA, data, groups=names)
        rows.append(
            (f"CR2 + df of the mixed model, {len(names)} levels, {len(data):,} rows",
             f"numpy, no df (smallest school timed, x {n})",
             lambda fit=fit: mixed_cluster_robust(fit, data),
             lambda fit=fit, names=names: dense(fit, data, names, small),
             lambda a, b: np.allclose(
                 (a.found.scores @ a.found.scale.T)[a.clusters.get_indexer(small)], b, rtol=1e-6, atol=1e-10))
        )  # fmt: skip
    return rows
