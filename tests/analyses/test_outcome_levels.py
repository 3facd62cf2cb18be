"""Every level of loss that the library gives has its word, its light, its grade and its caution."""

from types import SimpleNamespace

import numpy as np
import pytest

from mhlib.analyses.parts import outcome_answer, outcome_flow, outcome_verdict
from mhlib.findings import message
from mhlib.stats.effects import attrition


def level(lost_control: int, lost_served: int) -> str:
    kept = np.repeat([1, 0, 1, 0], [1000 - lost_control, lost_control, 1000 - lost_served, lost_served])
    return attrition(kept, np.repeat(["a", "b"], 1000)).level


def result_of(found: str, *, alike: bool | None = True) -> SimpleNamespace:
    flow = SimpleNamespace(level=found, reading=[message("Nothing.")], shared=0)
    missing = SimpleNamespace(alike=alike, checks=[], few_lost=False)
    return SimpleNamespace(flow=flow, missing=missing, strength="strong")


@pytest.mark.parametrize(
    ("lost", "wanted", "state", "cautioned"),
    [((100, 110), "low", "good", False), ((200, 280), "tolerable", "watch", True), ((200, 400), "high", "bad", True)],
)
def test_a_level_of_loss_is_known_everywhere(lost, wanted, state, cautioned):
    found = level(*lost)
    assert found == wanted and found in outcome_flow.LEVELS
    assert outcome_verdict._losses(result_of(found)).state == state
    assert bool(outcome_answer._cautions(result_of(found))) is cautioned


def test_low_losses_of_an_unknown_kind_are_no_green_light():
    found = result_of(level(100, 110), alike=None)
    assert outcome_verdict._losses(found).state == "watch" and outcome_answer._cautions(found)
