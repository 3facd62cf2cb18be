"""What the city's trained teachers can do is what was planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mhlib.data.synthetic import planted, skills


@pytest.fixture(scope="module")
def tested() -> pd.DataFrame:
    n = 40_000
    return pd.DataFrame({
        "teacher_pid": [f"T{at}" for at in range(n)], "school_pid": "S1",
        "arm": np.where(np.arange(n) % 2, "training", "wait_list"),
    })  # fmt: skip


def test_the_mean_gain_over_the_tiers_is_the_gain_of_the_training():
    assert sum(tier.share for tier in planted.CASCADE.values()) == pytest.approx(1)
    assert planted.mean_cascade_gain() == pytest.approx(planted.TRAINING_EFFECTS["knowledge"]["post"], abs=0.005)


def test_tiers_come_in_their_shares_and_the_factor_is_one_on_average(tested):
    found = skills.tiers(1, tested["teacher_pid"].to_numpy())
    for name, tier in planted.CASCADE.items():
        assert (found["tier"] == name).mean() == pytest.approx(tier.share, abs=0.01)
    assert skills.knowledge_factor(found["tier"].to_numpy()).mean() == pytest.approx(1, abs=0.005)
    # A trainer belongs to one tier.
    assert found.groupby("trainer_pid")["tier"].nunique().max() == 1


def test_vignettes_have_the_planted_distance_before_and_after(tested):
    rows = skills.vignettes(1, tested)
    rate = rows.groupby(["arm", "occasion", "case"])["referred"].mean()
    for arm, occasion, wanted in [("training", "pre", "untrained"), ("training", "post", "trained"),
                                  ("wait_list", "post", "untrained")]:  # fmt: skip
        hit, false_alarm = norm.ppf(rate[arm, occasion, 1]), norm.ppf(rate[arm, occasion, 0])
        assert hit - false_alarm == pytest.approx(planted.VIGNETTES[wanted], abs=0.06)
        assert -(hit + false_alarm) / 2 == pytest.approx(planted.VIGNETTES["criterion"], abs=0.04)


def test_two_raters_agree_as_planted(tested):
    wide = skills.role_plays(1, tested).pivot(index="teacher_pid", columns="rater", values="score")
    assert wide.corr().loc["a", "b"] == pytest.approx(planted.ROLE_PLAY["icc"], abs=0.06)
