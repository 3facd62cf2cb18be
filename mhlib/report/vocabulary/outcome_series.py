"""Columns and terms of the outcome report: interrupted time series."""

from __future__ import annotations

from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {}

TERMS: dict[str, Word] = {}
