"""The draft mark of a public page: seen in both languages, on paper and in the dark, and words over it stay readable."""

import re
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mhlib.report import export
from mhlib.report.vocabulary import AUDIENCES
from mhlib.workbench.review_draft import without_mark

from .conftest import serious_violations

pytestmark = pytest.mark.browser
SAID = {
    "zh": "草稿：尚未经两名审核人签字，不得对外发布。",
    "en": "Draft: two reviewers have not signed it off. Not for publication.",
}


def page_of(audience: str, language: str) -> str:
    page = {"simulated": True, "disclosure": AUDIENCES[audience].template, "as_of": "2026-03-20", "evaluation": "tiny"}
    element = {"name": "page", "kind": "page", "html": {"zh": "", "en": ""}, "page": page}
    cell = new_code_cell("view", outputs=[new_output("display_data", data={export.ELEMENT: element})])
    text = "## Answer\n\n" + "\n\n".join(f"Words of paragraph {number}." for number in range(120))
    cells = [new_markdown_cell("# Tiny\n\nA question."), cell, new_markdown_cell(text)]
    return export.to_html(new_notebook(cells=cells), language=language, provenance={"render_key": "00"})


@pytest.fixture
def show(chromium, tmp_path):
    contexts = []

    def shown(markup: str, *, scheme: str = "light", width: int = 1280):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        path = tmp_path / "page.html"
        path.write_text(markup, "utf-8")
        page = context.new_page()
        page.goto(path.as_uri())
        return page

    yield shown
    for context in contexts:
        context.close()


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mixed(over: str, under: str, share: float) -> str:
    pairs = zip(re.findall(r"\d+", over)[:3], re.findall(r"\d+", under)[:3], strict=True)
    return ",".join(str(round(share * int(a) + (1 - share) * int(b))) for a, b in pairs)


def ratio(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("medium", ["screen", "print"])
def test_the_mark_is_seen_on_the_screen_and_on_paper(show, language, medium):
    page = show(page_of("public", language))
    page.emulate_media(media=medium)
    assert page.locator(".draft").is_visible() and page.locator(".draft").inner_text() == SAID[language]
    style = page.evaluate(
        """() => { const style = getComputedStyle(document.querySelector('.draft'), '::after');
                   return [style.content, style.position, style.zIndex, style.pointerEvents]; }"""
    )
    assert {"zh": "草稿", "en": "DRAFT"}[language] in style[0] and style[1:] == ["fixed", "-1", "none"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_without_its_mark_and_a_page_for_the_bureau_show_none(show, language):
    published = without_mark(page_of("public", language).encode(), where="page").decode()
    for markup in (published, page_of("closed", language), page_of("open_data", language)):
        page = show(markup)
        assert page.locator(".draft").count() == 0 and SAID[language] not in page.content()


def test_axe_sees_faults_where_there_are_some(show):
    page = show(
        '<html lang="en"><title>Faults</title><main><h1>Faults</h1><img src="data:,"><p style="color: #ddd">Pale words.</p>'
    )
    assert {one["id"] for one in serious_violations(page)} == {"image-alt", "color-contrast"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_no_scrolling_is_needed(show, scheme):
    page = show(page_of("public", "zh"), scheme=scheme, width=390)
    assert [one["id"] for one in serious_violations(page)] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("scheme", "medium"), [("light", "screen"), ("dark", "screen"), ("light", "print"), ("dark", "print")]
)
def test_words_over_the_mark_keep_their_contrast(show, scheme, medium):
    """axe does not see a mark behind the text: the faintest of the page's colours is held against it here."""
    page = show(page_of("public", "zh"), scheme=scheme)
    page.emulate_media(media=medium, color_scheme=scheme)
    found = SimpleNamespace(**page.evaluate(
        """() => { const mark = getComputedStyle(document.querySelector('.draft'), '::after');
                   const probe = document.body.appendChild(document.createElement('p'));
                   const colours = ['--ink', '--soft', '--link', '--good', '--bad', '--warn'].map(name => {
                       probe.style.color = `var(${name})`; return getComputedStyle(probe).color; });
                   return {mark: mark.color, opacity: Number(mark.opacity), page: getComputedStyle(document.body).backgroundColor,
                           colours, banner: getComputedStyle(document.querySelector('.draft')).color}; }"""
    ))  # fmt: skip
    behind = mixed(found.mark, found.page, found.opacity)
    assert behind != mixed(found.page, found.page, 1), "the mark can be told from the page"
    if medium == "screen":
        assert min(ratio(colour, behind) for colour in found.colours) >= 4.5
    else:  # the colours of states are not set for paper; ink and captions are
        assert min(ratio(colour, behind) for colour in found.colours[:3]) >= 4.5
    assert ratio(found.banner, found.page) >= 4.5


def test_every_printed_page_carries_the_mark(show):
    """A box that is fixed is printed on each page: as many pages as draw with a pen as faint as the mark on paper."""
    marked, plain = (show(markup).pdf(format="A4") for markup in (
        page_of("public", "en"), without_mark(page_of("public", "en").encode(), where="page").decode()))  # fmt: skip
    pages = len(re.findall(rb"/Type\s*/Page\b", marked))
    assert pages >= 3
    assert drawn_faintly(marked) == pages and drawn_faintly(plain) == 0


def drawn_faintly(pdf: bytes) -> int:
    """Pages whose resources hold the state of the pen with opacity .08."""
    states = re.findall(rb"(\d+) 0 obj\s*<<[^>]*?/ca\s+0?\.(?:08|0799)\d*\b[^>]*>>", pdf)
    return sum(len(re.findall(rb"/\w+ " + number + rb" 0 R", pdf)) for number in states)
