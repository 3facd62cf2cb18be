"""The graded response model of the data Science against what mirt prints and against base R.

mirt stops its EM once no parameter moves by 1e-4 and is then 1.3e-4 below the maximum. So mhlib is compared twice: at the
parameters where mirt stopped, to every printed digit, and at its own maximum, which base R confirms, within the distance
that this lower log-likelihood allows.
"""

import dataclasses
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq

from mhlib.stats.measurement import (
    GradedResponseResult,
    graded_response,
    graded_response_from_counts,
    local_dependence,
    measurement_precision,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
SCIENCE = pd.read_csv(ORACLE / "irt_science.csv")
ITEMS = ["Comfort", "Work", "Future", "Benefit"]
PATTERNS, PEOPLE = SCIENCE[ITEMS].to_numpy(), SCIENCE["freq"].to_numpy()
PRINTED = pd.read_csv(ORACLE / "irt_science_expected.csv", dtype={"of": str}, keep_default_na=False)
# Not the library's: 61 points from -6 to 6, mirt's default, and the normal weights.
THETA = np.linspace(-6, 6, 61)
WEIGHT = stats.norm.pdf(THETA) / stats.norm.pdf(THETA).sum()


def printed(quantity: str) -> np.ndarray:
    """The values of one printed quantity, in the order of the file."""
    return PRINTED.loc[PRINTED["quantity"] == quantity, "value"].to_numpy()


def rows() -> pd.DataFrame:
    return SCIENCE.loc[SCIENCE.index.repeat(PEOPLE), ITEMS].reset_index(drop=True)


def printed_margins() -> list[np.ndarray]:
    """Expected people in each category of each item, from mirt's two-way tables (seven digits)."""
    tables = printed("expected_pair").reshape(2, 4, 4)
    return [margin for table in tables for margin in (table.sum(axis=1), table.sum(axis=0))]


def intercepts_behind(margin: np.ndarray, slope: float) -> list[float]:
    """The intercepts that give these margins at this slope; mirt prints slopes to nine digits, intercepts to three."""
    above = 1 - np.cumsum(margin[:3]) / margin.sum()
    return [brentq(lambda d, p=p: WEIGHT @ (1 / (1 + np.exp(-slope * THETA - d))) - p, -9, 9) for p in above]


def pattern_shares(model: GradedResponseResult, patterns: np.ndarray) -> np.ndarray:
    """Probability of each pattern of answers 1 to 4 by the model's public curves."""
    probability = model.curves_at(THETA).probability.reshape(4, 4, 61)
    return probability[np.arange(4), patterns - 1].prod(axis=1) @ WEIGHT


@pytest.fixture(scope="module")
def model() -> GradedResponseResult:
    return graded_response(rows())


@pytest.fixture(scope="module")
def stopped(model) -> GradedResponseResult:
    """The model at the parameters where mirt stopped."""
    slopes = printed("slope")
    d = [intercepts_behind(margin, slope) for margin, slope in zip(printed_margins(), slopes, strict=True)]
    thresholds = tuple(-np.array(own) / slope for own, slope in zip(d, slopes, strict=True))
    return dataclasses.replace(model, slopes=slopes, intercepts=np.concatenate(d), thresholds=thresholds)


def test_the_patterns_are_the_published_ones():
    # 392 people; numbers of each item that mirt prints elsewhere; each std.res follows from freq and exp.
    assert (len(SCIENCE), PEOPLE.sum(), SCIENCE.duplicated(ITEMS).sum()) == (90, 392, 0)
    shares = [np.bincount(PATTERNS[:, j], weights=PEOPLE)[1:] / 392 for j in range(4)]
    wanted = [[0.013, 0.082, 0.679, 0.227], [0.084, 0.250, 0.526, 0.140], [0.036, 0.184, 0.536, 0.245]]
    assert np.allclose(shares, [*wanted, [0.054, 0.255, 0.492, 0.199]], atol=5.1e-4)
    expected = printed("expected")
    rounding = 5.1e-4 * (1 + (PEOPLE + expected) / (2 * expected**1.5))
    assert (np.abs((PEOPLE - expected) / np.sqrt(expected) - printed("std_res")) < rounding).all()


def test_where_mirt_stopped_every_printed_digit_is_found(stopped):
    share = pattern_shares(stopped, PATTERNS)
    assert PEOPLE @ np.log(share) == pytest.approx(printed("loglik")[0], abs=5.1e-6)
    assert 392 * share == pytest.approx(printed("expected"), abs=5.1e-4)
    assert (PEOPLE - 392 * share) / np.sqrt(392 * share) == pytest.approx(printed("std_res"), abs=5.1e-4)
    assert stopped.thresholds[0] == pytest.approx(printed("threshold"), abs=1e-6)
    precision = measurement_precision(stopped)
    curve = np.interp(np.arange(-3.0, 4), precision.curve["theta"], precision.curve["information"])
    assert curve == pytest.approx(printed("information"), abs=6e-6)
    assert precision.marginal_reliability == pytest.approx(printed("marginal_reliability")[0], abs=5.1e-6)


def test_where_mirt_stopped_local_dependence_and_pearson_are_found(stopped):
    pairs = local_dependence(stopped).pairs.set_index(["first", "second"]).loc[list(combinations(ITEMS, 2))]
    for quantity, column in (("ld", "statistic"), ("cramers_v", "cramers_v"), ("q3", "q3")):
        assert pairs[column].to_numpy() == pytest.approx(printed(quantity), abs=5.1e-4), quantity
    assert (pairs["df"] == 9).all()
    every = np.array(list(product(range(1, 5), repeat=4)))
    seen = SCIENCE.set_index(ITEMS)["freq"].reindex(pd.MultiIndex.from_arrays(every.T), fill_value=0).to_numpy()
    expected = 392 * pattern_shares(stopped, every)
    assert ((seen - expected) ** 2 / expected).sum() == pytest.approx(printed("pearson_x2")[0], abs=5.1e-5)
    assert len(every) - 1 - stopped.n_parameters == printed("pearson_df")[0]


def test_our_maximum_is_that_of_base_r(model):
    table = pd.read_csv(ORACLE / "irt_science_optim.csv")
    assert model.log_likelihood == pytest.approx(table["loglik"].iloc[0], abs=1e-8)
    found = np.concatenate([model.slopes, model.intercepts])
    # Our search stops when a further step would gain less than 1e-9: sqrt(1e-9) of a standard error, 1.5e-5 here.
    assert found == pytest.approx(table["estimate"].to_numpy(), abs=2e-5)
    error = np.sqrt(np.diag(model.covariance))[:4]
    assert error == pytest.approx(table["std_error"].to_numpy()[:4], rel=1e-4)
    assert (model.n_used, model.n_parameters, model.converged, model.n_patterns) == (392, 16, True, 90)


def test_mirt_is_as_near_to_our_maximum_as_its_log_likelihood_allows(model, stopped):
    lost = model.log_likelihood - printed("loglik")[0]
    assert 0 < lost < 2e-4
    # A log-likelihood lower by `lost` puts no parameter further off than sqrt(2 lost) of its standard error.
    reach = 1.02 * np.sqrt(2 * lost) * np.sqrt(np.diag(model.covariance))
    ours, theirs = (np.concatenate([m.slopes, *m.thresholds]) for m in (model, stopped))
    assert (np.abs(ours - theirs) < reach).all()
    # The same log-likelihood moves the expected frequencies by less than 0.01 of up to 52 people (measured: 0.0094).
    assert 392 * pattern_shares(model, PATTERNS) == pytest.approx(printed("expected"), abs=0.01)


def test_patterns_with_counts_give_the_fit_of_the_rows(model):
    other = graded_response_from_counts(SCIENCE[ITEMS], PEOPLE)
    assert other.log_likelihood == pytest.approx(model.log_likelihood, abs=1e-10)
    assert np.concatenate([other.slopes, other.intercepts]) == pytest.approx(
        np.concatenate([model.slopes, model.intercepts]), abs=1e-9
    )
