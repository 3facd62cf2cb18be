"""Cluster-robust promises beside what one writes without us."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.effects import (
    cluster_robust,
    cluster_robust_from_sums,
    school_permutation,
    wild_cluster_bootstrap,
)
from mhlib.stats.effects.wild_draws import drawn_weights

PUPILS, SCHOOLS, CLASSES, WAVES = 130_000, 129, 3_000, 3
MODEL = "y ~ t1 + t2 + g + t1:g + t2:g"


def trial(pupils: int) -> pd.DataFrame:
    """Three waves of pupils in classes in schools of unequal size, half of the schools treated; some waves are lost."""
    rng = np.random.default_rng(7)
    share = rng.gamma(4.0, size=CLASSES)
    klass = np.sort(rng.choice(CLASSES, size=pupils, p=share / share.sum()))
    school = klass * SCHOOLS // CLASSES
    level = rng.normal(size=SCHOOLS)[school] * 0.2 + rng.normal(size=CLASSES)[klass] * 0.2 + rng.normal(size=pupils)
    rows = pd.DataFrame(
        {"school": np.tile(school, WAVES), "class": np.tile(klass, WAVES), "wave": np.repeat(range(WAVES), pupils)}
    )
    rows["g"] = rows["school"] % 2
    rows["t1"], rows["t2"] = (rows["wave"] == 1) * 1.0, (rows["wave"] == 2) * 1.0
    rows["y"] = np.tile(level, WAVES) + 0.8 * rng.normal(size=len(rows)) - 0.12 * rows["g"] * rows["t1"]
    kept = rng.random(len(rows)) > np.array([0.0, 0.06, 0.12])[rows["wave"]]
    return rows[kept].sort_values("school", kind="stable").reset_index(drop=True)


def refitted(rows: pd.DataFrame, n_draws: int) -> np.ndarray:
    """Restricted wild bootstrap of `g`, each draw a regression on rows: t statistics."""
    x = np.column_stack([np.ones(len(rows)), rows["t1"], rows["t2"], rows["g"]])
    rest, y, code = x[:, :3], rows["y"].to_numpy(), rows["school"].to_numpy()
    fitted = rest @ np.linalg.lstsq(rest, y, rcond=None)[0]
    inverse, found = np.linalg.inv(x.T @ x), []
    for sign in next(drawn_weights("rademacher", SCHOOLS, 9_999, 1))[:n_draws]:
        drawn = fitted + sign[code] * (y - fitted)
        beta = inverse @ (x.T @ drawn)
        residual = drawn - x @ beta
        scores = np.column_stack([np.bincount(code, weights=x[:, k] * residual) for k in range(4)])
        found.append(beta[3] / np.sqrt((inverse @ scores.T @ scores @ inverse)[3, 3]))
    return np.array(found)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import statsmodels.formula.api as smf

    rows = trial(PUPILS // 10 if quick else PUPILS)
    fit = cluster_robust(MODEL, rows, cluster="school")
    main = cluster_robust("y ~ t1 + t2 + g", rows, cluster="school")
    n_draws, looped = 9_999, 5

    def theirs(groups: str) -> object:
        return smf.ols(MODEL, rows).fit(cov_type="cluster", cov_kwds={"groups": rows[groups].to_numpy()})

    def dense(groups: str, part: int) -> float:
        """CR2 with one matrix of rows by rows a cluster, of the first clusters: their sum of squared adjusted scores."""
        x = np.column_stack(
            [np.ones(len(rows)), rows["t1"], rows["t2"], rows["g"], rows["t1"] * rows["g"], rows["t2"] * rows["g"]]
        )
        bread, code, total = np.linalg.inv(x.T @ x), rows[groups].to_numpy(), 0.0
        residual = rows["y"].to_numpy() - x @ (bread @ (x.T @ rows["y"].to_numpy()))
        # With few pupils some classes are empty: the first that hold anybody, as in the fit.
        for one in np.unique(code)[:part]:
            inside = code == one
            value, vector = np.linalg.eigh(np.eye(inside.sum()) - x[inside] @ bread @ x[inside].T)
            turned = vector @ (vector.T @ residual[inside] / np.sqrt(value))
            total += float((bread @ (x[inside].T @ turned))[3] ** 2)
        return total

    by_class = cluster_robust(MODEL, rows, cluster="class")

    own_part = float(((by_class.found.scores @ by_class.found.scale.T)[:10, 3] ** 2).sum())
    return [
        (f"CR1S by school, {len(rows):,} rows, from the formula", "statsmodels, CR1S (no CR2, no df)",
         lambda: cluster_robust(MODEL, rows, cluster="school", kind="CR1S"), lambda: theirs("school"),
         lambda a, b: np.allclose(a.std_errors, b.bse, rtol=1e-8)),
        ("CR2 + df by 129 schools, from the formula", "statsmodels, CR1S (clubSandwich: 476 s for 2 schools)",
         lambda: cluster_robust(MODEL, rows, cluster="school"), lambda: theirs("school"),
         lambda a, b: np.allclose(a.estimates, b.params, rtol=1e-8)),
        ("CR2 + df by 129 schools, after the pass", "statsmodels, CR1S (clubSandwich: 476 s for 2 schools)",
         lambda: cluster_robust_from_sums(fit.sums), lambda: theirs("school"),
         lambda a, b: np.allclose(a.estimates, b.params, rtol=1e-8)),
        ("CR2 + df by 3,000 classes, after the pass", f"numpy, no df (10 classes timed, x {CLASSES / 10:g})",
         lambda: cluster_robust_from_sums(by_class.sums), lambda: dense("class", 10),
         lambda a, b: abs(own_part / b - 1) < 1e-6 and a.n_clusters == by_class.n_clusters),
        (f"wild bootstrap, {n_draws:,} draws, interval (pyfixest 2.4 s)", f"numpy on rows ({looped} timed, x {n_draws / looped:g})",
         lambda: wild_cluster_bootstrap(main, "g", seed=1, n_draws=n_draws), lambda: refitted(rows, looped),
         lambda a, b: np.allclose(a.draws[:looped], b * np.sqrt((SCHOOLS - 1) / SCHOOLS), rtol=1e-6)),
        (f"permutation of schools, {n_draws:,} allocations, with interval", f"statsmodels refits (2 timed, x {n_draws / 2:g})",
         lambda: school_permutation(main, "g", seed=1, n_draws=n_draws),
         lambda: [smf.ols("y ~ t1 + t2 + g", rows).fit().params["g"] for _ in range(2)],
         lambda a, b: abs(a.estimate - b[0]) < 1e-8),
        ("logit CR2 (exact root) by school", "statsmodels Logit, CR1S",
         lambda: cluster_robust("b ~ t1 + g", rows.assign(b=(rows["y"] > 1) * 1), cluster="school", family="binomial"),
         lambda: smf.logit("b ~ t1 + g", rows.assign(b=(rows["y"] > 1) * 1)).fit(disp=0, cov_type="cluster",
                                                                               cov_kwds={"groups": rows["school"]}),
         lambda a, b: np.allclose(a.estimates, b.params, atol=1e-6)),
    ]  # fmt: skip
