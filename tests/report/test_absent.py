"""A section that belongs to another design leaves no trace but its name, and no link to it."""

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mhlib.findings import Refused, Reported, message
from mhlib.report import export

ELSEWHERE = Refused("other_design", message("This section belongs to a study of another design."), message("Nothing."))


def page_of(bundles, headings) -> str:
    """The first bundle (the page itself) under the title; then one heading a list of bundles."""
    cells = [new_markdown_cell("# Intervention outcomes"), code_of(bundles[:1])]
    for heading, shown in headings:
        cells += [new_markdown_cell(f"## {heading}\n\nWords of the section."), code_of(shown)]
    return export.to_html(new_notebook(cells=cells), language="en", provenance={})


def code_of(bundles):
    cell = new_code_cell("view.show()")
    cell.outputs = [new_output("display_data", data=bundle) for bundle in bundles]
    return cell


def test_a_section_of_another_design_is_left_out(report):
    view = report.view()
    view.table("one", ELSEWHERE, caption="One")
    view.figure("two", ELSEWHERE, kind="lines", caption="Two")
    view.sentences([], name="three")
    view.checks([], name="four")
    view.lights([], name="five", caption="Five")
    view.sentences([message("Nothing.")], name="six")
    assert [element["kind"] for element in report.elements[1:6]] == ["absent"] * 5
    html = page_of(report.bundles, [("Cut-off", report.bundles[1:6]), ("Limits", report.bundles[6:])])
    assert "Cut-off" not in html and html.count("Words of the section.") == 1


def test_a_section_with_something_to_show_stays(report):
    view = report.view()
    view.table("one", ELSEWHERE, caption="One")
    view.sentences([message("Nothing.")], name="six")
    assert "Cut-off" in page_of(report.bundles, [("Cut-off", report.bundles[1:])])


def test_another_refusal_is_still_shown(report):
    view = report.view()
    view.table("one", Refused("few", message("Too few."), message("More.")), caption="One")
    assert report.last["kind"] == "refusal" and "Too few." in page_of(report.bundles, [("Cut-off", report.bundles[1:])])


def test_a_link_to_a_section_left_out_becomes_words(report):
    view = report.view()
    view.table("one", ELSEWHERE, caption="One")
    items = [Reported("1", message("Nothing."), "Limits"), Reported("2", message("Nothing."), "Checks")]
    view.checklist(items, caption="List")
    html = page_of(report.bundles, [("Checks", report.bundles[1:2]), ("Limits", report.bundles[2:])])
    assert 'href="#limits">Limits</a>' in html and 'href="#checks"' not in html and "<td>Checks</td>" in html
