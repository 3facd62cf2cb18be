"""What a notebook says to its reader: every call shows one element, gated, in both languages at once."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Protocol

import pandas as pd

from mhlib.errors import DisclosureError
from mhlib.findings import Check, Count, Light, Message, Refused, Reported, message
from mhlib.report import blocks, tables
from mhlib.report.disclosure import Gate
from mhlib.report.flow import flow_svg
from mhlib.report.language import LANGUAGES, count_words, translated, words
from mhlib.report.policy import Policy, policy_of_report
from mhlib.report.protection_book import Book
from mhlib.report.protection_file import Given, write_book
from mhlib.report.vocabulary import AUDIENCES

ELEMENT = "application/vnd.mhlib.element+json"
NOTICE = message("Simulated data; they stand for no real place.")
NUMBERED = {"table": message("Table {number}. "), "figure": message("Figure {number}. ")}
MARKS = {
    True: ("pass", "✓", message("held")),
    False: ("fail", "✗", message("did not hold")),
    None: ("unknown", "?", message("could not be looked at")),
}


class Provenance(Protocol):
    """What a report must know of its rows."""

    kind: str
    source: str
    sha256: str
    rows_read: int


# What must stand behind a table whatever it shows: people for the gate, limits and terms for the cells.
BEHIND = ("n_used", "n", "denominator", "numerator", "n_people", "term", "conf_low", "conf_high")
# A section that has nothing to show, and nothing to collect for it, is said in a line and not in a box.
NOTHING = "Nothing."
# What belongs to another design is no refusal: it leaves no trace but its name, and a section of only such is left out.
OTHER_DESIGN, ABSENT = "other_design", "absent"


def open_report(params: object, data: object) -> View:
    """The view of one report: its gate comes from `params.disclosure`, its origin from `data.provenance`.

    Raises
    ------
    DisclosureError
        If open_data is asked for and the source is not the published file.
    ParamsError
        If `params.groups` are places and `data.scale` is about self-harm or suicide.
    """
    origin = data.provenance
    params.is_the_published_file(origin.sha256, where=origin.source)
    return View(params, origin, policy_of_report(params, data))


class View:
    """Shows elements; holds the numbering of figures and tables and nothing of the data."""

    def __init__(self, params: object, origin: Provenance, policy: Policy | None = None) -> None:
        self._params, self._origin = params, origin
        policy = Gate.of(params.disclosure).policy if policy is None else policy
        given = Given.read(_run_folder())
        self._book = Book(policy, given.earlier, given.withheld)
        self._gate = Gate(policy, self._book)
        self._simulated = origin.kind == "synthetic" or "minimal" in origin.source
        self._numbers, self._first_table = {"table": 0, "figure": 0}, 0
        self._names: set[str] = set()
        self._refused: list[Refused] = []
        page = {"simulated": self._simulated, "disclosure": AUDIENCES[params.disclosure].template, "as_of": str(params.as_of),
                "evaluation": params.evaluation}  # fmt: skip
        self._show("page", "page", lambda language: "", page=page, rows=self._gate.said_count(origin.rows_read))

    def answer(self, messages: Sequence[Message]) -> None:
        """The answer in words; the first sentence stands out."""

        def html(language: str) -> str:
            first, *rest = (escape(words(text, language, self._gate)) for text in messages)
            return f'<div class="answer"><p class="lead">{first}</p>{"".join(f"<p>{text}</p>" for text in rest)}</div>'

        self._show("answer", "answer", html)

    def sentence(self, text: Message, *, name: str = "sentence") -> None:
        """One paragraph."""
        self._show(name, "sentence", lambda language: f"<p>{escape(words(text, language, self._gate))}</p>")

    def sentences(self, texts: Sequence[Message], *, name: str) -> None:
        """Several paragraphs; nothing where there is nothing to say."""
        if not texts:
            self._show(name, ABSENT, lambda language: "")
            return

        def html(language: str) -> str:
            return "".join(f"<p>{escape(words(text, language, self._gate))}</p>" for text in texts)

        self._show(name, "sentence", html)

    def flow(self, name: str, steps: Sequence[tuple[Message, Count]], *, caption: str) -> None:
        """Who went which way, as boxes with counts."""
        raw = pd.DataFrame([{"step": label.template, "n": count.n} for label, count in steps])
        gated = _records(self._gate.frame(raw, where=name))

        def drawn(language: str) -> tuple[str, list[str], list[list[str]]]:
            boxes = [(words(label, language, self._gate), count_words(row["n"], language, self._gate))
                     for (label, _), row in zip(steps, gated, strict=True)]  # fmt: skip
            said = "; ".join(f"{label}: {count}" for label, count in boxes)
            svg = flow_svg(boxes, name=f"{name}-{language}", title=translated(caption, language), description=said)
            headers = [translated("step", language), translated("people", language)]
            return svg, headers, [list(box) for box in boxes]

        self._figure_element(name, caption, drawn, gated)

    def table(
        self, name: str, result: object, *, caption: str, note: str = "", columns: list[str] | None = None,
        folded: bool = False,
    ) -> None:  # fmt: skip
        """A result's tidy frame as a table; a refusal takes its place. A folded one opens at its caption."""
        if isinstance(result, Refused):
            self._refusal(name, result, caption)
            return
        frame = result if isinstance(result, pd.DataFrame) else result.to_frame()
        wanted = [column for column in (columns or list(frame)) if column in frame]
        limits = [limit for main, pair in tables.LIMITS.items() if main in wanted for limit in pair]
        behind = [column for column in (*BEHIND, *limits) if column in frame]
        gated = self._gate.frame(frame[list(dict.fromkeys(wanted + behind))].pipe(_known), where=name)
        number = self._number("table")
        self._first_table = self._first_table or number
        files = {}

        def html(language: str) -> str:
            hidden = () if columns else tables.HIDDEN_BY_DEFAULT
            shown = [column for column in wanted if column in gated and column not in hidden]
            headers, numeric, rows = tables.grid(gated, language, self._gate, columns=shown)
            files[language] = tables.csv_text(headers, rows, notice=self._notice(language))
            title = f"{_numbered('table', number, language)}{translated(caption, language)}"
            said = [words(text, language, self._gate) for text in getattr(result, "lacking", ())]
            below = " ".join([self._note(gated, note, language), *said]).strip()
            table = tables.html_table(headers, numeric, rows, caption=title, note=below)
            return f'<details class="folded"><summary>{escape(title)}</summary>{table}</details>' if folded else table

        self._internal(name, frame)
        self._show(name, "table", html, frame=_records(gated), csv=files, number=number)

    def figure(self, name: str, result: object, *, kind: str, caption: str) -> None:
        """A figure of a kind, with its gated data in a table that opens; a refusal takes its place."""
        refused = [part for part in (result if isinstance(result, tuple) else (result,)) if isinstance(part, Refused)]
        if isinstance(result, Refused) or (isinstance(result, tuple) and len(refused) == len(result)):
            self._refusal(name, refused[-1], caption)
            return
        from mhlib.report.figures import kind_named

        figure = kind_named(kind)
        gated = self._gate.frame(figure.data(result, self._gate), where=name)

        def drawn(language: str) -> tuple[str, list[str], list[list[str]]]:
            svg = self._drawn(figure, result, gated, name, caption, language)
            headers, _, rows = tables.grid(gated, language, self._gate)
            return svg, headers, rows

        self._figure_element(name, caption, drawn, _records(gated))

    def _drawn(self, figure, result, gated, name: str, caption: str, language: str) -> str:
        import matplotlib as mpl

        mpl.use("agg")
        import matplotlib.pyplot as plt

        from mhlib.report.style import house_style, svg_of

        with house_style():
            ax = figure.draw(result, data=gated, say=lambda text: words(text, language, self._gate))
            ax.figure.tight_layout()
            svg = svg_of(ax.figure, name=f"{name}-{language}", title=translated(caption, language),
                         description=words(figure.description, language, self._gate))  # fmt: skip
            plt.close(ax.figure)
        return svg

    def _figure_element(self, name: str, caption: str, drawn: Callable, frame: list) -> None:
        number, files = self._number("figure"), {}

        def html(language: str) -> str:
            svg, headers, rows = drawn(language)
            files[language] = tables.csv_text(headers, rows, notice=self._notice(language))
            title = f"{_numbered('figure', number, language)}{translated(caption, language)}"
            heading = translated("Data of this figure", language)
            data = tables.html_table(headers, [index > 0 for index in range(len(headers))], rows, caption=heading)
            notice = f'<br><span class="notice">{escape(self._notice(language))}</span>' if self._simulated else ""
            # A narrow screen scrolls the figure sideways instead of shrinking its words.
            region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}">{svg}</div>'
            return (f'<figure id="{name}">{region}<figcaption>{escape(title)}{notice}</figcaption>'
                    f"<details><summary>{escape(heading)}</summary>{data}</details></figure>")  # fmt: skip

        self._show(name, "figure", html, frame=frame, csv=files, number=number)

    def checks(self, checks: Sequence[Check], *, name: str = "checks") -> None:
        """What should hold, each with its mark; nothing where nothing is to be checked."""
        if not checks:
            self._show(name, ABSENT, lambda language: "")
            return

        def html(language: str) -> str:
            items = "".join(self._check(check, language) for check in checks)
            return f'<ul class="checks">{items}</ul>'

        frame = [{"check": check.name.template, "passed": check.passed} for check in checks]
        self._show(name, "checks", html, frame=frame)

    def _check(self, check: Check, language: str) -> str:
        kind, mark, state = MARKS[check.passed]
        return (
            f'<li class="{kind}"><span class="mark" aria-hidden="true">{mark}</span><div><strong>'
            f'{escape(words(check.name, language, self._gate))}</strong> <span class="state">'
            f"{escape(words(state, language, self._gate))}</span><br>{escape(words(check.detail, language, self._gate))}"
            "</div></li>"
        )

    def lights(self, lights: Sequence[Light], *, name: str = "lights", caption: str) -> None:
        """The verdict line by line, each light with its finding and the rule that sets it; nothing where there is none."""
        if not lights:
            self._show(name, ABSENT, lambda language: "")
            return
        number = self._number("table")

        def html(language: str) -> str:
            title = f"{_numbered('table', number, language)}{translated(caption, language)}"
            return blocks.lights_html(lights, language, self._gate, caption=title)

        frame = [{"name": light.name.template, "state": light.state, "planned": light.planned} for light in lights]
        self._show(name, "lights", html, frame=frame, number=number)

    def checklist(self, items: Sequence[Reported], *, name: str = "checklist", caption: str) -> None:
        """A reporting checklist whose items lead to the sections that answer them."""
        number = self._number("table")

        def html(language: str) -> str:
            title = f"{_numbered('table', number, language)}{translated(caption, language)}"
            return blocks.checklist_html(items, language, self._gate, caption=title)

        frame = [{"item": item.number, "section": item.section, "complete": item.lacking is None} for item in items]
        self._show(name, "checklist", html, frame=frame, number=number)

    def _refusal(self, name: str, refused: Refused, caption: str) -> None:
        # Said once is enough where there is nothing to collect.
        if refused.code == OTHER_DESIGN or (refused in self._refused and refused.what_to_collect.template == NOTHING):
            self._show(name, ABSENT, lambda language: "")
            return
        again = refused in self._refused
        self._refused.append(refused)

        def html(language: str) -> str:
            parts = [words(text, language, self._gate) for text in (refused.why, refused.what_to_collect)]
            why, collect = (escape(part) for part in parts)

            def quiet(said: str) -> str:
                joined = translated("{method}: {why}", language)
                return f'<p class="quiet">{joined.format(method=escape(translated(caption, language)), why=said)}</p>'

            if refused.what_to_collect.template == NOTHING:
                return quiet(why)
            if again:
                said = translated("not given, for the reason stated above.", language)
                return quiet(escape(said))
            return (f'<div class="refusal"><p class="what">{escape(translated(caption, language))}</p>'
                    f"<p><strong>{escape(translated('Not given.', language))}</strong> {why}</p>"
                    f"<p><strong>{escape(translated('To collect:', language))}</strong> {collect}</p></div>")  # fmt: skip

        self._show(name, "refusal", html, code=refused.code)

    def assumptions(self, frame: pd.DataFrame, *, name: str = "assumptions") -> None:
        """The numbers that a synthetic city was given; no person stands behind them."""
        self.table(name, frame, caption="What the simulated city was told to be")

    def internal_file(self, name: str, result: object, *, of_people: bool = True) -> None:
        """Rows of people (or of schools) for the bureau only: a file of mode 0600 beside the report; the page says that it exists."""
        if isinstance(result, Refused):
            self._refusal(name, result, "List for the bureau")
            return
        folder = _own_folder() / "internal"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{name}.csv"
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="", encoding="utf-8-sig"
        ) as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(list(result))
            writer.writerows(result.itertuples(index=False, name=None))
        text = (
            message("A list of {n} people was drawn by chance and stored for the bureau only, as internal/{name}.csv.",
                    n=Count(len(result)), name=name)
            if of_people
            else message("The list of {n} schools was drawn by chance and stored for the bureau only, as internal/{name}.csv.",
                         n=len(result), name=name)
        )  # fmt: skip
        self._show(name, "internal", lambda language: f"<p>{escape(words(text, language, self._gate))}</p>")

    def provenance(self) -> None:
        """Where the rows came from; the renderer adds keys, versions and parameters."""
        origin = self._origin

        def html(language: str) -> str:
            rows = [[translated("source", language), origin.source], [translated("checksum of the data", language), origin.sha256],
                    [translated("rows read", language), count_words(self._gate.said_count(origin.rows_read), language, self._gate)],
                    [translated("as of", language), str(self._params.as_of)],
                    [translated("audience", language), words(AUDIENCES[self._params.disclosure], language, self._gate)]]  # fmt: skip
            headers = [translated("what", language), translated("value", language)]
            return tables.html_table(
                headers, [False, False], rows, caption=translated("Where the data came from", language)
            )

        self._show("provenance", "provenance", html)

    def _note(self, gated: pd.DataFrame, note: str, language: str) -> str:
        parts = [translated(note, language)] if note else []
        # Said once: under every table it would only be in the way.
        if self._gate.policy.round_to > 1 and self._numbers["table"] == self._first_table:
            parts.append(blocks.rounding_note(self._gate.policy, language))
        return " ".join(parts)

    def _notice(self, language: str) -> str:
        return words(NOTICE, language, self._gate) if self._simulated else ""

    def _number(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]

    def _internal(self, name: str, frame: pd.DataFrame) -> None:
        """Keep the ungated estimates for the bureau, beside the report, mode 0600."""
        folder = _run_folder()
        if folder is None:
            return
        path = folder / "internal.json"
        kept = json.loads(path.read_text("utf-8")) if path.is_file() else {"elements": {}}
        kept["elements"][name] = _records(frame)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(kept, out, ensure_ascii=False, indent=1, default=str)

    def _show(self, name: str, kind: str, html: Callable[[str], str], **extra: object) -> None:
        from IPython.display import publish_display_data

        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in self._names:
            raise DisclosureError(name, "element names are lower case and used once")
        self._names.add(name)
        both = {language: html(language) for language in LANGUAGES}
        element = {"name": name, "kind": kind, "html": both} | extra
        if (folder := _run_folder()) is not None:
            write_book(folder, self._book)
        publish_display_data({"text/html": both[self._params.language], ELEMENT: element})


def _run_folder() -> Path | None:
    """The run's own folder; None in JupyterLab, where there is no run."""
    run = os.environ.get("MHLIB_RUN_DIR")
    return Path(run) if run else None


def _own_folder() -> Path:
    """The run's own folder; in JupyterLab one beside the reports."""
    return _run_folder() or Path(os.environ.get("MHLIB_HOME", ".")) / "reports" / ".lab"


def _known(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that only a researcher needs."""
    return frame.drop(columns=[name for name in RESEARCH_ONLY if name in frame])


RESEARCH_ONLY = ("n_missing", "negative", "chosen", "low", "high", "method", "seed", "n_clusters", "design_effect",
                 "n_items", "specificity_low", "specificity_high")  # fmt: skip


def _numbered(kind: str, number: int, language: str) -> str:
    return translated(NUMBERED[kind].template, language).format(number=number)


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Rows as plain values, what is missing as None, so that JSON can carry them."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{name: _plain(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: object) -> object:
    """A value that JSON can carry; a message as its English template."""
    if isinstance(value, Message):
        return value.template
    return value.item() if hasattr(value, "item") else value
