"""Reports rendered once for the session, and a browser with the network off."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mhlib.data.synthetic import simulate
from mhlib.workbench import keys, plans, runs
from mhlib.workbench.index import write_index
from mhlib.workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
# The small city and the county with positives interviewed only refuse much; `whole` is a file from which nothing is refused.
SETS = ("demo", "minimal", "whole")
# Schools by lot, classes on a wait-list and a cut-off of the small city; and the county with one export and no control.
OUTCOMES = tuple(f"{name}/intervention_outcomes" for name in ("demo", "waiting", "cutoff", "minimal"))
REPORTS = (*(f"{name}/screening_validity" for name in SETS), *OUTCOMES, "demo/teacher_training")
SERIOUS = {"serious", "critical"}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The first test makes one worker render the reports; the others come last, when both can share what was rendered."""
    own = [item for item in items if item.path.parent == Path(__file__).parent and "workspace" in item.fixturenames]
    if own:
        items[:] = [own[0], *(item for item in items if item not in set(own)), *own[1:]]


def absent(what: str) -> None:
    """On a bare machine a missing browser is a skip with its reason; in CI it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; CI must have it")
    pytest.skip(f"{what} is missing; install it to look at the reports")


def serious_violations(page) -> list[dict]:
    """What axe finds serious or critical by all of its rules; what passed is not listed, which takes as long again."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        absent("axe")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [one for one in found if one["impact"] in SERIOUS]


def whole_wave(path: Path, n: int = 1500) -> None:
    """Two waves of a file that answers every question: chances stated, many missed cases, groups, schools, two scales."""
    rng = np.random.default_rng(20260901)
    waves = []
    trait = rng.normal(size=n)
    for wave in (1, 2):
        now = 0.85 * trait + 0.5 * rng.normal(size=n)
        items = {f"phq_9_{number}": np.clip(np.round(0.7 + 0.75 * now + 0.7 * rng.normal(size=n)), 0, 3).astype(int)
                 for number in range(1, 10)}  # fmt: skip
        items |= {f"gad_7_{number}": np.clip(np.round(0.6 + 0.6 * now + 0.9 * rng.normal(size=n)), 0, 3).astype(int)
                  for number in range(1, 8)}  # fmt: skip
        score = sum(items[f"phq_9_{number}"] for number in range(1, 10))
        case = now + 0.5 * rng.normal(size=n) > 1.0
        chance = np.where(score >= 10, 0.9, 0.35)
        seen = rng.random(n) < chance
        waves.append(pd.DataFrame(items | {
            "pupil": [f"P{row:05d}" for row in range(n)], "term": wave, "school": [f"S{row % 40:02d}" for row in range(n)],
            "sex": np.arange(n) // 40 % 2, "place": np.arange(n) // 3 % 2, "day": f"2026-03-{1 + wave:02d}",
            "town": [f"T{row % 40 // 14 + 1}" for row in range(n)], "stage": ["PJS"[row % 40 % 3] for row in range(n)],
            "case": np.where(seen, case.astype(int).astype(str), ""), "chance": chance,
        }))  # fmt: skip
    pd.concat(waves).to_csv(path, index=False)


def whole_params(demo: dict) -> dict:
    """The demo's parameters over that file."""
    columns = {"pupil_pid": "pupil", "wave": "term", "school_pid": "school", "sex": "sex", "urban": "place", "answered_on": "day",
               "reference": "case", "verification_probability": "chance", "area_code": "town", "level": "stage"}  # fmt: skip
    return demo | {"source": "whole.csv", "columns": columns, "wave": 2, "retest_wave": 1, "risk_wave": 1, "items_beside": 7,
                   "groups": ["sex", "urban"], "other_scales": ["gad_7"], "other_references": {}, "capacity": 300, "n_boot": 200,
                   "interviews": 200}  # fmt: skip


def quick_outcomes(root: Path) -> None:
    """Two trials and the cut-off of the demo with few resamples, each as the one file of its set."""
    origins = {"demo": "intervention_outcomes", "waiting": "wait_list_outcomes", "cutoff": "cutoff_outcomes"}
    for name, origin in origins.items():
        given = yaml.safe_load((ROOT / f"params/demo/{origin}.yml").read_text("utf-8"))
        (root / "params" / name).mkdir(exist_ok=True)
        (root / f"params/{name}/intervention_outcomes.yml").write_text(
            yaml.safe_dump(given | {"n_boot": 200, "n_imputations": 5}, allow_unicode=True), "utf-8"
        )


@pytest.fixture(scope="session")
def workspace_keys(once):
    """The checksums of the sources, read once for all workers."""

    def read(folder: Path) -> None:
        found = [keys.source_sha256(rendering=rendering) for rendering in (False, True)]
        (folder / "keys.json").write_text(json.dumps(found), "utf-8")

    known = json.loads((once("browser-keys", read) / "keys.json").read_text("utf-8"))
    return lambda *, rendering: known[rendering]


@pytest.fixture(scope="session")
def workspace(once, workspace_keys) -> Workspace:
    """A workspace in which every set is published in both languages, with the index; a test that runs takes a copy."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MHLIB_DATA", "MHLIB_SYNTHETIC", "MHLIB_HOME", "MHLIB_RUN_DIR"):
            patch.delenv(name, raising=False)
        patch.setattr(keys, "source_sha256", workspace_keys)
        return Workspace(once("browser", rendered))


def rendered(root: Path) -> None:
    """Every report of every set."""
    for folder in ("notebooks", "params"):
        shutil.copytree(ROOT / folder, root / folder)
    made = Workspace(root)
    for scale, name in (("small", "city"), ("minimal", "minimal")):
        simulate(scale, destination=made.synthetic_root / name,
                 truth_destination=made.synthetic_root.parent / "synthetic-truth" / name)  # fmt: skip
    whole_wave(made.data_root / "whole.csv")
    demo = yaml.safe_load((root / "params/demo/screening_validity.yml").read_text("utf-8"))
    (root / "params/whole").mkdir()
    (root / "params/whole/screening_validity.yml").write_text(
        yaml.safe_dump(whole_params(demo), allow_unicode=True), "utf-8"
    )
    quick_outcomes(root)
    for language in ("zh", "en"):
        for name in REPORTS:
            planned = plans.plan(made, root / f"params/{name}.yml", language=language)
            record = runs.run(made, planned, tell=lambda event: None)
            assert record["exit_code"] == 0, record["error"]
    write_index(made)


@pytest.fixture(scope="session")
def reports(workspace) -> Path:
    return workspace.reports


@pytest.fixture(scope="session")
def run_of(reports):
    """Folder, page, elements and internal estimates of one report; a set's name alone stands for its screening."""

    def found(name: str, language: str = "en") -> dict:
        folder = reports / (name if "/" in name else f"{name}/screening_validity")
        page = (folder / f"latest.{language}.html").read_text("utf-8")
        kept = next(run for run in sorted(folder.iterdir()) if (run / f"report.{language}.html").is_file())
        notebook = json.loads((kept / "executed.ipynb").read_text("utf-8"))
        elements = [output["data"][kind] for cell in notebook["cells"] for output in cell.get("outputs", [])
                    for kind in output["data"] if "mhlib.element" in kind]  # fmt: skip
        return {"folder": kept, "page": page, "elements": elements, "run": json.loads((kept / "run.json").read_text("utf-8")),
                "internal": json.loads((kept / "internal.json").read_text("utf-8"))["elements"]}  # fmt: skip

    return found


def section_of(page: str, anchor: str) -> str:
    """Markup of one section."""
    return re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL).group(0)


@pytest.fixture(scope="session")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        absent("Chromium")
    listed = ["fc-list", ":lang=zh-cn"]
    if shutil.which("fc-list") is None or not subprocess.run(listed, capture_output=True, check=False).stdout.strip():
        absent("a Chinese font")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


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
