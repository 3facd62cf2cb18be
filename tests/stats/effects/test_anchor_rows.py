"""Printed figures of the research's table of reference values that no other test holds to their digits."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects import (
    adjusted_slopes,
    cluster_robust,
    cluster_robust_from_sums,
    compare_means,
    joint_test,
    multilevel,
    pool,
    term_tests,
    tost,
)
from mhlib.stats.effects.ancova_model import ancova
from mhlib.stats.effects.retention_anova import mixed_anova_complete
from mhlib.stats.effects.robust_sums import ClusterSums

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
AWARDS = pd.read_csv(ORACLE / "robust_awards.csv.gz")
MODEL = "y ~ treated + C(quarter) + sex + siblings + immigrant + father + mother"


def orthodont() -> pd.DataFrame:
    data = pd.read_csv(ORACLE / "multilevel_orthodont.csv")
    data["Sex"] = pd.Categorical(data["Sex"], categories=["Male", "Female"])
    data["c"] = data["age"] - 11
    data["a"] = pd.Categorical(data["age"].astype(int).astype(str), ["8", "10", "12", "14"])
    return data


def btheb() -> pd.DataFrame:
    data = pd.read_csv(ORACLE / "multilevel_btheb.csv")
    data["treatment"] = pd.Categorical(data["treatment"], categories=["TAU", "BtheB"])
    return data.assign(month=data["time"].astype(str))


def row(fit, term: str) -> pd.Series:
    return fit.to_frame().set_index("term").loc[term]


def test_sleepstudy_by_subject():
    fit = cluster_robust("y ~ days", pd.read_csv(ORACLE / "robust_sleepstudy.csv"), cluster="cluster")
    assert tuple(row(fit, "days")[["std_error", "df"]]) == pytest.approx((1.545788896, 17), rel=1e-9)
    assert row(fit, "Intercept")["std_error"] == pytest.approx(6.824556532, rel=1e-9)


def test_orthodont_by_child():
    # Balanced waves: least squares and the mixed model have one estimate and one CR2 error.
    data = orthodont()
    fit = cluster_robust("distance ~ c * Sex", data, cluster="Subject")
    for term, error, p in (("Sex[T.Female]", 0.7822012116, 0.0071924), ("c:Sex[T.Female]", 0.1212491436, 0.01988589)):
        found = row(fit, term)
        assert tuple(found[["std_error", "df"]]) == pytest.approx((error, 21.65346535), rel=1e-8)
        assert found["p_value"] == pytest.approx(p, abs=5e-8)
    assert fit.estimates[fit.position("Sex[T.Female]")] == pytest.approx(-2.3210227273, abs=5e-11)


def test_orthodont_slopes_and_tests():
    data = orthodont()
    slopes = adjusted_slopes(multilevel("distance ~ c * Sex", data, groups="Subject"), "c", by="Sex").to_frame()
    wanted = [[0.784375, 0.6301129, 0.9386371], [0.4795454545, 0.2934984, 0.6655926]]
    np.testing.assert_allclose(slopes[["estimate", "conf_low", "conf_high"]], wanted, atol=6e-8)
    tests = term_tests(multilevel("distance ~ a * Sex", data, groups="Subject")).to_frame().set_index("term")
    assert tuple(tests.loc["a", ["estimate", "num_df", "den_df"]]) == pytest.approx((35.34733, 3, 75), rel=1e-6)
    assert tuple(tests.loc["Sex", ["estimate", "num_df", "den_df"]]) == pytest.approx((9.29210, 1, 25), rel=1e-6)
    assert tuple(tests.loc["a:Sex", ["estimate", "p_value"]]) == pytest.approx((2.36156, 0.0780583), rel=3e-6)


def test_orthodont_sequential_analysis_of_variance():
    found = mixed_anova_complete(orthodont().astype({"a": str}), outcome="distance", within="a", between="Sex",
                                 subject="Subject")  # fmt: skip
    table = found.to_frame().set_index("term")
    assert table.loc["a", "estimate"] == pytest.approx(40.03166, abs=5e-6) and not found.balanced


def test_btheb_over_the_months():
    formula = "bdi ~ pre + treatment * month + drug + length"
    fit = multilevel(formula, btheb(), groups="subject")
    simple = compare_means(fit, "treatment", by="month", adjust="none").to_frame()
    np.testing.assert_allclose(simple["estimate"], [3.03244646, 2.70858953, 2.06014471, 0.04004957], atol=3e-7)
    np.testing.assert_allclose(simple["std_error"], [1.88491111, 2.02992640, 2.14820268, 2.20853550], rtol=2e-6)
    np.testing.assert_allclose(simple["df"], [130.863, 158.752, 183.394, 195.583], rtol=1e-5)
    np.testing.assert_allclose(simple["p_value"], [0.11007, 0.18401, 0.33882, 0.98555], atol=5e-6)
    averaged = compare_means(fit, "treatment").to_frame().iloc[0]
    assert tuple(averaged[["estimate", "std_error"]]) == pytest.approx((1.96030757, 1.74620025), rel=2e-6)
    assert tuple(averaged[["df", "p_value"]]) == pytest.approx((94.8683, 0.26443), rel=2e-5)


def test_btheb_slope_of_time():
    fit = multilevel("bdi ~ pre + time + treatment + drug + length", btheb(), groups="subject")
    time = fit.effect("time")
    assert (time["estimate"], time["std_error"]) == pytest.approx((-0.7015981397, 0.1469407204), rel=2e-6)


def test_btheb_of_complete_cases_at_eight_months():
    rows = btheb().query("time == 8")
    found = ancova(rows, outcome="bdi", baseline="pre", arm="treatment", reference="TAU", covariates=["drug", "length"],
                   cluster="subject", allocation="randomised")  # fmt: skip
    assert found.effects.estimates[0] == pytest.approx(-3.081504621, abs=5e-10)
    assert found.fit.model_errors[1] == pytest.approx(2.38372414, abs=5e-9)
    assert (found.n_used, found.n_excluded) == (52, 48)


def test_welch_at_two_months():
    rows = pd.read_csv(ORACLE / "robust_btheb.csv")
    first, second = (rows.loc[rows["treatment"] == arm, "y"] for arm in ("TAU", "BtheB"))
    found = tost(first, second, bound=3, equal_variances=False)
    assert found.df == pytest.approx(90.025069, abs=5e-7)
    assert found.estimate / found.std_error == pytest.approx(2.1941474, abs=5e-8)


AWARDS_ERRORS = {
    "CR0": 0.0368633809, "CR1": 0.0373452756, "CR1S": 0.0373893466, "CR2": 0.0387577705, "CR3": 0.0408250470,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(AWARDS_ERRORS))
def test_the_awards_by_every_kind(kind):
    fit = cluster_robust(MODEL, AWARDS[AWARDS["year"] == 2001], cluster="school", kind=kind)
    assert row(fit, "treated")["std_error"] == pytest.approx(AWARDS_ERRORS[kind], abs=6e-11)
    assert (fit.n_used, fit.n_clusters) == (3821, 39)


def test_the_awards_of_girls():
    formula = "y ~ C(year)*treated + C(type) + father + mother + immigrant + siblings + C(quarter)"
    fit = cluster_robust(formula, AWARDS[AWARDS["sex"] == 0], cluster="school")
    wanted = {"treated": (0.0538013907, 0.0455735160, 24.3624842),
              "C(year)[T.2002]:treated": (-0.0592636221, 0.0565756865, 24.2140164)}  # fmt: skip
    for term, values in wanted.items():
        assert tuple(row(fit, term)[["estimate", "std_error", "df"]]) == pytest.approx(values, rel=1e-8)
    both = joint_test(fit, [term for term in fit.terms if ":treated" in term])
    assert (both.statistic, both.df1) == pytest.approx((1.21834615, 2), rel=1e-8)
    assert (both.df2, both.p_value) == pytest.approx((22.7276662, 0.3143157), rel=1e-7)
    assert fit.n_used == 5921


def test_hsb82_by_school():
    table = pd.read_csv(ORACLE / "robust_sums.csv.gz").query("case == 'hsb82'")
    code, _ = pd.factorize(table["cluster"])
    full = np.zeros((code.max() + 1, 4, 4))
    full[code, table["row"], table["column"]] = full[code, table["column"], table["row"]] = table["value"]
    sums = ClusterSums(names=("Intercept", "ses", "sector"), n=table.groupby(code)["n"].first().to_numpy(),
                       xx=full[:, :3, :3], xy=full[:, :3, 3], yy=full[:, 3, 3])  # fmt: skip
    found = row(cluster_robust_from_sums(sums), "sector")
    assert tuple(found[["estimate", "std_error", "df"]]) == pytest.approx(
        (1.9350129633, 0.3184737017, 141.463666), rel=1e-8
    )


def test_exam_and_star():
    exam = pd.read_csv(ORACLE / "multilevel_exam.csv")
    exam["schgend"] = pd.Categorical(exam["schgend"], categories=["mixed", "boys", "girls"])
    boys = multilevel("normexam ~ standLRT + sex + schgend", exam, groups="school").effect("sex[T.M]")
    assert (boys["estimate"], boys["std_error"]) == pytest.approx((-0.1673915374, 0.0340995841), rel=2e-6)
    star = pd.read_csv(ORACLE / "multilevel_star.csv")
    star["cltype"] = pd.Categorical(star["cltype"], categories=["small", "reg", "reg+A"])
    aide = multilevel("math ~ cltype + sx", star, groups=["sch", "tch"]).effect("cltype[T.reg+A]")
    assert (aide["estimate"], aide["std_error"]) == pytest.approx((-8.183150568, 2.57246032), rel=2e-6)


# Case and term: estimate, error, df, fraction of missing information.
POOLED = {
    ("nhanes", "age"): (31.12296877, 11.41564261, 10.6228, 0.5036658),
    ("nhanes", "bmi"): (5.601462521, 2.076817907, 15.1977, 0.3049512),
    ("btheb", "treatmentBtheB"): (-1.594725505, 2.333814095, 47.5965, 0.4202727),
}


@pytest.mark.parametrize(("case", "term"), list(POOLED))
def test_pooling_of_mices_own_tables(case, term):
    rows = pd.read_csv(ORACLE / "anchor_pooled_each.csv").query("case == @case and term == @term")
    found = pool(rows["q"], rows["u"], df_complete=float(rows["df_complete"].iloc[0])).table.iloc[0]
    estimate, error, df, fmi = POOLED[case, term]
    assert (found["estimate"], found["std_error"]) == pytest.approx((estimate, error), rel=1e-9)
    assert found["df"] == pytest.approx(df, abs=5e-5) and found["fmi"] == pytest.approx(fmi, abs=5e-8)


def test_pooling_of_nhanes2():
    table = pd.read_csv(ORACLE / "change_pooled_each.csv").query("case == 'nhanes2'")
    wanted = {"bmi": (5.888599363, 2.464998067, 8.229823287), "age60-99": (66.74502103, 27.26863286, 6.707545734),
              "hypyes": (-5.465326798, None, None)}  # fmt: skip
    for term, values in wanted.items():
        rows = table[table["term"] == term]
        found = pool(rows["q"], rows["u"], df_complete=20).table.iloc[0]
        for name, value in zip(("estimate", "std_error", "df"), values, strict=True):
            assert value is None or found[name] == pytest.approx(value, rel=1e-9), (term, name)
