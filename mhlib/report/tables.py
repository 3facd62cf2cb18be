"""A gated frame as an accessible HTML table and as CSV.

Plain Jinja-free markup instead of a table library: captions, `scope` on every header and bytes that repeat are all that
is needed here, and neither Styler nor great_tables gives the three together.
"""

from __future__ import annotations

import io
from html import escape

import pandas as pd

from mhlib.findings import message
from mhlib.report.disclosure import PEOPLE, Gate, kind_of
from mhlib.report.language import DASH, number, percent, translated, words
from mhlib.report.vocabulary import COLUMNS, TERMS

HIDDEN_BY_DEFAULT = ("std_error", "p_value", "method", "conf_low", "conf_high", "n_excluded", "n_items")
# Columns whose text may be a name of the vocabulary.
NAMED = ("term", "group", "subgroup")
# No p-value is nought: a smaller one is written as below this.
LEAST_P = 0.001
NUMERIC = ("count", "proportion", "people_share", "money", "estimate", "p_value", "plan", "plan_share", "by_term")


def cell_text(name: str, value: object, row: dict[str, object], language: str, gate: Gate) -> str:
    """A gated cell in words: percentages for shares, digits by column or term, a dash for what is hidden."""
    if value is None or value is pd.NA:
        return DASH
    kind = kind_of(name, row)
    if kind == "flag":
        return translated("yes" if value else "no", language)
    if kind == "said":
        return words(value, language, gate)
    if kind in ("text", "named"):
        known = TERMS.get(str(value)) if kind == "named" or name in NAMED else None
        return words(known.words, language, gate) if known else str(value)
    if kind in ("count", "plan"):
        digits = 0 if kind == "count" or float(value).is_integer() else COLUMNS[name].digits
        return f"{float(value):,.{digits}f}"
    if kind in ("proportion", "people_share"):
        return percent(float(value), gate.decimals(_people(row)))
    if kind == "plan_share":
        return percent(float(value), 1 if float(value) >= 0.01 else 2)
    if kind == "p_value" and float(value) < LEAST_P:
        return f"< {LEAST_P}"
    return number(float(value), _digits(name, row))


def _people(row: dict[str, object]) -> float:
    found = [row.get(name) for name in PEOPLE]
    return min((float(people) for people in found if people is not None and people == people), default=0.0)


def _digits(name: str, row: dict[str, object]) -> int:
    if COLUMNS[name].kind != "by_term":
        return COLUMNS[name].digits
    term = TERMS.get(str(row.get("term")))
    return term.digits if term else COLUMNS[name].digits


# A number and the limits that share a column with it.
LIMITS = {"rmsea": ("rmsea_low", "rmsea_high"), "loading": ("loading_low", "loading_high"),
          "difference": ("difference_low", "difference_high"), "cutoff": ("cutoff_low", "cutoff_high")}  # fmt: skip


def grid(
    frame: pd.DataFrame, language: str, gate: Gate, *, columns: list[str] | None = None
) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headers, which columns are numbers, and rows of text; the limits of a number share one column after it."""
    names = columns or [name for name in frame if name not in HIDDEN_BY_DEFAULT]
    # A table in which everything is hidden keeps its first column, so that its rows are seen to be there.
    names = [name for name in names if frame[name].notna().any()] or names[:1]
    if "denominator" in names:
        names = [name for name in names if name != "n_used"]
    limits = {main: pair for main, pair in LIMITS.items() if main in names and set(pair) <= set(frame)}
    known = {"conf_low", "conf_high"} <= set(frame) and frame["conf_low"].notna().any()
    if known and (first := _interval_after(names)):
        limits[first] = ("conf_low", "conf_high")
    names = [name for name in names if name not in {one for pair in limits.values() for one in pair}]
    headers, numeric = [], []
    for name in names:
        headers.append(words(COLUMNS[name].words, language, gate))
        numeric.append(COLUMNS[name].kind in NUMERIC)
        if name in limits:
            headers.append(words(BETWEEN.get(name, CONFIDENCE), language, gate))
            numeric.append(True)
    rows = [_cells(row, names, limits, language, gate) for row in frame.to_dict("records")]
    return headers, numeric, rows


CONFIDENCE = message("confidence interval")
BETWEEN = {"cutoff": message("chosen in 95% of resamples (points)"), "rmsea": message("90% interval of RMSEA")}


def _interval_after(names: list[str]) -> str | None:
    """The column after which the interval of a row stands."""
    return next((name for name in ("estimate", "item_rest") if name in names), None)


def _cells(row: dict, names: list[str], limits: dict, language: str, gate: Gate) -> list[str]:
    cells = []
    for name in names:
        cells.append(cell_text(name, row[name], row, language, gate))
        if name in limits:
            low, high = (cell_text(limit, row[limit], row, language, gate) for limit in limits[name])
            cells.append(DASH if DASH in (low, high) else f"{low} – {high}")
    return cells


def html_table(headers: list[str], numeric: list[bool], rows: list[list[str]], *, caption: str, note: str = "") -> str:
    """Markup with a caption, column headers and row headers."""
    # The first column names the rows, whatever stands in it.
    kinds = [' class="num"' if is_number and at else "" for at, is_number in enumerate(numeric)]
    head = "".join(f'<th scope="col"{kind}>{escape(text)}</th>' for text, kind in zip(headers, kinds, strict=True))
    body = "".join(_row(cells, kinds) for cells in rows)
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>'
        f"{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{below}"
    )


def _row(cells: list[str], kinds: list[str]) -> str:
    first = f'<th scope="row">{escape(cells[0])}</th>'
    rest = "".join(f"<td{kind}>{escape(text)}</td>" for text, kind in zip(cells[1:], kinds[1:], strict=True))
    return f"<tr>{first}{rest}</tr>"


def csv_text(headers: list[str], rows: list[list[str]], *, notice: str = "") -> str:
    """The same cells as CSV, with the notice of simulated data on top where there is one."""
    buffer = io.StringIO()
    if notice:
        buffer.write(f"# {notice}\n")
    pd.DataFrame(rows, columns=headers).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()
