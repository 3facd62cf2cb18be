import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhlib.errors import DisclosureError
from mhlib.report.disclosure import Gate

PUBLIC, CLOSED, OPEN = Gate.of("public"), Gate.of("closed"), Gate.of("open_data")


@given(st.integers(0, 10_000))
def test_no_small_or_exact_count_leaves_the_public_gate(n):
    shown = PUBLIC.count(n)
    assert (shown is None) == (n < 10)
    step = 5 if n < 1000 else 20 if n < 10_000 else 100
    assert shown is None or (shown % step == 0 and abs(shown - n) <= step / 2)


def test_the_audiences_differ():
    assert [gate.count(8) for gate in (PUBLIC, CLOSED, OPEN)] == [None, 10, 8]
    assert CLOSED.count(7) is None
    assert PUBLIC.proportion(0.5, 29) is None and PUBLIC.proportion(0.5, 30) == 0.5


def test_a_percentage_comes_from_the_rounded_counts():
    assert PUBLIC.proportion(13 / 100, 100, 13) == 0.15
    assert PUBLIC.proportion(1234 / 9876, 9876, 1234) == round(1235 / 9875, 3)
    assert PUBLIC.proportion(95 / 100, 100, 95) is None
    assert PUBLIC.proportion(5 / 100, 100, 5) is None


@given(st.integers(30, 999), st.floats(0, 1))
def test_below_a_thousand_there_are_no_decimals(n, share):
    shown = PUBLIC.proportion(share, n)
    assert math.isclose(shown * 100, round(shown * 100), abs_tol=1e-9)


def test_a_column_nobody_knows_and_an_estimate_without_people_are_refused():
    with pytest.raises(DisclosureError, match="columns pupil_pid are not in the vocabulary"):
        PUBLIC.frame(pd.DataFrame({"pupil_pid": ["P1"]}), where="t")
    with pytest.raises(DisclosureError, match="nothing says how many people"):
        PUBLIC.frame(pd.DataFrame({"term": ["alpha"], "estimate": [0.9]}), where="t")


def test_counts_whose_difference_is_small_go_together():
    frame = pd.DataFrame(
        {"term": ["npv"], "estimate": [0.9], "numerator": [694], "denominator": [700], "n_used": [9000]}
    )
    shown = PUBLIC.frame(frame, where="t").iloc[0]
    assert shown["numerator"] is None and shown["denominator"] is None
    assert OPEN.frame(frame, where="t").iloc[0]["numerator"] == 694


def test_an_unknown_audience():
    with pytest.raises(DisclosureError, match="unknown audience press; public, closed, open_data"):
        Gate.of("press")


def test_the_limits_of_a_hidden_share_are_hidden_too():
    from mhlib.report.vocabulary import TERMS

    term = next(name for name, word in TERMS.items() if word.kind == "proportion")
    few = {"term": term, "estimate": 4 / 60, "conf_low": 0.02, "conf_high": 0.16, "numerator": 4.0, "denominator": 60.0}
    many = few | {"estimate": 30 / 60, "numerator": 30.0, "conf_low": 0.38, "conf_high": 0.62}
    shown = Gate.of("public").frame(pd.DataFrame([few, many]), where="shares").to_dict("records")
    assert [shown[0][name] for name in ("estimate", "conf_low", "conf_high", "numerator")] == [None] * 4
    assert None not in (shown[1]["estimate"], shown[1]["conf_low"], shown[1]["conf_high"])


def test_a_count_of_all_is_hidden_unless_it_tells_nothing_of_their_state():
    frame = pd.DataFrame({"term": ["npv", "dose_took_part"], "numerator": [60, 60], "denominator": [60, 60]})
    shown = PUBLIC.frame(frame, where="t")
    assert shown["numerator"].tolist() == [None, 60] and shown["denominator"].tolist() == [60, 60]


@pytest.mark.parametrize(
    ("term", "n", "shown"),
    [("cal_e90", 99, None), ("cal_e90", 100, 0.031), ("cal_e50", 19, None), ("cal_e50", 20, 0.031)],
)
def test_a_quantile_needs_enough_people_on_its_smaller_side(term, n, shown):
    frame = pd.DataFrame({"term": [term], "estimate": [0.031], "n_used": [n]})
    assert PUBLIC.frame(frame, where="t")["estimate"].tolist() == [shown]


def test_every_quantile_of_the_vocabulary_says_how_many_stand_beside_it():
    from mhlib.report.vocabulary import COLUMNS, TERMS

    telling = ("median", "percentile", "quartile", "minimum", "maximum")
    found = {name for name, word in {**COLUMNS, **TERMS}.items()
             if word.kind in ("estimate", "by_term") and any(part in word.words.template for part in telling)}  # fmt: skip
    assert found and all({**COLUMNS, **TERMS}[name].tail < 1 for name in found)


def test_a_sum_of_weights_that_misses_its_whole_number_by_a_hair_is_that_number():
    assert PUBLIC.count(64649.99999999999) == PUBLIC.count(64650) == 64700


@pytest.mark.parametrize(("numerator", "shown"), [(340, True), (360, False)])
def test_of_a_sensitive_matter_a_share_of_nearly_all_is_hidden(numerator, shown):
    gate = Gate(PUBLIC.policy.for_sensitive())
    frame = pd.DataFrame(
        {"term": ["npv"], "estimate": [numerator / 400], "numerator": [numerator], "denominator": [400]}
    )
    row = gate.frame(frame, where="t").iloc[0]
    assert (row["estimate"] is not None) is (row["numerator"] is not None) is shown
    assert PUBLIC.frame(frame, where="t").iloc[0]["numerator"] == numerator


def test_a_share_is_hidden_with_its_counts():
    """694 of 700: six others, whom 99 % would tell as well as the counts."""
    frame = pd.DataFrame({"term": ["npv"], "estimate": [694 / 700], "numerator": [694], "denominator": [700],
                          "conf_low": [0.98], "conf_high": [0.999]})  # fmt: skip
    assert PUBLIC.frame(frame, where="t").iloc[0].drop("term").isna().all()
