"""Before and after without the unserved, in the small city: no effect, and what would have happened anyway."""

from pathlib import Path

import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.errors import DataError
from mhlib.findings import Refused

ROOT = Path(__file__).resolve().parents[2]


def params_of(city, monkeypatch, **changes):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(city))
    changes = {"source": "synthetic:small", "n_boot": 200, "n_imputations": 5} | changes
    return analysis.Params.from_file(ROOT / "params/demo/before_after_outcomes.yml", changes=changes)


def test_those_served_alone_give_no_effect_but_a_fall_to_expect(small, monkeypatch):
    params = params_of(small, monkeypatch)
    data = analysis.load(params)
    assert set(data.people["arm"]) == {"intervention"} and (data.people["running"] >= 0).all()
    result = analysis.estimate(data, params)
    assert isinstance(result.effect, Refused) and result.effect.code == "no_control" and result.strength == "none"
    fall = result.rtm.table.table.set_index("term").loc["remainder_fall"]
    assert 0 < fall["expected_fall"] < fall["observed_fall"]
    states = {light.name.template: light.state for light in analysis.lights(result, params)}
    assert states["Pupils got better because of it"] == "unknown"
    assert states["The design can speak of causes"] == "bad"
    assert "good" not in states.values()


def test_where_names_columns_that_are_there(small, monkeypatch):
    with pytest.raises(DataError, match="no column for nonsense"):
        analysis.load(params_of(small, monkeypatch, where={"design": "above_cutoff", "nonsense": "x"}))
