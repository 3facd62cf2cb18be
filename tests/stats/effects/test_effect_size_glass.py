"""Glass's delta against effectsize, by hand, and as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError
from mhlib.stats.effects import hedges_g_from_summary
from mhlib.stats.effects.effect_size_glass import glass_delta, glass_delta_from_summary

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
VALUES = pd.read_csv(ORACLE / "effect_size_glass.csv").set_index("case")
BTHEB = pd.read_csv(ORACLE / "robust_btheb.csv")
USUAL = BTHEB["treatment"] == "TAU"


@pytest.mark.parametrize(("case", "treated"), [("tau_by_new", USUAL), ("new_by_tau", ~USUAL)])
def test_delta_of_beat_the_blues_equals_effectsize(case, treated):
    found, row = glass_delta(BTHEB["y"], treated), VALUES.loc[case]
    assert found.delta == pytest.approx(row["delta"], rel=1e-12)
    # effectsize searches the noncentrality to about six digits.
    assert (found.conf_low, found.conf_high) == pytest.approx((row["low"], row["high"]), abs=2e-6)
    narrow = glass_delta(BTHEB["y"], treated, conf_level=0.9)
    assert (narrow.conf_low, narrow.conf_high) == pytest.approx((row["low90"], row["high90"]), abs=2e-6)
    assert (found.n_used, found.n_excluded) == (97, 3)


def test_the_printed_anchor():
    # anchors/intervention.md (c): usual care less programme, in deviations of the programme's arm.
    assert glass_delta(BTHEB["y"], USUAL).delta == pytest.approx(0.4697152393, abs=5e-11)


def test_by_hand():
    # Means 6 and 4, the control's deviation 2, the treated's 1: delta 1; u² = 1/4 + 1/(4 4) = 5/16; SE² = 5/16 + 1/6.
    found = glass_delta_from_summary(6, 4, 1, 2, 4, 4)
    assert (found.delta, found.sd_ratio) == (1, 0.5)
    assert found.std_error == pytest.approx(np.sqrt(5 / 16 + 1 / 6))
    # J(3) = gamma(3/2) / (gamma(1) root(3/2)).
    assert found.corrected == pytest.approx(np.sqrt(np.pi) / 2 / np.sqrt(1.5))
    table = found.to_frame().set_index("term")
    assert table.loc["delta", "estimate"] == 1 and table.loc["delta_corrected", "estimate"] == found.corrected
    assert table.loc["delta", "conf_low"] == found.conf_low and not found.implausible
    assert glass_delta_from_summary(8, 4, 1, 2, 4, 4).implausible


def test_a_treated_arm_without_spread():
    found = glass_delta([5, 5, 5, 1, 2, 3, np.nan], [1, 1, 1, 0, 0, 0, 0])
    assert (found.delta, found.sd_ratio, found.n_excluded) == (3, 0, 1)
    assert np.isfinite([found.std_error, found.conf_low, found.conf_high]).all()


def test_errors():
    with pytest.raises(DataError, match="no spread to measure by"):
        glass_delta([1, 2, 3, 3], [1, 1, 0, 0])
    with pytest.raises(DataError, match="fewer than 2 pupils"):
        glass_delta_from_summary(1, 0, 1, 1, 1, 9)
    with pytest.raises(DesignError, match="fewer than two scores"):
        glass_delta([1, 2, 3], [1, 0, 0])
    with pytest.raises(DataError, match="treated"):
        glass_delta([1, 2, 3, 4], [1, 1, 0, 2])


@given(
    means=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    spreads=st.tuples(st.floats(0.1, 20), st.floats(0.5, 20)),
    sizes=st.tuples(st.integers(3, 300), st.integers(3, 300)),
    factor=st.floats(0.01, 100),
)
@settings(max_examples=60, deadline=None)
def test_properties(means, spreads, sizes, factor):
    if abs(means[0] - means[1]) > 5 * spreads[1]:
        return
    found = glass_delta_from_summary(*means, *spreads, *sizes)
    assert found.conf_low < found.delta < found.conf_high
    assert abs(found.corrected) <= abs(found.delta)
    scaled = glass_delta_from_summary(*(factor * m for m in means), *(factor * s for s in spreads), *sizes)
    assert (scaled.delta, scaled.conf_low) == pytest.approx((found.delta, found.conf_low), rel=1e-6, abs=1e-9)
    turned = glass_delta_from_summary(-means[0], -means[1], *spreads, *sizes)
    assert (turned.delta, turned.conf_low) == pytest.approx((-found.delta, -found.conf_high), rel=1e-6, abs=1e-6)
    # With equal deviations it is Cohen's d.
    alike = (spreads[1], spreads[1])
    assert glass_delta_from_summary(*means, *alike, *sizes).delta == pytest.approx(
        hedges_g_from_summary(*means, *alike, *sizes).d, rel=1e-9, abs=1e-12
    )
