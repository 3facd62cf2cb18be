"""The flow of people as boxes: a chain, then two branches; drawn as SVG text, so any reader's fonts will do."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mhlib.report.style import FONTS

WIDTH, HEIGHT, GAP = 250, 62, 34


def flow_svg(boxes: Sequence[tuple[str, str]], *, name: str, title: str, description: str) -> str:
    """Boxes of (label, count). The last four are two branches of two, if there are that many and a chain before."""
    split = len(boxes) - 4 if len(boxes) > 4 else len(boxes)
    middle, left, right = WIDTH // 2 + 20, 0, WIDTH + 40
    parts, y = [], 0
    for number, box in enumerate(boxes[:split]):
        if number:
            parts.append(_line(middle + WIDTH // 2, y - GAP, middle + WIDTH // 2, y))
        parts.append(_box(middle, y, *box))
        y += HEIGHT + GAP
    for x, branch in ((left, boxes[split : split + 2]), (right, boxes[split + 2 :])):
        for step, box in enumerate(branch):
            top = y + step * (HEIGHT + GAP)
            start = middle + WIDTH // 2 if step == 0 else x + WIDTH // 2
            parts.append(_line(start, top - GAP, x + WIDTH // 2, top))
            parts.append(_box(x, top, *box))
    height = y + (2 * HEIGHT + GAP if split < len(boxes) else -GAP)
    return (
        f'<svg viewBox="-1 -1 {2 * WIDTH + 42} {height + 2}" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'xmlns="http://www.w3.org/2000/svg"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
    )


def _box(x: int, y: int, label: str, count: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="none" stroke="var(--soft)"/>'
        f'<text x="{x + WIDTH / 2}" y="{y + 25}" text-anchor="middle" style="font:14px {FONTS};fill:var(--ink)">'
        f"{escape(label)}</text>"
        f'<text x="{x + WIDTH / 2}" y="{y + 49}" text-anchor="middle" style="font:600 17px {FONTS};fill:var(--ink)">'
        f"{escape(count)}</text>"
    )


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<path d="M{x1} {y1}V{(y1 + y2) / 2}H{x2}V{y2}" fill="none" stroke="var(--soft)"/>'
