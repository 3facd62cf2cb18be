"""Reports opened in headless Chromium with the network off: nothing fails, every glyph is drawn, axe finds nothing serious."""

from itertools import pairwise

import pytest

from .conftest import REPORTS, serious_violations

pytestmark = pytest.mark.browser
PAGES = [f"{name}/latest.{language}.html" for name in REPORTS for language in ("zh", "en")]
# Where nothing can be estimated there is nothing to draw.
DRAWN = [name for name in PAGES if not name.startswith("minimal/intervention")]
FEWEST_FIGURES = {"whole": 17, "waiting": 8}
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_no_request_leaves_the_page_and_none_fails(opened, reports, name):
    _, requests, faults = opened(name)
    assert requests == [(reports / name).as_uri()] and faults == []


@pytest.mark.parametrize(("name", "scheme"), [*zip(PAGES, ["light", "dark"] * len(REPORTS), strict=True), *(
    ("index.html", scheme) for scheme in ("light", "dark"))])  # fmt: skip
def test_axe_finds_nothing_serious(opened, name, scheme):
    page, _, _ = opened(name, scheme=scheme)
    # Folded tables are looked at too; the data of one figure stand for those of all, which have the same markup.
    page.evaluate("document.querySelectorAll('details.folded').forEach(one => one.open = true)")
    page.evaluate("document.querySelector('figure details')?.setAttribute('open', '')")
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in serious_violations(page)] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(opened, name):
    page, _, _ = opened(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("name", DRAWN)
def test_words_of_a_figure_can_be_read_on_a_phone(opened, name):
    page, _, _ = opened(name, width=390)
    heights = page.eval_on_selector_all("figure svg text", "all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 8


@pytest.mark.parametrize("name", PAGES)
def test_no_glyph_is_missing(opened, name):
    """A missing glyph is drawn as the font's box: every Chinese character must differ from that of an unassigned one."""
    page, _, _ = opened(name)
    boxes = page.evaluate("""() => {
        const canvas = document.createElement('canvas'), pen = canvas.getContext('2d', {willReadFrequently: true});
        canvas.width = canvas.height = 40;
        const font = getComputedStyle(document.body).fontFamily;
        const drawn = glyph => { pen.clearRect(0, 0, 40, 40); pen.font = '28px ' + font; pen.fillText(glyph, 4, 30);
                                 return pen.getImageData(0, 0, 40, 40).data.join() };
        const box = drawn('\\uffff'), gap = drawn(' ');
        const glyphs = [...new Set(document.body.textContent)].filter(glyph => glyph > '\\u007f' && glyph.trim());
        return glyphs.filter(glyph => [box, gap].includes(drawn(glyph)));
    }""")
    assert boxes == []


@pytest.mark.parametrize("name", PAGES)
def test_headings_descend_by_one_and_every_figure_has_words(opened, name):
    page, _, _ = opened(name)
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and max(b - a for a, b in pairwise(levels)) <= 1
    figures = page.locator("svg[role=img]")
    fewest = FEWEST_FIGURES.get(name.split("/")[0], 6) if name in DRAWN else 0
    assert figures.count() >= fewest and page.locator("figure svg").count() == figures.count()
    assert page.eval_on_selector_all(
        "svg[role=img]",
        """all => all.every(one => one.getAttribute('aria-labelledby').split(' ').every(
            id => one.querySelector('#' + id).textContent.trim().length > 5 || one.querySelector('#' + id).tagName == 'title'))""",
    )


FAULTS = """() => {
    const faults = [];
    for (const svg of document.querySelectorAll('figure svg')) {
        const frame = svg.getBoundingClientRect(), name = svg.closest('figure').id;
        const words = [...svg.querySelectorAll('text')].filter(one => one.textContent.trim());
        const boxes = words.map(one => [one.textContent, one.getBoundingClientRect()]);
        for (const [text, box] of boxes)
            if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
                faults.push([name, 'outside', text]);
        for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
            const [a, b] = [boxes[i][1], boxes[j][1]];
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            // Boxes of text hold room above and below the letters: a third of the smaller height may overlap.
            if (wide > 1 && high > 0.34 * Math.min(a.height, b.height)) faults.push([name, 'over', boxes[i][0], boxes[j][0]]);
        }
        for (const box of svg.querySelectorAll('rect')) for (const word of svg.querySelectorAll('text')) {
            const a = box.getBoundingClientRect(), b = word.getBoundingClientRect();
            const middle = (b.top + b.bottom) / 2;
            if (middle > a.top && middle < a.bottom && b.left < a.right && b.right > a.left && (b.left < a.left || b.right > a.right))
                faults.push([name, 'beyond its box', word.textContent]);
        }
    }
    return faults;
}"""


@pytest.mark.parametrize("name", DRAWN)
def test_no_words_of_a_figure_are_cut_or_overlap(opened, name):
    page, _, _ = opened(name)
    assert page.evaluate(FAULTS) == []


@pytest.mark.parametrize("name", PAGES[:2])
def test_every_link_of_contents_and_checklist_leads_to_its_section(opened, name):
    page, _, _ = opened(name)
    links = page.locator("nav a, table.checklist a")
    assert links.count() >= 45
    for number in (0, 9, links.count() - 1):
        link = links.nth(number)
        target = link.get_attribute("href")
        link.click()
        assert page.evaluate("location.hash") == target
        assert page.locator(target).bounding_box()["height"] > 0


@pytest.mark.parametrize("name", PAGES[4:6])
def test_folded_tables_open_at_their_caption(opened, name):
    page, _, _ = opened(name)
    folded = page.locator("details.folded")
    assert folded.count() >= 5
    for number in range(folded.count()):
        one = folded.nth(number)
        assert not one.locator("table").is_visible()
        one.locator("summary").click()
        assert one.locator("table").is_visible() and one.locator("tbody tr").count() >= 1
    figure = page.locator("figure details").first
    figure.locator("summary").click()
    assert figure.locator("table").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_print_keeps_the_verdict(opened, name):
    page, _, _ = opened(name)
    page.emulate_media(media="print")
    figure = ("figure svg >> nth=0",) if name in DRAWN else ()
    for kept in (".answer", "table.lights", "#limits", "table.checklist", *figure):
        assert page.locator(kept).first.is_visible(), kept
    for dropped in ("nav", "label.switch", "pre.code >> nth=0"):
        assert not page.locator(dropped).first.is_visible(), dropped
    colours = page.eval_on_selector_all(".light", "all => all.map(one => one.textContent.trim().length)")
    assert len(colours) >= 7 and min(colours) >= 3


def test_print_in_the_dark_is_on_white(opened):
    page, _, _ = opened(PAGES[0], scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_lights_are_told_apart_without_colour(opened):
    page, _, _ = opened("whole/screening_validity/latest.en.html")
    lights = page.eval_on_selector_all(".light", "all => all.map(one => [one.className, one.textContent.trim()])")
    by_state = {state.split()[-1]: said for state, said in lights}
    assert len(set(by_state.values())) == len(by_state) and len({said[0] for said in by_state.values()}) == len(
        by_state
    )
    assert all(said == by_state[state.split()[-1]] for state, said in lights)


def test_the_code_shows_on_demand(opened):
    page, _, _ = opened(PAGES[0])
    code = page.locator("pre.code").first
    assert not code.is_visible()
    page.locator("label.switch").click()
    assert code.is_visible()


def test_the_same_glance_holds_every_part_of_the_verdict(opened):
    page, _, _ = opened("minimal/screening_validity/latest.en.html")
    text = page.locator("main").inner_text()
    assert "None of the" in text and text.count("To collect:") >= 3
    assert "Not for the appraisal of schools or teachers." in text and "Simulated data" in text
