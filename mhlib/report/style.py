"""The house style of figures: colour-blind safe, direct labels, and SVG whose text the reader's fonts draw.

Matplotlib measures text with the builder's fonts and would draw boxes for Chinese where they lack it. Text is therefore
written into the SVG as text with a font stack, nothing is laid out by the measured width of a label, and colours are
placeholders that become CSS variables, so that a figure follows light, dark and print.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from html import escape

FONTS = "system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Source Han Sans SC',sans-serif"
# Okabe & Ito's colours; the odd last digit marks them for the exchange with CSS variables.
INK, SOFT, LINE, PAGE = "#010203", "#040506", "#070809", "#0a0b0d"
COLOURS = ("#0072b1", "#d55e01", "#009e71", "#cc79a1")
VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", PAGE: "var(--page)"} | {
    colour: f"var(--c{number})" for number, colour in enumerate(COLOURS, start=1)
}
RC = {
    "svg.fonttype": "none", "svg.hashsalt": "mhlib", "font.size": 12, "axes.edgecolor": SOFT, "axes.labelcolor": INK,
    "xtick.color": SOFT, "ytick.color": SOFT, "text.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "patch.edgecolor": PAGE, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.8, "axes.axisbelow": True,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "axes.unicode_minus": False,
}  # fmt: skip


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Seaborn's ticks under the house's own settings."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context(), warnings.catch_warnings():
        # The glyphs are drawn by the reader's fonts, not by the builder's.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        sns.set_theme(style="ticks", rc=RC)
        yield


def svg_of(figure: object, *, name: str, title: str, description: str) -> str:
    """A matplotlib figure as inline SVG with title, description and ids of its own."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return inline(buffer.getvalue(), name=name, title=title, description=description)


def inline(svg: str, *, name: str, title: str, description: str) -> str:
    """SVG text made fit to stand within a page beside others."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", rf"font: \1 {FONTS}", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    head = re.match(r"<svg[^>]*>", svg).group(0)
    box = re.search(r'viewBox="[^"]+"', head).group(0)
    start = (
        f'<svg {box} role="img" aria-labelledby="{name}-title {name}-desc" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"\n\s*", "\n", start + svg[len(head) :]).strip()
