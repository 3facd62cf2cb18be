"""Partial verification, its dependence on the truth, and the refusals, against R, published tables and by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.accuracy import (
    VerificationCounts,
    allocate_verification,
    bands_check,
    circular_criterion_refusal,
    corrected_refusal,
    false_negatives_check,
    nonignorable_verification,
    predictive_values_refusal,
    roc,
    verification_corrected,
    verification_corrected_from_counts,
    verification_corrected_roc,
    verification_imputed_roc,
    verification_sensitivity,
    verification_sensitivity_from_counts,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
HEPATIC = VerificationCounts(231, 32, 27, 54, 166, 140)
DIAPHANOGRAPHY = VerificationCounts(26, 11, 7, 44, 30, 782)
SPECT = VerificationCounts(195, 232, 5, 39, 996, 1221)
TABLES = {"hepatic": HEPATIC, "diaphanography": DIAPHANOGRAPHY, "spect": SPECT}


@pytest.fixture(scope="module")
def oracle():
    return pd.read_csv(ORACLE / "verification_corrected.csv").set_index(["data", "method"])


@pytest.fixture(scope="module")
def wave():
    """A made-up wave with covariates, one row a pupil: test, covariates, reference."""
    counts = pd.read_csv(ORACLE / "verification_wave.csv")
    rows = counts.loc[counts.index.repeat(counts["n"])].reset_index(drop=True)
    return rows["t"], rows[["sex", "grade", "kind"]], rows["d"].where(rows["d"] >= 0)


def rows_of(c):
    test = np.repeat([1, 1, 0, 0, 1, 0], [c.tp, c.fp, c.fn, c.tn, c.positive_unverified, c.negative_unverified])
    case = np.repeat([1, 0, 1, 0, np.nan, np.nan], [c.tp, c.fp, c.fn, c.tn, c.positive_unverified, c.negative_unverified])  # fmt: skip
    return test, case


def four(found):
    frame = found.to_frame().set_index("term")
    return [*frame["estimate"].iloc[:2], *frame["std_error"].iloc[:2]]


def dependent_wave(rng, n=40_000, odds_ratio=0.5, spread=1.0):
    """Screen, interview (missing where not held), covariates and the truth, when cases are verified less readily."""
    covariates = pd.DataFrame({"z": rng.integers(-2, 3, n), "w": rng.integers(0, 2, n)})
    case = rng.random(n) < 1 / (1 + np.exp(1.5 - spread * covariates["z"]))
    score = rng.poisson(np.where(case, 9, 4))
    seen = rng.random(n) < 1 / (
        1 + np.exp(1.5 - 2 * (score >= 7) - 0.5 * covariates["w"] - math.log(odds_ratio) * case)
    )
    return score, np.where(seen, case, np.nan), covariates, case


@pytest.mark.parametrize("name", list(TABLES))
def test_begg_and_greenes_have_the_errors_of_r(name, oracle):
    found = verification_corrected_from_counts(TABLES[name])
    # R's derivatives are numeric: seven digits.
    assert four(found) == pytest.approx(list(oracle.loc[(name, "begg_greenes")]), rel=2e-6)


def test_the_hepatic_intervals_are_the_published_ones():
    found = verification_corrected_from_counts(HEPATIC)
    rows = found.to_frame().set_index("term")
    low_high = ["conf_low", "conf_high"]
    assert tuple(rows.loc["sensitivity", low_high]) == pytest.approx((0.7826465180, 0.8790201904), abs=1e-9)
    assert tuple(rows.loc["specificity", low_high]) == pytest.approx((0.6555077123, 0.8072095173), abs=1e-9)
    assert tuple(rows["std_error"].iloc[:2]) == pytest.approx((0.02449803, 0.03886268), abs=1e-8)
    assert (found.ppv, found.npv, found.prevalence) == pytest.approx((0.878327, 0.666667, 0.693029), abs=1e-6)
    assert (found.naive.sensitivity, found.naive.specificity) == pytest.approx((0.895349, 0.627907), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "model"), [("begg_greenes", "cells"), ("begg_greenes", "logistic"), ("ipw", "logistic")]
)
def test_covariates_agree_with_r(method, model, wave, oracle):
    test, covariates, case = wave
    if model == "cells":
        covariates = covariates.astype(str)
    found = verification_corrected(test, case, covariates=covariates, method=method, model=model)
    name = "begg_greenes cells" if model == "cells" else f"{method} logistic"
    assert four(found) == pytest.approx(list(oracle.loc[("wave", name)]), rel=1e-5)
    assert found.n_used == 6000


def test_saturated_weights_are_begg_and_greenes(wave):
    test, covariates, case = wave
    school = np.arange(len(test)) % 40
    for cluster in (None, school):
        one = verification_corrected(test, case, covariates=covariates, cluster=cluster)
        two = verification_corrected(test, case, covariates=covariates, cluster=cluster, method="ipw")
        np.testing.assert_allclose(one.terms.iloc[:, 1:5], two.terms.iloc[:, 1:5].astype(float), rtol=1e-9)


@pytest.mark.parametrize("name", ["hepatic", "spect"])
def test_imputation_is_near_mice(name, oracle):
    found = verification_corrected_from_counts(TABLES[name], method="mi", m=2000, seed=1)
    wanted = oracle.loc[(name, "mi")]
    # mice adds pseudo-observations to its logistic model (White 2010), which moves a rate of 5 in 44 by a point:
    # hepatic, with 27 of 81, hardly moves. Both carry the noise of their draws.
    near = 0.004 if name == "hepatic" else 0.012
    assert four(found)[:2] == pytest.approx(list(wanted[:2]), abs=near)
    assert four(found)[2:] == pytest.approx(list(wanted[2:]), rel=0.05)
    row = found.to_frame().set_index("term").loc["sensitivity"]
    assert row["std_error"] ** 2 == pytest.approx(row["within"] + (1 + 1 / 2000) * row["between"])
    assert 0 < row["fraction_missing"] < 1 and row["df"] > 1000


def test_imputation_gives_the_published_numbers():
    hepatic = verification_corrected_from_counts(HEPATIC, method="mi", m=200, seed=11)
    assert (hepatic.sensitivity, hepatic.specificity) == pytest.approx((0.8360735, 0.7382869), abs=0.004)
    # Published .8098/.5844, from a finite number of draws of a table in which 5 missed cases were seen.
    spect = verification_corrected_from_counts(SPECT, method="mi", m=5000, seed=11)
    assert spect.sensitivity == pytest.approx(0.8098, abs=0.005) and spect.specificity == pytest.approx(
        0.5844, abs=0.006
    )


def test_imputation_with_covariates_is_near_mice_and_repeats_itself(wave, oracle):
    test, covariates, case = wave
    runs = [verification_corrected(test, case, covariates=covariates, method="mi", m=400, seed=3) for _ in range(2)]
    assert four(runs[0]) == four(runs[1])
    assert four(runs[0])[:2] == pytest.approx(list(oracle.loc[("wave", "mi")])[:2], abs=0.004)
    assert four(runs[0])[2:] == pytest.approx(list(oracle.loc[("wave", "mi")])[2:], rel=0.06)
    school = np.arange(len(test)) // 100
    clustered = verification_corrected(test, case, covariates=covariates, method="mi", m=20, seed=3, cluster=school)
    assert clustered.n_clusters == 60 and clustered.to_frame()["df"].max() <= 59


def test_rows_and_counts_give_the_same_digits():
    test, case = rows_of(HEPATIC)
    for options in ({}, {"method": "ipw"}, {"method": "mi", "m": 5, "seed": 1}):
        rows = verification_corrected(test, case, **options)
        counts = verification_corrected_from_counts(HEPATIC, **options)
        pd.testing.assert_frame_equal(rows.to_frame(), counts.to_frame(), check_exact=True)
    strata = np.concatenate([np.zeros(len(test)), np.ones(len(rows_of(SPECT)[0]))]).astype(int).astype(str)
    both = [np.concatenate(pair) for pair in zip(rows_of(HEPATIC), rows_of(SPECT), strict=True)]
    rows = verification_corrected(*both, covariates=pd.Series(strata))
    counts = verification_corrected_from_counts([HEPATIC, SPECT])
    np.testing.assert_allclose(rows.terms.iloc[:, 1:5], counts.terms.iloc[:, 1:5], rtol=1e-12)


def test_a_score_band_beside_the_test_is_no_obstacle(wave):
    test, covariates, case = wave
    band = np.where(test == 1, "high", np.where(covariates["sex"] == 1, "low", "middle"))
    sides = covariates[["sex"]].where(test == 0, 0)
    for options in ({"model": "logistic"}, {"model": "logistic", "method": "ipw"}):
        one = verification_corrected(test, case, covariates=pd.Series(band), **options)
        two = verification_corrected(test, case, covariates=sides, **options)
        assert four(one) == pytest.approx(four(two), rel=1e-8)


def test_a_cutoff_turns_scores_into_a_test(rng):
    score = rng.integers(0, 20, 500)
    case = np.where(rng.random(500) < 0.6, rng.random(500) < score / 25, np.nan)
    assert four(verification_corrected(score, case, cutoff=10)) == four(verification_corrected(score >= 10, case))


def test_by_hand():
    # 10 positives, half of the 4 seen cases; 10 negatives, 1 of 5 seen a case: 5 found, 2 missed.
    found = verification_corrected_from_counts(VerificationCounts(2, 2, 1, 4, 6, 5))
    assert (found.sensitivity, found.specificity, found.prevalence) == pytest.approx((5 / 7, 8 / 13, 7 / 20))


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.integers(1, 60)] * 4), st.tuples(st.integers(0, 300), st.integers(0, 300)))
def test_everything_lies_inside_its_bounds_and_turns_round(seen, unseen):
    tp, fp, fn, tn = seen
    found = verification_corrected_from_counts(VerificationCounts(tp, fp, fn, tn, *unseen))
    frame = found.to_frame()
    assert (frame["conf_low"] <= frame["estimate"] + 1e-12).all()
    assert (frame["estimate"] <= frame["conf_high"] + 1e-12).all()
    turned = verification_corrected_from_counts(VerificationCounts(tn, fn, fp, tp, *unseen[::-1]))
    assert turned.sensitivity == pytest.approx(found.specificity)
    if sum(unseen) == 0:
        assert found.sensitivity == pytest.approx(tp / (tp + fn))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "mi"}, ParamsError, "needs m >= 2 and a seed"),
        ({"m": 5, "seed": 1}, ParamsError, "not used by method 'begg_greenes'"),
        ({"method": "mi", "m": 5, "seed": 1, "model": "cells"}, ParamsError, "imputation is logistic"),
        ({"verification_probability": [1] * 8}, ParamsError, "is not used by method 'begg_greenes'"),
        ({"method": "ipw", "verification_probability": [0] * 8}, DataError, "no probability above 0"),
        ({"method": "guess"}, ParamsError, "'guess' is not known"),
        ({"model": "forest"}, ParamsError, "'forest' is not known"),
        ({"cluster": [1] * 8}, DesignError, "one cluster"),
        ({"covariates": [1, 2, None, 4, 5, 6, 7, 8]}, DataError, "1 of 8 rows miss a covariate"),
        ({"covariates": list(range(8))}, DesignError, "hold nobody verified (test negative and positive)"),
        ({"covariates": [0, 1, 0, 1, 0, 1, 0, 1], "model": "logistic"}, DesignError, "does not exist"),
        ({"covariates": [0, 0, 0, 1] * 2, "model": "logistic"}, DesignError, "cannot be told apart"),
    ],
)  # fmt: skip
def test_what_it_refuses(options, error, words):
    test, case = [1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, None, 0, 1, 0, None]
    if "does not exist" in words:
        case = [0, 1, 0, None, 0, 1, 0, None]
    with pytest.raises(error) as raised:
        verification_corrected(test, case, **options)
    assert words in str(raised.value)


def test_the_centre_of_the_surface_is_begg_and_greenes(wave):
    test, covariates, case = wave
    school = np.arange(len(test)) // 100
    for model in ("cells", "logistic"):
        options = {"covariates": covariates, "model": model, "cluster": school}
        centre = verification_sensitivity(test, case, odds_ratio_positive=[1], odds_ratio_negative=[1], **options)
        wanted = verification_corrected(test, case, **options).to_frame().set_index("term")
        for row in centre.to_frame().itertuples():
            values = (row.estimate, row.std_error, row.conf_low, row.conf_high)
            assert values == pytest.approx(tuple(wanted.loc[row.term].iloc[:4].astype(float)), rel=1e-9)


def test_the_surface_by_hand_and_its_tipping_points():
    found = verification_sensitivity_from_counts(HEPATIC, thresholds={"sensitivity": 0.7, "specificity": 0.9})
    row = found.table.query("odds_ratio_positive == 1 and odds_ratio_negative == 0.5").iloc[0]
    # Seen negatives: 27 cases to 54, odds 1/2; unseen at odds ratio 1/2: odds 1, so 70 of 140.
    above = 231 + 166 * 231 / 263
    assert row["sensitivity"] == pytest.approx(above / (above + 27 + 70))
    by_side = found.tipping.set_index(["measure", "side"])
    at = by_side.loc[("sensitivity", "negative"), "odds_ratio"]
    again = verification_sensitivity_from_counts(HEPATIC, odds_ratio_positive=[1], odds_ratio_negative=[at])
    assert again.table["sensitivity"][0] == pytest.approx(0.7, abs=1e-9)
    assert at < by_side.loc[("sensitivity", "negative"), "odds_ratio_bound"] < 1
    assert math.isnan(by_side.loc[("sensitivity", "positive"), "odds_ratio"])
    assert by_side.loc[("specificity", "negative"), "odds_ratio"] == 1, "below the threshold already"
    falls = found.table.query("odds_ratio_positive == 1")["sensitivity"]
    assert (np.diff(falls) > 0).all(), "fewer missed cases hide as the odds ratio grows"


def test_surface_rows_and_counts_give_the_same_digits():
    test, case = rows_of(SPECT)
    rows, counts = verification_sensitivity(test, case), verification_sensitivity_from_counts(SPECT)
    pd.testing.assert_frame_equal(rows.to_frame(), counts.to_frame(), check_exact=True)


def test_the_area_at_the_centre_is_the_weighted_one(rng):
    score, case, _, truth = dependent_wave(rng)
    found = verification_sensitivity(score, case, cutoff=7, odds_ratio_positive=[1, 0.5], odds_ratio_negative=[1, 0.5])
    one = found.table.iloc[0]["auc"]
    weighted = verification_corrected_roc(score, case, seed=1, n_boot=0).auc
    assert one == pytest.approx(weighted, abs=0.002)
    planted = found.table.iloc[-1]["auc"]
    assert abs(planted - roc(score, truth).auc) < 0.004 < abs(one - roc(score, truth).auc)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"odds_ratio_negative": [0]}, "positive numbers"), ({"thresholds": {"auc": 0.5}}, "no measure with a tipping"),
     ({"thresholds": {"sensitivity": 1}}, "between 0 and 1")],
)  # fmt: skip
def test_what_the_surface_refuses(options, words):
    with pytest.raises(ParamsError, match=words):
        verification_sensitivity_from_counts(HEPATIC, **options)


def test_likelihood_finds_a_planted_dependence(rng):
    score, case, covariates, truth = dependent_wave(rng)
    found = nonignorable_verification(score, case, cutoff=7, covariates=covariates)
    rows = found.to_frame().set_index("term")
    # The planted model of the case status given test and covariates is logistic only nearly: the score carries more.
    planted = (truth & (score >= 7)).sum() / truth.sum()
    assert found.sensitivity == pytest.approx(planted, abs=3 * rows.loc["sensitivity", "std_error"])
    assert found.log_odds_ratio == pytest.approx(math.log(0.5), abs=3 * rows.loc["log_odds_ratio", "std_error"])
    ignorable = verification_corrected(score, case, cutoff=7, covariates=covariates, model="logistic")
    assert ignorable.sensitivity - found.sensitivity > 0.03


def test_no_covariate_no_dependence():
    test, case = rows_of(SPECT)
    with pytest.raises(DesignError, match="do not tell how verification depended"):
        nonignorable_verification(test, case, covariates=pd.DataFrame(index=range(len(test))))
    idle = np.random.default_rng(7).integers(0, 2, len(test))
    with pytest.raises(DesignError, match="do not tell how verification depended"):
        nonignorable_verification(test, case, covariates=pd.Series(idle))


def test_bands_and_covariates_of_the_corrected_area(rng):
    n = 30_000
    sex = rng.integers(0, 2, n)
    score = rng.poisson(5, n)
    case = rng.random(n) < 1 / (1 + np.exp(5 - 0.4 * score - 2 * sex + 0.5 * sex * (score >= 8)))
    seen = rng.random(n) < np.where((score >= 8) == (sex == 1), 0.8, 0.1)
    reference = np.where(seen, case, np.nan)
    truth = roc(score, case).auc
    options = {"seed": 1, "n_boot": 200, "bands": [4, 6, 8, 10]}
    adjusted = {
        method: verification_corrected_roc(score, reference, method=method, covariates=sex, **options)
        for method in ("ipw", "begg_greenes")
    }
    crude = verification_corrected_roc(score, reference, **options)
    naive = roc(score[seen], case[seen]).auc
    assert abs(adjusted["ipw"].auc - truth) < 3 * adjusted["ipw"].std_error
    assert abs(adjusted["ipw"].auc - adjusted["begg_greenes"].auc) < 0.02, "bands pool scores, weights do not"
    assert abs(crude.auc - truth) > abs(adjusted["ipw"].auc - truth) and abs(naive - truth) > 0.02
    with pytest.raises(DesignError, match="cells of score band and covariates hold nobody verified"):
        verification_corrected_roc(score, reference, seed=1, covariates=np.where(seen, 1, sex * 2), n_boot=0)


@pytest.mark.parametrize("clustered", [False, True])
def test_three_ways_to_the_corrected_area_agree(rng, clustered):
    n = 30_000
    school = np.repeat(np.arange(100), 300)
    score = rng.binomial(20, 1 / (1 + np.exp(1 - rng.normal(size=n) - 0.5 * rng.normal(size=100)[school])))
    case = rng.random(n) < 1 / (1 + np.exp(5 - 0.35 * score - 0.4 * rng.normal(size=100)[school]))
    reference = np.where(rng.random(n) < np.where(score >= 10, 0.8, 0.1), case, np.nan)
    cluster = school if clustered else None
    filled = verification_imputed_roc(score, reference, m=30, seed=1, cluster=cluster)
    others = [
        verification_corrected_roc(score, reference, seed=1, n_boot=300, method=method, cluster=cluster)
        for method in ("ipw", "begg_greenes")
    ]
    truth = roc(score, case).auc
    for found in (filled, *others):
        assert abs(found.auc - truth) < 2.5 * found.std_error and abs(found.auc - filled.auc) < 0.01
        assert found.std_error == pytest.approx(others[0].std_error, rel=0.35)
    whole = verification_imputed_roc(score, case, m=2, seed=1)
    assert (whole.auc, whole.std_error) == pytest.approx((truth, roc(score, case).std_error), rel=1e-9)
    with pytest.raises(ParamsError, match="2 or more"):
        verification_imputed_roc(score, reference, m=1, seed=1)


def test_refusal_by_missed_cases():
    def counts(fn):
        return VerificationCounts(100, 100, fn, 200, 0, 5000)

    codes = [getattr(corrected_refusal(counts(fn)), "code", None) for fn in (0, 4, 5, 19)]
    assert codes == ["few_false_negatives", "few_false_negatives", None, None]
    assert [false_negatives_check(counts(fn)).passed for fn in (5, 19, 20)] == [False, False, True]
    assert bands_check([5, 9, 0], [100, 50, 0]).passed and not bands_check([4, 9, 80], [100, 50, 0]).passed
    assert corrected_refusal(VerificationCounts(10, 5, 0, 0, 0, 900)).code == "no_verified_negatives"


def test_predictive_values_of_an_enriched_sample_are_refused():
    for sampling in ("case_control", "enriched", "two_phase"):
        assert predictive_values_refusal(sampling, weighted=False).code == "unweighted_predictive_values"
        assert predictive_values_refusal(sampling, weighted=True) is None
    assert predictive_values_refusal("random", weighted=False) is None
    # PHQ-2-C: 322 high against 312 low scorers, of a city where one in ten screens high.
    found = predictive_values_refusal("random", weighted=False, n_positive=322, n=634, screened_positive_share=0.1)
    assert found.code == "enriched_sample"
    assert (
        predictive_values_refusal("random", weighted=False, n_positive=62, n=634, screened_positive_share=0.1) is None
    )
    with pytest.raises(ParamsError, match="'quota' is not known"):
        predictive_values_refusal("quota", weighted=False)


def test_a_criterion_made_from_the_screen_is_circular(rng):
    n = 300
    items = pd.DataFrame(rng.integers(0, 4, (n, 5)), columns=list("abcde"))
    score = items.sum(axis=1)
    interview = rng.random(n) < score / 20
    assert circular_criterion_refusal(score, interview, items=items) is None
    honest = pd.DataFrame({"grade": np.where(interview, rng.integers(1, 4, n), 0), "x": rng.integers(0, 4, n)})
    assert circular_criterion_refusal(score, interview, items=items, criterion=honest) is None
    made = {
        "cut": score >= 8, "cubed": score**3, "banded": np.digitize(score, [5, 8, 11]), "falling": 100 - 2 * score,
        "renamed": items["c"], "reversed": 3 - items["c"], "dichotomised": items["d"] >= 2,
    }  # fmt: skip
    for name, column in made.items():
        found = circular_criterion_refusal(score, interview, items=items, criterion=pd.DataFrame({"q": column}))
        assert found is not None and found.code == "circular_criterion", name
    assert circular_criterion_refusal(score, score < 8).code == "circular_criterion", "in either direction"
    spoilt = made["cubed"].astype(float)
    spoilt.iloc[:3] = 0
    assert circular_criterion_refusal(score, interview, criterion=pd.DataFrame({"q": spoilt})) is None


def test_no_interview_is_better_placed_in_another_band(rng):
    score = rng.binomial(27, 0.2, 20_000)
    rates = np.array([0.002, 0.01, 0.04])
    bands = allocate_verification(score, cutoff=10, n=600, bands=[4, 7], case_rate=rates)
    people, sample = bands["n_people"].to_numpy(), bands["n_sample"].to_numpy()

    def variance(n):
        """Of the estimated number of missed cases."""
        return (people**2 * rates * (1 - rates) / n).sum()

    assert sample.sum() == 600 and (sample <= people).all()
    assert variance(sample) < variance(600 * people / people.sum())
    for to in range(3):
        for off in range(3):
            moved = sample.copy()
            moved[to], moved[off] = moved[to] + 2, moved[off] - 2
            if to != off and (moved <= people).all() and (moved > 0).all():
                assert variance(moved) >= variance(sample) * (1 - 1e-9)
