"""ROC curves and cut-offs against R (tests/oracle/make_roc.R), print, by hand, by brute force, at the edges."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.accuracy import (
    auc_intervals,
    auc_sample_size,
    bootstrap_roc,
    bootstrap_roc_from_counts,
    compare_roc,
    compare_roc_independent,
    cutoff_studio,
    cutoffs,
    hanley_mcneil_std_error,
    partial_roc,
    partial_roc_from_counts,
    roc,
    roc_from_counts,
)
from mhlib.stats.accuracy.cutoff_resamples import Screened, resamples
from mhlib.stats.accuracy.resampling import Schools, cluster_areas, runs, schools_of

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
ASAH = pd.read_csv(ORACLE / "asah_rows.csv")
OVARIAN = pd.read_csv(ORACLE / "ovarian_rows.csv")
EXAM = pd.read_csv(ORACLE / "exam_rows.csv")
COUNTS = pd.read_csv(ORACLE / "cutoff_counts.csv")
AREAS = pd.read_csv(ORACLE / "cutoff_areas.csv")
CHOICES = pd.read_csv(ORACLE / "cutoff_choices.csv")
# R prints fifteen digits; the differences are those of summation order.
EXACT = 1e-9


def rows_of(data, group="all"):
    """Score and case of a committed table of counts."""
    table = COUNTS[(COUNTS["data"] == data) & ((COUNTS["group"] == group) | (group == "all"))]
    score = np.repeat(np.tile(table["score"], 2), pd.concat([table["n_case"], table["n_noncase"]]))
    return score, np.repeat([1, 0], [table["n_case"].sum(), table["n_noncase"].sum()])


def schools(n=900, n_schools=12, seed=5, continuous=False):
    """Pupils in schools: score, case, school, weight."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, n_schools, n)
    case = rng.random(n) < 0.2
    score = np.round(rng.normal(5 + 2 * case + rng.normal(size=n_schools)[school], 2)).clip(0, 12)
    return score + continuous * rng.random(n), case, school, np.where(score > 6, 1.0, 4.0)


# ---- partial area ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "asah_partial.csv").to_dict("records"), ids=lambda r: r["score"])
def test_partial_areas_equal_proc(row):
    found = partial_roc(
        ASAH[row["score"]], ASAH["case"], focus=row["focus"], low=row["low"], high=row["high"], seed=1, n_boot=0
    )
    assert found.partial_auc == pytest.approx(row["partial"], abs=EXACT)
    if np.isnan(row["standardised"]):
        assert found.standardised < 0.5
    else:
        assert found.standardised == pytest.approx(row["standardised"], abs=EXACT)


def test_the_partial_areas_of_the_anchor():
    by_specificity = partial_roc(ASAH["s100b"], ASAH["case"], seed=1, n_boot=0)
    by_sensitivity = partial_roc(ASAH["s100b"], ASAH["case"], seed=1, n_boot=0, focus="sensitivity")
    assert (by_specificity.partial_auc, by_specificity.standardised) == pytest.approx(
        (0.03275745257, 0.6460918557), abs=1e-10
    )
    assert (by_sensitivity.partial_auc, by_sensitivity.standardised) == pytest.approx(
        (0.01376355014, 0.5461239481), abs=1e-10
    )


def test_a_partial_area_by_hand():
    # Curve through (0, 0), (0, .5), (.5, .5), (.5, 1), (1, 1): over specificity .75-1 a strip .25 wide and .5 high.
    found = partial_roc([4, 3, 2, 1], [1, 0, 1, 0], low=0.75, seed=1, n_boot=0)
    assert found.partial_auc == pytest.approx(0.125)
    assert found.standardised == pytest.approx((1 + (0.125 - 0.03125) / (0.25 - 0.03125)) / 2)
    assert np.isnan(found.std_error) and "bootstrap" not in found.method


@pytest.mark.parametrize("max_fpr", [0.05, 0.2, 0.7])
def test_partial_areas_equal_sklearn(max_fpr):
    score, case, _, weight = schools()
    found = partial_roc(score, case, low=1 - max_fpr, weights=weight, seed=1, n_boot=0)
    assert found.standardised == pytest.approx(
        roc_auc_score(case, score, max_fpr=max_fpr, sample_weight=weight), abs=1e-12
    )


sample = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=6, max_size=60).filter(
    lambda rows: 2 <= sum(case for _, case in rows) <= len(rows) - 2
)


@settings(deadline=None)
@given(sample, st.floats(0.05, 0.95), st.sampled_from(["specificity", "sensitivity"]))
def test_parts_add_up_to_the_whole(rows, cut, focus):
    score, case = (np.array(part) for part in zip(*rows, strict=True))
    common = {"seed": 1, "n_boot": 0, "focus": focus}
    parts = [partial_roc(score, case, low=low, high=high, **common) for low, high in ((0, cut), (cut, 1), (0, 1))]
    whole = roc(score, case).auc
    assert parts[0].partial_auc + parts[1].partial_auc == pytest.approx(whole, abs=1e-12)
    assert parts[2].partial_auc == pytest.approx(whole, abs=1e-12)


# ---- bootstrap -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "roc_bootstrap.csv").to_dict("records"), ids=lambda r: r["score"])
def test_stratified_percentile_intervals_equal_proc(row):
    call = {"score": ASAH[row["score"]], "reference": ASAH["case"], "seed": 7, "n_boot": 20_000}
    if row["what"] == "auc":
        found = bootstrap_roc(**call)
        interval = (found.conf_low, found.conf_high)
    else:
        found = partial_roc(**call)
        interval = (found.standardised_low, found.standardised_high)
    # Two quantiles of 20,000 draws each differ with a standard deviation of .0014 by Monte Carlo.
    assert interval == pytest.approx((row["low"], row["high"]), abs=0.005)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_school_resample_is_what_drawing_the_rows_gives(continuous, weighted):
    score, case, school, weight = schools(continuous=continuous)
    weight = weight if weighted else np.ones(len(score))
    values, level = np.unique(score, return_inverse=True)
    n_case, n_noncase = (np.bincount(level, minlength=len(values), weights=side) for side in (case, ~case))
    run = runs(n_case, n_noncase)
    drawn = schools_of(run[level], case.astype(float), weight, (school, 12), run[-1] + 1)
    found = cluster_areas(drawn, 3, 5)
    for times, area in zip(np.concatenate(list(drawn.times(3, 5))), found, strict=True):
        weigh = weight * times[school]
        kept = weigh > 0
        assert area == pytest.approx(roc_auc_score(case[kept], score[kept], sample_weight=weigh[kept]), abs=1e-12)


def test_many_clusters_take_the_other_road_to_the_same_numbers(monkeypatch):
    score, case, school, weight = schools(continuous=True)
    first = bootstrap_roc(score, case, cluster=school, weights=weight, seed=2, n_boot=50)
    monkeypatch.setattr("mhlib.stats.accuracy.resampling.LARGEST_KERNEL", 3)
    second = bootstrap_roc(score, case, cluster=school, weights=weight, seed=2, n_boot=50)
    assert (first.conf_low, first.conf_high) == pytest.approx((second.conf_low, second.conf_high), abs=1e-12)


@pytest.mark.parametrize("clustered", [False, True])
def test_blocks_change_no_number(monkeypatch, clustered):
    score, case, school, _ = schools()
    call = {"seed": 2, "n_boot": 60, "cluster": school if clustered else None}
    before = bootstrap_roc(score, case, **call), partial_roc(score, case, **call)
    monkeypatch.setattr("mhlib.stats.accuracy.resampling.CELLS_AT_ONCE", 300)
    after = bootstrap_roc(score, case, **call), partial_roc(score, case, **call)
    for old, new in zip(before, after, strict=True):
        assert (old.conf_low, old.conf_high) == pytest.approx((new.conf_low, new.conf_high), abs=1e-12)


@pytest.mark.parametrize("clustered", [False, True])
def test_bootstraps_from_rows_and_from_counts_give_the_same_digits(clustered):
    score, case, school, _ = schools()
    values = np.unique(score)[::-1]
    where = [(school == s) if clustered else np.ones(len(score), bool) for s in (range(12) if clustered else [0])]
    counts = [
        np.array([[int((here & (score == v) & (case == side)).sum()) for v in values] for here in where])
        for side in (True, False)
    ]
    counts = counts if clustered else [part[0] for part in counts]
    cluster = {"cluster": school} if clustered else {}
    for rows, table, fields in (
        (bootstrap_roc, bootstrap_roc_from_counts, ("auc", "std_error", "conf_low", "conf_high", "n_clusters")),
        (partial_roc, partial_roc_from_counts, ("partial_auc", "std_error", "standardised_low", "conf_high")),
    ):
        first = rows(score, case, seed=11, n_boot=200, **cluster)
        second = table(values, *counts, seed=11, n_boot=200)
        assert [getattr(first, name) for name in fields] == [getattr(second, name) for name in fields]
        assert first.n_used == second.n_used == 900


def test_a_rerun_and_another_order_of_rows_give_the_same_digits():
    score, case, school, weight = schools()
    labels = np.array([f"school {s:02d}" for s in school])
    order = np.random.default_rng(1).permutation(len(score))
    for cluster in (None, labels):
        first = bootstrap_roc(score, case, cluster=cluster, weights=weight, seed=4, n_boot=300)
        again = bootstrap_roc(score, case, cluster=cluster, weights=weight, seed=4, n_boot=300)
        turned = bootstrap_roc(
            score[order], case[order], cluster=None if cluster is None else cluster[order], weights=weight[order],
            seed=4, n_boot=300,
        )  # fmt: skip
        assert (first.conf_low, first.std_error) == (again.conf_low, again.std_error)
        assert (first.conf_low, first.std_error) == pytest.approx((turned.conf_low, turned.std_error), abs=1e-13)


def test_the_population_weighted_area_equals_sklearn():
    score, case, school, weight = schools()
    found = bootstrap_roc(score, case, weights=weight, cluster=school, seed=1, n_boot=2)
    assert found.auc == pytest.approx(roc_auc_score(case, score, sample_weight=weight), abs=1e-12)
    assert found.auc == pytest.approx(roc(score, case, weights=weight).auc, abs=1e-12)


def test_the_school_bootstrap_and_obuchowski_agree_on_65_schools():
    found = auc_intervals(EXAM["score"], EXAM["positive"], cluster=EXAM["school"], seed=1)
    table = found.to_frame().set_index("term")
    assert list(table.index) == ["delong", "obuchowski", "bootstrap_people", "bootstrap_clusters"]
    assert found.preferred == "obuchowski" and table["preferred"].sum() == 1
    assert table["estimate"].to_numpy() == pytest.approx(0.79467714, abs=1e-8)
    assert tuple(table.loc["delong", ["conf_low", "conf_high"]]) == pytest.approx((0.776848791, 0.812505488), abs=1e-9)
    assert tuple(table.loc["obuchowski", ["conf_low", "conf_high"]]) == pytest.approx(
        (0.773191158, 0.816163121), abs=1e-9
    )
    assert table.loc["bootstrap_clusters", "std_error"] == pytest.approx(0.0109624369, rel=0.07)
    assert table.loc["bootstrap_people", "std_error"] == pytest.approx(0.0090973, rel=0.05)
    weighted = auc_intervals(EXAM["score"], EXAM["positive"], weights=np.ones(len(EXAM)), seed=1, n_boot=10)
    assert weighted.preferred == "linearised"


def test_a_resample_without_a_case_is_counted_and_left_out():
    found = bootstrap_roc([1, 2, 3, 4, 5, 6], [0, 1, 0, 0, 0, 0], cluster=[1, 1, 2, 2, 3, 3], seed=1, n_boot=500)
    # A resample misses the only school with a case with probability (2/3)^3 = .296.
    assert found.n_boot_empty == pytest.approx(148, abs=40) and np.isfinite(found.conf_low)


def test_130_000_rows_with_ties_and_ten_times_more_do_not_overflow():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 28, 130_000)
    case, school = rng.random(130_000) < 0.02 + 0.02 * score / 27, rng.integers(0, 129, 130_000)
    for found in (
        bootstrap_roc(score, case, seed=1, n_boot=200),
        bootstrap_roc(score, case, cluster=school, seed=1, n_boot=200),
    ):
        assert 0.5 < found.conf_low < found.auc < found.conf_high < 0.7
    values = np.arange(28)
    ill, well = (np.bincount(score[side], minlength=28) * 1000 for side in (case, ~case))
    huge = bootstrap_roc_from_counts(values, ill, well, seed=1, n_boot=200)
    assert huge.auc == pytest.approx(found.auc) and huge.n_used == 130_000_000
    assert huge.conf_high - huge.conf_low == pytest.approx((found.conf_high - found.conf_low) / 1000**0.5, rel=0.4)


# ---- comparison ------------------------------------------------------------------------------------------------------


def test_the_ovarian_data_of_delong_1988():
    found = compare_roc(OVARIAN[["kg", "albumin", "protein"]], OVARIAN["case"])
    table = found.to_frame().set_index("term")
    printed = {"kg": (0.72580645, 0.10282161, 0.5242798, 0.9273331),
               "albumin": (0.73655914, 0.092694346, 0.55488156, 0.91823672),
               "protein": (0.64784946, 0.10004738, 0.45176021, 0.84393872)}  # fmt: skip
    for name, values in printed.items():
        assert tuple(table.loc[name, ["estimate", "std_error", "conf_low", "conf_high"]]) == pytest.approx(
            values, abs=5e-8
        )
    assert (found.chi2, found.df, found.p_value) == pytest.approx((2.5339779, 2, 0.28167849), abs=5e-8)
    pairs = {
        "albumin - kg": (0.010752688, 0.012718938, 0.91020635),
        "protein - kg": (-0.077956989, 0.55535045, 0.45613971),
    }
    for name, (difference, chi2, p_value) in pairs.items():
        assert table.loc[name, "estimate"] == pytest.approx(difference, abs=5e-9)
        assert table.loc[name, "statistic"] ** 2 == pytest.approx(chi2, abs=5e-8)
        assert table.loc[name, "p_value"] == pytest.approx(p_value, abs=5e-8)
    assert table.loc["joint_test", "statistic"] == found.chi2 and "protein - albumin" in table.index
    assert np.allclose(found.differences["p_holm"], multipletests(found.differences["p_value"], method="holm")[1])


def test_the_interval_of_a_paired_difference_equals_proc():
    found = compare_roc(ASAH[["s100b", "wfns"]], ASAH["case"])
    row = found.differences.iloc[0]
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((0.01040617696, 0.1742144192), abs=1e-9)
    assert found.covariance.loc["wfns", "s100b"] == pytest.approx(0.001196155674, abs=1e-11)


def test_curves_treated_as_independent_equal_proc():
    found = compare_roc_independent(roc(ASAH["wfns"], ASAH["case"]), roc(ASAH["s100b"], ASAH["case"]))
    assert found.differences["statistic"].iloc[0] == pytest.approx(1.434906409, abs=1e-8)
    assert (found.df, found.p_value) == pytest.approx((206.6610638, 0.1528253788), abs=1e-6)


@pytest.mark.parametrize("row", AREAS[AREAS["group"] == "all"].to_dict("records"), ids=lambda row: row["data"])
def test_areas_by_sex_and_their_difference_equal_proc(row):
    curves = {}
    for group in ("all", "female", "male"):
        expected = AREAS[(AREAS["data"] == row["data"]) & (AREAS["group"] == group)].iloc[0]
        found = curves[group] = roc(*rows_of(row["data"], group))
        assert (found.auc, found.conf_low, found.conf_high) == pytest.approx(
            tuple(expected[["auc", "low", "high"]]), abs=EXACT
        )
    found = compare_roc_independent(curves["female"], curves["male"])
    assert found.differences["statistic"].iloc[0] == pytest.approx(row["d"], abs=1e-7)
    assert (found.df, found.p_value) == pytest.approx((row["df"], row["p"]), rel=1e-7)


def test_clustered_curves_compare_on_their_clusters():
    halves = [EXAM[EXAM["school"] % 2 == side] for side in (0, 1)]
    curves = [roc(half["score"], half["positive"], cluster=half["school"]) for half in halves]
    assert compare_roc_independent(*curves).df < 65


def test_a_clustered_comparison_of_three_scores_by_brute_force():
    score, case, school, _ = schools()
    rng = np.random.default_rng(8)
    near, far = rng.integers(0, 4, len(score)), rng.integers(0, 9, len(score))
    scores = pd.DataFrame({"a": score, "b": score + near, "c": far - score})
    found = compare_roc(scores, case, cluster=school, direction={"a": ">=", "b": ">=", "c": "<="})
    for name in scores:
        own = roc(scores[name], case, cluster=school, direction=found.directions[name])
        assert found.aucs[name] == own.auc
        assert found.covariance.loc[name, name] == pytest.approx(own.std_error**2, rel=1e-12)
    contrast = np.array([[-1, 1, 0], [-1, 0, 1]])
    gap = contrast @ found.aucs.to_numpy()
    spread = contrast @ found.covariance.to_numpy() @ contrast.T
    assert found.chi2 == pytest.approx(gap @ np.linalg.inv(spread) @ gap)
    # Any base of contrasts gives the same joint test.
    turned = compare_roc(scores[["c", "b", "a"]], case, cluster=school, direction={"a": ">=", "b": ">=", "c": "<="})
    assert turned.chi2 == pytest.approx(found.chi2) and turned.df == 2


def test_a_comparison_from_tables_and_from_rows_gives_the_same_numbers(monkeypatch):
    score, case, _, _ = schools()
    scores = pd.DataFrame({"a": score, "b": np.roll(score, 1) + 2 * case, "c": score // 2})
    tabled = compare_roc(scores, case)
    monkeypatch.setattr("mhlib.stats.accuracy.comparison.LARGEST_TABLE", 0)
    by_row = compare_roc(scores, case)
    assert np.allclose(tabled.covariance, by_row.covariance, rtol=1e-12, atol=0)
    assert tabled.chi2 == pytest.approx(by_row.chi2, rel=1e-9)


def test_equal_weights_change_no_comparison():
    plain = compare_roc(OVARIAN[["kg", "albumin"]], OVARIAN["case"])
    weighted = compare_roc(OVARIAN[["kg", "albumin"]], OVARIAN["case"], weights=np.full(len(OVARIAN), 3.0))
    assert weighted.differences["conf_low"].iloc[0] == pytest.approx(plain.differences["conf_low"].iloc[0])
    assert "linearised" in weighted.method


def test_directions_mix_only_by_name():
    scores = OVARIAN[["kg", "albumin"]]
    with pytest.raises(ParamsError, match="directions without names"):
        compare_roc(scores, OVARIAN["case"], direction=[">=", "<="])
    with pytest.raises(ParamsError, match="no direction for albumin"):
        compare_roc(scores, OVARIAN["case"], direction={"kg": ">="})
    with pytest.raises(ParamsError, match="no score is called height"):
        compare_roc(scores, OVARIAN["case"], direction={"kg": ">=", "albumin": ">=", "height": "<="})
    up, down = (roc(OVARIAN["kg"], OVARIAN["case"], direction=one) for one in (">=", "<="))
    with pytest.raises(DesignError, match="different directions"):
        compare_roc_independent(up, down)


def test_two_scores_that_order_alike_have_no_joint_test():
    found = compare_roc(pd.DataFrame({"a": ASAH["age"], "b": 2 * ASAH["age"]}), ASAH["case"])
    assert np.isnan(found.chi2) and "joint_test" not in set(found.to_frame()["term"])


# ---- planning --------------------------------------------------------------------------------------------------------


def test_hanley_and_mcneil_exponential_error():
    auc = roc_from_counts([1, 2, 3, 4, 5], [3, 2, 2, 11, 33], [33, 6, 6, 11, 2]).auc
    assert hanley_mcneil_std_error(auc, 51, 58) == pytest.approx(0.0324865796, abs=1e-10)


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "roc_design.csv").to_dict("records"), ids=str)
def test_sample_sizes_equal_proc(row):
    found = auc_sample_size(row["auc"], power=row["power"], noncases_per_case=row["kappa"])
    assert (found.n_case, found.n_noncase) == pytest.approx((row["n_case"], row["n_noncase"]), rel=1e-9)


def test_the_sample_size_of_the_anchor():
    assert auc_sample_size(0.8).to_frame()["estimate"].round(2).tolist() == [16.62, 16.62]


# ---- cut-offs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", CHOICES.to_dict("records"), ids=lambda row: f"{row['data']}-{row['tool']}-{row['criterion']}"
)
def test_choices_equal_cutpointr_optimalcutpoints_and_proc(row):
    name, _, group = row["data"].partition("_")
    score, case = (ASAH[group], ASAH["case"]) if name == "asah" else rows_of(name, group or "all")
    needs = {"youden": {}, "sensitivity": {"target": 0.9}, "specificity": {"target": 0.9}, "cost": {"cost_ratio": 10.0}}
    options = {"cost_ratio": 5.0, "prevalence": 0.2} if name == "asah" else needs[row["criterion"]]
    found = cutoffs(score, case, criterion=row["criterion"], **options)
    chosen = found.table[found.table["chosen"]].iloc[0]
    assert (chosen["sensitivity"], chosen["specificity"]) == pytest.approx(
        (row["sensitivity"], row["specificity"]), abs=EXACT
    )
    # pROC names the middle between two scores: the cut is the next score up.
    values = np.unique(score)
    assert found.cutoff == (values[values > row["cutoff"]][0] if name == "asah" else row["cutoff"])


def test_the_suicide_screen_of_cutpointr():
    score, case = rows_of("suicide")
    row = cutoffs(score, case, criterion="cost", cost_ratio=10).table.query("chosen").iloc[0]
    assert (row["cutoff"], row["missed_cases"], row["false_alarms"], row["cost"]) == pytest.approx((2, 4, 68, 108))
    assert row["youden"] == pytest.approx(0.75179211, abs=1e-8)


def test_the_suicide_screen_from_its_rows(shared_data):
    rows = pd.read_csv(shared_data / "dsiss_suicide_attempt.csv")
    case = rows["suicide_attempt_ever"] == "yes"
    assert roc(rows["dsi_ss_total"], case).auc == roc(*rows_of("suicide")).auc
    female = rows["gender"] == "female"
    assert cutoffs(rows.loc[female, "dsi_ss_total"], case[female]).cutoff == 2
    assert cutoffs(rows.loc[~female, "dsi_ss_total"], case[~female]).cutoff == 3


def test_the_published_tables_of_the_ghq():
    table = cutoffs(*rows_of("ghq")).table.set_index("cutoff")
    for cut, cells in ((2, (57, 40, 11, 170)), (3, (47, 17, 21, 193))):
        row = table.loc[cut]
        found = (row["sensitivity"] * 68, row["false_alarms"], row["missed_cases"], row["specificity"] * 210)
        assert found == pytest.approx(cells)


def test_a_capacity_that_just_fits_is_met_for_every_number_of_people():
    for n in (7, 49, 129, 1_000, 99_991):
        score = np.repeat([0, 1], [n, 3 * n // 7 + 1])
        assert cutoffs(score, criterion="capacity", capacity=3 * n // 7 + 1).cutoff == 1


def test_the_studio_gives_every_choice_with_the_digits_of_one():
    score, case, school, weight = schools()
    seen = weight == 1
    reference = np.where(seen | (np.arange(900) % 4 == 0), case, np.nan)
    common = {"weights": weight, "cluster": school, "prevalence": 0.05, "population": 5000, "seed": 3, "n_boot": 100}
    studio = cutoff_studio(score, reference, capacity=700, cost_ratio=8, target_sensitivity=0.8,
                           target_specificity=0.85, **common)  # fmt: skip
    needs = {"youden": {}, "cost": {"cost_ratio": 8}, "sensitivity": {"target": 0.8}, "specificity": {"target": 0.85},
             "capacity": {"capacity": 700}}  # fmt: skip
    assert list(studio.choices) == list(needs) and studio.refused == ()
    for name, options in needs.items():
        one, choice = cutoffs(score, reference, criterion=name, **options, **common), studio.choices[name]
        for key in ("cutoff", "ties", "youden_632", "youden_out_of_bag", "optimism", "share", "cutoff_low", "n_none"):
            assert getattr(one, key) == getattr(choice, key), (name, key)
        own = studio.table.set_index("cutoff").loc[choice.cutoff]
        measures = ["referrals", "sensitivity", "specificity", "ppv", "npv", "missed_cases", "cost"]
        assert [own[key] for key in measures] == [getattr(choice, key) for key in measures]
    frame = studio.to_frame()
    assert frame["term"].tolist() == list(needs) and frame["estimate"].notna().all()
    assert studio.n_verified < studio.n_used == 900 and studio.n_clusters == 12


def test_rows_of_the_studio_by_hand():
    # Ten cases and ten non-cases, interviewed with certainty at 1 and one in two at 0 (weight 2).
    score = np.repeat([1, 1, 0, 0, 0], [6, 4, 2, 3, 5])
    reference = np.repeat([1, 0, 1, 0, np.nan], [6, 4, 2, 3, 5])
    weight = np.where(score == 1, 1.0, 2.0)
    row = cutoff_studio(score, reference, weights=weight, prevalence=0.1, population=1000, cost_ratio=5).table.iloc[1]
    assert row["sensitivity"] == 6 / 10 and row["specificity"] == 6 / 10
    assert row["referrals"] == 1000 * 10 / 20
    assert row["ppv"] == pytest.approx(0.06 / (0.06 + 0.36)) and row["npv"] == pytest.approx(0.54 / (0.54 + 0.04))
    assert (row["missed_cases"], row["false_alarms"], row["cost"]) == pytest.approx((40, 360, 5 * 40 + 360))


def test_without_interviews_only_capacity_chooses():
    score, _, school, _ = schools()
    studio = cutoff_studio(score, capacity=200, n_boot=50, seed=1, cluster=school)
    assert list(studio.choices) == ["capacity"] and studio.refused[0].code == "no_reference"
    choice = studio.choices["capacity"]
    assert choice.referrals <= 200 and np.isnan(choice.sensitivity) and choice.frequencies["share"].sum() == 1
    with pytest.raises(ParamsError, match="no reference and no capacity"):
        cutoff_studio(score)


def test_ties_are_named_and_the_lowest_referring_wins():
    found = cutoffs([1, 2, 3, 4], [0, 1, 0, 1])
    assert found.ties == (2.0, 4.0) and found.cutoff == 4.0
    turned = cutoffs([-1, -2, -3, -4], [0, 1, 0, 1], direction="<=")
    assert turned.ties == (-2.0, -4.0) and turned.cutoff == -4.0
    assert turned.table["cutoff"].tolist() == [-4, -3, -2, -1]


def test_no_cutoff_where_none_meets_the_criterion():
    assert cutoffs([1, 2, 2], [1, 0, 1], criterion="specificity", target=1.0).cutoff is None
    nobody = cutoffs([1, 1, 2, 2], [1, 0, 0, 1], criterion="cost", cost_ratio=0.5, prevalence=0.01, n_boot=50, seed=1)
    assert nobody.cutoff is None and np.isnan(nobody.youden_632) and nobody.to_frame()["term"].tolist() == ["cutoff"]


def test_people_out_of_the_bag_are_those_not_drawn():
    score, case, school, weight = schools()
    values, level = np.unique(score, return_inverse=True)
    status = np.where(weight == 1, case, 2).astype(np.int64)
    for cluster in (None, (school, 12)):
        people = Screened(level, status, weight * (status < 2), cluster, len(values))
        inside, outside = (np.concatenate(parts, axis=1) for parts in zip(*resamples(people, 1, 400), strict=True))
        whole = people.tables()
        # A bag holds everyone once on average, and leaves out one person in e (one school in (1 - 1/12)^-12).
        share = np.exp(-1) if cluster is None else (11 / 12) ** 12
        assert inside.sum(axis=2).mean(axis=1) == pytest.approx(whole.sum(axis=1), rel=0.02)
        assert outside.sum(axis=2).mean(axis=1) == pytest.approx(share * whole.sum(axis=1), rel=0.03)
        assert (outside <= whole[:, None, :] + 1e-9).all()
        assert ((inside > 0) | (outside > 0) | (whole[:, None, :] == 0)).all()


def test_a_school_drawn_is_not_out_of_the_bag():
    level, status = np.repeat(np.arange(6), 4), np.tile([0, 1, 0, 1], 6)
    people = Screened(level, status, np.ones(24), (level, 6), 6)
    for inside, outside in resamples(people, 2, 50):
        assert ((inside[2] > 0) != (outside[2] > 0)).all()
        assert (inside[2].sum(axis=1) == 24).all()


def test_optimism_in_resamples_by_brute_force():
    score, case = rows_of("suicide")
    found = cutoffs(score, case, n_boot=3000, seed=2)
    rng, values, outs, picks = np.random.default_rng(9), np.unique(score), [], []
    for _ in range(800):
        times = rng.poisson(1.0, len(score))
        se = np.array([times[(score >= c) & (case == 1)].sum() for c in values]) / times[case == 1].sum()
        sp = np.array([times[(score < c) & (case == 0)].sum() for c in values]) / times[case == 0].sum()
        cut = values[np.flatnonzero(se + sp >= (se + sp).max() - 1e-12)[-1]]
        left, picks = times == 0, [*picks, cut]
        outs.append((score >= cut)[left & (case == 1)].mean() + (score < cut)[left & (case == 0)].mean() - 1)
    assert found.youden_out_of_bag == pytest.approx(np.mean(outs), abs=0.01)
    assert found.share == pytest.approx(np.mean(np.array(picks) == found.cutoff), abs=0.06)
    assert found.youden_632 == pytest.approx(0.368 * found.youden + 0.632 * found.youden_out_of_bag)
    assert found.youden_632 == pytest.approx(found.sensitivity_632 + found.specificity_632 - 1)


@settings(deadline=None, max_examples=60)
@given(sample, st.floats(0.1, 0.95), st.floats(0.2, 20), st.integers(1, 60))
def test_choices_by_brute_force(rows, target, ratio, capacity):
    score, case = (np.array(part) for part in zip(*rows, strict=True))
    found = cutoff_studio(score, case, cost_ratio=ratio, target_sensitivity=target, target_specificity=target,
                          capacity=capacity)  # fmt: skip
    cuts = np.unique(score)
    se = np.array([(score[case] >= c).mean() for c in cuts])
    sp = np.array([(score[~case] < c).mean() for c in cuts])
    referred = np.array([(score >= c).sum() for c in cuts])
    cost = ratio * (1 - se) * case.sum() + (1 - sp) * (~case).sum()
    goal = {"youden": (se + sp, se >= 0), "cost": (-cost, cost <= ratio * case.sum() + 1e-9), "sensitivity": (sp, se >= target),
            "specificity": (se, sp >= target), "capacity": (referred, referred <= capacity)}  # fmt: skip
    for name, (value, allowed) in goal.items():
        if not allowed.any():
            assert found.choices[name].cutoff is None
            continue
        good = allowed & (value >= value[allowed].max() - 1e-9)
        if name in ("sensitivity", "specificity"):
            other = se if name == "sensitivity" else sp
            good &= other >= other[good].max() - 1e-9
        top = np.flatnonzero(good)
        assert found.choices[name].cutoff == cuts[top[-1]] and len(found.choices[name].ties) == len(top)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: bootstrap_roc([1, 2], [0, 1], seed=1, n_boot=1), ParamsError, "n_boot"),
        (lambda: bootstrap_roc([1, 2], [0, 1], seed=1, cluster=[1, 1]), DesignError, "one cluster"),
        (lambda: bootstrap_roc([1, 2], [0, 1], seed=1, cluster=[1, "a"]), DataError, "labels of different kinds"),
        (lambda: bootstrap_roc([1, 2], [0, np.nan], seed=1), DataError, "1 of 2 values are missing"),
        (lambda: bootstrap_roc([1, 2], [0, 0], seed=1), DesignError, "no case"),
        (lambda: bootstrap_roc_from_counts([1, 2], [0.5, 1], [1, 1], seed=1), DataError, "1 values are no counts"),
        (lambda: bootstrap_roc_from_counts([1, 2], [[0, 1]], [[1, 1]], seed=1), DesignError, "one cluster"),
        (lambda: bootstrap_roc_from_counts([1, 2], [[0, 1]], [1, 1], seed=1), DataError, "differ in shape"),
        (lambda: partial_roc([1, 2], [0, 1], seed=1, focus="ppv"), ParamsError, "'ppv' is not known"),
        (lambda: partial_roc([1, 2], [0, 1], seed=1, low=1.0, high=0.9), ParamsError, "is not a range"),
        (lambda: compare_roc(pd.DataFrame({"a": [1, 2], "b": [2, 1]}), [0, 1], cluster=[1, 1]), DesignError, "one clus"),
        (lambda: cutoffs([1, 2], [0, 1], n_boot=10), ParamsError, "n_boot needs a seed"),
        (lambda: cutoffs([1, 2], [0, 1], criterion="cost"), ParamsError, "needs cost_ratio"),
        (lambda: cutoffs([1, 2], [0, 1], criterion="f1"), ParamsError, "'f1' is not known"),
        (lambda: cutoffs([1, 2], [0, np.nan]), DesignError, "1 of 2 people are unverified"),
        (lambda: cutoffs([1, 2], criterion="youden"), ParamsError, "needs a reference"),
        (lambda: cutoffs([], criterion="capacity", capacity=1), DesignError, "nobody was screened"),
        (lambda: cutoffs(np.arange(3000), np.arange(3000) % 2, n_boot=9, seed=1), DataError, "3000 distinct scores"),
        (lambda: cutoff_studio([1, 2], [0, 1], target_sensitivity=90), ParamsError, "target lies above 0"),
        (lambda: hanley_mcneil_std_error(1.2, 5, 5), ParamsError, "a number between 0 and 1"),
        (lambda: auc_sample_size(0.4), ParamsError, "out of range"),
    ],
)  # fmt: skip
def test_every_error_says_what_to_do(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_schools_of_dense_and_sparse_roads_agree():
    run, case, school = np.array([0, 1, 2, 1]), np.array([1.0, 0, 0, 1]), np.array([0, 1, 1, 0])
    few, many = (schools_of(np.tile(run, k), np.tile(case, k), None, (np.tile(school, k), 2), 3) for k in (1, 40))
    assert isinstance(few, Schools)
    assert (40 * few.sums.toarray() == many.sums.toarray()).all()


def test_the_point_nearest_to_the_upper_left_corner_is_that_of_proc():
    """C1, wfns: pROC's 2.5 between whole grades is `>= 3` here."""
    points = roc(ASAH["wfns"], ASAH["case"]).points
    best = points.loc[((1 - points["sensitivity"]) ** 2 + (1 - points["specificity"]) ** 2).idxmin()]
    assert best["cutoff"] == 3
    assert (best["sensitivity"], best["specificity"]) == pytest.approx((0.6585366, 0.7916667), abs=5e-8)
