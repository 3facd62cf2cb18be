"""Columns and terms of the outcome report: dose, fidelity and those who took part."""

from __future__ import annotations

from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {}

TERMS: dict[str, Word] = {}
