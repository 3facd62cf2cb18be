"""Accuracy against R (tests/oracle/make.R), published tables, by hand, at the edges and as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, MhlibError
from mhlib.stats.accuracy import (
    VerificationCounts,
    compare_roc,
    cutoffs,
    predictive_values_at,
    roc,
    roc_from_counts,
    rogan_gladen,
    two_by_two,
    verification_corrected_from_counts,
    verification_corrected_roc,
    verification_plan,
)
from mhlib.stats.monitoring import proportion

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
ASAH = pd.read_csv(ORACLE / "asah_rows.csv")
# R prints fifteen digits; the differences are those of summation order.
EXACT = 1e-9


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "asah_auc.csv").to_dict("records"), ids=lambda row: row["score"])
def test_delong_equals_proc(row):
    found = roc(ASAH[row["score"]], ASAH["case"])
    assert (found.auc, found.conf_low, found.conf_high) == pytest.approx(
        (row["auc"], row["low"], row["high"]), abs=EXACT
    )
    assert found.std_error**2 == pytest.approx(row["variance"], abs=EXACT)


@pytest.mark.parametrize("row", pd.read_csv(ORACLE / "asah_pairs.csv").to_dict("records"), ids=lambda row: row["first"])
def test_paired_delong_equals_proc(row):
    found = compare_roc(ASAH[[row["second"], row["first"]]], ASAH["case"]).to_frame()
    gap = found[found["term"].str.contains(" - ")].iloc[0]
    assert gap["estimate"] / gap["std_error"] == pytest.approx(row["z"], abs=1e-7)
    assert gap["p_value"] == pytest.approx(row["p"], abs=EXACT)


def test_hanley_and_mcneil_1982():
    found = roc_from_counts([1, 2, 3, 4, 5], [3, 2, 2, 11, 33], [33, 6, 6, 11, 2])
    assert found.auc == pytest.approx(0.8931710615, abs=1e-10)
    assert found.std_error == pytest.approx(0.0307244084, abs=1e-10)
    assert (found.conf_low, found.conf_high) == pytest.approx((0.832952328, 0.953389795), abs=1e-9)


def test_obuchowski_and_the_proportion_in_clusters():
    rows, expected = pd.read_csv(ORACLE / "exam_rows.csv"), pd.read_csv(ORACLE / "exam.csv").iloc[0]
    plain = roc(rows["score"], rows["positive"])
    assert (plain.auc, plain.conf_low, plain.conf_high) == pytest.approx(
        (expected["auc"], expected["delong_low"], expected["delong_high"]), abs=EXACT
    )
    assert roc(rows["score"], rows["positive"], cluster=rows["school"]).std_error == pytest.approx(
        expected["obuchowski_se"], abs=EXACT
    )
    share = proportion(rows["positive"].astype(bool), cluster=rows["school"])
    found = (share.proportion, share.std_error, share.conf_low, share.conf_high, share.design_effect)
    wanted = tuple(expected[["proportion", "se", "low", "high", "deff"]])
    assert found == pytest.approx(wanted, abs=1e-7)


def test_the_epir_table():
    found = two_by_two(670, 202, 74, 640, ci="exact").to_frame().set_index("term")
    wanted = {"sensitivity": (0.9005376344, 0.8767461768, 0.9210922996), "specificity": (0.7600950119, 0.7297764632, 0.7885803246),
              "ppv": (0.7683486239, 0.7388926274, 0.7959784292), "lr_positive": (3.753726179, 3.320688436, 4.243234649),
              "lr_negative": (0.1308551747, 0.1050643235, 0.1629770809), "dor": (28.68611185, 21.51819166, 38.24173641)}  # fmt: skip
    for term, values in wanted.items():
        assert tuple(found.loc[term, ["estimate", "conf_low", "conf_high"]]) == pytest.approx(values, rel=1e-8), term
    wilson = two_by_two(670, 202, 74, 640).to_frame().set_index("term").loc["sensitivity"]
    assert (wilson["conf_low"], wilson["conf_high"]) == pytest.approx((0.8769319125, 0.9200284498), abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "sens", "spec"),
    [((17, 95, 2, 328), 89.5, 77.5), ((32, 162, 2, 438), 94, 73), ((57, 137, 8, 432), 88, 76), ((36, 38, 4, 244), 90.0, 86.5),
     ((34, 58, 6, 224), 85.0, 79.4), ((21, 15, 19, 267), 52.5, 94.7)],
)  # fmt: skip
def test_published_screens(cells, sens, spec):
    found = two_by_two(*cells)
    digits = 1 if sens != int(sens) or spec != int(spec) else 0
    assert (round(100 * found.sensitivity, digits), round(100 * found.specificity, digits)) == (sens, spec)


@pytest.mark.parametrize(
    ("cells", "sens", "spec"),
    [((231, 32, 27, 54, 166, 140), 0.836467, 0.738398), ((26, 11, 7, 44, 30, 782), 0.291678, 0.973031),
     ((195, 232, 5, 39, 996, 1221), 0.818863, 0.591875)],
    ids=["hepatic", "diaphanography", "spect"],
)  # fmt: skip
def test_begg_and_greenes_on_published_tables(cells, sens, spec):
    counts = VerificationCounts(**dict(zip(
        ("tp", "fp", "fn", "tn", "positive_unverified", "negative_unverified"), cells, strict=True)))  # fmt: skip
    found = verification_corrected_from_counts(counts)
    assert (found.sensitivity, found.specificity) == pytest.approx((sens, spec), abs=1e-6)


def test_rogan_and_gladen():
    found = rogan_gladen(120, 1000, sensitivity=0.80, specificity=0.94)
    assert (found.prevalence, found.conf_low, found.conf_high) == pytest.approx(
        (0.0810810811, 0.0547309780, 0.1104957619), abs=1e-9
    )
    outside = rogan_gladen(4, 80, sensitivity=0.9, specificity=0.95)
    assert outside.prevalence == pytest.approx(0, abs=1e-12) and outside.conf_low == 0


def test_the_plan_of_interviews():
    table = verification_plan(13_000, 117_000, ppv=0.25, miss_rate=0.01, n_positive_verified=2000).table
    low = dict(zip(table["n_negative_verified"], table["conf_low"].round(2), strict=True))
    high = dict(zip(table["n_negative_verified"], table["conf_high"].round(2), strict=True))
    assert low == {200: 0.41, 500: 0.54, 1000: 0.60, 2000: 0.64, 5000: 0.68}
    assert high == {200: 0.92, 500: 0.87, 1000: 0.84, 2000: 0.81, 5000: 0.79}


def test_the_capacity_cutoff_is_the_lowest_that_fits():
    score = np.repeat(np.arange(10), 100)
    assert cutoffs(score, criterion="capacity", capacity=300).cutoff == 7
    assert cutoffs(score, criterion="capacity", capacity=299).cutoff == 8
    assert cutoffs(score, criterion="capacity", capacity=50).cutoff is None


def test_predictive_values_carried_by_bayes():
    found = predictive_values_at(0.02, sensitivity=(0.9, 0.02), specificity=(0.75, 0.01), n_used=500)
    assert found.ppv == pytest.approx(0.02 * 0.9 / (0.02 * 0.9 + 0.98 * 0.25))
    assert found.npv == pytest.approx(0.98 * 0.75 / (0.98 * 0.75 + 0.02 * 0.1))


def test_the_direction_is_never_guessed():
    score, case = [4, 3, 2, 1], [0, 0, 1, 1]
    assert roc(score, case).auc == 0.0 and roc(score, case, direction="<=").auc == 1.0
    with pytest.raises(MhlibError):
        roc(score, case, direction="auto")


def test_bad_input_is_told():
    for score, case in (([1, np.nan], [0, 1]), ([1, 2], [0, np.nan]), ([1, 2], [0, 2])):
        with pytest.raises(DataError):
            roc(score, case)
    for case in ([0, 0], [1, 1]):
        with pytest.raises(MhlibError):
            roc([1, 2], case)


def test_130_000_rows_with_ties_stay_a_proportion():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 28, 130_000)
    found = roc(score, rng.random(130_000) < 0.02 + 0.02 * score / 27)
    assert 0.5 < found.conf_low < found.auc < found.conf_high < 0.7


sample = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=6, max_size=60).filter(
    lambda rows: 2 <= sum(case for _, case in rows) <= len(rows) - 2
)


@settings(deadline=None)
@given(sample)
def test_swapping_labels_mirrors_the_area_and_monotone_scores_keep_it(rows):
    score, case = (np.array(part) for part in zip(*rows, strict=True))
    auc = roc(score, case).auc
    assert roc(score, ~case.astype(bool)).auc == pytest.approx(1 - auc)
    assert roc(np.exp(score), case).auc == pytest.approx(auc)
    assert roc(score, case, direction="<=").auc == pytest.approx(1 - auc)


@settings(deadline=None)
@given(sample)
def test_both_doors_give_the_same_digits(rows):
    score, case = (np.array(part) for part in zip(*rows, strict=True))
    values = np.unique(score)
    counts = [[int(((score == v) & (case == side)).sum()) for v in values] for side in (True, False)]
    first, second = roc(score, case), roc_from_counts(values, *counts)
    assert (first.auc, first.std_error) == pytest.approx((second.auc, second.std_error), abs=1e-14, nan_ok=True)


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_bounds_hold_their_estimate(tp, fp, fn, tn):
    table = two_by_two(tp, fp, fn, tn).to_frame()
    assert (table["conf_low"] <= table["estimate"] + 1e-12).all() and (
        table["estimate"] <= table["conf_high"] + 1e-12
    ).all()
    turned = two_by_two(tn, fn, fp, tp)
    assert turned.sensitivity == pytest.approx(two_by_two(tp, fp, fn, tn).specificity)


def test_a_corrected_curve_with_everybody_verified_is_the_naive_one():
    rng = np.random.default_rng(4)
    score = rng.integers(0, 20, 800)
    case = pd.Series(rng.random(800) < score / 30)
    corrected = verification_corrected_roc(pd.Series(score), case, seed=1, n_boot=50)
    assert corrected.auc == pytest.approx(roc(score, case).auc)
