"""Every kind of figure over a handful of people: what stands in the SVG is no more than the gate let through, and nobody alone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mhlib.report.disclosure import Gate
from mhlib.report.figures import KINDS, kind_named
from mhlib.report.style import house_style, svg_of
from mhlib.stats.accuracy import roc
from mhlib.workbench.scanner_markup import marks

from .test_figures import MAKERS, Tidy

PUBLIC, LEAST = Gate.of("public"), 10
# Columns whose values are drawn.
DRAWN = ("estimate", "conf_low", "conf_high", "y", "low", "high", "proportion", "n", "value_shown", "loading", "sensitivity",
         "specificity", "referrals")  # fmt: skip
# Lines without a person behind them: legends, the middle line and the diagonal, the ring of the chosen cut-off.
BESIDE = 6


def drawn(kind: str, result: object) -> tuple[pd.DataFrame, tuple[int, int]]:
    """The gated data of a figure; marks and longest line of its SVG, as a report draws it."""
    figure = kind_named(kind)
    gated = PUBLIC.frame(figure.data(result, PUBLIC), where="t")
    with house_style():
        ax = figure.draw(result, data=gated)
        svg = svg_of(ax.figure, name="t-en", title="t", description="d")
    plt.close("all")
    return gated, marks(svg)


def shown_rows(gated: pd.DataFrame) -> int:
    return sum(any(row.get(name) is not None for name in DRAWN) for row in gated.to_dict("records"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_handful_of_people_gives_no_point_more_than_the_gate_lets_through(kind):
    # One person alone has no curve; the statistic itself refuses.
    for people in range(2 if kind == "roc" else 1, 13):
        gated, (points, longest) = drawn(kind, MAKERS[kind](n=max(people, 2), people=people))
        rows = shown_rows(gated)
        assert points <= rows + BESIDE, people
        assert longest <= max(2 * rows + BESIDE, 2 * BESIDE), people
        if people < LEAST and kind != "histogram":
            assert rows == 0, people


def test_the_counter_of_points_counts_them():
    """A scatter of people would be seen: were the marks not counted, nothing above could fail."""
    for one_path in (False, True):
        figure, ax = plt.subplots()
        ax.plot(range(90), np.arange(90) ** 2 % 7, marker=None if one_path else "o", linestyle="-" if one_path else "")
        points, longest = marks(svg_of(figure, name="t", title="t", description="d"))
        assert (longest if one_path else points) >= 80
        plt.close(figure)


def test_no_kind_takes_rows_of_people():
    """Without a column that counts people a figure is refused or empty: a jitter of pupils has no door."""
    pupils = Tidy(pd.DataFrame({"pupil_pid": [f"P{row:07d}" for row in range(50)], "score": range(50)}))
    for kind in sorted(set(KINDS) - {"studio", "cutoffs", "plan", "roc"}):
        with pytest.raises(KeyError):
            PUBLIC.frame(kind_named(kind).data(pupils, PUBLIC), where=kind)["group"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 3))
def test_bars_of_a_histogram_hold_enough_people_and_lose_nobody(counts, groups):
    rows = [{"group": f"g{group}", "score_low": at, "score_high": at, "n": n} for group in range(groups)
            for at, n in enumerate(counts)]  # fmt: skip
    merged = kind_named("histogram").data(Tidy(pd.DataFrame(rows)), PUBLIC)
    for _, bars in merged.groupby("group"):
        assert bars["n"].sum() == sum(counts)
        assert (bars["n"] >= LEAST).all() or len(bars) == 1
        assert bars["score_low"].iloc[0] == 0 and bars["score_high"].iloc[-1] == len(counts) - 1
        assert (bars["score_low"].to_numpy()[1:] == bars["score_high"].to_numpy()[:-1] + 1).all()
    everything = kind_named("histogram").data(Tidy(pd.DataFrame(rows)), Gate.of("open_data"))
    assert everything["n"].tolist() == [row["n"] for row in rows]


def test_three_scores_are_merged_by_hand():
    rows = pd.DataFrame({"group": "g", "score_low": [0, 1, 2, 3], "score_high": [0, 1, 2, 3], "n": [12, 4, 7, 3]})
    merged = kind_named("histogram").data(Tidy(rows), PUBLIC)
    assert merged[["score_low", "score_high", "n"]].values.tolist() == [[0, 0, 12], [1, 3, 14]]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 400), st.integers(2, 40), st.floats(0.03, 0.97), st.integers(0, 10_000))
def test_every_step_of_a_curve_holds_enough_cases_and_enough_others(people, scores, share, seed):
    rng = np.random.default_rng(seed)
    case = rng.random(people) < share
    case[:2] = True, False
    curve = roc(rng.integers(0, scores, people) + 2 * case, case)
    if not hasattr(curve, "points"):
        return  # refused: nothing is drawn
    kept = kind_named("roc").data(curve, PUBLIC)
    cases = np.sort(np.r_[0, kept["sensitivity"] * case.sum(), case.sum()])
    others = np.sort(np.r_[0, (1 - kept["specificity"]) * (~case).sum(), (~case).sum()])
    if len(kept):
        assert (np.diff(cases) >= LEAST - 1e-6).all() and (np.diff(others) >= LEAST - 1e-6).all()
    assert len(kept) <= min(case.sum(), (~case).sum()) / LEAST


def test_a_curve_of_a_dozen_has_no_points():
    gated, (points, _) = drawn("roc", roc(np.arange(12), np.arange(12) % 2 == 0))
    assert gated.empty and points == 0


def test_a_curve_is_merged_by_hand():
    """Thirty cases and thirty others at scores 3, 2, 1 and 0; at 2 only five more cases lie than at 3."""
    score = np.repeat([3, 2, 1, 0, 3, 2, 1, 0], [12, 5, 3, 10, 10, 1, 7, 12])
    case = np.repeat([True, False], [30, 30])
    kept = kind_named("roc").data(roc(score, case), PUBLIC)
    assert kept["cutoff"].tolist() == [3.0] and kept["sensitivity"].round(3).tolist() == [0.4]


def test_the_bars_of_a_small_figure_are_rounded_after_merging():
    gated, _ = drawn("histogram", MAKERS["histogram"](n=12, people=3))
    assert gated[["score_low", "score_high", "n"]].values.tolist() == [[0, 3, 10], [4, 7, 10], [8, 11, 10]]
