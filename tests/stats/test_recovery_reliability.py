"""Coverage of alpha, omega and intraclass correlations, with and without schools, and what parallel analysis finds.

The protocol of test_recovery.py: the Monte Carlo interval (Wilson, family-wise over the claims) must meet nominal plus or
minus one point.
"""

import numpy as np
import pytest

from mhlib.stats.measurement import (
    alpha_from_covariance,
    alpha_from_school_sums,
    omega_from_covariance,
    parallel_analysis_from_correlation,
)
from mhlib.stats.measurement.icc_forms import agreement_interval, mean_squares, single_forms
from mhlib.stats.measurement.retest_table import sums_by_school
from mhlib.stats.measurement.retest_values import (
    PairMoments,
    moments_of_sums,
    pair_moments,
    retest_intervals,
    retest_values,
)
from mhlib.stats.measurement.school_sums import school_sums, school_weights

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY, ITEMS = 15, 6
ALIKE, UNLIKE = "normal items, alike", "normal items that load unlike"


def wishart(truth: np.ndarray, n: int, study) -> np.ndarray:
    """Covariances of normal rows, shape (replicates, k, k)."""
    rng, k = study.rng, len(truth)
    lower = np.tril(rng.standard_normal((study.replicates, k, k)), -1)
    lower[:, range(k), range(k)] = np.sqrt(rng.chisquare(n - 1 - np.arange(k), size=(study.replicates, k)))
    half = np.linalg.cholesky(truth) @ lower
    return half @ half.transpose(0, 2, 1) / (n - 1)


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
@pytest.mark.parametrize("ci", ["feldt", "bonett"])
def test_alpha_is_covered(claims, n, ci):
    study = claims("reliability", ALIKE, n=f"{n:,} pupils", seed=[1, 20261124], family=FAMILY)
    truth = np.full((ITEMS, ITEMS), 0.4) + 0.6 * np.eye(ITEMS)
    alpha = ITEMS * 0.4 / (1 + (ITEMS - 1) * 0.4)
    hits = 0
    for cov in wishart(truth, n, study):
        found = alpha_from_covariance(cov, n, ci=ci)
        hits += found.conf_low <= alpha <= found.conf_high
    study.cover({f"alpha, {ci.capitalize()}": hits})


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_omega_is_covered_where_items_load_unlike(claims, n):
    study = claims("reliability", UNLIKE, n=f"{n:,} pupils", seed=[2, 20261124], family=FAMILY)
    loading = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    truth = np.outer(loading, loading) + np.diag(1 - loading**2)
    omega = loading.sum() ** 2 / truth.sum()
    hits = 0
    for cov in wishart(truth, n, study):
        found = omega_from_covariance(cov, n)
        hits += found.conf_low <= omega <= found.conf_high
    study.cover({"congeneric omega": hits})


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_the_icc_of_a_retest_is_covered(claims, n):
    study = claims("reliability", "two occasions", n=f"{n:,} pupils", seed=[3, n, 20261124], family=FAMILY)
    # Trait variance .7, error .3, nothing between the occasions: agreement and consistency are both .7.
    truth = np.full((2, 2), 0.7) + 0.3 * np.eye(2)
    means = study.rng.multivariate_normal([0, 0], truth / n, study.replicates)
    hits = {"icc_agreement": 0, "icc_consistency": 0}
    for mean, cov in zip(means, wishart(truth, n, study), strict=True):
        moments = PairMoments(n, *mean, cov[0, 0], cov[1, 1], cov[0, 1])
        intervals = retest_intervals(moments, retest_values(moments, 1.96), 0.95)
        for term in hits:
            hits[term] += intervals[term][0] <= 0.7 <= intervals[term][1]
    study.cover({term.replace("icc_", "intraclass correlation, "): count for term, count in hits.items()})


@pytest.mark.slow
def test_icc_of_raters_drawn_from_many_is_covered_nearly(claims):
    # Ten raters who differ (variance .2): ICC(2,1) = .6 / (.6 + .2 + .2); the interval is Satterthwaite's, not exact.
    n, k = 60, 10
    truth = np.full((k, k), 0.6) + 0.2 * np.eye(k)
    study = claims("reliability", "ten raters drawn from many", n=f"{n} people", seed=[4, 20261124], family=FAMILY,
                   why="Satterthwaite's interval is an approximation and holds about 93 % with ten raters")  # fmt: skip
    rng, replicates = study.rng, study.replicates
    means = rng.normal(0, 0.2**0.5, size=(replicates, k)) + rng.multivariate_normal(np.zeros(k), truth / n, replicates)
    hits = 0
    for mean, cov in zip(means, wishart(truth, n, study), strict=True):
        table = mean_squares(mean, cov, n)
        low, high = agreement_interval(table, single_forms(table)[1], 0.95)
        hits += low <= 0.6 <= high
    study.find({"ICC(2,1), Satterthwaite: short of 95 %, at least": hits}, least=0.88)


@pytest.mark.slow
@pytest.mark.parametrize("levels", ["normal", "skewed"])
def test_resampled_schools_cover_alpha_where_feldt_does_not(claims, levels):
    # Schools differ (a quarter of the trait's variance): the spread of the sum score is known from 120 schools, not 3,600.
    n_schools, size, between, error = 120, 30, 0.5, 1.5
    code = np.repeat(np.arange(n_schools), size)
    truth = ITEMS * (between + 1.5) / (ITEMS * (between + 1.5) + error)
    study = claims("reliability", f"pupils of a school alike, {levels} school levels", n=f"{n_schools} schools of {size}",
                   seed=[5, 20261124], family=FAMILY)  # fmt: skip
    rng = study.rng
    hits = {"percentile": 0, "bootstrap-t": 0, "feldt": 0}
    for replicate in range(study.replicates):
        level = rng.normal(size=n_schools) if levels == "normal" else rng.exponential(size=n_schools) - 1
        trait = level[code] * between**0.5 + rng.normal(0, 1.5**0.5, size=len(code))
        rows = trait[:, None] + rng.normal(0, error**0.5, size=(len(code), ITEMS))
        sums = school_sums(rows, code, n_schools)
        found = {
            "percentile": alpha_from_school_sums(sums, n_boot=400, seed=replicate),
            "bootstrap-t": alpha_from_school_sums(sums, ci="school_bootstrap_t", n_boot=400, seed=replicate),
            "feldt": alpha_from_covariance(np.cov(rows.T), len(rows)),
        }
        for name, one in found.items():
            hits[name] += one.conf_low <= truth <= one.conf_high
    study.cover({"alpha, bootstrap-t of schools": hits["bootstrap-t"]})
    # Percentiles fall short where the levels of schools are skewed, as the docstring says.
    if levels == "normal":
        study.cover({"alpha, percentiles of schools": hits["percentile"]})
    else:
        study.fail({"alpha, percentiles of schools": hits["percentile"]}, below=0.94)
        study.find({"alpha, percentiles of schools, at least": hits["percentile"]}, least=0.83)
    study.fail({"alpha, Feldt over pupils": hits["feldt"]}, below=0.85)


@pytest.mark.slow
def test_resampled_schools_cover_the_icc_of_a_retest(claims):
    n_schools, size = 120, 20
    code, truth = np.repeat(np.arange(n_schools), size), 2 / 3
    study = claims("reliability", "two occasions, pupils of a school alike", n=f"{n_schools} schools of {size}",
                   seed=[6, 20261124], family=FAMILY)  # fmt: skip
    rng = study.rng
    hits = {"schools": 0, "pupils": 0}
    for replicate in range(study.replicates):
        trait = rng.normal(0, 1, n_schools)[code] + rng.normal(0, 1, len(code))
        one, two = trait + rng.normal(size=(2, len(code)))
        sums, origin = sums_by_school(one, two, code, np.ones(len(code), dtype=bool))
        weights = school_weights(n_schools, n_boot=400, seed=replicate, where="")
        drawn = retest_values(moments_of_sums(weights @ sums, *origin), 1.96)["icc_consistency"]
        low, high = np.quantile(drawn, [0.025, 0.975])
        hits["schools"] += low <= truth <= high
        moments = pair_moments(one, two)
        low, high = retest_intervals(moments, retest_values(moments, 1.96), 0.95)["icc_consistency"]
        hits["pupils"] += low <= truth <= high
    study.cover({"intraclass correlation, schools drawn again": hits["schools"]})
    study.fail({"intraclass correlation, pupils taken as independent": hits["pupils"]}, below=0.90)


@pytest.mark.slow
def test_parallel_analysis_finds_nothing_in_nothing(claims):
    # Above the .95 quantile of chance in one set in twenty; the quantile itself is estimated from 100 sets.
    n, k = 400, 10
    study = claims("dimensionality", "ten items that share nothing", n=f"{n} pupils", seed=[7, 20261124], family=FAMILY)
    hits = 0
    for replicate, cov in enumerate(wishart(np.eye(k), n, study)):
        spread = np.sqrt(np.diag(cov))
        found = parallel_analysis_from_correlation(
            cov / np.outer(spread, spread), n, seed=replicate, n_iter=100, communality="smc"
        )
        hits += found.n_components > 0
    study.size({"parallel analysis finds a component": hits})


@pytest.mark.slow
@pytest.mark.parametrize("communality", ["one_factor", "smc"])
def test_parallel_analysis_finds_the_planted_factors(claims, communality):
    # Three factors of five items, loadings .6, correlated .3; 400 replicates, for a share near 1 needs no more.
    pattern = np.kron(np.eye(3), np.full((5, 1), 0.6))
    truth = pattern @ (np.full((3, 3), 0.3) + 0.7 * np.eye(3)) @ pattern.T
    np.fill_diagonal(truth, 1)
    study = claims("dimensionality", f"three correlated factors of five items, diagonal {communality}", n="500 pupils",
                   seed=[8, 20261124], family=FAMILY, replicates=400, why="a share near 1 needs no more")  # fmt: skip
    factors = components = 0
    for replicate, cov in enumerate(wishart(truth, 500, study)):
        spread = np.sqrt(np.diag(cov))
        found = parallel_analysis_from_correlation(
            cov / np.outer(spread, spread), 500, seed=replicate, n_iter=40, communality=communality
        )
        factors += found.n_factors == 3
        components += found.n_components == 3
    study.find({"three factors": factors}, least=0.95)
    study.find({"three components": components}, least=0.95)
