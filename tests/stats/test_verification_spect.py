"""SPECT thallium with its covariates: the published corrections, and what the published non-ignorable figure means.

Counts by sex, stress mode, age, test and disease (d = -1: not verified) of 2,688 patients: Cecil et al. (1996) J Clin
Epidemiol 49:735; Kosinski & Barnhart (2003) Biometrics 59:163; taken from data/cad_pvb.csv of the R package PVBcorrect.
The published figures are PVBcorrect 0.3.1's. sex 1 = male, stress 1 = dipyridamole, age 1 = 60 and above.
"""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from mhlib.errors import DesignError
from mhlib.stats.accuracy import (
    VerificationCounts,
    nonignorable_verification,
    verification_corrected,
    verification_corrected_from_counts,
    verification_nonignorable,
    verification_sensitivity,
    verification_sensitivity_from_counts,
)

SPECT = VerificationCounts(195, 232, 5, 39, 996, 1221)
COVARIATES = ["sex", "stress", "age"]
PUBLISHED_NONIGNORABLE = (0.7126, 0.6444)


@pytest.fixture(scope="module")
def counts():
    return pd.read_csv(Path(__file__).resolve().parents[1] / "oracle" / "spect_counts.csv")


@pytest.fixture(scope="module")
def spect(counts):
    """One row a patient: test, reference (missing where not verified), covariates."""
    rows = counts.loc[counts.index.repeat(counts["n"])].reset_index(drop=True)
    return rows["t"], rows["d"].where(rows["d"] >= 0), rows[COVARIATES]


def pair(found):
    return [found.sensitivity, found.specificity]


def test_the_counts_have_the_published_margins(counts):
    assert counts["n"].sum() == 2688 and not counts.duplicated([*COVARIATES, "t", "d"]).any()
    table = counts.pivot_table(index="t", columns="d", values="n", aggfunc="sum")
    assert table.loc[1, [1, 0, -1]].tolist() == [195, 232, 996]
    assert table.loc[0, [1, 0, -1]].tolist() == [5, 39, 1221]


def test_complete_cases_and_begg_greenes_are_the_published_ones(spect):
    test, case, _ = spect
    seen = case.notna()
    assert [test[case == 1].mean(), 1 - test[seen & (case == 0)].mean()] == pytest.approx([0.9750, 0.1439], abs=5e-5)
    found = verification_corrected(test, case)
    assert pair(found) == pytest.approx([0.818863, 0.591875], abs=5e-7)
    assert pair(found) == pytest.approx(pair(verification_corrected_from_counts(SPECT)), rel=1e-12)


def test_the_published_covariate_figures_are_logistic_main_effects(spect):
    # logit P(D | T, X) = T + sex + stress + age among the verified, predicted for everyone (Alonzo & Pepe 2005). No
    # other counts one patient away (same test and disease, another pattern) give these six digits.
    test, case, covariates = spect
    found = verification_corrected(test, case, covariates=covariates, model="logistic")
    assert pair(found) == pytest.approx([0.828957, 0.590692], abs=5e-7)


def test_every_combination_of_covariates_gives_another_answer(spect):
    test, case, covariates = spect
    one, two = (
        verification_corrected(test, case, covariates=covariates, method=m, model="cells")
        for m in ("begg_greenes", "ipw")
    )
    assert pair(one) == pytest.approx(pair(two), rel=1e-12)
    # Five diseased test negatives in eight cells: the saturated answer is four points away from the smooth one.
    by_cell = counts_by_hand(test, case, covariates)
    assert pair(one) == pytest.approx(by_cell, rel=1e-12) and one.sensitivity > 0.86


def counts_by_hand(test, case, covariates):
    """Begg & Greenes with a rate of its own for every cell, from group means."""
    cells = pd.DataFrame({"t": test, "d": case, **covariates}).groupby(["t", *COVARIATES])["d"].agg(["mean", "size"])
    ill, well = cells["mean"] * cells["size"], (1 - cells["mean"]) * cells["size"]
    return [ill.loc[1].sum() / ill.sum(), well.loc[0].sum() / well.sum()]


def test_weights_by_a_logistic_model_are_those_of_statsmodels(spect):
    import statsmodels.api as sm

    test, case, covariates = spect
    found = verification_corrected(test, case, covariates=covariates, method="ipw", model="logistic")
    seen, weight = case.notna(), pd.Series(0.0, index=test.index)
    for side in (0, 1):
        chosen = test == side
        design = sm.add_constant(covariates[chosen].astype(float))
        chance = sm.GLM(seen[chosen].astype(float), design, family=sm.families.Binomial()).fit().fittedvalues
        weight[chosen] = seen[chosen] / chance
    ill, well = weight * (case == 1), weight * (case == 0)
    expected = [ill[test == 1].sum() / ill.sum(), well[test == 0].sum() / well.sum()]
    # Iterations of the two fits stop apart in the ninth digit.
    assert pair(found) == pytest.approx(expected, rel=1e-7)


def test_imputation_differs_from_mice_by_mices_pseudo_observations(spect):
    # Published .8098/.5844 has the Monte Carlo error of its unknown m: between imputations the SD is .057/.015, so .006
    # at m = 100. In the long run mice's logreg is at .806/.585: it adds pseudo-patients of total weight p + 1, half of
    # them diseased, which lifts the rate among test negatives (5 of 44). Ours adds nobody and is at .822/.588.
    test, case, covariates = spect
    found = verification_corrected(test, case, covariates=covariates, method="mi", m=2000, seed=1)
    # Four Monte Carlo errors of m = 2000 around the mean of 40,000 draws made without this package.
    assert found.sensitivity == pytest.approx(0.82192, abs=4 * 0.0571 / math.sqrt(2000))
    assert found.specificity == pytest.approx(0.58833, abs=4 * 0.0151 / math.sqrt(2000))
    # To the published figure: the pseudo-patients' shift (.016/.003) and two Monte Carlo errors of m = 100.
    assert found.sensitivity == pytest.approx(0.8098, abs=0.016 + 2 * 0.0057)
    assert found.specificity == pytest.approx(0.5844, abs=0.003 + 2 * 0.0015)


def test_with_covariates_these_data_do_not_tell_the_dependence(spect, monkeypatch):
    test, case, covariates = spect
    with pytest.raises(DesignError, match="do not tell how verification depended on the case status"):
        nonignorable_verification(test, case, covariates=covariates)
    # What is refused: a maximum exists, but it says odds ratios of verification from .006 to 15.
    monkeypatch.setattr(verification_nonignorable, "WIDEST", 10.0)
    found = nonignorable_verification(test, case, covariates=covariates)
    assert [*pair(found), found.log_odds_ratio] == pytest.approx([0.730626, 0.641157, -1.247089], abs=2e-5)
    assert found.to_frame().set_index("term").loc["log_odds_ratio", "std_error"] == pytest.approx(2.0067, abs=1e-3)
    # The surface that the report shows instead passes close by at this odds ratio, not through the point:
    # it takes the case rates of the verified as they are, the likelihood bends them to fit who was verified.
    share = math.exp(found.log_odds_ratio)
    near = verification_sensitivity(
        test, case, covariates=covariates, model="logistic", odds_ratio_positive=[share], odds_ratio_negative=[share]
    ).table.iloc[0]
    assert near["sensitivity"] == pytest.approx(found.sensitivity, abs=0.02)
    assert near["specificity"] == pytest.approx(found.specificity, abs=0.02)


def em_without_covariates(as_case, as_noncase, *, stop, most=5000):
    """Kosinski & Barnhart's EM with P(D), P(T | D), P(V | T, D) and no covariates: Se, Sp, log OR, log likelihood.

    Every unverified patient enters twice, as a case and as a non-case, with these weights at the start.
    """
    test, case = np.array([1, 1, 0, 0, 1, 0, 1, 0]), np.array([1, 0, 1, 0, 1, 1, 0, 0])
    seen = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    people = np.array([195, 232, 5, 39, 996, 1221, 996, 1221], dtype=float)
    share = np.array([1, 1, 1, 1, as_case, as_case, as_noncase, as_noncase], dtype=float)
    design = np.column_stack([np.ones(8), test, case])
    path, beta = [], np.zeros(3)
    for _ in range(most):
        w = people * share
        p = w @ case / w.sum()
        rates = [w[(test == 1) & (case == d)].sum() / w[case == d].sum() for d in (0, 1)]
        beta = weighted_logistic(design, seen, w, beta)
        chance = expit(design @ beta)
        positive = np.where(case == 1, rates[1], rates[0])
        joint = np.where(case == 1, p, 1 - p) * np.where(test == 1, positive, 1 - positive)
        joint = joint * np.where(seen == 1, chance, 1 - chance)
        both = joint[4:6] + joint[6:]
        share[4:6], share[6:] = joint[4:6] / both, joint[6:] / both
        likelihood = people[:4] @ np.log(joint[:4]) + people[4:6] @ np.log(both)
        # The package watches the coefficients: logit of D, of T given D, of V.
        logits = np.log([p / (1 - p), rates[0] / (1 - rates[0]), rates[1] / (1 - rates[1])])
        path.append(np.array([logits[0], logits[1], logits[2] - logits[1], *beta]))
        if len(path) > 1 and np.abs(path[-1] - path[-2]).max() < stop:
            break
    return rates[1], 1 - rates[0], beta[2], likelihood


def weighted_logistic(design, seen, weight, beta):
    """Newton's method to the end."""
    for _ in range(50):
        fitted = expit(design @ beta)
        information = (design * (weight * fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (weight * (seen - fitted)))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta


def test_the_published_nonignorable_figure_has_no_covariates_and_is_where_em_stopped():
    # PVBcorrect starts at weights of 1 and stops at a change of 1e-4 in any coefficient, its default.
    published = em_without_covariates(1, 1, stop=1e-4)
    assert published[:2] == pytest.approx(PUBLISHED_NONIGNORABLE, abs=5e-5)
    # Six parameters for five free cells: the likelihood is flat, and another start ends elsewhere at the same height.
    ends = [published, *(em_without_covariates(start, 1 - start, stop=1e-6) for start in (0.1, 0.35, 0.65))]
    assert all(two[0] - one[0] > 0.05 for one, two in pairwise(sorted(ends)))
    for end in ends:
        # That height is missing at random's own, and every end is a point of the sensitivity surface.
        assert end[3] == pytest.approx(height_of_missing_at_random(), abs=1e-4)
        share = [math.exp(end[2])]
        row = verification_sensitivity_from_counts(SPECT, odds_ratio_positive=share, odds_ratio_negative=share)
        assert row.table.iloc[0][["sensitivity", "specificity"]].tolist() == pytest.approx(end[:2], abs=5e-4)


def height_of_missing_at_random():
    """Log likelihood of the six cells with chances of their own: no model can do better."""
    cells = np.array([195, 232, 5, 39, 996, 1221], dtype=float)
    return float(cells @ np.log(cells / cells.sum()))
