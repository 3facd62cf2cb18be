"""Columns and terms of the outcome report: stepped wedge."""

from __future__ import annotations

from mhlib.findings import message
from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {}

MOST_PERIODS = 24

TERMS: dict[str, Word] = {
    "wedge_average": Word(message("average over the periods with the programme (mixed model)"), "text"),
    "wedge_constant": Word(message("the same from the first period on (mixed model)"), "text"),
    "wedge_average_cr2": Word(message("average over the periods (within units, CR2)"), "text"),
    "wedge_constant_cr2": Word(message("the same from the first period on (within units, CR2)"), "text"),
    "wedge_without_cell": Word(message("the same from the first period on (no intercept of unit and period)"), "text"),
    "wedge_permutation": Word(message("the same from the first period on (order of starting dealt again)"), "text"),
    "wedge_within_periods": Word(message("within periods alone, order dealt again"), "text"),
    "wedge_start_never": Word(message("never begins"), "text"),
    **{
        name.format(n=n): Word(words, "text")
        for n in range(1, MOST_PERIODS + 1)
        for name, words in (
            ("wedge_start_{n}", message("begins in period {n}", n=n)),
            ("wedge_period_{n}", message("{given}", given=str(n))),
            ("wedge_exposure_{n}", message("period {n} with the programme", n=n)),
        )
    },
}
