"""Size and coverage of cluster-robust errors of a mixed model with few schools, its variances right and wrong."""

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects import multilevel_from_statistics, nested_statistics
from mhlib.stats.effects.mixed_robust import mixed_cluster_robust

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 8
# Trials that share one allocation, and with it one pass over the rows.
TOGETHER, EFFECT = 20, 0.4
WHY = "each replicate fits a mixed model twice over, by two optimisers"


def trials(rng, g, wrong):
    """Two waves of 4 to 20 pupils in each of g schools, half of them treated by lot; `TOGETHER` outcomes."""
    size = np.round(4 * 5 ** (np.arange(g) / (g - 1))).astype(int)
    school, n = np.repeat(np.arange(g), size), size.sum()
    rows = pd.DataFrame({"school": np.tile(school, 2), "pupil": np.tile(np.arange(n), 2)})
    rows["wave"], rows["arm"] = np.repeat([-0.5, 0.5], n), (rng.permutation(g) < g // 2)[rows["school"]] * 1.0
    at = rows["school"].to_numpy()
    for k in range(TOGETHER):
        # Wrong: schools differ in how they change, and in how much their pupils differ.
        spread = np.exp(0.4 * rng.normal(size=g)) if wrong else np.ones(g)
        change = 0.4 * rng.normal(size=g) if wrong else np.zeros(g)
        own = 0.8 * spread[school] * rng.normal(size=n)
        level = 0.5 * rng.normal(size=g)[at] + np.tile(own, 2) + change[at] * rows["wave"]
        rows[f"y{k}"] = level + EFFECT * rows["arm"] + 0.6 * spread[at] * rng.normal(size=len(rows))
    return rows


def fits(rng, g, wrong, groups):
    """Fits of `TOGETHER` trials, each with its robust errors by the highest level."""
    rows = trials(rng, g, wrong)
    found = nested_statistics("y0 ~ arm * wave", rows, groups=groups, outcomes=[f"y{k}" for k in range(TOGETHER)])
    for k in range(TOGETHER):
        fit = multilevel_from_statistics(found, outcome=f"y{k}")
        yield fit.fixed.set_index("term"), mixed_cluster_robust(fit, rows)


@pytest.mark.parametrize("g", [12, 24])
@pytest.mark.parametrize("wrong", [False, True])
def test_size_and_coverage(claims, g, wrong):
    kind = "the model wrong about variances" if wrong else "the model right"
    study = claims("cluster-robust mixed models", f"{g} schools of 4 to 20 pupils, two waves, {kind}", n=f"{g} schools",
                   seed=[61, g, wrong, 20261126], family=FAMILY, replicates=600, why=WHY)  # fmt: skip
    covered = rejected = naive = n = 0
    while n < study.replicates:
        for fixed, robust in fits(study.rng, g, wrong, ["school", "pupil"]):
            n += 1
            if n > study.replicates:
                break
            arm, change = robust.position("arm"), robust.position("arm:wave")
            covered += robust.conf_low[arm] <= EFFECT <= robust.conf_high[arm]
            rejected += robust.p_values[change] < 0.05
            naive += fixed.loc["arm:wave", "p_value"] < 0.05
    study.cover({f"CR2 interval of the effect, {g} schools, {kind}": covered})
    study.size({f"CR2 test of no change, {g} schools, {kind}": rejected})
    if wrong:
        study.fail({f"the model's own error, {g} schools, {kind}": naive}, above=0.1)


def test_clusters_that_are_not_independent(claims):
    study = claims("cluster-robust mixed models", "24 schools of 4 to 20 pupils, treated as wholes, no level of schools",
                   n="24 schools", seed=[62, 20261126], family=FAMILY, replicates=250,
                   why=f"{WHY}; the failure is plain")  # fmt: skip
    missed = {}
    for groups in ("pupil", "school"):
        missed[groups] = n = 0
        while n < study.replicates:
            for _, robust in fits(study.rng, 24, False, groups):
                n += 1
                if n > study.replicates:
                    break
                arm = robust.position("arm")
                missed[groups] += not robust.conf_low[arm] <= EFFECT <= robust.conf_high[arm]
    study.fail({"CR2 by pupils where schools were allocated": missed["pupil"]}, above=0.15)
    study.find({"CR2 by schools misses": missed["school"]}, most=0.10)
