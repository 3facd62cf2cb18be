"""Nested mixed models: lme4, lmerTest, emmeans, statsmodels, dense algebra, by hand, edges, errors and properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects import (
    adjusted_means,
    adjusted_slopes,
    compare_means,
    fixed_contrasts,
    fixed_joint_test,
    group_effects,
    multilevel,
    multilevel_from_statistics,
    multilevel_outcomes,
    nested_optimise,
    nested_statistics,
    random_intercept_logit,
    term_tests,
    variance_profile,
)
from mhlib.stats.effects.nested_deviance import Deviance

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
NAMES = ("fixed", "random", "type3", "means", "effects", "profile", "logit")
TABLES = {name: pd.read_csv(ORACLE / f"multilevel_{name}.csv") for name in NAMES}
SCHOOL = ["school", "class", "pupil"]
# Name in the R script: data, formula, groups, options.
MODELS = {
    "sleep_slope": ("sleepstudy", "Reaction ~ Days", "Subject", {"slope": "Days"}),
    "sleep_uncorrelated": ("sleepstudy", "Reaction ~ Days", "Subject", {"slope": "Days", "slope_correlated": False}),
    "sleep_intercept": ("sleepstudy", "Reaction ~ Days", "Subject", {}),
    "sleep_ml": ("sleepstudy", "Reaction ~ Days", "Subject", {"method": "ml"}),
    "ortho_intercept": ("orthodont", "distance ~ c * Sex", "Subject", {}),
    "ortho_slope": ("orthodont", "distance ~ c * Sex", "Subject", {"slope": "c"}),
    "ortho_factor": ("orthodont", "distance ~ a * Sex", "Subject", {}),
    "btheb": ("btheb", "bdi ~ pre + time + treatment + drug + length", "subject", {}),
    "btheb_ml": ("btheb", "bdi ~ pre + time + treatment + drug + length", "subject", {"method": "ml"}),
    "btheb_month": ("btheb", "bdi ~ pre + treatment * month + drug + length", "subject", {}),
    "btheb_bare": ("btheb", "bdi ~ treatment * month", "subject", {}),
    "hsb_null": ("hsb82", "mAch ~ 1", "school", {}),
    "hsb": ("hsb82", "mAch ~ ses + sector", "school", {}),
    "hsb_slope": ("hsb82", "mAch ~ cses * sector + meanses * cses", "school", {"slope": "cses"}),
    "exam": ("exam", "normexam ~ standLRT + sex + schgend", "school", {}),
    "exam_trap": ("exam", "normexam ~ standLRT * sex", "school", {}),
    "exam_intercept": ("exam", "normexam ~ standLRT", "school", {}),
    "exam_slope": ("exam", "normexam ~ standLRT", "school", {"slope": "standLRT"}),
    "awards": (
        "awards",
        "bagrut_status ~ treated + qrtl + sex + siblings + immigrant + father_ed + mother_ed",
        "school_id",
        {},
    ),
    "star": ("star", "math ~ cltype + sx", ["sch", "tch"], {}),
    "waves": ("waves", "y ~ base + arm * wave", SCHOOL, {}),
    "waves_slope": ("waves", "y ~ base + arm * time", SCHOOL, {"slope": "time"}),
    "waves_school_slope": (
        "waves",
        "y ~ base + arm * time",
        SCHOOL,
        {"slope": "time", "slope_level": "school", "slope_correlated": False},
    ),
    "growth": ("growth", "math ~ year * female", ["school", "child"], {"slope": "year"}),
}


def read(name: str) -> pd.DataFrame:
    data = pd.read_csv(ORACLE / f"multilevel_{name}.csv")
    if name == "orthodont":
        data["Sex"] = pd.Categorical(data["Sex"], categories=["Male", "Female"])
        data["c"], data["a"] = (
            data["age"] - 11,
            pd.Categorical(data["age"].astype(int).astype(str), ["8", "10", "12", "14"]),
        )
    if name == "btheb":
        data["treatment"] = pd.Categorical(data["treatment"], categories=["TAU", "BtheB"])
        data["month"] = data["time"].astype(str)
    if name == "hsb82":
        data["meanses"] = data.groupby("school")["ses"].transform("mean")
        data["cses"] = data["ses"] - data["meanses"]
        data["sector"] = pd.Categorical(np.where(data["catholic"] == 1, "Catholic", "Public"), ["Public", "Catholic"])
    if name == "exam":
        data["schgend"] = pd.Categorical(data["schgend"], categories=["mixed", "boys", "girls"])
    if name == "awards":
        data["qrtl"] = data["qrtl"].astype(str)
    if name == "star":
        data["cltype"] = pd.Categorical(data["cltype"], categories=["small", "reg", "reg+A"])
    if name == "waves":
        data["wave"] = data["time"].astype(str)
    return data


@pytest.fixture(scope="module")
def fits():
    data = {name: read(name) for name in {model[0] for model in MODELS.values()}}
    return {
        name: multilevel(formula, data[source], groups=groups, **options)
        for name, (source, formula, groups, options) in MODELS.items()
    }


def rows_of(table: str, key: str, value: str) -> pd.DataFrame:
    frame = TABLES[table]
    return frame[frame[key] == value].reset_index(drop=True)


def city(seed: int, *, schools=6, classes=3, pupils=5, waves=3, lost=0.2) -> pd.DataFrame:
    """Pupils in classes in schools over waves, some of them missing."""
    rng = np.random.default_rng(seed)
    n = schools * classes * pupils
    frame = pd.DataFrame({"pupil": np.arange(n)})
    frame["class"] = frame["pupil"] // pupils
    frame["school"] = frame["class"] // classes
    frame["arm"] = frame["school"] % 2
    frame = frame.loc[frame.index.repeat(waves)].reset_index(drop=True)
    frame["time"] = np.tile(np.arange(waves), n).astype(float)
    frame["x"] = rng.normal(size=len(frame))
    effect = rng.normal(size=schools)[frame["school"]] + rng.normal(size=schools * classes)[frame["class"]]
    frame["y"] = effect + 0.7 * rng.normal(size=n)[frame["pupil"]] + 0.3 * frame["time"] + rng.normal(size=len(frame))
    return frame[rng.random(len(frame)) >= lost].sample(frac=1, random_state=seed).reset_index(drop=True)


# lme4, lmerTest and emmeans


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_equals_lme4_and_lmertest(fits, name):
    # R's optimiser stops within 1e-9 of a ratio of standard deviations; ours goes on by Newton steps.
    found, theirs, parts = fits[name], rows_of("fixed", "model", name), rows_of("random", "model", name)
    ours, theirs = found.fixed.sort_values("estimate"), theirs.sort_values("estimate")
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
    np.testing.assert_allclose(ours["df"], theirs["df"], rtol=2e-6)
    np.testing.assert_allclose(ours["p_value"], theirs["p"], rtol=5e-4, atol=1e-300)
    value = parts.set_index("part")["value"]
    assert found.deviance == pytest.approx(value.pop("loglik2"), abs=1e-7)
    assert found.n_used == value.pop("n")
    np.testing.assert_allclose(np.sort(found.variances["estimate"]), np.sort(value), rtol=1e-5, atol=1e-6)
    assert found.converged and found.disagreement < 1e-6 and found.gradient < 1e-6
    assert found.boundary == (("school",) if name == "waves_school_slope" else ())


# Anchors (c) of the research, lmerTest: term, estimate, standard error, df, p.
ANCHORS = {
    "sleep_slope": ("Days", 10.46728596, 1.545789644, 16.99998, 3.263824e-06),
    "sleep_intercept": ("Days", 10.46728596, 0.8042214289, 161, None),
    "ortho_intercept": ("Sex[T.Female]", -2.3210227273, 0.7614168561, 25, 0.0053750564),
    "ortho_slope": ("c:Sex[T.Female]", -0.3048295455, 0.1347351956, 25.0000, 0.0326136816),
    "btheb": ("treatment[T.BtheB]", -2.3151050770, 1.715153022, 92.18427, 0.180387),
    "awards": ("treated", 0.1069213661, 0.0524185207, 32.9514, 0.0494575),
    "hsb": ("sector[T.Catholic]", 2.1008365418, 0.3411242779, 147.357394, 6.64e-09),
    "hsb_slope": ("cses:sector[T.Catholic]", -1.642682034, 0.2397663273, 143.229, None),
    "exam": ("schgend[T.girls]", 0.1589968608, 0.0894030701, 62.5238, None),
    "star": ("cltype[T.reg]", -8.06838188, 2.582409115, 251.354, 0.00199092),
}
CRITERIA = {
    "sleep_slope": 1743.628272, "sleep_intercept": 1786.465085, "sleep_ml": 2 * 897.0393215, "ortho_intercept": 433.7572492,
    "ortho_slope": 432.5816615, "btheb": 1866.902572, "btheb_ml": 2 * 935.7459815, "hsb": 46611.15092,
    "hsb_slope": 46503.66287, "exam": 9347.673462, "exam_slope": 9327.600345, "exam_intercept": 9368.765287,
    "exam_trap": 9352.096381, "star": 60551.38687,
}  # fmt: skip


@pytest.mark.parametrize("name", list(ANCHORS))
def test_the_printed_anchors(fits, name):
    # The anchors come from lme4's default optimiser, which stops a few units in the seventh digit from the optimum.
    term, estimate, error, df, p = ANCHORS[name]
    # Flattest at the correlated slope of Hsb82: there lme4's default stops 5e-6 short, and its df 8e-4.
    slack = 50 if name == "hsb_slope" else 1
    row = fits[name].effect(term)
    assert row["estimate"] == pytest.approx(estimate, rel=1e-6 * slack)
    assert row["std_error"] == pytest.approx(error, rel=2e-6 * slack)
    assert row["df"] == pytest.approx(df, rel=2e-5 * slack)
    if p is not None:
        assert row["p_value"] == pytest.approx(p, rel=2e-5 if name != "hsb" else 1e-3)


@pytest.mark.parametrize("name", list(CRITERIA))
def test_the_printed_criteria(fits, name):
    # anchors (c), to the digits printed (4 or 5 after the point)
    assert fits[name].deviance == pytest.approx(CRITERIA[name], abs=6e-6)


def test_the_criterion_of_awards_is_that_of_its_coding():
    # anchors (c) 2998.5083: sex coded -1/1 there, which moves a REML criterion by 2 log 2 and no estimate
    formula = MODELS["awards"][1].replace("sex", "C(sex, contr.sum)")
    found = multilevel(formula, read("awards"), groups="school_id")
    assert found.deviance == pytest.approx(2998.5083, abs=6e-5)
    assert found.effect("treated")["estimate"] == pytest.approx(0.1069213661, rel=1e-6)


def test_printed_variances(fits):
    # anchors (c)
    for name, values in {
        "sleep_intercept": (1378.1785138, 960.4565786),
        "ortho_intercept": (3.298634103, 1.922054792),
        "btheb": (51.93159726, 25.28636368),
        "hsb": (3.68503968, 37.03691256),
        "exam": (0.0858288298, 0.5625339229),
        "exam_trap": (0.0898683, 0.5626505),
        "awards": (0.0246026705, 0.1226572812),
        "star": (388.7135392, 267.0576919, 1603.636028),
    }.items():
        assert tuple(fits[name].variances["estimate"]) == pytest.approx(values, rel=4e-5)
    assert fits["hsb_null"].icc.iloc[0]["estimate"] == pytest.approx(0.1803517923, abs=1e-8)
    slope = fits["sleep_slope"].variances.set_index("part")["estimate"]
    # At the optimum itself 612.0899; lme4's default stops at 612.1002 with the same criterion to nine digits.
    assert tuple(slope) == pytest.approx((612.100158, 9.6044090, 35.0717145, 654.940008), rel=2e-5)
    drop = fits["exam_intercept"].deviance - fits["exam_slope"].deviance
    assert drop == pytest.approx(41.16494, abs=6e-6)


@pytest.mark.parametrize("name", list(TABLES["type3"]["model"].unique()))
def test_type_three_tests_equal_lmertest(fits, name):
    found, theirs = term_tests(fits[name]).to_frame(), rows_of("type3", "model", name)
    np.testing.assert_allclose(found["estimate"], theirs["f"], rtol=1e-6)
    np.testing.assert_array_equal(found["num_df"], theirs["num_df"])
    np.testing.assert_allclose(found["den_df"], theirs["den_df"], rtol=3e-6)
    np.testing.assert_allclose(found["p_value"], theirs["p"], rtol=1e-4, atol=1e-300)


def test_type_three_tests_do_not_depend_on_the_contrasts(fits):
    summed = multilevel(
        "bdi ~ pre + C(treatment, contr.sum) * C(month, contr.sum) + drug + length", read("btheb"), groups="subject"
    )
    one, other = term_tests(fits["btheb_month"]).to_frame(), term_tests(summed).to_frame()
    for column in ("estimate", "den_df", "p_value"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-6)
    # Sum contrasts: treatment tested by one coefficient, anchors (c) 2.62135 (1, 95.68) p .108727.
    bare = term_tests(fits["btheb_bare"]).to_frame().set_index("term").loc["treatment"]
    assert (bare["estimate"], bare["den_df"], bare["p_value"]) == pytest.approx((2.62135, 95.68, 0.108727), abs=4e-3)


@pytest.mark.parametrize(
    ("table", "model", "call"),
    [
        ("ortho_trends", "ortho_intercept", lambda fit: adjusted_slopes(fit, "c", by="Sex")),
        ("ortho_means", "ortho_factor", lambda fit: adjusted_means(fit, "Sex", by="a")),
        ("ortho_sex", "ortho_factor", lambda fit: adjusted_means(fit, "Sex")),
        ("ortho_simple", "ortho_factor", lambda fit: compare_means(fit, "Sex", by="a", adjust="none")),
        ("ortho_age_tukey", "ortho_factor", lambda fit: compare_means(fit, "a", adjust="holm")),
        ("btheb_means", "btheb_month", lambda fit: adjusted_means(fit, "treatment", by="month")),
        ("btheb_simple", "btheb_month", lambda fit: compare_means(fit, "treatment", by="month", adjust="none")),
        ("btheb_averaged", "btheb_month", lambda fit: compare_means(fit, "treatment")),
        ("hsb_sector", "hsb", lambda fit: adjusted_means(fit, "sector")),
        ("star_tukey", "star", lambda fit: compare_means(fit, "cltype", adjust="tukey")),
        ("star_holm", "star", lambda fit: compare_means(fit, "cltype", adjust="holm")),
        ("waves_arms", "waves", lambda fit: compare_means(fit, "arm", by="wave", adjust="none")),
    ],
)  # fmt: skip
def test_means_and_contrasts_equal_emmeans(fits, table, model, call):
    found, theirs = call(fits[model]).to_frame(), rows_of("means", "table", table)
    np.testing.assert_allclose(found["estimate"], theirs["estimate"], rtol=1e-6, atol=2e-7)
    np.testing.assert_allclose(found["std_error"], theirs["std_error"], rtol=1e-6)
    np.testing.assert_allclose(found["df"], theirs["df"], rtol=2e-6)
    if theirs["low"].notna().all():
        np.testing.assert_allclose(found[["conf_low", "conf_high"]], theirs[["low", "high"]], rtol=1e-6)
    if theirs["p"].notna().all():
        np.testing.assert_allclose(found["p_adjusted"], theirs["p"], rtol=2e-5, atol=1e-12)


def test_printed_simple_effects_and_holm(fits):
    # anchors (c)
    holm = compare_means(fits["btheb_month"], "treatment", by="month").to_frame()
    assert list(holm["p_adjusted"].round(4)) == [0.4403, 0.5520, 0.6776, 0.9856]
    assert list(holm["month"]) == ["2", "3", "5", "8"]
    simple = compare_means(fits["ortho_factor"], "Sex", by="a", adjust="none").to_frame()
    np.testing.assert_allclose(simple["estimate"], [1.6931818, 1.5852273, 2.6278409, 3.3778409], atol=5e-8)
    np.testing.assert_allclose(simple["p_value"], [0.0657714, 0.0842523, 0.0053254, 0.00047764], atol=5e-8)
    assert simple["std_error"].iloc[0] == pytest.approx(0.8983302245, abs=1e-9)
    assert simple["df"].iloc[0] == pytest.approx(46.0791194, abs=1e-5)
    tukey = compare_means(fits["star"], "cltype", adjust="tukey").to_frame()["p_adjusted"]
    assert tuple(tukey[:2]) == pytest.approx((0.00563116, 0.00469464), abs=1e-7)


def test_no_switch_to_the_normal_above_3000_rows(fits):
    # emmeans gives df = Inf there by default; STAR has 5,871 rows
    assert np.isfinite(adjusted_means(fits["star"], "cltype").to_frame()["df"]).all()


@pytest.mark.parametrize(
    ("model", "level"),
    [("exam_slope", "school"), ("star", "tch:sch"), ("star", "sch"), ("waves", "pupil:(class:school)"),
     ("waves", "class:school"), ("waves", "school")],
)  # fmt: skip
def test_group_effects_equal_ranef(fits, model, level):
    theirs = TABLES["effects"]
    theirs = theirs[(theirs["model"] == model) & (theirs["level"] == level)]
    found = group_effects(fits[model], level.split(":")[0])
    ours = found.to_frame().query("part == 'intercept'").set_index("term")
    ours = ours.loc[[str(unit).split(":")[0] for unit in theirs["unit"]]]
    np.testing.assert_allclose(ours["estimate"], theirs["effect"], atol=1e-6 * theirs["effect"].abs().max())
    np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
    assert (ours["prediction_se"] >= ours["std_error"]).all()
    assert ((found.shrinkage >= 0) & (found.shrinkage <= 1)).all()


def test_the_top_schools_of_exam(fits):
    # anchors (c): schools 53, 6, 63
    top = group_effects(fits["exam_intercept"]).to_frame().set_index("term")
    assert tuple(top.loc[["53", "6", "63"], "estimate"]) == pytest.approx((0.7244506, 0.5421922, 0.5373500), abs=5e-7)
    assert tuple(top.loc[["53", "6", "63"], "std_error"]) == pytest.approx((0.08627, 0.08110, 0.12532), abs=5e-6)


def test_profile_intervals_equal_confint(fits):
    # lme4 interpolates its profile by splines: digits to 1e-5
    for name in ("hsb_null", "sleep_intercept"):
        theirs = rows_of("profile", "model", name).iloc[:2]
        found = variance_profile(fits[name]).to_frame()
        np.testing.assert_allclose(found[["conf_low", "conf_high"]], theirs[["low", "high"]], rtol=5e-6)
    # anchors (c)
    school = variance_profile(fits["hsb_null"]).to_frame().iloc[0]
    assert (round(school["conf_low"], 5), round(school["conf_high"], 5)) == (2.59473, 3.31588)


@pytest.mark.parametrize("nodes", [1, 11])
def test_logit_equals_glmer(nodes):
    found = random_intercept_logit("bagrut_status ~ treated + qrtl", read("awards"), group="school_id", nodes=nodes)
    theirs = rows_of("logit", "nodes", nodes).set_index("term")
    np.testing.assert_allclose(found.fixed["estimate"], theirs["estimate"].iloc[:5], atol=2e-5)
    # glmer differences its deviance numerically
    np.testing.assert_allclose(found.fixed["std_error"], theirs["std_error"].iloc[:5], rtol=3e-3)
    assert found.sd == pytest.approx(theirs.loc["sd", "estimate"], abs=2e-6)
    assert found.loglik == pytest.approx(theirs.loc["loglik", "estimate"], abs=1e-6)
    assert found.converged and not found.boundary and found.n_groups == 39


def test_printed_logit():
    # anchors (c), at glmer's default tolerance: its Laplace log-likelihood is 0.00018 lower than what can be reached.
    data = read("awards")
    laplace = random_intercept_logit("bagrut_status ~ treated + qrtl", data, group="school_id")
    quadrature = random_intercept_logit("bagrut_status ~ treated + qrtl", data, group="school_id", nodes=11)
    assert laplace.fixed.set_index("term").loc["treated", "estimate"] == pytest.approx(0.5092660101, abs=1e-4)
    assert laplace.fixed.set_index("term").loc["treated", "std_error"] == pytest.approx(0.394832627, rel=3e-3)
    assert -1442.555851 < laplace.loglik < -1442.555851 + 2e-4
    assert quadrature.fixed.set_index("term").loc["treated", "estimate"] == pytest.approx(0.509679658, abs=3e-5)
    assert quadrature.sd == pytest.approx(1.161201, abs=2e-6)
    assert quadrature.loglik == pytest.approx(-1442.399616, abs=1e-6)


# Real data with published values


def test_tvsfp(shared_data):
    data = pd.read_csv(shared_data / "tvsfp_school_crt.csv")
    found = multilevel("thksord ~ thkspre + cc * tv", data, groups=["school", "class"])
    row = found.effect("cc")
    assert (round(row["estimate"], 4), round(row["std_error"], 4), round(row["df"], 1)) == (0.5130, 0.1366, 19.8)
    assert round(row["p_value"], 4) == 0.0013
    assert (round(found.effect("tv")["estimate"], 4), round(found.effect("cc:tv")["estimate"], 4)) == (0.1544, -0.2498)
    empty = multilevel("thksord ~ 1", data, groups=["school", "class"])
    assert list(empty.variances["estimate"].round(4)) == [0.0810, 0.0603, 1.1172]
    assert empty.n_groups == {"school": 28, "class": 135}


def test_star(shared_data):
    data = pd.read_csv(shared_data / "star_class_size.csv.gz", dtype={"sch": str, "tch": str})
    data = data[data["gr"] == "K"]
    data["cltype"] = pd.Categorical(data["cltype"], categories=["reg", "small", "reg+A"])
    found = multilevel("math ~ cltype", data, groups=["sch", "tch"])
    small, aide = found.effect("cltype[T.small]"), found.effect("cltype[T.reg+A]")
    assert (round(small["estimate"], 3), round(small["std_error"], 3)) == (8.027, 2.595)
    assert (round(small["p_value"], 4), round(aide["estimate"], 3), round(aide["p_value"], 2)) == (0.0022, -0.143, 0.96)
    assert list(found.variances["sd"].round(2)) == [19.78, 16.44, 40.14]
    assert found.n_excluded == found.missing["math"] == len(data) - found.n_used > 0


def test_btheb(shared_data):
    wide = pd.read_csv(shared_data / "btheb_bdi_rct.csv")
    waves = {f"bdi_{month}m": month for month in (2, 3, 5, 8)}
    long = wide.melt(id_vars=["id", "drug", "length", "treatment", "bdi_pre"], value_vars=list(waves), value_name="bdi")
    long["month"] = long["variable"].map(waves)
    found = multilevel(
        "bdi ~ bdi_pre + month + C(treatment, contr.treatment('TAU')) + drug + length", long, groups="id", method="ml"
    )
    terms = found.fixed.set_index("term")
    assert (round(terms.loc["drug[T.Yes]", "estimate"], 6), round(terms.loc["month", "estimate"], 6)) == (
        -2.824952,
        -0.704765,
    )
    row = terms.loc["C(treatment, contr.treatment('TAU'))[T.BtheB]"]
    assert (round(row["estimate"], 6), round(row["std_error"], 4)) == (-2.329083, 1.6704)
    assert list(found.variances["sd"].round(3)) == [6.984, 5.014]
    assert (found.n_used, found.n_excluded, found.missing) == (280, 120, {"bdi": 120})


# Another library, by hand, and by dense matrices


def test_statsmodels_agrees_where_it_converges(fits):
    import statsmodels.formula.api as smf

    data = read("sleepstudy")
    theirs = smf.mixedlm("Reaction ~ Days", data, groups="Subject", re_formula="~Days").fit(reml=True, method="lbfgs")
    found = fits["sleep_slope"]
    np.testing.assert_allclose(found.fixed["estimate"], theirs.fe_params, rtol=1e-6)
    np.testing.assert_allclose(found.fixed["std_error"], theirs.bse_fe, rtol=1e-3)
    assert found.loglik == pytest.approx(theirs.llf, abs=1e-4)


def test_balanced_groups_by_hand():
    # Anova: means 2, 4, 9 of groups of two, each -/+ 1: MSB = 26, MSW = 2; variance (26 - 2) / 2 = 12.
    data = pd.DataFrame({"g": [1, 1, 2, 2, 3, 3], "y": [1.0, 3.0, 3.0, 5.0, 8.0, 10.0]})
    found = multilevel("y ~ 1", data, groups="g")
    assert tuple(found.variances["estimate"]) == pytest.approx((12.0, 2.0), rel=1e-7)
    assert found.icc["estimate"].iloc[0] == pytest.approx(12 / 14, rel=1e-7)
    row = found.effect("Intercept")
    assert row["estimate"] == pytest.approx(5.0)
    # Variance of the mean MSB / 6, df = groups - 1 = 2: below 4, so no p-value.
    assert (row["std_error"], row["df"]) == pytest.approx((math.sqrt(26 / 6), 2.0), rel=1e-6)
    assert math.isnan(row["p_value"]) and np.isfinite(row["conf_low"])


def dense(data: pd.DataFrame, x: np.ndarray, y: np.ndarray, theta: dict, slope_level: str, reml: bool) -> tuple:
    """Deviance with sigma profiled out, from the n x n matrix."""
    v = np.eye(len(data))
    for level, factor in theta.items():
        same = data[level].to_numpy()[:, None] == data[level].to_numpy()
        z = np.column_stack([np.ones(len(data)), data["time"]]) if level == slope_level else np.ones((len(data), 1))
        v += same * (z @ factor @ factor.T @ z.T)
    inverse = np.linalg.inv(v)
    cross = x.T @ inverse @ x
    beta = np.linalg.solve(cross, x.T @ inverse @ y)
    rest = y - x @ beta
    rss, df = rest @ inverse @ rest, len(y) - (x.shape[1] if reml else 0)
    value = np.linalg.slogdet(v)[1] + df * (1 + math.log(2 * math.pi * rss / df))
    return value + (np.linalg.slogdet(cross)[1] if reml else 0), beta


@given(
    seed=st.integers(0, 10_000),
    levels=st.lists(st.sampled_from(SCHOOL), min_size=1, max_size=3, unique=True),
    slope=st.sampled_from([None, *SCHOOL]),
    reml=st.booleans(),
    waves=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_deviance_and_gradient_equal_dense_algebra(seed, levels, slope, reml, waves):
    levels = [level for level in SCHOOL if level in levels]
    data = city(seed, schools=4, classes=2, pupils=3, waves=waves)
    if (waves == 1 and "pupil" in levels) or len(data) < 12:
        return
    slope = slope if slope in levels and data["time"].nunique() > 1 else None
    try:
        found = nested_statistics(
            "y ~ x + arm", data, groups=levels, slope=None if slope is None else "time", slope_level=slope
        )
    except DesignError:
        return  # waves lost at random may leave a level that repeats another
    deviance = Deviance(found.sums, reml=reml, correlated=True)
    rng = np.random.default_rng(seed)
    theta, place, factors = rng.uniform(0.2, 1.2, size=len(deviance.diagonal)), 0, {}
    for level, slots in zip(levels[::-1], deviance.slots, strict=True):
        factor = np.zeros((2, 2)) if len(slots) == 3 else np.zeros((1, 1))
        for slot in slots:
            factor[slot] = theta[place]
            place += 1
        factors[level] = factor
    x = np.column_stack([np.ones(len(data)), data[["x", "arm"]]])
    value, beta = dense(data, x, data["y"].to_numpy(), factors, slope or "", reml)
    ours, gradient = deviance.profiled(theta)
    assert ours == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(deviance.point(theta).beta[1:], beta[1:], atol=1e-9)
    steps = 1e-6 * np.eye(len(theta))
    numeric = [(deviance.profiled(theta + e)[0] - deviance.profiled(theta - e)[0]) / 2e-6 for e in steps]
    np.testing.assert_allclose(gradient, numeric, atol=1e-5, rtol=1e-6)
    curve = deviance.hessian(theta, 1.3)
    numeric = [(deviance.at(theta + e, 1.3)[1] - deviance.at(theta - e, 1.3)[1]) / 2e-6 for e in steps]
    np.testing.assert_allclose(curve[:-1], numeric, atol=1e-5, rtol=1e-6)
    ahead, behind = deviance.at(theta, 1.3 + 1e-6)[1], deviance.at(theta, 1.3 - 1e-6)[1]
    np.testing.assert_allclose(curve[-1], (ahead - behind) / 2e-6, atol=1e-5, rtol=1e-5)


def test_patterns_and_single_groups_give_the_same_digits(monkeypatch):
    data = city(1, schools=8, pupils=12)
    whole = multilevel("y ~ arm * time + x", data, groups=SCHOOL, slope="time")
    monkeypatch.setattr("mhlib.stats.effects.nested_pass.LARGEST", 0)
    single = multilevel("y ~ arm * time + x", data, groups=SCHOOL, slope="time")
    assert type(whole.core.deviance.sums.lowest) is not type(single.core.deviance.sums.lowest)
    np.testing.assert_allclose(whole.fixed.iloc[:, 1:], single.fixed.iloc[:, 1:], rtol=1e-7)


# Doors, invariance, missing rows


def test_rows_and_statistics_give_the_same_digits():
    data = city(2)
    whole = multilevel("y ~ arm * time", data, groups=SCHOOL, method="ml")
    found = nested_statistics("y ~ arm * time", data, groups=SCHOOL)
    parts = multilevel_from_statistics(found, method="ml")
    pd.testing.assert_frame_equal(whole.to_frame(), parts.to_frame(), check_exact=True)
    assert len(found.design.x) == 0 and len(found.nesting.code) == 0


def test_many_outcomes_equal_one_by_one():
    data = city(3)
    data["z"], data["w"] = data["y"] ** 2, data["y"] - data["x"]
    data.loc[:9, "w"] = np.nan
    together = multilevel_outcomes(["y", "w", "z"], "arm * time", data, groups=SCHOOL)
    assert list(together.fits) == ["y", "w", "z"] and together.fits["w"].n_excluded == 10
    for name, found in together.fits.items():
        alone = multilevel(f"{name} ~ arm * time", data, groups=SCHOOL)
        np.testing.assert_allclose(found.fixed.iloc[:, 1:], alone.fixed.iloc[:, 1:], rtol=1e-8)
    frame = together.to_frame()
    assert set(frame["outcome"]) == {"y", "w", "z"} and set(frame["kind"]) == {"fixed", "variance", "icc"}


def test_order_shift_and_scale_change_nothing_else():
    data = city(4)
    one = multilevel("y ~ arm * time + x", data, groups=SCHOOL)
    moved = data.assign(y=1000 + 10 * data["y"], time=data["time"] + 2001).sample(frac=1, random_state=1)
    other = multilevel("y ~ arm * time + x", moved, groups=SCHOOL)
    for term in ("time", "arm:time", "x"):
        assert other.effect(term)["estimate"] == pytest.approx(10 * one.effect(term)["estimate"], rel=1e-7)
        assert other.effect(term)["df"] == pytest.approx(one.effect(term)["df"], rel=1e-6)
    np.testing.assert_allclose(other.variances["estimate"], 100 * one.variances["estimate"], rtol=1e-6)
    again = multilevel("y ~ arm * time + x", data, groups=SCHOOL)
    pd.testing.assert_frame_equal(one.to_frame(), again.to_frame(), check_exact=True)


def test_labels_that_begin_anew_in_each_school():
    data = city(5)
    unique = multilevel("y ~ arm", data, groups=["school", "class"])
    local = data.assign(**{"class": data["class"] % 3 + 1})
    found = multilevel("y ~ arm", local, groups=["school", "class"], labels="within")
    np.testing.assert_allclose(found.fixed.iloc[:, 1:], unique.fixed.iloc[:, 1:], rtol=1e-8)
    with pytest.raises(DesignError, match=r"3 of 3 groups of 'class' lie in more than one 'school'.*labels='within'"):
        multilevel("y ~ arm", local, groups=["school", "class"])


def test_missing_rows_are_counted_by_column():
    data = city(6)
    data.loc[:4, "y"], data.loc[3:6, "x"] = np.nan, np.nan
    data["class"] = data["class"].astype("Int64").where(data.index != 20)
    found = multilevel("y ~ x", data, groups=["school", "class"])
    assert found.missing == {"y": 5, "x": 4, "class": 1}
    assert (found.n_used, found.n_excluded) == (len(data) - 8, 8)


def test_splines_and_transformations_pass_through():
    data = city(7, waves=6, lost=0.0)
    found = multilevel("y ~ arm * bs(time, df=3) + center(x)", data, groups=SCHOOL)
    tests = term_tests(found).to_frame().set_index("term")
    assert tests.loc["bs(time, df=3)", "num_df"] == 3 and found.converged
    slope = adjusted_slopes(found, "time", by="arm", at={"time": 2.5}).to_frame()
    means = [adjusted_means(found, "arm", at={"time": 2.5 + e}).to_frame()["estimate"] for e in (1e-3, -1e-3)]
    np.testing.assert_allclose(slope["estimate"], (means[0] - means[1]) / 2e-3, atol=1e-5)
    quadratic = multilevel("y ~ arm + time + I(time**2)", data, groups=SCHOOL)
    beta = quadratic.fixed.set_index("term")["estimate"]
    curve = adjusted_slopes(quadratic, "time", at={"time": 1.0}).to_frame()["estimate"].iloc[0]
    assert curve == pytest.approx(beta["time"] + 2 * beta["I(time ** 2)"], rel=1e-6)


def test_type_three_tests_see_rows_that_come_late():
    data = city(14, schools=12, pupils=20).sort_values("time", kind="stable")
    assert len(data) > 1500
    found = term_tests(multilevel("y ~ arm * time", data, groups=SCHOOL)).to_frame()
    beta = multilevel("y ~ arm * time", data, groups=SCHOOL).fixed
    np.testing.assert_allclose(found["estimate"], beta["statistic"].iloc[1:] ** 2, rtol=1e-8)


def test_chinese_names_spaces_and_nullable_columns():
    data = city(1, schools=10)
    plain = multilevel(
        "y ~ arm * g + time + C(k)", data.assign(g=data["pupil"] % 2, k=data["pupil"] % 3), groups=SCHOOL
    )
    data["学校"], data["成绩"], data["是否 干预"] = (
        "s" + data["school"].astype(str),
        data["y"].astype("Float64"),
        data["arm"],
    )
    data["性别"], data["k"] = (data["pupil"] % 2 == 1).astype("boolean"), (data["pupil"] % 3).astype("Int64")
    found = multilevel("成绩 ~ `是否 干预` * 性别 + time + C(k)", data, groups=["学校", "class", "pupil"])
    np.testing.assert_allclose(found.fixed.iloc[:, 1:], plain.fixed.iloc[:, 1:], rtol=1e-7)
    assert list(found.fixed["term"])[-2:] == ["C(k)[T.2]", "是否 干预:性别"]
    one, other = term_tests(found).to_frame(), term_tests(plain).to_frame()
    np.testing.assert_allclose(one.iloc[:, 1:], other.iloc[:, 1:], rtol=1e-7)
    text = data.assign(**{"是否 干预": np.where(data["arm"] == 1, "新", "旧")})
    coded = multilevel("成绩 ~ `是否 干预` * 性别 + time + C(k)", text, groups=["学校", "class", "pupil"])
    assert list(term_tests(coded).to_frame()["term"]) == ["是否 干预", "性别", "time", "C(k)", "是否 干预:性别"]
    means = compare_means(coded, "是否 干预", by="性别", reference="旧", adjust="none").to_frame()
    # numpy's bool has become a number on the way: both ways of asking give the same differences
    same = compare_means(found, "是否 干预", by="性别", reference=0, adjust="none").to_frame()
    np.testing.assert_allclose(means["estimate"], same["estimate"], rtol=1e-7)
    assert list(same["term"]) == ["1 - 0 | 性别=0", "1 - 0 | 性别=1"]


def test_type_three_tests_know_a_rare_combination():
    data = city(15, schools=20, pupils=20)
    data["kind"] = np.where(data.index == len(data) - 1, "rare", np.where(data.index % 2, "a", "b"))
    found = term_tests(multilevel("y ~ kind + arm", data, groups=SCHOOL)).to_frame().set_index("term")
    assert found.loc["kind", "num_df"] == 2 and len(data) > 2000


def test_contrasts_by_name(fits):
    found = fits["ortho_intercept"]
    rows = {"at 8": {"Sex[T.Female]": 1, "c:Sex[T.Female]": -3}, "at 14": {"Sex[T.Female]": 1, "c:Sex[T.Female]": 3}}
    table = fixed_contrasts(found, rows, conf_level=0.9).to_frame()
    beta = found.fixed.set_index("term")["estimate"]
    assert table["estimate"].iloc[0] == pytest.approx(beta["Sex[T.Female]"] - 3 * beta["c:Sex[T.Female]"])
    joint = fixed_joint_test(found, rows).to_frame().iloc[0]
    # The two span sex and its slope: uncorrelated here, so F is the mean of their squares.
    squares = found.fixed.set_index("term")["statistic"][["Sex[T.Female]", "c:Sex[T.Female]"]] ** 2
    assert (joint["num_df"], joint["estimate"]) == (2, pytest.approx(squares.mean(), rel=1e-6))
    twice = fixed_joint_test(found, {**rows, "again": rows["at 8"]}).to_frame().iloc[0]
    assert (twice["num_df"], twice["estimate"]) == (2, pytest.approx(joint["estimate"], rel=1e-6))
    with pytest.raises(ParamsError, match=r"no term Sex; terms among Intercept, c, "):
        fixed_contrasts(found, {"a": {"Sex": 1}})


# Boundary and convergence


def test_a_boundary_fit_says_so_and_equals_the_model_without_it():
    rng = np.random.default_rng(8)
    data = pd.DataFrame(
        {"s": np.repeat(np.arange(20), 12), "c": np.repeat(np.arange(60), 4), "x": rng.normal(size=240)}
    )
    data["y"] = rng.normal(size=240) + rng.normal(size=60)[data["c"]] * 0.8
    data["y"] -= data.groupby("s")["y"].transform("mean")
    both, one = multilevel("y ~ x", data, groups=["s", "c"]), multilevel("y ~ x", data, groups="c")
    assert both.boundary == ("s",) and both.converged
    assert both.deviance == pytest.approx(one.deviance, abs=1e-8)
    np.testing.assert_allclose(both.fixed.iloc[:, 1:], one.fixed.iloc[:, 1:], rtol=1e-5)
    row = both.variances.iloc[0]
    assert (row["estimate"], row["conf_low"]) == (0, 0) and np.isnan([row["std_error"], row["conf_high"]]).all()
    profile = variance_profile(both).to_frame().iloc[0]
    assert profile["conf_low"] == 0 < profile["conf_high"] < 0.6
    # All means alike: both levels zero, plain regression with n - p df.
    data["y"] = data["y"] - data.groupby("c")["y"].transform("mean")
    flat = multilevel("y ~ x", data, groups=["s", "c"])
    assert flat.boundary == ("s", "c") and flat.converged and flat.fixed["df"].tolist() == pytest.approx([238, 238])
    assert (flat.icc["estimate"] == 0).all() and (flat.icc["conf_low"] == 0).all()


def test_a_slope_that_its_intercept_foretells_is_said():
    # Pupils who start high rise as much as they start: correlation 1.
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"pupil": np.repeat(np.arange(60), 4), "time": np.tile(np.arange(4.0), 60)})
    data["y"] = rng.normal(size=60)[data["pupil"]] * (1 + data["time"]) + 1e-1 * rng.normal(size=240)
    found = multilevel("y ~ time", data, groups="pupil", slope="time")
    assert found.boundary == ("pupil",) and found.converged
    rows = found.variances.set_index("part")
    assert rows.loc["covariance", "estimate"] == pytest.approx(
        rows.loc["intercept", "sd"] * rows.loc["slope", "sd"], rel=1e-4
    )
    assert rows.loc["covariance", ["std_error", "conf_low", "conf_high"]].isna().all()


def test_a_zero_that_is_a_saddle_is_left():
    data = city(9)
    deviance = Deviance(nested_statistics("y ~ x", data, groups=SCHOOL).sums, reml=True, correlated=True)
    at_zero, _ = nested_optimise.searched(deviance, np.zeros(3), *nested_optimise.LIMITED_MEMORY)
    assert (at_zero > 0.1).all()


def test_converged_needs_a_second_optimiser(monkeypatch):
    data, real = city(10), nested_optimise.searched
    assert multilevel("y ~ x", data, groups=SCHOOL).converged

    def lazy(deviance, start, method, options):
        return (start, deviance.profiled(start)[0]) if method == "SLSQP" else real(deviance, start, method, options)

    monkeypatch.setattr(nested_optimise, "searched", lazy)
    found = multilevel("y ~ x", data, groups=SCHOOL)
    assert not found.converged and found.disagreement > 1


def test_converged_needs_a_flat_place(monkeypatch):
    data = city(10)
    monkeypatch.setattr(nested_optimise, "searched", lambda deviance, start, *_: (np.full(3, 2.0), 1.0))
    monkeypatch.setattr(nested_optimise, "polished", lambda deviance, theta, value: (theta, value))
    found = multilevel("y ~ x", data, groups=SCHOOL)
    assert found.disagreement == 0 and found.gradient > 0.1 and not found.converged


# Refusals


@pytest.mark.parametrize(
    ("change", "options", "error", "text"),
    [
        ({}, {"groups": ["class", "pupil", "school"]}, DesignError, r"groups of 'school' lie in more than one 'pupil'"),
        ({}, {"groups": ["school", "nobody"]}, DataError, r"no column nobody"),
        ({}, {"groups": []}, ParamsError, r"names 0 levels"),
        ({}, {"groups": ["school", "school"]}, ParamsError, r"one to three different columns"),
        ({"row": lambda d: np.arange(len(d))}, {"groups": ["school", "row"]}, DesignError, r"every group of 'row' has one row"),
        ({"room": lambda d: d["class"] + 100}, {"groups": ["class", "room"]}, DesignError, r"each 'class' holds one 'room'"),
        ({"city": 1}, {"groups": ["city", "school"]}, DesignError, r"'city' has 1 group; at least 2"),
        ({}, {"formula": "y ~ x + I(2 * x)"}, DesignError, r"follows from the columns before it: I\(2 \* x\)"),
        ({"one": 1.0}, {"formula": "y ~ x + one"}, DesignError, r"does not vary: one"),
        ({"y": 3.0}, {}, DesignError, r"multilevel\(y\): does not vary once the fixed effects are known"),
        ({"y": lambda d: 2 * d["x"]}, {}, DesignError, r"does not vary once the fixed effects are known"),
        ({"y": "a"}, {}, DataError, r"multilevel\(y\): holds something that is not a number"),
        ({"y": np.nan}, {}, DataError, r"none of \d+ rows is complete; see y"),
        ({}, {"formula": "y ~ log(x)"}, DataError, r"columns not finite: log\(x\)"),
        ({}, {"formula": "y ~ x + (1 | school)"}, ParamsError, r"holds '\|'"),
        ({}, {"formula": "y ~ ~ x"}, ParamsError, r"cannot be read|names no outcome"),
        ({}, {"formula": "x"}, ParamsError, r"names no outcome"),
        ({}, {"formula": "y ~ nosuch(x)"}, ParamsError, r"cannot be evaluated on these data"),
        ({}, {"method": "bayes"}, ParamsError, r"'bayes' is not known; one of reml, ml"),
        ({}, {"conf_level": 95}, ParamsError, r"a number between 0 and 1"),
        ({}, {"labels": "mine"}, ParamsError, r"'mine' is not known"),
        ({}, {"slope_level": "school"}, ParamsError, r"there is no `slope`"),
        ({"time": 1.0}, {"slope": "time"}, DataError, r"is the same in every row"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(change, options, error, text):
    data = city(11)
    for name, value in change.items():
        data[name] = value(data) if callable(value) else value
    call = {"formula": "y ~ x", "groups": SCHOOL, **options}
    with np.errstate(invalid="ignore"), pytest.raises(error, match=text):
        multilevel(call.pop("formula"), data, **call)


def test_a_pupil_who_changed_class_is_refused_with_the_remedy():
    data = city(12)
    later = data["time"] == 2
    data["class"] = np.where(
        later & (data["pupil"] % 5 == 0), data["school"] * 3 + (data["class"] + 1) % 3, data["class"]
    )
    crossed = data.groupby("pupil")["class"].nunique().gt(1).sum()
    with pytest.raises(DesignError) as caught:
        multilevel("y ~ arm", data, groups=SCHOOL)
    assert f"{crossed} of {data['pupil'].nunique()} groups of 'pupil' lie in more than one 'class'" in str(caught.value)
    assert "freeze the group" in str(caught.value) and "cluster_robust" in str(caught.value)


def test_refusals_of_tables(fits):
    hsb = fits["hsb"]
    for call, text in (
        (lambda: adjusted_means(hsb, "ses"), r"no column of the formula with at most 12 values"),
        (lambda: adjusted_means(hsb, "sector", at={"nobody": 1}), r"nobody cannot be held"),
        (lambda: adjusted_slopes(hsb, "sector"), r"'sector' is no numeric column"),
        (lambda: compare_means(hsb, "sector", reference="Other"), r"is no level of the factor; Public, Catholic"),
        (lambda: compare_means(hsb, "sector", adjust="luck"), r"'luck' is not known"),
        (lambda: compare_means(hsb, "sector", reference="Public", adjust="tukey"), r"for every pair of one factor"),
        (lambda: group_effects(hsb, "class"), r"'class' is not known"),
        (lambda: multilevel_outcomes([], "x", read("hsb82"), groups="school"), r"outcomes, then 'a \+ b'"),
    ):  # fmt: skip
        with pytest.raises(ParamsError, match=text):
            call()
    with pytest.raises(DesignError, match=r"the model has a random slope"):
        variance_profile(fits["sleep_slope"])


def test_effects_of_very_many_groups_are_not_kept(monkeypatch):
    monkeypatch.setattr("mhlib.stats.effects.nested_pass.KEPT", 10)
    found = multilevel("y ~ x", city(13), groups=SCHOOL)
    with pytest.raises(DesignError, match=r"whose sums are not kept; ask for a level above"):
        group_effects(found, "pupil")
    assert len(group_effects(found, "class").to_frame()) == 18


def test_logit_edges():
    data = pd.DataFrame({"s": np.repeat(np.arange(10), 20), "x": np.tile([0, 1], 100)})
    rng = np.random.default_rng(3)
    data["y"] = rng.integers(0, 2, 200)
    found = random_intercept_logit("y ~ x", data, group="s", nodes=7)
    # Schools alike: the plain logit's difference of log odds.
    counts = pd.crosstab(data["x"], data["y"]).to_numpy()
    if found.boundary:
        log_odds = math.log(counts[1, 1] * counts[0, 0] / (counts[1, 0] * counts[0, 1]))
        assert found.fixed["estimate"].iloc[1] == pytest.approx(log_odds, abs=1e-6)
    assert found.converged
    apart = random_intercept_logit("y ~ x", data.assign(y=data["x"]), group="s")
    assert not apart.converged and apart.fixed["std_error"].isna().all()
    for change, text in (({"y": 1}, "has one answer only"), ({"y": data["x"] + 1}, "other than 0 and 1")):
        with pytest.raises((DataError, DesignError), match=text):
            random_intercept_logit("y ~ x", data.assign(**change), group="s")
    with pytest.raises(ParamsError, match="whole number from 1 to 101"):
        random_intercept_logit("y ~ x", data, group="s", nodes=0)


def test_laplace_nears_quadrature_and_quadrature_the_integral():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"s": np.repeat(np.arange(25), 12), "x": rng.normal(size=300)})
    data["y"] = rng.random(300) < 1 / (1 + np.exp(-(0.5 * data["x"] + rng.normal(size=25)[data["s"]])))
    found = random_intercept_logit("y ~ x", data, group="s", nodes=15)
    # The integral by brute force at the estimates.
    grid = np.linspace(-9, 9, 4001)
    eta = found.fixed["estimate"].to_numpy() @ np.array([np.ones(300), data["x"]])
    total = 0.0
    for school in range(25):
        rows = data["s"].to_numpy() == school
        each = eta[rows][:, None] + found.sd * grid
        height = (data["y"].to_numpy()[rows][:, None] * each - np.logaddexp(0, each)).sum(axis=0)
        total += math.log(np.trapezoid(np.exp(height - grid**2 / 2) / math.sqrt(2 * math.pi), grid))
    assert found.loglik == pytest.approx(total, abs=1e-7)
