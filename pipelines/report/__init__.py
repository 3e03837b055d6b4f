"""Reports: one dictionary of plain values (`report.json`), and the page made from it."""

from __future__ import annotations

from pipelines.report.html import render_html

__all__ = ["render_html"]
