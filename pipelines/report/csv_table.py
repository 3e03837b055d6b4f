"""A report as CSV (RFC 4180), one row a finding; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from pipelines.report.inert_text import block

__all__ = ["COLUMNS", "render_csv"]

COLUMNS = (
    "key",
    "severity",
    "rule",
    "kind",
    "message",
    "focus",
    "focus_label",
    "classes",
    "file",
    "line",
    "status",
    "inferred",
    "group",
    "proof",
    "repair",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins (OWASP, CSV injection), the full-width forms that spreadsheets take for the same included."""


def render_csv(report: Mapping[str, Any]) -> str:
    """The findings told in full, in a table with a head; `repair` is the best one in words.

    Lines end in CR LF, every cell is quoted. A cell that a spreadsheet would take for a formula gets an apostrophe.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for finding in report["findings"]:
        row = _row(finding)
        table.writerow(_cell(row[column]) for column in COLUMNS)
    return text.getvalue()


def _row(finding: Mapping[str, Any]) -> dict[str, object]:
    focus, repairs = finding["focus"], finding["repairs"]
    same = ("key", "severity", "rule", "kind", "message", "file", "line", "status", "group")
    return {
        **{name: finding[name] for name in same},
        "focus": focus and focus["text"],
        "focus_label": focus and focus["label"],
        "classes": " ".join(cls["text"] for cls in finding["classes"]),
        "inferred": "yes" if finding["inferred"] else "no",
        "proof": finding["text"],
        "repair": repairs[0]["text"] if repairs else None,
    }


def _cell(value: object) -> str:
    text = "" if value is None else block(str(value))
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
