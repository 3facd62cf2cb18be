"""Coverage and size for ordered items, by the house's protocol (see test_recovery.py).

A whole model is dear (25 ms, a ladder 90 ms), so the models use 800 and the ladders 400 replicates instead of 2,000: the Monte
Carlo interval widens with that, and a test still fails when it excludes nominal plus or minus one point.
"""

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.intervals import critical
from mhlib.stats.measurement import categorical_omega, fit_wlsmv, invariance_impact, invariance_wlsmv, ordinal_alpha
from mhlib.stats.measurement.bivariate_normal import distribution
from mhlib.stats.measurement.ordinal_moments import moments_from_tables
from mhlib.stats.measurement.ordinal_omega import of_points
from mhlib.stats.measurement.polychoric_correlation import on_fisher
from mhlib.stats.measurement.polychoric_tables import ItemTables

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 22
MODEL = "a whole model takes 25 ms"
LOADING = np.array([0.5, 0.6, 0.7, 0.8, 0.65, 0.55])
# Most pupils answer "never": the shape of a symptom scale.
STEPS = np.array([0.3, 1.0, 1.7])


def answers(rng: np.random.Generator, n: int) -> np.ndarray:
    """Answers of n pupils to six items, one factor."""
    z = rng.normal(size=(n, 1)) * LOADING + rng.normal(size=(n, 6)) * np.sqrt(1 - LOADING**2)
    return np.digitize(z, STEPS)


@pytest.mark.slow
def test_polychoric_intervals_cover(claims):
    study = claims("ordered items", "two items of four answers", n="500 pupils", seed=[11, 20261125], family=FAMILY)
    rng, replicates = study.rng, study.replicates
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
    study.cover({"polychoric correlation": hits})


@pytest.mark.slow
def test_loadings_and_reliabilities_cover_and_the_scaled_test_holds_its_size(claims):
    study = claims("ordered items", "six skewed items, one factor, WLSMV", n="1,000 pupils", seed=[12, 20261125], family=FAMILY,
                   replicates=800, why=MODEL)  # fmt: skip
    rng, replicates = study.rng, study.replicates
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
    study.cover({f"standardised loading {i}": hit for i, hit in enumerate(covered, 1)})
    study.cover({"categorical omega": omega, "ordinal alpha": alpha})
    study.size({"scaled chi-square test of a true model": scaled})
    # The naive statistic does not: it is what the scaling is for.
    study.fail({"naive chi-square test, far too cautious": naive}, below=0.04, nominal=0.05)


@pytest.mark.slow
def test_difference_tests_and_points_hold_their_size(claims):
    study = claims("invariance", "two groups, ordered items measured alike, WLSMV", n="600 pupils a group", seed=[13, 20261125],
                   family=FAMILY, replicates=400, why="a ladder of models takes 90 ms")  # fmt: skip
    rng, replicates, n = study.rng, study.replicates, 600
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
    study.size({f"difference test of step {i}": hit for i, hit in enumerate(rejected, 1)})
    study.cover({"difference of latent means": means})
    study.size({"effect in points": points})


@pytest.mark.slow
def test_the_sequence_finds_a_planted_shift(claims):
    study = claims("invariance", "one ordered item shifted by half a standard deviation", n="600 pupils a group",
                   seed=[14, 20261125], family=FAMILY, replicates=100, fewest=100, why="a share near 1 needs no more")  # fmt: skip
    rng, hits = study.rng, 0
    group = np.repeat(["a", "b"], 600)
    for _ in range(study.replicates):
        rows = answers(rng, 1200)
        z = rng.normal(size=(600, 1)) * LOADING + rng.normal(size=(600, 6)) * np.sqrt(1 - LOADING**2)
        z[:, 0] += 0.5
        rows[600:] = np.digitize(z, STEPS)
        frame = pd.DataFrame(rows, columns=[f"x{i}" for i in range(6)])
        found = invariance_wlsmv(frame.assign(group=group), "F =~ " + " + ".join(frame), groups="group")
        hits += found.steps["diff_p"].iloc[3] < 0.05
    study.find({"step of the intercepts rejected": hits}, least=0.90)


@pytest.mark.slow
def test_errors_by_school_cover_where_those_of_independent_pupils_do_not(claims):
    schools, size = 100, 100
    study = claims("ordered items", "six skewed items, one factor, pupils of a school alike", n=f"{schools} schools of {size}",
                   seed=[15, 20261125], family=FAMILY, replicates=400, why=MODEL)  # fmt: skip
    rng, replicates = study.rng, study.replicates
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
    *covered, rejected = hits["school"]
    *alone, wrongly = hits["alone"]
    study.cover({f"standardised loading {i}, errors by school": hit for i, hit in enumerate(covered, 1)})
    study.size({"scaled chi-square test, by school": rejected})
    name = "standardised loading {}, pupils taken as independent"
    study.fail({name.format(i): hit for i, hit in enumerate(alone, 1)}, below=0.94)
    study.fail({"scaled chi-square test, pupils taken as independent": wrongly}, above=0.06)
