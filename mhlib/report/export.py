"""From an executed notebook to one self-contained HTML file, through an nbconvert template of our own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from mhlib.errors import DisclosureError
from mhlib.report import tables
from mhlib.report.blocks import anchor
from mhlib.report.language import paragraphs, translated

ELEMENT = "application/vnd.mhlib.element+json"
TEMPLATES = Path(__file__).parent / "template"


def elements(notebook: object) -> list[dict]:
    """Every element in the notebook's order.

    Raises
    ------
    DisclosureError
        If a cell shows anything that did not pass the gate: text, a warning, a bare frame.
    """
    found = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            element = output.get("data", {}).get(ELEMENT)
            if element is None:
                raise DisclosureError(f"cell {number}", f"an output of type {output['output_type']} did not pass the gate",
                                      remedy="show it through the report's view")  # fmt: skip
            found.append(element)
    return found


def csv_files(notebook: object, *, language: str) -> dict[str, str]:
    """Tables and data of figures, gated, by file name."""
    return {f"{one['name']}.csv": one["csv"][language] for one in elements(notebook) if one.get("csv")}


def template_sha256() -> str:
    """SHA-256 over the files of the template."""
    digest = hashlib.sha256()
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def to_html(notebook: object, *, language: str, provenance: Mapping[str, object], title: str | None = None) -> str:
    """The report in one language; the same notebook and provenance give the same bytes.

    Raises
    ------
    DisclosureError
        As :func:`elements`.
    """
    from nbconvert.exporters import TemplateExporter

    page = next((one["page"] for one in elements(notebook) if one["kind"] == "page"), {})
    sections = _sections(notebook, language)
    heading = sections[0]["title"]
    context = {
        "language": language, "html_language": {"zh": "zh-CN", "en": "en"}[language], "page": page,
        "heading": title or heading, "sections": sections, "style": (TEMPLATES / "mhlib" / "style.css").read_text("utf-8"),
        "about": _about(provenance, language), "say": lambda text: translated(text, language),
    }  # fmt: skip
    exporter = TemplateExporter(
        template_name="mhlib", extra_template_basedirs=[str(TEMPLATES)], template_file="index.html.j2"
    )
    exporter.file_extension = ".html"
    html, _ = exporter.from_notebook_node(notebook, resources={"mhlib": context})
    return re.sub(r"[ \t]+\n", "\n", html)


def _sections(notebook: object, language: str) -> list[dict[str, object]]:
    """The notebook cut at its second-level headings; the first part holds the title and the introduction."""
    sections: list[dict[str, object]] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for block, text in zip(_blocks(cell.source), paragraphs(cell.source), strict=True):
                said = translated(text, language)
                if block.startswith("#"):
                    title = paragraphs(block)[0]
                    sections.append({"id": anchor(title), "title": said, "parts": []})
                else:
                    sections[-1]["parts"].append({"html": f"<p>{_inline(said)}</p>"})
        elif cell.cell_type == "code":
            shown = [output["data"][ELEMENT] for output in cell.get("outputs", [])]
            html = "\n".join(element["html"][language] for element in shown if element["html"][language])
            code = f'<pre class="code"><code>{escape(cell.source)}</code></pre>'
            sections[-1]["parts"].append({"html": html, "code": code, "kinds": [element["kind"] for element in shown]})
    return _linked([section for section in sections if not _absent(section)])


def _absent(section: Mapping[str, object]) -> bool:
    """A section of another design: elements stand in it, and none of them shows anything."""
    kinds = [kind for part in section["parts"] for kind in part.get("kinds", [])]
    return bool(kinds) and set(kinds) == {"absent"}


def _linked(sections: list[dict[str, object]]) -> list[dict[str, object]]:
    """Links to a section that was left out become plain words."""
    there = {section["id"] for section in sections}

    def kept(link: re.Match) -> str:
        return link[0] if link[1] in there else link[2]

    for section in sections:
        for part in section["parts"]:
            part["html"] = re.sub(r'<a href="#([a-z0-9-]+)">(.*?)</a>', kept, part["html"])
    return sections


def _blocks(markdown: str) -> list[str]:
    return [block.strip() for block in re.split(r"\n\s*\n", markdown.strip()) if block.strip()]


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _about(provenance: Mapping[str, object], language: str) -> str:
    """Keys, versions and parameters as one table; no time of day, so that equal runs give equal bytes."""
    rows = []
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            rows += [[f"{name}: {key}", _plain(inner)] for key, inner in value.items()]
        else:
            rows.append([name, _plain(value)])
    headers = [translated("what", language), translated("value", language)]
    return tables.html_table(
        headers, [False, False], rows, caption=translated("Keys, versions and parameters", language)
    )


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items()) or "–"
    return "–" if value in (None, "") else str(value)
