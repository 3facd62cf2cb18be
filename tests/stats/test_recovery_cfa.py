"""Coverage and size of factor models by simulation.

Normal samples are drawn as means and Wishart covariances, which is what the estimator reads of the rows.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mhlib.stats.measurement.cfa_fitted import Fitted, fit_table
from mhlib.stats.measurement.cfa_moments import Moments, Rows, moments_of_rows
from mhlib.stats.measurement.cfa_reliability import reliability_table
from mhlib.stats.measurement.cfa_standardised import estimate_table
from mhlib.stats.measurement.cfa_table import parameter_table
from mhlib.stats.measurement.cfa_variation import variation_of
from mhlib.stats.measurement.invariance_steps import difference, start_from

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 11
FEWER = {"replicates": 1000, "family": FAMILY, "why": "a fit costs milliseconds, so 1,000 replicates"}
NAMES = tuple(f"x{i}" for i in range(1, 7))
TWO = "a =~ x1 + x2 + x3\nb =~ x4 + x5 + x6"
LOADING = np.array([[1, 0], [0.8, 0], [1.2, 0], [0, 1], [0, 0.7], [0, 1.1]])
LATENT = np.array([[0.8, 0.3], [0.3, 0.6]])
RESIDUAL = np.array([0.6, 0.9, 0.5, 0.8, 0.7, 1.0])
SIGMA = LOADING @ LATENT @ LOADING.T + np.diag(RESIDUAL)


def sample(rng: np.random.Generator, n: int, sigmas: list, means: list, groups: tuple[str, ...]) -> Moments:
    cov = [stats.wishart.rvs(n - 1, sigma / n, random_state=rng) for sigma in sigmas]
    mean = [rng.multivariate_normal(mu, sigma / n) for mu, sigma in zip(means, sigmas, strict=True)]
    none = np.zeros(len(groups), dtype=int)
    return Moments(NAMES, groups, none + n, none, np.array(mean), np.array(cov))


@pytest.mark.slow
def test_loadings_correlations_and_omega_are_covered_and_chi2_holds_its_size(claims):
    study = claims("factor models, ML", "normal items, two factors", n="500 pupils", seed=[31, 20261125], **FEWER)
    table = parameter_table(TWO, columns=NAMES)
    truth = {"a=~x2": 0.8, "b=~x6": 1.1, "x3~~x3": 0.5}
    correlation = 0.3 / np.sqrt(0.8 * 0.6)
    standard = 1.2 * np.sqrt(0.8 / SIGMA[2, 2])
    omega = 9 * 0.8 / (9 * 0.8 + 2.0)
    hits = dict.fromkeys([*truth, "correlation", "standard", "omega", "size"], 0)
    for _ in range(study.replicates):
        fitted = fit_table(table, sample(study.rng, 500, [SIGMA], [np.zeros(6)], ("all",)))
        rows = estimate_table(fitted, 0.95).set_index("term")
        for term, value in truth.items():
            hits[term] += rows.at[term, "conf_low"] <= value <= rows.at[term, "conf_high"]
        hits["correlation"] += rows.at["a~~b", "std_low"] <= correlation <= rows.at["a~~b", "std_high"]
        hits["standard"] += rows.at["a=~x3", "std_low"] <= standard <= rows.at["a=~x3", "std_high"]
        scale = reliability_table(fitted, 0.95).iloc[0]
        hits["omega"] += scale["conf_low"] <= omega <= scale["conf_high"]
        hits["size"] += fitted.indices.p_value < 0.05
    study.size({"chi-square test of a true model": hits.pop("size")})
    names = {"correlation": "correlation of factors", "standard": "standardised loading", "omega": "congeneric omega"}
    study.cover({names.get(term, f"parameter {term}"): count for term, count in hits.items()})


def counts(rng: np.random.Generator, n: int) -> np.ndarray:
    """Skewed counts for which a linear factor model holds exactly: Poisson with a mean proportional to a gamma factor."""
    factor = rng.gamma(1.0, 1.0, n)
    return rng.poisson(factor[:, None] * np.array([1.0, 0.8, 1.2, 0.6, 0.9])).astype(float)


@pytest.mark.slow
def test_mlr_holds_its_size_and_coverage_on_skewed_counts_where_ml_does_not(claims):
    study = claims(
        "factor models, MLR", "skewed counts with a linear factor", n="3,000 pupils", seed=[32, 20261125], **FEWER
    )
    names = NAMES[:5]
    table = parameter_table("f =~ " + " + ".join(names), columns=names)
    hits = dict.fromkeys(["ml_size", "mlr_size", "ml_cover", "mlr_cover"], 0)
    n = 3000
    for _ in range(study.replicates):
        rows = Rows(counts(study.rng, n), np.zeros(n, int), np.ones(n, bool), names, ("all",), np.zeros(1, int))
        moments = moments_of_rows(rows)
        variation = variation_of(rows, moments)
        for estimator in ("ml", "mlr"):
            fitted = fit_table(table, moments, estimator=estimator, variation=variation)
            hits[f"{estimator}_size"] += fitted.indices.p_value < 0.05
            row = estimate_table(fitted, 0.95).set_index("term").loc["f~~f"]
            hits[f"{estimator}_cover"] += row["conf_low"] <= 1.0 <= row["conf_high"]
    study.size({"robust chi-square test of a true model": hits["mlr_size"]})
    # The variance of a gamma factor is itself skewed, so that its Wald interval covers a little less.
    study.find({"robust interval of a skewed factor's variance, at least": hits["mlr_cover"]}, least=0.87)
    study.fail({"chi-square test that trusts normality": hits["ml_size"]}, above=0.10)
    study.fail({"factor variance, errors that trust normality": hits["ml_cover"]}, below=0.85)


@pytest.mark.slow
def test_invariance_differences_hold_their_size(claims):
    study = claims("invariance", "two groups, normal items, measured alike", n="400 pupils a group", seed=[33, 20261125],
                   **FEWER)  # fmt: skip
    groups = ("a", "b")
    equal = {"configural": (), "metric": ("loadings",), "scalar": ("loadings", "intercepts")}
    tables = {step: parameter_table(TWO, columns=NAMES, groups=groups, equal=names) for step, names in equal.items()}
    other = np.diag([1.3, 0.7]) @ LATENT @ np.diag([1.3, 0.7])
    sigmas = [SIGMA, LOADING @ other @ LOADING.T + np.diag(RESIDUAL[::-1])]
    intercept = np.array([1.0, 1.2, 0.8, 2.0, 1.5, 1.1])
    means = [intercept, intercept + LOADING @ np.array([0.4, -0.3])]
    hits = {"metric": 0, "scalar": 0}
    for _ in range(study.replicates):
        moments, before = sample(study.rng, 400, sigmas, means, groups), None
        for step, table in tables.items():
            start = None if before is None else start_from(table, before)
            fitted = fit_table(table, moments, start=start)
            assert isinstance(fitted, Fitted)
            if before is not None:
                hits[step] += difference(before, fitted)[2] < 0.05
            before = fitted
    study.size({f"difference test of the {step} step": count for step, count in hits.items()})


@pytest.mark.slow
def test_errors_by_school_cover_where_pupils_of_a_school_are_alike(claims):
    names, schools, size = NAMES[:4], 100, 15
    study = claims("factor models, MLR", "pupils of a school alike", n=f"{schools} schools of {size}", seed=[34, 20261125],
                   **FEWER)  # fmt: skip
    rng = study.rng
    table = parameter_table("f =~ " + " + ".join(names), columns=names, means=True)
    school = np.repeat(np.arange(schools), size)
    hits = {"plain": 0, "school": 0}
    for _ in range(study.replicates):
        factor = rng.normal(size=len(school)) + rng.normal(0, 0.7, schools)[school]
        values = factor[:, None] + rng.normal(size=(len(school), 4))
        rows = Rows(values, np.zeros(len(school), int), np.ones(len(school), bool), names, ("all",), np.zeros(1, int))
        moments = moments_of_rows(rows)
        for name, cluster in (("plain", None), ("school", (school, schools))):
            fitted = fit_table(table, moments, estimator="mlr", variation=variation_of(rows, moments, cluster))
            row = estimate_table(fitted, 0.95).set_index("term").loc["x1~1"]
            hits[name] += row["conf_low"] <= 0 <= row["conf_high"]
    study.cover({"intercept, errors by school": hits["school"]})
    study.fail({"intercept, pupils taken as independent": hits["plain"]}, below=0.8)


def test_the_counts_follow_the_factor_model():
    rows = pd.DataFrame(counts(np.random.default_rng(1), 400_000))
    loading = np.array([1.0, 0.8, 1.2, 0.6, 0.9])
    assert rows.cov().to_numpy() == pytest.approx(np.outer(loading, loading) + np.diag(loading), abs=0.05)
