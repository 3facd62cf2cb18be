"""HTML and SVG read for what they show and what they carry unseen: text, tables, drawings, attributes, scripts, comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree

INLINE = {
    "a",
    "b",
    "i",
    "em",
    "strong",
    "span",
    "code",
    "small",
    "sub",
    "sup",
    "u",
    "mark",
    "wbr",
    "tspan",
    "font",
    "q",
}
# Attributes of drawings that hold coordinates; what they count is counted by `marks`.
GEOMETRY = {"d", "points", "transform", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "width", "height"}
SVG = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL | re.IGNORECASE)
MARKS = {"use", "circle", "ellipse", "rect", "image"}
# Groups of a drawing that belong to its axes, as matplotlib names them.
AXES = re.compile(r"(?:^|-)(?:xtick|ytick|legend)_?\d*$")


@dataclass(slots=True)
class Page:
    """What markup holds; `hidden` are pairs of line and text that a reader does not see."""

    text: str = ""
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)
    drawings: list[str] = field(default_factory=list)
    hidden: list[tuple[int, str]] = field(default_factory=list)


def read_markup(text: str) -> Page:
    """Everything in a piece of markup, however broken it is."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.page.text = "".join(reader.said)
    reader.page.drawings = SVG.findall(text)
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self.said = Page(), []
        self._unseen, self._open, self._cell = "", None, None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in INLINE:
            # The bar keeps a column of numbers from being read as an array: tables are measured by their rows.
            self.said.append("\n| " if tag in ("td", "th") else "\n")
        for name, value in attrs:
            if value and name not in GEOMETRY:
                self.page.hidden.append((self.getpos()[0], value))
        if tag in ("script", "style"):
            self._unseen = tag
        elif tag == "table":
            self._open = ["", [], []]
            self.page.tables.append(self._open)
        elif self._open is not None:
            self._start_of_table(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def _start_of_table(self, tag: str) -> None:
        if tag == "tr":
            self._open[2].append([])
        elif tag in ("td", "th", "caption"):
            self._cell = (tag, [])

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self.said.append("\n")
        if tag == self._unseen:
            self._unseen = ""
        if self._open is None:
            return
        if self._cell is not None and tag == self._cell[0]:
            words = " ".join("".join(self._cell[1]).split())
            if tag == "caption":
                self._open[0] = words
            elif self._open[2]:
                self._open[2][-1].append(words)
            self._cell = None
        elif tag == "table":
            rows = [row for row in self._open[2] if row]
            self.page.tables[-1] = (self._open[0], rows[0] if rows else [], rows[1:])
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._unseen:
            self.page.hidden.append((self.getpos()[0], data))
            return
        self.said.append(data)
        if self._cell is not None:
            self._cell[1].append(data)

    def handle_comment(self, data: str) -> None:
        self.page.hidden.append((self.getpos()[0], data))

    def handle_decl(self, decl: str) -> None:
        self.page.hidden.append((self.getpos()[0], decl))

    def handle_pi(self, data: str) -> None:
        self.page.hidden.append((self.getpos()[0], data))

    def unknown_decl(self, data: str) -> None:
        self.page.hidden.append((self.getpos()[0], data))

    def close(self) -> None:
        super().close()
        # A table that never ends is still a table.
        self.page.tables = [tuple(table) for table in self.page.tables]


def marks(svg: str) -> tuple[int, int]:
    """Marks drawn outside the axes, and vertices of the longest line; a drawing that is no XML is counted by its tags."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return len(re.findall(r"<(?:use|circle|ellipse|rect|image)\b", svg)), max(
            map(_vertices, re.findall(r'\sd="([^"]*)"', svg)), default=0
        )
    found, longest = 0, 0
    waiting = [root]
    while waiting:
        here = waiting.pop()
        tag = here.tag.rpartition("}")[2] if isinstance(here.tag, str) else ""
        if tag == "defs" or AXES.search(here.get("id", "")):
            continue
        found += tag in MARKS
        if tag == "path":
            # Many small subpaths are as many marks; one long subpath is a line of as many points.
            found += max(len(re.findall(r"[Mm]", here.get("d", ""))) - 1, 0)
            longest = max(longest, _vertices(here.get("d", "")))
        elif tag in ("polyline", "polygon"):
            longest = max(longest, len(re.findall(r"[-+.\d]+", here.get("points", ""))) // 2)
        waiting.extend(here)
    return found, longest


def _vertices(d: str) -> int:
    return len(re.findall(r"[MLHVCSQTAmlhvcsqta]", d))
