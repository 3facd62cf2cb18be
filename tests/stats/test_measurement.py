"""Reliability and item analysis against R (tests/oracle/make.R), by hand, at the edges and as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import MhlibError
from mhlib.stats.measurement import (
    alpha_from_covariance,
    cronbach_alpha,
    item_analysis,
    omega,
    omega_from_covariance,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
COVARIANCES = pd.read_csv(ORACLE / "bfi_covariances.csv")
VALUES = pd.read_csv(ORACLE / "bfi_reliability.csv").set_index("scale")
# lavaan stops its search at a relative change of 1e-10, which leaves its omega two millionths from the optimum.
EXACT, FITTED = 1e-10, 2e-6


def covariance(scale: str) -> tuple[np.ndarray, int]:
    rows = COVARIANCES[COVARIANCES["scale"] == scale]
    return rows[[f"i{j}" for j in range(1, 6)]].to_numpy(), int(rows["n"].iloc[0])


@pytest.mark.parametrize("scale", list(VALUES.index))
def test_alpha_and_omega_equal_r(scale):
    cov, n = covariance(scale)
    found = alpha_from_covariance(cov, n)
    assert found.alpha == pytest.approx(VALUES.loc[scale, "alpha"], abs=EXACT)
    assert found.alpha_standardised == pytest.approx(VALUES.loc[scale, "alpha_std"], abs=EXACT)
    fitted = omega_from_covariance(cov, n)
    assert fitted.omega == pytest.approx(VALUES.loc[scale, "omega"], abs=FITTED)
    assert fitted.omega_observed == pytest.approx(VALUES.loc[scale, "omega_observed"], abs=FITTED)


def test_the_feldt_interval_of_neuroticism():
    found = alpha_from_covariance(*covariance("N"))
    assert (found.conf_low, found.conf_high) == pytest.approx((0.8019199905, 0.8242229228), abs=1e-9)


def test_item_analysis_equals_psych():
    expected = pd.read_csv(ORACLE / "bfi_n_items.csv")
    found = item_analysis(pd.read_csv(ORACLE / "bfi_n_rows.csv")).to_frame()
    assert found["estimate"].to_numpy() == pytest.approx(expected["item_rest"].to_numpy(), abs=EXACT)
    for name in ("alpha_if_deleted", "mean", "sd"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(), abs=EXACT)


def test_alpha_by_hand():
    # Two items with variances 1 and covariance .5: alpha = 2 (1 - 2 / 3) = 2 / 3.
    assert alpha_from_covariance([[1, 0.5], [0.5, 1]], 100).alpha == pytest.approx(2 / 3)


def test_a_wrongly_keyed_item_is_named():
    rng = np.random.default_rng(1)
    trait = rng.normal(size=(500, 1))
    items = pd.DataFrame(np.round(trait * [1, 1, 1, -1] + rng.normal(size=(500, 4))), columns=list("abcd"))
    assert item_analysis(items).negative == ("d",)


def test_missing_answers_are_left_out_and_counted():
    items = pd.DataFrame(np.random.default_rng(2).integers(0, 4, (50, 4)).astype(float))
    items.iloc[:7, 0] = np.nan
    found = cronbach_alpha(items)
    assert (found.n_used, found.n_excluded) == (43, 7)
    assert found.alpha == pytest.approx(cronbach_alpha(items.dropna()).alpha)


@pytest.mark.parametrize("items", [[[1], [2], [3]], [[1, 2], [np.nan, 1], [2, np.nan]], [[1, 1], [1, 2], [1, 3]]])
def test_what_cannot_be_estimated_is_an_error_of_ours(items):
    with pytest.raises(MhlibError):
        cronbach_alpha(np.array(items, dtype=float))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-5, 5))
def test_reliability_does_not_hang_on_unit_or_origin(seed, unit, origin):
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
    plain, moved = (omega(rows).omega for rows in (items, unit * items + origin))
    assert plain == pytest.approx(moved, abs=1e-5)
    assert cronbach_alpha(items).alpha == pytest.approx(cronbach_alpha(unit * items + origin).alpha, abs=1e-9)
    assert cronbach_alpha(items[:, ::-1]).alpha == pytest.approx(cronbach_alpha(items).alpha, abs=1e-12)


def test_every_oracle_that_a_docstring_names_is_there(root):
    import re

    named = {
        found
        for path in (root / "mhlib").rglob("*.py")
        for found in re.findall(r"tests/[\w/]+\.(?:csv|py|R)", path.read_text(encoding="utf-8"))
    }
    assert named and all((root / path).is_file() for path in named), named
