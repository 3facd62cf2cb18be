"""Hedges' g, equivalence and multiplicity against published values, R, pingouin, by hand, and as properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.effects import (
    adjust_pvalues,
    cluster_robust,
    cluster_tost,
    hedges_g,
    hedges_g_from_model,
    hedges_g_from_summary,
    romano_wolf,
    tost,
    tost_from_estimate,
    wild_cluster_bootstrap,
)
from mhlib.stats.effects.effect_size_moments import Arm, smd_variance, spread_moments

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
BTHEB = pd.read_csv(ORACLE / "robust_btheb.csv")
USUAL = BTHEB["treatment"] == "TAU"
PUPILS = pd.read_csv(ORACLE / "robust_awards.csv.gz").query("year == 2001")


def test_g_of_beat_the_blues_equals_effectsize():
    found = hedges_g(BTHEB["y"], USUAL)
    assert (found.g, found.conf_low, found.conf_high) == pytest.approx((0.4460974122, 0.0440281, 0.8458778), abs=5e-8)
    assert found.d == pytest.approx(0.4496582816, abs=1e-10)
    assert (found.n_used, found.n_excluded, found.n_treated, found.n_control) == (97, 3, 45, 52)


def test_g_equals_pingouin():
    import pingouin

    kept = BTHEB["y"].notna()
    theirs = pingouin.compute_effsize(BTHEB["y"][kept & USUAL], BTHEB["y"][kept & ~USUAL], eftype="hedges")
    assert hedges_g(BTHEB["y"], USUAL, rule="wwc").g == pytest.approx(theirs, abs=1e-10)


def test_hedges_2007_and_the_wwc():
    def by(**more):
        return hedges_g_from_summary(0.3, 0, 1, 1, 60, 40, cluster_size=10, **more)

    found = by(icc=0.1)
    assert (found.d, found.d_std_error, found.h) == pytest.approx((0.297232129, 0.282211909, 90.925919), abs=1e-6)
    assert by(icc=0.1, rule="wwc").g == pytest.approx(0.294773659, abs=1e-9)
    assert [round(by(icc=rho).h, 2) for rho in (0.05, 0.1, 0.2)] == [96.16, 90.93, 74.06]


def test_clusters_in_one_arm():
    moments = spread_moments((Arm.of_average(60, 10), Arm.unclustered(40)), 0.1)
    assert (round(moments.gamma, 3), round(moments.eta, 6), round(moments.h, 2)) == (0.975, 1.3, 93.02)
    # VIVECampbell rounds h to two digits before it goes on; with its 93.02 all eleven digits are equal.
    variance = smd_variance(0.2, 60, 40, eta=moments.eta, df=93.02 - 3, r_squared=0.5)
    assert variance == pytest.approx(0.02730550618, abs=1e-11)
    found = hedges_g_from_summary(0.2 / moments.gamma, 0, 1, 1, 60, 40, icc=0.1, cluster_size=10, clustered="treated",
                                  r_squared=0.5, n_covariates=3, rule="wwc")  # fmt: skip
    assert found.d_std_error**2 == pytest.approx(0.02730550618, abs=1e-9)


def test_unequal_clusters_by_simulation_free_algebra():
    """Mean and variance of the pooled variance against traces of the whole covariance matrix."""
    sizes, rho = ([3, 7, 2], [5, 4, 9, 1]), 0.3
    blocks, centre = [], []
    for arm in sizes:
        n = sum(arm)
        code = np.repeat(np.arange(len(arm)), arm)
        blocks.append((1 - rho) * np.eye(n) + rho * (code[:, None] == code))
        centre.append(np.eye(n) - 1 / n)
    products = [a @ v for a, v in zip(centre, blocks, strict=True)]
    mean = sum(np.trace(m) for m in products)
    square = sum(np.trace(m @ m) for m in products)
    found = spread_moments(tuple(Arm.of_sizes(arm) for arm in sizes), rho)
    df = sum(map(sum, sizes)) - 2
    assert (found.gamma**2, found.h) == pytest.approx((mean / df, mean**2 / square), rel=1e-12)
    variance = sum(v.sum() / len(v) ** 2 for v in blocks)
    assert found.eta == pytest.approx(variance / sum(1 / len(v) for v in blocks), rel=1e-12)


def test_rows_summary_and_model_agree(rng):
    code = np.repeat(np.arange(20), 15)
    arm = code % 2
    score = rng.normal(size=300) + rng.normal(size=20)[code] * 0.4 + 0.3 * arm
    rows = hedges_g(score, arm, cluster=code)
    parts = [score[arm == value] for value in (1, 0)]
    summary = hedges_g_from_summary(parts[0].mean(), parts[1].mean(), parts[0].std(ddof=1), parts[1].std(ddof=1), 150, 150,
                                    icc=rows.icc, cluster_size=15)  # fmt: skip
    pd.testing.assert_frame_equal(rows.to_frame(), summary.to_frame(), rtol=1e-10)
    moments = spread_moments((Arm.of_average(150, 15),) * 2, rows.icc)
    total = rows.sd / moments.gamma
    model = hedges_g_from_model(parts[0].mean() - parts[1].mean(), total * math.sqrt(moments.eta * 2 / 150), sd=rows.sd,
                                n_treated=150, n_control=150, icc=rows.icc, cluster_size=15, df=18, rule="wwc")  # fmt: skip
    wwc = hedges_g(score, arm, cluster=code, rule="wwc")
    assert (model.g, model.std_error, model.conf_low) == pytest.approx((wwc.g, wwc.std_error, wwc.conf_low), rel=1e-10)
    within = hedges_g(score, arm, cluster=code, scale="within")
    assert within.g > rows.g and within.h == 280
    assert rows.n_clusters == 20 and rows.std_error > hedges_g(score, arm).std_error


def test_one_pupil_a_cluster_is_no_clustering():
    plain = hedges_g_from_summary(5, 3, 4, 5, 30, 40)
    single = hedges_g_from_summary(5, 3, 4, 5, 30, 40, icc=0.2, cluster_size=1)
    assert (single.g, single.std_error, single.h) == pytest.approx((plain.g, plain.std_error, plain.h), rel=1e-12)
    assert not plain.implausible and hedges_g_from_summary(5, 3, 1, 1, 30, 40).implausible


def test_errors_of_g():
    with pytest.raises(DesignError, match="needs clusters"):
        hedges_g(BTHEB["y"], USUAL, scale="within")
    with pytest.raises(DesignError, match="clusters are in both arms"):
        hedges_g([1, 2, 3, 4.0], [0, 1, 0, 1], cluster=[1, 1, 2, 2])
    with pytest.raises(DesignError, match="single cluster"):
        hedges_g([1, 2, 3, 4.0], [0, 0, 1, 1], cluster=[1, 1, 2, 2])
    with pytest.raises(DesignError, match="fewer than two scores"):
        hedges_g([1, 2, 3.0], [0, 0, 1])
    with pytest.raises(DataError, match="one of icc"):
        hedges_g_from_summary(1, 0, 1, 1, 10, 10, icc=0.1)
    with pytest.raises(DataError, match="intraclass"):
        hedges_g_from_summary(1, 0, 1, 1, 10, 10, icc=1.2, cluster_size=5)
    with pytest.raises(ParamsError, match="one of hedges, wwc"):
        hedges_g(BTHEB["y"], USUAL, rule="cohen")
    with pytest.raises(DataError, match="not above 0"):
        hedges_g_from_model(1, 0, sd=1, n_treated=9, n_control=9, icc=0, cluster_size=3, df=9)


def test_equivalence_equals_r_and_pingouin():
    import pingouin

    wanted = pd.read_csv(ORACLE / "robust_tost.csv").set_index("what")["value"]
    first, second = BTHEB["y"][USUAL], BTHEB["y"][~USUAL]
    student, welch = (tost(first, second, bound=3, equal_variances=equal) for equal in (True, False))
    assert (student.p_value, welch.p_value, welch.df) == pytest.approx(
        tuple(wanted[["tost_pooled", "tost_welch", "tost_df"]])
    )
    assert student.p_value == pytest.approx(0.791494655, abs=1e-9) and student.n_excluded == 3
    theirs = pingouin.tost(first.dropna(), second.dropna(), bound=3)["pval"].iloc[0]
    assert student.p_value == pytest.approx(theirs, abs=1e-6)
    pairs = np.array([[1, 1.2], [2, 1.9], [3, 3.4], [4, 3.9], [5, 5.1]])
    paired = pingouin.tost(*pairs.T, bound=0.5, paired=True)["pval"].iloc[0]
    assert tost(*pairs.T, bound=0.5, paired=True).p_value == pytest.approx(paired, abs=1e-6)
    assert tost(*pairs.T, bound=0.5, paired=True).equivalent


def test_equivalence_of_a_cluster_robust_effect():
    fit = cluster_robust("y ~ treated", PUPILS, cluster="school")
    found, i = cluster_tost(fit, "treated", low=-0.1, high=0.1), fit.position("treated")
    door = tost_from_estimate(fit.estimates[i], fit.std_errors[i], fit.df[i], low=-0.1, high=0.1)
    assert found.p_value == door.p_value
    # The interval at 1 - 2 alpha touches the bound exactly where the test changes its mind.
    edge = tost_from_estimate(fit.estimates[i], fit.std_errors[i], fit.df[i], low=-1, high=found.conf_high)
    assert edge.p_value == pytest.approx(0.05, abs=1e-10) and not found.equivalent
    one_sided = tost_from_estimate(0.2, 0.1, 20, low=-0.1, high=math.inf)
    assert one_sided.p_upper == 0 and one_sided.p_value == one_sided.p_lower
    few = tost_from_estimate(0.2, 0.1, 3, low=-1, high=1)
    assert few.refused.code == "few_degrees_of_freedom" and few.equivalent is None and math.isnan(few.p_value)


def test_errors_of_equivalence():
    with pytest.raises(ParamsError, match="above 0"):
        tost([1, 2], [1, 3], bound=0)
    with pytest.raises(ParamsError, match="low < high"):
        tost_from_estimate(0, 1, 9, low=1, high=-1)
    with pytest.raises(DesignError, match="none varies"):
        tost([1, 1], [1, 1], bound=1)
    with pytest.raises(DataError, match="not above 0"):
        tost_from_estimate(0, 0, 9, low=-1, high=1)


def test_holm_and_benjamini_hochberg():
    import pingouin

    p = [0.01, 0.02, 0.03, 0.20]
    assert adjust_pvalues(p).adjusted == pytest.approx([0.04, 0.06, 0.06, 0.20])
    assert adjust_pvalues(p, method="bh").adjusted == pytest.approx([0.04, 0.04, 0.04, 0.20])
    for method, theirs in (("holm", "holm"), ("bh", "fdr_bh")):
        assert adjust_pvalues(p, method=method).adjusted == pytest.approx(pingouin.multicomp(p, method=theirs)[1])
    with_missing = adjust_pvalues([0.01, np.nan, 0.02], names=["a", "b", "c"])
    assert with_missing.adjusted == pytest.approx([0.02, np.nan, 0.02], nan_ok=True) and with_missing.n_tests == 2
    with pytest.raises(DataError, match="outside 0 to 1"):
        adjust_pvalues([1.2])
    with pytest.raises(ParamsError, match="one of holm, bh"):
        adjust_pvalues(p, method="bonferroni")


@pytest.mark.parametrize("n", [3, 8, 200, 65_000])
@pytest.mark.parametrize("difference", [-4.0, 0.0, 0.02, 1.1])
def test_interval_of_g_is_the_noncentral_t(n, difference):
    from scipy import stats

    found = hedges_g_from_summary(difference, 0, 1, 1, n, n)
    j, unit = found.g / found.d if found.d else 1.0, math.sqrt(2 / n)
    df, t = 2 * n - 2, found.d / unit
    j = j if found.d else hedges_g_from_summary(1, 0, 1, 1, n, n).g
    for bound, tail in ((found.conf_low, 0.975), (found.conf_high, 0.025)):
        ncp = bound / j / unit
        theirs = stats.nct.cdf(t, df, ncp) if ncp > 0 else 1 - stats.nct.cdf(-t, df, -ncp)
        # scipy has no answer for many large values; where it has one it is the same.
        assert math.isnan(theirs) or theirs == pytest.approx(tail, abs=1e-6)


def test_stepping_down_by_hand():
    from mhlib.stats.effects.multiplicity_adjust import stepped_down

    # The larger |t| is reached by one of three draws (4 by 5), the smaller by none: it may not fall below the larger's.
    draws = np.array([[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    assert stepped_down(np.array([4.0, 3.0]), draws) == pytest.approx([0.5, 0.5])


def test_romano_wolf_equals_a_loop_over_draws():
    outcomes = ("y", "siblings", "father", "mother")
    results = [wild_cluster_bootstrap(cluster_robust(f"{name} ~ treated", PUPILS, cluster="school"), "treated", seed=5,
                                      n_draws=499) for name in outcomes]  # fmt: skip
    found = romano_wolf(results, names=outcomes)
    size, draws = [abs(one.statistic) for one in results], np.abs([one.draws for one in results])
    order, last, wanted = np.argsort([-value for value in size]), 0.0, {}
    for place, j in enumerate(order):
        rest = order[place:]
        reached = sum(max(draws[k, b] for k in rest) >= size[j] * (1 - 1e-9) for b in range(499))
        last = max(last, (1 + reached) / 500)
        wanted[outcomes[j]] = last
    assert dict(zip(outcomes, found.adjusted, strict=True)) == pytest.approx(wanted)
    assert (found.adjusted >= found.p_values - 1e-12).all()
    alone = romano_wolf(results[:1])
    assert alone.adjusted[0] == pytest.approx(results[0].p_value, abs=1 / 400)
    with pytest.raises(ParamsError, match="2 kinds of draws"):
        romano_wolf(
            [
                results[0],
                wild_cluster_bootstrap(
                    cluster_robust("y ~ treated", PUPILS, cluster="school"), "treated", seed=6, n_draws=499
                ),
            ]
        )


@settings(max_examples=40, deadline=None)
@given(
    means=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    sizes=st.tuples(st.integers(4, 400), st.integers(4, 400)),
    icc=st.floats(0, 0.6),
    cluster_size=st.floats(1, 4),
)
def test_properties_of_g(means, sizes, icc, cluster_size):
    one = hedges_g_from_summary(*means, 2, 3, *sizes, icc=icc, cluster_size=cluster_size)
    turned = hedges_g_from_summary(*means[::-1], 3, 2, *sizes[::-1], icc=icc, cluster_size=cluster_size)
    assert one.g == pytest.approx(-turned.g, abs=1e-12) and one.std_error == pytest.approx(turned.std_error)
    assert one.conf_low <= one.g <= one.conf_high and abs(one.g) <= abs(one.d) and one.h <= sum(sizes) - 2 + 1e-9
