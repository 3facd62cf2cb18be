"""Eighteen schools by lot (simulated by Huang, Zhang & Li 2022, data `crct` of R package CR2, MIT licence), by every estimator.

The committed table counts pupils of the same school and answers; the figures are those of R 4.2 (clubSandwich, lme4, lmerTest).
"""

from pathlib import Path

import pandas as pd
import pytest

from mhlib.stats.effects import cluster_robust, multilevel, random_intercept_logit

COUNTS = Path(__file__).resolve().parents[1] / "oracle" / "restorative_counts.csv"
MODEL = "odr_post ~ trt + odr_pre + female + race_Black + size + stype_elem + stype_ms"


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    counts = pd.read_csv(COUNTS)
    return counts.loc[counts.index.repeat(counts.pop("n"))].reset_index(drop=True)


def row(result) -> pd.Series:
    return result.to_frame().set_index("term").loc["trt"]


def test_every_pupil_is_there(pupils):
    assert (
        len(pupils) == 4233 and pupils["usid"].nunique() == 18 and pupils.groupby("trt")["usid"].nunique().eq(9).all()
    )


def test_robust_errors_of_shares_by_school(pupils):
    found = row(cluster_robust(MODEL, pupils, cluster="usid"))
    assert found[["estimate", "std_error"]].tolist() == pytest.approx((-0.0803593282, 0.0296014051), abs=1e-10)
    assert found["df"] == pytest.approx(11.910245, abs=1e-6) and found["p_value"] == pytest.approx(
        0.01889981732, abs=1e-11
    )


def test_robust_errors_of_the_logit_by_school(pupils):
    found = row(cluster_robust(MODEL, pupils, cluster="usid", family="binomial"))
    # glm's default stop leaves its weights one step behind: error and df of the printed run differ from the maximum's by 4e-6;
    # with a tight stop R gives p .016257413734 (make_restorative.R).
    assert found["estimate"] == pytest.approx(-0.7145951678, abs=1e-8)
    assert found["std_error"] == pytest.approx(0.2525854275, rel=5e-6) and found["df"] == pytest.approx(
        11.107516, rel=5e-6
    )
    assert found["p_value"] == pytest.approx(0.016257413734, abs=1e-10)


def test_the_mixed_model(pupils):
    found = multilevel(MODEL, pupils, groups=["usid"]).fixed.set_index("term").loc["trt"]
    assert found[["estimate", "std_error"]].tolist() == pytest.approx((-0.0661277451, 0.0321795898), abs=2e-8)
    assert found["df"] == pytest.approx(12.6946, abs=2e-3) and found["p_value"] == pytest.approx(0.0610632, abs=5e-6)


def test_the_mixed_logit(pupils):
    found = row(random_intercept_logit(MODEL, pupils, group="usid", nodes=1))
    # glmer stops within its own tolerance of the maximum.
    assert found["estimate"] == pytest.approx(-0.6243304362, abs=3e-4)
    assert found["std_error"] == pytest.approx(0.235141288, rel=3e-3)
