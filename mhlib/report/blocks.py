"""Markup of what is neither table nor figure: the lights of a verdict and the checklist of a reporting guideline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from mhlib.findings import Light, Message, Reported, message
from mhlib.report.disclosure import Gate
from mhlib.report.language import translated, words
from mhlib.report.policy import Policy
from mhlib.report.rounding import step

# Shape and word tell the light apart as well as the colour does.
STATES = {
    "good": ("●", message("holds")),
    "watch": ("▲", message("with care")),
    "bad": ("■", message("does not hold")),
    "unknown": ("○", message("not known")),
}
ALL_PLANNED = message("All rules were fixed before the data were seen.")
PLANNED = {True: message("fixed beforehand"), False: message("exploratory")}


def anchor(heading: str) -> str:
    """The address of a section within its page: its English heading, which no language changes."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def lights_html(lights: Sequence[Light], language: str, gate: Gate, *, caption: str) -> str:
    """One row a light: what, how it stands, the finding, the rule, and whether it was fixed beforehand, said once if all were."""
    heads = [message("question"), message("verdict"), message("finding"), message("rule"), message("status")]
    told = not all(light.planned for light in lights)
    rows = []
    for light in lights:
        mark, state = STATES[light.state]
        shown = f'<span class="mark" aria-hidden="true">{mark}</span> {_said(state, language, gate)}'
        rows.append([_said(light.name, language, gate), f'<span class="light {light.state}">{shown}</span>',
                     _said(light.finding, language, gate), _said(light.rule, language, gate),
                     *([_said(PLANNED[light.planned], language, gate)] if told else [])])  # fmt: skip
    shown = heads if told else heads[:-1]
    note = "" if told or not lights else f'<p class="note">{_said(ALL_PLANNED, language, gate)}</p>'
    return _table([_said(head, language, gate) for head in shown], rows, caption=caption, kind="lights") + note


def checklist_html(items: Sequence[Reported], language: str, gate: Gate, *, caption: str) -> str:
    """One row an item: number, matter, a link to its section, and what is still to be added by hand."""
    heads = [message("no."), message("matter"), message("section"), message("still to add by the authors")]
    rows = []
    for item in items:
        link = (
            f'<a href="#{anchor(item.section)}">{escape(translated(item.section, language))}</a>'
            if item.section
            else "—"
        )
        rows.append([escape(item.number), _said(item.matter, language, gate), link,
                     _said(item.lacking, language, gate) if item.lacking else "—"])  # fmt: skip
    return _table([_said(head, language, gate) for head in heads], rows, caption=caption, kind="checklist")


def _said(text: Message, language: str, gate: Gate) -> str:
    return escape(words(text, language, gate))


def _table(heads: list[str], rows: list[list[str]], *, caption: str, kind: str) -> str:
    """A table whose cells are markup already escaped."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="{kind}">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def rounding_note(policy: Policy, language: str) -> str:
    """How counts are rounded and what a dash means."""
    steps = {name: int(step(n, policy)) for name, n in (("few", 1), ("many", 1_000), ("most", 10_000))}
    return translated(
        "Counts are rounded to {few}, to {many} from 1,000 and to {most} from 10,000; “—” stands for what is hidden or cannot be "
        "estimated. Small counts are hidden, and others with them, so that none can be worked out.", language
    ).format(**steps)  # fmt: skip
