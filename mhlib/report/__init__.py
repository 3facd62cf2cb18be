"""From an estimate to a table, a figure, a sentence, behind the disclosure gate."""

from __future__ import annotations

from mhlib.report.view import View, open_report

__all__ = ["View", "open_report"]
