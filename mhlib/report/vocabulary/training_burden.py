"""Columns and terms of the training report: workload, cost, verdict."""

from __future__ import annotations

from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {}

TERMS: dict[str, Word] = {}
