"""Reports opened in headless Chromium with the network off: nothing fails, every glyph is drawn, axe finds nothing serious."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from mhlib.data.synthetic import simulate
from mhlib.workbench import plans, runs
from mhlib.workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
SERIOUS = {"serious", "critical"}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def absent(what: str) -> None:
    """On a bare machine a missing browser is a skip with its reason; in CI it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; CI must have it")
    pytest.skip(f"{what} is missing; install it to look at the reports")


@pytest.fixture(scope="session")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        absent("Chromium")
    if (
        shutil.which("fc-list") is None
        or not subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout.strip()
    ):
        absent("a Chinese font")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory) -> Path:
    """The demo report of a small city and the minimal one, in both languages, with the index."""
    root = tmp_path_factory.mktemp("browser")
    for folder in ("notebooks", "params"):
        shutil.copytree(ROOT / folder, root / folder)
    workspace = Workspace(root)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MHLIB_DATA", "MHLIB_SYNTHETIC", "MHLIB_HOME"):
            patch.delenv(name, raising=False)
        for scale, name in (("small", "city"), ("minimal", "minimal")):
            simulate(scale, destination=workspace.synthetic_root / name,
                     truth_destination=workspace.synthetic_root.parent / "synthetic-truth" / name)  # fmt: skip
        for language in ("zh", "en"):
            for name in ("demo", "minimal"):
                planned = plans.plan(workspace, root / f"params/{name}/screening_validity.yml", language=language)
                record = runs.run(workspace, planned, tell=lambda event: None)
                assert record["exit_code"] == 0, record["error"]
    from mhlib.workbench.index import write_index

    write_index(workspace)
    return workspace.reports


@pytest.fixture
def opened(chromium, reports):
    """Open a page of the reports with the network off; returns the page and the requests that it made."""
    contexts = []

    def open_page(name: str, *, width: int = 1280, scheme: str = "light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page, requests, faults = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.on("console", lambda text: faults.append(text.text) if text.type == "error" else None)
        page.goto((reports / name).as_uri())
        return page, requests, faults

    yield open_page
    for context in contexts:
        context.close()


PAGES = [
    f"{name}/screening_validity/latest.{language}.html" for name in ("demo", "minimal") for language in ("zh", "en")
]


@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_no_request_leaves_the_page_and_none_fails(opened, reports, name):
    _, requests, faults = opened(name)
    assert requests == [(reports / name).as_uri()] and faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_axe_finds_nothing_serious(opened, name, scheme):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        absent("axe")
    page, _, _ = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in SERIOUS] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(opened, name):
    page, _, _ = opened(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


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
def test_headings_descend_by_one_and_every_image_has_words(opened, name):
    page, _, _ = opened(name)
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and max(b - a for a, b in pairwise(levels)) <= 1
    figures = page.locator("svg[role=img]")
    assert figures.count() >= 3
    assert page.eval_on_selector_all(
        "svg[role=img]",
        "all => all.every(one => one.querySelector('title').textContent && one.querySelector('desc').textContent)",
    )


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
