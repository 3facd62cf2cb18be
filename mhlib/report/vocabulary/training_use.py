"""Columns and terms of the training report: referral, pupils, workload, cost."""

from __future__ import annotations

from mhlib.report.vocabulary.word import Word

COLUMNS: dict[str, Word] = {}

TERMS: dict[str, Word] = {}
