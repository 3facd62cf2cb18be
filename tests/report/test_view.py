"""What a view shows, gated, in both languages; and that nothing else gets onto the page."""

import json
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mhlib.errors import DisclosureError
from mhlib.findings import Check, Count, Refused, message
from mhlib.report import export, open_report
from mhlib.report import view as view_module
from mhlib.stats.accuracy import roc
from mhlib.stats.measurement import cronbach_alpha

ORIGIN = SimpleNamespace(kind="synthetic", source="synthetic:small", sha256="ab" * 32, rows_read=123)


def params(**changes):
    given = {
        "disclosure": "public",
        "as_of": "2026-03-20",
        "evaluation": "screening_validity",
        "language": "zh",
    } | changes
    return SimpleNamespace(is_the_published_file=lambda sha256, where: None, **given)


@pytest.fixture
def shown(monkeypatch):
    """Elements in the order they were displayed."""
    elements = []
    publish = lambda bundle: elements.append(bundle)  # noqa: E731
    import IPython.display

    monkeypatch.setattr(IPython.display, "publish_display_data", publish)
    return elements


def notebook_of(bundles) -> nbformat.NotebookNode:
    cells = [new_markdown_cell("# Screening validity"), new_markdown_cell("## Answer")]
    for bundle in bundles:
        cell = new_code_cell("view.show()")
        cell.outputs = [new_output("display_data", data=bundle)]
        cells.append(cell)
    return new_notebook(cells=cells)


def page(bundles, language="zh") -> str:
    return export.to_html(notebook_of(bundles), language=language, provenance={"render_key": "00"})


def test_a_table_is_gated_captioned_and_scoped(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    rng = np.random.default_rng(1)
    answers = rng.integers(0, 4, (203, 4)) + rng.integers(0, 3, (203, 1))
    view.table("reliability", cronbach_alpha(pd.DataFrame(answers)), caption="Reliability of each scale")
    html = page(shown)
    assert "<caption>表 1　各量表的信度</caption>" in html and 'scope="col"' in html and 'scope="row"' in html
    assert "205" in html and ">203<" not in html
    assert "模拟数据，不代表任何真实地区" in html


def test_the_public_page_holds_no_small_and_no_unrounded_count(shown):
    view = open_report(params(language="en"), SimpleNamespace(provenance=ORIGIN))
    view.flow(
        "flow",
        [(message("enrolled"), Count(1233)), (message("scored"), Count(7))],
        caption="From enrolment to interview",
    )
    html = page(shown, "en")
    assert "1,240" in html and "1,233" not in html and "1233" not in html
    assert "[not shown]" in html and ">7<" not in html


def test_a_refusal_takes_the_place(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    refused = Refused("no_items", message("The source holds only a total score; reliability cannot be estimated from it."),
                      message("The answers to the single items, one column an item."))  # fmt: skip
    view.table("reliability", refused, caption="Reliability of each scale")
    element = shown[-1][view_module.ELEMENT]
    assert element["kind"] == "refusal" and element["code"] == "no_items" and "不予给出" in page(shown)


def test_checks_carry_their_mark_in_words(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.checks(
        [Check(message("No wave is missing"), None, message("The source holds a single wave without a number."))]
    )
    assert "无法检查" in page(shown)


def test_a_figure_is_inline_svg_with_words_and_data(shown):
    rng = np.random.default_rng(2)
    score = rng.integers(0, 20, 2000)
    curve = roc(score, rng.random(2000) < score / 40)
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.figure("roc", curve, kind="roc", caption="ROC curve: naive dashed, corrected solid")
    html = page(shown)
    assert "<svg" in html and '<title id="roc-zh-title">' in html and '<desc id="roc-zh-desc">' in html
    assert "<details>" in html and "灵敏度" in html and "#010203" not in html
    assert html.count('id="roc-zh-figure_1"') == 1


def test_roc_points_are_merged_until_enough_people_lie_between():
    from mhlib.report.disclosure import Gate
    from mhlib.report.figures.screening import roc_data

    rng = np.random.default_rng(3)
    score = rng.integers(0, 60, 300)
    curve = roc(score, rng.random(300) < 0.3)
    gated, everything = (roc_data(curve, Gate.of(audience)) for audience in ("public", "open_data"))
    assert len(gated) < len(everything)
    people = gated["sensitivity"] * curve.n_case + (1 - gated["specificity"]) * curve.n_noncase
    assert (np.diff(np.sort(people)) >= 9.99).all()


def test_an_output_that_did_not_pass_the_gate_stops_the_page(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.sentence(message("Nothing."))
    notebook = notebook_of(shown)
    notebook.cells[-1].outputs.append(new_output("stream", text="P0000001"))
    with pytest.raises(DisclosureError, match="an output of type stream did not pass the gate"):
        export.to_html(notebook, language="zh", provenance={})


def test_a_name_is_used_once(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.sentence(message("Nothing."), name="one")
    with pytest.raises(DisclosureError, match="used once"):
        view.sentence(message("Nothing."), name="one")


def test_rows_of_people_go_to_the_owner_only(shown, tmp_path, monkeypatch):
    monkeypatch.setenv("MHLIB_RUN_DIR", str(tmp_path))
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.internal_file("invitations", pd.DataFrame({"pupil_pid": ["P1", "P2"], "probability": [0.1, 0.1]}))
    path = tmp_path / "internal" / "invitations.csv"
    assert path.stat().st_mode & 0o777 == 0o600 and "P1" in path.read_text(encoding="utf-8-sig")
    assert "P1" not in page(shown) and "［不公布］" in page(shown)


def test_not_even_the_number_of_rows_is_exact(shown):
    view = open_report(params(), SimpleNamespace(provenance=ORIGIN))
    view.provenance()
    html = page(shown)
    assert ">125<" in html and ">123<" not in html


def test_a_check_from_arrays_is_a_plain_truth_value(shown):
    checks = [
        Check(message("a"), np.float64(1) > 0, message("b")),
        Check(message("c"), np.float64(1) < 0, message("d")),
    ]
    assert [check.passed is passed for check, passed in zip(checks, (True, False), strict=True)] == [True, True]
    open_report(params(), SimpleNamespace(provenance=ORIGIN)).checks(checks)
    assert json.dumps(shown[-1][view_module.ELEMENT]["frame"])
