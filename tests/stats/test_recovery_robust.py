"""Size and coverage of cluster-robust inference in school-randomised trials, by the house's protocol."""

import numpy as np
import pytest

from mhlib.stats.effects import (
    ClusterSums,
    cluster_robust_from_sums,
    compare_estimands,
    hedges_g_from_summary,
    school_permutation,
    wild_cluster_bootstrap,
)
from mhlib.stats.effects.effect_size_moments import Arm, spread_moments

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 25
# A fifth of the variance lies between schools; the bootstrap and the permutation draw 499 times.
SCHOOL_SD, DRAWS = 0.5, 499


def sums_of(n, treated, mean):
    """Cross-products of `y ~ 1 + t` from the size, arm and mean of each school."""
    n = n.astype(float)
    arm = n * treated
    xx = np.stack([np.stack([n, arm], axis=-1), np.stack([arm, arm], axis=-1)], axis=-2)
    return ClusterSums(names=("Intercept", "t"), n=n.astype(int), xx=xx, xy=np.stack([n * mean, arm * mean], axis=-1),
                       yy=n * (mean**2 + 1))  # fmt: skip


def drawn(rng, n, share, effect=0.0):
    """One trial: arms by lot, school means with their own error and that of their pupils."""
    g = len(n)
    treated = np.zeros(g)
    treated[rng.permutation(g)[: round(share * g)]] = 1
    mean = effect * treated + SCHOOL_SD * rng.normal(size=g) + rng.normal(size=g) / np.sqrt(n)
    return sums_of(n, treated, mean)


def unequal(g):
    """Sizes of g schools from 20 to 600 pupils, the largest thirty times the smallest."""
    return np.round(20 * 30 ** (np.arange(g) / (g - 1))).astype(int)


@pytest.mark.parametrize("g", [12, 30, 129])
def test_size_in_balanced_trials(claims, g):
    study = claims("cluster-robust tests", f"{g} schools of 100 pupils, half treated by lot", n=f"{g} schools",
                   seed=[41, g, 20261125], family=FAMILY)  # fmt: skip
    hits = dict.fromkeys(("CR2, Satterthwaite", "wild bootstrap", "permutation", "pupils as independent"), 0)
    for _ in range(study.replicates):
        fit = cluster_robust_from_sums(drawn(study.rng, np.full(g, 100), 0.5))
        hits["CR2, Satterthwaite"] += fit.p_values[1] < 0.05
        hits["wild bootstrap"] += wild_cluster_bootstrap(fit, "t", seed=1, n_draws=DRAWS).p_value < 0.05
        hits["permutation"] += school_permutation(fit, "t", seed=1, n_draws=DRAWS).p_value < 0.05
        hits["pupils as independent"] += abs(fit.estimates[1]) > 1.96 * fit.model_errors[1]
    study.fail({f"pupils as independent, {g} schools": hits.pop("pupils as independent")}, above=0.3)
    study.size({f"{name}, {g} schools": count for name, count in hits.items()})


@pytest.mark.parametrize("g", [12, 30, 129])
def test_coverage_in_unbalanced_trials(claims, g):
    study = claims("cluster-robust intervals", f"{g} schools of 20 to 600 pupils, a third treated by lot",
                   n=f"{g} schools", seed=[42, g, 20261125], family=FAMILY)  # fmt: skip
    names = (
        "CR2, Satterthwaite",
        "school average, CR2",
        "wild bootstrap",
        "permutation",
        "CR1 and the normal",
        "refused",
    )
    hits = dict.fromkeys(names, 0)
    for _ in range(study.replicates):
        sums = drawn(study.rng, unequal(g), 1 / 3, effect=0.3)
        fit, old = cluster_robust_from_sums(sums), cluster_robust_from_sums(sums, kind="CR1")
        school = cluster_robust_from_sums(sums, estimand="school")
        hits["CR2, Satterthwaite"] += fit.conf_low[1] <= 0.3 <= fit.conf_high[1]
        hits["school average, CR2"] += school.conf_low[1] <= 0.3 <= school.conf_high[1]
        hits["wild bootstrap"] += wild_cluster_bootstrap(fit, "t", seed=1, n_draws=DRAWS, null=0.3).p_value >= 0.05
        hits["permutation"] += school_permutation(fit, "t", seed=1, n_draws=DRAWS, null=0.3).p_value >= 0.05
        hits["CR1 and the normal"] += abs(old.estimates[1] - 0.3) <= 1.96 * old.std_errors[1]
        hits["refused"] += "t" in fit.refusals
    refused, old = hits.pop("refused"), hits.pop("CR1 and the normal")
    if g == 12:
        # Four schools of very unequal size carry an arm: mostly fewer than 4 degrees of freedom, and so no p-value.
        study.find({f"CR2 refuses its p-value, {g} schools": refused}, least=0.6)
        hits = {name: count for name, count in hits.items() if "CR2" not in name}
    if g < 129:
        study.fail({f"CR1 and the normal, {g} schools": old}, below=0.94)
    study.cover({f"{name}, {g} schools": count for name, count in hits.items()})


# Big schools gain more: an average of 0.35 over pupils and of 0.20 over schools.
SIZES, CHANCES, GAINS = np.array([20, 60, 200]), np.array([0.4, 0.4, 0.2]), np.array([0.05, 0.20, 0.50])
BY_PUPIL, BY_SCHOOL = float(SIZES * CHANCES @ GAINS / (SIZES @ CHANCES)), float(CHANCES @ GAINS)


@pytest.mark.parametrize("informative", [True, False])
def test_each_estimand_covers_its_own_average(claims, informative):
    design = "129 schools of 20, 60 or 200 pupils" + (", big ones gain more" if informative else ", all gain alike")
    study = claims(
        "pupil and school averages", design, n="129 schools", seed=[43, informative, 20261125], family=FAMILY
    )
    gains = GAINS if informative else np.full(3, 0.2)
    truth = {"pupil": BY_PUPIL if informative else 0.2, "school": BY_SCHOOL}
    hits = dict.fromkeys(("pupil", "school", "crossed", "told apart"), 0)
    for _ in range(study.replicates):
        kind = study.rng.choice(3, size=129, p=CHANCES)
        n, treated = SIZES[kind], np.zeros(129)
        treated[study.rng.permutation(129)[:64]] = 1
        mean = gains[kind] * treated + 0.2 * study.rng.normal(size=129) + study.rng.normal(size=129) / np.sqrt(n)
        found = compare_estimands(cluster_robust_from_sums(sums_of(n, treated, mean)), "t")
        for name in ("pupil", "school"):
            fit = getattr(found, name)
            hits[name] += fit.conf_low[1] <= truth[name] <= fit.conf_high[1]
        hits["crossed"] += found.pupil.conf_low[1] <= truth["school"] <= found.pupil.conf_high[1]
        hits["told apart"] += found.difference_p < 0.05
    study.cover(
        {f"{name} average{', informative size' if informative else ''}": hits[name] for name in ("pupil", "school")}
    )
    if informative:
        study.fail({"pupil average read as school average": hits["crossed"]}, below=0.8)
        study.find({"informative size is found": hits["told apart"]}, least=0.5)
    else:
        study.size({"test of informative size": hits["told apart"]})


def test_hedges_g_covers_the_planted_effect(claims):
    study = claims("Hedges' g with clusters", "30 schools of 20 pupils, intraclass correlation .1 known, effect .4",
                   n="30 schools", seed=[44, 20261125], family=FAMILY)  # fmt: skip
    arm = Arm.of_average(300, 20)
    hits = {"g, total deviation": 0, "g, pupils as independent": 0}
    estimates, between = [], np.sqrt(0.1)
    for _ in range(study.replicates):
        means = between * study.rng.normal(size=(2, 15)) + np.sqrt(0.9 / 20) * study.rng.normal(size=(2, 15))
        within = 0.9 * study.rng.chisquare(570)
        spread = np.sqrt((within + 20 * ((means - means.mean(axis=1, keepdims=True)) ** 2).sum()) / 598)
        centre = (means[0].mean() + 0.4, means[1].mean())
        found = hedges_g_from_summary(*centre, spread, spread, 300, 300, icc=0.1, cluster_size=20)
        plain = hedges_g_from_summary(*centre, spread, spread, 300, 300)
        hits["g, total deviation"] += found.conf_low <= 0.4 <= found.conf_high
        hits["g, pupils as independent"] += plain.conf_low <= 0.4 <= plain.conf_high
        estimates.append(found.g)
    study.cover({"g, total deviation, 30 schools": hits["g, total deviation"]})
    study.fail({"g, pupils as independent": hits["g, pupils as independent"]}, below=0.85)
    study.near({"mean of g": estimates}, 0.38, 0.42)
    assert spread_moments((arm, arm), 0.1).eta == pytest.approx(2.9)
