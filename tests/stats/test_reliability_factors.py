"""Factor analysis, parallel analysis, KMO, Velicer's test and omega hierarchical: R, peers, by hand, edges, properties."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.measurement import (
    cronbach_alpha,
    efa,
    efa_from_correlation,
    omega_from_bifactor,
    omega_hierarchical,
    omega_hierarchical_from_covariance,
    parallel_analysis,
    parallel_analysis_from_correlation,
    sampling_adequacy,
    sampling_adequacy_from_correlation,
    velicer_map,
    velicer_map_from_correlation,
)
from mhlib.stats.measurement.efa_extraction import extract, minres_criterion, ml_criterion, ml_loadings
from mhlib.stats.measurement.efa_fit import discrepancy
from mhlib.stats.measurement.efa_rotation import oblimin, quartimin
from mhlib.stats.measurement.parallel_eigen import (
    chance_correlations,
    component_eigenvalues,
    factor_eigenvalues,
    one_minres_factor,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
VALUES = pd.read_csv(ORACLE / "efa_values.csv").set_index(["case", "name"])["value"]
ARRAYS = pd.read_csv(ORACLE / "efa_arrays.csv")
CORRELATIONS = pd.read_csv(ORACLE / "efa_correlations.csv")
PEOPLE = {"thurstone": 213, "hs": 301, "bfi25": 2436}


def array(case: str, what: str, table: pd.DataFrame = ARRAYS) -> np.ndarray:
    cells = table[(table["case"] == case) & (table["what"] == what)]
    return cells.pivot(index="row", columns="column", values="value").to_numpy()


R = {case: array(case, "correlation", CORRELATIONS) for case in PEOPLE}


def aligned(theirs: np.ndarray, ours: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Their factors in our order and sign."""
    best = min(
        itertools.permutations(range(ours.shape[1])), key=lambda p: np.abs(np.abs(theirs[:, p]) - np.abs(ours)).sum()
    )
    sign = np.sign((theirs[:, best] * ours).sum(axis=0))
    return theirs[:, best] * sign, phi[np.ix_(best, best)] * np.outer(sign, sign)


def planted(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n)
    items = factors[:, [0, 0, 0, 0, 1, 1, 1, 1]] * 0.7 + rng.normal(size=(n, 8)) * 0.7
    return pd.DataFrame(items, columns=[f"i{j}" for j in range(1, 9)])


# Extraction and rotation


# factanal runs here to the precision of its search; lavaan to a gradient of 1e-8; psych to optim's default, 1e-5.
@pytest.mark.parametrize(
    ("oracle", "case", "method", "rotation", "within"),
    [
        ("hs_ml", "hs", "ml", "varimax", 1e-7),
        ("hs_ml", "hs", "ml", "promax", 1e-7),
        ("hs_ml", "hs", "ml", "oblimin", 1e-6),
        ("bfi25_uls", "bfi25", "minres", "oblimin", 2e-6),
        ("bfi25_minres", "bfi25", "minres", "oblimin", 5e-5),
        ("thurstone_minres", "thurstone", "minres", "oblimin", 2e-5),
    ],
)
def test_loadings_equal_r(oracle, case, method, rotation, within):
    q = array(oracle, rotation).shape[1]
    found = efa_from_correlation(R[case], PEOPLE[case], q, method=method, rotation=rotation)
    phi = np.eye(q) if rotation == "varimax" else array(oracle, f"{rotation}_phi")
    loadings, phi = aligned(array(oracle, rotation), found.loadings.to_numpy(), phi)
    assert found.loadings.to_numpy() == pytest.approx(loadings, abs=within)
    assert found.phi.to_numpy() == pytest.approx(phi, abs=within)
    assert found.uniquenesses.to_numpy() == pytest.approx(array(oracle, "uniqueness")[:, 0], abs=within)
    assert found.structure.to_numpy() == pytest.approx(loadings @ phi, abs=2 * within)
    assert found.rotation_agreement >= 0.5 and found.heywood == ()


def test_the_anchors_of_holzinger_and_swineford():
    found = efa_from_correlation(R["hs"], 301, 3, method="ml")
    # Printed from a search with R's default tolerance, hence 1e-5.
    printed = [0.512528, 0.748735, 0.542777, 0.279193, 0.242877, 0.305217, 0.502200, 0.468557, 0.543244]
    assert found.uniquenesses.to_numpy() == pytest.approx(printed, abs=1e-5)
    assert (found.chi2, found.df) == (pytest.approx(22.37693, abs=5e-6), 12)
    assert found.chi2 == pytest.approx(VALUES["hs_ml", "chi2"], abs=1e-9)
    assert found.p_value == pytest.approx(VALUES["hs_ml", "p_value"], abs=1e-10)


@pytest.mark.parametrize(("case", "q"), [("bfi25", 5), ("thurstone", 3)])
def test_fit_of_minres_equals_psych(case, q):
    found, r = efa_from_correlation(R[case], PEOPLE[case], q), VALUES[f"{case}_minres"]
    # psych's search stops 1e-6 short in the uniquenesses, where the likelihood it reports is not flat.
    assert found.chi2 == pytest.approx(r["chi2"], abs=3e-4)
    assert found.df == r["df"]
    for ours, theirs in (("rmsea", "rmsea"), ("rmsea_low", "rmsea_low"), ("rmsea_high", "rmsea_high"), ("tli", "tli")):
        assert getattr(found, ours) == pytest.approx(r[theirs], abs=5e-7), ours
    # psych's rms leaves the diagonal, which is 0, out of the mean.
    k = found.n_items
    assert found.srmr * ((k + 1) / (k - 1)) ** 0.5 == pytest.approx(r["rms"], abs=1e-8)
    if case == "bfi25":
        assert (found.chi2, found.rmsea, found.tli) == pytest.approx((1538.52089, 0.0548019, 0.8768373), abs=3e-4)


def test_statsmodels_finds_the_same_maximum():
    from statsmodels.multivariate.factor import Factor

    theirs = Factor(corr=R["hs"], n_factor=3, method="ml", nobs=301).fit(maxiter=2000, tol=1e-12)
    ours = efa_from_correlation(R["hs"], 301, 3, method="ml")
    assert ours.communalities.to_numpy() == pytest.approx(theirs.communality, abs=1e-4)


@pytest.mark.parametrize("criterion", [minres_criterion, ml_criterion])
def test_the_slopes_of_the_criteria(criterion):
    unique = np.linspace(0.3, 0.8, 9)
    slope = criterion(unique, R["hs"], 2)[1]
    for item, step in enumerate(1e-6 * np.eye(9)):
        there, back = (criterion(unique + sign * step, R["hs"], 2)[0] for sign in (1, -1))
        assert (there - back) / 2e-6 == pytest.approx(slope[item], abs=1e-7)


def test_a_factor_that_is_not_there_loads_nothing():
    # Uniquenesses 1: the fourth eigenvalue of the correlations is .70, below 1, so it cannot be a factor.
    unique = np.ones(9)
    loadings = ml_loadings(unique, R["hs"], 4)
    assert (loadings[:, 3] == 0).all()
    implied = loadings @ loadings.T + np.diag(unique)
    assert ml_criterion(unique, R["hs"], 4)[0] == pytest.approx(discrepancy(R["hs"], implied), abs=1e-12)


@pytest.mark.parametrize("method", ["ml", "minres"])
def test_an_exact_structure_is_found_again(method):
    pattern = np.array([[0.8, 0], [0.7, 0], [0.6, 0], [0, 0.8], [0, 0.7], [0, 0.5]])
    phi = np.array([[1, 0.3], [0.3, 1]])
    corr = pattern @ phi @ pattern.T
    np.fill_diagonal(corr, 1)
    found = efa_from_correlation(corr, 500, 2, method=method)
    assert found.loadings.to_numpy() == pytest.approx(pattern, abs=1e-6)
    assert found.phi.to_numpy() == pytest.approx(phi, abs=1e-6)
    assert found.structure.to_numpy() == pytest.approx(pattern @ phi, abs=1e-6)
    assert found.explained.to_numpy() == pytest.approx([1.49, 1.38], abs=1e-5)
    assert found.chi2 == pytest.approx(0, abs=1e-8) and found.rmsea == 0


def test_one_factor_is_the_one_of_omega():
    from mhlib.stats.measurement.one_factor import one_factor

    found = efa_from_correlation(R["hs"], 301, 1, method="ml")
    loading, unique = one_factor(R["hs"])
    assert found.loadings["F1"].to_numpy() == pytest.approx(loading, abs=1e-6)
    assert found.uniquenesses.to_numpy() == pytest.approx(unique, abs=1e-6)


def test_a_heywood_case_is_named():
    corr = np.array([[1, 0.9, 0.3, 0.3], [0.9, 1, 0.6, 0.5], [0.3, 0.6, 1, 0.3], [0.3, 0.5, 0.3, 1]])
    found = efa_from_correlation(corr, 200, 1, method="ml", names=list("abcd"))
    assert found.heywood == ("b",)
    assert found.to_frame().set_index("item").at["b", "heywood"]


def test_oblimin_is_stationary_and_no_start_ends_lower():
    unrotated = extract(R["bfi25"], 5, "minres").loadings
    pattern, phi, agreement = oblimin(unrotated)
    assert agreement >= 0.5
    # Jennrich's condition: phi^-1 L' G is diagonal but for the length constraint of each column.
    condition = pattern.T @ quartimin(pattern)[1] @ np.linalg.inv(phi)
    assert np.abs(condition - np.diag(np.diag(condition))).max() < 1e-6
    assert pattern @ phi @ pattern.T == pytest.approx(unrotated @ unrotated.T, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    st.permutations(range(8)),
    st.lists(st.sampled_from([-1, 1]), min_size=8, max_size=8),
    st.sampled_from(["oblimin", "varimax", "promax"]),
)
def test_the_order_and_sign_of_items_do_not_matter(order, signs, rotation):
    items = planted(3)
    found = efa(items, 2, rotation=rotation)
    other = efa(items.iloc[:, order] * np.array(signs), 2, rotation=rotation)
    assert other.chi2 == pytest.approx(found.chi2, rel=1e-6)
    back = other.loadings.loc[items.columns].to_numpy() * np.array(signs)[np.argsort(order)][:, None]
    assert (other.loadings.sum() >= -1e-9).all()
    assert (np.diff(other.explained) <= 1e-9).all()
    best = min(np.abs(np.abs(back[:, p]) - np.abs(found.loadings.to_numpy())).max() for p in ([0, 1], [1, 0]))
    assert best < 1e-4


def test_both_doors_of_the_factor_analysis():
    items = planted(4)
    items.iloc[:3, 0] = np.nan
    found = efa(items, 2)
    other = efa_from_correlation(np.corrcoef(items.dropna().T), 397, 2, names=items.columns)
    pd.testing.assert_frame_equal(found.to_frame(), other.to_frame(), rtol=1e-9, atol=1e-9)
    assert (found.n_used, found.n_excluded) == (397, 3)
    assert found.chi2 == pytest.approx(other.chi2)
    assert list(found.to_frame()["term"])[:2] == ["i1 on F1", "i1 on F2"]
    assert found.method == "minimum residuals (unweighted least squares), oblimin rotation"


def test_other_correlations_get_no_chi_square():
    items = planted(5)
    spearman = efa(items, 2, correlation=lambda rows: pd.DataFrame(rows).corr("spearman").to_numpy())
    assert np.isnan([spearman.chi2, spearman.p_value, spearman.rmsea, spearman.tli]).all()
    assert spearman.srmr > 0
    assert np.isnan(sampling_adequacy(items, correlation=lambda rows: pd.DataFrame(rows).corr("spearman")).p_value)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: efa(planted(1), 5), DesignError, "5 factors are more than 8 items"),
        (lambda: efa(planted(1), 0), DesignError, "whole number, 1 or more"),
        (lambda: efa(planted(1), 2, method="paf"), ParamsError, "'paf' is not known"),
        (lambda: efa(planted(1), 2, rotation="geomin"), ParamsError, "'geomin' is not known"),
        (lambda: efa_from_correlation(2 * np.eye(4), 50, 1), DataError, "diagonal other than 1"),
        (lambda: efa_from_correlation([[1, 2, 0], [2, 1, 0], [0, 0, 1]], 50, 1), DataError, "beyond 1"),
        (lambda: efa_from_correlation(np.ones((4, 4)), 50, 1, method="ml"), DataError, "singular"),
        (lambda: efa_from_correlation(R["hs"], 301, 2, names=["a"] * 9), DataError, "1 different names for 9 items"),
        (lambda: sampling_adequacy_from_correlation(np.ones((4, 4)), 50), DataError, "singular"),
        (lambda: velicer_map_from_correlation(np.eye(2), 50), DesignError, "fewer than three"),
        (lambda: parallel_analysis(planted(1), seed=None), ParamsError, "missing"),
        (lambda: parallel_analysis(planted(1), seed=1, n_iter=5), ParamsError, "20 or more"),
        (lambda: parallel_analysis(planted(1), seed=1, rule="kaiser"), ParamsError, "not known"),
        (lambda: parallel_analysis(planted(1), seed=1, correlation=np.corrcoef), ParamsError, "need shuffled rows"),
        (lambda: parallel_analysis_from_correlation(R["hs"], 9, seed=1), DesignError, "9 items and 9 people"),
        (lambda: omega_hierarchical(planted(1), 1), DesignError, "one group factor"),
        (lambda: omega_hierarchical(planted(1), 2, rotation="varimax"), ParamsError, "not known"),
        (lambda: omega_from_bifactor([1, 1], [[1], [1]], [-1, 1]), DataError, "negative uniqueness"),
        (lambda: omega_from_bifactor([1, 1], [[1]], [1, 1]), DataError, "do not fit"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


# Adequacy and Velicer's test


@pytest.mark.parametrize("case", PEOPLE)
def test_adequacy_and_map_equal_psych(case):
    found, r = sampling_adequacy_from_correlation(R[case], PEOPLE[case]), VALUES[case]
    assert found.kmo == pytest.approx(r["kmo"], abs=1e-12)
    assert found.kmo_items.to_numpy() == pytest.approx(array(case, "msa")[:, 0], abs=1e-12)
    assert found.bartlett_chi2 == pytest.approx(r["bartlett"], rel=1e-12)
    assert found.df == r["bartlett_df"]
    averages = velicer_map_from_correlation(R[case], PEOPLE[case]).averages["squared"]
    assert averages[1:4].to_numpy() == pytest.approx([r["map1"], r["map2"], r["map3"]], abs=1e-12)
    assert component_eigenvalues(R[case]) == pytest.approx(array(case, "eigen")[:, 0], abs=1e-12)


def test_the_anchors_of_adequacy_and_map():
    hs = sampling_adequacy_from_correlation(R["hs"], 301)
    assert (hs.kmo, hs.bartlett_chi2) == pytest.approx((0.752244593, 904.097051), abs=5e-7)
    assert sampling_adequacy_from_correlation(R["bfi25"], 2436).kmo == pytest.approx(0.848645231, abs=5e-10)
    steps = velicer_map_from_correlation(R["hs"], 301)
    assert steps.n_components == 2
    assert steps.averages["squared"].min() == pytest.approx(0.0634152, abs=5e-8)


def test_the_two_powers_of_velicer_may_differ():
    found = velicer_map_from_correlation(R["thurstone"], 213)
    assert (found.n_components, found.n_components_fourth) == (3, 2)
    for name, chosen in (("squared", 3), ("fourth", 2)):
        assert found.averages[name].min() == found.averages[name][chosen]


def test_adequacy_by_hand():
    # Three items, all correlated .5: partial correlations 1/3, so KMO = .25 / (.25 + 1/9) = 9/13; |R| = .5.
    corr = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    found = sampling_adequacy_from_correlation(corr, 100)
    assert found.kmo == pytest.approx(9 / 13)
    assert found.bartlett_chi2 == pytest.approx(-(99 - 11 / 6) * np.log(0.5))
    # No component held: the mean squared correlation itself.
    assert velicer_map_from_correlation(corr, 100).averages["squared"][0] == pytest.approx(0.25)


def test_both_doors_of_adequacy_and_map():
    items = planted(6)
    corr = np.corrcoef(items.T)
    pd.testing.assert_frame_equal(
        sampling_adequacy(items).to_frame(),
        sampling_adequacy_from_correlation(corr, 400, names=items.columns).to_frame(),
    )
    pd.testing.assert_frame_equal(velicer_map(items).to_frame(), velicer_map_from_correlation(corr, 400).to_frame())


# Parallel analysis


def test_parallel_analysis_of_bfi():
    found = parallel_analysis_from_correlation(R["bfi25"], 2436, seed=1)
    assert (found.n_factors, found.n_components) == (VALUES["bfi25", "pa_factors"], VALUES["bfi25", "pa_components"])
    assert (found.n_factors, found.n_components, found.n_factors_mean, found.n_components_mean) == (6, 5, 6, 5)
    smc = parallel_analysis_from_correlation(R["bfi25"], 2436, seed=1, communality="smc")
    assert smc.n_factors == VALUES["bfi25", "pa_smc_factors"] == 8
    frame = found.to_frame().set_index("term")
    assert frame.at["component_5", "retained"] and not frame.at["component_6", "retained"]
    assert frame.at["component_1", "estimate"] == pytest.approx(array("bfi25", "eigen")[0, 0])


def test_wishart_draws_are_chance_correlations():
    # n = 8, k = 6, where degrees of freedom count: mean and spread of the first eigenvalue of rows really drawn.
    drawn = component_eigenvalues(chance_correlations(8, 6, 4000, 1))[:, 0]
    rng = np.random.default_rng(2)
    rows = [np.linalg.eigvalsh(np.corrcoef(rng.normal(size=(6, 8))))[-1] for _ in range(4000)]
    assert drawn.mean() == pytest.approx(np.mean(rows), abs=4 * np.std(rows) / 4000**0.5)
    assert drawn.std() == pytest.approx(np.std(rows), rel=0.06)
    assert np.quantile(drawn, 0.95) == pytest.approx(np.quantile(rows, 0.95), rel=0.02)


def test_the_stacked_minres_factor_is_the_minres_factor():
    stack = np.concatenate([R["bfi25"][None], chance_correlations(300, 25, 5, 3)])
    found = one_minres_factor(stack)
    for corr, loading in zip(stack, found, strict=True):
        alone = extract(corr, 1, "minres").loadings[:, 0]
        residual = [((corr - np.outer(part, part)) ** 2)[~np.eye(25, dtype=bool)].sum() for part in (loading, alone)]
        # Chance data may have several minima; ours must not be a worse one.
        assert residual[0] <= residual[1] * (1 + 1e-5)
    assert found[0] ** 2 == pytest.approx(1 - extract(R["bfi25"], 1, "minres").unique, abs=1e-6)


def test_the_factor_version_has_communalities_on_the_diagonal():
    unique = extract(R["hs"], 1, "minres").unique
    expected = np.linalg.eigvalsh(R["hs"] - np.diag(unique))[::-1]
    assert factor_eigenvalues(R["hs"][None], "one_factor")[0] == pytest.approx(expected, abs=1e-6)
    smc = 1 / np.diag(np.linalg.inv(R["hs"]))
    expected = np.linalg.eigvalsh(R["hs"] - np.diag(smc))[::-1]
    assert factor_eigenvalues(R["hs"][None], "smc")[0] == pytest.approx(expected, abs=1e-12)


def test_both_doors_of_parallel_analysis_and_bit_identical_reruns():
    items = planted(7)
    found, again = (parallel_analysis(items, seed=9, n_iter=40) for _ in range(2))
    other = parallel_analysis_from_correlation(np.corrcoef(items.T), 400, seed=9, n_iter=40)
    pd.testing.assert_frame_equal(found.to_frame(), again.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(found.to_frame(), other.to_frame(), rtol=1e-9)
    assert (found.n_factors, found.n_components) == (2, 2)


def test_permutation_keeps_each_items_answers_and_takes_other_correlations():
    items = planted(8)
    skewed = (items > 1).astype(int) + (items > 1.5).astype(int)
    seen = []

    def spearman(rows: np.ndarray) -> np.ndarray:
        seen.append(np.sort(rows, axis=0))
        return pd.DataFrame(rows).corr("spearman").to_numpy()

    found = parallel_analysis(skewed, seed=1, n_iter=20, null="permutation", correlation=spearman)
    assert found.n_factors == 2
    assert len(seen) == 21 and all((part == seen[0]).all() for part in seen)
    plain = parallel_analysis(skewed, seed=1, n_iter=20, null="permutation")
    assert plain.n_components == 2 and "20 permuted sets" in plain.method


# Omega hierarchical


def test_omega_of_thurstone():
    found = omega_hierarchical_from_covariance(R["thurstone"], 213, 3)
    # psych stops its search and its rotation early; with its own loadings the figures agree to 1e-9 (next test).
    assert (found.omega_h, found.omega_t) == pytest.approx((0.736070318, 0.930825415), abs=2e-6)
    assert found.ecv == pytest.approx(VALUES["thurstone_sl", "ecv"], abs=2e-6)
    assert found.general.to_numpy() == pytest.approx(array("thurstone_sl", "sl")[:, 0], abs=1e-5)
    # Thurstone's printed correlations are not from people: alpha is that of the matrix.
    k, total = 9, R["thurstone"].sum()
    assert k / (k - 1) * (1 - k / total) == pytest.approx(0.891457536, abs=5e-10)
    hs = omega_hierarchical_from_covariance(R["hs"], 301, 3)
    assert (hs.omega_h, hs.omega_t) == pytest.approx((VALUES["hs_sl", "omega_h"], VALUES["hs_sl", "omega_t"]), abs=5e-6)


@pytest.mark.parametrize("case", ["thurstone", "hs"])
def test_loadings_of_psych_give_the_omegas_of_psych(case):
    sl = array(f"{case}_sl", "sl")
    found = omega_from_bifactor(sl[:, 0], sl[:, 1:], 1 - (sl**2).sum(axis=1), cov=R[case])
    assert found.omega_h == pytest.approx(VALUES[f"{case}_sl", "omega_h"], abs=1e-9)
    assert found.omega_t == pytest.approx(VALUES[f"{case}_sl", "omega_t"], abs=5e-8)
    assert found.ecv == pytest.approx(VALUES[f"{case}_sl", "ecv"], abs=1e-9)


def test_omega_from_bifactor_by_hand():
    # General .6 on four items, two group factors .5 on two each, uniqueness .39: V = 5.76 + 1 + 1 + 1.56 = 9.32.
    found = omega_from_bifactor([0.6] * 4, [[0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5]], [0.39] * 4, names=list("abcd"))
    assert found.omega_h == pytest.approx(5.76 / 9.32)
    assert found.omega_t == pytest.approx(7.76 / 9.32)
    assert found.ecv == pytest.approx(0.36 / 0.61)
    assert found.omega_group.tolist() == pytest.approx([1 / 9.32] * 2)
    assert list(found.to_frame()["term"]) == ["omega_h", "omega_t", "ecv", "omega_F1", "omega_F2"]


def test_omega_of_rows_speaks_of_the_raw_sum():
    items = planted(9) * [1, 1, 1, 1, 3, 3, 3, 3]
    found = omega_hierarchical(items, 2)
    other = omega_hierarchical_from_covariance(np.cov(items.T), 400, 2, names=items.columns)
    assert (found.omega_h, found.omega_t) == pytest.approx((other.omega_h, other.omega_t), abs=1e-9)
    spread = items.std().to_numpy()
    general = omega_hierarchical_from_covariance(np.corrcoef(items.T), 400, 2).general.to_numpy()
    assert found.omega_h == pytest.approx((spread @ general) ** 2 / np.cov(items.T).sum(), abs=1e-9)
    # Whatever is general is at most what is common; and the sum of more spread items leans on their group factor.
    assert found.omega_h < found.omega_t < 1
    assert abs(np.diff(found.omega_group)[0]) > 0.1
    even = omega_hierarchical(planted(9), 2)
    assert even.omega_t == pytest.approx(cronbach_alpha(planted(9)).alpha, abs=0.08)


def test_factors_that_run_against_each_other_are_refused():
    pattern = np.kron(np.eye(2), np.full((3, 1), 0.7))
    corr = pattern @ np.array([[1, -0.4], [-0.4, 1]]) @ pattern.T
    np.fill_diagonal(corr, 1)
    with pytest.raises(DesignError, match="run against each other"):
        omega_hierarchical_from_covariance(corr, 200, 2)
