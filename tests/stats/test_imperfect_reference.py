"""Accuracy without a perfect reference: latent classes, assumed interview errors, prevalence behind a screen."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.accuracy import (
    VerificationCounts,
    latent_class,
    latent_class_from_tables,
    reference_error,
    reference_error_from_counts,
    rogan_gladen,
    rogan_gladen_check,
    verification_corrected,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
# Hui & Walter (1980): patterns --, -+, +-, ++ of two tuberculin tests in two populations.
TUBERCULOSIS = [[528, 9, 4, 14], [367, 37, 31, 887]]


def tables(name):
    if name == "tuberculosis":
        return TUBERCULOSIS
    counts = pd.read_csv(ORACLE / "latent_class_tables.csv")
    return [counts.loc[counts["data"] == name, "n"].tolist()]


def drawn(rng, n, prevalence, sens, spec, names="abcdefgh"):
    case = rng.random(n) < prevalence
    results = {
        name: np.where(case, rng.random(n) < one, rng.random(n) < 1 - other)
        for name, one, other in zip(names, sens, spec, strict=False)
    }
    return pd.DataFrame(results), case


@pytest.mark.parametrize("name", ["tuberculosis", "five", "three"])
def test_latent_classes_agree_with_r(name):
    wanted = pd.read_csv(ORACLE / "latent_class.csv").query("data == @name")
    found = latent_class_from_tables(tables(name))
    frame = found.to_frame()
    # R's optimiser and its numeric Hessian leave the seventh digit of an estimate open, the fourth of an error.
    np.testing.assert_allclose(frame["estimate"], wanted["estimate"], atol=2e-6)
    np.testing.assert_allclose(frame["std_error"], wanted["std_error"], rtol=2e-4)
    assert found.log_likelihood == pytest.approx(wanted["log_likelihood"].iloc[0], abs=1e-6)


def test_hui_and_walter_to_the_published_digits():
    found = latent_class_from_tables(TUBERCULOSIS)
    assert tuple(found.prevalence) == pytest.approx((0.0268395942, 0.716792167), abs=2e-8)
    assert tuple(found.sensitivity) == pytest.approx((0.966124147, 0.968827727), abs=2e-8)
    assert tuple(found.specificity) == pytest.approx((0.993318628, 0.984135717), abs=2e-8)
    wanted = (0.00712879, 0.01279408, 0.00694661, 0.00622862, 0.00380248, 0.00561551)
    assert tuple(found.to_frame()["std_error"]) == pytest.approx(wanted, abs=1e-8)
    assert found.log_likelihood == pytest.approx(-1207.61675, abs=1e-5)
    assert (found.df, found.n_used) == (0, 1877) and math.isnan(found.fit_p_value)
    assert found.pairs["z"].isna().all() and not found.pairs["doubtful"].any()


def test_rows_and_tables_give_the_same_digits(rng):
    results, _ = drawn(rng, 3000, 0.3, [0.8, 0.7, 0.9, 0.75], [0.9, 0.85, 0.95, 0.8])
    place = rng.integers(0, 2, 3000)
    code = (results.to_numpy() @ [8, 4, 2, 1]) + 16 * place
    first = place[0]
    counts = np.bincount(code, minlength=32).reshape(2, 16)[[first, 1 - first]]
    rows, table = latent_class(results, populations=place), latent_class_from_tables(counts, tests=list("abcd"))
    np.testing.assert_array_equal(rows.to_frame().iloc[:, 1:5], table.to_frame().iloc[:, 1:5])
    assert rows.populations == (str(first), str(1 - first))


def test_the_classes_are_named_by_rule(rng):
    results, _ = drawn(rng, 4000, 0.8, [0.8, 0.7, 0.9], [0.9, 0.85, 0.95])
    found = latent_class(results)
    assert found.prevalence[0] == pytest.approx(0.8, abs=0.05) and (found.sensitivity > 0.5).all()
    turned = latent_class(~results)
    np.testing.assert_allclose(turned.sensitivity, found.specificity, atol=1e-6)
    assert turned.prevalence[0] == pytest.approx(1 - found.prevalence[0], abs=1e-6)


def test_dependence_within_classes_is_noticed(rng):
    results, _ = drawn(rng, 5000, 0.25, [0.8, 0.7, 0.9, 0.6], [0.9, 0.85, 0.95, 0.97])
    honest = latent_class(results)
    assert honest.fit_p_value > 0.001 and honest.df == 6
    copied = results.assign(d=np.where(rng.random(5000) < 0.5, results["a"], results["d"]))
    found = latent_class(copied)
    assert found.fit_p_value < 1e-6 and found.pairs["doubtful"].any()


def test_incomplete_rows_and_clusters(rng):
    results, _ = drawn(rng, 3000, 0.3, [0.8, 0.7, 0.9], [0.9, 0.85, 0.95])
    holes = results.astype("boolean")
    holes.iloc[:40, 1] = pd.NA
    found = latent_class(holes)
    assert (found.n_used, found.n_excluded) == (2960, 40)
    school = np.repeat(np.arange(60), 50)
    clustered = latent_class(results, cluster=school)
    plain = latent_class(results)
    np.testing.assert_array_equal(clustered.sensitivity, plain.sensitivity)
    ratio = clustered.to_frame()["std_error"] / plain.to_frame()["std_error"]
    assert clustered.n_clusters == 60 and ratio.between(0.6, 1.6).all(), "independent pupils: nearly the same errors"
    alone = latent_class(results, cluster=np.arange(3000))
    np.testing.assert_allclose(alone.to_frame()["std_error"], plain.to_frame()["std_error"], rtol=0.1)


def test_an_estimate_on_the_edge_has_no_error():
    found = latent_class_from_tables([[400, 10, 12, 0, 9, 0, 2, 90]])
    assert not found.admissible
    edge = found.to_frame().query("estimate == 0 or estimate == 1")
    assert len(edge) and edge["std_error"].isna().all()


@pytest.mark.parametrize(
    ("counts", "error", "words"),
    [([[10, 20, 30, 40]], DesignError, "2 tests in 1 populations give 3 free cells for 5 parameters"),
     ([[100, 20, 30, 40], [1000, 200, 300, 400]], DesignError, "likelihood is flat at its top"),
     ([[1, 2, 3]], DataError, "not counts by 2"), ([[1.5, 2, 3, 4]], DataError, "not counts by 2"),
     ([[10, 20, 0, 0, 30, 40, 0, 0]], DesignError, "1 tests never vary"),
     ([[10, 20, 5, 9], [0, 0, 0, 0]], DesignError, "a population without people")],
)  # fmt: skip
def test_what_latent_classes_refuse(counts, error, words):
    with pytest.raises(error, match=words):
        latent_class_from_tables(counts)


def test_the_interview_that_errs_by_hand():
    # Truth: 100 cases, 900 not; screen .8/.9, interview .9/.97, independent given the truth.
    p, se, sp, r, s = 0.1, 0.8, 0.9, 0.9, 0.97
    shares = [p * se * r + (1 - p) * (1 - sp) * (1 - s), p * se * (1 - r) + (1 - p) * (1 - sp) * s,
              p * (1 - se) * r + (1 - p) * sp * (1 - s), p * (1 - se) * (1 - r) + (1 - p) * sp * s]  # fmt: skip
    counts = VerificationCounts(*(round(1e6 * share) for share in shares), 0, 0)
    found = reference_error_from_counts(counts, reference_sensitivity=[r, 1], reference_specificity=[s, 1])
    at = found.table.query("reference_sensitivity == @r and reference_specificity == @s").set_index("measure")
    assert at.loc["sensitivity", "estimate"] == pytest.approx(se, abs=1e-4)
    assert at.loc["specificity", "estimate"] == pytest.approx(sp, abs=1e-4)
    assert at.loc["prevalence", "estimate"] == pytest.approx(p, abs=1e-4)
    assert at.loc["ppv", "estimate"] == pytest.approx(p * se / (p * se + (1 - p) * (1 - sp)), abs=1e-4)
    tornado = found.tornado("sensitivity")
    assert tornado["error"].iloc[0] == "reference_specificity", "false cases among many well pupils weigh most"
    tp, fp, _, tn = (1e6 * share for share in shares)
    staquet = ((tp + fp) * s - fp) / (1e6 * s - (fp + tn))
    assert at.loc["sensitivity", "estimate"] == pytest.approx(staquet, abs=1e-5)


def test_a_perfect_interview_changes_nothing(rng):
    test = rng.random(2000) < 0.3
    case = np.where(rng.random(2000) < 0.5, rng.random(2000) < np.where(test, 0.6, 0.1), np.nan)
    school = rng.integers(0, 40, 2000)
    found = reference_error(test, case, cluster=school, reference_sensitivity=[1], reference_specificity=[1])
    wanted = verification_corrected(test, case, cluster=school).to_frame().set_index("term")
    for row in found.to_frame().itertuples():
        assert (row.estimate, row.std_error) == pytest.approx(tuple(wanted.loc[row.term, ["estimate", "std_error"]]))
        if row.term in ("sensitivity", "specificity"):
            assert (row.bound_low, row.bound_high) == pytest.approx((row.estimate, row.estimate))


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(5, 400)] * 4), st.floats(0.6, 1), st.floats(0.6, 1))
def test_the_estimate_lies_within_its_dependence_bounds(cells, r, s):
    tp, fp, fn, tn = cells
    found = reference_error_from_counts(
        VerificationCounts(tp, fp, fn, tn, 0, 0), reference_sensitivity=[r], reference_specificity=[s]
    )
    rows = found.table.set_index("measure").loc[["sensitivity", "specificity"]]
    assume(rows["admissible"].all())
    assert (rows["bound_low"] <= rows["estimate"] + 1e-9).all() and (
        rows["estimate"] <= rows["bound_high"] + 1e-9
    ).all()


def test_dependent_errors_stay_within_the_bounds(rng):
    n = 200_000
    case = rng.random(n) < 0.2
    screen = np.where(case, rng.random(n) < 0.8, rng.random(n) < 0.1)
    # The interview misses those whom the screen missed, and believes the screen's false alarms.
    interview = np.where(
        case, rng.random(n) < np.where(screen, 0.98, 0.6), rng.random(n) < np.where(screen, 0.15, 0.01)
    )
    r, s = interview[case].mean(), 1 - interview[~case].mean()
    table = reference_error(screen, interview, reference_sensitivity=[r], reference_specificity=[s]).table
    row = table.set_index("measure").loc["sensitivity"]
    truth = screen[case].mean()
    assert row["bound_low"] <= truth <= row["bound_high"]
    assert not row["conf_low"] <= truth <= row["conf_high"], "independence is an assumption, and it was broken here"


def test_impossible_assumptions_are_marked():
    found = reference_error_from_counts(
        VerificationCounts(80, 40, 20, 860, 0, 0), reference_sensitivity=[0.9], reference_specificity=[0.97]
    )
    assert not found.table["admissible"].any() and found.table["conf_low"].isna().all()
    assert found.table["estimate"].between(0, 1).all()
    with pytest.raises(ParamsError, match="outside 0–1"):
        reference_error_from_counts(VerificationCounts(8, 4, 2, 86, 0, 0), reference_sensitivity=[1.1])
    with pytest.raises(DesignError, match="interview better than chance"):
        reference_error_from_counts(
            VerificationCounts(8, 4, 2, 86, 0, 0), reference_sensitivity=[0.5], reference_specificity=[0.5]
        )


def test_rogan_and_gladen_as_epir_has_it():
    found = rogan_gladen(120, 1000, sensitivity=0.80, specificity=0.94)
    assert (found.prevalence, found.conf_low, found.conf_high) == pytest.approx(
        (0.0810810811, 0.0547309780, 0.1104957619), abs=1e-9
    )
    wilson = rogan_gladen(120, 1000, sensitivity=0.80, specificity=0.94, ci="wilson")
    assert (wilson.conf_low, wilson.conf_high) == pytest.approx((0.0558098116, 0.1102825349), abs=1e-9)
    other = rogan_gladen(80, 400, sensitivity=0.84, specificity=0.92)
    assert (other.prevalence, other.conf_low, other.conf_high) == pytest.approx(
        (0.1578947368, 0.1077568427, 0.2139605918), abs=1e-9
    )
    assert other.admissible and rogan_gladen_check(other).passed and not other.bounds_cut
    invalid = rogan_gladen(4, 80, sensitivity=0.9, specificity=0.95)
    assert (invalid.prevalence, invalid.conf_low) == (0, 0)
    assert not invalid.admissible and invalid.bounds_cut and rogan_gladen_check(invalid).passed is False
