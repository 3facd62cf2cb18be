"""Ordered items against lavaan and semTools: polychoric correlations, WLSMV, invariance, reliability."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from scipy.stats import t as t_quantile

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.measurement.bivariate_normal import by_owen, distribution
from mhlib.stats.measurement.cfa_wlsmv import fit_wlsmv, fit_wlsmv_from_polychoric
from mhlib.stats.measurement.invariance_impact_points import expected_points, invariance_impact
from mhlib.stats.measurement.invariance_ordinal import STEPS, invariance_wlsmv
from mhlib.stats.measurement.ordinal_alpha_value import ordinal_alpha
from mhlib.stats.measurement.ordinal_model import implied
from mhlib.stats.measurement.ordinal_omega import categorical_omega
from mhlib.stats.measurement.polychoric_correlation import polychoric, polychoric_from_tables, polychoric_matrix

# lavaan's own search for a correlation stops near 1e-8; scaled statistics of 150 people a group carry it to 1e-6.
LAVAAN = 2e-6
HS3 = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
N1 = "f =~ N1 + N2 + N3 + N4 + N5"
A, C, E = ([f"{s}{i}" for i in range(1, 6)] for s in "ACE")
CE = f"c =~ {' + '.join(C)}\ne =~ {' + '.join(E)}"
BIFACTOR = f"g =~ {' + '.join(A + C + E)}\na =~ {' + '.join(A)}\nc =~ {' + '.join(C)}\ne =~ {' + '.join(E)}"
MEASURES = {
    "chisq": ("naive", "chi2"), "df": ("naive", "df"), "chisq.scaled": ("scaled", "chi2"),
    "pvalue.scaled": ("scaled", "p_value"), "chisq.scaling.factor": ("scaled", "scale"), "cfi": ("naive", "cfi"),
    "tli": ("naive", "tli"), "cfi.scaled": ("scaled", "cfi"), "tli.scaled": ("scaled", "tli"),
    "rmsea": ("naive", "rmsea"), "rmsea.ci.lower": ("naive", "rmsea_low"), "rmsea.ci.upper": ("naive", "rmsea_high"),
    "rmsea.scaled": ("scaled", "rmsea"), "rmsea.ci.lower.scaled": ("scaled", "rmsea_low"),
    "rmsea.ci.upper.scaled": ("scaled", "rmsea_high"), "srmr": ("scaled", "srmr"),
}  # fmt: skip


@pytest.fixture(scope="module")
def read(root):
    kept = {}

    def rows(name: str) -> pd.DataFrame:
        if name not in kept:
            kept[name] = pd.read_csv(root / "tests" / "oracle" / f"{name}.csv")
        return kept[name]

    return rows


# ---- the bivariate normal distribution


def test_bivariate_normal_agrees_with_scipy_and_its_two_ways_agree():
    rng = np.random.default_rng(1)
    h, k, rho = rng.normal(size=40), rng.normal(size=40), rng.uniform(-0.89, 0.89, 40)
    peer = [multivariate_normal.cdf([a, b], cov=[[1, r], [r, 1]]) for a, b, r in zip(h, k, rho, strict=True)]
    assert np.allclose(distribution(h, k, rho), peer, atol=1e-13)
    assert np.allclose(distribution(h, k, rho), by_owen(h, k, rho), atol=2e-15)
    # Near 1 the two must meet the limit min(Phi(h), Phi(k)).
    assert distribution(np.array([0.5]), np.array([1.0]), np.array([0.9999999])) == pytest.approx(0.6914624612740131)
    assert distribution(np.array([0.0]), np.array([0.0]), np.array([0.95])) == pytest.approx(
        0.25 + np.arcsin(0.95) / (2 * np.pi), abs=1e-15
    )


# ---- polychoric correlations


@pytest.mark.parametrize(
    ("name", "source", "columns", "missing"),
    [
        ("bfi_n", "bfi_n_rows", None, "listwise"),
        ("bfi_a", "ordinal_bfi_rows", A, "listwise"),
        ("bfi_a", "ordinal_bfi_rows", A, "pairwise"),
        ("hs", "ordinal_hs_rows", [f"x{i}" for i in range(1, 10)], "listwise"),
        ("yes", "ordinal_yes_rows", None, "listwise"),
    ],
)
def test_polychoric_is_lavaans(read, name, source, columns, missing):
    frame = read(source)
    found = polychoric(frame[columns] if columns else frame, missing=missing, gamma=True)
    oracle = read("ordinal_polychoric").query("set == @name and missing == @missing").set_index("term")
    assert found.n_used == oracle["n"].iloc[0]
    table = found.to_frame().set_index("term")
    assert np.allclose(table.loc[oracle.index, "estimate"], oracle["estimate"], atol=3e-7)
    gamma = found.gamma
    assert np.allclose(np.diag(gamma.loc[oracle.index, oracle.index]), oracle["gamma"], rtol=5e-6)
    assert np.allclose(gamma.loc[oracle.index[-1], oracle.index], oracle["gamma_last"], rtol=5e-6, atol=1e-6)
    error = np.sqrt(oracle["gamma"] / found.n_used)
    assert np.allclose(table.loc[oracle.index, "std_error"], error, rtol=5e-6)


def test_polychoric_has_the_printed_digits_of_bfi_n(read):
    found = polychoric(read("bfi_n_rows"))
    assert [round(r, 8) for r in found.correlation.loc["N1", ["N2", "N3", "N4", "N5"]]] == pytest.approx(
        [0.76351182, 0.60809469, 0.43817079, 0.41810328], abs=1.5e-8
    )
    expected = [-0.72500591, -0.070773124, 0.3188841, 0.87224727, 1.4691335]
    assert found.thresholds["N1"].to_numpy() == pytest.approx(expected, abs=1e-7)
    navar = found.n_used * found.std_error.loc["N1", ["N2", "N3", "N4", "N5"]].to_numpy() ** 2
    assert navar == pytest.approx([0.16511627, 0.40463392, 0.66657516, 0.6656079], abs=1.5e-8)
    assert found.gamma is None


def test_the_matrix_alone_serves_factor_and_parallel_analysis(read):
    from mhlib.stats.measurement import efa, parallel_analysis

    rows = read("bfi_n_rows")
    assert np.array_equal(polychoric_matrix(rows.to_numpy()), polychoric(rows).correlation)
    assert efa(rows, n_factors=1, correlation=polychoric_matrix).loadings.iloc[0, 0] > 0.8
    chance = parallel_analysis(rows, seed=1, n_iter=20, null="permutation", correlation=polychoric_matrix)
    observed = chance.eigenvalues.query("kind == 'component'")["observed"].to_numpy()
    assert np.allclose(observed, np.linalg.eigvalsh(polychoric_matrix(rows))[::-1])


def test_a_median_split_has_a_closed_form():
    # At the medians P(both above) = 1/4 + arcsin(rho) / (2 pi): 3/8 of people give rho = sin(pi / 4).
    table = np.array([[30, 10], [10, 30]])
    found = polychoric_from_tables({("a", "b"): table})
    assert found.correlation.loc["a", "b"] == pytest.approx(np.sin(np.pi / 4), abs=1e-12)
    # There d rho / d p11 = 2 pi sqrt(1 - rho^2), and p11 + p22 is a binomial share with both thresholds estimated.
    assert found.std_error.loc["a", "b"] == pytest.approx(np.pi * np.sqrt(0.5) * np.sqrt(0.75 * 0.25 / 80), rel=1e-9)


def test_tables_and_rows_give_the_same_digits(read):
    rows = read("ordinal_bfi_rows")[A].dropna()
    tables = {(a, b): pd.crosstab(rows[a], rows[b]) for i, a in enumerate(A) for b in A[i + 1 :]}
    # Given in the other order too.
    tables["A2", "A1"] = tables.pop(("A1", "A2")).T
    found, other = polychoric(rows), polychoric_from_tables(tables)
    order = list(found.correlation.index)
    assert np.allclose(found.correlation, other.correlation.loc[order, order], rtol=0, atol=1e-13)
    assert np.allclose(found.std_error, other.std_error.loc[order, order], rtol=1e-13)
    assert np.array_equal(found.thresholds["A3"], other.thresholds["A3"])
    tables["A1", "A2"] = tables.pop(("A2", "A1")).T
    straight = polychoric_from_tables({pair: tables[pair] for pair in sorted(tables)})
    assert np.array_equal(found.to_frame().iloc[:, 1:5], straight.to_frame().iloc[:, 1:5])


def test_tables_of_pairs_with_other_people_need_counts(read):
    rows = read("ordinal_bfi_rows")[A]
    tables = {(a, b): pd.crosstab(rows[a], rows[b]) for i, a in enumerate(A) for b in A[i + 1 :]}
    with pytest.raises(DataError, match="the tables of A1 count different people; give `counts` of every item"):
        polychoric_from_tables(tables)
    counts = {name: rows[name].value_counts().sort_index() for name in A}
    found = polychoric_from_tables(tables, counts=counts, n=int(rows.notna().any(axis=1).sum()))
    whole = polychoric(rows, missing="pairwise")
    assert np.allclose(found.std_error, whole.std_error, rtol=1e-12)
    assert found.n_used == whole.n_used


def test_empty_cells_are_said_and_fill_only_small_tables(read):
    yes = read("ordinal_yes_rows")
    found = polychoric(yes)
    assert found.zero_cells.to_numpy().tolist() == [["a", "b", 1]]
    bare = polychoric(yes, zero_add=(0, 0))
    assert bare.correlation.loc["a", "b"] > found.correlation.loc["a", "b"]
    assert bare.at_bound == (("a", "b"),)
    assert bare.correlation.loc["a", "c"] == found.correlation.loc["a", "c"]
    larger = polychoric_from_tables({("a", "b"): [[20, 5, 0], [6, 20, 6], [0, 5, 20]]})
    filled = polychoric_from_tables({("a", "b"): [[20, 5, 0], [6, 20, 6], [0, 5, 20]]}, zero_add=(0.5, 0.5))
    assert filled.correlation.loc["a", "b"] < larger.correlation.loc["a", "b"]


def test_a_matrix_that_is_none_is_reported_not_smoothed():
    tables = {("a", "b"): [[40, 2], [2, 40]], ("a", "c"): [[40, 2], [2, 40]], ("b", "c"): [[20, 22], [22, 20]]}
    found = polychoric_from_tables(tables)
    assert not found.positive_definite
    assert found.smallest_eigenvalue < 0
    assert found.smallest_eigenvalue == pytest.approx(np.linalg.eigvalsh(found.correlation)[0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), categories=st.integers(2, 6), rho=st.floats(-0.8, 0.8))
def test_only_the_order_of_answers_counts(seed, categories, rho):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(150, 3))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    codes = np.digitize(z, np.linspace(-0.8, 0.8, categories - 1) if categories > 2 else [0.1])
    frame = pd.DataFrame(codes, columns=list("abc"))
    found = polychoric(frame)
    stretched = polychoric(frame.assign(a=np.exp(frame["a"])).iloc[rng.permutation(len(frame))])
    assert np.array_equal(found.correlation, stretched.correlation)
    turned = polychoric(frame.assign(a=-frame["a"]))
    assert np.allclose(turned.correlation.loc["a", ["b", "c"]], -found.correlation.loc["a", ["b", "c"]], atol=1e-9)
    assert np.allclose(turned.std_error, found.std_error, rtol=1e-6)
    table = found.to_frame().iloc[:3]
    assert ((table["conf_low"] <= table["estimate"]) & (table["estimate"] <= table["conf_high"])).all()
    assert table["conf_low"].min() > -1
    assert table["conf_high"].max() < 1


def test_categories_a_group_does_not_use_are_merged_in_all_groups(read):
    rows = read("ordinal_hs_rows").copy()
    rows.loc[(rows["school"] == "Pasteur") & (rows["x1"] == 4), "x1"] = 3
    rows.loc[(rows["school"] == "Pasteur") & (rows["x2"] == 1), "x2"] = 2
    found = fit_wlsmv(rows, HS3, groups="school")
    assert found.merged == ("x1: 4 with 3", "x2: 1 with 2")
    by_hand = rows.assign(x1=rows["x1"].clip(upper=3), x2=rows["x2"].clip(lower=2))
    assert np.array_equal(found.fit, fit_wlsmv(by_hand, HS3, groups="school").fit)
    assert [check.passed for check in found.checks] == [True, False, True, False]
    rare = polychoric(rows.drop(columns="school"))
    assert rare.merged == ()
    kept = categorical_omega(rows[["x4", "x5", "x6"]], least_count=80).model
    assert kept.merged
    assert kept.checks[3].passed is False


@pytest.mark.parametrize(
    ("items", "error", "text"),
    [
        (pd.DataFrame({"a": [1, 2, 1]}), DesignError, "polychoric(items): fewer than two items"),
        (
            pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}),
            DataError,
            "polychoric(a): holds something that is not a number",
        ),
        (pd.DataFrame({"a": np.arange(30.0), "b": [0, 1] * 15}), DataError, "polychoric(a): 30 different answers"),
        (pd.DataFrame({"a": [1, 1, 1, 1], "b": [0, 1, 0, 1]}), DesignError, "fewer than two categories in a"),
        (pd.DataFrame({"a": [1, 2, np.nan], "b": [0, 1, 0]}), DesignError, "fewer than 3 usable rows in 1 groups"),
        (pd.DataFrame([[1, 2], [2, 1], [1, 1]], columns=["a", "a"]), DataError, "two columns share a name"),
    ],
)
def test_what_is_no_set_of_ordered_items_is_named(items, error, text):
    with pytest.raises(error) as caught:
        polychoric(items)
    assert text in str(caught.value)


def test_faults_of_tables_and_settings_are_named():
    square = np.full((2, 2), 5)
    with pytest.raises(DataError, match="2 tables of 3 items; every pair of at least two items, once"):
        polychoric_from_tables({("a", "b"): square, ("c", "b"): square})
    with pytest.raises(DataError, match="a table holds something that is no count"):
        polychoric_from_tables({("a", "b"): [[1, 2], [2, -1]]})
    with pytest.raises(DesignError, match="an empty category, or fewer than two, in a"):
        polychoric_from_tables({("a", "b"): [[1, 2], [0, 0]]})
    with pytest.raises(ParamsError, match="is not two numbers from 0 to 1"):
        polychoric_from_tables({("a", "b"): square}, zero_add=0.5)
    with pytest.raises(ParamsError, match="missing"):
        polychoric(pd.DataFrame({"a": [1, 2, 1], "b": [1, 2, 2]}), missing="drop")


# ---- WLSMV

FITS = {
    "n_delta": (N1, "bfi_n_rows", {}),
    "n_theta": (N1, "bfi_n_rows", {"parameterization": "theta"}),
    "n_residual": (N1 + "\nN1 ~~ N2", "bfi_n_rows", {}),
    "n_residual_theta": (N1 + "\nN1 ~~ N2", "bfi_n_rows", {"parameterization": "theta"}),
    "hs_delta": (HS3, "ordinal_hs_rows", {}),
    "hs_theta": (HS3, "ordinal_hs_rows", {"parameterization": "theta", "std_lv": True}),
    "bifactor": (BIFACTOR, "ordinal_bfi_rows", {"std_lv": True, "orthogonal": True}),
    "ace_pairwise": (f"a =~ {' + '.join(A)}\n{CE}", "ordinal_bfi_rows", {"missing": "pairwise"}),
    "gender_free": (CE, "ordinal_bfi_rows", {"groups": "gender"}),
    "gender_equal": (CE, "ordinal_bfi_rows", {"groups": "gender", "equal": ("loadings", "thresholds")}),
    "gender_equal_theta": (
        CE,
        "ordinal_bfi_rows",
        {"groups": "gender", "equal": ("loadings", "thresholds"), "parameterization": "theta"},
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_fit_and_loadings_are_lavaans(read, name):
    model, source, options = FITS[name]
    found = fit_wlsmv(read(source), model, **options)
    oracle = read("ordinal_fits").query("fit == @name").set_index("measure")["value"]
    for measure, (row, column) in MEASURES.items():
        assert found.fit.at[row, column] == pytest.approx(oracle[measure], rel=LAVAAN, abs=1e-7), measure
    assert found.solution.model.built.n_free == oracle["npar"] or "equal" in options
    loadings = read("ordinal_loadings").query("fit == @name")
    groups = {str(label): i + 1 for i, label in enumerate(found.groups)}
    key = ["group", "lhs", "op", "rhs"]
    own = found.standardised.assign(group=found.standardised["group"].map(groups)).set_index(key)
    theirs = loadings.set_index(key)
    shared = [index for index in theirs.index if index in own.index]
    assert len(shared) >= (theirs["std_se"] > 0).sum()
    assert np.allclose(own.loc[shared, "estimate"], theirs.loc[shared, "std"], atol=2e-6)
    assert np.allclose(own.loc[shared, "std_error"], theirs.loc[shared, "std_se"], atol=2e-6)
    plain = found.parameters.assign(group=found.parameters["group"].map(groups)).set_index(key)
    shared = [index for index in shared if index in plain.index]
    assert np.allclose(plain.loc[shared, "estimate"], theirs.loc[shared, "est"], atol=2e-5)
    assert np.allclose(plain.loc[shared, "std_error"].fillna(0), theirs.loc[shared, "se"], atol=2e-5)


def test_mean_adjusted_test_is_lavaans_wlsm(read):
    found = fit_wlsmv(read("bfi_n_rows"), N1, scaling="mean_adjusted")
    oracle = read("ordinal_fits").query("fit == 'n_wlsm'").set_index("measure")["value"]
    for measure, (row, column) in MEASURES.items():
        assert found.fit.at[row, column] == pytest.approx(oracle[measure], rel=LAVAAN), measure


def test_printed_digits_of_bfi_n_and_the_ordinal_copy(read):
    found = fit_wlsmv(read("bfi_n_rows"), N1)
    naive, scaled = found.fit.loc["naive"], found.fit.loc["scaled"]
    assert naive["chi2"] == pytest.approx(261.72535, abs=1e-5)
    assert scaled["chi2"] == pytest.approx(547.76802, abs=2e-5)
    assert (scaled["scale"], scaled["shift"]) == pytest.approx((0.47828602, 0.5528734), abs=1e-7)
    assert (naive["cfi"], naive["rmsea"]) == pytest.approx((0.98763853, 0.13808013), abs=1e-8)
    assert (scaled["cfi"], scaled["rmsea"]) == pytest.approx((0.96031415, 0.20077237), abs=1e-8)
    assert scaled["srmr"] == pytest.approx(0.059209248, abs=1e-8)
    loadings = found.standardised["estimate"].to_numpy()
    assert loadings == pytest.approx([0.86106166, 0.83766829, 0.75719585, 0.61789922, 0.54901291], abs=1e-7)
    wlsm = fit_wlsmv(read("bfi_n_rows"), N1, scaling="mean_adjusted").fit.loc["scaled"]
    assert (wlsm["chi2"], wlsm["scale"]) == pytest.approx((615.24575, 0.42539969), abs=2e-5)
    copy = fit_wlsmv(read("ordinal_hs_rows"), HS3)
    assert copy.fit["chi2"].to_numpy() == pytest.approx([51.5367909, 74.1524845], rel=1e-7)
    assert copy.fit["cfi"].to_numpy() == pytest.approx([0.986693268, 0.962478105], abs=1e-8)
    loadings = copy.standardised.query("op == '=~'")["estimate"].round(3).to_list()
    assert loadings == [0.783, 0.474, 0.476, 0.821, 0.886, 0.873, 0.468, 0.590, 0.874]


def test_both_doors_give_the_same_digits(read):
    rows = read("ordinal_bfi_rows").dropna()
    whole = fit_wlsmv(rows, CE, groups="gender", parameterization="theta")
    records = {str(g): polychoric(part[E + C], gamma=True) for g, part in rows.groupby("gender")}
    other = fit_wlsmv_from_polychoric(records, CE, parameterization="theta")
    assert np.allclose(whole.fit, other.fit, rtol=1e-9)
    assert np.allclose(whole.parameters["std_error"], other.parameters["std_error"], rtol=1e-7, equal_nan=True)
    tables = polychoric_from_tables(
        {(a, b): pd.crosstab(rows[a], rows[b]) for i, a in enumerate(C) for b in C[i + 1 :]}
    )
    one = fit_wlsmv_from_polychoric(tables, "c =~ " + " + ".join(C))
    same = fit_wlsmv(rows, "c =~ " + " + ".join(C))
    assert np.allclose(one.fit.loc["naive"], same.fit.loc["naive"], rtol=1e-9)
    assert one.fit.loc["scaled", ["chi2", "cfi", "rmsea"]].isna().all()
    assert one.parameters["std_error"].isna().all()
    assert np.allclose(one.standardised["estimate"], same.standardised["estimate"], atol=1e-9)


def test_parameterisations_agree_and_reruns_are_identical(read):
    rows = read("ordinal_hs_rows")
    delta, theta = fit_wlsmv(rows, HS3), fit_wlsmv(rows, HS3, parameterization="theta", std_lv=True)
    assert np.allclose(delta.fit, theta.fit, rtol=1e-6)
    assert np.allclose(delta.standardised["std_error"], theta.standardised["std_error"], atol=1e-6)
    again = fit_wlsmv(rows, HS3)
    assert np.array_equal(again.fit, delta.fit)
    assert np.array_equal(again.parameters["std_error"], delta.parameters["std_error"], equal_nan=True)
    gap = delta.residuals["all"]
    assert gap.loc["x1", "x2"] == pytest.approx(
        polychoric(rows.drop(columns="school")).correlation.loc["x1", "x2"]
        - np.prod(delta.standardised["estimate"].to_numpy()[:2])
    )


def test_a_reference_group_comes_first_and_groups_may_be_values(read):
    rows = read("ordinal_hs_rows")
    by_name = fit_wlsmv(rows, HS3, groups="school", reference="Pasteur")
    assert by_name.groups == ("Pasteur", "Grant-White")
    assert by_name.n_by_group.to_dict() == {"Pasteur": 156, "Grant-White": 145}
    assert np.allclose(fit_wlsmv(rows, HS3, groups=rows["school"].to_numpy()).fit, by_name.fit, rtol=1e-9)
    with pytest.raises(ParamsError, match="is no group of the data; one of Grant-White, Pasteur"):
        fit_wlsmv(rows, HS3, groups="school", reference="Eton")
    with pytest.raises(ParamsError, match="the data have no column 'sex'"):
        fit_wlsmv(rows, HS3, groups="sex")


def test_a_model_that_cannot_be_told_apart_is_refused(read):
    rows = read("ordinal_hs_rows")
    found = fit_wlsmv(rows, "f =~ x1 + x2")
    assert isinstance(found, Refused)
    assert found.code == "cfa_not_identified"
    with pytest.raises(ParamsError, match="'x99' is not known"):
        fit_wlsmv(rows, "f =~ x1 + x2 + x99")


def test_a_handful_of_people_is_refused_and_degenerate_answers_too(read):
    rows = read("ordinal_hs_rows")
    few = fit_wlsmv(rows.iloc[:9], HS3)
    assert isinstance(few, Refused)
    assert few.code == "cfa_too_few_people"
    answers = pd.DataFrame({"a": [0, 1, 2, 0] * 5, "b": [0, 1, 1, 1] * 5, "c": [0, 1, 0, 1, 1] * 4})
    tied = fit_wlsmv(answers, "f =~ a + b + c")
    assert tied.code == "cfa_degenerate_correlation"
    assert tied.why.values["pairs"] == "a, b"
    table = polychoric(answers).to_frame().set_index("term")
    assert np.isnan(table.at["a~~b", "std_error"])
    assert table.at["a~~c", "std_error"] > 0
    assert isinstance(categorical_omega(answers), Refused)
    apart = pd.DataFrame({"a": [1, 2, 1, None, None, None], "b": [None, None, None, 1, 2, 2], "c": [1, 2, 1, 2, 1, 2]})
    with pytest.raises(DesignError, match="too few people answered both a and b to correlate them"):
        polychoric(apart, missing="pairwise")


def test_no_omega_is_given_of_an_impossible_model():
    rng = np.random.default_rng(0)
    found = next(
        one
        for one in (categorical_omega(pd.DataFrame(rng.integers(0, 3, (15, 4)))) for _ in range(50))
        if not isinstance(one, Refused) and (one.loadings.abs() >= 1).any()
    )
    assert found.improper
    assert found.values.isna().all(axis=None)


def test_impossible_estimates_are_named(read):
    found = fit_wlsmv(read("ordinal_hs_rows"), HS3)
    assert found.improper == ()
    assert found.checks[0].passed is True
    corner = {("a", "b"): 0.9, ("a", "c"): 0.9, ("b", "c"): 0.5}
    tables = {}
    for pair, rho in corner.items():
        half = np.arcsin(rho) / (2 * np.pi) + 0.25
        tables[pair] = np.round(1000 * np.array([[half, 0.5 - half], [0.5 - half, half]]))
    heywood = fit_wlsmv_from_polychoric(polychoric_from_tables(tables), "f =~ a + b + c")
    assert heywood.improper == ("a",)
    assert heywood.checks[0].passed is False


def test_cfa_comes_here_for_ordered_items(read):
    from mhlib.stats.measurement import cfa

    rows = read("ordinal_hs_rows")
    found = cfa(rows, HS3, estimator="wlsmv", std_lv=True)
    assert np.array_equal(found.fit, fit_wlsmv(rows, HS3, std_lv=True).fit)
    assert cfa(rows, HS3, estimator="wlsmv", cluster="school").code == "cfa_few_clusters"
    with pytest.raises(ParamsError, match="ordered items have thresholds always"):
        fit_wlsmv(rows, HS3, means=False)


def test_copies_of_a_person_in_one_cluster_add_nothing(read):
    rows = read("ordinal_hs_rows")
    once = fit_wlsmv(rows, HS3)
    twice = fit_wlsmv(
        pd.concat([rows, rows.sample(frac=1, random_state=1)]).assign(pupil=lambda both: both.index),
        HS3,
        cluster="pupil",
    )
    # Left over is only n - 1 against 2n - 1, and C / (C - 1).
    ratio = np.sqrt((301 / 300) * 2 * 300 / 601)
    free = once.parameters["free"].to_numpy()
    assert np.allclose(
        twice.parameters["std_error"][free].to_numpy(), ratio * once.parameters["std_error"][free], rtol=1e-6
    )
    assert np.allclose(twice.parameters["estimate"], once.parameters["estimate"], atol=1e-7)
    assert twice.n_clusters == 301
    assert "by cluster" in twice.method
    assert twice.fit.at["scaled", "scale"] == pytest.approx(once.fit.at["scaled", "scale"] * 2 * 301 / 300, rel=1e-4)
    # A cluster of one: the same Gamma but for C / (C - 1); the interval is that of t.
    alone = fit_wlsmv(rows, HS3, cluster=np.arange(301))
    assert np.allclose(alone.parameters["std_error"][free], np.sqrt(301 / 300) * once.parameters["std_error"][free])
    row = alone.parameters[free].iloc[0]
    assert row["conf_high"] == pytest.approx(row["estimate"] + t_quantile.ppf(0.975, 300) * row["std_error"])


def test_clusters_must_lie_within_groups(read):
    rows = read("ordinal_hs_rows").assign(room=lambda frame: np.arange(len(frame)) % 30)
    with pytest.raises(DesignError, match="30 clusters have people in more than one group"):
        fit_wlsmv(rows, HS3, groups="school", cluster="room")
    rows["room"] += 30 * (rows["school"] == "Pasteur")
    found = fit_wlsmv(rows, HS3, groups="school", cluster="room")
    assert found.n_clusters == 60
    with pytest.raises(ParamsError, match="the data have no column 'class'"):
        fit_wlsmv(rows, HS3, cluster="class")
    with pytest.raises(DataError, match="1 of 301 rows name no group"):
        fit_wlsmv(rows, HS3, cluster=[None, *range(300)])


# ---- real data with published values


@pytest.mark.parametrize(
    ("name", "model", "values"),
    [
        ("pclc17_wenchuan.csv", "one", (1397.6, 119, 0.887, 0.177)),
        # The notes print RMSEA .090 and .046; lavaan gives .090510 and .045476 on these files.
        ("pclc17_wenchuan.csv", "king", (430.5, 113, 0.972, 0.091)),
        ("dass42_online5000.csv.gz", "dass", (17761.2, 816, 0.947, 0.064)),
        ("cdi26_youth_race.csv", "one", (1714.4, 299, 0.927, 0.045)),
    ],
)
def test_real_scales_give_the_stated_fit(shared_data, name, model, values):
    frame = pd.read_csv(shared_data / name)
    items = [column for column in frame.columns if column.startswith(("Q", "CDI"))]
    items = items or [column for column in frame.columns if column != "id"]
    texts = {
        "one": "f =~ " + " + ".join(items),
        "king": "\n".join(
            f"{factor} =~ " + " + ".join(items[a:b])
            for factor, a, b in (("r", 0, 5), ("v", 5, 7), ("n", 7, 12), ("h", 12, 17))
        ),
        "dass": "\n".join(f"{s.lower()} =~ " + " + ".join(i for i in items if i.endswith(f"_{s}")) for s in "DAS"),
    }
    scaled = fit_wlsmv(frame, texts[model]).fit.loc["scaled"]
    assert scaled["chi2"] == pytest.approx(values[0], abs=0.051)
    assert scaled["df"] == values[1]
    assert (round(scaled["cfi"], 3), round(scaled["rmsea"], 3)) == values[2:]


# ---- invariance


@pytest.mark.parametrize(
    ("name", "parameterization", "model", "source", "options"),
    [
        ("hs", "theta", HS3, "ordinal_hs_rows", {"groups": "school"}),
        ("hs", "delta", HS3, "ordinal_hs_rows", {"groups": "school"}),
        ("datcat", "theta", "f =~ " + " + ".join(f"u{i}" for i in range(1, 9)), "ordinal_datcat_rows", {"groups": "g"}),
        ("bfi", "theta", CE, "ordinal_bfi_rows", {"groups": "gender"}),
        ("hs_partial", "theta", HS3, "ordinal_hs_rows", {"groups": "school", "partial": ("x3~1", "x7~1")}),
        (
            "hs_one_threshold",
            "theta",
            HS3,
            "ordinal_hs_rows",
            {"groups": "school", "partial": ("x3|t2", "x3|t3")},
        ),
        ("three", "theta", CE, "ordinal_three_rows", {"groups": "gender"}),
    ],
)
def test_the_sequence_is_semtools(read, name, parameterization, model, source, options):
    oracle = read("ordinal_invariance").query("set == @name and parameterization == @parameterization")
    found = invariance_wlsmv(
        read(source), model, steps=tuple(oracle["step"]), parameterization=parameterization, **options
    ).steps
    assert found["step"].to_list() == oracle["step"].to_list()
    for ours, theirs in (("df", "df"), ("diff_df", "df_diff")):
        assert found[ours].iloc[1:].to_list() == oracle[theirs].iloc[1:].to_list()
    for column in ("chi2", "chi2_naive", "cfi", "rmsea", "srmr"):
        assert np.allclose(found[column], oracle[column], rtol=3e-6, atol=1e-6), column
    asked = (oracle["df_diff"] > 0).to_numpy()
    assert np.allclose(found["diff_chi2"][asked], oracle["chi2_diff"][asked], rtol=5e-6, atol=2e-5)
    assert np.allclose(found["diff_p"][asked], oracle["p_diff"][asked], rtol=2e-5)
    assert found["holds"][~asked].isna().all()


def test_printed_digits_of_the_sequence(read):
    found = invariance_wlsmv(read("ordinal_hs_rows"), HS3, groups="school", reference="Pasteur")
    assert found.steps["chi2"].to_numpy() == pytest.approx([94.0476945, 104.548246, 98.699475, 157.716014], rel=1e-6)
    assert found.steps["diff_chi2"].to_numpy()[1:] == pytest.approx([6.276942, 0.872697, 43.889956], abs=2e-5)
    assert found.steps["diff_p"].to_numpy()[1:] == pytest.approx([0.711913, 0.989981, 7.773e-08], rel=1e-5)
    assert found.highest == "loadings"
    assert found.steps["holds"].to_list() == [None, True, True, False]
    means = found.latent_means.set_index("factor")
    assert (means["group"] == "Grant-White").all()
    assert means.loc["textual", "conf_low"] > 0 > means.loc["speed", "estimate"]
    table = found.to_frame()
    assert table["term"].to_list() == ["configural", "thresholds", "loadings", "intercepts"]
    assert table["estimate"].to_list() == found.steps["cfi"].to_list()


def test_items_with_two_categories_join_the_steps(read):
    rows = read("ordinal_hs_rows").copy()
    # Cut away from the medians: thresholds of 0 would not tell a group's spread.
    for name, cut in {"x1": 3, "x2": 3, "x3": 1, "x4": 1, "x5": 3, "x6": 1}.items():
        rows[name] = (rows[name] > cut).astype(int)
    model = "f =~ x4 + x5 + x6 + x1 + x2 + x3"
    found = invariance_wlsmv(rows, model, groups="school", steps=STEPS)
    assert found.joined == ("x4", "x5", "x6", "x1", "x2", "x3")
    assert found.steps["step"].to_list() == ["configural", "intercepts", "residuals"]
    # 6 thresholds and 6 loadings become equal; a mean, a variance and 6 residual variances are set free.
    assert found.steps["diff_df"].to_list()[1:] == [12 - 8, 6]


def test_copies_in_one_cluster_leave_difference_tests_and_points_alone(read):
    rows = planted(300, 0.4, 3)
    model = "F =~ a + b + c + d + e + f"
    once = invariance_wlsmv(rows, model, groups="group")
    both = pd.concat([rows, rows]).assign(pupil=lambda frame: frame.index)
    twice = invariance_wlsmv(both, model, groups="group", cluster="pupil")
    # n - 1 against 2n - 1, and C / (C - 1): both near 1 at 300 pupils a group.
    assert np.allclose(twice.steps["diff_chi2"].iloc[1:], once.steps["diff_chi2"].iloc[1:], rtol=0.01)
    ours, theirs = (invariance_impact(found).items for found in (once, twice))
    assert np.allclose(ours["estimate"], theirs["estimate"], atol=1e-6)
    assert np.allclose(ours["std_error"] * np.sqrt(300 / 299), theirs["std_error"], rtol=1e-5)
    naive = invariance_impact(invariance_wlsmv(both, model, groups="group")).items
    assert np.allclose(naive["std_error"] * np.sqrt(2), ours["std_error"], rtol=1e-5)


def test_faults_of_a_sequence_are_named(read):
    rows = read("ordinal_hs_rows")
    with pytest.raises(ParamsError, match="'metric' is no step; one of configural, thresholds"):
        invariance_wlsmv(rows, HS3, groups="school", steps=("configural", "metric"))
    with pytest.raises(ParamsError, match="names no step"):
        invariance_wlsmv(rows, HS3, groups="school", steps=())
    with pytest.raises(ParamsError, match="'x3~2' is no parameter of the model"):
        invariance_wlsmv(rows, HS3, groups="school", partial=("x3~2",))
    with pytest.raises(DesignError, match="one group only"):
        invariance_wlsmv(rows.assign(one=1), HS3, groups="one")
    refused = invariance_wlsmv(rows, "f =~ x1 + x2", groups="school")
    assert isinstance(refused, Refused)


# ---- the effect in points


def planted(n: int, shift: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(["first", "second"], n)
    trait = rng.normal(size=2 * n) * np.where(group == "second", 1.2, 1.0) + 0.5 * (group == "second")
    answer = trait[:, None] * [0.8, 1.0, 1.2, 0.9, 1.1, 1.0] + rng.normal(size=(2 * n, 6))
    answer[group == "second", 0] += shift
    frame = pd.DataFrame((answer[:, :, None] > [0.0, 1.0, 2.0]).sum(axis=2), columns=list("abcdef"))
    return frame.assign(group=group)


def test_points_are_split_into_trait_and_items():
    rows = planted(4000, 0.6, 5)
    ladder = invariance_wlsmv(rows, "F =~ a + b + c + d + e + f", groups="group", partial=("a~1",))
    found = invariance_impact(ladder)
    total = found.effects.iloc[0]
    means = rows.groupby("group")[list("abcdef")].mean().sum(axis=1)
    assert total["observed"] == pytest.approx(means["second"] - means["first"], abs=1e-9)
    assert total["estimate"] == pytest.approx(total["observed"] - total["from_trait"])
    # What the planted shift makes, by simulation of the same pupils with and without it.
    truth = (
        planted(200_000, 0.6, 6)["a"].to_numpy()[200_000:].mean()
        - planted(200_000, 0, 6)["a"].to_numpy()[200_000:].mean()
    )
    assert total["estimate"] == pytest.approx(truth, abs=3 * total["std_error"])
    assert total["conf_low"] > 0
    items = found.items.set_index("item")
    assert items["estimate"].sum() == pytest.approx(total["estimate"])
    assert items.loc["a", "estimate"] == pytest.approx(truth, abs=3 * items.loc["a", "std_error"])
    assert (items.loc[list("bcdef"), "p_value"] > 0.001).all()
    assert total["range"] == 18
    curve = found.curve.pivot(index="level", columns="group", values="expected")
    inner = curve.loc[-2:2]
    assert total["largest"] == pytest.approx((inner["second"] - inner["first"]).abs().max())
    assert found.to_frame()["term"].to_list()[:2] == ["second: total", "second: a"]


def test_slopes_of_the_points_are_derivatives():
    rows = planted(400, 0.3, 2)
    ladder = invariance_wlsmv(rows, "F =~ a + b + c\nG =~ d + e + f", groups="group")
    free, tied = (ladder.fits[step].solution for step in ("configural", "intercepts"))
    gaps = np.concatenate(ladder.gaps)
    _, by_free, by_tied = expected_points(free, tied, gaps, 1)

    def moved(fit, place, size):
        theta = fit.theta.copy()
        theta[place] += size
        return replace(fit, theta=theta, found=implied(fit.model, theta))

    for place in range(len(free.theta)):
        two = [expected_points(moved(free, place, size), tied, gaps, 1)[0] for size in (1e-5, -1e-5)]
        assert np.allclose((two[0] - two[1]) / 2e-5, by_free[:, place], atol=1e-8)
    for place in range(len(tied.theta)):
        two = [expected_points(free, moved(tied, place, size), gaps, 1)[0] for size in (1e-5, -1e-5)]
        assert np.allclose((two[0] - two[1]) / 2e-5, by_tied[:, place], atol=1e-8)


def test_points_need_both_steps_and_residual_variances():
    rows = planted(300, 0, 1)
    short = invariance_wlsmv(rows, "F =~ a + b + c + d", groups="group", steps=("configural", "thresholds"))
    with pytest.raises(DesignError, match="needs the steps configural and intercepts"):
        invariance_impact(short)
    delta = invariance_wlsmv(rows, "F =~ a + b + c + d", groups="group", parameterization="delta")
    with pytest.raises(DesignError, match="needs parameterization theta"):
        invariance_impact(delta)


# ---- reliability


def test_reliability_is_semtools(read):
    oracle = read("ordinal_reliability").set_index("set")
    sources = {s: read("ordinal_bfi_rows")[[f"{s}{i}" for i in range(1, 6)]] for s in "ACEO"}
    sources |= {"N": read("bfi_n_rows"), "datcat": read("ordinal_datcat_rows").drop(columns="g")}
    for name, rows in sources.items():
        alpha, found = ordinal_alpha(rows), categorical_omega(rows)
        assert found.n_used == alpha.n_used == oracle.at[name, "n"]
        assert alpha.alpha == pytest.approx(oracle.at[name, "ordinal_alpha"], abs=1e-7)
        for term, value in found.values["estimate"].items():
            assert value == pytest.approx(oracle.at[name, term], abs=1e-6), (name, term)
    printed = {"A": (0.77682778, 0.7290024), "C": (0.7834229, 0.75373398), "E": (0.80160825, 0.7783615),
               "N": (0.86235203, 0.83878528), "O": (0.68890799, 0.64481604)}  # fmt: skip
    for name, (ordinal, categorical) in printed.items():
        found = categorical_omega(sources[name])
        assert (found.omega_ordinal, found.omega_categorical) == pytest.approx((ordinal, categorical), abs=1e-7)
    assert categorical_omega(sources["datcat"]).omega_categorical == pytest.approx(0.88095417, abs=5e-7)


def test_errors_of_reliability_agree_with_resampling_where_one_factor_fits():
    rng = np.random.default_rng(3)
    answer = rng.normal(size=(1500, 1)) * [0.6, 0.7, 0.8, 0.5] + rng.normal(size=(1500, 4)) * np.sqrt(
        1 - np.array([0.6, 0.7, 0.8, 0.5]) ** 2
    )
    rows = pd.DataFrame((answer[:, :, None] > [0.2, 0.9, 1.6]).sum(axis=2))
    delta, resampled = categorical_omega(rows), categorical_omega(rows, n_boot=100, seed=4)
    # 100 resamples know a standard deviation to 7 per cent.
    assert np.allclose(delta.values["std_error"], resampled.values["std_error"], rtol=0.25)
    assert np.array_equal(delta.values["estimate"], resampled.values["estimate"])
    assert "100 resamples" in resampled.method
    few = rows.iloc[:200]
    again = [categorical_omega(few, n_boot=100, seed=4).values for _ in range(2)]
    assert np.array_equal(*again)
    alpha = ordinal_alpha(rows)
    draws = [ordinal_alpha(rows.iloc[rng.integers(0, 1500, 1500)]).alpha for _ in range(100)]
    assert alpha.std_error == pytest.approx(np.std(draws), rel=0.25)
    assert alpha.conf_low < alpha.alpha < alpha.conf_high < 1


def test_points_count_in_the_score_and_records_are_tables(read):
    rows = read("bfi_n_rows")
    found = categorical_omega(rows)
    assert np.allclose(categorical_omega(rows * 3 + 1).values, found.values, rtol=1e-12)
    weighted = categorical_omega(rows.assign(N5=rows["N5"] * 10))
    assert weighted.omega_categorical < found.omega_categorical
    assert weighted.omega_ordinal == found.omega_ordinal
    assert found.to_frame()["term"].to_list()[0] == "omega_categorical"
    assert found.loadings.index.to_list() == list(rows)
    named = categorical_omega(rows.set_axis(["f", "a b", "1", "i0", "x~y"], axis=1))
    assert named.model.standardised["rhs"].to_list() == ["f", "a b", "1", "i0", "x~y"]
    assert named.model.standardised["lhs"].unique().tolist() == ["f_"]
    assert np.array_equal(named.values, found.values)
    assert ordinal_alpha(rows).to_frame()["term"].to_list() == ["ordinal_alpha"]
    with pytest.raises(DesignError, match="fewer than three items"):
        categorical_omega(rows[["N1", "N2"]])
