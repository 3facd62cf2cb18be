"""Confirmatory factor models and invariance against lavaan (tests/oracle/make_cfa.R), by hand, and at the edges."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.measurement.cfa_likelihood import gradient_and_information, look, observed_information, saturated
from mhlib.stats.measurement.cfa_matrices import jacobian, structure
from mhlib.stats.measurement.cfa_model import CfaResult, cfa, cfa_from_covariance
from mhlib.stats.measurement.cfa_moments import Moments
from mhlib.stats.measurement.cfa_scores import factor_scores
from mhlib.stats.measurement.cfa_table import parameter_table
from mhlib.stats.measurement.invariance_ladder import invariance, invariance_from_covariance
from mhlib.stats.measurement.model_syntax import parse_model
from mhlib.stats.measurement.one_factor import omega

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
ROWS = pd.read_csv(ORACLE / "hs_rows.csv")
FITS = pd.read_csv(ORACLE / "cfa_fits.csv")
PARAMETERS = pd.read_csv(ORACLE / "cfa_parameters.csv", keep_default_na=False)
MODIFICATION = pd.read_csv(ORACLE / "cfa_modification.csv")
X = [f"x{i}" for i in range(1, 10)]
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
LABELS = """visual =~ x1 + a*x2 + a*x3
textual =~ x4 + b*x5 + b*x6
speed =~ x7 + x8 + x9
x1 ~~ r*x1; x2 ~~ r*x2"""
BIFACTOR = "g =~ " + " + ".join(f"v{i}" for i in range(1, 10)) + "\ns1 =~ v1+v2+v3\ns2 =~ v4+v5+v6\ns3 =~ v7+v8+v9"
SIX = "\n".join(f"{f} =~ " + " + ".join(f"{f}{i}" for i in range(1, 6)) for f in "ACN")
# Ours are the optimum to 1e-12; lavaan's search ends where parameters are some 1e-7 to 1e-6 off it.
FIT, ESTIMATE, SCORE = 1e-6, 3e-6, 2e-5
LADDER = {"configural": (), "metric": ("loadings",), "scalar": ("loadings", "intercepts"),
          "strict": ("loadings", "intercepts", "residuals")}  # fmt: skip
PLAIN = {"chi2_plain": "chisq", "df": "df", "cfi_plain": "cfi", "tli_plain": "tli", "rmsea_plain": "rmsea",
         "srmr": "srmr", "log_likelihood": "logl", "aic": "aic", "bic": "bic", "n_free": "npar"}  # fmt: skip
ML = {"p_value": "pvalue", "rmsea_low": "rmsea.ci.lower", "rmsea_high": "rmsea.ci.upper", "close_p": "rmsea.pvalue",
      "baseline_chi2": "baseline.chisq", "baseline_df": "baseline.df"}  # fmt: skip
MLR = {"chi2": "chisq.scaled", "p_value": "pvalue.scaled", "scaling": "chisq.scaling.factor", "cfi": "cfi.robust",
       "baseline_scaling": "baseline.chisq.scaling.factor", "tli": "tli.robust", "rmsea": "rmsea.robust",
       "rmsea_low": "rmsea.ci.lower.robust", "rmsea_high": "rmsea.ci.upper.robust"}  # fmt: skip


def moments(name: str) -> tuple[dict, dict, dict, list[str]]:
    table = pd.read_csv(ORACLE / name)
    items = list(table.columns[4:])
    parts = dict(list(table.groupby("group", sort=False)))
    return (
        {g: part[items].to_numpy() for g, part in parts.items()},
        {g: int(part["n"].iloc[0]) for g, part in parts.items()},
        {g: part["mean"].to_numpy() for g, part in parts.items()},
        items,
    )


def thurstone() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "thurstone.csv", index_col="item")


def school(**options: object) -> CfaResult:
    return cfa(ROWS, THREE, groups="school", reference="Pasteur", **options)


def six(step: str) -> CfaResult:
    cov, n, mean, items = moments("bfi_groups.csv")
    return cfa_from_covariance(cov, n, SIX, mean=mean, names=items, equal=LADDER[step])


def bfi(scale: str) -> CfaResult:
    rows = pd.read_csv(ORACLE / "bfi_covariances.csv").query("scale == @scale")
    items = [f"i{i}" for i in range(1, 6)]
    return cfa_from_covariance(rows[items].to_numpy(), int(rows["n"].iloc[0]), "f =~ " + " + ".join(items), names=items)


FITTED = {
    "three": lambda: cfa(ROWS, THREE),
    "three_mlr": lambda: cfa(ROWS, THREE, estimator="mlr"),
    "three_observed": lambda: cfa(ROWS, THREE, information="observed"),
    "three_cluster": lambda: cfa(ROWS, THREE, estimator="mlr", cluster="class"),
    "std_lv": lambda: cfa(ROWS, THREE, std_lv=True),
    "residual": lambda: cfa(ROWS, THREE + "\nx7 ~~ x8"),
    "labels": lambda: cfa(ROWS, LABELS),
    "means": lambda: cfa(ROWS, THREE + "\nvisual ~ 0*1", means=True),
    "bifactor": lambda: cfa_from_covariance(thurstone(), 213, BIFACTOR, std_lv=True, orthogonal=True),
    "school_partial": lambda: school(equal=LADDER["scalar"], partial=("x3~1", "x7~1")),
    **{f"school_{step}": (lambda equal=equal: school(equal=equal)) for step, equal in LADDER.items()},
    **{f"school_mlr_{s}": (lambda equal=equal: school(equal=equal, estimator="mlr")) for s, equal in LADDER.items()},
    **{f"six_{step}": (lambda step=step: six(step)) for step in LADDER},
    **{f"bfi_{scale}": (lambda scale=scale: bfi(scale)) for scale in "ACENO"},
}


FITTED = {name: cache(fit) for name, fit in FITTED.items()}


def keys(frame: pd.DataFrame, groups: pd.Series) -> list[tuple]:
    sides = zip(frame["lhs"], frame["op"], frame["rhs"], groups, strict=True)
    return [(*sorted((a, b)), op, g) if op == "~~" else (a, b, op, g) for a, op, b, g in sides]


@pytest.mark.parametrize("name", list(FITTED))
def test_fit_and_estimates_equal_lavaan(name):
    found = FITTED[name]()
    expected = FITS[FITS["model"] == name].set_index("measure")["value"]
    for ours, theirs in {**PLAIN, **(MLR if found.estimator == "mlr" else ML)}.items():
        assert getattr(found.fit, ours) == pytest.approx(expected[theirs], rel=FIT, abs=1e-9), ours
    table = PARAMETERS[PARAMETERS["model"] == name]
    if len(table):
        level = dict(enumerate(found.groups, start=1))
        theirs = table.set_index(pd.Index(keys(table, table["group"].map(level))))
        ours = found.estimates.set_index(pd.Index(keys(found.estimates, found.estimates["group"])))
        if name == "bifactor":  # lavaan lists the covariances that orthogonal factors do not have
            theirs = theirs[theirs["est"].astype(float) != 0]
        assert set(theirs.index) == set(ours.index)
        ours = ours.loc[theirs.index]
        pairs = {"estimate": "est", "std_error": "se", "std": "std", "std_std_error": "std_se"}
        for mine, other in pairs.items():
            assert ours[mine].to_numpy() == pytest.approx(theirs[other].astype(float).to_numpy(), abs=ESTIMATE), mine


def test_the_published_table_of_holzinger_and_swineford():
    # anchors/screening.md C8: values printed by lavaan 0.6-14 at its default tolerance.
    fit = FITTED["three"]().fit
    assert (fit.chi2, fit.df, fit.p_value) == pytest.approx((85.3055218, 24, 8.50255e-09), rel=1e-6)
    assert (fit.cfi, fit.tli, fit.srmr) == pytest.approx((0.930559652, 0.895839478, 0.0652050572), abs=2e-9)
    assert (fit.rmsea, fit.rmsea_low, fit.rmsea_high) == pytest.approx(
        (0.0921214845, 0.0714184904, 0.113678017), abs=1e-9
    )
    assert (fit.log_likelihood, fit.aic, fit.bic) == pytest.approx((-3737.74493, 7517.48985, 7595.33917), abs=5e-6)
    robust = FITTED["three_mlr"]().fit
    assert (robust.chi2, robust.scaling) == pytest.approx((87.1316034, 0.979042259), rel=2e-7)
    assert (robust.cfi, robust.rmsea) == pytest.approx((0.929863936, 0.0924986214), abs=5e-9)


@pytest.mark.parametrize("name", ["three", "std_lv", "residual", "labels", "bfi_A", "bfi_N"])
def test_modification_indices_equal_lavaan(name):
    found = FITTED[name]().modification
    theirs = MODIFICATION[MODIFICATION["model"] == name]
    theirs = theirs.set_index(pd.Index(keys(theirs, theirs["group"] * 0)))
    ours = found.set_index(pd.Index(keys(found, found["mi"] * 0)))
    assert set(ours.index) == set(theirs.index)
    assert ours["mi"].to_numpy() == pytest.approx(theirs.loc[ours.index, "mi"].to_numpy(), abs=SCORE)
    assert ours["epc"].to_numpy() == pytest.approx(theirs.loc[ours.index, "epc"].to_numpy(), abs=SCORE)


def test_modification_indices_foresee_the_fall_of_chi2():
    before, after = FITTED["three"](), FITTED["residual"]()
    row = before.modification.set_index("term").loc["x7~~x8"]
    assert row["mi"] == pytest.approx(before.fit.chi2 - after.fit.chi2, rel=0.15)


def test_reliability_and_distinctness_equal_semtools():
    theirs = pd.read_csv(ORACLE / "cfa_reliability.csv").set_index("factor")
    found = FITTED["three"]()
    ours = found.reliability.set_index("factor").loc[theirs.index]
    assert ours["omega"].to_numpy() == pytest.approx(theirs["omega"].to_numpy(), abs=1e-6)
    assert ours["ave"].to_numpy() == pytest.approx(theirs["ave"].to_numpy(), abs=1e-6)
    # C8's omega divides by the observed variance of the sum.
    assert ours["omega_observed"].to_numpy() == pytest.approx([0.612005, 0.885061, 0.685842], abs=1e-6)
    assert found.htmt["htmt"].to_numpy() == pytest.approx(
        [theirs.at["textual", "htmt2_visual"], theirs.at["speed", "htmt2_visual"], theirs.at["speed", "htmt2_textual"]],
        abs=1e-9,
    )


def test_residual_correlations_equal_lavaan():
    theirs = pd.read_csv(ORACLE / "cfa_residuals.csv", index_col="item")
    # lavaan's "cor.bentler" divides both covariances by the sample's deviations.
    found = FITTED["three"]()
    cov = found.fitted.moments.cov[0] - found.fitted.found.point.sigma[0]
    spread = np.sqrt(np.diag(found.fitted.moments.cov[0]))
    assert cov / np.outer(spread, spread) == pytest.approx(theirs.to_numpy(), abs=1e-6)
    # Variances are reproduced exactly here, so both definitions give the same correlations.
    assert found.residuals["all"].to_numpy() == pytest.approx(theirs.to_numpy(), abs=1e-6)


@pytest.mark.parametrize("method", ["regression", "bartlett"])
def test_factor_scores_equal_lavaan(method):
    theirs = pd.read_csv(ORACLE / "cfa_scores.csv")
    columns = [name for name in theirs if name.startswith("bartlett") == (method == "bartlett")]
    scores = factor_scores(ROWS, FITTED["three"](), method=method)
    assert scores.head(20).to_numpy() == pytest.approx(theirs[columns].to_numpy(), abs=1e-5)


def test_bifactor_shares_follow_from_the_loadings():
    found = FITTED["bifactor"]()
    loading = found.estimates.query("op == '=~'").pivot(index="rhs", columns="lhs", values="std").fillna(0)
    total = (loading.sum() ** 2).sum() + found.estimates.query("op == '~~' and lhs == rhs and lhs.str.startswith('v')")[
        "std"].sum()  # fmt: skip
    row = found.bifactor.iloc[0]
    assert row["ecv"] == pytest.approx((loading["g"] ** 2).sum() / (loading**2).to_numpy().sum())
    assert row["omega_hierarchical"] == pytest.approx(loading["g"].sum() ** 2 / total)
    assert row["omega_total"] == pytest.approx((loading.sum() ** 2).sum() / total)
    assert row["puc"] == pytest.approx(27 / 36)
    assert FITTED["three"]().bifactor is None


def test_the_ladder_of_schools_is_the_published_one():
    found = invariance(ROWS, THREE, groups="school", reference="Pasteur", partial=("x3~1", "x7 ~ 1"))
    steps = found.steps.set_index("step")
    published = {
        "configural": (115.851344, 48, 0.92339838, 0.0969148568, 0.0678640118),
        "metric": (124.043544, 54, 0.920923469, 0.0928365359, 0.0716515838),
        "scalar": (164.102831, 60, 0.882471813, 0.107371098, 0.0824470586),
        "strict": (181.511345, 69, 0.872978916, 0.104089126, 0.0882626495),
    }
    for step, values in published.items():
        # Printed from lavaan's default search, whose SRMR is some 2e-7 off the optimum's.
        found_values = steps.loc[step, ["chi2", "df", "cfi", "rmsea", "srmr"]].astype(float)
        assert found_values.to_numpy() == pytest.approx(values, rel=4e-6), step
    assert steps.loc["partial_scalar", ["chi2", "df", "cfi", "rmsea"]].astype(float).to_numpy() == pytest.approx(
        (129.42248, 58, 0.919366701, 0.0904555497), rel=1e-6
    )
    for step, diff in {"metric": (8.1922003, 6, 0.22435775), "scalar": (40.0592867, 6, 4.434566e-07),
                       "strict": (17.4085143, 9, 0.04269001), "partial_scalar": (5.3789362, 4, 0.25057781)}.items():  # fmt: skip
        assert steps.loc[step, ["diff_chi2", "diff_df", "diff_p"]].astype(float).to_numpy() == pytest.approx(
            diff, rel=2e-6
        )
    assert list(steps["holds"]) == [None, True, False, True, True, True]
    assert (found.highest, found.reference, found.means_from) == ("partial_strict", "Pasteur", "partial_scalar")
    assert found.to_frame()["term"].tolist() == list(steps.index)


@pytest.mark.parametrize("prefix", ["school", "school_mlr", "six"])
def test_differences_equal_lavaan(prefix):
    if prefix == "six":
        cov, n, mean, items = moments("bfi_groups.csv")
        found = invariance_from_covariance(cov, n, SIX, mean=mean, names=items)
    else:
        found = invariance(ROWS, THREE, groups="school", estimator="mlr" if "mlr" in prefix else "ml")
    steps = found.steps.set_index("step")
    table = pd.read_csv(ORACLE / "cfa_differences.csv").query("ladder == @prefix and step != 'partial'")
    for row in table.itertuples():
        assert steps.at[row.step, "diff_chi2"] == pytest.approx(row.diff, rel=1e-5)
        assert steps.at[row.step, "diff_df"] == row.df
        assert steps.at[row.step, "diff_p"] == pytest.approx(row.p, rel=5e-5)


def test_score_tests_of_equalities_equal_lavaan():
    theirs = pd.read_csv(ORACLE / "cfa_score.csv").set_index("parameter")
    ours = school(equal=LADDER["scalar"]).equalities.set_index("term").loc[theirs.index]
    assert ours["score_chi2"].to_numpy() == pytest.approx(theirs["x2"].to_numpy(), abs=SCORE)
    assert list(ours.index[np.argsort(-ours["score_chi2"].to_numpy())][:2]) == ["x3~1", "x7~1"]


def test_latent_means_are_those_of_lavaan():
    table = PARAMETERS.query("model == 'school_scalar' and op == '~1' and group == 2").set_index("lhs")
    found = invariance(ROWS, THREE, groups="school", reference="Pasteur", last="scalar")
    means = found.latent_means.set_index("factor")
    for factor in means.index:
        assert means.at[factor, "estimate"] == pytest.approx(float(table.at[factor, "est"]), abs=ESTIMATE)
        assert means.at[factor, "std_error"] == pytest.approx(float(table.at[factor, "se"]), abs=ESTIMATE)
    assert found.score_effect is None


def test_the_effect_in_points_is_the_difference_of_the_free_intercepts():
    found = invariance(ROWS, THREE, groups="school", reference="Pasteur", partial=("x3~1", "x7~1"))
    model = found.models["partial_scalar"].found.point.at
    expected = (model.intercept[1] - model.intercept[0])[[2, 6]].sum()
    assert found.score_effect["estimate"].to_numpy() == pytest.approx([expected] * 3)
    assert (found.score_effect["std_error"] > 0).all()


def test_both_doors_give_the_same_digits():
    by_rows = cfa(ROWS, THREE)
    by_cov = cfa_from_covariance(ROWS[X].cov(), len(ROWS), THREE)
    assert by_cov.fit.chi2 == pytest.approx(by_rows.fit.chi2, abs=1e-10)
    assert by_cov.estimates["estimate"].to_numpy() == pytest.approx(by_rows.estimates["estimate"].to_numpy(), abs=1e-12)
    cov, n, mean, items = moments("hs_moments.csv")
    part = [{g: value for g, value in one.items() if g != "all"} for one in (cov, n, mean)]
    ladder = invariance_from_covariance(part[0], part[1], THREE, mean=part[2], names=items)
    rows = invariance(ROWS, THREE, groups="school", reference="Pasteur")
    assert ladder.steps["chi2"].to_numpy() == pytest.approx(rows.steps["chi2"].to_numpy(), abs=1e-8)


def test_one_cluster_a_person_is_the_plain_sandwich():
    alone = cfa(ROWS, THREE, estimator="mlr", means=True)
    each = cfa(ROWS, THREE, estimator="mlr", cluster=np.arange(len(ROWS)))
    factor = len(ROWS) / (len(ROWS) - 1)
    assert each.estimates["std_error"].to_numpy() == pytest.approx(
        np.sqrt(factor) * alone.estimates["std_error"].to_numpy(), rel=1e-9
    )
    assert each.fit.scaling == pytest.approx(factor * alone.fit.scaling, rel=1e-9)
    assert (each.n_clusters, alone.n_clusters) == (301, None)
    assert [check.passed for check in each.checks] == [True] * 3


def test_clusters_may_reach_over_groups():
    # Without equalities a group's parameters have the errors of a model of that group alone.
    both = cfa(ROWS, THREE, estimator="mlr", groups="sex", cluster="class").estimates
    for sex, part in ROWS.groupby("sex"):
        alone = cfa(part, THREE, estimator="mlr", cluster="class").estimates
        c, own = ROWS["class"].nunique(), part["class"].nunique()
        factor = np.sqrt(c / (c - 1) / (own / (own - 1)))
        mine = both[both["group"] == str(sex)]["std_error"].to_numpy()
        assert mine == pytest.approx(factor * alone["std_error"].to_numpy(), rel=1e-6)


def test_two_items_by_hand():
    # One factor, equal loadings (variance 1): lambda^2 is the covariance, theta the rest of each variance.
    cov = np.array([[2.0, 0.5, 0.5], [0.5, 1.5, 0.5], [0.5, 0.5, 1.0]])
    found = cfa_from_covariance(cov, 101, "f =~ NA*a*x + a*y + a*z\nf ~~ 1*f", names=["x", "y", "z"])
    estimates = found.estimates.set_index("term")["estimate"] * 101 / 100
    assert found.estimates.set_index("term").at["f=~x", "estimate"] ** 2 == pytest.approx(0.5 * 100 / 101)
    assert estimates[["x~~x", "y~~y", "z~~z"]].to_numpy() == pytest.approx([1.5, 1.0, 0.5])
    assert found.fit.chi2 == pytest.approx(0, abs=1e-9) and found.fit.df == 2


def test_missing_answers_are_left_out_and_counted_by_group():
    rows = ROWS.copy()
    rows.loc[rows.index[rows["school"] == "Pasteur"][:5], "x2"] = np.nan
    found = cfa(rows, THREE, groups="school")
    assert found.n_excluded_by_group == {"Grant-White": 0, "Pasteur": 5}
    assert (found.n_used, found.n_excluded) == (296, 5)
    assert np.isnan(factor_scores(rows, found, groups="school").to_numpy()).any(axis=1).sum() == 5
    assert found.fit.chi2 == pytest.approx(cfa(rows.dropna(), THREE, groups="school").fit.chi2)


def test_a_heywood_case_is_named():
    found = cfa(ROWS, "g =~ " + " + ".join(X) + "\n" + THREE, std_lv=True, orthogonal=True)
    assert found.improper == ("x1~~x1",)
    assert [check.passed for check in found.checks] == [False, True]
    assert found.fit.chi2 == pytest.approx(34.88, abs=0.001)  # lavaan: 34.880, with a negative variance of x1


REFUSED = {
    "cfa_not_identified": lambda: cfa(ROWS, "f =~ x1 + x2"),
    "cfa_too_few_people": lambda: cfa(ROWS.head(20), THREE),
    "cfa_few_clusters": lambda: cfa(ROWS, THREE, estimator="mlr", cluster="school"),
    "cfa_singular_covariance": lambda: cfa(ROWS.assign(x9=ROWS["x7"] + ROWS["x8"]), THREE),
}


def test_other_items_and_other_ways_to_fix_the_scale():
    unit = np.array([1e3, 1, 1e-3, 10, 1, 100, 1e-2, 1, 50])
    assert cfa(ROWS[X] * unit, THREE).fit.chi2 == pytest.approx(85.30552177)
    turned = cfa(ROWS.assign(x1=-ROWS["x1"], x2=-ROWS["x2"]), THREE)
    assert turned.fit.chi2 == pytest.approx(85.30552177)
    ladders = [invariance(ROWS, THREE, groups="school", std_lv=std_lv).steps["chi2"] for std_lv in (False, True)]
    assert ladders[0].to_numpy() == pytest.approx(ladders[1].to_numpy(), abs=1e-8)


def test_a_factor_with_one_item_and_a_model_that_fits_by_construction():
    assert cfa(ROWS, "a =~ x1\nb =~ x4 + x5 + x6\nx1 ~~ 0*x1").fit.df == 2
    assert cfa(ROWS, "a =~ x1\nb =~ x4 + x5 + x6").code == "cfa_not_identified"
    exact = cfa(ROWS, "b =~ x4 + x5 + x6", estimator="mlr")
    assert (exact.fit.df, exact.fit.cfi, exact.fit.rmsea) == (0, 1, 0) and np.isnan(exact.fit.p_value)


def test_groups_without_answers_are_refused():
    lost = ROWS.assign(x1=ROWS["x1"].mask(ROWS["school"] == "Pasteur"))
    for estimator in ("ml", "mlr"):
        assert cfa(lost, THREE, groups="school", estimator=estimator).code == "cfa_too_few_people"


@pytest.mark.parametrize("code", list(REFUSED))
def test_refusals(code):
    found = REFUSED[code]()
    assert isinstance(found, Refused) and found.code == code


def test_a_model_without_a_unique_solution_is_refused_though_df_is_positive():
    found = cfa(ROWS, "a =~ x1 + x2 + x3 + x4\nb =~ x1 + x2 + x3 + x4", std_lv=True, orthogonal=True)
    assert isinstance(found, Refused) and found.code == "cfa_not_identified"
    loose = cfa(ROWS, "a =~ NA*x1 + x2 + x3 + x4 + x5")
    assert isinstance(loose, Refused) and loose.code == "cfa_not_identified"


def test_no_end_of_the_search_gives_no_chi2(monkeypatch):
    monkeypatch.setattr("mhlib.stats.measurement.cfa_search.MOST_STEPS", 3)
    found = cfa(ROWS, THREE)
    assert isinstance(found, Refused) and found.code == "cfa_not_converged"
    assert isinstance(invariance(ROWS, THREE, groups="school"), Refused)


def test_a_flat_item_is_named():
    found = cfa(ROWS.assign(x9=1), THREE)
    assert found.why.values["cause"].values["items"] == "x9"


def test_a_ladder_that_stops_says_why(monkeypatch):
    from mhlib.stats.measurement import invariance_steps

    fit, seen = invariance_steps.fit_table, []

    def second_refused(*given, **options):
        seen.append(1)
        return Refused("cfa_not_converged", None, None) if len(seen) == 3 else fit(*given, **options)

    monkeypatch.setattr(invariance_steps, "fit_table", second_refused)
    found = invariance(ROWS, THREE, groups="school")
    assert list(found.steps["step"]) == ["configural", "metric"] and found.stopped.code == "cfa_not_converged"
    assert found.latent_means.empty and found.means_from is None


ERRORS = [
    ("visual =~ x1 + x22 + x3\nvizual ~~ x1", ("'x22' is not known", "did you mean 'x2'", "did you mean 'visual'")),
    ("f =~ x1 + x2 + x3\nx1 ~ x2", ("is a regression",)),
    ("f =~ x1 + x2 + x3\na == b", ("is a formula", "same label")),
    ("x1 + x2", ("has no operator",)),
    ("x1 ~~ x2", ("no factor is measured",)),
    ("f =~ x1 + 3x", ("'3x' in",)),
    ("f =~ x1 + ?*x2", ("'?*'",)),
    ("f =~ x1 + c(1, 2)*x2 + x3", ("has 2 entries for 1 groups",)),
    ("g =~ f + x1\nf =~ x2 + x3", ("factors of factors",)),
    ("f =~ x1 + x2 + x3\nf ~~ x1", ("joins a factor and an item",)),
    ("f =~ x1 + x2 + x3\nx4 ~~ x1", ("'x4' is measured by no factor",)),
    ("x4 =~ x1 + x2 + x3", ("factor 'x4' has the name of a column",)),
    ("f =~ a*x1 + a*x2 + x3", ("label 'a' is on a fixed and on a free parameter",)),
]


@pytest.mark.parametrize(("model", "words"), ERRORS)
def test_faults_of_the_text(model, words):
    with pytest.raises(ParamsError) as error:
        cfa(ROWS, model)
    assert all(word in str(error.value) for word in words)


CALLS = [
    (ParamsError, "'x99~1' in partial", lambda: invariance(ROWS, THREE, groups="school", partial=("x99~1",))),
    (ParamsError, "no step makes these equal: visual=~x1, speed~1", lambda: invariance(
        ROWS, THREE, groups="school", partial=("visual=~x1", "speed~1", "x3~1"))),
    (ParamsError, "only ordered answers", lambda: invariance(ROWS, THREE, groups="school", least_count=5)),
    (ParamsError, "no column 'town'", lambda: cfa(ROWS, THREE, groups="town")),
    (ParamsError, "is no group", lambda: cfa(ROWS, THREE, groups="school", reference="Elsewhere")),
    (ParamsError, "knows no clusters", lambda: cfa(ROWS, THREE, cluster="class")),
    (ParamsError, "not known: colour", lambda: cfa(ROWS, THREE, colour=1)),
    (ParamsError, "'loading' is nothing that can be equal", lambda: cfa(ROWS, THREE, groups="school", equal=("loading",))),
    (ParamsError, "'gls' is not known", lambda: cfa(ROWS, THREE, estimator="gls")),
    (DataError, "one group only", lambda: cfa(ROWS.assign(school="a"), THREE, groups="school")),
    (DataError, "3 of 301 rows name no group", lambda: cfa(ROWS.assign(
        school=ROWS["school"].mask(ROWS.index < 3)), THREE, groups="school")),
    (DataError, "not a number", lambda: cfa(ROWS.assign(x1="often"), THREE)),
    (DataError, "1 infinite", lambda: cfa(ROWS.assign(x1=ROWS["x1"].mask(ROWS.index == 0, np.inf)), THREE)),
    (DataError, "no data frame", lambda: cfa(ROWS[X].to_numpy(), THREE)),
    (DesignError, "none are given", lambda: cfa_from_covariance(ROWS[X].cov(), 301, THREE, means=True)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words", "call"), CALLS, ids=[words for _, words, _ in CALLS])
def test_errors(kind, words, call):
    with pytest.raises(kind) as error:
        call()
    assert words in str(error.value)


def test_modifiers_of_the_language():
    terms = {(t.lhs, t.op, t.rhs): t for t in parse_model(
        "f =~ NA*x1 + start(.8)*a*x2 +\n c(b1, b2)*x3 # a comment\n x1 | t1 + c(.5, NA)*t2; x1 ~*~ 1*x1 ! scale\nx3 ~ c(0, NA)*1"
    )}  # fmt: skip
    assert np.isnan(terms["f", "=~", "x1"].fixed[0])
    assert (terms["f", "=~", "x2"].start, terms["f", "=~", "x2"].label) == ((0.8,), ("a",))
    assert terms["f", "=~", "x3"].label == ("b1", "b2")
    assert terms["x1", "|", "t2"].fixed[0] == 0.5 and terms["x1", "~*~", "x1"].fixed == (1.0,)
    assert terms["x3", "~1", ""].fixed[0] == 0


MIXED = "f =~ x1 + a*x2 + c(b, d)*x3\ng =~ x4 + a*x5 + x6\nh =~ x7 + x8 + x9 + x1\nx1 ~~ x2\nx3 ~ c(NA, 0)*1\nf ~~ 0*g"


def random_point(seed: int):
    rng = np.random.default_rng(seed)
    table = parameter_table(MIXED, columns=X, groups=("a", "b"), equal=("loadings", "intercepts"), partial=("x7~1",))
    built = structure(table)
    theta = 0.2 * rng.normal(size=built.n_free)
    for row, free in zip(table.rows, table.free, strict=True):
        if row.op == "~~" and row.lhs == row.rhs and free >= 0:
            theta[free] = 2 + rng.random()
    rows = rng.normal(size=(2, 60, 9)) @ rng.normal(size=(9, 9))
    cov = np.array([np.cov(part.T) for part in rows])
    return (
        built,
        theta,
        Moments(table.observed, ("a", "b"), np.array([60, 40]), np.zeros(2, int), rows.mean(axis=1), cov),
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_derivatives_are_those_of_the_likelihood(seed):
    built, theta, sample = random_point(seed)
    log_det, step, unit = saturated(sample), 1e-5, np.eye(built.n_free)

    def value(at):
        return -look(built, sample, at, log_det).value / 2

    def gradient(at):
        return gradient_and_information(built, sample, look(built, sample, at, log_det))[0]

    def implied(at):
        m = built.matrices(at)
        i, j = np.triu_indices(9)
        return np.concatenate([m.mu, m.sigma[:, i, j]], axis=1)

    def numeric(function):
        return np.stack([(function(theta + step * e) - function(theta - step * e)) / (2 * step) for e in unit], axis=-1)

    assert gradient(theta) == pytest.approx(numeric(value), abs=1e-6)
    assert jacobian(built, theta) == pytest.approx(numeric(implied), abs=1e-7)
    curved = observed_information(built, sample, look(built, sample, theta, log_det))
    assert curved == pytest.approx(-numeric(gradient), abs=2e-6)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(9)), st.floats(0.1, 50), st.floats(-100, 100))
def test_the_fit_does_not_depend_on_order_unit_or_zero_of_the_items(order, unit, zero):
    rows = ROWS[X].iloc[:, list(order)] * unit + zero
    found = cfa(rows.iloc[::-1], THREE)
    assert found.fit.chi2 == pytest.approx(85.30552177, rel=1e-7)
    assert found.estimates["std"].to_numpy() == pytest.approx(FITTED["three"]().estimates["std"].to_numpy(), abs=1e-6)


def test_reruns_are_identical():
    first, second = (cfa(ROWS, THREE, estimator="mlr").estimates for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_fit_as_a_table():
    frame = FITTED["three"]().fit.to_frame().set_index("term")
    assert frame.at["chi2", "estimate"] == pytest.approx(85.30552177)
    assert frame.loc["rmsea", ["conf_low", "conf_high"]].tolist() == pytest.approx([0.0714184904, 0.113678017])


def test_omega_and_its_error_are_those_of_the_one_factor_search():
    # one_factor.py finds its loadings by eigenvectors and its error by its own algebra.
    rows = pd.read_csv(ORACLE / "bfi_n_rows.csv")
    peer = omega(rows)
    ours = cfa(rows, "f =~ " + " + ".join(rows.columns)).reliability.iloc[0]
    assert ours["omega"] == pytest.approx(peer.omega, abs=1e-7)
    assert ours["std_error"] == pytest.approx(peer.std_error, rel=1e-4)
    assert (ours["conf_low"], ours["conf_high"]) == pytest.approx((peer.conf_low, peer.conf_high), abs=1e-6)


def test_a_reliability_interval_ends_at_one():
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(rng.normal(size=(8, 1)) + 0.5 * rng.normal(size=(8, 3)), columns=["x", "y", "z"])
    assert cfa(rows, "f =~ x + y + z").reliability["conf_high"].iloc[0] == 1


def test_a_free_loading_makes_the_effect_depend_on_the_level():
    found = invariance(ROWS, THREE, groups="school", reference="Pasteur", partial=("visual=~x3", "x3~1"))
    assert list(found.steps["step"][4:]) == ["partial_metric", "partial_scalar", "partial_strict"]
    at = found.models["partial_scalar"].found.point.at
    slope = (at.loading[1, 2, 0] - at.loading[0, 2, 0]) * np.sqrt(at.latent[0, 0, 0])
    level = at.intercept[1, 2] - at.intercept[0, 2]
    effect = found.score_effect.set_index("level")["estimate"]
    assert effect.to_numpy() == pytest.approx([level - slope, level, level + slope])


def test_ordered_answers_go_to_their_own_estimator():
    with pytest.raises(DataError, match="at most 20 categories"):
        cfa(ROWS, THREE, estimator="wlsmv")
    cut = ROWS.assign(**{name: pd.qcut(ROWS[name], 4, labels=False) for name in X})
    found = cfa(cut, THREE, estimator="wlsmv", std_lv=True)
    # C8, ordinal copy: lavaan's scaled-shifted chi2 of the items cut at their quartiles.
    assert found.fit.loc["scaled", "chi2"] == pytest.approx(74.1524845, rel=1e-4)
    steps = invariance(cut, THREE, groups="school", estimator="wlsmv", steps=("configural", "thresholds")).steps
    assert list(steps["step"]) == ["configural", "thresholds"]


def test_what_stands_beside_the_estimates_by_hand():
    found = invariance(ROWS, THREE, groups="school", reference="Pasteur", partial=("x3~1", "x7~1"))
    fitted = found.models["partial_scalar"]
    places = {(row.name, row.group): free for row, free in zip(fitted.table.rows, fitted.table.free, strict=True)}
    contrast = np.zeros(fitted.built.n_free)
    for item in ("x3~1", "x7~1"):
        contrast[places[item, 1]], contrast[places[item, 0]] = 1, -1
    error = np.sqrt(contrast @ fitted.covariance @ contrast)
    assert found.score_effect["std_error"].to_numpy() == pytest.approx([error] * 3)
    spread = np.sqrt(np.diag(fitted.found.point.at.latent[0]))
    means = found.latent_means
    assert means["effect"].to_numpy() == pytest.approx((means["estimate"] / spread).to_numpy())
    three = FITTED["three"]()
    table = three.estimates.set_index("term")["estimate"]
    asked = three.modification.set_index("term")
    scale = {"x7~~x8": 1 / np.sqrt(table["x7~~x7"] * table["x8~~x8"]),
             "visual=~x9": np.sqrt(table["visual~~visual"] / three.fitted.found.point.sigma[0, 8, 8])}  # fmt: skip
    for term, factor in scale.items():
        assert asked.at[term, "epc_std"] == pytest.approx(asked.at[term, "epc"] * factor)


def test_one_cluster_a_person_in_a_model_that_groups_share():
    plain = school(equal=LADDER["scalar"], estimator="mlr").estimates["std_error"]
    each = school(equal=LADDER["scalar"], estimator="mlr", cluster=np.arange(len(ROWS))).estimates["std_error"]
    assert each.to_numpy() == pytest.approx(np.sqrt(301 / 300) * plain.to_numpy(), rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"means": True}, {"groups": "school", "equal": ("loadings", "intercepts")}])
def test_many_items_are_scored_person_by_person_to_the_same_numbers(monkeypatch, options):
    by_table = cfa(ROWS, THREE, estimator="mlr", **options)
    monkeypatch.setattr("mhlib.stats.measurement.cfa_variation.MOST_MOMENTS", 0)
    monkeypatch.setattr("mhlib.stats.measurement.cfa_variation.ROOM", 2700)
    by_person = cfa(ROWS, THREE, estimator="mlr", **options)
    for name in ("scaling", "baseline_scaling"):
        assert getattr(by_person.fit, name) == pytest.approx(getattr(by_table.fit, name), rel=1e-10)
    errors = [found.estimates["std_error"].to_numpy() for found in (by_table, by_person)]
    assert errors[1] == pytest.approx(errors[0], rel=1e-10)
