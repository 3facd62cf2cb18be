"""What published studies must give, and what a study of screen-positives alone must give away."""

import numpy as np
import pytest

from mhlib.data.scales import scale
from mhlib.stats.accuracy import predictive_values_refusal, roc, two_by_two, verification_corrected_roc


def binormal(auc: float, n: int, prevalence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of cases and non-cases whose area under the curve is planted."""
    from scipy.stats import norm

    rng = np.random.default_rng(seed)
    case = rng.random(n) < prevalence
    return rng.normal(size=n) + case * np.sqrt(2) * norm.ppf(auc), case


@pytest.mark.parametrize(
    ("auc", "share", "among_positives"),
    [(0.85, 0.20, 0.71), (0.85, 0.10, 0.68), (0.90, 0.20, 0.77), (0.90, 0.10, 0.73)],
)
def test_interviews_of_positives_alone_shrink_the_area(auc, share, among_positives):
    """Wang 2025 interviewed positives only and found .664 for PHQ-9: what a screen of .80 to .85 looks like there."""
    score, case = binormal(auc, 400_000, 0.05, seed=int(1000 * auc + 100 * share))
    seen = score >= np.quantile(score, 1 - share)
    assert roc(score, case).auc == pytest.approx(auc, abs=0.005)
    # The anchor gives two digits; 400,000 pupils leave a standard error below .004.
    assert roc(score[seen], case[seen]).auc == pytest.approx(among_positives, abs=0.015)


def test_a_few_interviewed_negatives_bring_the_area_back():
    score, case = binormal(0.85, 130_000, 0.05, seed=3)
    points = np.round(4 * score)
    positive = points >= np.quantile(points, 0.8)
    chance = np.where(positive, 0.85, 0.05)
    seen = np.random.default_rng(4).random(len(score)) < chance
    reference = np.where(seen, case.astype(float), np.nan)
    found = verification_corrected_roc(points, reference, seed=1, n_boot=200, verification_probability=chance)
    assert found.conf_low < roc(points, case).auc < found.conf_high
    assert roc(points[seen], case[seen]).auc < found.conf_low


def test_british_bands_would_misgrade_chinese_pupils():
    """Gao 2013: the total of the parent form is borderline from 17 in China and from 14 in Britain."""
    bands = {cut.label: cut.at for cut in scale("sdq_parent").all_cutoffs}
    assert bands == {"borderline, China (UK 14)": 17, "abnormal, China (UK 17)": 19}


# TP, FP, FN, TN rebuilt from the published rates (Richardson 2010; PHQ-2-C in Chinese schools; Allgaier 2012).
COUNTS = {
    "Richardson 2010, PHQ-9 >= 11": ((17, 95, 2, 328), 0.895, 0.775),
    "PHQ-2-C, major depression": ((32, 162, 2, 438), 0.94, 0.73),
    "PHQ-2-C, any depression": ((57, 137, 8, 432), 0.88, 0.76),
    "Allgaier 2012, PHQ-9": ((36, 38, 4, 244), 0.900, 0.865),
    "Allgaier 2012, PHQ-2": ((34, 58, 6, 224), 0.850, 0.794),
    "Allgaier 2012, algorithm": ((21, 15, 19, 267), 0.525, 0.947),
}


@pytest.mark.parametrize("study", COUNTS)
def test_published_sensitivity_and_specificity(study):
    cells, sensitivity, specificity = COUNTS[study]
    found = two_by_two(*cells)
    digits = 0.005 if study.startswith("PHQ-2-C") else 0.0005
    assert found.sensitivity == pytest.approx(sensitivity, abs=digits)
    assert found.specificity == pytest.approx(specificity, abs=digits)


def test_richardson_in_full():
    """The exact upper limit is R's binom.test; the anchor prints .986984, four units off in its last digit."""
    wilson, exact = (two_by_two(17, 95, 2, 328, ci=ci).to_frame().set_index("term") for ci in ("wilson", "exact"))
    assert wilson.loc["ppv", "estimate"] == pytest.approx(0.151786, abs=1e-6)
    assert wilson.loc["npv", "estimate"] == pytest.approx(0.993939, abs=1e-6)
    for frame, limits in ((wilson, (0.686059, 0.970641)), (exact, (0.668623, 0.986988))):
        assert tuple(frame.loc["sensitivity", ["conf_low", "conf_high"]]) == pytest.approx(limits, abs=1e-6)
    assert wilson.loc["lr_positive", "estimate"] == pytest.approx(3.983934, abs=1e-6)
    assert wilson.loc["lr_negative", "estimate"] == pytest.approx(0.135751, abs=1e-6)


def test_predictive_values_of_the_chinese_school_study():
    """16.5 and 29.4 per cent among 194 positives, of a sample that took high and low scorers alike: not of the schools."""
    found = [two_by_two(*COUNTS[name][0]) for name in ("PHQ-2-C, major depression", "PHQ-2-C, any depression")]
    assert [round(100 * one.ppv, 1) for one in found] == [16.5, 29.4]
    assert [round(100 * one.npv, 1) for one in found] == [99.5, 98.2]
    refusal = predictive_values_refusal("enriched", weighted=False)
    assert refusal is not None and refusal.code == "unweighted_predictive_values"
