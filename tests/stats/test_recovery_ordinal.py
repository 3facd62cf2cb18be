"""Coverage and size for ordered items, by the house's protocol (see test_recovery.py).

A whole model is dear (25 ms, a ladder 90 ms), so the models use 800 and the ladders 400 replicates instead of 2,000: the Monte
Carlo interval widens with that, and a test still fails when it excludes nominal plus or minus one point.
"""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from mhlib.stats.intervals import critical
from mhlib.stats.measurement import categorical_omega, fit_wlsmv, invariance_impact, invariance_wlsmv, ordinal_alpha
from mhlib.stats.measurement.bivariate_normal import distribution
from mhlib.stats.measurement.ordinal_moments import moments_from_tables
from mhlib.stats.measurement.ordinal_omega import of_points
from mhlib.stats.measurement.polychoric_correlation import on_fisher
from mhlib.stats.measurement.polychoric_tables import ItemTables

LOADING = np.array([0.5, 0.6, 0.7, 0.8, 0.65, 0.55])
# Most pupils answer "never": the shape of a symptom scale.
STEPS = np.array([0.3, 1.0, 1.7])


def meets(hits: int, n: int, nominal: float, claims: int) -> bool:
    """Whether the Monte Carlo interval (Wilson, family-wise) meets nominal plus or minus one point."""
    low, high = proportion_confint(hits, n, alpha=0.05 / claims, method="wilson")
    return low <= nominal + 0.01 and high >= nominal - 0.01


def answers(rng: np.random.Generator, n: int) -> np.ndarray:
    """Answers of n pupils to six items, one factor."""
    z = rng.normal(size=(n, 1)) * LOADING + rng.normal(size=(n, 6)) * np.sqrt(1 - LOADING**2)
    return np.digitize(z, STEPS)


@pytest.mark.slow
def test_polychoric_intervals_cover():
    rng, replicates = np.random.default_rng([11, 20261125]), 2000
    edges = np.concatenate([[-np.inf], STEPS, [np.inf]])
    rho, hits = 0.6, 0
    corner = distribution(edges[:, None], edges[None, :], np.full((5, 5), rho))
    cells = np.diff(np.diff(corner, axis=0), axis=1)
    for table in rng.multinomial(500, cells.ravel() / cells.sum(), size=replicates):
        square = table.reshape(1, 4, 4).astype(float)
        counts = np.stack([square[0].sum(axis=1), square[0].sum(axis=0)])
        found = moments_from_tables(ItemTables(square, counts, np.array([4, 4]), 500))
        low, high = on_fisher(found.values[-1:], np.sqrt(found.weights[-1:] / 500), critical(0.95))
        hits += low[0] <= rho <= high[0]
    assert meets(hits, replicates, 0.95, 1), hits


@pytest.mark.slow
def test_loadings_and_reliabilities_cover_and_the_scaled_test_holds_its_size():
    rng, replicates = np.random.default_rng([12, 20261125]), 800
    pair = np.outer(LOADING, LOADING)[np.triu_indices(6, 1)]
    truth = of_points(LOADING, np.tile(STEPS, 6), np.repeat(np.arange(6), 3), np.ones(18), pair).value
    alpha_truth = 6 / 5 * (1 - 6 / (6 + 2 * pair.sum()))
    covered, scaled, naive = np.zeros(6), 0, 0
    omega = alpha = 0
    for _ in range(replicates):
        rows = pd.DataFrame(answers(rng, 1000))
        found = categorical_omega(rows)
        table, fit = found.model.standardised, found.model.fit
        covered += (table["conf_low"] <= LOADING) & (table["conf_high"] >= LOADING)
        scaled += fit.at["scaled", "p_value"] < 0.05
        naive += fit.at["naive", "p_value"] < 0.05
        low, high = found.values.loc["omega_categorical", ["conf_low", "conf_high"]]
        omega += low <= truth <= high
        record = ordinal_alpha(rows)
        alpha += record.conf_low <= alpha_truth <= record.conf_high
    assert all(meets(int(hit), replicates, 0.95, 9) for hit in covered), covered
    assert meets(omega, replicates, 0.95, 9), omega
    assert meets(alpha, replicates, 0.95, 9), alpha
    assert meets(scaled, replicates, 0.05, 9), scaled
    # The naive statistic does not: it is what the scaling is for.
    assert naive < 0.02 * replicates, naive


@pytest.mark.slow
def test_difference_tests_and_points_hold_their_size():
    rng, replicates, n = np.random.default_rng([13, 20261125]), 400, 600
    rejected, points, means = np.zeros(3), 0, 0
    group = np.repeat(["a", "b"], n)
    for _ in range(replicates):
        # The second group is worse off and more spread, but the items work alike.
        trait = rng.normal(size=2 * n) * np.where(group == "b", 1.2, 1.0) + 0.4 * (group == "b")
        z = trait[:, None] * LOADING + rng.normal(size=(2 * n, 6)) * np.sqrt(1 - LOADING**2)
        rows = pd.DataFrame(np.digitize(z, STEPS), columns=[f"x{i}" for i in range(6)])
        model = "F =~ " + " + ".join(rows)
        found = invariance_wlsmv(rows.assign(group=group), model, groups="group")
        rejected += found.steps["diff_p"].to_numpy()[1:] < 0.05
        mean = found.latent_means.iloc[0]
        means += mean["conf_low"] <= 0.4 <= mean["conf_high"]
        points += invariance_impact(found).effects["p_value"].iloc[0] < 0.05
    assert all(meets(int(hit), replicates, 0.05, 5) for hit in rejected), rejected
    assert meets(means, replicates, 0.95, 5), means
    assert meets(points, replicates, 0.05, 5), points


@pytest.mark.slow
def test_the_sequence_finds_a_planted_shift():
    rng, hits = np.random.default_rng([14, 20261125]), 0
    group = np.repeat(["a", "b"], 600)
    for _ in range(25):
        rows = answers(rng, 1200)
        z = rng.normal(size=(600, 1)) * LOADING + rng.normal(size=(600, 6)) * np.sqrt(1 - LOADING**2)
        z[:, 0] += 0.5
        rows[600:] = np.digitize(z, STEPS)
        frame = pd.DataFrame(rows, columns=[f"x{i}" for i in range(6)])
        found = invariance_wlsmv(frame.assign(group=group), "F =~ " + " + ".join(frame), groups="group")
        hits += found.steps["diff_p"].iloc[3] < 0.05
    assert hits >= 24, hits


@pytest.mark.slow
def test_errors_by_school_cover_where_those_of_independent_pupils_do_not():
    rng, replicates, schools, size = np.random.default_rng([15, 20261125]), 400, 100, 100
    school = np.repeat(np.arange(schools), size)
    text = "F =~ " + " + ".join(f"x{i}" for i in range(6))
    hits = {"school": np.zeros(7), "alone": np.zeros(7)}
    for _ in range(replicates):
        # Schools differ in the trait and in each item's residual; over all pupils the loadings are as planted.
        trait = rng.normal(size=schools)[school] * np.sqrt(0.15) + rng.normal(size=len(school)) * np.sqrt(0.85)
        rest = rng.normal(size=(schools, 6))[school] * np.sqrt(0.1) + rng.normal(size=(len(school), 6)) * np.sqrt(0.9)
        z = trait[:, None] * LOADING + rest * np.sqrt(1 - LOADING**2)
        rows = pd.DataFrame(np.digitize(z, STEPS), columns=[f"x{i}" for i in range(6)])
        for name, cluster in (("school", school), ("alone", None)):
            found = fit_wlsmv(rows, text, std_lv=True, cluster=cluster)
            low, high = found.standardised[["conf_low", "conf_high"]].to_numpy().T
            rejected = found.fit.at["scaled", "p_value"] < 0.05
            hits[name] = hits[name] + np.append((low <= LOADING) & (high >= LOADING), rejected)
    assert all(meets(int(hit), replicates, 0.95, 7) for hit in hits["school"][:6]), hits
    assert meets(int(hits["school"][6]), replicates, 0.05, 7), hits
    assert not any(meets(int(hit), replicates, 0.95, 7) for hit in hits["alone"][:6]), hits
    assert not meets(int(hits["alone"][6]), replicates, 0.05, 7), hits
