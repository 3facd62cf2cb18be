"""Every kind of figure, drawn from the data that a figure meets at its worst, in both languages, behind the gate."""

import json
import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mhlib.errors import DisclosureError
from mhlib.findings import Refused, message
from mhlib.report import figures
from mhlib.report.disclosure import Gate
from mhlib.report.figures import KINDS, kind_named
from mhlib.report.figures.heat import _written
from mhlib.report.language import LANGUAGES
from mhlib.stats.accuracy import cutoff_studio, roc

PUBLIC = Gate.of("public")
MANY, FEW = 400, 7
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Tidy:
    """A frame with whatever a figure may ask of its result."""

    table: pd.DataFrame
    more: dict = field(default_factory=dict)

    def __getattr__(self, name):
        if name in ("table", "more") or name not in self.more:
            raise AttributeError(name)
        return self.more[name]

    def to_frame(self) -> pd.DataFrame:
        return self.table


def forest(n, people=MANY, name="sex"):
    rows = [{"group": f"{name}{at or ''}", "term": "alpha", "estimate": 0.4242 + 1e-4 * at, "conf_low": 0.3131, "conf_high": 0.5353,
             "n_used": people} for at in range(n)]  # fmt: skip
    names = ["group", "term", "estimate", "conf_low", "conf_high", "n_used"]
    return Tidy(pd.DataFrame(rows, columns=names), {"rule": 0.7, "axis": message("share of answers")})


def lines(n, people=MANY, name="sex"):
    rows = [{"group": f"{name}{at % 2 or ''}", "x": float(at), "y": 0.4242 + at, "low": 0.3131 + at, "high": 0.5353 + at,
             "n_used": people} for at in range(n)]  # fmt: skip
    return Tidy(pd.DataFrame(rows, columns=["group", "x", "y", "low", "high", "n_used"]), {"mark": 3.0})


def funnel(n, people=MANY, name="trainers"):
    """Groups by size, and one pair of limits."""
    rows = [{"group": name, "x": 10.0 + at, "y": 0.4242 - at / 100, "n_used": people} for at in range(n)]
    rows += [{"group": "limits", "x": 10.0, "y": end, "n_used": people} for end in (0.3131, -0.3131) if n]
    return Tidy(pd.DataFrame(rows, columns=["group", "x", "y", "n_used"]), {"rule": 0.0})


def stacked(n, people=MANY, name="1"):
    rows = [{"item": f"{name}{at}", "answer": str(answer), "proportion": share, "n_used": people}
            for at in range(min(n, 40)) for answer, share in ((0, 0.4242), (1, 0.3131), (2, 0.2627))]  # fmt: skip
    return Tidy(pd.DataFrame(rows, columns=["item", "answer", "proportion", "n_used"]))


def shares(n, people=MANY, name="arm_control"):
    rows = [{"arm_shown": f"{name}{at or ''}", "term": part, "proportion": share, "denominator": people}
            for at in range(min(n, 40))
            for part, share in (("part_recovery", 0.4242), ("part_unchanged", 0.3131), ("part_worse", 0.2627))]  # fmt: skip
    return Tidy(
        pd.DataFrame(rows, columns=["arm_shown", "term", "proportion", "denominator"]), {"x_axis": message("item")}
    )


def histogram(n, people=MANY, name="state_case"):
    rows = [{"group": name, "score_low": at, "score_high": at, "n": people} for at in range(n)]
    return Tidy(pd.DataFrame(rows, columns=["group", "score_low", "score_high", "n"]), {"mark": 3.0})


def heat(n, people=MANY, name=""):
    rows = [{"row": f"{name}{a + 2}", "across": f"{name}{b + 1}", "value_shown": 0.4242 - 0.01 * a, "n_used": people}
            for a in range(min(n, 26)) for b in range(a + 1)]  # fmt: skip
    names = ["row", "across", "value_shown", "n_used"]
    return Tidy(pd.DataFrame(rows, columns=names), {"scale": 0.1, "x_axis": message("item")})


def reliability(n, people=MANY, name="total"):
    return forest(min(n, 40), people, name)


def path(n, people=MANY, name="total"):
    rows = [{"factor": name, "item": str(at + 1), "loading": 0.4242, "n_used": people} for at in range(n)]
    return Tidy(pd.DataFrame(rows, columns=["factor", "item", "loading", "n_used"]))


def plan(n, people=MANY, name=""):
    rows = [{"n_negative_verified": 100 * (at + 1), "sensitivity": 0.4242, "conf_low": 0.3131, "conf_high": 0.5353}
            for at in range(min(n, 12))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["n_negative_verified", "sensitivity", "conf_low", "conf_high"])
    return SimpleNamespace(table=table, n_used=people)


def referrals(n, people=MANY):
    """Screen-positives of a few hundred people at n cut-offs."""
    left = np.linspace(people, max(people - 3 * n, 0), n).round()
    return pd.DataFrame(
        {"cutoff": np.arange(n, dtype=float), "referrals": left, "referral_share": left / max(people, 1)}
    )


def cutoffs(n, people=MANY, name=""):
    return SimpleNamespace(table=referrals(n, people), cutoff=1.0, n_used=people)


def studio(n, people=MANY, name=""):
    table = referrals(n, people).assign(sensitivity=0.4242, specificity=0.5353, ppv=0.3131)
    frequencies = pd.DataFrame({"cutoff": [1.0, 2.0], "share": [0.7, 0.3]})
    choices = {"youden": SimpleNamespace(cutoff=1.0, frequencies=frequencies),
               "capacity": SimpleNamespace(cutoff=None, frequencies=None)}  # fmt: skip
    found = SimpleNamespace(table=table, n_used=people, choices=choices if n else {})
    return SimpleNamespace(found=found, in_force=10, capacity=50)


def curve(n, people=MANY, name=""):
    rng = np.random.default_rng(n)
    score = rng.integers(0, max(n, 1), people)
    return (
        roc(score, np.arange(people) % 2 == 0)
        if n
        else Refused("no_reference", message("Nothing."), message("Nothing."))
    )


MAKERS = {"forest": forest, "lines": lines, "funnel": funnel, "stacked": stacked, "shares": shares,
          "histogram": histogram, "heat": heat, "reliability": reliability,
          "path": path, "plan": plan, "cutoffs": cutoffs, "studio": studio, "roc": curve}  # fmt: skip
SMALL = {"one row": {"n": 1}, "all hidden": {"n": 5, "people": FEW}, "Chinese words": {"n": 3, "name": "示范县第九学校寄宿生"},
         "hundreds": {"n": 120}}  # fmt: skip


def test_every_kind_is_tested_here():
    assert set(MAKERS) == set(KINDS)
    with pytest.raises(DisclosureError, match="unknown kind pie"):
        kind_named("pie")


@pytest.mark.parametrize("case", SMALL)
@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_draws_whatever_it_is_given(report, kind, case):
    result = MAKERS[kind](**SMALL[case])
    report.view().figure("drawn", result, kind=kind, caption="How the answers to each item are spread")
    for language in LANGUAGES:
        html = report.last["html"][language]
        svg = ElementTree.fromstring(re.search(r"<svg.*</svg>", html, re.DOTALL).group(0))
        assert svg.find(f"{SVG}title").text and svg.find(f"{SVG}desc").text
        ids = re.findall(r'\bid="([^"]+)"', html)
        assert len(ids) == len(set(ids)) and f"drawn-{language}-title" in ids
        assert "nan" not in html.lower() and "None" not in html


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"roc"}))
def test_a_figure_without_a_row_still_draws(report, kind):
    report.view().figure("drawn", MAKERS[kind](n=0), kind=kind, caption="Every cut-off")
    assert report.last["frame"] == [] and "<svg" in report.last["html"]["zh"]


def test_a_curve_of_nobody_is_refused(report):
    report.view().figure("drawn", (curve(0), curve(0)), kind="roc", caption="Every cut-off")
    assert report.last["kind"] == "refusal"


# Bars of a histogram are merged instead of hidden: test_figures_small.py.
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"roc", "cutoffs", "studio", "histogram"}))
def test_what_the_gate_hides_stands_nowhere(report, kind):
    report.view().figure("drawn", MAKERS[kind](n=5, people=FEW), kind=kind, caption="Every cut-off")
    said = json.dumps(report.last, ensure_ascii=False, default=str)
    for hidden in ("0.42", "0.31", "0.53", "42%", "31%", "53%", ".42"):
        # Coordinates of the drawing are no estimates: only words and numbers a reader can see are searched.
        seen = re.sub(r'(\bd|points|x|y|transform|style|viewBox|width|height)="[^"]*"', "", said.replace('\\"', '"'))
        assert hidden not in seen, hidden
    assert all(row.get(name) is None for row in report.last["frame"]
               for name in ("estimate", "conf_low", "y", "low", "proportion", "n", "value_shown", "n_used", "loading"))  # fmt: skip


def drawn_points(ax) -> dict[str, int]:
    """Vertices of lines that carry data, bars with an area, and texts within the axes."""
    markers = [line for line in ax.lines if len(line.get_xdata()) and line.get_transform() == ax.transData]
    return {"points": sum(len(line.get_xdata()) for line in markers), "bars": sum(bar.get_width() > 0 for bar in ax.patches),
            "texts": sum(bool(text.get_text()) for text in ax.texts)}  # fmt: skip


def gated(kind, result):
    return PUBLIC.frame(kind_named(kind).data(result, PUBLIC), where="t")


def half_hidden(maker, n=6):
    """A result half of whose rows stand for too few people."""
    result = maker(n)
    table = result.table
    people = "n" if "n" in table else "n_used"
    table[people] = [FEW if at % 2 else MANY for at in range(len(table))]
    return result


@pytest.mark.parametrize(("kind", "counted", "each"), [("forest", "texts", 1), ("forest", "points", 3), ("lines", "points", 1),
                                                       ("stacked", "bars", None), ("heat", "bars", 1),
                                                       ("heat", "texts", 1)])  # fmt: skip
def test_no_more_is_drawn_than_the_gate_lets_through(kind, counted, each):
    import matplotlib.pyplot as plt

    result = half_hidden(MAKERS[kind])
    data = gated(kind, result)
    number = {"forest": "estimate", "lines": "y", "stacked": "proportion", "heat": "value_shown"}[kind]
    known = int(data[number].notna().sum())
    assert 0 < known < len(data)
    ax = kind_named(kind).draw(SimpleNamespace(to_frame=result.to_frame), data=data)
    assert drawn_points(ax)[counted] == known * (each or 1)
    plt.close("all")


def test_cutoffs_with_few_on_either_side_are_not_drawn():
    result = studio(130)
    kept = gated("studio", result)
    everything = result.found.table
    few = (everything["referrals"] < 10) | ((everything["referrals"] > MANY - 10) & (everything["referrals"] < MANY))
    assert few.sum() >= 3 and set(kept["cutoff"]) == set(everything["cutoff"][~few])
    assert len(Gate.of("open_data").frame(kind_named("studio").data(result, Gate.of("open_data")), where="t")) == len(
        everything
    )


def test_an_answer_that_few_gave_is_hidden():
    shares = Tidy(
        pd.DataFrame({"item": ["1"] * 3, "answer": ["0", "1", "2"], "proportion": [0.9, 0.092, 0.008], "n_used": 1000})
    )
    assert gated("stacked", shares)["proportion"].notna().tolist() == [True, True, False]
    assert kind_named("stacked").data(shares, Gate.of("open_data"))["proportion"].notna().all()


def test_a_real_studio_and_real_curves_are_drawn_with_their_people_behind(report, rng):
    score = pd.Series(rng.integers(0, 28, 900).astype(float))
    case = rng.random(900) < score / 60
    found = cutoff_studio(score, case, capacity=100, target_sensitivity=0.8, cost_ratio=5, n_boot=100, seed=1)
    view = report.view()
    view.figure(
        "studio", SimpleNamespace(found=found, in_force=10, capacity=100), kind="studio", caption="Every cut-off"
    )
    view.figure(
        "roc", (roc(score, case), roc(score, case)), kind="roc", caption="ROC curve: naive dashed, corrected solid"
    )
    first, second = report.elements[-2:]
    assert all(row["referrals"] >= 10 for row in first["frame"])
    assert {row["group"] for row in second["frame"]} == {"naive", "corrected"}
    assert "上图" in first["html"]["zh"] or "<desc" in first["html"]["zh"]


def test_a_capacity_beyond_every_number_is_said_and_not_drawn():
    import matplotlib.pyplot as plt

    result = studio(20)
    for capacity, written in ((500, "interviews of a term"), (50_000, "interviews of a term: 50,000 ↑")):
        result.capacity = capacity
        ax = figures.kind_named("studio").draw(result, data=gated("studio", result))
        panel = ax.figure.axes[1]
        assert [text.get_text() for text in panel.texts] == [written] and panel.get_ylim()[1] < 1000
    plt.close("all")


def test_two_coefficients_of_one_name_are_told_apart():
    result = forest(2)
    result.table["group"] = "total"
    result.table["interval"] = [message("Feldt"), message("schools drawn again")]
    from mhlib.report.figures.parts import english, labels

    data = gated("forest", result)
    assert labels(data, english) == ["total score · Feldt", "total score · schools drawn again"] or [
        text.split(" · ")[-1] for text in labels(data, english)] == ["Feldt", "schools drawn again"]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "share", "written"),
    [
        (-0.001, False, ".00"),
        (0.25, False, ".25"),
        (-0.25, False, "−.25"),
        (10.05, False, "10.05"),
        (1.0, False, "1.00"),
        (0.714, True, "71%"),
    ],
)
def test_a_cell_is_written_as_statisticians_do(value, share, written):
    assert _written(value, share) == written


def test_a_long_scale_keeps_the_size_of_a_page():
    import matplotlib.pyplot as plt

    ax = figures.heat(heat(26))
    width, height = ax.figure.get_size_inches()
    assert width <= 9 and height <= 9 and len(ax.get_xticks()) <= 24 and not ax.texts
    plt.close("all")


def test_colours_follow_the_page():
    """No colour of the builder's remains: every stroke and fill is a variable of the style sheet, or none."""
    from mhlib.report.style import house_style, svg_of

    with house_style():
        for kind, maker in MAKERS.items():
            ax = kind_named(kind).draw(maker(4), data=gated(kind, maker(4)))
            svg = svg_of(ax.figure, name="t", title="t", description="d")
            assert set(re.findall(r"#[0-9a-fA-F]{6}\b", svg)) == set(), kind
    import matplotlib.pyplot as plt

    plt.close("all")


def test_the_same_figure_gives_the_same_bytes(report):
    view = report.view()
    view.figure("one", forest(4), kind="forest", caption="Every cut-off")
    first = report.last["html"]["zh"]
    report.view().figure("one", forest(4), kind="forest", caption="Every cut-off")
    assert report.last["html"]["zh"] == first


def test_whole_numbers_have_no_halves_on_the_axis():
    terms = Tidy(
        pd.DataFrame({"group": "a", "x": [1.0, 2.0, 3.0], "y": [0.2, 0.9, 1.0], "n_used": MANY}), {"y_share": True}
    )
    ax = figures.lines(terms)
    assert all(tick % 1 == 0 for tick in ax.get_xticks()) and ax.get_ylim()[1] > 1.0
    days = Tidy(terms.table.assign(x=[2026.22, 2026.66, 2028.17]), {})
    assert all(tick % 1 == 0 for tick in figures.lines(days).get_xticks())
    halves = Tidy(terms.table.assign(x=[0.5, 1.0, 1.5]), {})
    assert any(tick % 1 for tick in figures.lines(halves).get_xticks())
