"""Item bias against R (tests/oracle/make_dif.R), difR's printed values, statsmodels, by hand, at the edges, as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.measurement import dif_classes as classes
from mhlib.stats.measurement.dif_items import dif, dif_from_counts
from mhlib.stats.measurement.dif_shift import dif_impact
from mhlib.stats.multiplicity import benjamini_hochberg, holm

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
VERBAL = pd.read_csv(ORACLE / "dif_verbal_rows.csv")
MALE, THREE = VERBAL["male"], VERBAL.drop(columns="male")
TWO = (THREE > 0).astype(int)
# R prints fifteen digits; the differences are those of summation order.
EXACT = 1e-9
# glm and vglm stop by deviance: their coefficients carry about half its digits.
FITTED = 5e-6
ADMITTED = [
    (89, 19, 512, 313),
    (17, 8, 353, 207),
    (202, 391, 120, 205),
    (131, 244, 138, 279),
    (94, 299, 53, 138),
    (24, 317, 22, 351),
]
BERKELEY = np.array([[[[f_no, f_yes], [m_no, m_yes]] for f_yes, f_no, m_yes, m_no in ADMITTED]])


def column(frame, *names):
    return [frame[name].to_numpy() for name in names]


def test_mantel_haenszel_equals_r_on_every_item():
    wanted = pd.read_csv(ORACLE / "dif_verbal_two.csv")
    found = dif(TWO, MALE, reference=0, purify=False).to_frame()
    for ours, theirs in (("chi2", "chi2"), ("estimate", "ratio"), ("conf_low", "low"), ("conf_high", "high")):
        assert found[ours].to_numpy() == pytest.approx(wanted[theirs].to_numpy(), abs=EXACT), ours


def test_mantel_haenszel_equals_the_printed_values_of_difr():
    found = dif(TWO, MALE, reference=0, purify=False, flag="test")
    table = found.to_frame().set_index("term")
    chi2 = [1.7076371, 2.1485927, 0.99259272, 1.9301971, 2.9539914, 9.6032086]
    assert table["chi2"].to_numpy()[:6] == pytest.approx(chi2, abs=5e-8)
    # difR divides reference by focal; its delta has the sign of ours.
    assert 1 / table.at["i6", "estimate"] == pytest.approx(2.8803829, abs=5e-8)
    assert table.at["i6", "delta"] == pytest.approx(-2.4861196, abs=5e-8)
    assert table.at["i6", "smd"] == pytest.approx(-0.17591512, abs=5e-9)
    assert found.flagged == ("i6", "i12", "i16", "i17", "i19", "i20")


def test_purification_ends_where_difr_ends():
    found = dif(TWO, MALE, reference=0, flag="test")
    assert found.flagged == ("i6", "i8", "i14", "i16", "i17", "i19", "i20", "i22", "i23")
    assert found.purification == "stable" and set(found.anchors) == set(TWO) - set(found.flagged)
    short = dif(TWO, MALE, reference=0, flag="test", max_rounds=2)
    assert short.purification == "stopped at the most rounds allowed" and short.rounds == 2


def test_after_purification_the_sum_is_that_of_the_anchors_and_the_item_itself():
    for match in ("total", "rest"):
        found = dif(TWO, MALE, reference=0, flag="test", match=match)
        table = found.to_frame().set_index("term")
        anchors = TWO[list(found.anchors)]
        for name in ("i6", "i1"):
            level = anchors.drop(columns=name, errors="ignore").sum(axis=1) + (TWO[name] if match == "total" else 0)
            again = dif(TWO, MALE, reference=0, match=level).to_frame().set_index("term")
            assert table.at[name, "chi2"] == pytest.approx(again.at[name, "chi2"], abs=EXACT), (match, name)


def test_logistic_equals_glm_and_difr():
    wanted = pd.read_csv(ORACLE / "dif_verbal_two.csv")
    result = dif(TWO, MALE, reference=0, method="logistic", purify=False, flag="test")
    found = result.to_frame()
    for name in ("uniform", "nonuniform", "both"):
        assert found[f"chi2_{name}"].to_numpy() == pytest.approx(wanted[f"lr_{name}"].to_numpy(), abs=1e-8)
    assert found["nagelkerke_both"].to_numpy() == pytest.approx(wanted["r2_both"].to_numpy(), abs=EXACT)
    assert np.log(found["estimate"]).to_numpy() == pytest.approx(wanted["beta"].to_numpy(), abs=FITTED)
    assert found["std_error"].to_numpy() == pytest.approx(wanted["se"].to_numpy(), abs=5e-5)
    printed = [2.0013539, 3.3540988, 2.4742199, 4.7296329, 4.1403955, 11.411094]
    assert found["chi2_both"].to_numpy()[:6] == pytest.approx(printed, abs=5e-7)
    assert result.flagged == ("i6", "i16", "i17", "i19")


def test_mantel_and_the_ordinal_ladder_equal_r_with_three_answers():
    wanted = pd.read_csv(ORACLE / "dif_verbal_three.csv")
    found = dif(THREE, MALE, reference=0, purify=False).to_frame()
    assert found["chi2"].to_numpy() == pytest.approx(wanted["mantel"].to_numpy(), abs=EXACT)
    found = dif(THREE, MALE, reference=0, purify=False, method="ordinal").to_frame()
    for name in ("uniform", "nonuniform", "both"):
        assert found[f"chi2_{name}"].to_numpy() == pytest.approx(wanted[f"lr_{name}"].to_numpy(), abs=1e-8)
    assert np.log(found["estimate"]).to_numpy() == pytest.approx(wanted["beta"].to_numpy(), abs=FITTED)
    assert found["std_error"].to_numpy() == pytest.approx(wanted["polr_se"].to_numpy(), abs=FITTED)


def test_ordinal_bias_of_bfi_neuroticism_by_gender():
    cells, wanted = pd.read_csv(ORACLE / "dif_bfi_n_counts.csv"), pd.read_csv(ORACLE / "dif_bfi_n.csv")
    counts = np.zeros((5, 26, 2, 6), dtype=int)
    counts[cells["item"] - 1, cells["sum"] - 5, cells["gender"] - 1, cells["answer"] - 1] = cells["Freq"]
    found = dif_from_counts(counts, answers=np.arange(1, 7), levels=np.arange(5, 31), method="ordinal").to_frame()
    for ours, theirs in (("chi2_uniform", "lr12"), ("chi2_nonuniform", "lr23"), ("chi2_both", "lr13")):
        assert found[ours].to_numpy() == pytest.approx(wanted[theirs].to_numpy(), abs=1e-8)
    assert found["mcfadden_uniform"].to_numpy() == pytest.approx(wanted["mcfadden12"].to_numpy(), abs=1e-11)
    assert found["chi2_uniform"].to_numpy() == pytest.approx([20.74407, 0.07507, 7.43424, 41.28182, 94.49077], abs=5e-6)
    printed = [0.0022348, 0.0000080, 0.0007888, 0.0043847, 0.0101283]
    assert found["mcfadden_uniform"].to_numpy() == pytest.approx(printed, abs=5e-8)
    assert (found["effect_class"] == "A").all(), "significant, and negligible"


def test_berkeley_equals_the_published_odds_ratio_and_statsmodels():
    from statsmodels.stats.contingency_tables import StratifiedTable

    found = dif_from_counts(BERKELEY, breslow_day=True).to_frame().iloc[0]
    assert found["estimate"] == pytest.approx(0.9046968283, abs=1e-10)
    assert (found["conf_low"], found["conf_high"]) == pytest.approx((0.7719073618, 1.0603297644), abs=1e-9)
    # R 4.2.2 and statsmodels both give 1.42694622859; the anchor's 1.4269461885 is a slip in the eighth digit.
    assert found["chi2"] == pytest.approx(1.42694622859, abs=1e-10)
    peer = StratifiedTable([stratum[::-1, ::-1] for stratum in BERKELEY[0].astype(float)])
    assert found["estimate"] == pytest.approx(peer.oddsratio_pooled) and found["std_error"] == pytest.approx(
        peer.logodds_pooled_se
    )
    assert found["chi2"] == pytest.approx(peer.test_null_odds(correction=True).statistic)
    equal = peer.test_equal_odds(adjust=True)
    assert (found["breslow_day"], found["breslow_day_p"]) == pytest.approx((equal.statistic, equal.pvalue))
    assert found["breslow_day_df"] == 5


def test_clusters_equal_sandwich_and_the_sum_written_out():
    cells, wanted = pd.read_csv(ORACLE / "dif_exam_counts.csv"), pd.read_csv(ORACLE / "dif_exam.csv").iloc[0]
    rows = cells.loc[cells.index.repeat(cells["Freq"])]
    items = pd.DataFrame({"y": rows["y"], "again": rows["y"]})
    options = {"reference": 0, "match": rows["level"], "cluster": rows["school"]}
    mantel = dif(items, rows["girl"], **options).to_frame().iloc[0]
    assert mantel["estimate"] == pytest.approx(wanted["ratio"], abs=EXACT)
    assert mantel["chi2"] == pytest.approx(wanted["chi2_robust"], abs=EXACT)
    logistic = dif(items, rows["girl"], method="logistic", **options).to_frame().iloc[0]
    assert (logistic["std_error"], logistic["wald_both"]) == pytest.approx(
        (wanted["robust_se"], wanted["wald2"]), abs=1e-8
    )
    # Mantel and Haenszel's and the regression's robust errors are two roads to one place.
    assert mantel["design_effect"] == pytest.approx(2.77, abs=0.01)
    assert mantel["std_error"] == pytest.approx(logistic["std_error"], rel=0.03)


def test_clustered_errors_are_near_the_jackknife_over_schools(rng):
    schools, sizes = 30, rng.integers(20, 120, 30)
    school = np.repeat(np.arange(schools), sizes)
    group = (rng.random(len(school)) < rng.random(schools)[school]).astype(int)
    eta = rng.normal(size=len(school)) + rng.normal(scale=0.6, size=schools)[school]
    level = np.digitize(eta, [-1, 0, 1])
    item = np.digitize(
        eta + 1.2 * group + rng.normal(scale=0.5, size=schools)[school] + rng.logistic(size=len(school)), [-0.5, 0.5, 2]
    )
    items = pd.DataFrame({"x": item, "y": item})
    row = dif(items, group, reference=0, match=level, cluster=school).to_frame().iloc[0]
    counts = np.zeros((schools, 4, 2, 4), dtype=int)
    np.add.at(counts, (school, level, group, item), 1)
    left = dif_from_counts(counts.sum(axis=0) - counts).to_frame()
    for values, error in ((np.log(left["estimate"]), row["std_error"]), (left["smd"], row["smd_error"])):
        jackknife = np.sqrt((schools - 1) / schools * ((values - values.mean()) ** 2).sum())
        assert error == pytest.approx(jackknife, rel=0.12)


def test_the_depression_inventory_of_four_groups(shared_data):
    rows = pd.read_csv(shared_data / "cdi26_youth_race.csv")
    items = rows.filter(like="CDI")
    found = dif(items, rows["race"], reference="White or Caucasian", method="ordinal", match="rest", purify=False)
    table = found.to_frame()
    assert (table["df_both"] == 6).all() and found.n_used == 2290
    assert ((table["p_both"] < 0.01).sum(), (table["p_both"] < 0.05 / 26).sum()) == (19, 16)
    assert len(found.by_group) == 3 * 26


def test_mantel_haenszel_by_hand():
    # Two strata: focal 4 of 10 and 6 of 10, reference 8 of 10 and 9 of 10.
    counts = np.array([[[[2, 8], [6, 4]], [[1, 9], [4, 6]]]])
    found = dif_from_counts(counts).to_frame().iloc[0]
    up, down = 4 * 2 / 20 + 6 * 1 / 20, 6 * 8 / 20 + 4 * 9 / 20
    assert found["estimate"] == pytest.approx(up / down)
    assert found["delta"] == pytest.approx(2.35 * np.log(up / down))
    variance = 10 * 10 * 12 * 8 / (20**2 * 19) + 10 * 10 * 15 * 5 / (20**2 * 19)
    assert found["chi2"] == pytest.approx((abs(10 - 6 - 7.5) - 0.5) ** 2 / variance)
    assert found["smd"] == pytest.approx(0.5 * (0.4 - 0.8) + 0.5 * (0.6 - 0.9))


def test_liu_and_agresti_sum_the_tables_of_every_cut(rng):
    counts = rng.integers(1, 9, (1, 4, 2, 4))
    up = down = 0.0
    for ref, focal in counts[0]:
        for cut in range(1, 4):
            n = ref.sum() + focal.sum()
            up += focal[cut:].sum() * ref[:cut].sum() / n
            down += focal[:cut].sum() * ref[cut:].sum() / n
    found = dif_from_counts(counts).to_frame().iloc[0]
    assert found["estimate"] == pytest.approx(up / down)
    # An answer that nobody gave changes nothing.
    gap = np.insert(counts, 2, 0, axis=3)
    other = dif_from_counts(gap, answers=[0, 1, 99, 2, 3]).to_frame().iloc[0]
    assert other["estimate"] == pytest.approx(up / down) and other["chi2"] == pytest.approx(found["chi2"])


def test_liu_and_agrestis_error_is_the_spread_over_repeats(rng):
    share = [np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])]
    draws = np.stack([rng.multinomial(n, p, size=(400, 6)) for n, p in ((9, share[0]), (7, share[1]))], axis=2)
    found = dif_from_counts(draws).to_frame()
    assert np.log(found["estimate"]).std() == pytest.approx(found["std_error"].mean(), rel=0.08)
    assert found["smd"].std() == pytest.approx(found["smd_error"].mean(), rel=0.08)


def test_classes_at_their_bounds():
    log, error = np.array([0.99, 1.01, 1.51, 1.51, -1.6, 2.0]) / 2.35, np.array([0.1, 0.1, 0.1, 0.4, 0.1, 1.0]) / 2.35
    p = np.array([0.001, 0.001, 0.001, 0.001, 0.001, 0.06])
    # One-sided 5 %: .51 over .28 is 1.82, beyond 1.645 though not beyond 1.96.
    assert classes.ets_class(np.array([1.51]) / 2.35, np.array([0.28]) / 2.35, np.array([0.0]))[0] == "C"
    assert "".join(classes.ets_class(log, error, p)) == "ABCBCA"
    assert (
        "".join(classes.naep_class(np.array([0.17, 0.18, -0.25, -0.26, 0.9, np.nan]), np.array([0, 0, 0, 0, 0.2, 0])))
        == "ABBCAA"
    )
    assert "".join(classes.penfield_class(np.array([0.42, 0.5, -0.7, 0.7]), np.array([0, 0, 0, 0.5]))) == "ABCA"
    gain, small = np.array([0.034, 0.035, 0.069, 0.07, 0.3]), np.zeros(5)
    assert "".join(classes.jodoin_gierl_class(gain, small)) == "ABBCC"
    assert "".join(classes.zumbo_class(np.array([0.12, 0.13, 0.26, 0.3]), np.array([0, 0, 0, 0.03]))) == "ABCA"


def test_holm_and_benjamini_hochberg_equal_statsmodels(rng):
    from statsmodels.stats.multitest import multipletests

    p = rng.random(17) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert np.isnan(holm(np.array([np.nan, 0.01]))).tolist() == [True, False]


def test_regression_equals_statsmodels(rng):
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    group = rng.integers(0, 3, 900)
    items = pd.DataFrame(
        np.clip(
            np.round(1.5 + rng.normal(size=(900, 1)) + 0.3 * (group == 2)[:, None] + rng.normal(size=(900, 4))), 0, 3
        )
    )
    found = dif(items, group, reference=0, method="ordinal", purify=False)
    total = items.sum(axis=1)
    z = (total - total.mean()) / total.std(ddof=0)
    design = pd.DataFrame({"z": z, "g1": 1.0 * (group == 1), "g2": 1.0 * (group == 2)})
    peer = OrderedModel(items[0].astype(int), design, distr="logit").fit(method="newton", disp=False)
    ours = found.by_group[found.by_group["item"] == "0"]
    assert np.log(ours["estimate"]).to_numpy() == pytest.approx(peer.params[["g1", "g2"]].to_numpy(), abs=1e-6)
    assert ours["std_error"].to_numpy() == pytest.approx(peer.bse[["g1", "g2"]].to_numpy(), rel=1e-4)
    assert found.to_frame()["estimate"].isna().all(), "one odds ratio does not describe three groups"


def test_a_slope_that_runs_away_is_marked():
    counts = np.zeros((1, 3, 2, 2), dtype=int)
    counts[0, :, 0] = [[20, 10], [15, 15], [10, 20]]
    counts[0, :, 1] = [[30, 0], [30, 0], [30, 0]]
    found = dif_from_counts(counts, method="logistic").to_frame().iloc[0]
    assert found["at_edge"] and np.isnan(found["estimate"]) and found["p_uniform"] < 1e-6


def test_groups_that_never_meet_give_no_number():
    counts = np.zeros((1, 2, 2, 2), dtype=int)
    counts[0, 0, 0], counts[0, 1, 1] = [5, 5], [5, 5]
    found = dif_from_counts(counts).to_frame().iloc[0]
    assert np.isnan(found["estimate"]) and np.isnan(found["chi2"]) and found["effect_class"] == "A"
    assert found["n_unmatched"] == 20


def test_who_is_left_out_is_counted():
    items, group = TWO.astype(float), MALE.astype("Float64")
    items.iloc[3, 2], group.iloc[5] = np.nan, pd.NA
    found = dif(items, group, reference=0, purify=False)
    assert (found.n_used, found.n_excluded) == (314, 2)
    assert found.group_sizes == tuple(int(((g == MALE) & ~VERBAL.index.isin([3, 5])).sum()) for g in (0, 1))


def test_refusals():
    few = dif(TWO, MALE, reference=0, min_group=100)
    assert isinstance(few, Refused) and few.code == "dif_group_too_small"
    school = dif(TWO, MALE, reference=0, cluster=np.arange(316) % 9)
    assert isinstance(school, Refused) and school.code == "dif_too_few_clusters"
    none = dif_impact(TWO, MALE, reference=0, flagged=[], cutoff=12)
    assert isinstance(none, Refused) and none.code == "dif_none_flagged"
    everything = dif_impact(TWO, MALE, reference=0, flagged=list(TWO)[:-1], cutoff=12)
    assert isinstance(everything, Refused) and everything.code == "dif_too_few_anchors"


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [({"reference": "men"}, ParamsError, "no group here"), ({"method": "mh"}, ParamsError, "mantel_haenszel"),
     ({"match": "sum"}, ParamsError, "total, rest"), ({"flag": "p"}, ParamsError, "class, test, holm"),
     ({"group": np.arange(316) % 3}, DesignError, "two groups"), ({"group": np.zeros(316)}, DesignError, "1 group"),
     ({"items": THREE, "method": "logistic"}, DesignError, "ordinal"), ({"items": TWO + 0.5}, DataError, "whole"),
     ({"items": TWO * 200}, DesignError, "range too wide"), ({"match": np.zeros(316)}, DesignError, "distinct levels"),
     ({"group": [0, 1]}, DataError, "different lengths"),
     ({"method": "ordinal", "breslow_day": True}, ParamsError, "mantel_haenszel")],
)  # fmt: skip
def test_faults_are_told(change, error, text):
    given_ = {"items": TWO, "group": MALE, "reference": 0, **change}
    with pytest.raises(error, match=text):
        dif(given_.pop("items"), given_.pop("group"), **given_)


def test_faults_in_counts_are_told():
    for counts, error in ((BERKELEY[0], DataError), (BERKELEY - 30, DataError), (BERKELEY + 0.5, DataError)):
        with pytest.raises(error):
            dif_from_counts(counts)
    with pytest.raises(DesignError, match="one answer"):
        dif_from_counts(BERKELEY * [1, 0])
    with pytest.raises(DataError, match="do not fit"):
        dif_from_counts(BERKELEY, levels=[1, 2])


samples = st.integers(0, 2**31)


def small_city(seed, n=240, k=5, answers=3):
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    trait = rng.normal(size=(n, 1)) + 0.3 * group[:, None]
    items = pd.DataFrame(np.clip(np.round(1 + trait + rng.normal(size=(n, k))), 0, answers - 1).astype(int))
    return items, group


def counts_of(items, group, level):
    values = np.unique(level)
    counts = np.zeros((items.shape[1], len(values), 2, items.to_numpy().max() + 1), dtype=int)
    for i in range(items.shape[1]):
        np.add.at(counts, (i, np.searchsorted(values, level), group, items.iloc[:, i]), 1)
    return counts, values


@settings(deadline=None, max_examples=15)
@given(samples, st.sampled_from(["mantel_haenszel", "ordinal"]))
def test_both_doors_give_the_same_digits(seed, method):
    items, group = small_city(seed)
    counts, values = counts_of(items, group, items.sum(axis=1).to_numpy())
    options = {"method": method, "flag": "test"}
    rows = dif(items, group, reference=0, purify=False, **options).to_frame()
    aside = dif_from_counts(counts, levels=values, names=items.columns, **options).to_frame()
    pd.testing.assert_frame_equal(rows, aside, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=15)
@given(samples)
def test_swapping_groups_turns_the_sign_and_order_of_rows_does_nothing(seed):
    items, group = small_city(seed)
    options = {"match": "rest", "purify": False}
    one, other = (dif(items, group, reference=ref, **options).to_frame() for ref in (0, 1))
    assert one["delta"].to_numpy() == pytest.approx(-other["delta"].to_numpy())
    assert one["chi2"].to_numpy() == pytest.approx(other["chi2"].to_numpy())
    assert one["std_error"].to_numpy() == pytest.approx(other["std_error"].to_numpy(), rel=0.2)
    mixed = np.random.default_rng(seed).permutation(len(group))
    again = dif(items.iloc[mixed], group[mixed], reference=0, **options).to_frame()
    pd.testing.assert_frame_equal(one, again)
    shifted = dif(items + 7, group, reference=0, **options).to_frame()
    assert shifted["chi2"].to_numpy() == pytest.approx(one["chi2"].to_numpy(), rel=1e-9)


@settings(deadline=None, max_examples=10)
@given(samples)
def test_every_pupil_a_cluster_is_nearly_no_cluster(seed):
    items, group = small_city(seed, n=1000)
    alone = dif(items, group, reference=0, purify=False, method="ordinal").to_frame()
    each = dif(items, group, reference=0, purify=False, method="ordinal", cluster=np.arange(1000)).to_frame()
    assert each["std_error"].to_numpy() == pytest.approx(alone["std_error"].to_numpy(), rel=0.25)
    mantel = dif(items, group, reference=0, purify=False, cluster=np.arange(1000)).to_frame()
    assert mantel["design_effect"].to_numpy() == pytest.approx(1, abs=0.2)


def planted(n, bias, impact, seed=3):
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    eta = 1.5 * (rng.normal(size=(n, 1)) + impact * group[:, None]) + bias * group[:, None] * (np.arange(12) < 3)
    draw = eta - np.linspace(-0.5, 1, 12) + rng.logistic(size=(n, 12))
    return pd.DataFrame((draw[..., None] > [0, 1, 2]).sum(axis=2), columns=[f"q{i}" for i in range(12)]), group


def test_a_planted_bias_is_found_by_size_and_not_by_p_among_very_many():
    items, group = planted(60_000, 0.9, 0.4)
    found = dif(items, group, reference=0)
    assert found.flagged == ("q0", "q1", "q2") and found.purification == "stable"
    rough = dif(items, group, reference=0, purify=False, flag="test")
    assert len(rough.flagged) == 12, (
        "unpurified, the others lean the other way, and with many pupils this is significant"
    )
    assert "trifling" in found.reading.template


def test_the_shift_of_the_total():
    items, group = planted(40_000, 0.8, 0.4)
    found = dif_impact(items, group, reference=0, flagged=["q0", "q1", "q2"], cutoff=20, n_boot=200)
    clean, _ = planted(40_000, 0.0, 0.4)
    focal = group == 1
    moved = items.sum(axis=1)[focal].mean() - clean.sum(axis=1)[focal].mean()
    truth = (items.sum(axis=1)[focal] >= 20).mean() - (clean.sum(axis=1)[focal] >= 20).mean()
    table = found.to_frame().set_index("term")
    # The same draws with and without bias give the truth without noise of its own.
    assert abs(found.shift - moved) < 4 * table.at["shift", "std_error"]
    assert abs(found.share_moved - truth) < 4 * table.at["share_moved", "std_error"]
    assert found.n_moved == pytest.approx(found.share_moved * found.n_focal * found.share_supported)
    assert found.share_observed == pytest.approx((items.sum(axis=1)[focal] >= 20).mean())
    again = dif_impact(items + 1, group, reference=0, flagged=["q0", "q1", "q2"], cutoff=32, n_boot=200)
    assert again.shift == pytest.approx(found.shift) and again.n_moved == pytest.approx(found.n_moved)


def test_the_shift_by_hand():
    # Two anchors that always agree, so their alpha is 1 and level is the anchor sum itself.
    anchor = np.repeat([0, 1, 0, 1], 50)
    group = np.repeat([0, 0, 1, 1], 50)
    tested = np.concatenate([np.arange(50) < 10, np.arange(50) < 30, np.arange(50) < 25, np.arange(50) < 40]).astype(
        int
    )
    items = pd.DataFrame({"a": anchor, "b": anchor, "x": tested})
    found = dif_impact(items, group, reference=0, flagged=["x"], cutoff=3, n_boot=20)
    assert found.reliability == (1, 1)
    assert found.shift == pytest.approx(0.5 * (0.5 - 0.2) + 0.5 * (0.8 - 0.6))
    assert (found.share_observed, found.share_equated) == pytest.approx((0.40, 0.30))
    assert found.n_moved == pytest.approx(10)


def test_the_shift_tells_faults_and_names_one_focal_group():
    items, _ = planted(900, 0, 0)
    group = np.arange(900) % 3
    with pytest.raises(ParamsError, match="name the focal"):
        dif_impact(items, group, reference=0, flagged=["q0"], cutoff=9)
    with pytest.raises(ParamsError, match="no item"):
        dif_impact(items, group, reference=0, focal=1, flagged=["zz"], cutoff=9)
    found = dif_impact(
        items, group, reference=0, focal=2, flagged=["q0"], cutoff=9, n_boot=50, cluster=np.arange(900) // 30
    )
    assert found.n_focal == 300 and found.n_clusters == 30 and found.focal == "2"
    again = dif_impact(
        items, group, reference=0, focal=2, flagged=["q0"], cutoff=9, n_boot=50, cluster=np.arange(900) // 30
    )
    pd.testing.assert_frame_equal(found.to_frame(), again.to_frame())
