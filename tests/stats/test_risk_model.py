"""The risk that one wave hands on to the next."""

import numpy as np
import pytest
import statsmodels.api as sm

from mhlib.errors import DataError, DesignError
from mhlib.stats.accuracy import risk_of_score


def wave(n=2000, seed=4):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 28, n).astype(float)
    return score, (rng.random(n) < 1 / (1 + np.exp(4 - 0.25 * score))).astype(float), rng.uniform(1, 20, n)


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_logistic_regression_of_the_rows(weighted):
    score, case, weight = wave()
    found = risk_of_score(score, case, weights=weight if weighted else None)
    peer = sm.GLM(case, sm.add_constant(score), family=sm.families.Binomial(),
                  freq_weights=weight if weighted else None).fit(tol=1e-14)  # fmt: skip
    assert (found.intercept, found.slope) == pytest.approx(tuple(peer.params), abs=1e-9)
    assert tuple(found.to_frame()["std_error"]) == pytest.approx(tuple(peer.bse), abs=1e-9)


def test_two_scores_by_hand():
    """Odds 1:3 at 0 and 3:1 at 1: intercept -log 3, slope 2 log 3."""
    found = risk_of_score([0, 0, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1, 1, 1, 0])
    assert (found.intercept, found.slope) == pytest.approx((-np.log(3), 2 * np.log(3)), abs=1e-10)


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(DesignError, match="parts cases from non-cases"):
        risk_of_score([0, 0, 1, 1], [0, 0, 1, 1])
    with pytest.raises(DesignError, match="does not vary"):
        risk_of_score([3, 3, 3, 3], [0, 1, 0, 1])
    with pytest.raises(DataError, match="1 of 4 values are missing"):
        risk_of_score([0, 1, 2, 3], [0, 1, None, 1])
