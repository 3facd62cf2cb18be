"""Two languages from gettext catalogues, and messages turned into words behind the disclosure gate."""

from __future__ import annotations

import gettext
import json
import math
import re
import sys
from datetime import date
from functools import cache
from pathlib import Path

from mhlib.errors import WorkbenchError
from mhlib.findings import Count, Estimate, Message, Proportion
from mhlib.report.disclosure import Gate

LANGUAGES = ("zh", "en")
LOCALE = Path(__file__).parent / "locale"
PACKAGE = Path(__file__).parents[1]
DASH = "—"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The compiled catalogue; one that is older than its source, or was never compiled, is compiled in memory."""
    folder = LOCALE / language / "LC_MESSAGES"
    source, compiled = folder / "mhlib.po", folder / "mhlib.mo"
    if compiled.is_file() and compiled.stat().st_mtime >= source.stat().st_mtime:
        with compiled.open("rb") as stream:
            return gettext.GNUTranslations(stream)
    return _compiled_in_memory(source, language)


def _compiled_in_memory(source: Path, language: str) -> gettext.NullTranslations:
    import io

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    buffer = io.BytesIO()
    with source.open("rb") as stream:
        write_mo(buffer, read_po(stream, locale=language))
    buffer.seek(0)
    return gettext.GNUTranslations(buffer)


def translated(template: str, language: str) -> str:
    """A template in the language; an English template is its own translation."""
    if language not in LANGUAGES:
        raise WorkbenchError("language", f"unknown language {language}", allowed=", ".join(LANGUAGES))
    return catalogue(language).gettext(template) if template else ""


def words(text: Message | str, language: str, gate: Gate) -> str:
    """A message, or a bare template, as a sentence whose numbers have passed the gate."""
    if isinstance(text, str):
        return translated(text, language)
    values = {name: _said(value, language, gate) for name, value in text.values.items()}
    said = translated(text.template, language).format(**values)
    # Chinese sets no space after a full bracket, and a value in the middle of a sentence may end with one.
    return said.replace("） ", "）") if language == "zh" else said


def _said(value: object, language: str, gate: Gate) -> str:
    if isinstance(value, Message):
        return words(value, language, gate)
    if isinstance(value, Count):
        return count_words(gate.said_count(value.n), language, gate)
    if isinstance(value, Proportion):
        limits = (value.low, value.high)
        shown = [gate.said_share(value.value, value.denominator)]
        shown += [
            None if part is None or shown[0] is None else gate.proportion(part, value.denominator) for part in limits
        ]
        return _with_interval([percent(part, gate.decimals(value.denominator)) for part in shown], language)
    if isinstance(value, Estimate):
        shown = [gate.estimate(part, value.n_used) for part in (value.value, value.low, value.high)]
        return _with_interval([number(part, value.digits) for part in shown], language)
    if isinstance(value, dict):
        return str(value[language])
    if isinstance(value, bool | str | date | int):
        return str(value)
    return DASH if value is None or math.isnan(value) else f"{value:g}"


def _with_interval(parts: list[str], language: str) -> str:
    estimate, low, high = parts
    if DASH in (low, high):
        return estimate
    return f"{estimate}（{low} 至 {high}）" if language == "zh" else f"{estimate} ({low} to {high})"


def count_words(n: int | None, language: str, gate: Gate) -> str:
    """A gated count in words.

    One mark for all that is hidden: "fewer than 10" would tell a small count from one that is hidden for the sake of others.
    """
    if n is None:
        return translated("[not shown]", language)
    return f"{n:,}"


def percent(value: float | None, decimals: int) -> str:
    """A share as a percentage; a dash when hidden."""
    return DASH if value is None or math.isnan(value) else f"{100 * value:.{decimals}f}%".replace("-", "−")


def number(value: float | None, digits: int) -> str:
    """A number with its digits; a dash when hidden."""
    if value is None or math.isnan(value):
        return DASH
    # What rounds to nothing has no sign.
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")


def used_templates() -> set[str]:
    """Every template that a report can show: in `message(…)`, in captions and notes, and in the notebooks' text."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        found |= _in_code(path.read_text(encoding="utf-8"), columns=path.name == "screening.py")
    template = (Path(__file__).parent / "template" / "mhlib" / "index.html.j2").read_text(encoding="utf-8")
    found |= set(re.findall(r'say\("([^"]+)"\)', template))
    for path in sorted((PACKAGE.parent / "notebooks").glob("*.ipynb")):
        if path.stem != "explore":
            found |= _in_notebook(path)
    return found


def _in_code(source: str, *, columns: bool = False) -> set[str]:
    """Templates in calls of `message` and its like, and the meanings of a contract's columns that reports explain."""
    import ast

    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        first = ast.walk(node.args[0]) if name in ("message", "translated") and node.args else ()
        texts = [part for part in first if isinstance(part, ast.Constant)]
        texts += node.args[1:2] if columns and name == "Column" else []
        texts += [key.value for key in node.keywords if key.arg in ("caption", "note", "title")]
        found |= {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}
    return found - {""}


def paragraphs(markdown: str) -> list[str]:
    """The paragraphs of a markdown cell, headings without their marks: each is a template."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return [re.sub(r"^#+\s+", "", " ".join(block.split())) for block in blocks if block.strip()]


def _in_notebook(path: Path) -> set[str]:
    found: set[str] = set()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        found |= set(paragraphs(source)) if cell["cell_type"] == "markdown" else _in_code(source)
    return found


def missing(language: str) -> list[str]:
    """Templates that the catalogue does not translate."""
    from babel.messages.pofile import read_po

    with (LOCALE / language / "LC_MESSAGES" / "mhlib.po").open("rb") as stream:
        known = {
            entry.id for entry in read_po(stream, locale=language) if entry.id and entry.string and not entry.fuzzy
        }
    return sorted(used_templates() - known)


def update() -> None:
    """Bring both catalogues up to date: new templates come in, unused ones go; English fills itself."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    for language in LANGUAGES:
        path = LOCALE / language / "LC_MESSAGES" / "mhlib.po"
        old = {}
        if path.is_file():
            with path.open("rb") as stream:
                old = {entry.id: entry.string for entry in read_po(stream, locale=language) if entry.id}
        fresh = Catalog(locale=language, project="mhlib", charset="utf-8")
        for template in sorted(used_templates()):
            fresh.add(template, template if language == "en" else old.get(template, ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            write_po(stream, fresh, width=118, omit_header=False, sort_output=True)
        print(f"{language}: {len(missing(language))} to translate")


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        sys.exit("usage: python -m mhlib.report.language update")
    update()
