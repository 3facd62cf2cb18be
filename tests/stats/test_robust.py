"""Cluster-robust inference against R (tests/oracle/make_robust.R), by brute force on rows, by hand, at the edges and as properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects import (
    ClusterSums,
    cluster_influence,
    cluster_robust,
    cluster_robust_from_sums,
    compare_estimands,
    joint_test,
    robust_contrast,
    school_permutation,
    wild_cluster_bootstrap,
)
from mhlib.stats.effects.permutation_statistics import allocated, permuted
from mhlib.stats.effects.robust_adjust import KINDS
from mhlib.stats.effects.wild_draws import every_sign, wild_statistics

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
VALUES = pd.read_csv(ORACLE / "robust_values.csv")
JOINT = pd.read_csv(ORACLE / "robust_joint.csv")
AWARDS = pd.read_csv(ORACLE / "robust_awards.csv.gz").assign(wt=lambda rows: 1 + (rows["siblings"] % 4) / 2)
PUPILS = AWARDS[AWARDS["year"] == 2001]
GIRLS = AWARDS[AWARDS["sex"] == 0].assign(split=lambda rows: ((np.arange(1, len(rows) + 1) * 7) % 5 < 2).astype(int))
ORTHODONT = pd.read_csv(ORACLE / "robust_orthodont.csv").astype({"sex": "category"})
MODEL = "y ~ treated + C(quarter) + sex + siblings + immigrant + father + mother"
BY_YEAR = "y ~ C(year)*treated + C(type) + father + mother + immigrant + siblings + C(quarter)"
# R prints fifteen digits; what is left are the rounding errors of both.
EXACT = 1e-10

CASES = {
    "sleepstudy": lambda kind: cluster_robust(
        "y ~ days", pd.read_csv(ORACLE / "robust_sleepstudy.csv"), cluster="cluster", kind=kind
    ),
    "orthodont": lambda kind: cluster_robust("y ~ age * C(sex)", ORTHODONT, cluster="cluster", kind=kind),
    "btheb": lambda kind: cluster_robust(
        "y ~ pre + treatment + drug + length", pd.read_csv(ORACLE / "robust_btheb.csv"), cluster="cluster", kind=kind
    ),
    "awards": lambda kind: cluster_robust(MODEL, PUPILS, cluster="school", kind=kind),
    "awards_school_average": lambda kind: cluster_robust(MODEL, PUPILS, cluster="school", kind=kind, estimand="school"),
    "awards_weighted": lambda kind: cluster_robust(MODEL, PUPILS, cluster="school", kind=kind, weights="wt"),
    "girls": lambda kind: cluster_robust(BY_YEAR, GIRLS, cluster="school", kind=kind),
    "girls_absorbed": lambda kind: cluster_robust(
        "y ~ split + siblings + father", GIRLS, cluster="school", absorb="school", kind=kind
    ),
    "logit": lambda kind: cluster_robust(
        "y ~ treated + C(quarter)", PUPILS, cluster="school", kind=kind, family="binomial"
    ),
    "logit_weighted": lambda kind: cluster_robust(
        "y ~ treated + siblings + father", PUPILS, cluster="school", kind=kind, family="binomial", weights="wt"
    ),
    "survey_logit": lambda kind: cluster_robust(
        "y ~ treated + siblings + father", PUPILS, cluster="school", kind=kind, family="binomial", weights="wt"
    ),
    "survey_linear": lambda kind: cluster_robust(MODEL, PUPILS, cluster="school", kind=kind, weights="wt"),
    "hsb82": lambda kind: cluster_robust_from_sums(sums_of("hsb82", ("Intercept", "ses", "sector")), kind=kind),
    "star": lambda kind: cluster_robust_from_sums(sums_of("star", ("Intercept", "reg", "regA", "sex")), kind=kind),
}


def sums_of(case: str, names: tuple[str, ...]) -> ClusterSums:
    """Cross-products by school as R wrote them."""
    table = pd.read_csv(ORACLE / "robust_sums.csv.gz").query("case == @case")
    code, _ = pd.factorize(table["cluster"])
    p, g = len(names), code.max() + 1
    full = np.zeros((g, p + 1, p + 1))
    full[code, table["row"], table["column"]] = full[code, table["column"], table["row"]] = table["value"]
    n = table.groupby(code)["n"].first().to_numpy()
    return ClusterSums(names=names, n=n, xx=full[:, :p, :p], xy=full[:, :p, p], yy=full[:, p, p])


@pytest.mark.parametrize(("case", "kind"), list(VALUES[["case", "kind"]].drop_duplicates().itertuples(index=False)))
def test_every_kind_equals_clubsandwich(case, kind):
    found = CASES[case](kind).to_frame()
    wanted = VALUES.query("case == @case and kind == @kind")
    # clubSandwich cuts eigenvalues of school dummies that are 0 at 1e-12, which leaves it nine digits.
    digits = 1e-8 if case == "girls_absorbed" else EXACT
    assert found["estimate"].to_numpy() == pytest.approx(wanted["estimate"].to_numpy(), rel=digits)
    assert found["std_error"].to_numpy() == pytest.approx(wanted["std_error"].to_numpy(), rel=digits)
    if wanted["df"].notna().all():
        assert found["df"].to_numpy() == pytest.approx(wanted["df"].to_numpy(), rel=digits)
        judged = wanted["p_value"].where(wanted["df"] >= 4).to_numpy()
        assert found["p_value"].to_numpy() == pytest.approx(judged, rel=1e-6, abs=1e-12, nan_ok=True)


def test_the_anchors_digits():
    fit = cluster_robust(MODEL, PUPILS, cluster="school")
    row = fit.to_frame().set_index("term").loc["treated"]
    assert (row["estimate"], row["std_error"], row["df"]) == pytest.approx(
        (0.0503010929, 0.0387577705389, 25.9907843799), rel=1e-9
    )
    # clubSandwich prints .20574534 here; the anchor's .20574573 differs from it in the seventh digit.
    assert row["p_value"] == pytest.approx(0.20574534, abs=1e-8)
    star = CASES["star"]("CR2").to_frame().set_index("term").loc["reg"]
    assert (star["estimate"], star["std_error"]) == pytest.approx((-7.745653564, 2.623809499), rel=1e-9)
    assert star["df"] == pytest.approx(69.258, abs=5e-4)
    hsb = CASES["hsb82"]("CR2").to_frame().set_index("term").loc["sector"]
    assert tuple(hsb[["estimate", "std_error", "df"]]) == pytest.approx(
        (1.9350129633, 0.3184737017, 141.463666), rel=1e-8
    )


@pytest.mark.parametrize("row", JOINT.to_dict("records"), ids=lambda row: f"{row['case']}-{row['kind']}")
def test_joint_tests_equal_htz(row):
    fit = CASES[row["case"]](row["kind"])
    chosen = {"girls": ":treated", "awards": "quarter", "logit": "quarter", "orthodont": ""}[row["case"]]
    found = joint_test(fit, [term for term in fit.terms if chosen in term and term != "Intercept"])
    assert (found.statistic, found.df1, found.df2) == pytest.approx(
        (row["statistic"], row["df1"], row["df2"]), rel=1e-9
    )
    assert found.p_value == pytest.approx(row["p_value"], rel=1e-6)


def test_mortality_and_the_drinking_age(shared_data):
    rows = pd.read_csv(shared_data / "mlda_state_mortality.csv.gz").query("year <= 1983")
    wanted = {"All": (10.8, 4.59, 4.48), "Motor Vehicle": (7.59, 2.50, 2.43), "Suicide": (0.591, 0.590, 0.571),
              "Internal": (1.33, 1.59, 1.53)}  # fmt: skip
    for cause, values in wanted.items():
        fits = [cluster_robust("mrate ~ legal + C(state) + C(year)", rows[rows["cause"] == cause], cluster="state", kind=kind)
                for kind in ("CR1S", "CR2")]  # fmt: skip
        i = fits[0].position("legal")
        found = (fits[0].estimates[i], fits[0].std_errors[i], fits[1].std_errors[i])
        digits = [2 if cause in ("Motor Vehicle", "Internal") else 3] * 3
        digits = [1, 2, 2] if cause == "All" else digits
        assert [round(value, d) for value, d in zip(found, digits, strict=True)] == list(values), cause
        # A dummy of a state has no error by state: every one of them is refused, the law is not.
        assert "C(state)[T.2]" in fits[1].refusals and "legal" not in fits[1].refusals
        assert fits[0].n_used == 714


def test_rows_and_sums_give_the_same_digits():
    rows = PUPILS.sort_values("school", kind="stable")
    x = np.column_stack([np.ones(len(rows)), rows["treated"], rows["siblings"], rows["father"]]).astype(float)
    y = rows["y"].to_numpy(dtype=float)
    parts = [np.flatnonzero(rows["school"] == one) for one in sorted(rows["school"].unique())]
    sums = ClusterSums(
        names=("Intercept", "treated", "siblings", "father"),
        n=np.array([len(part) for part in parts]),
        xx=np.array([x[part].T @ x[part] for part in parts]),
        xy=np.array([x[part].T @ y[part] for part in parts]),
        yy=np.array([y[part] @ y[part] for part in parts]),
    )
    for estimand in ("pupil", "school"):
        door = cluster_robust_from_sums(sums, estimand=estimand)
        whole = cluster_robust("y ~ treated + siblings + father", PUPILS, cluster="school", estimand=estimand)
        pd.testing.assert_frame_equal(door.to_frame(), whole.to_frame(), rtol=1e-9)
        assert door.residual_sd == pytest.approx(whole.residual_sd, rel=1e-10)
        assert (
            school_permutation(door, "treated", seed=1).p_value == school_permutation(whole, "treated", seed=1).p_value
        )


def test_school_average_is_weights_of_one_over_size():
    rows = PUPILS.assign(share=1 / PUPILS.groupby("school")["y"].transform("size"))
    by_weight = cluster_robust("y ~ treated + siblings", rows, cluster="school", weights="share")
    by_name = cluster_robust("y ~ treated + siblings", rows, cluster="school", estimand="school")
    assert by_weight.std_errors == pytest.approx(by_name.std_errors, rel=1e-10)
    logit = [cluster_robust("y ~ treated", rows, cluster="school", family="binomial", **how)
             for how in ({"weights": "share"}, {"estimand": "school"})]  # fmt: skip
    assert logit[0].std_errors == pytest.approx(logit[1].std_errors, rel=1e-10)


def test_whitened_root_is_near_the_exact_one():
    exact, near = (cluster_robust("y ~ treated + siblings", PUPILS, cluster="school", family="binomial", root=root)
                   for root in ("exact", "whitened"))  # fmt: skip
    assert near.std_errors == pytest.approx(exact.std_errors, rel=0.01)
    assert not np.allclose(near.std_errors, exact.std_errors, rtol=1e-6, atol=0)


def test_statsmodels_gives_the_same_cr1s():
    import statsmodels.formula.api as smf

    theirs = smf.ols(MODEL, PUPILS).fit(cov_type="cluster", cov_kwds={"groups": PUPILS["school"].to_numpy()})
    ours = cluster_robust(MODEL, PUPILS, cluster="school", kind="CR1S").to_frame().set_index("term")
    assert ours.loc["treated", "std_error"] == pytest.approx(theirs.bse["treated"], rel=1e-10)
    plain = smf.ols(MODEL, PUPILS).fit()
    assert ours.loc["treated", "model_std_error"] == pytest.approx(plain.bse["treated"], rel=1e-10)


def test_contrasts_and_one_constraint():
    fit = cluster_robust(BY_YEAR, GIRLS, cluster="school")
    found = robust_contrast(fit, {"2002": {"treated": 1, "C(year)[T.2002]:treated": 1}, "plain": {"treated": 1}})
    other = cluster_robust(BY_YEAR.replace("C(year)", "C(year, contr.treatment(2002))"), GIRLS, cluster="school")
    i = other.position("treated")
    assert (found.estimates[0], found.std_errors[0], found.df[0]) == pytest.approx(
        (other.estimates[i], other.std_errors[i], other.df[i]), rel=1e-8
    )
    single = joint_test(fit, ["treated"])
    assert single.p_value == pytest.approx(fit.p_values[fit.position("treated")], rel=1e-9)
    assert single.df2 == pytest.approx(fit.df[fit.position("treated")], rel=1e-10)
    assert list(found.to_frame()["term"]) == ["2002", "plain"]


def test_bootstrap_equals_pyfixest_within_monte_carlo():
    fit = cluster_robust(MODEL, PUPILS, cluster="school")
    found = wild_cluster_bootstrap(fit, "treated", seed=1)
    # pyfixest 0.60 and wildboottest 0.3.2, 9,999 draws; each has a Monte Carlo error of 0.004.
    assert found.p_value == pytest.approx(0.20092, abs=3 * math.sqrt(2) * 0.004)
    again = wild_cluster_bootstrap(fit, "treated", seed=1)
    assert (found.p_value, found.conf_low) == (again.p_value, again.conf_low)
    assert wild_cluster_bootstrap(fit, "treated", seed=2).p_value != found.p_value
    at = wild_cluster_bootstrap(fit, "treated", seed=1, null=found.conf_low + 1e-4)
    beyond = wild_cluster_bootstrap(fit, "treated", seed=1, null=found.conf_low - 1e-4)
    assert beyond.p_value < 0.05 <= at.p_value
    assert found.to_frame().loc[0, "conf_low"] < found.estimate < found.conf_high


def brute(x, y, code, k, null, signs):
    """t statistics of the restricted wild bootstrap, one regression at a time."""
    rest = np.delete(x, k, axis=1)
    fitted = rest @ np.linalg.lstsq(rest, y - null * x[:, k], rcond=None)[0] + null * x[:, k]
    inverse, found = np.linalg.inv(x.T @ x), []
    for sign in signs:
        drawn = fitted + sign[code] * (y - fitted)
        beta = inverse @ x.T @ drawn
        scores = np.array([x[code == g].T @ (drawn - x @ beta)[code == g] for g in range(code.max() + 1)])
        found.append((beta[k] - null) / math.sqrt((inverse @ scores.T @ scores @ inverse)[k, k]))
    return np.array(found)


@pytest.mark.parametrize("null", [0.0, 0.7])
def test_bootstrap_from_scores_equals_refits_on_rows(rng, null):
    code = np.repeat(np.arange(9), rng.integers(3, 9, 9))
    rows = pd.DataFrame({"school": code, "t": code % 2, "x": rng.normal(size=len(code)) + code})
    rows["y"] = rng.normal(size=len(code)) + 0.3 * rows["t"] + rng.normal(size=9)[code]
    fit = cluster_robust("y ~ t + x", rows, cluster="school")
    signs = every_sign(9)[::37]
    parts = wild_statistics(fit.found.raw, fit.found.information, fit.found.scale[1], iter([signs]))
    x = np.column_stack([np.ones(len(code)), rows["t"], rows["x"]])
    wanted = brute(x, rows["y"].to_numpy(), code, 1, null, signs)
    assert parts.statistics(fit.estimates[1] - null) == pytest.approx(wanted, rel=1e-8, abs=1e-10)
    every = wild_cluster_bootstrap(fit, "t", seed=1, null=null)
    observed = abs(brute(x, rows["y"].to_numpy(), code, 1, null, every_sign(9)[:1])[0])
    all_drawn = np.abs(brute(x, rows["y"].to_numpy(), code, 1, null, every_sign(9)))
    assert every.enumerated and every.n_draws == 512
    assert every.p_value == pytest.approx((all_drawn >= observed * (1 - 1e-9)).mean(), abs=1e-12)


def test_absorbed_groups_bootstrap_as_dummies_do():
    whole = cluster_robust("y ~ split + siblings + C(school)", GIRLS, cluster="school")
    within = cluster_robust("y ~ split + siblings", GIRLS, cluster="school", absorb="school")
    found = [wild_cluster_bootstrap(fit, "split", seed=4, n_draws=999) for fit in (whole, within)]
    assert found[0].p_value == pytest.approx(found[1].p_value, abs=1e-9)
    assert whole.residual_sd == pytest.approx(within.residual_sd, rel=1e-9)


@pytest.mark.parametrize("null", [0.0, 0.7])
def test_permutation_from_sums_equals_refits_on_rows(rng, null):
    code = np.repeat(np.arange(10), rng.integers(3, 9, 10))
    rows = pd.DataFrame({"school": code, "t": code % 2, "x": rng.normal(size=len(code)) + code})
    rows["y"] = rng.normal(size=len(code)) + 0.3 * rows["t"] + rng.normal(size=10)[code]
    fit = cluster_robust("y ~ t + x", rows, cluster="school")
    parts = allocated(fit, "t")
    draws = np.array([rng.permutation(parts.treated) for _ in range(6)])
    y, wanted = rows["y"].to_numpy() - null * rows["t"].to_numpy(), {"t": [], "coefficient": []}
    for draw in draws:
        x = np.column_stack([np.ones(len(code)), draw[code], rows["x"]])
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ x.T @ y
        scores = np.array([x[code == g].T @ (y - x @ beta)[code == g] for g in range(10)])
        wanted["coefficient"].append(beta[1])
        wanted["t"].append(beta[1] / math.sqrt((inverse @ scores.T @ scores @ inverse)[1, 1]))
    for statistic, values in wanted.items():
        made = permuted(parts, draws, studentised=statistic == "t", plus=0)
        assert made.statistics(fit.estimates[1] - null) == pytest.approx(np.array(values), rel=1e-8, abs=1e-10)


def test_permutation_by_hand():
    # Four schools against four of one pupil each; the treated lie above all others: 2 of 70 allocations are as extreme.
    rows = pd.DataFrame({"school": range(8), "t": [0, 0, 0, 0, 1, 1, 1, 1], "y": [1.0, 2, 3, 4, 11, 12, 13, 15]})
    found = school_permutation(cluster_robust("y ~ t", rows, cluster="school"), "t", seed=1, statistic="coefficient")
    assert found.enumerated and found.n_allocations == 70
    assert found.p_value == pytest.approx(2 / 70) and found.floor == pytest.approx(2 / 70)
    assert found.conf_low < 10.25 < found.conf_high
    few = school_permutation(cluster_robust("y ~ t", rows.iloc[1:7], cluster="school"), "t", seed=1)
    uneven = school_permutation(cluster_robust("y ~ t", rows.iloc[:7], cluster="school"), "t", seed=1)
    assert uneven.floor == pytest.approx(1 / 35) and uneven.p_value >= uneven.floor
    assert few.refused.code == "permutation_floor" and math.isnan(few.p_value) and few.floor == pytest.approx(0.1)


def test_strata_are_respected(rng):
    schools = pd.DataFrame({"school": range(12), "town": np.repeat([0, 1, 2], 4), "t": [0, 1] * 6})
    rows = schools.loc[np.repeat(np.arange(12), 5)].reset_index(drop=True)
    rows["y"] = rng.normal(size=60) + 3 * rows["town"] + rows["t"]
    fit = cluster_robust("y ~ t", rows, cluster="school", strata="town")
    found = school_permutation(fit, "t", seed=1)
    assert found.stratified and found.n_allocations == 6**3 and found.enumerated
    assert school_permutation(cluster_robust("y ~ t", rows, cluster="school"), "t", seed=1).n_allocations == 924
    with pytest.raises(DesignError, match="clusters lie in more than one stratum"):
        cluster_robust("y ~ t", rows.assign(town=rng.permutation(rows["town"])), cluster="school", strata="town")


def test_influence_is_the_fit_without_the_school():
    fit = cluster_robust("y ~ treated + siblings", PUPILS, cluster="school")
    found = cluster_influence(fit, "treated")
    for row in found.table.head(3).itertuples():
        rest = cluster_robust("y ~ treated + siblings", PUPILS[PUPILS["school"] != row.cluster], cluster="school")
        assert row.estimate_without == pytest.approx(rest.estimates[1], rel=1e-9)
    assert found.table["leverage"].sum() == pytest.approx(1) and found.check.passed
    assert found.to_frame().set_index("term").loc["lowest_without_one", "estimate"] == found.lowest


def test_the_two_estimands_of_the_awards():
    found = compare_estimands(cluster_robust(MODEL, PUPILS, cluster="school"), "treated")
    frame = found.to_frame().set_index("term")
    wanted = VALUES.query("case == 'awards_school_average' and kind == 'CR2' and term == 'treated'").iloc[0]
    assert frame.loc["school_average", "std_error"] == pytest.approx(wanted["std_error"], rel=1e-10)
    assert frame.loc["pupil_average", "estimate"] == pytest.approx(0.0503010929, rel=1e-8)
    assert frame.loc["difference", "estimate"] == pytest.approx(0.0503010929 - wanted["estimate"], rel=1e-7)
    assert found.check.passed


def test_difference_of_the_estimands_by_hand(rng):
    """Schools of one value each: a difference of two weighted means, whose CR0 error is written out."""
    n = rng.integers(2, 40, 24)
    code, arm = np.repeat(np.arange(24), n), np.arange(24) % 2
    level = rng.normal(size=24)
    rows = pd.DataFrame({"school": code, "t": arm[code], "y": level[code]})
    found = compare_estimands(cluster_robust("y ~ t", rows, cluster="school", kind="CR0"), "t")
    gap, variance = 0.0, 0.0
    for value, sign in ((1, 1), (0, -1)):
        mine = arm == value
        by_pupil, by_school = n[mine] / n[mine].sum(), np.full(mine.sum(), 1 / mine.sum())
        gap += sign * ((by_pupil - by_school) @ level[mine])
        off = by_pupil * (level[mine] - by_pupil @ level[mine]) - by_school * (level[mine] - by_school @ level[mine])
        variance += (off**2).sum()
    assert (found.difference, found.difference_error) == pytest.approx((gap, math.sqrt(variance)), rel=1e-9)
    row = found.to_frame().set_index("term").loc["difference"]
    assert (row["conf_low"] > 0 or row["conf_high"] < 0) == (row["p_value"] < 0.05)
    half = (row["conf_high"] - row["conf_low"]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, row["df"]) * math.sqrt(variance), rel=1e-9)


def test_schools_of_one_size_have_one_estimand():
    found = compare_estimands(cluster_robust("y ~ C(sex)", ORTHODONT, cluster="cluster"), "C(sex)[T.Male]")
    assert found.difference == pytest.approx(0, abs=1e-12) and math.isnan(found.difference_p) and found.check.passed


# Refusals and edges.


def small(arms, pupils=6, seed=0):
    """One row a pupil, a school for each entry of `arms`."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(len(arms)), pupils)
    return pd.DataFrame(
        {"school": code, "t": np.array(arms)[code], "x": rng.normal(size=len(code)), "y": rng.normal(size=len(code))}
    )


def test_one_cluster_is_refused():
    refused = cluster_robust("y ~ x", small([0]), cluster="school")
    assert isinstance(refused, Refused) and refused.code == "one_cluster"


def test_an_arm_of_which_nobody_was_measured_is_refused_for_that_reason():
    rows = small([0, 1] * 4)
    rows["y"] = rows["y"].where(rows["t"] == 0)
    refused = cluster_robust("y ~ t + x", rows, cluster="school", arm="t")
    assert refused.code == "nobody_in_arm" and "single school" not in refused.why.template


def test_one_cluster_in_an_arm_is_refused():
    rows = small([0, 0, 0, 0, 0, 0, 1])
    assert cluster_robust("y ~ t + x", rows, cluster="school", arm="t").code == "one_cluster_in_arm"
    fit = cluster_robust("y ~ t + x", rows, cluster="school")
    assert fit.refusals["t"].code == "carried_by_one_cluster"
    i = fit.position("t")
    assert (
        np.isfinite(fit.estimates[i])
        and np.isnan([fit.std_errors[i], fit.p_values[i], fit.conf_low[i], fit.df[i]]).all()
    )
    assert np.isfinite(fit.std_errors[fit.position("x")])
    for found in (wild_cluster_bootstrap(fit, "t", seed=1), school_permutation(fit, "t", seed=1)):
        assert found.code == "carried_by_one_cluster"
    assert compare_estimands(fit, "t").code == "carried_by_one_cluster"
    assert cluster_influence(fit, "t").check.passed is False
    assert robust_contrast(fit, {"t": {"t": 1.0}}).refusals["t"].code == "carried_by_one_cluster"
    assert joint_test(fit, ["t", "x"]).refused.code == "carried_by_one_cluster"


def test_the_only_control_school_of_three_arms_is_refused():
    rows = small(["a", "b", "b", "b", "c", "c", "c"])
    fit = cluster_robust("y ~ t", rows, cluster="school")
    assert set(fit.refusals) == {"Intercept", "t[T.b]", "t[T.c]"}
    assert robust_contrast(fit, {"c - b": {"t[T.c]": 1, "t[T.b]": -1}}).refusals


def test_few_degrees_of_freedom_give_no_p_value():
    fit = cluster_robust("y ~ t", small([0, 0, 1, 1]), cluster="school")
    i = fit.position("t")
    assert fit.refusals["t"].code == "few_degrees_of_freedom" and fit.df[i] < 4
    assert (
        np.isfinite([fit.estimates[i], fit.std_errors[i]]).all() and np.isnan([fit.p_values[i], fit.conf_low[i]]).all()
    )
    assert joint_test(fit, ["t"]).refused.code == "few_degrees_of_freedom"
    assert not fit.checks[0].passed
    found = wild_cluster_bootstrap(fit, "t", seed=1)
    assert found.refused.code == "bootstrap_floor" and math.isnan(found.p_value) and found.floor == pytest.approx(1 / 8)


def test_thousands_of_clusters():
    fit = cluster_robust("y ~ t", small([0, 1] * 1500, pupils=2), cluster="school")
    boot, lot = wild_cluster_bootstrap(fit, "t", seed=1, n_draws=199), school_permutation(fit, "t", seed=1, n_draws=199)
    assert boot.floor == 1 / 199 and lot.floor == 1 / 200
    assert lot.to_frame().loc[0, "n_allocations"] == math.inf
    assert wild_cluster_bootstrap(fit, "t", seed=1, n_draws=199, weights="webb").p_value > 0


def test_twenty_clusters_pass_the_check():
    assert cluster_robust("y ~ t", small([0, 1] * 10), cluster="school").checks[0].passed
    assert not cluster_robust("y ~ t", small([0, 1] * 9), cluster="school").checks[0].passed


def test_missing_rows_are_counted():
    rows = small([0, 1] * 6)
    rows.loc[[0, 5, 9], "x"] = np.nan
    rows.loc[[0, 1], "y"] = np.nan
    fit = cluster_robust("y ~ t + x", rows, cluster="school")
    assert (fit.n_used, fit.n_excluded) == (68, 4)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"formula": "y ~ t + z"}, DataError, "no column z"),
        ({"cluster": "nowhere"}, DataError, "no column nowhere"),
        ({"formula": "~ t"}, ParamsError, "names no outcome"),
        ({"formula": "y ~ t +* x"}, ParamsError, "cannot be read"),
        ({"formula": "y ~ t + x + I(2*x)"}, DesignError, "can be made from each other"),
        ({"kind": "HC1"}, ParamsError, "one of CR0"),
        ({"estimand": "class"}, ParamsError, "one of pupil, school"),
        ({"family": "poisson"}, ParamsError, "one of gaussian"),
        ({"absorb": "school"}, DesignError, "do not vary within school: t"),
        ({"absorb": "school", "estimand": "school"}, ParamsError, "serves neither"),
        ({"family": "binomial"}, DataError, "not 0 or 1"),
    ],
)
def test_errors_say_what_to_do(change, error, text):
    given_ = {"formula": "y ~ t + x", "cluster": "school"} | change
    with pytest.raises(error, match=text):
        cluster_robust(given_.pop("formula"), small([0, 1] * 6), **given_)


def test_more_errors():
    rows = small([0, 1] * 6)
    with pytest.raises(DataError, match="rows name no cluster"):
        cluster_robust("y ~ t", rows.assign(school=rows["school"].where(rows["school"] > 0)), cluster="school")
    with pytest.raises(DesignError, match="one group only: town"):
        cluster_robust("y ~ town", rows.assign(town="a"), cluster="school")
    with pytest.raises(DesignError, match="the same in every row"):
        cluster_robust("y ~ t", rows.assign(y=3.0), cluster="school")
    with pytest.raises(DesignError, match="more than one cluster"):
        cluster_robust("y ~ x", rows.assign(town=rows["school"] // 2), cluster="school", absorb="town")
    with pytest.raises(DesignError, match="perfectly"):
        cluster_robust("y ~ x", rows.assign(y=(rows["x"] > 0).astype(int)), cluster="school", family="binomial")
    fit = cluster_robust("y ~ t + x", rows, cluster="school")
    with pytest.raises(ParamsError, match="no term 'T'"):
        fit.position("T")
    with pytest.raises(ParamsError, match="need a seed"):
        wild_cluster_bootstrap(fit, "t")
    with pytest.raises(ParamsError, match="at least 199"):
        school_permutation(fit, "t", seed=1, n_draws=10)
    with pytest.raises(DesignError, match="whole clusters share"):
        school_permutation(fit, "x", seed=1)
    with pytest.raises(DesignError, match="no intercept"):
        school_permutation(cluster_robust("y ~ 0 + t", rows, cluster="school"), "t", seed=1)
    with pytest.raises(ParamsError, match="least squares"):
        wild_cluster_bootstrap(
            cluster_robust("b ~ x", rows.assign(b=np.arange(72) % 2), cluster="school", family="binomial"), "x", seed=1
        )
    with pytest.raises(DesignError, match="judged together"):
        joint_test(fit, np.vstack([np.eye(3), np.ones(3)]))
    sums = fit.sums
    with pytest.raises(DataError, match="shape"):
        cluster_robust_from_sums(ClusterSums(names=("a",), n=sums.n, xx=sums.xx, xy=sums.xy, yy=sums.yy))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), scale=st.floats(0.1, 20))
def test_units_and_labels_do_not_matter(seed, shift, scale):
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(10), rng.integers(2, 12, 10))
    rows = pd.DataFrame(
        {"school": code, "t": code % 2, "x": rng.normal(size=len(code)), "y": rng.normal(size=len(code))}
    )
    plain = cluster_robust("y ~ t + x", rows, cluster="school")
    turned = rows.assign(y=shift + scale * rows["y"], x=rows["x"] * 7 + 100, school=99 - rows["school"])
    other = cluster_robust("y ~ t + x", turned.sample(frac=1, random_state=seed), cluster="school")
    assert other.estimates[1] == pytest.approx(scale * plain.estimates[1], rel=1e-7, abs=1e-9)
    assert other.std_errors[1] == pytest.approx(scale * plain.std_errors[1], rel=1e-7)
    assert other.df[1] == pytest.approx(plain.df[1], rel=1e-7)
    kinds = [
        cluster_robust("y ~ t + x", rows, cluster="school", kind=kind).std_errors[1] for kind in ("CR0", "CR2", "CR3")
    ]
    assert kinds[0] <= kinds[1] <= kinds[2] and plain.df[1] <= 9


def test_cr2_is_unbiased_under_equal_variances(rng):
    """The promise of CR2, computed and not simulated: E(V) under independent pupils is the model's variance."""
    from mhlib.stats.effects.robust_moments import satterthwaite

    for estimand in ("pupil", "school"):
        fit = cluster_robust(MODEL, PUPILS, cluster="school", estimand=estimand)
        _, expected = satterthwaite(fit.found, fit.found.scale)
        scale, sums = fit.found.scale, fit.sums
        wwxx = sums.xx if sums.wwxx is None else sums.wwxx
        turn = scale if sums.basis is None else np.linalg.solve(sums.basis, scale)
        meat = turn.T @ wwxx.sum(axis=0) @ turn
        assert expected == pytest.approx(np.einsum("ij,jk,ik->i", scale, meat, scale), rel=1e-8)


def test_every_kind_is_known():
    assert {"CR0", "CR1", "CR1S", "CR2", "CR3"} == set(KINDS)
