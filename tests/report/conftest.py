"""A view whose elements are caught, and the page that they make."""

from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mhlib.report import export, open_report
from mhlib.report.view import ELEMENT


class Shown:
    """What one view displayed, element by element."""

    def __init__(self) -> None:
        self.bundles: list[dict] = []

    @property
    def elements(self) -> list[dict]:
        return [bundle[ELEMENT] for bundle in self.bundles]

    @property
    def last(self) -> dict:
        return self.elements[-1]

    def view(self, disclosure: str = "public", language: str = "en"):
        """A view of simulated data for an audience."""
        params = SimpleNamespace(disclosure=disclosure, as_of="2026-03-20", evaluation="screening_validity",
                                 language=language, is_the_published_file=lambda sha256, where: None)  # fmt: skip
        origin = SimpleNamespace(kind="synthetic", source="synthetic:small", sha256="ab" * 32, rows_read=123)
        return open_report(params, SimpleNamespace(provenance=origin))

    def notebook(self, *markdown: str) -> nbformat.NotebookNode:
        """A notebook with these markdown cells and every element after them."""
        cells = [new_markdown_cell(text) for text in (markdown or ("# Screening validity", "## Answer"))]
        for bundle in self.bundles:
            cell = new_code_cell("view.show()")
            cell.outputs = [new_output("display_data", data=bundle)]
            cells.append(cell)
        return new_notebook(cells=cells)

    def page(self, language: str, *markdown: str) -> str:
        """The page in one language."""
        return export.to_html(self.notebook(*markdown), language=language, provenance={"render_key": "00"})


@pytest.fixture
def report(monkeypatch) -> Shown:
    import IPython.display

    caught = Shown()
    monkeypatch.setattr(IPython.display, "publish_display_data", caught.bundles.append)
    return caught
