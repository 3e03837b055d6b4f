"""A report to a file in the format of its suffix: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kg.errors import InputError
from pipelines.report.csv_table import render_csv
from pipelines.report.inert_text import escape_unprintable
from pipelines.report.junit import render_junit
from pipelines.report.markdown import render_markdown
from pipelines.report.plain_text import render_text
from pipelines.report.sarif import render_sarif
from pipelines.run import write_atomically

__all__ = ["FORMATS", "format_of_report", "render", "write_report"]

Report = Mapping[str, Any]


def render(report: Report, format: str) -> str:
    """The report (`AuditReport.to_dict`) as text in one of `FORMATS`.

    Raises:
        InputError: an unknown format.
    """
    if format not in FORMATS:
        raise InputError(f"Expected one of the formats {', '.join(FORMATS)} (got {format!r})")
    return FORMATS[format][1](report)


def write_report(report: Report, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Writes the report; a crash leaves the old file or the new, never a part.

    Args:
        path: the file to make or replace; folders that are missing are made.
        format: one of `FORMATS`, where the suffix does not say it.

    Raises:
        InputError: an unknown suffix or format, or the path is a folder.
    """
    target = Path(path)
    chosen = format or format_of_report(target)
    if target.is_dir():
        raise InputError("Expected a file (got a folder); name a file in it", file=str(target))
    write_atomically(target, render(report, chosen))


def format_of_report(path: str | os.PathLike[str]) -> str:
    """The format that the suffix of a report file stands for.

    Raises:
        InputError: an unknown suffix; the message lists the known ones.
    """
    name = Path(path).name.lower()
    for format, (suffixes, _) in FORMATS.items():
        if name.endswith(suffixes):
            return format
    known = ", ".join(suffix for suffixes, _ in FORMATS.values() for suffix in suffixes)
    got = Path(path).suffix or "no suffix"
    raise InputError(f"Expected a report file ending in one of {known} (got {got})", file=str(path))


def _render_json(report: Report) -> str:
    return escape_unprintable(json.dumps(report, indent=2, ensure_ascii=False)) + "\n"


def _render_html(report: Report) -> str:
    from pipelines.report.audit_html import render_audit_html

    return render_audit_html(report)


def _render_turtle(report: Report) -> str:
    from pipelines.report.shacl import render_turtle

    return render_turtle(report)


def _render_jsonld(report: Report) -> str:
    from pipelines.report.shacl import render_jsonld

    return render_jsonld(report)


FORMATS: Mapping[str, tuple[tuple[str, ...], Callable[[Report], str]]] = {
    "html": ((".html", ".htm"), _render_html),
    "markdown": ((".md",), render_markdown),
    "sarif": ((".sarif", ".sarif.json"), render_sarif),
    "junit": ((".xml",), render_junit),
    "csv": ((".csv",), render_csv),
    "turtle": ((".ttl",), _render_turtle),
    "jsonld": ((".jsonld",), _render_jsonld),
    "json": ((".json",), _render_json),
    "text": ((".txt",), render_text),
}
"""The formats by name: the suffixes that stand for each, and what renders it. A longer suffix comes before its end."""
